/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/vfu_server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vmm/vfu_conn.h"

/* After accept(2) failed for want of something, try again then */
#define RETRY_NS 1000000000u

struct vfu_server {
	struct loop *loop;   /* borrowed */
	struct vfu_dev *dev; /* borrowed */
	struct loop_fd listen;
	struct loop_fd client; /* fd -1: nobody is connected */
	uint64_t retry_ns;     /* LOOP_NEVER, or when to accept again */
	struct vfu_conn conn;  /* valid while somebody is */
};

#define container_of(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static void server_log(const struct vfu_server *s, enum vxhci_log level,
		       const char *what, int err)
{
	char line[128];

	if (!s->dev->log)
		return;
	snprintf(line, sizeof(line), "%s%s%s", what, err ? ": " : "",
		 err ? strerror(-err) : "");
	s->dev->log(s->dev->log_arg, level, line);
}

static void client_leave(struct vfu_server *s, int err)
{
	if (err == -EPROTO)
		server_log(s, VXHCI_LOG_WARN,
			   "client dropped: it does not speak vfio-user", 0);
	else if (err == -ENOTCONN || err == -ECONNRESET || err == -EPIPE)
		server_log(s, VXHCI_LOG_INFO, "client left", 0);
	else
		server_log(s, VXHCI_LOG_WARN, "client lost", err);
	loop_del(s->loop, &s->client);
	vfu_conn_fini(&s->conn);
	s->client.fd = -1;
	vfu_dev_leave(s->dev);
	s->listen.events = POLLIN;
}

/* What comes after each turn at the connection: gone, or wait for what? */
static void client_turned(struct vfu_server *s, int err)
{
	if (err)
		client_leave(s, err);
	else
		s->client.events = vfu_conn_events(&s->conn);
}

static void client_ready(struct loop_fd *f, short revents)
{
	struct vfu_server *s = container_of(f, struct vfu_server, client);

	client_turned(s, vfu_conn_ready(&s->conn, revents));
}

static void client_accept(struct vfu_server *s)
{
	int fd =
		accept4(s->listen.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (fd < 0) {
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return;
		server_log(s, VXHCI_LOG_ERROR, "cannot accept", -errno);
		s->listen.events = 0;
		s->retry_ns = loop_now_ns() + RETRY_NS;
		return;
	}
	vfu_conn_init(&s->conn, s->dev, fd);
	s->client.fd = fd;
	s->client.events = POLLIN;
	s->client.ready = client_ready;
	if (loop_add(s->loop, &s->client) < 0) {
		vfu_conn_fini(&s->conn);
		s->client.fd = -1;
		return;
	}
	s->listen.events = 0;
	server_log(s, VXHCI_LOG_INFO, "client connected", 0);
}

static void listen_ready(struct loop_fd *f, short revents)
{
	struct vfu_server *s = container_of(f, struct vfu_server, listen);

	if ((revents & POLLIN) && s->client.fd < 0)
		client_accept(s);
}

int vfu_server_create(struct loop *l, struct vfu_dev *dev, int listen_fd,
		      struct vfu_server **ret_s)
{
	struct vfu_server *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->loop = l;
	s->dev = dev;
	s->client.fd = -1;
	s->retry_ns = LOOP_NEVER;
	s->listen = (struct loop_fd){
		.fd = listen_fd, .events = POLLIN, .ready = listen_ready};
	err = loop_add(l, &s->listen);
	if (err) {
		free(s);
		return err;
	}
	*ret_s = s;
	return 0;
}

void vfu_server_destroy(struct vfu_server *s)
{
	if (!s)
		return;
	if (s->client.fd >= 0)
		client_leave(s, -ENOTCONN);
	loop_del(s->loop, &s->listen);
	free(s);
}

/* Time until the next attempt at accept(2); makes it when it is due */
static uint64_t accept_retry(struct vfu_server *s)
{
	uint64_t now_ns;

	if (s->retry_ns == LOOP_NEVER)
		return LOOP_NEVER;
	now_ns = loop_now_ns();
	if (now_ns < s->retry_ns)
		return s->retry_ns - now_ns;
	s->retry_ns = LOOP_NEVER;
	s->listen.events = POLLIN;
	return LOOP_NEVER;
}

uint64_t vfu_server_work(struct vfu_server *s)
{
	uint64_t dispatch_ns = LOOP_NEVER, accept_ns = accept_retry(s);

	if (s->client.fd >= 0 && vfu_conn_busy(&s->conn))
		client_turned(s, vfu_conn_work(&s->conn));
	vxhci_dispatch(s->dev->v, &dispatch_ns);
	if (s->client.fd >= 0 && vfu_conn_busy(&s->conn))
		return 0;
	return dispatch_ns < accept_ns ? dispatch_ns : accept_ns;
}
