/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_import_xen.c - name, usbctrl and usbdev of an xl.cfg(5); all else in it is
 * only skipped.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/cmd_import.h"

#define MAX_STRING 512u
#define MAX_NEST 8u

/* @newlines: those too */
static void skip(struct import *i, bool newlines)
{
	for (;;) {
		if (*i->p == '#') {
			i->p += strcspn(i->p, "\n");
		} else if (*i->p == '\n' && newlines) {
			i->line++;
			i->p++;
		} else if (*i->p && strchr(" \t\r", *i->p)) {
			i->p++;
		} else if (i->p[0] == '\\' && i->p[1] == '\n') {
			i->line++;
			i->p += 2;
		} else {
			return;
		}
	}
}

/* A string, or a word without quotes, to @to of MAX_STRING bytes */
static int scalar(struct import *i, char *to)
{
	char quote = *i->p == '"' || *i->p == '\'' ? *i->p : 0;
	size_t n = 0;

	if (quote)
		i->p++;
	while (*i->p && *i->p != '\n' &&
	       (quote ? *i->p != quote : !strchr(" \t\r,;#]", *i->p))) {
		if (quote && i->p[0] == '\\' && i->p[1] && i->p[1] != '\n')
			i->p++;
		if (n == MAX_STRING - 1)
			return import_fail(i, "a value is too long: write less "
					      "than 512 bytes");
		to[n++] = *i->p++;
	}
	to[n] = '\0';
	if (quote && *i->p != quote)
		return import_fail(i, "a string does not end: close it with %c",
				   quote);
	if (quote)
		i->p++;
	else if (n == 0)
		return import_fail(i, "a value is missing: write one");
	return 0;
}

typedef int (*take_fn)(struct import *i, const char *text, unsigned index);

/* A value; @take has each string of it, NULL: it does not matter */
static int value(struct import *i, take_fn take, unsigned index, unsigned depth)
{
	char text[MAX_STRING];
	int r = 0;

	if (*i->p != '[') {
		r = scalar(i, text);
		return r == 0 && take ? take(i, text, index) : r;
	}
	if (depth == MAX_NEST)
		return import_fail(i, "lists are too deep: write fewer");
	i->p++;
	for (unsigned n = 0; r == 0; n++) {
		skip(i, true);
		if (*i->p == ']')
			break;
		r = value(i, take, n, depth + 1);
		skip(i, true);
		if (r == 0 && *i->p != ',' && *i->p != ']')
			r = import_fail(i, "a list does not end: close it "
					   "with ]");
		if (r == 0 && *i->p == ',')
			i->p++;
	}
	i->p += r == 0;
	return r;
}

/* The next KEY=VALUE of "a=b, c=d". 1, 0 at the end, or -EINVAL */
static int pair(struct import *i, char **at, const char **key, char **val)
{
	char *k = *at + strspn(*at, ", \t"), *eq, *end;

	if (!*k)
		return 0;
	end = k + strcspn(k, ",");
	*at = *end ? end + 1 : end;
	*end = '\0';
	while (end > k && (end[-1] == ' ' || end[-1] == '\t'))
		*--end = '\0';
	eq = strchr(k, '=');
	if (!eq)
		return import_fail(i, "%.64s: no KEY=VALUE: write one", k);
	*val = eq + 1 + strspn(eq + 1, " \t");
	while (eq > k && (eq[-1] == ' ' || eq[-1] == '\t'))
		eq--;
	*eq = '\0';
	*key = k;
	return 1;
}

static int bad_number(struct import *i, const char *key, const char *val)
{
	return import_fail(i,
			   "%.64s=%.64s: not a number that fits: see "
			   "xl.cfg(5)",
			   key, val);
}

static int take_ctl(struct import *i, const char *text, unsigned index)
{
	char buf[MAX_STRING], *at = buf, *val;
	unsigned version = 2, ports = 8;
	const char *key;
	int r;

	if (index >= IMPORT_MAX_CTLS)
		return import_fail(i,
				   "more than %u controllers: leave some "
				   "out",
				   IMPORT_MAX_CTLS);
	strcpy(buf, text);
	while ((r = pair(i, &at, &key, &val)) > 0) {
		if (strcmp(key, "type") == 0)
			continue;
		if (strcmp(key, "version") == 0) {
			if (!import_number(val, 3, &version) || version == 0)
				return bad_number(i, key, val);
		} else if (strcmp(key, "ports") == 0) {
			if (!import_number(val, 31, &ports) || ports == 0)
				return bad_number(i, key, val);
		} else {
			return import_fail(i,
					   "usbctrl: %.64s: unknown key: "
					   "see xl.cfg(5)",
					   key);
		}
	}
	ports = ports > 15 ? 15 : ports;
	i->vm->ctl[index] = (struct import_ctl){
		.there = true, .usb2 = ports, .usb3 = version == 3 ? ports : 0};
	return r;
}

static int take_dev(struct import *i, const char *text, unsigned index)
{
	struct import_dev *d = import_add(i);
	char buf[MAX_STRING], *at = buf, *val;
	unsigned bus = 0, addr = 0;
	const char *key;
	int r;

	(void)index;
	if (!d)
		return -EINVAL;
	strcpy(buf, text);
	while ((r = pair(i, &at, &key, &val)) > 0) {
		bool ok = true;

		if (strcmp(key, "type") == 0)
			ok = strcmp(val, "hostdev") == 0;
		else if (strcmp(key, "hostbus") == 0)
			ok = import_number(val, 255, &bus);
		else if (strcmp(key, "hostaddr") == 0)
			ok = import_number(val, 127, &addr);
		else if (strcmp(key, "controller") == 0)
			ok = import_number(val, IMPORT_MAX_CTLS - 1,
					   &d->controller);
		else if (strcmp(key, "port") == 0)
			ok = import_number(val, 15, &d->at);
		else
			return import_fail(i,
					   "usbdev: %.64s: unknown key: "
					   "see xl.cfg(5)",
					   key);
		if (!ok)
			return bad_number(i, key, val);
	}
	if (r == 0 && (!bus || !addr))
		return import_fail(i, "usbdev: hostbus or hostaddr is "
				      "missing: name the device");
	d->bus = (uint8_t)bus;
	d->addr = (uint8_t)addr;
	return r;
}

static int take_name(struct import *i, const char *text, unsigned index)
{
	(void)index;
	if (strlen(text) >= sizeof(i->vm->name))
		return import_fail(i, "name: too long: write less than 64 "
				      "bytes");
	strcpy(i->vm->name, text);
	return 0;
}

static int statement(struct import *i)
{
	static const struct {
		const char *key;
		take_fn take;
	} keys[] = {
		{"name", take_name},
		{"usbctrl", take_ctl},
		{"usbdev", take_dev},
	};
	size_t n = strspn(i->p, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	take_fn take = NULL;
	int r;

	if (n == 0)
		return import_fail(i, "no KEY = VALUE: write one");
	for (size_t k = 0; k < sizeof(keys) / sizeof(keys[0]); k++)
		if (strlen(keys[k].key) == n &&
		    strncmp(keys[k].key, i->p, n) == 0)
			take = keys[k].take;
	i->p += n;
	skip(i, false);
	i->p += *i->p == '+';
	if (*i->p != '=')
		return import_fail(i, "no KEY = VALUE: write one");
	i->p++;
	skip(i, false);
	r = value(i, take, 0, 0);
	if (r < 0)
		return r;
	skip(i, false);
	if (*i->p && *i->p != '\n' && *i->p != ';')
		return import_fail(i, "more behind a value: begin a line");
	i->p += *i->p == ';';
	return 0;
}

int import_xen(struct import *i)
{
	for (;;) {
		int r;

		skip(i, true);
		if (!*i->p)
			return 0;
		r = statement(i);
		if (r < 0)
			return r;
	}
}
