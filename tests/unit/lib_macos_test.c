/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver that does as macOS' does, docs/drivers.md: an interrupter for
 * commands and ports, another for transfers, a third for isochronous ones;
 * Event Data TRBs that name themselves; one event ring where there is only the
 * pin.
 */
#include "tests/lib/gdrv_rig.h"
#include "tests/unit/lib_disk.h"

#define MS 1000000ull
#define ISO_OUT 6u
#define ISO_IN 7u

static struct rig *mac_up(struct rig_cfg cfg)
{
	gdrv_os_opts(OS_MACOS, &cfg.opts);
	return rig_up(&cfg);
}

/* It has arrays for 15 ports, and refuses to have fewer than 4 interrupters */
static void interrupters_and_ports(void **state)
{
	struct rig *g = mac_up(
		(struct rig_cfg){.xhci = {.usb2_ports = 7, .usb3_ports = 8}});

	(void)state;
	assert_true(g->d.max_intrs >= 4);
	assert_int_equal(g->d.max_ports, 15);
	assert_int_equal(rig_down(g), 0);
}

static void a_disk_on_three_event_rings(void **state)
{
	static const char *const more[] = {",usb2=7,usb3=8",
					   ",speed=high,usb2=7,usb3=8"};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct disk *k = disk_up(more[i], OS_MACOS, NULL);
		uint64_t commands = k->d.evr[0].count, msgs = k->e.msgs[0];

		read_disk(k);
		write_disk(k);
		/* nothing of transfers on the first ring, all on the second */
		assert_int_equal(k->d.evr[0].count, commands);
		assert_int_equal(k->e.msgs[0], msgs);
		assert_true(k->d.evr[1].count > 20);
		assert_true(k->e.msgs[1] > 0);
		assert_int_equal(k->d.evr[2].count, 0);
		disk_down(k);
	}
}

/* §4.17: all events are the first interrupter's, wherever they are aimed */
static void with_the_pin_there_is_one_event_ring(void **state)
{
	struct rig *g = mac_up((struct rig_cfg){.bare = true});
	struct gdrv_sg sg = {guestmem_alloc(&g->gm, 200000), 200000};
	static const struct gdrv_epcfg ep[2] = {
		{.dci = RIG_OUT, .type = EPT_BULK_OUT, .mps = 512},
		{.dci = RIG_IN, .type = EPT_BULK_IN, .mps = 512}};
	uint64_t rises;
	uint32_t n = 0;

	(void)state;
	xhci_set_intr_mode(g->e.x, XHCI_INTR_PIN);
	g->d.opts.one_ring = true;
	g->v = gdrv_open(&g->d, 1);
	assert_non_null(g->v);
	assert_int_equal(gdrv_configure(g->v, ep, 2), CC_SUCCESS);
	rises = g->e.pin_rises;
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(
			gdrv_bulk(g->v, RIG_OUT + i % 2, OS_MACOS, &sg, 1, &n),
			CC_SUCCESS);
		assert_int_equal(n, sg.len);
		gdrv_emu_bus.advance(&g->e, MS); /* moderation */
		gdrv_pump(&g->d);
	}
	assert_true(g->e.pin_rises > rises);
	assert_false(g->e.pin);
	assert_int_equal(g->d.evr[1].count, 0);
	assert_int_equal(rig_down(g), 0);
}

/* Each fragment is a TD; the one that was short says what came of it */
static void fragments_end_in_event_data(void **state)
{
	struct rig *g = mac_up((struct rig_cfg){0});
	struct gdrv_sg sg = {guestmem_alloc(&g->gm, 65536 + 8192) + 100, 65536};
	struct stub_ep *in = stub_ep(&g->s, 0x81);
	static const uint32_t came[] = {0, 512, 4000, 65536};
	uint32_t n = 0;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		uint64_t at = in->next_byte;

		in->rule = (struct stub_rule){.limit = true, .actual = came[i]};
		assert_int_equal(gdrv_bulk(g->v, RIG_IN, OS_MACOS, &sg, 1, &n),
				 came[i] == sg.len ? CC_SUCCESS
						   : CC_SHORT_PACKET);
		assert_int_equal(n, came[i]);
		assert_true(rig_pattern(g, sg.gpa, n, at));
	}
	assert_int_equal(rig_down(g), 0);
}

/* An abort waits for the Stopped event, with the TRB where it stopped */
static void an_abort_finds_where_it_stopped(void **state)
{
	struct rig *g = mac_up((struct rig_cfg){0});
	struct gdrv_sg sg = {guestmem_alloc(&g->gm, 16384), 16384};
	struct stub_ep *in = stub_ep(&g->s, 0x81);
	struct gdrv_ring *r = g->v->ring[RIG_IN];
	uint32_t td, n = 0;

	(void)state;
	in->rule.hold = true;
	in->cancel_actual = 5120;
	assert_int_equal(gdrv_os_bulk(r, OS_MACOS, true, &sg, 1, &td, 1), 1);
	gdrv_doorbell(&g->d, g->v->slot, RIG_IN, 0);
	gdrv_pump(&g->d);
	assert_int_equal(gdrv_stop_ep(g->v, RIG_IN), CC_SUCCESS);
	assert_int_equal(r->stopped_cc, CC_STOPPED);
	assert_int_equal(r->stopped_seq, gdrv_td(r, td)->first + 1);
	assert_int_equal(r->stopped_len, 8192 - 5120);
	in->rule.hold = false;
	assert_int_equal(gdrv_set_dequeue(g->v, RIG_IN, 0), CC_SUCCESS);
	/* with nothing on the ring it is told as well, on the same ring */
	gdrv_doorbell(&g->d, g->v->slot, RIG_IN, 0);
	gdrv_pump(&g->d);
	assert_int_equal(gdrv_stop_ep(g->v, RIG_IN), CC_SUCCESS);
	assert_int_equal(r->stopped_cc, CC_STOPPED_LENGTH);
	assert_int_equal(gdrv_event(&g->d, g->d.nev - 1)->intr, 1);
	assert_int_equal(gdrv_bulk(g->v, RIG_IN, OS_MACOS, &sg, 1, &n),
			 CC_SUCCESS);
	assert_int_equal(n, sg.len);
	assert_int_equal(rig_down(g), 0);
}

/*
 * Isochronous TDs by Frame ID, on the third ring, with one interrupt for the
 * last; then the ring runs dry, which is told once.
 */
static void isochronous_until_the_ring_is_dry(void **state)
{
	static const struct gdrv_epcfg ep[2] = {
		{.dci = ISO_OUT,
		 .type = EPT_ISOCH_OUT,
		 .mps = 1024,
		 .max_esit = 1024,
		 .interval = 3},
		{.dci = ISO_IN,
		 .type = EPT_ISOCH_IN,
		 .mps = 1024,
		 .max_esit = 1024,
		 .interval = 3},
	};

	(void)state;
	for (unsigned dci = ISO_OUT; dci <= ISO_IN; dci++) {
		struct rig *g = mac_up((struct rig_cfg){0});
		struct gdrv_isoch q = {
			.len = 900, .n = 16, .interval = 3, .split = true};
		struct gdrv_ring *r;
		const struct gdrv_event *e;
		uint64_t msgs, nev;
		uint32_t td[16];

		assert_int_equal(gdrv_configure(g->v, ep, 2), CC_SUCCESS);
		r = g->v->ring[dci];
		q.gpa = guestmem_alloc(&g->gm, 16 * 900);
		msgs = gdrv_intrs(&g->d, 2);
		assert_int_equal(gdrv_os_isoch(r, OS_MACOS, &q, td), 0);
		gdrv_doorbell(&g->d, g->v->slot, dci, 0);
		for (unsigned i = 0; i < 16; i++) {
			struct gdrv_td *t;

			assert_int_equal(gdrv_wait(&g->d, r, td[i], 100), 0);
			t = gdrv_td(r, td[i]);
			assert_int_equal(t->cc, CC_SUCCESS);
			assert_int_equal(t->actual, 900);
		}
		assert_int_equal(g->d.evr[2].count, 16);
		assert_int_equal(gdrv_intrs(&g->d, 2), msgs + 1);
		nev = g->d.nev;
		gdrv_emu_bus.advance(&g->e, 1100 * MS);
		gdrv_pump(&g->d);
		assert_int_equal(g->d.nev, nev + 1);
		e = gdrv_event(&g->d, nev);
		assert_int_equal(e->cc, dci == ISO_IN ? CC_RING_OVERRUN
						      : CC_RING_UNDERRUN);
		assert_int_equal(e->dci, dci);
		assert_int_equal(rig_down(g), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupters_and_ports),
		cmocka_unit_test(a_disk_on_three_event_rings),
		cmocka_unit_test(with_the_pin_there_is_one_event_ring),
		cmocka_unit_test(fragments_end_in_event_data),
		cmocka_unit_test(an_abort_finds_where_it_stopped),
		cmocka_unit_test(isochronous_until_the_ring_is_dry),
	};

	return cmocka_run_group_tests_name("lib_macos", tests, NULL, NULL);
}
