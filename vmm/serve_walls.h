/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve_walls.h - the walls `vxhci serve` stands behind while guests, devices
 * and clients talk to it: what it has given up by then cannot be taken from it.
 *
 * Everything is open when they go up: sockets, images, captures. What a
 * physical device needs later (sysfs, the file that locks it) is the one
 * exception, as narrow as can be, and only where there are such devices. Their
 * nodes are opened by a process that was forked before and is outside
 * (hostusb/watcher.h): those of the devices that the slot options name, or,
 * where there is a control socket, any but hubs.
 */
#ifndef VMM_SERVE_WALLS_H
#define VMM_SERVE_WALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "vmm/sanitized.h"

enum walls_mode { WALLS_OFF, WALLS_ON, WALLS_REQUIRE };

/* Sanitizers need what the walls take: there they are off by default. */
#define WALLS_DEFAULT (SANITIZED ? WALLS_OFF : WALLS_ON)

enum wall {
	WALL_NO_NEW_PRIVS, /* execve() gives no rights */
	WALL_USER,         /* another user than root */
	WALL_CAPABILITIES, /* none */
	WALL_NAMESPACES,   /* net, ipc, uts of its own: root only */
	WALL_LANDLOCK, /* no file of any kind can be opened, but see above */
	WALL_SECCOMP,  /* system calls it has no use for fail */
	WALL_COUNT
};

struct wall_folder;
struct walls_opts {
	enum walls_mode mode;
	const char *user; /* borrowed; NULL: stay who we are */
	bool devices;     /* there are physical devices, or may be */
	bool control;     /* controllers come later: they listen, too */
	bool notify;      /* a service manager is told things */
	const struct wall_folder *folders; /* borrowed */
	unsigned nfolders;
};

/* What may be done in a folder and below it */
enum wall_folder_use {
	FOLDER_SOCKETS,  /* made and removed */
	FOLDER_FILES,    /* and files opened */
	FOLDER_CAPTURES, /* files made, removed and renamed */
};
struct wall_folder {
	const char *path; /* borrowed */
	enum wall_folder_use may;
};

struct walls {
	bool stands[WALL_COUNT];
	char why[WALL_COUNT][80]; /* where one does not */
};

/*
 * walls_raise - put them up, for all threads there are and will be. Returns 0
 * with what stands in *ret, or -errno: a user that is not known (-EINVAL), or
 * with WALLS_REQUIRE one that does not stand; one line is in @err.
 */
int walls_raise(const struct walls_opts *o, struct walls *ret, char *err,
		size_t errlen);
/* "no_new_privs capabilities landlock seccomp; not: user (…)". Returns @buf. */
const char *walls_text(const struct walls *w, char *buf, size_t len);

/* serve_filter.c: the system calls; 0 or -errno, -ENOSYS: no libseccomp */
int walls_filter(const struct walls_opts *o);
/* serve_landlock.c: a descriptor of the ruleset, or -errno */
int walls_ruleset(const struct walls_opts *o);

/*
 * A process that removes paths which this one cannot any more: it calls
 * @remove(@arg), in a fork of now, when walls_cleaner_finish() says so, which
 * waits for that. When this process dies before, it does nothing.
 */
struct walls_cleaner {
	pid_t pid; /* 0: there is none */
	int wr;    /* owned; what the process waits for is its end */
};
int walls_cleaner_start(void (*remove)(void *arg), void *arg,
			struct walls_cleaner *ret);
void walls_cleaner_finish(struct walls_cleaner *c);

#endif
