/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * share.c - what controllers of one process share. libusb listens for hot-plug
 * once in a process, as long as it has any context: the one here is never
 * used, but opens those ears while that may be done still.
 */
#include <errno.h>
#include <stdlib.h>

#include "hostusb/attach.h"
#include "hostusb/watcher.h"

int hostusb_share_create(const struct watcher_policy *p,
			 struct hostusb_share **ret)
{
	struct hostusb_share *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	/* before libusb's thread */
	err = watcher_start_opener(p, &s->watcher);
	if (err) {
		free(s);
		return err;
	}
	if (libusb_init(&s->ctx) != 0)
		s->ctx = NULL; /* no USB: who wants some is told */
	*ret = s;
	return 0;
}

void hostusb_share_destroy(struct hostusb_share *s)
{
	if (!s)
		return;
	if (s->ctx)
		libusb_exit(s->ctx);
	watcher_stop(s->watcher);
	free(s);
}
