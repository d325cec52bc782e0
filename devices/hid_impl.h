/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hid_impl.h - inside the keyboard, mouse and tablet.
 */
#ifndef DEVICES_HID_IMPL_H
#define DEVICES_HID_IMPL_H

#include "devices/gadget.h"
#include "devices/hid.h"
#include "devices/xfer_queue.h"

#define HID_DT_HID 0x21u /* HID 1.11 §7.1 */
#define HID_DT_REPORT 0x22u

#define HID_EP 0x81u
#define HID_REPORT_MAX 8u /* bytes: a packet at low speed */

#define HID_QUEUE 1024u /* events */
/* Kept for what is never refused: a release of each key that can be down, or a
 * release and a move after it of each button */
#define HID_RESERVE 256u

enum hid_what { HID_EV_KEY, HID_EV_BUTTON, HID_EV_MOVE, HID_EV_WHEEL };

struct hid_event {
	uint8_t what; /* enum hid_what */
	uint8_t code; /* KEY: usage; BUTTON: number from 0 */
	bool down;
	int16_t x, y; /* MOVE: place, or way; WHEEL: right, up */
};

/* What is held down, and where things are. */
struct hid_state {
	uint8_t keys[32]; /* a bit a usage */
	uint8_t buttons;
	int32_t x, y;              /* tablet */
	int32_t dx, dy, up, right; /* not yet in a report */
};

struct hid;

/* What is different between the kinds; constant. */
struct hid_type {
	const char *name, *product;
	const struct gadget_desc *desc;
	const uint8_t *hid_desc; /* 9 bytes, as in the configurations */
	const uint8_t *report_desc;
	uint16_t report_desc_len;
	bool boot;    /* there is a boot protocol */
	uint8_t idle; /* after a reset, in 4 ms */
	bool abs;     /* moves are places */
	bool keys;    /* keys and lights, and no pointer */
	/*
	 * The report for @s into @buf of HID_REPORT_MAX; returns its length.
	 * Distances that are in it are taken from @s.
	 */
	uint8_t (*report)(struct hid_state *s, bool boot, uint8_t *buf);
};

struct hid {
	struct gadget g; /* embedded, first */
	const struct hid_type *type;
	enum hid_kind kind;

	/* hid_queue.c */
	struct hid_event event[HID_QUEUE]; /* a ring */
	uint32_t head, nevents;
	struct hid_state now;  /* after all events that are in a report */
	uint8_t want_keys[32]; /* after all events: is it held down? */
	uint8_t want_buttons;

	/* hid.c */
	struct xfer_queue q; /* IN transfers held */
	struct pm_timer timer;
	uint64_t interval_ns;
	uint64_t sent_ns;   /* the last report */
	uint64_t polled_ns; /* the guest last asked for one */
	uint8_t last[HID_REPORT_MAX], last_len; /* that report */
	bool sent;      /* there was one since the device was configured */
	bool boot;      /* SET_PROTOCOL */
	uint8_t idle;   /* SET_IDLE, in 4 ms; 0: only what is new */
	bool suspended; /* the port is in U3 */
	uint8_t leds;
	hid_leds_fn *on_leds;
	void *leds_opaque; /* borrowed */
};

static inline struct hid *hid_of(struct gadget *g)
{
	return (struct hid *)g;
}

/* hid_desc.c */
extern const struct hid_type hid_types[HID_NKINDS];
uint64_t hid_interval_ns(enum usb_speed speed);

/* hid_report.c */
uint8_t hid_report_keyboard(struct hid_state *s, bool boot, uint8_t *buf);
uint8_t hid_report_mouse(struct hid_state *s, bool boot, uint8_t *buf);
uint8_t hid_report_tablet(struct hid_state *s, bool boot, uint8_t *buf);

/* hid.c */
/* The guest asks for a report. */
void hid_note_poll(struct hid *h);

/* hid_request.c: gadget_ops.control */
int hid_control(struct gadget *g, struct usb_xfer *t);

/* hid_send.c */
/*
 * The next report into @buf of HID_REPORT_MAX; returns its length. *ret_new is
 * whether it tells something; events that change nothing (an eighth key) are
 * passed over.
 */
uint8_t hid_next_report(struct hid *h, uint8_t *buf, bool *ret_new);
/* That was sent, just now. */
void hid_note_sent(struct hid *h);
/* Send what is due, and be called when the next is. */
void hid_run(struct hid *h);
/* End all that is held. */
void hid_flush(struct hid *h, enum usb_status status);

/* hid_queue.c */
/*
 * Add @ev, whose values are in range. 0 or -EAGAIN. With @keep false only what
 * it leaves behind is kept.
 */
int hid_queue_add(struct hid *h, const struct hid_event *ev, bool keep);
/* Forget what is queued but for what it leaves behind. */
void hid_queue_collapse(struct hid *h);
/* The next event of the queue into h->now; false: there is none. */
bool hid_queue_apply(struct hid *h);

#endif
