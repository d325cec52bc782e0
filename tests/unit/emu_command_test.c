/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command ring: fetching, Links, stop and abort, halt, what is not there;
 * xHCI 1.2 §4.6, §4.9.3, §5.4.5.
 */
#include "tests/unit/emu_drv.h"

/* Around the ring several times, the Link's cycle bit and all */
static void commands_go_around_the_ring(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f);
	for (unsigned i = 0; i < 5 * CMD_TRBS; i++)
		assert_int_equal(cmd(f, 0, 0, T(NOOP_CMD)), CC_SUCCESS);
	assert_int_equal(xhci_stats(f->x)->commands, 5 * CMD_TRBS);
	fake_free(f);
}

/* Many with one doorbell: all, in order, a slice at a time */
static void commands_end_in_order(void **state)
{
	struct fake *f = fake_new();
	uint64_t at[100];

	(void)state;
	start(f);
	for (unsigned i = 0; i < 100; i++)
		at[i] = cmd_post(f, 0, 0, T(NOOP_CMD));
	f->kicked = false;
	assert_true(xhci_run(f->x)); /* there is more */
	assert_int_equal(xhci_stats(f->x)->commands, RUN_CMDS);
	f->kicked = true;
	run(f);
	ev_drain(f, 0);
	assert_int_equal(f->nseen, 100);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(f->seen[i].param, at[i]);
	fake_free(f);
}

/* Without a doorbell nothing is read, §4.9.3 */
static void no_doorbell_no_command(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f);
	put(f, f->cmd_at, 0, 0, T(NOOP_CMD) | TRB_C);
	xhci_kick(f->x);
	run(f);
	assert_int_equal(xhci_stats(f->x)->commands, 0);
	assert_int_equal(rd(f, REG_CRCR) & CRCR_CRR, 0);
	/* a target that is not 0 is none either */
	wr(f, OFF_DB, 1);
	run(f);
	assert_int_equal(xhci_stats(f->x)->commands, 0);
	wr(f, OFF_DB, 0);
	run(f);
	assert_int_equal(xhci_stats(f->x)->commands, 1);
	fake_free(f);
}

/* CRCR: the pointer reads as 0 and is taken only while the ring stands. */
static void crcr_while_running(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f);
	assert_int_equal(cmd(f, 0, 0, T(NOOP_CMD)), CC_SUCCESS);
	assert_int_equal(rd(f, REG_CRCR), CRCR_CRR);
	assert_int_equal(rd(f, REG_CRCR + 4), 0);
	wr64(f, REG_CRCR, 0xdead0000);
	assert_int_equal(cmd(f, 0, 0, T(NOOP_CMD)), CC_SUCCESS);
	/* stopped: another ring */
	wr64(f, REG_CRCR, CRCR_CS);
	run(f);
	ev_forget(f);
	wr64(f, REG_CRCR, 0x8000 | CRCR_RCS);
	put(f, 0x8000, 0, 0, T(NOOP_CMD) | TRB_C);
	wr(f, OFF_DB, 0);
	run(f);
	ev_drain(f, 0);
	assert_int_equal(f->nseen, 1);
	assert_int_equal(f->seen[0].param, 0x8000);
	fake_free(f);
}

/* Stopped, and rung again without a new CRCR: it goes on where it was. */
static void stopped_ring_goes_on(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f);
	for (unsigned i = 0; i < 2 * CMD_TRBS; i++) {
		assert_int_equal(cmd(f, 0, 0, T(NOOP_CMD)), CC_SUCCESS);
		wr(f, REG_CRCR, i & 1 ? CRCR_CS : CRCR_CA);
		run(f);
		assert_int_equal(rd(f, REG_CRCR), 0);
		ev_forget(f);
	}
	fake_free(f);
}

/* CS waits for the command under way; CA does not. Its end is not told. */
static void stop_waits_and_abort_does_not(void **state)
{
	(void)state;
	for (unsigned abort = 0; abort < 2; abort++) {
		struct fake *f = fake_ready(1);
		uint64_t at;

		put(f, G_RING(DCI_IN), 0x400000, 64, T(NORMAL) | TRB_C);
		ring_db(f, 1, DCI_IN);
		at = cmd_post(f, 0, 0, T(DISABLE_SLOT) | SLOT(1));
		run(f);
		wr(f, REG_CRCR, abort ? CRCR_CA : CRCR_CS);
		assert_int_equal(cmd_result(f, at),
				 abort ? CC_COMMAND_ABORTED : 0);
		assert_int_equal(rd(f, REG_CRCR), abort ? 0 : CRCR_CRR);
		dev_end(&f->dev[1], 0, USB_CANCELLED, 0);
		assert_int_equal(cmd_result(f, at), abort ? 0 : CC_SUCCESS);
		assert_int_equal(rd(f, REG_CRCR), 0);
		/* and the ring is usable again */
		assert_int_equal(cmd(f, 0, 0, T(NOOP_CMD)), CC_SUCCESS);
		fake_free(f);
	}
}

/* The next command waits for one that was aborted and is not over. */
static void command_behind_an_aborted_one(void **state)
{
	struct fake *f = fake_ready(1);
	uint64_t at;

	(void)state;
	put(f, G_RING(DCI_IN), 0x400000, 64, T(NORMAL) | TRB_C);
	ring_db(f, 1, DCI_IN);
	at = cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(DCI_IN));
	run(f);
	wr(f, REG_CRCR, CRCR_CA);
	assert_int_equal(cmd_result(f, at), CC_COMMAND_ABORTED);
	at = cmd_post(f, 0, 0, T(NOOP_CMD));
	assert_int_equal(cmd_result(f, at), 0);
	dev_end(&f->dev[1], 0, USB_CANCELLED, 0);
	assert_int_equal(cmd_result(f, at), CC_SUCCESS);
	fake_free(f);
}

/* R/S=0 in the middle of one: unheard, and R/S=1 begins anew */
static void halt_in_the_middle_of_a_command(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	put(f, G_RING(DCI_IN), 0x400000, 64, T(NORMAL) | TRB_C);
	ring_db(f, 1, DCI_IN);
	cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(DCI_IN));
	run(f);
	wr(f, REG_CMD, CMD_INTE);
	assert_int_equal(rd(f, REG_CRCR), 0);
	dev_end(&f->dev[1], 0, USB_CANCELLED, 0);
	run(f);
	wr64(f, REG_CRCR, f->cmd_at | (f->cmd_cycle ? CRCR_RCS : 0));
	wr(f, REG_CMD, CMD_ON);
	assert_int_equal(cmd(f, 0, 0, T(NOOP_CMD)), CC_SUCCESS);
	fake_free(f);
}

/* CS and CA where nothing runs, and with R/S=0, §5.4.5 */
static void stop_and_abort_of_nothing(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		wr(f, REG_CRCR, i & 1 ? CRCR_CA : CRCR_CS);
	run(f);
	start(f);
	run(f);
	assert_int_equal(ev_drain(f, 0), 0);
	assert_int_equal(cmd(f, 0, 0, T(NOOP_CMD)), CC_SUCCESS);
	fake_free(f);
}

/* What is not there says TRB Error: no command type does anything else. */
static void commands_that_are_not_there(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	for (unsigned t = 0; t < 64; t++) {
		bool known = (t >= TRB_ENABLE_SLOT && t <= TRB_RESET_DEVICE) ||
			     (t >= TRB_NEGOTIATE_BW && t <= TRB_FORCE_HEADER) ||
			     t == TRB_NOOP_CMD || t == TRB_LINK;

		if (!known)
			assert_int_equal(
				cmd(f, G_ICTX, 0, TRB_TYPE_BITS(t) | SLOT(1)),
				CC_TRB_ERROR);
	}
	fake_free(f);
}

/* §4.6.16 */
static void force_header(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f);
	port_up(f, 5);
	for (unsigned p = 0; p < 12; p++)
		assert_int_equal(cmd(f, 0, 0, T(FORCE_HEADER) | SLOT(p)),
				 p < 5 || p > 8 ? CC_TRB_ERROR
				 : p == 5       ? CC_SUCCESS
						: CC_UNDEFINED);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_go_around_the_ring),
		cmocka_unit_test(commands_end_in_order),
		cmocka_unit_test(no_doorbell_no_command),
		cmocka_unit_test(crcr_while_running),
		cmocka_unit_test(stopped_ring_goes_on),
		cmocka_unit_test(stop_waits_and_abort_does_not),
		cmocka_unit_test(command_behind_an_aborted_one),
		cmocka_unit_test(halt_in_the_middle_of_a_command),
		cmocka_unit_test(stop_and_abort_of_nothing),
		cmocka_unit_test(commands_that_are_not_there),
		cmocka_unit_test(force_header),
	};

	return cmocka_run_group_tests_name("emu_command", tests, NULL, NULL);
}
