/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slotopt_keys.c - the keys of a slot option: a row and a function each.
 */
#include "vmm/slotopt_parse.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int slot_number(const char *s, const char *end, unsigned base, unsigned max,
		unsigned *ret)
{
	unsigned v = 0;

	if (s == end)
		return -EINVAL;
	for (; s < end; s++) {
		unsigned d = base;

		if (*s >= '0' && *s <= '9')
			d = (unsigned)(*s - '0');
		else if (*s >= 'a' && *s <= 'f')
			d = (unsigned)(*s - 'a') + 10;
		else if (*s >= 'A' && *s <= 'F')
			d = (unsigned)(*s - 'A') + 10;
		if (d >= base)
			return -EINVAL;
		if (v <=
		    max) /* else it only gets larger: keep checking digits */
			v = v * base + d;
	}
	if (v > max)
		return -ERANGE;
	*ret = v;
	return 0;
}

/* @val of the token at hand, decimal, @min to @max */
static int take_number(struct parse *p, const char *val, unsigned min,
		       unsigned max, uint8_t *ret)
{
	const char *end = val + strlen(val);
	int key = (int)(val - p->tok);
	unsigned v = 0;
	int r = slot_number(val, end, 10, max, &v);

	if (r == -EINVAL) {
		if (val[0] == '0' && (val[1] | 0x20) == 'x' &&
		    slot_number(val + 2, end, 16, max, &v) == 0 && v >= min)
			return slot_fail(&p->err, p->tok,
					 "not a decimal number: write %.*s%u",
					 key, p->tok, v);
		return slot_fail(&p->err, p->tok,
				 "not a decimal number: write %.*s%u to %u",
				 key, p->tok, min, max);
	}
	if (r < 0 || v < min)
		return slot_fail(&p->err, p->tok,
				 "out of range: write %.*s%u to %u", key,
				 p->tok, min, max);
	*ret = (uint8_t)v;
	return 0;
}

/* @val of the token at hand as VVVV:DDDD */
static int take_id(struct parse *p, const char *val, uint16_t *ret_vendor,
		   uint16_t *ret_device)
{
	int key = (int)(val - p->tok);
	const char *colon = strchr(val, ':');
	unsigned v, d;

	if (colon == NULL || slot_number(val, colon, 16, 0xffff, &v) != 0 ||
	    slot_number(colon + 1, val + strlen(val), 16, 0xffff, &d) != 0)
		return slot_fail(&p->err, p->tok,
				 "not a pair of hexadecimal numbers: write "
				 "%.*sVVVV:DDDD with four digits each",
				 key, p->tok);
	if (colon - val != 4 || strlen(colon + 1) != 4)
		return slot_fail(&p->err, p->tok,
				 "not four digits each: write %.*s%04x:%04x",
				 key, p->tok, v, d);
	*ret_vendor = (uint16_t)v;
	*ret_device = (uint16_t)d;
	return 0;
}

static bool dev_has(const struct parse *p, enum slot_key k)
{
	return p->dev != NULL && (p->dev_keys & (1u << k)) != 0;
}

int slot_end_device(struct parse *p)
{
	char name[32];

	if (!dev_has(p, K_BUS) || dev_has(p, K_DEVADDR) || dev_has(p, K_PORT))
		return 0;
	snprintf(name, sizeof(name), "bus=%u", p->dev->bus);
	return slot_fail(&p->err, name,
			 "names no device: write %s,devaddr=N or %s,port=PATH",
			 name, name);
}

int slot_begin_device(struct parse *p)
{
	int r = slot_end_device(p);

	if (r < 0)
		return r;
	if (p->o.ndevs == SLOTOPT_MAX_DEVS)
		return slot_fail(&p->err, p->tok,
				 "more than %u devices: give the rest to "
				 "another controller",
				 SLOTOPT_MAX_DEVS);
	p->dev = &p->o.dev[p->o.ndevs++];
	p->dev_keys = 0;
	return 0;
}

static int take_bus(struct parse *p, const char *val)
{
	p->dev->kind = SLOT_ADDR; /* until port= says otherwise */
	return take_number(p, val, 0, 255, &p->dev->bus);
}

/* devaddr= and port= belong to a bus=, and only one of them */
static int after_bus(struct parse *p, const char *example, enum slot_key other)
{
	if (!dev_has(p, K_BUS))
		return slot_fail(&p->err, p->tok,
				 "no bus= before it: write bus=1,%s", example);
	if (dev_has(p, other))
		return slot_fail(&p->err, p->tok,
				 "the device has devaddr= and port=: write one "
				 "of them");
	return 0;
}

static int take_devaddr(struct parse *p, const char *val)
{
	int r = after_bus(p, "devaddr=2", K_PORT);

	return r < 0 ? r : take_number(p, val, 1, 127, &p->dev->devaddr);
}

static int take_port(struct parse *p, const char *val)
{
	struct slot_dev *d = p->dev;
	const char *s = val;
	int r = after_bus(p, "port=2.3", K_DEVADDR);

	if (r < 0)
		return r;
	d->kind = SLOT_PATH;
	for (;;) {
		const char *end = s + strcspn(s, ".");
		unsigned n = 0;

		if (strcmp(s, "*") == 0 && d->path_len > 0) {
			d->below = true;
			return 0;
		}
		if (slot_number(s, end, 10, 255, &n) != 0 || n == 0)
			return slot_fail(&p->err, p->tok,
					 "not a port path: write numbers from "
					 "1 to 255 with dots, as in port=2.3, "
					 "or port=2.* for all below");
		if (d->path_len == SLOTOPT_MAX_PATH)
			return slot_fail(&p->err, p->tok,
					 "more than %u numbers in a port path: "
					 "write the path `vxhci list` shows",
					 SLOTOPT_MAX_PATH);
		d->path[d->path_len++] = (uint8_t)n;
		if (*end == '\0')
			return 0;
		s = end + 1;
	}
}

static int take_dev_id(struct parse *p, const char *val)
{
	p->dev->kind = SLOT_ID;
	return take_id(p, val, &p->dev->vendor, &p->dev->product);
}

static int take_serial(struct parse *p, const char *val)
{
	if (!dev_has(p, K_ID))
		return slot_fail(&p->err, p->tok,
				 "no id= before it: write id=VVVV:DDDD,%s",
				 p->tok);
	p->dev->serial = val;
	return 0;
}

static int take_tablet(struct parse *p, const char *val)
{
	(void)val;
	p->dev->kind = SLOT_TABLET;
	return 0;
}

static int take_keyboard(struct parse *p, const char *val)
{
	(void)val;
	p->dev->kind = SLOT_KEYBOARD;
	return 0;
}

static int take_mouse(struct parse *p, const char *val)
{
	(void)val;
	p->dev->kind = SLOT_MOUSE;
	return 0;
}

static int take_audio(struct parse *p, const char *val)
{
	(void)val;
	p->dev->kind = SLOT_AUDIO;
	return 0;
}

static int take_camera(struct parse *p, const char *val)
{
	(void)val;
	p->dev->kind = SLOT_CAMERA;
	return 0;
}

static int take_zero(struct parse *p, const char *val)
{
	(void)val;
	p->dev->kind = SLOT_ZERO;
	return 0;
}

static int take_file(struct parse *p, enum slot_kind kind, const char *val)
{
	if (strlen(val) >= SLOTOPT_MAX_FILE)
		return slot_fail(&p->err, p->tok,
				 "file name too long: at most %u bytes",
				 SLOTOPT_MAX_FILE - 1);
	p->dev->kind = kind;
	p->dev->file = val;
	return 0;
}

static int take_storage(struct parse *p, const char *val)
{
	return take_file(p, SLOT_STORAGE, val);
}

static int take_replay(struct parse *p, const char *val)
{
	return take_file(p, SLOT_REPLAY, val);
}

static int take_readonly(struct parse *p, const char *val)
{
	(void)val;
	if (!dev_has(p, K_STORAGE))
		return slot_fail(&p->err, p->tok,
				 "no storage= before it: write "
				 "storage=FILE,readonly");
	*(p->dev->nluns ? &p->dev->lun[p->dev->nluns - 1].readonly
			: &p->dev->readonly) = true;
	return 0;
}

static int take_removable(struct parse *p, const char *val)
{
	(void)val;
	if (!dev_has(p, K_STORAGE))
		return slot_fail(&p->err, p->tok,
				 "no storage= before it: write "
				 "storage=FILE,removable");
	*(p->dev->nluns ? &p->dev->lun[p->dev->nluns - 1].removable
			: &p->dev->removable) = true;
	return 0;
}

/* Another logical unit: what readonly and removable are of from here on. */
static int take_lun(struct parse *p, const char *val)
{
	if (!dev_has(p, K_STORAGE))
		return slot_fail(&p->err, p->tok,
				 "no storage= before it: write "
				 "storage=FILE,lun=FILE");
	if (strlen(val) >= SLOTOPT_MAX_FILE)
		return slot_fail(&p->err, p->tok,
				 "file name too long: at most %u bytes",
				 SLOTOPT_MAX_FILE - 1);
	if (p->dev->nluns == SLOTOPT_MAX_LUNS - 1)
		return slot_fail(
			&p->err, p->tok,
			"more than %u units in one disk: write another "
			"storage=",
			SLOTOPT_MAX_LUNS);
	p->dev->lun[p->dev->nluns++].file = val;
	p->dev_keys &= ~(1u << K_READONLY | 1u << K_REMOVABLE);
	return 0;
}

/* Options of a recording come behind it. */
static int after_replay(struct parse *p)
{
	if (dev_has(p, K_REPLAY))
		return 0;
	return slot_fail(&p->err, p->tok,
			 "no replay= before it: write replay=FILE,%s", p->tok);
}

/* A device of the recording, as Wireshark writes it: BUS.ADDRESS */
static int take_dev(struct parse *p, const char *val)
{
	const char *dot = strchr(val, '.');
	unsigned bus, addr;
	int r = after_replay(p);

	if (r < 0)
		return r;
	if (dot == NULL || slot_number(val, dot, 10, 65535, &bus) != 0 ||
	    slot_number(dot + 1, val + strlen(val), 10, 127, &addr) != 0 ||
	    addr == 0)
		return slot_fail(&p->err, p->tok,
				 "not a bus and an address of 1 to 127: write "
				 "dev=BUS.ADDRESS, as in dev=1.4");
	p->dev->dev_bus = (uint16_t)bus;
	p->dev->dev_addr = (uint8_t)addr;
	return 0;
}

static int take_pace(struct parse *p, const char *val)
{
	int r = after_replay(p);

	if (r < 0)
		return r;
	if (strcmp(val, "recorded") != 0 && strcmp(val, "none") != 0)
		return slot_fail(&p->err, p->tok,
				 "unknown pace: write pace=recorded or none");
	p->dev->at_once = strcmp(val, "none") == 0;
	return 0;
}

static int take_usb2(struct parse *p, const char *val)
{
	return take_number(p, val, 1, SLOTOPT_MAX_PORTS, &p->o.usb2);
}

static int take_usb3(struct parse *p, const char *val)
{
	return take_number(p, val, 0, SLOTOPT_MAX_PORTS, &p->o.usb3);
}

static int take_at(struct parse *p, const char *val)
{
	if (p->dev == NULL)
		return slot_fail(&p->err, p->tok,
				 "no device before it: write DEVICE,%s",
				 p->tok);
	return take_number(p, val, 1, XHCI_MAX_PORTS, &p->dev->at);
}

static int take_speed(struct parse *p, const char *val)
{
	static const struct {
		const char *name;
		enum usb_speed speed;
	} names[] = {
		{"low", USB_SPEED_LOW},           {"full", USB_SPEED_FULL},
		{"high", USB_SPEED_HIGH},         {"super", USB_SPEED_SUPER},
		{"super+", USB_SPEED_SUPER_PLUS},
	};

	if (p->dev == NULL)
		return slot_fail(&p->err, p->tok,
				 "no device before it: write DEVICE,%s",
				 p->tok);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(val, names[i].name) == 0) {
			p->dev->speed = names[i].speed;
			return 0;
		}
	}
	return slot_fail(&p->err, p->tok,
			 "unknown speed: write speed=low, full, high, super or "
			 "super+");
}

static int take_pci(struct parse *p, const char *val)
{
	int r = take_id(p, val, &p->o.pci_vendor, &p->o.pci_device);

	if (r == 0 && p->o.pci_vendor == 0xffff)
		return slot_fail(&p->err, p->tok,
				 "vendor ffff means that no function is there: "
				 "write another, as in pci=1b36:000d");
	return r;
}

static int take_reset(struct parse *p, const char *val)
{
	static const char *const names[] = {
		[SLOT_RESET_DEVICE] = "device",
		[SLOT_RESET_INITIAL] = "initial",
		[SLOT_RESET_NEVER] = "never",
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(val, names[i]) == 0) {
			p->o.reset = (enum slot_reset)i;
			return 0;
		}
	}
	return slot_fail(&p->err, p->tok,
			 "unknown policy: write reset=device, initial or "
			 "never");
}

#define BEGINS true, false
#define OF_DEV false, false
#define OF_CTL false, true

const struct key slot_keys[K_NKEYS] = {
	[K_BUS] = {"bus", "1", BEGINS, take_bus},
	[K_DEVADDR] = {"devaddr", "2", OF_DEV, take_devaddr},
	[K_PORT] = {"port", "2.3", OF_DEV, take_port},
	[K_ID] = {"id", "045e:0823", BEGINS, take_dev_id},
	[K_SERIAL] = {"serial", "TEXT", OF_DEV, take_serial},
	[K_TABLET] = {"tablet", NULL, BEGINS, take_tablet},
	[K_KEYBOARD] = {"keyboard", NULL, BEGINS, take_keyboard},
	[K_MOUSE] = {"mouse", NULL, BEGINS, take_mouse},
	[K_AUDIO] = {"audio", NULL, BEGINS, take_audio},
	[K_CAMERA] = {"camera", NULL, BEGINS, take_camera},
	[K_STORAGE] = {"storage", "FILE", BEGINS, take_storage},
	[K_READONLY] = {"readonly", NULL, OF_DEV, take_readonly},
	[K_REMOVABLE] = {"removable", NULL, OF_DEV, take_removable},
	[K_LUN] = {"lun", "FILE", OF_DEV, take_lun},
	[K_ZERO] = {"zero", NULL, BEGINS, take_zero},
	[K_REPLAY] = {"replay", "FILE", BEGINS, take_replay},
	[K_DEV] = {"dev", "1.4", OF_DEV, take_dev},
	[K_PACE] = {"pace", "recorded", OF_DEV, take_pace},
	[K_USB2] = {"usb2", "8", OF_CTL, take_usb2},
	[K_USB3] = {"usb3", "8", OF_CTL, take_usb3},
	[K_AT] = {"at", "1", OF_DEV, take_at},
	[K_SPEED] = {"speed", "high", OF_DEV, take_speed},
	[K_PCI] = {"pci", "1b36:000d", OF_CTL, take_pci},
	[K_RESET] = {"reset", "device", OF_CTL, take_reset},
};
