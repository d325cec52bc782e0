/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Quotas: every slot and endpoint there can be, all with more TDs than fit,
 * and devices that do not answer. What is held is limited, and when it comes
 * back nobody was forgotten.
 */
#include "tests/unit/emu_drv.h"

#define BUF 0x400000u
#define RING 0x200000u /* one ring of TDs, read by all endpoints */
#define NEPS 14u       /* bulk, DCI 2..15 */

static const struct xhci_config all_ports = {.usb2_ports = 15,
					     .usb3_ports = 15};

/* A slot a port, NEPS bulk endpoints each, all on the same TDs */
static struct fake *crowd(unsigned nslots)
{
	struct fake *f = fake_new_cfg(&all_ports);

	start(f);
	for (unsigned s = 1; s <= nslots; s++) {
		port_up(f, s);
		assert_int_equal(slot_new(f), s);
		assert_int_equal(address(f, s, s, false), CC_SUCCESS);
		ictx_clear(f, 0, 1 | ((1u << NEPS) - 1) << 2);
		put32(f, ictx(f, 1, 0), 31u << 27);
		for (unsigned d = 2; d < 2 + NEPS; d++)
			ictx_ep(f, d, d & 1 ? EPT_BULK_IN : EPT_BULK_OUT, 512,
				RING);
		assert_int_equal(cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(s)),
				 CC_SUCCESS);
	}
	ev_forget(f);
	return f;
}

static void ring_all(struct fake *f, unsigned nslots)
{
	for (unsigned s = 1; s <= nslots; s++)
		for (unsigned d = 2; d < 2 + NEPS; d++)
			wr(f, OFF_DB + 4 * s, d);
	run(f);
}

static void transfers_in_flight_are_limited(void **state)
{
	enum { NSLOTS = 30, NTDS = 150 };
	struct fake *f = crowd(NSLOTS);
	uint64_t at = RING, allocs, done = 0;

	(void)state;
	for (unsigned i = 0; i < NTDS; i++)
		at = put(f, at, BUF, 16, T(NORMAL) | TRB_C);
	ring_all(f, NSLOTS);
	assert_int_equal(xhci_in_flight(f->x), MAX_TDS);
	allocs = xhci_stats(f->x)->pool_allocs;
	for (unsigned i = 0; i < 10; i++)
		ring_all(f, NSLOTS);
	assert_int_equal(xhci_in_flight(f->x), MAX_TDS);
	assert_int_equal(xhci_stats(f->x)->pool_allocs, allocs);
	/* they answer: all TDs of all rings are done, each once */
	while (xhci_in_flight(f->x)) {
		for (unsigned p = 1; p <= NSLOTS; p++)
			for (unsigned k = 0; k < 20 && f->dev[p].nheld; k++) {
				dev_end(&f->dev[p], 0, USB_OK, 16);
				done++;
			}
		run(f);
		assert_true(xhci_in_flight(f->x) <= MAX_TDS);
	}
	assert_int_equal(done, NSLOTS * NEPS * NTDS);
	assert_int_equal(xhci_stats(f->x)->tds, done);
	assert_int_equal(xhci_stats(f->x)->bytes, done * 16);
	fake_free(f);
}

static unsigned cancels(const struct fake *f, unsigned nslots)
{
	unsigned n = 0;

	for (unsigned p = 1; p <= nslots; p++)
		n += f->dev[p].cancels;
	return n;
}

/*
 * All there can be in flight is asked for back: so many in a slice, whatever
 * the guest does, until the devices were asked for each once.
 */
static void cancels_are_limited(void **state)
{
	enum { NSLOTS = 30, NTDS = 150 };
	static const uint32_t how[] = {CMD_HCRST, 0 /* R/S */};

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct fake *f = crowd(NSLOTS);
		unsigned n, before, slices = 0;
		uint64_t at = RING;

		for (unsigned k = 0; k < NTDS; k++)
			at = put(f, at, BUF, 16, T(NORMAL) | TRB_C);
		ring_all(f, NSLOTS);
		assert_int_equal(xhci_in_flight(f->x), MAX_TDS);
		wr(f, OFF_OP + OP_USBCMD, how[i]);
		wr(f, OFF_OP + OP_USBCMD, CMD_HCRST);
		n = cancels(f, NSLOTS);
		assert_int_equal(n, RUN_CANCELS);
		do {
			before = n;
			assert_true(slices++ < MAX_TDS / RUN_CANCELS);
			assert_true(f->kicked);
			f->kicked = xhci_run(f->x);
			n = cancels(f, NSLOTS);
			assert_true(n - before <= RUN_CANCELS);
		} while (n < MAX_TDS);
		assert_false(f->kicked);
		assert_int_equal(cancels(f, NSLOTS), MAX_TDS);
		assert_int_equal(rd(f, OFF_OP + OP_USBSTS) & STS_CNR, STS_CNR);
		for (unsigned p = 1; p <= NSLOTS; p++)
			dev_end_cancelled(&f->dev[p], 0);
		assert_int_equal(rd(f, OFF_OP + OP_USBSTS) & STS_CNR, 0);
		fake_free(f);
	}
}

/* TDs of many bytes: what the devices have of them is limited as well. */
static void bytes_in_flight_are_limited(void **state)
{
	enum { NSLOTS = 12, NTDS = 8, TRBS = 16 };
	const uint32_t td_bytes = TRBS * 65536;
	struct fake *f = crowd(NSLOTS);
	uint64_t at = RING, done = 0;

	(void)state;
	for (unsigned i = 0; i < NTDS * TRBS; i++)
		at = put(f, at, BUF, 65536,
			 T(NORMAL) | TRB_C |
				 (i % TRBS < TRBS - 1 ? TRB_CH : 0));
	ring_all(f, NSLOTS);
	assert_in_range(xhci_bytes_in_flight(f->x), MAX_BYTES,
			MAX_BYTES + td_bytes);
	while (xhci_in_flight(f->x)) {
		for (unsigned p = 1; p <= NSLOTS; p++)
			for (unsigned k = 0; k < 3 && f->dev[p].nheld; k++) {
				dev_end(&f->dev[p], 0, USB_OK, td_bytes);
				done++;
			}
		run(f);
		assert_true(xhci_bytes_in_flight(f->x) <= MAX_BYTES + td_bytes);
	}
	assert_int_equal(done, NSLOTS * NEPS * NTDS);
	assert_int_equal(xhci_bytes_in_flight(f->x), 0);
	fake_free(f);
}

/* One ring does not have all of them. */
static void bytes_of_a_ring_are_limited(void **state)
{
	enum { NTDS = 16, TRBS = 16 };
	const uint32_t td_bytes = TRBS * 65536;
	struct fake *f = fake_ready(1);
	uint64_t at = RING, most = EPQ_MAX_BYTES + td_bytes;
	unsigned done = 0;

	(void)state;
	put(f, G_RING(DCI_OUT), RING, 0, T(LINK) | TRB_C);
	for (unsigned i = 0; i < NTDS * TRBS; i++)
		at = put(f, at, BUF, 65536,
			 T(NORMAL) | TRB_C |
				 (i % TRBS < TRBS - 1 ? TRB_CH : 0));
	ring_db(f, 1, DCI_OUT);
	assert_in_range(xhci_bytes_in_flight(f->x), EPQ_MAX_BYTES, most - 1);
	for (; f->dev[1].nheld; done++) {
		dev_end(&f->dev[1], 0, USB_OK, td_bytes);
		run(f);
		assert_true(xhci_bytes_in_flight(f->x) < most);
	}
	assert_int_equal(done, NTDS);
	fake_free(f);
}

/* TDs as long as can be: their records are limited too. */
static void records_of_long_tds_are_limited(void **state)
{
	enum { NSLOTS = 16, NTDS = 2 };
	struct fake *f = crowd(NSLOTS);
	uint64_t at = RING, done = 0, records;

	(void)state;
	for (unsigned i = 0; i < NTDS; i++)
		for (unsigned k = 0; k < TD_MAX_TRBS; k++)
			at = put(f, at, BUF + k, 1,
				 T(NORMAL) | TRB_C |
					 (k < TD_MAX_TRBS - 1 ? TRB_CH : 0));
	ring_all(f, NSLOTS);
	records = xhci_in_flight(f->x) * (uint64_t)TD_MAX_TRBS;
	assert_true(records > 0 && records <= MAX_ELEMS);
	while (xhci_in_flight(f->x)) {
		for (unsigned p = 1; p <= NSLOTS; p++)
			while (f->dev[p].nheld) {
				dev_end(&f->dev[p], 0, USB_OK, TD_MAX_TRBS);
				done++;
			}
		run(f);
	}
	assert_int_equal(done, NSLOTS * NEPS * NTDS);
	fake_free(f);
}

/* In the steady state nothing is allocated. */
static void no_allocation_once_warm(void **state)
{
	struct fake *f = fake_ready(1);
	uint64_t allocs = 0;
	uint32_t c = TRB_C;

	(void)state;
	for (unsigned lap = 0; lap < 20; lap++, c ^= TRB_C) {
		uint64_t at = G_RING(DCI_IN);

		for (unsigned i = 0; i < 100; i++) {
			at = put(f, at, BUF + i * 512, 512,
				 T(NORMAL) | c |
					 (i % 4 < 3 ? TRB_CH : TRB_IOC));
			if (i == 99)
				put(f, at, G_RING(DCI_IN), 0,
				    T(LINK) | TRB_TC | c);
			if (i % 50 != 49)
				continue;
			ring_db(f, 1, DCI_IN);
			dev_end_all(&f->dev[1], USB_OK);
			run(f);
		}
		ev_forget(f);
		if (lap == 0)
			allocs = xhci_stats(f->x)->pool_allocs;
	}
	assert_int_equal(xhci_stats(f->x)->pool_allocs, allocs);
	assert_int_equal(xhci_stats(f->x)->tds, 20 * 25);
	fake_free(f);
}

/* A ring that always has work does not keep the others from theirs. */
static void rings_take_turns(void **state)
{
	enum { NSLOTS = 4 };
	struct fake *f = crowd(NSLOTS);

	(void)state;
	put(f, RING, 0, 0, T(NOOP) | TRB_C);
	put(f, RING + 16, RING, 0, T(LINK) | TRB_C);
	put(f, G_RING(1), 0x80, 8, T(SETUP) | TRB_C | TRB_IDT);
	put(f, G_RING(1) + 16, 0, 0, T(STATUS) | TRB_C);
	for (unsigned s = 1; s <= NSLOTS; s++)
		for (unsigned d = 1; d < 2 + NEPS; d++)
			wr(f, OFF_DB + 4 * s, d);
	/* 4 * 15 rings, a quarter of a slice each */
	for (unsigned i = 0; i < 4 * 15; i++) {
		f->kicked = false;
		f->accesses = 0;
		assert_true(xhci_run(f->x));
		assert_true(f->accesses <= 3 * RUN_TRBS);
	}
	for (unsigned s = 1; s <= NSLOTS; s++)
		assert_int_equal(f->dev[s].submits, 1);
	f->kicked = false;
	fake_free(f);
}

/*
 * What is read in a slice is limited, however small the pieces of memory are and
 * however long a TD: many short ones, or a long one on each ring.
 */
static void pieces_of_memory_take_turns(void **state)
{
	enum { NSLOTS = 4 };

	(void)state;
	for (unsigned longer = 0; longer < 2; longer++) {
		struct fake *f = crowd(NSLOTS);
		unsigned ntds = longer ? 1 : 12, ntrbs = longer ? 4 : 1;
		uint64_t at = RING;
		bool more = true;

		f->page = 32;
		for (unsigned i = 0; i < ntds; i++)
			for (unsigned k = 1; k <= ntrbs; k++)
				at = put(
					f, at, 0x400000, 65536,
					T(NORMAL) | TRB_C |
						(k < ntrbs ? TRB_CH : TRB_IOC));
		for (unsigned s = 1; s <= NSLOTS; s++)
			for (unsigned d = 2; d < 2 + NEPS; d++)
				wr(f, OFF_DB + 4 * s, d);
		for (unsigned i = 0; more && i < 1000; i++) {
			f->accesses = 0;
			more = xhci_run(f->x);
			assert_true(f->accesses <=
				    3 * RUN_TRBS + (longer ? 8192 : 2048));
		}
		assert_true(f->x->nflight >= NSLOTS);
		f->kicked = false;
		fake_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(transfers_in_flight_are_limited),
		cmocka_unit_test(cancels_are_limited),
		cmocka_unit_test(bytes_in_flight_are_limited),
		cmocka_unit_test(bytes_of_a_ring_are_limited),
		cmocka_unit_test(records_of_long_tds_are_limited),
		cmocka_unit_test(no_allocation_once_warm),
		cmocka_unit_test(rings_take_turns),
		cmocka_unit_test(pieces_of_memory_take_turns),
	};

	return cmocka_run_group_tests_name("emu_quota", tests, NULL, NULL);
}
