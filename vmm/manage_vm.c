/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/manage_vm.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MAX_LINE (8u * 1024 * 1024) /* bytes: it may be anybody */

static void take_lines(struct manage_vm *vm)
{
	char *end;

	while (!vm->broken && vm->len &&
	       (end = memchr(vm->in, '\n', vm->len)) != NULL) {
		size_t n = (size_t)(end - vm->in);
		json_t *msg = json_loadb(vm->in, n, 0, NULL);

		vm->len -= n + 1;
		memmove(vm->in, end + 1, vm->len);
		if (json_is_object(msg))
			vm->message(vm, msg);
		else
			vm->broken = true;
		json_decref(msg);
	}
}

static void vm_ready(struct loop_fd *l, short revents)
{
	struct manage_vm *vm = (struct manage_vm *)(void *)l;
	ssize_t n;

	(void)revents;
	if (vm->size - vm->len < 4096) {
		size_t size = vm->size ? 2 * vm->size : 65536;
		char *in = size > MAX_LINE ? NULL : realloc(vm->in, size);

		if (!in) {
			vm->broken = true;
			return;
		}
		vm->in = in;
		vm->size = size;
	}
	n = recv(l->fd, vm->in + vm->len, vm->size - vm->len, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		vm->broken = true;
		return;
	}
	vm->len += (size_t)n;
	take_lines(vm);
}

/* Is the process behind @fd the user's that is allowed? */
static int check_user(const struct policy_vm *conf, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	if (!conf->has_user)
		return 0;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	return peer.uid == conf->uid ? 0 : -EPERM;
}

int manage_vm_connect(struct manage_vm *vm, struct loop *l)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd, r;

	if (strlen(vm->conf.control) >= sizeof(sa.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, vm->conf.control);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	vm->l = (struct loop_fd){.fd = fd, .events = POLLIN, .ready = vm_ready};
	r = connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0
		    ? -errno
		    : check_user(&vm->conf, fd);
	if (r == 0)
		r = loop_add(l, &vm->l);
	if (r < 0) {
		close(fd);
		vm->l.fd = -1;
		return r;
	}
	vm->loop = l;
	vm->len = 0;
	vm->synced = vm->broken = false;
	return 0;
}

void manage_vm_close(struct manage_vm *vm)
{
	if (vm->l.fd >= 0) {
		loop_del(vm->loop, &vm->l);
		close(vm->l.fd);
	}
	vm->l.fd = -1;
	vm->synced = vm->broken = false;
	free(vm->in);
	vm->in = NULL;
	vm->size = vm->len = 0;
}

int manage_vm_send(struct manage_vm *vm, json_t *msg, int fd)
{
	char room[CMSG_SPACE(sizeof(int))] = {0};
	char *text = msg ? json_dumps(msg, JSON_COMPACT) : NULL;
	struct iovec iov;
	struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *h;
	ssize_t n;

	json_decref(msg);
	if (!text)
		return -ENOMEM;
	iov.iov_len = strlen(text) + 1;
	text[iov.iov_len - 1] = '\n';
	iov.iov_base = text;
	if (fd >= 0) {
		m.msg_control = room;
		m.msg_controllen = sizeof(room);
		h = CMSG_FIRSTHDR(&m);
		h->cmsg_level = SOL_SOCKET;
		h->cmsg_type = SCM_RIGHTS;
		h->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(h), &fd, sizeof(fd));
	}
	n = sendmsg(vm->l.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
	free(text);
	if (n == (ssize_t)iov.iov_len)
		return 0;
	/* requests are short: who has no room for one does not listen */
	vm->broken = true;
	return n < 0 ? -errno : -EAGAIN;
}
