/* SPDX-License-Identifier: BSD-2-Clause */
/* Which requests on EP0 reach a device, and which way. */
#include "tests/unit/pmapper_fake.h"

#include "pmapper/mapper.h"

#define DEV 0x00
#define IFACE 0x01
#define EP 0x02
#define IN 0x80
#define CLASS 0x20
#define VENDOR 0x40

struct classify_case {
	const char *what;
	struct usb_setup setup;
	enum control_class class;
	enum usb_state_req req;
};

static const struct classify_case cases[] = {
	/* USB 2.0 §9.4 table 9-3, USB 3.2 table 9-4, in their order */
	{"CLEAR_FEATURE REMOTE_WAKEUP", {DEV, 1, 1, 0, 0}, CONTROL_PASS, 0},
	{"CLEAR_FEATURE FUNCTION_SUSPEND",
	 {IFACE, 1, 0, 0, 0},
	 CONTROL_PASS,
	 0},
	{"CLEAR_FEATURE HALT, IN endpoint",
	 {EP, 1, 0, 0x81, 0},
	 CONTROL_STATE,
	 USB_CLEAR_HALT},
	{"CLEAR_FEATURE HALT, OUT endpoint",
	 {EP, 1, 0, 0x02, 0},
	 CONTROL_STATE,
	 USB_CLEAR_HALT},
	{"CLEAR_FEATURE HALT, EP0", {EP, 1, 0, 0x00, 0}, CONTROL_PASS, 0},
	{"CLEAR_FEATURE HALT, EP0 IN", {EP, 1, 0, 0x80, 0}, CONTROL_PASS, 0},
	{"CLEAR_FEATURE other, endpoint", {EP, 1, 1, 0x81, 0}, CONTROL_PASS, 0},
	{"GET_CONFIGURATION", {IN | DEV, 8, 0, 0, 1}, CONTROL_PASS, 0},
	{"GET_DESCRIPTOR", {IN | DEV, 6, 0x100, 0, 18}, CONTROL_PASS, 0},
	{"GET_DESCRIPTOR, interface",
	 {IN | IFACE, 6, 0x2200, 0, 64},
	 CONTROL_PASS,
	 0},
	{"GET_INTERFACE", {IN | IFACE, 10, 0, 1, 1}, CONTROL_PASS, 0},
	{"GET_STATUS, device", {IN | DEV, 0, 0, 0, 2}, CONTROL_PASS, 0},
	{"GET_STATUS, interface", {IN | IFACE, 0, 0, 1, 2}, CONTROL_PASS, 0},
	{"GET_STATUS, endpoint", {IN | EP, 0, 0, 0x81, 2}, CONTROL_PASS, 0},
	{"SET_ADDRESS", {DEV, 5, 7, 0, 0}, CONTROL_ANSWER, 0},
	{"SET_CONFIGURATION", {DEV, 9, 1, 0, 0}, CONTROL_STATE, USB_SET_CONFIG},
	{"SET_CONFIGURATION 0",
	 {DEV, 9, 0, 0, 0},
	 CONTROL_STATE,
	 USB_SET_CONFIG},
	{"SET_DESCRIPTOR", {DEV, 7, 0x200, 0, 9}, CONTROL_PASS, 0},
	{"SET_FEATURE REMOTE_WAKEUP", {DEV, 3, 1, 0, 0}, CONTROL_PASS, 0},
	{"SET_FEATURE TEST_MODE", {DEV, 3, 2, 0x0400, 0}, CONTROL_DENY, 0},
	{"SET_FEATURE B_HNP_ENABLE", {DEV, 3, 3, 0, 0}, CONTROL_PASS, 0},
	{"SET_FEATURE U1_ENABLE", {DEV, 3, 48, 0, 0}, CONTROL_PASS, 0},
	{"SET_FEATURE HALT", {EP, 3, 0, 0x81, 0}, CONTROL_PASS, 0},
	{"SET_FEATURE FUNCTION_SUSPEND", {IFACE, 3, 0, 0, 0}, CONTROL_PASS, 0},
	{"SET_INTERFACE",
	 {IFACE, 11, 1, 2, 0},
	 CONTROL_STATE,
	 USB_SET_INTERFACE},
	{"SYNCH_FRAME", {IN | EP, 12, 0, 0x81, 2}, CONTROL_PASS, 0},
	{"SET_SEL", {DEV, 48, 0, 0, 6}, CONTROL_PASS, 0},
	{"SET_ISOCH_DELAY", {DEV, 49, 40, 0, 0}, CONTROL_PASS, 0},
	{"reserved 2", {DEV, 2, 0, 0, 0}, CONTROL_PASS, 0},
	{"reserved 4", {DEV, 4, 0, 0, 0}, CONTROL_PASS, 0},
	/* no data stage: the direction is ignored, USB 2.0 §9.3.1 */
	{"SET_ADDRESS as IN", {IN | DEV, 5, 7, 0, 0}, CONTROL_ANSWER, 0},
	{"SET_CONFIGURATION as IN",
	 {IN | DEV, 9, 1, 0, 0},
	 CONTROL_STATE,
	 USB_SET_CONFIG},
	{"TEST_MODE as IN", {IN | DEV, 3, 2, 0, 0}, CONTROL_DENY, 0},
	/* forms that are not defined do not get past either */
	{"SET_ADDRESS, data", {DEV, 5, 7, 0, 1}, CONTROL_DENY, 0},
	{"SET_ADDRESS, interface", {IFACE, 5, 7, 0, 0}, CONTROL_DENY, 0},
	{"SET_CONFIGURATION, data", {DEV, 9, 1, 0, 8}, CONTROL_DENY, 0},
	{"SET_CONFIGURATION, endpoint", {EP, 9, 1, 0, 0}, CONTROL_DENY, 0},
	{"SET_INTERFACE, device", {DEV, 11, 1, 2, 0}, CONTROL_DENY, 0},
	{"CLEAR_FEATURE HALT, data", {EP, 1, 0, 0x81, 2}, CONTROL_DENY, 0},
	{"TEST_MODE, data", {DEV, 3, 2, 0, 4}, CONTROL_DENY, 0},
	/* the same numbers mean something else in another type */
	{"HID SET_REPORT", {CLASS | IFACE, 9, 0x200, 0, 1}, CONTROL_PASS, 0},
	{"HID SET_PROTOCOL", {CLASS | IFACE, 11, 0, 0, 0}, CONTROL_PASS, 0},
	{"vendor 5", {VENDOR | DEV, 5, 0, 0, 0}, CONTROL_PASS, 0},
	{"vendor 3", {VENDOR | DEV, 3, 2, 0, 0}, CONTROL_PASS, 0},
	{"reserved type", {0x60 | DEV, 9, 1, 0, 0}, CONTROL_PASS, 0},
};

static void classify_follows_the_table(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum usb_state_req req = (enum usb_state_req)99;
		enum control_class class;

		class = control_classify(&cases[i].setup, &req);
		if (class != cases[i].class)
			fail_msg("%s: class %d, not %d", cases[i].what, class,
				 cases[i].class);
		if (class == CONTROL_STATE && req != cases[i].req)
			fail_msg("%s: request %d", cases[i].what, req);
		if (class != CONTROL_STATE && (int)req != 99)
			fail_msg("%s: request set", cases[i].what);
	}
}

static struct usb_xfer *control_xfer(struct rig *rig, struct usb_setup setup)
{
	struct usb_xfer *t = rig_xfer(rig, 0);

	t->ep = 0;
	t->type = USB_CONTROL;
	t->in = false;
	t->length = 0;
	t->setup = setup;
	return t;
}

static void set_address_is_answered_without_the_device(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	struct usb_xfer *t;

	t = control_xfer(rig, (struct usb_setup){DEV, 5, 3, 0, 0});
	assert_int_equal(rig_submit(rig, 1, t), 0);
	assert_int_equal(rig->x.ndone, 0);
	rig_run(rig);
	assert_ptr_equal(rig->x.done[0], t);
	assert_int_equal(t->status, USB_OK);
	assert_int_equal(t->actual, 0);
	assert_int_equal(f->submits + f->states, 0);
}

static void test_mode_is_stalled_without_the_device(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	struct usb_xfer *t;

	t = control_xfer(rig, (struct usb_setup){DEV, 3, 2, 0x100, 0});
	assert_int_equal(rig_submit(rig, 1, t), 0);
	rig_run(rig);
	assert_ptr_equal(rig->x.done[0], t);
	assert_int_equal(t->status, USB_STALL);
	assert_int_equal(f->submits + f->states, 0);
}

static void state_requests_go_to_state(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	struct usb_xfer *t;

	f->how = FAKE_COMPLETE;
	t = control_xfer(rig, (struct usb_setup){IFACE, 11, 1, 2, 0});
	assert_int_equal(rig_submit(rig, 1, t), 0);
	rig_run(rig);
	assert_int_equal(f->states, 1);
	assert_int_equal(f->submits, 0);
	assert_int_equal(f->last_req, USB_SET_INTERFACE);
	assert_int_equal(rig->x.ndone, 1);
}

static void state_requests_go_to_submit_without_state(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_create(rig, USB_SPEED_HIGH);
	struct usb_xfer *t;
	unsigned port;

	f->d.ops = &fake_plain_ops;
	f->how = FAKE_COMPLETE;
	assert_int_equal(pmapper_attach(rig->pm, &f->d, 1, &port), 0);
	t = control_xfer(rig, (struct usb_setup){DEV, 9, 1, 0, 0});
	assert_int_equal(rig_submit(rig, 1, t), 0);
	rig_run(rig);
	assert_int_equal(f->submits, 1);
	assert_int_equal(rig->x.ndone, 1);
}

static void state_that_fails_is_an_error_of_submit(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	struct usb_xfer *t;

	f->how = FAKE_REFUSE;
	t = control_xfer(rig, (struct usb_setup){DEV, 9, 1, 0, 0});
	assert_int_equal(rig_submit(rig, 1, t), -EIO);
	rig_run(rig);
	assert_int_equal(rig->x.ndone, 0);
}

/* What looks like a setup packet in another transfer is not one. */
static void only_ep0_is_classified(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	struct usb_xfer *t;

	t = control_xfer(rig, (struct usb_setup){DEV, 5, 3, 0, 0});
	t->ep = 0x02;
	t->type = USB_BULK;
	assert_int_equal(rig_submit(rig, 1, t), 0);
	assert_int_equal(f->submits, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classify_follows_the_table),
		cmocka_unit_test_setup_teardown(
			set_address_is_answered_without_the_device, rig_setup,
			rig_teardown),
		cmocka_unit_test_setup_teardown(
			test_mode_is_stalled_without_the_device, rig_setup,
			rig_teardown),
		cmocka_unit_test_setup_teardown(state_requests_go_to_state,
						rig_setup, rig_teardown),
		cmocka_unit_test_setup_teardown(
			state_requests_go_to_submit_without_state, rig_setup,
			rig_teardown),
		cmocka_unit_test_setup_teardown(
			state_that_fails_is_an_error_of_submit, rig_setup,
			rig_teardown),
		cmocka_unit_test_setup_teardown(only_ep0_is_classified,
						rig_setup, rig_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
