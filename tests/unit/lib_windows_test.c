/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver that does as Windows' does, docs/drivers.md: Event Data TRBs for
 * every TD and no IOC beside them, 31 streams, values in PLS that no one else
 * writes, sleep.
 */
#include "tests/lib/gdrv_rig.h"
#include "tests/unit/lib_disk.h"

#define STREAMS 31u
#define ISO_OUT 6u
#define ISO_IN 7u
#define ED_COOKIE 0xffffa00000000000ull

static void enough_of_everything(void **state)
{
	struct rig *g = rig_up(NULL);
	uint32_t hcc1 = gdrv_r32(&g->d, CAP_HCCPARAMS1);

	(void)state;
	assert_true(g->d.max_slots >= 64);
	assert_true(g->d.max_intrs >= 4);
	assert_true((2u << (hcc1 >> 12 & 15)) > STREAMS);
	assert_int_equal(rig_down(g), 0);
}

static void a_disk_by_event_data(void **state)
{
	static const char *const more[] = {"", ",speed=high", ",speed=full"};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct disk *k = disk_up(more[i], OS_WINDOWS, NULL);

		read_disk(k);
		write_disk(k);
		assert_true(k->e.msgs[0] > 0);
		disk_down(k);
	}
}

/* Super speed, a pair of bulk endpoints with streams */
static struct rig *streams_up(void)
{
	static const struct gdrv_epcfg ep[2] = {
		{.dci = RIG_OUT,
		 .type = EPT_BULK_OUT,
		 .mps = 1024,
		 .max_burst = 15,
		 .streams = 4},
		{.dci = RIG_IN,
		 .type = EPT_BULK_IN,
		 .mps = 1024,
		 .max_burst = 15,
		 .streams = 4},
	};
	struct rig_cfg cfg = {.port = 5};
	struct rig *g;

	gdrv_os_opts(OS_WINDOWS, &cfg.opts);
	g = rig_up(&cfg);
	assert_int_equal(gdrv_replace(g->v, ep, 2), CC_SUCCESS);
	return g;
}

/* One TD of two Normal TRBs and Event Data on a stream; rings */
static uint32_t stream_post(struct rig *g, unsigned dci, unsigned id,
			    uint64_t gpa, uint32_t len)
{
	const struct gdrv_trb t[3] = {
		{.type = TRB_NORMAL,
		 .ptr = gpa,
		 .len = len / 2,
		 .flags = TRB_CH},
		{.type = TRB_NORMAL,
		 .ptr = gpa + len / 2,
		 .len = len - len / 2,
		 .flags = TRB_CH},
		{.type = TRB_EVENT_DATA,
		 .ptr = ED_COOKIE | id << 8 | dci,
		 .flags = TRB_IOC},
	};
	uint32_t td;

	assert_int_equal(gdrv_post(&g->v->streams[dci]->ring[id], t, 3, &td),
			 0);
	gdrv_doorbell(&g->d, g->v->slot, dci, id);
	return td;
}

static struct gdrv_td *stream_td(struct rig *g, unsigned dci, unsigned id,
				 uint32_t td)
{
	return gdrv_td(&g->v->streams[dci]->ring[id], td);
}

static void thirty_one_streams_at_once(void **state)
{
	struct rig *g = streams_up();
	uint64_t buf = guestmem_alloc(&g->gm, (STREAMS + 1) * GM_PAGE);
	struct stub_ep *in = stub_ep(&g->s, 0x81);
	uint32_t td[STREAMS + 1];

	(void)state;
	for (unsigned round = 0; round < 40; round++) { /* over the Links */
		uint64_t at = in->next_byte;

		in->rule.hold = true;
		for (unsigned id = 1; id <= STREAMS; id++)
			td[id] = stream_post(g, RIG_IN, id, buf + id * GM_PAGE,
					     2000);
		gdrv_pump(&g->d);
		assert_int_equal(in->queued, STREAMS);
		in->rule.hold = false;
		for (unsigned n = 0; n < STREAMS; n++)
			stub_release(&g->s, 0x81, 1);
		gdrv_pump(&g->d);
		for (unsigned id = 1; id <= STREAMS; id++) {
			struct gdrv_td *t = stream_td(g, RIG_IN, id, td[id]);

			assert_int_equal(t->state, TD_DONE);
			assert_int_equal(t->actual, 2000);
			assert_int_equal(t->events, 1);
			assert_true(rig_pattern(g, buf + id * GM_PAGE, 2000,
						at + (id - 1) * 2000));
		}
	}
	assert_int_equal(rig_down(g), 0);
}

/* One of them is given up, the others go on where they were */
static void one_stream_is_cancelled(void **state)
{
	struct rig *g = streams_up();
	uint64_t buf = guestmem_alloc(&g->gm, 4 * GM_PAGE);
	struct stub_ep *out = stub_ep(&g->s, 1);
	uint32_t td[4];

	(void)state;
	out->rule.hold = true;
	for (unsigned id = 1; id <= 3; id++)
		td[id] = stream_post(g, RIG_OUT, id, buf + id * GM_PAGE, 3000);
	gdrv_pump(&g->d);
	assert_int_equal(gdrv_stop_ep(g->v, RIG_OUT), CC_SUCCESS);
	out->rule.hold = false;
	assert_int_equal(gdrv_stream_dequeue(g->v, RIG_OUT, 2, 0), CC_SUCCESS);
	for (unsigned id = 1; id <= 3; id += 2)
		gdrv_doorbell(&g->d, g->v->slot, RIG_OUT, id);
	gdrv_pump(&g->d);
	assert_int_equal(stream_td(g, RIG_OUT, 1, td[1])->actual, 3000);
	assert_int_equal(stream_td(g, RIG_OUT, 2, td[2])->state, TD_DROPPED);
	assert_int_equal(stream_td(g, RIG_OUT, 3, td[3])->actual, 3000);
	td[2] = stream_post(g, RIG_OUT, 2, buf, 100);
	gdrv_pump(&g->d);
	assert_int_equal(stream_td(g, RIG_OUT, 2, td[2])->actual, 100);
	assert_int_equal(rig_down(g), 0);
}

/* Short packets and errors, of which only Event Data tells how much came */
static void what_came_is_told_by_event_data(void **state)
{
	static const uint32_t came[] = {0, 1, 4096, 65536, 70000, 131072};
	struct rig *g = rig_up(NULL);
	uint64_t buf = guestmem_alloc(&g->gm, 131072);
	struct gdrv_sg sg = {buf, 131072};
	struct stub_ep *in = stub_ep(&g->s, 0x81);
	uint32_t n = 0;

	(void)state;
	for (unsigned i = 0; i < sizeof(came) / sizeof(came[0]); i++) {
		in->rule = (struct stub_rule){.limit = true, .actual = came[i]};
		assert_int_equal(
			gdrv_bulk(g->v, RIG_IN, OS_WINDOWS, &sg, 1, &n),
			came[i] == sg.len ? CC_SUCCESS : CC_SHORT_PACKET);
		assert_int_equal(n, came[i]);
	}
	in->rule = (struct stub_rule){
		.status = USB_STALL, .limit = true, .actual = 512, .times = 1};
	assert_int_equal(gdrv_bulk(g->v, RIG_IN, OS_WINDOWS, &sg, 1, &n),
			 CC_STALL);
	assert_int_equal(gdrv_reset_ep(g->v, RIG_IN, false), CC_SUCCESS);
	assert_int_equal(gdrv_set_dequeue(g->v, RIG_IN, 0), CC_SUCCESS);
	assert_int_equal(gdrv_bulk(g->v, RIG_IN, OS_WINDOWS, &sg, 1, &n),
			 CC_SUCCESS);
	assert_int_equal(rig_down(g), 0);
}

/* A packet fails in the first of its two TRBs: Event Data says so, too */
static void isochronous_errors_end_in_event_data(void **state)
{
	static const struct gdrv_epcfg ep = {.dci = ISO_IN,
					     .type = EPT_ISOCH_IN,
					     .mps = 1024,
					     .max_burst = 2,
					     .max_esit = 3072,
					     .interval = 3};
	struct gdrv_isoch q = {
		.len = 3000, .n = 8, .interval = 3, .split = true};
	struct rig *g = rig_up(NULL);
	struct stub_ep *in = stub_ep(&g->s, 0x83);
	uint32_t td[8];

	(void)state;
	assert_int_equal(gdrv_configure(g->v, &ep, 1), CC_SUCCESS);
	q.gpa = guestmem_alloc(&g->gm, 8 * 3000);
	in->rule = (struct stub_rule){
		.status = USB_ERROR, .limit = true, .actual = 700, .times = 3};
	assert_int_equal(gdrv_os_isoch(g->v->ring[ISO_IN], OS_WINDOWS, &q, td),
			 0);
	gdrv_doorbell(&g->d, g->v->slot, ISO_IN, 0);
	gdrv_pump(&g->d);
	for (unsigned i = 0; i < 8; i++) {
		struct gdrv_td *t = gdrv_td(g->v->ring[ISO_IN], td[i]);

		assert_int_equal(t->state, i < 3 ? TD_ERROR : TD_DONE);
		assert_int_equal(t->cc, i < 3 ? CC_TRANSACTION : CC_SUCCESS);
		assert_int_equal(t->events, i < 3 ? 2 : 1);
		assert_int_equal(t->actual, i < 3 ? 700 : 3000);
	}
	assert_int_equal(rig_down(g), 0);
}

static void link_write(struct rig *g, unsigned port, unsigned pls)
{
	uint32_t v = gdrv_portsc(&g->d, port) & PORT_KEEP;

	gdrv_w32(&g->d, g->d.op + OP_PORTSC(port), v | PORT_LWS | pls << 5);
	gdrv_pump(&g->d);
}

/* Table 5-27: what PLS may be written with; nothing else has an effect */
static void odd_link_states_have_no_effect(void **state)
{
	static const uint32_t means[2] = {
		1u << 0 | 1u << 2 | 1u << 3 | 1u << 15, /* USB 2 */
		1u << 0 | 1u << 3 | 1u << 4 | 1u << 5,  /* USB 3 */
	};

	(void)state;
	for (unsigned port = 1; port <= 8; port++) {
		struct rig_cfg cfg = {.port = port < 5 ? 1 : 5};
		struct rig *g = rig_up(&cfg);
		struct gdrv_sg sg = {guestmem_alloc(&g->gm, 512), 512};
		uint64_t events = g->d.port_events;
		uint32_t before = gdrv_portsc(&g->d, port), n = 0;

		for (unsigned pls = 0; pls < 16; pls++) {
			if (port % 4 == 1 && means[port > 4] & 1u << pls)
				continue;
			if (port > 4 && (pls == 4 || pls == 5))
				continue;
			link_write(g, port, pls);
			assert_int_equal(gdrv_portsc(&g->d, port), before);
		}
		/* U0 in U0, and without LWS: nothing either */
		link_write(g, port, 0);
		gdrv_w32(&g->d, g->d.op + OP_PORTSC(port),
			 (before & PORT_KEEP) | 3u << 5);
		assert_int_equal(gdrv_portsc(&g->d, port), before);
		assert_int_equal(g->d.port_events, events);
		assert_int_equal(
			gdrv_bulk(g->v, RIG_IN, OS_WINDOWS, &sg, 1, &n),
			CC_SUCCESS);
		assert_int_equal(rig_down(g), 0);
	}
}

/* U3, and back: by the driver, and by the device */
static void a_device_sleeps_and_wakes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct rig_cfg cfg = {.port = i & 1 ? 5 : 1};
		struct rig *g = rig_up(&cfg);
		struct gdrv_sg sg = {guestmem_alloc(&g->gm, 512), 512};
		uint32_t sc, n = 0;

		link_write(g, cfg.port, 3);
		assert_int_equal(PORT_PLS(gdrv_portsc(&g->d, cfg.port)), 3);
		assert_int_equal(g->s.suspends, 1);
		if (i & 2) {
			uint64_t events = g->d.port_events;

			xhci_port_wake(g->e.x, cfg.port);
			gdrv_pump(&g->d);
			assert_int_equal(g->d.port_events, events + 1);
			sc = gdrv_portsc(&g->d, cfg.port);
			assert_int_equal(PORT_PLS(sc), 15);
			assert_true(sc & PORT_PLC);
		} else if (cfg.port < 5) {
			link_write(g, cfg.port, 15);
			assert_int_equal(PORT_PLS(gdrv_portsc(&g->d, cfg.port)),
					 15);
		}
		link_write(g, cfg.port, 0);
		sc = gdrv_portsc(&g->d, cfg.port);
		assert_int_equal(PORT_PLS(sc), 0);
		assert_true(sc & PORT_PLC);
		assert_int_equal(
			gdrv_bulk(g->v, RIG_IN, OS_WINDOWS, &sg, 1, &n),
			CC_SUCCESS);
		assert_int_equal(rig_down(g), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enough_of_everything),
		cmocka_unit_test(a_disk_by_event_data),
		cmocka_unit_test(thirty_one_streams_at_once),
		cmocka_unit_test(one_stream_is_cancelled),
		cmocka_unit_test(what_came_is_told_by_event_data),
		cmocka_unit_test(isochronous_errors_end_in_event_data),
		cmocka_unit_test(odd_link_states_have_no_effect),
		cmocka_unit_test(a_device_sleeps_and_wakes),
	};

	return cmocka_run_group_tests_name("lib_windows", tests, NULL, NULL);
}
