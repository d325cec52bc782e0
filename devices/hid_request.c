/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hid_request.c - the requests of HID 1.11 §7.1 and §7.2.
 */
#include <errno.h>

#include "devices/hid_impl.h"

#define REQ_GET_REPORT 0x01u
#define REQ_GET_IDLE 0x02u
#define REQ_GET_PROTOCOL 0x03u
#define REQ_SET_REPORT 0x09u
#define REQ_SET_IDLE 0x0au
#define REQ_SET_PROTOCOL 0x0bu

/* Report types, the high byte of wValue; the low one is the report's id */
#define REPORT_INPUT 0x0100u
#define REPORT_OUTPUT 0x0200u

#define CLASS_IN (USB_DIR_IN | USB_RT_CLASS | USB_RT_INTERFACE)
#define CLASS_OUT (USB_RT_CLASS | USB_RT_INTERFACE)
#define STANDARD_IN (USB_DIR_IN | USB_RT_INTERFACE)

#define LED_BITS 0x1fu
/*
 * For hosts that ask instead of waiting at the endpoint, too: what is next, and
 * if there is nothing new what is.
 */
static int get_report(struct hid *h, struct usb_xfer *t)
{
	uint8_t report[HID_REPORT_MAX], len;
	bool is_news;

	if (h->type->keys && t->setup.value == REPORT_OUTPUT) {
		gadget_reply(&h->g, t, &h->leds, 1);
		return 0;
	}
	if (t->setup.value != REPORT_INPUT)
		return -EPIPE;
	hid_note_poll(h);
	len = hid_next_report(h, report, &is_news);
	hid_note_sent(h);
	gadget_reply(&h->g, t, report, len);
	return 0;
}

static int set_report(struct hid *h, struct usb_xfer *t)
{
	uint8_t leds;

	if (!h->type->keys || t->setup.value != REPORT_OUTPUT ||
	    usb_xfer_gather(t, 0, &leds, 1) != 1)
		return -EPIPE;
	leds &= LED_BITS;
	if (leds != h->leds) {
		h->leds = leds;
		if (h->on_leds)
			h->on_leds(h->leds_opaque, &h->g.dev, leds);
	}
	gadget_ack(&h->g, t);
	return 0;
}

/* The low byte is a report's id, and there are none. */
static int set_idle(struct hid *h, struct usb_xfer *t)
{
	if ((t->setup.value & 0xff) != 0)
		return -EPIPE;
	h->idle = (uint8_t)(t->setup.value >> 8);
	gadget_ack(&h->g, t);
	hid_run(h);
	return 0;
}

static int get_idle(struct hid *h, struct usb_xfer *t)
{
	if (t->setup.value != 0)
		return -EPIPE;
	gadget_reply(&h->g, t, &h->idle, 1);
	return 0;
}

static int set_protocol(struct hid *h, struct usb_xfer *t)
{
	if (!h->type->boot || t->setup.value > 1)
		return -EPIPE;
	h->boot = t->setup.value == 0;
	gadget_ack(&h->g, t);
	hid_run(h);
	return 0;
}

static int get_protocol(struct hid *h, struct usb_xfer *t)
{
	uint8_t protocol = !h->boot;

	if (!h->type->boot || t->setup.value != 0)
		return -EPIPE;
	gadget_reply(&h->g, t, &protocol, 1);
	return 0;
}

static int get_descriptor(struct hid *h, struct usb_xfer *t)
{
	if (t->setup.value == HID_DT_REPORT << 8)
		gadget_reply(&h->g, t, h->type->report_desc,
			     h->type->report_desc_len);
	else if (t->setup.value == HID_DT_HID << 8)
		gadget_reply(&h->g, t, h->type->hid_desc, 9);
	else
		return -EPIPE;
	return 0;
}

static const struct hid_rule {
	uint8_t request_type, request;
	int (*run)(struct hid *h, struct usb_xfer *t);
} rules[] = {
	{STANDARD_IN, USB_REQ_GET_DESCRIPTOR, get_descriptor},
	{CLASS_IN, REQ_GET_REPORT, get_report},
	{CLASS_IN, REQ_GET_IDLE, get_idle},
	{CLASS_IN, REQ_GET_PROTOCOL, get_protocol},
	{CLASS_OUT, REQ_SET_REPORT, set_report},
	{CLASS_OUT, REQ_SET_IDLE, set_idle},
	{CLASS_OUT, REQ_SET_PROTOCOL, set_protocol},
};

int hid_control(struct gadget *g, struct usb_xfer *t)
{
	const struct usb_setup *s = &t->setup;

	if (g->config == 0 || s->index != 0)
		return -EPIPE;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].request_type == s->request_type &&
		    rules[i].request == s->request)
			return rules[i].run(hid_of(g), t);
	return -EPIPE;
}
