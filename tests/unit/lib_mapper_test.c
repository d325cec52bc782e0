/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mapper between the controller and a device, driven from the guest's
 * side: transfers, a slow device, an unplug with transfers in flight.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "tests/lib/gdrv_emu.h"
#include "tests/lib/stub.h"

#define IN 3u
#define OUT 2u

struct mapped {
	struct guestmem gm;
	struct gdrv_emu e;
	struct pmapper *pm;
	bool kicked;
	struct stub s;
	struct gdrv d;
	struct gdrv_dev *v;
	uint64_t buf;
};

static void pm_kick(void *host)
{
	struct mapped *m = host;

	m->kicked = true;
}

static bool pm_poll(void *p)
{
	struct mapped *m = p;

	if (!m->kicked)
		return false;
	m->kicked = false;
	if (pmapper_run(m->pm))
		m->kicked = true;
	return true;
}

static const struct pmapper_host_ops pm_ops = {.kick = pm_kick,
					       .wake = pm_kick};

static struct mapped *up(void)
{
	static const struct gdrv_epcfg ep[2] = {
		{.dci = OUT, .type = EPT_BULK_OUT, .mps = 512},
		{.dci = IN, .type = EPT_BULK_IN, .mps = 512}};
	struct mapped *m = calloc(1, sizeof(*m));
	unsigned port = 0;

	assert_non_null(m);
	guestmem_init(&m->gm);
	guestmem_add(&m->gm, 0x100000, 16u << 20);
	assert_int_equal(gdrv_emu_init(&m->e, &m->gm, NULL), 0);
	assert_int_equal(pmapper_create(m->e.x, &pm_ops, m, &m->pm), 0);
	gdrv_emu_poll(&m->e, stub_poll, &m->s);
	gdrv_emu_poll(&m->e, pm_poll, m);
	stub_init(&m->s);
	assert_int_equal(pmapper_attach(m->pm, stub_dev(&m->s, USB_SPEED_HIGH),
					0, &port),
			 0);
	assert_int_equal(gdrv_init(&m->d, &gdrv_emu_bus, &m->e, &m->gm, NULL),
			 0);
	assert_int_equal(gdrv_start(&m->d), 0);
	m->v = gdrv_open(&m->d, port);
	assert_non_null(m->v);
	assert_int_equal(gdrv_configure(m->v, ep, 2), CC_SUCCESS);
	m->buf = guestmem_alloc(&m->gm, 64 * GM_PAGE);
	return m;
}

static void down(struct mapped *m)
{
	assert_true(gdrv_ok(&m->d));
	xhci_reset(m->e.x);
	pmapper_detach_all(m->pm);
	gdrv_emu_bus.run(&m->e);
	assert_false(pmapper_busy(m->pm));
	assert_int_equal(m->s.freed, 1);
	assert_int_equal(stub_in_flight(&m->s), 0);
	pmapper_destroy(m->pm);
	m->e.ndevs = 0;
	gdrv_emu_fini(&m->e);
	assert_int_equal(m->e.holds, 0);
	gdrv_fini(&m->d);
	guestmem_fini(&m->gm);
	free(m);
}

static void post(struct mapped *m, unsigned dci, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct gdrv_trb t = {.type = TRB_NORMAL,
				     .ptr = m->buf + i * GM_PAGE,
				     .len = GM_PAGE,
				     .flags = TRB_IOC | TRB_ISP};

		assert_int_equal(gdrv_post(m->v->ring[dci], &t, 1, NULL), 0);
	}
	gdrv_doorbell(&m->d, m->v->slot, dci, 0);
	gdrv_pump(&m->d);
}

static void transfers_pass_through(void **state)
{
	struct mapped *m = up();
	const uint8_t *p = guestmem_ptr(&m->gm, m->buf, 8 * GM_PAGE);
	uint32_t crc = crc32_add(0, p, 8 * GM_PAGE);

	(void)state;
	post(m, OUT, 8);
	assert_int_equal(stub_ep(&m->s, 1)->crc, crc);
	stub_ep(&m->s, 0x81)->rule.polls = 5;
	post(m, IN, 8);
	assert_int_equal(m->v->ring[IN]->tds_done, 8);
	for (unsigned i = 0; i < 8 * GM_PAGE; i++)
		assert_int_equal(p[i], stub_byte(i));
	down(m);
}

static void stop_and_resume(void **state)
{
	struct mapped *m = up();

	(void)state;
	stub_ep(&m->s, 0x81)->rule.hold = true;
	post(m, IN, 16);
	stub_release(&m->s, 0x81, 3);
	gdrv_pump(&m->d);
	assert_int_equal(gdrv_stop_ep(m->v, IN), CC_SUCCESS);
	assert_int_equal(stub_in_flight(&m->s), 0);
	assert_false(m->s.cancel_order_bad);
	stub_ep(&m->s, 0x81)->rule.hold = false;
	gdrv_doorbell(&m->d, m->v->slot, IN, 0);
	gdrv_pump(&m->d);
	assert_int_equal(m->v->ring[IN]->tds_done, 16);
	down(m);
}

/* Taken out with 16 in flight, all held: freed when the last is back. */
static void detach_waits_for_the_last_transfer(void **state)
{
	struct mapped *m = up();
	struct stub_ep *e = stub_ep(&m->s, 0x81);

	(void)state;
	e->rule.hold = true;
	e->cancel_hold = true;
	post(m, IN, 16);
	assert_int_equal(pmapper_detach(m->pm, m->v->port), 0);
	gdrv_pump(&m->d);
	assert_false(gdrv_portsc(&m->d, m->v->port) & PORT_CCS);
	if (stub_in_flight(&m->s))
		assert_int_equal(m->s.freed, 0);
	stub_release(&m->s, 0x81, 0);
	gdrv_pump(&m->d);
	assert_int_equal(m->s.freed, 1);
	assert_int_equal(gdrv_disable_slot(&m->d, m->v->slot), CC_SUCCESS);
	down(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transfers_pass_through),
		cmocka_unit_test(stop_and_resume),
		cmocka_unit_test(detach_waits_for_the_last_transfer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
