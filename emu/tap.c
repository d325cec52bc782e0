/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tap.c - what a tap is told of. Between the controller and its host it
 * stands in the host's place; for the rest core.h's TAP() is where it happens,
 * a pointer test where there is no tap.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "emu/core.h"
#include "emu/tap.h"

struct xhci_tap {
	const struct xhci_tap_ops *ops; /* borrowed */
	void *arg;                      /* borrowed */
	const struct xhci_host_ops *host_ops;
	void *host;
	uint32_t nxfers;
};

static void put(struct xhci *x, const struct xhci_tap_rec *rec)
{
	x->tap->ops->rec(x->tap->arg, rec);
}

void tap_args(struct xhci *x, enum xhci_tap_kind kind, uint64_t a0, uint64_t a1,
	      uint64_t a2, uint64_t a3, uint64_t a4)
{
	const struct xhci_tap_rec rec = {.kind = kind,
					 .arg = {a0, a1, a2, a3, a4}};

	put(x, &rec);
}

void tap_mem(struct xhci *x, enum xhci_tap_kind kind, uint64_t gpa,
	     const void *buf, size_t len, size_t done)
{
	struct xhci_tap_rec rec = {.kind = kind,
				   .arg = {gpa, len},
				   .data = buf,
				   .len = (uint32_t)done};

	put(x, &rec);
}

/* §6.4.1.1 IDT: the payload is in a TRB, so it is the controller's */
static bool payload_is_ours(const struct xhci_td *td)
{
	return td->nseg == 1 && !td->seg[0].hold && td->xfer.length <= 8 &&
	       !td->xfer.in;
}

static uint64_t setup_bits(const struct usb_setup *s)
{
	uint64_t v;

	_Static_assert(sizeof(*s) == sizeof(v), "as the TRB has it");
	memcpy(&v, s, sizeof(v));
	return v;
}

void tap_submit(struct xhci *x, struct xhci_td *td, unsigned port, int result)
{
	const struct usb_xfer *t = &td->xfer;
	struct xhci_tap_rec rec = {
		.kind = XHCI_TAP_SUBMIT,
		.arg = {++x->tap->nxfers, port, t->ep, t->type, t->stream,
			t->in, t->length, setup_bits(&t->setup), t->frame,
			(uint64_t)(int64_t)result},
	};

	td->tap_id = x->tap->nxfers;
	if (payload_is_ours(td)) {
		rec.data = td->seg[0].base;
		rec.len = (uint32_t)td->seg[0].len;
	}
	put(x, &rec);
}

void tap_ep_enable(struct xhci *x, unsigned port, const struct usb_ep_info *i)
{
	const struct xhci_tap_rec rec = {
		.kind = XHCI_TAP_EP_ENABLE,
		.arg = {port, i->ep, i->type, i->interval, i->max_burst,
			i->mult, i->max_packet, i->max_esit, i->streams},
	};

	put(x, &rec);
}

void tap_xfer_done(struct xhci *x, const struct xhci_td *td)
{
	const struct usb_xfer *t = &td->xfer;

	TAP(x, XHCI_TAP_XFER_DONE, td->tap_id, t->status, t->actual,
	    td->isoch ? td->packet.status : 0,
	    td->isoch ? td->packet.actual : 0);
}

/* In the host's place. @host is the controller. */

static int host_mem_get(void *host, uint64_t gpa, size_t len, bool write,
			struct xhci_span *ret)
{
	const struct xhci_tap *t = ((struct xhci *)host)->tap;

	/* whoever asks tells what it got: mem.c, td_gather.c */
	return t->host_ops->mem_get(t->host, gpa, len, write, ret);
}

static void host_mem_hold(void *host, void *hold)
{
	const struct xhci_tap *t = ((struct xhci *)host)->tap;

	t->host_ops->mem_hold(t->host, hold);
}

static void host_mem_drop(void *host, void *hold)
{
	const struct xhci_tap *t = ((struct xhci *)host)->tap;

	t->host_ops->mem_drop(t->host, hold);
}

static void host_intr_msg(void *host, unsigned intr)
{
	struct xhci *x = host;

	TAP(x, XHCI_TAP_INTR_MSG, intr);
	x->tap->host_ops->intr_msg(x->tap->host, intr);
}

static void host_intr_pin(void *host, bool level)
{
	struct xhci *x = host;

	TAP(x, XHCI_TAP_INTR_PIN, level);
	x->tap->host_ops->intr_pin(x->tap->host, level);
}

static uint64_t host_now_ns(void *host)
{
	struct xhci *x = host;
	uint64_t now = x->tap->host_ops->now_ns(x->tap->host);

	TAP(x, XHCI_TAP_NOW, now);
	return now;
}

static void host_timer_set(void *host, uint64_t at_ns)
{
	struct xhci *x = host;

	TAP(x, XHCI_TAP_TIMER_SET, at_ns);
	x->tap->host_ops->timer_set(x->tap->host, at_ns);
}

static void host_kick(void *host)
{
	struct xhci *x = host;

	TAP(x, XHCI_TAP_KICK, 0);
	x->tap->host_ops->kick(x->tap->host);
}

static void host_log(void *host, enum xhci_log level, const char *line)
{
	const struct xhci_tap *t = ((struct xhci *)host)->tap;

	if (t->host_ops->log)
		t->host_ops->log(t->host, level, line);
}

/* Nothing comes back of it, so that a replay can do without */
static void host_pme(void *host)
{
	const struct xhci_tap *t = ((struct xhci *)host)->tap;

	if (t->host_ops->pme)
		t->host_ops->pme(t->host);
}

static const struct xhci_host_ops tapped_ops = {
	.mem_get = host_mem_get,
	.mem_hold = host_mem_hold,
	.mem_drop = host_mem_drop,
	.intr_msg = host_intr_msg,
	.intr_pin = host_intr_pin,
	.now_ns = host_now_ns,
	.timer_set = host_timer_set,
	.kick = host_kick,
	.log = host_log,
	.pme = host_pme,
};

int xhci_set_tap(struct xhci *x, const struct xhci_tap_ops *ops, void *tap)
{
	struct xhci_tap *t;

	if (x->tap)
		return -EBUSY;
	t = calloc(1, sizeof(*t));
	if (!t)
		return -ENOMEM;
	*t = (struct xhci_tap){
		.ops = ops, .arg = tap, .host_ops = x->ops, .host = x->host};
	x->tap = t;
	x->ops = &tapped_ops;
	x->host = x;
	return 0;
}

void tap_remove(struct xhci *x)
{
	struct xhci_tap *t = x->tap;

	if (!t)
		return;
	x->ops = t->host_ops;
	x->host = t->host;
	x->tap = NULL;
	free(t);
}
