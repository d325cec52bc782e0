/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embed-example.c - a VMM in miniature with a USB controller of libvxhci, and
 * a guest that finds the disk in the controller's port. See embedding.md.
 *
 *	cc embed-example.c $(pkg-config --cflags --libs vxhci) -o embed-example
 *
 * `embed-example thread` has the library's thread in place of its own loop.
 */
#define _GNU_SOURCE /* ppoll(), pipe2() */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <vxhci.h>

#define RAM_GPA 0x100000u /* the guest's memory */
#define RAM_SIZE 0x100000u
#define RING_GPA 0x101000u /* its event ring, and */
#define ERST_GPA 0x102000u /* the table that says where that is */
#define MAX_FDS 64

struct vm {
	struct vxhci *v;
	uint8_t *ram;
	uint32_t msix_table; /* its offset in BAR 0 */
	int wake_pipe[2];
	pthread_mutex_t lock; /* a leaf: nothing is called with it held */
	pthread_cond_t cond;
	/* under the lock */
	struct pollfd fds[MAX_FDS]; /* what the loop watches; fd -1: unused */
	uint32_t route[VXHCI_VECTORS];
	unsigned interrupts; /* injected, in all */
	bool quit, released;
};

/* The library's calls: with its mutex held, so they only pass things on. */

static void on_wake(void *opaque)
{
	struct vm *vm = opaque;

	/* when the pipe is full, a wake-up is on its way */
	if (write(vm->wake_pipe[1], "", 1) < 0 && errno != EAGAIN)
		perror("wake");
}

static void on_msix(void *opaque, unsigned vector)
{
	struct vm *vm = opaque;

	pthread_mutex_lock(&vm->lock);
	printf("MSI-X vector %u: message %#x\n", vector, vm->route[vector]);
	vm->interrupts++; /* a VMM writes the vector's irqfd, or asks KVM */
	pthread_cond_broadcast(&vm->cond);
	pthread_mutex_unlock(&vm->lock);
}

static void on_fd_watch(void *opaque, int fd, short events)
{
	struct vm *vm = opaque;
	int i, at = -1;

	pthread_mutex_lock(&vm->lock);
	for (i = 0; i < MAX_FDS && vm->fds[i].fd != fd; i++)
		if (at < 0 && vm->fds[i].fd < 0)
			at = i;
	if (i < MAX_FDS)
		at = i;
	if (at >= 0)
		vm->fds[at] = (struct pollfd){.fd = events ? fd : -1,
					      .events = events};
	pthread_mutex_unlock(&vm->lock);
	on_wake(vm);
}

static void on_mem_released(void *opaque, void *cookie)
{
	struct vm *vm = opaque;

	pthread_mutex_lock(&vm->lock);
	vm->released = cookie == vm->ram; /* from now on it may be unmapped */
	pthread_mutex_unlock(&vm->lock);
}

static void on_log(void *opaque, enum vxhci_log level, const char *line)
{
	(void)opaque;
	if (level <= VXHCI_LOG_WARN)
		fprintf(stderr, "vxhci: %s\n", line);
}

static const struct vxhci_ops ops = {
	.msix = on_msix,
	.wake = on_wake,
	.log = on_log,
	.mem_released = on_mem_released,
	.fd_watch = on_fd_watch,
};

/* The same VMM without a loop: the library's thread does that. */
static const struct vxhci_ops ops_without_loop = {
	.msix = on_msix,
	.log = on_log,
	.mem_released = on_mem_released,
};

/* The controller's loop: a thread of its own here. */
static void *loop_run(void *arg)
{
	struct vm *vm = arg;
	struct pollfd fds[MAX_FDS];
	uint64_t timeout_ns = 0;
	char drained[64];
	bool quit;

	for (;;) {
		struct timespec ts = {
			.tv_sec = (time_t)(timeout_ns / 1000000000),
			.tv_nsec = (long)(timeout_ns % 1000000000)};

		pthread_mutex_lock(&vm->lock);
		memcpy(fds, vm->fds, sizeof(fds));
		quit = vm->quit;
		pthread_mutex_unlock(&vm->lock);
		if (quit)
			return NULL;
		ppoll(fds, MAX_FDS, timeout_ns == UINT64_MAX ? NULL : &ts,
		      NULL);
		while (read(vm->wake_pipe[0], drained, sizeof(drained)) > 0)
			;
		vxhci_dispatch(vm->v, &timeout_ns);
	}
}

/* The interrupt messages may have changed: a VMM tells KVM. */
static void update_routes(struct vm *vm)
{
	for (unsigned i = 0; i < VXHCI_VECTORS; i++) {
		uint64_t addr;
		uint32_t data;
		bool masked;

		if (vxhci_msix_entry(vm->v, i, &addr, &data, &masked) < 0)
			continue;
		pthread_mutex_lock(&vm->lock);
		vm->route[i] = data; /* and addr, which says which VCPU */
		pthread_mutex_unlock(&vm->lock);
	}
}

/* A guest's write to BAR 0, on any VCPU's thread. */
static void bar_write(struct vm *vm, uint32_t off, unsigned size, uint64_t val)
{
	if (off >= vm->msix_table && size == 8) {
		/* in halves: a route must be right before it is unmasked */
		bar_write(vm, off, 4, (uint32_t)val);
		bar_write(vm, off + 4, 4, val >> 32);
		return;
	}
	vxhci_bar_write(vm->v, off, size, val);
	if (off >= vm->msix_table)
		update_routes(vm);
}

static int create(struct vm *vm, const char *slot_option, bool without_loop)
{
	char why[512];
	int r;

	r = vxhci_create(slot_option, without_loop ? &ops_without_loop : &ops,
			 vm, why, sizeof(why), &vm->v);
	if (r < 0) {
		fprintf(stderr, "%s\n", why);
		return r;
	}
	r = vxhci_mem_map(vm->v, RAM_GPA, RAM_SIZE, vm->ram, true, vm->ram);
	if (r < 0)
		vxhci_destroy(vm->v);
	return r;
}

static int start(struct vm *vm, const char *slot_option, bool without_loop)
{
	uint8_t cap;
	int r = create(vm, slot_option, without_loop);

	if (r < 0)
		return r;
	cap = (uint8_t)vxhci_cfg_read(vm->v, 0x34, 1);
	while (cap && vxhci_cfg_read(vm->v, cap, 1) != 0x11)
		cap = (uint8_t)vxhci_cfg_read(vm->v, cap + 1u, 1);
	vm->msix_table = vxhci_cfg_read(vm->v, cap + 4u, 4) & ~7u;
	/* the guest's PCI driver: memory, bus master; MSI-X with vector 0 */
	vxhci_cfg_write(vm->v, 0x04, 2, 0x0006);
	vxhci_cfg_write(vm->v, cap + 2u, 2, 0x8000);
	bar_write(vm, vm->msix_table, 8, 0xfee00000);
	bar_write(vm, vm->msix_table + 8, 8, 0x41);
	return 0;
}

/* The guest: registers as in xHCI 1.2 §5. */

static uint32_t reg(struct vm *vm, uint32_t off)
{
	return (uint32_t)vxhci_bar_read(vm->v, off, 4);
}

static void guest_start(struct vm *vm, uint32_t op, uint32_t rt)
{
	const uint64_t segment[2] = {RING_GPA, 256};

	bar_write(vm, op, 4, 1u << 1);        /* USBCMD.HCRST */
	while (reg(vm, op + 0x04) & 1u << 11) /* USBSTS.CNR */
		usleep(1000);
	memcpy(vm->ram + (ERST_GPA - RAM_GPA), segment, sizeof(segment));
	bar_write(vm, rt + 0x28, 4, 1);          /* ERSTSZ */
	bar_write(vm, rt + 0x38, 8, RING_GPA);   /* ERDP */
	bar_write(vm, rt + 0x30, 8, ERST_GPA);   /* ERSTBA */
	bar_write(vm, rt + 0x20, 4, 2);          /* IMAN.IE */
	bar_write(vm, op, 4, 1u << 0 | 1u << 2); /* USBCMD.RS, INTE */
}

/* Is there a device in a port? Waits for the interrupt that says so. */
static bool guest_sees_device(struct vm *vm)
{
	uint32_t op = reg(vm, 0x00) & 0xff, rt = reg(vm, 0x18);
	uint32_t event[4], port, portsc;

	printf("xHCI %x, %u ports\n", reg(vm, 0) >> 16, reg(vm, 4) >> 24);
	guest_start(vm, op, rt);
	pthread_mutex_lock(&vm->lock);
	while (vm->interrupts == 0)
		pthread_cond_wait(&vm->cond, &vm->lock);
	pthread_mutex_unlock(&vm->lock);
	memcpy(event, vm->ram + (RING_GPA - RAM_GPA), sizeof(event));
	if ((event[3] >> 10 & 0x3f) != 34) /* Port Status Change Event */
		return false;
	port = event[0] >> 24;
	portsc = reg(vm, op + 0x400 + 16 * (port - 1));
	printf("port %u: PORTSC %#x, %s\n", port, portsc,
	       portsc & 1 ? "connected" : "empty");
	return portsc & 1;
}

/* Plug in one more, and wait until the guest has two. */
static bool guest_sees_another(struct vm *vm)
{
	uint32_t op = reg(vm, 0x00) & 0xff, ports = reg(vm, 0x04) >> 24;
	unsigned id, connected = 0;
	char why[512];

	if (vxhci_attach(vm->v, "tablet", NULL, why, sizeof(why), &id) < 0) {
		fprintf(stderr, "%s\n", why);
		return false;
	}
	for (int i = 0; connected != 2 && i < 5000; i++) {
		usleep(1000);
		connected = 0;
		for (uint32_t n = 0; n < ports; n++)
			connected += reg(vm, op + 0x400 + 16 * n) & 1;
	}
	printf("%u devices\n", connected);
	return connected == 2;
}

/* The console says where the pointer is on its screen. */
static void console_pointer(struct vm *vm, int x, int y, int width, int height)
{
	int r = vxhci_input_abs(vm->v, 0, x * VXHCI_ABS_MAX / (width - 1),
				y * VXHCI_ABS_MAX / (height - 1));

	if (r == -ENOTCONN)
		printf("the guest does not use its tablet yet\n");
}

static void print_stats(struct vm *vm)
{
	struct vxhci_stats stats;

	vxhci_get_stats(vm->v, &stats);
	printf("%llu events, %llu interrupts\n",
	       (unsigned long long)stats.events,
	       (unsigned long long)stats.interrupts);
}

static void stop(struct vm *vm, pthread_t loop)
{
	pthread_mutex_lock(&vm->lock);
	vm->quit = true;
	pthread_mutex_unlock(&vm->lock);
	on_wake(vm);
	pthread_join(loop, NULL);
	vxhci_destroy(vm->v);
}

/* The VCPUs stand still. Guest memory is written down after this. */
static bool suspend(struct vm *vm, uint8_t **ret_buf, size_t *ret_len)
{
	uint8_t *buf;
	size_t len;
	int r;

	r = vxhci_snapshot(vm->v, 10000, &buf, &len);
	if (r < 0) {
		fprintf(stderr, "no snapshot: %s\n", strerror(-r));
		return false;
	}
	*ret_buf = buf;
	*ret_len = len;
	return true;
}

/* The guest's memory is there again: so is the controller. */
static bool go_on(struct vm *vm, const char *slot_option, bool without_loop,
		  const uint8_t *buf, size_t len)
{
	char why[512];
	bool runs = false;
	int r;

	if (create(vm, slot_option, without_loop) < 0)
		return false;
	r = vxhci_restore(vm->v, buf, len, why, sizeof(why));
	if (r < 0) {
		fprintf(stderr, "%s\n", why);
	} else {
		update_routes(vm);
		vxhci_resume(vm->v);
		runs = reg(vm, reg(vm, 0) & 0xff) & 1; /* USBCMD.R/S */
	}
	if (runs)
		printf("goes on after %zu bytes\n", len);
	vxhci_destroy(vm->v);
	return runs;
}

/* All of it, with a guest of few lines */
static bool run(struct vm *vm, const char *slot_option, bool without_loop)
{
	uint8_t *state = NULL;
	size_t len = 0;
	pthread_t loop;
	bool ok;

	if (start(vm, slot_option, without_loop) < 0)
		return false;
	if (without_loop ? vxhci_start(vm->v) != 0
			 : pthread_create(&loop, NULL, loop_run, vm) != 0)
		abort();
	ok = guest_sees_device(vm) && guest_sees_another(vm);
	console_pointer(vm, 400, 300, 800, 600);
	print_stats(vm);
	ok = ok && suspend(vm, &state, &len);
	vxhci_resume(vm->v);
	vxhci_reset(vm->v); /* the machine is reset, or goes */
	vxhci_mem_unmap(vm->v, RAM_GPA, RAM_SIZE);
	if (without_loop)
		vxhci_destroy(vm->v);
	else
		stop(vm, loop);
	ok = ok && vm->released &&
	     go_on(vm, slot_option, without_loop, state, len);
	free(state);
	return ok;
}

int main(int argc, char **argv)
{
	char image[] = "/tmp/embed-example.XXXXXX", slot_option[128];
	struct vm vm = {.lock = PTHREAD_MUTEX_INITIALIZER,
			.cond = PTHREAD_COND_INITIALIZER};
	int fd = mkstemp(image);
	bool ok;

	for (int i = 0; i < MAX_FDS; i++)
		vm.fds[i].fd = -1;
	vm.ram = aligned_alloc(4096, RAM_SIZE);
	if (fd < 0 || ftruncate(fd, 1 << 20) < 0 || !vm.ram ||
	    pipe2(vm.wake_pipe, O_NONBLOCK | O_CLOEXEC) < 0) {
		perror("embed-example");
		return 1;
	}
	vm.fds[0] = (struct pollfd){.fd = vm.wake_pipe[0], .events = POLLIN};
	memset(vm.ram, 0, RAM_SIZE);
	snprintf(slot_option, sizeof(slot_option),
		 "30,xhci,storage=%s,speed=super", image);
	ok = run(&vm, slot_option, argc > 1 && !strcmp(argv[1], "thread"));
	unlink(image);
	free(vm.ram);
	return ok ? 0 : 1;
}
