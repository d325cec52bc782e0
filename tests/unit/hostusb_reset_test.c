/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Resets of a device: what is passed on, what is told meanwhile, and what there is
 * of it afterwards.
 */
#include "tests/unit/pmapper_fake.h"

#include "tests/unit/hostusb_fake.h"

#include "hostusb/attach.h"
#include "tests/unit/hostusb_request.h"

static void reset_is_answered_at_once(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x = dev_bulk(t, 0, 0x81), *y = dev_bulk(t, 1, 0x81);

	dev_submit_ok(t, x);
	rig_reset(t->rig, 1);
	rig_run(t->rig);
	assert_told(t->rig, "r1:1 ");
	/* what comes meanwhile waits for the device */
	dev_submit_ok(t, y);
	assert_int_equal(fake.submits, 1);
	dev_settle(t);
	assert_done(t, x, USB_ERROR, 0);
	assert_int_equal(t->dev->resets, 1);
	assert_int_equal(fake.submits, 2);
	dev_end(t, 0, DONE, 512);
	assert_done(t, y, USB_OK, 512);
}

/* Resets in a row, as firmware and drivers do, are one for the device. */
static void unused_device_is_not_reset_again(void **state)
{
	struct dev_rig *t = *state;

	for (unsigned i = 0; i < 3; i++) {
		rig_reset(t->rig, 1);
		dev_settle(t);
	}
	assert_told(t->rig, "r1:1 r1:1 r1:1 ");
	assert_int_equal(t->dev->resets, 1);
	get_status(t, 0);
	dev_end(t, 0, DONE, 2);
	rig_reset(t->rig, 1);
	dev_settle(t);
	assert_int_equal(t->dev->resets, 2);
}

static void reset_initial_is_passed_on_once(void **state)
{
	struct dev_rig *t = *state;

	dev_rig_stop(t);
	fake_reset_host();
	t->reset = HOSTUSB_RESET_INITIAL;
	dev_rig_start(t);
	for (unsigned i = 0; i < 3; i++) {
		rig_reset(t->rig, 1);
		dev_settle(t);
		get_status(t, 0);
		dev_end(t, 0, DONE, 2);
	}
	assert_told(t->rig, "r1:1 r1:1 r1:1 ");
	assert_int_equal(t->dev->resets, 1);
}

static void reset_never_is_not_passed_on(void **state)
{
	struct dev_rig *t = *state;

	dev_rig_stop(t);
	fake_reset_host();
	t->reset = HOSTUSB_RESET_NEVER;
	dev_rig_start(t);
	rig_reset(t->rig, 1);
	dev_settle(t);
	assert_told(t->rig, "r1:1 ");
	assert_int_equal(t->dev->resets, 0);
}

static void settings_are_0_after_a_reset(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x;

	set_interface(t, 0, 0, 1);
	dev_settle(t);
	rig_reset(t->rig, 1);
	dev_settle(t);
	x = dev_xfer(t, 1, 0x03, USB_ISOCH, 8, false);
	t->packet[1].length = 8;
	x->packet = &t->packet[1];
	x->npackets = 1;
	dev_submit_ok(t, x);
	dev_settle(t);
	assert_done(t, x, USB_ERROR, 0);
	/* and the configuration is as SET_CONFIGURATION would leave it */
	set_config(t, 2, 1);
	dev_settle(t);
	assert_int_equal(t->dev->set_configs, 1);
}

/* Other descriptors after the reset: another device, that comes by itself. */
static void device_that_does_not_survive_its_reset(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x = dev_bulk(t, 0, 0x81);

	fake.reset_error = LIBUSB_ERROR_NOT_FOUND;
	rig_reset(t->rig, 1);
	dev_submit_ok(t, x);
	dev_settle(t);
	assert_done(t, x, USB_NODEV, 0);
	/* "r1:1 " before it, if the guest was faster than the worker */
	assert_non_null(strstr(t->rig->x.told, "-1 "));
	t->rig->x.told[0] = 0;
	fake.reset_error = 0;
	fake_event(t->dev, LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT);
	t->dev = fake_plug_in(2);
	t->dev->info.speed = USB_SPEED_SUPER;
	t->dev->info.pid = 0x999;
	dev_settle(t);
	assert_told(t->rig, "+5 ");
}

static void guest_that_asks_nothing_sees_it_leave(void **state)
{
	struct dev_rig *t = *state;

	fake.reset_error = LIBUSB_ERROR_NOT_FOUND;
	rig_reset(t->rig, 1);
	dev_settle(t);
	assert_null(t->rig->x.port[1].ops);
}

static void failed_reset_leaves_the_device(void **state)
{
	struct dev_rig *t = *state;

	fake.reset_error = LIBUSB_ERROR_OTHER;
	rig_reset(t->rig, 1);
	dev_settle(t);
	fake.reset_error = 0;
	assert_told(t->rig, "r1:1 ");
	rig_reset(t->rig, 1);
	dev_settle(t);
	assert_int_equal(t->dev->resets, 1);
	get_status(t, 0);
	dev_end(t, 0, DONE, 2);
	assert_done(t, &t->rig->t[0], USB_OK, 2);
}

int main(void)
{
#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, dev_rig_setup, dev_rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(reset_is_answered_at_once),
		TEST(unused_device_is_not_reset_again),
		TEST(reset_initial_is_passed_on_once),
		TEST(reset_never_is_not_passed_on),
		TEST(settings_are_0_after_a_reset),
		TEST(device_that_does_not_survive_its_reset),
		TEST(guest_that_asks_nothing_sees_it_leave),
		TEST(failed_reset_leaves_the_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
