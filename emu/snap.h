/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snap.h - numbers to a buffer that grows and back, so that one walk over a
 * controller's or a device's state describes both ways.
 */
#ifndef EMU_SNAP_H
#define EMU_SNAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SNAP_TAIL 4u /* bytes of the sum at the end */

struct snap {
	uint8_t *buf; /* owned while writing, borrowed while reading */
	size_t len, cap, at;
	bool reading;
	/* -ENOMEM, -EINVAL: it ended early, or cannot be; what a device says */
	int err;
};

void snap_bytes(struct snap *s, void *p, size_t len);
/* @v is written, or read: at most @max, or the whole is wrong */
void snap_num(struct snap *s, uint64_t *v, uint64_t max);
/* What was read is wrong where @ok is false. */
void snap_check(struct snap *s, bool ok);
/* @v is what it must be where it is read, or the whole is -ENOTSUP. */
void snap_same(struct snap *s, uint64_t v);
uint32_t snap_sum(const uint8_t *p, size_t len);
/* The sum of all that was written, behind it; what @s has is the caller's. */
void snap_finish(struct snap *s);
/* Begin to read @len bytes that end with their sum; -EINVAL: it is not right */
void snap_start(struct snap *s, const uint8_t *buf, size_t len);

/* A member of any size, by its size */
#define SNAP_MAX(s, m, max)                          \
	do {                                         \
		uint64_t snap_v = (uint64_t)(m);     \
		snap_num((s), &snap_v, (max));       \
		if ((s)->reading && !(s)->err)       \
			(m) = (__typeof__(m))snap_v; \
	} while (0)
#define SNAP(s, m)                           \
	SNAP_MAX((s), (m),                   \
		 sizeof(m) == 8 ? UINT64_MAX \
				: (1ull << (8 * (sizeof(m) & 7))) - 1)
#define SNAP_BOOL(s, m) SNAP_MAX((s), (m), 1)
/* A signed member between -@max and @max */
#define SNAP_SIGNED(s, m, max)                                          \
	do {                                                            \
		uint64_t snap_v = (uint64_t)((int64_t)(m) + (max));     \
		snap_num((s), &snap_v, 2 * (uint64_t)(max));            \
		if ((s)->reading && !(s)->err)                          \
			(m) = (__typeof__(m))((int64_t)snap_v - (max)); \
	} while (0)

struct xhci;
struct xhci_intr;
/* Where an event ring is written; its registers are software's to restore */
void snap_event_ring(struct snap *s, struct xhci_intr *it);
void snap_slots(struct snap *s, struct xhci *x);

#endif
