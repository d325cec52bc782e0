/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Taking transfers back from a device and giving them out again: Stop
 * Endpoint (§4.6.9), R/S, Reset Endpoint with TSP (§4.6.8). Every byte moves
 * exactly once.
 */
#include "tests/unit/emu_bulk.h"

/* Some done, one moved in part, the rest untouched; then the doorbell. */
static void stop_and_resume(bool in, unsigned done, uint32_t part, unsigned seg)
{
	struct fake *f = fake_ready(1);
	struct stream s = {f, in ? DCI_IN : DCI_OUT, in, 0, 0, 0, {{0}}};
	struct fake_dev *d = &f->dev[1];
	unsigned k = part / TRB_BYTES, nev;
	uint64_t at;

	stream_post(&s, seg);
	ring_db(f, 1, s.dci);
	assert_int_equal(d->nheld, NTDS);
	stream_end(&s, done);
	at = cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(s.dci));
	assert_int_equal(cmd_result(f, at), 0); /* waits for the device */
	assert_int_equal(d->cancels, NTDS - done);
	for (unsigned i = 0; i < d->cancels; i++)
		assert_ptr_equal(d->cancel_order[i], d->held[d->nheld - 1 - i]);
	stream_cancelled(&s, part);
	assert_int_equal(cmd_result(f, at), CC_SUCCESS);
	assert_int_equal(octx_ep_state(f, 1, s.dci), EP_STOPPED);
	assert_int_equal(d->nheld, 0);

	/* the Stopped event, behind those of the TDs done, §4.6.9 */
	nev = xfer_events(f);
	assert_int_equal(nev, done + 1);
	assert_event(xfer_event(f, done), s.td[done][k], CC_STOPPED,
		     TRB_BYTES - part % TRB_BYTES);
	assert_int_equal(octx_deq(f, 1, s.dci) & ~15ull, s.td[done][k]);

	ring_db(f, 1, s.dci);
	assert_int_equal(octx_ep_state(f, 1, s.dci), EP_RUNNING);
	assert_int_equal(d->nheld, NTDS - done);
	assert_int_equal(d->held[0]->length, TD_BYTES - part);
	stream_end(&s, NTDS);
	stream_check(&s);
	stream_check_events(&s);
	assert_int_equal(d->submits, NTDS + NTDS - done);
	fake_free(f);
}

static void stop_mid_td_every_byte_moves_once(void **state)
{
	static const uint32_t parts[] = {0, 512, 1024, 1536, 3584};

	(void)state;
	for (unsigned in = 0; in < 2; in++)
		for (unsigned done = 0; done < NTDS; done += 3)
			for (unsigned p = 0; p < 5; p++)
				for (unsigned seg = 0; seg < 4; seg += 3)
					stop_and_resume(in, done, parts[p],
							seg);
}

/* The device was faster: all of the TD had moved when cancel came. */
static void stop_after_last_byte_ends_the_td(void **state)
{
	struct fake *f = fake_ready(1);
	struct stream s = {f, DCI_IN, true, 0, 0, 0, {{0}}};
	uint64_t at;

	(void)state;
	stream_post(&s, 0);
	ring_db(f, 1, s.dci);
	at = cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(s.dci));
	run(f);
	stream_cancelled(&s, TD_BYTES);
	assert_int_equal(cmd_result(f, at), CC_SUCCESS);
	assert_event(xfer_event(f, 0), s.td[0][3], CC_SUCCESS, 0);
	assert_int_equal(EV_CC(xfer_event(f, 1)), CC_STOPPED);
	assert_int_equal(xfer_event(f, 1)->param, s.td[1][0]);
	ring_db(f, 1, s.dci);
	stream_end(&s, NTDS);
	stream_check(&s);
	stream_check_events(&s);
	fake_free(f);
}

/* It ended in its own way before the cancel was seen. */
static void stop_races_with_normal_end(void **state)
{
	struct fake *f = fake_ready(1);
	struct stream s = {f, DCI_IN, true, 0, 0, 0, {{0}}};
	struct fake_dev *d = &f->dev[1];
	uint64_t at;

	(void)state;
	stream_post(&s, 0);
	ring_db(f, 1, s.dci);
	at = cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(s.dci));
	run(f);
	stream_end(&s, 2);
	for (unsigned i = d->nheld; i-- > 0;)
		dev_end(d, i, USB_CANCELLED, 0);
	assert_int_equal(cmd_result(f, at), CC_SUCCESS);
	assert_int_equal(xfer_events(f), 3);
	assert_event(xfer_event(f, 2), s.td[2][0], CC_STOPPED, TRB_BYTES);
	ring_db(f, 1, s.dci);
	stream_end(&s, NTDS);
	stream_check(&s);
	stream_check_events(&s);
	fake_free(f);
}

/* A stop that finds the endpoint halted by then, §4.6.9. */
static void stop_of_endpoint_that_halts_meanwhile(void **state)
{
	struct fake *f = fake_ready(1);
	struct stream s = {f, DCI_IN, true, 0, 0, 0, {{0}}};
	struct fake_dev *d = &f->dev[1];
	uint64_t at;

	(void)state;
	stream_post(&s, 0);
	ring_db(f, 1, s.dci);
	at = cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(s.dci));
	run(f);
	dev_end(d, 0, USB_STALL, 0);
	run(f);
	while (d->nheld)
		dev_end(d, d->nheld - 1, USB_CANCELLED, 0);
	assert_int_equal(cmd_result(f, at), CC_CONTEXT_STATE_ERROR);
	assert_int_equal(octx_ep_state(f, 1, s.dci), EP_HALTED);
	assert_event(xfer_event(f, 0), s.td[0][0], CC_STALL, TRB_BYTES);
	assert_int_equal(xfer_events(f), 1);
	fake_free(f);
}

static void stop_of_idle_endpoint_length_invalid(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	assert_int_equal(stop_ep(f, 1, DCI_IN), CC_SUCCESS);
	assert_event(xfer_event(f, 0), G_RING(DCI_IN),
		     CC_STOPPED_LENGTH_INVALID, 0);
	assert_int_equal(octx_ep_state(f, 1, DCI_IN), EP_STOPPED);
	fake_free(f);
}

/* A doorbell and a completion while the command waits change nothing. */
static void nothing_is_submitted_while_stop_waits(void **state)
{
	struct fake *f = fake_ready(1);
	struct stream s = {f, DCI_IN, true, 0, 0, 0, {{0}}};
	struct fake_dev *d = &f->dev[1];
	uint64_t at;

	(void)state;
	stream_post(&s, 0);
	ring_db(f, 1, s.dci);
	at = cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(s.dci));
	run(f);
	for (unsigned i = d->nheld; i-- > 0;) {
		wr(f, OFF_DB + 4, s.dci);
		dev_end(d, i, USB_CANCELLED, 0);
		wr(f, OFF_DB + 4, s.dci);
		if (i) {
			run(f);
			assert_int_equal(d->submits, NTDS);
		}
	}
	assert_int_equal(cmd_result(f, at), CC_SUCCESS);
	assert_int_equal(d->nheld, 0);
	assert_int_equal(octx_ep_state(f, 1, s.dci), EP_STOPPED);
	fake_free(f);
}

/* R/S=0 and back: the rings go on where they were, §4.23.1.1 */
static void run_stop_every_byte_moves_once(void **state)
{
	(void)state;
	for (unsigned done = 0; done < NTDS; done++) {
		struct fake *f = fake_ready(1);
		struct stream s = {f, DCI_IN, true, 0, 0, 0, {{0}}};

		stream_post(&s, 3);
		ring_db(f, 1, s.dci);
		stream_end(&s, done);
		run(f);
		wr(f, REG_CMD, CMD_INTE);
		assert_true(rd(f, REG_STS) & STS_HCH);
		stream_cancelled(&s, done % 3 * 512);
		run(f);
		wr64(f, REG_CRCR, f->cmd_at | f->cmd_cycle);
		wr(f, REG_CMD, CMD_ON);
		run(f);
		stream_end(&s, NTDS);
		stream_check(&s);
		stream_check_events(&s);
		fake_free(f);
	}
}

/* §4.6.8.1: soft retry. TSP=1: what moved is not moved again. */
static void reset_endpoint_tsp_goes_on(void **state)
{
	static const uint32_t parts[] = {0, 512, 1024, 2560, 3584};

	(void)state;
	for (unsigned in = 0; in < 2; in++)
		for (unsigned p = 0; p < 5; p++) {
			struct fake *f = fake_ready(1);
			struct stream s = {
				f, in ? DCI_IN : DCI_OUT, in, 0, 0, 0, {{0}}};
			struct fake_dev *d = &f->dev[1];
			unsigned k = parts[p] / TRB_BYTES;

			stream_post(&s, 3);
			ring_db(f, 1, s.dci);
			stream_end(&s, 2);
			stream_move(&s, d->held[0], parts[p]);
			dev_end(d, 0, USB_ERROR, parts[p]);
			run(f);
			assert_event(xfer_event(f, 2), s.td[2][k],
				     CC_TRANSACTION_ERROR,
				     TRB_BYTES - parts[p] % TRB_BYTES);
			assert_int_equal(octx_ep_state(f, 1, s.dci), EP_HALTED);
			while (d->nheld) /* the rest was cancelled */
				dev_end(d, d->nheld - 1, USB_CANCELLED, 0);
			run(f);
			assert_int_equal(cmd(f, 0, 0,
					     T(RESET_EP) | SLOT(1) | EP(s.dci) |
						     TRB_TSP),
					 CC_SUCCESS);
			assert_int_equal(octx_ep_state(f, 1, s.dci),
					 EP_STOPPED);
			ring_db(f, 1, s.dci);
			stream_end(&s, NTDS);
			stream_check(&s);
			stream_check_events(&s);
			fake_free(f);
		}
}

/* TSP=0 and Set TR Dequeue Pointer: the failed TD is passed over. */
static void reset_endpoint_and_set_deq_skips_the_td(void **state)
{
	struct fake *f = fake_ready(1);
	struct stream s = {f, DCI_IN, true, 0, 0, 0, {{0}}};
	struct fake_dev *d = &f->dev[1];

	(void)state;
	stream_post(&s, 0);
	ring_db(f, 1, s.dci);
	dev_end(d, 0, USB_STALL, 700);
	run(f);
	assert_event(xfer_event(f, 0), s.td[0][0], CC_STALL, 1024 - 700);
	while (d->nheld)
		dev_end(d, d->nheld - 1, USB_CANCELLED, 0);
	run(f);
	assert_int_equal(cmd(f, 0, 0, T(RESET_EP) | SLOT(1) | EP(s.dci)),
			 CC_SUCCESS);
	assert_int_equal(
		cmd(f, s.td[1][0] | 1, 0, T(SET_TR_DEQ) | SLOT(1) | EP(s.dci)),
		CC_SUCCESS);
	assert_int_equal(octx_deq(f, 1, s.dci), s.td[1][0] | 1);
	ring_db(f, 1, s.dci);
	assert_int_equal(d->nheld, NTDS - 1);
	assert_int_equal(d->held[0]->length, TD_BYTES);
	s.at = TD_BYTES;
	stream_end(&s, NTDS);
	run(f);
	assert_event(xfer_event(f, 1), s.td[1][3], CC_SUCCESS, 0);
	assert_int_equal(xfer_events(f), NTDS);
	fake_free(f);
}

/* A short packet had come before the stop: Stopped - Short Packet, §4.6.9. */
static void stop_after_short_packet(void **state)
{
	struct fake *f = fake_ready(1);
	struct stream s = {f, DCI_IN, true, 0, 0, 0, {{0}}};
	struct fake_dev *d = &f->dev[1];
	uint64_t at;

	(void)state;
	stream_post(&s, 0);
	ring_db(f, 1, s.dci);
	at = cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(s.dci));
	run(f);
	for (unsigned i = d->nheld; i-- > 0;)
		dev_end(d, i, USB_CANCELLED, i ? 0 : 1024 + 100);
	assert_int_equal(cmd_result(f, at), CC_SUCCESS);
	/* §4.6.9: the length is what has moved of the TD (EDTLA) */
	assert_event(xfer_event(f, 0), s.td[0][1], CC_STOPPED_SHORT_PACKET,
		     1024 + 100);
	/* resumed, the TD is over: only its events are owed */
	ring_db(f, 1, s.dci);
	assert_int_equal(d->nheld, NTDS - 1);
	assert_event(xfer_event(f, 1), s.td[0][3], CC_SHORT_PACKET, 1024);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stop_mid_td_every_byte_moves_once),
		cmocka_unit_test(stop_after_last_byte_ends_the_td),
		cmocka_unit_test(stop_races_with_normal_end),
		cmocka_unit_test(stop_of_endpoint_that_halts_meanwhile),
		cmocka_unit_test(stop_of_idle_endpoint_length_invalid),
		cmocka_unit_test(nothing_is_submitted_while_stop_waits),
		cmocka_unit_test(run_stop_every_byte_moves_once),
		cmocka_unit_test(reset_endpoint_tsp_goes_on),
		cmocka_unit_test(reset_endpoint_and_set_deq_skips_the_td),
		cmocka_unit_test(stop_after_short_packet),
	};

	return cmocka_run_group_tests_name("emu_stop", tests, NULL, NULL);
}
