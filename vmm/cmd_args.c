/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/cmd.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MAX_WORD 32u

int cmd_error(const char *fmt, ...)
{
	char line[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
	fprintf(stderr, "vxhci: %s\n", line);
	return CMD_USAGE;
}

static size_t min2(size_t a, size_t b)
{
	return a < b ? a : b;
}

/*
 * Number of letters to add, drop, change or swap with their neighbour
 * (Damerau and Levenshtein's distance), for words below MAX_WORD.
 */
static size_t distance(const char *a, const char *b)
{
	size_t d[MAX_WORD + 1][MAX_WORD + 1];
	size_t na = strlen(a), nb = strlen(b);

	for (size_t i = 0; i <= na; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= nb; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= na; i++) {
		for (size_t j = 1; j <= nb; j++) {
			size_t cost = a[i - 1] != b[j - 1];

			d[i][j] = min2(d[i - 1][j - 1] + cost,
				       1 + min2(d[i - 1][j], d[i][j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1])
				d[i][j] = min2(d[i][j], d[i - 2][j - 2] + 1);
		}
	}
	return d[na][nb];
}

const char *cmd_nearest(const char *word, const char *const *names, size_t n)
{
	const char *best = NULL;
	size_t len = strlen(word), least;

	if (!len || len > MAX_WORD)
		return NULL;
	least = len / 3 + 1; /* one mistake in three letters */
	for (size_t i = 0; i < n; i++) {
		size_t dist;

		if (strlen(names[i]) > MAX_WORD)
			continue;
		dist = distance(word, names[i]);
		if (dist <= least && dist < strlen(names[i])) {
			least = dist ? dist - 1 : 0;
			best = names[i];
		}
	}
	return best;
}

static int unknown_long(const struct cmd_args *a, const char *word)
{
	const char *names[32], *near;
	size_t n = 0, len = strcspn(word + 2, "=");
	char name[MAX_WORD + 1] = "";

	for (const struct cmd_opt *o = a->opts; o->name && n < 32; o++)
		names[n++] = o->name;
	if (len <= MAX_WORD)
		memcpy(name, word + 2, len);
	near = cmd_nearest(name, names, n);
	if (near)
		cmd_error("%s: unknown option: did you mean --%s?", word, near);
	else
		cmd_error("%s: unknown option: see vxhci %s --help", word,
			  a->argv[0]);
	return -1;
}

/* The value of @o, which is @rest of the word (if not NULL) or the next */
static int take_value(struct cmd_args *a, const struct cmd_opt *o,
		      const char *word, const char *rest)
{
	if (rest) {
		a->value = rest;
		return o->id;
	}
	if (a->i >= a->argc) {
		cmd_error("%s: the value is missing: see vxhci %s --help", word,
			  a->argv[0]);
		return -1;
	}
	a->value = a->argv[a->i++];
	return o->id;
}

static int next_long(struct cmd_args *a)
{
	const char *word = a->argv[a->i++];
	size_t len = strcspn(word + 2, "=");
	const char *rest = word[2 + len] ? word + 2 + len + 1 : NULL;

	for (const struct cmd_opt *o = a->opts; o->name; o++) {
		if (strlen(o->name) != len || strncmp(o->name, word + 2, len))
			continue;
		if (o->has_value)
			return take_value(a, o, word, rest);
		if (!rest)
			return o->id;
		cmd_error("%s: takes no value: write --%s", word, o->name);
		return -1;
	}
	return unknown_long(a, word);
}

static int next_letter(struct cmd_args *a)
{
	char letter = *a->letter++;
	const char *rest = *a->letter ? a->letter : NULL;
	char word[3] = {'-', letter, '\0'};

	a->letter = rest;
	for (const struct cmd_opt *o = a->opts; o->name; o++) {
		if (o->letter != letter)
			continue;
		if (!o->has_value)
			return o->id;
		a->letter = NULL;
		return take_value(a, o, word, rest);
	}
	cmd_error("%s: unknown option: see vxhci %s --help", word, a->argv[0]);
	return -1;
}

int cmd_next_opt(struct cmd_args *a)
{
	const char *word;

	if (a->letter)
		return next_letter(a);
	if (a->i >= a->argc)
		return 0;
	word = a->argv[a->i];
	if (word[0] != '-' || !word[1] || !strcmp(word, "--")) {
		cmd_error("%s: unexpected argument: see vxhci %s --help",
			  word[0] ? word : "''", a->argv[0]);
		return -1;
	}
	if (word[1] == '-')
		return next_long(a);
	a->i++;
	a->letter = word + 1;
	return next_letter(a);
}
