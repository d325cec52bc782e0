/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/cmd_list.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cmd.h"

enum {
	OPT_JSON = 1,
	OPT_HELP,
	OPT_VERSION,
};

static const struct cmd_opt list_opt_list[] = {
	{"json", 0, false, OPT_JSON},
	{"help", 'h', false, OPT_HELP},
	{"version", 'V', false, OPT_VERSION},
	{0},
};

static const char list_help[] =
	"usage: vxhci list [--json]\n"
	"\n"
	"List this host's USB devices, and whether each can be given to a "
	"guest.\n"
	"\n"
	"  --json      a JSON array with an object for each device\n"
	"  --help      show this and exit\n"
	"  --version   show the version and exit\n"
	"\n"
	"A device is named to vxhci serve by its port, -s 30,xhci,bus=1,port=2."
	"3, by\n"
	"its address, bus=1,devaddr=5, or by its id, id=046d:c077,serial=TEXT. "
	"See\n"
	"vxhci(8).\n";

/* What is written could not be: a full disk, a closed pipe */
static int check_output(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return CMD_OK;
	cmd_error("list: cannot write to standard output: see whether its "
		  "disk is full");
	return CMD_FAILED;
}

static int write_list(const struct discover_entry *list, size_t n, bool json)
{
	json_t *array;
	int err;

	if (!json) {
		if (!n)
			cmd_error("list: no USB devices on this host: plug "
				  "one in");
		list_table(stdout, list, n);
		return check_output();
	}
	array = list_json(list, n);
	err = array ? json_dumpf(array, stdout, JSON_INDENT(2)) : -1;
	json_decref(array);
	putchar('\n');
	if (!array) {
		cmd_error("list: out of memory: try again");
		return CMD_FAILED;
	}
	return check_output() || err ? CMD_FAILED : CMD_OK;
}

static int run_list(bool json)
{
	struct discover_entry *list = NULL;
	char err[256] = "";
	size_t n = 0;
	int code;

	if (discover_list(&list, &n, err, sizeof(err)) != 0) {
		cmd_error("list: %s: see whether this process may use USB",
			  err);
		return CMD_FAILED;
	}
	code = write_list(list, n, json);
	free(list);
	return code;
}

int cmd_list(int argc, char **argv)
{
	struct cmd_args a = {
		.argc = argc, .argv = argv, .opts = list_opt_list, .i = 1};
	bool json = false;
	int id;

	while ((id = cmd_next_opt(&a)) != 0) {
		switch (id) {
		case OPT_JSON:
			json = true;
			break;
		case OPT_HELP:
			fputs(list_help, stdout);
			return check_output();
		case OPT_VERSION:
			puts("vxhci " VXHCI_VERSION);
			return check_output();
		default:
			return CMD_USAGE;
		}
	}
	return run_list(json);
}
