/* SPDX-License-Identifier: BSD-2-Clause */
/* serve_enter.c - which walls `vxhci serve` can stand behind: serve_walls.h. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hostusb/watcher.h"
#include "vmm/cmd.h"
#include "vmm/embed.h"
#include "vmm/pcap_opt.h"
#include "vmm/serve_impl.h"
#include "vmm/slotopt.h"

static bool has_control(const struct serve *s)
{
	return s->o->control || s->o->control_fd >= 0;
}

/* The physical devices that the options name */
static void read_policy(const struct serve *s, struct watcher_policy *p)
{
	struct slotopt o;

	p->any = has_control(s);
	for (unsigned i = 0; i < s->o->npairs; i++) {
		/* one that is wrong is told of later */
		if (slotopt_parse(s->o->pairs[i].slot, NULL, 0, &o) != 0)
			continue;
		for (unsigned k = 0; k < o.ndevs; k++)
			if (slot_dev_is_physical(&o.dev[k]) &&
			    p->n < WATCHER_MAX_RULES)
				embed_match(&o.dev[k], &p->allowed[p->n++]);
		slotopt_free(&o);
	}
}

int serve_share_start(struct serve *s)
{
	struct watcher_policy *p = calloc(1, sizeof(*p));
	int err = p ? 0 : -ENOMEM;

	if (p)
		read_policy(s, p);
	s->devices = p && (p->any || p->n);
	if (s->devices && s->o->sandbox != WALLS_OFF)
		err = hostusb_share_create(p, &s->share);
	free(p);
	return err ? serve_failed("fork", err) : CMD_OK;
}

/* The folders that stay in reach, with their paths */
struct folders {
	struct wall_folder *list; /* owned; its paths, too */
	unsigned n;
};

/* @file's folder, or @file itself; false: no memory */
static bool add_folder(struct folders *f, const char *file, bool itself,
		       enum wall_folder_use may)
{
	char *path = strdup(file), *slash = path ? strrchr(path, '/') : NULL;

	if (!path)
		return false;
	if (!itself && slash)
		slash[slash == path] = '\0';
	else if (!itself)
		strcpy(path, ".");
	f->list[f->n].path = path;
	f->list[f->n++].may = may;
	return true;
}

/* A capture that goes on in a next file */
static bool add_capture(const struct serve *s, struct folders *f)
{
	struct pcap_opt o;
	char err[8];
	bool ok = true;

	if (!s->o->pcap || pcap_opt_parse(s->o->pcap, err, sizeof(err), &o))
		return true;
	if (o.size)
		ok = add_folder(f, o.file, false, FOLDER_CAPTURES);
	pcap_opt_free(&o);
	return ok;
}

static bool add_folders(const struct serve *s, struct folders *f)
{
	bool ok;

	f->list = calloc(s->o->npairs + s->o->nfiles + 2, sizeof(*f->list));
	ok = f->list && add_capture(s, f);
	for (unsigned i = 0; ok && i < s->o->nfiles; i++)
		ok = add_folder(f, s->o->files[i], true, FOLDER_FILES);
	if (ok && s->o->control)
		ok = add_folder(f, s->o->control, false, FOLDER_SOCKETS);
	for (unsigned i = 0; ok && has_control(s) && i < s->o->npairs; i++)
		if (s->o->pairs[i].socket)
			ok = add_folder(f, s->o->pairs[i].socket, false,
					FOLDER_SOCKETS);
	return ok;
}

static void free_folders(struct folders *f)
{
	while (f->n > 0)
		free((void *)(uintptr_t)f->list[--f->n].path);
	free(f->list);
}

static void sockets_remove(void *arg)
{
	struct serve *s = arg;

	for (struct serve_ctl *c = s->ctls; c; c = c->next)
		serve_socket_close(&c->sock);
	serve_socket_close(&s->control_sock);
}

static void say(struct serve *s, const struct walls_opts *o,
		const struct walls *w)
{
	bool holes = !w->stands[WALL_SECCOMP] || !w->stands[WALL_LANDLOCK];
	char text[512], line[600];

	walls_text(w, text, sizeof(text));
	snprintf(line, sizeof(line), "walls: %s", text);
	serve_log_line(&s->log,
		       o->mode == WALLS_ON && holes ? VXHCI_LOG_WARN
						    : VXHCI_LOG_INFO,
		       line);
}

static int walls_start(struct serve *s, const struct folders *f)
{
	const struct walls_opts o = {
		.mode = s->o->sandbox,
		.user = s->o->user,
		.control = has_control(s),
		.devices = s->devices,
		.notify = getenv("NOTIFY_SOCKET") != NULL,
		.folders = f->list,
		.nfolders = f->n,
	};
	char line[600];
	struct walls w;
	int err = 0;

	if (o.mode != WALLS_OFF || o.user)
		err = walls_cleaner_start(sockets_remove, s, &s->cleaner);
	if (err)
		return serve_failed("fork", err);
	err = walls_raise(&o, &w, line, sizeof(line));
	if (err)
		return serve_refused(line);
	s->walled = w.stands[WALL_LANDLOCK];
	say(s, &o, &w);
	return 0;
}

int serve_walls_start(struct serve *s)
{
	struct folders f = {0};
	int code = add_folders(s, &f) ? walls_start(s, &f)
				      : serve_failed("--sandbox", -ENOMEM);

	free_folders(&f);
	return code;
}
