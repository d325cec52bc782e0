/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Event rings: segments, wrap and cycle bit, full rings that lose nothing, and
 * what software can say wrong of them; xHCI 1.2 §4.9.4, §6.5, §5.5.2.3.
 */
#include "tests/unit/emu_drv.h"

#define NTDS 300u

static void event(struct fake *f)
{
	cmd_post(f, 0, 0, T(NOOP_CMD));
	run(f);
}

/* Several segments: written through in order, the cycle bit once a lap */
static void segments_wrap_with_the_cycle_bit(void **state)
{
	(void)state;
	for (unsigned nseg = 1; nseg <= 16; nseg += 3) {
		struct fake *f = fake_new();

		f->ev_nseg = nseg;
		f->ev_size = 16;
		start(f);
		for (unsigned i = 0; i < 16 * nseg * 5; i++) {
			uint64_t at =
				G_EV(0, f->ev[0].seg) + f->ev[0].idx * TRB_SIZE;

			assert_int_equal(cmd(f, 0, 0, T(NOOP_CMD)), CC_SUCCESS);
			assert_int_equal(mem32(f, at + 12) & TRB_C,
					 i / (16 * nseg) % 2 ? 0 : TRB_C);
		}
		assert_int_equal(xhci_stats(f->x)->ring_full, 0);
		fake_free(f);
	}
}

/* Segments of different size, not in order of address */
static void segments_of_all_sizes(void **state)
{
	static const struct {
		uint64_t base;
		unsigned size;
	} seg[] = {{0x30000, 40}, {0x20000, 16}, {0x28000, 4096}};
	struct fake *f = fake_new();
	bool cycle = true;

	(void)state;
	f->ev_nseg = 3;
	start(f);
	wr(f, REG_CMD, 0);
	for (unsigned s = 0; s < 3; s++) {
		put64(f, G_ERST(0) + 16 * s, seg[s].base);
		put64(f, G_ERST(0) + 16 * s + 8, seg[s].size);
	}
	wr64(f, REG_IR(0, IR_ERDP), seg[0].base);
	wr64(f, REG_IR(0, IR_ERSTBA), G_ERST(0));
	wr64(f, REG_CRCR, f->cmd_at | 1);
	wr(f, REG_CMD, CMD_ON);
	for (unsigned lap = 0; lap < 2; lap++, cycle = !cycle)
		for (unsigned s = 0; s < 3; s++)
			for (unsigned i = 0; i < seg[s].size; i++) {
				uint64_t at = seg[s].base + i * 16;

				event(f);
				assert_int_equal(mem32(f, at + 12),
						 T(EV_COMMAND) | cycle);
				wr64(f, REG_IR(0, IR_ERDP),
				     (at + (i + 1 < seg[s].size ? 16 : 0)) |
					     ERDP_EHB);
			}
	assert_int_equal(rd(f, REG_STS) & (STS_HCE | STS_HSE), 0);
	fake_free(f);
}

/*
 * Software that reads @step events at a time, at its leisure: all the TDs'
 * events come, once, in order, and one Event Ring Full each time it was full.
 */
static void full_ring(unsigned nseg, unsigned step)
{
	struct fake *f = fake_new();
	unsigned got = 0, fulls = 0, acks = 1, i;
	struct xhci_trb ev;
	uint64_t at = G_RING(DCI_IN);

	f->ev_nseg = nseg;
	f->ev_size = 16;
	start(f);
	port_up(f, 1);
	slot_new(f);
	address(f, 1, 1, false);
	configure(f, 1);
	ev_forget(f);
	for (i = 0; i < NTDS; i++)
		at = put(f, at, 0x400000, 1, T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_IN);
	while (got < NTDS) {
		dev_end_all(&f->dev[1], USB_OK);
		run(f);
		for (i = 0; i < step && ev_take(f, 0, &ev); i++) {
			if (EV_TYPE(&ev) == TRB_EV_HOST) {
				assert_int_equal(EV_CC(&ev),
						 CC_EVENT_RING_FULL);
				fulls++;
				continue;
			}
			assert_event(&ev, G_RING(DCI_IN) + got * 16, CC_SUCCESS,
				     0);
			got++;
		}
		assert_true(i > 0);
		ev_ack(f, 0);
		acks++;
		run(f);
	}
	assert_int_equal(xhci_stats(f->x)->ring_full, fulls);
	assert_true(fulls > 0 && fulls <= acks);
	assert_int_equal(xfer_events(f), 0);
	/* it all works as before */
	assert_int_equal(cmd(f, 0, 0, T(NOOP_CMD)), CC_SUCCESS);
	fake_free(f);
}

static void a_full_ring_loses_nothing(void **state)
{
	(void)state;
	for (unsigned nseg = 1; nseg <= 3; nseg++)
		for (unsigned step = 1; step <= 40; step += 3)
			full_ring(nseg, step);
}

/* One Event Ring Full, in the last place, and then not a byte more, §4.9.4 */
static void full_is_said_once(void **state)
{
	struct fake *f = fake_new();
	unsigned n = 0;
	struct xhci_trb ev;

	(void)state;
	f->ev_size = 16;
	start(f);
	for (unsigned i = 0; i < 40; i++) {
		event(f);
		fake_plug(f, 1, USB_SPEED_HIGH);
		wr(f, REG_PORTSC(1), PORTSC_PP | PORTSC_CHANGES);
		xhci_port_disconnect(f->x, 1);
		wr(f, REG_PORTSC(1), PORTSC_PP | PORTSC_CHANGES);
		run(f);
	}
	assert_int_equal(xhci_stats(f->x)->ring_full, 1);
	assert_int_equal(xhci_stats(f->x)->events, 15);
	assert_int_equal(xhci_stats(f->x)->commands < 16, 1);
	while (ev_take(f, 0, &ev))
		n += EV_TYPE(&ev) == TRB_EV_HOST;
	assert_int_equal(n, 1);
	assert_int_equal(EV_TYPE(&ev) == TRB_EV_HOST, 0); /* cycle wrong */
	/* ERDP that does not move changes nothing */
	for (unsigned i = 0; i < 10; i++)
		wr64(f, REG_IR(0, IR_ERDP), G_EV(0, 0) | ERDP_EHB);
	run(f);
	assert_int_equal(xhci_stats(f->x)->events, 15);
	fake_free(f);
}

/* Every command and port change that waited for room comes after it */
static void commands_wait_for_room(void **state)
{
	struct fake *f = fake_new();
	unsigned cmds = 0, ports = 0;

	(void)state;
	f->ev_size = 16;
	start(f);
	for (unsigned i = 0; i < 60; i++)
		cmd_post(f, 0, 0, T(NOOP_CMD));
	run(f);
	fake_plug(f, 1, USB_SPEED_HIGH);
	fake_plug(f, 6, USB_SPEED_SUPER);
	for (unsigned i = 0; i < 20; i++) {
		ev_drain(f, 0);
		run(f);
	}
	for (unsigned i = 0; i < f->nseen; i++) {
		cmds += EV_TYPE(&f->seen[i]) == TRB_EV_COMMAND;
		ports += EV_TYPE(&f->seen[i]) == TRB_EV_PORT;
	}
	assert_int_equal(cmds, 60);
	assert_int_equal(ports, 2);
	fake_free(f);
}

/* Software below 4 GiB may leave the high half of ERDP alone: SeaBIOS does */
static void room_by_the_low_half_of_erdp(void **state)
{
	struct fake *f = fake_new();
	struct xhci_trb ev;

	(void)state;
	f->ev_size = 16;
	start(f);
	for (unsigned i = 0; i < 20; i++)
		cmd_post(f, 0, 0, T(NOOP_CMD));
	run(f);
	while (ev_take(f, 0, &ev))
		continue;
	assert_true(xhci_stats(f->x)->commands < 20);
	wr(f, REG_IR(0, IR_ERDP),
	   (uint32_t)(G_EV(0, 0) + f->ev[0].idx * TRB_SIZE) | ERDP_EHB);
	run(f);
	assert_int_equal(xhci_stats(f->x)->commands, 20);
	fake_free(f);
}

/* A full secondary ring holds its transfers, and loses none either. */
static void a_secondary_ring_may_be_full(void **state)
{
	struct fake *f = fake_ready(1);
	uint64_t at = G_RING(DCI_IN);
	unsigned got = 0;

	(void)state;
	f->ev_size = 16;
	setup_events(f, 3);
	for (unsigned i = 0; i < 60; i++)
		at = put(f, at, 0x400000, 1 | 3u << 22,
			 T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_IN);
	for (unsigned i = 0; i < 20; i++) {
		dev_end_all(&f->dev[1], USB_OK);
		run(f);
		ev_drain(f, 3);
	}
	for (unsigned i = 0; i < f->nseen; i++)
		if (EV_TYPE(&f->seen[i]) == TRB_EV_TRANSFER)
			assert_event(&f->seen[i], G_RING(DCI_IN) + got++ * 16,
				     CC_SUCCESS, 0);
	assert_int_equal(got, 60);
	fake_free(f);
}

/* One full ring holds up what reports to it, and nothing else. */
static void a_full_ring_does_not_hold_up_others(void **state)
{
	struct fake *f = fake_ready(1);
	uint64_t in = G_RING(DCI_IN), out = G_RING(DCI_OUT);
	unsigned got = 0;

	(void)state;
	f->ev_size = 16;
	setup_events(f, 3);
	f->ev_size = 256;
	for (unsigned i = 0; i < 60; i++) {
		in = put(f, in, 0x400000, 1 | 3u << 22,
			 T(NORMAL) | TRB_C | TRB_IOC);
		out = put(f, out, 0x400000, 1, T(NORMAL) | TRB_C | TRB_IOC);
	}
	ring_db(f, 1, DCI_IN);
	for (unsigned i = 0; i < 3; i++) {
		dev_end_all(&f->dev[1], USB_OK);
		run(f);
	}
	/* ring 3 is full, nobody reads it: yet commands and transfers end */
	assert_int_equal(xhci_stats(f->x)->ring_full, 1);
	assert_int_equal(cmd(f, 0, 0, T(NOOP_CMD)), CC_SUCCESS);
	ring_db(f, 1, DCI_OUT);
	dev_end_all(&f->dev[1], USB_OK);
	assert_int_equal(xfer_events(f), 60);
	/* the endpoint that waits for room can be stopped and rung */
	ring_db(f, 1, DCI_IN);
	f->nseen = 0;
	f->ev_size = 16;
	for (unsigned i = 0; i < 20; i++) {
		ev_drain(f, 3);
		run(f);
	}
	for (unsigned i = 0; i < f->nseen; i++)
		got += EV_TYPE(&f->seen[i]) == TRB_EV_TRANSFER;
	assert_int_equal(got, 60);
	fake_free(f);
}

/* HCRST and a dropped endpoint while rings wait for room */
static void waiting_for_room_may_end_otherwise(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 3; how++) {
		struct fake *f = fake_ready(1);
		uint64_t in = G_RING(DCI_IN);

		f->ev_size = 16;
		setup_events(f, 3);
		f->ev_size = 256;
		for (unsigned i = 0; i < 60; i++)
			in = put(f, in, 0x400000, 1 | 3u << 22,
				 T(NORMAL) | TRB_C | TRB_IOC);
		ring_db(f, 1, DCI_IN);
		dev_end_all(&f->dev[1], USB_OK);
		run(f);
		if (how == 0) {
			wr(f, REG_CMD, CMD_HCRST);
		} else if (how == 1) {
			assert_int_equal(
				cmd(f, 0, 0, T(DISABLE_SLOT) | SLOT(1)),
				CC_SUCCESS);
			f->ev_size = 16;
			ev_drain(f, 3);
		} else {
			wr(f, REG_IR(3, IR_ERSTSZ), 0); /* events go nowhere */
			run(f);
			assert_int_equal(octx_ep_state(f, 1, DCI_IN),
					 EP_RUNNING);
		}
		fake_free(f);
	}
}

/* What is wrong with a segment table: HCE, or HSE where it is not there */
static void wrong_segment_tables(void **state)
{
	static const struct {
		uint64_t erst, base;
		uint32_t size, bad;
	} rows[] = {
		{G_ERST(0), G_EV(0, 0), 0, STS_HCE},
		{G_ERST(0), G_EV(0, 0), 1, STS_HCE},
		{G_ERST(0), G_EV(0, 0), 15, STS_HCE},
		{G_ERST(0), G_EV(0, 0), 16, 0},
		{G_ERST(0), G_EV(0, 0), 4096, 0},
		{G_ERST(0), G_EV(0, 0), 4097, STS_HCE},
		{G_ERST(0), G_EV(0, 0), 65535, STS_HCE},
		{G_ERST(0), G_EV(0, 0) + 16, 32, STS_HCE},
		{G_ERST(0), G_EV(0, 0) + 63, 32, STS_HCE},
		{1ull << 40, G_EV(0, 0), 32, STS_HSE},
		{~0ull, G_EV(0, 0), 32, STS_HSE},
		{MEM_SIZE, G_EV(0, 0), 32, STS_HSE},
		{0, G_EV(0, 0), 32, STS_HSE},
		{G_ERST(0), 1ull << 40, 32, STS_HSE},
		{G_ERST(0), ~0ull & ~63ull, 4096, STS_HSE},
		{G_ERST(0), MEM_SIZE, 32, STS_HSE},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake *f = fake_new();

		start(f);
		put64(f, G_ERST(0), rows[i].base);
		put32(f, G_ERST(0) + 8, rows[i].size);
		wr64(f, REG_IR(0, IR_ERDP), rows[i].base & ~63ull);
		wr64(f, REG_IR(0, IR_ERSTBA), rows[i].erst);
		event(f);
		if ((rd(f, REG_STS) & (STS_HCE | STS_HSE)) != rows[i].bad)
			fail_msg("row %u: USBSTS %x", i, rd(f, REG_STS));
		assert_int_equal(!!(rd(f, REG_STS) & STS_HCH),
				 rows[i].bad != 0);
		/* HCE: it is over until a reset, §4.24.1 */
		if (rows[i].bad == STS_HCE) {
			wr(f, REG_STS, ~0u);
			wr(f, REG_CMD, CMD_ON);
			assert_true(rd(f, REG_STS) & STS_HCH);
		}
		wr(f, REG_CMD, CMD_HCRST);
		run(f);
		start(f);
		assert_int_equal(cmd(f, 0, 0, T(NOOP_CMD)), CC_SUCCESS);
		fake_free(f);
	}
}

static void erdp_outside_the_ring(void **state)
{
	static const uint64_t at[] = {0, G_EV(0, 0) - 16, G_EV(0, 0) + 16 * 16,
				      G_EV(0, 1) + 16 * 16, ~0ull & ~15ull};

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct fake *f = fake_new();

		f->ev_nseg = 2;
		f->ev_size = 16;
		start(f);
		event(f);
		wr64(f, REG_IR(0, IR_ERDP), at[i]);
		event(f);
		assert_int_equal(rd(f, REG_STS) & (STS_HCE | STS_HCH),
				 STS_HCE | STS_HCH);
		fake_free(f);
	}
}

/* §5.5.2.3.1: size 0 is no ring; its events go nowhere */
static void no_table_no_events(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f);
	wr(f, REG_IR(0, IR_ERSTSZ), 0);
	for (unsigned i = 0; i < 100; i++)
		event(f);
	assert_int_equal(xhci_stats(f->x)->events, 0);
	assert_int_equal(rd(f, REG_STS) & (STS_HCE | STS_HSE | STS_HCH), 0);
	assert_int_equal(f->msgs[0], 0);
	fake_free(f);
}

/* A table that is rewritten under way is looked at when it is said so. */
static void table_rewritten_while_running(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	f->ev_nseg = 3;
	f->ev_size = 16;
	start(f);
	event(f);
	/* memory alone: the controller has its copy */
	put64(f, G_ERST(0), ~0ull);
	put64(f, G_ERST(0) + 8, ~0ull);
	event(f);
	assert_int_equal(ev_drain(f, 0), 2);
	/* shrunk while the ring is in its third segment */
	for (unsigned i = 0; i < 36; i++) {
		event(f);
		ev_drain(f, 0);
	}
	assert_int_equal(f->ev[0].seg, 2);
	f->ev_nseg = 1;
	setup_events(f, 0);
	event(f);
	assert_int_equal(ev_drain(f, 0), 1);
	assert_int_equal(rd(f, REG_STS) & (STS_HCE | STS_HSE), 0);
	fake_free(f);
}

/* More segments than ERST Max are not used, §5.3.4. */
static void more_segments_than_erst_max(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f);
	wr(f, REG_IR(0, IR_ERSTSZ), 0xffff);
	assert_true(rd(f, REG_IR(0, IR_ERSTSZ)) <= 1u << ERST_MAX_LOG2);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_wrap_with_the_cycle_bit),
		cmocka_unit_test(segments_of_all_sizes),
		cmocka_unit_test(a_full_ring_loses_nothing),
		cmocka_unit_test(full_is_said_once),
		cmocka_unit_test(commands_wait_for_room),
		cmocka_unit_test(room_by_the_low_half_of_erdp),
		cmocka_unit_test(a_secondary_ring_may_be_full),
		cmocka_unit_test(a_full_ring_does_not_hold_up_others),
		cmocka_unit_test(waiting_for_room_may_end_otherwise),
		cmocka_unit_test(wrong_segment_tables),
		cmocka_unit_test(erdp_outside_the_ring),
		cmocka_unit_test(no_table_no_events),
		cmocka_unit_test(table_rewritten_while_running),
		cmocka_unit_test(more_segments_than_erst_max),
	};

	return cmocka_run_group_tests_name("emu_evring", tests, NULL, NULL);
}
