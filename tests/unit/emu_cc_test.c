/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every completion code that a controller without isochronous endpoints and
 * streams can give, each brought about once; xHCI 1.2 §6.4.5. (Isochronous
 * and stream codes have tests of their own.)
 *
 * Bandwidth and Max Exit Latency Too Large are in emu_bandwidth_test.c. Not
 * here, since nothing brings them about: Resource Error (only when the host
 * has no memory), Secondary Bandwidth and Split Transaction (no hubs),
 * Bandwidth Overrun (the host's schedule), VF Event Ring Full (no virtual
 * functions), No Ping Response, Incompatible Device and Event Lost (nothing is
 * lost, see emu_intr_test.c).
 */
#include "tests/unit/emu_drv.h"

#define BUF 0x400000u

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

static void each_code_can_be_had(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
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
		cmocka_unit_test(each_code_can_be_had),
		cmocka_unit_test(status_to_completion_code),
		cmocka_unit_test(names_are_the_specifications),
	};

	return cmocka_run_group_tests_name("emu_cc", tests, NULL, NULL);
}
