/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mem.c - guest memory. What the controller looks at is read once into a
 * private copy; nothing is read a second time in one operation.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "emu/core.h"

enum dir { RD, WR };

/* Copy piece by piece: a range may cross mappings. */
static int mem_copy(struct xhci *x, uint64_t gpa, uint8_t *buf, size_t len,
		    enum dir dir)
{
	struct xhci_span sp;

	if (gpa + len < gpa)
		return -EFAULT;
	while (len) {
		if (x->ops->mem_get(x->host, gpa, len, dir == WR, &sp) != 0)
			return -EFAULT;
		if (dir == WR)
			memcpy(sp.base, buf, sp.len);
		else
			memcpy(buf, sp.base, sp.len);
		buf += sp.len;
		gpa += sp.len;
		len -= sp.len;
	}
	return 0;
}

int mem_read(struct xhci *x, uint64_t gpa, void *buf, size_t len)
{
	return mem_copy(x, gpa, buf, len, RD);
}

int mem_write(struct xhci *x, uint64_t gpa, const void *buf, size_t len)
{
	/* not written to: WR only reads from buf */
	union {
		const void *c;
		void *v;
	} u = {buf};

	return mem_copy(x, gpa, u.v, len, WR);
}

/* A TRB is 16 bytes at a multiple of 16: it cannot cross a page. */
static int trb_span(struct xhci *x, uint64_t gpa, bool write,
		    struct xhci_span *sp)
{
	if (gpa & (TRB_SIZE - 1))
		return -EFAULT;
	if (x->ops->mem_get(x->host, gpa, TRB_SIZE, write, sp) != 0 ||
	    sp->len < TRB_SIZE)
		return -EFAULT;
	return 0;
}

/*
 * The control dword carries the cycle bit: software writes it last, so it is
 * read first (§4.9.2), and the rest only when the TRB is the controller's.
 */
int mem_read_trb(struct xhci *x, uint64_t gpa, bool c, struct xhci_trb *ret)
{
	struct xhci_span sp;
	_Atomic uint32_t *dw;

	if (trb_span(x, gpa, false, &sp) != 0)
		return -EFAULT;
	dw = (_Atomic uint32_t *)(void *)sp.base;
	ret->control = atomic_load_explicit(&dw[3], memory_order_acquire);
	if ((ret->control & TRB_C) != (uint32_t)c) {
		x->stats.trb_peeks++;
		return 0;
	}
	memcpy(&ret->param, sp.base, sizeof(ret->param));
	memcpy(&ret->status, sp.base + 8, sizeof(ret->status));
	x->stats.trb_reads++;
	return 1;
}

/* The other way round: the dword with the cycle bit last. */
int mem_write_trb(struct xhci *x, uint64_t gpa, const struct xhci_trb *trb)
{
	struct xhci_span sp;
	_Atomic uint32_t *dw;

	if (trb_span(x, gpa, true, &sp) != 0)
		return -EFAULT;
	dw = (_Atomic uint32_t *)(void *)sp.base;
	memcpy(sp.base, &trb->param, sizeof(trb->param));
	memcpy(sp.base + 8, &trb->status, sizeof(trb->status));
	atomic_store_explicit(&dw[3], trb->control, memory_order_release);
	return 0;
}

int mem_read_ctx(struct xhci *x, uint64_t gpa, uint32_t *dw, unsigned ndw)
{
	x->stats.ctx_reads++;
	return mem_read(x, gpa, dw, ndw * sizeof(*dw));
}

int mem_write_ctx(struct xhci *x, uint64_t gpa, const uint32_t *dw,
		  unsigned ndw)
{
	x->stats.ctx_writes++;
	return mem_write(x, gpa, dw, ndw * sizeof(*dw));
}
