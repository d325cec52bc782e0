/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfu_rig.h - a vfio-user server with its loop in a thread and the fake
 * controller behind it, at a socket of its own. Included by one file of a
 * program.
 */
#ifndef TESTS_UNIT_VFU_RIG_H
#define TESTS_UNIT_VFU_RIG_H

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/vfu_client.h"
#include "tests/unit/vfu_fake.h"
#include "vmm/serve_socket.h"
#include "vmm/vfu_server.h"

#define RIG_RAM (64u << 10)

struct rig {
	char dir[64], path[96];
	struct serve_socket sock;
	struct loop *loop;
	struct vxhci *v;
	struct vfu_dev dev;
	struct vfu_server *server;
	pthread_t thread;
	int ram;          /* a memfd: the guest's memory */
	uint8_t *ram_ptr; /* the guest's view of it */
	int irq[VXHCI_VECTORS];
	unsigned fds_before;
};

/* Check a client's call, and say why if it failed */
#define OK(vc, call)                                          \
	do {                                                  \
		if (call)                                     \
			fail_msg("%s: %s", #call, (vc)->why); \
	} while (0)

static void rig_msix(void *opaque, unsigned vector)
{
	struct rig *r = opaque;

	vfu_irq_raise(&r->dev.irq, vector);
}

static void rig_wake(void *opaque)
{
	struct rig *r = opaque;

	loop_wake(r->loop);
}

static void rig_released(void *opaque, void *cookie)
{
	struct rig *r = opaque;

	vfu_dma_released(&r->dev.dma, cookie);
}

static uint64_t rig_work(void *arg)
{
	struct rig *r = arg;

	return vfu_server_work(r->server);
}

static void *rig_thread(void *arg)
{
	struct rig *r = arg;

	return (void *)(intptr_t)loop_run(r->loop);
}

/* Descriptors this process has open */
static unsigned rig_open_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (d && readdir(d))
		n++;
	closedir(d);
	return n;
}

static int rig_start(void **state)
{
	static const struct vxhci_ops ops = {.msix = rig_msix,
					     .wake = rig_wake,
					     .mem_released = rig_released};
	struct rig *r = calloc(1, sizeof(*r));
	char err[256] = "";

	assert_non_null(r);
	r->fds_before = rig_open_fds();
	strcpy(r->dir, "/tmp/vfu_test.XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->path, sizeof(r->path), "%s/sock", r->dir);
	if (serve_socket_listen(&r->sock, r->path, err, sizeof(err)))
		fail_msg("%s", err);
	assert_int_equal(loop_create(rig_work, r, &r->loop), 0);
	assert_int_equal(vxhci_create("30,xhci", &ops, r, NULL, 0, &r->v), 0);
	vfu_dev_init(&r->dev, r->v);
	assert_int_equal(
		vfu_server_create(r->loop, &r->dev, r->sock.fd, &r->server), 0);
	r->ram = memfd_create("ram", MFD_CLOEXEC);
	assert_int_equal(ftruncate(r->ram, RIG_RAM), 0);
	r->ram_ptr = mmap(NULL, RIG_RAM, PROT_READ | PROT_WRITE, MAP_SHARED,
			  r->ram, 0);
	assert_ptr_not_equal(r->ram_ptr, MAP_FAILED);
	for (unsigned i = 0; i < VXHCI_VECTORS; i++)
		r->irq[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_int_equal(pthread_create(&r->thread, NULL, rig_thread, r), 0);
	*state = r;
	return 0;
}

/* Ends the server and checks that nothing of it is left */
static int rig_stop(void **state)
{
	struct rig *r = *state;
	void *ret;
	unsigned now;

	loop_stop(r->loop);
	pthread_join(r->thread, &ret);
	assert_int_equal((intptr_t)ret, 0);
	vfu_server_destroy(r->server);
	serve_socket_close(&r->sock);
	assert_int_equal(access(r->path, F_OK), -1);
	vxhci_destroy(r->v);
	assert_int_equal(r->dev.dma.nmaps, 0);
	loop_destroy(r->loop);
	munmap(r->ram_ptr, RIG_RAM);
	close(r->ram);
	for (unsigned i = 0; i < VXHCI_VECTORS; i++)
		close(r->irq[i]);
	rmdir(r->dir);
	now = rig_open_fds();
	assert_int_equal(now, r->fds_before);
	free(r);
	return 0;
}

/* What an eventfd counted, waiting up to @ms for the first */
static inline uint64_t rig_count(int fd, int ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	uint64_t n = 0;

	if (poll(&p, 1, ms) == 1 && read(fd, &n, sizeof(n)) != sizeof(n))
		n = 0;
	return n;
}

static inline uint32_t rig_read(struct vc *vc, uint32_t reg)
{
	uint32_t val = 0;

	OK(vc, vc_read32(vc, VFU_REGION_BAR0, reg, &val));
	return val;
}

/* The guest's memory in three ranges, one of them read only */
static inline void rig_mem(const struct rig *r, struct vc_mem mem[3])
{
	mem[0] = (struct vc_mem){r->ram, 0, 0x4000, 0, false};
	mem[1] = (struct vc_mem){r->ram, 0x100000, 0x8000, 0x8000, false};
	mem[2] = (struct vc_mem){r->ram, 0xfffc0000, 0x1000, 0x4000, true};
}

#endif
