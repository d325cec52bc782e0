/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostusb/discover.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libusb.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define USB_DIR "bus/usb/devices" /* below /sys */
/* 126 UTF-16 units (USB 2.0 §9.6.7) are not more than this in UTF-8 */
#define MAX_STRING 512u

#define SPEED_20_GBIT ((int)LIBUSB_SPEED_SUPER_PLUS + 1)

static enum usb_speed speed_of(struct libusb_device *dev)
{
	switch (libusb_get_device_speed(dev)) {
	case LIBUSB_SPEED_LOW:
		return USB_SPEED_LOW;
	case LIBUSB_SPEED_FULL:
		return USB_SPEED_FULL;
	case LIBUSB_SPEED_HIGH:
		return USB_SPEED_HIGH;
	case LIBUSB_SPEED_SUPER:
		return USB_SPEED_SUPER;
	case LIBUSB_SPEED_UNKNOWN:
		return USB_SPEED_NONE;
	default: /* 10 Gbit/s; a newer libusb has one more, for 20 */
		return libusb_get_device_speed(dev) == SPEED_20_GBIT
			       ? USB_SPEED_SUPER_PLUS_BY2
			       : USB_SPEED_SUPER_PLUS;
	}
}

static bool has_iface(const struct usb_info *i, uint8_t number)
{
	for (unsigned n = 0; n < i->nifaces; n++)
		if (i->iface[n].number == number)
			return true;
	return false;
}

/* One bInterfaceNumber; a second claim to the same one is not believed. */
static void add_iface(struct usb_info *i, const struct libusb_interface *in)
{
	const unsigned room = sizeof(i->iface) / sizeof(i->iface[0]);
	const struct libusb_interface_descriptor *alt;
	struct usb_iface_info *f;

	if (!in->altsetting || in->num_altsetting <= 0)
		return;
	alt = &in->altsetting[0];
	for (int a = 1; a < in->num_altsetting && alt->bAlternateSetting; a++)
		if (!in->altsetting[a].bAlternateSetting)
			alt = &in->altsetting[a];
	if (i->nifaces >= room || has_iface(i, alt->bInterfaceNumber))
		return;
	f = &i->iface[i->nifaces++];
	memset(f, 0, sizeof(*f));
	f->number = alt->bInterfaceNumber;
	f->cls = alt->bInterfaceClass;
	f->subclass = alt->bInterfaceSubClass;
	f->protocol = alt->bInterfaceProtocol;
}

/* The interfaces; returns bConfigurationValue, 0 if there is none. */
static uint8_t read_config(struct libusb_device *dev, struct usb_info *i)
{
	struct libusb_config_descriptor *c = NULL;
	uint8_t value;

	if (libusb_get_active_config_descriptor(dev, &c) != 0 || !c)
		return 0;
	for (unsigned n = 0; c->interface && n < c->bNumInterfaces; n++)
		add_iface(i, &c->interface[n]);
	value = c->bConfigurationValue;
	libusb_free_config_descriptor(c);
	return value;
}

#ifdef __linux__

/* The first MAX_STRING bytes of a file of @dir; the number of bytes or -errno */
static ssize_t read_attr(const char *dir, const char *name, char *buf)
{
	char path[PATH_MAX];
	ssize_t n;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s", dir, name) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, MAX_STRING);
	if (n < 0)
		n = -errno;
	close(fd);
	return n;
}

static void read_text(const char *dir, const char *name, char *dst)
{
	char buf[MAX_STRING];
	ssize_t n = read_attr(dir, name, buf);

	if (n > 0)
		discover_text(dst, USB_TEXT, buf, (size_t)n);
}

static bool attr_is(const char *dir, const char *name, unsigned want)
{
	char buf[MAX_STRING + 1];
	ssize_t n = read_attr(dir, name, buf);

	if (n <= 0)
		return false;
	buf[n] = '\0';
	return strtoul(buf, NULL, 10) == want;
}

static bool is_device_dir(const char *dir, const struct usb_info *i)
{
	return attr_is(dir, "busnum", i->bus) &&
	       attr_is(dir, "devnum", i->addr);
}

/* "1-2.3" -> 2, 3. False, and no path, for what is no device's name */
static bool parse_path(const char *name, struct usb_info *i)
{
	const char *c = strchr(name, '-');
	uint8_t n = 0;

	i->npath = 0;
	if (!c || strchr(name, ':'))
		return false;
	while (*c && n < USB_MAX_DEPTH) {
		char *end;
		unsigned long port = strtoul(c + 1, &end, 10);

		if (end == c + 1 || port == 0 || port > UINT8_MAX)
			return false;
		i->path[n++] = (uint8_t)port;
		c = end;
	}
	if (*c)
		return false;
	i->npath = n;
	return true;
}

/*
 * The folder of the device at @i's bus and address, for one of which libusb
 * knows no path (a descriptor that was handed over); fills in the path.
 */
static int search_dir(struct usb_info *i, const char *all, char *dir,
		      size_t len)
{
	int err = -ENODEV;
	struct dirent *e;
	DIR *d = opendir(all);

	if (!d)
		return -errno;
	while (err && (e = readdir(d))) {
		if (e->d_name[0] == '.' || strchr(e->d_name, ':'))
			continue;
		if (snprintf(dir, len, "%s/%s", all, e->d_name) >= (int)len ||
		    !is_device_dir(dir, i))
			continue;
		parse_path(e->d_name, i);
		err = 0;
	}
	closedir(d);
	return err;
}

/* 0, -ENODEV (gone), or another -errno: there is no sysfs to look into */
static int find_dir(struct usb_info *i, const char *sys, char *dir, size_t len)
{
	char name[32], all[PATH_MAX - 64];

	if (snprintf(all, sizeof(all), "%s/" USB_DIR, sys) >=
		    (int)sizeof(all) ||
	    access(all, X_OK) != 0)
		return -ENOENT;
	snprintf(dir, len, "%s/%s", all, usb_path_name(i, name, sizeof(name)));
	if (is_device_dir(dir, i))
		return 0;
	return i->npath ? -ENODEV : search_dir(i, all, dir, len);
}

static void read_driver(const char *dir, uint8_t config,
			struct usb_iface_info *f)
{
	const char *name = strrchr(dir, '/') + 1, *base;
	char path[PATH_MAX], to[PATH_MAX];
	ssize_t n;

	if (snprintf(path, sizeof(path), "%s/%s:%u.%u/driver", dir, name,
		     config, f->number) >= (int)sizeof(path))
		return;
	n = readlink(path, to, sizeof(to) - 1);
	if (n <= 0)
		return;
	to[n] = '\0';
	base = strrchr(to, '/');
	base = base ? base + 1 : to;
	discover_text(f->driver, sizeof(f->driver), base, strlen(base));
}

/* What sysfs knows, if there is one. Returns 0 or -ENODEV. */
static int read_sysfs(struct usb_info *i, const char *sys, uint8_t config)
{
	char dir[PATH_MAX];
	int err = find_dir(i, sys, dir, sizeof(dir));

	if (err)
		return err == -ENODEV ? err : 0;
	read_text(dir, "manufacturer", i->manufacturer);
	read_text(dir, "product", i->product);
	read_text(dir, "serial", i->serial);
	for (unsigned n = 0; n < i->nifaces; n++)
		read_driver(dir, config, &i->iface[n]);
	return 0;
}

#else /* no sysfs */

static int read_sysfs(struct usb_info *i, const char *sys, uint8_t config)
{
	(void)i;
	(void)sys;
	(void)config;
	return 0;
}

#endif

int discover_info(struct libusb_device *dev, struct usb_info *ret)
{
	return discover_info_at(dev, "/sys", ret);
}

int discover_info_at(struct libusb_device *dev, const char *sys,
		     struct usb_info *ret)
{
	struct libusb_device_descriptor d;
	struct usb_info i = {0};
	uint8_t config;
	int n, err;

	if (libusb_get_device_descriptor(dev, &d) != 0)
		return -EIO;
	i.bus = libusb_get_bus_number(dev);
	i.addr = libusb_get_device_address(dev);
	n = libusb_get_port_numbers(dev, i.path, USB_MAX_DEPTH);
	i.npath = n > 0 ? (uint8_t)n : 0;
	i.speed = speed_of(dev);
	i.vid = d.idVendor;
	i.pid = d.idProduct;
	i.bcd_device = d.bcdDevice;
	i.cls = d.bDeviceClass;
	i.subclass = d.bDeviceSubClass;
	i.protocol = d.bDeviceProtocol;
	config = read_config(dev, &i);
	err = read_sysfs(&i, sys, config);
	if (err)
		return err;
	*ret = i;
	return 0;
}

static void ask_string(libusb_device_handle *h, uint8_t index, char *dst)
{
	unsigned char buf[MAX_STRING];
	int n;

	if (!index || dst[0])
		return;
	n = libusb_get_string_descriptor_ascii(h, index, buf, sizeof(buf));
	if (n > 0)
		discover_text(dst, USB_TEXT, (const char *)buf, (size_t)n);
}

void discover_strings(struct libusb_device *dev, struct usb_info *i)
{
	struct libusb_device_descriptor d;
	libusb_device_handle *h;

	if (libusb_get_device_descriptor(dev, &d) != 0 ||
	    libusb_open(dev, &h) != 0)
		return;
	ask_string(h, d.iManufacturer, i->manufacturer);
	ask_string(h, d.iProduct, i->product);
	ask_string(h, d.iSerialNumber, i->serial);
	libusb_close(h);
}
