/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Input through the library: from vxhci_input_*() to a guest's interrupt
 * transfers, lights back, and wakeup.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/lib/gdrv_vx.h"

#define INT_IN 3u /* DCI of endpoint 1 IN */

struct guest {
	struct guestmem gm;
	struct gdrv_vx e;
	struct gdrv d;
	struct gdrv_dev *v;
	unsigned port;
	uint64_t buf;
};

static void request(struct guest *g, uint8_t rt, uint8_t req, uint16_t value,
		    uint8_t len)
{
	const uint8_t setup[8] = {
		rt, req, (uint8_t)value, (uint8_t)(value >> 8), 0, 0, len, 0};

	assert_int_equal(gdrv_control(g->v, OS_LINUX, setup, g->buf, NULL),
			 CC_SUCCESS);
}

static struct guest *guest_up(const char *slot)
{
	struct guest *g = calloc(1, sizeof(*g));
	struct gdrv_epcfg ep = {.dci = INT_IN,
				.type = EPT_INTR_IN,
				.mps = 8,
				.max_esit = 8,
				.interval = 3};

	assert_non_null(g);
	guestmem_init(&g->gm);
	guestmem_add(&g->gm, 0x100000, 8u << 20);
	assert_int_equal(gdrv_vx_init(&g->e, &g->gm, slot), 0);
	assert_int_equal(gdrv_init(&g->d, &gdrv_vx_bus, &g->e, &g->gm, NULL),
			 0);
	assert_int_equal(gdrv_start(&g->d), 0);
	g->port = gdrv_port_find(&g->d, 0);
	g->v = gdrv_open(&g->d, g->port);
	assert_non_null(g->v);
	g->buf = guestmem_alloc(&g->gm, 4096);
	request(g, 0, 9, 1, 0);
	assert_int_equal(gdrv_configure(g->v, &ep, 1), CC_SUCCESS);
	request(g, 0x21, 10, 0, 0);
	return g;
}

static void guest_down(struct guest *g)
{
	assert_true(gdrv_ok(&g->d));
	gdrv_vx_fini(&g->e);
	gdrv_fini(&g->d);
	guestmem_fini(&g->gm);
	free(g);
}

static uint32_t poll_start(struct guest *g)
{
	struct gdrv_trb t = {.ptr = g->buf,
			     .len = 8,
			     .type = TRB_NORMAL,
			     .flags = TRB_IOC | TRB_ISP};
	uint32_t td;

	assert_int_equal(gdrv_post(g->v->ring[INT_IN], &t, 1, &td), 0);
	gdrv_doorbell(&g->d, g->v->slot, INT_IN, 0);
	return td;
}

static const uint8_t *poll_end(struct guest *g, uint32_t td)
{
	assert_int_equal(gdrv_wait(&g->d, g->v->ring[INT_IN], td, 2000), 0);
	return guestmem_ptr(&g->gm, g->buf, 8);
}

static void keys_reach_the_guest_in_order(void **state)
{
	struct guest *g = guest_up("30,xhci,keyboard,mouse");
	struct vxhci *v = g->e.v;

	(void)state;
	assert_int_equal(vxhci_key_usage("a"), 4);
	assert_int_equal(vxhci_key_usage("rightmeta"), 0xe7);
	assert_int_equal(vxhci_key_usage("A"), 0);
	assert_int_equal(vxhci_key_usage(""), 0);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(
			vxhci_input_key(v, 0, 4 + i / 2 % 26, i % 2 == 0), 0);
	for (unsigned i = 0; i < 200; i++) {
		const uint8_t *p = poll_end(g, poll_start(g));

		assert_int_equal(p[2], i % 2 ? 0 : 4 + i / 2 % 26);
	}
	guest_down(g);
}

/* Injected while the guest waits: it is told without anybody asking. */
static void a_waiting_guest_is_woken(void **state)
{
	struct guest *g = guest_up("30,xhci,tablet,speed=super");
	uint32_t td = poll_start(g);

	(void)state;
	gdrv_pump(&g->d);
	assert_false(gdrv_td_ended(gdrv_td(g->v->ring[INT_IN], td)));
	assert_int_equal(vxhci_input_abs(g->e.v, g->port, 0x102, 0x304), 0);
	assert_memory_equal(poll_end(g, td), "\0\x02\x01\x04\x03\0\0", 7);
	assert_int_equal(gdrv_td(g->v->ring[INT_IN], td)->actual, 7);
	guest_down(g);
}

static void errors_say_which(void **state)
{
	struct guest *g =
		guest_up("30,xhci,keyboard,at=2,mouse,at=3,zero,at=4");
	struct vxhci *v = g->e.v;

	(void)state;
	assert_int_equal(vxhci_input_abs(v, 0, 1, 1), -ENODEV);
	assert_int_equal(vxhci_input_key(v, 1, 4, true), -ENODEV);
	assert_int_equal(vxhci_input_key(v, 4, 4, true), -ENODEV);
	assert_int_equal(vxhci_input_key(v, 99, 4, true), -ENODEV);
	assert_int_equal(vxhci_input_key(v, 3, 4, true), -EINVAL);
	assert_int_equal(vxhci_input_key(v, 2, 4, true), 0);
	assert_int_equal(vxhci_input_key(v, 0, 0, true), -EINVAL);
	/* the mouse has no driver */
	assert_int_equal(vxhci_input_rel(v, 0, 1, 1), -ENOTCONN);
	assert_int_equal(vxhci_input_wheel(v, 0, 1, 0), -ENOTCONN);
	assert_int_equal(vxhci_input_button(v, 3, VXHCI_BUTTON_LEFT, true),
			 -ENOTCONN);
	assert_int_equal(vxhci_input_button(v, 2, VXHCI_BUTTON_LEFT, true),
			 -EINVAL);
	guest_down(g);
}

/* A key in U3 resumes the port, and is there when the guest has resumed it. */
static void a_key_wakes_a_suspended_port(void **state)
{
	struct guest *g = guest_up("30,xhci,keyboard");
	uint32_t sc = g->d.op + 0x400 + 0x10 * (g->port - 1);

	(void)state;
	request(g, 0, 3, 1, 0); /* DEVICE_REMOTE_WAKEUP */
	assert_int_equal(gdrv_stop_ep(g->v, INT_IN), CC_SUCCESS);
	gdrv_w32(&g->d, sc, PORT_PP | PORT_LWS | 3u << 5);
	gdrv_pump(&g->d);
	assert_int_equal(gdrv_r32(&g->d, sc) >> 5 & 15, 3u);
	assert_int_equal(vxhci_input_key(g->e.v, 0, 4, true), 0);
	assert_int_equal(gdrv_wait_reg(&g->d, sc, 15u << 5, 15u << 5, 1000), 0);
	assert_true(gdrv_r32(&g->d, sc) & PORT_PLC);
	gdrv_w32(&g->d, sc, PORT_PP | PORT_LWS | PORT_PLC);
	assert_int_equal(gdrv_wait_reg(&g->d, sc, 15u << 5, 0, 1000), 0);
	gdrv_w32(&g->d, sc, PORT_PP | PORT_PLC);
	assert_int_equal(poll_end(g, poll_start(g))[2], 4);
	guest_down(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_reach_the_guest_in_order),
		cmocka_unit_test(a_waiting_guest_is_woken),
		cmocka_unit_test(errors_say_which),
		cmocka_unit_test(a_key_wakes_a_suspended_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
