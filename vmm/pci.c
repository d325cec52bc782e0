/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pci.c - configuration space as a table of registers; MSI-X, MSI and the pin.
 */
#include "vmm/pci.h"

#include "emu/snap.h"

#include <errno.h>
#include <string.h>

#define COMMAND 0x04u
#define COMMAND_MASTER 0x0004u
#define COMMAND_INTX_OFF 0x0400u
#define STATUS 0x06u
#define STATUS_INTX 0x08u
#define INTERRUPT_PIN 0x3du
#define PM_CAP 0x40u
#define PMCSR 0x44u
#define PMCSR_STATE 0x03u
#define PMCSR_D3HOT 0x03u
#define PMCSR_PME_ENABLE 0x0100u
#define PMCSR_PME_STATUS 0x8000u
#define PMC_PME 0x4800u /* from D0 and D3hot */
#define MSIX_CAP 0x50u
#define MSIX_CONTROL 0x52u
#define MSIX_ENABLE 0x8000u
#define MSIX_FUNCTION_MASK 0x4000u
#define MSI_CAP 0x70u
#define MSI_CONTROL 0x72u
#define MSI_ADDR 0x74u
#define MSI_DATA 0x7cu
#define MSI_ENABLE 0x0001u
#define MSI_MME(c) (((c) >> 4) & 7u)
#define VECTOR_MASKED 1u

static void command_wrote(struct pci_fn *f);
static void pmcsr_wrote(struct pci_fn *f);
static void intr_wrote(struct pci_fn *f);

/* One register; those that read as 0 whatever is written have no row. */
struct reg {
	uint8_t off;
	uint8_t size;
	uint32_t reset;
	uint32_t wmask;
	void (*wrote)(struct pci_fn *f); /* after a write touched it */
};

static const struct reg regs[] = {
	/* PCI 3.0 §6.1; the ids come from the slot option */
	{COMMAND, 2, 0, 0x0406, command_wrote}, /* §6.2.2 memory space,
						   * bus master, INTx disable */
	{0x06, 2, 0x0010, 0, NULL},             /* §6.2.3 STATUS: capability
						   * list */
	{0x08, 1, 0x01, 0, NULL},               /* revision */
	{0x09, 3, 0x0c0330, 0, NULL}, /* xHCI 1.2 §5.2.1 class code */
	{0x0c, 1, 0, 0xff, NULL},     /* cache line size */
	{0x10, 4, 0x4, ~(PCI_BAR0_SIZE - 1), NULL}, /* §6.2.5.1 BAR 0: 64-bit
						       * memory */
	{0x14, 4, 0, 0xffffffff, NULL},             /* its upper half */
	{0x34, 1, PM_CAP, 0, NULL},                 /* capabilities pointer */
	{0x3c, 1, 0, 0xff, NULL}, /* interrupt line; the pin: add_optional() */
	/* PCI PM 1.2 §3.2: version 3, D0 and D3hot */
	{PM_CAP, 2, MSIX_CAP << 8 | 0x01, 0, NULL},
	{PM_CAP + 2, 2, 0x0003, 0, NULL},
	{PMCSR, 2, 0x0008, PMCSR_STATE, pmcsr_wrote}, /* no soft reset */
	/* PCIe 5.0 §7.7.2 */
	{MSIX_CAP, 2, 0x0011, 0, NULL},
	{MSIX_CONTROL, 2, PCI_MSIX_VECTORS - 1,
	 MSIX_ENABLE | MSIX_FUNCTION_MASK, intr_wrote},
	{MSIX_CAP + 4, 4, PCI_MSIX_TABLE, 0, NULL},
	{MSIX_CAP + 8, 4, PCI_MSIX_PBA, 0, NULL},
	{0x60, 1, 0x30, 0, NULL},    /* xHCI 1.2 §5.2.3 SBRN: USB 3.0 */
	{0x61, 1, 0x20, 0x3f, NULL}, /* §5.2.4 FLADJ */
};

#define NREGS (sizeof(regs) / sizeof(regs[0]))

static void put(uint8_t *p, unsigned size, uint32_t v)
{
	for (unsigned i = 0; i < size; i++)
		p[i] = (uint8_t)(v >> (8 * i));
}

static uint32_t get(const uint8_t *p, unsigned size)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (uint32_t)p[i] << (8 * i);
	return v;
}

static void update_master(struct pci_fn *f)
{
	bool on = (get(f->cfg + COMMAND, 2) & COMMAND_MASTER) && !f->d3;

	if (on == f->told_master)
		return;
	f->told_master = on;
	f->ops->bus_master(f->host, on);
}

static uint32_t msi_control(const struct pci_fn *f)
{
	return f->ops->msi ? get(f->cfg + MSI_CONTROL, 2) : 0;
}

static bool msix_enabled(const struct pci_fn *f)
{
	if (f->external)
		return f->external_enable;
	return (get(f->cfg + MSIX_CONTROL, 2) & MSIX_ENABLE) != 0;
}

static bool vector_masked(const struct pci_fn *f, unsigned vector)
{
	return (get(f->cfg + MSIX_CONTROL, 2) & MSIX_FUNCTION_MASK) ||
	       (f->vector[vector].control & VECTOR_MASKED);
}

/* A message is a memory write: without bus mastering it waits. */
static bool can_send(const struct pci_fn *f, unsigned vector)
{
	if (f->external)
		return true;
	return f->told_master && !(msix_enabled(f) && vector_masked(f, vector));
}

/*
 * PCI 3.0 §6.8.1.6: the low bits of data are the vector's. A client that keeps
 * the table knows which message a vector's is, be it of MSI-X or MSI.
 */
static void send(struct pci_fn *f, unsigned vector)
{
	unsigned n = 1u << MSI_MME(msi_control(f));

	if (f->external || msix_enabled(f)) {
		f->ops->msix(f->host, vector);
		return;
	}
	n = n > PCI_MSIX_VECTORS ? PCI_MSIX_VECTORS : n;
	f->ops->msi(f->host,
		    get(f->cfg + MSI_ADDR, 4) |
			    (uint64_t)get(f->cfg + MSI_ADDR + 4, 4) << 32,
		    (get(f->cfg + MSI_DATA, 2) & ~(n - 1)) | vector % n);
}

static void send_pending(struct pci_fn *f)
{
	if (f->told_mode != PCI_INTR_MSG)
		return;
	for (unsigned i = 0; i < PCI_MSIX_VECTORS; i++) {
		if (!(f->pending & (1u << i)) || !can_send(f, i))
			continue;
		f->pending &= ~(1u << i);
		send(f, i);
	}
}

/* PCI 3.0 §6.2.2, §6.2.3: Interrupt Disable, Interrupt Status */
static void update_pin(struct pci_fn *f)
{
	bool level = f->pin && f->told_mode == PCI_INTR_PIN;

	put(f->cfg + STATUS, 1,
	    (get(f->cfg + STATUS, 1) & ~STATUS_INTX) |
		    (level ? STATUS_INTX : 0));
	if (get(f->cfg + COMMAND, 2) & COMMAND_INTX_OFF)
		level = false;
	if (level == f->told_level)
		return;
	f->told_level = level;
	f->ops->intx(f->host, level);
}

/* Messages, where one of the capabilities is on; otherwise the pin, if any */
static void intr_wrote(struct pci_fn *f)
{
	enum pci_intr mode = f->ops->intx ? PCI_INTR_PIN : PCI_INTR_NONE;

	if (msix_enabled(f) || (msi_control(f) & MSI_ENABLE))
		mode = PCI_INTR_MSG;
	else if (f->external)
		mode = PCI_INTR_NONE;
	if (mode != f->told_mode) {
		f->told_mode = (uint8_t)mode;
		f->ops->intr_mode(f->host, mode);
	}
	update_pin(f);
	send_pending(f);
}

static void command_wrote(struct pci_fn *f)
{
	update_master(f);
	update_pin(f);
	send_pending(f);
}

/* PCI PM 1.2 §3.2.4: a state that is not there is written to no effect. */
static void pmcsr_wrote(struct pci_fn *f)
{
	uint32_t v = get(f->cfg + PMCSR, 2);

	if ((v & PMCSR_STATE) == PMCSR_D3HOT)
		f->d3 = true;
	else if ((v & PMCSR_STATE) == 0)
		f->d3 = false;
	v &= ~(PMCSR_STATE | PMCSR_PME_STATUS);
	put(f->cfg + PMCSR, 2,
	    v | (f->d3 ? PMCSR_D3HOT : 0) |
		    (f->pme_status ? PMCSR_PME_STATUS : 0));
	command_wrote(f);
}

/* What is there where the owner can do something with it */
static void add_optional(struct pci_fn *f)
{
	if (f->ops->intx)
		put(f->cfg + INTERRUPT_PIN, 1, 1); /* INTA */
	if (f->ops->pme) {
		put(f->cfg + PM_CAP + 2, 2, 0x0003 | PMC_PME);
		put(f->wmask + PMCSR, 2, PMCSR_STATE | PMCSR_PME_ENABLE);
	}
	if (!f->ops->msi)
		return;
	/* PCI 3.0 §6.8.1: 64-bit, eight vectors, behind MSI-X */
	put(f->cfg + MSIX_CAP, 2, MSI_CAP << 8 | 0x11);
	put(f->cfg + MSI_CAP, 2, 0x0005);
	put(f->cfg + MSI_CONTROL, 2, 0x0086);
	put(f->wmask + MSI_CONTROL, 2, 0x0071);
	put(f->wmask + MSI_ADDR, 4, ~3u);
	put(f->wmask + MSI_ADDR + 4, 4, ~0u);
	put(f->wmask + MSI_DATA, 2, 0xffff);
}

static void set_reset_values(struct pci_fn *f)
{
	memset(f->cfg, 0, sizeof(f->cfg));
	memset(f->wmask, 0, sizeof(f->wmask));
	for (size_t i = 0; i < NREGS; i++) {
		put(f->cfg + regs[i].off, regs[i].size, regs[i].reset);
		put(f->wmask + regs[i].off, regs[i].size, regs[i].wmask);
	}
	put(f->cfg + 0x00, 2, f->vendor);
	put(f->cfg + 0x02, 2, f->device);
	put(f->cfg + 0x2c, 2, f->vendor); /* §6.2.4 subsystem ids: the same */
	put(f->cfg + 0x2e, 2, f->device);
	for (unsigned i = 0; i < PCI_MSIX_VECTORS; i++)
		f->vector[i] = (struct pci_vector){.control = VECTOR_MASKED};
	add_optional(f);
	f->pending = 0;
	f->d3 = f->pme_status = false;
}

void pci_init(struct pci_fn *f, uint16_t vendor, uint16_t device,
	      const struct pci_ops *ops, void *host)
{
	*f = (struct pci_fn){
		.vendor = vendor, .device = device, .ops = ops, .host = host};
	set_reset_values(f);
	f->told_mode = ops->intx ? PCI_INTR_PIN : PCI_INTR_NONE;
}

void pci_reset(struct pci_fn *f)
{
	set_reset_values(f);
	update_master(f);
	intr_wrote(f);
}

uint32_t pci_cfg_read(const struct pci_fn *f, uint32_t off, unsigned size)
{
	if ((size != 1 && size != 2 && size != 4) || off > PCI_CFG_SIZE - size)
		return 0;
	return get(f->cfg + off, size);
}

void pci_cfg_write(struct pci_fn *f, uint32_t off, unsigned size, uint32_t val)
{
	if ((size != 1 && size != 2 && size != 4) || off > PCI_CFG_SIZE - size)
		return;
	/* PME_Status: written as 1 it is cleared */
	if (off <= PMCSR + 1 && off + size > PMCSR + 1 &&
	    val >> 8 * (PMCSR + 1 - off) & PMCSR_PME_STATUS >> 8)
		f->pme_status = false;
	for (uint32_t i = off; i < off + size; i++, val >>= 8)
		f->cfg[i] = (uint8_t)((f->cfg[i] & ~f->wmask[i]) |
				      (val & f->wmask[i]));
	for (size_t i = 0; i < NREGS; i++)
		if (regs[i].wrote != NULL && regs[i].off < off + size &&
		    off < regs[i].off + (uint32_t)regs[i].size)
			regs[i].wrote(f);
	if (off < MSI_DATA + 2 && off + size > MSI_CAP)
		intr_wrote(f);
}

/* The aligned dword of the MSI-X area at @off. */
static uint32_t msix_dword(const struct pci_fn *f, uint32_t off)
{
	const struct pci_vector *v;

	if (off == PCI_MSIX_PBA)
		return f->pending;
	if (off < PCI_MSIX_TABLE ||
	    off >= PCI_MSIX_TABLE + PCI_MSIX_VECTORS * 16)
		return 0;
	v = &f->vector[(off - PCI_MSIX_TABLE) / 16];
	switch (off & 0xc) {
	case 0x0:
		return (uint32_t)v->addr;
	case 0x4:
		return (uint32_t)(v->addr >> 32);
	case 0x8:
		return v->data;
	default:
		return v->control;
	}
}

uint64_t pci_msix_read(const struct pci_fn *f, uint32_t off, unsigned size)
{
	uint32_t v;

	if ((size != 1 && size != 2 && size != 4 && size != 8) ||
	    off % size != 0)
		return 0;
	v = msix_dword(f, off & ~3u);
	switch (size) {
	case 1:
		return (uint8_t)(v >> (8 * (off & 3)));
	case 2:
		return (uint16_t)(v >> (8 * (off & 3)));
	case 4:
		return v;
	default:
		return (uint64_t)msix_dword(f, off + 4) << 32 | v;
	}
}

static void msix_write_dword(struct pci_fn *f, uint32_t off, uint32_t val)
{
	struct pci_vector *v;

	if (off < PCI_MSIX_TABLE ||
	    off >= PCI_MSIX_TABLE + PCI_MSIX_VECTORS * 16)
		return; /* the pending bits are read only */
	v = &f->vector[(off - PCI_MSIX_TABLE) / 16];
	switch (off & 0xc) {
	case 0x0:
		v->addr = (v->addr & ~0xffffffffull) | (val & ~3u);
		break;
	case 0x4:
		v->addr = (v->addr & 0xffffffffull) | (uint64_t)val << 32;
		break;
	case 0x8:
		v->data = val;
		break;
	default:
		v->control = val & VECTOR_MASKED;
	}
}

void pci_msix_write(struct pci_fn *f, uint32_t off, unsigned size, uint64_t val)
{
	if ((size != 4 && size != 8) || off % size != 0)
		return;
	msix_write_dword(f, off, (uint32_t)val);
	if (size == 8)
		msix_write_dword(f, off + 4, (uint32_t)(val >> 32));
	send_pending(f);
}

bool pci_bar_off(const struct pci_fn *f)
{
	return f->d3;
}

void pci_msg_fire(struct pci_fn *f, unsigned vector)
{
	if (vector >= PCI_MSIX_VECTORS || f->told_mode != PCI_INTR_MSG)
		return;
	if (can_send(f, vector))
		send(f, vector);
	else
		f->pending |= 1u << vector;
}

void pci_pin(struct pci_fn *f, bool level)
{
	f->pin = level;
	update_pin(f);
}

/* xHCI 1.2 §4.23.1; the status is also for those who poll */
void pci_pme(struct pci_fn *f)
{
	if (!f->ops->pme || !f->d3)
		return;
	f->pme_status = true;
	put(f->cfg + PMCSR, 2, get(f->cfg + PMCSR, 2) | PMCSR_PME_STATUS);
	if (get(f->cfg + PMCSR, 2) & PMCSR_PME_ENABLE)
		f->ops->pme(f->host);
}

void pci_msix_external(struct pci_fn *f, bool on)
{
	f->external = true;
	f->external_enable = on;
	intr_wrote(f);
}

int pci_msix_entry(const struct pci_fn *f, unsigned vector, uint64_t *ret_addr,
		   uint32_t *ret_data, bool *ret_masked)
{
	if (vector >= PCI_MSIX_VECTORS)
		return -EINVAL;
	*ret_addr = f->vector[vector].addr;
	*ret_data = f->vector[vector].data;
	*ret_masked = vector_masked(f, vector);
	return 0;
}

void pci_snap(struct pci_fn *f, struct snap *s)
{
	uint8_t cfg[PCI_CFG_SIZE];

	snap_same(s, f->vendor);
	snap_same(s, f->device);
	snap_same(s, f->ops->intx != NULL);
	snap_same(s, f->ops->msi != NULL);
	snap_same(s, f->ops->pme != NULL);
	memcpy(cfg, f->cfg, sizeof(cfg));
	snap_bytes(s, cfg, sizeof(cfg));
	for (unsigned i = 0; i < PCI_CFG_SIZE && !s->err; i++)
		f->cfg[i] = (uint8_t)((f->cfg[i] & ~f->wmask[i]) |
				      (cfg[i] & f->wmask[i]));
	for (unsigned i = 0; i < PCI_MSIX_VECTORS; i++) {
		SNAP(s, f->vector[i].addr);
		SNAP(s, f->vector[i].data);
		SNAP_MAX(s, f->vector[i].control, VECTOR_MASKED);
		snap_check(s, f->vector[i].addr % 4 == 0);
	}
	SNAP_MAX(s, f->pending, (1u << PCI_MSIX_VECTORS) - 1);
	SNAP_BOOL(s, f->d3);
	SNAP_BOOL(s, f->pme_status);
}

/* The power state is f->d3, whatever the register that was read says. */
void pci_restored(struct pci_fn *f)
{
	put(f->cfg + PMCSR, 2,
	    (get(f->cfg + PMCSR, 2) & ~PMCSR_STATE) |
		    (f->d3 ? PMCSR_D3HOT : 0));
	pmcsr_wrote(f);
	intr_wrote(f);
	f->ops->intr_mode(f->host, f->told_mode); /* the level is told anew */
}
