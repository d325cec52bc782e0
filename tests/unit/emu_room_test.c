/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events that belong to no transfer and to no port also wait for room in their
 * ring, xHCI 1.2 §4.9.4: none is lost, each comes once.
 */
#include "tests/unit/emu_drv.h"

#define MS 1000000u
#define BUF 0x400000u
#define ISO_OUT 6u

/* As fake_ready(), with an event ring of 16 */
static struct fake *small_ready(void)
{
	struct fake *f = fake_new();

	f->ev_size = 16;
	start(f);
	port_up(f, 1);
	assert_int_equal(slot_new(f), 1);
	assert_int_equal(address(f, 1, 1, false), CC_SUCCESS);
	assert_int_equal(configure(f, 1), CC_SUCCESS);
	ev_forget(f);
	return f;
}

/* More TDs than ring @n has room for have ended; returns how many */
static unsigned fill(struct fake *f, unsigned n)
{
	uint64_t at = G_RING(DCI_OUT);

	for (unsigned i = 0; i < 30; i++)
		at = put(f, at, BUF, 1 | n << 22, T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_OUT);
	while (f->dev[1].nheld && f->dev[1].held[f->dev[1].nheld - 1]->ep == 1)
		dev_end(&f->dev[1], f->dev[1].nheld - 1, USB_OK, 1);
	run(f);
	return 30;
}

/* Read ring @n until it stays empty; how many of @type with code @cc came */
static unsigned take_all(struct fake *f, unsigned n, unsigned type, unsigned cc)
{
	unsigned count = 0;

	f->nseen = 0;
	for (unsigned i = 0; i < 10; i++) {
		ev_drain(f, n);
		run(f);
	}
	for (unsigned i = 0; i < f->nseen; i++)
		count += EV_TYPE(&f->seen[i]) == type &&
			 EV_CC(&f->seen[i]) == cc;
	return count;
}

static void a_wrap_of_mfindex(void **state)
{
	struct fake *f = small_ready();
	const uint64_t lap = 0x4000 * 125000ull;

	(void)state;
	wr(f, REG_CMD, CMD_ON | CMD_EWE);
	fill(f, 0);
	advance(f, lap);
	run(f);
	assert_int_equal(take_all(f, 0, TRB_EV_MFINDEX_WRAP, CC_SUCCESS), 1);
	/* two of them are told as one; none is, where none is asked for */
	for (unsigned i = 0; i < 30; i++)
		put32(f, G_RING(DCI_OUT) + 16 * (30 + i) + 12, 0);
	advance(f, lap);
	run(f);
	assert_int_equal(take_all(f, 0, TRB_EV_MFINDEX_WRAP, CC_SUCCESS), 1);
	wr(f, REG_CMD, CMD_ON);
	advance(f, 2 * lap);
	assert_int_equal(take_all(f, 0, TRB_EV_MFINDEX_WRAP, CC_SUCCESS), 0);
	fake_free(f);
}

/* The slot's events go to interrupter 3, as its context says */
static struct fake *iso_ready(void)
{
	struct fake *f = fake_ready(1);

	f->ev_size = 16;
	setup_events(f, 3);
	f->ev_size = 256;
	ictx_clear(f, 0, 1);
	put32(f, ictx(f, 1, 2), 3u << 22);
	assert_int_equal(cmd(f, G_ICTX, 0, T(EVALUATE_CTX) | SLOT(1)),
			 CC_SUCCESS);
	ictx_clear(f, 0, 1u | 1u << ISO_OUT);
	put32(f, ictx(f, 1, 0), ISO_OUT << 27);
	ictx_ep(f, ISO_OUT, EPT_ISOCH_OUT, 1024, G_RING(ISO_OUT));
	put32(f, ictx(f, ISO_OUT + 1, 0), 3u << 16);
	assert_int_equal(cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1)),
			 CC_SUCCESS);
	ev_forget(f);
	return f;
}

static void iso_then_dry(struct fake *f)
{
	put(f, G_RING(ISO_OUT), BUF, 8, T(ISOCH) | TRB_C | TRB_IOC | TRB_SIA);
	ring_db(f, 1, ISO_OUT);
	assert_int_equal(f->dev[1].nheld, 1);
	f->dev[1].held[0]->packet[0].actual = 8;
	dev_end(&f->dev[1], 0, USB_OK, 8);
	run(f);
	fill(f, 3);
	advance(f, 1100 * MS);
	run(f);
}

static void a_ring_that_ran_dry(void **state)
{
	struct fake *f = iso_ready();

	(void)state;
	iso_then_dry(f);
	f->ev_size = 16;
	assert_int_equal(take_all(f, 3, TRB_EV_TRANSFER, CC_RING_UNDERRUN), 1);
	assert_int_equal(f->timer_at, NO_TIME);
	fake_free(f);
}

/* A pause in which there is no room: it is told of behind that */
static void a_ring_that_ran_dry_before_a_pause(void **state)
{
	struct fake *f = iso_ready();

	(void)state;
	iso_then_dry(f);
	xhci_pause(f->x, false);
	run(f);
	xhci_resume(f->x);
	run(f);
	f->ev_size = 16;
	assert_int_equal(take_all(f, 3, TRB_EV_TRANSFER, CC_RING_UNDERRUN), 1);
	fake_free(f);
}

/* Stopped meanwhile, it is no longer of interest */
static void a_ring_that_ran_dry_and_was_stopped(void **state)
{
	struct fake *f = iso_ready();
	uint64_t stop;

	(void)state;
	iso_then_dry(f);
	stop = cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(ISO_OUT));
	run(f);
	f->ev_size = 16;
	assert_int_equal(take_all(f, 3, TRB_EV_TRANSFER, CC_RING_UNDERRUN), 0);
	f->ev_size = 256;
	assert_int_equal(cmd_result(f, stop), CC_SUCCESS);
	fake_free(f);
}

/* A Link with IOC on the command ring has a completion, §4.11.5.1 */
static void a_link_of_the_command_ring(void **state)
{
	(void)state;
	for (unsigned full = 0; full < 2; full++) {
		struct fake *f = small_ready();
		uint64_t link = f->cmd_at, to = link + 4 * TRB_SIZE;
		unsigned links = 0;

		if (full)
			fill(f, 0);
		put(f, link, to, 0, T(LINK) | TRB_IOC | TRB_C);
		f->cmd_at = to;
		cmd_post(f, 0, 0, T(NOOP_CMD));
		run(f);
		assert_int_equal(take_all(f, 0, TRB_EV_COMMAND, CC_SUCCESS), 2);
		for (unsigned i = 0; i < f->nseen; i++)
			links += f->seen[i].param == link &&
				 EV_TYPE(&f->seen[i]) == TRB_EV_COMMAND;
		assert_int_equal(links, 1);
		fake_free(f);
	}
}

/* CRCR.CA while a command waits for the device and its ring is full */
static void an_abort_of_a_command(void **state)
{
	(void)state;
	for (unsigned ca = 0; ca < 2; ca++) {
		struct fake *f = small_ready();
		unsigned aborted, stopped = 0;

		put(f, G_RING(DCI_IN), BUF, 64, T(NORMAL) | TRB_C | TRB_IOC);
		ring_db(f, 1, DCI_IN);
		cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(DCI_IN));
		run(f);
		fill(f, 0);
		wr64(f, REG_CRCR, ca ? CRCR_CA : CRCR_CS);
		run(f);
		assert_true(rd(f, REG_CRCR) & CRCR_CRR);
		if (!ca)
			dev_end(&f->dev[1], 0, USB_CANCELLED, 0);
		aborted = take_all(f, 0, TRB_EV_COMMAND, CC_COMMAND_ABORTED);
		assert_int_equal(aborted, ca);
		for (unsigned i = 0; i < f->nseen; i++)
			stopped +=
				EV_CC(&f->seen[i]) == CC_COMMAND_RING_STOPPED;
		assert_int_equal(stopped, 1);
		assert_int_equal(rd(f, REG_CRCR) & CRCR_CRR, 0);
		if (ca)
			dev_end(&f->dev[1], 0, USB_CANCELLED, 0);
		assert_int_equal(cmd(f, 0, 0, T(NOOP_CMD)), CC_SUCCESS);
		fake_free(f);
	}
}

/*
 * There was plenty of room, and then software says that it reads @at places from
 * the ring's begin: what fits is that much, but for one place, and the last of
 * these says that it is full.
 */
static void room_is_what_erdp_says_now(void **state)
{
	(void)state;
	for (unsigned at = 3; at < 16; at++) {
		struct fake *f = fake_new();

		f->ev_size = 16;
		start(f);
		cmd_post(f, 0, 0, T(NOOP_CMD));
		run(f);
		assert_int_equal(f->x->intr[0].idx, 1);
		wr64(f, REG_IR(0, IR_ERDP), (G_EV(0, 0) + at * 16) | ERDP_EHB);
		for (unsigned i = 0; i < 16; i++)
			cmd_post(f, 0, 0, T(NOOP_CMD));
		run(f);
		assert_int_equal(f->x->intr[0].idx, at - 1);
		assert_int_equal(xhci_stats(f->x)->ring_full, 1);
		assert_int_equal(
			TRB_TYPE(mem32(f, G_EV(0, 0) + (at - 2) * 16 + 12)),
			TRB_EV_HOST);
		fake_free(f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(room_is_what_erdp_says_now),
		cmocka_unit_test(a_wrap_of_mfindex),
		cmocka_unit_test(a_ring_that_ran_dry),
		cmocka_unit_test(a_ring_that_ran_dry_before_a_pause),
		cmocka_unit_test(a_ring_that_ran_dry_and_was_stopped),
		cmocka_unit_test(a_link_of_the_command_ring),
		cmocka_unit_test(an_abort_of_a_command),
	};

	return cmocka_run_group_tests_name("emu_room", tests, NULL, NULL);
}
