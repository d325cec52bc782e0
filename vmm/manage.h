/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * manage.h - `vxhci manage` once its command line is understood.
 */
#ifndef VMM_MANAGE_H
#define VMM_MANAGE_H

#include <stdbool.h>

#include "vmm/policy.h"

struct manage_opts {
	const char *config; /* borrowed: the file, read again on SIGHUP */
	bool verbose;       /* also what is left to the host */
	int ready_fd;       /* -1: none */
};

/*
 * manage_run - until SIGTERM or SIGINT; @p is taken. What VMs have then they
 * keep. Returns the exit code. The main thread, once in a process.
 */
int manage_run(const struct manage_opts *o, struct policy *p);

#endif
