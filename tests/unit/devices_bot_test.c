/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bulk-Only Transport when things go wrong: CBWs that are not valid, halts,
 * cancels and resets at each step.
 */
#include "devices_storage_fake.h"

static void class_requests(void **state)
{
	static const struct {
		uint8_t type, request;
		uint16_t value, index, length;
		int result;
	} rows[] = {
		{0xa1, 0xfe, 0, 0, 1, 1},      {0xa1, 0xfe, 1, 0, 1, -EPIPE},
		{0xa1, 0xfe, 0, 1, 1, -EPIPE}, {0xa1, 0xfe, 0, 0, 2, -EPIPE},
		{0x21, 0xfe, 0, 0, 1, -EPIPE}, {0x21, 0xff, 0, 0, 0, 0},
		{0x21, 0xff, 0, 0, 1, -EPIPE}, {0x21, 0xff, 1, 0, 0, -EPIPE},
		{0x21, 0xff, 0, 1, 0, -EPIPE}, {0xa1, 0xfd, 0, 0, 1, -EPIPE},
		{0xc0, 0xfe, 0, 0, 1, -EPIPE},
	};
	struct disk k;
	uint8_t b[4];

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, true);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		b[0] = 0xff;
		assert_int_equal(fake_control(k.dev, rows[i].type,
					      rows[i].request, rows[i].value,
					      rows[i].index, b, rows[i].length),
				 rows[i].result);
		if (rows[i].result == 1)
			assert_int_equal(b[0], 0); /* the one LUN */
	}
	k.dev->ops->reset(k.dev);
	assert_int_equal(fake_control(k.dev, 0xa1, 0xfe, 0, 0, b, 1), -EPIPE);
	disk_close(&k);
}

/* BOT §6.6.1 and §5.3.4: only the whole of Reset Recovery helps. */
static void invalid_cbw_halts_both_pipes_until_reset_recovery(void **state)
{
	static const struct {
		size_t len, at;
		uint8_t byte;
	} rows[] = {
		{30, 0, 'U'}, {32, 0, 'U'}, {0, 0, 0},      {512, 0, 'U'},
		{31, 0, 'V'}, {31, 3, 'S'}, {31, 13, 1},    {31, 13, 0x10},
		{31, 14, 0},  {31, 14, 17}, {31, 12, 0x40},
	};
	struct disk k;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t b[512] = {'U', 'S', 'B', 'C', [14] = 6};
		struct fake_xfer *in, *out, *in2;

		disk_open(&k, DISK_BLOCKS * 512, false, true);
		b[rows[i].at] = rows[i].byte;
		in = start(&k, STORAGE_EP_IN, NULL, 13); /* queued ahead */
		in2 = start(&k, STORAGE_EP_IN, NULL, 13);
		out = start(&k, STORAGE_EP_OUT, b, rows[i].len);
		expect(out, USB_OK, (uint32_t)rows[i].len);
		expect(in, USB_STALL, 0);
		assert_false(in2->done); /* halted: nothing more moves */
		k.dev->ops->cancel(k.dev, &in2->x);
		expect(in2, USB_CANCELLED, 0);
		expect(start(&k, STORAGE_EP_IN, NULL, 13), USB_STALL, 0);
		expect(start(&k, STORAGE_EP_OUT, b, 31), USB_STALL, 0);
		/* cleared, but not reset: halted again */
		clear_halt(&k, STORAGE_EP_IN);
		clear_halt(&k, STORAGE_EP_OUT);
		assert_int_equal(halt_status(&k, STORAGE_EP_IN), 1);
		expect(start(&k, STORAGE_EP_IN, NULL, 13), USB_STALL, 0);
		expect(start(&k, STORAGE_EP_OUT, b, 31), USB_STALL, 0);
		/* reset, but not cleared: §3.1 keeps the halts */
		assert_int_equal(mass_storage_reset(&k), 0);
		assert_int_equal(halt_status(&k, STORAGE_EP_IN), 1);
		expect(start(&k, STORAGE_EP_OUT, b, 31), USB_STALL, 0);
		clear_halt(&k, STORAGE_EP_IN);
		clear_halt(&k, STORAGE_EP_OUT);
		assert_int_equal(halt_status(&k, STORAGE_EP_OUT), 0);
		check_works(&k);
		disk_close(&k);
	}
}

static void host_can_halt_a_pipe_at_any_time(void **state)
{
	struct fake_xfer *cbw, *data, *csw, *next;
	struct disk k;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, false);
	cbw = start_cbw(&k, 0x28, 0, 2);
	expect(cbw, USB_OK, 31);
	assert_int_equal(fake_control(k.dev, 2, USB_REQ_SET_FEATURE, 0,
				      STORAGE_EP_IN, NULL, 0),
			 0);
	expect(start(&k, STORAGE_EP_IN, NULL, 1024), USB_STALL, 0);
	clear_halt(&k, STORAGE_EP_IN); /* the data phase is still there */
	data = start(&k, STORAGE_EP_IN, NULL, 1024);
	csw = start(&k, STORAGE_EP_IN, NULL, 13);
	fake_work();
	expect(data, USB_OK, 1024);
	assert_int_equal(csw_of(csw).status, 0);
	fake_xfer_free(csw);
	/* with a transfer held: it is the one that sees the STALL */
	next = start(&k, STORAGE_EP_IN, NULL, 13);
	fake_control(k.dev, 2, USB_REQ_SET_FEATURE, 0, STORAGE_EP_IN, NULL, 0);
	expect(next, USB_STALL, 0);
	clear_halt(&k, STORAGE_EP_IN);
	check_works(&k);
	disk_close(&k);
}

static void transfers_that_do_not_fit_the_phase(void **state)
{
	struct fake_xfer *f, *data;
	uint8_t b[1024] = {0};
	struct disk k;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, true);
	/* IN with more room than data: short */
	expect(start_cbw(&k, 0x28, 0, 1), USB_OK, 31);
	data = start(&k, STORAGE_EP_IN, NULL, 700);
	fake_work();
	assert_int_equal(data->mem[512], 0xee);
	expect(data, USB_OK, 512);
	/* no room for the CSW: babble, and it waits for the next */
	expect(start(&k, STORAGE_EP_IN, NULL, 12), USB_BABBLE, 0);
	f = start(&k, STORAGE_EP_IN, NULL, 512);
	assert_int_equal(csw_of(f).status, 0);
	fake_xfer_free(f);
	/* OUT with more data than announced: STALL behind what was */
	expect(start_cbw(&k, 0x2a, 0, 1), USB_OK, 31);
	data = start(&k, STORAGE_EP_OUT, b, 513);
	fake_work();
	expect(data, USB_STALL, 512);
	clear_halt(&k, STORAGE_EP_OUT);
	f = start(&k, STORAGE_EP_IN, NULL, 13);
	assert_int_equal(csw_of(f).status, 0);
	fake_xfer_free(f);
	/* empty transfers move nothing and end nothing */
	expect(start_cbw(&k, 0x2a, 0, 1), USB_OK, 31);
	expect(start(&k, STORAGE_EP_OUT, b, 0), USB_OK, 0);
	data = start(&k, STORAGE_EP_OUT, b, 512);
	fake_work();
	expect(data, USB_OK, 512);
	f = start(&k, STORAGE_EP_IN, NULL, 13);
	assert_int_equal(csw_of(f).status, 0);
	fake_xfer_free(f);
	check_works(&k);
	disk_close(&k);
}

/* Two commands queued behind each other, IN ends first of all. */
static void commands_queued_ahead_run_in_order(void **state)
{
	struct fake_xfer *in[4], *out[2];
	struct disk k;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, false);
	for (int i = 0; i < 4; i++)
		in[i] = start(&k, STORAGE_EP_IN, NULL, i & 1 ? 13 : 1024);
	out[0] = start_cbw(&k, 0x28, 3, 2);
	out[1] = start_cbw(&k, 0x28, 7, 2);
	assert_false(out[1]->done);
	fake_work();
	expect(out[0], USB_OK, 31);
	expect(out[1], USB_OK, 31);
	assert_int_equal(in[0]->mem[0], disk_byte(3 * 512));
	assert_int_equal(in[2]->mem[0], disk_byte(7 * 512));
	for (int i = 0; i < 4; i++)
		expect(in[i], USB_OK, i & 1 ? 13 : 1024);
	disk_close(&k);
}

/* Cancel what is held, before its phase: the device has not seen it. */
static void cancel_takes_back_what_is_held(void **state)
{
	struct fake_xfer *a, *b, *c, *csw;
	struct disk k;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, false);
	a = start(&k, STORAGE_EP_IN, NULL, 512);
	b = start(&k, STORAGE_EP_IN, NULL, 512);
	c = start(&k, STORAGE_EP_IN, NULL, 512);
	k.dev->ops->cancel(k.dev, &b->x);
	expect(b, USB_CANCELLED, 0);
	k.dev->ops->cancel(k.dev, &c->x);
	expect(c, USB_CANCELLED, 0);
	csw = start(&k, STORAGE_EP_IN, NULL, 13);
	expect(start_cbw(&k, 0x28, 3, 1), USB_OK, 31);
	fake_work();
	assert_int_equal(a->mem[0], disk_byte(3 * 512));
	expect(a, USB_OK, 512);
	expect(csw, USB_OK, 13);
	check_works(&k);
	disk_close(&k);
}

/*
 * Cancel while the worker uses the transfer's memory: it stays until the job
 * is done, and the data phase goes on behind what was moved.
 */
static void cancel_waits_for_the_job(void **state)
{
	struct fake_xfer *big, *csw;
	uint8_t *mem;
	struct disk k;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, false);
	/* a job that fills the transfer: as if not cancelled */
	expect(start_cbw(&k, 0x28, 0, 2), USB_OK, 31);
	big = start(&k, STORAGE_EP_IN, NULL, 512);
	k.dev->ops->cancel(k.dev, &big->x);
	assert_false(big->done);
	fake_work();
	expect(big, USB_OK, 512);
	big = start(&k, STORAGE_EP_IN, NULL, 512);
	csw = start(&k, STORAGE_EP_IN, NULL, 13);
	fake_work();
	assert_int_equal(big->mem[0], disk_byte(512));
	expect(big, USB_OK, 512);
	expect(csw, USB_OK, 13);
	/* one that fills part of it: what was moved, then the rest */
	expect(start_cbw(&k, 0x28, 0, 4000), USB_OK, 31);
	big = start(&k, STORAGE_EP_IN, NULL, 4000 * 512);
	k.dev->ops->cancel(k.dev, &big->x);
	fake_work();
	expect(big, USB_CANCELLED, IMAGE_CHUNK);
	big = start(&k, STORAGE_EP_IN, NULL, 4000 * 512 - IMAGE_CHUNK);
	csw = start(&k, STORAGE_EP_IN, NULL, 13);
	fake_work();
	mem = big->mem;
	for (size_t i = 0; i < big->x.length; i++) {
		if (mem[i] != disk_byte(IMAGE_CHUNK + i))
			fail_msg("byte %zu", i);
	}
	expect(big, USB_OK, 4000 * 512 - IMAGE_CHUNK);
	assert_int_equal(csw_of(csw).status, 0);
	assert_int_equal(csw_of(csw).residue, 0);
	fake_xfer_free(csw);
	check_works(&k);
	disk_close(&k);
}

/* How a command is given up on. */
enum give_up { BUS_RESET, CLASS_RESET, RECONFIGURE, UNPLUG, NWAYS };

/*
 * A WRITE of two transfers with FUA, stopped after @step of: CBW, data sent,
 * its job done, data sent, its job done, flushed. Then all of it again.
 */
static void give_up_at(unsigned step, enum give_up how, bool inline_io)
{
	static const uint8_t ones[1024] = {1};
	struct fake_xfer *t[4] = {NULL};
	uint8_t cdb[10];
	struct disk k;
	unsigned n = 0;

	disk_open(&k, DISK_BLOCKS * 512, false, inline_io);
	cdb_rw10(cdb, 0x2a, 20, 2);
	cdb[1] = 8;
	t[n++] = start(&k, STORAGE_EP_IN, NULL, 13);
	if (step >= 1) {
		t[n] = cbw_xfer(1, 1024, false, cdb, 10);
		fake_submit(k.dev, t[n++]);
	}
	for (unsigned i = 2; i <= 5 && i <= step; i++) {
		if (i & 1)
			fake_work();
		else
			t[n++] = start(&k, STORAGE_EP_OUT, ones, 512);
	}
	for (unsigned i = n; how == UNPLUG && i-- > 0;) {
		if (!t[i]->done)
			k.dev->ops->cancel(k.dev, &t[i]->x);
	}
	if (how == BUS_RESET)
		disk_configure(&k);
	else if (how == CLASS_RESET)
		assert_int_equal(mass_storage_reset(&k), 0);
	else if (how == RECONFIGURE)
		fake_control(k.dev, 0, USB_REQ_SET_CONFIGURATION, 1, 0, NULL,
			     0);
	if (how == CLASS_RESET && !t[0]->done)
		k.dev->ops->cancel(k.dev, &t[0]->x);
	if (how != UNPLUG) /* a job that still runs is waited for */
		check_works(&k);
	fake_work();
	for (unsigned i = 0; i < n; i++)
		fake_xfer_free(t[i]);
	disk_close(&k);
}

static void every_step_can_be_given_up(void **state)
{
	(void)state;
	for (unsigned step = 0; step <= 5; step++) {
		for (int how = 0; how < NWAYS; how++) {
			give_up_at(step, (enum give_up)how, false);
			give_up_at(step, (enum give_up)how, true);
		}
	}
}

/* What is held when the bus is reset ends there and then. */
static void bus_reset_ends_what_is_held(void **state)
{
	struct fake_xfer *a, *b;
	struct disk k;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, true);
	a = start(&k, STORAGE_EP_IN, NULL, 512);
	b = start(&k, STORAGE_EP_IN, NULL, 13);
	fake.resets = 0;
	k.dev->ops->reset(k.dev);
	assert_int_equal(fake.resets, 1);
	expect(a, USB_CANCELLED, 0);
	expect(b, USB_CANCELLED, 0);
	expect(start(&k, STORAGE_EP_IN, NULL, 13), USB_ERROR, 0);
	disk_configure(&k);
	check_works(&k);
	disk_close(&k);
}

/* Half of a transfer moved when the command is reset away: nobody's data. */
static void reset_amid_a_transfer_leaves_nothing_behind(void **state)
{
	struct fake_xfer *cbw, *big;
	struct disk k;

	(void)state;
	for (int how = BUS_RESET; how <= RECONFIGURE; how++) {
		uint8_t *data = malloc(4000 * 512);

		memset(data, 0x99, 4000 * 512);
		disk_open(&k, DISK_BLOCKS * 512, false, false);
		cbw = start_cbw(&k, 0x2a, 0, 4000);
		expect(cbw, USB_OK, 31);
		big = start(&k, STORAGE_EP_OUT, data, 4000 * 512);
		assert_non_null(fake.work);
		if (how == BUS_RESET)
			disk_configure(&k);
		else if (how == CLASS_RESET)
			assert_int_equal(mass_storage_reset(&k), 0);
		else
			fake_control(k.dev, 0, USB_REQ_SET_CONFIGURATION, 1, 0,
				     NULL, 0);
		assert_false(big->done); /* the worker has its memory */
		check_works(&k);
		expect(big, USB_CANCELLED, IMAGE_CHUNK);
		free(data);
		disk_close(&k);
	}
}

/* Unplugged while a flush runs: nothing is freed under the worker. */
static void device_lives_until_its_job_is_done(void **state)
{
	static const uint8_t sync[10] = {0x35};
	struct fake_xfer *cbw;
	struct disk k;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, false);
	cbw = cbw_xfer(1, 0, false, sync, 10);
	fake_submit(k.dev, cbw);
	expect(cbw, USB_OK, 31);
	assert_non_null(fake.work);
	k.dev->ops->free(k.dev);
	assert_int_equal(k.s->target.lu[0].wce,
			 true); /* still there: ASan looks */
	assert_int_equal(fake_work(), 1);
	close(k.fd);
	unlink(k.path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(class_requests),
		cmocka_unit_test(
			invalid_cbw_halts_both_pipes_until_reset_recovery),
		cmocka_unit_test(host_can_halt_a_pipe_at_any_time),
		cmocka_unit_test(transfers_that_do_not_fit_the_phase),
		cmocka_unit_test(commands_queued_ahead_run_in_order),
		cmocka_unit_test(cancel_takes_back_what_is_held),
		cmocka_unit_test(cancel_waits_for_the_job),
		cmocka_unit_test(every_step_can_be_given_up),
		cmocka_unit_test(bus_reset_ends_what_is_held),
		cmocka_unit_test(reset_amid_a_transfer_leaves_nothing_behind),
		cmocka_unit_test(device_lives_until_its_job_is_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
