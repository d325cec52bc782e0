/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * load.h - the workload of the in-process benchmark: a row of the table says
 * what transfers, how many at once, in which buffers; load_run() does N of
 * them on a controller with a stub device and tells what they cost.
 */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include "tests/lib/gdrv_rig.h"

enum load_kind {
	LOAD_BULK_IN,
	LOAD_BULK_OUT,
	LOAD_CONTROL_IN,
	LOAD_INTR_IN,
	LOAD_ISO_IN,    /* a packet each 125 us, high speed */
	LOAD_ISO_OUT,   /* a packet each 1 ms */
	LOAD_STREAM_IN, /* bulk, TD by TD on the next of fifteen streams */
	LOAD_DOORBELL,  /* nothing to do; `depth` slots are enabled */
};

enum load_buf {
	BUF_ONE,   /* one TRB */
	BUF_PAGES, /* pages that do not touch, a chained TRB each */
	BUF_64K,   /* 64 KiB TRBs, chained */
	BUF_IDT,   /* immediate data */
};

struct load_row {
	enum load_kind kind;
	enum load_buf buf;
	uint32_t bytes;
	unsigned depth; /* TDs outstanding */
};

/* What @n TDs cost, all of them together. */
struct load_cost {
	uint64_t tds, bytes;
	uint64_t trbs; /* put on the ring, Links included */
	uint64_t trb_reads, trb_peeks, ctx_reads, ctx_writes;
	uint64_t events, interrupts, copied;
	uint64_t mem_gets; /* guest memory looked up */
	uint64_t allocs;   /* calls of malloc, calloc, realloc */
	uint64_t cpu_ns;   /* thread CPU clock */
};

#define LOAD_RINGS 15u

struct load {
	struct rig *g; /* owned */
	struct load_row row;
	struct gdrv_ring *ring[LOAD_RINGS]; /* those of the streams, or one */
	unsigned nrings, next;              /* the ring of the next TD */
	uint64_t esit_ns;                   /* isochronous: of one TD */
	uint64_t buf;
	struct gdrv_trb *trb; /* owned; one TD's */
	unsigned ntrbs;
	uint64_t todo;   /* TDs still to be posted */
	uint8_t *bounce; /* owned; what the device copies to and from */
	unsigned outstanding;
};

/* Rows of the matrix; *ret_n of them. */
const struct load_row *load_rows(unsigned *ret_n);
/* "bulk-in/4096/qd8/pages" */
void load_name(const struct load_row *row, char *buf, size_t len);
/* The number of TDs to measure with: fewer when they are big. */
unsigned load_count(const struct load_row *row);

void load_up(struct load *l, const struct load_row *row);
/* Driver errors and leaks, 0 when all is well. */
unsigned load_down(struct load *l);
/* @bounce: the device copies the payload once; else it takes it as it is. */
void load_run(struct load *l, unsigned n, bool bounce, struct load_cost *ret);
/*
 * load_gates - what must hold for @c whatever the machine; the first broken
 * one as text in @why, or true.
 */
bool load_gates(const struct load_row *row, const struct load_cost *c,
		bool bounce, char *why, size_t len);
/* Data arrives as it was sent, in a pass of its own. */
bool load_verify(struct load *l);

/* wrap.c: calls of malloc, calloc and realloc by this thread so far; the
 * program is linked with --wrap for each. */
uint64_t alloc_count(void);

#endif
