/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emu_fake.h - for the controller's unit tests, included once by each: a host
 * (guest memory, a clock that stands still, interrupts that are counted) and
 * a device that does what the test says. emu_drv.h has a guest's side.
 *
 * The fakes fail the test when the controller breaks a rule of emu/xhci.h or
 * emu/usb.h: a transfer completed twice, cancelled twice or cancelled after
 * its end, memory held and not dropped, a transfer left behind.
 */
#ifndef TESTS_EMU_FAKE_H
#define TESTS_EMU_FAKE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "emu/core.h"

#define MAYBE __attribute__((unused)) static

#ifndef MEM_SIZE
#define MEM_SIZE (16u << 20) /* guest memory: [MEM_LOW, MEM_SIZE) */
#endif
#define MEM_LOW 0x1000u
#ifndef DEV_XFERS
#define DEV_XFERS 2048u
#endif
#define NO_TIME UINT64_MAX

struct fake_dev {
	struct fake *f;
	unsigned port;
	bool refuse; /* submit() says -EIO */
	/* what the device holds, oldest first */
	struct usb_xfer *held[DEV_XFERS];
	bool cancelled[DEV_XFERS];
	unsigned nheld;
	unsigned submits, cancels, resets, warm_resets;
	unsigned suspends, resumes, ep_enables, ep_disables;
	uint32_t eps; /* enabled: bit 2 * number + in */
	/* cancels in the order they came */
	struct usb_xfer *cancel_order[DEV_XFERS];
};

/* One fake machine. */
struct fake {
	struct xhci *x;
	uint8_t *mem;       /* MEM_SIZE bytes, owned */
	uint32_t page;      /* 0, or: no span crosses a multiple of this */
	uint64_t hole;      /* one page (4 KiB) that is not there; 0: none */
	uint64_t read_only; /* one page that cannot be written; 0: none */
	unsigned accesses;  /* mem_get() calls */
	/* called before guest memory at @gpa is written; NULL: nobody cares */
	void (*on_write)(struct fake *f, uint64_t gpa);
	/* called when guest memory is looked for; NULL: nobody cares */
	void (*on_get)(void);
	/* a control endpoint may share its address with a bulk one */
	bool lenient;
	bool round; /* memory at both ends of the address space */
	int holds;
	uint64_t now, timer_at;
	unsigned kicks, msgs[XHCI_NINTRS], pin_edges, logs, pmes;
	bool kicked, pin;
	/* reads of each 16 bytes since count_reads(), for one operation */
	uint8_t *reads;
	struct fake_dev dev[XHCI_MAX_PORTS + 1];

	/* the guest's side, emu_drv.h */
	uint64_t cmd_at, brk;
	bool cmd_cycle;
	struct {
		unsigned seg, idx;
		bool cycle;
	} ev[XHCI_NINTRS];
	unsigned ev_nseg, ev_size;
	struct xhci_trb seen[4096]; /* events taken from the rings */
	uint8_t seen_on[4096];      /* and the interrupter of each */
	unsigned nseen;
	struct xhci_trb cmd_event; /* of the last command */
	bool scan;                 /* cmd() looks for its event */
};

static int fake_mem_get(void *host, uint64_t gpa, size_t len, bool write,
			struct xhci_span *ret)
{
	struct fake *f = host;
	size_t left;

	f->accesses++;
	if (f->on_get)
		f->on_get();
	if (f->round && gpa >= UINT64_MAX - 4095) {
		left = (size_t)(UINT64_MAX - gpa) + 1;
		ret->len = len < left ? len : left;
		ret->base = ret->hold = f->mem;
		return 0;
	}
	if ((gpa < MEM_LOW && !f->round) || gpa >= MEM_SIZE)
		return -EFAULT;
	if (f->hole && gpa / 4096 == f->hole / 4096)
		return -EFAULT;
	if (write && f->read_only && gpa / 4096 == f->read_only / 4096)
		return -EFAULT;
	if (write && f->on_write)
		f->on_write(f, gpa);
	left = MEM_SIZE - gpa;
	if (f->hole && gpa < f->hole && f->hole - gpa < left)
		left = f->hole - gpa;
	if (f->page && f->page - gpa % f->page < left)
		left = f->page - gpa % f->page;
	ret->len = len < left ? len : left;
	ret->base = f->mem + gpa;
	ret->hold = f->mem + (f->page ? gpa / f->page : 0);
	if (f->reads && !write)
		for (uint64_t g = gpa / 16; g <= (gpa + ret->len - 1) / 16; g++)
			f->reads[g] = (uint8_t)(f->reads[g] + 1);
	return 0;
}

static void fake_mem_hold(void *host, void *hold)
{
	struct fake *f = host;

	assert_non_null(hold);
	f->holds++;
}

static void fake_mem_drop(void *host, void *hold)
{
	struct fake *f = host;

	assert_non_null(hold);
	assert_true(f->holds > 0);
	f->holds--;
}

static void fake_intr_msg(void *host, unsigned n)
{
	struct fake *f = host;

	assert_true(n < XHCI_NINTRS);
	f->msgs[n]++;
}

static void fake_intr_pin(void *host, bool level)
{
	struct fake *f = host;

	assert_true(f->pin != level);
	f->pin = level;
	f->pin_edges++;
}

static uint64_t fake_now(void *host)
{
	return ((struct fake *)host)->now;
}

static void fake_timer_set(void *host, uint64_t at)
{
	((struct fake *)host)->timer_at = at;
}

static void fake_kick(void *host)
{
	struct fake *f = host;

	assert_false(f->kicked); /* again only after xhci_run() said false */
	f->kicked = true;
	f->kicks++;
}

static void fake_log(void *host, enum xhci_log level, const char *line)
{
	(void)level;
	assert_null(strchr(line, '\n'));
	((struct fake *)host)->logs++;
}

static void fake_pme(void *host)
{
	((struct fake *)host)->pmes++;
}

static const struct xhci_host_ops fake_ops = {
	fake_mem_get,  fake_mem_hold, fake_mem_drop,  fake_intr_msg,
	fake_intr_pin, fake_now,      fake_timer_set, fake_kick,
	fake_log,      fake_pme};

static int fake_submit(void *dev, struct usb_xfer *t)
{
	struct fake_dev *d = dev;

	d->submits++;
	if (d->refuse)
		return -EIO;
	assert_true(d->nheld < DEV_XFERS);
	for (unsigned i = 0; i < d->nheld; i++)
		assert_ptr_not_equal(d->held[i], t);
	t->dev_priv = d;
	d->cancelled[d->nheld] = false;
	d->held[d->nheld++] = t;
	return 0;
}

static void fake_cancel(void *dev, struct usb_xfer *t)
{
	struct fake_dev *d = dev;

	for (unsigned i = 0; i < d->nheld; i++) {
		if (d->held[i] != t)
			continue;
		assert_false(d->cancelled[i]);
		d->cancelled[i] = true;
		d->cancel_order[d->cancels++ % DEV_XFERS] = t;
		return;
	}
	fail_msg("cancel of a transfer that is not there");
}

static void fake_reset(void *dev, bool warm)
{
	struct fake_dev *d = dev;

	d->resets++;
	d->warm_resets += warm;
}

static void fake_ep_enable(void *dev, const struct usb_ep_info *i)
{
	struct fake_dev *d = dev;
	uint32_t bit = 1u << ((i->ep & 15) * 2 + (i->ep >> 7));

	assert_true(!(d->eps & bit) || d->f->lenient);
	d->eps |= bit;
	d->ep_enables++;
}

static void fake_ep_disable(void *dev, uint8_t ep)
{
	struct fake_dev *d = dev;
	uint32_t bit = 1u << ((ep & 15) * 2 + (ep >> 7));

	assert_true(d->eps & bit || d->f->lenient);
	for (unsigned i = 0; i < d->nheld && !d->f->lenient; i++)
		assert_int_not_equal(d->held[i]->ep, ep);
	d->eps &= ~bit;
	d->ep_disables++;
}

static void fake_suspend(void *dev, bool on)
{
	struct fake_dev *d = dev;

	d->suspends += on;
	d->resumes += !on;
}

static const struct usb_port_ops fake_port_ops = {
	fake_submit,    fake_cancel,     fake_reset,
	fake_ep_enable, fake_ep_disable, fake_suspend};

/* The device ends held[i]. The slot is free before the controller hears. */
MAYBE void dev_end(struct fake_dev *d, unsigned i, enum usb_status st,
		   uint32_t actual)
{
	struct usb_xfer *t = d->held[i];

	assert_true(i < d->nheld);
	d->nheld--;
	for (; i < d->nheld; i++) {
		d->held[i] = d->held[i + 1];
		d->cancelled[i] = d->cancelled[i + 1];
	}
	t->status = st;
	t->actual = actual;
	xhci_xfer_done(d->f->x, t);
}

/* Answer every cancel, youngest first, with @actual bytes each. */
MAYBE void dev_end_cancelled(struct fake_dev *d, uint32_t actual)
{
	for (unsigned i = d->nheld; i-- > 0;)
		if (d->cancelled[i])
			dev_end(d, i, USB_CANCELLED, actual);
}

MAYBE void dev_end_all(struct fake_dev *d, enum usb_status st)
{
	while (d->nheld)
		dev_end(d, 0, st, st == USB_OK ? d->held[0]->length : 0);
}

/* Let the controller work until it has nothing to do. */
MAYBE void run(struct fake *f)
{
	unsigned n = 0;

	while (f->kicked) {
		while (xhci_run(f->x))
			assert_true(n++ < 100000);
		f->kicked = false;
	}
}

/* Let @ns pass; the timer goes off where it was set. */
MAYBE void advance(struct fake *f, uint64_t ns)
{
	uint64_t end = f->now + ns;

	while (f->timer_at <= end) {
		uint64_t at = f->timer_at;

		f->now = at > f->now ? at : f->now;
		xhci_timer(f->x);
		run(f);
		assert_true(f->timer_at > at); /* no timer that spins */
	}
	f->now = end;
}

MAYBE void fake_plug(struct fake *f, unsigned port, enum usb_speed speed)
{
	struct fake_dev *d = &f->dev[port];

	d->f = f;
	d->port = port;
	assert_int_equal(
		xhci_port_connect(f->x, port, speed, &fake_port_ops, d), 0);
}

/* A fuzzer has a faster way: FAKE_MEM */
#ifndef FAKE_MEM
static uint8_t *fake_mem_new(void)
{
	return calloc(1, MEM_SIZE);
}

static void fake_mem_free(uint8_t *mem)
{
	free(mem);
}
#endif

MAYBE struct fake *fake_new_cfg(const struct xhci_config *cfg)
{
	struct fake *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	f->mem = fake_mem_new();
	assert_non_null(f->mem);
	f->timer_at = NO_TIME;
	f->now = 1000000;
	f->ev_nseg = 1;
	f->ev_size = 256;
	f->brk = 0x400000;
	assert_int_equal(xhci_create(cfg, &fake_ops, f, &f->x), 0);
	xhci_set_bus_master(f->x, true);
	xhci_set_intr_mode(f->x, XHCI_INTR_MSG);
	run(f);
	return f;
}

/* Four USB 2 ports (1..4), four USB 3 ports (5..8). */
MAYBE struct fake *fake_new(void)
{
	static const struct xhci_config cfg = {.usb2_ports = 4,
					       .usb3_ports = 4};

	return fake_new_cfg(&cfg);
}

/* The end of each test: all transfers come back, nothing stays behind. */
MAYBE void fake_free(struct fake *f)
{
	xhci_reset(f->x);
	for (unsigned p = 1; p <= XHCI_MAX_PORTS; p++)
		dev_end_all(&f->dev[p], USB_NODEV);
	run(f);
	assert_int_equal(xhci_in_flight(f->x), 0);
	assert_int_equal(f->holds, 0);
	assert_int_equal(xhci_mmio_read(f->x, 0x44, 4) & STS_CNR, 0);
	xhci_destroy(f->x);
	free(f->reads);
	fake_mem_free(f->mem);
	free(f);
}

#endif
