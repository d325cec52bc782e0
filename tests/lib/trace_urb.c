/* SPDX-License-Identifier: BSD-2-Clause */
/* A recorded transfer, issued again; and how it ended, compared. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/trace_impl.h"

#define TRB_SIA (1u << 31) /* Start Isoch ASAP */
#define MS 1000000ull
#define AT_ONCE_MS 300u /* less than the device waits for a guest */

static uint32_t asked_for(const struct trace *t, const struct capture_xfer *x,
			  unsigned dci)
{
	uint32_t mps = dci > 1 && t->v->ring[dci] ? t->v->ring[dci]->mps : 64;
	uint32_t n = x->length;

	if (n != CAPTURE_UNKNOWN)
		return n;
	if (!x->in)
		return x->actual;
	return x->actual == 0 ? mps : (x->actual + mps - 1) / mps * mps;
}

/* A TD that has ended: its transfer is the one that has its id. */
static void on_done(void *arg, struct gdrv_ring *r, struct gdrv_td *td)
{
	struct trace *t = arg;

	for (struct trace_urb *u = t->urbs; u; u = u->next) {
		uint32_t i = td->id - u->first;

		if (u->ring != r || i >= u->ntds || u->td[i].done)
			continue;
		u->td[i] = (struct trace_td){true, td->cc, td->actual};
		if (--u->left == 0)
			u->done_no = ++t->ndone;
		return;
	}
}

static void put_out(struct trace *t, const struct trace_urb *u)
{
	const struct capture_xfer *x = u->x;
	uint32_t n = x->have < u->asked ? x->have : u->asked;

	guestmem_set(&t->gm, u->gpa, x->in ? TRACE_FILL : 0, u->size);
	if (!x->in && x->type != USB_ISOCH)
		guestmem_write(&t->gm, u->gpa, t->r.c->bytes + x->data, n);
}

static uint32_t packet_length(const struct capture_packet *p)
{
	return p->length == CAPTURE_UNKNOWN ? p->actual : p->length;
}

/* A TD a packet, one behind the other in the buffer */
static int post_isoch(struct trace *t, struct trace_urb *u)
{
	const struct capture_packet *p = &t->r.c->packets[u->x->packet];
	uint64_t gpa = u->gpa;
	int rc = 0;

	for (uint32_t i = 0; i < u->x->npackets && rc == 0; i++) {
		struct gdrv_trb trb = {
			.type = TRB_ISOCH,
			.ptr = gpa,
			.len = packet_length(&p[i]),
			.flags = TRB_SIA | TRB_IOC | (u->x->in ? TRB_ISP : 0),
		};
		uint32_t id;

		if (!u->x->in && p[i].have)
			guestmem_write(&t->gm, gpa, t->r.c->bytes + p[i].data,
				       p[i].have);
		rc = gdrv_post(u->ring, &trb, 1, &id);
		if (i == 0)
			u->first = id;
		gpa += trb.len;
	}
	u->ntds = u->x->npackets;
	return rc;
}

static int post(struct trace *t, struct trace_urb *u)
{
	const struct capture_xfer *x = u->x;
	struct gdrv_sg sg = {u->gpa, u->asked};
	const struct usb_setup *s = &x->setup;
	const uint8_t setup[8] = {
		s->request_type,    s->request,
		(uint8_t)s->value,  (uint8_t)(s->value >> 8),
		(uint8_t)s->index,  (uint8_t)(s->index >> 8),
		(uint8_t)s->length, (uint8_t)(s->length >> 8),
	};

	u->ntds = 1;
	if (x->type == USB_CONTROL)
		return gdrv_control_post(u->ring, OS_LINUX, setup, u->gpa,
					 &u->first);
	if (x->type == USB_ISOCH)
		return post_isoch(t, u);
	return gdrv_os_bulk(u->ring, OS_LINUX, x->in, &sg, 1, &u->first, 1) == 1
		       ? 0
		       : -1;
}

static uint32_t isoch_bytes(const struct trace *t, const struct capture_xfer *x)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < x->npackets; i++)
		sum += packet_length(&t->r.c->packets[x->packet + i]);
	return sum;
}

static struct trace_urb *urb_new(struct trace *t, const struct capture_xfer *x,
				 unsigned dci)
{
	struct trace_urb *u = calloc(1, sizeof(*u)), **tail = &t->urbs;
	struct gdrv_streams *s = t->v->streams[dci];

	if (!u)
		abort();
	u->x = x;
	u->dci = (uint8_t)dci;
	u->ring = s ? &s->ring[x->stream] : t->v->ring[dci];
	u->asked =
		x->type == USB_ISOCH ? isoch_bytes(t, x) : asked_for(t, x, dci);
	u->size = u->asked + 64;
	u->gpa = guestmem_alloc(&t->gm, u->size);
	u->td = calloc(x->npackets + 1u, sizeof(u->td[0]));
	if (!u->td)
		abort();
	u->ring->on_done = on_done;
	u->ring->arg = t;
	while (*tail)
		tail = &(*tail)->next;
	*tail = u;
	return u;
}

void trace_urb_free(struct trace *t, struct trace_urb *u)
{
	struct trace_urb **p = &t->urbs;

	while (*p && *p != u)
		p = &(*p)->next;
	if (*p)
		*p = u->next;
	guestmem_free(&t->gm, u->gpa, u->size);
	free(u->td);
	free(u);
}

bool trace_submit(struct trace *t, const struct capture_xfer *x)
{
	unsigned dci = trace_endpoint(t, x);
	struct trace_urb *u;
	int rc;

	if (dci == 0)
		return false;
	if ((x->stream != 0) != (t->v->streams[dci] != NULL) ||
	    (x->stream && x->stream >= t->v->streams[dci]->n))
		return trace_fail(t, x, "stream %u is not to be had",
				  x->stream);
	u = urb_new(t, x, dci);
	put_out(t, u);
	rc = post(t, u);
	if (rc < 0)
		return trace_fail(t, x, "cannot be posted: %d", rc);
	u->left = u->ntds;
	gdrv_doorbell(&t->d, t->v->slot, dci, x->stream);
	gdrv_pump(&t->d);
	return true;
}

/* --- the end --- */

static struct trace_urb *urb_of(struct trace *t, const struct capture_xfer *x)
{
	struct trace_urb *u = t->urbs;

	while (u && u->x != x)
		u = u->next;
	return u;
}

static bool wait_for(struct trace *t, const struct trace_urb *u, unsigned left)
{
	uint64_t limit = AT_ONCE_MS * MS;

	if (t->o->recorded_pace)
		limit += 10000 * MS + (u->x->end_ns - u->x->begin_ns);
	limit += gdrv_now(&t->d);
	for (;;) {
		gdrv_pump(&t->d);
		if (u->left <= left)
			return true;
		if (gdrv_now(&t->d) >= limit)
			return trace_fail(t, u->x, "does not end");
		t->d.bus->advance(t->d.bus_p, MS);
	}
}

static uint8_t code_of(uint8_t status, bool is_short)
{
	static const uint8_t codes[USB_NSTATUS] = {
		[USB_OK] = CC_SUCCESS,
		[USB_STALL] = CC_STALL,
		[USB_ERROR] = CC_TRANSACTION,
		[USB_BABBLE] = CC_BABBLE,
		[USB_CANCELLED] = CC_MISSED_SERVICE,
		[USB_NODEV] = CC_TRANSACTION,
		[USB_NOMEM] = CC_DATA_BUFFER,
		[USB_MISSED] = CC_MISSED_SERVICE,
		[USB_OVERRUN] = 31, /* Isoch Buffer Overrun */
	};

	return is_short && status == USB_OK ? CC_SHORT_PACKET : codes[status];
}

static bool same_bytes(struct trace *t, const struct trace_urb *u, uint64_t gpa,
		       const uint8_t *want, uint32_t have, uint32_t actual,
		       uint32_t room)
{
	const uint8_t *p = guestmem_ptr(&t->gm, gpa, room);

	for (uint32_t i = 0; i < have && i < actual; i++)
		if (p[i] != want[i])
			return trace_fail(t, u->x, "byte %u is %02x, not %02x",
					  i, p[i], want[i]);
	for (uint32_t i = actual; i < room; i++)
		if (p[i] != TRACE_FILL)
			return trace_fail(t, u->x, "byte %u is written, of %u",
					  i, actual);
	return true;
}

static bool check_packets(struct trace *t, const struct trace_urb *u)
{
	const struct capture_xfer *x = u->x;
	uint64_t gpa = u->gpa;

	for (uint32_t i = 0; i < x->npackets; i++) {
		const struct capture_packet *p =
			&t->r.c->packets[x->packet + i];
		uint32_t len = packet_length(p), actual = p->actual;
		uint8_t cc;

		if (p->status == USB_CANCELLED && x->end != CAPTURE_ENDED)
			continue;
		/* OUT: what is sent is sent whole */
		if (!x->in && p->status == USB_OK)
			actual = len;
		cc = code_of(p->status, actual < len);
		/* it had less room than the endpoint may send, §6.4.5 */
		if (cc == CC_BABBLE && x->in && len < t->esit[u->dci])
			cc = code_of(USB_OVERRUN, false);
		if (u->td[i].cc != cc)
			return trace_fail(t, x, "packet %u: code %u, not %u", i,
					  u->td[i].cc, cc);
		if (cc != CC_MISSED_SERVICE && u->td[i].actual != actual)
			return trace_fail(t, x, "packet %u: %u bytes, not %u",
					  i, u->td[i].actual, actual);
		if (x->in && !same_bytes(t, u, gpa, t->r.c->bytes + p->data,
					 p->have, actual, len))
			return false;
		gpa += len;
		t->st->packets++;
		t->st->bad_packets += p->status != USB_OK;
		t->st->bytes += actual;
	}
	return true;
}

static bool check_end(struct trace *t, const struct trace_urb *u)
{
	const struct capture_xfer *x = u->x;
	uint8_t cc = code_of(x->status, x->actual < u->asked);

	/* paced by its intervals, not by what other endpoints do */
	if (x->type == USB_ISOCH && t->o->recorded_pace)
		return check_packets(t, u);
	if (u->done_no < t->seen)
		return trace_fail(t, x, "ended before one that it came after");
	t->seen = u->done_no;
	if (x->type == USB_ISOCH)
		return check_packets(t, u);
	if (u->td[0].cc != cc)
		return trace_fail(t, x, "code %u, not %u", u->td[0].cc, cc);
	if (u->td[0].actual != x->actual)
		return trace_fail(t, x, "%u bytes, not %u", u->td[0].actual,
				  x->actual);
	t->st->bytes += x->actual;
	return !x->in || same_bytes(t, u, u->gpa, t->r.c->bytes + x->data,
				    x->have, x->actual, u->size);
}

/* After an error: Reset Endpoint, and on with the TD behind, §4.6.8 */
static bool recover(struct trace *t, const struct trace_urb *u)
{
	const struct trace_urb *n = u->next;
	int cc;

	if (u->ring->state != RING_HALTED)
		return true;
	while (n && n->ring != u->ring)
		n = n->next;
	cc = gdrv_reset_ep(t->v, u->dci, false);
	if (cc == CC_SUCCESS)
		cc = gdrv_set_dequeue(t->v, u->dci,
				      n ? gdrv_td(n->ring, n->first)->first
					: 0);
	if (cc != CC_SUCCESS)
		return trace_fail(t, u->x, "cannot be recovered from: %d", cc);
	u->ring->state = RING_RUNNING;
	if (n)
		gdrv_doorbell(&t->d, t->v->slot, u->dci, 0);
	return true;
}

static bool is_cancelled(const struct trace *t, const struct capture_xfer *x)
{
	return x->end == CAPTURE_CANCELLED ||
	       (x->end == CAPTURE_GONE && x->end_no <= t->r.unplug_no);
}

/* The bytes that the Stopped event tells, of the TD that it names */
static void note_stopped(struct trace *t, struct gdrv_ring *r)
{
	struct gdrv_post *p =
		r->stopped_cc == CC_STOPPED
			? gdrv_ring_at(r, gdrv_ring_gpa(r, r->stopped_seq))
			: NULL;

	for (struct trace_urb *u = t->urbs; p && u; u = u->next)
		if (u->ring == r && u->x->type != USB_ISOCH &&
		    p->td == u->first && p->len >= r->stopped_len)
			u->td[0].actual = p->before + p->len - r->stopped_len;
}

static unsigned undone(const struct trace *t, const struct capture_xfer *x)
{
	unsigned n = x->type == USB_ISOCH ? 0 : 1;

	for (uint32_t i = 0; i < x->npackets; i++)
		n += t->r.c->packets[x->packet + i].status == USB_CANCELLED;
	return n;
}

static bool has_done(const struct trace *t, const struct capture_xfer *x)
{
	return x->type == USB_ISOCH && undone(t, x) < x->npackets;
}

/*
 * All that is cancelled of one endpoint at about this time, at once: up to the
 * first that goes on. NULL: there is none.
 */
static struct trace_urb *mark_cancelled(struct trace *t,
					struct trace_urb *first)
{
	struct trace_urb *u = first;

	for (; u; u = u->next) {
		if (u->ring != first->ring)
			continue;
		if (u != first && (!is_cancelled(t, u->x) || has_done(t, u->x)))
			break;
		u->cancelled = true;
	}
	return u;
}

/* The oldest of the ring that is under way */
static struct trace_urb *oldest(struct trace *t, const struct gdrv_ring *r)
{
	struct trace_urb *u = t->urbs;

	while (u && (u->ring != r || !u->left || u->cancelled))
		u = u->next;
	return u;
}

/* Take back the oldest, when as much of it is done as then. */
static bool cancel_oldest(struct trace *t, struct gdrv_ring *r)
{
	struct trace_urb *first = oldest(t, r), *n;
	int cc;

	/* one that was still to end well, while a later one was taken back */
	if (!is_cancelled(t, first->x))
		return wait_for(t, first, 0);
	if (!wait_for(t, first, undone(t, first->x)))
		return false;
	if (first->left == 0)
		return true;
	cc = gdrv_stop_ep(t->v, first->dci);
	n = mark_cancelled(t, first);
	if (cc == CC_SUCCESS) {
		note_stopped(t, r);
		cc = gdrv_set_dequeue(t->v, first->dci,
				      n ? gdrv_td(r, n->first)->first : 0);
	}
	if (cc != CC_SUCCESS)
		return trace_fail(t, first->x, "cannot be cancelled: %d", cc);
	r->state = RING_RUNNING;
	if (n)
		gdrv_doorbell(&t->d, t->v->slot, first->dci, 0);
	return true;
}

static bool end_cancelled(struct trace *t, struct trace_urb *u)
{
	const struct capture_xfer *x = u->x;

	gdrv_pump(&t->d);
	while (!u->cancelled && u->left)
		if (!cancel_oldest(t, u->ring))
			return false;
	if (!u->cancelled && undone(t, x))
		return trace_fail(t, x, "ended, and was to be cancelled");
	if (x->type != USB_ISOCH && u->td[0].actual != x->actual)
		return trace_fail(t, x, "%u bytes when cancelled, not %u",
				  u->td[0].actual, x->actual);
	t->st->cancels++;
	return x->type != USB_ISOCH || check_packets(t, u);
}

static bool end_unplugged(struct trace *t, struct trace_urb *u)
{
	for (unsigned i = 0; i < 20000; i++) {
		gdrv_pump(&t->d);
		t->unplugged = !(gdrv_portsc(&t->d, t->port) & 1);
		if (t->unplugged)
			break;
		t->d.bus->advance(t->d.bus_p, MS);
	}
	if (!t->unplugged)
		return trace_fail(t, u->x, "the device is still there");
	if (u->td[0].done && u->td[0].cc == CC_SUCCESS)
		return trace_fail(t, u->x, "ended well without a device");
	t->st->unplugs++;
	return true;
}

static void count(struct trace *t, const struct trace_urb *u)
{
	struct trace_stats *s = t->st;
	unsigned *const by_type[] = {&s->control, &s->isoch, &s->bulk,
				     &s->interrupt};

	(*by_type[u->x->type])++;
	s->stalls += u->x->status == USB_STALL;
	s->errors += u->x->end == CAPTURE_ENDED && u->x->status > USB_STALL;
	s->shorts += u->td[0].cc == CC_SHORT_PACKET;
	s->streams += u->x->stream != 0;
}

bool trace_complete(struct trace *t, const struct capture_xfer *x)
{
	struct trace_urb *u = urb_of(t, x);
	bool ok;

	if (u == NULL)
		return trace_fail(t, x, "was not submitted");
	if (is_cancelled(t, x))
		ok = end_cancelled(t, u);
	else if (x->end == CAPTURE_GONE)
		ok = end_unplugged(t, u);
	else
		ok = wait_for(t, u, 0) && check_end(t, u) && recover(t, u);
	if (ok && x->type == USB_CONTROL && x->end == CAPTURE_ENDED &&
	    x->status == USB_OK)
		ok = trace_request(t, &x->setup);
	count(t, u);
	trace_urb_free(t, u);
	return ok;
}
