/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices that come and go while a controller runs: vxhci_attach(),
 * vxhci_detach(), their events, and what the two lists say.
 */
#include "tests/unit/vmm_embed_fake.h"

struct told {
	unsigned n[4]; /* by event */
	struct vxhci_device last;
};

static struct told told; /* by the VMM of the test at hand */

static void on_event(void *opaque, enum vxhci_event event,
		     const struct vxhci_device *d)
{
	(void)opaque;
	told.n[event]++;
	told.last = *d;
}

static void no_fd(void *opaque, int fd, short events)
{
	(void)opaque;
	(void)fd;
	(void)events;
}

/* A controller whose events come here */
static void plug_vm(struct vm *vm, const char *opt, bool physical)
{
	struct vxhci_ops ops = vm_ops;
	char err[512] = "";

	memset(&told, 0, sizeof(told));
	memset(vm, 0, sizeof(*vm));
	vm->now_ns = 1000000000;
	ops.event = on_event;
	ops.fd_watch = physical ? no_fd : NULL;
	if (vxhci_create(opt, &ops, vm, err, sizeof(err), &vm->v) != 0)
		fail_msg("%s", err);
	vm_prepare(vm);
}

static unsigned attach(struct vm *vm, const char *dev)
{
	char err[512] = "";
	unsigned id = 0;

	if (vxhci_attach(vm->v, dev, "the rule", err, sizeof(err), &id) != 0)
		fail_msg("%s: %s", dev, err);
	vm_dispatch(vm);
	return id;
}

static int detach(struct vm *vm, const char *which)
{
	char err[512] = "";
	int r = vxhci_detach(vm->v, which, err, sizeof(err));

	vm_dispatch(vm);
	return r;
}

/* PORTSC.CCS */
static bool connected(struct vm *vm, unsigned port)
{
	return rd(vm, vm->op + 0x400 + 16 * (port - 1)) & 1;
}

static struct vxhci_device row(struct vm *vm, unsigned i, size_t n)
{
	struct vxhci_device d[8];

	assert_int_equal(vxhci_get_devices(vm->v, d, 8), n);
	return d[i];
}

static void attached_device_is_in_its_port_and_told(void **state)
{
	struct vxhci_device d;
	struct vm vm;

	(void)state;
	plug_vm(&vm, "30,xhci,zero,at=2", false);
	assert_false(connected(&vm, 4));
	assert_int_equal(attach(&vm, "zero,at=4,speed=full"), 2);
	assert_true(connected(&vm, 4));
	assert_int_equal(told.n[VXHCI_DEVICE_ATTACHED], 1);
	assert_int_equal(told.last.id, 2);
	assert_int_equal(told.last.port, 4);
	d = row(&vm, 1, 2);
	assert_string_equal(d.name, "zero");
	assert_string_equal(d.kind, "zero");
	assert_string_equal(d.rule, "the rule");
	assert_string_equal(d.speed, "full");
	assert_int_equal(d.state, VXHCI_ATTACHED);
	assert_string_equal(row(&vm, 0, 2).rule, "option");
	vm_destroy(&vm);
}

static void detached_device_is_gone_and_told(void **state)
{
	static const char *const ways[] = {"4", "#2", "zero,speed=full"};
	struct vm vm;

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		plug_vm(&vm, "30,xhci", false);
		assert_int_equal(attach(&vm, "zero,at=3"), 1);
		assert_int_equal(detach(&vm, "#1"), 1);
		memset(&told, 0, sizeof(told));
		assert_int_equal(attach(&vm, "zero,at=4"), 2);
		assert_int_equal(detach(&vm, ways[i]), 1);
		assert_false(connected(&vm, 4));
		assert_int_equal(told.n[VXHCI_DEVICE_DETACHED], 1);
		assert_int_equal(told.last.id, 2);
		assert_false(told.last.unplugged);
		assert_int_equal(vxhci_get_devices(vm.v, NULL, 0), 0);
		assert_int_equal(detach(&vm, ways[i]), -ENOENT);
		/* an id is never used again, a port is */
		assert_int_equal(attach(&vm, "zero,at=4"), 3);
		vm_destroy(&vm);
	}
}

static void what_cannot_be_attached_is_said_and_changes_nothing(void **state)
{
	static const struct {
		const char *dev;
		int ret;
		const char *err;
	} rows[] = {
		{"", -EINVAL, ",: empty option"},
		{"reset=never", -EINVAL, "device: one device is named at "},
		{"zero,zero", -EINVAL, "zero: one device is named at a time: "},
		{"zero,usb3=1", -EINVAL, "usb3=1: is the controller's"},
		{"zero,pci=1:2", -EINVAL, "pci=1:2: is the controller's"},
		{"zero,reset=no", -EINVAL, "reset=no: unknown policy"},
		{"zero,at=9", -EINVAL, "at=9: no such port for zero"},
		{"zero,at=3", -EBUSY, "zero: port 3 is kept for zero: "},
		{"zero,at=5", -EBUSY, "zero: port 5 is kept for bus=1,port=2"},
		{"bus=1,port=2", -EEXIST, "bus=1,port=2: bus=1,port=2 claims"},
		{"bus=1,port=2.*", -EEXIST, "bus=1,port=2.*: bus=1,port=2 cl"},
		{"storage=/nonexistent", -ENOENT, "storage=/nonexistent: no "},
		{"bus=1", -EINVAL, "bus=1: names no device"},
		{"30,xhci", -EINVAL, "30: unknown option"},
	};
	struct vm vm;

	(void)state;
	plug_vm(&vm, "30,xhci,usb2=5,usb3=3,zero,at=3", true);
	assert_int_equal(attach(&vm, "bus=1,port=2,at=5"), 2);
	assert_int_equal(row(&vm, 1, 2).state, VXHCI_WAITING);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char err[256] = "";
		unsigned id = 99;

		assert_int_equal(vxhci_attach(vm.v, rows[i].dev, NULL, err,
					      sizeof(err), &id),
				 rows[i].ret);
		if (strncmp(err, rows[i].err, strlen(rows[i].err)) != 0)
			fail_msg("%s: %s", rows[i].dev, err);
		assert_int_equal(id, 99);
		assert_int_equal(vxhci_get_devices(vm.v, NULL, 0), 2);
	}
	assert_int_equal(told.n[VXHCI_DEVICE_ATTACHED], 0);
	assert_int_equal(detach(&vm, "bus=1,port=2"), 1);
	assert_int_equal(told.n[VXHCI_DEVICE_DETACHED], 1);
	attach(&vm, "zero,at=5");
	vm_destroy(&vm);
}

static void what_is_asked_for_has_a_limit(void **state)
{
	char err[256] = "", name[64];
	unsigned id;
	struct vm vm;
	int r = 0, n;

	(void)state;
	plug_vm(&vm, "30,xhci", true);
	for (n = 0; r == 0 && n < 1000; n++) {
		snprintf(name, sizeof(name), "id=1234:%04x", n);
		r = vxhci_attach(vm.v, name, NULL, err, sizeof(err), &id);
	}
	assert_int_equal(r, -ENOSPC);
	assert_int_equal(n, 65);
	assert_non_null(strstr(err, "more than 64 devices"));
	assert_int_equal(detach(&vm, "id=1234:0007"), 1);
	attach(&vm, "zero");
	vm_destroy(&vm);
}

/* The VMM's loop, which frees what was taken out, does not run meanwhile. */
static void a_device_taken_out_is_not_in_the_way(void **state)
{
	char err[256] = "";
	unsigned id;
	struct vm vm;

	(void)state;
	plug_vm(&vm, "30,xhci", false);
	for (unsigned n = 0; n < 200; n++) {
		if (vxhci_attach(vm.v, "zero", NULL, err, sizeof(err), &id))
			fail_msg("the device %u: %s", n, err);
		assert_int_equal(vxhci_detach(vm.v, "zero", err, sizeof(err)),
				 1);
	}
	vm_dispatch(&vm);
	assert_int_equal(told.n[VXHCI_DEVICE_ATTACHED], 200);
	assert_int_equal(told.n[VXHCI_DEVICE_DETACHED], 200);
	assert_int_equal(vxhci_get_devices(vm.v, NULL, 0), 0);
	vm_destroy(&vm);
}

static void ports_are_as_the_guest_sees_them(void **state)
{
	struct vxhci_port p[VXHCI_MAX_PORTS];
	struct vm vm;

	(void)state;
	plug_vm(&vm,
		"30,xhci,usb2=2,usb3=1,zero,speed=high,at=2,"
		"zero,speed=super",
		false);
	vm_start(&vm);
	assert_int_equal(vxhci_get_ports(vm.v, NULL, 0), 3);
	assert_int_equal(vxhci_get_ports(vm.v, p, VXHCI_MAX_PORTS), 3);
	assert_int_equal(p[0].device, 0);
	assert_false(p[0].connected);
	assert_string_equal(p[0].link, "RxDetect");
	assert_int_equal(p[1].device, 1);
	assert_true(p[1].connected && !p[1].enabled && !p[1].usb3);
	assert_string_equal(p[1].link, "Polling");
	assert_int_equal(p[2].device, 2);
	assert_true(p[2].connected && p[2].enabled && p[2].usb3);
	assert_string_equal(p[2].link, "U0");
	vm_destroy(&vm);
}

static void port_resets_are_told_once_a_second(void **state)
{
	struct vm vm;

	(void)state;
	plug_vm(&vm, "30,xhci,zero,speed=high,at=1", false);
	vm_start(&vm);
	for (unsigned i = 0; i < 10; i++) {
		wr(&vm, vm.op + 0x400, 1u << 9 | 1u << 4); /* PP, PR */
		vm_dispatch(&vm);
		wr(&vm, vm.op + 0x400, 1u << 9 | 1u << 21); /* PRC */
	}
	assert_int_equal(told.n[VXHCI_PORT_RESET], 1);
	assert_int_equal(told.last.port, 1);
	assert_int_equal(row(&vm, 0, 1).resets, 10);
	vm.now_ns += 1000000000;
	wr(&vm, vm.op + 0x400, 1u << 9 | 1u << 4);
	vm_dispatch(&vm);
	assert_int_equal(told.n[VXHCI_PORT_RESET], 2);
	assert_int_equal(told.last.resets, 11);
	vm_destroy(&vm);
}

static void only_a_device_of_the_host_has_a_descriptor(void **state)
{
	char err[256] = "";
	struct vm vm;
	unsigned id;

	(void)state;
	plug_vm(&vm, "30,xhci", true);
	assert_int_equal(
		vxhci_attach_fd(vm.v, 0, "zero", NULL, err, sizeof(err), &id),
		-EINVAL);
	assert_non_null(strstr(err, "is no single device of the host"));
	assert_int_equal(vxhci_attach_fd(vm.v, 0, "bus=1,port=1.*", NULL, err,
					 sizeof(err), &id),
			 -EINVAL);
	assert_int_equal(vxhci_attach_fd(vm.v, -1, "bus=1,port=1", NULL, err,
					 sizeof(err), &id),
			 -EINVAL);
	assert_int_equal(vxhci_attach_fd(vm.v, 0, "bus=1,port=1", NULL, err,
					 sizeof(err), &id),
			 -EINVAL);
	assert_non_null(strstr(err, "not a USB device's descriptor"));
	assert_int_equal(vxhci_get_devices(vm.v, NULL, 0), 0);
	vm_destroy(&vm);
}

/* For TSan: the two lists and hot-plug beside the controller's own thread */
static void *come_and_go(void *arg)
{
	struct vm *vm = arg;
	struct vxhci_device d[8];
	struct vxhci_port p[4];
	char err[256];
	unsigned id;

	for (unsigned i = 0; i < 50; i++) {
		if (vxhci_attach(vm->v, "zero,at=2", NULL, err, sizeof(err),
				 &id) == 0)
			vxhci_detach(vm->v, "2", err, sizeof(err));
		vxhci_get_devices(vm->v, d, 8);
		vxhci_get_ports(vm->v, p, 4);
	}
	return NULL;
}

static void any_thread_may_plug(void **state)
{
	pthread_t t[2];
	struct vm vm;

	(void)state;
	plug_vm(&vm, "30,xhci", false);
	vm_start(&vm);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&t[i], NULL, come_and_go, &vm),
				 0);
	for (unsigned i = 0; i < 100; i++)
		vm_dispatch(&vm);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(t[i], NULL);
	vm_dispatch(&vm);
	assert_int_equal(vxhci_get_devices(vm.v, NULL, 0), 0);
	assert_int_equal(told.n[VXHCI_DEVICE_ATTACHED],
			 told.n[VXHCI_DEVICE_DETACHED]);
	vm_destroy(&vm);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(attached_device_is_in_its_port_and_told),
		cmocka_unit_test(detached_device_is_gone_and_told),
		cmocka_unit_test(
			what_cannot_be_attached_is_said_and_changes_nothing),
		cmocka_unit_test(what_is_asked_for_has_a_limit),
		cmocka_unit_test(a_device_taken_out_is_not_in_the_way),
		cmocka_unit_test(ports_are_as_the_guest_sees_them),
		cmocka_unit_test(port_resets_are_told_once_a_second),
		cmocka_unit_test(only_a_device_of_the_host_has_a_descriptor),
		cmocka_unit_test(any_thread_may_plug),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
