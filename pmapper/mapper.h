/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * mapper.h - what the files of the port mapper share. Private to pmapper/.
 *
 * A transfer is in exactly one place: with a device (port_device.held or
 * .cancelling) or in the mapper's queue of completions. usb_xfer.map_state
 * says which, and whose it is, so that nothing a device does to a transfer
 * that is not its own has an effect.
 */
#ifndef PMAPPER_MAPPER_H
#define PMAPPER_MAPPER_H

#include <pthread.h>

#include "emu/account.h"
#include "pmapper/pmapper.h"

/* Queue entries delivered by one pmapper_run() */
#define PM_RUN_BUDGET 256u

/* Transfers that devices on their way out are asked for back in one of them. */
#define PM_RUN_CANCELS 128u
/*
 * Devices in ports and on their way out, at once. Ids 1..PM_MAX_DEVICES fit
 * in usb_xfer.map_state beside the place; 0 in map_state is "not ours".
 */
#define PM_MAX_DEVICES 63u

enum map_place {
	MAP_HELD,       /* with the device */
	MAP_CANCELLING, /* the same, and it was told to end it */
	MAP_QUEUED,     /* completed, waits for pmapper_run() */
	MAP_EVENT,      /* no transfer: port_device.event, waits as well */
};

static inline uint8_t map_state(unsigned id, enum map_place place)
{
	return (uint8_t)(id << 2 | (unsigned)place);
}

static inline unsigned map_id(uint8_t state)
{
	return state >> 2;
}

static inline enum map_place map_place(uint8_t state)
{
	return (enum map_place)(state & 3u);
}

/* Transfers linked through map_next and map_prev; all zero is empty */
struct xfer_list {
	struct usb_xfer *head; /* borrowed from the controller */
	struct usb_xfer *tail;
};

void xfer_list_append(struct xfer_list *l, struct usb_xfer *t);
void xfer_list_remove(struct xfer_list *l, struct usb_xfer *t);

/* What waits to be told to the controller about a port */
#define PORT_WAKE 0x1u
#define PORT_RESET_DONE 0x2u

enum reset_state {
	RESET_NONE,
	RESET_ASKED,    /* the device owes usb_dev_reset_done() */
	RESET_ANSWERED, /* it called it; the controller has not heard yet */
};

/* One device in one port, until its free() */
struct port_device {
	struct pmapper *pm;  /* borrowed */
	struct usb_dev *dev; /* owned since pmapper_attach() */
	unsigned id;         /* index in pmapper.devs */
	unsigned port;       /* kept when it has left, for logs and tap */

	bool in_port; /* the controller has it in `port` */
	bool gone;    /* usb_dev_gone() was called */
	enum reset_state reset;
	bool reset_ok;

	struct xfer_list held;
	struct xfer_list cancelling;
	unsigned nqueued; /* transfers of it in pmapper.queue */

	/*
	 * Its place in pmapper.queue for what is no transfer, so that the
	 * controller hears everything in the order it happened. Only the map_
	 * members are used; map_state is 0 while it is not in the queue.
	 */
	struct usb_xfer event;
	unsigned pending; /* PORT_ bits */

	unsigned faults; /* what it did wrong, for the log's rate */
};

struct worker {
	pthread_t thread;
	pthread_mutex_t lock; /* what follows, and pm_work.next */
	pthread_cond_t more;
	struct pm_work *head, *tail;           /* to run */
	struct pm_work *done_head, *done_tail; /* done() to be called */
	bool quit;

	/* the controller's thread only */
	bool started;
	/* constant */
	void (*wake)(void *host);
	void *host;
};

struct pmapper {
	struct xhci *x;                     /* borrowed */
	const struct pmapper_host_ops *ops; /* borrowed */
	void *host;                         /* borrowed */

	struct port_device *ports[XHCI_MAX_PORTS + 1]; /* by port number */
	struct port_device *devs[PM_MAX_DEVICES + 1];  /* by id; owned */
	unsigned ndevs;

	struct xfer_list queue; /* completions and events, in order */
	bool running;           /* inside pmapper_run() */
	unsigned cancels;       /* that this run may still have */
	bool leaving;           /* devices hold what is to be cancelled */

	struct pm_timer *timers; /* set, by time; borrowed from the devices */
	unsigned ntimers;

	const struct pm_tap_ops *tap; /* borrowed; may be NULL */
	void *tap_host;

	struct worker worker;
};

/* pmapper.c */
/* Append to the queue; kicks the host when it was empty. */
void pm_queue(struct pmapper *pm, struct usb_xfer *t);
void pm_log(struct pmapper *pm, enum xhci_log level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* port_device.c */
extern const struct usb_port_ops port_device_ops;
/*
 * Take it out of its port and cancel what it holds: now, as far as a run may,
 * or in the next ones. Not from inside an op.
 */
void port_device_leave(struct port_device *pd);
/* A run begins: devices that have left are asked for more. */
void port_device_cancel_more(struct pmapper *pm);
/* Queue its event entry with more @pending bits (0: only look at it again). */
void port_device_post(struct port_device *pd, unsigned pending);
/* Its event entry came out of the queue. */
void port_device_event(struct port_device *pd);
/* Out of its port, with nothing left to wait for. */
bool port_device_is_done(const struct port_device *pd);

/* control.c */
enum control_class {
	CONTROL_PASS,   /* the device's business */
	CONTROL_STATE,  /* usb_dev_ops.state, where the device has it */
	CONTROL_ANSWER, /* success, without the device */
	CONTROL_DENY,   /* STALL, without the device */
};
/*
 * What is to be done with a request on EP0. Sets *ret_req for CONTROL_STATE
 * only. Pure.
 */
enum control_class control_classify(const struct usb_setup *setup,
				    enum usb_state_req *ret_req);

/* worker.c */
int worker_init(struct worker *w, void (*wake)(void *host), void *host);
int worker_submit(struct worker *w, struct pm_work *job);
/* Call done() of the jobs that have run. */
void worker_reap(struct worker *w);
/* Finish every job, those that done() queues included; end the thread. */
void worker_fini(struct worker *w);

#endif
