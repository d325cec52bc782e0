/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The file of vxhci manage: what is in it, where a mistake is, and which rule
 * counts, against a model that looks at all of them.
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

#define VMS \
	"{\"vms\":{\"a\":{\"control\":\"/a\"},\"b\":{\"control\":\"/b\"}},\n"
#define RULES(r) VMS "\"rules\":[\n" r "\n]}"
#define M "{\"match\":{},\"give\":\"a\","

static void a_mistake_has_a_place(void **state)
{
	static const struct {
		const char *text, *err;
	} rows[] = {
		{"", "f:1:0: "},
		{"{\"vms\":{},\n \"rules\":[}", "f:2:11: "},
		{"[]", "f:1:1: not an object"},
		{"{\n  \"vmz\": {}}", "f:2:3: vmz: unknown key"},
		{"{}", "f:1:1: vms: missing"},
		{"{\"vms\":[]}", "f:1:2: vms: missing, or not an object"},
		{"{\"vms\":{}}", "f:1:1: rules: missing"},
		{"{\"vms\":{\"a\":1}}", "f:1:9: a: not an object"},
		{"{\"vms\":{\"a\":{}}}", "f:1:9: a: control is missing"},
		{"{\"vms\":{\"a\":{\"control\":\"x\"}}}",
		 "f:1:14: control: no absolute path"},
		{"{\"vms\":{\"a\":{\"control\":\"/dev/null\"}}}",
		 "f:1:14: control: /dev/null: not a socket"},
		{"{\"vms\":{\"a\":{\"control\":\"/dev/null/a\"}}}",
		 "f:1:14: control: /dev/null/a: Not a directory"},
		{"{\"vms\":{\"a\":{\"user\":\"no.such.user\"}}}",
		 "f:1:14: user: no.such.user: no such user"},
		{"{\"vms\":{\"a\":{\"user\":-1}}}", "f:1:14: user: neither"},
		{"{\"vms\":{\"a\":{\"user\":\"\"}}}", "f:1:14: user: neither"},
		{"{\"vms\":{\"a\":{\"control\":\"/x\"},\n"
		 "\"b\":{\"control\":\"/x\"}}}",
		 "f:2:1: b: the same controller as a"},
		{RULES("{}"), "f:3:1: rule: match is missing"},
		{RULES("{\"match\":{}}"), "f:3:1: rule: none of give, deny"},
		{RULES(M "\"deny\":true}"), "f:3:1: rule: several of give"},
		{RULES(M "\"deny\":false}"), "f:3:24: deny: false says"},
		{RULES("7"), "f:3:1: rules: not an object"},
		{"{\"vm\\ns\": {}}", "f:1:1: vm?s: unknown key"},
		{RULES(M "\"at\":31}"), "f:3:24: at: out of range: write 1 "},
		{RULES(M "\"at\":\"1\"}"), "f:3:24: at: not an integer"},
		{RULES(M "\"port\":1}"), "f:3:24: port: unknown key"},
		{RULES("{\"match\":{},\"give\":\"c\"}"),
		 "f:3:13: give: c: no such VM"},
		{RULES("{\"match\":{},\"give\":[]}"),
		 "f:3:13: give: neither a VM's name"},
		{RULES("{\"match\":{},\"give\":[\"a\",\"a\"]}"),
		 "f:3:13: give: a is named twice"},
		{RULES("{\"match\":{\"port\":\"1\"},\"deny\":true}"),
		 "f:3:2: match: port is not enough"},
		{RULES("{\"match\":{\"bus\":1,\"port\":\"1.\"},\"deny\":true}"),
		 "f:3:19: port: not a port path"},
		{RULES("{\"match\":{\"id\":\"12:34\"},\"deny\":true}"),
		 "f:3:11: id: not an id"},
		{RULES("{\"match\":{\"class\":\"mass\"},\"deny\":true}"),
		 "f:3:11: class: unknown"},
		{RULES("{\"match\":{\"speed\":\"fast\"},\"deny\":true}"),
		 "f:3:11: speed: unknown"},
		{RULES("{\"match\":{\"bus\":0},\"deny\":true}"),
		 "f:3:11: bus: out of range"},
		{RULES("{\"match\":{},\"deny\":true,\"force\":true}"),
		 "f:3:1: rule: at, force and follow belong to give"},
		{RULES(M "\"name\":\"\"}"), "f:3:24: name: empty"},
		{RULES("{\"match\":{},\"give\":\"a\"},\n"
		       "{\"match\":{\"bus\":1},\"give\":\"b\"}"),
		 "f:4:1: rule 2: one device may match this and rule 1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy p = {.nrules = 99};
		char err[512] = "";

		assert_int_equal(
			conf_parse("f", rows[i].text, err, sizeof(err), &p),
			-EINVAL);
		if (strncmp(err, rows[i].err, strlen(rows[i].err)) != 0)
			fail_msg("%s\n%s, not %s", rows[i].text, err,
				 rows[i].err);
		assert_int_equal(p.nrules, 99); /* nothing is half there */
	}
}

static void parse(struct policy *p, const char *text)
{
	char err[512] = "";

	if (conf_parse("f", text, err, sizeof(err), p) != 0)
		fail_msg("%s", err);
}

static void what_cannot_meet_is_no_tie(void **state)
{
	static const char *const pairs[][2] = {
		{"\"bus\":1", "\"bus\":2"},
		{"\"id\":\"0001:*\"", "\"id\":\"0002:0001\""},
		{"\"bus\":1,\"port\":\"1.*\"", "\"bus\":1,\"port\":\"2.1\""},
		{"\"bus\":1,\"port\":\"1\"", "\"bus\":1,\"port\":\"1.2\""},
		{"\"serial\":\"a\"", "\"serial\":\"b\""},
		{"\"speed\":\"low\"", "\"speed\":\"high\""},
		{"\"controller\":\"a\"", "\"controller\":\"b\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct policy p;
		char text[512];

		snprintf(text, sizeof(text),
			 RULES("{\"match\":{%s},\"give\":\"a\"},"
			       "{\"match\":{%s},\"give\":\"b\"}"),
			 pairs[i][0], pairs[i][1]);
		parse(&p, text);
		assert_int_equal(p.nrules, 2);
		policy_free(&p);
	}
}

static void ten_thousand_rules_are_read(void **state)
{
	const size_t n = 10000, room = n * 100;
	char *text = malloc(room);
	struct policy p;
	size_t len;

	(void)state;
	assert_non_null(text);
	len = (size_t)snprintf(text, room, VMS "\"rules\":[");
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(
			text + len, room - len,
			"%s{\"match\":{\"id\":\"%04zx:0001\"},\"give\":\"%s\"}",
			i ? ",\n" : "", i, i % 2 ? "a" : "b");
	snprintf(text + len, room - len, "]}");
	parse(&p, text);
	assert_int_equal(p.nrules, n);
	policy_free(&p);
	free(text);
}

static void what_the_host_uses_is_not_given(void **state)
{
	struct policy_dev d = {.used = POLICY_ROOT_DISK};
	struct policy_decision k;
	struct policy p;

	(void)state;
	parse(&p, RULES("{\"match\":{\"bus\":1},\"give\":\"a\"},"
			"{\"match\":{\"bus\":2},\"give\":\"a\","
			"\"force\":true}"));
	for (unsigned used = 0; used < 16; used++) {
		for (uint8_t bus = 1; bus <= 3; bus++) {
			bool denied =
				bus == 1 ? used != 0 : (used & POLICY_HUB) != 0;

			d.used = used;
			d.info.bus = bus;
			policy_decide(&p, &d, &k);
			if (bus == 3)
				assert_int_equal(k.action, POLICY_LEAVE);
			else
				assert_int_equal(k.action,
						 denied ? POLICY_DENY
							: POLICY_GIVE);
			assert_int_equal(k.why != NULL, denied && bus != 3);
		}
	}
	policy_free(&p);
}

/* The model: sort what matches, look at the first. */
static enum policy_action model(const struct policy *p, unsigned bus,
				unsigned pid)
{
	enum policy_action a = POLICY_LEAVE;
	int best = INT32_MIN;

	for (unsigned i = 0; i < p->nrules; i++) {
		const struct policy_rule *r = &p->rules[i];
		const struct policy_match *m = &r->match;

		if (((m->has & POLICY_BUS) && m->bus != bus) ||
		    ((m->has & POLICY_ID) && m->pid != pid))
			continue;
		if (r->priority > best ||
		    (r->priority == best && r->action == POLICY_DENY))
			a = r->action;
		if (r->priority > best)
			best = r->priority;
	}
	return a;
}

static void the_rule_that_counts_is_the_models(void **state)
{
	static const char *const what[] = {"\"give\":\"a\"", "\"deny\":true",
					   "\"leave\":true"};
	unsigned read = 0;

	(void)state;
	srand(2);
	for (unsigned round = 0; round < 3000; round++) {
		char text[2048], err[512];
		struct policy p;
		size_t n =
			(size_t)snprintf(text, sizeof(text), VMS "\"rules\":[");
		unsigned rules = 1 + (unsigned)rand() % 5;

		for (unsigned i = 0; i < rules; i++) {
			char match[64] = "";

			if (rand() % 2)
				snprintf(match, sizeof(match), "\"bus\":%d",
					 1 + rand() % 2);
			if (rand() % 2)
				snprintf(match + strlen(match), 40,
					 "%s\"id\":\"0000:000%d\"",
					 match[0] ? "," : "", rand() % 2);
			n += (size_t)snprintf(
				text + n, sizeof(text) - n,
				"%s{\"priority\":%d,\"match\":{%s},%s}",
				i ? "," : "", rand() % 4, match,
				what[rand() % 3]);
		}
		snprintf(text + n, sizeof(text) - n, "]}");
		if (conf_parse("f", text, err, sizeof(err), &p) != 0) {
			assert_non_null(strstr(err, "one device may match"));
			continue;
		}
		read++;
		for (unsigned k = 0; k < 4; k++) {
			struct policy_dev d = {
				.info = {.bus = (uint8_t)(1 + k / 2),
					 .pid = (uint16_t)(k % 2)}};
			struct policy_decision dec;

			policy_decide(&p, &d, &dec);
			assert_int_equal(dec.action,
					 model(&p, 1 + k / 2, k % 2));
		}
		policy_free(&p);
	}
	assert_in_range(read, 500, 3000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mistake_has_a_place),
		cmocka_unit_test(what_cannot_meet_is_no_tie),
		cmocka_unit_test(ten_thousand_rules_are_read),
		cmocka_unit_test(what_the_host_uses_is_not_given),
		cmocka_unit_test(the_rule_that_counts_is_the_models),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
