/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve_json.c - controllers, ports and devices as docs/control.md has them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "vmm/embed.h"
#include "vmm/serve_impl.h"

static json_t *text(const char *s)
{
	return s[0] ? json_string(s) : json_null();
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *errors_of(const struct vxhci_errors *e)
{
	return json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "stall",
		number(e->stall), "transaction", number(e->transaction),
		"babble", number(e->babble), "cancelled", number(e->cancelled),
		"gone", number(e->gone), "no-memory", number(e->no_memory),
		"missed", number(e->missed), "overrun", number(e->overrun));
}

/* What of the host it is; null: not a physical device, or not there */
static json_t *host_of(const struct vxhci_device *d)
{
	char id[16];

	if (d->bus == 0)
		return json_null();
	snprintf(id, sizeof(id), "%04x:%04x", d->vendor, d->product_id);
	return json_pack("{s:i, s:o, s:i, s:s, s:o, s:o, s:o}", "bus", d->bus,
			 "port", text(d->path), "address", d->address, "id", id,
			 "manufacturer", text(d->manufacturer), "product",
			 text(d->product), "serial", text(d->serial));
}

json_t *serve_json_device(const struct vxhci_device *d)
{
	return json_pack(
		"{s:i, s:s, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:{s:o, s:o, "
		"s:o, s:o}}",
		"id", (int)d->id, "name", d->name, "kind", d->kind, "rule",
		d->rule, "state", vxhci_state_name(d->state), "reason",
		text(d->reason), "port",
		d->port ? json_integer(d->port) : json_null(), "speed",
		text(d->speed), "host", host_of(d), "counters", "transfers",
		number(d->transfers), "bytes", number(d->bytes), "resets",
		number(d->resets), "errors", errors_of(&d->errors));
}

static json_t *port_of(const struct vxhci_port *p)
{
	return json_pack("{s:i, s:s, s:b, s:b, s:s, s:o}", "port", (int)p->port,
			 "protocol", p->usb3 ? "usb3" : "usb2", "connected",
			 (int)p->connected, "enabled", (int)p->enabled, "link",
			 p->link, "device",
			 p->device ? json_integer(p->device) : json_null());
}

static json_t *ports_of(struct vxhci *v)
{
	struct vxhci_port port[VXHCI_MAX_PORTS];
	size_t n = vxhci_get_ports(v, port, VXHCI_MAX_PORTS);
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		control_append(&list, port_of(&port[i]));
	return list;
}

static json_t *devices_of(struct vxhci *v)
{
	struct vxhci_device *dev = calloc(VXHCI_MAX_DEVICES, sizeof(*dev));
	json_t *list = json_array();
	size_t n;

	if (!dev) {
		json_decref(list);
		return NULL;
	}
	n = vxhci_get_devices(v, dev, VXHCI_MAX_DEVICES);
	for (size_t i = 0; i < n && i < VXHCI_MAX_DEVICES; i++)
		control_append(&list, serve_json_device(&dev[i]));
	free(dev);
	return list;
}

static json_t *counters_of(struct vxhci *v)
{
	struct vxhci_stats s;

	vxhci_get_stats(v, &s);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "transfers", number(s.transfers), "bytes",
			 number(s.bytes), "errors", number(s.errors),
			 "commands", number(s.commands), "events",
			 number(s.events), "interrupts", number(s.interrupts),
			 "port-resets", number(s.port_resets), "in-flight",
			 number(s.in_flight), "bytes-in-flight",
			 number(s.bytes_in_flight));
}

/* docs/limits.md */
static json_t *limits_of(void)
{
	struct xhci_limits x;

	xhci_get_limits(&x);
	return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
			 "in-flight", number(x.tds), "ring-in-flight",
			 number(x.ring_tds), "bytes-in-flight", number(x.bytes),
			 "ring-bytes-in-flight", number(x.ring_bytes),
			 "td-trbs", number(x.td_trbs), "turn-trbs",
			 number(x.run_trbs * DISPATCH_ROUNDS), "turn-commands",
			 number(x.run_commands * DISPATCH_ROUNDS),
			 "memory-ranges", number(DMA_MAX_RANGES),
			 "log-lines-a-second", number(SERVE_LOG_RATE),
			 "control-clients", number(CONTROL_MAX_CLIENTS));
}

json_t *serve_json_controller(struct serve_ctl *c)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "slot", c->name,
			 "socket", c->path ? text(c->path) : json_null(),
			 "ports", ports_of(c->v), "devices", devices_of(c->v),
			 "counters", counters_of(c->v), "limits", limits_of());
}
