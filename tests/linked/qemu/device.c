/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.c - a device "vxhci" for QEMU, with libvxhci linked in: preloaded into
 * an unmodified QEMU, whose guests then have the controller with its interrupt
 * pin, which messages to a process beside the VMM cannot be.
 *
 *   -device '{"driver":"vxhci","addr":"4","option":"30,xhci,keyboard",
 *             "control":"FIFO"}'
 *
 * Lines in FIFO: `key NAME` is typed on the keyboard; `pin FILE` writes to FILE
 * how often the pin went up and down, and its level.
 *
 * All of it runs with QEMU's lock of devices: accesses in a VCPU's thread, the
 * rest in the loop of the first one. The pin has changed when vxhci_bar_write()
 * returns.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <vxhci.h>

#include "tests/linked/qemu/qemu.h"

#define INSTANCE_SIZE 0x10000u /* of a device: QEMU's part, then ours */
#define OURS 0xc000u
#define CLASS_MAX 0x1000u  /* QEMU's classes are smaller */
#define DEVICE_MAX 0x1000u /* config is near the beginning */
#define BAR_MEMORY_64 0x04u
#define PIN 0x3du
#define LOW_END 0xa0000u /* memory below 1 MiB */
#define HIGH 0x100000u
#define HIGH_MAX 0x7ff00000u
#define TYPED_MAX 256u
#define TYPE_AGAIN_NS 20000000u

struct linked {
	struct vxhci *v;      /* owned; NULL: not realized */
	struct q_object *dev; /* this is a part of it */
	char *option, *control;
	int wake_fd, timer_fd, control_fd;
	uint64_t up, down;
	bool level;
	char line[256];
	size_t line_len;
	/* usages; each is pressed and released: two events */
	uint8_t typed[TYPED_MAX];
	unsigned typed_at, typed_len;
	_Alignas(64) uint8_t region[4096]; /* QEMU's MemoryRegion */
};

static struct linked *linked_of(struct q_object *o)
{
	return (void *)((char *)o + OURS);
}

static void die(const char *what)
{
	fprintf(stderr, "vxhci in QEMU: %s\n", what);
	abort();
}

/* What the library asks of the VMM. */

static void on_intx(void *opaque, bool level)
{
	struct linked *l = opaque;

	if (!bql_locked())
		die("the pin changes without the lock");
	if (level == l->level)
		die("the pin is told twice");
	l->level = level;
	l->up += level;
	l->down += !level;
	pci_set_irq(l->dev, level);
}

static void on_msix(void *opaque, unsigned vector)
{
	(void)opaque;
	(void)vector;
	die("a message: the guest is to use the pin");
}

static void on_wake(void *opaque)
{
	struct linked *l = opaque;
	uint64_t one = 1;

	if (write(l->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		die("cannot wake");
}

static void on_log(void *opaque, enum vxhci_log level, const char *line)
{
	(void)opaque;
	if (level <= VXHCI_LOG_WARN)
		fprintf(stderr, "vxhci: %s\n", line);
}

static const struct vxhci_ops ops = {
	.msix = on_msix,
	.wake = on_wake,
	.log = on_log,
	.intx = on_intx,
};

/* The loop. */

/* False: the guest is not ready for more. */
static bool type(struct linked *l)
{
	while (l->typed_at < l->typed_len) {
		unsigned usage = l->typed[l->typed_at / 2];

		if (vxhci_input_key(l->v, 0, usage, l->typed_at % 2 == 0) < 0)
			return false;
		l->typed_at++;
	}
	l->typed_at = l->typed_len = 0;
	return true;
}

static void work(void *arg)
{
	struct linked *l = arg;
	struct itimerspec when = {0};
	uint64_t timeout_ns, n;

	while (read(l->wake_fd, &n, sizeof(n)) > 0 ||
	       read(l->timer_fd, &n, sizeof(n)) > 0)
		;
	vxhci_dispatch(l->v, &timeout_ns);
	if (!type(l) && timeout_ns > TYPE_AGAIN_NS)
		timeout_ns = TYPE_AGAIN_NS;
	if (timeout_ns != UINT64_MAX) {
		when.it_value.tv_sec = (time_t)(timeout_ns / 1000000000);
		when.it_value.tv_nsec = (long)(timeout_ns % 1000000000);
		if (timeout_ns == 0)
			when.it_value.tv_nsec = 1;
	}
	timerfd_settime(l->timer_fd, 0, &when, NULL);
}

static void tell_pin(struct linked *l, const char *file)
{
	char tmp[300];
	FILE *f;

	snprintf(tmp, sizeof(tmp), "%s.new", file);
	f = fopen(tmp, "w");
	if (f == NULL)
		die("cannot write");
	fprintf(f, "%llu %llu %d\n", (unsigned long long)l->up,
		(unsigned long long)l->down, l->level);
	if (fclose(f) != 0 || rename(tmp, file) != 0)
		die("cannot write");
}

static void order(struct linked *l, const char *line)
{
	unsigned usage;

	if (strncmp(line, "pin ", 4) == 0) {
		tell_pin(l, line + 4);
	} else if (strncmp(line, "key ", 4) == 0) {
		usage = vxhci_key_usage(line + 4);
		if (usage == 0 || l->typed_len == 2 * TYPED_MAX)
			die("no such key, or too many");
		l->typed[l->typed_len / 2] = (uint8_t)usage;
		l->typed_len += 2;
	} else {
		die("no such order");
	}
}

static void on_control(void *arg)
{
	struct linked *l = arg;
	char c;

	while (read(l->control_fd, &c, 1) == 1) {
		if (c != '\n') {
			if (l->line_len == sizeof(l->line) - 1)
				die("a line is too long");
			l->line[l->line_len++] = c;
			continue;
		}
		l->line[l->line_len] = '\0';
		l->line_len = 0;
		order(l, l->line);
	}
	work(l);
}

/* PCI. */

static uint64_t bar_read(void *arg, uint64_t off, unsigned size)
{
	struct linked *l = arg;

	return vxhci_bar_read(l->v, (uint32_t)off, size);
}

static void bar_write(void *arg, uint64_t off, uint64_t v, unsigned size)
{
	struct linked *l = arg;

	vxhci_bar_write(l->v, (uint32_t)off, size, v);
}

static const struct q_region_ops bar_ops = {
	.read = bar_read,
	.write = bar_write,
	.endianness = Q_LITTLE_ENDIAN,
	.valid = {.min = 1, .max = 8, .unaligned = true},
	.impl = {.min = 1, .max = 8, .unaligned = true},
};

static uint32_t config_read(struct q_object *dev, uint32_t at, int len)
{
	struct linked *l = linked_of(dev);

	if (l->v == NULL)
		return pci_default_read_config(dev, at, len);
	return vxhci_cfg_read(l->v, at, (unsigned)len);
}

/* QEMU has its own, for BAR 0 to be where the guest says. */
static void config_write(struct q_object *dev, uint32_t at, uint32_t v, int len)
{
	struct linked *l = linked_of(dev);

	pci_default_write_config(dev, at, v, len);
	if (l->v != NULL)
		vxhci_cfg_write(l->v, at, (unsigned)len, v);
}

/* QEMU's own configuration space, which is what the device's bytes point to. */
static uint8_t *own_config(struct q_object *dev)
{
	uint8_t want[0x40], got[sizeof(want)];
	struct iovec to = {.iov_base = got, .iov_len = sizeof(got)};
	struct iovec from = {.iov_len = sizeof(got)};

	for (unsigned i = 0; i < sizeof(want); i++)
		want[i] = (uint8_t)pci_default_read_config(dev, i, 1);
	for (unsigned at = 0; at < DEVICE_MAX; at += 8) {
		memcpy(&from.iov_base, (char *)dev + at, sizeof(void *));
		if (process_vm_readv(getpid(), &to, 1, &from, 1, 0) ==
			    (ssize_t)sizeof(got) &&
		    memcmp(got, want, sizeof(got)) == 0)
			return from.iov_base;
	}
	return NULL;
}

static int map_memory(struct linked *l, uint64_t at, uint64_t most)
{
	uint64_t len = most;
	void *p = address_space_map(address_space_memory, at, &len, true, 0);

	if (p == NULL)
		return -ENOMEM;
	return vxhci_mem_map(l->v, at, len & ~4095ull, p, true, l);
}

static void on_reset(void *arg)
{
	struct linked *l = arg;

	vxhci_reset(l->v);
}

static int open_fds(struct linked *l)
{
	l->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	l->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	/* for writing too: there is always a writer, so it never ends */
	l->control_fd = open(l->control ? l->control : "/dev/null",
			     O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (l->wake_fd < 0 || l->timer_fd < 0 || l->control_fd < 0)
		return -errno;
	return 0;
}

static void realize(struct q_object *dev, struct q_error **err)
{
	struct linked *l = linked_of(dev);
	uint8_t *config = own_config(dev);
	char why[512] = "files, memory, or another QEMU than this knows";
	int r = config ? open_fds(l) : -EINVAL;

	l->dev = dev;
	if (r == 0)
		r = vxhci_create(l->option ? l->option : "", &ops, l, why,
				 sizeof(why), &l->v);
	if (r == 0)
		r = map_memory(l, 0, LOW_END);
	if (r == 0)
		r = map_memory(l, HIGH, HIGH_MAX);
	if (r < 0) {
		error_setg_internal(err, __FILE__, __LINE__, __func__, "%s",
				    why);
		return;
	}
	config[PIN] = 1;
	memory_region_init_io(l->region, dev, &bar_ops, l, "vxhci",
			      VXHCI_BAR0_SIZE);
	pci_register_bar(dev, 0, BAR_MEMORY_64, l->region);
	qemu_register_reset(on_reset, l);
	qemu_set_fd_handler(l->wake_fd, work, NULL, l);
	qemu_set_fd_handler(l->timer_fd, work, NULL, l);
	if (l->control)
		qemu_set_fd_handler(l->control_fd, on_control, NULL, l);
	work(l);
}

/* The type. */

static void set_option(struct q_object *o, const char *v, struct q_error **err)
{
	(void)err;
	linked_of(o)->option = strdup(v);
}

static void set_control(struct q_object *o, const char *v, struct q_error **err)
{
	(void)err;
	linked_of(o)->control = strdup(v);
}

static void instance_init(struct q_object *o)
{
	object_property_add_str(o, "option", NULL, set_option);
	object_property_add_str(o, "control", NULL, set_control);
}

/*
 * Where a PCI device's part of a class begins is not said: a device of QEMU's
 * for teaching has ids that are known, and nothing like them before.
 */
static struct q_pci_class *pci_class(struct q_class *c)
{
	static const struct q_pci_class edu = {.vendor_id = 0x1234,
					       .device_id = 0x11e8,
					       .revision = 0x10,
					       .class_id = 0x00ff};
	const size_t ids = offsetof(struct q_pci_class, vendor_id);
	const char *known = (const char *)object_class_by_name("edu");

	for (size_t at = ids; known && at < CLASS_MAX; at += 8)
		if (memcmp(known + at, &edu.vendor_id, 5) == 0 &&
		    memcmp(known + at + 6, &edu.class_id, 2) == 0)
			return (void *)((char *)c + at - ids);
	die("another QEMU than this knows");
	return NULL;
}

static void class_init(struct q_class *c, const void *data)
{
	struct q_pci_class *k = pci_class(c);

	(void)data;
	k->realize = realize;
	k->exit = NULL;
	k->config_read = config_read;
	k->config_write = config_write;
	k->vendor_id = 0x1b36;
	k->device_id = 0x000d;
	k->class_id = 0x0c03;
}

static const struct q_interface interfaces[] = {
	{"conventional-pci-device"},
	{NULL},
};

static const struct q_type linked_type = {
	.name = "vxhci",
	.parent = "pci-device",
	.instance_size = INSTANCE_SIZE,
	.instance_init = instance_init,
	.class_init = class_init,
	.interfaces = interfaces,
};

static void add_type(void)
{
	type_register_static(&linked_type);
}

__attribute__((constructor)) static void loaded(void)
{
	if (register_module_init)
		register_module_init(add_type, Q_AFTER_TYPES);
}
