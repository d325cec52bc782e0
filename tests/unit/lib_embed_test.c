/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A disk behind the library as a VMM uses it: read by a guest's driver, its
 * memory unmapped under a transfer, the controller destroyed in mid-flight.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/gdrv_vx.h"

#define DISK_BYTES (4u << 20)
#define READ_BLOCKS 128u
#define READ_BYTES (READ_BLOCKS * 512u)
#define LOW 0x00100000ull
#define HIGH 0x100000000ull

/* A guest with one disk, configured. */
struct rig {
	struct guestmem gm;
	struct gdrv_vx e;
	struct gdrv d;
	struct gdrv_dev *v;
	unsigned in, out; /* DCIs of the bulk endpoints */
	uint64_t cbw;     /* gpa, in the low region */
	uint64_t data;    /* gpa, in the high region */
	char path[32];
};

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + i / 512);
}

static void make_disk(char *path)
{
	uint8_t *buf = malloc(DISK_BYTES);
	int fd;

	strcpy(path, "/tmp/vxhci-lib-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_non_null(buf);
	for (size_t i = 0; i < DISK_BYTES; i++)
		buf[i] = pattern(i);
	assert_int_equal(write(fd, buf, DISK_BYTES), DISK_BYTES);
	free(buf);
	close(fd);
}

/* The bulk endpoints from the configuration descriptor, configured. */
static void configure(struct rig *g)
{
	const uint8_t get[8] = {0x80, 6, 0, 2, 0, 0, 255, 0};
	const uint8_t set[8] = {0x00, 9, 1, 0, 0, 0, 0, 0};
	struct gdrv_epcfg ep[2];
	uint8_t desc[255];
	uint32_t n = 0;
	unsigned eps = 0;

	assert_int_equal(gdrv_control(g->v, OS_LINUX, get, g->data, &n),
			 CC_SHORT_PACKET);
	guestmem_read(&g->gm, g->data, desc, n);
	for (uint32_t i = 0; i + 6 < n && desc[i] > 0; i += desc[i]) {
		bool in = desc[i + 2] & 0x80;
		unsigned dci = (desc[i + 2] & 15u) * 2 + in;

		if (desc[i + 1] != 5 || eps == 2)
			continue;
		*(in ? &g->in : &g->out) = dci;
		ep[eps++] = (struct gdrv_epcfg){
			.dci = (uint8_t)dci,
			.type = in ? EPT_BULK_IN : EPT_BULK_OUT,
			.mps = (uint16_t)(desc[i + 4] | desc[i + 5] << 8)};
	}
	assert_true(g->in != 0 && g->out != 0);
	assert_int_equal(gdrv_configure(g->v, ep, 2), CC_SUCCESS);
	assert_int_equal(gdrv_control(g->v, OS_LINUX, set, 0, &n), CC_SUCCESS);
}

static void rig_up(struct rig *g, const char *more)
{
	static const struct gdrv_opts opts = {.inte = true};
	char opt[128];
	unsigned port;

	memset(g, 0, sizeof(*g));
	make_disk(g->path);
	guestmem_init(&g->gm);
	guestmem_add(&g->gm, LOW, 16u << 20);
	guestmem_add(&g->gm, HIGH, 16u << 20);
	snprintf(opt, sizeof(opt), "30,xhci,storage=%s%s", g->path, more);
	assert_int_equal(gdrv_vx_init(&g->e, &g->gm, opt), 0);
	assert_int_equal(gdrv_init(&g->d, &gdrv_vx_bus, &g->e, &g->gm, &opts),
			 0);
	assert_int_equal(gdrv_start(&g->d), 0);
	port = gdrv_port_find(&g->d, 0);
	assert_int_not_equal(port, 0);
	g->v = gdrv_open(&g->d, port);
	if (g->v == NULL)
		fail_msg("%s", g->d.err);
	g->cbw = guestmem_alloc_in(&g->gm, 0, 4096);
	g->data = guestmem_alloc_in(&g->gm, 1, READ_BYTES);
	configure(g);
}

static void rig_down(struct rig *g)
{
	if (g->e.v != NULL)
		gdrv_vx_fini(&g->e);
	assert_int_equal(g->e.released, g->gm.nregions);
	assert_true(gdrv_ok(&g->d));
	gdrv_fini(&g->d);
	guestmem_fini(&g->gm);
	unlink(g->path);
}

/* Send the command block of READ(10); bulk-only transport 1.0 §5.1, SBC-3. */
static void send_read(struct rig *g, uint32_t lba)
{
	uint8_t cbw[31] = {'U', 'S', 'B', 'C', 1, 2, 3, 4};
	struct gdrv_sg sg = {g->cbw, 31};
	uint32_t n;

	for (unsigned i = 0; i < 4; i++)
		cbw[8 + i] = (uint8_t)(READ_BYTES >> (8 * i));
	cbw[12] = 0x80;
	cbw[14] = 10;
	cbw[15] = 0x28;
	cbw[19] = (uint8_t)(lba >> 8);
	cbw[20] = (uint8_t)lba;
	cbw[23] = READ_BLOCKS;
	guestmem_write(&g->gm, g->cbw, cbw, 31);
	assert_int_equal(gdrv_bulk(g->v, g->out, OS_LINUX, &sg, 1, &n),
			 CC_SUCCESS);
}

static uint32_t post_in(struct rig *g, uint64_t gpa, uint32_t len)
{
	struct gdrv_sg sg = {gpa, len};
	uint32_t td;

	assert_int_equal(
		gdrv_os_bulk(g->v->ring[g->in], OS_LINUX, true, &sg, 1, &td, 1),
		1);
	return td;
}

static int get_status(struct rig *g)
{
	struct gdrv_sg sg = {g->cbw, 13};
	uint8_t csw[13];
	uint32_t n;

	assert_int_equal(gdrv_bulk(g->v, g->in, OS_LINUX, &sg, 1, &n),
			 CC_SUCCESS);
	assert_int_equal(n, 13);
	guestmem_read(&g->gm, g->cbw, csw, 13);
	assert_memory_equal(csw, "USBS\1\2\3\4", 8);
	return csw[12];
}

static void assert_blocks(const uint8_t *buf, uint32_t lba)
{
	for (size_t i = 0; i < READ_BYTES; i++)
		if (buf[i] != pattern(lba * 512u + i))
			fail_msg("byte %zu of block %u", i, lba);
}

/* A disk reads at each speed it can have. */
static void a_disk_is_read(void **state)
{
	static const char *const more[] = {"", ",speed=super", ",speed=high",
					   ",speed=full", ",usb3=0"};
	struct vxhci_stats stats;

	(void)state;
	for (size_t i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
		struct rig g;
		struct gdrv_sg sg;
		uint32_t n;

		rig_up(&g, more[i]);
		send_read(&g, 77);
		sg = (struct gdrv_sg){g.data, READ_BYTES};
		assert_int_equal(gdrv_bulk(g.v, g.in, OS_LINUX, &sg, 1, &n),
				 CC_SUCCESS);
		assert_int_equal(n, READ_BYTES);
		assert_blocks(guestmem_ptr(&g.gm, g.data, READ_BYTES), 77);
		assert_int_equal(get_status(&g), 0);
		vxhci_get_stats(g.e.v, &stats);
		assert_true(stats.bytes >= READ_BYTES);
		assert_int_equal(stats.errors, 0);
		assert_int_equal(stats.in_flight, 0);
		rig_down(&g);
	}
}

/*
 * A completion queued while work is done is work too: a VMM that calls again
 * only when it is told to must not be left waiting.
 */
static void dispatch_leaves_nothing_behind(void **state)
{
	const uint8_t get[8] = {0x80, 6, 0, 1, 0, 0, 18, 0};
	struct vxhci_stats before, after;
	uint64_t timeout;
	uint32_t td;
	struct rig g;

	(void)state;
	rig_up(&g, "");
	vxhci_get_stats(g.e.v, &before);
	assert_int_equal(
		gdrv_control_post(g.v->ring[1], OS_LINUX, get, g.data, &td), 0);
	gdrv_doorbell(&g.d, g.v->slot, 1, 0);
	do {
		vxhci_dispatch(g.e.v, &timeout);
	} while (timeout == 0);
	vxhci_get_stats(g.e.v, &after);
	assert_int_equal(after.in_flight, 0);
	assert_int_equal(after.transfers, before.transfers + 1);
	assert_int_equal(after.bytes, before.bytes + 18);
	assert_true(after.events > before.events);
	gdrv_pump(&g.d);
	rig_down(&g);
}

/* The mapping of a transfer in flight is released after it, not before. */
static void memory_unmapped_in_flight(void **state)
{
	struct guest_region *high;
	struct vxhci_stats stats;
	uint64_t timeout;
	struct rig g;

	(void)state;
	rig_up(&g, "");
	high = &g.gm.region[1];
	/* no command asked for: the device keeps the transfer */
	post_in(&g, g.data, 13);
	gdrv_doorbell(&g.d, g.v->slot, g.in, 0);
	gdrv_pump(&g.d);
	vxhci_get_stats(g.e.v, &stats);
	assert_int_equal(stats.in_flight, 1);
	assert_int_equal(vxhci_mem_unmap(g.e.v, high->gpa, high->len), 0);
	assert_int_equal(g.e.released, 0);
	vxhci_reset(g.e.v);
	for (unsigned i = 0; i < 10; i++)
		vxhci_dispatch(g.e.v, &timeout);
	vxhci_get_stats(g.e.v, &stats);
	assert_int_equal(stats.in_flight, 0);
	assert_int_equal(g.e.released, 1);
	rig_down(&g);
}

/* At each stage of a read: before it is seen, with the worker, at its end. */
static void destroyed_in_flight(void **state)
{
	uint64_t timeout;

	(void)state;
	for (unsigned rounds = 0; rounds < 4; rounds++) {
		struct rig g;

		rig_up(&g, "");
		send_read(&g, 1000);
		post_in(&g, g.data, READ_BYTES);
		post_in(&g, g.cbw, 13);
		gdrv_doorbell(&g.d, g.v->slot, g.in, 0);
		for (unsigned i = 0; i < rounds; i++)
			vxhci_dispatch(g.e.v, &timeout);
		gdrv_vx_fini(&g.e);
		rig_down(&g);
	}
}

/* A function reset with a read in flight; the next guest finds all in order */
static void reset_in_flight(void **state)
{
	struct rig g;
	uint64_t timeout;

	(void)state;
	for (unsigned rounds = 0; rounds < 3; rounds++) {
		struct vxhci_stats stats;

		rig_up(&g, "");
		send_read(&g, 5);
		post_in(&g, g.data, READ_BYTES);
		gdrv_doorbell(&g.d, g.v->slot, g.in, 0);
		for (unsigned i = 0; i < rounds; i++)
			vxhci_dispatch(g.e.v, &timeout);
		vxhci_reset(g.e.v);
		assert_int_equal(vxhci_cfg_read(g.e.v, 4, 2), 0);
		for (unsigned i = 0; i < 1000; i++) {
			vxhci_dispatch(g.e.v, &timeout);
			vxhci_get_stats(g.e.v, &stats);
			if (stats.in_flight == 0)
				break;
			usleep(1000);
		}
		assert_int_equal(stats.in_flight, 0);
		/* CNR clears, §5.4.2 */
		assert_int_equal(gdrv_r32(&g.d, g.d.op + 4) & 1 << 11, 0);
		rig_down(&g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_is_read),
		cmocka_unit_test(dispatch_leaves_nothing_behind),
		cmocka_unit_test(memory_unmapped_in_flight),
		cmocka_unit_test(destroyed_in_flight),
		cmocka_unit_test(reset_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
