/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_status.c - vxhci status and vxhci monitor.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/cmd_client.h"
#include "vmm/loop.h"

static const char status_help[] =
	"usage: vxhci status --control PATH [--json]\n"
	"\n"
	"Show controllers, their devices and their states.\n"
	"\n"
	"  --control PATH  the socket of vxhci serve; or in VXHCI_CONTROL\n"
	"  -s, --slot SLOT only this controller\n"
	"  --json          all there is to know, as JSON: see "
	"docs/control.md\n";

static const char monitor_help[] =
	"usage: vxhci monitor --control PATH [--json]\n"
	"\n"
	"Show what happens to devices, as it happens, until interrupted.\n"
	"\n"
	"  --control PATH  the socket of vxhci serve; or in VXHCI_CONTROL\n"
	"  --json          the events themselves, an object a line\n";

static const char *text_of(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s ? s : "";
}

static long long number_of(const json_t *j, const char *key)
{
	return (long long)json_integer_value(json_object_get(j, key));
}

static long long errors_of(const json_t *counters)
{
	long long sum = 0;
	const char *key;
	json_t *v;

	json_object_foreach(json_object_get(counters, "errors"), key, v)
	{
		if (strcmp(key, "cancelled") != 0)
			sum += (long long)json_integer_value(v);
	}
	return sum;
}

static void show_device(const json_t *d)
{
	const json_t *c = json_object_get(d, "counters");
	const json_t *host = json_object_get(d, "host");
	const char *product = text_of(host, "product");
	char port[16] = "-";

	if (number_of(d, "port"))
		snprintf(port, sizeof(port), "%lld", number_of(d, "port"));
	printf("  %-4s #%-3lld %-10s %-28s %-6s %s", port, number_of(d, "id"),
	       text_of(d, "state"), text_of(d, "name"), text_of(d, "speed"),
	       text_of(d, "rule"));
	if (product[0])
		printf("; %s", product);
	printf("\n            %lld transfers, %lld bytes, %lld errors, %lld "
	       "resets\n",
	       number_of(c, "transfers"), number_of(c, "bytes"), errors_of(c),
	       number_of(c, "resets"));
	if (text_of(d, "reason")[0])
		printf("            %s\n", text_of(d, "reason"));
}

static void show_controller(const json_t *c)
{
	const json_t *ports = json_object_get(c, "ports"), *v;
	const json_t *devs = json_object_get(c, "devices");
	unsigned usb2 = 0, usb3 = 0;
	size_t i;

	json_array_foreach(ports, i, v)
	{
		if (strcmp(text_of(v, "protocol"), "usb3") == 0)
			usb3++;
		else
			usb2++;
	}
	printf("%s: %u USB 2 and %u USB 3 ports%s%s\n", text_of(c, "slot"),
	       usb2, usb3, text_of(c, "socket")[0] ? ", " : "",
	       text_of(c, "socket"));
	if (json_array_size(devs))
		printf("  PORT ID   STATE      DEVICE                       "
		       "SPEED  RULE\n");
	json_array_foreach(devs, i, v)
	{
		show_device(v);
	}
}

int cmd_status(int argc, char **argv)
{
	struct client_args a;
	struct client c;
	json_t *args, *ret = NULL, *v;
	size_t i;
	int code = client_args(argc, argv, status_help, "sj", NULL, &a);

	if (code)
		return code < 0 ? CMD_OK : code;
	args = json_object();
	if (a.slot)
		json_object_set_new(args, "slot", json_string(a.slot));
	code = client_open(&c, a.control, a.json);
	if (code)
		json_decref(args);
	else
		code = client_call(&c, "status", args, &ret);
	client_close(&c);
	if (code)
		return code;
	if (a.json) {
		json_dumpf(ret, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		json_array_foreach(json_object_get(ret, "controllers"), i, v)
		{
			show_controller(v);
		}
	}
	json_decref(ret);
	return client_flush("status");
}

static void show_event(const json_t *msg)
{
	const json_t *data = json_object_get(msg, "data");
	const json_t *dev = json_object_get(data, "device");
	const json_t *ts = json_object_get(msg, "timestamp");

	printf("%lld.%06lld %s %s", number_of(ts, "seconds"),
	       number_of(ts, "microseconds"), text_of(msg, "event"),
	       text_of(data, "slot"));
	if (dev) {
		printf(" #%lld %s", number_of(dev, "id"), text_of(dev, "name"));
		if (number_of(dev, "port"))
			printf(" port %lld", number_of(dev, "port"));
		if (text_of(dev, "reason")[0])
			printf(": %s", text_of(dev, "reason"));
		if (json_is_true(json_object_get(data, "unplugged")))
			printf(": unplugged");
	}
	putchar('\n');
}

int cmd_monitor(int argc, char **argv)
{
	struct client_args a;
	struct client c;
	json_t *msg;
	int code = client_args(argc, argv, monitor_help, "j", NULL, &a),
	    err = 0;

	if (code)
		return code < 0 ? CMD_OK : code;
	code = client_open(&c, a.control, a.json);
	while (code == CMD_OK) {
		err = client_next(&c, LOOP_NEVER, &msg);
		if (err < 0)
			break;
		if (a.json)
			client_print(msg);
		else if (json_object_get(msg, "event"))
			show_event(msg);
		json_decref(msg);
		code = client_flush("monitor");
	}
	client_close(&c);
	/* the other side ended: so does this, and there is no more to see */
	if (code == CMD_OK && err == -EPROTO) {
		cmd_error("--control %s: not a control socket of vxhci: name "
			  "that of vxhci serve",
			  a.control);
		code = CMD_FAILED;
	}
	return code;
}
