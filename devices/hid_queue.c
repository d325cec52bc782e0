/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hid_queue.c - what the program did with a keyboard, mouse or tablet, until
 * it is in a report.
 */
#include <errno.h>
#include <string.h>

#include "devices/hid_impl.h"

static bool bit_get(const uint8_t *bits, uint8_t n)
{
	return (bits[n / 8] >> n % 8 & 1) != 0;
}

static void bit_put(uint8_t *bits, uint8_t n, bool on)
{
	uint8_t mask = (uint8_t)(1u << n % 8);

	bits[n / 8] = (uint8_t)(on ? bits[n / 8] | mask : bits[n / 8] & ~mask);
}

/* The bits that @ev is of: held down as the program has it */
static uint8_t *want_bits(struct hid *h, const struct hid_event *ev)
{
	if (ev->what == HID_EV_KEY)
		return h->want_keys;
	return ev->what == HID_EV_BUTTON ? &h->want_buttons : NULL;
}

static void apply(struct hid *h, const struct hid_event *ev)
{
	struct hid_state *s = &h->now;

	switch (ev->what) {
	case HID_EV_KEY:
		bit_put(s->keys, ev->code, ev->down);
		break;
	case HID_EV_BUTTON:
		bit_put(&s->buttons, ev->code, ev->down);
		break;
	case HID_EV_MOVE:
		if (h->type->abs) {
			s->x = ev->x;
			s->y = ev->y;
		} else {
			s->dx += ev->x;
			s->dy += ev->y;
		}
		break;
	case HID_EV_WHEEL:
		s->right += ev->x;
		s->up += ev->y;
		break;
	default:
		break;
	}
}

/* Nobody is told of ways and steps that were long ago. */
static void forget_ways(struct hid *h)
{
	h->now.dx = h->now.dy = h->now.up = h->now.right = 0;
}

static int16_t add_ways(int16_t a, int16_t b)
{
	int sum = a + b;

	if (sum > HID_REL_MAX)
		return HID_REL_MAX;
	return (int16_t)(sum < -HID_REL_MAX ? -HID_REL_MAX : sum);
}

/* A move right behind a move is one, if nothing is between them. */
static bool join_moves(struct hid *h, const struct hid_event *ev)
{
	struct hid_event *tail =
		&h->event[(h->head + h->nevents - 1) % HID_QUEUE];

	if (h->nevents == 0 || tail->what != HID_EV_MOVE ||
	    ev->what != HID_EV_MOVE)
		return false;
	tail->x = h->type->abs ? ev->x : add_ways(tail->x, ev->x);
	tail->y = h->type->abs ? ev->y : add_ways(tail->y, ev->y);
	return true;
}

static bool may_be_refused(const struct hid_event *ev)
{
	return ev->what == HID_EV_WHEEL ||
	       (ev->what != HID_EV_MOVE && ev->down);
}

int hid_queue_add(struct hid *h, const struct hid_event *ev, bool keep)
{
	uint8_t *bits = want_bits(h, ev);

	if (bits && bit_get(bits, ev->code) == ev->down)
		return 0;
	if (!keep) {
		hid_queue_collapse(h);
		apply(h, ev);
		forget_ways(h);
	} else if (!join_moves(h, ev)) {
		if (h->nevents >= HID_QUEUE - HID_RESERVE && may_be_refused(ev))
			return -EAGAIN;
		/* Never true: HID_RESERVE says why. */
		if (h->nevents == HID_QUEUE)
			return -EAGAIN;
		h->event[(h->head + h->nevents++) % HID_QUEUE] = *ev;
	}
	if (bits)
		bit_put(bits, ev->code, ev->down);
	return 0;
}

bool hid_queue_apply(struct hid *h)
{
	if (h->nevents == 0)
		return false;
	apply(h, &h->event[h->head]);
	h->head = (h->head + 1) % HID_QUEUE;
	h->nevents--;
	return true;
}

void hid_queue_collapse(struct hid *h)
{
	while (hid_queue_apply(h))
		;
	forget_ways(h);
}
