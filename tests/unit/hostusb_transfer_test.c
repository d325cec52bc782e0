/* SPDX-License-Identifier: BSD-2-Clause */
/* Control, bulk and interrupt transfers between the mapper and libusb. */
#include "tests/unit/pmapper_fake.h"

#include "tests/unit/hostusb_fake.h"

#include "tests/unit/hostusb_rig.h"

static void flat_payload_is_not_copied(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *in = dev_bulk(t, 0, 0x81), *out = dev_bulk(t, 1, 0x01);
	uint64_t copied = usb_copied_bytes();

	dev_submit_ok(t, in);
	dev_submit_ok(t, out);
	assert_int_equal(fake.nurbs, 2);
	assert_ptr_equal(fake.urb[0]->lt.buffer, t->mem);
	assert_ptr_equal(fake.urb[1]->lt.buffer, t->mem + 512);
	assert_int_equal(fake.urb[0]->lt.endpoint, 0x81);
	assert_int_equal(fake.urb[1]->lt.type, LIBUSB_TRANSFER_TYPE_BULK);
	assert_int_equal(fake.urb[1]->lt.flags, 0);
	dev_end(t, 0, DONE, 100);
	dev_end(t, 0, DONE, 512);
	assert_done(t, in, USB_OK, 100);
	assert_done(t, out, USB_OK, 512);
	assert_int_equal(usb_copied_bytes(), copied);
}

static void scattered_payload_is_copied_once(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *in = dev_xfer(t, 0, 0x81, USB_BULK, 90, true);
	struct usb_xfer *out = dev_xfer(t, 2, 0x01, USB_BULK, 90, true);
	uint64_t copied = usb_copied_bytes();

	memset(out->seg[0].base, 'a', 30);
	memset(out->seg[1].base, 'b', 60);
	dev_submit_ok(t, in);
	dev_submit_ok(t, out);
	assert_int_equal(fake.urb[1]->lt.length, 90);
	assert_memory_equal(fake.urb[1]->lt.buffer + 29, "abb", 3);
	memcpy(fake.urb[0]->lt.buffer + 29, "123", 3);
	dev_end(t, 0, DONE, 31);
	assert_done(t, in, USB_OK, 31);
	assert_int_equal(in->seg[0].base[29], '1');
	assert_int_equal(in->seg[1].base[0], '2');
	assert_int_equal(in->seg[1].base[1], 0); /* behind actual */
	assert_int_equal(usb_copied_bytes() - copied, 90 + 31);
	dev_end(t, 0, DONE, 90);
}

static void control_has_its_setup_before_the_data(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *out = dev_request(t, 0, 0x40, 0x5b, 0x1234, 0x5678, 3);
	struct usb_xfer *in = dev_request(t, 1, 0xc0, 0x5c, 0, 0, 4);

	memcpy(t->mem, "xyz", 3);
	dev_submit_ok(t, out);
	assert_memory_equal(fake.urb[0]->lt.buffer,
			    "\x40\x5b\x34\x12\x78\x56\x03\0xyz", 11);
	assert_int_equal(fake.urb[0]->lt.length, 11);
	assert_int_equal(fake.urb[0]->lt.type, LIBUSB_TRANSFER_TYPE_CONTROL);
	dev_end(t, 0, DONE, 3);
	assert_done(t, out, USB_OK, 3);
	dev_submit_ok(t, in);
	assert_int_equal(fake.urb[0]->lt.length, 12);
	memcpy(fake.urb[0]->lt.buffer + 8, "okay", 4);
	dev_end(t, 0, DONE, 2);
	assert_done(t, in, USB_OK, 2);
	assert_memory_equal(t->mem + 512, "ok\0", 3);
}

/* Data TRBs may hold less than wLength, or more. */
static void control_with_another_length_than_its_data(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x = dev_request(t, 0, 0xc0, 1, 0, 0, 16);

	x->length = 4;
	x->seg[0].len = 4;
	dev_submit_ok(t, x);
	assert_int_equal(fake.urb[0]->lt.length, 8 + 16);
	memset(fake.urb[0]->lt.buffer + 8, 'x', 16);
	dev_end(t, 0, DONE, 16);
	assert_done(t, x, USB_OK, 4);
	assert_int_equal(t->mem[4], 0);
	x = dev_request(t, 0, 0x40, 1, 0, 0, 4);
	x->length = 2;
	x->seg[0].len = 2;
	dev_submit_ok(t, x);
	assert_memory_equal(fake.urb[0]->lt.buffer + 8, "xx\0\0", 4);
	dev_end(t, 0, DONE, 4);
	assert_done(t, x, USB_OK, 2);
}

static void control_longer_than_libusb_takes(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x = dev_request(t, 0, 0xc0, 1, 0, 0, 9000);

	dev_submit_ok(t, x);
	assert_int_equal(fake.urb[0]->lt.length, 8 + 4096);
	assert_int_equal(fake.urb[0]->lt.buffer[7], 0x10);
	dev_end(t, 0, DONE, 4000);
	assert_done(t, x, USB_OK, 4000);
	x = dev_request(t, 0, 0x40, 1, 0, 0, 9000);
	dev_submit_ok(t, x);
	dev_run(t);
	assert_done(t, x, USB_ERROR, 0);
}

static void each_status_becomes_the_controllers(void **state)
{
	static const struct {
		enum libusb_transfer_status from;
		enum usb_status to;
	} map[] = {
		{LIBUSB_TRANSFER_COMPLETED, USB_OK},
		{LIBUSB_TRANSFER_ERROR, USB_ERROR},
		{LIBUSB_TRANSFER_TIMED_OUT, USB_ERROR},
		{LIBUSB_TRANSFER_CANCELLED, USB_ERROR}, /* by nobody */
		{LIBUSB_TRANSFER_STALL, USB_STALL},
		{LIBUSB_TRANSFER_OVERFLOW, USB_BABBLE},
		{(enum libusb_transfer_status)99, USB_ERROR},
	};
	struct dev_rig *t = *state;

	for (unsigned i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		struct usb_xfer *x = dev_bulk(t, 0, 0x81);

		dev_submit_ok(t, x);
		dev_end(t, 0, map[i].from, 7);
		assert_done(t, x, map[i].to, 7);
		x = dev_request(t, 0, 0xc0, 1, 0, 0, 9);
		dev_submit_ok(t, x);
		dev_end(t, 0, map[i].from, 7);
		assert_done(t, x, map[i].to, 7);
	}
}

static void impossible_lengths_are_cut(void **state)
{
	static const int actual[] = {-1, 513, INT32_MAX, INT32_MIN};
	static const uint32_t want[] = {0, 512, 512, 0};
	struct dev_rig *t = *state;

	for (unsigned i = 0; i < 4; i++)
		for (unsigned split = 0; split < 2; split++) {
			struct usb_xfer *x =
				dev_xfer(t, 0, 0x81, USB_BULK, 512, split);

			dev_submit_ok(t, x);
			dev_end(t, 0, DONE, actual[i]);
			assert_done(t, x, USB_OK, want[i]);
		}
}

static void interrupt_and_empty_transfers(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x = dev_xfer(t, 0, 0x82, USB_INTERRUPT, 8, false);
	struct usb_xfer *z = dev_xfer(t, 1, 0x01, USB_BULK, 0, false);

	dev_submit_ok(t, x);
	dev_submit_ok(t, z);
	assert_int_equal(fake.urb[0]->lt.type, LIBUSB_TRANSFER_TYPE_INTERRUPT);
	assert_int_equal(fake.urb[1]->lt.length, 0);
	dev_end(t, 1, DONE, 0);
	assert_done(t, z, USB_OK, 0);
	assert_false(dev_is_done(t, x));
	dev_end(t, 0, DONE, 8);
	assert_done(t, x, USB_OK, 8);
}

static void endpoint_the_device_has_not(void **state)
{
	static const struct {
		uint8_t ep;
		enum usb_type type;
	} bad[] = {
		{0x05, USB_BULK}, {0x85, USB_INTERRUPT}, {0x83, USB_ISOCH},
		{0x80, USB_BULK}, {0x81, USB_ISOCH},
	};
	struct dev_rig *t = *state;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct usb_xfer *x =
			dev_xfer(t, 0, bad[i].ep, bad[i].type, 64, false);

		x->packet = t->packet;
		t->packet[0].length = 64;
		x->npackets = 1;
		if (bad[i].ep == 0x80)
			continue; /* endpoint 0 is one for both directions */
		dev_submit_ok(t, x);
		dev_run(t);
		assert_done(t, x, USB_ERROR, 0);
	}
	assert_int_equal(fake.nurbs, 0);
}

static void memory_of_the_hosts_is_waited_for(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x[4];

	x[0] = dev_bulk(t, 0, 0x81);
	dev_submit_ok(t, x[0]);
	fake.submit_error = LIBUSB_ERROR_NO_MEM;
	fake.submit_errors = 1;
	for (unsigned i = 1; i < 4; i++) {
		x[i] = dev_bulk(t, i, 0x81);
		dev_submit_ok(t, x[i]);
	}
	/* nothing overtakes: the others were not even tried */
	assert_int_equal(fake.nurbs, 1);
	dev_end(t, 0, DONE, 512);
	assert_int_equal(fake.nurbs, 3);
	for (unsigned i = 0; i < 3; i++)
		assert_ptr_equal(fake.urb[i]->lt.buffer, x[i + 1]->seg[0].base);
	rig_cancel(t->rig, 1, x[3]);
	for (unsigned i = 0; i < 2; i++)
		dev_end(t, 0, DONE, 512);
	dev_run(t);
	assert_done(t, x[2], USB_OK, 512);
	assert_done(t, x[3], USB_CANCELLED, 0);
}

static void waiting_transfer_can_be_cancelled(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x[4];

	fake.submit_error = LIBUSB_ERROR_NO_MEM;
	for (unsigned i = 0; i < 4; i++) {
		x[i] = dev_bulk(t, i, 0x81);
		fake.submit_errors = i ? 100 : 0;
		dev_submit_ok(t, x[i]);
	}
	rig_cancel(t->rig, 1, x[2]);
	rig_cancel(t->rig, 1, x[1]);
	rig_run(t->rig);
	assert_done(t, x[2], USB_CANCELLED, 0);
	assert_done(t, x[1], USB_CANCELLED, 0);
	fake.submit_errors = 0;
	dev_end(t, 0, DONE, 512);
	dev_end(t, 0, DONE, 512);
	assert_done(t, x[3], USB_OK, 512);
}

static void no_memory_and_nothing_to_wait_for(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x = dev_bulk(t, 0, 0x81);

	fake.submit_error = LIBUSB_ERROR_NO_MEM;
	fake.submit_errors = 1;
	dev_submit_ok(t, x);
	dev_run(t);
	assert_done(t, x, USB_NOMEM, 0);
}

static void refused_submission_is_an_error(void **state)
{
	static const int errors[] = {LIBUSB_ERROR_IO, LIBUSB_ERROR_BUSY,
				     LIBUSB_ERROR_NOT_SUPPORTED,
				     LIBUSB_ERROR_INVALID_PARAM, -1000};
	struct dev_rig *t = *state;

	for (unsigned i = 0; i < 5; i++) {
		struct usb_xfer *x = dev_bulk(t, 0, 0x81);

		fake.submit_error = errors[i];
		fake.submit_errors = 1;
		dev_submit_ok(t, x);
		dev_run(t);
		assert_done(t, x, USB_ERROR, 0);
	}
}

static void no_device_unplugs_it(void **state)
{
	struct dev_rig *t = *state;

	for (unsigned how = 0; how < 2; how++) {
		struct usb_xfer *a = dev_bulk(t, 0, 0x81);
		struct usb_xfer *b = dev_bulk(t, 1, 0x81);

		dev_submit_ok(t, a);
		if (how == 0) {
			fake.submit_error = LIBUSB_ERROR_NO_DEVICE;
			fake.submit_errors = 1;
			dev_submit_ok(t, b);
		} else {
			dev_submit_ok(t, b);
			fake_end(fake.urb[1], LIBUSB_TRANSFER_NO_DEVICE, 0);
		}
		dev_run(t);
		assert_told(t->rig, "-1 ");
		dev_run(t);
		assert_true(dev_is_done(t, a));
		assert_done(t, b, USB_NODEV, 0);
		fake_unplug(t->dev);
		t->dev = fake_plug_in(2);
		dev_settle(t);
		assert_told(t->rig, "+1 ");
	}
}

/* In the steady state nothing is allocated. */
static void transfers_are_taken_from_a_pool(void **state)
{
	struct dev_rig *t = *state;
	unsigned transfers = 0;

	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 8; i++)
			dev_submit_ok(
				t, dev_xfer(t, i, 0x81, USB_BULK, 400, i & 1));
		for (unsigned i = 0; i < 8; i++)
			dev_end(t, 0, DONE, 400);
		if (round == 0)
			transfers = fake.transfers;
		assert_int_equal(fake.transfers, transfers);
	}
	assert_int_equal(transfers, 8);
}

static void unplug_in_the_middle_ends_all(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x[20];

	for (unsigned i = 0; i < 20; i++) {
		x[i] = dev_xfer(t, i, i & 1 ? 0x81 : 0x01, USB_BULK, 400,
				i % 3);
		if (i == 15) {
			fake.submit_error = LIBUSB_ERROR_NO_MEM;
			fake.submit_errors = 1000;
		}
		dev_submit_ok(t, x[i]);
	}
	fake_unplug(t->dev);
	dev_settle(t);
	for (unsigned i = 0; i < 20; i++)
		assert_done(t, x[i], USB_NODEV, 0);
	assert_told(t->rig, "-1 ");
	assert_int_equal(fake.handles, 0);
}

/*
 * A run with transfers of every kind, each call failing once: every transfer
 * that was taken ends exactly once (the fake controller sees to that).
 */
static void every_call_may_fail(void **state)
{
	static const int errors[] = {LIBUSB_ERROR_IO, LIBUSB_ERROR_NO_MEM,
				     LIBUSB_ERROR_NO_DEVICE,
				     LIBUSB_ERROR_NOT_FOUND};
	struct dev_rig *t = *state;

	for (unsigned e = 0; e < 4; e++)
		for (unsigned at = 1;; at++) {
			bool enough;

			dev_rig_stop(t);
			fake_reset_host();
			dev_rig_start(t);
			t->rig->x.ndone = 0;
			fake.calls = 0;
			fake.fail_at = at;
			fake.fail_with = errors[e];
			for (unsigned i = 0; i < 4; i++) {
				rig_submit(t->rig, 1,
					   dev_bulk(t, i, i & 1 ? 0x81 : 1));
				if (!t->rig->x.port[1].ops)
					break;
				rig_submit(t->rig, 1,
					   dev_request(t, 10 + i, 0xc0, 1, 0, 0,
						       8));
			}
			while (fake.nurbs)
				dev_end(t, fake.nurbs - 1, DONE, 8);
			dev_settle(t);
			for (unsigned i = 0; i < FAKE_XFERS; i++)
				assert_false(t->rig->in_flight[i]);
			enough = fake.calls < at;
			if (enough)
				break;
		}
}

int main(void)
{
#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, dev_rig_setup, dev_rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(flat_payload_is_not_copied),
		TEST(scattered_payload_is_copied_once),
		TEST(control_has_its_setup_before_the_data),
		TEST(control_with_another_length_than_its_data),
		TEST(control_longer_than_libusb_takes),
		TEST(each_status_becomes_the_controllers),
		TEST(impossible_lengths_are_cut),
		TEST(interrupt_and_empty_transfers),
		TEST(endpoint_the_device_has_not),
		TEST(memory_of_the_hosts_is_waited_for),
		TEST(waiting_transfer_can_be_cancelled),
		TEST(no_memory_and_nothing_to_wait_for),
		TEST(refused_submission_is_an_error),
		TEST(no_device_unplugs_it),
		TEST(transfers_are_taken_from_a_pool),
		TEST(unplug_in_the_middle_ends_all),
		TEST(every_call_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
