/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has which device: the rules of vxhci manage on a host of this test's own,
 * by single cases and by many random steps against a model of few lines.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/manage_conf.h"
#include "vmm/manage_core.h"

#define MAX_DEVS 16u

/* The host, and what each VM has */
static struct host {
	struct core core;
	struct policy p;
	unsigned claims, rebinds;
	int give_error;
	unsigned last_id;
	struct core_dev *asked[MAX_DEVS], *taken[MAX_DEVS];
	unsigned nasked, ntaken;
	struct policy_dev dev[MAX_DEVS];
	bool there[MAX_DEVS];
} host;

static int fake_claim(void *h, const struct core_dev *d, void **ret)
{
	struct host *k = h;

	(void)d;
	k->claims++;
	*ret = k;
	return 0;
}

static void fake_release(void *h, void *claim)
{
	struct host *k = h;

	assert_ptr_equal(claim, k);
	assert_true(k->claims > 0);
	k->claims--;
}

static int fake_give(void *h, uint8_t vm, struct core_dev *d)
{
	struct host *k = h;

	(void)vm;
	if (k->give_error)
		return k->give_error;
	k->asked[k->nasked++] = d;
	return 0;
}

static void fake_take(void *h, uint8_t vm, struct core_dev *d)
{
	struct host *k = h;

	assert_int_equal(vm, d->vm);
	k->taken[k->ntaken++] = d;
}

static void fake_rebind(void *h, const struct core_dev *d)
{
	(void)d;
	((struct host *)h)->rebinds++;
}

static void fake_log(void *h, const struct core_dev *d, const char *what)
{
	(void)h;
	(void)d;
	(void)what;
}

static const struct core_ops ops = {
	.claim = fake_claim,
	.release = fake_release,
	.give = fake_give,
	.take = fake_take,
	.rebind = fake_rebind,
	.log = fake_log,
};

#define VMS "{\"vms\":{\"a\":{\"control\":\"/a\"},\"b\":{\"control\":\"/b\"}},"

static void load(struct policy *p, const char *rules)
{
	char text[1024], err[512] = "";

	snprintf(text, sizeof(text), VMS "\"rules\":[%s]}", rules);
	if (conf_parse("t", text, err, sizeof(err), p) != 0)
		fail_msg("%s", err);
}

static void start(const char *rules)
{
	memset(&host, 0, sizeof(host));
	load(&host.p, rules);
	core_init(&host.core, &ops, &host, &host.p);
}

static void end(void)
{
	core_free(&host.core);
	assert_int_equal(host.claims, 0);
	policy_free(&host.p);
}

static void plug(unsigned n, uint16_t pid)
{
	static uint8_t addr;

	addr = (uint8_t)(addr % 120 + 1);
	host.dev[n] = (struct policy_dev){.info = {.bus = 1,
						   .addr = addr,
						   .path = {(uint8_t)(n + 1)},
						   .npath = 1,
						   .vid = 0x1000,
						   .pid = pid}};
	host.there[n] = true;
}

static void scan(void)
{
	struct policy_dev list[MAX_DEVS];
	size_t n = 0;

	for (unsigned i = 0; i < MAX_DEVS; i++)
		if (host.there[i])
			list[n++] = host.dev[i];
	assert_int_equal(core_set_devices(&host.core, list, n), 0);
}

/* Whatever was asked of a VM, it does. */
static void settle(void)
{
	do {
		core_run(&host.core);
		while (host.nasked)
			core_given(&host.core, host.asked[--host.nasked], 0,
				   ++host.last_id);
		while (host.ntaken) {
			struct core_dev *d = host.taken[--host.ntaken];

			core_detached(&host.core, d->vm, d->id, false);
		}
		core_run(&host.core);
	} while (host.nasked || host.ntaken);
}

static struct core_dev *dev_at(unsigned n)
{
	struct core_dev *d = host.core.devs;

	while (d && (d->left || d->d.info.addr != host.dev[n].info.addr))
		d = d->next;
	return d;
}

static uint8_t owner(unsigned n)
{
	struct core_dev *d = dev_at(n);

	assert_non_null(d);
	return d->state == CORE_GIVEN ? d->vm : CORE_NO_VM;
}

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

/*
 * The model: each device's owner follows from what happened to it, by the
 * words of docs/manage.md and nothing of the code's.
 */
struct model {
	bool there, denied;
	uint8_t order[2];
	unsigned norder;
	uint8_t has;
	bool let_go[2];
};

static bool up[2];

static void model_settle(struct model *m)
{
	if (!m->there || m->has != CORE_NO_VM)
		return;
	for (unsigned i = 0; i < m->norder && m->has == CORE_NO_VM; i++)
		if (up[m->order[i]] && !m->let_go[m->order[i]])
			m->has = m->order[i];
}

static const struct model kinds[] = {
	{.norder = 1, .order = {0}, .has = CORE_NO_VM},
	{.norder = 1, .order = {1}, .has = CORE_NO_VM},
	{.norder = 2, .order = {0, 1}, .has = CORE_NO_VM},
	{.norder = 2, .order = {1, 0}, .has = CORE_NO_VM},
	{.norder = 0, .has = CORE_NO_VM},
};
#define KINDS                                                        \
	"{\"match\":{\"id\":\"1000:0000\"},\"give\":\"a\"},"         \
	"{\"match\":{\"id\":\"1000:0001\"},\"give\":\"b\"},"         \
	"{\"match\":{\"id\":\"1000:0002\"},\"give\":[\"a\",\"b\"]}," \
	"{\"match\":{\"id\":\"1000:0003\"},\"give\":[\"b\",\"a\"]}," \
	"{\"match\":{\"id\":\"1000:0004\"},\"deny\":true}"

/* vxhci manage starts anew: VMs tell what they have. */
static void restart(struct model *m)
{
	struct core old = host.core;

	core_init(&host.core, &ops, &host, &host.p);
	scan();
	for (uint8_t vm = 0; vm < 2; vm++) {
		if (!up[vm])
			continue;
		core_vm_up(&host.core, vm);
		for (struct core_dev *d = old.devs; d; d = d->next)
			if (d->state == CORE_GIVEN && d->vm == vm)
				core_adopt(&host.core, vm, 1, d->d.info.addr,
					   d->id, "");
	}
	core_free(&old);
	for (unsigned n = 0; n < MAX_DEVS; n++)
		m[n].let_go[0] = m[n].let_go[1] = false;
}

static void step(struct model *m, unsigned what, unsigned n, uint8_t vm)
{
	switch (what) {
	case 0: /* plug or unplug */
		if (m[n].there) {
			host.there[n] = false;
			m[n].there = false;
			scan();
			core_run(&host.core);
			if (m[n].has != CORE_NO_VM)
				settle();
			m[n].has = CORE_NO_VM;
		} else {
			m[n] = kinds[n % 5];
			m[n].there = true;
			plug(n, (uint16_t)(n % 5));
			scan();
		}
		break;
	case 1: /* a VM starts or ends */
		up[vm] = !up[vm];
		if (up[vm])
			core_vm_up(&host.core, vm);
		else
			core_vm_down(&host.core, vm);
		for (unsigned i = 0; i < MAX_DEVS; i++) {
			if (!up[vm] && m[i].has == vm)
				m[i].has = CORE_NO_VM;
			m[i].let_go[vm] &= !up[vm];
		}
		break;
	case 2: /* somebody detaches it in the VM */
		if (!m[n].there || m[n].has == CORE_NO_VM)
			break;
		m[n].let_go[m[n].has] = true;
		core_detached(&host.core, m[n].has, dev_at(n)->id, false);
		m[n].has = CORE_NO_VM;
		break;
	default:
		restart(m);
	}
}

static void many_steps_end_as_the_model_says(void **state)
{
	struct model m[MAX_DEVS];

	(void)state;
	start(KINDS);
	up[0] = up[1] = false;
	for (unsigned n = 0; n < MAX_DEVS; n++)
		m[n] = kinds[n % 5];
	srand(1);
	for (unsigned i = 0; i < 20000; i++) {
		unsigned have = 0;

		step(m, (unsigned)rand() % 4, (unsigned)rand() % MAX_DEVS,
		     (uint8_t)(rand() % 2));
		settle();
		for (unsigned n = 0; n < MAX_DEVS; n++) {
			model_settle(&m[n]);
			if (!m[n].there)
				continue;
			have += m[n].has != CORE_NO_VM;
			if (owner(n) != m[n].has)
				fail_msg("step %u: device %u: %u, not %u", i, n,
					 owner(n), m[n].has);
		}
		assert_int_equal(host.claims, have);
	}
	end();
}

/* What was asked of VMs and not answered yet: they take their time. */
static struct asked {
	bool take;
	uint8_t vm, addr;
	unsigned id;
} late[64];
static unsigned nlate;

static int late_give(void *h, uint8_t vm, struct core_dev *d)
{
	(void)h;
	if (nlate == 64)
		return -EAGAIN;
	late[nlate++] = (struct asked){.vm = vm, .addr = d->d.info.addr};
	return 0;
}

static void late_take(void *h, uint8_t vm, struct core_dev *d)
{
	(void)h;
	assert_int_not_equal(d->id, 0);
	assert_in_range(nlate, 0, 63);
	late[nlate++] = (struct asked){
		.take = true, .vm = vm, .addr = d->d.info.addr, .id = d->id};
}

/* One of them is answered, well or not. */
static void answer(unsigned n)
{
	struct asked a = late[n];
	struct core_dev *d = host.core.devs;

	late[n] = late[--nlate];
	while (d && (d->vm != a.vm || d->d.info.addr != a.addr ||
		     d->id != a.id || d->state == CORE_FREE))
		d = d->next;
	if (a.take)
		core_detached(&host.core, a.vm, a.id, rand() % 8 == 0);
	else if (d)
		core_given(&host.core, d, rand() % 16 == 0 ? -EIO : 0,
			   ++host.last_id);
}

/* A VM that ends answers nothing more. */
static void forget(uint8_t vm)
{
	for (unsigned n = nlate; n-- > 0;)
		if (late[n].vm == vm)
			late[n] = late[--nlate];
}

/* Devices that somebody has, each once and by a rule that names him */
static unsigned check_owners(void)
{
	unsigned owned = 0;

	for (struct core_dev *d = host.core.devs; d; d = d->next) {
		const struct policy_rule *r = d->decision.rule;
		bool named = false;

		assert_int_equal(d->claim != NULL, d->state != CORE_FREE);
		if (d->state == CORE_FREE)
			continue;
		owned++;
		assert_true(host.core.up & (UINT64_C(1) << d->vm));
		for (unsigned n = 0; r && n < r->nvms; n++)
			named |= r->vm[n] == d->vm;
		assert_true(named || d->state == CORE_TAKING || d->left ||
			    d->state == CORE_GIVING);
		for (struct core_dev *k = d->next; k; k = k->next)
			assert_true(k->id == 0 || k->vm != d->vm ||
				    k->id != d->id);
	}
	assert_int_equal(host.claims, owned);
	return owned;
}

static void nothing_is_lost_when_nobody_waits(void **state)
{
	static const uint8_t same[] = {0, 1};
	static const char *const rules[] = {
		KINDS, "{\"match\":{\"id\":\"1000:0000\"},\"give\":\"b\"},"
		       "{\"match\":{\"id\":\"1000:0002\"},\"give\":\"a\"}"};
	struct core_ops late_ops = ops;
	unsigned given = 0;

	(void)state;
	late_ops.give = late_give;
	late_ops.take = late_take;
	start(KINDS);
	host.core.ops = &late_ops;
	up[0] = up[1] = false;
	nlate = 0;
	srand(3);
	for (unsigned i = 0; i < 60000; i++) {
		unsigned n = (unsigned)rand() % MAX_DEVS;
		uint8_t vm = (uint8_t)(rand() % 2);
		struct core_dev *d = dev_at(n);
		struct policy p;

		switch (rand() % 16) {
		case 0:
			load(&p, rules[rand() % 2]);
			core_set_policy(&host.core, &p, same);
			policy_free(&host.p);
			host.p = p;
			host.core.p = &host.p;
			break;
		case 1:
			up[vm] = !up[vm];
			if (up[vm]) {
				core_vm_up(&host.core, vm);
			} else {
				forget(vm);
				core_vm_down(&host.core, vm);
			}
			break;
		case 2:
			if (host.there[n] && d && d->state == CORE_GIVEN)
				core_detached(&host.core, d->vm, d->id, false);
			break;
		case 3:
		case 4:
		case 5:
			host.there[n] = !host.there[n];
			if (host.there[n])
				plug(n, (uint16_t)(n % 5));
			break;
		case 6:
		case 7:
			scan();
			break;
		default:
			if (nlate)
				answer((unsigned)rand() % nlate);
		}
		core_run(&host.core);
		given += check_owners() > 0;
		if (i % 100)
			continue;
		/* all is answered: all is where it belongs, and comes to rest */
		scan();
		for (unsigned k = 0; k < 1000; k++) {
			core_run(&host.core);
			if (nlate)
				answer(0);
		}
		assert_int_equal(nlate, 0);
		check_owners();
		for (d = host.core.devs; d; d = d->next) {
			assert_true(d->state == CORE_FREE ||
				    d->state == CORE_GIVEN);
			assert_false(d->left);
		}
	}
	assert_true(given > 10000);
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
		cmocka_unit_test(many_steps_end_as_the_model_says),
		cmocka_unit_test(nothing_is_lost_when_nobody_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
