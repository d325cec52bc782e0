/* SPDX-License-Identifier: BSD-2-Clause */
/* Devices into ports and out of them, freed once. */
#include "pmapper/mapper.h"
#include "tests/unit/pmapper_fake.h"

static void port_is_chosen_by_speed(void **state)
{
	static const struct {
		enum usb_speed speed;
		unsigned port;
	} cases[] = {
		{USB_SPEED_LOW, 1},  {USB_SPEED_SUPER, 5},
		{USB_SPEED_FULL, 2}, {USB_SPEED_SUPER_PLUS, 6},
		{USB_SPEED_HIGH, 3},
	};
	struct rig *rig = *state;
	unsigned i, port;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_dev *f = fake_create(rig, cases[i].speed);

		assert_int_equal(pmapper_attach(rig->pm, &f->d, 0, &port), 0);
		assert_int_equal(port, cases[i].port);
		assert_ptr_equal(pmapper_device(rig->pm, port), &f->d);
		assert_ptr_equal(f->d.pm, rig->pm);
		assert_int_equal(rig->x.port[port].speed, cases[i].speed);
	}
	assert_told(rig, "+1 +5 +2 +6 +3 ");
}

static void attach_errors(void **state)
{
	static const struct {
		enum usb_speed speed;
		unsigned port;
		int want;
	} cases[] = {
		{USB_SPEED_HIGH, 7, -EINVAL},    {USB_SPEED_HIGH, 31, -EINVAL},
		{USB_SPEED_HIGH, ~0u, -EINVAL},  {USB_SPEED_HIGH, 5, -EINVAL},
		{USB_SPEED_SUPER, 1, -EINVAL},   {USB_SPEED_NONE, 1, -EINVAL},
		{(enum usb_speed)9, 0, -EINVAL}, {USB_SPEED_HIGH, 2, -EBUSY},
		{USB_SPEED_SUPER, 0, -ENOSPC},
	};
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 2);
	unsigned i, port = 77;

	rig->x.port[5].ops = rig->x.port[2].ops; /* taken by someone else */
	rig->x.port[6].ops = rig->x.port[2].ops;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_dev *g = fake_create(rig, cases[i].speed);
		int r;

		r = pmapper_attach(rig->pm, &g->d, cases[i].port, &port);
		if (r != cases[i].want)
			fail_msg("case %u: %d", i, r);
		assert_int_equal(port, 77);
		assert_null(g->d.pm);
		assert_null(g->d.pd);
		free(g);
	}
	assert_int_equal(pmapper_attach(rig->pm, &f->d, 3, &port), -EBUSY);
	assert_told(rig, "");
	assert_int_equal(rig->frees, 0);
}

static void attach_gives_back_what_the_controller_refused(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_create(rig, USB_SPEED_HIGH);
	unsigned port = 77;

	rig->x.connect_error = -EBUSY;
	assert_int_equal(pmapper_attach(rig->pm, &f->d, 0, &port), -EBUSY);
	assert_false(pmapper_busy(rig->pm));
	assert_null(f->d.pd);
	assert_null(pmapper_device(rig->pm, 1));
	rig->x.connect_error = 0;
	assert_int_equal(pmapper_attach(rig->pm, &f->d, 0, &port), 0);
	assert_int_equal(port, 1);
}

static void detach_frees_at_the_next_run(void **state)
{
	struct rig *rig = *state;

	fake_plug(rig, 2);
	assert_true(pmapper_busy(rig->pm));
	assert_int_equal(pmapper_detach(rig->pm, 2), 0);
	assert_told(rig, "-2 ");
	assert_null(pmapper_device(rig->pm, 2));
	assert_int_equal(rig->kicks, 1);
	assert_int_equal(rig->frees, 0);
	assert_true(pmapper_busy(rig->pm));
	rig_run(rig);
	assert_int_equal(rig->frees, 1);
	assert_false(pmapper_busy(rig->pm));
	assert_told(rig, "");
}

static void detach_of_an_empty_port(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(pmapper_detach(rig->pm, 0), -ENOENT);
	assert_int_equal(pmapper_detach(rig->pm, 1), -ENOENT);
	assert_int_equal(pmapper_detach(rig->pm, 31), -ENOENT);
	assert_null(pmapper_device(rig->pm, 0));
	assert_null(pmapper_device(rig->pm, ~0u));
}

static void detach_cancels_youngest_first_and_waits(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	unsigned i;

	f->hold_cancelled = true;
	for (i = 0; i < 3; i++)
		assert_int_equal(rig_submit(rig, 1, rig_xfer(rig, i)), 0);
	assert_int_equal(pmapper_detach(rig->pm, 1), 0);
	assert_int_equal(f->ncancelled, 3);
	for (i = 0; i < 3; i++)
		assert_ptr_equal(f->cancelled[i], &rig->t[2 - i]);
	rig_run(rig);
	assert_int_equal(rig->frees, 0);
	for (i = 0; i < 3; i++) {
		assert_true(pmapper_busy(rig->pm));
		fake_complete(f, &rig->t[i], USB_CANCELLED, 0);
		rig_run(rig);
		/* delivered, although the port is empty */
		assert_int_equal(rig->x.ndone, i + 1);
	}
	assert_int_equal(rig->frees, 1);
	assert_false(pmapper_busy(rig->pm));
}

/* So many a run, youngest first, whatever the guest had it do */
static void cancels_of_a_leaving_device_are_bounded(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	unsigned i, before;

	f->hold_cancelled = true;
	for (i = 0; i < 600; i++)
		assert_int_equal(rig_submit(rig, 1, rig_xfer(rig, i)), 0);
	assert_int_equal(pmapper_detach(rig->pm, 1), 0);
	assert_int_equal(f->ncancelled, PM_RUN_CANCELS);
	do {
		before = f->ncancelled;
		assert_int_equal(pmapper_run(rig->pm),
				 600 - before > PM_RUN_CANCELS);
		assert_true(f->ncancelled > before);
		assert_true(f->ncancelled - before <= PM_RUN_CANCELS);
	} while (f->ncancelled < 600);
	for (i = 0; i < 600; i++)
		assert_ptr_equal(f->cancelled[i], &rig->t[599 - i]);
	assert_int_equal(rig->frees, 0);
	for (i = 0; i < 600; i++)
		fake_complete(f, &rig->t[i], USB_CANCELLED, 0);
	rig_run(rig);
	assert_int_equal(rig->x.ndone, 600);
	assert_int_equal(rig->frees, 1);
}

static void detach_with_completions_from_inside_cancel(void **state)
{
	struct rig *rig = *state;
	unsigned i;

	fake_plug(rig, 1);
	for (i = 0; i < 3; i++)
		assert_int_equal(rig_submit(rig, 1, rig_xfer(rig, i)), 0);
	assert_int_equal(pmapper_detach(rig->pm, 1), 0);
	rig_run(rig);
	assert_int_equal(rig->x.ndone, 3);
	assert_int_equal(rig->frees, 1);
}

/* A controller that cancels what it has when the port empties. */
static void both_cancel_and_the_device_hears_once(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	unsigned i;

	f->hold_cancelled = true;
	for (i = 0; i < 3; i++)
		assert_int_equal(rig_submit(rig, 1, rig_xfer(rig, i)), 0);
	rig->x.cancel[0] = &rig->t[0];
	rig->x.cancel[1] = &rig->t[1];
	rig->x.ncancel = 2;
	pmapper_detach(rig->pm, 1);
	assert_int_equal(f->ncancelled, 3);
	for (i = 0; i < 3; i++)
		fake_complete(f, &rig->t[i], USB_CANCELLED, 0);
	rig_run(rig);
	assert_int_equal(rig->x.ndone, 3);
	assert_int_equal(rig->frees, 1);
}

static void port_is_free_for_another_while_one_drains(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1), *g;

	f->hold_cancelled = true;
	rig_submit(rig, 1, rig_xfer(rig, 0));
	pmapper_detach(rig->pm, 1);
	rig_run(rig);
	g = fake_plug(rig, 1);
	rig_submit(rig, 1, rig_xfer(rig, 1));
	usb_dev_complete(&g->d, &rig->t[0], USB_OK, 0); /* not its own */
	usb_dev_reset_done(&f->d, true);                /* not asked */
	usb_dev_wake(&f->d);
	rig_run(rig);
	assert_told(rig, "");
	assert_int_equal(rig->x.ndone, 0);
	fake_complete(f, &rig->t[0], USB_CANCELLED, 0);
	rig_run(rig);
	assert_int_equal(rig->frees, 1);
	assert_ptr_equal(pmapper_device(rig->pm, 1), &g->d);
}

static void devices_that_never_let_go_are_bounded(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f[64];
	unsigned i, port;

	for (i = 0; i < 63; i++) {
		f[i] = fake_plug(rig, 1);
		f[i]->hold_cancelled = true;
		rig_submit(rig, 1, rig_xfer(rig, i));
		pmapper_detach(rig->pm, 1);
	}
	f[63] = fake_create(rig, USB_SPEED_HIGH);
	assert_int_equal(pmapper_attach(rig->pm, &f[63]->d, 0, &port), -EAGAIN);
	for (i = 0; i < 63; i++)
		fake_complete(f[i], &rig->t[i], USB_CANCELLED, 0);
	rig_run(rig);
	assert_int_equal(rig->frees, 63);
	assert_int_equal(pmapper_attach(rig->pm, &f[63]->d, 0, &port), 0);
}

static void detach_all_takes_out_everything(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1), *g;
	unsigned port;

	g = fake_create(rig, USB_SPEED_SUPER);
	assert_int_equal(pmapper_attach(rig->pm, &g->d, 0, &port), 0);
	fake_plug(rig, 4);
	rig->x.told[0] = 0;
	f->hold_cancelled = true;
	rig_submit(rig, 1, rig_xfer(rig, 0));
	pmapper_detach_all(rig->pm);
	pmapper_detach_all(rig->pm);
	assert_told(rig, "-1 -4 -5 ");
	rig_run(rig);
	assert_int_equal(rig->frees, 2);
	assert_true(pmapper_busy(rig->pm));
	fake_complete(f, &rig->t[0], USB_CANCELLED, 0);
	rig_run(rig);
	assert_int_equal(rig->frees, 3);
	assert_false(pmapper_busy(rig->pm));
}

static void endpoint_and_link_calls_are_forwarded(void **state)
{
	static const struct usb_ep_info info = {.ep = 0x83};
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	struct fake_dev *g = fake_create(rig, USB_SPEED_HIGH);
	struct fake_port *p = &rig->x.port[1];
	unsigned port;

	p->ops->ep_enable(p->dev, &info);
	assert_int_equal(f->last_ep, 0x83);
	p->ops->ep_disable(p->dev, 0x04);
	assert_int_equal(f->last_ep, 0x04);
	p->ops->suspend(p->dev, true);
	assert_true(f->suspended);
	usb_dev_gone(&f->d);
	p->ops->ep_enable(p->dev, &info);
	p->ops->ep_disable(p->dev, 0x05);
	p->ops->suspend(p->dev, false);
	assert_int_equal(f->calls, 3);

	g->d.ops = &fake_plain_ops; /* has none of them */
	assert_int_equal(pmapper_attach(rig->pm, &g->d, 2, &port), 0);
	p = &rig->x.port[2];
	p->ops->ep_enable(p->dev, &info);
	p->ops->ep_disable(p->dev, 0x04);
	p->ops->suspend(p->dev, true);
}

/* Against the rule, but not a reason to crash. */
static void destroy_while_busy(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);

	fake_plug(rig, 2);
	f->hold_cancelled = true;
	rig_submit(rig, 1, rig_xfer(rig, 0));
	pmapper_destroy(rig->pm);
	assert_int_equal(rig->frees, 1);
	assert_int_equal(rig->logs, 1);
	fake_complete(f, &rig->t[0], USB_CANCELLED, 0);
	assert_null(f->d.pm);
	free(f);
	pmapper_destroy(NULL);
	assert_int_equal(pmapper_create(&rig->x, &rig_ops, rig, &rig->pm), 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(port_is_chosen_by_speed),
		T(attach_errors),
		T(attach_gives_back_what_the_controller_refused),
		T(detach_frees_at_the_next_run),
		T(detach_of_an_empty_port),
		T(detach_cancels_youngest_first_and_waits),
		T(cancels_of_a_leaving_device_are_bounded),
		T(detach_with_completions_from_inside_cancel),
		T(both_cancel_and_the_device_hears_once),
		T(port_is_free_for_another_while_one_drains),
		T(devices_that_never_let_go_are_bounded),
		T(detach_all_takes_out_everything),
		T(endpoint_and_link_calls_are_forwarded),
		T(destroy_while_busy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
