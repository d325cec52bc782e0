/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * snap.h - for snapshot.c: numbers to a buffer that grows and back, so that one
 * walk over the controller's state describes both ways.
 */
#ifndef EMU_SNAP_H
#define EMU_SNAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct snap {
	uint8_t *buf; /* owned while writing, borrowed while reading */
	size_t len, cap, at;
	bool reading;
	int err; /* -ENOMEM, or -EINVAL: it ended early, or cannot be */
};

void snap_bytes(struct snap *s, void *p, size_t len);
/* @v is written, or read: at most @max, or the whole is wrong */
void snap_num(struct snap *s, uint64_t *v, uint64_t max);
/* What was read is wrong where @ok is false. */
void snap_check(struct snap *s, bool ok);
uint32_t snap_sum(const uint8_t *p, size_t len);

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

struct xhci;
struct xhci_intr;
/* Where an event ring is written; its registers are software's to restore */
void snap_event_ring(struct snap *s, struct xhci_intr *it);
void snap_slots(struct snap *s, struct xhci *x);

#endif
