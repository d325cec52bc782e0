/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * td.h - rings, TDs and endpoints, for emu/ alone; part of core.h.
 */
#ifndef EMU_TD_H
#define EMU_TD_H

#include "emu/account.h"
#include "emu/hw.h"
#include "emu/usb.h"

struct xhci_ep;
struct xhci_slot;

/* Where a ring is read: the address of the next TRB, and its cycle bit. */
struct xhci_ring {
	uint64_t deq;
	bool ccs;
};

/* One TRB of a TD, as far as its completion needs it. */
struct td_elem {
	uint64_t gpa;   /* of the TRB */
	uint64_t param; /* Event Data: its parameter; immediate data */
	uint32_t len;   /* payload bytes */
	uint16_t intr;  /* interrupter target */
	uint8_t type;   /* enum trb_type */
	bool ioc, isp, bei;
	bool ccs; /* cycle bit at gpa */
};

/* Where td_retire() is in a TD. Starts as zeroes but for `left`, `edtla`. */
struct td_walk {
	uint32_t i;     /* next element */
	uint32_t left;  /* bytes moved that no element has taken yet */
	uint32_t edtla; /* §4.11.5.2 */
	uint32_t stop;  /* elements from here on are not done */
	bool shorted, ended;
	uint8_t failed; /* enum cc: isochronous, and an earlier TRB ended so */
};

struct td_event {
	uint64_t ptr;
	uint32_t len;
	uint16_t intr;
	uint8_t cc;
	bool ed, bei;
};

enum td_state { TD_FREE, TD_GATHERING, TD_WAITING, TD_FLYING, TD_DONE };

/* A TD being done. Owned by the pool (td_pool.c), lent to a ring. */
struct xhci_td {
	struct usb_xfer xfer;
	struct xhci_td *next; /* in flight on the ring, or free in the pool */
	struct xhci_td *prev;
	struct xhci_epq *q;             /* borrowed while in flight */
	const struct usb_port_ops *ops; /* of the device that has it */
	void *dev;
	struct td_elem *elem;     /* owned */
	struct usb_seg *seg;      /* owned */
	struct usb_packet packet; /* isochronous: the one of it */
	uint32_t nelem, cap_elem, nseg, cap_seg;
	struct xhci_ring start; /* of its first TRB */
	struct xhci_ring end;   /* behind its last TRB */
	uint32_t tap_id;        /* its number where there is a tap */
	uint32_t skip;  /* bytes of the first data TRB done before a stop */
	uint32_t edtla; /* bytes of the TD done before a stop */
	struct td_walk walk;
	uint8_t cc;    /* not CC_INVALID: ends with this, whatever the status */
	uint8_t state; /* enum td_state */
	bool cancelled; /* cancel() was called */
	bool has_io;    /* something for the device is in it */
	bool control;
	bool isoch, sia; /* its first TRB is an Isoch TRB; and said SIA */
	uint16_t frame_id;
	ACCOUNT_DO(uint32_t lent;) /* bytes, while TD_FLYING */
};

/* One transfer ring of an endpoint; with streams an endpoint has several. */
struct xhci_epq {
	struct xhci_ep *ep;          /* borrowed: embedded in it */
	struct xhci_ring deq;        /* first TRB not done */
	struct xhci_ring fetch;      /* next TRB to gather */
	struct xhci_td *head, *tail; /* in flight, in ring order */
	uint32_t ntds;               /* on the list */
	uint32_t bytes_flight;       /* lent to the device */
	uint32_t resume_off;         /* bytes of the TRB at deq that are done */
	uint32_t resume_edtla;       /* bytes of its TD that are done */
	bool resume_short;           /* its TD has had its short packet */
	bool rewound; /* what is still on the list goes back to the ring */
	/* what a Stopped event says of the TRB at deq, §4.6.9 */
	bool stop_known;
	uint16_t stop_intr;
	uint32_t stop_len;
	uint8_t wants_room; /* n + 1: an event of its waits for interrupter n */
	bool ready; /* on the list of rings with work, or on that one's */
	struct xhci_epq *ready_next;
	uint16_t stream;      /* id, 0: the endpoint has no streams */
	uint8_t sct;          /* of its stream context */
	uint64_t sctx;        /* gpa of its stream context, 0: none */
	struct xhci_epq *sib; /* the next of the endpoint's streams in use */
};

/* Why an endpoint takes its transfers back from the device. */
enum ep_drain {
	DRAIN_NONE,
	DRAIN_STOP, /* keep what is not done on the ring: Stop Endpoint, R/S */
	DRAIN_DROP, /* forget it: halted, dropped, disabled, reset */
};

struct xhci_ep {
	struct xhci_slot *slot; /* borrowed */
	uint8_t dci;
	uint8_t state;   /* enum ep_state; written by endpoint.c */
	uint8_t drain;   /* enum ep_drain */
	bool cancelling; /* not everything was asked for back yet */
	struct usb_ep_info info;
	uint32_t ctx[5];   /* what the output context has, but state, dequeue */
	struct xhci_epq q; /* its ring; with streams only for `sib` */
	struct xhci_epq **stream; /* owned, by id; NULL: no streams */
	uint32_t nstreams;        /* ids are 1..nstreams-1 */
	/* isochronous: isoch.c */
	struct xhci_ep *iso_next; /* on the controller's list */
	bool iso_on;              /* TDs come: iso_uf is when the next is due */
	uint64_t iso_uf;          /* microframes, as mfindex_now() */
	uint64_t iso_at; /* it wants to be looked at then, UINT64_MAX: never */
	bool iso_dry;    /* an underrun or overrun is still to be told of */
};

#endif
