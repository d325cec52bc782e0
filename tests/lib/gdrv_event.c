/* SPDX-License-Identifier: BSD-2-Clause */
/* The consumer of event rings, xHCI 1.2 §4.9.4, strict about what it takes. */
#include <errno.h>
#include <string.h>

#include "tests/lib/gdrv.h"

static bool cc_is_stopped(unsigned cc)
{
	return cc >= CC_STOPPED && cc <= CC_STOPPED_SHORT;
}

/* Codes after which an endpoint that is not isochronous runs on, §4.10.2. */
static bool cc_goes_on(unsigned cc)
{
	return cc == CC_SUCCESS || cc == CC_SHORT_PACKET;
}

static bool is_isoch(const struct gdrv_ring *r)
{
	return r->ep_type == EPT_ISOCH_IN || r->ep_type == EPT_ISOCH_OUT;
}

/*
 * The TRB an Event Data event speaks of: the oldest Event Data TRB with that
 * parameter that has had no event, §4.11.5.2.
 */
static struct gdrv_post *find_event_data(struct gdrv_ring *r, uint64_t param)
{
	unsigned s = r->ds, i = r->di;

	for (uint64_t seq = r->done_seq; seq < r->next_seq; seq++) {
		struct gdrv_post *p = &r->seg[s].post[i];

		if (TRB_GET_TYPE(p->ctl) == TRB_EVENT_DATA && p->ptr == param &&
		    !p->evented)
			return p;
		if (TRB_GET_TYPE(p->ctl) == TRB_LINK) {
			s = (s + 1) % r->nsegs;
			i = 0;
		} else {
			i++;
		}
	}
	return NULL;
}

/* Is the event one that this TRB may have, §4.10.1, §6.4.2.1? */
static void check_transfer(struct gdrv_ring *r, const struct gdrv_event *e,
			   const struct gdrv_post *p, const struct gdrv_td *td)
{
	struct gdrv *d = r->d;
	unsigned type = TRB_GET_TYPE(p->ctl);
	bool later = td->state == TD_SHORT && td->short_chain == p->chain;
	const char *wrong = NULL;

	if (!p->live)
		wrong = "a TRB the controller does not have";
	else if (p->evented)
		wrong = "a TRB that had its event";
	else if (td->state == TD_ERROR && !is_isoch(r))
		wrong = "a TD that ended with an error";
	else if (td->state == TD_ERROR && e->cc != td->cc)
		wrong = "a TD that failed otherwise";
	else if (e->intr != p->intr)
		wrong = "a TRB of another interrupter";
	else if (!e->ed && type == TRB_EVENT_DATA)
		wrong = "an Event Data TRB without ED";
	else if (!e->ed && e->len > p->len && type != TRB_LINK &&
		 type != TRB_NOOP)
		wrong = "a TRB shorter than the residual";
	else if (e->cc == CC_SUCCESS && !e->ed && e->len)
		wrong = "Success with a residual";
	else if (cc_goes_on(e->cc) && !(p->ctl & TRB_IOC) &&
		 !(p->ctl & TRB_ISP && e->cc == CC_SHORT_PACKET))
		wrong = "a TRB with neither IOC nor a short packet with ISP";
	else if (e->cc == CC_SHORT_PACKET && !e->ed && !e->len && p->len)
		wrong = "a short packet with nothing missing";
	else if (later && !e->ed && type != TRB_LINK && type != TRB_NOOP &&
		 cc_goes_on(e->cc) &&
		 (e->cc != CC_SHORT_PACKET || e->len != p->len))
		wrong = "the rest of a short TD, not Short Packet with all of "
			"its length missing";
	if (wrong)
		gdrv_fail(d,
			  "slot %u dci %u: event cc %u len %u ed %d for TRB "
			  "%llu type %u len %u (TD %u): %s",
			  e->slot, e->dci, e->cc, e->len, e->ed,
			  (unsigned long long)p->seq, type, p->len, p->td,
			  wrong);
}

/* Bytes moved, as the event tells it. */
static void td_account(struct gdrv_td *td, const struct gdrv_event *e,
		       const struct gdrv_post *p)
{
	unsigned type = TRB_GET_TYPE(p->ctl);

	if (e->ed) {
		td->ed_bytes += e->len;
		td->actual = td->ed_bytes;
		return;
	}
	if (type != TRB_NORMAL && type != TRB_DATA && type != TRB_ISOCH) {
		if (td->state == TD_OPEN && !td->has_ed)
			td->actual = p->before;
		return;
	}
	if (td->state == TD_OPEN && e->len <= p->len)
		td->actual = p->before + p->len - e->len;
}

static void take_stopped(struct gdrv_ring *r, const struct gdrv_event *e,
			 struct gdrv_post *p)
{
	if (!r->stopping)
		gdrv_fail(r->d, "slot %u dci %u: Stopped event, no command",
			  e->slot, e->dci);
	if (r->stopped_seq)
		gdrv_fail(r->d, "slot %u dci %u: two Stopped events", e->slot,
			  e->dci);
	r->stopped_cc = e->cc;
	r->stopped_len = e->len;
	r->stopped_seq = UINT64_MAX;
	if (!p)
		return;
	r->stopped_seq = p->seq;
	if (!p->live && e->cc != CC_STOPPED_LENGTH && gdrv_ring_pending(r))
		gdrv_fail(r->d, "slot %u dci %u: stopped on TRB %llu, done",
			  e->slot, e->dci, (unsigned long long)p->seq);
	if (p->live && p->seq > 1)
		gdrv_ring_pass(r, p->seq - 1, e->intr);
}

static void take_trb(struct gdrv_ring *r, struct gdrv_event *e,
		     struct gdrv_post *p)
{
	struct gdrv_td *td = gdrv_td(r, p->td);

	if (!td) {
		gdrv_fail(r->d, "slot %u dci %u: event for a TD long gone",
			  e->slot, e->dci);
		return;
	}
	e->td = td->id;
	td->events++;
	check_transfer(r, e, p, td);
	p->evented = true;
	td_account(td, e, p);
	if (cc_goes_on(e->cc)) {
		if (td->state == TD_OPEN)
			td->cc = e->cc;
		if (e->cc == CC_SHORT_PACKET && td->state == TD_OPEN) {
			td->state = TD_SHORT;
			td->short_chain = p->chain;
		}
		gdrv_ring_pass(r, p->seq, e->intr);
		return;
	}
	if (td->state ==
	    TD_ERROR) { /* isochronous: a later TRB of it, §4.9.1 */
		gdrv_ring_pass(r, p->seq, e->intr);
		return;
	}
	td->cc = e->cc;
	td->state = TD_ERROR;
	if (!is_isoch(r))
		r->state = RING_HALTED;
	gdrv_ring_pass(r, p->seq, e->intr);
	r->tds_done++;
	if (r->on_done)
		r->on_done(r->arg, r, td);
}

/* The ring of an event; with streams Event Data says nothing of where it is */
static struct gdrv_ring *event_ring(struct gdrv *d, const struct gdrv_event *e)
{
	struct gdrv_dev *v = d->dev[e->slot];
	struct gdrv_streams *s = v && e->dci < 32 ? v->streams[e->dci] : NULL;

	if (!v || e->dci >= 32)
		return NULL;
	for (unsigned i = 1; s && e->ed && i < s->n; i++)
		if (find_event_data(&s->ring[i], e->ptr))
			return &s->ring[i];
	return gdrv_dev_ring(v, e->dci, e->ptr);
}

static void take_transfer(struct gdrv *d, struct gdrv_event *e)
{
	struct gdrv_ring *r = event_ring(d, e);
	struct gdrv_post *p;

	if (!r || r->state == RING_NONE) {
		gdrv_fail(d, "event cc %u for slot %u dci %u, not enabled",
			  e->cc, e->slot, e->dci);
		return;
	}
	if (e->cc == CC_RING_UNDERRUN || e->cc == CC_RING_OVERRUN)
		return;
	if (r->state == RING_STOPPED || r->state == RING_HALTED)
		gdrv_fail(d, "event cc %u ptr %llx for slot %u dci %u, %s",
			  e->cc, (unsigned long long)e->ptr, e->slot, e->dci,
			  r->state == RING_STOPPED ? "stopped" : "halted");
	p = e->ed ? find_event_data(r, e->ptr) : gdrv_ring_at(r, e->ptr);
	if (cc_is_stopped(e->cc)) {
		take_stopped(r, e, p);
		return;
	}
	if (!p || !p->seq) {
		gdrv_fail(d,
			  "event cc %u for slot %u dci %u names %llx, which "
			  "is no TRB of its ring",
			  e->cc, e->slot, e->dci, (unsigned long long)e->ptr);
		return;
	}
	take_trb(r, e, p);
}

/* Commands complete in order, each with one event, §4.6.1. */
static void take_command(struct gdrv *d, struct gdrv_event *e)
{
	struct gdrv_ring *r = &d->cmd;
	struct gdrv_post *p = gdrv_ring_at(r, e->ptr);
	struct gdrv_td *td;

	if (e->cc == CC_CMD_RING_STOPPED) {
		d->cmd_ev = *e;
		return;
	}
	if (!p || !p->live || p->evented) {
		gdrv_fail(d, "command completion cc %u for %llx: no command",
			  e->cc, (unsigned long long)e->ptr);
		return;
	}
	p->evented = true;
	td = gdrv_td(r, p->td);
	e->td = p->td;
	d->cmd_ev = *e;
	if (td) {
		td->cc = e->cc;
		td->events++;
	}
	gdrv_ring_pass(r, p->seq, e->intr);
}

static void take_port(struct gdrv *d, const struct gdrv_event *e)
{
	unsigned port = (unsigned)(e->ptr >> 24 & 0xff);

	d->port_events++;
	if (!port || port > d->max_ports)
		gdrv_fail(d, "port status change of port %u", port);
	if (e->cc != CC_SUCCESS)
		gdrv_fail(d, "port status change with cc %u", e->cc);
}

static void take_event(struct gdrv *d, struct gdrv_event *e)
{
	switch (e->type) {
	case TRB_EV_TRANSFER:
		take_transfer(d, e);
		break;
	case TRB_EV_COMMAND:
		take_command(d, e);
		break;
	case TRB_EV_PORT:
		take_port(d, e);
		break;
	case TRB_EV_HOST:
	case TRB_EV_MFINDEX:
		break;
	default:
		gdrv_fail(d, "event of type %u", e->type);
	}
}

static bool next_event(struct gdrv *d, unsigned intr, struct gdrv_event *ret)
{
	struct gdrv_evring *er = &d->evr[intr];
	uint64_t gpa = er->seg[er->ds] + er->di * 16u;
	uint32_t ctl = guestmem_r32(d->gm, gpa + 12), st;

	if ((ctl & TRB_C) != er->cycle)
		return false;
	st = guestmem_r32(d->gm, gpa + 8);
	*ret = (struct gdrv_event){
		.ptr = guestmem_r64(d->gm, gpa),
		.time_ns = d->bus->now_ns(d->bus_p),
		.len = st & 0xffffff,
		.td = UINT32_MAX,
		.type = (uint8_t)TRB_GET_TYPE(ctl),
		.cc = (uint8_t)(st >> 24),
		.slot = (uint8_t)(ctl >> 24),
		.dci = (uint8_t)(ctl >> 16 & 31),
		.intr = (uint8_t)intr,
		.ed = ctl & TRB_ED,
	};
	if (ctl & 0x03fau)
		gdrv_fail(d, "event with reserved bits: control %08x", ctl);
	if (++er->di == er->ntrbs) {
		er->di = 0;
		if (++er->ds == er->nsegs) {
			er->ds = 0;
			er->cycle = !er->cycle;
		}
	}
	er->count++;
	return true;
}

void gdrv_erdp(struct gdrv *d, unsigned intr)
{
	struct gdrv_evring *er = &d->evr[intr];
	uint64_t v = er->seg[er->ds] + er->di * 16u;

	if (!d->opts.keep_ehb)
		v |= ERDP_EHB;
	gdrv_w64(d, d->rt + RT_IR(intr) + IR_ERDP, v | (er->ds & 7));
}

unsigned gdrv_poll(struct gdrv *d, unsigned intr, unsigned max)
{
	unsigned n = 0;

	while (n < max) {
		struct gdrv_event *e = &d->ev[d->nev % GDRV_EVENTS];

		if (!next_event(d, intr, e))
			break;
		d->nev++;
		n++;
		take_event(d, e);
	}
	if (!n)
		return 0;
	if (d->opts.inte) {
		uint32_t iman = d->rt + RT_IR(intr) + IR_IMAN;

		gdrv_w32(d, d->op + OP_USBSTS, STS_EINT);
		gdrv_w32(d, iman, IMAN_IP | IMAN_IE);
	}
	gdrv_erdp(d, intr);
	return n;
}

void gdrv_pump(struct gdrv *d)
{
	unsigned n, rounds = 0;

	do {
		n = 0;
		d->bus->run(d->bus_p);
		for (unsigned i = 0; !d->hold_events && i < d->opts.nintrs; i++)
			n += gdrv_poll(d, i, 4096);
	} while (n && ++rounds < 100000);
}

int gdrv_wait(struct gdrv *d, struct gdrv_ring *r, uint32_t id, unsigned ms)
{
	uint64_t end = gdrv_now(d) + ms * 1000000ull;

	for (;;) {
		struct gdrv_td *td = gdrv_td(r, id);

		gdrv_pump(d);
		if (!td || gdrv_td_ended(td))
			return 0;
		if (gdrv_now(d) >= end)
			return -ETIMEDOUT;
		d->bus->advance(d->bus_p, 125000);
	}
}

const struct gdrv_event *gdrv_event(const struct gdrv *d, uint64_t n)
{
	return &d->ev[n % GDRV_EVENTS];
}
