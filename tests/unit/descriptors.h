/* SPDX-License-Identifier: BSD-2-Clause */
/* How many file descriptors this process has: none is to stay behind. */
#ifndef VXHCI_TESTS_UNIT_DESCRIPTORS_H
#define VXHCI_TESTS_UNIT_DESCRIPTORS_H

#include <dirent.h>

static inline unsigned descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

#endif
