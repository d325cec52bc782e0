/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library at work: from doorbell to interrupt, wake and timeout, reset,
 * and calls from several threads.
 */
#include "tests/unit/vmm_embed_fake.h"

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
	wr(&vm, vm.db, 0); /* doorbells are forgotten meanwhile */
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
	wr(&vm, vm.op + USBCMD, 5); /* a later one does not */
	assert_true(vm_dispatch(&vm) == UINT64_MAX);
	assert_int_equal(vm.wakes, wakes + 1);
	vm.now_ns += 2048000000;
	wr(&vm, vm.op + USBCMD, 5 | 1 << 10);
	assert_int_equal(vm.wakes, wakes + 2);
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
		cmocka_unit_test(a_command_ends_in_an_event_and_a_message),
		cmocka_unit_test(a_masked_vector_fires_when_unmasked),
		cmocka_unit_test(a_client_that_keeps_the_table_gets_all),
		cmocka_unit_test(no_memory_is_touched_without_bus_mastering),
		cmocka_unit_test(dispatch_says_when_to_come_back),
		cmocka_unit_test(an_earlier_deadline_wakes),
		cmocka_unit_test(reset_is_as_after_creation),
		cmocka_unit_test(unmapped_while_running),
		cmocka_unit_test(calls_from_several_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
