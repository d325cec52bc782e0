/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tap.h - all that crosses the edge of a controller, told in order: what it is
 * called with, what it reads, writes and asks for. Of payload only where it
 * lies and how much moved: its bytes are between the guest and the device.
 *
 * The controller has no other input. A new one that is given the same calls,
 * and the same answers to what it asks, does the same: vmm/replay.h.
 */
#ifndef EMU_TAP_H
#define EMU_TAP_H

#include "emu/xhci.h"

#define XHCI_TAP_ARGS 10u /* at most */
#define XHCI_TAP_DATA 64u /* bytes of a structure, at most */

/*
 * What is told, with its arguments in order. Negative numbers are in two's
 * complement; "data" follows in rec.data.
 */
enum xhci_tap_kind {
	/* Calls. What they lead to comes after them, up to the next call. */
	XHCI_TAP_MMIO_READ,  /* offset, size; it ends with TAP_RETURN */
	XHCI_TAP_MMIO_WRITE, /* offset, size, value */
	XHCI_TAP_RUN,        /* ends with TAP_RETURN */
	XHCI_TAP_TIMER,
	XHCI_TAP_RESET,
	XHCI_TAP_BUS_MASTER, /* on */
	XHCI_TAP_INTR_MODE,  /* enum xhci_intr_mode */
	XHCI_TAP_CONNECT,    /* port, enum usb_speed; ends with TAP_RETURN */
	XHCI_TAP_DISCONNECT, /* port; ends with TAP_RETURN */
	XHCI_TAP_RESET_DONE, /* port, ok */
	XHCI_TAP_WAKE,       /* port */
	/* transfer, enum usb_status, actual; the packet's status, actual */
	XHCI_TAP_XFER_DONE,
	XHCI_TAP_NCALLS,

	/* What the call gave back. */
	XHCI_TAP_RETURN = XHCI_TAP_NCALLS, /* value */
	/*
	 * Guest memory: gpa, bytes asked for, data: what was moved. That is
	 * less than asked for where there is none, or where it may not be
	 * written.
	 */
	XHCI_TAP_TRB_READ,
	XHCI_TAP_TRB_PEEK, /* the control dword of a TRB that is not ours */
	XHCI_TAP_TRB_WRITE,
	XHCI_TAP_CTX_READ,
	XHCI_TAP_CTX_WRITE,
	XHCI_TAP_MEM_READ,
	XHCI_TAP_MEM_WRITE,
	/* A place for payload: gpa, bytes asked for, to write, bytes got or 0 */
	XHCI_TAP_PAYLOAD,
	/* The host: */
	XHCI_TAP_NOW,       /* ns */
	XHCI_TAP_TIMER_SET, /* ns */
	XHCI_TAP_KICK,
	XHCI_TAP_INTR_MSG, /* interrupter */
	XHCI_TAP_INTR_PIN, /* level */
	/* The device in a port, enum usb_port_ops: */
	/*
	 * transfer, port, endpoint, enum usb_type, stream, in, length, setup
	 * packet (as the TRB has it), microframe, result; data: what a TRB had
	 * of payload itself.
	 */
	XHCI_TAP_SUBMIT,
	XHCI_TAP_CANCEL,     /* transfer */
	XHCI_TAP_PORT_RESET, /* port, warm */
	/* port, endpoint, enum usb_type, interval, burst, mult, packet, esit,
	 * streams */
	XHCI_TAP_EP_ENABLE,
	XHCI_TAP_EP_DISABLE, /* port, endpoint */
	XHCI_TAP_SUSPEND,    /* port, suspended */
	/* Calls again: */
	XHCI_TAP_PORT_FAULT, /* port, enum xhci_port_fault */
	XHCI_TAP_NOTIFY,     /* port, type, value */
	XHCI_TAP_NKINDS
};

struct xhci_tap_rec {
	enum xhci_tap_kind kind;
	uint64_t arg[XHCI_TAP_ARGS]; /* those a kind has not: 0 */
	const void *data;            /* borrowed for the call */
	uint32_t len;                /* bytes of it, 0..XHCI_TAP_DATA */
};

struct xhci_tap_ops {
	/* Called in the middle of whatever happens: must not call back. */
	void (*rec)(void *tap, const struct xhci_tap_rec *rec);
};

/*
 * xhci_set_tap - tell @ops of all that happens from now on; @ops and @tap are
 * borrowed until xhci_destroy(), of which nothing is told. Directly after
 * xhci_create(), or what is told does not begin with a new controller.
 * Transfers are numbered from 1 as they are submitted.
 * Returns 0, -EBUSY (it has one) or -ENOMEM.
 */
int xhci_set_tap(struct xhci *x, const struct xhci_tap_ops *ops, void *tap);

#endif
