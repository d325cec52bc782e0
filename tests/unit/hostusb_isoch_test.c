/* SPDX-License-Identifier: BSD-2-Clause */
/* Isochronous packets: how they are put together, and how each one ends. */
#include "tests/unit/pmapper_fake.h"

#include "tests/unit/hostusb_fake.h"

#include "tests/unit/hostusb_rig.h"

/* Interface 0 in setting 1, which has the isochronous endpoints */
static int setup(void **state)
{
	struct dev_rig *t;
	struct usb_xfer *x;

	dev_rig_setup(state);
	t = *state;
	x = dev_request(t, 0, 1, USB_REQ_SET_INTERFACE, 1, 0, 0);
	dev_submit_ok(t, x);
	dev_settle(t);
	assert_done(t, x, USB_OK, 0);
	t->rig->x.ndone = 0;
	return 0;
}

static struct usb_xfer *packet(struct dev_rig *t, unsigned i, uint8_t ep,
			       uint32_t len)
{
	struct usb_xfer *x = dev_xfer(t, i, ep, USB_ISOCH, len, false);

	x->seg[0].base = t->mem + (size_t)i * 64; /* OUT data, IN at random */
	t->packet[i] = (struct usb_packet){.length = len};
	x->packet = &t->packet[i];
	x->npackets = 1;
	dev_submit_ok(t, x);
	return x;
}

static void packets(struct dev_rig *t, unsigned from, unsigned n, uint8_t ep,
		    uint32_t len)
{
	for (unsigned i = from; i < from + n; i++)
		packet(t, i, ep, len);
	dev_run(t);
}

static struct libusb_iso_packet_descriptor *desc(unsigned urb, unsigned i)
{
	return &fake.urb[urb]->lt.iso_packet_desc[i];
}

/* All packets of the oldest transfer were moved whole. */
static void end_whole(struct dev_rig *t)
{
	struct libusb_transfer *lt = &fake.urb[0]->lt;

	for (int i = 0; i < lt->num_iso_packets; i++) {
		lt->iso_packet_desc[i].status = LIBUSB_TRANSFER_COMPLETED;
		lt->iso_packet_desc[i].actual_length =
			lt->iso_packet_desc[i].length;
	}
	dev_end(t, 0, LIBUSB_TRANSFER_COMPLETED, 0);
}

static void what_is_queued_at_the_start_makes_several(void **state)
{
	struct dev_rig *t = *state;

	packets(t, 0, 16, 0x03, 48);
	assert_int_equal(fake.nurbs, 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(fake.urb[i]->lt.num_iso_packets, 4);
		assert_int_equal(fake.urb[i]->lt.type,
				 LIBUSB_TRANSFER_TYPE_ISOCHRONOUS);
		assert_int_equal(fake.urb[i]->lt.length, 4 * 48);
	}
	for (unsigned i = 0; i < 4; i++)
		end_whole(t);
	assert_int_equal(t->rig->x.ndone, 16);
	for (unsigned i = 0; i < 16; i++) {
		assert_ptr_equal(t->rig->x.done[i], &t->rig->t[i]);
		assert_done(t, &t->rig->t[i], USB_OK, 48);
		assert_int_equal(t->packet[i].actual, 48);
		assert_int_equal(t->packet[i].status, USB_OK);
	}
}

/* Nothing is sent from inside the controller's loop over its ring. */
static void one_packet_does_not_wait_for_more(void **state)
{
	struct dev_rig *t = *state;

	packet(t, 0, 0x03, 48);
	assert_int_equal(fake.nurbs, 0);
	assert_true(atomic_load(&host.wakes) > 0);
	dev_run(t);
	assert_int_equal(fake.nurbs, 1);
	assert_int_equal(fake.urb[0]->lt.num_iso_packets, 1);
	end_whole(t);
	assert_done(t, &t->rig->t[0], USB_OK, 48);
}

static void transfer_covers_4_ms_at_most(void **state)
{
	struct dev_rig *t = *state;
	unsigned sum = 0;

	packets(t, 0, 500, 0x83, 3072);
	for (unsigned i = 0; i < fake.nurbs; i++) {
		assert_in_range(fake.urb[i]->lt.num_iso_packets, 1, 32);
		sum += (unsigned)fake.urb[i]->lt.num_iso_packets;
	}
	assert_int_equal(sum, 500);
	while (fake.nurbs)
		end_whole(t);
	assert_int_equal(t->rig->x.ndone, 500);
}

static void single_packets_are_gathered_when_enough_is_in_flight(void **state)
{
	struct dev_rig *t = *state;

	packets(t, 0, 32, 0x03, 48); /* 4 of 8: 4 ms */
	for (unsigned i = 0; i < 7; i++) {
		packets(t, 32 + i, 1, 0x03, 48);
		assert_int_equal(fake.nurbs, 4);
	}
	packets(t, 39, 1, 0x03, 48); /* the eighth makes 1 ms */
	assert_int_equal(fake.nurbs, 5);
	assert_int_equal(fake.urb[4]->lt.num_iso_packets, 8);
	packets(t, 40, 1, 0x03, 48);
	assert_int_equal(fake.nurbs, 5);
	end_whole(t);
	end_whole(t);
	/* 3 in flight, 2 of them behind the oldest: just enough */
	assert_int_equal(fake.nurbs, 3);
	end_whole(t);
	/* too little: what waits goes, as little as it is */
	assert_int_equal(fake.nurbs, 3);
	assert_int_equal(fake.urb[2]->lt.num_iso_packets, 1);
	while (fake.nurbs)
		end_whole(t);
	assert_int_equal(t->rig->x.ndone, 41);
}

/* 44.1 kHz: every tenth packet is longer, some have nothing */
static void out_packets_have_their_own_lengths(void **state)
{
	static const uint32_t len[] = {44, 48, 0, 40, 192, 1, 0, 44};
	struct dev_rig *t = *state;
	unsigned off = 0;

	for (unsigned i = 0; i < 8; i++) {
		memset(t->mem + i * 64, (int)i + 1, 64);
		if (len[i] > 64)
			memset(t->mem + 64 * i, 5, len[i]);
		packet(t, i, 0x03, len[i]);
	}
	dev_run(t);
	assert_int_equal(fake.nurbs, 4);
	for (unsigned i = 0; i < 8; i++) {
		if (i % 2 == 0)
			off = 0;
		assert_int_equal(desc(i / 2, i % 2)->length, len[i]);
		for (unsigned b = 0; i != 4 && b < len[i]; b++)
			assert_int_equal(fake.urb[i / 2]->lt.buffer[off + b],
					 i + 1);
		off += len[i];
	}
	for (unsigned i = 0; i < 4; i++)
		end_whole(t);
	for (unsigned i = 0; i < 8; i++)
		assert_done(t, &t->rig->t[i], USB_OK, len[i]);
}

static void in_packets_go_where_their_tds_say(void **state)
{
	struct dev_rig *t = *state;

	for (unsigned i = 0; i < 8; i++) {
		packet(t, i, 0x83, 60);
		memset(t->mem + i * 64, 0, 64);
	}
	dev_run(t);
	for (unsigned u = 0; u < 4; u++)
		for (unsigned i = 0; i < 2; i++) {
			desc(u, i)->status = LIBUSB_TRANSFER_COMPLETED;
			desc(u, i)->actual_length = 10 * u + i;
			memset(fake.urb[u]->lt.buffer + i * 60,
			       (int)(u * 2 + i + 1), 60);
		}
	for (unsigned u = 0; u < 4; u++)
		dev_end(t, 0, LIBUSB_TRANSFER_COMPLETED, 0);
	for (unsigned i = 0; i < 8; i++) {
		uint32_t n = 10 * (i / 2) + i % 2;

		assert_done(t, &t->rig->t[i], USB_OK, n);
		for (unsigned b = 0; b < 64; b++)
			assert_int_equal(t->mem[i * 64 + b], b < n ? i + 1 : 0);
	}
}

static void in_packet_asks_no_more_than_the_endpoint_has(void **state)
{
	struct dev_rig *t = *state;

	packets(t, 0, 1, 0x83, 4000);
	assert_int_equal(desc(0, 0)->length, 3072); /* 1024, 3 a microframe */
	end_whole(t);
	assert_done(t, &t->rig->t[0], USB_OK, 3072);
}

static void packet_that_cannot_be_ends_alone(void **state)
{
	struct dev_rig *t = *state;

	packet(t, 0, 0x03, 48);
	packet(t, 1, 0x03, 193); /* the endpoint has 192 */
	packet(t, 2, 0x03, 48);
	t->rig->t[3] = *dev_xfer(t, 3, 0x03, USB_BULK, 5, false);
	dev_submit_ok(t, &t->rig->t[3]);
	dev_run(t);
	assert_done(t, &t->rig->t[1], USB_ERROR, 0);
	assert_int_equal(t->packet[1].status, USB_ERROR);
	assert_done(t, &t->rig->t[3], USB_ERROR, 0);
	while (fake.nurbs)
		end_whole(t);
	assert_done(t, &t->rig->t[0], USB_OK, 48);
	assert_done(t, &t->rig->t[2], USB_OK, 48);
}

static void each_packet_has_its_own_status(void **state)
{
	static const struct {
		enum libusb_transfer_status from;
		unsigned actual;
		enum usb_status to;
		uint32_t want;
	} map[] = {
		{LIBUSB_TRANSFER_COMPLETED, 20, USB_OK, 20},
		{LIBUSB_TRANSFER_ERROR, 0, USB_ERROR, 0},
		{LIBUSB_TRANSFER_ERROR, 5, USB_ERROR, 5},
		{LIBUSB_TRANSFER_OVERFLOW, 60, USB_BABBLE, 60},
		{LIBUSB_TRANSFER_STALL, 0, USB_STALL, 0},
		{LIBUSB_TRANSFER_TIMED_OUT, 0, USB_ERROR, 0},
		{LIBUSB_TRANSFER_COMPLETED, 99999, USB_OK, 60},
		{(enum libusb_transfer_status)77, 1, USB_ERROR, 1},
	};
	struct dev_rig *t = *state;

	for (unsigned i = 0; i < 8; i++)
		packet(t, i, 0x83, 60);
	dev_run(t);
	for (unsigned i = 0; i < 8; i++) {
		desc(i / 2, i % 2)->status = map[i].from;
		desc(i / 2, i % 2)->actual_length = map[i].actual;
	}
	for (unsigned u = 0; u < 4; u++)
		dev_end(t, 0, LIBUSB_TRANSFER_COMPLETED, 0);
	for (unsigned i = 0; i < 8; i++) {
		assert_done(t, &t->rig->t[i], map[i].to, map[i].want);
		assert_int_equal(t->packet[i].status, map[i].to);
		assert_int_equal(t->packet[i].actual, map[i].want);
	}
}

/* What libusb does not fill in was not moved. */
static void packets_libusb_says_nothing_of(void **state)
{
	struct dev_rig *t = *state;

	packets(t, 0, 2, 0x83, 60);
	fake.urb[0]->lt.num_iso_packets = 77; /* not believed */
	dev_end(t, 0, LIBUSB_TRANSFER_COMPLETED, 0);
	dev_end(t, 0, LIBUSB_TRANSFER_ERROR, 100);
	assert_done(t, &t->rig->t[0], USB_ERROR, 0);
	assert_done(t, &t->rig->t[1], USB_ERROR, 0);
}

static void cancelling_one_ends_no_other(void **state)
{
	struct dev_rig *t = *state;

	packets(t, 0, 8, 0x03, 48); /* 4 of 2 */
	rig_cancel(t->rig, 1, &t->rig->t[3]);
	dev_run(t);
	assert_int_equal(t->rig->x.ndone, 0);
	assert_false(fake.urb[1]->cancelled);
	rig_cancel(t->rig, 1, &t->rig->t[2]);
	assert_true(fake.urb[1]->cancelled);
	dev_run(t);
	assert_done(t, &t->rig->t[2], USB_CANCELLED, 0);
	assert_done(t, &t->rig->t[3], USB_CANCELLED, 0);
	assert_int_equal(t->packet[3].status, USB_CANCELLED);
	while (fake.nurbs)
		end_whole(t);
	assert_int_equal(t->rig->x.ndone, 8);
	assert_done(t, &t->rig->t[4], USB_OK, 48);
}

/* Stop Endpoint: what was sent before it is told as sent. */
static void cut_transfer_tells_what_was_done(void **state)
{
	struct dev_rig *t = *state;

	packets(t, 0, 16, 0x03, 48);
	fake.hold_cancelled = true;
	for (unsigned i = 16; i > 0; i--)
		rig_cancel(t->rig, 1, &t->rig->t[i - 1]);
	for (unsigned i = 0; i < 2; i++) {
		desc(0, i)->status = LIBUSB_TRANSFER_COMPLETED;
		desc(0, i)->actual_length = 48;
	}
	while (fake.nurbs)
		dev_end(t, fake.nurbs - 1, LIBUSB_TRANSFER_CANCELLED, 0);
	for (unsigned i = 0; i < 16; i++)
		assert_done(t, &t->rig->t[i], i < 2 ? USB_OK : USB_CANCELLED,
			    i < 2 ? 48 : 0);
}

static void cancel_before_it_was_sent(void **state)
{
	struct dev_rig *t = *state;

	packet(t, 0, 0x03, 48);
	packet(t, 1, 0x03, 48);
	rig_cancel(t->rig, 1, &t->rig->t[0]);
	dev_run(t);
	assert_done(t, &t->rig->t[0], USB_CANCELLED, 0);
	assert_int_equal(t->packet[0].status, USB_CANCELLED);
	assert_int_equal(fake.nurbs, 1);
	assert_int_equal(fake.urb[0]->lt.num_iso_packets, 1);
	end_whole(t);
}

static void stream_stops_and_starts_again(void **state)
{
	struct dev_rig *t = *state;

	for (unsigned round = 0; round < 3; round++) {
		packets(t, 0, 8, 0x83, 100);
		assert_int_equal(fake.nurbs, 4);
		while (fake.nurbs)
			end_whole(t);
	}
	assert_int_equal(t->rig->x.ndone, 24);
	assert_int_equal(fake.transfers, 4); /* the same ones each time */
}

static void memory_of_the_hosts_is_waited_for(void **state)
{
	struct dev_rig *t = *state;

	fake.submit_error = LIBUSB_ERROR_NO_MEM;
	packets(t, 0, 2, 0x03, 48);
	fake.submit_errors = 1;
	packets(t, 2, 2, 0x03, 48);
	assert_int_equal(fake.nurbs, 2);
	end_whole(t);
	while (fake.nurbs)
		end_whole(t);
	assert_int_equal(t->rig->x.ndone, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_done(t, &t->rig->t[i], USB_OK, 48);
	fake.submit_errors = 1;
	packets(t, 4, 1, 0x03, 48);
	assert_done(t, &t->rig->t[4], USB_NOMEM, 0);
}

static void refused_packets_are_errors(void **state)
{
	struct dev_rig *t = *state;

	fake.submit_error = LIBUSB_ERROR_IO;
	fake.submit_errors = 1000;
	packets(t, 0, 8, 0x03, 48);
	for (unsigned i = 0; i < 8; i++) {
		assert_done(t, &t->rig->t[i], USB_ERROR, 0);
		assert_int_equal(t->packet[i].status, USB_ERROR);
	}
	fake.submit_errors = 0;
}

static void unplug_ends_all(void **state)
{
	struct dev_rig *t = *state;

	packets(t, 0, 300, 0x03, 48);
	packets(t, 300, 3, 0x03, 48);
	fake_unplug(t->dev);
	packet(t, 400, 0x03, 48); /* nobody has been told yet */
	dev_settle(t);
	for (unsigned i = 0; i < 303; i++) {
		assert_done(t, &t->rig->t[i], USB_NODEV, 0);
		assert_int_equal(t->packet[i].status, USB_NODEV);
	}
	assert_done(t, &t->rig->t[400], USB_NODEV, 0);
}

/* The setting without the endpoints: what is in flight ends first. */
static void other_setting_ends_the_stream(void **state)
{
	struct dev_rig *t = *state;
	struct usb_xfer *x =
		dev_request(t, 500, 1, USB_REQ_SET_INTERFACE, 0, 0, 0);

	packets(t, 0, 8, 0x03, 48);
	dev_submit_ok(t, x);
	dev_settle(t);
	assert_done(t, x, USB_OK, 0);
	for (unsigned i = 0; i < 8; i++)
		assert_done(t, &t->rig->t[i], USB_MISSED, 0);
	packets(t, 0, 1, 0x03, 48);
	assert_done(t, &t->rig->t[0], USB_ERROR, 0);
}

static void every_call_may_fail(void **state)
{
	static const int errors[] = {LIBUSB_ERROR_NO_MEM, LIBUSB_ERROR_IO,
				     LIBUSB_ERROR_NO_DEVICE};
	struct dev_rig *t = *state;

	for (unsigned e = 0; e < 3; e++)
		for (unsigned at = 1;; at++) {
			struct usb_xfer *x;

			dev_rig_stop(t);
			fake_reset_host();
			t->rig->x.ndone = 0;
			dev_rig_start(t);
			x = dev_request(t, 500, 1, USB_REQ_SET_INTERFACE, 1, 0,
					0);
			dev_submit_ok(t, x);
			dev_settle(t);
			fake.calls = 0;
			fake.fail_at = at;
			fake.fail_with = errors[e];
			for (unsigned i = 0; i < 20; i++) {
				if (!t->rig->x.port[1].ops)
					break;
				packet(t, i, i < 12 ? 0x03 : 0x83, 48);
				if (i % 6 == 5)
					dev_run(t);
			}
			dev_run(t);
			dev_run(t);
			while (fake.nurbs)
				end_whole(t);
			dev_settle(t);
			for (unsigned i = 0; i < FAKE_XFERS; i++)
				assert_false(t->rig->in_flight[i]);
			if (fake.calls < at)
				break;
		}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, dev_rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(what_is_queued_at_the_start_makes_several),
		TEST(one_packet_does_not_wait_for_more),
		TEST(transfer_covers_4_ms_at_most),
		TEST(single_packets_are_gathered_when_enough_is_in_flight),
		TEST(out_packets_have_their_own_lengths),
		TEST(in_packets_go_where_their_tds_say),
		TEST(in_packet_asks_no_more_than_the_endpoint_has),
		TEST(packet_that_cannot_be_ends_alone),
		TEST(each_packet_has_its_own_status),
		TEST(packets_libusb_says_nothing_of),
		TEST(cancelling_one_ends_no_other),
		TEST(cut_transfer_tells_what_was_done),
		TEST(cancel_before_it_was_sent),
		TEST(stream_stops_and_starts_again),
		TEST(memory_of_the_hosts_is_waited_for),
		TEST(refused_packets_are_errors),
		TEST(unplug_ends_all),
		TEST(other_setting_ends_the_stream),
		TEST(every_call_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
