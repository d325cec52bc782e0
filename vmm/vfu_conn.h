/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfu_conn.h - one vfio-user client's connection: messages in and replies out,
 * in batches, without ever blocking.
 *
 * Messages are taken in order, as many at a time as one recvmsg(2) brings, and
 * their replies leave in one sendmsg(2). A client that does not read its
 * replies is not read from either. Memory is bounded by the two buffers.
 */
#ifndef VMM_VFU_CONN_H
#define VMM_VFU_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/vfu_dev.h"
#include "vmm/vfu_proto.h"

#define VFU_IN_SIZE (2u * VFU_MSG_MAX)
#define VFU_OUT_SIZE (2u * VFU_REPLY_MAX)
/* Messages a turn: other work of the thread gets its share */
#define VFU_TURN_MESSAGES 256u

/*
 * Descriptors on their way to the message that starts at @at. Two sets are
 * enough: that of a message which began in an earlier recvmsg(2), and that of
 * the last one which began in this.
 */
struct vfu_conn_fds {
	uint64_t at;
	struct vfu_fds fds;
};

/* Positions are offsets in the stream from its beginning. */
struct vfu_conn {
	int fd;              /* owned */
	struct vfu_dev *dev; /* borrowed */
	uint64_t base;       /* of in[0] */
	uint64_t head;       /* of the first byte that was not handled */
	uint64_t tail;       /* of the byte that comes next */
	uint64_t last;       /* where the last message that began, began */
	uint64_t next; /* where the one after it will, or `last`: unknown */
	struct vfu_conn_fds sets[2];
	size_t out_head, out_tail;
	uint8_t in[VFU_IN_SIZE];
	uint8_t out[VFU_OUT_SIZE];
};

/* Take over @fd, a connected non-blocking stream. The caller's memory. */
void vfu_conn_init(struct vfu_conn *c, struct vfu_dev *dev, int fd);
/* Close it and every descriptor that was on its way. */
void vfu_conn_fini(struct vfu_conn *c);

/*
 * vfu_conn_ready - do what poll(2) says can be done: send what waits, receive,
 * handle. Returns 0, or -errno when the connection is over: -ENOTCONN (the
 * client closed it), -EPROTO (it does not speak vfio-user), another.
 */
int vfu_conn_ready(struct vfu_conn *c, short revents);
/* Handle messages that are there already. As vfu_conn_ready(). */
int vfu_conn_work(struct vfu_conn *c);
/* True if vfu_conn_work() has something to do. */
bool vfu_conn_busy(const struct vfu_conn *c);
/* What to wait for in poll(2). */
short vfu_conn_events(const struct vfu_conn *c);

#endif
