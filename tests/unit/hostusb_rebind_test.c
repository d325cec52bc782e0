/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the watcher does with a device, on a /sys in a folder: looks at it, binds
 * the host's drivers again, opens its node.
 */
#include "tests/unit/hostusb_sys.h"

/* The driver that it had, and not what the kernel thinks fit for it */
static void driver_of_before_is_bound(void **state)
{
	struct watcher_note n = put_disk();

	(void)state;
	n.ifaces = 3;
	snprintf(n.driver[0], sizeof(n.driver[0]), "usb-storage");
	snprintf(n.driver[1], sizeof(n.driver[1]), "unloaded");
	assert_int_equal(watcher_rebind(&n, dir, dir), 0);
	expect_file("bus/usb/drivers/usb-storage/bind", "9-1.2:1.0");
	/* that is not there any more: the kernel looks for another */
	expect_file("bus/usb/drivers_probe", "9-1.2:1.1");
}

static void owned_device_is_left_alone(void **state)
{
	struct watcher_note n = put_disk();
	struct owner_claim *c;

	(void)state;
	setenv("RUNTIME_DIRECTORY", dir, 1);
	snprintf(n.driver[0], sizeof(n.driver[0]), "usb-storage");
	n.config = 2;
	assert_int_equal(owner_claim(&disk, "another engine", NULL, 0, &c), 0);
	assert_int_equal(watcher_rebind(&n, dir, dir), -EBUSY);
	expect_file(DISK "bConfigurationValue", "1\n");
	expect_file("bus/usb/drivers/usb-storage/bind", "");
	expect_file("bus/usb/drivers_probe", "");
	n.config = 0;
	owner_release(c);
	assert_int_equal(watcher_rebind(&n, dir, dir), 0);
	expect_file("bus/usb/drivers/usb-storage/bind", "9-1.2:1.0");
	unsetenv("RUNTIME_DIRECTORY");
}

static void what_is_noted_is_what_is_there(void **state)
{
	struct watcher_note n = put_disk();

	(void)state;
	put_driver(DISK "9-1.2:1.0", "uas");
	put_driver(DISK "9-1.2:1.2", "usbfs");
	put_driver(DISK "9-1.2:1.3", "usbhid");
	n.ifaces = 0x17;
	n.config = 9;
	snprintf(n.driver[0], sizeof(n.driver[0]), "vfio");
	snprintf(n.driver[1], sizeof(n.driver[1]), "vfio");
	watcher_see(&n, dir);
	assert_int_equal(n.ifaces, 1);
	assert_string_equal(n.driver[0], "uas");
	assert_string_equal(n.driver[1], "");
	assert_int_equal(n.config, 1);
	n.ifaces = 1;
	n.pid++;
	watcher_see(&n, dir);
	assert_int_equal(n.ifaces, 0);
	assert_int_equal(n.config, 0);
}

static void interface_without_a_name_is_probed(void **state)
{
	struct watcher_note n = put_disk();

	(void)state;
	assert_int_equal(watcher_rebind(&n, dir, dir), 0);
	expect_file("bus/usb/drivers_probe", "9-1.2:1.0");
	expect_file("bus/usb/drivers/usb-storage/bind", "");
}

static void interface_with_a_driver_is_left_alone(void **state)
{
	struct watcher_note n = put_disk();

	(void)state;
	put_driver(DISK "9-1.2:1.0", "uas");
	assert_int_equal(watcher_rebind(&n, dir, dir), 0);
	expect_file("bus/usb/drivers_probe", "");
}

static void claimed_interface_is_busy_and_holds_up_no_other(void **state)
{
	struct watcher_note n = put_disk();

	(void)state;
	n.ifaces = 3;
	put_driver(DISK "9-1.2:1.0", "usbfs");
	assert_int_equal(watcher_rebind(&n, dir, dir), -EBUSY);
	expect_file("bus/usb/drivers_probe", "9-1.2:1.1");
}

static void another_device_at_the_place_is_left_alone(void **state)
{
	struct watcher_note n = put_disk();

	(void)state;
	put(DISK "idProduct", "5679\n");
	assert_int_equal(watcher_rebind(&n, dir, dir), -ENODEV);
	put(DISK "idProduct", "5678\n");
	put(DISK "idVendor", NULL);
	assert_int_equal(watcher_rebind(&n, dir, dir), -ENODEV);
	expect_file("bus/usb/drivers_probe", "");
	n.npath = 200;
	assert_int_equal(watcher_rebind(&n, dir, dir), -ENODEV);
}

static void configuration_of_before_is_set_first(void **state)
{
	struct watcher_note n = put_disk();

	(void)state;
	n.config = 2;
	put_driver(DISK "9-1.2:2.0", "");
	assert_int_equal(watcher_rebind(&n, dir, dir), 0);
	/* "1\n" before, written over as sysfs would be */
	expect_file(DISK "bConfigurationValue", "2\n");
	expect_file("bus/usb/drivers_probe", "9-1.2:2.0");
}

static void driver_with_a_path_for_a_name_is_not_bound(void **state)
{
	struct watcher_note n = put_disk();

	(void)state;
	put("bus/usb/bind", "");
	snprintf(n.driver[0], sizeof(n.driver[0]), "usb-storage/../..");
	assert_int_equal(watcher_rebind(&n, dir, dir), 0);
	expect_file("bus/usb/bind", "");
}

/*
 * Only what a rule means, and no hub. A node that is none of usbfs's is what
 * is found here at best: the file was opened then, and closed.
 */
static void only_what_a_rule_means_is_opened(void **state)
{
	static const struct {
		struct usb_match m;
		int want;
	} rows[] = {
		{{.kind = MATCH_PATH, .bus = 9, .path = {1, 2}, .npath = 2}, 0},
		{{.kind = MATCH_PATH, .bus = 9, .path = {1, 3}, .npath = 2}, 1},
		{{.kind = MATCH_PATH, .bus = 8, .path = {1, 2}, .npath = 2}, 1},
		{{.kind = MATCH_PATH, .bus = 9, .path = {1}, .npath = 1}, 1},
		{{.kind = MATCH_BELOW, .bus = 9, .path = {1}, .npath = 1}, 0},
		{{.kind = MATCH_ADDR, .bus = 9, .addr = 5}, 0},
		{{.kind = MATCH_ADDR, .bus = 9, .addr = 6}, 1},
		{{.kind = MATCH_ID, .vid = 0x1234, .pid = 0x5678}, 0},
		{{.kind = MATCH_ID, .vid = 0x1234, .pid = 0x5679}, 1},
		{{.kind = MATCH_ID,
		  .vid = 0x1234,
		  .pid = 0x5678,
		  .serial = "S 1"},
		 0},
		{{.kind = MATCH_ID,
		  .vid = 0x1234,
		  .pid = 0x5678,
		  .serial = "S 2"},
		 1},
	};
	struct watcher_note n = put_disk();
	static struct watcher_policy p;

	(void)state;
	put(DISK "serial", "S 1\n");
	put(DISK "bDeviceClass", "00\n");
	put("bus/usb/009/005", "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		p = (struct watcher_policy){.n = 1, .allowed = {rows[i].m}};
		assert_int_equal(watcher_open_node(&n, &p, dir, dir),
				 rows[i].want ? -EPERM : -ENODEV);
	}
	p = (struct watcher_policy){.n = 0};
	assert_int_equal(watcher_open_node(&n, &p, dir, dir), -EPERM);
	p.any = true;
	assert_int_equal(watcher_open_node(&n, &p, dir, dir), -ENODEV);
	put(DISK "bDeviceClass", "09\n");
	assert_int_equal(watcher_open_node(&n, &p, dir, dir), -EPERM);
	put(DISK "bDeviceClass", NULL);
	assert_int_equal(watcher_open_node(&n, &p, dir, dir), -EPERM);
}

/* An address is the device's until it is plugged in again; its port stays. */
static void address_becomes_a_port(void **state)
{
	static struct watcher_policy p = {
		.n = 1, .allowed = {{.kind = MATCH_ADDR, .bus = 9, .addr = 5}}};
	struct watcher_note n = put_disk();

	(void)state;
	put(DISK "bDeviceClass", "00\n");
	watcher_policy_resolve(&p, &n, dir);
	assert_int_equal(p.allowed[0].kind, MATCH_PATH);
	put(DISK "devnum", "7\n");
	put("bus/usb/009/007", "");
	assert_int_equal(watcher_open_node(&n, &p, dir, dir), -ENODEV);
	/* and another device that has the address now is not it */
	n.path[1] = 3;
	put("bus/usb/devices/9-1.3/devnum", "5\n");
	put("bus/usb/devices/9-1.3/idVendor", "1234\n");
	put("bus/usb/devices/9-1.3/idProduct", "5678\n");
	put("bus/usb/devices/9-1.3/bDeviceClass", "00\n");
	watcher_policy_resolve(&p, &n, dir);
	assert_int_equal(watcher_open_node(&n, &p, dir, dir), -EPERM);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)
	const struct CMUnitTest tests[] = {
		TEST(only_what_a_rule_means_is_opened),
		TEST(address_becomes_a_port),
		TEST(driver_of_before_is_bound),
		TEST(owned_device_is_left_alone),
		TEST(what_is_noted_is_what_is_there),
		TEST(interface_without_a_name_is_probed),
		TEST(interface_with_a_driver_is_left_alone),
		TEST(claimed_interface_is_busy_and_holds_up_no_other),
		TEST(another_device_at_the_place_is_left_alone),
		TEST(configuration_of_before_is_set_first),
		TEST(driver_with_a_path_for_a_name_is_not_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
