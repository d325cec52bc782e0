/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hid_desc.c - descriptors of the keyboard, the mouse and the tablet: HID 1.11
 * §6.2 and appendix B, HID Usage Tables.
 */
#include "devices/hid_impl.h"

/* The id of storage.c, and the kind in bcdDevice: none is in a quirk table. */
#define VENDOR 0x1d6bu
#define PRODUCT 0x0104u

#define BUS_POWERED (USB_CONFIG_ONE | USB_CONFIG_WAKEUP)
#define POWER 50 /* 100 mA; at super speed 400 */

/* bInterval: 8 ms at low speed (10 is the least that is allowed), 4 ms at full,
 * 1 ms above */
#define LOW_INTERVAL 10
#define FULL_INTERVAL 4
#define FAST_INTERVAL 4

/* Items of report descriptors, one byte of data, HID 1.11 §6.2.2 */
#define USAGE_PAGE(p) 0x05, (p)
#define USAGE(u) 0x09, (u)
#define USAGE_RANGE(a, b) 0x19, (a), 0x29, (b)
#define LOGICAL(min, max) 0x15, (uint8_t)(min), 0x25, (max)
#define LOGICAL16(min, max) \
	0x16, USB_D_LE16((uint16_t)(min)), 0x26, USB_D_LE16(max)
#define FIELDS(count, bits) 0x95, (count), 0x75, (bits)
#define COLLECTION(kind) 0xa1, (kind)
#define END_COLLECTION 0xc0
#define INPUT(flags) 0x81, (flags)
#define OUTPUT(flags) 0x91, (flags)
enum { PHYSICAL, APPLICATION };
enum { ARRAY = 0, PADDING = 1, ABS = 2, REL = 6 };
enum {
	PAGE_DESKTOP = 1,
	PAGE_KEYS = 7,
	PAGE_LEDS,
	PAGE_BUTTONS,
	PAGE_CONSUMER = 12
};
enum {
	POINTER = 1,
	MOUSE = 2,
	KEYBOARD = 6,
	AXIS_X = 0x30,
	AXIS_Y,
	WHEEL = 0x38
};

static const uint8_t keyboard_report[] = {
	USAGE_PAGE(PAGE_DESKTOP), USAGE(KEYBOARD), COLLECTION(APPLICATION),
	/* modifiers, a byte of nothing */
	USAGE_PAGE(PAGE_KEYS), USAGE_RANGE(0xe0, 0xe7), LOGICAL(0, 1),
	FIELDS(8, 1), INPUT(ABS), FIELDS(1, 8), INPUT(PADDING),
	/* lights */
	USAGE_PAGE(PAGE_LEDS), USAGE_RANGE(1, 5), FIELDS(5, 1), OUTPUT(ABS),
	FIELDS(1, 3), OUTPUT(PADDING),
	/* keys held down */
	USAGE_PAGE(PAGE_KEYS), USAGE_RANGE(0, 0xff), LOGICAL16(0, 0xff),
	FIELDS(6, 8), INPUT(ARRAY), END_COLLECTION};

#define BUTTON_BITS                                                           \
	USAGE_PAGE(PAGE_BUTTONS), USAGE_RANGE(1, HID_BUTTONS), LOGICAL(0, 1), \
		FIELDS(HID_BUTTONS, 1), INPUT(ABS),                           \
		FIELDS(1, 8 - HID_BUTTONS), INPUT(PADDING)
/* the second is AC Pan */
#define WHEELS                                                              \
	USAGE(WHEEL), LOGICAL(-HID_WHEEL_MAX, HID_WHEEL_MAX), FIELDS(1, 8), \
		INPUT(REL), USAGE_PAGE(PAGE_CONSUMER), 0x0a,                \
		USB_D_LE16(0x0238), FIELDS(1, 8), INPUT(REL)
#define POINTER_OPEN                                                     \
	USAGE_PAGE(PAGE_DESKTOP), USAGE(MOUSE), COLLECTION(APPLICATION), \
		USAGE(POINTER), COLLECTION(PHYSICAL), BUTTON_BITS,       \
		USAGE_PAGE(PAGE_DESKTOP), USAGE(AXIS_X), USAGE(AXIS_Y)

static const uint8_t mouse_report[] = {
	POINTER_OPEN,  LOGICAL16(-HID_REL_MAX, HID_REL_MAX),
	FIELDS(2, 16), INPUT(REL),
	WHEELS,        END_COLLECTION,
	END_COLLECTION};

static const uint8_t tablet_report[] = {
	POINTER_OPEN,  LOGICAL16(0, HID_ABS_MAX),
	FIELDS(2, 16), INPUT(ABS),
	WHEELS,        END_COLLECTION,
	END_COLLECTION};

#define HID_DESC(report)                                        \
	9, HID_DT_HID, USB_D_LE16(0x0111), 0, 1, HID_DT_REPORT, \
		USB_D_LE16(sizeof(report))
/* @sub 1: there is a boot protocol, of @proto 1 keyboard or 2 mouse */
#define CONFIG(sub, proto, report, interval)                                  \
	{                                                                     \
		USB_D_CONFIG(34, 1, 1, BUS_POWERED, POWER),                   \
			USB_D_INTERFACE(0, 0, 1, 3, sub, proto, 0),           \
			HID_DESC(report),                                     \
			USB_D_ENDPOINT(HID_EP, USB_INTERRUPT, HID_REPORT_MAX, \
				       interval)                              \
	}
#define SUPER_CONFIG(sub, proto, report)                                      \
	{                                                                     \
		USB_D_CONFIG(40, 1, 1, BUS_POWERED, POWER),                   \
			USB_D_INTERFACE(0, 0, 1, 3, sub, proto, 0),           \
			HID_DESC(report),                                     \
			USB_D_ENDPOINT(HID_EP, USB_INTERRUPT, HID_REPORT_MAX, \
				       FAST_INTERVAL),                        \
			USB_D_COMPANION(0, 0, HID_REPORT_MAX)                 \
	}
#define BLOB(bytes)                  \
	{                            \
		bytes, sizeof(bytes) \
	}
#define KIND(kind, sub, proto, rev)                               \
	static const uint8_t kind##_low[] =                       \
		CONFIG(sub, proto, kind##_report, LOW_INTERVAL);  \
	static const uint8_t kind##_full[] =                      \
		CONFIG(sub, proto, kind##_report, FULL_INTERVAL); \
	static const uint8_t kind##_high[] =                      \
		CONFIG(sub, proto, kind##_report, FAST_INTERVAL); \
	static const uint8_t kind##_super[] =                     \
		SUPER_CONFIG(sub, proto, kind##_report);          \
	static const struct gadget_blob                           \
		kind##_configs[1][USB_SPEED_SUPER + 1] = {{       \
			[USB_SPEED_LOW] = BLOB(kind##_low),       \
			[USB_SPEED_FULL] = BLOB(kind##_full),     \
			[USB_SPEED_HIGH] = BLOB(kind##_high),     \
			[USB_SPEED_SUPER] = BLOB(kind##_super),   \
		}};                                               \
	static const struct gadget_desc kind##_desc = {           \
		.vendor = VENDOR,                                 \
		.product = PRODUCT,                               \
		.version = rev,                                   \
		.nconfigs = 1,                                    \
		.configs = kind##_configs,                        \
	};                                                        \
	_Static_assert(sizeof(kind##_low) == 34, "wTotalLength"); \
	_Static_assert(sizeof(kind##_super) == 40, "wTotalLength")

KIND(keyboard, 1, 1, 0x0101);
KIND(mouse, 1, 2, 0x0102);
KIND(tablet, 0, 0, 0x0103);

#define TYPE(kind)                                                      \
	.name = #kind, .product = "vxhci " #kind, .desc = &kind##_desc, \
	.hid_desc = kind##_full + 18, .report_desc = kind##_report,     \
	.report_desc_len = sizeof(kind##_report), .report = hid_report_##kind

const struct hid_type hid_types[HID_NKINDS] = {
	/* 500 ms: HID 1.11 §7.2.4 */
	[HID_KEYBOARD] = {TYPE(keyboard), .boot = true, .idle = 125,
			  .keys = true},
	[HID_MOUSE] = {TYPE(mouse), .boot = true},
	[HID_TABLET] = {TYPE(tablet), .abs = true},
};

uint64_t hid_interval_ns(enum usb_speed speed)
{
	const uint64_t ms = 1000000;

	return speed == USB_SPEED_LOW    ? 8 * ms
	       : speed == USB_SPEED_FULL ? FULL_INTERVAL * ms
					 : ms;
}
