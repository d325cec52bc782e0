/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcap_block.h - the blocks of a pcapng file that we write, little endian
 * (draft-ietf-opsawg-pcapng). Pure.
 */
#ifndef VMM_PCAP_BLOCK_H
#define VMM_PCAP_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#define PCAP_SHB 0x0a0d0d0au /* Section Header Block */
#define PCAP_IDB 1u          /* Interface Description Block */
#define PCAP_ISB 5u          /* Interface Statistics Block */
#define PCAP_EPB 6u          /* Enhanced Packet Block */

#define PCAP_EPB_HEADER 28u  /* bytes before the packet */
#define PCAP_BLOCK_MAX 2048u /* bytes, of all but EPB */
#define PCAP_TEXT_MAX 600u   /* bytes of an option's text, which is cut */

static inline void pcap_put32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static inline uint32_t pcap_get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

/*
 * Each returns the bytes of the block in @b, which has room for
 * PCAP_BLOCK_MAX. In texts, what is not printable ASCII becomes '?'.
 */
size_t pcap_shb(uint8_t *b, const char *program);
size_t pcap_idb(uint8_t *b, uint32_t snap, const char *name,
		const char *description, const char *comment);
size_t pcap_isb(uint8_t *b, uint32_t interface, uint64_t at_ns,
		uint64_t received, uint64_t lost);

/* What is in an Enhanced Packet Block beside the packet itself */
struct pcap_epb {
	uint32_t interface;
	uint64_t at_ns;
	uint32_t len;  /* bytes of the packet kept */
	uint32_t full; /* and before it was cut */
	uint64_t lost; /* packets of the interface since the one before it */
};

/* Bytes of the whole block. */
uint32_t pcap_epb_len(const struct pcap_epb *e);
/*
 * All of the block at @b but its type and the packet, for which there is room
 * at @b + PCAP_EPB_HEADER.
 */
void pcap_epb(uint8_t *b, const struct pcap_epb *e);

#endif
