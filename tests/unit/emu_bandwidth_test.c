/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The account of periodic bandwidth, Max Exit Latency, and the events of a slot
 * that are no transfer's: xHCI 1.2 §4.6.13-15, §4.13, §4.16, §4.23.5.2.
 */
#include "tests/unit/emu_drv.h"

struct want {
	unsigned type, mps, burst, mult, interval;
};

/* Configure Endpoint: @n endpoints from DCI 2 on, each in its direction */
static unsigned configure_these(struct fake *f, const struct want *w,
				unsigned n)
{
	uint32_t add = 1;

	ictx_clear(f, 0, 0);
	for (unsigned i = 0; i < n; i++) {
		unsigned dci = 2 + 2 * i + (w[i].type > EPT_CONTROL);

		add |= 1u << dci;
		put32(f, ictx(f, dci + 1, 0),
		      w[i].interval << 16 | w[i].mult << 8);
		put32(f, ictx(f, dci + 1, 1),
		      3u << 1 | w[i].type << 3 | w[i].burst << 8 |
			      w[i].mps << 16);
		put64(f, ictx(f, dci + 1, 2), G_RING(dci) | EP_CTX_DCS);
		put32(f, ictx(f, dci + 1, 4),
		      (w[i].mps * (w[i].burst + 1) * (w[i].mult + 1) & 0xffff)
			      << 16);
	}
	put32(f, ictx(f, 0, 1), add);
	put32(f, ictx(f, 1, 0), 31u << 27);
	return cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1));
}

/* Running, slot 1 addressed, its device on @port at @speed */
static struct fake *addressed(unsigned port, enum usb_speed speed)
{
	struct fake *f = fake_new();

	start(f);
	fake_plug(f, port, speed);
	if (speed < USB_SPEED_SUPER) {
		wr(f, REG_PORTSC(port), PORTSC_PP | PORTSC_PR);
		xhci_port_reset_done(f->x, port, true);
	}
	wr(f, REG_PORTSC(port), PORTSC_PP | PORTSC_CHANGES);
	slot_new(f);
	ictx_address(f, port, speed >= USB_SPEED_SUPER ? 512 : 8);
	assert_int_equal(cmd(f, G_ICTX, 0, T(ADDRESS_DEVICE) | SLOT(1)),
			 CC_SUCCESS);
	return f;
}

#define ISO_IN EPT_ISOCH_IN
#define ISO_OUT EPT_ISOCH_OUT
#define INT_IN EPT_INTR_IN

/* What fits a bus, and what does not: USB 2.0 tables 5-3 to 5-8 and §5.6.4 */
static const struct {
	enum usb_speed speed;
	enum cc cc;
	unsigned n;
	struct want w[4];
} fits[] = {
	{USB_SPEED_HIGH, CC_SUCCESS, 1, {{ISO_IN, 1024, 2, 0, 0}}},
	{USB_SPEED_HIGH,
	 CC_BANDWIDTH_ERROR,
	 2,
	 {{ISO_IN, 1024, 2, 0, 0}, {ISO_IN, 1024, 2, 0, 0}}},
	/* every other microframe each: one finds its place beside the other */
	{USB_SPEED_HIGH,
	 CC_SUCCESS,
	 2,
	 {{ISO_IN, 1024, 2, 0, 1}, {ISO_OUT, 1024, 2, 0, 1}}},
	{USB_SPEED_HIGH,
	 CC_BANDWIDTH_ERROR,
	 3,
	 {{ISO_IN, 1024, 2, 0, 1},
	  {ISO_OUT, 1024, 2, 0, 1},
	  {INT_IN, 1024, 2, 0, 3}}},
	{USB_SPEED_HIGH, CC_SUCCESS, 1, {{INT_IN, 1024, 2, 0, 15}}},
	{USB_SPEED_FULL, CC_SUCCESS, 1, {{ISO_IN, 1023, 0, 0, 3}}},
	{USB_SPEED_FULL,
	 CC_BANDWIDTH_ERROR,
	 2,
	 {{ISO_IN, 1023, 0, 0, 3}, {ISO_OUT, 192, 0, 0, 3}}},
	{USB_SPEED_FULL,
	 CC_SUCCESS,
	 3,
	 {{ISO_IN, 192, 0, 0, 3},
	  {ISO_OUT, 192, 0, 0, 3},
	  {INT_IN, 64, 0, 0, 3}}},
	{USB_SPEED_LOW,
	 CC_SUCCESS,
	 2,
	 {{INT_IN, 8, 0, 0, 6}, {INT_IN, 8, 0, 0, 6}}},
	{USB_SPEED_LOW,
	 CC_BANDWIDTH_ERROR,
	 4,
	 {{INT_IN, 64, 0, 0, 3},
	  {INT_IN, 64, 0, 0, 3},
	  {EPT_INTR_OUT, 64, 0, 0, 3},
	  {INT_IN, 64, 0, 0, 3}}},
	{USB_SPEED_SUPER, CC_SUCCESS, 1, {{ISO_IN, 1024, 15, 2, 0}}},
	/* each direction has a bus of its own */
	{USB_SPEED_SUPER,
	 CC_SUCCESS,
	 2,
	 {{ISO_IN, 1024, 15, 2, 0}, {ISO_OUT, 1024, 15, 2, 0}}},
	{USB_SPEED_SUPER,
	 CC_BANDWIDTH_ERROR,
	 2,
	 {{ISO_IN, 1024, 15, 2, 0}, {ISO_IN, 1024, 15, 0, 0}}},
	{USB_SPEED_SUPER_PLUS,
	 CC_SUCCESS,
	 2,
	 {{ISO_IN, 1024, 15, 2, 0}, {ISO_IN, 1024, 15, 2, 0}}},
	{USB_SPEED_SUPER_BY2,
	 CC_BANDWIDTH_ERROR,
	 3,
	 {{ISO_IN, 1024, 15, 2, 0},
	  {ISO_IN, 1024, 15, 2, 0},
	  {ISO_IN, 1024, 15, 2, 0}}},
	{USB_SPEED_SUPER_PLUS_BY2,
	 CC_SUCCESS,
	 4,
	 {{ISO_IN, 1024, 15, 2, 0},
	  {ISO_IN, 1024, 15, 2, 0},
	  {ISO_IN, 1024, 15, 2, 0},
	  {ISO_IN, 1024, 15, 2, 0}}},
	/* bulk takes what is left */
	{USB_SPEED_HIGH,
	 CC_SUCCESS,
	 2,
	 {{EPT_BULK_IN, 512, 0, 0, 0}, {EPT_BULK_OUT, 512, 0, 0, 0}}},
};

static void what_fits_a_bus(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(fits) / sizeof(fits[0]); i++) {
		unsigned port = fits[i].speed >= USB_SPEED_SUPER ? 5 : 1, cc;
		struct fake *f = addressed(port, fits[i].speed);

		cc = configure_these(f, fits[i].w, fits[i].n);
		if (cc != fits[i].cc)
			fail_msg("row %u: %s", i, cc_name(cc));
		/* §4.6.6: what fails has changed nothing */
		assert_int_equal(octx_slot_state(f, 1),
				 cc == CC_SUCCESS ? 3 : 2);
		assert_int_equal(f->dev[port].ep_enables,
				 cc == CC_SUCCESS ? fits[i].n : 0);
		fake_free(f);
	}
}

/* An endpoint that is dropped, or replaced, makes room in the same command. */
static void dropped_endpoints_make_room(void **state)
{
	static const struct want big = {ISO_IN, 1024, 2, 0, 0};
	struct fake *f = addressed(1, USB_SPEED_HIGH);

	(void)state;
	assert_int_equal(configure_these(f, &big, 1), CC_SUCCESS);
	assert_int_equal(configure_these(f, &big, 1), CC_SUCCESS);
	ictx_clear(f, 1u << 3, 1u | 1u << 5);
	put32(f, ictx(f, 1, 0), 5u << 27);
	ictx_ep(f, 5, EPT_ISOCH_IN, 1024, G_RING(5));
	put32(f, ictx(f, 6, 1),
	      3u << 1 | EPT_ISOCH_IN << 3 | 2u << 8 | 1024u << 16);
	assert_int_equal(cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1)),
			 CC_SUCCESS);
	assert_int_equal(octx_ep_state(f, 1, 3), 0);
	assert_int_equal(octx_ep_state(f, 1, 5), 1);
	put32(f, ictx(f, 0, 0), 0);
	put32(f, ictx(f, 0, 1), 1u | 1u << 3);
	ictx_ep(f, 3, EPT_ISOCH_IN, 1024, G_RING(3));
	put32(f, ictx(f, 4, 1),
	      3u << 1 | EPT_ISOCH_IN << 3 | 2u << 8 | 1024u << 16);
	assert_int_equal(cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1)),
			 CC_BANDWIDTH_ERROR);
	assert_int_equal(cmd(f, 0, 0, T(CONFIGURE_EP) | SLOT(1) | TRB_DC),
			 CC_SUCCESS);
	assert_int_equal(cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1)),
			 CC_SUCCESS);
	fake_free(f);
}

/* §4.6.15: a byte a port, index 0 reserved */
static void port_bandwidth(void **state)
{
	struct fake *f = fake_ready(1);
	uint64_t ctx = galloc(f, 32);

	(void)state;
	memset(f->mem + ctx, 0xee, 32);
	assert_int_equal(cmd(f, ctx, 0, T(GET_PORT_BW) | EP(USB_SPEED_HIGH)),
			 CC_SUCCESS);
	assert_int_equal(f->mem[ctx], 0);
	for (unsigned p = 1; p <= 8; p++)
		assert_int_equal(f->mem[ctx + p],
				 p == 1   ? 78 /* its interrupt endpoint */
				 : p <= 4 ? 80
					  : 0);
	assert_int_equal(f->mem[ctx + 16], 0xee); /* nothing behind it */
	assert_int_equal(cmd(f, ctx, 0, T(GET_PORT_BW) | EP(USB_SPEED_SUPER)),
			 CC_SUCCESS);
	assert_int_equal(f->mem[ctx + 5], 90);
	assert_int_equal(f->mem[ctx + 1], 0);
	assert_int_equal(cmd(f, ctx, 0, T(GET_PORT_BW)), CC_TRB_ERROR);
	assert_int_equal(cmd(f, ctx, 0, T(GET_PORT_BW) | EP(8)), CC_TRB_ERROR);
	assert_int_equal(
		cmd(f, 1ull << 40, 0, T(GET_PORT_BW) | EP(USB_SPEED_HIGH)),
		CC_TRB_ERROR);
	fake_free(f);
}

/* What is taken is not free any more, of the port whose device has it. */
static void port_bandwidth_is_what_is_left(void **state)
{
	static const struct want w = {ISO_IN, 1024, 2, 0, 0};
	struct fake *f = addressed(2, USB_SPEED_HIGH);
	uint64_t ctx = galloc(f, 32);

	(void)state;
	assert_int_equal(configure_these(f, &w, 1), CC_SUCCESS);
	assert_int_equal(cmd(f, ctx, 0, T(GET_PORT_BW) | EP(USB_SPEED_HIGH)),
			 CC_SUCCESS);
	assert_int_equal(f->mem[ctx + 1], 80);
	assert_in_range(f->mem[ctx + 2], 15, 35);
	/* its full speed bus is another one */
	assert_int_equal(cmd(f, ctx, 0, T(GET_PORT_BW) | EP(USB_SPEED_FULL)),
			 CC_SUCCESS);
	assert_int_equal(f->mem[ctx + 2], 90);
	fake_free(f);
}

/* §4.6.13: those that have periodic endpoints on that bus, but the asker */
static void negotiating_asks_the_others(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	for (unsigned s = 2; s <= 5; s++) {
		unsigned port = s == 5 ? 5 : s;

		if (s == 4)
			continue;
		port_up(f, port);
		assert_int_equal(slot_new(f), s > 4 ? s - 1 : s);
		address(f, s > 4 ? 4 : s, port, false);
	}
	/* 1, 2: interrupt endpoints; 3: addressed only; 4: USB 3 */
	assert_int_equal(configure(f, 2), CC_SUCCESS);
	assert_int_equal(configure(f, 4), CC_SUCCESS);
	ev_forget(f);
	assert_int_equal(cmd(f, 0, 0, T(NEGOTIATE_BW) | SLOT(3)), CC_SUCCESS);
	assert_int_equal(f->nseen, 3);
	for (unsigned i = 0, n = 1; i < 3; i++) {
		if (EV_TYPE(&f->seen[i]) != TRB_EV_BANDWIDTH)
			continue;
		assert_int_equal(EV_CC(&f->seen[i]), CC_SUCCESS);
		assert_int_equal(TRB_SLOT(f->seen[i].control), n++);
	}
	assert_int_equal(cmd(f, 0, 0, T(NEGOTIATE_BW) | SLOT(9)),
			 CC_SLOT_NOT_ENABLED);
	assert_int_equal(slot_new(f), 5);
	assert_int_equal(cmd(f, 0, 0, T(NEGOTIATE_BW) | SLOT(5)),
			 CC_CONTEXT_STATE_ERROR);
	assert_int_equal(cmd(f, 0, 0, T(SET_LATENCY) | 0x123 << 16),
			 CC_SUCCESS);
	assert_int_equal(f->x->belt, 0x123);
	fake_free(f);
}

/* Not one is lost when the slot's ring is full, and others do not wait. */
static void slot_events_wait_for_room(void **state)
{
	struct fake *f = fake_ready(1);
	uint64_t at = G_RING(DCI_IN);
	unsigned notes = 0;

	(void)state;
	/* slot 1's events go to interrupter 2 */
	ictx_clear(f, 0, 1);
	put32(f, ictx(f, 1, 2), 2u << 22);
	assert_int_equal(cmd(f, G_ICTX, 0, T(EVALUATE_CTX) | SLOT(1)),
			 CC_SUCCESS);
	f->ev_size = 16;
	setup_events(f, 2);
	for (unsigned i = 0; i < 20; i++)
		at = put(f, at, 0x400000, 1 | 2u << 22,
			 T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_IN);
	dev_end_all(&f->dev[1], USB_OK);
	run(f);
	wr(f, OFF_OP + OP_DNCTRL, 0xffff);
	for (unsigned t = 0; t < 18; t++)
		xhci_port_notify(f->x, 1, t, 0x11223344556600 + t);
	xhci_port_notify(f->x, 1, 3, 3); /* the newer one */
	xhci_port_notify(f->x, 2, 3, 3); /* nobody is there */
	xhci_port_notify(f->x, 99, 3, 3);
	f->ev_size = 256;
	assert_int_equal(cmd(f, 0, 0, T(NOOP_CMD)), CC_SUCCESS);
	f->ev_size = 16;
	f->nseen = 0;
	for (unsigned i = 0; i < 20; i++) {
		ev_drain(f, 2);
		run(f);
	}
	for (unsigned i = 0; i < f->nseen; i++) {
		const struct xhci_trb *e = &f->seen[i];

		if (EV_TYPE(e) != TRB_EV_NOTIFY)
			continue;
		assert_int_equal(e->param >> 4 & 15, notes);
		assert_true(e->param >> 8 ==
			    (notes == 3 ? 3u : 0x11223344556600u + notes));
		notes++;
	}
	assert_int_equal(notes, 16);
	fake_free(f);
}

/* A latency longer than a service interval, §4.23.5.2.2 */
static void max_exit_latency(void **state)
{
	static const struct want w = {ISO_IN, 1024, 0, 0, 1}; /* 250 us */
	struct fake *f = addressed(5, USB_SPEED_SUPER);

	(void)state;
	assert_int_equal(configure_these(f, &w, 1), CC_SUCCESS);
	ictx_clear(f, 0, 1);
	put32(f, ictx(f, 1, 1), 251);
	assert_int_equal(cmd(f, G_ICTX, 0, T(EVALUATE_CTX) | SLOT(1)),
			 CC_MAX_EXIT_LATENCY);
	assert_int_equal(octx(f, 1, 0, 1) & 0xffff, 0);
	put32(f, ictx(f, 1, 1), 250);
	assert_int_equal(cmd(f, G_ICTX, 0, T(EVALUATE_CTX) | SLOT(1)),
			 CC_SUCCESS);
	assert_int_equal(octx(f, 1, 0, 1) & 0xffff, 250);
	/* and the other way round */
	assert_int_equal(
		configure_these(f, &(struct want){ISO_IN, 1024, 0, 0, 0}, 1),
		CC_MAX_EXIT_LATENCY);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_fits_a_bus),
		cmocka_unit_test(dropped_endpoints_make_room),
		cmocka_unit_test(port_bandwidth),
		cmocka_unit_test(port_bandwidth_is_what_is_left),
		cmocka_unit_test(negotiating_asks_the_others),
		cmocka_unit_test(slot_events_wait_for_room),
		cmocka_unit_test(max_exit_latency),
	};

	return cmocka_run_group_tests_name("emu_bandwidth", tests, NULL, NULL);
}
