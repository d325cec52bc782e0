/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve_walls.c - puts the walls up. Rights belong to threads: each thread
 * there is gives its own up, in a handler of a signal (libusb has a thread, a
 * capture another). Those that come later inherit.
 */
#include "hostusb/owner.h"
#include "vmm/serve_walls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const names[WALL_COUNT] = {
	[WALL_NO_NEW_PRIVS] = "no_new_privs", [WALL_USER] = "user",
	[WALL_CAPABILITIES] = "capabilities", [WALL_NAMESPACES] = "namespaces",
	[WALL_LANDLOCK] = "landlock",         [WALL_SECCOMP] = "seccomp",
};

const char *walls_text(const struct walls *w, char *buf, size_t len)
{
	size_t n = 0;
	bool first = true;

	buf[0] = '\0';
	for (unsigned i = 0; i < WALL_COUNT && n < len; i++)
		if (w->stands[i])
			n += (size_t)snprintf(buf + n, len - n, "%s%s",
					      n ? " " : "", names[i]);
	if (n == 0 && len > 5)
		n = (size_t)snprintf(buf, len, "none");
	for (unsigned i = 0; i < WALL_COUNT && n < len; i++) {
		if (w->stands[i])
			continue;
		n += (size_t)snprintf(buf + n, len - n, "%s %s (%s)",
				      first ? "; not:" : ",", names[i],
				      w->why[i]);
		first = false;
	}
	return buf;
}

#ifdef __linux__

#include "pmapper/pmapper.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define THREAD_WAIT_MS 2000

/* What a thread does to itself; the handler finds it by a pointer */
struct thread_job {
	int ruleset; /* -1: none */
	bool namespaces;
	atomic_int left;
	atomic_int err[WALL_COUNT]; /* the first, 0: it stands */
};

static void failed(struct thread_job *j, enum wall w)
{
	int none = 0;

	atomic_compare_exchange_strong(&j->err[w], &none, errno);
}

/* System calls and nothing else: it runs in handlers. */
static void thread_walls(struct thread_job *j)
{
	struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[2] = {{0}};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		failed(j, WALL_NO_NEW_PRIVS);
	if (j->namespaces &&
	    unshare(CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) != 0)
		failed(j, WALL_NAMESPACES);
	if (j->ruleset >= 0 &&
	    syscall(SYS_landlock_restrict_self, j->ruleset, 0) != 0)
		failed(j, WALL_LANDLOCK);
	if (syscall(SYS_capset, &head, none) != 0)
		failed(j, WALL_CAPABILITIES);
}

static void on_signal(int sig, siginfo_t *si, void *context)
{
	struct thread_job *j = si->si_value.sival_ptr;
	int saved = errno;

	(void)sig;
	(void)context;
	if (si->si_code == SI_QUEUE && si->si_pid == getpid() && j) {
		thread_walls(j);
		atomic_fetch_sub(&j->left, 1);
	}
	errno = saved;
}

static int other_threads(struct thread_job *j, int sig)
{
	siginfo_t si = {.si_signo = sig,
			.si_code = SI_QUEUE,
			.si_pid = getpid(),
			.si_uid = getuid()};
	DIR *d = opendir("/proc/self/task");
	struct dirent *e;

	if (!d)
		return -errno;
	si.si_value.sival_ptr = j;
	while ((e = readdir(d))) {
		int tid = atoi(e->d_name);

		if (tid <= 0 || tid == gettid())
			continue;
		atomic_fetch_add(&j->left, 1);
		if (syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, sig, &si) !=
		    0)
			atomic_fetch_sub(&j->left, 1); /* it has ended */
	}
	closedir(d);
	return 0;
}

/* Every thread; 0, or -errno: some thread did not */
static int all_threads(struct thread_job *j)
{
	struct sigaction sa = {.sa_sigaction = on_signal,
			       .sa_flags = SA_RESTART | SA_SIGINFO},
			 old;
	int sig = PM_THREAD_SIGNAL, err;

	if (sigaction(sig, &sa, &old) != 0)
		return -errno;
	err = other_threads(j, sig);
	for (unsigned ms = 0;
	     !err && atomic_load(&j->left) > 0 && ms < THREAD_WAIT_MS; ms++)
		usleep(1000);
	if (!err && atomic_load(&j->left) > 0)
		err = -ETIMEDOUT;
	thread_walls(j);
	if (!err)
		sigaction(sig, &old, NULL);
	return err;
}

static void not_standing(struct walls *w, enum wall n, const char *why)
{
	w->stands[n] = false;
	snprintf(w->why[n], sizeof(w->why[n]), "%s", why);
}

/* glibc does it in all threads. */
static int change_user(const struct walls_opts *o, struct walls *w, char *err,
		       size_t errlen)
{
	struct passwd *p;
	int r;

	w->stands[WALL_USER] = geteuid() != 0;
	if (!o->user) {
		if (geteuid() == 0)
			not_standing(w, WALL_USER, "root, and no --user");
		return 0;
	}
	p = getpwnam(o->user);
	if (!p) {
		snprintf(err, errlen,
			 "--user %s: no such user: give one of /etc/passwd",
			 o->user);
		return -EINVAL;
	}
	if (p->pw_uid == geteuid())
		return 0;
	/* else other users would not see which devices are in use */
	r = o->devices ? owner_user_folder(p->pw_uid, p->pw_gid) : 0;
	if (r < 0) {
		snprintf(err, errlen,
			 "--user %s: a folder for it in /run/vxhci: %s: only "
			 "root can make one",
			 o->user, strerror(-r));
		return -EINVAL;
	}
	if (setgroups(0, NULL) != 0 || initgroups(o->user, p->pw_gid) != 0 ||
	    setresgid(p->pw_gid, p->pw_gid, p->pw_gid) != 0 ||
	    setresuid(p->pw_uid, p->pw_uid, p->pw_uid) != 0) {
		snprintf(err, errlen,
			 "--user %s: %s: only root can become another user",
			 o->user, strerror(errno));
		return -EINVAL;
	}
	w->stands[WALL_USER] = p->pw_uid != 0;
	if (p->pw_uid == 0)
		not_standing(w, WALL_USER, "it is root");
	return 0;
}

static void thread_results(struct thread_job *j, int err, struct walls *w)
{
	static const enum wall of[] = {WALL_NO_NEW_PRIVS, WALL_CAPABILITIES,
				       WALL_LANDLOCK, WALL_NAMESPACES};

	for (unsigned i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
		int e = atomic_load(&j->err[of[i]]);

		if (w->why[of[i]][0])
			continue;
		w->stands[of[i]] = !e && !err;
		if (e || err)
			not_standing(w, of[i], strerror(e ? e : -err));
	}
}

static int required(const struct walls *w, char *err, size_t errlen)
{
	static const enum wall must[] = {WALL_NO_NEW_PRIVS, WALL_CAPABILITIES,
					 WALL_LANDLOCK, WALL_SECCOMP};

	for (unsigned i = 0; i < sizeof(must) / sizeof(must[0]); i++) {
		if (w->stands[must[i]])
			continue;
		snprintf(err, errlen,
			 "--sandbox require: %s: %s: use a kernel that has it, "
			 "or --sandbox on",
			 names[must[i]], w->why[must[i]]);
		return -EPERM;
	}
	return 0;
}

static int raise_all(const struct walls_opts *o, struct thread_job *j,
		     struct walls *w, char *err, size_t errlen)
{
	int r;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	thread_results(j, all_threads(j), w);
	r = walls_filter(o);
	w->stands[WALL_SECCOMP] = r == 0;
	if (r)
		not_standing(w, WALL_SECCOMP,
			     r == -ENOSYS ? "built without libseccomp"
					  : strerror(-r));
	return o->mode == WALLS_REQUIRE ? required(w, err, errlen) : 0;
}

int walls_raise(const struct walls_opts *o, struct walls *ret, char *err,
		size_t errlen)
{
	struct thread_job *j;
	struct walls w = {0};
	int r;

	if (o->mode == WALLS_OFF) {
		for (unsigned i = 0; i < WALL_COUNT; i++)
			not_standing(&w, i, "--sandbox off");
		w.stands[WALL_USER] = geteuid() != 0;
		r = o->user ? change_user(o, &w, err, errlen) : 0;
		*ret = w;
		return r;
	}
	j = calloc(1, sizeof(*j));
	if (!j) {
		snprintf(err, errlen, "--sandbox: out of memory: try again");
		return -ENOMEM;
	}
	/* with root's rights: namespaces first, then the user */
	j->namespaces = geteuid() == 0 && !o->user;
	if (!j->namespaces)
		not_standing(&w, WALL_NAMESPACES,
			     o->user ? "--user" : "not root");
	j->ruleset = walls_ruleset(o);
	if (j->ruleset < 0)
		not_standing(&w, WALL_LANDLOCK, strerror(-j->ruleset));
	r = change_user(o, &w, err, errlen);
	if (!r)
		r = raise_all(o, j, &w, err, errlen);
	if (j->ruleset >= 0)
		close(j->ruleset);
	*ret = w;
	if (atomic_load(&j->left) == 0)
		free(j); /* else a thread may come to it yet */
	return r;
}

/* Only what this process needs stays open in it. */
static void cleaner_run(int rd, void (*remove)(void *), void *arg)
{
	sigset_t none;
	ssize_t n;
	char c;

	setsid();
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, "vxhci-cleaner", 0, 0, 0);
	if (rd > 0)
		syscall(SYS_close_range, 0, rd - 1, 0);
	syscall(SYS_close_range, rd + 1, ~0u, 0);
	do
		n = read(rd, &c, 1);
	while (n < 0 && errno == EINTR);
	/* after a crash whoever comes next may be there already */
	if (n == 1)
		remove(arg);
	_exit(0);
}

int walls_cleaner_start(void (*remove)(void *arg), void *arg,
			struct walls_cleaner *ret)
{
	int fds[2];
	pid_t pid;

	ret->pid = 0;
	if (pipe2(fds, O_CLOEXEC) != 0)
		return -errno;
	pid = fork();
	if (pid < 0) {
		close(fds[0]);
		close(fds[1]);
		return -errno;
	}
	if (pid == 0) {
		close(fds[1]);
		cleaner_run(fds[0], remove, arg);
	}
	close(fds[0]);
	ret->pid = pid;
	ret->wr = fds[1];
	return 0;
}

void walls_cleaner_finish(struct walls_cleaner *c)
{
	if (!c->pid)
		return;
	while (write(c->wr, "", 1) < 0 && errno == EINTR)
		;
	close(c->wr);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	c->pid = 0;
}

#else /* elsewhere there are none yet */

int walls_raise(const struct walls_opts *o, struct walls *ret, char *err,
		size_t errlen)
{
	memset(ret, 0, sizeof(*ret));
	for (unsigned i = 0; i < WALL_COUNT; i++)
		snprintf(ret->why[i], sizeof(ret->why[i]), "not on this host");
	if (o->mode != WALLS_REQUIRE && !o->user)
		return 0;
	snprintf(err, errlen,
		 "--sandbox require: not on this host: use --sandbox off");
	return -ENOTSUP;
}

int walls_cleaner_start(void (*remove)(void *arg), void *arg,
			struct walls_cleaner *ret)
{
	(void)remove;
	(void)arg;
	ret->pid = 0;
	return 0;
}

void walls_cleaner_finish(struct walls_cleaner *c)
{
	(void)c;
}

#endif
