/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manage_vm.h - the control socket of one VM's `vxhci serve`, as a client that
 * does not wait.
 */
#ifndef VMM_MANAGE_VM_H
#define VMM_MANAGE_VM_H

#include <jansson.h>

#include "vmm/loop.h"
#include "vmm/policy.h"

struct manage_vm {
	struct loop_fd l;  /* first; .fd -1: not connected */
	struct loop *loop; /* borrowed */
	struct policy_vm conf;
	char slot[32]; /* of its controller, once it told */
	bool synced;   /* it has told what it has */
	bool broken;   /* to be closed: manage.c does */
	int refused;   /* why it could not be reached last, -errno; said */
	char *in;      /* owned */
	size_t size, len;
	/* An object came. */
	void (*message)(struct manage_vm *vm, json_t *msg);
};

/*
 * 0; -EPERM: a process of another user than it has to be; another -errno:
 * nobody is there
 */
int manage_vm_connect(struct manage_vm *vm, struct loop *l);
void manage_vm_close(struct manage_vm *vm);
/*
 * manage_vm_send - @msg (taken), with descriptor @fd unless it is -1. 0, or
 * -errno and the connection is broken.
 */
int manage_vm_send(struct manage_vm *vm, json_t *msg, int fd);

#endif
