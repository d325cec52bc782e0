/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zero_desc.c - the configurations of the device zero at each speed.
 */
#include "devices/zero_impl.h"

#define SELF_POWERED (USB_CONFIG_ONE | USB_CONFIG_SELF_POWERED)

#define FULL_BULK 64
#define FULL_ISOCH 1023
#define FULL_INTERRUPT 64
#define HIGH_BULK 512
#define SUPER_BULK 1024
#define PERIODIC 1024 /* isochronous and interrupt, above full speed */
/* full: 4 ms, isochronous 8 ms; otherwise 1 ms (USB 2.0 table 9-13) */
#define INTERVAL 4

#define INTERFACE(alt, neps, str) USB_D_INTERFACE(0, alt, neps, 0xff, 0, 0, str)
#define IN(pair) (USB_DIR_IN | ZERO_EP(pair))
#define OUT(pair) ZERO_EP(pair)

/* A pair of endpoints; at super speed with what companions say */
#define PAIR(pair, type, mps, interval)                \
	USB_D_ENDPOINT(IN(pair), type, mps, interval), \
		USB_D_ENDPOINT(OUT(pair), type, mps, interval)
#define SUPER_PAIR(pair, type, mps, interval, bytes)            \
	USB_D_ENDPOINT(IN(pair), type, mps, interval),          \
		USB_D_COMPANION(0, 0, bytes),                   \
		USB_D_ENDPOINT(OUT(pair), type, mps, interval), \
		USB_D_COMPANION(0, 0, bytes)

#define CONFIG_LEN (9 + 3 * 9 + 8 * 7)
#define CONFIG(value, str, bulk, isoch, interrupt)                     \
	{                                                              \
		USB_D_CONFIG(CONFIG_LEN, 1, value, SELF_POWERED, 0),   \
			INTERFACE(0, 2, str),                          \
			PAIR(ZERO_BULK, USB_BULK, bulk, 0),            \
			INTERFACE(1, 4, str),                          \
			PAIR(ZERO_BULK, USB_BULK, bulk, 0),            \
			PAIR(ZERO_ISOCH, USB_ISOCH, isoch, INTERVAL),  \
			INTERFACE(2, 2, str),                          \
			PAIR(ZERO_INTERRUPT, USB_INTERRUPT, interrupt, \
			     INTERVAL)                                 \
	}
#define SUPER_LEN (CONFIG_LEN + 8 * 6)
#define SUPER_CONFIG(value, str)                                              \
	{                                                                     \
		USB_D_CONFIG(SUPER_LEN, 1, value, SELF_POWERED, 0),           \
			INTERFACE(0, 2, str),                                 \
			SUPER_PAIR(ZERO_BULK, USB_BULK, SUPER_BULK, 0, 0),    \
			INTERFACE(1, 4, str),                                 \
			SUPER_PAIR(ZERO_BULK, USB_BULK, SUPER_BULK, 0, 0),    \
			SUPER_PAIR(ZERO_ISOCH, USB_ISOCH, PERIODIC, INTERVAL, \
				   PERIODIC),                                 \
			INTERFACE(2, 2, str),                                 \
			SUPER_PAIR(ZERO_INTERRUPT, USB_INTERRUPT, PERIODIC,   \
				   INTERVAL, PERIODIC)                        \
	}

static const uint8_t source_full[] =
	CONFIG(ZERO_CONFIG_SOURCE_SINK, ZERO_STR_SOURCE_SINK, FULL_BULK,
	       FULL_ISOCH, FULL_INTERRUPT);
static const uint8_t source_high[] =
	CONFIG(ZERO_CONFIG_SOURCE_SINK, ZERO_STR_SOURCE_SINK, HIGH_BULK,
	       PERIODIC, PERIODIC);
static const uint8_t source_super[] =
	SUPER_CONFIG(ZERO_CONFIG_SOURCE_SINK, ZERO_STR_SOURCE_SINK);
static const uint8_t loop_full[] =
	CONFIG(ZERO_CONFIG_LOOPBACK, ZERO_STR_LOOPBACK, FULL_BULK, FULL_ISOCH,
	       FULL_INTERRUPT);
static const uint8_t loop_high[] = CONFIG(
	ZERO_CONFIG_LOOPBACK, ZERO_STR_LOOPBACK, HIGH_BULK, PERIODIC, PERIODIC);
static const uint8_t loop_super[] =
	SUPER_CONFIG(ZERO_CONFIG_LOOPBACK, ZERO_STR_LOOPBACK);
_Static_assert(sizeof(source_full) == CONFIG_LEN, "wTotalLength");
_Static_assert(sizeof(loop_high) == CONFIG_LEN, "wTotalLength");
_Static_assert(sizeof(source_super) == SUPER_LEN, "wTotalLength");

static const struct gadget_blob configs[2][USB_SPEED_SUPER + 1] = {
	{
		[USB_SPEED_FULL] = {source_full, sizeof(source_full)},
		[USB_SPEED_HIGH] = {source_high, sizeof(source_high)},
		[USB_SPEED_SUPER] = {source_super, sizeof(source_super)},
	},
	{
		[USB_SPEED_FULL] = {loop_full, sizeof(loop_full)},
		[USB_SPEED_HIGH] = {loop_high, sizeof(loop_high)},
		[USB_SPEED_SUPER] = {loop_super, sizeof(loop_super)},
	},
};

/* The id of the Linux gadget zero; drivers (usbtest) know it by that. */
const struct gadget_desc zero_desc = {
	.vendor = 0x0525,
	.product = 0xa4a0,
	.version = 0x0001,
	.dev_class = 0xff,
	.nconfigs = 2,
	.configs = configs,
};

uint16_t zero_max_packet(enum zero_pair pair, enum usb_speed speed)
{
	bool full = speed == USB_SPEED_FULL;

	switch (pair) {
	case ZERO_ISOCH:
		return full ? FULL_ISOCH : PERIODIC;
	case ZERO_INTERRUPT:
		return full ? FULL_INTERRUPT : PERIODIC;
	case ZERO_BULK:
	case ZERO_NPAIRS:
		break;
	}
	return full                      ? FULL_BULK
	       : speed == USB_SPEED_HIGH ? HIGH_BULK
					 : SUPER_BULK;
}

uint64_t zero_interval_ns(enum zero_pair pair, enum usb_speed speed)
{
	const uint64_t frame = 1000000;

	if (speed != USB_SPEED_FULL)
		return frame / 8 << (INTERVAL - 1);
	return pair == ZERO_ISOCH ? frame << (INTERVAL - 1) : frame * INTERVAL;
}
