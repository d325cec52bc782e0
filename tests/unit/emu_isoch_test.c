/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Isochronous TDs: scheduling by SIA and Frame ID, Missed Service, Underrun
 * and Overrun, errors that do not halt. xHCI 1.2 §4.10.3, §4.11.2.5.
 */
#include "tests/unit/emu_isoch.h"

static void sia_tds_go_at_once_and_in_order(void **state)
{
	struct fake *f = iso_ready(3);
	uint64_t at[8];

	(void)state;
	for (unsigned i = 0; i < 8; i++)
		at[i] = iso_td(f, ISO_IN, i, 100 + i, TRB_SIA);
	ring_db(f, 1, ISO_IN);
	assert_int_equal(f->dev[1].nheld, 8);
	for (unsigned i = 0; i < 8; i++) {
		struct usb_xfer *t = f->dev[1].held[i];

		assert_int_equal(t->type, USB_ISOCH);
		assert_int_equal(t->ep, 0x83);
		assert_int_equal(t->length, 100 + i);
		if (i) /* a service interval apart */
			assert_int_equal(t->frame,
					 f->dev[1].held[i - 1]->frame + 8);
	}
	for (unsigned i = 0; i < 8; i++)
		packet_end(f, USB_OK, i % 2 ? 100 + i : 10);
	for (unsigned i = 0; i < 8; i++)
		assert_event(xfer_event(f, i), at[i],
			     i % 2 ? CC_SUCCESS : CC_SHORT_PACKET,
			     i % 2 ? 0 : 90 + i);
	fake_free(f);
}

static void frame_id_waits_for_its_frame(void **state)
{
	struct fake *f = iso_ready(3);

	(void)state;
	advance(f, 7 * MS);
	iso_td(f, ISO_OUT, 0, 192, frame_id(f, 20));
	iso_td(f, ISO_OUT, 1, 192, frame_id(f, 21));
	ring_db(f, 1, ISO_OUT);
	assert_int_equal(f->dev[1].nheld, 0);
	advance(f, 18 * MS);
	assert_int_equal(f->dev[1].nheld, 0);
	advance(f, 2 * MS);
	assert_int_equal(f->dev[1].nheld, 2);
	assert_int_equal(f->dev[1].held[0]->frame % 8, 0);
	assert_int_equal(f->dev[1].held[1]->frame,
			 f->dev[1].held[0]->frame + 8);
	packet_end(f, USB_OK, 192);
	packet_end(f, USB_OK, 192);
	assert_int_equal(xfer_events(f), 2);
	fake_free(f);
}

static void frame_id_across_its_wrap(void **state)
{
	struct fake *f = iso_ready(3);

	(void)state;
	advance(f, 2045ull * MS);
	iso_td(f, ISO_OUT, 0, 192, frame_id(f, 6)); /* 2048 wraps to 0 */
	ring_db(f, 1, ISO_OUT);
	assert_int_equal(f->dev[1].nheld, 0);
	advance(f, 6 * MS);
	assert_int_equal(f->dev[1].nheld, 1);
	packet_end(f, USB_OK, 192);
	fake_free(f);
}

static void a_frame_that_has_passed_is_missed_service(void **state)
{
	struct fake *f = iso_ready(3);
	uint64_t late, next;

	(void)state;
	advance(f, 100 * MS);
	late = iso_td(f, ISO_OUT, 0, 192, frame_id(f, 2048 - 251));
	next = iso_td(f, ISO_OUT, 1, 192, TRB_SIA);
	ring_db(f, 1, ISO_OUT);
	assert_int_equal(f->dev[1].nheld, 1); /* the ring goes on */
	assert_event(xfer_event(f, 0), late, CC_MISSED_SERVICE, 192);
	packet_end(f, USB_OK, 192);
	assert_event(xfer_event(f, 1), next, CC_SUCCESS, 0);
	assert_int_equal(octx_ep_state(f, 1, ISO_OUT), EP_RUNNING);
	fake_free(f);
}

/* A slow guest: its first frame went by while it filled the ring */
static void a_frame_that_has_just_passed_is_not_missed(void **state)
{
	struct fake *f = iso_ready(3);

	(void)state;
	advance(f, 100 * MS);
	for (unsigned i = 0; i < 8; i++)
		iso_td(f, ISO_OUT, i, 192, frame_id(f, 2048 - 250 + i));
	ring_db(f, 1, ISO_OUT);
	assert_int_equal(f->dev[1].nheld, 8);
	while (f->dev[1].nheld)
		packet_end(f, USB_OK, 192);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(EV_CC(xfer_event(f, i)), CC_SUCCESS);
	fake_free(f);
}

static void window_is_895_frames(void **state)
{
	struct fake *f = iso_ready(3);

	(void)state;
	advance(f, 100 * MS);
	iso_td(f, ISO_OUT, 0, 8, frame_id(f, 896));
	ring_db(f, 1, ISO_OUT);
	assert_int_equal(EV_CC(xfer_event(f, 0)), CC_MISSED_SERVICE);
	iso_td(f, ISO_OUT, 1, 8, frame_id(f, 895));
	ring_db(f, 1, ISO_OUT);
	assert_int_equal(xfer_events(f), 1);
	advance(f, 895 * (uint64_t)MS);
	assert_int_equal(f->dev[1].nheld, 1);
	packet_end(f, USB_OK, 8);
	fake_free(f);
}

/* A stream that the device runs later than MFINDEX loses nothing by that. */
static void contiguous_frames_follow_the_devices_pace(void **state)
{
	struct fake *f = iso_ready(3);
	uint32_t first;

	(void)state;
	advance(f, 50 * MS);
	first = frame_id(f, 1) >> 20;
	for (unsigned i = 0; i < 64; i++)
		iso_td(f, ISO_OUT, i, 64, ((first + i) & 0x7ff) << 20);
	ring_db(f, 1, ISO_OUT);
	assert_int_equal(f->dev[1].nheld, 64);
	advance(f, 10 * MS); /* a guest that sleeps over its frames */
	for (unsigned i = 64; i < 66; i++)
		iso_td(f, ISO_OUT, i, 64, ((first + i) & 0x7ff) << 20);
	advance(f, 100 * MS);
	ring_db(f, 1, ISO_OUT);
	assert_int_equal(f->dev[1].nheld, 66);
	while (f->dev[1].nheld)
		packet_end(f, USB_OK, 64);
	assert_int_equal(xfer_events(f), 66);
	for (unsigned i = 0; i < 66; i++)
		assert_int_equal(EV_CC(xfer_event(f, i)), CC_SUCCESS);
	fake_free(f);
}

static void empty_ring_is_an_underrun_once(unsigned dci, enum cc cc)
{
	struct fake *f = iso_ready(3);
	struct xhci_trb *e;

	iso_td(f, dci, 0, 64, TRB_SIA);
	ring_db(f, 1, dci);
	advance(f, DRY); /* the device still has it: no underrun */
	assert_int_equal(xfer_events(f), 0);
	packet_end(f, USB_OK, 64);
	assert_int_equal(xfer_events(f), 1);
	advance(f, DRY);
	assert_int_equal(xfer_events(f), 2);
	e = xfer_event(f, 1);
	assert_event(e, 0, cc, 0);
	assert_int_equal(TRB_EP(e->control), dci);
	assert_int_equal(f->timer_at, NO_TIME); /* and nothing ticks */
	iso_td(f, dci, 1, 64, TRB_SIA);
	ring_db(f, 1, dci);
	packet_end(f, USB_OK, 64);
	iso_td(f, dci, 2, 64, TRB_SIA); /* in time */
	ring_db(f, 1, dci);
	advance(f, DRY);
	assert_int_equal(xfer_events(f), 3);
	packet_end(f, USB_OK, 64);
	fake_free(f);
}

static void underrun_and_overrun(void **state)
{
	(void)state;
	empty_ring_is_an_underrun_once(ISO_OUT, CC_RING_UNDERRUN);
	empty_ring_is_an_underrun_once(ISO_IN, CC_RING_OVERRUN);
}

static void packet_errors_do_not_halt(void **state)
{
	static const struct {
		enum usb_status st;
		enum cc cc;
	} rows[] = {
		{USB_ERROR, CC_TRANSACTION_ERROR},
		{USB_BABBLE, CC_BABBLE},
		{USB_OVERRUN, CC_ISOCH_BUFFER_OVERRUN},
		{USB_MISSED, CC_MISSED_SERVICE},
		{USB_OK, CC_SUCCESS},
	};
	struct fake *f = iso_ready(0);

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		iso_td(f, ISO_IN, i, 1024, TRB_SIA);
	ring_db(f, 1, ISO_IN);
	for (unsigned i = 0; i < 5; i++)
		packet_end(f, rows[i].st, rows[i].st == USB_OK ? 1024 : 0);
	for (unsigned i = 0; i < 5; i++)
		assert_event(xfer_event(f, i), G_RING(ISO_IN) + i * TRB_SIZE,
			     rows[i].cc, rows[i].cc == CC_SUCCESS ? 0 : 1024);
	assert_int_equal(octx_ep_state(f, 1, ISO_IN), EP_RUNNING);
	fake_free(f);
}

static void only_isoch_trbs_begin_a_td(void **state)
{
	struct fake *f = iso_ready(0);

	(void)state;
	put(f, G_RING(ISO_IN), BUF, 64, T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, ISO_IN);
	assert_event(xfer_event(f, 0), G_RING(ISO_IN), CC_TRB_ERROR, 64);
	assert_int_equal(octx_ep_state(f, 1, ISO_IN), EP_ERROR);
	put(f, G_RING(DCI_IN), BUF, 64, T(ISOCH) | TRB_C | TRB_IOC | TRB_SIA);
	ring_db(f, 1, DCI_IN);
	assert_event(xfer_event(f, 1), G_RING(DCI_IN), CC_TRB_ERROR, 64);
	fake_free(f);
}

static void td_of_several_trbs_is_one_packet(void **state)
{
	struct fake *f = iso_ready_with(0, 3, 3072);
	uint64_t at = G_RING(ISO_OUT);

	(void)state;
	at = put(f, at, BUF, 1000, T(ISOCH) | TRB_C | TRB_CH | TRB_SIA);
	at = put(f, at, BUF + 8192, 1000, T(NORMAL) | TRB_C | TRB_CH);
	put(f, at, BUF + 16384, 1000, T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, ISO_OUT);
	assert_int_equal(f->dev[5].nheld, 1);
	assert_int_equal(f->dev[5].held[0]->length, 3000);
	packet_end(f, USB_OK, 3000);
	assert_event(xfer_event(f, 0), at, CC_SUCCESS, 0);
	fake_free(f);
}

/* §4.9.1: the TRBs behind the one that failed have their events as well */
static void an_error_in_the_middle_ends_no_td(void **state)
{
	struct fake *f = iso_ready_with(0, 3, 3072);
	uint64_t first = G_RING(ISO_OUT), at;

	(void)state;
	at = put(f, first, BUF, 1000, T(ISOCH) | TRB_C | TRB_CH | TRB_SIA);
	at = put(f, at, BUF + 8192, 1000, T(NORMAL) | TRB_C | TRB_CH);
	at = put(f, at, BUF + 16384, 1000,
		 T(NORMAL) | TRB_C | TRB_CH | TRB_IOC);
	at = put(f, at, 0xfeed, 0, T(EVENT_DATA) | TRB_C | TRB_IOC);
	ring_db(f, 1, ISO_OUT);
	packet_end(f, USB_ERROR, 1200);
	assert_event(xfer_event(f, 0), first + 16, CC_TRANSACTION_ERROR, 800);
	assert_event(xfer_event(f, 1), first + 32, CC_TRANSACTION_ERROR, 1000);
	assert_event(xfer_event(f, 2), 0xfeed, CC_TRANSACTION_ERROR, 1200);
	assert_true(xfer_event(f, 2)->control & EV_ED);
	assert_null(xfer_event(f, 3));
	assert_int_equal(octx_ep_state(f, 1, ISO_OUT), EP_RUNNING);
	/* and the one after it comes at once */
	put(f, at, BUF, 10, T(ISOCH) | TRB_C | TRB_IOC | TRB_SIA);
	ring_db(f, 1, ISO_OUT);
	packet_end(f, USB_OK, 10);
	assert_event(xfer_event(f, 3), at, CC_SUCCESS, 0);
	fake_free(f);
}

/* §6.4.5: a TD larger than what the endpoint may move is not sent */
static void more_than_the_interval_holds_is_a_bandwidth_overrun(void **state)
{
	static const struct {
		unsigned packets;
		uint32_t esit, fits;
	} rows[] = {
		{1, 1024, 1024},     {3, 3072, 3072},
		{3, 0, 3072},        /* nothing said: all of the packets */
		{1, 100, 1024},      /* less said than there may be */
		{4, 11000, 12288},   /* Mult follows from it, §6.2.3.4 */
		{1, 100000, 100352}, /* also that of SuperSpeedPlus */
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (unsigned more = 0; more < 2; more++) {
			struct fake *f = iso_ready_with(0, rows[i].packets,
							rows[i].esit);
			uint32_t len = rows[i].fits + more, left = len;
			uint64_t at = G_RING(ISO_OUT), last = 0;

			while (left) {
				uint32_t n = left > 65536 ? 65536 : left;

				last = at;
				left -= n;
				at = put(f, at, BUF, n,
					 (at == G_RING(ISO_OUT)
						  ? T(ISOCH) | TRB_SIA
						  : T(NORMAL)) |
						 TRB_C |
						 (left ? TRB_CH : TRB_IOC));
			}
			ring_db(f, 1, ISO_OUT);
			assert_int_equal(f->x->nflight, !more);
			if (more) {
				assert_event(xfer_event(f, 0), G_RING(ISO_OUT),
					     CC_BANDWIDTH_OVERRUN,
					     len > 65536 ? 65536 : len);
				/* the ring goes on with the next interval */
				put(f, at, BUF, 8,
				    T(ISOCH) | TRB_C | TRB_IOC | TRB_SIA);
				ring_db(f, 1, ISO_OUT);
				assert_int_equal(f->x->nflight, 1);
			} else {
				packet_end(f, USB_OK, len);
				assert_event(xfer_event(f, 0), last, CC_SUCCESS,
					     0);
			}
			fake_free(f);
		}
}

/* §6.4.5: too small a buffer is no babble, unless it is all there may come */
static void overrun_of_a_small_buffer_is_no_babble(void **state)
{
	struct fake *f = iso_ready_with(0, 2, 2048);

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint64_t at = G_RING(ISO_IN) + 16 * i;

		put(f, at, BUF, 2047 + i, T(ISOCH) | TRB_C | TRB_IOC | TRB_SIA);
		ring_db(f, 1, ISO_IN);
		packet_end(f, USB_BABBLE, 2047 + i);
		assert_event(xfer_event(f, i), at,
			     i ? CC_BABBLE : CC_ISOCH_BUFFER_OVERRUN, 0);
	}
	assert_int_equal(octx_ep_state(f, 1, ISO_IN), EP_RUNNING);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sia_tds_go_at_once_and_in_order),
		cmocka_unit_test(frame_id_waits_for_its_frame),
		cmocka_unit_test(frame_id_across_its_wrap),
		cmocka_unit_test(a_frame_that_has_passed_is_missed_service),
		cmocka_unit_test(a_frame_that_has_just_passed_is_not_missed),
		cmocka_unit_test(window_is_895_frames),
		cmocka_unit_test(contiguous_frames_follow_the_devices_pace),
		cmocka_unit_test(underrun_and_overrun),
		cmocka_unit_test(packet_errors_do_not_halt),
		cmocka_unit_test(only_isoch_trbs_begin_a_td),
		cmocka_unit_test(td_of_several_trbs_is_one_packet),
		cmocka_unit_test(an_error_in_the_middle_ends_no_td),
		cmocka_unit_test(
			more_than_the_interval_holds_is_a_bandwidth_overrun),
		cmocka_unit_test(overrun_of_a_small_buffer_is_no_babble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
