/* SPDX-License-Identifier: BSD-2-Clause */
/* emu_seed.h - an input of emu_fuzz being written, operation by operation */
#ifndef TESTS_FUZZ_EMU_SEED_H
#define TESTS_FUZZ_EMU_SEED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tests/fuzz/emu_ops.h"

#define SEED_MAX 8192u

struct seed {
	uint8_t buf[SEED_MAX];
	size_t len;
	bool full; /* something had no place */
};

#define MAYBE_UNUSED __attribute__((unused)) static inline

MAYBE_UNUSED void s_bytes(struct seed *s, const void *p, size_t n)
{
	if (s->full || n > sizeof(s->buf) - s->len) {
		s->full = true;
		return;
	}
	memcpy(s->buf + s->len, p, n);
	s->len += n;
}

MAYBE_UNUSED void s8(struct seed *s, unsigned v)
{
	uint8_t b = (uint8_t)v;

	s_bytes(s, &b, 1);
}

MAYBE_UNUSED void s16(struct seed *s, unsigned v)
{
	s8(s, v);
	s8(s, v >> 8);
}

MAYBE_UNUSED void s32(struct seed *s, uint32_t v)
{
	s16(s, v & 0xffff);
	s16(s, v >> 16);
}

MAYBE_UNUSED void s64(struct seed *s, uint64_t v)
{
	s32(s, (uint32_t)v);
	s32(s, (uint32_t)(v >> 32));
}

MAYBE_UNUSED void s_op(struct seed *s, enum emu_op op)
{
	s8(s, op);
}

MAYBE_UNUSED void s_list(struct seed *s, const unsigned *v, size_t n)
{
	for (size_t i = 0; i < n; i++)
		s8(s, v[i]);
}

/* An operation with bytes for arguments */
#define S(s, ...)                                    \
	s_list((s), (const unsigned[]){__VA_ARGS__}, \
	       sizeof((const unsigned[]){__VA_ARGS__}) / sizeof(unsigned))

MAYBE_UNUSED void s_wr(struct seed *s, uint32_t off, uint32_t v)
{
	s_op(s, OP_WRITE32);
	s16(s, off);
	s32(s, v);
}

MAYBE_UNUSED void s_mem(struct seed *s, uint32_t gpa, const void *p, size_t n)
{
	s_op(s, OP_MEM);
	s32(s, gpa);
	s8(s, (unsigned)n);
	s_bytes(s, p, n);
}

#endif
