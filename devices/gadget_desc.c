/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gadget_desc.c - the descriptors of built-in devices, USB 2.0 §9.6 and
 * USB 3.2 §9.6, made for the one speed a device runs at.
 */
#include <errno.h>
#include <string.h>

#include "devices/bytes.h"
#include "devices/gadget.h"

#define LANGID_EN_US 0x0409u
#define DEVICE_LEN 18u
#define QUALIFIER_LEN 10u
#define CAP_USB20_EXT 2u /* USB 3.2 table 9-14 */
#define CAP_SUPERSPEED 3u
#define CAP_SUPERSPEED_PLUS 10u
#define STRING_MAX 126u /* UTF-16 units a descriptor can hold */

static enum usb_speed table_speed(enum usb_speed speed)
{
	return speed > USB_SPEED_SUPER ? USB_SPEED_SUPER : speed;
}

static bool is_super(const struct gadget *g)
{
	return g->dev.speed >= USB_SPEED_SUPER;
}

const uint8_t *gadget_next_desc(const struct gadget_blob *b, size_t *pos)
{
	const uint8_t *d;

	if (*pos + 2 > b->len)
		return NULL;
	d = b->bytes + *pos;
	if (d[0] < 2 || *pos + d[0] > b->len)
		return NULL;
	*pos += d[0];
	return d;
}

static const struct gadget_blob *config_at(const struct gadget *g,
					   unsigned index, enum usb_speed speed)
{
	const struct gadget_blob *b;

	if (index >= g->desc->nconfigs)
		return NULL;
	b = &g->desc->configs[index][table_speed(speed)];
	return b->bytes ? b : NULL;
}

const struct gadget_blob *gadget_find_config(const struct gadget *g,
					     uint8_t value)
{
	for (unsigned i = 0; i < g->desc->nconfigs; i++) {
		const struct gadget_blob *b = config_at(g, i, g->dev.speed);

		if (b && b->bytes[5] == value)
			return b;
	}
	return NULL;
}

static uint8_t count_configs(const struct gadget *g, enum usb_speed speed)
{
	uint8_t n = 0;

	for (unsigned i = 0; i < g->desc->nconfigs; i++)
		n = (uint8_t)(n + (config_at(g, i, speed) != NULL));
	return n;
}

static uint8_t string_index(const struct gadget *g, uint8_t index)
{
	return g->string[index] ? index : 0;
}

/*
 * bMaxPacketSize0: 8 at low speed, 64 at full and high, 2^9 above. A device
 * that has one speed only and no BOS is a 2.00 device, whatever that speed.
 */
static void reply_device(struct gadget *g, struct usb_xfer *t)
{
	const struct gadget_desc *desc = g->desc;
	uint8_t d[DEVICE_LEN] = {DEVICE_LEN, USB_DT_DEVICE};

	put_le16(d + 2, is_super(g) ? 0x0320 : 0x0200);
	d[4] = desc->dev_class;
	d[5] = desc->dev_subclass;
	d[6] = desc->dev_protocol;
	d[7] = is_super(g) ? 9 : g->dev.speed == USB_SPEED_LOW ? 8 : 64;
	put_le16(d + 8, desc->vendor);
	put_le16(d + 10, desc->product);
	put_le16(d + 12, desc->version);
	d[14] = string_index(g, GADGET_STR_VENDOR);
	d[15] = string_index(g, GADGET_STR_PRODUCT);
	d[16] = string_index(g, GADGET_STR_SERIAL);
	d[17] = count_configs(g, g->dev.speed);
	gadget_reply(g, t, d, sizeof(d));
}

static int reply_config(struct gadget *g, struct usb_xfer *t, uint8_t index)
{
	const struct gadget_blob *b = config_at(g, index, g->dev.speed);

	if (!b)
		return -EPIPE;
	gadget_reply(g, t, b->bytes, b->len);
	return 0;
}

/*
 * USB 2.0 §9.6.2: only a device that is at high speed and could be at full
 * speed has a qualifier. At full speed these devices are full speed only, and
 * must answer with a Request Error (guests that see a qualifier there tell
 * the user to look for a faster port).
 */
static bool has_other_speed(const struct gadget *g)
{
	return g->dev.speed == USB_SPEED_HIGH &&
	       count_configs(g, USB_SPEED_FULL) != 0;
}

static int reply_qualifier(struct gadget *g, struct usb_xfer *t)
{
	uint8_t d[QUALIFIER_LEN] = {QUALIFIER_LEN, USB_DT_DEVICE_QUALIFIER};

	if (!has_other_speed(g))
		return -EPIPE;
	put_le16(d + 2, 0x0200);
	d[4] = g->desc->dev_class;
	d[5] = g->desc->dev_subclass;
	d[6] = g->desc->dev_protocol;
	d[7] = 64;
	d[8] = count_configs(g, USB_SPEED_FULL);
	gadget_reply(g, t, d, sizeof(d));
	return 0;
}

/* The configuration at full speed, its type alone changed, USB 2.0 §9.6.4 */
static int reply_other_speed(struct gadget *g, struct usb_xfer *t, uint8_t idx)
{
	const struct gadget_blob *b = config_at(g, idx, USB_SPEED_FULL);
	uint8_t d[512];

	if (!has_other_speed(g) || !b || b->len > sizeof(d))
		return -EPIPE;
	memcpy(d, b->bytes, b->len);
	d[1] = USB_DT_OTHER_SPEED_CONFIG;
	gadget_reply(g, t, d, b->len);
	return 0;
}

static int reply_string(struct gadget *g, struct usb_xfer *t, uint8_t index)
{
	uint8_t d[2 + 2 * STRING_MAX] = {0, USB_DT_STRING};
	const char *s;
	size_t n = 0;

	if (index == 0) { /* the table of languages */
		d[0] = 4;
		put_le16(d + 2, LANGID_EN_US);
		gadget_reply(g, t, d, 4);
		return 0;
	}
	if (index >= GADGET_STRINGS || !g->string[index] ||
	    t->setup.index != LANGID_EN_US)
		return -EPIPE;
	for (s = g->string[index]; s[n] && n < STRING_MAX; n++)
		put_le16(d + 2 + 2 * n, (uint8_t)s[n]);
	d[0] = (uint8_t)(2 + 2 * n);
	gadget_reply(g, t, d, d[0]);
	return 0;
}

/*
 * USB 3.2 §9.6.2. Exit latencies are small but not 0: Linux takes 0 for a
 * defect and says so in its log.
 */
static int reply_bos(struct gadget *g, struct usb_xfer *t)
{
	static const uint8_t bos[] = {
		5, USB_DT_BOS, USB_D_LE16(22), 2, /* two capabilities */
		/* USB 2.0 extension: LPM */
		7, USB_DT_DEVICE_CAPABILITY, CAP_USB20_EXT, 0x02, 0, 0, 0,
		/* SuperSpeed: no LTM; full, high, super; works from full on;
		 * U1 in 10 us, U2 in 32 us */
		10, USB_DT_DEVICE_CAPABILITY, CAP_SUPERSPEED, 0,
		USB_D_LE16(0x000e), 1, 0x0a, USB_D_LE16(0x0020)};
	/* SuperSpeedPlus, §9.6.2.5: one sublink speed, which is 10 Gb/s on a
	 * lane each way, received and transmitted */
	static const uint8_t plus[] = {20,
				       USB_DT_DEVICE_CAPABILITY,
				       CAP_SUPERSPEED_PLUS,
				       0,
				       0x01,
				       0,
				       0,
				       0,
				       USB_D_LE16(0x1101),
				       0,
				       0,
				       USB_D_LE16(0x4031),
				       USB_D_LE16(10),
				       USB_D_LE16(0x40b1),
				       USB_D_LE16(10)};
	uint8_t d[sizeof(bos) + sizeof(plus)];
	size_t len = sizeof(bos);

	if (!is_super(g))
		return -EPIPE;
	memcpy(d, bos, sizeof(bos));
	if (g->dev.speed >= USB_SPEED_SUPER_PLUS) {
		memcpy(d + len, plus, sizeof(plus));
		len += sizeof(plus);
		put_le16(d + 2, (uint16_t)len);
		d[4]++;
	}
	gadget_reply(g, t, d, len);
	return 0;
}

int gadget_get_descriptor(struct gadget *g, struct usb_xfer *t)
{
	uint8_t type = (uint8_t)(t->setup.value >> 8);
	uint8_t index = (uint8_t)t->setup.value;

	switch (type) {
	case USB_DT_CONFIG:
		return reply_config(g, t, index);
	case USB_DT_STRING:
		return reply_string(g, t, index);
	case USB_DT_OTHER_SPEED_CONFIG:
		return reply_other_speed(g, t, index);
	default:
		break;
	}
	if (index != 0)
		return -EPIPE;
	switch (type) {
	case USB_DT_DEVICE:
		reply_device(g, t);
		return 0;
	case USB_DT_DEVICE_QUALIFIER:
		return reply_qualifier(g, t);
	case USB_DT_BOS:
		return reply_bos(g, t);
	default:
		return -EPIPE;
	}
}
