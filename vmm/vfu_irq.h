/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfu_irq.h - the vectors of a vfio-user device, MSI-X and MSI: the eventfds a
 * client gave, and what is owed to vectors that have none yet.
 *
 * All functions run on the controller's thread.
 */
#ifndef VMM_VFU_IRQ_H
#define VMM_VFU_IRQ_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/vfu_msg.h"
#include "vmm/vxhci.h"

/*
 * A vector that is raised while it has no eventfd is latched, and fires when
 * it gets one: QEMU disables and arms all vectors anew when the guest begins
 * to use another one, and probes with a vector that has no descriptor; an
 * interrupt raised meanwhile would be lost, as the guest knows nothing of it.
 */
struct vfu_irq {
	int fd[VXHCI_VECTORS]; /* MSI-X: owned; -1: none */
	int msi[VXHCI_VECTORS]; /* the same, MSI: if there are any, these count */
	unsigned nmsi;          /* MSI: 1 + the last that has one */
	bool has_msi;           /* the device has that capability */
	bool latched[VXHCI_VECTORS];
};

void vfu_irq_init(struct vfu_irq *q);
/* Close every eventfd and forget what is latched: the client left. */
void vfu_irq_clear(struct vfu_irq *q);
/* Forget what is latched, keep the eventfds: the device was reset. */
void vfu_irq_reset(struct vfu_irq *q);

/*
 * Vector @vector fires. With MSI there may be fewer: they are shared (modulo).
 * Never blocks. Out of range is ignored.
 */
void vfu_irq_raise(struct vfu_irq *q, unsigned vector);

/*
 * vfu_irq_set - carry out SET_IRQS @req (checked) with @nfds descriptors at
 * @fds. One that is kept is replaced by -1 there. Nothing has changed when it
 * fails: -EINVAL (vectors out of range, a number of descriptors that is
 * neither none nor one a vector, masking, which the client does itself).
 */
int vfu_irq_set(struct vfu_irq *q, const struct vfu_req *req, int *fds,
		unsigned nfds);

#endif
