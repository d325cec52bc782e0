/* SPDX-License-Identifier: BSD-2-Clause */
#include "emu/snap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct snap *s, size_t more)
{
	size_t cap = s->cap ? s->cap : 4096;
	uint8_t *p;

	while (cap - s->len < more)
		cap *= 2;
	if (cap == s->cap)
		return true;
	p = realloc(s->buf, cap);
	if (!p) {
		s->err = -ENOMEM;
		return false;
	}
	s->buf = p;
	s->cap = cap;
	return true;
}

void snap_check(struct snap *s, bool ok)
{
	if (!ok && s->reading && !s->err)
		s->err = -EINVAL;
}

void snap_bytes(struct snap *s, void *p, size_t len)
{
	if (s->reading)
		snap_check(s, len <= s->len - s->at);
	if (s->err || (!s->reading && !reserve(s, len)))
		return;
	if (s->reading) {
		memcpy(p, s->buf + s->at, len);
		s->at += len;
		return;
	}
	memcpy(s->buf + s->len, p, len);
	s->len += len;
}

void snap_same(struct snap *s, uint64_t v)
{
	uint64_t got = v;

	snap_num(s, &got, UINT64_MAX);
	if (!s->err && got != v)
		s->err = -ENOTSUP;
}

/* Seven bits a byte, the low ones first; all but the last have bit 7. */
void snap_num(struct snap *s, uint64_t *v, uint64_t max)
{
	uint64_t left = *v, got = 0;
	uint8_t b = 0x80;

	for (unsigned shift = 0; shift < 70 && (b & 0x80) && !s->err;
	     shift += 7) {
		b = (uint8_t)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
		snap_bytes(s, &b, 1);
		left >>= 7;
		got |= (uint64_t)(b & 0x7f) << shift;
	}
	snap_check(s, got <= max && !(b & 0x80));
	if (s->reading && !s->err)
		*v = got;
}

/* FNV-1a: against damage, not against people */
uint32_t snap_sum(const uint8_t *p, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 16777619u;
	return h;
}

void snap_finish(struct snap *s)
{
	uint32_t sum = snap_sum(s->buf, s->len);

	if (!s->err)
		snap_bytes(s, &sum, SNAP_TAIL);
}

void snap_start(struct snap *s, const uint8_t *buf, size_t len)
{
	uint32_t sum;

	*s = (struct snap){.reading = true, .err = -EINVAL};
	if (len < SNAP_TAIL)
		return;
	memcpy(&sum, buf + len - SNAP_TAIL, SNAP_TAIL);
	if (sum != snap_sum(buf, len - SNAP_TAIL))
		return;
	s->buf = (uint8_t *)(uintptr_t)buf; /* not written while reading */
	s->len = len - SNAP_TAIL;
	s->err = 0;
}
