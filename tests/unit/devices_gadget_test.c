/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every built-in device answers: descriptors and the standard requests
 * of USB 2.0 §9.4 and USB 3.2 §9.4, right ones and wrong ones.
 */
#include "devices_fake.h"

#include "devices/bytes.h"
#include "devices/gadget.h"

#define SELF_WAKE (USB_CONFIG_ONE | USB_CONFIG_SELF_POWERED | USB_CONFIG_WAKEUP)

/* Interface 0: a bulk pair. Interface 1: alternate settings 0 and 1. */
#define BODY(mps)                                        \
	USB_D_INTERFACE(0, 0, 2, 0xff, 0, 0, 4),         \
		USB_D_ENDPOINT(0x81, USB_BULK, mps, 0),  \
		USB_D_ENDPOINT(0x02, USB_BULK, mps, 0),  \
		USB_D_INTERFACE(1, 0, 0, 0xff, 0, 0, 0), \
		USB_D_INTERFACE(1, 1, 1, 0xff, 0, 0, 0), \
		USB_D_ENDPOINT(0x83, USB_INTERRUPT, 16, 4)
#define LEN (9 + 9 + 7 + 7 + 9 + 9 + 7)

static const uint8_t cfg1_full[] = {USB_D_CONFIG(LEN, 2, 1, SELF_WAKE, 1),
				    BODY(64)};
static const uint8_t cfg1_high[] = {USB_D_CONFIG(LEN, 2, 1, SELF_WAKE, 1),
				    BODY(512)};
static const uint8_t cfg1_super[] = {USB_D_CONFIG(LEN, 2, 1, SELF_WAKE, 1),
				     BODY(1024)};
/* a second one, no endpoints, bus powered, no wakeup; not at full speed */
static const uint8_t cfg5[] = {USB_D_CONFIG(18, 1, 5, USB_CONFIG_ONE, 50),
			       USB_D_INTERFACE(0, 0, 0, 0xff, 0, 0, 0)};

static const struct gadget_blob configs[2][USB_SPEED_SUPER + 1] = {
	{[USB_SPEED_LOW] = {cfg1_full, sizeof(cfg1_full)},
	 [USB_SPEED_FULL] = {cfg1_full, sizeof(cfg1_full)},
	 [USB_SPEED_HIGH] = {cfg1_high, sizeof(cfg1_high)},
	 [USB_SPEED_SUPER] = {cfg1_super, sizeof(cfg1_super)}},
	{[USB_SPEED_HIGH] = {cfg5, sizeof(cfg5)},
	 [USB_SPEED_SUPER] = {cfg5, sizeof(cfg5)}},
};

static const struct gadget_desc desc = {
	.vendor = 0x1234,
	.product = 0x5678,
	.version = 0x0102,
	.dev_class = 0xef,
	.dev_subclass = 2,
	.dev_protocol = 1,
	.nconfigs = 2,
	.configs = configs,
};

/* The device's own part: what it was told, one vendor request. */
struct toy {
	struct gadget g;
	unsigned configured, transfers, controls;
	uint8_t halt_ep;
	int halt_state;
	bool halt_again;
};

static void toy_transfer(struct gadget *g, struct usb_xfer *t)
{
	((struct toy *)g)->transfers++;
	usb_dev_complete(&g->dev, t, USB_OK, t->length);
}

static int toy_control(struct gadget *g, struct usb_xfer *t)
{
	((struct toy *)g)->controls++;
	if (t->setup.request_type != 0xc0 || t->setup.request != 0x42)
		return -EPIPE;
	gadget_reply(g, t, "vendor", 6);
	return 0;
}

static void toy_configured(struct gadget *g)
{
	((struct toy *)g)->configured++;
}

static void toy_halt(struct gadget *g, uint8_t ep, bool halted)
{
	struct toy *toy = (struct toy *)g;

	toy->halt_ep = ep;
	toy->halt_state = halted;
	if (toy->halt_again)
		gadget_halt(g, ep);
}

static const struct gadget_ops toy_ops = {
	.transfer = toy_transfer,
	.control = toy_control,
	.configured = toy_configured,
	.halt = toy_halt,
};
static const struct usb_dev_ops toy_dev_ops = {.name = "toy",
					       .submit = gadget_submit};

static void toy_init(struct toy *toy, enum usb_speed speed)
{
	memset(toy, 0, sizeof(*toy));
	gadget_init(&toy->g, &toy_dev_ops, &toy_ops, &desc, speed);
	toy->g.string[GADGET_STR_VENDOR] = "Maker";
	toy->g.string[GADGET_STR_SERIAL] = "0123";
	toy->g.string[4] = "an interface";
}

static int get_desc(struct toy *toy, unsigned value, unsigned index, void *buf,
		    uint16_t len)
{
	return fake_control(&toy->g.dev, 0x80, USB_REQ_GET_DESCRIPTOR,
			    (uint16_t)value, (uint16_t)index, buf, len);
}

static void device_descriptor_follows_the_speed(void **state)
{
	static const struct {
		enum usb_speed speed;
		uint16_t usb;
		uint8_t mps, nconfigs;
	} rows[] = {
		{USB_SPEED_LOW, 0x0200, 8, 1},
		{USB_SPEED_FULL, 0x0200, 64, 1},
		{USB_SPEED_HIGH, 0x0200, 64, 2},
		{USB_SPEED_SUPER, 0x0320, 9, 2},
		{USB_SPEED_SUPER_PLUS, 0x0320, 9, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t want[18] = {18, 1, 0, 0,    0xef, 2, 1, 0, 0,
				    0,  0, 0, 0x02, 0x01, 1, 0, 3, 0};
		uint8_t b[64];
		struct toy toy;

		toy_init(&toy, rows[i].speed);
		put_le16(want + 2, rows[i].usb);
		want[7] = rows[i].mps;
		put_le16(want + 8, 0x1234);
		put_le16(want + 10, 0x5678);
		want[17] = rows[i].nconfigs;
		/* what is asked for, never more than there is */
		assert_int_equal(get_desc(&toy, 0x100, 0, b, 8), 8);
		assert_memory_equal(b, want, 8);
		assert_int_equal(get_desc(&toy, 0x100, 0, b, 64), 18);
		assert_memory_equal(b, want, 18);
	}
}

/* -1: STALL. Descriptors that some speeds have and others do not. */
static void descriptors_exist_where_the_speed_has_them(void **state)
{
	static const struct {
		unsigned value, index;
		int full, high, super;
	} rows[] = {
		{0x0101, 0, -1, -1, -1},    /* no second device descriptor */
		{0x0200, 0, LEN, LEN, LEN}, /* configurations */
		{0x0201, 0, -1, 18, 18},     {0x0202, 0, -1, -1, -1},
		{0x0300, 0, 4, 4, 4},        /* languages */
		{0x0301, 0x409, 12, 12, 12}, /* "Maker" */
		{0x0302, 0x409, -1, -1, -1}, /* no product name */
		{0x0304, 0x409, 26, 26, 26}, {0x0301, 0x407, -1, -1, -1},
		{0x0308, 0x409, -1, -1, -1}, {0x03ee, 0x409, -1, -1, -1},
		{0x0400, 0, -1, -1, -1}, /* interfaces are not asked for */
		{0x0500, 0, -1, -1, -1},     {0x0600, 0, -1, 10, -1},
		{0x0700, 0, -1, LEN, -1},    {0x0701, 0, -1, -1, -1},
		{0x0f00, 0, -1, -1, 22},     {0x2200, 0, -1, -1, -1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int want[] = {[USB_SPEED_FULL] = rows[i].full,
				    [USB_SPEED_HIGH] = rows[i].high,
				    [USB_SPEED_SUPER] = rows[i].super};

		for (int s = USB_SPEED_FULL; s <= USB_SPEED_SUPER; s++) {
			uint8_t b[512];
			struct toy toy;
			int n;

			if (s == USB_SPEED_LOW)
				continue;
			toy_init(&toy, (enum usb_speed)s);
			n = get_desc(&toy, rows[i].value, rows[i].index, b,
				     sizeof(b));
			if (n != (want[s] < 0 ? -EPIPE : want[s]))
				fail_msg("descriptor %04x at speed %d: %d",
					 rows[i].value, s, n);
			if (n > 0 && b[1] != rows[i].value >> 8)
				fail_msg("type of %04x", rows[i].value);
		}
	}
}

/* USB 3.2 §9.6.2.5: a device at 10 Gb/s says so. */
static void super_plus_has_a_capability(void **state)
{
	static const uint8_t plus[20] = {20, 16,   10,   0,    1,  0,    0,
					 0,  0x01, 0x11, 0,    0,  0x31, 0x40,
					 10, 0,    0xb1, 0x40, 10, 0};
	uint8_t b[64], super[64];
	struct toy toy;

	(void)state;
	toy_init(&toy, USB_SPEED_SUPER);
	assert_int_equal(get_desc(&toy, 0x0f00, 0, super, sizeof(super)), 22);
	toy_init(&toy, USB_SPEED_SUPER_PLUS);
	assert_int_equal(get_desc(&toy, 0x0f00, 0, b, sizeof(b)), 42);
	assert_int_equal(get_le16(b + 2), 42);
	assert_int_equal(b[4], super[4] + 1);
	assert_memory_equal(b + 5, super + 5, 22 - 5);
	assert_memory_equal(b + 22, plus, sizeof(plus));
}

static void descriptor_bytes_are_right(void **state)
{
	static const uint8_t maker[] = {12,  3, 'M', 0, 'a', 0,
					'k', 0, 'e', 0, 'r', 0};
	static const uint8_t qualifier[] = {10, 6, 0x00, 0x02, 0xef,
					    2,  1, 64,   1,    0};
	uint8_t b[512];
	struct toy toy;

	(void)state;
	toy_init(&toy, USB_SPEED_HIGH);
	get_desc(&toy, 0x0301, 0x409, b, 255);
	assert_memory_equal(b, maker, sizeof(maker));
	get_desc(&toy, 0x0600, 0, b, 10);
	assert_memory_equal(b, qualifier, sizeof(qualifier));
	get_desc(&toy, 0x0200, 0, b, 512);
	assert_memory_equal(b, cfg1_high, LEN);
	get_desc(&toy, 0x0700, 0, b, 512);
	assert_int_equal(b[1], USB_DT_OTHER_SPEED_CONFIG);
	assert_memory_equal(b + 2, cfg1_full + 2, LEN - 2);
	toy_init(&toy, USB_SPEED_SUPER);
	get_desc(&toy, 0x0f00, 0, b, 512);
	assert_int_equal(get_le16(b + 2), 22);
	assert_int_equal(b[4], 2);
	assert_int_equal(b[5] + 5 + b[12], 22); /* the two capabilities */
}

/* One request in a state; the state is made by the steps before it. */
struct request_row {
	uint8_t type, request;
	uint16_t value, index, length;
	int result;       /* bytes, or -1: STALL */
	uint8_t bytes[2]; /* of an IN request */
};

static void run_requests(enum usb_speed speed, const struct request_row *r,
			 size_t n)
{
	struct toy toy;

	toy_init(&toy, speed);
	for (size_t i = 0; i < n; i++, r++) {
		uint8_t b[16] = {0};
		int rc = fake_control(&toy.g.dev, r->type, r->request, r->value,
				      r->index, b, r->length);

		if (rc != (r->result < 0 ? -EPIPE : r->result))
			fail_msg("row %zu: %d", i, rc);
		if ((r->type & 0x80) && rc > 0 &&
		    memcmp(b, r->bytes, rc < 2 ? (size_t)rc : 2) != 0)
			fail_msg("row %zu: bytes %02x %02x", i, b[0], b[1]);
	}
}

#define RUN(speed, rows) \
	run_requests(speed, rows, sizeof(rows) / sizeof(rows[0]))

static void configurations_and_settings(void **state)
{
	static const struct request_row rows[] = {
		/* address state */
		{0x80, 8, 0, 0, 1, 1, {0}},
		{0x81, 10, 0, 0, 1, -1, {0}},
		{0x01, 11, 0, 0, 0, -1, {0}},
		{0x00, 9, 2, 0, 0, -1, {0}}, /* no such value */
		{0x80, 8, 0, 0, 1, 1, {0}},
		{0x00, 9, 1, 0, 0, 0, {0}},
		{0x80, 8, 0, 0, 1, 1, {1}},
		{0x81, 10, 0, 1, 1, 1, {0}},
		{0x01, 11, 1, 1, 0, 0, {0}},
		{0x81, 10, 0, 1, 1, 1, {1}},
		{0x01, 11, 2, 1, 0, -1, {0}}, /* no such setting */
		{0x01, 11, 1, 0, 0, -1, {0}}, /* of that interface */
		{0x01, 11, 0, 2, 0, -1, {0}}, /* no such interface */
		{0x01, 11, 0, 16, 0, -1, {0}},
		{0x01, 11, 257, 1, 0, -1, {0}},
		{0x81, 10, 0, 2, 1, -1, {0}},
		{0x81, 10, 0, 0xff, 1, -1, {0}},
		{0x81, 10, 0, 1, 1, 1, {1}},
		{0x00, 9, 1, 0, 0, 0, {0}}, /* the same: settings back to 0 */
		{0x81, 10, 0, 1, 1, 1, {0}},
		{0x00, 9, 5, 0, 0, 0, {0}},
		{0x80, 8, 0, 0, 1, 1, {5}},
		{0x81, 10, 0, 1, 1, -1, {0}}, /* configuration 5 has one */
		{0x00, 9, 0, 0, 0, 0, {0}},
		{0x80, 8, 0, 0, 1, 1, {0}},
		/* what is never answered */
		{0x00, 5, 3, 0, 0, -1, {0}},     /* SET_ADDRESS */
		{0x00, 7, 0x100, 0, 8, -1, {0}}, /* SET_DESCRIPTOR */
		{0x82, 12, 0, 0x81, 2, -1, {0}}, /* SYNCH_FRAME */
		{0x00, 6, 0x100, 0, 0, -1, {0}}, /* wrong direction */
		{0x80, 9, 1, 0, 0, -1, {0}},
		{0x83, 0, 0, 0, 2, -1, {0}}, /* recipient "other" */
		{0xc0, 0x41, 0, 0, 2, -1, {0}},
		{0xc0, 0x42, 0, 0, 6, 6, {'v', 'e'}}, /* the device's own */
		{0xc0, 0x42, 0, 0, 1, 1, {'v', 0}},
	};

	(void)state;
	RUN(USB_SPEED_HIGH, rows);
}

static void status_and_features_at_usb2_speed(void **state)
{
	static const struct request_row rows[] = {
		{0x80, 0, 0, 0, 2, 2, {1, 0}}, /* self powered */
		{0x80, 0, 1, 0, 2, -1, {0}},
		{0x00, 3, 1, 0, 0, 0, {0}}, /* remote wakeup */
		{0x80, 0, 0, 0, 2, 2, {3, 0}},
		{0x00, 1, 1, 0, 0, 0, {0}},
		{0x80, 0, 0, 0, 2, 2, {1, 0}},
		{0x00, 3, 1, 1, 0, -1, {0}},
		{0x00, 3, 2, 0x100, 0, -1, {0}}, /* test mode */
		{0x00, 3, 48, 0, 0, -1, {0}},    /* U1: SuperSpeed only */
		{0x00, 48, 0, 0, 6, -1, {0}},    /* SET_SEL */
		{0x00, 49, 40, 0, 0, -1, {0}},   /* SET_ISOCH_DELAY */
		/* address state: endpoint 0 and nothing else */
		{0x82, 0, 0, 0x00, 2, 2, {0, 0}},
		{0x82, 0, 0, 0x80, 2, 2, {0, 0}},
		{0x82, 0, 0, 0x81, 2, -1, {0}},
		{0x81, 0, 0, 0, 2, -1, {0}},
		{0x02, 3, 0, 0x81, 0, -1, {0}},
		{0x00, 9, 1, 0, 0, 0, {0}},
		{0x81, 0, 0, 0, 2, 2, {0, 0}},
		{0x81, 0, 0, 2, 2, -1, {0}},
		{0x01, 3, 0, 0, 0, -1, {0}}, /* function suspend: 3.x */
		{0x82, 0, 0, 0x81, 2, 2, {0, 0}},
		{0x02, 3, 0, 0x81, 0, 0, {0}}, /* halt */
		{0x82, 0, 0, 0x81, 2, 2, {1, 0}},
		{0x82, 0, 0, 0x02, 2, 2, {0, 0}},
		{0x02, 1, 0, 0x81, 0, 0, {0}},
		{0x82, 0, 0, 0x81, 2, 2, {0, 0}},
		{0x02, 3, 1, 0x81, 0, -1, {0}}, /* no such feature */
		{0x02, 3, 0, 0x01, 0, -1, {0}}, /* other direction */
		{0x02, 3, 0, 0x83, 0, -1, {0}}, /* setting 1 has it */
		{0x02, 3, 0, 0x181, 0, -1, {0}},
		{0x02, 1, 0, 0x91, 0, -1, {0}},
		{0x02, 3, 0, 0x00, 0, 0, {0}}, /* endpoint 0: no trace */
		{0x82, 0, 0, 0x00, 2, 2, {0, 0}},
		{0x01, 11, 1, 1, 0, 0, {0}},
		{0x02, 3, 0, 0x83, 0, 0, {0}},
		{0x82, 0, 0, 0x83, 2, 2, {1, 0}},
		{0x01, 11, 1, 1, 0, 0, {0}}, /* SET_INTERFACE clears it */
		{0x82, 0, 0, 0x83, 2, 2, {0, 0}},
		{0x02, 3, 0, 0x81, 0, 0, {0}},
		{0x00, 9, 1, 0, 0, 0, {0}}, /* and so does a configuration */
		{0x82, 0, 0, 0x81, 2, 2, {0, 0}},
		{0x00, 9, 5, 0, 0, 0, {0}},
		{0x80, 0, 0, 0, 2, 2, {0, 0}}, /* bus powered */
		{0x00, 3, 1, 0, 0, -1, {0}},   /* without wakeup */
	};

	(void)state;
	RUN(USB_SPEED_HIGH, rows);
}

static void status_and_features_at_super_speed(void **state)
{
	static const struct request_row rows[] = {
		{0x00, 48, 0, 0, 6, 6, {0}}, /* SET_SEL */
		{0x00, 48, 0, 0, 5, -1, {0}},
		{0x00, 49, 40, 0, 0, 0, {0}}, /* SET_ISOCH_DELAY */
		{0x00, 49, 40, 1, 0, -1, {0}},
		{0x00, 3, 48, 0, 0, -1, {0}}, /* U1: not configured */
		{0x00, 3, 49, 0, 0, -1, {0}},
		{0x00, 3, 1, 0, 0, -1, {0}}, /* wakeup is a function's */
		{0x00, 9, 1, 0, 0, 0, {0}},
		{0x00, 3, 48, 0, 0, 0, {0}},
		{0x80, 0, 0, 0, 2, 2, {5, 0}},
		{0x00, 3, 49, 0, 0, 0, {0}},
		{0x80, 0, 0, 0, 2, 2, {13, 0}},
		{0x00, 1, 48, 0, 0, 0, {0}},
		{0x80, 0, 0, 0, 2, 2, {9, 0}},
		{0x00, 3, 50, 0, 0, -1, {0}}, /* LTM: no capability */
		{0x81, 0, 0, 0, 2, 2, {1, 0}},
		{0x01, 3, 0, 0x0200, 0, 0, {0}}, /* function remote wake */
		{0x81, 0, 0, 0, 2, 2, {3, 0}},
		{0x81, 0, 0, 1, 2, 2, {1, 0}},
		{0x01, 3, 0, 0x0000, 0, 0, {0}},
		{0x81, 0, 0, 0, 2, 2, {1, 0}},
		{0x01, 3, 0, 0x0002, 0, -1, {0}}, /* no such interface */
		{0x01, 3, 1, 0x0000, 0, -1, {0}},
		{0x00, 9, 0, 0, 0, 0, {0}},
		{0x80, 0, 0, 0, 2, 2, {1, 0}}, /* U2 went with it */
	};

	(void)state;
	RUN(USB_SPEED_SUPER, rows);
}

static enum usb_status try_transfer(struct toy *toy, uint8_t ep)
{
	struct fake_xfer *f = fake_xfer(ep, NULL, 16, 0);
	enum usb_status status;

	fake_submit(&toy->g.dev, f);
	assert_true(f->done);
	status = f->x.status;
	fake_xfer_free(f);
	return status;
}

static void transfers_reach_endpoints_that_exist_and_are_not_halted(
	void **state)
{
	struct toy toy;

	(void)state;
	toy_init(&toy, USB_SPEED_FULL);
	assert_int_equal(try_transfer(&toy, 0x81), USB_ERROR);
	fake_control(&toy.g.dev, 0, USB_REQ_SET_CONFIGURATION, 1, 0, NULL, 0);
	assert_int_equal(toy.configured, 1);
	assert_int_equal(try_transfer(&toy, 0x81), USB_OK);
	assert_int_equal(try_transfer(&toy, 0x02), USB_OK);
	assert_int_equal(try_transfer(&toy, 0x01), USB_ERROR);
	assert_int_equal(try_transfer(&toy, 0x83), USB_ERROR);
	fake_control(&toy.g.dev, 1, USB_REQ_SET_INTERFACE, 1, 1, NULL, 0);
	assert_int_equal(toy.configured, 2);
	assert_int_equal(try_transfer(&toy, 0x83), USB_OK);
	assert_int_equal(toy.transfers, 3);
	gadget_halt(&toy.g, 0x81);
	assert_int_equal(try_transfer(&toy, 0x81), USB_STALL);
	assert_int_equal(try_transfer(&toy, 0x81), USB_STALL);
	assert_int_equal(try_transfer(&toy, 0x02), USB_OK);
	fake_control(&toy.g.dev, 2, USB_REQ_CLEAR_FEATURE, 0, 0x81, NULL, 0);
	assert_int_equal(toy.halt_ep, 0x81);
	assert_int_equal(toy.halt_state, 0);
	assert_int_equal(try_transfer(&toy, 0x81), USB_OK);
	toy.halt_again = true; /* a device that does not let go of it */
	fake_control(&toy.g.dev, 2, USB_REQ_CLEAR_FEATURE, 0, 0x81, NULL, 0);
	assert_int_equal(try_transfer(&toy, 0x81), USB_STALL);
	gadget_reset(&toy.g);
	assert_int_equal(try_transfer(&toy, 0x81), USB_ERROR);
	assert_int_equal(toy.g.config, 0);
}

/* Each request with each small value, index and length, in every state. */
static void no_request_is_left_unanswered(void **state)
{
	static const enum usb_speed speeds[] = {USB_SPEED_FULL, USB_SPEED_HIGH,
						USB_SPEED_SUPER};
	uint32_t seed = 1;

	(void)state;
	for (size_t s = 0; s < 3; s++) {
		struct toy toy;

		toy_init(&toy, speeds[s]);
		for (unsigned i = 0; i < 30000; i++) {
			uint8_t b[64] = {0};
			uint32_t r = seed = seed * 1664525u + 1013904223u;
			uint8_t type = (uint8_t)(r >> 24) & 0xe3;
			uint8_t req = (uint8_t)(r >> 16) % 52;
			uint16_t value =
				(uint16_t)((r >> 3) % 6 | (r >> 9) % 17 << 8);
			uint16_t index =
				(uint16_t)((r >> 5) % 4 | (r >> 7 & 1) << 7);
			int n = fake_control(&toy.g.dev, type, req, value,
					     index, b, (r >> 11) % 64);

			assert_true(n == -EPIPE || (n >= 0 && n <= 64));
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_descriptor_follows_the_speed),
		cmocka_unit_test(descriptors_exist_where_the_speed_has_them),
		cmocka_unit_test(super_plus_has_a_capability),
		cmocka_unit_test(descriptor_bytes_are_right),
		cmocka_unit_test(configurations_and_settings),
		cmocka_unit_test(status_and_features_at_usb2_speed),
		cmocka_unit_test(status_and_features_at_super_speed),
		cmocka_unit_test(
			transfers_reach_endpoints_that_exist_and_are_not_halted),
		cmocka_unit_test(no_request_is_left_unanswered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
