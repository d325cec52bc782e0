/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gdrv_vx.h - the access layer over vmm/vxhci.h: the library as a VMM links
 * it, PCI function, devices and worker thread included, in real time.
 */
#ifndef TESTS_LIB_GDRV_VX_H
#define TESTS_LIB_GDRV_VX_H

#include <pthread.h>
#include <stdatomic.h>

#include "tests/lib/gdrv.h"
#include "vmm/vxhci.h"

struct gdrv_vx {
	struct vxhci *v;             /* owned */
	struct vxhci_record *record; /* owned; NULL: it is not recorded */
	struct guestmem *gm;         /* borrowed */
	_Atomic uint64_t msgs[VXHCI_VECTORS];
	atomic_uint released; /* calls of mem_released() */
	atomic_int watched;   /* a descriptor is: it is always looked at */
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool woken;
	bool virtual_time; /* the clock moves only in advance() */
	uint64_t now;      /* then: nanoseconds */
	char err[256];     /* vxhci_create()'s line */
};

extern const struct gdrv_bus gdrv_vx_bus;

/*
 * A controller from @slot_option, with all of @gm mapped, memory and bus
 * mastering on, MSI-X on. 0 or what vxhci_create() returned.
 */
int gdrv_vx_init(struct gdrv_vx *e, struct guestmem *gm,
		 const char *slot_option);
/* The same, and the controller works on a thread of its own too. */
int gdrv_vx_init_own(struct gdrv_vx *e, struct guestmem *gm,
		     const char *slot_option);
/*
 * The same on a virtual clock: for devices that have no worker, time passes as
 * fast as they can use it.
 */
int gdrv_vx_init_virtual(struct gdrv_vx *e, struct guestmem *gm,
			 const char *slot_option);
void gdrv_vx_fini(struct gdrv_vx *e);

#endif
