/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What broke other emulated xHCI controllers: the guest's side of published
 * faults whose class a controller in software can have, each named by its id
 * (docs/hazards.md has the list). They assert what the specification says
 * should have come of it.
 */
#include "tests/unit/emu_drv.h"

#define BUF 0x400000u

static bool dead(struct fake *f)
{
	return rd(f, REG_STS) & (STS_HCE | STS_HSE);
}

/* Links that lead to each other, followed for ever: a command, a transfer ring */
static void cve_2016_8576(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	put(f, G_RING(DCI_IN), G_RING(DCI_IN) + 0x800, 0, T(LINK) | TRB_C);
	put(f, G_RING(DCI_IN) + 0x800, G_RING(DCI_IN), 0, T(LINK) | TRB_C);
	f->accesses = 0;
	ring_db(f, 1, DCI_IN);
	assert_true(f->accesses <= 2 * LINK_LIMIT);
	assert_int_equal(EV_CC(xfer_event(f, 0)), CC_TRB_ERROR);
	assert_int_equal(octx_ep_state(f, 1, DCI_IN), EP_ERROR);
	/* the others go on */
	put(f, G_RING(DCI_OUT), BUF, 4, T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_OUT);
	assert_int_equal(f->dev[1].submits, 1);
	fake_free(f);
	f = fake_new();
	start(f);
	put(f, G_CMD, G_CMD, 0, T(LINK) | TRB_C);
	wr(f, OFF_DB, 0);
	run(f);
	assert_true(dead(f));
	fake_free(f);
}

/* A control ring of setup stages alone, kicked without end */
static void cve_2017_5973(void **state)
{
	struct fake *f = fake_ready(1);
	uint64_t at = G_RING(1);

	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		at = put(f, at, 0, 8, T(SETUP) | TRB_C | TRB_IDT);
	put(f, at, G_RING(1), 0, T(LINK) | TRB_C);
	f->accesses = 0;
	ring_db(f, 1, 1);
	/* the first is no TD: a TRB Error, and no more is read */
	assert_int_equal(EV_CC(xfer_event(f, 0)), CC_TRB_ERROR);
	assert_int_equal(octx_ep_state(f, 1, 1), EP_ERROR);
	assert_true(f->accesses < 10);
	assert_int_equal(f->dev[1].submits, 0);
	fake_free(f);
}

/* A TD whose length is looked for over all of memory before anything else */
static void cve_2020_14394(void **state)
{
	struct fake *f = fake_ready(1);
	uint64_t at = 0x600000;

	(void)state;
	put(f, G_RING(DCI_IN), at, 0, T(LINK) | TRB_C);
	while (at < MEM_SIZE - 32)
		at = put(f, at, BUF, 0, T(NORMAL) | TRB_C | TRB_CH);
	put(f, at, 0x600000, 0, T(LINK) | TRB_C | TRB_CH);
	f->accesses = 0;
	ring_db(f, 1, DCI_IN);
	assert_int_equal(EV_CC(xfer_event(f, 0)), CC_TRB_ERROR);
	assert_true(f->accesses <= 3 * TD_MAX_TRBS);
	fake_free(f);
}

/* wLength, and the data stage's own length, say different things. */
static void cve_2020_14364(void **state)
{
	static const struct {
		uint32_t wlength, data;
	} say[] = {{4097, 16}, {65535, 16}, {16, 4096}, {0, 4096}, {65535, 0}};

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		struct fake *f = fake_ready(1);
		bool in = i & 1;
		uint32_t n = say[i / 2].data;
		uint64_t at;

		at = put(f, G_RING(1),
			 (in ? 0xc0 : 0x40) | (uint64_t)say[i / 2].wlength
						      << 48,
			 8, T(SETUP) | TRB_C | TRB_IDT | (in ? 3u : 2u) << 16);
		at = put(f, at, BUF, n,
			 T(DATA) | TRB_C | (in ? TRB_DIR_IN : 0));
		put(f, at, 0, 0,
		    T(STATUS) | TRB_C | TRB_IOC | (in ? 0 : TRB_DIR_IN));
		memset(f->mem + BUF, 0xa5, 8192);
		ring_db(f, 1, 1);
		/* the buffer is what both say there is, no more */
		if (f->dev[1].nheld) {
			struct usb_xfer *t = f->dev[1].held[0];
			uint8_t big[8192];

			memset(big, 0x5a, sizeof(big));
			assert_true(t->length <= n);
			assert_true(t->length <= say[i / 2].wlength);
			assert_int_equal(
				usb_xfer_scatter(t, 0, big, sizeof(big)),
				t->length);
			dev_end(&f->dev[1], 0, USB_OK, 65535);
		}
		assert_non_null(xfer_event(f, 0));
		for (unsigned k = n; k < 8192; k++)
			assert_int_equal(f->mem[BUF + k], 0xa5);
		fake_free(f);
	}
}

/* A buffer that cannot be mapped */
static void cve_2020_25723(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct fake *f = fake_ready(1);
		unsigned dci = i ? DCI_IN : DCI_OUT;

		put(f, G_RING(dci), MEM_SIZE - 16, 64,
		    T(NORMAL) | TRB_C | TRB_IOC);
		ring_db(f, 1, dci);
		assert_int_equal(f->dev[1].submits, 0);
		assert_event(xfer_event(f, 0), G_RING(dci), CC_TRB_ERROR, 64);
		assert_int_equal(f->holds, 0);
		fake_free(f);
	}
}

/* Many TRBs that become one transfer, its size whatever the guest says */
static void cve_2021_3527(void **state)
{
	struct fake *f = fake_ready(1);
	uint64_t at = 0x600000, copied = usb_copied_bytes();

	(void)state;
	put(f, G_RING(DCI_OUT), at, 0, T(LINK) | TRB_C);
	for (unsigned i = 0; i < 4095; i++)
		at = put(f, at, BUF, 65536, T(NORMAL) | TRB_C | TRB_CH);
	put(f, at, BUF, 65536, T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_OUT);
	/* 256 MiB are lent as they lie, or refused: never copied */
	if (f->dev[1].nheld)
		dev_end_all(&f->dev[1], USB_OK);
	assert_non_null(xfer_event(f, 0));
	assert_int_equal(usb_copied_bytes(), copied);
	assert_true(xhci_stats(f->x)->pool_allocs < 64);
	fake_free(f);
}

/* A doorbell for the direction an endpoint number does not have */
static void cve_2024_8354(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	for (unsigned dci = 0; dci < 256; dci++) {
		if (dci == 1 || dci == DCI_IN || dci == DCI_OUT ||
		    dci == DCI_INTR)
			continue;
		wr(f, OFF_DB + 4, dci);
		run(f);
		assert_int_equal(f->dev[1].submits, 0);
	}
	assert_false(dead(f));
	/* and the types: a setup stage for a bulk endpoint */
	put(f, G_RING(DCI_IN), 0, 8, T(SETUP) | TRB_C | TRB_IDT);
	ring_db(f, 1, DCI_IN);
	assert_int_equal(EV_CC(xfer_event(f, 0)), CC_TRB_ERROR);
	fake_free(f);
}

/* Endpoint and stream of a doorbell, all that fit in it */
static void freebsd_sa_19_16_bhyve(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	for (unsigned epid = 0; epid < 256; epid += epid < 40 ? 1 : 43)
		for (unsigned sid = 0; sid < 65536; sid += 4369) {
			wr(f, OFF_DB + 4, sid << 16 | epid);
			wr(f, OFF_DB + 4 * 64, sid << 16 | epid);
			run(f);
		}
	assert_false(dead(f));
	assert_int_equal(xfer_events(f), 0);
	fake_free(f);
}

/* Endpoint numbers in contexts and commands beyond what a device has */
static void cve_2024_32668(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	for (unsigned entries = 0; entries < 32; entries++) {
		ictx_clear(f, 0, ~0u);
		put32(f, ictx(f, 1, 0), entries << 27);
		for (unsigned dci = 1; dci < 32; dci++)
			ictx_ep(f, dci, dci & 7, 0xffff, ~0ull << 4);
		assert_int_not_equal(
			cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1)),
			CC_SUCCESS);
	}
	for (unsigned dci = 6; dci < 32; dci++)
		assert_int_not_equal(
			cmd(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(dci)),
			CC_SUCCESS);
	assert_int_equal(octx_ep_state(f, 1, DCI_IN), EP_RUNNING);
	fake_free(f);
}

/* Slot numbers in commands and doorbells */
static void cve_2024_41721(void **state)
{
	static const uint32_t type[] = {T(DISABLE_SLOT), T(ADDRESS_DEVICE),
					T(CONFIGURE_EP), T(EVALUATE_CTX),
					T(RESET_EP),     T(STOP_EP),
					T(SET_TR_DEQ),   T(RESET_DEVICE)};
	struct fake *f = fake_ready(1);

	(void)state;
	for (unsigned i = 0; i < sizeof(type) / sizeof(type[0]); i++)
		for (unsigned slot = 0; slot < 256; slot++) {
			unsigned cc;

			if (slot == 1)
				continue;
			cc = cmd(f, G_ICTX, 0, type[i] | SLOT(slot) | EP(1));
			assert_int_equal(cc, slot && slot <= 64
						     ? CC_SLOT_NOT_ENABLED
						     : cc);
			assert_int_not_equal(cc, CC_SUCCESS);
		}
	for (unsigned slot = 2; slot < 256; slot++)
		wr(f, OFF_DB + 4 * slot, 1);
	run(f);
	assert_false(dead(f));
	fake_free(f);
}

#define ISO_IN 7u

static struct fake *iso_ready(void)
{
	struct fake *f = fake_ready(1);

	ictx_clear(f, 0, 1u | 1u << ISO_IN);
	put32(f, ictx(f, 1, 0), ISO_IN << 27);
	ictx_ep(f, ISO_IN, EPT_ISOCH_IN, 1024, G_RING(ISO_IN));
	put32(f, ictx(f, ISO_IN + 1, 0), 3u << 16);
	assert_int_equal(cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1)),
			 CC_SUCCESS);
	ev_forget(f);
	return f;
}

/* An isochronous TD of many TRBs, and of more bytes than an interval has */
static void cve_2020_3968(void **state)
{
	static const unsigned trbs[] = {2, 17, 256, 4096, 4097};

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct fake *f = iso_ready();
		uint64_t at = 0x600000;
		struct xhci_trb *e;

		put(f, G_RING(ISO_IN), at, 0, T(LINK) | TRB_C);
		at = put(f, at, BUF, 1000,
			 T(ISOCH) | TRB_C | TRB_CH | TRB_SIA | TRB_IOC);
		for (unsigned k = 1; k < trbs[i]; k++)
			at = put(f, at, BUF + 1000, k == 1 ? 65536 : 3,
				 T(NORMAL) | TRB_C |
					 (k + 1 < trbs[i] ? TRB_CH : TRB_IOC));
		ring_db(f, 1, ISO_IN);
		advance(f, 10000000);
		if (f->dev[1].nheld) {
			struct usb_xfer *t = f->dev[1].held[0];

			/* one packet record, of all there is */
			assert_int_equal(t->npackets, 1);
			assert_int_equal(t->packet[0].length, t->length);
			t->packet[0].actual = ~0u;
			t->packet[0].status = USB_OK;
			dev_end(&f->dev[1], 0, USB_OK, ~0u);
			run(f);
		}
		e = xfer_event(f, 0);
		assert_non_null(e);
		if (trbs[i] > TD_MAX_TRBS)
			assert_int_equal(EV_CC(e), CC_TRB_ERROR);
		fake_free(f);
	}
}

/*
 * Rings that go while a device still has transfers of them: a drop, a
 * disable, a reset of the device or the controller, and then it ends them.
 */
static void in_use_and_gone(unsigned blow)
{
	struct fake *f = fake_ready(1);

	for (unsigned i = 0; i < 4; i++)
		put(f, G_RING(DCI_IN) + 16 * i, BUF, 512,
		    T(NORMAL) | TRB_C | TRB_IOC);
	ring_db(f, 1, DCI_IN);
	assert_int_equal(f->dev[1].nheld, 4);
	switch (blow) {
	case 0: /* drop */
		ictx_clear(f, 1u << DCI_IN, 1);
		put32(f, ictx(f, 1, 0), DCI_INTR << 27);
		cmd_post(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1));
		break;
	case 1: /* drop and add again, elsewhere */
		ictx_clear(f, 1u << DCI_IN, 1 | 1u << DCI_IN);
		put32(f, ictx(f, 1, 0), DCI_INTR << 27);
		ictx_ep(f, DCI_IN, EPT_BULK_IN, 512, 0x700000);
		cmd_post(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1));
		break;
	case 2:
		cmd_post(f, 0, 0, T(DISABLE_SLOT) | SLOT(1));
		break;
	case 3:
		cmd_post(f, 0, 0, T(RESET_DEVICE) | SLOT(1));
		break;
	default:
		wr(f, REG_CMD, CMD_HCRST);
		break;
	}
	run(f);
	/* nothing has ended, so nothing of it may be gone yet */
	assert_int_equal(xhci_in_flight(f->x), 4);
	assert_int_equal(f->holds, 4);
	dev_end_all(&f->dev[1], USB_OK);
	run(f);
	assert_int_equal(xhci_in_flight(f->x), 0);
	assert_int_equal(f->holds, 0);
	assert_false(dead(f));
	fake_free(f);
}

static void cve_2020_4004(void **state)
{
	(void)state;
	in_use_and_gone(2);
	in_use_and_gone(4);
}

static void cve_2021_22040(void **state)
{
	(void)state;
	in_use_and_gone(0);
	in_use_and_gone(1);
}

static void cve_2024_22252(void **state)
{
	(void)state;
	in_use_and_gone(3);
}

/* Bytes the device did not give are not given to the guest. */
static void cve_2017_4904(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	memset(f->mem + BUF, 0xa5, 512);
	put(f, G_RING(DCI_IN), BUF, 512, T(NORMAL) | TRB_C | TRB_ISP);
	ring_db(f, 1, DCI_IN);
	usb_xfer_scatter(f->dev[1].held[0], 0, "12345678", 8);
	dev_end(&f->dev[1], 0, USB_OK, 8);
	assert_event(xfer_event(f, 0), G_RING(DCI_IN), CC_SHORT_PACKET, 504);
	for (unsigned i = 8; i < 512; i++)
		assert_int_equal(f->mem[BUF + i], 0xa5);
	fake_free(f);
}

/* Lengths whose sum wraps in 32 bits, before anything is allocated for it */
static void cve_2020_2742_and_8874(void **state)
{
	struct fake *f = fake_ready(1);
	uint64_t at = 0x600000;

	(void)state;
	/* 4096 times 2^17 - 1 is the most that a TD can say */
	put(f, G_RING(DCI_OUT), at, 0, T(LINK) | TRB_C);
	for (unsigned i = 0; i < 4096; i++)
		at = put(f, at, BUF, 0x1ffff,
			 T(NORMAL) | TRB_C | (i < 4095 ? TRB_CH : TRB_IOC));
	ring_db(f, 1, DCI_OUT);
	if (f->dev[1].nheld) {
		struct usb_xfer *t = f->dev[1].held[0];
		uint64_t sum = 0;

		for (uint32_t i = 0; i < t->nseg; i++)
			sum += t->seg[i].len;
		assert_int_equal(sum, t->length);
		dev_end_all(&f->dev[1], USB_OK);
	}
	assert_non_null(xfer_event(f, 0));
	fake_free(f);
	/* contexts: packet size, burst and mult at their most */
	f = fake_ready(1);
	ictx_clear(f, 0, 1u | 1u << ISO_IN);
	put32(f, ictx(f, 1, 0), ISO_IN << 27);
	ictx_ep(f, ISO_IN, EPT_ISOCH_IN, 0xffff, G_RING(ISO_IN));
	put32(f, ictx(f, ISO_IN + 1, 0), 0xffffff00);
	put32(f, ictx(f, ISO_IN + 1, 4), ~0u);
	assert_int_not_equal(cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1)),
			     CC_SUCCESS);
	fake_free(f);
}

/*
 * A ring whose next TRB is nowhere: where the ring begins, behind a Link, after
 * Set TR Dequeue Pointer, on the command ring
 */
static void cve_2021_36146(void **state)
{
	static const uint64_t nowhere[] = {0, MEM_SIZE, 1ull << 45,
					   ~(uint64_t)0xfff};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct fake *f = fake_ready(1);

		put(f, G_RING(DCI_IN), nowhere[i], 0, T(LINK) | TRB_C);
		ring_db(f, 1, DCI_IN);
		assert_int_equal(EV_CC(xfer_event(f, 0)), CC_TRB_ERROR);
		assert_int_equal(octx_ep_state(f, 1, DCI_IN), EP_ERROR);
		assert_int_equal(cmd(f, nowhere[i] | 1, 0,
				     T(SET_TR_DEQ) | SLOT(1) | EP(DCI_IN)),
				 CC_SUCCESS);
		ring_db(f, 1, DCI_IN);
		assert_int_equal(octx_ep_state(f, 1, DCI_IN), EP_ERROR);
		/* the others go on */
		put(f, G_RING(DCI_OUT), BUF, 4, T(NORMAL) | TRB_C | TRB_IOC);
		ring_db(f, 1, DCI_OUT);
		assert_int_equal(f->dev[1].submits, 1);
		assert_false(dead(f));
		dev_end_all(&f->dev[1], USB_OK);
		fake_free(f);
		f = fake_new();
		start(f);
		put(f, G_CMD, nowhere[i], 0, T(LINK) | TRB_C);
		wr(f, OFF_DB, 0);
		run(f);
		assert_true(dead(f));
		fake_free(f);
	}
}

/* A request that has bytes and no place for them */
static void acrn_3612(void **state)
{
	static const uint8_t types[] = {0x00, 0x80, 0x21, 0xa1};

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct fake *f = fake_ready(1);
		uint64_t at = G_RING(1);

		at = put(f, at, types[i] | 6u << 8 | 18ull << 48, 8,
			 T(SETUP) | TRB_C | TRB_IDT | 3u << 16);
		put(f, at, 0, 0, T(STATUS) | TRB_C | TRB_IOC);
		ring_db(f, 1, 1);
		if (f->dev[1].nheld) { /* then without a byte */
			assert_int_equal(f->dev[1].held[0]->length, 0);
			dev_end_all(&f->dev[1], USB_OK);
			run(f);
		}
		assert_non_null(xfer_event(f, 0));
		fake_free(f);
	}
}

/* Fields of the guest's used as an index to read: interrupter, port, route */
static void cve_2020_2743_and_8872(void **state)
{
	struct fake *f = fake_ready(1);

	(void)state;
	for (unsigned i = 0; i < 1024; i += 31) {
		put(f, G_RING(DCI_IN) + 16 * (i / 31), BUF, 0,
		    T(NOOP) | TRB_C | TRB_IOC);
		put32(f, G_RING(DCI_IN) + 16 * (i / 31) + 8, i << 22);
	}
	ring_db(f, 1, DCI_IN);
	for (unsigned port = 0; port < 256; port++) {
		unsigned slot = slot_new(f);

		ictx_address(f, 1, 64);
		put32(f, ictx(f, 1, 1), port << 16);
		if (port != 1)
			assert_int_not_equal(
				cmd(f, G_ICTX, 0,
				    T(ADDRESS_DEVICE) | SLOT(slot)),
				CC_SUCCESS);
		assert_int_equal(cmd(f, 0, 0, T(DISABLE_SLOT) | SLOT(slot)),
				 CC_SUCCESS);
	}
	for (uint32_t off = 0; off < XHCI_MMIO_SIZE + 64; off += 4)
		rd(f, off);
	assert_false(dead(f));
	fake_free(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cve_2016_8576),
		cmocka_unit_test(cve_2017_5973),
		cmocka_unit_test(cve_2020_14394),
		cmocka_unit_test(cve_2020_14364),
		cmocka_unit_test(cve_2020_25723),
		cmocka_unit_test(cve_2021_3527),
		cmocka_unit_test(cve_2024_8354),
		cmocka_unit_test(freebsd_sa_19_16_bhyve),
		cmocka_unit_test(cve_2024_32668),
		cmocka_unit_test(cve_2024_41721),
		cmocka_unit_test(cve_2020_3968),
		cmocka_unit_test(cve_2020_4004),
		cmocka_unit_test(cve_2021_22040),
		cmocka_unit_test(cve_2024_22252),
		cmocka_unit_test(cve_2017_4904),
		cmocka_unit_test(cve_2021_36146),
		cmocka_unit_test(acrn_3612),
		cmocka_unit_test(cve_2020_2742_and_8874),
		cmocka_unit_test(cve_2020_2743_and_8872),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
