/* SPDX-License-Identifier: BSD-2-Clause */
/* The event loop: when it wakes up, and above all when it does not. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/loop.h"

struct rig {
	struct loop *l;
	pthread_t thread;
	int event; /* an eventfd that the loop watches */
	struct loop_fd fd;
	atomic_uint works;
	unsigned readies;
	uint64_t want_ns; /* what work() returns the next time */
	uint64_t at_ns;   /* when work() was called last */
	long switches;    /* times the thread went to sleep, at its end */
	atomic_int tid;
};

static uint64_t work(void *arg)
{
	struct rig *r = arg;
	uint64_t in_ns = r->want_ns;

	r->works++;
	r->at_ns = loop_now_ns();
	r->want_ns = LOOP_NEVER;
	return in_ns;
}

static void ready(struct loop_fd *f, short revents)
{
	struct rig *r = (void *)((char *)f - offsetof(struct rig, fd));
	uint64_t n;

	assert_true(revents & POLLIN);
	assert_int_equal(read(f->fd, &n, sizeof(n)), sizeof(n));
	r->readies++;
}

static void *thread(void *arg)
{
	struct rig *r = arg;
	struct rusage use;
	int err;

	r->tid = gettid();
	err = loop_run(r->l);
	getrusage(RUSAGE_THREAD, &use);
	r->switches = use.ru_nvcsw;
	return (void *)(intptr_t)err;
}

static void start(struct rig *r, uint64_t want_ns)
{
	*r = (struct rig){.want_ns = want_ns};
	assert_int_equal(loop_create(work, r, &r->l), 0);
	r->event = eventfd(0, EFD_CLOEXEC);
	r->fd = (struct loop_fd){r->event, POLLIN, ready};
	assert_int_equal(loop_add(r->l, &r->fd), 0);
}

static void run(struct rig *r)
{
	assert_int_equal(pthread_create(&r->thread, NULL, thread, r), 0);
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static bool asleep(int tid)
{
	char path[64], text[512] = "";
	const char *state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	state = strrchr(text, ')');
	assert_non_null(state);
	return state[2] == 'S';
}

/* Until work() was called that often and the loop sleeps, also on a busy machine */
static void settle(struct rig *r, unsigned works)
{
	uint64_t until_ns = loop_now_ns() + 20000000000u;

	while (r->tid == 0 || r->works < works || !asleep(r->tid)) {
		assert_true(loop_now_ns() < until_ns);
		pause_ms(1);
	}
}

static void finish(struct rig *r)
{
	void *ret;

	loop_stop(r->l);
	pthread_join(r->thread, &ret);
	assert_int_equal((intptr_t)ret, 0);
	loop_del(r->l, &r->fd);
	loop_destroy(r->l);
	close(r->event);
}

static void idle_loop_sleeps(void **state)
{
	struct rig r;

	(void)state;
	start(&r, LOOP_NEVER);
	run(&r);
	settle(&r, 0);
	pause_ms(200);
	finish(&r);
	assert_int_equal(r.works, 1); /* that of the stop */
	assert_in_range(r.switches, 0, 2);
}

/* Lingering ends: after each descriptor the loop sleeps again. */
static void lingering_loop_sleeps_too(void **state)
{
	uint64_t one = 1;
	struct rig r;

	(void)state;
	start(&r, LOOP_NEVER);
	loop_linger(r.l, 1000000);
	run(&r);
	settle(&r, 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(write(r.event, &one, sizeof(one)),
				 sizeof(one));
		pause_ms(60);
		settle(&r, i + 1);
	}
	loop_wake(r.l); /* wakes are not lost while it lingers */
	pause_ms(20);
	settle(&r, 4);
	finish(&r);
	assert_int_equal(r.readies, 3);
	assert_int_equal(r.works, 5);
	assert_in_range(r.switches, 4, 40);
}

static void wake_from_another_thread(void **state)
{
	struct rig r;

	(void)state;
	start(&r, LOOP_NEVER);
	run(&r);
	settle(&r, 0);
	for (unsigned i = 0; i < 5; i++) {
		loop_wake(r.l);
		pause_ms(20);
		settle(&r, i + 1);
	}
	finish(&r);
	assert_int_equal(r.works, 6);
}

/*
 * However the two threads interleave: each wake is followed by work. One wake
 * comes as the loop goes to sleep, another while it works.
 */
static void no_wake_is_lost(void **state)
{
	uint64_t until_ns;
	struct rig r;

	(void)state;
	start(&r, LOOP_NEVER);
	run(&r);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned before = atomic_load(&r.works);

		loop_wake(r.l);
		until_ns = loop_now_ns() + 20000000000u;
		while (atomic_load(&r.works) == before)
			assert_true(loop_now_ns() < until_ns);
	}
	finish(&r);
}

static void wake_before_it_runs_counts(void **state)
{
	struct rig r;

	(void)state;
	start(&r, LOOP_NEVER);
	loop_wake(r.l);
	run(&r);
	pause_ms(20);
	settle(&r, 1);
	finish(&r);
	assert_int_equal(r.works, 2);
}

static void stop_before_it_runs_counts(void **state)
{
	struct rig r;

	(void)state;
	start(&r, LOOP_NEVER);
	loop_stop(r.l);
	assert_int_equal(loop_run(r.l), 0);
	assert_int_equal(r.works, 0);
	loop_del(r.l, &r.fd);
	loop_destroy(r.l);
	close(r.event);
}

static void deadline_is_kept(void **state)
{
	uint64_t begin_ns = loop_now_ns();
	struct rig r;

	(void)state;
	start(&r, 30000000);
	loop_wake(r.l);
	run(&r);
	pause_ms(100);
	settle(&r, 2);
	finish(&r);
	assert_int_equal(r.works, 3); /* wake, deadline, stop */
	assert_true(loop_now_ns() - begin_ns >= 100000000);
	assert_in_range(r.switches, 1, 4);
}

static void at_once_means_at_once(void **state)
{
	struct rig r;

	(void)state;
	start(&r, 0);
	loop_wake(r.l);
	run(&r);
	pause_ms(20);
	settle(&r, 2);
	finish(&r);
	assert_int_equal(r.works, 3);
}

static void work_follows_a_descriptor(void **state)
{
	uint64_t one = 1;
	struct rig r;

	(void)state;
	start(&r, LOOP_NEVER);
	run(&r);
	settle(&r, 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(write(r.event, &one, sizeof(one)), 8);
		pause_ms(20);
		settle(&r, i + 1);
	}
	finish(&r);
	assert_int_equal(r.readies, 3);
	assert_int_equal(r.works, 4);
}

static void no_events_wanted_none_reported(void **state)
{
	uint64_t one = 1;
	struct rig r;

	(void)state;
	start(&r, LOOP_NEVER);
	r.fd.events = 0;
	assert_int_equal(write(r.event, &one, sizeof(one)), 8);
	run(&r);
	pause_ms(50);
	finish(&r);
	assert_int_equal(r.readies, 0);
	assert_in_range(r.switches, 0, 2);
}

static void too_many_descriptors_are_refused(void **state)
{
	struct loop_fd fds[LOOP_MAX_FDS + 1];
	struct loop *l;

	(void)state;
	assert_int_equal(loop_create(NULL, NULL, &l), 0);
	for (unsigned i = 0; i <= LOOP_MAX_FDS; i++) {
		fds[i] = (struct loop_fd){-1, 0, ready};
		assert_int_equal(loop_add(l, &fds[i]),
				 i < LOOP_MAX_FDS ? 0 : -ENOSPC);
	}
	loop_del(l, &fds[3]);
	assert_int_equal(loop_add(l, &fds[LOOP_MAX_FDS]), 0);
	loop_destroy(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(idle_loop_sleeps),
		cmocka_unit_test(lingering_loop_sleeps_too),
		cmocka_unit_test(wake_from_another_thread),
		cmocka_unit_test(no_wake_is_lost),
		cmocka_unit_test(wake_before_it_runs_counts),
		cmocka_unit_test(stop_before_it_runs_counts),
		cmocka_unit_test(deadline_is_kept),
		cmocka_unit_test(at_once_means_at_once),
		cmocka_unit_test(work_follows_a_descriptor),
		cmocka_unit_test(no_events_wanted_none_reported),
		cmocka_unit_test(too_many_descriptors_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
