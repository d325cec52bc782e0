/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control.h - a control socket: JSON lines in QMP's shape, for whoever has
 * commands to offer. Nothing here knows what the commands do.
 *
 *     {"execute": NAME, "arguments": {...}, "id": ANY}
 *     {"return": ANY, "id": ANY}  {"error": {"class": ..., "desc": ...}, ...}
 *     {"event": NAME, "data": {...}, "timestamp": {...}}
 *
 * Runs in one loop and belongs to its thread. It never waits for a client: what
 * one does not read is kept up to a limit, then it is sent away; requests of a
 * client that does not read its answers are not read either.
 */
#ifndef VMM_CONTROL_H
#define VMM_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/loop.h"

#define CONTROL_MAX_CLIENTS 16u
#define CONTROL_MAX_LINE (256u * 1024)    /* bytes of one request */
#define CONTROL_MAX_UNREAD (1024u * 1024) /* bytes, and the last answer */
#define CONTROL_STALL_NS 10000000000u     /* not a byte read for so long */
#define CONTROL_MAX_FDS 8u                /* that wait for their request */

struct control;      /* opaque; control.c */
struct control_call; /* one request, while its command runs */

/* Classes of errors: what a program may tell apart. */
#define CONTROL_PARSE "ParseError" /* not a request */
#define CONTROL_NO_COMMAND "CommandNotFound"
#define CONTROL_INVALID "InvalidArgument"
#define CONTROL_NOT_FOUND "NotFound"
#define CONTROL_EXISTS "Exists"
#define CONTROL_BUSY "Busy"        /* in use by another */
#define CONTROL_NO_SPACE "NoSpace" /* no port, no room */
#define CONTROL_DENIED "Denied"    /* no permission, or a rule's */
#define CONTROL_UNSUPPORTED "Unsupported"
#define CONTROL_FAILED "Failed" /* anything else */
/* The one for -errno */
const char *control_class(int err);

/* An argument of a command. A list of them ends with .name NULL. */
struct control_arg {
	const char *name;
	json_type type; /* JSON_TRUE: a boolean */
	bool required;
};

struct control_command {
	const char *name;
	/*
	 * Carry it out; @args are checked against .args. Returns the result
	 * (a new reference), or what control_fail() or control_defer()
	 * returned. Must not block.
	 */
	json_t *(*run)(void *host, struct control_call *call, json_t *args);
	const struct control_arg *args; /* NULL: it takes none */
};

/*
 * control_create - answer who connects to @listen_fd (a listening Unix stream
 * socket, non-blocking, borrowed) with the commands of @cmds, which end with
 * .name NULL. Everything is borrowed. Returns 0 or -errno.
 */
int control_create(struct loop *l, int listen_fd,
		   const struct control_command *cmds, void *host,
		   struct control **ret_c);
/* NULL is allowed. */
void control_destroy(struct control *c);
/*
 * control_work - for the loop's work(): what is left from a turn. Returns when
 * to call again, as work() does.
 */
uint64_t control_work(struct control *c);

/*
 * Tell every client. @data is taken; NULL: there was no memory for it, and the
 * clients go, as what they know is not true any more.
 */
void control_event(struct control *c, const char *name, json_t *data);

/*
 * For commands: @item, which is taken, at the end of *@list. Where there is no
 * memory for either *@list is NULL, and stays so: no list is not a shorter one.
 */
void control_append(json_t **list, json_t *item);
/* For commands: the request ends with an error. Returns NULL. */
json_t *control_fail(struct control_call *call, const char *class,
		     const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A descriptor that came with the request, the caller's to close; or -1. */
int control_take_fd(struct control_call *call);
/*
 * control_defer - the answer comes later, with control_finish(), exactly once
 * and before control_destroy(); the client may be gone by then. Returns NULL,
 * and *ret_later, which is NULL when there is no memory.
 */
struct control_later;
json_t *control_defer(struct control_call *call,
		      struct control_later **ret_later);
/* @result is taken; NULL: an error of @class and @desc. @later may be NULL. */
void control_finish(struct control *c, struct control_later *later,
		    json_t *result, const char *class, const char *desc);

#endif
