/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfu_dma.h - the client's guest memory, mapped into this process.
 *
 * Only memory that comes with a file descriptor: then no DMA is ever a
 * message to the client. All functions run on the controller's thread.
 */
#ifndef VMM_VFU_DMA_H
#define VMM_VFU_DMA_H

#include <stdint.h>

#include "vmm/vfu_msg.h"
#include "vmm/vxhci.h"

/* Mappings at most, those counted that transfers in flight still hold */
#define VFU_DMA_MAX 65535u

struct vfu_dma {
	uint32_t nmaps; /* not released yet */
};

/*
 * vfu_dma_map - carry out DMA_MAP @req: map @fd (borrowed; -1: none came) and
 * tell @v. Returns 0, or -EINVAL (no descriptor, not a file, not a multiple
 * of 4096, wraps around, behind the end of the file, where an access would be
 * a SIGBUS), -EEXIST (overlaps), -ENOSPC (too many), -errno of mmap(2).
 */
int vfu_dma_map(struct vfu_dma *d, struct vxhci *v, const struct vfu_req *req,
		int fd);
/* Carry out DMA_UNMAP. 0 or -ENOENT: not exactly what was mapped. */
int vfu_dma_unmap(struct vxhci *v, const struct vfu_req *req);
/* For vxhci_ops.mem_released: nothing points into the mapping any more. */
void vfu_dma_released(struct vfu_dma *d, void *cookie);

#endif
