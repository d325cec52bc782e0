/* SPDX-License-Identifier: BSD-2-Clause */
/* Who has which device, by the rules of vxhci manage: single cases. */
#include "tests/unit/vfu_manage_core.h"

#define TO_A "{\"match\":{\"id\":\"1000:0001\"},\"give\":\"a\"}"
#define TO_AB "{\"match\":{\"id\":\"1000:0001\"},\"give\":[\"a\",\"b\"]}"

static void device_goes_where_its_rule_says(void **state)
{
	(void)state;
	start(TO_A ",{\"match\":{\"id\":\"1000:0002\"},\"give\":\"b\"}");
	core_vm_up(&host.core, 0);
	core_vm_up(&host.core, 1);
	plug(0, 1);
	plug(1, 2);
	plug(2, 3);
	scan();
	settle();
	assert_int_equal(owner(0), 0);
	assert_int_equal(owner(1), 1);
	assert_int_equal(owner(2), CORE_NO_VM);
	assert_int_equal(host.claims, 2);
	end();
}

static void vm_that_comes_late_gets_its_device(void **state)
{
	(void)state;
	start(TO_A);
	plug(0, 1);
	scan();
	settle();
	assert_int_equal(owner(0), CORE_NO_VM);
	core_vm_up(&host.core, 0);
	settle();
	assert_int_equal(owner(0), 0);
	end();
}

static void drivers_come_back_when_a_vm_dies(void **state)
{
	(void)state;
	start(TO_A);
	plug(0, 1);
	scan();
	core_vm_up(&host.core, 0);
	settle();
	core_vm_down(&host.core, 0);
	assert_int_equal(host.rebinds, 1);
	assert_int_equal(host.claims, 0);
	settle();
	assert_int_equal(owner(0), CORE_NO_VM);
	core_vm_up(&host.core, 0);
	settle();
	assert_int_equal(owner(0), 0);
	end();
}

static void second_vm_gets_it_when_the_first_lets_go(void **state)
{
	(void)state;
	start(TO_AB);
	plug(0, 1);
	scan();
	core_vm_up(&host.core, 1);
	core_vm_up(&host.core, 0);
	settle();
	assert_int_equal(owner(0), 0);
	core_detached(&host.core, 0, dev_at(0)->id, false);
	settle();
	assert_int_equal(owner(0), 1);
	core_detached(&host.core, 1, dev_at(0)->id, false);
	settle();
	assert_int_equal(owner(0), CORE_NO_VM); /* both let it go */
	host.there[0] = false;
	scan();
	plug(0, 1);
	scan();
	settle();
	assert_int_equal(owner(0), 0); /* plugged in again it is as new */
	core_vm_down(&host.core, 0);
	settle();
	assert_int_equal(owner(0), 1);
	core_vm_up(&host.core, 0);
	settle();
	assert_int_equal(owner(0), 1); /* nobody takes it from the second */
	end();
}

static void device_that_a_vm_has_is_adopted(void **state)
{
	(void)state;
	start(TO_AB);
	plug(0, 1);
	scan();
	core_vm_up(&host.core, 0);
	core_vm_up(&host.core, 1);
	core_adopt(&host.core, 1, 1, host.dev[0].info.addr, 77, "");
	settle();
	assert_int_equal(owner(0), 1);
	assert_int_equal(dev_at(0)->id, 77);
	assert_int_equal(host.last_id, 0); /* nothing was given or taken */
	assert_int_equal(host.claims, 1);
	end();
}

static void unplugged_device_is_the_vms_until_it_says_so(void **state)
{
	(void)state;
	start(TO_A);
	plug(0, 1);
	scan();
	core_vm_up(&host.core, 0);
	settle();
	host.there[0] = false;
	scan();
	core_run(&host.core);
	assert_int_equal(host.ntaken, 1); /* should it not know */
	core_detached(&host.core, 0, 1, true);
	host.ntaken = 0;
	assert_null(host.core.devs);
	assert_int_equal(host.claims, 0);
	assert_int_equal(host.rebinds, 0);
	end();
}

static void other_rules_move_only_what_they_say(void **state)
{
	static const uint8_t same[] = {0, 1};
	struct policy p;

	(void)state;
	start(TO_A ",{\"match\":{\"id\":\"1000:0002\"},\"give\":\"a\"}");
	plug(0, 1);
	plug(1, 2);
	scan();
	core_vm_up(&host.core, 0);
	core_vm_up(&host.core, 1);
	settle();
	assert_int_equal(host.last_id, 2);
	load(&p, TO_A ",{\"match\":{\"id\":\"1000:0002\"},\"give\":\"b\"}");
	core_set_policy(&host.core, &p, same);
	settle();
	assert_int_equal(owner(0), 0);
	assert_int_equal(owner(1), 1);
	assert_int_equal(host.last_id, 3);
	policy_free(&host.p);
	host.p = p;
	end();
}

static void device_that_cannot_be_given_waits_for_its_return(void **state)
{
	(void)state;
	start(TO_A);
	plug(0, 1);
	scan();
	core_vm_up(&host.core, 0);
	host.give_error = -EBUSY;
	settle();
	host.give_error = 0;
	settle();
	assert_int_equal(owner(0), CORE_NO_VM);
	assert_int_equal(host.claims, 0);
	host.there[0] = false;
	scan();
	plug(0, 1);
	scan();
	core_run(&host.core);
	assert_int_equal(host.nasked, 1);
	core_given(&host.core, host.asked[--host.nasked], -EIO, 0);
	settle();
	assert_int_equal(owner(0), CORE_NO_VM);
	end();
}

static void rules_changed_while_it_is_given_take_it_back(void **state)
{
	static const uint8_t same[] = {0, 1};
	struct core_dev *d;
	struct policy p;

	(void)state;
	start(TO_A);
	plug(0, 1);
	scan();
	core_vm_up(&host.core, 0);
	core_run(&host.core);
	assert_int_equal(host.nasked, 1);
	d = host.asked[--host.nasked];
	load(&p, "");
	core_set_policy(&host.core, &p, same);
	core_run(&host.core);
	assert_int_equal(host.ntaken, 0); /* by which name? it has none yet */
	core_given(&host.core, d, 0, 5);
	assert_int_equal(host.ntaken, 1);
	settle();
	assert_int_equal(owner(0), CORE_NO_VM);
	policy_free(&host.p);
	host.p = p;
	end();
}

#define FOLLOW_A                                                           \
	"{\"name\":\"f\",\"match\":{\"id\":\"1000:0001\"},\"give\":\"a\"," \
	"\"follow\":true}"

/* A device that its guest makes another of: a firmware load, DFU */
static void other_identity_in_its_port_is_followed(void **state)
{
	static const uint8_t same[] = {0, 1};
	struct policy p;

	(void)state;
	start(FOLLOW_A);
	core_vm_up(&host.core, 0);
	plug(0, 1);
	plug(1, 9);
	scan();
	settle();
	assert_int_equal(owner(0), 0);
	assert_int_equal(owner(1), CORE_NO_VM); /* it was never anybody's */
	plug(0, 9); /* at once, so that both are seen in one look */
	scan();
	core_run(&host.core);
	assert_int_equal(host.nasked, 0); /* not while the old one is there */
	settle();
	assert_int_equal(owner(0), 0);
	load(&p, FOLLOW_A); /* the same rules again: it stays */
	core_set_policy(&host.core, &p, same);
	policy_free(&host.p);
	host.p = p;
	host.core.p = &host.p;
	core_set_policy(&host.core, &host.p, same);
	settle();
	assert_int_equal(owner(0), 0);
	assert_int_equal(host.last_id, 2);
	host.there[0] = false; /* and back as it was */
	scan();
	settle();
	plug(0, 1);
	scan();
	settle();
	assert_int_equal(owner(0), 0);
	host.there[0] = false; /* but who comes late is somebody else */
	scan();
	settle();
	host.core.now_ns += CORE_FOLLOW_NS + 1;
	plug(0, 9);
	scan();
	settle();
	assert_int_equal(owner(0), CORE_NO_VM);
	end();
}

static void followed_device_is_adopted(void **state)
{
	(void)state;
	start(FOLLOW_A);
	plug(0, 9);
	scan();
	core_vm_up(&host.core, 0);
	core_adopt(&host.core, 0, 1, host.dev[0].info.addr, 5, "f");
	settle();
	assert_int_equal(owner(0), 0);
	assert_int_equal(host.last_id, 0);
	end();
	start(FOLLOW_A);
	plug(0, 9);
	scan();
	core_vm_up(&host.core, 0);
	core_adopt(&host.core, 0, 1, host.dev[0].info.addr, 5, "other");
	settle();
	assert_int_equal(owner(0), CORE_NO_VM); /* no rule gives it */
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(device_goes_where_its_rule_says),
		cmocka_unit_test(vm_that_comes_late_gets_its_device),
		cmocka_unit_test(drivers_come_back_when_a_vm_dies),
		cmocka_unit_test(second_vm_gets_it_when_the_first_lets_go),
		cmocka_unit_test(device_that_a_vm_has_is_adopted),
		cmocka_unit_test(unplugged_device_is_the_vms_until_it_says_so),
		cmocka_unit_test(other_rules_move_only_what_they_say),
		cmocka_unit_test(
			device_that_cannot_be_given_waits_for_its_return),
		cmocka_unit_test(rules_changed_while_it_is_given_take_it_back),
		cmocka_unit_test(other_identity_in_its_port_is_followed),
		cmocka_unit_test(followed_device_is_adopted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
