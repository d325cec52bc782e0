/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gdrv_rig.h - what most tests need: guest memory, a controller on a virtual
 * clock, a stub device in a port, the driver, the device configured.
 */
#ifndef TESTS_LIB_GDRV_RIG_H
#define TESTS_LIB_GDRV_RIG_H

#include "tests/lib/gdrv_emu.h"
#include "tests/lib/stub.h"

#define RIG_LOW 0x00100000ull   /* gpa of the first region, 16 MiB */
#define RIG_HIGH 0x100000000ull /* gpa of the second, 32 MiB */

/* Endpoints the rig configures: EP1 bulk, EP2 interrupt, out and in. */
#define RIG_OUT 2u
#define RIG_IN 3u
#define RIG_INT_OUT 4u
#define RIG_INT_IN 5u

struct rig_cfg {
	struct xhci_config xhci; /* zeroes: 4 and 4 ports */
	struct gdrv_opts opts;
	unsigned port;  /* 0: 1 (high speed) */
	unsigned nsegs; /* of transfer rings; 0: one of 256 */
	unsigned ntrbs[GDRV_SEGS];
	bool bare; /* stop after gdrv_start() */
};

struct rig {
	struct guestmem gm;
	struct gdrv_emu e;
	struct stub s;
	struct gdrv d;
	struct gdrv_dev *v; /* owned by d */
};

/* All of it up, or the program ends with a line. @cfg may be NULL. */
struct rig *rig_up(const struct rig_cfg *cfg);
/*
 * rig_down - take it down; returns the number of things that were wrong: what
 * the driver saw, guest memory still held.
 */
unsigned rig_down(struct rig *g);
/* Post one Normal TRB of @len bytes at @gpa. The TD's id. */
uint32_t rig_normal(struct rig *g, unsigned dci, uint64_t gpa, uint32_t len,
		    uint32_t flags);
/* Ring the doorbell of endpoint @dci and pump. */
void rig_ring(struct rig *g, unsigned dci);
/* Do @len bytes at @gpa hold the pattern from byte @n on? */
bool rig_pattern(struct rig *g, uint64_t gpa, size_t len, uint64_t n);
/* Fill them with it. */
void rig_fill(struct rig *g, uint64_t gpa, size_t len, uint64_t n);

#endif
