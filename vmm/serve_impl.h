/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * serve_impl.h - what the files of `vxhci serve` share: serve.c (start, end,
 * signals), serve_ctl.c (one controller and its thread), serve_control.c (what
 * the control socket offers). The main thread's, but for what says otherwise.
 */
#ifndef VMM_SERVE_IMPL_H
#define VMM_SERVE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "vmm/control.h"
#include "vmm/loop.h"
#include "vmm/loop_fds.h"
#include "vmm/serve.h"
#include "vmm/serve_log.h"
#include "vmm/serve_socket.h"
#include "vmm/slotopt.h"
#include "vmm/vfu_server.h"

struct serve;

/* A controller that came over the control socket, on its way */
enum serve_made { SERVE_MAKING, SERVE_MADE, SERVE_NOT_MADE };

/* One controller with all that serves it. */
struct serve_ctl {
	struct serve *s; /* borrowed */
	struct serve_ctl *next;
	char name[SLOTOPT_MAX_SLOT]; /* SLOT of it */
	char *slot;                  /* owned: the text after -s */
	char *path;                  /* owned: of its socket, or NULL */
	struct loop *loop;           /* owned; what follows runs in it */
	struct vxhci *v;             /* owned */
	struct vfu_dev dev;          /* embedded */
	struct vfu_server *server;   /* owned */
	struct serve_socket sock;    /* embedded */
	struct serve_log log;        /* embedded */
	struct loop_fds fds;         /* embedded: of the host's devices */
	pthread_t thread;
	bool started;      /* there is a thread to join */
	bool inited;       /* log and fds are there */
	atomic_bool ended; /* the thread has nothing more to do */
	int err;           /* of the thread, once it has ended */
	/* of one that comes or goes by the control socket */
	struct control_later *later; /* owned; NULL: nobody waits */
	bool late;                   /* made by its own thread */
	bool told;                   /* and that was told */
	atomic_bool removed;         /* asked to end: .v is its thread's */
	atomic_int made;             /* enum serve_made */
	char line[512];              /* what went wrong, from its thread */
};

struct serve_event; /* serve_event.c: waits to be told */

struct serve {
	const struct serve_opts *o;   /* borrowed */
	struct serve_ctl *ctls;       /* owned, in order of coming */
	struct loop *loop;            /* owned: the main thread's */
	struct loop_fd signal;        /* a signalfd, owned */
	struct vxhci_pcap *pcap;      /* owned; NULL: no capture */
	struct serve_log pcap_log;    /* embedded: what its thread says */
	struct vxhci_record *record;  /* owned; NULL: no recording */
	struct serve_log record_log;  /* embedded: what its thread says */
	struct serve_log log;         /* embedded: of the whole */
	struct walls_cleaner cleaner; /* embedded: removes the sockets */
	struct hostusb_share *share;  /* owned; NULL: no walls, no devices */
	bool devices;                 /* physical: there are, or may be */
	bool walled;                  /* files cannot be opened any more */

	struct serve_socket control_sock;        /* embedded */
	struct control *control;                 /* owned; NULL: none */
	struct serve_list *list;                 /* owned: `list` under way */
	pthread_mutex_t lock;                    /* what follows; any thread */
	struct serve_event *events, *last_event; /* owned */
	unsigned nevents, lost_events;
};

/* Exit code of a failure that is no one's configuration, which is said */
int serve_failed(const char *what, int err);
/* The same of one that is: @line */
int serve_refused(char *line);

/* serve_enter.c, each 0 or the exit code, told */
/* First of all: what opens devices when this process may not any more */
int serve_share_start(struct serve *s);
/* Everything is open. */
int serve_walls_start(struct serve *s);

/* serve_ctl.c */
/* A new one at the end of s->ctls, with nothing but its names; NULL: none. */
struct serve_ctl *serve_ctl_add(struct serve *s, const char *slot,
				const char *path);
/*
 * Make it, with its socket listening. Returns 0 or -errno with one line in
 * c->line, "" when it is no one's configuration.
 */
int serve_ctl_make(struct serve_ctl *c);
/* Start its thread; with c->late that makes it first. 0 or -errno */
int serve_ctl_run(struct serve_ctl *c);
/* Ask it to end. Any thread. */
void serve_ctl_stop(struct serve_ctl *c);
/* Wait for its end if it runs, and free it. */
void serve_ctl_free(struct serve_ctl *c);
/* Wait for its thread, which was told to end: c->err is there. */
void serve_ctl_join(struct serve_ctl *c);

/* serve_control.c */
/* Listen as s->o->control says, if it does. 0 or the exit code, told. */
int serve_control_open(struct serve *s);
int serve_control_start(struct serve *s);
void serve_control_end(struct serve *s);
/* The main loop's work(). */
uint64_t serve_control_work(void *arg);
/* An operation on a file failed. Where walls are the reason, that is added. */
json_t *serve_fail_file(struct serve *s, struct control_call *call, int err,
			const char *line);
/* Does @text name a descriptor of ours? Then control_fail() was called. */
bool serve_names_fd(struct control_call *call, const char *text);
/* The controller that a request means; NULL: control_fail() was called. */
struct serve_ctl *serve_find_ctl(struct serve *s, struct control_call *call,
				 json_t *args);

/* serve_event.c */
/* A controller tells of a device. Any thread, its mutex held. */
void serve_event_add(struct serve_ctl *c, enum vxhci_event event,
		     const struct vxhci_device *d);
/* Pass on what was told, or forget it. */
void serve_events_tell(struct serve *s);
void serve_events_drop(struct serve *s);

/* serve_list.c: the command; its answer, once there is one, and at the end */
json_t *serve_run_list(void *host, struct control_call *call, json_t *args);
void serve_list_work(struct serve *s);
void serve_list_end(struct serve *s);

/* serve_input.c: commands for built-in devices, and their arguments */
extern const struct control_arg serve_input_args[], serve_media_args[];
json_t *serve_run_input(void *host, struct control_call *call, json_t *args);
json_t *serve_run_media(void *host, struct control_call *call, json_t *args);

/* serve_json.c: new references; NULL: no memory */
json_t *serve_json_device(const struct vxhci_device *d);
json_t *serve_json_controller(struct serve_ctl *c);

#endif
