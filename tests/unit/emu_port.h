/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emu_port.h - ports for the controller's unit tests: any state by name, any
 * event, and what PORTSC shows. Included once by each.
 */
#ifndef TESTS_EMU_PORT_H
#define TESTS_EMU_PORT_H

#include "tests/unit/emu_drv.h"

enum st { OFF, EMPTY, DIS, INACT, COMP, TEST, RST, U0, U3, RES, U2, NST };
enum ev {
	CONNECT,
	DISCONNECT,
	PR,
	DONE,
	FAILED,
	PED,
	PP_OFF,
	PP_ON,
	L_U0,
	L_U2,
	L_U3,
	L_RESUME,
	L_DISABLED,
	L_RXDETECT,
	WAKE,
	WPR,
	LINK_ERR,
	TRAIN_ERR,
	CONF_ERR,
	TEST_MODE,
	NEV
};

#define CSC PORTSC_CSC
#define PRC PORTSC_PRC
#define PLC PORTSC_PLC
#define PEC PORTSC_PEC
#define CEC PORTSC_CEC

/* Write @v and leave the power as it is. */
MAYBE void portsc(struct fake *f, unsigned port, uint32_t v)
{
	wr(f, REG_PORTSC(port), (rd(f, REG_PORTSC(port)) & PORTSC_PP) | v);
}

MAYBE void link_to(struct fake *f, unsigned port, unsigned pls)
{
	portsc(f, port, PORTSC_LWS | pls << PORTSC_PLS_SHIFT);
}

MAYBE void plug(struct fake *f, unsigned port)
{
	fake_plug(f, port,
		  xhci_port_is_usb3(f->x, port) ? USB_SPEED_SUPER
						: USB_SPEED_HIGH);
}

/* A test mode is written while halted, §4.19.6 */
MAYBE void test_mode(struct fake *f, unsigned port)
{
	wr(f, REG_CMD, CMD_INTE);
	wr(f, REG_PORTPMSC(port), 4u << 28);
	wr64(f, REG_CRCR, f->cmd_at | f->cmd_cycle);
	wr(f, REG_CMD, CMD_ON);
}

/* @bare: with no device, where a state can be had with and without. */
MAYBE void go_to(struct fake *f, unsigned port, enum st st, bool bare)
{
	bool u3 = xhci_port_is_usb3(f->x, port);

	if (st == EMPTY)
		return;
	if (!bare)
		plug(f, port);
	if (st == OFF)
		wr(f, REG_PORTSC(port), 0);
	if (st == DIS && u3)
		link_to(f, port, PLS_DISABLED);
	if (st == RST)
		portsc(f, port, PORTSC_PR);
	if (st == INACT)
		xhci_port_fault(f->x, port, XHCI_FAULT_LINK);
	if (st == COMP)
		xhci_port_fault(f->x, port, XHCI_FAULT_TRAINING);
	if (st == TEST)
		test_mode(f, port);
	if (st < U0)
		return;
	if (!u3) {
		portsc(f, port, PORTSC_PR);
		xhci_port_reset_done(f->x, port, true);
	}
	if (st == U2)
		link_to(f, port, PLS_U2);
	if (st == U3 || st == RES)
		link_to(f, port, PLS_U3);
	if (st == RES)
		xhci_port_wake(f->x, port);
}

MAYBE void do_event(struct fake *f, unsigned port, enum ev ev)
{
	static const uint8_t pls[NEV] = {
		[L_U0] = PLS_U0,
		[L_U2] = PLS_U2,
		[L_U3] = PLS_U3,
		[L_RESUME] = PLS_RESUME,
		[L_DISABLED] = PLS_DISABLED,
		[L_RXDETECT] = PLS_RXDETECT,
	};
	static const struct usb_port_ops other = {0};
	bool was_free = xhci_port_is_free(f->x, port);

	switch (ev) {
	case CONNECT:
		if (was_free)
			plug(f, port);
		else
			assert_int_equal(
				xhci_port_connect(f->x, port,
						  f->x->port[port - 1].speed,
						  &other, f),
				-EBUSY);
		break;
	case DISCONNECT:
		assert_int_equal(xhci_port_disconnect(f->x, port),
				 was_free ? -ENOENT : 0);
		break;
	case PR:
		portsc(f, port, PORTSC_PR);
		break;
	case DONE:
	case FAILED:
		xhci_port_reset_done(f->x, port, ev == DONE);
		break;
	case PED:
		portsc(f, port, PORTSC_PED);
		break;
	case PP_OFF:
		wr(f, REG_PORTSC(port), 0);
		break;
	case PP_ON:
		wr(f, REG_PORTSC(port), PORTSC_PP);
		break;
	case WAKE:
		xhci_port_wake(f->x, port);
		break;
	case WPR:
		portsc(f, port, PORTSC_WPR);
		break;
	case LINK_ERR:
	case TRAIN_ERR:
	case CONF_ERR:
		assert_int_equal(
			xhci_port_fault(f->x, port,
					(enum xhci_port_fault)(ev - LINK_ERR)),
			0);
		break;
	case TEST_MODE:
		test_mode(f, port);
		break;
	default:
		link_to(f, port, pls[ev]);
		break;
	}
}

/* What PORTSC shows of a state, change bits left out; table 5-27, §4.19.1 */
MAYBE void check_state(struct fake *f, unsigned port, enum st st)
{
	bool u3 = xhci_port_is_usb3(f->x, port);
	uint32_t v = rd(f, REG_PORTSC(port));
	bool conn = st >= RST || st == INACT || (st == DIS && !u3);
	static const uint8_t pls[NST] = {[EMPTY] = PLS_RXDETECT,
					 [INACT] = PLS_INACTIVE,
					 [COMP] = PLS_COMPLIANCE,
					 [TEST] = PLS_TEST,
					 [U3] = PLS_U3,
					 [RES] = PLS_RESUME,
					 [U2] = PLS_U2};

	assert_int_equal(!!(v & PORTSC_PP), st != OFF);
	assert_int_equal(!!(v & PORTSC_CCS), conn);
	assert_int_equal(!!(v & PORTSC_PED), st >= U0);
	assert_int_equal(!!(v & PORTSC_PR), st == RST);
	if (st == DIS)
		assert_int_equal(PORTSC_PLS(v),
				 u3 ? PLS_DISABLED : PLS_POLLING);
	else if (st != OFF && st != RST)
		assert_int_equal(PORTSC_PLS(v), pls[st]);
	if (st >= U0)
		assert_int_equal(v >> PORTSC_SPEED_SHIFT & 15,
				 u3 ? USB_SPEED_SUPER : USB_SPEED_HIGH);
	assert_int_equal(v & (PORTSC_OCA | PORTSC_LWS | PORTSC_WPR), 0);
}

MAYBE void check_event(struct fake *f, unsigned port, unsigned n)
{
	f->nseen = 0;
	run(f);
	ev_drain(f, 0);
	assert_int_equal(f->nseen, n);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(EV_TYPE(&f->seen[i]), TRB_EV_PORT);
		assert_int_equal(f->seen[i].param, (uint64_t)port << 24);
		assert_int_equal(EV_CC(&f->seen[i]), CC_SUCCESS);
	}
}

#endif
