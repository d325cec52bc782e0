/* SPDX-License-Identifier: BSD-2-Clause */
/* The server as QEMU's vfio-user-pci uses it. */
#include "tests/unit/vfu_rig.h"

/* A client that has made the device, with MSI-X armed */
static void start(struct rig *r, struct vc *vc, struct vc_dev *dev)
{
	struct vc_mem mem[3];

	rig_mem(r, mem);
	OK(vc, vc_connect(vc, VC_QEMU, r->path));
	OK(vc, vc_realize(vc, mem, 3, dev));
	assert_int_equal(vc->async_errors, 0);
	OK(vc, vc_msix_enable(vc, dev, r->irq));
}

static void realize_in_qemus_order(void **state)
{
	struct rig *r = *state;
	struct vc_dev dev;
	struct vc vc;

	start(r, &vc, &dev);
	assert_int_equal(dev.vectors, VXHCI_VECTORS);
	assert_int_equal(dev.bar_size[0], VXHCI_BAR0_SIZE);
	assert_int_equal(dev.bar_size[1], 0);
	assert_int_equal(rig_read(&vc, FAKE_MAPS), 3);
	assert_int_equal(rig_read(&vc, FAKE_MSIX), 1);
	OK(&vc, vc_silent(&vc, 20));
	vc_close(&vc);
}

/* Memory without a descriptor is agreed to, and is none for the controller */
static void map_without_descriptor_is_no_memory(void **state)
{
	struct rig *r = *state;
	struct vc_mem mem[4];
	struct vc_dev dev;
	struct vc vc;

	rig_mem(r, mem);
	mem[3] = (struct vc_mem){-1, 0xa0000, 0x20000, 0, false};
	OK(&vc, vc_connect(&vc, VC_QEMU, r->path));
	OK(&vc, vc_realize(&vc, mem, 4, &dev));
	assert_int_equal(vc.async_errors, 0);
	assert_int_equal(rig_read(&vc, FAKE_MAPS), 3);
	OK(&vc, vc_unmap(&vc, 0xa0000, 0x20000));
	assert_int_not_equal(vc_unmap(&vc, 0xa0000, 0x20000), 0);
	vc_close(&vc);
}

static void posted_writes_are_in_order_and_never_answered(void **state)
{
	struct rig *r = *state;
	struct vc_dev dev;
	uint32_t val;
	struct vc vc;

	start(r, &vc, &dev);
	for (uint32_t i = 1; i <= 2000; i++)
		OK(&vc, vc_write32(&vc, VFU_REGION_BAR0, 0x40, i));
	OK(&vc, vc_read32(&vc, VFU_REGION_BAR0, 0x40, &val));
	assert_int_equal(val, 2000);
	assert_int_equal(rig_read(&vc, FAKE_WRITES), 2000);
	/* one outside the BAR fails and is not answered either */
	OK(&vc, vc_write32(&vc, VFU_REGION_BAR0, VXHCI_BAR0_SIZE, 1));
	OK(&vc, vc_write32(&vc, VFU_REGION_BAR0, VXHCI_BAR0_SIZE - 2, 1));
	OK(&vc, vc_silent(&vc, 20));
	assert_int_equal(rig_read(&vc, FAKE_WRITES), 2000);
	vc_close(&vc);
}

/* Many maps and unmaps on their way at once, as with a vIOMMU */
static void maps_under_way_at_once(void **state)
{
	struct rig *r = *state;
	struct vc vc;

	OK(&vc, vc_connect(&vc, VC_QEMU, r->path));
	OK(&vc, vc_version(&vc));
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 48; i++) {
			struct vc_mem m = {r->ram, 0x1000 * i, 0x1000,
					   0x1000 * (i % 16), false};

			OK(&vc, vc_map(&vc, &m));
		}
		OK(&vc, vc_commit(&vc));
		assert_int_equal(vc.async_errors, 0);
		assert_int_equal(rig_read(&vc, FAKE_MAPS), 48);
		for (unsigned i = 0; i < 48; i++)
			OK(&vc, vc_unmap(&vc, 0x1000 * i, 0x1000));
		assert_int_equal(rig_read(&vc, FAKE_MAPS), 0);
	}
	vc_close(&vc);
}

static void dma_reaches_the_guests_memory(void **state)
{
	struct rig *r = *state;
	uint64_t gpa = 0x102010, ro = 0xfffc0000, val;
	struct vc_dev dev;
	struct vc vc;

	start(r, &vc, &dev);
	OK(&vc, vc_write(&vc, VFU_REGION_BAR0, FAKE_POKE, &gpa, 8));
	OK(&vc, vc_write(&vc, VFU_REGION_BAR0, FAKE_POKE, &ro, 8));
	rig_read(&vc, FAKE_MAPS);
	memcpy(&val, r->ram_ptr + 0x8000 + 0x2010, sizeof(val));
	assert_int_equal(val, FAKE_MARK);
	memcpy(&val, r->ram_ptr + 0x4000, sizeof(val));
	assert_int_equal(val, 0);

	/* unmapped, and held by a transfer: answered, but not touched */
	memset(r->ram_ptr, 0, RIG_RAM);
	OK(&vc, vc_write32(&vc, VFU_REGION_BAR0, FAKE_HOLD, 1));
	OK(&vc, vc_unmap(&vc, 0x100000, 0x8000));
	OK(&vc, vc_write(&vc, VFU_REGION_BAR0, FAKE_POKE, &gpa, 8));
	assert_int_equal(rig_read(&vc, FAKE_MAPS), 2);
	memcpy(&val, r->ram_ptr + 0x8000 + 0x2010, sizeof(val));
	assert_int_equal(val, 0);
	OK(&vc, vc_write32(&vc, VFU_REGION_BAR0, FAKE_HOLD, 0));
	/* and the range is free for another */
	OK(&vc, vc_map(&vc, &(struct vc_mem){r->ram, 0x100000, 0x1000, 0, 0}));
	OK(&vc, vc_commit(&vc));
	assert_int_equal(vc.async_errors, 0);
	vc_close(&vc);
}

static void raise_vector(struct vc *vc, uint32_t vector)
{
	OK(vc, vc_write32(vc, VFU_REGION_BAR0, FAKE_RAISE, vector));
}

static void interrupts_come_by_eventfd(void **state)
{
	struct rig *r = *state;
	struct vc_dev dev;
	struct vc vc;

	start(r, &vc, &dev);
	for (unsigned i = 0; i < VXHCI_VECTORS; i++) {
		raise_vector(&vc, i);
		assert_int_equal(rig_count(r->irq[i], 1000), 1);
	}
	raise_vector(&vc, VXHCI_VECTORS); /* none such */
	rig_read(&vc, FAKE_MSIX);
	for (unsigned i = 0; i < VXHCI_VECTORS; i++)
		assert_int_equal(rig_count(r->irq[i], 0), 0);
	vc_close(&vc);
}

/* Enabled without an eventfd, raised, armed: it must not be lost */
static void probed_vector_is_latched(void **state)
{
	struct rig *r = *state;
	struct vc vc;

	OK(&vc, vc_connect(&vc, VC_QEMU, r->path));
	OK(&vc, vc_version(&vc));
	OK(&vc, vc_set_irqs(&vc, VFU_IRQ_MSIX, 0x24, 0, 1, NULL, 0));
	assert_int_equal(rig_read(&vc, FAKE_MSIX), 1);
	raise_vector(&vc, 0);
	raise_vector(&vc, 0);
	raise_vector(&vc, 3);
	OK(&vc, vc_set_irqs(&vc, VFU_IRQ_MSIX, 0x24, 0, 4, r->irq, 4));
	assert_int_equal(rig_count(r->irq[0], 1000), 1);
	assert_int_equal(rig_count(r->irq[1], 0), 0);
	assert_int_equal(rig_count(r->irq[3], 1000), 1);
	/* armed anew: it fires no second time */
	OK(&vc, vc_set_irqs(&vc, VFU_IRQ_MSIX, 0x24, 0, 1, r->irq, 1));
	assert_int_equal(rig_count(r->irq[0], 0), 0);
	vc_close(&vc);
}

/* The guest uses one more vector: QEMU disables and arms all of them */
static void rearming_loses_no_interrupt(void **state)
{
	struct rig *r = *state;
	struct vc_dev dev;
	struct vc vc;

	start(r, &vc, &dev);
	OK(&vc, vc_msix_disable(&vc));
	raise_vector(&vc, 2);
	rig_read(&vc, FAKE_MSIX);
	assert_int_equal(rig_count(r->irq[2], 0), 0);
	OK(&vc, vc_msix_enable(&vc, &dev, r->irq));
	assert_int_equal(rig_count(r->irq[2], 1000), 1);
	vc_close(&vc);
}

/*
 * The guest uses MSI, and fewer vectors than there are: they are shared. QEMU
 * arms as many as the guest enabled, in one message.
 */
static void msi_vectors_are_shared(void **state)
{
	struct rig *r = *state;
	struct vc_dev dev;
	struct vc vc;

	start(r, &vc, &dev);
	OK(&vc, vc_msix_disable(&vc));
	raise_vector(&vc, 6); /* between the two: not lost */
	OK(&vc, vc_set_irqs(&vc, VFU_IRQ_MSI, 0x24, 0, 4, r->irq, 4));
	assert_int_equal(rig_read(&vc, FAKE_MSIX), 1);
	assert_int_equal(rig_count(r->irq[2], 1000), 1);
	for (unsigned i = 0; i < VXHCI_VECTORS; i++) {
		raise_vector(&vc, i);
		assert_int_equal(rig_count(r->irq[i % 4], 1000), 1);
	}
	/* one for all */
	OK(&vc, vc_set_irqs(&vc, VFU_IRQ_MSI, 0x21, 0, 0, NULL, 0));
	raise_vector(&vc, 7);
	OK(&vc, vc_set_irqs(&vc, VFU_IRQ_MSI, 0x24, 0, 1, &r->irq[5], 1));
	assert_int_equal(rig_count(r->irq[5], 1000), 1);
	raise_vector(&vc, 3);
	assert_int_equal(rig_count(r->irq[5], 1000), 1);
	/* and MSI-X again, each its own */
	OK(&vc, vc_set_irqs(&vc, VFU_IRQ_MSI, 0x21, 0, 0, NULL, 0));
	OK(&vc, vc_msix_enable(&vc, &dev, r->irq));
	raise_vector(&vc, 3);
	assert_int_equal(rig_count(r->irq[3], 1000), 1);
	assert_int_equal(rig_count(r->irq[5], 0), 0);
	/* there are no more than eight */
	assert_int_not_equal(
		vc_set_irqs(&vc, VFU_IRQ_MSI, 0x24, 7, 2, r->irq, 2), 0);
	vc_close(&vc);
}

/*
 * QEMU arms in runs: vectors with eventfds, then some that have none any more; and
 * one at a time, as the guest unmasks them.
 */
static void vectors_go_and_come_one_by_one(void **state)
{
	struct rig *r = *state;
	struct vc_dev dev;
	struct vc vc;

	start(r, &vc, &dev);
	OK(&vc, vc_set_irqs(&vc, VFU_IRQ_MSIX, 0x24, 0, 2, r->irq, 2));
	OK(&vc, vc_set_irqs(&vc, VFU_IRQ_MSIX, 0x24, 2, 3, NULL, 0));
	OK(&vc, vc_set_irqs(&vc, VFU_IRQ_MSIX, 0x24, 5, 3, r->irq + 5, 3));
	for (unsigned i = 0; i < VXHCI_VECTORS; i++)
		raise_vector(&vc, i);
	rig_read(&vc, FAKE_MSIX);
	for (unsigned i = 0; i < VXHCI_VECTORS; i++)
		assert_int_equal(rig_count(r->irq[i], 0), i < 2 || i > 4);
	for (unsigned i = 4; i >= 2; i--) {
		OK(&vc,
		   vc_set_irqs(&vc, VFU_IRQ_MSIX, 0x24, i, 1, &r->irq[i], 1));
		assert_int_equal(rig_count(r->irq[i], 1000), 1);
		raise_vector(&vc, i);
		assert_int_equal(rig_count(r->irq[i], 1000), 1);
	}
	vc_close(&vc);
}

/* Masking swaps the eventfd: only the new one fires, the old one is closed */
static void eventfd_is_replaced(void **state)
{
	struct rig *r = *state;
	struct vc_dev dev;
	int pipe_fds[2];
	struct vc vc;
	char byte[8];

	start(r, &vc, &dev);
	assert_int_equal(pipe(pipe_fds), 0);
	OK(&vc, vc_set_irqs(&vc, VFU_IRQ_MSIX, 0x24, 1, 1, &pipe_fds[1], 1));
	close(pipe_fds[1]);
	raise_vector(&vc, 1);
	assert_int_equal(read(pipe_fds[0], byte, sizeof(byte)), 8);
	OK(&vc, vc_set_irqs(&vc, VFU_IRQ_MSIX, 0x24, 1, 1, &r->irq[1], 1));
	/* end of file: the server has let go of it */
	assert_int_equal(read(pipe_fds[0], byte, sizeof(byte)), 0);
	close(pipe_fds[0]);
	raise_vector(&vc, 1);
	assert_int_equal(rig_count(r->irq[1], 1000), 1);
	vc_close(&vc);
}

/* An eventfd that can take no more, and is set to block, does not block us */
static void full_eventfd_does_not_block(void **state)
{
	struct rig *r = *state;
	uint64_t most = UINT64_MAX - 1;
	int full = eventfd(0, EFD_CLOEXEC);
	struct vc vc;

	OK(&vc, vc_connect(&vc, VC_QEMU, r->path));
	OK(&vc, vc_version(&vc));
	assert_int_equal(write(full, &most, sizeof(most)), sizeof(most));
	OK(&vc, vc_set_irqs(&vc, VFU_IRQ_MSIX, 0x24, 0, 1, &full, 1));
	raise_vector(&vc, 0);
	assert_int_equal(rig_read(&vc, FAKE_MSIX), 1);
	close(full);
	vc_close(&vc);
}

static void machine_reset(void **state)
{
	struct rig *r = *state;
	struct vc_dev dev;
	uint32_t resets;
	struct vc vc;

	start(r, &vc, &dev);
	resets = rig_read(&vc, FAKE_RESETS);
	OK(&vc, vc_msix_disable(&vc));
	raise_vector(&vc, 5);
	OK(&vc, vc_machine_reset(&vc, &dev));
	assert_int_equal(rig_read(&vc, FAKE_RESETS), resets + 1);
	assert_int_equal(rig_read(&vc, FAKE_MAPS), 3);
	OK(&vc, vc_msix_enable(&vc, &dev, r->irq));
	/* what was raised before the reset is gone */
	assert_int_equal(rig_count(r->irq[5], 0), 0);
	raise_vector(&vc, 5);
	assert_int_equal(rig_count(r->irq[5], 1000), 1);
	vc_close(&vc);
}

static void next_client_gets_a_fresh_controller(void **state)
{
	struct rig *r = *state;
	struct vc_dev dev;
	struct vc vc;

	for (uint32_t i = 0; i < 3; i++) {
		start(r, &vc, &dev);
		assert_int_equal(rig_read(&vc, FAKE_RESETS), i);
		assert_int_equal(rig_read(&vc, FAKE_MAPS), 3);
		vc_close(&vc);
	}
	/* without MSI-X, no memory: what the others set up is gone */
	OK(&vc, vc_connect(&vc, VC_QEMU, r->path));
	OK(&vc, vc_version(&vc));
	assert_int_equal(rig_read(&vc, FAKE_MAPS), 0);
	assert_int_equal(rig_read(&vc, FAKE_MSIX), 0);
	raise_vector(&vc, 0);
	rig_read(&vc, FAKE_MSIX);
	assert_int_equal(rig_count(r->irq[0], 0), 0);
	vc_close(&vc);
}

static void write_multiple_is_taken_all_the_same(void **state)
{
	struct rig *r = *state;
	struct {
		struct vfu_write_multi m;
		struct vfu_write_row row[VFU_MAX_ROWS];
	} msg = {.m.wr_cnt = VFU_MAX_ROWS};
	uint32_t val;
	struct vc vc;

	OK(&vc, vc_connect(&vc, VC_QEMU, r->path));
	OK(&vc, vc_version(&vc));
	for (uint32_t i = 0; i < VFU_MAX_ROWS; i++) {
		msg.row[i] = (struct vfu_write_row){.offset = 4 * (i % 8),
						    .count = 4};
		memcpy(msg.row[i].data, &i, sizeof(i));
	}
	OK(&vc, vc_post(&vc, VFU_REGION_WRITE_MULTI, &msg, sizeof(msg)));
	OK(&vc, vc_read32(&vc, VFU_REGION_BAR0, 4, &val));
	assert_int_equal(val, 193);
	assert_int_equal(rig_read(&vc, FAKE_WRITES), VFU_MAX_ROWS);
	/* one bad row: none is written */
	msg.row[199].count = 9;
	OK(&vc, vc_post(&vc, VFU_REGION_WRITE_MULTI, &msg, sizeof(msg)));
	assert_int_equal(rig_read(&vc, FAKE_WRITES), VFU_MAX_ROWS);
	vc_close(&vc);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_start, rig_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(realize_in_qemus_order),
		T(map_without_descriptor_is_no_memory),
		T(posted_writes_are_in_order_and_never_answered),
		T(maps_under_way_at_once),
		T(dma_reaches_the_guests_memory),
		T(interrupts_come_by_eventfd),
		T(probed_vector_is_latched),
		T(rearming_loses_no_interrupt),
		T(msi_vectors_are_shared),
		T(vectors_go_and_come_one_by_one),
		T(eventfd_is_replaced),
		T(full_eventfd_does_not_block),
		T(machine_reset),
		T(next_client_gets_a_fresh_controller),
		T(write_multiple_is_taken_all_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
