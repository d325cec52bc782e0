/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve.h - what `vxhci serve` does once its command line is understood.
 */
#ifndef VMM_SERVE_H
#define VMM_SERVE_H

#include <stdbool.h>

#include "vmm/serve_walls.h"
#include "vmm/vxhci.h"

/* One controller. */
struct serve_pair {
	const char *slot;   /* borrowed: the text after -s */
	const char *socket; /* borrowed; NULL: comes from LISTEN_FDS */
};

struct serve_opts {
	struct serve_pair *pairs; /* borrowed */
	unsigned npairs;          /* 0 only with a control socket */
	const char *control;      /* borrowed: its path; NULL: none */
	int control_fd;           /* or one from LISTEN_FDS; -1 */
	int ready_fd;             /* -1: none */
	const char *pcap;         /* borrowed: the text after --pcap, or NULL */
	const char *record;       /* borrowed: the file of --record, or NULL */
	enum walls_mode sandbox;
	const char *user;   /* borrowed: --user, or NULL */
	const char **files; /* borrowed: folders of --files */
	unsigned nfiles;
	enum vxhci_log level;
	bool log_json;
};

/*
 * serve_run - serve until SIGTERM, SIGINT or SIGHUP, with one thread a
 * controller; the caller's thread handles the signals. Returns the exit code:
 * 0 ended as asked, 1 failed while running, 2 bad configuration (one line is
 * on stderr). The main thread, once in a process.
 */
int serve_run(const struct serve_opts *o);

#endif
