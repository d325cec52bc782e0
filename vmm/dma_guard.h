/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * dma_guard.h - which guest memory of which controller an address is in, for
 * a SIGBUS handler: memory that is a file may become shorter than its mapping
 * while a controller uses it.
 *
 * The table is the process's, since a signal handler has no argument: it is
 * this folder's one state that is no controller's. Entries are added and
 * removed by any thread; an entry whose memory is in use is not removed.
 */
#ifndef VMM_DMA_GUARD_H
#define VMM_DMA_GUARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dma_guard; /* opaque; dma_guard.c */

/*
 * dma_guard_add - @len bytes at @base: when some of them turn out to be gone,
 * *lost and *any_lost become true (borrowed until dma_guard_remove()). NULL:
 * no memory.
 */
struct dma_guard *dma_guard_add(void *base, uint64_t len, atomic_bool *lost,
				atomic_bool *any_lost);
void dma_guard_remove(struct dma_guard *g);

/*
 * dma_guard_fault - an access of this thread to @addr raised SIGBUS. If it is
 * in the table, zeroes take the place of the page, for what is under way to
 * come to its end, the flags are set, usb_mem_fault() is called, and it is
 * true. For signal handlers: takes no lock, allocates nothing, keeps errno.
 */
bool dma_guard_fault(const void *addr);

#endif
