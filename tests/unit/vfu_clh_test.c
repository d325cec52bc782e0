/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server as Cloud Hypervisor uses it. The client reads as many bytes as a
 * reply must have; where fewer come it fails with a timeout, where more come
 * the next reply does not fit its request.
 */
#include "tests/unit/vfu_rig.h"

static void start(struct rig *r, struct vc *vc, struct vc_dev *dev)
{
	struct vc_mem mem[3];

	rig_mem(r, mem);
	OK(vc, vc_connect(vc, VC_CLH, r->path));
	OK(vc, vc_realize(vc, mem, 3, dev));
}

static void realize_in_cloud_hypervisors_order(void **state)
{
	struct rig *r = *state;
	struct vc_dev dev;
	struct vc vc;

	start(r, &vc, &dev);
	assert_int_equal(dev.vectors, VXHCI_VECTORS);
	assert_int_equal(dev.bar_size[0], VXHCI_BAR0_SIZE);
	assert_int_equal(rig_read(&vc, FAKE_MAPS), 3);
	OK(&vc, vc_silent(&vc, 20));
	vc_close(&vc);
}

static void msix_comes_and_goes(void **state)
{
	struct rig *r = *state;
	struct vc_dev dev;
	struct vc vc;

	start(r, &vc, &dev);
	for (unsigned round = 0; round < 3; round++) {
		OK(&vc, vc_msix_enable(&vc, &dev, r->irq));
		for (uint32_t i = 0; i < dev.vectors; i++) {
			OK(&vc,
			   vc_write32(&vc, VFU_REGION_BAR0, FAKE_RAISE, i));
			assert_int_equal(rig_count(r->irq[i], 1000), 1);
		}
		OK(&vc, vc_msix_disable(&vc));
	}
	vc_close(&vc);
}

/* It sends 16 at a time whatever was announced: they must all be taken */
static void sixteen_descriptors_in_a_message(void **state)
{
	struct rig *r = *state;
	struct vfu_set_irqs m = {
		.argsz = 20, .flags = 0x24, .index = VFU_IRQ_MSIX, .count = 16};
	struct vfu_hdr reply;
	struct vc vc;
	int fds[16];

	for (unsigned i = 0; i < 16; i++)
		fds[i] = r->irq[i % VXHCI_VECTORS];
	OK(&vc, vc_connect(&vc, VC_CLH, r->path));
	OK(&vc, vc_version(&vc));
	/* more than there are vectors: refused, not cut off */
	OK(&vc, vc_call(&vc, VFU_DEVICE_SET_IRQS, &m, sizeof(m), fds, 16,
			&reply, sizeof(reply)));
	assert_int_equal(reply.flags, VFU_F_REPLY | VFU_F_ERROR);
	assert_int_equal(reply.error, EINVAL);
	OK(&vc, vc_set_irqs(&vc, VFU_IRQ_MSIX, 0x24, 0, 8, fds, 8));
	vc_close(&vc);
}

/* Each command refused: the reply has the size it has when all is well */
static void error_replies_have_the_full_size(void **state)
{
	struct rig *r = *state;
	struct vfu_dma_map map = {.argsz = 31, .flags = 3, .size = 0x1000};
	struct vfu_dma_unmap unmap = {.argsz = 24, .size = 0x1000}, unmap_r;
	struct vfu_device_info info = {.argsz = 15}, info_r;
	struct vfu_region_info reg = {.argsz = 32, .index = 9}, reg_r;
	struct vfu_irq_info irq = {.argsz = 16, .index = 5}, irq_r;
	struct vfu_set_irqs set = {.argsz = 20, .flags = 0x24, .index = 5};
	struct vfu_region_access rd = {.offset = 0xfe, .region = 7, .count = 4};
	struct {
		struct vfu_region_access h;
		uint8_t data[4];
	} __attribute__((packed))
	wr = {.h = {.offset = 0, .region = 3, .count = 4}},
	rd_r;
	struct vfu_region_access wr_r;
	struct vfu_hdr hdr, plain_r;
	struct vc vc;

	OK(&vc, vc_connect(&vc, VC_CLH, r->path));
	OK(&vc, vc_version(&vc));
#define REFUSED(cmd, msg, reply)                                        \
	do {                                                            \
		OK(&vc, vc_call(&vc, cmd, &(msg), sizeof(msg), NULL, 0, \
				&(reply), sizeof(reply)));              \
		memcpy(&hdr, &(reply), sizeof(hdr));                    \
		assert_int_equal(hdr.flags, VFU_F_REPLY | VFU_F_ERROR); \
		assert_int_not_equal(hdr.error, 0);                     \
	} while (0)
	REFUSED(VFU_DMA_MAP, map, plain_r);
	REFUSED(VFU_DMA_UNMAP, unmap, unmap_r);
	assert_int_equal(hdr.error, ENOENT);
	REFUSED(VFU_DEVICE_GET_INFO, info, info_r);
	REFUSED(VFU_DEVICE_GET_REGION_INFO, reg, reg_r);
	REFUSED(VFU_DEVICE_GET_IRQ_INFO, irq, irq_r);
	REFUSED(VFU_DEVICE_SET_IRQS, set, plain_r);
	REFUSED(VFU_REGION_READ, rd, rd_r);
	assert_memory_equal(rd_r.data, "\xff\xff\xff\xff", 4);
	REFUSED(VFU_REGION_WRITE, wr, wr_r);
	OK(&vc, vc_silent(&vc, 20));
	OK(&vc, vc_reset(&vc));
	vc_close(&vc);
}

/* It asks for this on what says it cannot be reset, so at any time */
static void reset_at_any_time(void **state)
{
	struct rig *r = *state;
	struct vc_dev dev;
	uint32_t before;
	struct vc vc;

	start(r, &vc, &dev);
	before = rig_read(&vc, FAKE_RESETS);
	for (unsigned i = 0; i < 10; i++)
		OK(&vc, vc_reset(&vc));
	assert_int_equal(rig_read(&vc, FAKE_RESETS), before + 10);
	vc_close(&vc);
}

/* Memory that comes and goes while the guest runs: one at a time */
static void maps_come_and_go(void **state)
{
	struct rig *r = *state;
	struct vc_mem m = {r->ram, 0, 0x1000, 0, false};
	struct vc_dev dev;
	struct vc vc;

	start(r, &vc, &dev);
	for (unsigned round = 0; round < 8; round++) {
		for (unsigned i = 0; i < 16; i++) {
			m.iova = 0x40000000 + 0x2000ull * i;
			m.offset = 0x1000 * ((i + round) % 16);
			OK(&vc, vc_map(&vc, &m));
		}
		/* there already */
		assert_int_not_equal(vc_map(&vc, &m), 0);
		assert_int_equal(rig_read(&vc, FAKE_MAPS), 3 + 16);
		for (unsigned i = 0; i < 16; i++)
			OK(&vc,
			   vc_unmap(&vc, 0x40000000 + 0x2000ull * i, 0x1000));
		assert_int_equal(rig_read(&vc, FAKE_MAPS), 3);
	}
	vc_close(&vc);
}

/* At teardown it disables MSI-X and closes, without an unmap */
static void teardown_without_unmap(void **state)
{
	struct rig *r = *state;
	struct vc_dev dev;
	struct vc vc;

	for (unsigned i = 0; i < 3; i++) {
		start(r, &vc, &dev);
		OK(&vc, vc_msix_enable(&vc, &dev, r->irq));
		assert_int_equal(rig_read(&vc, FAKE_MAPS), 3);
		OK(&vc, vc_msix_disable(&vc));
		vc_close(&vc);
	}
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_start, rig_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(realize_in_cloud_hypervisors_order),
		T(msix_comes_and_goes),
		T(sixteen_descriptors_in_a_message),
		T(error_replies_have_the_full_size),
		T(reset_at_any_time),
		T(maps_come_and_go),
		T(teardown_without_unmap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
