/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USB Attached SCSI over images that fail, without a worker, with pipes that
 * halt or have no room, and with a host that sends garbage.
 */
#include "devices_uas_fake.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* The image behind the disk is another file from now on, or cut short. */
static void spoil_image(struct disk *k, const char *path, int flags)
{
	int fd;

	if (!path) {
		assert_int_equal(ftruncate(k->fd, 768), 0);
		return;
	}
	fd = open(path, flags);
	assert_true(fd >= 0);
	assert_int_equal(dup2(fd, k->s->target.lu[0].img.fd),
			 k->s->target.lu[0].img.fd);
	close(fd);
}

static void images_that_fail(void **state)
{
	static const struct {
		const char *path; /* NULL: cut to a block and a half */
		int flags;
		uint8_t op, flag;
		uint32_t sense, actual;
	} rows[] = {
		{"/dev/full", O_RDWR, 0x2a, 0, 0x72707, 4096},
		{"/tmp", O_RDONLY, 0x28, 0, 0x31100, 0},
		{"/tmp", O_RDONLY, 0x2a, 0, 0x30c00, 4096},
		{"/tmp", O_RDONLY, 0x2f, 2, 0x31100, 4096},
		{"/dev/null", O_RDWR, 0x2a, 8, 0x30c00, 4096}, /* flush fails */
		{"/dev/null", O_RDWR, 0x28, 0, 0x31100, 0},    /* empty */
		{NULL, 0, 0x28, 0, 0x31100, 768},
		{NULL, 0, 0x2f, 2, 0x31100, 4096},
	};

	(void)state;
	for (size_t i = 0; i < 4 * N(rows); i++) {
		uint8_t cdb[16] = {0}, b[4096], op = rows[i / 4].op;
		bool in = op == 0x28, streams = i & 2;
		uint8_t ep = in ? STORAGE_EP_IN : STORAGE_EP_OUT;
		struct fake_xfer *st, *x, *more;
		struct disk k;

		uas_open(&k, uas_speeds[streams], i & 1);
		for (size_t j = 0; j < sizeof(b); j++)
			b[j] = disk_byte(j);
		spoil_image(&k, rows[i / 4].path, rows[i / 4].flags);
		cdb_rw10(cdb, op, 0, 8);
		cdb[1] = rows[i / 4].flag;
		st = start_status(&k, 2);
		expect(start_command(&k, 2, cdb, 16), USB_OK, 32);
		if (!streams) {
			expect_ready(st, 2, in ? 6 : 7);
			st = start_status(&k, 2);
		}
		x = uas_new(&k, ep, 2, in ? NULL : b, 4096, 100);
		fake_submit(k.dev, x);
		if (!x->done) { /* what is queued behind it ends with it */
			more = uas_start(&k, ep, 2, in ? NULL : b, 64);
			fake_work();
			expect(more, USB_OK, in ? 0 : 64);
		}
		fake_work(); /* the flush */
		if (in && !rows[i / 4].path)
			assert_memory_equal(x->mem, b, 768);
		expect(x, USB_OK, rows[i / 4].actual);
		expect_sense(st, 2, 2, rows[i / 4].sense);
		disk_close(&k);
	}
}

/* No thread to be had: the guest is asked to try again. */
static void no_worker_is_an_aborted_command(void **state)
{
	uint8_t cdb[16] = {0x35}, b[512];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct disk k;

		uas_open(&k, uas_speeds[i], false);
		fake.refuse_work = true;
		assert_int_equal(uas_command(&k, 1, cdb, false, NULL, 0, -1),
				 2);
		cdb_rw10(cdb, 0x28, 0, 1);
		assert_int_equal(uas_command(&k, 1, cdb, true, b, 512, -1), 2);
		fake.refuse_work = false;
		uas_check_works(&k);
		disk_close(&k);
		cdb_rw10(cdb, 0x35, 0, 0);
	}
}

/* Unplugged with jobs at work: freed when the last of them is done. */
static void the_disk_lives_until_its_jobs_are_done(void **state)
{
	static const uint8_t sync[16] = {0x35};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct disk k;

		uas_open(&k, uas_speeds[i], false);
		for (uint16_t t = 1; t < 8; t++)
			expect(start_command(&k, t, sync, 16), USB_OK, 32);
		k.dev->ops->free(k.dev);
		assert_int_equal(fake_work(), 7);
		close(k.fd);
		unlink(k.path);
	}
}

/* One that has no room is babble; the IU goes into the next. */
static void an_iu_waits_for_room(void **state)
{
	static const uint8_t bad[6] = {0xff};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct fake_xfer *a;
		struct disk k;

		uas_open(&k, uas_speeds[i], true);
		a = uas_start(&k, STORAGE_EP_STATUS, 2, NULL, 33);
		expect(start_command(&k, 2, bad, 6), USB_OK, 32);
		expect(a, USB_BABBLE, 0);
		expect(uas_start(&k, STORAGE_EP_STATUS, 2, NULL, 0), USB_BABBLE,
		       0);
		expect_sense(uas_start(&k, STORAGE_EP_STATUS, 2, NULL, 34), 2,
			     2, 0x52000);
		disk_close(&k);
	}
}

/* A pipe that the host halts moves nothing until it is told to. */
static void halted_pipes_wait(void **state)
{
	static const uint8_t eps[] = {STORAGE_EP_COMMAND, STORAGE_EP_STATUS,
				      STORAGE_EP_IN};

	(void)state;
	for (unsigned i = 0; i < 2 * N(eps); i++) {
		uint8_t ep = eps[i / 2];
		struct fake_xfer *st = NULL, *x = NULL, *held;
		struct disk k;

		uas_open(&k, uas_speeds[i & 1], true);
		if (ep != STORAGE_EP_COMMAND) {
			held = uas_start(&k, ep, 3, NULL, 1024);
			fake_control(k.dev, 2, USB_REQ_SET_FEATURE, 0, ep, NULL,
				     0);
			expect(held, USB_STALL, 0);
		} else {
			fake_control(k.dev, 2, USB_REQ_SET_FEATURE, 0, ep, NULL,
				     0);
		}
		expect(uas_start(&k, ep, 3, NULL, 1024), USB_STALL, 0);
		if (ep != STORAGE_EP_COMMAND)
			expect(start_rw(&k, 3, 0x28, 0, 2), USB_OK, 32);
		if (ep == STORAGE_EP_IN) {
			st = start_status(&k, 3);
			if (!k.s->uas.streams) {
				expect_ready(st, 3, 6);
				st = start_status(&k, 3);
			}
			assert_false(st->done);
			clear_halt(&k, ep);
		} else {
			clear_halt(&k, ep);
			if (ep == STORAGE_EP_COMMAND)
				expect(start_rw(&k, 3, 0x28, 0, 2), USB_OK, 32);
			if (!k.s->uas.streams)
				expect_ready(start_status(&k, 3), 3, 6);
			st = start_status(&k, 3);
		}
		x = uas_start(&k, STORAGE_EP_IN, 3, NULL, 1024);
		expect(x, USB_OK, 1024);
		expect_good(st, 3);
		disk_close(&k);
	}
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* Reads and writes in range, mostly; small enough to end. */
static void random_cdb(uint8_t *cdb, uint32_t *seed)
{
	static const uint8_t ops[] = {0x00, 0x03, 0x12, 0x1a, 0x25,
				      0x28, 0x28, 0x2a, 0x2a, 0x2f,
				      0x35, 0x41, 0x42, 0x55, 0xa0};
	uint32_t r = next_random(seed);

	cdb_rw10(cdb, ops[r % N(ops)], (r >> 4) % 4100, (uint16_t)(r >> 5) % 9);
	if (r % 5 == 0)
		cdb[1] = (uint8_t)next_random(seed);
	if (r % 31 == 0)
		cdb[0] = (uint8_t)next_random(seed);
}

static struct fake_xfer *random_iu(struct disk *k, uint32_t *seed)
{
	static const uint8_t functions[] = {1, 1, 2, 4, 8, 16, 64, 128, 129};
	uint32_t r = next_random(seed);
	uint16_t tag = (uint16_t)((r >> 3) % 18);
	uint8_t iu[64], cdb[16] = {0};
	size_t len = 32;

	for (unsigned i = 0; i < sizeof(iu); i++)
		iu[i] = (uint8_t)next_random(seed);
	if (r % 16 < 12) {
		random_cdb(cdb, seed);
		put_command(iu, tag, cdb, 16);
		iu[4] = r % 16 < 2 ? (uint8_t)(r >> 8) & 7 : 0;
	} else if (r % 16 < 14) {
		memset(iu, 0, 16);
		iu[0] = 5;
		put_be16(iu + 2, tag);
		iu[4] = functions[(r >> 8) % N(functions)];
		put_be16(iu + 6, (uint16_t)((r >> 12) % 18));
		len = 16;
	} else if (r % 16 == 14) {
		len = (r >> 8) % sizeof(iu);
	}
	return uas_new(k, STORAGE_EP_COMMAND, 0, iu, len, (r >> 20) % 20);
}

static struct fake_xfer *random_xfer(struct disk *k, uint32_t *seed)
{
	static const uint8_t eps[] = {STORAGE_EP_STATUS, STORAGE_EP_STATUS,
				      STORAGE_EP_IN, STORAGE_EP_OUT};
	uint32_t r = next_random(seed);
	uint8_t ep = eps[r % 4];
	uint16_t tag = (uint16_t)((r >> 2) % 18);

	if (ep == STORAGE_EP_STATUS)
		return uas_new(k, ep, tag, NULL, r % 29 ? 112 : (r >> 8) % 40,
			       (r >> 16) % 50);
	return uas_new(k, ep, tag, NULL, (r >> 8) % 9 * 512 + (r % 13 == 0),
		       (r >> 16) % 1000);
}

/* What hosts do to a device that they do not understand any more. */
static void random_event(struct disk *k, uint32_t *seed)
{
	static const uint8_t eps[] = {STORAGE_EP_STATUS, STORAGE_EP_IN,
				      STORAGE_EP_OUT, STORAGE_EP_COMMAND};
	uint32_t r = next_random(seed);

	clear_halt(k, STORAGE_EP_COMMAND);
	if (r % 7 == 0)
		fake_control(k->dev, 2, USB_REQ_SET_FEATURE, 0,
			     eps[(r >> 4) % 4], NULL, 0);
	if (r % 5 == 0)
		clear_halt(k, eps[(r >> 6) % 4]);
	if (r % 61 == 0)
		uas_select(k, (r >> 8) % 4 != 0);
	if (r % 257 == 0) {
		disk_configure(k);
		uas_select(k, 1);
	}
	fake.refuse_work = r % 23 == 0;
}

static void release(struct fake_xfer **t, struct disk *k, bool cancel)
{
	if (cancel && *t && !(*t)->done)
		k->dev->ops->cancel(k->dev, &(*t)->x);
	if (!*t || !(*t)->done)
		return;
	fake_xfer_free(*t);
	*t = NULL;
}

static void garbage(enum usb_speed speed, uint32_t seed)
{
	enum { HELD = 64, IUS = 100000 };
	struct fake_xfer *t[HELD] = {NULL};
	struct disk k;

	uas_open(&k, speed, true);
	for (unsigned i = 0; i < 2 * IUS; i++) {
		struct fake_xfer **f = &t[next_random(&seed) % HELD];
		uint32_t r = next_random(&seed);

		release(f, &k, r % 2);
		if (!*f) {
			*f = i % 2 ? random_iu(&k, &seed)
				   : random_xfer(&k, &seed);
			fake_submit(k.dev, *f);
		}
		if (r % 3 == 0)
			fake_work_one((r >> 4) % 4);
		if (r % 64 == 0)
			random_event(&k, &seed);
	}
	for (unsigned i = 0; i < HELD; i++)
		release(&t[i], &k, true);
	fake.refuse_work = false;
	fake_work();
	for (unsigned i = 0; i < HELD; i++) {
		release(&t[i], &k, false);
		assert_null(t[i]);
	}
	disk_configure(&k);
	uas_select(&k, 1);
	fake_work();
	assert_int_equal(k.s->uas.used, 0);
	assert_int_equal(k.s->uas.jobs, 0);
	assert_int_equal(k.s->target.stale, 0);
	uas_check_works(&k);
	disk_close(&k);
}

static void garbage_never_breaks_the_disk(void **state)
{
	(void)state;
	garbage(USB_SPEED_SUPER, 42);
	garbage(USB_SPEED_HIGH, 43);
}

/* Of two transfers that a pipe held, one ends with the STALL; one waits. */
static void held_transfers_of_a_halted_pipe_wait(void **state)
{
	struct fake_xfer *a, *b, *st;
	struct disk k;

	(void)state;
	uas_open(&k, USB_SPEED_SUPER, true);
	a = uas_start(&k, STORAGE_EP_IN, 3, NULL, 1024);
	b = uas_start(&k, STORAGE_EP_IN, 3, NULL, 1024);
	fake_control(k.dev, 2, USB_REQ_SET_FEATURE, 0, STORAGE_EP_IN, NULL, 0);
	expect(a, USB_STALL, 0);
	st = start_status(&k, 3);
	expect(start_rw(&k, 3, 0x28, 0, 2), USB_OK, 32);
	assert_false(b->done);
	assert_false(st->done);
	assert_int_equal(clear_halt(&k, STORAGE_EP_IN), 0);
	expect(b, USB_OK, 1024);
	expect_good(st, 3);
	disk_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_that_fail),
		cmocka_unit_test(no_worker_is_an_aborted_command),
		cmocka_unit_test(the_disk_lives_until_its_jobs_are_done),
		cmocka_unit_test(an_iu_waits_for_room),
		cmocka_unit_test(halted_pipes_wait),
		cmocka_unit_test(held_transfers_of_a_halted_pipe_wait),
		cmocka_unit_test(garbage_never_breaks_the_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
