/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attach.h - which device of the host goes to which port: rules, the devices
 * there are, and the seats that bring the two together. Shared by hostusb.c
 * (libusb's side: context, descriptors, hot-plug), attach.c (devices that come
 * and go), rule.c (wishes that come) and status.c (what became of them).
 */
#ifndef HOSTUSB_ATTACH_H
#define HOSTUSB_ATTACH_H

#include <libusb.h>

#include "hostusb/device.h"
#include "hostusb/hostusb.h"

#define MAX_OWN_FDS 8u /* libusb has two or three */

struct owner_claim;
struct seat;

/* A device that is there */
struct present {
	struct hostusb *h; /* borrowed */
	struct present *next;
	libusb_device *dev; /* a reference, owned */
	struct usb_info info;
	bool busy;   /* the worker looks at it: info is its */
	bool known;  /* info is there */
	bool left;   /* it is gone; freed when not busy and no seat's */
	bool handed; /* came as a descriptor, libusb does not watch it */
	bool tried;  /* failed, or was given back: not before it returns */
	struct seat *seat; /* who has it, or NULL */
	struct pm_work work;
	int r; /* of the work */
};

struct rule {
	struct hostusb_rule r; /* MATCH_ADDR becomes MATCH_PATH once found */
	struct rule *next;
	struct seat *seat; /* not MATCH_BELOW, which has many */
	unsigned port;     /* where it was last, 0: nowhere yet */
	bool once;         /* ends with its device, which was handed over */
	bool removed;      /* its device was taken out; freed with the seat */
	/* why it has no device though there is one; HOSTUSB_WAITING: no why */
	enum hostusb_state failed;
	char why[160];
};

/* A rule's device, from the moment it is claimed until it is given back */
struct seat {
	struct hostusb *h; /* borrowed */
	struct seat *next;
	struct rule *rule;         /* borrowed */
	struct present *p;         /* borrowed */
	struct owner_claim *claim; /* owned */
	struct host_dev *hd;       /* owned until it is in a port */
	unsigned port;             /* 0: in none */
	bool gone;
	bool leaving;  /* to be given back; once it is open, if it is not yet */
	char name[64]; /* for logs */
};

struct hotplug_event {
	struct hotplug_event *next;
	libusb_device *dev; /* a reference, owned */
	bool arrived;
};

/* hostusb.h */
struct hostusb_share {
	struct watcher *watcher; /* owned */
	libusb_context *ctx;     /* owned; NULL: libusb does not start */
};

struct hostusb {
	struct pmapper *pm;                 /* borrowed */
	const struct hostusb_host_ops *ops; /* borrowed */
	void *host;
	char owner[96];

	libusb_context *ctx;
	int fd[MAX_OWN_FDS]; /* that libusb has without any device */
	unsigned nfds;
	bool timed; /* it has timeouts that no descriptor tells of */
	struct watcher *watcher; /* owned unless shared; may be NULL */
	bool shared;             /* the watcher is not ours alone */
	libusb_hotplug_callback_handle hotplug;
	bool has_hotplug;
	struct hotplug_event *events, *last_event; /* owned */

	struct present *present; /* owned, in order of arrival */
	struct rule *rules;      /* owned, in order of the option */
	struct seat *seats;      /* owned */
	bool flush;              /* a device has packets to send */
	bool cut;                /* libusb was asked for transfers back */
	bool scan;               /* a rule may find a device */
	bool stopping;
	uint64_t lost_after_ns; /* see host_dev_check() */
	uint64_t check_in_ns;   /* UINT64_MAX: no need */
	unsigned errors; /* of libusb's event handling, for the log's rate */
};

void hostusb_log(struct hostusb *h, enum xhci_log level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* status.c: tell the host. @s NULL: the rule has no device. */
void status_event(struct hostusb *h, enum hostusb_event event,
		  const struct rule *r, const struct seat *s);
/* attach.c: it has no seat any more, and is forgotten. */
void rule_end(struct hostusb *h, struct rule *r);
void rule_drop(struct hostusb *h, struct rule *r); /* the same, untold */
bool rule_has_seat(const struct hostusb *h, const struct rule *r);
/* Take the device out of its port, or do not put it into one. */
void seat_leave(struct seat *s);

/*
 * Take @p for @rule. @handle and @fd: it is open already; they are the
 * caller's still when it fails.
 */
int seat_take(struct hostusb *h, struct rule *rule, struct present *p,
	      libusb_device_handle *handle, int fd, char *err, size_t errlen);
/* The same device under two names: what was handed over is listed as well. */
bool info_is_same(const struct usb_info *a, const struct usb_info *b);

/* Bring free rules and free devices together. */
void attach_scan(struct hostusb *h);
/* @p has gone from the host. May free it. */
void attach_left(struct hostusb *h, struct present *p);
/* Free it if nobody needs it any more. */
void present_drop(struct hostusb *h, struct present *p);
/* A new entry for @dev at the end of the list; NULL: no memory. */
struct present *present_add(struct hostusb *h, libusb_device *dev);

#endif
