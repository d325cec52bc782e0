/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mmio.c - what a read of an xHCI register costs a guest.
 *
 *   mmio RESOURCE READS - the PCI function's resource0 in sysfs; prints the
 *                         microseconds that one read of MFINDEX takes
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define RTSOFF 0x18u

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

int main(int argc, char **argv)
{
	int fd = argc == 3 ? open(argv[1], O_RDWR | O_SYNC) : -1;
	unsigned n = argc == 3 ? (unsigned)atoi(argv[2]) : 0;
	volatile const uint8_t *bar;
	volatile const uint32_t *mfindex;
	double t0;

	if (fd < 0 || !n)
		return 2;
	bar = mmap(NULL, 0x4000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (bar == MAP_FAILED)
		return 1;
	mfindex =
		(volatile const uint32_t
			 *)(bar + (*(volatile const uint32_t *)(bar + RTSOFF) &
				   ~0x1fu));
	t0 = now_us();
	for (unsigned i = 0; i < n; i++)
		(void)*mfindex;
	printf("%.1f us a read\n", (now_us() - t0) / n);
	return 0;
}
