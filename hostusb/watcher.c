/* SPDX-License-Identifier: BSD-2-Clause */
#include "hostusb/watcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef __linux__

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* How often and how long an interface that is claimed still is tried */
#define RETRY_MS 20
#define RETRIES 500u

struct watcher {
	int wr; /* owned; its closing is what the watcher waits for */
	int rd; /* owned; kept, so that no write ever raises SIGPIPE */
};

enum watcher_op { OP_NOTE, OP_CONFIG, OP_FORGET };

struct watcher_msg {
	enum watcher_op op;
	struct watcher_note note;
};
_Static_assert(sizeof(struct watcher_msg) <= PIPE_BUF,
	       "a message is written whole or not at all");

/* The watcher's own process; allocated before the fork. */
struct child {
	struct watcher_ops ops;
	int rd;
	int engine; /* pidfd of the engine, -1: none to be had */
	unsigned n;
	struct watcher_note notes[WATCHER_MAX_DEVICES];
};

static int default_rebind(const struct watcher_note *n, const void *arg)
{
	(void)arg;
	return watcher_rebind(n, "/sys", "/dev");
}

static bool same_device(const struct watcher_note *a,
			const struct watcher_note *b)
{
	return a->bus == b->bus && a->npath == b->npath &&
	       !memcmp(a->path, b->path, sizeof(a->path)) && a->vid == b->vid &&
	       a->pid == b->pid;
}

static void take_note(struct watcher_note *to, const struct watcher_note *from)
{
	if (from->config)
		to->config = from->config;
	for (unsigned k = 0; k < 32; k++)
		if (from->ifaces & UINT32_C(1) << k)
			memcpy(to->driver[k], from->driver[k],
			       sizeof(to->driver[k]));
	to->ifaces |= from->ifaces;
}

static void take_msg(struct child *c, const struct watcher_msg *m)
{
	unsigned k = 0;

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

/* One message; false when the engine's end is closed. */
static bool read_msg(struct child *c)
{
	struct watcher_msg m;
	size_t at = 0;

	while (at < sizeof(m)) {
		ssize_t n = read(c->rd, (char *)&m + at, sizeof(m) - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += (size_t)n;
	}
	take_msg(c, &m);
	return true;
}

/* Until the engine is dead: its end is closed, or its process has ended. */
static void listen_engine(struct child *c)
{
	struct pollfd p[2] = {{.fd = c->rd, .events = POLLIN},
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
	close_others(c->rd, c->engine);
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

int watcher_start_ops(const struct watcher_ops *ops, struct watcher **ret)
{
	struct watcher *w = calloc(1, sizeof(*w));
	struct child *c = calloc(1, sizeof(*c));
	int fds[2] = {-1, -1}, err = -ENOMEM;

	if (!w || !c)
		goto out_free;
	if (pipe2(fds, O_CLOEXEC) != 0 ||
	    fcntl(fds[1], F_SETFL, O_NONBLOCK) != 0) {
		err = -errno;
		goto out_close;
	}
	c->ops = *ops;
	c->rd = fds[0];
	c->engine = open_engine();
	err = fork_child(c);
	if (c->engine >= 0)
		close(c->engine);
	if (err)
		goto out_close;
	free(c);
	w->rd = fds[0];
	w->wr = fds[1];
	*ret = w;
	return 0;

out_close:
	if (fds[0] >= 0) {
		close(fds[0]);
		close(fds[1]);
	}
out_free:
	free(c);
	free(w);
	return err;
}

int watcher_start(struct watcher **ret)
{
	const struct watcher_ops ops = {default_rebind, NULL};

	return watcher_start_ops(&ops, ret);
}

void watcher_stop(struct watcher *w)
{
	if (!w)
		return;
	close(w->wr);
	close(w->rd);
	free(w);
}

static void set_device(struct watcher_note *n, const struct usb_info *i)
{
	n->bus = i->bus;
	n->npath = i->npath;
	memcpy(n->path, i->path, sizeof(n->path));
	n->vid = i->vid;
	n->pid = i->pid;
}

/* Whole, or (a watcher that was stopped and its pipe full) not at all */
static void send_msg(struct watcher *w, const struct watcher_msg *m)
{
	while (write(w->wr, m, sizeof(*m)) < 0 && errno == EINTR)
		;
}

void watcher_note(struct watcher *w, const struct usb_info *i,
		  uint32_t iface_mask)
{
	const unsigned room = sizeof(i->iface) / sizeof(i->iface[0]);
	struct watcher_msg m = {.op = OP_NOTE};

	if (!w)
		return;
	set_device(&m.note, i);
	m.note.ifaces = iface_mask;
	for (unsigned k = 0; k < i->nifaces && k < room; k++) {
		const struct usb_iface_info *f = &i->iface[k];

		if (f->number < 32 && iface_mask & UINT32_C(1) << f->number)
			memcpy(m.note.driver[f->number], f->driver,
			       sizeof(f->driver));
	}
	send_msg(w, &m);
}

void watcher_note_config(struct watcher *w, const struct usb_info *i,
			 uint8_t config)
{
	struct watcher_msg m = {.op = OP_CONFIG};

	if (!w)
		return;
	set_device(&m.note, i);
	m.note.config = config;
	send_msg(w, &m);
}

void watcher_forget(struct watcher *w, const struct usb_info *i)
{
	struct watcher_msg m = {.op = OP_FORGET};

	if (!w)
		return;
	set_device(&m.note, i);
	send_msg(w, &m);
}

#else /* no Linux: nothing to bind with */

struct watcher {
	int unused;
};

int watcher_start_ops(const struct watcher_ops *ops, struct watcher **ret)
{
	struct watcher *w = calloc(1, sizeof(*w));

	(void)ops;
	if (!w)
		return -ENOMEM;
	*ret = w;
	return 0;
}

int watcher_start(struct watcher **ret)
{
	return watcher_start_ops(NULL, ret);
}

void watcher_stop(struct watcher *w)
{
	free(w);
}

void watcher_note(struct watcher *w, const struct usb_info *i,
		  uint32_t iface_mask)
{
	(void)w;
	(void)i;
	(void)iface_mask;
}

void watcher_note_config(struct watcher *w, const struct usb_info *i,
			 uint8_t config)
{
	(void)w;
	(void)i;
	(void)config;
}

void watcher_forget(struct watcher *w, const struct usb_info *i)
{
	(void)w;
	(void)i;
}

#endif
