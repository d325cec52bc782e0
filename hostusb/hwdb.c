/* SPDX-License-Identifier: BSD-2-Clause */
/* hwdb.c - names of devices that have none of their own, from udev */
#include "hostusb/discover.h"

#ifdef HAVE_LIBUDEV

#include <libudev.h>
#include <stdio.h>
#include <string.h>

static void take_name(char *dst, const char *text)
{
	if (!dst[0] && text)
		discover_text(dst, USB_TEXT, text, strlen(text));
}

/* What udev noted when the device appeared: its rules may know better. */
static void names_of_device(struct udev *u, struct usb_info *i)
{
	struct udev_device *d;
	char name[32];

	usb_path_name(i, name, sizeof(name));
	d = udev_device_new_from_subsystem_sysname(u, "usb", name);
	if (!d)
		return;
	take_name(i->manufacturer,
		  udev_device_get_property_value(d, "ID_VENDOR_FROM_DATABASE"));
	take_name(i->product,
		  udev_device_get_property_value(d, "ID_MODEL_FROM_DATABASE"));
	udev_device_unref(d);
}

static void names_of_database(struct udev *u, struct usb_info *i)
{
	struct udev_list_entry *all, *e;
	struct udev_hwdb *db = udev_hwdb_new(u);
	char modalias[32];

	if (!db)
		return;
	snprintf(modalias, sizeof(modalias), "usb:v%04Xp%04X*", i->vid, i->pid);
	all = udev_hwdb_get_properties_list_entry(db, modalias, 0);
	e = udev_list_entry_get_by_name(all, "ID_VENDOR_FROM_DATABASE");
	take_name(i->manufacturer, e ? udev_list_entry_get_value(e) : NULL);
	e = udev_list_entry_get_by_name(all, "ID_MODEL_FROM_DATABASE");
	take_name(i->product, e ? udev_list_entry_get_value(e) : NULL);
	udev_hwdb_unref(db);
}

void discover_names(struct usb_info *i)
{
	struct udev *u;

	if (i->manufacturer[0] && i->product[0])
		return;
	u = udev_new();
	if (!u)
		return;
	names_of_device(u, i);
	if (!i->manufacturer[0] || !i->product[0])
		names_of_database(u, i);
	udev_unref(u);
}

#else

void discover_names(struct usb_info *i)
{
	(void)i;
}

#endif
