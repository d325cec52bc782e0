/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/lib/fail.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <jansson.h>

static struct fail_state own;
static struct fail_state *st = &own;

void fail_use(struct fail_state *s)
{
	st = s ? s : &own;
}

void fail_arm(unsigned at)
{
	atomic_store(&st->calls, 0);
	atomic_store(&st->name, NULL);
	for (unsigned i = 0; i < FAIL_OFTEN; i++)
		atomic_store(&st->often[i], 0);
	atomic_store(&st->at, at);
}

void fail_messages(bool on)
{
	atomic_store(&st->quiet, !on);
}

void fail_stop(void)
{
	atomic_store(&st->at, 0);
}

const char *fail_happened(void)
{
	return atomic_load(&st->name);
}

long fail_live(void)
{
	return atomic_load(&st->live);
}

unsigned fail_each(void (*scene)(void *arg), void *arg)
{
	unsigned at = 0;

	do {
		fail_arm(++at);
		scene(arg);
	} while (fail_happened());
	fail_arm(0);
	return at - 1;
}

/* Is this the call that fails? Then with @error. */
static bool now(const char *name, int error)
{
	unsigned at = atomic_load(&st->at);

	if (at == 0 || atomic_fetch_add(&st->calls, 1) + 1 != at)
		return false;
	atomic_store(&st->at, 0);
	atomic_store(&st->name, name);
	errno = error;
	return true;
}

/*
 * The same of a call that is made for each message: of those, the first ones
 * and then fewer and fewer.
 */
static bool now_and_then(enum fail_often which, const char *name, int error)
{
	unsigned n = atomic_fetch_add(&st->often[which], 1);

	return !atomic_load(&st->quiet) &&
	       (n < FAIL_FIRST || (n & (n - 1)) == 0) && now(name, error);
}

static void *live(void *p)
{
	if (p)
		atomic_fetch_add(&st->live, 1);
	return p;
}

/* Reading and writing of what is in memory alone does not fail. */
static bool can_fail(int fd)
{
	struct stat s;

	return fstat(fd, &s) == 0 &&
	       (S_ISREG(s.st_mode) || S_ISSOCK(s.st_mode));
}

/* The linker gives these the calls of the project. */
void *fail_malloc(size_t n);
void *fail_calloc(size_t n, size_t size);
void *fail_realloc(void *p, size_t n);
char *fail_strdup(const char *s);
void fail_free(void *p);
ssize_t fail_getline(char **line, size_t *n, FILE *f);
ssize_t fail_getdelim(char **line, size_t *n, int delim, FILE *f);
char *fail_realpath_chk(const char *path, char *to, size_t len);
int fail_open(const char *path, int flags, ...);
int fail_open_2(const char *path, int flags);
int fail_openat(int dir, const char *path, int flags, ...);
void *fail_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off);
pid_t fail_fork(void);
int fail_pthread_create(pthread_t *t, const pthread_attr_t *a,
			void *(*fn)(void *), void *arg);
int fail_pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *a);
int fail_fcntl(int fd, int cmd, ...);
ssize_t fail_read(int fd, void *buf, size_t n);
ssize_t fail_write(int fd, const void *buf, size_t n);

void *fail_malloc(size_t n)
{
	if (now("malloc", ENOMEM))
		return NULL;
	return live(malloc(n));
}

void *fail_calloc(size_t n, size_t size)
{
	if (now("calloc", ENOMEM))
		return NULL;
	return live(calloc(n, size));
}

void *fail_realloc(void *p, size_t n)
{
	if (now("realloc", ENOMEM))
		return NULL;
	return p ? realloc(p, n) : live(realloc(NULL, n));
}

char *fail_strdup(const char *s)
{
	if (now("strdup", ENOMEM))
		return NULL;
	return live(strdup(s));
}

void fail_free(void *p)
{
	if (p)
		atomic_fetch_sub(&st->live, 1);
	free(p);
}

/* Both are getline(3), whose line the project frees. */
ssize_t fail_getline(char **line, size_t *n, FILE *f)
{
	char *before = *line;
	ssize_t got;

	if (now("getline", ENOMEM))
		return -1;
	got = getline(line, n, f);
	if (!before)
		live(*line);
	return got;
}

ssize_t fail_getdelim(char **line, size_t *n, int delim, FILE *f)
{
	return delim == '\n' ? fail_getline(line, n, f) : -1;
}

static mode_t mode_of(va_list ap, int flags)
{
	return flags & O_CREAT ? va_arg(ap, mode_t) : 0;
}

int fail_open(const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = mode_of(ap, flags);
	va_end(ap);
	if (now("open", EMFILE))
		return -1;
	return open(path, flags, mode);
}

int fail_open_2(const char *path, int flags)
{
	return fail_open(path, flags & ~O_CREAT);
}

int fail_openat(int dir, const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = mode_of(ap, flags);
	va_end(ap);
	if (now("openat", EMFILE))
		return -1;
	return openat(dir, path, flags, mode);
}

void *fail_mmap(void *at, size_t len, int prot, int flags, int fd, off_t off)
{
	if (now("mmap", ENOMEM))
		return MAP_FAILED;
	return mmap(at, len, prot, flags, fd, off);
}

pid_t fail_fork(void)
{
	if (now("fork", EAGAIN))
		return -1;
	return fork();
}

int fail_pthread_create(pthread_t *t, const pthread_attr_t *a,
			void *(*fn)(void *), void *arg)
{
	return now("pthread_create", 0) ? EAGAIN
					: pthread_create(t, a, fn, arg);
}

int fail_pthread_cond_init(pthread_cond_t *c, const pthread_condattr_t *a)
{
	return now("pthread_cond_init", 0) ? ENOMEM : pthread_cond_init(c, a);
}

int fail_fcntl(int fd, int cmd, ...)
{
	va_list ap;
	long arg;

	va_start(ap, cmd);
	arg = va_arg(ap, long);
	va_end(ap);
	if (now("fcntl", EBADF))
		return -1;
	return fcntl(fd, cmd, arg);
}

ssize_t fail_read(int fd, void *buf, size_t n)
{
	if (can_fail(fd) && now("read", EIO))
		return -1;
	return read(fd, buf, n);
}

ssize_t fail_write(int fd, const void *buf, size_t n)
{
	if (can_fail(fd) && now("write", ENOSPC))
		return -1;
	return write(fd, buf, n);
}

/*
 * The others are as the system has them: type, what it returns then, when it
 * does, name, error, declaration, call
 */
#define FAIL_AS(type, bad, fails, name, decl, call) \
	type fail_##name decl;                      \
	type fail_##name decl                       \
	{                                           \
		if (fails)                          \
			return bad;                 \
		return name call;                   \
	}
#define FAIL(type, name, error, decl, call) \
	FAIL_AS(type, -1, now(#name, error), name, decl, call)
#define FAIL_P(type, name, error, decl, call) \
	FAIL_AS(type, NULL, now(#name, error), name, decl, call)
#define FAIL_O(type, name, error, decl, call)                                  \
	FAIL_AS(type, -1, now_and_then(FAIL_##name, #name, error), name, decl, \
		call)

FAIL(int, fstat, EIO, (int fd, struct stat *s), (fd, s))
FAIL(int, fstatfs, EIO, (int fd, struct statfs *s), (fd, s))
FAIL(int, ftruncate, EIO, (int fd, off_t n), (fd, n))
FAIL(int, fallocate, ENOSPC, (int fd, int how, off_t at, off_t n),
     (fd, how, at, n))
FAIL(int, fdatasync, EIO, (int fd), (fd))
FAIL(off_t, lseek, EIO, (int fd, off_t at, int how), (fd, at, how))
FAIL(ssize_t, pread, EIO, (int fd, void *b, size_t n, off_t at), (fd, b, n, at))
FAIL(ssize_t, preadv, EIO, (int fd, const struct iovec *v, int n, off_t at),
     (fd, v, n, at))
FAIL(ssize_t, preadv2, EIO,
     (int fd, const struct iovec *v, int n, off_t at, int flags),
     (fd, v, n, at, flags))
FAIL(ssize_t, pwrite, ENOSPC, (int fd, const void *b, size_t n, off_t at),
     (fd, b, n, at))
FAIL(ssize_t, pwritev, ENOSPC, (int fd, const struct iovec *v, int n, off_t at),
     (fd, v, n, at))
FAIL(ssize_t, pwritev2, ENOSPC,
     (int fd, const struct iovec *v, int n, off_t at, int flags),
     (fd, v, n, at, flags))
FAIL(int, pipe2, EMFILE, (int fds[2], int flags), (fds, flags))
FAIL(int, signalfd, EMFILE, (int fd, const sigset_t *s, int flags),
     (fd, s, flags))
FAIL(int, socket, EMFILE, (int domain, int type, int protocol),
     (domain, type, protocol))
FAIL(int, bind, EACCES, (int fd, const struct sockaddr *a, socklen_t n),
     (fd, a, n))
FAIL(int, listen, EADDRINUSE, (int fd, int n), (fd, n))
FAIL(int, accept4, EMFILE,
     (int fd, struct sockaddr *a, socklen_t *n, int flags), (fd, a, n, flags))
FAIL(int, connect, ECONNREFUSED,
     (int fd, const struct sockaddr *a, socklen_t n), (fd, a, n))
FAIL_O(ssize_t, recvmsg, ENOMEM, (int fd, struct msghdr *m, int flags),
       (fd, m, flags))
FAIL_O(ssize_t, sendmsg, ENOBUFS, (int fd, const struct msghdr *m, int flags),
       (fd, m, flags))
FAIL_O(ssize_t, recv, ENOMEM, (int fd, void *b, size_t n, int flags),
       (fd, b, n, flags))
FAIL_O(ssize_t, send, ENOBUFS, (int fd, const void *b, size_t n, int flags),
       (fd, b, n, flags))
FAIL_O(int, ppoll, ENOMEM,
       (struct pollfd * p, nfds_t n, const struct timespec *t,
	const sigset_t *s),
       (p, n, t, s))
FAIL(int, getsockopt, ENOBUFS,
     (int fd, int level, int name, void *val, socklen_t *len),
     (fd, level, name, val, len))
FAIL(int, fchmod, EPERM, (int fd, mode_t mode), (fd, mode))
FAIL(int, chmod, EPERM, (const char *path, mode_t mode), (path, mode))
FAIL(int, mkdir, ENOSPC, (const char *path, mode_t mode), (path, mode))
FAIL_P(DIR *, opendir, EMFILE, (const char *path), (path))
FAIL_P(char *, realpath, ENOMEM, (const char *path, char *to), (path, to))
FAIL_P(FILE *, fopen, EMFILE, (const char *path, const char *mode),
       (path, mode))

static void *count_malloc(size_t n)
{
	return live(malloc(n));
}

char *fail_realpath_chk(const char *path, char *to, size_t len)
{
	(void)len;
	return fail_realpath(path, to);
}

void fail_json(void)
{
	json_set_alloc_funcs(count_malloc, fail_free);
}
