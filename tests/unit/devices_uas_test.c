/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USB Attached SCSI: commands one by one and many at a time, transfers in any
 * order, data of any cut.
 */
#include "devices_uas_fake.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* The host has @len bytes of room or data; @actual is what is moved of it. */
static const struct command_row {
	uint8_t cdb[16];
	bool in;
	uint32_t len, actual;
	uint8_t status;
	uint32_t sense;
	int64_t off; /* of the image, where the data is to be that */
} commands[] = {
	{{0x00}, false, 0, 0, 0, 0, -1}, /* TEST UNIT READY */
	{{0x12, 0, 0, 0, 255}, true, 255, 36, 0, 0, -1},
	{{0x12, 0, 0, 0, 8}, true, 8, 8, 0, 0, -1},
	{{0xa0, 0, 0, 0, 0, 0, 0, 0, 2}, true, 512, 16, 0, 0, -1},
	{{0x25}, true, 8, 8, 0, 0, -1},
	{{0x28, 0, 0, 0, 0, 3, 0, 0, 8}, true, 4096, 4096, 0, 0, 1536},
	{{0x28, 0, 0, 0, 0, 3, 0, 0, 2}, true, 4096, 1024, 0, 0, 1536},
	{{0x88, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1},
	 true,
	 512,
	 512,
	 0,
	 0,
	 9 * 512},
	{{0x2a, 0, 0, 0, 0, 100, 0, 0, 8}, false, 4096, 4096, 0, 0, -1},
	{{0x2a, 8, 0, 0, 0, 100, 0, 0, 1}, false, 512, 512, 0, 0, -1},
	{{0x35}, false, 0, 0, 0, 0, -1}, /* SYNCHRONIZE CACHE(10) */
	{{0x42, 0, 0, 0, 0, 0, 0, 0, 8}, false, 8, 8, 0, 0, -1},
	{{0x55, 0x10, 0, 0, 0, 0, 0, 0, 4}, false, 4, 4, 2, 0x51a00, -1},
	{{0xff}, false, 0, 0, 2, 0x52000, -1},
	/* sense data went with the status: none is left */
	{{0x03, 0, 0, 0, 18}, true, 18, 18, 0, 0, -1},
	{{0x28, 0, 0, 0, 0x10, 0, 0, 0, 1}, true, 512, 0, 2, 0x52100, -1},
	{{0x2a, 0, 0, 0, 0x10, 0, 0, 0, 1}, false, 512, 512, 2, 0x52100, -1},
	/* no data in the command: what the host has for it ends */
	{{0x00}, true, 600, 0, 0, 0, -1},
	{{0x00}, false, 600, 600, 0, 0, -1},
	{{0x28, 0, 0, 0, 0, 3, 0, 0, 0}, true, 512, 0, 0, 0, -1},
};

static void run_row(struct disk *k, const struct command_row *r, uint16_t tag)
{
	bool streams = k->s->uas.streams;
	uint8_t ep = r->in ? STORAGE_EP_IN : STORAGE_EP_OUT;
	uint8_t data[4096] = {0};
	struct fake_xfer *st = start_status(k, tag), *x = NULL, *c;

	if (streams && r->len)
		x = uas_start(k, ep, tag, r->in ? NULL : data, r->len);
	c = start_command(k, tag, r->cdb, 16);
	fake_work();
	expect(c, USB_OK, 32);
	if (!streams && st->done && st->mem[0] >= 6) {
		expect_ready(st, tag, r->in ? 6 : 7);
		st = start_status(k, tag);
		x = uas_start(k, ep, tag, r->in ? NULL : data, r->len);
		fake_work();
	}
	expect_sense(st, tag, r->status, r->sense);
	if (!x)
		return;
	for (uint32_t i = 0; r->off >= 0 && i < r->actual; i++)
		assert_int_equal(x->mem[i], disk_byte((uint64_t)r->off + i));
	expect(x, USB_OK, r->actual);
}

static void each_command_moves_its_data_and_ends(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct disk k;

		uas_open(&k, uas_speeds[i & 1], i & 2);
		for (size_t j = 0; j < N(commands); j++)
			run_row(&k, &commands[j], (uint16_t)(j % 16 + 1));
		uas_check_works(&k);
		disk_close(&k);
	}
}

/* Status, data and command come in any order. */
static void order_of_the_pipes_does_not_matter(void **state)
{
	static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
					     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	uint8_t data[4096];

	(void)state;
	memset(data, 0x77, sizeof(data));
	for (unsigned i = 0; i < 24; i++) {
		const uint8_t *order = orders[i % 6];
		bool in = i % 12 < 6;
		struct fake_xfer *st = NULL, *c = NULL, *x = NULL;
		struct disk k;

		uas_open(&k, USB_SPEED_SUPER, i < 12);
		for (unsigned j = 0; j < 3; j++) {
			if (order[j] == 0)
				st = start_status(&k, 16);
			else if (order[j] == 1)
				x = uas_start(&k, in ? 0x81 : 2, 16,
					      in ? NULL : data, 4096);
			else
				c = start_rw(&k, 16, in ? 0x28 : 0x2a, 7, 8);
			fake_work();
		}
		expect(c, USB_OK, 32);
		if (in)
			assert_int_equal(x->mem[4095],
					 disk_byte(7 * 512 + 4095));
		expect(x, USB_OK, 4096);
		expect_good(st, 16);
		disk_close(&k);
	}
}

/* Sixteen at a time, and the worker is done with them in another order. */
static void commands_complete_as_they_are_done(void **state)
{
	struct fake_xfer *c[17], *st[17], *x[17];
	struct disk k;

	(void)state;
	uas_open(&k, USB_SPEED_SUPER, false);
	for (uint16_t t = 1; t <= 16; t++) {
		st[t] = start_status(&k, t);
		x[t] = uas_start(&k, STORAGE_EP_IN, t, NULL, 8192);
		c[t] = start_rw(&k, t, 0x28, t * 16u, 16);
		expect(c[t], USB_OK, 32);
	}
	assert_int_equal(fake.jobs, 16);
	for (uint16_t i = 0; i < 16; i++) {
		uint16_t t =
			i % 2 ? (uint16_t)(i / 2 + 1) : (uint16_t)(16 - i / 2);

		assert_false(st[t]->done);
		assert_true(fake_work_one(i % 2 ? 0 : 100));
		for (unsigned j = 0; j < 8192; j++)
			assert_int_equal(x[t]->mem[j],
					 disk_byte(t * 8192u + j));
		expect(x[t], USB_OK, 8192);
		expect_good(st[t], t);
	}
	disk_close(&k);
}

/* No streams: the pipe of each direction is one command's at a time. */
static void ready_tells_whose_the_data_pipe_is(void **state)
{
	uint8_t data[512];
	struct fake_xfer *st[6], *x;
	struct disk k;

	(void)state;
	memset(data, 0x44, sizeof(data));
	uas_open(&k, USB_SPEED_HIGH, true);
	for (uint16_t t = 1; t <= 4; t++) {
		st[t] = start_status(&k, t);
		expect(start_rw(&k, t, t % 2 ? 0x28 : 0x2a, 30u + t, 1), USB_OK,
		       32);
	}
	st[5] = start_status(&k, 0); /* 1 and 2 have the pipes, 3 and 4 wait */
	expect_ready(st[1], 1, 6);
	expect_ready(st[2], 2, 7);
	assert_false(st[3]->done);
	x = uas_start(&k, STORAGE_EP_OUT, 2, data, 512);
	fake_work();
	expect(x, USB_OK, 512);
	expect_good(st[3], 2);
	expect_ready(st[4], 4, 7);
	x = uas_start(&k, STORAGE_EP_IN, 1, NULL, 512);
	assert_int_equal(x->mem[0], disk_byte(31 * 512));
	expect(x, USB_OK, 512);
	expect_good(st[5], 1);
	expect_ready(start_status(&k, 0), 3, 6);
	st[1] = start_status(&k, 0);
	x = uas_start(&k, STORAGE_EP_IN, 3, NULL, 512);
	assert_int_equal(x->mem[0], disk_byte(33 * 512));
	expect(x, USB_OK, 512);
	expect_good(st[1], 3);
	x = uas_start(&k, STORAGE_EP_OUT, 4, data, 512);
	fake_work();
	expect(x, USB_OK, 512);
	expect_good(start_status(&k, 0), 4);
	disk_close(&k);
}

/* However the tasks lie: the command that waits longest is next. */
static void the_pipe_goes_to_the_oldest(void **state)
{
	static const uint16_t tags[] = {1, 2, 3, 1, 2};
	struct disk k;

	(void)state;
	uas_open(&k, USB_SPEED_HIGH, true);
	for (unsigned i = 0; i < 3; i++)
		expect(start_rw(&k, tags[i], 0x28, tags[i], 1), USB_OK, 32);
	for (unsigned i = 0; i < N(tags); i++) {
		struct fake_xfer *st;

		expect_ready(start_status(&k, 0), tags[i], 6);
		st = start_status(&k, 0);
		expect(uas_start(&k, STORAGE_EP_IN, 0, NULL, 512), USB_OK, 512);
		expect_good(st, tags[i]);
		if (i < 2)
			expect(start_rw(&k, tags[i], 0x28, 9, 1), USB_OK, 32);
	}
	disk_close(&k);
}

/* The thirty-third is told so, and the others are not disturbed. */
static void more_than_the_queue_holds_is_task_set_full(void **state)
{
	struct fake_xfer *st[34];
	struct disk k;

	(void)state;
	uas_open(&k, USB_SPEED_HIGH, false);
	for (uint16_t t = 1; t <= 33; t++) {
		uint8_t sync[16] = {0x35};

		expect(start_command(&k, t, sync, 16), USB_OK, 32);
	}
	for (uint16_t t = 0; t < 33; t++)
		st[t] = start_status(&k, 0);
	expect_sense(st[0], 33, 0x28, 0);
	assert_int_equal(fake_work(), 32);
	for (uint16_t t = 1; t <= 32; t++)
		expect_good(st[t], t);
	disk_close(&k);
}

static void run_cut(struct disk *k, bool in, uint32_t blocks, size_t piece,
		    size_t seg, uint8_t *buf)
{
	bool streams = k->s->uas.streams;
	uint32_t len = blocks * 512u, n = 0;
	struct fake_xfer *x[64], *st = start_status(k, 2);

	expect(start_rw(k, 2, in ? 0x28 : 0x2a, in ? 5 : 0, (uint16_t)blocks),
	       USB_OK, 32);
	if (!streams) {
		expect_ready(st, 2, in ? 6 : 7);
		st = start_status(k, 2);
	}
	for (uint32_t off = 0; off < len; off += (uint32_t)piece, n++) {
		size_t m = len - off < piece ? len - off : piece;

		assert_true(n < N(x));
		x[n] = uas_new(k, in ? 0x81 : 2, 2, in ? NULL : buf + off, m,
			       seg);
		fake_submit(k->dev, x[n]);
	}
	fake_work();
	for (uint32_t i = 0; i < n; i++) {
		if (in)
			memcpy(buf + i * piece, x[i]->mem, x[i]->x.length);
		expect(x[i], USB_OK, x[i]->x.length);
	}
	expect_good(st, 2);
}

static void data_moves_whole_however_it_is_cut(void **state)
{
	static const struct {
		uint32_t blocks;
		size_t piece, seg;
	} rows[] = {
		{1, 512, 0},           {240, 65536, 4096},
		{7, 511, 13},          {4000, 2048000, 0},
		{4000, 2048000, 1024}, {4000, 2048000, 1000},
		{4000, 300000, 4096},
	};
	uint8_t *buf = malloc(4000 * 512), *want = malloc(4000 * 512);

	(void)state;
	for (size_t i = 0; i < 4 * N(rows); i++) {
		uint32_t n = rows[i / 4].blocks, len = n * 512;
		struct disk k;

		uas_open(&k, uas_speeds[i & 1], i & 2);
		for (uint32_t j = 0; j < len; j++)
			want[j] = disk_byte(5 * 512 + j);
		run_cut(&k, true, n, rows[i / 4].piece, rows[i / 4].seg, buf);
		assert_memory_equal(buf, want, len);
		for (uint32_t j = 0; j < len; j++)
			buf[j] = (uint8_t)~want[j];
		run_cut(&k, false, n, rows[i / 4].piece, rows[i / 4].seg, buf);
		assert_int_equal(pread(k.fd, want, len, 0), len);
		assert_memory_equal(buf, want, len);
		disk_close(&k);
	}
	free(buf);
	free(want);
}

/* Less than the command has: it waits for the rest, and for no longer. */
static void short_transfers_are_filled_one_by_one(void **state)
{
	struct fake_xfer *st, *x;
	struct disk k;

	(void)state;
	uas_open(&k, USB_SPEED_SUPER, true);
	st = start_status(&k, 1);
	expect(start_rw(&k, 1, 0x28, 0, 4), USB_OK, 32);
	expect(uas_start(&k, STORAGE_EP_IN, 1, NULL, 0), USB_OK, 0);
	expect(uas_start(&k, STORAGE_EP_IN, 1, NULL, 1024), USB_OK, 1024);
	/* another stream is another command's */
	x = uas_start(&k, STORAGE_EP_IN, 2, NULL, 1024);
	assert_false(st->done);
	expect(uas_start(&k, STORAGE_EP_IN, 1, NULL, 4096), USB_OK, 1024);
	expect_good(st, 1);
	take_back(&k, x);
	disk_close(&k);
}

/*
 * More segments than a job carries: the first job ends with a packet, so that
 * a transfer which is stopped there does not look as if it had ended.
 */
static void a_stop_between_jobs_is_between_packets(void **state)
{
	struct fake_xfer *st, *x;
	struct disk k;

	(void)state;
	uas_open(&k, USB_SPEED_SUPER, false);
	st = start_status(&k, 1);
	x = uas_new(&k, STORAGE_EP_IN, 1, NULL, 512 * 1024, 1001);
	fake_submit(k.dev, x);
	expect(start_rw(&k, 1, 0x28, 0, 1024), USB_OK, 32);
	k.dev->ops->cancel(k.dev, &x->x);
	assert_false(x->done); /* its memory is in use */
	assert_true(fake_work_one(0));
	assert_true(x->done);
	assert_int_equal(x->x.status, USB_CANCELLED);
	assert_int_equal(x->x.actual, 250 * 1024);
	fake_xfer_free(x);
	assert_null(fake.work);
	/* and the rest goes on behind that */
	x = uas_start(&k, STORAGE_EP_IN, 1, NULL, 262 * 1024);
	fake_work();
	assert_int_equal(x->mem[0], disk_byte(250 * 1024));
	expect(x, USB_OK, 262 * 1024);
	expect_good(st, 1);
	disk_close(&k);
}

/* SAM-5 §8.9 */
static void ordered_commands_keep_their_place(void **state)
{
	struct fake_xfer *st[5];
	uint8_t iu[32], tur[6] = {0};
	struct disk k;

	(void)state;
	uas_open(&k, USB_SPEED_SUPER, true);
	for (uint16_t t = 1; t <= 4; t++)
		st[t] = start_status(&k, t);
	expect(start_rw(&k, 1, 0x28, 0, 1), USB_OK, 32); /* wants data */
	put_command(iu, 2, tur, 6);
	iu[4] = 2; /* ORDERED */
	expect(uas_start(&k, STORAGE_EP_COMMAND, 2, iu, 32), USB_OK, 32);
	expect(start_command(&k, 3, tur, 6), USB_OK, 32);
	assert_false(st[2]->done);
	assert_false(st[3]->done);
	put_command(iu, 4, tur, 6);
	iu[4] = 1; /* HEAD OF QUEUE */
	expect(uas_start(&k, STORAGE_EP_COMMAND, 4, iu, 32), USB_OK, 32);
	expect_good(st[4], 4);
	expect(uas_start(&k, STORAGE_EP_IN, 1, NULL, 512), USB_OK, 512);
	expect_good(st[1], 1);
	expect_good(st[2], 2);
	expect_good(st[3], 3);
	disk_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_command_moves_its_data_and_ends),
		cmocka_unit_test(order_of_the_pipes_does_not_matter),
		cmocka_unit_test(commands_complete_as_they_are_done),
		cmocka_unit_test(ready_tells_whose_the_data_pipe_is),
		cmocka_unit_test(the_pipe_goes_to_the_oldest),
		cmocka_unit_test(more_than_the_queue_holds_is_task_set_full),
		cmocka_unit_test(data_moves_whole_however_it_is_cut),
		cmocka_unit_test(short_transfers_are_filled_one_by_one),
		cmocka_unit_test(a_stop_between_jobs_is_between_packets),
		cmocka_unit_test(ordered_commands_keep_their_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
