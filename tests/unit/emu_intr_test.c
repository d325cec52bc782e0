/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupters: when an interrupt leaves, and that BEI, EHB, IMOD and the
 * enables gate it and not the events; xHCI 1.2 §4.17, §5.5.2.
 */
#include "tests/unit/emu_drv.h"

/* One event on the primary ring. */
static void event(struct fake *f)
{
	cmd_post(f, 0, 0, T(NOOP_CMD));
	run(f);
}

/* TDs of one byte with IOC for interrupter @n, done at once. */
static void xfer_for(struct fake *f, uint64_t *at, unsigned n, uint32_t flags)
{
	*at = put(f, *at, 0x400000, 1 | n << 22,
		  T(NORMAL) | TRB_C | TRB_IOC | flags);
	ring_db(f, 1, DCI_OUT);
	dev_end_all(&f->dev[1], USB_OK);
	run(f);
}

static void enables_gate_the_message_not_the_event(void **state)
{
	(void)state;
	for (unsigned ie = 0; ie < 2; ie++)
		for (unsigned inte = 0; inte < 2; inte++) {
			struct fake *f = fake_new();
			bool sent = ie && inte;

			start(f);
			wr(f, REG_IR(0, IR_IMAN), ie ? IMAN_IE : 0);
			wr(f, REG_CMD, CMD_RS | (inte ? CMD_INTE : 0));
			event(f);
			assert_int_equal(f->msgs[0], sent);
			/* a message takes IP with it, §4.17.5 */
			assert_int_equal(rd(f, REG_IR(0, IR_IMAN)),
					 (ie ? IMAN_IE : 0) |
						 (sent ? 0 : IMAN_IP));
			assert_true(rd(f, REG_STS) & STS_EINT);
			assert_true(rd(f, REG_IR(0, IR_ERDP)) & ERDP_EHB);
			assert_int_equal(ev_drain(f, 0), 1);
			/* what is pending leaves when it is let */
			wr(f, REG_IR(0, IR_IMAN), IMAN_IE);
			wr(f, REG_CMD, CMD_ON);
			assert_int_equal(f->msgs[0], 1);
			wr(f, REG_STS, STS_EINT);
			assert_int_equal(rd(f, REG_STS) & STS_EINT, 0);
			fake_free(f);
		}
}

/* IP is cleared by writing 1; IE is as written */
static void ip_is_write_one_to_clear(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f);
	wr(f, REG_CMD, CMD_RS);
	event(f);
	wr(f, REG_IR(0, IR_IMAN), IMAN_IE);
	assert_int_equal(rd(f, REG_IR(0, IR_IMAN)), IMAN_IE | IMAN_IP);
	wr(f, REG_IR(0, IR_IMAN), IMAN_IE | IMAN_IP);
	assert_int_equal(rd(f, REG_IR(0, IR_IMAN)), IMAN_IE);
	wr(f, REG_CMD, CMD_ON);
	assert_int_equal(f->msgs[0], 0);
	fake_free(f);
}

/* §4.17.2: while software is at it (EHB) there is no other interrupt */
static void ehb_holds_the_next_back(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f);
	for (unsigned i = 0; i < 10; i++)
		event(f);
	assert_int_equal(f->msgs[0], 1);
	/* cleared with the ring empty: nothing is owed */
	ev_drain(f, 0);
	assert_int_equal(f->msgs[0], 1);
	assert_int_equal(rd(f, REG_IR(0, IR_ERDP)) & ERDP_EHB, 0);
	event(f);
	assert_int_equal(f->msgs[0], 2);
	/* cleared with more on the ring: at once again */
	event(f);
	event(f);
	wr64(f, REG_IR(0, IR_ERDP), (G_EV(0, 0) + 11 * 16) | ERDP_EHB);
	assert_int_equal(f->msgs[0], 3);
	/* ERDP moved and EHB left: silence */
	wr64(f, REG_IR(0, IR_ERDP), G_EV(0, 0) + 12 * 16);
	assert_true(rd(f, REG_IR(0, IR_ERDP)) & ERDP_EHB);
	event(f);
	assert_int_equal(f->msgs[0], 3);
	fake_free(f);
}

/* §4.17.2: IMODI is the least time between two interrupts */
static void imod_spaces_interrupts(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f);
	wr(f, REG_IR(0, IR_IMOD), 4000); /* 1 ms */
	event(f);
	assert_int_equal(f->msgs[0], 1); /* the counter stood at 0 */
	ev_drain(f, 0);
	for (unsigned i = 1; i <= 10; i++) {
		event(f);
		event(f);
		ev_drain(f, 0);
		event(f);
		assert_int_equal(f->msgs[0], i);
		assert_true(rd(f, REG_IR(0, IR_IMOD)) >> 16 > 0);
		advance(f, 999999);
		assert_int_equal(f->msgs[0], i);
		advance(f, 1);
		assert_int_equal(f->msgs[0], i + 1);
		ev_drain(f, 0);
	}
	/* after silence the first is at once again */
	advance(f, 5000000);
	event(f);
	assert_int_equal(f->msgs[0], 12);
	assert_int_equal(f->timer_at, NO_TIME);
	fake_free(f);
}

/* 16 bits of 250 ns; the counter can be written, §5.5.2.2 */
static void imod_register(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	assert_int_equal(rd(f, REG_IR(3, IR_IMOD)), 4000);
	start(f);
	wr(f, REG_IR(0, IR_IMOD), 100 << 16 | 40);
	assert_int_equal(rd(f, REG_IR(0, IR_IMOD)), 100 << 16 | 40);
	f->now += 50 * 250;
	assert_int_equal(rd(f, REG_IR(0, IR_IMOD)), 50 << 16 | 40);
	event(f);
	assert_int_equal(f->msgs[0], 0);
	wr(f, REG_IR(0, IR_IMOD), 40); /* counter 0: let go */
	assert_int_equal(f->msgs[0], 1);
	fake_free(f);
}

/* §4.17.5: an event with BEI waits for one without */
static void bei_blocks_the_interrupt(void **state)
{
	struct fake *f = fake_ready(1);
	uint64_t at = G_RING(DCI_OUT);
	unsigned had = f->msgs[0];

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		xfer_for(f, &at, 0, TRB_BEI);
	assert_int_equal(f->msgs[0], had);
	assert_int_equal(rd(f, REG_IR(0, IR_ERDP)) & ERDP_EHB, 0);
	xfer_for(f, &at, 0, 0);
	assert_int_equal(f->msgs[0], had + 1);
	assert_int_equal(ev_drain(f, 0), 6);
	fake_free(f);
}

/*
 * The pin is a level: IP and IE of the one interrupter there is with it, where
 * all events go (§4.17), and INTE
 */
static void pin_follows_ip(void **state)
{
	struct fake *f = fake_ready(1);
	uint64_t at = G_RING(DCI_OUT);
	unsigned had = f->msgs[0];

	(void)state;
	setup_events(f, 2);
	xhci_set_intr_mode(f->x, XHCI_INTR_PIN);
	assert_false(f->pin);
	xfer_for(f, &at, 0, 0);
	assert_true(f->pin);
	xfer_for(f, &at, 2, 0);
	assert_int_equal(f->pin_edges, 1);
	assert_true(rd(f, REG_IR(0, IR_IMAN)) & IMAN_IP);
	assert_false(rd(f, REG_IR(2, IR_IMAN)) & IMAN_IP);
	wr(f, REG_CMD, CMD_RS);
	assert_false(f->pin);
	wr(f, REG_CMD, CMD_ON);
	assert_true(f->pin);
	wr(f, REG_IR(0, IR_IMAN), IMAN_IP | IMAN_IE);
	assert_false(f->pin);
	/* EHB is set: new events are silent until software is done */
	xfer_for(f, &at, 0, 0);
	assert_false(f->pin);
	assert_int_equal(ev_drain(f, 0), 3);
	assert_int_equal(ev_drain(f, 2), 0);
	xfer_for(f, &at, 0, 0);
	assert_true(f->pin);
	/* messages again: the pin goes, what is pending is sent */
	assert_int_equal(f->msgs[0], had);
	xhci_set_intr_mode(f->x, XHCI_INTR_MSG);
	assert_false(f->pin);
	assert_int_equal(f->msgs[0], had + 1);
	fake_free(f);
}

/* HCRST lets go of the pin. */
static void reset_lowers_the_pin(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	xhci_set_intr_mode(f->x, XHCI_INTR_PIN);
	start(f);
	event(f);
	assert_true(f->pin);
	wr(f, REG_CMD, CMD_HCRST);
	assert_false(f->pin);
	fake_free(f);
}

/* No way out at all: nothing is sent, nothing is lost */
static void no_interrupts_mode(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	xhci_set_intr_mode(f->x, XHCI_INTR_NONE);
	start(f);
	event(f);
	assert_int_equal(f->msgs[0] + f->pin_edges, 0);
	assert_true(rd(f, REG_IR(0, IR_IMAN)) & IMAN_IP);
	xhci_set_intr_mode(f->x, XHCI_INTR_MSG);
	assert_int_equal(f->msgs[0], 1);
	fake_free(f);
}

/* §4.17: eight interrupters; the TRB says which; each has all of its own */
static void events_go_where_the_trb_says(void **state)
{
	struct fake *f = fake_ready(1);
	uint64_t at = G_RING(DCI_OUT), trb[64];

	(void)state;
	for (unsigned n = 1; n < XHCI_NINTRS; n++)
		setup_events(f, n);
	memset(f->msgs, 0, sizeof(f->msgs));
	for (unsigned i = 0; i < 64; i++) {
		trb[i] = at;
		xfer_for(f, &at, i % 8, 0);
		assert_int_equal(f->msgs[i % 8], i / 8 + 1);
		f->nseen = 0;
		for (unsigned n = 0; n < XHCI_NINTRS; n++)
			assert_int_equal(ev_drain(f, n), n == i % 8);
		assert_event(&f->seen[0], trb[i], CC_SUCCESS, 0);
	}
	/* one whose IE is off has its events all the same */
	wr(f, REG_IR(5, IR_IMAN), 0);
	xfer_for(f, &at, 5, 0);
	assert_int_equal(f->msgs[5], 8);
	assert_int_equal(ev_drain(f, 5), 1);
	/* commands and ports are the primary one's, §4.17 */
	event(f);
	xhci_port_disconnect(f->x, 1);
	run(f);
	assert_int_equal(ev_drain(f, 0), 2);
	fake_free(f);
}

/* The registers of those that are not there */
static void interrupters_that_are_not_there(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	for (unsigned n = XHCI_NINTRS; n < 100; n++)
		for (unsigned r = 0; r < 32; r += 4) {
			wr(f, REG_IR(n, r), 0xffffffff);
			assert_int_equal(rd(f, REG_IR(n, r)), 0);
		}
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(enables_gate_the_message_not_the_event),
		cmocka_unit_test(ip_is_write_one_to_clear),
		cmocka_unit_test(ehb_holds_the_next_back),
		cmocka_unit_test(imod_spaces_interrupts),
		cmocka_unit_test(imod_register),
		cmocka_unit_test(bei_blocks_the_interrupt),
		cmocka_unit_test(pin_follows_ip),
		cmocka_unit_test(reset_lowers_the_pin),
		cmocka_unit_test(no_interrupts_mode),
		cmocka_unit_test(events_go_where_the_trb_says),
		cmocka_unit_test(interrupters_that_are_not_there),
	};

	return cmocka_run_group_tests_name("emu_intr", tests, NULL, NULL);
}
