/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfu_rig.h - `vxhci serve` as a process with a disk in it, a vfio-user client
 * that shares guest memory with it, and the driver on top.
 */
#ifndef TESTS_BENCH_VFU_RIG_H
#define TESTS_BENCH_VFU_RIG_H

#include <sys/types.h>

#include "tests/lib/gdrv.h"
#include "tests/lib/vfu_client.h"

#define VFU_RIG_VECTORS 8u

struct vfu_rig {
	pid_t pid; /* of the server */
	char dir[64];
	struct guestmem gm;
	struct vc vc;
	struct vc_dev vdev;
	int irq[VFU_RIG_VECTORS]; /* event descriptors */
	uint64_t irqs[VFU_RIG_VECTORS];
	struct gdrv d;
	struct gdrv_dev *v; /* owned by d; addressed */
	uint64_t buf;       /* gpa of a page */
};

/* Start it with program @vxhci. 0, or -1 with a line on stderr. */
int vfu_rig_up(struct vfu_rig *g, const char *vxhci);
void vfu_rig_down(struct vfu_rig *g);
/* Wait for an interrupt on @vector; 0 or -1 after @ms. */
int vfu_rig_wait_irq(struct vfu_rig *g, unsigned vector, int ms);

#endif
