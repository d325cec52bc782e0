/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_manage.c - vxhci manage: its command line, --check and --explain.
 */
#include "vmm/cmd.h"

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/embed.h"
#include "vmm/manage.h"
#include "vmm/manage_conf.h"
#include "vmm/manage_host.h"

enum {
	OPT_CONFIG = 1,
	OPT_CHECK,
	OPT_EXPLAIN,
	OPT_READY_FD,
	OPT_JSON,
	OPT_VERBOSE,
	OPT_HELP,
	OPT_VERSION
};

static const struct cmd_opt manage_opts[] = {
	{"config", 0, 1, OPT_CONFIG},
	{"check", 0, 0, OPT_CHECK},
	{"explain", 0, 1, OPT_EXPLAIN},
	{"ready-fd", 0, 1, OPT_READY_FD},
	{"json", 0, 0, OPT_JSON},
	{"verbose", 'v', 0, OPT_VERBOSE},
	{"help", 'h', 0, OPT_HELP},
	{"version", 'V', 0, OPT_VERSION},
	{0},
};

static const char manage_help[] =
	"usage: vxhci manage --config FILE [--check | --explain DEVICE]\n"
	"\n"
	"Give this host's USB devices to virtual machines, by rules.\n"
	"\n"
	"  --config FILE     VMs and rules, in JSON: see docs/manage.md\n"
	"  --check           see whether the file is right, and sockets can be "
	"where it\n"
	"                    says, and exit\n"
	"  --explain DEVICE  say what would become of a device that is there, "
	"and why:\n"
	"                    bus=1,port=2.3 or id=046d:c077\n"
	"  --json            say it as JSON\n"
	"  --ready-fd N      write a newline to descriptor N at the start\n"
	"  -v                say too what is left to the host\n"
	"\n"
	"SIGHUP reads the file again. VMs keep what they have when this "
	"ends.\n";

struct asked {
	struct manage_opts o;
	const char *explain;
	bool check, json;
};

static int set_fd(struct asked *a, const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (end == text || *end || n < 0 || n > 1 << 20 ||
	    fcntl((int)n, F_GETFD) < 0)
		return cmd_error("--ready-fd %s: not open: give the number of "
				 "a descriptor open for writing",
				 text);
	a->o.ready_fd = (int)n;
	return CMD_OK;
}

/* CMD_OK, CMD_USAGE, or -1: help was given */
static int read_options(int argc, char **argv, struct asked *a)
{
	struct cmd_args c = {
		.argc = argc, .argv = argv, .opts = manage_opts, .i = 1};
	int id, code = CMD_OK;

	while (!code && (id = cmd_next_opt(&c)) != 0) {
		switch (id) {
		case OPT_CONFIG:
			a->o.config = c.value;
			break;
		case OPT_CHECK:
			a->check = true;
			break;
		case OPT_EXPLAIN:
			a->explain = c.value;
			break;
		case OPT_READY_FD:
			code = set_fd(a, c.value);
			break;
		case OPT_JSON:
			a->json = true;
			break;
		case OPT_VERBOSE:
			a->o.verbose = true;
			break;
		case OPT_HELP:
			fputs(manage_help, stdout);
			return -1;
		case OPT_VERSION:
			puts("vxhci " VXHCI_VERSION);
			return -1;
		default:
			code = CMD_USAGE;
		}
	}
	if (!code && a->json && !a->explain)
		code = cmd_error("--json: is for --explain: leave it out");
	if (!code && !a->o.config)
		code = cmd_error("manage: no rules are given: add --config "
				 "FILE");
	return code;
}

static void print_vms(const struct policy *p, const struct policy_rule *r)
{
	for (unsigned i = 0; i < r->nvms; i++)
		printf("%s%s", i ? ", else to " : " to ",
		       p->vms[r->vm[i]].name);
}

static void explain_one(const struct policy *p, const struct policy_dev *d)
{
	struct policy_decision k;
	char name[32];

	policy_decide(p, d, &k);
	printf("%s %04x:%04x%s%s: %s",
	       usb_path_name(&d->info, name, sizeof(name)), d->info.vid,
	       d->info.pid, d->info.product[0] ? " " : "", d->info.product,
	       policy_action_name(k.action));
	if (k.action == POLICY_GIVE)
		print_vms(p, k.rule);
	printf("\n    %s%s%s\n", k.rule ? "by rule: " : "no rule matches it",
	       k.rule ? k.rule->name : "", k.why ? ", but: " : "");
	if (k.why)
		printf("    %s\n", k.why);
	for (unsigned i = 0; i < p->nrules; i++)
		if (&p->rules[i] != k.rule &&
		    policy_matches(&p->rules[i].match, d))
			printf("    matches too: %s (priority %d, %s)\n",
			       p->rules[i].name, p->rules[i].priority,
			       policy_action_name(p->rules[i].action));
}

static json_t *text_or_null(const char *s)
{
	return s ? json_string(s) : json_null();
}

/* The same for programs: docs/control.schema.json */
static json_t *explain_json(const struct policy *p, const struct policy_dev *d)
{
	json_t *vms = json_array(), *others = json_array();
	struct policy_decision k;
	char name[32], id[16];

	policy_decide(p, d, &k);
	for (unsigned i = 0; k.action == POLICY_GIVE && i < k.rule->nvms; i++)
		json_array_append_new(vms,
				      json_string(p->vms[k.rule->vm[i]].name));
	for (unsigned i = 0; i < p->nrules; i++)
		if (&p->rules[i] != k.rule &&
		    policy_matches(&p->rules[i].match, d))
			json_array_append_new(others,
					      json_string(p->rules[i].name));
	snprintf(id, sizeof(id), "%04x:%04x", d->info.vid, d->info.pid);
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o}", "name",
			 usb_path_name(&d->info, name, sizeof(name)), "id", id,
			 "action", policy_action_name(k.action), "vms", vms,
			 "rule", text_or_null(k.rule ? k.rule->name : NULL),
			 "why", text_or_null(k.why), "other-rules", others);
}

static int explain(const struct policy *p, const char *text, bool json)
{
	const struct slotopt of = {.usb2 = 15, .usb3 = 15};
	struct policy_dev *list;
	struct usb_match m = {0};
	char err[512] = "";
	struct slotopt o;
	size_t n, found = 0;
	json_t *all;

	if (slotopt_parse_device(text, &of, err, sizeof(err), &o) < 0)
		return cmd_error("--explain %s", err);
	if (!slot_dev_is_physical(&o.dev[0])) {
		slotopt_free(&o);
		return cmd_error("--explain %s: not a device of the host: "
				 "write bus=1,port=2.3 or id=046d:c077",
				 text);
	}
	embed_match(&o.dev[0], &m);
	slotopt_free(&o);
	if (host_devices(&list, &n, err, sizeof(err)) < 0) {
		cmd_error("manage: %s", err);
		return CMD_FAILED;
	}
	all = json_array();
	for (size_t i = 0; i < n; i++) {
		if (!usb_match_info(&m, &list[i].info))
			continue;
		if (json)
			json_array_append_new(all, explain_json(p, &list[i]));
		else
			explain_one(p, &list[i]);
		found++;
	}
	free(list);
	if (json) {
		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(all);
	if (found)
		return CMD_OK;
	cmd_error("--explain %s: no such device is there: see vxhci list",
		  text);
	return CMD_FAILED;
}

int cmd_manage(int argc, char **argv)
{
	struct asked a = {.o.ready_fd = -1};
	struct policy p;
	char err[512] = "";
	int code = read_options(argc, argv, &a);

	if (code)
		return code < 0 ? CMD_OK : code;
	if ((a.check ? conf_check : conf_load)(a.o.config, err, sizeof(err),
					       &p) < 0)
		return cmd_error("%s", err);
	if (!a.check && !a.explain)
		return manage_run(&a.o, &p);
	if (a.check)
		printf("%s: %u VMs, %u rules\n", a.o.config, p.nvms, p.nrules);
	if (a.explain)
		code = explain(&p, a.explain, a.json);
	policy_free(&p);
	return code;
}
