/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay_std.c - requests of USB 2.0 §9.4 that a guest makes and the recorded
 * host did not: what follows from the descriptors is answered from them.
 */
#include <string.h>

#include "devices/bytes.h"
#include "devices/replay_impl.h"

#define DEV_OUT USB_RT_DEVICE
#define DEV_IN (USB_DIR_IN | USB_RT_DEVICE)
#define INTF_OUT USB_RT_INTERFACE
#define INTF_IN (USB_DIR_IN | USB_RT_INTERFACE)
#define EP_OUT USB_RT_ENDPOINT
#define EP_IN (USB_DIR_IN | USB_RT_ENDPOINT)

static bool is_super(const struct replay *r)
{
	return r->dev.speed >= USB_SPEED_SUPER;
}

/* The configuration with this bConfigurationValue, or NULL */
static const uint8_t *find_config(const struct replay *r, uint16_t value,
				  uint16_t *ret_len)
{
	for (unsigned i = 0; i < r->desc.nconfigs; i++) {
		if (r->desc.config[i][5] != value)
			continue;
		*ret_len = r->desc.config_len[i];
		return r->desc.config[i];
	}
	return NULL;
}

static bool has_setting(const struct replay *r, uint16_t intf, uint16_t alt)
{
	struct gadget_blob b;
	const uint8_t *p;
	size_t pos = 0;

	b.bytes = find_config(r, r->config, &b.len);
	while (b.bytes && (p = gadget_next_desc(&b, &pos)) != NULL)
		if (p[1] == USB_DT_INTERFACE && p[0] >= 9 && p[2] == intf &&
		    p[3] == alt)
			return true;
	return false;
}

static bool reply(struct replay *r, struct usb_xfer *t, const void *p,
		  size_t len)
{
	if (!t->in)
		return false;
	if (len > t->length)
		len = t->length;
	len = usb_xfer_scatter(t, 0, p, len);
	usb_dev_complete(&r->dev, t, USB_OK, (uint32_t)len);
	return true;
}

static bool acknowledge(struct replay *r, struct usb_xfer *t)
{
	usb_dev_complete(&r->dev, t, USB_OK, t->in ? 0 : t->length);
	return true;
}

/* The recorded one is as long as was asked for then, which may be too short. */
static bool get_descriptor(struct replay *r, struct usb_xfer *t)
{
	const struct usb_setup *s = &t->setup;
	const struct capture_xfer *x;
	unsigned type = s->value >> 8, n = s->value & 0xff;

	if (s->request_type == DEV_IN && type == USB_DT_DEVICE && n == 0)
		return reply(r, t, r->desc.device, sizeof(r->desc.device));
	if (s->request_type == DEV_IN && type == USB_DT_CONFIG &&
	    n < r->desc.nconfigs)
		return reply(r, t, r->desc.config[n], r->desc.config_len[n]);
	x = replay_descriptor(r, s);
	return x && reply(r, t, r->c->bytes + x->data, x->have);
}

static bool set_configuration(struct replay *r, struct usb_xfer *t)
{
	uint16_t len;

	if (t->setup.value != 0 && !find_config(r, t->setup.value, &len))
		return false;
	replay_note_state(r, &t->setup);
	return acknowledge(r, t);
}

static bool get_configuration(struct replay *r, struct usb_xfer *t)
{
	return reply(r, t, &r->config, 1);
}

static bool set_interface(struct replay *r, struct usb_xfer *t)
{
	if (!has_setting(r, t->setup.index, t->setup.value))
		return false;
	replay_note_state(r, &t->setup);
	return acknowledge(r, t);
}

static bool get_interface(struct replay *r, struct usb_xfer *t)
{
	uint16_t intf = t->setup.index;

	if (intf >= REPLAY_INTERFACES || !has_setting(r, intf, r->alt[intf]))
		return false;
	return reply(r, t, &r->alt[intf], 1);
}

/* Self-powered, as the configuration says; nothing is halted or awake. */
static bool get_status(struct replay *r, struct usb_xfer *t)
{
	uint8_t status[2] = {0, 0};

	if (t->setup.request_type == DEV_IN)
		status[0] =
			(r->desc.config[0][7] & USB_CONFIG_SELF_POWERED) != 0;
	return reply(r, t, status, sizeof(status));
}

static bool device_feature(struct replay *r, struct usb_xfer *t)
{
	uint16_t feature = t->setup.value;

	if (feature == USB_FEAT_REMOTE_WAKEUP
		    ? !(r->desc.config[0][7] & USB_CONFIG_WAKEUP)
		    : !is_super(r) || (feature != USB_FEAT_U1_ENABLE &&
				       feature != USB_FEAT_U2_ENABLE))
		return false;
	return acknowledge(r, t);
}

static bool endpoint_feature(struct replay *r, struct usb_xfer *t)
{
	return t->setup.value == USB_FEAT_ENDPOINT_HALT && acknowledge(r, t);
}

/* Function suspend, system exit latencies, isochronous delay: USB 3.2 §9.4 */
static bool super_only(struct replay *r, struct usb_xfer *t)
{
	return is_super(r) && acknowledge(r, t);
}

static const struct rule {
	uint8_t request_type, request;
	bool (*run)(struct replay *r, struct usb_xfer *t);
} rules[] = {
	{DEV_IN, USB_REQ_GET_DESCRIPTOR, get_descriptor},
	{INTF_IN, USB_REQ_GET_DESCRIPTOR, get_descriptor},
	{DEV_OUT, USB_REQ_SET_CONFIGURATION, set_configuration},
	{DEV_IN, USB_REQ_GET_CONFIGURATION, get_configuration},
	{INTF_OUT, USB_REQ_SET_INTERFACE, set_interface},
	{INTF_IN, USB_REQ_GET_INTERFACE, get_interface},
	{DEV_IN, USB_REQ_GET_STATUS, get_status},
	{INTF_IN, USB_REQ_GET_STATUS, get_status},
	{EP_IN, USB_REQ_GET_STATUS, get_status},
	{DEV_OUT, USB_REQ_SET_FEATURE, device_feature},
	{DEV_OUT, USB_REQ_CLEAR_FEATURE, device_feature},
	{EP_OUT, USB_REQ_SET_FEATURE, endpoint_feature},
	{EP_OUT, USB_REQ_CLEAR_FEATURE, endpoint_feature},
	{INTF_OUT, USB_REQ_SET_FEATURE, super_only},
	{INTF_OUT, USB_REQ_CLEAR_FEATURE, super_only},
	{DEV_OUT, USB_REQ_SET_SEL, super_only},
	{DEV_OUT, USB_REQ_SET_ISOCH_DELAY, super_only},
};

bool replay_standard(struct replay *r, struct usb_xfer *t)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].request_type == t->setup.request_type &&
		    rules[i].request == t->setup.request)
			return rules[i].run(r, t);
	return false;
}

void replay_note_state(struct replay *r, const struct usb_setup *s)
{
	if (s->request_type == DEV_OUT &&
	    s->request == USB_REQ_SET_CONFIGURATION) {
		r->config = (uint8_t)s->value;
		memset(r->alt, 0, sizeof(r->alt));
	} else if (s->request_type == INTF_OUT &&
		   s->request == USB_REQ_SET_INTERFACE &&
		   s->index < REPLAY_INTERFACES) {
		r->alt[s->index] = (uint8_t)s->value;
	}
}
