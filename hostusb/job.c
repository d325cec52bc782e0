/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostusb/job.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "hostusb/watcher.h"

#define SETTLE_TRIES 10
#define SETTLE_NS 20000000 /* between them: 20 ms */
#define CLAIM_TRIES 3

static int __attribute__((format(printf, 3, 4)))
job_fail(struct job *j, int r, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(j->why, sizeof(j->why), fmt, ap);
	va_end(ap);
	return r;
}

/* The configuration as it is now; an unconfigured device has an empty one. */
static int read_config(struct job *j)
{
	struct libusb_config_descriptor *d = NULL;
	struct config *c = NULL;
	int r = libusb_get_active_config_descriptor(j->dev, &d);

	if (r == LIBUSB_ERROR_NOT_FOUND)
		r = (c = calloc(1, sizeof(*c))) ? 0 : LIBUSB_ERROR_NO_MEM;
	else if (r == 0)
		r = config_create(j->ctx, d, &c) == 0 ? 0 : LIBUSB_ERROR_NO_MEM;
	if (d)
		libusb_free_config_descriptor(d);
	if (r != 0)
		return job_fail(j, r, "its configuration cannot be read: %s",
				libusb_strerror(r));
	free(j->config);
	j->config = c;
	j->taken.config_now = c->value;
	return 0;
}

/* Away with the host's driver of interface @n; remembered for later. */
static int detach_driver(struct job *j, unsigned n)
{
	int r = libusb_kernel_driver_active(j->handle, (int)n);

	/* where it cannot be told, the claim tells */
	if (r <= 0 && r != LIBUSB_ERROR_NO_DEVICE)
		return 0;
	if (r < 0)
		return job_fail(j, r, "the driver of interface %u: %s", n,
				libusb_strerror(r));
	/* before it is done: whoever is killed between the two did not lie */
	watcher_note(j->watcher, &j->info, 1u << n);
	r = libusb_detach_kernel_driver(j->handle, (int)n);
	if (r == 0 && j->taken.config_now == j->taken.config)
		j->taken.detached |= 1u << n;
	/* no driver any more, or a program instead of one: the claim tells */
	if (r == 0 || r == LIBUSB_ERROR_NOT_FOUND ||
	    r == LIBUSB_ERROR_NOT_SUPPORTED)
		return 0;
	return job_fail(j, r, "the driver of interface %u does not let go: %s",
			n, libusb_strerror(r));
}

static void release_interfaces(struct job *j)
{
	for (unsigned n = 0; n < CONFIG_MAX_IFACES; n++)
		if (j->taken.claimed & 1u << n)
			libusb_release_interface(j->handle, (int)n);
	j->taken.claimed = 0;
}

/* A driver may come between the two: the host is still looking for one. */
static int take_interface(struct job *j, unsigned n)
{
	int r = LIBUSB_ERROR_BUSY;

	for (unsigned i = 0; r == LIBUSB_ERROR_BUSY && i < CLAIM_TRIES; i++) {
		r = detach_driver(j, n);
		if (r != 0)
			break;
		r = libusb_claim_interface(j->handle, (int)n);
	}
	return r;
}

/* Every interface of the configuration, one by one */
static int take_interfaces(struct job *j)
{
	int r = read_config(j);

	for (unsigned n = 0; r == 0 && n < CONFIG_MAX_IFACES; n++) {
		if (!(j->config->ifaces & 1u << n))
			continue;
		r = take_interface(j, n);
		if (r == 0)
			j->taken.claimed |= 1u << n;
		else if (r == LIBUSB_ERROR_BUSY)
			job_fail(j, r,
				 "interface %u is in use by another "
				 "program of the host",
				 n);
		else if (!j->why[0])
			job_fail(j, r, "interface %u cannot be claimed: %s", n,
				 libusb_strerror(r));
	}
	return r;
}

static void attach_drivers(struct job *j)
{
	for (unsigned n = 0; n < CONFIG_MAX_IFACES; n++)
		if (j->taken.detached & 1u << n)
			libusb_attach_kernel_driver(j->handle, (int)n);
	j->taken.detached = 0;
}

static int set_config(struct job *j, uint8_t value)
{
	/* -1: a configuration may be numbered 0, against the specification */
	return libusb_set_configuration(j->handle, value ? value : -1);
}

/*
 * Nothing that fails here is more than a pity: the device may be gone. The
 * reset comes first, the guest's drivers leave devices in all kinds of states.
 */
static void run_give_back(struct job *j)
{
	bool changed = j->taken.config_now != j->taken.config;
	int r = 0;

	release_interfaces(j);
	if (j->reset)
		r = libusb_reset_device(j->handle);
	if (r != LIBUSB_ERROR_NO_DEVICE && r != LIBUSB_ERROR_NOT_FOUND) {
		if (changed)
			set_config(j, j->taken.config);
		attach_drivers(j);
	}
	libusb_close(j->handle);
	j->handle = NULL;
	if (j->fd >= 0)
		close(j->fd);
	j->fd = -1;
	watcher_forget(j->watcher, &j->info);
	free(j->config);
	j->config = NULL;
}

/*
 * The host's kernel announces a device before it chooses a configuration. One
 * that has none may be about to get it, and with it drivers: it is given time.
 */
static int settled_config(struct job *j)
{
	const struct timespec pause = {0, SETTLE_NS};
	int r = read_config(j);

	for (unsigned i = 0; r == 0 && !j->taken.config_now && i < SETTLE_TRIES;
	     i++) {
		nanosleep(&pause, NULL);
		r = read_config(j);
	}
	return r;
}

/* By the watcher where this process may not. */
static int open_device(struct job *j)
{
	int fd = watcher_open(j->watcher, &j->info), r;

	if (fd == -ENOTSUP)
		return libusb_open(j->dev, &j->handle);
	if (fd < 0)
		return fd == -EACCES || fd == -EPERM ? LIBUSB_ERROR_ACCESS
		       : fd == -ENODEV || fd == -ENOENT || fd == -ENXIO
			       ? LIBUSB_ERROR_NO_DEVICE
			       : LIBUSB_ERROR_OTHER;
	r = libusb_wrap_sys_device(j->ctx, fd, &j->handle);
	if (r == 0)
		j->fd = fd;
	else
		close(fd);
	return r;
}

static void run_open(struct job *j)
{
	if (!j->handle)
		j->r = open_device(j);
	if (j->r != 0) {
		j->handle = NULL;
		job_fail(j, j->r, "it cannot be opened: %s",
			 j->r == LIBUSB_ERROR_ACCESS
				 ? "no right to its device node"
				 : libusb_strerror(j->r));
		return;
	}
	j->r = settled_config(j);
	j->taken.config = j->taken.config_now;
	if (j->r == 0)
		j->r = take_interfaces(j);
	if (j->r != 0) {
		j->reset = false;
		run_give_back(j);
	}
}

/*
 * The host has configured it, and its drivers are there, since it was opened:
 * what they have is what is given back.
 */
static void take_hosts_config(struct job *j)
{
	int r = read_config(j);

	if (r != 0)
		return;
	if (!j->taken.config)
		j->taken.config = j->taken.config_now;
	for (unsigned n = 0; r == 0 && n < CONFIG_MAX_IFACES; n++)
		if (j->config->ifaces & 1u << n)
			r = detach_driver(j, n);
}

/* What it was is taken again when the device does not want the new one. */
static void run_set_config(struct job *j)
{
	int r = LIBUSB_ERROR_BUSY;

	release_interfaces(j);
	for (unsigned i = 0; r == LIBUSB_ERROR_BUSY && i < CLAIM_TRIES; i++) {
		if (i)
			take_hosts_config(j);
		if (j->value != j->taken.config)
			watcher_note_config(j->watcher, &j->info,
					    j->taken.config);
		r = set_config(j, j->value);
	}
	if (r == LIBUSB_ERROR_NO_DEVICE)
		j->r = r;
	else
		j->r = take_interfaces(j);
	if (r != 0)
		j->r = r;
}

static void run_alloc_streams(struct job *j)
{
	unsigned char ep = j->ep;

	j->r = libusb_alloc_streams(j->handle, j->streams, &ep, 1);
	j->streams = 0;
	if (j->r > 0) {
		j->streams = (uint16_t)(j->r < UINT16_MAX ? j->r : UINT16_MAX);
		j->r = 0;
	}
}

static void run_free_streams(struct job *j)
{
	unsigned char ep = j->ep;

	j->r = libusb_free_streams(j->handle, &ep, 1);
}

void job_run(struct job *j)
{
	j->r = 0;
	j->why[0] = 0;
	switch (j->kind) {
	case JOB_OPEN:
		run_open(j);
		break;
	case JOB_GIVE_BACK:
		run_give_back(j);
		break;
	case JOB_SET_CONFIG:
		run_set_config(j);
		break;
	case JOB_SET_INTERFACE:
		j->r = libusb_set_interface_alt_setting(j->handle, j->iface,
							j->value);
		break;
	case JOB_CLEAR_HALT:
		j->r = libusb_clear_halt(j->handle, j->ep);
		break;
	case JOB_RESET:
		j->r = libusb_reset_device(j->handle);
		break;
	case JOB_ALLOC_STREAMS:
		run_alloc_streams(j);
		break;
	case JOB_FREE_STREAMS:
		run_free_streams(j);
		break;
	}
}
