/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What broke other USB pass-through: the device's side of published faults
 * (USB/IP, usbredir), each named by its id, docs/hazards.md. A device behind
 * the mapper says what it likes; the controller hears what can be.
 */
#include "tests/unit/pmapper_fake.h"

/* More comes back than was asked for. */
static void cve_2016_3955(void **state)
{
	static const uint32_t says[] = {513, 65536, INT32_MAX, UINT32_MAX};
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);

	for (unsigned i = 0; i < 4; i++) {
		struct usb_xfer *t = rig_xfer(rig, i);

		assert_int_equal(rig_submit(rig, 1, t), 0);
		fake_complete(f, t, USB_OK, says[i]);
		rig_run(rig);
		assert_int_equal(t->actual, t->length);
	}
	assert_int_equal(rig->x.ndone, 4);
}

/* Bytes for a transfer that has no buffer at all */
static void cve_2017_16914(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	struct usb_xfer *t = rig_xfer(rig, 0);

	t->length = 0;
	t->nseg = 0;
	t->seg = NULL;
	assert_int_equal(rig_submit(rig, 1, t), 0);
	assert_int_equal(usb_xfer_scatter(t, 0, "bytes", 5), 0);
	fake_complete(f, t, USB_OK, 5);
	rig_run(rig);
	assert_int_equal(rig->x.ndone, 1);
	assert_int_equal(t->actual, 0);
}

/* Isochronous packets whose lengths and sums are made up */
static void cve_2017_16913(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	struct usb_packet p[4] = {{.length = 128},
				  {.length = 128},
				  {.length = 128},
				  {.length = 128}};
	struct usb_xfer *t = rig_xfer(rig, 0);

	t->type = USB_ISOCH;
	t->npackets = 4;
	t->packet = p;
	assert_int_equal(rig_submit(rig, 1, t), 0);
	for (unsigned i = 0; i < 4; i++) {
		p[i].actual = UINT32_MAX - i;
		p[i].status = (enum usb_status)(USB_NSTATUS + i);
	}
	fake_complete(f, t, USB_OK, UINT32_MAX);
	rig_run(rig);
	assert_int_equal(t->actual, t->length);
	for (unsigned i = 0; i < 4; i++) {
		assert_int_equal(p[i].actual, 128);
		assert_int_equal(p[i].status, USB_ERROR);
	}
}

/* The end of a transfer that the device does not have, or has no more */
static void cve_2021_3682(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	struct usb_xfer *t = rig_xfer(rig, 0), *never = rig_xfer(rig, 1);

	usb_dev_complete(&f->d, never, USB_OK, 512);
	assert_int_equal(rig_submit(rig, 1, t), 0);
	fake_complete(f, t, USB_OK, 512);
	usb_dev_complete(&f->d, t, USB_OK, 512);
	rig_run(rig);
	usb_dev_complete(&f->d, t, USB_OK, 512);
	rig_run(rig);
	assert_int_equal(rig->x.ndone, 1);
	assert_true(rig->logs > 0);
}

/* It goes while transfers are on their way, and ends them after that. */
static void cve_2018_5814(void **state)
{
	struct rig *rig = *state;
	struct fake_dev *f = fake_plug(rig, 1);
	struct usb_xfer *t[3];

	f->hold_cancelled = true;
	for (unsigned i = 0; i < 3; i++) {
		t[i] = rig_xfer(rig, i);
		assert_int_equal(rig_submit(rig, 1, t[i]), 0);
	}
	usb_dev_gone(&f->d);
	fake_complete(f, t[1], USB_NODEV, 0);
	rig_run(rig);
	assert_null(rig->x.port[1].ops);
	/* it is not freed before it has given back what it has */
	assert_true(pmapper_busy(rig->pm));
	fake_complete(f, t[2], USB_NODEV, 0);
	rig_run(rig);
	assert_true(pmapper_busy(rig->pm));
	fake_complete(f, t[0], USB_OK, 512);
	rig_run(rig);
	assert_int_equal(rig->x.ndone, 3);
	assert_false(pmapper_busy(rig->pm));
}

#define T(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(cve_2016_3955), T(cve_2017_16914), T(cve_2017_16913),
		T(cve_2021_3682), T(cve_2018_5814),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
