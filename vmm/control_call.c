/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * control_call.c - requests, answers and events of a control socket.
 */
#include "vmm/control_conn.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct control_call {
	struct control_conn *k;
	json_t *id; /* borrowed; NULL: there is none */
	bool deferred;
	const char *class; /* NULL: it did not fail */
	char desc[512];
};

struct control_later {
	uint64_t serial; /* of the connection */
	json_t *id;      /* owned; NULL: there is none */
};

const char *control_class(int err)
{
	switch (err) {
	case -EINVAL:
		return CONTROL_INVALID;
	case -ENOENT:
	case -ENODEV:
		return CONTROL_NOT_FOUND;
	case -EEXIST:
	case -EADDRINUSE:
		return CONTROL_EXISTS;
	case -EBUSY:
	case -EAGAIN:
		return CONTROL_BUSY;
	case -ENOSPC:
		return CONTROL_NO_SPACE;
	case -EACCES:
	case -EPERM:
	case -EROFS:
		return CONTROL_DENIED;
	case -ENOTSUP:
		return CONTROL_UNSUPPORTED;
	default:
		return CONTROL_FAILED;
	}
}

/* Steals @body. */
static void answer(struct control_conn *k, const char *what, json_t *body,
		   json_t *id)
{
	json_t *msg = body ? json_pack("{s:o}", what, body) : NULL;

	if (msg && id && json_object_set(msg, "id", id) != 0) {
		json_decref(msg);
		msg = NULL;
	}
	control_send(k, msg);
	json_decref(msg);
}

/* What came from outside may not be UTF-8, which jansson insists on. */
static json_t *text(const char *s)
{
	char clean[512];
	size_t n = 0;

	for (; s[n] && n < sizeof(clean) - 1; n++)
		clean[n] = s[n] < ' ' || s[n] > '~' ? '?' : s[n];
	clean[n] = '\0';
	return json_string(clean);
}

static void answer_error(struct control_conn *k, const char *class,
			 const char *desc, json_t *id)
{
	answer(k, "error",
	       json_pack("{s:s, s:o}", "class", class, "desc", text(desc)), id);
}

void control_refuse(struct control_conn *k, const char *desc)
{
	answer_error(k, CONTROL_PARSE, desc, NULL);
}

void control_append(json_t **list, json_t *item)
{
	if (*list && json_array_append_new(*list, item) == 0)
		return;
	if (!*list)
		json_decref(item);
	json_decref(*list);
	*list = NULL;
}

json_t *control_fail(struct control_call *call, const char *class,
		     const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(call->desc, sizeof(call->desc), fmt, ap);
	va_end(ap);
	call->class = class;
	return NULL;
}

int control_take_fd(struct control_call *call)
{
	struct control_conn *k = call->k;
	int fd;

	if (k->nfds == 0)
		return -1;
	fd = k->fds[0];
	k->nfds--;
	memmove(&k->fds[0], &k->fds[1], k->nfds * sizeof(k->fds[0]));
	return fd;
}

json_t *control_defer(struct control_call *call,
		      struct control_later **ret_later)
{
	struct control_later *l = malloc(sizeof(*l));

	*ret_later = l;
	if (!l)
		return control_fail(call, CONTROL_FAILED,
				    "out of memory: try again");
	l->serial = call->k->serial;
	l->id = json_incref(call->id);
	call->deferred = true;
	call->k->owed++;
	return NULL;
}

void control_finish(struct control *c, struct control_later *later,
		    json_t *result, const char *class, const char *desc)
{
	struct control_conn *k;

	if (!later) {
		json_decref(result);
		return;
	}
	for (k = c->conns; k && k->serial != later->serial; k = k->next)
		;
	if (k)
		k->owed--;
	if (!k)
		json_decref(result);
	else if (result)
		answer(k, "return", result, later->id);
	else
		answer_error(k, class, desc, later->id);
	json_decref(later->id);
	free(later);
}

void control_event(struct control *c, const char *name, json_t *data)
{
	struct timespec ts;
	json_t *msg;

	clock_gettime(CLOCK_REALTIME, &ts);
	msg = data ? json_pack("{s:s, s:o, s:{s:I, s:I}}", "event", name,
			       "data", data, "timestamp", "seconds",
			       (json_int_t)ts.tv_sec, "microseconds",
			       (json_int_t)(ts.tv_nsec / 1000))
		   : NULL;
	for (struct control_conn *k = c->conns; k; k = k->next)
		control_send(k, msg);
	json_decref(msg);
}

static const char *type_name(json_type type)
{
	switch (type) {
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_TRUE:
	case JSON_FALSE:
		return "true or false";
	case JSON_OBJECT:
		return "an object";
	case JSON_ARRAY:
		return "an array";
	default:
		return "of another type";
	}
}

static bool type_fits(const json_t *v, json_type type)
{
	return type == JSON_TRUE ? json_is_boolean(v) : json_typeof(v) == type;
}

/* Everything that is there is known, everything that is needed is there. */
static bool check_args(struct control_call *call, const char *command,
		       const struct control_arg *list, json_t *args)
{
	static const struct control_arg none;
	const struct control_arg *a;
	const char *key;
	json_t *v;

	if (!list)
		list = &none;
	json_object_foreach(args, key, v)
	{
		for (a = list; a->name && strcmp(a->name, key) != 0; a++)
			;
		if (!a->name)
			control_fail(call, CONTROL_INVALID,
				     "%.64s: no argument of %s: leave it out",
				     key, command);
		else if (!type_fits(v, a->type))
			control_fail(call, CONTROL_INVALID,
				     "%s: is not %s: write one", key,
				     type_name(a->type));
		if (call->class)
			return false;
	}
	for (a = list; a->name; a++)
		if (a->required && !json_object_get(args, a->name))
			control_fail(call, CONTROL_INVALID,
				     "%s: is missing: %s needs it", a->name,
				     command);
	return !call->class;
}

/* Those of every control socket */

static json_t *query_commands(const struct control *c)
{
	json_t *list = json_array();

	for (const struct control_command *m = c->cmds; m->name; m++)
		control_append(&list, json_pack("{s:s}", "name", m->name));
	return list;
}

static json_t *run_command(struct control_call *call, const char *name,
			   json_t *args)
{
	struct control *c = call->k->c;
	const struct control_command *m = c->cmds;

	if (strcmp(name, "query-commands") == 0)
		return query_commands(c);
	if (strcmp(name, "query-version") == 0)
		return json_pack("{s:s}", "vxhci", VXHCI_VERSION);
	while (m->name && strcmp(m->name, name) != 0)
		m++;
	if (!m->name)
		return control_fail(call, CONTROL_NO_COMMAND,
				    "%.64s: no such command: see "
				    "query-commands",
				    name);
	if (!check_args(call, name, m->args, args))
		return NULL;
	return m->run(c->host, call, args);
}

static void run_request(struct control_conn *k, json_t *req)
{
	struct control_call call = {.k = k, .id = json_object_get(req, "id")};
	json_t *args = json_object_get(req, "arguments"), *res = NULL;
	json_t *name = json_object_get(req, "execute");
	const char *key;
	json_t *v;

	json_object_foreach(req, key, v)
	{
		if (v != call.id && v != args && v != name)
			control_fail(&call, CONTROL_INVALID,
				     "%.64s: unknown member: a request has "
				     "execute, arguments and id",
				     key);
	}
	if (!json_is_string(name))
		control_fail(&call, CONTROL_INVALID,
			     "execute: is missing or no string: name the "
			     "command");
	else if (args && !json_is_object(args))
		control_fail(&call, CONTROL_INVALID,
			     "arguments: is no object: write {...}");
	args = args ? json_incref(args) : json_object();
	if (!call.class)
		res = run_command(&call, json_string_value(name), args);
	json_decref(args);
	if (res)
		answer(k, "return", res, call.id);
	else if (!call.deferred)
		answer_error(k, call.class ? call.class : CONTROL_FAILED,
			     call.class ? call.desc
					: "out of memory: try again",
			     call.id);
}

static bool is_blank(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (s[i] != ' ' && s[i] != '\t' && s[i] != '\r')
			return false;
	return true;
}

void control_line(struct control_conn *k, const char *line, size_t len)
{
	json_error_t err;
	char desc[512];
	json_t *req;

	if (is_blank(line, len))
		return;
	req = json_loadb(line, len, JSON_REJECT_DUPLICATES, &err);
	if (json_is_object(req)) {
		run_request(k, req);
	} else if (req) {
		control_refuse(k, "a request is an object: write "
				  "{\"execute\": NAME}");
	} else {
		snprintf(desc, sizeof(desc), "column %d: %.200s", err.column,
			 err.text);
		control_refuse(k, desc);
	}
	json_decref(req);
}
