/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib_snapshot.h - a guest with a device that moves from controller to
 * controller.
 */
#ifndef TESTS_UNIT_LIB_SNAPSHOT_H
#define TESTS_UNIT_LIB_SNAPSHOT_H

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

#include "tests/lib/cbw.h"
#include "tests/lib/gdrv_vx.h"

#define DISK_BYTES (TAGS * LEN)
#define LEN 65536u /* of a command */
#define WAIT_MS 60000u
#define TAGS 16u
#define TAG 0x04030201u /* of a command by Bulk-Only */

/* Endpoints as DCIs: storage, zero, keyboard */
enum { DISK_IN = 3, DISK_OUT = 4, DISK_STATUS = 7, DISK_COMMAND = 8 };
enum { ZERO_OUT = 2, ZERO_IN = 3, KEYS_IN = 3 };

/* A guest; the controller it is in is e[now]. */
struct rig {
	struct guestmem gm;
	struct gdrv_vx e[2];
	unsigned now;
	struct gdrv d;
	struct gdrv_dev *v;
	uint64_t page, data;
	char path[32], option[160];
};

static inline uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + i / 512);
}

static inline void make_disk(char *path, size_t len)
{
	uint8_t *buf = malloc(len);
	int fd;

	strcpy(path, "/tmp/vxhci-snap-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_non_null(buf);
	for (size_t i = 0; i < len; i++)
		buf[i] = pattern(i);
	assert_int_equal(write(fd, buf, len), (ssize_t)len);
	free(buf);
	close(fd);
}

static inline struct vxhci *here(struct rig *g)
{
	return g->e[g->now].v;
}

static inline void request(struct rig *g, uint8_t rt, uint8_t req,
			   uint8_t value)
{
	const uint8_t setup[8] = {rt, req, value};

	assert_int_equal(gdrv_control(g->v, OS_LINUX, setup, 0, NULL),
			 CC_SUCCESS);
}

/* %s in @option is the disk. */
static inline struct rig *rig_up(const char *option, uint8_t config,
				 const struct gdrv_epcfg *ep, unsigned n)
{
	static const struct gdrv_opts opts = {.inte = true};
	struct rig *g = calloc(1, sizeof(*g));

	assert_non_null(g);
	make_disk(g->path, DISK_BYTES);
	strcpy(g->option, "30,xhci,");
	if (strncmp(option, "storage", 7) == 0)
		snprintf(g->option, sizeof(g->option), "30,xhci,storage=%s%s",
			 g->path, option + 7);
	else
		snprintf(g->option, sizeof(g->option), "30,xhci,%s", option);
	guestmem_init(&g->gm);
	guestmem_add(&g->gm, 0x100000, 3u << 20);
	assert_int_equal(gdrv_vx_init(&g->e[0], &g->gm, g->option), 0);
	assert_int_equal(
		gdrv_init(&g->d, &gdrv_vx_bus, &g->e[0], &g->gm, &opts), 0);
	assert_int_equal(gdrv_start(&g->d), 0);
	g->v = gdrv_open(&g->d, gdrv_port_find(&g->d, 0));
	assert_non_null(g->v);
	g->page = guestmem_alloc(&g->gm, GM_PAGE);
	g->data = guestmem_alloc(&g->gm, TAGS * LEN);
	request(g, 0, 9, config);
	assert_int_equal(gdrv_configure(g->v, ep, n), CC_SUCCESS);
	return g;
}

static inline void rig_down(struct rig *g)
{
	assert_true(gdrv_ok(&g->d));
	gdrv_vx_fini(&g->e[g->now]);
	gdrv_fini(&g->d);
	guestmem_fini(&g->gm);
	unlink(g->path);
	free(g);
}

static inline uint64_t memory_sum(struct rig *g)
{
	const uint8_t *p = g->gm.region[0].base;
	uint64_t sum = 0, v;

	for (size_t i = 0; i < g->gm.region[0].len; i += sizeof(v)) {
		memcpy(&v, p + i, sizeof(v));
		sum = (sum ^ v) * 0x100000001b3u;
	}
	return sum;
}

struct shot {
	uint8_t *buf;
	size_t len;
};

static inline struct shot shoot(struct rig *g)
{
	struct shot s = {0};

	assert_int_equal(vxhci_snapshot(here(g), WAIT_MS, &s.buf, &s.len), 0);
	return s;
}

static inline int restore(struct rig *g, const struct shot *s)
{
	char err[256] = "";
	int r = vxhci_restore(here(g), s->buf, s->len, err, sizeof(err));

	assert_int_equal(r == 0, err[0] == '\0');
	return r;
}

/* The controller is gone; another one has the guest's memory. */
static inline void leave(struct rig *g, const char *option)
{
	uint64_t sum = memory_sum(g);

	gdrv_vx_fini(&g->e[g->now]);
	assert_true(memory_sum(g) == sum);
	g->now ^= 1;
	assert_int_equal(gdrv_vx_init(&g->e[g->now], &g->gm, option), 0);
	g->d.bus_p = &g->e[g->now];
}

static inline void move(struct rig *g)
{
	struct shot s = shoot(g);
	uint64_t timeout = 0, sum;

	leave(g, g->option);
	/* what a guest wrote is not lost with the controller it wrote to */
	vxhci_cfg_write(here(g), 0x04, 2, 0);
	vxhci_cfg_write(here(g), 0x3c, 1, 0);
	assert_int_equal(restore(g, &s), 0);
	free(s.buf);
	assert_int_equal(vxhci_cfg_read(here(g), 0x04, 2), 6);
	sum = memory_sum(g);
	vxhci_dispatch(here(g), &timeout);
	assert_true(timeout == UINT64_MAX);
	assert_true(memory_sum(g) == sum);
	vxhci_resume(here(g));
}

static inline void work(struct rig *g, unsigned rounds)
{
	uint64_t timeout;

	for (unsigned i = 0; i < rounds; i++)
		vxhci_dispatch(here(g), &timeout);
}

static inline uint32_t post(struct rig *g, struct gdrv_ring *r, bool in,
			    uint64_t gpa, uint32_t len)
{
	const struct gdrv_sg sg = {gpa, len};
	uint32_t td;

	(void)g;
	assert_int_equal(gdrv_os_bulk(r, OS_LINUX, in, &sg, 1, &td, 1), 1);
	return td;
}

/* It ends as it should, with @len bytes. */
static inline void ended(struct rig *g, struct gdrv_ring *r, uint32_t td,
			 uint32_t len)
{
	assert_int_equal(gdrv_wait(&g->d, r, td, WAIT_MS), 0);
	assert_int_equal(gdrv_td(r, td)->actual, len);
	assert_true(gdrv_td(r, td)->cc == CC_SUCCESS ||
		    gdrv_td(r, td)->cc == CC_SHORT_PACKET);
}

static inline void rw10(uint8_t *cdb, bool write, uint32_t lba)
{
	cdb[0] = write ? 0x2a : 0x28;
	cdb[1] = write ? 0x08 : 0; /* FUA */
	cdb[4] = (uint8_t)(lba >> 8);
	cdb[5] = (uint8_t)lba;
	cdb[8] = LEN / 512;
}

static const struct gdrv_epcfg bulk_only[] = {
	{.dci = DISK_IN, .type = EPT_BULK_IN, .mps = 512},
	{.dci = DISK_OUT, .type = EPT_BULK_OUT, .mps = 512},
};

/* Where a command of a disk is on its way: command, data and status */
struct reading {
	struct gdrv_ring *in, *out;
	uint32_t td[3];
};

/* LEN bytes from block @lba on, by Bulk-Only */
static inline struct reading disk_reads(struct rig *g, uint32_t lba)
{
	struct reading r = {.in = g->v->ring[DISK_IN],
			    .out = g->v->ring[DISK_OUT]};
	uint8_t cdb[10] = {0};

	rw10(cdb, false, lba);
	cbw_put(guestmem_ptr(&g->gm, g->page, CBW_LEN), TAG, true, LEN, cdb,
		10);
	r.td[0] = post(g, r.out, false, g->page, CBW_LEN);
	r.td[1] = post(g, r.in, true, g->data, LEN);
	r.td[2] = post(g, r.in, true, g->page + 64, CSW_LEN);
	gdrv_doorbell(&g->d, g->v->slot, DISK_OUT, 0);
	gdrv_doorbell(&g->d, g->v->slot, DISK_IN, 0);
	return r;
}

static inline void disk_has_read(struct rig *g, const struct reading *r,
				 uint32_t lba)
{
	const uint8_t *p = guestmem_ptr(&g->gm, g->data, LEN);

	ended(g, r->out, r->td[0], CBW_LEN);
	ended(g, r->in, r->td[1], LEN);
	ended(g, r->in, r->td[2], CSW_LEN);
	for (uint32_t i = 0; i < LEN; i++)
		assert_int_equal(p[i], pattern(lba * 512 + i));
}

#endif
