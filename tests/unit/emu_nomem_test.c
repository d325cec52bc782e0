/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The host has no memory for one allocation, each of them once: a completion
 * code, or work that goes on a little later; nothing is lost or leaks.
 */
#include "tests/lib/wrap_alloc.h"
#include "tests/unit/emu_drv.h"

#define BUF 0x400000u
#define ARRAY 0x380000u
#define PORT 5u
#define LONG 300u /* TRBs of a TD whose records and pieces grow */

static unsigned calls, fail_at;

static bool wrap_alloc_fails(void)
{
	return fail_at && ++calls == fail_at;
}

static unsigned refused; /* commands that ended with Resource Error */

/* A command, again where there was no memory for it */
static void must(struct fake *f, uint64_t param, uint32_t control)
{
	unsigned cc = cmd(f, param, 0, control);

	if (cc == CC_RESOURCE_ERROR) {
		refused++;
		cc = cmd(f, param, 0, control);
	}
	assert_int_equal(cc, CC_SUCCESS);
}

static void bring_up(struct fake *f)
{
	ictx_address(f, PORT, 512);
	must(f, G_ICTX, T(ADDRESS_DEVICE) | SLOT(1));
	ictx_clear(f, 0, 1u | 1u << DCI_OUT | 1u << DCI_IN | 1u << DCI_INTR);
	put32(f, ictx(f, 1, 0), DCI_INTR << 27);
	ictx_ep(f, DCI_OUT, EPT_BULK_OUT, 1024, G_RING(DCI_OUT));
	ictx_ep(f, DCI_IN, EPT_BULK_IN, 1024, ARRAY);
	put32(f, ictx(f, DCI_IN + 1, 0), 1u << 10 | EP_CTX_LSA);
	put64(f, ictx(f, DCI_IN + 1, 2), ARRAY);
	ictx_ep(f, DCI_INTR, EPT_INTR_IN, 64, G_RING(DCI_INTR));
	put64(f, ARRAY + 16, G_RING(9) | 1u << 1 | EP_CTX_DCS);
	/* dropped and added: what the first try left is replaced */
	put32(f, ictx(f, 0, 0), 1u << DCI_OUT | 1u << DCI_IN | 1u << DCI_INTR);
	must(f, G_ICTX, T(CONFIGURE_EP) | SLOT(1));
	ev_forget(f);
}

/* A TD of many TRBs, no two of which touch */
static void long_td(struct fake *f)
{
	uint64_t at = G_RING(DCI_OUT);

	for (unsigned i = 0; i < LONG; i++)
		at = put(f, at, BUF + 32 * i, 8,
			 T(NORMAL) | TRB_C | (i + 1 < LONG ? TRB_CH : TRB_IOC));
	/* where there was no memory, a doorbell is a second try */
	for (unsigned i = 0; i < 2 && !f->dev[PORT].nheld; i++)
		ring_db(f, 1, DCI_OUT);
	assert_int_equal(f->dev[PORT].nheld, 1);
	assert_int_equal(f->dev[PORT].held[0]->length, 8 * LONG);
	dev_end(&f->dev[PORT], 0, USB_OK, 8 * LONG);
	assert_event(xfer_event(f, 0), at - TRB_SIZE, CC_SUCCESS, 0);
}

/* A stream's ring is made when its doorbell is first rung */
static void stream(struct fake *f)
{
	struct xhci_trb *e;

	put(f, G_RING(9), BUF, 64, T(NORMAL) | TRB_C | TRB_IOC);
	wr(f, OFF_DB + 4, DCI_IN | 1u << 16);
	run(f);
	e = xfer_event(f, 1);
	if (!f->dev[PORT].nheld && e) {
		assert_event(e, 0, CC_RESOURCE_ERROR, 0);
		refused++;
		must(f, 0, T(RESET_EP) | SLOT(1) | EP(DCI_IN));
	}
	for (unsigned i = 0; i < 2 && !f->dev[PORT].nheld; i++) {
		wr(f, OFF_DB + 4, DCI_IN | 1u << 16);
		run(f);
	}
	assert_int_equal(f->dev[PORT].nheld, 1);
	dev_end(&f->dev[PORT], 0, USB_OK, 64);
	run(f);
}

/* Immediate data needs a record of where it is */
static void immediate(struct fake *f)
{
	put(f, G_RING(DCI_OUT) + LONG * TRB_SIZE, 0x1234, 4,
	    T(NORMAL) | TRB_C | TRB_IOC | TRB_IDT);
	for (unsigned i = 0; i < 2 && !f->dev[PORT].nheld; i++)
		ring_db(f, 1, DCI_OUT);
	assert_int_equal(f->dev[PORT].nheld, 1);
	dev_end(&f->dev[PORT], 0, USB_OK, 4);
	run(f);
}

static unsigned shots_failed;

static void snapshot(struct fake *f)
{
	uint8_t *buf = NULL;
	size_t len = 0;
	int rc;

	xhci_pause(f->x, false);
	rc = xhci_snapshot(f->x, &buf, &len);
	if (rc) {
		assert_int_equal(rc, -ENOMEM);
		assert_null(buf);
		shots_failed++;
	}
	free(buf);
	xhci_resume(f->x);
	run(f);
}

static unsigned saves_failed;

static void save(struct fake *f)
{
	wr(f, REG_CMD, CMD_INTE);
	run(f);
	wr(f, REG_CMD, CMD_INTE | CMD_CSS);
	if (rd(f, REG_STS) & STS_SRE)
		saves_failed++;
	wr(f, REG_STS, STS_SRE);
	wr(f, REG_CMD, CMD_ON);
	run(f);
}

/* Returns whether an allocation failed. */
static bool everything_with(unsigned nth)
{
	struct fake *f = fake_new();
	bool failed;

	start(f);
	port_up(f, PORT);
	assert_int_equal(slot_new(f), 1);
	calls = 0;
	fail_at = nth;
	bring_up(f);
	long_td(f);
	stream(f);
	immediate(f);
	snapshot(f);
	save(f);
	failed = fail_at && calls >= fail_at;
	fail_at = 0;
	must(f, 0, T(DISABLE_SLOT) | SLOT(1));
	assert_int_equal(f->x->nflight, 0);
	assert_int_equal(f->x->nstreams, 0);
	fake_free(f);
	return failed;
}

static void each_allocation_fails_once(void **state)
{
	unsigned n = 1;

	(void)state;
	while (everything_with(n))
		n++;
	print_message("%u allocations, %u refusals\n", n - 1, refused);
	assert_true(n > 15);
	assert_true(refused >= 4); /* address, endpoints, array, stream */
	assert_true(shots_failed && saves_failed);
}

static void no_controller(void **state)
{
	const struct xhci_config cfg = {4, 4, false, 0};
	struct xhci *x = NULL;

	(void)state;
	calls = 0;
	fail_at = 1;
	assert_int_equal(xhci_create(&cfg, &fake_ops, NULL, &x), -ENOMEM);
	fail_at = 0;
	assert_null(x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_allocation_fails_once),
		cmocka_unit_test(no_controller),
	};

	return cmocka_run_group_tests_name("emu_nomem", tests, NULL, NULL);
}
