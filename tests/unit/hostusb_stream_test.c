/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Streams of a device's endpoints: made before they are used, and no more than the
 * host has.
 */
#include "tests/unit/pmapper_fake.h"

#include "tests/unit/hostusb_fake.h"

#include "hostusb/attach.h"
#include "tests/unit/hostusb_request.h"

static struct usb_xfer *stream_xfer(struct dev_rig *t, unsigned i, uint8_t ep,
				    uint16_t stream)
{
	struct usb_xfer *x = dev_bulk(t, i, ep);

	x->stream = stream;
	dev_submit_ok(t, x);
	return x;
}

static void ep_enable(struct dev_rig *t, uint8_t ep, uint16_t streams)
{
	struct usb_ep_info info = {
		.ep = ep, .type = USB_BULK, .streams = streams};

	t->rig->x.port[1].ops->ep_enable(t->rig->x.port[1].dev, &info);
}

/* What belongs together over several endpoints keeps its order meanwhile. */
static void streams_are_made_before_anything_goes_on(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x, *y;

	t->dev->max_streams = 16;
	ep_enable(t, 0x81, 15);
	x = stream_xfer(t, 0, 0x81, 3);
	dev_submit_ok(t, dev_bulk(t, 2, 0x01));
	y = stream_xfer(t, 1, 0x81, 15);
	assert_int_equal(fake.nurbs, 0);
	dev_settle(t);
	assert_int_equal(fake.nurbs, 3);
	assert_int_equal(fake.urb[0]->lt.type,
			 LIBUSB_TRANSFER_TYPE_BULK_STREAM);
	assert_int_equal(fake.urb[1]->lt.endpoint, 0x01);
	assert_int_equal(fake.stream[0], 3);
	assert_int_equal(fake.stream[2], 15);
	for (unsigned i = 0; i < 3; i++)
		dev_end(t, 0, DONE, 512);
	assert_done(t, x, USB_OK, 512);
	assert_done(t, y, USB_OK, 512);
	t->rig->x.port[1].ops->ep_disable(t->rig->x.port[1].dev, 0x81);
	dev_settle(t);
	assert_int_equal(fake.streams_freed, 1);
}

/* A guest may configure the endpoint before it chooses its setting. */
static void streams_wait_for_the_setting_with_the_endpoint(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x;

	t->dev->max_streams = 16;
	set_config(t, 0, 2);
	dev_settle(t);
	ep_enable(t, 0x01, 15);
	dev_settle(t);
	assert_int_equal(fake.streams_made, 0);
	x = stream_xfer(t, 1, 0x01, 3);
	dev_settle(t);
	assert_done(t, x, USB_ERROR, 0);
	set_config(t, 0, 1);
	x = stream_xfer(t, 1, 0x01, 3);
	dev_settle(t);
	assert_int_equal(fake.streams_made, 1);
	dev_end(t, 0, DONE, 9);
	assert_done(t, x, USB_OK, 9);
}

static void streams_the_host_has_not(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x;

	ep_enable(t, 0x81, 15);
	x = stream_xfer(t, 0, 0x81, 3);
	dev_settle(t);
	assert_done(t, x, USB_ERROR, 0);
	x = stream_xfer(t, 0, 0x81, 4);
	dev_settle(t);
	assert_done(t, x, USB_ERROR, 0);
	assert_int_equal(t->rig->logs, 1);
	t->dev->max_streams = 4;
	ep_enable(t, 0x81, 15);
	x = stream_xfer(t, 0, 0x81, 5);
	dev_settle(t);
	assert_done(t, x, USB_ERROR, 0);
	x = stream_xfer(t, 0, 0x81, 4);
	dev_settle(t);
	dev_end(t, 0, DONE, 1);
	assert_done(t, x, USB_OK, 1);
	assert_int_equal(t->rig->logs, 2);
}

static void one_streams_failure_leaves_the_others(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x[3];

	t->dev->max_streams = 16;
	ep_enable(t, 0x81, 15);
	for (unsigned i = 0; i < 3; i++)
		x[i] = stream_xfer(t, i, 0x81, i == 1 ? 2 : 1);
	dev_settle(t);
	dev_end(t, 0, LIBUSB_TRANSFER_STALL, 0);
	dev_run(t);
	assert_done(t, x[0], USB_STALL, 0);
	assert_done(t, x[2], USB_CANCELLED, 0);
	dev_end(t, 0, DONE, 5);
	assert_done(t, x[1], USB_OK, 5);
}

int main(void)
{
#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, dev_rig_setup, dev_rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(streams_are_made_before_anything_goes_on),
		TEST(streams_wait_for_the_setting_with_the_endpoint),
		TEST(streams_the_host_has_not),
		TEST(one_streams_failure_leaves_the_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
