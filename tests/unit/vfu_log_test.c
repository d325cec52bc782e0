/* SPDX-License-Identifier: BSD-2-Clause */
/* What `vxhci serve` says: one clean line each, and not too many of them. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "vmm/loop.h"
#include "vmm/serve_log.h"

struct rig {
	struct serve_log g;
	int fds[2];
	char text[65536];
};

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	assert_int_equal(pipe2(r->fds, O_NONBLOCK), 0);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	serve_log_fini(&r->g);
	close(r->fds[0]);
	close(r->fds[1]);
	free(r);
	return 0;
}

static const char *said(struct rig *r)
{
	ssize_t n = read(r->fds[0], r->text, sizeof(r->text) - 1);

	r->text[n < 0 ? 0 : n] = '\0';
	return r->text;
}

static unsigned lines(const char *text)
{
	unsigned n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void levels_above_are_not_said(void **state)
{
	struct rig *r = *state;

	serve_log_init(&r->g, r->fds[1], VXHCI_LOG_WARN, false, "0:30");
	serve_log_line(&r->g, VXHCI_LOG_INFO, "no");
	serve_log_line(&r->g, VXHCI_LOG_DEBUG, "no");
	assert_string_equal(said(r), "");
	serve_log_line(&r->g, VXHCI_LOG_WARN, "yes");
	serve_log_line(&r->g, VXHCI_LOG_ERROR, "too");
	assert_string_equal(said(r), "vxhci: 0:30: warning: yes\n"
				     "vxhci: 0:30: error: too\n");
}

static void a_devices_name_cannot_write_to_the_terminal(void **state)
{
	struct rig *r = *state;

	serve_log_init(&r->g, r->fds[1], VXHCI_LOG_WARN, false, "30");
	serve_log_line(&r->g, VXHCI_LOG_WARN, "a\033[2Jb\nc\x80");
	assert_string_equal(said(r), "vxhci: 30: warning: a?[2Jb?c?\n");
}

static void a_long_line_is_one_line(void **state)
{
	struct rig *r = *state;
	char text[4000];
	const char *out;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	serve_log_init(&r->g, r->fds[1], VXHCI_LOG_WARN, false, "30");
	serve_log_line(&r->g, VXHCI_LOG_WARN, text);
	out = said(r);
	assert_int_equal(lines(out), 1);
	assert_int_equal(out[strlen(out) - 1], '\n');
}

static void json_has_a_line_an_object(void **state)
{
	struct rig *r = *state;
	json_t *obj;

	serve_log_init(&r->g, r->fds[1], VXHCI_LOG_INFO, true, "30");
	serve_log_line(&r->g, VXHCI_LOG_INFO, "a \"quoted\" \\ word");
	assert_int_equal(lines(said(r)), 1);
	obj = json_loads(r->text, 0, NULL);
	assert_non_null(obj);
	assert_string_equal(json_string_value(json_object_get(obj, "level")),
			    "info");
	assert_string_equal(json_string_value(json_object_get(obj, "slot")),
			    "30");
	assert_string_equal(json_string_value(json_object_get(obj, "message")),
			    "a \"quoted\" \\ word");
	assert_int_equal(
		strlen(json_string_value(json_object_get(obj, "time"))),
		strlen("2025-01-01T00:00:00.000Z"));
	json_decref(obj);
}

/* A guest that provokes a line with every access does not fill the disk */
static void lines_are_rate_limited(void **state)
{
	struct rig *r = *state;
	uint64_t more = loop_now_ns();

	serve_log_init(&r->g, r->fds[1], VXHCI_LOG_WARN, false, "30");
	for (unsigned i = 0; i < 100000; i++)
		serve_log_line(&r->g, VXHCI_LOG_WARN, "again");
	/* as many as may be said meanwhile, each with how many were left out */
	more = (loop_now_ns() - more) / (1000000000 / SERVE_LOG_RATE) + 1;
	assert_in_range(lines(said(r)), SERVE_LOG_BURST,
			SERVE_LOG_BURST + 2 * more);
	usleep(2 * 1000000 / SERVE_LOG_RATE);
	serve_log_line(&r->g, VXHCI_LOG_WARN, "at last");
	assert_int_equal(lines(said(r)), 2);
	assert_non_null(strstr(r->text, "lines before this one were left out"));
	assert_non_null(strstr(r->text, "at last"));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(levels_above_are_not_said),
		T(a_devices_name_cannot_write_to_the_terminal),
		T(a_long_line_is_one_line),
		T(json_has_a_line_an_object),
		T(lines_are_rate_limited),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
