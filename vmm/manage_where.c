/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/manage_where.h"

#include <stdbool.h>
#include <string.h>

static const char *skip_blank(const char *s)
{
	return s + strspn(s, " \t\r\n");
}

/* Past the string that begins at @s */
static const char *skip_string(const char *s)
{
	for (s++; *s && *s != '"'; s++)
		if (*s == '\\' && s[1])
			s++;
	return *s ? s + 1 : s;
}

/* Past the value that begins at @s; nesting is only counted */
static const char *skip_value(const char *s)
{
	unsigned depth = 0;

	do {
		s = skip_blank(s);
		if (*s == '"') {
			s = skip_string(s);
		} else if (*s == '{' || *s == '[') {
			depth++;
			s++;
		} else if (*s == '}' || *s == ']') {
			depth--;
			s++;
		} else if (*s == ',' || *s == ':') {
			s++;
		} else if (*s) {
			s += strcspn(s, " \t\r\n,:{}[]\"");
		}
	} while (*s && depth > 0);
	return s;
}

/* A name without escapes; others are not found, which costs a column. */
static bool is_key(const char *s, const char *key)
{
	size_t n = strlen(key);

	return strncmp(s + 1, key, n) == 0 && s[1 + n] == '"';
}

/* From a value to one in it; NULL: it is not there */
static const char *step_in(const char *s, const struct where_step *w,
			   const char **ret_key)
{
	bool object = *s == '{';

	if (*s != '{' && *s != '[')
		return NULL;
	s = skip_blank(s + 1);
	for (size_t i = 0; *s && *s != '}' && *s != ']'; i++) {
		const char *name = s;
		bool found = object ? w->key && is_key(s, w->key)
				    : !w->key && w->index == i;

		if (object) {
			s = skip_blank(skip_string(s));
			s = skip_blank(s + (*s == ':'));
		}
		if (found) {
			*ret_key = object ? name : s;
			return s;
		}
		s = skip_blank(skip_value(s));
		s = skip_blank(s + (*s == ','));
	}
	return NULL;
}

void where_find(const char *text, const struct where_step *steps, size_t n,
		int *ret_line, int *ret_column)
{
	const char *at = skip_blank(text), *line = text, *key = at, *next;

	for (size_t i = 0; i < n; i++) {
		next = step_in(at, &steps[i], &key);
		if (!next)
			break;
		at = next;
	}
	*ret_line = 1;
	for (const char *c = text; c < key; c++) {
		if (*c != '\n')
			continue;
		line = c + 1;
		++*ret_line;
	}
	*ret_column = (int)(key - line) + 1;
}
