/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * xhci.h - an emulated xHCI controller (xHCI 1.2), transport free.
 *
 * The controller knows neither PCI nor sockets nor threads: the owner forwards
 * accesses to its MMIO space, gives it guest memory, interrupts, a clock and
 * one timer through struct xhci_host_ops, and calls xhci_run() when told that
 * there is work. All calls for one controller come from one thread at a time,
 * and no host op may call back into the controller.
 *
 * Whatever the guest does ends in a completion code, an error event, or a
 * controller in the HCE state; no function here fails because of it.
 */
#ifndef EMU_XHCI_H
#define EMU_XHCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/usb.h"

#define XHCI_MMIO_SIZE 0x4000u /* bytes of register space */
#define XHCI_NINTRS 8u
#define XHCI_MAX_SLOTS 64u
#define XHCI_MAX_PORTS 30u

struct xhci; /* opaque; emu/core.h */

/* Where a guest physical range lies in this process. */
struct xhci_span {
	uint8_t *base; /* valid until the host's thread returns to its loop, or
			* as long as `hold` is held */
	size_t len;    /* bytes contiguous from base, 1..what was asked */
	void *hold;    /* what mem_hold() takes */
};

enum xhci_log { XHCI_LOG_ERROR, XHCI_LOG_WARN, XHCI_LOG_INFO, XHCI_LOG_DEBUG };

/*
 * What the controller needs of its host. @host is the pointer given to
 * xhci_create(). None of them blocks or calls back.
 */
struct xhci_host_ops {
	/*
	 * Find guest memory at @gpa. Returns 0 and *ret (at least one byte, at
	 * most @len), or -EFAULT where there is none, or where @write and the
	 * memory is read only.
	 */
	int (*mem_get)(void *host, uint64_t gpa, size_t len, bool write,
		       struct xhci_span *ret);
	/* Keep memory mapped beyond this call; drop what was held. */
	void (*mem_hold)(void *host, void *hold);
	void (*mem_drop)(void *host, void *hold);
	/*
	 * Interrupter @intr (0..XHCI_NINTRS-1) signals: send its message.
	 * Called only in message mode, see xhci_set_intr_mode().
	 */
	void (*intr_msg)(void *host, unsigned intr);
	/* The level of the interrupt pin changed. Only in pin mode. */
	void (*intr_pin)(void *host, bool level);
	/* Monotonic time, nanoseconds. */
	uint64_t (*now_ns)(void *host);
	/*
	 * Call xhci_timer() at @at_ns or soon after; replaces the time asked
	 * for before. UINT64_MAX: no call is needed.
	 */
	void (*timer_set)(void *host, uint64_t at_ns);
	/*
	 * There is work: call xhci_run() soon (from the loop, not from here).
	 * Called once per batch; again only after an xhci_run() has begun, and
	 * possibly while that one runs, whatever it then returns.
	 */
	void (*kick)(void *host);
	/* One line, no newline. May be NULL. */
	void (*log)(void *host, enum xhci_log level, const char *line);
	/*
	 * A port has something software wants to be woken for, §4.23.1: PME.
	 * May be NULL.
	 */
	void (*pme)(void *host);
};

struct xhci_config {
	uint8_t usb2_ports;  /* 1..15; ports 1..usb2_ports */
	uint8_t usb3_ports;  /* 0..15; the ports after them */
	bool ctx64;          /* 64-byte contexts (HCCPARAMS1.CSZ) */
	uint8_t scratchpads; /* scratchpad buffers asked of the guest, 0..31 */
};

/*
 * xhci_create - a controller in the state that follows a Chip Hardware Reset.
 * @cfg is copied; @ops and @host are borrowed until xhci_destroy().
 * Returns 0, -EINVAL (a number out of range) or -ENOMEM.
 */
int xhci_create(const struct xhci_config *cfg, const struct xhci_host_ops *ops,
		void *host, struct xhci **ret_x);
/*
 * xhci_destroy - free it. No transfer may be in flight: see xhci_in_flight().
 * NULL is allowed.
 */
void xhci_destroy(struct xhci *x);

/*
 * Guest accesses to the register space, xHCI 1.2 §5. @size is 1, 2, 4 or 8;
 * others, accesses that are not aligned to their size, and accesses outside
 * read as 0 and write nothing.
 */
uint64_t xhci_mmio_read(struct xhci *x, uint32_t off, unsigned size);
void xhci_mmio_write(struct xhci *x, uint32_t off, unsigned size, uint64_t v);

/*
 * xhci_run - do a bounded slice of pending work (doorbells, commands,
 * completions that waited). Returns true when there is more to do at once.
 */
bool xhci_run(struct xhci *x);
/* The time asked for with timer_set() has come. Too early is harmless. */
void xhci_timer(struct xhci *x);

/*
 * xhci_reset - what HCRST does (§5.4.1), from outside: PCI function reset, the
 * VMM's machine reset, a client that left. Registers read as after reset at
 * once; transfers in flight are cancelled, and CNR stays set until the last of
 * them has completed.
 */
void xhci_reset(struct xhci *x);
/*
 * For a VMM that moves or suspends a guest, whose cpus stand still meanwhile.
 * xhci_pause() takes all transfers back from the devices, where a request on a
 * control endpoint is waited for unless @requests: done again it might do
 * harm. When xhci_in_flight() is 0, xhci_snapshot() gives the whole state as
 * bytes (malloc'd, the caller's; -EBUSY, -ENOMEM). What is plugged in is not
 * in them but for that it was there. xhci_resume() goes on.
 *
 * xhci_restore() is for a controller of the same configuration as it was
 * created, with the same devices in its ports, but for those in @new_ports (bit
 * 1 is port 1), which are new to the guest: 0, and it is paused; -EINVAL
 * (not a snapshot, damaged), -ENOTSUP (of another version, or of another
 * configuration), -EBUSY (it was used, or has a tap) or -ENOMEM. After a
 * failure it is as new. Devices are told of their endpoints; a port whose
 * device is missing disconnects.
 */
void xhci_pause(struct xhci *x, bool requests);
/* One that xhci_restore() does not find -EBUSY */
bool xhci_is_unused(const struct xhci *x);
void xhci_resume(struct xhci *x);
int xhci_snapshot(struct xhci *x, uint8_t **ret_buf, size_t *ret_len);
int xhci_restore(struct xhci *x, const uint8_t *buf, size_t len,
		 uint32_t new_ports);
/*
 * xhci_mem_lost - guest memory that mem_get() gave is gone: the target abort of
 * a controller on a bus, which is a host system error (HSE, §4.24.1, §5.4.2)
 * until a reset.
 */
void xhci_mem_lost(struct xhci *x);
/* Number of transfers the devices hold. */
unsigned xhci_in_flight(const struct xhci *x);
/* Bus mastering (PCI command register): when off, no guest memory is touched. */
void xhci_set_bus_master(struct xhci *x, bool on);

/* How interrupts leave: messages (MSI, MSI-X), the pin, or not at all. */
enum xhci_intr_mode { XHCI_INTR_NONE, XHCI_INTR_MSG, XHCI_INTR_PIN };
void xhci_set_intr_mode(struct xhci *x, enum xhci_intr_mode mode);

/*
 * Ports are numbered from 1. xhci_port_connect() plugs a device in: @ops and
 * @dev are borrowed until xhci_port_disconnect() and until the last transfer
 * in flight on the device has completed. Returns 0, -EINVAL (no such port, or
 * the speed does not fit its protocol), or -EBUSY (occupied).
 *
 * xhci_port_disconnect() takes it out: the guest sees an unplug. Transfers in
 * flight must still complete, with any status. Returns 0 or -ENOENT.
 */
int xhci_port_connect(struct xhci *x, unsigned port, enum usb_speed speed,
		      const struct usb_port_ops *ops, void *dev);
int xhci_port_disconnect(struct xhci *x, unsigned port);
unsigned xhci_nports(const struct xhci *x);
/* True for a USB 3 port; @port 1..xhci_nports(). */
bool xhci_port_is_usb3(const struct xhci *x, unsigned port);
bool xhci_port_is_free(const struct xhci *x, unsigned port);
/* PORTSC as the guest would read it, §5.4.8; @port 1..xhci_nports(). */
uint32_t xhci_port_status(const struct xhci *x, unsigned port);
/* The device answers usb_port_ops.reset(). @ok false: it did not survive. */
void xhci_port_reset_done(struct xhci *x, unsigned port, bool ok);
/*
 * xhci_port_fault - what else can befall a port: too much current is drawn or
 * no longer is (the power goes, OCA, OCC); an error on the bus that ends it
 * (USB 2: PEC; USB 3: SS.Inactive); a SuperSpeed link that does not train
 * (Compliance) or whose partner cannot be configured (CEC). 0, or -EINVAL:
 * there is no such port. What does not fit the port's state has no effect.
 */
enum xhci_port_fault {
	XHCI_FAULT_LINK,
	XHCI_FAULT_TRAINING,
	XHCI_FAULT_CONFIG,
	XHCI_FAULT_OVER_CURRENT,
	XHCI_FAULT_NO_OVER_CURRENT,
};
int xhci_port_fault(struct xhci *x, unsigned port, enum xhci_port_fault fault);
/*
 * The device sends a Device Notification, USB 3.2 §8.5.6: @type 0..15, and
 * what follows it, 56 bits. Software hears of those it asked for (DNCTRL).
 */
void xhci_port_notify(struct xhci *x, unsigned port, unsigned type,
		      uint64_t value);
/* The device signals resume (remote wakeup). */
void xhci_port_wake(struct xhci *x, unsigned port);

/*
 * xhci_xfer_done - @t, which was submitted, has ended: status and actual are
 * set. Never called from inside a port op. After it @t belongs to the
 * controller again.
 */
void xhci_xfer_done(struct xhci *x, struct usb_xfer *t);

/* What a controller holds and does at most, docs/limits.md. */
struct xhci_limits {
	uint32_t tds;        /* in flight */
	uint32_t ring_tds;   /* in flight a transfer ring; isochronous: more */
	uint64_t bytes;      /* in flight, but for the TD that goes beyond */
	uint64_t ring_bytes; /* the same a transfer ring */
	uint32_t td_trbs;    /* of one TD */
	uint32_t run_trbs;   /* read by one xhci_run() */
	uint32_t run_commands;
};
void xhci_get_limits(struct xhci_limits *ret);
/* Bytes that devices hold. */
uint64_t xhci_bytes_in_flight(const struct xhci *x);

/* Counters since creation, for status and for the bench. */
struct xhci_stats {
	uint64_t trb_reads; /* TRBs read whole */
	uint64_t
		trb_peeks; /* control dwords read of TRBs not yet the controller's */
	uint64_t ctx_reads; /* context structures read */
	uint64_t ctx_writes;
	uint64_t events; /* event TRBs written */
	uint64_t interrupts;
	uint64_t commands;
	uint64_t tds;    /* transfers submitted */
	uint64_t bytes;  /* payload bytes completed */
	uint64_t errors; /* transfer events with an error code */
	uint64_t port_resets;
	uint64_t ring_full;   /* times an event ring was full */
	uint64_t pool_allocs; /* allocations after creation */
};
const struct xhci_stats *xhci_stats(const struct xhci *x);

#endif
