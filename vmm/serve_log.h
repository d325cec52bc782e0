/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve_log.h - what `vxhci serve` says on standard error while it runs: one
 * line a message, as text or as JSON, not more than so many a second.
 */
#ifndef VMM_SERVE_LOG_H
#define VMM_SERVE_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/vxhci.h"

/* Lines at once and lines a second; the debug level has its own, larger */
#define SERVE_LOG_BURST 40u
#define SERVE_LOG_RATE 10u
#define SERVE_LOG_DEBUG_TIMES 50u

/* What may still be said now: tokens that come back with time. */
struct serve_log_limit {
	uint32_t rate, burst;
	uint32_t tokens;
	uint64_t at_ns;      /* when tokens were last added */
	uint32_t suppressed; /* lines since the last one that was let out */
};

/* The log of one controller. Embedded; its owner's. */
struct serve_log {
	pthread_mutex_t lock;
	int fd;               /* borrowed, where to write */
	enum vxhci_log level; /* the last that is written */
	bool json;
	const char *name; /* borrowed: the controller's slot */
	struct serve_log_limit normal, debug;
};

void serve_log_init(struct serve_log *g, int fd, enum vxhci_log level,
		    bool json, const char *name);
void serve_log_fini(struct serve_log *g);
/*
 * serve_log_line - one line, from any thread. What is not printable in @line
 * (a device's or a guest's doing) comes out as '?'. Fits struct vxhci_ops.log
 * with @g as opaque.
 */
void serve_log_line(void *g, enum vxhci_log level, const char *line);

#endif
