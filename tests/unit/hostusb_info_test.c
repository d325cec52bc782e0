/* SPDX-License-Identifier: BSD-2-Clause */
/* Which device a rule names, how a path is written, what is never passed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hostusb/class.h"
#include "hostusb/info.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define PATH(...) {__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__})

/* A mouse at 3-1.2, address 9 */
static const struct usb_info mouse = {
	.bus = 3,
	.addr = 9,
	.path = {1, 2},
	.npath = 2,
	.vid = 0x046d,
	.pid = 0xc077,
	.serial = "A1",
};

static void rule_names_device(void **state)
{
	static const struct {
		const char *what;
		struct usb_match m;
		bool fits;
	} rows[] = {
		{"address", {MATCH_ADDR, 3, 9, {0}, 0, 0, 0, ""}, true},
		{"other address", {MATCH_ADDR, 3, 8, {0}, 0, 0, 0, ""}, false},
		{"other bus", {MATCH_ADDR, 2, 9, {0}, 0, 0, 0, ""}, false},
		{"path", {MATCH_PATH, 3, 0, PATH(1, 2), 0, 0, ""}, true},
		{"hub above", {MATCH_PATH, 3, 0, PATH(1), 0, 0, ""}, false},
		{"other leaf", {MATCH_PATH, 3, 0, PATH(1, 3), 0, 0, ""}, false},
		{"deeper", {MATCH_PATH, 3, 0, PATH(1, 2, 1), 0, 0, ""}, false},
		{"path, other bus",
		 {MATCH_PATH, 1, 0, PATH(1, 2), 0, 0, ""},
		 false},
		{"below", {MATCH_BELOW, 3, 0, PATH(1), 0, 0, ""}, true},
		{"at", {MATCH_BELOW, 3, 0, PATH(1, 2), 0, 0, ""}, true},
		{"below other", {MATCH_BELOW, 3, 0, PATH(2), 0, 0, ""}, false},
		{"below a leaf",
		 {MATCH_BELOW, 3, 0, PATH(1, 2, 1), 0, 0, ""},
		 false},
		{"below, other bus",
		 {MATCH_BELOW, 4, 0, PATH(1), 0, 0, ""},
		 false},
		{"id", {MATCH_ID, 0, 0, {0}, 0, 0x46d, 0xc077, ""}, true},
		{"vid", {MATCH_ID, 0, 0, {0}, 0, 0x46e, 0xc077, ""}, false},
		{"pid", {MATCH_ID, 0, 0, {0}, 0, 0x46d, 0xc078, ""}, false},
		{"serial", {MATCH_ID, 0, 0, {0}, 0, 0x46d, 0xc077, "A1"}, true},
		{"part of the serial",
		 {MATCH_ID, 0, 0, {0}, 0, 0x46d, 0xc077, "A"},
		 false},
		{"more than the serial",
		 {MATCH_ID, 0, 0, {0}, 0, 0x46d, 0xc077, "A12"},
		 false},
		{"serial's case",
		 {MATCH_ID, 0, 0, {0}, 0, 0x46d, 0xc077, "a1"},
		 false},
		/* lengths that no path has are not read, and name nothing */
		{"npath 255", {MATCH_PATH, 3, 0, {1, 2}, 255, 0, 0, ""}, false},
		{"below 255",
		 {MATCH_BELOW, 3, 0, {1, 2}, 255, 0, 0, ""},
		 false},
	};

	(void)state;
	for (size_t k = 0; k < COUNT(rows); k++)
		if (usb_match_info(&rows[k].m, &mouse) != rows[k].fits)
			fail_msg("%s: should%s fit", rows[k].what,
				 rows[k].fits ? "" : " not");
}

static void path_of_a_liar_names_nothing(void **state)
{
	struct usb_info i = mouse;
	struct usb_match m = {.kind = MATCH_BELOW, .bus = 3, .npath = 1};
	char name[32];

	(void)state;
	m.path[0] = 1;
	i.npath = 200;
	assert_false(usb_match_info(&m, &i));
	m.npath = 200;
	m.kind = MATCH_PATH;
	assert_false(usb_match_info(&m, &i));
	assert_string_equal(usb_path_name(&i, name, sizeof(name)), "3@9");
}

static void serials_without_an_end_are_compared_within_bounds(void **state)
{
	struct usb_match m = {.kind = MATCH_ID};
	struct usb_info i = {.bus = 1};

	(void)state;
	memset(m.serial, 'x', sizeof(m.serial));
	memset(i.serial, 'x', sizeof(i.serial));
	assert_true(usb_match_info(&m, &i));
	i.serial[USB_TEXT - 1] = 'y';
	assert_false(usb_match_info(&m, &i));
}

static void paths_as_the_kernel_writes_them(void **state)
{
	static const struct {
		struct usb_info i;
		const char *name;
	} rows[] = {
		{{.bus = 1, .path = {2}, .npath = 1}, "1-2"},
		{{.bus = 1, .path = {2, 3}, .npath = 2}, "1-2.3"},
		{{.bus = 255,
		  .path = {255, 255, 255, 255, 255, 255, 255},
		  .npath = 7},
		 "255-255.255.255.255.255.255.255"},
		{{.bus = 7, .addr = 1, .cls = 9}, "usb7"},
		{{.bus = 7, .addr = 5}, "7@5"},
	};
	char name[32], small[6];

	(void)state;
	for (size_t k = 0; k < COUNT(rows); k++)
		assert_string_equal(
			usb_path_name(&rows[k].i, name, sizeof(name)),
			rows[k].name);
	assert_string_equal(usb_path_name(&rows[2].i, small, sizeof(small)),
			    "255-2");
}

static void hubs_are_denied(void **state)
{
	struct usb_info hub = mouse, composite = mouse, root = {.cls = 9};

	(void)state;
	assert_null(usb_denied(&mouse));
	hub.cls = 9;
	assert_non_null(strstr(usb_denied(&hub), "a hub"));
	assert_non_null(strstr(usb_denied(&root), "a root hub"));
	/* a hub that says so only in an interface */
	composite.nifaces = 2;
	composite.iface[0].cls = 3;
	composite.iface[1].cls = 9;
	assert_non_null(usb_denied(&composite));
	/* more interfaces than there is room for: read to the end, no more */
	composite.iface[1].cls = 3;
	composite.nifaces = 255;
	assert_null(usb_denied(&composite));
}

static void classes_have_names(void **state)
{
	static const struct {
		uint8_t c, s, p;
		const char *name;
	} rows[] = {
		{3, 1, 1, "HID keyboard"},
		{3, 1, 2, "HID mouse"},
		{3, 0, 0, "HID"},
		{8, 6, 0x50, "mass storage"},
		{8, 6, 0x62, "mass storage (UAS)"},
		{0xff, 1, 2, "vendor specific"},
		{0x77, 1, 2, "class 0x77"},
	};
	char buf[16];

	(void)state;
	for (size_t k = 0; k < COUNT(rows); k++)
		assert_string_equal(usb_class_name(rows[k].c, rows[k].s,
						   rows[k].p, buf, sizeof(buf)),
				    rows[k].name);
	assert_string_equal(usb_speed_name(USB_SPEED_SUPER_PLUS), "super+");
	assert_string_equal(usb_speed_name((enum usb_speed)77), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rule_names_device),
		cmocka_unit_test(path_of_a_liar_names_nothing),
		cmocka_unit_test(
			serials_without_an_end_are_compared_within_bounds),
		cmocka_unit_test(paths_as_the_kernel_writes_them),
		cmocka_unit_test(hubs_are_denied),
		cmocka_unit_test(classes_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
