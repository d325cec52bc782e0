/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An EVE model manifest as rules of vxhci manage: the keys of a member are
 * ANDed, the members of a group ORed, a port counts before a product, a parent
 * group narrows, and a controller that is assigned itself is left alone.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/manage_conf.h"

static char dir[] = "/tmp/vxhci-manifest-XXXXXX";

static const char *path(const char *name)
{
	static char buf[64];

	snprintf(buf, sizeof(buf), "%s/%s", dir, name);
	return buf;
}

static void write_file(const char *name, const char *text)
{
	FILE *f = fopen(path(name), "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

/* Members as text, who is assigned what; the manifest's path is relative. */
static int load(const char *members, const char *assign, struct policy *p,
		char *err)
{
	char text[4096];

	snprintf(text, sizeof(text),
		 "{\"name\": \"box\", \"ioMemberList\": [\n%s]}", members);
	write_file("model.json", text);
	snprintf(text, sizeof(text),
		 "{\"vms\": {\"a\": {\"control\": \"/a\"}, \"b\": "
		 "{\"control\": \"/b\"}},\n"
		 "\"manifest\": {\"file\": \"model.json\", \"assign\": {%s}}}",
		 assign);
	write_file("manage.json", text);
	return conf_load(path("manage.json"), err, 512, p);
}

static void must_load(const char *members, const char *assign, struct policy *p)
{
	char err[512] = "";

	if (load(members, assign, p, err) != 0)
		fail_msg("%s", err);
}

/* Whose is the device at "1:2.3" with that id behind that controller? */
static char whose(const struct policy *p, unsigned bus, const char *port,
		  unsigned pid, const char *pci)
{
	struct policy_dev d = {.info = {.bus = (uint8_t)bus,
					.vid = 0x1000,
					.pid = (uint16_t)pid}};
	struct policy_decision k;

	for (const char *c = port; *c; c++)
		if (*c != '.')
			d.info.path[d.info.npath++] = (uint8_t)(*c - '0');
	snprintf(d.controller, sizeof(d.controller), "%s", pci);
	policy_decide(p, &d, &k);
	return k.action == POLICY_GIVE   ? *p->vms[k.rule->vm[0]].name
	       : k.action == POLICY_DENY ? 'x'
					 : '-';
}

#define PCI "0000:00:14.0"
#define USB(label, group, parent, addrs)                                   \
	"{\"ztype\": \"IO_TYPE_USB_DEVICE\", \"phylabel\": \"" label       \
	"\", \"assigngrp\": \"" group "\", \"parentassigngrp\": \"" parent \
	"\", \"logicallabel\": \"x\", \"cost\": 0, \"phyaddrs\": {" addrs "}}"

static void keys_are_anded_and_members_ored(void **state)
{
	struct policy p;

	(void)state;
	must_load(USB(
			  "one", "g", "",
			  "\"usbaddr\": \"1:2.3\", \"usbproduct\": "
			  "\"1000:0001\"") ", " USB("two", "g", "",
						    "\"usbproduct\": "
						    "\"1000:0002\"") ", " USB("else",
									      "h",
									      "",
									      "\"usbaddr\": \"1:7\""),
		  "\"g\": \"a\"", &p);
	assert_int_equal(whose(&p, 1, "2.3", 1, PCI), 'a');
	assert_int_equal(whose(&p, 1, "2.3", 9, PCI), '-');
	assert_int_equal(whose(&p, 1, "2.4", 1, PCI), '-');
	assert_int_equal(whose(&p, 2, "2.3", 1, PCI), '-');
	assert_int_equal(whose(&p, 2, "5", 2, PCI), 'a');
	assert_int_equal(whose(&p, 1, "7", 3, PCI), '-'); /* not assigned */
	policy_free(&p);
}

static void port_counts_before_product(void **state)
{
	struct policy p;

	(void)state;
	must_load(
		USB("product", "g", "",
		    "\"usbproduct\": \"1000:0001\"") ", " USB("exact", "h", "",
							      "\"usbaddr\": "
							      "\"1:2.3\"") ","
									   " " USB("deep",
										   "k",
										   "",
										   "\"usbaddr\": \"1:2.*\"") ", " USB("bus",
														      "l",
														      "",
														      "\"usbaddr\": \"1:*\", \"usbproduct\": "
														      "\"1000:0001\""),
		"\"g\": \"a\", \"h\": \"b\", \"k\": \"a\", \"l\": \"b\"", &p);
	assert_int_equal(whose(&p, 1, "2.3", 1, PCI), 'b'); /* exact */
	assert_int_equal(whose(&p, 1, "2.4", 1, PCI), 'a'); /* the longer */
	assert_int_equal(whose(&p, 1, "2.4.1", 5, PCI), 'a');
	assert_int_equal(whose(&p, 1, "2", 5, PCI), '-'); /* not itself */
	assert_int_equal(whose(&p, 1, "5", 1, PCI), 'b');
	assert_int_equal(whose(&p, 2, "5", 1, PCI), 'a');
	policy_free(&p);
}

#define CTL(label, group, pci)                                                 \
	"{\"ztype\": 12, \"phylabel\": \"" label "\", \"assigngrp\": \"" group \
	"\", \"phyaddrs\": {\"PciLong\": \"" pci "\"}}"

static void parent_group_narrows(void **state)
{
	struct policy p;

	(void)state;
	must_load(
		CTL("c1", "ctl", PCI) ", " CTL("c2", "ctl", "00:15.0") ", " USB(
			"kid", "g", "ctl",
			"\"usbproduct\": \"1000:0001\"") ", " USB("orphan", "h",
								  "nobody",
								  "\"usbaddr\":"
								  " \"1:4\""),
		"\"g\": [\"b\", \"a\"], \"h\": \"a\"", &p);
	assert_int_equal(whose(&p, 1, "1", 1, PCI), 'b');
	assert_int_equal(whose(&p, 1, "1", 1, "0000:00:15.0"), 'b');
	assert_int_equal(whose(&p, 1, "1", 1, "0000:00:16.0"), '-');
	assert_int_equal(whose(&p, 1, "4", 2, PCI), '-');
	policy_free(&p);
}

static void assigned_controller_is_left_alone(void **state)
{
	struct policy p;

	(void)state;
	must_load(CTL("c1", "ctl", PCI) ", " USB("kid", "g", "ctl",
						 "\"usbaddr\": \"1:2\""),
		  "\"g\": \"b\", \"ctl\": \"a\"", &p);
	assert_int_equal(whose(&p, 1, "2", 1, PCI), 'x');
	assert_int_equal(whose(&p, 1, "2", 1, "0000:00:16.0"), '-');
	policy_free(&p);
}

static void two_owners_and_mistakes_have_a_place(void **state)
{
	static const struct {
		const char *members, *assign, *err;
	} rows[] = {
		{USB("m", "g", "", "\"usbaddr\": \"2.3\""), "\"g\": \"a\"",
		 "model.json:2:136: usbaddr: not BUS:PORT"},
		{USB("m", "g", "", "\"usbaddr\": \"1:2.x\""), "\"g\": \"a\"",
		 "model.json:2:136: usbaddr: not BUS:PORT"},
		{USB("m", "g", "", "\"usbproduct\": \"1000\""), "\"g\": \"a\"",
		 "model.json:2:136: usbproduct: not an id"},
		{USB("m", "g", "", "\"usbproduct\": 7"), "\"g\": \"a\"",
		 "model.json:2:136: usbproduct: not a string"},
		{USB("m", "g", "", "\"PciLong\": \"14\""), "\"g\": \"a\"",
		 "model.json:2:136: PciLong: not a PCI address"},
		{"7", "", "model.json:2:1: ioMemberList: not an object"},
		{"{\"ztype\": []}", "", "model.json:2:2: ztype: neither"},
		{"{\"assigngrp\": 1}", "",
		 "model.json:2:2: assigngrp: not a string"},
		{"{", "", "model.json:2:2: "},
		{USB("m", "g", "", "\"usbaddr\": \"1:2\""), "\"k\": \"a\"",
		 "manage.json:2:47: assign: k: no member"},
		{USB("m", "g", "", "\"usbaddr\": \"1:2\""), "\"g\": \"c\"",
		 "manage.json:2:47: give: c: no such VM"},
		{USB("m", "g", "", "\"usbaddr\": \"1:2\"") ", " USB(
			 "n", "k", "", "\"usbaddr\": \"1:2\""),
		 "\"g\": \"a\", \"k\": \"b\"",
		 "manage.json:2:1: n: one device may match this and m"},
		{USB("m", "g", "h", "\"usbaddr\": \"1:2\"") ", " USB(
			 "n", "h", "g", "\"usbaddr\": \"1:2\""),
		 "\"g\": \"a\"",
		 "manage.json:2:47: manifest: m: its parentassigngrp leads"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy p = {.nrules = 99};
		char err[512] = "";

		assert_int_equal(load(rows[i].members, rows[i].assign, &p, err),
				 -EINVAL);
		if (strncmp(err, dir, strlen(dir)) != 0 ||
		    strncmp(err + strlen(dir) + 1, rows[i].err,
			    strlen(rows[i].err)) != 0)
			fail_msg("%s\n%s\n%s", rows[i].members, err,
				 rows[i].err);
		assert_int_equal(p.nrules, 99);
	}
}

static int remove_all(void **state)
{
	(void)state;
	unlink(path("model.json"));
	unlink(path("manage.json"));
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_anded_and_members_ored),
		cmocka_unit_test(port_counts_before_product),
		cmocka_unit_test(parent_group_narrows),
		cmocka_unit_test(assigned_controller_is_left_alone),
		cmocka_unit_test(two_owners_and_mistakes_have_a_place),
	};

	if (!mkdtemp(dir))
		return 1;
	return cmocka_run_group_tests(tests, NULL, remove_all);
}
