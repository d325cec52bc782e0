/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manage_rules.c - "rules" of the manager's file: what becomes of a device. What
 * it is that they match is manage_match.c's.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/xhci.h"
#include "vmm/manage_conf_impl.h"

/* A rule, and what was said of it */
struct rule_said {
	struct policy_rule *r;
	unsigned actions;
};

static int rule_name(struct conf *c, const json_t *v, void *to)
{
	struct policy_rule *r = ((struct rule_said *)to)->r;

	return conf_text(c, v, r->name, sizeof(r->name), "name");
}

static int rule_priority(struct conf *c, const json_t *v, void *to)
{
	json_int_t n;
	int r = conf_int(c, v, -1000000, 1000000, "priority", &n);

	((struct rule_said *)to)->r->priority = (int)n;
	return r;
}

static int rule_match(struct conf *c, const json_t *v, void *to)
{
	struct policy_match *m = &((struct rule_said *)to)->r->match;
	int r = conf_members(c, v, match_members, false, m);

	if (r == 0 && (m->has & POLICY_PORT) &&
	    !(m->has & (POLICY_BUS | POLICY_CONTROLLER)))
		return conf_fail(c, "match: port is not enough: add bus or "
				    "controller");
	return r;
}

static int add_vm(struct conf *c, const char *name, struct policy_rule *r)
{
	for (unsigned i = 0; i < c->p.nvms; i++) {
		if (strcmp(c->p.vms[i].name, name) != 0)
			continue;
		for (unsigned k = 0; k < r->nvms; k++)
			if (r->vm[k] == i)
				return conf_fail(c,
						 "give: %.64s is named "
						 "twice: write it once",
						 name);
		if (r->nvms == POLICY_MAX_GIVE)
			return conf_fail(c,
					 "give: more than %u VMs: leave "
					 "some out",
					 POLICY_MAX_GIVE);
		r->vm[r->nvms++] = (uint8_t)i;
		return 0;
	}
	return conf_fail(c, "give: %.64s: no such VM: add it to vms", name);
}

int conf_give(struct conf *c, const json_t *v, struct policy_rule *rule)
{
	json_t *one;
	size_t i;
	int r = 0;

	rule->action = POLICY_GIVE;
	if (json_is_string(v))
		return add_vm(c, json_string_value(v), rule);
	if (!json_is_array(v) || json_array_size(v) == 0)
		return conf_fail(c, "give: neither a VM's name nor an array of "
				    "them: write one");
	json_array_foreach(v, i, one)
	{
		if (!json_is_string(one))
			return conf_fail(c, "give: not a VM's name: write a "
					    "string");
		r = add_vm(c, json_string_value(one), rule);
		if (r < 0)
			return r;
	}
	return r;
}

static int rule_give(struct conf *c, const json_t *v, void *to)
{
	struct rule_said *s = to;

	s->actions++;
	return conf_give(c, v, s->r);
}

static int rule_flag(struct conf *c, const json_t *v, struct rule_said *s,
		     enum policy_action action, const char *name)
{
	if (!json_is_true(v))
		return conf_fail(c, "%s: false says nothing: leave it out",
				 name);
	s->actions++;
	s->r->action = action;
	return 0;
}

static int rule_deny(struct conf *c, const json_t *v, void *to)
{
	return rule_flag(c, v, to, POLICY_DENY, "deny");
}

static int rule_leave(struct conf *c, const json_t *v, void *to)
{
	return rule_flag(c, v, to, POLICY_LEAVE, "leave");
}

static int rule_at(struct conf *c, const json_t *v, void *to)
{
	json_int_t n;
	int r = conf_int(c, v, 1, XHCI_MAX_PORTS, "at", &n);

	((struct rule_said *)to)->r->at = (uint8_t)n;
	return r;
}

static int rule_force(struct conf *c, const json_t *v, void *to)
{
	(void)c;
	((struct rule_said *)to)->r->force = json_is_true(v);
	return 0;
}

static int rule_follow(struct conf *c, const json_t *v, void *to)
{
	(void)c;
	((struct rule_said *)to)->r->follow = json_is_true(v);
	return 0;
}

static const struct member rule_members[] = {
	{"name", JSON_STRING, rule_name},
	{"priority", JSON_INTEGER, rule_priority},
	{"match", JSON_OBJECT, rule_match},
	{"give", JSON_NULL, rule_give},
	{"deny", JSON_TRUE, rule_deny},
	{"leave", JSON_TRUE, rule_leave},
	{"at", JSON_INTEGER, rule_at},
	{"force", JSON_TRUE, rule_force},
	{"follow", JSON_TRUE, rule_follow},
	{0},
};

static int take_rule(struct conf *c, json_t *v, size_t index)
{
	struct rule_said s = {.r = &c->p.rules[index]};
	int r;

	conf_enter(c, NULL, index);
	if (!json_is_object(v))
		return conf_fail(c, "rules: not an object: write {...}");
	r = conf_members(c, v, rule_members, false, &s);
	if (r < 0)
		return r;
	if (!json_object_get(v, "match"))
		return conf_fail(c, "rule: match is missing: write {} for "
				    "every device");
	if (s.actions != 1)
		return conf_fail(c,
				 "rule: %s of give, deny and leave: write "
				 "one",
				 s.actions ? "several" : "none");
	if (s.r->action != POLICY_GIVE &&
	    (s.r->at || s.r->force || s.r->follow))
		return conf_fail(c, "rule: at, force and follow belong to "
				    "give: leave them out");
	if (!s.r->name[0])
		snprintf(s.r->name, sizeof(s.r->name), "rule %zu", index + 1);
	c->depth--;
	c->p.nrules++;
	return 0;
}

int conf_rules(struct conf *c, json_t *rules)
{
	json_t *v;
	size_t i;
	int r;

	conf_enter(c, "rules", 0);
	if (!json_is_array(rules))
		return conf_fail(c, "rules: missing, or not an array: write "
				    "[...]");
	if (json_array_size(rules) > POLICY_MAX_RULES)
		return conf_fail(c,
				 "rules: more than %u: match more with "
				 "each",
				 POLICY_MAX_RULES);
	c->p.rules = calloc(json_array_size(rules) + 1, sizeof(*c->p.rules));
	if (!c->p.rules)
		return -ENOMEM;
	json_array_foreach(rules, i, v)
	{
		r = take_rule(c, v, i);
		if (r < 0)
			return r;
	}
	c->depth--;
	return 0;
}
