/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xhci.c - the controller as a whole: run, halt, reset, errors, time, work.
 * Writes USBCMD and USBSTS.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "emu/core.h"

#define MICROFRAME_NS 125000u

void xhci_log(struct xhci *x, enum xhci_log level, const char *fmt, ...)
{
	char line[200];
	va_list ap;

	if (!x->ops->log)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	x->ops->log(x->host, level, line);
}

void xhci_kick(struct xhci *x)
{
	x->again = true;
	if (x->kicked)
		return;
	x->kicked = true;
	x->ops->kick(x->host);
}

static void slots_drain(struct xhci *x, enum ep_drain why)
{
	for (unsigned i = 0; i < XHCI_MAX_SLOTS; i++)
		if (x->slot[i].state != SLOT_DISABLED)
			slot_drain(&x->slot[i], UINT32_MAX, why);
}

uint64_t mfindex_now(struct xhci *x)
{
	uint64_t n = x->mfindex_base;

	if (xhci_running(x))
		n += (x->ops->now_ns(x->host) - x->run_ns) / MICROFRAME_NS;
	return n;
}

static void wrap_next(struct xhci *x)
{
	x->wrap_uf = (mfindex_now(x) / MFINDEX_WRAP + 1) * MFINDEX_WRAP;
}

void timer_update(struct xhci *x)
{
	uint64_t at = intr_next_deadline(x), iso = isoch_deadline(x), wrap;

	if (iso < at)
		at = iso;
	if (x->cmd.cancel_at < at)
		at = x->cmd.cancel_at;
	if (x->starved && x->starved_at < at)
		at = x->starved_at;
	if ((x->usbcmd & CMD_EWE) && xhci_running(x)) {
		wrap = x->run_ns +
		       (x->wrap_uf - x->mfindex_base) * MICROFRAME_NS;
		if (wrap < at)
			at = wrap;
	}
	if (at == x->timer_at)
		return;
	x->timer_at = at;
	x->ops->timer_set(x->host, at);
}

/* §4.14.2: with EWE set, each wrap of MFINDEX is an event */
void mfindex_tell_wrap(struct xhci *x)
{
	struct xhci_trb ev = {.status = (uint32_t)CC_SUCCESS << EV_CC_SHIFT,
			      .control = TRB_TYPE_BITS(TRB_EV_MFINDEX_WRAP)};

	x->wrap_due = (x->usbcmd & CMD_EWE) && xhci_running(x) &&
		      x->bus_master && !intr_post(x, 0, &ev, false);
	x->notify = x->notify || x->wrap_due;
}

void xhci_timer(struct xhci *x)
{
	uint64_t now, at = x->timer_at;

	TAP(x, XHCI_TAP_TIMER, 0);
	now = x->ops->now_ns(x->host);
	if (at == UINT64_MAX || now < at)
		return;
	x->timer_at = 0; /* none, and timer_update() has something to say */
	if ((x->usbcmd & CMD_EWE) && mfindex_now(x) >= x->wrap_uf) {
		wrap_next(x);
		mfindex_tell_wrap(x);
	}
	if (x->starved && now >= x->starved_at) {
		x->starved = false;
		ep_resume_all(x);
	}
	isoch_timer(x, now);
	command_timer(x, now);
	intr_update_all(x);
	timer_update(x);
}

static void run_stop(struct xhci *x, bool run)
{
	if (run && !xhci_running(x)) {
		state_forget(x); /* restored by now, or never */
		x->run_ns = x->ops->now_ns(x->host);
		x->usbsts &= ~STS_HCH;
		wrap_next(x);
		port_flush_events(x);
		ep_resume_all(x);
		xhci_kick(x); /* rings may have been ready while halted */
	} else if (!run && xhci_running(x)) {
		/* §4.23.1.1: what the devices hold comes back to the rings */
		x->mfindex_base = mfindex_now(x);
		x->usbsts |= STS_HCH;
		command_halt(x);
		slots_drain(x, DRAIN_STOP);
	}
	timer_update(x);
}

static void stop_for_good(struct xhci *x, uint32_t bit, const char *why)
{
	if (x->usbsts & (STS_HSE | STS_HCE))
		return;
	xhci_log(x, XHCI_LOG_WARN, "%s: %s",
		 bit == STS_HSE ? "host system error" : "host controller error",
		 why);
	x->usbcmd &= ~CMD_RS;
	run_stop(x, false);
	x->usbsts |= bit;
}

void xhci_fail_hce(struct xhci *x, const char *why)
{
	stop_for_good(x, STS_HCE, why);
}

void xhci_fail_hse(struct xhci *x, const char *why)
{
	stop_for_good(x, STS_HSE, why);
}

void xhci_mem_lost(struct xhci *x)
{
	xhci_fail_hse(x, "guest memory that was mapped is gone");
}

/* Everything is as after power-up, but for what is plugged in. */
static void reset_finish(struct xhci *x)
{
	x->resetting = false;
	for (unsigned i = 0; i < XHCI_MAX_SLOTS; i++) {
		if (x->quietly)
			x->slot[i].port = 0;
		if (x->slot[i].state != SLOT_DISABLED)
			slot_disable(&x->slot[i]);
	}
	x->ready_head = x->ready_tail = NULL;
	x->saved_lost = x->saved != NULL;
	x->usbcmd = 0;
	x->usbsts = STS_HCH;
	if (x->light)
		return;
	port_reset_all(x);
	x->usbsts = STS_HCH | (x->port_events ? STS_PCD : 0);
	/* a SuperSpeed port comes up enabled: so that its device is new too */
	for (unsigned i = 0; i < x->nports; i++)
		if (x->port[i].usb3 && x->port[i].ops)
			port_device_reset(x, &x->port[i], false);
}

void xhci_reset_step(struct xhci *x)
{
	if (x->resetting && x->nflight == 0)
		reset_finish(x);
}

/*
 * @light: §5.4.1 LHCRST, the ports and what is in them stay as they are. From
 * outside while software's state is saved: no device hears of it, either.
 */
static void reset_start(struct xhci *x, bool light, bool quietly)
{
	x->quietly = quietly;
	if (!quietly)
		state_forget(x);
	x->light = light && (x->light || !x->resetting);
	x->usbcmd = x->light ? CMD_LHCRST : CMD_HCRST;
	x->usbsts = STS_HCH | STS_CNR;
	x->dnctrl = x->config = x->legsup = 0;
	x->dcbaap = 0;
	x->mfindex_base = 0;
	x->belt = 0;
	x->wrap_due = false;
	intr_reset(x);
	command_reset(x);
	timer_update(x);
	if (!x->resetting) {
		x->resetting = true;
		slots_drain(x, DRAIN_DROP);
	}
	xhci_reset_step(x);
}

void xhci_reset(struct xhci *x)
{
	TAP(x, XHCI_TAP_RESET, 0);
	reset_start(x, x->saved != NULL, x->saved != NULL);
}

void usbcmd_write(struct xhci *x, uint32_t v)
{
	uint32_t old = x->usbcmd;

	if (x->resetting)
		return;
	if (v & (CMD_HCRST | CMD_LHCRST)) {
		reset_start(x, !(v & CMD_HCRST), false);
		return;
	}
	x->usbcmd = v & (CMD_RS | CMD_INTE | CMD_HSEE | CMD_EWE);
	if (x->usbsts & (STS_HCE | STS_HSE))
		x->usbcmd &= ~CMD_RS;
	if (v & CMD_CSS)
		state_save(x);
	if (v & CMD_CRS)
		state_restore(x);
	if ((old ^ x->usbcmd) & CMD_RS)
		run_stop(x, x->usbcmd & CMD_RS);
	if ((old ^ x->usbcmd) & CMD_INTE)
		intr_update_all(x);
	if ((old ^ x->usbcmd) & CMD_EWE) {
		wrap_next(x);
		timer_update(x);
	}
}

void usbsts_write(struct xhci *x, uint32_t v)
{
	x->usbsts &= ~(v & (STS_HSE | STS_EINT | STS_PCD | STS_SRE));
}

static bool can_work(const struct xhci *x)
{
	return xhci_running(x) && x->bus_master && !x->resetting;
}

static struct xhci_epq *ready_pop(struct xhci *x)
{
	struct xhci_epq *q = x->ready_head;

	x->ready_head = q->ready_next;
	if (!x->ready_head)
		x->ready_tail = NULL;
	q->ready = false;
	return q;
}

/* Rings take turns; each gets what is left of the slice, at most a part. */
static bool run_slice(struct xhci *x)
{
	int budget = RUN_TRBS, part;
	bool more;

	ep_cancel_more(x); /* also while it is halted, and while it resets */
	x->kicked = can_work(x); /* while at it the host need not be told */
	if (!x->kicked) {
		x->kicked = x->cancelling;
		return x->cancelling;
	}
	x->again = false;
	if (x->port_events)
		port_flush_events(x);
	if (x->notify)
		notify_flush(x);
	more = command_run(x);
	while (x->ready_head && budget > 0 && can_work(x)) {
		struct xhci_epq *q = ready_pop(x);

		part = budget < RUN_TRBS / 4 ? budget : RUN_TRBS / 4;
		budget -= part;
		if (epq_service(q, &part)) {
			/* one full event ring does not hold up the others */
			if (q->wants_room && !q->ready) {
				intr_wait(x, q->wants_room - 1u, q);
			} else {
				q->wants_room = 0;
				ep_ready(q);
			}
		}
		budget += part - 1; /* less than nothing, if a TD was large */
	}
	x->kicked = x->cancelling ||
		    (can_work(x) && (more || x->again || x->ready_head));
	return x->kicked;
}

static COLD bool run_tapped(struct xhci *x)
{
	bool more;

	TAP(x, XHCI_TAP_RUN, 0);
	more = run_slice(x);
	TAP(x, XHCI_TAP_RETURN, more);
	return more;
}

bool xhci_run(struct xhci *x)
{
	return TAPPED(x) ? run_tapped(x) : run_slice(x);
}

void xhci_set_bus_master(struct xhci *x, bool on)
{
	TAP(x, XHCI_TAP_BUS_MASTER, on);
	x->bus_master = on;
	if (on)
		xhci_kick(x);
}

void xhci_set_intr_mode(struct xhci *x, enum xhci_intr_mode mode)
{
	TAP(x, XHCI_TAP_INTR_MODE, mode);
	x->intr_mode = (uint8_t)mode;
	intr_update_all(x);
}

void xhci_pause(struct xhci *x, bool requests)
{
	x->paused = true;
	for (unsigned i = 0; i < XHCI_MAX_SLOTS; i++)
		for (unsigned d = 1; d < NDCI; d++) {
			struct xhci_ep *ep = x->slot[i].ep[d];

			if (ep && ep->info.type == USB_CONTROL && !requests)
				ep_hold(ep);
			else if (ep)
				ep_drain(ep, DRAIN_STOP);
		}
}

void xhci_resume(struct xhci *x)
{
	x->paused = false;
	for (unsigned i = 0; i < XHCI_MAX_SLOTS; i++)
		for (unsigned d = 1; d < NDCI; d++) {
			struct xhci_ep *ep = x->slot[i].ep[d];
			struct xhci_epq *q;

			if (!ep)
				continue;
			ep_drain_check(ep);
			EP_FOR_EACH_Q(ep, q)
			if (q->head)
				ep_ready(q); /* its events found no room */
		}
	timer_update(x);
	xhci_kick(x);
}

void xhci_get_limits(struct xhci_limits *ret)
{
	*ret = (struct xhci_limits){.tds = MAX_TDS,
				    .ring_tds = EPQ_MAX_TDS,
				    .bytes = MAX_BYTES,
				    .ring_bytes = EPQ_MAX_BYTES,
				    .td_trbs = TD_MAX_TRBS,
				    .run_trbs = RUN_TRBS,
				    .run_commands = RUN_CMDS};
}

uint64_t xhci_bytes_in_flight(const struct xhci *x)
{
	return x->bytes_flight;
}

unsigned xhci_in_flight(const struct xhci *x)
{
	return x->nflight;
}

const struct xhci_stats *xhci_stats(const struct xhci *x)
{
	return &x->stats;
}

int xhci_create(const struct xhci_config *cfg, const struct xhci_host_ops *ops,
		void *host, struct xhci **ret_x)
{
	struct xhci *x;

	if (cfg->usb2_ports < 1 || cfg->usb2_ports > 15 ||
	    cfg->usb3_ports > 15 || cfg->scratchpads > 31)
		return -EINVAL;
	x = calloc(1, sizeof(*x));
	if (!x)
		return -ENOMEM;
	x->cfg = *cfg;
	x->ops = ops;
	x->host = host;
	x->timer_at = UINT64_MAX;
	x->cancels = RUN_CANCELS;
	x->usbsts = STS_HCH;
	for (unsigned i = 0; i < XHCI_MAX_SLOTS; i++) {
		x->slot[i].x = x;
		x->slot[i].id = (uint8_t)(i + 1);
	}
	port_init(x);
	intr_reset(x);
	command_reset(x);
	*ret_x = x;
	return 0;
}

void xhci_destroy(struct xhci *x)
{
	if (!x)
		return;
	ACCOUNT(x->nflight == 0, "%u transfers never came back", x->nflight);
	tap_remove(x);
	for (unsigned i = 0; i < XHCI_MAX_SLOTS; i++)
		if (x->slot[i].state != SLOT_DISABLED)
			slot_disable(&x->slot[i]);
	ACCOUNT_DO(account_end(x);)
	td_pool_free(x);
	free(x->saved);
	free(x);
}
