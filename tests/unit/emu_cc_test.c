/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every completion code of table 6-90, xHCI 1.2 §6.4.5: brought about once, or
 * why a controller like this one cannot give it.
 */
#include "tests/unit/emu_drv.h"

#define BUF 0x400000u
#define ARRAY 0x380000u     /* of stream contexts */
#define SECONDARY 0x388000u /* those of all of them, 256 contexts */
#define ISO_OUT 6u
#define ISO_IN 7u

/* One transfer of 100 bytes that ends as said; the code of its event. */
static unsigned transfer_ends(struct fake *f, enum usb_status st, uint32_t n)
{
	put(f, G_RING(DCI_IN), BUF, 100, T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_IN);
	dev_end(&f->dev[1], 0, st, n);
	return EV_CC(xfer_event(f, 0));
}

static unsigned success(struct fake *f)
{
	return transfer_ends(f, USB_OK, 100);
}

static unsigned data_buffer_error(struct fake *f)
{
	return transfer_ends(f, USB_NOMEM, 0);
}

static unsigned babble(struct fake *f)
{
	return transfer_ends(f, USB_BABBLE, 100);
}

static unsigned transaction_error(struct fake *f)
{
	return transfer_ends(f, USB_ERROR, 0);
}

static unsigned stall(struct fake *f)
{
	return transfer_ends(f, USB_STALL, 0);
}

static unsigned short_packet(struct fake *f)
{
	return transfer_ends(f, USB_OK, 99);
}

static unsigned trb_error_transfer(struct fake *f)
{
	put(f, G_RING(DCI_IN), BUF, 100, T(STATUS) | TRB_C);
	ring_db(f, 1, DCI_IN);
	return EV_CC(xfer_event(f, 0));
}

static unsigned trb_error_command(struct fake *f)
{
	return cmd(f, 0, 0, T(FORCE_EVENT));
}

static unsigned no_slots(struct fake *f)
{
	while (cmd(f, 0, 0, T(ENABLE_SLOT)) == CC_SUCCESS)
		continue;
	return EV_CC(&f->cmd_event);
}

static unsigned slot_not_enabled(struct fake *f)
{
	return stop_ep(f, 2, 1);
}

static unsigned ep_not_enabled(struct fake *f)
{
	return stop_ep(f, 1, 31);
}

static unsigned parameter_error(struct fake *f)
{
	slot_new(f);
	return address(f, 2, 1, false);
}

static unsigned context_state_error(struct fake *f)
{
	return address(f, 1, 1, false);
}

static unsigned event_ring_full(struct fake *f)
{
	struct xhci_trb ev, last = {0};

	for (unsigned i = 0; i < 256; i++) {
		cmd_post(f, 0, 0, T(NOOP_CMD));
		run(f);
	}
	while (ev_take(f, 0, &ev))
		last = ev;
	assert_int_equal(EV_TYPE(&last), TRB_EV_HOST);
	ev_ack(f, 0);
	return EV_CC(&last);
}

/* Leaves a Stop Endpoint command that waits for the device. */
static uint64_t waiting_command(struct fake *f)
{
	put(f, G_RING(DCI_IN), BUF, 100, T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_IN);
	return cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(DCI_IN));
}

static unsigned command_aborted(struct fake *f)
{
	uint64_t at = waiting_command(f);
	unsigned cc;

	run(f);
	wr64(f, REG_CRCR, CRCR_CA);
	cc = cmd_result(f, at);
	assert_int_equal(rd(f, REG_CRCR) & CRCR_CRR, 0);
	return cc;
}

static unsigned command_ring_stopped(struct fake *f)
{
	struct xhci_trb *e;

	cmd_post(f, 0, 0, T(NOOP_CMD));
	run(f);
	assert_true(rd(f, REG_CRCR) & CRCR_CRR);
	wr64(f, REG_CRCR, CRCR_CS);
	run(f);
	assert_int_equal(rd(f, REG_CRCR) & CRCR_CRR, 0);
	ev_drain(f, 0);
	e = &f->seen[f->nseen - 1];
	assert_int_equal(EV_TYPE(e), TRB_EV_COMMAND);
	assert_int_equal(e->param, f->cmd_at); /* the next command */
	return EV_CC(e);
}

static unsigned stopped(struct fake *f)
{
	uint64_t at = waiting_command(f);

	run(f);
	dev_end(&f->dev[1], 0, USB_CANCELLED, 0);
	assert_int_equal(cmd_result(f, at), CC_SUCCESS);
	assert_event(xfer_event(f, 0), G_RING(DCI_IN), CC_STOPPED, 100);
	return EV_CC(xfer_event(f, 0));
}

static unsigned stopped_length_invalid(struct fake *f)
{
	stop_ep(f, 1, DCI_IN);
	return EV_CC(xfer_event(f, 0));
}

static unsigned stopped_short_packet(struct fake *f)
{
	uint64_t at = waiting_command(f);

	run(f);
	dev_end(&f->dev[1], 0, USB_CANCELLED, 50);
	assert_int_equal(cmd_result(f, at), CC_SUCCESS);
	assert_event(xfer_event(f, 0), G_RING(DCI_IN), CC_STOPPED_SHORT_PACKET,
		     50);
	return EV_CC(xfer_event(f, 0));
}

/* Force Header to a USB 3 port with no link, §4.6.16 */
static unsigned undefined(struct fake *f)
{
	return cmd(f, 0, 0, T(FORCE_HEADER) | SLOT(5));
}

/* The IN endpoint again, with streams: @dw0 of its context, @sct of stream 1 */
static void streams(struct fake *f, uint32_t dw0, unsigned sct)
{
	ictx_clear(f, 1u << DCI_IN, 1u | 1u << DCI_IN);
	put32(f, ictx(f, 1, 0), DCI_INTR << 27);
	ictx_ep(f, DCI_IN, EPT_BULK_IN, BULK_MPS, ARRAY);
	put64(f, ictx(f, DCI_IN + 1, 2), ARRAY);
	put32(f, ictx(f, DCI_IN + 1, 0), dw0);
	put64(f, ARRAY + 16, G_RING(9) | sct << 1 | EP_CTX_DCS);
	assert_int_equal(cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1)),
			 CC_SUCCESS);
	ev_forget(f);
}

static void stream_db(struct fake *f, unsigned id)
{
	wr(f, OFF_DB + 4, DCI_IN | id << 16);
	run(f);
}

/* More streams in use than a controller has rings for */
static unsigned resource_error(struct fake *f)
{
	streams(f, 4u << 10, 0);
	for (unsigned i = 1; i < 32; i++)
		put64(f, ARRAY + 16 * i, SECONDARY | 7u << 1);
	for (unsigned i = 0; i < 256; i++)
		put64(f, SECONDARY + 16 * i, G_RING(9) | EP_CTX_DCS);
	for (unsigned id = 33; id < 8192 && !f->nseen; id++)
		if (id % 32) {
			stream_db(f, id);
			ev_drain(f, 0);
		}
	return EV_CC(xfer_event(f, 0));
}

static unsigned invalid_stream_type(struct fake *f)
{
	streams(f, 1u << 10 | EP_CTX_LSA, 5);
	stream_db(f, 1);
	return EV_CC(xfer_event(f, 0));
}

static unsigned invalid_stream_id(struct fake *f)
{
	streams(f, 1u << 10 | EP_CTX_LSA, 1);
	assert_int_equal(stop_ep(f, 1, DCI_IN), CC_SUCCESS);
	return cmd(f, G_RING(9) | 1u << 1 | 1, 4u << 16,
		   T(SET_TR_DEQ) | SLOT(1) | EP(DCI_IN));
}

/* Isochronous endpoints, @packets in each interval of 1 << @interval */
static unsigned isoch(struct fake *f, unsigned packets, unsigned interval)
{
	ictx_clear(f, 0, 1u | 1u << ISO_OUT | 1u << ISO_IN);
	put32(f, ictx(f, 1, 0), ISO_IN << 27);
	ictx_ep(f, ISO_OUT, EPT_ISOCH_OUT, 1024, G_RING(ISO_OUT));
	ictx_ep(f, ISO_IN, EPT_ISOCH_IN, 1024, G_RING(ISO_IN));
	for (unsigned dci = ISO_OUT; dci <= ISO_IN; dci++) {
		uint32_t dw1 = mem32(f, ictx(f, dci + 1, 1));

		put32(f, ictx(f, dci + 1, 0), interval << 16);
		put32(f, ictx(f, dci + 1, 1), dw1 | (packets - 1) << 8);
	}
	return cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1));
}

static unsigned bandwidth_error(struct fake *f)
{
	return isoch(f, 3, 0);
}

/* An isochronous TD of @len bytes that ends so; its code */
static unsigned isoch_ends(struct fake *f, unsigned dci, uint32_t len,
			   enum usb_status st)
{
	assert_int_equal(isoch(f, 1, 3), CC_SUCCESS);
	put(f, G_RING(dci), BUF, len, T(ISOCH) | TRB_C | TRB_IOC | TRB_SIA);
	ring_db(f, 1, dci);
	if (f->dev[1].nheld) {
		f->dev[1].held[0]->packet[0].status = st;
		f->dev[1].held[0]->packet[0].actual = len;
		dev_end(&f->dev[1], 0, USB_OK, len);
	}
	return EV_CC(xfer_event(f, 0));
}

static unsigned runs_dry(struct fake *f, unsigned dci)
{
	assert_int_equal(isoch_ends(f, dci, 8, USB_OK), CC_SUCCESS);
	advance(f, 1100000000);
	return EV_CC(xfer_event(f, 1));
}

static unsigned ring_underrun(struct fake *f)
{
	return runs_dry(f, ISO_OUT);
}

static unsigned ring_overrun(struct fake *f)
{
	return runs_dry(f, ISO_IN);
}

static unsigned bandwidth_overrun(struct fake *f)
{
	return isoch_ends(f, ISO_OUT, 1025, USB_OK);
}

static unsigned isoch_buffer_overrun(struct fake *f)
{
	return isoch_ends(f, ISO_IN, 100, USB_BABBLE);
}

/* A frame that passed a second ago */
static unsigned missed_service(struct fake *f)
{
	assert_int_equal(isoch(f, 1, 3), CC_SUCCESS);
	put(f, G_RING(ISO_OUT), BUF, 8,
	    T(ISOCH) | TRB_C | TRB_IOC |
		    (((rd(f, OFF_RT) >> 3) + 1048) & 0x7ff) << 20);
	ring_db(f, 1, ISO_OUT);
	return EV_CC(xfer_event(f, 0));
}

/* A SuperSpeed link that is not back before its interrupt endpoint is due */
static unsigned max_exit_latency(struct fake *f)
{
	port_up(f, 5);
	assert_int_equal(slot_new(f), 2);
	assert_int_equal(address(f, 2, 5, false), CC_SUCCESS);
	ictx_clear(f, 0, 1u | 1u << DCI_INTR);
	put32(f, ictx(f, 1, 0), DCI_INTR << 27);
	ictx_ep(f, DCI_INTR, EPT_INTR_IN, 64, G_RING(DCI_INTR));
	assert_int_equal(cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(2)),
			 CC_SUCCESS);
	ictx_clear(f, 0, 1);
	put32(f, ictx(f, 1, 1), 1000);
	return cmd(f, G_ICTX, 0, T(EVALUATE_CTX) | SLOT(2));
}

static const struct {
	enum cc cc;
	unsigned (*bring)(struct fake *f);
} codes[] = {
	{CC_SUCCESS, success},
	{CC_DATA_BUFFER_ERROR, data_buffer_error},
	{CC_BABBLE, babble},
	{CC_TRANSACTION_ERROR, transaction_error},
	{CC_TRB_ERROR, trb_error_transfer},
	{CC_TRB_ERROR, trb_error_command},
	{CC_STALL, stall},
	{CC_RESOURCE_ERROR, resource_error},
	{CC_BANDWIDTH_ERROR, bandwidth_error},
	{CC_INVALID_STREAM_TYPE, invalid_stream_type},
	{CC_RING_UNDERRUN, ring_underrun},
	{CC_RING_OVERRUN, ring_overrun},
	{CC_BANDWIDTH_OVERRUN, bandwidth_overrun},
	{CC_MISSED_SERVICE, missed_service},
	{CC_MAX_EXIT_LATENCY, max_exit_latency},
	{CC_ISOCH_BUFFER_OVERRUN, isoch_buffer_overrun},
	{CC_INVALID_STREAM_ID, invalid_stream_id},
	{CC_NO_SLOTS, no_slots},
	{CC_SLOT_NOT_ENABLED, slot_not_enabled},
	{CC_EP_NOT_ENABLED, ep_not_enabled},
	{CC_SHORT_PACKET, short_packet},
	{CC_PARAMETER_ERROR, parameter_error},
	{CC_CONTEXT_STATE_ERROR, context_state_error},
	{CC_EVENT_RING_FULL, event_ring_full},
	{CC_COMMAND_RING_STOPPED, command_ring_stopped},
	{CC_COMMAND_ABORTED, command_aborted},
	{CC_STOPPED, stopped},
	{CC_STOPPED_LENGTH_INVALID, stopped_length_invalid},
	{CC_STOPPED_SHORT_PACKET, stopped_short_packet},
	{CC_UNDEFINED, undefined},
};

static const struct {
	enum cc cc;
	const char *why;
} never[] = {
	{CC_VF_RING_FULL, "there are no virtual functions"},
	{CC_NO_PING_RESPONSE, "the host's controller sends PINGs"},
	{CC_INCOMPATIBLE_DEVICE, "the host takes such a device away"},
	{30, "reserved"},
	{CC_EVENT_LOST, "none is: emu_evring, emu_room"},
	{CC_SECONDARY_BANDWIDTH, "no hubs, so no buses behind them"},
	{CC_SPLIT_TRANSACTION, "the same"},
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void every_code_is_had_or_explained(void **state)
{
	unsigned had = 0;

	(void)state;
	for (unsigned cc = 1; cc <= 36; cc++) {
		unsigned n = 0, why = 0;

		for (unsigned i = 0; i < COUNT(codes); i++)
			n += codes[i].cc == cc;
		for (unsigned i = 0; i < COUNT(never); i++)
			why += never[i].cc == cc;
		if (!n == !why)
			fail_msg("%s: in %s", cc_name(cc),
				 n ? "both tables" : "no table");
		had += n != 0;
	}
	print_message("%u codes of 36 are brought about\n", had);
	assert_int_equal(had + COUNT(never), 36);
}

static void each_code_can_be_had(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT(codes); i++) {
		struct fake *f = fake_ready(1);
		unsigned cc = codes[i].bring(f);

		if (cc != codes[i].cc)
			fail_msg("%s came, not %s", cc_name(cc),
				 cc_name(codes[i].cc));
		fake_free(f);
	}
}

/* §6.4.5: what each end of a transfer is called */
static void status_to_completion_code(void **state)
{
	static const uint8_t cc[USB_NSTATUS] = {
		[USB_OK] = CC_SUCCESS,
		[USB_STALL] = CC_STALL,
		[USB_ERROR] = CC_TRANSACTION_ERROR,
		[USB_BABBLE] = CC_BABBLE,
		[USB_CANCELLED] = CC_TRANSACTION_ERROR,
		[USB_NODEV] = CC_TRANSACTION_ERROR,
		[USB_NOMEM] = CC_DATA_BUFFER_ERROR,
		[USB_MISSED] = CC_MISSED_SERVICE,
		[USB_OVERRUN] = CC_ISOCH_BUFFER_OVERRUN,
	};

	(void)state;
	for (unsigned st = 0; st < USB_NSTATUS; st++)
		assert_int_equal(td_status_cc(st), cc[st]);
	assert_int_equal(td_status_cc(USB_NSTATUS), CC_TRANSACTION_ERROR);
	assert_int_equal(td_status_cc((enum usb_status)255),
			 CC_TRANSACTION_ERROR);
}

static void names_are_the_specifications(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 256; i++) {
		assert_non_null(cc_name(i));
		assert_non_null(trb_type_name(i));
		if (i >= 37)
			assert_string_equal(cc_name(i), "Reserved");
	}
	assert_string_equal(cc_name(CC_STALL), "Stall Error");
	assert_string_equal(cc_name(30), "Reserved");
	assert_string_equal(trb_type_name(TRB_EV_PORT),
			    "Port Status Change Event");
	assert_string_equal(trb_type_name(30), "Reserved");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_is_had_or_explained),
		cmocka_unit_test(each_code_can_be_had),
		cmocka_unit_test(status_to_completion_code),
		cmocka_unit_test(names_are_the_specifications),
	};

	return cmocka_run_group_tests_name("emu_cc", tests, NULL, NULL);
}
