/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that moves through the library: in another controller it goes on
 * where it was, whatever its devices were doing; what is no snapshot is
 * refused and harms nothing.
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

#include "emu/snap.h"
#include "tests/lib/gdrv_vx.h"

#define DISK_BYTES (TAGS * LEN)
#define LEN 65536u /* of a command */
#define WAIT_MS 60000u
#define TAGS 16u

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

static uint8_t pattern(size_t i)
{
	return (uint8_t)(i * 7 + i / 512);
}

static void make_disk(char *path, size_t len)
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

static struct vxhci *here(struct rig *g)
{
	return g->e[g->now].v;
}

static void request(struct rig *g, uint8_t rt, uint8_t req, uint8_t value)
{
	const uint8_t setup[8] = {rt, req, value};

	assert_int_equal(gdrv_control(g->v, OS_LINUX, setup, 0, NULL),
			 CC_SUCCESS);
}

/* %s in @option is the disk. */
static struct rig *rig_up(const char *option, uint8_t config,
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

static void rig_down(struct rig *g)
{
	assert_true(gdrv_ok(&g->d));
	gdrv_vx_fini(&g->e[g->now]);
	gdrv_fini(&g->d);
	guestmem_fini(&g->gm);
	unlink(g->path);
	free(g);
}

static uint64_t memory_sum(struct rig *g)
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

static struct shot shoot(struct rig *g)
{
	struct shot s = {0};

	assert_int_equal(vxhci_snapshot(here(g), WAIT_MS, &s.buf, &s.len), 0);
	return s;
}

static int restore(struct rig *g, const struct shot *s)
{
	char err[256] = "";
	int r = vxhci_restore(here(g), s->buf, s->len, err, sizeof(err));

	assert_int_equal(r == 0, err[0] == '\0');
	return r;
}

/* The controller is gone; another one has the guest's memory. */
static void leave(struct rig *g, const char *option)
{
	uint64_t sum = memory_sum(g);

	gdrv_vx_fini(&g->e[g->now]);
	assert_true(memory_sum(g) == sum);
	g->now ^= 1;
	assert_int_equal(gdrv_vx_init(&g->e[g->now], &g->gm, option), 0);
	g->d.bus_p = &g->e[g->now];
}

static void move(struct rig *g)
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

static void work(struct rig *g, unsigned rounds)
{
	uint64_t timeout;

	for (unsigned i = 0; i < rounds; i++)
		vxhci_dispatch(here(g), &timeout);
}

static uint32_t post(struct rig *g, struct gdrv_ring *r, bool in, uint64_t gpa,
		     uint32_t len)
{
	const struct gdrv_sg sg = {gpa, len};
	uint32_t td;

	(void)g;
	assert_int_equal(gdrv_os_bulk(r, OS_LINUX, in, &sg, 1, &td, 1), 1);
	return td;
}

/* It ends as it should, with @len bytes. */
static void ended(struct rig *g, struct gdrv_ring *r, uint32_t td, uint32_t len)
{
	assert_int_equal(gdrv_wait(&g->d, r, td, WAIT_MS), 0);
	assert_int_equal(gdrv_td(r, td)->actual, len);
	assert_true(gdrv_td(r, td)->cc == CC_SUCCESS ||
		    gdrv_td(r, td)->cc == CC_SHORT_PACKET);
}

static void rw10(uint8_t *cdb, bool write, uint32_t lba)
{
	cdb[0] = write ? 0x2a : 0x28;
	cdb[1] = write ? 0x08 : 0; /* FUA */
	cdb[4] = (uint8_t)(lba >> 8);
	cdb[5] = (uint8_t)lba;
	cdb[8] = LEN / 512;
}

static void check_file(const char *path, uint32_t at, int add)
{
	uint8_t *buf = malloc(LEN);
	FILE *f = fopen(path, "rb");

	assert_true(f && buf && fseek(f, (long)at, SEEK_SET) == 0);
	assert_int_equal(fread(buf, 1, LEN, f), LEN);
	for (uint32_t i = 0; i < LEN; i++)
		assert_int_equal(buf[i], (uint8_t)(pattern(at + i) + add));
	fclose(f);
	free(buf);
}

static const struct gdrv_epcfg bulk_only[] = {
	{.dci = DISK_IN, .type = EPT_BULK_IN, .mps = 512},
	{.dci = DISK_OUT, .type = EPT_BULK_OUT, .mps = 512},
};

/*
 * Bulk-Only: command, data in two transfers and status are queued; it moves
 * after @rounds, twice, and once in between it only stops.
 */
static void disk_moves(bool write, unsigned rounds)
{
	struct rig *g = rig_up("storage,speed=high", 1, bulk_only, 2);
	struct gdrv_ring *in = g->v->ring[DISK_IN];
	struct gdrv_ring *out = g->v->ring[DISK_OUT];
	uint8_t cbw[31] = {'U', 'S', 'B', 'C', 1, 2, 3, 4, 0, 0, 1};
	uint8_t *p = guestmem_ptr(&g->gm, g->data, LEN);
	uint32_t td[4];
	struct shot s;

	cbw[12] = write ? 0 : 0x80;
	cbw[14] = 10;
	rw10(cbw + 15, write, 77);
	guestmem_write(&g->gm, g->page, cbw, 31);
	for (uint32_t i = 0; i < LEN && write; i++)
		p[i] = (uint8_t)(pattern(77 * 512 + i) + 1);
	td[0] = post(g, out, false, g->page, 31);
	td[1] = post(g, write ? out : in, !write, g->data, 40 * 512);
	td[2] = post(g, write ? out : in, !write, g->data + 40 * 512,
		     LEN - 40 * 512);
	td[3] = post(g, in, true, g->page + 64, 13);
	gdrv_doorbell(&g->d, g->v->slot, DISK_IN, 0);
	work(g, rounds / 4);
	gdrv_doorbell(&g->d, g->v->slot, DISK_OUT, 0);
	work(g, rounds);
	move(g);
	work(g, rounds % 3);
	s = shoot(g);
	free(s.buf);
	vxhci_resume(here(g));
	work(g, rounds % 2);
	move(g);
	ended(g, out, td[0], 31);
	ended(g, write ? out : in, td[1], 40 * 512);
	ended(g, write ? out : in, td[2], LEN - 40 * 512);
	ended(g, in, td[3], 13);
	assert_memory_equal(guestmem_ptr(&g->gm, g->page + 64, 13),
			    "USBS\1\2\3\4\0\0\0\0\0", 13);
	for (uint32_t i = 0; i < LEN && !write; i++)
		assert_int_equal(p[i], pattern(77 * 512 + i));
	check_file(g->path, 77 * 512, write);
	rig_down(g);
}

static void a_disk_moves_in_the_middle_of_a_command(void **state)
{
	(void)state;
	for (unsigned rounds = 0; rounds < 8; rounds++) {
		disk_moves(false, rounds);
		disk_moves(true, rounds);
	}
}

/* UAS: sixteen commands at once, with streams. */
static void uas_moves(unsigned rounds)
{
	static const struct gdrv_epcfg uas[] = {
		{.dci = DISK_COMMAND, .type = EPT_BULK_OUT, .mps = 1024},
		{.dci = DISK_STATUS,
		 .type = EPT_BULK_IN,
		 .mps = 1024,
		 .streams = 4},
		{.dci = DISK_IN,
		 .type = EPT_BULK_IN,
		 .mps = 1024,
		 .streams = 4},
		{.dci = DISK_OUT,
		 .type = EPT_BULK_OUT,
		 .mps = 1024,
		 .streams = 4},
	};
	struct rig *g = rig_up("storage,speed=super", 1, uas, 4);
	struct gdrv_ring *st, *in, *cmd = g->v->ring[DISK_COMMAND];
	uint32_t status[TAGS + 1], data[TAGS + 1], command[TAGS + 1];
	const uint8_t *p = guestmem_ptr(&g->gm, g->data, TAGS * LEN);

	request(g, 1, 11, 1);
	for (unsigned tag = 1; tag <= TAGS; tag++) {
		uint8_t iu[32] = {1, 0, 0, (uint8_t)tag};
		uint64_t at = g->page + 64 * tag;

		rw10(iu + 16, false, (tag - 1) * (LEN / 512));
		guestmem_write(&g->gm, at, iu, sizeof(iu));
		st = &g->v->streams[DISK_STATUS]->ring[tag];
		in = &g->v->streams[DISK_IN]->ring[tag];
		status[tag] = post(g, st, true, at + 2048, 34);
		data[tag] = post(g, in, true, g->data + (tag - 1) * LEN, LEN);
		gdrv_doorbell(&g->d, g->v->slot, DISK_STATUS, tag);
		gdrv_doorbell(&g->d, g->v->slot, DISK_IN, tag);
		command[tag] = post(g, cmd, false, at, 32);
		gdrv_doorbell(&g->d, g->v->slot, DISK_COMMAND, 0);
		if (tag % 4 == 0)
			work(g, rounds / 2);
	}
	work(g, rounds);
	move(g);
	work(g, rounds / 2);
	move(g);
	for (unsigned tag = 1; tag <= TAGS; tag++) {
		ended(g, cmd, command[tag], 32);
		ended(g, &g->v->streams[DISK_IN]->ring[tag], data[tag], LEN);
		ended(g, &g->v->streams[DISK_STATUS]->ring[tag], status[tag],
		      16);
	}
	for (uint32_t i = 0; i < TAGS * LEN; i++)
		assert_int_equal(p[i], pattern(i));
	rig_down(g);
}

static void sixteen_commands_move(void **state)
{
	(void)state;
	for (unsigned rounds = 0; rounds < 6; rounds++)
		uas_moves(rounds);
}

/* What was typed and not yet read is read behind the move, in order. */
static void keys_move(void **state)
{
	static const struct gdrv_epcfg keys = {.dci = KEYS_IN,
					       .type = EPT_INTR_IN,
					       .mps = 8,
					       .max_esit = 8,
					       .interval = 3};
	struct rig *g = rig_up("keyboard", 1, &keys, 1);
	const uint8_t *p = guestmem_ptr(&g->gm, g->page, 8);
	struct gdrv_ring *r = g->v->ring[KEYS_IN];

	(void)state;
	request(g, 0x21, 10, 0);
	for (unsigned i = 0; i < 40; i++) {
		uint32_t td = post(g, r, true, g->page, 8);

		gdrv_doorbell(&g->d, g->v->slot, KEYS_IN, 0);
		if (i % 4 == 0) { /* four at a time, some before it moves */
			for (unsigned k = i; k < i + 4; k += 2) {
				vxhci_input_key(here(g), 0, 4 + k / 2, true);
				vxhci_input_key(here(g), 0, 4 + k / 2, false);
			}
		}
		if (i % 5 == 0)
			move(g);
		ended(g, r, td, 8);
		assert_int_equal(p[2], i % 2 ? 0 : 4 + i / 2);
	}
	rig_down(g);
}

static const struct gdrv_epcfg zero_eps[] = {
	{.dci = ZERO_OUT, .type = EPT_BULK_OUT, .mps = 512},
	{.dci = ZERO_IN, .type = EPT_BULK_IN, .mps = 512},
};

/* Loopback: what the device has taken in comes out behind the move. */
static void loopback_moves(void **state)
{
	struct rig *g = rig_up("zero,speed=high", 2, zero_eps, 2);
	uint8_t *p = guestmem_ptr(&g->gm, g->data, 2 * LEN);
	struct gdrv_ring *in = g->v->ring[ZERO_IN];
	uint32_t td[4];

	(void)state;
	for (uint32_t i = 0; i < LEN; i++)
		p[i] = pattern(i);
	for (unsigned i = 0; i < 4; i++)
		td[i] = post(g, g->v->ring[ZERO_OUT], false,
			     g->data + i * (LEN / 4), LEN / 4);
	gdrv_doorbell(&g->d, g->v->slot, ZERO_OUT, 0);
	for (unsigned i = 0; i < 4; i++)
		ended(g, g->v->ring[ZERO_OUT], td[i], LEN / 4);
	for (unsigned i = 0; i < 4; i++) {
		move(g);
		td[i] = post(g, in, true, g->data + LEN + i * (LEN / 4),
			     LEN / 4);
		gdrv_doorbell(&g->d, g->v->slot, ZERO_IN, 0);
		ended(g, in, td[i], LEN / 4);
	}
	assert_memory_equal(p, p + LEN, LEN);
	rig_down(g);
}

static uint32_t changes(struct rig *g, unsigned port)
{
	return gdrv_portsc(&g->d, port) & (1u << 17 | 1u);
}

/* A device that is not there is unplugged; another one is plugged in. */
static void what_is_not_there_is_unplugged(void **state)
{
	struct rig *g = rig_up("zero,speed=high,keyboard", 3, zero_eps, 2);
	struct shot s = shoot(g);

	(void)state;
	leave(g, "30,xhci,keyboard,at=2");
	assert_int_equal(restore(g, &s), 0);
	assert_int_equal(changes(g, 1), 1u << 17);
	assert_int_equal(changes(g, 2) & 1, 1);
	leave(g, "30,xhci,keyboard,at=1,zero,speed=high,at=2");
	assert_int_equal(restore(g, &s), 0);
	assert_int_equal(changes(g, 1), 1u << 17 | 1);
	assert_int_equal(changes(g, 2), 1u << 17 | 1);
	leave(g, g->option);
	assert_int_equal(restore(g, &s), 0);
	assert_int_equal(changes(g, 1), 1);
	free(s.buf);
	vxhci_resume(here(g));
	rig_down(g);
}

/* Told why, and as good as new afterwards */
static void what_does_not_fit_is_refused(void **state)
{
	struct rig *g = rig_up("storage,speed=high", 1, bulk_only, 2);
	struct shot s, bad;
	char option[160], other[32];
	unsigned id;

	(void)state;
	s = shoot(g);
	assert_int_equal(restore(g, &s), -EBUSY);
	assert_int_equal(vxhci_attach(here(g), "tablet", NULL, option,
				      sizeof(option), &id),
			 -EBUSY);
	vxhci_resume(here(g));
	assert_int_equal(restore(g, &s), -EBUSY);
	free(s.buf);
	s = shoot(g);
	/* a controller that is not like it, another disk */
	snprintf(option, sizeof(option), "30,xhci,usb2=9,storage=%s", g->path);
	leave(g, option);
	assert_int_equal(restore(g, &s), -ENOTSUP);
	make_disk(other, DISK_BYTES / 2);
	snprintf(option, sizeof(option), "30,xhci,storage=%s,speed=high",
		 other);
	leave(g, option);
	assert_int_equal(restore(g, &s), -ENOTSUP);
	unlink(other);
	leave(g, g->option);
	bad = s;
	for (bad.len = 0; bad.len < s.len; bad.len += 1 + bad.len / 16)
		assert_int_equal(restore(g, &bad), -EINVAL);
	bad.len = s.len;
	for (size_t i = 0; i < s.len; i += 1 + i / 8) {
		s.buf[i] ^= 1;
		assert_int_equal(restore(g, &bad), -EINVAL);
		s.buf[i] ^= 1;
	}
	assert_int_equal(restore(g, &s), 0);
	free(s.buf);
	vxhci_resume(here(g));
	rig_down(g);
	disk_moves(false, 3);
}

/* Bytes of a bad mind, with their sum put right: whatever is made of them */
static void hostile_bytes(void **state)
{
	static const uint8_t put[] = {0, 1, 0x7f, 0x80, 0xff};
	struct rig *g = rig_up("storage,speed=super", 1, bulk_only, 2);
	struct shot s = shoot(g), bad = s;
	unsigned taken = 0;

	(void)state;
	bad.buf = malloc(s.len);
	assert_non_null(bad.buf);
	leave(g, g->option);
	for (size_t i = 8; i < s.len - SNAP_TAIL; i += 3) {
		uint32_t sum;

		memcpy(bad.buf, s.buf, s.len);
		bad.buf[i] ^= put[i % sizeof(put)] | 1u;
		sum = snap_sum(bad.buf, s.len - SNAP_TAIL);
		memcpy(bad.buf + s.len - SNAP_TAIL, &sum, SNAP_TAIL);
		if (restore(g, &bad) != 0)
			continue;
		taken++;
		vxhci_resume(here(g));
		work(g, 2);
		gdrv_vx_fini(&g->e[g->now]);
		assert_int_equal(gdrv_vx_init(&g->e[g->now], &g->gm, g->option),
				 0);
	}
	assert_in_range(taken, 1, s.len);
	free(bad.buf);
	/* the guest may have met with anything: a new one, then */
	vxhci_reset(here(g));
	free(s.buf);
	g->d.nerr = 0;
	rig_down(g);
}

/* A device may not have done yet what it does: it goes on, or is stopped. */
static void one_that_cannot_wait(void **state)
{
	struct rig *g = rig_up("storage,speed=high", 1, bulk_only, 2);
	struct gdrv_ring *in = g->v->ring[DISK_IN];
	uint8_t cbw[31] = {'U', 'S', 'B', 'C', 1, 2, 3, 4, 0, 0, 1};
	struct shot s;
	uint32_t td[3];
	int r;

	(void)state;
	cbw[12] = 0x80;
	cbw[14] = 10;
	rw10(cbw + 15, false, 0);
	guestmem_write(&g->gm, g->page, cbw, 31);
	td[0] = post(g, g->v->ring[DISK_OUT], false, g->page, 31);
	td[1] = post(g, in, true, g->data, LEN);
	td[2] = post(g, in, true, g->page + 64, 13);
	gdrv_doorbell(&g->d, g->v->slot, DISK_OUT, 0);
	gdrv_doorbell(&g->d, g->v->slot, DISK_IN, 0);
	do {
		r = vxhci_snapshot(here(g), 0, &s.buf, &s.len);
		assert_true(r == 0 || r == -ETIMEDOUT);
		if (r == 0)
			free(s.buf);
		vxhci_resume(here(g));
	} while (r != 0);
	ended(g, in, td[1], LEN);
	ended(g, in, td[2], 13);
	rig_down(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_moves_in_the_middle_of_a_command),
		cmocka_unit_test(sixteen_commands_move),
		cmocka_unit_test(keys_move),
		cmocka_unit_test(loopback_moves),
		cmocka_unit_test(what_is_not_there_is_unplugged),
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(hostile_bytes),
		cmocka_unit_test(one_that_cannot_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
