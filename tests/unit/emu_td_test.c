/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a TD is: gathered from the ring into one transfer, or refused at the
 * TRB that is wrong; xHCI 1.2 §4.9, §4.10, §4.11, §6.4.1. Rings are written
 * as rows of TRBs, the transfer is looked at in the device.
 */
#include "tests/unit/emu_drv.h"

#define BUF 0x400000u
#define RB(dci) G_RING(dci)

/* One TRB of a row: address 0 in `param` of Links is the ring's own. */
struct trb {
	uint64_t param;
	uint32_t status, control;
};

#define NRM(len, fl)                         \
	{                                    \
		BUF, (len), T(NORMAL) | (fl) \
	}
#define NRM_AT(at, len, fl)                         \
	{                                           \
		BUF + (at), (len), T(NORMAL) | (fl) \
	}
#define IMM(data, len, fl)                                \
	{                                                 \
		(data), (len), T(NORMAL) | TRB_IDT | (fl) \
	}
#define LINK_TO(n, fl)                      \
	{                                   \
		(n) * 16, 0, T(LINK) | (fl) \
	}
#define EDATA(fl)                               \
	{                                       \
		0xabcd, 0, T(EVENT_DATA) | (fl) \
	}
#define NOP(fl)                      \
	{                            \
		0, 0, T(NOOP) | (fl) \
	}
#define SETUP(rt, rq, len)                                   \
	{                                                    \
		(rt) | (rq) << 8 | (uint64_t)(len) << 48, 8, \
			T(SETUP) | TRB_IDT                   \
	}
#define DATA_IN(len, fl)                                \
	{                                               \
		BUF, (len), T(DATA) | TRB_DIR_IN | (fl) \
	}
#define DATA_OUT(len, fl)                  \
	{                                  \
		BUF, (len), T(DATA) | (fl) \
	}
#define STAT_IN(fl)                                 \
	{                                           \
		0, 0, T(STATUS) | TRB_DIR_IN | (fl) \
	}
#define STAT_OUT(fl)                   \
	{                              \
		0, 0, T(STATUS) | (fl) \
	}
#define CH TRB_CH
#define IOC TRB_IOC

#define WAIT (-1) /* nothing happens yet */
#define OKAY (-2) /* goes to the device */
#define SELF (-3) /* done without the device */

struct row {
	const char *name;
	uint8_t dci;
	int bad; /* the TRB that gets TRB Error, or one of the above */
	uint32_t length;
	struct trb t[7];
};

static const struct row rows[] = {
	{"one TRB", DCI_OUT, OKAY, 10, {NRM(10, 0)}},
	{"chain", DCI_OUT, OKAY, 30, {NRM(10, CH), NRM(20, 0)}},
	{"length 0", DCI_OUT, OKAY, 0, {NRM(0, 0)}},
	{"64 KiB", DCI_IN, OKAY, 65536, {NRM(65536, 0)}},
	{"more than 64 KiB", DCI_IN, 0, 0, {NRM(65537, 0)}},
	{"a chain that does not end",
	 DCI_IN,
	 WAIT,
	 0,
	 {NRM(5, CH), NRM(5, CH)}},
	{"Link in the middle",
	 DCI_IN,
	 OKAY,
	 20,
	 {NRM(10, CH), LINK_TO(3, CH), {0}, NRM(10, 0)}},
	{"Link with IOC in the middle",
	 DCI_IN,
	 OKAY,
	 20,
	 {NRM(10, CH), LINK_TO(3, CH | IOC), {0}, NRM(10, 0)}},
	{"Link without CH in the middle",
	 DCI_IN,
	 OKAY,
	 20,
	 {NRM(10, CH), LINK_TO(3, 0), {0}, NRM(10, 0)}},
	{"Link first", DCI_IN, OKAY, 10, {LINK_TO(2, 0), {0}, NRM(10, 0)}},
	{"Link, nothing behind", DCI_IN, WAIT, 0, {LINK_TO(2, 0)}},
	{"two Links in a row",
	 DCI_IN,
	 OKAY,
	 10,
	 {LINK_TO(2, 0), {0}, LINK_TO(4, 0), {0}, NRM(10, 0)}},
	{"Event Data", DCI_IN, OKAY, 10, {NRM(10, CH), EDATA(IOC)}},
	{"Event Data in the middle",
	 DCI_IN,
	 OKAY,
	 15,
	 {NRM(10, CH), EDATA(CH | IOC), NRM(5, 0)}},
	{"Event Data alone", DCI_IN, SELF, 0, {EDATA(IOC)}},
	{"No Op", DCI_IN, SELF, 0, {NOP(IOC)}},
	{"immediate data", DCI_OUT, OKAY, 5, {IMM(0x1122334455667788, 5, 0)}},
	{"immediate data, 8",
	 DCI_OUT,
	 OKAY,
	 8,
	 {IMM(0x1122334455667788, 8, 0)}},
	{"immediate data, 9", DCI_OUT, 0, 0, {IMM(1, 9, 0)}},
	{"immediate data, IN", DCI_IN, 0, 0, {IMM(1, 8, 0)}},
	{"immediate and other data", DCI_OUT, 1, 0, {IMM(1, 4, CH), NRM(4, 0)}},
	{"other and immediate data", DCI_OUT, 1, 0, {NRM(4, CH), IMM(1, 4, 0)}},
	{"Setup Stage on a bulk ring", DCI_OUT, 0, 0, {SETUP(0, 9, 0)}},
	{"Status Stage in a chain", DCI_OUT, 1, 0, {NRM(4, CH), STAT_IN(0)}},
	{"Isoch on a bulk ring", DCI_OUT, 0, 0, {{BUF, 4, T(ISOCH)}}},
	{"a command TRB", DCI_OUT, 0, 0, {{0, 0, T(ENABLE_SLOT)}}},
	{"an event TRB", DCI_OUT, 0, 0, {{0, 0, T(EV_TRANSFER)}}},
	{"type 0", DCI_OUT, 0, 0, {{BUF, 1, TRB_BEI}}},
	{"type 63", DCI_OUT, 0, 0, {{BUF, 1, 63u << 10}}},
	{"interrupter 7", DCI_OUT, OKAY, 4, {{BUF, 4 | 7u << 22, T(NORMAL)}}},
	{"interrupter 8", DCI_OUT, 0, 0, {{BUF, 4 | 8u << 22, T(NORMAL)}}},
	{"interrupter 1023 in a Link with IOC",
	 DCI_OUT,
	 0,
	 0,
	 {{16, 1023u << 22, T(LINK) | IOC}}},
	{"buffer not in memory", DCI_OUT, 0, 0, {{1ull << 40, 4, T(NORMAL)}}},
	{"buffer wraps", DCI_OUT, 0, 0, {{~7ull, 16, T(NORMAL)}}},
	{"buffer ends outside", DCI_OUT, 0, 0, {{MEM_SIZE - 8, 9, T(NORMAL)}}},
	{"second buffer not in memory",
	 DCI_OUT,
	 1,
	 0,
	 {NRM(4, CH), {1ull << 40, 4, T(NORMAL)}}},
	{"length 0, buffer anywhere",
	 DCI_OUT,
	 OKAY,
	 0,
	 {{~0ull, 0, T(NORMAL)}}},

	/* control, §4.11.2.2 */
	{"no data", 1, OKAY, 0, {SETUP(0, 9, 0), STAT_IN(IOC)}},
	{"data IN",
	 1,
	 OKAY,
	 18,
	 {SETUP(0x80, 6, 18), DATA_IN(18, 0), STAT_OUT(IOC)}},
	{"data OUT", 1, OKAY, 7, {SETUP(0, 7, 7), DATA_OUT(7, 0), STAT_IN(0)}},
	{"immediate data OUT",
	 1,
	 OKAY,
	 2,
	 {SETUP(0, 7, 2), {0x1234, 2, T(DATA) | TRB_IDT}, STAT_IN(0)}},
	{"data in two TRBs",
	 1,
	 OKAY,
	 30,
	 {SETUP(0x80, 6, 30), DATA_IN(10, CH), NRM_AT(10, 20, 0), STAT_OUT(0)}},
	{"data and status with Event Data",
	 1,
	 OKAY,
	 10,
	 {SETUP(0x80, 6, 10), DATA_IN(10, CH), EDATA(IOC), STAT_OUT(CH),
	  EDATA(IOC)}},
	{"Setup alone", 1, WAIT, 0, {SETUP(0, 9, 0)}},
	{"no Status yet", 1, WAIT, 0, {SETUP(0x80, 6, 9), DATA_IN(9, 0)}},
	{"Link between the stages",
	 1,
	 OKAY,
	 8,
	 {SETUP(0x80, 6, 8), LINK_TO(3, 0), {0}, DATA_IN(8, 0), STAT_OUT(0)}},
	{"No Op between requests", 1, SELF, 0, {NOP(IOC)}},
	/* wLength and the Data TRBs: what both have room for */
	{"wLength 0 with data",
	 1,
	 OKAY,
	 0,
	 {SETUP(0x80, 6, 0), DATA_IN(9, 0), STAT_OUT(0)}},
	{"wLength less",
	 1,
	 OKAY,
	 4,
	 {SETUP(0x80, 6, 4), DATA_IN(9, 0), STAT_OUT(0)}},
	{"wLength more",
	 1,
	 OKAY,
	 9,
	 {SETUP(0x80, 6, 0xffff), DATA_IN(9, 0), STAT_OUT(0)}},
	{"wLength, no data", 1, OKAY, 0, {SETUP(0x80, 6, 9), STAT_IN(0)}},
	/* sequences that cannot be */
	{"Setup without IDT", 1, 0, 0, {{0, 8, T(SETUP)}}},
	{"Setup of 7", 1, 0, 0, {{0, 7, T(SETUP) | TRB_IDT}}},
	{"Setup of 9", 1, 0, 0, {{0, 9, T(SETUP) | TRB_IDT}}},
	{"Data first", 1, 0, 0, {DATA_IN(8, 0)}},
	{"Status first", 1, 0, 0, {STAT_IN(0)}},
	{"Normal first", 1, 0, 0, {NRM(8, 0)}},
	{"two Setups", 1, 1, 0, {SETUP(0, 9, 0), SETUP(0, 9, 0)}},
	{"two Data TDs",
	 1,
	 2,
	 0,
	 {SETUP(0x80, 6, 8), DATA_IN(4, 0), DATA_IN(4, 0)}},
	{"Data against the request",
	 1,
	 1,
	 0,
	 {SETUP(0x80, 6, 8), DATA_OUT(8, 0), STAT_OUT(0)}},
	{"Normal for Data", 1, 1, 0, {SETUP(0x80, 6, 8), NRM(8, 0)}},
	{"Setup in a data chain",
	 1,
	 2,
	 0,
	 {SETUP(0x80, 6, 8), DATA_IN(4, CH), SETUP(0, 9, 0)}},
	{"Status in a data chain",
	 1,
	 2,
	 0,
	 {SETUP(0x80, 6, 8), DATA_IN(4, CH), STAT_OUT(0)}},
	{"Normal behind Status",
	 1,
	 2,
	 0,
	 {SETUP(0, 9, 0), STAT_IN(CH), NRM(4, 0)}},
};

static void put_row(struct fake *f, const struct row *r)
{
	for (unsigned i = 0; i < 7; i++) {
		const struct trb *t = &r->t[i];
		uint64_t param = t->param;

		if (!t->control)
			continue;
		if (TRB_TYPE(t->control) == TRB_LINK)
			param += RB(r->dci);
		put(f, RB(r->dci) + i * 16, param, t->status,
		    t->control | TRB_C);
	}
}

static void check_row(const struct row *r)
{
	struct fake *f = fake_ready(1);
	struct fake_dev *d = &f->dev[1];

	put_row(f, r);
	ring_db(f, 1, r->dci);
	if (d->nheld != (r->bad == OKAY))
		fail_msg("%s: %u transfers", r->name, d->nheld);
	if (r->bad == OKAY) {
		if (d->held[0]->length != r->length)
			fail_msg("%s: %u bytes", r->name, d->held[0]->length);
		if (r->dci == 1)
			assert_int_equal(d->held[0]->setup.length, r->length);
	} else if (r->bad == WAIT) {
		assert_int_equal(xfer_events(f), 0);
		assert_int_equal(octx_ep_state(f, 1, r->dci), EP_RUNNING);
	} else if (r->bad == SELF) {
		assert_int_equal(xfer_events(f), 1);
		assert_int_equal(EV_CC(xfer_event(f, 0)), CC_SUCCESS);
	} else {
		uint64_t at = RB(r->dci) + (unsigned)r->bad * 16;

		if (xfer_events(f) != 1 ||
		    EV_CC(xfer_event(f, 0)) != CC_TRB_ERROR ||
		    xfer_event(f, 0)->param != at)
			fail_msg("%s: no TRB Error at %d", r->name, r->bad);
		assert_int_equal(octx_ep_state(f, 1, r->dci), EP_ERROR);
		assert_int_equal(octx_deq(f, 1, r->dci) & ~15ull, at);
	}
	fake_free(f);
}

static void trbs_become_one_transfer_or_an_error(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i]);
}

/* A TD is only begun when its last TRB is there, whatever is missing. */
static void incomplete_tds_wait(void **state)
{
	struct fake *f = fake_ready(1);
	uint64_t at = RB(DCI_IN);

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		at = put(f, at, BUF + i * 100, 100,
			 T(NORMAL) | TRB_C | (i < 9 ? CH : IOC));
		ring_db(f, 1, DCI_IN);
		assert_int_equal(f->dev[1].nheld, i == 9);
	}
	assert_int_equal(f->dev[1].held[0]->length, 1000);
	assert_int_equal(f->dev[1].held[0]->nseg, 1); /* contiguous */
	fake_free(f);
}

/* What is given to the device is what the TRBs say, byte for byte. */
static void payload_is_in_trb_order(void **state)
{
	static const uint32_t page[] = {0, 4096, 512};

	(void)state;
	for (unsigned p = 0; p < 3; p++) {
		struct fake *f = fake_ready(1);
		uint8_t got[5000], want[5000];
		uint32_t n = 0, at = RB(DCI_OUT);
		struct usb_xfer *t;

		f->page = page[p];
		for (unsigned i = 0; i < 50; i++) {
			uint32_t from = BUF + (i * 7919 % 50) * 4001, len = 100;

			for (unsigned k = 0; k < len; k++, n++) {
				want[n] = (uint8_t)(n * 13 + n / 256);
				f->mem[from + k] = want[n];
			}
			at = (uint32_t)put(f, at, from, len,
					   T(NORMAL) | TRB_C |
						   (i < 49 ? CH : 0));
		}
		ring_db(f, 1, DCI_OUT);
		t = f->dev[1].held[0];
		assert_int_equal(t->length, 5000);
		assert_true(t->nseg >= 50);
		assert_int_equal(f->holds, t->nseg);
		assert_int_equal(usb_xfer_gather(t, 0, got, 9999), 5000);
		assert_memory_equal(got, want, 5000);
		/* and from any offset */
		assert_int_equal(usb_xfer_gather(t, 4321, got, 679), 679);
		assert_memory_equal(got, want + 4321, 679);
		fake_free(f);
	}
}

static void immediate_data_is_the_trbs(void **state)
{
	struct fake *f = fake_ready(1);
	uint8_t b[8];

	(void)state;
	put(f, RB(DCI_OUT), 0x8877665544332211, 6, T(NORMAL) | TRB_IDT | TRB_C);
	ring_db(f, 1, DCI_OUT);
	/* the TRB is software's again when the event says so, not before;
	 * but the controller has its copy */
	put64(f, RB(DCI_OUT), 0);
	assert_int_equal(usb_xfer_gather(f->dev[1].held[0], 0, b, 8), 6);
	assert_memory_equal(b, "\x11\x22\x33\x44\x55\x66", 6);
	fake_free(f);
}

static void setup_packet_is_decoded(void **state)
{
	struct fake *f = fake_ready(1);
	const struct usb_setup *s;

	(void)state;
	put(f, RB(1), 0x0008333322220680, 8, T(SETUP) | TRB_IDT | TRB_C);
	put(f, RB(1) + 16, BUF, 8, T(DATA) | TRB_DIR_IN | TRB_C);
	put(f, RB(1) + 32, 0, 0, T(STATUS) | TRB_C);
	ring_db(f, 1, 1);
	s = &f->dev[1].held[0]->setup;
	assert_int_equal(s->request_type, 0x80);
	assert_int_equal(s->request, 6);
	assert_int_equal(s->value, 0x2222);
	assert_int_equal(s->index, 0x3333);
	assert_int_equal(s->length, 8);
	assert_true(f->dev[1].held[0]->in);
	assert_int_equal(f->dev[1].held[0]->ep, 0);
	fake_free(f);
}

/* Limits: TD_MAX_TRBS TRBs are a TD, one more is TRB Error at that one. */
static void td_of_4096_trbs_and_of_4097(void **state)
{
	(void)state;
	for (unsigned more = 0; more < 2; more++) {
		struct fake *f = fake_ready(1);
		uint32_t n = TD_MAX_TRBS + more;
		uint64_t at = galloc(f, 16 * n), ring = at;

		for (uint32_t i = 0; i < n; i++)
			at = put(f, at, BUF - 0x1000, 1,
				 T(NORMAL) | TRB_C | (i < n - 1 ? CH : IOC));
		put(f, RB(DCI_IN), ring, 0, T(LINK) | TRB_C);
		ring_db(f, 1, DCI_IN);
		assert_int_equal(f->dev[1].nheld, !more);
		if (more)
			assert_event(xfer_event(f, 0), ring + 16 * TD_MAX_TRBS,
				     CC_TRB_ERROR, 1);
		else
			assert_int_equal(f->dev[1].held[0]->length, n);
		fake_free(f);
	}
}

/* Memory in the smallest pieces: a TD has TD_MAX_SPANS of them at most. */
static void td_of_8192_pieces_and_of_8193(void **state)
{
	(void)state;
	for (unsigned more = 0; more < 2; more++) {
		struct fake *f = fake_ready(1);
		uint32_t left = 32 * TD_MAX_SPANS + more;
		uint64_t at = RB(DCI_IN), last = at;

		f->page = 32;
		while (left) {
			uint32_t n = left > 65536 ? 65536 : left;

			last = at;
			left -= n;
			at = put(f, at, 0x400000, n,
				 T(NORMAL) | TRB_C | (left ? CH : IOC));
		}
		ring_db(f, 1, DCI_IN);
		assert_int_equal(f->dev[1].nheld, !more);
		if (more)
			assert_event(xfer_event(f, 0), last, CC_TRB_ERROR, 1);
		else
			assert_int_equal(f->dev[1].held[0]->length,
					 32 * TD_MAX_SPANS);
		fake_free(f);
	}
}

/* LINK_LIMIT Links in a row are followed, one more is TRB Error. */
static void links_in_a_row(void **state)
{
	(void)state;
	for (unsigned n = LINK_LIMIT; n <= LINK_LIMIT + 1; n++) {
		struct fake *f = fake_ready(1);
		uint64_t at = RB(DCI_IN);

		for (unsigned i = 0; i < n; i++, at += 64)
			put(f, at, at + 64, 0, T(LINK) | TRB_C);
		put(f, at, BUF, 9, T(NORMAL) | TRB_C);
		ring_db(f, 1, DCI_IN);
		assert_int_equal(f->dev[1].nheld, n == LINK_LIMIT);
		if (n > LINK_LIMIT)
			assert_int_equal(EV_CC(xfer_event(f, 0)), CC_TRB_ERROR);
		fake_free(f);
	}
}

/* TC: laps around a ring of two TRBs and a Link, the sense changing */
static void link_toggles_cycle(void **state)
{
	struct fake *f = fake_ready(1);
	uint32_t c = TRB_C;

	(void)state;
	for (unsigned lap = 0; lap < 5; lap++, c ^= TRB_C) {
		for (unsigned i = 0; i < 2; i++) {
			uint64_t at = RB(DCI_IN) + i * 16;

			put(f, at, BUF, 1 + i, T(NORMAL) | c | IOC);
			if (i == 1)
				put(f, at + 16, RB(DCI_IN), 0,
				    T(LINK) | TRB_TC | c);
			ring_db(f, 1, DCI_IN);
			assert_int_equal(f->dev[1].nheld, 1);
			dev_end(&f->dev[1], 0, USB_OK, 1 + i);
			assert_event(xfer_event(f, lap * 2 + i), at, CC_SUCCESS,
				     0);
		}
	}
	/* the context has the sense too, §4.6.9 */
	stop_ep(f, 1, DCI_IN);
	assert_int_equal(octx_deq(f, 1, DCI_IN), (RB(DCI_IN) + 32) | 1);
	fake_free(f);
}

/* A Link with IOC has an event of its own, also at the end of a segment. */
static void link_with_ioc_has_an_event(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	put(f, RB(DCI_IN), BUF, 8, T(NORMAL) | TRB_C | IOC);
	put(f, RB(DCI_IN) + 16, RB(DCI_IN) + 64, 0, T(LINK) | TRB_C | IOC);
	put(f, RB(DCI_IN) + 64, BUF, 8, T(NORMAL) | TRB_C | IOC);
	ring_db(f, 1, DCI_IN);
	dev_end_all(&f->dev[1], USB_OK);
	assert_event(xfer_event(f, 0), RB(DCI_IN), CC_SUCCESS, 0);
	assert_event(xfer_event(f, 1), RB(DCI_IN) + 16, CC_SUCCESS, 0);
	assert_event(xfer_event(f, 2), RB(DCI_IN) + 64, CC_SUCCESS, 0);
	assert_int_equal(xfer_events(f), 3);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trbs_become_one_transfer_or_an_error),
		cmocka_unit_test(incomplete_tds_wait),
		cmocka_unit_test(payload_is_in_trb_order),
		cmocka_unit_test(immediate_data_is_the_trbs),
		cmocka_unit_test(setup_packet_is_decoded),
		cmocka_unit_test(td_of_4096_trbs_and_of_4097),
		cmocka_unit_test(td_of_8192_pieces_and_of_8193),
		cmocka_unit_test(links_in_a_row),
		cmocka_unit_test(link_toggles_cycle),
		cmocka_unit_test(link_with_ioc_has_an_event),
	};

	return cmocka_run_group_tests_name("emu_td", tests, NULL, NULL);
}
