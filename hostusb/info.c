/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostusb/info.h"

#include <stdio.h>
#include <string.h>

#define CLASS_HUB 0x09u

/* Is @m's path the first part of @i's? Lengths come from outside. */
static bool path_leads(const struct usb_match *m, const struct usb_info *i)
{
	return m->npath <= i->npath && i->npath <= USB_MAX_DEPTH &&
	       !memcmp(m->path, i->path, m->npath);
}

static bool serial_fits(const struct usb_match *m, const struct usb_info *i)
{
	return !m->serial[0] || !strncmp(m->serial, i->serial, USB_TEXT);
}

bool usb_match_info(const struct usb_match *m, const struct usb_info *i)
{
	switch (m->kind) {
	case MATCH_ADDR:
		return m->bus == i->bus && m->addr == i->addr;
	case MATCH_PATH:
		return m->bus == i->bus && m->npath == i->npath &&
		       path_leads(m, i);
	case MATCH_BELOW:
		return m->bus == i->bus && path_leads(m, i);
	case MATCH_ID:
		return m->vid == i->vid && m->pid == i->pid &&
		       serial_fits(m, i);
	}
	return false;
}

/* Some interface is a hub's: what the device's own class says is no proof */
static bool is_hub(const struct usb_info *i)
{
	const unsigned room = sizeof(i->iface) / sizeof(i->iface[0]);

	if (i->cls == CLASS_HUB)
		return true;
	for (unsigned n = 0; n < i->nifaces && n < room; n++)
		if (i->iface[n].cls == CLASS_HUB)
			return true;
	return false;
}

const char *usb_path_name(const struct usb_info *i, char *buf, size_t len)
{
	size_t at;

	if (!len)
		return buf;
	if (!i->npath || i->npath > USB_MAX_DEPTH) {
		/* a root hub, or a device whose path is not known */
		if (is_hub(i))
			snprintf(buf, len, "usb%u", i->bus);
		else
			snprintf(buf, len, "%u@%u", i->bus, i->addr);
		return buf;
	}
	at = (size_t)snprintf(buf, len, "%u-%u", i->bus, i->path[0]);
	for (unsigned n = 1; n < i->npath && at < len; n++)
		at += (size_t)snprintf(buf + at, len - at, ".%u", i->path[n]);
	return buf;
}

const char *usb_denied(const struct usb_info *i)
{
	if (!is_hub(i))
		return NULL;
	return i->npath ? "a hub: name the devices behind it"
			: "a root hub: name the devices behind it";
}
