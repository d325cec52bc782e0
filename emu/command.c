/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * command.c - the command ring, xHCI 1.2 §4.6, §4.9.3, §6.4.3.
 *
 * One command at a time. A command that takes transfers back from a device
 * waits until the last has come; others run meanwhile in their endpoints, but
 * no further command. Each command is two functions: begin checks and starts,
 * finish does what needs the endpoints quiet.
 */
#include "emu/core.h"

/* FreeBSD gives a command 100 ms in all */
#define REQUEST_GRACE_NS 50000000u
/* Not a completion code: come again when the endpoints are quiet. */
#define CMD_WAIT 0xffu

struct cmd_rule {
	unsigned (*begin)(struct xhci *x);  /* enum cc or CMD_WAIT */
	unsigned (*finish)(struct xhci *x); /* after CMD_WAIT; same */
};

unsigned command_slot_id(const struct xhci *x)
{
	return TRB_SLOT(x->cmd.trb.control);
}

bool command_slot(struct xhci *x)
{
	x->cmd.slot = slot_get(x, command_slot_id(x));
	return x->cmd.slot != NULL;
}

static unsigned wait_for(struct xhci *x, uint32_t dci_mask, enum ep_drain why)
{
	x->cmd.wait_mask = dci_mask;
	slot_drain(x->cmd.slot, dci_mask, why);
	return CMD_WAIT;
}

static unsigned begin_enable_slot(struct xhci *x)
{
	unsigned id = 0;
	enum cc cc = slot_enable(x, &id);

	/* the event has the slot's id where the command had none */
	x->cmd.trb.control = (x->cmd.trb.control & 0xffffff) | id << 24;
	return cc;
}

static unsigned begin_disable_slot(struct xhci *x)
{
	if (!command_slot(x))
		return CC_SLOT_NOT_ENABLED;
	return wait_for(x, UINT32_MAX, DRAIN_DROP);
}

static unsigned finish_disable_slot(struct xhci *x)
{
	slot_set_state(x->cmd.slot, SLOT_DISABLED);
	slot_disable(x->cmd.slot);
	return CC_SUCCESS;
}

static unsigned begin_address(struct xhci *x)
{
	enum cc cc;

	if (!command_slot(x))
		return CC_SLOT_NOT_ENABLED;
	cc = slot_address_check(x->cmd.slot, x->cmd.trb.param & ~0xfull,
				x->cmd.trb.control & TRB_BSR);
	if (cc != CC_SUCCESS)
		return cc;
	return wait_for(x, 2, DRAIN_DROP);
}

static unsigned finish_address(struct xhci *x)
{
	return slot_address(x->cmd.slot, x->cmd.trb.control & TRB_BSR);
}

static unsigned begin_configure(struct xhci *x)
{
	enum cc cc;

	if (!command_slot(x))
		return CC_SLOT_NOT_ENABLED;
	cc = slot_configure_check(x->cmd.slot, x->cmd.trb.param & ~0xfull,
				  x->cmd.trb.control & TRB_DC);
	if (cc != CC_SUCCESS)
		return cc;
	return wait_for(x, x->cmd.drop, DRAIN_DROP);
}

static unsigned finish_configure(struct xhci *x)
{
	return slot_configure(x->cmd.slot, x->cmd.trb.control & TRB_DC);
}

static unsigned begin_evaluate(struct xhci *x)
{
	if (!command_slot(x))
		return CC_SLOT_NOT_ENABLED;
	return slot_evaluate(x->cmd.slot, x->cmd.trb.param & ~0xfull);
}

static struct xhci_ep *cmd_ep(const struct xhci *x)
{
	return x->cmd.slot->ep[TRB_EP(x->cmd.trb.control)];
}

/* What Reset Endpoint, Stop Endpoint and Set TR Dequeue check alike */
static enum cc ep_command_check(struct xhci *x, enum ep_event ev)
{
	unsigned dci = TRB_EP(x->cmd.trb.control);

	if (!command_slot(x))
		return CC_SLOT_NOT_ENABLED;
	if (dci == 0)
		return CC_TRB_ERROR;
	if (!cmd_ep(x))
		return CC_EP_NOT_ENABLED;
	if (!ep_rules[cmd_ep(x)->state][ev].ok)
		return CC_CONTEXT_STATE_ERROR;
	return CC_SUCCESS;
}

static uint32_t cmd_ep_mask(const struct xhci *x)
{
	return 1u << TRB_EP(x->cmd.trb.control);
}

static unsigned begin_reset_ep(struct xhci *x)
{
	enum cc cc = ep_command_check(x, EPE_RESET);

	if (cc != CC_SUCCESS)
		return cc;
	return wait_for(x, cmd_ep_mask(x), DRAIN_DROP);
}

static unsigned finish_reset_ep(struct xhci *x)
{
	ep_reset(cmd_ep(x), x->cmd.trb.control & TRB_TSP);
	return CC_SUCCESS;
}

static unsigned begin_stop_ep(struct xhci *x)
{
	enum cc cc = ep_command_check(x, EPE_STOP);

	if (cc != CC_SUCCESS)
		return cc;
	if (cmd_ep(x)->info.type != USB_CONTROL || ep_quiet(cmd_ep(x)))
		return wait_for(x, cmd_ep_mask(x), DRAIN_STOP);
	/*
	 * A request cannot be stopped in its middle and go on later: done
	 * again it may do harm. So it gets the time to end by itself.
	 */
	x->cmd.wait_mask = cmd_ep_mask(x);
	x->cmd.cancel_at = x->ops->now_ns(x->host) + REQUEST_GRACE_NS;
	ep_hold(cmd_ep(x));
	timer_update(x);
	return CMD_WAIT;
}

void command_timer(struct xhci *x, uint64_t now_ns)
{
	struct xhci_cmd *c = &x->cmd;

	if (now_ns < c->cancel_at)
		return;
	c->cancel_at = UINT64_MAX;
	if (c->busy && c->slot)
		slot_drain(c->slot, c->wait_mask, DRAIN_STOP);
}

static unsigned finish_stop_ep(struct xhci *x)
{
	struct xhci_ep *ep = cmd_ep(x);

	/* it may have failed before it could be stopped, §4.6.9 */
	if (!ep_rules[ep->state][EPE_STOP].ok)
		return CC_CONTEXT_STATE_ERROR;
	return ep_post_stopped(ep) ? (unsigned)CC_SUCCESS : CMD_WAIT;
}

/* The ring that Set TR Dequeue Pointer names, §6.4.3.9 */
static struct xhci_epq *cmd_queue(struct xhci *x, enum cc *ret_cc)
{
	struct xhci_ep *ep = cmd_ep(x);
	unsigned id = x->cmd.trb.status >> 16, sct = x->cmd.trb.param >> 1 & 7;
	struct xhci_epq *q = &ep->q;

	if (!ep->stream) {
		*ret_cc = CC_TRB_ERROR;
		return id || sct ? NULL : q;
	}
	q = stream_queue(ep, id, ret_cc);
	*ret_cc = q && sct > 1 ? CC_INVALID_STREAM_TYPE : *ret_cc;
	return q && sct > 1 ? NULL : q;
}

static unsigned begin_set_deq(struct xhci *x)
{
	enum cc cc = ep_command_check(x, EPE_SET_DEQ);

	if (cc != CC_SUCCESS)
		return cc;
	if (!cmd_queue(x, &cc))
		return cc;
	return wait_for(x, cmd_ep_mask(x), DRAIN_DROP);
}

static unsigned finish_set_deq(struct xhci *x)
{
	enum cc cc = CC_SUCCESS;
	struct xhci_epq *q = cmd_queue(x, &cc);

	if (!q)
		return cc;
	ep_set_deq(q, x->cmd.trb.param);
	return CC_SUCCESS;
}

static unsigned begin_reset_device(struct xhci *x)
{
	if (!command_slot(x))
		return CC_SLOT_NOT_ENABLED;
	if (x->cmd.slot->state < SLOT_ADDRESSED)
		return CC_CONTEXT_STATE_ERROR; /* §4.5.3: no such edge */
	return wait_for(x, UINT32_MAX, DRAIN_DROP);
}

static unsigned finish_reset_device(struct xhci *x)
{
	slot_reset_device(x->cmd.slot);
	return CC_SUCCESS;
}

static unsigned begin_noop(struct xhci *x)
{
	(void)x;
	return CC_SUCCESS;
}

/*
 * What is not here is refused with TRB Error (§4.6.1): Force Event is for
 * virtualised controllers, extended properties for those that say they have
 * them (HCCPARAMS2.GSC=0).
 */
static const struct cmd_rule cmd_rules[64] = {
	[TRB_ENABLE_SLOT] = {begin_enable_slot, NULL},
	[TRB_DISABLE_SLOT] = {begin_disable_slot, finish_disable_slot},
	[TRB_ADDRESS_DEVICE] = {begin_address, finish_address},
	[TRB_CONFIGURE_EP] = {begin_configure, finish_configure},
	[TRB_EVALUATE_CTX] = {begin_evaluate, NULL},
	[TRB_RESET_EP] = {begin_reset_ep, finish_reset_ep},
	[TRB_STOP_EP] = {begin_stop_ep, finish_stop_ep},
	[TRB_SET_TR_DEQ] = {begin_set_deq, finish_set_deq},
	[TRB_RESET_DEVICE] = {begin_reset_device, finish_reset_device},
	[TRB_NEGOTIATE_BW] = {command_negotiate, NULL},
	[TRB_SET_LATENCY] = {command_latency, NULL},
	[TRB_GET_PORT_BW] = {command_port_bandwidth, NULL},
	[TRB_FORCE_HEADER] = {command_force_header, NULL},
	[TRB_NOOP_CMD] = {begin_noop, NULL},
};

/* Command Completion Event; false: it is held until there is room */
static bool post_completion(struct xhci *x, enum cc cc, uint64_t gpa,
			    unsigned slot)
{
	struct xhci_trb ev = {.param = gpa,
			      .status = (uint32_t)cc << EV_CC_SHIFT,
			      .control = TRB_TYPE_BITS(TRB_EV_COMMAND) |
					 slot << 24};
	struct xhci_cmd *c = &x->cmd;

	if (intr_post(x, 0, &ev, false)) {
		c->held = false;
		return true;
	}
	c->held = true;
	c->held_cc = (uint8_t)cc;
	c->held_gpa = gpa;
	c->held_slot = (uint8_t)slot;
	return false;
}

static bool command_end(struct xhci *x, enum cc cc)
{
	struct xhci_cmd *c = &x->cmd;
	bool said = c->aborted;

	for (unsigned d = 1; c->slot && d < NDCI; d++)
		if ((c->wait_mask & 1u << d) && c->slot->ep[d])
			ep_drain_end(c->slot->ep[d]);
	c->busy = false;
	c->aborted = false;
	c->slot = NULL;
	if (c->cancel_at != UINT64_MAX) {
		c->cancel_at = UINT64_MAX;
		timer_update(x);
	}
	if (said)
		return true;
	return post_completion(x, cc, c->gpa, command_slot_id(x));
}

/* The command that waited; false: it still does, or its event does */
static bool command_resume(struct xhci *x)
{
	struct xhci_cmd *c = &x->cmd;
	unsigned cc;

	if (!slot_quiet(c->slot, c->wait_mask))
		return false;
	cc = cmd_rules[TRB_TYPE(c->trb.control)].finish(x);
	if (cc == CMD_WAIT)
		return false;
	return command_end(x, cc);
}

static bool command_begin(struct xhci *x)
{
	const struct cmd_rule *r = &cmd_rules[TRB_TYPE(x->cmd.trb.control)];
	unsigned cc;

	x->stats.commands++;
	x->cmd.busy = true;
	x->cmd.slot = NULL;
	x->cmd.wait_mask = 0;
	cc = r->begin ? r->begin(x) : (unsigned)CC_TRB_ERROR;
	if (cc == CMD_WAIT)
		return command_resume(x);
	return command_end(x, cc);
}

/* Only Stop Endpoint needs room for an event before its own. */
bool command_can_wait(const struct xhci *x)
{
	return TRB_TYPE(x->cmd.trb.control) == TRB_STOP_EP &&
	       command_slot_id(x) == x->cmd.slot->id && cmd_ep(x) &&
	       x->cmd.wait_mask == cmd_ep_mask(x);
}

/* Read the next command; false: there is none */
static bool command_fetch(struct xhci *x)
{
	struct xhci_cmd *c = &x->cmd;
	struct xhci_trb trb;
	uint64_t gpa;

	for (unsigned links = 0; links <= LINK_LIMIT; links++) {
		switch (ring_next(x, &c->ring, &trb, &gpa)) {
		case RING_FAULT:
			xhci_fail_hse(x, "command ring not in guest memory");
			return false;
		case RING_EMPTY:
			return false;
		case RING_TRB:
			break;
		}
		if (TRB_TYPE(trb.control) != TRB_LINK) {
			c->trb = trb;
			c->gpa = gpa;
			return true;
		}
		if ((trb.control & TRB_IOC) &&
		    !post_completion(x, CC_SUCCESS, gpa, 0))
			return false;
	}
	xhci_fail_hce(x, "command ring: Link TRBs in a loop");
	return false;
}

/* CRCR.CS or CA: Command Ring Stopped, at the command not done (§4.6.1.1) */
static bool command_stop(struct xhci *x)
{
	struct xhci_cmd *c = &x->cmd;

	if (c->busy && !c->aborted) {
		c->aborted = true;
		if (!post_completion(x, CC_COMMAND_ABORTED, c->gpa,
				     command_slot_id(x)))
			return false;
	}
	if (!post_completion(x, CC_COMMAND_RING_STOPPED, c->ring.deq, 0))
		return false;
	c->stop = c->abort = c->running = false;
	return true;
}

bool command_run(struct xhci *x)
{
	struct xhci_cmd *c = &x->cmd;
	unsigned left = RUN_CMDS;

	if (c->held &&
	    !post_completion(x, c->held_cc, c->held_gpa, c->held_slot))
		return false;
	if (c->busy && !command_resume(x) && (!c->abort || c->held))
		return false;
	if (c->stop && !c->held && (!c->busy || c->abort))
		command_stop(x);
	if (c->busy)
		return false;
	while (c->running && c->doorbell && !c->held && !x->paused && left--) {
		if (x->usbsts & (STS_HCH | STS_HCE))
			return false;
		if (!intr_has_room(x, 0))
			return false;
		if (!command_fetch(x)) {
			c->doorbell = c->held;
			return false;
		}
		if (!command_begin(x))
			return false;
	}
	return c->running && c->doorbell && !c->held && !x->paused;
}

void command_doorbell(struct xhci *x)
{
	x->cmd.running = true;
	x->cmd.doorbell = true;
	xhci_kick(x);
}

void command_crcr_write(struct xhci *x, bool high, uint32_t v)
{
	struct xhci_cmd *c = &x->cmd;

	if (c->running) {
		/* the pointer is only taken while stopped, §5.4.5 */
		if (!high && (v & (CRCR_CS | CRCR_CA))) {
			c->stop = true;
			c->abort = c->abort || (v & CRCR_CA);
			xhci_kick(x);
		}
		return;
	}
	if (high) {
		c->ring.deq = (c->ring.deq & 0xffffffff) | (uint64_t)v << 32;
		return;
	}
	c->ring.deq = (c->ring.deq & ~(uint64_t)0xffffffff) | (v & ~0x3fu);
	c->ring.ccs = v & CRCR_RCS;
}

uint32_t command_crcr_read(const struct xhci *x)
{
	return x->cmd.running ? CRCR_CRR : 0;
}

/* R/S=0: what runs ends unheard */
void command_halt(struct xhci *x)
{
	struct xhci_cmd *c = &x->cmd;

	c->aborted = c->busy;
	c->running = c->doorbell = c->stop = c->abort = c->held = false;
}

void command_reset(struct xhci *x)
{
	x->cmd = (struct xhci_cmd){.cancel_at = UINT64_MAX};
}
