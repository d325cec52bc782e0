/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library's edge: creation and its errors, forwarding, mappings.
 */
#include "tests/unit/vmm_embed_fake.h"

static void create_says_what_is_wrong(void **state)
{
	static const struct {
		const char *opt;
		int ret;
		const char *err;
	} rows[] = {
		{"30", -EINVAL, "30: no controller: write 30,xhci"},
		{"30,xhci,replay=/none", -ENOENT,
		 "replay=/none: No such file or directory: give a file that "
		 "can be read"},
		/* these need ops.fd_watch, which this VMM does not have */
		{"30,xhci,bus=1,devaddr=2", -ENOTSUP,
		 "bus=1,devaddr=2: this program has no physical devices: "
		 "leave it out"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vm vm = {0};
		char err[256] = "";

		assert_int_equal(vxhci_create(rows[i].opt, &vm_ops, &vm, err,
					      sizeof(err), &vm.v),
				 rows[i].ret);
		assert_string_equal(err, rows[i].err);
		assert_null(vm.v);
		assert_int_equal(
			vxhci_create(rows[i].opt, &vm_ops, &vm, NULL, 0, &vm.v),
			rows[i].ret);
	}
}

static void a_missing_image_is_named_once(void **state)
{
	struct vm vm = {0};
	char err[256] = "";

	(void)state;
	assert_int_equal(vxhci_create("30,xhci,storage=/nonexistent/disk",
				      &vm_ops, &vm, err, sizeof(err), &vm.v),
			 -ENOENT);
	assert_int_equal(strncmp(err, "storage=/nonexistent/disk: ", 27), 0);
	assert_null(strstr(err + 27, "/nonexistent"));
	assert_null(vm.v);
}

static void media_change_where_they_can(void **state)
{
	char path[] = "/tmp/vxhci-embed-XXXXXX", opt[128], err[256] = "";
	int fd = mkstemp(path);
	struct vm vm = {0};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	close(fd);
	snprintf(opt, sizeof(opt),
		 "30,xhci,storage=%s,removable,at=1,zero,at=2", path);
	assert_int_equal(
		vxhci_create(opt, &vm_ops, &vm, err, sizeof(err), &vm.v), 0);
	assert_int_equal(vxhci_media_eject(vm.v, 1, 0, false, err, sizeof(err)),
			 0);
	assert_int_equal(vxhci_media_insert(vm.v, 1, 0, "/nonexistent", false,
					    false, err, sizeof(err)),
			 -ENOENT);
	assert_int_equal(vxhci_media_insert(vm.v, 1, 0, path, false, false, err,
					    sizeof(err)),
			 0);
	/* it is locked now: nobody has it twice */
	assert_int_equal(vxhci_media_insert(vm.v, 1, 0, path, false, false, err,
					    sizeof(err)),
			 -EBUSY);
	assert_int_equal(vxhci_media_eject(vm.v, 2, 0, false, err, sizeof(err)),
			 -ENODEV);
	assert_string_equal(err, "port 2: no storage is in this port: see the "
				 "status for ports");
	assert_int_equal(vxhci_media_eject(vm.v, 1, 1, false, err, sizeof(err)),
			 -ENXIO);
	vxhci_destroy(vm.v);
	unlink(path);
}

static void a_disk_sits_in_its_port(void **state)
{
	char path[] = "/tmp/vxhci-embed-XXXXXX", opt[128];
	int fd = mkstemp(path);
	struct vm vm;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	snprintf(opt, sizeof(opt),
		 "30,xhci,usb2=2,usb3=2,storage=%s,readonly,"
		 "storage=%s,readonly,at=3",
		 path, path);
	vm_create(&vm, opt);
	/* PORTSC.CCS: the one with at= has port 3, so the first has 4 */
	assert_int_equal(rd(&vm, vm.op + 0x400) & 1, 0);
	assert_int_equal(rd(&vm, vm.op + 0x410) & 1, 0);
	assert_int_equal(rd(&vm, vm.op + 0x420) & 1, 1);
	assert_int_equal(rd(&vm, vm.op + 0x430) & 1, 1);
	vm_destroy(&vm);
	close(fd);
	unlink(path);
}

static void zeroes_sit_in_their_ports(void **state)
{
	struct vm vm;

	(void)state;
	vm_create(&vm, "30,xhci,usb2=2,usb3=2,zero,zero,speed=high,"
		       "zero,speed=full");
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(rd(&vm, vm.op + 0x400 + 16 * i) & 1, i != 3);
	vm_destroy(&vm);
}

static void the_option_shapes_the_controller(void **state)
{
	struct vm vm;

	(void)state;
	vm_create(&vm, "0:30:1,xhci,usb2=3,usb3=2,pci=8086:a36d");
	assert_string_equal(vxhci_slot(vm.v), "0:30:1");
	assert_int_equal(rd(&vm, 4) >> 24, 5);        /* MaxPorts */
	assert_int_equal(rd(&vm, 4) >> 8 & 0x7ff, 8); /* MaxIntrs */
	assert_int_equal(rd(&vm, 8) >> 21 & 0x1f, 0); /* no scratchpads */
	assert_int_equal(vxhci_cfg_read(vm.v, 0, 4), 0xa36d8086);
	assert_int_equal(vxhci_cfg_read(vm.v, 8, 4), 0x0c033001);
	vm_destroy(&vm);
}

static void what_lies_outside_is_not_there(void **state)
{
	static const uint32_t offs[] = {0x3ff8, 0x4080, 0x4ff8,    0x5008,
					0x7ff8, 0x8000, 0xfffffff8};
	struct vm vm;

	(void)state;
	vm_create(&vm, "30,xhci");
	for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
		for (unsigned size = 0; size < 20; size++) {
			vxhci_bar_write(vm.v, offs[i], size, UINT64_MAX);
			assert_int_equal(vxhci_bar_read(vm.v, offs[i], size),
					 0);
		}
	}
	assert_int_equal(vxhci_cfg_read(vm.v, 0x100, 4), 0);
	vm_destroy(&vm);
}

static void nobody_is_at_home_in_d3hot(void **state)
{
	struct vm vm;

	(void)state;
	vm_create(&vm, "30,xhci");
	vxhci_cfg_write(vm.v, 0x44, 2, 3);
	assert_int_equal(vxhci_bar_read(vm.v, 0, 1), 0xff);
	assert_int_equal(vxhci_bar_read(vm.v, 0, 4), 0xffffffff);
	assert_true(vxhci_bar_read(vm.v, 0, 8) == UINT64_MAX);
	assert_int_equal(vxhci_bar_read(vm.v, MSIX_TABLE, 4), 0xffffffff);
	wr(&vm, MSIX_TABLE, 0x1000);
	vxhci_cfg_write(vm.v, 0x44, 2, 0);
	assert_int_equal(rd(&vm, 0) & 0xff, vm.op);
	assert_int_equal(rd(&vm, MSIX_TABLE), 0);
	vm_destroy(&vm);
}

static void mappings_come_back(void **state)
{
	static uint8_t page[3][4096];
	struct vm vm;

	(void)state;
	vm_create(&vm, "30,xhci");
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(vxhci_mem_map(vm.v, i * 4096, 4096, page[i],
					       true, page[i]),
				 0);
	assert_int_equal(vxhci_mem_map(vm.v, 0, 4096, page[0], true, NULL),
			 -EEXIST);
	assert_int_equal(vxhci_mem_map(vm.v, 1, 4096, page[0], true, NULL),
			 -EINVAL);
	assert_int_equal(vxhci_mem_unmap(vm.v, 0, 8192), -ENOENT);
	assert_int_equal(vxhci_mem_unmap(vm.v, 4096, 4096), 0);
	assert_int_equal(vm.released, 1);
	assert_ptr_equal(vm.last_cookie, page[1]);
	vxhci_mem_unmap_all(vm.v);
	assert_int_equal(vm.released, 4);
	assert_int_equal(vxhci_mem_map(vm.v, 0, 4096, page[0], true, page[0]),
			 0);
	vm_destroy(&vm);
	assert_int_equal(vm.released, 5);
	assert_ptr_equal(vm.last_cookie, page[0]);
}

static void nothing_is_destroyed_without_harm(void **state)
{
	(void)state;
	vxhci_destroy(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_says_what_is_wrong),
		cmocka_unit_test(a_missing_image_is_named_once),
		cmocka_unit_test(media_change_where_they_can),
		cmocka_unit_test(a_disk_sits_in_its_port),
		cmocka_unit_test(zeroes_sit_in_their_ports),
		cmocka_unit_test(the_option_shapes_the_controller),
		cmocka_unit_test(what_lies_outside_is_not_there),
		cmocka_unit_test(nobody_is_at_home_in_d3hot),
		cmocka_unit_test(mappings_come_back),
		cmocka_unit_test(nothing_is_destroyed_without_harm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
