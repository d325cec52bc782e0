/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/vfu_conn.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is kept of a message that is too long: enough to answer it */
#define KEEP sizeof(struct vfu_region_info)

void vfu_conn_init(struct vfu_conn *c, struct vfu_dev *dev, int fd)
{
	memset(c, 0, offsetof(struct vfu_conn, in));
	c->fd = fd;
	c->dev = dev;
}

void vfu_conn_fini(struct vfu_conn *c)
{
	for (unsigned i = 0; i < 2; i++)
		vfu_fds_close(&c->sets[i].fds);
	close(c->fd);
	c->fd = -1;
}

static size_t out_pending(const struct vfu_conn *c)
{
	return c->out_tail - c->out_head;
}

/* 0 also if it would block: then something is left */
static int conn_flush(struct vfu_conn *c)
{
	while (out_pending(c)) {
		struct iovec iov = {c->out + c->out_head, out_pending(c)};
		struct msghdr mh = {.msg_iov = &iov, .msg_iovlen = 1};
		ssize_t n = sendmsg(c->fd, &mh, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN ? 0 : -errno;
		c->out_head += (size_t)n;
	}
	c->out_head = 0;
	c->out_tail = 0;
	return 0;
}

/*
 * How much of the message at the head must be there before it is handled, 0 if
 * it has to be thrown away and -EPROTO if the stream is broken; -EAGAIN if
 * that cannot be told yet.
 */
static int head_size(const struct vfu_conn *c, size_t *ret_whole,
		     size_t *ret_need)
{
	size_t have = (size_t)(c->tail - c->head);
	int err;

	err = vfu_msg_size(c->in + (c->head - c->base), have, ret_whole);
	if (err)
		return err;
	*ret_need = *ret_whole > VFU_MSG_MAX ? KEEP : *ret_whole;
	return have < *ret_need ? -EAGAIN : 0;
}

bool vfu_conn_busy(const struct vfu_conn *c)
{
	size_t whole, need;

	if (out_pending(c) || c->head >= c->tail)
		return false;
	return head_size(c, &whole, &need) != -EAGAIN;
}

short vfu_conn_events(const struct vfu_conn *c)
{
	if (out_pending(c))
		return POLLOUT;
	return vfu_conn_busy(c) ? 0 : POLLIN;
}

/* The descriptors of the message at @at; *@none if it has none */
static struct vfu_fds *fds_of(struct vfu_conn *c, uint64_t at,
			      struct vfu_fds *none)
{
	for (unsigned i = 0; i < 2; i++)
		if (c->sets[i].fds.n && c->sets[i].at == at)
			return &c->sets[i].fds;
	none->n = 0;
	none->truncated = false;
	return none;
}

static int handle_head(struct vfu_conn *c, size_t whole, size_t need)
{
	struct vfu_fds none, *fds = fds_of(c, c->head, &none);
	ssize_t n;

	n = vfu_dev_message(c->dev, c->in + (c->head - c->base), need, fds,
			    c->out + c->out_tail);
	vfu_fds_close(fds);
	if (n < 0)
		return (int)n;
	c->out_tail += (size_t)n;
	c->head += whole;
	return 0;
}

/* Room for the longest reply, if need be by sending what is there */
static int make_room(struct vfu_conn *c, bool *ret_room)
{
	int err = 0;

	if (VFU_OUT_SIZE - c->out_tail < VFU_REPLY_MAX)
		err = conn_flush(c);
	*ret_room = VFU_OUT_SIZE - c->out_tail >= VFU_REPLY_MAX;
	return err;
}

int vfu_conn_work(struct vfu_conn *c)
{
	for (unsigned i = 0; i < VFU_TURN_MESSAGES && c->head < c->tail; i++) {
		size_t whole, need;
		bool room;
		int err;

		err = head_size(c, &whole, &need);
		if (err == -EAGAIN)
			break;
		if (!err)
			err = make_room(c, &room);
		if (err)
			return err;
		if (!room)
			break;
		err = handle_head(c, whole, need);
		if (err)
			return err;
	}
	return conn_flush(c);
}

/* Follow the messages up to the tail: where did the last one begin? */
static void scan(struct vfu_conn *c)
{
	while (c->next < c->tail) {
		size_t size;

		c->last = c->next;
		if (vfu_msg_size(c->in + (c->last - c->base),
				 (size_t)(c->tail - c->last), &size))
			return;
		c->next = c->last + size;
	}
}

/*
 * @n descriptors came with the last bytes received. Linux ends a recvmsg(2)
 * with the sendmsg(2) that carried descriptors, so they are those of the
 * message that began last; if that has been answered (it was too long), they
 * are nobody's.
 */
static void keep_fds(struct vfu_conn *c, const int *fd, size_t n, bool more)
{
	struct vfu_conn_fds *set = NULL;

	for (unsigned i = 0; i < 2; i++) {
		struct vfu_conn_fds *s = &c->sets[i];

		if (s->fds.n && s->at == c->last) {
			set = s;
			break;
		}
		if (!s->fds.n)
			set = s;
	}
	if (c->last < c->head)
		set = NULL;
	for (size_t i = 0; i < n; i++) {
		if (!set || set->fds.n == VFU_MAX_FDS) {
			more = true;
			close(fd[i]);
			continue;
		}
		set->at = c->last;
		set->fds.fd[set->fds.n++] = fd[i];
	}
	if (set && more)
		set->fds.truncated = true;
}

/* Make room behind the tail. All that is kept is part of one message. */
static size_t in_room(struct vfu_conn *c)
{
	if (c->head >= c->tail) {
		c->base = c->tail; /* the rest of a long one is skipped */
	} else if (c->head > c->base) {
		memmove(c->in, c->in + (c->head - c->base),
			(size_t)(c->tail - c->head));
		c->base = c->head;
	}
	return VFU_IN_SIZE - (size_t)(c->tail - c->base);
}

static int conn_receive(struct vfu_conn *c)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * VFU_MAX_FDS)];
		struct cmsghdr align;
	} ctl;
	size_t room = in_room(c);
	struct iovec iov = {c->in + (c->tail - c->base), room};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = ctl.buf,
			    .msg_controllen = sizeof(ctl.buf)};
	struct cmsghdr *cm;
	ssize_t n;

	n = recvmsg(c->fd, &mh, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n == 0)
		return -ENOTCONN;
	c->tail += (uint64_t)n;
	scan(c);
	for (cm = CMSG_FIRSTHDR(&mh); cm; cm = CMSG_NXTHDR(&mh, cm)) {
		int fd[VFU_MAX_FDS];
		size_t nfds;

		if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
			continue;
		nfds = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fd, CMSG_DATA(cm), nfds * sizeof(int));
		keep_fds(c, fd, nfds, mh.msg_flags & MSG_CTRUNC);
	}
	return 0;
}

int vfu_conn_ready(struct vfu_conn *c, short revents)
{
	int err;

	if (out_pending(c)) {
		err = conn_flush(c);
		if (err)
			return err;
		if (out_pending(c)) /* nobody will ever read it */
			return revents & (POLLHUP | POLLERR) ? -ENOTCONN : 0;
	}
	if (!vfu_conn_busy(c)) {
		err = conn_receive(c);
		if (err)
			return err;
	}
	return vfu_conn_work(c);
}
