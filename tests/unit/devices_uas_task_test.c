/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * USB Attached SCSI: every information unit good and bad, task management,
 * tags used twice, and commands that end early at each step of their way.
 */
#include "devices_uas_fake.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/* An IU as it is sent, and the answer to tag 0005h. */
static const struct iu_row {
	const char *what;
	uint8_t iu[48];
	size_t len;
	enum { NOTHING, STALL, RESPONSE, SENSE } answer;
	uint8_t code; /* RESPONSE CODE, or status */
} ius[] = {
	{"TEST UNIT READY", {1, 0, 0, 5}, 32, SENSE, 0},
	{"reserved bytes set", {1, 255, 0, 5, 0xf8, 255, 3, 255}, 32, SENSE, 0},
	{"head of queue", {1, 0, 0, 5, 1}, 32, SENSE, 0},
	{"ordered", {1, 0, 0, 5, 2}, 32, SENSE, 0},
	{"ACA attribute", {1, 0, 0, 5, 4}, 32, RESPONSE, 2},
	{"attribute 7", {1, 0, 0, 5, 7}, 32, RESPONSE, 2},
	{"4 CDB bytes more", {1, 0, 0, 5, 0, 0, 4}, 36, SENSE, 0},
	{"4 CDB bytes missing", {1, 0, 0, 5, 0, 0, 4}, 32, RESPONSE, 2},
	{"4 bytes behind it", {1, 0, 0, 5}, 36, RESPONSE, 2},
	{"long CDB missing", {1, 0, 0, 5, 0, 0, 252}, 32, RESPONSE, 2},
	{"variable length CDB",
	 {1, 0, 0, 5, 0, 0, 16, [16] = 0x7f, [23] = 24},
	 48,
	 SENSE,
	 2},
	{"one byte short", {1, 0, 0, 5}, 31, RESPONSE, 2},
	{"header only", {1, 0, 0, 5}, 4, RESPONSE, 2},
	{"LUN 1", {1, 0, 0, 5, [9] = 1}, 32, RESPONSE, 9},
	{"deep LUN", {1, 0, 0, 5, [15] = 1}, 32, RESPONSE, 9},
	{"REPORT LUNS LUN", {1, 0, 0, 5, [8] = 0xc1, 1}, 32, RESPONSE, 9},
	{"no id", {0, 0, 0, 5}, 32, RESPONSE, 2},
	{"id 2", {2, 0, 0, 5}, 32, RESPONSE, 2},
	{"SENSE IU", {3, 0, 0, 5}, 34, RESPONSE, 2},
	{"RESPONSE IU", {4, 0, 0, 5}, 8, RESPONSE, 2},
	{"READ READY IU", {6, 0, 0, 5}, 4, RESPONSE, 2},
	{"id 255", {255, 0, 0, 5}, 16, RESPONSE, 2},
	{"no tag", {1}, 3, STALL, 0},
	{"nothing", {0}, 0, STALL, 0},
	{"tag 0", {1}, 32, STALL, 0},
	{"tag FFFFh", {1, 0, 255, 255}, 32, STALL, 0},
	{"task, tag 0", {5, 0, 0, 0, 1}, 16, STALL, 0},
	{"ABORT TASK", {5, 0, 0, 5, 1, 0, 0, 9}, 16, RESPONSE, 0},
	{"ABORT TASK of itself", {5, 0, 0, 5, 1, 0, 0, 5}, 16, RESPONSE, 0},
	{"ABORT TASK SET", {5, 0, 0, 5, 2}, 16, RESPONSE, 0},
	{"CLEAR TASK SET", {5, 0, 0, 5, 4}, 16, RESPONSE, 0},
	{"LOGICAL UNIT RESET", {5, 0, 0, 5, 8}, 16, RESPONSE, 0},
	{"I_T NEXUS RESET", {5, 0, 0, 5, 16}, 16, RESPONSE, 0},
	{"I_T NEXUS RESET, LUN", {5, 0, 0, 5, 16, [9] = 1}, 16, RESPONSE, 0},
	{"CLEAR ACA", {5, 0, 0, 5, 64}, 16, RESPONSE, 4},
	{"QUERY TASK", {5, 0, 0, 5, 128, 0, 0, 9}, 16, RESPONSE, 0},
	{"QUERY TASK of itself", {5, 0, 0, 5, 128, 0, 0, 5}, 16, RESPONSE, 0},
	{"QUERY TASK SET", {5, 0, 0, 5, 129}, 16, RESPONSE, 0},
	{"QUERY ASYNC EVENT", {5, 0, 0, 5, 130}, 16, RESPONSE, 0},
	{"function 0", {5, 0, 0, 5}, 16, RESPONSE, 4},
	{"function 3", {5, 0, 0, 5, 3}, 16, RESPONSE, 4},
	{"function, LUN 1", {5, 0, 0, 5, 8, [9] = 1}, 16, RESPONSE, 9},
	{"function, short", {5, 0, 0, 5, 8}, 15, RESPONSE, 2},
	{"function, long", {5, 0, 0, 5, 8}, 17, RESPONSE, 2},
};

static void each_iu_has_its_answer(void **state)
{
	(void)state;
	for (size_t i = 0; i < 2 * N(ius); i++) {
		const struct iu_row *r = &ius[i / 2];
		struct fake_xfer *st, *c;
		struct disk k;

		uas_open(&k, uas_speeds[i & 1], true);
		st = start_status(&k, 5);
		c = uas_start(&k, STORAGE_EP_COMMAND, 0, r->iu, r->len);
		if (r->answer == STALL) {
			expect(c, USB_STALL, 0);
			take_back(&k, st);
			assert_int_equal(halt_status(&k, STORAGE_EP_COMMAND),
					 1);
			assert_int_equal(clear_halt(&k, STORAGE_EP_COMMAND), 0);
		} else {
			expect(c, USB_OK, (uint32_t)r->len);
			if (!st->done)
				fail_msg("%s", r->what);
			if (r->answer == RESPONSE)
				expect_response(st, 5, r->code);
			else
				expect_sense(st, 5, r->code, 0x52000);
		}
		uas_check_works(&k);
		disk_close(&k);
	}
}

/* With streams only their ids can be tags. */
static void tags_are_streams_where_there_are_any(void **state)
{
	static const uint8_t tur[6];
	struct disk k;

	(void)state;
	uas_open(&k, USB_SPEED_SUPER, true);
	expect(start_command(&k, 17, tur, 6), USB_STALL, 0);
	assert_int_equal(clear_halt(&k, STORAGE_EP_COMMAND), 0);
	expect(uas_start(&k, STORAGE_EP_STATUS, 0, NULL, 64), USB_ERROR, 0);
	expect(uas_start(&k, STORAGE_EP_STATUS, 17, NULL, 64), USB_ERROR, 0);
	expect(uas_start(&k, STORAGE_EP_IN, 0xffff, NULL, 64), USB_ERROR, 0);
	uas_check_works(&k);
	disk_close(&k);
	uas_open(&k, USB_SPEED_HIGH, true);
	expect(start_command(&k, 0xfffe, tur, 6), USB_OK, 32);
	expect_good(start_status(&k, 0), 0xfffe);
	disk_close(&k);
}

/* How far a command has come. */
enum step {
	BEHIND_ORDERED,
	WANTS_READY, /* high speed: the status transfer for READ READY */
	WANTS_DATA,
	READS,
	WRITES,
	FLUSHES,
	WANTS_STATUS,
	NSTEPS
};

struct on_its_way {
	struct fake_xfer *x; /* its data, or NULL */
	bool has_job;
};

/* Bring a command with tag 5 to @step. False: there is none at this speed. */
static bool bring(struct disk *k, enum step step, struct on_its_way *ret)
{
	bool streams = k->s->uas.streams;
	uint8_t cdb[16] = {0}, iu[32], op = step == WRITES ? 0x2a : 0x28;
	uint8_t data[1024] = {1};

	*ret = (struct on_its_way){NULL, false};
	if (step == WANTS_READY && streams)
		return false;
	if (step == FLUSHES)
		cdb[0] = 0x35;
	else if (step != WANTS_STATUS)
		cdb_rw10(cdb, op, 20, 2);
	put_command(iu, 5, cdb, 16);
	if (step == BEHIND_ORDERED) {
		expect(start_rw(k, 7, 0x2a, 0, 1), USB_OK, 32);
		if (!streams)
			expect_ready(start_status(k, 7), 7, 7);
		iu[4] = 2;
	}
	expect(uas_start(k, STORAGE_EP_COMMAND, 5, iu, 32), USB_OK, 32);
	if (!streams && step >= WANTS_DATA && step <= WRITES)
		expect_ready(start_status(k, 5), 5, step == WRITES ? 7 : 6);
	if (step == READS)
		ret->x = uas_start(k, STORAGE_EP_IN, 5, NULL, 1024);
	if (step == WRITES)
		ret->x = uas_start(k, STORAGE_EP_OUT, 5, data, 1024);
	ret->has_job = step == READS || step == WRITES || step == FLUSHES;
	assert_int_equal(fake.work != NULL, ret->has_job);
	return true;
}

static const uint8_t aborting[] = {1, 2, 4, 8, 16};

/* Is tag 5 there? Only where no other IU waits for a status transfer. */
static void query_task(struct disk *k, uint8_t code)
{
	expect(start_task(k, 6, UAS_QUERY_TASK, 5), USB_OK, 16);
	expect_response(start_status(k, 6), 6, code);
}

/* The answer comes when nothing of the command is left; then it is gone. */
static void a_command_is_aborted_at_each_step(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2 * NSTEPS * N(aborting); i++) {
		enum step step = i / 2 / N(aborting);
		struct on_its_way w;
		struct fake_xfer *st;
		struct disk k;

		uas_open(&k, uas_speeds[i & 1], false);
		if (!bring(&k, step, &w)) {
			disk_close(&k);
			continue;
		}
		if (step != WANTS_READY && step != WANTS_STATUS)
			query_task(&k, UAS_RC_SUCCEEDED);
		expect(start_task(&k, 6, aborting[i / 2 % N(aborting)], 5),
		       USB_OK, 16);
		st = start_status(&k, 6);
		assert_int_equal(st->done, !w.has_job);
		if (w.x && i & 2)
			k.dev->ops->cancel(k.dev, &w.x->x);
		fake_work();
		expect_response(st, 6, UAS_RC_COMPLETE);
		if (w.x)
			expect(w.x, i & 2 ? USB_CANCELLED : USB_OK, 1024);
		query_task(&k, UAS_RC_COMPLETE);
		take_back(&k, start_status(&k, 5));
		uas_select(&k, 1);
		uas_check_works(&k);
		disk_close(&k);
	}
}

/* What the guest changed is as it was after a reset, and not before. */
static void resets_undo_mode_select(void **state)
{
	(void)state;
	for (size_t i = 0; i < N(aborting); i++) {
		struct disk k;

		uas_open(&k, USB_SPEED_SUPER, true);
		k.s->target.lu[0].wce = false;
		expect(start_task(&k, 6, aborting[i], 5), USB_OK, 16);
		expect_response(start_status(&k, 6), 6, UAS_RC_COMPLETE);
		assert_int_equal(k.s->target.lu[0].wce, aborting[i] >= 8);
		disk_close(&k);
	}
}

/* Setting, configuration, reset, unplug: at each step. */
static void all_state_is_dropped_at_each_step(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8 * NSTEPS; i++) {
		unsigned how = i / 2 % 4;
		struct fake_xfer *held;
		struct on_its_way w;
		struct disk k;

		uas_open(&k, uas_speeds[i & 1], false);
		if (!bring(&k, i / 8, &w)) {
			disk_close(&k);
			continue;
		}
		held = uas_new(&k, STORAGE_EP_IN, 9, NULL, 64, 0);
		if (k.s->uas.streams)
			fake_submit(k.dev, held);
		else
			held->done = true, held->x.status = USB_ERROR;
		if (how == 0)
			uas_select(&k, 1);
		else if (how == 1)
			uas_select(&k, 0);
		else
			disk_configure(&k); /* resets first */
		assert_true(held->done);
		if (k.s->uas.streams && how < 2)
			assert_int_equal(held->x.status, USB_ERROR);
		else if (k.s->uas.streams)
			assert_int_equal(held->x.status, USB_CANCELLED);
		fake_xfer_free(held);
		if (w.x && how == 3)
			k.dev->ops->cancel(k.dev, &w.x->x);
		assert_int_equal(fake_work(), w.has_job);
		if (w.x)
			expect(w.x,
			       how == 3 || how == 2 ? USB_CANCELLED : USB_ERROR,
			       1024);
		if (how == 0) {
			uas_check_works(&k);
		} else {
			check_works(&k);
			uas_select(&k, 1);
			uas_check_works(&k);
		}
		assert_int_equal(k.s->uas.used, 0);
		disk_close(&k);
	}
}

/* What was aborted cannot write over what came after it. */
static void nothing_begins_before_aborted_jobs_are_over(void **state)
{
	uint8_t cdb[10], old[1024], new[1024], now[1024];

	(void)state;
	memset(old, 1, sizeof(old));
	memset(new, 2, sizeof(new));
	for (unsigned i = 0; i < 4; i++) {
		bool streams = i & 1, to_bot = i & 2;
		struct fake_xfer *x, *c, *y, *st;
		struct disk k;

		uas_open(&k, uas_speeds[streams], false);
		expect(start_rw(&k, 1, 0x2a, 20, 2), USB_OK, 32);
		if (!streams)
			expect_ready(start_status(&k, 1), 1, 7);
		x = uas_start(&k, STORAGE_EP_OUT, 1, old, 1024);
		uas_select(&k, to_bot ? 0 : 1);
		if (to_bot) {
			cdb_rw10(cdb, 0x2a, 20, 2);
			c = cbw_xfer(9, 1024, false, cdb, 10);
			fake_submit(k.dev, c);
			assert_false(c->done);
			y = start(&k, STORAGE_EP_OUT, new, 1024);
			fake_work();
			expect(c, USB_OK, 31);
			csw_of(st = start(&k, STORAGE_EP_IN, NULL, 13));
			fake_xfer_free(st);
		} else {
			st = start_status(&k, 2);
			expect(start_rw(&k, 2, 0x2a, 20, 2), USB_OK, 32);
			assert_false(st->done);
			if (!streams) {
				fake_work();
				expect_ready(st, 2, 7);
				st = start_status(&k, 2);
			}
			y = uas_start(&k, STORAGE_EP_OUT, 2, new, 1024);
			fake_work();
			expect_good(st, 2);
		}
		expect(x, USB_ERROR, 1024);
		expect(y, USB_OK, 1024);
		assert_int_equal(pread(k.fd, now, 1024, 20 * 512), 1024);
		assert_memory_equal(now, new, 1024);
		disk_close(&k);
	}
}

/* The other way round: a bulk-only job is over before UAS begins. */
static void bulk_only_jobs_are_waited_for(void **state)
{
	struct fake_xfer *x, *st;
	uint8_t tur[6] = {0}, data[512] = {0};
	struct disk k;

	(void)state;
	disk_open_at(&k, USB_SPEED_SUPER, DISK_BLOCKS * 512, false, false);
	expect(start_cbw(&k, 0x2a, 0, 1), USB_OK, 31);
	x = start(&k, STORAGE_EP_OUT, data, 512);
	uas_select(&k, 1);
	st = start_status(&k, 1);
	expect(start_command(&k, 1, tur, 6), USB_OK, 32);
	assert_false(st->done);
	fake_work();
	expect(x, USB_CANCELLED, 512);
	expect_good(st, 1);
	disk_close(&k);
}

/* The same tag again: all commands are aborted, one answer is given. */
static void overlapped_tags_abort_everything(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4 * NSTEPS; i++) {
		bool task = i & 2;
		struct fake_xfer *st, *c;
		struct on_its_way w;
		struct disk k;

		uas_open(&k, uas_speeds[i & 1], false);
		if (!bring(&k, i / 4, &w)) {
			disk_close(&k);
			continue;
		}
		c = task ? start_task(&k, 5, 0x80, 7)
			 : start_rw(&k, 5, 0x28, 0, 1);
		expect(c, USB_OK, task ? 16 : 32);
		st = start_status(&k, 5);
		assert_int_equal(st->done, !w.has_job);
		fake_work();
		if (task)
			expect_response(st, 5, 0x0a);
		else
			expect_sense(st, 5, 2, 0xb4e00);
		if (w.x)
			expect(w.x, USB_OK, 1024);
		assert_int_equal(k.s->uas.used, 0);
		uas_check_works(&k);
		disk_close(&k);
	}
}

/* The tag of a function that was not answered yet is in use as well. */
static void overlapped_functions_are_answered_once(void **state)
{
	struct disk k;

	(void)state;
	uas_open(&k, USB_SPEED_HIGH, true);
	expect(start_task(&k, 5, 0x08, 0), USB_OK, 16);
	expect(start_task(&k, 5, 0x08, 0), USB_OK, 16);
	expect_response(start_status(&k, 0), 5, 0x0a);
	assert_int_equal(k.s->uas.used, 0);
	disk_close(&k);
}

/* Each transfer is taken back and given again: the command ends well. */
static void transfers_are_cancelled_at_each_step(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		bool streams = i & 1, in = i & 2;
		uint8_t ep = in ? STORAGE_EP_IN : STORAGE_EP_OUT;
		struct fake_xfer *st, *x;
		uint8_t data[1024] = {0};
		struct disk k;

		uas_open(&k, uas_speeds[streams], false);
		take_back(&k, start_status(&k, 4));
		if (streams)
			take_back(&k, uas_start(&k, ep, 4, data, 1024));
		expect(start_rw(&k, 4, in ? 0x28 : 0x2a, 8, 2), USB_OK, 32);
		st = start_status(&k, 4);
		if (!streams) {
			expect_ready(st, 4, in ? 6 : 7);
			st = start_status(&k, 4);
		}
		/* 1 KiB of data in two transfers, both cancelled in the job:
		 * the first is full by then, which is its end */
		x = uas_start(&k, ep, 4, in ? NULL : data, 512);
		k.dev->ops->cancel(k.dev, &x->x);
		assert_false(x->done);
		fake_work();
		expect(x, USB_OK, 512);
		take_back(&k, st);
		x = uas_start(&k, ep, 4, in ? NULL : data, 512);
		take_back(&k, start_status(&k, 9));
		fake_work();
		expect(x, USB_OK, 512);
		expect_good(start_status(&k, 4), 4);
		disk_close(&k);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_iu_has_its_answer),
		cmocka_unit_test(tags_are_streams_where_there_are_any),
		cmocka_unit_test(a_command_is_aborted_at_each_step),
		cmocka_unit_test(resets_undo_mode_select),
		cmocka_unit_test(all_state_is_dropped_at_each_step),
		cmocka_unit_test(nothing_begins_before_aborted_jobs_are_over),
		cmocka_unit_test(bulk_only_jobs_are_waited_for),
		cmocka_unit_test(overlapped_tags_abort_everything),
		cmocka_unit_test(overlapped_functions_are_answered_once),
		cmocka_unit_test(transfers_are_cancelled_at_each_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
