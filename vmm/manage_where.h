/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manage_where.h - where in a text that is valid JSON a value is, for messages:
 * jansson tells that only of what it cannot read.
 */
#ifndef VMM_MANAGE_WHERE_H
#define VMM_MANAGE_WHERE_H

#include <stddef.h>

/* A way into a document: members by .key, elements by .index where it is NULL */
struct where_step {
	const char *key;
	size_t index;
};

/*
 * where_find - line and column, from 1, of the member's name or the element
 * that the @n steps lead to in @text, as far as the way goes.
 */
void where_find(const char *text, const struct where_step *steps, size_t n,
		int *ret_line, int *ret_column);

#endif
