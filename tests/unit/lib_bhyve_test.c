/* SPDX-License-Identifier: BSD-2-Clause */
/* vmm/bhyve/: the library as bhyve's device model `xhci`, on a bhyve of fakes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "tests/bhyve/fake.h"
#include "vmm/vxhci.h"

#define TABLET_IN 3 /* endpoint 1 IN, as a DCI */
#define REPORT_LEN 7u

struct guest {
	struct vmctx ctx; /* first: bhyve's names lead to it */
	struct gdrv d;
};

static struct guest *guest_new(void)
{
	struct guest *g = calloc(1, sizeof(*g));

	assert_non_null(g);
	fake_new(&g->ctx);
	return g;
}

/* A machine whose guest has the driver up, with MSI-X and all vectors routed */
static struct guest *guest_up(const char *options)
{
	struct guest *g = guest_new();

	if (fake_init(&g->ctx, options) != 0)
		fail_msg("%s", g->ctx.line);
	fake_cfgwrite(&g->ctx, 0x04, 2, 0x0006);
	for (unsigned i = 0; i < VXHCI_VECTORS; i++)
		fake_route(&g->ctx, i, false);
	fake_msix(&g->ctx, true, false);
	assert_int_equal(gdrv_init(&g->d, &fake_bus, &g->ctx, &g->ctx.gm,
				   &(struct gdrv_opts){.inte = true}),
			 0);
	assert_int_equal(gdrv_start(&g->d), 0);
	return g;
}

static void guest_free(struct guest *g)
{
	fake_free(&g->ctx);
	free(g);
}

static void guest_down(struct guest *g)
{
	assert_true(gdrv_ok(&g->d));
	gdrv_halt(&g->d);
	gdrv_fini(&g->d);
	guest_free(g);
}

static int noop_done(struct guest *g)
{
	return gdrv_cmd_raw(&g->d, 0, 0, TRB_TYPE(TRB_NOOP_CMD));
}

/* Messages of vector 0, as soon as there are @n; at most ten seconds */
static unsigned wait_sent(struct guest *g, unsigned n)
{
	for (int i = 0; g->ctx.sent[0] < n && i < 50000; i++)
		fake_bus.advance(&g->ctx, 200000);
	return g->ctx.sent[0];
}

static void the_function_is_an_xhci(void **state)
{
	struct guest *g = guest_new();
	const unsigned char *cfg = g->ctx.pi.pi_cfgdata;

	(void)state;
	assert_string_equal(bhyve_devemu->pe_emu, "xhci");
	assert_int_equal(fake_init(&g->ctx, NULL), 0);
	assert_memory_equal(cfg, "\x36\x1b\x0d\x00", 4);
	assert_memory_equal(cfg + 9, "\x30\x03\x0c", 3);
	assert_int_equal(cfg[0x60], 0x30);
	assert_int_equal(g->ctx.bar[0].type, PCIBAR_MEM64);
	assert_int_equal(g->ctx.bar[0].size, VXHCI_BAR0_SIZE);
	assert_int_equal(g->ctx.bar[2].type, PCIBAR_MEM32);
	assert_int_equal(g->ctx.nvectors, VXHCI_VECTORS);
	guest_free(g);
}

static void a_wrong_option_is_said(void **state)
{
	struct guest *g = guest_new();

	(void)state;
	assert_int_equal(fake_init(&g->ctx, "zero,at=99"), -1);
	assert_non_null(strstr(g->ctx.line, "at=99"));
	assert_null(g->ctx.pi.pi_arg);
	guest_free(g);
}

static void without_a_bar_there_is_no_device(void **state)
{
	(void)state;
	for (int bar = 0; bar <= 2; bar += 2) {
		struct guest *g = guest_new();

		g->ctx.fail_bar = bar;
		assert_int_equal(fake_init(&g->ctx, "zero"), -1);
		assert_non_null(strstr(g->ctx.line, "0:30:0"));
		assert_null(g->ctx.pi.pi_arg);
		guest_free(g);
	}
}

static void a_driver_addresses_a_device(void **state)
{
	struct guest *g = guest_up("zero,speed=high");
	const uint8_t get_device[8] = {0x80, 6, 0, 1, 0, 0, 18};
	uint64_t buf = guestmem_alloc_in(&g->ctx.gm, 1, 64);
	struct gdrv_dev *v;
	uint32_t n;

	(void)state;
	assert_true(buf >= FAKE_HIGHMEM_GPA); /* memory above 4 GiB */
	v = gdrv_open(&g->d, gdrv_port_find(&g->d, 0));
	assert_non_null(v);
	assert_int_equal(gdrv_control(v, OS_FREEBSD, get_device, buf, &n),
			 CC_SUCCESS);
	assert_int_equal(n, 18);
	assert_memory_equal(guestmem_ptr(&g->ctx.gm, buf + 8, 4),
			    "\x25\x05\xa0\xa4", 4);
	assert_true(wait_sent(g, 1) > 0);
	guestmem_free(&g->ctx.gm, buf, 64);
	guest_down(g);
}

/* bhyve itself drops the message of a vector that is masked. */
static void a_message_waits_for_its_vector(void **state)
{
	struct guest *g = guest_up("zero");
	unsigned n;

	(void)state;
	gdrv_pump(&g->d);
	fake_route(&g->ctx, 0, true);
	n = g->ctx.sent[0];
	assert_int_equal(noop_done(g), CC_SUCCESS);
	assert_int_equal(g->ctx.sent[0], n);
	fake_route(&g->ctx, 0, false);
	assert_int_equal(g->ctx.sent[0], n + 1);
	fake_route(&g->ctx, 0, false); /* once */
	assert_int_equal(g->ctx.sent[0], n + 1);
	guest_down(g);
}

static void no_message_while_msix_is_off(void **state)
{
	struct guest *g = guest_up("zero");
	unsigned n;

	(void)state;
	gdrv_pump(&g->d);
	fake_msix(&g->ctx, false, false);
	n = g->ctx.sent[0];
	assert_int_equal(noop_done(g), CC_SUCCESS);
	fake_route(&g->ctx, 0, false);
	assert_int_equal(g->ctx.sent[0], n);
	fake_msix(&g->ctx, true, false);
	assert_int_equal(noop_done(g), CC_SUCCESS);
	assert_int_equal(wait_sent(g, n + 1), n + 1);
	guest_down(g);
}

static void no_memory_without_bus_mastering(void **state)
{
	struct guest *g = guest_up("zero");
	const struct timespec while_off = {.tv_nsec = 20000000};
	uint32_t td;
	uint64_t n;

	(void)state;
	gdrv_pump(&g->d);
	fake_cfgwrite(&g->ctx, 0x04, 2, 0x0002);
	n = g->d.nev;
	assert_int_equal(
		gdrv_cmd_post(&g->d, 0, 0, TRB_TYPE(TRB_NOOP_CMD), &td), 0);
	gdrv_doorbell(&g->d, 0, 0, 0);
	nanosleep(&while_off, NULL);
	gdrv_pump(&g->d);
	assert_int_equal(g->d.nev, n);
	fake_cfgwrite(&g->ctx, 0x04, 2, 0x0006);
	gdrv_doorbell(&g->d, 0, 0, 0);
	assert_int_equal(gdrv_cmd_wait(&g->d, td), CC_SUCCESS);
	guest_down(g);
}

/* The console's pointer */

struct tablet {
	struct guest *g;
	struct gdrv_dev *v;
	uint64_t buf;
};

static void tablet_up(struct tablet *t, const char *options)
{
	const struct gdrv_epcfg ep = {
		.dci = TABLET_IN, .type = EPT_INTR_IN, .mps = 8, .interval = 3};
	const uint8_t set_config[8] = {0, 9, 1};

	t->g = guest_up(options);
	t->v = gdrv_open(&t->g->d, gdrv_port_find(&t->g->d, 0));
	assert_non_null(t->v);
	assert_int_equal(gdrv_control(t->v, OS_FREEBSD, set_config, 0, NULL),
			 CC_SUCCESS);
	assert_int_equal(gdrv_configure(t->v, &ep, 1), CC_SUCCESS);
	t->buf = guestmem_alloc(&t->g->ctx.gm, 64);
}

static uint32_t tablet_listen(struct tablet *t)
{
	const struct gdrv_trb trb = {.ptr = t->buf,
				     .len = 8,
				     .type = TRB_NORMAL,
				     .flags = TRB_IOC | TRB_ISP};
	uint32_t td;

	assert_int_equal(gdrv_post(t->v->ring[TABLET_IN], &trb, 1, &td), 0);
	gdrv_doorbell(&t->g->d, t->v->slot, TABLET_IN, 0);
	return td;
}

/* The next report: buttons, x, y, wheel */
static void assert_report(struct tablet *t, unsigned buttons, unsigned x,
			  unsigned y, int wheel)
{
	struct gdrv_ring *r = t->v->ring[TABLET_IN];
	uint32_t td = tablet_listen(t);
	const uint8_t *p = guestmem_ptr(&t->g->ctx.gm, t->buf, REPORT_LEN);

	assert_int_equal(gdrv_wait(&t->g->d, r, td, 10000), 0);
	assert_int_equal(gdrv_td(r, td)->actual, REPORT_LEN);
	assert_int_equal(p[0], buttons);
	assert_int_equal(p[1] | p[2] << 8, x);
	assert_int_equal(p[3] | p[4] << 8, y);
	assert_int_equal((int8_t)p[5], wheel);
}

static void point(struct tablet *t, unsigned mask, int x, int y)
{
	t->g->ctx.pointer((uint8_t)mask, x, y, t->g->ctx.pointer_arg);
}

/* Buttons as RFC 6143 §7.5.5 has them, edges at the screen's edges */
static void the_console_moves_the_tablet(void **state)
{
	struct tablet t;

	(void)state;
	tablet_up(&t, "tablet");
	t.g->ctx.image.width = 801;
	t.g->ctx.image.height = 601;
	assert_int_equal(t.g->ctx.pointer_priority, 10);
	point(&t, 0, 400, 300);
	assert_report(&t, 0, 16383, 16383, 0);
	point(&t, 1, 400, 300); /* left */
	assert_report(&t, 1, 16383, 16383, 0);
	point(&t, 1 | 4, 800, 600); /* and right */
	assert_report(&t, 1, VXHCI_ABS_MAX, VXHCI_ABS_MAX, 0);
	assert_report(&t, 3, VXHCI_ABS_MAX, VXHCI_ABS_MAX, 0);
	point(&t, 2, 5000, -5); /* the middle one alone, outside */
	assert_report(&t, 3, VXHCI_ABS_MAX, 0, 0);
	assert_report(&t, 2, VXHCI_ABS_MAX, 0, 0);
	assert_report(&t, 6, VXHCI_ABS_MAX, 0, 0);
	assert_report(&t, 4, VXHCI_ABS_MAX, 0, 0);
	guest_down(t.g);
}

static void the_wheel_turns_once_a_press(void **state)
{
	struct tablet t;

	(void)state;
	tablet_up(&t, "zero,at=2,tablet,at=1");
	t.g->ctx.image.width = t.g->ctx.image.height = 100;
	point(&t, 8, 0, 0);
	assert_report(&t, 0, 0, 0, 1);
	point(&t, 0, 0, 0);
	point(&t, 0x10, 0, 0);
	assert_report(&t, 0, 0, 0, -1);
	guest_down(t.g);
}

static void without_a_screen_or_a_tablet_nothing_points(void **state)
{
	static const char *const none[] = {NULL, "zero",
					   "storage=/dev/null/tablet"};
	struct tablet t;

	(void)state;
	tablet_up(&t, "tablet");
	point(&t, 1, 1, 1);
	t.g->ctx.image.width = t.g->ctx.image.height = 3;
	point(&t, 0, 2, 2);
	assert_report(&t, 0, VXHCI_ABS_MAX, VXHCI_ABS_MAX, 0);
	guest_down(t.g);
	for (unsigned i = 0; i < 3; i++) {
		struct guest *g = guest_new();

		fake_init(&g->ctx, none[i]);
		assert_null(g->ctx.pointer);
		guest_free(g);
	}
}

/* Suspending: another process goes on with the guest's memory */

/* A tablet that has been used, a button down; and a report still asked for */
static void a_suspended_machine_goes_on(void **state)
{
	static struct fake_state s;
	struct gdrv_ring *r;
	struct tablet t;
	uint32_t td;

	(void)state;
	tablet_up(&t, "tablet");
	t.g->ctx.image.width = t.g->ctx.image.height = 101;
	point(&t, 1, 50, 50);
	assert_report(&t, 0, 16383, 16383, 0);
	assert_report(&t, 1, 16383, 16383, 0);
	r = t.v->ring[TABLET_IN];
	td = tablet_listen(&t);
	gdrv_pump(&t.g->d);
	assert_int_equal(fake_suspend(&t.g->ctx, &s), 0);
	assert_int_equal(fake_restart(&t.g->ctx, "tablet", &s), 0);
	point(&t, 1, 100, 50); /* the button is no news */
	assert_int_equal(gdrv_wait(&t.g->d, r, td, 10000), 0);
	assert_int_equal(gdrv_td(r, td)->actual, REPORT_LEN);
	point(&t, 0, 100, 50);
	assert_report(&t, 0, VXHCI_ABS_MAX, 16383, 0);
	guest_down(t.g);
}

static void a_message_that_waits_is_suspended_with_it(void **state)
{
	static struct fake_state s;
	struct guest *g = guest_up("zero");
	unsigned n;

	(void)state;
	gdrv_pump(&g->d);
	fake_route(&g->ctx, 0, true);
	n = g->ctx.sent[0];
	assert_int_equal(noop_done(g), CC_SUCCESS);
	assert_int_equal(fake_suspend(&g->ctx, &s), 0);
	assert_int_equal(fake_restart(&g->ctx, "zero", &s), 0);
	assert_int_equal(g->ctx.sent[0], n);
	fake_route(&g->ctx, 0, false);
	assert_int_equal(g->ctx.sent[0], n + 1);
	/* and those after it come by themselves, MSI-X being enabled */
	gdrv_pump(&g->d);
	assert_int_equal(noop_done(g), CC_SUCCESS);
	assert_int_equal(wait_sent(g, n + 2), n + 2);
	guest_down(g);
}

/* What is too short, or of another machine; all of it leaves the device whole */
static void what_cannot_be_resumed_is_said(void **state)
{
	static struct fake_state s, bad;
	struct guest *g = guest_up("zero");
	const size_t cut[] = {0, 3, 12, 40, 1};

	(void)state;
	assert_int_equal(bhyve_devemu->pe_resume(&g->ctx.pi), 0);
	assert_int_equal(noop_done(g), CC_SUCCESS);
	assert_int_equal(fake_suspend(&g->ctx, &s), 0);
	for (unsigned i = 0; i < 5; i++) {
		bad = s;
		bad.len = cut[i] == 1 ? s.len - 1 : cut[i];
		assert_true(fake_restart(&g->ctx, "zero", &bad) > 0);
		fake_end(&g->ctx);
	}
	assert_true(fake_restart(&g->ctx, "zero,usb2=3", &s) > 0);
	assert_non_null(strstr(g->ctx.line, "0:30:0,xhci: snapshot: "));
	fake_end(&g->ctx);
	assert_int_equal(fake_restart(&g->ctx, "zero", &s), 0);
	assert_int_equal(noop_done(g), CC_SUCCESS);
	guest_down(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_function_is_an_xhci),
		cmocka_unit_test(a_wrong_option_is_said),
		cmocka_unit_test(without_a_bar_there_is_no_device),
		cmocka_unit_test(a_driver_addresses_a_device),
		cmocka_unit_test(a_message_waits_for_its_vector),
		cmocka_unit_test(no_message_while_msix_is_off),
		cmocka_unit_test(no_memory_without_bus_mastering),
		cmocka_unit_test(the_console_moves_the_tablet),
		cmocka_unit_test(the_wheel_turns_once_a_press),
		cmocka_unit_test(without_a_screen_or_a_tablet_nothing_points),
		cmocka_unit_test(a_suspended_machine_goes_on),
		cmocka_unit_test(a_message_that_waits_is_suspended_with_it),
		cmocka_unit_test(what_cannot_be_resumed_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
