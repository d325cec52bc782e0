/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watcher_child.c - the watcher's own process: it remembers what it is told of
 * and sees, opens nodes meanwhile, and binds drivers in the end.
 */
#ifdef __linux__

#include "hostusb/watcher_child.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostusb/packet.h"

/* How often and how long an interface that is claimed still is tried */
#define RETRY_MS 20
#define RETRIES 500u
#define MAX_OPENERS 16u /* nodes that are being opened at once */

/* Allocated before the fork */
struct child {
	struct watcher_ops ops;
	int fd;
	int engine; /* pidfd of the engine, -1: none to be had */
	unsigned n, openers;
	struct watcher_note notes[WATCHER_MAX_DEVICES];
	struct watcher_policy policy;
};

static bool same_device(const struct watcher_note *a,
			const struct watcher_note *b)
{
	return a->bus == b->bus && a->npath == b->npath &&
	       !memcmp(a->path, b->path, sizeof(a->path)) && a->vid == b->vid &&
	       a->pid == b->pid;
}

/*
 * What was first is what the host had. Drivers of another configuration came
 * with that, and go with it.
 */
static void take_note(struct watcher_note *to, const struct watcher_note *from)
{
	uint32_t more = to->config ? 0 : from->ifaces & ~to->ifaces;

	for (unsigned k = 0; k < 32; k++)
		if (more & UINT32_C(1) << k)
			memcpy(to->driver[k], from->driver[k],
			       sizeof(to->driver[k]));
	to->ifaces |= more;
	if (!to->config)
		to->config = from->config;
}

static void take_msg(struct child *c, struct watcher_msg *m)
{
	unsigned k = 0;

	if (m->op != OP_FORGET && c->ops.see) {
		c->ops.see(&m->note);
		if (!m->note.ifaces && !m->note.config)
			return;
	}
	while (k < c->n && !same_device(&c->notes[k], &m->note))
		k++;
	if (m->op == OP_FORGET) {
		if (k < c->n)
			c->notes[k] = c->notes[--c->n];
	} else if (k < c->n) {
		take_note(&c->notes[k], &m->note);
	} else if (c->n < WATCHER_MAX_DEVICES) {
		c->notes[c->n++] = m->note;
	}
}

/* In a process of its own: a node may be long in opening. */
static _Noreturn void run_opener(struct child *c, const struct watcher_note *n,
				 int reply)
{
	int fd = c->ops.open(n, &c->policy), err = fd < 0 ? fd : 0;

	packet_send(reply, &err, sizeof(err), fd, 0);
	_exit(0);
}

static void open_for_engine(struct child *c, const struct watcher_note *n,
			    int reply)
{
	int err = -EAGAIN;
	pid_t pid = -1;

	while (c->openers && waitpid(-1, NULL, WNOHANG) > 0)
		c->openers--;
	if (!c->ops.policy)
		err = -EPERM;
	else if (c->openers < MAX_OPENERS) {
		watcher_policy_resolve(&c->policy, n, "/sys");
		pid = fork();
	}
	if (pid == 0)
		run_opener(c, n, reply);
	if (pid > 0)
		c->openers++;
	else
		packet_send(reply, &err, sizeof(err), -1, MSG_DONTWAIT);
}

/* One message; false when the engine's end is closed. */
static bool read_msg(struct child *c)
{
	struct watcher_msg m;
	int fd, seen = 0;
	ssize_t n = packet_recv(c->fd, &m, sizeof(m), &fd);

	if (n <= 0)
		return false;
	/* what is not quite a message came from nobody we know */
	if ((size_t)n == sizeof(m) && m.note.npath <= USB_MAX_DEPTH) {
		for (unsigned k = 0; k < 32; k++)
			m.note.driver[k][sizeof(m.note.driver[k]) - 1] = '\0';
		if (m.op == OP_OPEN && fd >= 0)
			open_for_engine(c, &m.note, fd);
		else if (m.op != OP_OPEN)
			take_msg(c, &m);
		if (m.op != OP_OPEN && fd >= 0)
			packet_send(fd, &seen, sizeof(seen), -1, MSG_DONTWAIT);
	}
	if (fd >= 0)
		close(fd);
	return true;
}

/* Until the engine is dead: its end is closed, or its process has ended. */
static void listen_engine(struct child *c)
{
	struct pollfd p[2] = {{.fd = c->fd, .events = POLLIN},
			      {.fd = c->engine, .events = POLLIN}};

	for (;;) {
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return;
		if (p[0].revents) {
			/* what it said last comes first */
			if (!read_msg(c))
				return;
		} else if (p[1].revents) {
			return;
		}
		p[0].revents = p[1].revents = 0;
	}
}

static void rebind_all(struct child *c)
{
	for (unsigned t = 0; c->n && t < RETRIES; t++) {
		if (t)
			poll(NULL, 0, RETRY_MS);
		for (unsigned k = c->n; k-- > 0;) {
			int err = c->ops.rebind(&c->notes[k], c->ops.arg);

			if (err != -EBUSY && err != -EAGAIN)
				c->notes[k] = c->notes[--c->n];
		}
	}
}

static int close_from_to(unsigned from, unsigned to)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, from, to, 0) == 0)
		return 0;
#endif
	long max = sysconf(_SC_OPEN_MAX);

	for (unsigned fd = from; fd <= to && (long)fd < max; fd++)
		close((int)fd);
	return 0;
}

/* Nothing of the engine's stays open in here but @a and @b (-1: none) */
static void close_others(int a, int b)
{
	unsigned lo = (unsigned)(b < 0 || a < b ? a : b);
	unsigned hi = (unsigned)(b < 0 || a > b ? a : b);

	if (lo > 0)
		close_from_to(0, lo - 1);
	if (hi > lo + 1)
		close_from_to(lo + 1, hi - 1);
	close_from_to(hi + 1, UINT_MAX);
}

/* What ends the engine is not for us; no handler of its may run in here. */
static void settle_signals(void)
{
	static const int ignored[] = {SIGTERM, SIGINT,  SIGHUP,
				      SIGQUIT, SIGPIPE, SIGALRM,
				      SIGUSR1, SIGUSR2, SIGTSTP};
	struct sigaction sa = {.sa_handler = SIG_DFL};
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		sigaction(s, &sa, NULL);
	sa.sa_handler = SIG_IGN;
	for (size_t k = 0; k < sizeof(ignored) / sizeof(ignored[0]); k++)
		sigaction(ignored[k], &sa, NULL);
	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, &none, NULL);
}

/* The process between goes at once: the engine has no child to wait for. */
static _Noreturn void run_child(struct child *c)
{
	setsid();
	if (fork() != 0)
		_exit(0);
	settle_signals();
	prctl(PR_SET_NAME, "vxhci-watcher", 0, 0, 0);
	close_others(c->fd, c->engine);
	if (chdir("/") != 0)
		_exit(1);
	listen_engine(c);
	rebind_all(c);
	_exit(0);
}

static int fork_child(struct child *c)
{
	sigset_t all, old;
	int err = 0;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0)
		run_child(c);
	if (pid < 0)
		err = -errno;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return err;
}

static int open_engine(void)
{
#ifdef SYS_pidfd_open
	return (int)syscall(SYS_pidfd_open, getpid(), 0);
#else
	return -1;
#endif
}

int watcher_fork(const struct watcher_ops *ops, int fd)
{
	struct child *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->ops = *ops;
	if (ops->policy)
		c->policy = *ops->policy;
	c->fd = fd;
	c->engine = open_engine();
	err = fork_child(c);
	if (c->engine >= 0)
		close(c->engine);
	free(c);
	return err;
}

#endif
