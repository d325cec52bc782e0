/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The strictness of the tests' own driver: each event here is forged, and
 * wrong in one way that the driver must see. A driver that takes everything
 * would make every other test pass.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/lib/gdrv_rig.h"

/* Which TRB of three posted ones, or none of the ring. */
enum target { DONE, FIRST, SECOND, THIRD, NOWHERE };

struct forged {
	const char *what;
	enum target target;
	uint8_t cc;
	uint32_t len;
	int slot_off;
	uint8_t dci;
	uint32_t ctl; /* besides type, endpoint and slot */
	uint8_t type;
	bool fine; /* the one that is right */
};

static const struct forged rows[] = {
	{"right", FIRST, CC_SUCCESS, 0, 0, RIG_IN, 0, TRB_EV_TRANSFER, true},
	{"right short", FIRST, CC_SHORT_PACKET, 5, 0, RIG_IN, 0,
	 TRB_EV_TRANSFER, true},
	{"a second time", DONE, CC_SUCCESS, 0, 0, RIG_IN, 0, TRB_EV_TRANSFER,
	 false},
	{"one left out", SECOND, CC_SUCCESS, 0, 0, RIG_IN, 0, TRB_EV_TRANSFER,
	 false},
	{"two left out", THIRD, CC_SUCCESS, 0, 0, RIG_IN, 0, TRB_EV_TRANSFER,
	 false},
	{"pointer to nowhere", NOWHERE, CC_SUCCESS, 0, 0, RIG_IN, 0,
	 TRB_EV_TRANSFER, false},
	{"success with residual", FIRST, CC_SUCCESS, 5, 0, RIG_IN, 0,
	 TRB_EV_TRANSFER, false},
	{"residual over length", FIRST, CC_SHORT_PACKET, 65, 0, RIG_IN, 0,
	 TRB_EV_TRANSFER, false},
	{"short of nothing", FIRST, CC_SHORT_PACKET, 0, 0, RIG_IN, 0,
	 TRB_EV_TRANSFER, false},
	{"another slot", FIRST, CC_SUCCESS, 0, 1, RIG_IN, 0, TRB_EV_TRANSFER,
	 false},
	{"another endpoint", FIRST, CC_SUCCESS, 0, 0, RIG_OUT, 0,
	 TRB_EV_TRANSFER, false},
	{"endpoint not enabled", FIRST, CC_SUCCESS, 0, 0, 20, 0,
	 TRB_EV_TRANSFER, false},
	{"ED without Event Data", FIRST, CC_SUCCESS, 0, 0, RIG_IN, TRB_ED,
	 TRB_EV_TRANSFER, false},
	{"stopped unasked", FIRST, CC_STOPPED, 64, 0, RIG_IN, 0,
	 TRB_EV_TRANSFER, false},
	{"a reserved bit", FIRST, CC_SUCCESS, 0, 0, RIG_IN, 1u << 5,
	 TRB_EV_TRANSFER, false},
	{"no such event", FIRST, CC_SUCCESS, 0, 0, RIG_IN, 0, 36, false},
	{"no command", FIRST, CC_SUCCESS, 0, 0, 0, 0, TRB_EV_COMMAND, false},
	{"port 0", NOWHERE, CC_SUCCESS, 0, 0, 0, 0, TRB_EV_PORT, false},
};

/* Put an event where the driver reads next. */
static void forge(struct rig *g, const struct forged *f, uint64_t ptr)
{
	struct gdrv_evring *er = &g->d.evr[0];
	uint64_t gpa = er->seg[er->ds] + er->di * 16u;

	guestmem_w64(&g->gm, gpa, ptr);
	guestmem_w32(&g->gm, gpa + 8, f->len | (uint32_t)f->cc << 24);
	guestmem_w32(&g->gm, gpa + 12,
		     TRB_TYPE(f->type) | TRB_EP(f->dci) | f->ctl | er->cycle |
			     TRB_SLOT(g->v->slot + (unsigned)f->slot_off));
}

static void the_driver_sees_what_is_wrong(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig *g = rig_up(NULL);
		struct gdrv_ring *r = g->v->ring[RIG_IN];
		uint64_t buf = guestmem_alloc(&g->gm, GM_PAGE), ptr = 0x7000;

		rig_normal(g, RIG_IN, buf, 64, TRB_IOC | TRB_ISP);
		rig_ring(g, RIG_IN);
		assert_true(gdrv_ok(&g->d));
		for (unsigned n = 0; n < 3; n++)
			rig_normal(g, RIG_IN, buf, 64, TRB_IOC | TRB_ISP);
		if (rows[i].target != NOWHERE)
			ptr = gdrv_ring_gpa(r,
					    gdrv_td(r, rows[i].target)->first);
		forge(g, &rows[i], ptr);
		assert_int_equal(gdrv_poll(&g->d, 0, 1), 1);
		if (gdrv_ok(&g->d) != rows[i].fine)
			fprintf(stderr, "%s\n", rows[i].what);
		assert_int_equal(gdrv_ok(&g->d), rows[i].fine);
		rig_down(g);
	}
}

/* What was stopped or has failed must be silent. */
static void the_driver_sees_events_after_the_end(void **state)
{
	static const struct forged late = {
		"late", FIRST, CC_SUCCESS,      0,    0,
		RIG_IN, 0,     TRB_EV_TRANSFER, false};

	(void)state;
	for (unsigned halted = 0; halted < 2; halted++) {
		struct rig *g = rig_up(NULL);
		struct gdrv_ring *r = g->v->ring[RIG_IN];

		rig_normal(g, RIG_IN, RIG_LOW, 64, TRB_IOC);
		r->state = halted ? RING_HALTED : RING_STOPPED;
		forge(g, &late, gdrv_ring_gpa(r, gdrv_td(r, 0)->first));
		gdrv_poll(&g->d, 0, 1);
		assert_false(gdrv_ok(&g->d));
		rig_down(g);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_driver_sees_what_is_wrong),
		cmocka_unit_test(the_driver_sees_events_after_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
