/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostusb.c - libusb's side of the host: its context, its descriptors, its
 * hot-plug events, and which devices are there.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "hostusb/attach.h"
#include "hostusb/discover.h"
#include "hostusb/watcher.h"

#define LOST_AFTER_NS 5000000000u /* a transfer that was to end has not */
#define DESTROY_POLL_NS 1000000   /* between looks at the worker, 1 ms */

void hostusb_log(struct hostusb *h, enum xhci_log level, const char *fmt, ...)
{
	char line[384];
	va_list ap;

	if (!h->ops->log)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	h->ops->log(h->host, level, line);
}

/* libusb's descriptors */

static void LIBUSB_CALL fd_added(int fd, short events, void *arg)
{
	struct hostusb *h = arg;

	h->ops->fd_watch(h->host, fd, events);
}

static void LIBUSB_CALL fd_removed(int fd, void *arg)
{
	struct hostusb *h = arg;

	h->ops->fd_watch(h->host, fd, 0);
}

/* libusb's own, from its start to its end; a device's are told of later. */
static int watch_fds(struct hostusb *h)
{
	const struct libusb_pollfd **list = libusb_get_pollfds(h->ctx);

	if (!list)
		return LIBUSB_ERROR_NO_MEM;
	for (unsigned i = 0; list[i] && h->nfds < MAX_OWN_FDS; i++) {
		h->fd[h->nfds++] = list[i]->fd;
		h->ops->fd_watch(h->host, list[i]->fd, list[i]->events);
	}
	libusb_free_pollfds(list);
	return 0;
}

static void unwatch_fds(struct hostusb *h)
{
	libusb_set_pollfd_notifiers(h->ctx, NULL, NULL, NULL);
	while (h->nfds)
		h->ops->fd_watch(h->host, h->fd[--h->nfds], 0);
}

/* The devices there are */

struct present *present_add(struct hostusb *h, libusb_device *dev)
{
	struct present *p = calloc(1, sizeof(*p)), **end = &h->present;

	if (!p)
		return NULL;
	p->h = h;
	p->dev = libusb_ref_device(dev);
	while (*end)
		end = &(*end)->next;
	*end = p;
	return p;
}

void present_drop(struct hostusb *h, struct present *p)
{
	struct present **at = &h->present;

	if (!p->left || p->busy || p->seat)
		return;
	while (*at != p)
		at = &(*at)->next;
	*at = p->next;
	libusb_unref_device(p->dev);
	free(p);
}

static void look_done(struct pm_work *w)
{
	struct present *p =
		(struct present *)(void *)((char *)w -
					   offsetof(struct present, work));
	struct hostusb *h = p->h;

	p->busy = false;
	p->known = p->r == 0;
	if (p->known)
		h->scan = true;
	present_drop(h, p);
	if (h->scan)
		h->ops->wake(h->host);
}

static void look_run(struct pm_work *w)
{
	struct present *p =
		(struct present *)(void *)((char *)w -
					   offsetof(struct present, work));

	p->r = discover_info(p->dev, &p->info);
}

/* sysfs may make who reads it wait for a device that is being reset. */
static void look_at(struct hostusb *h, struct present *p, bool now)
{
	p->busy = true;
	p->work.run = look_run;
	p->work.done = look_done;
	if (now || pm_work_submit(h->pm, &p->work) != 0) {
		look_run(&p->work);
		look_done(&p->work);
	}
}

static struct present *present_find(struct hostusb *h, libusb_device *dev)
{
	struct present *p = h->present;

	while (p && (p->dev != dev || p->left))
		p = p->next;
	return p;
}

/* Hot-plug: inside the callback nothing but this may be done. */
static int LIBUSB_CALL on_hotplug(libusb_context *ctx, libusb_device *dev,
				  libusb_hotplug_event event, void *arg)
{
	struct hostusb *h = arg;
	struct hotplug_event *e = malloc(sizeof(*e));

	(void)ctx;
	if (!e) {
		hostusb_log(h, XHCI_LOG_ERROR,
			    "out of memory: a USB hot-plug event is lost");
		return 0;
	}
	e->next = NULL;
	e->dev = libusb_ref_device(dev);
	e->arrived = event == LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED;
	if (h->last_event)
		h->last_event->next = e;
	else
		h->events = e;
	h->last_event = e;
	return 0;
}

static void handle_event(struct hostusb *h, const struct hotplug_event *e,
			 bool now)
{
	struct present *p = present_find(h, e->dev);

	if (!e->arrived) {
		if (p)
			attach_left(h, p);
		return;
	}
	if (p) /* enumerated and announced, both */
		return;
	p = present_add(h, e->dev);
	if (p)
		look_at(h, p, now);
	else
		hostusb_log(h, XHCI_LOG_ERROR,
			    "out of memory: a USB device is not seen");
}

static void handle_events(struct hostusb *h, bool now)
{
	struct hotplug_event *e;

	while ((e = h->events)) {
		h->events = e->next;
		if (!h->events)
			h->last_event = NULL;
		handle_event(h, e, now);
		libusb_unref_device(e->dev);
		free(e);
	}
}

/* A libusb that tells nothing: what is there now is all there will be. */
static int list_once(struct hostusb *h)
{
	libusb_device **list;
	ssize_t n = libusb_get_device_list(h->ctx, &list);

	if (n < 0)
		return (int)n;
	for (ssize_t i = 0; i < n; i++)
		on_hotplug(h->ctx, list[i], LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED,
			   h);
	libusb_free_device_list(list, 1);
	return 0;
}

static int start_hotplug(struct hostusb *h)
{
	int r;

	if (!libusb_has_capability(LIBUSB_CAP_HAS_HOTPLUG))
		return list_once(h);
	r = libusb_hotplug_register_callback(
		h->ctx,
		LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED |
			LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT,
		LIBUSB_HOTPLUG_ENUMERATE, LIBUSB_HOTPLUG_MATCH_ANY,
		LIBUSB_HOTPLUG_MATCH_ANY, LIBUSB_HOTPLUG_MATCH_ANY, on_hotplug,
		h, &h->hotplug);
	h->has_hotplug = r == 0;
	return r == LIBUSB_ERROR_NOT_SUPPORTED ? list_once(h) : r;
}

static void start_watcher(struct hostusb *h, struct hostusb_share *s)
{
	h->shared = s != NULL;
	if (s)
		h->watcher = s->watcher;
	else if (watcher_start(&h->watcher) < 0)
		hostusb_log(h, XHCI_LOG_WARN,
			    "no watcher: after a SIGKILL the host's drivers "
			    "stay away from passed devices");
}

int hostusb_create(struct pmapper *pm, const struct hostusb_host_ops *ops,
		   void *host, const char *owner, char *err, size_t errlen,
		   struct hostusb **ret_h)
{
	return hostusb_create_shared(pm, ops, host, owner, NULL, err, errlen,
				     ret_h);
}

int hostusb_create_shared(struct pmapper *pm,
			  const struct hostusb_host_ops *ops, void *host,
			  const char *owner, struct hostusb_share *s, char *err,
			  size_t errlen, struct hostusb **ret_h)
{
	struct hostusb *h = calloc(1, sizeof(*h));
	int r;

	if (!h) {
		snprintf(err, errlen, "out of memory: try again");
		return -ENOMEM;
	}
	h->pm = pm;
	h->ops = ops;
	h->host = host;
	h->lost_after_ns = LOST_AFTER_NS;
	h->check_in_ns = UINT64_MAX;
	snprintf(h->owner, sizeof(h->owner), "%s", owner);
	/* before libusb's thread */
	start_watcher(h, s);
	r = libusb_init(&h->ctx);
	if (r != 0)
		goto free_h;
	libusb_set_pollfd_notifiers(h->ctx, fd_added, fd_removed, h);
	r = watch_fds(h);
	if (r != 0)
		goto exit_libusb;
	h->timed = !libusb_pollfds_handle_timeouts(h->ctx);
	r = start_hotplug(h);
	if (r != 0)
		goto unwatch;
	handle_events(h, true);
	*ret_h = h;
	return 0;
unwatch:
	handle_events(h, true);
	for (struct present *p; (p = h->present);) {
		p->left = true;
		present_drop(h, p);
	}
exit_libusb:
	unwatch_fds(h);
	libusb_exit(h->ctx);
free_h:
	snprintf(err, errlen, "libusb: %s: is there USB on this host?",
		 libusb_strerror(r));
	if (!h->shared)
		watcher_stop(h->watcher);
	free(h);
	return r == LIBUSB_ERROR_NO_MEM ? -ENOMEM : -EIO;
}

static void handle_libusb(struct hostusb *h)
{
	struct timeval now = {0, 0};
	int r;

	h->cut = false; /* before: what ends may cut others */
	r = libusb_handle_events_timeout_completed(h->ctx, &now, NULL);
	if (r == 0 || r == LIBUSB_ERROR_INTERRUPTED)
		return;
	h->errors++;
	if ((h->errors & (h->errors - 1)) == 0)
		hostusb_log(h, XHCI_LOG_WARN, "libusb: %s (%u times)",
			    libusb_strerror(r), h->errors);
}

static void check_devices(struct hostusb *h)
{
	h->check_in_ns = UINT64_MAX;
	for (struct seat *s = h->seats; s; s = s->next) {
		uint64_t in_ns = host_dev_check(s->hd, h->lost_after_ns);

		if (in_ns < h->check_in_ns)
			h->check_in_ns = in_ns;
	}
}

bool hostusb_run(struct hostusb *h, bool ready)
{
	if (ready || h->timed)
		handle_libusb(h);
	handle_events(h, false);
	if (h->scan)
		attach_scan(h);
	if (h->flush) {
		h->flush = false;
		for (struct seat *s = h->seats; s; s = s->next)
			host_dev_flush(s->hd);
	}
	check_devices(h);
	return false;
}

bool hostusb_run_cut(struct hostusb *h)
{
	if (!h->cut)
		return false;
	hostusb_run(h, true); /* whole: its descriptors tell of nothing twice */
	return true;
}

/* What was cut since they were checked last has its time yet. */
static uint64_t check_in(const struct hostusb *h)
{
	uint64_t in_ns = h->check_in_ns;

	for (const struct seat *s = h->seats; s; s = s->next)
		if (s->hd->ncut && !s->hd->lost && h->lost_after_ns < in_ns)
			in_ns = h->lost_after_ns;
	return in_ns;
}

uint64_t hostusb_timeout_ns(struct hostusb *h)
{
	uint64_t in_ns = check_in(h), usb_ns;
	struct timeval tv;

	if (!h->timed || libusb_get_next_timeout(h->ctx, &tv) != 1)
		return in_ns;
	usb_ns = (uint64_t)tv.tv_sec * 1000000000u +
		 (uint64_t)tv.tv_usec * 1000u;
	return in_ns < usb_ns ? in_ns : usb_ns;
}

void hostusb_stop(struct hostusb *h)
{
	h->stopping = true;
}

static bool presents_busy(const struct hostusb *h)
{
	for (const struct present *p = h->present; p; p = p->next)
		if (p->busy)
			return true;
	return false;
}

void hostusb_destroy(struct hostusb *h)
{
	struct timespec poll = {0, DESTROY_POLL_NS};

	if (!h)
		return;
	h->stopping = true;
	for (struct seat *s = h->seats; s; s = s->next)
		if (s->port)
			pmapper_detach(h->pm, s->port);
	while (h->seats || presents_busy(h)) {
		hostusb_run(h, true);
		if (!pmapper_run(h->pm))
			nanosleep(&poll, NULL);
	}
	if (h->has_hotplug)
		libusb_hotplug_deregister_callback(h->ctx, h->hotplug);
	handle_events(h, true);
	for (struct present *p; (p = h->present);) {
		p->left = true;
		present_drop(h, p);
	}
	for (struct rule *r; (r = h->rules);) {
		h->rules = r->next;
		free(r);
	}
	unwatch_fds(h);
	libusb_exit(h->ctx);
	if (!h->shared)
		watcher_stop(h->watcher);
	free(h);
}
