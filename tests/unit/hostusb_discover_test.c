/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices as libusb and sysfs tell of them, hostile ones included. This
 * program has its own libusb: the functions below stand in for the library's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <ftw.h>
#include <libusb.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hostusb/discover.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* --- a libusb with one device --- */

struct libusb_device {
	uint8_t bus, addr, path[8];
	int npath; /* or a libusb error */
	int speed;
	struct libusb_device_descriptor d;
	struct libusb_config_descriptor *config; /* NULL: none is active */
	const char *string[4];                   /* by index */
	int open_error;
	int handles;
};

int libusb_get_device_descriptor(libusb_device *dev,
				 struct libusb_device_descriptor *desc)
{
	*desc = dev->d;
	return 0;
}

uint8_t libusb_get_bus_number(libusb_device *dev)
{
	return dev->bus;
}

uint8_t libusb_get_device_address(libusb_device *dev)
{
	return dev->addr;
}

int libusb_get_port_numbers(libusb_device *dev, uint8_t *ports, int len)
{
	if (dev->npath > len)
		return LIBUSB_ERROR_OVERFLOW;
	if (dev->npath > 0)
		memcpy(ports, dev->path, (size_t)dev->npath);
	return dev->npath;
}

int libusb_get_device_speed(libusb_device *dev)
{
	return dev->speed;
}

int libusb_get_active_config_descriptor(libusb_device *dev,
					struct libusb_config_descriptor **c)
{
	if (!dev->config)
		return LIBUSB_ERROR_NOT_FOUND;
	*c = dev->config;
	return 0;
}

void libusb_free_config_descriptor(struct libusb_config_descriptor *c)
{
	(void)c;
}

int libusb_open(libusb_device *dev, libusb_device_handle **h)
{
	if (dev->open_error)
		return dev->open_error;
	dev->handles++;
	*h = (libusb_device_handle *)dev;
	return 0;
}

void libusb_close(libusb_device_handle *h)
{
	((libusb_device *)h)->handles--;
}

int libusb_get_string_descriptor_ascii(libusb_device_handle *h, uint8_t index,
				       unsigned char *data, int length)
{
	const char *s = ((libusb_device *)h)->string[index];

	if (!s)
		return LIBUSB_ERROR_PIPE;
	return snprintf((char *)data, (size_t)length, "%s", s);
}

/* --- a /sys in a folder --- */

static char sys_dir[64];

static int remove_one(const char *path, const struct stat *st, int flag,
		      struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void make_dirs(char *path)
{
	for (char *c = path + 1; *c; c++) {
		if (*c != '/')
			continue;
		*c = '\0';
		mkdir(path, 0755);
		*c = '/';
	}
}

static void put_attr(const char *device, const char *attr, const char *text,
		     size_t len)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/bus/usb/devices/%s/%s", sys_dir,
		 device, attr);
	make_dirs(path);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	fclose(f);
}

static void put_device(const char *device, const char *bus, const char *addr)
{
	put_attr(device, "busnum", bus, strlen(bus));
	put_attr(device, "devnum", addr, strlen(addr));
}

static void put_driver(const char *device, const char *iface, const char *name)
{
	char path[256], to[128];

	snprintf(path, sizeof(path), "%s/bus/usb/devices/%s/%s/driver", sys_dir,
		 device, iface);
	make_dirs(path);
	snprintf(to, sizeof(to), "../../../drivers/%s", name);
	assert_int_equal(symlink(to, path), 0);
}

static int setup(void **state)
{
	(void)state;
	snprintf(sys_dir, sizeof(sys_dir), "/tmp/vxhci-discover-XXXXXX");
	return mkdtemp(sys_dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return nftw(sys_dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* --- descriptors --- */

#define MAX_IFACES 40u
static struct fake {
	struct libusb_device dev;
	struct libusb_config_descriptor c;
	struct libusb_interface in[MAX_IFACES];
	struct libusb_interface_descriptor alt[MAX_IFACES][2];
} fake;

/* A device at 1-4.2, address 7, with @n interfaces from 0 up */
static struct libusb_device *fake_device(unsigned n)
{
	memset(&fake, 0, sizeof(fake));
	fake.dev = (struct libusb_device){
		.bus = 1,
		.addr = 7,
		.path = {4, 2},
		.npath = 2,
		.speed = LIBUSB_SPEED_HIGH,
		.d = {.idVendor = 0x1234,
		      .idProduct = 0xabcd,
		      .bcdDevice = 0x0102,
		      .bDeviceClass = 0xef,
		      .bDeviceSubClass = 2,
		      .bDeviceProtocol = 1,
		      .iManufacturer = 1,
		      .iProduct = 2,
		      .iSerialNumber = 3},
		.config = &fake.c,
	};
	fake.c.bConfigurationValue = 1;
	fake.c.bNumInterfaces = (uint8_t)n;
	fake.c.interface = fake.in;
	for (unsigned k = 0; k < n; k++) {
		fake.in[k].altsetting = fake.alt[k];
		fake.in[k].num_altsetting = 1;
		fake.alt[k][0].bInterfaceNumber = (uint8_t)k;
		fake.alt[k][0].bInterfaceClass = 0xff;
	}
	return &fake.dev;
}

static void what_the_descriptors_say(void **state)
{
	struct usb_info i;

	(void)state;
	fake_device(2);
	fake.alt[1][0].bInterfaceClass = 3;
	fake.alt[1][0].bInterfaceSubClass = 1;
	fake.alt[1][0].bInterfaceProtocol = 2;
	assert_int_equal(discover_info_at(&fake.dev, "/none", &i), 0);
	assert_int_equal(i.bus, 1);
	assert_int_equal(i.addr, 7);
	assert_int_equal(i.npath, 2);
	assert_int_equal(i.path[0], 4);
	assert_int_equal(i.path[1], 2);
	assert_int_equal(i.speed, USB_SPEED_HIGH);
	assert_int_equal(i.vid, 0x1234);
	assert_int_equal(i.pid, 0xabcd);
	assert_int_equal(i.bcd_device, 0x0102);
	assert_int_equal(i.cls, 0xef);
	assert_int_equal(i.subclass, 2);
	assert_int_equal(i.protocol, 1);
	assert_int_equal(i.nifaces, 2);
	assert_int_equal(i.iface[1].cls, 3);
	assert_int_equal(i.iface[1].subclass, 1);
	assert_int_equal(i.iface[1].protocol, 2);
	/* no sysfs: nothing is known of these */
	assert_string_equal(i.product, "");
	assert_string_equal(i.iface[1].driver, "");
}

static void every_speed(void **state)
{
	static const struct {
		int speed;
		enum usb_speed want;
	} rows[] = {
		{LIBUSB_SPEED_LOW, USB_SPEED_LOW},
		{LIBUSB_SPEED_FULL, USB_SPEED_FULL},
		{LIBUSB_SPEED_HIGH, USB_SPEED_HIGH},
		{LIBUSB_SPEED_SUPER, USB_SPEED_SUPER},
		{LIBUSB_SPEED_SUPER_PLUS, USB_SPEED_SUPER_PLUS},
		{LIBUSB_SPEED_SUPER_PLUS + 1, USB_SPEED_SUPER_PLUS_BY2},
		{LIBUSB_SPEED_SUPER_PLUS + 2, USB_SPEED_SUPER_PLUS},
		{LIBUSB_SPEED_UNKNOWN, USB_SPEED_NONE},
	};
	struct usb_info i;

	(void)state;
	for (size_t k = 0; k < COUNT(rows); k++) {
		fake_device(1)->speed = rows[k].speed;
		assert_int_equal(discover_info_at(&fake.dev, "/none", &i), 0);
		assert_int_equal(i.speed, rows[k].want);
	}
}

static void unconfigured_device_has_no_interfaces(void **state)
{
	struct usb_info i;

	(void)state;
	fake_device(3)->config = NULL;
	assert_int_equal(discover_info_at(&fake.dev, "/none", &i), 0);
	assert_int_equal(i.nifaces, 0);
	assert_int_equal(i.vid, 0x1234);
}

static void hostile_configurations_are_bounded(void **state)
{
	struct usb_info i;

	(void)state;
	/* more than USB allows */
	fake_device(MAX_IFACES);
	assert_int_equal(discover_info_at(&fake.dev, "/none", &i), 0);
	assert_int_equal(i.nifaces, 32);
	/* the same number twice, gaps, numbers past 31, empty ones */
	fake_device(5);
	fake.alt[1][0].bInterfaceNumber = 0;
	fake.alt[2][0].bInterfaceNumber = 255;
	fake.in[3].altsetting = NULL;
	fake.in[4].num_altsetting = -1;
	assert_int_equal(discover_info_at(&fake.dev, "/none", &i), 0);
	assert_int_equal(i.nifaces, 2);
	assert_int_equal(i.iface[0].number, 0);
	assert_int_equal(i.iface[1].number, 255);
	/* interfaces promised, none there */
	fake_device(4);
	fake.c.interface = NULL;
	assert_int_equal(discover_info_at(&fake.dev, "/none", &i), 0);
	assert_int_equal(i.nifaces, 0);
	/* deeper than hubs nest */
	fake_device(1)->npath = 8;
	assert_int_equal(discover_info_at(&fake.dev, "/none", &i), 0);
	assert_int_equal(i.npath, 0);
}

static void alternate_setting_zero_counts_wherever_it_is(void **state)
{
	struct usb_info i;

	(void)state;
	fake_device(1);
	fake.in[0].num_altsetting = 2;
	fake.alt[0][0].bAlternateSetting = 5;
	fake.alt[0][1].bInterfaceClass = 1;
	assert_int_equal(discover_info_at(&fake.dev, "/none", &i), 0);
	assert_int_equal(i.iface[0].cls, 1);
	/* there is none: the first */
	fake.alt[0][1].bAlternateSetting = 6;
	assert_int_equal(discover_info_at(&fake.dev, "/none", &i), 0);
	assert_int_equal(i.iface[0].cls, 0xff);
}

static void strings_and_drivers_from_sysfs(void **state)
{
	struct usb_info i;

	(void)state;
	fake_device(2);
	put_device("1-4.2", "1\n", "7\n");
	put_attr("1-4.2", "manufacturer", "Acme\n", 5);
	put_attr("1-4.2", "product", "  Rocket \xc3\xa9  \n", 14);
	put_attr("1-4.2", "serial", "\x1b[31m\n", 6);
	put_driver("1-4.2", "1-4.2:1.1", "usbhid");
	assert_int_equal(discover_info_at(&fake.dev, sys_dir, &i), 0);
	assert_string_equal(i.manufacturer, "Acme");
	assert_string_equal(i.product, "Rocket \xc3\xa9");
	assert_string_equal(i.serial, "\\x1b[31m");
	assert_string_equal(i.iface[0].driver, "");
	assert_string_equal(i.iface[1].driver, "usbhid");
}

static void device_at_the_path_is_another_one(void **state)
{
	struct usb_info i;

	(void)state;
	memset(&i, 0x5a, sizeof(i));
	fake_device(1);
	put_device("1-4.2", "1\n", "8\n");
	assert_int_equal(discover_info_at(&fake.dev, sys_dir, &i), -ENODEV);
	assert_int_equal(i.bus, 0x5a); /* untouched */
}

static void path_of_a_handed_over_device_is_found(void **state)
{
	struct usb_info i;

	(void)state;
	fake_device(1)->npath = 0;
	put_device("usb1", "1\n", "1\n");
	put_device("1-3", "1\n", "17\n");
	put_device("2-9", "2\n", "7\n");
	put_device("1-10.3.1", "1\n", "7\n");
	assert_int_equal(discover_info_at(&fake.dev, sys_dir, &i), 0);
	assert_int_equal(i.npath, 3);
	assert_int_equal(i.path[0], 10);
	assert_int_equal(i.path[1], 3);
	assert_int_equal(i.path[2], 1);
}

static void strings_asked_of_the_device(void **state)
{
	struct usb_info i = {.product = "known"};

	(void)state;
	fake_device(1);
	fake.dev.string[1] = "Acme\a";
	fake.dev.string[2] = "not asked for";
	discover_strings(&fake.dev, &i);
	assert_string_equal(i.manufacturer, "Acme\\x07");
	assert_string_equal(i.product, "known");
	assert_string_equal(i.serial, ""); /* it stalls */
	assert_int_equal(fake.dev.handles, 0);
	fake.dev.open_error = LIBUSB_ERROR_ACCESS;
	discover_strings(&fake.dev, &i);
	assert_string_equal(i.manufacturer, "Acme\\x07");
}

static void text_is_made_safe(void **state)
{
	static const struct {
		const char *from, *to;
	} rows[] = {
		{"", ""},
		{" \t\n", ""},
		{" a  b \n", "a  b"},
		{"\x1b]0;x\a", "\\x1b]0;x\\x07"},
		{"a\nb", "a\\x0ab"},
		{"\x7f", "\\x7f"},
		{"\xc3\xa9", "\xc3\xa9"},
		{"\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80"},
		{"\xc3", "\\xc3"},                   /* cut off */
		{"\xc3(", "\\xc3("},                 /* no continuation */
		{"\x80", "\\x80"},                   /* no start */
		{"\xc0\xaf", "\\xc0\\xaf"},          /* overlong */
		{"\xe0\x80\xaf", "\\xe0\\x80\\xaf"}, /* overlong */
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"}, /* surrogate */
		{"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"}, /* past the end */
		{"\xff", "\\xff"},
		{"\xc2\x9b", "\\xc2\\x9b"},          /* CSI of C1 */
		{"\xe2\x80\xae", "\\xe2\\x80\\xae"}, /* right to left */
		{"\xe2\x80\xa8", "\\xe2\\x80\\xa8"}, /* line separator */
		{"\xef\xbb\xbf", "\\xef\\xbb\\xbf"}, /* byte order mark */
	};
	char buf[64];

	(void)state;
	for (size_t k = 0; k < COUNT(rows); k++)
		assert_string_equal(discover_text(buf, sizeof(buf),
						  rows[k].from,
						  strlen(rows[k].from)),
				    rows[k].to);
}

static void long_text_is_cut_at_a_character(void **state)
{
	char buf[6];

	(void)state;
	assert_string_equal(discover_text(buf, 6, "abcdefgh", 8), "abcde");
	assert_string_equal(discover_text(buf, 6, "abcd\xc3\xa9", 6), "abcd");
	assert_string_equal(discover_text(buf, 6, "ab\x01", 3), "ab");
	assert_string_equal(discover_text(buf, 1, "abc", 3), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_descriptors_say),
		cmocka_unit_test(every_speed),
		cmocka_unit_test(unconfigured_device_has_no_interfaces),
		cmocka_unit_test(hostile_configurations_are_bounded),
		cmocka_unit_test(alternate_setting_zero_counts_wherever_it_is),
		cmocka_unit_test_setup_teardown(strings_and_drivers_from_sysfs,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			device_at_the_path_is_another_one, setup, teardown),
		cmocka_unit_test_setup_teardown(
			path_of_a_handed_over_device_is_found, setup, teardown),
		cmocka_unit_test(strings_asked_of_the_device),
		cmocka_unit_test(text_is_made_safe),
		cmocka_unit_test(long_text_is_cut_at_a_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
