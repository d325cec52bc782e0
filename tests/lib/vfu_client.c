/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/lib/vfu_client.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

int vc_fail(struct vc *vc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(vc->why, sizeof(vc->why), fmt, ap);
	va_end(ap);
	return -1;
}

int vc_connect(struct vc *vc, enum vc_kind kind, const char *path)
{
	struct timeval tv = {.tv_sec = VC_TIMEOUT_S};
	struct sockaddr_un sa = {.sun_family = AF_UNIX};

	memset(vc, 0, sizeof(*vc));
	vc->kind = kind;
	vc->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (vc->fd < 0)
		return vc_fail(vc, "socket: %s", strerror(errno));
	setsockopt(vc->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(vc->fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", path);
	if (connect(vc->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0) {
		vc_fail(vc, "connect %s: %s", path, strerror(errno));
		vc_close(vc);
		return -1;
	}
	return 0;
}

void vc_close(struct vc *vc)
{
	if (vc->fd >= 0)
		close(vc->fd);
	vc->fd = -1;
}

int vc_send(struct vc *vc, const void *buf, size_t len, const int *fds,
	    unsigned nfds)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * 64)];
		struct cmsghdr align;
	} ctl;
	struct iovec iov = {(void *)(uintptr_t)buf, len};
	struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (nfds) {
		struct cmsghdr *cm;

		memset(&ctl, 0, sizeof(ctl));
		mh.msg_control = ctl.buf;
		mh.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(cm), fds, sizeof(int) * nfds);
	}
	n = sendmsg(vc->fd, &mh, MSG_NOSIGNAL);
	if (n < 0)
		return vc_fail(vc, "send: %s", strerror(errno));
	if ((size_t)n < len)
		return vc_fail(vc, "sent %zd of %zu bytes", n, len);
	return 0;
}

int vc_recv(struct vc *vc, void *buf, size_t len)
{
	for (size_t got = 0; got < len;) {
		ssize_t n = recv(vc->fd, (char *)buf + got, len - got, 0);

		if (n < 0)
			return vc_fail(vc, "%zu of %zu bytes, then: %s", got,
				       len, strerror(errno));
		if (n == 0)
			return vc_fail(vc, "%zu of %zu bytes, then closed", got,
				       len);
		got += (size_t)n;
	}
	return 0;
}

int vc_silent(struct vc *vc, int ms)
{
	struct pollfd p = {.fd = vc->fd, .events = POLLIN};

	if (poll(&p, 1, ms) != 0)
		return vc_fail(vc, "bytes came that nobody asked for");
	return 0;
}

static void fill_header(struct vc *vc, uint16_t cmd, void *msg, size_t size,
			uint32_t flags)
{
	struct vfu_hdr hdr = {.id = vc->next_id++,
			      .cmd = cmd,
			      .size = (uint32_t)size,
			      .flags = flags};

	memcpy(msg, &hdr, sizeof(hdr));
}

static int check_reply(struct vc *vc, const struct vfu_hdr *hdr, uint16_t id,
		       uint16_t cmd)
{
	if (hdr->id != id || hdr->cmd != cmd)
		return vc_fail(vc, "reply %u to command %u, not %u to %u",
			       hdr->id, hdr->cmd, id, cmd);
	if ((hdr->flags & VFU_F_TYPE_MASK) != VFU_F_REPLY)
		return vc_fail(vc, "command %u: flags %#x in a reply", cmd,
			       hdr->flags);
	if ((hdr->flags & VFU_F_ERROR) ? !hdr->error : hdr->error)
		return vc_fail(vc, "command %u: flags %#x, errno %u", cmd,
			       hdr->flags, hdr->error);
	return 0;
}

/*
 * QEMU: the header in one read or the connection is done for; the id says
 * whose reply it is; never longer than the room for it.
 */
static int qemu_recv_one(struct vc *vc, void *reply, size_t room,
			 struct vfu_hdr *ret_hdr)
{
	ssize_t n = recv(vc->fd, ret_hdr, sizeof(*ret_hdr), 0);

	if (n != sizeof(*ret_hdr))
		return vc_fail(vc, "%zd bytes of a header: %s", n,
			       n < 0 ? strerror(errno) : "short");
	if (ret_hdr->size < sizeof(*ret_hdr) || ret_hdr->size > room)
		return vc_fail(vc, "command %u: a reply of %u bytes for %zu",
			       ret_hdr->cmd, ret_hdr->size, room);
	memcpy(reply, ret_hdr, sizeof(*ret_hdr));
	return vc_recv(vc, (char *)reply + sizeof(*ret_hdr),
		       ret_hdr->size - sizeof(*ret_hdr));
}

/* Take the reply to the oldest request that was sent without waiting */
static int qemu_reap(struct vc *vc)
{
	char reply[64];
	struct vfu_hdr hdr;

	if (qemu_recv_one(vc, reply, 48, &hdr) ||
	    check_reply(vc, &hdr, vc->pending[0], hdr.cmd))
		return -1;
	vc->async_errors += (hdr.flags & VFU_F_ERROR) != 0;
	vc->npending--;
	memmove(vc->pending, vc->pending + 1,
		vc->npending * sizeof(vc->pending[0]));
	return 0;
}

int vc_commit(struct vc *vc)
{
	while (vc->npending)
		if (qemu_reap(vc))
			return -1;
	return 0;
}

int vc_call_async(struct vc *vc, uint16_t cmd, void *msg, size_t size,
		  const int *fds, unsigned nfds)
{
	if (vc->npending == VC_MAX_PENDING && qemu_reap(vc))
		return -1;
	vc->pending[vc->npending++] = vc->next_id;
	fill_header(vc, cmd, msg, size, VFU_F_COMMAND);
	return vc_send(vc, msg, size, fds, nfds);
}

int vc_call(struct vc *vc, uint16_t cmd, void *msg, size_t size, const int *fds,
	    unsigned nfds, void *reply, size_t want)
{
	uint16_t id = vc->next_id;
	struct vfu_hdr hdr;

	if (vc_commit(vc))
		return -1;
	fill_header(vc, cmd, msg, size, VFU_F_COMMAND);
	if (vc_send(vc, msg, size, fds, nfds))
		return -1;
	if (vc->kind == VC_CLH) {
		if (vc_recv(vc, reply, want))
			return -1;
		memcpy(&hdr, reply, sizeof(hdr));
	} else if (qemu_recv_one(vc, reply, want, &hdr)) {
		return -1;
	}
	if (hdr.size != want)
		return vc_fail(vc, "command %u: a reply of %u bytes, not %zu",
			       cmd, hdr.size, want);
	return check_reply(vc, &hdr, id, cmd);
}

int vc_post(struct vc *vc, uint16_t cmd, void *msg, size_t size)
{
	fill_header(vc, cmd, msg, size, VFU_F_NO_REPLY);
	return vc_send(vc, msg, size, NULL, 0);
}

int vc_ask(struct vc *vc, uint16_t cmd, void *msg, size_t size, const int *fds,
	   unsigned nfds, void *reply, size_t want)
{
	struct vfu_hdr hdr;

	if (vc_call(vc, cmd, msg, size, fds, nfds, reply, want))
		return -1;
	memcpy(&hdr, reply, sizeof(hdr));
	if (hdr.flags & VFU_F_ERROR)
		return vc_fail(vc, "command %u: %s", cmd,
			       strerror((int)hdr.error));
	return 0;
}

int vc_map(struct vc *vc, const struct vc_mem *mem)
{
	struct vfu_dma_map m = {
		.argsz = 32,
		.flags = VFU_DMA_MAP_READ |
			 (mem->read_only ? 0 : VFU_DMA_MAP_WRITE),
		.offset = mem->offset,
		.iova = mem->iova,
		.size = mem->size,
	};
	unsigned nfds = mem->fd >= 0;
	char reply[16];

	if (vc->kind == VC_QEMU)
		return vc_call_async(vc, VFU_DMA_MAP, &m, sizeof(m), &mem->fd,
				     nfds);
	return vc_ask(vc, VFU_DMA_MAP, &m, sizeof(m), &mem->fd, nfds, reply,
		      sizeof(reply));
}

int vc_unmap(struct vc *vc, uint64_t iova, uint64_t size)
{
	struct vfu_dma_unmap m = {.argsz = 24, .iova = iova, .size = size};
	struct vfu_dma_unmap reply;

	return vc_ask(vc, VFU_DMA_UNMAP, &m, sizeof(m), NULL, 0, &reply,
		      sizeof(reply));
}

int vc_device_info(struct vc *vc, struct vfu_device_info *ret)
{
	/* Cloud Hypervisor counts the header in */
	struct vfu_device_info m = {.argsz = vc->kind == VC_CLH ? 32 : 16};

	return vc_ask(vc, VFU_DEVICE_GET_INFO, &m, sizeof(m), NULL, 0, ret,
		      sizeof(*ret));
}

int vc_region_info(struct vc *vc, uint32_t index, struct vfu_region_info *ret)
{
	struct vfu_region_info m = {.argsz = 32, .index = index};

	if (vc_ask(vc, VFU_DEVICE_GET_REGION_INFO, &m, sizeof(m), NULL, 0, ret,
		   sizeof(*ret)))
		return -1;
	if (ret->index != index || ret->argsz != 32)
		return vc_fail(vc, "region %u: index %u, argsz %u", index,
			       ret->index, ret->argsz);
	return 0;
}

int vc_irq_info(struct vc *vc, uint32_t index, struct vfu_irq_info *ret)
{
	struct vfu_irq_info m = {.argsz = 16, .index = index};

	return vc_call(vc, VFU_DEVICE_GET_IRQ_INFO, &m, sizeof(m), NULL, 0, ret,
		       sizeof(*ret));
}

int vc_set_irqs(struct vc *vc, uint32_t index, uint32_t flags, uint32_t start,
		uint32_t count, const int *fds, unsigned nfds)
{
	struct vfu_set_irqs m = {.argsz = 20,
				 .flags = flags,
				 .index = index,
				 .start = start,
				 .count = count};
	char reply[16];

	return vc_ask(vc, VFU_DEVICE_SET_IRQS, &m, sizeof(m), fds, nfds, reply,
		      sizeof(reply));
}

int vc_read(struct vc *vc, uint32_t region, uint64_t off, void *buf,
	    uint32_t count)
{
	struct vfu_region_access m = {
		.offset = off, .region = region, .count = count};
	size_t want = sizeof(m) + count;
	char *reply = malloc(want);
	int err;

	if (!reply)
		return vc_fail(vc, "out of memory");
	err = vc_ask(vc, VFU_REGION_READ, &m, sizeof(m), NULL, 0, reply, want);
	if (!err)
		memcpy(buf, reply + sizeof(m), count);
	free(reply);
	return err;
}

int vc_write(struct vc *vc, uint32_t region, uint64_t off, const void *buf,
	     uint32_t count)
{
	struct vfu_region_access m = {
		.offset = off, .region = region, .count = count};
	struct vfu_region_access reply;
	char *msg = malloc(sizeof(m) + count);
	int err;

	if (!msg)
		return vc_fail(vc, "out of memory");
	memcpy(msg, &m, sizeof(m));
	memcpy(msg + sizeof(m), buf, count);
	if (vc->kind == VC_QEMU && region != VFU_REGION_CONFIG)
		err = vc_post(vc, VFU_REGION_WRITE, msg, sizeof(m) + count);
	else
		err = vc_ask(vc, VFU_REGION_WRITE, msg, sizeof(m) + count, NULL,
			     0, &reply, sizeof(reply));
	free(msg);
	return err;
}

int vc_write32(struct vc *vc, uint32_t region, uint64_t off, uint32_t val)
{
	return vc_write(vc, region, off, &val, sizeof(val));
}

int vc_read32(struct vc *vc, uint32_t region, uint64_t off, uint32_t *ret)
{
	return vc_read(vc, region, off, ret, sizeof(*ret));
}

int vc_reset(struct vc *vc)
{
	struct vfu_hdr m, reply;

	return vc_ask(vc, VFU_DEVICE_RESET, &m, sizeof(m), NULL, 0, &reply,
		      sizeof(reply));
}

int vc_realize(struct vc *vc, const struct vc_mem *mem, unsigned n,
	       struct vc_dev *ret)
{
	return vc->kind == VC_QEMU ? vc_qemu_realize(vc, mem, n, ret)
				   : vc_clh_realize(vc, mem, n, ret);
}

int vc_msix_disable(struct vc *vc)
{
	return vc_set_irqs(vc, VFU_IRQ_MSIX, 0x21, 0, 0, NULL, 0);
}
