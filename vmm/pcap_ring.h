/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcap_ring.h - pcapng blocks on their way to the file: a ring of bytes, with
 * each block in one piece. Several threads fill blocks at a time, one takes
 * them out, in the order in which room was reserved.
 *
 * A block says itself how long it is and whether it is finished: its type is 0
 * until then. What is called under the owner's lock says so; nothing blocks.
 */
#ifndef VMM_PCAP_RING_H
#define VMM_PCAP_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pcap_ring {
	uint8_t *base; /* owned */
	size_t size;
	size_t head, tail; /* where to put and where to take */
	size_t end;        /* of the bytes from tail on, if wrapped */
	bool wrapped;      /* head is before tail */
};

/* 0 or -ENOMEM. @size: bytes, a multiple of 8. */
int pcap_ring_init(struct pcap_ring *r, size_t size);
void pcap_ring_fini(struct pcap_ring *r);

/* Lock held. @len (a multiple of 4) bytes for a block, or NULL: no room. */
uint8_t *pcap_ring_reserve(struct pcap_ring *r, uint32_t len);
/* Without the lock: the block is finished, and is one of this type. */
void pcap_ring_commit(uint8_t *block, uint32_t type);

/* Lock held. Bytes that are reserved or finished. */
size_t pcap_ring_used(const struct pcap_ring *r);
/* Lock held. The bytes to be taken next, @ret_len of them in one piece. */
uint8_t *pcap_ring_peek(struct pcap_ring *r, size_t *ret_len);
/* Without the lock: how many of them are finished blocks. */
size_t pcap_ring_finished(const uint8_t *p, size_t len);
/* Lock held. @len of them have been taken; whole blocks only. */
void pcap_ring_consume(struct pcap_ring *r, size_t len);

/* Bytes of a block that is finished. */
uint32_t pcap_block_len(const uint8_t *block);

#endif
