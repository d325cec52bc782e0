/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manage_manifest.c - "manifest" in the file of `vxhci manage`: the
 * ioMemberList of an EVE model manifest as rules, with that project's meaning.
 *
 * All keys of a member have to fit. Members of a group go to the VMs that the
 * group is assigned to. A group with a parent group is for devices that one
 * of the parent's members fits too, and so on upwards; a parent that has no
 * members fits nothing. A port counts before a product. A member that is a PCI
 * controller by itself is assigned as a whole: nothing behind it is given.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "vmm/manage_conf_impl.h"

#define MAX_MEMBERS 4096u
#define MAX_PARENTS 8u
#define PRIO_EXACT 10 /* of a port; a wildcard has 1 and its fixed numbers */
#define PRIO_PLACE 16 /* a place counts more than all products below it */
#define PRIO_FORBID 100000

struct io_member {
	char label[POLICY_NAME];
	char group[POLICY_NAME], parent[POLICY_NAME];
	struct policy_match m; /* .has 0: nothing that a USB device has */
};

struct manifest {
	struct conf *c;           /* borrowed: the file of vxhci manage */
	struct io_member *member; /* owned */
	unsigned n;
	int priority;
};

static int take_ztype(struct conf *c, const json_t *v, void *to)
{
	(void)to;
	if (json_is_string(v) || json_is_integer(v))
		return 0;
	return conf_fail(c, "ztype: neither a name nor a number: write one");
}

/* "" is as if it were not there */
static int take_text(struct conf *c, const json_t *v, char *to, const char *key)
{
	return json_string_length(v) ? conf_text(c, v, to, POLICY_NAME, key)
				     : 0;
}

static int take_label(struct conf *c, const json_t *v, void *to)
{
	return take_text(c, v, ((struct io_member *)to)->label, "phylabel");
}

static int take_group(struct conf *c, const json_t *v, void *to)
{
	return take_text(c, v, ((struct io_member *)to)->group, "assigngrp");
}

static int take_parent(struct conf *c, const json_t *v, void *to)
{
	return take_text(c, v, ((struct io_member *)to)->parent,
			 "parentassigngrp");
}

/* "1:2.3", "1:2.*": below port 2, but not what is in it; "1:*" */
static int take_usbaddr(struct conf *c, const char *s, struct policy_match *m)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (*s < '0' || *s > '9' || n < 1 || n > 255 || *end != ':')
		return conf_fail(c, "usbaddr: not BUS:PORT: write 1:2.3");
	m->bus = (uint8_t)n;
	m->has |= POLICY_BUS;
	for (s = end + 1; strcmp(s, "*") != 0; s = end + 1) {
		n = *s >= '0' && *s <= '9' ? strtoul(s, &end, 10) : 0;
		if (n < 1 || n > 255 || m->npath == USB_MAX_DEPTH ||
		    (*end && *end != '.'))
			return conf_fail(c, "usbaddr: not BUS:PORT: write "
					    "1:2.3");
		m->path[m->npath++] = (uint8_t)n;
		m->has |= POLICY_PORT;
		if (!*end)
			return 0;
	}
	m->below = m->only_below = m->npath > 0;
	return 0;
}

static int take_usbproduct(struct conf *c, const char *s,
			   struct policy_match *m)
{
	char *end;
	unsigned long vid = strtoul(s, &end, 16), pid = 0;
	const char *colon = end;

	if (colon != s && *colon == ':')
		pid = strtoul(colon + 1, &end, 16);
	if (colon == s || *colon != ':' || end == colon + 1 || *end ||
	    strspn(s, "0123456789abcdefABCDEF:") != strlen(s) || vid > 0xffff ||
	    pid > 0xffff)
		return conf_fail(c, "usbproduct: not an id: write VVVV:DDDD");
	m->vid = (uint16_t)vid;
	m->pid = (uint16_t)pid;
	m->has |= POLICY_ID;
	return 0;
}

/* "00:14.0" is in the first domain. */
static int take_pci(struct conf *c, const char *s, struct policy_match *m)
{
	const char *colon = strchr(s, ':');
	bool short_form = colon && !strchr(colon + 1, ':');

	if (!colon || strlen(s) + 5 >= sizeof(m->controller))
		return conf_fail(c, "PciLong: not a PCI address: write "
				    "0000:00:14.0");
	snprintf(m->controller, sizeof(m->controller), "%s%s",
		 short_form ? "0000:" : "", s);
	m->has |= POLICY_CONTROLLER;
	return 0;
}

/* Addresses of other buses are none of ours. */
static int take_phyaddrs(struct conf *c, const json_t *v, void *to)
{
	static const struct {
		const char *name;
		int (*take)(struct conf *c, const char *s,
			    struct policy_match *m);
	} keys[] = {{"usbaddr", take_usbaddr},
		    {"usbproduct", take_usbproduct},
		    {"pcilong", take_pci}};
	struct policy_match *m = &((struct io_member *)to)->m;
	const char *key;
	json_t *val;

	json_object_foreach((json_t *)(uintptr_t)v, key, val)
	{
		for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++) {
			int r = 0;

			if (strcasecmp(key, keys[k].name) != 0)
				continue;
			conf_enter(c, key, 0);
			if (!json_is_string(val))
				r = conf_fail(c, "%s: not a string: write one",
					      key);
			else if (json_string_length(val))
				r = keys[k].take(c, json_string_value(val), m);
			if (r < 0)
				return r;
			c->depth--;
		}
	}
	return 0;
}

static const struct member io_members[] = {
	{"ztype", JSON_NULL, take_ztype},
	{"phylabel", JSON_STRING, take_label},
	{"assigngrp", JSON_STRING, take_group},
	{"parentassigngrp", JSON_STRING, take_parent},
	{"phyaddrs", JSON_OBJECT, take_phyaddrs},
	{0},
};

static int take_io_list(struct conf *c, const json_t *root, struct manifest *f)
{
	const json_t *list = json_object_get(root, "ioMemberList");
	json_t *v;
	size_t i;
	int r = 0;

	conf_enter(c, "ioMemberList", 0);
	if (!json_is_array(list) || json_array_size(list) > MAX_MEMBERS)
		return conf_fail(c,
				 "ioMemberList: missing, or not an array of at "
				 "most %u: name a model manifest",
				 MAX_MEMBERS);
	f->member = calloc(json_array_size(list) + 1, sizeof(*f->member));
	if (!f->member)
		return -ENOMEM;
	json_array_foreach(list, i, v)
	{
		struct io_member *k = &f->member[f->n++];

		conf_enter(c, NULL, i);
		if (!json_is_object(v))
			return conf_fail(c, "ioMemberList: not an object: "
					    "write {...}");
		r = conf_members(c, v, io_members, true, k);
		if (r < 0)
			return r;
		if (!k->label[0])
			snprintf(k->label, sizeof(k->label), "member %zu",
				 i + 1);
		c->depth--;
	}
	c->depth--;
	return 0;
}

/* The manifest itself, which is another file with places of its own */
static int read_manifest(struct conf *c, const char *file, struct manifest *f)
{
	char path[4096];
	const char *slash = strrchr(c->name, '/');
	struct conf in = {.err = c->err, .errlen = c->errlen, .name = path};
	json_error_t e;
	struct stat st;
	json_t *root;
	char *text;
	int r;

	snprintf(path, sizeof(path), "%.*s%s",
		 *file != '/' && slash ? (int)(slash + 1 - c->name) : 0,
		 c->name, file);
	r = stat(path, &st) < 0 ? -errno : -EINVAL;
	text = r == -EINVAL && S_ISREG(st.st_mode) ? conf_read(path, &r) : NULL;
	if (!text)
		return conf_fail(c, "file: %s: %s: see whether it is there",
				 path, strerror(-r));
	in.text = text;
	root = json_loads(text, 0, &e);
	if (!root) {
		snprintf(c->err, c->errlen, "%s:%d:%d: %s: correct the JSON",
			 path, e.line, e.column, e.text);
		r = -EINVAL;
	} else if (!json_is_object(root)) {
		r = conf_fail(&in, "not an object: name a model manifest");
	} else {
		r = take_io_list(&in, root, f);
	}
	json_decref(root);
	free(text);
	return r;
}

/* @a, and what of it @b covers: both have to fit. False: nothing can */
static bool places_meet(struct policy_match *a, const struct policy_match *b)
{
	bool a_all = !(a->has & POLICY_PORT), b_all = !(b->has & POLICY_PORT);
	const struct policy_match *s = a->npath <= b->npath ? a : b;
	const struct policy_match *l = s == a ? b : a;

	if ((a->has & b->has & POLICY_BUS) && a->bus != b->bus)
		return false;
	if (!a_all && !b_all) {
		if (memcmp(a->path, b->path, s->npath) != 0)
			return false;
		if (s->npath == l->npath ? a->only_below != b->only_below
					 : !s->only_below)
			return false;
	}
	if (b->has & POLICY_BUS)
		a->bus = b->bus;
	if (a_all ? !b_all : !b_all && l == b) {
		memcpy(a->path, b->path, sizeof(a->path));
		a->npath = b->npath;
		a->below = b->below;
		a->only_below = b->only_below;
	}
	return true;
}

static bool both(struct policy_match *a, const struct policy_match *b)
{
	if (!places_meet(a, b))
		return false;
	if ((a->has & b->has & POLICY_ID) &&
	    (a->vid != b->vid || a->pid != b->pid))
		return false;
	if ((a->has & b->has & POLICY_CONTROLLER) &&
	    strcmp(a->controller, b->controller) != 0)
		return false;
	if (b->has & POLICY_ID) {
		a->vid = b->vid;
		a->pid = b->pid;
	}
	if (b->has & POLICY_CONTROLLER)
		memcpy(a->controller, b->controller, sizeof(a->controller));
	a->has |= b->has;
	return true;
}

static int rank(const struct policy_match *m)
{
	int place = 0;

	if (m->has & POLICY_BUS)
		place = (m->has & POLICY_PORT) && !m->only_below ? PRIO_EXACT
								 : 1 + m->npath;
	return place * PRIO_PLACE + ((m->has & POLICY_ID) != 0);
}

static int add_rule(struct manifest *f, const struct io_member *k,
		    const struct policy_match *m, int priority,
		    const struct policy_rule *to)
{
	struct conf *c = f->c;
	struct policy_rule *r;

	if (c->p.nrules == POLICY_MAX_RULES)
		return conf_fail(c, "manifest: more than %u rules: assign less",
				 POLICY_MAX_RULES);
	r = realloc(c->p.rules, (c->p.nrules + 1) * sizeof(*r));
	if (!r)
		return -ENOMEM;
	c->p.rules = r;
	r = &r[c->p.nrules++];
	*r = *to;
	r->match = *m;
	r->priority = f->priority + priority;
	snprintf(r->name, sizeof(r->name), "%s", k->label);
	return 0;
}

/*
 * One rule for each way up through the parents' members: @m has what fits so
 * far, @prio what that is worth.
 */
static int add_ways(struct manifest *f, const struct io_member *k,
		    const char *group, const struct policy_match *m, int prio,
		    unsigned depth, const struct policy_rule *to)
{
	bool there = false, usable = false;
	const char *up = "";
	int r = 0;

	if (!group[0])
		return add_rule(f, k, m, prio, to);
	if (depth == MAX_PARENTS)
		return conf_fail(f->c,
				 "manifest: %s: its parentassigngrp "
				 "leads in a circle: correct it",
				 k->label);
	for (unsigned i = 0; i < f->n; i++) {
		if (strcmp(f->member[i].group, group) != 0)
			continue;
		there = true;
		usable |= f->member[i].m.has != 0;
		up = f->member[i].parent[0] ? f->member[i].parent : up;
	}
	if (!there)
		return 0;
	if (!usable)
		return add_ways(f, k, up, m, prio, depth + 1, to);
	for (unsigned i = 0; r == 0 && i < f->n; i++) {
		const struct io_member *p = &f->member[i];
		struct policy_match narrow = *m;

		if (strcmp(p->group, group) == 0 && p->m.has &&
		    both(&narrow, &p->m))
			r = add_ways(f, k, up, &narrow, prio + rank(&p->m),
				     depth + 1, to);
	}
	return r;
}

static int assign(struct manifest *f, const char *group,
		  const struct policy_rule *to)
{
	bool found = false;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < f->n; i++) {
		const struct io_member *k = &f->member[i];

		if (strcmp(k->group, group) != 0)
			continue;
		found = true;
		if (k->m.has == POLICY_CONTROLLER) {
			struct policy_rule none = {.action = POLICY_DENY};

			r = add_rule(f, k, &k->m, PRIO_FORBID, &none);
		} else if (k->m.has) {
			r = add_ways(f, k, k->parent, &k->m, rank(&k->m), 0,
				     to);
		}
	}
	if (r == 0 && !found)
		return conf_fail(f->c,
				 "assign: %.64s: no member of the "
				 "manifest has this assigngrp: correct "
				 "it",
				 group);
	return r;
}

static int take_assign(struct conf *c, const json_t *obj, struct manifest *f)
{
	const char *group;
	json_t *v;

	conf_enter(c, "assign", 0);
	if (!json_is_object(obj))
		return conf_fail(c, "assign: missing, or not an object: write "
				    "{\"GROUP\": \"VM\"}");
	json_object_foreach((json_t *)(uintptr_t)obj, group, v)
	{
		struct policy_rule to = {.action = POLICY_GIVE};
		int r;

		conf_enter(c, group, 0);
		r = conf_give(c, v, &to);
		if (r == 0)
			r = assign(f, group, &to);
		if (r < 0)
			return r;
		c->depth--;
	}
	c->depth--;
	return 0;
}

static int check_keys(struct conf *c, const json_t *obj, struct manifest *f)
{
	json_int_t n = 0;
	const char *key;
	json_t *v;
	int r = 0;

	json_object_foreach((json_t *)(uintptr_t)obj, key, v)
	{
		conf_enter(c, key, 0);
		if (strcmp(key, "priority") == 0)
			r = json_is_integer(v)
				    ? conf_int(c, v, -1000000, 1000000, key, &n)
				    : conf_fail(c, "priority: not an integer: "
						   "write one");
		else if (strcmp(key, "file") != 0 && strcmp(key, "assign") != 0)
			r = conf_fail(c,
				      "%.64s: unknown key: write file, assign, "
				      "priority",
				      key);
		if (r < 0)
			return r;
		c->depth--;
	}
	f->priority = (int)n;
	return 0;
}

int conf_manifest(struct conf *c, const json_t *obj)
{
	const json_t *file = json_object_get(obj, "file");
	struct manifest f = {.c = c};
	int r;

	conf_enter(c, "manifest", 0);
	if (!json_is_object(obj))
		return conf_fail(c, "manifest: not an object: write "
				    "{\"file\": PATH, \"assign\": {...}}");
	r = check_keys(c, obj, &f);
	if (r < 0)
		return r;
	if (!json_is_string(file))
		return conf_fail(c, "manifest: file is missing, or no string: "
				    "name a model manifest");
	conf_enter(c, "file", 0);
	r = read_manifest(c, json_string_value(file), &f);
	if (r == 0) {
		c->depth--;
		r = take_assign(c, json_object_get(obj, "assign"), &f);
	}
	if (r == 0)
		c->depth--;
	free(f.member);
	return r;
}
