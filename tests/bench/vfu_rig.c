/* SPDX-License-Identifier: BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/vfu_rig.h"

static _Noreturn void die(struct vfu_rig *g, const char *what)
{
	fprintf(stderr, "vfu_rig: %s: %s\n", what, g->vc.why);
	if (g->pid > 0)
		kill(g->pid, SIGKILL);
	exit(1);
}

static uint64_t bus_read(void *p, uint32_t off, unsigned size)
{
	struct vfu_rig *g = p;
	uint64_t v = 0;

	if (vc_read(&g->vc, VFU_REGION_BAR0, off, &v, size))
		die(g, "read");
	return v;
}

static void bus_write(void *p, uint32_t off, unsigned size, uint64_t v)
{
	struct vfu_rig *g = p;

	if (vc_write(&g->vc, VFU_REGION_BAR0, off, &v, size))
		die(g, "write");
}

/* The server works on its own. */
static void bus_run(void *p)
{
	(void)p;
}

static uint64_t bus_now(void *p)
{
	struct timespec t;

	(void)p;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void bus_advance(void *p, uint64_t ns)
{
	struct timespec t = {0, (long)(ns < 100000 ? ns : 100000)};

	(void)p;
	nanosleep(&t, NULL);
}

static uint64_t bus_intrs(void *p, unsigned vector)
{
	struct vfu_rig *g = p;
	uint64_t n;

	if (vector >= VFU_RIG_VECTORS)
		return 0;
	if (read(g->irq[vector], &n, sizeof(n)) == sizeof(n))
		g->irqs[vector] += n;
	return g->irqs[vector];
}

static const struct gdrv_bus vfu_bus = {
	.read = bus_read,
	.write = bus_write,
	.run = bus_run,
	.now_ns = bus_now,
	.advance = bus_advance,
	.intrs = bus_intrs,
};

int vfu_rig_wait_irq(struct vfu_rig *g, unsigned vector, int ms)
{
	struct pollfd p = {.fd = g->irq[vector], .events = POLLIN};
	uint64_t n;

	if (poll(&p, 1, ms) != 1)
		return -1;
	if (read(g->irq[vector], &n, sizeof(n)) == sizeof(n))
		g->irqs[vector] += n;
	return 0;
}

/* Run the server and wait until it listens. */
static int server_start(struct vfu_rig *g, const char *vxhci)
{
	char sock[96], slot[128], disk[96], fdno[16], c;
	int ready[2], fd;

	strcpy(g->dir, "/tmp/vxhci-bench-XXXXXX");
	if (!mkdtemp(g->dir) || pipe(ready))
		return -1;
	snprintf(sock, sizeof(sock), "%s/sock", g->dir);
	snprintf(disk, sizeof(disk), "%s/disk", g->dir);
	snprintf(slot, sizeof(slot), "30,xhci,storage=%s", disk);
	snprintf(fdno, sizeof(fdno), "%d", ready[1]);
	fd = open(disk, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, 1 << 20))
		return -1;
	close(fd);
	g->pid = fork();
	if (g->pid == 0) {
		close(ready[0]);
		execl(vxhci, vxhci, "serve", "--socket", sock, "-s", slot,
		      "--ready-fd", fdno, (char *)NULL);
		perror(vxhci);
		_exit(127);
	}
	close(ready[1]);
	if (read(ready[0], &c, 1) != 1) {
		fprintf(stderr, "vfu_rig: %s serve does not start\n", vxhci);
		return -1;
	}
	close(ready[0]);
	return vc_connect(&g->vc, VC_QEMU, sock);
}

static int client_start(struct vfu_rig *g)
{
	struct vc_mem mem[2];
	uint16_t cmd = 6; /* memory, bus master */

	guestmem_init(&g->gm);
	guestmem_add(&g->gm, 0x100000, 8u << 20);
	guestmem_add(&g->gm, 0x100000000ull, 8u << 20);
	for (unsigned i = 0; i < 2; i++)
		mem[i] = (struct vc_mem){.fd = g->gm.region[i].fd,
					 .iova = g->gm.region[i].gpa,
					 .size = g->gm.region[i].len};
	for (unsigned i = 0; i < VFU_RIG_VECTORS; i++)
		g->irq[i] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (vc_realize(&g->vc, mem, 2, &g->vdev) ||
	    vc_write(&g->vc, VFU_REGION_CONFIG, 4, &cmd, 2))
		return -1;
	return vc_msix_enable(&g->vc, &g->vdev, g->irq);
}

int vfu_rig_up(struct vfu_rig *g, const char *vxhci)
{
	const struct gdrv_opts opts = {.inte = true};
	unsigned port;

	memset(g, 0, sizeof(*g));
	if (server_start(g, vxhci) || client_start(g))
		die(g, "start");
	if (gdrv_init(&g->d, &vfu_bus, g, &g->gm, &opts) || gdrv_start(&g->d))
		die(g, "controller");
	port = gdrv_port_find(&g->d, 0);
	g->v = port ? gdrv_open(&g->d, port) : NULL;
	if (!g->v)
		die(g, "device");
	g->buf = guestmem_alloc(&g->gm, GM_PAGE);
	return 0;
}

void vfu_rig_down(struct vfu_rig *g)
{
	char path[96];

	gdrv_halt(&g->d);
	vc_close(&g->vc);
	kill(g->pid, SIGTERM);
	waitpid(g->pid, NULL, 0);
	gdrv_fini(&g->d);
	guestmem_fini(&g->gm);
	for (unsigned i = 0; i < VFU_RIG_VECTORS; i++)
		close(g->irq[i]);
	snprintf(path, sizeof(path), "%s/disk", g->dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/sock", g->dir);
	unlink(path);
	rmdir(g->dir);
}
