/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library's edge: creation, forwarding, interrupts, wake and timeout,
 * mappings, destruction, and calls from several threads. A guest of few lines
 * runs No Op commands; what a driver does is tested elsewhere.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/vxhci.h"

/* Register offsets: CAPLENGTH, DBOFF and RTSOFF are read from the device. */
#define USBCMD 0x00u
#define USBSTS 0x04u
#define CRCR 0x18u
#define DCBAAP 0x30u
#define CONFIG 0x38u
#define IR0 0x20u
#define IMAN 0x00u
#define IMOD 0x04u
#define ERSTSZ 0x08u
#define ERSTBA 0x10u
#define ERDP 0x18u

#define MSIX_TABLE 0x4000u
#define MSIX_PBA 0x5000u

/* Where the guest has what. */
#define MEM_GPA 0x100000u
#define MEM_LEN 0x10000u
#define CMD_RING (MEM_GPA + 0x1000)
#define EVENTS (MEM_GPA + 0x2000)
#define ERST (MEM_GPA + 0x3000)
#define DCBAA (MEM_GPA + 0x4000)
#define RING_TRBS 256u

struct vm {
	struct vxhci *v;
	uint8_t *mem;
	uint32_t op, rt, db;
	unsigned cmds; /* No Ops queued */
	atomic_uint fired[VXHCI_VECTORS];
	atomic_uint wakes;
	unsigned released;
	void *last_cookie;
	uint64_t now_ns;
};

static void vm_msix(void *opaque, unsigned vector)
{
	struct vm *vm = opaque;

	assert_true(vector < VXHCI_VECTORS);
	vm->fired[vector]++;
}

static void vm_wake(void *opaque)
{
	struct vm *vm = opaque;

	vm->wakes++;
}

static void vm_released(void *opaque, void *cookie)
{
	struct vm *vm = opaque;

	vm->released++;
	vm->last_cookie = cookie;
}

static uint64_t vm_now(void *opaque)
{
	struct vm *vm = opaque;

	return vm->now_ns;
}

static const struct vxhci_ops ops = {
	.msix = vm_msix,
	.wake = vm_wake,
	.mem_released = vm_released,
	.now_ns = vm_now,
};

static uint32_t rd(struct vm *vm, uint32_t off)
{
	return (uint32_t)vxhci_bar_read(vm->v, off, 4);
}

static void wr(struct vm *vm, uint32_t off, uint32_t val)
{
	vxhci_bar_write(vm->v, off, 4, val);
}

static void put32(struct vm *vm, uint64_t gpa, uint32_t val)
{
	for (unsigned i = 0; i < 4; i++)
		vm->mem[gpa - MEM_GPA + i] = (uint8_t)(val >> (8 * i));
}

static uint32_t get32(struct vm *vm, uint64_t gpa)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < 4; i++)
		v |= (uint32_t)vm->mem[gpa - MEM_GPA + i] << (8 * i);
	return v;
}

static void vm_create(struct vm *vm, const char *opt)
{
	char err[512] = "";

	memset(vm, 0, sizeof(*vm));
	vm->now_ns = 1000000000;
	if (vxhci_create(opt, &ops, vm, err, sizeof(err), &vm->v) != 0)
		fail_msg("%s", err);
	vm->op = rd(vm, 0) & 0xff;
	vm->db = rd(vm, 0x14);
	vm->rt = rd(vm, 0x18);
	vm->mem = aligned_alloc(4096, MEM_LEN);
	assert_non_null(vm->mem);
	memset(vm->mem, 0, MEM_LEN);
	assert_int_equal(
		vxhci_mem_map(vm->v, MEM_GPA, MEM_LEN, vm->mem, true, vm), 0);
}

static void vm_destroy(struct vm *vm)
{
	vxhci_destroy(vm->v);
	free(vm->mem);
}

/* Run until it asks for no more at once. */
static uint64_t vm_dispatch(struct vm *vm)
{
	uint64_t timeout = 0;

	for (int i = 0; timeout == 0 && i < 100; i++)
		vxhci_dispatch(vm->v, &timeout);
	return timeout;
}

/* Rings set up, MSI-X on with all vectors unmasked, running. */
static void vm_start(struct vm *vm)
{
	vxhci_cfg_write(vm->v, 0x04, 2, 0x0006);
	vxhci_cfg_write(vm->v, 0x52, 2, 0x8000);
	for (uint32_t i = 0; i < VXHCI_VECTORS; i++)
		wr(vm, MSIX_TABLE + 16 * i + 12, 0);
	put32(vm, ERST, EVENTS);
	put32(vm, ERST + 8, RING_TRBS);
	wr(vm, vm->op + CONFIG, 8);
	wr(vm, vm->op + DCBAAP, DCBAA);
	wr(vm, vm->op + DCBAAP + 4, 0);
	wr(vm, vm->op + CRCR, CMD_RING | 1);
	wr(vm, vm->op + CRCR + 4, 0);
	wr(vm, vm->rt + IR0 + ERSTSZ, 1);
	wr(vm, vm->rt + IR0 + ERDP, EVENTS);
	wr(vm, vm->rt + IR0 + ERDP + 4, 0);
	wr(vm, vm->rt + IR0 + ERSTBA, ERST);
	wr(vm, vm->rt + IR0 + ERSTBA + 4, 0);
	wr(vm, vm->rt + IR0 + IMOD, 0);
	wr(vm, vm->rt + IR0 + IMAN, 2);
	wr(vm, vm->op + USBCMD, 5); /* R/S, INTE */
	vm_dispatch(vm);
	assert_int_equal(rd(vm, vm->op + USBSTS) & 1, 0); /* HCHalted */
}

/* Queue a No Op command and ring the bell. At most RING_TRBS of them. */
static void vm_noop(struct vm *vm)
{
	put32(vm, CMD_RING + 16 * vm->cmds + 12, 23 << 10 | 1);
	vm->cmds++;
	wr(vm, vm->db, 0);
}

/* Event number @n is the completion of command number @n. */
static void assert_event(struct vm *vm, unsigned n)
{
	uint64_t ev = EVENTS + 16 * n;

	assert_int_equal(get32(vm, ev), CMD_RING + 16 * n);
	assert_int_equal(get32(vm, ev + 8) >> 24, 1); /* Success */
	assert_int_equal(get32(vm, ev + 12) & 0xfc01, 33 << 10 | 1);
}

/* As a driver does behind an interrupt: EHB cleared, dequeue moved. */
static void vm_ack(struct vm *vm)
{
	wr(vm, vm->rt + IR0 + ERDP, (EVENTS + 16 * vm->cmds) | 8);
	wr(vm, vm->rt + IR0 + ERDP + 4, 0);
}

static void create_says_what_is_wrong(void **state)
{
	static const struct {
		const char *opt;
		int ret;
		const char *err;
	} rows[] = {
		{"30", -EINVAL, "30: no controller: write 30,xhci"},
		{"30,xhci,tablet", -EINVAL,
		 "tablet: not in this version: leave it out"},
		{"30,xhci,keyboard", -EINVAL,
		 "keyboard: not in this version: leave it out"},
		{"30,xhci,zero", -EINVAL,
		 "zero: not in this version: leave it out"},
		{"30,xhci,replay=f", -EINVAL,
		 "replay=f: not in this version: leave it out"},
		{"30,xhci,bus=1,devaddr=2", -EINVAL,
		 "bus=1,devaddr=2: not in this version: leave it out"},
		{"30,xhci,bus=1,port=2.*", -EINVAL,
		 "bus=1,port=2.*: not in this version: leave it out"},
		{"30,xhci,id=045e:0823,serial=x", -EINVAL,
		 "id=045e:0823,serial=x: not in this version: leave it out"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vm vm = {0};
		char err[256] = "";

		assert_int_equal(vxhci_create(rows[i].opt, &ops, &vm, err,
					      sizeof(err), &vm.v),
				 rows[i].ret);
		assert_string_equal(err, rows[i].err);
		assert_null(vm.v);
		assert_int_equal(
			vxhci_create(rows[i].opt, &ops, &vm, NULL, 0, &vm.v),
			rows[i].ret);
	}
}

static void a_missing_image_is_named_once(void **state)
{
	struct vm vm = {0};
	char err[256] = "";

	(void)state;
	assert_int_equal(vxhci_create("30,xhci,storage=/nonexistent/disk", &ops,
				      &vm, err, sizeof(err), &vm.v),
			 -ENOENT);
	assert_int_equal(strncmp(err, "storage=/nonexistent/disk: ", 27), 0);
	assert_null(strstr(err + 27, "/nonexistent"));
	assert_null(vm.v);
}

static void a_disk_sits_in_its_port(void **state)
{
	char path[] = "/tmp/vxhci-embed-XXXXXX", opt[128];
	int fd = mkstemp(path);
	struct vm vm;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	snprintf(opt, sizeof(opt),
		 "30,xhci,usb2=2,usb3=2,storage=%s,readonly,"
		 "storage=%s,readonly,at=3",
		 path, path);
	vm_create(&vm, opt);
	/* PORTSC.CCS: the one with at= has port 3, so the first has 4 */
	assert_int_equal(rd(&vm, vm.op + 0x400) & 1, 0);
	assert_int_equal(rd(&vm, vm.op + 0x410) & 1, 0);
	assert_int_equal(rd(&vm, vm.op + 0x420) & 1, 1);
	assert_int_equal(rd(&vm, vm.op + 0x430) & 1, 1);
	vm_destroy(&vm);
	close(fd);
	unlink(path);
}

static void the_option_shapes_the_controller(void **state)
{
	struct vm vm;

	(void)state;
	vm_create(&vm, "0:30:1,xhci,usb2=3,usb3=2,pci=8086:a36d");
	assert_string_equal(vxhci_slot(vm.v), "0:30:1");
	assert_int_equal(rd(&vm, 4) >> 24, 5);        /* MaxPorts */
	assert_int_equal(rd(&vm, 4) >> 8 & 0x7ff, 8); /* MaxIntrs */
	assert_int_equal(rd(&vm, 8) >> 21 & 0x1f, 0); /* no scratchpads */
	assert_int_equal(vxhci_cfg_read(vm.v, 0, 4), 0xa36d8086);
	assert_int_equal(vxhci_cfg_read(vm.v, 8, 4), 0x0c033001);
	vm_destroy(&vm);
}

static void what_lies_outside_is_not_there(void **state)
{
	static const uint32_t offs[] = {0x3ff8, 0x4080, 0x4ff8,    0x5008,
					0x7ff8, 0x8000, 0xfffffff8};
	struct vm vm;

	(void)state;
	vm_create(&vm, "30,xhci");
	for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
		for (unsigned size = 0; size < 20; size++) {
			vxhci_bar_write(vm.v, offs[i], size, UINT64_MAX);
			assert_int_equal(vxhci_bar_read(vm.v, offs[i], size),
					 0);
		}
	}
	assert_int_equal(vxhci_cfg_read(vm.v, 0x100, 4), 0);
	vm_destroy(&vm);
}

static void nobody_is_at_home_in_d3hot(void **state)
{
	struct vm vm;

	(void)state;
	vm_create(&vm, "30,xhci");
	vxhci_cfg_write(vm.v, 0x44, 2, 3);
	assert_int_equal(vxhci_bar_read(vm.v, 0, 1), 0xff);
	assert_int_equal(vxhci_bar_read(vm.v, 0, 4), 0xffffffff);
	assert_true(vxhci_bar_read(vm.v, 0, 8) == UINT64_MAX);
	assert_int_equal(vxhci_bar_read(vm.v, MSIX_TABLE, 4), 0xffffffff);
	wr(&vm, MSIX_TABLE, 0x1000);
	vxhci_cfg_write(vm.v, 0x44, 2, 0);
	assert_int_equal(rd(&vm, 0) & 0xff, vm.op);
	assert_int_equal(rd(&vm, MSIX_TABLE), 0);
	vm_destroy(&vm);
}

static void a_command_ends_in_an_event_and_a_message(void **state)
{
	struct vxhci_stats stats;
	struct vm vm;
	unsigned wakes;

	(void)state;
	vm_create(&vm, "30,xhci");
	assert_int_equal(vm.wakes, 1); /* so that the VMM's loop looks */
	vm_start(&vm);
	wakes = vm.wakes;
	vm_noop(&vm);
	assert_int_equal(vm.wakes, wakes + 1);
	assert_int_equal(vm.fired[0], 0); /* work is done in dispatch */
	assert_true(vm_dispatch(&vm) == UINT64_MAX);
	assert_int_equal(vm.wakes, wakes + 1); /* not from in there */
	assert_int_equal(vm.fired[0], 1);
	assert_event(&vm, 0);
	vm_ack(&vm);
	vm_noop(&vm);
	vm_dispatch(&vm);
	assert_event(&vm, 1);
	assert_int_equal(vm.fired[0], 2);
	vxhci_get_stats(vm.v, &stats);
	assert_int_equal(stats.commands, 2);
	assert_int_equal(stats.events, 2);
	assert_int_equal(stats.interrupts, 2);
	assert_int_equal(stats.in_flight, 0);
	assert_int_equal(stats.copied_bytes, 0);
	vm_destroy(&vm);
}

static void a_masked_vector_fires_when_unmasked(void **state)
{
	uint64_t addr;
	uint32_t data;
	bool masked;
	struct vm vm;

	(void)state;
	vm_create(&vm, "30,xhci");
	vm_start(&vm);
	wr(&vm, MSIX_TABLE, 0xfee00000);
	wr(&vm, MSIX_TABLE + 8, 0x4041);
	wr(&vm, MSIX_TABLE + 12, 1);
	vm_noop(&vm);
	vm_dispatch(&vm);
	assert_int_equal(vm.fired[0], 0);
	assert_int_equal(rd(&vm, MSIX_PBA), 1);
	assert_int_equal(vxhci_msix_entry(vm.v, 0, &addr, &data, &masked), 0);
	assert_int_equal(addr, 0xfee00000);
	assert_int_equal(data, 0x4041);
	assert_true(masked);
	assert_int_equal(
		vxhci_msix_entry(vm.v, VXHCI_VECTORS, &addr, &data, &masked),
		-EINVAL);
	wr(&vm, MSIX_TABLE + 12, 0);
	assert_int_equal(vm.fired[0], 1);
	assert_int_equal(rd(&vm, MSIX_PBA), 0);
	vm_destroy(&vm);
}

static void a_client_that_keeps_the_table_gets_all(void **state)
{
	struct vm vm;

	(void)state;
	vm_create(&vm, "30,xhci");
	vm_start(&vm);
	vxhci_cfg_write(vm.v, 0x52, 2, 0);
	wr(&vm, MSIX_TABLE + 12, 1);
	vxhci_msix_external(vm.v, true);
	vm_noop(&vm);
	vm_dispatch(&vm);
	assert_int_equal(vm.fired[0], 1);
	vm_ack(&vm);
	vxhci_msix_external(vm.v, false);
	vm_noop(&vm);
	vm_dispatch(&vm);
	assert_event(&vm, 1);
	assert_int_equal(vm.fired[0], 1);
	vm_destroy(&vm);
}

static void no_memory_is_touched_without_bus_mastering(void **state)
{
	struct vm vm;

	(void)state;
	vm_create(&vm, "30,xhci");
	vm_start(&vm);
	vxhci_cfg_write(vm.v, 0x04, 2, 0x0002);
	vm_noop(&vm);
	vm_dispatch(&vm);
	assert_int_equal(get32(&vm, EVENTS + 12), 0);
	vxhci_cfg_write(vm.v, 0x04, 2, 0x0006);
	vm_dispatch(&vm);
	assert_event(&vm, 0);
	vm_destroy(&vm);
}

/* xHCI 1.2 §4.17.2: the second interrupt waits for IMOD's interval. */
static void dispatch_says_when_to_come_back(void **state)
{
	uint64_t timeout;
	struct vm vm;

	(void)state;
	vm_create(&vm, "30,xhci");
	vm_start(&vm);
	wr(&vm, vm.rt + IR0 + IMOD, 4000); /* x 250 ns: 1 ms */
	vm.now_ns += 10000000;
	vm_noop(&vm);
	vm_dispatch(&vm);
	assert_int_equal(vm.fired[0], 1);
	vm_ack(&vm);
	vm.now_ns += 300000;
	vm_noop(&vm);
	timeout = vm_dispatch(&vm);
	assert_event(&vm, 1);
	assert_int_equal(vm.fired[0], 1);
	assert_true(timeout > 0 && timeout <= 700000);
	vm.now_ns += timeout - 1;
	assert_true(vm_dispatch(&vm) <= 1);
	assert_int_equal(vm.fired[0], 1);
	vm.now_ns += 1;
	assert_true(vm_dispatch(&vm) == UINT64_MAX);
	assert_int_equal(vm.fired[0], 2);
	vm_destroy(&vm);
}

static void an_earlier_deadline_wakes(void **state)
{
	unsigned wakes;
	struct vm vm;

	(void)state;
	vm_create(&vm, "30,xhci");
	vm_start(&vm);
	vm_dispatch(&vm);
	wakes = vm.wakes;
	/* EWE: MFINDEX wraps every 2.048 s, and each wrap is an event */
	wr(&vm, vm.op + USBCMD, 5 | 1 << 10);
	assert_int_equal(vm.wakes, wakes + 1);
	assert_true(vm_dispatch(&vm) <= 2048000000);
	vm_destroy(&vm);
}

static void reset_is_as_after_creation(void **state)
{
	struct vm vm;

	(void)state;
	vm_create(&vm, "30,xhci");
	vm_start(&vm);
	vxhci_cfg_write(vm.v, 0x10, 4, 0xfebf0000);
	vxhci_reset(vm.v);
	assert_int_equal(vxhci_cfg_read(vm.v, 0x10, 4), 4);
	assert_int_equal(vxhci_cfg_read(vm.v, 0x04, 2), 0);
	assert_int_equal(rd(&vm, MSIX_TABLE + 12), 1);
	assert_int_equal(rd(&vm, vm.op + USBCMD), 0);
	assert_int_equal(rd(&vm, vm.op + USBSTS) & 1, 1);
	vm_dispatch(&vm);
	vm.cmds = 0;
	memset(vm.mem, 0, MEM_LEN);
	vm_start(&vm);
	vm_noop(&vm);
	vm_dispatch(&vm);
	assert_event(&vm, 0);
	assert_int_equal(vm.fired[0], 1);
	vm_destroy(&vm);
}

static void mappings_come_back(void **state)
{
	static uint8_t page[3][4096];
	struct vm vm;

	(void)state;
	vm_create(&vm, "30,xhci");
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(vxhci_mem_map(vm.v, i * 4096, 4096, page[i],
					       true, page[i]),
				 0);
	assert_int_equal(vxhci_mem_map(vm.v, 0, 4096, page[0], true, NULL),
			 -EEXIST);
	assert_int_equal(vxhci_mem_map(vm.v, 1, 4096, page[0], true, NULL),
			 -EINVAL);
	assert_int_equal(vxhci_mem_unmap(vm.v, 0, 8192), -ENOENT);
	assert_int_equal(vxhci_mem_unmap(vm.v, 4096, 4096), 0);
	assert_int_equal(vm.released, 1);
	assert_ptr_equal(vm.last_cookie, page[1]);
	vxhci_mem_unmap_all(vm.v);
	assert_int_equal(vm.released, 4);
	assert_int_equal(vxhci_mem_map(vm.v, 0, 4096, page[0], true, page[0]),
			 0);
	vm_destroy(&vm);
	assert_int_equal(vm.released, 5);
	assert_ptr_equal(vm.last_cookie, page[0]);
}

static void nothing_is_destroyed_without_harm(void **state)
{
	(void)state;
	vxhci_destroy(NULL);
}

/* The ring is torn from under a running controller: it must only stop. */
static void unmapped_while_running(void **state)
{
	struct vm vm;

	(void)state;
	vm_create(&vm, "30,xhci");
	vm_start(&vm);
	vm_noop(&vm);
	vxhci_mem_unmap_all(vm.v);
	vm_dispatch(&vm);
	assert_int_equal(vm.fired[0], 0);
	assert_int_not_equal(rd(&vm, vm.op + USBSTS) & (1 << 2 | 1 << 12), 0);
	vxhci_reset(vm.v);
	assert_int_equal(rd(&vm, vm.op + USBSTS) & (1 << 2 | 1 << 12), 0);
	vm_destroy(&vm);
}

static void *poke_registers(void *arg)
{
	static uint8_t page[4096] __attribute__((aligned(4096)));
	struct vm *vm = arg;
	struct vxhci_stats stats;

	for (unsigned i = 0; i < 2000; i++) {
		rd(vm, vm->op + USBSTS);
		rd(vm, vm->rt);
		vxhci_cfg_read(vm->v, 4, 2);
		wr(vm, MSIX_TABLE + 12, i & 1);
		vxhci_get_stats(vm->v, &stats);
		if (vxhci_mem_map(vm->v, 0, 4096, page, true, NULL) == 0)
			vxhci_mem_unmap(vm->v, 0, 4096);
	}
	wr(vm, MSIX_TABLE + 12, 0);
	return NULL;
}

static void *dispatch_often(void *arg)
{
	struct vm *vm = arg;
	uint64_t timeout;

	for (unsigned i = 0; i < 2000; i++)
		vxhci_dispatch(vm->v, &timeout);
	return NULL;
}

static void calls_from_several_threads(void **state)
{
	pthread_t poker, loop;
	struct vm vm;

	(void)state;
	vm_create(&vm, "30,xhci");
	vm_start(&vm);
	assert_int_equal(pthread_create(&poker, NULL, poke_registers, &vm), 0);
	assert_int_equal(pthread_create(&loop, NULL, dispatch_often, &vm), 0);
	for (unsigned i = 0; i < 200; i++) {
		vxhci_bar_write(vm.v, CMD_RING, 4, 0); /* nowhere */
		rd(&vm, vm.op + USBCMD);
	}
	pthread_join(poker, NULL);
	/* guest memory is the guest's to order: no TRBs while they race */
	pthread_join(loop, NULL);
	vm_noop(&vm);
	vm_dispatch(&vm);
	assert_event(&vm, 0);
	assert_int_equal(vm.fired[0], 1);
	vm_destroy(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_says_what_is_wrong),
		cmocka_unit_test(a_missing_image_is_named_once),
		cmocka_unit_test(a_disk_sits_in_its_port),
		cmocka_unit_test(the_option_shapes_the_controller),
		cmocka_unit_test(what_lies_outside_is_not_there),
		cmocka_unit_test(nobody_is_at_home_in_d3hot),
		cmocka_unit_test(a_command_ends_in_an_event_and_a_message),
		cmocka_unit_test(a_masked_vector_fires_when_unmasked),
		cmocka_unit_test(a_client_that_keeps_the_table_gets_all),
		cmocka_unit_test(no_memory_is_touched_without_bus_mastering),
		cmocka_unit_test(dispatch_says_when_to_come_back),
		cmocka_unit_test(an_earlier_deadline_wakes),
		cmocka_unit_test(reset_is_as_after_creation),
		cmocka_unit_test(mappings_come_back),
		cmocka_unit_test(nothing_is_destroyed_without_harm),
		cmocka_unit_test(unmapped_while_running),
		cmocka_unit_test(calls_from_several_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
