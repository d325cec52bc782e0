/* SPDX-License-Identifier: BSD-2-Clause */
/* watcher.c - the engine's side: what it tells the watcher, and asks of it. */
#include "hostusb/watcher.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifdef __linux__

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "hostusb/packet.h"
#include "hostusb/watcher_child.h"

#define SEEN_MS 2000 /* how long it is waited for that it has looked */

struct watcher {
	int fd; /* owned, a socket; its closing is what the watcher waits for */
	bool opens;
};

static int default_rebind(const struct watcher_note *n, const void *arg)
{
	(void)arg;
	return watcher_rebind(n, "/sys", "/dev");
}

static void default_see(struct watcher_note *n)
{
	watcher_see(n, "/sys");
}

static int default_open(const struct watcher_note *n,
			const struct watcher_policy *p)
{
	return watcher_open_node(n, p, "/sys", "/dev");
}

int watcher_start_ops(const struct watcher_ops *ops, struct watcher **ret)
{
	struct watcher *w = calloc(1, sizeof(*w));
	int fds[2], err;

	if (!w)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
		err = -errno;
		free(w);
		return err;
	}
	err = watcher_fork(ops, fds[0]);
	close(fds[0]);
	if (err) {
		close(fds[1]);
		free(w);
		return err;
	}
	w->fd = fds[1];
	w->opens = ops->policy != NULL;
	*ret = w;
	return 0;
}

int watcher_start(struct watcher **ret)
{
	return watcher_start_opener(NULL, ret);
}

int watcher_start_opener(const struct watcher_policy *p, struct watcher **ret)
{
	const struct watcher_ops ops = {.rebind = default_rebind,
					.see = default_see,
					.open = default_open,
					.policy = p};

	return watcher_start_ops(&ops, ret);
}

void watcher_stop(struct watcher *w)
{
	if (!w)
		return;
	close(w->fd);
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

/* Whole, or (a watcher that was stopped and its socket full) not at all */
static void send_msg(struct watcher *w, const struct watcher_msg *m)
{
	packet_send(w->fd, m, sizeof(*m), -1, MSG_DONTWAIT);
}

/*
 * The same for what has to be seen before the caller goes on. A watcher that
 * was stopped is not waited for long. The answer comes on a socket of its own,
 * whose other end goes along; so it does in watcher_open().
 */
static void send_and_wait(struct watcher *w, const struct watcher_msg *m)
{
	struct pollfd p = {.events = POLLIN};
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) != 0) {
		send_msg(w, m);
		return;
	}
	p.fd = sv[0];
	if (packet_send(w->fd, m, sizeof(*m), sv[1], MSG_DONTWAIT) == 0) {
		close(sv[1]);
		while (poll(&p, 1, SEEN_MS) < 0 && errno == EINTR)
			;
	} else {
		close(sv[1]);
	}
	close(sv[0]);
}

int watcher_open(struct watcher *w, const struct usb_info *i)
{
	struct watcher_msg m = {.op = OP_OPEN};
	int sv[2], fd = -1, err, answer = -EPIPE;

	if (!w || !w->opens)
		return -ENOTSUP;
	set_device(&m.note, i);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) != 0)
		return -errno;
	err = packet_send(w->fd, &m, sizeof(m), sv[1], 0);
	close(sv[1]);
	if (!err &&
	    packet_recv(sv[0], &answer, sizeof(answer), &fd) != sizeof(answer))
		answer = -EPIPE;
	close(sv[0]);
	if (err || answer || fd < 0) {
		if (fd >= 0)
			close(fd);
		return err ? err : answer ? answer : -EPIPE;
	}
	return fd;
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
	send_and_wait(w, &m);
}

void watcher_note_config(struct watcher *w, const struct usb_info *i,
			 uint8_t config)
{
	struct watcher_msg m = {.op = OP_CONFIG};

	if (!w)
		return;
	set_device(&m.note, i);
	m.note.config = config;
	send_and_wait(w, &m);
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

int watcher_start_opener(const struct watcher_policy *p, struct watcher **ret)
{
	(void)p;
	return watcher_start_ops(NULL, ret);
}

int watcher_open(struct watcher *w, const struct usb_info *i)
{
	(void)w;
	(void)i;
	return -ENOTSUP;
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
