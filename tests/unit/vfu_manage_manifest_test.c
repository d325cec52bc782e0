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

static char members[4096]; /* of the manifest that load() writes */

static void add(const char *text)
{
	size_t n = strlen(members);

	snprintf(members + n, sizeof(members) - n, "%s%s", n ? ", " : "", text);
}

static void add_usb(const char *label, const char *group, const char *parent,
		    const char *phyaddrs)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"ztype\": \"IO_TYPE_USB_DEVICE\", \"phylabel\": \"%s\", "
		 "\"assigngrp\": \"%s\", \"parentassigngrp\": \"%s\", "
		 "\"logicallabel\": \"x\", \"cost\": 0, \"phyaddrs\": {%s}}",
		 label, group, parent, phyaddrs);
	add(text);
}

static void add_controller(const char *label, const char *pci)
{
	char text[512];

	snprintf(text, sizeof(text),
		 "{\"ztype\": 12, \"phylabel\": \"%s\", \"assigngrp\": "
		 "\"ctl\", \"phyaddrs\": {\"PciLong\": \"%s\"}}",
		 label, pci);
	add(text);
}

/* The members are assigned so; the manifest's path is relative. */
static int load(const char *assign, struct policy *p, char *err)
{
	char text[5000];

	snprintf(text, sizeof(text),
		 "{\"name\": \"box\", \"ioMemberList\": [\n%s]}", members);
	members[0] = '\0';
	write_file("model.json", text);
	snprintf(text, sizeof(text),
		 "{\"vms\": {\"a\": {\"control\": \"/a\"}, \"b\": "
		 "{\"control\": \"/b\"}},\n"
		 "\"manifest\": {\"file\": \"model.json\", \"assign\": {%s}}}",
		 assign);
	write_file("manage.json", text);
	return conf_load(path("manage.json"), err, 512, p);
}

static void must_load(const char *assign, struct policy *p)
{
	char err[512] = "";

	if (load(assign, p, err) != 0)
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

static void keys_are_anded_and_members_ored(void **state)
{
	struct policy p;

	(void)state;
	add_usb("one", "g", "",
		"\"usbaddr\": \"1:2.3\", \"usbproduct\": \"1000:0001\"");
	add_usb("two", "g", "", "\"usbproduct\": \"1000:0002\"");
	add_usb("else", "h", "", "\"usbaddr\": \"1:7\"");
	must_load("\"g\": \"a\"", &p);
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
	add_usb("product", "g", "", "\"usbproduct\": \"1000:0001\"");
	add_usb("exact", "h", "", "\"usbaddr\": \"1:2.3\"");
	add_usb("deep", "k", "", "\"usbaddr\": \"1:2.*\"");
	add_usb("bus", "l", "",
		"\"usbaddr\": \"1:*\", \"usbproduct\": \"1000:0001\"");
	must_load("\"g\": \"a\", \"h\": \"b\", \"k\": \"a\", \"l\": \"b\"", &p);
	assert_int_equal(whose(&p, 1, "2.3", 1, PCI), 'b'); /* exact */
	assert_int_equal(whose(&p, 1, "2.4", 1, PCI), 'a'); /* the longer */
	assert_int_equal(whose(&p, 1, "2.4.1", 5, PCI), 'a');
	assert_int_equal(whose(&p, 1, "2", 5, PCI), '-'); /* not itself */
	assert_int_equal(whose(&p, 1, "5", 1, PCI), 'b');
	assert_int_equal(whose(&p, 2, "5", 1, PCI), 'a');
	policy_free(&p);
}

static void parent_group_narrows(void **state)
{
	struct policy p;

	(void)state;
	add_controller("c1", PCI);
	add_controller("c2", "00:15.0");
	add_usb("kid", "g", "ctl", "\"usbproduct\": \"1000:0001\"");
	add_usb("orphan", "h", "nobody", "\"usbaddr\": \"1:4\"");
	must_load("\"g\": [\"b\", \"a\"], \"h\": \"a\"", &p);
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
	add_controller("c1", PCI);
	add_usb("kid", "g", "ctl", "\"usbaddr\": \"1:2\"");
	must_load("\"g\": \"b\", \"ctl\": \"a\"", &p);
	assert_int_equal(whose(&p, 1, "2", 1, PCI), 'x');
	assert_int_equal(whose(&p, 1, "2", 1, "0000:00:16.0"), '-');
	policy_free(&p);
}

static void must_fail(const char *assign, const char *says)
{
	struct policy p = {.nrules = 99};
	char err[512] = "";
	size_t n = strlen(dir) + 1;

	assert_int_equal(load(assign, &p, err), -EINVAL);
	if (strncmp(err, dir, n - 1) != 0 ||
	    strncmp(err + n, says, strlen(says)) != 0)
		fail_msg("%s, not %s", err, says);
	assert_int_equal(p.nrules, 99); /* nothing is half there */
}

static void a_mistake_in_an_address_has_a_place(void **state)
{
	static const char *const rows[][2] = {
		{"\"usbaddr\": \"2.3\"", "usbaddr: not BUS:PORT"},
		{"\"usbaddr\": \"1:2.x\"", "usbaddr: not BUS:PORT"},
		{"\"usbaddr\": \"1:2.\"", "usbaddr: not BUS:PORT"},
		{"\"usbproduct\": \"1000\"", "usbproduct: not an id"},
		{"\"usbproduct\": \"1:10000\"", "usbproduct: not an id"},
		{"\"usbproduct\": 7", "usbproduct: not a string"},
		{"\"PciLong\": \"14\"", "PciLong: not a PCI address"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char says[128];

		add_usb("m", "g", "", rows[i][0]);
		snprintf(says, sizeof(says), "model.json:2:136: %s",
			 rows[i][1]);
		must_fail("\"g\": \"a\"", says);
	}
}

static void two_owners_and_mistakes_have_a_place(void **state)
{
	static const char *const rows[][2] = {
		{"7", "model.json:2:1: ioMemberList: not an object"},
		{"{\"ztype\": []}", "model.json:2:2: ztype: neither"},
		{"{\"assigngrp\": 1}",
		 "model.json:2:2: assigngrp: not a string"},
		{"{", "model.json:2:2: "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		add(rows[i][0]);
		must_fail("", rows[i][1]);
	}
	add_usb("m", "g", "", "\"usbaddr\": \"1:2\"");
	must_fail("\"k\": \"a\"", "manage.json:2:47: assign: k: no member");
	add_usb("m", "g", "", "\"usbaddr\": \"1:2\"");
	must_fail("\"g\": \"c\"", "manage.json:2:47: give: c: no such VM");
	add_usb("m", "g", "", "\"usbaddr\": \"1:2\"");
	add_usb("n", "k", "", "\"usbaddr\": \"1:2\"");
	must_fail("\"g\": \"a\", \"k\": \"b\"",
		  "manage.json:2:1: n: one device may match this and m");
	add_usb("m", "g", "h", "\"usbaddr\": \"1:2\"");
	add_usb("n", "h", "g", "\"usbaddr\": \"1:2\"");
	must_fail("\"g\": \"a\"", "manage.json:2:47: manifest: m: its "
				  "parentassigngrp leads");
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
		cmocka_unit_test(a_mistake_in_an_address_has_a_place),
		cmocka_unit_test(two_owners_and_mistakes_have_a_place),
	};

	if (!mkdtemp(dir))
		return 1;
	return cmocka_run_group_tests(tests, NULL, remove_all);
}
