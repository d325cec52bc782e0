/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * loop.h - an event loop: file descriptors, one deadline, one thread.
 *
 * A turn of the loop waits in ppoll(2), calls the handler of every descriptor
 * that is ready, and then calls work() if a handler ran, the deadline has
 * passed, or somebody called loop_wake(). An idle loop sleeps without end.
 *
 * Everything here belongs to the thread that runs the loop, except for
 * loop_wake() and loop_stop(). Functions that fail return -errno.
 */
#ifndef VMM_LOOP_H
#define VMM_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#define LOOP_MAX_FDS 48u
#define LOOP_NEVER UINT64_MAX

struct loop; /* opaque; loop.c */

/*
 * One descriptor that is watched, embedded in its owner's structure. The
 * owner sets the members, keeps the descriptor open while it is added, and
 * may change `events` at any time on the loop's thread.
 */
struct loop_fd {
	int fd;
	short events; /* of poll(2); 0: only errors and hang-ups */
	void (*ready)(struct loop_fd *f, short revents);
};

/*
 * loop_create - @work is what the loop is for: it is called with @arg after
 * the handlers of a turn and returns the time until it wants to be called
 * again if nothing else happens, in nanoseconds: 0 at once, LOOP_NEVER.
 * NULL: there is none. Returns 0 or -errno (descriptors, memory).
 */
int loop_create(uint64_t (*work)(void *arg), void *arg, struct loop **ret_l);
/* Free it. The descriptors stay their owners'. NULL is allowed. */
void loop_destroy(struct loop *l);

/*
 * Watch @f (borrowed until loop_del()) or stop. Either may be called from a
 * handler, for any descriptor. Returns 0, or -ENOSPC beyond LOOP_MAX_FDS.
 */
int loop_add(struct loop *l, struct loop_fd *f);
void loop_del(struct loop *l, struct loop_fd *f);

/*
 * loop_linger - after a turn in which a descriptor was ready, keep looking for
 * up to @max_ns before going to sleep (0, as at the start: not at all). A
 * guest's driver asks several things in a row, each waiting for the answer; to
 * be woken for each across processors costs more than all the rest. How long
 * is learnt: longer where a little more would have caught the next one, less
 * and less, down to nothing, where it would not.
 */
void loop_linger(struct loop *l, uint64_t max_ns);

/*
 * loop_run - turn until loop_stop(). Returns 0, or -errno if waiting failed.
 * A loop that was stopped before it ran returns at once. It may be run again.
 */
int loop_run(struct loop *l);

/*
 * loop_wake - have work() called soon. From any thread and from signal
 * handlers; costs a system call only where the loop may be asleep.
 * loop_stop - have loop_run() return after the current turn. As loop_wake().
 */
void loop_wake(struct loop *l);
void loop_stop(struct loop *l);

/* CLOCK_MONOTONIC in nanoseconds. Any thread. */
uint64_t loop_now_ns(void);

#endif
