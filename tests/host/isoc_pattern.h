/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * isoc_pattern.h - what the isochronous packets of usbip_dev's alternate setting
 * 2 look like; its other side is isoc.c. As 44.1 kHz audio in frames of 1 ms has
 * it: 44 samples of 4 bytes, and 45 in each tenth packet. The packet's number is
 * in each of them. Some packets are lost, always the same ones.
 */
#ifndef TESTS_HOST_ISOC_PATTERN_H
#define TESTS_HOST_ISOC_PATTERN_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define ISOC_LOST_EACH 50u
#define ISOC_STATS 0x70 /* vendor request, IN: struct isoc_stats */

/* What the device got, little endian. */
struct isoc_stats {
	uint32_t packets;   /* that came */
	uint32_t bad;       /* of these, of wrong size or content */
	uint32_t first_bad; /* its number, if there is one */
	uint32_t gaps; /* packets that never came, by the numbers of others */
};

static inline bool isoc_is_lost(uint32_t n)
{
	return n % ISOC_LOST_EACH == ISOC_LOST_EACH - 1;
}

static inline uint32_t isoc_size(uint32_t n)
{
	return n % 10 == 9 ? 45 * 4 : 44 * 4;
}

/* The number in a packet of at least 4 bytes */
static inline uint32_t isoc_number(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v / 64;
}

static inline void isoc_fill(uint8_t *p, uint32_t n)
{
	for (uint32_t i = 0; i < isoc_size(n); i += 4) {
		uint32_t v = n * 64 + i / 4;

		memcpy(p + i, &v, 4);
	}
}

static inline bool isoc_is_right(const uint8_t *p, uint32_t len, uint32_t n)
{
	uint8_t want[45 * 4];

	isoc_fill(want, n);
	return len == isoc_size(n) && !memcmp(p, want, len);
}

#endif
