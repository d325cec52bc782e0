/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_conn.h - between control.c (bytes) and control_call.c (what they
 * mean). Nobody else's business.
 */
#ifndef VMM_CONTROL_CONN_H
#define VMM_CONTROL_CONN_H

#include "vmm/control.h"

struct control_conn {
	struct loop_fd l;  /* first: what the loop gives back */
	struct control *c; /* borrowed */
	struct control_conn *next;
	uint64_t serial; /* never used again */
	char *in;        /* owned */
	size_t in_size, in_len;
	char *out; /* owned; [out_at, out_len) was not sent yet */
	size_t out_size, out_len, out_at;
	uint64_t moved_ns;        /* when it last read something */
	int fds[CONTROL_MAX_FDS]; /* owned */
	unsigned nfds;
	unsigned owed; /* answers that come later */
	bool eof;      /* it has closed its half */
	bool more;     /* lines are left for the next turn */
	bool dead;     /* freed by control_work() */
};

struct control {
	struct loop_fd l;                   /* the listening socket; first */
	struct loop *loop;                  /* borrowed */
	const struct control_command *cmds; /* borrowed */
	void *host;                         /* borrowed */
	struct control_conn *conns;         /* owned */
	unsigned nconns;
	uint64_t last_serial;
	uint64_t accept_ns; /* when to listen again, 0: it does */
	bool reap;          /* a connection is dead */
};

/* control.c: to the client. @msg NULL: no memory, the client goes. */
void control_send(struct control_conn *k, const json_t *msg);
/* control_call.c: a line of the client's, without the newline. */
void control_line(struct control_conn *k, const char *line, size_t len);
/* It is not to be understood. */
void control_refuse(struct control_conn *k, const char *desc);

#endif
