/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/policy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *policy_action_name(enum policy_action a)
{
	static const char *const names[] = {
		[POLICY_GIVE] = "give",
		[POLICY_DENY] = "deny",
		[POLICY_LEAVE] = "leave",
	};

	return names[a];
}

static bool path_fits(const struct policy_match *m, const struct usb_info *i)
{
	if (i->npath < m->npath || (i->npath > m->npath && !m->below))
		return false;
	if (m->only_below && i->npath == m->npath)
		return false;
	return m->npath > 0 && memcmp(m->path, i->path, m->npath) == 0;
}

static bool class_fits(uint8_t cls, const struct usb_info *i)
{
	if (i->cls == cls)
		return true;
	for (unsigned n = 0; n < i->nifaces; n++)
		if (i->iface[n].cls == cls)
			return true;
	return false;
}

static bool driver_fits(const char *driver, const struct usb_info *i)
{
	for (unsigned n = 0; n < i->nifaces; n++)
		if (strcmp(i->iface[n].driver, driver) == 0)
			return true;
	return false;
}

bool policy_matches(const struct policy_match *m, const struct policy_dev *d)
{
	const struct usb_info *i = &d->info;

	if ((m->has & POLICY_BUS) && m->bus != i->bus)
		return false;
	if ((m->has & POLICY_PORT) && !path_fits(m, i))
		return false;
	if ((m->has & POLICY_ID) &&
	    (m->vid != i->vid || (!m->any_product && m->pid != i->pid)))
		return false;
	if ((m->has & POLICY_SERIAL) && strcmp(m->serial, i->serial) != 0)
		return false;
	if ((m->has & POLICY_CLASS) && !class_fits(m->cls, i))
		return false;
	if ((m->has & POLICY_SPEED) && m->speed != i->speed)
		return false;
	if ((m->has & POLICY_DRIVER) && !driver_fits(m->driver, i))
		return false;
	return !(m->has & POLICY_CONTROLLER) ||
	       strcmp(m->controller, d->controller) == 0;
}

static const char *used_text(unsigned used)
{
	if (used & POLICY_HUB)
		return "a hub is never given: name the devices behind it";
	if (used & POLICY_ROOT_DISK)
		return "this host runs from it: say force if it shall go";
	if (used & POLICY_VFIO)
		return "its controller is passed to a VM: say force if it "
		       "shall go";
	if (used & POLICY_NETWORK)
		return "a network adapter that is in use: say force if it "
		       "shall go";
	return NULL;
}

/* Does @a count rather than @b, which matches too? */
static bool is_stronger(const struct policy_rule *a,
			const struct policy_rule *b)
{
	if (a->priority != b->priority)
		return a->priority > b->priority;
	return a->action == POLICY_DENY && b->action != POLICY_DENY;
}

void policy_apply(const struct policy_rule *r, const struct policy_dev *d,
		  struct policy_decision *ret)
{
	*ret = (struct policy_decision){.action = r ? r->action : POLICY_LEAVE,
					.rule = r};
	if (!r || r->action != POLICY_GIVE)
		return;
	ret->why = used_text(r->force ? d->used & POLICY_HUB : d->used);
	if (ret->why)
		ret->action = POLICY_DENY;
}

void policy_decide(const struct policy *p, const struct policy_dev *d,
		   struct policy_decision *ret)
{
	const struct policy_rule *best = NULL;

	for (unsigned n = 0; n < p->nrules; n++) {
		const struct policy_rule *r = &p->rules[n];

		if ((!best || is_stronger(r, best)) &&
		    policy_matches(&r->match, d))
			best = r;
	}
	policy_apply(best, d, ret);
}

static bool paths_meet(const struct policy_match *a,
		       const struct policy_match *b)
{
	const struct policy_match *s = a->npath < b->npath ? a : b;
	const struct policy_match *l = s == a ? b : a;

	if (memcmp(s->path, l->path, s->npath) != 0)
		return false;
	return s->npath == l->npath || s->below;
}

static bool ids_meet(const struct policy_match *a, const struct policy_match *b)
{
	return a->vid == b->vid &&
	       (a->any_product || b->any_product || a->pid == b->pid);
}

/*
 * Could one device match both? A device has one of everything but classes and
 * drivers: those of its interfaces differ.
 */
static bool can_meet(const struct policy_match *a, const struct policy_match *b)
{
	unsigned both = a->has & b->has;

	if ((both & POLICY_BUS) && a->bus != b->bus)
		return false;
	if ((both & POLICY_PORT) && !paths_meet(a, b))
		return false;
	if ((both & POLICY_ID) && !ids_meet(a, b))
		return false;
	if ((both & POLICY_SERIAL) && strcmp(a->serial, b->serial) != 0)
		return false;
	if ((both & POLICY_SPEED) && a->speed != b->speed)
		return false;
	return !(both & POLICY_CONTROLLER) ||
	       strcmp(a->controller, b->controller) == 0;
}

static bool same_outcome(const struct policy_rule *a,
			 const struct policy_rule *b)
{
	if (a->action != b->action)
		return a->action == POLICY_DENY || b->action == POLICY_DENY;
	if (a->action != POLICY_GIVE)
		return true;
	return a->at == b->at && a->force == b->force &&
	       a->follow == b->follow && a->nvms == b->nvms &&
	       memcmp(a->vm, b->vm, a->nvms) == 0;
}

/* Those of one priority are beside each other, in the order of the file. */
static int by_priority(const void *x, const void *y)
{
	const struct policy_rule *a = *(const struct policy_rule *const *)x;
	const struct policy_rule *b = *(const struct policy_rule *const *)y;

	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	return a < b ? -1 : a > b;
}

int policy_check(const struct policy *p, unsigned *ret_a, unsigned *ret_b)
{
	const struct policy_rule **r;
	int err = 0;

	if (p->nrules == 0)
		return 0;
	r = calloc(p->nrules, sizeof(*r));
	if (!r)
		return -ENOMEM;
	for (unsigned n = 0; n < p->nrules; n++)
		r[n] = &p->rules[n];
	qsort(r, p->nrules, sizeof(*r), by_priority);
	for (unsigned b = 1; !err && b < p->nrules; b++) {
		for (unsigned a = b;
		     !err && a-- > 0 && r[a]->priority == r[b]->priority;) {
			if (same_outcome(r[a], r[b]) ||
			    !can_meet(&r[a]->match, &r[b]->match))
				continue;
			*ret_a = (unsigned)(r[a] - p->rules);
			*ret_b = (unsigned)(r[b] - p->rules);
			err = -EEXIST;
		}
	}
	free(r);
	return err;
}

void policy_free(struct policy *p)
{
	free(p->vms);
	free(p->rules);
	*p = (struct policy){0};
}
