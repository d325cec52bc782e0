/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.c - the host, the guest and the devices of a controller that is run
 * again. All that these know comes from the next record; all that the
 * controller does must be that record.
 */
#include "vmm/replay.h"

#include <errno.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#define TRB_BYTES 16u
#define TRB_CONTROL 12u /* where the control dword is */

struct replay {
	struct rec_reader rd;
	struct xhci *x;            /* owned */
	struct replay_result *res; /* borrowed */
	struct xhci_tap_rec next;  /* valid if have */
	bool have;
	bool over;               /* there was a difference, or the end */
	struct usb_xfer *flying; /* the devices'; latest first */
	/* guest memory, as long as it is looked at */
	alignas(16) uint8_t mem[XHCI_TAP_DATA];
};

static void keep(struct replay_rec *k, const struct xhci_tap_rec *rec)
{
	k->there = rec != NULL;
	if (!rec)
		return;
	k->rec = *rec;
	if (rec->len)
		memcpy(k->data, rec->data, rec->len);
	k->rec.data = k->data;
}

/* The record that is due, or NULL: no more of it matters. */
static const struct xhci_tap_rec *due(struct replay *r)
{
	int rc;

	if (r->over)
		return NULL;
	if (r->have)
		return &r->next;
	rc = rec_reader_next(&r->rd, &r->next);
	if (rc == 1) {
		r->have = true;
		return &r->next;
	}
	r->over = true;
	if (rc < 0) {
		r->res->verdict = REPLAY_DAMAGED;
		r->res->why = r->rd.why;
	}
	return NULL;
}

static void differ(struct replay *r, const struct xhci_tap_rec *got)
{
	r->res->verdict = REPLAY_DIFFERS;
	keep(&r->res->expected, &r->next);
	keep(&r->res->got, got);
	r->over = true;
}

static void damaged(struct replay *r, const char *why)
{
	r->res->verdict = REPLAY_DAMAGED;
	r->res->why = why;
	r->over = true;
}

static bool same(const struct xhci_tap_rec *a, const struct xhci_tap_rec *b)
{
	return a->kind == b->kind &&
	       memcmp(a->arg, b->arg, sizeof(a->arg)) == 0 &&
	       a->len == b->len &&
	       (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

/* What the controller did is told here. */
static void replay_rec(void *tap, const struct xhci_tap_rec *got)
{
	struct replay *r = tap;
	const struct xhci_tap_rec *e = due(r);

	if (!e)
		return;
	if (!same(e, got)) {
		differ(r, got);
		return;
	}
	r->have = false;
	r->res->records++;
	r->res->unanswered = false;
}

static const struct xhci_tap_ops replay_tap_ops = {.rec = replay_rec};

/* The host. */

static bool is_write(const struct xhci_tap_rec *e)
{
	return e->kind == XHCI_TAP_TRB_WRITE || e->kind == XHCI_TAP_CTX_WRITE ||
	       e->kind == XHCI_TAP_MEM_WRITE;
}

static bool is_read(const struct xhci_tap_rec *e)
{
	return e->kind == XHCI_TAP_TRB_READ || e->kind == XHCI_TAP_CTX_READ ||
	       e->kind == XHCI_TAP_MEM_READ;
}

/* The rest of what @e has, from @gpa on; it has all that there was. */
static int mem_span(struct replay *r, const struct xhci_tap_rec *e,
		    uint64_t gpa, size_t len, struct xhci_span *ret)
{
	uint64_t off = gpa - e->arg[0];

	if (off > e->arg[1] || len != e->arg[1] - off) {
		r->res->unanswered = true;
		return -EFAULT;
	}
	if (off >= e->len)
		return -EFAULT;
	if (is_read(e))
		memcpy(r->mem, e->data, e->len);
	*ret = (struct xhci_span){r->mem + off, e->len - off, r};
	return 0;
}

static int mem_read(struct replay *r, const struct xhci_tap_rec *e,
		    uint64_t gpa, size_t len, struct xhci_span *ret)
{
	if (is_read(e))
		return mem_span(r, e, gpa, len, ret);
	if (e->kind != XHCI_TAP_TRB_PEEK || e->arg[0] != gpa ||
	    len != TRB_BYTES || e->len != 4) {
		r->res->unanswered = true;
		return -EFAULT;
	}
	memset(r->mem, 0, TRB_BYTES);
	memcpy(r->mem + TRB_CONTROL, e->data, 4);
	*ret = (struct xhci_span){r->mem, TRB_BYTES, r};
	return 0;
}

/* What is written elsewhere is let through, to be told with its bytes. */
static int mem_write(struct replay *r, const struct xhci_tap_rec *e,
		     uint64_t gpa, size_t len, struct xhci_span *ret)
{
	if (is_write(e) && gpa >= e->arg[0] && gpa - e->arg[0] < e->arg[1] &&
	    len == e->arg[1] - (gpa - e->arg[0]))
		return mem_span(r, e, gpa, len, ret);
	if (len > sizeof(r->mem))
		return -EFAULT;
	*ret = (struct xhci_span){r->mem, len, r};
	return 0;
}

static int host_mem_get(void *host, uint64_t gpa, size_t len, bool write,
			struct xhci_span *ret)
{
	struct replay *r = host;
	const struct xhci_tap_rec *e = due(r);

	if (!e)
		return -EFAULT;
	if (e->kind == XHCI_TAP_PAYLOAD && e->arg[0] == gpa &&
	    e->arg[1] == len && e->arg[2] == write) {
		if (e->arg[3] == 0)
			return -EFAULT;
		/* never looked at: there is no device */
		*ret = (struct xhci_span){r->mem, e->arg[3], r};
		return 0;
	}
	return write ? mem_write(r, e, gpa, len, ret)
		     : mem_read(r, e, gpa, len, ret);
}

static void host_mem_hold(void *host, void *hold)
{
	(void)host;
	(void)hold;
}

static uint64_t host_now_ns(void *host)
{
	struct replay *r = host;
	const struct xhci_tap_rec *e = due(r);

	if (e && e->kind == XHCI_TAP_NOW) {
		r->res->now_ns = e->arg[0];
		if (!r->res->begin_ns)
			r->res->begin_ns = e->arg[0];
	}
	return r->res->now_ns;
}

/* What the controller does to these is told by the tap. */
static void host_intr_msg(void *host, unsigned intr)
{
	(void)host;
	(void)intr;
}

static void host_intr_pin(void *host, bool level)
{
	(void)host;
	(void)level;
}

static void host_timer_set(void *host, uint64_t at_ns)
{
	(void)host;
	(void)at_ns;
}

static void host_kick(void *host)
{
	(void)host;
}

static const struct xhci_host_ops replay_host_ops = {
	.mem_get = host_mem_get,
	.mem_hold = host_mem_hold,
	.mem_drop = host_mem_hold,
	.intr_msg = host_intr_msg,
	.intr_pin = host_intr_pin,
	.now_ns = host_now_ns,
	.timer_set = host_timer_set,
	.kick = host_kick,
};

/* The devices, all of them. */

static int dev_submit(void *dev, struct usb_xfer *t)
{
	struct replay *r = dev;
	const struct xhci_tap_rec *e = due(r);
	int64_t result;

	if (!e || e->kind != XHCI_TAP_SUBMIT) {
		r->res->unanswered = true;
		return -ENODEV;
	}
	result = (int64_t)e->arg[9];
	if (result != 0)
		return result < 0 && result >= -4095 ? (int)result : -ENODEV;
	t->dev_data = e->arg[0];
	t->prev = NULL;
	t->next = r->flying;
	if (r->flying)
		r->flying->prev = t;
	r->flying = t;
	return 0;
}

static void dev_cancel(void *dev, struct usb_xfer *t)
{
	(void)dev;
	(void)t;
}

static void dev_reset(void *dev, bool warm)
{
	(void)dev;
	(void)warm;
}

static const struct usb_port_ops replay_port_ops = {
	.submit = dev_submit,
	.cancel = dev_cancel,
	.reset = dev_reset,
};

static void take_back(struct replay *r, struct usb_xfer *t)
{
	if (t->prev)
		t->prev->next = t->next;
	else
		r->flying = t->next;
	if (t->next)
		t->next->prev = t->prev;
	t->prev = t->next = NULL;
}

static void call_xfer_done(struct replay *r, const struct xhci_tap_rec *c)
{
	struct usb_xfer *t = r->flying;

	while (t && t->dev_data != c->arg[0])
		t = t->next;
	if (!t) {
		damaged(r, "a transfer ends that was not submitted");
		return;
	}
	take_back(r, t);
	t->status = (enum usb_status)c->arg[1];
	t->actual = (uint32_t)c->arg[2];
	if (t->npackets) {
		t->packet->status = (enum usb_status)c->arg[3];
		t->packet->actual = (uint32_t)c->arg[4];
	}
	xhci_xfer_done(r->x, t);
}

static void call(struct replay *r, const struct xhci_tap_rec *c)
{
	struct xhci *x = r->x;

	switch (c->kind) {
	case XHCI_TAP_MMIO_READ:
		xhci_mmio_read(x, (uint32_t)c->arg[0], (unsigned)c->arg[1]);
		break;
	case XHCI_TAP_MMIO_WRITE:
		xhci_mmio_write(x, (uint32_t)c->arg[0], (unsigned)c->arg[1],
				c->arg[2]);
		break;
	case XHCI_TAP_RUN:
		xhci_run(x);
		break;
	case XHCI_TAP_TIMER:
		xhci_timer(x);
		break;
	case XHCI_TAP_RESET:
		xhci_reset(x);
		break;
	case XHCI_TAP_BUS_MASTER:
		xhci_set_bus_master(x, c->arg[0] != 0);
		break;
	case XHCI_TAP_INTR_MODE:
		xhci_set_intr_mode(x, (enum xhci_intr_mode)c->arg[0]);
		break;
	case XHCI_TAP_CONNECT:
		xhci_port_connect(x, (unsigned)c->arg[0],
				  (enum usb_speed)c->arg[1], &replay_port_ops,
				  r);
		break;
	case XHCI_TAP_DISCONNECT:
		xhci_port_disconnect(x, (unsigned)c->arg[0]);
		break;
	case XHCI_TAP_RESET_DONE:
		xhci_port_reset_done(x, (unsigned)c->arg[0], c->arg[1] != 0);
		break;
	case XHCI_TAP_WAKE:
		xhci_port_wake(x, (unsigned)c->arg[0]);
		break;
	case XHCI_TAP_PORT_FAULT:
		xhci_port_fault(x, (unsigned)c->arg[0],
				(enum xhci_port_fault)c->arg[1]);
		break;
	case XHCI_TAP_NOTIFY:
		xhci_port_notify(x, (unsigned)c->arg[0], (unsigned)c->arg[1],
				 c->arg[2]);
		break;
	case XHCI_TAP_XFER_DONE:
		call_xfer_done(r, c);
		break;
	default:
		break;
	}
}

static void replay_calls(struct replay *r)
{
	const struct xhci_tap_rec *e;
	struct xhci_tap_rec c;

	while ((e = due(r)) != NULL) {
		keep(&r->res->call, e);
		if (!rec_is_call(e)) {
			differ(r, NULL);
			return;
		}
		c = *e;
		call(r, &c);
		r->res->calls++;
	}
}

/* The devices give back what they have; nothing of it is compared. */
static void replay_end(struct replay *r)
{
	struct usb_xfer *t;

	r->over = true;
	xhci_reset(r->x);
	while ((t = r->flying) != NULL) {
		take_back(r, t);
		t->status = USB_CANCELLED;
		t->actual = 0;
		xhci_xfer_done(r->x, t);
	}
	xhci_destroy(r->x);
}

/* 0, or -EINVAL: no controller can be like that */
static int replay_begin(struct replay *r)
{
	int rc = xhci_create(&r->rd.start.cfg, &replay_host_ops, r, &r->x);

	if (rc < 0)
		return rc;
	rc = xhci_set_tap(r->x, &replay_tap_ops, r);
	if (rc < 0)
		xhci_destroy(r->x);
	return rc;
}

int replay_stream(struct rec_file *f, uint16_t stream,
		  struct replay_result *ret)
{
	struct replay *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	*ret = (struct replay_result){.verdict = REPLAY_SAME};
	r->res = ret;
	rc = rec_reader_start(&r->rd, f, stream);
	if (rc == 0) {
		ret->start = r->rd.start;
		rc = replay_begin(r);
		if (rc == -EINVAL)
			r->rd.why = "its controller cannot be";
	}
	if (rc == 0) {
		replay_calls(r);
		replay_end(r);
		ret->marked = r->rd.marked;
		ret->end = r->rd.end;
	} else if (rc == -EBADMSG || rc == -EINVAL) {
		damaged(r, r->rd.why);
		rc = 0;
	}
	free(r);
	return rc;
}
