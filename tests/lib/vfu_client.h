/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfu_client.h - a vfio-user client for tests, with the manners of the two
 * real ones: QEMU (many requests under way, replies told apart by their id,
 * posted writes) and Cloud Hypervisor (lock-step, and as many bytes read as
 * the reply ought to have, whatever its header says).
 *
 * Functions return 0, or -1 with the reason in vc->why. A reply that does not
 * come in VC_TIMEOUT_S is a failure, so nothing here waits for ever.
 */
#ifndef TESTS_LIB_VFU_CLIENT_H
#define TESTS_LIB_VFU_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/vfu_proto.h"

#define VC_TIMEOUT_S 5
#define VC_MAX_FDS 32
#define VC_MAX_PENDING 64

enum vc_kind { VC_QEMU, VC_CLH };

struct vc {
	int fd; /* -1: not connected */
	enum vc_kind kind;
	uint16_t next_id;
	uint16_t pending[VC_MAX_PENDING]; /* ids sent without waiting */
	unsigned npending;
	unsigned async_errors; /* error replies to those */
	char why[256];
};

/* What a client knows of the device after vc_realize(). */
struct vc_dev {
	uint8_t cfg[256];
	uint64_t bar_size[6];
	uint32_t vectors;
	uint8_t msix_cap; /* offset of the MSI-X capability */
};

/* Guest memory to share. */
struct vc_mem {
	int fd; /* -1: send none */
	uint64_t iova, size, offset;
	bool read_only;
};

int vc_connect(struct vc *vc, enum vc_kind kind, const char *path);
void vc_close(struct vc *vc);
/* Format vc->why and return -1. */
int vc_fail(struct vc *vc, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Bytes as they are, in one sendmsg(2) with the descriptors. */
int vc_send(struct vc *vc, const void *buf, size_t len, const int *fds,
	    unsigned nfds);
/* Exactly @len bytes. */
int vc_recv(struct vc *vc, void *buf, size_t len);
/* Nothing is there to read, after a while in which it could have come. */
int vc_silent(struct vc *vc, int ms);

/*
 * vc_call - a request of @size bytes at @msg, whose header is filled in here
 * but for cmd, and its reply of exactly @want bytes at @reply. An error reply
 * is no failure: look at the header. vc_post: the same with NO_REPLY.
 * vc_call_async (QEMU): sent only; vc_commit waits for all of those.
 */
int vc_call(struct vc *vc, uint16_t cmd, void *msg, size_t size, const int *fds,
	    unsigned nfds, void *reply, size_t want);
int vc_post(struct vc *vc, uint16_t cmd, void *msg, size_t size);
int vc_call_async(struct vc *vc, uint16_t cmd, void *msg, size_t size,
		  const int *fds, unsigned nfds);
int vc_commit(struct vc *vc);
/* vc_call() whose reply must not be an error. */
int vc_ask(struct vc *vc, uint16_t cmd, void *msg, size_t size, const int *fds,
	   unsigned nfds, void *reply, size_t want);

/* The commands, each as its client sends it. */
int vc_version(struct vc *vc);
int vc_map(struct vc *vc, const struct vc_mem *mem);
int vc_unmap(struct vc *vc, uint64_t iova, uint64_t size);
int vc_device_info(struct vc *vc, struct vfu_device_info *ret);
int vc_region_info(struct vc *vc, uint32_t index, struct vfu_region_info *ret);
/* An error reply counts as no vectors */
int vc_irq_info(struct vc *vc, uint32_t index, struct vfu_irq_info *ret);
int vc_set_irqs(struct vc *vc, uint32_t index, uint32_t flags, uint32_t start,
		uint32_t count, const int *fds, unsigned nfds);
int vc_read(struct vc *vc, uint32_t region, uint64_t off, void *buf,
	    uint32_t count);
/* QEMU posts what goes to a BAR */
int vc_write(struct vc *vc, uint32_t region, uint64_t off, const void *buf,
	     uint32_t count);
int vc_write32(struct vc *vc, uint32_t region, uint64_t off, uint32_t val);
int vc_read32(struct vc *vc, uint32_t region, uint64_t off, uint32_t *ret);
int vc_reset(struct vc *vc);

/*
 * vc_realize - all that the client does when it makes the device, in its
 * order, with its checks; @mem[0..@n) is mapped on the way.
 * vc_msix_enable - arm all vectors with @fds, as the client does it.
 */
int vc_realize(struct vc *vc, const struct vc_mem *mem, unsigned n,
	       struct vc_dev *ret);
int vc_msix_enable(struct vc *vc, const struct vc_dev *dev, const int *fds);
int vc_msix_disable(struct vc *vc);
/* What QEMU does to the device when the machine is reset. */
int vc_machine_reset(struct vc *vc, const struct vc_dev *dev);

/* vfu_client_qemu.c, vfu_client_clh.c */
int vc_qemu_realize(struct vc *vc, const struct vc_mem *mem, unsigned n,
		    struct vc_dev *ret);
int vc_clh_realize(struct vc *vc, const struct vc_mem *mem, unsigned n,
		   struct vc_dev *ret);

#endif
