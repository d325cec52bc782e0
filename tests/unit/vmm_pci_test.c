/* SPDX-License-Identifier: BSD-2-Clause */
/* The PCI function: configuration space and MSI-X as guests probe them. */
#include "tests/unit/vmm_pci_fake.h"

/* Ready to interrupt: bus master, MSI-X on, all vectors unmasked. */
static void begin_running(struct pci_fn *f, struct host *h)
{
	begin(f, h);
	pci_cfg_write(f, COMMAND, 2, 0x0006);
	pci_cfg_write(f, MSIX_CONTROL, 2, 0x8000);
	for (uint32_t i = 0; i < PCI_MSIX_VECTORS; i++)
		pci_msix_write(f, PCI_MSIX_TABLE + 16 * i + 12, 4, 0);
}

static void registers_after_reset(void **state)
{
	static const struct {
		uint32_t off;
		unsigned size;
		uint32_t val;
	} rows[] = {
		{0x00, 2, 0x1b36},      {0x02, 2, 0x000d},
		{0x00, 4, 0x000d1b36},  {COMMAND, 2, 0},
		{0x06, 2, 0x0010},      {0x08, 4, 0x0c033001},
		{0x0e, 1, 0x00},        {0x10, 4, 0x4},
		{0x14, 4, 0},           {0x18, 4, 0},
		{0x1c, 4, 0},           {0x20, 4, 0},
		{0x24, 4, 0},           {0x2c, 4, 0x000d1b36},
		{0x30, 4, 0},           {0x34, 1, 0x40},
		{0x3d, 1, 0},           {0x40, 4, 0x00035001},
		{PMCSR, 4, 0x00000008}, {0x50, 4, 0x00070011},
		{0x54, 4, 0x4000},      {0x58, 4, 0x5000},
		{0x60, 1, 0x30},        {0x61, 1, 0x20},
		{0xfc, 4, 0},
	};
	struct pci_fn f;
	struct host h;

	(void)state;
	begin(&f, &h);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (pci_cfg_read(&f, rows[i].off, rows[i].size) != rows[i].val)
			fail_msg("%#x: %#x", rows[i].off,
				 pci_cfg_read(&f, rows[i].off, rows[i].size));
}

/* All ones written to each register: what stays. */
static void writable_bits(void **state)
{
	static const struct {
		uint32_t off;
		unsigned size;
		uint32_t val;
	} rows[] = {
		{0x00, 4, 0x000d1b36}, {COMMAND, 2, 0x0406},
		{0x06, 2, 0x0010},     {0x08, 4, 0x0c033001},
		{0x0c, 4, 0x000000ff}, {0x10, 4, 0xffff8004},
		{0x14, 4, 0xffffffff}, {0x18, 4, 0},
		{0x1c, 4, 0},          {0x20, 4, 0},
		{0x24, 4, 0},          {0x28, 4, 0},
		{0x2c, 4, 0x000d1b36}, {0x30, 4, 0},
		{0x34, 4, 0x40},       {0x3c, 4, 0x000000ff},
		{0x40, 4, 0x00035001}, {PMCSR, 4, 0x0000000b},
		{0x50, 4, 0xc0070011}, {0x54, 4, 0x4000},
		{0x58, 4, 0x5000},     {0x60, 4, 0x00003f30},
	};
	struct pci_fn f;
	struct host h;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		begin(&f, &h);
		pci_cfg_write(&f, rows[i].off, rows[i].size, 0xffffffff);
		if (pci_cfg_read(&f, rows[i].off, rows[i].size) != rows[i].val)
			fail_msg("%#x: %#x", rows[i].off,
				 pci_cfg_read(&f, rows[i].off, rows[i].size));
	}
	begin(&f, &h);
	for (uint32_t off = 0x64; off < PCI_CFG_SIZE; off += 4) {
		pci_cfg_write(&f, off, 4, 0xffffffff);
		assert_int_equal(pci_cfg_read(&f, off, 4), 0);
	}
}

static void bar_sizing_and_placing(void **state)
{
	struct pci_fn f;
	struct host h;

	(void)state;
	begin(&f, &h);
	pci_cfg_write(&f, 0x10, 4, 0xffffffff);
	pci_cfg_write(&f, 0x14, 4, 0xffffffff);
	assert_int_equal(~(pci_cfg_read(&f, 0x10, 4) & ~0xfu) + 1,
			 PCI_BAR0_SIZE);
	pci_cfg_write(&f, 0x10, 4, 0xfebf1234);
	pci_cfg_write(&f, 0x14, 4, 0x00000038);
	assert_int_equal(pci_cfg_read(&f, 0x10, 4), 0xfebf0004);
	assert_int_equal(pci_cfg_read(&f, 0x14, 4), 0x38);
	/* bytes and words reach the same register */
	pci_cfg_write(&f, 0x13, 1, 0xaa);
	pci_cfg_write(&f, 0x16, 2, 0x1234);
	assert_int_equal(pci_cfg_read(&f, 0x10, 4), 0xaabf0004);
	assert_int_equal(pci_cfg_read(&f, 0x14, 4), 0x12340038);
	assert_int_equal(pci_cfg_read(&f, 0x12, 2), 0xaabf);
	assert_int_equal(h.told, 0);
}

static void accesses_outside_do_nothing(void **state)
{
	static const struct {
		uint32_t off;
		unsigned size;
	} rows[] = {
		{256, 1}, {255, 2},        {253, 4},        {0, 3},   {0, 0},
		{0, 8},   {0xffffffff, 1}, {0xfffffffe, 4}, {16, 16},
	};
	struct pci_fn f, before;
	struct host h;

	(void)state;
	begin(&f, &h);
	before = f;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pci_cfg_write(&f, rows[i].off, rows[i].size, 0xffffffff);
		assert_int_equal(pci_cfg_read(&f, rows[i].off, rows[i].size),
				 0);
	}
	assert_memory_equal(&f, &before, sizeof(f));
}

static void bus_master_is_told_on_change(void **state)
{
	struct pci_fn f;
	struct host h;

	(void)state;
	begin(&f, &h);
	pci_cfg_write(&f, COMMAND, 2, 0x0002); /* memory space only */
	assert_int_equal(h.told, 0);
	pci_cfg_write(&f, COMMAND, 1, 0x06);
	assert_int_equal(h.master, 1);
	pci_cfg_write(&f, COMMAND, 4, 0xffff0406);
	assert_int_equal(h.told, 1);
	pci_cfg_write(&f, COMMAND, 2, 0x0402);
	assert_int_equal(h.master, 0);
	assert_int_equal(h.told, 2);
}

/* PCI PM 1.2: D0 and D3hot; D1 and D2 are written to no effect. */
static void power_states(void **state)
{
	static const struct {
		uint32_t write, read;
		int master;
	} rows[] = {
		{1, 0x8, 1}, {2, 0x8, 1}, {3, 0xb, 0},      {1, 0xb, 0},
		{2, 0xb, 0}, {0, 0x8, 1}, {0xfffc, 0x8, 1},
	};
	struct pci_fn f;
	struct host h;

	(void)state;
	begin(&f, &h);
	pci_cfg_write(&f, COMMAND, 2, 0x0006);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pci_cfg_write(&f, PMCSR, 2, rows[i].write);
		assert_int_equal(pci_cfg_read(&f, PMCSR, 2), rows[i].read);
		assert_int_equal(h.master, rows[i].master);
		assert_int_equal(pci_bar_off(&f), !rows[i].master);
	}
	/* no soft reset: the function is as it was */
	assert_int_equal(pci_cfg_read(&f, COMMAND, 2), 0x0006);
}

static void msix_table_bits(void **state)
{
	const uint32_t entry = PCI_MSIX_TABLE + 16 * 3;
	struct pci_fn f;
	struct host h;
	uint64_t addr;
	uint32_t data;
	bool masked;

	(void)state;
	begin(&f, &h);
	assert_int_equal(pci_msix_read(&f, entry + 12, 4), 1); /* masked */
	pci_msix_write(&f, entry, 4, 0xfee01007);
	pci_msix_write(&f, entry + 4, 4, 0x12);
	pci_msix_write(&f, entry + 8, 8, 0xfffffffe00004021);
	assert_int_equal(pci_msix_read(&f, entry, 8), 0x12fee01004);
	assert_int_equal(pci_msix_read(&f, entry + 8, 4), 0x4021);
	assert_int_equal(pci_msix_read(&f, entry + 12, 4), 0);
	assert_int_equal(pci_msix_read(&f, entry + 1, 1), 0x10);
	assert_int_equal(pci_msix_read(&f, entry + 2, 2), 0xfee0);
	assert_int_equal(pci_msix_entry(&f, 3, &addr, &data, &masked), 0);
	assert_int_equal(addr, 0x12fee01004);
	assert_int_equal(data, 0x4021);
	assert_false(masked);
	pci_cfg_write(&f, MSIX_CONTROL, 2, 0xc000);
	assert_int_equal(pci_msix_entry(&f, 3, &addr, &data, &masked), 0);
	assert_true(masked);
	assert_int_equal(pci_msix_entry(&f, 8, &addr, &data, &masked), -EINVAL);
	/* neighbours are untouched */
	assert_int_equal(pci_msix_read(&f, entry - 16, 8), 0);
	assert_int_equal(pci_msix_read(&f, entry + 16, 8), 0);
}

static void msix_accesses_that_do_nothing(void **state)
{
	static const struct {
		uint32_t off;
		unsigned size;
	} rows[] = {
		{PCI_MSIX_TABLE, 1},
		{PCI_MSIX_TABLE, 2},
		{PCI_MSIX_TABLE + 2, 4},
		{PCI_MSIX_TABLE + 4, 8},
		{PCI_MSIX_TABLE, 3},
		{PCI_MSIX_TABLE, 16},
		{PCI_MSIX_TABLE, 0},
		{PCI_MSIX_PBA, 4},
		{PCI_MSIX_PBA, 8},
		{PCI_MSIX_TABLE + 0x80, 4},
		{PCI_MSIX_TABLE + 0x80, 8},
		{PCI_BAR0_SIZE, 4},
		{0xfffffff8, 8},
		{0, 4},
	};
	struct pci_fn f, before;
	struct host h;

	(void)state;
	begin(&f, &h);
	before = f;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		pci_msix_write(&f, rows[i].off, rows[i].size, UINT64_MAX);
		assert_int_equal(pci_msix_read(&f, rows[i].off, rows[i].size),
				 0);
	}
	assert_memory_equal(&f, &before, sizeof(f));
}

static void vectors_fire_when_enabled(void **state)
{
	struct pci_fn f;
	struct host h;

	(void)state;
	begin(&f, &h);
	pci_cfg_write(&f, COMMAND, 2, 0x0006);
	pci_msix_write(&f, PCI_MSIX_TABLE + 12, 4, 0);
	pci_msg_fire(&f, 0); /* MSI-X is off: lost */
	assert_int_equal(h.enable, -1);
	pci_cfg_write(&f, MSIX_CONTROL + 1, 1, 0x80);
	assert_int_equal(h.enable, 1);
	assert_int_equal(h.fired[0], 0);
	pci_msg_fire(&f, 0);
	assert_int_equal(h.fired[0], 1);
	pci_msg_fire(&f, 8); /* no such vector */
	pci_cfg_write(&f, MSIX_CONTROL, 2, 0);
	assert_int_equal(h.enable, 0);
	pci_msg_fire(&f, 0);
	assert_int_equal(h.fired[0], 1);
}

static void a_masked_vector_waits(void **state)
{
	const uint32_t control = PCI_MSIX_TABLE + 16 * 5 + 12;
	struct pci_fn f;
	struct host h;

	(void)state;
	begin_running(&f, &h);
	pci_msix_write(&f, control, 4, 1);
	pci_msg_fire(&f, 5);
	pci_msg_fire(&f, 5);
	pci_msg_fire(&f, 4);
	assert_int_equal(h.fired[5], 0);
	assert_int_equal(h.fired[4], 1);
	assert_int_equal(pci_msix_read(&f, PCI_MSIX_PBA, 8), 1 << 5);
	assert_int_equal(pci_msix_read(&f, PCI_MSIX_PBA, 4), 1 << 5);
	pci_msix_write(&f, control - 4, 8, 0); /* data, unmasked */
	assert_int_equal(h.fired[5], 1);       /* one message, not two */
	assert_int_equal(pci_msix_read(&f, PCI_MSIX_PBA, 8), 0);
}

static void a_masked_function_waits(void **state)
{
	struct pci_fn f;
	struct host h;

	(void)state;
	begin_running(&f, &h);
	pci_cfg_write(&f, MSIX_CONTROL, 2, 0xc000);
	pci_msix_write(&f, PCI_MSIX_TABLE + 16 + 12, 4, 1);
	pci_msg_fire(&f, 0);
	pci_msg_fire(&f, 1);
	assert_int_equal(pci_msix_read(&f, PCI_MSIX_PBA, 8), 3);
	pci_cfg_write(&f, MSIX_CONTROL, 2, 0x8000);
	assert_int_equal(h.fired[0], 1);
	assert_int_equal(h.fired[1], 0); /* masked itself */
	assert_int_equal(pci_msix_read(&f, PCI_MSIX_PBA, 8), 2);
}

/* A message is a memory write, so it waits for bus mastering, and for D0. */
static void a_message_needs_bus_mastering(void **state)
{
	struct pci_fn f;
	struct host h;

	(void)state;
	begin_running(&f, &h);
	pci_cfg_write(&f, COMMAND, 2, 0x0002);
	pci_msg_fire(&f, 2);
	assert_int_equal(h.fired[2], 0);
	pci_cfg_write(&f, COMMAND, 2, 0x0006);
	assert_int_equal(h.fired[2], 1);
	pci_cfg_write(&f, PMCSR, 2, 3);
	pci_msg_fire(&f, 2);
	assert_int_equal(h.fired[2], 1);
	pci_cfg_write(&f, PMCSR, 2, 0);
	assert_int_equal(h.fired[2], 2);
}

static void a_client_that_keeps_the_table(void **state)
{
	struct pci_fn f;
	struct host h;

	(void)state;
	begin(&f, &h);
	pci_msix_external(&f, true);
	assert_int_equal(h.enable, 1);
	pci_msg_fire(&f, 7); /* masked in our table: not our business */
	assert_int_equal(h.fired[7], 1);
	/* the client forwards its control writes too: they say nothing */
	pci_cfg_write(&f, MSIX_CONTROL, 2, 0xc000);
	pci_cfg_write(&f, MSIX_CONTROL, 2, 0x0000);
	pci_msg_fire(&f, 7);
	assert_int_equal(h.fired[7], 2);
	assert_int_equal(h.told, 1);
	pci_reset(&f); /* the client's state is not reset by it */
	pci_msg_fire(&f, 7);
	assert_int_equal(h.fired[7], 3);
	pci_msix_external(&f, false);
	assert_int_equal(h.enable, 0);
	pci_msg_fire(&f, 7);
	assert_int_equal(h.fired[7], 3);
	pci_cfg_write(&f, MSIX_CONTROL, 2, 0x8000);
	assert_int_equal(h.enable, 0);
}

static void reset_undoes_everything(void **state)
{
	struct pci_fn f, fresh;
	struct host h;

	(void)state;
	begin(&f, &h);
	fresh = f;
	begin_running(&f, &h);
	pci_cfg_write(&f, 0x10, 4, 0xfebf0000);
	pci_cfg_write(&f, MSIX_CONTROL, 2, 0xc000);
	pci_msix_write(&f, PCI_MSIX_TABLE, 8, 0xfee00000);
	pci_msg_fire(&f, 0);
	pci_cfg_write(&f, PMCSR, 2, 3);
	pci_reset(&f);
	assert_int_equal(h.enable, 0);
	assert_int_equal(h.master, 0);
	assert_int_equal(h.fired[0], 0);
	assert_memory_equal(f.cfg, fresh.cfg, sizeof(f.cfg));
	assert_memory_equal(f.vector, fresh.vector, sizeof(f.vector));
	assert_int_equal(f.pending, 0);
	assert_false(pci_bar_off(&f));
}

/*
 * ACRN ended where a guest did what its PCI code had not expected. Here each
 * register takes each bit in each size, and the function is as it was.
 */
static void cve_2019_18844(void **state)
{
	static const uint32_t vals[] = {0, ~0u, 0x55555555, 0xaaaaaaaa, 1};
	struct pci_fn f, fresh;
	struct host h;

	(void)state;
	begin(&f, &h);
	fresh = f;
	for (uint32_t off = 0; off < 0x204; off++)
		for (unsigned size = 0; size <= 8; size++)
			for (unsigned i = 0; i < 5; i++) {
				pci_cfg_write(&f, off, size, vals[i]);
				pci_cfg_read(&f, off, size);
				pci_msix_write(&f, PCI_MSIX_TABLE + off, size,
					       vals[i] * 0x100000001u);
				pci_msix_read(&f, PCI_MSIX_TABLE + off, size);
				pci_msg_fire(&f, off);
			}
	/* what says what it is has not changed */
	assert_memory_equal(f.cfg, fresh.cfg, 4);
	assert_memory_equal(f.cfg + 8, fresh.cfg + 8, 4);
	assert_int_equal(pci_cfg_read(&f, 0x34, 1),
			 pci_cfg_read(&fresh, 0x34, 1));
	pci_reset(&f);
	assert_memory_equal(f.cfg, fresh.cfg, sizeof(f.cfg));
	assert_memory_equal(f.vector, fresh.vector, sizeof(f.vector));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_after_reset),
		cmocka_unit_test(writable_bits),
		cmocka_unit_test(bar_sizing_and_placing),
		cmocka_unit_test(accesses_outside_do_nothing),
		cmocka_unit_test(bus_master_is_told_on_change),
		cmocka_unit_test(power_states),
		cmocka_unit_test(msix_table_bits),
		cmocka_unit_test(msix_accesses_that_do_nothing),
		cmocka_unit_test(vectors_fire_when_enabled),
		cmocka_unit_test(a_masked_vector_waits),
		cmocka_unit_test(a_masked_function_waits),
		cmocka_unit_test(a_message_needs_bus_mastering),
		cmocka_unit_test(a_client_that_keeps_the_table),
		cmocka_unit_test(reset_undoes_everything),
		cmocka_unit_test(cve_2019_18844),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
