/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gadget.h - what every built-in device has in common: descriptors and the
 * standard requests of USB 2.0 §9.4 and USB 3.2 §9.4.
 *
 * A device embeds struct gadget as its first member, sets it up with
 * gadget_init(), and names gadget_submit() as its usb_dev_ops.submit. It is
 * then asked only about what is its own: class and vendor requests, transfers
 * on endpoints that exist and are not halted, and changes of state.
 *
 * All of it runs on the controller's thread, and nothing blocks.
 */
#ifndef DEVICES_GADGET_H
#define DEVICES_GADGET_H

#include "pmapper/pmapper.h"

/* Descriptor types, USB 2.0 table 9-5 and USB 3.2 table 9-6 */
#define USB_DT_DEVICE 1u
#define USB_DT_CONFIG 2u
#define USB_DT_STRING 3u
#define USB_DT_INTERFACE 4u
#define USB_DT_ENDPOINT 5u
#define USB_DT_DEVICE_QUALIFIER 6u
#define USB_DT_OTHER_SPEED_CONFIG 7u
#define USB_DT_BOS 15u
#define USB_DT_DEVICE_CAPABILITY 16u
#define USB_DT_SS_EP_COMPANION 48u

/* Feature selectors, USB 2.0 table 9-6 and USB 3.2 table 9-7 */
#define USB_FEAT_ENDPOINT_HALT 0u
#define USB_FEAT_FUNCTION_SUSPEND 0u
#define USB_FEAT_REMOTE_WAKEUP 1u
#define USB_FEAT_TEST_MODE 2u
#define USB_FEAT_U1_ENABLE 48u
#define USB_FEAT_U2_ENABLE 49u
#define USB_FEAT_LTM_ENABLE 50u

/* bmAttributes of a configuration, USB 2.0 table 9-10 */
#define USB_CONFIG_ONE 0x80u
#define USB_CONFIG_SELF_POWERED 0x40u
#define USB_CONFIG_WAKEUP 0x20u

/*
 * Bytes of descriptors, for configuration tables written out as arrays:
 *   static const uint8_t config[] = { USB_D_CONFIG(32, 1, 1, 0xc0, 0),
 *		USB_D_INTERFACE(0, 0, 2, 8, 6, 0x50, 0), ... };
 */
#define USB_D_LE16(v) (uint8_t)((v)&0xffu), (uint8_t)((v) >> 8)
#define USB_D_CONFIG(total, nintf, value, attr, power)                    \
	9, USB_DT_CONFIG, USB_D_LE16(total), (nintf), (value), 0, (attr), \
		(power)
#define USB_D_INTERFACE(num, alt, neps, class, sub, proto, str)             \
	9, USB_DT_INTERFACE, (num), (alt), (neps), (class), (sub), (proto), \
		(str)
#define USB_D_ENDPOINT(addr, type, mps, interval) \
	7, USB_DT_ENDPOINT, (addr), (type), USB_D_LE16(mps), (interval)
#define USB_D_COMPANION(burst, attr, bytes) \
	6, USB_DT_SS_EP_COMPANION, (burst), (attr), USB_D_LE16(bytes)

#define GADGET_STRINGS 8u
#define GADGET_INTERFACES 16u

/* String indices that the device descriptor uses */
enum { GADGET_STR_VENDOR = 1, GADGET_STR_PRODUCT, GADGET_STR_SERIAL };

/* One configuration at one speed: all its bytes, the header included. */
struct gadget_blob {
	const uint8_t *bytes; /* NULL: the device does not run at this speed */
	uint16_t len;
};

/* What a kind of device says of itself; constant. */
struct gadget_desc {
	uint16_t vendor, product, version; /* idVendor idProduct bcdDevice */
	uint8_t dev_class, dev_subclass, dev_protocol;
	uint8_t nconfigs;
	/* [configuration][speed]; bConfigurationValue is in the bytes */
	const struct gadget_blob (*configs)[USB_SPEED_SUPER + 1];
};

struct gadget;

/* What the common part asks of the device. Members may be NULL. */
struct gadget_ops {
	/*
	 * A transfer for an endpoint that the current configuration has and
	 * that is not halted. The device owns @t until usb_dev_complete().
	 */
	void (*transfer)(struct gadget *g, struct usb_xfer *t);
	/*
	 * A class or vendor request, or a standard one that is not generic
	 * (GET_DESCRIPTOR of a class descriptor). Returns 0 when the device
	 * has taken @t, anything else for a STALL.
	 */
	int (*control)(struct gadget *g, struct usb_xfer *t);
	/* g->config or an alternate setting changed, by request or reset. */
	void (*configured)(struct gadget *g);
	/*
	 * The host set or cleared ENDPOINT_HALT of @ep; gadget_halted() says
	 * the new state. The device may gadget_halt() it again from inside.
	 */
	void (*halt)(struct gadget *g, uint8_t ep, bool halted);
};

struct gadget {
	struct usb_dev dev; /* embedded, first */
	const struct gadget_ops *ops;
	const struct gadget_desc *desc;
	/* borrowed for the gadget's life, ASCII; NULL: none. [0] unused */
	const char *string[GADGET_STRINGS];

	/* the state of USB 2.0 §9.1; readable for the device */
	uint8_t config; /* bConfigurationValue, 0: not configured */
	uint8_t alt[GADGET_INTERFACES];
	bool remote_wakeup;
	bool u1_enabled, u2_enabled;

	/* gadget.c's own; bit (number) OUT, bit (16 + number) IN */
	uint32_t eps;    /* endpoints there are now */
	uint32_t halted; /* of these, the halted ones */
	uint16_t function_wakeup;
	uint16_t isoch_delay_ns;
	uint8_t sel[6];
};

/*
 * gadget_init - set up the common part: @g is zeroed, and its ops, descriptors
 * and speed set. Strings and dev.label are the caller's to set afterwards.
 */
void gadget_init(struct gadget *g, const struct usb_dev_ops *dev_ops,
		 const struct gadget_ops *ops, const struct gadget_desc *desc,
		 enum usb_speed speed);
/* usb_dev_ops.submit of a device that embeds a gadget. Always returns 0. */
int gadget_submit(struct usb_dev *d, struct usb_xfer *t);
/*
 * gadget_reset - back to the Default state. Does not call ops.configured():
 * the device's reset() knows. The caller answers usb_dev_reset_done().
 */
void gadget_reset(struct gadget *g);

/*
 * The common part of usb_dev_ops.snap: its state to @s or from it, checked.
 * ops.configured() is not called.
 */
void gadget_snap(struct gadget *g, struct snap *s);

/* The settings that are selected have endpoint @ep. */
bool gadget_has_ep(const struct gadget *g, uint8_t ep);
/* Halt @ep until the host clears it; transfers that follow are stalled. */
void gadget_halt(struct gadget *g, uint8_t ep);
bool gadget_halted(const struct gadget *g, uint8_t ep);
/*
 * The host lets the device wake it: USB 2.0 §9.1.1.6, or at super speed the
 * function of interface 0, USB 3.2 §9.2.5.4.
 */
bool gadget_may_wake(const struct gadget *g);

/*
 * gadget_reply - end the control IN transfer @t with up to @len bytes of @buf:
 * never more than wLength.
 */
void gadget_reply(struct gadget *g, struct usb_xfer *t, const void *buf,
		  size_t len);
/* End a control transfer that has no data to return, or all of it taken. */
void gadget_ack(struct gadget *g, struct usb_xfer *t);

/* gadget_desc.c: answer GET_DESCRIPTOR. 0, or -EPIPE: @t was not touched. */
int gadget_get_descriptor(struct gadget *g, struct usb_xfer *t);
/* The bytes of the configuration @value at this speed, or NULL. */
const struct gadget_blob *gadget_find_config(const struct gadget *g,
					     uint8_t value);
/* The next descriptor after offset *pos in @b, or NULL; *pos moves on. */
const uint8_t *gadget_next_desc(const struct gadget_blob *b, size_t *pos);

#endif
