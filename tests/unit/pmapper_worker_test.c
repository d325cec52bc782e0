/* SPDX-License-Identifier: BSD-2-Clause */
/* The worker thread. Run under TSan as well: SAN=tsan. */
#include "tests/unit/pmapper_fake.h"

#include <pthread.h>
#include <signal.h>
#include <time.h>

#define JOBS 100u

struct job {
	struct pm_work w;
	struct rig *rig;
	unsigned number;
	unsigned order; /* the worker's count when it ran */
	bool done;
	bool signals_blocked;
	pthread_t ran_on;
	struct job *another; /* queued by done() */
	struct usb_dev *dev; /* completed by done() */
	struct usb_xfer *t;
};

struct jobs {
	struct job job[JOBS];
	unsigned ran;  /* worker's, then ours */
	unsigned done; /* ours */
};

static struct jobs *jobs_of(struct job *j)
{
	return (struct jobs *)(j - j->number);
}

static void job_run(struct pm_work *w)
{
	struct job *j = (struct job *)w;
	sigset_t set;

	j->order = jobs_of(j)->ran++;
	j->ran_on = pthread_self();
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	j->signals_blocked = sigismember(&set, SIGTERM) == 1;
}

static void job_done(struct pm_work *w)
{
	struct job *j = (struct job *)w;

	assert_false(j->done);
	assert_int_equal(jobs_of(j)->done++, j->order);
	j->done = true;
	if (j->another)
		assert_int_equal(pm_work_submit(j->rig->pm, &j->another->w), 0);
	if (j->dev)
		usb_dev_complete(j->dev, j->t, USB_OK, 3);
}

static struct jobs *jobs_create(struct rig *rig)
{
	struct jobs *js = calloc(1, sizeof(*js));
	unsigned i;

	assert_non_null(js);
	for (i = 0; i < JOBS; i++) {
		js->job[i].w.run = job_run;
		js->job[i].w.done = job_done;
		js->job[i].rig = rig;
		js->job[i].number = i;
	}
	return js;
}

/* The loop: sleeps until woken, then runs. Fails after ten seconds. */
static void wait_for(struct rig *rig, const bool *flag)
{
	static const struct timespec ms = {0, 1000000};
	unsigned seen = 0, n;

	for (n = 0; !*flag; n++) {
		assert_in_range(n, 0, 10000);
		if (atomic_load(&rig->wakes) == seen) {
			nanosleep(&ms, NULL);
			continue;
		}
		seen = atomic_load(&rig->wakes);
		rig_run(rig);
	}
}

static void jobs_run_in_order_on_one_other_thread(void **state)
{
	struct rig *rig = *state;
	struct jobs *js = jobs_create(rig);
	unsigned i;

	for (i = 0; i < JOBS; i++)
		assert_int_equal(pm_work_submit(rig->pm, &js->job[i].w), 0);
	wait_for(rig, &js->job[JOBS - 1].done);
	for (i = 0; i < JOBS; i++) {
		assert_true(js->job[i].done);
		assert_int_equal(js->job[i].order, i);
		assert_true(js->job[i].signals_blocked);
		assert_true(
			pthread_equal(js->job[i].ran_on, js->job[0].ran_on));
	}
	assert_false(pthread_equal(js->job[0].ran_on, pthread_self()));
	assert_int_equal(atomic_load(&rig->wakes), JOBS);
	assert_int_equal(rig->kicks, 0);
	free(js);
}

static void done_comes_from_run_only(void **state)
{
	struct rig *rig = *state;
	struct jobs *js = jobs_create(rig);

	assert_int_equal(pm_work_submit(rig->pm, &js->job[0].w), 0);
	while (atomic_load(&rig->wakes) == 0)
		;
	assert_false(js->job[0].done);
	rig_run(rig);
	assert_true(js->job[0].done);
	free(js);
}

static void done_may_queue_a_job_and_complete(void **state)
{
	struct rig *rig = *state;
	struct jobs *js = jobs_create(rig);
	struct fake_dev *f = fake_plug(rig, 1);

	rig_submit(rig, 1, rig_xfer(rig, 0));
	js->job[0].another = &js->job[1];
	js->job[1].dev = &f->d;
	js->job[1].t = f->held[--f->nheld];
	assert_int_equal(pm_work_submit(rig->pm, &js->job[0].w), 0);
	wait_for(rig, &js->job[1].done);
	/* the run that called done() delivered as well */
	assert_int_equal(rig->x.ndone, 1);
	assert_int_equal(rig->t[0].actual, 3);
	free(js);
}

static void destroy_finishes_every_job(void **state)
{
	struct rig *rig = *state;
	struct jobs *js = jobs_create(rig);
	unsigned i;

	js->job[JOBS - 3].another = &js->job[JOBS - 2];
	js->job[JOBS - 2].another = &js->job[JOBS - 1];
	for (i = 0; i < JOBS - 2; i++)
		assert_int_equal(pm_work_submit(rig->pm, &js->job[i].w), 0);
	pmapper_destroy(rig->pm);
	for (i = 0; i < JOBS; i++)
		assert_true(js->job[i].done);
	assert_int_equal(js->ran, JOBS);
	free(js);
	assert_int_equal(pmapper_create(&rig->x, &rig_ops, rig, &rig->pm), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(jobs_run_in_order_on_one_other_thread),
		T(done_comes_from_run_only),
		T(done_may_queue_a_job_and_complete),
		T(destroy_finishes_every_job),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
