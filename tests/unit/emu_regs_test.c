/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Registers: reset values, which bits can be written, access sizes, legacy
 * support, protocol capabilities, MFINDEX; xHCI 1.2 §5, §7.1, §7.2, §4.14.2.
 */
#include "tests/unit/emu_drv.h"

#define OP(r) (OFF_OP + (r))

struct reg {
	const char *name;
	uint32_t off, reset;
	uint32_t writable; /* reads back what was written to these bits */
};

/* Four USB 2 and four USB 3 ports, nothing plugged in, 3 scratchpads */
static const struct reg regs[] = {
	{"CAPLENGTH, HCIVERSION", 0x00, 0x01200040, 0},
	{"HCSPARAMS1", 0x04, 64 | 8 << 8 | 8u << 24, 0},
	{"HCSPARAMS2", 0x08, 1 | 4 << 4 | 3u << 27, 0},
	{"HCSPARAMS3", 0x0c, 0, 0},
	{"DBOFF", 0x14, 0x2000, 0},
	{"RTSOFF", 0x18, 0x1000, 0},
	{"HCCPARAMS2", 0x1c, 0x17, 0}, /* U3C, CMC, FSC, LEC */
	{"USBCMD", OP(0x00), 0, 1u << 2 | 1u << 3 | 1u << 10},
	{"USBSTS", OP(0x04), 1, 0},
	{"PAGESIZE", OP(0x08), 1, 0},
	{"DNCTRL", OP(0x14), 0, 0xffff},
	{"CRCR", OP(0x18), 0, 0}, /* the pointer reads as 0, §5.4.5 */
	{"CRCR high", OP(0x1c), 0, 0},
	{"DCBAAP", OP(0x30), 0, 0xffffffc0},
	{"DCBAAP high", OP(0x34), 0, 0xffffffff},
	{"CONFIG", OP(0x38), 0, 0x1ff},
	{"PORTSC 1", 0x440, 0x2a0, 0x0e00c000},
	{"PORTPMSC 1", 0x444, 0, 0xfff8}, /* RWE, BESL, slot; no HLE */
	{"PORTLI 1", 0x448, 0, 0},
	{"PORTHLPMC 1", 0x44c, 0, 0x3fff},
	{"PORTSC 8", 0x4b0, 0x2a0, 0x0e00c000},
	{"PORTPMSC 8", 0x4b4, 0, 0x1ffff}, /* USB 3: timeouts, FLA */
	{"PORTLI 8", 0x4b8, 0, 0},
	{"PORTHLPMC 8", 0x4bc, 0, 0},
	{"PORTSC 9", 0x4c0, 0, 0},
	{"MFINDEX", 0x1000, 0, 0},
	{"IMAN 0", 0x1020, 0, 2},
	{"IMOD 0", 0x1024, 4000, 0xffff},
	{"ERSTSZ 0", 0x1028, 0, 0xf}, /* see emu_evring_test.c for more */
	{"reserved", 0x102c, 0, 0},
	{"ERSTBA 0", 0x1030, 0, 0xffffffc0},
	{"ERSTBA 0 high", 0x1034, 0, 0xffffffff},
	{"ERDP 0", 0x1038, 0, 0xfffffff7},
	{"ERDP 0 high", 0x103c, 0, 0xffffffff},
	{"IMOD 7", 0x1104, 4000, 0xffff},
	{"ERDP 7 high", 0x111c, 0, 0xffffffff},
	{"doorbell 0", 0x2000, 0, 0},
	{"doorbell 255", 0x23fc, 0, 0},
	{"behind the doorbells", 0x2400, 0, 0},
	{"the last", 0x3ffc, 0, 0},
};

static const struct xhci_config config = {
	.usb2_ports = 4, .usb3_ports = 4, .scratchpads = 3};

static void reset_values(void **state)
{
	struct fake *f = fake_new_cfg(&config);

	(void)state;
	for (unsigned i = 0; i < sizeof(regs) / sizeof(regs[0]); i++)
		if (rd(f, regs[i].off) != regs[i].reset)
			fail_msg("%s is %x", regs[i].name, rd(f, regs[i].off));
	/* AC64, BNC, PPC, LHRC, LTC, PAE, SPC, SEC, xECP; no CFC at 0x800 */
	assert_int_equal(rd(f, CAP_HCCPARAMS1) & 0xffff0fff, 0x0200076b);
	fake_free(f);
}

/* Ones, zeroes and a pattern; HCRST brings the reset values back. */
static void writable_bits(void **state)
{
	static const uint32_t v[] = {0xffffffff, 0, 0xa5a5a5a5, 0x5a5a5a5a};

	(void)state;
	for (unsigned i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
		const struct reg *r = &regs[i];
		struct fake *f = fake_new_cfg(&config);

		for (unsigned k = 0; k < 4; k++) {
			uint32_t set = v[k], want;

			if (r->off == REG_CMD)
				set &= ~(uint32_t)(CMD_HCRST | CMD_LHCRST |
						   CMD_RS);
			if (r->off == 0x444)
				set &= ~PORTPMSC_TEST; /* emu_port_test.c */
			if (r->off == 0x440 || r->off == 0x4b0)
				set |= PORTSC_PP; /* has a test of its own */
			if (r->off == 0x1028)
				set &= 0xf;
			want = (r->reset & ~r->writable) | (set & r->writable);
			wr(f, r->off, set);
			/* IMODC counts where it is written, §5.5.2.2 */
			if ((rd(f, r->off) &
			     (r->off % 0x20 == 4 && r->off > 0x1000 ? 0xffff
								    : ~0u)) !=
			    want)
				fail_msg("%s: %x, not %x", r->name,
					 rd(f, r->off), want);
		}
		wr(f, REG_CMD, CMD_HCRST);
		run(f);
		for (unsigned k = 0; k < sizeof(regs) / sizeof(regs[0]); k++)
			if (rd(f, regs[k].off) != regs[k].reset)
				fail_msg("%s is %x after reset", regs[k].name,
					 rd(f, regs[k].off));
		fake_free(f);
	}
}

/* The whole space can be written with anything in any size. */
static void any_access_is_harmless(void **state)
{
	static const unsigned sizes[] = {0, 1, 2, 3, 4, 5, 8, 16, 4096, ~0u};
	struct fake *f = fake_new_cfg(&config);

	(void)state;
	for (unsigned s = 0; s < 10; s++)
		for (uint32_t off = 0; off < XHCI_MMIO_SIZE + 64; off++) {
			xhci_mmio_write(f->x, off, sizes[s], ~0ull);
			xhci_mmio_read(f->x, off, sizes[s]);
			xhci_mmio_write(f->x, off, sizes[s], 0);
		}
	xhci_mmio_write(f->x, ~0u, 4, ~0ull);
	assert_int_equal(xhci_mmio_read(f->x, ~0u - 3, 4), 0);
	assert_int_equal(xhci_mmio_read(f->x, ~0u - 7, 8), 0);
	run(f);
	/* none of that, with R/S never set, touched guest memory */
	assert_int_equal(f->accesses, 0);
	fake_free(f);
}

static void parts_of_a_register_can_be_read(void **state)
{
	struct fake *f = fake_new_cfg(&config);

	(void)state;
	assert_int_equal(xhci_mmio_read(f->x, 0, 1), 0x40); /* CAPLENGTH */
	assert_int_equal(xhci_mmio_read(f->x, 1, 1), 0);
	assert_int_equal(xhci_mmio_read(f->x, 2, 2), 0x120); /* HCIVERSION */
	assert_int_equal(xhci_mmio_read(f->x, 3, 1), 1);
	assert_int_equal(xhci_mmio_read(f->x, 0, 8),
			 0x01200040 | (64ull | 8 << 8 | 8u << 24) << 32);
	/* not aligned: 0 */
	assert_int_equal(xhci_mmio_read(f->x, 1, 2), 0);
	assert_int_equal(xhci_mmio_read(f->x, 2, 4), 0);
	assert_int_equal(xhci_mmio_read(f->x, 4, 8), 0);
	/* wrong size: 0 */
	assert_int_equal(xhci_mmio_read(f->x, 0, 3), 0);
	assert_int_equal(xhci_mmio_read(f->x, 0, 16), 0);
	/* past the end: 0 */
	assert_int_equal(xhci_mmio_read(f->x, XHCI_MMIO_SIZE, 4), 0);
	/* writes smaller than a dword do nothing to these */
	xhci_mmio_write(f->x, OP(OP_DNCTRL), 1, 0xff);
	xhci_mmio_write(f->x, OP(OP_DNCTRL), 2, 0xffff);
	assert_int_equal(rd(f, OP(OP_DNCTRL)), 0);
	xhci_mmio_write(f->x, OP(OP_DNCTRL) + 2, 4, ~0u);
	assert_int_equal(rd(f, OP(OP_DNCTRL)), 0);
	fake_free(f);
}

/* §5.1: two dwords in either order, or one qword */
static void qword_registers(void **state)
{
	static const uint32_t off[] = {OP(OP_DCBAAP), 0x1030, 0x1038};
	const uint64_t v = 0x0123456789abcdc0;

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		for (unsigned how = 0; how < 3; how++) {
			struct fake *f = fake_new();

			if (how == 0) {
				wr(f, off[i], (uint32_t)v);
				wr(f, off[i] + 4, (uint32_t)(v >> 32));
			} else if (how == 1) {
				wr(f, off[i] + 4, (uint32_t)(v >> 32));
				wr(f, off[i], (uint32_t)v);
			} else {
				xhci_mmio_write(f->x, off[i], 8, v);
			}
			assert_true(xhci_mmio_read(f->x, off[i], 8) == v);
			fake_free(f);
		}
	/* CRCR cannot be read: what it points to tells */
	for (unsigned how = 0; how < 3; how++) {
		struct fake *f = fake_new();

		start(f);
		wr(f, REG_CMD, 0);
		put(f, 0x9000, 0, 0, T(NOOP_CMD) | TRB_C);
		wr(f, REG_CRCR + 4, how == 1 ? 0 : 0x55);
		wr(f, REG_CRCR, 0x9001);
		if (how == 0)
			wr(f, REG_CRCR + 4, 0);
		if (how == 2)
			xhci_mmio_write(f->x, REG_CRCR, 8, 0x9001);
		wr(f, REG_CMD, CMD_ON);
		wr(f, OFF_DB, 0);
		run(f);
		ev_drain(f, 0);
		assert_int_equal(f->nseen, 1);
		assert_int_equal(f->seen[0].param, 0x9000);
		fake_free(f);
	}
}

/* §7.1.1: the OS asks, and has it at once; byte accesses are the rule here */
static void legacy_support_handoff(void **state)
{
	struct fake *f = fake_new();
	uint32_t at = (rd(f, CAP_HCCPARAMS1) >> 16) * 4;

	(void)state;
	assert_int_equal(rd(f, at) & 0xff, 1);
	assert_int_equal(rd(f, at) >> 16, 0);
	/* a BIOS takes it first */
	xhci_mmio_write(f->x, at + 2, 1, 1);
	assert_int_equal(rd(f, at) >> 16, 1);
	/* the OS: sets its semaphore, waits for the BIOS's to go */
	xhci_mmio_write(f->x, at + 3, 1, 1);
	assert_int_equal(rd(f, at) >> 16, 0x100);
	wr(f, at, rd(f, at));
	assert_int_equal(rd(f, at) >> 16, 0x100);
	/* SMI control: nothing there */
	wr(f, at + 4, ~0u);
	assert_int_equal(rd(f, at + 4), 0);
	/* dword access does the same */
	wr(f, at, 0);
	assert_int_equal(rd(f, at) >> 16, 0);
	wr(f, at, LEGSUP_OS | LEGSUP_BIOS);
	assert_int_equal(rd(f, at) >> 16, 0x100);
	fake_free(f);
}

/* §7: a chain of capabilities that ends, with the ports in two protocols */
static void protocol_capabilities(void **state)
{
	(void)state;
	for (unsigned p3 = 0; p3 <= 15; p3 += 3) {
		struct xhci_config cfg = {.usb2_ports = (uint8_t)(15 - p3 / 2),
					  .usb3_ports = (uint8_t)p3};
		struct fake *f = fake_new_cfg(&cfg);
		uint32_t at = (rd(f, CAP_HCCPARAMS1) >> 16) * 4, next;
		unsigned protocols = 0, ports = 0, psic;

		do {
			uint32_t d0 = rd(f, at), d2 = rd(f, at + 8);

			next = d0 >> 8 & 0xff;
			if ((d0 & 0xff) == 2) {
				bool usb3 = d0 >> 24 == 3;

				assert_int_equal(rd(f, at + 4), 0x20425355);
				assert_int_equal(d2 & 0xff, ports + 1);
				/* no L1 by hardware, no tiers of hubs */
				assert_int_equal(d2 >> 16 & 0xfff, 0);
				assert_int_equal(d2 >> 8 & 0xff,
						 usb3 ? p3 : cfg.usb2_ports);
				assert_int_equal(rd(f, at + 12) & 31, 0);
				ports += d2 >> 8 & 0xff;
				psic = d2 >> 28;
				for (unsigned k = 0; k < psic; k++)
					assert_int_equal(
						rd(f, at + 16 + 4 * k) & 15,
						USB_SPEED_SUPER + k);
				protocols++;
			}
			at += next * 4;
		} while (next);
		assert_int_equal(protocols, p3 ? 2 : 1);
		assert_int_equal(ports, xhci_nports(f->x));
		assert_int_equal(ports, rd(f, CAP_HCSPARAMS1) >> 24);
		fake_free(f);
	}
}

/* R/S and HCHalted; what only changes while halted */
static void run_and_halt(void **state)
{
	struct fake *f = fake_new();

	(void)state;
	start(f);
	assert_int_equal(rd(f, REG_STS) & (STS_HCH | STS_CNR), 0);
	wr(f, OFF_OP + OP_CONFIG, 1); /* MaxSlotsEn: not while running */
	assert_int_equal(rd(f, OFF_OP + OP_CONFIG), XHCI_MAX_SLOTS);
	wr(f, REG_CMD, 0);
	assert_true(rd(f, REG_STS) & STS_HCH);
	wr(f, OFF_OP + OP_CONFIG, 1);
	assert_int_equal(rd(f, OFF_OP + OP_CONFIG), 1);
	/* doorbells do nothing while halted */
	cmd_post(f, 0, 0, T(NOOP_CMD));
	run(f);
	assert_int_equal(xhci_stats(f->x)->commands, 0);
	fake_free(f);
}

/* MFINDEX: microframes while running, made when read, 14 bits */
static void mfindex_counts_microframes(void **state)
{
	struct fake *f = fake_new();
	uint32_t at = OFF_RT + RT_MFINDEX;

	(void)state;
	f->now += 1000000;
	assert_int_equal(rd(f, at), 0);
	start(f);
	assert_int_equal(f->timer_at, NO_TIME); /* no tick for it */
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(rd(f, at), i);
		f->now += 124999;
		assert_int_equal(rd(f, at), i);
		f->now += 1;
	}
	/* stands still while halted, goes on then */
	wr(f, REG_CMD, 0);
	f->now += 7000000;
	assert_int_equal(rd(f, at), 100);
	wr(f, REG_CMD, CMD_ON);
	assert_int_equal(rd(f, at), 100);
	f->now += (0x4000 - 100) * 125000ull;
	assert_int_equal(rd(f, at), 0); /* wrapped */
	fake_free(f);
}

/* §4.14.2: EWE: an event each 2.048 s, and no timer without it */
static void mfindex_wrap_event(void **state)
{
	struct fake *f = fake_new();
	const uint64_t lap = 0x4000 * 125000ull;

	(void)state;
	start(f);
	advance(f, 3 * lap);
	assert_int_equal(ev_drain(f, 0), 0);
	wr(f, REG_CMD, CMD_ON | CMD_EWE);
	for (unsigned i = 0; i < 3; i++) {
		advance(f, lap - 1);
		assert_int_equal(ev_drain(f, 0), 0);
		advance(f, 1);
		assert_int_equal(ev_drain(f, 0), 1);
		assert_int_equal(EV_TYPE(&f->seen[i]), TRB_EV_MFINDEX_WRAP);
		assert_int_equal(EV_CC(&f->seen[i]), CC_SUCCESS);
		assert_int_equal(rd(f, OFF_RT + RT_MFINDEX), 0);
	}
	/* too early and without cause: harmless */
	xhci_timer(f->x);
	assert_int_equal(ev_drain(f, 0), 0);
	wr(f, REG_CMD, CMD_ON);
	assert_int_equal(f->timer_at, NO_TIME);
	fake_free(f);
}

static void configurations_that_cannot_be(void **state)
{
	static const struct xhci_config bad[] = {
		{.usb2_ports = 0, .usb3_ports = 4},
		{.usb2_ports = 16},
		{.usb2_ports = 1, .usb3_ports = 16},
		{.usb2_ports = 1, .scratchpads = 32},
	};
	struct xhci *x = NULL;
	struct fake f = {0};

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(xhci_create(&bad[i], &fake_ops, &f, &x),
				 -EINVAL);
	assert_null(x);
	xhci_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_values),
		cmocka_unit_test(writable_bits),
		cmocka_unit_test(any_access_is_harmless),
		cmocka_unit_test(parts_of_a_register_can_be_read),
		cmocka_unit_test(qword_registers),
		cmocka_unit_test(legacy_support_handoff),
		cmocka_unit_test(protocol_capabilities),
		cmocka_unit_test(run_and_halt),
		cmocka_unit_test(mfindex_counts_microframes),
		cmocka_unit_test(mfindex_wrap_event),
		cmocka_unit_test(configurations_that_cannot_be),
	};

	return cmocka_run_group_tests_name("emu_regs", tests, NULL, NULL);
}
