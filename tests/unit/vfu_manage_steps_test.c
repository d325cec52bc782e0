/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has which device, by the rules of vxhci manage: many random steps, against
 * a model of few lines, and with VMs that take their time.
 */
#include "tests/unit/vfu_manage_core.h"

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
		cmocka_unit_test(many_steps_end_as_the_model_says),
		cmocka_unit_test(nothing_is_lost_when_nobody_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
