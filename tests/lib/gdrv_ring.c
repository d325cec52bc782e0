/* SPDX-License-Identifier: BSD-2-Clause */
/* Rings as the producer sees them, xHCI 1.2 §4.9, and what became of a TRB. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/gdrv.h"

static bool trb_has_data(unsigned type)
{
	return type == TRB_NORMAL || type == TRB_DATA || type == TRB_ISOCH;
}

void gdrv_ring_init(struct gdrv *d, struct gdrv_ring *r, unsigned nsegs,
		    const unsigned *ntrbs)
{
	memset(r, 0, sizeof(*r));
	r->d = d;
	r->nsegs = nsegs;
	r->link_flags = d->opts.link_flags;
	for (unsigned s = 0; s < nsegs; s++) {
		r->seg[s].ntrbs = ntrbs[s];
		r->seg[s].gpa = guestmem_alloc(d->gm, ntrbs[s] * 16);
		r->seg[s].post = calloc(ntrbs[s], sizeof(struct gdrv_post));
		if (!r->seg[s].post)
			abort();
		r->total += ntrbs[s];
	}
	gdrv_ring_rewind(r);
	r->state = RING_RUNNING;
}

void gdrv_ring_fini(struct gdrv_ring *r)
{
	for (unsigned s = 0; s < r->nsegs; s++) {
		guestmem_free(r->d->gm, r->seg[s].gpa, r->seg[s].ntrbs * 16);
		free(r->seg[s].post);
	}
	r->nsegs = 0;
	r->state = RING_NONE;
}

void gdrv_ring_rewind(struct gdrv_ring *r)
{
	for (unsigned s = 0; s < r->nsegs; s++) {
		guestmem_set(r->d->gm, r->seg[s].gpa, 0, r->seg[s].ntrbs * 16);
		memset(r->seg[s].post, 0,
		       r->seg[s].ntrbs * sizeof(struct gdrv_post));
	}
	if (r->next_seq)
		gdrv_ring_drop(r, r->next_seq);
	r->es = r->ei = r->ds = r->di = 0;
	r->cycle = true;
	if (!r->next_seq)
		r->next_seq = r->done_seq = r->high_seq = 1;
	r->stopping = false;
	r->stopped_seq = 0;
}

/* Is there room for @t, Links included, with one TRB left over? */
static bool ring_fits(const struct gdrv_ring *r, const struct gdrv_trb *t,
		      unsigned n)
{
	unsigned s = r->es, i = r->ei, left, k = 0;

	left = r->total - 1 - gdrv_ring_pending(r);
	while (k < n) {
		bool end = i == r->seg[s].ntrbs - 1;
		bool link = t[k].type == TRB_LINK;

		if (!left-- || r->seg[s].post[i].live)
			return false;
		if (end || link) {
			s = (s + 1) % r->nsegs;
			i = 0;
		} else {
			i++;
		}
		if (!end || link)
			k++;
	}
	return !r->seg[s].post[i].live;
}

/* Write one TRB at the enqueue position; its control dword goes last. */
static void ring_put(struct gdrv_ring *r, const struct gdrv_trb *t,
		     uint32_t flags, struct gdrv_td *td, bool hold)
{
	struct gdrv_seg *seg = &r->seg[r->es];
	struct gdrv_post *p = &seg->post[r->ei];
	uint64_t gpa = seg->gpa + r->ei * 16u;
	uint64_t ptr = t->ptr == GDRV_SELF ? gpa : t->ptr;
	uint16_t intr = t->intr ? t->intr : r->intr;
	uint32_t ctl = flags | TRB_TYPE(t->type) | r->cycle;

	*p = (struct gdrv_post){.seq = r->next_seq++,
				.ptr = ptr,
				.len = t->len,
				.ctl = ctl,
				.before = td->bytes,
				.td = td->id,
				.chain = r->chain,
				.intr = r->d->opts.one_ring ? 0 : intr,
				.live = true};
	guestmem_w64(r->d->gm, gpa, ptr);
	guestmem_w32(r->d->gm, gpa + 8,
		     t->len | (uint32_t)(t->tdsize & 31u) << 17 |
			     (uint32_t)intr << 22);
	guestmem_w32(r->d->gm, gpa + 12, hold ? ctl ^ TRB_C : ctl);
	if (trb_has_data(t->type))
		td->bytes += t->len;
	if (t->type == TRB_EVENT_DATA)
		td->has_ed = true;
	td->last = p->seq;
}

/* A Link at the enqueue position, to the next segment, §4.11.5.1. */
static void ring_link(struct gdrv_ring *r, uint32_t flags, struct gdrv_td *td)
{
	unsigned next = (r->es + 1) % r->nsegs;
	struct gdrv_seg *seg = &r->seg[r->es];
	struct gdrv_trb link = {.type = TRB_LINK, .ptr = r->seg[next].gpa};

	if (next == 0)
		flags |= TRB_TC;
	/* what is passed over must not look posted on the next round */
	for (unsigned i = r->ei + 1; i < seg->ntrbs; i++)
		guestmem_w32(r->d->gm, seg->gpa + i * 16u + 12, r->cycle);
	ring_put(r, &link, flags, td, false);
	r->es = next;
	r->ei = 0;
	if (next == 0)
		r->cycle = !r->cycle;
}

int gdrv_post(struct gdrv_ring *r, const struct gdrv_trb *t, unsigned n,
	      uint32_t *ret_td)
{
	struct gdrv_td *td = &r->td[r->td_next % GDRV_TDS], links = {0};
	uint64_t first_gpa = 0;
	uint32_t prev = 0;

	if (!ring_fits(r, t, n))
		return -ENOSPC;
	if (td->first && !gdrv_td_ended(td))
		return -ENOSPC;
	*td = (struct gdrv_td){.id = r->td_next++};
	links.id = td->id;
	for (unsigned k = 0; k < n; k++) {
		uint32_t chain = prev & TRB_CH;
		struct gdrv_td *owner = k ? td : &links;

		if (t[k].type == TRB_LINK) {
			ring_link(r, t[k].flags, owner);
			prev = t[k].flags;
			continue;
		}
		if (r->ei == r->seg[r->es].ntrbs - 1)
			ring_link(r, r->link_flags | chain, owner);
		if (!chain)
			r->chain++;
		if (!k) {
			first_gpa = gdrv_ring_enqueue(r);
			td->first = r->next_seq;
		}
		ring_put(r, &t[k], t[k].flags, td, k == 0);
		r->ei++;
		prev = t[k].flags;
	}
	if (first_gpa)
		guestmem_w32(r->d->gm, first_gpa + 12,
			     gdrv_ring_at(r, first_gpa)->ctl);
	if (ret_td)
		*ret_td = td->id;
	return 0;
}

struct gdrv_td *gdrv_td(struct gdrv_ring *r, uint32_t id)
{
	struct gdrv_td *td = &r->td[id % GDRV_TDS];

	return td->id == id && td->first ? td : NULL;
}

bool gdrv_td_ended(const struct gdrv_td *td)
{
	return td->state != TD_OPEN && td->state != TD_SHORT;
}

struct gdrv_post *gdrv_ring_at(struct gdrv_ring *r, uint64_t gpa)
{
	for (unsigned s = 0; s < r->nsegs; s++) {
		const struct gdrv_seg *seg = &r->seg[s];

		if (gpa >= seg->gpa && gpa < seg->gpa + seg->ntrbs * 16u &&
		    gpa % 16 == 0)
			return &seg->post[(gpa - seg->gpa) / 16];
	}
	return NULL;
}

uint64_t gdrv_ring_gpa(struct gdrv_ring *r, uint64_t seq)
{
	if (seq == r->next_seq)
		return gdrv_ring_enqueue(r);
	for (unsigned s = 0; s < r->nsegs; s++)
		for (unsigned i = 0; i < r->seg[s].ntrbs; i++)
			if (r->seg[s].post[i].seq == seq)
				return r->seg[s].gpa + i * 16u;
	return 0;
}

uint64_t gdrv_ring_enqueue(const struct gdrv_ring *r)
{
	return r->seg[r->es].gpa + r->ei * 16u;
}

unsigned gdrv_ring_pending(const struct gdrv_ring *r)
{
	return (unsigned)(r->next_seq - r->done_seq);
}

static void td_end(struct gdrv_ring *r, struct gdrv_td *td,
		   enum gdrv_td_state state)
{
	td->state = state;
	r->tds_done++;
	if (r->on_done)
		r->on_done(r->arg, r, td);
}

/* The TRB at the dequeue position is the driver's again. */
static void ring_retire(struct gdrv_ring *r, struct gdrv_post *p, bool drop)
{
	struct gdrv_td *td = gdrv_td(r, p->td);
	unsigned type = TRB_GET_TYPE(p->ctl);

	p->live = false;
	r->done_seq++;
	if (type == TRB_LINK) {
		r->ds = (r->ds + 1) % r->nsegs;
		r->di = 0;
	} else {
		r->di++;
	}
	if (!td || gdrv_td_ended(td) || p->seq != td->last)
		return;
	if (drop) {
		td_end(r, td, TD_DROPPED);
		return;
	}
	if (td->state == TD_OPEN) {
		td->actual = td->has_ed ? td->ed_bytes : td->bytes;
		if (!td->events)
			td->cc = CC_SUCCESS;
	}
	td_end(r, td, TD_DONE);
}

static struct gdrv_post *ring_oldest(struct gdrv_ring *r)
{
	return &r->seg[r->ds].post[r->di];
}

void gdrv_ring_drop(struct gdrv_ring *r, uint64_t seq)
{
	void (*cb)(void *, struct gdrv_ring *, struct gdrv_td *) = r->on_done;

	r->on_done = NULL;
	while (r->done_seq < seq)
		ring_retire(r, ring_oldest(r), true);
	if (r->high_seq < seq)
		r->high_seq = seq;
	r->on_done = cb;
}

void gdrv_ring_pass(struct gdrv_ring *r, uint64_t seq, unsigned intr)
{
	if (r->high_seq < seq + 1)
		r->high_seq = seq + 1;
	while (r->done_seq < r->high_seq) {
		struct gdrv_post *p = ring_oldest(r);
		struct gdrv_td *td = gdrv_td(r, p->td);
		/* a Link passed over in a short TD need not say so */
		bool skipped = td && td->short_chain == p->chain &&
			       TRB_GET_TYPE(p->ctl) == TRB_LINK;
		bool due = p->ctl & TRB_IOC && !p->evented && !skipped &&
			   !(td && td->state == TD_ERROR);

		if (due && p->intr != intr)
			return;
		if (due)
			gdrv_fail(r->d,
				  "slot %u dci %u: no event for the IOC TRB "
				  "%llu (TD %u), a later one had its",
				  r->slot, r->dci, (unsigned long long)p->seq,
				  p->td);
		ring_retire(r, p, false);
	}
}
