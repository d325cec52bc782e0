/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tap: every kind is told, with what belongs to it, and a controller that
 * has one does the same as one that has none. Names of registers.
 */
#include "tests/unit/emu_drv.h"

struct told {
	unsigned n[XHCI_TAP_NKINDS];
	struct xhci_tap_rec last[XHCI_TAP_NKINDS];
};

static void on_rec(void *tap, const struct xhci_tap_rec *rec)
{
	struct told *t = tap;

	assert_true(rec->kind < XHCI_TAP_NKINDS);
	assert_true(rec->len <= XHCI_TAP_DATA);
	assert_true(rec->len == 0 || rec->data);
	t->n[rec->kind]++;
	t->last[rec->kind] = *rec;
}

static const struct xhci_tap_ops tap_ops = {.rec = on_rec};

/* A bit of everything that a controller does */
static void work(struct fake *f)
{
	uint64_t at = G_RING(DCI_IN), ctx = galloc(f, 32);

	start(f);
	port_up(f, 5);
	slot_new(f);
	address(f, 1, 5, false);
	configure(f, 1);
	wr(f, OFF_OP + OP_DNCTRL, 2);
	at = put(f, at, 0x400000, 100, T(NORMAL) | TRB_C | TRB_IOC);
	put(f, at, 0x400000, 100, T(NORMAL) | TRB_C | TRB_IOC);
	put(f, G_RING(DCI_OUT), 0x1122334455667788, 5,
	    T(NORMAL) | TRB_C | TRB_IOC | TRB_IDT);
	ring_db(f, 1, DCI_OUT);
	dev_end_all(&f->dev[5], USB_OK);
	ring_db(f, 1, DCI_IN);
	dev_end(&f->dev[5], 0, USB_OK, 100);
	cmd_post(f, 0, 0, T(STOP_EP) | SLOT(1) | EP(DCI_IN));
	run(f);
	dev_end_all(&f->dev[5], USB_CANCELLED);
	cmd(f, ctx, 0, T(GET_PORT_BW) | EP(USB_SPEED_HIGH));
	cmd(f, 0x20000000, 0, T(GET_PORT_BW) | EP(USB_SPEED_HIGH));
	wr(f, REG_PORTSC(5), PORTSC_PP | PORTSC_LWS | PLS_U3 << 5);
	xhci_port_wake(f->x, 5);
	wr(f, REG_PORTSC(5), PORTSC_PP | PORTSC_LWS);
	wr(f, REG_PORTSC(5), PORTSC_PP | PORTSC_PR);
	xhci_port_reset_done(f->x, 5, true);
	xhci_port_notify(f->x, 5, 1, 2);
	xhci_port_fault(f->x, 5, XHCI_FAULT_LINK);
	xhci_port_disconnect(f->x, 5);
	wr(f, REG_CMD, CMD_ON | CMD_EWE);
	advance(f, 3000000000);
	cmd(f, 0, 0, T(CONFIGURE_EP) | SLOT(1) | TRB_DC);
	xhci_set_intr_mode(f->x, XHCI_INTR_PIN);
	cmd(f, 0, 0, T(NOOP_CMD));
	xhci_set_bus_master(f->x, false);
	xhci_reset(f->x);
}

static void every_kind_is_told(void **state)
{
	static struct told t;
	struct fake *f = fake_new(), *plain = fake_new();

	(void)state;
	assert_int_equal(xhci_set_tap(f->x, &tap_ops, &t), 0);
	assert_int_equal(xhci_set_tap(f->x, &tap_ops, &t), -EBUSY);
	/* an endpoint that goes while its device is there */
	work(f);
	work(plain);
	assert_memory_equal(f->mem, plain->mem, MEM_SIZE);
	assert_memory_equal(&f->msgs, &plain->msgs, sizeof(f->msgs));
	assert_memory_equal(xhci_stats(f->x), xhci_stats(plain->x),
			    sizeof(struct xhci_stats));
	for (unsigned k = 0; k < XHCI_TAP_NKINDS; k++)
		if (!t.n[k] && k != XHCI_TAP_EP_DISABLE)
			fail_msg("kind %u was never told", k);
	assert_int_equal(t.last[XHCI_TAP_PORT_FAULT].arg[0], 5);
	assert_int_equal(t.last[XHCI_TAP_NOTIFY].arg[2], 2);
	assert_int_equal(t.n[XHCI_TAP_SUBMIT], t.n[XHCI_TAP_XFER_DONE]);
	fake_free(f);
	fake_free(plain);
}

static void names_of_registers(void **state)
{
	static const struct {
		uint32_t off;
		const char *name;
	} rows[] = {
		{0x00, "CAPLENGTH"},
		{0x02, "HCIVERSION"},
		{0x03, "HCIVERSION+1"},
		{0x01, "Reserved"},
		{OFF_OP, "USBCMD"},
		{OFF_OP + OP_DCBAAP + 4, "DCBAAP+4"},
		{REG_PORTSC(3), "PORTSC 3"},
		{REG_PORTSC(30) + 12, "PORTHLPMC 30"},
		{OFF_XECP + 8, "Extended Capabilities+8"},
		{OFF_RT, "MFINDEX"},
		{REG_IR(2, IR_ERDP), "ERDP 2"},
		{REG_IR(2, 12), "Reserved 2"},
		{OFF_DB + 4, "Doorbell 1"},
		{OFF_DB + 6, "Doorbell 1+2"},
	};
	char buf[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(reg_name(rows[i].off, buf, sizeof(buf)),
				    rows[i].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_told),
		cmocka_unit_test(names_of_registers),
	};

	return cmocka_run_group_tests_name("emu_tap", tests, NULL, NULL);
}
