/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The headset and the camera: descriptors, requests, what is in the packets and
 * when.
 */
#include "devices_clock.h"

#include "devices/audio.h"
#include "devices/bytes.h"
#include "devices/camera.h"
#include "devices/gadget.h"

#define CLASS_GET 0xa1
#define CLASS_SET 0x21
#define EP_PLAY 0x01
#define EP_HEAR 0x82
#define EP_LOOK 0x81

static struct usb_dev *end_of_open(struct usb_dev *d, int rc)
{
	assert_int_equal(rc, 0);
	d->pm = (struct pmapper *)(uintptr_t)16; /* only handed on */
	assert_int_equal(
		fake_control(d, 0, USB_REQ_SET_CONFIGURATION, 1, 0, NULL, 0),
		0);
	return d;
}

static struct usb_dev *audio_up(enum usb_speed speed)
{
	struct usb_dev *d = NULL;
	char err[128] = "";
	int rc;

	clock_init();
	rc = audio_open(speed, &d, err, sizeof(err));
	return end_of_open(d, rc);
}

static struct usb_dev *camera_up(void)
{
	struct usb_dev *d = NULL;
	char err[128] = "";
	int rc;

	clock_init();
	rc = camera_open(USB_SPEED_HIGH, &d, err, sizeof(err));
	return end_of_open(d, rc);
}

static void select_alt(struct usb_dev *d, uint16_t intf, uint16_t alt)
{
	assert_int_equal(
		fake_control(d, 1, USB_REQ_SET_INTERFACE, alt, intf, NULL, 0),
		0);
}

static void down(struct usb_dev *d)
{
	d->ops->free(d);
	assert_true(clock_deadline() == UINT64_MAX);
}

/* One packet of @len bytes, done when its time has come; what it moved. */
static uint32_t move(struct usb_dev *d, uint8_t ep, void *buf, uint32_t len,
		     uint32_t frame)
{
	bool in = (ep & USB_DIR_IN) != 0;
	struct iso i;
	uint32_t n;

	iso_submit(d, &i, ep, in ? NULL : buf, len, frame);
	clock_to(timers.now + 3 * MS);
	assert_true(i.f->done);
	assert_int_equal(i.f->x.status, USB_OK);
	assert_int_equal(i.packet.status, USB_OK);
	n = i.packet.actual;
	assert_int_equal(i.f->x.actual, n);
	if (in)
		memcpy(buf, i.f->mem, n);
	fake_xfer_free(i.f);
	return n;
}

/* The lengths within class descriptors, as a guest's driver adds them up */
static void descriptors_are_of_one_piece(void **state)
{
	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		struct usb_dev *d = k == 0   ? audio_up(USB_SPEED_FULL)
				    : k == 1 ? audio_up(USB_SPEED_HIGH)
					     : camera_up();
		unsigned subclass = 0, want = 0, sum = 0, interfaces = 0;
		uint8_t c[512];
		int n = fake_control(d, 0x80, 6, 0x200, 0, c, sizeof(c));

		assert_int_equal(get_le16(c + 2), n);
		for (int i = 9; i < n; i += c[i]) {
			assert_true(c[i] >= 2 && i + c[i] <= n);
			if (c[i + 1] == USB_DT_INTERFACE) {
				interfaces += c[i + 3] == 0;
				if (want)
					assert_int_equal(sum, want);
				subclass = c[i + 6];
				want = sum = 0;
			}
			if (c[i + 1] != 0x24)
				continue;
			/* the header of a control interface, or of video */
			if (c[i + 2] == 1 && (subclass == 1 || k == 2))
				want = k == 1 ? get_le16(c + i + 6)
				       : k == 2 && subclass == 2
					       ? get_le16(c + i + 4)
					       : get_le16(c + i + 5);
			sum += c[i];
		}
		assert_int_equal(interfaces, c[4]);
		down(d);
	}
}

static void speeds_are_those_of_the_classes(void **state)
{
	struct usb_dev *d = NULL;
	char err[128];

	(void)state;
	assert_int_equal(audio_open(USB_SPEED_SUPER, &d, err, sizeof(err)),
			 -EINVAL);
	assert_string_equal(err, "it cannot have this speed: use full or high");
	assert_int_equal(camera_open(USB_SPEED_FULL, &d, err, sizeof(err)),
			 -EINVAL);
	assert_string_equal(err, "it cannot have this speed: use high");
	assert_null(d);
}

static void the_microphone_counts_frames(void **state)
{
	(void)state;
	for (unsigned run = 0; run < 2; run++) {
		struct usb_dev *d =
			audio_up(run ? USB_SPEED_HIGH : USB_SPEED_FULL);
		uint32_t want = 0;
		uint8_t b[256];

		select_alt(d, 2, 1);
		for (uint32_t i = 0; i < 50; i++) {
			assert_int_equal(move(d, EP_HEAR, b, 192, i * 8), 192);
			for (unsigned j = 0; j < 192; j += 4)
				assert_int_equal(get_le32(b + j), ++want);
		}
		/* less room, more room: whole frames, none left out */
		assert_int_equal(move(d, EP_HEAR, b, 10, 800), 8);
		assert_int_equal(get_le32(b + 4), want + 2);
		assert_int_equal(move(d, EP_HEAR, b, 256, 900), 192);
		assert_int_equal(get_le32(b), want + 3);
		assert_int_equal(move(d, EP_HEAR, b, 0, 1000), 0);
		/* a new beginning */
		select_alt(d, 2, 0);
		select_alt(d, 2, 1);
		move(d, EP_HEAR, b, 192, 0);
		assert_int_equal(get_le32(b), 1);
		select_alt(d, 1, 1); /* the other one's is not */
		move(d, EP_HEAR, b, 192, 8);
		assert_int_equal(get_le32(b), 49);
		down(d);
	}
}

static void play(struct usb_dev *d, uint32_t first, uint32_t n, uint32_t frame)
{
	uint8_t b[192] = {0};

	for (uint32_t i = 0; i < n; i++)
		put_le32(b + 4 * i, first ? first + i : 0);
	assert_int_equal(move(d, EP_PLAY, b, 4 * n, frame), 4 * n);
}

static void what_is_played_is_checked(void **state)
{
	struct usb_dev *d = audio_up(USB_SPEED_HIGH);
	const struct audio_played *p = audio_played(d);

	(void)state;
	select_alt(d, 1, 1);
	play(d, 0, 48, 0); /* silence before it begins */
	play(d, 70000, 48, 8);
	play(d, 70048, 48, 16);
	assert_int_equal(p->frames, 96);
	assert_int_equal(p->gaps, 0);
	play(d, 70097, 47, 24); /* one is missing */
	assert_int_equal(p->gaps, 1);
	play(d, 0, 48, 32);
	assert_int_equal(p->pauses, 0); /* it may be the end */
	play(d, 70144, 48, 40);
	assert_int_equal(p->pauses, 1);
	assert_int_equal(p->gaps, 1);
	play(d, 70144, 48, 48); /* the same twice */
	assert_int_equal(p->gaps, 2);
	assert_int_equal(p->frames, 239);
	select_alt(d, 1, 0);
	assert_int_equal(p->frames, 0);
	down(d);
}

static void the_clock_has_one_rate(void **state)
{
	static const struct {
		uint8_t type, request;
		uint16_t value, index, length;
		int ret;
	} rows[] = {
		{CLASS_GET, 1, 0x100, 0x500, 4, 4},
		{CLASS_GET, 1, 0x100, 0x500, 2, 2},
		{CLASS_GET, 2, 0x100, 0x500, 14, 14},
		{CLASS_GET, 2, 0x100, 0x500, 2, 2},
		{CLASS_GET, 3, 0x100, 0x500, 4, -EPIPE},
		{CLASS_GET, 1, 0x200, 0x500, 1, -EPIPE},
		{CLASS_GET, 1, 0x100, 0x100, 4, -EPIPE},
		{CLASS_GET, 1, 0x100, 0x501, 4, -EPIPE},
		{CLASS_SET, 1, 0x100, 0x500, 4, -EPIPE},
	};
	uint8_t b[16] = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct usb_dev *d = audio_up(USB_SPEED_HIGH);

		assert_int_equal(fake_control(d, rows[i].type, rows[i].request,
					      rows[i].value, rows[i].index, b,
					      rows[i].length),
				 rows[i].ret);
		if (rows[i].ret == 4)
			assert_int_equal(get_le32(b), 48000);
		if (rows[i].ret == 14) {
			assert_int_equal(get_le16(b), 1);
			assert_int_equal(get_le32(b + 2), 48000);
			assert_int_equal(get_le32(b + 6), 48000);
		}
		down(d);
		d = audio_up(USB_SPEED_FULL); /* class 1.0 has no clock */
		assert_int_equal(fake_control(d, rows[i].type, rows[i].request,
					      rows[i].value, rows[i].index, b,
					      rows[i].length),
				 -EPIPE);
		down(d);
	}
}

static void the_camera_offers_one_format(void **state)
{
	static const struct {
		uint8_t type, request;
		uint16_t value, index, length;
		int ret;
	} rows[] = {
		{CLASS_GET, 0x81, 0x100, 1, 26, 26},
		{CLASS_GET, 0x82, 0x100, 1, 26, 26},
		{CLASS_GET, 0x83, 0x100, 1, 34, 26},
		{CLASS_GET, 0x87, 0x200, 1, 26, 26},
		{CLASS_SET, 0x01, 0x100, 1, 26, 26},
		{CLASS_SET, 0x01, 0x200, 1, 34, 34},
		{CLASS_SET, 0x01, 0x100, 1, 25, -EPIPE},
		{CLASS_SET, 0x81, 0x100, 1, 26, -EPIPE},
		{CLASS_GET, 0x01, 0x100, 1, 26, -EPIPE},
		{CLASS_GET, 0x85, 0x100, 1, 2, 2},
		{CLASS_GET, 0x86, 0x100, 1, 1, 1},
		{CLASS_GET, 0x84, 0x100, 1, 26, -EPIPE},
		{CLASS_GET, 0x81, 0x300, 1, 26, -EPIPE},
		{CLASS_GET, 0x81, 0x101, 1, 26, -EPIPE},
		{CLASS_GET, 0x81, 0x100, 0, 26, -EPIPE},
		{0xc1, 0x81, 0x100, 1, 26, -EPIPE},
	};
	struct usb_dev *d = camera_up();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t b[64] = {0};
		int n = fake_control(d, rows[i].type, rows[i].request,
				     rows[i].value, rows[i].index, b,
				     rows[i].length);

		if (n != rows[i].ret)
			fail_msg("row %zu: %d", i, n);
		if (rows[i].type == CLASS_GET && n == 26) {
			assert_int_equal(b[2], 1);
			assert_int_equal(b[3], 1);
			assert_int_equal(get_le32(b + 18), CAMERA_FRAME_BYTES);
			assert_int_equal(get_le32(b + 22), 1024);
		}
		if (n == 2)
			assert_int_equal(get_le16(b), 26);
	}
	down(d);
}

/* Frames of whole words in order, FID toggles, EOF in the last payload. */
static void frames_count(void **state)
{
	struct usb_dev *d = camera_up();
	uint32_t number = 1, word = 0, empty = 0, ends = 0;
	uint64_t t0 = 0;

	(void)state;
	select_alt(d, 1, 1);
	for (uint32_t i = 0; ends < 6; i++) {
		uint8_t b[1024];
		/* in step, but for one that has little room */
		uint32_t room = i == 20 ? 7 : 1024;
		uint32_t n = move(d, EP_LOOK, b, room, i * 24);

		assert_true(i < 500);
		if (n == 0) {
			empty++;
			continue;
		}
		if (t0 == 0)
			t0 = timers.now;
		assert_int_equal(b[0], 2);
		assert_int_equal(b[1] & 1, number & 1);
		for (uint32_t j = 2; j + 4 <= n; j += 4)
			assert_int_equal(get_le32(b + j),
					 number << 16 | word++);
		assert_int_equal((b[1] & 2) != 0,
				 word == CAMERA_FRAME_BYTES / 4);
		if (b[1] & 2) {
			number++;
			ends++;
			word = 0;
		}
	}
	assert_true(empty == 0); /* 3 ms a packet: it is always behind */
	select_alt(d, 1, 0);
	select_alt(d, 1, 1);
	for (uint32_t i = 0; i < 2; i++) {
		uint8_t b[1024];

		assert_int_equal(move(d, EP_LOOK, b, 1024, i * 24), 1022);
		assert_int_equal(get_le32(b + 2), 1u << 16 | 255 * i);
	}
	down(d);
}

/* As fast as it may be asked, there are 30 frames a second. */
static void frames_take_their_time(void **state)
{
	struct usb_ep_info info = {.ep = EP_LOOK, .interval = 2};
	struct usb_dev *d = camera_up();
	struct iso held[4] = {0};
	unsigned ends = 0;

	(void)state;
	select_alt(d, 1, 1);
	d->ops->ep_enable(d, &info);
	for (uint32_t i = 0; i < 2004; i++) { /* a second */
		struct iso *o = &held[i % 4];

		if (o->f) {
			clock_to(clock_deadline());
			assert_true(o->f->done);
			ends += o->packet.actual > 0 && (o->f->mem[1] & 2);
			fake_xfer_free(o->f);
			o->f = NULL;
		}
		if (i < 2000)
			iso_submit(d, o, EP_LOOK, NULL, 1024, i * 4);
	}
	assert_in_range(ends, 29, 31);
	for (unsigned i = 0; i < 4; i++)
		assert_null(held[i].f);
	down(d);
}

static void what_is_held_ends_once(void **state)
{
	struct usb_dev *d = audio_up(USB_SPEED_HIGH);
	struct iso i[6];

	(void)state;
	select_alt(d, 1, 1);
	select_alt(d, 2, 1);
	iso_submit(d, &i[0], EP_HEAR, NULL, 192, 0);
	iso_submit(d, &i[1], EP_HEAR, NULL, 192, 8);
	d->ops->cancel(d, &i[1].f->x);
	assert_ended(i[1].f, USB_CANCELLED, 0);
	d->ops->cancel(d, &i[1].f->x); /* not there any more */
	iso_submit(d, &i[2], EP_PLAY, "abcd", 4, 8);
	select_alt(d, 2, 0);
	assert_ended(i[0].f, USB_ERROR, 0);
	assert_false(i[2].f->done);
	fake_control(d, 2, USB_REQ_SET_FEATURE, USB_FEAT_ENDPOINT_HALT, EP_PLAY,
		     NULL, 0);
	assert_ended(i[2].f, USB_STALL, 0);
	fake_control(d, 2, USB_REQ_CLEAR_FEATURE, USB_FEAT_ENDPOINT_HALT,
		     EP_PLAY, NULL, 0);
	iso_submit(d, &i[3], EP_PLAY, "abcd", 4, 8);
	fake_control(d, 0, USB_REQ_SET_CONFIGURATION, 0, 0, NULL, 0);
	assert_ended(i[3].f, USB_ERROR, 0);
	fake_control(d, 0, USB_REQ_SET_CONFIGURATION, 1, 0, NULL, 0);
	select_alt(d, 1, 1);
	iso_submit(d, &i[4], EP_PLAY, "abcd", 4, 8);
	d->ops->reset(d);
	assert_ended(i[4].f, USB_CANCELLED, 0);
	assert_int_equal(fake.resets, 1);
	for (unsigned k = 0; k < 5; k++)
		fake_xfer_free(i[k].f);
	down(d);
	d = camera_up();
	select_alt(d, 1, 1);
	iso_submit(d, &i[0], EP_LOOK, NULL, 1024, 0);
	iso_submit(d, &i[1], EP_LOOK, NULL, 1024, 4);
	d->ops->cancel(d, &i[1].f->x);
	fake_control(d, 2, USB_REQ_SET_FEATURE, USB_FEAT_ENDPOINT_HALT, EP_LOOK,
		     NULL, 0);
	assert_ended(i[0].f, USB_STALL, 0);
	d->ops->reset(d);
	fake_xfer_free(i[0].f);
	fake_xfer_free(i[1].f);
	down(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_are_of_one_piece),
		cmocka_unit_test(speeds_are_those_of_the_classes),
		cmocka_unit_test(the_microphone_counts_frames),
		cmocka_unit_test(what_is_played_is_checked),
		cmocka_unit_test(the_clock_has_one_rate),
		cmocka_unit_test(the_camera_offers_one_format),
		cmocka_unit_test(frames_count),
		cmocka_unit_test(frames_take_their_time),
		cmocka_unit_test(what_is_held_ends_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
