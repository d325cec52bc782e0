/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostusb/discover.h"

#include <errno.h>
#include <libusb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hostusb/owner.h"

/* Claimed through usbfs: some program uses it, and it is not one of ours */
static bool is_claimed(const struct usb_info *i)
{
	for (unsigned n = 0; n < i->nifaces; n++)
		if (!strcmp(i->iface[n].driver, "usbfs"))
			return true;
	return false;
}

#ifdef __linux__
/* May this process open the device? False with the reason if not. */
static bool may_open(const struct usb_info *i, char *why, size_t len)
{
	char node[32];

	snprintf(node, sizeof(node), "/dev/bus/usb/%03u/%03u", i->bus, i->addr);
	if (access(node, R_OK | W_OK) == 0)
		return true;
	if (errno == ENOENT)
		snprintf(why, len,
			 "%s is not there: give this container or namespace "
			 "/dev/bus/usb",
			 node);
	else if (errno == EACCES)
		snprintf(why, len,
			 "no permission to open %s: run as root, or add the "
			 "udev rule SUBSYSTEM==\"usb\", "
			 "ATTR{idVendor}==\"%04x\", ATTR{idProduct}==\"%04x\", "
			 "GROUP=\"plugdev\", MODE=\"0660\"",
			 node, i->vid, i->pid);
	else
		snprintf(why, len, "cannot open %s: %s", node, strerror(errno));
	return false;
}
#else
static bool may_open(const struct usb_info *i, char *why, size_t len)
{
	(void)i;
	(void)why;
	(void)len;
	return true;
}
#endif

static void find_state(struct discover_entry *e)
{
	const char *denied = usb_denied(&e->info);

	e->state = DISCOVER_AVAILABLE;
	if (denied) {
		e->state = DISCOVER_DENIED;
		snprintf(e->reason, sizeof(e->reason), "%s", denied);
	} else if (owner_find(&e->info, e->owner, sizeof(e->owner))) {
		e->state = DISCOVER_IN_USE;
		snprintf(e->reason, sizeof(e->reason), "in use by %s",
			 e->owner);
	} else if (is_claimed(&e->info)) {
		e->state = DISCOVER_IN_USE;
		snprintf(e->owner, sizeof(e->owner), "another program");
		snprintf(e->reason, sizeof(e->reason),
			 "in use by another program: end it first");
	} else if (!may_open(&e->info, e->reason, sizeof(e->reason))) {
		e->state = DISCOVER_DENIED;
	}
}

static int by_path(const void *a, const void *b)
{
	const struct usb_info *x = &((const struct discover_entry *)a)->info;
	const struct usb_info *y = &((const struct discover_entry *)b)->info;
	int diff;

	if (x->bus != y->bus)
		return x->bus - y->bus;
	diff = memcmp(x->path, y->path, sizeof(x->path)); /* 0 past its end */
	return diff ? diff : x->addr - y->addr;
}

static bool is_root_hub(const struct usb_info *i)
{
	return !i->npath && usb_denied(i);
}

/* What is there of the @n devices of @devs, into @list; returns how many. */
static size_t fill_list(libusb_device **devs, size_t n,
			struct discover_entry *list)
{
	size_t used = 0;

	for (size_t k = 0; k < n; k++) {
		struct discover_entry *e = &list[used];

		/* gone meanwhile, or not to be understood: not there */
		if (discover_info(devs[k], &e->info) != 0 ||
		    is_root_hub(&e->info))
			continue;
		find_state(e);
#ifndef __linux__
		if (e->state == DISCOVER_AVAILABLE)
			discover_strings(devs[k], &e->info);
#endif
		discover_names(&e->info);
		used++;
	}
	return used;
}

static int list_context(libusb_context *ctx, struct discover_entry **ret_list,
			size_t *ret_n, char *err, size_t errlen)
{
	struct discover_entry *list = NULL;
	libusb_device **devs;
	ssize_t n = libusb_get_device_list(ctx, &devs);
	size_t used = 0;

	if (n < 0) {
		snprintf(err, errlen, "libusb: cannot list devices: %s",
			 libusb_strerror((int)n));
		return -EIO;
	}
	if (n > 0) {
		list = calloc((size_t)n, sizeof(*list));
		if (!list) {
			libusb_free_device_list(devs, 1);
			snprintf(err, errlen, "out of memory");
			return -ENOMEM;
		}
		used = fill_list(devs, (size_t)n, list);
	}
	libusb_free_device_list(devs, 1);
	if (!used) {
		free(list);
		list = NULL;
	} else {
		qsort(list, used, sizeof(*list), by_path);
	}
	*ret_list = list;
	*ret_n = used;
	return 0;
}

int discover_list(struct discover_entry **ret_list, size_t *ret_n, char *err,
		  size_t errlen)
{
	libusb_context *ctx;
	int code = libusb_init(&ctx);

	if (code) {
		snprintf(err, errlen, "libusb: cannot start: %s",
			 libusb_strerror(code));
		return code == LIBUSB_ERROR_NO_MEM ? -ENOMEM : -EIO;
	}
	code = list_context(ctx, ret_list, ret_n, err, errlen);
	libusb_exit(ctx);
	return code;
}
