/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts allocations: linked with --wrap=malloc and so on. */
#include "tests/bench/load.h"
#include "tests/lib/wrap_alloc.h"

static _Thread_local uint64_t count; /* a counter, no state */

static bool wrap_alloc_fails(void)
{
	count++;
	return false;
}

uint64_t alloc_count(void)
{
	return count;
}
