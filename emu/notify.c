/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * notify.c - events of a device slot that are no transfer's, xHCI 1.2 §4.13,
 * §4.16.2: Device Notification, Bandwidth Request. They go to the slot's
 * interrupter and wait for room there, and so do others that no ring has.
 */
#include "emu/core.h"

static bool slot_post(struct xhci_slot *s, uint64_t param, unsigned type)
{
	struct xhci_trb ev = {.param = param,
			      .status = (uint32_t)CC_SUCCESS << EV_CC_SHIFT,
			      .control = TRB_TYPE_BITS(type) | (uint32_t)s->id
								       << 24};

	return intr_post(s->x, slot_intr(s), &ev, false);
}

/* What a slot owes; false: there is no room for it now */
static bool slot_flush(struct xhci_slot *s)
{
	if (s->bw_asked && !slot_post(s, 0, TRB_EV_BANDWIDTH))
		return false;
	s->bw_asked = false;
	for (unsigned t = 0; s->notes && t < NOTE_TYPES; t++) {
		if (!(s->notes & 1u << t))
			continue;
		if (!slot_post(s, s->note[t] << 8 | t << 4, TRB_EV_NOTIFY))
			return false;
		s->notes &= (uint16_t) ~(1u << t);
	}
	return true;
}

void notify_flush(struct xhci *x)
{
	bool left;

	if (!xhci_running(x) || !x->bus_master)
		return;
	if (x->wrap_due)
		mfindex_tell_wrap(x);
	left = x->wrap_due || !isoch_tell(x);
	for (unsigned i = 0; i < XHCI_MAX_SLOTS; i++)
		if (x->slot[i].bw_asked || x->slot[i].notes)
			left = !slot_flush(&x->slot[i]) || left;
	x->notify = left;
}

void notify_device(struct xhci_port *p, struct xhci *x, unsigned type,
		   uint64_t value)
{
	if (type >= NOTE_TYPES || !(x->dnctrl & 1u << type) || !port_enabled(p))
		return;
	for (unsigned i = 0; i < XHCI_MAX_SLOTS; i++) {
		struct xhci_slot *s = &x->slot[i];

		if (s->state < SLOT_ADDRESSED || slot_port(s) != p)
			continue;
		s->notes |= (uint16_t)(1u << type);
		s->note[type] = value;
		x->notify = true;
	}
	notify_flush(x);
}

void xhci_port_notify(struct xhci *x, unsigned port, unsigned type,
		      uint64_t value)
{
	TAP(x, XHCI_TAP_NOTIFY, port, type, value);
	if (port >= 1 && port <= x->nports)
		notify_device(&x->port[port - 1], x, type, value);
}

/*
 * §4.16.2: whoever else has periodic endpoints is asked for what it can do
 * without. Which of the host's buses they are on is not known here: those of
 * one protocol count as one.
 */
void notify_ask_bandwidth(struct xhci_slot *s)
{
	struct xhci *x = s->x;

	for (unsigned i = 0; i < XHCI_MAX_SLOTS; i++) {
		struct xhci_slot *o = &x->slot[i];

		if (o == s || o->state != SLOT_CONFIGURED ||
		    x->port[o->port - 1].usb3 != x->port[s->port - 1].usb3 ||
		    !bw_slot_is_periodic(o))
			continue;
		o->bw_asked = true;
		x->notify = true;
	}
	notify_flush(x);
}
