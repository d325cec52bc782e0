/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that means harm, without a device: rings that never end, structures
 * that are not in memory or are each other, memory that changes while it is
 * read. The controller answers with a code, HCE or HSE, in bounded work.
 */
#include "tests/unit/emu_drv.h"

#define BUF 0x400000u

static bool dead(struct fake *f)
{
	return rd(f, REG_STS) & (STS_HCE | STS_HSE);
}

/* One slice of work; true: there is more. */
static bool slice(struct fake *f)
{
	f->kicked = xhci_run(f->x);
	return f->kicked;
}

/* Links in a circle of @n from @at, with flags. */
static void circle(struct fake *f, uint64_t at, unsigned n, uint32_t flags)
{
	for (unsigned i = 0; i < n; i++)
		put(f, at + i * 64, at + (i + 1) % n * 64, 0,
		    T(LINK) | TRB_C | flags);
}

static void command_ring_of_links(void **state)
{
	static const uint32_t flags[] = {0, TRB_TC, TRB_CH, TRB_TC | TRB_CH};

	(void)state;
	for (unsigned n = 1; n <= 3; n++)
		for (unsigned i = 0; i < 4; i++) {
			struct fake *f = fake_new();

			start(f);
			circle(f, G_CMD, n, flags[i]);
			f->accesses = 0;
			wr(f, OFF_DB, 0);
			run(f);
			assert_true(f->accesses <= 2 * LINK_LIMIT);
			/* with TC a lap ends where the cycle bit is wrong */
			if (!(flags[i] & TRB_TC))
				assert_true(rd(f, REG_STS) & STS_HCE);
			fake_free(f);
		}
}

static void transfer_ring_of_links(void **state)
{
	static const uint32_t flags[] = {0, TRB_CH};

	(void)state;
	for (unsigned dci = 1; dci <= 5; dci += dci == 3 ? 2 : 1)
		for (unsigned n = 1; n <= 3; n++)
			for (unsigned i = 0; i < 2; i++) {
				struct fake *f = fake_ready(1);

				circle(f, G_RING(dci), n, flags[i]);
				f->accesses = 0;
				ring_db(f, 1, dci);
				assert_true(f->accesses <= 2 * LINK_LIMIT);
				assert_int_equal(EV_CC(xfer_event(f, 0)),
						 CC_TRB_ERROR);
				assert_int_equal(octx_ep_state(f, 1, dci),
						 EP_ERROR);
				fake_free(f);
			}
}

/* Chained TRBs and a Link back to the first of them */
static void td_back_to_its_own_head(void **state)
{
	(void)state;
	for (unsigned len = 1; len <= 64; len *= 4) {
		struct fake *f = fake_ready(1);
		uint64_t at = G_RING(DCI_IN);

		for (unsigned i = 0; i < len; i++)
			at = put(f, at, BUF, 16, T(NORMAL) | TRB_C | TRB_CH);
		put(f, at, G_RING(DCI_IN), 0, T(LINK) | TRB_C | TRB_CH);
		ring_db(f, 1, DCI_IN);
		assert_int_equal(EV_CC(xfer_event(f, 0)), CC_TRB_ERROR);
		assert_int_equal(f->dev[1].submits, 0);
		assert_int_equal(f->holds, 0);
		fake_free(f);
	}
}

/* 131,072 TRBs, and as many Links as there can be between them */
static void td_of_131072_trbs(void **state)
{
	(void)state;
	for (unsigned links = 0; links <= LINK_LIMIT; links += LINK_LIMIT) {
		struct fake *f = fake_ready(1);
		uint64_t at = 0x600000;

		put(f, G_RING(DCI_IN), at, 0, T(LINK) | TRB_C);
		for (unsigned i = 0; i < 131072 && at < MEM_SIZE - 1024; i++) {
			at = put(f, at, BUF, 1, T(NORMAL) | TRB_C | TRB_CH);
			for (unsigned k = 0; k < links; k++)
				at = put(f, at, at + 16, 0,
					 T(LINK) | TRB_C | TRB_CH);
		}
		f->accesses = 0;
		ring_db(f, 1, DCI_IN);
		assert_int_equal(EV_CC(xfer_event(f, 0)), CC_TRB_ERROR);
		/* the TRBs, as many Links, and the buffers: no more */
		assert_true(f->accesses <= 3 * TD_MAX_TRBS + 200);
		assert_true(xhci_stats(f->x)->pool_allocs < 64);
		fake_free(f);
	}
}

/* A lap of TRBs that need no work: slices, and others get theirs */
static void endless_no_ops_leave_room_for_others(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	put(f, G_RING(DCI_IN), 0, 0, T(NOOP) | TRB_C);
	put(f, G_RING(DCI_IN) + 16, G_RING(DCI_IN), 0, T(LINK) | TRB_C);
	wr(f, OFF_DB + 4, DCI_IN);
	for (unsigned i = 0; i < 100; i++) {
		f->accesses = 0;
		assert_true(slice(f));
		assert_true(f->accesses <= 3 * RUN_TRBS);
	}
	/* another ring, and the command ring, are served meanwhile */
	put(f, G_RING(DCI_OUT), BUF, 4, T(NORMAL) | TRB_C);
	wr(f, OFF_DB + 4, DCI_OUT);
	cmd_post(f, 0, 0, T(NOOP_CMD));
	for (unsigned i = 0; i < 3; i++)
		slice(f);
	assert_int_equal(f->dev[1].submits, 1);
	assert_int_equal(ev_drain(f, 0), 1);
	cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(DCI_IN));
	for (unsigned i = 0; i < 3; i++)
		slice(f);
	assert_int_equal(octx_ep_state(f, 1, DCI_IN), EP_STOPPED);
	assert_false(slice(f));
	fake_free(f);
}

/* A ring that is not in guest memory: TRB Error at the address it has. */
static void ring_outside_memory(void **state)
{
	static const uint64_t at[] = {0, 1ull << 50, ~0ull << 4, MEM_SIZE,
				      MEM_SIZE - 16};

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct fake *f = fake_ready(1);

		if (i == 4)
			put(f, at[i], BUF, 1, T(NORMAL) | TRB_C | TRB_CH);
		put(f, G_RING(DCI_IN), at[i], 0, T(LINK) | TRB_C);
		ring_db(f, 1, DCI_IN);
		assert_event(xfer_event(f, 0), i == 4 ? MEM_SIZE : at[i],
			     CC_TRB_ERROR, 0);
		fake_free(f);
	}
}

/* A buffer that ends behind the last address does not go on at the first. */
static void buffer_over_the_last_address(void **state)
{
	static const uint32_t lens[] = {17, 64, 65536};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct fake *f = fake_ready(1);

		f->round = true;
		put(f, G_RING(DCI_OUT), ~0ull << 4, lens[i],
		    T(NORMAL) | TRB_C | TRB_IOC);
		ring_db(f, 1, DCI_OUT);
		assert_int_equal(EV_CC(xfer_event(f, 0)), CC_TRB_ERROR);
		assert_int_equal(octx_ep_state(f, 1, DCI_OUT), EP_ERROR);
		assert_int_equal(f->dev[1].submits, 0);
		fake_free(f);
	}
}

/* The structures of commands, at addresses where there is nothing */
static void contexts_outside_memory(void **state)
{
	static const uint64_t at[] = {
		0,          MEM_SIZE - 16, MEM_SIZE - 32 * 2,
		1ull << 40, ~0ull << 6,    ~0ull << 4};

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		struct fake *f = fake_new();

		/* input context: the command fails, nothing else */
		start(f);
		port_up(f, 1);
		slot_new(f);
		assert_int_equal(cmd(f, at[i], 0, T(ADDRESS_DEVICE) | SLOT(1)),
				 CC_TRB_ERROR);
		assert_false(dead(f));
		/* output context: a host system error */
		put64(f, G_DCBAA + 8, at[i]);
		ictx_address(f, 1, 64);
		cmd_post(f, G_ICTX, 0, T(ADDRESS_DEVICE) | SLOT(1));
		run(f);
		assert_true(i == 1 || i == 2 || dead(f));
		fake_free(f);

		/* the array of their addresses */
		f = fake_new();
		start(f);
		port_up(f, 1);
		slot_new(f);
		wr64(f, OFF_OP + OP_DCBAAP, at[i]);
		ictx_address(f, 1, 64);
		cmd_post(f, G_ICTX, 0, T(ADDRESS_DEVICE) | SLOT(1));
		run(f);
		assert_true(i == 1 || i == 2 || dead(f));
		fake_free(f);

		/* the command ring */
		f = fake_new();
		start(f);
		wr(f, REG_CMD, 0);
		wr64(f, REG_CRCR, at[i] | 1);
		wr(f, REG_CMD, CMD_ON);
		wr(f, OFF_DB, 0);
		run(f);
		assert_true(i == 1 || i == 2 || dead(f));
		fake_free(f);
	}
}

/* Memory that is there for reading only is no output context. */
static void read_only_memory(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	f->read_only = BUF;
	put(f, G_RING(DCI_IN), BUF, 16, T(NORMAL) | TRB_C);
	put(f, G_RING(DCI_OUT), BUF, 16, T(NORMAL) | TRB_C);
	ring_db(f, 1, DCI_OUT);
	assert_int_equal(f->dev[1].nheld, 1);
	ring_db(f, 1, DCI_IN);
	assert_int_equal(f->dev[1].nheld, 1);
	assert_int_equal(EV_CC(xfer_event(f, 0)), CC_TRB_ERROR);
	f->read_only = G_OCTX(1);
	stop_ep(f, 1, DCI_INTR);
	assert_true(rd(f, REG_STS) & STS_HSE);
	fake_free(f);
}

/* Structures that are each other. What counts: alive, and its own state. */
static void structures_that_are_each_other(void **state)
{
	static const uint64_t same[] = {G_DCBAA,   G_ICTX,        G_RING(1),
					G_CMD,     G_ERST(0),     G_EV(0, 0),
					G_OCTX(2), G_RING(DCI_IN)};

	(void)state;
	for (unsigned i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		struct fake *f = fake_new();

		start(f);
		port_up(f, 1);
		port_up(f, 2);
		put64(f, G_DCBAA + 8, same[i]);
		slot_new(f);
		slot_new(f);
		address(f, 1, 1, false);
		address(f, 2, 2, false);
		configure(f, 1);
		configure(f, 2);
		for (unsigned dci = 1; dci < 6; dci++) {
			put(f, G_RING(dci), same[i], 64,
			    T(NORMAL) | TRB_C | TRB_IOC);
			ring_db(f, 1, dci);
			ring_db(f, 2, dci);
		}
		for (unsigned p = 1; p <= 2; p++)
			dev_end_all(&f->dev[p], USB_OK);
		run(f);
		stop_ep(f, 1, DCI_IN);
		stop_ep(f, 2, DCI_IN);
		fake_free(f);
	}
}

/* Endpoint contexts of every value of every byte: no crash, sane info */
static void endpoint_contexts_of_all_values(void **state)
{
	struct usb_ep_info info;
	uint32_t seed = 12345;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		uint32_t ctx[5];
		unsigned dci = 1 + i % 31;

		for (unsigned k = 0; k < 5; k++) {
			seed = seed * 1664525 + 1013904223;
			ctx[k] = seed ^ seed >> 15;
		}
		if (i & 1) /* mostly good, so that all of it is looked at */
			ctx[1] = (ctx[1] & ~(7u << 3)) | (dci & 1 ? 6u : 2u)
								 << 3;
		if (ep_info_decode(dci, ctx, &info) != CC_SUCCESS)
			continue;
		assert_true(info.interval <= 15 && info.max_burst <= 15 &&
			    info.max_packet > 0);
		assert_true(info.mult <= 2 || info.type == USB_ISOCH);
		assert_int_equal(info.ep & 15, dci / 2);
		assert_true(info.streams < 64);
	}
}

/* Everything that software writes is read once in an operation. */
static void nothing_is_read_twice(void **state)
{
	struct fake *f = fake_new();
	uint64_t at = G_RING(DCI_OUT);

	(void)state;
	f->reads = calloc(1, MEM_SIZE / 16);
	assert_non_null(f->reads);
#define ONCE(op)                                                               \
	do {                                                                   \
		memset(f->reads, 0, MEM_SIZE / 16);                            \
		op;                                                            \
		for (unsigned i_ = 0; i_ < MEM_SIZE / 16; i_++)                \
			if (f->reads[i_] > 1)                                  \
				fail_msg("%s: %x read %u times", #op, i_ * 16, \
					 f->reads[i_]);                        \
	} while (0)
	start(f);
	port_up(f, 1);
	slot_new(f);
	ictx_address(f, 1, 64);
	ONCE(cmd_post(f, G_ICTX, 0, T(ADDRESS_DEVICE) | SLOT(1)); run(f));
	configure(f, 1);
	ictx_clear(f, 0, 1u << DCI_OUT | 1u << DCI_IN | 1);
	ictx_ep(f, DCI_OUT, EPT_BULK_OUT, BULK_MPS, at);
	ictx_ep(f, DCI_IN, EPT_BULK_IN, BULK_MPS, G_RING(DCI_IN));
	ONCE(cmd_post(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1)); run(f));
	ONCE(cmd_post(f, G_ICTX, 0, T(EVALUATE_CTX) | SLOT(1)); run(f));
	for (unsigned i = 0; i < 20; i++)
		at = put(f, at, BUF + i * 64, 64,
			 T(NORMAL) | TRB_C | (i % 4 < 3 ? TRB_CH : TRB_IOC));
	at = put(f, at, at + 64, 0, T(LINK) | TRB_C);
	put(f, at + 48, 0x1122, 2, T(NORMAL) | TRB_C | TRB_IDT | TRB_IOC);
	ONCE(wr(f, OFF_DB + 4, DCI_OUT); run(f));
	assert_int_equal(f->dev[1].nheld, 6);
	/* its end reads the ring's next place at most */
	ONCE(dev_end_all(&f->dev[1], USB_OK); run(f));
	setup_events(f, 0);
	ONCE(cmd_post(f, 0, 0, T(NOOP_CMD)); run(f));
#undef ONCE
	fake_free(f);
}

/* Bus mastering off: no guest memory is touched, whatever is rung. */
static void no_bus_master_no_access(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	stop_ep(f, 1, DCI_OUT);
	put(f, G_RING(DCI_IN), BUF, 16, T(NORMAL) | TRB_C | TRB_IOC);
	put(f, G_RING(DCI_OUT), BUF, 16, T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_IN);
	xhci_set_bus_master(f->x, false);
	f->accesses = 0;
	cmd_post(f, 0, 0, T(NOOP_CMD));
	for (unsigned dci = 1; dci < 32; dci++)
		wr(f, OFF_DB + 4, dci);
	dev_end_all(&f->dev[1], USB_OK);
	xhci_port_disconnect(f->x, 1);
	wr(f, REG_CMD, CMD_ON | CMD_EWE);
	advance(f, 5000000000ull);
	run(f);
	assert_int_equal(f->accesses, 0);
	/* and then what came back comes, §4.10; doorbells are forgotten */
	xhci_set_bus_master(f->x, true);
	run(f);
	assert_true(f->accesses > 0);
	assert_int_equal(xfer_events(f), 2);
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(command_ring_of_links),
		cmocka_unit_test(transfer_ring_of_links),
		cmocka_unit_test(td_back_to_its_own_head),
		cmocka_unit_test(td_of_131072_trbs),
		cmocka_unit_test(endless_no_ops_leave_room_for_others),
		cmocka_unit_test(ring_outside_memory),
		cmocka_unit_test(buffer_over_the_last_address),
		cmocka_unit_test(contexts_outside_memory),
		cmocka_unit_test(read_only_memory),
		cmocka_unit_test(structures_that_are_each_other),
		cmocka_unit_test(endpoint_contexts_of_all_values),
		cmocka_unit_test(nothing_is_read_twice),
		cmocka_unit_test(no_bus_master_no_access),
	};

	return cmocka_run_group_tests_name("emu_hostile", tests, NULL, NULL);
}
