/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vxloop.c - what usbloop.c does, through the library: a guest's driver
 * (tests/lib/gdrv.h) and a controller with the device in one process and one
 * thread, as many TDs in flight as usbloop has transfers.
 *
 *   vxloop BUS in|out LENGTH IN-FLIGHT COUNT - prints seconds
 */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/lib/gdrv.h"
#include "vmm/vxhci.h"

#define FDS 16u
#define TRB_DATA 65536u /* of one TRB, which may not cross that either */
#define WAIT_S 100u     /* for anything */

/* The VMM around the library: its loop, and an interrupt that is a flag. */
struct vmm {
	struct vxhci *v;
	struct pollfd fd[FDS];
	unsigned nfds;
	atomic_bool woken;
	uint64_t msgs;
	uint64_t in_ns; /* when vxhci_dispatch() wants to be called again */
};

struct test {
	struct vmm m;
	struct guestmem gm;
	struct gdrv d;
	struct gdrv_dev *dev;
	struct gdrv_ring *ring;
	unsigned dci;
	uint32_t length;
	unsigned left, pending;
	uint64_t *buf; /* of TD n, by its id modulo flight */
	unsigned flight;
	bool failed;
};

static void vmm_msix(void *opaque, unsigned vector)
{
	(void)vector;
	((struct vmm *)opaque)->msgs++;
}

static void vmm_wake(void *opaque)
{
	atomic_store(&((struct vmm *)opaque)->woken, true);
}

static void vmm_log(void *opaque, enum vxhci_log level, const char *line)
{
	(void)opaque;
	if (level <= VXHCI_LOG_WARN)
		fprintf(stderr, "vxhci: %s\n", line);
}

static void vmm_released(void *opaque, void *cookie)
{
	(void)opaque;
	(void)cookie;
}

static void vmm_fd_watch(void *opaque, int fd, short events)
{
	struct vmm *m = opaque;
	unsigned i = 0;

	while (i < m->nfds && m->fd[i].fd != fd)
		i++;
	if (events && i < FDS) {
		m->fd[i] = (struct pollfd){.fd = fd, .events = events};
		m->nfds += i == m->nfds;
	} else if (!events && i < m->nfds) {
		m->fd[i] = m->fd[--m->nfds];
	}
}

static const struct vxhci_ops vmm_ops = {
	.msix = vmm_msix,
	.wake = vmm_wake,
	.log = vmm_log,
	.mem_released = vmm_released,
	.fd_watch = vmm_fd_watch,
};

/* The access layer of the driver */

static uint64_t bus_read(void *p, uint32_t off, unsigned size)
{
	return vxhci_bar_read(((struct vmm *)p)->v, off, size);
}

static void bus_write(void *p, uint32_t off, unsigned size, uint64_t v)
{
	vxhci_bar_write(((struct vmm *)p)->v, off, size, v);
}

static void bus_run(void *p)
{
	struct vmm *m = p;

	do {
		vxhci_dispatch(m->v, &m->in_ns);
	} while (atomic_exchange(&m->woken, false) || m->in_ns == 0);
}

/* A wake-up by another thread is only seen in a millisecond. */
static void bus_advance(void *p, uint64_t ns)
{
	struct vmm *m = p;

	if (m->in_ns < ns)
		ns = m->in_ns;
	if (ns > 1000000)
		ns = 1000000;
	if (poll(m->fd, m->nfds, (int)(ns / 1000000)) > 0)
		vxhci_fd_ready(m->v);
	bus_run(p);
}

static uint64_t bus_now(void *p)
{
	struct timespec t;

	(void)p;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t bus_intrs(void *p, unsigned vector)
{
	(void)vector;
	return ((struct vmm *)p)->msgs;
}

static const struct gdrv_bus bus = {
	.read = bus_read,
	.write = bus_write,
	.run = bus_run,
	.now_ns = bus_now,
	.advance = bus_advance,
	.intrs = bus_intrs,
};

/* Up to the point where data can flow */

static int controller_up(struct test *t, const char *usb_bus)
{
	static const struct gdrv_opts opts = {.inte = true};
	char option[64], err[256];
	int r;

	snprintf(option, sizeof(option), "30,xhci,bus=%.8s,port=1", usb_bus);
	r = vxhci_create(option, &vmm_ops, &t->m, err, sizeof(err), &t->m.v);
	if (r) {
		fprintf(stderr, "vxloop: %s\n", err);
		return r;
	}
	guestmem_init(&t->gm);
	guestmem_add(&t->gm, 0, 16u << 20);
	for (unsigned i = 0; i < t->gm.nregions; i++) {
		struct guest_region *g = &t->gm.region[i];

		r = vxhci_mem_map(t->m.v, g->gpa, g->len, g->base, true, g);
		if (r)
			return r;
	}
	vxhci_cfg_write(t->m.v, 4, 2, 6); /* memory, bus master */
	vxhci_msix_external(t->m.v, true);
	r = gdrv_init(&t->d, &bus, &t->m, &t->gm, &opts);
	return r ? r : gdrv_start(&t->d);
}

/* A request with no data, or with that of @len bytes at @gpa */
static int request(struct test *t, uint8_t type, uint8_t code, uint16_t value,
		   uint16_t len, uint64_t gpa)
{
	uint8_t s[8] = {type, code, (uint8_t)value, (uint8_t)(value >> 8),
			0,    0,    (uint8_t)len,   (uint8_t)(len >> 8)};
	uint32_t actual = 0;
	int cc = gdrv_control(t->dev, OS_LINUX, s, gpa, &actual);

	return cc == CC_SUCCESS || cc == CC_SHORT_PACKET ? (int)actual : -EIO;
}

/* The first bulk endpoint in direction @in, in the configuration at @c */
static bool find_ep(const uint8_t *c, int len, bool in, struct gdrv_epcfg *ret)
{
	for (int i = 0; i + 7 <= len && c[i] >= 2; i += c[i]) {
		const uint8_t *e = c + i;

		if (e[1] != 5 || (e[3] & 3) != 2 || (e[2] >> 7) != in)
			continue;
		*ret = (struct gdrv_epcfg){
			.dci = (uint8_t)((e[2] & 15) * 2 + in),
			.type = in ? EPT_BULK_IN : EPT_BULK_OUT,
			.mps = (uint16_t)((e[4] | e[5] << 8) & 0x7ff)};
		if (i + e[0] + 6 <= len && e[e[0] + 1] == 0x30)
			ret->max_burst = e[e[0] + 2];
		return true;
	}
	return false;
}

static int device_up(struct test *t, bool in)
{
	uint64_t until = bus_now(NULL) + WAIT_S * 1000000000ull;
	uint64_t gpa = guestmem_alloc(&t->gm, GM_PAGE);
	const uint8_t *c = guestmem_ptr(&t->gm, gpa, GM_PAGE);
	struct gdrv_epcfg ep;
	unsigned port;
	int len;

	while (!(port = gdrv_port_find(&t->d, 0))) {
		if (bus_now(NULL) > until)
			return -ENODEV;
		bus_advance(&t->m, 1000000);
		gdrv_pump(&t->d);
	}
	t->dev = gdrv_open(&t->d, port);
	if (!t->dev)
		return -EIO;
	len = request(t, 0x80, 6, 0x0200, 512, gpa);
	if (len < 9 || !find_ep(c, len, in, &ep))
		return -EIO;
	if (request(t, 0, 9, c[5], 0, 0) < 0 ||
	    gdrv_configure(t->dev, &ep, 1) != CC_SUCCESS)
		return -EIO;
	t->dci = ep.dci;
	t->ring = t->dev->ring[ep.dci];
	return 0;
}

/* The data */

static void post(struct test *t, unsigned slot)
{
	struct gdrv_trb trb[16];
	unsigned n = 0;
	uint32_t id;

	for (uint32_t at = 0; at < t->length; at += TRB_DATA, n++) {
		uint32_t rest = t->length - at;

		trb[n] = (struct gdrv_trb){
			.type = TRB_NORMAL,
			.ptr = t->buf[slot] + at,
			.len = rest < TRB_DATA ? rest : TRB_DATA,
			.flags =
				TRB_ISP | (rest > TRB_DATA ? TRB_CH : TRB_IOC)};
	}
	if (gdrv_post(t->ring, trb, n, &id)) {
		t->failed = true;
		return;
	}
	t->left--;
	t->pending++;
	gdrv_doorbell(&t->d, t->dev->slot, t->dci, 0);
}

static void done(void *arg, struct gdrv_ring *r, struct gdrv_td *td)
{
	struct test *t = arg;

	(void)r;
	t->pending--;
	if (td->cc != CC_SUCCESS || td->actual != t->length)
		t->failed = true;
	else if (t->left)
		post(t, td->id % t->flight);
}

static double run(struct test *t)
{
	uint64_t from = bus_now(NULL), until = from + WAIT_S * 1000000000ull;

	t->ring->on_done = done;
	t->ring->arg = t;
	for (unsigned i = 0; i < t->flight && t->left; i++)
		post(t, i);
	while (t->pending && !t->failed) {
		gdrv_pump(&t->d);
		if (t->pending && !t->failed)
			bus_advance(&t->m, 1000000);
		if (bus_now(NULL) > until)
			t->failed = true;
	}
	return (double)(bus_now(NULL) - from) / 1e9;
}

int main(int argc, char **argv)
{
	static struct test t;
	double s;

	if (argc != 6)
		return 2;
	t.length = (uint32_t)atoi(argv[3]);
	t.flight = (unsigned)atoi(argv[4]);
	t.left = (unsigned)atoi(argv[5]);
	if (controller_up(&t, argv[1]) || device_up(&t, argv[2][0] == 'i')) {
		fprintf(stderr, "vxloop: no device to be had: %s\n", t.d.err);
		return 2;
	}
	t.buf = calloc(t.flight, sizeof(*t.buf));
	for (unsigned i = 0; i < t.flight; i++)
		t.buf[i] = (guestmem_alloc(&t.gm, t.length + TRB_DATA) +
			    TRB_DATA - 1) &
			   ~(uint64_t)(TRB_DATA - 1);
	s = run(&t);
	vxhci_destroy(t.m.v);
	gdrv_fini(&t.d);
	guestmem_fini(&t.gm);
	free(t.buf);
	printf("%.3f\n", s);
	return t.failed || !gdrv_ok(&t.d);
}
