/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/lib/gdrv_emu.h"
#include "tests/lib/gdrv_record.h"

#define NOINLINE __attribute__((noinline))

NOINLINE void lib_enter_write(struct xhci *x, uint32_t off, unsigned size,
			      uint64_t v)
{
	xhci_mmio_write(x, off, size, v);
	__asm__ volatile("");
}

NOINLINE uint64_t lib_enter_read(struct xhci *x, uint32_t off, unsigned size)
{
	uint64_t v = xhci_mmio_read(x, off, size);

	__asm__ volatile("");
	return v;
}

NOINLINE bool lib_enter_run(struct xhci *x)
{
	bool more = xhci_run(x);

	__asm__ volatile("");
	return more;
}

NOINLINE void lib_enter_timer(struct xhci *x)
{
	xhci_timer(x);
	__asm__ volatile("");
}

NOINLINE void lib_enter_done(struct xhci *x, struct usb_xfer *t)
{
	xhci_xfer_done(x, t);
	__asm__ volatile("");
}

static int emu_mem_get(void *host, uint64_t gpa, size_t len, bool write,
		       struct xhci_span *ret)
{
	struct gdrv_emu *e = host;
	struct guest_region *r = guestmem_find(e->gm, gpa);
	size_t left;

	e->mem_gets++;
	if (!r || (write && !r->writable))
		return -EFAULT;
	left = r->len - (size_t)(gpa - r->gpa);
	ret->base = r->base + (gpa - r->gpa);
	ret->len = len < left ? len : left;
	ret->hold = r;
	return 0;
}

static void emu_mem_hold(void *host, void *hold)
{
	struct gdrv_emu *e = host;

	(void)hold;
	e->holds++;
}

static void emu_mem_drop(void *host, void *hold)
{
	struct gdrv_emu *e = host;

	(void)hold;
	e->holds--;
}

static void emu_intr_msg(void *host, unsigned intr)
{
	struct gdrv_emu *e = host;

	e->msgs[intr]++;
}

static void emu_intr_pin(void *host, bool level)
{
	struct gdrv_emu *e = host;

	if (level && !e->pin)
		e->pin_rises++;
	e->pin = level;
}

static uint64_t emu_now(void *host)
{
	struct gdrv_emu *e = host;

	return e->now;
}

static void emu_timer_set(void *host, uint64_t at_ns)
{
	struct gdrv_emu *e = host;

	e->timer_at = at_ns;
}

static void emu_kick(void *host)
{
	struct gdrv_emu *e = host;

	e->kicked = true;
}

static void emu_log(void *host, enum xhci_log level, const char *line)
{
	struct gdrv_emu *e = host;

	if (!e->quiet && level <= XHCI_LOG_WARN)
		fprintf(stderr, "xhci: %s\n", line);
}

static const struct xhci_host_ops emu_host_ops = {
	.mem_get = emu_mem_get,
	.mem_hold = emu_mem_hold,
	.mem_drop = emu_mem_drop,
	.intr_msg = emu_intr_msg,
	.intr_pin = emu_intr_pin,
	.now_ns = emu_now,
	.timer_set = emu_timer_set,
	.kick = emu_kick,
	.log = emu_log,
};

int gdrv_emu_init(struct gdrv_emu *e, struct guestmem *gm,
		  const struct xhci_config *cfg)
{
	static const struct xhci_config dflt = {.usb2_ports = 4,
						.usb3_ports = 4};
	int rc;

	memset(e, 0, sizeof(*e));
	e->gm = gm;
	e->now = 1000000000;
	e->timer_at = UINT64_MAX;
	cfg = cfg ? cfg : &dflt;
	rc = xhci_create(cfg, &emu_host_ops, e, &e->x);
	if (rc)
		return rc;
	e->record = gdrv_record_open();
	if (e->record) {
		rc = record_stream_add(e->record, e->x, cfg, "emu", &e->stream);
		if (rc)
			return rc;
		record_stream_live(e->stream);
	}
	xhci_set_intr_mode(e->x, XHCI_INTR_MSG);
	xhci_set_bus_master(e->x, true);
	return 0;
}

void gdrv_emu_poll(struct gdrv_emu *e, bool (*poll)(void *p), void *p)
{
	e->dev[e->ndevs].poll = poll;
	e->dev[e->ndevs++].p = p;
}

static void bus_run(void *p)
{
	struct gdrv_emu *e = p;
	bool more;

	do {
		more = false;
		if (e->timer_at <= e->now) {
			e->timer_at = UINT64_MAX;
			lib_enter_timer(e->x);
			more = true;
		}
		if (e->kicked) {
			e->kicked = false;
			if (lib_enter_run(e->x))
				e->kicked = true;
			more = true;
		}
		for (unsigned i = 0; i < e->ndevs; i++)
			more |= e->dev[i].poll(e->dev[i].p);
	} while (more);
}

/* Time goes in steps, from one thing that is due to the next. */
static void bus_advance(void *p, uint64_t ns)
{
	struct gdrv_emu *e = p;
	uint64_t end = e->now + ns;

	bus_run(e);
	while (e->timer_at <= end) {
		if (e->timer_at > e->now)
			e->now = e->timer_at;
		bus_run(e);
	}
	e->now = end;
	bus_run(e);
}

static uint64_t bus_read(void *p, uint32_t off, unsigned size)
{
	struct gdrv_emu *e = p;

	return lib_enter_read(e->x, off, size);
}

static void bus_write(void *p, uint32_t off, unsigned size, uint64_t v)
{
	struct gdrv_emu *e = p;

	lib_enter_write(e->x, off, size, v);
}

static uint64_t bus_now(void *p)
{
	struct gdrv_emu *e = p;

	return e->now;
}

static uint64_t bus_intrs(void *p, unsigned vector)
{
	struct gdrv_emu *e = p;

	return vector < XHCI_NINTRS ? e->msgs[vector] : 0;
}

const struct gdrv_bus gdrv_emu_bus = {
	.read = bus_read,
	.write = bus_write,
	.run = bus_run,
	.now_ns = bus_now,
	.advance = bus_advance,
	.intrs = bus_intrs,
};

void gdrv_emu_fini(struct gdrv_emu *e)
{
	if (!e->x)
		return;
	xhci_reset(e->x);
	for (unsigned n = 0; n < 1000 && xhci_in_flight(e->x); n++)
		bus_advance(e, 1000000);
	bus_run(e);
	xhci_destroy(e->x);
	e->x = NULL;
	if (e->record)
		record_stream_end(e->stream);
	vxhci_record_close(e->record);
	e->record = NULL;
}
