/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * timer.c - what devices do later. The host has one timer for all of them: it
 * asks for the deadline and calls when it is there.
 */
#include <time.h>

#include "pmapper/mapper.h"

uint64_t pm_now_ns(struct pmapper *pm)
{
	struct timespec ts;

	if (pm->ops->now_ns)
		return pm->ops->now_ns(pm->host);
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void timer_remove(struct pmapper *pm, struct pm_timer *t)
{
	if (t->prev)
		t->prev->next = t->next;
	else
		pm->timers = t->next;
	if (t->next)
		t->next->prev = t->prev;
	t->next = t->prev = NULL;
	t->set = false;
	pm->ntimers--;
}

void pm_timer_cancel(struct pmapper *pm, struct pm_timer *t)
{
	if (t->set)
		timer_remove(pm, t);
}

/* Behind those of the same time: each gets its turn. */
void pm_timer_set(struct pmapper *pm, struct pm_timer *t, uint64_t at_ns)
{
	uint64_t before;
	struct pm_timer *i = NULL, *next;

	pm_timer_cancel(pm, t);
	before = pmapper_deadline(pm);
	for (next = pm->timers; next && next->at_ns <= at_ns; next = i->next)
		i = next;
	t->at_ns = at_ns;
	t->prev = i;
	t->next = next;
	if (i)
		i->next = t;
	else
		pm->timers = t;
	if (next)
		next->prev = t;
	t->set = true;
	pm->ntimers++;
	/* inside pmapper_run() the host asks for the deadline afterwards */
	if (at_ns < before && !pm->running)
		pm->ops->kick(pm->host);
}

uint64_t pmapper_deadline(const struct pmapper *pm)
{
	return pm->timers ? pm->timers->at_ns : UINT64_MAX;
}

/* One that is set again for now waits for the next call. */
void pmapper_timer(struct pmapper *pm, uint64_t now_ns)
{
	for (unsigned n = pm->ntimers; n > 0; n--) {
		struct pm_timer *t = pm->timers;

		if (!t || t->at_ns > now_ns)
			break;
		timer_remove(pm, t);
		t->fire(t, now_ns);
	}
}
