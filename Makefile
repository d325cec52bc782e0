# SPDX-License-Identifier: BSD-2-Clause
#
# vxhci: `make` builds build/vxhci, build/libvxhci.a and build/libvxhci.so.
# `make demo` and `make check` do everything on a fresh Debian, installing
# what is missing. `make help` lists the targets.

VERSION := 0.1.0
SOVERSION := 0

CC ?= gcc
OBJCOPY ?= objcopy
B ?= build
SAN ?=
# where `make install` puts things, below DESTDIR
PREFIX ?= /usr/local
BINDIR ?= $(PREFIX)/bin
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR ?= $(PREFIX)/share/man
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
PKGCONFIGDIR ?= $(LIBDIR)/pkgconfig
# units, users and folders of the services, which systemd reads there
SYSTEMDDIR ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
# V=1 shows the commands
Q := $(if $(V),,@)

PKGS := libusb-1.0 jansson zlib libpcap
# names from udev's hardware database, where there is a libudev
ifeq ($(shell pkg-config --exists libudev 2>/dev/null && echo y),y)
PKGS += libudev
CPPFLAGS += -DHAVE_LIBUDEV
endif
# the system calls of `vxhci serve` are filtered, where there is a libseccomp
ifeq ($(shell pkg-config --exists libseccomp 2>/dev/null && echo y),y)
PROG_LIBS := $(shell pkg-config --libs libseccomp)
CPPFLAGS += -DHAVE_SECCOMP $(shell pkg-config --cflags libseccomp)
endif
ifeq ($(shell pkg-config --exists $(PKGS) 2>/dev/null && echo y),y)
PKG_CFLAGS := $(shell pkg-config --cflags $(PKGS))
PKG_LIBS := $(shell pkg-config --libs $(PKGS))
endif

WARN := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes \
	-Wmissing-prototypes -Wpointer-arith -Wvla -Wformat=2 -Werror
# what only finds faults is built in half the time
OPT ?= $(if $(filter asan tsan fuzz,$(SAN)),-O1 -g1,-O2 -g)
SAN_asan := -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer
SAN_tsan := -fsanitize=thread
SAN_cov := --coverage
# for the fuzzers, and to see what they reach (tests/fuzz/)
SAN_fuzz := -fsanitize=address,undefined,fuzzer-no-link \
	-fno-sanitize-recover=all -fno-omit-frame-pointer
SAN_afl := -fsanitize=address,undefined -fno-omit-frame-pointer
SAN_fuzzcov := -fsanitize=fuzzer-no-link -fprofile-instr-generate \
	-fcoverage-mapping
SAN_FLAGS := $(SAN_$(SAN))
# who follows each comparison is half as fast, and in emu/ learns nothing: its
# inputs are numbers, not words
ifeq ($(SAN),fuzz)
$(B)/obj/emu/%.o $(B)/obj/tests/fuzz/emu_%.o: \
	CFLAGS += -fno-sanitize-coverage=trace-cmp
endif
# a violation of emu/account.h aborts: in each build that looks for faults
ACCOUNT ?= $(if $(filter asan tsan fuzz afl,$(SAN)),1)
CPPFLAGS += $(if $(ACCOUNT),-DVXHCI_ACCOUNT)
HARDEN := $(if $(SAN),,-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2) \
	-fstack-protector-strong
CPPFLAGS += -I. -D_GNU_SOURCE -DVXHCI_VERSION='"$(VERSION)"' $(PKG_CFLAGS)
CFLAGS += -std=c17 $(OPT) -fPIC -fvisibility=hidden $(WARN) $(HARDEN) \
	$(SAN_FLAGS)
LDFLAGS += $(SAN_FLAGS) -Wl,-z,relro,-z,now
LIBS := $(PKG_LIBS) -lpthread

LAYERS := emu pmapper hostusb devices vmm
SRC := $(foreach l,$(LAYERS),$(wildcard $(l)/*.c))
# the program's own files; everything else is the library
PROG_SRC := $(wildcard vmm/main.c vmm/cmd_*.c vmm/vfu_*.c vmm/serve*.c \
	vmm/control*.c vmm/manage*.c)
LIB_SRC := $(filter-out $(PROG_SRC),$(SRC))
obj = $(patsubst %.c,$(B)/obj/%.o,$(1))

.PHONY: all help clean
all: $(B)/vxhci $(B)/libvxhci.a $(B)/libvxhci.so

help:
	@sed -n 's/^## //p' $(MAKEFILE_LIST)

## make                builds the program and the libraries
## make demo           boots a Linux guest that uses a USB disk through vxhci
## make check          all tests
## make check-quick    the inner loop, under a minute
## make coverage       lines and branches of emu/ that its unit tests reach
## make bench          counts and times a transfer
## make install        to PREFIX (/usr/local), LIBDIR, DESTDIR; and uninstall
## make deb            Debian packages, in build/deb
## make fuzz T=60      each fuzzer for T seconds; fuzz-coverage, fuzz-corpus,
##                     fuzz-afl
## make format         runs clang-format over the tree

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	@echo "  CC      $@"
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# one archive a layer, so that unit tests can link a layer and no more
define layer_rule
$(B)/lib$(1).a: $(call obj,$(filter $(1)/%,$(LIB_SRC)))
	@mkdir -p $$(@D)
	@echo "  AR      $$@"
	$(Q)rm -f $$@
	$(Q)$$(AR) rcs $$@ $$^
endef
$(foreach l,$(LAYERS),$(eval $(call layer_rule,$(l))))

$(B)/libvxhci.a: $(call obj,$(LIB_SRC))
	@echo "  AR      $@"
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(B)/libvxhci.so: $(call obj,$(LIB_SRC)) vmm/libvxhci.map
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -shared -Wl,-soname,libvxhci.so.$(SOVERSION) \
		-Wl,--version-script=vmm/libvxhci.map -o $@ \
		$(call obj,$(LIB_SRC)) $(LIBS)
	$(Q)ln -sf libvxhci.so $(B)/libvxhci.so.$(SOVERSION)

$(B)/vxhci: $(call obj,$(PROG_SRC)) $(B)/libvxhci.a
	@echo "  LD      $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(PROG_LIBS) $(LIBS)

clean:
	rm -rf build

# the installed archive is one object with no names but the public ones: a VMM
# may well have a pci_init() of its own
$(B)/install/libvxhci.a: $(call obj,$(LIB_SRC))
	@mkdir -p $(@D)
	@echo "  AR      $@"
	$(Q)rm -f $@
	$(Q)$(LD) -r -o $(@D)/vxhci.o $^
	$(Q)$(OBJCOPY) --localize-hidden $(@D)/vxhci.o
	$(Q)$(AR) rcs $@ $(@D)/vxhci.o

DEST_SO := $(DESTDIR)$(LIBDIR)/libvxhci.so
.PHONY: install uninstall
install: all $(B)/install/libvxhci.a
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(LIBDIR) \
		$(DESTDIR)$(INCLUDEDIR) $(DESTDIR)$(MANDIR)/man8 \
		$(DESTDIR)$(PKGCONFIGDIR)
	install -m 755 $(B)/vxhci $(DESTDIR)$(BINDIR)
	install -m 755 $(B)/libvxhci.so $(DEST_SO).$(VERSION)
	ln -sf libvxhci.so.$(VERSION) $(DEST_SO).$(SOVERSION)
	ln -sf libvxhci.so.$(SOVERSION) $(DEST_SO)
	install -m 644 $(B)/install/libvxhci.a $(DESTDIR)$(LIBDIR)
	install -m 644 vmm/vxhci.h $(DESTDIR)$(INCLUDEDIR)
	install -m 644 docs/vxhci.8 $(DESTDIR)$(MANDIR)/man8
	install -d $(DESTDIR)$(BASHCOMPDIR)
	install -m 644 docs/vxhci.bash $(DESTDIR)$(BASHCOMPDIR)/vxhci
	sed -e 's|@PREFIX@|$(PREFIX)|' -e 's|@LIBDIR@|$(LIBDIR)|' \
		-e 's|@INCLUDEDIR@|$(INCLUDEDIR)|' -e 's|@VERSION@|$(VERSION)|' \
		-e 's|@REQUIRES@|$(filter-out jansson libpcap,$(PKGS))|' \
		vmm/vxhci.pc.in >$(DESTDIR)$(PKGCONFIGDIR)/vxhci.pc
	chmod 644 $(DESTDIR)$(PKGCONFIGDIR)/vxhci.pc
	install -d $(DESTDIR)$(SYSTEMDDIR) $(DESTDIR)$(SYSUSERSDIR) \
		$(DESTDIR)$(TMPFILESDIR)
	for u in vxhci-manage.service vxhci@.service; do \
		sed -e 's|@BINDIR@|$(BINDIR)|' vmm/packaging/$$u.in \
			>$(DESTDIR)$(SYSTEMDDIR)/$$u && \
		chmod 644 $(DESTDIR)$(SYSTEMDDIR)/$$u || exit 1; done
	install -m 644 vmm/packaging/vxhci@.socket $(DESTDIR)$(SYSTEMDDIR)
	install -m 644 vmm/packaging/sysusers.conf \
		$(DESTDIR)$(SYSUSERSDIR)/vxhci.conf
	install -m 644 vmm/packaging/tmpfiles.conf \
		$(DESTDIR)$(TMPFILESDIR)/vxhci.conf
uninstall:
	rm -f $(DESTDIR)$(BINDIR)/vxhci $(DESTDIR)$(INCLUDEDIR)/vxhci.h \
		$(DEST_SO) $(DEST_SO).$(SOVERSION) $(DEST_SO).$(VERSION) \
		$(DESTDIR)$(LIBDIR)/libvxhci.a \
		$(DESTDIR)$(PKGCONFIGDIR)/vxhci.pc \
		$(DESTDIR)$(MANDIR)/man8/vxhci.8 \
		$(DESTDIR)$(BASHCOMPDIR)/vxhci \
		$(DESTDIR)$(SYSTEMDDIR)/vxhci-manage.service \
		$(DESTDIR)$(SYSTEMDDIR)/vxhci@.service \
		$(DESTDIR)$(SYSTEMDDIR)/vxhci@.socket \
		$(DESTDIR)$(SYSUSERSDIR)/vxhci.conf \
		$(DESTDIR)$(TMPFILESDIR)/vxhci.conf

# these install what is missing, so they must not depend on a build rule
.PHONY: deb
deb:
	@tests/rig/deps.sh build deb
	@$(MAKE) -s all
	@B='$(B)' VERSION='$(VERSION)' SOVERSION='$(SOVERSION)' CC='$(CC)' \
		vmm/packaging/deb.sh

include tests/tests.mk

-include $(wildcard $(B)/obj/*/*.d $(B)/obj/*/*/*.d)
