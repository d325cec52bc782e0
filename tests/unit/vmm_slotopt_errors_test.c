/* SPDX-License-Identifier: BSD-2-Clause */
/* Slot options: what is refused, and in which words. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/slotopt.h"

#define NO_DEV                                                          \
	"not a bus and an address of 1 to 127: write dev=BUS.ADDRESS, " \
	"as in dev=1.4"
#define UNKNOWN                                                             \
	"unknown option: write bus=, id=, tablet, keyboard, mouse, audio, " \
	"camera, storage=, zero, replay=, at=, speed=, usb2=, usb3=, pci= " \
	"or reset="
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
	{"30,xhci,dev=2",
	 "dev=2: no replay= before it: write replay=FILE,dev=2"},
	{"30,xhci,zero,pace=none",
	 "pace=none: no replay= before it: write replay=FILE,pace=none"},
	{"30,xhci,replay=f,pace=fast",
	 "pace=fast: unknown pace: write pace=recorded or none"},
	{"30,xhci,replay=f,dev=2", "dev=2: " NO_DEV},
	{"30,xhci,replay=f,dev=1.0", "dev=1.0: " NO_DEV},
	{"30,xhci,replay=f,dev=1.128", "dev=1.128: " NO_DEV},
	{"30,xhci,replay=f,dev=1.2.3", "dev=1.2.3: " NO_DEV},
	{"30,xhci,replay=f,dev=70000.1", "dev=70000.1: " NO_DEV},
	{"30,xhci,replay=f,dev=1.2,dev=1.3",
	 "dev=1.3: dev is given twice for one device: write it once"},
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
	{"30,xhci,zero,removable",
	 "removable: no storage= before it: write storage=FILE,removable"},
	{"30,xhci,lun=a",
	 "lun=a: no storage= before it: write storage=FILE,lun=FILE"},
	{"30,xhci,storage=a,lun=b,lun=c,lun=d,lun=e,lun=f,lun=g,lun=h,lun=i",
	 "lun=i: more than 8 units in one disk: write another storage="},
	{"30,xhci,storage=a,lun=b,readonly,readonly",
	 "readonly: readonly is given twice for one device: write it once"},
	{"30,xhci,storage=a,lun=b,lun=a",
	 "storage=a: two of its units have the same file: remove one of "
	 "them"},
	{"30,xhci,storage=a,lun=b,readonly,storage=c,lun=b",
	 "storage=c: storage=a claims the same: remove one of them"},
	{"30,xhci,at=1", "at=1: no device before it: write DEVICE,at=1"},
	{"30,xhci,usb2=4,speed=high",
	 "speed=high: no device before it: write DEVICE,speed=high"},
	{"30,xhci,tablet,speed=fast",
	 "speed=fast: unknown speed: write speed=low, full, high, super or "
	 "super+"},
	{"30,xhci,storage=d,speed=low",
	 "speed=low: does not fit storage=d: write speed=full, high or "
	 "super"},
	{"30,xhci,zero,speed=low",
	 "speed=low: does not fit zero: write speed=full, high, super or "
	 "super+"},
	{"30,xhci,storage=d,speed=super+",
	 "speed=super+: does not fit storage=d: write speed=full, high or "
	 "super"},
	{"30,xhci,reset=always",
	 "reset=always: unknown policy: write reset=device, initial or "
	 "never"},
	/* places */
	{"30,xhci,usb2=2,usb3=1,tablet,at=4",
	 "at=4: no such port for tablet: write at=1 to 3, or more ports "
	 "with usb2= and usb3="},
	{"30,xhci,camera,speed=full",
	 "speed=full: does not fit camera: write speed=high"},
	{"30,xhci,audio,at=9",
	 "at=9: port 9 is a USB 3 port and audio is a USB 2 device: write "
	 "at=1 to 8"},
	{"30,xhci,tablet,speed=low,at=9",
	 "at=9: port 9 is a USB 3 port and tablet has speed=low: USB 2 "
	 "ports are 1 to 8, USB 3 ports come after them"},
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_error_in_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
