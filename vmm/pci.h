/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pci.h - the PCI function an xHCI is: its configuration space, interrupt pin,
 * MSI, MSI-X table and pending bits. It knows no controller: what a write means
 * is told through struct pci_ops.
 *
 * Not thread safe: the owner's mutex covers it.
 */
#ifndef VMM_PCI_H
#define VMM_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PCI_CFG_SIZE 256u
#define PCI_MSIX_VECTORS 8u
#define PCI_BAR0_SIZE 0x8000u
#define PCI_MSIX_TABLE 0x4000u /* in BAR 0: a page of its own, */
#define PCI_MSIX_PBA 0x5000u   /* and another, so that clients can trap it */

/* How the guest has interrupts sent. */
enum pci_intr { PCI_INTR_NONE, PCI_INTR_PIN, PCI_INTR_MSG };

/*
 * Told of changes only. None may call back. The function has a pin, MSI, and
 * PME, where there is somebody to be told: intx, msi and pme may be NULL.
 */
struct pci_ops {
	/* Send the message of MSI-X vector @vector. */
	void (*msix)(void *host, unsigned vector);
	/* Send this message (MSI). */
	void (*msi)(void *host, uint64_t addr, uint32_t data);
	/* The level of INTA. */
	void (*intx)(void *host, bool level);
	/* PME# is asserted: the guest wants to be woken. */
	void (*pme)(void *host);
	/* Which way interrupts go now. */
	void (*intr_mode)(void *host, enum pci_intr mode);
	/* The function may (not) touch guest memory. */
	void (*bus_master)(void *host, bool on);
};

/* One entry of the MSI-X table, PCIe 5.0 §7.7.2 */
struct pci_vector {
	uint64_t addr;
	uint32_t data;
	uint32_t control; /* bit 0: masked */
};

struct pci_fn {
	uint8_t cfg[PCI_CFG_SIZE];
	uint8_t wmask[PCI_CFG_SIZE]; /* bits a guest may write */
	uint16_t vendor, device;
	struct pci_vector vector[PCI_MSIX_VECTORS];
	uint32_t pending;     /* a bit a vector */
	bool external;        /* the client keeps the MSI-X table, and */
	bool external_enable; /* says whether MSI-X is on */
	bool d3;              /* power state D3hot */
	bool pin;             /* what the controller's pin says */
	bool pme_status;
	uint8_t told_mode;            /* enum pci_intr: what the ops know */
	bool told_master, told_level; /* the same */
	const struct pci_ops *ops;    /* borrowed */
	void *host;                   /* borrowed */
};

/* The state after reset, with these ids. */
void pci_init(struct pci_fn *f, uint16_t vendor, uint16_t device,
	      const struct pci_ops *ops, void *host);
/*
 * pci_reset - a function level reset: every register as after pci_init(). A
 * client that keeps the MSI-X table keeps its state too.
 */
void pci_reset(struct pci_fn *f);

/*
 * Configuration space; @size 1, 2 or 4. What lies outside, and other sizes,
 * read as 0 and write nothing.
 */
uint32_t pci_cfg_read(const struct pci_fn *f, uint32_t off, unsigned size);
void pci_cfg_write(struct pci_fn *f, uint32_t off, unsigned size, uint32_t val);

/*
 * BAR 0 from PCI_MSIX_TABLE on: MSI-X table and pending bits. Aligned accesses
 * of 4 or 8 bytes as PCIe 5.0 §7.7.2 demands; reads of 1 and 2 bytes work too.
 */
uint64_t pci_msix_read(const struct pci_fn *f, uint32_t off, unsigned size);
void pci_msix_write(struct pci_fn *f, uint32_t off, unsigned size,
		    uint64_t val);
/* D3hot: accesses to BAR 0 are unsupported requests, PCIe 5.0 §5.3.1.4.1 */
bool pci_bar_off(const struct pci_fn *f);

/*
 * Vector @vector signals: sent, left pending while it cannot be, or lost (off).
 * With MSI there may be fewer vectors: they are shared (modulo).
 */
void pci_msg_fire(struct pci_fn *f, unsigned vector);
/* The controller's interrupt pin changes its level. */
void pci_pin(struct pci_fn *f, bool level);
/* Something happened that software may want to be woken for. */
void pci_pme(struct pci_fn *f);
/*
 * pci_snap - the state to @s or from it, where what is read has been made with
 * the same ids and ops; what cannot be written by a guest is not taken. An
 * external client has told before what it keeps. Nothing is told to the ops
 * before pci_restored().
 */
struct snap;
void pci_snap(struct pci_fn *f, struct snap *s);
void pci_restored(struct pci_fn *f);
/* See vxhci_msix_external(). */
void pci_msix_external(struct pci_fn *f, bool on);
/* See vxhci_msix_entry(). */
int pci_msix_entry(const struct pci_fn *f, unsigned vector, uint64_t *ret_addr,
		   uint32_t *ret_data, bool *ret_masked);

#endif
