/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmm_pcap_file.h - reads pcapng files as strictly as it can, for the tests of
 * those that write them.
 */
#ifndef TESTS_UNIT_VMM_PCAP_FILE_H
#define TESTS_UNIT_VMM_PCAP_FILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PF_MAX_IFS 8u

struct pf {
	uint8_t *b; /* owned: the file */
	size_t len;
	size_t at; /* of the block that comes next */

	/* the block returned last */
	uint32_t type;
	const uint8_t *body; /* behind type and length */
	uint32_t body_len;

	/* and if it is a packet */
	uint32_t interface;
	uint64_t ts;
	const uint8_t *packet;
	uint32_t caplen, origlen;
	uint64_t lost;    /* epb_dropcount */
	char comment[80]; /* "": none */

	/* so far */
	unsigned sections, interfaces, packets, statistics;
	uint64_t received[PF_MAX_IFS], dropped[PF_MAX_IFS];
};

static inline uint32_t pf_u32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static inline uint64_t pf_u64(const uint8_t *p)
{
	return pf_u32(p) | (uint64_t)pf_u32(p + 4) << 32;
}

static inline void pf_close(struct pf *f)
{
	free(f->b);
	f->b = NULL;
}

static inline void pf_open(struct pf *f, const char *path)
{
	FILE *s = fopen(path, "rb");
	long len;

	memset(f, 0, sizeof(*f));
	if (s == NULL)
		fail_msg("cannot open %s", path);
	fseek(s, 0, SEEK_END);
	len = ftell(s);
	rewind(s);
	assert_true(len >= 0);
	f->len = (size_t)len;
	f->b = malloc(f->len + 1);
	assert_non_null(f->b);
	assert_int_equal(fread(f->b, 1, f->len, s), f->len);
	fclose(s);
}

/* The value of option @code at @p, or NULL; checks the list to its end. */
static inline const uint8_t *pf_option(const uint8_t *p, const uint8_t *end,
				       unsigned code, uint32_t *ret_len)
{
	const uint8_t *found = NULL;

	while (p < end) {
		uint32_t head, len;

		assert_true(end - p >= 4);
		head = pf_u32(p);
		len = head >> 16;
		p += 4;
		if ((head & 0xffff) == 0) {
			assert_int_equal(len, 0);
			assert_ptr_equal(p, end);
			return found;
		}
		assert_true((size_t)(end - p) >= len);
		if ((head & 0xffff) == code) {
			found = p;
			*ret_len = len;
		}
		p += (len + 3) & ~3u;
	}
	return found;
}

static inline void pf_packet(struct pf *f)
{
	const uint8_t *end = f->body + f->body_len, *o, *v;
	uint32_t len = 0;

	assert_true(f->body_len >= 20);
	f->interface = pf_u32(f->body);
	assert_in_range(f->interface, 0, f->interfaces - 1);
	f->ts = (uint64_t)pf_u32(f->body + 4) << 32 | pf_u32(f->body + 8);
	f->caplen = pf_u32(f->body + 12);
	f->origlen = pf_u32(f->body + 16);
	assert_true(f->caplen <= f->origlen);
	f->packet = f->body + 20;
	assert_true(f->body_len - 20 >= ((f->caplen + 3) & ~3u));
	o = f->packet + ((f->caplen + 3) & ~3u);
	for (v = f->packet + f->caplen; v < o; v++)
		assert_int_equal(*v, 0);
	v = pf_option(o, end, 4, &len);
	f->lost = v ? pf_u64(v) : 0;
	f->comment[0] = 0;
	v = pf_option(o, end, 1, &len);
	if (v)
		snprintf(f->comment, sizeof(f->comment), "%.*s", (int)len, v);
	f->packets++;
}

static inline void pf_statistics(struct pf *f)
{
	const uint8_t *end = f->body + f->body_len, *v;
	uint32_t i = pf_u32(f->body), len = 0;

	assert_in_range(i, 0, PF_MAX_IFS - 1);
	v = pf_option(f->body + 12, end, 4, &len);
	assert_non_null(v);
	f->received[i] = pf_u64(v);
	v = pf_option(f->body + 12, end, 5, &len);
	assert_non_null(v);
	f->dropped[i] = pf_u64(v);
	f->statistics++;
}

/* The next block; false at the end. Anything wrong fails the test. */
static inline bool pf_next(struct pf *f)
{
	const uint8_t *p = f->b + f->at;
	uint32_t len;

	if (f->at == f->len)
		return false;
	assert_true(f->len - f->at >= 12);
	f->type = pf_u32(p);
	len = pf_u32(p + 4);
	assert_int_equal(len % 4, 0);
	assert_in_range(len, 12, f->len - f->at);
	assert_int_equal(pf_u32(p + len - 4), len);
	f->body = p + 8;
	f->body_len = len - 12;
	assert_true(f->sections || f->type == 0x0a0d0d0a);
	switch (f->type) {
	case 0x0a0d0d0a:
		f->sections++;
		assert_int_equal(f->at, 0);
		break;
	case 1:
		f->interfaces++;
		break;
	case 5:
		pf_statistics(f);
		break;
	case 6:
		pf_packet(f);
		break;
	default:
		fail_msg("a block of type %u", f->type);
	}
	f->at += len;
	return true;
}

#endif
