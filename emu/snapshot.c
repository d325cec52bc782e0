/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snapshot.c - the controller's state as bytes and back: for a VMM that moves
 * or suspends its guest, and for Save and Restore State, xHCI 1.2 §4.23.2.
 *
 * Each snap_x() below says once what there is of x, for both directions. What
 * is read is checked like what a guest writes: numbers out of range make the
 * whole of it wrong. Nothing is in flight while either is done.
 */
#include "emu/snap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "emu/core.h"

#define MAGIC 0x70616e7369636876ull /* "vhcisnap" */
#define VERSION 1u

static void snap_ring(struct snap *s, struct xhci_ring *r)
{
	SNAP(s, r->deq);
	SNAP_BOOL(s, r->ccs);
	snap_check(s, r->deq % TRB_SIZE == 0);
}

static void snap_elem(struct snap *s, struct td_elem *e)
{
	SNAP(s, e->gpa);
	SNAP(s, e->param);
	SNAP_MAX(s, e->len, TRB_LEN(UINT32_MAX)); /* also one that cannot be */
	SNAP_MAX(s, e->intr, XHCI_NINTRS - 1);
	SNAP_MAX(s, e->type, 63);
	SNAP_BOOL(s, e->ioc);
	SNAP_BOOL(s, e->isp);
	SNAP_BOOL(s, e->bei);
	SNAP_BOOL(s, e->ccs);
}

/* A TD that the device has done, and whose events found no room */
static void snap_td(struct snap *s, struct xhci *x, struct xhci_td *td)
{
	uint32_t n = td->nelem;

	SNAP_MAX(s, n, TD_MAX_TRBS);
	for (uint32_t i = 0; i < n && !s->err; i++) {
		struct td_elem *e =
			s->reading ? td_add_elem(x, td) : &td->elem[i];

		if (!e) {
			s->err = -ENOMEM;
			break;
		}
		if (s->reading)
			*e = (struct td_elem){0};
		snap_elem(s, e);
	}
	SNAP_MAX(s, td->xfer.status, USB_NSTATUS - 1);
	SNAP(s, td->xfer.length);
	SNAP_MAX(s, td->xfer.actual, td->xfer.length);
	SNAP_BOOL(s, td->xfer.in);
	snap_ring(s, &td->start);
	snap_ring(s, &td->end);
	SNAP(s, td->skip);
	SNAP(s, td->edtla);
	SNAP_MAX(s, td->walk.i, n);
	SNAP(s, td->walk.left);
	SNAP(s, td->walk.edtla);
	SNAP(s, td->walk.stop);
	SNAP_BOOL(s, td->walk.shorted);
	SNAP_BOOL(s, td->walk.ended);
	SNAP_MAX(s, td->cc, CC_SPLIT_TRANSACTION);
	SNAP_BOOL(s, td->cancelled);
	SNAP_BOOL(s, td->has_io);
	SNAP_BOOL(s, td->control);
	SNAP_BOOL(s, td->isoch);
	/* who has nothing to tell of must have an error to tell */
	snap_check(s, n > 0 || td->cc != CC_INVALID);
	snap_check(s, n > 0 || !td->cancelled);
	if (s->reading && td->walk.stop > n)
		td->walk.stop = n;
}

static void snap_tds(struct snap *s, struct xhci_epq *q)
{
	struct xhci *x = q->ep->slot->x;
	struct xhci_td *td = q->head;
	uint32_t n = q->ntds;

	/* an endpoint with streams has none but on their rings */
	SNAP_MAX(s, n, q->ep->stream && !q->stream ? 0 : EPQ_MAX_ISOCH);
	for (uint32_t i = 0; i < n && !s->err; i++) {
		if (s->reading) {
			td = td_get(x);
			if (!td) {
				s->err = -ENOMEM;
				return;
			}
			td_begin(td, q);
			td->state = TD_DONE;
			epq_append(q, td);
		}
		snap_td(s, x, td);
		td = td->next;
	}
}

static void snap_queue(struct snap *s, struct xhci_epq *q)
{
	snap_ring(s, &q->deq);
	SNAP(s, q->resume_off);
	SNAP(s, q->resume_edtla);
	SNAP_BOOL(s, q->resume_short);
	SNAP_BOOL(s, q->rewound);
	SNAP_BOOL(s, q->stop_known);
	SNAP_MAX(s, q->stop_intr, XHCI_NINTRS - 1);
	SNAP(s, q->stop_len);
	snap_tds(s, q);
	if (s->reading)
		q->fetch = q->tail ? q->tail->end : q->deq;
}

static void snap_streams(struct snap *s, struct xhci_ep *ep)
{
	struct xhci_epq *q = ep->q.sib;
	uint32_t n = 0, id = 0;

	for (struct xhci_epq *i = q; i; i = i->sib)
		n++;
	SNAP_MAX(s, n, ep->nstreams);
	for (; n && !s->err; n--) {
		if (!s->reading)
			id = q->stream;
		SNAP_MAX(s, id, ep->nstreams - 1);
		snap_check(s, id != 0 && !ep->stream[id]);
		if (s->reading && !s->err)
			q = stream_add(ep, id);
		if (!q)
			s->err = -ENOMEM;
		if (s->err)
			return;
		SNAP_MAX(s, q->sct, 7);
		SNAP(s, q->sctx);
		snap_queue(s, q);
		if (!s->reading)
			q = q->sib;
	}
}

static void snap_ep(struct snap *s, struct xhci_slot *slot, unsigned dci)
{
	struct xhci_ep *ep = slot->ep[dci];
	bool there = ep != NULL;
	struct usb_ep_info info;
	uint32_t ctx[5] = {0};

	SNAP_BOOL(s, there);
	if (!there || s->err)
		return;
	for (unsigned i = 0; i < 5; i++) {
		ctx[i] = ep ? ep->ctx[i] : 0;
		SNAP(s, ctx[i]);
	}
	if (s->reading && !s->err) {
		snap_check(s, ep_info_decode(dci, ctx, &info) == CC_SUCCESS);
		if (s->err)
			return;
		ep = slot->ep[dci] = ep_create(slot, dci, ctx, &info);
		if (!ep)
			s->err = -ENOMEM;
	}
	if (!ep || s->err)
		return;
	SNAP_MAX(s, ep->state, EP_NSTATES - 1);
	/* with all of them back it is the same which of them are kept */
	if (ep->drain == DRAIN_DROP)
		ep->drain = DRAIN_STOP;
	SNAP_MAX(s, ep->drain, DRAIN_STOP);
	snap_check(s, ep->state != EP_DISABLED);
	snap_queue(s, &ep->q);
	if (ep->stream)
		snap_streams(s, ep);
}

static void snap_slot(struct snap *s, struct xhci_slot *slot)
{
	SNAP_MAX(s, slot->state, SLOT_NSTATES - 1);
	if (slot->state == SLOT_DISABLED || s->err)
		return;
	SNAP_MAX(s, slot->port, slot->x->nports);
	snap_check(s, (slot->port != 0) == (slot->state >= SLOT_DEFAULT));
	SNAP(s, slot->plug);
	for (unsigned i = 0; i < 4; i++)
		SNAP(s, slot->ctx[i]);
	snap_check(s, SLOT_CTX_INTR(slot->ctx[2]) < XHCI_NINTRS);
	SNAP(s, slot->octx);
	SNAP_BOOL(s, slot->bw_asked);
	SNAP(s, slot->notes);
	for (unsigned i = 0; i < NOTE_TYPES; i++)
		if (slot->notes & 1u << i)
			SNAP(s, slot->note[i]);
	for (unsigned d = 1; d < NDCI; d++)
		snap_ep(s, slot, d);
	snap_check(s, slot->state < SLOT_DEFAULT || slot->ep[1]);
}

/* Where an event ring is written; its registers are software's to restore */
void snap_event_ring(struct snap *s, struct xhci_intr *it)
{
	it->room = 0; /* it is looked at anew */
	SNAP_BOOL(s, it->loaded);
	if (!it->loaded || s->err)
		return;
	SNAP_MAX(s, it->nseg, ERST_MAX);
	SNAP_BOOL(s, it->pcs);
	SNAP_BOOL(s, it->full);
	for (unsigned i = 0; i < it->nseg && !s->err; i++) {
		SNAP(s, it->seg[i].base);
		SNAP_MAX(s, it->seg[i].size, 4096);
		snap_check(s,
			   it->seg[i].size >= 16 && it->seg[i].base % 64 == 0);
	}
	SNAP(s, it->cur);
	snap_check(s, it->cur < it->nseg);
	if (s->err)
		return;
	SNAP_MAX(s, it->idx, it->seg[it->cur].size - 1);
}

static void snap_intr(struct snap *s, struct xhci_intr *it, uint64_t now)
{
	uint64_t left = it->next_ns > now ? it->next_ns - now : 0;

	SNAP_MAX(s, it->iman, 3);
	SNAP_MAX(s, it->imod, 0xffff);
	SNAP_MAX(s, it->erstsz, ERST_MAX);
	SNAP(s, it->erstba);
	SNAP(s, it->erdp);
	SNAP_BOOL(s, it->pending);
	SNAP_MAX(s, left, 0xffffull * 250);
	if (s->reading)
		it->next_ns = now + left;
	snap_event_ring(s, it);
}

static void snap_trb(struct snap *s, struct xhci_trb *t)
{
	SNAP(s, t->param);
	SNAP(s, t->status);
	SNAP(s, t->control);
}

/* The command ring; a command under way waits for room for an event */
static void snap_cmd(struct snap *s, struct xhci *x)
{
	struct xhci_cmd *c = &x->cmd;
	uint8_t slot = c->slot ? c->slot->id : 0;

	snap_ring(s, &c->ring);
	SNAP_BOOL(s, c->running);
	SNAP_BOOL(s, c->stop);
	SNAP_BOOL(s, c->abort);
	SNAP_BOOL(s, c->doorbell);
	SNAP_BOOL(s, c->held);
	SNAP(s, c->held_cc);
	SNAP(s, c->held_slot);
	SNAP(s, c->held_gpa);
	SNAP_BOOL(s, c->busy);
	if (!c->busy || s->err)
		return;
	SNAP_BOOL(s, c->aborted);
	SNAP(s, c->gpa);
	snap_trb(s, &c->trb);
	SNAP(s, c->wait_mask);
	SNAP_MAX(s, slot, XHCI_MAX_SLOTS);
	if (s->reading && !s->err) {
		c->slot = slot_get(x, slot);
		snap_check(s, c->slot && command_can_wait(x));
	}
}

/* What is plugged in is the embedding program's to plug in again. */
static void snap_port(struct snap *s, struct xhci_port *p, bool *ret_had,
		      bool *ret_same)
{
	uint8_t speed = p->speed;

	*ret_had = p->ops != NULL;
	SNAP_MAX(s, p->state, PORT_NSTATES - 1);
	SNAP_BOOL(s, *ret_had);
	SNAP_MAX(s, speed, USB_SPEED_MAX);
	SNAP_BOOL(s, p->warm);
	SNAP_BOOL(s, p->oca);
	SNAP_BOOL(s, p->fwake);
	SNAP(s, p->lec);
	SNAP(s, p->plug);
	SNAP_MAX(s, p->changes, PORTSC_CHANGES);
	SNAP_MAX(s, p->wakes, PORTSC_WAKES);
	SNAP_MAX(s, p->pic, PORTSC_PIC);
	SNAP(s, p->portpmsc);
	SNAP(s, p->porthlpmc);
	snap_check(s, !(p->changes & ~PORTSC_CHANGES));
	snap_check(s, *ret_had || p->state < PORT_RESET);
	*ret_same = *ret_had && p->ops && p->speed == speed;
}

static void snap_config(struct snap *s, const struct xhci_config *cfg)
{
	struct xhci_config c = *cfg;

	SNAP(s, c.usb2_ports);
	SNAP(s, c.usb3_ports);
	SNAP_BOOL(s, c.ctx64);
	SNAP(s, c.scratchpads);
	if (s->reading && !s->err &&
	    (c.usb2_ports != cfg->usb2_ports ||
	     c.usb3_ports != cfg->usb3_ports || c.ctx64 != cfg->ctx64 ||
	     c.scratchpads != cfg->scratchpads))
		s->err = -ENOTSUP;
}

static void snap_regs(struct snap *s, struct xhci *x)
{
	uint64_t uf = mfindex_now(x);

	SNAP_MAX(s, x->usbcmd, CMD_RS | CMD_INTE | CMD_HSEE | CMD_EWE);
	SNAP_MAX(s, x->usbsts, 2 * STS_HCE - 1);
	SNAP_MAX(s, x->dnctrl, 0xffff);
	SNAP_MAX(s, x->config, CONFIG_SLOTS | CONFIG_U3E);
	SNAP(s, x->dcbaap);
	SNAP_MAX(s, x->legsup, LEGSUP_OS | LEGSUP_BIOS);
	SNAP(s, x->belt);
	SNAP_MAX(s, uf, UINT64_MAX / 250000);
	SNAP(s, x->port_events);
	snap_check(s, !(x->usbsts & STS_CNR) &&
			      !(x->usbsts & STS_HCH) == !!(x->usbcmd & CMD_RS));
	if (!s->reading)
		return;
	x->mfindex_base = uf;
	x->run_ns = x->ops->now_ns(x->host);
	x->wrap_uf = (uf / MFINDEX_WRAP + 1) * MFINDEX_WRAP;
}

void snap_slots(struct snap *s, struct xhci *x)
{
	for (unsigned i = 0; i < XHCI_MAX_SLOTS && !s->err; i++)
		snap_slot(s, &x->slot[i]);
}

/* What CSS kept, if software sleeps now */
static void snap_saved(struct snap *s, struct xhci *x)
{
	uint64_t n = x->saved_len;

	snap_num(s, &n, 1u << 24);
	SNAP_BOOL(s, x->saved_lost);
	snap_check(s, n <= s->len - s->at && !(n && xhci_running(x)));
	for (unsigned i = 0; x->saved_lost && i < XHCI_MAX_SLOTS; i++)
		snap_check(s, n && x->slot[i].state == SLOT_DISABLED);
	if (s->reading && !s->err && n) {
		x->saved = malloc(n);
		x->saved_len = x->saved ? n : 0;
		if (!x->saved)
			s->err = -ENOMEM;
	}
	if (!s->err && n)
		snap_bytes(s, x->saved, n);
}

/* Bits of ports: there was a device; there is one that can take its place */
struct plugged {
	uint32_t had, same;
};

static void snap_all(struct snap *s, struct xhci *x, struct plugged *ret)
{
	uint64_t magic = MAGIC, now = x->ops->now_ns(x->host);
	uint32_t version = VERSION;
	bool had, same;

	SNAP(s, magic);
	snap_check(s, magic == MAGIC);
	SNAP(s, version);
	if (s->reading && !s->err && version != VERSION)
		s->err = -ENOTSUP;
	snap_config(s, &x->cfg);
	snap_regs(s, x);
	for (unsigned i = 0; i < x->nports && !s->err; i++) {
		snap_port(s, &x->port[i], &had, &same);
		ret->had |= (uint32_t)had << i;
		ret->same |= (uint32_t)same << i;
	}
	for (unsigned i = 0; i < XHCI_NINTRS && !s->err; i++)
		snap_intr(s, &x->intr[i], now);
	snap_slots(s, x);
	snap_cmd(s, x);
	snap_saved(s, x);
}

int xhci_snapshot(struct xhci *x, uint8_t **ret_buf, size_t *ret_len)
{
	struct snap s = {0};
	struct plugged dev = {0};

	if (!x->paused || x->nflight || x->resetting ||
	    (x->cmd.busy && !command_can_wait(x)))
		return -EBUSY;
	snap_all(&s, x, &dev);
	snap_finish(&s);
	if (s.err) {
		free(s.buf);
		return s.err;
	}
	*ret_buf = s.buf;
	*ret_len = s.len;
	return 0;
}

/* Devices hear what the one before had been told. */
void slots_tell(struct xhci *x)
{
	for (unsigned i = 0; i < XHCI_MAX_SLOTS; i++) {
		struct xhci_slot *s = &x->slot[i];
		struct xhci_port *p = slot_port(s);

		if (!p || !p->ops)
			continue;
		for (unsigned d = 2; d < NDCI; d++)
			if (s->ep[d])
				slot_tell_ep(x, p, &s->ep[d]->info);
	}
}

/* What cannot be restored leaves a controller as it was created. */
static void restore_failed(struct xhci *x)
{
	for (unsigned i = 0; i < XHCI_MAX_SLOTS; i++) {
		x->slot[i].port = 0; /* no device has heard of it */
		slot_disable(&x->slot[i]);
	}
	free(x->saved);
	x->saved = NULL;
	x->saved_len = 0;
	x->saved_lost = false;
	x->paused = false;
	x->usbcmd = 0;
	x->usbsts = STS_HCH;
	intr_reset(x);
	command_reset(x);
	for (unsigned i = 0; i < x->nports; i++)
		x->port[i].oca = x->port[i].fwake = false;
	port_reset_all(x);
}

bool xhci_is_unused(const struct xhci *x)
{
	for (unsigned i = 0; i < XHCI_MAX_SLOTS; i++)
		if (x->slot[i].state != SLOT_DISABLED)
			return false;
	return !x->tap && !x->nflight && !x->resetting && !xhci_running(x) &&
	       !x->saved;
}

int xhci_restore(struct xhci *x, const uint8_t *buf, size_t len,
		 uint32_t new_ports)
{
	struct plugged dev = {0};
	struct snap s;

	if (!xhci_is_unused(x))
		return -EBUSY;
	snap_start(&s, buf, len);
	if (s.err)
		return s.err;
	x->paused = true;
	snap_all(&s, x, &dev);
	snap_check(&s, s.at == s.len);
	if (s.err) {
		restore_failed(x);
		return s.err;
	}
	for (unsigned i = 0; i < x->nports; i++)
		port_restored(x, &x->port[i], dev.had & 1u << i,
			      dev.same & ~(new_ports >> 1) & 1u << i);
	slots_tell(x);
	x->saved_untold = x->saved_lost;
	x->notify = true;
	timer_update(x);
	return 0;
}
