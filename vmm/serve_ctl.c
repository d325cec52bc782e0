/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve_ctl.c - one controller that is served, in a thread of its own.
 */
#include "vmm/serve_impl.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/embed.h"

#define LINGER_NS 300000u

/* struct vxhci_ops, with struct serve_ctl as opaque */
static void ctl_msix(void *opaque, unsigned vector)
{
	struct serve_ctl *c = opaque;

	vfu_irq_raise(&c->dev.irq, vector);
}

static void ctl_wake(void *opaque)
{
	struct serve_ctl *c = opaque;

	loop_wake(c->loop);
}

static void ctl_log(void *opaque, enum vxhci_log level, const char *line)
{
	struct serve_ctl *c = opaque;

	serve_log_line(&c->log, level, line);
}

static void ctl_mem_released(void *opaque, void *cookie)
{
	struct serve_ctl *c = opaque;

	vfu_dma_released(&c->dev.dma, cookie);
}

static void ctl_fd_ready(void *arg)
{
	struct serve_ctl *c = arg;

	vxhci_fd_ready(c->v);
}

static void ctl_fd_watch(void *opaque, int fd, short events)
{
	struct serve_ctl *c = opaque;

	if (!loop_fds_watch(&c->fds, fd, events))
		serve_log_line(&c->log, VXHCI_LOG_ERROR,
			       "too many USB devices: one is not listened to");
}

static void ctl_event(void *opaque, enum vxhci_event event,
		      const struct vxhci_device *d)
{
	serve_event_add(opaque, event, d);
}

/*
 * Not called, as clients keep the vectors of MSI too (vxhci_msix_external()): it
 * says that there may be some.
 */
static void ctl_msi(void *opaque, uint64_t addr, uint32_t data)
{
	(void)opaque;
	(void)addr;
	(void)data;
}

static const struct vxhci_ops ctl_ops = {
	.msix = ctl_msix,
	.msi = ctl_msi,
	.wake = ctl_wake,
	.log = ctl_log,
	.mem_released = ctl_mem_released,
	.fd_watch = ctl_fd_watch,
	.event = ctl_event,
};

static uint64_t ctl_work(void *arg)
{
	struct serve_ctl *c = arg;

	loop_fds_apply(&c->fds);
	return vfu_server_work(c->server);
}

/*
 * After a message, look for the next one, at most this long (loop_linger());
 * with one processor that would only keep the client from sending it.
 */
static uint64_t linger_ns(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) < 2)
		return 0;
	return LINGER_NS;
}

struct serve_ctl *serve_ctl_add(struct serve *s, const char *slot,
				const char *path)
{
	struct serve_ctl *c = calloc(1, sizeof(*c)), **end = &s->ctls;

	if (!c)
		return NULL;
	c->s = s;
	c->sock.fd = -1;
	snprintf(c->name, sizeof(c->name), "%.*s", (int)strcspn(slot, ","),
		 slot);
	c->slot = strdup(slot);
	c->path = path ? strdup(path) : NULL;
	if (!c->slot || (path && !c->path)) {
		free(c->slot);
		free(c->path);
		free(c);
		return NULL;
	}
	while (*end)
		end = &(*end)->next;
	*end = c;
	return c;
}

int serve_ctl_make(struct serve_ctl *c)
{
	struct serve *s = c->s;
	int err;

	c->line[0] = '\0';
	err = loop_create(ctl_work, c, &c->loop);
	if (err)
		return err;
	loop_linger(c->loop, linger_ns());
	err = loop_fds_init(&c->fds, c->loop, ctl_fd_ready, c);
	if (err)
		return err;
	vfu_dev_init(&c->dev, NULL);
	/* nothing is guest's doing before there is a guest */
	serve_log_init(&c->log, STDERR_FILENO, s->o->level, s->o->log_json,
		       c->name);
	c->inited = true;
	err = embed_create(c->slot, &ctl_ops, c, s->record, s->share, c->line,
			   sizeof(c->line), &c->v);
	if (err == -ENOMEM || err == -EAGAIN)
		c->line[0] = '\0';
	if (err)
		return err;
	c->dev.v = c->v;
	c->dev.log = serve_log_line;
	c->dev.log_arg = &c->log;
	return vfu_server_create(c->loop, &c->dev, c->sock.fd, &c->server);
}

static void ctl_take_down(struct serve_ctl *c)
{
	vfu_server_destroy(c->server);
	c->server = NULL;
	serve_socket_close(&c->sock);
	vxhci_destroy(c->v);
	c->v = NULL;
}

static void *ctl_thread(void *arg)
{
	struct serve_ctl *c = arg;

	if (c->late) {
		int err = serve_ctl_make(c);

		if (err && !c->line[0])
			snprintf(c->line, sizeof(c->line), "%s: %s", c->slot,
				 strerror(-err));
		c->err = err;
		atomic_store(&c->made, err ? SERVE_NOT_MADE : SERVE_MADE);
		loop_wake(c->s->loop);
		if (err)
			goto out;
	}
	c->err = loop_run(c->loop);
out:
	/* it may wait for devices: nobody else has to */
	if (c->removed || c->v == NULL)
		ctl_take_down(c);
	atomic_store(&c->ended, true);
	loop_wake(c->s->loop);
	return NULL;
}

int serve_ctl_run(struct serve_ctl *c)
{
	int err = pthread_create(&c->thread, NULL, ctl_thread, c);

	c->started = err == 0;
	return -err;
}

void serve_ctl_stop(struct serve_ctl *c)
{
	atomic_store(&c->removed, true);
	if (c->started && (!c->late || atomic_load(&c->made) == SERVE_MADE))
		loop_stop(c->loop);
}

void serve_ctl_join(struct serve_ctl *c)
{
	if (c->started)
		pthread_join(c->thread, NULL);
	c->started = false;
}

void serve_ctl_free(struct serve_ctl *c)
{
	struct serve_ctl **at = &c->s->ctls;

	serve_ctl_join(c);
	ctl_take_down(c); /* what is left, if anything */
	if (c->inited) {
		loop_fds_fini(&c->fds);
		serve_log_fini(&c->log);
	}
	loop_destroy(c->loop);
	while (*at != c)
		at = &(*at)->next;
	*at = c->next;
	free(c->slot);
	free(c->path);
	free(c);
}
