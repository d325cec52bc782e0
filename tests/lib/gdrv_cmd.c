/* SPDX-License-Identifier: BSD-2-Clause */
/* Commands (xHCI 1.2 §4.6), contexts (§6.2), a device's life. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/gdrv.h"

int gdrv_cmd_post(struct gdrv *d, uint64_t param, uint32_t status, uint32_t ctl,
		  uint32_t *ret_td)
{
	struct gdrv_trb t = {.ptr = param,
			     .len = status & 0x1ffff,
			     .tdsize = (uint8_t)(status >> 17 & 31),
			     .intr = (uint16_t)(status >> 22),
			     .type = (uint8_t)TRB_GET_TYPE(ctl),
			     .flags = ctl & 0xffff03feu};
	uint32_t td;
	int rc = gdrv_post(&d->cmd, &t, 1, &td);
	struct gdrv_post *p;

	if (rc)
		return rc;
	/* the interrupter target of a command is always 0 */
	p = gdrv_ring_at(
		&d->cmd,
		gdrv_ring_gpa(&d->cmd, d->cmd.td[td % GDRV_TDS].first));
	p->intr = 0;
	*ret_td = td;
	return 0;
}

int gdrv_cmd_wait(struct gdrv *d, uint32_t td)
{
	int rc = gdrv_wait(d, &d->cmd, td, 500);
	const struct gdrv_td *t = gdrv_td(&d->cmd, td);

	return rc ? rc : t ? t->cc : -ETIMEDOUT;
}

int gdrv_cmd_raw(struct gdrv *d, uint64_t param, uint32_t status, uint32_t ctl)
{
	uint32_t td;
	int rc = gdrv_cmd_post(d, param, status, ctl, &td);

	if (rc)
		return rc;
	gdrv_doorbell(d, 0, 0, 0);
	return gdrv_cmd_wait(d, td);
}

int gdrv_enable_slot(struct gdrv *d, unsigned slot_type, unsigned *ret_slot)
{
	int cc = gdrv_cmd_raw(d, 0, 0,
			      TRB_TYPE(TRB_ENABLE_SLOT) | slot_type << 16);

	if (cc != CC_SUCCESS)
		return cc;
	if (!d->cmd_ev.slot || d->cmd_ev.slot > d->opts.max_slots ||
	    d->dev[d->cmd_ev.slot])
		gdrv_fail(d, "Enable Slot gave slot %u", d->cmd_ev.slot);
	*ret_slot = d->cmd_ev.slot;
	return cc;
}

int gdrv_disable_slot(struct gdrv *d, unsigned slot)
{
	int cc = gdrv_cmd_raw(d, 0, 0,
			      TRB_TYPE(TRB_DISABLE_SLOT) | TRB_SLOT(slot));

	if (cc == CC_SUCCESS && d->dev[slot])
		gdrv_dev_free(d->dev[slot]);
	return cc;
}

struct gdrv_dev *gdrv_dev_new(struct gdrv *d, unsigned slot, unsigned port,
			      unsigned speed)
{
	static const uint16_t mps0[] = {8, 64, 8, 64, 512, 512};
	struct gdrv_dev *v = calloc(1, sizeof(*v));

	if (!v)
		abort();
	v->d = d;
	v->slot = (uint8_t)slot;
	v->port = (uint8_t)port;
	v->speed = (uint8_t)speed;
	v->mps0 = mps0[speed < 6 ? speed : 5];
	v->out_ctx = guestmem_alloc(d->gm, d->ctx_size * 32);
	v->in_ctx = guestmem_alloc(d->gm, d->ctx_size * 33);
	guestmem_w64(d->gm, d->dcbaa + slot * 8, v->out_ctx);
	d->dev[slot] = v;
	return v;
}

static void streams_release(struct gdrv_dev *v, unsigned dci)
{
	struct gdrv_streams *s = v->streams[dci];

	if (!s)
		return;
	for (unsigned i = 1; i < s->n; i++)
		gdrv_ring_fini(&s->ring[i]);
	guestmem_free(v->d->gm, s->array, s->n * 16u);
	free(s->ring);
	free(s);
	v->streams[dci] = NULL;
}

struct gdrv_ring *gdrv_dev_ring(struct gdrv_dev *v, unsigned dci, uint64_t gpa)
{
	struct gdrv_streams *s = v->streams[dci];

	for (unsigned i = 1; s && i < s->n; i++)
		if (gdrv_ring_at(&s->ring[i], gpa))
			return &s->ring[i];
	return v->ring[dci];
}

static void ring_release(struct gdrv_dev *v, unsigned dci)
{
	streams_release(v, dci);
	if (!v->ring[dci])
		return;
	gdrv_ring_fini(v->ring[dci]);
	free(v->ring[dci]);
	v->ring[dci] = NULL;
}

void gdrv_dev_free(struct gdrv_dev *v)
{
	if (!v)
		return;
	for (unsigned i = 0; i < 32; i++)
		ring_release(v, i);
	guestmem_free(v->d->gm, v->out_ctx, v->d->ctx_size * 32);
	guestmem_free(v->d->gm, v->in_ctx, v->d->ctx_size * 33);
	guestmem_w64(v->d->gm, v->d->dcbaa + v->slot * 8u, 0);
	v->d->dev[v->slot] = NULL;
	free(v);
}

void gdrv_in_w32(struct gdrv_dev *v, unsigned index, unsigned n, uint32_t w)
{
	guestmem_w32(v->d->gm, v->in_ctx + index * v->d->ctx_size + n * 4, w);
}

uint32_t gdrv_out_r32(struct gdrv_dev *v, unsigned index, unsigned n)
{
	return guestmem_r32(v->d->gm,
			    v->out_ctx + index * v->d->ctx_size + n * 4);
}

void gdrv_in_clear(struct gdrv_dev *v)
{
	guestmem_set(v->d->gm, v->in_ctx, 0, v->d->ctx_size * 33);
}

void gdrv_in_flags(struct gdrv_dev *v, uint32_t drop, uint32_t add)
{
	gdrv_in_w32(v, 0, 0, drop);
	gdrv_in_w32(v, 0, 1, add);
}

void gdrv_in_slot(struct gdrv_dev *v, unsigned entries)
{
	gdrv_in_w32(v, 1, 0, (uint32_t)v->speed << 20 | entries << 27);
	gdrv_in_w32(v, 1, 1, (uint32_t)v->port << 16);
	gdrv_in_w32(v, 1, 2, (uint32_t)v->d->opts.xfer_intr << 22);
}

static uint16_t ring_intr(const struct gdrv_dev *v, unsigned type)
{
	return type == EPT_ISOCH_IN || type == EPT_ISOCH_OUT
		       ? v->d->opts.isoch_intr
		       : v->d->opts.xfer_intr;
}

void gdrv_in_ep(struct gdrv_dev *v, const struct gdrv_epcfg *c, uint64_t ring,
		bool dcs)
{
	unsigned i = c->dci + 1u;
	bool isoch = c->type == EPT_ISOCH_IN || c->type == EPT_ISOCH_OUT;
	uint32_t avg = c->type == EPT_CONTROL ? 8 : c->max_esit;

	gdrv_in_w32(v, i, 0,
		    (uint32_t)c->mult << 8 | (uint32_t)c->interval << 16 |
			    (c->max_esit >> 16) << 24);
	gdrv_in_w32(v, i, 1,
		    (isoch ? 0u : 3u << 1) | (uint32_t)c->type << 3 |
			    (uint32_t)c->max_burst << 8 |
			    (uint32_t)c->mps << 16);
	gdrv_in_w32(v, i, 2, (uint32_t)ring | dcs);
	gdrv_in_w32(v, i, 3, (uint32_t)(ring >> 32));
	gdrv_in_w32(v, i, 4,
		    (avg ? avg & 0xffff : 3072) | (c->max_esit & 0xffff) << 16);
}

static struct gdrv_ring *ring_new(struct gdrv_dev *v,
				  const struct gdrv_epcfg *c)
{
	struct gdrv_ring *r = calloc(1, sizeof(*r));
	unsigned dflt = 256;

	if (!r)
		abort();
	gdrv_ring_init(v->d, r, c->nsegs ? c->nsegs : 1,
		       c->nsegs ? c->ntrbs : &dflt);
	r->slot = v->slot;
	r->dci = c->dci;
	r->ep_type = c->type;
	r->mps = c->mps;
	r->intr = ring_intr(v, c->type);
	ring_release(v, c->dci);
	v->ring[c->dci] = r;
	return r;
}

/* A ring for each stream id, and the contexts that name them, §6.2.4.1 */
static void streams_new(struct gdrv_dev *v, const struct gdrv_epcfg *c)
{
	struct gdrv_streams *s = calloc(1, sizeof(*s));
	const unsigned ntrbs = 64;

	if (!s)
		abort();
	s->n = 2u << c->streams;
	s->array = guestmem_alloc(v->d->gm, s->n * 16u);
	s->ring = calloc(s->n, sizeof(*s->ring));
	if (!s->ring)
		abort();
	for (unsigned i = 1; i < s->n; i++) {
		gdrv_ring_init(v->d, &s->ring[i], 1, &ntrbs);
		s->ring[i].slot = v->slot;
		s->ring[i].dci = c->dci;
		s->ring[i].ep_type = c->type;
		s->ring[i].mps = c->mps;
		s->ring[i].intr = ring_intr(v, c->type);
		guestmem_w64(v->d->gm, s->array + i * 16u,
			     gdrv_ring_enqueue(&s->ring[i]) | 1u << 1 | 1u);
	}
	v->streams[c->dci] = s;
	gdrv_in_w32(v, c->dci + 1u, 0,
		    (uint32_t)c->streams << 10 | 1u << 15 |
			    (uint32_t)c->interval << 16);
	gdrv_in_w32(v, c->dci + 1u, 2, (uint32_t)s->array);
	gdrv_in_w32(v, c->dci + 1u, 3, (uint32_t)(s->array >> 32));
}

int gdrv_address(struct gdrv_dev *v, bool bsr)
{
	struct gdrv_epcfg ep0 = {.dci = 1, .type = EPT_CONTROL, .mps = v->mps0};
	struct gdrv_ring *r = v->ring[1];

	if (!r)
		r = ring_new(v, &ep0);
	gdrv_in_clear(v);
	gdrv_in_flags(v, 0, 3);
	gdrv_in_slot(v, 1);
	gdrv_in_ep(v, &ep0, gdrv_ring_enqueue(r), r->cycle);
	return gdrv_cmd_raw(v->d, v->in_ctx, 0,
			    TRB_TYPE(TRB_ADDRESS_DEVICE) | TRB_SLOT(v->slot) |
				    (bsr ? TRB_BSR : 0));
}

int gdrv_evaluate(struct gdrv_dev *v, uint16_t mps0)
{
	struct gdrv_epcfg ep0 = {.dci = 1, .type = EPT_CONTROL, .mps = mps0};
	int cc;

	gdrv_in_clear(v);
	gdrv_in_flags(v, 0, 2);
	gdrv_in_ep(v, &ep0, gdrv_ring_enqueue(v->ring[1]), true);
	cc = gdrv_cmd_raw(v->d, v->in_ctx, 0,
			  TRB_TYPE(TRB_EVALUATE_CTX) | TRB_SLOT(v->slot));
	if (cc == CC_SUCCESS)
		v->mps0 = mps0;
	return cc;
}

static int configure(struct gdrv_dev *v, const struct gdrv_epcfg *ep,
		     unsigned n, bool drop)
{
	uint32_t add = 1;
	unsigned entries = 1;

	for (unsigned i = 1; i < 32; i++)
		if (v->ring[i])
			entries = i;
	gdrv_in_clear(v);
	for (unsigned k = 0; k < n; k++) {
		struct gdrv_ring *r = ring_new(v, &ep[k]);

		add |= 1u << ep[k].dci;
		if (ep[k].dci > entries)
			entries = ep[k].dci;
		gdrv_in_ep(v, &ep[k], gdrv_ring_enqueue(r), r->cycle);
		if (ep[k].streams)
			streams_new(v, &ep[k]);
	}
	gdrv_in_flags(v, drop ? add & ~1u : 0, add);
	gdrv_in_slot(v, entries);
	return gdrv_cmd_raw(v->d, v->in_ctx, 0,
			    TRB_TYPE(TRB_CONFIGURE_EP) | TRB_SLOT(v->slot));
}

int gdrv_configure(struct gdrv_dev *v, const struct gdrv_epcfg *ep, unsigned n)
{
	return configure(v, ep, n, false);
}

int gdrv_replace(struct gdrv_dev *v, const struct gdrv_epcfg *ep, unsigned n)
{
	return configure(v, ep, n, true);
}

/* All endpoints but EP0 are gone. */
static void rings_release(struct gdrv_dev *v)
{
	for (unsigned i = 2; i < 32; i++)
		ring_release(v, i);
}

int gdrv_deconfigure(struct gdrv_dev *v)
{
	int cc = gdrv_cmd_raw(v->d, 0, 0,
			      TRB_TYPE(TRB_CONFIGURE_EP) | TRB_DC |
				      TRB_SLOT(v->slot));

	if (cc == CC_SUCCESS)
		rings_release(v);
	return cc;
}

int gdrv_drop_ep(struct gdrv_dev *v, unsigned dci)
{
	unsigned entries = 1;
	int cc;

	for (unsigned i = 1; i < 32; i++)
		if (v->ring[i] && i != dci)
			entries = i;
	gdrv_in_clear(v);
	gdrv_in_flags(v, 1u << dci, 1);
	gdrv_in_slot(v, entries);
	cc = gdrv_cmd_raw(v->d, v->in_ctx, 0,
			  TRB_TYPE(TRB_CONFIGURE_EP) | TRB_SLOT(v->slot));
	if (cc == CC_SUCCESS)
		ring_release(v, dci);
	return cc;
}

/* The ring of an endpoint, and those of its streams */
static struct gdrv_ring *ep_ring(struct gdrv_dev *v, unsigned dci, unsigned i)
{
	struct gdrv_streams *s = v->streams[dci];

	if (i == 0)
		return v->ring[dci];
	return s && i < s->n ? &s->ring[i] : NULL;
}

int gdrv_stop_ep(struct gdrv_dev *v, unsigned dci)
{
	struct gdrv_ring *r;
	int cc;

	for (unsigned i = 0; (r = ep_ring(v, dci, i)); i++) {
		r->stopping = true;
		r->stopped_seq = 0;
		r->stopped_cc = 0;
	}
	cc = gdrv_cmd_raw(v->d, 0, 0,
			  TRB_TYPE(TRB_STOP_EP) | TRB_EP(dci) |
				  TRB_SLOT(v->slot));
	for (unsigned i = 0; (r = ep_ring(v, dci, i)); i++) {
		r->stopping = false;
		if (cc == CC_SUCCESS)
			r->state = RING_STOPPED;
	}
	return cc;
}

int gdrv_reset_ep(struct gdrv_dev *v, unsigned dci, bool tsp)
{
	int cc = gdrv_cmd_raw(v->d, 0, 0,
			      TRB_TYPE(TRB_RESET_EP) | TRB_EP(dci) |
				      (tsp ? TRB_TSP : 0) | TRB_SLOT(v->slot));

	if (cc == CC_SUCCESS && v->ring[dci])
		v->ring[dci]->state = RING_STOPPED;
	return cc;
}

int gdrv_set_dequeue(struct gdrv_dev *v, unsigned dci, uint64_t seq)
{
	return gdrv_stream_dequeue(v, dci, 0, seq);
}

int gdrv_stream_dequeue(struct gdrv_dev *v, unsigned dci, unsigned stream,
			uint64_t seq)
{
	struct gdrv_ring *r = ep_ring(v, dci, stream);
	uint64_t gpa;
	bool dcs;
	int cc;

	if (!seq)
		seq = r->next_seq;
	gpa = gdrv_ring_gpa(r, seq);
	dcs = seq == r->next_seq ? r->cycle : gdrv_ring_at(r, gpa)->ctl & TRB_C;
	cc = gdrv_cmd_raw(
		v->d, gpa | dcs | (stream ? 1u << 1 : 0), stream << 16,
		TRB_TYPE(TRB_SET_DEQUEUE) | TRB_EP(dci) | TRB_SLOT(v->slot));
	if (cc == CC_SUCCESS)
		gdrv_ring_drop(r, seq);
	return cc;
}

int gdrv_reset_device(struct gdrv_dev *v)
{
	int cc = gdrv_cmd_raw(v->d, 0, 0,
			      TRB_TYPE(TRB_RESET_DEVICE) | TRB_SLOT(v->slot));

	if (cc == CC_SUCCESS)
		rings_release(v);
	return cc;
}

unsigned gdrv_ep_state(struct gdrv_dev *v, unsigned dci)
{
	return gdrv_out_r32(v, dci, 0) & 7;
}

unsigned gdrv_slot_state(struct gdrv_dev *v)
{
	return gdrv_out_r32(v, 0, 3) >> 27;
}

uint64_t gdrv_ep_dequeue(struct gdrv_dev *v, unsigned dci, bool *ret_dcs)
{
	uint64_t p = gdrv_out_r32(v, dci, 2) | (uint64_t)gdrv_out_r32(v, dci, 3)
						       << 32;

	if (ret_dcs)
		*ret_dcs = p & 1;
	return p & ~15ull;
}

struct gdrv_dev *gdrv_dev_enable(struct gdrv *d, unsigned port)
{
	int speed = gdrv_port_reset(d, port, false), cc;
	unsigned slot;

	if (speed < 0) {
		gdrv_fail(d, "port %u: reset: %d", port, speed);
		return NULL;
	}
	cc = gdrv_enable_slot(d, d->port[port].slot_type, &slot);
	if (cc != CC_SUCCESS) {
		gdrv_fail(d, "port %u: Enable Slot: %d", port, cc);
		return NULL;
	}
	return gdrv_dev_new(d, slot, port, (unsigned)speed);
}

struct gdrv_dev *gdrv_open(struct gdrv *d, unsigned port)
{
	struct gdrv_dev *v = gdrv_dev_enable(d, port);
	int cc = v ? gdrv_address(v, false) : 0;

	if (!v || cc == CC_SUCCESS)
		return v;
	gdrv_fail(d, "port %u: Address Device: %d", port, cc);
	gdrv_disable_slot(d, v->slot);
	return NULL;
}
