/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xfer_queue.h - transfers that a device holds, in the order they came. Uses
 * the device's links of struct usb_xfer: a transfer is in one queue at most.
 */
#ifndef DEVICES_XFER_QUEUE_H
#define DEVICES_XFER_QUEUE_H

#include "emu/usb.h"

struct xfer_queue {
	struct usb_xfer *head, *tail; /* borrowed: held transfers */
};

static inline void xfer_queue_add(struct xfer_queue *q, struct usb_xfer *t)
{
	t->next = NULL;
	t->prev = q->tail;
	if (q->tail)
		q->tail->next = t;
	else
		q->head = t;
	q->tail = t;
}

/* @t is in @q. */
static inline void xfer_queue_del(struct xfer_queue *q, struct usb_xfer *t)
{
	if (t->prev)
		t->prev->next = t->next;
	else
		q->head = t->next;
	if (t->next)
		t->next->prev = t->prev;
	else
		q->tail = t->prev;
	t->next = t->prev = NULL;
}

/* The first of @q, taken out, or NULL. */
static inline struct usb_xfer *xfer_queue_take(struct xfer_queue *q)
{
	struct usb_xfer *t = q->head;

	if (t)
		xfer_queue_del(q, t);
	return t;
}

/* Take @t out of @q, if it is there. */
static inline bool xfer_queue_remove(struct xfer_queue *q, struct usb_xfer *t)
{
	struct usb_xfer *i = q->head;

	while (i && i != t)
		i = i->next;
	if (i)
		xfer_queue_del(q, i);
	return i != NULL;
}

#endif
