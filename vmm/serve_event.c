/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve_event.c - what controllers tell, on its way from their threads to who
 * listens at the control socket.
 */
#include "vmm/serve_impl.h"

#include <stdio.h>
#include <stdlib.h>

#define MAX_EVENTS 1024u /* that wait for the main loop */

/* What a controller's thread tells, on its way to the main loop */
struct serve_event {
	struct serve_event *next;
	char slot[SLOTOPT_MAX_SLOT];
	enum vxhci_event event;
	struct vxhci_device d;
};

void serve_event_add(struct serve_ctl *c, enum vxhci_event event,
		     const struct vxhci_device *d)
{
	struct serve *s = c->s;
	struct serve_event *e;

	if (!s->control)
		return;
	e = malloc(sizeof(*e));
	pthread_mutex_lock(&s->lock);
	if (!e || s->nevents == MAX_EVENTS) {
		free(e);
		s->lost_events++;
	} else {
		e->next = NULL;
		snprintf(e->slot, sizeof(e->slot), "%s", c->name);
		e->event = event;
		e->d = *d;
		if (s->last_event)
			s->last_event->next = e;
		else
			s->events = e;
		s->last_event = e;
		s->nevents++;
	}
	pthread_mutex_unlock(&s->lock);
	loop_wake(s->loop);
}

static struct serve_event *take_events(struct serve *s, unsigned *ret_lost)
{
	struct serve_event *e;

	pthread_mutex_lock(&s->lock);
	e = s->events;
	*ret_lost = s->lost_events;
	s->events = s->last_event = NULL;
	s->nevents = s->lost_events = 0;
	pthread_mutex_unlock(&s->lock);
	return e;
}

void serve_events_tell(struct serve *s)
{
	static const char *const names[] = {
		[VXHCI_DEVICE_ATTACHED] = "DEVICE_ATTACHED",
		[VXHCI_DEVICE_DETACHED] = "DEVICE_DETACHED",
		[VXHCI_DEVICE_FAILED] = "DEVICE_FAILED",
		[VXHCI_PORT_RESET] = "PORT_RESET",
	};
	struct serve_event *e, *next;
	unsigned lost;

	for (e = take_events(s, &lost); e; e = next) {
		json_t *data = json_pack("{s:s, s:o}", "slot", e->slot,
					 "device", serve_json_device(&e->d));

		next = e->next;
		if (e->event == VXHCI_DEVICE_DETACHED)
			json_object_set_new(data, "unplugged",
					    json_boolean(e->d.unplugged));
		if (s->control)
			control_event(s->control, names[e->event], data);
		else
			json_decref(data);
		free(e);
	}
	if (lost && s->control)
		control_event(s->control, "EVENTS_LOST",
			      json_pack("{s:i}", "count", (int)lost));
}

void serve_events_drop(struct serve *s)
{
	struct serve_event *e, *next;
	unsigned lost;

	for (e = take_events(s, &lost); e; e = next) {
		next = e->next;
		free(e);
	}
}
