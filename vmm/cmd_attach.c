/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_attach.c - vxhci attach, vxhci detach: ask, and wait for what becomes of
 * it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cmd_client.h"
#include "vmm/loop.h"
#include "vmm/slotopt.h"

_Static_assert(CLIENT_MAX_FDS >= SLOTOPT_MAX_LUNS, "room for all files");

#define WAIT_NS 15000000000u /* a reset, and the drivers' binding */

static const char attach_help[] =
	"usage: vxhci attach --control PATH DEVICE[,at=PORT]\n"
	"\n"
	"Put a device into a running controller, and wait until it is in its "
	"port.\n"
	"DEVICE is as in a slot option: bus=1,port=2.3 or id=046d:c077 or\n"
	"storage=FILE. One that is not there is attached when it appears.\n"
	"\n"
	"  --control PATH  the socket of vxhci serve; or in VXHCI_CONTROL\n"
	"  -s, --slot SLOT the controller, where there are several\n"
	"  --rule TEXT     what status says the device is there for\n"
	"  --no-wait       do not wait\n"
	"  --json          write what became of the device as JSON\n";

static const char detach_help[] =
	"usage: vxhci detach --control PATH PORT|DEVICE\n"
	"\n"
	"Take a device out of a running controller, and wait until this host "
	"has it\nagain. DEVICE is as it was attached, or #ID as status shows "
	"it.\n"
	"\n"
	"  --control PATH  the socket of vxhci serve; or in VXHCI_CONTROL\n"
	"  -s, --slot SLOT the controller, where there are several\n"
	"  --no-wait       do not wait\n"
	"  --json          write what became of it as JSON\n";

static const char *text_of(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static json_t *make_args(const struct client_args *a)
{
	json_t *args = json_object();

	if (a->slot)
		json_object_set_new(args, "slot", json_string(a->slot));
	return args;
}

/* What an event says of the device @id of @slot; NULL: another's */
static json_t *event_for(const json_t *msg, const char *slot, json_int_t id)
{
	const json_t *data = json_object_get(msg, "data");
	json_t *dev = json_object_get(data, "device");

	if (!dev || strcmp(text_of(data, "slot"), slot) != 0)
		return NULL;
	return json_integer_value(json_object_get(dev, "id")) == id ? dev
								    : NULL;
}

/* Wait until the device is attached or will not be. 0 and it in *dev */
static int wait_attached(struct client *c, const char *slot, json_int_t id,
			 json_t **dev)
{
	uint64_t until_ns = loop_now_ns() + WAIT_NS;
	json_t *msg, *now;

	while (strcmp(text_of(*dev, "state"), "attaching") == 0) {
		int err = client_next(c, until_ns, &msg);

		if (err < 0) {
			cmd_error("attach: no word of it: see vxhci status");
			return CMD_FAILED;
		}
		now = event_for(msg, slot, id);
		if (now) {
			json_incref(now);
			json_decref(*dev);
			*dev = now;
		}
		json_decref(msg);
	}
	return CMD_OK;
}

static int say_attached(const json_t *dev, bool json)
{
	const char *state = text_of(dev, "state");

	if (json)
		client_print(dev);
	if (strcmp(state, "attached") == 0) {
		if (!json)
			printf("%s: in port %d\n", text_of(dev, "name"),
			       (int)json_integer_value(
				       json_object_get(dev, "port")));
		return client_flush("attach");
	}
	if (strcmp(state, "waiting") == 0 || strcmp(state, "attaching") == 0) {
		if (!json)
			printf("%s: %s\n", text_of(dev, "name"),
			       state[0] == 'w' ? "not there yet: attached "
						 "when it appears"
					       : "on its way");
		return client_flush("attach");
	}
	client_flush("attach");
	cmd_error("%s: %s", text_of(dev, "name"), text_of(dev, "reason"));
	return CMD_FAILED;
}

static int open_image(const char *file, bool readonly)
{
	return open(file,
		    O_CLOEXEC | O_NONBLOCK | (readonly ? O_RDONLY : O_RDWR));
}

/*
 * The files of a disk, with this command's rights: vxhci serve has none to
 * files any more. Where one cannot be opened, or the text is wrong, none is:
 * who is asked says why.
 */
static unsigned open_images(const char *text, int fds[CLIENT_MAX_FDS])
{
	const struct slotopt of = {.usb2 = 15, .usb3 = 15};
	unsigned n = 0;
	struct slotopt o;
	bool all;

	if (slotopt_parse_device(text, &of, NULL, 0, &o) < 0)
		return 0;
	all = o.dev[0].kind == SLOT_STORAGE;
	if (all) {
		fds[0] = open_image(o.dev[0].file, o.dev[0].readonly);
		all = fds[0] >= 0;
		n = all;
	}
	for (unsigned i = 0; all && i < o.dev[0].nluns; i++) {
		fds[n] = open_image(o.dev[0].lun[i].file,
				    o.dev[0].lun[i].readonly);
		all = fds[n] >= 0;
		n += all;
	}
	slotopt_free(&o);
	while (!all && n > 0)
		close(fds[--n]);
	return n;
}

/* Ask for it. 0 and what came back, or the exit code */
static int ask(struct client *c, const struct client_args *a, json_t **ret)
{
	json_t *args = make_args(a);
	int fds[CLIENT_MAX_FDS], code = client_open(c, a->control, a->json);
	unsigned n = code ? 0 : open_images(a->word, fds);

	json_object_set_new(args, "device", json_string(a->word));
	if (a->rule)
		json_object_set_new(args, "rule", json_string(a->rule));
	if (n > 0)
		json_object_set_new(args, "fds", json_integer(n));
	if (code)
		json_decref(args);
	else
		code = client_call_fds(c, "attach", args, fds, n, ret);
	while (n > 0)
		close(fds[--n]);
	return code;
}

int cmd_attach(int argc, char **argv)
{
	struct client_args a;
	struct client c;
	json_t *ret, *dev;
	int code =
		client_args(argc, argv, attach_help, "srjw", "the device", &a);

	if (code)
		return code < 0 ? CMD_OK : code;
	code = ask(&c, &a, &ret);
	if (code == 0) {
		dev = json_incref(json_object_get(ret, "device"));
		if (!a.no_wait)
			code = wait_attached(
				&c, text_of(ret, "slot"),
				json_integer_value(json_object_get(ret, "id")),
				&dev);
		if (code == 0)
			code = say_attached(dev, a.json);
		json_decref(dev);
		json_decref(ret);
	}
	client_close(&c);
	return code;
}

/* Devices that left by themselves meanwhile are not counted. */
static int wait_detached(struct client *c, const char *slot, json_int_t n)
{
	uint64_t until_ns = loop_now_ns() + WAIT_NS;
	json_t *msg;

	while (n > 0) {
		const json_t *data;
		int err = client_next(c, until_ns, &msg);

		if (err < 0) {
			cmd_error("detach: it is not given back yet: see vxhci "
				  "status");
			return CMD_FAILED;
		}
		data = json_object_get(msg, "data");
		if (strcmp(text_of(msg, "event"), "DEVICE_DETACHED") == 0 &&
		    strcmp(text_of(data, "slot"), slot) == 0 &&
		    !json_is_true(json_object_get(data, "unplugged")))
			n--;
		json_decref(msg);
	}
	return CMD_OK;
}

/* "5" is a port, "#7" an id, anything else names the device. */
static void add_which(json_t *args, const char *word)
{
	const char *digits = word + (word[0] == '#');

	if (digits[0] && strspn(digits, "0123456789") == strlen(digits) &&
	    strlen(digits) < 10)
		json_object_set_new(args, word[0] == '#' ? "id" : "port",
				    json_integer(atol(digits)));
	else
		json_object_set_new(args, "device", json_string(word));
}

int cmd_detach(int argc, char **argv)
{
	struct client_args a;
	struct client c;
	json_t *args, *ret;
	json_int_t n;
	int code = client_args(argc, argv, detach_help, "sjw",
			       "the port or device", &a);

	if (code)
		return code < 0 ? CMD_OK : code;
	args = make_args(&a);
	add_which(args, a.word);
	code = client_open(&c, a.control, a.json);
	if (code)
		json_decref(args);
	else
		code = client_call(&c, "detach", args, &ret);
	if (code == 0) {
		n = json_integer_value(json_object_get(ret, "devices"));
		if (!a.no_wait)
			code = wait_detached(&c, text_of(ret, "slot"), n);
		if (code == 0 && a.json)
			client_print(ret);
		json_decref(ret);
		if (code == 0)
			code = client_flush("detach");
	}
	client_close(&c);
	return code;
}
