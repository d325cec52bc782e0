/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Isochronous endpoints that are stopped, or go away: what is left on the ring,
 * and that nothing more is heard of them. xHCI 1.2 §4.6.9, §4.6.6, §4.10.3.
 */
#include "tests/unit/emu_isoch.h"

static void stop_leaves_what_is_not_done_on_the_ring(void **state)
{
	struct fake *f = iso_ready(3);
	uint64_t at[4], stop;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		at[i] = iso_td(f, ISO_OUT, i, 64, TRB_SIA);
	ring_db(f, 1, ISO_OUT);
	packet_end(f, USB_OK, 64);
	stop = cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(ISO_OUT));
	run(f);
	dev_end_cancelled(&f->dev[1], 0);
	assert_int_equal(cmd_result(f, stop), CC_SUCCESS);
	assert_event(xfer_event(f, 1), at[1], CC_STOPPED, 64);
	assert_int_equal(octx_deq(f, 1, ISO_OUT), at[1] | EP_CTX_DCS);
	ring_db(f, 1, ISO_OUT);
	assert_int_equal(f->dev[1].nheld, 3);
	while (f->dev[1].nheld)
		packet_end(f, USB_OK, 64);
	assert_event(xfer_event(f, 4), at[3], CC_SUCCESS, 0);
	fake_free(f);
}

static void stop_of_a_td_that_waits_for_its_frame(void **state)
{
	struct fake *f = iso_ready(3);
	uint64_t at;

	(void)state;
	at = iso_td(f, ISO_OUT, 0, 64, frame_id(f, 100));
	ring_db(f, 1, ISO_OUT);
	assert_int_equal(stop_ep(f, 1, ISO_OUT), CC_SUCCESS);
	assert_event(xfer_event(f, 0), at, CC_STOPPED, 64);
	assert_int_equal(f->timer_at, NO_TIME);
	advance(f, 200 * MS);
	assert_int_equal(f->dev[1].nheld, 0);
	/* another one waits; the slot goes */
	put32(f, at + 12, T(ISOCH) | TRB_C | TRB_IOC | frame_id(f, 100));
	ring_db(f, 1, ISO_OUT);
	assert_int_equal(cmd(f, 0, 0, T(DISABLE_SLOT) | SLOT(1)), CC_SUCCESS);
	advance(f, 200 * MS);
	assert_int_equal(f->dev[1].nheld, 0);
	fake_free(f);
}

/* Where it stands when it is dropped */
enum stand {
	NOTHING_YET,
	FLYING,  /* the device has a TD */
	WAITING, /* and one waits for its frame */
	DONE,    /* the device has done all there was, its interval comes */
	RUN_DRY, /* it came and found nothing */
	TOLD,    /* which has been told of; software has not looked */
	NSTANDS
};

static void bring_to(struct fake *f, unsigned dci, enum stand how)
{
	uint32_t when = how == WAITING ? frame_id(f, 100) : TRB_SIA;

	if (how == NOTHING_YET)
		return;
	iso_td(f, dci, 0, 64, when);
	ring_db(f, 1, dci);
	if (how >= DONE)
		packet_end(f, USB_OK, 64);
	if (how >= RUN_DRY)
		advance(f, how == RUN_DRY ? SLOW : DRY);
}

/*
 * Software that reads a Ring Underrun event when it has dropped the endpoint
 * takes that for an error: there is none, if it was not slower than a second. Behind the command's event there is none in any case, nor
 * another one of a transfer.
 */
static void dropped(unsigned dci, enum stand how, bool deconfigure)
{
	struct fake *f = iso_ready(3);
	unsigned events;
	uint64_t at;

	bring_to(f, dci, how);
	ictx_clear(f, 1u << ISO_OUT | 1u << ISO_IN, 1);
	put32(f, ictx(f, 1, 0), 1u << 27);
	at = cmd_post(f, G_ICTX, 0,
		      T(CONFIGURE_EP) | SLOT(1) | (deconfigure ? TRB_DC : 0));
	run(f);
	if (how == FLYING)
		dev_end_cancelled(&f->dev[1], 0);
	assert_int_equal(cmd_result(f, at), CC_SUCCESS);
	events = xfer_events(f);
	assert_int_equal(events, how == TOLD ? 2 : how >= DONE ? 1 : 0);
	ring_db(f, 1, dci);
	advance(f, DRY);
	assert_int_equal(xfer_events(f), events);
	assert_int_equal(f->timer_at, NO_TIME);
	fake_free(f);
}

static void one_that_was_dropped_is_silent(void **state)
{
	(void)state;
	for (unsigned how = 0; how < NSTANDS; how++)
		for (unsigned k = 0; k < 4; k++)
			dropped(k & 1 ? ISO_IN : ISO_OUT, how, k & 2);
}

static struct fake *ran_dry(unsigned dci)
{
	struct fake *f = iso_ready(3);

	bring_to(f, dci, RUN_DRY);
	assert_int_equal(xfer_events(f), 1);
	return f;
}

static void assert_told(struct fake *f, unsigned n, unsigned dci)
{
	assert_event(xfer_event(f, n), 0,
		     dci == ISO_IN ? CC_RING_OVERRUN : CC_RING_UNDERRUN, 0);
	assert_int_equal(TRB_EP(xfer_event(f, n)->control), dci);
}

/* Software that was slow and goes on hears of it first, and only once */
static void the_next_td_tells_that_the_ring_was_dry(void **state)
{
	(void)state;
	for (unsigned dci = ISO_OUT; dci <= ISO_IN; dci++)
		for (unsigned missed = 0; missed < 2; missed++) {
			struct fake *f = ran_dry(dci);
			uint32_t when = missed ? frame_id(f, 1000) : TRB_SIA;
			uint64_t at = iso_td(f, dci, 1, 64, when);

			ring_db(f, 1, dci);
			assert_told(f, 1, dci);
			assert_int_equal(f->dev[1].nheld, !missed);
			if (!missed)
				packet_end(f, USB_OK, 64);
			assert_event(xfer_event(f, 2), at,
				     missed ? CC_MISSED_SERVICE : CC_SUCCESS,
				     missed ? 64 : 0);
			advance(f, SLOW);
			assert_int_equal(xfer_events(f), 3);
			/* the second time is one by itself */
			advance(f, DRY);
			assert_int_equal(xfer_events(f), missed ? 3 : 4);
			if (!missed)
				assert_told(f, 3, dci);
			assert_int_equal(f->timer_at, NO_TIME);
			fake_free(f);
		}
}

/* Where telling ends in a Host Controller Error, the TD stays on its ring. */
static void a_td_whose_underrun_has_no_place(void **state)
{
	(void)state;
	for (unsigned late = 0; late < 2; late++) {
		struct fake *f = ran_dry(ISO_OUT);

		wr(f, REG_IR(0, IR_ERDP), 0x10);
		iso_td(f, ISO_OUT, 1, 64, late ? frame_id(f, 100) : TRB_SIA);
		ring_db(f, 1, ISO_OUT);
		assert_true(rd(f, OFF_OP + OP_USBSTS) & STS_HCE);
		assert_int_equal(f->dev[1].nheld, 0);
		advance(f, DRY);
		assert_int_equal(f->dev[1].nheld, 0);
		assert_int_equal(f->x->nflight, 0);
		assert_int_equal(f->timer_at, NO_TIME);
		fake_free(f);
	}
}

/* A doorbell for a ring without a TD changes nothing, nor a TRB of no TD */
static void what_is_no_td_tells_nothing(void **state)
{
	struct fake *f = ran_dry(ISO_OUT);

	(void)state;
	ring_db(f, 1, ISO_OUT);
	put(f, G_RING(ISO_OUT) + 16, 0, 0, T(NOOP) | TRB_C);
	ring_db(f, 1, ISO_OUT);
	assert_int_equal(xfer_events(f), 1);
	advance(f, DRY - SLOW);
	assert_told(f, 1, ISO_OUT);
	advance(f, DRY);
	assert_int_equal(xfer_events(f), 2);
	fake_free(f);
}

static void one_that_was_stopped_is_silent(void **state)
{
	(void)state;
	for (unsigned halt = 0; halt < 2; halt++) {
		struct fake *f = ran_dry(ISO_OUT);

		if (halt)
			wr(f, OFF_OP + OP_USBCMD, 0);
		else
			assert_int_equal(stop_ep(f, 1, ISO_OUT), CC_SUCCESS);
		run(f);
		assert_int_equal(f->timer_at, NO_TIME);
		if (halt)
			wr(f, OFF_OP + OP_USBCMD, CMD_RS);
		advance(f, DRY);
		assert_int_equal(xfer_events(f), halt ? 1 : 2);
		for (unsigned i = 0; i < xfer_events(f); i++)
			assert_int_not_equal(EV_CC(xfer_event(f, i)),
					     CC_RING_UNDERRUN);
		fake_free(f);
	}
}

/* A pause is none of software's doing: it hears what it is to hear */
static void a_pause_tells_that_the_ring_was_dry(void **state)
{
	struct fake *f = ran_dry(ISO_IN);

	(void)state;
	xhci_pause(f->x, false);
	run(f);
	assert_int_equal(xfer_events(f), 2);
	assert_told(f, 1, ISO_IN);
	assert_int_equal(f->timer_at, NO_TIME);
	xhci_resume(f->x);
	run(f);
	advance(f, DRY);
	assert_int_equal(xfer_events(f), 2);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stop_leaves_what_is_not_done_on_the_ring),
		cmocka_unit_test(stop_of_a_td_that_waits_for_its_frame),
		cmocka_unit_test(one_that_was_dropped_is_silent),
		cmocka_unit_test(the_next_td_tells_that_the_ring_was_dry),
		cmocka_unit_test(a_td_whose_underrun_has_no_place),
		cmocka_unit_test(what_is_no_td_tells_nothing),
		cmocka_unit_test(one_that_was_stopped_is_silent),
		cmocka_unit_test(a_pause_tells_that_the_ring_was_dry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
