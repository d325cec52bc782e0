/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * devices_zero_fake.h - the device zero, and what both of its tests need.
 * Included once by each.
 */
#ifndef TESTS_DEVICES_ZERO_FAKE_H
#define TESTS_DEVICES_ZERO_FAKE_H

#include "devices_clock.h"

#include "devices/gadget.h"
#include "devices/zero.h"

#define CONFIG_SOURCE 3
#define CONFIG_LOOP 2

static inline struct usb_dev *zero_new(enum usb_speed speed,
				       enum zero_pattern pattern)
{
	struct usb_dev *d = NULL;
	char err[128] = "";

	clock_init();
	assert_int_equal(zero_open(speed, pattern, &d, err, sizeof(err)), 0);
	d->pm = (struct pmapper *)(uintptr_t)16; /* only handed on */
	return d;
}

static inline void zero_end(struct usb_dev *d)
{
	d->ops->free(d);
	assert_true(clock_deadline() == UINT64_MAX);
}

/* Configured, with an alternate setting of its interface. */
static inline struct usb_dev *zero_at(enum usb_speed speed, uint16_t config,
				      uint16_t alt)
{
	struct usb_dev *d = zero_new(speed, ZERO_ZEROES);

	assert_int_equal(fake_control(d, 0, USB_REQ_SET_CONFIGURATION, config,
				      0, NULL, 0),
			 0);
	assert_int_equal(
		fake_control(d, 1, USB_REQ_SET_INTERFACE, alt, 0, NULL, 0), 0);
	return d;
}

#endif
