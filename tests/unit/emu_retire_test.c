/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * td_retire() as the pure function it is: a finished TD in, the events it owes
 * out; xHCI 1.2 §4.10.1, §4.11.3.1, §4.11.5.2, §4.11.7. No controller.
 */
#include "tests/unit/emu_fake.h"

#define MAX_ELEMS_ROW 8
#define IOC 1u
#define ISP 2u
#define BEI 4u

struct el {
	uint8_t type; /* 0: end */
	uint8_t flags;
	uint32_t len;
};

/* An event: TRB it names, code, length. Event Data names its parameter. */
struct ev {
	uint8_t cc; /* 0: end */
	uint8_t elem;
	uint32_t len;
};

struct row {
	const char *name;
	struct el el[MAX_ELEMS_ROW];
	uint32_t actual;
	enum usb_status status;
	struct ev ev[MAX_ELEMS_ROW];
};

#define N(fl, len)                      \
	{                               \
		TRB_NORMAL, (fl), (len) \
	}
#define ED(fl)                          \
	{                               \
		TRB_EVENT_DATA, (fl), 0 \
	}
#define NOP(fl)                   \
	{                         \
		TRB_NOOP, (fl), 0 \
	}
#define LNK(fl)                   \
	{                         \
		TRB_LINK, (fl), 0 \
	}
#define SETUP                   \
	{                       \
		TRB_SETUP, 0, 0 \
	}
#define DATA(fl, len)                 \
	{                             \
		TRB_DATA, (fl), (len) \
	}
#define STATUS(fl)                  \
	{                           \
		TRB_STATUS, (fl), 0 \
	}
#define OK CC_SUCCESS
#define SHORT CC_SHORT_PACKET

static const struct row rows[] = {
	/* all of it moved */
	{"nothing asked", {N(0, 100)}, 100, USB_OK, {{0}}},
	{"IOC", {N(IOC, 100)}, 100, USB_OK, {{OK, 0, 0}}},
	{"ISP alone, not short", {N(ISP, 100)}, 100, USB_OK, {{0}}},
	{"IOC on the last",
	 {N(0, 10), N(0, 10), N(IOC, 10)},
	 30,
	 USB_OK,
	 {{OK, 2, 0}}},
	{"IOC on each",
	 {N(IOC, 10), N(IOC, 10), N(IOC, 10)},
	 30,
	 USB_OK,
	 {{OK, 0, 0}, {OK, 1, 0}, {OK, 2, 0}}},
	{"length 0", {N(IOC, 0)}, 0, USB_OK, {{OK, 0, 0}}},
	{"length 0 between",
	 {N(IOC, 8), N(IOC, 0), N(IOC, 8)},
	 16,
	 USB_OK,
	 {{OK, 0, 0}, {OK, 1, 0}, {OK, 2, 0}}},
	/* short packets, §4.10.1.1 */
	{"short, nothing asked", {N(0, 100)}, 60, USB_OK, {{0}}},
	{"short with ISP", {N(ISP, 100)}, 60, USB_OK, {{SHORT, 0, 40}}},
	{"short with IOC", {N(IOC, 100)}, 60, USB_OK, {{SHORT, 0, 40}}},
	{"short with both", {N(IOC | ISP, 100)}, 60, USB_OK, {{SHORT, 0, 40}}},
	{"nothing at all", {N(ISP, 100)}, 0, USB_OK, {{SHORT, 0, 100}}},
	{"short in the first, ISP on it",
	 {N(ISP, 10), N(ISP, 10)},
	 4,
	 USB_OK,
	 {{SHORT, 0, 6}}},
	{"short in the first, IOC on the last",
	 {N(0, 10), N(0, 10), N(IOC, 7)},
	 4,
	 USB_OK,
	 {{SHORT, 2, 7}}},
	{"short in the first, ISP on it and IOC later",
	 {N(ISP, 10), N(ISP, 10), N(IOC | ISP, 10)},
	 4,
	 USB_OK,
	 {{SHORT, 0, 6}, {SHORT, 2, 10}}},
	{"short in the first, IOC on each",
	 {N(IOC, 10), N(IOC, 20), N(IOC, 30)},
	 4,
	 USB_OK,
	 {{SHORT, 0, 6}, {SHORT, 1, 20}, {SHORT, 2, 30}}},
	{"short in the middle",
	 {N(IOC, 10), N(ISP, 10), N(IOC, 10)},
	 13,
	 USB_OK,
	 {{OK, 0, 0}, {SHORT, 1, 7}, {SHORT, 2, 10}}},
	{"short in the last",
	 {N(ISP, 10), N(IOC, 10)},
	 19,
	 USB_OK,
	 {{SHORT, 1, 1}}},
	{"ends between two TRBs",
	 {N(ISP, 10), N(ISP, 10), N(IOC, 10)},
	 10,
	 USB_OK,
	 {{SHORT, 1, 10}, {SHORT, 2, 10}}},
	/* Event Data and EDTLA, §4.11.5.2 */
	{"Event Data",
	 {N(0, 10), N(0, 20), ED(IOC)},
	 30,
	 USB_OK,
	 {{OK, 2, 30}}},
	{"Event Data without IOC", {N(0, 10), ED(0)}, 10, USB_OK, {{0}}},
	{"EDTLA starts again",
	 {N(0, 10), ED(IOC), N(0, 20), ED(IOC)},
	 30,
	 USB_OK,
	 {{OK, 1, 10}, {OK, 3, 20}}},
	{"EDTLA starts again, IOC or not",
	 {N(0, 10), ED(0), N(0, 20), ED(IOC)},
	 30,
	 USB_OK,
	 {{OK, 3, 20}}},
	{"short before Event Data",
	 {N(0, 10), N(0, 20), ED(IOC)},
	 15,
	 USB_OK,
	 {{SHORT, 2, 15}}},
	{"ISP and Event Data",
	 {N(ISP, 10), N(ISP, 20), ED(IOC)},
	 15,
	 USB_OK,
	 {{SHORT, 1, 15}, {SHORT, 2, 15}}},
	{"Event Data before the short TRB",
	 {N(0, 10), ED(IOC), N(0, 20), ED(IOC)},
	 15,
	 USB_OK,
	 {{OK, 1, 10}, {SHORT, 3, 5}}},
	{"Event Data first",
	 {ED(IOC), N(0, 10), ED(IOC)},
	 10,
	 USB_OK,
	 {{OK, 0, 0}, {OK, 2, 10}}},
	/* errors: at the TRB where they happened, nothing behind it */
	{"error in the first",
	 {N(0, 10), N(IOC, 10)},
	 0,
	 USB_ERROR,
	 {{CC_TRANSACTION_ERROR, 0, 10}}},
	{"error in the middle of the first",
	 {N(0, 10), N(IOC, 10)},
	 3,
	 USB_ERROR,
	 {{CC_TRANSACTION_ERROR, 0, 7}}},
	{"error in the second",
	 {N(IOC, 10), N(IOC, 10), N(IOC, 10)},
	 10,
	 USB_ERROR,
	 {{OK, 0, 0}, {CC_TRANSACTION_ERROR, 1, 10}}},
	{"error in the last",
	 {N(0, 10), N(0, 10), N(IOC, 10)},
	 29,
	 USB_STALL,
	 {{CC_STALL, 2, 1}}},
	{"error behind the last byte",
	 {N(0, 10), N(IOC, 10)},
	 20,
	 USB_ERROR,
	 {{CC_TRANSACTION_ERROR, 1, 0}}},
	{"error with Event Data behind",
	 {N(0, 10), ED(IOC), N(0, 10), ED(IOC)},
	 12,
	 USB_BABBLE,
	 {{OK, 1, 10}, {CC_BABBLE, 2, 8}}},
	{"no IOC: errors are told all the same",
	 {N(0, 10)},
	 0,
	 USB_NODEV,
	 {{CC_TRANSACTION_ERROR, 0, 10}}},
	{"no host buffer",
	 {N(0, 10)},
	 0,
	 USB_NOMEM,
	 {{CC_DATA_BUFFER_ERROR, 0, 10}}},
	/* control requests, §4.11.2.2 */
	{"no data", {SETUP, STATUS(IOC)}, 0, USB_OK, {{OK, 1, 0}}},
	{"no data, nothing asked", {SETUP, STATUS(0)}, 0, USB_OK, {{0}}},
	{"data, IOC on Status",
	 {SETUP, DATA(0, 18), STATUS(IOC)},
	 18,
	 USB_OK,
	 {{OK, 2, 0}}},
	{"data, IOC on Setup too",
	 {{TRB_SETUP, IOC, 0}, DATA(IOC, 18), STATUS(IOC)},
	 18,
	 USB_OK,
	 {{OK, 0, 0}, {OK, 1, 0}, {OK, 2, 0}}},
	{"short data with ISP",
	 {SETUP, DATA(ISP, 255), STATUS(IOC)},
	 18,
	 USB_OK,
	 {{SHORT, 1, 237}, {OK, 2, 0}}},
	{"short data without ISP",
	 {SETUP, DATA(0, 255), STATUS(IOC)},
	 18,
	 USB_OK,
	 {{OK, 2, 0}}},
	{"short data in two TRBs",
	 {SETUP, DATA(ISP, 64), N(ISP, 64), STATUS(IOC)},
	 70,
	 USB_OK,
	 {{SHORT, 2, 58}, {OK, 3, 0}}},
	{"data with Event Data",
	 {SETUP, DATA(0, 64), ED(IOC), STATUS(0), ED(IOC)},
	 18,
	 USB_OK,
	 {{SHORT, 2, 18}, {OK, 4, 0}}},
	{"stall of a request without data",
	 {SETUP, STATUS(IOC)},
	 0,
	 USB_STALL,
	 {{CC_STALL, 1, 0}}},
	{"stall in the data stage",
	 {SETUP, DATA(0, 255), STATUS(IOC)},
	 0,
	 USB_STALL,
	 {{CC_STALL, 1, 255}}},
	{"stall in the middle of data",
	 {SETUP, DATA(0, 255), STATUS(IOC)},
	 64,
	 USB_STALL,
	 {{CC_STALL, 1, 191}}},
	{"stall in the status stage",
	 {SETUP, DATA(IOC, 18), STATUS(IOC)},
	 18,
	 USB_STALL,
	 {{OK, 1, 0}, {CC_STALL, 2, 0}}},
	{"error in the status stage",
	 {SETUP, DATA(0, 18), STATUS(0)},
	 18,
	 USB_ERROR,
	 {{CC_TRANSACTION_ERROR, 2, 0}}},
	/* Link and No Op */
	{"Link with IOC",
	 {N(0, 10), LNK(IOC), N(IOC, 10)},
	 20,
	 USB_OK,
	 {{OK, 1, 0}, {OK, 2, 0}}},
	{"Link behind an error",
	 {N(0, 10), LNK(IOC), N(IOC, 10)},
	 5,
	 USB_ERROR,
	 {{CC_TRANSACTION_ERROR, 0, 5}}},
	{"No Op", {NOP(IOC)}, 0, USB_OK, {{OK, 0, 0}}},
	{"No Op, nothing asked", {NOP(0)}, 0, USB_OK, {{0}}},
	{"No Op behind data", {N(0, 10), NOP(IOC)}, 10, USB_OK, {{OK, 1, 0}}},
};

static unsigned make_td(const struct row *r, struct xhci_td *td,
			struct td_elem *e)
{
	unsigned n = 0;

	memset(td, 0, sizeof(*td));
	for (; n < MAX_ELEMS_ROW && r->el[n].type; n++) {
		e[n] = (struct td_elem){
			.gpa = 0x1000 + n * 16,
			.param = 0xed00 + n,
			.len = r->el[n].len,
			.intr = (uint16_t)n,
			.type = r->el[n].type,
			.ioc = r->el[n].flags & IOC,
			.isp = r->el[n].flags & ISP,
			.bei = r->el[n].flags & BEI,
		};
		if (e[n].type != TRB_NOOP && e[n].type != TRB_LINK &&
		    e[n].type != TRB_EVENT_DATA)
			td->has_io = true;
		if (e[n].type == TRB_SETUP)
			td->control = true;
	}
	td->elem = e;
	td->nelem = n;
	td->xfer.actual = r->actual;
	td->xfer.status = r->status;
	return n;
}

static void check_row(const struct row *r)
{
	struct td_elem e[MAX_ELEMS_ROW];
	struct xhci_td td;
	struct td_event ev;
	unsigned i = 0;

	make_td(r, &td, e);
	td_walk_start(&td);
	while (td_retire(&td, &td.walk, &ev)) {
		const struct ev *w = &r->ev[i++];
		bool ed = e[w->elem].type == TRB_EVENT_DATA;

		if (ev.cc != w->cc || ev.len != w->len || ev.intr != w->elem ||
		    ev.ed != ed ||
		    ev.ptr !=
			    (ed ? 0xed00u + w->elem : 0x1000u + w->elem * 16u))
			fail_msg("%s: event %u: %s, TRB %u, length %u", r->name,
				 i, cc_name(ev.cc), ev.intr, ev.len);
	}
	if (i == MAX_ELEMS_ROW || r->ev[i].cc)
		fail_msg("%s: only %u events", r->name, i);
	/* and nothing more, however often it is asked */
	assert_false(td_retire(&td, &td.walk, &ev));
}

static void a_finished_td_owes_these_events(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_row(&rows[i]);
}

/* The walk may be stopped after any event and gone on with later. */
static void the_walk_can_be_resumed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct td_elem e[MAX_ELEMS_ROW];
		struct xhci_td td;
		struct td_walk w;
		struct td_event a, b;

		make_td(&rows[i], &td, e);
		td_walk_start(&td);
		w = td.walk;
		while (td_retire(&td, &w, &a)) {
			/* a try that is thrown away changes nothing */
			struct td_walk again = td.walk;

			assert_true(td_retire(&td, &again, &b));
			assert_true(a.ptr == b.ptr && a.cc == b.cc &&
				    a.len == b.len);
			td.walk = w;
		}
	}
}

/* Every short position with ISP and IOC in every place, against the rules
 * written down anew. */
static void short_packets_everywhere(void **state)
{
	enum { NT = 3, LEN = 4 };

	(void)state;
	for (unsigned fl = 0; fl < 1u << (2 * NT); fl++)
		for (uint32_t actual = 0; actual <= NT * LEN; actual++) {
			struct row r = {.name = "sweep", .actual = actual};
			unsigned n = 0;

			for (unsigned i = 0; i < NT; i++) {
				uint32_t end = (i + 1) * LEN, res;
				bool ioc = fl >> (2 * i) & 1;
				bool isp = fl >> (2 * i + 1) & 1;
				bool here = actual >= i * LEN && actual < end;

				r.el[i] = (struct el)N(
					(ioc ? IOC : 0) | (isp ? ISP : 0), LEN);
				res = actual >= end ? 0
				      : here        ? end - actual
						    : LEN;
				if (ioc || (isp && here))
					r.ev[n++] =
						(struct ev){res ? SHORT : OK,
							    (uint8_t)i, res};
			}
			check_row(&r);
		}
}

/* An error at every byte: TRBs before it as usual, one event for it. */
static void errors_everywhere(void **state)
{
	enum { NT = 3, LEN = 4 };

	(void)state;
	for (unsigned fl = 0; fl < 1u << NT; fl++)
		for (uint32_t actual = 0; actual <= NT * LEN; actual++) {
			struct row r = {.name = "error sweep",
					.actual = actual,
					.status = USB_ERROR};
			unsigned n = 0, bad = actual / LEN;

			if (bad == NT)
				bad = NT - 1;
			for (unsigned i = 0; i < NT; i++) {
				r.el[i] = (struct el)N(fl >> i & 1 ? IOC : 0,
						       LEN);
				if (i < bad && fl >> i & 1)
					r.ev[n++] =
						(struct ev){OK, (uint8_t)i, 0};
				if (i == bad)
					r.ev[n++] = (struct ev){
						CC_TRANSACTION_ERROR,
						(uint8_t)i,
						(i + 1) * LEN - actual};
			}
			check_row(&r);
		}
}

/* EDTLA has 24 bits, and counts what moved before a stop too, §4.11.5.2. */
static void edtla_wraps_and_goes_on(void **state)
{
	struct td_elem e[2] = {
		{.type = TRB_NORMAL, .len = 65536},
		{.type = TRB_EVENT_DATA, .ioc = true, .param = 1}};
	struct xhci_td td = {.elem = e, .nelem = 2, .has_io = true};
	struct td_event ev;

	(void)state;
	td.edtla = 0xff8000 + 0x100;
	td.skip = 0x100;
	td.xfer.actual = 65536 - 0x100;
	td_walk_start(&td);
	assert_true(td_retire(&td, &td.walk, &ev));
	assert_int_equal(ev.cc, CC_SUCCESS);
	assert_int_equal(ev.len, 0x8000);
}

/* BEI is that of the TRB whose event it is, §4.17.5 */
static void bei_is_the_trbs(void **state)
{
	static const struct row r = {
		"BEI",
		{N(IOC | BEI, 10), N(IOC, 10), N(IOC | BEI, 10)},
		30,
		USB_OK,
		{{0}}};
	struct td_elem e[MAX_ELEMS_ROW];
	struct xhci_td td;
	struct td_event ev;

	(void)state;
	make_td(&r, &td, e);
	td_walk_start(&td);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(td_retire(&td, &td.walk, &ev));
		assert_int_equal(ev.bei, i != 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_finished_td_owes_these_events),
		cmocka_unit_test(the_walk_can_be_resumed),
		cmocka_unit_test(short_packets_everywhere),
		cmocka_unit_test(errors_everywhere),
		cmocka_unit_test(edtla_wraps_and_goes_on),
		cmocka_unit_test(bei_is_the_trbs),
	};

	return cmocka_run_group_tests_name("emu_retire", tests, NULL, NULL);
}
