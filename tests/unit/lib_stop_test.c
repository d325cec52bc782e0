/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ends that come early: Stop Endpoint, Disable Slot, HCRST, unplug, with
 * transfers in flight. xHCI 1.2 §4.6.9, §4.6.4, §5.4.1.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/gdrv_rig.h"

#define N 64u

/* N TDs of a page each on the IN endpoint, held by the device. */
static uint64_t post_held(struct rig *g)
{
	uint64_t buf = guestmem_alloc(&g->gm, N * GM_PAGE);

	stub_ep(&g->s, 0x81)->rule.hold = true;
	for (unsigned i = 0; i < N; i++)
		rig_normal(g, RIG_IN, buf + i * GM_PAGE, GM_PAGE,
			   TRB_IOC | TRB_ISP);
	rig_ring(g, RIG_IN);
	assert_int_equal(g->v->ring[RIG_IN]->tds_done, 0);
	return buf;
}

static uint64_t dequeue_wanted(struct rig *g, uint32_t td)
{
	struct gdrv_ring *r = g->v->ring[RIG_IN];

	return gdrv_ring_gpa(r, gdrv_td(r, td)->first);
}

/* @done of them complete, then Stop; then the rest, in order, whole. */
static void stop_after(unsigned done)
{
	static const struct rig_cfg cfg = {.nsegs = 3, .ntrbs = {30, 17, 40}};
	struct rig *g = rig_up(&cfg);
	struct gdrv_ring *r = g->v->ring[RIG_IN];
	uint64_t buf = post_held(g);
	bool dcs;

	if (done)
		stub_release(&g->s, 0x81, done);
	gdrv_pump(&g->d);
	assert_int_equal(r->tds_done, done);
	assert_int_equal(gdrv_stop_ep(g->v, RIG_IN), CC_SUCCESS);
	assert_int_equal(gdrv_ep_state(g->v, RIG_IN), EP_STOPPED);
	assert_int_equal(r->tds_done, done);
	assert_int_equal(gdrv_ep_dequeue(g->v, RIG_IN, &dcs),
			 dequeue_wanted(g, done));
	assert_int_equal(dcs,
			 1 & gdrv_ring_at(r, dequeue_wanted(g, done))->ctl);
	assert_int_equal(r->stopped_seq, gdrv_td(r, done)->first);
	assert_true(r->stopped_cc == CC_STOPPED ||
		    r->stopped_cc == CC_STOPPED_LENGTH);
	if (r->stopped_cc == CC_STOPPED)
		assert_int_equal(r->stopped_len, GM_PAGE);
	assert_int_equal(stub_in_flight(&g->s), 0);
	assert_false(g->s.cancel_order_bad);
	stub_ep(&g->s, 0x81)->rule.hold = false;
	rig_ring(g, RIG_IN);
	assert_int_equal(r->tds_done, N);
	assert_true(rig_pattern(g, buf, N * GM_PAGE, 0));
	assert_int_equal(rig_down(g), 0);
}

static void stop_with_64_in_flight_loses_nothing(void **state)
{
	(void)state;
	stop_after(0);
	stop_after(1);
	stop_after(10);
	stop_after(29);
	stop_after(63);
}

/* The device is slow to give up: the command waits for it. */
static void stop_completes_after_the_last_transfer(void **state)
{
	struct rig *g = rig_up(NULL);
	struct gdrv_ring *r = g->v->ring[RIG_IN];
	uint32_t id;

	(void)state;
	post_held(g);
	stub_ep(&g->s, 0x81)->cancel_hold = true;
	r->stopping = true;
	gdrv_cmd_post(&g->d, 0, 0,
		      TRB_TYPE(TRB_STOP_EP) | TRB_EP(RIG_IN) |
			      TRB_SLOT(g->v->slot),
		      &id);
	gdrv_doorbell(&g->d, 0, 0, 0);
	gdrv_pump(&g->d);
	assert_false(gdrv_td_ended(gdrv_td(&g->d.cmd, id)));
	assert_int_equal(r->stopped_seq, 0);
	stub_release(&g->s, 0x81, 0);
	assert_int_equal(gdrv_cmd_wait(&g->d, id), CC_SUCCESS);
	assert_int_equal(r->stopped_seq, gdrv_td(r, 0)->first);
	r->stopping = false;
	assert_int_equal(rig_down(g), 0);
}

/* Whole packets moved before the stop: the rest comes after it. */
static void partial_transfer_stops_and_resumes(void **state)
{
	static const uint32_t moved[] = {0, 512, 3584, 4096, 5120, 7680};

	(void)state;
	for (unsigned i = 0; i < sizeof(moved) / sizeof(*moved); i++) {
		struct rig *g = rig_up(NULL);
		struct gdrv_ring *r = g->v->ring[RIG_IN];
		struct stub_ep *e = stub_ep(&g->s, 0x81);
		uint64_t buf = guestmem_alloc(&g->gm, 8192);
		struct gdrv_trb t[2] = {
			{.type = TRB_NORMAL,
			 .ptr = buf,
			 .len = 4096,
			 .flags = TRB_CH | TRB_ISP},
			{.type = TRB_NORMAL,
			 .ptr = buf + 4096,
			 .len = 4096,
			 .flags = TRB_IOC | TRB_ISP},
		};
		unsigned at = moved[i] >= 4096;

		e->rule.hold = true;
		e->cancel_actual = moved[i];
		assert_int_equal(gdrv_post(r, t, 2, NULL), 0);
		rig_ring(g, RIG_IN);
		assert_int_equal(gdrv_stop_ep(g->v, RIG_IN), CC_SUCCESS);
		assert_int_equal(r->stopped_cc, CC_STOPPED);
		assert_int_equal(r->stopped_seq, gdrv_td(r, 0)->first + at);
		assert_int_equal(r->stopped_len, (at ? 8192 : 4096) - moved[i]);
		assert_int_equal(gdrv_ep_dequeue(g->v, RIG_IN, NULL),
				 gdrv_ring_gpa(r, r->stopped_seq));
		e->rule.hold = false;
		rig_ring(g, RIG_IN);
		assert_int_equal(r->tds_done, 1);
		assert_int_equal(gdrv_td(r, 0)->actual, 8192);
		assert_int_equal(gdrv_td(r, 0)->cc, CC_SUCCESS);
		assert_true(rig_pattern(g, buf, 8192, 0));
		assert_int_equal(e->bytes, 8192);
		assert_int_equal(rig_down(g), 0);
	}
}

/*
 * A packet that is not full ends the TD: Stopped - Short Packet with the bytes
 * moved so far (§4.6.9), and if it is resumed, a short packet.
 */
static void short_packet_before_the_stop(void **state)
{
	struct rig *g = rig_up(NULL);
	struct gdrv_ring *r = g->v->ring[RIG_IN];
	struct stub_ep *e = stub_ep(&g->s, 0x81);
	uint64_t buf = guestmem_alloc(&g->gm, 4096);

	(void)state;
	e->rule.hold = true;
	e->cancel_actual = 1025;
	rig_normal(g, RIG_IN, buf, 4096, TRB_IOC | TRB_ISP);
	rig_ring(g, RIG_IN);
	assert_int_equal(gdrv_stop_ep(g->v, RIG_IN), CC_SUCCESS);
	assert_int_equal(r->stopped_cc, CC_STOPPED_SHORT);
	assert_int_equal(r->stopped_len, 1025);
	e->rule.hold = false;
	rig_ring(g, RIG_IN);
	assert_int_equal(r->tds_done, 1);
	assert_int_equal(gdrv_td(r, 0)->cc, CC_SHORT_PACKET);
	assert_int_equal(gdrv_td(r, 0)->actual, 1025);
	assert_int_equal(e->submitted, 1);
	assert_int_equal(rig_down(g), 0);
}

/* Linux cancels a URB: Stop, Set TR Dequeue past it, go on. */
static void set_dequeue_skips_what_was_cancelled(void **state)
{
	struct rig *g = rig_up(NULL);
	struct gdrv_ring *r = g->v->ring[RIG_IN];
	uint64_t buf = post_held(g);

	(void)state;
	stub_release(&g->s, 0x81, 5);
	gdrv_pump(&g->d);
	assert_int_equal(gdrv_stop_ep(g->v, RIG_IN), CC_SUCCESS);
	assert_int_equal(gdrv_set_dequeue(g->v, RIG_IN, gdrv_td(r, 20)->first),
			 CC_SUCCESS);
	assert_int_equal(gdrv_ep_dequeue(g->v, RIG_IN, NULL),
			 dequeue_wanted(g, 20));
	stub_ep(&g->s, 0x81)->rule.hold = false;
	rig_ring(g, RIG_IN);
	assert_int_equal(r->tds_done, N);
	assert_int_equal(gdrv_td(r, 19)->state, TD_DROPPED);
	assert_int_equal(gdrv_td(r, 20)->state, TD_DONE);
	assert_true(rig_pattern(g, buf, 5 * GM_PAGE, 0));
	assert_true(
		rig_pattern(g, buf + 20 * GM_PAGE, 44 * GM_PAGE, 5 * GM_PAGE));
	assert_int_equal(rig_down(g), 0);
}

/* An endpoint with nothing on its ring stops as well. */
static void stop_of_an_idle_endpoint(void **state)
{
	struct rig *g = rig_up(NULL);

	(void)state;
	assert_int_equal(gdrv_stop_ep(g->v, RIG_IN), CC_SUCCESS);
	assert_int_equal(gdrv_ep_state(g->v, RIG_IN), EP_STOPPED);
	assert_int_equal(gdrv_ep_dequeue(g->v, RIG_IN, NULL),
			 g->v->ring[RIG_IN]->seg[0].gpa);
	assert_int_equal(gdrv_stop_ep(g->v, RIG_IN), CC_CONTEXT_STATE);
	assert_int_equal(rig_down(g), 0);
}

static void disable_slot_ends_everything_silently(void **state)
{
	struct rig *g = rig_up(NULL);
	uint64_t ev;

	(void)state;
	post_held(g);
	ev = g->d.nev;
	assert_int_equal(gdrv_disable_slot(&g->d, g->v->slot), CC_SUCCESS);
	g->v = NULL;
	gdrv_emu_bus.advance(&g->e, 100000000);
	gdrv_pump(&g->d);
	assert_int_equal(g->d.nev - ev, 1);
	assert_int_equal(stub_in_flight(&g->s), 0);
	g->v = gdrv_open(&g->d, 1);
	assert_non_null(g->v);
	assert_int_equal(rig_down(g), 0);
}

/* HCRST with 64 in flight: CNR clears in 20 ms, and all works again. */
static void host_controller_reset_with_64_in_flight(void **state)
{
	struct rig *g = rig_up(NULL);
	uint64_t ev, t0;

	(void)state;
	for (unsigned n = 0; n < 5; n++) {
		const struct gdrv_epcfg in = {
			.dci = RIG_IN, .type = EPT_BULK_IN, .mps = 512};

		post_held(g);
		ev = g->d.nev;
		t0 = g->e.now;
		assert_int_equal(gdrv_hcrst(&g->d), 0);
		assert_in_range(g->e.now - t0, 0, 20000000);
		assert_int_equal(stub_in_flight(&g->s), 0);
		assert_int_equal(g->e.holds, 0);
		assert_int_equal(g->d.nev, ev);
		assert_int_equal(gdrv_start(&g->d), 0);
		g->v = gdrv_open(&g->d, 1);
		assert_non_null(g->v);
		assert_int_equal(gdrv_configure(g->v, &in, 1), CC_SUCCESS);
	}
	assert_int_equal(rig_down(g), 0);
}

/* CNR says so while a device still holds transfers. */
static void reset_waits_for_the_device(void **state)
{
	struct rig *g = rig_up(NULL);
	uint32_t sts = g->d.op + OP_USBSTS;

	(void)state;
	post_held(g);
	stub_ep(&g->s, 0x81)->cancel_hold = true;
	gdrv_w32(&g->d, g->d.op + OP_USBCMD, CMD_HCRST);
	gdrv_emu_bus.advance(&g->e, 10000000);
	assert_true(gdrv_r32(&g->d, sts) & STS_CNR);
	stub_release(&g->s, 0x81, 0);
	gdrv_emu_bus.run(&g->e);
	assert_false(gdrv_r32(&g->d, sts) & STS_CNR);
	assert_int_equal(rig_down(g), 0);
}

/* Unplugged: errors for what was in flight, then an empty port. */
static void unplug_with_transfers_in_flight(void **state)
{
	struct rig *g = rig_up(NULL);
	unsigned slot = g->v->slot;

	(void)state;
	post_held(g);
	stub_ep(&g->s, 0x81)->rule.status = USB_NODEV;
	stub_ep(&g->s, 0x81)->rule.limit = true;
	assert_int_equal(xhci_port_disconnect(g->e.x, 1), 0);
	stub_release(&g->s, 0x81, 0);
	gdrv_pump(&g->d);
	assert_false(gdrv_portsc(&g->d, 1) & PORT_CCS);
	assert_true(gdrv_portsc(&g->d, 1) & PORT_CSC);
	assert_int_equal(stub_in_flight(&g->s), 0);
	assert_int_equal(gdrv_disable_slot(&g->d, slot), CC_SUCCESS);
	g->v = NULL;
	assert_int_equal(stub_connect(&g->s, g->e.x, 1, USB_SPEED_HIGH), 0);
	gdrv_pump(&g->d);
	stub_ep(&g->s, 0x81)->rule = (struct stub_rule){0};
	g->v = gdrv_open(&g->d, 1);
	assert_non_null(g->v);
	assert_int_equal(rig_down(g), 0);
}

/* A thousand stops and starts: no growth, nothing lost or doubled. */
static void many_stops(void **state)
{
	struct rig *g = rig_up(NULL);
	struct gdrv_ring *r = g->v->ring[RIG_IN];
	uint64_t buf = guestmem_alloc(&g->gm, 8 * GM_PAGE), allocs = 0;
	struct stub_ep *e = stub_ep(&g->s, 0x81);
	uint64_t posted = 0;

	(void)state;
	for (unsigned n = 0; n < 1000; n++) {
		e->rule.hold = true;
		e->cancel_actual = n % 3 ? 0 : 512 * (n % 9);
		for (unsigned i = 0; i < 8; i++, posted++)
			rig_normal(g, RIG_IN, buf + i * GM_PAGE, GM_PAGE,
				   TRB_IOC);
		rig_ring(g, RIG_IN);
		stub_release(&g->s, 0x81, 1 + n % 7);
		gdrv_pump(&g->d);
		assert_int_equal(gdrv_stop_ep(g->v, RIG_IN), CC_SUCCESS);
		e->rule.hold = false;
		rig_ring(g, RIG_IN);
		assert_int_equal(r->tds_done, posted);
		if (n == 10)
			allocs = xhci_stats(g->e.x)->pool_allocs;
	}
	assert_int_equal(xhci_stats(g->e.x)->pool_allocs, allocs);
	assert_int_equal(rig_down(g), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stop_with_64_in_flight_loses_nothing),
		cmocka_unit_test(stop_completes_after_the_last_transfer),
		cmocka_unit_test(partial_transfer_stops_and_resumes),
		cmocka_unit_test(short_packet_before_the_stop),
		cmocka_unit_test(set_dequeue_skips_what_was_cancelled),
		cmocka_unit_test(stop_of_an_idle_endpoint),
		cmocka_unit_test(disable_slot_ends_everything_silently),
		cmocka_unit_test(host_controller_reset_with_64_in_flight),
		cmocka_unit_test(reset_waits_for_the_device),
		cmocka_unit_test(unplug_with_transfers_in_flight),
		cmocka_unit_test(many_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
