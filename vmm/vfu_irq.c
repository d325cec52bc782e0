/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/vfu_irq.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void vfu_irq_init(struct vfu_irq *q)
{
	q->has_msi = false;
	q->nmsi = 0;
	for (unsigned i = 0; i < VXHCI_VECTORS; i++)
		q->fd[i] = q->msi[i] = -1;
	vfu_irq_reset(q);
}

void vfu_irq_reset(struct vfu_irq *q)
{
	memset(q->latched, 0, sizeof(q->latched));
}

/* Give the vector at @at descriptor @fd, or none with -1; close what it had. */
static void irq_replace(int *at, int fd)
{
	int old = *at;

	*at = fd;
	if (old >= 0)
		close(old);
}

static void irq_count_msi(struct vfu_irq *q)
{
	q->nmsi = VXHCI_VECTORS;
	while (q->nmsi && q->msi[q->nmsi - 1] < 0)
		q->nmsi--;
}

void vfu_irq_clear(struct vfu_irq *q)
{
	for (unsigned i = 0; i < VXHCI_VECTORS; i++) {
		irq_replace(&q->fd[i], -1);
		irq_replace(&q->msi[i], -1);
	}
	irq_count_msi(q);
	vfu_irq_reset(q);
}

static int irq_fd(const struct vfu_irq *q, unsigned vector)
{
	return q->nmsi ? q->msi[vector % q->nmsi] : q->fd[vector];
}

void vfu_irq_raise(struct vfu_irq *q, unsigned vector)
{
	const uint64_t one = 1;
	ssize_t n;

	if (vector >= VXHCI_VECTORS)
		return;
	if (irq_fd(q, vector) < 0) {
		q->latched[vector] = true;
		return;
	}
	/* EAGAIN: the counter is full, so it is raised already */
	n = write(irq_fd(q, vector), &one, sizeof(one));
	(void)n;
}

static void irq_arm(int *at, int fd)
{
	int flags = fcntl(fd, F_GETFL);

	/* whatever it is that the client sent: it must not block the thread */
	if (flags >= 0 && !(flags & O_NONBLOCK))
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	irq_replace(at, fd);
}

/* What was raised too early, where there is an eventfd now */
static void irq_raise_latched(struct vfu_irq *q)
{
	for (unsigned i = 0; i < VXHCI_VECTORS; i++) {
		if (!q->latched[i] || irq_fd(q, i) < 0)
			continue;
		q->latched[i] = false;
		vfu_irq_raise(q, i);
	}
}

/* @at: the first vector's */
static int irq_set_eventfds(int *at, uint32_t count, int *fds, unsigned nfds)
{
	if (!count || (nfds && nfds != count))
		return -EINVAL;
	for (uint32_t i = 0; i < count; i++) {
		if (!nfds) {
			irq_replace(&at[i], -1);
			continue;
		}
		irq_arm(&at[i], fds[i]);
		fds[i] = -1;
	}
	return 0;
}

int vfu_irq_set(struct vfu_irq *q, const struct vfu_req *req, int *fds,
		unsigned nfds)
{
	uint32_t start = req->u.irqs.start, count = req->u.irqs.count;
	bool msi = req->u.irqs.index == VFU_IRQ_MSI && q->has_msi;
	bool any = msi || req->u.irqs.index == VFU_IRQ_MSIX;
	uint32_t vectors = any ? VXHCI_VECTORS : 0;
	int err, *fd = msi ? q->msi : q->fd;

	if (start > vectors || count > vectors - start)
		return -EINVAL;
	if (req->u.irqs.action != VFU_IRQ_SET_ACTION_TRIGGER)
		return -EINVAL;
	if (req->u.irqs.data == VFU_IRQ_SET_DATA_EVENTFD) {
		err = irq_set_eventfds(fd + start, count, fds, nfds);
		irq_count_msi(q);
		irq_raise_latched(q);
		return err;
	}
	if (!count) {
		if (req->u.irqs.data != VFU_IRQ_SET_DATA_NONE || start)
			return -EINVAL;
		for (unsigned i = 0; i < vectors; i++)
			irq_replace(&fd[i], -1);
		irq_count_msi(q);
		return 0;
	}
	for (uint32_t i = 0; i < count; i++)
		if (!req->u.irqs.bools || req->u.irqs.bools[i])
			vfu_irq_raise(q, start + i);
	return 0;
}
