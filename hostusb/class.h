/* SPDX-License-Identifier: BSD-2-Clause */
/* class.h - what people call USB classes: names for lists and logs. */
#ifndef HOSTUSB_CLASS_H
#define HOSTUSB_CLASS_H

#include "hostusb/info.h"

/*
 * usb_class_name - the defined class codes of the USB-IF ("mass storage UAS",
 * "HID keyboard"), the class alone when subclass or protocol say nothing to
 * people, "class 0xNN" in @buf (at least 16 bytes) when it is not one.
 */
const char *usb_class_name(uint8_t cls, uint8_t subclass, uint8_t protocol,
			   char *buf, size_t len);

/* "low", "full", "high", "super", "super+", "unknown" */
const char *usb_speed_name(enum usb_speed speed);

#endif
