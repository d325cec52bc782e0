/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device zero: descriptors at each speed, vendor requests, source and sink
 * of bulk data, and loopback.
 */
#include "devices_zero_fake.h"

static const struct row {
	enum usb_speed speed;
	uint16_t bulk, isoch, interrupt;
} speeds[] = {
	{USB_SPEED_FULL, 64, 1023, 64},
	{USB_SPEED_HIGH, 512, 1024, 1024},
	{USB_SPEED_SUPER, 1024, 1024, 1024},
};
#define NSPEEDS (sizeof(speeds) / sizeof(speeds[0]))

/* What usbtest looks for: the pairs of each alternate setting, and no more */
static void check_config(const uint8_t *d, size_t len, const struct row *row)
{
	static const uint8_t want[3][4] = {
		{USB_BULK, USB_BULK, 0xff, 0xff},
		{USB_BULK, USB_BULK, USB_ISOCH, USB_ISOCH},
		{USB_INTERRUPT, USB_INTERRUPT, 0xff, 0xff},
	};
	const uint16_t mps[] = {0, row->isoch, row->bulk, row->interrupt};
	unsigned alt = 99, neps = 0, ins = 0;

	for (size_t i = 9; i < len; i += d[i]) {
		assert_true(d[i] >= 2 && i + d[i] <= len);
		if (d[i + 1] == USB_DT_INTERFACE) {
			alt = d[i + 3];
			assert_in_range(alt, 0, 2);
			assert_int_equal(d[i + 2], 0);
			assert_int_equal(d[i + 4],
					 want[alt][2] == 0xff ? 2 : 4);
			neps = ins = 0;
		} else if (d[i + 1] == USB_DT_ENDPOINT) {
			assert_in_range(neps, 0, 3);
			assert_int_equal(d[i + 3], want[alt][neps]);
			assert_int_equal(d[i + 4] | d[i + 5] << 8,
					 mps[d[i + 3]]);
			assert_int_equal(d[i + 6],
					 d[i + 3] == USB_BULK ? 0 : 4);
			ins += d[i + 2] >> 7;
			neps++;
			assert_int_equal(ins, (neps + 1) / 2); /* in, out */
			if (row->speed >= USB_SPEED_SUPER)
				assert_int_equal(d[i + 8],
						 USB_DT_SS_EP_COMPANION);
		} else {
			assert_int_equal(d[i + 1], USB_DT_SS_EP_COMPANION);
			assert_true(row->speed >= USB_SPEED_SUPER);
			assert_int_equal(d[i + 4] | d[i + 5] << 8,
					 d[i - 7 + 3] == USB_BULK ? 0 : 1024);
		}
	}
	assert_int_equal(alt, 2);
}

static void what_it_says_of_itself(void **state)
{
	(void)state;
	for (size_t i = 0; i < NSPEEDS; i++) {
		struct usb_dev *d = zero_new(speeds[i].speed, ZERO_ZEROES);
		uint8_t b[256];
		int n;

		n = fake_control(d, 0x80, USB_REQ_GET_DESCRIPTOR, 0x0100, 0, b,
				 sizeof(b));
		assert_int_equal(n, 18);
		assert_memory_equal(b + 8, "\x25\x05\xa0\xa4", 4);
		assert_int_equal(b[17], 2);
		for (uint16_t c = 0; c < 2; c++) {
			n = fake_control(d, 0x80, USB_REQ_GET_DESCRIPTOR,
					 (uint16_t)(0x0200 + c), 0, b,
					 sizeof(b));
			assert_true(n > 9);
			assert_int_equal(b[2] | b[3] << 8, n);
			assert_int_equal(b[4], 1);
			assert_int_equal(b[5],
					 c == 0 ? CONFIG_SOURCE : CONFIG_LOOP);
			check_config(b, (size_t)n, &speeds[i]);
		}
		for (uint16_t s = 1; s <= 5; s++)
			assert_true(fake_control(d, 0x80,
						 USB_REQ_GET_DESCRIPTOR,
						 (uint16_t)(0x0300 + s), 0x0409,
						 b, 255) > 2);
		zero_end(d);
	}
}

static void other_speeds_are_refused(void **state)
{
	static const enum usb_speed no[] = {USB_SPEED_NONE, USB_SPEED_LOW,
					    USB_SPEED_SUPER_BY2};

	(void)state;
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
		struct usb_dev *d = NULL;
		char err[128] = "";

		assert_int_equal(
			zero_open(no[i], ZERO_ZEROES, &d, err, sizeof(err)),
			-EINVAL);
		assert_null(d);
		assert_string_equal(err, "it cannot have this speed:"
					 " use full, high, super or super+");
	}
}

static void control_write_is_read_back(void **state)
{
	static const uint16_t lens[] = {1, 64, 4096, 65535, 0, 2};
	struct usb_dev *d = zero_new(USB_SPEED_HIGH, ZERO_ZEROES);
	static uint8_t out[65535], in[65535];

	(void)state;
	/* before it is configured there is nobody to answer */
	assert_int_equal(fake_control(d, 0x40, 0x5b, 0, 0, out, 4), -EPIPE);
	fake_control(d, 0, USB_REQ_SET_CONFIGURATION, CONFIG_LOOP, 0, NULL, 0);
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		memset(in, 0, sizeof(in));
		for (unsigned j = 0; j < lens[i]; j++)
			out[j] = (uint8_t)(j * 7 + i);
		assert_int_equal(
			fake_control(d, 0x40, 0x5b, 0, 0, out, lens[i]),
			lens[i]);
		assert_int_equal(fake_control(d, 0xc0, 0x5c, 0, 0, in, lens[i]),
				 lens[i]);
		assert_memory_equal(in, out, lens[i]);
	}
	/* what was not written the last time is still there */
	assert_int_equal(fake_control(d, 0xc0, 0x5c, 0, 0, in, 65535), 65535);
	assert_int_equal(in[1], (uint8_t)(7 + 5));
	assert_int_equal(in[3], (uint8_t)(21 + 3));
	zero_end(d);
}

static void other_requests_are_errors(void **state)
{
	static const struct {
		uint8_t type, request;
		uint16_t value, index;
	} rows[] = {
		{0x40, 0x5c, 0, 0}, {0xc0, 0x5b, 0, 0}, {0x41, 0x5b, 0, 0},
		{0xc1, 0x5c, 0, 0}, {0x40, 0x5b, 1, 0}, {0x40, 0x5b, 0, 1},
		{0xc0, 0x5c, 1, 0}, {0xc0, 0x5c, 0, 1}, {0x40, 0x5a, 0, 0},
		{0x20, 0x5b, 0, 0}, {0xc0, 0x00, 0, 0},
	};
	struct usb_dev *d = zero_at(USB_SPEED_SUPER, CONFIG_SOURCE, 0);
	uint8_t buf[8] = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(fake_control(d, rows[i].type, rows[i].request,
					      rows[i].value, rows[i].index, buf,
					      8),
				 -EPIPE);
	zero_end(d);
}

static void the_source_sends_its_pattern(void **state)
{
	static const size_t lens[] = {0, 1, 63, 64, 1000, 1024, 65536};

	(void)state;
	for (size_t i = 0; i < NSPEEDS * 2; i++) {
		const struct row *row = &speeds[i / 2];
		bool mod63 = i % 2;
		struct usb_dev *d =
			zero_new(row->speed, mod63 ? ZERO_MOD63 : ZERO_ZEROES);

		fake_control(d, 0, USB_REQ_SET_CONFIGURATION, CONFIG_SOURCE, 0,
			     NULL, 0);
		for (size_t j = 0; j < sizeof(lens) / sizeof(lens[0]); j++) {
			struct fake_xfer *f =
				fake_xfer(0x81, NULL, lens[j], 100);

			fake_submit(d, f);
			assert_ended(f, USB_OK, lens[j]);
			for (size_t k = 0; k < lens[j]; k++)
				assert_int_equal(f->mem[k],
						 mod63 ? k % row->bulk % 63
						       : 0);
			fake_xfer_free(f);
		}
		zero_end(d);
	}
}

static struct fake_xfer *sent(struct usb_dev *d, uint8_t *data, size_t len)
{
	struct fake_xfer *f = fake_xfer(0x01, data, len, 300);

	fake_submit(d, f);
	assert_true(f->done);
	return f;
}

/*
 * A wrong byte halts the endpoint when the buffer that it is in, of 4096, is
 * full or the transfer over: what is left of the transfer is stalled.
 */
static void the_sink_halts_on_other_data(void **state)
{
	static const struct {
		uint32_t len, bad; /* bad: the wrong byte, or none: >= len */
		enum usb_status status;
		uint32_t actual;
		bool halts;
	} rows[] = {
		{0, 1, USB_OK, 0, false},
		{1, 1, USB_OK, 1, false},
		{65536, 65536, USB_OK, 65536, false},
		{1, 0, USB_OK, 1, true},
		{4096, 4095, USB_OK, 4096, true},
		{4097, 4095, USB_STALL, 4096, true},
		{4097, 4096, USB_OK, 4097, true},
		{10000, 299, USB_STALL, 4096, true},
		{10000, 300, USB_STALL, 4096, true},
		{10000, 5000, USB_STALL, 8192, true},
		{10000, 9999, USB_OK, 10000, true},
	};

	(void)state;
	for (size_t i = 0; i < 3 * sizeof(rows) / sizeof(rows[0]); i++) {
		enum zero_pattern pattern = (enum zero_pattern)(i % 3);
		struct usb_dev *d = zero_new(USB_SPEED_HIGH, pattern);
		bool halts = rows[i / 3].halts && pattern != ZERO_ANY;
		uint32_t len = rows[i / 3].len;
		static uint8_t data[65536];
		uint8_t st[2];
		struct fake_xfer *f;

		fake_control(d, 0, USB_REQ_SET_CONFIGURATION, CONFIG_SOURCE, 0,
			     NULL, 0);
		for (uint32_t j = 0; j < len; j++)
			data[j] = (uint8_t)(pattern == ZERO_MOD63 ? j % 512 % 63
								  : 0);
		if (rows[i / 3].bad < len)
			data[rows[i / 3].bad] ^= 0x40;
		f = sent(d, data, len);
		if (pattern == ZERO_ANY)
			assert_ended(f, USB_OK, len);
		else
			assert_ended(f, rows[i / 3].status, rows[i / 3].actual);
		fake_xfer_free(f);
		assert_int_equal(
			fake_control(d, 0x82, USB_REQ_GET_STATUS, 0, 1, st, 2),
			2);
		assert_int_equal(st[0], halts);
		f = sent(d, data, 0);
		assert_int_equal(f->x.status, halts ? USB_STALL : USB_OK);
		fake_xfer_free(f);
		/* the other direction is not concerned, and halts end */
		assert_int_equal(fake_control(d, 0x02, USB_REQ_CLEAR_FEATURE, 0,
					      1, NULL, 0),
				 0);
		f = sent(d, data, 0);
		assert_ended(f, USB_OK, 0);
		fake_xfer_free(f);
		zero_end(d);
	}
}

/* Loopback: what a transfer holds until there is something for it */
static void loopback_sends_back_in_order(void **state)
{
	struct usb_dev *d = zero_at(USB_SPEED_HIGH, CONFIG_LOOP, 0);
	struct fake_xfer *in[3], *out;
	static uint8_t data[3000];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 13 + i / 256);
	for (unsigned i = 0; i < 3; i++) {
		in[i] = fake_xfer(0x81, NULL, 1024, 100);
		fake_submit(d, in[i]);
		assert_false(in[i]->done);
	}
	/* two full transfers and a short one: 1024, 1024, 452 */
	out = sent(d, data, 2500);
	assert_ended(out, USB_OK, 2500);
	fake_xfer_free(out);
	assert_ended(in[0], USB_OK, 1024);
	assert_ended(in[1], USB_OK, 1024);
	assert_ended(in[2], USB_OK, 452);
	for (unsigned i = 0; i < 3; i++) {
		assert_memory_equal(in[i]->mem, data + 1024 * i,
				    in[i]->x.actual);
		fake_xfer_free(in[i]);
	}
	/* whole packets alone do not end a transfer, a zero-length one does */
	out = sent(d, data, 512);
	fake_xfer_free(out);
	in[0] = fake_xfer(0x81, NULL, 1024, 0);
	fake_submit(d, in[0]);
	assert_false(in[0]->done);
	out = sent(d, data, 0);
	fake_xfer_free(out);
	assert_ended(in[0], USB_OK, 512);
	fake_xfer_free(in[0]);
	zero_end(d);
}

static void loopback_waits_for_room(void **state)
{
	struct usb_dev *d = zero_at(USB_SPEED_SUPER, CONFIG_LOOP, 0);
	struct fake_xfer *out[3], *in;
	static uint8_t data[65536];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 31 + i / 512);
	for (unsigned i = 0; i < 3; i++) {
		out[i] = fake_xfer(0x01, data, 65536, 4096);
		fake_submit(d, out[i]);
	}
	assert_ended(out[0], USB_OK, 65536);
	assert_ended(out[1], USB_OK, 65536);
	assert_false(out[2]->done);
	/* room for one packet, and all the rest, over the end of the ring */
	for (unsigned i = 0; i < 3 * 64; i++) {
		in = fake_xfer(0x81, NULL, 1024, 1000);
		fake_submit(d, in);
		assert_ended(in, USB_OK, 1024);
		assert_memory_equal(in->mem, data + i % 64 * 1024, 1024);
		fake_xfer_free(in);
		assert_int_equal(out[2]->done, i >= 63);
	}
	for (unsigned i = 0; i < 3; i++)
		fake_xfer_free(out[i]);
	/* as many packets as there are places, of no length */
	for (unsigned i = 0; i < 2048; i++)
		fake_xfer_free(sent(d, NULL, 0));
	out[0] = fake_xfer(0x01, NULL, 0, 0);
	fake_submit(d, out[0]);
	assert_false(out[0]->done);
	in = fake_xfer(0x81, NULL, 0, 0);
	fake_submit(d, in);
	assert_ended(in, USB_OK, 0);
	assert_true(out[0]->done);
	fake_xfer_free(in);
	fake_xfer_free(out[0]);
	zero_end(d);
}

/* Packets that do not divide the ring: each comes back whole. */
static void packets_lie_over_the_end_of_the_ring(void **state)
{
	struct usb_dev *d = zero_at(USB_SPEED_SUPER, CONFIG_LOOP, 0);
	uint8_t data[1000];

	(void)state;
	for (unsigned i = 0; i < 400; i++) {
		struct fake_xfer *in = fake_xfer(0x81, NULL, 1024, 70);

		for (unsigned j = 0; j < sizeof(data); j++)
			data[j] = (uint8_t)(i + j * 3);
		fake_xfer_free(sent(d, data, sizeof(data)));
		fake_submit(d, in);
		assert_ended(in, USB_OK, sizeof(data));
		assert_memory_equal(in->mem, data, sizeof(data));
		fake_xfer_free(in);
	}
	zero_end(d);
}

static void a_packet_larger_than_asked_for_is_babble(void **state)
{
	struct usb_dev *d = zero_at(USB_SPEED_HIGH, CONFIG_LOOP, 0);
	uint8_t data[100] = {1, 2, 3, 4, 5};
	struct fake_xfer *in;

	(void)state;
	fake_xfer_free(sent(d, data, 100));
	in = fake_xfer(0x81, NULL, 3, 0);
	fake_submit(d, in);
	assert_ended(in, USB_BABBLE, 3);
	assert_memory_equal(in->mem, data, 3);
	fake_xfer_free(in);
	zero_end(d);
}

/* What is held ends by a cancel, a halt, another setting, a reset. */
static void what_is_held_ends(void **state)
{
	static const enum usb_status want[] = {USB_CANCELLED, USB_STALL,
					       USB_ERROR, USB_CANCELLED};

	(void)state;
	for (unsigned how = 0; how < 4; how++) {
		struct usb_dev *d = zero_at(USB_SPEED_HIGH, CONFIG_LOOP, 0);
		struct fake_xfer *in = fake_xfer(0x81, NULL, 1024, 0);
		uint8_t data[512] = {42};

		fake_submit(d, in);
		fake_xfer_free(sent(d, data, 512));
		assert_false(in->done);
		switch (how) {
		case 0:
			d->ops->cancel(d, &in->x);
			break;
		case 1:
			fake_control(d, 0x02, USB_REQ_SET_FEATURE, 0, 0x81,
				     NULL, 0);
			break;
		case 2:
			fake_control(d, 1, USB_REQ_SET_INTERFACE, 0, 0, NULL,
				     0);
			break;
		default:
			d->ops->reset(d);
			assert_int_equal(fake.resets, 1);
		}
		assert_ended(in, want[how], 512);
		assert_int_equal(in->mem[0], 42);
		fake_xfer_free(in);
		zero_end(d);
	}
}

/* What was looped for the old setting does not come in the new one. */
static void another_setting_begins_empty(void **state)
{
	struct usb_dev *d = zero_at(USB_SPEED_FULL, CONFIG_LOOP, 0);
	struct fake_xfer *in;
	uint8_t data[10] = {1};

	(void)state;
	fake_xfer_free(sent(d, data, 10));
	fake_control(d, 1, USB_REQ_SET_INTERFACE, 1, 0, NULL, 0);
	in = fake_xfer(0x81, NULL, 64, 0);
	fake_submit(d, in);
	assert_false(in->done);
	d->ops->cancel(d, &in->x);
	d->ops->cancel(d, &in->x); /* it is not held any more */
	fake_xfer_free(in);
	zero_end(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_it_says_of_itself),
		cmocka_unit_test(other_speeds_are_refused),
		cmocka_unit_test(control_write_is_read_back),
		cmocka_unit_test(other_requests_are_errors),
		cmocka_unit_test(the_source_sends_its_pattern),
		cmocka_unit_test(the_sink_halts_on_other_data),
		cmocka_unit_test(loopback_sends_back_in_order),
		cmocka_unit_test(loopback_waits_for_room),
		cmocka_unit_test(packets_lie_over_the_end_of_the_ring),
		cmocka_unit_test(a_packet_larger_than_asked_for_is_babble),
		cmocka_unit_test(what_is_held_ends),
		cmocka_unit_test(another_setting_begins_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
