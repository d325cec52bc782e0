/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop_fds.h - descriptors that a controller wants watched, from whatever
 * thread it says so, in the loop of its own thread.
 */
#ifndef VMM_LOOP_FDS_H
#define VMM_LOOP_FDS_H

#include <pthread.h>

#include "vmm/loop.h"

/* libusb's own two, and one for each device in a port */
#define LOOP_FDS_MAX 40u
_Static_assert(LOOP_FDS_MAX + 2 <= LOOP_MAX_FDS, "room for the socket");

struct loop_fds {
	struct loop *loop; /* borrowed */
	void (*ready)(void *arg);
	void *arg; /* borrowed */
	/* the loop's thread only */
	struct watched_fd {
		struct loop_fd l; /* .fd -1: unused */
		struct loop_fds *of;
	} watched[LOOP_FDS_MAX];
	/* under lock: what is wanted; fd -1: unused */
	pthread_mutex_t lock;
	struct {
		int fd;
		short events;
	} want[LOOP_FDS_MAX];
	unsigned changes; /* since the loop looked */
};

/*
 * @ready is called with @arg, in the loop, when one has an event. Returns 0 or
 * -errno.
 */
int loop_fds_init(struct loop_fds *f, struct loop *loop,
		  void (*ready)(void *arg), void *arg);
/* The loop does not run any more. */
void loop_fds_fini(struct loop_fds *f);
/*
 * Watch @fd for @events; 0: no longer. Any thread; wakes the loop. False: there
 * is no room for it.
 */
bool loop_fds_watch(struct loop_fds *f, int fd, short events);
/* Do what was asked for. The loop's thread, each turn. */
void loop_fds_apply(struct loop_fds *f);

#endif
