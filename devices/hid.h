/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hid.h - the built-in keyboard, mouse and tablet (HID 1.11).
 *
 * What the program does with one of them is kept in order until the guest has
 * taken it, a report each. Only moves that follow each other become one, and
 * only while they wait. A queue that is nearly full takes no more presses and
 * wheel steps, but releases and moves always: no key stays down.
 *
 * All of it runs on the controller's thread.
 */
#ifndef DEVICES_HID_H
#define DEVICES_HID_H

#include "pmapper/pmapper.h"

enum hid_kind { HID_KEYBOARD, HID_MOUSE, HID_TABLET, HID_NKINDS };

#define HID_ABS_MAX 32767 /* the tablet's right and lower edge */
#define HID_REL_MAX 32767 /* the longest way in one move */
#define HID_WHEEL_MAX 127 /* steps at once */
#define HID_BUTTONS 5u    /* left, right, middle, side, extra */

/* Usages of page 7 that are keys, HID Usage Tables §10 */
#define HID_KEY_FIRST 0x04u
#define HID_KEY_LAST 0xe7u

/*
 * hid_open - a device at @speed (USB_SPEED_LOW to _SUPER), ready for
 * pmapper_attach(). Returns 0 and the device, owned by the caller until it is
 * attached and freed through dev->ops->free(); -EINVAL (the speed) or -ENOMEM
 * and in @err one line "what is wrong: what to do".
 */
int hid_open(enum hid_kind kind, enum usb_speed speed, struct usb_dev **ret_dev,
	     char *err, size_t errlen);
/* Whether @d is one of these, and which. */
bool hid_is(const struct usb_dev *d, enum hid_kind *ret_kind);

/*
 * Input. 0: taken, or nothing new. -EINVAL: out of range, or not what this
 * kind of device does. -EAGAIN: the guest is too far behind, nothing has
 * changed. -ENOTCONN: the guest does not listen (no driver, or not for half a
 * minute, or it has suspended the device without wakeup). What is held down
 * and the tablet's position are known then, and told when it does listen; the
 * rest is gone.
 */
int hid_key(struct usb_dev *d, unsigned usage, bool down);
int hid_button(struct usb_dev *d, unsigned button, bool down); /* from 0 */
int hid_move_abs(struct usb_dev *d, int x, int y);   /* 0..HID_ABS_MAX */
int hid_move_rel(struct usb_dev *d, int dx, int dy); /* +-HID_REL_MAX */
/* @up: steps away from the person; @right: sideways. +-HID_WHEEL_MAX */
int hid_wheel(struct usb_dev *d, int up, int right);

/*
 * The keyboard's lights, a bit each: NUM, CAPS, SCROLL LOCK, COMPOSE, KANA.
 * @changed, which may be NULL, is told when they change.
 */
typedef void hid_leds_fn(void *opaque, struct usb_dev *d, uint8_t leds);
void hid_on_leds(struct usb_dev *d, hid_leds_fn *changed, void *opaque);
uint8_t hid_leds(const struct usb_dev *d);

#endif
