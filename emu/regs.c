/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * regs.c - the register space, xHCI 1.2 §5: which bytes are which register.
 * What a register does is written by the file that owns its state.
 */
#include "emu/core.h"

struct reg {
	const char *name;
	uint32_t off;
	uint32_t reset; /* value where read is NULL */
	uint32_t (*read)(struct xhci *x);
	void (*write)(struct xhci *x, uint32_t v);
};

static uint32_t hcsparams1(struct xhci *x)
{
	return XHCI_MAX_SLOTS | XHCI_NINTRS << 8 | (uint32_t)x->nports << 24;
}

static uint32_t hcsparams2(struct xhci *x)
{
	/* IST: 1 microframe; Max Scratchpad Bufs Lo, SPR=0 */
	return 1u | ERST_MAX_LOG2 << 4 | (uint32_t)x->cfg.scratchpads << 27;
}

/*
 * CFC=0: a driver that may name the frame of every isochronous TD reads MFINDEX
 * for each, which is a trip to this process and back a packet. Without it the
 * first TD has a Frame ID at most, and SIA says the rest (§4.11.2.5); frames
 * that are named all the same are kept to.
 */
static uint32_t hccparams1(struct xhci *x)
{
	return HCC1_AC64 | HCC1_BNC | (x->cfg.ctx64 ? HCC1_CSZ : 0) | HCC1_PPC |
	       HCC1_LHRC | HCC1_LTC | HCC1_PAE | HCC1_SPC | HCC1_SEC |
	       MAXPSA << HCC1_MAXPSA_SHIFT | (OFF_XECP / 4) << 16;
}

static const struct reg cap_regs[] = {
	{"CAPLENGTH", 0x00, CAP_LENGTH | HCIVERSION << 16, NULL, NULL},
	{"HCSPARAMS1", CAP_HCSPARAMS1, 0, hcsparams1, NULL},
	{"HCSPARAMS2", CAP_HCSPARAMS2, 0, hcsparams2, NULL},
	{"HCSPARAMS3", CAP_HCSPARAMS3, 0, NULL, NULL},
	{"HCCPARAMS1", CAP_HCCPARAMS1, 0, hccparams1, NULL},
	{"DBOFF", CAP_DBOFF, OFF_DB, NULL, NULL},
	{"RTSOFF", CAP_RTSOFF, OFF_RT, NULL, NULL},
	/* contexts in memory are always as ours are: FSC */
	{"HCCPARAMS2", CAP_HCCPARAMS2,
	 HCC2_U3C | HCC2_CMC | HCC2_FSC | HCC2_LEC, NULL, NULL},
};

static uint32_t usbcmd_read(struct xhci *x)
{
	return x->usbcmd;
}

static uint32_t usbsts_read(struct xhci *x)
{
	return x->usbsts;
}

static uint32_t dnctrl_read(struct xhci *x)
{
	return x->dnctrl;
}

static void dnctrl_write(struct xhci *x, uint32_t v)
{
	x->dnctrl = v & 0xffff;
}

static uint32_t crcr_lo_read(struct xhci *x)
{
	return command_crcr_read(x);
}

static void crcr_lo_write(struct xhci *x, uint32_t v)
{
	command_crcr_write(x, false, v);
}

static void crcr_hi_write(struct xhci *x, uint32_t v)
{
	command_crcr_write(x, true, v);
}

static uint32_t dcbaap_lo_read(struct xhci *x)
{
	return (uint32_t)x->dcbaap;
}

static uint32_t dcbaap_hi_read(struct xhci *x)
{
	return (uint32_t)(x->dcbaap >> 32);
}

static void dcbaap_lo_write(struct xhci *x, uint32_t v)
{
	x->dcbaap = (x->dcbaap & ~(uint64_t)0xffffffff) | (v & ~0x3fu);
}

static void dcbaap_hi_write(struct xhci *x, uint32_t v)
{
	x->dcbaap = (x->dcbaap & 0xffffffff) | (uint64_t)v << 32;
}

static uint32_t config_read(struct xhci *x)
{
	return x->config;
}

static void config_write(struct xhci *x, uint32_t v)
{
	/* MaxSlotsEn only changes while halted, §5.4.7 */
	if (!xhci_running(x))
		x->config = v & (CONFIG_SLOTS | CONFIG_U3E);
}

static const struct reg op_regs[] = {
	{"USBCMD", OP_USBCMD, 0, usbcmd_read, usbcmd_write},
	{"USBSTS", OP_USBSTS, 0, usbsts_read, usbsts_write},
	{"PAGESIZE", OP_PAGESIZE, 1, NULL, NULL},
	{"DNCTRL", OP_DNCTRL, 0, dnctrl_read, dnctrl_write},
	{"CRCR", OP_CRCR, 0, crcr_lo_read, crcr_lo_write},
	{"CRCR_HI", OP_CRCR + 4, 0, NULL, crcr_hi_write},
	{"DCBAAP", OP_DCBAAP, 0, dcbaap_lo_read, dcbaap_lo_write},
	{"DCBAAP_HI", OP_DCBAAP + 4, 0, dcbaap_hi_read, dcbaap_hi_write},
	{"CONFIG", OP_CONFIG, 0, config_read, config_write},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct reg *reg_find(const struct reg *tab, size_t n, uint32_t off)
{
	for (size_t i = 0; i < n; i++)
		if (tab[i].off == off)
			return &tab[i];
	return NULL;
}

static uint32_t reg_read(struct xhci *x, const struct reg *r)
{
	if (!r)
		return 0;
	return r->read ? r->read(x) : r->reset;
}

/* §7.2.2.1: speed id, Gb/s, full duplex, SuperSpeedPlus or not, how many */
#define PSI(id, plus, gbps)                                            \
	((uint32_t)(id) | 3u << 4 | 1u << 8 | (uint32_t)(plus) << 14 | \
	 (uint32_t)(gbps) << 16)

/* §7.1 USB Legacy Support, §7.2 Supported Protocol: USB 2.0 and USB 3.2 */
static uint32_t xecp_read(struct xhci *x, uint32_t off)
{
	uint32_t p2 = x->cfg.usb2_ports, p3 = x->cfg.usb3_ports;

	switch (off) {
	case 0x00: /* USBLEGSUP, next at +0x10 */
		return x->legsup | 4u << 8 | 1u;
	case 0x04: /* USBLEGCTLSTS: no SMIs */
		return 0;
	case 0x10: /* USB 2.0, next at +0x20 */
		return 0x02000002u | (p3 ? 8u << 8 : 0);
	case 0x14:
	case 0x34:
		return 0x20425355u; /* "USB " */
	case 0x18:                  /* PSIC 0: default speed IDs; HLC 0 */
		return 1u | p2 << 8;
	case 0x30: /* USB 3.2, last */
		return p3 ? 0x03200002u : 0;
	case 0x38: /* PSIC 4 */
		return p3 ? (p2 + 1) | p3 << 8 | 4u << 28 : 0;
	case 0x40: /* table 7-13: Gen 1x1, Gen 2x1, Gen 1x2, Gen 2x2 */
		return p3 ? PSI(USB_SPEED_SUPER, 0, 5) : 0;
	case 0x44:
		return p3 ? PSI(USB_SPEED_SUPER_PLUS, 1, 10) : 0;
	case 0x48:
		return p3 ? PSI(USB_SPEED_SUPER_BY2, 1, 10) : 0;
	case 0x4c:
		return p3 ? PSI(USB_SPEED_SUPER_PLUS_BY2, 1, 20) : 0;
	default:
		return 0;
	}
}

static void xecp_write(struct xhci *x, uint32_t off, uint32_t v)
{
	if (off == 0) {
		/* the BIOS, if there was one, has let go at once */
		x->legsup = v & LEGSUP_OS;
		if (!(v & LEGSUP_OS))
			x->legsup |= v & LEGSUP_BIOS;
	}
}

static uint32_t port_reg_read(struct xhci *x, uint32_t off)
{
	const struct xhci_port *p = &x->port[off / 16];

	if (off / 16 >= x->nports)
		return 0;
	switch (off % 16) {
	case 0:
		return portsc_read(p);
	case 4:
		return p->portpmsc;
	case 8:
		return portli_read(p);
	default:
		return p->porthlpmc;
	}
}

static void port_reg_write(struct xhci *x, uint32_t off, uint32_t v)
{
	struct xhci_port *p = &x->port[off / 16];

	if (off / 16 >= x->nports)
		return;
	switch (off % 16) {
	case 0:
		portsc_write(x, p, v);
		break;
	case 4:
		portpmsc_write(x, p, v);
		break;
	case 12:
		p->porthlpmc = p->usb3 ? 0 : v & 0x3fffu;
		break;
	default:
		break;
	}
}

#define PORTS_END (OFF_PORTS + 16u * XHCI_MAX_PORTS)
#define RT_END (OFF_RT + RT_IR0 + IR_SIZE * XHCI_NINTRS)
#define DB_END (OFF_DB + 4u * 256u)

uint32_t regs_read32(struct xhci *x, uint32_t off)
{
	if (off < OFF_OP)
		return reg_read(x, reg_find(cap_regs, COUNT(cap_regs), off));
	if (off < OFF_PORTS)
		return reg_read(
			x, reg_find(op_regs, COUNT(op_regs), off - OFF_OP));
	if (off < PORTS_END)
		return port_reg_read(x, off - OFF_PORTS);
	if (off >= OFF_XECP && off < OFF_RT)
		return xecp_read(x, off - OFF_XECP);
	if (off == OFF_RT + RT_MFINDEX)
		return (uint32_t)mfindex_now(x) & 0x3fff;
	if (off >= OFF_RT + RT_IR0 && off < RT_END) {
		off -= OFF_RT + RT_IR0;
		return intr_reg_read(x, off / IR_SIZE, off % IR_SIZE);
	}
	return 0; /* doorbells read as 0, §5.6 */
}

static void doorbell_write(struct xhci *x, uint32_t n, uint32_t v)
{
	struct xhci_slot *s;
	unsigned dci = v & 0xff;

	if (!xhci_running(x) || x->resetting || !x->bus_master)
		return;
	if (n == 0) {
		if (dci == 0)
			command_doorbell(x);
		return;
	}
	s = slot_get(x, n);
	if (s && dci > 0 && dci < NDCI && s->ep[dci])
		ep_doorbell(s->ep[dci], v >> 16);
}

void regs_write32(struct xhci *x, uint32_t off, uint32_t v)
{
	const struct reg *r;

	if (off >= OFF_DB && off < DB_END) {
		doorbell_write(x, (off - OFF_DB) / 4, v);
	} else if (off >= OFF_RT + RT_IR0 && off < RT_END) {
		off -= OFF_RT + RT_IR0;
		intr_reg_write(x, off / IR_SIZE, off % IR_SIZE, v);
	} else if (off >= OFF_OP && off < OFF_PORTS) {
		r = reg_find(op_regs, COUNT(op_regs), off - OFF_OP);
		if (r && r->write)
			r->write(x, v);
	} else if (off >= OFF_PORTS && off < PORTS_END) {
		port_reg_write(x, off - OFF_PORTS, v);
	} else if (off >= OFF_XECP && off < OFF_RT) {
		xecp_write(x, off - OFF_XECP, v);
	}
}

static bool access_ok(uint32_t off, unsigned size)
{
	return size - 1 < 8 && (size & (size - 1)) == 0 &&
	       (off & (size - 1)) == 0 && off < XHCI_MMIO_SIZE;
}

static uint64_t mmio_read(struct xhci *x, uint32_t off, unsigned size)
{
	uint64_t v;

	if (!access_ok(off, size))
		return 0;
	if (size == 8)
		return regs_read32(x, off) | (uint64_t)regs_read32(x, off + 4)
						     << 32;
	v = regs_read32(x, off & ~3u) >> (off & 3) * 8;
	return size == 4 ? v : v & ((1u << size * 8) - 1);
}

static COLD uint64_t read_tapped(struct xhci *x, uint32_t off, unsigned size)
{
	uint64_t v;

	TAP(x, XHCI_TAP_MMIO_READ, off, size);
	v = mmio_read(x, off, size);
	TAP(x, XHCI_TAP_RETURN, v);
	return v;
}

uint64_t xhci_mmio_read(struct xhci *x, uint32_t off, unsigned size)
{
	return TAPPED(x) ? read_tapped(x, off, size) : mmio_read(x, off, size);
}

static void mmio_write(struct xhci *x, uint32_t off, unsigned size, uint64_t v)
{
	uint32_t mask, old;

	if (!access_ok(off, size))
		return;
	if (size == 4) {
		regs_write32(x, off, (uint32_t)v);
	} else if (size == 8) {
		regs_write32(x, off, (uint32_t)v);
		regs_write32(x, off + 4, (uint32_t)(v >> 32));
	} else if (off >= OFF_XECP && off < OFF_RT) {
		/* semaphores are written as bytes too, §7.1.1 */
		mask = ((1u << size * 8) - 1) << (off & 3) * 8;
		old = regs_read32(x, off & ~3u);
		regs_write32(x, off & ~3u,
			     (old & ~mask) |
				     ((uint32_t)v << (off & 3) * 8 & mask));
	}
	/* smaller writes to other registers are not allowed: ignored, §5.1 */
}

static COLD void write_tapped(struct xhci *x, uint32_t off, unsigned size,
			      uint64_t v)
{
	TAP(x, XHCI_TAP_MMIO_WRITE, off, size, v);
	mmio_write(x, off, size, v);
}

void xhci_mmio_write(struct xhci *x, uint32_t off, unsigned size, uint64_t v)
{
	if (TAPPED(x))
		write_tapped(x, off, size, v);
	else
		mmio_write(x, off, size, v);
}
