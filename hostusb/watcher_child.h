/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * watcher_child.h - between watcher.c (the engine's side) and watcher_child.c (the
 * watcher's own process). Nobody else's business; Linux alone.
 */
#ifndef HOSTUSB_WATCHER_CHILD_H
#define HOSTUSB_WATCHER_CHILD_H

#include "hostusb/watcher.h"

/* With a descriptor: where the answer goes, 0 or -errno. */
enum watcher_op { OP_NOTE, OP_CONFIG, OP_FORGET, OP_OPEN };

/* One packet: it is sent whole or not at all. */
struct watcher_msg {
	enum watcher_op op;
	struct watcher_note note;
};

/*
 * watcher_fork - the process, which listens at @fd, its own, until that or the
 * caller is at its end. Returns 0 or -errno.
 */
int watcher_fork(const struct watcher_ops *ops, int fd);

#endif
