/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slotopt_check.c - the rules of a slot option that need all of it: speeds,
 * places, and that no two devices claim the same thing.
 */
#include "vmm/slotopt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define NAME_LEN 96u

#define SPEED(s) (1u << USB_SPEED_##s)
#define SPEEDS_ALL (SPEED(LOW) | SPEED(FULL) | SPEED(HIGH) | SPEED(SUPER))
#define SPEEDS_TEXT "low, full, high or super"

/* What a kind of device can be; physical ones say it themselves. */
static const struct kind {
	const char *name;
	unsigned speeds;   /* bits of enum usb_speed, 0: speed= is not for it */
	const char *which; /* the same for people */
	bool fast;         /* default: the fastest with a free port */
} kinds[SLOT_NKINDS] = {
	[SLOT_ADDR] = {"bus", 0, "", false},
	[SLOT_PATH] = {"bus", 0, "", false},
	[SLOT_ID] = {"id", 0, "", false},
	[SLOT_TABLET] = {"tablet", SPEEDS_ALL, SPEEDS_TEXT, false},
	[SLOT_KEYBOARD] = {"keyboard", SPEEDS_ALL, SPEEDS_TEXT, false},
	[SLOT_MOUSE] = {"mouse", SPEEDS_ALL, SPEEDS_TEXT, false},
	[SLOT_AUDIO] = {"audio", SPEED(FULL) | SPEED(HIGH), "full or high",
			true},
	[SLOT_CAMERA] = {"camera", SPEED(HIGH), "high", true},
	[SLOT_STORAGE] = {"storage", SPEED(FULL) | SPEED(HIGH) | SPEED(SUPER),
			  "full, high or super", true},
	[SLOT_ZERO] = {"zero",
		       SPEED(FULL) | SPEED(HIGH) | SPEED(SUPER) |
			       SPEED(SUPER_PLUS),
		       "full, high, super or super+", true},
	[SLOT_REPLAY] = {"replay", SPEEDS_ALL, SPEEDS_TEXT, false},
};

static const char *const speed_names[] = {
	[USB_SPEED_NONE] = "",       [USB_SPEED_FULL] = "full",
	[USB_SPEED_LOW] = "low",     [USB_SPEED_HIGH] = "high",
	[USB_SPEED_SUPER] = "super", [USB_SPEED_SUPER_PLUS] = "super+",
};

bool slot_dev_is_physical(const struct slot_dev *d)
{
	return d->kind == SLOT_ADDR || d->kind == SLOT_PATH ||
	       d->kind == SLOT_ID;
}

static void name_path(const struct slot_dev *d, char *buf, size_t len)
{
	int n = snprintf(buf, len, "bus=%u,port=%u", d->bus, d->path[0]);

	for (unsigned i = 1; i < d->path_len && n >= 0 && (size_t)n < len; i++)
		n += snprintf(buf + n, len - (size_t)n, ".%u", d->path[i]);
	if (d->below && n >= 0 && (size_t)n < len)
		snprintf(buf + n, len - (size_t)n, ".*");
}

const char *slot_dev_name(const struct slot_dev *d, char *buf, size_t len)
{
	const char *key = kinds[d->kind].name;

	switch (d->kind) {
	case SLOT_ADDR:
		snprintf(buf, len, "bus=%u,devaddr=%u", d->bus, d->devaddr);
		break;
	case SLOT_PATH:
		name_path(d, buf, len);
		break;
	case SLOT_ID:
		snprintf(buf, len, "id=%04x:%04x%s%s", d->vendor, d->product,
			 d->serial ? ",serial=" : "",
			 d->serial ? d->serial : "");
		break;
	case SLOT_STORAGE:
	case SLOT_REPLAY:
		snprintf(buf, len, "%s=%s%s", key, d->file,
			 d->readonly ? ",readonly" : "");
		break;
	default:
		snprintf(buf, len, "%s", key);
	}
	for (char *c = buf; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return buf;
}

static bool is_super(enum usb_speed s)
{
	return s >= USB_SPEED_SUPER;
}

/* A device that may be several, or of either kind: counted only in all. */
static bool takes_any_port(const struct slot_dev *d)
{
	return d->speed == USB_SPEED_NONE && d->at == 0;
}

static bool uses_usb3(const struct slotopt *o, const struct slot_dev *d)
{
	return d->at != 0 ? d->at > o->usb2 : is_super(d->speed);
}

/* speed= fits the kind of device. */
static int check_speed(const struct slot_dev *d, const struct slot_err *e)
{
	const struct kind *k = &kinds[d->kind];
	char name[NAME_LEN], tok[32];

	if (d->speed == USB_SPEED_NONE || (k->speeds & (1u << d->speed)))
		return 0;
	slot_dev_name(d, name, sizeof(name));
	snprintf(tok, sizeof(tok), "speed=%s", speed_names[d->speed]);
	if (k->speeds == 0)
		return slot_fail(e, tok,
				 "%s is a physical device and has its own "
				 "speed: leave speed= out",
				 name);
	return slot_fail(e, tok, "does not fit %s: write speed=%s", name,
			 k->which);
}

/* at= names a port, of the right kind, that no device before @d has. */
static int check_place(const struct slotopt *o, const struct slot_dev *d,
		       const struct slot_err *e)
{
	char name[NAME_LEN], other[NAME_LEN], tok[32];
	unsigned nports = o->usb2 + o->usb3;

	if (d->at == 0)
		return 0;
	slot_dev_name(d, name, sizeof(name));
	snprintf(tok, sizeof(tok), "at=%u", d->at);
	if (d->at > nports)
		return slot_fail(e, tok,
				 "no such port for %s: write at=1 to %u, or "
				 "more ports with usb2= and usb3=",
				 name, nports);
	if (d->below)
		return slot_fail(e, tok,
				 "%s may be several devices: leave at= out",
				 name);
	if (d->speed != USB_SPEED_NONE &&
	    is_super(d->speed) != (d->at > o->usb2))
		return slot_fail(e, tok,
				 "port %u is a USB %d port and %s has "
				 "speed=%s: USB 2 ports are 1 to %u, USB 3 "
				 "ports come after them",
				 d->at, d->at > o->usb2 ? 3 : 2, name,
				 speed_names[d->speed], o->usb2);
	if (d->at > o->usb2 && kinds[d->kind].speeds &&
	    !(kinds[d->kind].speeds & SPEED(SUPER)))
		return slot_fail(e, tok,
				 "port %u is a USB 3 port and %s is a USB 2 "
				 "device: write at=1 to %u",
				 d->at, name, o->usb2);
	for (const struct slot_dev *b = o->dev; b < d; b++)
		if (b->at == d->at)
			return slot_fail(e, tok,
					 "port %u holds %s already: give %s "
					 "another port",
					 d->at,
					 slot_dev_name(b, other, sizeof(other)),
					 name);
	return 0;
}

static bool path_covers(const struct slot_dev *a, const struct slot_dev *b)
{
	if (a->bus != b->bus || a->path_len > b->path_len ||
	    memcmp(a->path, b->path, a->path_len) != 0)
		return false;
	return a->below || (a->path_len == b->path_len && !b->below);
}

static const char *lun_file(const struct slot_dev *d, unsigned i,
			    bool *ret_readonly)
{
	*ret_readonly = i == 0 ? d->readonly : d->lun[i - 1].readonly;
	return i == 0 ? d->file : d->lun[i - 1].file;
}

/* Two units have one file; those that only read may. */
static bool share_file(const struct slot_dev *a, const struct slot_dev *b)
{
	for (unsigned i = 0; i <= a->nluns; i++) {
		for (unsigned j = 0; j <= b->nluns; j++) {
			bool ra, rb;
			const char *fa = lun_file(a, i, &ra);
			const char *fb = lun_file(b, j, &rb);

			if ((a != b || i != j) && !(ra && rb) &&
			    strcmp(fa, fb) == 0)
				return true;
		}
	}
	return false;
}

bool slot_dev_same_claim(const struct slot_dev *a, const struct slot_dev *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case SLOT_ADDR:
		return a->bus == b->bus && a->devaddr == b->devaddr;
	case SLOT_PATH:
		return path_covers(a, b) || path_covers(b, a);
	case SLOT_ID: /* without a serial number: the next free one */
		return a->vendor == b->vendor && a->product == b->product &&
		       a->serial && b->serial &&
		       strcmp(a->serial, b->serial) == 0;
	case SLOT_STORAGE:
		return share_file(a, b);
	default:
		return false;
	}
}

static int check_claim(const struct slotopt *o, const struct slot_dev *d,
		       const struct slot_err *e)
{
	char name[NAME_LEN], other[NAME_LEN];

	if (d->kind == SLOT_STORAGE && share_file(d, d))
		return slot_fail(e, slot_dev_name(d, name, sizeof(name)),
				 "two of its units have the same file: remove "
				 "one of them");
	for (const struct slot_dev *b = o->dev; b < d; b++)
		if (slot_dev_same_claim(b, d))
			return slot_fail(
				e, slot_dev_name(d, name, sizeof(name)),
				"%s claims the same: remove one of "
				"them",
				slot_dev_name(b, other, sizeof(other)));
	return 0;
}

/* Each built-in device without speed= gets its default. */
static void set_speeds(struct slotopt *o)
{
	unsigned used3 = 0;

	for (unsigned i = 0; i < o->ndevs; i++)
		used3 +=
			!takes_any_port(&o->dev[i]) && uses_usb3(o, &o->dev[i]);
	for (unsigned i = 0; i < o->ndevs; i++) {
		struct slot_dev *d = &o->dev[i];
		const struct kind *k = &kinds[d->kind];

		if (d->speed != USB_SPEED_NONE || k->speeds == 0 ||
		    d->kind == SLOT_REPLAY)
			continue;
		if (d->at != 0 && uses_usb3(o, d)) {
			d->speed = USB_SPEED_SUPER;
		} else if (!k->fast) {
			d->speed = USB_SPEED_FULL;
		} else if (d->at != 0 || !(k->speeds & SPEED(SUPER))) {
			d->speed = USB_SPEED_HIGH;
		} else {
			d->speed = used3 < o->usb3 ? USB_SPEED_SUPER
						   : USB_SPEED_HIGH;
			used3 += is_super(d->speed);
		}
	}
}

/* There are ports enough, of each kind and in all. */
static int check_count(const struct slotopt *o, const struct slot_err *e)
{
	unsigned used[2] = {0, 0}, all = 0;
	const unsigned have[2] = {o->usb2, o->usb3};
	char name[NAME_LEN];

	for (const struct slot_dev *d = o->dev; d < o->dev + o->ndevs; d++) {
		bool usb3 = uses_usb3(o, d);

		if (d->below) /* may be none */
			continue;
		slot_dev_name(d, name, sizeof(name));
		if (!takes_any_port(d) && ++used[usb3] > have[usb3])
			return slot_fail(e, name,
					 "no USB %d port left of %u: raise "
					 "usb%d= (at most %u) or use another "
					 "controller",
					 usb3 ? 3 : 2, have[usb3], usb3 ? 3 : 2,
					 SLOTOPT_MAX_PORTS);
		if (++all > have[0] + have[1])
			return slot_fail(e, name,
					 "no port left of %u: raise usb2= or "
					 "usb3=, or use another controller",
					 have[0] + have[1]);
	}
	return 0;
}

int slotopt_check(struct slotopt *o, const struct slot_err *e)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < o->ndevs; i++) {
		const struct slot_dev *d = &o->dev[i];

		r = check_speed(d, e);
		if (r == 0)
			r = check_place(o, d, e);
		if (r == 0)
			r = check_claim(o, d, e);
	}
	if (r < 0)
		return r;
	set_speeds(o);
	return check_count(o, e);
}
