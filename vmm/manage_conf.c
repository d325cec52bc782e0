/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/manage_conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emu/xhci.h"
#include "vmm/manage_conf_impl.h"

/* What is wrong with the value we are at. Returns -EINVAL. */
int conf_fail(struct conf *c, const char *fmt, ...)
{
	char what[400];
	int line, column;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	where_find(c->text, c->at, c->depth, &line, &column);
	snprintf(c->err, c->errlen, "%s:%d:%d: %s", c->name, line, column,
		 what);
	return -EINVAL;
}

void conf_enter(struct conf *c, const char *key, size_t index)
{
	c->at[c->depth++] = (struct where_step){key, index};
}

static const char *type_text(json_type type)
{
	return type == JSON_STRING    ? "a string"
	       : type == JSON_INTEGER ? "an integer"
	       : type == JSON_TRUE    ? "true or false"
	       : type == JSON_OBJECT  ? "an object"
				      : "an array";
}

static bool type_fits(const json_t *v, json_type type)
{
	return type == JSON_NULL || json_typeof(v) == type ||
	       (type == JSON_TRUE && json_is_boolean(v));
}

int conf_members(struct conf *c, const json_t *obj, const struct member *list,
		 bool lenient, void *to)
{
	const struct member *m;
	const char *key;
	json_t *v;
	int r = 0;

	json_object_foreach((json_t *)(uintptr_t)obj, key, v)
	{
		conf_enter(c, key, 0);
		for (m = list; m->name && strcmp(m->name, key) != 0; m++)
			;
		if (!m->name && lenient)
			r = 0;
		else if (!m->name)
			r = conf_fail(c,
				      "%.64s: unknown key: see "
				      "docs/manage.md",
				      key);
		else if (!type_fits(v, m->type))
			r = conf_fail(c, "%s: not %s: write one", key,
				      type_text(m->type));
		else
			r = m->take(c, v, to);
		if (r < 0)
			return r;
		c->depth--;
	}
	return 0;
}

int conf_text(struct conf *c, const json_t *v, char *to, size_t len,
	      const char *what)
{
	const char *s = json_string_value(v);

	if (!s[0] || strlen(s) >= len || strlen(s) != json_string_length(v))
		return conf_fail(c,
				 "%s: empty or too long: write 1 to %zu "
				 "bytes",
				 what, len - 1);
	for (const char *k = s; *k; k++)
		if ((unsigned char)*k < ' ' || *k == 0x7f)
			return conf_fail(c,
					 "%s: has a control character: "
					 "leave it out",
					 what);
	memcpy(to, s, strlen(s) + 1);
	return 0;
}

int conf_int(struct conf *c, const json_t *v, json_int_t min, json_int_t max,
	     const char *what, json_int_t *ret)
{
	*ret = json_integer_value(v);
	if (*ret >= min && *ret <= max)
		return 0;
	return conf_fail(c, "%s: out of range: write %lld to %lld", what,
			 (long long)min, (long long)max);
}

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

static int vm_slot(struct conf *c, const json_t *v, void *to)
{
	struct policy_vm *vm = to;

	return conf_text(c, v, vm->slot, sizeof(vm->slot), "slot");
}

static const struct member vm_members[] = {
	{"control", JSON_STRING, conf_control},
	{"slot", JSON_STRING, vm_slot},
	{"user", JSON_NULL, conf_user},
	{0},
};

static int take_vm(struct conf *c, const char *name, json_t *v)
{
	struct policy_vm *vm = &c->p.vms[c->p.nvms];
	int r;

	conf_enter(c, name, 0);
	if (!name[0] || strlen(name) >= sizeof(vm->name))
		return conf_fail(c,
				 "vms: a name of 1 to %zu bytes is needed: "
				 "choose another",
				 sizeof(vm->name) - 1);
	snprintf(vm->name, sizeof(vm->name), "%s", name);
	if (!json_is_object(v))
		return conf_fail(c,
				 "%s: not an object: write {\"control\": "
				 "PATH}",
				 vm->name);
	r = conf_members(c, v, vm_members, false, vm);
	if (r < 0)
		return r;
	if (!vm->control[0])
		return conf_fail(c,
				 "%s: control is missing: name the socket of "
				 "its vxhci serve",
				 vm->name);
	for (unsigned i = 0; i < c->p.nvms; i++)
		if (strcmp(c->p.vms[i].control, vm->control) == 0 &&
		    strcmp(c->p.vms[i].slot, vm->slot) == 0)
			return conf_fail(c,
					 "%s: the same controller as %s: "
					 "give it its own",
					 vm->name, c->p.vms[i].name);
	c->p.nvms++;
	c->depth--;
	return 0;
}

static int take_vms(struct conf *c, json_t *vms)
{
	const char *name;
	json_t *v;
	int r;

	conf_enter(c, "vms", 0);
	if (!json_is_object(vms))
		return conf_fail(c, "vms: missing, or not an object: write "
				    "{\"NAME\": {\"control\": PATH}}");
	if (json_object_size(vms) > POLICY_MAX_VMS)
		return conf_fail(c, "vms: more than %u: leave some out",
				 POLICY_MAX_VMS);
	c->p.vms = calloc(json_object_size(vms) + 1, sizeof(*c->p.vms));
	if (!c->p.vms)
		return -ENOMEM;
	json_object_foreach(vms, name, v)
	{
		r = take_vm(c, name, v);
		if (r < 0)
			return r;
	}
	c->depth--;
	return 0;
}

static int take_rules(struct conf *c, json_t *rules)
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

/* Of the rules @nfile are the file's own. */
static int check_ties(struct conf *c, unsigned nfile)
{
	unsigned a = 0, b = 0;
	int r = policy_check(&c->p, &a, &b);

	if (r != -EEXIST)
		return r;
	conf_enter(c, b < nfile ? "rules" : "manifest", 0);
	conf_enter(c, NULL, b); /* leads nowhere in a manifest */
	return conf_fail(c,
			 "%s: one device may match this and %s, which wants "
			 "something else: give one of them a higher "
			 "priority",
			 c->p.rules[b].name, c->p.rules[a].name);
}

static int take_root(struct conf *c, json_t *root)
{
	const json_t *manifest = json_object_get(root, "manifest");
	const char *key;
	unsigned nfile;
	json_t *v;
	int r;

	if (!json_is_object(root))
		return conf_fail(c, "not an object: see docs/manage.md");
	json_object_foreach(root, key, v)
	{
		if (strcmp(key, "vms") == 0 || strcmp(key, "rules") == 0 ||
		    v == manifest)
			continue;
		conf_enter(c, key, 0);
		return conf_fail(c,
				 "%.64s: unknown key: write vms, rules and "
				 "manifest",
				 key);
	}
	r = take_vms(c, json_object_get(root, "vms"));
	if (r == 0 && (!manifest || json_object_get(root, "rules")))
		r = take_rules(c, json_object_get(root, "rules"));
	nfile = c->p.nrules;
	if (r == 0 && manifest)
		r = conf_manifest(c, manifest);
	return r == 0 ? check_ties(c, nfile) : r;
}

/* An error is one line, whatever names are in it. */
static void one_line(char *err, size_t errlen)
{
	for (size_t i = 0; i < errlen && err[i]; i++)
		if ((unsigned char)err[i] < ' ' || err[i] == 0x7f)
			err[i] = '?';
}

static int parse(struct conf *c, struct policy *ret)
{
	json_error_t e;
	json_t *root = json_loads(c->text, JSON_REJECT_DUPLICATES, &e);
	int r = -EINVAL;

	if (!root) {
		snprintf(c->err, c->errlen, "%s:%d:%d: %s: correct the JSON",
			 c->name, e.line, e.column, e.text);
		one_line(c->err, c->errlen);
		return r;
	}
	r = take_root(c, root);
	json_decref(root);
	if (r == -ENOMEM)
		snprintf(c->err, c->errlen, "%s: out of memory: try again",
			 c->name);
	if (r < 0) {
		one_line(c->err, c->errlen);
		policy_free(&c->p);
	} else {
		*ret = c->p;
	}
	return r;
}

int conf_parse(const char *name, const char *text, char *err, size_t errlen,
	       struct policy *ret)
{
	struct conf c = {
		.name = name, .text = text, .err = err, .errlen = errlen};

	return parse(&c, ret);
}

char *conf_read(const char *file, int *ret_err)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	char *buf = fd < 0 ? NULL : malloc(CONF_MAX_BYTES + 1);
	size_t len = 0;
	ssize_t n = 0;

	*ret_err = fd < 0 ? -errno : -ENOMEM;
	while (buf && len < CONF_MAX_BYTES &&
	       (n = read(fd, buf + len, CONF_MAX_BYTES - len)) > 0)
		len += (size_t)n;
	if (buf && (n < 0 || len == CONF_MAX_BYTES)) {
		*ret_err = n < 0 ? -errno : -EFBIG;
		free(buf);
		buf = NULL;
	}
	if (fd >= 0)
		close(fd);
	if (buf)
		buf[len] = '\0';
	return buf;
}

static int load(const char *file, bool strict, char *err, size_t errlen,
		struct policy *ret)
{
	struct conf c = {
		.name = file, .err = err, .errlen = errlen, .strict = strict};
	int r;
	char *text = conf_read(file, &r);

	if (!text) {
		snprintf(err, errlen,
			 "%s: cannot be read: %s: see whether it "
			 "is there",
			 file, strerror(-r));
		return r;
	}
	c.text = text;
	r = parse(&c, ret);
	free(text);
	return r;
}

int conf_load(const char *file, char *err, size_t errlen, struct policy *ret)
{
	return load(file, false, err, errlen, ret);
}

int conf_check(const char *file, char *err, size_t errlen, struct policy *ret)
{
	return load(file, true, err, errlen, ret);
}
