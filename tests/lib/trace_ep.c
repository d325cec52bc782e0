/* SPDX-License-Identifier: BSD-2-Clause */
/* Endpoints of the recorded device, configured when they are first used. */
#include <string.h>

#include "devices/bytes.h"
#include "tests/lib/trace_impl.h"

uint8_t trace_dci(const struct capture_xfer *x)
{
	if (x->type == USB_CONTROL)
		return 1;
	return (uint8_t)((x->ep & 15) * 2 + ((x->ep & USB_DIR_IN) != 0));
}

/* An endpoint descriptor and what is around it */
struct found {
	const uint8_t *ep, *companion;
	uint8_t intf, alt;
};

static struct gadget_blob config_of(const struct trace *t)
{
	const struct replay_desc *d = &t->r.desc;

	for (unsigned i = 0; i < d->nconfigs; i++)
		if (d->config[i][5] == t->config)
			return (struct gadget_blob){d->config[i],
						    d->config_len[i]};
	return (struct gadget_blob){d->config[0], d->config_len[0]};
}

static uint16_t packet_of(const uint8_t *ep)
{
	return get_le16(ep + 4) & 0x7ff;
}

/* In the current setting; else where its packets are the largest. */
static bool find(const struct trace *t, const struct capture_xfer *x,
		 struct found *best)
{
	struct gadget_blob b = config_of(t);
	struct found f = {NULL, NULL, 0, 0};
	bool current = false;
	const uint8_t *p;
	size_t pos = 0;

	best->ep = NULL;
	while ((p = gadget_next_desc(&b, &pos)) != NULL) {
		if (p[1] == USB_DT_INTERFACE && p[0] >= 9) {
			f.intf = p[2];
			f.alt = p[3];
		}
		if (p[1] == USB_DT_SS_EP_COMPANION && p[0] >= 6 && best->ep &&
		    best->ep + best->ep[0] == p)
			best->companion = p;
		if (p[1] != USB_DT_ENDPOINT || p[0] < 7 || p[2] != x->ep ||
		    (p[3] & 3) != x->type || current)
			continue;
		current = f.intf < TRACE_ALTS && t->alt[f.intf] == f.alt;
		if (best->ep && !current && packet_of(p) <= packet_of(best->ep))
			continue;
		*best = f;
		best->ep = p;
	}
	return best->ep != NULL;
}

/* 125 us << this, xHCI 1.2 §6.2.3.6 */
static uint8_t interval_of(const struct trace *t, const uint8_t *ep)
{
	enum usb_speed s = t->r.desc.speed;
	unsigned type = ep[3] & 3, n = ep[6], e = 3;

	if (type == USB_BULK || type == USB_CONTROL || n == 0)
		return 0;
	if (s != USB_SPEED_FULL && s != USB_SPEED_LOW)
		return (uint8_t)(n > 16 ? 15 : n - 1);
	if (type == USB_ISOCH)
		return (uint8_t)(n > 13 ? 15 : n + 2);
	while (e < 10 && (2u << (e - 3)) <= n)
		e++;
	return (uint8_t)e;
}

static uint8_t streams_for(const struct trace *t, unsigned dci)
{
	uint8_t n = 0;

	while (t->max_stream[dci] >= 2u << n)
		n++;
	return t->max_stream[dci] && n == 0 ? 1 : n;
}

static void fill(const struct trace *t, const struct found *f, unsigned dci,
		 struct gdrv_epcfg *c)
{
	bool in = f->ep[2] & USB_DIR_IN, high = t->r.desc.speed == 3;
	unsigned type = f->ep[3] & 3;
	unsigned more = get_le16(f->ep + 4) >> 11 & 3;

	*c = (struct gdrv_epcfg){
		.dci = (uint8_t)dci,
		.type = (uint8_t)((in ? 4 : 0) + type),
		.mps = packet_of(f->ep),
		.interval = interval_of(t, f->ep),
		.streams = streams_for(t, dci),
		.nsegs = 3,
		.ntrbs = {250, 250, 250},
	};
	if (f->companion && t->r.desc.speed == USB_SPEED_SUPER)
		c->max_burst = f->companion[2] & 15;
	if (f->companion && type == USB_ISOCH)
		c->mult = f->companion[3] & 3;
	if (high && (type == USB_ISOCH || type == USB_INTERRUPT))
		c->max_burst = (uint8_t)(more < 3 ? more : 0);
	if (type == USB_ISOCH || type == USB_INTERRUPT)
		c->max_esit =
			(uint32_t)c->mps * (c->max_burst + 1u) * (c->mult + 1u);
}

unsigned trace_endpoint(struct trace *t, const struct capture_xfer *x)
{
	unsigned dci = trace_dci(x);
	struct gdrv_epcfg c;
	struct found f;
	int cc;

	if (dci == 1 || t->configured[dci])
		return dci;
	if (!find(t, x, &f)) {
		trace_fail(t, x, "its endpoint is in no descriptor");
		return 0;
	}
	fill(t, &f, dci, &c);
	if (x->stream == 0) /* in this setting */
		c.streams = 0;
	cc = gdrv_configure(t->v, &c, 1);
	if (cc != CC_SUCCESS) {
		trace_fail(t, x, "Configure Endpoint: %d", cc);
		return 0;
	}
	t->configured[dci] = true;
	t->esit[dci] = c.max_esit;
	return dci;
}

static bool drop(struct trace *t, unsigned dci)
{
	int cc = gdrv_drop_ep(t->v, dci);

	t->configured[dci] = false;
	return cc == CC_SUCCESS ||
	       trace_fail(t, NULL, "endpoint %u cannot be dropped: %d", dci,
			  cc);
}

/* All endpoints that @intf has in any setting; of all interfaces: -1 */
static bool drop_interface(struct trace *t, int intf)
{
	struct gadget_blob b = config_of(t);
	const uint8_t *p;
	size_t pos = 0;
	int at = -1;

	while ((p = gadget_next_desc(&b, &pos)) != NULL) {
		unsigned dci;

		if (p[1] == USB_DT_INTERFACE && p[0] >= 9)
			at = p[2];
		if (p[1] != USB_DT_ENDPOINT || p[0] < 7)
			continue;
		dci = (p[2] & 15u) * 2 + ((p[2] & USB_DIR_IN) != 0);
		if ((intf == at || intf < 0) && t->configured[dci] &&
		    !drop(t, dci))
			return false;
	}
	return true;
}

bool trace_request(struct trace *t, const struct usb_setup *s)
{
	if (s->request_type == USB_RT_DEVICE &&
	    s->request == USB_REQ_SET_CONFIGURATION) {
		if (!drop_interface(t, -1))
			return false;
		t->config = (uint8_t)s->value;
		memset(t->alt, 0, sizeof(t->alt));
	} else if (s->request_type == USB_RT_INTERFACE &&
		   s->request == USB_REQ_SET_INTERFACE &&
		   s->index < TRACE_ALTS) {
		t->alt[s->index] = (uint8_t)s->value;
		return drop_interface(t, s->index);
	}
	return true;
}
