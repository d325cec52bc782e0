/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz_socket.h - for targets that are the other end of a socket: what has to
 * work, what is sent with descriptors, and whether descriptors are left open.
 */
#ifndef TESTS_FUZZ_SOCKET_H
#define TESTS_FUZZ_SOCKET_H

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define FUZZ_MAX_FDS 40u

static inline void need(int cond, const char *what)
{
	if (cond)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

/* The descriptor that the next open() gives; @any is one that is open. */
static inline int next_fd(int any)
{
	int fd = dup(any);

	close(fd);
	return fd;
}

/* What there is room for: the other end may have had enough. */
static inline void send_with(int to, const void *buf, size_t len,
			     const int *fds, unsigned n)
{
	char control[CMSG_SPACE(FUZZ_MAX_FDS * sizeof(int))] = "";
	struct iovec iov = {(void *)(uintptr_t)buf, len};
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *c;

	if (n) {
		m.msg_control = control;
		m.msg_controllen = CMSG_SPACE(n * sizeof(int));
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	if (sendmsg(to, &m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

#endif
