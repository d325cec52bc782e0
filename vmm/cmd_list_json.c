/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/cmd_list.h"

#include <string.h>

#include "hostusb/class.h"

static const char *const state_names[] = {
	[DISCOVER_AVAILABLE] = "available",
	[DISCOVER_DENIED] = "denied",
	[DISCOVER_IN_USE] = "in-use",
};

/* A string, or null if there is none */
static json_t *text(const char *s)
{
	return s[0] ? json_string(s) : json_null();
}

/* "2.3", as bus=,port= takes it; null: not known */
static json_t *port_of(const struct usb_info *i)
{
	char name[32], *port;

	port = strchr(usb_path_name(i, name, sizeof(name)), '-');
	return port ? json_string(port + 1) : json_null();
}

static json_t *class_of(uint8_t cls, uint8_t subclass, uint8_t protocol)
{
	char buf[16];

	return json_pack(
		"{s:i, s:i, s:i, s:s}", "code", cls, "subclass", subclass,
		"protocol", protocol, "name",
		usb_class_name(cls, subclass, protocol, buf, sizeof(buf)));
}

static json_t *interfaces_of(const struct usb_info *i)
{
	json_t *a = json_array();

	for (unsigned n = 0; n < i->nifaces; n++) {
		const struct usb_iface_info *f = &i->iface[n];

		json_array_append_new(
			a, json_pack("{s:i, s:o, s:o}", "number", f->number,
				     "class",
				     class_of(f->cls, f->subclass, f->protocol),
				     "driver", text(f->driver)));
	}
	return a;
}

static json_t *device_of(const struct discover_entry *e)
{
	const struct usb_info *i = &e->info;
	char name[32], id[16], release[8];

	usb_path_name(i, name, sizeof(name));
	snprintf(id, sizeof(id), "%04x:%04x", i->vid, i->pid);
	snprintf(release, sizeof(release), "%04x", i->bcd_device);
	return json_pack(
		"{s:i, s:o, s:i, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, "
		"s:s, s:o, s:o}",
		"bus", i->bus, "port", port_of(i), "address", i->addr, "name",
		name, "speed", usb_speed_name(i->speed), "id", id, "release",
		release, "manufacturer", text(i->manufacturer), "product",
		text(i->product), "serial", text(i->serial), "class",
		class_of(i->cls, i->subclass, i->protocol), "interfaces",
		interfaces_of(i), "state", state_names[e->state], "owner",
		text(e->owner), "reason", text(e->reason));
}

json_t *list_json(const struct discover_entry *list, size_t n)
{
	json_t *a = json_array();

	for (size_t k = 0; k < n; k++) {
		if (json_array_append_new(a, device_of(&list[k])) != 0) {
			json_decref(a);
			return NULL;
		}
	}
	return a;
}
