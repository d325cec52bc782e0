/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/manage_host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "hostusb/discover.h"

#define MAX_DEPTH 8u /* of disks made of disks */
#define IFF_UP_BIT 1u

/*
 * A call failed: is what it asked for simply not there? What else keeps us from
 * finding out does not make a disk one that the host can do without.
 */
static bool is_absent(void)
{
	return errno == ENOENT || errno == ENOTDIR;
}

/* Is @path, all links followed, in the folder @dir? */
static bool is_in(const char *path, const char *dir)
{
	char real[PATH_MAX];
	size_t n = strlen(dir);

	if (!realpath(path, real))
		return !is_absent();
	return strncmp(real, dir, n) == 0 && real[n] == '/';
}

/* Is the block device in /sys at @path, or one that it is made of, in @dir? */
static bool disk_is_in(const char *path, const char *dir, unsigned depth)
{
	char slaves[PATH_MAX], one[PATH_MAX];
	bool found = is_in(path, dir);
	struct dirent *e;
	DIR *d;

	if (found || depth == MAX_DEPTH ||
	    snprintf(slaves, sizeof(slaves), "%s/slaves", path) >=
		    (int)sizeof(slaves))
		return found;
	d = opendir(slaves);
	if (!d)
		return !is_absent();
	while (d && !found && (e = readdir(d))) {
		if (e->d_name[0] == '.' ||
		    snprintf(one, sizeof(one), "%s/%s", slaves, e->d_name) >=
			    (int)sizeof(one))
			continue;
		found = disk_is_in(one, dir, depth + 1);
	}
	closedir(d);
	return found;
}

static bool rdev_is_in(dev_t dev, const char *sys, const char *dir)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/dev/block/%u:%u", sys, major(dev),
		 minor(dev));
	return disk_is_in(path, dir, 0);
}

/* "A" of " - TYPE A OPTIONS", where the device is named, or "" */
static void mount_source(char *line, char *to, size_t len)
{
	char *s = strstr(line, " - "), *save = NULL;

	to[0] = '\0';
	if (!s || !strtok_r(s + 3, " \n", &save))
		return;
	s = strtok_r(NULL, " \n", &save);
	if (s)
		snprintf(to, len, "%s", s);
}

/* A file system that the host needs, as /proc/self/mountinfo has it */
static bool mount_is_needed(const char *line)
{
	static const char *const points[] = {"/",     "/usr", "/var",
					     "/boot", "/etc", "/boot/efi"};
	char point[PATH_MAX];

	if (sscanf(line, "%*s %*s %*s %*s %4095s", point) != 1)
		return false;
	for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
		if (strcmp(point, points[i]) == 0)
			return true;
	return false;
}

static bool line_is_in(char *line, const char *sys, const char *dir)
{
	char source[PATH_MAX];
	unsigned maj = 0, min = 0;
	struct stat st;

	if (!mount_is_needed(line))
		return false;
	if (sscanf(line, "%*s %*s %u:%u", &maj, &min) == 2 && maj != 0 &&
	    rdev_is_in(makedev(maj, min), sys, dir))
		return true;
	mount_source(line, source, sizeof(source));
	return stat(source, &st) == 0 && S_ISBLK(st.st_mode) &&
	       rdev_is_in(st.st_rdev, sys, dir);
}

static bool swap_is_in(char *line, const char *sys, const char *dir)
{
	struct stat st;

	line[strcspn(line, " \t\n")] = '\0';
	if (stat(line, &st) != 0)
		return false;
	return rdev_is_in(S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev, sys,
			  dir);
}

/* Does any line of the file say that the host needs a disk in @dir? */
static bool file_says(const char *proc, const char *name, const char *sys,
		      const char *dir,
		      bool (*says)(char *line, const char *sys,
				   const char *dir))
{
	char path[PATH_MAX], *line = NULL;
	bool found = false;
	size_t size = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", proc, name);
	f = fopen(path, "re");
	if (!f)
		return !is_absent();
	while (!found && getline(&line, &size, f) > 0)
		found = says(line, sys, dir);
	found |= !feof(f); /* what was not read may */
	free(line);
	fclose(f);
	return found;
}

/* Is network interface @name up? */
static bool net_is_up(const char *net, const char *name)
{
	char path[PATH_MAX], text[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s/flags", net, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return !is_absent();
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return true;
	text[n] = '\0';
	return strtoul(text, NULL, 16) & IFF_UP_BIT;
}

static bool network_is_in(const char *sys, const char *dir)
{
	char net[PATH_MAX - 300], one[PATH_MAX];
	bool found = false;
	struct dirent *e;
	DIR *d;

	snprintf(net, sizeof(net), "%s/class/net", sys);
	d = opendir(net);
	if (!d)
		return !is_absent();
	while (!found && (e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(one, sizeof(one), "%s/%s", net, e->d_name);
		found = is_in(one, dir) && net_is_up(net, e->d_name);
	}
	closedir(d);
	return found;
}

/* ".../0000:00:14.0/usb1/1-2" -> "0000:00:14.0" */
static void find_controller(const char *dir, char *to, size_t len)
{
	const char *usb = strstr(dir, "/usb"), *from;

	to[0] = '\0';
	while (usb && (usb[4] < '0' || usb[4] > '9'))
		usb = strstr(usb + 1, "/usb");
	if (!usb)
		return;
	for (from = usb; from > dir && from[-1] != '/'; from--)
		;
	if ((size_t)(usb - from) < len)
		snprintf(to, len, "%.*s", (int)(usb - from), from);
}

static bool is_vfio(const char *sys, const char *controller)
{
	char path[PATH_MAX], to[PATH_MAX];
	const char *base;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/driver", sys,
		 controller);
	n = readlink(path, to, sizeof(to) - 1);
	if (n < 0)
		return false;
	to[n] = '\0';
	base = strrchr(to, '/');
	return strcmp(base ? base + 1 : to, "vfio-pci") == 0;
}

void host_facts(struct policy_dev *d, const char *sys, const char *proc)
{
	char name[32], path[PATH_MAX], dir[PATH_MAX];

	d->used = usb_denied(&d->info) ? POLICY_HUB : 0;
	d->controller[0] = '\0';
	snprintf(path, sizeof(path), "%s/bus/usb/devices/%s", sys,
		 usb_path_name(&d->info, name, sizeof(name)));
	if (!realpath(path, dir)) {
		if (!is_absent())
			d->used |= POLICY_ROOT_DISK;
		return;
	}
	find_controller(dir, d->controller, sizeof(d->controller));
	if (d->controller[0] && is_vfio(sys, d->controller))
		d->used |= POLICY_VFIO;
	if (file_says(proc, "self/mountinfo", sys, dir, line_is_in) ||
	    file_says(proc, "swaps", sys, dir, swap_is_in))
		d->used |= POLICY_ROOT_DISK;
	if (network_is_in(sys, dir))
		d->used |= POLICY_NETWORK;
}

int host_devices(struct policy_dev **ret_list, size_t *ret_n, char *err,
		 size_t errlen)
{
	struct discover_entry *list;
	struct policy_dev *dev;
	size_t n;
	int r = discover_list(&list, &n, err, errlen);

	if (r < 0)
		return r;
	dev = calloc(n + 1, sizeof(*dev));
	for (size_t i = 0; dev && i < n; i++) {
		dev[i].info = list[i].info;
		host_facts(&dev[i], "/sys", "/proc");
	}
	free(list);
	if (!dev) {
		snprintf(err, errlen, "out of memory");
		return -ENOMEM;
	}
	*ret_list = dev;
	*ret_n = n;
	return 0;
}

int host_open(const struct usb_info *i)
{
	char node[32];
	int fd;

	snprintf(node, sizeof(node), "/dev/bus/usb/%03u/%03u", i->bus, i->addr);
	fd = open(node, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

void host_note(const struct usb_info *i, struct watcher_note *ret)
{
	*ret = (struct watcher_note){
		.bus = i->bus, .npath = i->npath, .vid = i->vid, .pid = i->pid};
	memcpy(ret->path, i->path, sizeof(ret->path));
	for (unsigned n = 0; n < i->nifaces; n++) {
		const struct usb_iface_info *f = &i->iface[n];

		if (f->number >= 32)
			continue;
		ret->ifaces |= UINT32_C(1) << f->number;
		if (strcmp(f->driver, "usbfs") != 0)
			memcpy(ret->driver[f->number], f->driver,
			       sizeof(f->driver));
	}
}
