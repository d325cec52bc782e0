/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_controller.c - vxhci controller-add, controller-remove and media: what
 * changes in a running `vxhci serve` beside its devices.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cmd_client.h"

static const char add_help[] =
	"usage: vxhci controller-add --control PATH --socket PATH "
	"-s SLOT,xhci[,OPTION...]\n"
	"\n"
	"Add a controller to a running vxhci serve, as its own options would.\n"
	"\n"
	"  --control PATH  the socket of vxhci serve; or in VXHCI_CONTROL\n"
	"  --socket PATH   the vfio-user socket of the new controller\n"
	"  -s, --slot ...  the controller, as vxhci serve has it\n"
	"  --json          write its slot, or the error, as JSON\n";

static const char remove_help[] =
	"usage: vxhci controller-remove --control PATH -s SLOT\n"
	"\n"
	"Take a controller away, and wait until this host has its devices "
	"again.\n"
	"\n"
	"  --control PATH  the socket of vxhci serve; or in VXHCI_CONTROL\n"
	"  -s, --slot SLOT the controller\n"
	"  --json          write its slot, or the error, as JSON\n";

static const char media_help[] =
	"usage: vxhci media --control PATH --port N FILE | --eject\n"
	"\n"
	"Change the medium of a built-in disk that was given removable.\n"
	"\n"
	"  --control PATH  the socket of vxhci serve; or in VXHCI_CONTROL\n"
	"  -s, --slot SLOT the controller, where there are several\n"
	"  --port N        the disk's port\n"
	"  --unit N        the logical unit, 0 if not given\n"
	"  --eject         put nothing in\n"
	"  --readonly      the guest may not write to it\n"
	"  --force         also if the guest has locked what is there\n"
	"  --json          write an error as JSON\n";

/* One request with @fd, unless it is -1; the answer is shown with --json */
static int ask(const struct client_args *a, const char *command, json_t *args,
	       int fd)
{
	struct client c;
	json_t *ret;
	int code = client_open(&c, a->control, a->json);

	if (code)
		json_decref(args);
	else
		code = client_call_fds(&c, command, args, &fd, fd >= 0, &ret);
	client_close(&c);
	if (code)
		return code;
	if (a->json)
		client_print(ret);
	json_decref(ret);
	return client_flush(command);
}

/* Of a path as this process means it: the other one has another folder. */
static json_t *absolute(const char *path)
{
	char dir[PATH_MAX];

	if (path[0] == '/' || !getcwd(dir, sizeof(dir)))
		return json_string(path);
	return json_sprintf("%s/%s", strcmp(dir, "/") ? dir : "", path);
}

int cmd_controller_add(int argc, char **argv)
{
	struct client_args a;
	int code = client_args(argc, argv, add_help, "sSj", NULL, &a);

	if (code)
		return code < 0 ? CMD_OK : code;
	if (!a.slot || !a.socket)
		return cmd_error("controller-add: %s is missing: see vxhci "
				 "controller-add --help",
				 a.slot ? "--socket PATH" : "-s SLOT,xhci");
	return ask(&a, "controller-add",
		   json_pack("{s:s, s:o}", "slot", a.slot, "socket",
			     absolute(a.socket)),
		   -1);
}

int cmd_controller_remove(int argc, char **argv)
{
	struct client_args a;
	int code = client_args(argc, argv, remove_help, "sj", NULL, &a);

	if (code)
		return code < 0 ? CMD_OK : code;
	if (!a.slot)
		return cmd_error("controller-remove: -s SLOT is missing: see "
				 "vxhci status");
	return ask(&a, "controller-remove", json_pack("{s:s}", "slot", a.slot),
		   -1);
}

int cmd_media(int argc, char **argv)
{
	struct client_args a;
	json_t *args;
	int fd = -1;
	int code =
		client_args(argc, argv, media_help, "spuofej", "the file", &a);

	if (code)
		return code < 0 ? CMD_OK : code;
	if (!a.port)
		return cmd_error("media: --port N is missing: see vxhci "
				 "status");
	if (a.eject && (a.word || a.readonly))
		return cmd_error("media: --eject puts nothing in: leave out "
				 "the file");
	args = json_pack("{s:i, s:i, s:b}", "port", a.port, "unit", a.unit,
			 "force", a.force);
	if (a.slot)
		json_object_set_new(args, "slot", json_string(a.slot));
	if (a.readonly)
		json_object_set_new(args, "readonly", json_true());
	if (a.word)
		json_object_set_new(args, "file", absolute(a.word));
	/* with this command's rights; if it cannot, who is asked says why */
	if (a.word)
		fd = open(a.word, O_CLOEXEC | O_NONBLOCK |
					  (a.readonly ? O_RDONLY : O_RDWR));
	if (fd >= 0)
		json_object_set_new(args, "fd", json_true());
	code = ask(&a, "media", args, fd);
	if (fd >= 0)
		close(fd);
	return code;
}
