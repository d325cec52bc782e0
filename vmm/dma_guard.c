/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dma_guard.c - a table that only grows, in pieces that never move, so that a
 * signal handler can look through it while other threads change it. An entry
 * has a generation, odd while it is free or being changed: what was read under
 * one even generation belongs together.
 */
#include "vmm/dma_guard.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emu/usb.h"

#define CHUNK 256u
#ifndef MAP_NORESERVE
#define MAP_NORESERVE 0 /* not everywhere, and only a hint */
#endif

struct dma_guard {
	atomic_uint gen; /* odd: not in use */
	_Atomic uintptr_t base;
	_Atomic uint64_t len;
	_Atomic(atomic_bool *) lost;     /* borrowed */
	_Atomic(atomic_bool *) any_lost; /* borrowed */
	struct dma_guard *next_free;     /* under `guard_lock` */
};

struct chunk {
	struct chunk *next; /* older */
	struct dma_guard entry[CHUNK];
};

/* A signal handler's only way to anything is by name. */
static pthread_mutex_t guard_lock = PTHREAD_MUTEX_INITIALIZER;
static struct dma_guard *guard_free;         /* under `guard_lock` */
static _Atomic(struct chunk *) guard_chunks; /* owned, for ever */
static _Atomic uintptr_t guard_page = 4096;

static struct dma_guard *guard_alloc(void)
{
	struct dma_guard *g = guard_free;
	struct chunk *c;

	if (g == NULL) {
		c = calloc(1, sizeof(*c));
		if (c == NULL)
			return NULL;
		for (unsigned i = 0; i < CHUNK; i++) {
			atomic_store(&c->entry[i].gen, 1);
			c->entry[i].next_free = guard_free;
			guard_free = &c->entry[i];
		}
		c->next = atomic_load(&guard_chunks);
		atomic_store(&guard_chunks, c);
		atomic_store(&guard_page, (uintptr_t)sysconf(_SC_PAGESIZE));
		g = guard_free;
	}
	guard_free = g->next_free;
	return g;
}

struct dma_guard *dma_guard_add(void *base, uint64_t len, atomic_bool *lost,
				atomic_bool *any_lost)
{
	struct dma_guard *g;

	pthread_mutex_lock(&guard_lock);
	g = guard_alloc();
	if (g != NULL) {
		atomic_store(&g->base, (uintptr_t)base);
		atomic_store(&g->len, len);
		atomic_store(&g->lost, lost);
		atomic_store(&g->any_lost, any_lost);
		atomic_fetch_add(&g->gen, 1);
	}
	pthread_mutex_unlock(&guard_lock);
	return g;
}

void dma_guard_remove(struct dma_guard *g)
{
	if (g == NULL)
		return;
	pthread_mutex_lock(&guard_lock);
	atomic_fetch_add(&g->gen, 1);
	g->next_free = guard_free;
	guard_free = g;
	pthread_mutex_unlock(&guard_lock);
}

static bool put_zeroes(uintptr_t at, uint64_t len)
{
	return len <= SIZE_MAX &&
	       mmap((void *)at, (size_t)len, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
		    0) != MAP_FAILED;
}

/*
 * The page; where the mapping is of huge pages, which cannot be had in parts,
 * the huge page; and all of the range where the kernel has no more room for
 * so many small ones.
 */
static bool replace(uintptr_t addr, uintptr_t base, uint64_t len)
{
	const uintptr_t unit[] = {atomic_load(&guard_page), 2u << 20, 1u << 30};

	for (unsigned i = 0; i < sizeof(unit) / sizeof(unit[0]); i++) {
		if (put_zeroes(addr & ~(unit[i] - 1), unit[i]))
			return true;
		if (errno != EINVAL)
			break;
	}
	return put_zeroes(base, len);
}

/* The entry with @addr; its base, length and flags. */
static bool look_up(uintptr_t addr, uintptr_t *ret_base, uint64_t *ret_len,
		    atomic_bool **ret_lost, atomic_bool **ret_any)
{
	for (struct chunk *c = atomic_load(&guard_chunks); c; c = c->next) {
		for (unsigned i = 0; i < CHUNK; i++) {
			struct dma_guard *g = &c->entry[i];
			unsigned gen = atomic_load(&g->gen);

			if (gen & 1)
				continue;
			*ret_base = atomic_load(&g->base);
			*ret_len = atomic_load(&g->len);
			*ret_lost = atomic_load(&g->lost);
			*ret_any = atomic_load(&g->any_lost);
			if (addr - *ret_base < *ret_len &&
			    atomic_load(&g->gen) == gen)
				return true;
		}
	}
	return false;
}

bool dma_guard_fault(const void *addr)
{
	int saved = errno;
	atomic_bool *lost, *any_lost;
	uintptr_t base;
	uint64_t len;
	bool ok;

	ok = look_up((uintptr_t)addr, &base, &len, &lost, &any_lost) &&
	     replace((uintptr_t)addr, base, len);
	if (ok) {
		atomic_store(lost, true);
		atomic_store(any_lost, true);
		usb_mem_fault();
	}
	errno = saved;
	return ok;
}
