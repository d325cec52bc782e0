/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules and devices that end while the controller runs, devices that are
 * handed over open, and what is told of all that.
 */
#include "tests/unit/pmapper_fake.h"

#include "tests/unit/hostusb_fake.h"

struct test {
	struct rig *rig;
	struct hostusb *h;
	char err[256];
	char told[512]; /* "7attached 7detached 7ended " */
};

static void on_event(void *arg, enum hostusb_event event,
		     const struct hostusb_status *s)
{
	static const char *const names[] = {
		[HOSTUSB_EV_ATTACHED] = "attached",
		[HOSTUSB_EV_DETACHED] = "detached",
		[HOSTUSB_EV_FAILED] = "failed",
		[HOSTUSB_EV_ENDED] = "ended",
	};
	struct test *t = arg;
	size_t n = strlen(t->told);

	snprintf(t->told + n, sizeof(t->told) - n, "%u%s%s ", s->tag,
		 s->unplugged ? "un" : "", names[event]);
}

static const struct hostusb_host_ops ops = {
	.fd_watch = host_fd_watch,
	.wake = host_wake,
	.log = host_log,
	.event = on_event,
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

static void create(struct test *t)
{
	assert_int_equal(hostusb_create(t->rig->pm, &ops, t, "the tests",
					t->err, sizeof(t->err), &t->h),
			 0);
}

static int teardown(void **state)
{
	struct test *t = *state;

	hostusb_stop(t->h);
	pmapper_detach_all(t->rig->pm);
	fake_settle(t->rig, t->h);
	hostusb_destroy(t->h);
	rig_teardown((void **)&t->rig);
	fake_assert_clean();
	free(t);
	return 0;
}

static struct hostusb_rule rule_of(uint8_t port, unsigned tag)
{
	struct hostusb_rule r = {.tag = tag,
				 .match = {.kind = MATCH_PATH,
					   .bus = 1,
					   .path = {port},
					   .npath = 1}};

	snprintf(r.name, sizeof(r.name), "bus=1,port=%u", port);
	return r;
}

static int add(struct test *t, struct hostusb_rule r)
{
	int e = hostusb_add_rule(t->h, &r, t->err, sizeof(t->err));

	fake_settle(t->rig, t->h);
	return e;
}

static void assert_events(struct test *t, const char *events)
{
	assert_string_equal(t->told, events);
	t->told[0] = 0;
}

/* Counted, and the last one kept */
struct seen {
	unsigned n;
	struct hostusb_status s;
};

static void see(void *arg, const struct hostusb_status *s)
{
	struct seen *k = arg;

	k->n++;
	k->s = *s;
}

static enum hostusb_state state_of(struct test *t, unsigned n)
{
	struct seen k = {0};

	hostusb_each(t->h, see, &k);
	assert_int_equal(k.n, n);
	return n ? k.s.state : HOSTUSB_WAITING;
}

static void removed_rule_gives_its_device_back(void **state)
{
	struct test *t = *state;
	struct libusb_device *d = fake_add(2);

	create(t);
	assert_int_equal(add(t, rule_of(2, 7)), 0);
	assert_events(t, "7attached ");
	assert_int_equal(state_of(t, 1), HOSTUSB_ATTACHED);
	assert_int_equal(hostusb_remove(t->h, 8), 0);
	assert_int_equal(hostusb_remove(t->h, 7), 1);
	assert_int_equal(state_of(t, 1), HOSTUSB_DETACHING);
	assert_int_equal(hostusb_remove(t->h, 7), 0);
	fake_settle(t->rig, t->h);
	assert_events(t, "7detached 7ended ");
	assert_int_equal(d->drivers, 3);
	assert_int_equal(d->claimed, 0);
	assert_int_equal(state_of(t, 0), HOSTUSB_WAITING);
}

static void removed_rule_without_a_device_ends_at_once(void **state)
{
	struct test *t = *state;

	create(t);
	assert_int_equal(add(t, rule_of(2, 7)), 0);
	assert_int_equal(state_of(t, 1), HOSTUSB_WAITING);
	assert_int_equal(hostusb_remove(t->h, 7), 1);
	assert_events(t, "7detached 7ended ");
	fake_plug_in(2);
	fake_settle(t->rig, t->h);
	assert_events(t, "");
}

static void rule_can_be_removed_while_its_device_is_opened(void **state)
{
	struct test *t = *state;
	struct hostusb_rule r = rule_of(2, 7);
	struct libusb_device *d = fake_add(2);

	create(t);
	assert_int_equal(hostusb_add_rule(t->h, &r, t->err, sizeof(t->err)), 0);
	assert_int_equal(state_of(t, 1), HOSTUSB_ATTACHING);
	assert_int_equal(hostusb_remove(t->h, 7), 1);
	fake_settle(t->rig, t->h);
	assert_events(t, "7detached 7ended ");
	assert_int_equal(d->drivers, 3);
	assert_string_equal(t->rig->x.told, ""); /* it was in no port */
}

static void unplugged_device_is_waited_for(void **state)
{
	struct test *t = *state;
	struct libusb_device *d = fake_add(2);

	create(t);
	assert_int_equal(add(t, rule_of(2, 7)), 0);
	fake_unplug(d);
	fake_settle(t->rig, t->h);
	assert_events(t, "7attached 7undetached ");
	assert_int_equal(state_of(t, 1), HOSTUSB_WAITING);
	fake_plug_in(2);
	fake_settle(t->rig, t->h);
	assert_events(t, "7attached ");
}

static void below_a_hub_one_device_can_leave(void **state)
{
	struct test *t = *state;
	struct hostusb_rule r = rule_of(2, 7);
	struct usb_match m = {
		.kind = MATCH_PATH, .bus = 1, .path = {2, 1}, .npath = 2};
	struct libusb_device *d[2];

	r.match.kind = MATCH_BELOW;
	for (uint8_t i = 0; i < 2; i++) {
		d[i] = fake_add(2);
		d[i]->info.npath = 2;
		d[i]->info.path[1] = (uint8_t)(i + 1);
	}
	create(t);
	assert_int_equal(add(t, r), 0);
	assert_events(t, "7attached 7attached ");
	assert_int_equal(hostusb_leave(t->h, &m), 1);
	assert_int_equal(hostusb_leave(t->h, &m), 0);
	fake_settle(t->rig, t->h);
	assert_events(t, "7detached ");
	assert_int_equal(d[0]->drivers, 3);
	assert_int_equal(d[1]->drivers, 0);
	assert_int_equal(hostusb_remove(t->h, 7), 1);
	fake_settle(t->rig, t->h);
	assert_events(t, "7detached 7ended ");
}

/* Both at once, and each by itself, end the rule once. */
static void rule_with_several_devices_ends_with_the_last(void **state)
{
	struct test *t = *state;
	struct hostusb_rule r = rule_of(2, 7);

	r.match.kind = MATCH_BELOW;
	for (uint8_t i = 0; i < 3; i++) {
		struct usb_info *info = &fake_add(2)->info;

		info->npath = 2;
		info->path[1] = (uint8_t)(i + 1);
	}
	create(t);
	assert_int_equal(add(t, r), 0);
	assert_int_equal(hostusb_remove(t->h, 7), 3);
	fake_settle(t->rig, t->h);
	assert_events(t, "7attached 7attached 7attached "
			 "7detached 7detached 7detached 7ended ");
}

static void device_that_left_can_be_asked_for_before_it_is_out(void **state)
{
	struct test *t = *state;

	fake_add(2);
	create(t);
	assert_int_equal(add(t, rule_of(2, 7)), 0);
	assert_int_equal(hostusb_remove(t->h, 7), 1);
	assert_int_equal(add(t, rule_of(2, 8)), 0);
	assert_events(t, "7attached 7detached 7ended 8attached ");
}

static void what_keeps_a_rule_from_its_device_is_told(void **state)
{
	struct test *t = *state;
	struct seen k = {0};

	create(t);
	fake.other_owner = "somebody else";
	assert_int_equal(add(t, rule_of(2, 7)), 0);
	fake_plug_in(2);
	fake_settle(t->rig, t->h);
	assert_events(t, "7failed ");
	hostusb_each(t->h, see, &k);
	assert_int_equal(k.s.state, HOSTUSB_IN_USE);
	assert_non_null(strstr(k.s.reason, "somebody else"));
	fake.other_owner = NULL;
}

/* Handed over: as a process with no right to any device node has it */

static int hand(struct test *t, struct hostusb_rule r)
{
	int fd = dup(0), e;

	assert_true(fd >= 0);
	e = hostusb_add_fd(t->h, fd, &r, t->err, sizeof(t->err));
	fake_settle(t->rig, t->h);
	if (e < 0)
		close(fd);
	return e;
}

static void handed_device_ends_its_rule(void **state)
{
	struct test *t = *state;
	struct libusb_device *d = fake_add(2);

	d->there = false; /* libusb does not list it */
	create(t);
	for (unsigned i = 0; i < 3; i++) {
		d->there = true;
		assert_int_equal(hand(t, rule_of(2, 7 + i)), 0);
		assert_int_equal(state_of(t, 1), HOSTUSB_ATTACHED);
		assert_int_equal(hostusb_remove(t->h, 7 + i), 1);
		fake_settle(t->rig, t->h);
		assert_int_equal(state_of(t, 0), HOSTUSB_WAITING);
		assert_int_equal(d->drivers, 3);
		assert_int_equal(d->refs, 0);
	}
	assert_events(t, "7attached 7detached 7ended 8attached 8detached "
			 "8ended 9attached 9detached 9ended ");
}

static void handed_device_is_its_givers_to_answer_for(void **state)
{
	struct test *t = *state;
	struct libusb_device *d = fake_add(2);

	d->there = false;
	create(t);
	d->there = true;
	fake.other_owner = "who handed it over";
	assert_int_equal(hand(t, rule_of(2, 7)), 0);
	assert_events(t, "7attached ");
	fake.other_owner = NULL;
}

/* Two objects for one device: one is handed over, libusb lists the other. */
static void handed_device_goes_when_its_other_self_does(void **state)
{
	struct test *t = *state;
	struct libusb_device *d, *listed;

	d = fake_add(2);
	d->there = false;
	create(t);
	listed = fake_plug_in(2);
	listed->info.addr = d->info.addr;
	fake_settle(t->rig, t->h);
	d->there = true;
	assert_int_equal(hand(t, rule_of(2, 7)), 0);
	assert_events(t, "7attached ");
	d->there = false;
	fake_unplug(listed);
	fake_settle(t->rig, t->h);
	assert_events(t, "7undetached 7ended ");
	fake_plug_in(2);
	fake_settle(t->rig, t->h);
	assert_events(t, ""); /* who hands over says when */
}

static void handed_device_that_cannot_be_taken_is_the_callers(void **state)
{
	struct test *t = *state;
	struct libusb_device *d = fake_add(2);

	d->there = false;
	create(t);
	d->there = true;
	for (unsigned at = 1; at < 4; at++) {
		fake.calls = 0;
		fake.fail_at = at;
		fake.fail_with = LIBUSB_ERROR_NO_MEM;
		hand(t, rule_of(2, 7));
		fake.fail_at = 0;
		fake_settle(t->rig, t->h);
		hostusb_remove(t->h, 7);
		fake_settle(t->rig, t->h);
		assert_int_equal(state_of(t, 0), HOSTUSB_WAITING);
		assert_int_equal(d->refs, 0);
	}
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(removed_rule_gives_its_device_back),
		TEST(removed_rule_without_a_device_ends_at_once),
		TEST(rule_can_be_removed_while_its_device_is_opened),
		TEST(unplugged_device_is_waited_for),
		TEST(below_a_hub_one_device_can_leave),
		TEST(rule_with_several_devices_ends_with_the_last),
		TEST(device_that_left_can_be_asked_for_before_it_is_out),
		TEST(what_keeps_a_rule_from_its_device_is_told),
		TEST(handed_device_ends_its_rule),
		TEST(handed_device_is_its_givers_to_answer_for),
		TEST(handed_device_goes_when_its_other_self_does),
		TEST(handed_device_that_cannot_be_taken_is_the_callers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
