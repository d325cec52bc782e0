/* SPDX-License-Identifier: BSD-2-Clause */
/* What `vxhci list` writes of devices that recordings do not have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/cmd_list.h"

static struct discover_entry owned_disk(void)
{
	struct discover_entry e = {
		.info = {.bus = 2,
			 .addr = 14,
			 .path = {1, 3},
			 .npath = 2,
			 .speed = USB_SPEED_SUPER_PLUS,
			 .vid = 0x0781,
			 .pid = 0x5588,
			 .manufacturer = "SanDisk",
			 .product = "Extreme",
			 .nifaces = 3,
			 .iface = {{0, 8, 6, 0x62, "uas"},
				   {1, 8, 6, 0x62, "uas"},
				   {2, 3, 0, 0, "usb"}}},
		.state = DISCOVER_IN_USE,
		.owner = "xhci 30 of pid 1234",
		.reason = "in use by xhci 30 of pid 1234",
	};

	return e;
}

static char *table_of(const struct discover_entry *list, size_t n)
{
	static char text[4096];
	FILE *f = fmemopen(text, sizeof(text), "w");

	assert_non_null(f);
	text[0] = '\0';
	list_table(f, list, n);
	fclose(f);
	return strdup(text);
}

static void table_names_the_owner(void **state)
{
	struct discover_entry e = owned_disk();
	char *text = table_of(&e, 1);

	(void)state;
	/* a driver whose name is part of another's is said as well */
	assert_string_equal(
		text,
		"BUS  PORT  ADDR  SPEED   ID         DEVICE           SERIAL"
		"  CLASS                    DRIVERS   STATE\n"
		"  2  1.3     14  super+  0781:5588  SanDisk Extreme  -     "
		"  mass storage (UAS), HID  uas, usb  in-use\n"
		"     in use by xhci 30 of pid 1234\n");
	free(text);
}

static void empty_table_has_no_heading(void **state)
{
	char *text = table_of(NULL, 0);

	(void)state;
	assert_string_equal(text, "");
	free(text);
}

static void columns_line_up_under_wide_characters(void **state)
{
	struct discover_entry e[2] = {owned_disk(), owned_disk()};
	char *text, *a, *b;

	(void)state;
	strcpy(e[0].info.product, "\xc3\xa4\xc3\xb6\xc3\xbc");
	strcpy(e[1].info.product, "abcdef");
	e[0].reason[0] = e[1].reason[0] = '\0';
	text = table_of(e, 2);
	a = strstr(strchr(text, '\n') + 1, "mass");
	b = strstr(a + 1, "mass storage (UAS), HID");
	/* three characters of two bytes: three bytes more before it */
	assert_int_equal(a - strchr(text, '\n'), b - strchr(a, '\n') + 3);
	free(text);
}

static void text_as_long_as_it_gets(void **state)
{
	struct discover_entry e = owned_disk();
	char *text;

	(void)state;
	memset(e.info.manufacturer, 'm', USB_TEXT - 1);
	memset(e.info.product, 'p', USB_TEXT - 1);
	memset(e.info.serial, 's', USB_TEXT - 1);
	e.info.nifaces = 32;
	for (unsigned n = 0; n < 32; n++) {
		e.info.iface[n].cls = (uint8_t)(0x40 + n);
		snprintf(e.info.iface[n].driver, 32, "%031u", n);
	}
	text = table_of(&e, 1);
	assert_non_null(strstr(text, "mmm ppp"));
	assert_non_null(strstr(text, "in-use\n"));
	free(text);
}

static void json_of_one_in_use(void **state)
{
	static const char want[] =
		"[{\"bus\":2,\"port\":\"1.3\",\"address\":14,"
		"\"name\":\"2-1.3\",\"speed\":\"super+\","
		"\"id\":\"0781:5588\",\"release\":\"0000\","
		"\"manufacturer\":\"SanDisk\",\"product\":\"Extreme\","
		"\"serial\":null,\"class\":{\"code\":0,\"subclass\":0,"
		"\"protocol\":0,\"name\":\"by interface\"},"
		"\"interfaces\":[{\"number\":0,\"class\":{\"code\":8,"
		"\"subclass\":6,\"protocol\":98,"
		"\"name\":\"mass storage (UAS)\"},\"driver\":\"uas\"}],"
		"\"state\":\"in-use\",\"owner\":\"xhci 30 of pid 1234\","
		"\"reason\":\"in use by xhci 30 of pid 1234\"}]";
	struct discover_entry e = owned_disk();
	json_t *array;
	char *text;

	(void)state;
	e.info.nifaces = 1;
	array = list_json(&e, 1);
	text = json_dumps(array, JSON_COMPACT);
	assert_string_equal(text, want);
	free(text);
	json_decref(array);
}

static void json_without_a_path_or_devices(void **state)
{
	struct discover_entry e = owned_disk();
	json_t *array, *o;

	(void)state;
	e.info.npath = 0;
	array = list_json(&e, 1);
	o = json_array_get(array, 0);
	assert_true(json_is_null(json_object_get(o, "port")));
	assert_string_equal(json_string_value(json_object_get(o, "name")),
			    "2@14");
	json_decref(array);
	array = list_json(NULL, 0);
	assert_int_equal(json_array_size(array), 0);
	assert_true(json_is_array(array));
	json_decref(array);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(table_names_the_owner),
		cmocka_unit_test(empty_table_has_no_heading),
		cmocka_unit_test(columns_line_up_under_wide_characters),
		cmocka_unit_test(text_as_long_as_it_gets),
		cmocka_unit_test(json_of_one_in_use),
		cmocka_unit_test(json_without_a_path_or_devices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
