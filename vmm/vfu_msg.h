/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfu_msg.h - vfio-user messages: bytes to checked requests, answers to bytes.
 *
 * Pure: no descriptor, no controller, no state. What is in a struct vfu_req
 * after vfu_msg_decode() returned 0 is within the limits written here.
 *
 * Every reply has its full size, error replies too: Cloud Hypervisor reads a
 * fixed number of bytes whatever the header says, and would wait for ever.
 */
#ifndef VMM_VFU_MSG_H
#define VMM_VFU_MSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/vfu_proto.h"

/* A request. `id`, `cmd` and `no_reply` are valid whatever else is wrong. */
struct vfu_req {
	uint16_t id;
	uint16_t cmd; /* as sent: not always an enum vfu_cmd */
	bool no_reply;
	union {
		struct {
			uint16_t minor; /* agreed: the lower of both */
		} version;
		struct {
			uint32_t flags; /* READ, WRITE, or both */
			uint64_t offset, iova, size;
		} map;
		struct {
			bool all;
			uint64_t iova, size;
		} unmap;
		struct {
			uint32_t index; /* < VFU_NUM_REGIONS or VFU_NUM_IRQS */
		} info;
		struct {
			uint32_t index;  /* < VFU_NUM_IRQS */
			uint32_t action; /* one of VFU_IRQ_SET_ACTIONS */
			uint32_t data;   /* one of VFU_IRQ_SET_DATA_MASK */
			uint32_t start, count;
			const uint8_t *bools; /* in the message; count of them,
					       * or NULL */
		} irqs;
		struct {
			uint64_t offset;
			uint32_t region;     /* < VFU_NUM_REGIONS */
			uint32_t count;      /* 1..VFU_MAX_XFER */
			const uint8_t *data; /* in the message; a write's */
		} io;
		struct {
			uint32_t count;      /* 1..VFU_MAX_ROWS */
			const uint8_t *rows; /* in the message */
		} multi;
	} u;
};

/*
 * vfu_msg_size - the size of the message that begins with the @have bytes at
 * @buf. Returns 0, -EAGAIN (too few bytes to tell), or -EPROTO for a size
 * below a header's or beyond VFU_MSG_SANE: the stream cannot be followed.
 */
int vfu_msg_size(const uint8_t *buf, size_t have, size_t *ret_size);

/*
 * vfu_msg_decode - read and check one message of @have bytes (at least a
 * header, at most VFU_MSG_MAX), with @nfds descriptors beside it. A message
 * that was too long to keep comes with its first bytes only, and is refused.
 *
 * Returns 0, or what to answer with vfu_reply_error(): -EINVAL (malformed),
 * -E2BIG (too long), -ENOSYS (a command this server does not have), -EPROTO
 * with a message that is no request: there is no answer to it. @ret_req is
 * filled in as far as can be, and points into @msg.
 */
int vfu_msg_decode(const uint8_t *msg, size_t have, size_t nfds,
		   struct vfu_req *ret_req);
/* Row @i of a REGION_WRITE_MULTI as a write; 0 or -EINVAL. */
int vfu_msg_row(const struct vfu_req *req, uint32_t i, struct vfu_req *ret_row);

/*
 * Replies, put at @out with room for VFU_REPLY_MAX bytes; the size is
 * returned. vfu_reply_error(): @err is a positive errno. vfu_reply_ok() is
 * for requests whose reply says no more than that.
 */
size_t vfu_reply_error(const struct vfu_req *req, int err, uint8_t *out);
size_t vfu_reply_ok(const struct vfu_req *req, uint8_t *out);
size_t vfu_reply_device_info(const struct vfu_req *req, uint8_t *out);
size_t vfu_reply_region_info(const struct vfu_req *req, uint32_t flags,
			     uint64_t size, uint8_t *out);
size_t vfu_reply_irq_info(const struct vfu_req *req, uint32_t flags,
			  uint32_t count, uint8_t *out);
/*
 * vfu_reply_read - of a REGION_READ; the data is the caller's to write, u.io
 * .count bytes at vfu_reply_data(), before or after.
 */
size_t vfu_reply_read(const struct vfu_req *req, uint8_t *out);
uint8_t *vfu_reply_data(uint8_t *out);

#endif
