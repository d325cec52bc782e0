/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * main.c - the program `vxhci`: which command was meant.
 */
#include <stdio.h>
#include <string.h>

#include "vmm/cmd.h"

static const struct cmd commands[] = {
	{"serve", "serve controllers over vfio-user", cmd_serve},
	{"attach", "put a device into a running controller", cmd_attach},
	{"detach", "take a device out of a running controller", cmd_detach},
	{"status", "show controllers and devices", cmd_status},
	{"monitor", "show what happens to devices", cmd_monitor},
	{"input", "type and point with built-in devices", cmd_input},
	{"media", "change the medium of a built-in disk", cmd_media},
	{"controller-add", "add a controller to a running process",
	 cmd_controller_add},
	{"controller-remove", "and take one away", cmd_controller_remove},
	{"manage", "give devices to VMs by rules", cmd_manage},
	{"import", "read the USB devices of Xen's and libvirt's VMs",
	 cmd_import},
	{"list", "list the host's USB devices", cmd_list},
	{"replay", "run recordings again", cmd_replay},
};
#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct cmd *find_command(const char *name)
{
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

static int unknown_command(const char *name)
{
	const char *names[NCOMMANDS + 1] = {"help"}, *near;

	for (size_t i = 0; i < NCOMMANDS; i++)
		names[i + 1] = commands[i].name;
	near = cmd_nearest(name, names, NCOMMANDS + 1);
	if (near)
		return cmd_error("%s: unknown command: did you mean %s?", name,
				 near);
	return cmd_error("%s: unknown command: see vxhci help",
			 name[0] ? name : "''");
}

static int print_help(void)
{
	printf("usage: vxhci COMMAND [OPTION...]\n\nUSB for virtual machines: "
	       "an emulated xHCI controller.\n\n");
	for (size_t i = 0; i < NCOMMANDS; i++)
		printf("  %-17s %s\n", commands[i].name, commands[i].summary);
	printf("  %-17s %s\n\n", "help", "show this, or the help of a command");
	printf("vxhci COMMAND --help shows a command's options.\n");
	return CMD_OK;
}

static int run_help(int argc, char **argv)
{
	const struct cmd *c;
	char help[] = "--help";
	char *args[2];

	if (argc < 2)
		return print_help();
	c = find_command(argv[1]);
	if (!c)
		return unknown_command(argv[1]);
	args[0] = argv[1];
	args[1] = help;
	return c->run(2, args);
}

int main(int argc, char **argv)
{
	const struct cmd *c;

	if (argc < 2)
		return cmd_error("command: none is given: see vxhci help");
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") ||
	    !strcmp(argv[1], "-h"))
		return run_help(argc - 1, argv + 1);
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("vxhci " VXHCI_VERSION);
		return CMD_OK;
	}
	if (argv[1][0] == '-')
		return cmd_error("%s: unknown option: see vxhci help", argv[1]);
	c = find_command(argv[1]);
	if (!c)
		return unknown_command(argv[1]);
	return c->run(argc - 1, argv + 1);
}
