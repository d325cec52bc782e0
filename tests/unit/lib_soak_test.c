/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What comes and goes for a long time in one process: surprise removals under
 * load, devices that are attached and detached, resets with transfers in
 * flight. Afterwards memory, descriptors and what libusb gave are as they were.
 *
 * The library whole, with the fake of libusb below it. `make soak-plug`
 * sets SOAK_FULL for the full numbers; `make check` does some hundred.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/lib/gdrv_vx.h"

#define FAKE_OWNER "xhci 30 of pid "

/* What hostusb_fake.h wants to know of a mapper's test; not used here */
struct rig {
	struct pmapper *pm;
};
static inline void rig_run(struct rig *rig)
{
	(void)rig;
}

#include "tests/unit/hostusb_fake.h"
#include "tests/unit/descriptors.h"
#include "vmm/sanitized.h"

#define OUT 2u /* endpoints 1, as DCIs */
#define IN 3u
#define LEN 4096u
#define FLIGHT 64u
#define FLAT (1024 * 1024) /* bytes that memory may grow by */

struct soak {
	struct guestmem gm;
	struct gdrv_vx e;
	struct gdrv d;
	uint64_t buf;
	unsigned plugs;
};

static unsigned full(unsigned n, unsigned few)
{
	return getenv("SOAK_FULL") ? n : few;
}

static size_t memory(void)
{
	unsigned long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lu %lu", &size, &resident), 2);
	fclose(f);
	return resident * (size_t)sysconf(_SC_PAGESIZE);
}

/* As at the time of mark(), to within a MiB */
struct mark {
	size_t memory;
	unsigned descriptors;
};

static struct mark mark(void)
{
	return (struct mark){memory(), descriptors()};
}

static void assert_flat(const char *what, unsigned n, struct mark m)
{
	size_t now = memory();

	printf("%s: %u times, memory %zu KiB, then %zu KiB\n", what, n,
	       m.memory / 1024, now / 1024);
	assert_int_equal(descriptors(), m.descriptors);
	assert_true(SANITIZED || now < m.memory + FLAT);
}

static struct soak *soak_new(const char *slot_option)
{
	struct soak *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	fake_reset_host();
	guestmem_init(&s->gm);
	guestmem_add(&s->gm, 0x100000, 16u << 20);
	assert_int_equal(gdrv_vx_init(&s->e, &s->gm, slot_option), 0);
	assert_int_equal(gdrv_init(&s->d, &gdrv_vx_bus, &s->e, &s->gm, NULL),
			 0);
	assert_int_equal(gdrv_start(&s->d), 0);
	s->buf = guestmem_alloc(&s->gm, FLIGHT * LEN);
	return s;
}

static void soak_free(struct soak *s)
{
	gdrv_vx_fini(&s->e);
	assert_true(gdrv_ok(&s->d));
	gdrv_fini(&s->d);
	guestmem_fini(&s->gm);
	assert_int_equal(fake.handles, 0);
	assert_int_equal(fake.transfers, 0);
	assert_int_equal(fake.inits, 0);
	assert_int_equal(fake.claims, 0);
	for (unsigned i = 0; i < FAKE_DEVS; i++)
		assert_int_equal(fake.dev[i].refs, 0);
	free(s);
}

/* A device in port 2 of bus 1, until the guest sees it. */
static struct libusb_device *plug_in(struct soak *s, unsigned *ret_port)
{
	struct libusb_device *d;

	fake_lock();
	fake.ndevs = s->plugs++ % 8;
	assert_int_equal(fake.dev[fake.ndevs].refs, 0);
	fake_unlock(0);
	d = fake_plug_in(2);
	for (unsigned i = 0; i < 100000; i++) {
		*ret_port = gdrv_port_find(&s->d, 0);
		if (*ret_port)
			return d;
		gdrv_vx_bus.advance(&s->e, 1000000);
	}
	fail_msg("the device is in no port");
	return NULL;
}

static struct gdrv_dev *open_dev(struct soak *s, unsigned port)
{
	static const struct gdrv_epcfg ep[2] = {
		{.dci = OUT, .type = EPT_BULK_OUT, .mps = 512},
		{.dci = IN, .type = EPT_BULK_IN, .mps = 512}};
	struct gdrv_dev *v = gdrv_open(&s->d, port);

	if (!v)
		fail_msg("%s", s->d.err);
	assert_int_equal(gdrv_configure(v, ep, 2), CC_SUCCESS);
	return v;
}

static void post(struct soak *s, struct gdrv_dev *v, unsigned dci, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct gdrv_trb t = {.type = TRB_NORMAL,
				     .ptr = s->buf + i * LEN,
				     .len = LEN,
				     .flags = TRB_IOC | TRB_ISP};

		assert_int_equal(gdrv_post(v->ring[dci], &t, 1, NULL), 0);
	}
	gdrv_doorbell(&s->d, v->slot, dci, 0);
	gdrv_pump(&s->d);
}

/* The host ends the oldest @n of what it was given. */
static void host_works(struct soak *s, unsigned n)
{
	for (unsigned i = 0; i < fake.nurbs && i < n; i++)
		fake_end(fake.urb[i], LIBUSB_TRANSFER_COMPLETED,
			 fake.urb[i]->lt.length);
	gdrv_pump(&s->d);
}

/* Nothing of it is in flight, and the port is empty. */
static void wait_gone(struct soak *s, unsigned port)
{
	struct vxhci_stats st;

	for (unsigned i = 0; i < 100000; i++) {
		gdrv_pump(&s->d);
		vxhci_get_stats(s->e.v, &st);
		if (!(gdrv_portsc(&s->d, port) & PORT_CCS) && !st.in_flight)
			return;
		gdrv_vx_bus.advance(&s->e, 1000000);
	}
	fail_msg("the device does not go");
}

static void one_removal(struct soak *s, unsigned i)
{
	unsigned port;
	struct libusb_device *d = plug_in(s, &port);
	struct gdrv_dev *v = open_dev(s, port);

	post(s, v, IN, 8 + i % 24);
	post(s, v, OUT, 1 + i % 8);
	host_works(s, i % 12);
	fake_unplug(d);
	wait_gone(s, port);
	assert_int_equal(gdrv_disable_slot(&s->d, v->slot), CC_SUCCESS);
}

static void surprise_removals_under_load(void **state)
{
	unsigned n = full(10000, 200);
	struct soak *s = soak_new("30,xhci,bus=1,port=2,reset=never");
	struct mark m;

	(void)state;
	for (unsigned i = 0; i < n / 10; i++)
		one_removal(s, i);
	m = mark();
	for (unsigned i = n / 10; i < n; i++)
		one_removal(s, i);
	assert_flat("surprise removals", n, m);
	soak_free(s);
}

static void one_attach(struct soak *s, unsigned i)
{
	char err[256];
	unsigned id, port = 0;
	bool physical = i % 2;

	if (physical) {
		fake_lock();
		fake.ndevs = s->plugs++ % 8;
		fake_unlock(0);
		fake_plug_in(2);
	}
	if (vxhci_attach(s->e.v, physical ? "bus=1,port=2" : "zero,speed=high",
			 "the test", err, sizeof(err), &id) != 0)
		fail_msg("%s", err);
	for (unsigned k = 0; k < 100000 && !port; k++) {
		port = gdrv_port_find(&s->d, 0);
		if (!port)
			gdrv_vx_bus.advance(&s->e, 1000000);
	}
	assert_int_not_equal(port, 0);
	snprintf(err, sizeof(err), "#%u", id);
	assert_int_equal(vxhci_detach(s->e.v, err, err, sizeof(err)), 1);
	wait_gone(s, port);
	/* given back, before the next one takes the place */
	for (unsigned k = 0; k < 100000; k++) {
		struct vxhci_device dev;

		if (vxhci_get_devices(s->e.v, &dev, 1) == 0)
			break;
		gdrv_vx_bus.advance(&s->e, 1000000);
	}
	if (physical) {
		fake_unplug(&fake.dev[(s->plugs - 1) % 8]);
		gdrv_pump(&s->d);
	}
}

static void attach_and_detach(void **state)
{
	unsigned n = full(10000, 200);
	struct soak *s = soak_new("30,xhci");
	struct mark m;

	(void)state;
	for (unsigned i = 0; i < n / 10; i++)
		one_attach(s, i);
	m = mark();
	for (unsigned i = n / 10; i < n; i++)
		one_attach(s, i);
	assert_flat("attach and detach", n, m);
	soak_free(s);
}

static void one_reset(struct soak *s, unsigned port, unsigned i)
{
	struct gdrv_dev *v = open_dev(s, port);
	struct vxhci_stats st;

	post(s, v, IN, FLIGHT);
	vxhci_get_stats(s->e.v, &st);
	assert_int_equal(st.in_flight, FLIGHT);
	if (i % 2)
		host_works(s, 5);
	if (i % 3 == 0) {
		vxhci_reset(s->e.v); /* from outside, then the driver's own */
		vxhci_cfg_write(s->e.v, 4, 2, 6);
	}
	assert_int_equal(gdrv_hcrst(&s->d), 0);
	vxhci_get_stats(s->e.v, &st);
	assert_int_equal(st.in_flight, 0);
	assert_int_equal(gdrv_start(&s->d), 0);
}

static void resets_with_transfers_in_flight(void **state)
{
	unsigned n = full(1000, 100), port;
	struct soak *s = soak_new("30,xhci,bus=1,port=2,reset=never");
	struct mark m;

	(void)state;
	plug_in(s, &port);
	for (unsigned i = 0; i < n / 10; i++)
		one_reset(s, port, i);
	m = mark();
	for (unsigned i = n / 10; i < n; i++)
		one_reset(s, port, i);
	assert_flat("controller resets with 64 in flight", n, m);
	soak_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(surprise_removals_under_load),
		cmocka_unit_test(attach_and_detach),
		cmocka_unit_test(resets_with_transfers_in_flight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
