/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dma.h - the guest memory a controller may touch: ranges of guest physical
 * addresses and where they lie in this process.
 *
 * Not thread safe: the owner's mutex covers it. A range that was unmapped is
 * found no more, but stays until the last hold on it is dropped; then, and
 * only then, released() says that nothing points into it.
 *
 * Memory may vanish below a range: a file that was truncated. What dma_guard.h
 * finds so is refused as if nothing were there, as long as it stays mapped.
 */
#ifndef VMM_DMA_H
#define VMM_DMA_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/xhci.h"
#include "vmm/dma_guard.h"

#define DMA_MAX_RANGES 65535u
#define DMA_PAGE 4096u

struct dma_range {
	uint64_t gpa;  /* first byte */
	uint64_t len;  /* bytes; gpa + len - 1 does not wrap */
	uint8_t *base; /* borrowed until released() */
	bool writable;
	bool mapped;
	atomic_bool lost;        /* some of it is gone: refused from then on */
	struct dma_guard *guard; /* owned */
	void *cookie;
	unsigned holds;
	struct dma_range *prev, *next; /* while unmapped and held */
};

struct dma {
	struct dma_range **range; /* owned, and what it points to; by gpa */
	unsigned nranges, capacity;
	struct dma_range *recent; /* the last one found, or NULL */
	struct dma_range *dying;  /* unmapped, held */
	atomic_bool lost; /* a range became so; the owner takes it back */
	void (*released)(void *host, void *cookie);
	void *host; /* borrowed */
};

/* @released is called with @host and the cookie of a range; may be NULL. */
void dma_init(struct dma *m, void (*released)(void *host, void *cookie),
	      void *host);
/* Release every range, held or not: no pointer into one may be left. */
void dma_fini(struct dma *m);

/* As vxhci_mem_map() and friends, which are these behind a mutex. */
int dma_map(struct dma *m, uint64_t gpa, uint64_t len, void *ptr, bool writable,
	    void *cookie);
int dma_unmap(struct dma *m, uint64_t gpa, uint64_t len);
void dma_unmap_all(struct dma *m);

/* The range that has the byte at @gpa, or NULL. */
struct dma_range *dma_find(struct dma *m, uint64_t gpa);

/* Keep a range (xhci_span.hold) beyond its unmapping; drop what was held. */
void dma_hold(void *hold);
void dma_drop(struct dma *m, void *hold);
/* Those there are, counted: for account.h and tests. */
unsigned dma_holds(const struct dma *m);

/*
 * dma_get - xhci_host_ops.mem_get(). Inline, since it is called for each TRB:
 * where the range is that of the last call, it is two comparisons.
 */
static inline int dma_get(struct dma *m, uint64_t gpa, size_t len, bool write,
			  struct xhci_span *ret)
{
	struct dma_range *r = m->recent;
	uint64_t left;

	if (r == NULL || gpa - r->gpa >= r->len) {
		r = dma_find(m, gpa);
		if (r == NULL)
			return -EFAULT;
	}
	if ((write && !r->writable) || len == 0 ||
	    atomic_load_explicit(&r->lost, memory_order_relaxed))
		return -EFAULT;
	left = r->len - (gpa - r->gpa);
	ret->base = r->base + (gpa - r->gpa);
	ret->len = len < left ? len : (size_t)left;
	ret->hold = r;
	return 0;
}

#endif
