/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices that lie in what the guest alone reads, that come and go without
 * rest, or that say they are another: docs/hazards.md, DT-02, 10, 17, 20.
 */
#include "tests/unit/pmapper_fake.h"

#include "tests/unit/hostusb_fake.h"

#include "tests/unit/hostusb_rig.h"

#define STORM 300u

/* The device answers GET_DESCRIPTOR @type with @n bytes at @text. */
static void descriptor(struct dev_rig *t, uint8_t type, uint16_t ask,
		       const void *text, uint16_t n)
{
	struct usb_xfer *x =
		dev_request(t, 0, 0x80, 6, (uint16_t)(type << 8), 0, ask);

	memset(t->mem, 0xa5, sizeof(t->mem));
	dev_submit_ok(t, x);
	assert_int_equal(fake.nurbs, 1);
	assert_int_equal(fake.urb[0]->lt.length, 8 + ask);
	memcpy(fake.urb[0]->lt.buffer + 8, text, n);
	dev_end(t, 0, DONE, n);
	/* as it is, no more and no less; what follows is left alone */
	assert_done(t, x, USB_OK, n);
	assert_memory_equal(t->mem, text, n);
	for (unsigned i = n; i < 1024; i++)
		assert_int_equal(t->mem[i], 0xa5);
}

/* The endpoints are those the host's kernel knows, whatever was said. */
static void endpoints_are_as_before(struct dev_rig *t)
{
	struct usb_xfer *x = dev_bulk(t, 1, 0x81);

	dev_submit_ok(t, x);
	assert_int_equal(fake.urb[0]->lt.endpoint, 0x81);
	dev_end(t, 0, DONE, 512);
	assert_done(t, x, USB_OK, 512);
	x = dev_bulk(t, 1, 0x8f);
	dev_submit_ok(t, x);
	dev_settle(t);
	assert_done(t, x, USB_ERROR, 0);
}

static void total_length_that_lies(void **state)
{
	static const uint8_t conf[4][9] = {
		{9, 2, 0xff, 0xff, 255, 1, 0, 0x80, 50},
		{9, 2, 0, 0, 0, 1, 0, 0x80, 50},
		{9, 2, 8, 0, 1, 1, 0, 0x80, 50},
		{0, 2, 40, 0, 1, 9, 0, 0x80, 50},
	};
	struct dev_rig *t = *state;

	for (unsigned i = 0; i < 4; i++) {
		uint8_t longer[64] = {0};

		descriptor(t, 2, 9, conf[i], 9);
		/* another one the second time, and less than it says */
		memcpy(longer, conf[(i + 1) % 4], 9);
		memset(longer + 9, 0x07, 40);
		descriptor(t, 2, 255, longer, 40);
		endpoints_are_as_before(t);
	}
}

static void what_we_do_not_read(void **state)
{
	static const uint8_t bos[] = {5,  15, 0xff, 0xff, 200, 0,
				      16, 3,  1,    0xff, 0,   0};
	static const uint8_t junk[] = {8, 11,  250, 250, 0xe, 1, 0,
				       0, 255, 36,  1,   0,   0};
	struct dev_rig *t = *state;

	descriptor(t, 15, 255, bos, sizeof(bos));
	descriptor(t, 2, 255, junk, sizeof(junk));
	descriptor(t, 36, 64, junk, 0);
	endpoints_are_as_before(t);
}

/* The next one of eight, in port 2 */
static struct libusb_device *next_of_eight(unsigned i)
{
	fake.ndevs = i % 8;
	assert_int_equal(fake.dev[i % 8].refs, 0);
	return fake_add(2);
}

/*
 * In and out by the hundred, with a transfer under way, looked at now and
 * then: nothing is left of any, the last one works, and the log is no flood.
 */
static void in_and_out_by_the_hundred(void **state)
{
	struct dev_rig *t = *state;
	struct libusb_device *d = t->dev;
	struct usb_xfer *x;

	for (unsigned i = 1; i <= STORM; i++) {
		if (t->rig->x.port[1].ops && !t->rig->in_flight[0]) {
			x = dev_bulk(t, 0, 0x81);
			assert_in_range(-rig_submit(t->rig, 1, x), 0, ENODEV);
		}
		fake_unplug(d);
		if (i % 3)
			dev_settle(t);
		d = next_of_eight(i);
		fake_event(d, LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED);
		if (i % 5)
			dev_settle(t);
		t->rig->x.ndone = 0;
		t->rig->x.told[0] = 0;
		/* at most one is open, or on its way out */
		assert_in_range(fake.handles, 0, 2);
	}
	dev_settle(t);
	assert_int_equal(fake.handles, 1);
	assert_non_null(t->rig->x.port[1].ops);
	assert_true(strlen(host.log) < sizeof(host.log));
	t->dev = d;
	x = dev_bulk(t, 0, 0x81);
	dev_submit_ok(t, x);
	dev_end(t, 0, DONE, 5);
	assert_done(t, x, USB_OK, 5);
	fake.ndevs = 8;
}

/* A device in another port with the same id, name and serial is not taken. */
static void named_by_its_port_it_is_that_port(void **state)
{
	struct dev_rig *t = *state;
	struct libusb_device *other;

	fake_unplug(t->dev);
	dev_settle(t);
	assert_null(t->rig->x.port[1].ops);
	other = fake_add(3);
	other->info.vid = t->dev->info.vid;
	other->info.pid = t->dev->info.pid;
	memcpy(other->info.serial, t->dev->info.serial,
	       sizeof(other->info.serial));
	fake_event(other, LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED);
	dev_settle(t);
	assert_null(t->rig->x.port[1].ops);
	assert_int_equal(other->opens, 0);
	assert_int_equal(other->claimed, 0);
}

int main(void)
{
#define TEST(f) \
	cmocka_unit_test_setup_teardown(f, dev_rig_setup, dev_rig_teardown)
	const struct CMUnitTest tests[] = {
		TEST(total_length_that_lies),
		TEST(what_we_do_not_read),
		TEST(in_and_out_by_the_hundred),
		TEST(named_by_its_port_it_is_that_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
