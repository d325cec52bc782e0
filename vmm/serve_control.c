/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve_control.c - what the control socket of `vxhci serve` offers:
 * docs/control.md. To add a command, write its function and give it a row in
 * serve_commands[].
 */
#include "vmm/serve_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cmd.h"
#include "vmm/embed.h"

/* Is it there, and is .v the main thread's to use? */
static bool ctl_is_up(struct serve_ctl *c)
{
	return !atomic_load(&c->removed) &&
	       (!c->late || atomic_load(&c->made) == SERVE_MADE);
}

static struct serve_ctl *find_slot(struct serve *s, const char *slot)
{
	struct serve_ctl *c = s->ctls;

	while (c && strcmp(c->name, slot) != 0)
		c = c->next;
	return c;
}

struct serve_ctl *serve_find_ctl(struct serve *s, struct control_call *call,
				 json_t *args)
{
	const char *slot = json_string_value(json_object_get(args, "slot"));
	struct serve_ctl *c = slot ? find_slot(s, slot) : NULL;

	if (slot && c && ctl_is_up(c))
		return c;
	if (slot) {
		control_fail(call, CONTROL_NOT_FOUND,
			     "%.64s: no such controller: see status", slot);
		return NULL;
	}
	for (struct serve_ctl *i = s->ctls; i; i = i->next) {
		if (!ctl_is_up(i))
			continue;
		if (c) {
			control_fail(call, CONTROL_INVALID,
				     "slot: there are several controllers: "
				     "name one");
			return NULL;
		}
		c = i;
	}
	if (!c)
		control_fail(call, CONTROL_NOT_FOUND,
			     "slot: there is no controller: add one");
	return c;
}

/* attach, detach, status */

static const struct control_arg attach_args[] = {
	{"device", JSON_STRING, true}, {"slot", JSON_STRING, false},
	{"rule", JSON_STRING, false},  {"fd", JSON_TRUE, false},
	{"fds", JSON_INTEGER, false},  {0},
};

/* Descriptors that came with a request. They are closed with close_fds(). */
struct fds {
	int fd[CONTROL_MAX_FDS];
	unsigned n;
	bool missing;
};

static void take_fds(struct control_call *call, json_t *args, struct fds *f)
{
	json_int_t want = json_integer_value(json_object_get(args, "fds"));

	if (json_is_true(json_object_get(args, "fd")))
		want = 1;
	f->n = 0;
	f->missing = want < 0 || want > (json_int_t)CONTROL_MAX_FDS;
	while (!f->missing && f->n < (unsigned)want) {
		f->fd[f->n] = control_take_fd(call);
		f->missing = f->fd[f->n] < 0;
		f->n += !f->missing;
	}
}

static void close_fds(const struct fds *f)
{
	for (unsigned i = 0; i < f->n; i++)
		close(f->fd[i]);
}

json_t *serve_fail_file(struct serve *s, struct control_call *call, int err,
			const char *line)
{
	return control_fail(call, control_class(err), "%s%s", line,
			    err == -EACCES && s->walled
				    ? "; vxhci serve opens what is in a folder "
				      "of --files, or send it open"
				    : "");
}

/* Only what came with the request is named so, and only by us. */
bool serve_names_fd(struct control_call *call, const char *text)
{
	if (!text || !strstr(text, "/dev/fd/"))
		return false;
	control_fail(call, CONTROL_DENIED,
		     "/dev/fd/: names what is open in here: send the "
		     "descriptor along");
	return true;
}

/* The device with @id as it is now, which may be gone already: null */
static json_t *device_with(struct vxhci *v, unsigned id)
{
	struct vxhci_device *dev = calloc(VXHCI_MAX_DEVICES, sizeof(*dev));
	json_t *found = NULL;
	size_t n;

	if (!dev)
		return NULL;
	n = vxhci_get_devices(v, dev, VXHCI_MAX_DEVICES);
	for (size_t i = 0; i < n && i < VXHCI_MAX_DEVICES && !found; i++)
		if (dev[i].id == id)
			found = serve_json_device(&dev[i]);
	free(dev);
	return found ? found : json_null();
}

static json_t *run_attach(void *host, struct control_call *call, json_t *args)
{
	const char *dev = json_string_value(json_object_get(args, "device"));
	const char *rule = json_string_value(json_object_get(args, "rule"));
	struct serve_ctl *c;
	char line[512] = "";
	unsigned id = 0;
	struct fds f;
	int r;

	take_fds(call, args, &f);
	c = serve_names_fd(call, dev) ? NULL : serve_find_ctl(host, call, args);
	if (!c) {
		close_fds(&f);
		return NULL;
	}
	if (f.missing) {
		close_fds(&f);
		return control_fail(call, CONTROL_INVALID,
				    "%s: no descriptor came with it: hand over "
				    "an open one",
				    dev);
	}
	if (f.n)
		r = embed_attach_fds(c->v, f.fd, f.n, dev, rule, line,
				     sizeof(line), &id);
	else
		r = vxhci_attach(c->v, dev, rule, line, sizeof(line), &id);
	/* a physical device's is taken over */
	if (r < 0 || strncmp(dev, "storage=", 8) == 0)
		close_fds(&f);
	if (r == 0)
		return json_pack("{s:s, s:i, s:o}", "slot", c->name, "id",
				 (int)id, "device", device_with(c->v, id));
	return serve_fail_file(host, call, r, line);
}

static const struct control_arg detach_args[] = {
	{"device", JSON_STRING, false},
	{"port", JSON_INTEGER, false},
	{"id", JSON_INTEGER, false},
	{"slot", JSON_STRING, false},
	{0},
};

static json_t *run_detach(void *host, struct control_call *call, json_t *args)
{
	const json_t *dev = json_object_get(args, "device");
	const json_t *port = json_object_get(args, "port");
	const json_t *id = json_object_get(args, "id");
	char number[32], line[512] = "";
	struct serve_ctl *c;
	int r;

	if ((dev != NULL) + (port != NULL) + (id != NULL) != 1)
		return control_fail(call, CONTROL_INVALID,
				    "device: which is not said: give one of "
				    "device, port and id");
	c = serve_find_ctl(host, call, args);
	if (!c)
		return NULL;
	if (!dev)
		snprintf(number, sizeof(number), "%s%lld", id ? "#" : "",
			 (long long)json_integer_value(id ? id : port));
	r = vxhci_detach(c->v, dev ? json_string_value(dev) : number, line,
			 sizeof(line));
	if (r < 0)
		return control_fail(call, control_class(r), "%s", line);
	return json_pack("{s:s, s:i}", "slot", c->name, "devices", r);
}

static const struct control_arg status_args[] = {
	{"slot", JSON_STRING, false},
	{0},
};

static json_t *run_status(void *host, struct control_call *call, json_t *args)
{
	const json_t *slot = json_object_get(args, "slot");
	struct serve *s = host;
	struct serve_ctl *only = NULL;
	json_t *list;

	if (slot) {
		only = serve_find_ctl(s, call, args);
		if (!only)
			return NULL;
	}
	list = json_array();
	for (struct serve_ctl *c = s->ctls; c; c = c->next)
		if (ctl_is_up(c) && (!only || c == only))
			control_append(&list, serve_json_controller(c));
	return json_pack("{s:s, s:i, s:o}", "version", VXHCI_VERSION, "pid",
			 (int)getpid(), "controllers", list);
}

/* controller-add, controller-remove */

static const struct control_arg add_args[] = {
	{"slot", JSON_STRING, true},
	{"socket", JSON_STRING, true},
	{0},
};

static json_t *run_add(void *host, struct control_call *call, json_t *args)
{
	const char *slot = json_string_value(json_object_get(args, "slot"));
	const char *path = json_string_value(json_object_get(args, "socket"));
	struct serve *s = host;
	struct serve_ctl *c;
	struct slotopt o;
	char line[512] = "";
	int r;

	if (serve_names_fd(call, slot))
		return NULL;
	r = slotopt_parse(slot, line, sizeof(line), &o);
	if (r < 0)
		return control_fail(call, control_class(r), "%s", line);
	c = find_slot(s, o.slot);
	slotopt_free(&o);
	if (c)
		return control_fail(call, CONTROL_EXISTS,
				    "%s: there is such a controller: choose "
				    "another slot",
				    c->name);
	c = serve_ctl_add(s, slot, path);
	if (!c)
		return NULL;
	c->late = true;
	r = serve_socket_listen(&c->sock, c->path, line, sizeof(line));
	if (r < 0) {
		serve_ctl_free(c);
		return control_fail(call, control_class(r), "%s", line);
	}
	control_defer(call, &c->later);
	r = c->later ? serve_ctl_run(c) : -ENOMEM;
	if (r < 0) {
		control_finish(s->control, c->later, NULL, CONTROL_FAILED,
			       "controller-add: no thread: try again");
		serve_ctl_free(c);
	}
	return NULL;
}

static const struct control_arg remove_args[] = {
	{"slot", JSON_STRING, true},
	{0},
};

static json_t *run_remove(void *host, struct control_call *call, json_t *args)
{
	struct serve_ctl *c = serve_find_ctl(host, call, args);

	if (!c)
		return NULL;
	control_defer(call, &c->later);
	if (c->later)
		serve_ctl_stop(c);
	return NULL;
}

static const struct control_command serve_commands[] = {
	{"attach", run_attach, attach_args},
	{"detach", run_detach, detach_args},
	{"input", serve_run_input, serve_input_args},
	{"media", serve_run_media, serve_media_args},
	{"status", run_status, status_args},
	{"list", serve_run_list, NULL},
	{"controller-add", run_add, add_args},
	{"controller-remove", run_remove, remove_args},
	{0},
};

/* It is there, or it is not to be: who asked is told. */
static void ctl_made(struct serve *s, struct serve_ctl *c)
{
	json_t *data = NULL;

	if (c->err == 0) {
		if (s->pcap && vxhci_pcap_add(s->pcap, c->v) != 0)
			serve_log_line(&c->log, VXHCI_LOG_WARN,
				       "is not in the capture: it is full");
		data = json_pack("{s:s}", "slot", c->name);
		control_event(s->control, "CONTROLLER_ADDED",
			      json_incref(data));
	}
	control_finish(s->control, c->later, data, control_class(c->err),
		       c->line);
	c->later = NULL;
	c->told = true;
}

static void look_at_ctl(struct serve *s, struct serve_ctl *c)
{
	bool removed = atomic_load(&c->removed);
	bool ended = atomic_load(&c->ended);

	/* of one that failed with its end: then its slot is free, too */
	if (c->late && !c->told &&
	    (ended || atomic_load(&c->made) == SERVE_MADE))
		ctl_made(s, c);
	if (!ended)
		return;
	if (c->err && !c->late) {
		loop_stop(s->loop);
		return;
	}
	if (removed) {
		json_t *data = json_pack("{s:s}", "slot", c->name);

		control_event(s->control, "CONTROLLER_REMOVED",
			      json_incref(data));
		control_finish(s->control, c->later, data, CONTROL_FAILED,
			       "out of memory: try again");
		c->later = NULL;
	}
	serve_ctl_free(c);
}

uint64_t serve_control_work(void *arg)
{
	struct serve *s = arg;
	struct serve_ctl *next;

	serve_list_work(s);
	serve_events_tell(s);
	for (struct serve_ctl *c = s->ctls; c; c = next) {
		next = c->next;
		look_at_ctl(s, c);
	}
	return s->control ? control_work(s->control) : LOOP_NEVER;
}

int serve_control_open(struct serve *s)
{
	char line[512] = "--control ";
	size_t n = strlen(line);
	int err = 0;

	if (s->o->control)
		err = serve_socket_listen(&s->control_sock, s->o->control,
					  line + n, sizeof(line) - n);
	else if (s->o->control_fd >= 0)
		err = serve_socket_adopt(&s->control_sock, s->o->control_fd,
					 line + n, sizeof(line) - n);
	return err ? serve_refused(line) : CMD_OK;
}

int serve_control_start(struct serve *s)
{
	int err;

	if (s->control_sock.fd < 0)
		return CMD_OK;
	err = control_create(s->loop, s->control_sock.fd, serve_commands, s,
			     &s->control);
	return err ? serve_failed("--control", err) : CMD_OK;
}

void serve_control_end(struct serve *s)
{
	serve_list_end(s);
	control_destroy(s->control);
	s->control = NULL;
	serve_socket_close(&s->control_sock);
	serve_events_drop(s);
}
