/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transfers through the whole controller as the drivers of several operating
 * systems build them, xHCI 1.2 §4.10, §4.11. The driver (tests/lib/gdrv.h)
 * checks every event; the tests here look at data and lengths besides.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/lib/gdrv_rig.h"

#define SEGS8 .nsegs = 8, .ntrbs = {20, 20, 20, 20, 20, 20, 20, 20}

static uint32_t sum_td(struct rig *g, unsigned dci, enum gdrv_os os,
		       const struct gdrv_sg *sg, unsigned nsg, int *ret_cc)
{
	uint32_t actual = 0xdead;

	*ret_cc = gdrv_bulk(g->v, dci, os, sg, nsg, &actual);
	return actual;
}

static void one_size(struct rig *g, enum gdrv_os os, uint32_t len)
{
	uint64_t buf = guestmem_alloc(&g->gm, len + GM_PAGE);
	struct gdrv_sg sg = {buf + 24, len};
	struct stub_ep *in = stub_ep(&g->s, 0x81), *out = stub_ep(&g->s, 1);
	uint64_t at = in->next_byte;
	uint32_t crc = out->crc;
	int cc;

	assert_int_equal(sum_td(g, RIG_IN, os, &sg, 1, &cc), len);
	assert_int_equal(cc, CC_SUCCESS);
	assert_true(rig_pattern(g, sg.gpa, len, at));
	assert_int_equal(sum_td(g, RIG_OUT, os, &sg, 1, &cc), len);
	assert_int_equal(cc, CC_SUCCESS);
	crc = crc32_add(crc, guestmem_ptr(&g->gm, sg.gpa, len), len);
	assert_int_equal(out->crc, crc);
	guestmem_free(&g->gm, buf, len + GM_PAGE);
}

static void every_os_moves_every_size(void **state)
{
	static const uint32_t sizes[] = {0,    1,     13,    31,    512,
					 4096, 16384, 65535, 65536, 200000};
	static const struct rig_cfg cfg = {SEGS8};
	static const struct rig_cfg super = {SEGS8, .port = 5,
					     .xhci = {4, 4, true, 3}};

	(void)state;
	for (unsigned os = 0; os < OS_COUNT; os++) {
		struct rig *g = rig_up(os & 1 ? &super : &cfg);

		for (unsigned i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
			for (unsigned n = 0; n < 3; n++)
				one_size(g, os, sizes[i]);
		assert_int_equal(rig_down(g), 0);
	}
}

/* 24 pages in reverse order: no two touch. */
static void every_os_scatters(void **state)
{
	struct gdrv_sg sg[24];
	static const struct rig_cfg cfg = {SEGS8};

	(void)state;
	for (unsigned os = 0; os < OS_COUNT; os++) {
		struct rig *g = rig_up(&cfg);
		uint64_t buf = guestmem_alloc(&g->gm, 48 * GM_PAGE);
		uint32_t total = 0;
		int cc;

		for (unsigned i = 0; i < 24; i++) {
			sg[i].gpa = buf + (46 - 2 * i) * GM_PAGE;
			sg[i].len = i == 23 ? 100 : GM_PAGE;
			total += sg[i].len;
		}
		assert_int_equal(sum_td(g, RIG_IN, os, sg, 24, &cc), total);
		for (unsigned i = 0; i < 24; i++)
			assert_true(rig_pattern(g, sg[i].gpa, sg[i].len,
						i * GM_PAGE));
		assert_int_equal(rig_down(g), 0);
	}
}

/* A short packet in the first, middle and last TRB of a TD of three. */
static void every_os_understands_short_packets(void **state)
{
	static const uint32_t shorts[] = {0,     1,     512,    65535,
					  65536, 70000, 131072, 190000};
	static const struct rig_cfg cfg = {SEGS8};

	(void)state;
	for (unsigned os = 0; os < OS_COUNT; os++) {
		if (os == OS_EDK2 || os == OS_MACOS || os == OS_SEABIOS)
			continue; /* a TD a piece; no ISP */
		for (unsigned i = 0; i < sizeof(shorts) / sizeof(*shorts);
		     i++) {
			struct rig *g = rig_up(&cfg);
			uint64_t buf = guestmem_alloc(&g->gm, 3 * 65536 + 4096);
			struct gdrv_sg sg = {(buf + 65535) & ~65535ull,
					     3 * 65536};
			int cc;

			sg.len = 3 * 65536 - 4096;
			stub_ep(&g->s, 0x81)->rule = (struct stub_rule){
				.limit = true, .actual = shorts[i]};
			sg.gpa = buf;
			assert_int_equal(sum_td(g, RIG_IN, os, &sg, 1, &cc),
					 shorts[i]);
			assert_int_equal(cc, CC_SHORT_PACKET);
			assert_true(rig_pattern(g, buf, shorts[i], 0));
			assert_int_equal(rig_down(g), 0);
		}
	}
}

/* U-Boot: after a short packet the event of the last TRB comes as well. */
static void short_packet_with_isp_still_gives_the_ioc_event(void **state)
{
	struct rig *g = rig_up(NULL);
	uint64_t buf = guestmem_alloc(&g->gm, 4 * GM_PAGE);
	struct gdrv_trb t[3];
	uint32_t id;
	uint64_t ev;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		t[i] = (struct gdrv_trb){.type = TRB_NORMAL,
					 .ptr = buf + i * GM_PAGE,
					 .len = GM_PAGE,
					 .flags = TRB_ISP | TRB_CH};
	t[2].flags = TRB_ISP | TRB_IOC;
	stub_ep(&g->s, 0x81)->rule =
		(struct stub_rule){.limit = true, .actual = 5000};
	assert_int_equal(gdrv_post(g->v->ring[RIG_IN], t, 3, &id), 0);
	ev = g->d.nev;
	rig_ring(g, RIG_IN);
	assert_int_equal(g->d.nev - ev, 2);
	assert_int_equal(gdrv_event(&g->d, ev)->cc, CC_SHORT_PACKET);
	assert_int_equal(gdrv_event(&g->d, ev)->len, 2 * GM_PAGE - 5000);
	assert_int_equal(gdrv_event(&g->d, ev + 1)->cc, CC_SHORT_PACKET);
	assert_int_equal(gdrv_event(&g->d, ev + 1)->len, GM_PAGE);
	assert_int_equal(rig_down(g), 0);
}

/* iPXE: without ISP only the last TRB speaks. */
static void short_packet_without_isp_gives_one_event(void **state)
{
	struct rig *g = rig_up(NULL);
	uint64_t buf = guestmem_alloc(&g->gm, 2 * GM_PAGE), ev;
	struct gdrv_trb t[2] = {
		{.type = TRB_NORMAL,
		 .ptr = buf,
		 .len = GM_PAGE,
		 .flags = TRB_CH},
		{.type = TRB_NORMAL,
		 .ptr = buf + GM_PAGE,
		 .len = GM_PAGE,
		 .flags = TRB_IOC},
	};

	(void)state;
	stub_ep(&g->s, 0x81)->rule =
		(struct stub_rule){.limit = true, .actual = 100};
	assert_int_equal(gdrv_post(g->v->ring[RIG_IN], t, 2, NULL), 0);
	ev = g->d.nev;
	rig_ring(g, RIG_IN);
	assert_int_equal(g->d.nev - ev, 1);
	assert_int_equal(gdrv_event(&g->d, ev)->cc, CC_SHORT_PACKET);
	assert_int_equal(rig_down(g), 0);
}

static void control_transfers_of_every_os(void **state)
{
	static const uint8_t get[8] = {0xc0, 1, 2, 3, 4, 5, 200, 0};
	static const uint8_t put[8] = {0x40, 1, 2, 3, 4, 5, 200, 0};
	static const uint8_t none[8] = {0x40, 9, 2, 3, 4, 5, 0, 0};

	(void)state;
	for (unsigned os = 0; os < OS_COUNT; os++) {
		struct rig *g = rig_up(NULL);
		struct stub_ep *e = stub_ep(&g->s, 0);
		uint64_t buf = guestmem_alloc(&g->gm, GM_PAGE);
		uint64_t at = e->next_byte;
		uint32_t n = 0;

		assert_int_equal(gdrv_control(g->v, os, get, buf, &n), 1);
		assert_int_equal(n, 200);
		assert_true(rig_pattern(g, buf, 200, at));
		assert_int_equal(gdrv_control(g->v, os, put, buf, &n), 1);
		assert_int_equal(n, 200);
		assert_int_equal(gdrv_control(g->v, os, none, 0, &n), 1);
		assert_int_equal(n, 0);
		assert_int_equal(
			g->s.log[(g->s.nlog - 1) % STUB_LOG].setup.request, 9);
		if (os != OS_SEABIOS) {
			int cc;

			e->rule =
				(struct stub_rule){.limit = true, .actual = 18};
			cc = gdrv_control(g->v, os, get, buf, &n);
			assert_true(cc == CC_SHORT_PACKET || cc == CC_SUCCESS);
			assert_int_equal(n, 18);
		}
		assert_int_equal(rig_down(g), 0);
	}
}

/* Table of xHCI 1.2 §6.4.5 for what a device can do wrong. */
static void device_errors_have_their_codes(void **state)
{
	static const struct {
		enum usb_status status;
		int cc;
		unsigned ep_state;
	} rows[] = {
		{USB_STALL, CC_STALL, EP_HALTED},
		{USB_ERROR, CC_TRANSACTION, EP_HALTED},
		{USB_BABBLE, CC_BABBLE, EP_HALTED},
	};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct rig *g = rig_up(NULL);
		struct gdrv_sg sg = {guestmem_alloc(&g->gm, 8192), 8192};
		int cc;

		stub_ep(&g->s, 0x81)->rule =
			(struct stub_rule){.status = rows[i].status,
					   .times = 1,
					   .limit = true,
					   .actual = 1024};
		assert_int_equal(sum_td(g, RIG_IN, OS_LINUX, &sg, 1, &cc),
				 rows[i].status == USB_BABBLE ? 1024 : 1024);
		assert_int_equal(cc, rows[i].cc);
		assert_int_equal(gdrv_ep_state(g->v, RIG_IN), rows[i].ep_state);
		/* recover: Reset Endpoint, Set TR Dequeue, go on */
		assert_int_equal(gdrv_reset_ep(g->v, RIG_IN, false), 1);
		assert_int_equal(gdrv_ep_state(g->v, RIG_IN), EP_STOPPED);
		assert_int_equal(gdrv_set_dequeue(g->v, RIG_IN, 0), 1);
		assert_int_equal(sum_td(g, RIG_IN, OS_LINUX, &sg, 1, &cc),
				 8192);
		assert_int_equal(cc, CC_SUCCESS);
		assert_int_equal(rig_down(g), 0);
	}
}

static void refused_submit_is_a_transaction_error(void **state)
{
	struct rig *g = rig_up(NULL);
	struct gdrv_sg sg = {guestmem_alloc(&g->gm, 512), 512};
	int cc;

	(void)state;
	stub_ep(&g->s, 1)->rule.refuse = true;
	sum_td(g, RIG_OUT, OS_LINUX, &sg, 1, &cc);
	assert_int_equal(cc, CC_TRANSACTION);
	assert_int_equal(rig_down(g), 0);
}

/*
 * A Link before, between and behind the TRBs of a TD, with CHAIN and with IOC,
 * §4.11.5.1: each ring length from 3 to 12 puts it elsewhere.
 */
static void links_anywhere(void **state)
{
	(void)state;
	for (unsigned len = 3; len <= 12; len++) {
		struct rig_cfg cfg = {.nsegs = 3, .ntrbs = {len, 4, 17}};
		struct rig *g;
		uint64_t buf;

		cfg.opts.link_flags = len & 1 ? TRB_IOC : 0;
		g = rig_up(&cfg);
		buf = guestmem_alloc(&g->gm, 5 * GM_PAGE);
		for (unsigned n = 0; n < 40; n++) {
			struct gdrv_sg sg[5];
			uint64_t at = stub_ep(&g->s, 0x81)->next_byte;
			int cc;

			for (unsigned i = 0; i < 5; i++)
				sg[i] = (struct gdrv_sg){buf + i * 4096,
							 100 + i};
			assert_int_equal(
				sum_td(g, RIG_IN, OS_LINUX, sg, 5, &cc), 510);
			assert_int_equal(cc, CC_SUCCESS);
			assert_true(
				rig_pattern(g, buf + 4 * 4096, 104, at + 406));
		}
		assert_int_equal(rig_down(g), 0);
	}
}

/* Event Data: its parameter, ED, the bytes accumulated, §4.11.5.2. */
static void event_data_has_its_parameter_and_the_sum(void **state)
{
	struct rig *g = rig_up(NULL);
	uint64_t buf = guestmem_alloc(&g->gm, 2 * GM_PAGE), ev = g->d.nev;
	struct gdrv_trb t[4] = {
		{.type = TRB_NORMAL, .ptr = buf, .len = 1000, .flags = TRB_CH},
		{.type = TRB_EVENT_DATA,
		 .ptr = 0x1122334455667788ull,
		 .flags = TRB_CH | TRB_IOC},
		{.type = TRB_NORMAL,
		 .ptr = buf + 1000,
		 .len = 500,
		 .flags = TRB_CH},
		{.type = TRB_EVENT_DATA,
		 .ptr = 0x99aabbccddeeff00ull,
		 .flags = TRB_IOC},
	};
	const struct gdrv_event *e;

	(void)state;
	assert_int_equal(gdrv_post(g->v->ring[RIG_OUT], t, 4, NULL), 0);
	rig_ring(g, RIG_OUT);
	assert_int_equal(g->d.nev - ev, 2);
	e = gdrv_event(&g->d, ev);
	assert_true(e->ed && e->ptr == 0x1122334455667788ull);
	assert_int_equal(e->len, 1000);
	e = gdrv_event(&g->d, ev + 1);
	assert_true(e->ed && e->ptr == 0x99aabbccddeeff00ull);
	assert_int_equal(e->len, 500);
	assert_int_equal(stub_ep(&g->s, 1)->bytes, 1500);
	assert_int_equal(rig_down(g), 0);
}

/* A transfer ring No Op moves nothing and has its event, §4.11.6. */
static void no_op_completes_in_order(void **state)
{
	struct rig *g = rig_up(NULL);
	uint64_t buf = guestmem_alloc(&g->gm, GM_PAGE), ev = g->d.nev;
	struct gdrv_trb nop = {.type = TRB_NOOP, .flags = TRB_IOC};

	(void)state;
	stub_ep(&g->s, 1)->rule.polls = 3;
	rig_normal(g, RIG_OUT, buf, 64, TRB_IOC);
	assert_int_equal(gdrv_post(g->v->ring[RIG_OUT], &nop, 1, NULL), 0);
	rig_normal(g, RIG_OUT, buf, 64, TRB_IOC);
	rig_ring(g, RIG_OUT);
	assert_int_equal(g->d.nev - ev, 3);
	assert_int_equal(g->v->ring[RIG_OUT]->tds_done, 3);
	assert_int_equal(stub_ep(&g->s, 1)->submitted, 2);
	assert_int_equal(rig_down(g), 0);
}

/* Immediate Data: up to 8 bytes in the TRB itself, §4.11.7. */
static void immediate_data_goes_out(void **state)
{
	(void)state;
	for (uint32_t len = 0; len <= 8; len++) {
		struct rig *g = rig_up(NULL);
		struct gdrv_trb t = {.type = TRB_NORMAL,
				     .ptr = 0x8877665544332211ull,
				     .len = len,
				     .flags = TRB_IDT | TRB_IOC};
		static const uint8_t want[8] = {0x11, 0x22, 0x33, 0x44,
						0x55, 0x66, 0x77, 0x88};
		struct stub_ep *e = stub_ep(&g->s, 1);

		assert_int_equal(gdrv_post(g->v->ring[RIG_OUT], &t, 1, NULL),
				 0);
		rig_ring(g, RIG_OUT);
		assert_int_equal(g->v->ring[RIG_OUT]->tds_done, 1);
		assert_int_equal(e->bytes, len);
		assert_int_equal(e->crc, crc32_add(0, want, len));
		assert_int_equal(rig_down(g), 0);
	}
}

/* A TRB type that is not allowed here: TRB Error, the endpoint in Error. */
static void reserved_trb_types_are_trb_errors(void **state)
{
	static const uint8_t types[] = {
		0, TRB_SETUP, TRB_DATA, TRB_STATUS, TRB_ISOCH,
		9, 23,        32,       47,         63};

	(void)state;
	for (unsigned i = 0; i < sizeof(types); i++) {
		struct rig *g = rig_up(NULL);
		struct gdrv_trb t = {.type = types[i], .flags = TRB_IOC};
		uint32_t id;

		assert_int_equal(gdrv_post(g->v->ring[RIG_OUT], &t, 1, &id), 0);
		rig_ring(g, RIG_OUT);
		assert_int_equal(gdrv_td(g->v->ring[RIG_OUT], id)->cc, CC_TRB);
		assert_int_equal(gdrv_ep_state(g->v, RIG_OUT), EP_ERROR);
		assert_int_equal(stub_ep(&g->s, 1)->submitted, 0);
		assert_int_equal(rig_down(g), 0);
	}
}

/* A buffer that is no guest memory never reaches the device. */
static void buffer_outside_memory_is_an_error(void **state)
{
	struct rig *g = rig_up(NULL);
	uint32_t id = rig_normal(g, RIG_OUT, 0x700000000000ull, 512, TRB_IOC);
	uint8_t cc;

	(void)state;
	rig_ring(g, RIG_OUT);
	cc = gdrv_td(g->v->ring[RIG_OUT], id)->cc;
	assert_true(cc == CC_TRB || cc == CC_DATA_BUFFER ||
		    cc == CC_TRANSACTION);
	assert_int_equal(stub_ep(&g->s, 1)->submitted, 0);
	assert_int_equal(rig_down(g), 0);
}

/* A scattered payload is copied once, a contiguous one not more than that. */
static void payload_is_copied_at_most_once(void **state)
{
	struct rig *g = rig_up(NULL);
	struct gdrv_sg sg = {guestmem_alloc(&g->gm, 65536), 65536};
	uint64_t before = usb_copied_bytes();
	int cc;

	(void)state;
	sum_td(g, RIG_IN, OS_LINUX, &sg, 1, &cc);
	assert_int_equal(usb_copied_bytes() - before, 65536);
	assert_int_equal(rig_down(g), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_os_moves_every_size),
		cmocka_unit_test(every_os_scatters),
		cmocka_unit_test(every_os_understands_short_packets),
		cmocka_unit_test(
			short_packet_with_isp_still_gives_the_ioc_event),
		cmocka_unit_test(short_packet_without_isp_gives_one_event),
		cmocka_unit_test(control_transfers_of_every_os),
		cmocka_unit_test(device_errors_have_their_codes),
		cmocka_unit_test(refused_submit_is_a_transaction_error),
		cmocka_unit_test(links_anywhere),
		cmocka_unit_test(event_data_has_its_parameter_and_the_sum),
		cmocka_unit_test(no_op_completes_in_order),
		cmocka_unit_test(immediate_data_goes_out),
		cmocka_unit_test(reserved_trb_types_are_trb_errors),
		cmocka_unit_test(buffer_outside_memory_is_an_error),
		cmocka_unit_test(payload_is_copied_at_most_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
