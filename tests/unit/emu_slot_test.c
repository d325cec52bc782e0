/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Device slots: each command in each slot state, its completion code and the
 * state that follows, xHCI 1.2 §4.5.3, §4.6; and what the input of Address
 * Device, Configure Endpoint and Evaluate Context may be.
 */
#include "tests/unit/emu_drv.h"

enum cm {
	DISABLE,
	ADDRESS,
	ADDRESS_BSR,
	CONFIGURE,
	DECONFIGURE,
	EVALUATE,
	RESET_DEV,
	STOP,
	RESET_EP0,
	SET_DEQ,
	NCM
};

struct cell {
	uint8_t cc;
	uint8_t next; /* slot state */
};

#define DIS SLOT_DISABLED
#define ENA SLOT_ENABLED
#define DEF SLOT_DEFAULT
#define ADR SLOT_ADDRESSED
#define CFG SLOT_CONFIGURED
#define OK CC_SUCCESS
#define NOSLOT CC_SLOT_NOT_ENABLED
#define CTX CC_CONTEXT_STATE_ERROR
#define NOEP CC_EP_NOT_ENABLED

/* clang-format off */
static const struct cell cells[SLOT_NSTATES][NCM] = {
	[DIS] = {
		{NOSLOT, DIS}, {NOSLOT, DIS}, {NOSLOT, DIS}, {NOSLOT, DIS},
		{NOSLOT, DIS}, {NOSLOT, DIS}, {NOSLOT, DIS}, {NOSLOT, DIS},
		{NOSLOT, DIS}, {NOSLOT, DIS} },
	/*      DISABLE    ADDRESS    BSR        CONFIGURE  DECONFIGURE
	 *      EVALUATE   RESET_DEV  STOP       RESET_EP0  SET_DEQ */
	[ENA] = {
		{OK, DIS}, {OK, ADR}, {OK, DEF}, {CTX, ENA}, {CTX, ENA},
		{CTX, ENA}, {CTX, ENA}, {NOEP, ENA}, {NOEP, ENA},
		{NOEP, ENA} },
	[DEF] = {
		{OK, DIS}, {OK, ADR}, {CTX, DEF}, {CTX, DEF}, {CTX, DEF},
		{OK, DEF}, {CTX, DEF}, {OK, DEF}, {CTX, DEF}, {CTX, DEF} },
	[ADR] = {
		{OK, DIS}, {CTX, ADR}, {CTX, ADR}, {OK, CFG}, {OK, ADR},
		{OK, ADR}, {OK, DEF}, {OK, ADR}, {CTX, ADR}, {CTX, ADR} },
	[CFG] = {
		{OK, DIS}, {CTX, CFG}, {CTX, CFG}, {OK, CFG}, {OK, ADR},
		{OK, CFG}, {OK, DEF}, {OK, CFG}, {CTX, CFG}, {CTX, CFG} },
};
/* clang-format on */

static void go_to(struct fake *f, enum slot_state st)
{
	start(f);
	port_up(f, 1);
	if (st >= SLOT_ENABLED)
		assert_int_equal(slot_new(f), 1);
	if (st == SLOT_DEFAULT)
		assert_int_equal(address(f, 1, 1, true), CC_SUCCESS);
	if (st >= SLOT_ADDRESSED)
		assert_int_equal(address(f, 1, 1, false), CC_SUCCESS);
	if (st >= SLOT_CONFIGURED)
		assert_int_equal(configure(f, 1), CC_SUCCESS);
	ev_forget(f);
}

static unsigned evaluate(struct fake *f, uint32_t drop, uint32_t add,
			 uint32_t intr, uint32_t mps)
{
	ictx_clear(f, drop, add);
	put32(f, ictx(f, 1, 1), 0x1234); /* Max Exit Latency */
	put32(f, ictx(f, 1, 2), intr << 22);
	put32(f, ictx(f, 2, 1), mps << 16);
	return cmd(f, G_ICTX, 0, T(EVALUATE_CTX) | SLOT(1));
}

static unsigned do_cmd(struct fake *f, enum cm c)
{
	switch (c) {
	case DISABLE:
		return cmd(f, 0, 0, T(DISABLE_SLOT) | SLOT(1));
	case ADDRESS:
		return address(f, 1, 1, false);
	case ADDRESS_BSR:
		return address(f, 1, 1, true);
	case CONFIGURE:
		return configure(f, 1);
	case DECONFIGURE:
		return cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1) | TRB_DC);
	case EVALUATE:
		return evaluate(f, 0, 2, 0, 64);
	case RESET_DEV:
		return cmd(f, 0, 0, T(RESET_DEVICE) | SLOT(1));
	case STOP:
		return stop_ep(f, 1, 1);
	case RESET_EP0:
		return cmd(f, 0, 0, T(RESET_EP) | SLOT(1) | EP(1));
	default:
		return cmd(f, G_RING(1) | 1, 0,
			   T(SET_TR_DEQ) | SLOT(1) | EP(1));
	}
}

/* A slot context shows 0, 1, 2, 3; the first is for Disabled and Enabled. */
static unsigned shown(enum slot_state st)
{
	return st < SLOT_DEFAULT ? 0 : (unsigned)st - SLOT_ENABLED;
}

/* Is the slot still there? Evaluate Context of nothing tells. */
static bool is_enabled(struct fake *f)
{
	ictx_clear(f, 0, 0);
	return cmd(f, G_ICTX, 0, T(EVALUATE_CTX) | SLOT(1)) !=
	       CC_SLOT_NOT_ENABLED;
}

static void every_command_in_every_slot_state(void **state)
{
	(void)state;
	for (unsigned st = 0; st < SLOT_NSTATES; st++)
		for (unsigned c = 0; c < NCM; c++) {
			struct fake *f = fake_new();
			const struct cell *e = &cells[st][c];
			unsigned cc;

			go_to(f, st);
			assert_int_equal(octx_slot_state(f, 1), shown(st));
			cc = do_cmd(f, c);
			if (cc != e->cc)
				fail_msg("command %u in state %u: %s, not %s",
					 c, st, cc_name(cc), cc_name(e->cc));
			assert_int_equal(f->cmd_event.control >> 24, 1);
			assert_int_equal(octx_slot_state(f, 1), shown(e->next));
			assert_int_equal(is_enabled(f),
					 e->next != SLOT_DISABLED);
			fake_free(f);
		}
}

/* Slot 0 and those above MaxSlots are never enabled. */
static void slot_ids_out_of_range(void **state)
{
	static const uint8_t ids[] = {0, 2, 64, 65, 128, 255};
	struct fake *f = fake_new();

	(void)state;
	go_to(f, SLOT_ENABLED);
	for (unsigned i = 0; i < sizeof(ids); i++)
		for (unsigned t = TRB_DISABLE_SLOT; t <= TRB_RESET_DEVICE; t++)
			assert_int_equal(
				cmd(f, G_ICTX, 0,
				    TRB_TYPE_BITS(t) | SLOT(ids[i]) | EP(1)),
				CC_SLOT_NOT_ENABLED);
	fake_free(f);
}

/* Whatever lies behind the slots is none: all of it says that it is one. */
static void nothing_lies_behind_the_last_slot(void **state)
{
	const size_t len = sizeof(struct xhci) + 256 * sizeof(struct xhci_slot);
	struct xhci *x = malloc(len);

	(void)state;
	assert_non_null(x);
	memset(x, SLOT_ENABLED, len);
	for (unsigned id = 0; id < 256; id++) {
		bool is_one = id >= 1 && id <= XHCI_MAX_SLOTS;

		assert_ptr_equal(slot_get(x, id),
				 is_one ? &x->slot[id - 1] : NULL);
	}
	free(x);
}

/* Enable Slot gives each id once, up to MaxSlotsEn, then No Slots. */
static void enable_slot_up_to_max_slots_en(void **state)
{
	static const unsigned max[] = {0, 1, 5, 64, 255};

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct fake *f = fake_new();
		unsigned n = max[i] < 64 ? max[i] : 64;

		start(f);
		wr(f, REG_CMD, 0);
		wr(f, OFF_OP + OP_CONFIG, max[i]);
		wr64(f, REG_CRCR, G_CMD | 1);
		wr(f, REG_CMD, CMD_ON);
		for (unsigned s = 1; s <= n; s++)
			assert_int_equal(slot_new(f), s);
		assert_int_equal(cmd(f, 0, 0, T(ENABLE_SLOT)), CC_NO_SLOTS);
		if (n) {
			cmd(f, 0, 0, T(DISABLE_SLOT) | SLOT(n));
			assert_int_equal(slot_new(f), n);
		}
		fake_free(f);
	}
}

/* Input of Address Device: what to change in a good one, and the result. */
struct input {
	unsigned ctx, dw;
	uint32_t mask, value;
	uint8_t cc;
};

static void address_device_input(void **state)
{
	static const struct input rows[] = {
		{0, 1, 3, 3, CC_SUCCESS},
		{0, 1, 3, 1, CC_PARAMETER_ERROR},       /* A1 */
		{0, 1, 3, 2, CC_PARAMETER_ERROR},       /* A0 */
		{1, 0, 0xfffff, 1, CC_PARAMETER_ERROR}, /* a hub's port */
		{1, 1, 0xff0000, 0, CC_PARAMETER_ERROR},
		{1, 1, 0xff0000, 9 << 16, CC_PARAMETER_ERROR},
		{1, 1, 0xff0000, 255 << 16, CC_PARAMETER_ERROR},
		{1, 1, 0xff0000, 2 << 16, CC_TRANSACTION_ERROR}, /* empty */
		{1, 2, 0xffc00000, 8u << 22, CC_PARAMETER_ERROR},
		{1, 2, 0xffc00000, 7u << 22, CC_SUCCESS},
		{2, 1, 7 << 3, EPT_BULK_OUT << 3, CC_PARAMETER_ERROR},
		{2, 1, 7 << 3, 0, CC_PARAMETER_ERROR},
		{2, 1, 0xffff0000, 0, CC_PARAMETER_ERROR}, /* Max Packet */
		{2, 1, 0xffff0000, 65 << 16, CC_PARAMETER_ERROR},
		{2, 1, 0xffff0000, 8 << 16, CC_SUCCESS},
		{2, 0, 0x1f << 10, 1 << 10, CC_PARAMETER_ERROR}, /* streams */
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct input *r = &rows[i];
		struct fake *f = fake_new();
		uint64_t at;
		unsigned cc;

		go_to(f, SLOT_ENABLED);
		ictx_address(f, 1, 64);
		at = ictx(f, r->ctx, r->dw);
		put32(f, at, (mem32(f, at) & ~r->mask) | r->value);
		cc = cmd(f, G_ICTX, 0, T(ADDRESS_DEVICE) | SLOT(1));
		if (cc != r->cc)
			fail_msg("row %u: %s", i, cc_name(cc));
		assert_int_equal(octx_slot_state(f, 1),
				 cc == CC_SUCCESS ? 2 : 0);
		fake_free(f);
	}
}

/* §4.6.5: a port belongs to one slot; the address is the controller's */
static void address_device_output(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	go_to(f, SLOT_ADDRESSED);
	assert_int_equal(octx(f, 1, 0, 0) >> 20 & 15, USB_SPEED_HIGH);
	assert_int_equal(octx(f, 1, 0, 1) >> 16 & 255, 1);
	assert_int_not_equal(octx(f, 1, 0, 3) & 255, 0);
	assert_int_equal(octx_ep_state(f, 1, 1), EP_RUNNING);
	assert_int_equal(octx_deq(f, 1, 1), G_RING(1) | 1);
	assert_int_equal(slot_new(f), 2);
	assert_int_equal(address(f, 2, 1, false), CC_PARAMETER_ERROR);
	port_up(f, 6);
	assert_int_equal(address(f, 2, 6, false), CC_SUCCESS);
	assert_int_equal(octx(f, 2, 0, 0) >> 20 & 15, USB_SPEED_SUPER);
	assert_int_not_equal(octx(f, 2, 0, 3) & 255, octx(f, 1, 0, 3) & 255);
	/* once its slot is gone the port is free again */
	assert_int_equal(cmd(f, 0, 0, T(DISABLE_SLOT) | SLOT(1)), CC_SUCCESS);
	assert_int_equal(slot_new(f), 1);
	assert_int_equal(address(f, 1, 1, true), CC_SUCCESS);
	assert_int_equal(octx(f, 1, 0, 3) & 255, 0);
	fake_free(f);
}

static void configure_endpoint_input(void **state)
{
	static const struct {
		uint32_t drop, add;
		unsigned dci, type;
		uint8_t cc;
	} rows[] = {
		{0, 1, 0, 0, CC_SUCCESS},
		{1, 1, 0, 0, CC_PARAMETER_ERROR},           /* D0 */
		{2, 1, 0, 0, CC_PARAMETER_ERROR},           /* D1 */
		{0, 2, 1, EPT_CONTROL, CC_PARAMETER_ERROR}, /* A1 */
		{0, 1 | 1 << 4, 4, EPT_BULK_OUT, CC_SUCCESS},
		{0, 1 | 1 << 4, 4, EPT_BULK_IN, CC_PARAMETER_ERROR},
		{0, 1 | 1 << 5, 5, EPT_INTR_OUT, CC_PARAMETER_ERROR},
		{0, 1 | 1 << 5, 5, EPT_ISOCH_IN, CC_SUCCESS},
		{0, 1 | 1 << 5, 5, EPT_INVALID, CC_PARAMETER_ERROR},
		{0, 1 | 1 << 5, 5, EPT_CONTROL, CC_SUCCESS},
		{0, 1 | 1 << 4, 4, EPT_CONTROL, CC_PARAMETER_ERROR},
		{0, 1 | 1u << 31, 31, EPT_INTR_IN, CC_SUCCESS},
		{1u << 31, 1, 0, 0, CC_SUCCESS}, /* drop of what is not there */
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake *f = fake_new();
		unsigned cc;

		go_to(f, SLOT_ADDRESSED);
		ictx_clear(f, rows[i].drop, rows[i].add);
		put32(f, ictx(f, 1, 0), 31u << 27);
		if (rows[i].dci)
			ictx_ep(f, rows[i].dci, rows[i].type, 64,
				G_RING(rows[i].dci % 16));
		cc = cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1));
		if (cc != rows[i].cc)
			fail_msg("row %u: %s", i, cc_name(cc));
		if (cc == CC_SUCCESS && rows[i].dci)
			assert_int_equal(octx_ep_state(f, 1, rows[i].dci),
					 EP_RUNNING);
		else
			assert_int_equal(octx_slot_state(f, 1), 2);
		fake_free(f);
	}
}

/* §4.6.6: dropped, replaced, and the device hears of each */
static void configure_endpoint_add_and_drop(void **state)
{
	struct fake *f = fake_new();
	struct fake_dev *d = &f->dev[1];

	(void)state;
	go_to(f, SLOT_CONFIGURED);
	assert_int_equal(d->ep_enables, 3);
	assert_int_equal(d->eps, 1u << 2 | 1u << 3 | 1u << 5);
	ictx_clear(f, 1u << DCI_OUT, 1);
	put32(f, ictx(f, 1, 0), DCI_INTR << 27);
	assert_int_equal(cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1)),
			 CC_SUCCESS);
	assert_int_equal(d->eps, 1u << 3 | 1u << 5);
	assert_int_equal(octx_ep_state(f, 1, DCI_OUT), EP_DISABLED);
	assert_int_equal(octx_ep_state(f, 1, DCI_IN), EP_RUNNING);
	assert_int_equal(octx_slot_state(f, 1), 3);
	/* drop and add of one endpoint: it begins anew */
	ictx_clear(f, 1u << DCI_IN, 1u | 1u << DCI_IN);
	put32(f, ictx(f, 1, 0), DCI_INTR << 27);
	ictx_ep(f, DCI_IN, EPT_BULK_IN, BULK_MPS, G_RING(8));
	assert_int_equal(cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1)),
			 CC_SUCCESS);
	assert_int_equal(octx_deq(f, 1, DCI_IN), G_RING(8) | 1);
	assert_int_equal(d->ep_enables, 4);
	assert_int_equal(d->ep_disables, 2);
	/* deconfigured: all but EP0 */
	assert_int_equal(do_cmd(f, DECONFIGURE), CC_SUCCESS);
	assert_int_equal(d->eps, 0);
	assert_int_equal(octx(f, 1, 0, 0) >> 27, 1);
	for (unsigned dci = 2; dci < 32; dci++)
		assert_int_equal(octx_ep_state(f, 1, dci), EP_DISABLED);
	assert_int_equal(octx_ep_state(f, 1, 1), EP_RUNNING);
	fake_free(f);
}

static void evaluate_context_input(void **state)
{
	static const struct {
		uint32_t drop, add, intr, mps;
		uint8_t cc;
	} rows[] = {
		{0, 0, 99, 99, CC_SUCCESS}, /* nothing is asked for */
		{0, 1, 7, 0, CC_SUCCESS},
		{0, 1, 8, 0, CC_PARAMETER_ERROR},
		{0, 2, 0, 8, CC_SUCCESS},
		{0, 2, 0, 9, CC_PARAMETER_ERROR},
		{0, 2, 0, 0, CC_PARAMETER_ERROR},
		{1, 1, 0, 0, CC_PARAMETER_ERROR},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fake *f = fake_new();

		go_to(f, SLOT_ADDRESSED);
		assert_int_equal(evaluate(f, rows[i].drop, rows[i].add,
					  rows[i].intr, rows[i].mps),
				 rows[i].cc);
		if (rows[i].cc == CC_SUCCESS && rows[i].add & 1) {
			assert_int_equal(octx(f, 1, 0, 1) & 0xffff, 0x1234);
			assert_int_equal(octx(f, 1, 0, 2) >> 22, rows[i].intr);
		}
		if (rows[i].cc == CC_SUCCESS && rows[i].add & 2)
			assert_int_equal(octx(f, 1, 1, 1) >> 16, rows[i].mps);
		else
			assert_int_equal(octx(f, 1, 1, 1) >> 16, 64);
		fake_free(f);
	}
}

/* §4.6.11: the endpoints go, EP0 and the port stay */
static void reset_device(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	go_to(f, SLOT_CONFIGURED);
	assert_int_equal(do_cmd(f, RESET_DEV), CC_SUCCESS);
	assert_int_equal(octx(f, 1, 0, 3) & 255, 0); /* address */
	assert_int_equal(octx(f, 1, 0, 0) >> 27, 1);
	for (unsigned dci = 2; dci < 32; dci++)
		assert_int_equal(octx_ep_state(f, 1, dci), EP_DISABLED);
	assert_int_equal(f->dev[1].eps, 0);
	assert_int_equal(address(f, 1, 1, false), CC_SUCCESS);
	assert_int_equal(configure(f, 1), CC_SUCCESS);
	fake_free(f);
}

/* The same with 64-byte contexts */
static void contexts_of_64_bytes(void **state)
{
	static const struct xhci_config cfg = {
		.usb2_ports = 4, .usb3_ports = 4, .ctx64 = true};
	struct fake *f = fake_new_cfg(&cfg);

	(void)state;
	assert_int_equal(ctx_bytes(f), 64);
	go_to(f, SLOT_CONFIGURED);
	assert_int_equal(octx_slot_state(f, 1), 3);
	assert_int_equal(octx_deq(f, 1, DCI_INTR), G_RING(DCI_INTR) | 1);
	assert_int_equal(f->dev[1].eps, 1u << 2 | 1u << 3 | 1u << 5);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_in_every_slot_state),
		cmocka_unit_test(slot_ids_out_of_range),
		cmocka_unit_test(nothing_lies_behind_the_last_slot),
		cmocka_unit_test(enable_slot_up_to_max_slots_en),
		cmocka_unit_test(address_device_input),
		cmocka_unit_test(address_device_output),
		cmocka_unit_test(configure_endpoint_input),
		cmocka_unit_test(configure_endpoint_add_and_drop),
		cmocka_unit_test(evaluate_context_input),
		cmocka_unit_test(reset_device),
		cmocka_unit_test(contexts_of_64_bytes),
	};

	return cmocka_run_group_tests_name("emu_slot", tests, NULL, NULL);
}
