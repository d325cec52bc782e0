/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which device goes where: rules, ports, hot-plug, owners.
 */
#include "tests/unit/pmapper_fake.h"

#include "tests/unit/hostusb_fake.h"

#include "tests/unit/hostusb_attach.h"

static void superspeed_device_goes_to_a_usb3_port(void **state)
{
	struct test *t = *state;

	fake_add(2)->info.speed = USB_SPEED_SUPER_PLUS;
	start(t, rule_path(2));
	assert_told(t->rig, "+5 ");
	assert_int_equal(t->rig->x.port[5].speed, USB_SPEED_SUPER_PLUS);
}

static void absent_device_is_no_error_and_attached_later(void **state)
{
	struct test *t = *state;

	start(t, rule_path(2));
	assert_told(t->rig, "");
	fake_plug_in(3);
	fake_settle(t->rig, t->h);
	assert_told(t->rig, "");
	fake_plug_in(2);
	fake_settle(t->rig, t->h);
	assert_told(t->rig, "+1 ");
}

static void replugged_device_takes_its_port_again(void **state)
{
	struct test *t = *state;
	struct libusb_device *d = fake_add(2);

	fake_add(3);
	start(t, rule_path(2));
	assert_int_equal(add(t, rule_path(3)), 0);
	fake_settle(t->rig, t->h);
	assert_told(t->rig, "+1 +2 ");
	for (unsigned i = 0; i < 5; i++) {
		fake_unplug(d);
		fake_settle(t->rig, t->h);
		assert_told(t->rig, "-1 ");
		assert_int_equal(fake.claims, 1);
		assert_int_equal(d->refs, 0);
		d = fake_plug_in(2);
		fake_settle(t->rig, t->h);
		assert_told(t->rig, "+1 ");
	}
}

/* Both events are there before anybody looks. */
static void replug_in_one_go_is_seen_as_two(void **state)
{
	struct test *t = *state;
	struct libusb_device *d = fake_add(2);

	start(t, rule_path(2));
	fake_unplug(d);
	fake_plug_in(2);
	fake_settle(t->rig, t->h);
	assert_told(t->rig, "+1 -1 +1 ");
}

static void device_by_id_is_followed_to_another_port(void **state)
{
	struct test *t = *state;
	struct libusb_device *d = fake_add(2), *e;

	strcpy(d->info.serial, "A1");
	start(t, rule_id(0x102, "A1"));
	fake_unplug(d);
	fake_settle(t->rig, t->h);
	fake_plug_in(2); /* the same kind, another one */
	fake_settle(t->rig, t->h);
	assert_told(t->rig, "+1 -1 ");
	e = fake_plug_in(4);
	e->info.pid = 0x102;
	strcpy(e->info.serial, "A1");
	fake_settle(t->rig, t->h);
	assert_told(t->rig, "+1 ");
}

static void address_becomes_the_port_it_was_found_at(void **state)
{
	struct test *t = *state;
	struct libusb_device *d = fake_add(2);
	struct hostusb_rule r = {.match = {.kind = MATCH_ADDR, .bus = 1},
				 .name = "bus=1,devaddr=11"};

	r.match.addr = d->info.addr;
	start(t, r);
	assert_told(t->rig, "+1 ");
	fake_unplug(d);
	fake_plug_in(3)->info.addr = d->info.addr; /* somebody else's now */
	fake_settle(t->rig, t->h);
	assert_told(t->rig, "-1 ");
	fake_plug_in(2);
	fake_settle(t->rig, t->h);
	assert_told(t->rig, "+1 ");
}

static void each_device_behind_a_hub_gets_a_port(void **state)
{
	struct test *t = *state;
	struct hostusb_rule r = rule_path(2);
	struct libusb_device *d;

	fake_add(2)->info.cls = 9;
	for (uint8_t i = 1; i <= 2; i++) {
		d = fake_add(2);
		d->info.path[1] = i;
		d->info.npath = 2;
	}
	r.match.kind = MATCH_BELOW;
	start(t, r);
	assert_told(t->rig, "+1 +2 ");
	assert_string_equal(host.log, "usb 1-2.1 1d6b:0102: in port 1\n"
				      "usb 1-2.2 1d6b:0102: in port 2\n");
	fake_unplug(d);
	fake_settle(t->rig, t->h);
	d = fake_add(2);
	d->info.path[1] = 3;
	d->info.npath = 2;
	fake_event(d, LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED);
	fake_settle(t->rig, t->h);
	assert_told(t->rig, "-2 +2 ");
}

static void hub_is_refused(void **state)
{
	struct test *t = *state;

	fake_add(2)->info.cls = 9;
	assert_int_equal(create(t), 0);
	assert_int_equal(add(t, rule_path(2)), -EINVAL);
	assert_non_null(strstr(t->err, "hub"));
}

static void two_rules_for_one_device_are_refused(void **state)
{
	struct test *t = *state;

	fake_add(2);
	start(t, rule_path(2));
	assert_int_equal(add(t, rule_path(2)), -EINVAL);
	assert_string_equal(t->err,
			    "the same as bus=1,port=2: leave one of the two "
			    "out");
	assert_int_equal(add(t, rule_id(0x102, "")), -EBUSY);
	assert_string_equal(t->err,
			    "the device is bus=1,port=2 as well: leave one "
			    "out");
}

static void other_owner_is_named(void **state)
{
	struct test *t = *state;

	fake_add(2);
	fake.other_owner = "xhci 5 of pid 9";
	assert_int_equal(create(t), 0);
	assert_int_equal(add(t, rule_path(2)), -EBUSY);
	assert_string_equal(t->err, "in use by xhci 5 of pid 9: detach it "
				    "there first");
	assert_int_equal(fake.dev[0].claimed, 0);
}

static void failed_device_is_tried_again_when_it_returns(void **state)
{
	struct test *t = *state;
	struct libusb_device *d = fake_add(2);

	d->other = 2;
	start(t, rule_path(2));
	assert_told(t->rig, "");
	assert_string_equal(host.log,
			    "usb 1-2 1d6b:0102: interface 1 is in use by "
			    "another program of the host\n");
	assert_int_equal(d->drivers, 3); /* as it was */
	assert_int_equal(d->resets, 0);  /* the other program has it */
	assert_int_equal(d->opens, 0);
	fake_unplug(d);
	fake_plug_in(2);
	fake_settle(t->rig, t->h);
	assert_told(t->rig, "+1 ");
}

static void at_names_the_port_and_keeps_it(void **state)
{
	struct test *t = *state;
	struct hostusb_rule r = rule_path(2);

	r.at = 1;
	fake_add(3);
	start(t, r);
	assert_int_equal(add(t, rule_path(3)), 0);
	fake_settle(t->rig, t->h);
	assert_told(t->rig, "+2 ");
	fake_plug_in(2);
	fake_settle(t->rig, t->h);
	assert_told(t->rig, "+1 ");
}

static void wrong_port_for_the_speed_is_said(void **state)
{
	struct test *t = *state;
	struct hostusb_rule r = rule_path(2);

	r.at = 5;
	fake_add(2);
	start(t, r);
	assert_told(t->rig, "");
	assert_non_null(strstr(host.log, "does not fit its speed"));
	assert_int_equal(fake.dev[0].drivers, 3);
}

/* A user's detach is not undone by the rule that put it there. */
static void detached_device_stays_with_the_host(void **state)
{
	struct test *t = *state;
	struct libusb_device *d = fake_add(2);

	start(t, rule_path(2));
	assert_int_equal(pmapper_detach(t->rig->pm, 1), 0);
	fake_settle(t->rig, t->h);
	assert_told(t->rig, "+1 -1 ");
	assert_int_equal(d->drivers, 3);
	assert_int_equal(fake.claims, 0);
	fake_unplug(d);
	fake_plug_in(2);
	fake_settle(t->rig, t->h);
	assert_told(t->rig, "");
	assert_int_equal(add(t, rule_path(2)), 0);
	fake_settle(t->rig, t->h);
	assert_told(t->rig, "+1 ");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(superspeed_device_goes_to_a_usb3_port),
		TEST(absent_device_is_no_error_and_attached_later),
		TEST(replugged_device_takes_its_port_again),
		TEST(replug_in_one_go_is_seen_as_two),
		TEST(device_by_id_is_followed_to_another_port),
		TEST(address_becomes_the_port_it_was_found_at),
		TEST(each_device_behind_a_hub_gets_a_port),
		TEST(hub_is_refused),
		TEST(two_rules_for_one_device_are_refused),
		TEST(other_owner_is_named),
		TEST(failed_device_is_tried_again_when_it_returns),
		TEST(at_names_the_port_and_keeps_it),
		TEST(wrong_port_for_the_speed_is_said),
		TEST(detached_device_stays_with_the_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
