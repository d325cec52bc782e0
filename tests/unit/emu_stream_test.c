/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Streams: linear and secondary arrays, a ring a stream, stop, halt and Set TR
 * Dequeue Pointer, ids and types that are wrong. xHCI 1.2 §4.12, §6.2.4.
 */
#include "tests/unit/emu_drv.h"

#define ARRAY 0x200000u /* primary stream context array */
#define SECOND 0x201000u
#define SRING(id) (0x210000u + (id)*0x1000u)
#define BUF 0x400000u
#define PORT 6u /* a USB 3 port */
#define SCT(n) ((uint64_t)(n) << 1)

/* Bulk IN with streams: @psa is MaxPStreams */
static struct fake *stream_ready(unsigned psa, bool linear)
{
	struct fake *f = fake_ready(PORT);

	ictx_clear(f, 0, 1u | 1u << DCI_IN);
	put32(f, ictx(f, 1, 0), DCI_INTR << 27);
	ictx_ep(f, DCI_IN, EPT_BULK_IN, 1024, ARRAY);
	put64(f, ictx(f, DCI_IN + 1, 2), ARRAY);
	put32(f, ictx(f, DCI_IN + 1, 0), psa << 10 | (linear ? EP_CTX_LSA : 0));
	assert_int_equal(cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1)),
			 CC_SUCCESS);
	for (unsigned id = 1; id < 2u << psa; id++)
		put64(f, ARRAY + 16 * id, SRING(id) | SCT(1) | EP_CTX_DCS);
	ev_forget(f);
	return f;
}

static uint64_t stream_td(struct fake *f, unsigned id, unsigned n, uint32_t len)
{
	uint64_t at = SRING(id) + n * TRB_SIZE;

	put(f, at, BUF + id * 0x4000 + n * 0x1000, len,
	    T(NORMAL) | TRB_C | TRB_IOC | TRB_ISP);
	return at;
}

static void stream_db(struct fake *f, unsigned id)
{
	wr(f, OFF_DB + 4, DCI_IN | id << 16);
	run(f);
}

static void each_stream_has_its_ring(void **state)
{
	struct fake *f = stream_ready(4, true);
	struct fake_dev *d = &f->dev[PORT];

	(void)state;
	for (unsigned id = 31; id >= 1; id--)
		for (unsigned n = 0; n < 2; n++)
			stream_td(f, id, n, 100 + id);
	for (unsigned id = 31; id >= 1; id--)
		stream_db(f, id);
	assert_int_equal(d->nheld, 62);
	for (unsigned i = 0; i < 62; i++) {
		assert_int_equal(d->held[i]->stream, 31 - i / 2);
		assert_int_equal(d->held[i]->length, 131 - i / 2);
	}
	/* they end in another order than they began */
	while (d->nheld)
		dev_end(d, d->nheld - 2, USB_OK, d->held[0]->length < 100),
			dev_end(d, d->nheld - 1, USB_OK, 1);
	assert_int_equal(xfer_events(f), 62);
	fake_free(f);
}

static void contexts_are_read_once(void **state)
{
	struct fake *f = stream_ready(1, true);

	(void)state;
	stream_td(f, 1, 0, 64);
	stream_db(f, 1);
	put64(f, ARRAY + 16, 0xdead0000); /* it is the controller's now */
	stream_td(f, 1, 1, 64);
	stream_db(f, 1);
	assert_int_equal(f->dev[PORT].nheld, 2);
	dev_end_all(&f->dev[PORT], USB_OK);
	assert_event(xfer_event(f, 1), SRING(1) + TRB_SIZE, CC_SUCCESS, 0);
	fake_free(f);
}

static void ids_that_are_none_are_ignored(void **state)
{
	static const unsigned bad[] = {0, 4, 5, 31, 32, 255, 0xfffe, 0xffff};
	struct fake *f = stream_ready(1, true); /* ids 1..3 */

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		stream_db(f, bad[i]);
		assert_int_equal(xfer_events(f), 0);
		assert_int_equal(octx_ep_state(f, 1, DCI_IN), EP_RUNNING);
	}
	/* and a stream id where there are no streams */
	wr(f, OFF_DB + 4, DCI_OUT | 1u << 16);
	run(f);
	assert_int_equal(f->dev[PORT].submits, 0);
	fake_free(f);
}

static void wrong_context_types_halt(void **state)
{
	static const unsigned bad[] = {2, 3, 7};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct fake *f = stream_ready(1, true);

		put64(f, ARRAY + 32, SRING(2) | SCT(bad[i]) | EP_CTX_DCS);
		stream_db(f, 2);
		assert_int_equal(EV_CC(xfer_event(f, 0)),
				 CC_INVALID_STREAM_TYPE);
		assert_int_equal(octx_ep_state(f, 1, DCI_IN), EP_HALTED);
		fake_free(f);
	}
}

static void secondary_arrays(void **state)
{
	struct fake *f = stream_ready(1, false); /* primary array of 4 */
	struct fake_dev *d = &f->dev[PORT];

	(void)state;
	put64(f, ARRAY + 16 * 2, SECOND | SCT(2)); /* 8 contexts */
	put64(f, SECOND + 16 * 7, SRING(9) | EP_CTX_DCS);
	put(f, SRING(9), BUF, 64, T(NORMAL) | TRB_C | TRB_IOC);
	stream_td(f, 1, 0, 64);
	stream_db(f, 1);          /* primary: a ring of its own */
	stream_db(f, 2 | 7 << 2); /* secondary 7 of primary 2 */
	assert_int_equal(d->nheld, 2);
	assert_int_equal(d->held[1]->stream, 2 | 7 << 2);
	stream_db(f, 2);          /* secondary 0 is reserved */
	stream_db(f, 2 | 8 << 2); /* behind the array */
	stream_db(f, 1 | 1 << 2); /* below a ring */
	assert_int_equal(d->nheld, 2);
	dev_end_all(d, USB_OK);
	assert_event(xfer_event(f, 1), SRING(9), CC_SUCCESS, 0);
	/* a secondary context that says it is an array */
	put64(f, SECOND + 16 * 3, SRING(9) | SCT(1));
	stream_db(f, 2 | 3 << 2);
	assert_int_equal(EV_CC(xfer_event(f, 2)), CC_INVALID_STREAM_TYPE);
	fake_free(f);
}

static void stop_writes_dequeue_pointers_back(void **state)
{
	struct fake *f = stream_ready(2, true);
	struct fake_dev *d = &f->dev[PORT];
	uint64_t stop;

	(void)state;
	for (unsigned id = 1; id <= 3; id++) {
		stream_td(f, id, 0, 2048);
		stream_td(f, id, 1, 2048);
		stream_db(f, id);
	}
	dev_end(d, 2, USB_OK, 2048); /* the first of stream 2 */
	run(f);
	stop = cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(DCI_IN));
	run(f);
	dev_end_cancelled(d, 0);
	assert_int_equal(cmd_result(f, stop), CC_SUCCESS);
	assert_int_equal(octx_ep_state(f, 1, DCI_IN), EP_STOPPED);
	/* the array is where it was; the streams say what is not done */
	assert_int_equal(octx_deq(f, 1, DCI_IN), ARRAY);
	assert_int_equal(mem64(f, ARRAY + 16), SRING(1) | SCT(1) | EP_CTX_DCS);
	assert_int_equal(mem64(f, ARRAY + 32),
			 (SRING(2) + TRB_SIZE) | SCT(1) | EP_CTX_DCS);
	/* software drops one TD and lets the others go on */
	assert_int_equal(cmd(f, (SRING(3) + TRB_SIZE) | SCT(1) | EP_CTX_DCS,
			     3u << 16, T(SET_TR_DEQ) | SLOT(1) | EP(DCI_IN)),
			 CC_SUCCESS);
	assert_int_equal(mem64(f, ARRAY + 48),
			 (SRING(3) + TRB_SIZE) | SCT(1) | EP_CTX_DCS);
	for (unsigned id = 1; id <= 3; id++)
		stream_db(f, id);
	assert_int_equal(d->nheld, 4);
	dev_end_all(d, USB_OK);
	run(f);
	fake_free(f);
}

static void set_deq_checks_its_stream(void **state)
{
	struct fake *f = stream_ready(1, true);

	(void)state;
	assert_int_equal(stop_ep(f, 1, DCI_IN), CC_SUCCESS);
	assert_int_equal(EV_CC(xfer_event(f, 0)), CC_STOPPED_LENGTH_INVALID);
	assert_int_equal(
		cmd(f, SRING(1) | 1, 0, T(SET_TR_DEQ) | SLOT(1) | EP(DCI_IN)),
		CC_INVALID_STREAM_ID);
	assert_int_equal(cmd(f, SRING(1) | 1, 4u << 16,
			     T(SET_TR_DEQ) | SLOT(1) | EP(DCI_IN)),
			 CC_INVALID_STREAM_ID);
	assert_int_equal(cmd(f, SRING(1) | SCT(3) | 1, 1u << 16,
			     T(SET_TR_DEQ) | SLOT(1) | EP(DCI_IN)),
			 CC_INVALID_STREAM_TYPE);
	assert_int_equal(cmd(f, SRING(1) | SCT(1) | 1, 1u << 16,
			     T(SET_TR_DEQ) | SLOT(1) | EP(DCI_IN)),
			 CC_SUCCESS);
	fake_free(f);
}

static void a_stall_halts_all_streams(void **state)
{
	struct fake *f = stream_ready(1, true);
	struct fake_dev *d = &f->dev[PORT];
	uint64_t reset;

	(void)state;
	for (unsigned id = 1; id <= 3; id++) {
		stream_td(f, id, 0, 512);
		stream_db(f, id);
	}
	dev_end(d, 1, USB_STALL, 0);
	assert_event(xfer_event(f, 0), SRING(2), CC_STALL, 512);
	assert_int_equal(octx_ep_state(f, 1, DCI_IN), EP_HALTED);
	assert_int_equal(d->cancels, 2);
	reset = cmd_post(f, 0, 0, T(RESET_EP) | SLOT(1) | EP(DCI_IN));
	run(f);
	assert_int_equal(cmd_result(f, reset), 0); /* they come back first */
	dev_end_cancelled(d, 0);
	assert_int_equal(cmd_result(f, reset), CC_SUCCESS);
	/* the streams that did not fail are where they were */
	stream_db(f, 1);
	stream_db(f, 3);
	assert_int_equal(d->nheld, 2);
	dev_end_all(d, USB_OK);
	assert_int_equal(xfer_events(f), 3);
	fake_free(f);
}

static void only_bulk_and_only_so_many(void **state)
{
	struct fake *f = fake_ready(PORT);

	(void)state;
	for (unsigned psa = 0; psa < 32; psa++) {
		ictx_clear(f, 0, 1u | 1u << DCI_IN);
		ictx_ep(f, DCI_IN, EPT_BULK_IN, 1024, ARRAY);
		put32(f, ictx(f, DCI_IN + 1, 0), psa << 10 | EP_CTX_LSA);
		assert_int_equal(cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1)),
				 psa <= 4 ? CC_SUCCESS : CC_PARAMETER_ERROR);
		ictx_clear(f, 0, 1u | 1u << DCI_INTR);
		ictx_ep(f, DCI_INTR, EPT_INTR_IN, 64, ARRAY);
		put32(f, ictx(f, DCI_INTR + 1, 0), psa << 10 | EP_CTX_LSA);
		assert_int_equal(cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1)),
				 psa == 0 ? CC_SUCCESS : CC_PARAMETER_ERROR);
	}
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_stream_has_its_ring),
		cmocka_unit_test(contexts_are_read_once),
		cmocka_unit_test(ids_that_are_none_are_ignored),
		cmocka_unit_test(wrong_context_types_halt),
		cmocka_unit_test(secondary_arrays),
		cmocka_unit_test(stop_writes_dequeue_pointers_back),
		cmocka_unit_test(set_deq_checks_its_stream),
		cmocka_unit_test(a_stall_halts_all_streams),
		cmocka_unit_test(only_bulk_and_only_so_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
