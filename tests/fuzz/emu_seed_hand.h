/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emu_seed_hand.h - for files that write inputs of emu_fuzz, one after another,
 * by hand: the machine's devices are in the ports USB2 and USB3.
 */
#ifndef TESTS_FUZZ_EMU_SEED_HAND_H
#define TESTS_FUZZ_EMU_SEED_HAND_H

#include "emu/hw.h"
#include "emu/usb.h"
#include "tests/fuzz/emu_seed.h"
#include "tests/fuzz/fuzz.h"

#define USB2 0u /* the first port, as operations name it: less one */
#define USB3 4u /* the first USB 3 port */
#define SLOT1 0u
#define REG_CMD (OFF_OP + OP_USBCMD)
#define PORT_REG(n, r) (OFF_PORTS + 16u * (n) + (r))
#define INTR_REG(n, r) (OFF_RT + RT_IR0 + IR_SIZE * (n) + (r))
#define G_CMD 0x2000u
#define G_XRING(dci) (0x280000u + (dci)*0x1000u)
#define G_DATA 0x400000u

static struct seed s;
static const char *folder;
static unsigned count;

MAYBE_UNUSED void begin(unsigned shape)
{
	static const uint8_t dcbaa[] = {
		0, 0x10, 0x0b, 0, 0, 0, 0, 0, 0, 0x20, 0x0b, 0, 0, 0, 0, 0,
		0, 0x30, 0x0b, 0, 0, 0, 0, 0, 0, 0x40, 0x0b, 0, 0, 0, 0, 0};

	s.len = 0;
	s.full = false;
	s16(&s, shape);
	if (shape & SHAPE_IDLE)
		return;
	/* restart(): no hole, memory in one piece */
	s8(&s, 1);
	s8(&s, 1);
	s16(&s, 0);
	s_mem(&s, 0x1008, dcbaa, sizeof(dcbaa));
}

MAYBE_UNUSED void end(const char *name)
{
	fuzz_seed(folder, name, count++, s.buf, s.len);
}

MAYBE_UNUSED void up(unsigned slot, unsigned port, unsigned what,
		     unsigned details)
{
	S(&s, OP_UP, slot, port, what);
	s16(&s, details);
}

MAYBE_UNUSED void run(void)
{
	S(&s, OP_RUN);
	S(&s, OP_RUN);
}

MAYBE_UNUSED void td(unsigned dci, unsigned stream, unsigned shape,
		     unsigned len, unsigned wrong)
{
	S(&s, OP_TD, SLOT1, dci, stream);
	s16(&s, shape);
	s16(&s, len);
	s8(&s, wrong);
}

/* The addresses of a plain endpoint's TRBs: a byte each, in KiB */
MAYBE_UNUSED void td_at(unsigned dci, unsigned stream, unsigned shape,
			unsigned len)
{
	td(dci, stream, shape, len, 0);
	for (unsigned i = 0; i <= (shape & TD_TRBS); i++)
		s8(&s, 4 * i);
}

MAYBE_UNUSED void done(unsigned port, unsigned which, unsigned status,
		       uint32_t actual, unsigned packet)
{
	S(&s, OP_DONE, port, which, status);
	s32(&s, actual);
	s8(&s, packet);
}

MAYBE_UNUSED void cmd(unsigned type, unsigned dci, unsigned how)
{
	S(&s, OP_CMD, type, SLOT1, dci, how);
	run();
}

MAYBE_UNUSED void trb(unsigned dci, unsigned stream, uint64_t param,
		      uint32_t status, uint32_t control)
{
	S(&s, OP_TRB, SLOT1, dci);
	s16(&s, stream);
	s64(&s, param);
	s32(&s, status);
	s32(&s, control);
}

MAYBE_UNUSED void pass(uint32_t ns)
{
	S(&s, OP_TIME);
	s32(&s, ns);
	S(&s, OP_TIMER, 0);
}

MAYBE_UNUSED void snapshot(unsigned how, unsigned cut, unsigned at,
			   unsigned bits)
{
	S(&s, OP_SNAPSHOT, how);
	s16(&s, cut);
	s8(&s, bits ? 1 : 0);
	if (!bits)
		return;
	s16(&s, at);
	s8(&s, bits);
}

#endif
