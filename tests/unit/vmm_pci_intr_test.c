/* SPDX-License-Identifier: BSD-2-Clause */
/* What the PCI function has for VMMs that want it: INTA, MSI, PME. */
#include "tests/unit/vmm_pci_fake.h"

static void on_msi(void *host, uint64_t addr, uint32_t data)
{
	struct host *h = host;

	h->nmsi++;
	h->addr = addr;
	h->data = data;
}

static void on_intx(void *host, bool level)
{
	struct host *h = host;

	assert_true(level != h->level);
	h->level = level;
	h->edges++;
}

static void on_pme(void *host)
{
	((struct host *)host)->pmes++;
}

static const struct pci_ops all_ops = {
	.msix = on_msix,
	.msi = on_msi,
	.intx = on_intx,
	.pme = on_pme,
	.intr_mode = on_enable,
	.bus_master = on_master,
};

static void begin_all(struct pci_fn *f, struct host *h)
{
	*h = (struct host){.enable = -1, .master = -1};
	pci_init(f, 0x1b36, 0x000d, &all_ops, h);
	pci_cfg_write(f, COMMAND, 2, 0x0006);
}

#define MSI 0x70

/* INTA: level, Interrupt Status and Interrupt Disable, PCI 3.0 §6.2 */
static void interrupt_pin(void **state)
{
	struct pci_fn f;
	struct host h;

	(void)state;
	begin_all(&f, &h);
	assert_int_equal(pci_cfg_read(&f, 0x3d, 1), 1);
	pci_pin(&f, true);
	assert_true(h.level);
	assert_int_equal(pci_cfg_read(&f, 6, 2), 0x18);
	pci_cfg_write(&f, COMMAND, 2, 0x0406);
	assert_false(h.level);
	assert_int_equal(pci_cfg_read(&f, 6, 2), 0x18);
	pci_cfg_write(&f, COMMAND, 2, 0x0006);
	assert_true(h.level);
	pci_pin(&f, false);
	assert_false(h.level);
	assert_int_equal(pci_cfg_read(&f, 6, 2), 0x10);
	/* messages take its place: it falls, and comes back after a reset */
	pci_pin(&f, true);
	pci_cfg_write(&f, MSIX_CONTROL, 2, 0x8000);
	assert_false(h.level);
	assert_int_equal(h.mode, PCI_INTR_MSG);
	pci_msg_fire(&f, 3);
	pci_reset(&f);
	assert_int_equal(h.mode, PCI_INTR_PIN);
	assert_true(h.level);
	pci_pin(&f, false);
	pci_msg_fire(&f, 3); /* there are no messages now */
	assert_int_equal(h.nmsi + h.fired[3], 0);
	/* a client that keeps MSI-X itself has no pin of ours */
	pci_pin(&f, true);
	pci_msix_external(&f, false);
	assert_int_equal(h.mode, PCI_INTR_NONE);
	assert_false(h.level);
}

/* MSI, PCI 3.0 §6.8: as many vectors as software says, shared by all */
static void msi_messages(void **state)
{
	struct pci_fn f;
	struct host h;

	(void)state;
	for (uint32_t mme = 0; mme < 8; mme++) {
		unsigned n = mme < 3 ? 1u << mme : 8;

		begin_all(&f, &h);
		assert_int_equal(pci_cfg_read(&f, 0x50, 2), MSI << 8 | 0x11);
		assert_int_equal(pci_cfg_read(&f, MSI, 4), 0x00860005);
		pci_cfg_write(&f, MSI + 4, 4, 0xfee01003);
		pci_cfg_write(&f, MSI + 8, 4, 0x12);
		pci_cfg_write(&f, MSI + 12, 2, 0x4567);
		pci_cfg_write(&f, MSI + 2, 2, 0xff8e | mme << 4);
		pci_msg_fire(&f, 0); /* not on yet */
		assert_int_equal(h.nmsi, 0);
		pci_cfg_write(&f, MSI + 2, 2, 1 | mme << 4);
		assert_int_equal(h.mode, PCI_INTR_MSG);
		for (unsigned i = 0; i < 8; i++) {
			pci_msg_fire(&f, i);
			assert_int_equal(h.nmsi, i + 1);
			assert_true(h.addr == 0x12fee01000);
			assert_int_equal(h.data, (0x4567 & ~(n - 1)) | i % n);
		}
		/* without bus mastering it waits */
		pci_cfg_write(&f, COMMAND, 2, 0x0002);
		pci_msg_fire(&f, 1);
		assert_int_equal(h.nmsi, 8);
		pci_cfg_write(&f, COMMAND, 2, 0x0006);
		assert_int_equal(h.nmsi, 9);
		pci_cfg_write(&f, MSI + 2, 2, 0);
		assert_int_equal(h.mode, PCI_INTR_PIN);
	}
}

/* A client that keeps the vectors has those of MSI, too: never a message */
static void msi_of_a_client(void **state)
{
	struct pci_fn f;
	struct host h;

	(void)state;
	begin_all(&f, &h);
	pci_msix_external(&f, false);
	pci_cfg_write(&f, MSI + 4, 4, 0xfee01000);
	pci_cfg_write(&f, MSI + 2, 2, 1);
	assert_int_equal(h.mode, PCI_INTR_MSG);
	pci_msg_fire(&f, 3);
	assert_int_equal(h.fired[3], 1);
	assert_int_equal(h.nmsi, 0);
	pci_cfg_write(&f, MSI + 2, 2, 0);
	assert_int_equal(h.mode, PCI_INTR_NONE);
	pci_msg_fire(&f, 3);
	assert_int_equal(h.fired[3], 1);
}

/* PME from D3hot: status for those who poll, told where it is enabled */
static void power_management_event(void **state)
{
	struct pci_fn f;
	struct host h;

	(void)state;
	begin_all(&f, &h);
	assert_int_equal(pci_cfg_read(&f, 0x42, 2), 0x4803);
	pci_pme(&f); /* in D0 software sees for itself */
	assert_int_equal(pci_cfg_read(&f, PMCSR, 2), 0x0008);
	pci_cfg_write(&f, PMCSR, 2, 0x0003);
	pci_pme(&f);
	assert_int_equal(pci_cfg_read(&f, PMCSR, 2), 0x800b);
	assert_int_equal(h.pmes, 0);
	pci_cfg_write(&f, PMCSR, 2, 0x8103);
	assert_int_equal(pci_cfg_read(&f, PMCSR, 2), 0x010b);
	pci_pme(&f);
	assert_int_equal(h.pmes, 1);
	pci_cfg_write(&f, PMCSR, 1, 0); /* D0: the status stays */
	assert_int_equal(pci_cfg_read(&f, PMCSR, 2), 0x8108);
	pci_cfg_write(&f, PMCSR + 1, 1, 0x80);
	assert_int_equal(pci_cfg_read(&f, PMCSR, 2), 0x0008);
	assert_false(pci_bar_off(&f));
	/* nobody to be told: no PME */
	begin(&f, &h);
	pci_cfg_write(&f, PMCSR, 2, 0x0103);
	pci_pme(&f);
	assert_int_equal(pci_cfg_read(&f, PMCSR, 2), 0x000b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(interrupt_pin),
		cmocka_unit_test(msi_messages),
		cmocka_unit_test(msi_of_a_client),
		cmocka_unit_test(power_management_event),
	};

	return cmocka_run_group_tests_name("vmm_pci_intr", tests, NULL, NULL);
}
