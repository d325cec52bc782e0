/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manage_impl.h - between manage.c (start, end, when to do what) and
 * manage_talk.c (what the core wants of VMs and the host, what VMs say). Nobody
 * else's business.
 */
#ifndef VMM_MANAGE_IMPL_H
#define VMM_MANAGE_IMPL_H

#include "vmm/manage.h"
#include "vmm/manage_core.h"
#include "vmm/manage_host.h"
#include "vmm/manage_vm.h"

#define REBIND_TRIES 100u
#define MAX_REBINDS 64u

/* A device whose VM died: its interfaces are let go before long */
struct rebind {
	struct watcher_note note;
	unsigned tries; /* left; 0: unused */
};

struct udev;
struct udev_monitor;

struct manage {
	const struct manage_opts *o; /* borrowed */
	struct policy p;
	struct core core;
	struct manage_vm *vm[POLICY_MAX_VMS]; /* owned; by place in p.vms */
	struct loop *loop;
	struct loop_fd signal, udev_fd;
	struct udev *udev;            /* owned; NULL where there is none */
	struct udev_monitor *monitor; /* owned; the same */
	struct rebind rebind[MAX_REBINDS];
	uint64_t scan_ns, connect_ns, rebind_ns; /* when; LOOP_NEVER */
};

struct managed_vm {
	struct manage_vm vm; /* first */
	struct manage *m;
	uint8_t place;
};

extern const struct core_ops manage_core_ops;
/* A VM of m->p.vms, not connected. NULL: no memory */
struct manage_vm *manage_vm_new(struct manage *m, uint8_t place);

#endif
