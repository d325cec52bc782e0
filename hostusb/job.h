/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * job.h - the calls of libusb that may block, for the mapper's worker thread.
 *
 * A job goes over by value and comes back by value: while it runs, what its
 * members point to is its own (the handle excepted, on which libusb allows
 * transfers from the loop's thread meanwhile).
 */
#ifndef HOSTUSB_JOB_H
#define HOSTUSB_JOB_H

#include <libusb.h>

#include "hostusb/config.h"
#include "hostusb/info.h"
#include "pmapper/pmapper.h"

struct watcher;

enum job_kind {
	JOB_OPEN,      /* open, take the interfaces from the host's drivers */
	JOB_GIVE_BACK, /* the reverse of all that was done */
	JOB_SET_CONFIG,
	JOB_SET_INTERFACE,
	JOB_CLEAR_HALT,
	JOB_RESET,
	JOB_ALLOC_STREAMS,
	JOB_FREE_STREAMS,
};

/* What was taken from the host; bit n: the interface with number n */
struct taken {
	uint32_t claimed;
	uint32_t detached; /* had a kernel driver, in configuration `config` */
	uint8_t config;    /* bConfigurationValue when it was opened, or 0 */
	uint8_t config_now;
};

struct job {
	struct pm_work work; /* the owner's: run and done */
	enum job_kind kind;
	libusb_context *ctx;          /* borrowed */
	libusb_device *dev;           /* borrowed */
	libusb_device_handle *handle; /* JOB_OPEN: set unless it was; closed
				       * by JOB_GIVE_BACK */
	int fd; /* under a handle that was wrapped, owned with it; or -1 */
	struct watcher *watcher; /* borrowed; may be NULL */
	struct usb_info info;
	struct taken taken; /* in and out */

	uint8_t value;    /* SET_CONFIG: configuration; SET_INTERFACE: alt */
	uint8_t iface;    /* SET_INTERFACE */
	uint8_t ep;       /* CLEAR_HALT and the two for streams */
	uint16_t streams; /* ALLOC_STREAMS: asked for; out: what there are */
	bool reset;       /* GIVE_BACK: with a reset */

	int r;                 /* out: enum libusb_error */
	struct config *config; /* out: the receiver's, when it was read again */
	char why[160];         /* out: in words, "" when there are none */
};

/* Do it. The worker's thread. */
void job_run(struct job *j);

#endif
