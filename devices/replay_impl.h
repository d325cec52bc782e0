/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay_impl.h - inside the device replay: what the capture says, in the form
 * in which it is asked for, and how far it has got.
 */
#ifndef DEVICES_REPLAY_IMPL_H
#define DEVICES_REPLAY_IMPL_H

#include "devices/capture.h"
#include "devices/gadget.h"
#include "devices/replay.h"
#include "devices/xfer_queue.h"

#define REPLAY_MAX_CONFIGS 8u
#define REPLAY_MAX_QUEUES 512u /* endpoints, and streams of them */
/* and for the endpoints and types of them that the capture does not have */
#define REPLAY_ALL_QUEUES (REPLAY_MAX_QUEUES + 128u)
#define REPLAY_INTERFACES 32u
#define REPLAY_PATIENCE_NS 1000000000ull
#define REPLAY_DEVICE_LEN 18u

/* What the device says of itself */
struct replay_desc {
	uint8_t device[REPLAY_DEVICE_LEN];
	uint8_t *config[REPLAY_MAX_CONFIGS]; /* owned; wTotalLength bytes */
	uint16_t config_len[REPLAY_MAX_CONFIGS];
	unsigned nconfigs;
	enum usb_speed speed;
};

struct replay;

/* Transfers of an endpoint, or of one of its streams; or all of control. */
struct replay_queue {
	uint8_t ep, type;
	uint16_t stream;
	const uint32_t *xfer; /* borrowed: indices in the capture, in order */
	uint32_t n;
	uint32_t last_ended; /* behind the last that the device ended */

	uint32_t pos;         /* the first that is not used up */
	uint32_t off;         /* bytes of it, or packets, that have moved */
	uint64_t prev_end_ns; /* of the one before it, in the capture */
	struct xfer_queue held;
	bool timed;       /* base_ns is set */
	uint64_t base_ns; /* since when the first held waits for it */

	bool ignored;        /* nobody waits for it, until ... */
	uint32_t ignored_no; /* ... this has come: capture_xfer.end_no */
	bool differs;        /* said so */

	uint64_t interval_ns; /* isochronous: from the guest's endpoint */
	uint64_t slot_ns;     /* the interval used last */
};

struct replay {
	struct usb_dev dev; /* embedded, first */
	struct capture *c;  /* owned */
	uint16_t capture_dev;
	enum replay_pace pace;
	struct replay_desc desc;

	/* replay_script.c makes these; owned */
	struct replay_queue *queue;
	unsigned nqueues;
	uint32_t *entries; /* what queue[].xfer points into */
	uint32_t *order;   /* ended transfers, by their end */
	uint32_t norder;
	uint32_t *control; /* requests, by setup packet, then in order */
	uint32_t *next;    /* beside it, at the first of each request: the
			     * answers used, relative to it */
	uint32_t ncontrol;
	uint16_t *queue_of; /* of each transfer; REPLAY_CONTROL */
	uint32_t unplug_no; /* a transfer that ends CAPTURE_GONE behind this
			     * record is the unplug */

	/* how far it has got */
	uint8_t *used;           /* of each transfer */
	uint32_t cursor;         /* in order[]: before it, all have come */
	struct replay_queue ctl; /* held requests */
	uint32_t ctl_no;         /* end_no of the last one answered */
	uint64_t moved_ns;       /* when the last was used up */
	struct pm_timer timer;
	bool unplugged;
	uint32_t missing; /* requests that were not in the capture */

	/* the state of USB 2.0 §9.1 */
	uint8_t config;
	uint8_t alt[REPLAY_INTERFACES];
};

#define REPLAY_CONTROL 0xffffu
#define REPLAY_NONE 0xfffeu

/* --- replay_desc.c: which device, and its descriptors --- */

/*
 * Choose the device (r->capture_dev) and find its descriptors in the capture
 * or in a description beside it. 0, or -errno and a line in @err.
 */
int replay_choose(struct replay *r, const struct replay_opt *o, char *err,
		  size_t errlen);
void replay_desc_free(struct replay_desc *d);
/* wTotalLength of a configuration descriptor if @len bytes hold it, or 0 */
uint16_t replay_config_total(const uint8_t *p, uint32_t len);
/* All configurations at @p, one behind the other. 0 or -ENOMEM */
int replay_add_configs(struct replay_desc *d, const uint8_t *p, uint32_t len);

/* --- umockdev.c: umockdev's description of a device --- */

/* What a description says of the device asked for. */
struct umockdev_dev {
	uint8_t *bytes; /* owned: device descriptor and configurations */
	uint32_t len;
	enum usb_speed speed; /* NONE: it does not say */
};

/*
 * umockdev_find - in the description @path the device at @bus and @addr, with
 * @id (idVendor, idProduct as they lie in a device descriptor) unless NULL;
 * if @id is there, at any address. 0; -ENOENT (no such file), -ENODEV (no such
 * device in it), -EINVAL (no description), -EFBIG, -ENOMEM.
 */
int umockdev_find(const char *path, uint16_t bus, uint8_t addr,
		  const uint8_t *id, struct umockdev_dev *ret);

/* --- replay_script.c --- */

int replay_script(struct replay *r); /* 0 or -ENOMEM */
void replay_script_free(struct replay *r);
/* From the beginning; nothing is held. */
void replay_rewind(struct replay *r);
/* The queue of an endpoint; NULL: the capture has nothing for it */
struct replay_queue *replay_queue_find(struct replay *r, uint8_t ep,
				       uint8_t type, uint16_t stream);
/* The requests with this setup packet: from *ret_first, how many */
uint32_t replay_control_find(const struct replay *r, const struct usb_setup *s,
			     uint32_t *ret_first);
/*
 * The longest answer to GET_DESCRIPTOR @s with any wLength; NULL: there is
 * none.
 */
const struct capture_xfer *replay_descriptor(const struct replay *r,
					     const struct usb_setup *s);

/* --- replay_order.c: what may end now, across the endpoints --- */

/* Whether all that ended before @x has come. */
bool replay_in_order(struct replay *r, const struct capture_xfer *x);
/* It has been waited long enough for what comes before @x. */
void replay_give_up(struct replay *r, const struct capture_xfer *x);
/* @x of @q has come to its end here. */
void replay_use(struct replay *r, struct replay_queue *q, uint32_t x);
/*
 * Whether @x, for which @q has a transfer since q->base_ns, may end now. If
 * not, *deadline becomes sooner where there is a time to look again.
 */
bool replay_due(struct replay *r, struct replay_queue *q,
		const struct capture_xfer *x, uint64_t now_ns,
		uint64_t *deadline);
/* The device does not end this one: the host cancelled it, or the file ends */
bool replay_is_held(const struct replay *r, const struct capture_xfer *x);

/* --- replay_queue.c, replay_isoch.c, replay_control.c --- */

/* One step for the first that is held: whether there may be another. */
typedef bool replay_step_fn(struct replay *r, struct replay_queue *q,
			    uint64_t now_ns, uint64_t *deadline);
replay_step_fn replay_queue_step, replay_isoch_step, replay_control_step;

/* Cancel @t, which may be held by @q. */
void replay_queue_cancel(struct replay *r, struct replay_queue *q,
			 struct usb_xfer *t);
void replay_isoch_cancel(struct replay *r, struct replay_queue *q,
			 struct usb_xfer *t);
void replay_control_cancel(struct replay *r, struct usb_xfer *t);

/* --- replay_std.c: requests that follow from the descriptors --- */

/* Answer @t, which is not in the capture; false: it does not follow. */
bool replay_standard(struct replay *r, struct usb_xfer *t);
/* A request of the capture was answered well: it may change the state. */
void replay_note_state(struct replay *r, const struct usb_setup *s);

/* --- replay.c --- */

/* A line for what is not in the capture; they become fewer. */
void replay_missing(struct replay *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Bytes [off, off+len) of what was recorded of @x go to @to of @t. */
void replay_give(struct replay *r, struct usb_xfer *t, uint32_t to,
		 const struct capture_xfer *x, uint32_t off, uint32_t len);
/* OUT: are the bytes at @from of @t the ones recorded at @off of @x? */
bool replay_same(const struct replay *r, const struct usb_xfer *t,
		 uint32_t from, const struct capture_xfer *x, uint32_t off,
		 uint32_t len);

#endif
