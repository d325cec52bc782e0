/* SPDX-License-Identifier: BSD-2-Clause */
/* vmm_pci_fake.h - who owns a PCI function, and counts what it is told. */
#ifndef TESTS_VMM_PCI_FAKE_H
#define TESTS_VMM_PCI_FAKE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/pci.h"

#define MAYBE __attribute__((unused)) static

#define COMMAND 0x04
#define PMCSR 0x44
#define MSIX_CONTROL 0x52

/* What the function told. */
struct host {
	unsigned fired[PCI_MSIX_VECTORS];
	int enable, master; /* -1: not told */
	unsigned told;
	/* of a function that has more */
	enum pci_intr mode;
	bool level;
	unsigned edges, pmes, nmsi;
	uint64_t addr;
	uint32_t data;
};

MAYBE void on_msix(void *host, unsigned vector)
{
	struct host *h = host;

	assert_true(vector < PCI_MSIX_VECTORS);
	h->fired[vector]++;
}

MAYBE void on_enable(void *host, enum pci_intr mode)
{
	struct host *h = host;

	h->enable = mode == PCI_INTR_MSG;
	h->mode = mode;
	h->told++;
}

MAYBE void on_master(void *host, bool on)
{
	struct host *h = host;

	h->master = on;
	h->told++;
}

static const struct pci_ops ops = {
	.msix = on_msix,
	.intr_mode = on_enable,
	.bus_master = on_master,
};

MAYBE void begin(struct pci_fn *f, struct host *h)
{
	*h = (struct host){.enable = -1, .master = -1};
	pci_init(f, 0x1b36, 0x000d, &ops, h);
	assert_int_equal(h->told, 0);
}

#endif
