/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embed.h - inside libvxhci: one controller with its PCI function, its guest
 * memory and its devices.
 *
 * Locks: `plug_lock` is held while devices are asked for or taken out, and may
 * be held long; `lock` is held in every call and while the controller, the mapper
 * and the VMM's callbacks run. `wake_lock` is a leaf: the mapper's worker
 * thread takes it alone, and vxhci_destroy() and vxhci_snapshot() under `lock`.
 */
#ifndef VMM_EMBED_H
#define VMM_EMBED_H

#include <pthread.h>
#include <stdatomic.h>

#include "emu/xhci.h"
#include "hostusb/hostusb.h"
#include "pmapper/pmapper.h"
#include "pmapper/tap.h"
#include "vmm/dma.h"
#include "vmm/loop_fds.h"
#include "vmm/pci.h"
#include "vmm/slotopt.h"
#include "vmm/vxhci.h"

#define EMBED_MAX_DEVS 64u /* that are asked for */
#define DISPATCH_ROUNDS 4u /* slices of work in a vxhci_dispatch() */

/* A device that was asked for, from then until it is given back. */
struct embed_dev {
	struct embed_dev *next;
	unsigned id;
	struct slot_dev d; /* its strings are in `text`, or in vxhci.opt */
	char *text;        /* owned; NULL: of the slot option */
	char rule[128];
	enum slot_reset reset;
	/* built-in ones */
	struct usb_dev *dev; /* borrowed from the mapper; NULL: in no port */
	unsigned port;
	bool leaving;
};

struct vxhci {
	pthread_mutex_t plug_lock; /* before `lock`: attach and detach */
	pthread_mutex_t lock;
	struct vxhci_ops ops;
	void *opaque;       /* borrowed */
	struct slotopt opt; /* owned */
	struct pci_fn pci;
	struct pci_ops pci_ops; /* of what the VMM can do */
	struct dma dma;
	struct xhci *x;      /* owned */
	struct pmapper *pm;  /* owned */
	struct hostusb *usb; /* owned; NULL: no physical device was named */
	struct hostusb_share *share; /* borrowed; NULL: usb has its own */
	struct tap tap;              /* embedded; .ops NULL: no capture */

	struct record_stream *rec; /* borrowed; NULL: it is not recorded */

	struct embed_dev *devs; /* owned, in the order they were asked for */
	unsigned ndevs, last_id;
	uint64_t reset_told_ns[XHCI_MAX_PORTS + 1]; /* by port */

	atomic_bool usb_ready; /* a descriptor of hostusb's has an event */
	bool stopped;          /* from vxhci_snapshot() to vxhci_resume() */
	uint64_t resumed_ns; /* when that was last, CLOCK_MONOTONIC; 0: never */
	bool quiet;        /* in dispatch, create or destroy: no wake needed */
	bool kicked;       /* there is work */
	uint64_t timer_at; /* xhci_timer() is due, UINT64_MAX: never */
	uint64_t told_at;  /* the deadline the VMM knows */
	uint64_t copied;   /* payload bytes copied, over all threads */
	uint64_t copied_at_enter;

	struct embed_thread *own; /* owned; NULL: the VMM has its own loop */

	pthread_mutex_t wake_lock;
	pthread_cond_t wake_cond;
	bool woken; /* under wake_lock: since embed_wait() looked last */
};

/* embed.c: vxhci_create_recorded() in a process that gives up its rights */
int embed_create(const char *slot_option, const struct vxhci_ops *ops,
		 void *opaque, struct vxhci_record *rec,
		 struct hostusb_share *share, char *errbuf, size_t errlen,
		 struct vxhci **ret_v);
/* what each call from outside begins and ends with */
void embed_enter(struct vxhci *v);
void embed_leave(struct vxhci *v);

/* Do what is to be done, in slices; true when there is more. */
bool embed_run_slices(struct vxhci *v);
/* The same, after timers that are due and what physical devices have to say */
bool embed_work(struct vxhci *v, bool usb_ready);
/* What comes next, the controller's timer or a device's; UINT64_MAX: none */
uint64_t embed_next_timer(const struct vxhci *v);
/* Wait for the worker, or for a device, a little. With the lock. */
void embed_wait(struct vxhci *v);

/* embed_host.c: what the parts below need of the library. @host is @v. */
extern const struct xhci_host_ops embed_xhci_ops;
extern const struct pmapper_host_ops embed_pmapper_ops;
extern const struct hostusb_host_ops embed_hostusb_ops;
/* The PCI function, with what the VMM's ops can be told of. */
void embed_pci_init(struct vxhci *v);
/* Released: nothing points into the mapping with this cookie any more. */
void embed_mem_released(void *host, void *cookie);
uint64_t embed_now_ns(struct vxhci *v);
/* Have vxhci_dispatch() called, by the VMM or by the own thread. Any thread. */
void embed_wake(struct vxhci *v);
void embed_log(struct vxhci *v, enum xhci_log level, const char *line);

/*
 * embed_plug_devices - open the devices of v->opt and put them into their
 * ports. 0 or -errno with one line in @err; devices plugged in by then stay
 * for the caller to take out. In embed_dev.c.
 */
int embed_plug_devices(struct vxhci *v, char *err, size_t errlen);
/* The parts of it, for those that come later. All with the lock, but: */
/* A new one at the end of v->devs, its text its own; NULL: none. */
struct embed_dev *embed_dev_add(struct vxhci *v, const struct slot_dev *d,
				enum slot_reset reset, const char *rule);
void embed_dev_drop(struct vxhci *v, struct embed_dev *w);
/* Open a built-in device. Without the lock. */
int embed_dev_open(struct vxhci *v, const struct slot_dev *d, char *err,
		   size_t errlen, struct usb_dev **ret_dev);
/*
 * Start hostusb if it is needed, else *@ret_new is NULL: with plug_lock, and
 * without the lock where there are other threads. Then give it, with the lock.
 */
int embed_need_usb(struct vxhci *v, struct hostusb **ret_new, char *err,
		   size_t errlen);
void embed_give_usb(struct vxhci *v, struct hostusb *usb);
/* @dev is what embed_dev_open() gave, and freed on failure; @fd or -1. */
int embed_dev_plug(struct vxhci *v, struct embed_dev *w, struct usb_dev *dev,
		   int fd, char *err, size_t errlen);
void embed_match(const struct slot_dev *d, struct usb_match *m);

/*
 * embed_plug.c: vxhci_attach_fd() with several: the files of storage=FILE and
 * its lun=FILE, in their order. They stay the caller's, but one of a physical
 * device that was attached.
 */
int embed_attach_fds(struct vxhci *v, const int *fds, unsigned n,
		     const char *device, const char *rule, char *errbuf,
		     size_t errlen, unsigned *ret_id);

/* embed_list.c, all with the lock: what is told of devices, to ops.event() */
void embed_emit(struct vxhci *v, enum vxhci_event event,
		const struct vxhci_device *d);
struct embed_dev *embed_find(const struct vxhci *v, unsigned id);
/* What is attached to @port, if there is something. */
bool embed_find_port(struct vxhci *v, unsigned port, struct vxhci_device *ret);
void embed_tell_builtin(const struct embed_dev *w, struct vxhci_device *ret);
/* and from the parts below. */
void embed_port_reset(void *host, unsigned port, const struct usb_dev *d);
void embed_freed(void *host, unsigned port, const struct usb_dev *d);
void embed_usb_event(void *host, enum hostusb_event event,
		     const struct hostusb_status *s);

/* embed_input.c: @d was opened for @v; what a keyboard tells goes to the VMM. */
void embed_input_open(struct vxhci *v, struct usb_dev *d);

/*
 * embed_thread.c: the loop that vxhci_start() runs, for a VMM without wake().
 * Made with the controller, so that what its devices want watched is known
 * before it runs. embed_thread_free() stops it; NULL is allowed.
 */
int embed_thread_create(struct vxhci *v, struct embed_thread **ret_t);
void embed_thread_free(struct embed_thread *t);
/* ops.wake() and ops.fd_watch() of such a VMM. Any thread. */
void embed_thread_wake(struct embed_thread *t);
void embed_thread_watch(struct embed_thread *t, int fd, short events);

#endif
