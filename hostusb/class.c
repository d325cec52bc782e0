/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostusb/class.h"

#include <stdio.h>

#define ANY 0x100u

/* The first row that fits counts: special ones before their class. */
static const struct class_row {
	uint16_t cls, subclass, protocol;
	const char *name;
} rows[] = {
	{0x00, ANY, ANY, "by interface"},
	{0x01, 0x03, ANY, "audio MIDI"},
	{0x01, ANY, ANY, "audio"},
	{0x02, 0x02, ANY, "serial (CDC ACM)"},
	{0x02, 0x06, ANY, "network (CDC ECM)"},
	{0x02, 0x0d, ANY, "network (CDC NCM)"},
	{0x02, 0x0e, ANY, "modem (CDC MBIM)"},
	{0x02, ANY, ANY, "communications"},
	{0x03, 0x01, 0x01, "HID keyboard"},
	{0x03, 0x01, 0x02, "HID mouse"},
	{0x03, ANY, ANY, "HID"},
	{0x05, ANY, ANY, "physical"},
	{0x06, ANY, ANY, "still image"},
	{0x07, ANY, ANY, "printer"},
	{0x08, 0x06, 0x62, "mass storage (UAS)"},
	{0x08, ANY, ANY, "mass storage"},
	{0x09, ANY, ANY, "hub"},
	{0x0a, ANY, ANY, "CDC data"},
	{0x0b, ANY, ANY, "smart card"},
	{0x0d, ANY, ANY, "content security"},
	{0x0e, ANY, ANY, "video"},
	{0x0f, ANY, ANY, "healthcare"},
	{0x10, ANY, ANY, "audio/video"},
	{0x11, ANY, ANY, "billboard"},
	{0x12, ANY, ANY, "type-C bridge"},
	{0x13, ANY, ANY, "bulk display"},
	{0x14, ANY, ANY, "MCTP"},
	{0x3c, ANY, ANY, "I3C"},
	{0xdc, ANY, ANY, "diagnostic"},
	{0xe0, 0x01, 0x01, "bluetooth"},
	{0xe0, 0x01, 0x03, "network (RNDIS)"},
	{0xe0, ANY, ANY, "wireless"},
	{0xef, ANY, ANY, "miscellaneous"},
	{0xfe, 0x01, ANY, "firmware upgrade (DFU)"},
	{0xfe, 0x03, ANY, "test and measurement"},
	{0xfe, ANY, ANY, "application specific"},
	{0xff, ANY, ANY, "vendor specific"},
};

const char *usb_class_name(uint8_t cls, uint8_t subclass, uint8_t protocol,
			   char *buf, size_t len)
{
	for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
		const struct class_row *r = &rows[n];

		if (r->cls == cls &&
		    (r->subclass == ANY || r->subclass == subclass) &&
		    (r->protocol == ANY || r->protocol == protocol))
			return r->name;
	}
	snprintf(buf, len, "class 0x%02x", cls);
	return buf;
}

const char *usb_speed_name(enum usb_speed speed)
{
	switch (speed) {
	case USB_SPEED_LOW:
		return "low";
	case USB_SPEED_FULL:
		return "full";
	case USB_SPEED_HIGH:
		return "high";
	case USB_SPEED_SUPER:
		return "super";
	case USB_SPEED_SUPER_PLUS:
	case USB_SPEED_SUPER_BY2:
		return "super+";
	case USB_SPEED_SUPER_PLUS_BY2:
		return "super+x2";
	case USB_SPEED_NONE:
		break;
	}
	return "unknown";
}
