/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vfu_manage_core.h - vmm/manage_core.h on a host of the test's own, with VMs a
 * and b. Included once by each test.
 */
#ifndef TESTS_UNIT_VFU_MANAGE_CORE_H
#define TESTS_UNIT_VFU_MANAGE_CORE_H

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

static inline void load(struct policy *p, const char *rules)
{
	char text[1024], err[512] = "";

	snprintf(text, sizeof(text), VMS "\"rules\":[%s]}", rules);
	if (conf_parse("t", text, err, sizeof(err), p) != 0)
		fail_msg("%s", err);
}

static inline void start(const char *rules)
{
	memset(&host, 0, sizeof(host));
	load(&host.p, rules);
	core_init(&host.core, &ops, &host, &host.p);
}

static inline void end(void)
{
	core_free(&host.core);
	assert_int_equal(host.claims, 0);
	policy_free(&host.p);
}

static inline void plug(unsigned n, uint16_t pid)
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

static inline void scan(void)
{
	struct policy_dev list[MAX_DEVS];
	size_t n = 0;

	for (unsigned i = 0; i < MAX_DEVS; i++)
		if (host.there[i])
			list[n++] = host.dev[i];
	assert_int_equal(core_set_devices(&host.core, list, n), 0);
}

/* Whatever was asked of a VM, it does. */
static inline void settle(void)
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

static inline struct core_dev *dev_at(unsigned n)
{
	struct core_dev *d = host.core.devs;

	while (d && (d->left || d->d.info.addr != host.dev[n].info.addr))
		d = d->next;
	return d;
}

static inline uint8_t owner(unsigned n)
{
	struct core_dev *d = dev_at(n);

	assert_non_null(d);
	return d->state == CORE_GIVEN ? d->vm : CORE_NO_VM;
}

#endif
