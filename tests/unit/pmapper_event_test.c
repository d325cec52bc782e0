/* SPDX-License-Identifier: BSD-2-Clause */
/* What a device says of itself: gone, reset done, wake. Told from run only. */
#include "tests/unit/pmapper_fake.h"

static void gone_disconnects_from_run_only(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);

	f->hold_cancelled = true;
	rig_submit(rig, 1, rig_xfer(rig, 0));
	usb_dev_gone(&f->d);
	usb_dev_gone(&f->d);
	assert_told(rig, "");
	assert_int_equal(f->ncancelled, 0);
	assert_int_equal(rig->kicks, 1);
	assert_int_equal(rig_submit(rig, 1, rig_xfer(rig, 1)), -ENODEV);
	assert_int_equal(f->submits, 1);
	rig_run(rig);
	assert_told(rig, "-1 ");
	assert_int_equal(f->ncancelled, 1);
	usb_dev_gone(&f->d);
	rig_run(rig);
	assert_told(rig, "");
	assert_int_equal(rig->frees, 0);
	fake_complete(f, &rig->t[0], USB_NODEV, 0);
	rig_run(rig);
	assert_int_equal(rig->x.ndone, 1);
	assert_int_equal(rig->frees, 1);
}

static void gone_in_submit(void **state)
{
	static const struct {
		enum fake_how how;
		int want;
		unsigned ndone;
	} cases[] = {
		{FAKE_GONE_HOLD, 0, 1},
		{FAKE_GONE_COMPLETE, 0, 1},
		{FAKE_NODEV, -ENODEV, 0},
	};
	struct rig *rig = *state;
	unsigned i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_dev *f = fake_plug(rig, 1);

		rig->x.ndone = 0;
		f->how = cases[i].how;
		assert_int_equal(rig_submit(rig, 1, rig_xfer(rig, 0)),
				 cases[i].want);
		rig_run(rig);
		assert_told(rig, "-1 ");
		assert_int_equal(rig->x.ndone, cases[i].ndone);
		assert_int_equal(rig->frees, i + 1);
	}
}

static void gone_in_cancel(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);

	f->gone_in_cancel = true;
	rig_submit(rig, 1, rig_xfer(rig, 0));
	rig_submit(rig, 1, rig_xfer(rig, 1));
	rig_cancel(rig, 1, &rig->t[1]);
	assert_told(rig, "");
	rig_run(rig);
	assert_told(rig, "-1 ");
	assert_int_equal(rig->x.ndone, 2);
	assert_int_equal(rig->frees, 1);
}

static void gone_and_detached(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);

	usb_dev_gone(&f->d);
	pmapper_detach(rig->pm, 1);
	assert_told(rig, "-1 ");
	rig_run(rig);
	assert_told(rig, "");
	assert_int_equal(rig->frees, 1);
	f = fake_plug(rig, 1);
	pmapper_detach(rig->pm, 1);
	usb_dev_gone(&f->d);
	assert_told(rig, "-1 ");
	rig_run(rig);
	assert_told(rig, "");
	assert_int_equal(rig->frees, 2);
}

static void one_that_comes_back_gets_its_port_at_once(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 3);
	struct fake_dev *g = fake_create(rig, USB_SPEED_FULL);
	unsigned port;

	usb_dev_gone(&f->d);
	assert_int_equal(pmapper_attach(rig->pm, &g->d, 3, &port), 0);
	assert_told(rig, "-3 +3 ");
	rig_run(rig);
	assert_told(rig, "");
	assert_int_equal(rig->frees, 1);
	assert_ptr_equal(pmapper_device(rig->pm, 3), &g->d);
}

/* What came before the disconnect is told before it. */
static void order_of_completions_and_gone(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	unsigned i;

	for (i = 0; i < 300; i++)
		rig_submit(rig, 1, rig_xfer(rig, i));
	for (i = 0; i < 256; i++)
		fake_complete(f, &rig->t[i], USB_OK, 0);
	usb_dev_gone(&f->d);
	assert_true(pmapper_run(rig->pm));
	assert_told(rig, "");
	assert_int_equal(rig->x.ndone, 256);
	rig_run(rig);
	assert_told(rig, "-1 ");
	assert_int_equal(rig->x.ndone, 300);
	assert_int_equal(rig->frees, 1);
}

static void reset_is_forwarded_and_answered_from_run(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 2);

	rig_reset(rig, 2);
	assert_int_equal(f->resets, 1);
	rig_run(rig);
	assert_told(rig, "");
	usb_dev_reset_done(&f->d, false);
	assert_told(rig, "");
	assert_int_equal(rig->kicks, 1);
	rig_run(rig);
	assert_told(rig, "r2:0 ");
	f->reset_inside = true;
	rig_reset(rig, 2);
	assert_told(rig, "");
	rig_run(rig);
	assert_told(rig, "r2:1 ");
	assert_int_equal(f->resets, 2);
}

static void resets_are_coalesced(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);

	rig_reset(rig, 1);
	rig_reset(rig, 1);
	assert_int_equal(f->resets, 1);
	usb_dev_reset_done(&f->d, true);
	rig_reset(rig, 1); /* answered, but the controller has not heard */
	assert_int_equal(f->resets, 1);
	rig_run(rig);
	assert_told(rig, "r1:1 ");
	rig_reset(rig, 1);
	assert_int_equal(f->resets, 2);
	usb_dev_reset_done(&f->d, true);
	rig_run(rig);
	assert_told(rig, "r1:1 ");
}

static void reset_done_nobody_asked_for(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);

	usb_dev_reset_done(&f->d, true);
	rig_reset(rig, 1);
	usb_dev_reset_done(&f->d, true);
	usb_dev_reset_done(&f->d, false);
	rig_run(rig);
	assert_told(rig, "r1:1 ");
	assert_int_equal(rig->logs, 2);
}

static void reset_done_after_leaving_is_dropped_but_waited_for(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);

	rig_reset(rig, 1);
	pmapper_detach(rig->pm, 1);
	assert_told(rig, "-1 ");
	fake_plug(rig, 1);
	rig_run(rig);
	assert_int_equal(rig->frees, 0);
	usb_dev_reset_done(&f->d, true);
	rig_run(rig);
	assert_told(rig, "");
	assert_int_equal(rig->frees, 1);
}

static void reset_of_one_that_goes(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);

	rig_reset(rig, 1);
	usb_dev_reset_done(&f->d, true);
	usb_dev_wake(&f->d);
	usb_dev_gone(&f->d);
	rig_reset(rig, 1);
	assert_int_equal(f->resets, 1);
	rig_run(rig);
	assert_told(rig, "-1 ");
	assert_int_equal(rig->frees, 1);
}

static void wake_comes_from_run(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 3);

	usb_dev_wake(&f->d);
	usb_dev_wake(&f->d);
	assert_told(rig, "");
	rig_run(rig);
	assert_told(rig, "w3 ");
	usb_dev_wake(&f->d);
	pmapper_detach(rig->pm, 3);
	rig_run(rig);
	assert_told(rig, "-3 ");
	assert_int_equal(rig->frees, 1);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(gone_disconnects_from_run_only),
		T(gone_in_submit),
		T(gone_in_cancel),
		T(gone_and_detached),
		T(one_that_comes_back_gets_its_port_at_once),
		T(order_of_completions_and_gone),
		T(reset_is_forwarded_and_answered_from_run),
		T(resets_are_coalesced),
		T(reset_done_nobody_asked_for),
		T(reset_done_after_leaving_is_dropped_but_waited_for),
		T(reset_of_one_that_goes),
		T(wake_comes_from_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
