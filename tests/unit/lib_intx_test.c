/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Interrupts as a VMM has them that offers a pin and MSI beside MSI-X: the
 * guest's driver chooses, and the level of the pin is what it should be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/lib/gdrv_vx.h"

#define COMMAND 0x04u
#define INTX_OFF 0x0400u
#define STATUS_INTX 0x08u
#define NOOP ((uint32_t)TRB_NOOP_CMD << 10)

/* The access layer's state is first, so that it can have this. */
struct rig {
	struct gdrv_vx e;
	struct guestmem gm;
	struct gdrv d;
	bool level;
	unsigned rises, falls, msis, msixs;
	uint64_t addr;
	uint32_t data;
};

static void on_wake(void *opaque)
{
	struct rig *r = opaque;

	pthread_mutex_lock(&r->e.lock);
	r->e.woken = true;
	pthread_cond_signal(&r->e.cond);
	pthread_mutex_unlock(&r->e.lock);
}

static void on_msix(void *opaque, unsigned vector)
{
	struct rig *r = opaque;

	assert_int_equal(vector, 0);
	r->msixs++;
}

static void on_intx(void *opaque, bool level)
{
	struct rig *r = opaque;

	assert_int_not_equal(level, r->level); /* changes only */
	r->level = level;
	r->rises += level;
	r->falls += !level;
}

static void on_msi(void *opaque, uint64_t addr, uint32_t data)
{
	struct rig *r = opaque;

	r->msis++;
	r->addr = addr;
	r->data = data;
}

static const struct vxhci_ops ops = {
	.msix = on_msix, .wake = on_wake, .intx = on_intx, .msi = on_msi};

static void create(struct rig *r)
{
	assert_int_equal(vxhci_create("30,xhci,zero,speed=high", &ops, r,
				      r->e.err, sizeof(r->e.err), &r->e.v),
			 0);
	assert_int_equal(vxhci_mem_map(r->e.v, r->gm.region[0].gpa,
				       r->gm.region[0].len,
				       r->gm.region[0].base, true, NULL),
			 0);
}

static struct rig *rig_up(uint32_t command)
{
	static const struct gdrv_opts opts = {.inte = true};
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	pthread_mutex_init(&r->e.lock, NULL);
	pthread_cond_init(&r->e.cond, NULL);
	guestmem_init(&r->gm);
	guestmem_add(&r->gm, 0x100000, 2u << 20);
	create(r);
	vxhci_cfg_write(r->e.v, COMMAND, 2, command);
	assert_int_equal(gdrv_init(&r->d, &gdrv_vx_bus, &r->e, &r->gm, &opts),
			 0);
	assert_int_equal(gdrv_start(&r->d), 0);
	return r;
}

static void rig_down(struct rig *r)
{
	assert_true(gdrv_ok(&r->d));
	gdrv_vx_fini(&r->e);
	gdrv_fini(&r->d);
	guestmem_fini(&r->gm);
	free(r);
}

/* An event is there, and nobody has looked at it. */
static void make_event(struct rig *r)
{
	uint32_t td;

	assert_int_equal(gdrv_cmd_post(&r->d, 0, 0, NOOP, &td), 0);
	gdrv_doorbell(&r->d, 0, 0, 0);
	gdrv_vx_bus.run(&r->e);
}

/* The driver's handler: USBSTS.EINT, IMAN.IP, the events, ERDP */
static void handle(struct rig *r)
{
	gdrv_pump(&r->d);
}

static uint32_t pci_status(struct rig *r)
{
	return vxhci_cfg_read(r->e.v, 0x06, 2) & STATUS_INTX;
}

static void the_pin_is_up_until_the_guest_has_looked(void **state)
{
	struct rig *r = rig_up(0x0006);

	(void)state;
	assert_int_equal(vxhci_cfg_read(r->e.v, 0x3d, 1), 1);
	handle(r);
	assert_false(r->level);
	for (unsigned i = 1; i <= 3; i++) {
		unsigned before = r->rises;

		make_event(r);
		assert_true(r->level);
		assert_int_equal(pci_status(r), STATUS_INTX);
		assert_int_equal(r->rises, before + 1);
		handle(r);
		assert_false(r->level);
		assert_int_equal(pci_status(r), 0);
	}
	/* Interrupt Disable: the status is there all the same */
	vxhci_cfg_write(r->e.v, COMMAND, 2, 0x0006 | INTX_OFF);
	make_event(r);
	assert_false(r->level);
	assert_int_equal(pci_status(r), STATUS_INTX);
	vxhci_cfg_write(r->e.v, COMMAND, 2, 0x0006);
	assert_true(r->level);
	/* a reset lets go of it */
	vxhci_reset(r->e.v);
	assert_false(r->level);
	assert_int_equal(r->msis + r->msixs, 0);
	r->d.nerr = 0;
	rig_down(r);
}

static uint32_t find_cap(struct rig *r, uint8_t id)
{
	uint32_t off = vxhci_cfg_read(r->e.v, 0x34, 1);

	while (off != 0 && vxhci_cfg_read(r->e.v, off, 1) != id)
		off = vxhci_cfg_read(r->e.v, off + 1, 1);
	return off;
}

static void msi_in_place_of_the_pin(void **state)
{
	struct rig *r = rig_up(0x0006);
	uint32_t cap = find_cap(r, 0x05);

	(void)state;
	assert_int_not_equal(cap, 0);
	handle(r);
	vxhci_cfg_write(r->e.v, cap + 4, 4, 0xfee01000);
	vxhci_cfg_write(r->e.v, cap + 8, 4, 1);
	vxhci_cfg_write(r->e.v, cap + 12, 2, 0x4041);
	vxhci_cfg_write(r->e.v, cap + 2, 2, 1);
	r->rises = r->falls = 0;
	make_event(r);
	assert_int_equal(r->msis, 1);
	assert_true(r->addr == 0x1fee01000u);
	assert_int_equal(r->data, 0x4041);
	handle(r);
	assert_int_equal(r->rises + r->msixs, 0);
	/* off again: the pin is what there is */
	vxhci_cfg_write(r->e.v, cap + 2, 2, 0);
	make_event(r);
	assert_true(r->level);
	handle(r);
	assert_int_equal(r->msis, 1);
	rig_down(r);
}

/* A guest that moves with its interrupt pending has it where it is then. */
static void the_level_moves_too(void **state)
{
	struct rig *r = rig_up(0x0006);
	char err[256] = "";
	uint8_t *buf;
	size_t len;

	(void)state;
	handle(r);
	make_event(r);
	assert_true(r->level);
	assert_int_equal(vxhci_snapshot(r->e.v, 10000, &buf, &len), 0);
	vxhci_destroy(r->e.v);
	r->level = false; /* of the other machine */
	create(r);
	assert_false(r->level);
	assert_int_equal(vxhci_restore(r->e.v, buf, len, err, sizeof(err)), 0);
	free(buf);
	vxhci_resume(r->e.v);
	gdrv_vx_bus.run(&r->e);
	assert_true(r->level);
	handle(r);
	assert_false(r->level);
	rig_down(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_pin_is_up_until_the_guest_has_looked),
		cmocka_unit_test(msi_in_place_of_the_pin),
		cmocka_unit_test(the_level_moves_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
