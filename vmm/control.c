/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.c - clients of a control socket: bytes in and out. What the bytes
 * mean is in control_call.c.
 */
#include "vmm/control_conn.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 16384u
#define LINES_A_TURN 32u
#define ACCEPT_AGAIN_NS 100000000u

static void conn_close_fds(struct control_conn *k)
{
	for (unsigned i = 0; i < k->nfds; i++)
		close(k->fds[i]);
	k->nfds = 0;
}

static void conn_free(struct control_conn *k)
{
	struct control_conn **at = &k->c->conns;

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	k->c->nconns--;
	loop_del(k->c->loop, &k->l);
	close(k->l.fd);
	conn_close_fds(k);
	free(k->in);
	free(k->out);
	free(k);
}

static size_t conn_unread(const struct control_conn *k)
{
	return k->out_len - k->out_at;
}

/* Send what the socket takes now. */
static void conn_flush(struct control_conn *k)
{
	while (conn_unread(k) > 0 && !k->dead) {
		ssize_t n = send(k->l.fd, k->out + k->out_at, conn_unread(k),
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			k->dead = errno != EAGAIN && errno != EWOULDBLOCK;
			break;
		}
		k->out_at += (size_t)n;
		k->moved_ns = loop_now_ns();
	}
	if (conn_unread(k) == 0)
		k->out_at = k->out_len = 0;
	/* who does not read is not listened to */
	k->l.events = conn_unread(k) ? POLLOUT : k->eof ? 0 : POLLIN;
}

/* Room for @more bytes in a buffer of *size that holds @used. */
static bool make_room(char **buf, size_t *size, size_t used, size_t more)
{
	size_t want = *size ? *size : 1024;
	char *grown;

	while (want < used + more)
		want *= 2;
	if (want == *size)
		return true;
	grown = realloc(*buf, want);
	if (!grown)
		return false;
	*buf = grown;
	*size = want;
	return true;
}

/* For json_dump_callback(), whose result does not tell all that failed */
static int out_add(const char *text, size_t len, void *arg)
{
	struct control_conn *k = arg;

	if (k->dead || !make_room(&k->out, &k->out_size, k->out_len, len)) {
		k->dead = true;
		return -1;
	}
	memcpy(k->out + k->out_len, text, len);
	k->out_len += len;
	return 0;
}

void control_send(struct control_conn *k, const json_t *msg)
{
	if (k->out_at > 0) {
		memmove(k->out, k->out + k->out_at, conn_unread(k));
		k->out_len -= k->out_at;
		k->out_at = 0;
	}
	if (k->out_len == 0)
		k->moved_ns = loop_now_ns();
	if (!msg || k->out_len > CONTROL_MAX_UNREAD ||
	    json_dump_callback(msg, out_add, k, JSON_COMPACT) != 0 ||
	    out_add("\n", 1, k) != 0)
		k->dead = true; /* an answer that is never given whole */
	conn_flush(k);
	if (k->dead)
		k->c->reap = true;
}

/* Carry out the lines that are whole. */
static void conn_lines(struct control_conn *k)
{
	size_t at = 0;
	unsigned n = 0;

	k->more = false;
	while (!k->dead) {
		char *end = k->in_len > at
				    ? memchr(k->in + at, '\n', k->in_len - at)
				    : NULL;
		size_t len;

		if (!end)
			break;
		if (conn_unread(k) > 0)
			break; /* when it has read that */
		if (++n > LINES_A_TURN) {
			k->more = true;
			break;
		}
		len = (size_t)(end - (k->in + at));
		control_line(k, k->in + at, len);
		at += len + 1;
	}
	memmove(k->in, k->in + at, k->in_len - at);
	k->in_len -= at;
	if (!k->more && k->in_len > CONTROL_MAX_LINE && conn_unread(k) == 0) {
		control_refuse(k, "a request is longer than 262144 bytes");
		k->dead = true;
	}
}

/* The descriptors that came with some bytes wait for their request. */
static void take_fds(struct control_conn *k, struct msghdr *m)
{
	if (m->msg_flags & MSG_CTRUNC)
		k->dead = true;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
		size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(fd));
			if (k->nfds < CONTROL_MAX_FDS) {
				k->fds[k->nfds++] = fd;
			} else {
				close(fd);
				k->dead = true;
			}
		}
	}
}

static void conn_read(struct control_conn *k)
{
	char room[CMSG_SPACE(CONTROL_MAX_FDS * sizeof(int))];
	struct iovec iov;
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = room,
			   .msg_controllen = sizeof(room)};
	ssize_t n;

	if (!make_room(&k->in, &k->in_size, k->in_len, READ_BYTES)) {
		k->dead = true;
		return;
	}
	iov.iov_base = k->in + k->in_len;
	iov.iov_len = READ_BYTES;
	n = recvmsg(k->l.fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0) {
		k->dead = errno != EAGAIN && errno != EINTR;
		return;
	}
	take_fds(k, &m);
	k->in_len += (size_t)n;
	if (n == 0) {
		k->eof = true;
		k->l.events = conn_unread(k) ? POLLOUT : 0;
	}
}

/* It will ask for no more, and has all its answers. */
static bool conn_is_done(const struct control_conn *k)
{
	return k->eof && !k->more && k->owed == 0 && conn_unread(k) == 0;
}

static void conn_ready(struct loop_fd *l, short revents)
{
	struct control_conn *k = (struct control_conn *)(void *)l;

	if (revents & POLLOUT)
		conn_flush(k);
	else if (k->eof)
		k->dead = true; /* the other half is closed too */
	else
		conn_read(k);
	if (!k->dead)
		conn_lines(k);
	k->dead |= conn_is_done(k);
	k->c->reap |= k->dead;
}

static void accept_one(struct control *c)
{
	struct control_conn *k;
	int fd = accept4(c->l.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		/* no descriptors: not again at once, it stays ready */
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM) {
			c->l.events = 0;
			c->accept_ns = loop_now_ns() + ACCEPT_AGAIN_NS;
		}
		return;
	}
	k = calloc(1, sizeof(*k));
	if (!k || c->nconns == CONTROL_MAX_CLIENTS) {
		close(fd);
		free(k);
		return;
	}
	k->c = c;
	k->serial = ++c->last_serial;
	k->l = (struct loop_fd){
		.fd = fd, .events = POLLIN, .ready = conn_ready};
	if (loop_add(c->loop, &k->l) != 0) {
		close(fd);
		free(k);
		return;
	}
	k->next = c->conns;
	c->conns = k;
	c->nconns++;
}

static void listen_ready(struct loop_fd *l, short revents)
{
	struct control *c = (struct control *)(void *)l;

	(void)revents;
	accept_one(c);
}

int control_create(struct loop *l, int listen_fd,
		   const struct control_command *cmds, void *host,
		   struct control **ret_c)
{
	struct control *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->loop = l;
	c->cmds = cmds;
	c->host = host;
	c->l = (struct loop_fd){
		.fd = listen_fd, .events = POLLIN, .ready = listen_ready};
	err = loop_add(l, &c->l);
	if (err) {
		free(c);
		return err;
	}
	*ret_c = c;
	return 0;
}

void control_destroy(struct control *c)
{
	if (!c)
		return;
	while (c->conns)
		conn_free(c->conns);
	loop_del(c->loop, &c->l);
	free(c);
}

static void reap(struct control *c)
{
	struct control_conn *next;

	c->reap = false;
	for (struct control_conn *k = c->conns; k; k = next) {
		next = k->next;
		if (k->dead)
			conn_free(k);
	}
}

/* Time until the client has stalled for too long, which makes it dead */
static uint64_t stall_ns(struct control_conn *k)
{
	uint64_t gone;

	if (conn_unread(k) == 0)
		return LOOP_NEVER;
	gone = loop_now_ns() - k->moved_ns;
	if (gone < CONTROL_STALL_NS)
		return CONTROL_STALL_NS - gone;
	k->dead = true;
	k->c->reap = true;
	return 0;
}

uint64_t control_work(struct control *c)
{
	uint64_t in_ns = LOOP_NEVER;

	for (struct control_conn *k = c->conns; k; k = k->next) {
		uint64_t left;

		if (k->more && !k->dead)
			conn_lines(k);
		k->dead |= conn_is_done(k);
		left = k->more && !k->dead ? 0 : stall_ns(k);
		in_ns = left < in_ns ? left : in_ns;
		c->reap |= k->dead;
	}
	if (c->reap)
		reap(c);
	if (c->accept_ns) {
		uint64_t now = loop_now_ns();

		if (now >= c->accept_ns) {
			c->l.events = POLLIN;
			c->accept_ns = 0;
		} else if (c->accept_ns - now < in_ns) {
			in_ns = c->accept_ns - now;
		}
	}
	return in_ns;
}
