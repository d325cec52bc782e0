/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_input.c - vxhci input: what a person would do with a keyboard, a mouse or
 * a tablet.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmm/cmd_client.h"
#include "vmm/vxhci.h"

#define BATCH 256u /* events a request */
#define RETRY_NS 20000000
#define RETRIES 3000u /* without one event taken: a minute */
#define KEYS_AT_ONCE 8u

enum { OPT_CONTROL = 1, OPT_SLOT, OPT_PORT, OPT_HELP };

static const struct cmd_opt opts[] = {
	{"control", 0, true, OPT_CONTROL},
	{"slot", 's', true, OPT_SLOT},
	{"port", 0, true, OPT_PORT},
	{"help", 'h', false, OPT_HELP},
	{0},
};

static const char help[] =
	"usage: vxhci input --control PATH EVENT...\n"
	"\n"
	"Type and point with a built-in keyboard, mouse or tablet. Waits while "
	"the\nguest is slow.\n"
	"\n"
	"  key=a           press and release it; also leftctrl+leftalt+delete\n"
	"  key-down=a, key-up=a\n"
	"  button=left     click: left, right, middle, side or extra\n"
	"  button-down=left, button-up=left\n"
	"  abs=X,Y         the tablet's place, 0 to 32767\n"
	"  rel=X,Y         the mouse's way to the right and down\n"
	"  wheel=UP[,RIGHT]\n"
	"  -               read events from standard input, separated by "
	"spaces\n"
	"\n"
	"  --control PATH  the socket of vxhci serve; or in VXHCI_CONTROL\n"
	"  -s, --slot SLOT the controller, where there are several\n"
	"  --port N        the device's port, where there are several\n";

struct input {
	struct client client;
	const char *control, *slot, *port;
	json_t *events; /* owned: not yet sent */
	bool deaf;      /* the guest did not listen */
};

static json_t *make_args(const struct input *in)
{
	json_t *args = json_pack("{s:O}", "events", in->events);

	if (in->slot)
		json_object_set_new(args, "slot", json_string(in->slot));
	if (in->port)
		json_object_set_new(args, "port", json_integer(atoi(in->port)));
	return args;
}

/* All that was gathered, in as many requests as it takes */
static int flush(struct input *in)
{
	const struct timespec wait = {.tv_nsec = RETRY_NS};
	unsigned tries = 0;

	while (json_array_size(in->events) > 0) {
		json_t *res = NULL;
		json_int_t taken;
		int code =
			client_call(&in->client, "input", make_args(in), &res);

		if (code != CMD_OK)
			return code;
		taken = json_integer_value(json_object_get(res, "taken"));
		in->deaf = json_is_false(json_object_get(res, "listening"));
		json_decref(res);
		for (json_int_t i = 0; i < taken; i++)
			json_array_remove(in->events, 0);
		tries = taken > 0 ? 0 : tries + 1;
		if (tries > RETRIES) {
			cmd_error("input: the guest takes no more events: see "
				  "what it does");
			return CMD_FAILED;
		}
		if (json_array_size(in->events) > 0)
			nanosleep(&wait, NULL);
	}
	return CMD_OK;
}

static int bad_event(const char *word)
{
	return cmd_error("input: %s: no such event: see vxhci input --help",
			 word);
}

static void add(struct input *in, json_t *ev)
{
	json_array_append_new(in->events, ev);
}

static void add_switch(struct input *in, const char *type, const char *name,
		       bool down)
{
	add(in, json_pack("{s:s, s:s, s:b}", "type", type, type, name, "down",
			  down));
}

/* NAME[+NAME...]: down in this order, up in the other */
static int add_click(struct input *in, const char *type, char *names, int how)
{
	char *name[KEYS_AT_ONCE];
	unsigned n = 0;

	for (char *p = strtok(names, "+"); p; p = strtok(NULL, "+")) {
		if (n == KEYS_AT_ONCE ||
		    (strcmp(type, "key") == 0 && vxhci_key_usage(p) == 0))
			return cmd_error("input: %s: no such key: see "
					 "vxhci(8)",
					 p);
		name[n++] = p;
	}
	for (unsigned i = 0; how >= 0 && i < n; i++)
		add_switch(in, type, name[i], true);
	for (unsigned i = n; how <= 0 && i > 0; i--)
		add_switch(in, type, name[i - 1], false);
	return n > 0 ? CMD_OK : bad_event(type);
}

static int add_pair(struct input *in, const char *type, const char *a,
		    const char *b, const char *text)
{
	int x = 0, y = 0, n = 0;

	if ((sscanf(text, "%d,%d%n", &x, &y, &n) != 2 || text[n]) &&
	    (sscanf(text, "%d%n", &x, &n) != 1 || text[n] ||
	     strcmp(type, "wheel") != 0))
		return bad_event(text);
	add(in, json_pack("{s:s, s:i, s:i}", "type", type, a, x, b, y));
	return CMD_OK;
}

static int add_word(struct input *in, char *word)
{
	static const struct {
		const char *name, *type;
		int how; /* 1 down, -1 up, 0 both */
	} switches[] = {
		{"key", "key", 0},
		{"key-down", "key", 1},
		{"key-up", "key", -1},
		{"button", "button", 0},
		{"button-down", "button", 1},
		{"button-up", "button", -1},
	};
	char *val = strchr(word, '=');

	if (!val)
		return bad_event(word);
	*val++ = '\0';
	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++)
		if (strcmp(word, switches[i].name) == 0)
			return add_click(in, switches[i].type, val,
					 switches[i].how);
	if (strcmp(word, "abs") == 0 || strcmp(word, "rel") == 0)
		return add_pair(in, word, "x", "y", val);
	if (strcmp(word, "wheel") == 0)
		return add_pair(in, word, "up", "right", val);
	return bad_event(word);
}

static int take_word(struct input *in, char *word)
{
	int code = add_word(in, word);

	if (code == CMD_OK && json_array_size(in->events) >= BATCH)
		code = flush(in);
	return code;
}

static int take_stdin(struct input *in)
{
	int code = CMD_OK;
	char word[256];

	while (code == CMD_OK && scanf("%255s", word) == 1)
		code = take_word(in, word);
	return code;
}

/* Options before events. CMD_OK, CMD_USAGE, or -1: help was shown */
static int read_options(struct cmd_args *a, struct input *in)
{
	while (a->i < a->argc && a->argv[a->i][0] == '-' &&
	       a->argv[a->i][1] != '\0') {
		switch (cmd_next_opt(a)) {
		case OPT_CONTROL:
			in->control = a->value;
			break;
		case OPT_SLOT:
			in->slot = a->value;
			break;
		case OPT_PORT:
			in->port = a->value;
			break;
		case OPT_HELP:
			fputs(help, stdout);
			return -1;
		default:
			return CMD_USAGE;
		}
	}
	if (!in->control)
		return cmd_error("input: no control socket is named: add "
				 "--control PATH");
	if (a->i == a->argc)
		return cmd_error("input: no event is given: see vxhci input "
				 "--help");
	return CMD_OK;
}

int cmd_input(int argc, char **argv)
{
	struct cmd_args a = {.argc = argc, .argv = argv, .opts = opts, .i = 1};
	struct input in = {.control = getenv("VXHCI_CONTROL")};
	int code = read_options(&a, &in);

	if (code != CMD_OK)
		return code < 0 ? CMD_OK : code;
	in.events = json_array();
	code = client_open(&in.client, in.control, false);
	for (; code == CMD_OK && a.i < argc; a.i++)
		code = strcmp(argv[a.i], "-") == 0 ? take_stdin(&in)
						   : take_word(&in, argv[a.i]);
	if (code == CMD_OK)
		code = flush(&in);
	if (code == CMD_OK && in.deaf) {
		cmd_error("input: the guest does not use the device: wait "
			  "until it has a driver for it");
		code = CMD_FAILED;
	}
	client_close(&in.client);
	json_decref(in.events);
	return code;
}
