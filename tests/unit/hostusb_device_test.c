/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What changes a device's state: configurations, settings, halts; in order with
 * the rest, and with the device leaving at any step.
 */
#include "tests/unit/pmapper_fake.h"

#include "tests/unit/hostusb_fake.h"

#include "hostusb/attach.h"
#include "tests/unit/hostusb_request.h"

static void requests_become_libusbs_calls(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x = set_config(t, 0, 2);

	dev_settle(t);
	assert_done(t, x, USB_OK, 0);
	assert_int_equal(t->dev->config, 2);
	assert_int_equal(t->dev->claimed, 1);
	assert_int_equal(t->dev->drivers, 0); /* those that bound are out */
	x = set_config(t, 0, 1);
	dev_settle(t);
	assert_done(t, x, USB_OK, 0);
	assert_int_equal(t->dev->claimed, 3);
	x = set_interface(t, 0, 0, 1);
	dev_settle(t);
	assert_done(t, x, USB_OK, 0);
	assert_int_equal(t->dev->alt[0], 1);
	x = clear_halt(t, 0, 0x84);
	dev_settle(t);
	assert_done(t, x, USB_OK, 0);
	assert_int_equal(t->dev->last_ep, 0x84);
	assert_int_equal(fake.submits, 0);
}

static void endpoints_follow_the_configuration(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x;

	set_config(t, 0, 2);
	dev_settle(t);
	x = dev_bulk(t, 1, 0x01);
	dev_submit_ok(t, x);
	dev_run(t);
	assert_done(t, x, USB_ERROR, 0);
	x = dev_bulk(t, 1, 0x81);
	dev_submit_ok(t, x);
	dev_end(t, 0, DONE, 512);
	assert_done(t, x, USB_OK, 512);
}

static void deconfigured_and_back(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x = set_config(t, 0, 0);

	dev_settle(t);
	assert_done(t, x, USB_OK, 0);
	assert_int_equal(t->dev->config, 0);
	assert_int_equal(t->dev->claimed, 0);
	dev_rig_stop(t);
	assert_int_equal(t->dev->config, 1); /* as it was found */
	assert_int_equal(t->dev->drivers, 3);
}

static void configuration_is_restored_when_given_back(void **state)
{
	struct dev_rig *t = *state;

	set_config(t, 0, 2);
	dev_settle(t);
	dev_rig_stop(t);
	assert_int_equal(t->dev->config, 1);
	assert_int_equal(t->dev->drivers, 3);
	assert_int_equal(t->dev->claimed, 0);
}

/* SET_CONFIGURATION of what is set resets toggles and halts, if any can be. */
/* The kernel announces a device, and then configures it. */
static void host_that_configures_it_late_is_no_failure(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x;

	dev_rig_stop(t);
	fake_reset_host();
	t->unconfigured = true;
	dev_rig_start(t);
	assert_int_equal(t->dev->claimed, 0);
	t->dev->config = 1;
	t->dev->drivers = 3;
	x = set_config(t, 0, 1);
	dev_settle(t);
	assert_done(t, x, USB_OK, 0);
	assert_int_equal(t->dev->claimed, 3);
	dev_rig_stop(t);
	assert_int_equal(t->dev->config, 1);
	assert_int_equal(t->dev->drivers, 3);
}

static void same_configuration_is_set_when_it_matters(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x = set_config(t, 0, 1);

	dev_settle(t);
	assert_int_equal(t->dev->set_configs,
			 1); /* who knows what was before */
	x = set_config(t, 0, 1);
	dev_settle(t);
	assert_done(t, x, USB_OK, 0);
	assert_int_equal(t->dev->set_configs, 1);
	dev_submit_ok(t, dev_bulk(t, 1, 0x81));
	dev_end(t, 0, DONE, 1);
	set_config(t, 0, 1);
	dev_settle(t);
	assert_int_equal(t->dev->set_configs, 2);
	set_interface(t, 0, 0, 1);
	set_config(t, 2, 1);
	dev_settle(t);
	assert_int_equal(t->dev->set_configs, 3);
	assert_int_equal(t->dev->alt[0], 0);
}

static void what_the_device_does_not_have_stalls(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x[5] = {
		set_config(t, 0, 3),         set_interface(t, 1, 0, 9),
		set_interface(t, 2, 7, 0),   set_interface(t, 3, 32, 0),
		set_interface(t, 4, 0, 256),
	};

	dev_settle(t);
	for (unsigned i = 0; i < 5; i++)
		assert_done(t, x[i], USB_STALL, 0);
	assert_int_equal(t->dev->claimed, 3); /* taken again */
	dev_submit_ok(t, dev_bulk(t, 6, 0x81));
	dev_end(t, 0, DONE, 512);
	assert_done(t, &t->rig->t[6], USB_OK, 512);
}

static void errors_become_what_the_guest_knows(void **state)
{
	static const struct {
		int error;
		enum usb_status status;
	} map[] = {
		{LIBUSB_ERROR_PIPE, USB_STALL},
		{LIBUSB_ERROR_NOT_FOUND, USB_STALL},
		{LIBUSB_ERROR_INVALID_PARAM, USB_STALL},
		{LIBUSB_ERROR_IO, USB_ERROR},
		{LIBUSB_ERROR_TIMEOUT, USB_ERROR},
		{LIBUSB_ERROR_OTHER, USB_ERROR},
	};
	struct dev_rig *t = *state;

	for (unsigned i = 0; i < 6; i++) {
		struct usb_xfer *x;

		fake.config_error = map[i].error;
		x = set_config(t, 0, 2);
		dev_settle(t);
		assert_done(t, x, map[i].status, 0);
		assert_int_equal(t->dev->config, 1);
	}
	fake.config_error = 0;
}

static void requests_keep_their_order(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *a = get_status(t, 0), *b = set_interface(t, 1, 0, 1);
	struct usb_xfer *c = get_status(t, 2), *d = set_config(t, 3, 1);
	struct usb_xfer *e = get_status(t, 4);

	dev_settle(t);
	assert_int_equal(t->dev->alt[0], 0); /* a is not done */
	assert_int_equal(fake.nurbs, 1);
	dev_end(t, 0, DONE, 2);
	dev_settle(t);
	assert_int_equal(t->dev->alt[0], 1);
	assert_int_equal(fake.nurbs, 1); /* c */
	assert_int_equal(t->dev->set_configs, 0);
	dev_end(t, 0, DONE, 2);
	dev_settle(t);
	assert_int_equal(t->dev->set_configs, 1);
	dev_end(t, 0, DONE, 2);
	assert_ptr_equal(t->rig->x.done[0], a);
	assert_ptr_equal(t->rig->x.done[1], b);
	assert_ptr_equal(t->rig->x.done[2], c);
	assert_ptr_equal(t->rig->x.done[3], d);
	assert_ptr_equal(t->rig->x.done[4], e);
}

static void other_endpoints_keep_going(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *in = dev_bulk(t, 0, 0x84), *own = dev_bulk(t, 1, 0x81);
	struct usb_xfer *late = dev_bulk(t, 2, 0x84), *x;

	dev_submit_ok(t, in);
	dev_submit_ok(t, own);
	x = set_interface(t, 3, 0, 1);
	dev_submit_ok(t, late);
	assert_int_equal(fake.nurbs, 3);
	dev_settle(t);
	assert_done(t, x, USB_OK, 0);
	assert_done(t, own, USB_ERROR, 0); /* its setting went away */
	assert_false(dev_is_done(t, in));
	dev_end(t, 0, DONE, 512);
	dev_end(t, 0, DONE, 512);
	assert_done(t, late, USB_OK, 512);
}

/* A toggle reset does not end what waits for data. */
static void clear_halt_leaves_transfers_alone(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *in = dev_bulk(t, 0, 0x81), *x;

	dev_submit_ok(t, in);
	x = clear_halt(t, 1, 0x81);
	dev_settle(t);
	assert_done(t, x, USB_OK, 0);
	assert_false(dev_is_done(t, in));
	dev_end(t, 0, DONE, 3);
	assert_done(t, in, USB_OK, 3);
}

static void job_nobody_waits_for_any_more(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *a = dev_bulk(t, 5, 0x81), *b, *c;

	fake.hold_cancelled = true;
	dev_submit_ok(t, a);
	b = set_config(t, 0, 2); /* waits for a */
	c = set_config(t, 1, 1); /* waits for b */
	rig_cancel(t->rig, 1, c);
	rig_cancel(t->rig, 1, b);
	rig_run(t->rig);
	assert_done(t, b, USB_CANCELLED, 0);
	assert_done(t, c, USB_CANCELLED, 0);
	dev_end(t, 0, LIBUSB_TRANSFER_CANCELLED, 0);
	dev_settle(t);
	assert_int_equal(t->rig->x.ndone, 3);
	assert_int_equal(t->dev->config, 2); /* it was on its way */
	fake.hold_cancelled = false;
}

/* The kernel forgot them: the device is given up, and comes back. */
static void transfers_that_never_end(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x, *y = dev_bulk(t, 1, 0x84);
	struct usb_xfer *z = dev_bulk(t, 2, 0x81);

	set_interface(t, 0, 0, 1);
	dev_settle(t);
	x = dev_xfer(t, 3, 0x03, USB_ISOCH, 8, false);
	t->packet[3].length = 8;
	x->packet = &t->packet[3];
	x->npackets = 1;
	fake.hold_cancelled = true;
	fake.may_lose = true;
	dev_submit_ok(t, x);
	dev_submit_ok(t, y);
	dev_submit_ok(t, z);
	dev_run(t);
	assert_int_equal(fake.nurbs, 3);
	assert_true(hostusb_timeout_ns(t->h) == UINT64_MAX);
	rig_cancel(t->rig, 1, y);
	rig_cancel(t->rig, 1, x);
	assert_in_range(hostusb_timeout_ns(t->h), 1, 5000000000u);
	dev_settle(t);
	assert_false(dev_is_done(t, y)); /* 5 seconds are not over */
	t->h->lost_after_ns = 1;
	dev_settle(t);
	assert_done(t, x, USB_NODEV, 0);
	assert_done(t, y, USB_NODEV, 0);
	assert_done(t, z, USB_NODEV, 0);
	assert_non_null(strstr(t->rig->last_log, "do not end"));
	assert_told(t->rig, "-1 +1 ");
	assert_int_equal(t->dev->opens, 1);
	dev_submit_ok(t, z = dev_bulk(t, 2, 0x81));
	dev_end(t, 0, DONE, 1);
	assert_done(t, z, USB_OK, 1);
}

static void something_of_everything(struct dev_rig *t)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 3 && t->rig->x.port[1].ops; i++) {
		dev_submit_ok(t, dev_bulk(t, n++, 0x84));
		dev_submit_ok(t, dev_bulk(t, n++, 0x81));
		if (i == 0)
			set_interface(t, n++, 0, 1);
		get_status(t, n++);
		if (i == 1)
			clear_halt(t, n++, 0x84);
		if (i == 2)
			set_config(t, n++, 2);
	}
}

static void assert_all_done(struct dev_rig *t)
{
	while (fake.nurbs)
		dev_end(t, 0, DONE, 1);
	dev_settle(t);
	while (fake.nurbs)
		dev_end(t, 0, DONE, 1);
	dev_settle(t);
	while (fake.nurbs)
		dev_end(t, 0, DONE, 1);
	dev_settle(t);
	for (unsigned i = 0; i < FAKE_XFERS; i++)
		assert_false(t->rig->in_flight[i]);
}

/* The device leaves after each call of libusb's, one after the other. */
static void unplug_at_any_step(void **state)
{
	struct dev_rig *t = *state;

	for (unsigned at = 1;; at++) {
		bool enough;

		dev_rig_stop(t);
		fake_reset_host();
		t->rig->x.ndone = 0;
		dev_rig_start(t);
		fake.calls = 0;
		fake.leave_at = at;
		something_of_everything(t);
		if (at & 1)
			rig_reset(t->rig, 1);
		assert_all_done(t);
		enough = fake.calls < at;
		if (!t->dev->there) {
			fake_unplug(t->dev);
			dev_settle(t);
			assert_null(t->rig->x.port[1].ops);
			assert_int_equal(fake.handles, 0);
		}
		if (enough)
			break;
	}
}

static void every_call_may_fail(void **state)
{
	static const int errors[] = {
		LIBUSB_ERROR_IO,   LIBUSB_ERROR_NO_DEVICE, LIBUSB_ERROR_BUSY,
		LIBUSB_ERROR_PIPE, LIBUSB_ERROR_NOT_FOUND, LIBUSB_ERROR_NO_MEM,
	};
	struct dev_rig *t = *state;

	for (unsigned e = 0; e < 6; e++)
		for (unsigned at = 1;; at++) {
			dev_rig_stop(t);
			fake_reset_host();
			t->rig->x.ndone = 0;
			dev_rig_start(t);
			fake.calls = 0;
			fake.fail_at = at;
			fake.fail_with = errors[e];
			something_of_everything(t);
			dev_settle(t);
			if (t->rig->x.port[1].ops && (at & 1))
				rig_reset(t->rig, 1);
			assert_all_done(t);
			if (fake.calls < at)
				break;
		}
}

int main(void)
{
#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, dev_rig_setup, dev_rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(requests_become_libusbs_calls),
		TEST(endpoints_follow_the_configuration),
		TEST(deconfigured_and_back),
		TEST(configuration_is_restored_when_given_back),
		TEST(host_that_configures_it_late_is_no_failure),
		TEST(same_configuration_is_set_when_it_matters),
		TEST(what_the_device_does_not_have_stalls),
		TEST(errors_become_what_the_guest_knows),
		TEST(requests_keep_their_order),
		TEST(other_endpoints_keep_going),
		TEST(clear_halt_leaves_transfers_alone),
		TEST(job_nobody_waits_for_any_more),
		TEST(transfers_that_never_end),
		TEST(unplug_at_any_step),
		TEST(every_call_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
