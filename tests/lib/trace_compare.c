/* SPDX-License-Identifier: BSD-2-Clause */
/* Two captures, transfer for transfer: of a device, and of its replay. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/replay_impl.h"
#include "tests/lib/trace.h"

struct pair {
	const struct capture *a, *b; /* recorded, and of the session */
	uint16_t dev;
	uint32_t unplug_no;
	bool *taken; /* of b */
	uint32_t last_end;
	char *why;
	size_t len;
};

static bool differ(struct pair *p, const struct capture_xfer *x,
		   const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static bool differ(struct pair *p, const struct capture_xfer *x,
		   const char *fmt, ...)
{
	int n = snprintf(p->why, p->len, "endpoint %02x, record %u: ", x->ep,
			 x->begin_no ? x->begin_no : x->end_no);
	va_list ap;

	va_start(ap, fmt);
	if (n >= 0 && (size_t)n < p->len)
		vsnprintf(p->why + n, p->len - (size_t)n, fmt, ap);
	va_end(ap);
	return false;
}

/* The next of the session on the same endpoint */
static const struct capture_xfer *next(struct pair *p,
				       const struct capture_xfer *x)
{
	for (uint32_t i = 0; i < p->b->nxfers; i++) {
		const struct capture_xfer *y = &p->b->xfers[i];

		if (p->taken[i] || y->ep != x->ep || y->type != x->type ||
		    y->stream != x->stream)
			continue;
		p->taken[i] = true;
		return y;
	}
	return NULL;
}

static bool same_bytes(struct pair *p, const struct capture_xfer *x, uint32_t a,
		       uint32_t have_a, uint32_t b, uint32_t have_b)
{
	if (have_b < have_a)
		return differ(p, x, "%u bytes kept, not %u", have_b, have_a);
	if (have_a && memcmp(p->a->bytes + a, p->b->bytes + b, have_a) != 0)
		return differ(p, x, "other bytes");
	return true;
}

/* The host's doing and the end of the file are not told apart in a session. */
static bool same_end(struct pair *p, const struct capture_xfer *x,
		     const struct capture_xfer *y)
{
	bool gone = x->end == CAPTURE_GONE && x->end_no > p->unplug_no;

	if (x->end == CAPTURE_OPEN)
		return y->end != CAPTURE_ENDED ||
		       differ(p, x, "has an end, which it had not");
	if (x->end == CAPTURE_ENDED ? y->end != CAPTURE_ENDED
				    : y->end == CAPTURE_ENDED)
		return differ(p, x, "end %u, not %u", y->end, x->end);
	if (gone && y->end != CAPTURE_GONE)
		return differ(p, x, "end %u, not an unplug", y->end);
	if (x->end == CAPTURE_ENDED && x->status != y->status)
		return differ(p, x, "status %u, not %u", y->status, x->status);
	return true;
}

static bool same_packets(struct pair *p, const struct capture_xfer *x)
{
	for (uint32_t i = 0; i < x->npackets; i++) {
		const struct capture_packet *m = &p->a->packets[x->packet + i];
		const struct capture_xfer *y = next(p, x);
		const struct capture_packet *n;

		if (y == NULL || y->npackets != 1)
			return differ(p, x, "packet %u is not there", i);
		n = &p->b->packets[y->packet];
		if (m->length != CAPTURE_UNKNOWN && n->length != m->length)
			return differ(p, x, "packet %u: of %u, not %u", i,
				      n->length, m->length);
		if (m->status == USB_CANCELLED && x->end != CAPTURE_ENDED)
			continue;
		if (n->status != m->status &&
		    !(m->status == USB_CANCELLED && n->status == USB_MISSED))
			return differ(p, x, "packet %u: status %u, not %u", i,
				      n->status, m->status);
		if (x->in && n->actual != m->actual)
			return differ(p, x, "packet %u: %u bytes, not %u", i,
				      n->actual, m->actual);
		if (!same_bytes(p, x, m->data, m->have, n->data, n->have))
			return false;
	}
	return true;
}

static bool same_xfer(struct pair *p, const struct capture_xfer *x)
{
	const struct capture_xfer *y;

	if (x->type == USB_ISOCH)
		return same_packets(p, x);
	y = next(p, x);
	if (y == NULL)
		return differ(p, x, "is not there");
	if (x->type == USB_CONTROL &&
	    memcmp(&x->setup, &y->setup, sizeof(x->setup)) != 0)
		return differ(p, x, "request %02x, not %02x", y->setup.request,
			      x->setup.request);
	if (x->length != CAPTURE_UNKNOWN && x->length != y->length)
		return differ(p, x, "%u bytes asked for, not %u", y->length,
			      x->length);
	if (!same_end(p, x, y))
		return false;
	if (x->end == CAPTURE_ENDED && x->actual != y->actual)
		return differ(p, x, "%u bytes, not %u", y->actual, x->actual);
	return same_bytes(p, x, x->data, x->have, y->data, y->have);
}

static bool same_order(struct pair *p, const struct capture_xfer *x,
		       const struct capture_xfer *y)
{
	if (y->end_no < p->last_end)
		return differ(p, x, "ended before one that it came after");
	p->last_end = y->end_no;
	return true;
}

static int by_end(const void *a, const void *b)
{
	const struct capture_xfer *const *m = a, *const *n = b;

	return ((*m)->end_no > (*n)->end_no) - ((*m)->end_no < (*n)->end_no);
}

/* Both in the order of their ends, isochronous ones left out */
static uint32_t ended(const struct capture *c, uint16_t dev,
		      const struct capture_xfer **ret)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->nxfers; i++) {
		const struct capture_xfer *x = &c->xfers[i];

		if (x->dev == dev && x->end == CAPTURE_ENDED &&
		    x->type != USB_ISOCH &&
		    (x->type != USB_CONTROL || x->has_setup))
			ret[n++] = x;
	}
	qsort(ret, n, sizeof(*ret), by_end);
	return n;
}

static bool compare_order(struct pair *p)
{
	const struct capture_xfer **x = calloc(p->a->nxfers, sizeof(*x));
	const struct capture_xfer **y = calloc(p->b->nxfers, sizeof(*y));
	uint32_t n = 0, m = 0;
	bool ok = x && y;

	if (ok) {
		n = ended(p->a, p->dev, x);
		m = ended(p->b, 0, y);
	}
	if (ok && n != m) {
		snprintf(p->why, p->len, "%u transfers ended, not %u", m, n);
		ok = false;
	}
	for (uint32_t i = 0; ok && i < n; i++) {
		if (x[i]->ep != y[i]->ep || x[i]->type != y[i]->type ||
		    x[i]->stream != y[i]->stream)
			ok = differ(p, x[i], "endpoint %02x is in its place",
				    y[i]->ep);
		ok = ok && same_order(p, x[i], y[i]);
	}
	free(x);
	free(y);
	return ok;
}

static bool compare_all(struct pair *p)
{
	for (unsigned pass = 0; pass < 2; pass++) {
		for (uint32_t i = 0; i < p->a->nxfers; i++) {
			const struct capture_xfer *x = &p->a->xfers[i];

			if (x->dev != p->dev || (x->begin_no == 0) == pass ||
			    (x->type == USB_CONTROL && !x->has_setup))
				continue;
			if (!same_xfer(p, x))
				return false;
		}
	}
	for (uint32_t i = 0; i < p->b->nxfers; i++)
		if (!p->taken[i])
			return differ(p, &p->b->xfers[i],
				      "is more than was recorded");
	return compare_order(p);
}

enum trace_verdict trace_compare(const char *path, const char *option,
				 const char *ours, char *why, size_t len)
{
	struct pair p = {.why = why, .len = len};
	struct capture *b = NULL;
	struct replay r;
	enum trace_verdict v = TRACE_REFUSED;

	if (trace_open(path, option, &r, why, len) == 0 &&
	    capture_open(ours, &b, why, len) == 0) {
		p.a = r.c;
		p.b = b;
		p.dev = r.capture_dev;
		p.unplug_no = r.unplug_no;
		p.taken = calloc(b->nxfers, sizeof(*p.taken));
		v = p.taken && b->ndevs == 1 && compare_all(&p) ? TRACE_SAME
								: TRACE_DIFFERS;
	}
	free(p.taken);
	capture_free(b);
	trace_close(&r);
	return v;
}
