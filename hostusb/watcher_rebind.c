/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watcher_rebind.c - what the watcher does with a device, without libusb: the
 * host's drivers on it again, its node open.
 */
#include "hostusb/watcher.h"

#include <errno.h>

#ifdef __linux__

#include <fcntl.h>
#include <linux/usbdevice_fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "hostusb/discover.h"
#include "hostusb/owner.h"

#define MAX_PATH 384u
#define USB_MAJOR 189u /* of usbfs's nodes */

/* The device as sysfs has it */
struct target {
	const char *sys;
	char name[32];      /* "1-2.3" */
	char dir[MAX_PATH]; /* its folder */
	unsigned config;    /* the current one */
	long addr;
	int fd; /* its node, or -1 */
};

/* A file of the device; the number of its bytes, less than @len, or -1 */
static ssize_t read_text(const struct target *t, const char *attr, char *buf,
			 size_t len)
{
	char path[MAX_PATH + 32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", t->dir, attr);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	n = read(fd, buf, len - 1);
	close(fd);
	if (n >= 0)
		buf[n] = '\0';
	return n;
}

/* A number in a file of the device, or -1 */
static long read_number(const struct target *t, const char *attr, int base)
{
	char buf[16];

	if (read_text(t, attr, buf, sizeof(buf)) <= 0)
		return -1;
	return strtol(buf, NULL, base);
}

static int write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Is the device that was noted in its place still? */
static int find_target(const struct watcher_note *n, const char *sys,
		       struct target *t)
{
	struct usb_info i = {.bus = n->bus, .npath = n->npath};
	long config;

	t->fd = -1;
	if (!n->npath || n->npath > USB_MAX_DEPTH)
		return -ENODEV;
	memcpy(i.path, n->path, sizeof(i.path));
	usb_path_name(&i, t->name, sizeof(t->name));
	t->sys = sys;
	if (snprintf(t->dir, sizeof(t->dir), "%s/bus/usb/devices/%s", sys,
		     t->name) >= (int)sizeof(t->dir))
		return -ENAMETOOLONG;
	t->addr = read_number(t, "devnum", 10);
	if (t->addr < 0 || read_number(t, "idVendor", 16) != n->vid ||
	    read_number(t, "idProduct", 16) != n->pid)
		return -ENODEV;
	config = read_number(t, "bConfigurationValue", 10);
	t->config = config > 0 ? (unsigned)config : 0;
	return 0;
}

static int open_node(const struct target *t, unsigned bus, const char *dev)
{
	char node[MAX_PATH];

	snprintf(node, sizeof(node), "%s/bus/usb/%03u/%03ld", dev, bus,
		 t->addr);
	return open(node, O_RDWR | O_CLOEXEC);
}

static int set_config(struct target *t, uint8_t config)
{
	char path[MAX_PATH + 32], text[8];
	unsigned value = config;
	int err = -ENODEV;

	if (t->fd >= 0)
		err = ioctl(t->fd, USBDEVFS_SETCONFIGURATION, &value) < 0
			      ? -errno
			      : 0;
	if (err && err != -EBUSY) {
		/* the other way in, for root */
		snprintf(path, sizeof(path), "%s/bConfigurationValue", t->dir);
		snprintf(text, sizeof(text), "%u", config);
		err = write_file(path, text);
	}
	if (!err)
		t->config = config;
	return err;
}

/*
 * 0: it has a driver, whose name is in @name (NULL: never mind), "" if it is too
 * long; -EBUSY: that is usbfs; -ENOENT: none; -ENODEV: gone
 */
static int find_driver(const struct target *t, const char *iface, char *name,
		       size_t len)
{
	char path[MAX_PATH + 64], to[MAX_PATH];
	const char *base;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", t->dir, iface);
	if (access(path, F_OK) != 0)
		return -ENODEV;
	snprintf(path, sizeof(path), "%s/%s/driver", t->dir, iface);
	n = readlink(path, to, sizeof(to) - 1);
	if (n < 0)
		return -ENOENT;
	to[n] = '\0';
	base = strrchr(to, '/');
	base = base ? base + 1 : to;
	if (name)
		memcpy(name, strlen(base) < len ? base : "",
		       strlen(base) < len ? strlen(base) + 1 : 1);
	return strcmp(base, "usbfs") ? 0 : -EBUSY;
}

static void iface_name(const struct target *t, unsigned number, char *buf,
		       size_t len)
{
	snprintf(buf, len, "%s:%u.%u", t->name, t->config, number);
}

void watcher_see(struct watcher_note *n, const char *sys)
{
	uint32_t there = 0;
	struct target t;
	char iface[48];

	if (find_target(n, sys, &t) != 0) {
		n->ifaces = n->config = 0;
		return;
	}
	for (uint8_t k = 0; k < 32; k++) {
		n->driver[k][0] = '\0';
		iface_name(&t, k, iface, sizeof(iface));
		if (n->ifaces & UINT32_C(1) << k &&
		    find_driver(&t, iface, n->driver[k],
				sizeof(n->driver[k])) == 0)
			there |= UINT32_C(1) << k;
	}
	n->ifaces = there;
	if (n->config)
		n->config = (uint8_t)t.config;
}

/* The one of before; its folder is in the driver's only for who may do that */
static int bind_driver(const struct target *t, const char *iface,
		       const char *driver)
{
	char path[MAX_PATH];

	if (!driver[0] || strchr(driver, '/'))
		return -ENOENT;
	snprintf(path, sizeof(path), "%s/bus/usb/drivers/%s/bind", t->sys,
		 driver);
	return write_file(path, iface);
}

/* Have the kernel look for one: by the node, or the other way, for root */
static int probe_iface(const struct target *t, const char *iface,
		       uint8_t number)
{
	struct usbdevfs_ioctl cmd = {.ifno = number,
				     .ioctl_code = USBDEVFS_CONNECT};
	char path[MAX_PATH];
	int err = -EACCES;

	if (t->fd >= 0)
		err = ioctl(t->fd, USBDEVFS_IOCTL, &cmd) < 0 ? -errno : 0;
	if (err && find_driver(t, iface, NULL, 0) == -ENOENT) {
		snprintf(path, sizeof(path), "%s/bus/usb/drivers_probe",
			 t->sys);
		err = write_file(path, iface);
	}
	return err;
}

static int bind_iface(const struct target *t, uint8_t number,
		      const char *driver)
{
	char iface[48];
	int err;

	iface_name(t, number, iface, sizeof(iface));
	err = find_driver(t, iface, NULL, 0);
	if (err != -ENOENT)
		return err == -ENODEV ? 0 : err;
	if (bind_driver(t, iface, driver) == 0)
		return 0;
	err = probe_iface(t, iface, number);
	return err == -EBUSY && find_driver(t, iface, NULL, 0) == 0 ? 0 : err;
}

/* All that can be; -EBUSY if that is worth another try */
static int bind_ifaces(const struct target *t, const struct watcher_note *n)
{
	int ret = 0;

	for (uint8_t k = 0; k < 32; k++) {
		int err;

		if (!(n->ifaces & UINT32_C(1) << k))
			continue;
		err = bind_iface(t, k, n->driver[k]);
		if (err && ret != -EBUSY)
			ret = err;
	}
	return ret;
}

int watcher_rebind(const struct watcher_note *n, const char *sys,
		   const char *dev)
{
	struct usb_info i = {.bus = n->bus, .npath = n->npath};
	struct target t;
	int err = find_target(n, sys, &t);

	if (err)
		return err;
	memcpy(i.path, n->path, sizeof(i.path));
	if (owner_find(&i, NULL, 0))
		return -EBUSY;             /* whose business it is now */
	t.fd = open_node(&t, n->bus, dev); /* if we may */
	if (n->config && n->config != t.config)
		err = set_config(&t, n->config);
	/* without its configuration there are other interfaces, or none */
	if (!err)
		err = bind_ifaces(&t, n);
	if (t.fd >= 0)
		close(t.fd);
	return err;
}

/* What a rule may ask for, and whether it is a hub */
static void read_info(const struct target *t, const struct watcher_note *n,
		      struct usb_info *i)
{
	char text[4 * USB_TEXT];
	long cls = read_number(t, "bDeviceClass", 16);
	ssize_t len = read_text(t, "serial", text, sizeof(text));

	*i = (struct usb_info){.bus = n->bus,
			       .addr = (uint8_t)t->addr,
			       .npath = n->npath,
			       .vid = n->vid,
			       .pid = n->pid,
			       .cls = cls < 0 ? 9 : (uint8_t)cls};
	memcpy(i->path, n->path, sizeof(i->path));
	discover_text(i->serial, sizeof(i->serial), text,
		      len > 0 ? (size_t)len : 0);
}

static bool is_allowed(const struct watcher_policy *p, const struct usb_info *i)
{
	if (usb_denied(i))
		return false;
	for (unsigned k = 0; !p->any && k < p->n; k++)
		if (usb_match_info(&p->allowed[k], i))
			return true;
	return p->any;
}

int watcher_open_node(const struct watcher_note *n,
		      const struct watcher_policy *p, const char *sys,
		      const char *dev)
{
	struct usb_info i;
	struct target t;
	struct stat st;
	int err = find_target(n, sys, &t);

	if (err)
		return err;
	read_info(&t, n, &i);
	if (!is_allowed(p, &i))
		return -EPERM;
	t.fd = open_node(&t, n->bus, dev);
	if (t.fd < 0)
		return -errno;
	if (fstat(t.fd, &st) == 0 && S_ISCHR(st.st_mode) &&
	    major(st.st_rdev) == USB_MAJOR)
		return t.fd;
	close(t.fd);
	return -ENODEV;
}

void watcher_policy_resolve(struct watcher_policy *p,
			    const struct watcher_note *n, const char *sys)
{
	struct target t;

	if (p->any || find_target(n, sys, &t) != 0)
		return;
	for (unsigned k = 0; k < p->n; k++) {
		struct usb_match *m = &p->allowed[k];

		if (m->kind != MATCH_ADDR || m->bus != n->bus ||
		    m->addr != t.addr)
			continue;
		m->kind = MATCH_PATH;
		m->npath = n->npath;
		memcpy(m->path, n->path, sizeof(m->path));
	}
}

#else

int watcher_open_node(const struct watcher_note *n,
		      const struct watcher_policy *p, const char *sys,
		      const char *dev)
{
	(void)n;
	(void)p;
	(void)sys;
	(void)dev;
	return -ENOTSUP;
}

void watcher_see(struct watcher_note *n, const char *sys)
{
	(void)n;
	(void)sys;
}

void watcher_policy_resolve(struct watcher_policy *p,
			    const struct watcher_note *n, const char *sys)
{
	(void)p;
	(void)n;
	(void)sys;
}

int watcher_rebind(const struct watcher_note *n, const char *sys,
		   const char *dev)
{
	(void)n;
	(void)sys;
	(void)dev;
	return -ENOTSUP;
}

#endif
