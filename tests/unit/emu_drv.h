/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emu_drv.h - a guest's side for the controller's unit tests, over emu_fake.h:
 * registers, commands, events, rings, at addresses that are known. It does
 * what a test says, right or wrong, and checks nothing but what it must.
 */
#ifndef TESTS_EMU_DRV_H
#define TESTS_EMU_DRV_H

#include "tests/unit/emu_fake.h"

#define G_DCBAA 0x1000u
#define G_CMD 0x2000u
#define CMD_TRBS 256u
#define G_ERST(n) (0x4000u + (n)*0x200u)
#define G_EV(n, seg) (0x10000u + (n)*0x10000u + (seg)*0x1000u)
#define G_ICTX 0xa0000u
#define G_OCTX(slot) (0xb0000u + (slot)*0x1000u)
/* transfer rings of slot 1: 4096 TRBs each */
#define G_RING(dci) (0x100000u + (dci)*0x10000u)

#define REG_CMD (OFF_OP + OP_USBCMD)
#define REG_STS (OFF_OP + OP_USBSTS)
#define REG_CRCR (OFF_OP + OP_CRCR)
#define REG_PORTSC(p) (OFF_PORTS + 16u * ((p)-1))
#define REG_PORTPMSC(p) (OFF_PORTS + 16u * ((p)-1) + 4)
#define REG_IR(n, r) (OFF_RT + RT_IR0 + IR_SIZE * (n) + (r))
#define CMD_ON (CMD_RS | CMD_INTE)

MAYBE uint32_t rd(struct fake *f, uint32_t off)
{
	return (uint32_t)xhci_mmio_read(f->x, off, 4);
}

MAYBE void wr(struct fake *f, uint32_t off, uint32_t v)
{
	xhci_mmio_write(f->x, off, 4, v);
}

MAYBE void wr64(struct fake *f, uint32_t off, uint64_t v)
{
	wr(f, off, (uint32_t)v);
	wr(f, off + 4, (uint32_t)(v >> 32));
}

MAYBE uint32_t mem32(struct fake *f, uint64_t gpa)
{
	uint32_t v;

	memcpy(&v, f->mem + gpa, 4);
	return v;
}

MAYBE uint64_t mem64(struct fake *f, uint64_t gpa)
{
	return mem32(f, gpa) | (uint64_t)mem32(f, gpa + 4) << 32;
}

MAYBE void put32(struct fake *f, uint64_t gpa, uint32_t v)
{
	memcpy(f->mem + gpa, &v, 4);
}

MAYBE void put64(struct fake *f, uint64_t gpa, uint64_t v)
{
	memcpy(f->mem + gpa, &v, 8);
}

/* Write a TRB as it is. Returns the address behind it. */
MAYBE uint64_t put(struct fake *f, uint64_t gpa, uint64_t param,
		   uint32_t status, uint32_t control)
{
	put64(f, gpa, param);
	put32(f, gpa + 8, status);
	put32(f, gpa + 12, control);
	return gpa + TRB_SIZE;
}

#define T(type) TRB_TYPE_BITS(TRB_##type)

/* Bytes of guest memory that nothing else uses. */
MAYBE uint64_t galloc(struct fake *f, uint32_t len)
{
	uint64_t at = f->brk;

	f->brk += (len + 63u) & ~63u;
	assert_true(f->brk <= MEM_SIZE);
	return at;
}

MAYBE void setup_events(struct fake *f, unsigned n)
{
	for (unsigned s = 0; s < f->ev_nseg; s++) {
		put64(f, G_ERST(n) + 16 * s, G_EV(n, s));
		put64(f, G_ERST(n) + 16 * s + 8, f->ev_size);
		memset(f->mem + G_EV(n, s), 0, 16u * f->ev_size);
	}
	f->ev[n].seg = f->ev[n].idx = 0;
	f->ev[n].cycle = true;
	wr(f, REG_IR(n, IR_ERSTSZ), f->ev_nseg);
	wr64(f, REG_IR(n, IR_ERDP), G_EV(n, 0));
	wr64(f, REG_IR(n, IR_ERSTBA), G_ERST(n));
	wr(f, REG_IR(n, IR_IMOD), 0);
	wr(f, REG_IR(n, IR_IMAN), IMAN_IE);
}

/* From reset to running, with one interrupter. */
MAYBE void start(struct fake *f)
{
	memset(f->mem + G_CMD, 0, CMD_TRBS * TRB_SIZE);
	put(f, G_CMD + (CMD_TRBS - 1) * TRB_SIZE, G_CMD, 0,
	    T(LINK) | TRB_TC | TRB_C);
	/* the Link's cycle bit is put right when the ring wraps */
	f->cmd_at = G_CMD;
	f->cmd_cycle = true;
	for (unsigned s = 1; s <= XHCI_MAX_SLOTS; s++)
		put64(f, G_DCBAA + 8 * s, G_OCTX(s));
	wr(f, OFF_OP + OP_CONFIG, XHCI_MAX_SLOTS);
	wr64(f, OFF_OP + OP_DCBAAP, G_DCBAA);
	wr64(f, REG_CRCR, G_CMD | CRCR_RCS);
	setup_events(f, 0);
	wr(f, REG_CMD, CMD_ON);
	run(f);
}

/* Is there an event on ring @n? Reads it and moves on, not ERDP. */
MAYBE bool ev_take(struct fake *f, unsigned n, struct xhci_trb *ret)
{
	uint64_t at = G_EV(n, f->ev[n].seg) + f->ev[n].idx * TRB_SIZE;

	memcpy(ret, f->mem + at, sizeof(*ret));
	if ((ret->control & TRB_C) != (uint32_t)f->ev[n].cycle)
		return false;
	if (++f->ev[n].idx == f->ev_size) {
		f->ev[n].idx = 0;
		if (++f->ev[n].seg == f->ev_nseg) {
			f->ev[n].seg = 0;
			f->ev[n].cycle = !f->ev[n].cycle;
		}
	}
	return true;
}

/* Tell the controller how far ring @n was read; clear EHB. */
MAYBE void ev_ack(struct fake *f, unsigned n)
{
	wr64(f, REG_IR(n, IR_ERDP),
	     (G_EV(n, f->ev[n].seg) + f->ev[n].idx * TRB_SIZE) | ERDP_EHB);
}

/* Take what is on ring @n to f->seen[]; returns how many were new. */
MAYBE unsigned ev_drain(struct fake *f, unsigned n)
{
	unsigned had = f->nseen;
	struct xhci_trb ev;

	while (ev_take(f, n, &ev)) {
		assert_true(f->nseen < 4096);
		f->seen_on[f->nseen] = (uint8_t)n;
		f->seen[f->nseen++] = ev;
	}
	if (f->nseen != had)
		ev_ack(f, n);
	return f->nseen - had;
}

MAYBE void ev_forget(struct fake *f)
{
	ev_drain(f, 0);
	f->nseen = 0;
}

#define EV_CC(e) ((e)->status >> EV_CC_SHIFT)
#define EV_LEN(e) ((e)->status & EV_LEN_MAX)
#define EV_TYPE(e) TRB_TYPE((e)->control)

/* Put a command on the ring and ring; no waiting. Returns its address. */
MAYBE uint64_t cmd_post(struct fake *f, uint64_t param, uint32_t status,
			uint32_t control)
{
	uint64_t at = f->cmd_at;

	put(f, at, param, status, control | (f->cmd_cycle ? TRB_C : 0));
	f->cmd_at += TRB_SIZE;
	if (f->cmd_at == G_CMD + (CMD_TRBS - 1) * TRB_SIZE) {
		put32(f, f->cmd_at + 12,
		      T(LINK) | TRB_TC | (f->cmd_cycle ? TRB_C : 0));
		f->cmd_at = G_CMD;
		f->cmd_cycle = !f->cmd_cycle;
	}
	wr(f, OFF_DB, 0);
	return at;
}

/* The completion code of the command at @at, or 0: it has not ended. */
MAYBE unsigned cmd_result(struct fake *f, uint64_t at)
{
	run(f);
	ev_drain(f, 0);
	run(f);
	ev_drain(f, 0);
	for (unsigned i = 0; i < f->nseen; i++) {
		struct xhci_trb *e = &f->seen[i];

		if (EV_TYPE(e) != TRB_EV_COMMAND || e->param != at ||
		    EV_CC(e) == CC_COMMAND_RING_STOPPED)
			continue;
		f->cmd_event = *e;
		/* taken: the address comes again when the ring wraps */
		memset(e, 0, sizeof(*e));
		return EV_CC(&f->cmd_event);
	}
	return 0;
}

MAYBE unsigned cmd(struct fake *f, uint64_t param, uint32_t status,
		   uint32_t control)
{
	return cmd_result(f, cmd_post(f, param, status, control));
}

#define SLOT(n) ((uint32_t)(n) << 24)
#define EP(n) ((uint32_t)(n) << 16)

MAYBE uint32_t ctx_bytes(struct fake *f)
{
	return rd(f, CAP_HCCPARAMS1) & HCC1_CSZ ? 64 : 32;
}

/* Where dword @dw of context @i of the input context is. */
MAYBE uint64_t ictx(struct fake *f, unsigned i, unsigned dw)
{
	return G_ICTX + i * ctx_bytes(f) + dw * 4;
}

MAYBE uint32_t octx(struct fake *f, unsigned slot, unsigned i, unsigned dw)
{
	return mem32(f, G_OCTX(slot) + i * ctx_bytes(f) + dw * 4);
}

MAYBE unsigned octx_slot_state(struct fake *f, unsigned slot)
{
	return octx(f, slot, 0, 3) >> SLOT_CTX_STATE_SHIFT;
}

MAYBE unsigned octx_ep_state(struct fake *f, unsigned slot, unsigned dci)
{
	return octx(f, slot, dci, 0) & 7;
}

MAYBE uint64_t octx_deq(struct fake *f, unsigned slot, unsigned dci)
{
	return octx(f, slot, dci, 2) | (uint64_t)octx(f, slot, dci, 3) << 32;
}

MAYBE void ictx_clear(struct fake *f, uint32_t drop, uint32_t add)
{
	memset(f->mem + G_ICTX, 0, 33 * 64);
	put32(f, ictx(f, 0, 0), drop);
	put32(f, ictx(f, 0, 1), add);
}

MAYBE void ictx_ep(struct fake *f, unsigned dci, unsigned type, unsigned mps,
		   uint64_t ring)
{
	put32(f, ictx(f, dci + 1, 1), 3u << 1 | type << 3 | mps << 16);
	put64(f, ictx(f, dci + 1, 2), ring | EP_CTX_DCS);
	put32(f, ictx(f, dci + 1, 4), mps | mps << 16);
}

MAYBE void ictx_address(struct fake *f, unsigned port, unsigned mps)
{
	ictx_clear(f, 0, 3);
	put32(f, ictx(f, 1, 0), 1u << 27);
	put32(f, ictx(f, 1, 1), port << 16);
	ictx_ep(f, 1, EPT_CONTROL, mps, G_RING(1));
}

/* A device on @port, reset and enabled. */
MAYBE void port_up(struct fake *f, unsigned port)
{
	bool usb3 = xhci_port_is_usb3(f->x, port);

	fake_plug(f, port, usb3 ? USB_SPEED_SUPER : USB_SPEED_HIGH);
	if (!usb3) {
		wr(f, REG_PORTSC(port), PORTSC_PP | PORTSC_PR);
		xhci_port_reset_done(f->x, port, true);
	}
	wr(f, REG_PORTSC(port), PORTSC_PP | PORTSC_CHANGES);
	run(f);
	assert_true(rd(f, REG_PORTSC(port)) & PORTSC_PED);
}

MAYBE unsigned slot_new(struct fake *f)
{
	assert_int_equal(cmd(f, 0, 0, T(ENABLE_SLOT)), CC_SUCCESS);
	return TRB_SLOT(f->cmd_event.control);
}

MAYBE unsigned address(struct fake *f, unsigned slot, unsigned port, bool bsr)
{
	ictx_address(f, port, xhci_port_is_usb3(f->x, port) ? 512 : 64);
	return cmd(f, G_ICTX, 0,
		   T(ADDRESS_DEVICE) | SLOT(slot) | (bsr ? TRB_BSR : 0));
}

#define DCI_OUT 2u  /* bulk OUT 1 */
#define DCI_IN 3u   /* bulk IN 1 */
#define DCI_INTR 5u /* interrupt IN 2 */
#define BULK_MPS 512u

MAYBE unsigned configure(struct fake *f, unsigned slot)
{
	ictx_clear(f, 0, 1u | 1u << DCI_OUT | 1u << DCI_IN | 1u << DCI_INTR);
	put32(f, ictx(f, 1, 0), DCI_INTR << 27);
	ictx_ep(f, DCI_OUT, EPT_BULK_OUT, BULK_MPS, G_RING(DCI_OUT));
	ictx_ep(f, DCI_IN, EPT_BULK_IN, BULK_MPS, G_RING(DCI_IN));
	ictx_ep(f, DCI_INTR, EPT_INTR_IN, 64, G_RING(DCI_INTR));
	return cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(slot));
}

/* Running, slot 1 configured, its device on @port, no events left. */
MAYBE struct fake *fake_ready(unsigned port)
{
	struct fake *f = fake_new();

	start(f);
	port_up(f, port);
	assert_int_equal(slot_new(f), 1);
	assert_int_equal(address(f, 1, port, false), CC_SUCCESS);
	assert_int_equal(configure(f, 1), CC_SUCCESS);
	ev_forget(f);
	return f;
}

MAYBE void ring_db(struct fake *f, unsigned slot, unsigned dci)
{
	wr(f, OFF_DB + 4 * slot, dci);
	run(f);
}

MAYBE unsigned stop_ep(struct fake *f, unsigned slot, unsigned dci)
{
	return cmd(f, 0, 0, T(STOP_EP) | SLOT(slot) | EP(dci));
}

/* The n-th transfer event seen, or NULL. */
MAYBE struct xhci_trb *xfer_event(struct fake *f, unsigned n)
{
	run(f);
	ev_drain(f, 0);
	for (unsigned i = 0; i < f->nseen; i++)
		if (EV_TYPE(&f->seen[i]) == TRB_EV_TRANSFER && n-- == 0)
			return &f->seen[i];
	return NULL;
}

MAYBE unsigned xfer_events(struct fake *f)
{
	unsigned n = 0;

	while (xfer_event(f, n))
		n++;
	return n;
}

MAYBE void assert_event(const struct xhci_trb *e, uint64_t ptr, unsigned cc,
			uint32_t len)
{
	assert_non_null(e);
	assert_int_equal(e->param, ptr);
	assert_int_equal(EV_CC(e), cc);
	assert_int_equal(EV_LEN(e), len);
}

#endif
