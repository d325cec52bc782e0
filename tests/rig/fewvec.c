/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fewvec.c - fewvec msix|msi LISTEN SERVER: between a vfio-user client, which
 * connects to LISTEN, and SERVER. The function that the client sees has one
 * vector of MSI-X, or no MSI-X and one of MSI. All else passes as it is, with its
 * descriptors. Ends when one side does.
 */
#include <endian.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vmm/vfu_proto.h"

#define CFG 256u
#define FDS 32u
#define MOST (2u << 20)

/* Where to find capabilities, from the first read of all */
struct filter {
	bool msi;             /* only that */
	uint8_t before_x, x;  /* pointer to the MSI-X capability, and itself */
	uint8_t after_x, one; /* behind it; MSI's */
	uint8_t msg[MOST];
};

static int unix_socket(const char *path, bool listening)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char tmp[sizeof(sa.sun_path)];

	snprintf(tmp, sizeof(tmp), "%.90s.new", path);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s",
		 listening ? tmp : path);
	if (!listening)
		return connect(fd, (void *)&sa, sizeof(sa)) ? -1 : fd;
	/* there, and it listens: at once */
	if (bind(fd, (void *)&sa, sizeof(sa)) || listen(fd, 1) ||
	    rename(tmp, path))
		return -1;
	return accept(fd, NULL, NULL);
}

static void find(struct filter *f, const uint8_t *cfg)
{
	unsigned at = 0x34;

	for (unsigned hops = 0; hops < 48 && cfg[at] >= 0x40; hops++) {
		unsigned cap = cfg[at];

		if (cfg[cap] == 0x11) {
			f->before_x = (uint8_t)at;
			f->x = (uint8_t)cap;
			f->after_x = cfg[cap + 1];
		} else if (cfg[cap] == 0x05) {
			f->one = (uint8_t)cap;
		}
		at = cap + 1;
	}
}

/* What byte @off of configuration space is for the client */
static uint8_t patched(const struct filter *f, unsigned off, uint8_t val)
{
	if (f->msi && f->before_x && off == f->before_x)
		return f->after_x;
	if (f->msi && f->one && off == f->one + 2u)
		return val & (uint8_t)~0x0e; /* Multiple Message Capable */
	if (!f->msi && f->x && off == f->x + 2u)
		return 0; /* Table Size, less one */
	if (!f->msi && f->x && off == f->x + 3u)
		return val & (uint8_t)~0x07;
	return val;
}

static void patch_read(struct filter *f, size_t size)
{
	struct vfu_region_access a;
	uint8_t *data = f->msg + sizeof(a);

	memcpy(&a, f->msg, sizeof(a));
	if (size != sizeof(a) + a.count || a.region != VFU_REGION_CONFIG)
		return;
	if (a.offset == 0 && a.count == CFG)
		find(f, data);
	for (uint32_t i = 0; i < a.count; i++)
		data[i] = patched(f, (unsigned)a.offset + i, data[i]);
}

static void patch(struct filter *f, size_t size)
{
	struct vfu_irq_info i;
	struct vfu_hdr h;

	memcpy(&h, f->msg, sizeof(h));
	if (!(h.flags & VFU_F_REPLY))
		return;
	if (h.cmd == VFU_REGION_READ && size > sizeof(struct vfu_region_access))
		patch_read(f, size);
	if (h.cmd != VFU_DEVICE_GET_IRQ_INFO || size != sizeof(i))
		return;
	memcpy(&i, f->msg, sizeof(i));
	if (i.index == (f->msi ? VFU_IRQ_MSI : VFU_IRQ_MSIX))
		i.count = 1;
	memcpy(f->msg, &i, sizeof(i));
}

/* One message, or false at the end */
static bool pass(struct filter *f, int from, int to)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * FDS)];
		struct cmsghdr align;
	} ctl;
	struct vfu_hdr h;
	struct iovec iov = {f->msg, sizeof(h)};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = ctl.buf,
			    .msg_controllen = sizeof(ctl.buf)};
	struct cmsghdr *cm;
	size_t rest;

	if (recvmsg(from, &mh, MSG_WAITALL) != sizeof(h))
		return false;
	memcpy(&h, f->msg, sizeof(h));
	if (h.size < sizeof(h) || h.size > MOST)
		return false;
	rest = h.size - sizeof(h);
	if (rest &&
	    recv(from, f->msg + sizeof(h), rest, MSG_WAITALL) != (ssize_t)rest)
		return false;
	patch(f, h.size);
	iov.iov_len = h.size;
	if (sendmsg(to, &mh, MSG_NOSIGNAL) != (ssize_t)h.size)
		return false;
	cm = CMSG_FIRSTHDR(&mh);
	for (size_t i = 0; cm && CMSG_LEN(i * sizeof(int)) < cm->cmsg_len;
	     i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(fd));
		close(fd);
	}
	return true;
}

static void on_term(int sig)
{
	(void)sig;
	_exit(0);
}

int main(int argc, char **argv)
{
	struct filter *f = calloc(1, sizeof(*f));
	struct pollfd p[2] = {{.events = POLLIN}, {.events = POLLIN}};

	if (argc != 4 || !f)
		return 2;
	signal(SIGTERM, on_term);
	f->msi = !strcmp(argv[1], "msi");
	p[0].fd = unix_socket(argv[2], true);
	p[1].fd = unix_socket(argv[3], false);
	if (p[0].fd < 0 || p[1].fd < 0) {
		perror("fewvec");
		return 1;
	}
	for (;;) {
		if (poll(p, 2, -1) < 0)
			return 1;
		for (int i = 0; i < 2; i++)
			if (p[i].revents && !pass(f, p[i].fd, p[!i].fd))
				return 0;
	}
}
