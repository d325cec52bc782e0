/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostusb_attach.h - for the unit tests of rules and devices, after hostusb_fake.h:
 * a controller without devices, and rules for it.
 */
#ifndef TESTS_HOSTUSB_ATTACH_H
#define TESTS_HOSTUSB_ATTACH_H

struct test {
	struct rig *rig;
	struct hostusb *h;
	char err[256];
};

static inline int setup(void **state)
{
	struct test *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	fake_reset_host();
	rig_setup((void **)&t->rig);
	*state = t;
	return 0;
}

static inline int create(struct test *t)
{
	return hostusb_create(t->rig->pm, &host_ops, t, "the tests", t->err,
			      sizeof(t->err), &t->h);
}

/* As a program ends: devices out, then the rest. */
static inline void stop(struct test *t)
{
	if (t->h) {
		hostusb_stop(t->h);
		pmapper_detach_all(t->rig->pm);
		fake_settle(t->rig, t->h);
	}
	hostusb_destroy(t->h);
	t->h = NULL;
}

static inline int teardown(void **state)
{
	struct test *t = *state;

	stop(t);
	rig_teardown((void **)&t->rig);
	fake_assert_clean();
	free(t);
	return 0;
}

static inline struct hostusb_rule rule_path(uint8_t port)
{
	struct hostusb_rule r = {.match = {.kind = MATCH_PATH,
					   .bus = 1,
					   .path = {port},
					   .npath = 1}};

	snprintf(r.name, sizeof(r.name), "bus=1,port=%u", port);
	return r;
}

static inline struct hostusb_rule rule_id(uint16_t pid, const char *serial)
{
	struct hostusb_rule r = {
		.match = {.kind = MATCH_ID, .vid = 0x1d6b, .pid = pid}};

	snprintf(r.match.serial, sizeof(r.match.serial), "%s", serial);
	snprintf(r.name, sizeof(r.name), "id=1d6b:%04x", pid);
	return r;
}

static inline int add(struct test *t, struct hostusb_rule r)
{
	return hostusb_add_rule(t->h, &r, t->err, sizeof(t->err));
}

static inline void start(struct test *t, struct hostusb_rule r)
{
	assert_int_equal(create(t), 0);
	assert_int_equal(add(t, r), 0);
	fake_settle(t->rig, t->h);
}

#endif
