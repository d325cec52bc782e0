/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keyboard, mouse and tablet: when a report goes, what becomes of events while
 * the guest is slow, away or asleep.
 */
#include "devices_hid_fake.h"

static void a_report_goes_at_once_and_the_next_an_interval_later(void **state)
{
	struct usb_dev *d = hid_up(HID_KEYBOARD);
	struct fake_xfer *a = hid_poll(d), *b = hid_poll(d);

	(void)state;
	hid_key(d, 4, true);
	hid_key(d, 4, false);
	assert_ended(a, USB_OK, 8);
	assert_false(b->done);
	clock_to(timers.now + MS - 1);
	assert_false(b->done);
	clock_to(timers.now + 1);
	assert_ended(b, USB_OK, 8);
	assert_true(clock_deadline() == UINT64_MAX);
	fake_xfer_free(a);
	fake_xfer_free(b);
	hid_down(d);
}

/* The guest's schedule: what ep_enable says */
static void the_interval_is_the_guests(void **state)
{
	struct usb_ep_info info = {.ep = IN, .interval = 6}; /* 8 ms */
	struct usb_dev *d = hid_up(HID_KEYBOARD);
	struct fake_xfer *a, *b;

	(void)state;
	d->ops->ep_enable(d, &info);
	info = (struct usb_ep_info){.ep = 0x01, .interval = 0};
	d->ops->ep_enable(d, &info); /* not its own */
	info = (struct usb_ep_info){.ep = IN, .interval = 255};
	d->ops->ep_enable(d, &info); /* nonsense */
	clock_to(timers.now + 10 * MS);
	a = hid_poll(d), b = hid_poll(d);
	hid_key(d, 4, true);
	hid_key(d, 5, true);
	assert_true(a->done);
	clock_to(timers.now + 8 * MS - 1);
	assert_false(b->done);
	clock_to(timers.now + 1);
	assert_true(b->done);
	fake_xfer_free(a);
	fake_xfer_free(b);
	hid_down(d);
}

/* HID 1.11 §7.2.4: in 4 ms, from the report before on; 0: only what is new */
static void idle_repeats_the_report(void **state)
{
	struct usb_dev *d = hid_up(HID_KEYBOARD);
	struct fake_xfer *f;
	uint64_t t0;

	(void)state;
	hid_key(d, 4, true);
	assert_report(d, 0, 0, 4, 0, 0, 0, 0, 0);
	t0 = timers.now - MS; /* when that was sent */
	fake_control(d, SET, SET_IDLE, 5 << 8, 0, NULL, 0);
	for (unsigned i = 0; i < 3; i++) {
		f = hid_poll(d);
		clock_to(t0 + 19 * MS);
		assert_false(f->done);
		clock_to(t0 + 20 * MS);
		assert_ended(f, USB_OK, 8);
		assert_int_equal(f->mem[2], 4);
		t0 = timers.now;
		fake_xfer_free(f);
	}
	/* what is new does not wait */
	f = hid_poll(d);
	clock_to(t0 + 2 * MS);
	hid_key(d, 4, false);
	assert_true(f->done);
	fake_xfer_free(f);
	/* while it is held, the rate may change */
	f = hid_poll(d);
	fake_control(d, SET, SET_IDLE, 0, 0, NULL, 0);
	assert_true(clock_deadline() == UINT64_MAX);
	fake_control(d, SET, SET_IDLE, 1 << 8, 0, NULL, 0);
	clock_to(timers.now + 4 * MS);
	assert_true(f->done);
	fake_xfer_free(f);
	hid_down(d);
}

static void moves_that_wait_become_one_and_nothing_else_does(void **state)
{
	struct usb_dev *t = hid_up(HID_TABLET), *m;

	(void)state;
	for (int i = 1; i <= 50; i++)
		assert_int_equal(hid_move_abs(t, i, 2 * i), 0);
	hid_button(t, 0, true);
	hid_move_abs(t, 70, 70);
	hid_move_abs(t, 71, 71);
	hid_wheel(t, 1, 0);
	hid_wheel(t, 1, 0);
	hid_move_abs(t, 72, 72);
	hid_button(t, 0, false);
	assert_report(t, 0, 50, 0, 100, 0, 0, 0);
	assert_report(t, 1, 50, 0, 100, 0, 0, 0);
	assert_report(t, 1, 71, 0, 71, 0, 0, 0);
	assert_report(t, 1, 71, 0, 71, 0, 1, 0);
	assert_report(t, 1, 71, 0, 71, 0, 1, 0);
	assert_report(t, 1, 72, 0, 72, 0, 0, 0);
	assert_report(t, 0, 72, 0, 72, 0, 0, 0);
	assert_no_report(t);
	hid_down(t);
	m = hid_up(HID_MOUSE);
	for (int i = 0; i < 50; i++)
		assert_int_equal(hid_move_rel(m, 3, -1), 0);
	assert_report(m, 0, 150, 0, 0xce, 0xff, 0, 0);
	for (int i = 0; i < 5; i++) /* the way is long enough */
		hid_move_rel(m, 32767, -32767);
	assert_report(m, 0, 0xff, 0x7f, 0x01, 0x80, 0, 0);
	assert_no_report(m);
	hid_down(m);
}

/* Keys go down until no more are taken; each comes up again in order. */
static void releases_are_taken_by_a_full_queue(void **state)
{
	struct usb_dev *d = hid_up(HID_KEYBOARD);
	unsigned taken = 0, reports = 0, down = 0;
	uint8_t b[ROOM] = {0}, before = 0;

	(void)state;
	for (unsigned k = 0x04; k < 0xe0; k++, taken++)
		assert_int_equal(hid_key(d, k, true), 0);
	for (;; taken++) { /* up and down, until it is full */
		int r = hid_key(d, 0xe0, taken % 2 == 0);

		if (r != 0) {
			assert_int_equal(r, -EAGAIN);
			break;
		}
	}
	assert_in_range(taken, 500, 5000);
	assert_int_equal(hid_key(d, 0xe1, true), -EAGAIN);
	for (unsigned k = 0x04; k < 0xe0; k++)
		assert_int_equal(hid_key(d, k, false), 0);
	assert_int_equal(hid_key(d, 0xe0, false), 0);
	while (hid_read(d, b) == 8) {
		reports++;
		down += b[0] && !before;
		before = b[0];
	}
	assert_memory_equal(b, "\0\0\0\0\0\0\0", 8);
	assert_in_range(down, 100, 1000);
	assert_true(reports > 2 * down);
	assert_int_equal(hid_key(d, 0xe1, true), 0);
	hid_down(d);
}

static void moves_and_releases_are_taken_by_a_full_pointer(void **state)
{
	struct usb_dev *d = hid_up(HID_TABLET);
	uint8_t b[ROOM] = {0};
	unsigned taken = 0;

	(void)state;
	for (unsigned i = 0; i < HID_BUTTONS; i++)
		assert_int_equal(hid_button(d, i, true), 0);
	while (hid_wheel(d, 1, 0) == 0)
		taken++;
	assert_int_equal(hid_wheel(d, 1, 0), -EAGAIN);
	for (unsigned i = 0; i < HID_BUTTONS; i++) {
		for (int j = 0; j < 500; j++)
			assert_int_equal(hid_move_abs(d, j, (int)i), 0);
		assert_int_equal(hid_button(d, i, false), 0);
		assert_int_equal(hid_button(d, i, true), -EAGAIN);
	}
	assert_int_equal(hid_move_abs(d, 9, 9), 0);
	for (unsigned steps = 0; hid_read(d, b) == 7; steps += b[5])
		assert_true(steps <= taken);
	assert_memory_equal(b, "\0\x9\0\x9\0\0", 7);
	hid_down(d);
}

/* What is held down is known, and what was done meanwhile is not replayed. */
static void a_guest_without_a_driver_learns_what_is(void **state)
{
	struct usb_dev *k = hid_new(HID_KEYBOARD, USB_SPEED_FULL), *t;
	struct usb_ep_info info = {.ep = IN, .interval = 3};

	(void)state;
	assert_int_equal(hid_key(k, 4, true), -ENOTCONN);
	assert_int_equal(hid_key(k, 5, true), -ENOTCONN);
	assert_int_equal(hid_key(k, 4, false), -ENOTCONN);
	hid_configure(k, 1);
	k->ops->ep_enable(k, &info);
	clock_to(timers.now + MS);
	assert_report(k, 0, 0, 5, 0, 0, 0, 0, 0);
	hid_key(k, 6, true);
	hid_key(k, 7, true);
	hid_key(k, 6, false);
	k->ops->reset(k); /* what was queued is not for the next driver */
	hid_configure(k, 1);
	clock_to(timers.now + MS);
	assert_report(k, 0, 0, 5, 7, 0, 0, 0, 0);
	assert_int_equal(hid_key(k, 5, false), 0);
	assert_report(k, 0, 0, 7, 0, 0, 0, 0, 0);
	hid_down(k);
	t = hid_new(HID_TABLET, USB_SPEED_FULL);
	assert_int_equal(hid_move_abs(t, 5, 6), -ENOTCONN);
	assert_int_equal(hid_wheel(t, 5, 0), -ENOTCONN);
	hid_configure(t, 1);
	t->ops->ep_enable(t, &info);
	clock_to(timers.now + MS);
	assert_report(t, 0, 5, 0, 6, 0, 0, 0);
	hid_configure(t, 0);
	hid_down(t);
}

static void who_does_not_ask_for_half_a_minute_is_away(void **state)
{
	struct usb_dev *d = hid_up(HID_KEYBOARD);
	struct fake_xfer *f;

	(void)state;
	clock_to(timers.now + 29000 * MS);
	assert_int_equal(hid_key(d, 4, true), 0); /* slow */
	clock_to(timers.now + 2000 * MS);
	assert_int_equal(hid_key(d, 4, false), -ENOTCONN);
	assert_int_equal(hid_key(d, 5, true), -ENOTCONN);
	assert_report(d, 0, 0, 5, 0, 0, 0, 0, 0);
	assert_no_report(d);
	assert_int_equal(hid_key(d, 6, true), 0);
	assert_int_equal(hid_key(d, 6, false), 0);
	clock_to(timers.now + 31000 * MS);
	assert_no_report(d); /* too old by now */
	/* who waits at the endpoint is there, for as long as that takes */
	f = hid_poll(d);
	clock_to(timers.now + 100000 * MS);
	assert_int_equal(hid_key(d, 5, false), 0);
	assert_ended(f, USB_OK, 8);
	fake_xfer_free(f);
	hid_down(d);
}

/* Hosts that ask by GET_REPORT get each event once, as at the endpoint. */
static void get_report_takes_what_is_next(void **state)
{
	struct usb_dev *d = hid_up(HID_KEYBOARD);
	uint8_t b[8];

	(void)state;
	hid_key(d, 4, true);
	hid_key(d, 5, true);
	fake_control(d, GET, GET_REPORT, 0x100, 0, b, 8);
	assert_memory_equal(b, "\0\0\4\0\0\0\0", 8);
	assert_report(d, 0, 0, 4, 5, 0, 0, 0, 0);
	fake_control(d, GET, GET_REPORT, 0x100, 0, b, 8);
	assert_memory_equal(b, "\0\0\4\5\0\0\0", 8);
	assert_no_report(d);
	hid_down(d);
}

static void suspended_it_wakes_the_guest_that_lets_it(void **state)
{
	static const struct {
		enum usb_speed speed;
		uint8_t type;
		uint16_t feature, on, off;
	} rows[] = {
		{USB_SPEED_LOW, 0, USB_FEAT_REMOTE_WAKEUP, 0, 0},
		{USB_SPEED_HIGH, 0, USB_FEAT_REMOTE_WAKEUP, 0, 0},
		{USB_SPEED_SUPER, 1, USB_FEAT_FUNCTION_SUSPEND, 0x300, 0},
	};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct usb_dev *d = hid_new(HID_KEYBOARD, rows[i].speed);
		struct usb_ep_info info = {.ep = IN, .interval = 3};

		hid_configure(d, 1);
		d->ops->ep_enable(d, &info);
		d->ops->suspend(d, true);
		assert_int_equal(hid_key(d, 4, true), -ENOTCONN);
		assert_int_equal(fake.wakes, 0);
		d->ops->suspend(d, false);
		assert_int_equal(
			fake_control(d, rows[i].type, USB_REQ_SET_FEATURE,
				     rows[i].feature, rows[i].on, NULL, 0),
			0);
		d->ops->suspend(d, true);
		assert_int_equal(hid_key(d, 5, true), 0);
		assert_int_equal(fake.wakes, 1);
		assert_int_equal(hid_key(d, 5, false), 0);
		clock_to(timers.now + 60000 * MS); /* it wakes slowly */
		d->ops->suspend(d, false);
		assert_report(d, 0, 0, 4, 0, 0, 0, 0, 0);
		assert_report(d, 0, 0, 4, 5, 0, 0, 0, 0);
		assert_report(d, 0, 0, 4, 0, 0, 0, 0, 0);
		fake_control(d, rows[i].type, USB_REQ_CLEAR_FEATURE,
			     rows[i].feature, rows[i].off, NULL, 0);
		d->ops->suspend(d, true);
		assert_int_equal(hid_key(d, 5, true), -ENOTCONN);
		hid_down(d);
	}
}

/* In suspend nothing goes, whatever is held. */
static void nothing_is_sent_in_suspend(void **state)
{
	struct usb_dev *d = hid_up(HID_KEYBOARD);
	struct fake_xfer *f = hid_poll(d);

	(void)state;
	fake_control(d, 0, USB_REQ_SET_FEATURE, USB_FEAT_REMOTE_WAKEUP, 0, NULL,
		     0);
	fake_control(d, SET, SET_IDLE, 1 << 8, 0, NULL, 0);
	d->ops->suspend(d, true);
	assert_true(clock_deadline() == UINT64_MAX);
	hid_key(d, 4, true);
	clock_to(timers.now + 100 * MS);
	assert_false(f->done);
	d->ops->suspend(d, false);
	assert_true(f->done);
	fake_xfer_free(f);
	hid_down(d);
}

static void what_is_held_ends_with_halt_reset_and_configuration(void **state)
{
	struct usb_dev *d = hid_up(HID_MOUSE);
	struct fake_xfer *f = hid_poll(d), *g = hid_poll(d);

	(void)state;
	fake_control(d, 2, USB_REQ_SET_FEATURE, USB_FEAT_ENDPOINT_HALT, IN,
		     NULL, 0);
	assert_ended(f, USB_STALL, 0);
	assert_ended(g, USB_STALL, 0);
	fake_xfer_free(f);
	fake_xfer_free(g);
	fake_control(d, 2, USB_REQ_CLEAR_FEATURE, USB_FEAT_ENDPOINT_HALT, IN,
		     NULL, 0);
	f = hid_poll(d);
	hid_configure(d, 1);
	assert_ended(f, USB_ERROR, 0);
	fake_xfer_free(f);
	f = hid_poll(d);
	d->ops->reset(d);
	assert_ended(f, USB_CANCELLED, 0);
	fake_xfer_free(f);
	assert_true(clock_deadline() == UINT64_MAX);
	hid_down(d);
}

/* Whatever both sides do, transfers end once and numbers stay in bounds. */
static void any_order_of_things_is_survived(void **state)
{
	uint32_t seed = 7;

	(void)state;
	for (unsigned k = 0; k < HID_NKINDS; k++) {
		struct usb_dev *d = hid_up((enum hid_kind)k);
		struct fake_xfer *held[4] = {NULL};

		for (unsigned i = 0; i < 40000; i++) {
			uint32_t r = seed = seed * 1664525u + 1013904223u;
			unsigned a = r >> 8 & 0xff, n = r >> 16 & 3;
			uint8_t b[16] = {(uint8_t)a};

			switch (r >> 24 & 15) {
			case 0:
			case 1:
				hid_key(d, a, r >> 23 & 1);
				break;
			case 2:
				hid_button(d, n, r >> 23 & 1);
				break;
			case 3:
				hid_move_abs(d, (int)a << n, (int)a);
				hid_move_rel(d, (int)a << n, -(int)a);
				break;
			case 4:
				hid_wheel(d, (int)n - 1, (int)(a & 3) - 1);
				break;
			case 5:
			case 6:
			case 7:
				if (held[n] && held[n]->done) {
					fake_xfer_free(held[n]);
					held[n] = NULL;
				}
				if (!held[n])
					held[n] = hid_poll(d);
				break;
			case 8:
				if (held[n] && !held[n]->done)
					d->ops->cancel(d, &held[n]->x);
				break;
			case 9:
				clock_to(timers.now + (a * MS << n));
				break;
			case 10:
				if (a < 2)
					d->ops->reset(d);
				hid_configure(d, 1);
				break;
			case 11:
				d->ops->suspend(d, r >> 23 & 1);
				break;
			default:
				fake_control(
					d, n & 1 ? SET : GET, (uint8_t)(a % 13),
					(uint16_t)(a * 256), 0, b, (uint16_t)n);
			}
		}
		d->ops->reset(d);
		for (unsigned i = 0; i < 4; i++)
			if (held[i])
				fake_xfer_free(held[i]);
		hid_down(d);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_report_goes_at_once_and_the_next_an_interval_later),
		cmocka_unit_test(the_interval_is_the_guests),
		cmocka_unit_test(idle_repeats_the_report),
		cmocka_unit_test(
			moves_that_wait_become_one_and_nothing_else_does),
		cmocka_unit_test(releases_are_taken_by_a_full_queue),
		cmocka_unit_test(
			moves_and_releases_are_taken_by_a_full_pointer),
		cmocka_unit_test(a_guest_without_a_driver_learns_what_is),
		cmocka_unit_test(who_does_not_ask_for_half_a_minute_is_away),
		cmocka_unit_test(get_report_takes_what_is_next),
		cmocka_unit_test(suspended_it_wakes_the_guest_that_lets_it),
		cmocka_unit_test(nothing_is_sent_in_suspend),
		cmocka_unit_test(
			what_is_held_ends_with_halt_reset_and_configuration),
		cmocka_unit_test(any_order_of_things_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
