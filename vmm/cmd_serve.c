/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/cmd.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/serve.h"
#include "vmm/serve_socket.h"

enum {
	OPT_SOCKET = 1,
	OPT_SLOT,
	OPT_READY_FD,
	OPT_PCAP,
	OPT_RECORD,
	OPT_SANDBOX,
	OPT_USER,
	OPT_FILES,
	OPT_VERBOSE,
	OPT_LOG_JSON,
	OPT_HELP,
	OPT_VERSION,
	OPT_CONTROL,
};

static const struct cmd_opt serve_opt_list[] = {
	{"socket", 0, true, OPT_SOCKET},
	{"slot", 's', true, OPT_SLOT},
	{"ready-fd", 0, true, OPT_READY_FD},
	{"control", 0, true, OPT_CONTROL},
	{"pcap", 0, true, OPT_PCAP},
	{"record", 0, true, OPT_RECORD},
	{"sandbox", 0, true, OPT_SANDBOX},
	{"user", 0, true, OPT_USER},
	{"files", 0, true, OPT_FILES},
	{"verbose", 'v', false, OPT_VERBOSE},
	{"log-json", 0, false, OPT_LOG_JSON},
	{"help", 'h', false, OPT_HELP},
	{"version", 'V', false, OPT_VERSION},
	{0},
};

static const char serve_help[] =
	"usage: vxhci serve --socket PATH -s SLOT,xhci[,OPTION...] ...\n"
	"\n"
	"Serve USB controllers over vfio-user until SIGTERM.\n"
	"\n"
	"  --socket PATH   listen there, for the -s at the same place in "
	"order\n"
	"  -s SLOT,xhci[,OPTION...]\n"
	"                  a controller and its devices, for instance\n"
	"                  -s 30,xhci,storage=disk.img\n"
	"  --control PATH  listen there for vxhci attach, detach, status\n"
	"  --ready-fd N    write a newline to descriptor N once all listen\n"
	"  --pcap FILE     capture the USB traffic, for Wireshark; also\n"
	"                  FILE,size=MIB[,files=N]\n"
	"  --record FILE   record what guests do, for vxhci replay\n"
	"  --sandbox on|off|require\n"
	"                  give up rights before serving; require: or fail\n"
	"  --user NAME     become this user, where started as root\n"
	"  --files DIR     files there, too, may be named over --control\n"
	"  -v, -vv         say more on stderr\n"
	"  --log-json      say it as one JSON object a line\n"
	"  --help          show this and exit\n"
	"  --version       show the version and exit\n"
	"\n"
	"The guest's memory must be shared with this process: share=on for\n"
	"QEMU, shared=on for Cloud Hypervisor. See vxhci(8).\n";

/* What is being gathered; the arrays have room for every argument. */
struct gather {
	const char **sockets; /* owned */
	unsigned nsockets;
	struct serve_pair *pairs; /* owned */
	struct serve_opts o;
	unsigned verbose;
};

static int set_ready_fd(struct gather *g, const char *text)
{
	unsigned long n = 0;
	const char *c;

	for (c = text; *c >= '0' && *c <= '9' && n <= INT_MAX; c++)
		n = n * 10 + (unsigned long)(*c - '0');
	if (c == text || *c || n > INT_MAX)
		return cmd_error("--ready-fd %s: not a number: give the number "
				 "of an open descriptor",
				 text);
	if (fcntl((int)n, F_GETFD) < 0)
		return cmd_error("--ready-fd %s: not open: give the number of "
				 "a descriptor open for writing",
				 text);
	g->o.ready_fd = (int)n;
	return CMD_OK;
}

static int set_pcap(struct gather *g, const char *text)
{
	if (g->o.pcap)
		return cmd_error("--pcap %s: given twice: all controllers are "
				 "in one capture",
				 text);
	g->o.pcap = text;
	return CMD_OK;
}

static int set_control(struct gather *g, const char *path)
{
	if (g->o.control)
		return cmd_error("--control %s: given twice: there is one for "
				 "all controllers",
				 path);
	g->o.control = path;
	return CMD_OK;
}

static int set_record(struct gather *g, const char *file)
{
	if (g->o.record)
		return cmd_error("--record %s: given twice: all controllers "
				 "are in one recording",
				 file);
	g->o.record = file;
	return CMD_OK;
}

static int set_sandbox(struct gather *g, const char *text)
{
	static const char *const modes[] = {
		[WALLS_OFF] = "off",
		[WALLS_ON] = "on",
		[WALLS_REQUIRE] = "require",
	};

	for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (!strcmp(text, modes[i])) {
			g->o.sandbox = (enum walls_mode)i;
			return CMD_OK;
		}
	return cmd_error("--sandbox %s: not a mode: write on, off or require",
			 text);
}

static int add_socket(struct gather *g, const char *path)
{
	for (unsigned i = 0; i < g->nsockets; i++)
		if (!strcmp(g->sockets[i], path))
			return cmd_error("--socket %s: given twice: give each "
					 "controller its own",
					 path);
	g->sockets[g->nsockets++] = path;
	return CMD_OK;
}

/* Options in any order. Returns CMD_OK, CMD_USAGE, or -1: help was given */
static int read_options(struct cmd_args *a, struct gather *g)
{
	int id, code = CMD_OK;

	while (!code && (id = cmd_next_opt(a)) != 0) {
		switch (id) {
		case OPT_SOCKET:
			code = add_socket(g, a->value);
			break;
		case OPT_SLOT:
			g->pairs[g->o.npairs++].slot = a->value;
			break;
		case OPT_READY_FD:
			code = set_ready_fd(g, a->value);
			break;
		case OPT_CONTROL:
			code = set_control(g, a->value);
			break;
		case OPT_PCAP:
			code = set_pcap(g, a->value);
			break;
		case OPT_RECORD:
			code = set_record(g, a->value);
			break;
		case OPT_SANDBOX:
			code = set_sandbox(g, a->value);
			break;
		case OPT_USER:
			g->o.user = a->value;
			break;
		case OPT_FILES:
			g->o.files[g->o.nfiles++] = a->value;
			break;
		case OPT_VERBOSE:
			g->verbose++;
			break;
		case OPT_LOG_JSON:
			g->o.log_json = true;
			break;
		case OPT_HELP:
			fputs(serve_help, stdout);
			return -1;
		case OPT_VERSION:
			puts("vxhci " VXHCI_VERSION);
			return -1;
		default:
			code = CMD_USAGE;
		}
	}
	return code;
}

/* Which socket goes with which controller */
static int pair_up(struct gather *g)
{
	unsigned fds = (unsigned)serve_activated_fds();

	if (!g->o.npairs && !g->nsockets && !g->o.control)
		return cmd_error("serve: no controller is given: add "
				 "-s SLOT,xhci[,OPTION...]");
	if (fds && g->nsockets)
		return cmd_error("--socket %s: the service manager passed the "
				 "sockets already: leave --socket out",
				 g->sockets[0]);
	if (fds && fds != g->o.npairs)
		return cmd_error("LISTEN_FDS: %u sockets for %u controllers: "
				 "give one -s for each",
				 fds, g->o.npairs);
	if (!fds && g->nsockets < g->o.npairs)
		return cmd_error("-s %s: has no socket: give one "
				 "--socket PATH for each -s",
				 g->pairs[g->nsockets].slot);
	if (g->nsockets > g->o.npairs)
		return cmd_error("--socket %s: has no controller: give one -s "
				 "for each --socket",
				 g->sockets[g->o.npairs]);
	for (unsigned i = 0; i < g->o.npairs; i++)
		g->pairs[i].socket = fds ? NULL : g->sockets[i];
	return CMD_OK;
}

int cmd_serve(int argc, char **argv)
{
	struct cmd_args a = {
		.argc = argc, .argv = argv, .opts = serve_opt_list, .i = 1};
	struct gather g = {.o = {.ready_fd = -1,
				 .control_fd = -1,
				 .sandbox = WALLS_DEFAULT}};
	int code;

	g.sockets = calloc((size_t)argc, sizeof(*g.sockets));
	g.pairs = calloc((size_t)argc, sizeof(*g.pairs));
	g.o.files = calloc((size_t)argc, sizeof(*g.o.files));
	if (!g.sockets || !g.pairs || !g.o.files) {
		cmd_error("serve: out of memory: try again");
		code = CMD_FAILED;
		goto free_arrays;
	}
	code = read_options(&a, &g);
	if (!code)
		code = pair_up(&g);
	if (code) {
		code = code < 0 ? CMD_OK : code;
		goto free_arrays;
	}
	g.o.pairs = g.pairs;
	g.o.level = g.verbose > 1   ? VXHCI_LOG_DEBUG
		    : g.verbose > 0 ? VXHCI_LOG_INFO
				    : VXHCI_LOG_WARN;
	code = serve_run(&g.o);
free_arrays:
	free(g.sockets);
	free(g.pairs);
	free(g.o.files);
	return code;
}
