/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stub.h - a device for tests that does what it is told: completions at once,
 * after some polls or when told, any status, short lengths; a pattern as
 * source and as sink. It plugs into a port of emu/ (struct usb_port_ops) or
 * into the mapper (struct usb_dev_ops).
 */
#ifndef TESTS_LIB_STUB_H
#define TESTS_LIB_STUB_H

#include "emu/usb.h"
#include "emu/xhci.h"
#include "pmapper/pmapper.h"

#define STUB_EPS 32u /* number | 16 for IN */
#define STUB_LOG 256u

/* What an endpoint does with the next transfers. Zeroes: complete at once. */
struct stub_rule {
	unsigned polls;         /* polls before it completes */
	bool hold;              /* not before stub_release() */
	enum usb_status status; /* how it ends */
	bool limit;             /* move at most `actual` bytes */
	uint32_t actual;
	bool refuse;     /* submit() returns -EIO */
	bool no_data;    /* leave the payload alone: benchmarks */
	uint8_t *bounce; /* with no_data: copy once, to or from here */
	unsigned times;  /* transfers this rule is for; 0: all */
};

/* A submission as it was seen. */
struct stub_sub {
	uint8_t ep, type;
	bool in;
	struct usb_setup setup;
	uint32_t length, nseg;
	bool cancelled;
};

struct stub_ep {
	struct stub_rule rule;
	struct usb_xfer *head, *tail; /* borrowed from the controller */
	unsigned queued, max_queued;
	uint64_t submitted, completed, bytes;
	uint32_t crc;       /* of what a sink got */
	uint64_t next_byte; /* of the pattern, source and sink */
	uint64_t bad;       /* bytes of a sink that were not the pattern's */
	bool enabled;
	struct usb_ep_info info;
	/* cancel of what is held: ends with this many bytes moved */
	uint32_t cancel_actual;
	bool cancel_hold; /* ... but not before stub_release() */
};

struct stub {
	struct xhci *x; /* borrowed; emu level only */
	unsigned port;  /* emu level: where it is plugged in */
	bool pm;        /* embedded `dev` is the mapper's */
	struct usb_dev dev;
	struct stub_ep ep[STUB_EPS];
	struct stub_sub log[STUB_LOG]; /* by number modulo STUB_LOG */
	uint64_t nlog;
	unsigned resets, reset_pending, suspends, cancels, freed;
	bool reset_hold, reset_fail;
	bool sink_check;       /* compare OUT data with the pattern */
	bool cancel_order_bad; /* a cancel that was not youngest first */
	struct usb_xfer *last_cancel;
};

/* Byte @n of the pattern. */
uint8_t stub_byte(uint64_t n);

void stub_init(struct stub *s);
/* Plug it into @port of @x. 0 or what xhci_port_connect() returned. */
int stub_connect(struct stub *s, struct xhci *x, unsigned port,
		 enum usb_speed speed);
/* The device to give to pmapper_attach(); borrowed by the mapper. */
struct usb_dev *stub_dev(struct stub *s, enum usb_speed speed);
struct stub_ep *stub_ep(struct stub *s, uint8_t addr);
/* Complete what is due; true when anything was done. For gdrv_emu_poll(). */
bool stub_poll(void *p);
/* Let @n of the transfers held on endpoint @addr end (0: all). */
void stub_release(struct stub *s, uint8_t addr, unsigned n);
unsigned stub_in_flight(const struct stub *s);

#endif
