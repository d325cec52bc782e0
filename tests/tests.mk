# SPDX-License-Identifier: BSD-2-Clause
#
# tests/unit/LAYER_*_test.c: one cmocka program each, linked with that layer
# and the ones below it, never with one above. tests/lib/ is shared by tests
# that drive the whole library (tests/unit/lib_*_test.c, tests/bench/).

TEST_LIBS := $(shell pkg-config --libs cmocka 2>/dev/null)
UNIT_SRC := $(wildcard tests/unit/*_test.c)
UNIT := $(patsubst tests/unit/%.c,$(B)/tests/%,$(UNIT_SRC))
TESTLIB_SRC := $(wildcard tests/lib/*.c)

below_emu := $(B)/libemu.a
below_pmapper := $(B)/libpmapper.a $(below_emu)
below_hostusb := $(B)/libhostusb.a $(below_pmapper)
below_devices := $(B)/libdevices.a $(below_pmapper)
below_vmm := $(B)/libvmm.a $(B)/libdevices.a $(B)/libhostusb.a \
	$(B)/libpmapper.a $(B)/libemu.a
# tests of the program's own files (vfu_*, serve): the objects and the library
# and the vfio-user client
below_vfu = $(call obj,$(filter-out vmm/main.c,$(PROG_SRC)) \
	$(wildcard tests/lib/vfu_*.c)) $(below_vmm)
below_lib = $(call obj,$(TESTLIB_SRC)) $(below_vmm)
# tests in which calls of the system fail: those of the project's objects alone
below_fail = $(call obj,$(TESTLIB_SRC)) $(B)/fail.a
$(B)/fail.a: $(call obj,$(filter-out vmm/main.c,$(SRC))) tests/lib/fail.syms
	@echo "  AR      $@"
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)
	$(Q)$(OBJCOPY) --redefine-syms=tests/lib/fail.syms $@

define unit_rule
$(B)/tests/$(2): $(B)/obj/tests/unit/$(2).o $(below_$(1))
	@mkdir -p $$(@D)
	@echo "  LD      $$@"
	$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$^ $$(TEST_LIBS) $$(PROG_LIBS) $$(LIBS)
endef
layer_of = $(firstword $(subst _, ,$(1)))
$(foreach t,$(patsubst tests/unit/%.c,%,$(UNIT_SRC)),\
	$(eval $(call unit_rule,$(call layer_of,$(t)),$(t))))

# the benchmarks count allocations; so does the test of their gates
BENCH_WRAP := -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc
$(B)/tests/emu_nomem_test: LDFLAGS += $(BENCH_WRAP)
BENCH_LOAD := $(call obj,tests/bench/load.c tests/bench/wrap.c)
$(B)/tests/lib_bench_gates_test: LDFLAGS += $(BENCH_WRAP)
$(B)/tests/lib_bench_gates_test: $(BENCH_LOAD)
$(B)/bench/bench_vfu: $(call obj,tests/bench/vfu_rig.c)
$(B)/bench/%: $(B)/obj/tests/bench/%.o $(BENCH_LOAD) $(below_lib)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(BENCH_WRAP) -o $@ $^ $(LIBS)

# the server, and a guest that drives it
$(B)/tests/vfu_race_test: \
	$(call obj,$(filter-out tests/lib/vfu_%,$(TESTLIB_SRC)))

.PHONY: unit
unit: $(UNIT)
	@set -e; for t in $(UNIT); do $$t; done

.PHONY: unit-build demo check check-quick format bench coverage
unit-build: $(UNIT)

## make soak-plug      10,000 removals, attaches, 1,000 resets: all stays flat
.PHONY: soak-plug
soak-plug: $(B)/tests/lib_soak_test
	@SOAK_FULL=1 $<

# tests/fuzz/*_fuzz.c: fuzz targets. LAYER_*_fuzz.c are linked with that layer
# and those below, as unit tests are, others with all. In build folders of their
# own: tests/fuzz/run.sh
FUZZ_SRC := $(wildcard tests/fuzz/*_fuzz.c)
FUZZ := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(FUZZ_SRC))
FUZZ_LINK := -fsanitize=fuzzer
# what writes their seeds, with what it needs to read recordings
FUZZ_MORE_emu_fuzz := $(call obj,tests/fuzz/emu_seeds.c \
	tests/fuzz/emu_seeds_cmd.c tests/fuzz/emu_seeds_state.c \
	tests/fuzz/emu_recorded.c vmm/record_reader.c vmm/record_block.c \
	vmm/record_codec.c)
FUZZ_MORE_lib_fuzz := $(call obj,tests/fuzz/lib_seeds.c)
define fuzz_rule
$(B)/fuzz/$(2): $(B)/obj/tests/fuzz/$(2).o $(B)/obj/tests/fuzz/fuzz.o \
		$(FUZZ_MORE_$(2)) $(or $(below_$(1)),$(below_lib))
	@mkdir -p $$(@D)
	@echo "  LD      $$@"
	$(Q)$$(CC) $$(LDFLAGS) $$(FUZZ_LINK) -o $$@ $$^ $$(TEST_LIBS) $$(PROG_LIBS) \
		$$(LIBS)
# without an engine: it runs what is in fixtures/fuzz
$(B)/fuzzreplay/$(2): $(B)/obj/tests/fuzz/$(2).o $(B)/obj/tests/fuzz/fuzz.o \
		$(B)/obj/tests/fuzz/replay.o $(FUZZ_MORE_$(2)) $(or $(below_$(1)),$(below_lib))
	@mkdir -p $$(@D)
	@echo "  LD      $$@"
	$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$^ $$(TEST_LIBS) $$(PROG_LIBS) $$(LIBS)
endef
$(foreach t,$(patsubst tests/fuzz/%.c,%,$(FUZZ_SRC)),\
	$(eval $(call fuzz_rule,$(call layer_of,$(t)),$(t))))
# where an operation begins, and allocations that fail
$(B)/fuzz/emu_fuzz $(B)/fuzzreplay/emu_fuzz: LDFLAGS += -Wl,--wrap=td_gather \
	$(BENCH_WRAP)
.PHONY: fuzz-build fuzz-replay fuzz fuzz-coverage fuzz-corpus fuzz-afl
fuzz-replay: $(patsubst fixtures/fuzz/%/,$(B)/fuzzreplay/%,\
	$(wildcard fixtures/fuzz/*/))
fuzz-build: $(FUZZ)
T ?= 60
fuzz:
	@B='$(B)' tests/fuzz/run.sh $(T)
fuzz-coverage:
	@B='$(B)' tests/fuzz/coverage.sh $(T)
fuzz-corpus:
	@B='$(B)' tests/fuzz/corpus.sh
fuzz-afl:
	@B='$(B)' tests/fuzz/afl.sh $(T)

# what runs in the guests of the host rig: without a C library of their own,
# and, where libusb is needed, in L1 only
HOST_LINKED := usbloop vxloop
HOST_STATIC := $(filter-out $(HOST_LINKED),$(patsubst tests/host/%.c,%,\
	$(wildcard tests/host/*.c)))
$(B)/hostrig/linked/vxloop: $(below_lib)
$(B)/hostrig/static/%: $(B)/obj/tests/host/%.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -static -o $@ $^ -lpthread
$(B)/hostrig/linked/%: $(B)/obj/tests/host/%.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
# between a guest and vxhci, on this machine
$(B)/rig/%: $(B)/obj/tests/rig/%.o
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^
.SECONDARY: $(B)/obj/tests/rig/fewvec.o
.PHONY: host-programs check-host
.SECONDARY: $(patsubst %,$(B)/obj/tests/host/%.o,$(HOST_STATIC) $(HOST_LINKED))
host-programs: $(B)/linked/qemu.so \
	$(addprefix $(B)/hostrig/static/,$(HOST_STATIC)) \
	$(addprefix $(B)/hostrig/linked/,$(HOST_LINKED))

# bhyve's device model, with a bhyve of fakes
BHYVE_SRC := $(wildcard vmm/bhyve/*.c tests/bhyve/*.c)
$(call obj,$(BHYVE_SRC) tests/unit/lib_bhyve_test.c): \
	CPPFLAGS += -Itests/bhyve -Ivmm -DBHYVE_SNAPSHOT
$(B)/tests/lib_bhyve_test: $(call obj,$(BHYVE_SRC))
# the library once more: it stands before those who need it
$(B)/tests/lib_bhyve_test: PROG_LIBS += $(below_vmm)

# a VMM with the library linked in, and a firmware for a guest
LINKED_SRC := $(wildcard tests/linked/*.c)
$(call obj,$(LINKED_SRC)): CPPFLAGS += -Ivmm
$(B)/linked/seabios: $(call obj,$(LINKED_SRC)) $(B)/libvxhci.a
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ -lunicorn $(LIBS)
$(B)/linked/boot.bin: tests/linked/boot.S tests/linked/disk.h
	@mkdir -p $(@D)
	$(Q)$(CC) -I. -c -o $(B)/linked/boot.o $<
	$(Q)$(LD) -Ttext 0x7c00 --oformat binary -o $@ $(B)/linked/boot.o
# and QEMU, with the library linked in as a device
QEMU_DEVICE_SRC := $(wildcard tests/linked/qemu/*.c)
$(call obj,$(QEMU_DEVICE_SRC)): CPPFLAGS += -Ivmm
$(B)/linked/qemu.so: $(call obj,$(QEMU_DEVICE_SRC)) $(B)/libvxhci.a
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -shared -o $@ $^ $(LIBS)
.PHONY: linked-programs
linked-programs: $(B)/linked/seabios $(B)/linked/boot.bin $(B)/linked/qemu.so

# these install what is missing, so they must not depend on a build rule
## make check-host     physical devices: all of the rig with a guest as host
check-host:
	@tests/rig/deps.sh check
	@$(MAKE) -s all
	@B='$(B)' VXHCI='$(abspath $(B))/vxhci' tests/host/host.sh
## make check-guests   a disk for each guest driver there is: Linux, EDK2, …
.PHONY: check-guests
check-guests:
	@tests/rig/deps.sh check
	@$(MAKE) -s all
	@VXHCI='$(abspath $(B))/vxhci' tests/guest/matrix.sh
## make soak T=3600     two guests at work for that long: does anything grow?
.PHONY: soak
SOAK_T = $(if $(filter-out file,$(origin T)),$(T),3600)
soak:
	@tests/rig/deps.sh check
	@$(MAKE) -s all
	@B='$(B)' VXHCI='$(abspath $(B))/vxhci' tests/guest/soak.sh $(SOAK_T)
demo:
	@B='$(B)' VXHCI='$(abspath $(B))/vxhci' tests/guest/demo.sh
check:
	@B='$(B)' tests/check/run.sh
check-quick:
	@B='$(B)' tests/check/run.sh quick
## make check-mutants  faults planted in a copy of the tree: do the tests notice?
.PHONY: check-mutants
check-mutants:
	@tests/rig/deps.sh check
	@B='$(B)' tests/mutants/run.sh
## make check-deb      the packages in a chroot: installed, run, purged
.PHONY: check-deb
check-deb: deb
	@tests/rig/deps.sh chroot
	@B='$(B)' tests/check/deb_test.sh
coverage:
	@B='$(B)' tests/check/coverage.sh
bench:
	@B='$(B)' tests/bench/run.sh
format:
	@tests/check/format.sh -i

# what drives a built-in device while it is captured, for fixtures/captures
$(B)/trace/capture: LDFLAGS += -Wl,--wrap=usb_dev_complete
$(B)/trace/%: $(B)/obj/tests/trace/%.o $(below_lib)
	@mkdir -p $(@D)
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LIBS)
