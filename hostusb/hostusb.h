/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostusb.h - physical devices of the host, through libusb: which are there,
 * which of them this controller wants, and their way into its ports and out.
 *
 * One struct hostusb a controller, with a libusb context of its own. All
 * functions run on the controller's thread and do not block, but for
 * hostusb_create() and hostusb_destroy(); calls of libusb that block (open,
 * claim, set configuration, reset, close ...) go to the mapper's worker.
 */
#ifndef HOSTUSB_HOSTUSB_H
#define HOSTUSB_HOSTUSB_H

#include "hostusb/info.h"
#include "pmapper/pmapper.h"

struct hostusb; /* opaque */

/* Where a rule, or a device it has found, stands */
enum hostusb_state {
	HOSTUSB_WAITING, /* no device that it names is there */
	HOSTUSB_ATTACHING,
	HOSTUSB_ATTACHED,
	HOSTUSB_DETACHING,
	/* not to be had, for .reason; tried again when it is plugged in again */
	HOSTUSB_FAILED,
	HOSTUSB_DENIED, /* never to be had: a hub */
	HOSTUSB_IN_USE, /* somebody else has it */
};

enum hostusb_event {
	HOSTUSB_EV_ATTACHED, /* it is in its port */
	HOSTUSB_EV_DETACHED, /* it was given back, or is gone */
	HOSTUSB_EV_FAILED,
	HOSTUSB_EV_ENDED, /* the rule is no more; .tag alone counts */
};

/* All is borrowed, until the call returns. */
struct hostusb_status {
	unsigned tag; /* of the rule */
	enum hostusb_state state;
	unsigned port;               /* of the controller, 0: in none */
	const struct usb_info *info; /* NULL: no device is known */
	const char *reason;          /* "": there is none */
	const struct usb_dev *dev;   /* NULL: in no port */
	bool unplugged; /* HOSTUSB_EV_DETACHED: it went by itself */
};

/* What hostusb needs of the program around it. */
struct hostusb_host_ops {
	/*
	 * Watch @fd for @events (POLLIN, POLLOUT; 0: no longer) and call
	 * hostusb_run() with ready when it has one. Called on the controller's thread,
	 * or from the worker: any thread.
	 */
	void (*fd_watch)(void *host, int fd, short events);
	/* hostusb_run() should be called soon. Any thread. */
	void (*wake)(void *host);
	void (*log)(void *host, enum xhci_log level, const char *line);
	/*
	 * Something happened to a rule or to its device. From inside any
	 * function below, which it must not call; @s is not to be kept. May be
	 * NULL.
	 */
	void (*event)(void *host, enum hostusb_event event,
		      const struct hostusb_status *s);
};

/* What a guest's port reset does to the physical device */
enum hostusb_reset {
	HOSTUSB_RESET_DEVICE,
	HOSTUSB_RESET_INITIAL,
	HOSTUSB_RESET_NEVER
};

/* A wish of the slot option: which device, where to. */
struct hostusb_rule {
	char name[96]; /* as written: "bus=1,devaddr=2"; for logs and owners */
	unsigned tag;  /* the caller's, to know it again */
	struct usb_match match; /* info.h */
	unsigned at; /* port of the controller, 0: the first that fits */
	enum hostusb_reset reset;
};

/*
 * hostusb_create - start libusb and its hot-plug callbacks. @pm, @ops, @host
 * are borrowed until hostusb_destroy(). @owner names this controller to others
 * who want the same device: "xhci 30 of pid 1234". Returns 0, or -errno with
 * one line in @err.
 */
int hostusb_create(struct pmapper *pm, const struct hostusb_host_ops *ops,
		   void *host, const char *owner, char *err, size_t errlen,
		   struct hostusb **ret_h);

/*
 * What all controllers of a process share that gives up its rights: a watcher
 * (watcher.h), which opens the nodes that @p names, and libusb's ears for
 * hot-plug. Made before there are threads, and destroyed after the last
 * controller. 0 or -errno.
 */
struct hostusb_share;
struct watcher_policy;
int hostusb_share_create(const struct watcher_policy *p,
			 struct hostusb_share **ret);
void hostusb_share_destroy(struct hostusb_share *s); /* NULL is allowed */
/* hostusb_create() with @s, borrowed; NULL: as above */
int hostusb_create_shared(struct pmapper *pm,
			  const struct hostusb_host_ops *ops, void *host,
			  const char *owner, struct hostusb_share *s, char *err,
			  size_t errlen, struct hostusb **ret_h);
/* Attach nothing any more: before pmapper_detach_all() for the last time. */
void hostusb_stop(struct hostusb *h);
/*
 * hostusb_destroy - its devices have been taken out (pmapper_detach_all(), and
 * pmapper_busy() is false). Gives back what is left, and frees. NULL is
 * allowed.
 */
void hostusb_destroy(struct hostusb *h);

/*
 * hostusb_add_rule - want a device, now or when it appears. Devices that are
 * there are attached before long. Returns 0; -EBUSY (another owner), -EINVAL
 * (a hub, or a rule that is there already), -ENOSPC, -ENOMEM with one line in
 * @err. A device that is not there is no error.
 */
int hostusb_add_rule(struct hostusb *h, const struct hostusb_rule *rule,
		     char *err, size_t errlen);
/*
 * hostusb_add_fd - attach the device behind an open usbfs descriptor, for a
 * process with no rights to /dev. On success the descriptor is taken over, and
 * the rule ends with the device. Who opened it answers for nobody else having
 * it. Errors as above.
 */
int hostusb_add_fd(struct hostusb *h, int fd, const struct hostusb_rule *rule,
		   char *err, size_t errlen);

/*
 * hostusb_remove - the rules with @tag end, their devices are given back:
 * HOSTUSB_EV_DETACHED tells of each, or once of a rule that had none, and
 * HOSTUSB_EV_ENDED of the rule's end. Returns how many HOSTUSB_EV_DETACHED
 * there are; 0: no such rule.
 */
unsigned hostusb_remove(struct hostusb *h, unsigned tag);
/*
 * hostusb_leave - the device that @m names is given back, and stays out until
 * it is plugged in again; its rule ends unless it has several devices
 * (MATCH_BELOW). Returns how many devices there were.
 */
unsigned hostusb_leave(struct hostusb *h, const struct usb_match *m);
/* The state of each device, and of each rule that has none. */
void hostusb_each(struct hostusb *h,
		  void (*each)(void *arg, const struct hostusb_status *s),
		  void *arg);

/*
 * hostusb_run - handle what libusb has (@ready: one of its descriptors has an
 * event, or may have): completions, hot-plug; and what was left to do later.
 * Bounded. Returns true when there is more to do at once.
 */
bool hostusb_run(struct hostusb *h, bool ready);
/*
 * hostusb_run_cut - hostusb_run() with ready, if libusb was asked for transfers
 * back since the last: Linux has ended a transfer when it says that it is asked
 * back, so that no guest needs to wait for a turn of the loop. Returns whether
 * it was.
 */
bool hostusb_run_cut(struct hostusb *h);
/* Nanoseconds until hostusb_run() wants a call anyway, UINT64_MAX: never. */
uint64_t hostusb_timeout_ns(struct hostusb *h);

#endif
