/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * wrap_alloc.h - malloc(), calloc() and realloc() that fail when wrap_alloc_fails()
 * says so. For one file of a program linked with --wrap of the three (tests.mk).
 */
#ifndef TESTS_LIB_WRAP_ALLOC_H
#define TESTS_LIB_WRAP_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

/* The includer's: asked once for each call. */
static bool wrap_alloc_fails(void);

void *__real_malloc(size_t n);
void *__real_calloc(size_t k, size_t n);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t k, size_t n);
void *__wrap_realloc(void *p, size_t n);

void *__wrap_malloc(size_t n)
{
	return wrap_alloc_fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t k, size_t n)
{
	return wrap_alloc_fails() ? NULL : __real_calloc(k, n);
}

void *__wrap_realloc(void *p, size_t n)
{
	return wrap_alloc_fails() ? NULL : __real_realloc(p, n);
}

#endif
