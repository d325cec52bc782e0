/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * discover.h - what can be known of the host's USB devices without opening
 * them: descriptors as libusb has them, strings and kernel drivers from sysfs
 * (Linux), names from udev's hardware database.
 *
 * What a device says of itself is not trusted: arrays are bounded, text comes
 * out as valid UTF-8 with nothing in it that a terminal acts on.
 */
#ifndef HOSTUSB_DISCOVER_H
#define HOSTUSB_DISCOVER_H

#include "hostusb/info.h"

struct libusb_device;

/*
 * discover_info - fill *@ret for @dev. Neither opens the device nor sends it
 * anything: quick enough for an event loop, any thread. Where there is no
 * sysfs (FreeBSD) strings and drivers stay empty: see discover_strings().
 * An unconfigured device, or one whose configuration cannot be parsed, has no
 * interfaces. A device behind a descriptor that was handed over has its path
 * from sysfs; without it npath is 0. Returns 0, or -errno (-ENODEV: gone).
 */
int discover_info(struct libusb_device *dev, struct usb_info *ret);
/* For tests: the same with what is /sys mounted at @sys */
int discover_info_at(struct libusb_device *dev, const char *sys,
		     struct usb_info *ret);

/*
 * discover_strings - ask the device itself for the strings that are empty.
 * Opens it and blocks, seconds at worst: for the worker and for commands.
 * Strings it does not give stay empty.
 */
void discover_strings(struct libusb_device *dev, struct usb_info *i);

/*
 * discover_names - fill an empty manufacturer or product from udev's hardware
 * database. Does nothing in a build without libudev. Reads files: not for an
 * event loop.
 */
void discover_names(struct usb_info *i);

/*
 * discover_text - copy @n bytes of @src to @dst: blanks at both ends go, and
 * what is not UTF-8, or is a control or formatting character, becomes \xNN.
 * Cut at a whole character; @len is at least 1. Returns @dst.
 */
char *discover_text(char *dst, size_t len, const char *src, size_t n);

enum discover_state { DISCOVER_AVAILABLE, DISCOVER_DENIED, DISCOVER_IN_USE };

/* One device of the list, with whether it can be passed through now */
struct discover_entry {
	struct usb_info info;
	enum discover_state state;
	char owner[128];  /* DISCOVER_IN_USE: who has it */
	char reason[384]; /* why not: what to do; "" when available */
};

/*
 * discover_list - the host's devices without its root hubs, ordered by bus and
 * port path. No USB on the machine is an empty list and no error. Blocks; has
 * a libusb context of its own. *@ret_list is the caller's to free(), NULL when
 * empty. Returns 0, or -errno with one line in @err.
 */
int discover_list(struct discover_entry **ret_list, size_t *ret_n, char *err,
		  size_t errlen);

#endif
