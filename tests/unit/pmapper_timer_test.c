/* SPDX-License-Identifier: BSD-2-Clause */
/* What devices do later: order, the deadline, setting anew from inside. */
#include "tests/unit/pmapper_fake.h"

#define NTIMERS 4u

struct alarm {
	struct pm_timer t; /* first */
	struct rig *rig;
	char name;
	uint64_t again_at;        /* sets itself then, 0: does not */
	struct pm_timer *forget;  /* cancels this one, NULL: none */
	struct pm_timer *set;     /* sets this one for set_at */
	uint64_t set_at, last_ns; /* last_ns: what fire() was told */
};

static char fired[32]; /* names in order */

static void alarm_fire(struct pm_timer *t, uint64_t now_ns)
{
	struct alarm *a = (struct alarm *)t;
	size_t n = strlen(fired);

	assert_false(t->set);
	assert_true(now_ns >= a->last_ns);
	a->last_ns = now_ns;
	fired[n] = a->name;
	fired[n + 1] = 0;
	if (a->again_at)
		pm_timer_set(a->rig->pm, t, a->again_at);
	if (a->forget)
		pm_timer_cancel(a->rig->pm, a->forget);
	if (a->set)
		pm_timer_set(a->rig->pm, a->set, a->set_at);
}

#define assert_fired(text)                        \
	do {                                      \
		assert_string_equal(fired, text); \
		fired[0] = 0;                     \
	} while (0)

static struct alarm *alarms(struct rig *rig)
{
	static struct alarm a[NTIMERS];

	memset(a, 0, sizeof(a));
	for (unsigned i = 0; i < NTIMERS; i++) {
		a[i].t.fire = alarm_fire;
		a[i].rig = rig;
		a[i].name = (char)('a' + i);
	}
	fired[0] = 0;
	return a;
}

static void none_set_none_due(void **state)
{
	struct rig *rig = *state;
	struct alarm *a = alarms(rig);

	assert_true(pmapper_deadline(rig->pm) == UINT64_MAX);
	pmapper_timer(rig->pm, UINT64_MAX - 1);
	pm_timer_cancel(rig->pm, &a[0].t);
	pm_timer_cancel(NULL, &a[0].t);
	assert_int_equal(rig->kicks, 0);
	assert_fired("");
}

static void in_order_of_time_and_never_early(void **state)
{
	static const uint64_t at[NTIMERS] = {300, 100, 200, 100};
	struct rig *rig = *state;
	struct alarm *a = alarms(rig);

	for (unsigned i = 0; i < NTIMERS; i++)
		pm_timer_set(rig->pm, &a[i].t, at[i]);
	assert_int_equal(pmapper_deadline(rig->pm), 100);
	pmapper_timer(rig->pm, 99);
	assert_fired("");
	pmapper_timer(rig->pm, 100);
	assert_fired("bd");
	assert_int_equal(pmapper_deadline(rig->pm), 200);
	pmapper_timer(rig->pm, 1000); /* late: the rest, in order */
	assert_fired("ca");
	assert_true(pmapper_deadline(rig->pm) == UINT64_MAX);
}

static void set_again_replaces(void **state)
{
	struct rig *rig = *state;
	struct alarm *a = alarms(rig);

	pm_timer_set(rig->pm, &a[0].t, 100);
	pm_timer_set(rig->pm, &a[1].t, 200);
	pm_timer_set(rig->pm, &a[0].t, 300);
	assert_int_equal(pmapper_deadline(rig->pm), 200);
	pm_timer_cancel(rig->pm, &a[1].t);
	assert_int_equal(pmapper_deadline(rig->pm), 300);
	pmapper_timer(rig->pm, 300);
	assert_fired("a");
}

/* The host hears of it when its own deadline is too late, and only then. */
static void a_nearer_deadline_kicks(void **state)
{
	struct rig *rig = *state;
	struct alarm *a = alarms(rig);

	pm_timer_set(rig->pm, &a[0].t, 100);
	assert_int_equal(rig->kicks, 1);
	pm_timer_set(rig->pm, &a[1].t, 200);
	pm_timer_set(rig->pm, &a[2].t, 100);
	assert_int_equal(rig->kicks, 1);
	pm_timer_set(rig->pm, &a[1].t, 50);
	assert_int_equal(rig->kicks, 2);
	for (unsigned i = 0; i < 3; i++)
		pm_timer_cancel(rig->pm, &a[i].t);
	assert_true(pmapper_deadline(rig->pm) == UINT64_MAX);
}

/* One that is always due cannot keep the caller, nor the others out. */
static void each_once_a_call(void **state)
{
	struct rig *rig = *state;
	struct alarm *a = alarms(rig);

	a[0].again_at = 1;
	pm_timer_set(rig->pm, &a[0].t, 1);
	pm_timer_set(rig->pm, &a[1].t, 1);
	pmapper_timer(rig->pm, 10);
	assert_fired("ab");
	assert_int_equal(pmapper_deadline(rig->pm), 1);
	pmapper_timer(rig->pm, 11);
	assert_fired("a");
	pm_timer_cancel(rig->pm, &a[0].t);
}

/* fire() may cancel and set others that are due in the same call. */
static void fire_changes_others(void **state)
{
	struct rig *rig = *state;
	struct alarm *a = alarms(rig);

	a[0].forget = &a[1].t;
	a[0].set = &a[2].t;
	a[0].set_at = 500;
	for (unsigned i = 0; i < 3; i++)
		pm_timer_set(rig->pm, &a[i].t, 10 + i);
	pmapper_timer(rig->pm, 100);
	assert_fired("a");
	assert_int_equal(pmapper_deadline(rig->pm), 500);
	assert_false(a[1].t.set);
	pmapper_timer(rig->pm, 500);
	assert_fired("c");
}

static void the_clock_goes_on_by_itself(void **state)
{
	struct rig *rig = *state;
	uint64_t t0 = pm_now_ns(rig->pm);

	assert_true(t0 > 0);
	assert_true(pm_now_ns(rig->pm) >= t0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(none_set_none_due),
		T(in_order_of_time_and_never_early),
		T(set_again_replaces),
		T(a_nearer_deadline_kicks),
		T(each_once_a_call),
		T(fire_changes_others),
		T(the_clock_goes_on_by_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
