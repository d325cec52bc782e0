/* SPDX-License-Identifier: BSD-2-Clause */
/* Event rings, interrupters, moderation: xHCI 1.2 §4.9.4, §4.17. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/gdrv_rig.h"

/* Post @n TDs of 64 bytes with IOC and @flags, doorbell, let it run. */
static void post_many(struct rig *g, unsigned n, uint32_t flags)
{
	uint64_t buf = guestmem_alloc(&g->gm, GM_PAGE);

	for (unsigned i = 0; i < n; i++)
		rig_normal(g, RIG_OUT, buf, 64, TRB_IOC | flags);
	rig_ring(g, RIG_OUT);
}

/* 64 completions against 16 event TRBs: back-pressure, then all of them. */
static void full_event_ring_resumes_with_nothing_lost(void **state)
{
	const struct rig_cfg cfg = {.opts = {.evt_trbs = 16}};
	struct rig *g = rig_up(&cfg);
	unsigned full = 0;
	uint64_t ev = g->d.nev;

	(void)state;
	g->d.hold_events = true;
	post_many(g, 64, 0);
	assert_int_equal(g->v->ring[RIG_OUT]->tds_done, 0);
	assert_true(xhci_stats(g->e.x)->ring_full > 0);
	/* one at a time, as a slow guest */
	for (unsigned i = 0; i < 20; i++) {
		gdrv_poll(&g->d, 0, 1);
		g->e.dev[0].poll(g->e.dev[0].p);
		gdrv_emu_bus.run(&g->e);
	}
	g->d.hold_events = false;
	gdrv_pump(&g->d);
	assert_int_equal(g->v->ring[RIG_OUT]->tds_done, 64);
	for (; ev < g->d.nev; ev++)
		full += gdrv_event(&g->d, ev)->type == TRB_EV_HOST &&
			gdrv_event(&g->d, ev)->cc == CC_EVENT_RING_FULL;
	assert_true(full > 0);
	assert_int_equal(rig_down(g), 0);
}

/* A command still completes when its event found the ring full. */
static void command_event_waits_for_room(void **state)
{
	const struct rig_cfg cfg = {.opts = {.evt_trbs = 16}};
	struct rig *g = rig_up(&cfg);
	uint32_t id[40];

	(void)state;
	g->d.hold_events = true;
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(gdrv_cmd_post(&g->d, 0, 0,
					       TRB_TYPE(TRB_NOOP_CMD), &id[i]),
				 0);
	gdrv_doorbell(&g->d, 0, 0, 0);
	gdrv_pump(&g->d);
	g->d.hold_events = false;
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(gdrv_cmd_wait(&g->d, id[i]), CC_SUCCESS);
	assert_int_equal(rig_down(g), 0);
}

static void several_segments_in_order(void **state)
{
	(void)state;
	for (unsigned segs = 1; segs <= GDRV_SEGS; segs++) {
		struct rig_cfg cfg = {.opts = {.evt_trbs = 16 + segs}};
		struct rig *g;

		cfg.opts.evt_segs = segs;
		if (segs > 1 << 3)
			break;
		g = rig_up(&cfg);
		for (unsigned n = 0; n < 30; n++)
			post_many(g, 29, 0);
		assert_int_equal(g->v->ring[RIG_OUT]->tds_done, 30 * 29);
		g->d.hold_events = true;
		post_many(g, 200, 0);
		g->d.hold_events = false;
		gdrv_pump(&g->d);
		assert_int_equal(g->v->ring[RIG_OUT]->tds_done, 30 * 29 + 200);
		assert_int_equal(rig_down(g), 0);
	}
}

/* 64-bit registers in two halves in either order, or whole; ERDP first. */
static void register_write_orders(void **state)
{
	static const struct gdrv_opts opts[] = {
		{.high_first = true},
		{.write64 = true},
		{.erstba_last = true},
		{.high_first = true, .erstba_last = true},
		{.keep_ehb = true},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(opts) / sizeof(*opts); i++) {
		struct rig_cfg cfg = {.opts = opts[i]};
		struct rig *g = rig_up(&cfg);

		post_many(g, 100, 0);
		assert_int_equal(g->v->ring[RIG_OUT]->tds_done, 100);
		assert_int_equal(rig_down(g), 0);
	}
}

/* @n TDs, one each @gap_ns; the interrupts they make. */
static uint64_t count_interrupts(uint16_t imod, unsigned n, uint64_t gap_ns,
				 uint32_t flags)
{
	struct rig_cfg cfg = {.opts = {.inte = true}};
	struct rig *g;
	uint64_t buf, before, count;

	cfg.opts.imod = imod;
	g = rig_up(&cfg);
	buf = guestmem_alloc(&g->gm, GM_PAGE);
	gdrv_emu_bus.advance(&g->e, 50000000);
	gdrv_pump(&g->d);
	before = g->e.msgs[0];
	for (unsigned i = 0; i < n; i++) {
		rig_normal(g, RIG_OUT, buf, 8, TRB_IOC | flags);
		rig_ring(g, RIG_OUT);
		gdrv_emu_bus.advance(&g->e, gap_ns);
	}
	gdrv_pump(&g->d);
	assert_int_equal(g->v->ring[RIG_OUT]->tds_done, n);
	gdrv_emu_bus.advance(&g->e, 50000000);
	gdrv_pump(&g->d);
	count = g->e.msgs[0] - before;
	assert_int_equal(rig_down(g), 0);
	return count;
}

static void moderation_spaces_interrupts(void **state)
{
	uint64_t n;

	(void)state;
	/* none: an interrupt an event */
	assert_int_equal(count_interrupts(0, 100, 100000, 0), 100);
	/* 1 ms against 100 us: one in ten, and one more at the edges */
	n = count_interrupts(4000, 100, 100000, 0);
	assert_in_range(n, 9, 11);
	/* slower than the interval: not moderated */
	assert_int_equal(count_interrupts(4000, 20, 2000000, 0), 20);
}

/* BEI: the event is there, no interrupt, §4.17.5. */
static void bei_blocks_the_interrupt(void **state)
{
	(void)state;
	assert_int_equal(count_interrupts(0, 50, 100000, TRB_BEI), 0);
}

/* Without INTE and IE events are written all the same. */
static void events_need_no_interrupt_enable(void **state)
{
	struct rig *g = rig_up(NULL);

	(void)state;
	post_many(g, 10, 0);
	assert_int_equal(g->v->ring[RIG_OUT]->tds_done, 10);
	assert_int_equal(g->e.msgs[0], 0);
	assert_int_equal(rig_down(g), 0);
}

/* While EHB is set no second interrupt, however many events, §4.17.2. */
static void event_handler_busy_holds_interrupts(void **state)
{
	const struct rig_cfg cfg = {.opts = {.inte = true}};
	struct rig *g = rig_up(&cfg);
	uint64_t before;

	(void)state;
	gdrv_pump(&g->d);
	before = g->e.msgs[0];
	g->d.hold_events = true;
	for (unsigned i = 0; i < 10; i++)
		post_many(g, 1, 0);
	assert_int_equal(g->e.msgs[0] - before, 1);
	g->d.hold_events = false;
	gdrv_pump(&g->d);
	assert_int_equal(g->v->ring[RIG_OUT]->tds_done, 10);
	before = g->e.msgs[0];
	post_many(g, 1, 0);
	assert_int_equal(g->e.msgs[0] - before, 1);
	assert_int_equal(rig_down(g), 0);
}

/* The Interrupter Target of a TRB says which ring and which message. */
static void interrupter_target_is_obeyed(void **state)
{
	const struct rig_cfg cfg = {.opts = {.inte = true, .nintrs = 8}};
	struct rig *g = rig_up(&cfg);
	uint64_t buf = guestmem_alloc(&g->gm, GM_PAGE);

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		struct gdrv_trb t = {.type = TRB_NORMAL,
				     .ptr = buf,
				     .len = 32,
				     .intr = (uint16_t)i,
				     .flags = TRB_IOC};
		uint64_t msgs = g->e.msgs[i], evs = g->d.evr[i].count;

		assert_int_equal(gdrv_post(g->v->ring[RIG_OUT], &t, 1, NULL),
				 0);
		rig_ring(g, RIG_OUT);
		assert_int_equal(g->e.msgs[i] - msgs, 1);
		assert_int_equal(g->d.evr[i].count - evs, 1);
	}
	assert_int_equal(rig_down(g), 0);
}

/* 125 us a count, 14 bits, computed when read: no timer runs for it. */
static void mfindex_is_computed_when_read(void **state)
{
	struct rig *g = rig_up(NULL);
	uint32_t off = g->d.rt + RT_MFINDEX;
	uint32_t a = gdrv_r32(&g->d, off), b;

	(void)state;
	gdrv_emu_bus.advance(&g->e, 125000 * 80);
	b = gdrv_r32(&g->d, off);
	assert_int_equal((b - a) & 0x3fff, 80);
	gdrv_emu_bus.advance(&g->e, 125000ull * 0x4000);
	assert_int_equal(gdrv_r32(&g->d, off), b);
	assert_true(g->e.timer_at == UINT64_MAX);
	assert_int_equal(rig_down(g), 0);
}

/* Nothing to do: no timer, no kick, nothing in flight. */
static void idle_controller_asks_for_nothing(void **state)
{
	const struct rig_cfg cfg = {.opts = {.inte = true, .imod = 160}};
	struct rig *g = rig_up(&cfg);

	(void)state;
	post_many(g, 5, 0);
	gdrv_emu_bus.advance(&g->e, 1000000000);
	assert_true(g->e.timer_at == UINT64_MAX);
	assert_false(g->e.kicked);
	assert_int_equal(xhci_in_flight(g->e.x), 0);
	assert_int_equal(rig_down(g), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_event_ring_resumes_with_nothing_lost),
		cmocka_unit_test(command_event_waits_for_room),
		cmocka_unit_test(several_segments_in_order),
		cmocka_unit_test(register_write_orders),
		cmocka_unit_test(moderation_spaces_interrupts),
		cmocka_unit_test(bei_blocks_the_interrupt),
		cmocka_unit_test(events_need_no_interrupt_enable),
		cmocka_unit_test(event_handler_busy_holds_interrupts),
		cmocka_unit_test(interrupter_target_is_obeyed),
		cmocka_unit_test(mfindex_is_computed_when_read),
		cmocka_unit_test(idle_controller_asks_for_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
