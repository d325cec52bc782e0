/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gadget.c - the standard requests of built-in devices, USB 2.0 §9.4 and
 * USB 3.2 §9.4. A request that is wrong for the device or for its state is a
 * Request Error: STALL (USB 2.0 §9.2.7).
 */
#include <errno.h>
#include <string.h>

#include "devices/bytes.h"
#include "devices/gadget.h"
#include "emu/snap.h"

/* bmRequestType: direction and recipient of a standard request */
#define DEV_OUT USB_RT_DEVICE
#define DEV_IN (USB_DIR_IN | USB_RT_DEVICE)
#define INTF_OUT USB_RT_INTERFACE
#define INTF_IN (USB_DIR_IN | USB_RT_INTERFACE)
#define EP_OUT USB_RT_ENDPOINT
#define EP_IN (USB_DIR_IN | USB_RT_ENDPOINT)

#define WAKEUP_OPTION 0x0200u /* wIndex of FUNCTION_SUSPEND, table 9-9 */

static bool is_super(const struct gadget *g)
{
	return g->dev.speed >= USB_SPEED_SUPER;
}

static uint32_t ep_bit(uint8_t ep)
{
	return 1u << ((ep & 15) + (ep & USB_DIR_IN ? 16 : 0));
}

static uint8_t config_attr(const struct gadget *g)
{
	const struct gadget_blob *b = gadget_find_config(g, g->config);

	if (!b)
		b = &g->desc->configs[0][is_super(g) ? USB_SPEED_SUPER
						     : g->dev.speed];
	return b->bytes ? b->bytes[7] : 0;
}

/*
 * What the configuration says of interface @intf: the endpoints of its
 * alternate setting @alt, as bits. False if there is no such setting.
 */
static bool find_setting(const struct gadget *g, uint8_t intf, uint8_t alt,
			 uint32_t *ret_eps)
{
	const struct gadget_blob *b = gadget_find_config(g, g->config);
	bool found = false, inside = false;
	uint32_t eps = 0;
	const uint8_t *d;
	size_t pos = 0;

	if (!b || g->config == 0)
		return false;
	while ((d = gadget_next_desc(b, &pos)) != NULL) {
		if (d[1] == USB_DT_INTERFACE && d[0] >= 9) {
			inside = d[2] == intf && d[3] == alt;
			found |= inside;
		} else if (d[1] == USB_DT_ENDPOINT && d[0] >= 7 && inside) {
			eps |= ep_bit(d[2]);
		}
	}
	if (found)
		*ret_eps = eps;
	return found;
}

static void update_eps(struct gadget *g)
{
	uint32_t eps;

	g->eps = 0;
	for (uint8_t i = 0; i < GADGET_INTERFACES; i++) {
		if (find_setting(g, i, g->alt[i], &eps))
			g->eps |= eps;
	}
	g->halted &= g->eps;
}

void gadget_init(struct gadget *g, const struct usb_dev_ops *dev_ops,
		 const struct gadget_ops *ops, const struct gadget_desc *desc,
		 enum usb_speed speed)
{
	memset(g, 0, sizeof(*g));
	g->dev.ops = dev_ops;
	g->dev.speed = speed;
	g->ops = ops;
	g->desc = desc;
}

void gadget_reset(struct gadget *g)
{
	g->config = 0;
	memset(g->alt, 0, sizeof(g->alt));
	g->remote_wakeup = g->u1_enabled = g->u2_enabled = false;
	g->eps = g->halted = 0;
	g->function_wakeup = 0;
	g->isoch_delay_ns = 0;
}

void gadget_snap(struct gadget *g, struct snap *s)
{
	uint32_t eps;

	SNAP(s, g->config);
	snap_check(s, g->config == 0 || gadget_find_config(g, g->config));
	for (uint8_t i = 0; i < GADGET_INTERFACES; i++) {
		SNAP(s, g->alt[i]);
		snap_check(s, g->alt[i] == 0 ||
				      find_setting(g, i, g->alt[i], &eps));
	}
	SNAP_BOOL(s, g->remote_wakeup);
	SNAP_BOOL(s, g->u1_enabled);
	SNAP_BOOL(s, g->u2_enabled);
	SNAP(s, g->halted);
	SNAP(s, g->function_wakeup);
	SNAP(s, g->isoch_delay_ns);
	snap_bytes(s, g->sel, sizeof(g->sel));
	if (s->reading)
		update_eps(g);
}

bool gadget_has_ep(const struct gadget *g, uint8_t ep)
{
	return (g->eps & ep_bit(ep)) != 0;
}

void gadget_halt(struct gadget *g, uint8_t ep)
{
	g->halted |= ep_bit(ep) & g->eps;
}

bool gadget_halted(const struct gadget *g, uint8_t ep)
{
	return (g->halted & ep_bit(ep)) != 0;
}

bool gadget_may_wake(const struct gadget *g)
{
	return is_super(g) ? (g->function_wakeup & 1) != 0 : g->remote_wakeup;
}

void gadget_reply(struct gadget *g, struct usb_xfer *t, const void *buf,
		  size_t len)
{
	if (len > t->setup.length)
		len = t->setup.length;
	len = t->in ? usb_xfer_scatter(t, 0, buf, len) : 0;
	usb_dev_complete(&g->dev, t, USB_OK, (uint32_t)len);
}

void gadget_ack(struct gadget *g, struct usb_xfer *t)
{
	usb_dev_complete(&g->dev, t, USB_OK, t->in ? 0 : t->length);
}

static int set_configuration(struct gadget *g, struct usb_xfer *t)
{
	uint8_t value = (uint8_t)t->setup.value;

	if (value != 0 && !gadget_find_config(g, value))
		return -EPIPE;
	g->config = value;
	memset(g->alt, 0, sizeof(g->alt));
	g->halted = 0;
	g->u1_enabled = g->u2_enabled = false;
	g->function_wakeup = 0;
	update_eps(g);
	if (g->ops->configured)
		g->ops->configured(g);
	gadget_ack(g, t);
	return 0;
}

static int get_configuration(struct gadget *g, struct usb_xfer *t)
{
	gadget_reply(g, t, &g->config, 1);
	return 0;
}

/* Also what clears the halts of the interface, USB 2.0 §9.1.1.5 */
static int set_interface(struct gadget *g, struct usb_xfer *t)
{
	uint16_t intf = t->setup.index;
	uint32_t before, after;

	if (intf >= GADGET_INTERFACES || t->setup.value > 255 ||
	    !find_setting(g, (uint8_t)intf, g->alt[intf], &before) ||
	    !find_setting(g, (uint8_t)intf, (uint8_t)t->setup.value, &after))
		return -EPIPE;
	g->alt[intf] = (uint8_t)t->setup.value;
	g->halted &= ~(before | after);
	update_eps(g);
	if (g->ops->configured)
		g->ops->configured(g);
	gadget_ack(g, t);
	return 0;
}

static bool interface_exists(const struct gadget *g, uint16_t intf)
{
	uint32_t eps;

	return intf < GADGET_INTERFACES &&
	       find_setting(g, (uint8_t)intf, g->alt[intf], &eps);
}

/* Endpoint 0 is always there, in either direction. */
static bool endpoint_exists(const struct gadget *g, uint16_t index)
{
	uint16_t rest = index & (uint16_t) ~(USB_DIR_IN | 0x0fu);

	if (rest != 0)
		return false;
	return (index & 0x0f) == 0 || (g->eps & ep_bit((uint8_t)index)) != 0;
}

static int get_interface(struct gadget *g, struct usb_xfer *t)
{
	if (!interface_exists(g, t->setup.index))
		return -EPIPE;
	gadget_reply(g, t, &g->alt[t->setup.index], 1);
	return 0;
}

static int reply_status(struct gadget *g, struct usb_xfer *t, unsigned bits)
{
	uint8_t d[2] = {(uint8_t)bits, 0};

	gadget_reply(g, t, d, sizeof(d));
	return 0;
}

/* USB 2.0 figure 9-4; USB 3.2 figure 9-4 adds U1 and U2 */
static int get_device_status(struct gadget *g, struct usb_xfer *t)
{
	unsigned bits = 0;

	if (t->setup.value != 0 || t->setup.index != 0)
		return -EPIPE;
	if (config_attr(g) & USB_CONFIG_SELF_POWERED)
		bits |= 1u << 0;
	if (g->remote_wakeup)
		bits |= 1u << 1;
	if (g->u1_enabled)
		bits |= 1u << 2;
	if (g->u2_enabled)
		bits |= 1u << 3;
	return reply_status(g, t, bits);
}

/* Reserved at USB 2 speeds; function remote wake above (figure 9-5) */
static int get_interface_status(struct gadget *g, struct usb_xfer *t)
{
	uint16_t intf = t->setup.index;
	unsigned bits = 0;

	if (t->setup.value != 0 || !interface_exists(g, intf))
		return -EPIPE;
	if (is_super(g) && (config_attr(g) & USB_CONFIG_WAKEUP))
		bits |= 1u | ((unsigned)g->function_wakeup >> intf & 1u) << 1;
	return reply_status(g, t, bits);
}

static int get_endpoint_status(struct gadget *g, struct usb_xfer *t)
{
	if (t->setup.value != 0 || !endpoint_exists(g, t->setup.index))
		return -EPIPE;
	return reply_status(g, t, gadget_halted(g, (uint8_t)t->setup.index));
}

static int device_feature(struct gadget *g, struct usb_xfer *t)
{
	bool on = t->setup.request == USB_REQ_SET_FEATURE;

	if (t->setup.index != 0)
		return -EPIPE;
	switch (t->setup.value) {
	case USB_FEAT_REMOTE_WAKEUP:
		if (is_super(g) || !(config_attr(g) & USB_CONFIG_WAKEUP))
			return -EPIPE;
		g->remote_wakeup = on;
		break;
	case USB_FEAT_U1_ENABLE: /* only when configured, §9.4.9 */
		if (!is_super(g) || g->config == 0)
			return -EPIPE;
		g->u1_enabled = on;
		break;
	case USB_FEAT_U2_ENABLE:
		if (!is_super(g) || g->config == 0)
			return -EPIPE;
		g->u2_enabled = on;
		break;
	default: /* TEST_MODE needs a wire, LTM_ENABLE an LTM capability */
		return -EPIPE;
	}
	gadget_ack(g, t);
	return 0;
}

/* FUNCTION_SUSPEND, USB 3.2 §9.4.9: the interface is in the low byte */
static int interface_feature(struct gadget *g, struct usb_xfer *t)
{
	uint16_t intf = t->setup.index & 0xff;
	uint16_t bit;

	if (!is_super(g) || t->setup.value != USB_FEAT_FUNCTION_SUSPEND ||
	    !interface_exists(g, intf))
		return -EPIPE;
	bit = (uint16_t)(1u << intf);
	if (t->setup.request == USB_REQ_SET_FEATURE &&
	    (t->setup.index & WAKEUP_OPTION))
		g->function_wakeup |= bit;
	else
		g->function_wakeup &= (uint16_t)~bit;
	gadget_ack(g, t);
	return 0;
}

/* A halt of endpoint 0 ends with the next SETUP: there is nothing to keep. */
static int endpoint_feature(struct gadget *g, struct usb_xfer *t)
{
	uint8_t ep = (uint8_t)t->setup.index;
	bool on = t->setup.request == USB_REQ_SET_FEATURE;

	if (t->setup.value != USB_FEAT_ENDPOINT_HALT ||
	    !endpoint_exists(g, t->setup.index))
		return -EPIPE;
	if ((ep & 0x0f) != 0) {
		g->halted &= ~ep_bit(ep);
		if (on)
			gadget_halt(g, ep);
		if (g->ops->halt)
			g->ops->halt(g, ep, on);
	}
	gadget_ack(g, t);
	return 0;
}

static int set_sel(struct gadget *g, struct usb_xfer *t)
{
	if (!is_super(g) || t->setup.length != sizeof(g->sel) ||
	    usb_xfer_gather(t, 0, g->sel, sizeof(g->sel)) != sizeof(g->sel))
		return -EPIPE;
	gadget_ack(g, t);
	return 0;
}

static int set_isoch_delay(struct gadget *g, struct usb_xfer *t)
{
	if (!is_super(g) || t->setup.index != 0)
		return -EPIPE;
	g->isoch_delay_ns = t->setup.value;
	gadget_ack(g, t);
	return 0;
}

/*
 * One row a request. What is not here is the device's own or a Request Error:
 * SET_ADDRESS never leaves the controller (Address Device, xHCI 1.2 §4.6.5),
 * SET_DESCRIPTOR is optional, SYNCH_FRAME is for endpoints with a pattern.
 */
static const struct gadget_rule {
	uint8_t request_type, request;
	int (*run)(struct gadget *g, struct usb_xfer *t);
} rules[] = {
	{DEV_IN, USB_REQ_GET_DESCRIPTOR, gadget_get_descriptor},
	{DEV_IN, USB_REQ_GET_CONFIGURATION, get_configuration},
	{DEV_OUT, USB_REQ_SET_CONFIGURATION, set_configuration},
	{INTF_IN, USB_REQ_GET_INTERFACE, get_interface},
	{INTF_OUT, USB_REQ_SET_INTERFACE, set_interface},
	{DEV_IN, USB_REQ_GET_STATUS, get_device_status},
	{INTF_IN, USB_REQ_GET_STATUS, get_interface_status},
	{EP_IN, USB_REQ_GET_STATUS, get_endpoint_status},
	{DEV_OUT, USB_REQ_SET_FEATURE, device_feature},
	{DEV_OUT, USB_REQ_CLEAR_FEATURE, device_feature},
	{INTF_OUT, USB_REQ_SET_FEATURE, interface_feature},
	{INTF_OUT, USB_REQ_CLEAR_FEATURE, interface_feature},
	{EP_OUT, USB_REQ_SET_FEATURE, endpoint_feature},
	{EP_OUT, USB_REQ_CLEAR_FEATURE, endpoint_feature},
	{DEV_OUT, USB_REQ_SET_SEL, set_sel},
	{DEV_OUT, USB_REQ_SET_ISOCH_DELAY, set_isoch_delay},
};

static void run_control(struct gadget *g, struct usb_xfer *t)
{
	int rc = -EPIPE;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].request_type == t->setup.request_type &&
		    rules[i].request == t->setup.request) {
			if (rules[i].run(g, t) == 0)
				return;
			break;
		}
	}
	if (g->ops->control)
		rc = g->ops->control(g, t);
	if (rc != 0)
		usb_dev_complete(&g->dev, t, USB_STALL, 0);
}

int gadget_submit(struct usb_dev *d, struct usb_xfer *t)
{
	struct gadget *g = (struct gadget *)d;

	if ((t->ep & 0x0f) == 0)
		run_control(g, t);
	else if (!(g->eps & ep_bit(t->ep)) || !g->ops->transfer)
		usb_dev_complete(d, t, USB_ERROR, 0); /* nobody answers */
	else if (gadget_halted(g, t->ep))
		usb_dev_complete(d, t, USB_STALL, 0);
	else
		g->ops->transfer(g, t);
	return 0;
}
