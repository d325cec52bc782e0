/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/loop_fds.h"

/* Any handler that ran makes the loop call work(). */
static void fd_ready(struct loop_fd *l, short revents)
{
	struct watched_fd *w = (struct watched_fd *)(void *)l;

	(void)revents;
	w->of->ready(w->of->arg);
}

int loop_fds_init(struct loop_fds *f, struct loop *loop,
		  void (*ready)(void *arg), void *arg)
{
	int r = pthread_mutex_init(&f->lock, NULL);

	if (r)
		return -r;
	f->loop = loop;
	f->ready = ready;
	f->arg = arg;
	f->changes = 0;
	for (unsigned i = 0; i < LOOP_FDS_MAX; i++) {
		f->watched[i] = (struct watched_fd){
			.l = {.fd = -1, .ready = fd_ready}, .of = f};
		f->want[i].fd = -1;
	}
	return 0;
}

void loop_fds_fini(struct loop_fds *f)
{
	for (unsigned i = 0; i < LOOP_FDS_MAX; i++)
		if (f->watched[i].l.fd >= 0)
			loop_del(f->loop, &f->watched[i].l);
	pthread_mutex_destroy(&f->lock);
}

/* The place of @fd, or a free one; LOOP_FDS_MAX: none. Under the lock. */
static unsigned find_place(const struct loop_fds *f, int fd)
{
	unsigned i, unused = LOOP_FDS_MAX;

	for (i = 0; i < LOOP_FDS_MAX; i++) {
		if (f->want[i].fd == fd)
			return i;
		if (f->want[i].fd < 0 && unused == LOOP_FDS_MAX)
			unused = i;
	}
	return unused;
}

bool loop_fds_watch(struct loop_fds *f, int fd, short events)
{
	unsigned i;

	pthread_mutex_lock(&f->lock);
	i = find_place(f, fd);
	if (i < LOOP_FDS_MAX) {
		f->want[i].fd = events ? fd : -1;
		f->want[i].events = events;
		f->changes++;
	}
	pthread_mutex_unlock(&f->lock);
	loop_wake(f->loop);
	return i < LOOP_FDS_MAX || !events;
}

static void apply_one(struct loop_fds *f, unsigned i)
{
	struct loop_fd *w = &f->watched[i].l;

	if (w->fd >= 0 && w->fd != f->want[i].fd) {
		loop_del(f->loop, w);
		w->fd = -1;
	}
	if (f->want[i].fd < 0)
		return;
	w->events = f->want[i].events;
	if (w->fd >= 0)
		return;
	w->fd = f->want[i].fd;
	if (loop_add(f->loop, w) != 0)
		w->fd = -1;
}

void loop_fds_apply(struct loop_fds *f)
{
	pthread_mutex_lock(&f->lock);
	for (unsigned i = 0; f->changes && i < LOOP_FDS_MAX; i++)
		apply_one(f, i);
	f->changes = 0;
	pthread_mutex_unlock(&f->lock);
}
