/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vxhci.h - the controller as a VMM's PCI device: libvxhci.
 *
 * A VMM makes a controller from a slot option string, gives it guest memory
 * and interrupts, and forwards BAR and configuration space accesses. Every
 * function may be called from any thread unless it says otherwise: one mutex
 * a controller is taken at this edge, and the callbacks are called with it
 * held, so a callback must not call back into the library (wake() excepted,
 * which must only post to the VMM's loop).
 *
 * Functions that fail return a negative errno value.
 */
#ifndef VXHCI_H
#define VXHCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#if defined(__GNUC__) /* the library hides everything else */
#pragma GCC visibility push(default)
#endif

#define VXHCI_VECTORS 8u        /* MSI-X vectors */
#define VXHCI_BAR0_SIZE 0x8000u /* bytes; registers, then MSI-X table, PBA */
#define VXHCI_CFG_SIZE 256u     /* bytes of PCI configuration space */

struct vxhci; /* opaque */

enum vxhci_log {
	VXHCI_LOG_ERROR,
	VXHCI_LOG_WARN,
	VXHCI_LOG_INFO,
	VXHCI_LOG_DEBUG
};

/* Where a device that was asked for stands. */
enum vxhci_state {
	VXHCI_WAITING, /* it is not there: attached when it appears */
	VXHCI_ATTACHING,
	VXHCI_ATTACHED,
	VXHCI_DETACHING, /* being given back */
	VXHCI_FAILED,    /* see .reason; tried again at its next plugging in */
	VXHCI_DENIED,    /* never to be had: a hub */
	VXHCI_IN_USE     /* another has it: see .reason */
};

/* How transfers ended that did not end well; isochronous ones by packet. */
struct vxhci_errors {
	uint64_t stall, transaction, babble, cancelled, gone, no_memory;
	uint64_t missed, overrun;
};

/* A device that was asked for. Texts are UTF-8 and printable; "" is none. */
struct vxhci_device {
	/*
	 * Of what was asked for, from 1, never used again. Several devices of
	 * one bus=1,port=2.* have the same.
	 */
	unsigned id;
	char name[96];  /* as it was asked for, normalized: "bus=1,port=2.3" */
	char kind[16];  /* "usb", "storage", ... */
	char rule[128]; /* who said so then: see vxhci_attach(); "option" */
	enum vxhci_state state;
	char reason[160];
	unsigned port;  /* of the controller, 0: in none */
	char speed[8];  /* "low", ... "super+" */
	bool unplugged; /* VXHCI_DEVICE_DETACHED: nobody asked for it */
	/* physical devices that are there; bus 0: not */
	uint8_t bus, address;
	char path[32]; /* "2.3" */
	uint16_t vendor, product_id;
	char manufacturer[128], product[128], serial[128];
	/* since it is in its port */
	uint64_t transfers, bytes, resets;
	struct vxhci_errors errors;
};

struct vxhci_port {
	unsigned port; /* from 1 */
	bool usb3;
	bool connected, enabled; /* as the guest sees it */
	const char *link;        /* "U0", "U3", "RxDetect", ... */
	unsigned device;         /* id of what is in it, 0: nothing */
};

enum vxhci_event {
	VXHCI_DEVICE_ATTACHED, /* it is in its port */
	/* it is out of it, and the host's drivers have it if it is there */
	VXHCI_DEVICE_DETACHED,
	VXHCI_DEVICE_FAILED, /* see .state and .reason */
	/* the guest reset it; told once a second at most, .resets counts */
	VXHCI_PORT_RESET
};

/* What the library needs of the VMM. @opaque is that of vxhci_create(). */
struct vxhci_ops {
	/*
	 * MSI-X vector @vector fires. The VMM knows address and data from the
	 * table it was told of with vxhci_bar_write(), or keeps eventfds of
	 * its own (vxhci_msix_external()).
	 */
	void (*msix)(void *opaque, unsigned vector);
	/*
	 * Call vxhci_dispatch() soon. From any thread; may be called often.
	 * NULL: the VMM has no loop, the library has a thread, vxhci_start().
	 */
	void (*wake)(void *opaque);
	/* One line, no newline. May be NULL. */
	void (*log)(void *opaque, enum vxhci_log level, const char *line);
	/* Nothing points into this mapping any more, see vxhci_mem_unmap(). */
	void (*mem_released)(void *opaque, void *cookie);
	/* Monotonic nanoseconds; NULL: CLOCK_MONOTONIC. */
	uint64_t (*now_ns)(void *opaque);
	/*
	 * Watch @fd for @events of poll(2), and call vxhci_fd_ready() and
	 * vxhci_dispatch() when it has one; 0: watch it no longer. From any
	 * thread, and with the mutex held: it must only pass this on to the
	 * VMM's loop. NULL: there are no physical devices. Not called where
	 * wake() is NULL.
	 */
	void (*fd_watch)(void *opaque, int fd, short events);
	/*
	 * The guest changed the lights of the keyboard in @port, VXHCI_LED_*.
	 * In any thread that is in a call of this controller, and with the
	 * mutex held: it must only pass this on. May be NULL.
	 */
	void (*leds)(void *opaque, unsigned port, unsigned leds);
	/*
	 * Something happened to a device; @d is not to be kept. From any
	 * thread, with the mutex held. May be NULL.
	 */
	void (*event)(void *opaque, enum vxhci_event event,
		      const struct vxhci_device *d);
	/*
	 * Other ways of interrupts, and PME, which the function has where these
	 * are not NULL: the level of INTA, which falls when the guest has seen
	 * to its interrupts; an MSI message; the guest wants to be woken from
	 * its sleep (a device was plugged in, a key pressed).
	 */
	void (*intx)(void *opaque, bool level);
	void (*msi)(void *opaque, uint64_t addr, uint32_t data);
	void (*pme)(void *opaque);
	void (*reserved[3])(void); /* for later versions; zeroes */
};

/*
 * vxhci_create - a controller with its devices, from the text of a slot option
 * as on the command line: "30,xhci,storage=disk.img". On failure returns
 * -EINVAL (the text), another -errno (a file, memory), and in @errbuf one
 * line "TOKEN: what is wrong: what to do". @ops is copied.
 */
int vxhci_create(const char *slot_option, const struct vxhci_ops *ops,
		 void *opaque, char *errbuf, size_t errlen,
		 struct vxhci **ret_v);
/*
 * vxhci_destroy - take out the devices, wait for what is in flight, free.
 * Blocks (bounded: built-in and physical devices end a cancelled transfer).
 * Every mapping is released before it returns. NULL is allowed.
 */
void vxhci_destroy(struct vxhci *v);
/* The slot as written: "30", "0:30", "0:30:1". Borrowed from @v. */
const char *vxhci_slot(const struct vxhci *v);

/*
 * PCI. Offsets and sizes as the guest used them; sizes 1, 2, 4 or 8 (BAR),
 * 1, 2 or 4 (configuration space). What lies outside reads as 0 and writes
 * nothing. The library keeps BAR, command and MSI-X control registers as a
 * real function does.
 */
uint64_t vxhci_bar_read(struct vxhci *v, uint32_t off, unsigned size);
void vxhci_bar_write(struct vxhci *v, uint32_t off, unsigned size,
		     uint64_t val);
uint32_t vxhci_cfg_read(struct vxhci *v, uint32_t off, unsigned size);
void vxhci_cfg_write(struct vxhci *v, uint32_t off, unsigned size,
		     uint32_t val);
/*
 * vxhci_msix_external - the VMM (a vfio-user client) keeps the MSI-X table and
 * capability itself: deliver every vector through ops.msix whatever the
 * table's mask bits say, and where the guest enabled MSI instead. @on is
 * whether one of them is enabled.
 */
void vxhci_msix_external(struct vxhci *v, bool on);
/* The current address and data of a vector, masked bit applied. 0 or -EINVAL */
int vxhci_msix_entry(struct vxhci *v, unsigned vector, uint64_t *ret_addr,
		     uint32_t *ret_data, bool *ret_masked);
/* PCI function reset. Registers read as after reset at once. */
void vxhci_reset(struct vxhci *v);

/*
 * Guest memory. @ptr is @len bytes in this process that stay valid until
 * ops.mem_released(@cookie), which follows the unmap (possibly from inside
 * vxhci_mem_unmap(), possibly much later: transfers in flight hold it).
 * Ranges must not overlap: -EEXIST. @gpa and @len are multiples of 4096, or
 * -EINVAL; more than 65,535 ranges: -ENOSPC.
 * Unmap takes exactly what was mapped: -ENOENT otherwise.
 */
int vxhci_mem_map(struct vxhci *v, uint64_t gpa, uint64_t len, void *ptr,
		  bool writable, void *cookie);
int vxhci_mem_unmap(struct vxhci *v, uint64_t gpa, uint64_t len);
void vxhci_mem_unmap_all(struct vxhci *v);
/*
 * vxhci_mem_fault - for the VMM's SIGBUS handler, where guest memory is a file
 * that somebody may truncate: the library installs no handler. @addr is its
 * si_addr, si_code BUS_ADRERR. True: it is in a range of vxhci_mem_map(), in
 * whatever controller; a page of zeroes is there now, so the handler returns,
 * and the access goes on. The controllers whose range it is say Host System
 * Error (USBSTS.HSE) to their guest, and touch the range no more. False: it is
 * not, or that failed: the fault is somebody else's. Any thread, signal
 * handlers too; errno is kept.
 */
bool vxhci_mem_fault(const void *addr);

/*
 * vxhci_dispatch - do pending work: call after wake(), and when the deadline
 * has passed. Bounded. Sets *ret_timeout_ns to the time until it wants to be
 * called again if nothing wakes it: 0 at once, UINT64_MAX never.
 */
void vxhci_dispatch(struct vxhci *v, uint64_t *ret_timeout_ns);
/*
 * vxhci_fd_ready - a descriptor of ops.fd_watch() has an event: the next
 * vxhci_dispatch() looks what it is (and no other does). Any thread.
 */
void vxhci_fd_ready(struct vxhci *v);

/*
 * vxhci_start - instead of all that: where ops.wake is NULL, a thread of the
 * library's own does the work from now on, until vxhci_stop(). It has all
 * signals blocked, and the callbacks are called from it too. 0; -EINVAL: there
 * is a wake(); -EALREADY: it runs; -EAGAIN: no thread.
 * vxhci_stop - the thread has ended when this returns: nothing moves until the
 * next vxhci_start(). No harm where there is none; vxhci_destroy() does it.
 * Both from any thread, but one at a time, and not from a callback.
 */
int vxhci_start(struct vxhci *v);
void vxhci_stop(struct vxhci *v);

/*
 * Input: what a person does with a built-in keyboard, mouse or tablet. @port
 * is where the device is, 0 the first that has such a thing (a wheel: a tablet
 * or a mouse). The guest gets events in this order, each once; moves that
 * follow each other are one where it is slow. Any thread.
 *
 * Returns 0. -ENODEV: no such device. -EINVAL: it has no such thing, or a
 * value is out of range. -EAGAIN: the guest is too far behind: nothing has
 * changed; never for a release or a move. -ENOTCONN: the guest does not use
 * the device now: it will learn what is held down, and where the pointer is,
 * when it does, and no more than that.
 */
#define VXHCI_ABS_MAX 32767 /* right and lower edge for a tablet */
#define VXHCI_REL_MAX 32767 /* the longest way in one move of a mouse */
#define VXHCI_WHEEL_MAX 127 /* steps at once */
enum vxhci_button {
	VXHCI_BUTTON_LEFT,
	VXHCI_BUTTON_RIGHT,
	VXHCI_BUTTON_MIDDLE,
	VXHCI_BUTTON_SIDE,
	VXHCI_BUTTON_EXTRA
};
#define VXHCI_LED_NUM 1u
#define VXHCI_LED_CAPS 2u
#define VXHCI_LED_SCROLL 4u
#define VXHCI_LED_COMPOSE 8u
#define VXHCI_LED_KANA 16u
/*
 * @usage: the key as HID usage tables number it (page 7): 0x04 is the key of
 * a US keyboard that says A, 0xe0 left control.
 */
int vxhci_input_key(struct vxhci *v, unsigned port, unsigned usage, bool down);
int vxhci_input_button(struct vxhci *v, unsigned port, enum vxhci_button button,
		       bool down);
/* Tablet: from 0, 0, the upper left corner, to VXHCI_ABS_MAX. */
int vxhci_input_abs(struct vxhci *v, unsigned port, int x, int y);
/* Mouse: to the right and down, up to +-VXHCI_REL_MAX. */
int vxhci_input_rel(struct vxhci *v, unsigned port, int dx, int dy);
/* Steps up (away from the person) and to the right, up to +-VXHCI_WHEEL_MAX. */
int vxhci_input_wheel(struct vxhci *v, unsigned port, int up, int right);
/*
 * vxhci_key_usage - the usage of a key that has this name, as in vxhci(8):
 * "a", "enter", "leftctrl". 0: there is none.
 */
unsigned vxhci_key_usage(const char *name);

/*
 * Hot-plug. vxhci_attach() asks for a device more: @device is its text in a
 * slot option, "bus=1,port=2.3,at=5" or "storage=disk.img", @rule (NULL:
 * "attach") who or what wanted it, for status and events. A device of the host
 * that is not there is no error, and one that is there is attached soon:
 * ops.event() tells. Returns 0 and its id, or -errno with one line in @errbuf:
 * -EINVAL (the text, or a hub), -EEXIST (wanted already), -EBUSY (another owner, or
 * the port is taken), -ENOSPC (no port), -EAGAIN (too many devices that were
 * taken out hold transfers still), another for what it cannot be.
 * Opening may block the caller, but no other function.
 */
int vxhci_attach(struct vxhci *v, const char *device, const char *rule,
		 char *errbuf, size_t errlen, unsigned *ret_id);
/*
 * vxhci_attach_fd - the same for the physical device behind @fd, an open usbfs
 * descriptor, which is taken over on success; the caller answers for nobody
 * else using the device. @device says where to and what it is called. When
 * the device goes, it is not waited for. With storage=FILE it is the file's, and
 * stays the caller's to close: FILE is not opened, but names it.
 */
int vxhci_attach_fd(struct vxhci *v, int fd, const char *device,
		    const char *rule, char *errbuf, size_t errlen,
		    unsigned *ret_id);
/*
 * vxhci_detach - take out, and ask no longer for: a port "5", an id "#7", or
 * a device as above. The guest sees an unplug at once; VXHCI_DEVICE_DETACHED
 * tells when the device was given back. Returns how many there were, or
 * -EINVAL, -ENOENT with one line in @errbuf.
 */
int vxhci_detach(struct vxhci *v, const char *which, char *errbuf,
		 size_t errlen);
/*
 * Both fill at most @n of @buf and return how many there are: at most
 * VXHCI_MAX_DEVICES and VXHCI_MAX_PORTS.
 */
#define VXHCI_MAX_DEVICES 128u
#define VXHCI_MAX_PORTS 30u
size_t vxhci_get_devices(struct vxhci *v, struct vxhci_device *buf, size_t n);
size_t vxhci_get_ports(struct vxhci *v, struct vxhci_port *buf, size_t n);
/* "waiting", "attaching", ... "in-use". Static. */
const char *vxhci_state_name(enum vxhci_state state);

/*
 * The media of built-in disks: unit @lun (from 0) of the storage in @port, which
 * was made with `removable`. vxhci_media_insert() puts in the image @path in
 * place of what is there. The guest is told with its next command; one that has
 * locked the medium is only overruled with @force. Blocks while commands of the
 * guest are under way, for a quarter of a second, and for the file. Any thread but that of
 * vxhci_dispatch(). 0, or -errno with one line in @errbuf.
 */
int vxhci_media_insert(struct vxhci *v, unsigned port, unsigned lun,
		       const char *path, bool readonly, bool force,
		       char *errbuf, size_t errlen);
int vxhci_media_eject(struct vxhci *v, unsigned port, unsigned lun, bool force,
		      char *errbuf, size_t errlen);

/*
 * vxhci_port_over_current - too much current is drawn from a port (1..), or no
 * longer is: the guest sees its power go, and may turn it on again later.
 * 0 or -EINVAL (no such port).
 */
int vxhci_port_over_current(struct vxhci *v, unsigned port, bool on);

/*
 * For a VMM that suspends or moves its guest, while no VCPU runs.
 *
 * vxhci_snapshot() stops the controller and gives its state as bytes
 * (malloc'd, the caller's): PCI function, registers, rings, and the built-in
 * devices with what each was doing. Transfers are taken back from the devices,
 * and go on from there later. It blocks, for @timeout_ms at most, for devices
 * that do not give back at once; after half of it requests on control endpoints
 * are taken back too. Soon after vxhci_resume() it lets the devices work first,
 * up to 20 ms after that. 0: until vxhci_resume() nothing moves, guest memory is
 * not touched (by vxhci_destroy() neither), and devices cannot be attached.
 * -ETIMEDOUT: a device holds on; -ENOTSUP: it is recorded; -ENOMEM: all goes on
 * as if nothing had been.
 *
 * vxhci_restore() takes @buf, whoever it is from, into a controller made like
 * the other, with guest memory mapped, before the guest's first access. Built-in
 * devices that are in the ports they were in (with an image that has the same
 * size) go on; of any other, and of physical ones, the guest sees that they are
 * unplugged, and what is in the port now plugged in. 0, and it is stopped, until
 * vxhci_resume(); it may have called ops.leds() by then. -EINVAL (no snapshot,
 * or damaged), -ENOTSUP (of another version, or of a controller or disk that is
 * not like this one), -EBUSY (it has been used, or is recorded), -ENOMEM, with
 * one line in @errbuf: it is as new.
 */
int vxhci_snapshot(struct vxhci *v, unsigned timeout_ms, uint8_t **ret_buf,
		   size_t *ret_len);
int vxhci_restore(struct vxhci *v, const uint8_t *buf, size_t len, char *errbuf,
		  size_t errlen);
void vxhci_resume(struct vxhci *v);

/* Counters; see the manual page's `status`. */
struct vxhci_stats {
	uint64_t transfers, bytes, errors, commands, events, interrupts;
	uint64_t port_resets, trb_reads, trb_peeks, copied_bytes, allocs;
	uint32_t in_flight;
	uint32_t reserved32;
	uint64_t bytes_in_flight;
	uint64_t reserved[15]; /* for later versions; they read as 0 */
};
void vxhci_get_stats(struct vxhci *v, struct vxhci_stats *ret);

/*
 * vxhci_pcap_open - a capture of USB traffic, in the format of vxhci(8)'s
 * --pcap; @option is the text after that. A thread writes the file, so that
 * no controller waits for it: what does not fit in memory meanwhile is lost,
 * and counted. @log, which may be NULL, is told in any thread when the file
 * cannot be written. 0, or -errno with one line in @errbuf.
 */
struct vxhci_pcap;
int vxhci_pcap_open(const char *option,
		    void (*log)(void *opaque, enum vxhci_log level,
				const char *line),
		    void *opaque, char *errbuf, size_t errlen,
		    struct vxhci_pcap **ret_p);
/*
 * Have all transfers of @v in it from now on. Each controller is in one
 * capture (-EBUSY), until it is destroyed; a capture has room for 256.
 */
int vxhci_pcap_add(struct vxhci_pcap *p, struct vxhci *v);
/*
 * Write what is left, and close the file. Every controller in it has been
 * destroyed. NULL is allowed.
 */
void vxhci_pcap_close(struct vxhci_pcap *p);

/*
 * vxhci_record_open - a recording of what crosses between guests and
 * controllers, for `vxhci replay`, in the format of docs/recording.md. A
 * thread writes @file, which is emptied when the first controller is in it, so
 * that no controller waits for it: where it cannot keep up or the file cannot
 * be written the recording ends, with a mark in it, and @log, which may be
 * NULL, is told in any thread. 0, or -errno with one line in @errbuf.
 */
struct vxhci_record;
int vxhci_record_open(const char *file,
		      void (*log)(void *opaque, enum vxhci_log level,
				  const char *line),
		      void *opaque, char *errbuf, size_t errlen,
		      struct vxhci_record **ret_r);
/* vxhci_create() of a controller that is in @r from its first moment. */
int vxhci_create_recorded(const char *slot_option, const struct vxhci_ops *ops,
			  void *opaque, struct vxhci_record *r, char *errbuf,
			  size_t errlen, struct vxhci **ret_v);
/*
 * Write what is left, and close the file. Every controller in it has been
 * destroyed. NULL is allowed.
 */
void vxhci_record_close(struct vxhci_record *r);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif
#ifdef __cplusplus
}
#endif
#endif
