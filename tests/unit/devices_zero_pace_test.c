/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device zero's isochronous and interrupt endpoints: nothing before its
 * time, one a service interval, the pace kept after a late wake, and no timer
 * when there is nothing to do.
 */
#include "devices_zero_fake.h"

#define LEAD MS /* the first of a stream is done this long behind its start */
#define NISO 8u

static void enable(struct usb_dev *d, uint8_t ep, uint8_t interval)
{
	struct usb_ep_info info = {.ep = ep, .interval = interval};

	d->ops->ep_enable(d, &info);
}

static void iso_free(struct iso *i)
{
	fake_xfer_free(i->f);
}

/* Intervals as the descriptors have them, and as the guest says instead. */
static void one_a_service_interval(void **state)
{
	static const struct {
		enum usb_speed speed;
		int interval; /* of ep_enable(), -1: not called */
		uint64_t want_ns;
		uint32_t len;
	} rows[] = {
		{USB_SPEED_FULL, -1, 8 * MS, 1023},
		{USB_SPEED_HIGH, -1, MS, 1024},
		{USB_SPEED_SUPER, -1, MS, 1024},
		{USB_SPEED_SUPER, 0, MS / 8, 1024},
		{USB_SPEED_FULL, 6, 8 * MS, 1023},
	};

	(void)state;
	for (size_t r = 0; r < 2 * sizeof(rows) / sizeof(rows[0]); r++) {
		uint8_t ep = r % 2 ? 0x82 : 0x02;
		struct usb_dev *d =
			zero_at(rows[r / 2].speed, CONFIG_SOURCE, 1);
		uint64_t step = rows[r / 2].want_ns, t0 = timers.now;
		struct iso iso[NISO];

		if (rows[r / 2].interval >= 0)
			enable(d, ep, (uint8_t)rows[r / 2].interval);
		for (uint32_t i = 0; i < NISO; i++)
			iso_submit(d, &iso[i], ep, NULL, rows[r / 2].len,
				   5000 + i * (uint32_t)(step / 125000));
		for (unsigned i = 0; i < NISO; i++) {
			clock_to(t0 + LEAD + i * step - 1);
			assert_false(iso[i].f->done);
			clock_to(t0 + LEAD + i * step);
			assert_ended(iso[i].f, USB_OK, rows[r / 2].len);
			assert_int_equal(iso[i].packet.status, USB_OK);
			assert_int_equal(iso[i].packet.actual, rows[r / 2].len);
			assert_int_equal(iso[i].f->mem[7],
					 ep == 0x82 ? 0 : 0xee);
			iso_free(&iso[i]);
		}
		assert_true(clock_deadline() == UINT64_MAX);
		assert_int_equal(timers.fired, NISO);
		zero_end(d);
	}
}

/* Several at once where they should be done by then, and none that should not */
static void a_late_wake_catches_up(void **state)
{
	struct usb_dev *d = zero_at(USB_SPEED_HIGH, CONFIG_SOURCE, 1);
	uint64_t t0 = timers.now + LEAD;
	struct iso iso[NISO];

	(void)state;
	for (uint32_t i = 0; i < NISO; i++)
		iso_submit(d, &iso[i], 0x82, NULL, 1024, 80 + 8 * i);
	clock_late(t0 + 5 * MS + MS / 2);
	for (unsigned i = 0; i < NISO; i++)
		assert_int_equal(iso[i].f->done, i <= 5);
	assert_int_equal(clock_deadline(), t0 + 6 * MS);
	clock_to(t0 + 7 * MS);
	for (unsigned i = 0; i < NISO; i++)
		iso_free(&iso[i]);
	zero_end(d);
}

/*
 * The guest was away and goes on in its old frames, one transfer at a time:
 * it is not served faster than the interval for it.
 */
static void a_stream_that_lags_keeps_the_pace(void **state)
{
	struct usb_dev *d = zero_at(USB_SPEED_HIGH, CONFIG_SOURCE, 1);
	uint64_t t0 = timers.now + LEAD;
	struct iso iso;

	(void)state;
	iso_submit(d, &iso, 0x82, NULL, 1024, 0);
	clock_to(t0);
	iso_free(&iso);
	timers.now = t0 + 20 * MS + 300000;
	for (uint32_t i = 1; i < NISO; i++) {
		uint64_t at = t0 + (20 + i) * MS;

		iso_submit(d, &iso, 0x82, NULL, 1024, 8 * i);
		assert_int_equal(clock_deadline(), at);
		clock_to(at + 10000);
		iso_free(&iso);
	}
	zero_end(d);
}

/* Frames left out in a queue are time that passes. */
static void a_gap_in_the_frames_is_waited_for(void **state)
{
	struct usb_dev *d = zero_at(USB_SPEED_HIGH, CONFIG_SOURCE, 1);
	uint64_t t0 = timers.now + LEAD;
	struct iso iso[3];

	(void)state;
	iso_submit(d, &iso[0], 0x02, NULL, 10, 800);
	iso_submit(d, &iso[1], 0x02, NULL, 10, 808);
	iso_submit(d, &iso[2], 0x02, NULL, 10, 888);
	clock_to(t0 + MS);
	assert_true(iso[1].f->done);
	assert_int_equal(clock_deadline(), t0 + 11 * MS);
	clock_to(t0 + 11 * MS);
	for (unsigned i = 0; i < 3; i++)
		iso_free(&iso[i]);
	zero_end(d);
}

/* Frames that begin anew, go back or are far off, with none held */
static void a_new_stream_begins_now(void **state)
{
	static const uint32_t frames[] = {0, 4000, 0, 0xffffffff, 16, 3};
	struct usb_dev *d = zero_at(USB_SPEED_HIGH, CONFIG_SOURCE, 1);
	struct iso iso;

	(void)state;
	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		iso_submit(d, &iso, 0x82, NULL, 4, frames[i]);
		assert_in_range(clock_deadline(), timers.now,
				timers.now + 2 * LEAD + MS);
		clock_to(clock_deadline());
		iso_free(&iso);
		timers.now += 50000;
	}
	zero_end(d);
}

/* In a queue, whatever the frames say, an interval is kept. */
static void frames_that_go_back_are_no_burst(void **state)
{
	static const uint32_t frames[] = {1000,       1000, 8,
					  0xfffffff0, 1001, 1002};
	struct usb_dev *d = zero_at(USB_SPEED_HIGH, CONFIG_SOURCE, 1);
	struct iso iso[6];

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		iso_submit(d, &iso[i], 0x82, NULL, 4, frames[i]);
	for (unsigned i = 0; i < 6; i++) {
		uint64_t at = clock_deadline();

		clock_to(at);
		assert_true(iso[i].f->done);
		assert_true(i == 5 || !iso[i + 1].f->done);
		assert_true(clock_deadline() >= at + MS);
		iso_free(&iso[i]);
	}
	zero_end(d);
}

static void what_is_cancelled_leaves_the_rest(void **state)
{
	struct usb_dev *d = zero_at(USB_SPEED_HIGH, CONFIG_SOURCE, 1);
	uint64_t t0 = timers.now + LEAD;
	struct iso iso[4];

	(void)state;
	for (uint32_t i = 0; i < 4; i++)
		iso_submit(d, &iso[i], 0x82, NULL, 1024, 8 * i);
	d->ops->cancel(d, &iso[3].f->x);
	d->ops->cancel(d, &iso[0].f->x);
	assert_ended(iso[3].f, USB_CANCELLED, 0);
	assert_ended(iso[0].f, USB_CANCELLED, 0);
	assert_int_equal(iso[0].f->mem[0], 0xee);
	assert_int_equal(clock_deadline(), t0 + MS);
	clock_to(t0 + MS);
	assert_ended(iso[1].f, USB_OK, 1024);
	d->ops->cancel(d, &iso[2].f->x);
	assert_true(clock_deadline() == UINT64_MAX);
	for (unsigned i = 0; i < 4; i++)
		iso_free(&iso[i]);
	zero_end(d);
}

/* More than a packet: what the endpoint can move in an interval is moved. */
static void no_more_than_a_packet(void **state)
{
	struct usb_dev *d = zero_at(USB_SPEED_FULL, CONFIG_SOURCE, 1);
	struct iso iso;

	(void)state;
	iso_submit(d, &iso, 0x82, NULL, 3000, 0);
	clock_to(timers.now + LEAD);
	assert_ended(iso.f, USB_OK, 1023);
	assert_int_equal(iso.packet.actual, 1023);
	assert_int_equal(iso.f->mem[1023], 0xee);
	iso_free(&iso);
	zero_end(d);
}

/* Isochronous loopback: sent back in order; nothing there is a packet of 0 */
static void isochronous_loopback(void **state)
{
	struct usb_dev *d = zero_at(USB_SPEED_HIGH, CONFIG_LOOP, 1);
	uint64_t t0 = timers.now + LEAD;
	uint8_t data[100];
	struct iso out, in[3];

	(void)state;
	memset(data, 77, sizeof(data));
	for (uint32_t i = 0; i < 2; i++)
		iso_submit(d, &in[i], 0x82, NULL, 1024, 16 + 8 * i);
	iso_submit(d, &out, 0x02, data, 100, 16);
	clock_to(t0 + MS);
	assert_true(out.f->done);
	assert_int_equal(in[0].packet.actual + in[1].packet.actual, 100);
	iso_free(&out);
	iso_free(&in[0]);
	iso_free(&in[1]);
	/* one that does not fit is cut and said to be babble */
	iso_submit(d, &out, 0x02, data, 100, 32);
	clock_to(timers.now + 3 * MS);
	iso_submit(d, &in[2], 0x82, NULL, 10, 64);
	clock_to(timers.now + 10 * MS);
	assert_ended(in[2].f, USB_OK, 10);
	assert_int_equal(in[2].packet.status, USB_BABBLE);
	assert_int_equal(in[2].f->mem[9], 77);
	iso_free(&out);
	iso_free(&in[2]);
	zero_end(d);
}

static struct fake_xfer *interrupt(struct usb_dev *d, uint8_t ep, size_t len)
{
	struct fake_xfer *f = fake_xfer(ep, NULL, len, 100);

	f->x.type = USB_INTERRUPT;
	fake_submit(d, f);
	return f;
}

static void one_packet_an_interval(void **state)
{
	static const struct {
		enum usb_speed speed;
		uint64_t step;
		uint32_t len;
		unsigned packets;
	} rows[] = {
		{USB_SPEED_FULL, 4 * MS, 64, 1},
		{USB_SPEED_FULL, 4 * MS, 200, 4},
		{USB_SPEED_HIGH, MS, 0, 1},
		{USB_SPEED_HIGH, MS, 1025, 2},
		{USB_SPEED_SUPER, MS, 4096, 4},
	};

	(void)state;
	for (size_t r = 0; r < 2 * sizeof(rows) / sizeof(rows[0]); r++) {
		struct usb_dev *d =
			zero_at(rows[r / 2].speed, CONFIG_SOURCE, 2);
		uint64_t t0 = timers.now, step = rows[r / 2].step;
		uint64_t end = t0 + rows[r / 2].packets * step;
		struct fake_xfer *a, *b;

		a = interrupt(d, r % 2 ? 0x83 : 0x03, rows[r / 2].len);
		b = interrupt(d, r % 2 ? 0x83 : 0x03, 1);
		clock_to(end - 1);
		assert_false(a->done);
		clock_to(end);
		assert_ended(a, USB_OK, rows[r / 2].len);
		assert_false(b->done);
		clock_to(end + step - 1);
		assert_false(b->done);
		clock_to(end + step);
		assert_ended(b, USB_OK, 1);
		assert_true(clock_deadline() == UINT64_MAX);
		fake_xfer_free(a);
		fake_xfer_free(b);
		/* the next one keeps to the endpoint's intervals */
		timers.now += 10 * step + 7;
		a = interrupt(d, r % 2 ? 0x83 : 0x03, 1);
		assert_int_equal(clock_deadline(), end + 12 * step);
		d->ops->cancel(d, &a->x);
		fake_xfer_free(a);
		zero_end(d);
	}
}

static void an_interrupt_transfer_cut_short(void **state)
{
	struct usb_dev *d = zero_at(USB_SPEED_HIGH, CONFIG_SOURCE, 2);
	struct fake_xfer *a = interrupt(d, 0x83, 4096);

	(void)state;
	clock_to(timers.now + 2 * MS);
	d->ops->cancel(d, &a->x);
	assert_ended(a, USB_CANCELLED, 2048);
	assert_int_equal(a->mem[2047], 0);
	assert_int_equal(a->mem[2048], 0xee);
	assert_true(clock_deadline() == UINT64_MAX);
	fake_xfer_free(a);
	zero_end(d);
}

/* Loopback of interrupt data: no timer while one end waits for the other */
static void interrupt_loopback(void **state)
{
	struct usb_dev *d = zero_at(USB_SPEED_HIGH, CONFIG_LOOP, 2);
	struct fake_xfer *in = interrupt(d, 0x83, 2048), *out;

	(void)state;
	assert_true(clock_deadline() == UINT64_MAX);
	out = interrupt(d, 0x03, 1500);
	clock_to(timers.now + MS);
	assert_false(out->done);
	clock_to(timers.now + 3 * MS);
	assert_ended(out, USB_OK, 1500);
	assert_ended(in, USB_OK, 1500);
	assert_true(clock_deadline() == UINT64_MAX);
	fake_xfer_free(in);
	fake_xfer_free(out);
	/* full: 128 packets of 1024 */
	out = interrupt(d, 0x03, 130 * 1024);
	clock_to(timers.now + 200 * MS);
	assert_true(clock_deadline() == UINT64_MAX);
	assert_false(out->done);
	in = interrupt(d, 0x83, 2048);
	clock_to(timers.now + 10 * MS);
	assert_ended(in, USB_OK, 2048);
	assert_ended(out, USB_OK, 130 * 1024);
	fake_xfer_free(in);
	fake_xfer_free(out);
	zero_end(d);
}

/* A packet of no length takes a place too. */
static void interrupt_loopback_of_nothing(void **state)
{
	struct usb_dev *d = zero_at(USB_SPEED_HIGH, CONFIG_LOOP, 2);
	struct fake_xfer *f;

	(void)state;
	for (unsigned i = 0; i < 2048; i++) {
		f = interrupt(d, 0x03, 0);
		clock_to(timers.now + MS);
		assert_ended(f, USB_OK, 0);
		fake_xfer_free(f);
	}
	f = interrupt(d, 0x03, 0);
	assert_true(clock_deadline() == UINT64_MAX);
	d->ops->cancel(d, &f->x);
	fake_xfer_free(f);
	zero_end(d);
}

/* What goes out on one pair of endpoints does not come in on another. */
static void loops_are_separate(void **state)
{
	struct usb_dev *d = zero_at(USB_SPEED_HIGH, CONFIG_LOOP, 1);
	uint8_t data[2] = {5, 6};
	struct fake_xfer *in = fake_xfer(0x81, NULL, 512, 0);
	struct iso iso;

	(void)state;
	iso_submit(d, &iso, 0x02, data, 2, 0);
	clock_to(timers.now + LEAD);
	iso_free(&iso);
	fake_submit(d, in);
	assert_false(in->done);
	iso_submit(d, &iso, 0x82, NULL, 2, 0);
	clock_to(timers.now + LEAD);
	assert_ended(iso.f, USB_OK, 2);
	assert_int_equal(iso.f->mem[1], 6);
	iso_free(&iso);
	d->ops->cancel(d, &in->x);
	fake_xfer_free(in);
	zero_end(d);
}

/* A new schedule has nothing to do with the intervals of the old one. */
static void an_endpoint_enabled_anew_begins_now(void **state)
{
	struct usb_dev *d = zero_at(USB_SPEED_HIGH, CONFIG_SOURCE, 1);
	struct iso iso;

	(void)state;
	iso_submit(d, &iso, 0x82, NULL, 2, 0);
	clock_to(timers.now + LEAD);
	iso_free(&iso);
	enable(d, 0x82, 4);
	iso_submit(d, &iso, 0x82, NULL, 2, 8);
	assert_int_equal(clock_deadline(), timers.now + LEAD);
	clock_to(timers.now + LEAD);
	iso_free(&iso);
	zero_end(d);
}

/* Whatever ends the transfers ends the timers. */
static void no_timer_without_transfers(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 3; how++) {
		struct usb_dev *d = zero_at(USB_SPEED_HIGH, CONFIG_SOURCE, 1);
		struct iso iso;

		iso_submit(d, &iso, 0x82, NULL, 4, 0);
		assert_true(clock_deadline() != UINT64_MAX);
		if (how == 0)
			d->ops->reset(d);
		else if (how == 1)
			fake_control(d, 0, USB_REQ_SET_CONFIGURATION, 0, 0,
				     NULL, 0);
		else
			fake_control(d, 1, USB_REQ_SET_INTERFACE, 2, 0, NULL,
				     0);
		assert_true(iso.f->done);
		assert_true(clock_deadline() == UINT64_MAX);
		iso_free(&iso);
		zero_end(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_a_service_interval),
		cmocka_unit_test(a_late_wake_catches_up),
		cmocka_unit_test(a_stream_that_lags_keeps_the_pace),
		cmocka_unit_test(a_gap_in_the_frames_is_waited_for),
		cmocka_unit_test(a_new_stream_begins_now),
		cmocka_unit_test(frames_that_go_back_are_no_burst),
		cmocka_unit_test(what_is_cancelled_leaves_the_rest),
		cmocka_unit_test(no_more_than_a_packet),
		cmocka_unit_test(isochronous_loopback),
		cmocka_unit_test(one_packet_an_interval),
		cmocka_unit_test(an_interrupt_transfer_cut_short),
		cmocka_unit_test(interrupt_loopback),
		cmocka_unit_test(interrupt_loopback_of_nothing),
		cmocka_unit_test(loops_are_separate),
		cmocka_unit_test(an_endpoint_enabled_anew_begins_now),
		cmocka_unit_test(no_timer_without_transfers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
