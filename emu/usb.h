/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usb.h - what the controller and everything below it share about USB: the
 * one transfer type, and the table of functions a port needs of a device.
 *
 * All functions here run on the controller's own thread. Nothing in this file
 * locks, and nothing blocks.
 */
#ifndef EMU_USB_H
#define EMU_USB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Default Protocol Speed IDs, xHCI 1.2 §7.2.2.1.1 */
enum usb_speed {
	USB_SPEED_NONE = 0,
	USB_SPEED_FULL = 1,
	USB_SPEED_LOW = 2,
	USB_SPEED_HIGH = 3,
	USB_SPEED_SUPER = 4,
	USB_SPEED_SUPER_PLUS = 5,     /* Gen 2x1, 10 Gb/s */
	USB_SPEED_SUPER_BY2 = 6,      /* Gen 1x2, 10 Gb/s on two lanes */
	USB_SPEED_SUPER_PLUS_BY2 = 7, /* Gen 2x2, 20 Gb/s */
	USB_SPEED_MAX = USB_SPEED_SUPER_PLUS_BY2,
};

/* The transfer types as bmAttributes of an endpoint descriptor has them. */
enum usb_type {
	USB_CONTROL = 0,
	USB_ISOCH = 1,
	USB_BULK = 2,
	USB_INTERRUPT = 3,
};

/* How a transfer ended. A short packet is USB_OK with actual < length. */
enum usb_status {
	USB_OK = 0,
	USB_STALL,     /* the endpoint answered STALL: halted until cleared */
	USB_ERROR,     /* no answer, CRC error, timeout: a transaction error */
	USB_BABBLE,    /* the device sent more than was asked for */
	USB_CANCELLED, /* ended by cancel; actual says what came before it */
	USB_NODEV,     /* the device is gone */
	USB_NOMEM,     /* the host had no resources for it: nothing was moved */
	USB_MISSED,    /* isochronous packet: its service interval passed */
	USB_OVERRUN,   /* isochronous packet: buffer overrun in the host */
	USB_NSTATUS
};

#define USB_DIR_IN 0x80u

/* bmRequestType and bRequest of USB 2.0 §9.4 that more than one folder uses */
#define USB_RT_TYPE_MASK 0x60u
#define USB_RT_STANDARD 0x00u
#define USB_RT_CLASS 0x20u
#define USB_RT_VENDOR 0x40u
#define USB_RT_RECIP_MASK 0x1fu
#define USB_RT_DEVICE 0x00u
#define USB_RT_INTERFACE 0x01u
#define USB_RT_ENDPOINT 0x02u
#define USB_REQ_GET_STATUS 0u
#define USB_REQ_CLEAR_FEATURE 1u
#define USB_REQ_SET_FEATURE 3u
#define USB_REQ_SET_ADDRESS 5u
#define USB_REQ_GET_DESCRIPTOR 6u
#define USB_REQ_SET_DESCRIPTOR 7u
#define USB_REQ_GET_CONFIGURATION 8u
#define USB_REQ_SET_CONFIGURATION 9u
#define USB_REQ_GET_INTERFACE 10u
#define USB_REQ_SET_INTERFACE 11u
#define USB_REQ_SYNCH_FRAME 12u
#define USB_REQ_SET_SEL 48u
#define USB_REQ_SET_ISOCH_DELAY 49u

/* The setup packet of a control transfer, host byte order, USB 2.0 §9.3 */
struct usb_setup {
	uint8_t request_type;
	uint8_t request;
	uint16_t value;
	uint16_t index;
	uint16_t length;
};

/*
 * One run of payload bytes, contiguous in this process. `base` points into
 * guest memory that stays mapped until the transfer completes: `hold` is the
 * controller's reference on it and nobody else's business.
 */
struct usb_seg {
	uint8_t *base; /* borrowed until completion */
	size_t len;    /* bytes, never 0 */
	void *hold;
};

/* One packet of an isochronous transfer. */
struct usb_packet {
	uint32_t length;        /* bytes asked for */
	uint32_t actual;        /* bytes moved, set by the device */
	enum usb_status status; /* set by the device */
};

/*
 * struct usb_xfer - one transfer, from the TD to the device and back.
 *
 * Owned by the controller (a pool in emu/xfer.c), lent to the device from
 * submit() until usb_xfer completion. The device reads the first part, may
 * use the members under "the device's", and sets `status` and `actual`
 * through whatever completion function its layer gives it.
 *
 * Payload: `seg[0..nseg)` holds `length` bytes in all, in order. For an IN
 * transfer the device fills them front to back; bytes behind `actual` are
 * not changed. A device that needs one flat buffer calls usb_xfer_flat().
 */
struct usb_xfer {
	/* set by the controller before submit, read only for the device */
	uint8_t ep;      /* endpoint address: number | USB_DIR_IN; EP0 is 0 */
	uint8_t type;    /* enum usb_type */
	uint16_t stream; /* stream id, 0 where the endpoint has no streams */
	bool in;         /* data moves to the guest (control: the data stage) */
	struct usb_setup setup; /* control only */
	uint32_t length;        /* payload bytes, the sum over seg[] */
	uint32_t nseg;
	struct usb_seg *seg; /* owned by the controller */

	/* isochronous only */
	uint32_t npackets;
	struct usb_packet *packet; /* owned by the controller */
	uint32_t frame;            /* microframe it was scheduled for */

	/* set at completion */
	enum usb_status status;
	uint32_t actual; /* payload bytes moved, <= length */

	/* the device's, from submit to completion; NULL/0 at submit */
	struct usb_xfer *next; /* a queue of the device's */
	struct usb_xfer *prev;
	void *dev_priv;
	uint64_t dev_data;

	/* the mapper's, from submit to completion */
	struct usb_xfer *map_next;
	struct usb_xfer *map_prev;
	uint8_t map_state;

	/* the controller's */
	void *td;
};

/*
 * usb_xfer_gather - copy payload bytes [off, off+len) of @x to @buf, as a
 *   device does with an OUT transfer. Returns the number of bytes copied:
 *   less than @len only where the payload ends, or where guest memory does.
 * usb_xfer_scatter - the same from @buf into the payload (IN).
 *
 * These two are the only copies of payload in the project; usb_copied_bytes()
 * counts them (per thread).
 */
size_t usb_xfer_gather(const struct usb_xfer *x, size_t off, void *buf,
		       size_t len);
size_t usb_xfer_scatter(struct usb_xfer *x, size_t off, const void *buf,
			size_t len);
/* Fill payload bytes [off, off+len) with @byte. Not counted as a copy. */
size_t usb_xfer_fill(struct usb_xfer *x, size_t off, int byte, size_t len);
uint64_t usb_copied_bytes(void);

/*
 * Guest memory may vanish while it is used. A signal handler that put something
 * else in its place calls usb_mem_fault(); usb_mem_faults() is how often it did
 * on this thread. Copies that hit such a place end there: they return less.
 * It is asked at each access of guest memory, so it is a load and no call.
 */
extern _Thread_local volatile unsigned usb_mem_fault_count
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

void usb_mem_fault(void);
static inline unsigned usb_mem_faults(void)
{
	/* the access before, and what its handler counted, stay before */
	atomic_signal_fence(memory_order_seq_cst);
	return usb_mem_fault_count;
}

/*
 * usb_xfer_flat - the payload as one run of bytes in guest memory, or NULL if
 * it is scattered (nseg > 1). With length 0 the result is a valid pointer
 * that must not be dereferenced.
 */
uint8_t *usb_xfer_flat(const struct usb_xfer *x);

/* What Configure Endpoint says about an endpoint, checked and decoded. */
struct usb_ep_info {
	uint8_t ep;          /* endpoint address */
	uint8_t type;        /* enum usb_type */
	uint8_t interval;    /* exponent: 125 us << interval */
	uint8_t max_burst;   /* 0..15 */
	uint8_t mult;        /* 0..2; isochronous: as max_esit has it */
	uint16_t max_packet; /* bytes */
	uint32_t max_esit;   /* bytes a service interval */
	uint16_t streams;    /* number of stream ids usable (1..n), 0: none */
};

/*
 * struct usb_port_ops - what a port of the controller needs of the thing that
 * is plugged into it. The mapper implements it. @dev is the pointer given to
 * xhci_port_connect().
 *
 * None of these may call back into the controller before they return: a
 * completion always comes later, through xhci_xfer_done(), and each submitted
 * transfer completes exactly once, whatever happens.
 */
struct usb_port_ops {
	/*
	 * Start @x. Returns 0 when the device has taken it, or -errno when it
	 * has not (then it is not completed, and the controller ends it with
	 * a transaction error).
	 */
	int (*submit)(void *dev, struct usb_xfer *x);
	/*
	 * Ask for the early end of @x, which was submitted and has not
	 * completed. Does not block. The transfer completes later, with
	 * USB_CANCELLED and the bytes moved so far, or as it did end if it was
	 * faster. Transfers of one endpoint are cancelled youngest first.
	 */
	void (*cancel)(void *dev, struct usb_xfer *x);
	/*
	 * USB reset of the device (@warm: a warm reset of a SuperSpeed link).
	 * Answered later by xhci_port_reset_done().
	 */
	void (*reset)(void *dev, bool warm);
	/*
	 * The guest configured (or dropped) an endpoint. No answer; may be
	 * NULL. Nothing is in flight on the endpoint.
	 */
	void (*ep_enable)(void *dev, const struct usb_ep_info *info);
	void (*ep_disable)(void *dev, uint8_t ep);
	/* The guest put the link in U3 or took it back to U0; may be NULL. */
	void (*suspend)(void *dev, bool suspended);
};

#endif
