/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The replaying device and a guest that does not do what the recorded host
 * did: other requests, other lengths, more than there is, another order.
 * (That it answers one that does is what tests/unit/lib_trace_test.c shows.)
 */
#include "devices_clock.h"

#include "devices/gadget.h"
#include "devices/replay.h"

#define ZERO "fixtures/captures/zero-high.pcapng"

static struct usb_dev *open_dev(enum replay_pace pace)
{
	struct replay_opt o = {.path = ZERO, .pace = pace};
	struct usb_dev *d = NULL;
	char err[256] = "";

	clock_init();
	if (replay_open(&o, &d, err, sizeof(err)) != 0)
		fail_msg("%s", err);
	d->pm = (struct pmapper *)&timers;
	d->ops->reset(d);
	return d;
}

static void close_dev(struct usb_dev *d)
{
	d->ops->free(d);
	assert_true(clock_deadline() == UINT64_MAX);
}

/* A request; the bytes moved, or -EPIPE. It takes at most @wait_ns. */
static int ask(struct usb_dev *d, uint8_t rt, uint8_t req, uint16_t value,
	       uint16_t index, void *buf, uint16_t len, uint64_t wait_ns)
{
	struct fake_xfer *f = fake_xfer(0, NULL, len, 0);
	int rc;

	f->x.in = (rt & USB_DIR_IN) != 0;
	f->x.setup = (struct usb_setup){rt, req, value, index, len};
	fake_submit(d, f);
	clock_to(timers.now + wait_ns);
	assert_true(f->done);
	rc = f->x.status == USB_OK ? (int)f->x.actual : -EPIPE;
	if (f->x.in && rc > 0)
		memcpy(buf, f->mem, (size_t)rc);
	fake_xfer_free(f);
	return rc;
}

static void descriptors_of_any_length(void **state)
{
	struct usb_dev *d = open_dev(REPLAY_AT_ONCE);
	uint8_t whole[512], part[512];

	(void)state;
	assert_int_equal(ask(d, 0x80, 6, 0x0200, 0, whole, 500, 0), 92);
	assert_int_equal(whole[2] | whole[3] << 8, 92);
	for (uint16_t n = 1; n < 92; n += 7) {
		if (n == 8 || n == 9) /* as was asked then: in its order */
			continue;
		assert_int_equal(ask(d, 0x80, 6, 0x0200, 0, part, n, 0), n);
		assert_memory_equal(part, whole, n);
	}
	assert_int_equal(ask(d, 0x80, 6, 0x0100, 0, part, 64, 0), 18);
	assert_int_equal(part[8] | part[9] << 8, 0x0525);
	/* a string, whose recorded answer is longer */
	assert_int_equal(ask(d, 0x80, 6, 0x0302, 0x409, part, 4, 0), 4);
	assert_int_equal(part[1], 3);
	assert_int_equal(fake.logs, 0);
	close_dev(d);
}

static void the_last_answer_again(void **state)
{
	struct usb_dev *d = open_dev(REPLAY_AT_ONCE);
	uint8_t a[18], b[18];

	(void)state;
	assert_int_equal(ask(d, 0x80, 6, 0x0100, 0, a, 8, 0), 8);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(ask(d, 0x80, 6, 0x0100, 0, b, 8, 0), 8);
		assert_memory_equal(a, b, 8);
	}
	/* a stall too */
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(
			ask(d, 0x80, 6, 0x2900, 0, b, 64, 2 * MS * 1000),
			-EPIPE);
	assert_int_equal(fake.logs, 0);
	close_dev(d);
}

static void standard_requests_follow(void **state)
{
	static const struct {
		uint8_t rt, req;
		uint16_t value, index, len;
		int want;
	} rows[] = {
		{0x00, 9, 2, 0, 0, 0},       {0x80, 8, 0, 0, 1, 1},
		{0x00, 9, 77, 0, 0, -EPIPE}, {0x80, 0, 0, 0, 2, 2},
		{0x82, 0, 0, 0x81, 2, 2},    {0x02, 1, 0, 0x81, 0, 0},
		{0x81, 10, 0, 0, 1, 1},      {0x81, 10, 0, 9, 1, -EPIPE},
		{0x01, 11, 9, 0, 0, -EPIPE}, {0x00, 48, 0, 0, 6, -EPIPE},
		{0x00, 3, 48, 0, 0, -EPIPE}, {0x00, 3, 2, 0, 0, -EPIPE},
	};
	struct usb_dev *d = open_dev(REPLAY_AT_ONCE);
	uint8_t buf[16];

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int got = ask(d, rows[i].rt, rows[i].req, rows[i].value,
			      rows[i].index, buf, rows[i].len, 2000 * MS);

		if (got != rows[i].want)
			fail_msg("row %u: %d", i, got);
		if (i == 1)
			assert_int_equal(buf[0], 2);
	}
	close_dev(d);
}

/* A STALL, and a line; a guest that goes on fills no log. */
static void what_is_not_there_stalls(void **state)
{
	struct usb_dev *d = open_dev(REPLAY_AT_ONCE);
	uint8_t buf[16];

	(void)state;
	assert_int_equal(ask(d, 0xc0, 0x77, 1, 2, buf, 16, 0), -EPIPE);
	assert_int_equal(fake.logs, 1);
	assert_int_equal(ask(d, 0x40, 0x77, 1, 2, buf, 3, 0), -EPIPE);
	assert_int_equal(fake.logs, 2);
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(ask(d, 0xc0, 0x77, 1, 2, buf, 16, 0), -EPIPE);
	assert_in_range(fake.logs, 10, 40);
	close_dev(d);
}

static struct fake_xfer *start(struct usb_dev *d, uint8_t ep, uint8_t type,
			       uint32_t len)
{
	struct fake_xfer *f = fake_xfer(ep, NULL, len, 0);

	f->x.type = type;
	fake_submit(d, f);
	clock_to(timers.now);
	return f;
}

static void cancel(struct usb_dev *d, struct fake_xfer *f)
{
	d->ops->cancel(d, &f->x);
	assert_ended(f, USB_CANCELLED, 0);
	fake_xfer_free(f);
}

static void an_endpoint_that_is_not_there(void **state)
{
	struct usb_dev *d = open_dev(REPLAY_AT_ONCE);
	struct fake_xfer *f = start(d, 0x8f, USB_BULK, 64);

	(void)state;
	assert_ended(f, USB_STALL, 0);
	fake_xfer_free(f);
	f = start(d, 0x0e, USB_INTERRUPT, 64);
	assert_ended(f, USB_STALL, 0);
	fake_xfer_free(f);
	/* nothing to tell is no error for these */
	f = start(d, 0x8d, USB_INTERRUPT, 64);
	clock_to(timers.now + 10000 * MS);
	assert_false(f->done);
	assert_int_equal(fake.logs, 3);
	cancel(d, f);
	close_dev(d);
}

/*
 * Bulk data before the requests that came before it: the guest is waited for
 * a second, and from then on not.
 */
static void a_guest_that_leaves_things_out(void **state)
{
	struct usb_dev *d = open_dev(REPLAY_AT_ONCE);
	struct fake_xfer *f = start(d, 0x01, USB_BULK, 512);

	(void)state;
	clock_to(timers.now + 900 * MS);
	assert_false(f->done);
	clock_to(timers.now + 400 * MS);
	assert_ended(f, USB_OK, 512);
	fake_xfer_free(f);
	/* in their order again, the one a half of what it was */
	f = start(d, 0x81, USB_BULK, 256);
	assert_ended(f, USB_OK, 256);
	fake_xfer_free(f);
	f = start(d, 0x81, USB_BULK, 256);
	assert_ended(f, USB_OK, 256);
	fake_xfer_free(f);
	close_dev(d);
}

/* In the capture it took 1 byte behind the first 512. */
static void a_reset_begins_anew(void **state)
{
	struct usb_dev *d = open_dev(REPLAY_AT_ONCE);
	struct fake_xfer *f = start(d, 0x01, USB_BULK, 512);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		clock_to(timers.now + 1500 * MS);
		assert_ended(f, USB_OK, 512);
		fake_xfer_free(f);
		f = start(d, 0x81, USB_BULK, 512);
		assert_ended(f, USB_OK, 512);
		fake_xfer_free(f);
		d->ops->reset(d);
		f = start(d, 0x01, USB_BULK, 512);
		assert_false(f->done);
	}
	cancel(d, f);
	assert_int_equal(fake.resets, 4);
	close_dev(d);
}

/* Nothing is used up by a guest that takes its transfer back. */
static void what_is_cancelled_comes_later(void **state)
{
	struct usb_dev *d = open_dev(REPLAY_RECORDED);
	struct fake_xfer *f = start(d, 0x01, USB_BULK, 512);

	(void)state;
	assert_false(f->done);
	cancel(d, f);
	f = start(d, 0x01, USB_BULK, 512);
	clock_to(timers.now + 1500 * MS);
	assert_ended(f, USB_OK, 512);
	fake_xfer_free(f);
	close_dev(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_of_any_length),
		cmocka_unit_test(the_last_answer_again),
		cmocka_unit_test(standard_requests_follow),
		cmocka_unit_test(what_is_not_there_stalls),
		cmocka_unit_test(an_endpoint_that_is_not_there),
		cmocka_unit_test(a_guest_that_leaves_things_out),
		cmocka_unit_test(a_reset_begins_anew),
		cmocka_unit_test(what_is_cancelled_comes_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
