/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library as a VMM links it, with the device zero: isochronous and
 * interrupt transfers take the time that their service intervals are, on the
 * deadlines that vxhci_dispatch() gives, and nothing wakes afterwards.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/lib/gdrv_vx.h"

#define MS 1000000ull
#define NTDS 24u

/* Endpoints 2 and 3, in and out, by DCI */
enum { ISO_OUT = 4, ISO_IN, INT_OUT, INT_IN };

struct guest {
	struct guestmem gm;
	struct gdrv_vx e;
	struct gdrv d;
	struct gdrv_dev *v;
	uint64_t buf;
};

static const uint32_t packet = 1024;

static void request(struct guest *g, uint8_t rt, uint8_t req, uint8_t value)
{
	const uint8_t setup[8] = {rt, req, value};

	assert_int_equal(gdrv_control(g->v, OS_LINUX, setup, 0, NULL),
			 CC_SUCCESS);
}

/* High speed, source and sink, with the endpoints of alternate @alt. */
static struct guest *guest_up(uint8_t alt, unsigned interval)
{
	struct guest *g = calloc(1, sizeof(*g));
	struct gdrv_epcfg ep[2] = {
		{.dci = alt == 1 ? ISO_OUT : INT_OUT,
		 .type = alt == 1 ? EPT_ISOCH_OUT : EPT_INTR_OUT},
		{.dci = alt == 1 ? ISO_IN : INT_IN,
		 .type = alt == 1 ? EPT_ISOCH_IN : EPT_INTR_IN},
	};

	assert_non_null(g);
	for (unsigned i = 0; i < 2; i++) {
		ep[i].mps = (uint16_t)packet;
		ep[i].max_esit = packet;
		ep[i].interval = (uint8_t)interval;
	}
	guestmem_init(&g->gm);
	guestmem_add(&g->gm, 0x100000, 8u << 20);
	assert_int_equal(gdrv_vx_init(&g->e, &g->gm, "30,xhci,zero,speed=high"),
			 0);
	assert_int_equal(gdrv_init(&g->d, &gdrv_vx_bus, &g->e, &g->gm, NULL),
			 0);
	assert_int_equal(gdrv_start(&g->d), 0);
	g->v = gdrv_open(&g->d, gdrv_port_find(&g->d, 0));
	assert_non_null(g->v);
	g->buf = guestmem_alloc(&g->gm, NTDS * packet);
	request(g, 0, 9, 3);
	assert_int_equal(gdrv_configure(g->v, ep, 2), CC_SUCCESS);
	request(g, 1, 11, alt);
	return g;
}

static void guest_down(struct guest *g)
{
	uint64_t timeout = 0;

	for (unsigned i = 0; i < 100 && timeout == 0; i++)
		vxhci_dispatch(g->e.v, &timeout);
	/* an isochronous ring runs dry, is told of once; then nothing */
	for (unsigned i = 0; i < 2 && timeout != UINT64_MAX; i++) {
		gdrv_vx_bus.advance(&g->e, timeout);
		vxhci_dispatch(g->e.v, &timeout);
	}
	assert_true(timeout == UINT64_MAX);
	assert_true(gdrv_ok(&g->d));
	gdrv_vx_fini(&g->e);
	gdrv_fini(&g->d);
	guestmem_fini(&g->gm);
	free(g);
}

/* Post NTDS TDs of a packet; the first of @frame, or all as soon as can be */
static void post(struct guest *g, unsigned dci, uint32_t flags, uint32_t *ret)
{
	for (uint32_t i = 0; i < NTDS; i++) {
		struct gdrv_trb t = {
			.ptr = g->buf + i * packet,
			.len = packet,
			.type = dci >= INT_OUT ? TRB_NORMAL : TRB_ISOCH,
			.flags = flags | TRB_IOC,
		};

		assert_int_equal(gdrv_post(g->v->ring[dci], &t, 1, &ret[i]), 0);
	}
	gdrv_doorbell(&g->d, g->v->slot, dci, 0);
}

/* They end in order, none before its time; returns how long all of it took */
static uint64_t wait_paced(struct guest *g, unsigned dci, const uint32_t *td,
			   uint64_t interval_ns)
{
	uint64_t t0 = gdrv_vx_bus.now_ns(&g->e), now = t0;
	struct gdrv_ring *r = g->v->ring[dci];

	for (unsigned i = 0; i < NTDS; i++) {
		assert_int_equal(gdrv_wait(&g->d, r, td[i], 1000), 0);
		assert_int_equal(gdrv_td(r, td[i])->cc, CC_SUCCESS);
		assert_int_equal(gdrv_td(r, td[i])->actual, packet);
		now = gdrv_vx_bus.now_ns(&g->e);
		assert_true(now - t0 >= i * interval_ns);
	}
	return now - t0;
}

static void isochronous_transfers_take_their_time(void **state)
{
	(void)state;
	for (unsigned run = 0; run < 4; run++) {
		unsigned dci = run % 2 ? ISO_IN : ISO_OUT;
		unsigned interval = run / 2 ? 3 : 1;
		struct guest *g = guest_up(1, interval);
		uint8_t *p = guestmem_ptr(&g->gm, g->buf, NTDS * packet);
		uint32_t td[NTDS];
		uint64_t step = 125000ull << interval, took;

		memset(p, 0xee, NTDS * packet);
		post(g, dci, TRB_SIA, td);
		took = wait_paced(g, dci, td, step);
		/* with room for a machine that has other things to do */
		assert_in_range(took, (NTDS - 1) * step,
				NTDS * step + 400 * MS);
		for (uint32_t i = 0; i < NTDS * packet; i++)
			assert_int_equal(p[i], dci == ISO_IN ? 0 : 0xee);
		guest_down(g);
	}
}

static void interrupt_transfers_take_their_time(void **state)
{
	(void)state;
	for (unsigned run = 0; run < 2; run++) {
		unsigned dci = run % 2 ? INT_IN : INT_OUT;
		struct guest *g = guest_up(2, 3);
		uint32_t td[NTDS];

		post(g, dci, 0, td);
		wait_paced(g, dci, td, MS);
		guest_down(g);
	}
}

/* Stopped in the middle of a stream, and on again: none lost, none early. */
static void a_stream_stopped_goes_on(void **state)
{
	struct guest *g = guest_up(1, 3);
	struct gdrv_ring *r = g->v->ring[ISO_IN];
	uint32_t td[NTDS];
	uint64_t t0;

	(void)state;
	post(g, ISO_IN, TRB_SIA, td);
	assert_int_equal(gdrv_wait(&g->d, r, td[3], 1000), 0);
	assert_int_equal(gdrv_stop_ep(g->v, ISO_IN), CC_SUCCESS);
	gdrv_vx_bus.advance(&g->e, 20 * MS);
	gdrv_pump(&g->d);
	assert_false(gdrv_td_ended(gdrv_td(r, td[NTDS - 1])));
	t0 = gdrv_vx_bus.now_ns(&g->e);
	gdrv_doorbell(&g->d, g->v->slot, ISO_IN, 0);
	for (unsigned i = 4; i < NTDS; i++) {
		assert_int_equal(gdrv_wait(&g->d, r, td[i], 1000), 0);
		assert_int_equal(gdrv_td(r, td[i])->cc, CC_SUCCESS);
	}
	assert_true(gdrv_vx_bus.now_ns(&g->e) - t0 >= 10 * MS);
	guest_down(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(isochronous_transfers_take_their_time),
		cmocka_unit_test(interrupt_transfers_take_their_time),
		cmocka_unit_test(a_stream_stopped_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
