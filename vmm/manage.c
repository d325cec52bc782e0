/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manage.c - between manage_core.c, which knows who is to have what, and the
 * host and the VMs.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#ifdef HAVE_LIBUDEV
#include <libudev.h>
#endif

#include "vmm/cmd.h"
#include "vmm/manage_conf.h"
#include "vmm/manage_impl.h"
#include "vmm/serve_socket.h"

#define SETTLE_NS 200000000u   /* after udev's last word */
#define CONNECT_NS 1000000000u /* between attempts to reach VMs */
#define POLL_NS 2000000000u    /* between looks, without udev */
#define REBIND_NS 100000000u   /* between attempts */

static void vm_drop(struct manage *m, uint8_t place, const char *why)
{
	struct manage_vm *vm = m->vm[place];
	bool was = vm->synced;

	manage_vm_close(vm);
	fprintf(stderr, "vxhci: manage: %s: %s\n", vm->conf.name, why);
	if (was)
		core_vm_down(&m->core, place);
	m->connect_ns = loop_now_ns() + CONNECT_NS / 10;
	m->scan_ns = loop_now_ns() + SETTLE_NS;
}

/* That nobody is there is nothing to speak of; who else may not be is, once. */
static bool reach(struct manage *m, struct manage_vm *vm)
{
	int r = manage_vm_connect(vm, m->loop);

	if (r == -EPERM && vm->refused != r)
		cmd_error("manage: %s: who is at %s is not user %u: it gets "
			  "nothing",
			  vm->conf.name, vm->conf.control, vm->conf.uid);
	else if (r < 0 && r != -ENOENT && r != -ECONNREFUSED &&
		 vm->refused != r)
		cmd_error("manage: %s: %s: %s", vm->conf.name, vm->conf.control,
			  strerror(-r));
	vm->refused = r;
	return r == 0;
}

static void connect_vms(struct manage *m)
{
	m->connect_ns = LOOP_NEVER;
	for (uint8_t i = 0; i < m->p.nvms; i++) {
		struct manage_vm *vm = m->vm[i];

		if (vm->l.fd >= 0)
			continue;
		m->connect_ns = loop_now_ns() + CONNECT_NS;
		if (!reach(m, vm))
			continue;
		fprintf(stderr, "vxhci: manage: %s: is there\n", vm->conf.name);
		manage_vm_send(vm,
			       json_pack("{s:s, s:s}", "execute", "status",
					 "id", "status"),
			       -1);
	}
}

static void scan(struct manage *m)
{
	struct policy_dev *list;
	char err[256] = "";
	size_t n;

	m->scan_ns = m->monitor ? LOOP_NEVER : loop_now_ns() + POLL_NS;
	if (host_devices(&list, &n, err, sizeof(err)) < 0) {
		cmd_error("manage: %s", err);
		m->scan_ns = loop_now_ns() + POLL_NS;
		return;
	}
	m->core.now_ns = loop_now_ns();
	if (core_set_devices(&m->core, list, n) < 0) {
		cmd_error("manage: out of memory: a device is not seen yet");
		m->scan_ns = loop_now_ns() + POLL_NS;
	}
	free(list);
}

static void run_rebinds(struct manage *m)
{
	m->rebind_ns = LOOP_NEVER;
	for (unsigned i = 0; i < MAX_REBINDS; i++) {
		struct rebind *b = &m->rebind[i];
		int r;

		if (!b->tries)
			continue;
		r = watcher_rebind(&b->note, "/sys", "/dev");
		b->tries = r == -EBUSY || r == -EAGAIN ? b->tries - 1 : 0;
		if (b->tries)
			m->rebind_ns = loop_now_ns() + REBIND_NS;
		else if (r < 0 && r != -ENODEV)
			cmd_error("manage: bus %u, port %u...: its drivers are "
				  "not bound: %s",
				  b->note.bus, b->note.path[0], strerror(-r));
	}
}

/* A VM that was reached may have something that is another's otherwise. */
static bool may_run(const struct manage *m)
{
	for (uint8_t i = 0; i < m->p.nvms; i++)
		if (m->vm[i]->l.fd >= 0 && !m->vm[i]->synced)
			return false;
	return true;
}

static uint64_t manage_work(void *arg)
{
	struct manage *m = arg;
	uint64_t now = loop_now_ns(), next;

	for (uint8_t i = 0; i < m->p.nvms; i++)
		if (m->vm[i]->broken)
			vm_drop(m, i, "is gone");
	if (now >= m->scan_ns)
		scan(m);
	if (now >= m->connect_ns)
		connect_vms(m);
	if (now >= m->rebind_ns)
		run_rebinds(m);
	if (may_run(m))
		core_run(&m->core);
	for (uint8_t i = 0; i < m->p.nvms; i++)
		if (m->vm[i]->broken)
			return 0;
	next = m->scan_ns < m->connect_ns ? m->scan_ns : m->connect_ns;
	next = next < m->rebind_ns ? next : m->rebind_ns;
	now = loop_now_ns();
	return next == LOOP_NEVER ? next : next > now ? next - now : 0;
}

static int find_vm(const struct policy *p, const struct policy_vm *vm)
{
	for (unsigned i = 0; i < p->nvms; i++)
		if (strcmp(p->vms[i].name, vm->name) == 0 &&
		    strcmp(p->vms[i].control, vm->control) == 0 &&
		    strcmp(p->vms[i].slot, vm->slot) == 0 &&
		    p->vms[i].has_user == vm->has_user &&
		    p->vms[i].uid == vm->uid)
			return (int)i;
	return -1;
}

static bool has_devices(const struct manage *m, uint8_t vm)
{
	for (const struct core_dev *d = m->core.devs; d; d = d->next)
		if (d->state != CORE_FREE && d->vm == vm)
			return true;
	return false;
}

/* A VM that is named no more keeps its place, without rules, to be emptied. */
static int keep_old_vms(const struct manage *m, struct policy *p)
{
	struct policy_vm *vms =
		realloc(p->vms, (p->nvms + m->p.nvms + 1) * sizeof(*vms));

	if (!vms)
		return -ENOMEM;
	p->vms = vms;
	for (uint8_t i = 0; i < m->p.nvms; i++) {
		if (find_vm(p, &m->p.vms[i]) >= 0 || !has_devices(m, i))
			continue;
		if (p->nvms == POLICY_MAX_VMS)
			return -ENOSPC;
		p->vms[p->nvms++] = m->p.vms[i];
	}
	return 0;
}

/* All or nothing: the new VMs are there before anything is changed. */
static int take_policy(struct manage *m, struct policy *p)
{
	struct manage_vm *vm[POLICY_MAX_VMS] = {0};
	uint8_t map[POLICY_MAX_VMS];
	struct policy old = m->p;
	int r = 0;

	m->p = *p;
	for (uint8_t i = 0; r == 0 && i < p->nvms; i++) {
		int was = find_vm(&old, &p->vms[i]);

		vm[i] = was >= 0 ? m->vm[was] : manage_vm_new(m, i);
		r = vm[i] ? 0 : -ENOMEM;
	}
	if (r < 0) {
		for (uint8_t i = 0; i < p->nvms; i++)
			if (find_vm(&old, &p->vms[i]) < 0)
				free(vm[i]);
		m->p = old;
		return r;
	}
	for (uint8_t i = 0; i < old.nvms; i++) {
		map[i] = (uint8_t)find_vm(p, &old.vms[i]);
		if (map[i] != CORE_NO_VM)
			continue;
		manage_vm_close(m->vm[i]);
		free(m->vm[i]);
	}
	memcpy(m->vm, vm, sizeof(vm));
	for (uint8_t i = 0; i < p->nvms; i++)
		((struct managed_vm *)(void *)vm[i])->place = i;
	m->core.p = &old;
	core_set_policy(&m->core, &m->p, map);
	policy_free(&old);
	m->connect_ns = 0;
	return 0;
}

static void reload(struct manage *m)
{
	struct policy p;
	char err[512] = "";
	int r = conf_load(m->o->config, err, sizeof(err), &p);

	if (r < 0) {
		cmd_error("%s; what was there before stays", err);
		return;
	}
	r = keep_old_vms(m, &p);
	if (r == 0)
		r = take_policy(m, &p);
	if (r < 0) {
		policy_free(&p);
		cmd_error("manage: %s: %s: what was there before stays",
			  m->o->config, strerror(-r));
		return;
	}
	m->scan_ns = 0;
	fprintf(stderr, "vxhci: manage: %s: read again, %u rules\n",
		m->o->config, m->p.nrules);
}

static void signal_ready(struct loop_fd *l, short revents)
{
	struct manage *m =
		(void *)((char *)l - offsetof(struct manage, signal));
	struct signalfd_siginfo si;

	(void)revents;
	if (read(l->fd, &si, sizeof(si)) != sizeof(si))
		return;
	if (si.ssi_signo == SIGHUP)
		reload(m);
	else
		loop_stop(m->loop);
}

static int start_signals(struct manage *m)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	m->signal = (struct loop_fd){
		.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
		.events = POLLIN,
		.ready = signal_ready};
	return m->signal.fd < 0 ? -errno : loop_add(m->loop, &m->signal);
}

#ifdef HAVE_LIBUDEV
/* Only that something changed counts; what, the next look tells. */
static void udev_ready(struct loop_fd *l, short revents)
{
	struct manage *m =
		(void *)((char *)l - offsetof(struct manage, udev_fd));
	struct udev_device *d;

	(void)revents;
	while ((d = udev_monitor_receive_device(m->monitor)))
		udev_device_unref(d);
	m->scan_ns = loop_now_ns() + SETTLE_NS;
}

/* "udev": after its rules, and so after the drivers that they load */
static void start_udev(struct manage *m)
{
	m->udev = udev_new();
	if (m->udev)
		m->monitor = udev_monitor_new_from_netlink(m->udev, "udev");
	if (m->monitor &&
	    udev_monitor_filter_add_match_subsystem_devtype(m->monitor, "usb",
							    NULL) >= 0 &&
	    udev_monitor_enable_receiving(m->monitor) >= 0) {
		m->udev_fd =
			(struct loop_fd){.fd = udev_monitor_get_fd(m->monitor),
					 .events = POLLIN,
					 .ready = udev_ready};
		if (loop_add(m->loop, &m->udev_fd) == 0)
			return;
	}
	cmd_error("manage: no word from udev: devices are looked for every 2 "
		  "seconds");
	if (m->monitor)
		udev_monitor_unref(m->monitor);
	m->monitor = NULL;
}

static void stop_udev(struct manage *m)
{
	if (m->monitor)
		udev_monitor_unref(m->monitor);
	if (m->udev)
		udev_unref(m->udev);
}
#else
static void start_udev(struct manage *m)
{
	(void)m;
}

static void stop_udev(struct manage *m)
{
	(void)m;
}
#endif

static int start(struct manage *m)
{
	int r = loop_create(manage_work, m, &m->loop);

	if (r == 0)
		r = start_signals(m);
	for (uint8_t i = 0; r == 0 && i < m->p.nvms; i++) {
		m->vm[i] = manage_vm_new(m, i);
		r = m->vm[i] ? 0 : -ENOMEM;
	}
	if (r < 0)
		return r;
	start_udev(m);
	scan(m);
	connect_vms(m);
	loop_wake(m->loop);
	return 0;
}

int manage_run(const struct manage_opts *o, struct policy *p)
{
	struct manage m = {.o = o,
			   .p = *p,
			   .signal.fd = -1,
			   .rebind_ns = LOOP_NEVER,
			   .connect_ns = LOOP_NEVER};
	int r;

	core_init(&m.core, &manage_core_ops, &m, &m.p);
	r = start(&m);
	if (r == 0) {
		if (o->ready_fd >= 0 && write(o->ready_fd, "\n", 1) == 1 &&
		    o->ready_fd > STDERR_FILENO)
			close(o->ready_fd);
		serve_notify("READY=1");
		r = loop_run(m.loop);
		serve_notify("STOPPING=1");
	}
	/* what VMs have they keep: the next one of us finds it there */
	for (uint8_t i = 0; i < m.p.nvms; i++) {
		if (m.vm[i])
			manage_vm_close(m.vm[i]);
		free(m.vm[i]);
	}
	core_free(&m.core);
	stop_udev(&m);
	if (m.signal.fd >= 0)
		close(m.signal.fd);
	loop_destroy(m.loop);
	policy_free(&m.p);
	if (r < 0)
		cmd_error("manage: %s: free some resources and try again",
			  strerror(-r));
	return r < 0 ? CMD_FAILED : CMD_OK;
}
