/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfu_server.h - offers one controller over vfio-user: a listening socket, one
 * client at a time, the others wait in the backlog.
 *
 * All functions run on the loop's thread, or while no thread runs the loop.
 */
#ifndef VMM_VFU_SERVER_H
#define VMM_VFU_SERVER_H

#include <stdint.h>

#include "vmm/loop.h"
#include "vmm/vfu_dev.h"

struct vfu_server; /* opaque; vfu_server.c */

/*
 * vfu_server_create - serve @dev to who connects to @listen_fd, a listening
 * Unix stream socket, non-blocking, the caller's to close after
 * vfu_server_destroy(). All three are borrowed. Returns 0 or -errno.
 */
int vfu_server_create(struct loop *l, struct vfu_dev *dev, int listen_fd,
		      struct vfu_server **ret_s);
/* Send the client away (the controller is reset), free. NULL is allowed. */
void vfu_server_destroy(struct vfu_server *s);
/*
 * vfu_server_work - for the loop: messages that are left over from a turn, and
 * the controller's pending work. Returns when to call again, as the loop's
 * work() does.
 */
uint64_t vfu_server_work(struct vfu_server *s);

#endif
