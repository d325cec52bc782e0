/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * devices_hid_fake.h - keyboard, mouse and tablet, and what their tests need.
 * Included once by each.
 */
#ifndef TESTS_DEVICES_HID_FAKE_H
#define TESTS_DEVICES_HID_FAKE_H

#include "devices_clock.h"

#include "devices/gadget.h"
#include "devices/hid.h"

#define IN 0x81
#define ROOM 8 /* bytes of a transfer */

/* bmRequestType of class requests */
#define GET 0xa1
#define SET 0x21
#define GET_REPORT 1
#define GET_IDLE 2
#define GET_PROTOCOL 3
#define SET_REPORT 9
#define SET_IDLE 10
#define SET_PROTOCOL 11

static inline void hid_configure(struct usb_dev *d, uint16_t value)
{
	assert_int_equal(fake_control(d, 0, USB_REQ_SET_CONFIGURATION, value, 0,
				      NULL, 0),
			 0);
}

static inline struct usb_dev *hid_new(enum hid_kind kind, enum usb_speed speed)
{
	struct usb_dev *d = NULL;
	char err[128] = "";

	clock_init();
	assert_int_equal(hid_open(kind, speed, &d, err, sizeof(err)), 0);
	d->pm = (struct pmapper *)(uintptr_t)16; /* only handed on */
	return d;
}

/* Configured, with SET_IDLE 0 as drivers do, and a service interval of 1 ms. */
static inline struct usb_dev *hid_up(enum hid_kind kind)
{
	struct usb_ep_info info = {.ep = IN, .interval = 3};
	struct usb_dev *d = hid_new(kind, USB_SPEED_FULL);

	hid_configure(d, 1);
	d->ops->ep_enable(d, &info);
	assert_int_equal(fake_control(d, SET, SET_IDLE, 0, 0, NULL, 0), 0);
	clock_to(timers.now + MS); /* the first service interval */
	return d;
}

static inline void hid_down(struct usb_dev *d)
{
	d->ops->free(d);
	assert_true(clock_deadline() == UINT64_MAX);
}

static inline struct fake_xfer *hid_poll(struct usb_dev *d)
{
	struct fake_xfer *f = fake_xfer(IN, NULL, ROOM, 0);

	f->x.type = USB_INTERRUPT;
	fake_submit(d, f);
	return f;
}

/* It has not ended; it is taken back. */
static inline void hid_unpoll(struct usb_dev *d, struct fake_xfer *f)
{
	assert_false(f->done);
	d->ops->cancel(d, &f->x);
	assert_ended(f, USB_CANCELLED, 0);
	fake_xfer_free(f);
}

/* A transfer, a service interval later: its length and bytes, or -1: none. */
static inline int hid_read(struct usb_dev *d, uint8_t *buf)
{
	struct fake_xfer *f = hid_poll(d);
	int n = -1;

	clock_to(timers.now + MS);
	if (!f->done) {
		hid_unpoll(d, f);
		return n;
	}
	assert_int_equal(f->x.status, USB_OK);
	n = (int)f->x.actual;
	memcpy(buf, f->mem, (size_t)n);
	fake_xfer_free(f);
	return n;
}

/* The next report is these bytes. */
#define assert_report(d, ...)                                 \
	do {                                                  \
		const uint8_t want_[] = {__VA_ARGS__};        \
		uint8_t got_[ROOM];                           \
		int n_ = hid_read(d, got_);                   \
		assert_int_equal(n_, sizeof(want_));          \
		assert_memory_equal(got_, want_, (size_t)n_); \
	} while (0)
#define assert_no_report(d)                              \
	do {                                             \
		uint8_t got_[ROOM];                      \
		assert_int_equal(hid_read(d, got_), -1); \
	} while (0)

#endif
