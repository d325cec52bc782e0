/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emu_play.h - for emu_fuzz: the operations of emu_ops.h, and the machine that
 * they are done to.
 */
#ifndef TESTS_FUZZ_EMU_PLAY_H
#define TESTS_FUZZ_EMU_PLAY_H

#include "tests/fuzz/emu_guest.h"
#include "emu/snap.h"

#define MAX_SNAPSHOTS 32u

/* What a device does with a payload, as far as it is short */
static void use_payload(struct usb_xfer *t)
{
	static uint8_t buf[4096];
	uint32_t len = t->length < sizeof(buf) ? t->length : sizeof(buf);

	if (usb_xfer_flat(t) && t->length)
		*(volatile uint8_t *)usb_xfer_flat(t);
	if (!t->in)
		usb_xfer_gather(t, t->length / 3, buf, len);
	else if (len & 1)
		usb_xfer_fill(t, 0, 0x5a, len);
	else
		usb_xfer_scatter(t, t->length / 3, buf, len);
}

/* The device ends its transfer @i. */
static void end_one(struct fake_dev *d, unsigned i, unsigned status,
		    uint32_t actual, unsigned packet)
{
	struct usb_xfer *t = d->held[i];

	use_payload(t);
	if (t->npackets) {
		t->packet[0].actual = actual <= t->length ? actual : t->length;
		t->packet[0].status = packet % USB_NSTATUS;
	}
	dev_end(d, i, status % USB_NSTATUS, actual);
}

static void op_done(struct fuzz *z)
{
	struct fake_dev *d = &z->f->dev[a_port(z)];
	unsigned i = below(z, 256), status = below(z, 256);
	uint32_t actual = draw(z, 4);
	unsigned packet = below(z, 256);

	if (d->nheld)
		end_one(d, i % d->nheld, status, actual, packet);
}

static void op_flush(struct fuzz *z)
{
	struct fake_dev *d = &z->f->dev[a_port(z)];
	unsigned status = below(z, 256) % USB_NSTATUS;

	for (unsigned n = d->nheld; n && d->nheld; n--)
		end_one(d, 0, status, status == USB_OK ? d->held[0]->length : 0,
			status);
}

static void op_cancelled(struct fuzz *z)
{
	unsigned p = a_port(z);

	dev_end_cancelled(&z->f->dev[p], draw(z, 2));
}

static void op_plug(struct fuzz *z)
{
	unsigned p = a_port(z), speed = below(z, 256) % (USB_SPEED_MAX + 2);
	struct fake_dev *d = &z->f->dev[p];

	if (d->nheld)
		return;
	d->eps = 0;
	d->f = z->f;
	d->port = p;
	xhci_port_connect(z->f->x, p, (enum usb_speed)speed, &fake_port_ops, d);
}

static void op_port(struct fuzz *z)
{
	struct xhci *x = z->f->x;
	unsigned p = a_port(z), what = below(z, 256);
	uint32_t v = rnd(z);

	if (what == PORT_WAKE)
		xhci_port_wake(x, p);
	else if (what < PORT_NOTIFY1)
		xhci_port_fault(x, p,
				(enum xhci_port_fault)(what - PORT_FAULT1));
	else
		xhci_port_notify(x, p, (what - PORT_NOTIFY1) % 17, v);
}

static void op_mem(struct fuzz *z)
{
	uint64_t gpa = rnd(z);
	unsigned n = below(z, 256);

	for (; n; n--, gpa++) {
		uint8_t b = (uint8_t)below(z, 256);

		if (in_mem(gpa, 1))
			z->f->mem[gpa] = b;
	}
}

static void op_events(struct fuzz *z)
{
	unsigned n = below(z, XHCI_NINTRS);
	struct xhci_trb ev;

	for (unsigned i = 0; i < 4096 && ev_take(z->f, n, &ev); i++)
		continue;
	ev_ack(z->f, n);
}

/* An event ring: how many segments of how many TRBs */
static void op_ev_ring(struct fuzz *z)
{
	struct fake *f = z->f;
	unsigned n = below(z, XHCI_NINTRS), segs = below(z, 18);
	unsigned size = below(z, 256), was = f->ev_size, had = f->ev_nseg;

	f->ev_nseg = segs < 16 ? segs : 15;
	f->ev_size = size;
	setup_events(f, n);
	if (segs > 16)
		wr(f, REG_IR(n, IR_ERSTSZ), 0xffff);
	/* all rings are read as this one from now on, if it can be */
	if (segs == 0 || size == 0) {
		f->ev_nseg = had;
		f->ev_size = was;
	}
}

static void op_host(struct fuzz *z)
{
	struct xhci *x = z->f->x;
	unsigned what = below(z, HOST_NWHATS);

	if (what <= HOST_BUS_MASTER)
		xhci_set_bus_master(x, what == HOST_BUS_MASTER);
	else if (what <= HOST_PIN)
		xhci_set_intr_mode(x,
				   (enum xhci_intr_mode)(what - HOST_NO_INTR));
	else if (what == HOST_RESET)
		xhci_reset(x);
	else if (what == HOST_MEM_LOST)
		xhci_mem_lost(x);
	else if (what <= HOST_PAUSE_REQUESTS)
		xhci_pause(x, what == HOST_PAUSE_REQUESTS);
	else
		xhci_resume(x);
}

static void op_shape(struct fuzz *z)
{
	struct fake *f = z->f;

	f->hole = (uint64_t)draw(z, 2) % (MEM_SIZE / 4096) * 4096;
	f->page = below(z, 256);
	f->page = f->page ? 32u << f->page % 8 : 0;
	f->read_only = (uint64_t)draw(z, 2) % (MEM_SIZE / 4096) * 4096;
}

/* --- a snapshot, and another controller that goes on --- */

struct taken {
	uint8_t *buf;
	size_t len;
	bool same; /* as it was */
};

static void snapshot_change(struct fuzz *z, struct taken *t)
{
	unsigned cut = draw(z, 2), n = below(z, 256) & 15;
	uint32_t sum;

	if (cut && cut < t->len - SNAP_TAIL) {
		t->len = cut + SNAP_TAIL;
		t->same = false;
	}
	for (; n; n--) {
		unsigned at = draw(z, 2), bits = draw(z, 1);

		if (at >= t->len - SNAP_TAIL)
			continue;
		t->buf[at] ^= (uint8_t)bits;
		t->same = t->same && !bits;
	}
	sum = snap_sum(t->buf, t->len - SNAP_TAIL);
	memcpy(t->buf + t->len - SNAP_TAIL, &sum, SNAP_TAIL);
}

/* A new controller with the devices of the old; -errno, or it is f->x now */
static int restore_into(struct fake *f, const struct taken *t, unsigned how,
			uint32_t new_ports)
{
	struct xhci *old = f->x, *x;
	int rc = xhci_create(&old->cfg, &fake_ops, f, &x);

	if (rc != 0)
		return rc;
	for (unsigned i = 0; i < old->nports && !(how & SNAP_UNPLUGGED); i++)
		if (old->port[i].ops)
			xhci_port_connect(x, i + 1,
					  (enum usb_speed)old->port[i].speed,
					  old->port[i].ops, old->port[i].dev);
	rc = xhci_restore(x, t->buf, t->len,
			  how & SNAP_NEW_DEVICES ? new_ports : 0);
	if (rc != 0) {
		assert_true(xhci_is_unused(x));
		xhci_destroy(x);
		return rc;
	}
	if (host.tap)
		xhci_set_tap(x, host.tap, host.tap_arg);
	xhci_set_bus_master(x, old->bus_master);
	xhci_set_intr_mode(x, (enum xhci_intr_mode)old->intr_mode);
	xhci_destroy(old);
	f->x = x;
	return 0;
}

static void op_snapshot(struct fuzz *z)
{
	struct fake *f = z->f;
	unsigned how = below(z, 256);
	struct taken t = {.same = true};
	bool kicked, pin, could_fail = host.no_memory != 0;
	uint64_t timer_at;
	int rc;

	if (++host.snapshots > MAX_SNAPSHOTS)
		return;
	if (!(how & SNAP_BUSY)) {
		xhci_pause(f->x, how & SNAP_REQUESTS);
		for (unsigned i = 0; i < 4; i++) {
			turn(z);
			for (unsigned p = 1; p <= XHCI_MAX_PORTS; p++)
				dev_end_all(&f->dev[p], USB_CANCELLED);
		}
	}
	rc = xhci_snapshot(f->x, &t.buf, &t.len);
	if (rc != 0) {
		xhci_resume(f->x);
		return;
	}
	snapshot_change(z, &t);
	kicked = f->kicked;
	pin = f->pin;
	timer_at = f->timer_at;
	f->kicked = f->pin = false;
	f->timer_at = NO_TIME;
	rc = restore_into(f, &t, how, (uint32_t)z->left * 0x9e3779b9u);
	/* its own it takes */
	assert_true(rc == 0 || !t.same || could_fail);
	if (rc != 0) {
		f->kicked = kicked;
		f->pin = pin;
		f->timer_at = timer_at;
	}
	free(t.buf);
	xhci_resume(f->x);
}

/* All goes well for a while. */
static void op_steady(struct fuzz *z)
{
	struct fake *f = z->f;

	for (unsigned n = below(z, 32); n; n--) {
		for (unsigned i = 0; i < 8 && f->kicked; i++)
			turn(z);
		for (unsigned p = 1; p <= XHCI_MAX_PORTS; p++)
			for (unsigned k = f->dev[p].nheld; k; k--)
				end_one(&f->dev[p], 0, USB_OK,
					f->dev[p].held[0]->length, USB_OK);
		for (unsigned i = 0; i < 8 && f->kicked; i++)
			turn(z);
		for (unsigned i = 0; i < 256; i++) {
			struct xhci_trb ev;

			if (!ev_take(f, 0, &ev))
				break;
		}
		ev_ack(f, 0);
		f->now += 1000000;
		xhci_timer(f->x);
	}
}

static void op_register(struct fuzz *z, unsigned op)
{
	uint32_t off = draw(z, 2) % (XHCI_MMIO_SIZE + 16);
	unsigned size = 4;

	if (op != OP_WRITE32)
		size = 1u << below(z, 5);
	if (op == OP_READ)
		xhci_mmio_read(z->f->x, off, size);
	else
		xhci_mmio_write(z->f->x, off, size,
				op == OP_WRITE32 ? rnd(z) : u64(z));
}

static void op_trbs(struct fuzz *z, unsigned op)
{
	struct fake *f = z->f;
	unsigned i, d;

	switch (op) {
	case OP_TRB:
		a_trb(z);
		break;
	case OP_TD:
		a_td(z);
		break;
	case OP_CMD:
		suited_command(z);
		break;
	case OP_CMD_RAW: {
		uint64_t param = u64(z);
		uint32_t status = rnd(z);

		a_command(f, param, status, rnd(z));
		break;
	}
	case OP_ICTX:
		i = below(z, 33);
		d = below(z, 8);
		put32(f, ictx(f, i, d), rnd(z));
		break;
	case OP_UP:
		bring_up(z);
		break;
	default:
		i = a_slot(z);
		d = below(z, 256);
		doorbell(f, i, d, draw(z, 2));
		break;
	}
}

static void op_host_wrong(struct fuzz *z, unsigned op)
{
	unsigned p;

	switch (op) {
	case OP_REFUSE:
		p = a_port(z);
		host.refuse = (host.refuse & ~(1u << p)) | below(z, 2) << p;
		break;
	case OP_NO_MEMORY:
		host.no_memory = below(z, 256);
		break;
	case OP_MEM_FAULT:
		host.fault_in = below(z, 256);
		break;
	case OP_SHAPE:
		op_shape(z);
		break;
	case OP_HOST:
		op_host(z);
		break;
	default:
		op_snapshot(z);
		break;
	}
}

static void op_device(struct fuzz *z, unsigned op)
{
	unsigned p;

	switch (op) {
	case OP_DONE:
		op_done(z);
		break;
	case OP_FLUSH:
		op_flush(z);
		break;
	case OP_CANCELLED:
		op_cancelled(z);
		break;
	case OP_PLUG:
		op_plug(z);
		break;
	case OP_UNPLUG:
		xhci_port_disconnect(z->f->x, a_port(z));
		break;
	case OP_RESET_DONE:
		p = a_port(z);
		xhci_port_reset_done(z->f->x, p, below(z, 256) & 1);
		break;
	default:
		op_port(z);
		break;
	}
}

static void op_guest(struct fuzz *z, unsigned op)
{
	struct fake *f = z->f;

	switch (op) {
	case OP_MEM:
		op_mem(z);
		break;
	case OP_RUN:
		turn(z);
		break;
	case OP_TIME:
		f->now += rnd(z);
		break;
	case OP_TIMER:
		if (below(z, 256) & 1 && f->timer_at != NO_TIME &&
		    f->timer_at > f->now)
			f->now = f->timer_at;
		xhci_timer(f->x);
		break;
	case OP_EVENTS:
		op_events(z);
		break;
	case OP_EV_RING:
		op_ev_ring(z);
		break;
	case OP_START:
		restart(z);
		break;
	default:
		op_steady(z);
		break;
	}
}

static void operation(struct fuzz *z, unsigned op)
{
	switch (op) {
	case OP_WRITE32:
	case OP_WRITE:
	case OP_READ:
		op_register(z, op);
		break;
	case OP_TRB:
	case OP_TD:
	case OP_CMD:
	case OP_CMD_RAW:
	case OP_ICTX:
	case OP_UP:
	case OP_DOORBELL:
		op_trbs(z, op);
		break;
	case OP_DONE:
	case OP_FLUSH:
	case OP_CANCELLED:
	case OP_PLUG:
	case OP_UNPLUG:
	case OP_RESET_DONE:
	case OP_PORT:
		op_device(z, op);
		break;
	case OP_REFUSE:
	case OP_NO_MEMORY:
	case OP_MEM_FAULT:
	case OP_SHAPE:
	case OP_HOST:
	case OP_SNAPSHOT:
		op_host_wrong(z, op);
		break;
	default:
		op_guest(z, op);
		break;
	}
}

#endif
