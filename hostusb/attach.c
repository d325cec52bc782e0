/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * attach.c - from a rule and a device to a device in a port, and back.
 */
#include "hostusb/attach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostusb/discover.h"
#include "hostusb/owner.h"

static const char *attach_error(int r)
{
	switch (r) {
	case -ENOSPC:
		return "no free port fits its speed: raise usb2= or usb3=";
	case -EAGAIN:
		return "devices that were taken out are not free yet: plug it "
		       "in again";
	case -EBUSY:
		return "its port is occupied: write another at=";
	case -EINVAL:
		return "its port does not fit its speed: write another at=";
	default:
		return "out of memory: plug it in again";
	}
}

static bool rule_is_free(const struct rule *r)
{
	return !r->removed && (r->r.match.kind == MATCH_BELOW || !r->seat);
}

void rule_drop(struct hostusb *h, struct rule *r)
{
	struct rule **at = &h->rules;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
	free(r);
}

/* An address is the device's only until it is plugged in again. */
static void rule_resolve(struct rule *r, const struct usb_info *i)
{
	struct usb_match *m = &r->r.match;

	if (m->kind != MATCH_ADDR || i->npath == 0)
		return;
	m->kind = MATCH_PATH;
	memcpy(m->path, i->path, sizeof(m->path));
	m->npath = i->npath;
}

bool rule_has_seat(const struct hostusb *h, const struct rule *r)
{
	for (const struct seat *s = h->seats; s; s = s->next)
		if (s->rule == r)
			return true;
	return false;
}

void rule_end(struct hostusb *h, struct rule *r)
{
	status_event(h, HOSTUSB_EV_ENDED, r, NULL);
	rule_drop(h, r);
}

/* Its device is not to be had. Told once, until it has one. */
static void rule_fail(struct hostusb *h, struct rule *r,
		      enum hostusb_state state, const char *why)
{
	r->failed = state;
	snprintf(r->why, sizeof(r->why), "%.159s", why);
	status_event(h, HOSTUSB_EV_FAILED, r, NULL);
}

static void seat_unlink(struct seat *s)
{
	struct seat **at = &s->h->seats;

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	if (s->rule->seat == s)
		s->rule->seat = NULL;
	s->p->seat = NULL;
}

static void seat_free(struct seat *s)
{
	struct hostusb *h = s->h;

	seat_unlink(s);
	owner_release(s->claim);
	if (s->rule->removed && !rule_has_seat(h, s->rule))
		rule_end(h, s->rule);
	present_drop(h, s->p);
	free(s);
}

void seat_leave(struct seat *s)
{
	s->leaving = true;
	if (s->port)
		pmapper_detach(s->h->pm, s->port);
}

/* Does a rule that came meanwhile want what was given back? */
static bool is_wanted(const struct hostusb *h, const struct seat *s)
{
	for (const struct rule *r = h->rules; r; r = r->next)
		if (r != s->rule && rule_is_free(r) &&
		    usb_match_info(&r->r.match, &s->p->info))
			return true;
	return false;
}

/* struct host_dev_owner */

static void seat_closed(void *owner)
{
	struct seat *s = owner;
	struct hostusb *h = s->h;

	s->hd = NULL;
	if ((s->port || s->leaving) && !s->gone) {
		/* somebody took it out: it stays out */
		hostusb_log(h, XHCI_LOG_INFO, "%s: given back to the host",
			    s->name);
		s->p->tried = !is_wanted(h, s);
		if (s->rule->r.match.kind != MATCH_BELOW)
			s->rule->removed = true;
	}
	if (s->port || s->leaving)
		status_event(h, HOSTUSB_EV_DETACHED, s->rule, s);
	if (s->rule->once) {
		s->rule->removed = true;
		s->p->left = s->p->handed; /* nobody else will say so */
	}
	seat_free(s);
	h->scan = true;
	h->ops->wake(h->host);
}

static void seat_gone(void *owner)
{
	struct seat *s = owner;

	s->gone = true;
	hostusb_log(s->h, XHCI_LOG_INFO, "%s: gone", s->name);
}

static bool port_is_kept(const struct hostusb *h, unsigned port)
{
	for (const struct rule *r = h->rules; r; r = r->next)
		if (!r->removed && r->r.at == port)
			return true;
	return false;
}

/*
 * Where its rule says; or into the port it had before; or into the first that
 * fits and is nobody's wish.
 */
static int seat_plug(struct seat *s)
{
	struct pmapper *pm = s->h->pm;
	const struct rule *rule = s->rule;

	if (rule->r.at)
		return pmapper_attach(pm, &s->hd->d, rule->r.at, &s->port);
	if (rule->port && rule->r.match.kind != MATCH_BELOW &&
	    pmapper_attach(pm, &s->hd->d, rule->port, &s->port) == 0)
		return 0;
	if (!pmapper_has_room(pm))
		return -EAGAIN;
	for (unsigned port = 1; port <= XHCI_MAX_PORTS; port++)
		if (!port_is_kept(s->h, port) &&
		    pmapper_attach(pm, &s->hd->d, port, &s->port) == 0)
			return 0;
	return -ENOSPC;
}

static void seat_opened(void *owner, int r, const char *why)
{
	struct seat *s = owner;

	if (r == 0 && !s->gone && !s->leaving && !s->h->stopping) {
		r = seat_plug(s);
		if (r == 0) {
			s->rule->port = s->port;
			hostusb_log(s->h, XHCI_LOG_INFO, "%s: in port %u",
				    s->name, s->port);
			status_event(s->h, HOSTUSB_EV_ATTACHED, s->rule, s);
			return;
		}
		why = attach_error(r);
	}
	if (r != 0) {
		s->p->tried = true;
		if (!s->leaving && !s->rule->removed)
			rule_fail(s->h, s->rule, HOSTUSB_FAILED, why);
		hostusb_log(s->h,
			    r == LIBUSB_ERROR_NO_DEVICE ? XHCI_LOG_INFO
							: XHCI_LOG_ERROR,
			    "%s: %s", s->name, why);
	}
	host_dev_close(s->hd);
}

static void seat_soon(void *owner)
{
	struct seat *s = owner;

	s->h->flush = true;
	s->h->ops->wake(s->h->host);
}

static void seat_cut(void *owner)
{
	struct seat *s = owner;

	s->h->cut = true;
}

static const struct host_dev_owner seat_ops = {
	.opened = seat_opened,
	.soon = seat_soon,
	.cut = seat_cut,
	.gone = seat_gone,
	.closed = seat_closed,
};

static void seat_name(struct seat *s)
{
	const struct usb_info *i = &s->p->info;
	char path[32];

	snprintf(s->name, sizeof(s->name), "usb %s %04x:%04x",
		 usb_path_name(i, path, sizeof(path)), i->vid, i->pid);
}

/* May this controller have the device? On success the claim is taken. */
static int seat_claim(struct hostusb *h, const struct present *p, char *err,
		      size_t errlen, struct owner_claim **ret)
{
	const char *denied = usb_denied(&p->info);
	char who[128] = "";
	int r;

	if (denied) {
		snprintf(err, errlen, "%s", denied);
		return -EINVAL;
	}
	r = owner_claim(&p->info, h->owner, who, sizeof(who), ret);
	if (r < 0 && p->handed) /* who opened it may well have claimed it */
		return 0;
	if (r == -EBUSY)
		snprintf(err, errlen, "in use by %s: detach it there first",
			 who);
	else if (r < 0)
		snprintf(err, errlen,
			 "its lock cannot be taken: %s: is there a writable "
			 "folder for it?",
			 strerror(-r));
	return r;
}

int seat_take(struct hostusb *h, struct rule *rule, struct present *p,
	      libusb_device_handle *handle, int fd, char *err, size_t errlen)
{
	struct seat *s = calloc(1, sizeof(*s));
	int r;

	if (!s) {
		snprintf(err, errlen, "out of memory: try again");
		return -ENOMEM;
	}
	r = seat_claim(h, p, err, errlen, &s->claim);
	if (r < 0)
		goto free_seat;
	s->h = h;
	s->rule = rule;
	s->p = p;
	rule->failed = HOSTUSB_WAITING;
	rule->why[0] = 0;
	seat_name(s);
	r = host_dev_create(h->pm, h->ctx, h->watcher, p->dev, &p->info,
			    s->name, rule->r.reset, &seat_ops, s, &s->hd);
	if (r < 0) {
		snprintf(err, errlen, "out of memory: try again");
		goto release;
	}
	s->next = h->seats;
	h->seats = s;
	p->seat = s;
	if (rule->r.match.kind != MATCH_BELOW)
		rule->seat = s;
	r = host_dev_open(s->hd, handle, fd);
	if (r == 0) {
		rule_resolve(rule, &p->info);
		return 0;
	}
	snprintf(err, errlen, "no thread for it: try again");
	s->hd->handle = NULL;
	host_dev_close(s->hd); /* and with it the seat */
	return r;
release:
	owner_release(s->claim);
free_seat:
	free(s);
	return r;
}

static struct rule *rule_for(struct hostusb *h, const struct present *p)
{
	for (struct rule *r = h->rules; r; r = r->next)
		if (rule_is_free(r) && usb_match_info(&r->r.match, &p->info))
			return r;
	return NULL;
}

/* A hub is no failure where the rule means what hangs behind it. */
static bool is_passed_over(const struct rule *rule, const struct present *p)
{
	return rule->r.match.kind == MATCH_BELOW && usb_denied(&p->info);
}

static void scan_one(struct hostusb *h, struct present *p)
{
	struct rule *rule = rule_for(h, p);
	char err[256], path[32];
	int r;

	if (!rule)
		return;
	if (is_passed_over(rule, p)) {
		p->tried = true;
		return;
	}
	r = seat_take(h, rule, p, NULL, -1, err, sizeof(err));
	if (r == 0)
		return;
	p->tried = true;
	hostusb_log(h, XHCI_LOG_ERROR, "%s: device %s: %s", rule->r.name,
		    usb_path_name(&p->info, path, sizeof(path)), err);
	rule_fail(h, rule,
		  r == -EBUSY    ? HOSTUSB_IN_USE
		  : r == -EINVAL ? HOSTUSB_DENIED
				 : HOSTUSB_FAILED,
		  err);
}

void attach_scan(struct hostusb *h)
{
	h->scan = false;
	if (h->stopping)
		return;
	for (struct present *p = h->present; p; p = p->next)
		if (p->known && !p->left && !p->tried && !p->seat)
			scan_one(h, p);
}

bool info_is_same(const struct usb_info *a, const struct usb_info *b)
{
	return a->bus == b->bus && a->addr == b->addr;
}

void attach_left(struct hostusb *h, struct present *p)
{
	p->left = true;
	if (p->seat)
		host_dev_gone(p->seat->hd);
	for (struct seat *s = h->seats; s && p->known; s = s->next)
		if (s->p->handed && info_is_same(&s->p->info, &p->info))
			host_dev_gone(s->hd);
	present_drop(h, p);
}
