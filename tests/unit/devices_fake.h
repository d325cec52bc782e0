/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * devices_fake.h - the mapper's side of a built-in device, for tests of
 * devices/ alone: completions are noted in the transfer, jobs wait until the
 * test runs them. One includes it once, in the test's only file.
 */
#ifndef TESTS_DEVICES_FAKE_H
#define TESTS_DEVICES_FAKE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pmapper/pmapper.h"

#define FAKE_SEGS 2048

/* A transfer with its memory and what became of it. */
struct fake_xfer {
	struct usb_xfer x; /* first */
	struct usb_seg seg[FAKE_SEGS];
	uint8_t *mem; /* owned */
	bool done;
};

static struct fake {
	bool refuse_work; /* pm_work_submit() fails */
	bool many;        /* more than one job may wait */
	bool may_go;      /* it may unplug itself */
	unsigned gone;
	struct pm_work *work; /* the jobs that wait, in order */
	unsigned jobs;        /* that were given to the worker */
	unsigned completions, resets, logs, wakes;
} fake;

void usb_dev_complete(struct usb_dev *d, struct usb_xfer *t,
		      enum usb_status status, uint32_t actual)
{
	struct fake_xfer *f = (struct fake_xfer *)t;

	assert_non_null(d);
	assert_false(f->done); /* exactly once */
	assert_true(actual <= t->length);
	f->done = true;
	t->status = status;
	t->actual = actual;
	fake.completions++;
}

void usb_dev_reset_done(struct usb_dev *d, bool ok)
{
	(void)d;
	assert_true(ok);
	fake.resets++;
}

void usb_dev_gone(struct usb_dev *d)
{
	(void)d;
	assert_true(fake.may_go);
	fake.gone++;
}

void usb_dev_wake(struct usb_dev *d)
{
	(void)d;
	fake.wakes++;
}

void usb_dev_log(struct usb_dev *d, enum xhci_log level, const char *fmt, ...)
{
	(void)d;
	(void)fmt;
	if (level <= XHCI_LOG_WARN)
		fake.logs++;
}

int pm_work_submit(struct pmapper *pm, struct pm_work *w)
{
	struct pm_work **end = &fake.work;

	assert_non_null(pm);
	if (fake.refuse_work)
		return -EAGAIN;
	if (!fake.many)
		assert_null(fake.work); /* one command, one job */
	while (*end) {
		assert_ptr_not_equal(*end, w);
		end = &(*end)->next;
	}
	w->next = NULL;
	*end = w;
	fake.jobs++;
	return 0;
}

/* The worker runs one job, the next or a later one: is there one? */
static inline bool fake_work_one(unsigned skip)
{
	struct pm_work **p = &fake.work, *w;

	while (skip-- > 0 && *p && (*p)->next)
		p = &(*p)->next;
	w = *p;
	if (!w)
		return false;
	*p = w->next;
	w->run(w);
	w->done(w);
	return true;
}

/* The worker runs until it has no job. Returns how many it ran. */
static inline unsigned fake_work(void)
{
	unsigned n = 0;

	while (fake_work_one(0))
		n++;
	return n;
}

static size_t fake_copy(const struct usb_xfer *x, size_t off, uint8_t *out,
			const uint8_t *in, int fill, size_t len)
{
	size_t done = 0;

	for (uint32_t i = 0; i < x->nseg && done < len; i++) {
		const struct usb_seg *s = &x->seg[i];
		size_t n;

		if (off >= s->len) {
			off -= s->len;
			continue;
		}
		n = s->len - off < len - done ? s->len - off : len - done;
		if (out)
			memcpy(out + done, s->base + off, n);
		else if (in)
			memcpy(s->base + off, in + done, n);
		else
			memset(s->base + off, fill, n);
		done += n;
		off = 0;
	}
	return done;
}

size_t usb_xfer_gather(const struct usb_xfer *x, size_t off, void *buf,
		       size_t len)
{
	return fake_copy(x, off, buf, NULL, 0, len);
}

size_t usb_xfer_scatter(struct usb_xfer *x, size_t off, const void *buf,
			size_t len)
{
	return fake_copy(x, off, NULL, buf, 0, len);
}

size_t usb_xfer_fill(struct usb_xfer *x, size_t off, int byte, size_t len)
{
	return fake_copy(x, off, NULL, NULL, byte, len);
}

/*
 * A transfer of @len bytes in segments of @seg bytes (0: one). IN memory is
 * 0xee, so that what was not written shows.
 */
static inline struct fake_xfer *fake_xfer(uint8_t ep, const void *data,
					  size_t len, size_t seg)
{
	struct fake_xfer *f = calloc(1, sizeof(*f));
	size_t off = 0;

	assert_non_null(f);
	f->mem = malloc(len ? len : 1);
	assert_non_null(f->mem);
	if (data)
		memcpy(f->mem, data, len);
	else
		memset(f->mem, 0xee, len);
	f->x.ep = ep;
	f->x.type = (ep & 15) ? USB_BULK : USB_CONTROL;
	f->x.in = (ep & USB_DIR_IN) != 0;
	f->x.length = (uint32_t)len;
	f->x.seg = f->seg;
	if (seg == 0 || len / seg + 1 > FAKE_SEGS)
		seg = len;
	while (off < len) {
		size_t n = len - off < seg ? len - off : seg;

		f->seg[f->x.nseg++] =
			(struct usb_seg){.base = f->mem + off, .len = n};
		off += n;
	}
	return f;
}

static inline void fake_xfer_free(struct fake_xfer *f)
{
	assert_true(f->done);
	free(f->mem);
	free(f);
}

static inline void fake_submit(struct usb_dev *d, struct fake_xfer *f)
{
	assert_int_equal(d->ops->submit(d, &f->x), 0);
}

/*
 * A control request: @buf is sent, or filled. Returns the bytes moved, or
 * -EPIPE for a STALL.
 */
static inline int fake_control(struct usb_dev *d, uint8_t type, uint8_t request,
			       uint16_t value, uint16_t index, void *buf,
			       uint16_t length)
{
	bool in = (type & USB_DIR_IN) != 0;
	struct fake_xfer *f = fake_xfer(0, in ? NULL : buf, length, 3);
	int rc;

	f->x.in = in;
	f->x.setup = (struct usb_setup){type, request, value, index, length};
	fake_submit(d, f);
	assert_true(f->done);
	assert_true(f->x.status == USB_OK || f->x.status == USB_STALL);
	rc = f->x.status == USB_OK ? (int)f->x.actual : -EPIPE;
	if (in && rc > 0)
		memcpy(buf, f->mem, (size_t)rc);
	fake_xfer_free(f);
	return rc;
}

#endif
