/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Guest memory that is truncated while controllers use it: a host system error
 * of that controller, with nothing made up in the place of what is gone, and
 * nothing to anybody else.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/lib/gdrv_vx.h"
#include "vmm/dma.h"

#define GONE_GPA 0x40000000u
#define GONE_LEN 0x40000u
#define BULK_OUT 2 /* the device zero's endpoints 1, as DCIs */
#define BULK_IN 3
#define NTHREADS 4u

static atomic_uint faults, strange;

/* What a VMM does */
static void on_sigbus(int sig, siginfo_t *si, void *context)
{
	(void)context;
	if (si->si_code == BUS_ADRERR && vxhci_mem_fault(si->si_addr)) {
		atomic_fetch_add(&faults, 1);
		return;
	}
	atomic_fetch_add(&strange, 1);
	signal(sig, SIG_DFL);
}

static void handler_install(void)
{
	struct sigaction sa = {.sa_sigaction = on_sigbus,
			       .sa_flags = SA_SIGINFO};

	sigaction(SIGBUS, &sa, NULL);
	faults = strange = 0;
}

/* A controller with a device, and memory of a file beside its own */
struct one {
	struct guestmem gm;
	struct gdrv_vx e;
	struct gdrv d;
	struct gdrv_dev *dev;
	uint64_t buf;
	int fd;
	uint8_t *gone;
};

static void one_map(struct one *o)
{
	assert_int_equal(ftruncate(o->fd, GONE_LEN), 0);
	o->gone = mmap(NULL, GONE_LEN, PROT_READ | PROT_WRITE, MAP_SHARED,
		       o->fd, 0);
	assert_ptr_not_equal(o->gone, MAP_FAILED);
	assert_int_equal(
		vxhci_mem_map(o->e.v, GONE_GPA, GONE_LEN, o->gone, true, NULL),
		0);
}

static void one_unmap(struct one *o)
{
	assert_int_equal(vxhci_mem_unmap(o->e.v, GONE_GPA, GONE_LEN), 0);
	munmap(o->gone, GONE_LEN);
}

static void one_open(struct one *o)
{
	const uint8_t set_config[8] = {0, 9, 3};
	const struct gdrv_epcfg ep[2] = {
		{.dci = BULK_OUT, .type = EPT_BULK_OUT, .mps = 512},
		{.dci = BULK_IN, .type = EPT_BULK_IN, .mps = 512},
	};

	o->dev = gdrv_open(&o->d, gdrv_port_find(&o->d, 0));
	assert_non_null(o->dev);
	assert_int_equal(gdrv_control(o->dev, OS_LINUX, set_config, 0, NULL),
			 CC_SUCCESS);
	assert_int_equal(gdrv_configure(o->dev, ep, 2), CC_SUCCESS);
}

static struct one *one_new(void)
{
	struct one *o = calloc(1, sizeof(*o));

	assert_non_null(o);
	guestmem_init(&o->gm);
	guestmem_add(&o->gm, 0x100000, 8u << 20);
	assert_int_equal(gdrv_vx_init(&o->e, &o->gm, "30,xhci,zero,speed=high"),
			 0);
	o->fd = memfd_create("gone", MFD_CLOEXEC);
	assert_true(o->fd >= 0);
	one_map(o);
	assert_int_equal(gdrv_init(&o->d, &gdrv_vx_bus, &o->e, &o->gm, NULL),
			 0);
	assert_int_equal(gdrv_start(&o->d), 0);
	one_open(o);
	o->buf = guestmem_alloc(&o->gm, 4096);
	return o;
}

static void one_free(struct one *o)
{
	gdrv_vx_fini(&o->e);
	gdrv_fini(&o->d);
	munmap(o->gone, GONE_LEN);
	close(o->fd);
	guestmem_fini(&o->gm);
	free(o);
}

static uint32_t status(struct one *o)
{
	uint64_t timeout;

	vxhci_dispatch(o->e.v, &timeout);
	return gdrv_r32(&o->d, o->d.op + 4);
}

static bool has_failed(struct one *o)
{
	return (status(o) & (STS_HSE | STS_HCH)) == (STS_HSE | STS_HCH);
}

static void works(struct one *o)
{
	const struct gdrv_sg sg = {.gpa = o->buf, .len = 4096};
	uint32_t actual;

	assert_false(status(o) & STS_HSE);
	assert_int_equal(gdrv_bulk(o->dev, BULK_IN, OS_LINUX, &sg, 1, &actual),
			 CC_SUCCESS);
	assert_int_equal(actual, 4096);
}

/* After a reset, with memory again, all is as before. */
static void recover(struct one *o)
{
	one_unmap(o);
	one_map(o);
	assert_int_equal(gdrv_hcrst(&o->d), 0);
	assert_int_equal(gdrv_start(&o->d), 0);
	one_open(o);
	works(o);
}

static void structures_that_are_gone(void **state)
{
	struct one *a = one_new(), *b = one_new();
	uint32_t td;

	(void)state;
	handler_install();
	for (unsigned what = 0; what < 4; what++) {
		works(a);
		assert_int_equal(ftruncate(a->fd, 0), 0);
		switch (what) {
		case 0: /* a transfer ring: a Link leads there */
			guestmem_w64(&a->gm, gdrv_ring_enqueue(a->dev->ring[3]),
				     GONE_GPA);
			guestmem_w32(
				&a->gm, gdrv_ring_enqueue(a->dev->ring[3]) + 12,
				6u << 10 | (uint32_t)a->dev->ring[3]->cycle);
			gdrv_doorbell(&a->d, a->dev->slot, BULK_IN, 0);
			break;
		case 1: /* the command ring */
			gdrv_w32(&a->d, a->d.op, 0);
			gdrv_w64(&a->d, a->d.op + 0x18, GONE_GPA | 1);
			gdrv_w32(&a->d, a->d.op, 1);
			gdrv_doorbell(&a->d, 0, 0, 0);
			break;
		case 2: /* an input context */
			gdrv_cmd_post(&a->d, GONE_GPA, 0,
				      13u << 10 | (uint32_t)a->dev->slot << 24,
				      &td);
			gdrv_doorbell(&a->d, 0, 0, 0);
			break;
		default: /* an event ring's segment table */
			gdrv_w64(&a->d, a->d.rt + 0x30, GONE_GPA);
			gdrv_cmd_post(&a->d, 0, 0, 23u << 10, &td);
			gdrv_doorbell(&a->d, 0, 0, 0);
			break;
		}
		assert_true(has_failed(a));
		works(b);
		recover(a);
	}
	assert_int_equal(faults, 4);
	assert_int_equal(strange, 0);
	one_free(a);
	one_free(b);
}

/* The buffers of transfers, whole or in pieces, in and out */
static void payload_that_is_gone(void **state)
{
	struct one *a = one_new(), *b = one_new();

	(void)state;
	handler_install();
	for (unsigned i = 0; i < 4; i++) {
		unsigned dci = i & 1 ? BULK_IN : BULK_OUT;
		struct gdrv_sg sg[2] = {{.gpa = GONE_GPA + 4096, .len = 512},
					{.gpa = a->buf, .len = 512}};
		uint32_t td;

		/* there when it is submitted, gone when it is used */
		gdrv_os_bulk(a->dev->ring[dci], OS_LINUX, i & 1, sg, 1 + i / 2,
			     &td, 1);
		assert_int_equal(ftruncate(a->fd, 0), 0);
		gdrv_doorbell(&a->d, a->dev->slot, dci, 0);
		for (unsigned n = 0; n < 10 && !has_failed(a); n++)
			;
		assert_true(has_failed(a));
		works(b);
		recover(a);
	}
	assert_int_equal(faults, 4);
	assert_int_equal(strange, 0);
	one_free(a);
	one_free(b);
}

/* What is gone is not touched again while it stays mapped. */
static void refused_from_then_on(void **state)
{
	struct dma m;
	struct xhci_span sp;
	int fd = memfd_create("gone", MFD_CLOEXEC);
	uint8_t *at, buf[8192], *far;
	struct usb_seg seg[2];
	struct usb_xfer x = {.nseg = 2, .seg = seg, .length = 8192};

	(void)state;
	handler_install();
	assert_int_equal(ftruncate(fd, 16384), 0);
	at = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	far = calloc(1, 4096);
	assert_non_null(far);
	dma_init(&m, NULL, NULL);
	assert_int_equal(dma_map(&m, 0x10000, 16384, at, true, NULL), 0);
	assert_int_equal(dma_get(&m, 0x10000, 8, true, &sp), 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	/* the copy says where it came to its end, and makes nothing up */
	seg[0] = (struct usb_seg){.base = far, .len = 4096};
	seg[1] = (struct usb_seg){.base = at + 8192, .len = 4096};
	assert_int_equal(usb_xfer_gather(&x, 0, buf, 8192), 4096);
	assert_int_equal(faults, 1);
	assert_true(m.lost);
	assert_int_equal(dma_get(&m, 0x10000, 8, false, &sp), -EFAULT);
	assert_int_equal(dma_unmap(&m, 0x10000, 16384), 0);
	munmap(at, 16384);

	assert_int_equal(ftruncate(fd, 16384), 0);
	at = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_int_equal(dma_map(&m, 0x10000, 16384, at, true, NULL), 0);
	assert_int_equal(dma_get(&m, 0x10000, 8, false, &sp), 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	seg[1].base = at + 4096;
	assert_int_equal(usb_xfer_scatter(&x, 0, buf, 8192), 4096);
	dma_fini(&m);
	/* no longer in the table: somebody else's */
	assert_false(vxhci_mem_fault(at + 4096));
	munmap(at, 16384);
	close(fd);
	free(far);
}

/* A fault in what is no guest memory ends the process as ever. */
static void faults_of_others_are_theirs(void **state)
{
	int status, fd = memfd_create("other", MFD_CLOEXEC);
	pid_t pid;

	(void)state;
	pid = fork();
	if (pid == 0) {
		volatile uint8_t *at =
			mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);

		handler_install();
		_exit(at[0]);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
	close(fd);
}

/* Huge pages can be replaced as a whole only. */
static void huge_pages_that_are_gone(void **state)
{
	const size_t huge = 2u << 20;
	int fd = memfd_create("huge", MFD_CLOEXEC | MFD_HUGETLB);
	struct xhci_span sp;
	struct dma m;
	uint8_t *at;

	(void)state;
	if (fd < 0 || ftruncate(fd, (off_t)(2 * huge)) < 0)
		skip();
	at = mmap(NULL, 2 * huge, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED) {
		close(fd);
		skip();
	}
	handler_install();
	dma_init(&m, NULL, NULL);
	assert_int_equal(dma_map(&m, 0, 2 * huge, at, true, NULL), 0);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(((volatile uint8_t *)at)[huge + 12345], 0);
	assert_int_equal(faults, 1);
	assert_int_equal(dma_get(&m, 0, 8, false, &sp), -EFAULT);
	dma_fini(&m);
	munmap(at, 2 * huge);
	close(fd);
}

struct faulter {
	pthread_t thread;
	unsigned seen;
};

/* Ranges come, are gone, and go, in several threads at once. */
static void *fault_again_and_again(void *arg)
{
	struct faulter *f = arg;
	int fd = memfd_create("gone", MFD_CLOEXEC);

	for (unsigned i = 0; i < 200; i++) {
		struct dma_guard *g, *more[3];
		atomic_bool lost = false, any = false;
		volatile uint8_t *at;

		if (ftruncate(fd, 8192) < 0)
			break;
		at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			  0);
		for (unsigned k = 0; k < 3; k++)
			more[k] = dma_guard_add(f, 1, &lost, &any);
		g = dma_guard_add((void *)(uintptr_t)at, 8192, &lost, &any);
		for (unsigned k = 0; k < 3; k++)
			dma_guard_remove(more[k]);
		if (ftruncate(fd, 4096) < 0)
			break;
		f->seen += at[4096] == 0 && lost && any;
		f->seen -= at[0] != 0;
		dma_guard_remove(g);
		munmap((void *)(uintptr_t)at, 8192);
	}
	close(fd);
	return NULL;
}

static void several_threads(void **state)
{
	struct faulter f[NTHREADS] = {0};

	(void)state;
	handler_install();
	for (unsigned i = 0; i < NTHREADS; i++)
		pthread_create(&f[i].thread, NULL, fault_again_and_again,
			       &f[i]);
	for (unsigned i = 0; i < NTHREADS; i++) {
		pthread_join(f[i].thread, NULL);
		assert_int_equal(f[i].seen, 200);
	}
	assert_int_equal(faults, 200 * NTHREADS);
	assert_int_equal(strange, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(structures_that_are_gone),
		cmocka_unit_test(payload_that_is_gone),
		cmocka_unit_test(refused_from_then_on),
		cmocka_unit_test(faults_of_others_are_theirs),
		cmocka_unit_test(huge_pages_that_are_gone),
		cmocka_unit_test(several_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
