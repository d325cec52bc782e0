/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rule.c - rules from outside, and devices that are handed over open.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostusb/attach.h"
#include "hostusb/discover.h"

static bool match_equal(const struct usb_match *a, const struct usb_match *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case MATCH_ADDR:
		return a->bus == b->bus && a->addr == b->addr;
	case MATCH_PATH:
	case MATCH_BELOW:
		return a->bus == b->bus && a->npath == b->npath &&
		       memcmp(a->path, b->path, a->npath) == 0;
	case MATCH_ID:
		return a->vid == b->vid && a->pid == b->pid &&
		       strcmp(a->serial, b->serial) == 0;
	}
	return false;
}

static int rule_add(struct hostusb *h, const struct hostusb_rule *rule,
		    char *err, size_t errlen, struct rule **ret)
{
	struct rule **end = &h->rules, *r;

	for (; *end; end = &(*end)->next) {
		if ((*end)->removed ||
		    !match_equal(&(*end)->r.match, &rule->match))
			continue;
		snprintf(err, errlen,
			 "the same as %s: leave one of the two out",
			 (*end)->r.name);
		return -EINVAL;
	}
	r = calloc(1, sizeof(*r));
	if (!r) {
		snprintf(err, errlen, "out of memory: try again");
		return -ENOMEM;
	}
	r->r = *rule;
	*end = r;
	*ret = r;
	return 0;
}

/*
 * Is the device that @r names, and no other rule's, there? Returns 1 and it,
 * 0, or -EBUSY where another rule has the only one.
 */
static int find_present(struct hostusb *h, const struct rule *r, char *err,
			size_t errlen, struct present **ret)
{
	const struct seat *other = NULL;

	for (struct present *p = h->present; p; p = p->next) {
		if (!p->known || p->left ||
		    !usb_match_info(&r->r.match, &p->info))
			continue;
		if (!p->seat) {
			*ret = p;
			return 1;
		}
		if (!p->seat->rule->removed)
			other = p->seat;
	}
	if (!other || r->r.match.kind == MATCH_BELOW)
		return 0;
	snprintf(err, errlen, "the device is %s as well: leave one out",
		 other->rule->r.name);
	return -EBUSY;
}

int hostusb_add_rule(struct hostusb *h, const struct hostusb_rule *rule,
		     char *err, size_t errlen)
{
	struct present *p = NULL;
	struct rule *r;
	int e = rule_add(h, rule, err, errlen, &r);

	if (e < 0)
		return e;
	if (rule->match.kind == MATCH_BELOW) {
		for (p = h->present; p; p = p->next)
			p->tried = false;
		h->scan = true;
		h->ops->wake(h->host);
		return 0;
	}
	e = find_present(h, r, err, errlen, &p);
	if (e == 1)
		e = seat_take(h, r, p, NULL, -1, err, errlen);
	if (e < 0)
		rule_drop(h, r);
	return e;
}

/* The entry of a device that was handed over open; new where it is not seen. */
static int fd_present(struct hostusb *h, libusb_device *dev, char *err,
		      size_t errlen, struct present **ret)
{
	struct present *p = h->present;
	int r;

	while (p && (p->dev != dev || p->left))
		p = p->next;
	if (p && p->seat) {
		snprintf(err, errlen, "the device is %s as well: leave one out",
			 p->seat->rule->r.name);
		return -EBUSY;
	}
	if (p && p->known) {
		*ret = p;
		return 0;
	}
	p = present_add(h, dev);
	if (!p) {
		snprintf(err, errlen, "out of memory: try again");
		return -ENOMEM;
	}
	p->handed = true;
	r = discover_info(dev, &p->info);
	p->known = r == 0;
	if (r != 0)
		snprintf(err, errlen, "the device cannot be read: %s",
			 strerror(-r));
	for (const struct seat *s = h->seats; s && r == 0; s = s->next) {
		if (!info_is_same(&s->p->info, &p->info))
			continue;
		snprintf(err, errlen, "the device is %s as well: leave one out",
			 s->rule->r.name);
		r = -EBUSY;
	}
	if (r == 0) {
		*ret = p;
		return 0;
	}
	p->left = true;
	present_drop(h, p);
	return r;
}

int hostusb_add_fd(struct hostusb *h, int fd, const struct hostusb_rule *rule,
		   char *err, size_t errlen)
{
	libusb_device_handle *handle = NULL;
	struct present *p;
	struct rule *r = NULL;
	int e = rule_add(h, rule, err, errlen, &r);

	if (e < 0)
		return e;
	e = libusb_wrap_sys_device(h->ctx, fd, &handle);
	if (e != 0) {
		snprintf(err, errlen, "not a USB device's descriptor: %s",
			 libusb_strerror(e));
		e = e == LIBUSB_ERROR_NO_MEM ? -ENOMEM : -EINVAL;
		goto drop_rule;
	}
	e = fd_present(h, libusb_get_device(handle), err, errlen, &p);
	if (e == 0) {
		e = seat_take(h, r, p, handle, fd, err, errlen);
		r->once = e == 0;
		if (e == 0)
			return 0;
		p->left |= p->handed;
		present_drop(h, p);
	}
	libusb_close(handle);
drop_rule:
	rule_drop(h, r);
	return e;
}
