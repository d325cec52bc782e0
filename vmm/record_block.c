/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/record_block.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define MAGIC "VXHCIREC"
#define BLOCK_MAGIC 0x42527856u /* "VxRB" */
#define DEFLATED 1u
#define START_MIN 14u

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v);
	put16(p + 2, v >> 16);
}

static uint32_t get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	       (uint32_t)p[3] << 24;
}

static uint32_t sum(const uint8_t *p, size_t len)
{
	return (uint32_t)crc32(0, p, (uInt)len);
}

void rec_file_header(uint8_t buf[REC_FILE_HEADER])
{
	memcpy(buf, MAGIC, 8);
	put32(buf + 8, REC_VERSION);
	put32(buf + 12, sum(buf, 12));
}

size_t rec_block_pack(const struct rec_block *b, uint8_t *buf)
{
	uint8_t *body = buf + REC_BLOCK_HEADER;
	uLongf n = REC_BLOCK_FILE - REC_BLOCK_HEADER;

	memset(buf, 0, REC_BLOCK_HEADER);
	buf[5] = DEFLATED;
	if (compress2(body, &n, b->raw, b->len, 6) != Z_OK || n >= b->len) {
		buf[5] = 0;
		n = b->len;
		memcpy(body, b->raw, n);
	}
	put32(buf, BLOCK_MAGIC);
	buf[4] = (uint8_t)b->type;
	put16(buf + 6, b->stream);
	put32(buf + 8, b->seq);
	put32(buf + 12, b->len);
	put32(buf + 16, (uint32_t)n);
	put32(buf + 20, sum(body, n));
	put32(buf + 28, sum(buf, 28));
	return REC_BLOCK_HEADER + n;
}

size_t rec_start_pack(const struct rec_start *s, uint8_t *buf)
{
	size_t n = strlen(s->slot) + 1, m = strlen(s->program) + 1;

	buf[0] = s->cfg.usb2_ports;
	buf[1] = s->cfg.usb3_ports;
	buf[2] = s->cfg.ctx64;
	buf[3] = s->cfg.scratchpads;
	put32(buf + 4, (uint32_t)s->at_ns);
	put32(buf + 8, (uint32_t)(s->at_ns >> 32));
	memcpy(buf + 12, s->slot, n);
	memcpy(buf + 12 + n, s->program, m);
	return 12 + n + m;
}

/* A text that ends in what there is; anything that shows is a character. */
static int get_text(const uint8_t *buf, size_t len, char text[REC_TEXT])
{
	const uint8_t *end = memchr(buf, 0, len);

	if (!end || end - buf >= (ptrdiff_t)REC_TEXT)
		return -EINVAL;
	for (size_t i = 0; i <= (size_t)(end - buf); i++) {
		text[i] = (char)buf[i];
		if (buf[i] && (buf[i] < ' ' || buf[i] > '~'))
			text[i] = '?';
	}
	return (int)(end - buf) + 1;
}

int rec_start_unpack(const uint8_t *buf, size_t len, struct rec_start *ret)
{
	struct rec_start s = {0};
	int n;

	if (len < START_MIN)
		return -EINVAL;
	s.cfg.usb2_ports = buf[0];
	s.cfg.usb3_ports = buf[1];
	s.cfg.ctx64 = buf[2] != 0;
	s.cfg.scratchpads = buf[3];
	s.at_ns = get32(buf + 4) | (uint64_t)get32(buf + 8) << 32;
	n = get_text(buf + 12, len - 12, s.slot);
	if (n < 0 ||
	    get_text(buf + 12 + n, len - 12 - (size_t)n, s.program) < 0)
		return -EINVAL;
	*ret = s;
	return 0;
}

int rec_file_init(struct rec_file *f, const void *data, size_t len)
{
	uint8_t head[REC_FILE_HEADER];

	*f = (struct rec_file){.data = data, .len = len};
	rec_file_header(head);
	if (len < REC_FILE_HEADER || memcmp(data, head, 8) != 0 ||
	    get32(f->data + 12) != sum(data, 12))
		return -EINVAL;
	if (get32(f->data + 8) != REC_VERSION)
		return -EPROTONOSUPPORT;
	f->raw = malloc(REC_BLOCK_RAW);
	if (!f->raw)
		return -ENOMEM;
	rec_file_rewind(f);
	return 0;
}

void rec_file_fini(struct rec_file *f)
{
	free(f->raw);
	f->raw = NULL;
}

void rec_file_rewind(struct rec_file *f)
{
	f->off = REC_FILE_HEADER;
}

/* Room that a file system made and that was not written before a crash */
static bool all_zero(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (p[i])
			return false;
	return true;
}

static int unpack_body(struct rec_file *f, const uint8_t *h, uint32_t stored,
		       uint32_t len)
{
	uLongf n = len;

	if (sum(h + REC_BLOCK_HEADER, stored) != get32(h + 20))
		return -EBADMSG;
	if (!(h[5] & DEFLATED)) {
		if (stored != len)
			return -EBADMSG;
		memcpy(f->raw, h + REC_BLOCK_HEADER, len);
		return 0;
	}
	if (uncompress(f->raw, &n, h + REC_BLOCK_HEADER, stored) != Z_OK ||
	    n != len)
		return -EBADMSG;
	return 0;
}

int rec_file_next(struct rec_file *f, struct rec_block *ret)
{
	const uint8_t *h = f->data + f->off;
	size_t left = f->len - f->off;
	uint32_t stored, len;

	if (left == 0)
		return 0;
	if (left < REC_BLOCK_HEADER || all_zero(h, left))
		return -ENODATA;
	stored = get32(h + 16);
	len = get32(h + 12);
	if (get32(h) != BLOCK_MAGIC || get32(h + 28) != sum(h, 28) ||
	    len > REC_BLOCK_RAW || stored > REC_BLOCK_FILE)
		return -EBADMSG;
	if (stored > left - REC_BLOCK_HEADER)
		return -ENODATA;
	if (unpack_body(f, h, stored, len) < 0)
		return -EBADMSG;
	*ret = (struct rec_block){
		.type = h[4],
		.stream = (uint16_t)(h[6] | h[7] << 8),
		.seq = get32(h + 8),
		.raw = f->raw,
		.len = len,
	};
	f->off += REC_BLOCK_HEADER + stored;
	return 1;
}
