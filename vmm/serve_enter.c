/* SPDX-License-Identifier: BSD-2-Clause */
/* serve_enter.c - which walls `vxhci serve` can stand behind: serve_walls.h. */
#include <errno.h>
#include <limits.h>
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

/* The folder of a capture that goes on in a next file, or NULL */
static const char *capture_folder(const struct serve *s, char *buf, size_t len)
{
	struct pcap_opt o;
	const char *dir = NULL;
	char *slash;

	if (!s->o->pcap || pcap_opt_parse(s->o->pcap, buf, len, &o) != 0)
		return NULL;
	if (o.size) {
		snprintf(buf, len, "%s", o.file);
		slash = strrchr(buf, '/');
		if (slash)
			slash[slash == buf] = '\0';
		dir = slash ? buf : ".";
	}
	pcap_opt_free(&o);
	return dir;
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
	bool holes = !w->stands[WALL_SECCOMP] ||
		     (!w->stands[WALL_LANDLOCK] && !o->control);
	char text[512], line[600];

	walls_text(w, text, sizeof(text));
	snprintf(line, sizeof(line), "walls: %s", text);
	serve_log_line(&s->log,
		       o->mode == WALLS_ON && holes ? VXHCI_LOG_WARN
						    : VXHCI_LOG_INFO,
		       line);
}

int serve_walls_start(struct serve *s)
{
	char buf[PATH_MAX], line[600];
	const char *folder = capture_folder(s, buf, sizeof(buf));
	const struct walls_opts o = {
		.mode = s->o->sandbox,
		.user = s->o->user,
		.control = s->control_sock.fd >= 0,
		.devices = s->devices,
		.notify = getenv("NOTIFY_SOCKET") != NULL,
		.folders = &folder,
		.nfolders = folder != NULL,
	};
	struct walls w;
	int err = 0;

	if (o.mode != WALLS_OFF || o.user)
		err = walls_cleaner_start(sockets_remove, s, &s->cleaner);
	if (err)
		return serve_failed("fork", err);
	err = walls_raise(&o, &w, line, sizeof(line));
	if (err)
		return serve_refused(line);
	say(s, &o, &w);
	return 0;
}
