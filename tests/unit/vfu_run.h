/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfu_run.h - the program in a child process: its arguments, what it writes to
 * stderr, its exit code. Included by one file of a program.
 */
#ifndef TESTS_UNIT_VFU_RUN_H
#define TESTS_UNIT_VFU_RUN_H

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define main vxhci_main
int vxhci_main(int argc, char **argv);
#include "vmm/main.c"
#undef main

#define RUN_MAX_ARGS 24
#define RUN_TIMEOUT_MS 10000

struct run {
	pid_t pid;
	int err;   /* the read end of its stderr */
	int ready; /* of its --ready-fd, which is RUN_READY_FD there */
	char text[4096];
};
#define RUN_READY_FD 9

/* Split at spaces; "''" is an empty word. Words stay in @buf. */
static int run_split(char *buf, char **argv)
{
	int n = 0;

	argv[n++] = strcpy(buf + 1000, "vxhci");
	for (char *w = strtok(buf, " "); w; w = strtok(NULL, " ")) {
		assert_in_range(n, 0, RUN_MAX_ARGS - 2);
		argv[n++] = strcmp(w, "''") ? w : w + 2;
	}
	argv[n] = NULL;
	return n;
}

/* @child runs in the child before the program does; may be NULL */
static void run_start(struct run *r, const char *args, void (*child)(void *),
		      void *arg)
{
	int err[2], ready[2];

	memset(r, 0, sizeof(*r));
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	fflush(NULL);
	r->pid = fork();
	assert_int_not_equal(r->pid, -1);
	if (r->pid == 0) {
		char buf[1100], *argv[RUN_MAX_ARGS];

		dup2(open("/dev/null", O_RDWR), STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		dup2(ready[1], RUN_READY_FD);
		snprintf(buf, 1000, "%s", args);
		if (child)
			child(arg);
		exit(vxhci_main(run_split(buf, argv), argv));
	}
	close(err[1]);
	close(ready[1]);
	r->err = err[0];
	r->ready = ready[0];
}

/* Its exit code, or -signal; what it said is in r->text */
static int run_end(struct run *r)
{
	size_t n = 0;
	int status;

	for (;;) {
		struct pollfd p = {.fd = r->err, .events = POLLIN};
		ssize_t got;

		if (poll(&p, 1, RUN_TIMEOUT_MS) != 1) {
			kill(r->pid, SIGKILL);
			break;
		}
		got = read(r->err, r->text + n, sizeof(r->text) - 1 - n);
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	close(r->err);
	close(r->ready);
	waitpid(r->pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* The newline on --ready-fd came */
static inline bool run_is_ready(struct run *r)
{
	struct pollfd p = {.fd = r->ready, .events = POLLIN};
	char c = 0;

	return poll(&p, 1, RUN_TIMEOUT_MS) == 1 && read(r->ready, &c, 1) == 1 &&
	       c == '\n';
}

#endif
