/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <string.h>

#include "tests/lib/gdrv_emu.h"
#include "tests/lib/guestmem.h"
#include "tests/lib/stub.h"

/* usb_xfer.dev_data while it is in our queue */
#define X_DUE (1ull << 63)       /* may complete now */
#define X_CANCELLED (1ull << 62) /* by cancel() */
#define X_POLLS 0xffffull

uint8_t stub_byte(uint64_t n)
{
	return (uint8_t)(n * 7 + (n >> 8) * 13 + (n >> 16));
}

void stub_init(struct stub *s)
{
	memset(s, 0, sizeof(*s));
}

struct stub_ep *stub_ep(struct stub *s, uint8_t addr)
{
	return &s->ep[(addr & 15u) | (addr & USB_DIR_IN ? 16u : 0u)];
}

static struct stub_ep *xfer_ep(struct stub *s, const struct usb_xfer *t)
{
	return stub_ep(s, t->type == USB_CONTROL ? 0 : t->ep);
}

static void queue_add(struct stub_ep *e, struct usb_xfer *t)
{
	t->next = NULL;
	t->prev = e->tail;
	if (e->tail)
		e->tail->next = t;
	else
		e->head = t;
	e->tail = t;
	if (++e->queued > e->max_queued)
		e->max_queued = e->queued;
}

static void queue_del(struct stub_ep *e, struct usb_xfer *t)
{
	if (t->prev)
		t->prev->next = t->next;
	else
		e->head = t->next;
	if (t->next)
		t->next->prev = t->prev;
	else
		e->tail = t->prev;
	t->next = t->prev = NULL;
	e->queued--;
}

static int submit(struct stub *s, struct usb_xfer *t)
{
	struct stub_ep *e = xfer_ep(s, t);

	if (e->rule.refuse)
		return -EIO;
	s->log[s->nlog++ % STUB_LOG] = (struct stub_sub){
		.ep = t->ep,
		.type = t->type,
		.in = t->in,
		.setup = t->setup,
		.length = t->length,
		.nseg = t->nseg,
	};
	e->submitted++;
	t->dev_data = e->rule.polls & X_POLLS;
	if (!e->rule.hold && !e->rule.polls)
		t->dev_data = X_DUE;
	t->dev_priv = e;
	queue_add(e, t);
	return 0;
}

static void cancel(struct stub *s, struct usb_xfer *t)
{
	struct stub_ep *e = xfer_ep(s, t);

	s->cancels++;
	/* youngest first: nothing behind it may still be uncancelled */
	for (struct usb_xfer *n = t->next; n; n = n->next)
		if (!(n->dev_data & X_CANCELLED))
			s->cancel_order_bad = true;
	t->dev_data |= X_CANCELLED;
	if (!e->cancel_hold)
		t->dev_data |= X_DUE;
}

static void move_source(struct stub_ep *e, struct usb_xfer *t, uint32_t len)
{
	uint8_t buf[4096];

	for (uint32_t off = 0; off < len;) {
		uint32_t n = len - off < sizeof(buf) ? len - off : sizeof(buf);

		for (uint32_t i = 0; i < n; i++)
			buf[i] = stub_byte(e->next_byte++);
		usb_xfer_scatter(t, off, buf, n);
		off += n;
	}
}

static void move_sink(struct stub *s, struct stub_ep *e, struct usb_xfer *t,
		      uint32_t len)
{
	uint8_t buf[4096];

	for (uint32_t off = 0; off < len;) {
		uint32_t n = len - off < sizeof(buf) ? len - off : sizeof(buf);

		usb_xfer_gather(t, off, buf, n);
		e->crc = crc32_add(e->crc, buf, n);
		for (uint32_t i = 0; s->sink_check && i < n; i++)
			e->bad += buf[i] != stub_byte(e->next_byte++);
		off += n;
	}
}

static void finish(struct stub *s, struct stub_ep *e, struct usb_xfer *t)
{
	bool cancelled = t->dev_data & X_CANCELLED;
	uint32_t len = t->length;
	enum usb_status st = e->rule.status;

	queue_del(e, t);
	if (cancelled) {
		st = USB_CANCELLED;
		len = e->cancel_actual < len ? e->cancel_actual : len;
	} else if (e->rule.limit && e->rule.actual < len) {
		len = e->rule.actual;
	}
	if (e->rule.bounce && t->in)
		usb_xfer_scatter(t, 0, e->rule.bounce, len);
	else if (e->rule.bounce)
		usb_xfer_gather(t, 0, e->rule.bounce, len);
	else if (!e->rule.no_data && t->in)
		move_source(e, t, len);
	else if (!e->rule.no_data)
		move_sink(s, e, t, len);
	e->completed++;
	e->bytes += len;
	if (!cancelled && e->rule.times && --e->rule.times == 0)
		e->rule = (struct stub_rule){0};
	if (s->pm) {
		usb_dev_complete(&s->dev, t, st, len);
		return;
	}
	t->status = st;
	t->actual = len;
	if (t->npackets) {
		t->packet[0].status = st;
		t->packet[0].actual = len;
	}
	lib_enter_done(s->x, t);
}

static bool poll_ep(struct stub *s, struct stub_ep *e)
{
	struct usb_xfer *t = e->head, *next;
	bool did = false;

	for (; t; t = next) {
		next = t->next;
		if (!(t->dev_data & X_DUE)) {
			if (!(t->dev_data & X_POLLS))
				break;
			if (--t->dev_data & X_POLLS) {
				did = true;
				break;
			}
			t->dev_data |= X_DUE;
		}
		finish(s, e, t);
		did = true;
	}
	/* what was cancelled ends, also behind what is held */
	for (t = e->head; t; t = next) {
		next = t->next;
		if ((t->dev_data & (X_DUE | X_CANCELLED)) !=
		    (X_DUE | X_CANCELLED))
			continue;
		finish(s, e, t);
		did = true;
	}
	return did;
}

bool stub_poll(void *p)
{
	struct stub *s = p;
	bool did = false;

	if (s->reset_pending && !s->reset_hold) {
		s->reset_pending = 0;
		if (s->pm)
			usb_dev_reset_done(&s->dev, !s->reset_fail);
		else
			xhci_port_reset_done(s->x, s->port, !s->reset_fail);
		did = true;
	}
	for (unsigned i = 0; i < STUB_EPS; i++)
		if (s->ep[i].head)
			did |= poll_ep(s, &s->ep[i]);
	return did;
}

void stub_release(struct stub *s, uint8_t addr, unsigned n)
{
	struct stub_ep *e = stub_ep(s, addr);

	for (struct usb_xfer *t = e->head; t; t = t->next) {
		if (t->dev_data & X_DUE)
			continue;
		t->dev_data |= X_DUE;
		if (n && !--n)
			break;
	}
}

unsigned stub_in_flight(const struct stub *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < STUB_EPS; i++)
		n += s->ep[i].queued;
	return n;
}

static void ep_enable(struct stub *s, const struct usb_ep_info *info)
{
	struct stub_ep *e = stub_ep(s, info->ep);

	e->enabled = true;
	e->info = *info;
}

/* struct usb_port_ops */
static int port_submit(void *dev, struct usb_xfer *t)
{
	return submit(dev, t);
}

static void port_cancel(void *dev, struct usb_xfer *t)
{
	cancel(dev, t);
}

static void port_reset(void *dev, bool warm)
{
	struct stub *s = dev;

	(void)warm;
	s->resets++;
	s->reset_pending = 1;
}

static void port_ep_enable(void *dev, const struct usb_ep_info *info)
{
	ep_enable(dev, info);
}

static void port_ep_disable(void *dev, uint8_t ep)
{
	stub_ep(dev, ep)->enabled = false;
}

static void port_suspend(void *dev, bool suspended)
{
	struct stub *s = dev;

	s->suspends += suspended;
}

static const struct usb_port_ops stub_port_ops = {
	.submit = port_submit,
	.cancel = port_cancel,
	.reset = port_reset,
	.ep_enable = port_ep_enable,
	.ep_disable = port_ep_disable,
	.suspend = port_suspend,
};

int stub_connect(struct stub *s, struct xhci *x, unsigned port,
		 enum usb_speed speed)
{
	s->x = x;
	s->port = port;
	return xhci_port_connect(x, port, speed, &stub_port_ops, s);
}

/* struct usb_dev_ops */
static struct stub *dev_stub(struct usb_dev *d)
{
	return (struct stub *)((char *)d - offsetof(struct stub, dev));
}

static int dev_submit(struct usb_dev *d, struct usb_xfer *t)
{
	return submit(dev_stub(d), t);
}

static void dev_cancel(struct usb_dev *d, struct usb_xfer *t)
{
	cancel(dev_stub(d), t);
}

static void dev_reset(struct usb_dev *d)
{
	port_reset(dev_stub(d), false);
}

static void dev_ep_enable(struct usb_dev *d, const struct usb_ep_info *info)
{
	ep_enable(dev_stub(d), info);
}

static void dev_ep_disable(struct usb_dev *d, uint8_t ep)
{
	stub_ep(dev_stub(d), ep)->enabled = false;
}

static void dev_suspend(struct usb_dev *d, bool suspended)
{
	dev_stub(d)->suspends += suspended;
}

static void dev_free(struct usb_dev *d)
{
	dev_stub(d)->freed++;
}

static const struct usb_dev_ops stub_dev_ops = {
	.name = "stub",
	.submit = dev_submit,
	.cancel = dev_cancel,
	.reset = dev_reset,
	.ep_enable = dev_ep_enable,
	.ep_disable = dev_ep_disable,
	.suspend = dev_suspend,
	.free = dev_free,
};

struct usb_dev *stub_dev(struct stub *s, enum usb_speed speed)
{
	s->pm = true;
	s->dev.ops = &stub_dev_ops;
	s->dev.speed = speed;
	strcpy(s->dev.label, "stub");
	return &s->dev;
}
