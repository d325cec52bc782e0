/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve_input.c - the control socket's commands for built-in devices: input,
 * media-insert, media-eject. docs/control.md.
 */
#include "vmm/serve_impl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static long long int_of(const json_t *ev, const char *key)
{
	return json_integer_value(json_object_get(ev, key));
}

/* Within what an int holds; what is further out is out of range anyway. */
static int number(const json_t *ev, const char *key)
{
	long long n = int_of(ev, key);

	return n > 1000000 ? 1000000 : n < -1000000 ? -1000000 : (int)n;
}

static bool is_down(const json_t *ev)
{
	return json_is_true(json_object_get(ev, "down"));
}

static int send_key(struct vxhci *v, unsigned port, const json_t *ev)
{
	const json_t *key = json_object_get(ev, "key");
	int usage = json_is_string(key)
			    ? (int)vxhci_key_usage(json_string_value(key))
			    : number(ev, "key");

	if (usage <= 0)
		return -EINVAL;
	return vxhci_input_key(v, port, (unsigned)usage, is_down(ev));
}

static int send_button(struct vxhci *v, unsigned port, const json_t *ev)
{
	static const char *const names[] = {
		[VXHCI_BUTTON_LEFT] = "left",
		[VXHCI_BUTTON_RIGHT] = "right",
		[VXHCI_BUTTON_MIDDLE] = "middle",
		[VXHCI_BUTTON_SIDE] = "side",
		[VXHCI_BUTTON_EXTRA] = "extra",
	};
	const char *name = json_string_value(json_object_get(ev, "button"));

	for (int i = 0; name && i <= VXHCI_BUTTON_EXTRA; i++)
		if (strcmp(names[i], name) == 0)
			return vxhci_input_button(v, port, (enum vxhci_button)i,
						  is_down(ev));
	return -EINVAL;
}

static int send_abs(struct vxhci *v, unsigned port, const json_t *ev)
{
	return vxhci_input_abs(v, port, number(ev, "x"), number(ev, "y"));
}

static int send_rel(struct vxhci *v, unsigned port, const json_t *ev)
{
	return vxhci_input_rel(v, port, number(ev, "x"), number(ev, "y"));
}

static int send_wheel(struct vxhci *v, unsigned port, const json_t *ev)
{
	return vxhci_input_wheel(v, port, number(ev, "up"),
				 number(ev, "right"));
}

/* A row a type of event: it is an object with this in "type". */
static const struct input_type {
	const char *name;
	int (*send)(struct vxhci *v, unsigned port, const json_t *ev);
} types[] = {
	{"key", send_key}, {"button", send_button}, {"abs", send_abs},
	{"rel", send_rel}, {"wheel", send_wheel},
};

static int send_event(struct vxhci *v, unsigned port, const json_t *ev)
{
	const char *type = json_string_value(json_object_get(ev, "type"));

	for (size_t i = 0; type && i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, type) == 0)
			return types[i].send(v, port, ev);
	return -EINVAL;
}

const struct control_arg serve_input_args[] = {
	{"events", JSON_ARRAY, true},
	{"slot", JSON_STRING, false},
	{"port", JSON_INTEGER, false},
	{0},
};

static json_t *input_error(struct control_call *call, size_t i, int r)
{
	if (r == -ENODEV)
		return control_fail(call, CONTROL_NOT_FOUND,
				    "event %zu: no such device is there: "
				    "attach one",
				    i);
	return control_fail(call, CONTROL_INVALID,
			    "event %zu: is none that the device knows: see "
			    "docs/control.md",
			    i);
}

/*
 * Events in order, until one has to wait. What was taken is taken, also when a
 * later one is wrong.
 */
json_t *serve_run_input(void *host, struct control_call *call, json_t *args)
{
	json_t *events = json_object_get(args, "events");
	long long port = int_of(args, "port");
	struct serve_ctl *c = serve_find_ctl(host, call, args);
	bool listening = true;
	size_t i;

	if (!c)
		return NULL;
	if (port < 0 || port > XHCI_MAX_PORTS)
		return control_fail(call, CONTROL_INVALID,
				    "port: there is none of this number: see "
				    "status");
	for (i = 0; i < json_array_size(events); i++) {
		int r = send_event(c->v, (unsigned)port,
				   json_array_get(events, i));

		if (r == -EAGAIN)
			break;
		if (r < 0 && r != -ENOTCONN)
			return input_error(call, i, r);
		listening = r == 0;
	}
	return json_pack("{s:I, s:b}", "taken", (json_int_t)i, "listening",
			 listening);
}

const struct control_arg serve_media_args[] = {
	{"port", JSON_INTEGER, true}, {"unit", JSON_INTEGER, false},
	{"slot", JSON_STRING, false}, {"file", JSON_STRING, false},
	{"fd", JSON_TRUE, false},     {"readonly", JSON_TRUE, false},
	{"force", JSON_TRUE, false},  {0},
};

/* With @file that is put in, without it what is there is taken out. */
static json_t *run_media(struct serve_ctl *c, struct control_call *call,
			 json_t *args, const char *file)
{
	bool force = json_is_true(json_object_get(args, "force"));
	bool readonly = json_is_true(json_object_get(args, "readonly"));
	long long port = int_of(args, "port"), unit = int_of(args, "unit");
	char line[512] = "";
	int r;

	if (port < 1 || port > XHCI_MAX_PORTS || unit < 0 || unit > 255)
		return control_fail(call, CONTROL_INVALID,
				    "port: there is no unit of this number: "
				    "see status");
	r = file ? vxhci_media_insert(c->v, (unsigned)port, (unsigned)unit,
				      file, readonly, force, line, sizeof(line))
		 : vxhci_media_eject(c->v, (unsigned)port, (unsigned)unit,
				     force, line, sizeof(line));
	if (r < 0)
		return serve_fail_file(c->s, call, r, line);
	return json_object();
}

json_t *serve_run_media(void *host, struct control_call *call, json_t *args)
{
	const char *file = json_string_value(json_object_get(args, "file"));
	bool with_fd = json_is_true(json_object_get(args, "fd"));
	int fd = with_fd ? control_take_fd(call) : -1;
	struct serve_ctl *c = NULL;
	json_t *ret = NULL;
	char name[32];

	if (!serve_names_fd(call, file))
		c = serve_find_ctl(host, call, args);
	if (c && with_fd && fd < 0)
		control_fail(call, CONTROL_INVALID,
			     "fd: no descriptor came with it: hand over an "
			     "open one");
	else if (c && fd >= 0 && !file)
		control_fail(call, CONTROL_INVALID,
			     "file: is missing: say what the descriptor is of");
	else if (c) {
		snprintf(name, sizeof(name), "/dev/fd/%d", fd);
		ret = run_media(c, call, args, fd >= 0 ? name : file);
	}
	if (fd >= 0)
		close(fd);
	return ret;
}
