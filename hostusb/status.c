/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * status.c - what becomes of rules and their devices, told and asked; and
 * their end while the controller runs.
 */
#include "hostusb/attach.h"

static enum hostusb_state seat_state(const struct seat *s)
{
	if (!s->hd || s->leaving || s->gone || s->hd->closing)
		return HOSTUSB_DETACHING;
	return s->port ? HOSTUSB_ATTACHED : HOSTUSB_ATTACHING;
}

static void seat_status(const struct seat *s, struct hostusb_status *ret)
{
	*ret = (struct hostusb_status){
		.tag = s->rule->r.tag,
		.state = seat_state(s),
		.port = s->port,
		.info = &s->p->info,
		.reason = "",
		.dev = s->port && s->hd ? &s->hd->d : NULL,
		.unplugged = s->gone,
	};
}

static void rule_status(const struct rule *r, struct hostusb_status *ret)
{
	*ret = (struct hostusb_status){
		.tag = r->r.tag,
		.state = r->failed,
		.reason = r->why,
	};
}

void status_event(struct hostusb *h, enum hostusb_event event,
		  const struct rule *r, const struct seat *s)
{
	struct hostusb_status st;

	if (!h->ops->event)
		return;
	if (s)
		seat_status(s, &st);
	else
		rule_status(r, &st);
	h->ops->event(h->host, event, &st);
}

void hostusb_each(struct hostusb *h,
		  void (*each)(void *arg, const struct hostusb_status *s),
		  void *arg)
{
	struct hostusb_status st;

	for (const struct rule *r = h->rules; r; r = r->next) {
		bool some = false;

		for (const struct seat *s = h->seats; s; s = s->next) {
			if (s->rule != r)
				continue;
			some = true;
			seat_status(s, &st);
			each(arg, &st);
		}
		if (some)
			continue;
		rule_status(r, &st);
		each(arg, &st);
	}
}

/* Leaving does not end a seat at once: the list stays as it is. */
static unsigned rule_remove(struct hostusb *h, struct rule *r)
{
	unsigned n = 0;

	r->removed = true;
	for (struct seat *s = h->seats; s; s = s->next) {
		if (s->rule != r)
			continue;
		seat_leave(s);
		n++;
	}
	if (n)
		return n;
	status_event(h, HOSTUSB_EV_DETACHED, r, NULL);
	rule_end(h, r);
	return 1;
}

unsigned hostusb_remove(struct hostusb *h, unsigned tag)
{
	struct rule *r = h->rules, *next;
	unsigned n = 0;

	for (; r; r = next) {
		next = r->next;
		if (r->r.tag == tag && !r->removed)
			n += rule_remove(h, r);
	}
	return n;
}

unsigned hostusb_leave(struct hostusb *h, const struct usb_match *m)
{
	unsigned n = 0;

	for (struct seat *s = h->seats; s; s = s->next) {
		if (s->leaving || s->gone || !usb_match_info(m, &s->p->info))
			continue;
		if (s->rule->r.match.kind != MATCH_BELOW)
			s->rule->removed = true;
		seat_leave(s);
		n++;
	}
	return n;
}
