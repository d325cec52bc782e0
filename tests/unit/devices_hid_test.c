/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keyboard, mouse and tablet: descriptors, requests, reports.
 */
#include "devices_hid_fake.h"

#include "devices/bytes.h"

static const enum usb_speed speeds[] = {USB_SPEED_LOW, USB_SPEED_FULL,
					USB_SPEED_HIGH, USB_SPEED_SUPER};

/* What the report descriptor says of input: bits in all, fields of a usage */
static unsigned input_bits(const uint8_t *p, int n)
{
	unsigned size = 0, count = 0, bits = 0, open = 0;

	for (int i = 0; i < n;) {
		unsigned len = (p[i] & 3) == 3 ? 4 : p[i] & 3;
		uint8_t tag = p[i] & 0xfc, value = len ? p[i + 1] : 0;

		if (tag == 0x74)
			size = value;
		else if (tag == 0x94)
			count = value;
		else if (tag == 0x80)
			bits += size * count;
		else if (tag == 0xa0)
			open++;
		else if (tag == 0xc0)
			open--;
		i += (int)len + 1;
		assert_true(i <= n);
	}
	assert_int_equal(open, 0);
	return bits;
}

static void descriptors_are_of_one_piece(void **state)
{
	static const struct {
		uint8_t sub, proto;
		unsigned bytes;
	} rows[HID_NKINDS] = {{1, 1, 8}, {1, 2, 7}, {0, 0, 7}};

	(void)state;
	for (unsigned k = 0; k < HID_NKINDS; k++) {
		for (unsigned i = 0; i < 4; i++) {
			struct usb_dev *d =
				hid_new((enum hid_kind)k, speeds[i]);
			uint8_t c[64], b[256];
			bool super = speeds[i] == USB_SPEED_SUPER;
			int n = fake_control(d, 0x80, 6, 0x200, 0, c, 64);

			assert_int_equal(n, super ? 40 : 34);
			assert_int_equal(get_le16(c + 2), n);
			assert_int_equal(c[7] & USB_CONFIG_WAKEUP,
					 USB_CONFIG_WAKEUP);
			assert_int_equal(c[9 + 5], 3);
			assert_int_equal(c[9 + 6], rows[k].sub);
			assert_int_equal(c[9 + 7], rows[k].proto);
			assert_int_equal(get_le16(c + 27 + 4), 8);
			/* low speed: 10 ms or more, USB 2.0 table 9-13 */
			assert_true(i != 0 || c[27 + 6] >= 10);
			/* not before it is configured */
			assert_int_equal(
				fake_control(d, 0x81, 6, 0x2200, 0, b, 255),
				-EPIPE);
			hid_configure(d, 1);
			assert_int_equal(
				fake_control(d, 0x81, 6, 0x2100, 0, b, 255), 9);
			assert_memory_equal(b, c + 18, 9);
			n = fake_control(d, 0x81, 6, 0x2200, 0, b, 255);
			assert_int_equal(n, get_le16(c + 18 + 7));
			assert_int_equal(input_bits(b, n), 8 * rows[k].bytes);
			assert_int_equal(
				fake_control(d, 0x81, 6, 0x2300, 0, b, 255),
				-EPIPE);
			hid_down(d);
		}
	}
}

static void there_is_no_other_speed(void **state)
{
	struct usb_dev *d = NULL;
	char err[128] = "";

	(void)state;
	assert_int_equal(
		hid_open(HID_MOUSE, USB_SPEED_SUPER_PLUS, &d, err, sizeof(err)),
		-EINVAL);
	assert_string_equal(err, "it cannot have this speed: use low, full, "
				 "high or super");
	assert_null(d);
}

/* -1: STALL */
static void requests_are_those_of_the_kind(void **state)
{
	static const struct {
		uint8_t type, request;
		uint16_t value, index, length;
		int keyboard, mouse, tablet;
	} rows[] = {
		{GET, GET_PROTOCOL, 0, 0, 1, 1, 1, -1},
		{SET, SET_PROTOCOL, 0, 0, 0, 0, 0, -1},
		{SET, SET_PROTOCOL, 1, 0, 0, 0, 0, -1},
		{SET, SET_PROTOCOL, 2, 0, 0, -1, -1, -1},
		{GET, GET_IDLE, 0, 0, 1, 1, 1, 1},
		{GET, GET_IDLE, 1, 0, 1, -1, -1, -1},
		{SET, SET_IDLE, 0x1000, 0, 0, 0, 0, 0},
		{SET, SET_IDLE, 0x1001, 0, 0, -1, -1, -1},
		{SET, SET_IDLE, 0, 1, 0, -1, -1, -1},
		{GET, GET_REPORT, 0x100, 0, 8, 8, 7, 7},
		{GET, GET_REPORT, 0x100, 0, 2, 2, 2, 2},
		{GET, GET_REPORT, 0x101, 0, 8, -1, -1, -1},
		{GET, GET_REPORT, 0x200, 0, 1, 1, -1, -1},
		{GET, GET_REPORT, 0x300, 0, 8, -1, -1, -1},
		{SET, SET_REPORT, 0x200, 0, 1, 1, -1, -1},
		{SET, SET_REPORT, 0x200, 0, 0, -1, -1, -1},
		{SET, SET_REPORT, 0x201, 0, 1, -1, -1, -1},
		{SET, SET_REPORT, 0x100, 0, 8, -1, -1, -1},
		{SET, GET_REPORT, 0x100, 0, 8, -1, -1, -1},
		{GET, SET_IDLE, 0, 0, 1, -1, -1, -1},
		{GET, 0x20, 0, 0, 1, -1, -1, -1},
	};

	(void)state;
	for (unsigned k = 0; k < HID_NKINDS; k++) {
		struct usb_dev *d = hid_up((enum hid_kind)k);

		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
			int want = k == HID_KEYBOARD ? rows[i].keyboard
				   : k == HID_MOUSE  ? rows[i].mouse
						     : rows[i].tablet;
			uint8_t b[16] = {0};
			int n = fake_control(d, rows[i].type, rows[i].request,
					     rows[i].value, rows[i].index, b,
					     rows[i].length);

			if (n != (want < 0 ? -EPIPE : want))
				fail_msg("kind %u, row %zu: %d", k, i, n);
		}
		hid_down(d);
	}
}

/* After a reset too: report protocol, and idle as HID 1.11 §7.2.4 has it */
static void protocol_and_idle_are_kept_until_a_reset(void **state)
{
	struct usb_dev *d = hid_new(HID_KEYBOARD, USB_SPEED_LOW);

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint8_t b = 0xee;

		hid_configure(d, 1);
		fake_control(d, GET, GET_PROTOCOL, 0, 0, &b, 1);
		assert_int_equal(b, 1);
		fake_control(d, GET, GET_IDLE, 0, 0, &b, 1);
		assert_int_equal(b, 125);
		fake_control(d, SET, SET_PROTOCOL, 0, 0, NULL, 0);
		fake_control(d, GET, GET_PROTOCOL, 0, 0, &b, 1);
		assert_int_equal(b, 0);
		fake_control(d, SET, SET_IDLE, 0x3000, 0, NULL, 0);
		fake_control(d, GET, GET_IDLE, 0, 0, &b, 1);
		assert_int_equal(b, 0x30);
		d->ops->reset(d);
		assert_int_equal(fake.resets, i + 1);
	}
	hid_down(d);
}

static void a_key_is_a_report_and_its_release_another(void **state)
{
	struct usb_dev *d = hid_up(HID_KEYBOARD);

	(void)state;
	assert_no_report(d);
	assert_int_equal(hid_key(d, 0xe1, true), 0);
	assert_int_equal(hid_key(d, 0x04, true), 0);
	assert_int_equal(hid_key(d, 0x04, true), 0); /* it is down already */
	assert_int_equal(hid_key(d, 0x04, false), 0);
	assert_int_equal(hid_key(d, 0x05, false), 0); /* it was not down */
	assert_int_equal(hid_key(d, 0xe1, false), 0);
	assert_report(d, 2, 0, 0, 0, 0, 0, 0, 0);
	assert_report(d, 2, 0, 4, 0, 0, 0, 0, 0);
	assert_report(d, 2, 0, 0, 0, 0, 0, 0, 0);
	assert_report(d, 0, 0, 0, 0, 0, 0, 0, 0);
	assert_no_report(d);
	hid_down(d);
}

/* HID 1.11 appendix C: more than six are a phantom state, and end as one */
static void a_seventh_key_is_an_error_roll_over(void **state)
{
	struct usb_dev *d = hid_up(HID_KEYBOARD);

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(hid_key(d, 0x04 + i, true), 0);
	assert_report(d, 0, 0, 4, 0, 0, 0, 0, 0);
	assert_report(d, 0, 0, 4, 5, 0, 0, 0, 0);
	assert_report(d, 0, 0, 4, 5, 6, 0, 0, 0);
	assert_report(d, 0, 0, 4, 5, 6, 7, 0, 0);
	assert_report(d, 0, 0, 4, 5, 6, 7, 8, 0);
	assert_report(d, 0, 0, 4, 5, 6, 7, 8, 9);
	assert_report(d, 0, 0, 1, 1, 1, 1, 1, 1);
	assert_no_report(d);
	hid_key(d, 0xe0, true);
	assert_report(d, 1, 0, 1, 1, 1, 1, 1, 1);
	hid_key(d, 0x04, false);
	hid_key(d, 0x05, false);
	assert_report(d, 1, 0, 6, 7, 8, 9, 10, 11);
	hid_down(d);
}

static void what_a_kind_does_not_have_is_refused(void **state)
{
	struct usb_dev *k = hid_up(HID_KEYBOARD), *m, *t;
	enum hid_kind kind = HID_NKINDS;

	(void)state;
	assert_true(hid_is(k, &kind));
	assert_int_equal(kind, HID_KEYBOARD);
	assert_int_equal(hid_button(k, 0, true), -EINVAL);
	assert_int_equal(hid_move_abs(k, 0, 0), -EINVAL);
	assert_int_equal(hid_move_rel(k, 1, 1), -EINVAL);
	assert_int_equal(hid_wheel(k, 1, 0), -EINVAL);
	assert_int_equal(hid_key(k, 3, true), -EINVAL);
	assert_int_equal(hid_key(k, 0xe8, true), -EINVAL);
	assert_no_report(k);
	hid_down(k);
	m = hid_up(HID_MOUSE);
	assert_int_equal(hid_key(m, 4, true), -EINVAL);
	assert_int_equal(hid_move_abs(m, 0, 0), -EINVAL);
	assert_int_equal(hid_move_rel(m, 0, -32768), -EINVAL);
	assert_int_equal(hid_wheel(m, 128, 0), -EINVAL);
	assert_int_equal(hid_button(m, 5, true), -EINVAL);
	hid_down(m);
	t = hid_up(HID_TABLET);
	assert_int_equal(hid_move_abs(t, 32768, 0), -EINVAL);
	assert_int_equal(hid_move_abs(t, 0, -1), -EINVAL);
	assert_int_equal(hid_move_rel(t, 1, 1), -EINVAL);
	assert_int_equal(hid_wheel(t, 0, -128), -EINVAL);
	assert_no_report(t);
	hid_down(t);
}

static void a_tablet_tells_places_buttons_and_wheels(void **state)
{
	struct usb_dev *d = hid_up(HID_TABLET);

	(void)state;
	hid_move_abs(d, 0x1234, 0x7fff);
	hid_button(d, 0, true);
	hid_button(d, 4, true);
	hid_wheel(d, 1, 0);
	hid_wheel(d, -2, 3);
	hid_button(d, 0, false);
	hid_move_abs(d, 0x1234, 0x7fff); /* where it is */
	hid_wheel(d, 0, 0);
	assert_report(d, 0x00, 0x34, 0x12, 0xff, 0x7f, 0, 0);
	assert_report(d, 0x01, 0x34, 0x12, 0xff, 0x7f, 0, 0);
	assert_report(d, 0x11, 0x34, 0x12, 0xff, 0x7f, 0, 0);
	assert_report(d, 0x11, 0x34, 0x12, 0xff, 0x7f, 1, 0);
	assert_report(d, 0x11, 0x34, 0x12, 0xff, 0x7f, 0xfe, 3);
	assert_report(d, 0x10, 0x34, 0x12, 0xff, 0x7f, 0, 0);
	assert_no_report(d);
	hid_down(d);
}

static void a_mouse_tells_ways(void **state)
{
	struct usb_dev *d = hid_up(HID_MOUSE);

	(void)state;
	hid_move_rel(d, -5, 300);
	hid_button(d, 2, true);
	hid_move_rel(d, 1, 0);
	hid_wheel(d, -1, 0);
	hid_move_rel(d, 0, 0);
	assert_report(d, 0, 0xfb, 0xff, 0x2c, 0x01, 0, 0);
	assert_report(d, 4, 0, 0, 0, 0, 0, 0);
	assert_report(d, 4, 1, 0, 0, 0, 0, 0);
	assert_report(d, 4, 0, 0, 0, 0, 0xff, 0);
	assert_no_report(d);
	hid_move_rel(d, 1, 0); /* the same again is another way */
	assert_report(d, 4, 1, 0, 0, 0, 0, 0);
	hid_move_rel(d, 1, 0);
	assert_report(d, 4, 1, 0, 0, 0, 0, 0);
	hid_down(d);
}

/* Long ways go in parts; there is no wheel. HID 1.11 appendix B.2 */
static void a_mouse_has_three_bytes_in_boot_protocol(void **state)
{
	struct usb_dev *d = hid_up(HID_MOUSE);

	(void)state;
	fake_control(d, SET, SET_PROTOCOL, 0, 0, NULL, 0);
	hid_wheel(d, 1, 0);
	hid_move_rel(d, 300, -128);
	hid_button(d, 1, true);
	assert_report(d, 0, 127, 0x81);
	assert_report(d, 0, 127, 0xff);
	assert_report(d, 0, 46, 0);
	assert_report(d, 2, 0, 0);
	assert_no_report(d);
	hid_down(d);
}

static struct lights {
	unsigned told;
	uint8_t leds;
} lights;

static void note_leds(void *opaque, struct usb_dev *d, uint8_t leds)
{
	struct lights *l = opaque;

	(void)d;
	l->told++;
	l->leds = leds;
}

static void lights_are_told_when_they_change(void **state)
{
	struct usb_dev *d = hid_up(HID_KEYBOARD);
	uint8_t b[2] = {0xe3, 0xff};

	(void)state;
	lights = (struct lights){0};
	fake_control(d, SET, SET_REPORT, 0x200, 0, b, 1);
	assert_int_equal(hid_leds(d), 3); /* told to nobody */
	hid_on_leds(d, note_leds, &lights);
	fake_control(d, SET, SET_REPORT, 0x200, 0, b, 2);
	assert_int_equal(lights.told, 0);
	b[0] = 1;
	fake_control(d, SET, SET_REPORT, 0x200, 0, b, 1);
	assert_int_equal(lights.told, 1);
	assert_int_equal(lights.leds, 1);
	b[0] = 0xee;
	assert_int_equal(fake_control(d, GET, GET_REPORT, 0x200, 0, b, 1), 1);
	assert_int_equal(b[0], 1);
	d->ops->reset(d);
	assert_int_equal(lights.told, 2);
	assert_int_equal(lights.leds, 0);
	hid_down(d);
}

static void a_report_that_does_not_fit_is_babble(void **state)
{
	struct usb_dev *d = hid_up(HID_KEYBOARD);
	struct fake_xfer *f = fake_xfer(IN, NULL, 3, 0);

	(void)state;
	hid_key(d, 4, true);
	fake_submit(d, f);
	clock_to(timers.now + MS);
	assert_ended(f, USB_BABBLE, 3);
	fake_xfer_free(f);
	f = fake_xfer(IN, NULL, 0, 0);
	hid_key(d, 5, true);
	fake_submit(d, f);
	clock_to(timers.now + MS);
	assert_ended(f, USB_BABBLE, 0);
	fake_xfer_free(f);
	f = fake_xfer(IN, NULL, 64, 5);
	hid_key(d, 6, true);
	fake_submit(d, f);
	clock_to(timers.now + MS);
	assert_ended(f, USB_OK, 8);
	fake_xfer_free(f);
	hid_down(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_are_of_one_piece),
		cmocka_unit_test(there_is_no_other_speed),
		cmocka_unit_test(requests_are_those_of_the_kind),
		cmocka_unit_test(protocol_and_idle_are_kept_until_a_reset),
		cmocka_unit_test(a_key_is_a_report_and_its_release_another),
		cmocka_unit_test(a_seventh_key_is_an_error_roll_over),
		cmocka_unit_test(what_a_kind_does_not_have_is_refused),
		cmocka_unit_test(a_tablet_tells_places_buttons_and_wheels),
		cmocka_unit_test(a_mouse_tells_ways),
		cmocka_unit_test(a_mouse_has_three_bytes_in_boot_protocol),
		cmocka_unit_test(lights_are_told_when_they_change),
		cmocka_unit_test(a_report_that_does_not_fit_is_babble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
