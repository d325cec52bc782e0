/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emu_seeds_cmd.c - inputs of emu_fuzz written by hand: commands, the command
 * ring, event rings and interrupts.
 */
#include "tests/fuzz/emu_seed_hand.h"
#include "tests/fuzz/emu_seeds.h"

/* Every command, right and wrong, in each state of slot and endpoint */
static void commands(void)
{
	for (unsigned type = 0; type < 32; type++)
		for (unsigned n = 0; n < 4; n++) {
			static const unsigned what[] = {
				UP_ADDRESSED | UP_BSR, UP_BULK | UP_INTR,
				UP_ISOCH | UP_STREAMS, UP_ARRAYS | UP_CONTROL};

			begin(n & 1 ? SHAPE_CTX64 : 0);
			if (n == 3)
				cmd(type, 1, 0);
			up(SLOT1, USB3, what[n], 0x40 * n);
			up(1, USB2, UP_INTR | UP_ISOCH, n);
			for (unsigned how = 0; how < 256; how += 1 + how / 8)
				cmd(type, n ? 1 + how % 12 : how % 3, how);
			S(&s, OP_EVENTS, 0);
			for (unsigned dci = 0; dci < 14; dci++) {
				cmd(TRB_STOP_EP, dci, 0);
				cmd(type, dci, 8);
			}
			S(&s, OP_STEADY, 2);
			end("command");
		}
}

static void raw_command(uint64_t param, uint32_t status, uint32_t control)
{
	s_op(&s, OP_CMD_RAW);
	s64(&s, param);
	s32(&s, status);
	s32(&s, control);
}

static void command_ring(void)
{
	/* stopped, aborted, with a command under way and none */
	for (unsigned n = 0; n < 16; n++) {
		begin(0);
		if (n & 8)
			S(&s, OP_EV_RING, 0, 1, 16);
		up(SLOT1, USB3, UP_BULK | UP_INTR, 0);
		td_at(3, 0, TD_IOC, 512);
		run();
		S(&s, OP_CMD, n & 4 ? TRB_DISABLE_SLOT : TRB_STOP_EP, SLOT1, 3,
		  0);
		s_op(&s, OP_RUN);
		s_wr(&s, OFF_OP + OP_CRCR, n & 1 ? CRCR_CS : CRCR_CA);
		S(&s, OP_READ, OFF_OP + OP_CRCR, 0, 2);
		s_op(&s, OP_RUN);
		if (n & 2)
			S(&s, OP_FLUSH, USB3, USB_CANCELLED);
		run();
		s_wr(&s, OFF_OP + OP_CRCR, G_CMD | 1);
		s_wr(&s, OFF_OP + OP_CRCR + 4, 0);
		run();
		S(&s, OP_EVENTS, 0);
		run();
		S(&s, OP_FLUSH, USB3, USB_CANCELLED);
		run();
		s_wr(&s, OFF_OP + OP_CRCR, G_CMD | 1);
		s_wr(&s, OFF_DB, 0);
		run();
		end("crcr");
	}
	/* Links: with and without an event, to themselves; rings in no memory */
	for (unsigned n = 0; n < 8; n++) {
		begin(0);
		if (n & 4)
			S(&s, OP_EV_RING, 0, 1, 16);
		for (unsigned i = 0; i < 20; i++)
			raw_command(G_CMD + (n & 1 ? 16 * i : 16 * (i + 1)), 0,
				    TRB_TYPE_BITS(TRB_LINK) |
					    (n & 2 ? TRB_IOC : 0));
		run();
		S(&s, OP_EVENTS, 0);
		run();
		raw_command(n & 1 ? 0x10 : UINT64_MAX, 0,
			    TRB_TYPE_BITS(TRB_LINK));
		run();
		end("links");
	}
}

/* Small event rings, several interrupters: who finds no room, and then does */
static void room(void)
{
	for (unsigned n = 0; n < 32; n++) {
		unsigned dci = n & 1 ? 7 : 3, intr = n >> 1 & 1;

		begin(0);
		S(&s, OP_EV_RING, 1, 1, 16);
		up(SLOT1, USB3, UP_BULK | UP_ISOCH, n & 4 ? 0x4000 : 0);
		s_wr(&s, OFF_OP + OP_DNCTRL, 0xffff);
		S(&s, OP_EV_RING, 0, 1 + (n >> 4 & 1), 16);
		for (unsigned i = 0; i < 20; i++) {
			td_at(dci, 0, TD_IOC | intr << TD_INTR_SHIFT | (i & 1),
			      100);
			S(&s, OP_RUN);
		}
		for (unsigned i = 0; i < 20; i++) {
			run();
			pass(125000);
			done(USB3, 0, i == 18 && n & 8 ? USB_STALL : USB_OK,
			     i & 4 ? 50 : 100, USB_OK);
		}
		run();
		S(&s, OP_CMD, n & 8 ? TRB_STOP_EP : TRB_NOOP_CMD, SLOT1, dci,
		  0);
		run();
		S(&s, OP_FLUSH, USB3, USB_CANCELLED);
		run();
		S(&s, OP_PORT, USB3, PORT_NOTIFY1 + 3, 1, 2, 3, 4);
		S(&s, OP_PORT, USB3, PORT_FAULT1, 0, 0, 0, 0);
		S(&s, OP_CMD, TRB_NEGOTIATE_BW, SLOT1, 0, 0);
		run();
		pass(20000000);
		pass(2500000000u);
		run();
		snapshot(n & 1, 0, 0, 0);
		run();
		S(&s, OP_EVENTS, 1);
		run();
		S(&s, OP_EVENTS, 0);
		S(&s, OP_STEADY, 3);
		S(&s, OP_EVENTS, 0);
		S(&s, OP_EVENTS, 1);
		run();
		end("room");
	}
}

/* Tables of event rings that are none */
static void event_rings(void)
{
	static const uint8_t shapes[][2] = {{0, 16}, {17, 16}, {16, 16}, {1, 0},
					    {1, 15}, {3, 16},  {2, 255}};

	for (unsigned n = 0; n < 7; n++) {
		begin(0);
		S(&s, OP_EV_RING, n & 1, shapes[n][0], shapes[n][1]);
		up(SLOT1, USB3, UP_BULK, 0);
		for (unsigned i = 0; i < 40; i++) {
			td_at(2, 0, TD_IOC | (n & 1) << TD_INTR_SHIFT, 8);
			run();
			done(USB3, 0, USB_OK, 8, 0);
			run();
			if (i % 10 == 9)
				S(&s, OP_EVENTS, n & 1);
		}
		/* the dequeue pointer outside, the table nowhere, misaligned */
		s_wr(&s, INTR_REG(0, IR_ERDP), n & 1 ? 0x999990 : 0x10018);
		s_wr(&s, INTR_REG(0, IR_ERSTBA), n & 2 ? 0xfffffff0 : 0x4040);
		s_wr(&s, INTR_REG(0, IR_ERSTBA + 4), n & 4 ? 0xffffffff : 0);
		S(&s, OP_CMD, TRB_NOOP_CMD, 0, 0, 0);
		run();
		end("erst");
	}
}

/* Interrupts: by message and pin, IMOD, EHB, masked */
static void interrupts(void)
{
	for (unsigned mode = HOST_NO_INTR; mode <= HOST_PIN; mode++) {
		begin(0);
		S(&s, OP_HOST, mode);
		S(&s, OP_EV_RING, 2, 2, 16);
		up(SLOT1, USB3, UP_BULK, 0x8000);
		for (unsigned i = 0; i < 12; i++) {
			s_wr(&s, INTR_REG(i & 2, IR_IMAN),
			     i & 1 ? IMAN_IE : IMAN_IP);
			s_wr(&s, INTR_REG(i & 2, IR_IMOD),
			     i < 4   ? 0
			     : i < 8 ? 4000
				     : 0x1000ffff);
			td_at(3, 0, TD_IOC | 2 << TD_INTR_SHIFT, 8);
			run();
			done(USB3, 0, USB_OK, i, 0);
			run();
			S(&s, OP_READ, INTR_REG(2, IR_IMOD) & 0xff,
			  INTR_REG(2, IR_IMOD) >> 8, 2);
			S(&s, OP_TIMER, 1);
			s_wr(&s, REG_CMD, i & 4 ? CMD_RS : CMD_RS | CMD_INTE);
			if (i & 1)
				S(&s, OP_EVENTS, i & 2);
			S(&s, OP_HOST, i == 9 ? HOST_PIN : mode);
			/* one half of the pointer, then the other */
			s_wr(&s, INTR_REG(0, IR_ERDP + 4), 0);
			pass(600000);
		}
		S(&s, OP_HOST, HOST_NO_BUS_MASTER);
		td_at(3, 0, TD_IOC, 8);
		run();
		S(&s, OP_HOST, HOST_BUS_MASTER);
		run();
		end("intr");
	}
}

/* §4.14.2: each wrap of MFINDEX is an event */
static void wraps(void)
{
	begin(0);
	S(&s, OP_EV_RING, 0, 1, 16);
	s_wr(&s, REG_CMD, CMD_RS | CMD_INTE | CMD_EWE);
	for (unsigned i = 0; i < 20; i++) {
		S(&s, OP_TIMER, 1);
		run();
		if (i == 17)
			S(&s, OP_EVENTS, 0);
	}
	s_wr(&s, REG_CMD, CMD_RS);
	pass(3000000000u);
	s_wr(&s, REG_CMD, CMD_EWE);
	pass(3000000000u);
	end("wrap");
}

void emu_command_seeds(const char *dir)
{
	folder = dir;
	commands();
	command_ring();
	room();
	event_rings();
	interrupts();
	wraps();
}
