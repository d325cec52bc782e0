/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bench_emu - the in-process benchmark: counts and times of one TD, from the
 * doorbell to the event, over a stub device.
 *
 *   bench_emu table [FILTER]   the table; exit 1 when a gate fails
 *   bench_emu ir [FILTER]      under callgrind: a dump a row, see run.sh
 *   bench_emu calibrate        what this machine does in how long
 *
 * Every count is that of the second N of 2N transfers, so that what is done
 * once is not in it.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#if __has_include(<valgrind/callgrind.h>)
#include <valgrind/callgrind.h>
#else
#define CALLGRIND_ZERO_STATS
#define CALLGRIND_DUMP_STATS_AT(name) (void)(name)
#endif

#include "tests/bench/load.h"

#define ROUNDS 9u

static uint64_t now_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *v, unsigned n)
{
	qsort(v, n, sizeof(*v), by_value);
	return v[n / 2];
}

/* memcpy of @bytes, @n times; nanoseconds each */
static double time_memcpy(uint8_t *to, const uint8_t *from, size_t bytes,
			  unsigned n)
{
	uint64_t t0 = now_ns(CLOCK_THREAD_CPUTIME_ID);

	for (unsigned i = 0; i < n; i++) {
		memcpy(to, from, bytes);
		__asm__ volatile("" : : "r"(to) : "memory");
	}
	return (double)(now_ns(CLOCK_THREAD_CPUTIME_ID) - t0) / n;
}

static void pin(unsigned cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

struct hop {
	int there, back;
	unsigned cpu, n;
};

static void *hop_thread(void *arg)
{
	struct hop *h = arg;
	uint64_t v;

	pin(h->cpu);
	for (unsigned i = 0; i < h->n; i++) {
		if (read(h->there, &v, 8) != 8 || write(h->back, &v, 8) != 8)
			break;
	}
	return NULL;
}

/* One wake-up of a thread on @cpu from CPU 0, nanoseconds */
static double time_hop(unsigned cpu)
{
	struct hop h = {eventfd(0, 0), eventfd(0, 0), cpu, 2000};
	uint64_t v = 1, t0;
	pthread_t t;

	if (pthread_create(&t, NULL, hop_thread, &h))
		return 0;
	t0 = now_ns(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < h.n; i++)
		if (write(h.there, &v, 8) != 8 || read(h.back, &v, 8) != 8)
			break;
	t0 = now_ns(CLOCK_MONOTONIC) - t0;
	pthread_join(t, NULL);
	close(h.there);
	close(h.back);
	return (double)t0 / h.n / 2;
}

static void calibrate(void)
{
	uint8_t *a = calloc(1, 1 << 20), *b = calloc(1, 1 << 20);
	uint64_t t0 = now_ns(CLOCK_MONOTONIC);
	double sys;

	if (!a || !b)
		exit(1);
	memset(a, 1, 1 << 20);
	for (unsigned i = 0; i < 100000; i++)
		syscall(SYS_getppid);
	sys = (double)(now_ns(CLOCK_MONOTONIC) - t0) / 100000;
	printf("calibration: syscall %.0f ns, hop same cpu %.0f ns, hop other "
	       "cpu %.0f ns, memcpy 4K %.0f 64K %.0f 1M %.0f ns\n",
	       sys, time_hop(0),
	       sysconf(_SC_NPROCESSORS_ONLN) > 1 ? time_hop(1) : 0,
	       time_memcpy(b, a, 4096, 20000), time_memcpy(b, a, 65536, 2000),
	       time_memcpy(b, a, 1 << 20, 200));
	free(a);
	free(b);
}

/* What the times of a row came to, nanoseconds a TD. */
struct times {
	double direct, bounced, copy; /* medians */
	double lo, hi;                /* bounced by copy, paired */
};

static void time_row(struct load *l, unsigned n, struct times *ret)
{
	double direct[ROUNDS], bounced[ROUNDS], copy[ROUNDS], pair[ROUNDS];
	uint8_t *mem = guestmem_ptr(&l->g->gm, l->buf, 1 << 20);
	struct load_cost c;

	for (unsigned i = 0; i < ROUNDS; i++) {
		load_run(l, n, false, &c);
		direct[i] = (double)c.cpu_ns / n;
		load_run(l, n, true, &c);
		bounced[i] = (double)c.cpu_ns / n;
		copy[i] = l->row.bytes
				  ? time_memcpy(mem, l->bounce, l->row.bytes, n)
				  : 0;
		pair[i] = copy[i] > 0 ? bounced[i] / copy[i] : 0;
	}
	ret->direct = median(direct, ROUNDS);
	ret->bounced = median(bounced, ROUNDS);
	ret->copy = median(copy, ROUNDS);
	median(pair, ROUNDS);
	ret->lo = pair[0];
	ret->hi = pair[ROUNDS - 1];
}

static void print_row(const char *name, const struct load_cost *c,
		      const struct load_cost *b, const struct times *t)
{
	double n = (double)c->tds, trbs = (double)c->trbs;

	printf("%-28s %6.2f %5.2f %6.2f %6.2f %5.2f %5.2f %5.2f %6.2f %9.0f "
	       "%9.0f %8.0f %6.2f..%.2f\n",
	       name, (double)c->allocs / n,
	       b->bytes ? (double)b->copied / (double)b->bytes : 0,
	       trbs > 0 ? (double)c->trb_reads / trbs : 0,
	       (double)c->trb_peeks / n, (double)c->ctx_reads / n,
	       (double)c->events / n, (double)c->interrupts / n,
	       (double)c->mem_gets / n, t->direct, t->bounced, t->copy, t->lo,
	       t->hi);
}

/* Slope of the bulk IN times over bytes, by memcpy's: 64 KiB to 1 MiB */
static void print_slope(const struct times *small, const struct times *big)
{
	double bytes = (1 << 20) - (1 << 16);

	printf("per byte, 64 KiB to 1 MiB, bounced: %.4f ns, memcpy %.4f ns, "
	       "ratio %.2f\n",
	       (big->bounced - small->bounced) / bytes,
	       (big->copy - small->copy) / bytes,
	       (big->bounced - small->bounced) / (big->copy - small->copy));
}

static bool table_row(const struct load_row *row, const char *name,
		      struct times *t)
{
	unsigned n = load_count(row);
	struct load_cost c, b;
	char why[96] = "";
	struct load l;
	bool ok;

	load_up(&l, row);
	load_run(&l, n, false, &c);
	load_run(&l, n, true, &b);
	load_run(&l, n, false, &c);
	load_run(&l, n, true, &b);
	time_row(&l, n, t);
	print_row(name, &c, &b, t);
	ok = load_gates(row, &c, false, why, sizeof(why)) &&
	     load_gates(row, &b, true, why, sizeof(why));
	if (ok && (c.tds != n || !load_verify(&l))) {
		snprintf(why, sizeof(why), "lost transfers or wrong data");
		ok = false;
	}
	if (load_down(&l) && ok) {
		snprintf(why, sizeof(why), "the driver saw an error");
		ok = false;
	}
	if (!ok)
		printf("GATE %s: %s\n", name, why);
	fflush(stdout);
	return ok;
}

static int table(const char *filter)
{
	unsigned n, bad = 0;
	const struct load_row *rows = load_rows(&n);
	struct times small = {0}, big = {0};

	calibrate();
	pin(0);
	printf("%-28s %6s %5s %6s %6s %5s %5s %5s %6s %9s %9s %8s %s\n",
	       "per TD (the test's driver incl.)", "alloc", "cp/B", "rd/TRB",
	       "peeks", "ctxrd", "event", "intr", "memget", "ns direct",
	       "ns copied", "memcpy", "copied/memcpy");
	for (unsigned i = 0; i < n; i++) {
		struct times t;
		char name[64];

		load_name(&rows[i], name, sizeof(name));
		if (filter && !strstr(name, filter))
			continue;
		bad += !table_row(&rows[i], name, &t);
		if (!strcmp(name, "bulk-in/65536/qd8/one"))
			small = t;
		if (!strcmp(name, "bulk-in/1048576/qd8/64k"))
			big = t;
	}
	if (small.copy > 0 && big.copy > 0)
		print_slope(&small, &big);
	calibrate();
	printf("gates: %s\n", bad ? "FAILED" : "ok");
	return bad ? 1 : 0;
}

static int ir(const char *filter)
{
	unsigned n;
	const struct load_row *rows = load_rows(&n);

	for (unsigned i = 0; i < n; i++) {
		unsigned count =
			4 * rows[i].depth > 64 ? 4 * rows[i].depth : 64;
		struct load_cost c;
		struct load l;
		char name[96];

		load_name(&rows[i], name, sizeof(name) - 16);
		if (filter && !strstr(name, filter))
			continue;
		snprintf(name + strlen(name), 16, " %u", count);
		load_up(&l, &rows[i]);
		load_run(&l, count, false, &c);
		CALLGRIND_ZERO_STATS;
		load_run(&l, count, false, &c);
		CALLGRIND_DUMP_STATS_AT(name);
		if (load_down(&l))
			return 1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *filter = argc > 2 ? argv[2] : NULL;

	if (argc > 1 && !strcmp(argv[1], "table"))
		return table(filter);
	if (argc > 1 && !strcmp(argv[1], "ir"))
		return ir(filter);
	if (argc > 1 && !strcmp(argv[1], "calibrate")) {
		calibrate();
		return 0;
	}
	fprintf(stderr, "usage: bench_emu table|ir|calibrate [FILTER]\n");
	return 2;
}
