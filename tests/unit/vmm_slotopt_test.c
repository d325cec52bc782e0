/* SPDX-License-Identifier: BSD-2-Clause */
/* Slot options: what is read, and that nothing else harms. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/slotopt.h"

static void parse_ok(const char *text, struct slotopt *o)
{
	char err[512] = "";

	if (slotopt_parse(text, err, sizeof(err), o) != 0)
		fail_msg("%s: %s", text, err);
}

/* SLOT as written -> bus, slot, function */
static void slot_numbers(void **state)
{
	static const struct {
		const char *text, *slot;
		unsigned bus, dev, fn;
	} rows[] = {
		{"30,xhci", "30", 0, 30, 0},
		{"0,xhci", "0", 0, 0, 0},
		{"31:7,xhci", "31:7", 0, 31, 7},
		{"255:31:7,xhci", "255:31:7", 255, 31, 7},
		{"0:3:0,xhci", "0:3:0", 0, 3, 0},
		{"010,xhci", "010", 0, 10, 0}, /* decimal, not octal 8 */
		{"0000000000000000000000000009,xhci",
		 "0000000000000000000000000009", 0, 9, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slotopt o;

		parse_ok(rows[i].text, &o);
		assert_string_equal(o.slot, rows[i].slot);
		assert_int_equal(o.pci_bus, rows[i].bus);
		assert_int_equal(o.pci_dev, rows[i].dev);
		assert_int_equal(o.pci_fn, rows[i].fn);
		slotopt_free(&o);
	}
}

static void defaults_of_the_contract(void **state)
{
	struct slotopt o;

	(void)state;
	parse_ok("30,xhci", &o);
	assert_int_equal(o.usb2, 8);
	assert_int_equal(o.usb3, 8);
	assert_int_equal(o.pci_vendor, 0x1b36);
	assert_int_equal(o.pci_device, 0x000d);
	assert_int_equal(o.reset, SLOT_RESET_DEVICE);
	assert_int_equal(o.ndevs, 0);
	slotopt_free(&o);
}

static void controller_options(void **state)
{
	struct slotopt o;

	(void)state;
	parse_ok("3,xhci,pci=8086:A36d,usb2=015,usb3=0,reset=never", &o);
	assert_int_equal(o.usb2, 15);
	assert_int_equal(o.usb3, 0);
	assert_int_equal(o.pci_vendor, 0x8086);
	assert_int_equal(o.pci_device, 0xa36d);
	assert_int_equal(o.reset, SLOT_RESET_NEVER);
	slotopt_free(&o);
	parse_ok("3,xhci,reset=initial", &o);
	assert_int_equal(o.reset, SLOT_RESET_INITIAL);
	slotopt_free(&o);
}

/* One device each: its name as read back, its place and speed. */
static void one_device(void **state)
{
	static const struct {
		const char *opt, *name;
		enum slot_kind kind;
		unsigned at;
		enum usb_speed speed;
	} rows[] = {
		{"bus=1,devaddr=2", NULL, SLOT_ADDR, 0, USB_SPEED_NONE},
		{"bus=01,devaddr=007", "bus=1,devaddr=7", SLOT_ADDR, 0,
		 USB_SPEED_NONE},
		{"devaddr=2,bus=1", "", SLOT_ADDR, 0, 0}, /* refused */
		{"bus=0,devaddr=127", NULL, SLOT_ADDR, 0, USB_SPEED_NONE},
		{"bus=1,port=2.3", NULL, SLOT_PATH, 0, USB_SPEED_NONE},
		{"bus=1,port=2", NULL, SLOT_PATH, 0, USB_SPEED_NONE},
		{"bus=1,port=2.*", NULL, SLOT_PATH, 0, USB_SPEED_NONE},
		{"bus=1,port=1.2.3.4.5.6.7.*", NULL, SLOT_PATH, 0,
		 USB_SPEED_NONE},
		{"bus=1,port=02.010", "bus=1,port=2.10", SLOT_PATH, 0,
		 USB_SPEED_NONE},
		{"bus=1,at=5,port=2", "bus=1,port=2", SLOT_PATH, 5,
		 USB_SPEED_NONE},
		{"id=045e:0823", NULL, SLOT_ID, 0, USB_SPEED_NONE},
		{"id=045E:082F,serial=A B", "id=045e:082f,serial=A B", SLOT_ID,
		 0, USB_SPEED_NONE},
		{"id=045e:0823,serial=a,,b,at=16", "id=045e:0823,serial=a,b",
		 SLOT_ID, 16, USB_SPEED_NONE},
		{"tablet", NULL, SLOT_TABLET, 0, USB_SPEED_FULL},
		{"tablet,speed=high", "tablet", SLOT_TABLET, 0, USB_SPEED_HIGH},
		{"audio", NULL, SLOT_AUDIO, 0, USB_SPEED_HIGH},
		{"audio,speed=full", "audio", SLOT_AUDIO, 0, USB_SPEED_FULL},
		{"camera,at=3", "camera", SLOT_CAMERA, 3, USB_SPEED_HIGH},
		{"mouse", NULL, SLOT_MOUSE, 0, USB_SPEED_FULL},
		{"mouse,at=9", "mouse", SLOT_MOUSE, 9, USB_SPEED_SUPER},
		{"keyboard,speed=super", "keyboard", SLOT_KEYBOARD, 0,
		 USB_SPEED_SUPER},
		{"keyboard,speed=low,at=8", "keyboard", SLOT_KEYBOARD, 8,
		 USB_SPEED_LOW},
		{"zero", NULL, SLOT_ZERO, 0, USB_SPEED_SUPER},
		{"zero,usb3=0", "zero", SLOT_ZERO, 0, USB_SPEED_HIGH},
		{"storage=d", NULL, SLOT_STORAGE, 0, USB_SPEED_SUPER},
		{"storage=d,usb3=0", "storage=d", SLOT_STORAGE, 0,
		 USB_SPEED_HIGH},
		{"storage=d,at=8", "storage=d", SLOT_STORAGE, 8,
		 USB_SPEED_HIGH},
		{"storage=d,at=9", "storage=d", SLOT_STORAGE, 9,
		 USB_SPEED_SUPER},
		{"storage=d,speed=full", "storage=d", SLOT_STORAGE, 0,
		 USB_SPEED_FULL},
		{"storage=/a=b c.img,readonly", NULL, SLOT_STORAGE, 0,
		 USB_SPEED_SUPER},
		{"storage=a,,b", "storage=a,b", SLOT_STORAGE, 0,
		 USB_SPEED_SUPER},
		{"storage=a,,,readonly", "storage=a,,readonly", SLOT_STORAGE, 0,
		 USB_SPEED_SUPER},
		{"storage=\xc3\xa9\n", "storage=???", SLOT_STORAGE, 0,
		 USB_SPEED_SUPER},
		{"zero,speed=super+", "zero", SLOT_ZERO, 0,
		 USB_SPEED_SUPER_PLUS},
		{"replay=f.rec", NULL, SLOT_REPLAY, 0, USB_SPEED_NONE},
		{"replay=f,speed=super,at=9", "replay=f", SLOT_REPLAY, 9,
		 USB_SPEED_SUPER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *name = rows[i].name ? rows[i].name : rows[i].opt;
		char text[128], buf[128], err[512];
		struct slotopt o;

		snprintf(text, sizeof(text), "30,xhci,%s", rows[i].opt);
		if (*name == '\0') {
			assert_int_equal(
				slotopt_parse(text, err, sizeof(err), &o),
				-EINVAL);
			continue;
		}
		parse_ok(text, &o);
		assert_int_equal(o.ndevs, 1);
		assert_int_equal(o.dev[0].kind, rows[i].kind);
		assert_int_equal(o.dev[0].at, rows[i].at);
		assert_int_equal(o.dev[0].speed, rows[i].speed);
		assert_string_equal(slot_dev_name(&o.dev[0], buf, sizeof(buf)),
				    name);
		assert_int_equal(slot_dev_is_physical(&o.dev[0]),
				 rows[i].kind <= SLOT_ID);
		slotopt_free(&o);
	}
}

static void a_comma_in_a_file_is_written_twice(void **state)
{
	struct slotopt o;

	(void)state;
	parse_ok("30,xhci,storage=a,,,,b,,,readonly,at=3", &o);
	assert_int_equal(o.ndevs, 1);
	assert_string_equal(o.dev[0].file, "a,,b,");
	assert_true(o.dev[0].readonly);
	assert_int_equal(o.dev[0].at, 3);
	slotopt_free(&o);
}

static void units_have_options_of_their_own(void **state)
{
	struct slotopt o;

	(void)state;
	parse_ok("30,xhci,storage=a,removable,lun=b,,c,readonly,lun=d,"
		 "removable,at=2,lun=a2,storage=b",
		 &o);
	assert_int_equal(o.ndevs, 2);
	assert_true(o.dev[0].removable);
	assert_false(o.dev[0].readonly);
	assert_int_equal(o.dev[0].nluns, 3);
	assert_string_equal(o.dev[0].lun[0].file, "b,c");
	assert_true(o.dev[0].lun[0].readonly);
	assert_false(o.dev[0].lun[0].removable);
	assert_true(o.dev[0].lun[1].removable);
	assert_false(o.dev[0].lun[1].readonly);
	assert_int_equal(o.dev[0].at, 2);
	assert_int_equal(o.dev[1].nluns, 0);
	slotopt_free(&o);
}

static void options_belong_to_the_device_before_them(void **state)
{
	struct slotopt o;

	(void)state;
	parse_ok("30,xhci,storage=a,at=2,storage=b,readonly,usb2=4,at=1,"
		 "id=045e:0823,tablet,speed=low",
		 &o);
	assert_int_equal(o.ndevs, 4);
	assert_int_equal(o.dev[0].at, 2);
	assert_false(o.dev[0].readonly);
	assert_int_equal(o.dev[1].at, 1);
	assert_true(o.dev[1].readonly);
	assert_int_equal(o.dev[2].at, 0);
	assert_int_equal(o.dev[3].speed, USB_SPEED_LOW);
	slotopt_free(&o);
}

/* Disks beyond the USB 3 ports become high speed ones. */
static void default_speed_is_the_fastest_with_a_free_port(void **state)
{
	struct slotopt o;

	(void)state;
	parse_ok("30,xhci,usb3=2,storage=a,storage=b,storage=c,"
		 "storage=d,speed=super",
		 &o);
	assert_int_equal(o.dev[0].speed, USB_SPEED_SUPER);
	assert_int_equal(o.dev[1].speed, USB_SPEED_HIGH);
	assert_int_equal(o.dev[2].speed, USB_SPEED_HIGH);
	assert_int_equal(o.dev[3].speed, USB_SPEED_SUPER);
	slotopt_free(&o);
}

static void what_may_stand_together(void **state)
{
	static const char *const rows[] = {
		"30,xhci,id=045e:0823,id=045e:0823", /* two of the same make */
		"30,xhci,id=045e:0823,serial=a,id=045e:0823,serial=b",
		"30,xhci,storage=a,readonly,storage=a,readonly",
		"30,xhci,tablet,tablet",
		"30,xhci,bus=1,port=2,bus=2,port=2",
		"30,xhci,bus=1,port=2,bus=1,port=2.1",
		"30,xhci,bus=1,port=2.1.*,bus=1,port=2.2.*",
		"30,xhci,usb2=1,usb3=0,tablet,bus=1,port=2.*",
		"30,xhci,usb2=1,usb3=1,tablet,bus=1,port=2",
		"30,xhci,bus=1,port=2,at=9,tablet,at=1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct slotopt o;

		parse_ok(rows[i], &o);
		slotopt_free(&o);
	}
}

static void what_of_a_capture(void **state)
{
	struct slotopt o;

	(void)state;
	parse_ok("1,xhci,replay=a,replay=b,dev=12.127,pace=none,"
		 "replay=c,pace=recorded,dev=0.1",
		 &o);
	assert_int_equal(o.ndevs, 3);
	assert_int_equal(o.dev[0].dev_addr, 0);
	assert_false(o.dev[0].at_once);
	assert_int_equal(o.dev[1].dev_bus, 12);
	assert_int_equal(o.dev[1].dev_addr, 127);
	assert_true(o.dev[1].at_once);
	assert_int_equal(o.dev[2].dev_bus, 0);
	assert_int_equal(o.dev[2].dev_addr, 1);
	assert_false(o.dev[2].at_once);
	slotopt_free(&o);
}

static void long_texts_are_bounded(void **state)
{
	char *text = malloc(SLOTOPT_MAX_TEXT + 16), err[512];
	struct slotopt o;

	(void)state;
	assert_non_null(text);
	memset(text, 'a', SLOTOPT_MAX_TEXT + 15);
	text[SLOTOPT_MAX_TEXT + 15] = '\0';
	memcpy(text, "30,xhci,storage=", 16);
	assert_int_equal(slotopt_parse(text, err, sizeof(err), &o), -EINVAL);
	assert_non_null(strstr(err, "slot option too long"));
	assert_true(strlen(err) < 200);
	text[16 + SLOTOPT_MAX_FILE] = '\0';
	assert_int_equal(slotopt_parse(text, err, sizeof(err), &o), -EINVAL);
	assert_non_null(strstr(err, "file name too long"));
	text[16 + SLOTOPT_MAX_FILE - 1] = '\0';
	parse_ok(text, &o);
	assert_int_equal(strlen(o.dev[0].file), SLOTOPT_MAX_FILE - 1);
	slotopt_free(&o);
	free(text);
}

static void thirty_devices_and_no_more(void **state)
{
	char text[1024] = "30,xhci,usb2=15,usb3=15", err[512];
	struct slotopt o;

	(void)state;
	for (int i = 0; i < 30; i++)
		strcat(text, i < 15 ? ",zero,speed=high" : ",zero");
	parse_ok(text, &o);
	assert_int_equal(o.ndevs, 30);
	slotopt_free(&o);
	strcat(text, ",keyboard");
	assert_int_equal(slotopt_parse(text, err, sizeof(err), &o), -EINVAL);
	assert_string_equal(err, "keyboard: more than 30 devices: give the "
				 "rest to another controller");
}

/* Any prefix, and any one byte changed, is read or refused: ASan watches. */
static void damaged_texts(void **state)
{
	static const char whole[] =
		"0:30:1,xhci,bus=1,devaddr=2,bus=1,port=2.*,id=045e:0823,"
		"serial=a,,b,storage=x,readonly,at=9,speed=super,usb2=3,"
		"pci=1b36:000d,reset=never,replay=f,dev=1.2,pace=none,zero,"
		"tablet";
	static const char bytes[] = ",=.:*0x\xff";
	char text[sizeof(whole)], err[64];
	struct slotopt o;

	(void)state;
	for (size_t n = 0; n < sizeof(whole); n++) {
		memcpy(text, whole, n);
		text[n] = '\0';
		if (slotopt_parse(text, err, sizeof(err), &o) == 0)
			slotopt_free(&o);
		for (size_t b = 0; b < sizeof(bytes); b++) {
			memcpy(text, whole, sizeof(whole));
			text[n < sizeof(whole) - 1 ? n : 0] = bytes[b];
			if (slotopt_parse(text, err, sizeof(err), &o) == 0)
				slotopt_free(&o);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slot_numbers),
		cmocka_unit_test(defaults_of_the_contract),
		cmocka_unit_test(controller_options),
		cmocka_unit_test(one_device),
		cmocka_unit_test(a_comma_in_a_file_is_written_twice),
		cmocka_unit_test(units_have_options_of_their_own),
		cmocka_unit_test(options_belong_to_the_device_before_them),
		cmocka_unit_test(default_speed_is_the_fastest_with_a_free_port),
		cmocka_unit_test(what_may_stand_together),
		cmocka_unit_test(what_of_a_capture),
		cmocka_unit_test(long_texts_are_bounded),
		cmocka_unit_test(thirty_devices_and_no_more),
		cmocka_unit_test(damaged_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
