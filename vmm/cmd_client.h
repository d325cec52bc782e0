/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_client.h - commands that are thin clients of a control socket.
 */
#ifndef VMM_CMD_CLIENT_H
#define VMM_CMD_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/cmd.h"

#define CLIENT_MAX_LINE (64u * 1024 * 1024) /* bytes of an answer */

struct client {
	const char *path; /* borrowed */
	int fd;           /* owned */
	bool json;        /* errors go to standard output too, as JSON */
	char *buf;        /* owned: what came and was not taken */
	size_t size, len;
};

/*
 * client_open - connect to the socket at @path. 0, or the exit code with one
 * line said. client_close() in any case.
 */
int client_open(struct client *c, const char *path, bool json);
void client_close(struct client *c);
/*
 * client_next - the next object, for at most until @until_ns (loop_now_ns();
 * LOOP_NEVER). Returns 0 and a reference; -ETIMEDOUT, -ECONNRESET, -EPROTO.
 */
int client_next(struct client *c, uint64_t until_ns, json_t **ret);
/*
 * client_call - carry out @command with @args (taken). Returns 0 and what came
 * back, or the exit code with one line said. Events before it are dropped.
 */
int client_call(struct client *c, const char *command, json_t *args,
		json_t **ret);
/* The same with the descriptors @fds (borrowed) beside it */
int client_call_fds(struct client *c, const char *command, json_t *args,
		    const int *fds, unsigned nfds, json_t **ret);
#define CLIENT_MAX_FDS 8u

/* What these commands have in common on their command lines */
struct client_args {
	const char *control, *slot, *rule;
	const char *word; /* the one argument that is no option, or NULL */
	bool json, no_wait;
	const char *socket;
	int port, unit; /* 0: not given */
	bool readonly, force, eject;
};
/*
 * client_args - read them; the options of @allowed ("srjw": slot, rule, json,
 * no-wait; "S": socket; "puofe": port, unit, readonly, force, eject) and, with
 * @word, one argument, which --eject is in place of. CMD_OK, CMD_USAGE, or -1:
 * help or version was shown.
 */
int client_args(int argc, char **argv, const char *help, const char *allowed,
		const char *word, struct client_args *ret);
/* Standard output took it all: CMD_OK, or CMD_FAILED, said. */
int client_flush(const char *command);
/* One object on standard output, and a newline */
void client_print(const json_t *j);

#endif
