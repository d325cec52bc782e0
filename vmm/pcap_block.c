/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/pcap_block.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pmapper/tap.h"

#define BYTE_ORDER_MAGIC 0x1a2b3c4du
#define VERSION 1u /* major 1, minor 0 */

/* Option codes */
enum {
	OPT_END = 0,
	OPT_COMMENT = 1,
	SHB_USERAPPL = 4,
	IF_NAME = 2,
	IF_DESCRIPTION = 3,
	IF_TSRESOL = 9,
	EPB_DROPCOUNT = 4,
	ISB_IFRECV = 4,
	ISB_IFDROP = 5,
};

#define TSRESOL_NS 9u /* a unit is 10^-9 s */

static void put64(uint8_t *p, uint64_t v)
{
	pcap_put32(p, (uint32_t)v);
	pcap_put32(p + 4, (uint32_t)(v >> 32));
}

/* A timestamp, its upper half first */
static void put_time(uint8_t *p, uint64_t v)
{
	pcap_put32(p, (uint32_t)(v >> 32));
	pcap_put32(p + 4, (uint32_t)v);
}

static uint32_t padded(uint32_t len)
{
	return (len + 3) & ~3u;
}

static uint8_t *put_option(uint8_t *p, uint32_t code, const void *value,
			   uint32_t len)
{
	pcap_put32(p, code | len << 16);
	memset(p + 4, 0, padded(len));
	memcpy(p + 4, value, len);
	return p + 4 + padded(len);
}

static uint8_t *put_text(uint8_t *p, uint32_t code, const char *text)
{
	char clean[PCAP_TEXT_MAX];
	uint32_t n;

	for (n = 0; n < sizeof(clean) && text[n]; n++)
		clean[n] = text[n] < ' ' || text[n] > '~' ? '?' : text[n];
	return n ? put_option(p, code, clean, n) : p;
}

static uint8_t *put_count(uint8_t *p, uint32_t code, uint64_t count)
{
	uint8_t value[8];

	put64(value, count);
	return put_option(p, code, value, sizeof(value));
}

/* The end of the options, and the length, which is there twice */
static size_t finish(uint8_t *b, uint8_t *p)
{
	uint32_t len;

	p = put_option(p, OPT_END, "", 0);
	len = (uint32_t)(p - b) + 4;
	pcap_put32(b + 4, len);
	pcap_put32(p, len);
	return len;
}

size_t pcap_shb(uint8_t *b, const char *program)
{
	pcap_put32(b, PCAP_SHB);
	pcap_put32(b + 8, BYTE_ORDER_MAGIC);
	pcap_put32(b + 12, VERSION);
	put64(b + 16, UINT64_MAX); /* section length: not known */
	return finish(b, put_text(b + 24, SHB_USERAPPL, program));
}

size_t pcap_idb(uint8_t *b, uint32_t snap, const char *name,
		const char *description, const char *comment)
{
	const uint8_t resolution = TSRESOL_NS;
	uint8_t *p = b + 16;

	pcap_put32(b, PCAP_IDB);
	pcap_put32(b + 8, TAP_LINKTYPE);
	pcap_put32(b + 12, snap);
	p = put_text(p, IF_NAME, name);
	p = put_text(p, IF_DESCRIPTION, description);
	p = put_text(p, OPT_COMMENT, comment);
	p = put_option(p, IF_TSRESOL, &resolution, 1);
	return finish(b, p);
}

size_t pcap_isb(uint8_t *b, uint32_t interface, uint64_t at_ns,
		uint64_t received, uint64_t lost)
{
	pcap_put32(b, PCAP_ISB);
	pcap_put32(b + 8, interface);
	put_time(b + 12, at_ns);
	return finish(b, put_count(put_count(b + 20, ISB_IFRECV, received),
				   ISB_IFDROP, lost));
}

/* Options of a packet before which others were lost; their bytes */
static uint32_t lost_options(uint8_t *p, uint64_t lost)
{
	char text[64];
	uint8_t *start = p;

	p = put_count(p, EPB_DROPCOUNT, lost);
	snprintf(text, sizeof(text),
		 "%" PRIu64 " records before this one were lost", lost);
	p = put_text(p, OPT_COMMENT, text);
	return (uint32_t)(put_option(p, OPT_END, "", 0) - start);
}

uint32_t pcap_epb_len(const struct pcap_epb *e)
{
	uint8_t scratch[96];
	uint32_t options = e->lost ? lost_options(scratch, e->lost) : 0;

	return PCAP_EPB_HEADER + padded(e->len) + options + 4;
}

void pcap_epb(uint8_t *b, const struct pcap_epb *e)
{
	uint32_t len = pcap_epb_len(e);
	uint8_t *p = b + PCAP_EPB_HEADER + e->len;

	pcap_put32(b + 4, len);
	pcap_put32(b + 8, e->interface);
	put_time(b + 12, e->at_ns);
	pcap_put32(b + 20, e->len);
	pcap_put32(b + 24, e->full);
	memset(p, 0, padded(e->len) - e->len);
	p += padded(e->len) - e->len;
	if (e->lost)
		p += lost_options(p, e->lost);
	pcap_put32(p, len);
}
