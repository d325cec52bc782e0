/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve_socket.h - the sockets `vxhci serve` listens on, and the two words it
 * has with systemd: socket activation and readiness.
 *
 * For the main thread, at start and at exit. Functions that fail return -errno
 * and put "SUBJECT: what is wrong: what to do" into @errbuf.
 */
#ifndef VMM_SERVE_SOCKET_H
#define VMM_SERVE_SOCKET_H

#include <stddef.h>
#include <sys/types.h>

struct serve_socket {
	int fd;           /* owned; -1: not open */
	const char *path; /* borrowed; NULL: not ours to remove */
	dev_t dev;        /* of the path, to remove no other's */
	ino_t ino;
};

/*
 * serve_socket_listen - listen at @path (borrowed until the close), mode 0600.
 * A socket that is left over there is replaced; one that somebody listens on
 * is not (-EADDRINUSE), nor anything else (-EEXIST).
 */
int serve_socket_listen(struct serve_socket *k, const char *path, char *errbuf,
			size_t errlen);
/* Take descriptor @fd from the service manager: is it what we need? */
int serve_socket_adopt(struct serve_socket *k, int fd, char *errbuf,
		       size_t errlen);
/* Close, and remove the path. A second time does nothing. */
void serve_socket_close(struct serve_socket *k);

/*
 * serve_activated_fds - how many descriptors, from SERVE_FIRST_FD on, the
 * service manager left for this process (LISTEN_PID, LISTEN_FDS, which are
 * taken out of the environment); 0 if none.
 */
#define SERVE_FIRST_FD 3
int serve_activated_fds(void);
/* Tell NOTIFY_SOCKET, if there is one: "READY=1". Failure is nobody's. */
void serve_notify(const char *state);

#endif
