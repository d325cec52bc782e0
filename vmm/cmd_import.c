/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cmd_import.c - vxhci import: what VMs of Xen's and libvirt's have of USB, as
 * the file of `vxhci manage`, or as `vxhci serve` command lines.
 */
#include "vmm/cmd_import.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostusb/discover.h"
#include "vmm/cmd_client.h"

#define MAX_BYTES (4u * 1024 * 1024)
#define MAX_FILES 64u
#define FIRST_SLOT 30u

static const char import_help[] =
	"usage: vxhci import [--serve] FILE...\n"
	"\n"
	"Read the USB devices of VMs: usbctrl and usbdev of an xl.cfg, or "
	"<hostdev\n"
	"type='usb'> of a libvirt domain, and write them as the file of vxhci "
	"manage.\n"
	"FILE - is standard input.\n"
	"\n"
	"  --serve    write a vxhci serve command line for each VM instead\n"
	"\n"
	"Where a file names a device by its address, which changes at each "
	"replug, it\n"
	"is looked up among the devices of this host, and written as its "
	"port.\n";

int import_fail(struct import *i, const char *fmt, ...)
{
	char what[300];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(i->err, i->errlen, "%s:%u: %s", i->file, i->line, what);
	return -EINVAL;
}

bool import_number(const char *s, unsigned max, unsigned *ret)
{
	bool hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X');
	const char *digits = hex ? s + 2 : s;
	unsigned long n;

	if (!*digits || strlen(digits) > 8 ||
	    strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789") !=
		    strlen(digits))
		return false;
	n = strtoul(digits, NULL, hex ? 16 : 10);
	if (n > max)
		return false;
	*ret = (unsigned)n;
	return true;
}

struct import_dev *import_add(struct import *i)
{
	struct import_dev *d;

	if (i->vm->ndevs == IMPORT_MAX_DEVS) {
		import_fail(i, "more than %u devices: leave some out",
			    IMPORT_MAX_DEVS);
		return NULL;
	}
	d = &i->vm->dev[i->vm->ndevs++];
	*d = (struct import_dev){.line = i->line};
	return d;
}

/* The whole of it, the caller's to free(); NULL: said */
static char *read_all(const char *file)
{
	FILE *f = strcmp(file, "-") ? fopen(file, "re") : stdin;
	char *buf = f ? malloc(MAX_BYTES + 1) : NULL;
	size_t n;

	if (!buf) {
		cmd_error("import: %s: %s: see whether it is there", file,
			  strerror(errno));
		if (f && f != stdin)
			fclose(f);
		return NULL;
	}
	n = fread(buf, 1, MAX_BYTES + 1, f);
	if (ferror(f) || n > MAX_BYTES || memchr(buf, 0, n)) {
		cmd_error("import: %s: %s: name another", file,
			  n > MAX_BYTES ? "too long" : "cannot be read");
		free(buf);
		buf = NULL;
	} else {
		buf[n] = '\0';
	}
	if (f != stdin)
		fclose(f);
	return buf;
}

/* "/etc/xen/web.cfg" -> "web", for a VM that has no name */
static void name_of_file(const char *file, char *to, size_t len)
{
	const char *base = strrchr(file, '/');

	base = base ? base + 1 : file;
	snprintf(to, len, "%.*s",
		 (int)(strcspn(base, ".") < len ? strcspn(base, ".") : len - 1),
		 base);
	if (!to[0] || strcmp(to, "-") == 0)
		snprintf(to, len, "vm");
}

static int read_vm(const char *file, struct import_vm *vm)
{
	char err[512] = "", *text = read_all(file);
	struct import i = {.file = file,
			   .p = text,
			   .line = 1,
			   .err = err,
			   .errlen = sizeof(err),
			   .vm = vm};
	int r;

	if (!text)
		return CMD_USAGE;
	r = text[strspn(text, " \t\r\n")] == '<' ? import_libvirt(&i)
						 : import_xen(&i);
	free(text);
	if (r < 0)
		return cmd_error("%s", err);
	if (!vm->name[0])
		name_of_file(file, vm->name, sizeof(vm->name));
	for (char *c = vm->name; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == '/' || *c == 0x7f)
			*c = '-';
	for (unsigned n = 0; n < vm->ndevs; n++) {
		struct import_ctl *c = &vm->ctl[vm->dev[n].controller];

		if (!c->there)
			*c = (struct import_ctl){true, 8, 8};
	}
	return CMD_OK;
}

/* What is known here of the device at that address; NULL: it is not there */
static const struct usb_info *look_up(const struct discover_entry *list,
				      size_t n, const struct import_dev *d)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].info.bus == d->bus && list[i].info.addr == d->addr)
			return &list[i].info;
	return NULL;
}

/* Addresses become ports, and a fast device's place one of the USB 3 ports. */
static int resolve(const char *file, struct import_vm *vm)
{
	struct discover_entry *list = NULL;
	char err[256] = "", name[32];
	int code = CMD_OK;
	size_t n = 0;

	if (discover_list(&list, &n, err, sizeof(err)) < 0)
		n = 0;
	for (unsigned i = 0; code == CMD_OK && i < vm->ndevs; i++) {
		struct import_dev *d = &vm->dev[i];
		const struct usb_info *k = d->addr ? look_up(list, n, d) : NULL;

		if (d->port[0] || !d->addr)
			continue;
		if (!k && d->has_id) {
			d->bus = 0; /* its id names it, too */
		} else if (!k) {
			cmd_error("%s:%u: bus %u, address %u: no such device "
				  "is here now, and addresses change: name it "
				  "by its id or port",
				  file, d->line, d->bus, d->addr);
			code = CMD_FAILED;
		} else {
			usb_path_name(k, name, sizeof(name));
			snprintf(d->port, sizeof(d->port), "%s",
				 strchr(name, '-') + 1);
			if (d->at && k->speed >= USB_SPEED_SUPER &&
			    vm->ctl[d->controller].usb3)
				d->at += vm->ctl[d->controller].usb2;
		}
		d->addr = 0;
	}
	free(list);
	return code;
}

static unsigned count_ctls(const struct import_vm *vm)
{
	unsigned n = 0;

	for (unsigned c = 0; c < IMPORT_MAX_CTLS; c++)
		n += vm->ctl[c].there;
	return n;
}

/* What `vxhci manage` calls a controller of the VM */
static void vm_name(const struct import_vm *vm, unsigned ctl, char *buf,
		    size_t len)
{
	if (count_ctls(vm) > 1)
		snprintf(buf, len, "%.50s.%u", vm->name, ctl);
	else
		snprintf(buf, len, "%s", vm->name);
}

static json_t *match_of(const struct import_dev *d)
{
	json_t *m = json_object();

	if (d->bus)
		json_object_set_new(m, "bus", json_integer(d->bus));
	if (d->port[0])
		json_object_set_new(m, "port", json_string(d->port));
	if (d->has_id)
		json_object_set_new(m, "id",
				    json_sprintf("%04x:%04x", d->vid, d->pid));
	return m;
}

static int add_vm(json_t *vms, json_t *rules, const char *file,
		  const struct import_vm *vm)
{
	char name[64];

	for (unsigned c = 0; c < IMPORT_MAX_CTLS; c++) {
		json_t *v;

		if (!vm->ctl[c].there)
			continue;
		vm_name(vm, c, name, sizeof(name));
		v = json_pack("{s:o}", "control",
			      json_sprintf("/run/vxhci/%s.ctl", vm->name));
		if (count_ctls(vm) > 1)
			json_object_set_new(v, "slot",
					    json_sprintf("%u", FIRST_SLOT + c));
		if (!v || json_object_get(vms, name)) {
			json_decref(v);
			return cmd_error("%s: %s: a second VM of this name: "
					 "rename one",
					 file, name);
		}
		json_object_set_new(vms, name, v);
	}
	for (unsigned n = 0; n < vm->ndevs; n++) {
		const struct import_dev *d = &vm->dev[n];
		json_t *r;

		vm_name(vm, d->controller, name, sizeof(name));
		r = json_pack("{s:o, s:o, s:s}", "name",
			      json_sprintf("%.40s, device %u", vm->name, n + 1),
			      "match", match_of(d), "give", name);
		/* who names a port means that device, whatever its id */
		if (d->port[0])
			json_object_set_new(r, "priority", json_integer(1));
		if (d->at)
			json_object_set_new(r, "at", json_integer(d->at));
		if (json_array_append_new(rules, r) != 0)
			return cmd_error("%s: not UTF-8: write it so", file);
	}
	return CMD_OK;
}

/* As /bin/sh has it: in quotes, if it has to be */
static void print_word(const char *s)
{
	if (strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		      "0123456789/._-,=:") == strlen(s)) {
		fputs(s, stdout);
		return;
	}
	putchar('\'');
	for (; *s; s++)
		*s == '\'' ? (void)fputs("'\\''", stdout) : (void)putchar(*s);
	putchar('\'');
}

static void print_dev(const struct import_dev *d)
{
	if (d->port[0])
		printf(",bus=%u,port=%s", d->bus, d->port);
	else if (d->has_id)
		printf(",id=%04x:%04x", d->vid, d->pid);
	else
		printf(",bus=%u,devaddr=%u", d->bus, d->addr);
	if (d->at)
		printf(",at=%u", d->at);
}

static void print_serve(const struct import_vm *vm)
{
	char path[128];

	snprintf(path, sizeof(path), "/run/vxhci/%s.ctl", vm->name);
	fputs("vxhci serve --control ", stdout);
	print_word(path);
	for (unsigned c = 0; c < IMPORT_MAX_CTLS; c++) {
		const char *reset = NULL;

		if (!vm->ctl[c].there)
			continue;
		snprintf(path, sizeof(path), "/run/vxhci/%s.%u.sock", vm->name,
			 c);
		fputs(" --socket ", stdout);
		print_word(path);
		printf(" -s %u,xhci,usb2=%u,usb3=%u", FIRST_SLOT + c,
		       vm->ctl[c].usb2, vm->ctl[c].usb3);
		for (unsigned n = 0; n < vm->ndevs; n++) {
			if (vm->dev[n].controller != c)
				continue;
			print_dev(&vm->dev[n]);
			reset = vm->dev[n].reset ? vm->dev[n].reset : reset;
		}
		if (reset)
			printf(",reset=%s", reset);
	}
	putchar('\n');
}

/* What is lost on the way */
static void notes(const char *file, const struct import_vm *vm, bool serve)
{
	bool must = false, reset = false;

	for (unsigned n = 0; n < vm->ndevs; n++) {
		must |= vm->dev[n].policy != IMPORT_OPTIONAL;
		reset |= vm->dev[n].reset != NULL;
	}
	if (must)
		cmd_error("%s: startupPolicy: as if optional: a VM starts "
			  "without a device that is missing, and gets it when "
			  "it appears",
			  file);
	if (reset && !serve)
		cmd_error("%s: guestReset: is an option of vxhci serve: see "
			  "--serve",
			  file);
}

/* Options; the files stay, in order, at the front of @argv. CMD_OK, … or -1 */
static int read_options(int argc, char **argv, bool *serve, int *nfiles)
{
	static const struct cmd_opt opts[] = {{"serve", 0, 0, 1},
					      {"help", 'h', 0, 2},
					      {"version", 'V', 0, 3},
					      {0}};
	struct cmd_args a = {.argc = argc, .argv = argv, .opts = opts, .i = 1};

	*nfiles = 0;
	while (a.i < argc || a.letter) {
		int id;

		if (!a.letter && (argv[a.i][0] != '-' || !argv[a.i][1])) {
			argv[(*nfiles)++] = argv[a.i++];
			continue;
		}
		id = cmd_next_opt(&a);
		if (id == 1) {
			*serve = true;
		} else if (id == 2) {
			fputs(import_help, stdout);
			return -1;
		} else if (id == 3) {
			puts("vxhci " VXHCI_VERSION);
			return -1;
		} else {
			return CMD_USAGE;
		}
	}
	if (*nfiles == 0)
		return cmd_error("import: no file is given: see vxhci import "
				 "--help");
	return *nfiles > (int)MAX_FILES
		       ? cmd_error("import: more than %u files: name fewer",
				   MAX_FILES)
		       : CMD_OK;
}

int cmd_import(int argc, char **argv)
{
	json_t *vms = json_object(), *rules = json_array();
	struct import_vm *vm = calloc(1, sizeof(*vm));
	bool serve = false;
	int n, code = read_options(argc, argv, &serve, &n);

	for (int i = 0; code == CMD_OK && i < n; i++) {
		*vm = (struct import_vm){0};
		code = read_vm(argv[i], vm);
		if (code == CMD_OK && !serve)
			code = resolve(argv[i], vm);
		if (code == CMD_OK && serve)
			print_serve(vm);
		else if (code == CMD_OK)
			code = add_vm(vms, rules, argv[i], vm);
		if (code == CMD_OK)
			notes(argv[i], vm, serve);
	}
	if (code == CMD_OK && !serve) {
		json_t *all =
			json_pack("{s:O, s:O}", "vms", vms, "rules", rules);

		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(all);
	}
	json_decref(vms);
	json_decref(rules);
	free(vm);
	return code < 0 ? CMD_OK : code ? code : client_flush("import");
}
