/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * info.h - what is known of a device of the host, and what a user's words
 * mean: which device they name, and whether it may be passed through.
 */
#ifndef HOSTUSB_INFO_H
#define HOSTUSB_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/usb.h"

#define USB_MAX_DEPTH \
	7u /* ports in a path: hubs nest to five, USB 2.0 §4.1.1 */
#define USB_TEXT 128u

/* One interface of the current configuration, alternate setting 0 */
struct usb_iface_info {
	uint8_t number;
	uint8_t cls, subclass, protocol;
	char driver[32]; /* kernel driver bound now, "" if none */
};

struct usb_info {
	uint8_t bus, addr;
	uint8_t path[USB_MAX_DEPTH]; /* ports from the root hub down */
	uint8_t npath;               /* 0: a root hub */
	enum usb_speed speed;
	uint16_t vid, pid, bcd_device;
	uint8_t cls, subclass, protocol;
	char manufacturer[USB_TEXT], product[USB_TEXT]; /* UTF-8, escaped */
	char serial[USB_TEXT];
	uint8_t nifaces;
	struct usb_iface_info iface[32];
};

/* Which device: by address (resolved to its path once), path or id */
struct usb_match {
	enum { MATCH_ADDR, MATCH_PATH, MATCH_BELOW, MATCH_ID } kind;
	uint8_t bus, addr;
	uint8_t path[USB_MAX_DEPTH];
	uint8_t npath;
	uint16_t vid, pid;
	char serial[USB_TEXT]; /* MATCH_ID: "" is any */
};

/* Pure: does @m name the device? MATCH_BELOW: it, or what hangs below it. */
bool usb_match_info(const struct usb_match *m, const struct usb_info *i);
/* "1-2.3", as the kernel names it; @buf at least 32 bytes */
const char *usb_path_name(const struct usb_info *i, char *buf, size_t len);
/*
 * Pure: why a device may not be passed through, whatever the rule says ("a
 * hub: name the devices behind it"), or NULL.
 */
const char *usb_denied(const struct usb_info *i);

#endif
