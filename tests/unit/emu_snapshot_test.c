/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots: a guest goes on in another controller, at any moment of its work,
 * and loses nothing; what is no snapshot is refused, and harms nothing.
 */
#define MEM_SIZE (5u << 20)
#include "emu/snap.h"
#include "tests/unit/emu_bulk.h"
#include "tests/unit/sparse.h"

static const struct xhci_config config = {.usb2_ports = 4, .usb3_ports = 4};

struct shot {
	uint8_t *buf;
	size_t len;
};

static struct shot shoot(struct fake *f)
{
	struct shot s = {0};

	assert_int_equal(xhci_snapshot(f->x, &s.buf, &s.len), 0);
	return s;
}

/* A new machine with the guest of @f: its memory, and where its driver is */
static struct fake *guest_of(const struct fake *f)
{
	struct fake *g = fake_new_cfg(&config);

	/* what there is of it: this is done thousands of times */
	memcpy(g->mem, f->mem, f->brk + (1u << 18));
	g->now = f->now + 5000000000;
	g->cmd_at = f->cmd_at;
	g->cmd_cycle = f->cmd_cycle;
	g->brk = f->brk;
	memcpy(g->ev, f->ev, sizeof(g->ev));
	g->ev_nseg = f->ev_nseg;
	g->ev_size = f->ev_size;
	memcpy(g->seen, f->seen, sizeof(g->seen));
	g->nseen = f->nseen;
	return g;
}

static void go_on(struct fake *g)
{
	xhci_resume(g->x);
	run(g);
}

/* The device of slot 1's guest, in port 1 of @g */
static struct fake *moved(struct fake *f)
{
	struct shot s = shoot(f);
	struct fake *g = guest_of(f);

	fake_plug(g, 1, USB_SPEED_HIGH);
	assert_int_equal(xhci_restore(g->x, s.buf, s.len, 0), 0);
	free(s.buf);
	fake_free(f);
	go_on(g);
	return g;
}

/* @done TDs have ended, @part bytes of the next have moved: then it moves. */
static void move_in_the_middle(bool in, unsigned done, uint32_t part)
{
	struct fake *f = fake_ready(1);
	struct stream s = {.f = f, .dci = in ? DCI_IN : DCI_OUT, .in = in};

	stream_post(&s, 3);
	ring_db(f, 1, s.dci);
	stream_end(&s, done);
	run(f);
	xhci_pause(f->x, false);
	assert_int_equal(xhci_snapshot(f->x, &(uint8_t *){NULL}, &(size_t){0}),
			 f->dev[1].nheld ? -EBUSY : 0);
	stream_cancelled(&s, part);
	run(f);
	s.f = f = moved(f);
	assert_int_equal(f->dev[1].eps, 1u << 2 | 1u << 3 | 1u << 5);
	while (f->dev[1].nheld) {
		stream_end(&s, NTDS);
		run(f);
	}
	stream_check(&s);
	stream_check_events(&s);
	/* and everything else goes on too */
	assert_int_equal(cmd(f, 0, 0, T(NOOP_CMD)), CC_SUCCESS);
	fake_free(f);
}

static void a_transfer_goes_on_elsewhere(void **state)
{
	static const uint32_t part[] = {0, 512, 1024, 1536, TD_BYTES - 512};

	(void)state;
	for (unsigned in = 0; in < 2; in++)
		for (unsigned done = 0; done < NTDS; done += 2)
			for (unsigned i = 0; i < 5; i++)
				move_in_the_middle(in, done, part[i]);
}

/*
 * @n TDs of a byte on DCI_IN, with events for a ring of 16 of their own; where the
 * next TRB goes
 */
static uint64_t more_than_its_room(struct fake *f, unsigned n)
{
	uint64_t at = G_RING(DCI_IN);

	f->ev_size = 16;
	setup_events(f, 3);
	for (unsigned i = 0; i < n; i++)
		at = put(f, at, 0x400000, 1 | 3u << 22,
			 T(NORMAL) | TRB_C | TRB_IOC);
	return at;
}

/* Events that found no room are written where the guest is now. */
static void events_that_wait_for_room_move_too(void **state)
{
	struct fake *f = fake_ready(1);
	unsigned got = 0;

	(void)state;
	more_than_its_room(f, 60);
	ring_db(f, 1, DCI_IN);
	dev_end_all(&f->dev[1], USB_OK);
	run(f);
	xhci_pause(f->x, true);
	run(f);
	f = moved(f);
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

/* And a TRB Error behind them, of whatever the TRB had */
static void a_bad_trb_behind_them_moves_too(void **state)
{
	struct fake *f = fake_ready(1);
	uint64_t at;

	(void)state;
	at = more_than_its_room(f, 20);
	put(f, at, 0x400000, 0x1ffff, T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_IN);
	dev_end_all(&f->dev[1], USB_OK);
	run(f);
	xhci_pause(f->x, true);
	run(f);
	f = moved(f);
	for (unsigned i = 0; i < 5; i++) {
		ev_drain(f, 3);
		run(f);
	}
	ev_drain(f, 0);
	assert_event(&f->seen[f->nseen - 1], at, CC_TRB_ERROR, 0x1ffff);
	assert_int_equal(octx_ep_state(f, 1, DCI_IN), EP_ERROR);
	fake_free(f);
}

/* So does a command whose event waits, and those behind it. */
static void commands_move_too(void **state)
{
	struct fake *f = fake_ready(1);
	unsigned cmds = 0;

	(void)state;
	wr(f, REG_IR(0, IR_ERSTSZ), 0);
	f->ev_size = 16;
	setup_events(f, 0);
	for (unsigned i = 0; i < 14; i++)
		cmd_post(f, 0, 0, T(NOOP_CMD));
	/* it needs room for two events and finds it for one */
	cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(DCI_IN));
	for (unsigned i = 0; i < 20; i++)
		cmd_post(f, 0, 0, T(NOOP_CMD));
	run(f);
	xhci_pause(f->x, true);
	run(f);
	f = moved(f);
	for (unsigned i = 0; i < 10; i++) {
		ev_drain(f, 0);
		run(f);
	}
	for (unsigned i = 0; i < f->nseen; i++)
		cmds += EV_TYPE(&f->seen[i]) == TRB_EV_COMMAND &&
			EV_CC(&f->seen[i]) == CC_SUCCESS;
	assert_int_equal(cmds, 35);
	assert_int_equal(octx_ep_state(f, 1, DCI_IN), EP_STOPPED);
	fake_free(f);
}

/* It is stopped, and has failed: between the event that says so and that of
 * the command, which is yet to find out. */
static void a_command_that_comes_too_late_moves_too(void **state)
{
	struct fake *f = fake_ready(1);
	uint64_t at;

	(void)state;
	more_than_its_room(f, 15);
	ring_db(f, 1, DCI_IN);
	for (unsigned i = 0; i < 14; i++)
		dev_end(&f->dev[1], 0, USB_OK, 1);
	dev_end(&f->dev[1], 0, USB_STALL, 0); /* there is no room for this */
	run(f);
	at = cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(DCI_IN));
	run(f);
	assert_int_equal(octx_ep_state(f, 1, DCI_IN), EP_RUNNING);
	ev_drain(f, 3);
	f->kicked = xhci_run(f->x);
	assert_int_equal(octx_ep_state(f, 1, DCI_IN), EP_HALTED);
	xhci_pause(f->x, true);
	f = moved(f);
	f->ev_size = 256;
	assert_int_equal(cmd_result(f, at), CC_CONTEXT_STATE_ERROR);
	fake_free(f);
}

/* A request has its time to end; when it must be cancelled it begins anew. */
static void requests_are_waited_for(void **state)
{
	(void)state;
	for (unsigned force = 0; force < 2; force++) {
		struct fake *f = fake_ready(1);
		uint64_t at = G_RING(1);

		at = put(f, at, 0x80 | 6 << 8 | 8ull << 48, 8,
			 T(SETUP) | TRB_IDT | TRB_C | 3u << 16);
		at = put(f, at, 0x400000, 8, T(DATA) | TRB_C | TRB_DIR_IN);
		put(f, at, 0, 0, T(STATUS) | TRB_C | TRB_IOC);
		ring_db(f, 1, 1);
		xhci_pause(f->x, false);
		run(f);
		assert_int_equal(f->dev[1].cancels, 0);
		if (force) {
			xhci_pause(f->x, true);
			assert_int_equal(f->dev[1].cancels, 1);
			dev_end(&f->dev[1], 0, USB_CANCELLED, 4);
		} else {
			dev_end(&f->dev[1], 0, USB_OK, 8);
		}
		run(f);
		f = moved(f);
		assert_int_equal(f->dev[1].nheld, force);
		dev_end_all(&f->dev[1], USB_OK);
		assert_event(xfer_event(f, 0), at, CC_SUCCESS, 0);
		fake_free(f);
	}
}

/* Streams, each at its place */
static void streams_move_too(void **state)
{
	struct fake *f = fake_ready(5);
	uint64_t array = galloc(f, 16 * 16), ring[4];
	struct shot s;
	struct fake *g;

	(void)state;
	ictx_clear(f, 1u << DCI_IN, 1u | 1u << DCI_IN);
	put32(f, ictx(f, 1, 0), DCI_INTR << 27);
	ictx_ep(f, DCI_IN, EPT_BULK_IN, 1024, array);
	put32(f, ictx(f, DCI_IN + 1, 0), 3u << 10 | EP_CTX_LSA);
	put64(f, ictx(f, DCI_IN + 1, 2), array);
	for (unsigned i = 1; i < 4; i++) {
		ring[i] = galloc(f, 1024);
		put64(f, array + 16 * i, ring[i] | 1u << 1 | EP_CTX_DCS);
		put(f, ring[i], 0x400000, 100, T(NORMAL) | TRB_C | TRB_IOC);
	}
	assert_int_equal(cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1)),
			 CC_SUCCESS);
	for (unsigned i = 1; i < 4; i++)
		ring_db(f, 1, DCI_IN | i << 16);
	dev_end(&f->dev[5], 1, USB_OK, 100); /* stream 2 */
	run(f);
	xhci_pause(f->x, true);
	dev_end_cancelled(&f->dev[5], 0);
	s = shoot(f);
	g = guest_of(f);
	fake_plug(g, 5, USB_SPEED_SUPER);
	assert_int_equal(xhci_restore(g->x, s.buf, s.len, 0), 0);
	free(s.buf);
	fake_free(f);
	go_on(g);
	assert_int_equal(g->dev[5].nheld, 2);
	assert_int_equal(g->dev[5].held[0]->stream + g->dev[5].held[1]->stream,
			 1 + 3);
	dev_end_all(&g->dev[5], USB_OK);
	assert_int_equal(xfer_events(g), 3);
	fake_free(g);
}

/* What is in a port now, and what was there */
static void ports_and_their_devices(void **state)
{
	static const struct {
		enum usb_speed was, is;
		uint32_t pls, changes;
	} rows[] = {
		{USB_SPEED_HIGH, USB_SPEED_HIGH, PLS_U0, 0},
		{USB_SPEED_HIGH, USB_SPEED_NONE, PLS_RXDETECT, PORTSC_CSC},
		{USB_SPEED_HIGH, USB_SPEED_FULL, PLS_POLLING, PORTSC_CSC},
		{USB_SPEED_NONE, USB_SPEED_FULL, PLS_POLLING, PORTSC_CSC},
		{USB_SPEED_NONE, USB_SPEED_NONE, PLS_RXDETECT, 0},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake *f = fake_ready(1), *g;
		struct shot s;

		if (rows[i].was == USB_SPEED_NONE) {
			xhci_port_disconnect(f->x, 1);
			wr(f, REG_PORTSC(1), PORTSC_PP | PORTSC_CHANGES);
		}
		port_up(f, 2);
		wr(f, REG_PORTSC(2),
		   PORTSC_PP | PORTSC_LWS | PLS_U3 << PORTSC_PLS_SHIFT);
		fake_plug(f, 3, USB_SPEED_HIGH);
		wr(f, REG_PORTSC(3), PORTSC_PP | PORTSC_CHANGES);
		wr(f, REG_PORTSC(3), PORTSC_PP | PORTSC_PR);
		ev_forget(f);
		xhci_pause(f->x, true);
		s = shoot(f);
		g = guest_of(f);
		if (rows[i].is != USB_SPEED_NONE)
			fake_plug(g, 1, rows[i].is);
		fake_plug(g, 2, USB_SPEED_HIGH);
		fake_plug(g, 3, USB_SPEED_HIGH);
		assert_int_equal(xhci_restore(g->x, s.buf, s.len, 0), 0);
		go_on(g);
		assert_int_equal(PORTSC_PLS(rd(g, REG_PORTSC(1))), rows[i].pls);
		assert_int_equal(rd(g, REG_PORTSC(1)) & PORTSC_CHANGES,
				 rows[i].changes);
		assert_int_equal(ev_drain(g, 0), rows[i].changes != 0);
		/* a device that sleeps is told; a reset is asked for again */
		assert_int_equal(g->dev[2].suspends, 1);
		assert_int_equal(g->dev[3].resets, 1);
		xhci_port_reset_done(g->x, 3, true);
		assert_true(rd(g, REG_PORTSC(3)) & PORTSC_PED);
		free(s.buf);
		fake_free(f);
		fake_free(g);
	}
}

/* Every register reads as it did, but for time. */
static void registers_are_the_same(void **state)
{
	struct fake *f = fake_ready(1), *g;
	struct shot s;

	(void)state;
	wr(f, OFF_OP + OP_DNCTRL, 0x1234);
	setup_events(f, 4);
	wr(f, REG_IR(4, IR_IMOD), 77);
	wr(f, REG_CMD, CMD_ON | CMD_EWE);
	advance(f, 123456789);
	xhci_pause(f->x, true);
	s = shoot(f);
	g = guest_of(f);
	fake_plug(g, 1, USB_SPEED_HIGH);
	assert_int_equal(xhci_restore(g->x, s.buf, s.len, 0), 0);
	for (uint32_t off = 0; off < XHCI_MMIO_SIZE; off += 4)
		if (rd(f, off) != rd(g, off))
			fail_msg("%x: %x, not %x", off, rd(g, off), rd(f, off));
	assert_int_equal(rd(g, OFF_RT + RT_MFINDEX), 123456789 / 125000);
	go_on(g);
	advance(g, 0x4000 * 125000ull);
	assert_int_equal(ev_drain(g, 0), 1);
	assert_int_equal(EV_TYPE(&g->seen[g->nseen - 1]), TRB_EV_MFINDEX_WRAP);
	free(s.buf);
	fake_free(f);
	fake_free(g);
}

static void what_cannot_be_is_refused(void **state)
{
	static const struct xhci_config other = {.usb2_ports = 4,
						 .usb3_ports = 3};
	static const struct xhci_tap_ops tap = {0};
	struct fake *f = fake_ready(1), *g;
	struct shot s;
	uint8_t *p;
	size_t n;

	(void)state;
	assert_int_equal(xhci_snapshot(f->x, &p, &n), -EBUSY);
	xhci_pause(f->x, true);
	s = shoot(f);
	assert_int_equal(xhci_restore(f->x, s.buf, s.len, 0), -EBUSY);
	g = fake_new_cfg(&other);
	assert_int_equal(xhci_restore(g->x, s.buf, s.len, 0), -ENOTSUP);
	fake_free(g);
	g = fake_new();
	for (size_t i = 0; i < s.len; i++)
		assert_int_equal(xhci_restore(g->x, s.buf, i, 0), -EINVAL);
	for (size_t i = 0; i < s.len; i++) {
		s.buf[i] ^= 0x20;
		assert_int_equal(xhci_restore(g->x, s.buf, s.len, 0), -EINVAL);
		s.buf[i] ^= 0x20;
	}
	assert_int_equal(xhci_set_tap(g->x, &tap, NULL), 0);
	assert_int_equal(xhci_restore(g->x, s.buf, s.len, 0), -EBUSY);
	free(s.buf);
	fake_free(f);
	xhci_destroy(g->x);
	free(g->mem);
	free(g);
}

/* Bytes changed by who can make the sum right: anything but a crash */
static void forged_snapshots_are_harmless(void **state)
{
	struct fake *f = fake_ready(1);
	unsigned taken = 0, refused = 0;
	struct shot s;

	(void)state;
	put(f, G_RING(DCI_IN), 0x400000, 100, T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_IN);
	xhci_pause(f->x, true);
	dev_end_cancelled(&f->dev[1], 0);
	s = shoot(f);
	for (size_t i = 0; i < s.len - 4; i += SPARSE(4))
		for (size_t k = i % SPARSE(3); k < 3; k += SPARSE(3)) {
			static const uint8_t bits[] = {1, 0x7f, 0x80};
			struct fake *g = guest_of(f);
			uint32_t sum;
			int rc;

			g->lenient = true;
			fake_plug(g, 1, USB_SPEED_HIGH);
			s.buf[i] ^= bits[k];
			sum = snap_sum(s.buf, s.len - 4);
			memcpy(s.buf + s.len - 4, &sum, 4);
			rc = xhci_restore(g->x, s.buf, s.len, 0);
			s.buf[i] ^= bits[k];
			taken += rc == 0;
			refused += rc != 0;
			if (rc == 0) {
				go_on(g);
				ring_db(g, 1, DCI_IN);
			}
			/* as new, where it was refused */
			wr(g, REG_CMD, CMD_HCRST);
			dev_end_all(&g->dev[1], USB_OK);
			start(g);
			fake_free(g);
		}
	assert_true(taken > 100 / SPARSE(4) && refused > 100 / SPARSE(4));
	free(s.buf);
	fake_free(f);
}

/* One that says otherwise is refused, and what was read of it is let go. */
static void with_streams_there_is_no_other_ring(void **state)
{
	static const uint8_t linear[] = {0x80, 0x80, 0x02}; /* EP_CTX_LSA */
	struct fake *f = fake_ready(5), *g;
	struct shot s;
	uint32_t sum;
	uint8_t *p;

	(void)state;
	ictx_clear(f, 1u << DCI_IN, 1u | 1u << DCI_IN);
	put32(f, ictx(f, 1, 0), DCI_INTR << 27);
	ictx_ep(f, DCI_IN, EPT_BULK_IN, 1024, G_RING(DCI_IN));
	put32(f, ictx(f, DCI_IN + 1, 0), EP_CTX_LSA);
	assert_int_equal(cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1)),
			 CC_SUCCESS);
	more_than_its_room(f, 20);
	ring_db(f, 1, DCI_IN);
	dev_end_all(&f->dev[5], USB_OK);
	run(f);
	xhci_pause(f->x, true);
	run(f);
	s = shoot(f);
	p = memmem(s.buf, s.len, linear, sizeof(linear));
	assert_non_null(p);
	p[1] |= 1u << 10 >> 7; /* MaxPStreams 1 */
	sum = snap_sum(s.buf, s.len - SNAP_TAIL);
	memcpy(s.buf + s.len - SNAP_TAIL, &sum, SNAP_TAIL);
	g = guest_of(f);
	fake_plug(g, 5, USB_SPEED_SUPER);
	assert_int_equal(xhci_restore(g->x, s.buf, s.len, 0), -EINVAL);
	free(s.buf);
	fake_free(f);
	fake_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_transfer_goes_on_elsewhere),
		cmocka_unit_test(events_that_wait_for_room_move_too),
		cmocka_unit_test(a_bad_trb_behind_them_moves_too),
		cmocka_unit_test(commands_move_too),
		cmocka_unit_test(a_command_that_comes_too_late_moves_too),
		cmocka_unit_test(requests_are_waited_for),
		cmocka_unit_test(streams_move_too),
		cmocka_unit_test(ports_and_their_devices),
		cmocka_unit_test(registers_are_the_same),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(forged_snapshots_are_harmless),
		cmocka_unit_test(with_streams_there_is_no_other_ring),
	};

	return cmocka_run_group_tests_name("emu_snapshot", tests, NULL, NULL);
}
