/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Save and Restore State, xHCI 1.2 §4.23.2, as a driver's suspend and resume
 * use it: with power kept, and lost in between (a reset from outside).
 */
#include "tests/unit/emu_drv.h"

/* What a driver keeps over sleep and writes back, in its order */
static void sleep_registers(struct fake *f)
{
	wr(f, REG_CMD, CMD_INTE);
	run(f);
	assert_true(rd(f, REG_STS) & STS_HCH);
	wr(f, REG_CMD, CMD_INTE | CMD_CSS);
}

static void wake_registers(struct fake *f)
{
	wr(f, REG_CMD, CMD_INTE);
	wr64(f, OFF_OP + OP_DCBAAP, G_DCBAA);
	wr(f, OFF_OP + OP_CONFIG, XHCI_MAX_SLOTS);
	wr(f, REG_IR(0, IR_IMAN), IMAN_IE);
	wr(f, REG_IR(0, IR_IMOD), 0);
	wr(f, REG_IR(0, IR_ERSTSZ), f->ev_nseg);
	wr64(f, REG_IR(0, IR_ERSTBA), G_ERST(0));
	wr64(f, REG_IR(0, IR_ERDP),
	     G_EV(0, f->ev[0].seg) + f->ev[0].idx * TRB_SIZE);
	/* the command ring begins anew: its address has 64-byte steps */
	memset(f->mem + G_CMD, 0, (CMD_TRBS - 1) * TRB_SIZE);
	f->cmd_at = G_CMD;
	f->cmd_cycle = true;
	wr64(f, REG_CRCR, G_CMD | CRCR_RCS);
	wr(f, REG_CMD, CMD_INTE | CMD_CRS);
}

static void power_lost(struct fake *f)
{
	xhci_reset(f->x);
	xhci_set_bus_master(f->x, false);
	assert_int_equal(rd(f, REG_STS) & (STS_CNR | STS_HCH), STS_HCH);
	assert_int_equal(rd(f, OFF_OP + OP_CONFIG), 0);
	xhci_set_bus_master(f->x, true);
}

static void transfer(struct fake *f, uint64_t at, unsigned port)
{
	f->nseen = 0;
	put(f, at, 0x400000, 100, T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_IN);
	assert_int_equal(f->dev[port].nheld, 1);
	dev_end(&f->dev[port], 0, USB_OK, 100);
	assert_event(xfer_event(f, 0), at, CC_SUCCESS, 0);
}

static void devices_outlive_a_sleep(void **state)
{
	(void)state;
	for (unsigned lost = 0; lost < 3; lost++)
		for (unsigned port = 1; port <= 5; port += 4) {
			struct fake *f = fake_ready(port);
			struct fake_dev *d = &f->dev[port];
			uint32_t sc, eps = d->eps;
			unsigned resets = d->resets;

			/* the event ring is somewhere in its middle */
			for (unsigned i = 0; i < 20; i++)
				transfer(f, G_RING(DCI_IN) + 16 * i, port);
			wr(f, REG_PORTSC(port),
			   PORTSC_PP | PORTSC_LWS | PLS_U3 << 5);
			sc = rd(f, REG_PORTSC(port));
			sleep_registers(f);
			assert_int_equal(rd(f, REG_STS) & (STS_SSS | STS_SRE),
					 0);
			for (unsigned i = 0; i < lost; i++)
				power_lost(f);
			/* ports are as they were, all the time */
			assert_int_equal(rd(f, REG_PORTSC(port)), sc);
			wake_registers(f);
			assert_int_equal(rd(f, REG_STS) & (STS_RSS | STS_SRE),
					 0);
			wr(f, REG_CMD, CMD_ON);
			wr(f, REG_PORTSC(port), PORTSC_PP | PORTSC_LWS);
			wr(f, REG_PORTSC(port), PORTSC_PP | PORTSC_PLC);
			run(f);
			ev_drain(f, 0);
			/* the device has not heard of it but as U3 and U0 */
			assert_int_equal(d->resets, resets);
			assert_int_equal(d->eps, eps);
			assert_int_equal(d->suspends, 1);
			assert_int_equal(d->resumes, 1);
			assert_int_equal(cmd(f, 0, 0, T(NOOP_CMD)), CC_SUCCESS);
			transfer(f, G_RING(DCI_IN) + 16 * 20, port);
			assert_int_equal(octx_slot_state(f, 1), 3);
			fake_free(f);
		}
}

/* What came or went while software slept is told of when it is back. */
static void changes_while_asleep(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	sleep_registers(f);
	power_lost(f);
	xhci_port_disconnect(f->x, 1);
	fake_plug(f, 1, USB_SPEED_HIGH);
	fake_plug(f, 6, USB_SPEED_SUPER);
	wake_registers(f);
	wr(f, REG_CMD, CMD_ON);
	run(f);
	ev_drain(f, 0);
	assert_int_equal(f->nseen, 2);
	/* the slot is not the new device's */
	put(f, G_RING(DCI_IN), 0x400000, 100, T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_IN);
	assert_int_equal(f->dev[1].nheld, 0);
	assert_event(xfer_event(f, 0), G_RING(DCI_IN), CC_TRANSACTION_ERROR,
		     100);
	fake_free(f);
}

/* Transfers that are still with the device: SSS until they are back */
static void saving_waits_for_transfers(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		put(f, G_RING(DCI_IN) + 16 * i, 0x400000 + 1024 * i, 1024,
		    T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_IN);
	sleep_registers(f);
	assert_true(rd(f, REG_STS) & STS_SSS);
	dev_end(&f->dev[1], 3, USB_CANCELLED, 0);
	dev_end(&f->dev[1], 2, USB_CANCELLED, 0);
	dev_end(&f->dev[1], 1, USB_CANCELLED, 0);
	assert_true(rd(f, REG_STS) & STS_SSS);
	dev_end(&f->dev[1], 0, USB_CANCELLED, 512);
	assert_int_equal(rd(f, REG_STS) & STS_SSS, 0);
	power_lost(f);
	wake_registers(f);
	assert_int_equal(rd(f, REG_STS) & STS_SRE, 0);
	wr(f, REG_CMD, CMD_ON);
	run(f);
	/* they go on, to the byte */
	assert_int_equal(f->dev[1].nheld, 4);
	assert_int_equal(f->dev[1].held[0]->length, 512);
	dev_end_all(&f->dev[1], USB_OK);
	assert_int_equal(xfer_events(f), 4);
	fake_free(f);
}

/* Nothing was saved, or it is out of date: Save/Restore Error */
static void what_was_not_saved_is_an_error(void **state)
{
	(void)state;
	for (unsigned how = 0; how < 5; how++) {
		struct fake *f = fake_ready(5);

		if (how == 0)
			wr(f, REG_CMD, CMD_ON | CMD_CSS); /* it runs */
		else
			sleep_registers(f);
		if (how == 1 || how == 3)
			power_lost(f);
		if (how == 1 || how == 2)
			wr(f, REG_CMD, CMD_HCRST);
		if (how == 3)
			wr(f, REG_CMD, CMD_LHCRST);
		if (how == 4) /* it was restored before */
			wr(f, REG_CMD, CMD_CRS);
		run(f);
		/* the device heard that its endpoints went */
		if (how >= 1 && how <= 3)
			assert_int_equal(f->dev[5].eps, 0);
		if (how == 0)
			wr(f, REG_CMD, 0);
		assert_int_equal(rd(f, REG_STS) & STS_SRE, 0);
		wr(f, REG_CMD, CMD_CRS);
		assert_int_equal(rd(f, REG_STS) & STS_SRE, STS_SRE);
		wr(f, REG_STS, STS_SRE);
		assert_int_equal(rd(f, REG_STS) & STS_SRE, 0);
		fake_free(f);
	}
}

/* Software that forgot: R/S=1 without a restore, or while it runs */
static void running_ends_it(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	sleep_registers(f);
	power_lost(f);
	start(f);
	assert_int_equal(f->dev[1].eps, 0);
	assert_int_equal(stop_ep(f, 1, 1), CC_SLOT_NOT_ENABLED);
	wr(f, REG_CMD, CMD_ON | CMD_CRS);
	assert_int_equal(rd(f, REG_STS) & STS_SRE, 0);
	fake_free(f);
}

/* A snapshot of a guest that sleeps */
static void asleep_in_a_snapshot(void **state)
{
	struct fake *f = fake_ready(1), *g;
	uint8_t *buf;
	size_t len;

	(void)state;
	sleep_registers(f);
	power_lost(f);
	xhci_pause(f->x, true);
	assert_int_equal(xhci_snapshot(f->x, &buf, &len), 0);
	g = fake_new();
	memcpy(g->mem, f->mem, MEM_SIZE);
	memcpy(g->ev, f->ev, sizeof(g->ev));
	g->cmd_at = f->cmd_at;
	g->cmd_cycle = f->cmd_cycle;
	fake_plug(g, 1, USB_SPEED_HIGH);
	assert_int_equal(xhci_restore(g->x, buf, len, 0), 0);
	free(buf);
	xhci_resume(g->x);
	wake_registers(g);
	assert_int_equal(rd(g, REG_STS) & STS_SRE, 0);
	wr(g, REG_CMD, CMD_ON);
	transfer(g, G_RING(DCI_IN), 1);
	fake_free(f);
	fake_free(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(devices_outlive_a_sleep),
		cmocka_unit_test(changes_while_asleep),
		cmocka_unit_test(saving_waits_for_transfers),
		cmocka_unit_test(what_was_not_saved_is_an_error),
		cmocka_unit_test(running_ends_it),
		cmocka_unit_test(asleep_in_a_snapshot),
	};

	return cmocka_run_group_tests_name("emu_save", tests, NULL, NULL);
}
