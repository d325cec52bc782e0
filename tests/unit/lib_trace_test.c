/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Captures of devices run both ways (tests/lib/trace.h), at once and at their
 * pace, and what a capture of that session holds. Without arguments those of
 * fixtures/captures; `lib_trace_test FILE...` runs others and prints a line for
 * each, `ok`, `refused` or `FAILED`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/lib/trace.h"

#define FIXTURES "fixtures/captures"

static char session[64];
static char buffered[96]; /* for --pcap: no record may be lost */

static void say(const char *verdict, const char *path, const char *why)
{
	printf("%-7s %s%s%s\n", verdict, path, *why ? ": " : "", why);
	fflush(stdout);
}

static void describe(const struct trace_stats *s, char *text, size_t len)
{
	snprintf(text, len,
		 "%u control, %u bulk, %u interrupt, %u isochronous (%u"
		 " packets, %u bad), %llu bytes, %u short, %u stalls, %u "
		 "errors, %u"
		 " cancelled, %u unplugs, %u of streams, %u open",
		 s->control, s->bulk, s->interrupt, s->isoch, s->packets,
		 s->bad_packets, (unsigned long long)s->bytes, s->shorts,
		 s->stalls, s->errors, s->cancels, s->unplugs, s->streams,
		 s->open);
}

/* At both paces, and the session's own capture against the original */
static enum trace_verdict run_file(const char *path, char *why, size_t len,
				   struct trace_stats *ret)
{
	struct trace_opt o = {.path = path, .option = "", .pcap = buffered};
	enum trace_verdict v;

	v = trace_run(&o, why, len, ret);
	if (v == TRACE_SAME)
		v = trace_compare(path, o.option, session, why, len);
	o.recorded_pace = true;
	o.pcap = NULL;
	if (v == TRACE_SAME)
		v = trace_run(&o, why, len, ret);
	unlink(session);
	return v;
}

static int run_files(char **path, int n)
{
	static const char *const words[] = {"ok", "refused", "FAILED"};
	int bad = 0;

	for (int i = 0; i < n; i++) {
		struct trace_stats s;
		char why[512] = "";
		enum trace_verdict v = run_file(path[i], why, sizeof(why), &s);

		if (v == TRACE_SAME)
			describe(&s, why, sizeof(why));
		say(words[v], path[i], why);
		bad |= v == TRACE_DIFFERS;
	}
	return bad;
}

/* What a device can do is in the fixtures together. */
static void note(struct trace_stats *all, const struct trace_stats *s)
{
	all->control += s->control;
	all->bulk += s->bulk;
	all->interrupt += s->interrupt;
	all->isoch += s->isoch;
	all->bad_packets += s->bad_packets;
	all->stalls += s->stalls;
	all->errors += s->errors;
	all->shorts += s->shorts;
	all->cancels += s->cancels;
	all->unplugs += s->unplugs;
	all->streams += s->streams;
}

static void every_fixture_is_as_it_was(void **state)
{
	DIR *d = opendir(FIXTURES);
	struct trace_stats all = {0};
	struct dirent *e;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		char path[512], why[512] = "";
		struct trace_stats s;

		if (e->d_name[0] == '.' || !strstr(e->d_name, ".pcap"))
			continue;
		snprintf(path, sizeof(path), FIXTURES "/%s", e->d_name);
		if (run_file(path, why, sizeof(why), &s) != TRACE_SAME)
			fail_msg("%s: %s", path, why);
		note(&all, &s);
	}
	closedir(d);
	assert_true(all.control && all.bulk && all.interrupt && all.isoch);
	assert_true(all.bad_packets && all.stalls && all.errors && all.shorts);
	assert_true(all.cancels && all.unplugs && all.streams);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_fixture_is_as_it_was),
	};
	int rc;

	snprintf(session, sizeof(session), "/tmp/lib_trace.%ld.pcapng",
		 (long)getpid());
	snprintf(buffered, sizeof(buffered), "%s,buffer=256", session);
	rc = argc > 1 ? run_files(argv + 1, argc - 1)
		      : cmocka_run_group_tests(tests, NULL, NULL);
	unlink(session);
	return rc;
}
