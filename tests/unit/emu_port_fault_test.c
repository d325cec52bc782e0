/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Root hub ports: what goes wrong with them, what wakes a system, and the
 * registers beside PORTSC; xHCI 1.2 §4.13, §4.15, §4.19.4, §4.23.1, §5.4.8-11.
 */
#include "tests/unit/emu_port.h"

/* §4.19.4, §5.4.8: OCA and OCC; the power goes and does not come before it */
static void over_current(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f);
	for (unsigned port = 1; port <= 5; port += 4) {
		go_to(f, port, U0, false);
		portsc(f, port, PORTSC_CHANGES | PORTSC_WOE);
		check_event(f, port, 1);
		f->pmes = 0;
		assert_int_equal(
			xhci_port_fault(f->x, port, XHCI_FAULT_OVER_CURRENT),
			0);
		assert_int_equal(rd(f, REG_PORTSC(port)),
				 PORTSC_OCA | PORTSC_OCC | PORTSC_WOE |
					 PLS_DISABLED << PORTSC_PLS_SHIFT);
		assert_int_equal(f->pmes, 1);
		check_event(f, port, 1);
		wr(f, REG_PORTSC(port), PORTSC_PP | PORTSC_OCC);
		assert_int_equal(rd(f, REG_PORTSC(port)),
				 PORTSC_OCA | PLS_DISABLED << PORTSC_PLS_SHIFT);
		xhci_port_fault(f->x, port, XHCI_FAULT_OVER_CURRENT);
		check_event(f, port, 0);
		xhci_port_fault(f->x, port, XHCI_FAULT_NO_OVER_CURRENT);
		check_event(f, port, 1);
		wr(f, REG_PORTSC(port), PORTSC_PP | PORTSC_OCC);
		check_state(f, port, port > 4 ? U0 : DIS);
		assert_int_equal(rd(f, REG_PORTSC(port)) & PORTSC_CHANGES, CSC);
		check_event(f, port, 1);
	}
	assert_int_equal(xhci_port_fault(f->x, 0, XHCI_FAULT_LINK), -EINVAL);
	assert_int_equal(xhci_port_fault(f->x, 9, XHCI_FAULT_OVER_CURRENT),
			 -EINVAL);
	fake_free(f);
}

/* §5.4.10: link errors since reset, lanes */
static void port_link_info(void **state)
{
	struct fake *f = fake_new();
	uint32_t li = OFF_PORTS + 16 * 4 + 8;

	(void)state;
	start(f);
	assert_int_equal(xhci_port_connect(f->x, 5, USB_SPEED_SUPER_PLUS_BY2,
					   &fake_port_ops, &f->dev[5]),
			 0);
	f->dev[5].f = f;
	assert_int_equal(rd(f, li), 0x110000);
	for (unsigned i = 1; i <= 3; i++) {
		xhci_port_fault(f->x, 5, XHCI_FAULT_LINK);
		assert_int_equal(rd(f, li), 0x110000 + i);
		portsc(f, 5, PORTSC_WPR);
		xhci_port_reset_done(f->x, 5, true);
	}
	assert_int_equal(rd(f, REG_PORTSC(5)) >> PORTSC_SPEED_SHIFT & 15, 7);
	wr(f, REG_CMD, CMD_HCRST);
	assert_int_equal(rd(f, li), 0x110000);
	xhci_port_disconnect(f->x, 5);
	assert_int_equal(rd(f, li), 0);
	fake_free(f);
}

/* §4.15.1: with CONFIG.U3E, PLC says that U3 was entered */
static void u3_entry_is_told_of_where_asked(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	wr(f, OFF_OP + OP_CONFIG, CONFIG_U3E);
	start(f);
	wr(f, REG_CMD, 0);
	wr(f, OFF_OP + OP_CONFIG, 64 | CONFIG_U3E);
	wr(f, REG_CMD, CMD_ON);
	go_to(f, 6, U0, false);
	portsc(f, 6, PORTSC_CHANGES);
	check_event(f, 6, 1);
	link_to(f, 6, PLS_U3);
	assert_int_equal(rd(f, REG_PORTSC(6)) & PORTSC_CHANGES, PLC);
	check_event(f, 6, 1);
	fake_free(f);
}

/* §4.23.1: what wakes a system that sleeps */
static void wake_enables_make_a_pme(void **state)
{
	static const struct {
		uint32_t enable;
		enum st from;
		enum ev ev;
	} rows[] = {
		{PORTSC_WCE, EMPTY, CONNECT},
		{PORTSC_WDE, U0, DISCONNECT},
		{0, U3, WAKE}, /* a resume always does */
	};

	(void)state;
	for (unsigned port = 1; port <= 5; port += 4)
		for (unsigned i = 0; i < 3; i++)
			for (unsigned on = 0; on < 2; on++) {
				struct fake *f = fake_new();

				go_to(f, port, rows[i].from, false);
				f->pmes = 0;
				portsc(f, port,
				       (on ? rows[i].enable : 0) |
					       PORTSC_CHANGES);
				do_event(f, port, rows[i].ev);
				assert_int_equal(f->pmes,
						 on || !rows[i].enable);
				fake_free(f);
			}
}

/* §4.13: a device that woke its link says so, where software listens */
static void function_wake(void **state)
{
	(void)state;
	for (unsigned listen = 0; listen < 2; listen++) {
		struct fake *f = fake_ready(5);

		wr(f, OFF_OP + OP_DNCTRL, listen ? 2 : 0xfffd);
		link_to(f, 5, PLS_U3);
		xhci_port_wake(f->x, 5);
		portsc(f, 5, PLC);
		ev_forget(f);
		link_to(f, 5, PLS_U0);
		portsc(f, 5, PLC);
		run(f);
		ev_drain(f, 0);
		assert_int_equal(f->nseen, 1 + listen);
		if (listen) {
			struct xhci_trb *e = &f->seen[0];

			assert_int_equal(EV_TYPE(e), TRB_EV_NOTIFY);
			assert_int_equal(e->param, 1 << 4);
			assert_int_equal(TRB_SLOT(e->control), 1);
		}
		ev_forget(f);
		/* software's own resume: nobody woke */
		link_to(f, 5, PLS_U3);
		link_to(f, 5, PLS_U0);
		portsc(f, 5, PLC);
		run(f);
		assert_int_equal(ev_drain(f, 0), 1);
		fake_free(f);
	}
}

/* §5.4.1: LHCRST ends all but the ports */
static void light_reset_leaves_the_ports(void **state)
{
	struct fake *f = fake_ready(5);
	uint32_t was;

	(void)state;
	put(f, G_RING(DCI_IN), galloc(f, 64), 64, T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_IN);
	link_to(f, 5, PLS_U3);
	was = rd(f, REG_PORTSC(5));
	wr(f, REG_CMD, CMD_LHCRST);
	assert_int_equal(rd(f, REG_CMD), CMD_LHCRST);
	assert_int_equal(rd(f, REG_STS) & STS_CNR, STS_CNR);
	dev_end_all(&f->dev[5], USB_CANCELLED);
	assert_int_equal(rd(f, REG_CMD), 0);
	assert_int_equal(rd(f, REG_STS), STS_HCH);
	assert_int_equal(rd(f, REG_PORTSC(5)), was);
	assert_int_equal(rd(f, OFF_OP + OP_CONFIG), 0);
	assert_int_equal(f->dev[5].resets, 0);
	assert_int_equal(f->dev[5].eps, 0);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(over_current),
		cmocka_unit_test(port_link_info),
		cmocka_unit_test(u3_entry_is_told_of_where_asked),
		cmocka_unit_test(wake_enables_make_a_pme),
		cmocka_unit_test(function_wake),
		cmocka_unit_test(light_reset_leaves_the_ports),
	};

	return cmocka_run_group_tests_name("emu_port_fault", tests, NULL, NULL);
}
