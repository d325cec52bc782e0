/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fake.h - a bhyve of few lines around vmm/bhyve/: guest memory below and
 * above 4 GiB, configuration space with an MSI-X capability as bhyve makes it,
 * a table of vectors, a console. One machine at a time: bhyve's console has
 * no argument that says whose it is.
 */
#ifndef TESTS_BHYVE_FAKE_H
#define TESTS_BHYVE_FAKE_H

#include <pthread.h>
#include <stdatomic.h>

#include "bhyvegc.h"
#include "console.h"
#include "pci_emul.h"
#include "tests/lib/gdrv.h"

#define FAKE_LOWMEM (8u << 20)
#define FAKE_HIGHMEM (4u << 20)
#define FAKE_HIGHMEM_GPA 0x100000000ull
#define FAKE_VECTORS 16u

struct nvlist {
	char options[256]; /* the one value there is; "": none */
};

struct vmctx {
	struct pci_devinst pi;
	struct nvlist nvl;
	struct guestmem gm;
	struct {
		enum pcibar_type type;
		uint64_t size;
	} bar[6];
	struct msix_table_entry table[FAKE_VECTORS];
	int nvectors;
	int fail_bar; /* this one cannot be had; -1: all can */
	atomic_uint sent[FAKE_VECTORS];
	char line[512]; /* the last of EPRINTLN() */
	ptr_event_func_t pointer;
	void *pointer_arg;
	int pointer_priority;
	struct bhyvegc_image image; /* .width 0: there is no screen */
};

/* The device model that vmm/bhyve/ gives bhyve */
extern const struct pci_devemu *const bhyve_devemu;

/*
 * A machine, without devices, that is the one now. fake_init() with -s
 * 30,xhci,@options, or without options (NULL); what pe_init() returned.
 */
void fake_new(struct vmctx *ctx);
int fake_init(struct vmctx *ctx, const char *options);
void fake_free(struct vmctx *ctx);

/*
 * Suspend it: what bhyve writes into files, but for the guest's memory, which
 * stays. The device model is gone then, as its process is. fake_restart() is
 * another process, with that memory. Both return what the device model did, an
 * errno, positive.
 */
struct fake_state {
	unsigned char cfgdata[256];
	struct msix_table_entry table[FAKE_VECTORS];
	int enabled, function_mask;
	uint8_t buf[1u << 20];
	size_t len;
};
int fake_suspend(struct vmctx *ctx, struct fake_state *ret);
int fake_restart(struct vmctx *ctx, const char *options,
		 struct fake_state *state);
/* Its process ends, as after fake_suspend(). */
void fake_end(struct vmctx *ctx);

/* What the guest does */
void fake_cfgwrite(struct vmctx *ctx, int offset, int bytes, uint32_t val);
uint32_t fake_msix_cap(struct vmctx *ctx);
void fake_msix(struct vmctx *ctx, bool enable, bool function_mask);
/* Entry @vector of the table, at once through the BAR */
void fake_route(struct vmctx *ctx, unsigned vector, bool masked);
/* For struct gdrv: BAR 0 by pe_barread() and pe_barwrite() */
extern const struct gdrv_bus fake_bus;

#endif
