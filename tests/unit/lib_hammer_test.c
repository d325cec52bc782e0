/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library from many threads at once: more VCPUs than two machines have,
 * on one controller, beside its own thread. Of use above all under TSan.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/lib/gdrv_vx.h"

#define NVCPUS 8u
#define HOSTILE_OPS 20000u
#define TRANSFERS 400u
#define SHOTS 40u
#define LEN 4096u
#define BULK_OUT 2 /* the device zero's endpoints 1, as DCIs */
#define BULK_IN 3
#define OTHER_GPA 0x40000000u /* memory that comes and goes */
#define OTHER_LEN 0x10000u

struct rig {
	struct guestmem gm;
	struct gdrv_vx e;
	struct gdrv d;
	pthread_t thread[NVCPUS + 4];
	atomic_uint started;
	atomic_bool stop;
	atomic_uint maps, plugs, shots, failed;
	uint8_t *other;
};

struct vcpu {
	struct rig *r;
	uint32_t x; /* xorshift */
};

static uint32_t next(struct vcpu *c)
{
	c->x ^= c->x << 13;
	c->x ^= c->x >> 17;
	c->x ^= c->x << 5;
	return c->x;
}

static struct rig *rig_new(const char *slot_option)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	guestmem_init(&r->gm);
	guestmem_add(&r->gm, 0x100000, 8u << 20);
	r->other = aligned_alloc(4096, OTHER_LEN);
	assert_non_null(r->other);
	memset(r->other, 0, OTHER_LEN);
	assert_int_equal(gdrv_vx_init_own(&r->e, &r->gm, slot_option), 0);
	return r;
}

static void rig_free(struct rig *r)
{
	unsigned maps = r->maps;

	gdrv_vx_fini(&r->e);
	/* the memory of the guest, and each of the others */
	assert_int_equal(r->e.released, maps + 1);
	assert_int_equal(r->failed, 0);
	guestmem_fini(&r->gm);
	free(r->other);
	free(r);
}

static void run_threads(struct rig *r, struct vcpu *c, unsigned n,
			void *(*fn)(void *))
{
	for (unsigned i = 0; i < n; i++) {
		unsigned at = r->started++;

		c[i] = (struct vcpu){.r = r, .x = 2463534242u + 977u * at};
		assert_int_equal(
			pthread_create(&r->thread[at], NULL, fn, &c[i]), 0);
	}
}

static void join_threads(struct rig *r)
{
	for (unsigned i = 0; i < r->started; i++)
		pthread_join(r->thread[i], NULL);
	r->started = 0;
}

/* A range of memory is mapped and unmapped, as a guest's hot-plug does. */
static void *map_and_unmap(void *arg)
{
	struct rig *r = ((struct vcpu *)arg)->r;

	while (!r->stop) {
		if (vxhci_mem_map(r->e.v, OTHER_GPA, OTHER_LEN, r->other, true,
				  r->other) != 0)
			r->failed++;
		r->maps++;
		if (vxhci_mem_unmap(r->e.v, OTHER_GPA, OTHER_LEN) != 0)
			r->failed++;
	}
	return NULL;
}

/* A device comes and goes, and is asked about. */
static void *plug_and_pull(void *arg)
{
	struct rig *r = ((struct vcpu *)arg)->r;
	struct vxhci_device dev[4];
	struct vxhci_port port[4];
	char err[256];
	unsigned id;

	while (!r->stop) {
		int rc = vxhci_attach(r->e.v, "tablet,at=5", NULL, err,
				      sizeof(err), &id);

		/* stopped for a snapshot; or one or many are leaving */
		if (rc != 0 && rc != -EBUSY && rc != -EEXIST && rc != -ENOSPC)
			r->failed++;
		vxhci_input_abs(r->e.v, 5, 100, 200);
		vxhci_get_devices(r->e.v, dev, 4);
		vxhci_get_ports(r->e.v, port, 4);
		rc = vxhci_detach(r->e.v, "5", err, sizeof(err));
		if (rc != 1 && rc != -ENOENT)
			r->failed++;
		r->plugs++;
	}
	return NULL;
}

/*
 * The controller stands still for a moment, and goes on for a longer one: not
 * for ever, as a transfer that is taken back each time makes no way.
 */
static void *stop_and_go(void *arg)
{
	struct rig *r = ((struct vcpu *)arg)->r;
	uint8_t *buf;
	size_t len;

	for (unsigned i = 0; i < SHOTS && !r->stop; i++) {
		int rc = vxhci_snapshot(r->e.v, 60000, &buf, &len);

		if (rc == 0)
			free(buf);
		else if (rc != -ENOTSUP || r->e.record == NULL)
			r->failed++;
		vxhci_resume(r->e.v);
		r->shots++;
		usleep(2000);
	}
	return NULL;
}

/* The library's thread comes and goes; others may dispatch meanwhile. */
static void *start_and_stop(void *arg)
{
	struct rig *r = ((struct vcpu *)arg)->r;
	uint64_t timeout;

	while (!r->stop) {
		vxhci_stop(r->e.v);
		vxhci_dispatch(r->e.v, &timeout);
		if (vxhci_start(r->e.v) != 0)
			r->failed++;
	}
	return NULL;
}

/* What does not change what another VCPU's driver is doing */
static void *harmless(void *arg)
{
	struct vcpu *c = arg;
	struct vxhci *v = c->r->e.v;
	struct vxhci_stats stats;
	uint64_t addr, timeout;
	uint32_t data;
	bool masked;

	while (!c->r->stop) {
		uint32_t op = next(c), vector = 1 + next(c) % 7;

		switch (op % 8) {
		case 0:
			vxhci_bar_read(v, next(c) % VXHCI_BAR0_SIZE,
				       1u << op % 4);
			break;
		case 1: /* a doorbell of nobody's */
			vxhci_bar_write(v, c->r->d.db + 4 * 60, 4, op);
			break;
		case 2:
			vxhci_cfg_read(v, next(c) % VXHCI_CFG_SIZE, 1);
			break;
		case 3: /* interrupt line, cache line size */
			vxhci_cfg_write(v, op & 16 ? 0x3c : 0x0c, 1, op);
			break;
		case 4: /* the table's vectors that no interrupter has */
			vxhci_bar_write(v, 0x4000 + 16 * vector, 4, op & ~3u);
			break;
		case 5:
			vxhci_msix_entry(v, vector, &addr, &data, &masked);
			break;
		case 6:
			vxhci_get_stats(v, &stats);
			break;
		default:
			vxhci_dispatch(v, &timeout);
		}
	}
	return NULL;
}

/* The sink takes zeroes and halts at others; the source gives them. */
static void transfer(struct rig *r, struct gdrv_dev *dev, uint64_t buf)
{
	const struct gdrv_sg sg = {.gpa = buf, .len = LEN};
	const uint8_t *p = guestmem_ptr(&r->gm, buf, LEN);
	uint32_t actual;

	guestmem_set(&r->gm, buf, 0, LEN);
	assert_int_equal(gdrv_bulk(dev, BULK_OUT, OS_LINUX, &sg, 1, &actual),
			 CC_SUCCESS);
	assert_int_equal(actual, LEN);
	guestmem_set(&r->gm, buf, 0xa5, LEN);
	assert_int_equal(gdrv_bulk(dev, BULK_IN, OS_LINUX, &sg, 1, &actual),
			 CC_SUCCESS);
	assert_int_equal(actual, LEN);
	for (unsigned i = 0; i < LEN; i++)
		assert_int_equal(p[i], 0);
}

static struct gdrv_dev *open_zero(struct rig *r)
{
	const uint8_t set_config[8] = {0, 9, 3};
	const struct gdrv_epcfg ep[2] = {
		{.dci = BULK_OUT, .type = EPT_BULK_OUT, .mps = 512},
		{.dci = BULK_IN, .type = EPT_BULK_IN, .mps = 512},
	};
	struct gdrv_dev *dev = gdrv_open(&r->d, gdrv_port_find(&r->d, 0));

	assert_non_null(dev);
	assert_int_equal(gdrv_control(dev, OS_LINUX, set_config, 0, NULL),
			 CC_SUCCESS);
	assert_int_equal(gdrv_configure(dev, ep, 2), CC_SUCCESS);
	return dev;
}

static void a_driver_among_other_vcpus(void **state)
{
	struct rig *r = rig_new("30,xhci,zero,speed=high");
	struct vcpu c[NVCPUS], more[4];
	struct gdrv_dev *dev;
	uint64_t buf;

	(void)state;
	assert_int_equal(gdrv_init(&r->d, &gdrv_vx_bus, &r->e, &r->gm, NULL),
			 0);
	assert_int_equal(gdrv_start(&r->d), 0);
	dev = open_zero(r);
	buf = guestmem_alloc(&r->gm, LEN);
	run_threads(r, c, NVCPUS - 1, harmless);
	run_threads(r, &more[0], 1, map_and_unmap);
	run_threads(r, &more[1], 1, start_and_stop);
	run_threads(r, &more[2], 1, plug_and_pull);
	run_threads(r, &more[3], 1, stop_and_go);
	for (unsigned n = 0;
	     n < TRANSFERS || r->maps == 0 || r->plugs == 0 || r->shots == 0;
	     n++)
		transfer(r, dev, buf);
	r->stop = true;
	join_threads(r);
	assert_true(gdrv_ok(&r->d));
	gdrv_halt(&r->d);
	gdrv_fini(&r->d);
	rig_free(r);
}

/* Anything at all, at registers above all; addresses in memory or near it */
static void *hostile(void *arg)
{
	struct vcpu *c = arg;
	struct vxhci *v = c->r->e.v;

	for (unsigned i = 0; i < HOSTILE_OPS; i++) {
		uint32_t op = next(c), off = next(c) % VXHCI_BAR0_SIZE;
		uint64_t val = next(c) % 4 ? 0x100000 + next(c) % 0x900000
					   : next(c) % 4096;

		switch (op % 16) {
		case 0:
			vxhci_cfg_write(v, off % VXHCI_CFG_SIZE, 1, op >> 8);
			break;
		case 1: /* memory and bus master again, and out of D3 */
			vxhci_cfg_write(v, 0x04, 2, 6);
			vxhci_cfg_write(v, 0x44, 2, 0);
			break;
		case 2:
			if (op >> 8 & 7)
				break;
			vxhci_reset(v);
			break;
		case 3:
			vxhci_bar_read(v, off, 1u << op % 4);
			break;
		case 4: /* run */
			vxhci_bar_write(v, c->r->d.op, 4, 5);
			break;
		case 5:
		case 6: /* doorbells */
			vxhci_bar_write(v, c->r->d.db + 4 * (op >> 8 & 3), 4,
					next(c) & 31);
			break;
		default:
			vxhci_bar_write(v, off % 0x4000 & ~7u, op & 16 ? 8 : 4,
					val);
		}
	}
	return NULL;
}

static void garbage(struct rig *r)
{
	struct vcpu c = {.r = r, .x = 88172645};
	uint64_t gpa = guestmem_alloc(&r->gm, 4u << 20);

	for (uint64_t i = 0; i < 4u << 20; i += 16) {
		guestmem_w64(&r->gm, gpa + i, 0x100000 + next(&c) % 0x700000);
		guestmem_w32(&r->gm, gpa + i + 8, next(&c) % 70000);
		guestmem_w32(&r->gm, gpa + i + 12, next(&c) & 0x0100fc7f);
	}
}

static void hostile_vcpus(void **state)
{
	struct rig *r = rig_new("30,xhci,zero,speed=high,zero");
	struct vcpu c[NVCPUS], more[4];
	struct vxhci_stats stats;

	(void)state;
	assert_int_equal(gdrv_init(&r->d, &gdrv_vx_bus, &r->e, &r->gm, NULL),
			 0);
	garbage(r);
	run_threads(r, &more[0], 1, map_and_unmap);
	run_threads(r, &more[1], 1, start_and_stop);
	run_threads(r, &more[2], 1, plug_and_pull);
	run_threads(r, &more[3], 1, stop_and_go);
	run_threads(r, c, NVCPUS, hostile);
	for (unsigned i = 4; i < NVCPUS + 4; i++)
		pthread_join(r->thread[i], NULL);
	r->started = 4;
	r->stop = true;
	join_threads(r);
	/* it is as good as new after a reset */
	vxhci_reset(r->e.v);
	vxhci_cfg_write(r->e.v, 0x04, 2, 6);
	assert_int_equal(gdrv_start(&r->d), 0);
	transfer(r, open_zero(r), guestmem_alloc(&r->gm, LEN));
	vxhci_get_stats(r->e.v, &stats);
	assert_true(stats.commands > 0);
	assert_true(gdrv_ok(&r->d));
	gdrv_fini(&r->d);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_driver_among_other_vcpus),
		cmocka_unit_test(hostile_vcpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
