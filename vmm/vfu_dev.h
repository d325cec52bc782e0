/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfu_dev.h - a controller as a vfio-user device: what each command does.
 *
 * Knows messages, not sockets: bytes in, bytes out. All functions run on the
 * controller's thread, vfu_dev_init() and vfu_dev_fini() before and after it.
 */
#ifndef VMM_VFU_DEV_H
#define VMM_VFU_DEV_H

#include <stdbool.h>
#include <sys/types.h>

#include "vmm/vfu_dma.h"
#include "vmm/vfu_irq.h"
#include "vmm/vfu_msg.h"
#include "vmm/vxhci.h"

/* The descriptors that came with one message. */
struct vfu_fds {
	int fd[VFU_MAX_FDS]; /* owned; -1: taken */
	unsigned n;
	bool truncated; /* there were more than VFU_MAX_FDS */
};
void vfu_fds_close(struct vfu_fds *f);

struct vfu_dev {
	struct vxhci *v; /* borrowed */
	struct vfu_irq irq;
	struct vfu_dma dma;
	uint64_t no_fd; /* DMA_MAPs without a descriptor, not unmapped yet */
	bool agreed;    /* VERSION was answered */
	bool msix;      /* the client gave vectors, of MSI-X or MSI */
	/* One line about what a client did; may be NULL. */
	void (*log)(void *arg, enum vxhci_log level, const char *line);
	void *log_arg;
};

/*
 * The controller's ops.msix must come to vfu_irq_raise(&d->irq), ops
 * .mem_released to vfu_dma_released(&d->dma). @v may be set later, before the
 * first message.
 */
void vfu_dev_init(struct vfu_dev *d, struct vxhci *v);

/*
 * vfu_dev_message - carry out the message of @have bytes at @msg (as for
 * vfu_msg_decode()) that came with @fds, and put the reply at @out, which has
 * room for VFU_REPLY_MAX bytes. Descriptors that are not taken stay in @fds.
 * Returns the size of the reply, 0 if there is none, or -EPROTO: there is no
 * talking to this client.
 */
ssize_t vfu_dev_message(struct vfu_dev *d, const uint8_t *msg, size_t have,
			struct vfu_fds *fds, uint8_t *out);
/*
 * vfu_dev_leave - the client is gone: reset the controller, drop its memory
 * and its eventfds, expect a VERSION next.
 */
void vfu_dev_leave(struct vfu_dev *d);

#endif
