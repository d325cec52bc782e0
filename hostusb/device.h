/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.h - one physical device: opened, in a port, given back. Shared by
 * the files of hostusb/ only; everything runs on the controller's thread.
 *
 *   device.c    the functions the mapper calls, and what waits for what
 *   state.c     what the worker does for a device, one job at a time
 *   transfer.c  control, bulk and interrupt transfers to libusb and back
 *   isoch.c     isochronous ones
 */
#ifndef HOSTUSB_DEVICE_H
#define HOSTUSB_DEVICE_H

#include <libusb.h>

#include "hostusb/config.h"
#include "hostusb/hostusb.h"
#include "hostusb/job.h"

#define HOST_NEPS 32u /* by number, IN endpoints from 16; EP0 is 0 */
#define EP_ALL UINT32_MAX
#define EP_BIT(i) (1u << (i))

/* usb_xfer.dev_data of what waits: a request for state.c, and in which order */
#define HELD_REQUEST(req) (1u + (unsigned)(req))
#define HELD_REQUEST_MASK 0xfu
#define HELD_SEQ 16u

struct host_dev;
struct host_ep;
struct isoch;

/* Why libusb was told to end a transfer */
enum urb_cut {
	CUT_NOT,
	CUT_ASKED,  /* the controller wants it back */
	CUT_BEHIND, /* one before it failed: its data must not move */
	CUT_STATE,  /* its endpoint goes away: reset, other setting */
};

/* One transfer of libusb's, from a pool of the device's */
struct urb {
	struct libusb_transfer *lt; /* owned */
	struct host_dev *hd;        /* borrowed */
	struct host_ep *ep;         /* borrowed while in flight */
	struct usb_xfer *t;         /* lent to us while in flight */
	struct urb *next, *prev;    /* in flight, oldest first; or free */
	uint8_t *buf;               /* owned; payload that is not flat */
	size_t size;                /* of buf, bytes */
	enum urb_cut cut;
};

struct host_ep {
	uint8_t index;                 /* in host_dev.ep */
	const struct config_ep *desc;  /* in host_dev.config, or NULL */
	struct urb *oldest, *youngest; /* in flight */
	/*
	 * Waits for its turn, in order, through usb_xfer.next and prev;
	 * dev_data is 0 or HELD_REQUEST, and HELD_SEQ times its number.
	 */
	struct usb_xfer *held_head, *held_tail;
	uint16_t streams_wanted; /* as the guest configured it */
	uint16_t streams;        /* as the host has it */
	bool streams_failed;     /* the host would not */
	bool streams_free;       /* to be freed */
	struct isoch *isoch;     /* owned; NULL until it is used */
};

enum job_state { DEV_IDLE, DEV_DRAINS, DEV_WORKS };

/* What the owner of the device wants to hear. */
struct host_dev_owner {
	/* JOB_OPEN has ended: @r is 0 or a libusb error, @why in words. */
	void (*opened)(void *owner, int r, const char *why);
	/* Call host_dev_flush() soon, from the loop. */
	void (*soon)(void *owner);
	/* libusb was asked for a transfer back. */
	void (*cut)(void *owner);
	/* The device does not exist any more. Once. */
	void (*gone)(void *owner);
	/* It was given back; the host_dev is freed when this returns. */
	void (*closed)(void *owner);
};

struct host_dev {
	struct usb_dev d;
	struct pmapper *pm;                 /* borrowed */
	const struct host_dev_owner *owner; /* borrowed */
	void *owner_arg;
	enum hostusb_reset reset;

	libusb_device *dev;           /* a reference, owned */
	libusb_device_handle *handle; /* NULL until opened */
	struct config *config;        /* owned; what is active */
	uint8_t alt[CONFIG_MAX_IFACES];
	struct host_ep ep[HOST_NEPS];

	struct urb *free_urbs;
	unsigned nurbs;     /* of libusb's transfers there are, in all */
	unsigned in_flight; /* and with libusb */
	size_t pooled;      /* bytes of the free ones' buffers */
	bool flush_due;     /* isochronous packets were queued */
	unsigned ncut;      /* in flight, and asked back: host_dev_cut() */
	uint64_t cut_ns; /* since when none of these has, 0: not looked yet */
	bool lost;       /* they never will: see host_dev_check() */
	bool starved;    /* something waits for memory of the host's */

	bool gone;
	bool closing;  /* free() was called, or was never attached */
	bool used;     /* something was sent since the last reset */
	bool pristine; /* nothing that SET_CONFIGURATION would undo */
	bool reset_wanted, reset_done_once;
	uint64_t seq;     /* of submissions */
	bool streams_due; /* an endpoint waits for its streams, or loses them */
	bool told_long;   /* logged once: a request longer than libusb takes */

	enum job_state state;
	uint32_t held;   /* EP_BIT: transfers wait for the job's end */
	uint32_t drains; /* EP_BIT: the job waits for these to be empty */
	struct usb_xfer *job_xfer; /* the request it is done for, or NULL */
	struct job job;
};

/*
 * host_dev_create - @dev (a reference is taken), not opened yet. @label is for
 * logs, @at most 63 bytes count. Returns 0 or -ENOMEM.
 */
int host_dev_create(struct pmapper *pm, libusb_context *ctx, struct watcher *w,
		    libusb_device *dev, const struct usb_info *info,
		    const char *label, enum hostusb_reset reset,
		    const struct host_dev_owner *owner, void *owner_arg,
		    struct host_dev **ret_hd);
/*
 * Begin: owner->opened() tells. @handle: it is open already (and owned from
 * now on, with the descriptor @fd under it), or NULL and -1. 0 or -EAGAIN: there is no worker, close it.
 */
int host_dev_open(struct host_dev *hd, libusb_device_handle *handle, int fd);
/* What was queued since the last time goes out together. */
void host_dev_flush(struct host_dev *hd);
/*
 * host_dev_check - what libusb was told to end is to end within @limit_ns. It
 * does not where the kernel could not write to a guest's memory when it handed
 * a transfer back (a client took the memory away): nobody hears of that one
 * again. The device is then given up. Returns the time until the next look,
 * UINT64_MAX: none is needed.
 */
uint64_t host_dev_check(struct host_dev *hd, uint64_t limit_ns);
/* libusb says that it is gone. Idempotent. */
void host_dev_gone(struct host_dev *hd);
/* Ask libusb for @lt back, for which that was not done yet. */
void host_dev_cut(struct host_dev *hd, struct libusb_transfer *lt);
/*
 * It is in no port: give it back; owner->closed() tells, possibly from inside
 * when it was never opened.
 */
void host_dev_close(struct host_dev *hd);

/* device.c, for the other files */
struct host_ep *host_dev_ep(struct host_dev *hd, uint8_t ep);
/* The active alternate settings changed, or all of the configuration. */
void host_dev_map_eps(struct host_dev *hd);
/* Start what waits on @ep, as far as it may. */
void host_ep_pump(struct host_dev *hd, struct host_ep *ep);
/* The same for all endpoints, then the next job. After anything happened. */
void host_dev_pump(struct host_dev *hd);
/* End @t, of which nothing was done; its packets too. */
void complete_unmoved(struct host_dev *hd, struct usb_xfer *t,
		      enum usb_status status);
void held_append(struct host_ep *ep, struct usb_xfer *t);
void held_remove(struct host_ep *ep, struct usb_xfer *t);

/* state.c */
/* Does the guest use streams here that the host is yet to make? */
bool ep_wants_streams(const struct host_ep *ep);
/* Begin the job that is due, if there is one. */
void state_advance(struct host_dev *hd);
/* The device is gone: what waits to become a job does not. */
void state_gone(struct host_dev *hd);
/* Does @t, the first of EP0's, wait to become a job? */
bool state_is_request(const struct usb_xfer *t);

/* transfer.c: what became of an attempt to start a transfer */
enum start { STARTED, START_LATER, START_FAILED };
/*
 * xfer_start - hand @t, the first that waits on @ep, to libusb.
 * START_FAILED: *ret_status says how it ends. START_LATER: the host is short
 * of memory, something in flight will free some.
 */
enum start xfer_start(struct host_dev *hd, struct host_ep *ep,
		      struct usb_xfer *t, enum usb_status *ret_status);
/* Tell libusb to end it; it completes when libusb has. */
void urb_cut(struct urb *u, enum urb_cut why);
/* The same for all in flight on the endpoint, youngest first. */
void ep_cut(struct host_ep *ep, enum urb_cut why);
void urb_free_all(struct host_dev *hd);
/* The device is lost: what libusb has of the endpoint's ends without it. */
void urb_lose(struct host_ep *ep);
/* How a call of libusb that failed ends the request it was made for. */
enum usb_status status_of_error(int r);

/* isoch.c */
/* Start what waits on @ep, whose descriptor says that it is isochronous. */
void isoch_pump(struct host_dev *hd, struct host_ep *ep);
/* @t is in flight (dev_priv is set). */
void isoch_cancel(struct usb_xfer *t);
/* For an endpoint with ep->isoch: cut what is in flight; is something? */
void isoch_cut(struct host_ep *ep, enum urb_cut why);
bool isoch_busy(const struct host_ep *ep);
void isoch_lose(struct host_ep *ep);
/* Nothing is in flight, or the handle is closed. */
void isoch_free(struct host_ep *ep);

#endif
