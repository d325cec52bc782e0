/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mem.c - guest memory. What the controller looks at is read once into a
 * private copy; nothing is read a second time in one operation. Memory that
 * turns out to be gone is as memory that is not there.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "emu/core.h"

/* Copy piece by piece: a range may cross mappings. */
static int read_as(struct xhci *x, uint64_t gpa, void *buf, size_t len,
		   enum xhci_tap_kind kind)
{
	unsigned faults = usb_mem_faults();
	struct xhci_span sp;
	size_t n = 0;

	if (gpa + len < gpa)
		return -EFAULT;
	while (n < len &&
	       x->ops->mem_get(x->host, gpa + n, len - n, false, &sp) == 0) {
		memcpy((uint8_t *)buf + n, sp.base, sp.len);
		if (usb_mem_faults() != faults)
			break;
		n += sp.len;
	}
	if (TAPPED(x))
		tap_mem(x, kind, gpa, buf, len, n);
	return n == len ? 0 : -EFAULT;
}

static int write_as(struct xhci *x, uint64_t gpa, const void *buf, size_t len,
		    enum xhci_tap_kind kind)
{
	unsigned faults = usb_mem_faults();
	struct xhci_span sp;
	size_t n = 0;

	if (gpa + len < gpa)
		return -EFAULT;
	while (n < len &&
	       x->ops->mem_get(x->host, gpa + n, len - n, true, &sp) == 0) {
		memcpy(sp.base, (const uint8_t *)buf + n, sp.len);
		if (usb_mem_faults() != faults)
			break;
		n += sp.len;
	}
	if (TAPPED(x))
		tap_mem(x, kind, gpa, buf, len, n);
	return n == len ? 0 : -EFAULT;
}

int mem_read(struct xhci *x, uint64_t gpa, void *buf, size_t len)
{
	return read_as(x, gpa, buf, len, XHCI_TAP_MEM_READ);
}

int mem_write(struct xhci *x, uint64_t gpa, const void *buf, size_t len)
{
	return write_as(x, gpa, buf, len, XHCI_TAP_MEM_WRITE);
}

static COLD int trb_fault(struct xhci *x, uint64_t gpa, bool write)
{
	if (x->tap)
		tap_mem(x, write ? XHCI_TAP_TRB_WRITE : XHCI_TAP_TRB_READ, gpa,
			NULL, TRB_SIZE, 0);
	return -EFAULT;
}

/* A TRB is 16 bytes at a multiple of 16: it cannot cross a page. */
static inline int trb_span(struct xhci *x, uint64_t gpa, bool write,
			   struct xhci_span *sp)
{
	if (gpa & (TRB_SIZE - 1))
		return -EFAULT;
	if (x->ops->mem_get(x->host, gpa, TRB_SIZE, write, sp) != 0 ||
	    sp->len < TRB_SIZE)
		return trb_fault(x, gpa, write);
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
	unsigned faults;

	if (trb_span(x, gpa, false, &sp) != 0)
		return -EFAULT;
	faults = usb_mem_faults();
	dw = (_Atomic uint32_t *)(void *)sp.base;
	ret->control = atomic_load_explicit(&dw[3], memory_order_acquire);
	if ((ret->control & TRB_C) != (uint32_t)c) {
		if (usb_mem_faults() != faults)
			return trb_fault(x, gpa, false);
		x->stats.trb_peeks++;
		if (TAPPED(x))
			tap_mem(x, XHCI_TAP_TRB_PEEK, gpa, &ret->control,
				sizeof(ret->control), sizeof(ret->control));
		return 0;
	}
	memcpy(&ret->param, sp.base, sizeof(ret->param));
	memcpy(&ret->status, sp.base + 8, sizeof(ret->status));
	if (usb_mem_faults() != faults)
		return trb_fault(x, gpa, false);
	x->stats.trb_reads++;
	if (TAPPED(x))
		tap_mem(x, XHCI_TAP_TRB_READ, gpa, ret, TRB_SIZE, TRB_SIZE);
	return 1;
}

/* The other way round: the dword with the cycle bit last. */
int mem_write_trb(struct xhci *x, uint64_t gpa, const struct xhci_trb *trb)
{
	struct xhci_span sp;
	_Atomic uint32_t *dw;
	unsigned faults;

	if (trb_span(x, gpa, true, &sp) != 0)
		return -EFAULT;
	faults = usb_mem_faults();
	dw = (_Atomic uint32_t *)(void *)sp.base;
	memcpy(sp.base, &trb->param, sizeof(trb->param));
	memcpy(sp.base + 8, &trb->status, sizeof(trb->status));
	atomic_store_explicit(&dw[3], trb->control, memory_order_release);
	if (usb_mem_faults() != faults)
		return trb_fault(x, gpa, true);
	if (TAPPED(x))
		tap_mem(x, XHCI_TAP_TRB_WRITE, gpa, trb, TRB_SIZE, TRB_SIZE);
	return 0;
}

int mem_read_ctx(struct xhci *x, uint64_t gpa, uint32_t *dw, unsigned ndw)
{
	x->stats.ctx_reads++;
	return read_as(x, gpa, dw, ndw * sizeof(*dw), XHCI_TAP_CTX_READ);
}

int mem_write_ctx(struct xhci *x, uint64_t gpa, const uint32_t *dw,
		  unsigned ndw)
{
	x->stats.ctx_writes++;
	return write_as(x, gpa, dw, ndw * sizeof(*dw), XHCI_TAP_CTX_WRITE);
}
