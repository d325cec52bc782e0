/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pci_emul.h - of bhyve's header of this name, what vmm/bhyve/ uses: the names,
 * types and argument orders of FreeBSD 14. Of structures only the members that
 * are used, so this is for tests alone.
 */
#ifndef TESTS_BHYVE_PCI_EMUL_H
#define TESTS_BHYVE_PCI_EMUL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "config.h"

struct vmctx;
struct vm_snapshot_meta;
struct pci_devinst;

struct pci_devemu {
	const char *pe_emu;
	int (*pe_init)(struct pci_devinst *, nvlist_t *);
	int (*pe_legacy_config)(nvlist_t *, const char *);
	int (*pe_cfgwrite)(struct pci_devinst *pi, int offset, int bytes,
			   uint32_t val);
	int (*pe_cfgread)(struct pci_devinst *pi, int offset, int bytes,
			  uint32_t *retval);
	void (*pe_barwrite)(struct pci_devinst *pi, int baridx, uint64_t offset,
			    int size, uint64_t value);
	uint64_t (*pe_barread)(struct pci_devinst *pi, int baridx,
			       uint64_t offset, int size);
	int (*pe_snapshot)(struct vm_snapshot_meta *meta);
	int (*pe_pause)(struct pci_devinst *pi);
	int (*pe_resume)(struct pci_devinst *pi);
};

/* bhyve finds them in a linker set */
#define PCI_EMUL_SET(x)                                     \
	extern const struct pci_devemu *const bhyve_devemu; \
	const struct pci_devemu *const bhyve_devemu = &(x)

enum pcibar_type {
	PCIBAR_NONE,
	PCIBAR_IO,
	PCIBAR_MEM32,
	PCIBAR_MEM64,
	PCIBAR_MEMHI64,
	PCIBAR_ROM,
};

struct msix_table_entry {
	uint64_t addr;
	uint32_t msg_data;
	uint32_t vector_control;
};

struct pci_devinst {
	struct vmctx *pi_vmctx;
	uint8_t pi_bus, pi_slot, pi_func;
	struct {
		int enabled;
		int table_bar;
		int function_mask;
		struct msix_table_entry *table;
	} pi_msix;
	void *pi_arg;
	unsigned char pi_cfgdata[256];
};

int pci_emul_alloc_bar(struct pci_devinst *pdi, int idx, enum pcibar_type type,
		       uint64_t size);
int pci_emul_add_msixcap(struct pci_devinst *pi, int msgnum, int barnum);
int pci_emul_msix_twrite(struct pci_devinst *pi, uint64_t offset, int size,
			 uint64_t value);
uint64_t pci_emul_msix_tread(struct pci_devinst *pi, uint64_t offset, int size);
void pci_generate_msix(struct pci_devinst *pi, int msgnum);
void *paddr_guest2host(struct vmctx *ctx, uintptr_t addr, size_t len);

static inline void pci_set_cfgdata8(struct pci_devinst *pi, int offset,
				    uint8_t val)
{
	pi->pi_cfgdata[offset] = val;
}

static inline void pci_set_cfgdata16(struct pci_devinst *pi, int offset,
				     uint16_t val)
{
	memcpy(pi->pi_cfgdata + offset, &val, sizeof(val));
}

static inline uint16_t pci_get_cfgdata16(struct pci_devinst *pi, int offset)
{
	uint16_t val;

	memcpy(&val, pi->pi_cfgdata + offset, sizeof(val));
	return val;
}

static inline uint8_t pci_get_cfgdata8(struct pci_devinst *pi, int offset)
{
	return pi->pi_cfgdata[offset];
}

#endif
