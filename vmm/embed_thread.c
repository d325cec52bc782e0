/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embed_thread.c - the library's own thread, for a VMM that has no event loop:
 * it waits for wakes, descriptors and the deadline, and dispatches.
 */
#include "vmm/embed.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

struct embed_thread {
	struct vxhci *v;     /* borrowed: the owner */
	struct loop *loop;   /* owned */
	struct loop_fds fds; /* embedded: of physical devices */
	pthread_t thread;    /* valid while running */
	bool running;        /* vxhci_start() and vxhci_stop() only */
};

static void thread_fd_ready(void *arg)
{
	vxhci_fd_ready(arg);
}

static uint64_t thread_work(void *arg)
{
	struct embed_thread *t = arg;
	uint64_t timeout_ns;

	loop_fds_apply(&t->fds);
	vxhci_dispatch(t->v, &timeout_ns);
	return timeout_ns;
}

static void *thread_run(void *arg)
{
	struct embed_thread *t = arg;

	if (loop_run(t->loop) < 0)
		embed_log(t->v, XHCI_LOG_ERROR,
			  "the controller's thread cannot wait: it has ended");
	return NULL;
}

int embed_thread_create(struct vxhci *v, struct embed_thread **ret_t)
{
	struct embed_thread *t = calloc(1, sizeof(*t));
	int r;

	if (t == NULL)
		return -ENOMEM;
	t->v = v;
	r = loop_create(thread_work, t, &t->loop);
	if (r < 0)
		goto free_t;
	r = loop_fds_init(&t->fds, t->loop, thread_fd_ready, v);
	if (r < 0)
		goto free_loop;
	*ret_t = t;
	return 0;
free_loop:
	loop_destroy(t->loop);
free_t:
	free(t);
	return r;
}

void embed_thread_free(struct embed_thread *t)
{
	if (t == NULL)
		return;
	loop_fds_fini(&t->fds);
	loop_destroy(t->loop);
	free(t);
}

void embed_thread_wake(struct embed_thread *t)
{
	loop_wake(t->loop);
}

void embed_thread_watch(struct embed_thread *t, int fd, short events)
{
	if (!loop_fds_watch(&t->fds, fd, events))
		embed_log(t->v, XHCI_LOG_ERROR,
			  "too many USB devices: one is not listened to");
}

/* Signals are the VMM's business, but for those a thread brings on itself. */
static void block_signals(sigset_t *ret_old)
{
	sigset_t set;

	sigfillset(&set);
	sigdelset(&set, SIGBUS);
	sigdelset(&set, SIGSEGV);
	sigdelset(&set, SIGILL);
	sigdelset(&set, SIGFPE);
	sigdelset(&set, SIGABRT);
	pthread_sigmask(SIG_BLOCK, &set, ret_old);
}

int vxhci_start(struct vxhci *v)
{
	struct embed_thread *t = v->own;
	sigset_t old;
	int r;

	if (t == NULL)
		return -EINVAL;
	if (t->running)
		return -EALREADY;
	embed_thread_wake(t); /* what was to be done meanwhile */
	block_signals(&old);
	r = pthread_create(&t->thread, NULL, thread_run, t);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	t->running = r == 0;
	return -r;
}

void vxhci_stop(struct vxhci *v)
{
	struct embed_thread *t = v->own;

	if (t == NULL || !t->running)
		return;
	loop_stop(t->loop);
	pthread_join(t->thread, NULL);
	t->running = false;
}
