/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command_bus.c - commands about the bus as a whole, xHCI 1.2 §4.6.13-16.
 */
#include "emu/core.h"

/* §4.6.13: the other devices are asked to do with less */
unsigned command_negotiate(struct xhci *x)
{
	if (!command_slot(x))
		return CC_SLOT_NOT_ENABLED;
	if (x->cmd.slot->state < SLOT_ADDRESSED)
		return CC_CONTEXT_STATE_ERROR;
	notify_ask_bandwidth(x->cmd.slot);
	return CC_SUCCESS;
}

/* §4.6.14: what software's memory can wait for, which is here as it is */
unsigned command_latency(struct xhci *x)
{
	x->belt = (uint16_t)(x->cmd.trb.control >> 16 & 0xfff);
	return CC_SUCCESS;
}

/* §4.6.15: percent free on each port of one protocol, for a device's speed */
unsigned command_port_bandwidth(struct xhci *x)
{
	unsigned speed = (x->cmd.trb.control >> 16) & 0xf;
	uint8_t bw[32] = {0};
	bool usb3;

	if (command_slot_id(x) != 0) /* secondary bandwidth domains: no hubs */
		return command_slot(x) ? CC_TRB_ERROR : CC_SLOT_NOT_ENABLED;
	if (speed < USB_SPEED_FULL || speed > USB_SPEED_MAX)
		return CC_TRB_ERROR;
	usb3 = speed >= USB_SPEED_SUPER;
	for (unsigned i = 0; i < x->nports; i++)
		if (x->port[i].usb3 == usb3)
			bw[i + 1] = (uint8_t)bw_available(x, i + 1, speed);
	if (mem_write(x, x->cmd.trb.param & ~0xfull, bw,
		      (x->nports + 8) / 8 * 8) != 0)
		return CC_TRB_ERROR;
	return CC_SUCCESS;
}

/* §4.6.16: a packet for the link partner on a USB 3 port */
unsigned command_force_header(struct xhci *x)
{
	unsigned port = command_slot_id(x);

	if (port < 1 || port > x->nports || !x->port[port - 1].usb3)
		return CC_TRB_ERROR;
	return port_enabled(&x->port[port - 1]) ? CC_SUCCESS : CC_UNDEFINED;
}
