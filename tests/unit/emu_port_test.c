/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Root hub ports: every event in every state, both protocols, against a table
 * made from xHCI 1.2 §4.15, §4.19 and table 5-27; driven through PORTSC and
 * xhci_port_*(), checked in PORTSC and on the event ring.
 */
#include "tests/unit/emu_port.h"

/* What comes of an event: the state it leads to, change bits newly set. */
struct cell {
	bool moves;
	enum st to;
	uint32_t changes;
};

#define TO(s, ch)               \
	{                       \
		true, (s), (ch) \
	}

/* What is not here has no effect. */
static const struct cell usb2[NST][NEV] = {
	/* a device that waited for power is connected at once */
	[OFF][PP_ON] = TO(DIS, CSC),
	[OFF][TEST_MODE] = TO(TEST, 0),
	[EMPTY][TEST_MODE] = TO(TEST, 0),
	[DIS][TEST_MODE] = TO(TEST, 0),
	[U0][LINK_ERR] = TO(DIS, PEC),
	[RES][LINK_ERR] = TO(DIS, PEC),
	[EMPTY][CONNECT] = TO(DIS, CSC),
	[EMPTY][PP_OFF] = TO(OFF, 0),
	[DIS][DISCONNECT] = TO(EMPTY, CSC),
	[DIS][PR] = TO(RST, 0),
	[DIS][PP_OFF] = TO(OFF, 0),
	[RST][DISCONNECT] = TO(EMPTY, CSC | PRC),
	[RST][DONE] = TO(U0, PRC),
	[RST][FAILED] = TO(DIS, PRC),
	[RST][PP_OFF] = TO(OFF, 0), /* §5.4.8: no PRC for that */
	[U0][DISCONNECT] = TO(EMPTY, CSC),
	[U0][PR] = TO(RST, 0),
	[U0][PED] = TO(DIS, 0),
	[U0][PP_OFF] = TO(OFF, 0),
	[U0][L_U2] = TO(U2, 0),
	[U0][L_U3] = TO(U3, 0),
	[U2][DISCONNECT] = TO(EMPTY, CSC),
	[U2][PR] = TO(RST, 0),
	[U2][PED] = TO(DIS, 0),
	[U2][PP_OFF] = TO(OFF, 0),
	[U2][L_U0] = TO(U0, PLC),
	[U2][L_U3] = TO(U3, 0),
	[U2][WAKE] = TO(U0, PLC),
	[U2][LINK_ERR] = TO(DIS, PEC),
	[U3][DISCONNECT] = TO(EMPTY, CSC),
	[U3][PR] = TO(RST, 0),
	[U3][PED] = TO(DIS, 0),
	[U3][PP_OFF] = TO(OFF, 0),
	[U3][L_U0] = TO(U0, PLC),
	[U3][L_RESUME] = TO(RES, 0),
	[U3][WAKE] = TO(RES, PLC),
	[RES][DISCONNECT] = TO(EMPTY, CSC),
	[RES][PR] = TO(RST, 0),
	[RES][PED] = TO(DIS, 0),
	[RES][PP_OFF] = TO(OFF, 0),
	[RES][L_U0] = TO(U0, PLC),
};

static const struct cell usb3[NST][NEV] = {
	[OFF][PP_ON] = TO(U0, CSC),
	[EMPTY][CONNECT] = TO(U0, CSC), /* the link trains by itself */
	[EMPTY][PP_OFF] = TO(OFF, 0),
	[EMPTY][L_DISABLED] = TO(DIS, 0),
	[DIS][PP_OFF] = TO(OFF, 0),
	[DIS][L_RXDETECT] = TO(U0, CSC), /* the device is found again */
	[INACT][DISCONNECT] = TO(EMPTY, CSC),
	[INACT][WPR] = TO(RST, 0),
	[INACT][PP_OFF] = TO(OFF, 0),
	[INACT][L_DISABLED] = TO(DIS, 0),
	[COMP][DISCONNECT] = TO(EMPTY, 0),
	[COMP][WPR] = TO(RST, 0),
	[COMP][PP_OFF] = TO(OFF, 0),
	[U0][WPR] = TO(RST, 0),
	[U0][LINK_ERR] = TO(INACT, PLC),
	[U0][TRAIN_ERR] = TO(COMP, CSC | PLC),
	[U0][CONF_ERR] = TO(INACT, CEC | PLC),
	[U3][WPR] = TO(RST, 0),
	[U3][LINK_ERR] = TO(INACT, PLC),
	[RES][WPR] = TO(RST, 0),
	[RES][LINK_ERR] = TO(INACT, PLC),
	[RST][DISCONNECT] = TO(EMPTY, CSC | PRC),
	[RST][DONE] = TO(U0, PRC),
	[RST][FAILED] = TO(EMPTY, CSC | PRC),
	[RST][PP_OFF] = TO(OFF, 0),
	[U0][DISCONNECT] = TO(EMPTY, CSC),
	[U0][PR] = TO(RST, 0),
	[U0][PED] = TO(DIS, 0),
	[U0][PP_OFF] = TO(OFF, 0),
	[U0][L_U3] = TO(U3, 0),
	[U0][L_DISABLED] = TO(DIS, 0),
	[U3][DISCONNECT] = TO(EMPTY, CSC),
	[U3][PR] = TO(RST, 0),
	[U3][PED] = TO(DIS, 0),
	[U3][PP_OFF] = TO(OFF, 0),
	[U3][L_U0] = TO(U0, PLC),
	[U3][L_DISABLED] = TO(DIS, 0),
	[U3][WAKE] = TO(RES, PLC),
	[RES][DISCONNECT] = TO(EMPTY, CSC),
	[RES][PR] = TO(RST, 0),
	[RES][PED] = TO(DIS, 0),
	[RES][PP_OFF] = TO(OFF, 0),
	[RES][L_U0] = TO(U0, PLC),
	[RES][L_DISABLED] = TO(DIS, 0),
};

static void check_cell(unsigned port, enum st st, enum ev ev)
{
	bool bare = ev == CONNECT && (st == OFF || st == DIS);
	struct fake *f = fake_new();
	const struct cell *c = port > 4 ? &usb3[st][ev] : &usb2[st][ev];
	uint32_t v;

	/* USB 2: there is no Disabled with no device; and what is not there */
	if ((bare && st == DIS && port <= 4) ||
	    (port <= 4 && (st == INACT || st == COMP)) ||
	    (port > 4 && (st == TEST || st == U2))) {
		fake_free(f);
		return;
	}
	start(f);
	go_to(f, port, st, bare);
	check_state(f, port, st);
	wr(f, REG_PORTSC(port), (st == OFF ? 0 : PORTSC_PP) | PORTSC_CHANGES);
	ev_forget(f);
	wr(f, REG_STS, STS_PCD);

	do_event(f, port, ev);
	check_state(f, port, c->moves ? c->to : st);
	v = rd(f, REG_PORTSC(port)) & PORTSC_CHANGES;
	if (v != c->changes)
		fail_msg("USB %d: event %d in state %d: changes %x, not %x",
			 port > 4 ? 3 : 2, ev, st, v, c->changes);
	assert_int_equal(!!(rd(f, REG_STS) & STS_PCD), c->changes != 0);
	check_event(f, port, c->changes != 0);
	/* change bits: written one by one, each clears itself only */
	for (uint32_t b = PORTSC_CSC; b <= PORTSC_CEC && c->to != OFF;
	     b <<= 1) {
		portsc(f, port, b);
		v &= ~b;
		assert_int_equal(rd(f, REG_PORTSC(port)) & PORTSC_CHANGES, v);
	}
	fake_free(f);
}

static void every_event_in_every_state(void **state)
{
	(void)state;
	for (unsigned port = 2; port <= 6; port += 4)
		for (unsigned st = 0; st < NST; st++)
			for (unsigned ev = 0; ev < NEV; ev++)
				check_cell(port, st, ev);
}

/* §4.19.2: while a change bit is set, setting it again is no event */
static void change_bits_are_sticky(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f);
	plug(f, 1);
	check_event(f, 1, 1);
	xhci_port_disconnect(f->x, 1);
	plug(f, 1);
	assert_true(rd(f, REG_PORTSC(1)) & PORTSC_CSC);
	check_event(f, 1, 0);
	portsc(f, 1, PORTSC_CSC);
	assert_int_equal(rd(f, REG_PORTSC(1)) & PORTSC_CHANGES, 0);
	xhci_port_disconnect(f->x, 1);
	check_event(f, 1, 1);
	fake_free(f);
}

/* ... nor is another bit that joins it; only when all of them were cleared */
static void an_event_is_the_first_of_the_change_bits(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f);
	plug(f, 1);
	check_event(f, 1, 1);
	portsc(f, 1, PORTSC_PR);
	xhci_port_reset_done(f->x, 1, true);
	assert_int_equal(rd(f, REG_PORTSC(1)) & PORTSC_CHANGES, CSC | PRC);
	check_event(f, 1, 0);
	portsc(f, 1, CSC);
	xhci_port_disconnect(f->x, 1);
	check_event(f, 1, 0);
	portsc(f, 1, CSC | PRC);
	check_event(f, 1, 0);
	plug(f, 1);
	check_event(f, 1, 1);
	fake_free(f);
}

/* §4.19.3: nothing is written while halted; the event comes with R/S=1 */
static void events_wait_for_run(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	plug(f, 2);
	plug(f, 7);
	assert_true(rd(f, REG_STS) & STS_PCD);
	run(f);
	assert_int_equal(xhci_stats(f->x)->events, 0);
	start(f);
	ev_drain(f, 0);
	assert_int_equal(f->nseen, 2);
	assert_int_equal(f->seen[0].param, 2u << 24);
	assert_int_equal(f->seen[1].param, 7u << 24);
	fake_free(f);
}

static void warm_reset_is_for_usb3(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f);
	plug(f, 6);
	portsc(f, 6, PORTSC_CHANGES);
	portsc(f, 6, PORTSC_WPR);
	check_state(f, 6, RST);
	assert_int_equal(f->dev[6].warm_resets, 1);
	xhci_port_reset_done(f->x, 6, true);
	assert_int_equal(rd(f, REG_PORTSC(6)) & PORTSC_CHANGES,
			 PORTSC_WRC | PRC);
	/* a hot reset says nothing of warm ones */
	portsc(f, 6, PORTSC_CHANGES);
	portsc(f, 6, PORTSC_PR);
	xhci_port_reset_done(f->x, 6, true);
	assert_int_equal(rd(f, REG_PORTSC(6)) & PORTSC_CHANGES, PRC);
	assert_int_equal(f->dev[6].resets, 2);
	assert_int_equal(f->dev[6].warm_resets, 1);
	/* USB 2: WPR is reserved */
	plug(f, 1);
	portsc(f, 1, PORTSC_WPR);
	assert_int_equal(f->dev[1].resets, 0);
	check_state(f, 1, DIS);
	fake_free(f);
}

static void device_hears_of_suspend_and_resume(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f);
	for (unsigned port = 1; port <= 5; port += 4) {
		struct fake_dev *d = &f->dev[port];

		go_to(f, port, U3, false);
		assert_int_equal(d->suspends, 1);
		assert_int_equal(d->resumes, 0);
		link_to(f, port, PLS_U0);
		assert_int_equal(d->resumes, 1);
		link_to(f, port, PLS_U3);
		xhci_port_wake(f->x, port);
		assert_int_equal(d->resumes, 2);
		link_to(f, port, PLS_U0);
		link_to(f, port, PLS_U3);
		assert_int_equal(d->suspends, 3);
		wr(f, REG_CMD, CMD_HCRST);
		assert_int_equal(d->resumes, 3);
		start(f);
	}
	fake_free(f);
}

/* No transfer starts while the link sleeps; it starts when it wakes. */
static void transfers_wait_for_a_sleeping_link(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	link_to(f, 1, PLS_U3);
	put(f, G_RING(DCI_IN), galloc(f, 64), 64, T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_IN);
	assert_int_equal(f->dev[1].submits, 0);
	link_to(f, 1, PLS_U0);
	run(f);
	assert_int_equal(f->dev[1].submits, 1);
	fake_free(f);
}

/* §4.23.5.1.1: L1 is entered at once, and left for a transfer */
static void a_transfer_wakes_a_link_in_l1(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	assert_int_equal(rd(f, REG_PORTPMSC(1)) & 7, 0);
	link_to(f, 1, PLS_U2);
	assert_int_equal(PORTSC_PLS(rd(f, REG_PORTSC(1))), PLS_U2);
	assert_int_equal(rd(f, REG_PORTPMSC(1)) & 7, 1); /* Success */
	wr(f, REG_PORTPMSC(1), 0x12f8 | 7);
	assert_int_equal(rd(f, REG_PORTPMSC(1)), 0x12f8 | 1);
	check_event(f, 1, 0);
	put(f, G_RING(DCI_IN), 0x400000, 64, T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_IN);
	assert_int_equal(f->dev[1].nheld, 1);
	assert_int_equal(PORTSC_PLS(rd(f, REG_PORTSC(1))), PLS_U0);
	assert_int_equal(rd(f, REG_PORTSC(1)) & PORTSC_CHANGES, PLC);
	check_event(f, 1, 1);
	dev_end(&f->dev[1], 0, USB_OK, 64);
	assert_event(xfer_event(f, 0), G_RING(DCI_IN), CC_SUCCESS, 0);
	fake_free(f);
}

/* §5.4.9: timeouts of U1 and U2 are software's to set, and no link moves */
static void no_link_sleeps_by_itself(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f);
	go_to(f, 5, U0, false);
	portsc(f, 5, PORTSC_CHANGES);
	ev_forget(f);
	wr(f, REG_PORTPMSC(5), 0x0101);
	advance(f, 10000000000u);
	assert_int_equal(rd(f, REG_PORTPMSC(5)), 0x0101);
	assert_int_equal(PORTSC_PLS(rd(f, REG_PORTSC(5))), PLS_U0);
	check_event(f, 5, 0);
	/* nor is it let, by software that has not looked at HCSPARAMS3 */
	link_to(f, 5, PLS_U1);
	check_event(f, 5, 0);
	fake_free(f);
}

/* HCRST: what is plugged in is found again, §4.19.1 */
static void reset_finds_devices_again(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f);
	go_to(f, 1, U0, false);
	go_to(f, 5, U0, false);
	portsc(f, 1, PORTSC_WCE);
	wr(f, REG_CMD, CMD_HCRST);
	check_state(f, 1, DIS);
	check_state(f, 2, EMPTY);
	check_state(f, 5, U0);
	assert_int_equal(rd(f, REG_PORTSC(1)) & PORTSC_WCE, 0);
	assert_int_equal(rd(f, REG_PORTSC(1)) & PORTSC_CHANGES, CSC);
	assert_int_equal(rd(f, REG_PORTSC(5)) & PORTSC_CHANGES, CSC);
	assert_true(rd(f, REG_STS) & STS_PCD);
	fake_free(f);
}

static void what_does_not_fit_is_refused(void **state)
{
	struct fake *f = fake_new();
	struct fake_dev *d = &f->dev[1];

	(void)state;
	for (unsigned port = 0; port < 300; port++)
		for (unsigned sp = 0; sp < 12; sp++) {
			bool ok = port >= 1 && port <= 8 && sp >= 1 &&
				  sp <= 7 && (port > 4) == (sp >= 4);
			int rc = xhci_port_connect(f->x, port, sp,
						   &fake_port_ops, d);

			assert_int_equal(rc, ok ? 0 : -EINVAL);
			if (ok)
				xhci_port_disconnect(f->x, port);
		}
	assert_int_equal(xhci_nports(f->x), 8);
	assert_false(xhci_port_is_usb3(f->x, 4));
	assert_true(xhci_port_is_usb3(f->x, 5));
	assert_false(xhci_port_is_usb3(f->x, 9));
	assert_false(xhci_port_is_free(f->x, 0));
	assert_false(xhci_port_is_free(f->x, 9));
	assert_int_equal(xhci_port_disconnect(f->x, 0), -ENOENT);
	assert_int_equal(xhci_port_disconnect(f->x, 31), -ENOENT);
	xhci_port_reset_done(f->x, 0, true);
	xhci_port_wake(f->x, 255);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_in_every_state),
		cmocka_unit_test(change_bits_are_sticky),
		cmocka_unit_test(an_event_is_the_first_of_the_change_bits),
		cmocka_unit_test(events_wait_for_run),
		cmocka_unit_test(warm_reset_is_for_usb3),
		cmocka_unit_test(device_hears_of_suspend_and_resume),
		cmocka_unit_test(transfers_wait_for_a_sleeping_link),
		cmocka_unit_test(a_transfer_wakes_a_link_in_l1),
		cmocka_unit_test(no_link_sleeps_by_itself),
		cmocka_unit_test(reset_finds_devices_again),
		cmocka_unit_test(what_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests_name("emu_port", tests, NULL, NULL);
}
