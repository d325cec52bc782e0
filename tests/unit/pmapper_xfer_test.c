/* SPDX-License-Identifier: BSD-2-Clause */
/* Transfers out to the device, completions back: each exactly once. */
#include "tests/unit/pmapper_fake.h"

static void completion_waits_for_run(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	struct usb_xfer *t = rig_xfer(rig, 0);

	assert_int_equal(rig_submit(rig, 1, t), 0);
	fake_complete(f, t, USB_STALL, 100);
	assert_int_equal(rig->x.ndone, 0);
	assert_false(pmapper_run(rig->pm));
	assert_int_equal(rig->x.ndone, 1);
	assert_ptr_equal(rig->x.done[0], t);
	assert_int_equal(t->status, USB_STALL);
	assert_int_equal(t->actual, 100);
	assert_null(t->map_next);
	assert_null(t->map_prev);
}

static void completions_keep_their_order_over_devices(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f[2] = {fake_plug(rig, 1), fake_plug(rig, 2)};
	static const unsigned order[] = {3, 0, 5, 2, 1, 4};
	unsigned i;

	for (i = 0; i < 6; i++)
		assert_int_equal(rig_submit(rig, 1 + i % 2, rig_xfer(rig, i)),
				 0);
	for (i = 0; i < 6; i++)
		fake_complete(f[order[i] % 2], &rig->t[order[i]], USB_OK, 1);
	rig_run(rig);
	for (i = 0; i < 6; i++)
		assert_ptr_equal(rig->x.done[i], &rig->t[order[i]]);
}

static void completion_from_inside_submit(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);

	f->how = FAKE_COMPLETE;
	assert_int_equal(rig_submit(rig, 1, rig_xfer(rig, 0)), 0);
	rig_run(rig);
	assert_int_equal(rig->x.ndone, 1);
	assert_int_equal(rig->t[0].actual, 512);
}

static void completion_from_inside_cancel(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);

	assert_int_equal(rig_submit(rig, 1, rig_xfer(rig, 0)), 0);
	rig_cancel(rig, 1, &rig->t[0]);
	assert_int_equal(f->ncancelled, 1);
	rig_run(rig);
	assert_int_equal(rig->x.ndone, 1);
	assert_int_equal(rig->t[0].status, USB_CANCELLED);
}

static void cancel_reaches_the_device_once(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	struct usb_xfer *t = rig_xfer(rig, 0);

	f->hold_cancelled = true;
	assert_int_equal(rig_submit(rig, 1, t), 0);
	rig_cancel(rig, 1, t);
	rig_cancel(rig, 1, t);
	assert_int_equal(f->ncancelled, 1);
	fake_complete(f, t, USB_OK, 5);
	rig_cancel(rig, 1, t);
	assert_int_equal(f->ncancelled, 1);
	rig_run(rig);
	assert_int_equal(rig->x.ndone, 1);
	assert_int_equal(t->status, USB_OK);
}

static void refused_submit_leaves_nothing(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	struct usb_xfer *t = rig_xfer(rig, 0);

	f->how = FAKE_REFUSE;
	assert_int_equal(rig_submit(rig, 1, t), -EIO);
	assert_int_equal(t->map_state, 0);
	usb_dev_complete(&f->d, t, USB_OK, 0);
	rig_run(rig);
	assert_int_equal(rig->x.ndone, 0);
	assert_int_equal(rig->kicks, 0);
}

static void completed_and_refused_counts_as_completed(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);

	f->how = FAKE_COMPLETE_FAIL;
	assert_int_equal(rig_submit(rig, 1, rig_xfer(rig, 0)), 0);
	rig_run(rig);
	assert_int_equal(rig->x.ndone, 1);
	assert_int_equal(rig->logs, 1);
}

static void second_completion_is_ignored(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	struct usb_xfer *t = rig_xfer(rig, 0);

	assert_int_equal(rig_submit(rig, 1, t), 0);
	fake_complete(f, t, USB_OK, 7);
	usb_dev_complete(&f->d, t, USB_ERROR, 9); /* still queued */
	rig_run(rig);
	usb_dev_complete(&f->d, t, USB_ERROR, 9); /* delivered */
	rig_run(rig);
	assert_int_equal(rig->x.ndone, 1);
	assert_int_equal(t->status, USB_OK);
	assert_int_equal(t->actual, 7);
	assert_int_equal(rig->logs, 2);
	assert_non_null(strstr(rig->last_log, "fake: "));
}

static void completion_of_anothers_transfer_is_ignored(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	struct fake_dev *g = fake_plug(rig, 2);
	unsigned i;

	for (i = 0; i < 3; i++)
		assert_int_equal(rig_submit(rig, 1, rig_xfer(rig, i)), 0);
	for (i = 0; i < 3; i++)
		usb_dev_complete(&g->d, &rig->t[i], USB_OK, 1);
	usb_dev_complete(&g->d, rig_xfer(rig, 9), USB_OK, 1);
	rig_run(rig);
	assert_int_equal(rig->x.ndone, 0);
	for (i = 0; i < 3; i++)
		fake_complete(f, &rig->t[i], USB_OK, 1);
	rig_run(rig);
	assert_int_equal(rig->x.ndone, 3);
}

static void faults_are_logged_ever_less(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	unsigned i;

	rig_xfer(rig, 0);
	for (i = 0; i < 1024; i++)
		usb_dev_complete(&f->d, &rig->t[0], USB_OK, 0);
	assert_int_equal(rig->logs, 11);
}

static void a_device_in_no_port_does_nothing(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_create(rig, USB_SPEED_HIGH);

	usb_dev_complete(&f->d, rig_xfer(rig, 0), USB_OK, 0);
	usb_dev_reset_done(&f->d, true);
	usb_dev_wake(&f->d);
	usb_dev_gone(&f->d);
	usb_dev_log(&f->d, XHCI_LOG_ERROR, "nobody listens");
	rig_run(rig);
	assert_told(rig, "");
	assert_int_equal(rig->logs, 0);
	free(f);
}

static void results_are_cut_to_what_was_asked(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	struct usb_packet p[3] = {
		{100, 100, USB_OK},
		{100, 101, USB_OK},
		{100, 50, (enum usb_status)77},
	};
	struct usb_xfer *t = rig_xfer(rig, 0);

	t->type = USB_ISOCH;
	t->length = 300;
	t->npackets = 3;
	t->packet = p;
	assert_int_equal(rig_submit(rig, 1, t), 0);
	fake_complete(f, t, (enum usb_status)1000, 301);
	rig_run(rig);
	assert_int_equal(t->status, USB_ERROR);
	assert_int_equal(t->actual, 300);
	assert_int_equal(p[0].actual, 100);
	assert_int_equal(p[1].actual, 100);
	assert_int_equal(p[2].actual, 50);
	assert_int_equal(p[2].status, USB_ERROR);
}

static void run_is_bounded(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	unsigned i;

	f->how = FAKE_COMPLETE;
	for (i = 0; i < 600; i++)
		assert_int_equal(rig_submit(rig, 1, rig_xfer(rig, i)), 0);
	assert_true(pmapper_run(rig->pm));
	assert_int_equal(rig->x.ndone, 256);
	assert_true(pmapper_run(rig->pm));
	assert_false(pmapper_run(rig->pm));
	assert_int_equal(rig->x.ndone, 600);
}

/* The endpoint keeps the device busy, as a real one does. */
static void submit_again(struct xhci *x, struct usb_xfer *t)
{
	struct rig *rig = x->test;
	unsigned i = (unsigned)(t - rig->t);

	if (x->ndone < 600)
		assert_int_equal(rig_submit(rig, 1, rig_xfer(rig, i)), 0);
}

static void run_is_bounded_when_fed_from_inside(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);

	f->how = FAKE_COMPLETE;
	rig->x.on_done = submit_again;
	assert_int_equal(rig_submit(rig, 1, rig_xfer(rig, 0)), 0);
	assert_int_equal(rig->kicks, 1);
	assert_int_equal(rig_run(rig), 3);
	assert_int_equal(rig->x.ndone, 600);
	/* what run() returns says the rest */
	assert_int_equal(rig->kicks, 1);
}

static void kick_comes_once_a_batch(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	unsigned i;

	for (i = 0; i < 4; i++)
		assert_int_equal(rig_submit(rig, 1, rig_xfer(rig, i)), 0);
	assert_int_equal(rig->kicks, 0);
	for (i = 0; i < 3; i++)
		fake_complete(f, &rig->t[i], USB_OK, 0);
	assert_int_equal(rig->kicks, 1);
	rig_run(rig);
	fake_complete(f, &rig->t[3], USB_OK, 0);
	assert_int_equal(rig->kicks, 2);
	rig_run(rig);
}

static void run_inside_run(struct xhci *x, struct usb_xfer *t)
{
	struct rig *rig = x->test;
	unsigned ndone = x->ndone;

	(void)t;
	assert_false(pmapper_run(rig->pm));
	assert_int_equal(x->ndone, ndone);
}

static void run_from_inside_run_does_nothing(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);

	f->how = FAKE_COMPLETE;
	rig->x.on_done = run_inside_run;
	assert_int_equal(rig_submit(rig, 1, rig_xfer(rig, 0)), 0);
	assert_int_equal(rig_submit(rig, 1, rig_xfer(rig, 1)), 0);
	rig_run(rig);
	assert_ptr_equal(rig->x.done[0], &rig->t[0]);
	assert_ptr_equal(rig->x.done[1], &rig->t[1]);
}

struct tap {
	char seen[128];
	struct fake_dev *f;
};

static void tap_note(void *tap, char what, unsigned port,
		     const struct usb_dev *d, const struct usb_xfer *t, int n)
{
	struct tap *tp = tap;
	size_t len = strlen(tp->seen);

	assert_ptr_equal(d, &tp->f->d);
	snprintf(tp->seen + len, sizeof(tp->seen) - len, "%c%u:%u:%d ", what,
		 port, (unsigned)(t - tp->f->rig->t), n);
}

static void tap_submit(void *tap, unsigned port, const struct usb_dev *d,
		       const struct usb_xfer *t)
{
	tap_note(tap, 'S', port, d, t, 0);
}

static void tap_complete(void *tap, unsigned port, const struct usb_dev *d,
			 const struct usb_xfer *t)
{
	tap_note(tap, 'C', port, d, t, (int)t->actual);
}

static void tap_refuse(void *tap, unsigned port, const struct usb_dev *d,
		       const struct usb_xfer *t, int err)
{
	tap_note(tap, 'E', port, d, t, err);
}

static void tap_sees_everything_in_order(void **state)
{
	static const struct pm_tap_ops ops = {tap_submit, tap_complete,
					      tap_refuse};
	static const struct pm_tap_ops none = {NULL, NULL, NULL};
	struct rig *rig = *state;
	struct tap tap = {"", fake_plug(rig, 3)};

	pmapper_set_tap(rig->pm, &ops, &tap);
	tap.f->how = FAKE_COMPLETE;
	rig_submit(rig, 3, rig_xfer(rig, 0));
	assert_string_equal(tap.seen, "S3:0:0 C3:0:512 ");
	tap.seen[0] = 0;
	tap.f->how = FAKE_REFUSE;
	rig_submit(rig, 3, rig_xfer(rig, 1));
	assert_string_equal(tap.seen, "S3:1:0 E3:1:-5 ");
	tap.seen[0] = 0;
	/* what the mapper answers is seen as well */
	rig_xfer(rig, 2);
	rig->t[2].type = USB_CONTROL;
	rig->t[2].ep = 0;
	rig->t[2].length = 0;
	rig->t[2].setup.request = USB_REQ_SET_ADDRESS;
	rig_submit(rig, 3, &rig->t[2]);
	assert_string_equal(tap.seen, "S3:2:0 C3:2:0 ");
	tap.seen[0] = 0;
	pmapper_set_tap(rig->pm, &none, &tap);
	rig_submit(rig, 3, rig_xfer(rig, 3));
	pmapper_set_tap(rig->pm, NULL, NULL);
	rig_submit(rig, 3, rig_xfer(rig, 4));
	assert_string_equal(tap.seen, "");
}

static void log_lines_are_printable(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);

	usb_dev_log(&f->d, XHCI_LOG_WARN, "a\x1b[31mb\n%s", "c\x7f");
	assert_string_equal(rig->last_log, "fake: a?[31mb?c?");
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(completion_waits_for_run),
		T(completions_keep_their_order_over_devices),
		T(completion_from_inside_submit),
		T(completion_from_inside_cancel),
		T(cancel_reaches_the_device_once),
		T(refused_submit_leaves_nothing),
		T(completed_and_refused_counts_as_completed),
		T(second_completion_is_ignored),
		T(completion_of_anothers_transfer_is_ignored),
		T(faults_are_logged_ever_less),
		T(a_device_in_no_port_does_nothing),
		T(results_are_cut_to_what_was_asked),
		T(run_is_bounded),
		T(run_is_bounded_when_fed_from_inside),
		T(kick_comes_once_a_batch),
		T(run_from_inside_run_does_nothing),
		T(tap_sees_everything_in_order),
		T(log_lines_are_printable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
