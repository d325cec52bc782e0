/* SPDX-License-Identifier: BSD-2-Clause */
/* Counts allocations: linked with --wrap=malloc and so on. */
#include <stdlib.h>

#include "tests/bench/load.h"

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static _Thread_local uint64_t count; /* a counter, no state */

void *__wrap_malloc(size_t n)
{
	count++;
	return __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	count++;
	return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	count++;
	return __real_realloc(p, n);
}

uint64_t alloc_count(void)
{
	return count;
}
