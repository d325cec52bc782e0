/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How a device is taken and given back: its kernel drivers, its configuration, and
 * every call of libusb failing once.
 */
#include "tests/unit/pmapper_fake.h"

#include "tests/unit/hostusb_fake.h"

#include "tests/unit/hostusb_attach.h"

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
		TEST(handed_descriptor_is_attached),
		TEST(unplug_at_any_time_of_the_attach),
		TEST(stop_while_a_device_is_opened),
		TEST(every_call_may_fail),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
