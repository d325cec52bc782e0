/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_import_libvirt.c - <name>, <controller type='usb'> and <hostdev
 * type='usb'> of a libvirt domain, or of a file with a <hostdev> alone. As much
 * of XML as it takes: elements, attributes, text, comments; no document type.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cmd_import.h"

#define MAX_DEPTH 64u
#define MAX_NAME 48u
#define MAX_ATTRS 16u
#define MAX_VALUE 128u

/* One tag; what does not fit is cut, which makes it none that we look for */
struct tag {
	char name[MAX_NAME];
	bool end, empty; /* </name>, <name/> */
	unsigned nattrs;
	char key[MAX_ATTRS][MAX_NAME], val[MAX_ATTRS][MAX_VALUE];
};

struct doc {
	struct import *i;
	char open[MAX_DEPTH][MAX_NAME];
	unsigned depth;
	struct import_dev *dev; /* in a <hostdev type='usb'>; borrowed */
	struct tag tag;
};

static void advance(struct import *i, const char *to)
{
	for (; i->p < to; i->p++)
		i->line += *i->p == '\n';
}

static void skip_blank(struct import *i)
{
	advance(i, i->p + strspn(i->p, " \t\r\n"));
}

static size_t name_len(const char *s)
{
	return strcspn(s, " \t\r\n/>=<\"'");
}

static void copy(char *to, size_t room, const char *from, size_t n)
{
	snprintf(to, room, "%.*s", (int)(n < room ? n : room - 1), from);
}

/* The five entities that XML itself has; others stay as they are */
static void decode(char *s)
{
	static const struct {
		const char *name;
		char c;
	} ents[] = {{"&lt;", '<'},
		    {"&gt;", '>'},
		    {"&amp;", '&'},
		    {"&quot;", '"'},
		    {"&apos;", '\''}};
	char *to = s;

	while (*s) {
		size_t n = 0;

		for (size_t k = 0; k < sizeof(ents) / sizeof(ents[0]); k++) {
			n = strlen(ents[k].name);
			if (strncmp(s, ents[k].name, n) == 0) {
				*to++ = ents[k].c;
				break;
			}
			n = 0;
		}
		if (n == 0) {
			*to++ = *s;
			n = 1;
		}
		s += n;
	}
	*to = '\0';
}

static int attribute(struct import *i, struct tag *t)
{
	size_t n = name_len(i->p);
	const char *key = i->p, *end;
	char quote;

	if (n == 0)
		return import_fail(i, "not an attribute: write NAME='VALUE'");
	i->p += n;
	skip_blank(i);
	if (*i->p != '=')
		return import_fail(i, "an attribute without a value: write "
				      "NAME='VALUE'");
	i->p++;
	skip_blank(i);
	quote = *i->p;
	end = quote == '"' || quote == '\'' ? strchr(i->p + 1, quote) : NULL;
	if (!end)
		return import_fail(i, "an attribute's value does not end: "
				      "close it with its quote");
	if (t->nattrs < MAX_ATTRS) {
		copy(t->key[t->nattrs], MAX_NAME, key, n);
		copy(t->val[t->nattrs], MAX_VALUE, i->p + 1,
		     (size_t)(end - i->p - 1));
		decode(t->val[t->nattrs++]);
	}
	advance(i, end + 1);
	return 0;
}

/* At "<": the tag. 0 or -EINVAL */
static int read_tag(struct import *i, struct tag *t)
{
	size_t n;
	int r;

	i->p++;
	t->end = *i->p == '/';
	t->empty = false;
	t->nattrs = 0;
	i->p += t->end;
	n = name_len(i->p);
	if (n == 0)
		return import_fail(i, "not a tag: write &lt; for <");
	copy(t->name, sizeof(t->name), i->p, n);
	i->p += n;
	for (;;) {
		skip_blank(i);
		if (*i->p == '/' && i->p[1] == '>') {
			t->empty = true;
			i->p += 2;
			return 0;
		}
		if (*i->p == '>') {
			i->p++;
			return 0;
		}
		r = attribute(i, t);
		if (r < 0)
			return r;
	}
}

static const char *attr(const struct tag *t, const char *key)
{
	for (unsigned n = 0; n < t->nattrs; n++)
		if (strcmp(t->key[n], key) == 0)
			return t->val[n];
	return NULL;
}

static int number(struct doc *d, const char *key, unsigned max, unsigned *ret)
{
	const char *s = attr(&d->tag, key);

	if (!s || import_number(s, max, ret))
		return 0;
	return import_fail(d->i,
			   "%s='%.64s': not a number up to %u: correct "
			   "it",
			   key, s, max);
}

/* The element around this one */
static const char *parent(const struct doc *d)
{
	return d->depth ? d->open[d->depth - 1] : "";
}

static int take_controller(struct doc *d)
{
	unsigned index = 0, ports = 8;
	const char *type = attr(&d->tag, "type");
	const char *model = attr(&d->tag, "model");
	int r;

	if (!type || strcmp(type, "usb") != 0)
		return 0;
	r = number(d, "index", 255, &index);
	if (r == 0)
		r = number(d, "ports", 255, &ports);
	/* a USB 2 controller and its companions have one index */
	if (r < 0 || index >= IMPORT_MAX_CTLS || d->i->vm->ctl[index].there)
		return r;
	ports = ports < 1 ? 1 : ports > 15 ? 15 : ports;
	d->i->vm->ctl[index] = (struct import_ctl){
		.there = true,
		.usb2 = ports,
		.usb3 = model && strstr(model, "xhci") ? ports : 0};
	return 0;
}

static int one_of(struct doc *d, const char *key, const char *const *names,
		  int *ret)
{
	const char *s = attr(&d->tag, key);

	for (int n = 0; s && names[n]; n++) {
		if (strcmp(s, names[n]) != 0)
			continue;
		*ret = n;
		return 0;
	}
	if (!s)
		return 0;
	return import_fail(d->i, "%s='%.64s': not known: write %s", key, s,
			   names[0]);
}

static int take_source(struct doc *d)
{
	static const char *const policies[] = {[IMPORT_OPTIONAL] = "optional",
					       [IMPORT_REQUISITE] = "requisite",
					       [IMPORT_MANDATORY] = "mandatory",
					       NULL};
	static const char *const theirs[] = {"on", "uninitialized", "off",
					     NULL};
	static const char *const ours[] = {"device", "initial", "never"};
	int policy = IMPORT_MANDATORY, reset = -1;
	int r = one_of(d, "startupPolicy", policies, &policy);

	if (r == 0)
		r = one_of(d, "guestReset", theirs, &reset);
	d->dev->policy = (enum import_policy)policy;
	d->dev->reset = reset >= 0 ? ours[reset] : NULL;
	return r;
}

static int take_address(struct doc *d)
{
	struct import_dev *dev = d->dev;
	const char *port = attr(&d->tag, "port");
	unsigned bus = 0, addr = 0;
	int r = number(d, "bus", 255, &bus);

	if (r < 0)
		return r;
	if (strcmp(parent(d), "source") != 0) { /* in the guest */
		dev->controller = bus;
		if (bus >= IMPORT_MAX_CTLS)
			return import_fail(d->i,
					   "bus='%u': there are no more "
					   "than %u controllers: use "
					   "fewer",
					   bus, IMPORT_MAX_CTLS);
		/* behind a hub of the guest's: here it has a port itself */
		return port && !strchr(port, '.')
			       ? number(d, "port", 15, &dev->at)
			       : 0;
	}
	r = number(d, "device", 127, &addr);
	dev->bus = (uint8_t)bus;
	dev->addr = (uint8_t)addr;
	if (port && (strlen(port) >= sizeof(dev->port) ||
		     strspn(port, "0123456789.") != strlen(port)))
		return import_fail(d->i,
				   "port='%.64s': not a port path: "
				   "write 2.3",
				   port);
	if (port)
		strcpy(dev->port, port);
	return r;
}

static int take_id(struct doc *d, bool vendor)
{
	unsigned id = 0;
	int r = number(d, "id", 0xffff, &id);

	d->dev->has_id = true;
	if (vendor)
		d->dev->vid = (uint16_t)id;
	else
		d->dev->pid = (uint16_t)id;
	return r;
}

static int take_tag(struct doc *d)
{
	const char *name = d->tag.name, *type = attr(&d->tag, "type");

	if (strcmp(name, "controller") == 0)
		return take_controller(d);
	if (strcmp(name, "hostdev") == 0) {
		d->dev = NULL;
		if (!type || strcmp(type, "usb") != 0)
			return 0;
		d->dev = import_add(d->i);
		if (!d->dev)
			return -EINVAL;
		d->dev->policy = IMPORT_MANDATORY;
		return 0;
	}
	if (!d->dev)
		return 0;
	if (strcmp(name, "source") == 0)
		return take_source(d);
	if (strcmp(name, "vendor") == 0 || strcmp(name, "product") == 0)
		return take_id(d, name[0] == 'v');
	return strcmp(name, "address") == 0 ? take_address(d) : 0;
}

static int close_tag(struct doc *d)
{
	const char *name = d->tag.name;

	if (d->depth == 0 || strcmp(d->open[d->depth - 1], name) != 0)
		return import_fail(d->i,
				   "</%s> ends nothing: see what is "
				   "open",
				   name);
	d->depth--;
	if (strcmp(name, "hostdev") != 0 || !d->dev)
		return 0;
	if (!d->dev->has_id &&
	    !(d->dev->bus && (d->dev->addr || d->dev->port[0])))
		return import_fail(d->i, "hostdev: which device is not said: "
					 "add vendor and product, or address");
	d->dev = NULL;
	return 0;
}

static int element(struct doc *d)
{
	int r = read_tag(d->i, &d->tag);

	if (r < 0)
		return r;
	if (d->tag.end)
		return close_tag(d);
	r = take_tag(d);
	if (r < 0)
		return r;
	if (d->depth == MAX_DEPTH)
		return import_fail(d->i, "elements are too deep: write fewer");
	strcpy(d->open[d->depth++], d->tag.name);
	return d->tag.empty ? close_tag(d) : 0;
}

/* Past what ends with @end. 0 or -EINVAL */
static int skip_to(struct import *i, const char *end)
{
	const char *to = strstr(i->p, end);

	if (!to)
		return import_fail(i, "no %s: close what begins here", end);
	advance(i, to + strlen(end));
	return 0;
}

static void text(struct doc *d, const char *end)
{
	char *name = d->i->vm->name;

	if (d->depth <= 2 && strcmp(parent(d), "name") == 0 && !name[0]) {
		copy(name, sizeof(d->i->vm->name), d->i->p,
		     (size_t)(end - d->i->p));
		decode(name);
	}
	advance(d->i, end);
}

int import_libvirt(struct import *i)
{
	struct doc *d = calloc(1, sizeof(*d));
	int r = d ? 0 : import_fail(i, "out of memory: try again");

	if (d)
		d->i = i;
	while (r == 0 && *i->p) {
		if (*i->p != '<')
			text(d, i->p + strcspn(i->p, "<"));
		else if (strncmp(i->p, "<!--", 4) == 0)
			r = skip_to(i, "-->");
		else if (strncmp(i->p, "<?", 2) == 0)
			r = skip_to(i, "?>");
		else if (strncmp(i->p, "<!", 2) == 0)
			r = import_fail(i, "no element: leave it out");
		else
			r = element(d);
	}
	if (r == 0 && d->depth)
		r = import_fail(i, "<%s> does not end: close it", parent(d));
	free(d);
	return r;
}
