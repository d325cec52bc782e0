/* SPDX-License-Identifier: BSD-2-Clause */
/* trace_impl.h - between trace.c, trace_urb.c and trace_ep.c. */
#ifndef TESTS_LIB_TRACE_IMPL_H
#define TESTS_LIB_TRACE_IMPL_H

#include "devices/replay_impl.h"
#include "tests/lib/gdrv_vx.h"
#include "tests/lib/trace.h"

#define TRACE_FILL 0xee /* what is in a buffer before */
#define TRACE_ALTS 32u

/* How a TD ended. */
struct trace_td {
	bool done;
	uint8_t cc;
	uint32_t actual;
};

/* A transfer of the capture while the driver has it. */
struct trace_urb {
	const struct capture_xfer *x; /* borrowed */
	struct gdrv_ring *ring;
	uint8_t dci;
	uint32_t first; /* id of its first TD */
	unsigned ntds, left;
	struct trace_td *td; /* owned, ntds of them */
	uint64_t gpa;        /* owned buffer */
	uint32_t size;       /* of it, allocated */
	uint32_t asked;      /* bytes */
	uint64_t done_no;    /* when the last TD was done; 0: not yet */
	bool cancelled;
	struct trace_urb *next;
};

struct trace {
	const struct trace_opt *o;
	struct replay r; /* the capture and the descriptors; no device */
	struct guestmem gm;
	struct gdrv_vx e;
	struct gdrv d;
	struct gdrv_dev *v;
	unsigned port;
	bool configured[32];
	uint32_t esit[32]; /* Max ESIT Payload, of those configured */
	uint8_t alt[TRACE_ALTS];
	uint8_t config; /* bConfigurationValue; 0: the first */
	uint16_t max_stream[32];
	struct trace_urb *urbs; /* owned: with the driver, in order */
	uint64_t ndone, seen;   /* see trace_urb.done_no */
	bool unplugged;
	struct trace_stats *st;
	char *why;
	size_t len;
	bool failed;
};

/* The first difference is kept; returns false. */
bool trace_fail(struct trace *t, const struct capture_xfer *x, const char *fmt,
		...) __attribute__((format(printf, 3, 4)));

/* trace_ep.c: the endpoint of @x, configured. DCI, or 0 after trace_fail() */
unsigned trace_endpoint(struct trace *t, const struct capture_xfer *x);
/* A request went well: endpoints come and go. */
bool trace_request(struct trace *t, const struct usb_setup *s);
uint8_t trace_dci(const struct capture_xfer *x);

/* trace_urb.c: false after trace_fail() */
bool trace_submit(struct trace *t, const struct capture_xfer *x);
bool trace_complete(struct trace *t, const struct capture_xfer *x);
void trace_urb_free(struct trace *t, struct trace_urb *u);

#endif
