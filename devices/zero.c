/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zero.c - the test device: requests, and the wires between the gadget and its
 * pipes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/zero_impl.h"
#include "emu/snap.h"

/* The vendor requests of Intel's USB 2.0 compliance device: write, read back */
#define REQ_CONTROL_WRITE 0x5bu
#define REQ_CONTROL_READ 0x5cu

static struct zero *zero_of(struct gadget *g)
{
	return (struct zero *)g;
}

/* NULL: the device never has such an endpoint */
static struct zero_pipe *pipe_of(struct zero *z, uint8_t ep)
{
	unsigned pair = (ep & 0x0fu) - ZERO_EP(0u);

	if (pair >= ZERO_NPAIRS)
		return NULL;
	return &z->pipe[2 * pair + ((ep & USB_DIR_IN) != 0)];
}

struct zero_pipe *zero_peer(struct zero_pipe *p)
{
	return pipe_of(p->z, p->ep ^ USB_DIR_IN);
}

static void zero_transfer(struct gadget *g, struct usb_xfer *t)
{
	struct zero *z = zero_of(g);
	struct zero_pipe *p = pipe_of(z, t->ep);

	if (p->pair != ZERO_BULK || zero_is_loopback(z)) {
		zero_pipe_submit(p, t);
	} else if (p->in) {
		zero_source(z, t, 0, t->length, p->max_packet);
		usb_dev_complete(&g->dev, t, USB_OK, t->length);
	} else {
		zero_sink(z, p, t);
	}
}

/* Both take as many bytes as are asked for, whatever was written before. */
static int zero_control(struct gadget *g, struct usb_xfer *t)
{
	const struct usb_setup *s = &t->setup;
	struct zero *z = zero_of(g);

	if (g->config == 0 || s->value != 0 || s->index != 0)
		return -EPIPE;
	if (s->request_type == (USB_RT_VENDOR | USB_RT_DEVICE) &&
	    s->request == REQ_CONTROL_WRITE) {
		usb_xfer_gather(t, 0, z->control, t->length);
		gadget_ack(g, t);
		return 0;
	}
	if (s->request_type == (USB_DIR_IN | USB_RT_VENDOR | USB_RT_DEVICE) &&
	    s->request == REQ_CONTROL_READ) {
		gadget_reply(g, t, z->control, s->length);
		return 0;
	}
	return -EPIPE;
}

static void flush(struct zero *z, enum usb_status status)
{
	for (unsigned i = 0; i < ZERO_NPIPES; i++)
		zero_pipe_flush(&z->pipe[i], status);
	for (unsigned i = 0; i < ZERO_NPAIRS; i++)
		zero_loop_reset(&z->loop[i]);
}

/* The pipes are new: what was held for the old ones has nobody behind it. */
static void zero_configured(struct gadget *g)
{
	flush(zero_of(g), USB_ERROR);
}

static void zero_halt(struct gadget *g, uint8_t ep, bool halted)
{
	struct zero_pipe *p = pipe_of(zero_of(g), ep);

	if (halted && p)
		zero_pipe_flush(p, USB_STALL);
}

static const struct gadget_ops gadget_ops = {
	.transfer = zero_transfer,
	.control = zero_control,
	.configured = zero_configured,
	.halt = zero_halt,
};

static void zero_cancel(struct usb_dev *d, struct usb_xfer *t)
{
	struct zero_pipe *p = pipe_of((struct zero *)d, t->ep);

	if (p)
		zero_pipe_cancel(p, t);
}

static void zero_reset(struct usb_dev *d)
{
	struct zero *z = (struct zero *)d;

	gadget_reset(&z->g);
	flush(z, USB_CANCELLED);
	usb_dev_reset_done(d, true);
}

/* The guest's schedule is what paces the endpoint. */
static void zero_ep_enable(struct usb_dev *d, const struct usb_ep_info *info)
{
	struct zero_pipe *p = pipe_of((struct zero *)d, info->ep);

	if (!p || p->pair == ZERO_BULK || info->interval > 15)
		return;
	p->pace.interval_ns = 125000ull << info->interval;
	zero_pipe_restart(p);
}

/* The bytes behind the last that is not 0 need not be kept. */
static void snap_control(struct snap *s, uint8_t *buf)
{
	uint32_t n = ZERO_CONTROL_BYTES;

	while (!s->reading && n > 0 && buf[n - 1] == 0)
		n--;
	SNAP_MAX(s, n, ZERO_CONTROL_BYTES);
	if (s->reading)
		memset(buf, 0, ZERO_CONTROL_BYTES);
	if (!s->err)
		snap_bytes(s, buf, n);
}

static void zero_snap(struct usb_dev *d, struct snap *s)
{
	struct zero *z = (struct zero *)d;

	gadget_snap(&z->g, s);
	snap_control(s, z->control);
	for (unsigned i = 0; i < ZERO_NPAIRS; i++)
		zero_loop_snap(&z->loop[i], s);
}

static void zero_free(struct usb_dev *d)
{
	struct zero *z = (struct zero *)d;

	for (unsigned i = 0; i < ZERO_NPIPES; i++)
		pm_timer_cancel(d->pm, &z->pipe[i].timer);
	for (unsigned i = 0; i < ZERO_NPAIRS; i++)
		zero_loop_fini(&z->loop[i]);
	free(z->control);
	free(z);
}

static const struct usb_dev_ops dev_ops = {
	.name = "zero",
	.submit = gadget_submit,
	.cancel = zero_cancel,
	.reset = zero_reset,
	.ep_enable = zero_ep_enable,
	.snap = zero_snap,
	.free = zero_free,
};

static int zero_alloc(struct zero *z)
{
	int rc = 0;

	z->control = calloc(1, ZERO_CONTROL_BYTES);
	for (unsigned i = 0; i < ZERO_NPAIRS && rc == 0; i++)
		rc = zero_loop_init(&z->loop[i]);
	return z->control ? rc : -ENOMEM;
}

int zero_open(enum usb_speed speed, enum zero_pattern pattern,
	      struct usb_dev **ret_dev, char *err, size_t errlen)
{
	struct zero *z;

	if (speed != USB_SPEED_FULL && speed != USB_SPEED_HIGH &&
	    speed != USB_SPEED_SUPER && speed != USB_SPEED_SUPER_PLUS) {
		snprintf(err, errlen,
			 "it cannot have this speed:"
			 " use full, high, super or super+");
		return -EINVAL;
	}
	z = calloc(1, sizeof(*z));
	if (!z)
		goto no_memory;
	gadget_init(&z->g, &dev_ops, &gadget_ops, &zero_desc, speed);
	z->pattern = pattern;
	for (unsigned i = 0; i < ZERO_NPIPES; i++)
		zero_pipe_init(z, &z->pipe[i], (enum zero_pair)(i / 2), i % 2);
	if (zero_alloc(z) != 0)
		goto free_zero;
	z->g.string[GADGET_STR_VENDOR] = "vxhci";
	z->g.string[GADGET_STR_PRODUCT] = "Gadget Zero";
	z->g.string[GADGET_STR_SERIAL] = "0123456789.0123456789.0123456789";
	z->g.string[ZERO_STR_SOURCE_SINK] = "source and sink data";
	z->g.string[ZERO_STR_LOOPBACK] = "loop input to output";
	snprintf(z->g.dev.label, sizeof(z->g.dev.label), "zero");
	*ret_dev = &z->g.dev;
	return 0;
free_zero:
	zero_free(&z->g.dev);
no_memory:
	snprintf(err, errlen, "out of memory: free some");
	return -ENOMEM;
}
