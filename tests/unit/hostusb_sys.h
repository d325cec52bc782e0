/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostusb_sys.h - a folder for a test, and a /sys in it with a disk at 9-1.2.
 */
#ifndef TESTS_UNIT_HOSTUSB_SYS_H
#define TESTS_UNIT_HOSTUSB_SYS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostusb/owner.h"
#include "hostusb/watcher.h"

static const struct usb_info disk = {
	.bus = 9,
	.addr = 3,
	.path = {1, 2},
	.npath = 2,
	.vid = 0x1234,
	.pid = 0x5678,
	.nifaces = 2,
	.iface = {{0, 8, 6, 0x50, "usb-storage"}, {1, 3, 0, 0, "usbhid"}}};
static char dir[64];
static inline int remove_one(const char *path, const struct stat *st, int flag,
			     struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static inline int make_dir(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/vxhci-watcher-XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static inline int remove_dir(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static inline void say(const char *path, const char *line)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644);

	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		_exit(9);
	close(fd);
}

static inline void put(const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	for (char *c = path + 1; *c; c++)
		if (*c == '/') {
			*c = '\0';
			mkdir(path, 0755);
			*c = '/';
		}
	unlink(path);
	if (text)
		say(path, text);
}

static inline void put_driver(const char *iface, const char *name)
{
	char path[256], to[64];

	put(iface, NULL);
	snprintf(path, sizeof(path), "%s/%s", dir, iface);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%s/driver", dir, iface);
	snprintf(to, sizeof(to), "../drivers/%s", name);
	unlink(path);
	if (name[0])
		assert_int_equal(symlink(to, path), 0);
}

static inline void expect_file(const char *file, const char *want)
{
	char path[256], buf[64];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	n = read(fd, buf, sizeof(buf) - 1);
	close(fd);
	assert_true(n >= 0);
	buf[n] = '\0';
	assert_string_equal(buf, want);
}

#define DISK "bus/usb/devices/9-1.2/"

/* The disk, without drivers; no node, as for one who may not open it */
static inline struct watcher_note put_disk(void)
{
	struct watcher_note n = {.bus = 9,
				 .path = {1, 2},
				 .npath = 2,
				 .vid = 0x1234,
				 .pid = 0x5678,
				 .ifaces = 1};

	put(DISK "devnum", "5\n");
	put(DISK "idVendor", "1234\n");
	put(DISK "idProduct", "5678\n");
	put(DISK "bConfigurationValue", "1\n");
	put_driver(DISK "9-1.2:1.0", "");
	put_driver(DISK "9-1.2:1.1", "");
	put("bus/usb/drivers_probe", "");
	put("bus/usb/drivers/usb-storage/bind", "");
	return n;
}

#endif
