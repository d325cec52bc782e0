/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pmapper_fake.h - for the port mapper's unit tests, included once by each: a
 * controller that only notes what it is told, and a device that does what the
 * test says. The controller fails the test when it is called from inside a
 * port op, or hears twice of a transfer.
 */
#ifndef TESTS_PMAPPER_FAKE_H
#define TESTS_PMAPPER_FAKE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pmapper/pmapper.h"

#define FAKE_XFERS 1024u
#define FAKE_PORTS 6u /* 1..4 USB 2, 5 and 6 USB 3 */

struct fake_port {
	const struct usb_port_ops *ops; /* NULL: empty */
	void *dev;
	enum usb_speed speed;
};

struct xhci {
	struct fake_port port[FAKE_PORTS + 1];
	unsigned depth;    /* port ops on the stack */
	int connect_error; /* returned by xhci_port_connect() */
	/* cancelled youngest first by xhci_port_disconnect() */
	struct usb_xfer *cancel[4];
	unsigned ncancel;

	char told[1024]; /* all but transfers: "-1 +2 r1:1 w1 " */
	struct usb_xfer *done[FAKE_XFERS];
	unsigned ndone;
	void (*on_done)(struct xhci *x, struct usb_xfer *t);
	void *test;
};

struct rig {
	struct xhci x;
	struct pmapper *pm;
	struct usb_xfer t[FAKE_XFERS];
	bool in_flight[FAKE_XFERS]; /* as the controller sees it */
	unsigned kicks;
	atomic_uint wakes;
	unsigned logs;
	char last_log[512];
	unsigned frees; /* devices given back */
};

enum fake_how {
	FAKE_HOLD,          /* submit keeps it */
	FAKE_COMPLETE,      /* completes inside submit */
	FAKE_REFUSE,        /* -EIO */
	FAKE_NODEV,         /* -ENODEV */
	FAKE_GONE_HOLD,     /* usb_dev_gone() and keeps it */
	FAKE_GONE_COMPLETE, /* usb_dev_gone() and completes it */
	FAKE_COMPLETE_FAIL, /* completes it and returns -EIO all the same */
};

struct fake_dev {
	struct usb_dev d;
	struct rig *rig;
	enum fake_how how;
	bool hold_cancelled; /* cancel() is noted only */
	bool gone_in_cancel;
	bool reset_inside; /* answers inside reset() */
	struct usb_xfer *held[FAKE_XFERS];
	unsigned nheld;
	struct usb_xfer *cancelled[FAKE_XFERS];
	unsigned ncancelled;
	unsigned submits, states, resets, calls;
	enum usb_state_req last_req;
	bool suspended;
	uint8_t last_ep;
};

static inline void told(struct xhci *x, const char *fmt, unsigned a, int b)
{
	size_t n = strlen(x->told);

	assert_int_equal(x->depth, 0);
	snprintf(x->told + n, sizeof(x->told) - n, "%s%u", fmt, a);
	n = strlen(x->told);
	if (b >= 0)
		snprintf(x->told + n, sizeof(x->told) - n, ":%d", b);
	n = strlen(x->told);
	snprintf(x->told + n, sizeof(x->told) - n, " ");
}

/* What the controller was told since the last time. */
#define assert_told(rig, text)                            \
	do {                                              \
		assert_string_equal((rig)->x.told, text); \
		(rig)->x.told[0] = 0;                     \
	} while (0)

unsigned xhci_nports(const struct xhci *x)
{
	(void)x;
	return FAKE_PORTS;
}

bool xhci_port_is_usb3(const struct xhci *x, unsigned port)
{
	(void)x;
	return port > 4;
}

bool xhci_port_is_free(const struct xhci *x, unsigned port)
{
	return !x->port[port].ops;
}

int xhci_port_connect(struct xhci *x, unsigned port, enum usb_speed speed,
		      const struct usb_port_ops *ops, void *dev)
{
	if (x->connect_error)
		return x->connect_error;
	assert_null(x->port[port].ops);
	told(x, "+", port, -1);
	x->port[port] = (struct fake_port){ops, dev, speed};
	return 0;
}

int xhci_port_disconnect(struct xhci *x, unsigned port)
{
	struct fake_port p = x->port[port];

	assert_non_null(p.ops);
	told(x, "-", port, -1);
	x->port[port].ops = NULL;
	x->depth++;
	while (x->ncancel)
		p.ops->cancel(p.dev, x->cancel[--x->ncancel]);
	x->depth--;
	return 0;
}

void xhci_port_reset_done(struct xhci *x, unsigned port, bool ok)
{
	assert_non_null(x->port[port].ops);
	told(x, "r", port, ok);
}

void xhci_port_wake(struct xhci *x, unsigned port)
{
	assert_non_null(x->port[port].ops);
	told(x, "w", port, -1);
}

void xhci_xfer_done(struct xhci *x, struct usb_xfer *t)
{
	struct rig *rig = x->test;

	assert_int_equal(x->depth, 0);
	assert_true(rig->in_flight[t - rig->t]);
	rig->in_flight[t - rig->t] = false;
	assert_int_equal(t->map_state, 0);
	assert_in_range(x->ndone, 0, FAKE_XFERS - 1);
	x->done[x->ndone++] = t;
	if (x->on_done)
		x->on_done(x, t);
}

/* The controller's side: submit and cancel through the port. */
static inline int rig_submit(struct rig *rig, unsigned port, struct usb_xfer *t)
{
	struct fake_port *p = &rig->x.port[port];
	int r;

	assert_non_null(p->ops);
	assert_false(rig->in_flight[t - rig->t]);
	rig->x.depth++;
	r = p->ops->submit(p->dev, t);
	rig->x.depth--;
	assert_true(r <= 0);
	rig->in_flight[t - rig->t] = r == 0;
	return r;
}

static inline void rig_cancel(struct rig *rig, unsigned port,
			      struct usb_xfer *t)
{
	struct fake_port *p = &rig->x.port[port];

	rig->x.depth++;
	p->ops->cancel(p->dev, t);
	rig->x.depth--;
}

static inline void rig_reset(struct rig *rig, unsigned port)
{
	struct fake_port *p = &rig->x.port[port];

	rig->x.depth++;
	p->ops->reset(p->dev, false);
	rig->x.depth--;
}

/* Until nothing is left; returns the number of calls. */
static inline unsigned rig_run(struct rig *rig)
{
	unsigned n = 1;

	while (pmapper_run(rig->pm))
		n++;
	return n;
}

/* A bulk IN transfer of 512 bytes, as from a fresh pool. */
static inline struct usb_xfer *rig_xfer(struct rig *rig, unsigned i)
{
	struct usb_xfer *t = &rig->t[i];

	memset(t, 0, sizeof(*t));
	t->ep = 0x81;
	t->type = USB_BULK;
	t->in = true;
	t->length = 512;
	return t;
}

static inline void rig_kick(void *host)
{
	((struct rig *)host)->kicks++;
}

static inline void rig_wake(void *host)
{
	atomic_fetch_add(&((struct rig *)host)->wakes, 1);
}

static inline void rig_log(void *host, enum xhci_log level, const char *line)
{
	struct rig *rig = host;

	if (level == XHCI_LOG_DEBUG)
		return;
	rig->logs++;
	snprintf(rig->last_log, sizeof(rig->last_log), "%s", line);
}

static const struct pmapper_host_ops rig_ops = {
	.kick = rig_kick,
	.wake = rig_wake,
	.log = rig_log,
};

static inline int rig_setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->x.test = rig;
	assert_int_equal(pmapper_create(&rig->x, &rig_ops, rig, &rig->pm), 0);
	*state = rig;
	return 0;
}

static inline int rig_teardown(void **state)
{
	struct rig *rig = *state;

	rig->x.depth = 0;
	pmapper_detach_all(rig->pm);
	rig_run(rig);
	assert_false(pmapper_busy(rig->pm));
	pmapper_destroy(rig->pm);
	free(rig);
	return 0;
}

static inline struct fake_dev *fake_of(struct usb_dev *d)
{
	return (struct fake_dev *)((char *)d - offsetof(struct fake_dev, d));
}

static inline void fake_drop(struct fake_dev *f, struct usb_xfer *t)
{
	unsigned i;

	for (i = 0; i < f->nheld && f->held[i] != t; i++)
		;
	assert_in_range(i, 0, f->nheld - 1);
	memmove(&f->held[i], &f->held[i + 1],
		(f->nheld - i - 1) * sizeof(f->held[0]));
	f->nheld--;
}

static inline void fake_complete(struct fake_dev *f, struct usb_xfer *t,
				 enum usb_status status, uint32_t actual)
{
	fake_drop(f, t);
	usb_dev_complete(&f->d, t, status, actual);
}

static inline int fake_start(struct fake_dev *f, struct usb_xfer *t)
{
	switch (f->how) {
	case FAKE_REFUSE:
		return -EIO;
	case FAKE_NODEV:
		return -ENODEV;
	case FAKE_GONE_HOLD:
	case FAKE_GONE_COMPLETE:
		usb_dev_gone(&f->d);
		break;
	case FAKE_HOLD:
	case FAKE_COMPLETE:
	case FAKE_COMPLETE_FAIL:
		break;
	}
	f->held[f->nheld++] = t;
	if (f->how == FAKE_HOLD || f->how == FAKE_GONE_HOLD)
		return 0;
	fake_complete(f, t, USB_OK, t->length);
	return f->how == FAKE_COMPLETE_FAIL ? -EIO : 0;
}

static inline int fake_submit(struct usb_dev *d, struct usb_xfer *t)
{
	fake_of(d)->submits++;
	return fake_start(fake_of(d), t);
}

static inline int fake_state(struct usb_dev *d, struct usb_xfer *t,
			     enum usb_state_req req)
{
	fake_of(d)->states++;
	fake_of(d)->last_req = req;
	return fake_start(fake_of(d), t);
}

static inline void fake_cancel(struct usb_dev *d, struct usb_xfer *t)
{
	struct fake_dev *f = fake_of(d);

	f->cancelled[f->ncancelled++] = t;
	if (f->gone_in_cancel)
		usb_dev_gone(d);
	if (!f->hold_cancelled)
		fake_complete(f, t, USB_CANCELLED, 0);
}

static inline void fake_reset(struct usb_dev *d)
{
	fake_of(d)->resets++;
	if (fake_of(d)->reset_inside)
		usb_dev_reset_done(d, true);
}

static inline void fake_ep_enable(struct usb_dev *d,
				  const struct usb_ep_info *info)
{
	fake_of(d)->calls++;
	fake_of(d)->last_ep = info->ep;
}

static inline void fake_ep_disable(struct usb_dev *d, uint8_t ep)
{
	fake_of(d)->calls++;
	fake_of(d)->last_ep = ep;
}

static inline void fake_suspend(struct usb_dev *d, bool suspended)
{
	fake_of(d)->calls++;
	fake_of(d)->suspended = suspended;
}

static inline void fake_free(struct usb_dev *d)
{
	struct fake_dev *f = fake_of(d);

	assert_int_equal(f->nheld, 0);
	assert_int_equal(f->rig->x.depth, 0);
	assert_non_null(d->pm);
	f->rig->frees++;
	free(f);
}

/* Everything, and what a simple built-in device has */
static const struct usb_dev_ops fake_ops = {
	.name = "fake",
	.submit = fake_submit,
	.cancel = fake_cancel,
	.reset = fake_reset,
	.state = fake_state,
	.ep_enable = fake_ep_enable,
	.ep_disable = fake_ep_disable,
	.suspend = fake_suspend,
	.free = fake_free,
};
static const struct usb_dev_ops fake_plain_ops = {
	.name = "plain",
	.submit = fake_submit,
	.cancel = fake_cancel,
	.reset = fake_reset,
	.free = fake_free,
};

static inline struct fake_dev *fake_create(struct rig *rig,
					   enum usb_speed speed)
{
	struct fake_dev *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->rig = rig;
	f->d.ops = &fake_ops;
	f->d.speed = speed;
	snprintf(f->d.label, sizeof(f->d.label), "fake");
	return f;
}

/* A high speed device in @port (0: any); the controller's note is eaten. */
static inline struct fake_dev *fake_plug(struct rig *rig, unsigned port)
{
	struct fake_dev *f = fake_create(rig, USB_SPEED_HIGH);
	unsigned got = 0;

	assert_int_equal(pmapper_attach(rig->pm, &f->d, port, &got), 0);
	if (port)
		assert_int_equal(got, port);
	rig->x.told[0] = 0;
	return f;
}

#endif
