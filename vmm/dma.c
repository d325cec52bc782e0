/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dma.c - guest memory ranges: an array sorted by address, searched by halves.
 */
#include "vmm/dma.h"

#include "emu/account.h"

#include <stdlib.h>
#include <string.h>

void dma_init(struct dma *m, void (*released)(void *host, void *cookie),
	      void *host)
{
	*m = (struct dma){.released = released, .host = host};
}

static void range_release(struct dma *m, struct dma_range *r)
{
	void *cookie = r->cookie;

	dma_guard_remove(r->guard);
	free(r);
	if (m->released != NULL)
		m->released(m->host, cookie);
}

/* @r is out of the array: it goes now, or with its last hold. */
static void range_retire(struct dma *m, struct dma_range *r)
{
	r->mapped = false;
	if (m->recent == r)
		m->recent = NULL;
	if (r->holds == 0) {
		range_release(m, r);
		return;
	}
	r->prev = NULL;
	r->next = m->dying;
	if (r->next != NULL)
		r->next->prev = r;
	m->dying = r;
}

static void dying_remove(struct dma *m, struct dma_range *r)
{
	if (r->prev != NULL)
		r->prev->next = r->next;
	else
		m->dying = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
}

void dma_fini(struct dma *m)
{
	dma_unmap_all(m);
	while (m->dying != NULL) {
		struct dma_range *r = m->dying;

		dying_remove(m, r);
		range_release(m, r);
	}
	free(m->range);
	m->range = NULL;
	m->capacity = 0;
}

/* The number of ranges that begin at or below @gpa. */
static unsigned ranges_upto(const struct dma *m, uint64_t gpa)
{
	unsigned lo = 0, hi = m->nranges;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (m->range[mid]->gpa <= gpa)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

struct dma_range *dma_find(struct dma *m, uint64_t gpa)
{
	unsigned n = ranges_upto(m, gpa);
	struct dma_range *r;

	if (n == 0)
		return NULL;
	r = m->range[n - 1];
	if (gpa - r->gpa >= r->len)
		return NULL;
	m->recent = r;
	return r;
}

static int make_room(struct dma *m)
{
	unsigned capacity = m->capacity ? m->capacity * 2 : 16;
	struct dma_range **range;

	if (m->nranges < m->capacity)
		return 0;
	range = realloc(m->range, capacity * sizeof(struct dma_range *));
	if (range == NULL)
		return -ENOMEM;
	m->range = range;
	m->capacity = capacity;
	return 0;
}

/* Does a range @at (its place in the array) touch its neighbours? */
static bool overlaps(const struct dma *m, unsigned at, uint64_t gpa,
		     uint64_t len)
{
	const struct dma_range *before = at > 0 ? m->range[at - 1] : NULL;
	const struct dma_range *after = at < m->nranges ? m->range[at] : NULL;

	return (before != NULL && gpa - before->gpa < before->len) ||
	       (after != NULL && after->gpa - gpa < len);
}

int dma_map(struct dma *m, uint64_t gpa, uint64_t len, void *ptr, bool writable,
	    void *cookie)
{
	struct dma_range *r;
	unsigned at;

	if (len == 0 || (gpa | len) % DMA_PAGE != 0 || ptr == NULL ||
	    gpa + (len - 1) < gpa || len - 1 > UINTPTR_MAX - (uintptr_t)ptr)
		return -EINVAL;
	at = ranges_upto(m, gpa);
	if (overlaps(m, at, gpa, len))
		return -EEXIST;
	if (m->nranges == DMA_MAX_RANGES)
		return -ENOSPC;
	if (make_room(m) < 0)
		return -ENOMEM;
	r = malloc(sizeof(*r));
	if (r == NULL)
		return -ENOMEM;
	*r = (struct dma_range){.gpa = gpa,
				.len = len,
				.base = ptr,
				.writable = writable,
				.mapped = true,
				.cookie = cookie};
	r->guard = dma_guard_add(ptr, len, &r->lost, &m->lost);
	if (r->guard == NULL) {
		free(r);
		return -ENOMEM;
	}
	memmove(m->range + at + 1, m->range + at,
		(m->nranges - at) * sizeof(m->range[0]));
	m->range[at] = r;
	m->nranges++;
	return 0;
}

int dma_unmap(struct dma *m, uint64_t gpa, uint64_t len)
{
	unsigned n = ranges_upto(m, gpa);
	struct dma_range *r = n > 0 ? m->range[n - 1] : NULL;

	if (r == NULL || r->gpa != gpa || r->len != len)
		return -ENOENT;
	memmove(m->range + n - 1, m->range + n,
		(m->nranges - n) * sizeof(m->range[0]));
	m->nranges--;
	range_retire(m, r);
	return 0;
}

void dma_unmap_all(struct dma *m)
{
	while (m->nranges > 0)
		range_retire(m, m->range[--m->nranges]);
}

void dma_hold(void *hold)
{
	struct dma_range *r = hold;

	r->holds++;
}

void dma_drop(struct dma *m, void *hold)
{
	struct dma_range *r = hold;

	ACCOUNT(r->holds > 0, "a hold on guest memory is dropped twice");
	if (--r->holds > 0 || r->mapped)
		return;
	dying_remove(m, r);
	range_release(m, r);
}

unsigned dma_holds(const struct dma *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < m->nranges; i++)
		n += m->range[i]->holds;
	for (const struct dma_range *r = m->dying; r; r = r->next)
		n += r->holds;
	return n;
}
