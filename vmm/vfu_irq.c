/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/vfu_irq.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void vfu_irq_init(struct vfu_irq *q)
{
	for (unsigned i = 0; i < VXHCI_VECTORS; i++)
		q->fd[i] = -1;
	vfu_irq_reset(q);
}

void vfu_irq_reset(struct vfu_irq *q)
{
	memset(q->latched, 0, sizeof(q->latched));
}

/* Give vector @i descriptor @fd, or none with -1, and close what it had. */
static void irq_replace(struct vfu_irq *q, unsigned i, int fd)
{
	int old = q->fd[i];

	q->fd[i] = fd;
	if (old >= 0)
		close(old);
}

void vfu_irq_clear(struct vfu_irq *q)
{
	for (unsigned i = 0; i < VXHCI_VECTORS; i++)
		irq_replace(q, i, -1);
	vfu_irq_reset(q);
}

void vfu_irq_raise(struct vfu_irq *q, unsigned vector)
{
	const uint64_t one = 1;
	ssize_t n;

	if (vector >= VXHCI_VECTORS)
		return;
	if (q->fd[vector] < 0) {
		q->latched[vector] = true;
		return;
	}
	/* EAGAIN: the counter is full, so it is raised already */
	n = write(q->fd[vector], &one, sizeof(one));
	(void)n;
}

static void irq_arm(struct vfu_irq *q, unsigned i, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	/* whatever it is that the client sent: it must not block the thread */
	if (flags >= 0 && !(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	irq_replace(q, i, fd);
	if (q->latched[i]) {
		q->latched[i] = false;
		vfu_irq_raise(q, i);
	}
}

static int irq_set_eventfds(struct vfu_irq *q, const struct vfu_req *req,
			    int *fds, unsigned nfds)
{
	uint32_t start = req->u.irqs.start, count = req->u.irqs.count;

	if (!count || (nfds && nfds != count))
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		if (!nfds) {
			irq_replace(q, start + i, -1);
			continue;
		}
		irq_arm(q, start + i, fds[i]);
		fds[i] = -1;
	}
	return 0;
}

int vfu_irq_set(struct vfu_irq *q, const struct vfu_req *req, int *fds,
		unsigned nfds)
{
	uint32_t start = req->u.irqs.start, count = req->u.irqs.count;
	uint32_t vectors =
		req->u.irqs.index == VFU_IRQ_MSIX ? VXHCI_VECTORS : 0;

	if (start > vectors || count > vectors - start)
		return -EINVAL;
	if (req->u.irqs.action != VFU_IRQ_SET_ACTION_TRIGGER)
		return -EINVAL;
	if (req->u.irqs.data == VFU_IRQ_SET_DATA_EVENTFD)
		return irq_set_eventfds(q, req, fds, nfds);
	if (!count) {
		if (req->u.irqs.data != VFU_IRQ_SET_DATA_NONE || start)
			return -EINVAL;
		for (unsigned i = 0; i < vectors; i++)
			irq_replace(q, i, -1);
		return 0;
	}
	for (uint32_t i = 0; i < count; i++)
		if (!req->u.irqs.bools || req->u.irqs.bools[i])
			vfu_irq_raise(q, start + i);
	return 0;
}
