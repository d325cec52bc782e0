/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * slot.c - device slots and their contexts, xHCI 1.2 §4.5, §4.6.3-7, §6.2.
 * Writes slot states and slot contexts. Input contexts are read once, into
 * the command's private copy; output contexts are written, never read.
 */
#include "emu/core.h"

#define EP0_MASK 2u
#define ALL_BUT_EP0 0xfffffffcu

static unsigned ctx_size(const struct xhci *x)
{
	return x->cfg.ctx64 ? 64 : 32;
}

struct xhci_slot *slot_get(struct xhci *x, unsigned id)
{
	if (id < 1 || id > XHCI_MAX_SLOTS ||
	    x->slot[id - 1].state == SLOT_DISABLED)
		return NULL;
	return &x->slot[id - 1];
}

uint64_t slot_ep_ctx_gpa(const struct xhci_slot *s, unsigned dci)
{
	return s->octx + (uint64_t)dci * ctx_size(s->x);
}

void slot_set_state(struct xhci_slot *s, enum slot_state st)
{
	uint32_t dw[4];

	s->state = (uint8_t)st;
	for (unsigned i = 0; i < 4; i++)
		dw[i] = s->ctx[i];
	if (st >= SLOT_DEFAULT)
		dw[3] |= (uint32_t)(st - SLOT_ENABLED) << SLOT_CTX_STATE_SHIFT;
	if (s->octx && mem_write_ctx(s->x, s->octx, dw, 4) != 0)
		xhci_fail_hse(s->x, "device context not in guest memory");
}

enum cc slot_enable(struct xhci *x, unsigned *ret_id)
{
	unsigned max = x->config & 0xff;

	if (max > XHCI_MAX_SLOTS)
		max = XHCI_MAX_SLOTS;
	for (unsigned i = 0; i < max; i++) {
		struct xhci_slot *s = &x->slot[i];

		if (s->state != SLOT_DISABLED)
			continue;
		s->state = SLOT_ENABLED;
		*ret_id = s->id;
		return CC_SUCCESS;
	}
	return CC_NO_SLOTS;
}

static void slot_drop_ep(struct xhci_slot *s, unsigned dci)
{
	struct xhci_ep *ep = s->ep[dci];
	struct xhci_port *p = slot_port(s);

	if (!ep)
		return;
	if (p && p->ops && dci > 1) {
		TAP(s->x, XHCI_TAP_EP_DISABLE, p->id, ep->info.ep);
		if (p->ops->ep_disable)
			p->ops->ep_disable(p->dev, ep->info.ep);
	}
	ep_destroy(ep);
	s->ep[dci] = NULL;
}

/* The endpoint's output context says Disabled, §6.2.3 */
static void slot_clear_ep_ctx(struct xhci_slot *s, unsigned dci)
{
	static const uint32_t zero[5];

	if (mem_write_ctx(s->x, slot_ep_ctx_gpa(s, dci), zero, 5) != 0)
		xhci_fail_hse(s->x, "device context not in guest memory");
}

void slot_disable(struct xhci_slot *s)
{
	for (unsigned d = 1; d < NDCI; d++)
		slot_drop_ep(s, d);
	s->state = SLOT_DISABLED;
	s->port = 0;
	s->octx = 0;
	s->bw_asked = false;
	s->notes = 0;
	for (unsigned i = 0; i < 4; i++)
		s->ctx[i] = 0;
}

bool slot_quiet(const struct xhci_slot *s, uint32_t dci_mask)
{
	for (unsigned d = 1; d < NDCI; d++)
		if ((dci_mask & 1u << d) && s->ep[d] && !ep_quiet(s->ep[d]))
			return false;
	return true;
}

void slot_drain(struct xhci_slot *s, uint32_t dci_mask, enum ep_drain why)
{
	for (unsigned d = 1; d < NDCI; d++)
		if ((dci_mask & 1u << d) && s->ep[d])
			ep_drain(s->ep[d], why);
}

static bool port_taken(const struct xhci_slot *s, unsigned port)
{
	for (unsigned i = 0; i < XHCI_MAX_SLOTS; i++)
		if (&s->x->slot[i] != s && s->x->slot[i].port == port)
			return true;
	return false;
}

static int read_ictx(struct xhci *x, uint64_t ictx, unsigned index,
		     uint32_t *dw, unsigned ndw)
{
	return mem_read_ctx(x, ictx + (uint64_t)index * ctx_size(x), dw, ndw);
}

static enum cc read_control(struct xhci_slot *s, uint64_t ictx)
{
	struct xhci_cmd *c = &s->x->cmd;
	uint32_t dw[2];

	if (read_ictx(s->x, ictx, 0, dw, 2) != 0)
		return CC_TRB_ERROR;
	c->drop = dw[0];
	c->add = dw[1];
	return CC_SUCCESS;
}

static bool ep0_mps_ok(unsigned mps)
{
	return mps == 8 || mps == 16 || mps == 32 || mps == 64 || mps == 512;
}

/*
 * §4.6.5, input parameters. On success the input is in x->cmd, and nothing
 * has changed yet. Slot ids are USB addresses here: 1..XHCI_MAX_SLOTS.
 */
enum cc slot_address_check(struct xhci_slot *s, uint64_t ictx, bool bsr)
{
	struct xhci *x = s->x;
	struct xhci_cmd *c = &x->cmd;
	struct usb_ep_info info;
	unsigned port;

	if (s->state != SLOT_ENABLED && (bsr || s->state != SLOT_DEFAULT))
		return CC_CONTEXT_STATE_ERROR;
	if (read_control(s, ictx) != CC_SUCCESS ||
	    read_ictx(x, ictx, 1, c->in_slot, 4) != 0 ||
	    read_ictx(x, ictx, 2, c->in_ep[1], 5) != 0)
		return CC_TRB_ERROR;
	port = SLOT_CTX_PORT(c->in_slot[1]);
	if ((c->add & 3) != 3 || port < 1 || port > x->nports ||
	    SLOT_CTX_ROUTE(c->in_slot[0]) || port_taken(s, port) ||
	    SLOT_CTX_INTR(c->in_slot[2]) >= XHCI_NINTRS ||
	    ep_info_decode(1, c->in_ep[1], &info) != CC_SUCCESS ||
	    !ep0_mps_ok(info.max_packet))
		return CC_PARAMETER_ERROR;
	if (!port_enabled(&x->port[port - 1]))
		return CC_TRANSACTION_ERROR;
	return CC_SUCCESS;
}

/* §4.6.5, the rest: EP0 is quiet now if there was one */
enum cc slot_address(struct xhci_slot *s, bool bsr)
{
	struct xhci *x = s->x;
	struct xhci_cmd *c = &x->cmd;
	struct usb_ep_info info;
	struct xhci_ep *ep;
	uint64_t octx;

	if (mem_read(x, x->dcbaap + 8u * s->id, &octx, sizeof(octx)) != 0) {
		xhci_fail_hse(x, "DCBAA not in guest memory");
		return CC_TRB_ERROR;
	}
	if (ep_info_decode(1, c->in_ep[1], &info) != CC_SUCCESS)
		return CC_PARAMETER_ERROR;
	ep = ep_create(s, 1, c->in_ep[1], &info);
	if (!ep)
		return CC_RESOURCE_ERROR;
	slot_drop_ep(s, 1);
	s->ep[1] = ep;
	s->octx = octx & ~(uint64_t)0x3f;
	s->port = (uint8_t)SLOT_CTX_PORT(c->in_slot[1]);
	s->plug = x->port[s->port - 1].plug;
	for (unsigned i = 0; i < 3; i++)
		s->ctx[i] = c->in_slot[i];
	s->ctx[0] &= ~(0xfu << 20);
	s->ctx[0] |= (uint32_t)x->port[s->port - 1].speed << 20;
	s->ctx[3] = bsr ? 0 : s->id;
	ep_write_ctx(ep);
	slot_set_state(s, bsr ? SLOT_DEFAULT : SLOT_ADDRESSED);
	return CC_SUCCESS;
}

/* §4.6.7: Max Exit Latency, Interrupter Target; EP0's Max Packet Size */
enum cc slot_evaluate(struct xhci_slot *s, uint64_t ictx)
{
	struct xhci_cmd *c = &s->x->cmd;
	uint32_t slot[4], ep0[5];

	if (s->state < SLOT_DEFAULT)
		return CC_CONTEXT_STATE_ERROR;
	if (read_control(s, ictx) != CC_SUCCESS ||
	    read_ictx(s->x, ictx, 1, slot, 4) != 0 ||
	    read_ictx(s->x, ictx, 2, ep0, 5) != 0)
		return CC_TRB_ERROR;
	if ((c->drop & 3) ||
	    (c->add & 1 && SLOT_CTX_INTR(slot[2]) >= XHCI_NINTRS) ||
	    (c->add & 2 && !ep0_mps_ok(EP_CTX_MPS(ep0[1]))))
		return CC_PARAMETER_ERROR;
	if (c->add & 1 && !bw_latency_fits(s, slot[1] & 0xffff, 0, 0))
		return CC_MAX_EXIT_LATENCY;
	if (c->add & 1) {
		s->ctx[1] = (s->ctx[1] & ~0xffffu) | (slot[1] & 0xffff);
		s->ctx[2] = (s->ctx[2] & 0x3fffff) | (slot[2] & ~0x3fffffu);
		slot_set_state(s, s->state);
	}
	if ((c->add & 2) && s->ep[1]) {
		s->ep[1]->ctx[1] =
			(s->ep[1]->ctx[1] & 0xffff) | (ep0[1] & ~0xffffu);
		s->ep[1]->info.max_packet = (uint16_t)EP_CTX_MPS(ep0[1]);
		ep_write_ctx(s->ep[1]);
	}
	return CC_SUCCESS;
}

/* §4.6.6, input parameters; x->cmd.drop gets all endpoints that go away */
enum cc slot_configure_check(struct xhci_slot *s, uint64_t ictx, bool dc)
{
	struct xhci *x = s->x;
	struct xhci_cmd *c = &x->cmd;
	struct usb_ep_info info;

	if (s->state < SLOT_ADDRESSED)
		return CC_CONTEXT_STATE_ERROR;
	if (dc) {
		c->drop = ALL_BUT_EP0;
		c->add = 0;
		return CC_SUCCESS;
	}
	if (read_control(s, ictx) != CC_SUCCESS ||
	    read_ictx(x, ictx, 1, c->in_slot, 4) != 0)
		return CC_TRB_ERROR;
	if ((c->drop & 3) || (c->add & EP0_MASK))
		return CC_PARAMETER_ERROR;
	for (unsigned d = 2; d < NDCI; d++) {
		if (!(c->add & 1u << d))
			continue;
		if (read_ictx(x, ictx, d + 1, c->in_ep[d], 5) != 0)
			return CC_TRB_ERROR;
		if (ep_info_decode(d, c->in_ep[d], &info) != CC_SUCCESS)
			return CC_PARAMETER_ERROR;
		c->drop |= 1u << d; /* what was there is replaced */
	}
	/* §4.16.1: all of it or nothing */
	if (!bw_fits(s, c->drop, c->add))
		return CC_BANDWIDTH_ERROR;
	if (!bw_latency_fits(s, s->ctx[1] & 0xffff, c->drop, c->add))
		return CC_MAX_EXIT_LATENCY;
	return CC_SUCCESS;
}

void slot_tell_ep(struct xhci *x, const struct xhci_port *p,
		  const struct usb_ep_info *info)
{
	if (TAPPED(x))
		tap_ep_enable(x, p->id, info);
	if (p->ops->ep_enable)
		p->ops->ep_enable(p->dev, info);
}

static enum cc configure_add(struct xhci_slot *s, uint32_t add)
{
	struct xhci_cmd *c = &s->x->cmd;
	struct xhci_port *p = slot_port(s);
	struct usb_ep_info info;

	for (unsigned d = 2; d < NDCI; d++) {
		if (!(add & 1u << d))
			continue;
		if (ep_info_decode(d, c->in_ep[d], &info) != CC_SUCCESS)
			return CC_PARAMETER_ERROR;
		s->ep[d] = ep_create(s, d, c->in_ep[d], &info);
		if (!s->ep[d])
			return CC_RESOURCE_ERROR;
		if (p && p->ops)
			slot_tell_ep(s->x, p, &info);
		ep_write_ctx(s->ep[d]);
	}
	return CC_SUCCESS;
}

static unsigned last_dci(const struct xhci_slot *s)
{
	unsigned last = 1;

	for (unsigned d = 2; d < NDCI; d++)
		if (s->ep[d])
			last = d;
	return last;
}

/* §4.6.6, the rest: the endpoints that go away are quiet now */
enum cc slot_configure(struct xhci_slot *s, bool dc)
{
	struct xhci_cmd *c = &s->x->cmd;
	enum cc cc;

	for (unsigned d = 2; d < NDCI; d++) {
		if (!(c->drop & 1u << d) || !s->ep[d])
			continue;
		slot_drop_ep(s, d);
		if (!(c->add & 1u << d))
			slot_clear_ep_ctx(s, d);
	}
	cc = configure_add(s, dc ? 0 : c->add);
	if (!dc && (c->add & 1)) {
		/* Context Entries, and what is said of a hub */
		s->ctx[0] = (s->ctx[0] & 0x00ffffffu) |
			    (c->in_slot[0] & 0xff000000u);
		s->ctx[1] = (s->ctx[1] & 0x00ffffffu) |
			    (c->in_slot[1] & 0xff000000u);
	}
	if (SLOT_CTX_ENTRIES(s->ctx[0]) < last_dci(s) || dc)
		s->ctx[0] = (s->ctx[0] & 0x07ffffffu) | last_dci(s) << 27;
	slot_set_state(s, last_dci(s) > 1 ? SLOT_CONFIGURED : SLOT_ADDRESSED);
	return cc;
}

/* §4.6.11: EP0 stays, the address goes */
void slot_reset_device(struct xhci_slot *s)
{
	for (unsigned d = 2; d < NDCI; d++) {
		if (!s->ep[d])
			continue;
		slot_drop_ep(s, d);
		slot_clear_ep_ctx(s, d);
	}
	s->ctx[0] = (s->ctx[0] & 0x07ffffffu) | 1u << 27;
	s->ctx[3] = 0;
	slot_set_state(s, SLOT_DEFAULT);
}
