/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every command with good and bad parameters: the completion codes of
 * xHCI 1.2 §4.6. Where the specification leaves the choice open a row allows
 * two codes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/lib/gdrv_rig.h"

enum prep {
	CONFIGURED, /* rig_up(): endpoints run */
	STOPPED,    /* RIG_IN stopped */
	HALTED,     /* RIG_IN halted by a STALL */
	ADDRESSED,  /* Address Device, no more */
	DEFAULT,    /* Address Device with BSR */
	ENABLED,    /* Enable Slot only */
	NPREPS
};

static void prepare(struct rig *g, enum prep p)
{
	unsigned slot = g->v ? g->v->slot : 0;

	switch (p) {
	case STOPPED:
		assert_int_equal(gdrv_stop_ep(g->v, RIG_IN), CC_SUCCESS);
		break;
	case HALTED:
		stub_ep(&g->s, 0x81)->rule.status = USB_STALL;
		rig_normal(g, RIG_IN, RIG_LOW, 64, TRB_IOC);
		rig_ring(g, RIG_IN);
		assert_int_equal(gdrv_ep_state(g->v, RIG_IN), EP_HALTED);
		break;
	case ADDRESSED:
	case DEFAULT:
	case ENABLED:
		assert_int_equal(gdrv_disable_slot(&g->d, slot), CC_SUCCESS);
		assert_int_equal(gdrv_port_reset(&g->d, 1, false), 3);
		assert_int_equal(gdrv_enable_slot(&g->d, 0, &slot), CC_SUCCESS);
		g->v = gdrv_dev_new(&g->d, slot, 1, 3);
		if (p != ENABLED)
			assert_int_equal(gdrv_address(g->v, p == DEFAULT),
					 CC_SUCCESS);
		break;
	default:
		break;
	}
}

/* What a row's slot number means. */
enum { SLOT_OURS = 1000, SLOT_FREE = 1001 };

struct row {
	const char *what;
	enum prep prep;
	uint32_t type;
	unsigned slot, dci;
	uint64_t param;
	uint32_t flags;
	int cc, or_cc;
};

#define DEQ 0xfffffffffffffff0ull /* stands for the ring's dequeue pointer */

static const struct row rows[] = {
	{"no-op", CONFIGURED, TRB_NOOP_CMD, 0, 0, 0, 0, CC_SUCCESS, 0},
	{"enable", CONFIGURED, TRB_ENABLE_SLOT, 0, 0, 0, 0, CC_SUCCESS, 0},
	{"disable 0", CONFIGURED, TRB_DISABLE_SLOT, 0, 0, 0, 0,
	 CC_SLOT_NOT_ENABLED, CC_TRB},
	{"disable free", CONFIGURED, TRB_DISABLE_SLOT, SLOT_FREE, 0, 0, 0,
	 CC_SLOT_NOT_ENABLED, 0},
	{"disable 65", CONFIGURED, TRB_DISABLE_SLOT, 65, 0, 0, 0,
	 CC_SLOT_NOT_ENABLED, CC_TRB},
	{"disable 255", CONFIGURED, TRB_DISABLE_SLOT, 255, 0, 0, 0,
	 CC_SLOT_NOT_ENABLED, CC_TRB},
	{"address free", CONFIGURED, TRB_ADDRESS_DEVICE, SLOT_FREE, 0, 0, 0,
	 CC_SLOT_NOT_ENABLED, 0},
	{"configure free", CONFIGURED, TRB_CONFIGURE_EP, SLOT_FREE, 0, 0, 0,
	 CC_SLOT_NOT_ENABLED, 0},
	{"evaluate free", CONFIGURED, TRB_EVALUATE_CTX, SLOT_FREE, 0, 0, 0,
	 CC_SLOT_NOT_ENABLED, 0},
	{"deconfigure", CONFIGURED, TRB_CONFIGURE_EP, SLOT_OURS, 0, 0, TRB_DC,
	 CC_SUCCESS, 0},
	{"deconfigure default", DEFAULT, TRB_CONFIGURE_EP, SLOT_OURS, 0, 0,
	 TRB_DC, CC_CONTEXT_STATE, 0},
	{"reset ep free", CONFIGURED, TRB_RESET_EP, SLOT_FREE, RIG_IN, 0, 0,
	 CC_SLOT_NOT_ENABLED, 0},
	{"reset ep running", CONFIGURED, TRB_RESET_EP, SLOT_OURS, RIG_IN, 0, 0,
	 CC_CONTEXT_STATE, 0},
	{"reset ep stopped", STOPPED, TRB_RESET_EP, SLOT_OURS, RIG_IN, 0, 0,
	 CC_CONTEXT_STATE, 0},
	{"reset ep halted", HALTED, TRB_RESET_EP, SLOT_OURS, RIG_IN, 0, 0,
	 CC_SUCCESS, 0},
	{"reset ep halted, TSP", HALTED, TRB_RESET_EP, SLOT_OURS, RIG_IN, 0,
	 TRB_TSP, CC_SUCCESS, 0},
	{"reset ep 0", CONFIGURED, TRB_RESET_EP, SLOT_OURS, 0, 0, 0, CC_TRB,
	 CC_PARAMETER},
	{"reset ep disabled", CONFIGURED, TRB_RESET_EP, SLOT_OURS, 20, 0, 0,
	 CC_CONTEXT_STATE, CC_EP_NOT_ENABLED},
	{"stop free", CONFIGURED, TRB_STOP_EP, SLOT_FREE, RIG_IN, 0, 0,
	 CC_SLOT_NOT_ENABLED, 0},
	{"stop halted", HALTED, TRB_STOP_EP, SLOT_OURS, RIG_IN, 0, 0,
	 CC_CONTEXT_STATE, 0},
	{"stop stopped", STOPPED, TRB_STOP_EP, SLOT_OURS, RIG_IN, 0, 0,
	 CC_CONTEXT_STATE, 0},
	{"stop 0", CONFIGURED, TRB_STOP_EP, SLOT_OURS, 0, 0, 0, CC_TRB,
	 CC_PARAMETER},
	{"stop disabled", CONFIGURED, TRB_STOP_EP, SLOT_OURS, 20, 0, 0,
	 CC_CONTEXT_STATE, CC_EP_NOT_ENABLED},
	{"dequeue free", CONFIGURED, TRB_SET_DEQUEUE, SLOT_FREE, RIG_IN, DEQ, 0,
	 CC_SLOT_NOT_ENABLED, 0},
	{"dequeue running", CONFIGURED, TRB_SET_DEQUEUE, SLOT_OURS, RIG_IN, DEQ,
	 0, CC_CONTEXT_STATE, 0},
	{"dequeue halted", HALTED, TRB_SET_DEQUEUE, SLOT_OURS, RIG_IN, DEQ, 0,
	 CC_CONTEXT_STATE, 0},
	{"dequeue stopped", STOPPED, TRB_SET_DEQUEUE, SLOT_OURS, RIG_IN, DEQ, 0,
	 CC_SUCCESS, 0},
	{"dequeue disabled", CONFIGURED, TRB_SET_DEQUEUE, SLOT_OURS, 20, DEQ, 0,
	 CC_CONTEXT_STATE, CC_EP_NOT_ENABLED},
	{"reset device free", CONFIGURED, TRB_RESET_DEVICE, SLOT_FREE, 0, 0, 0,
	 CC_SLOT_NOT_ENABLED, 0},
	{"reset device", CONFIGURED, TRB_RESET_DEVICE, SLOT_OURS, 0, 0, 0,
	 CC_SUCCESS, 0},
	{"reset device addressed", ADDRESSED, TRB_RESET_DEVICE, SLOT_OURS, 0, 0,
	 0, CC_SUCCESS, 0},
	{"reset device default", DEFAULT, TRB_RESET_DEVICE, SLOT_OURS, 0, 0, 0,
	 CC_CONTEXT_STATE, 0},
	{"reset device enabled", ENABLED, TRB_RESET_DEVICE, SLOT_OURS, 0, 0, 0,
	 CC_CONTEXT_STATE, 0},
	/* optional ones that the capabilities do not offer */
	{"force event", CONFIGURED, TRB_FORCE_EVENT, 0, 0, 0, 0, CC_TRB, 0},
	{"negotiate bandwidth", CONFIGURED, TRB_NEGOTIATE_BW, SLOT_OURS, 0, 0,
	 0, CC_SUCCESS, 0},
	{"latency tolerance", CONFIGURED, TRB_SET_LTV, 0, 0, 0, 0, CC_SUCCESS,
	 0},
};

static uint64_t row_param(struct rig *g, const struct row *r)
{
	uint64_t gpa;

	if (r->param == DEQ) {
		struct gdrv_ring *ring = g->v->ring[RIG_IN];

		return gdrv_ring_enqueue(ring) | ring->cycle;
	}
	if (r->type == TRB_ADDRESS_DEVICE || r->type == TRB_CONFIGURE_EP ||
	    r->type == TRB_EVALUATE_CTX) {
		gpa = guestmem_alloc(&g->gm, GM_PAGE);
		guestmem_w32(&g->gm, gpa + 4, 3);
		return gpa;
	}
	return r->param;
}

static void completion_codes(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *r = &rows[i];
		struct rig *g = rig_up(NULL);
		unsigned slot = r->slot;
		int cc;

		prepare(g, r->prep);
		if (slot == SLOT_OURS)
			slot = g->v->slot;
		if (slot == SLOT_FREE)
			slot = g->v->slot + 1u;
		if (g->v->ring[RIG_IN] && r->type == TRB_STOP_EP)
			g->v->ring[RIG_IN]->stopping = true;
		cc = gdrv_cmd_raw(&g->d, row_param(g, r), 0,
				  TRB_TYPE(r->type) | TRB_EP(r->dci) |
					  TRB_SLOT(slot) | r->flags);
		if (cc != r->cc && (!r->or_cc || cc != r->or_cc)) {
			fprintf(stderr, "%s: code %d, not %d\n", r->what, cc,
				r->cc);
			wrong++;
		}
		assert_int_equal(rig_down(g), 0);
	}
	assert_int_equal(wrong, 0);
}

/* Types that are no command: TRB Error, and the ring goes on, §4.6. */
static void types_that_are_no_command(void **state)
{
	struct rig *g = rig_up(NULL);

	(void)state;
	for (unsigned type = 0; type < 64; type++) {
		int cc;

		if (type == TRB_LINK || (type >= 9 && type <= 23))
			continue;
		cc = gdrv_cmd_raw(&g->d, 0, 0, TRB_TYPE(type));
		if (cc != CC_TRB)
			fprintf(stderr, "type %u\n", type);
		assert_int_equal(cc, CC_TRB);
	}
	assert_int_equal(gdrv_cmd_raw(&g->d, 0, 0, TRB_TYPE(TRB_NOOP_CMD)), 1);
	assert_int_equal(rig_down(g), 0);
}

/* MaxSlotsEn bounds Enable Slot: then No Slots Available, §4.6.3. */
static void slots_run_out(void **state)
{
	static const unsigned max[] = {1, 2, 17, 64};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct rig_cfg cfg = {.bare = true,
				      .opts = {.max_slots = max[i]}};
		struct rig *g = rig_up(&cfg);
		bool seen[256] = {false};
		unsigned slot = 0;

		for (unsigned n = 0; n < max[i]; n++) {
			assert_int_equal(gdrv_enable_slot(&g->d, 0, &slot),
					 CC_SUCCESS);
			assert_false(seen[slot]);
			seen[slot] = true;
		}
		assert_int_equal(gdrv_enable_slot(&g->d, 0, &slot),
				 CC_NO_SLOTS);
		assert_int_equal(gdrv_disable_slot(&g->d, 1), CC_SUCCESS);
		assert_int_equal(gdrv_enable_slot(&g->d, 0, &slot), CC_SUCCESS);
		assert_int_equal(slot, 1);
		assert_int_equal(rig_down(g), 0);
	}
}

/* Address Device: the contexts after it, and what it refuses, §4.6.5. */
static void address_device(void **state)
{
	struct rig *g = rig_up(NULL);
	unsigned addr;

	(void)state;
	prepare(g, DEFAULT);
	assert_int_equal(gdrv_slot_state(g->v), SLOT_DEFAULT);
	assert_int_equal(gdrv_out_r32(g->v, 0, 3) & 0xff, 0);
	assert_int_equal(gdrv_ep_state(g->v, 1), EP_RUNNING);
	/* BSR again: the slot is not in the Enabled state */
	assert_int_equal(gdrv_address(g->v, true), CC_CONTEXT_STATE);
	assert_int_equal(gdrv_address(g->v, false), CC_SUCCESS);
	assert_int_equal(gdrv_slot_state(g->v), SLOT_ADDRESSED);
	addr = gdrv_out_r32(g->v, 0, 3) & 0xff;
	assert_in_range(addr, 1, 127);
	assert_int_equal(gdrv_address(g->v, false), CC_CONTEXT_STATE);
	assert_int_equal(rig_down(g), 0);
}

/* One change to a good input context each. */
static void address_device_refuses_bad_contexts(void **state)
{
	static const struct {
		const char *what;
		unsigned ctx, dword;
		uint32_t value;
	} bad[] = {
		{"no add flags", 0, 1, 0},
		{"slot flag missing", 0, 1, 2},
		{"EP0 flag missing", 0, 1, 1},
		{"port 0", 1, 1, 0},
		{"port past the last", 1, 1, 9u << 16},
		{"port 255", 1, 1, 255u << 16},
		{"EP0 is not control", 2, 1, 3u << 1 | 2u << 3 | 64u << 16},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct rig *g = rig_up(NULL);
		struct gdrv_epcfg ep0 = {
			.dci = 1, .type = EPT_CONTROL, .mps = 64};
		int cc;

		prepare(g, ENABLED);
		gdrv_in_clear(g->v);
		gdrv_in_flags(g->v, 0, 3);
		gdrv_in_slot(g->v, 1);
		gdrv_in_ep(g->v, &ep0, guestmem_alloc(&g->gm, 4096), true);
		gdrv_in_w32(g->v, bad[i].ctx, bad[i].dword, bad[i].value);
		cc = gdrv_cmd_raw(&g->d, g->v->in_ctx, 0,
				  TRB_TYPE(TRB_ADDRESS_DEVICE) |
					  TRB_SLOT(g->v->slot));
		if (cc != CC_PARAMETER)
			fprintf(stderr, "%s: %d\n", bad[i].what, cc);
		assert_int_equal(cc, CC_PARAMETER);
		assert_int_equal(gdrv_slot_state(g->v), SLOT_DISABLED);
		assert_int_equal(rig_down(g), 0);
	}
}

/* Nothing in the port: USB Transaction Error. */
static void address_device_without_a_device(void **state)
{
	struct rig *g = rig_up(NULL);

	(void)state;
	prepare(g, ENABLED);
	g->v->port = 2;
	assert_int_equal(gdrv_address(g->v, false), CC_TRANSACTION);
	assert_int_equal(rig_down(g), 0);
}

static void configure_endpoint(void **state)
{
	struct rig *g = rig_up(NULL);
	struct gdrv_epcfg ep = {.dci = 7, .type = EPT_BULK_IN, .mps = 512};

	(void)state;
	assert_int_equal(gdrv_slot_state(g->v), SLOT_CONFIGURED);
	for (unsigned i = RIG_OUT; i <= RIG_INT_IN; i++)
		assert_int_equal(gdrv_ep_state(g->v, i), EP_RUNNING);
	assert_true(stub_ep(&g->s, 0x81)->enabled);
	assert_int_equal(stub_ep(&g->s, 0x81)->info.max_packet, 512);
	assert_int_equal(stub_ep(&g->s, 0x82)->info.type, USB_INTERRUPT);
	assert_int_equal(gdrv_configure(g->v, &ep, 1), CC_SUCCESS);
	assert_int_equal(gdrv_out_r32(g->v, 0, 0) >> 27, 7);
	assert_int_equal(gdrv_drop_ep(g->v, 7), CC_SUCCESS);
	assert_int_equal(gdrv_ep_state(g->v, 7), EP_DISABLED);
	assert_false(stub_ep(&g->s, 0x83)->enabled);
	assert_int_equal(gdrv_deconfigure(g->v), CC_SUCCESS);
	assert_int_equal(gdrv_slot_state(g->v), SLOT_ADDRESSED);
	assert_int_equal(gdrv_ep_state(g->v, RIG_IN), EP_DISABLED);
	assert_false(stub_ep(&g->s, 0x81)->enabled);
	assert_int_equal(rig_down(g), 0);
}

/* FreeBSD drops and adds the same endpoint in one command. */
static void drop_and_add_gives_a_fresh_endpoint(void **state)
{
	struct rig *g = rig_up(NULL);
	struct gdrv_epcfg ep = {.dci = RIG_IN, .type = EPT_BULK_IN, .mps = 512};
	uint64_t ring = guestmem_alloc(&g->gm, 4096);

	(void)state;
	gdrv_in_clear(g->v);
	gdrv_in_flags(g->v, 1u << RIG_IN, 1u | 1u << RIG_IN);
	gdrv_in_slot(g->v, RIG_INT_IN);
	gdrv_in_ep(g->v, &ep, ring, true);
	assert_int_equal(
		gdrv_cmd_raw(&g->d, g->v->in_ctx, 0,
			     TRB_TYPE(TRB_CONFIGURE_EP) | TRB_SLOT(g->v->slot)),
		CC_SUCCESS);
	assert_int_equal(gdrv_ep_dequeue(g->v, RIG_IN, NULL), ring);
	assert_int_equal(gdrv_ep_state(g->v, RIG_IN), EP_RUNNING);
	assert_int_equal(rig_down(g), 0);
}

static void configure_endpoint_refuses(void **state)
{
	static const struct {
		const char *what;
		uint8_t dci, type;
	} bad[] = {
		{"type 0", 6, 0},
		{"an IN type on an OUT endpoint", 6, EPT_BULK_IN},
		{"an OUT type on an IN endpoint", 7, EPT_BULK_OUT},
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct rig *g = rig_up(NULL);
		struct gdrv_epcfg ep = {
			.dci = bad[i].dci, .type = bad[i].type, .mps = 512};
		int cc;

		gdrv_in_clear(g->v);
		gdrv_in_flags(g->v, 0, 1u | 1u << bad[i].dci);
		gdrv_in_slot(g->v, bad[i].dci);
		gdrv_in_ep(g->v, &ep, guestmem_alloc(&g->gm, 4096), true);
		cc = gdrv_cmd_raw(&g->d, g->v->in_ctx, 0,
				  TRB_TYPE(TRB_CONFIGURE_EP) |
					  TRB_SLOT(g->v->slot));
		if (cc != CC_PARAMETER && cc != CC_TRB)
			fprintf(stderr, "%s: %d\n", bad[i].what, cc);
		assert_true(cc == CC_PARAMETER || cc == CC_TRB);
		assert_int_equal(gdrv_ep_state(g->v, bad[i].dci), EP_DISABLED);
		assert_int_equal(rig_down(g), 0);
	}
}

static void evaluate_context_changes_max_packet(void **state)
{
	struct rig *g = rig_up(NULL);

	(void)state;
	assert_int_equal(gdrv_evaluate(g->v, 8), CC_SUCCESS);
	assert_int_equal(gdrv_out_r32(g->v, 1, 1) >> 16, 8);
	assert_int_equal(rig_down(g), 0);
}

/* Reset Device: the slot in Default, all endpoints but EP0 gone, §4.6.11. */
static void reset_device_leaves_ep0(void **state)
{
	struct rig *g = rig_up(NULL);

	(void)state;
	assert_int_equal(gdrv_reset_device(g->v), CC_SUCCESS);
	assert_int_equal(gdrv_slot_state(g->v), SLOT_DEFAULT);
	assert_int_equal(gdrv_out_r32(g->v, 0, 3) & 0xff, 0);
	assert_int_equal(gdrv_ep_state(g->v, RIG_IN), EP_DISABLED);
	assert_int_equal(rig_down(g), 0);
}

/* Command Abort: Command Ring Stopped, CRR clear, then it goes on, §4.6.1.2 */
static void command_abort_stops_the_ring(void **state)
{
	struct rig *g = rig_up(NULL);
	uint32_t crcr = g->d.op + OP_CRCR;
	struct gdrv_ring *r = &g->d.cmd;

	(void)state;
	assert_int_equal(gdrv_cmd_raw(&g->d, 0, 0, TRB_TYPE(TRB_NOOP_CMD)), 1);
	assert_true(gdrv_r32(&g->d, crcr) & CRCR_CRR);
	gdrv_w64(&g->d, crcr, CRCR_CA);
	gdrv_pump(&g->d);
	assert_false(gdrv_r32(&g->d, crcr) & CRCR_CRR);
	assert_int_equal(g->d.cmd_ev.cc, CC_CMD_RING_STOPPED);
	assert_int_equal(g->d.cmd_ev.ptr, gdrv_ring_enqueue(r));
	assert_int_equal(gdrv_cmd_raw(&g->d, 0, 0, TRB_TYPE(TRB_NOOP_CMD)), 1);
	assert_int_equal(rig_down(g), 0);
}

/* The command ring wraps over its Link thousands of times. */
static void command_ring_wraps(void **state)
{
	const struct rig_cfg cfg = {.opts = {.cmd_trbs = 16}};
	struct rig *g = rig_up(&cfg);

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(
			gdrv_cmd_raw(&g->d, 0, 0, TRB_TYPE(TRB_NOOP_CMD)), 1);
	assert_int_equal(rig_down(g), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(completion_codes),
		cmocka_unit_test(types_that_are_no_command),
		cmocka_unit_test(slots_run_out),
		cmocka_unit_test(address_device),
		cmocka_unit_test(address_device_refuses_bad_contexts),
		cmocka_unit_test(address_device_without_a_device),
		cmocka_unit_test(configure_endpoint),
		cmocka_unit_test(drop_and_add_gives_a_fresh_endpoint),
		cmocka_unit_test(configure_endpoint_refuses),
		cmocka_unit_test(evaluate_context_changes_max_packet),
		cmocka_unit_test(reset_device_leaves_ep0),
		cmocka_unit_test(command_abort_stops_the_ring),
		cmocka_unit_test(command_ring_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
