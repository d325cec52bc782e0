/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transfers that are asked back, by the guest or for a failure before them, and the
 * order in which they end.
 */
#include "tests/unit/pmapper_fake.h"

#include "tests/unit/hostusb_fake.h"

#include "tests/unit/hostusb_rig.h"

static void cancelling_one_ends_no_other(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x[5];

	for (unsigned i = 0; i < 5; i++) {
		x[i] = dev_bulk(t, i, 0x81);
		dev_submit_ok(t, x[i]);
	}
	rig_cancel(t->rig, 1, x[2]);
	dev_run(t);
	assert_done(t, x[2], USB_CANCELLED, 0);
	assert_int_equal(t->rig->x.ndone, 1);
	for (unsigned i = 0; i < 4; i++)
		dev_end(t, 0, DONE, 512);
	for (unsigned i = 0; i < 5; i++)
		if (i != 2)
			assert_done(t, x[i], USB_OK, 512);
}

/* It is not a turn of the loop away. */
static void what_was_asked_back_is_there_at_once(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x = dev_bulk(t, 0, 0x81);

	dev_submit_ok(t, x);
	dev_run(t);
	assert_false(hostusb_run_cut(t->h)); /* nothing was */
	rig_cancel(t->rig, 1, x);
	assert_false(dev_is_done(t, x));
	assert_true(hostusb_run_cut(t->h));
	rig_run(t->rig);
	assert_done(t, x, USB_CANCELLED, 0);
	assert_false(hostusb_run_cut(t->h));
}

/* What else libusb had to say is not left until there is something new. */
static void what_came_with_what_was_asked_back(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x = dev_bulk(t, 0, 0x81);

	dev_submit_ok(t, x);
	dev_run(t);
	rig_cancel(t->rig, 1, x);
	fake_unplug(t->dev);
	assert_true(hostusb_run_cut(t->h));
	rig_run(t->rig);
	assert_told(t->rig, "-1 ");
	assert_true(dev_is_done(t, x));
}

static void what_came_before_the_cancel_is_told(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x = dev_bulk(t, 0, 0x81), *y = dev_bulk(t, 1, 0x81);

	fake.hold_cancelled = true;
	dev_submit_ok(t, x);
	dev_submit_ok(t, y);
	rig_cancel(t->rig, 1, y);
	rig_cancel(t->rig, 1, x);
	dev_run(t);
	assert_int_equal(t->rig->x.ndone, 0);
	dev_end(t, 1, LIBUSB_TRANSFER_CANCELLED, 64);
	dev_end(t, 0, LIBUSB_TRANSFER_CANCELLED, 512);
	assert_done(t, y, USB_CANCELLED, 64);
	assert_done(t, x, USB_OK, 512); /* all of it */
	fake.hold_cancelled = false;
}

static void cancel_that_comes_too_late(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x = dev_bulk(t, 0, 0x81);

	dev_submit_ok(t, x);
	fake_end(fake.urb[0], DONE, 99);
	rig_cancel(t->rig, 1, x);
	dev_run(t);
	assert_done(t, x, USB_OK, 99);
}

/* Data behind a failure must not move before the guest has looked at it. */
static void failure_ends_what_is_queued_behind_it(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x[4], *other = dev_bulk(t, 9, 0x01);

	dev_submit_ok(t, other);
	for (unsigned i = 0; i < 4; i++) {
		x[i] = dev_bulk(t, i, 0x81);
		dev_submit_ok(t, x[i]);
	}
	fake.hold_cancelled = true;
	dev_end(t, 2, LIBUSB_TRANSFER_STALL, 0);
	assert_done(t, x[1], USB_STALL, 0);
	assert_false(fake.urb[0]->cancelled); /* 01 */
	assert_false(fake.urb[1]->cancelled); /* before it */
	assert_true(fake.urb[2]->cancelled);
	assert_true(fake.urb[3]->cancelled);
	dev_end(t, 3, LIBUSB_TRANSFER_CANCELLED, 0);
	dev_end(t, 2, DONE, 512); /* it was faster */
	assert_done(t, x[3], USB_CANCELLED, 0);
	assert_done(t, x[2], USB_OK, 512);
	dev_end(t, 1, DONE, 512);
	dev_end(t, 0, DONE, 512);
	fake.hold_cancelled = false;
}

static void completions_in_any_order(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x[6];
	static const unsigned order[] = {3, 4, 0, 1, 1, 0};

	for (unsigned i = 0; i < 6; i++) {
		x[i] = dev_xfer(t, i * 2, i & 1 ? 0x81 : 0x01, USB_BULK, 500,
				i % 3 == 0);
		dev_submit_ok(t, x[i]);
	}
	for (unsigned i = 0; i < 6; i++)
		dev_end(t, order[i], DONE, 500);
	for (unsigned i = 0; i < 6; i++)
		assert_done(t, x[i], USB_OK, 500);
	assert_int_equal(t->rig->x.ndone, 6);
}

int main(void)
{
#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, dev_rig_setup, dev_rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(cancelling_one_ends_no_other),
		TEST(what_was_asked_back_is_there_at_once),
		TEST(what_came_with_what_was_asked_back),
		TEST(what_came_before_the_cancel_is_told),
		TEST(cancel_that_comes_too_late),
		TEST(failure_ends_what_is_queued_behind_it),
		TEST(completions_in_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
