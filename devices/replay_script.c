/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay_script.c - the transfers of one device of a capture, sorted the ways
 * they are asked for: by endpoint, by request, and by their end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/replay_impl.h"

static bool belongs(const struct replay *r, const struct capture_xfer *x)
{
	return x->dev == r->capture_dev;
}

/* A request that can be answered as it was. What never ended was not. */
static bool is_request(const struct capture_xfer *x)
{
	return x->type == USB_CONTROL && x->has_setup &&
	       (x->end == CAPTURE_ENDED || x->end == CAPTURE_CANCELLED);
}

static struct replay_queue *find(struct replay *r, uint8_t ep, uint8_t type,
				 uint16_t stream)
{
	for (unsigned i = 0; i < r->nqueues; i++) {
		struct replay_queue *q = &r->queue[i];

		if (q->ep == ep && q->type == type && q->stream == stream)
			return q;
	}
	return NULL;
}

struct replay_queue *replay_queue_find(struct replay *r, uint8_t ep,
				       uint8_t type, uint16_t stream)
{
	return find(r, ep, type, stream);
}

/* Those of more endpoints and streams than there can be are left out. */
static void count_queues(struct replay *r)
{
	for (uint32_t i = 0; i < r->c->nxfers; i++) {
		const struct capture_xfer *x = &r->c->xfers[i];
		struct replay_queue *q;

		r->queue_of[i] = REPLAY_NONE;
		if (!belongs(r, x))
			continue;
		if (x->type == USB_CONTROL) {
			if (is_request(x))
				r->queue_of[i] = REPLAY_CONTROL;
			continue;
		}
		q = find(r, x->ep, x->type, x->stream);
		if (q == NULL && r->nqueues == REPLAY_MAX_QUEUES)
			continue;
		if (q == NULL) {
			q = &r->queue[r->nqueues++];
			q->ep = x->ep;
			q->type = x->type;
			q->stream = x->stream;
		}
		q->n++;
		r->queue_of[i] = (uint16_t)(q - r->queue);
	}
}

static void add_entry(struct replay *r, uint32_t *at, uint32_t i)
{
	uint16_t k = r->queue_of[i];
	struct replay_queue *q;

	if (k == REPLAY_CONTROL || k == REPLAY_NONE)
		return;
	q = &r->queue[k];
	r->entries[at[k]++] = i;
	if (r->c->xfers[i].end == CAPTURE_ENDED)
		q->last_ended = (uint32_t)(r->entries + at[k] - q->xfer);
}

/* Those of which only the end is there had begun before all others. */
static void fill_queues(struct replay *r)
{
	uint32_t at[REPLAY_MAX_QUEUES], sum = 0;

	for (unsigned i = 0; i < r->nqueues; i++) {
		at[i] = sum;
		r->queue[i].xfer = r->entries + sum;
		sum += r->queue[i].n;
	}
	for (uint32_t i = 0; i < r->c->nxfers; i++)
		if (r->c->xfers[i].begin_no == 0)
			add_entry(r, at, i);
	for (uint32_t i = 0; i < r->c->nxfers; i++)
		if (r->c->xfers[i].begin_no != 0)
			add_entry(r, at, i);
}

/* Compare functions of qsort_r(): the transfers are its argument. */
static int by_end(const void *a, const void *b, void *xfers)
{
	const struct capture_xfer *x = xfers;
	uint32_t m = x[*(const uint32_t *)a].end_no;
	uint32_t n = x[*(const uint32_t *)b].end_no;

	return (m > n) - (m < n);
}

static int compare_request(const struct usb_setup *a, const struct usb_setup *b)
{
	const uint32_t m[] = {a->request_type, a->request, a->value, a->index};
	const uint32_t n[] = {b->request_type, b->request, b->value, b->index};

	for (unsigned i = 0; i < 4; i++)
		if (m[i] != n[i])
			return m[i] < n[i] ? -1 : 1;
	return 0;
}

static int compare_setup(const struct usb_setup *a, const struct usb_setup *b)
{
	int d = compare_request(a, b);

	return d ? d : (a->length > b->length) - (a->length < b->length);
}

static int by_setup(const void *a, const void *b, void *xfers)
{
	const struct capture_xfer *x = xfers;
	uint32_t m = *(const uint32_t *)a, n = *(const uint32_t *)b;
	int d = compare_setup(&x[m].setup, &x[n].setup);

	return d ? d : (m > n) - (m < n);
}

static void fill_lists(struct replay *r)
{
	for (uint32_t i = 0; i < r->c->nxfers; i++) {
		if (r->queue_of[i] == REPLAY_CONTROL)
			r->control[r->ncontrol++] = i;
		/* only what the device ended is waited for */
		if (r->queue_of[i] != REPLAY_NONE &&
		    r->c->xfers[i].end == CAPTURE_ENDED)
			r->order[r->norder++] = i;
	}
	qsort_r(r->order, r->norder, sizeof(r->order[0]), by_end, r->c->xfers);
	qsort_r(r->control, r->ncontrol, sizeof(r->control[0]), by_setup,
		r->c->xfers);
}

/* Where the device is gone for good, and no other began to work after it */
static void find_unplug(struct replay *r)
{
	for (uint32_t i = 0; i < r->c->nxfers; i++) {
		const struct capture_xfer *x = &r->c->xfers[i];

		if (belongs(r, x) && x->end == CAPTURE_ENDED &&
		    x->status == USB_OK && x->begin_no > r->unplug_no)
			r->unplug_no = x->begin_no;
	}
}

int replay_script(struct replay *r)
{
	size_t n = r->c->nxfers;

	r->queue = calloc(REPLAY_ALL_QUEUES, sizeof(r->queue[0]));
	r->entries = calloc(n, sizeof(r->entries[0]));
	r->order = calloc(n, sizeof(r->order[0]));
	r->control = calloc(n, sizeof(r->control[0]));
	r->next = calloc(n, sizeof(r->next[0]));
	r->queue_of = calloc(n, sizeof(r->queue_of[0]));
	r->used = calloc(n, 1);
	if (!r->queue || !r->entries || !r->order || !r->control || !r->next ||
	    !r->queue_of || !r->used)
		return -ENOMEM;
	count_queues(r);
	fill_queues(r);
	fill_lists(r);
	find_unplug(r);
	return 0;
}

void replay_script_free(struct replay *r)
{
	free(r->queue);
	free(r->entries);
	free(r->order);
	free(r->control);
	free(r->next);
	free(r->queue_of);
	free(r->used);
}

static void rewind_queue(struct replay_queue *q)
{
	q->pos = q->off = 0;
	q->prev_end_ns = 0;
	q->timed = q->ignored = q->differs = false;
	q->slot_ns = 0;
}

void replay_rewind(struct replay *r)
{
	for (unsigned i = 0; i < r->nqueues; i++)
		rewind_queue(&r->queue[i]);
	rewind_queue(&r->ctl);
	memset(r->used, 0, r->c->nxfers);
	memset(r->next, 0, r->ncontrol * sizeof(r->next[0]));
	r->cursor = r->ctl_no = 0;
	r->config = 0;
	memset(r->alt, 0, sizeof(r->alt));
}

static const struct usb_setup *setup_at(const struct replay *r, uint32_t i)
{
	return &r->c->xfers[r->control[i]].setup;
}

/* The first request that is not less than @s, by @cmp */
static uint32_t lower_bound(const struct replay *r, const struct usb_setup *s,
			    int (*cmp)(const struct usb_setup *,
				       const struct usb_setup *))
{
	uint32_t lo = 0, hi = r->ncontrol;

	while (lo < hi) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (cmp(setup_at(r, mid), s) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

uint32_t replay_control_find(const struct replay *r, const struct usb_setup *s,
			     uint32_t *ret_first)
{
	uint32_t first = lower_bound(r, s, compare_setup), n = 0;

	/* by halves: a request may have been made a million times */
	if (first < r->ncontrol && compare_setup(setup_at(r, first), s) == 0) {
		struct usb_setup more = *s;

		if (more.length < UINT16_MAX) {
			more.length++;
			n = lower_bound(r, &more, compare_setup) - first;
		} else {
			while (first + n < r->ncontrol &&
			       !compare_setup(setup_at(r, first + n), s))
				n++;
		}
	}
	*ret_first = first;
	return n;
}

const struct capture_xfer *replay_descriptor(const struct replay *r,
					     const struct usb_setup *s)
{
	const struct capture_xfer *best = NULL;
	uint32_t i = lower_bound(r, s, compare_request);

	for (; i < r->ncontrol && !compare_request(setup_at(r, i), s); i++) {
		const struct capture_xfer *x = &r->c->xfers[r->control[i]];

		if (x->end == CAPTURE_ENDED && x->status == USB_OK && x->in &&
		    (best == NULL || x->have > best->have))
			best = x;
	}
	return best;
}
