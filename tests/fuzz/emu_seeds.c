/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emu_seeds.c - inputs of emu_fuzz written by hand: one of each thing that a
 * driver, a device or a host can do and that chance is slow to come to, with
 * what goes wrong in it. Here: transfers.
 */
#include "tests/fuzz/emu_seeds.h"

#include "tests/fuzz/emu_seed_hand.h"

/* Each way a transfer of a plain endpoint ends, each shape of its TD */
static void plain(unsigned dci, unsigned stream, unsigned what)
{
	static const unsigned shapes[] = {
		TD_IOC,
		3 | TD_IOC | TD_ISP,
		1 | TD_ISP | TD_EVENT_DATA,
		2 | TD_EVENT_DATA | TD_BEI,
		TD_LINK | TD_IOC,
		1 | TD_LINK | TD_ISP | TD_EVENT_DATA,
		TD_NOOP | TD_IOC,
		TD_NOOP | TD_EVENT_DATA | TD_IOC,
		TD_IDT | TD_IOC,
		1 | TD_IDT,
		1 << TD_INTR_SHIFT | TD_IOC,
		3,
	};
	static const uint32_t moved[] = {UINT32_MAX, 700, 0, 1024};

	for (unsigned st = 0; st < USB_NSTATUS; st++) {
		begin(st & 1 ? SHAPE_CTX64 : 0);
		up(SLOT1, USB3, what, 0);
		for (unsigned i = 0; i < sizeof(shapes) / sizeof(*shapes);
		     i++) {
			td_at(dci, stream, shapes[i], 3000);
			run();
			done(USB3, 0, st, moved[i & 3], st);
			run();
			S(&s, OP_EVENTS, 0);
			if (st == USB_OK || st == USB_CANCELLED)
				continue;
			cmd(TRB_RESET_EP, dci, i & 1);
			if (!(i & 1))
				cmd(TRB_SET_TR_DEQ, dci, stream << 3);
		}
		S(&s, OP_STEADY, 4);
		end("plain");
	}
}

/* Stopped in the middle, and going on: to the byte, over Event Data, short */
static void stopped(unsigned dci, unsigned stream, unsigned what)
{
	static const unsigned shapes[] = {
		3 | TD_IOC, 3 | TD_ISP | TD_EVENT_DATA, TD_IDT | TD_IOC,
		2 | TD_ISP, TD_NOOP | TD_OPEN};

	for (uint32_t moved = 0; moved < 4096; moved += 500) {
		begin(0);
		up(SLOT1, USB3, what, 0);
		for (unsigned i = 0; i < 5; i++) {
			td_at(dci, stream, shapes[i], 4000);
			run();
			td_at(dci, stream, TD_IOC, 100);
			run();
			cmd(TRB_STOP_EP, dci, 0);
			if (i & 1)
				done(USB3, 0, USB_OK, moved, USB_OK);
			S(&s, OP_CANCELLED, USB3);
			s16(&s, moved);
			run();
			S(&s, OP_EVENTS, 0);
			snapshot(i & 1, 0, 0, 0);
			S(&s, OP_DOORBELL, SLOT1, dci);
			s16(&s, stream);
			run();
			if (i == 2)
				cmd(TRB_SET_TR_DEQ, dci, stream << 3);
			S(&s, OP_STEADY, 2);
		}
		end("stopped");
	}
}

static void control(void)
{
	static const unsigned shapes[] = {
		TD_IOC,
		TD_FRAME | TD_IOC,
		TD_LATE | TD_IOC,
		TD_LATE | TD_IDT | TD_IOC,
		3 | TD_ISP | TD_EVENT_DATA | TD_IOC,
		TD_EVENT_DATA | TD_LINK | TD_IOC,
		TD_NOOP | TD_IOC,
		TD_NOOP | TD_EVENT_DATA | TD_OPEN,
		TD_OPEN,
	};

	for (unsigned st = 0; st < USB_NSTATUS; st++) {
		begin(0);
		up(SLOT1, USB2, st & 1 ? UP_ADDRESSED | UP_BSR : UP_ADDRESSED,
		   0);
		for (unsigned i = 0; i < sizeof(shapes) / sizeof(*shapes);
		     i++) {
			td(1, 0, shapes[i], 18 + 60 * i, 0);
			run();
			done(USB2, 0, st, i & 1 ? UINT32_MAX : 9, 0);
			run();
			cmd(TRB_RESET_EP, 1, 0);
			cmd(TRB_SET_TR_DEQ, 1, 0);
			S(&s, OP_EVENTS, 0);
		}
		end("control");
	}
	/* a request that is stopped has time to end by itself */
	for (unsigned how = 0; how < 8; how++) {
		begin(0);
		up(SLOT1, USB2, UP_ADDRESSED, 0);
		td(1, 0, TD_IOC, 18, 0);
		run();
		cmd(how & 4 ? TRB_RESET_DEVICE : TRB_STOP_EP, 1, 0);
		if (how & 1)
			done(USB2, 0, USB_OK, 18, 0);
		run();
		pass(60000000);
		run();
		S(&s, OP_CANCELLED, USB2);
		s16(&s, how & 2 ? 18 : 0);
		run();
		snapshot(0, 0, 0, 0);
		S(&s, OP_STEADY, 2);
		end("request");
	}
	/* each TRB of a request in the place of each other */
	for (unsigned bit = 0; bit < 32; bit++) {
		begin(0);
		up(SLOT1, USB2, UP_ADDRESSED, 0);
		for (unsigned i = 0; i < 5; i++) {
			td(1, 0, (i & 1) | TD_IOC | (i & 2 ? TD_EVENT_DATA : 0),
			   64, 5 + i);
			s8(&s, 96 + bit);
			run();
			S(&s, OP_STEADY, 1);
			cmd(TRB_RESET_EP, 1, 0);
			cmd(TRB_SET_TR_DEQ, 1, 0);
		}
		end("wrong");
	}
}

static void isoch(void)
{
	static const unsigned what[] = {TD_IOC, TD_IOC | TD_FRAME,
					TD_IOC | TD_FRAME | TD_LATE,
					TD_IOC | TD_ISP | TD_EVENT_DATA | 1};

	for (unsigned n = 0; n < 48; n++) {
		unsigned dci = 6 + (n & 1), shape = what[n >> 1 & 3];
		unsigned details = (n >> 3) | (n & 8 ? 2u << 6 : 0) |
				   (n & 16 ? 1u << 10 : 0);

		begin(0);
		up(SLOT1, n & 4 ? USB2 : USB3, UP_ISOCH, details);
		for (unsigned i = 0; i < 6; i++) {
			td(dci, 0, shape, i == 4 ? 60000 : 60 * i, 0);
			if (shape & TD_FRAME)
				s8(&s, 40 * i + 1);
			for (unsigned k = 0; k <= (shape & TD_TRBS); k++)
				s8(&s, k);
			run();
			pass(n & 2 ? 1000000 : 300000);
			done(n & 4 ? USB2 : USB3, 0, i == 3 ? n % 9 : USB_OK,
			     50 * i, i == 2 ? n % 9 : USB_OK);
			run();
			S(&s, OP_EVENTS, 0);
		}
		S(&s, OP_TIMER, 1);
		S(&s, OP_TIMER, 1);
		run();
		pass(50000000);
		run();
		cmd(TRB_STOP_EP, dci, 0);
		S(&s, OP_STEADY, 3);
		snapshot(0, 0, 0, 0);
		end("isoch");
	}
}

/* Streams by numbers that are and are not, arrays that are not */
static void streams(void)
{
	for (unsigned n = 0; n < 24; n++) {
		unsigned dci = 8 + n % 4;

		begin(n & 4 ? SHAPE_CHANGES : 0);
		up(SLOT1, USB3, UP_STREAMS | UP_ARRAYS, (n & 3) << 4);
		for (unsigned id = 0; id < 70; id += 1 + id / 9) {
			td_at(dci, id, TD_IOC, 64);
			run();
			if (id % 3 == 1)
				done(USB3, 0, id & 1 ? USB_OK : USB_STALL, 64,
				     0);
			S(&s, OP_DOORBELL, SLOT1, dci);
			s16(&s, id);
			run();
			if (n >= 12 && id > 8) {
				/* the context is none, or its array is none */
				static const uint8_t bad[][8] = {
					{0x0f},
					{0},
					{2, 0, 0, 0xf0},
					{4, 0, 0, 0xf0},
					{0x0e, 0x30, 0x20}};

				s_mem(&s,
				      0x200000u + dci * 0x1000 + 16 * (id + 1),
				      bad[(id + n) % 5], 8);
			}
		}
		cmd(TRB_STOP_EP, dci, 0);
		S(&s, OP_FLUSH, USB3, USB_CANCELLED);
		run();
		for (unsigned id = 0; id < 9; id++)
			for (unsigned sct = 0; sct < 4; sct++)
				cmd(TRB_SET_TR_DEQ, dci, id << 3 | sct << 1);
		S(&s, OP_STEADY, 2);
		snapshot(0, 0, 0, 0);
		S(&s, OP_STEADY, 2);
		end("streams");
	}
}

/* A ring of TRBs that leads back to itself: as many TDs as there may be */
static void limits(void)
{
	for (unsigned n = 0; n < 12; n++) {
		unsigned dci = n % 3 == 2 ? 8 : 2 + n % 3;
		uint32_t fl = n >= 9 ? TRB_CH : TRB_IOC;

		begin(0);
		up(SLOT1, USB3, UP_BULK | UP_STREAMS, 0);
		trb(dci, dci == 8, G_DATA,
		    n < 3   ? 65536
		    : n < 6 ? 0
			    : 8,
		    TRB_TYPE_BITS(n < 6 || n >= 9 ? TRB_NORMAL : TRB_NOOP) |
			    fl);
		trb(dci, dci == 8, G_XRING(dci), 0,
		    TRB_TYPE_BITS(TRB_LINK) | (n & 1 ? TRB_CH : 0) |
			    (n >= 6 && n & 2 ? TRB_IOC : 0));
		for (unsigned i = 0; i < 6; i++)
			run();
		S(&s, OP_STEADY, 4);
		cmd(TRB_STOP_EP, dci, 0);
		S(&s, OP_FLUSH, USB3, USB_CANCELLED);
		run();
		end("limit");
	}
	/* the whole controller's: TDs of 64 KiB on many rings, and of nothing */
	for (unsigned n = 0; n < 2; n++) {
		begin(0);
		for (unsigned slot = 0; slot < 4; slot++)
			up(slot, slot < 2 ? USB3 + slot : USB2 + slot,
			   UP_BULK | UP_INTR | UP_STREAMS, 0);
		for (unsigned slot = 0; slot < 4; slot++)
			for (unsigned dci = 2; dci < 10; dci++) {
				unsigned id = dci >= 8;
				uint32_t ring =
					0x280000u + (slot * 32 + dci) * 0x1000;

				if (dci == 6 || dci == 7)
					continue;
				if (id)
					ring = 0x300000u +
					       (((slot + 1) * 32 + dci) * 16 +
						1) % 1024 *
						       0x400;
				S(&s, OP_TRB, slot, dci);
				s16(&s, id);
				s64(&s, G_DATA);
				s32(&s, n ? 0 : 65536);
				s32(&s, TRB_TYPE_BITS(TRB_NORMAL));
				S(&s, OP_TRB, slot, dci);
				s16(&s, id);
				s64(&s, ring);
				s32(&s, 0);
				s32(&s, TRB_TYPE_BITS(TRB_LINK));
			}
		for (unsigned i = 0; i < 40; i++)
			run();
		pass(20000000);
		for (unsigned i = 0; i < 10; i++)
			run();
		S(&s, OP_STEADY, 2);
		S(&s, OP_STEADY, 1);
		end("many");
	}
}

void emu_seeds(const char *dir)
{
	static const struct {
		unsigned dci, stream, what;
	} eps[] = {{2, 0, UP_BULK},    {3, 0, UP_BULK},    {5, 0, UP_INTR},
		   {9, 2, UP_STREAMS}, {10, 1, UP_ARRAYS}, {11, 10, UP_ARRAYS},
		   {6, 0, UP_ISOCH},   {7, 0, UP_ISOCH}};

	folder = dir;
	for (unsigned i = 0; i < sizeof(eps) / sizeof(*eps); i++) {
		plain(eps[i].dci, eps[i].stream, eps[i].what);
		stopped(eps[i].dci, eps[i].stream, eps[i].what);
	}
	control();
	isoch();
	limits();
	streams();
	emu_command_seeds(dir);
	emu_state_seeds(dir);
	emu_recorded_seeds(dir);
}
