/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/manage_core.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BIT(vm) ((uint64_t)1 << (vm))

void core_init(struct core *c, const struct core_ops *ops, void *host,
	       struct policy *p)
{
	*c = (struct core){.ops = ops, .host = host, .p = p};
}

static void let_claim_go(struct core *c, struct core_dev *d)
{
	if (d->claim)
		c->ops->release(c->host, d->claim);
	d->claim = NULL;
}

static void drop(struct core *c, struct core_dev *d)
{
	struct core_dev **at = &c->devs;

	while (*at != d)
		at = &(*at)->next;
	*at = d->next;
	let_claim_go(c, d);
	free(d);
}

void core_free(struct core *c)
{
	while (c->devs)
		drop(c, c->devs);
}

static bool is_same(const struct usb_info *a, const struct usb_info *b)
{
	return a->bus == b->bus && a->addr == b->addr && a->vid == b->vid &&
	       a->pid == b->pid && a->npath == b->npath &&
	       memcmp(a->path, b->path, a->npath) == 0;
}

/*
 * While somebody has it a device shows that one's drivers, not its own: what
 * was known before counts.
 */
static void refresh(struct core_dev *d, const struct policy_dev *now)
{
	if (d->state == CORE_FREE)
		d->d = *now;
}

static bool same_port(const struct usb_info *i, uint8_t bus,
		      const uint8_t *path, uint8_t npath)
{
	return i->bus == bus && i->npath == npath &&
	       memcmp(i->path, path, npath) == 0;
}

/* Whoever has it may make another device of it: a firmware load, DFU. */
static void follow(struct core *c, const struct core_dev *d)
{
	struct core_followed *f = &c->followed[0];

	if (d->state == CORE_FREE || d->decision.action != POLICY_GIVE ||
	    !d->decision.rule->follow)
		return;
	for (unsigned n = 0; n < CORE_FOLLOWED; n++)
		if (c->followed[n].until_ns < f->until_ns)
			f = &c->followed[n]; /* the oldest */
	*f = (struct core_followed){.rule = d->decision.rule,
				    .bus = d->d.info.bus,
				    .npath = d->d.info.npath,
				    .until_ns = c->now_ns + CORE_FOLLOW_NS};
	memcpy(f->path, d->d.info.path, sizeof(f->path));
}

static const struct policy_rule *followed(struct core *c,
					  const struct usb_info *i)
{
	for (unsigned n = 0; n < CORE_FOLLOWED; n++) {
		struct core_followed *f = &c->followed[n];
		const struct policy_rule *r = f->rule;

		if (!r || !same_port(i, f->bus, f->path, f->npath))
			continue;
		if (c->now_ns > f->until_ns)
			r = NULL;
		*f = (struct core_followed){0};
		return r;
	}
	return NULL;
}

/* A rule that fits counts more than where a device came from. */
static void decide(struct core *c, struct core_dev *d)
{
	struct policy_decision was = d->decision;

	policy_decide(c->p, &d->d, &d->decision);
	if (!d->decision.rule)
		policy_apply(d->follows, &d->d, &d->decision);
	if (d->decision.action != was.action || d->decision.rule != was.rule)
		c->ops->log(c->host, d, policy_action_name(d->decision.action));
}

static struct core_dev *find(struct core *c, const struct usb_info *i)
{
	struct core_dev *d = c->devs;

	while (d && (d->left || !is_same(&d->d.info, i)))
		d = d->next;
	return d;
}

static struct core_dev *add(struct core *c, const struct policy_dev *d)
{
	struct core_dev *k = calloc(1, sizeof(*k)), **end = &c->devs;

	if (!k)
		return NULL;
	k->d = *d;
	k->vm = CORE_NO_VM;
	while (*end)
		end = &(*end)->next;
	*end = k;
	return k;
}

/* What is not there any more, once those that are have been .seen */
static void leave(struct core *c)
{
	struct core_dev *next;

	for (struct core_dev *d = c->devs; d; d = next) {
		next = d->next;
		if (d->seen || d->left)
			continue;
		d->left = true;
		c->ops->log(c->host, d, "unplugged");
		follow(c, d);
		if (d->state == CORE_FREE)
			drop(c, d);
	}
}

int core_set_devices(struct core *c, const struct policy_dev *list, size_t n)
{
	struct core_dev *d;

	for (d = c->devs; d; d = d->next)
		d->seen = false;
	for (size_t i = 0; i < n; i++) {
		d = find(c, &list[i].info);
		if (d)
			d->seen = true;
	}
	leave(c);
	for (size_t i = 0; i < n; i++) {
		bool is_new;

		d = find(c, &list[i].info);
		is_new = !d;
		if (is_new)
			d = add(c, &list[i]);
		if (!d)
			return -ENOMEM;
		d->seen = true;
		if (is_new)
			d->follows = followed(c, &list[i].info);
		refresh(d, &list[i]);
		if (is_new || d->state == CORE_FREE)
			decide(c, d);
	}
	return 0;
}

void core_vm_up(struct core *c, uint8_t vm)
{
	c->up |= BIT(vm);
	/* it may be another one: what the last did not want, it may */
	for (struct core_dev *d = c->devs; d; d = d->next)
		d->let_go &= ~BIT(vm);
}

/* The rule of that name, if it still follows; or NULL */
static const struct policy_rule *follower(const struct core *c,
					  const char *name)
{
	for (unsigned n = 0; n < c->p->nrules; n++)
		if (c->p->rules[n].follow &&
		    strcmp(c->p->rules[n].name, name) == 0)
			return &c->p->rules[n];
	return NULL;
}

void core_adopt(struct core *c, uint8_t vm, uint8_t bus, uint8_t addr,
		unsigned id, const char *rule)
{
	for (struct core_dev *d = c->devs; d; d = d->next) {
		if (d->left || d->d.info.bus != bus || d->d.info.addr != addr ||
		    d->state != CORE_FREE)
			continue;
		d->state = CORE_GIVEN;
		d->vm = vm;
		d->id = id;
		d->follows = follower(c, rule);
		decide(c, d);
		if (c->ops->claim(c->host, d, &d->claim) != 0)
			d->claim = NULL; /* it has it all the same */
		c->ops->log(c->host, d, "has it already");
	}
}

/* The host has it again; or, if it left, nobody. */
static void set_free(struct core *c, struct core_dev *d)
{
	d->state = CORE_FREE;
	d->vm = CORE_NO_VM;
	d->id = 0;
	let_claim_go(c, d);
	if (d->left)
		drop(c, d);
}

void core_vm_down(struct core *c, uint8_t vm)
{
	struct core_dev *next;

	c->up &= ~BIT(vm);
	for (struct core_dev *d = c->devs; d; d = next) {
		next = d->next;
		if (d->state == CORE_FREE || d->vm != vm)
			continue;
		c->ops->log(c->host, d, "its VM ended");
		if (!d->left)
			c->ops->rebind(c->host, d);
		set_free(c, d);
	}
}

void core_given(struct core *c, struct core_dev *d, int err, unsigned id)
{
	if (err == 0) {
		d->id = id;
		if (d->state == CORE_GIVING)
			d->state = CORE_GIVEN;
		else if (d->state == CORE_TAKING)
			c->ops->take(c->host, d->vm, d);
		return;
	}
	d->failed = true;
	c->ops->log(c->host, d, "cannot be given");
	if (!d->left)
		c->ops->rebind(c->host, d);
	set_free(c, d);
}

void core_detached(struct core *c, uint8_t vm, unsigned id, bool unplugged)
{
	struct core_dev *d = c->devs;

	while (d && (d->state == CORE_FREE || d->vm != vm || d->id != id))
		d = d->next;
	if (!d)
		return;
	if (!unplugged && d->state != CORE_TAKING)
		d->let_go |= BIT(vm);
	c->ops->log(c->host, d, unplugged ? "gone" : "given back");
	set_free(c, d);
}

void core_set_policy(struct core *c, struct policy *p, const uint8_t *map)
{
	struct policy *old = c->p;
	const char *name;
	uint64_t up = 0;

	memset(c->followed, 0, sizeof(c->followed));
	for (uint8_t vm = 0; vm < c->p->nvms; vm++)
		if ((c->up & BIT(vm)) && map[vm] != CORE_NO_VM)
			up |= BIT(map[vm]);
	c->up = up;
	for (struct core_dev *d = c->devs; d; d = d->next) {
		uint64_t let_go = 0;

		for (uint8_t vm = 0; vm < c->p->nvms; vm++)
			if ((d->let_go & BIT(vm)) && map[vm] != CORE_NO_VM)
				let_go |= BIT(map[vm]);
		d->let_go = let_go;
		if (d->state != CORE_FREE)
			d->vm = map[d->vm];
		/* the old rules are gone: nothing points to them any more */
		name = d->follows ? d->follows->name : "";
		c->p = p;
		d->follows = follower(c, name);
		c->p = old;
		d->decision = (struct policy_decision){0};
		d->failed = false;
	}
	c->p = p;
	for (struct core_dev *d = c->devs; d; d = d->next)
		decide(c, d);
}

/* Which VM is to have it now; CORE_NO_VM: the host */
static uint8_t target(const struct core *c, const struct core_dev *d)
{
	const struct policy_rule *r = d->decision.rule;

	if (d->left || d->decision.action != POLICY_GIVE)
		return CORE_NO_VM;
	for (unsigned n = 0; n < r->nvms; n++)
		if (d->state != CORE_FREE && r->vm[n] == d->vm)
			return d->vm;
	for (unsigned n = 0; n < r->nvms; n++)
		if ((c->up & BIT(r->vm[n])) && !(d->let_go & BIT(r->vm[n])))
			return r->vm[n];
	return CORE_NO_VM;
}

/* A VM has not let go yet of what was in its port before. */
static bool has_ghost(const struct core *c, const struct core_dev *d)
{
	const struct usb_info *i = &d->d.info;

	for (const struct core_dev *k = c->devs; k; k = k->next)
		if (k->left && k->state != CORE_FREE &&
		    same_port(&k->d.info, i->bus, i->path, i->npath))
			return true;
	return false;
}

static void give(struct core *c, struct core_dev *d, uint8_t vm)
{
	int r;

	d->vm = vm;
	r = c->ops->claim(c->host, d, &d->claim);
	if (r == 0) {
		d->state = CORE_GIVING;
		c->ops->log(c->host, d, "given");
		r = c->ops->give(c->host, vm, d);
	} else {
		d->claim = NULL;
	}
	if (r == 0)
		return;
	d->failed = true;
	c->ops->log(c->host, d, "cannot be given");
	set_free(c, d);
}

void core_run(struct core *c)
{
	struct core_dev *next;

	for (struct core_dev *d = c->devs; d; d = next) {
		uint8_t vm = target(c, d);

		next = d->next;
		if (d->state == CORE_FREE) {
			if (vm != CORE_NO_VM && !d->failed && !has_ghost(c, d))
				give(c, d, vm);
		} else if (d->state != CORE_TAKING && vm != d->vm) {
			bool has_id = d->state == CORE_GIVEN;

			d->state = CORE_TAKING;
			if (has_id) /* else once it is known */
				c->ops->take(c->host, d->vm, d);
		}
	}
}
