/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embed_snap.c - a controller with its devices as bytes and back, for a VMM
 * that suspends or moves its guest.
 *
 * Devices first, each as long as it says, so that one that is not there can be
 * passed over; then the PCI function; the controller, which goes all or not at
 * all, at the end.
 */
#include "vmm/embed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "emu/snap.h"

#define MAGIC 0x6d6d766963687876ull /* "vxhcivmm" */
#define VERSION 1u
#define NAME_MAX_LEN 31u
#define TURN_NS 20000000u /* devices have at least so long between two */

/* The device in @port, if it can move; or NULL */
static struct usb_dev *mover(const struct vxhci *v, unsigned port)
{
	struct usb_dev *d = pmapper_device(v->pm, port);

	return d != NULL && d->ops->snap != NULL ? d : NULL;
}

static void snap_head(const struct vxhci *v, struct snap *s)
{
	uint64_t magic = MAGIC;

	SNAP(s, magic);
	snap_check(s, magic == MAGIC);
	snap_same(s, VERSION);
	snap_same(s, v->opt.usb2);
	snap_same(s, v->opt.usb3);
}

/* @part, which is freed, and its length before it */
static void put_part(struct snap *s, struct snap *part)
{
	uint64_t n = part->len;

	if (part->err && !s->err)
		s->err = part->err;
	snap_num(s, &n, UINT64_MAX);
	snap_bytes(s, part->buf, part->len);
	free(part->buf);
}

static void put_device(struct snap *s, struct usb_dev *d)
{
	struct snap part = {0};
	char name[NAME_MAX_LEN + 1] = "";
	bool there = d != NULL;
	uint8_t len, speed;

	SNAP_BOOL(s, there);
	if (!there)
		return;
	len = (uint8_t)snprintf(name, sizeof(name), "%s", d->ops->name);
	speed = (uint8_t)d->speed;
	SNAP(s, len);
	snap_bytes(s, name, len);
	SNAP(s, speed);
	d->ops->snap(d, &part);
	put_part(s, &part);
}

static int write_all(struct vxhci *v, uint8_t **ret_buf, size_t *ret_len)
{
	struct snap s = {0}, part = {0};

	snap_head(v, &s);
	for (unsigned i = 1; i <= xhci_nports(v->x); i++)
		put_device(&s, mover(v, i));
	pci_snap(&v->pci, &s);
	part.err = xhci_snapshot(v->x, &part.buf, &part.len);
	put_part(&s, &part);
	snap_finish(&s);
	if (s.err) {
		free(s.buf);
		return s.err;
	}
	*ret_buf = s.buf;
	*ret_len = s.len;
	return 0;
}

static uint64_t wait_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/*
 * What is taken back from a device begins again later: of snapshots one after
 * the other nothing would ever come to its end.
 */
static void give_turn(struct vxhci *v)
{
	while (v->resumed_ns && wait_now_ns() - v->resumed_ns < TURN_NS) {
		if (embed_work(v, true))
			continue;
		if (xhci_in_flight(v->x) == 0 &&
		    embed_next_timer(v) == UINT64_MAX)
			return;
		embed_wait(v);
	}
}

/* Have everything back, and write it down. */
static int stop_and_write(struct vxhci *v, uint64_t timeout_ns,
			  uint8_t **ret_buf, size_t *ret_len)
{
	uint64_t start = wait_now_ns(), waited;

	xhci_pause(v->x, false);
	for (;;) {
		bool more = v->usb && hostusb_run(v->usb, true);
		int r = -EBUSY;

		more = embed_run_slices(v) || more;
		if (xhci_in_flight(v->x) == 0)
			r = write_all(v, ret_buf, ret_len);
		if (r != -EBUSY)
			return r;
		waited = wait_now_ns() - start;
		if (waited > timeout_ns)
			return -ETIMEDOUT;
		if (waited > timeout_ns / 2)
			xhci_pause(v->x, true);
		if (!more)
			embed_wait(v);
	}
}

static void go_on(struct vxhci *v)
{
	xhci_resume(v->x);
	v->resumed_ns = wait_now_ns();
}

int vxhci_snapshot(struct vxhci *v, unsigned timeout_ms, uint8_t **ret_buf,
		   size_t *ret_len)
{
	int r;

	if (v->rec != NULL)
		return -ENOTSUP;
	embed_enter(v);
	v->quiet = true;
	if (!v->stopped)
		give_turn(v);
	r = stop_and_write(v, timeout_ms * 1000000ull, ret_buf, ret_len);
	v->quiet = false;
	v->stopped = r == 0;
	if (r < 0)
		go_on(v);
	embed_leave(v);
	embed_wake(v); /* what was left undone in here, or that it stands */
	return r;
}

void vxhci_resume(struct vxhci *v)
{
	embed_enter(v);
	if (v->stopped) {
		v->stopped = false;
		go_on(v);
	}
	embed_leave(v);
	embed_wake(v);
}

/* A controller that is read into, and what its devices were before */
struct reading {
	struct vxhci *v;
	struct snap s;
	struct snap before[XHCI_MAX_PORTS + 1]; /* .buf owned */
	uint32_t new_ports;                     /* bit: port */
};

/* The next part into @ret: a reader of its own, whose bytes are passed over */
static void get_part(struct snap *s, struct snap *ret)
{
	uint64_t n = 0;

	snap_num(s, &n, UINT64_MAX);
	snap_check(s, n <= s->len - s->at);
	*ret = *s;
	if (s->err)
		return;
	ret->len = s->at + (size_t)n;
	s->at = ret->len;
}

static void read_device(struct reading *r, unsigned port, struct usb_dev *d,
			struct snap *part)
{
	struct snap *before = &r->before[port];

	d->ops->snap(d, before);
	if (before->err == 0)
		d->ops->snap(d, part);
	else
		part->err = before->err;
	snap_check(part, part->at == part->len);
	r->s.err = part->err;
}

static void get_device(struct reading *r, unsigned port)
{
	struct usb_dev *d = mover(r->v, port);
	struct snap *s = &r->s, part;
	char name[NAME_MAX_LEN + 1] = "";
	uint8_t len = 0, speed = 0;
	bool there = false;

	SNAP_BOOL(s, there);
	if (there && !s->err) {
		SNAP_MAX(s, len, NAME_MAX_LEN);
		snap_bytes(s, name, len);
		SNAP(s, speed);
		get_part(s, &part);
	}
	if (s->err)
		return;
	if (!there || !d || d->speed != speed ||
	    strcmp(name, d->ops->name) != 0)
		r->new_ports |= 1u << port;
	else
		read_device(r, port, d, &part);
}

/* The devices as they were, and the function */
static void undo(struct reading *r)
{
	for (unsigned i = 1; i <= xhci_nports(r->v->x); i++) {
		struct usb_dev *d = mover(r->v, i);
		struct snap s = {.buf = r->before[i].buf,
				 .len = r->before[i].len,
				 .reading = true};

		if (d != NULL && s.buf != NULL)
			d->ops->snap(d, &s);
	}
	pci_reset(&r->v->pci);
}

static int read_all(struct reading *r, const uint8_t *buf, size_t len)
{
	struct vxhci *v = r->v;
	struct snap *s = &r->s, part;

	snap_start(s, buf, len);
	snap_head(v, s);
	for (unsigned i = 1; i <= xhci_nports(v->x) && !s->err; i++)
		get_device(r, i);
	pci_snap(&v->pci, s);
	get_part(s, &part);
	snap_check(s, s->at == s->len);
	if (!s->err)
		s->err = xhci_restore(v->x, part.buf + part.at,
				      part.len - part.at, r->new_ports);
	if (s->err)
		undo(r);
	else
		pci_restored(&v->pci);
	for (unsigned i = 0; i <= XHCI_MAX_PORTS; i++)
		free(r->before[i].buf);
	return s->err;
}

static const char *restore_error(int r)
{
	switch (r) {
	case -EINVAL:
		return "it is none, or damaged: take another";
	case -ENOTSUP:
		return "it is of another version, or its controller was not "
		       "like this one: make one with the same option and disks "
		       "of the same size";
	case -EBUSY:
		return "the controller was used or is recorded: make a new one";
	default:
		return "out of memory: try again";
	}
}

int vxhci_restore(struct vxhci *v, const uint8_t *buf, size_t len, char *errbuf,
		  size_t errlen)
{
	struct reading *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	if (r != NULL) {
		r->v = v;
		embed_enter(v);
		/* of what plugging in left to be done */
		while (embed_run_slices(v))
			;
		err = -EBUSY;
		if (!v->stopped && xhci_is_unused(v->x))
			err = read_all(r, buf, len);
		v->stopped = v->stopped || err == 0;
		embed_leave(v);
		free(r);
	}
	if (err < 0)
		snprintf(errbuf, errlen, "%s,xhci: snapshot: %s", v->opt.slot,
			 restore_error(err));
	return err;
}
