/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slotopt.c - cuts the text of a slot option into options. What each means is
 * in slotopt_keys.c, what needs the whole to decide in slotopt_check.c.
 */
#include "vmm/slotopt_parse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN_SHOWN 80u /* bytes of a token in an error line */

int slot_fail(const struct slot_err *e, const char *tok, const char *fmt, ...)
{
	char line[512];
	size_t n = 0;
	va_list ap;

	if (*tok == '\0')
		tok = "\"\"";
	for (; tok[n] != '\0' && n < TOKEN_SHOWN; n++)
		line[n] = tok[n];
	if (tok[n] != '\0')
		n += (size_t)snprintf(line + n, sizeof(line) - n, "...");
	n += (size_t)snprintf(line + n, sizeof(line) - n, ": ");
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - n, fmt, ap);
	va_end(ap);
	for (char *c = line; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	if (e->len > 0)
		snprintf(e->buf, e->len, "%s", line);
	return -EINVAL;
}

#define NAME_MAX_LEN 15u /* no key's name is longer */

/* Edits (Levenshtein) from @a[0..alen) to @b; both at most NAME_MAX_LEN */
static unsigned edits(const char *a, size_t alen, const char *b)
{
	unsigned row[NAME_MAX_LEN + 1];
	size_t blen = strlen(b);

	for (unsigned j = 0; j <= blen; j++)
		row[j] = j;
	for (size_t i = 1; i <= alen; i++) {
		unsigned diag = row[0];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= blen; j++) {
			unsigned best = diag + ((a[i - 1] | 0x20) != b[j - 1]);

			diag = row[j];
			if (diag + 1 < best)
				best = diag + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[blen];
}

static int fail_unknown(struct parse *p, size_t len)
{
	const struct key *near = NULL;
	unsigned least = 3; /* further away is no misspelling */

	for (int i = 0; i < K_NKEYS && len <= NAME_MAX_LEN; i++) {
		unsigned n = edits(p->tok, len, slot_keys[i].name);

		if (n < least && n < len) {
			least = n;
			near = &slot_keys[i];
		}
	}
	if (near != NULL)
		return slot_fail(&p->err, p->tok,
				 "unknown option: did you mean %s%s%s?",
				 near->name, near->example ? "=" : "",
				 near->example ? near->example : "");
	return slot_fail(&p->err, p->tok,
			 "unknown option: write bus=, id=, tablet, keyboard, "
			 "mouse, audio, camera, storage=, zero, replay=, at=, "
			 "speed=, usb2=, usb3=, pci= or reset=");
}

static int take_option(struct parse *p)
{
	size_t len = strcspn(p->tok, "=");
	bool has_val = p->tok[len] == '=';
	const char *val = p->tok + len + (has_val ? 1 : 0);
	const struct key *k = NULL;
	uint32_t *seen, bit;
	int i, r;

	for (i = 0; i < K_NKEYS && k == NULL; i++)
		if (strncmp(p->tok, slot_keys[i].name, len) == 0 &&
		    slot_keys[i].name[len] == '\0')
			k = &slot_keys[i];
	if (k == NULL)
		return fail_unknown(p, len);
	bit = 1u << (k - slot_keys);
	if (k->example == NULL && has_val)
		return slot_fail(&p->err, p->tok, "takes no value: write %s",
				 k->name);
	if (k->example != NULL && *val == '\0')
		return slot_fail(&p->err, p->tok, "no value: write %s=%s",
				 k->name, k->example);
	if (p->lone && k->controller && k != &slot_keys[K_RESET])
		return slot_fail(&p->err, p->tok,
				 "is the controller's, which is there already: "
				 "leave it out");
	if (k->begins) {
		r = slot_begin_device(p);
		if (r < 0)
			return r;
	}
	seen = k->controller ? &p->ctl_keys : &p->dev_keys;
	if ((*seen & bit) && k != &slot_keys[K_LUN])
		return slot_fail(&p->err, p->tok,
				 "%s is given twice%s: write it once", k->name,
				 k->controller ? "" : " for one device");
	r = k->take(p, val);
	*seen |= bit;
	return r;
}

/* Text in which a comma is written as two, as QEMU's options have it. */
static bool takes_text(const char *s)
{
	return strncmp(s, "storage=", 8) == 0 || strncmp(s, "lun=", 4) == 0 ||
	       strncmp(s, "replay=", 7) == 0 || strncmp(s, "serial=", 7) == 0;
}

/* The next token, cut off in place; false at the end of the text. */
static bool next_token(struct parse *p)
{
	char *r = p->next, *w = p->next;
	bool text;

	if (r == NULL)
		return false;
	p->tok = r;
	text = takes_text(r);
	for (; *r != '\0'; r++) {
		if (*r == ',') {
			if (!text || r[1] != ',')
				break;
			r++;
		}
		*w++ = *r;
	}
	p->next = *r == ',' ? r + 1 : NULL;
	*w = '\0';
	return true;
}

/* SLOT is n, n:f or b:n:f. */
static int take_slot(struct parse *p)
{
	static const struct {
		const char *what;
		unsigned max;
	} parts[3] = {{"bus", 255}, {"slot", 31}, {"function", 7}};
	uint8_t *const ret[3] = {&p->o.pci_bus, &p->o.pci_dev, &p->o.pci_fn};
	const char *s = p->tok;
	unsigned colons = 0, i;

	if (strlen(s) >= SLOTOPT_MAX_SLOT)
		return slot_fail(&p->err, s,
				 "slot too long: write n, n:f or b:n:f");
	for (const char *c = s; *c != '\0'; c++)
		colons += *c == ':';
	i = colons == 2 ? 0 : 1; /* a lone pair has no bus */
	for (; i < 3; i++) {
		const char *end = s + strcspn(s, ":");
		unsigned v = 0;
		int r = slot_number(s, end, 10, parts[i].max, &v);

		if (r == -EINVAL || colons > 2)
			return slot_fail(&p->err, p->tok,
					 "not a slot: write n, n:f or b:n:f in "
					 "decimal, as in 30,xhci");
		if (r < 0)
			return slot_fail(&p->err, p->tok,
					 "%s number out of range: write 0 to "
					 "%u",
					 parts[i].what, parts[i].max);
		*ret[i] = (uint8_t)v;
		if (*end == '\0')
			break;
		s = end + 1;
	}
	p->o.slot = p->tok;
	return 0;
}

static int take_controller(struct parse *p)
{
	if (!next_token(p))
		return slot_fail(&p->err, p->o.slot,
				 "no controller: write %s,xhci", p->o.slot);
	if (strcmp(p->tok, "xhci") == 0)
		return 0;
	if (strncmp(p->tok, "xhci=", 5) == 0)
		return slot_fail(&p->err, p->tok,
				 "takes no value: write %s,xhci", p->o.slot);
	return slot_fail(&p->err, p->tok,
			 "the controller comes first: write %s,xhci,...",
			 p->o.slot);
}

static int parse_options(struct parse *p)
{
	int r = 0;

	while (r == 0 && next_token(p)) {
		if (p->tok[0] == '\0')
			return slot_fail(
				&p->err, ",",
				"empty option: write one comma between "
				"options and none at the end");
		if (strcmp(p->tok, "xhci") == 0)
			return slot_fail(
				&p->err, p->tok,
				"second controller in one slot option: "
				"give it a slot option of its own");
		r = take_option(p);
	}
	if (r == 0)
		r = slot_end_device(p);
	return r < 0 ? r : slotopt_check(&p->o, &p->err);
}

static int parse_all(struct parse *p)
{
	int r;

	next_token(p);
	if (p->tok[0] == '\0')
		return slot_fail(&p->err, p->tok,
				 "no slot: write SLOT,xhci, as in 30,xhci");
	r = take_slot(p);
	if (r == 0)
		r = take_controller(p);
	return r < 0 ? r : parse_options(p);
}

static int parse_device(struct parse *p)
{
	int r = parse_options(p);

	if (r < 0 || p->o.ndevs == 1)
		return r;
	return slot_fail(&p->err, p->o.ndevs == 0 ? "device" : p->tok,
			 "one device is named at a time: write bus=1,port=2.3, "
			 "id=VVVV:DDDD, storage=FILE or another of them");
}

/* Copies @text, which is too long or is read with @all. */
static int parse_text(struct parse *p, const char *text,
		      int (*all)(struct parse *p), struct slotopt *ret)
{
	size_t len = strnlen(text, SLOTOPT_MAX_TEXT);
	int r;

	if (len == SLOTOPT_MAX_TEXT)
		return slot_fail(&p->err, text,
				 "slot option too long: at most %u bytes",
				 SLOTOPT_MAX_TEXT - 1);
	p->o.text = malloc(len + 1);
	if (p->o.text == NULL) {
		slot_fail(&p->err, text, "out of memory: try again");
		return -ENOMEM;
	}
	memcpy(p->o.text, text, len + 1);
	p->next = p->o.text;
	r = all(p);
	if (r < 0) {
		free(p->o.text);
		return r;
	}
	*ret = p->o;
	return 0;
}

int slotopt_parse_device(const char *text, const struct slotopt *of, char *err,
			 size_t errlen, struct slotopt *ret)
{
	struct parse p = {
		.o = {.slot = "",
		      .usb2 = of->usb2,
		      .usb3 = of->usb3,
		      .reset = of->reset},
		.err = {err, errlen},
		.lone = true,
	};

	return parse_text(&p, text, parse_device, ret);
}

int slotopt_parse(const char *text, char *err, size_t errlen,
		  struct slotopt *ret)
{
	struct parse p = {
		.o = {.usb2 = 8,
		      .usb3 = 8,
		      .pci_vendor = 0x1b36,
		      .pci_device = 0x000d},
		.err = {err, errlen},
	};

	return parse_text(&p, text, parse_all, ret);
}

void slotopt_free(struct slotopt *o)
{
	free(o->text);
	o->text = NULL;
	o->ndevs = 0;
}
