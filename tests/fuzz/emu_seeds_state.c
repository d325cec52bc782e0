/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emu_seeds_state.c - inputs of emu_fuzz written by hand, of the controller as a
 * whole: ports, registers, resets, what is saved and restored, snapshots, and
 * a host that has no memory or takes the guest's away.
 */
#include "emu/xhci.h"
#include "tests/fuzz/emu_seed_hand.h"
#include "tests/fuzz/emu_seeds.h"

#define PLACES 24u /* snapshots of one input, more or less */

static void td_of(unsigned slot, unsigned dci, unsigned stream, unsigned shape,
		  unsigned len)
{
	S(&s, OP_TD, slot, dci, stream);
	s16(&s, shape);
	s16(&s, len);
	s8(&s, 0);
	for (unsigned i = 0; dci != 1 && i <= (shape & TD_TRBS); i++)
		s8(&s, 4 * i);
}

static void port_to(unsigned p, unsigned state)
{
	switch (state) {
	case 0: /* off */
		s_wr(&s, PORT_REG(p, 0), 0);
		break;
	case 1: /* empty */
		S(&s, OP_UNPLUG, p);
		break;
	case 2: /* disabled */
		s_wr(&s, PORT_REG(p, 0), PORTSC_PP | PORTSC_PED);
		break;
	case 3: /* in reset */
		s_wr(&s, PORT_REG(p, 0), PORTSC_PP | PORTSC_PR);
		break;
	case 4: /* U3 */
	case 5: /* resume */
	case 6: /* L1 */
		s_wr(&s, PORT_REG(p, 0),
		     PORTSC_PP | PORTSC_LWS |
			     (state == 6 ? 2u : 3u) << PORTSC_PLS_SHIFT);
		if (state == 5)
			S(&s, OP_PORT, p, PORT_WAKE, 0, 0, 0, 0);
		break;
	case 7: /* over current */
		S(&s, OP_PORT, p, PORT_FAULT1 + XHCI_FAULT_OVER_CURRENT, 0, 0,
		  0, 0);
		break;
	case 8:
	case 9:
	case 10: /* failed */
		S(&s, OP_PORT, p, PORT_FAULT1 + (state - 8), 0, 0, 0, 0);
		break;
	case 11: /* a test mode */
		s_wr(&s, REG_CMD, 0);
		s_wr(&s, PORT_REG(p, 4), 1u << 28);
		break;
	default:
		break;
	}
}

/* Each state of a port, and all that can happen in it */
static void ports(void)
{
	for (unsigned n = 0; n < 13 * 2 * 4; n++) {
		unsigned p = n & 1 ? USB3 : USB2, state = n / 8;

		begin(n & 2 ? SHAPE_NO_TAP : 0);
		s_wr(&s, OFF_OP + OP_CONFIG, CONFIG_U3E | 4);
		s_wr(&s, OFF_OP + OP_DNCTRL, 0xffff);
		up(0, p, UP_BULK, 0);
		s_wr(&s, PORT_REG(p, 0), PORTSC_PP | PORTSC_WAKES);
		for (unsigned what = 0; what < 36; what++) {
			up(0, p, UP_ADDRESSED, 0);
			port_to(p, state);
			if (what < 16)
				s_wr(&s, PORT_REG(p, 0),
				     PORTSC_PP | PORTSC_LWS |
					     what << PORTSC_PLS_SHIFT);
			else if (what < 28)
				port_to(p, what - 16);
			else if (what == 28)
				s_wr(&s, PORT_REG(p, 0),
				     PORTSC_PP | PORTSC_WPR);
			else if (what < 31)
				S(&s, OP_RESET_DONE, p, what & 1);
			else if (what == 31)
				S(&s, OP_PORT, p,
				  PORT_FAULT1 + XHCI_FAULT_NO_OVER_CURRENT, 0,
				  0, 0, 0);
			else if (what == 32)
				S(&s, OP_PLUG, p, n & 1 ? 4 : 1);
			else if (what == 33)
				S(&s, OP_START, 1, 1, 0, 0);
			else if (what == 34)
				td_of(0, 3, 0, TD_IOC, 64);
			else
				snapshot(n & 4 ? SNAP_UNPLUGGED
					       : SNAP_NEW_DEVICES,
					 0, 0, 0);
			run();
			S(&s, OP_READ, PORT_REG(p, 0) & 0xff,
			  PORT_REG(p, 0) >> 8, 2);
			S(&s, OP_RESET_DONE, p, 1);
			s_wr(&s, PORT_REG(p, 0), PORTSC_PP | PORTSC_CHANGES);
			S(&s, OP_PORT, p,
			  PORT_FAULT1 + XHCI_FAULT_NO_OVER_CURRENT, 0, 0, 0, 0);
			if (state == 11)
				S(&s, OP_START, 1, 1, 0, 0);
			run();
			S(&s, OP_FLUSH, p, USB_CANCELLED);
			S(&s, OP_EVENTS, 0);
		}
		end("port");
	}
	/* speeds, lanes, ports that are not */
	begin(0);
	for (unsigned p = 0; p < 10; p++)
		for (unsigned speed = 0; speed < 9; speed++) {
			S(&s, OP_PLUG, p, speed);
			S(&s, OP_READ, PORT_REG(p, 8) & 0xff,
			  PORT_REG(p, 8) >> 8, 2);
			S(&s, OP_PORT, p, PORT_WAKE, 0, 0, 0, 0);
			S(&s, OP_PORT, p, PORT_FAULT1 + 5 + speed, 0, 0, 0, 0);
			if (speed & 1)
				S(&s, OP_UNPLUG, p);
		}
	end("speeds");
}

/* Each register, read and written in each size */
static void registers(void)
{
	static const uint16_t from[] = {0,      0x40,   0x80,   0x440,  0x4c0,
					0x620,  0x800,  0x840,  0x1000, 0x1100,
					0x2000, 0x23f0, 0x2400, 0x3ff0};

	for (unsigned n = 0; n < 14 * 4; n++) {
		begin((n & 3) << SHAPE_PORTS_SHIFT |
		      (n & 1 ? SHAPE_NO_TAP : 0) | SHAPE_SCRATCHPADS | 0xf8);
		for (unsigned i = 0; i < 0x60; i += 4) {
			s_op(&s, OP_READ);
			s16(&s, from[n / 4] + i);
			s8(&s, 2);
		}
		for (unsigned i = 0; i < 16; i++) {
			s_op(&s, i & 1 ? OP_WRITE : OP_READ);
			s16(&s, from[n / 4] + (i >> 1));
			s8(&s, (n + i) % 5);
			if (i & 1)
				s64(&s, 0x0101010101010101ull << (i & 7));
		}
		for (unsigned i = 0; i < 0x40; i += 4)
			s_wr(&s, from[n / 4] + i, n & 1 ? 0 : UINT32_MAX);
		end("register");
	}
}

/* Resets of each kind with transfers under way, and what follows */
static void resets(void)
{
	for (unsigned n = 0; n < 32; n++) {
		begin(0);
		up(0, USB3, UP_BULK | UP_ISOCH | UP_STREAMS, 0);
		td_of(0, 3, 0, TD_IOC, 64);
		td_of(0, 9, 1, TD_IOC, 64);
		td_of(0, 1, 0, TD_IOC, 64);
		run();
		s_wr(&s, REG_CMD, n & 1 ? CMD_HCRST : CMD_LHCRST);
		S(&s, OP_READ, REG_CMD, 0, 2);
		if (n & 2)
			s_wr(&s, REG_CMD, n & 4 ? CMD_HCRST : CMD_LHCRST);
		if (n & 8)
			S(&s, OP_HOST, n & 16 ? HOST_RESET : HOST_MEM_LOST);
		S(&s, OP_FLUSH, USB3, USB_CANCELLED);
		s_wr(&s, REG_CMD, CMD_RS);
		run();
		S(&s, OP_START, 1, 1, 0, 0);
		up(0, USB3, UP_BULK, 0);
		S(&s, OP_HOST, HOST_MEM_LOST);
		s_wr(&s, OFF_OP + OP_USBSTS, UINT32_MAX);
		s_wr(&s, REG_CMD, CMD_RS);
		end("reset");
	}
}

/* §4.23.2: halted, saved, the power goes, restored; or something else */
static void saved(void)
{
	for (unsigned n = 0; n < 64; n++) {
		begin(0);
		up(0, USB3, UP_BULK | UP_ISOCH | UP_ARRAYS, 0);
		up(1, USB2, UP_INTR, 0);
		td_of(0, 3, 0, TD_IOC, 64);
		td_of(0, 10, 1, TD_IOC, 64);
		run();
		if (!(n & 1))
			s_wr(&s, REG_CMD, 0);
		if (n & 2)
			S(&s, OP_FLUSH, USB3, USB_CANCELLED);
		s_wr(&s, REG_CMD, CMD_CSS);
		S(&s, OP_FLUSH, USB3, USB_CANCELLED);
		run();
		if (n & 32)
			snapshot(0, 0, 0, 0);
		if (n & 4)
			S(&s, OP_HOST, HOST_RESET);
		if (n & 32)
			snapshot(n & 1 ? SNAP_UNPLUGGED : 0, 0, 0, 0);
		if (n & 8)
			S(&s, OP_UNPLUG, USB3);
		if (n & 16)
			s_wr(&s, REG_CMD, CMD_HCRST);
		if (!(n & 3))
			s_wr(&s, REG_CMD, CMD_CRS);
		s_wr(&s, OFF_OP + OP_CONFIG, 4);
		s_wr(&s, OFF_OP + OP_DCBAAP, 0x1000);
		s_wr(&s, REG_CMD, CMD_CRS);
		s_wr(&s, REG_CMD, CMD_RS | CMD_INTE);
		S(&s, OP_DOORBELL, 0, 3, 0, 0);
		run();
		S(&s, OP_STEADY, 2);
		s_wr(&s, REG_CMD, CMD_CRS);
		S(&s, OP_START, 1, 1, 0, 0);
		end("saved");
	}
}

/* A state of much that can be in a snapshot: kinds 0..4 */
static void rich(unsigned kind)
{
	S(&s, OP_EV_RING, 1, 2, 16);
	S(&s, OP_EV_RING, 0, 1, 16);
	s_wr(&s, OFF_OP + OP_DNCTRL, 0xffff);
	up(0, USB3, UP_BULK | UP_STREAMS, 0);
	up(1, USB2, UP_INTR | UP_ISOCH, 0x4000);
	if (kind == 4)
		return;
	for (unsigned i = 0; i < 18; i++) {
		td_of(0, 3, 0, TD_IOC | TD_ISP | 1, 64);
		td_of(0, 9, 1 + (i & 1), TD_IOC | TD_EVENT_DATA, 64);
		run();
	}
	S(&s, OP_FLUSH, USB3, USB_OK);
	run();
	S(&s, OP_FLUSH, USB3, kind == 1 ? USB_STALL : USB_OK);
	run();
	if (kind == 1)
		S(&s, OP_CMD, 15, 0, 3, 0); /* Stop Endpoint, and no room */
	if (kind == 2)
		S(&s, OP_CMD, 23, 0, 0, 0);
	run();
	S(&s, OP_PORT, USB3, PORT_NOTIFY1 + 3, 1, 2, 3, 4);
	S(&s, OP_CMD, 21, 1, 0, 0);
	run();
	if (kind == 3) {
		s_wr(&s, REG_CMD, 0);
		S(&s, OP_FLUSH, USB3, USB_CANCELLED);
		run();
		s_wr(&s, REG_CMD, CMD_CSS);
		S(&s, OP_HOST, HOST_RESET);
	}
}

/* Snapshots cut off at each place, and with bytes that are something else */
static void snapshots(void)
{
	for (unsigned kind = 0; kind < 5; kind++)
		for (unsigned at = 1; at < 2400; at += PLACES) {
			begin(0);
			rich(kind);
			for (unsigned i = at; i < at + PLACES; i++)
				if (kind & 1)
					snapshot(0, i, 0, 0);
				else
					snapshot(0, 0, i, i & 1 ? 0x80 : 0x7f);
			snapshot(SNAP_REQUESTS, 0, 0, 0);
			S(&s, OP_STEADY, 3);
			end("snapshot");
		}
	begin(0);
	snapshot(SNAP_BUSY, 0, 0, 0);
	S(&s, OP_HOST, HOST_PAUSE);
	snapshot(SNAP_BUSY, 0, 0, 0);
	up(0, USB3, UP_BULK, 0);
	S(&s, OP_HOST, HOST_RESUME);
	end("snapshot");
}

/* A little of everything, for hosts that fail */
static void everything(void)
{
	up(0, USB3, UP_BULK | UP_INTR | UP_ISOCH | UP_STREAMS | UP_ARRAYS, 0);
	td_of(0, 1, 0, TD_IOC, 64);
	td_of(0, 2, 0, 3 | TD_IOC, 3000);
	td_of(0, 3, 0, TD_IDT | TD_IOC | TD_ISP, 4000);
	td_of(0, 2, 0, TD_IDT | TD_IOC, 8);
	td_of(0, 7, 0, TD_IOC, 100);
	td_of(0, 8, 1, TD_IOC, 100);
	td_of(0, 10, 2, TD_LINK | TD_IOC, 100);
	run();
	S(&s, OP_STEADY, 2);
	td_of(0, 3, 0, TD_IOC, 4000);
	run();
	S(&s, OP_CMD, 15, 0, 3, 0);
	S(&s, OP_FLUSH, USB3, USB_CANCELLED);
	run();
	S(&s, OP_CMD, 16, 0, 3, 0);
	run();
	S(&s, OP_CMD, 18, 0, 0, 0);
	run();
	S(&s, OP_TIME, 0, 0, 0, 2);
	S(&s, OP_TIMER, 0);
	run();
	snapshot(0, 0, 0, 0);
	S(&s, OP_STEADY, 2);
	s_wr(&s, REG_CMD, 0);
	S(&s, OP_FLUSH, USB3, USB_CANCELLED);
	s_wr(&s, REG_CMD, CMD_CSS);
	S(&s, OP_HOST, HOST_RESET);
	s_wr(&s, REG_CMD, CMD_CRS);
	S(&s, OP_STEADY, 2);
}

static void failing_hosts(void)
{
	static const uint16_t pages[] = {0x1,   0x2,   0x4,   0x10,  0xa0,
					 0xb1,  0x208, 0x20a, 0x281, 0x282,
					 0x283, 0x287, 0x400, 0x404};

	for (unsigned n = 1; n < 120; n++) {
		begin(n & 1 ? 0 : SHAPE_NO_TAP);
		S(&s, n < 60 ? OP_NO_MEMORY : OP_MEM_FAULT,
		  n < 60 ? n : 2 * (n - 60));
		everything();
		end("host");
	}
	for (unsigned n = 0; n < 14 * 3; n++) {
		begin(n & 1 ? SHAPE_CTX64 : 0);
		if (n % 3 == 2)
			up(0, USB3, UP_BULK | UP_STREAMS | UP_ARRAYS, 0);
		s_op(&s, OP_SHAPE);
		s16(&s, n % 3 ? pages[n / 3] : 0);
		s8(&s, n % 3);
		s16(&s, n % 3 ? 0 : pages[n / 3]);
		everything();
		end("hole");
	}
	begin(0);
	up(0, USB3, UP_BULK, 0);
	S(&s, OP_REFUSE, USB3, 1);
	td_of(0, 3, 0, TD_IOC, 64);
	run();
	S(&s, OP_REFUSE, USB3, 0);
	S(&s, OP_UNPLUG, USB3);
	td_of(0, 2, 0, TD_IOC, 64);
	run();
	end("refuse");
}

void emu_state_seeds(const char *dir)
{
	folder = dir;
	ports();
	registers();
	resets();
	saved();
	snapshots();
	failing_hosts();
}
