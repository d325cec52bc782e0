/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * intr.c - event rings and interrupters, xHCI 1.2 §4.9.4, §4.17, §5.5.2.
 *
 * Only the interrupt is gated by IE, INTE, EHB and IMOD; events are written
 * whatever these say. A full ring is a reason to wait: whoever has an event
 * that found no room keeps what it is about and comes again.
 */
#include "emu/core.h"

/* Software says where the ring is; it is looked at when first needed. */
static COLD bool erst_load(struct xhci *x, struct xhci_intr *it)
{
	uint32_t dw[4];

	for (uint32_t i = 0; i < it->erstsz; i++) {
		if (mem_read(x, it->erstba + 16u * i, dw, sizeof(dw)) != 0) {
			xhci_fail_hse(x, "event ring segment table not in "
					 "guest memory");
			return false;
		}
		it->seg[i].base = dw[0] | (uint64_t)dw[1] << 32;
		it->seg[i].size = dw[2] & 0xffff;
		/* §6.5 */
		if (it->seg[i].size < 16 || it->seg[i].size > 4096 ||
		    (it->seg[i].base & 63)) {
			xhci_fail_hce(x, "event ring segment of wrong size or "
					 "alignment");
			return false;
		}
	}
	it->nseg = (uint8_t)it->erstsz;
	it->cur = 0;
	it->idx = 0;
	it->pcs = true;
	it->full = false;
	it->loaded = true;
	return true;
}

struct enq {
	uint8_t cur;
	uint32_t idx;
};

static uint64_t enq_gpa(const struct xhci_intr *it, struct enq e)
{
	return it->seg[e.cur].base + (uint64_t)e.idx * TRB_SIZE;
}

static struct enq enq_next(const struct xhci_intr *it, struct enq e)
{
	if (++e.idx == it->seg[e.cur].size) {
		e.idx = 0;
		if (++e.cur == it->nseg)
			e.cur = 0;
	}
	return e;
}

static bool erdp_inside(const struct xhci_intr *it, uint64_t deq)
{
	for (unsigned i = 0; i < it->nseg; i++)
		if (deq >= it->seg[i].base &&
		    deq - it->seg[i].base < it->seg[i].size * TRB_SIZE)
			return true;
	return false;
}

static uint64_t erdp_gpa(const struct xhci_intr *it)
{
	return it->erdp & ~(uint64_t)0xf;
}

/* Is there a ring, and is what software says of it sane? */
static bool ring_usable(struct xhci *x, struct xhci_intr *it)
{
	if (it->erstsz == 0 || !x->bus_master)
		return false;
	if (!it->loaded && !erst_load(x, it))
		return false;
	if (!erdp_inside(it, erdp_gpa(it))) {
		xhci_fail_hce(x, "event ring dequeue pointer outside the ring");
		return false;
	}
	return true;
}

enum room { ROOM, ROOM_LAST, ROOM_NONE };

/* §4.9.4: the ring is full when the next place is where software reads */
static enum room ring_room(const struct xhci_intr *it)
{
	struct enq e = enq_next(it, (struct enq){it->cur, it->idx});
	uint64_t deq = erdp_gpa(it);

	if (enq_gpa(it, e) == deq)
		return ROOM_NONE;
	if (enq_gpa(it, enq_next(it, e)) == deq)
		return ROOM_LAST;
	return ROOM;
}

/*
 * ERDP is not looked at for each event: so many fit before it, or before the end
 * of the segment, until it is written again.
 */
static uint32_t room_ahead(const struct xhci_intr *it)
{
	uint64_t at = enq_gpa(it, (struct enq){it->cur, it->idx});
	uint64_t ahead = erdp_gpa(it) - at;
	uint32_t n = it->seg[it->cur].size - it->idx;

	if (ahead && ahead / TRB_SIZE < n)
		n = (uint32_t)(ahead / TRB_SIZE);
	return n > 2 ? n - 2 : 0;
}

static void ring_write(struct xhci *x, struct xhci_intr *it,
		       struct xhci_trb *ev)
{
	struct enq e = {it->cur, it->idx};

	ev->control = (ev->control & ~TRB_C) | (it->pcs ? TRB_C : 0);
	if (mem_write_trb(x, enq_gpa(it, e), ev) != 0) {
		xhci_fail_hse(x, "event ring not in guest memory");
		return;
	}
	x->stats.events++;
	if (it->room)
		it->room--;
	e = enq_next(it, e);
	if (e.cur == 0 && e.idx == 0)
		it->pcs = !it->pcs;
	it->cur = e.cur;
	it->idx = e.idx;
}

static void pin_update(struct xhci *x)
{
	bool level = false;

	for (unsigned i = 0; i < XHCI_NINTRS; i++)
		if ((x->intr[i].iman & (IMAN_IP | IMAN_IE)) ==
		    (IMAN_IP | IMAN_IE))
			level = true;
	if (!(x->usbcmd & CMD_INTE) || x->intr_mode != XHCI_INTR_PIN)
		level = false;
	if (level == x->pin)
		return;
	x->pin = level;
	if (level)
		x->stats.interrupts++;
	x->ops->intr_pin(x->host, level);
}

/* §4.17.5: IP and the enables as they are now; a message clears IP */
static void intr_deliver(struct xhci *x, unsigned n)
{
	struct xhci_intr *it = &x->intr[n];

	if (x->intr_mode != XHCI_INTR_MSG) {
		pin_update(x);
		return;
	}
	if ((it->iman & (IMAN_IP | IMAN_IE)) != (IMAN_IP | IMAN_IE) ||
	    !(x->usbcmd & CMD_INTE))
		return;
	it->iman &= ~IMAN_IP;
	x->stats.interrupts++;
	x->ops->intr_msg(x->host, n);
}

/* §4.17.2: IP is set once there is something, nobody is at it, and IMOD says so */
static void intr_evaluate(struct xhci *x, unsigned n)
{
	struct xhci_intr *it = &x->intr[n];
	uint64_t now;

	if (!it->pending || (it->erdp & ERDP_EHB))
		return;
	if (it->imod & 0xffff) {
		now = x->ops->now_ns(x->host);
		if (now < it->next_ns) {
			timer_update(x);
			return;
		}
		it->next_ns = now + (uint64_t)(it->imod & 0xffff) * 250;
	}
	it->pending = false;
	it->erdp |= ERDP_EHB;
	it->iman |= IMAN_IP;
	x->usbsts |= STS_EINT;
	intr_deliver(x, n);
}

/* §4.9.4: the last place is for saying so */
static COLD void intr_tell_full(struct xhci *x, unsigned n)
{
	struct xhci_intr *it = &x->intr[n];
	struct xhci_trb ev = {.status = (uint32_t)CC_EVENT_RING_FULL
					<< EV_CC_SHIFT,
			      .control = TRB_TYPE_BITS(TRB_EV_HOST)};

	x->stats.ring_full++;
	ring_write(x, it, &ev);
	it->full = true;
	it->pending = true;
	intr_evaluate(x, n);
}

bool intr_has_room(struct xhci *x, unsigned target)
{
	unsigned n = intr_target(x, target);
	struct xhci_intr *it = &x->intr[n];

	if (it->room && x->bus_master)
		return true;
	if (!ring_usable(x, it))
		return true; /* dropped: there is nothing to wait for */
	switch (ring_room(it)) {
	case ROOM:
		it->full = false;
		it->room = room_ahead(it);
		return true;
	case ROOM_LAST:
		if (!it->full)
			intr_tell_full(x, n);
		break;
	case ROOM_NONE:
		it->full = true;
		break;
	}
	it->held = true;
	return false;
}

void intr_wait(struct xhci *x, unsigned n, struct xhci_epq *q)
{
	q->ready = true;
	q->ready_next = x->intr[n].wait;
	x->intr[n].wait = q;
}

/* Whoever waited for room looks again. */
static void intr_release(struct xhci *x, struct xhci_intr *it)
{
	struct xhci_epq *q = it->wait, *next;

	it->held = false;
	it->wait = NULL;
	for (; q; q = next) {
		next = q->ready_next;
		q->ready = false;
		q->wants_room = 0;
		ep_ready(q);
	}
	xhci_kick(x);
}

bool intr_post(struct xhci *x, unsigned target, struct xhci_trb *ev, bool bei)
{
	unsigned n = intr_target(x, target);
	struct xhci_intr *it = &x->intr[n];

	if (x->usbsts & (STS_HCE | STS_HSE))
		return true;
	if (!intr_has_room(x, n))
		return false;
	if (!it->loaded || !x->bus_master || x->usbsts & (STS_HCE | STS_HSE))
		return true;
	ring_write(x, it, ev);
	if (!bei) {
		it->pending = true;
		intr_evaluate(x, n);
	}
	return true;
}

static bool ring_empty(const struct xhci_intr *it)
{
	struct enq e = {it->cur, it->idx};

	return !it->loaded || enq_gpa(it, e) == erdp_gpa(it);
}

/* §5.5.2.3.3; the low half has EHB, and either half may move the pointer */
static void erdp_write(struct xhci *x, unsigned n, uint64_t v, bool low)
{
	struct xhci_intr *it = &x->intr[n];
	uint64_t ehb = it->erdp & ERDP_EHB;

	if (low && (v & ERDP_EHB))
		ehb = 0;
	it->erdp = (v & ~(uint64_t)ERDP_EHB) | ehb;
	it->room = 0;
	if (ring_empty(it))
		it->pending = false;
	if (it->held)
		intr_release(x, it);
	intr_evaluate(x, n);
}

uint32_t intr_reg_read(struct xhci *x, unsigned n, uint32_t off)
{
	const struct xhci_intr *it = &x->intr[n];

	switch (off) {
	case IR_IMAN:
		return it->iman;
	case IR_IMOD: {
		uint64_t now, left = 0;

		if (it->imod & 0xffff && it->next_ns) {
			now = x->ops->now_ns(x->host);
			left = it->next_ns > now ? (it->next_ns - now) / 250
						 : 0;
		}
		return (it->imod & 0xffff) | (uint32_t)(left & 0xffff) << 16;
	}
	case IR_ERSTSZ:
		return it->erstsz;
	case IR_ERSTBA:
		return (uint32_t)it->erstba;
	case IR_ERSTBA + 4:
		return (uint32_t)(it->erstba >> 32);
	case IR_ERDP:
		return (uint32_t)it->erdp;
	case IR_ERDP + 4:
		return (uint32_t)(it->erdp >> 32);
	default:
		return 0;
	}
}

static void erst_changed(struct xhci *x, struct xhci_intr *it)
{
	it->loaded = false;
	it->room = 0;
	it->full = false;
	it->pending = false;
	if (it->held)
		intr_release(x, it);
}

static uint64_t set_half(uint64_t old, uint32_t v, bool high)
{
	if (high)
		return (old & 0xffffffffu) | (uint64_t)v << 32;
	return (old & ~(uint64_t)0xffffffffu) | v;
}

void intr_reg_write(struct xhci *x, unsigned n, uint32_t off, uint32_t v)
{
	struct xhci_intr *it = &x->intr[n];
	bool high = (off & 4) != 0;

	switch (off) {
	case IR_IMAN:
		if (v & IMAN_IP)
			it->iman &= ~IMAN_IP;
		it->iman = (it->iman & IMAN_IP) | (v & IMAN_IE);
		intr_deliver(x, n);
		break;
	case IR_IMOD:
		it->imod = v & 0xffff;
		/* software may set the counter too, §5.5.2.2 */
		it->next_ns = x->ops->now_ns(x->host) + (v >> 16) * 250ull;
		intr_evaluate(x, n);
		timer_update(x);
		break;
	case IR_ERSTSZ:
		it->erstsz = (v & 0xffff) < ERST_MAX ? v & 0xffff : ERST_MAX;
		erst_changed(x, it);
		break;
	case IR_ERSTBA:
	case IR_ERSTBA + 4:
		it->erstba = set_half(it->erstba, v, high);
		it->erstba &= ~(uint64_t)0x3f;
		erst_changed(x, it);
		break;
	case IR_ERDP:
	case IR_ERDP + 4:
		erdp_write(x, n,
			   set_half(it->erdp & ~(uint64_t)ERDP_EHB, v, high),
			   !high);
		break;
	default:
		break;
	}
}

void intr_reset(struct xhci *x)
{
	for (unsigned i = 0; i < XHCI_NINTRS; i++) {
		if (x->intr[i].held)
			intr_release(x, &x->intr[i]);
		x->intr[i] = (struct xhci_intr){.imod = 4000};
	}
	pin_update(x);
}

void intr_update_all(struct xhci *x)
{
	for (unsigned i = 0; i < XHCI_NINTRS; i++) {
		intr_evaluate(x, i);
		intr_deliver(x, i);
	}
	pin_update(x); /* low where the pin is not the way any more */
}

uint64_t intr_next_deadline(const struct xhci *x)
{
	uint64_t at = UINT64_MAX;

	for (unsigned i = 0; i < XHCI_NINTRS; i++) {
		const struct xhci_intr *it = &x->intr[i];

		if (it->pending && !(it->erdp & ERDP_EHB) && it->next_ns < at)
			at = it->next_ns;
	}
	return at;
}
