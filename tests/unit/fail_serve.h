/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fail_serve.h - a server of ours in a process of its own, one of whose calls
 * of the system fails: it may refuse to start, answer with an error or drop a
 * client, in a line, but it must not crash, hang, or leave anything behind.
 * Included by one file of a program.
 */
#ifndef VXHCI_TESTS_UNIT_FAIL_SERVE_H
#define VXHCI_TESTS_UNIT_FAIL_SERVE_H

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/fail.h"
#include "tests/lib/guestmem.h"
#include "tests/unit/descriptors.h"
#include "vmm/vxhci.h"

#define FS_READY_FD 9
#define FS_PATIENCE_MS 60000

/* What parent and child share */
struct fs_shared {
	struct fail_state fail;
	atomic_long live; /* allocations that the child did not free */
	atomic_int fds;   /* descriptors that it did not close */
	atomic_bool ran;  /* both were counted */
};

struct fs {
	struct fs_shared *sh;
	char dir[32];
	pid_t pid;
	int err, ready; /* the read ends of its stderr and of FS_READY_FD */
	char text[8192];
};

static void fs_released(void *opaque, void *cookie)
{
	(void)opaque;
	(void)cookie;
}

/* What the library makes once in a process, and for ever */
static void fs_warm(void)
{
	static const struct vxhci_ops ops = {.mem_released = fs_released};
	char err[256] = "";
	struct guestmem gm;
	struct vxhci *v;

	guestmem_init(&gm);
	guestmem_add(&gm, 0, GM_PAGE);
	assert_int_equal(
		vxhci_create("1,xhci", &ops, NULL, err, sizeof(err), &v), 0);
	assert_int_equal(
		vxhci_mem_map(v, 0, GM_PAGE, gm.region[0].base, true, NULL), 0);
	vxhci_destroy(v);
	guestmem_fini(&gm);
}

/* A folder of its own, which is the working directory */
static void fs_setup(struct fs *f)
{
	fs_warm();
	memset(f, 0, sizeof(*f));
	f->sh = mmap(NULL, sizeof(*f->sh), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(f->sh, MAP_FAILED);
	fail_use(&f->sh->fail);
	strcpy(f->dir, "/tmp/fail_serve.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	assert_int_equal(chdir(f->dir), 0);
}

static void fs_teardown(struct fs *f)
{
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(rmdir(f->dir), 0);
	fail_use(NULL);
	munmap(f->sh, sizeof(*f->sh));
}

static _Noreturn void fs_child(struct fs *f, int (*run)(void *), void *arg)
{
	unsigned fds;
	long live;
	int code;

	prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that failed is gone */
	fail_json();
	fds = descriptors();
	live = fail_live();
	code = run(arg);
	f->sh->live = fail_live() - live;
	/* it may have closed that one */
	close(FS_READY_FD);
	f->sh->fds = (int)(descriptors() + 1 - fds);
	f->sh->ran = true;
	exit(code);
}

/* Run @run(@arg), whose result is the exit code, in a child. */
static void fs_start(struct fs *f, int (*run)(void *), void *arg)
{
	int err[2], ready[2];

	f->sh->ran = false;
	memset(f->text, 0, sizeof(f->text));
	assert_int_equal(pipe(err), 0);
	assert_int_equal(pipe(ready), 0);
	fflush(NULL);
	f->pid = fork();
	assert_int_not_equal(f->pid, -1);
	if (f->pid == 0) {
		dup2(err[1], STDERR_FILENO);
		dup2(ready[1], FS_READY_FD);
		for (int i = 0; i < 2; i++) {
			close(err[i]);
			close(ready[i]);
		}
		fs_child(f, run, arg);
	}
	close(err[1]);
	close(ready[1]);
	f->err = err[0];
	f->ready = ready[0];
}

static const char *fs_what(void)
{
	return fail_happened() ? fail_happened() : "nothing";
}

/* Did it say that it is ready, or end? */
static bool fs_ready(struct fs *f)
{
	struct pollfd p = {.fd = f->ready, .events = POLLIN};
	char c;

	if (poll(&p, 1, FS_PATIENCE_MS) != 1)
		fail_msg("%s failed: it hangs at its start", fs_what());
	return read(f->ready, &c, 1) == 1;
}

/* All that it says until it has ended */
static void fs_read(struct fs *f)
{
	size_t n = 0;

	for (;;) {
		struct pollfd p = {.fd = f->err, .events = POLLIN};
		ssize_t got;

		if (poll(&p, 1, FS_PATIENCE_MS) != 1) {
			kill(f->pid, SIGABRT);
			fail_msg("%s failed: it hangs at its end: %s",
				 fs_what(), f->text);
		}
		got = read(f->err, f->text + n, sizeof(f->text) - 1 - n);
		if (got <= 0)
			return;
		n += (size_t)got;
	}
}

/* Its exit code: it is told to end, or does so; nothing is left of it. */
static int fs_end(struct fs *f, bool tell)
{
	int status;

	if (tell)
		kill(f->pid, SIGTERM);
	fs_read(f);
	close(f->err);
	close(f->ready);
	assert_int_equal(waitpid(f->pid, &status, 0), f->pid);
	if (!WIFEXITED(status) || !f->sh->ran)
		fail_msg("%s failed: status %#x: %s", fs_what(), status,
			 f->text);
	if (f->sh->live || f->sh->fds)
		fail_msg("%s failed: %ld allocations, %d descriptors are left",
			 fs_what(), f->sh->live, f->sh->fds);
	return WEXITSTATUS(status);
}

/* The lines that it said; each is one of ours */
static unsigned fs_lines(struct fs *f)
{
	unsigned n = 0;
	char *end;

	for (char *at = f->text; *at; at = end + 1) {
		end = strchr(at, '\n');
		if (!end || strncmp(at, "vxhci: ", 7) != 0)
			fail_msg("%s failed: it said: %s", fs_what(), at);
		n++;
	}
	return n;
}

static void fs_none_left(const char *const *files)
{
	for (; *files; files++)
		if (access(*files, F_OK) == 0)
			fail_msg("%s failed: %s is left", fs_what(), *files);
}

/*
 * fs_up - run @run(@arg) until it is ready. False: it did not start, said why in
 * a line, left none of @files (NULL at the end), and is counted in *refused.
 */
static bool fs_up(struct fs *f, int (*run)(void *), void *arg,
		  const char *const *files, unsigned *refused)
{
	int code;

	fs_start(f, run, arg);
	if (fs_ready(f))
		return true;
	code = fs_end(f, false);
	if ((code != 1 && code != 2) || fs_lines(f) != 1)
		fail_msg("%s failed: exit code %d: %s", fs_what(), code,
			 f->text);
	fs_none_left(files);
	++*refused;
	return false;
}

/* Told to end it does, having said no more than @lines lines. */
static void fs_down(struct fs *f, unsigned lines, const char *const *files)
{
	int code = fs_end(f, true);

	if (fs_lines(f) > lines || code)
		fail_msg("%s failed: exit code %d: %s", fs_what(), code,
			 f->text);
	fs_none_left(files);
}

#endif
