/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * port.c - root hub ports, xHCI 1.2 §4.15, §4.19, §5.4.8.
 *
 * A port is a state and the change bits it has collected; PORTSC is made from
 * these when read. What ports do is in port_rules.c.
 */
#include <errno.h>

#include "emu/core.h"

/* §4.23.1: does software want to be woken by this? A resume always wakes. */
static bool port_wakes(const struct xhci_port *p, uint32_t new)
{
	return (new &PORTSC_PLC && p->state == PORT_RESUME) ||
	       (new &PORTSC_OCC && p->wakes &PORTSC_WOE) ||
	       (new &PORTSC_CSC &&
		p->wakes &(p->ops ? PORTSC_WCE : PORTSC_WDE));
}

/*
 * §4.19.2: an event when the first of the change bits is set, and none for
 * those that join it.
 */
static void port_changed(struct xhci *x, struct xhci_port *p, uint32_t bits)
{
	uint32_t new = bits & ~p->changes;

	if (!new)
		return;
	if (!p->changes)
		x->port_events |= 1u << (p->id - 1);
	p->changes |= new;
	x->usbsts |= STS_PCD;
	if (x->ops->pme && port_wakes(p, new))
		x->ops->pme(x->host);
	port_flush_events(x);
}

static void port_suspend(struct xhci *x, struct xhci_port *p, bool on)
{
	if (!p->ops)
		return;
	TAP(x, XHCI_TAP_SUSPEND, p->id, on);
	if (p->ops->suspend)
		p->ops->suspend(p->dev, on);
}

void port_device_reset(struct xhci *x, struct xhci_port *p, bool warm)
{
	TAP(x, XHCI_TAP_PORT_RESET, p->id, warm);
	p->ops->reset(p->dev, warm);
}

static bool port_event(struct xhci *x, struct xhci_port *p, enum port_event ev)
{
	const struct port_rule *r = &port_rules[p->usb3][p->state][ev];
	uint8_t old = p->state;

	if (!r->go)
		return false;
	p->state = r->next;
	if ((p->state == PORT_U3) != (old == PORT_U3))
		port_suspend(x, p, p->state == PORT_U3);
	if (p->state == PORT_U0) {
		ep_resume_all(x); /* rings that slept with the link */
		if (p->fwake) /* USB 3.2 §8.5.6.1, of its first interface */
			notify_device(p, x, NOTE_FUNCTION_WAKE, 0);
	}
	p->fwake = p->usb3 && p->state == PORT_RESUME;
	if (p->state == PORT_U2)
		p->portpmsc |= PORTPMSC_L1S_SUCCESS;
	if (ev == PE_LINK_ERROR && p->usb3 && p->lec < UINT16_MAX)
		p->lec++;
	if (p->state == PORT_U3 && x->config & CONFIG_U3E)
		port_changed(x, p, PORTSC_PLC); /* §4.15.1: it is entered */
	if (r->changes)
		port_changed(x, p, r->changes);
	/* what is plugged in is seen again when the port looks for it */
	if (p->state == PORT_DISCONNECTED && p->ops && ev != PE_RESET_FAILED)
		port_event(x, p, PE_CONNECT);
	return true;
}

void port_flush_events(struct xhci *x)
{
	struct xhci_trb ev;

	if (!xhci_running(x) || !x->bus_master)
		return;
	for (unsigned i = 0; i < x->nports && x->port_events; i++) {
		if (!(x->port_events & (1u << i)))
			continue;
		ev = (struct xhci_trb){.param = (uint64_t)(i + 1) << 24,
				       .status = (uint32_t)CC_SUCCESS
						 << EV_CC_SHIFT,
				       .control = TRB_TYPE_BITS(TRB_EV_PORT)};
		if (!intr_post(x, 0, &ev, false))
			return;
		x->port_events &= ~(1u << i);
	}
}

static uint32_t port_pls(const struct xhci_port *p)
{
	switch (p->state) {
	case PORT_OFF:
		return PLS_DISABLED;
	case PORT_DISCONNECTED:
		return PLS_RXDETECT;
	case PORT_DISABLED:
		return p->usb3 ? PLS_DISABLED : PLS_POLLING;
	case PORT_INACTIVE:
		return PLS_INACTIVE;
	case PORT_COMPLIANCE:
		return PLS_COMPLIANCE;
	case PORT_TEST:
		return PLS_TEST;
	case PORT_RESET:
		return p->usb3 ? PLS_HOT_RESET : PLS_POLLING;
	case PORT_U2:
		return PLS_U2;
	case PORT_U3:
		return PLS_U3;
	case PORT_RESUME:
		return PLS_RESUME;
	default:
		return PLS_U0;
	}
}

/* §4.19.1: is there anything that CCS and Port Speed can tell of? */
static bool port_shows_device(const struct xhci_port *p)
{
	switch (p->state) {
	case PORT_OFF:
	case PORT_DISCONNECTED:
	case PORT_COMPLIANCE:
	case PORT_TEST:
		return false;
	case PORT_DISABLED:
		return p->ops && !p->usb3;
	default:
		return p->ops != NULL;
	}
}

uint32_t portsc_read(const struct xhci_port *p)
{
	uint32_t v = p->changes | p->wakes | p->pic;

	v |= port_pls(p) << PORTSC_PLS_SHIFT;
	if (p->state != PORT_OFF)
		v |= PORTSC_PP;
	if (p->oca)
		v |= PORTSC_OCA;
	if (p->state == PORT_RESET)
		v |= PORTSC_PR;
	if (p->state >= PORT_U0)
		v |= PORTSC_PED;
	if (port_shows_device(p)) {
		v |= PORTSC_CCS;
		v |= (uint32_t)p->speed << PORTSC_SPEED_SHIFT;
	}
	return v;
}

static void port_link_write(struct xhci *x, struct xhci_port *p, uint32_t pls)
{
	static const struct {
		uint8_t pls, ev;
	} map[] = {
		{PLS_U0, PE_LINK_U0},
		{PLS_U2, PE_LINK_U2},
		{PLS_U3, PE_LINK_U3},
		{PLS_RESUME, PE_LINK_RESUME},
		{PLS_DISABLED, PE_LINK_DISABLED},
		{PLS_RXDETECT, PE_LINK_RXDETECT},
	};

	for (unsigned i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (map[i].pls == pls)
			port_event(x, p, map[i].ev);
}

static void port_start_reset(struct xhci *x, struct xhci_port *p, bool warm)
{
	if (!p->ops || !port_event(x, p, warm ? PE_WARM_RESET : PE_RESET))
		return;
	p->warm = warm;
	x->stats.port_resets++;
	port_device_reset(x, p, warm);
}

void portsc_write(struct xhci *x, struct xhci_port *p, uint32_t v)
{
	p->changes &= ~(v & PORTSC_CHANGES);
	p->wakes = v & PORTSC_WAKES;
	p->pic = v & PORTSC_PIC;
	if (!(v & PORTSC_PP) || p->oca) {
		port_event(x, p, PE_POWER_OFF);
		return;
	}
	port_event(x, p, PE_POWER_ON);
	if ((v & PORTSC_WPR) && p->usb3) {
		port_start_reset(x, p, true);
		return;
	}
	if (v & PORTSC_PR) {
		port_start_reset(x, p, false);
		return;
	}
	if (v & PORTSC_PED)
		port_event(x, p, PE_DISABLE);
	if (v & PORTSC_LWS)
		port_link_write(x, p, PORTSC_PLS(v));
}

void port_l1_exit(struct xhci *x, struct xhci_port *p)
{
	if (p->state == PORT_U2)
		port_event(x, p, PE_LINK_U0);
}

/*
 * §5.4.9, table 5-28: timeouts of U1 and U2 and FLA, or remote wakeup, BESL
 * and slot for L1, which no port enters by itself (HLC=0), and how the last
 * entry went. §4.19.6: a test mode, while halted, until HCRST.
 */
void portpmsc_write(struct xhci *x, struct xhci_port *p, uint32_t v)
{
	if (p->usb3) {
		p->portpmsc = v & 0x1ffffu;
		return;
	}
	p->portpmsc =
		(p->portpmsc & (PORTPMSC_TEST | PORTPMSC_L1S)) | (v & 0xfff8u);
	if ((v & PORTPMSC_TEST) && !xhci_running(x) &&
	    port_event(x, p, PE_TEST))
		p->portpmsc |= v & PORTPMSC_TEST;
}

/* §5.4.10: link errors, and how many lanes there are but one */
uint32_t portli_read(const struct xhci_port *p)
{
	bool two = p->ops && (p->speed == USB_SPEED_SUPER_BY2 ||
			      p->speed == USB_SPEED_SUPER_PLUS_BY2);

	return p->usb3 ? p->lec | (two ? 0x11u << 16 : 0) : 0;
}

static struct xhci_port *port_get(struct xhci *x, unsigned port)
{
	return port >= 1 && port <= x->nports ? &x->port[port - 1] : NULL;
}

void port_init(struct xhci *x)
{
	x->nports = (unsigned)x->cfg.usb2_ports + x->cfg.usb3_ports;
	for (unsigned i = 0; i < x->nports; i++) {
		x->port[i].id = (uint8_t)(i + 1);
		x->port[i].usb3 = i >= x->cfg.usb2_ports;
		x->port[i].state = PORT_DISCONNECTED;
	}
}

/* HCRST: ports start anew, and find again what is plugged in */
void port_reset_all(struct xhci *x)
{
	x->port_events = 0;
	for (unsigned i = 0; i < x->nports; i++) {
		struct xhci_port *p = &x->port[i];

		if (p->state == PORT_U3)
			port_suspend(x, p, false);
		p->state = PORT_DISCONNECTED;
		p->changes = p->wakes = p->pic = 0;
		p->portpmsc = p->porthlpmc = p->lec = 0;
		if (p->ops)
			port_event(x, p, PE_CONNECT);
	}
}

void port_restored(struct xhci *x, struct xhci_port *p, bool had, bool same)
{
	const struct usb_port_ops *ops = p->ops;

	if (same) {
		if (p->state == PORT_RESET) /* the answer is due here */
			port_device_reset(x, p, p->warm);
		if (p->state == PORT_U3)
			port_suspend(x, p, true);
		return;
	}
	p->ops = NULL;
	if (had)
		port_event(x, p, PE_DISCONNECT);
	p->ops = ops;
	if (!ops)
		p->speed = 0;
	p->plug++;
	if (ops)
		port_event(x, p, PE_CONNECT);
}

static int port_connect(struct xhci *x, unsigned port, enum usb_speed speed,
			const struct usb_port_ops *ops, void *dev)
{
	struct xhci_port *p = port_get(x, port);

	if (!p || speed == USB_SPEED_NONE || speed > USB_SPEED_MAX ||
	    p->usb3 != (speed >= USB_SPEED_SUPER))
		return -EINVAL;
	if (p->ops)
		return -EBUSY;
	p->ops = ops;
	p->dev = dev;
	p->speed = (uint8_t)speed;
	p->plug++;
	port_event(x, p, PE_CONNECT);
	return 0;
}

int xhci_port_connect(struct xhci *x, unsigned port, enum usb_speed speed,
		      const struct usb_port_ops *ops, void *dev)
{
	int rc;

	TAP(x, XHCI_TAP_CONNECT, port, speed);
	rc = port_connect(x, port, speed, ops, dev);
	TAP(x, XHCI_TAP_RETURN, (uint64_t)(int64_t)rc);
	return rc;
}

static int port_disconnect(struct xhci *x, unsigned port)
{
	struct xhci_port *p = port_get(x, port);

	if (!p || !p->ops)
		return -ENOENT;
	p->ops = NULL;
	p->dev = NULL;
	p->speed = 0;
	port_event(x, p, PE_DISCONNECT);
	return 0;
}

int xhci_port_disconnect(struct xhci *x, unsigned port)
{
	int rc;

	TAP(x, XHCI_TAP_DISCONNECT, port);
	rc = port_disconnect(x, port);
	TAP(x, XHCI_TAP_RETURN, (uint64_t)(int64_t)rc);
	return rc;
}

unsigned xhci_nports(const struct xhci *x)
{
	return x->nports;
}

bool xhci_port_is_usb3(const struct xhci *x, unsigned port)
{
	return port > x->cfg.usb2_ports && port <= x->nports;
}

bool xhci_port_is_free(const struct xhci *x, unsigned port)
{
	return port >= 1 && port <= x->nports && !x->port[port - 1].ops;
}

uint32_t xhci_port_status(const struct xhci *x, unsigned port)
{
	return portsc_read(&x->port[port - 1]);
}

void xhci_port_reset_done(struct xhci *x, unsigned port, bool ok)
{
	struct xhci_port *p = port_get(x, port);

	TAP(x, XHCI_TAP_RESET_DONE, port, ok);
	if (!p || p->state != PORT_RESET)
		return;
	if (p->warm && p->usb3)
		p->changes |= PORTSC_WRC;
	port_event(x, p, ok ? PE_RESET_DONE : PE_RESET_FAILED);
}

void xhci_port_wake(struct xhci *x, unsigned port)
{
	struct xhci_port *p = port_get(x, port);

	TAP(x, XHCI_TAP_WAKE, port);
	if (p)
		port_event(x, p, PE_WAKE);
}

int xhci_port_fault(struct xhci *x, unsigned port, enum xhci_port_fault fault)
{
	static const uint8_t event[] = {
		[XHCI_FAULT_LINK] = PE_LINK_ERROR,
		[XHCI_FAULT_TRAINING] = PE_TRAIN_ERROR,
		[XHCI_FAULT_CONFIG] = PE_CONFIG_ERROR,
	};
	struct xhci_port *p = port_get(x, port);
	bool over = fault == XHCI_FAULT_OVER_CURRENT;

	TAP(x, XHCI_TAP_PORT_FAULT, port, fault);
	if (!p)
		return -EINVAL;
	if (!over && fault != XHCI_FAULT_NO_OVER_CURRENT) {
		if ((unsigned)fault < sizeof(event))
			port_event(x, p, event[fault]);
		return 0;
	}
	if (p->oca == over)
		return 0;
	/* §4.19.4: the power goes, and software may turn it on again later */
	p->oca = over;
	if (over)
		port_event(x, p, PE_POWER_OFF);
	port_changed(x, p, PORTSC_OCC);
	return 0;
}
