/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Stop Endpoint on a control endpoint: a request that has begun is not begun
 * again while it can still end by itself.
 */
#include "tests/unit/emu_drv.h"

#define MS 1000000u
#define BUF 0x400000u

/* A vendor request with 8 bytes IN, at TRB @n of EP0's ring; its last TRB */
static uint64_t request(struct fake *f, unsigned n)
{
	uint64_t at = G_RING(1) + n * TRB_SIZE;

	at = put(f, at, 0xc0 | 0x5bull << 8 | 8ull << 48, 8,
		 T(SETUP) | TRB_C | TRB_IDT | 3u << 16);
	at = put(f, at, BUF, 8, T(DATA) | TRB_C | TRB_DIR_IN);
	put(f, at, 0, 0, T(STATUS) | TRB_C | TRB_IOC);
	return at;
}

static struct fake *stop_with_two_queued(uint64_t *ret_stop)
{
	struct fake *f = fake_ready(1);

	request(f, 0);
	request(f, 3);
	ring_db(f, 1, 1);
	assert_int_equal(f->dev[1].nheld, 1); /* one at a time */
	*ret_stop = cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(1));
	run(f);
	assert_int_equal(f->dev[1].cancels, 0);
	assert_int_equal(cmd_result(f, *ret_stop), 0);
	return f;
}

static void a_request_that_ends_is_not_done_again(void **state)
{
	uint64_t stop, last = G_RING(1) + 2 * TRB_SIZE;
	struct fake *f = stop_with_two_queued(&stop);

	(void)state;
	advance(f, 10 * MS);
	dev_end(&f->dev[1], 0, USB_OK, 8);
	assert_int_equal(cmd_result(f, stop), CC_SUCCESS);
	assert_event(xfer_event(f, 0), last, CC_SUCCESS, 0);
	assert_event(xfer_event(f, 1), last + TRB_SIZE,
		     CC_STOPPED_LENGTH_INVALID, 0);
	assert_int_equal(octx_deq(f, 1, 1), (last + TRB_SIZE) | EP_CTX_DCS);
	assert_int_equal(f->dev[1].submits, 1);
	assert_int_equal(f->timer_at, NO_TIME);
	ring_db(f, 1, 1);
	assert_int_equal(f->dev[1].submits, 2);
	dev_end(&f->dev[1], 0, USB_OK, 8);
	assert_int_equal(xfer_events(f), 3);
	fake_free(f);
}

static void one_that_does_not_end_is_cancelled_in_time(void **state)
{
	uint64_t stop, start;
	struct fake *f = stop_with_two_queued(&stop);

	(void)state;
	start = f->now;
	while (f->dev[1].cancels == 0)
		advance(f, MS);
	assert_in_range(f->now - start, 20 * MS, 80 * MS); /* of 100 */
	dev_end_cancelled(&f->dev[1], 0);
	assert_int_equal(cmd_result(f, stop), CC_SUCCESS);
	assert_event(xfer_event(f, 0), G_RING(1), CC_STOPPED_LENGTH_INVALID, 0);
	assert_int_equal(octx_deq(f, 1, 1), G_RING(1) | EP_CTX_DCS);
	fake_free(f);
}

static void a_stall_while_it_waits_halts(void **state)
{
	uint64_t stop;
	struct fake *f = stop_with_two_queued(&stop);

	(void)state;
	dev_end(&f->dev[1], 0, USB_STALL, 0);
	assert_int_equal(cmd_result(f, stop), CC_CONTEXT_STATE_ERROR);
	assert_int_equal(octx_ep_state(f, 1, 1), EP_HALTED);
	assert_int_equal(f->timer_at, NO_TIME);
	fake_free(f);
}

static void a_reset_does_not_wait(void **state)
{
	uint64_t stop;
	struct fake *f = stop_with_two_queued(&stop);

	(void)state;
	wr(f, REG_CMD, CMD_HCRST);
	assert_int_equal(f->dev[1].cancels, 1);
	dev_end_cancelled(&f->dev[1], 0);
	run(f);
	assert_false(rd(f, REG_STS) & STS_CNR);
	assert_int_equal(f->timer_at, NO_TIME);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_that_ends_is_not_done_again),
		cmocka_unit_test(one_that_does_not_end_is_cancelled_in_time),
		cmocka_unit_test(a_stall_while_it_waits_halts),
		cmocka_unit_test(a_reset_does_not_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
