/* SPDX-License-Identifier: BSD-2-Clause */
/* Slot options: what is read, what is refused, and in which words. */
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

#define UNKNOWN                                                         \
	"unknown option: write bus=, id=, tablet, keyboard, storage=, " \
	"zero, replay=, at=, speed=, usb2=, usb3=, pci= or reset="
#define BAD_PATH                                                         \
	"not a port path: write numbers from 1 to 255 with dots, as in " \
	"port=2.3, or port=2.* for all below"
#define BAD_SLOT "not a slot: write n, n:f or b:n:f in decimal, as in 30,xhci"
#define EMPTY                                                               \
	",: empty option: write one comma between options and none at the " \
	"end"

static const struct {
	const char *text, *err;
} errors[] = {
	/* SLOT and the controller */
	{"", "\"\": no slot: write SLOT,xhci, as in 30,xhci"},
	{",xhci", "\"\": no slot: write SLOT,xhci, as in 30,xhci"},
	{"x,xhci", "x: " BAD_SLOT},
	{"-1,xhci", "-1: " BAD_SLOT},
	{"0x1,xhci", "0x1: " BAD_SLOT},
	{"1:,xhci", "1:: " BAD_SLOT},
	{":1,xhci", ":1: " BAD_SLOT},
	{"1:2:3:4,xhci", "1:2:3:4: " BAD_SLOT},
	{"xhci", "xhci: " BAD_SLOT},
	{"32,xhci", "32: slot number out of range: write 0 to 31"},
	{"99999999999999999999,xhci",
	 "99999999999999999999: slot number out of range: write 0 to 31"},
	{"1:8,xhci", "1:8: function number out of range: write 0 to 7"},
	{"256:1:0,xhci", "256:1:0: bus number out of range: write 0 to 255"},
	{"00000000000000000000000000000000,xhci",
	 "00000000000000000000000000000000: slot too long: write n, n:f or "
	 "b:n:f"},
	{"30", "30: no controller: write 30,xhci"},
	{"30,", "\"\": the controller comes first: write 30,xhci,..."},
	{"30,tablet", "tablet: the controller comes first: write 30,xhci,..."},
	{"30,xhci=1", "xhci=1: takes no value: write 30,xhci"},
	{"30,xhci,tablet,xhci",
	 "xhci: second controller in one slot option: give it a slot option "
	 "of its own"},
	/* keys */
	{"30,xhci,", EMPTY},
	{"30,xhci,,tablet", EMPTY},
	{"30,xhci,tablet,", EMPTY},
	{"30,xhci,tablt", "tablt: unknown option: did you mean tablet?"},
	{"30,xhci,Storage=x",
	 "Storage=x: unknown option: did you mean storage=FILE?"},
	{"30,xhci,usb4=1", "usb4=1: unknown option: did you mean usb2=8?"},
	{"30,xhci,dev=2", "dev=2: " UNKNOWN},
	{"30,xhci,x", "x: " UNKNOWN},
	{"30,xhci,=5", "=5: " UNKNOWN},
	{"30,xhci,averyveryverylongname", "averyveryverylongname: " UNKNOWN},
	{"30,xhci,a\tb\x7f", "a?b?: " UNKNOWN},
	{"30,xhci,bus", "bus: no value: write bus=1"},
	{"30,xhci,bus=", "bus=: no value: write bus=1"},
	{"30,xhci,bus=1,devaddr=", "devaddr=: no value: write devaddr=2"},
	{"30,xhci,storage", "storage: no value: write storage=FILE"},
	{"30,xhci,storage=,readonly", "storage=: no value: write storage=FILE"},
	{"30,xhci,tablet=1", "tablet=1: takes no value: write tablet"},
	{"30,xhci,keyboard=", "keyboard=: takes no value: write keyboard"},
	{"30,xhci,storage=a,readonly=on",
	 "readonly=on: takes no value: write readonly"},
	{"30,xhci,usb2=1,tablet,usb2=1",
	 "usb2=1: usb2 is given twice: write it once"},
	{"30,xhci,tablet,at=1,at=2",
	 "at=2: at is given twice for one device: write it once"},
	{"30,xhci,bus=1,devaddr=1,devaddr=2",
	 "devaddr=2: devaddr is given twice for one device: write it once"},
	/* numbers */
	{"30,xhci,bus=1,devaddr=0x2",
	 "devaddr=0x2: not a decimal number: write devaddr=2"},
	{"30,xhci,bus=0X1f,devaddr=1",
	 "bus=0X1f: not a decimal number: write bus=31"},
	{"30,xhci,bus=1,devaddr=0x80",
	 "devaddr=0x80: not a decimal number: write devaddr=1 to 127"},
	{"30,xhci,bus=1,devaddr=two",
	 "devaddr=two: not a decimal number: write devaddr=1 to 127"},
	{"30,xhci,usb2= 1",
	 "usb2= 1: not a decimal number: write usb2=1 to 15"},
	{"30,xhci,usb2=+1",
	 "usb2=+1: not a decimal number: write usb2=1 to 15"},
	{"30,xhci,bus=1,devaddr=0",
	 "devaddr=0: out of range: write devaddr=1 to 127"},
	{"30,xhci,bus=1,devaddr=128",
	 "devaddr=128: out of range: write devaddr=1 to 127"},
	{"30,xhci,bus=256,devaddr=1",
	 "bus=256: out of range: write bus=0 to 255"},
	{"30,xhci,bus=4294967297,devaddr=1",
	 "bus=4294967297: out of range: write bus=0 to 255"},
	{"30,xhci,bus=18446744073709551617,devaddr=1",
	 "bus=18446744073709551617: out of range: write bus=0 to 255"},
	{"30,xhci,usb2=0", "usb2=0: out of range: write usb2=1 to 15"},
	{"30,xhci,usb2=16", "usb2=16: out of range: write usb2=1 to 15"},
	{"30,xhci,usb3=16", "usb3=16: out of range: write usb3=0 to 15"},
	{"30,xhci,tablet,at=0", "at=0: out of range: write at=1 to 30"},
	{"30,xhci,tablet,at=31", "at=31: out of range: write at=1 to 30"},
	/* ids */
	{"30,xhci,id=045e",
	 "id=045e: not a pair of hexadecimal numbers: write id=VVVV:DDDD "
	 "with four digits each"},
	{"30,xhci,id=045g:0823",
	 "id=045g:0823: not a pair of hexadecimal numbers: write "
	 "id=VVVV:DDDD with four digits each"},
	{"30,xhci,id=45e:823",
	 "id=45e:823: not four digits each: write id=045e:0823"},
	{"30,xhci,pci=1b36:d", "pci=1b36:d: not four digits each: write "
			       "pci=1b36:000d"},
	{"30,xhci,pci=1b36:10000",
	 "pci=1b36:10000: not a pair of hexadecimal numbers: write "
	 "pci=VVVV:DDDD with four digits each"},
	{"30,xhci,pci=ffff:0001",
	 "pci=ffff:0001: vendor ffff means that no function is there: write "
	 "another, as in pci=1b36:000d"},
	/* physical devices */
	{"30,xhci,bus=1",
	 "bus=1: names no device: write bus=1,devaddr=N or bus=1,port=PATH"},
	{"30,xhci,bus=7,tablet",
	 "bus=7: names no device: write bus=7,devaddr=N or bus=7,port=PATH"},
	{"30,xhci,devaddr=2",
	 "devaddr=2: no bus= before it: write bus=1,devaddr=2"},
	{"30,xhci,tablet,port=2",
	 "port=2: no bus= before it: write bus=1,port=2.3"},
	{"30,xhci,bus=1,devaddr=2,port=3",
	 "port=3: the device has devaddr= and port=: write one of them"},
	{"30,xhci,bus=1,port=3,devaddr=2",
	 "devaddr=2: the device has devaddr= and port=: write one of them"},
	{"30,xhci,bus=1,port=*", "port=*: " BAD_PATH},
	{"30,xhci,bus=1,port=0", "port=0: " BAD_PATH},
	{"30,xhci,bus=1,port=256", "port=256: " BAD_PATH},
	{"30,xhci,bus=1,port=1.", "port=1.: " BAD_PATH},
	{"30,xhci,bus=1,port=.1", "port=.1: " BAD_PATH},
	{"30,xhci,bus=1,port=1..2", "port=1..2: " BAD_PATH},
	{"30,xhci,bus=1,port=1.*.2", "port=1.*.2: " BAD_PATH},
	{"30,xhci,bus=1,port=1-2", "port=1-2: " BAD_PATH},
	{"30,xhci,bus=1,port=1.2.3.4.5.6.7.8",
	 "port=1.2.3.4.5.6.7.8: more than 7 numbers in a port path: write "
	 "the path `vxhci list` shows"},
	{"30,xhci,serial=x",
	 "serial=x: no id= before it: write id=VVVV:DDDD,serial=x"},
	{"30,xhci,bus=1,devaddr=2,serial=x",
	 "serial=x: no id= before it: write id=VVVV:DDDD,serial=x"},
	{"30,xhci,bus=1,devaddr=2,speed=high",
	 "speed=high: bus=1,devaddr=2 is a physical device and has its own "
	 "speed: leave speed= out"},
	{"30,xhci,serial=a\nb",
	 "serial=a?b: no id= before it: write id=VVVV:DDDD,serial=a?b"},
	/* built-in devices */
	{"30,xhci,readonly",
	 "readonly: no storage= before it: write storage=FILE,readonly"},
	{"30,xhci,storage=a,tablet,readonly",
	 "readonly: no storage= before it: write storage=FILE,readonly"},
	{"30,xhci,at=1", "at=1: no device before it: write DEVICE,at=1"},
	{"30,xhci,usb2=4,speed=high",
	 "speed=high: no device before it: write DEVICE,speed=high"},
	{"30,xhci,tablet,speed=fast",
	 "speed=fast: unknown speed: write speed=low, full, high or super"},
	{"30,xhci,tablet,speed=super",
	 "speed=super: does not fit tablet: write speed=low, full or high"},
	{"30,xhci,storage=d,speed=low",
	 "speed=low: does not fit storage=d: write speed=full, high or "
	 "super"},
	{"30,xhci,zero,speed=low",
	 "speed=low: does not fit zero: write speed=full, high or super"},
	{"30,xhci,reset=always",
	 "reset=always: unknown policy: write reset=device, initial or "
	 "never"},
	/* places */
	{"30,xhci,usb2=2,usb3=1,tablet,at=4",
	 "at=4: no such port for tablet: write at=1 to 3, or more ports "
	 "with usb2= and usb3="},
	{"30,xhci,tablet,at=9",
	 "at=9: port 9 is a USB 3 port and tablet is a USB 2 device: write "
	 "at=1 to 8"},
	{"30,xhci,storage=d,speed=super,at=8",
	 "at=8: port 8 is a USB 2 port and storage=d has speed=super: USB 2 "
	 "ports are 1 to 8, USB 3 ports come after them"},
	{"30,xhci,storage=d,speed=high,at=9",
	 "at=9: port 9 is a USB 3 port and storage=d has speed=high: USB 2 "
	 "ports are 1 to 8, USB 3 ports come after them"},
	{"30,xhci,bus=1,port=2.*,at=1",
	 "at=1: bus=1,port=2.* may be several devices: leave at= out"},
	{"30,xhci,storage=d,at=1,tablet,at=01",
	 "at=1: port 1 holds storage=d already: give tablet another port"},
	{"30,xhci,usb2=1,usb3=0,tablet,keyboard",
	 "keyboard: no USB 2 port left of 1: raise usb2= (at most 15) or "
	 "use another controller"},
	{"30,xhci,usb3=0,storage=d,speed=super",
	 "storage=d: no USB 3 port left of 0: raise usb3= (at most 15) or "
	 "use another controller"},
	{"30,xhci,usb2=1,usb3=1,tablet,bus=1,port=2,bus=1,port=3",
	 "bus=1,port=3: no port left of 2: raise usb2= or usb3=, or use "
	 "another controller"},
	/* claims */
	{"30,xhci,bus=1,devaddr=2,bus=1,devaddr=02",
	 "bus=1,devaddr=2: bus=1,devaddr=2 claims the same: remove one of "
	 "them"},
	{"30,xhci,bus=1,port=2.3,tablet,bus=1,port=2.*",
	 "bus=1,port=2.*: bus=1,port=2.3 claims the same: remove one of "
	 "them"},
	{"30,xhci,bus=1,port=2.*,bus=1,port=2.3.*",
	 "bus=1,port=2.3.*: bus=1,port=2.* claims the same: remove one of "
	 "them"},
	{"30,xhci,bus=1,port=2.*,bus=1,port=2",
	 "bus=1,port=2: bus=1,port=2.* claims the same: remove one of them"},
	{"30,xhci,id=045e:0823,serial=x,id=045E:0823,serial=x",
	 "id=045e:0823,serial=x: id=045e:0823,serial=x claims the same: "
	 "remove one of them"},
	{"30,xhci,storage=d,readonly,storage=d",
	 "storage=d: storage=d,readonly claims the same: remove one of "
	 "them"},
};

static void every_error_in_its_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct slotopt o;
		char err[512] = "";

		memset(&o, 0xa5, sizeof(o));
		if (slotopt_parse(errors[i].text, err, sizeof(err), &o) !=
		    -EINVAL)
			fail_msg("%s: was accepted", errors[i].text);
		if (strcmp(err, errors[i].err) != 0)
			fail_msg("%s:\n  got  %s\n  want %s", errors[i].text,
				 err, errors[i].err);
		assert_int_equal(((unsigned char *)&o)[0], 0xa5);
		/* no room for the line is no reason to fall over */
		assert_int_equal(slotopt_parse(errors[i].text, NULL, 0, &o),
				 -EINVAL);
		assert_int_equal(slotopt_parse(errors[i].text, err, 4, &o),
				 -EINVAL);
		assert_true(strlen(err) <= 3);
	}
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
		"pci=1b36:000d,reset=never,replay=f,zero,tablet";
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
		cmocka_unit_test(options_belong_to_the_device_before_them),
		cmocka_unit_test(default_speed_is_the_fastest_with_a_free_port),
		cmocka_unit_test(what_may_stand_together),
		cmocka_unit_test(every_error_in_its_words),
		cmocka_unit_test(long_texts_are_bounded),
		cmocka_unit_test(thirty_devices_and_no_more),
		cmocka_unit_test(damaged_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
