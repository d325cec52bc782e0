/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * device.c - a device "vxhci" for QEMU, with libvxhci linked in: preloaded into
 * an unmodified QEMU, whose guests then have the controller with its interrupt
 * pin, which messages to a process beside the VMM cannot be, and in the process
 * that QEMU's own controllers are in, to be compared with them.
 *
 *   -device '{"driver":"vxhci","addr":"4","option":"30,xhci,keyboard",
 *             "control":"FIFO","msix":"on"}'
 *
 * Without `msix` a guest must use the pin. Lines in FIFO: `key NAME` is typed on
 * the keyboard; `pin FILE` writes to FILE how often the pin went up and down, and
 * its level.
 *
 * All of it runs with QEMU's lock of devices: accesses in a VCPU's thread, and
 * what they bring about before they return, the rest in the loop of the first
 * one. The pin has changed when vxhci_bar_write() returns.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
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
#define WORK_ROUNDS 4u

struct linked {
	struct vxhci *v;      /* owned; NULL: not realized */
	struct q_object *dev; /* this is a part of it */
	char *option, *control;
	bool msix;
	/* usb_fd: those of physical devices, by epoll(7) */
	int wake_fd, timer_fd, usb_fd, control_fd;
	bool timed;        /* the timer is set */
	atomic_uint fired; /* vectors, a bit each, to be sent */
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

/* This thread is in the library, and does then what is to be done. */
static _Thread_local bool inside, woken;

static void on_wake(void *opaque)
{
	struct linked *l = opaque;
	uint64_t one = 1;

	if (inside)
		woken = true;
	else if (write(l->wake_fd, &one, sizeof(one)) < 0 && errno != EAGAIN)
		die("cannot wake");
}

/* The library is not to be called from here: send_messages() is, later. */
static void on_msix(void *opaque, unsigned vector)
{
	struct linked *l = opaque;

	if (!l->msix)
		die("a message: the guest is to use the pin");
	atomic_fetch_or(&l->fired, 1u << vector);
	if (!inside)
		on_wake(l);
}

static void on_fd_watch(void *opaque, int fd, short events)
{
	struct linked *l = opaque;
	struct epoll_event ev = {.events = (uint32_t)events, .data.fd = fd};

	if (events == 0)
		epoll_ctl(l->usb_fd, EPOLL_CTL_DEL, fd, NULL);
	else if (epoll_ctl(l->usb_fd, EPOLL_CTL_ADD, fd, &ev) < 0 &&
		 epoll_ctl(l->usb_fd, EPOLL_CTL_MOD, fd, &ev) < 0)
		die("cannot watch a device");
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
	.fd_watch = on_fd_watch,
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

static void set_timer(struct linked *l, uint64_t timeout_ns)
{
	struct itimerspec when = {0};

	if (timeout_ns != UINT64_MAX) {
		when.it_value.tv_sec = (time_t)(timeout_ns / 1000000000);
		when.it_value.tv_nsec = (long)(timeout_ns % 1000000000);
		if (timeout_ns == 0)
			when.it_value.tv_nsec = 1;
	} else if (!l->timed) {
		return;
	}
	timerfd_settime(l->timer_fd, 0, &when, NULL);
	l->timed = timeout_ns != UINT64_MAX;
}

static void send_messages(struct linked *l)
{
	unsigned fired = atomic_exchange(&l->fired, 0);

	for (unsigned i = 0; fired >> i; i++) {
		uint64_t addr;
		uint32_t data;
		bool masked;

		if (fired >> i & 1 &&
		    vxhci_msix_entry(l->v, i, &addr, &data, &masked) == 0)
			address_space_write(address_space_memory, addr, 0,
					    &data, sizeof(data));
	}
}

static void work(struct linked *l)
{
	uint64_t timeout_ns;

	for (unsigned i = 0; i < WORK_ROUNDS; i++) {
		inside = true;
		woken = false;
		vxhci_dispatch(l->v, &timeout_ns);
		inside = false;
		send_messages(l);
		if (!woken)
			break;
	}
	if (woken)
		on_wake(l); /* others have their turn first */
	if (!type(l) && timeout_ns > TYPE_AGAIN_NS)
		timeout_ns = TYPE_AGAIN_NS;
	set_timer(l, timeout_ns);
}

static void on_wake_fd(void *arg)
{
	struct linked *l = arg;
	uint64_t n;

	if (read(l->wake_fd, &n, sizeof(n)) > 0)
		work(l);
}

static void on_timer(void *arg)
{
	struct linked *l = arg;
	uint64_t n;

	if (read(l->timer_fd, &n, sizeof(n)) > 0)
		work(l);
}

static void on_usb(void *arg)
{
	struct linked *l = arg;

	vxhci_fd_ready(l->v);
	work(l);
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

	inside = true;
	woken = false;
	vxhci_bar_write(l->v, (uint32_t)off, size, v);
	inside = false;
	if (woken)
		work(l);
	else
		send_messages(l);
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
	l->usb_fd = epoll_create1(EPOLL_CLOEXEC);
	l->control_fd = open(l->control ? l->control : "/dev/null",
			     O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (l->wake_fd < 0 || l->timer_fd < 0 || l->usb_fd < 0 ||
	    l->control_fd < 0)
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
	qemu_set_fd_handler(l->wake_fd, on_wake_fd, NULL, l);
	qemu_set_fd_handler(l->timer_fd, on_timer, NULL, l);
	qemu_set_fd_handler(l->usb_fd, on_usb, NULL, l);
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

static void set_msix(struct q_object *o, const char *v, struct q_error **err)
{
	(void)err;
	linked_of(o)->msix = strcmp(v, "on") == 0;
}

static void instance_init(struct q_object *o)
{
	object_property_add_str(o, "msix", NULL, set_msix);
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
