/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.c - which requests on EP0 the host has to know of, and which never
 * reach a device.
 */
#include "pmapper/mapper.h"

/* Feature selectors, USB 2.0 §9.4 table 9-6 */
#define FEATURE_ENDPOINT_HALT 0
#define FEATURE_TEST_MODE 2

#define ANY (-1)

struct control_rule {
	uint8_t request;
	uint8_t recipient;
	int value;   /* wValue, or ANY */
	bool strict; /* the request with another recipient is denied */
	enum control_class class;
	enum usb_state_req req;
};

static const struct control_rule control_rules[] = {
	/*
	 * Address Device gives addresses, xHCI 1.2 §4.6.5; a device behind
	 * the host's own controller has another one, which must not change.
	 */
	{USB_REQ_SET_ADDRESS, USB_RT_DEVICE, ANY, true, CONTROL_ANSWER, 0},
	/* USB 2.0 §9.4.7, §9.4.10, §9.4.1: the host keeps track of these */
	{USB_REQ_SET_CONFIGURATION, USB_RT_DEVICE, ANY, true, CONTROL_STATE,
	 USB_SET_CONFIG},
	{USB_REQ_SET_INTERFACE, USB_RT_INTERFACE, ANY, true, CONTROL_STATE,
	 USB_SET_INTERFACE},
	{USB_REQ_CLEAR_FEATURE, USB_RT_ENDPOINT, FEATURE_ENDPOINT_HALT, false,
	 CONTROL_STATE, USB_CLEAR_HALT},
	/* §7.1.20: only a power cycle ends it, and the host's port is jammed */
	{USB_REQ_SET_FEATURE, USB_RT_DEVICE, FEATURE_TEST_MODE, false,
	 CONTROL_DENY, 0},
};

static const struct control_rule *find_rule(const struct usb_setup *setup)
{
	size_t i;

	for (i = 0; i < sizeof(control_rules) / sizeof(control_rules[0]); i++) {
		const struct control_rule *r = &control_rules[i];

		if (r->request != setup->request)
			continue;
		if (r->value != ANY && r->value != setup->value)
			continue;
		if (r->strict ||
		    r->recipient == (setup->request_type & USB_RT_RECIP_MASK))
			return r;
	}
	return NULL;
}

/*
 * The direction bit does not count: it is to be ignored where there is no data
 * stage (USB 2.0 §9.3.1), and none of these requests has one. In a form that
 * the specification does not define (a data stage, another recipient) they are
 * denied, since a careless device could take them for the real thing.
 */
enum control_class control_classify(const struct usb_setup *setup,
				    enum usb_state_req *ret_req)
{
	const struct control_rule *r;

	if ((setup->request_type & USB_RT_TYPE_MASK) != USB_RT_STANDARD)
		return CONTROL_PASS;
	r = find_rule(setup);
	if (!r)
		return CONTROL_PASS;
	if (r->recipient != (setup->request_type & USB_RT_RECIP_MASK))
		return CONTROL_DENY;
	if (r->class == CONTROL_DENY)
		return CONTROL_DENY;
	if (setup->length != 0)
		return CONTROL_DENY;
	if (r->class != CONTROL_STATE)
		return r->class;
	/* EP0 has no halt that the host would know of, §9.4.5 */
	if (r->req == USB_CLEAR_HALT && (setup->index & 0xfu) == 0)
		return CONTROL_PASS;
	*ret_req = r->req;
	return CONTROL_STATE;
}
