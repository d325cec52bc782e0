/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S 1000000000u
#define LINGER_MIN_NS 20000u
#define NO_MEMORY_NS 10000000 /* until what ppoll(2) lacks may be there */

struct loop {
	uint64_t (*work)(void *arg);
	void *arg;                         /* borrowed, the owner's */
	struct loop_fd *fds[LOOP_MAX_FDS]; /* borrowed until loop_del() */
	unsigned nfds;
	uint64_t deadline_ns; /* LOOP_NEVER: none */
	int wake_rd, wake_wr; /* owned; a pipe, readable when woken asleep */
	atomic_bool woken;    /* work() is wanted */
	atomic_bool asleep;   /* a waker must write to the pipe */
	atomic_bool stop;
	uint64_t linger_max_ns;
	uint64_t linger_ns; /* now: by what lingering would have caught */
	bool busy;          /* a descriptor was ready in the turn before */
};

uint64_t loop_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

int loop_create(uint64_t (*work)(void *arg), void *arg, struct loop **ret_l)
{
	struct loop *l = calloc(1, sizeof(*l));
	int fds[2];

	if (!l)
		return -ENOMEM;
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		int err = -errno;

		free(l);
		return err;
	}
	l->wake_rd = fds[0];
	l->wake_wr = fds[1];
	l->work = work;
	l->arg = arg;
	l->deadline_ns = LOOP_NEVER;
	*ret_l = l;
	return 0;
}

void loop_destroy(struct loop *l)
{
	if (!l)
		return;
	close(l->wake_rd);
	close(l->wake_wr);
	free(l);
}

int loop_add(struct loop *l, struct loop_fd *f)
{
	if (l->nfds == LOOP_MAX_FDS)
		return -ENOSPC;
	l->fds[l->nfds++] = f;
	return 0;
}

void loop_del(struct loop *l, struct loop_fd *f)
{
	for (unsigned i = 0; i < l->nfds; i++) {
		if (l->fds[i] != f)
			continue;
		l->fds[i] = l->fds[--l->nfds];
		return;
	}
}

static bool loop_watches(const struct loop *l, const struct loop_fd *f)
{
	for (unsigned i = 0; i < l->nfds; i++)
		if (l->fds[i] == f)
			return true;
	return false;
}

/*
 * The flag first, then the question whether the loop may be asleep: the loop
 * does it the other way round, so one of the two sees the other.
 */
void loop_wake(struct loop *l)
{
	int saved = errno;

	atomic_store(&l->woken, true);
	if (atomic_exchange(&l->asleep, false)) {
		ssize_t n = write(l->wake_wr, "", 1);

		(void)n; /* EAGAIN: it is readable already */
	}
	errno = saved;
}

void loop_stop(struct loop *l)
{
	atomic_store(&l->stop, true);
	loop_wake(l);
}

/* How long to sleep; NULL for ever. @ts is where the time is kept. */
static struct timespec *loop_timeout(struct loop *l, struct timespec *ts)
{
	uint64_t now_ns, left_ns;

	ts->tv_sec = 0;
	ts->tv_nsec = 0;
	atomic_store(&l->asleep, true);
	if (atomic_load(&l->woken))
		return ts;
	if (l->deadline_ns == LOOP_NEVER)
		return NULL;
	now_ns = l->deadline_ns ? loop_now_ns() : 0;
	left_ns = l->deadline_ns > now_ns ? l->deadline_ns - now_ns : 0;
	ts->tv_sec = (time_t)(left_ns / NS_PER_S);
	ts->tv_nsec = (long)(left_ns % NS_PER_S);
	return ts;
}

/* Calls the handlers. Returns whether any ran. */
static bool loop_handle(struct loop *l, const struct pollfd *pfd,
			struct loop_fd *const *of, unsigned n)
{
	bool ran = false;

	for (unsigned i = 0; i < n; i++) {
		/* an earlier handler may have taken this one out */
		if (!pfd[i].revents || !loop_watches(l, of[i]) ||
		    of[i]->fd != pfd[i].fd)
			continue;
		of[i]->ready(of[i], pfd[i].revents);
		ran = true;
	}
	return ran;
}

static void loop_work(struct loop *l)
{
	uint64_t in_ns;

	l->deadline_ns = LOOP_NEVER;
	if (!l->work)
		return;
	in_ns = l->work(l->arg);
	if (in_ns == 0)
		l->deadline_ns = 0;
	else if (in_ns != LOOP_NEVER)
		l->deadline_ns = loop_now_ns() + in_ns;
}

void loop_linger(struct loop *l, uint64_t max_ns)
{
	l->linger_max_ns = max_ns;
	l->linger_ns = 0;
}

/* Look again and again for a while: who spoke last may speak again soon. */
static int poll_lingering(struct loop *l, struct pollfd *pfd, unsigned n,
			  uint64_t until_ns)
{
	static const struct timespec at_once;
	int ready;

	if (l->deadline_ns < until_ns)
		until_ns = l->deadline_ns;
	do {
		ready = ppoll(pfd, n, &at_once, NULL);
	} while (ready == 0 && !atomic_load(&l->woken) &&
		 loop_now_ns() < until_ns);
	return ready;
}

/* It slept, and was woken @after_ns: was it worth lingering that long? */
static void linger_learn(struct loop *l, uint64_t after_ns)
{
	if (after_ns >= l->linger_max_ns) {
		l->linger_ns /= 2;
		return;
	}
	l->linger_ns = 2 * l->linger_ns + LINGER_MIN_NS;
	if (l->linger_ns > l->linger_max_ns)
		l->linger_ns = l->linger_max_ns;
}

static int loop_sleep(struct loop *l, struct pollfd *pfd, unsigned n)
{
	struct timespec ts, *timeout = loop_timeout(l, &ts);
	int ready = ppoll(pfd, n, timeout, NULL);

	atomic_store(&l->asleep, false);
	return ready;
}

static int loop_wait(struct loop *l, struct pollfd *pfd, unsigned n)
{
	bool linger = l->busy && l->linger_max_ns && l->deadline_ns != 0;
	uint64_t from_ns = linger ? loop_now_ns() : 0;
	int ready = 0;

	if (linger && l->linger_ns)
		ready = poll_lingering(l, pfd, n, from_ns + l->linger_ns);
	if (ready == 0) {
		ready = loop_sleep(l, pfd, n);
		if (linger)
			linger_learn(l, loop_now_ns() - from_ns);
	}
	l->busy = ready > 0;
	return ready;
}

/* Is that the end, -errno, or does it pass? */
static int wait_failed(int error)
{
	const struct timespec ts = {.tv_nsec = NO_MEMORY_NS};

	if (error == EINTR)
		return 0;
	if (error != ENOMEM && error != EAGAIN)
		return -error;
	nanosleep(&ts, NULL); /* the system's memory, not ours */
	return 0;
}

static int loop_turn(struct loop *l)
{
	struct pollfd pfd[LOOP_MAX_FDS + 1];
	struct loop_fd *of[LOOP_MAX_FDS];
	unsigned n = l->nfds;
	bool due;
	int ready;

	for (unsigned i = 0; i < n; i++) {
		of[i] = l->fds[i];
		pfd[i] = (struct pollfd){.fd = of[i]->fd,
					 .events = of[i]->events};
	}
	pfd[n] = (struct pollfd){.fd = l->wake_rd, .events = POLLIN};

	ready = loop_wait(l, pfd, n + 1);
	if (ready < 0)
		return wait_failed(errno);
	if (pfd[n].revents) {
		char bytes[16];
		ssize_t got = read(l->wake_rd, bytes, sizeof(bytes));

		(void)got;
	}
	due = ready > 0 && loop_handle(l, pfd, of, n);
	due |= atomic_exchange(&l->woken, false);
	if (due || (l->deadline_ns != LOOP_NEVER &&
		    (!l->deadline_ns || loop_now_ns() >= l->deadline_ns)))
		loop_work(l);
	return 0;
}

int loop_run(struct loop *l)
{
	while (!atomic_exchange(&l->stop, false)) {
		int err = loop_turn(l);

		if (err)
			return err;
	}
	return 0;
}
