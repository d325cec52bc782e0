/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which device goes where, and what is given back: rules, hot-plug, owners,
 * kernel drivers, and every call of libusb failing once.
 */
#include "tests/unit/pmapper_fake.h"

#include "tests/unit/hostusb_fake.h"

struct test {
	struct rig *rig;
	struct hostusb *h;
	char err[256];
};

static int setup(void **state)
{
	struct test *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	fake_reset_host();
	rig_setup((void **)&t->rig);
	*state = t;
	return 0;
}

static int create(struct test *t)
{
	return hostusb_create(t->rig->pm, &host_ops, t, "the tests", t->err,
			      sizeof(t->err), &t->h);
}

/* As a program ends: devices out, then the rest. */
static void stop(struct test *t)
{
	if (t->h) {
		hostusb_stop(t->h);
		pmapper_detach_all(t->rig->pm);
		fake_settle(t->rig, t->h);
	}
	hostusb_destroy(t->h);
	t->h = NULL;
}

static int teardown(void **state)
{
	struct test *t = *state;

	stop(t);
	rig_teardown((void **)&t->rig);
	fake_assert_clean();
	free(t);
	return 0;
}

static struct hostusb_rule rule_path(uint8_t port)
{
	struct hostusb_rule r = {.match = {.kind = MATCH_PATH,
					   .bus = 1,
					   .path = {port},
					   .npath = 1}};

	snprintf(r.name, sizeof(r.name), "bus=1,port=%u", port);
	return r;
}

static struct hostusb_rule rule_id(uint16_t pid, const char *serial)
{
	struct hostusb_rule r = {
		.match = {.kind = MATCH_ID, .vid = 0x1d6b, .pid = pid}};

	snprintf(r.match.serial, sizeof(r.match.serial), "%s", serial);
	snprintf(r.name, sizeof(r.name), "id=1d6b:%04x", pid);
	return r;
}

static int add(struct test *t, struct hostusb_rule r)
{
	return hostusb_add_rule(t->h, &r, t->err, sizeof(t->err));
}

static void start(struct test *t, struct hostusb_rule r)
{
	assert_int_equal(create(t), 0);
	assert_int_equal(add(t, r), 0);
	fake_settle(t->rig, t->h);
}

static void device_that_is_there_is_attached(void **state)
{
	struct test *t = *state;
	struct libusb_device *d = fake_add(2);

	start(t, rule_path(2));
	assert_told(t->rig, "+1 ");
	assert_int_equal(host.watched, 1);
	assert_int_equal(d->claimed, 3);
	assert_int_equal(d->drivers, 0);
	assert_int_equal(fake.noted, 3);
	assert_int_equal(fake.claims, 1);
	stop(t);
	assert_told(t->rig, "-1 ");
	assert_int_equal(d->claimed, 0);
	assert_int_equal(d->drivers, 3);
	assert_int_equal(d->resets, 1);
	assert_int_equal(fake.forgets, 1);
}

static unsigned open_fds(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return (unsigned)fd;
}

/* Each time anew: what the watcher has opened is closed with the device. */
static void watcher_opens_where_it_can(void **state)
{
	struct test *t = *state;
	struct libusb_device *d, *again;
	unsigned fds;

	fake_add(1);
	d = fake_add(2);
	fake.opener = 0;
	fds = open_fds();
	start(t, rule_path(2));
	assert_ptr_equal(fake.node, d);
	assert_told(t->rig, "+1 ");
	assert_int_equal(d->claimed, 3);
	assert_int_equal(open_fds(), fds + 1);
	fake_unplug(d);
	fake_settle(t->rig, t->h);
	assert_int_equal(open_fds(), fds);
	again = fake_plug_in(2);
	fake_settle(t->rig, t->h);
	assert_ptr_equal(fake.node, again);
	assert_int_equal(again->claimed, 3);
	assert_int_equal(open_fds(), fds + 1);
	stop(t);
	assert_int_equal(again->drivers, 3);
	assert_int_equal(open_fds(), fds);
}

static void watcher_that_does_not_open_is_told_of(void **state)
{
	static const int errors[] = {-EPERM, -EACCES, -EPIPE, -ENODEV, -EIO};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct test *t = *state;
		unsigned fds = open_fds();

		fake.opener = errors[i];
		if (i == 0)
			fake_add(2);
		start(t, rule_path(2));
		assert_int_equal(t->rig->x.told[0], 0);
		assert_int_equal(fake.handles, 0);
		assert_int_equal(open_fds(), fds);
		if (i < 2)
			assert_non_null(strstr(host.log, "no right"));
		stop(t);
		host.log[0] = 0;
	}
}

static void reset_never_holds_for_giving_back(void **state)
{
	struct test *t = *state;
	struct libusb_device *d = fake_add(2);
	struct hostusb_rule r = rule_path(2);

	r.reset = HOSTUSB_RESET_NEVER;
	start(t, r);
	stop(t);
	assert_int_equal(d->resets, 0);
	assert_int_equal(d->drivers, 3);
}

static void only_drivers_that_were_there_come_back(void **state)
{
	struct test *t = *state;
	struct libusb_device *d = fake_add(2);

	d->drivers = 2;
	start(t, rule_path(2));
	assert_int_equal(fake.noted, 2);
	stop(t);
	assert_int_equal(d->drivers, 2);
}

static void device_without_configuration_is_attached(void **state)
{
	struct test *t = *state;
	struct libusb_device *d = fake_add(2);

	d->config = 0;
	d->drivers = 0;
	start(t, rule_path(2));
	assert_told(t->rig, "+1 ");
	assert_int_equal(d->claimed, 0);
	stop(t);
	assert_int_equal(d->config, 0);
}

/* Announced, and only then configured: the drivers are the host's to have */
static void device_the_host_still_configures_is_waited_for(void **state)
{
	struct test *t = *state;
	struct libusb_device *d = fake_add(2);

	d->config = 0;
	d->drivers = 0;
	d->late = 3;
	start(t, rule_path(2));
	assert_told(t->rig, "+1 ");
	assert_int_equal(d->claimed, 3);
	assert_int_equal(d->drivers, 0);
	stop(t);
	assert_int_equal(d->config, 1);
	assert_int_equal(d->drivers, 3);
}

static void driver_that_comes_before_the_claim_is_detached(void **state)
{
	struct test *t = *state;
	struct libusb_device *d = fake_add(2);

	d->drivers = 1;
	d->racing = 2;
	start(t, rule_path(2));
	assert_told(t->rig, "+1 ");
	assert_int_equal(d->claimed, 3);
	stop(t);
	assert_int_equal(d->drivers, 3);
}

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

static void handed_descriptor_is_attached(void **state)
{
	struct test *t = *state;
	struct hostusb_rule r = rule_path(2);
	struct libusb_device *d = fake_add(2);
	int fd = dup(0);

	assert_true(fd >= 0);
	d->there = false; /* libusb does not see it */
	assert_int_equal(create(t), 0);
	d->there = true;
	assert_int_equal(hostusb_add_fd(t->h, fd, &r, t->err, sizeof(t->err)),
			 0);
	fake_settle(t->rig, t->h);
	assert_told(t->rig, "+1 ");
	stop(t);
	assert_int_equal(close(fd), -1); /* it was closed */
}

static void unplug_at_any_time_of_the_attach(void **state)
{
	struct test *t = *state;

	for (unsigned i = 0; i < 4; i++) {
		struct libusb_device *d;

		if (t->h)
			stop(t);
		t->rig->x.told[0] = 0;
		d = fake_add(2);
		assert_int_equal(create(t), 0);
		assert_int_equal(add(t, rule_path(2)), 0);
		if (i & 1)
			fake_unplug(d);
		if (i & 2)
			hostusb_run(t->h, true);
		if (!(i & 1))
			fake_unplug(d);
		fake_settle(t->rig, t->h);
		assert_null(t->rig->x.port[1].ops);
		assert_int_equal(fake.handles, 0);
		assert_int_equal(fake.claims, 0);
		fake.ndevs = 0;
	}
}

static void stop_while_a_device_is_opened(void **state)
{
	struct test *t = *state;
	struct libusb_device *d = fake_add(2);

	assert_int_equal(create(t), 0);
	assert_int_equal(add(t, rule_path(2)), 0);
	stop(t);
	assert_told(t->rig, "");
	assert_int_equal(d->drivers, 3);
}

/*
 * Each call fails once, one after the other, until a run needs fewer: with any
 * error nothing is left behind, and the device works when it is plugged in
 * again.
 */
static void every_call_may_fail(void **state)
{
	static const int errors[] = {
		LIBUSB_ERROR_IO,        LIBUSB_ERROR_NO_DEVICE,
		LIBUSB_ERROR_NO_MEM,    LIBUSB_ERROR_ACCESS,
		LIBUSB_ERROR_NOT_FOUND, LIBUSB_ERROR_NOT_SUPPORTED,
		LIBUSB_ERROR_BUSY,      LIBUSB_ERROR_OTHER,
	};
	struct test *t = *state;

	for (unsigned e = 0; e < sizeof(errors) / sizeof(errors[0]); e++)
		for (unsigned at = 1;; at++) {
			bool enough;

			fake_reset_host();
			t->rig->x.told[0] = 0;
			fake_add(2);
			fake.fail_at = at;
			fake.fail_with = errors[e];
			if (create(t) == 0 && add(t, rule_path(2)) == 0) {
				fake_settle(t->rig, t->h);
				fake_unplug(&fake.dev[0]);
				fake_plug_in(2);
				fake_settle(t->rig, t->h);
			}
			stop(t);
			enough = fake.calls < at;
			if (enough)
				assert_string_equal(t->rig->x.told,
						    "+1 -1 +1 -1 ");
			fake_assert_clean();
			if (enough)
				break;
		}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(device_that_is_there_is_attached),
		TEST(watcher_opens_where_it_can),
		TEST(watcher_that_does_not_open_is_told_of),
		TEST(reset_never_holds_for_giving_back),
		TEST(only_drivers_that_were_there_come_back),
		TEST(device_without_configuration_is_attached),
		TEST(device_the_host_still_configures_is_waited_for),
		TEST(driver_that_comes_before_the_claim_is_detached),
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
		TEST(handed_descriptor_is_attached),
		TEST(unplug_at_any_time_of_the_attach),
		TEST(stop_while_a_device_is_opened),
		TEST(every_call_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
