/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/pcap_opt.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB 1048576u
/* tcpdump's, and as much as Wireshark takes by default */
#define SNAP_DEFAULT 262144u
#define SNAP_MIN 64u /* a record's header */
#define BUFFER_DEFAULT 16u
#define FILES_DEFAULT 2u
#define RECORDS_IN_BUFFER 4u /* of the largest that can be */

enum key { KEY_SIZE, KEY_FILES, KEY_SNAP, KEY_BUFFER, NKEYS };

static const struct {
	const char *name;
	uint32_t min, max;
	const char *what; /* to do when the value is wrong */
} keys[NKEYS] = {
	[KEY_SIZE] = {"size", 1, 1048576, "give MiB, 1 to 1048576"},
	[KEY_FILES] = {"files", 1, 1000, "give a number, 1 to 1000"},
	[KEY_SNAP] = {"snap", SNAP_MIN, MIB, "give bytes, 64 to 1048576"},
	[KEY_BUFFER] = {"buffer", 1, 1024, "give MiB, 1 to 1024"},
};

struct parse {
	uint32_t value[NKEYS]; /* 0: not given */
	char *err;
	size_t errlen;
};

static int set_key(struct parse *s, const char *token)
{
	size_t len = strcspn(token, "=");
	unsigned long n = 0;
	const char *c;
	unsigned k;

	for (k = 0; k < NKEYS; k++)
		if (strlen(keys[k].name) == len &&
		    !strncmp(keys[k].name, token, len))
			break;
	if (k == NKEYS || token[len] != '=') {
		snprintf(s->err, s->errlen,
			 "%.64s: unknown option: there are size=, files=, "
			 "snap= and buffer=; write a comma in FILE as two",
			 *token ? token : "''");
		return -EINVAL;
	}
	for (c = token + len + 1; *c >= '0' && *c <= '9' && n <= MIB; c++)
		n = n * 10 + (unsigned long)(*c - '0');
	if (c == token + len + 1 || *c || n < keys[k].min || n > keys[k].max) {
		snprintf(s->err, s->errlen, "%.64s: wrong value: %s", token,
			 keys[k].what);
		return -EINVAL;
	}
	if (s->value[k]) {
		snprintf(s->err, s->errlen, "%.64s: given twice: leave one out",
			 token);
		return -EINVAL;
	}
	s->value[k] = (uint32_t)n;
	return 0;
}

/* Cut @text at its first comma that stands alone; the rest or NULL. */
static char *cut(char *text)
{
	char *to = text;

	for (char *c = text; *c; c++) {
		if (*c == ',' && c[1] != ',') {
			*to = '\0';
			return c + 1;
		}
		c += *c == ',';
		*to++ = *c;
	}
	*to = '\0';
	return NULL;
}

static int check(struct parse *s, const char *file)
{
	uint32_t snap = s->value[KEY_SNAP];

	if (!*file)
		snprintf(s->err, s->errlen, "'': no file: name one");
	else if (s->value[KEY_FILES] && !s->value[KEY_SIZE])
		snprintf(s->err, s->errlen,
			 "files=%u: without size=: say how large each is",
			 s->value[KEY_FILES]);
	else if ((uint64_t)snap * RECORDS_IN_BUFFER >
		 (uint64_t)s->value[KEY_BUFFER] * MIB)
		snprintf(s->err, s->errlen,
			 "snap=%u: too large for the buffer: give "
			 "buffer=%u or more",
			 snap, (snap * RECORDS_IN_BUFFER + MIB - 1) / MIB);
	else
		return 0;
	return -EINVAL;
}

static int read_tokens(struct parse *s, char *text)
{
	char *next = cut(text), *token;

	while ((token = next) != NULL) {
		int r;

		next = cut(token);
		r = set_key(s, token);
		if (r < 0)
			return r;
	}
	if (!s->value[KEY_SNAP])
		s->value[KEY_SNAP] = SNAP_DEFAULT;
	if (!s->value[KEY_BUFFER])
		s->value[KEY_BUFFER] = BUFFER_DEFAULT;
	return check(s, text);
}

int pcap_opt_parse(const char *text, char *err, size_t errlen,
		   struct pcap_opt *ret)
{
	struct parse s = {.err = err, .errlen = errlen};
	char *copy = strdup(text);
	int r;

	if (copy == NULL) {
		snprintf(err, errlen, "%.64s: out of memory: try again", text);
		return -ENOMEM;
	}
	r = read_tokens(&s, copy);
	if (r < 0) {
		free(copy);
		return r;
	}
	*ret = (struct pcap_opt){
		.file = copy,
		.size = (uint64_t)s.value[KEY_SIZE] * MIB,
		.files =
			s.value[KEY_FILES] ? s.value[KEY_FILES] : FILES_DEFAULT,
		.snap = s.value[KEY_SNAP],
		.buffer = (size_t)s.value[KEY_BUFFER] * MIB,
	};
	return 0;
}

void pcap_opt_free(struct pcap_opt *o)
{
	free(o->file);
	o->file = NULL;
}
