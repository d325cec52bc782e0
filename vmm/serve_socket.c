/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/serve_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 8

static int set_path(struct sockaddr_un *sa, const char *path)
{
	memset(sa, 0, sizeof(*sa));
	sa->sun_family = AF_UNIX;
	if (strlen(path) >= sizeof(sa->sun_path))
		return -ENAMETOOLONG;
	memcpy(sa->sun_path, path, strlen(path));
	return 0;
}

/* Does somebody listen there? A full backlog counts. */
static bool path_is_live(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool live;

	if (fd < 0)
		return true;
	live = connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0 ||
	       errno == EAGAIN || errno == EACCES;
	close(fd);
	return live;
}

/* Make room at the path for a socket of ours, if that hurts nobody */
static int clear_path(const struct sockaddr_un *sa, char *errbuf, size_t errlen)
{
	const char *path = sa->sun_path;
	struct stat st;

	if (lstat(path, &st) < 0)
		return 0; /* bind(2) will say what is wrong, if anything */
	if (!S_ISSOCK(st.st_mode)) {
		snprintf(errbuf, errlen,
			 "%s: exists and is no socket: remove it or choose "
			 "another path",
			 path);
		return -EEXIST;
	}
	if (path_is_live(sa)) {
		snprintf(errbuf, errlen,
			 "%s: another process listens there: end it or choose "
			 "another path",
			 path);
		return -EADDRINUSE;
	}
	if (unlink(path) < 0 && errno != ENOENT) {
		int err = -errno;

		snprintf(errbuf, errlen,
			 "%s: a dead socket cannot be removed: %s", path,
			 strerror(-err));
		return err;
	}
	return 0;
}

static int bind_and_listen(int fd, const struct sockaddr_un *sa,
			   struct serve_socket *k)
{
	struct stat st;

	/* on Linux the path gets the mode of the socket */
	if (fchmod(fd, 0600) < 0 ||
	    bind(fd, (const struct sockaddr *)sa, sizeof(*sa)) < 0)
		return -errno;
	if (chmod(sa->sun_path, 0600) < 0 || lstat(sa->sun_path, &st) < 0 ||
	    listen(fd, BACKLOG) < 0) {
		int err = -errno;

		unlink(sa->sun_path);
		return err;
	}
	k->dev = st.st_dev;
	k->ino = st.st_ino;
	return 0;
}

int serve_socket_listen(struct serve_socket *k, const char *path, char *errbuf,
			size_t errlen)
{
	struct sockaddr_un sa;
	int fd, err;

	if (!path[0]) {
		snprintf(errbuf, errlen,
			 "--socket: the path is empty: name a file");
		return -EINVAL;
	}
	err = set_path(&sa, path);
	if (err) {
		snprintf(errbuf, errlen,
			 "%s: too long for a socket: use a path of at most "
			 "%zu bytes",
			 path, sizeof(sa.sun_path) - 1);
		return err;
	}
	err = clear_path(&sa, errbuf, errlen);
	if (err)
		return err;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	err = fd < 0 ? -errno : bind_and_listen(fd, &sa, k);
	if (err) {
		if (fd >= 0)
			close(fd);
		snprintf(errbuf, errlen,
			 "%s: cannot listen there: %s: choose a path in a "
			 "directory that you may write to",
			 path, strerror(-err));
		return err;
	}
	k->fd = fd;
	k->path = path;
	return 0;
}

static bool is_option(int fd, int option, int want)
{
	int val = 0;
	socklen_t len = sizeof(val);

	return getsockopt(fd, SOL_SOCKET, option, &val, &len) == 0 &&
	       val == want;
}

int serve_socket_adopt(struct serve_socket *k, int fd, char *errbuf,
		       size_t errlen)
{
	int flags = fcntl(fd, F_GETFL);

	if (!is_option(fd, SO_DOMAIN, AF_UNIX) ||
	    !is_option(fd, SO_TYPE, SOCK_STREAM) ||
	    !is_option(fd, SO_ACCEPTCONN, 1)) {
		snprintf(errbuf, errlen,
			 "LISTEN_FDS: descriptor %d is no listening Unix "
			 "stream socket: use ListenStream= with a path",
			 fd);
		return -ENOTSOCK;
	}
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	k->fd = fd;
	k->path = NULL;
	return 0;
}

void serve_socket_close(struct serve_socket *k)
{
	struct stat st;

	if (k->fd < 0)
		return;
	if (k->path && lstat(k->path, &st) == 0 && st.st_dev == k->dev &&
	    st.st_ino == k->ino)
		unlink(k->path);
	close(k->fd);
	k->fd = -1;
}

/* A number from the environment, 0 if there is none */
static long env_number(const char *name)
{
	const char *text = getenv(name);
	char *end;
	long n;

	if (!text || !*text)
		return 0;
	n = strtol(text, &end, 10);
	return *end ? 0 : n;
}

int serve_activated_fds(void)
{
	long pid = env_number("LISTEN_PID"), n = env_number("LISTEN_FDS");

	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (pid != (long)getpid() || n < 0 || n > 1024)
		return 0;
	return (int)n;
}

void serve_notify(const char *state)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sa;
	socklen_t len;
	ssize_t n;
	int fd;

	if (!path || (path[0] != '/' && path[0] != '@') ||
	    set_path(&sa, path) < 0)
		return;
	len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
			  strlen(path));
	if (sa.sun_path[0] == '@')
		sa.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	n = sendto(fd, state, strlen(state), MSG_NOSIGNAL,
		   (const struct sockaddr *)&sa, len);
	(void)n; /* the service manager will time out and say so */
	close(fd);
}
