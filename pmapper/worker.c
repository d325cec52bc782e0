/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * worker.c - the one thread beside the controller's, for calls that block.
 * A job goes over with the lock and comes back with the lock; nothing else is
 * shared.
 */
#include <errno.h>
#include <signal.h>

#include "pmapper/mapper.h"

static void work_append(struct pm_work **head, struct pm_work **tail,
			struct pm_work *job)
{
	job->next = NULL;
	if (*tail)
		(*tail)->next = job;
	else
		*head = job;
	*tail = job;
}

static struct pm_work *work_take(struct pm_work **head, struct pm_work **tail)
{
	struct pm_work *job = *head;

	if (job) {
		*head = job->next;
		if (!*head)
			*tail = NULL;
	}
	return job;
}

/* The next job; NULL when there is none and never will be. */
static struct pm_work *worker_next(struct worker *w)
{
	struct pm_work *job;

	pthread_mutex_lock(&w->lock);
	while (!w->head && !w->quit)
		pthread_cond_wait(&w->more, &w->lock);
	job = work_take(&w->head, &w->tail);
	pthread_mutex_unlock(&w->lock);
	return job;
}

static void *worker_main(void *arg)
{
	struct worker *w = arg;
	struct pm_work *job;

	while ((job = worker_next(w))) {
		job->run(job);
		pthread_mutex_lock(&w->lock);
		work_append(&w->done_head, &w->done_tail, job);
		pthread_mutex_unlock(&w->lock);
		w->wake(w->host);
	}
	return NULL;
}

/* Signals are the business of the program's own threads. */
static int worker_start(struct worker *w)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	sigdelset(&all, PM_THREAD_SIGNAL);
	r = pthread_sigmask(SIG_SETMASK, &all, &old);
	if (r)
		return -EAGAIN;
	r = pthread_create(&w->thread, NULL, worker_main, w);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		return -EAGAIN;
	w->started = true;
	return 0;
}

int worker_init(struct worker *w, void (*wake)(void *host), void *host)
{
	if (pthread_mutex_init(&w->lock, NULL))
		return -ENOMEM;
	if (pthread_cond_init(&w->more, NULL)) {
		pthread_mutex_destroy(&w->lock);
		return -ENOMEM;
	}
	w->wake = wake;
	w->host = host;
	return 0;
}

int worker_submit(struct worker *w, struct pm_work *job)
{
	int r;

	if (!w->started) {
		r = worker_start(w);
		if (r)
			return r;
	}
	pthread_mutex_lock(&w->lock);
	work_append(&w->head, &w->tail, job);
	pthread_cond_signal(&w->more);
	pthread_mutex_unlock(&w->lock);
	return 0;
}

void worker_reap(struct worker *w)
{
	struct pm_work *job, *next;

	if (!w->started)
		return;
	pthread_mutex_lock(&w->lock);
	job = w->done_head;
	w->done_head = NULL;
	w->done_tail = NULL;
	pthread_mutex_unlock(&w->lock);
	for (; job; job = next) {
		next = job->next;
		job->done(job);
	}
}

/*
 * What done() queues here runs on this thread: the worker has ended, and the
 * caller waits in any case.
 */
void worker_fini(struct worker *w)
{
	struct pm_work *job;

	if (w->started) {
		pthread_mutex_lock(&w->lock);
		w->quit = true;
		pthread_cond_signal(&w->more);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
		worker_reap(w);
		while ((job = work_take(&w->head, &w->tail))) {
			job->run(job);
			job->done(job);
		}
	}
	pthread_cond_destroy(&w->more);
	pthread_mutex_destroy(&w->lock);
}
