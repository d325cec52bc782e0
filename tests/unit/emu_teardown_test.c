/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ends of all kinds with transfers in flight: HCRST, R/S, disconnect, the
 * slot's end, HCE. Every transfer completes exactly once, nothing is left.
 */
#include "tests/unit/emu_bulk.h"

static void hcrst_waits_for_transfers(void **state)
{
	struct fake *f = fake_ready(1);
	struct stream s = {f, DCI_IN, true, 0, 0, 0, {{0}}};
	struct fake_dev *d = &f->dev[1];
	unsigned events;

	(void)state;
	stream_post(&s, 0);
	ring_db(f, 1, s.dci);
	events = (unsigned)xhci_stats(f->x)->events;
	wr(f, REG_CMD, CMD_HCRST);
	assert_int_equal(d->cancels, NTDS);
	while (d->nheld) {
		assert_int_equal(rd(f, REG_STS) & (STS_CNR | STS_HCH),
				 STS_CNR | STS_HCH);
		assert_true(rd(f, REG_CMD) & CMD_HCRST);
		assert_int_equal(xhci_in_flight(f->x), d->nheld);
		/* what software writes meanwhile does nothing */
		wr(f, REG_CMD, CMD_ON);
		wr(f, OFF_DB + 4, s.dci);
		dev_end(d, d->nheld / 2, USB_CANCELLED, 0);
		run(f);
	}
	assert_int_equal(rd(f, REG_STS) & STS_CNR, 0);
	assert_int_equal(rd(f, REG_CMD), 0);
	assert_int_equal(xhci_stats(f->x)->events, events);
	fake_free(f);
}

enum kill {
	KILL_HCRST,
	KILL_RS,
	KILL_UNPLUG,
	KILL_SLOT,
	KILL_DEVICE,
	KILL_DECONFIGURE,
	KILL_HCE,
	NKILLS
};

static void kill_it(struct fake *f, enum kill how)
{
	switch (how) {
	case KILL_HCRST:
		wr(f, REG_CMD, CMD_HCRST);
		break;
	case KILL_RS:
		wr(f, REG_CMD, 0);
		break;
	case KILL_UNPLUG:
		assert_int_equal(xhci_port_disconnect(f->x, 1), 0);
		break;
	case KILL_SLOT:
		cmd_post(f, 0, 0, T(DISABLE_SLOT) | SLOT(1));
		break;
	case KILL_DEVICE:
		cmd_post(f, 0, 0, T(RESET_DEVICE) | SLOT(1));
		break;
	case KILL_DECONFIGURE:
		cmd_post(f, 0, 0, T(CONFIGURE_EP) | SLOT(1) | TRB_DC);
		break;
	case KILL_HCE:
		wr64(f, REG_IR(0, IR_ERDP), 0xdead0);
		break;
	case NKILLS:
		break;
	}
}

/* How many steps of stop_steps() were done when the blow came. */
static void stop_steps(struct fake *f, enum kill how, unsigned when)
{
	struct stream s = {f, DCI_IN, true, 0, 0, 0, {{0}}};
	struct fake_dev *d = &f->dev[1];
	unsigned step = 0;

#define STEP(x)                          \
	do {                             \
		if (step++ == when)      \
			kill_it(f, how); \
		x;                       \
	} while (0)

	stream_post(&s, 3);
	STEP(wr(f, OFF_DB + 4, s.dci));
	STEP(run(f));
	STEP(if (d->nheld) dev_end(d, 0, USB_OK, TD_BYTES));
	STEP(cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(s.dci)));
	STEP(run(f));
	STEP(if (d->nheld) dev_end(d, d->nheld - 1, USB_CANCELLED, 0));
	STEP(run(f));
	STEP(if (d->nheld > 1) dev_end(d, 0, USB_CANCELLED, 512));
	STEP(run(f));
	STEP(dev_end_cancelled(d, 0));
	STEP(run(f));
	STEP(wr(f, OFF_DB + 4, s.dci));
	STEP(run(f));
	STEP(if (d->nheld) dev_end(d, 0, USB_ERROR, 0));
	STEP(run(f));
	STEP(dev_end_all(d, USB_NODEV));
	STEP(run(f));
#undef STEP
}

/* Whatever comes, and when: nothing is left, and a new start works. */
static void any_blow_at_any_step(void **state)
{
	(void)state;
	for (unsigned how = 0; how < NKILLS; how++)
		for (unsigned when = 0; when < 17; when++) {
			struct fake *f = fake_ready(1);

			stop_steps(f, how, when);
			dev_end_all(&f->dev[1], USB_CANCELLED);
			run(f);
			wr(f, REG_CMD, CMD_HCRST);
			dev_end_all(&f->dev[1], USB_CANCELLED);
			run(f);
			assert_int_equal(xhci_in_flight(f->x), 0);
			assert_int_equal(f->holds, 0);
			f->nseen = 0;
			memset(f->mem + G_EV(0, 0), 0, 4096);
			start(f);
			if (how == KILL_UNPLUG)
				fake_plug(f, 1, USB_SPEED_HIGH);
			wr(f, REG_PORTSC(1), PORTSC_PP | PORTSC_PR);
			xhci_port_reset_done(f->x, 1, true);
			run(f);
			assert_int_equal(slot_new(f), 1);
			assert_int_equal(address(f, 1, 1, false), CC_SUCCESS);
			fake_free(f);
		}
}

/* Pulled out with everything in flight: an error for the first TD only. */
static void disconnect_with_transfers_in_flight(void **state)
{
	struct fake *f = fake_ready(1);
	struct stream s = {f, DCI_IN, true, 0, 0, 0, {{0}}};
	struct fake_dev *d = &f->dev[1];

	(void)state;
	stream_post(&s, 0);
	ring_db(f, 1, s.dci);
	assert_int_equal(xhci_port_disconnect(f->x, 1), 0);
	run(f);
	while (d->nheld)
		dev_end(d, 0, USB_NODEV, 0);
	assert_event(xfer_event(f, 0), s.td[0][0], CC_TRANSACTION_ERROR, 1024);
	assert_int_equal(xfer_events(f), 1);
	assert_int_equal(octx_ep_state(f, 1, s.dci), EP_HALTED);
	/* the slot is software's to disable; new transfers fail at once */
	assert_int_equal(cmd(f, 0, 0, T(RESET_EP) | SLOT(1) | EP(s.dci)),
			 CC_SUCCESS);
	ring_db(f, 1, s.dci);
	assert_int_equal(d->submits, NTDS);
	assert_event(xfer_event(f, 1), s.td[0][0], CC_TRANSACTION_ERROR, 1024);
	assert_int_equal(cmd(f, 0, 0, T(DISABLE_SLOT) | SLOT(1)), CC_SUCCESS);
	fake_free(f);
}

/* Replaced before software saw it: the new device has an address of its own
 * to get first, and hears nothing of the old slot. */
static void new_device_gets_nothing_of_the_old_slot(void **state)
{
	struct fake *f = fake_ready(6);
	struct fake_dev *d = &f->dev[6];

	(void)state;
	assert_int_equal(xhci_port_disconnect(f->x, 6), 0);
	memset(d, 0, sizeof(*d));
	fake_plug(f, 6, USB_SPEED_SUPER);
	assert_true(rd(f, REG_PORTSC(6)) & PORTSC_PED);
	put(f, G_RING(DCI_OUT), 0x400000, 64, T(NORMAL) | TRB_C);
	ring_db(f, 1, DCI_OUT);
	assert_int_equal(d->submits, 0);
	assert_event(xfer_event(f, 0), G_RING(DCI_OUT), CC_TRANSACTION_ERROR,
		     64);
	assert_int_equal(cmd(f, 0, 0, T(DISABLE_SLOT) | SLOT(1)), CC_SUCCESS);
	assert_int_equal(d->ep_disables, 0);
	assert_int_equal(slot_new(f), 1);
	assert_int_equal(address(f, 1, 6, false), CC_SUCCESS);
	assert_int_equal(configure(f, 1), CC_SUCCESS);
	ring_db(f, 1, DCI_OUT);
	assert_int_equal(d->submits, 1);
	fake_free(f);
}

/* Disable Slot answers when the last transfer is back, not before. */
static void disable_slot_waits(void **state)
{
	struct fake *f = fake_ready(1);
	struct stream s = {f, DCI_OUT, false, 0, 0, 0, {{0}}};
	struct fake_dev *d = &f->dev[1];
	uint64_t at;

	(void)state;
	stream_post(&s, 0);
	ring_db(f, 1, s.dci);
	at = cmd_post(f, 0, 0, T(DISABLE_SLOT) | SLOT(1));
	while (d->nheld) {
		assert_int_equal(cmd_result(f, at), 0);
		dev_end(d, d->nheld - 1, USB_CANCELLED, 0);
	}
	assert_int_equal(cmd_result(f, at), CC_SUCCESS);
	assert_int_equal(octx_slot_state(f, 1), 0);
	assert_int_equal(xfer_events(f), 0);
	assert_int_equal(d->ep_disables, 3);
	fake_free(f);
}

/* TDs, bytes, errors are counted once each. */
static void accounting_is_exact(void **state)
{
	struct fake *f = fake_ready(1);
	struct stream s = {f, DCI_IN, true, 0, 0, 0, {{0}}};

	(void)state;
	stream_post(&s, 0);
	ring_db(f, 1, s.dci);
	assert_int_equal(xhci_in_flight(f->x), NTDS);
	assert_true(f->holds > 0);
	stream_end(&s, NTDS - 1);
	dev_end(&f->dev[1], 0, USB_ERROR, 5);
	run(f);
	assert_int_equal(xhci_in_flight(f->x), 0);
	assert_int_equal(f->holds, 0);
	assert_int_equal(xhci_stats(f->x)->tds, NTDS);
	assert_int_equal(xhci_stats(f->x)->bytes, ALL_BYTES - TD_BYTES + 5);
	assert_int_equal(xhci_stats(f->x)->errors, 1);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hcrst_waits_for_transfers),
		cmocka_unit_test(any_blow_at_any_step),
		cmocka_unit_test(disconnect_with_transfers_in_flight),
		cmocka_unit_test(new_device_gets_nothing_of_the_old_slot),
		cmocka_unit_test(disable_slot_waits),
		cmocka_unit_test(accounting_is_exact),
	};

	return cmocka_run_group_tests_name("emu_teardown", tests, NULL, NULL);
}
