/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tsckhz.c - prints how fast this machine's time stamp counter counts, in kHz;
 * status 1 where it has none.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#if defined(__x86_64__)

#define LOOKS 64
#define APART_NS 200000000u

struct look {
	uint64_t ns, ticks;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_RAW, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Both clocks at the same time: of several looks, the shortest */
static struct look look(void)
{
	uint64_t least = UINT64_MAX;
	struct look best = {0, 0};

	for (int i = 0; i < LOOKS; i++) {
		uint64_t a = __builtin_ia32_rdtsc(), ns = now_ns();
		uint64_t b = __builtin_ia32_rdtsc();

		if (b - a < least) {
			least = b - a;
			best = (struct look){ns, a + (b - a) / 2};
		}
	}
	return best;
}

int main(void)
{
	const struct timespec pause = {0, APART_NS};
	struct look a = look(), b;

	nanosleep(&pause, NULL);
	b = look();
	if (b.ticks <= a.ticks || b.ns <= a.ns)
		return 1;
	printf("%llu\n", (unsigned long long)((double)(b.ticks - a.ticks) *
					      1e6 / (double)(b.ns - a.ns)));
	return 0;
}

#else

int main(void)
{
	return 1;
}

#endif
