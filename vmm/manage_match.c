/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manage_match.c - "match" of a rule in the file of `vxhci manage`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/manage_conf_impl.h"

static int match_bus(struct conf *c, const json_t *v, void *to)
{
	struct policy_match *m = to;
	json_int_t n;
	int r = conf_int(c, v, 1, 255, "bus", &n);

	m->bus = (uint8_t)n;
	m->has |= POLICY_BUS;
	return r;
}

/* "2.3", "2.*"; as the slot option's */
static int match_port(struct conf *c, const json_t *v, void *to)
{
	struct policy_match *m = to;
	const char *s = json_string_value(v);

	m->has |= POLICY_PORT;
	for (;;) {
		char *end;
		unsigned long n;

		if (strcmp(s, "*") == 0 && m->npath > 0) {
			m->below = true;
			return 0;
		}
		n = *s >= '0' && *s <= '9' ? strtoul(s, &end, 10) : 0;
		if (n < 1 || n > 255 || m->npath == USB_MAX_DEPTH)
			break;
		m->path[m->npath++] = (uint8_t)n;
		if (!*end)
			return 0;
		if (*end != '.')
			break;
		s = end + 1;
	}
	return conf_fail(c, "port: not a port path: write 2.3, or 2.* for all "
			    "below");
}

static bool hex4(const char *s, uint16_t *ret)
{
	if (strspn(s, "0123456789abcdefABCDEF") < 4)
		return false;
	*ret = (uint16_t)strtoul((char[]){s[0], s[1], s[2], s[3], 0}, NULL, 16);
	return true;
}

static int match_id(struct conf *c, const json_t *v, void *to)
{
	struct policy_match *m = to;
	const char *s = json_string_value(v);

	m->has |= POLICY_ID;
	if (hex4(s, &m->vid) && s[4] == ':') {
		m->any_product = strcmp(s + 5, "*") == 0;
		if (m->any_product || (strlen(s) == 9 && hex4(s + 5, &m->pid)))
			return 0;
	}
	return conf_fail(c, "id: not an id: write VVVV:DDDD in hexadecimal, or "
			    "VVVV:* for all of a maker");
}

static int match_serial(struct conf *c, const json_t *v, void *to)
{
	struct policy_match *m = to;

	m->has |= POLICY_SERIAL;
	return conf_text(c, v, m->serial, sizeof(m->serial), "serial");
}

static int match_class(struct conf *c, const json_t *v, void *to)
{
	static const struct {
		const char *name;
		uint8_t cls;
	} names[] = {
		{"audio", 0x01},    {"communications", 0x02}, {"hid", 0x03},
		{"image", 0x06},    {"printer", 0x07},        {"storage", 0x08},
		{"hub", 0x09},      {"smartcard", 0x0b},      {"video", 0x0e},
		{"wireless", 0xe0}, {"vendor", 0xff}};
	struct policy_match *m = to;
	const char *s = json_string_value(v);
	uint16_t n;
	char four[8];

	m->has |= POLICY_CLASS;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(s, names[i].name) != 0)
			continue;
		m->cls = names[i].cls;
		return 0;
	}
	snprintf(four, sizeof(four), "00%.2s", s);
	if (strlen(s) == 2 && hex4(four, &n)) {
		m->cls = (uint8_t)n;
		return 0;
	}
	return conf_fail(c, "class: unknown: write storage, hid, audio, video, "
			    "printer ..., or two hexadecimal digits");
}

static int match_speed(struct conf *c, const json_t *v, void *to)
{
	static const char *const names[] = {
		[USB_SPEED_FULL] = "full",         [USB_SPEED_LOW] = "low",
		[USB_SPEED_HIGH] = "high",         [USB_SPEED_SUPER] = "super",
		[USB_SPEED_SUPER_PLUS] = "super+",
	};
	struct policy_match *m = to;

	m->has |= POLICY_SPEED;
	for (int i = USB_SPEED_FULL; i <= USB_SPEED_SUPER_PLUS; i++) {
		if (strcmp(json_string_value(v), names[i]) != 0)
			continue;
		m->speed = (enum usb_speed)i;
		return 0;
	}
	return conf_fail(c, "speed: unknown: write low, full, high, super or "
			    "super+");
}

static int match_driver(struct conf *c, const json_t *v, void *to)
{
	struct policy_match *m = to;

	m->has |= POLICY_DRIVER;
	return conf_text(c, v, m->driver, sizeof(m->driver), "driver");
}

static int match_controller(struct conf *c, const json_t *v, void *to)
{
	struct policy_match *m = to;

	m->has |= POLICY_CONTROLLER;
	return conf_text(c, v, m->controller, sizeof(m->controller),
			 "controller");
}

const struct member match_members[] = {
	{"bus", JSON_INTEGER, match_bus},
	{"port", JSON_STRING, match_port},
	{"id", JSON_STRING, match_id},
	{"serial", JSON_STRING, match_serial},
	{"class", JSON_STRING, match_class},
	{"speed", JSON_STRING, match_speed},
	{"driver", JSON_STRING, match_driver},
	{"controller", JSON_STRING, match_controller},
	{0},
};
