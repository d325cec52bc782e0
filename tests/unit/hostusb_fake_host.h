/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostusb_fake_host.h - part of hostusb_fake.h: the one host there is, with its
 * devices, and which calls fail.
 */
#ifndef TESTS_HOSTUSB_FAKE_HOST_H
#define TESTS_HOSTUSB_FAKE_HOST_H

#include <libusb.h>
#include <pthread.h>

#include "hostusb/info.h"

#define FAKE_DEVS 12u
#define FAKE_URBS 1024u
#ifndef FAKE_OWNER
#define FAKE_OWNER "the tests"
#endif

struct libusb_device {
	int refs;
	bool there, announced;
	struct usb_info info;
	uint8_t config;  /* active */
	unsigned late;   /* looks at it until the host sets configuration 1 */
	uint32_t racing; /* interfaces that get a driver at the first claim */
	uint32_t ifaces;
	uint32_t drivers; /* interfaces with a kernel driver */
	uint32_t claimed;
	uint32_t other; /* interfaces another program has claimed */
	uint8_t alt[32];
	unsigned opens, resets, set_configs, clear_halts;
	uint8_t last_ep;
	unsigned max_streams;
};

struct libusb_device_handle {
	struct libusb_device *dev;
};

struct fake_urb {
	struct fake_urb *next;
	bool submitted, ended, cancelled;
	enum libusb_transfer_status status;
	int actual;
	uint32_t stream;
	struct libusb_transfer lt;
};

struct libusb_context {
	int unused;
};

/* The one host there is. Under the lock, but for what is said below. */
static struct fake_host {
	pthread_mutex_t lock;
	struct libusb_context ctx;
	struct libusb_device dev[FAKE_DEVS];
	unsigned ndevs;
	unsigned handles, transfers, inits; /* that there are */
	libusb_hotplug_callback_fn hotplug;
	void *hotplug_arg;
	libusb_pollfd_added_cb fd_added;
	libusb_pollfd_removed_cb fd_removed;
	void *fd_arg;

	/* call number @fail_at of those that can fail does, with @fail_with */
	unsigned calls, fail_at;
	int fail_with;
	unsigned leave_at; /* at that one device 0 is pulled */
	/* the next submissions fail with it */
	int submit_error;
	unsigned submit_errors;
	int reset_error, config_error;
	unsigned streams_made, streams_freed;
	uint32_t stream[FAKE_URBS]; /* of urb[], as they were submitted */
	bool may_lose;       /* a handle is closed with transfers in flight */
	bool hold_cancelled; /* the test ends what was cancelled */

	/* submitted and not ended, in order; loop's thread */
	struct fake_urb *urb[FAKE_URBS];
	unsigned nurbs;
	unsigned submits;
	/* ended, to be delivered by the next handling of events */
	struct fake_urb *done[FAKE_URBS];
	unsigned ndone;
	struct {
		struct libusb_device *dev;
		libusb_hotplug_event event;
	} event[32];
	unsigned nevents;

	/* owner.h and watcher.h */
	unsigned claims;
	const char *other_owner;
	uint32_t noted;
	unsigned forgets;
	bool watcher;
	int opener; /* watcher_open(): 0 opens, else its error or -ENOTSUP */
	struct libusb_device *node; /* what it opened last, or NULL */
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER};

static inline void fake_lock(void)
{
	pthread_mutex_lock(&fake.lock);
}

static inline int fake_unlock(int r)
{
	pthread_mutex_unlock(&fake.lock);
	return r;
}

/* An error this call is to return, or 0. Under the lock. */
static inline int fake_fails(void)
{
	if (++fake.calls == fake.leave_at)
		fake.dev[0].there = false;
	return fake.calls == fake.fail_at ? fake.fail_with : 0;
}

#endif
