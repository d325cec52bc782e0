/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Endpoints: doorbell, Stop, Reset, Set TR Dequeue Pointer in each endpoint
 * state, xHCI 1.2 §4.8.3, §4.6.8-10, driven through real commands and
 * errors; and how rings are served.
 */
#include "tests/unit/emu_drv.h"

enum act { DOORBELL, STOP, RESET, RESET_TSP, SET_DEQ, NACT };

struct cell {
	uint8_t cc; /* 0: no command */
	uint8_t next;
};

#define NOEP CC_EP_NOT_ENABLED
#define OK CC_SUCCESS
#define CTX CC_CONTEXT_STATE_ERROR

/* clang-format off */
static const struct cell cells[EP_NSTATES][NACT] = {
	/*               DOORBELL         STOP                RESET              RESET, TSP=1       SET_DEQ */
	[EP_DISABLED] = {{0, EP_DISABLED}, {NOEP, EP_DISABLED}, {NOEP, EP_DISABLED}, {NOEP, EP_DISABLED}, {NOEP, EP_DISABLED}},
	[EP_RUNNING]  = {{0, EP_RUNNING},  {OK, EP_STOPPED},    {CTX, EP_RUNNING},   {CTX, EP_RUNNING},   {CTX, EP_RUNNING}},
	[EP_HALTED]   = {{0, EP_HALTED},   {CTX, EP_HALTED},    {OK, EP_STOPPED},    {OK, EP_STOPPED},    {CTX, EP_HALTED}},
	[EP_STOPPED]  = {{0, EP_RUNNING},  {CTX, EP_STOPPED},   {CTX, EP_STOPPED},   {CTX, EP_STOPPED},   {OK, EP_STOPPED}},
	[EP_ERROR]    = {{0, EP_ERROR},    {CTX, EP_ERROR},     {CTX, EP_ERROR},     {CTX, EP_ERROR},     {OK, EP_STOPPED}},
};
/* clang-format on */

static void go_to(struct fake *f, unsigned dci, enum ep_state st)
{
	struct fake_dev *d = &f->dev[1];

	if (st == EP_DISABLED) {
		cmd(f, 0, 0, T(CONFIGURE_EP) | SLOT(1) | TRB_DC);
	} else if (st == EP_STOPPED) {
		stop_ep(f, 1, dci);
	} else if (st == EP_HALTED) {
		put(f, G_RING(dci), 0x400000, 64, T(NORMAL) | TRB_C | TRB_IOC);
		ring_db(f, 1, dci);
		dev_end(d, 0, USB_STALL, 0);
	} else if (st == EP_ERROR) {
		put(f, G_RING(dci), 0, 0, T(SETUP) | TRB_C);
		ring_db(f, 1, dci);
	}
	run(f);
	assert_int_equal(octx_ep_state(f, 1, dci), st);
	f->nseen = 0;
}

static void every_action_in_every_state(void **state)
{
	(void)state;
	for (unsigned st = 0; st < EP_NSTATES; st++)
		for (unsigned a = 0; a < NACT; a++) {
			static const uint32_t type[NACT] = {
				0, T(STOP_EP), T(RESET_EP),
				T(RESET_EP) | TRB_TSP, T(SET_TR_DEQ)};
			struct fake *f = fake_ready(1);
			const struct cell *e = &cells[st][a];
			unsigned cc = 0, next;

			go_to(f, DCI_IN, st);
			if (a == DOORBELL)
				ring_db(f, 1, DCI_IN);
			else
				cc = cmd(f, G_RING(9) | 1, 0,
					 type[a] | SLOT(1) | EP(DCI_IN));
			next = octx_ep_state(f, 1, DCI_IN);
			if (cc != e->cc || next != e->next)
				fail_msg("action %u in state %u: %s, state %u",
					 a, st, cc_name(cc), next);
			if (a == SET_DEQ && cc == CC_SUCCESS)
				assert_int_equal(octx_deq(f, 1, DCI_IN),
						 G_RING(9) | 1);
			fake_free(f);
		}
}

/* DCI 0, endpoints that were never there, ids that cannot be */
static void endpoint_ids_out_of_range(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	for (unsigned t = TRB_RESET_EP; t <= TRB_SET_TR_DEQ; t++)
		for (unsigned dci = 0; dci < 32; dci++) {
			unsigned cc;

			if (f->dev[1].eps & 1u << dci || dci == 1)
				continue;
			cc = cmd(f, G_RING(9), 0,
				 TRB_TYPE_BITS(t) | SLOT(1) | EP(dci));
			assert_int_equal(cc, dci ? CC_EP_NOT_ENABLED
						 : CC_TRB_ERROR);
		}
	for (unsigned s = 0; s < 256; s++)
		for (unsigned target = 0; target < 256;
		     target += 1 + target / 32)
			wr(f, OFF_DB + 4 * s, s ? target : target | 256);
	run(f);
	assert_int_equal(f->dev[1].submits, 0);
	fake_free(f);
}

/* §4.6.10: a stream id or type for an endpoint that has no streams */
static void set_deq_without_streams(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	go_to(f, DCI_IN, EP_STOPPED);
	assert_int_equal(cmd(f, G_RING(9) | 1, 1u << 16,
			     T(SET_TR_DEQ) | SLOT(1) | EP(DCI_IN)),
			 CC_TRB_ERROR);
	assert_int_equal(
		cmd(f, G_RING(9) | 3, 0, T(SET_TR_DEQ) | SLOT(1) | EP(DCI_IN)),
		CC_TRB_ERROR);
	assert_int_equal(octx_deq(f, 1, DCI_IN), G_RING(DCI_IN) | 1);
	fake_free(f);
}

/* §6.4.3.9: the ring is read with the cycle state that the command says */
static void set_deq_takes_the_cycle_state(void **state)
{
	(void)state;
	for (uint32_t dcs = 0; dcs < 2; dcs++) {
		struct fake *f = fake_ready(1);

		go_to(f, DCI_IN, EP_STOPPED);
		assert_int_equal(cmd(f, G_RING(9) | dcs, 0,
				     T(SET_TR_DEQ) | SLOT(1) | EP(DCI_IN)),
				 CC_SUCCESS);
		assert_int_equal(octx_deq(f, 1, DCI_IN), G_RING(9) | dcs);
		for (uint32_t c = 0; c < 2; c++) {
			put(f, G_RING(9), 0x400000, 64,
			    T(NORMAL) | (c ? dcs : !dcs));
			ring_db(f, 1, DCI_IN);
			assert_int_equal(f->dev[1].submits, c);
		}
		fake_free(f);
	}
}

/* How many events were written while the endpoint's context had each state */
static unsigned events_in[8];

static void note_state(struct fake *f, uint64_t gpa)
{
	if (gpa >= G_EV(0, 0) && gpa < G_EV(0, 0) + 16u * f->ev_size)
		events_in[octx_ep_state(f, 1, DCI_IN)]++;
}

/* §4.8.3: software looks at the context when it sees the event (iPXE, U-Boot) */
static void halted_before_its_event(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	put(f, G_RING(DCI_IN), 0x400000, 64, T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_IN);
	memset(events_in, 0, sizeof(events_in));
	f->on_write = note_state;
	dev_end(&f->dev[1], 0, USB_STALL, 0);
	run(f);
	assert_int_equal(events_in[EP_HALTED], 1);
	assert_int_equal(events_in[EP_RUNNING], 0);
	assert_int_equal(xfer_events(f), 1);
	fake_free(f);
}

/* §4.6.9, of both of its events */
static void stopped_before_its_events(void **state)
{
	struct fake *f = fake_ready(1);
	uint64_t at;

	(void)state;
	put(f, G_RING(DCI_IN), 0x400000, 64, T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_IN);
	at = cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(DCI_IN));
	run(f);
	assert_int_equal(f->dev[1].cancels, 1);
	dev_end_cancelled(&f->dev[1], 0);
	memset(events_in, 0, sizeof(events_in));
	f->on_write = note_state;
	run(f);
	assert_int_equal(events_in[EP_STOPPED], 2);
	assert_int_equal(events_in[EP_RUNNING], 0);
	assert_int_equal(cmd_result(f, at), CC_SUCCESS);
	assert_int_equal(EV_TYPE(&f->seen[0]), TRB_EV_TRANSFER);
	fake_free(f);
}

/* A doorbell is seen once: no transfer twice, none where there is no TRB */
static void doorbells_are_coalesced(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		wr(f, OFF_DB + 4, DCI_INTR);
	run(f);
	assert_int_equal(f->dev[1].submits, 0);
	put(f, G_RING(DCI_INTR), 0x400000, 64, T(NORMAL) | TRB_C);
	for (unsigned i = 0; i < 1000; i++)
		ring_db(f, 1, DCI_INTR);
	assert_int_equal(f->dev[1].submits, 1);
	/* with one pending a doorbell looks at the next TRB, no more */
	f->accesses = 0;
	ring_db(f, 1, DCI_INTR);
	assert_true(f->accesses <= 2);
	fake_free(f);
}

/* A ring's TDs in flight are limited; it goes on as they come back. */
static void in_flight_is_limited(void **state)
{
	struct fake *f = fake_ready(1);
	struct fake_dev *d = &f->dev[1];
	unsigned n = 1000, done = 0;

	(void)state;
	for (unsigned i = 0; i < n; i++)
		put(f, G_RING(DCI_IN) + i * 16, 0x400000 + i * 64, 64,
		    T(NORMAL) | TRB_C);
	ring_db(f, 1, DCI_IN);
	assert_int_equal(d->nheld, EPQ_MAX_TDS);
	for (; d->nheld; done++) {
		assert_ptr_equal(usb_xfer_flat(d->held[0]),
				 f->mem + 0x400000 + done * 64);
		dev_end(d, 0, USB_OK, 64);
		run(f);
		assert_true(d->nheld <= EPQ_MAX_TDS);
	}
	assert_int_equal(done, n);
	/* the same by bytes: 64 KiB each, EPQ_MAX_BYTES in all */
	for (unsigned i = n; i < n + 200; i++)
		put(f, G_RING(DCI_IN) + i * 16, 0x400000, 65536,
		    T(NORMAL) | TRB_C);
	ring_db(f, 1, DCI_IN);
	assert_int_equal(d->nheld, EPQ_MAX_TDS < EPQ_MAX_BYTES / 65536
					   ? EPQ_MAX_TDS
					   : EPQ_MAX_BYTES / 65536);
	fake_free(f);
}

/* EP0 has one request at the device at a time. */
static void control_requests_one_at_a_time(void **state)
{
	struct fake *f = fake_ready(1);
	struct fake_dev *d = &f->dev[1];
	uint64_t at = G_RING(1);

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		at = put(f, at, 0x00000900 | i << 16, 8,
			 T(SETUP) | TRB_C | TRB_IDT);
		at = put(f, at, 0, 0, T(STATUS) | TRB_C | TRB_DIR_IN | TRB_IOC);
	}
	ring_db(f, 1, 1);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(d->nheld, 1);
		assert_int_equal(d->held[0]->setup.request, 9);
		assert_int_equal(d->held[0]->setup.value, i);
		dev_end(d, 0, USB_OK, 0);
		run(f);
	}
	assert_int_equal(xfer_events(f), 3);
	fake_free(f);
}

/* Completions out of order retire in ring order. */
static void retired_in_ring_order(void **state)
{
	struct fake *f = fake_ready(1);
	struct fake_dev *d = &f->dev[1];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		put(f, G_RING(DCI_IN) + i * 16, 0x400000, 64,
		    T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_IN);
	dev_end(d, 3, USB_OK, 64);
	dev_end(d, 1, USB_OK, 64);
	assert_int_equal(xfer_events(f), 0);
	dev_end(d, 0, USB_OK, 64);
	assert_int_equal(xfer_events(f), 2);
	dev_end(d, 0, USB_OK, 64);
	for (unsigned i = 0; i < 4; i++)
		assert_event(xfer_event(f, i), G_RING(DCI_IN) + i * 16,
			     CC_SUCCESS, 0);
	fake_free(f);
}

/* The device says no to a transfer: it ends with a transaction error. */
static void refused_submit_is_a_transaction_error(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	f->dev[1].refuse = true;
	put(f, G_RING(DCI_IN), 0x400000, 64, T(NORMAL) | TRB_C);
	ring_db(f, 1, DCI_IN);
	assert_event(xfer_event(f, 0), G_RING(DCI_IN), CC_TRANSACTION_ERROR,
		     64);
	assert_int_equal(xhci_in_flight(f->x), 0);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_action_in_every_state),
		cmocka_unit_test(endpoint_ids_out_of_range),
		cmocka_unit_test(set_deq_without_streams),
		cmocka_unit_test(set_deq_takes_the_cycle_state),
		cmocka_unit_test(halted_before_its_event),
		cmocka_unit_test(stopped_before_its_events),
		cmocka_unit_test(doorbells_are_coalesced),
		cmocka_unit_test(in_flight_is_limited),
		cmocka_unit_test(control_requests_one_at_a_time),
		cmocka_unit_test(retired_in_ring_order),
		cmocka_unit_test(refused_submit_is_a_transaction_error),
	};

	return cmocka_run_group_tests_name("emu_ep", tests, NULL, NULL);
}
