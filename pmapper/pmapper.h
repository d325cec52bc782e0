/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pmapper.h - the USB port mapper: which device sits in which port of a
 * controller, a port's transfers out to the device, its completions back.
 *
 * A device (built in: devices/, physical: hostusb/) implements struct
 * usb_dev_ops and embeds a struct usb_dev. All functions run on the
 * controller's thread unless said otherwise; none blocks.
 */
#ifndef PMAPPER_PMAPPER_H
#define PMAPPER_PMAPPER_H

#include "emu/usb.h"
#include <signal.h>

#include "emu/xhci.h"

/*
 * The one signal that is not blocked in the threads made here and above: with
 * it their process can reach all its threads (vmm/serve_walls.h).
 */
#define PM_THREAD_SIGNAL (SIGRTMIN + 2)

struct pmapper;     /* opaque; pmapper.c */
struct port_device; /* opaque; port_device.c: one device in one port */
struct usb_dev;
struct snap; /* emu/snap.h */

/* Requests on EP0 that change state a host must know of, USB 2.0 §9.4 */
enum usb_state_req {
	USB_SET_CONFIG,    /* value: bConfigurationValue, 0 deconfigures */
	USB_SET_INTERFACE, /* index: interface, value: alternate setting */
	USB_CLEAR_HALT,    /* index: endpoint address */
};

/*
 * struct usb_dev_ops - what the mapper needs of a device. Completions go
 * through usb_dev_complete(), never from inside submit or cancel is not a
 * worry: usb_dev_complete() only queues, and may be called from anywhere on
 * the controller's thread, submit() and cancel() included.
 */
struct usb_dev_ops {
	const char *name; /* kind, for logs: "storage", "usb" */
	/*
	 * Start @t; 0, or -errno with nothing started (-ENODEV: gone, as if
	 * usb_dev_gone() had been called). The device then owns @t until it
	 * calls usb_dev_complete() on it.
	 */
	int (*submit)(struct usb_dev *d, struct usb_xfer *t);
	/*
	 * End @t early; it is held by the device and was not cancelled before
	 * (it may be one that state() took). Must not block.
	 */
	void (*cancel)(struct usb_dev *d, struct usb_xfer *t);
	/*
	 * Reset the device. Answered by usb_dev_reset_done(), which may be
	 * called from inside; a device that is gone answers as well. What the
	 * device holds is cancelled by the controller or completes as it
	 * likes. Not called again before the answer was delivered.
	 */
	void (*reset)(struct usb_dev *d);
	/*
	 * A state changing request on EP0, instead of submit() for it: carry
	 * it out and complete @t. NULL: such requests come through submit(),
	 * which is right for built-in devices.
	 */
	int (*state)(struct usb_dev *d, struct usb_xfer *t,
		     enum usb_state_req req);
	/* As in struct usb_port_ops; may be NULL. */
	void (*ep_enable)(struct usb_dev *d, const struct usb_ep_info *info);
	void (*ep_disable)(struct usb_dev *d, uint8_t ep);
	void (*suspend)(struct usb_dev *d, bool suspended);
	/*
	 * For a VMM that moves its guest: to @s, or from it, all by which a
	 * guest could tell the device from another of its kind. It holds no
	 * transfer, and what is read into was just plugged in. Sets s->err:
	 * -EBUSY (a job still runs), -EINVAL (that cannot be), -ENOTSUP (it
	 * is of a device that is not like this one). NULL: the guest sees it
	 * unplugged, and what is in the port there plugged in.
	 */
	void (*snap)(struct usb_dev *d, struct snap *s);
	/*
	 * Give everything back and free @d. Called once, when the device is
	 * out of its port, holds no transfer and owes no usb_dev_reset_done();
	 * from pmapper_run(), never from inside another call of the device.
	 * d->pm is still set. May not block: what takes long goes to a worker,
	 * and a job of the device's that is still with the worker is the
	 * device's to wait for.
	 */
	void (*free)(struct usb_dev *d);
};

/* What a device did since it was put into its port */
struct usb_counters {
	uint64_t transfers;          /* that ended */
	uint64_t bytes;              /* of payload that they moved */
	uint64_t ended[USB_NSTATUS]; /* by how: isochronous ones by packet */
	uint64_t resets;
};

/* Embedded in each device; the first part is the device's to set. */
struct usb_dev {
	const struct usb_dev_ops *ops;
	enum usb_speed speed;
	char label[64]; /* how people know it: "storage=disk.img" */

	/* the mapper's */
	struct pmapper *pm;     /* borrowed; NULL while not attached */
	struct port_device *pd; /* borrowed; NULL while not attached */
	struct usb_counters counters;
};

/* What the mapper needs of the program around it. */
struct pmapper_host_ops {
	/*
	 * Completions are queued, or pmapper_deadline() came nearer: call
	 * pmapper_run() soon. Loop thread.
	 */
	void (*kick)(void *host);
	/*
	 * The same from any thread: a worker finished a job. The loop answers
	 * with pmapper_run().
	 */
	void (*wake)(void *host);
	/* One line, no newline. May be NULL. */
	void (*log)(void *host, enum xhci_log level, const char *line);
	/* Monotonic nanoseconds; NULL: CLOCK_MONOTONIC. */
	uint64_t (*now_ns)(void *host);
	/*
	 * The guest resets the device in @port. May be NULL. Neither this nor
	 * the next may call the mapper.
	 */
	void (*port_reset)(void *host, unsigned port, const struct usb_dev *d);
	/* @d, which was in @port, is freed next. May be NULL. */
	void (*freed)(void *host, unsigned port, const struct usb_dev *d);
};

/*
 * pmapper_create - a mapper for the ports of @x (borrowed until
 * pmapper_destroy(), and destroyed after it). Returns 0 or -ENOMEM.
 */
int pmapper_create(struct xhci *x, const struct pmapper_host_ops *ops,
		   void *host, struct pmapper **ret_pm);
/*
 * pmapper_detach_all - take out every device. They are freed as their last
 * transfers complete; pmapper_busy() says whether any is left.
 */
void pmapper_detach_all(struct pmapper *pm);
bool pmapper_busy(const struct pmapper *pm);
/* Free it. Must not be busy. NULL is allowed. */
/*
 * pmapper_held - transfers that are with devices or wait to be told of to the
 * controller: as many as it has in flight. Counted: for account.h and tests.
 */
unsigned pmapper_held(const struct pmapper *pm);
void pmapper_destroy(struct pmapper *pm);

/*
 * pmapper_attach - plug @d into @port, or with @port 0 into the first free
 * port that fits its speed. On success the mapper owns @d. Returns 0 and the
 * port, -EINVAL (no such port, or wrong kind of port for the speed), -EBUSY
 * (the port is occupied, or @d is in one), -ENOSPC (no free port of that kind),
 * -EAGAIN (too many devices that were taken out are not free yet), -ENOMEM.
 * On failure @d stays the caller's. Not from inside a device's ops.
 */
int pmapper_attach(struct pmapper *pm, struct usb_dev *d, unsigned port,
		   unsigned *ret_port);
/*
 * Take out what is in @port: the guest sees an unplug, the port is free at
 * once, and pmapper_run() frees the device when it has given back what it
 * holds. 0 or -ENOENT. Not from inside a device's ops.
 */
int pmapper_detach(struct pmapper *pm, unsigned port);
/* Is pmapper_attach() not -EAGAIN? */
bool pmapper_has_room(const struct pmapper *pm);
/* The device in @port, or NULL. Borrowed until the next pmapper_run(). */
struct usb_dev *pmapper_device(const struct pmapper *pm, unsigned port);

/* Deliver queued completions; true when there is more to do at once. */
bool pmapper_run(struct pmapper *pm);

/*
 * pmapper_deadline - when pmapper_timer() is due, on the host's clock;
 * UINT64_MAX: no device has a timer set. May change in any call.
 * pmapper_timer - call the timers that are due at @now_ns, each once.
 */
uint64_t pmapper_deadline(const struct pmapper *pm);
void pmapper_timer(struct pmapper *pm, uint64_t now_ns);

/*
 * The recording tap: sees each transfer as it goes to the device and as it
 * comes back. @t is read only and not to be kept. Any member may be NULL.
 */
struct pm_tap_ops {
	/* @t goes to @d in @port; OUT payload is there. */
	void (*submit)(void *tap, unsigned port, const struct usb_dev *d,
		       const struct usb_xfer *t);
	/* It has ended: status, actual and IN payload are there. */
	void (*complete)(void *tap, unsigned port, const struct usb_dev *d,
			 const struct usb_xfer *t);
	/* Instead of complete: the device did not take it, -errno in @err. */
	void (*refuse)(void *tap, unsigned port, const struct usb_dev *d,
		       const struct usb_xfer *t, int err);
};
/* @ops and @tap are borrowed until the next call; @ops NULL takes it out. */
void pmapper_set_tap(struct pmapper *pm, const struct pm_tap_ops *ops,
		     void *tap);

/*
 * For devices. usb_dev_complete() ends @t: exactly once for each transfer
 * taken by submit() or state(). It queues; the controller hears of it from
 * pmapper_run(). usb_dev_gone() says that the device does not exist any more
 * (idempotent): the port disconnects, new transfers are refused. What the
 * device holds is cancelled and still has to be completed. All of these may be
 * called from inside any op of the device, and all only queue.
 *
 * What a device does wrong (a transfer completed twice, or never taken, a
 * reset answered that was not asked for) is ignored and logged; @actual above
 * the length, and the same in a packet, is cut.
 */
void usb_dev_complete(struct usb_dev *d, struct usb_xfer *t,
		      enum usb_status status, uint32_t actual);
void usb_dev_reset_done(struct usb_dev *d, bool ok);
void usb_dev_gone(struct usb_dev *d);
void usb_dev_wake(struct usb_dev *d);
void usb_dev_log(struct usb_dev *d, enum xhci_log level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * struct pm_timer - something to be done later. Embedded in the device's own
 * structure, zeroed and with `fire` set before its first use; linked into the
 * mapper while it is set, so the device cancels it before it is freed.
 */
struct pm_timer {
	/* Controller's thread; @t is not set any more, and may be set again. */
	void (*fire)(struct pm_timer *t, uint64_t now_ns);

	/* the mapper's; readable: */
	bool set;
	uint64_t at_ns; /* kept when it is called */
	struct pm_timer *next, *prev;
};
/*
 * pm_timer_set - have @t called at @at_ns of pm_now_ns() or later, instead of
 * when it was set for before. Those due together are called in the order of
 * their times. May be called from inside any op of the device, and from
 * fire(); it never calls.
 */
void pm_timer_set(struct pmapper *pm, struct pm_timer *t, uint64_t at_ns);
/* Not to be called, if it is set. Allowed with @pm NULL when it is not. */
void pm_timer_cancel(struct pmapper *pm, struct pm_timer *t);
uint64_t pm_now_ns(struct pmapper *pm);

/*
 * struct pm_work - a job for the mapper's worker thread, for what may block:
 * file reads that miss the cache, libusb calls. Embedded in the caller's own
 * structure; owned by the mapper from pm_work_submit() until done() is called.
 */
struct pm_work {
	void (*run)(struct pm_work *w);  /* worker thread: by value, no device
					 * state but what the job owns */
	void (*done)(struct pm_work *w); /* controller's thread, afterwards */
	struct pm_work *next;            /* the mapper's */
};
/*
 * Queue @w; jobs run one at a time in order. The thread starts with the first
 * job. Returns 0 or -EAGAIN (no thread to be had; run() was not called).
 * Jobs queued are finished before pmapper_destroy() returns.
 */
int pm_work_submit(struct pmapper *pm, struct pm_work *w);

#endif
