/* SPDX-License-Identifier: BSD-2-Clause */
/* Descriptors watched on behalf of other threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>
#include <poll.h>

#include "vmm/loop_fds.h"

struct test {
	struct loop *loop;
	struct loop_fds fds;
	int pipe[2];
	unsigned ready, turns, stop_at;
};

static void on_ready(void *arg)
{
	((struct test *)arg)->ready++;
}

static void *watch(void *arg)
{
	struct test *t = arg;

	loop_fds_watch(&t->fds, t->pipe[0], POLLIN);
	return NULL;
}

/* Each turn that something happens; a byte is taken and the last one stops. */
static uint64_t work(void *arg)
{
	struct test *t = arg;
	char c;

	loop_fds_apply(&t->fds);
	t->turns++;
	if (t->ready && read(t->pipe[0], &c, 1) == 1 && c == 'q')
		loop_stop(t->loop);
	if (t->turns == t->stop_at)
		loop_stop(t->loop);
	return LOOP_NEVER;
}

static int setup(void **state)
{
	static struct test t;

	t = (struct test){.ready = 0};
	assert_int_equal(loop_create(work, &t, &t.loop), 0);
	assert_int_equal(loop_fds_init(&t.fds, t.loop, on_ready, &t), 0);
	assert_int_equal(pipe(t.pipe), 0);
	*state = &t;
	return 0;
}

static int teardown(void **state)
{
	struct test *t = *state;

	loop_fds_fini(&t->fds);
	loop_destroy(t->loop);
	close(t->pipe[0]);
	close(t->pipe[1]);
	return 0;
}

static void event_is_told_and_makes_a_turn(void **state)
{
	struct test *t = *state;
	pthread_t thread;

	assert_int_equal(write(t->pipe[1], "xq", 2), 2);
	assert_int_equal(pthread_create(&thread, NULL, watch, t), 0);
	assert_int_equal(loop_run(t->loop), 0);
	pthread_join(thread, NULL);
	assert_int_equal(t->ready, 2);
}

static void unwatched_is_not_told(void **state)
{
	struct test *t = *state;

	assert_int_equal(write(t->pipe[1], "x", 1), 1);
	assert_true(loop_fds_watch(&t->fds, t->pipe[0], POLLIN));
	assert_true(loop_fds_watch(&t->fds, t->pipe[0], 0));
	assert_true(loop_fds_watch(&t->fds, t->pipe[0], 0));
	t->stop_at = 1;
	assert_int_equal(loop_run(t->loop), 0);
	assert_int_equal(t->ready, 0);
}

/* A descriptor closed and opened again as another has the same number. */
static void number_that_comes_back_is_watched(void **state)
{
	struct test *t = *state;

	assert_true(loop_fds_watch(&t->fds, t->pipe[0], POLLIN));
	loop_fds_apply(&t->fds);
	assert_true(loop_fds_watch(&t->fds, t->pipe[0], 0));
	assert_true(loop_fds_watch(&t->fds, t->pipe[0], POLLIN));
	assert_int_equal(write(t->pipe[1], "q", 1), 1);
	assert_int_equal(loop_run(t->loop), 0);
	assert_int_equal(t->ready, 1);
}

static void more_than_there_is_room_for(void **state)
{
	struct test *t = *state;

	for (int i = 0; i < (int)LOOP_FDS_MAX; i++)
		assert_true(loop_fds_watch(&t->fds, 1000 + i, POLLIN));
	assert_false(loop_fds_watch(&t->fds, 2000, POLLIN));
	assert_true(loop_fds_watch(&t->fds, 2000, 0));
	assert_true(loop_fds_watch(&t->fds, 1000, 0));
	assert_true(loop_fds_watch(&t->fds, 2000, POLLIN));
	loop_fds_apply(&t->fds);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(event_is_told_and_makes_a_turn),
		TEST(unwatched_is_not_told),
		TEST(number_that_comes_back_is_watched),
		TEST(more_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
