/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/pcap_ring.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "vmm/pcap_block.h"

/* The type, which is written last */
static _Atomic uint32_t *type_of(uint8_t *block)
{
	return (_Atomic uint32_t *)(void *)block;
}

int pcap_ring_init(struct pcap_ring *r, size_t size)
{
	*r = (struct pcap_ring){.base = malloc(size), .size = size};
	return r->base == NULL ? -ENOMEM : 0;
}

void pcap_ring_fini(struct pcap_ring *r)
{
	free(r->base);
	r->base = NULL;
}

/*
 * From the head to the end of the ring, or from the start of it to the tail.
 * Where both are at the same place the ring is full if it is wrapped, and
 * empty if not.
 */
uint8_t *pcap_ring_reserve(struct pcap_ring *r, uint32_t len)
{
	uint8_t *block;

	if (!r->wrapped && r->size - r->head < len && r->tail >= len) {
		r->end = r->head;
		r->head = 0;
		r->wrapped = true;
	}
	if (r->wrapped ? r->tail - r->head < len : r->size - r->head < len)
		return NULL;
	block = r->base + r->head;
	r->head += len;
	atomic_store_explicit(type_of(block), 0, memory_order_relaxed);
	pcap_put32(block + 4, len);
	return block;
}

void pcap_ring_commit(uint8_t *block, uint32_t type)
{
	uint8_t bytes[4];
	uint32_t le;

	pcap_put32(bytes, type);
	__builtin_memcpy(&le, bytes, sizeof(le));
	atomic_store_explicit(type_of(block), le, memory_order_release);
}

size_t pcap_ring_used(const struct pcap_ring *r)
{
	return r->wrapped ? r->end - r->tail + r->head : r->head - r->tail;
}

uint8_t *pcap_ring_peek(struct pcap_ring *r, size_t *ret_len)
{
	if (r->wrapped && r->tail == r->end) {
		r->tail = 0;
		r->wrapped = false;
	}
	*ret_len = (r->wrapped ? r->end : r->head) - r->tail;
	return r->base + r->tail;
}

uint32_t pcap_block_len(const uint8_t *block)
{
	return pcap_get32(block + 4);
}

size_t pcap_ring_finished(const uint8_t *p, size_t len)
{
	size_t n = 0;

	while (n < len &&
	       atomic_load_explicit(type_of((uint8_t *)(uintptr_t)(p + n)),
				    memory_order_acquire) != 0)
		n += pcap_block_len(p + n);
	return n;
}

void pcap_ring_consume(struct pcap_ring *r, size_t len)
{
	r->tail += len;
	if (!r->wrapped && r->tail == r->head)
		r->tail = r->head = 0;
}
