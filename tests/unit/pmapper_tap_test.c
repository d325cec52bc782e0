/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of USB traffic, byte for byte, from transfers through the mapper. */
#include "tests/unit/pmapper_fake.h"

#include "pmapper/tap.h"

#define NOW_NS 1700000001123456789u
#define MAX_RECORDS 16u
#define MAX_BYTES 4096u

/* A sink that keeps everything */
struct sink {
	unsigned n, ended;
	bool full; /* there is no room */
	struct {
		uint32_t len, full;
		uint64_t at_ns;
		uint8_t b[MAX_BYTES];
	} rec[MAX_RECORDS];
};

static uint64_t sink_now(void *sink)
{
	(void)sink;
	return NOW_NS;
}

static uint8_t *sink_begin(void *sink, uint64_t at_ns, uint32_t len,
			   uint32_t full)
{
	struct sink *s = sink;
	uint8_t *b;

	if (s->full)
		return NULL;
	assert_in_range(s->n, 0, MAX_RECORDS - 1);
	assert_in_range(len, TAP_HEADER, MAX_BYTES);
	assert_in_range(full, len, UINT32_MAX);
	assert_int_equal(s->n, s->ended);
	s->rec[s->n].len = len;
	s->rec[s->n].full = full;
	s->rec[s->n].at_ns = at_ns;
	b = s->rec[s->n++].b;
	memset(b, 0xee, MAX_BYTES); /* as a ring in use is */
	return b;
}

static void sink_end(void *sink, uint8_t *rec)
{
	struct sink *s = sink;

	assert_ptr_equal(rec, s->rec[s->ended].b);
	/* not a byte more than was asked for */
	for (uint32_t i = s->rec[s->ended].len; i < MAX_BYTES; i++)
		assert_int_equal(rec[i], 0xee);
	s->ended++;
}

static const struct tap_sink_ops sink_ops = {
	.now_ns = sink_now,
	.begin = sink_begin,
	.end = sink_end,
};

struct test {
	struct rig *rig;
	struct fake_dev *f; /* in port 3 */
	struct sink sink;
	struct tap tap;
	uint8_t data[1024];
	struct usb_seg seg[2];
	struct usb_packet packet[4];
};

static int setup(void **state)
{
	struct test *x = calloc(1, sizeof(*x));
	void *rig = NULL;

	assert_non_null(x);
	rig_setup(&rig);
	x->rig = rig;
	x->f = fake_plug(rig, 3);
	x->tap = (struct tap){&sink_ops, &x->sink, 7, MAX_BYTES};
	pmapper_set_tap(x->rig->pm, &tap_ops, &x->tap);
	for (unsigned i = 0; i < sizeof(x->data); i++)
		x->data[i] = (uint8_t)(i * 7 + 1);
	*state = x;
	return 0;
}

static int teardown(void **state)
{
	struct test *x = *state;
	void *rig = x->rig;

	rig_teardown(&rig);
	assert_int_equal(x->sink.n, x->sink.ended);
	free(x);
	return 0;
}

/* Transfer @i of @len bytes, scattered in two */
static struct usb_xfer *xfer(struct test *x, unsigned i, uint8_t type,
			     uint8_t ep, uint32_t len)
{
	struct usb_xfer *t = rig_xfer(x->rig, i);

	t->type = type;
	t->ep = ep;
	t->in = ep & USB_DIR_IN;
	t->length = len;
	t->nseg = len > 4 ? 2 : len != 0;
	x->seg[0] = (struct usb_seg){x->data, len > 4 ? 4 : len, NULL};
	x->seg[1] = (struct usb_seg){x->data + 4, len - x->seg[0].len, NULL};
	t->seg = x->seg;
	return t;
}

static void submit(struct test *x, struct usb_xfer *t)
{
	assert_int_equal(rig_submit(x->rig, 3, t), 0);
}

static void complete(struct test *x, struct usb_xfer *t, enum usb_status st,
		     uint32_t actual)
{
	fake_complete(x->f, t, st, actual);
	rig_run(x->rig);
}

/* Record @i: @hex without the id, which must be the transfer's */
static void assert_record(struct test *x, unsigned i, const struct usb_xfer *t,
			  const char *hex)
{
	const uint8_t *b = x->sink.rec[i].b;
	uint64_t id = 0;
	unsigned n = 8;

	assert_in_range(i, 0, x->sink.ended - 1);
	assert_true(x->sink.rec[i].at_ns == NOW_NS);
	for (unsigned k = 8; k-- > 0;)
		id = id << 8 | b[k];
	assert_true(id == (uintptr_t)t);
	for (; *hex; hex++) {
		char byte[3] = {hex[0], hex[1], 0};

		if (*hex == ' ')
			continue;
		if (b[n] != strtoul(byte, NULL, 16))
			fail_msg("byte %u is %02x, not %s", n, b[n], byte);
		n++;
		hex++;
	}
	assert_int_equal(x->sink.rec[i].len, n);
}

/* 1700000001.123456 */
#define TIME "01f1536500000000 40e20100"
#define NO_SETUP "0000000000000000"
#define NO_FRAME "00000000 00000000"

static void control_with_setup_packet(void **state)
{
	struct test *x = *state;
	struct usb_xfer *t = xfer(x, 0, USB_CONTROL, 0, 18);

	t->in = true;
	t->setup = (struct usb_setup){0x80, 6, 0x0100, 0x0409, 18};
	submit(x, t);
	complete(x, t, USB_OK, 8);
	assert_int_equal(x->sink.n, 2);
	assert_record(x, 0, t,
		      "53 02 80 03 0700 00 3c" TIME "8dffffff 12000000"
		      "00000000 8006000109041200" NO_FRAME "00020000 00000000");
	assert_record(x, 1, t,
		      "43 02 80 03 0700 2d 00" TIME "00000000 08000000"
		      "08000000" NO_SETUP NO_FRAME "00020000 00000000"
		      "01080f161d242b32");
	assert_int_equal(x->sink.rec[1].full, 72);
}

static void control_without_data_is_out(void **state)
{
	struct test *x = *state;
	struct usb_xfer *t = xfer(x, 0, USB_CONTROL, 0, 0);

	t->setup = (struct usb_setup){0x00, 9, 1, 0, 0};
	submit(x, t);
	complete(x, t, USB_STALL, 0);
	assert_record(x, 0, t,
		      "53 02 00 03 0700 00 00" TIME "8dffffff 00000000"
		      "00000000 0009010000000000" NO_FRAME "00000000 00000000");
	assert_record(x, 1, t,
		      "43 02 00 03 0700 2d 3e" TIME "e0ffffff 00000000"
		      "00000000" NO_SETUP NO_FRAME "00000000 00000000");
}

static void bulk_out_has_its_data_at_submission(void **state)
{
	struct test *x = *state;
	struct usb_xfer *t = xfer(x, 0, USB_BULK, 0x02, 6);

	t->stream = 0x1234;
	submit(x, t);
	complete(x, t, USB_OK, 5);
	assert_record(x, 0, t,
		      "53 03 02 03 0700 2d 00" TIME "8dffffff 06000000"
		      "06000000" NO_SETUP "00000000 34120000 00000000 00000000"
		      "01080f161d24");
	assert_record(x, 1, t,
		      "43 03 02 03 0700 2d 3e" TIME "00000000 05000000"
		      "00000000" NO_SETUP
		      "00000000 34120000 00000000 00000000");
}

static void interrupt_in_has_its_data_at_completion(void **state)
{
	struct test *x = *state;
	struct usb_xfer *t = xfer(x, 0, USB_INTERRUPT, 0x81, 8);

	submit(x, t);
	complete(x, t, USB_OK, 3);
	assert_record(x, 0, t,
		      "53 01 81 03 0700 2d 3c" TIME "8dffffff 08000000"
		      "00000000" NO_SETUP NO_FRAME "00020000 00000000");
	assert_record(x, 1, t,
		      "43 01 81 03 0700 2d 00" TIME "00000000 03000000"
		      "03000000" NO_SETUP NO_FRAME "00020000 00000000 01080f");
}

static struct usb_xfer *isoch(struct test *x, uint8_t ep)
{
	struct usb_xfer *t = xfer(x, 0, USB_ISOCH, ep, 10);

	x->packet[0] = (struct usb_packet){.length = 4};
	x->packet[1] = (struct usb_packet){.length = 3};
	x->packet[2] = (struct usb_packet){.length = 3};
	t->packet = x->packet;
	t->npackets = 3;
	t->frame = 0x4001;
	return t;
}

#define DESC_LATER(offset, len)                 \
	"eeffffff" offset "000000" len "000000" \
	"00000000"

static void isoch_in_is_packed(void **state)
{
	struct test *x = *state;
	struct usb_xfer *t = isoch(x, 0x83);

	submit(x, t);
	x->packet[0].actual = 2;
	x->packet[1].status = USB_MISSED;
	x->packet[2].actual = 3;
	complete(x, t, USB_OK, 0);
	assert_record(x, 0, t,
		      "53 00 83 03 0700 2d 3c" TIME "8dffffff 0a000000"
		      "30000000 00000000 03000000 00000000 01400000 00020000"
		      "03000000" DESC_LATER("00", "04") DESC_LATER("04", "03")
			      DESC_LATER("07", "03"));
	assert_record(x, 1, t,
		      "43 00 83 03 0700 2d 00" TIME "00000000 05000000"
		      "35000000 01000000 03000000 00000000 01400000 00020000"
		      "03000000"
		      "00000000 00000000 02000000 00000000"
		      "eeffffff 02000000 00000000 00000000"
		      "00000000 02000000 03000000 00000000"
		      "0108 323940");
}

static void isoch_out_lies_as_it_was_sent(void **state)
{
	struct test *x = *state;
	struct usb_xfer *t = isoch(x, 0x04);

	submit(x, t);
	x->packet[0].actual = 4;
	x->packet[1].status = USB_OVERRUN;
	x->packet[2].actual = 3;
	complete(x, t, USB_OK, 7);
	assert_record(x, 0, t,
		      "53 00 04 03 0700 2d 00" TIME "8dffffff 0a000000"
		      "3a000000 00000000 03000000 00000000 01400000 00000000"
		      "03000000" DESC_LATER("00", "04") DESC_LATER("04", "03")
			      DESC_LATER("07", "03") "01080f161d242b323940");
	assert_record(x, 1, t,
		      "43 00 04 03 0700 2d 3e" TIME "00000000 07000000"
		      "30000000 01000000 03000000 00000000 01400000 00000000"
		      "03000000"
		      "00000000 00000000 04000000 00000000"
		      "c1ffffff 04000000 00000000 00000000"
		      "00000000 07000000 03000000 00000000");
}

static int32_t status_of(const struct test *x, unsigned i)
{
	const uint8_t *p = x->sink.rec[i].b + 28;

	return (int32_t)(p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
			 (uint32_t)p[3] << 24);
}

static void each_status_has_linuxs_number(void **state)
{
	static const struct {
		enum usb_status status;
		int32_t in, out;
	} rows[] = {
		{USB_OK, 0, 0},          {USB_STALL, -32, -32},
		{USB_ERROR, -71, -71},   {USB_BABBLE, -75, -75},
		{USB_CANCELLED, -2, -2}, {USB_NODEV, -19, -19},
		{USB_NOMEM, -12, -12},   {USB_MISSED, -18, -18},
		{USB_OVERRUN, -70, -63},
	};
	struct test *x = *state;

	assert_int_equal(sizeof(rows) / sizeof(rows[0]), USB_NSTATUS);
	for (unsigned i = 0; i < USB_NSTATUS; i++) {
		for (unsigned out = 0; out < 2; out++) {
			struct usb_xfer *t =
				xfer(x, 0, USB_BULK, out ? 1 : 0x81, 8);

			x->sink.n = x->sink.ended = 0;
			submit(x, t);
			complete(x, t, rows[i].status, 0);
			assert_int_equal(status_of(x, 0), -115);
			assert_int_equal(status_of(x, 1),
					 out ? rows[i].out : rows[i].in);
		}
	}
}

static void a_cancel_has_what_came_before_it(void **state)
{
	struct test *x = *state;
	struct usb_xfer *t = xfer(x, 0, USB_BULK, 0x81, 8);

	x->f->hold_cancelled = true;
	submit(x, t);
	rig_cancel(x->rig, 3, t);
	assert_int_equal(x->sink.n, 1);
	complete(x, t, USB_CANCELLED, 2);
	assert_int_equal(x->sink.n, 2);
	assert_int_equal(status_of(x, 1), -2);
	assert_memory_equal(x->sink.rec[1].b + 64, "\x01\x08", 2);
	assert_int_equal(x->sink.rec[1].len, 66);
}

/* However the device leaves, and whichever way it ends its transfers */
static void an_unplug_is_no_cancel(void **state)
{
	struct test *x = *state;

	submit(x, xfer(x, 0, USB_BULK, 0x81, 8));
	submit(x, xfer(x, 1, USB_BULK, 0x81, 8));
	usb_dev_gone(&x->f->d);
	rig_run(x->rig);
	assert_int_equal(x->sink.n, 4);
	assert_int_equal(x->sink.rec[2].b[8], 'C');
	assert_int_equal(status_of(x, 2), -19);
	assert_int_equal(status_of(x, 3), -19);

	x->f = fake_plug(x->rig, 3);
	submit(x, xfer(x, 2, USB_BULK, 0x81, 8));
	assert_int_equal(pmapper_detach(x->rig->pm, 3), 0);
	assert_int_equal(x->sink.n, 6);
	assert_int_equal(status_of(x, 5), -19);
}

static void a_refusal_is_an_error_record(void **state)
{
	static const struct {
		enum fake_how how;
		int err;
		const char *status;
	} rows[] = {
		{FAKE_REFUSE, -EIO, "fbffffff"},
		{FAKE_NODEV, -ENODEV, "edffffff"},
	};
	struct test *x = *state;

	for (unsigned i = 0; i < 2; i++) {
		struct usb_xfer *t = xfer(x, i, USB_BULK, 0x02, 6);
		char hex[200];

		x->f->how = rows[i].how;
		assert_int_equal(rig_submit(x->rig, 3, t), rows[i].err);
		assert_int_equal(x->sink.n, 2 * i + 2);
		snprintf(hex, sizeof(hex),
			 "45 03 02 03 0700 2d 45" TIME "%s 00000000"
			 "00000000" NO_SETUP NO_FRAME "00000000 00000000",
			 rows[i].status);
		assert_record(x, 2 * i + 1, t, hex);
	}
}

/* Cut in the payload, in the descriptors, and right behind the header */
static void records_are_cut_to_the_snap_length(void **state)
{
	static const uint32_t snaps[] = {64, 65, 79, 80, 111, 112, 113, 117};
	struct test *x = *state;
	static uint8_t whole[MAX_BYTES];

	for (unsigned i = 0; i <= 8; i++) {
		struct usb_xfer *t = isoch(x, 0x83);
		uint8_t *b = x->sink.rec[1].b;
		uint32_t len = i ? snaps[i - 1] : 117;

		x->tap.snap = i ? len : MAX_BYTES;
		x->sink.n = x->sink.ended = 0;
		submit(x, t);
		x->packet[0].actual = 2;
		x->packet[2].actual = 3;
		complete(x, t, USB_OK, 0);
		assert_int_equal(x->sink.rec[1].full, 117);
		assert_int_equal(x->sink.rec[1].len, len);
		if (i == 0)
			memcpy(whole, b, len);
		assert_int_equal(b[36], len - 64); /* bytes captured */
		b[36] = whole[36];
		assert_memory_equal(b, whole, len);
	}
}

static void a_sink_without_room_is_left_alone(void **state)
{
	struct test *x = *state;
	struct usb_xfer *t = xfer(x, 0, USB_BULK, 0x81, 8);

	x->sink.full = true;
	submit(x, t);
	complete(x, t, USB_OK, 8);
	assert_int_equal(x->sink.n, 0);
	assert_int_equal(x->rig->x.ndone, 1);
	assert_int_equal(x->rig->x.done[0]->actual, 8);
}

/* What a transfer says is longer than its memory comes out as zeroes. */
static void bytes_that_are_not_there_are_zeroes(void **state)
{
	struct test *x = *state;
	struct usb_xfer *t = xfer(x, 0, USB_BULK, 0x02, 6);

	t->nseg = 1;
	submit(x, t);
	assert_memory_equal(x->sink.rec[0].b + 64, "\x01\x08\x0f\x16\0\0", 6);
	complete(x, t, USB_OK, 6);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(control_with_setup_packet),
		T(control_without_data_is_out),
		T(bulk_out_has_its_data_at_submission),
		T(interrupt_in_has_its_data_at_completion),
		T(isoch_in_is_packed),
		T(isoch_out_lies_as_it_was_sent),
		T(each_status_has_linuxs_number),
		T(a_cancel_has_what_came_before_it),
		T(an_unplug_is_no_cancel),
		T(a_refusal_is_an_error_record),
		T(records_are_cut_to_the_snap_length),
		T(a_sink_without_room_is_left_alone),
		T(bytes_that_are_not_there_are_zeroes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
