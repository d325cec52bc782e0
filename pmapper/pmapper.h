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
#include "emu/xhci.h"

struct pmapper;     /* opaque; pmapper.c */
struct port_device; /* opaque; port_device.c: one device in one port */
struct usb_dev;

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
	 * Start @t; 0, or -errno with nothing started (-ENODEV: gone). The
	 * device then owns @t until it calls usb_dev_complete() on it.
	 */
	int (*submit)(struct usb_dev *d, struct usb_xfer *t);
	/* End @t early if it has not completed; must not block. */
	void (*cancel)(struct usb_dev *d, struct usb_xfer *t);
	/*
	 * Reset the device. Answered by usb_dev_reset_done(), which may be
	 * called from inside. What the device holds is cancelled first by the
	 * mapper or completes as it likes.
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
	 * Give everything back and free @d. Called once, when the device is
	 * out of its port and holds no transfer. May not block: what takes
	 * long goes to a worker.
	 */
	void (*free)(struct usb_dev *d);
};

/* Embedded in each device; the first part is the device's to set. */
struct usb_dev {
	const struct usb_dev_ops *ops;
	enum usb_speed speed;
	char label[64]; /* how people know it: "storage=disk.img" */

	/* the mapper's */
	struct pmapper *pm;     /* borrowed; NULL while not attached */
	struct port_device *pd; /* borrowed; NULL while not attached */
};

/* What the mapper needs of the program around it. */
struct pmapper_host_ops {
	/* Completions are queued: call pmapper_run() soon. Loop thread. */
	void (*kick)(void *host);
	/*
	 * The same from any thread: a worker finished a job. The loop answers
	 * with pmapper_run().
	 */
	void (*wake)(void *host);
	/* One line, no newline. May be NULL. */
	void (*log)(void *host, enum xhci_log level, const char *line);
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
void pmapper_destroy(struct pmapper *pm);

/*
 * pmapper_attach - plug @d into @port, or with @port 0 into the first free
 * port that fits its speed. On success the mapper owns @d. Returns 0 and the
 * port, -EINVAL (no such port, or wrong kind of port for the speed), -EBUSY
 * (occupied), -ENOSPC (no free port of that kind).
 */
int pmapper_attach(struct pmapper *pm, struct usb_dev *d, unsigned port,
		   unsigned *ret_port);
/* Take out what is in @port: the guest sees an unplug. 0 or -ENOENT. */
int pmapper_detach(struct pmapper *pm, unsigned port);
/* The device in @port, or NULL. */
struct usb_dev *pmapper_device(const struct pmapper *pm, unsigned port);

/* Deliver queued completions; true when there is more to do at once. */
bool pmapper_run(struct pmapper *pm);

/*
 * For devices. usb_dev_complete() ends @t: exactly once for each transfer
 * taken by submit() or state(). It queues; the controller hears of it from
 * pmapper_run(). usb_dev_gone() says that the device does not exist any more
 * (idempotent): the port disconnects, new transfers are refused.
 */
void usb_dev_complete(struct usb_dev *d, struct usb_xfer *t,
		      enum usb_status status, uint32_t actual);
void usb_dev_reset_done(struct usb_dev *d, bool ok);
void usb_dev_gone(struct usb_dev *d);
void usb_dev_wake(struct usb_dev *d);
void usb_dev_log(struct usb_dev *d, enum xhci_log level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

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
