/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watcher.h - a small process that outlives this one and binds the host's
 * drivers again to devices that were not given back: after SIGKILL, a crash,
 * any end. Linux; elsewhere watcher_start() succeeds and nothing is watched.
 *
 * It can also open device nodes for an engine that may not any more: those of
 * the devices that its policy names, which is fixed when it is started.
 *
 * It is a session of its own and no child of ours, holds none of our file
 * descriptors, ignores the signals that end us, and ends when we do. It acts
 * with our rights: a device node that we may not open it cannot open either
 * (whoever handed us an open descriptor has to give that device back).
 */
#ifndef HOSTUSB_WATCHER_H
#define HOSTUSB_WATCHER_H

#include "hostusb/info.h"

#define WATCHER_MAX_DEVICES 64u
#define WATCHER_MAX_RULES 256u

struct watcher; /* opaque */

/* What the watcher was told of one device */
struct watcher_note {
	uint8_t bus;
	uint8_t npath;
	uint8_t path[USB_MAX_DEPTH];
	uint8_t config; /* bConfigurationValue to set first, 0: leave it */
	uint16_t vid, pid;
	uint32_t ifaces;     /* bit n: the interface with bInterfaceNumber n */
	char driver[32][32]; /* by interface number, "" if not known */
};

/*
 * watcher_start - fork it; best before there are threads or much memory.
 * Returns 0 or -errno: without a watcher devices can be used all the same.
 */
int watcher_start(struct watcher **ret);

/* Which devices' nodes it opens: never a hub's */
struct watcher_policy {
	bool any;   /* every other: who has the control socket names them */
	unsigned n; /* or these */
	struct usb_match allowed[WATCHER_MAX_RULES];
};
/* watcher_start_opener - the same, with watcher_open(). @p is copied. */
int watcher_start_opener(const struct watcher_policy *p, struct watcher **ret);
/*
 * watcher_open - have the node of device @i opened. Blocks as open(2) of a node
 * does; any thread. Returns the descriptor, the caller's; -ENOTSUP: this one
 * opens nothing; -EPERM: not this device; -ENODEV: it is gone, or another;
 * -EPIPE: the watcher is gone; or what open(2) fails with. @w may be NULL.
 */
int watcher_open(struct watcher *w, const struct usb_info *i);
/*
 * watcher_stop - end it. What is noted still is bound now, after this process
 * let go of it, by the watcher and soon after the call. NULL is allowed.
 */
void watcher_stop(struct watcher *w);

/*
 * watcher_note - before the drivers of the interfaces @iface_mask (bit n:
 * number n) are detached: bind them again if we die. Adds to what is noted for
 * the device (same bus, path, vid and pid). Which drivers those are the watcher
 * sees for itself: an interface that has none at this moment is none of its
 * business, whatever is said here. Waits until it has looked, which it does at
 * once, and two seconds at most for one that was stopped. Any thread; @w may be
 * NULL in these three.
 */
void watcher_note(struct watcher *w, const struct usb_info *i,
		  uint32_t iface_mask);
/* Before the configuration is changed: what is set now is again if we die. */
void watcher_note_config(struct watcher *w, const struct usb_info *i,
			 uint8_t config);
/* The device was given back, or is gone: nothing is to be done for it. */
void watcher_forget(struct watcher *w, const struct usb_info *i);

/* For tests: what is called, in the watcher's process, for each note left. */
struct watcher_ops {
	/* 0; -EBUSY or -EAGAIN: call again soon; other errors: given up */
	int (*rebind)(const struct watcher_note *n, const void *arg);
	const void *arg; /* must be valid in the forked process */
	/* watcher_see(); NULL: what is said is believed */
	void (*see)(struct watcher_note *n);
	/* the process of watcher_open(): a descriptor or -errno */
	int (*open)(const struct watcher_note *n,
		    const struct watcher_policy *p);
	const struct watcher_policy *policy; /* NULL: it opens nothing */
};
int watcher_start_ops(const struct watcher_ops *ops, struct watcher **ret);

/*
 * watcher_see - what is noted of a device is what it has now: of the interfaces
 * those with a driver, that driver's name, and, where a configuration is
 * named, the one that is set. @sys as below.
 */
void watcher_see(struct watcher_note *n, const char *sys);
/*
 * watcher_rebind - what the watcher does: the device of @n, if it is still
 * there with these ids, gets its configuration and its drivers back: these,
 * and another of the kernel's choice only where one of these cannot be bound.
 * Nothing is done while somebody owns the device (owner.h). @sys and @dev are
 * "/sys" and "/dev" but for tests. Allocates nothing: it runs in a fork of a
 * process with threads. Returns 0, -ENODEV (another device or none), -EBUSY (it
 * or an interface is claimed still), or -errno.
 */
int watcher_rebind(const struct watcher_note *n, const char *sys,
		   const char *dev);
/*
 * watcher_open_node - what it does for watcher_open(), in a process of its own:
 * the device of @n as /sys has it now, if @p says so. A descriptor or -errno.
 */
int watcher_open_node(const struct watcher_note *n,
		      const struct watcher_policy *p, const char *sys,
		      const char *dev);
/* Addresses of @p that are the device of @n's become its path, for good. */
void watcher_policy_resolve(struct watcher_policy *p,
			    const struct watcher_note *n, const char *sys);

#endif
