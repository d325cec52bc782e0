/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * camera.c - the test camera: negotiation, and frames in isochronous packets.
 */
#include "devices/camera.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "devices/bytes.h"
#include "devices/gadget.h"
#include "devices/iso.h"
#include "emu/snap.h"

/* Interfaces */
enum { VIDEO_CONTROL, VIDEO_STREAMING };
#define EP_IN 0x81u
enum { ID_CAMERA = 1, ID_USB };

#define PACKET 1024u
#define INTERVAL 3 /* half a millisecond: two megabytes a second */
#define HEADER 2u  /* bytes of a payload header with no clocks in it */
#define FRAME_100NS 333333u
#define FRAME_NS (FRAME_100NS * 100ull)

/* UVC 1.0 appendix A */
#define CS_INTERFACE 0x24
#define VIDEO 14 /* class */
enum { SUB_CONTROL = 1, SUB_STREAMING = 2, SUB_COLLECTION = 3 };
#define REQ_SET_CUR 0x01u
#define REQ_GET_CUR 0x81u
#define REQ_GET_MIN 0x82u
#define REQ_GET_MAX 0x83u
#define REQ_GET_LEN 0x85u
#define REQ_GET_INFO 0x86u
#define REQ_GET_DEF 0x87u
#define CS_PROBE 0x0100u /* high bytes of wValue */
#define CS_COMMIT 0x0200u
#define PROBE_BYTES 26u

/* Payload header, §2.4.3.3 */
#define HDR_FID 0x01u
#define HDR_EOF 0x02u
#define HDR_EOH 0x80u

#define LE32(v) USB_D_LE16((v)&0xffffu), USB_D_LE16((v) >> 16)
#define CONTROL_LEN (13 + 18 + 9)
#define STREAM_LEN (14 + 27 + 30 + 6)
#define LEN (9 + 8 + 9 + CONTROL_LEN + 9 + STREAM_LEN + 9 + 7)

/* §3.3 to §3.10; Uncompressed Payload §3.1 */
static const uint8_t config[] = {
	USB_D_CONFIG(LEN, 2, 1, USB_CONFIG_ONE, 100),
	/* these interfaces are one function */
	8,
	11,
	VIDEO_CONTROL,
	2,
	VIDEO,
	SUB_COLLECTION,
	0,
	0,
	USB_D_INTERFACE(VIDEO_CONTROL, 0, 0, VIDEO, SUB_CONTROL, 0, 0),
	13,
	CS_INTERFACE,
	1,
	USB_D_LE16(0x0100),
	USB_D_LE16(CONTROL_LEN),
	LE32(1000000u),
	1,
	VIDEO_STREAMING,
	/* a camera, with no controls, and where it goes */
	18,
	CS_INTERFACE,
	2,
	ID_CAMERA,
	USB_D_LE16(0x0201),
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	0,
	3,
	0,
	0,
	0,
	9,
	CS_INTERFACE,
	3,
	ID_USB,
	USB_D_LE16(0x0101),
	0,
	ID_CAMERA,
	0,
	USB_D_INTERFACE(VIDEO_STREAMING, 0, 0, VIDEO, SUB_STREAMING, 0, 0),
	14,
	CS_INTERFACE,
	1,
	1,
	USB_D_LE16(STREAM_LEN),
	EP_IN,
	0,
	ID_USB,
	0,
	0,
	0,
	1,
	0,
	/* YUY2, one size */
	27,
	CS_INTERFACE,
	4,
	1,
	1,
	'Y',
	'U',
	'Y',
	'2',
	0,
	0,
	0x10,
	0,
	0x80,
	0,
	0,
	0xaa,
	0,
	0x38,
	0x9b,
	0x71,
	16,
	1,
	0,
	0,
	0,
	0,
	30,
	CS_INTERFACE,
	5,
	1,
	0,
	USB_D_LE16(CAMERA_WIDTH),
	USB_D_LE16(CAMERA_HEIGHT),
	LE32(CAMERA_FRAME_BYTES * 8 * 30),
	LE32(CAMERA_FRAME_BYTES * 8 * 30),
	LE32(CAMERA_FRAME_BYTES),
	LE32(FRAME_100NS),
	1,
	LE32(FRAME_100NS),
	6,
	CS_INTERFACE,
	13,
	1,
	1,
	4, /* colours: BT.709, SMPTE 170M */
	USB_D_INTERFACE(VIDEO_STREAMING, 1, 1, VIDEO, SUB_STREAMING, 0, 0),
	USB_D_ENDPOINT(EP_IN, USB_ISOCH | 0x04, PACKET, INTERVAL),
};
_Static_assert(sizeof(config) == LEN, "wTotalLength");

static const struct gadget_blob configs[1][USB_SPEED_SUPER + 1] = {
	{[USB_SPEED_HIGH] = {config, sizeof(config)}}};

static const struct gadget_desc camera_desc = {
	.vendor = 0x1d6b,
	.product = 0x0104,
	.version = 0x0301,
	.dev_class = 0xef, /* there is an Interface Association Descriptor */
	.dev_subclass = 2,
	.dev_protocol = 1,
	.nconfigs = 1,
	.configs = configs,
};

struct camera {
	struct gadget g; /* embedded, first */
	struct iso_pipe pipe;
	uint32_t number;  /* of the frame that is sent, or was last */
	uint32_t sent;    /* bytes of it; CAMERA_FRAME_BYTES: all */
	uint64_t next_ns; /* when the next one begins; 0: now */
};

static struct camera *camera_of(struct gadget *g)
{
	return (struct camera *)g;
}

/* A frame begins with its time, and is never left out. */
static bool begin_frame(struct camera *c, uint64_t at_ns)
{
	if (c->sent < CAMERA_FRAME_BYTES)
		return true;
	if (at_ns < c->next_ns)
		return false;
	if (c->next_ns == 0 || at_ns - c->next_ns > FRAME_NS)
		c->next_ns = at_ns; /* it was not asked for a while */
	c->next_ns += FRAME_NS;
	c->number++;
	c->sent = 0;
	return true;
}

/* A payload: the next bytes of the frame behind a header. Between frames there
 * is nothing to send. */
static uint32_t look(struct iso_pipe *pipe, struct usb_xfer *t, uint32_t off,
		     uint32_t room, uint64_t at_ns)
{
	struct camera *c = (struct camera *)pipe->d;
	uint8_t buf[PACKET];
	uint32_t n = HEADER;

	if (room < HEADER + 4 || !begin_frame(c, at_ns))
		return 0;
	for (; n + 4 <= room && c->sent < CAMERA_FRAME_BYTES; n += 4) {
		put_le32(buf + n, c->number << 16 | c->sent / 4);
		c->sent += 4;
	}
	buf[0] = HEADER;
	buf[1] = (uint8_t)(HDR_EOH | (c->number & 1 ? HDR_FID : 0) |
			   (c->sent == CAMERA_FRAME_BYTES ? HDR_EOF : 0));
	return (uint32_t)usb_xfer_scatter(t, off, buf, n);
}

static void camera_transfer(struct gadget *g, struct usb_xfer *t)
{
	iso_submit(&camera_of(g)->pipe, t);
}

/* §4.3.1.1. There is one format and one size: whatever is proposed, that it
 * is. */
static void reply_probe(struct gadget *g, struct usb_xfer *t)
{
	uint8_t d[PROBE_BYTES] = {0};

	put_le16(d, 1); /* the frame interval is fixed */
	d[2] = 1;       /* format */
	d[3] = 1;       /* frame */
	put_le32(d + 4, FRAME_100NS);
	put_le32(d + 18, CAMERA_FRAME_BYTES);
	put_le32(d + 22, PACKET);
	gadget_reply(g, t, d, sizeof(d));
}

static int camera_control(struct gadget *g, struct usb_xfer *t)
{
	const struct usb_setup *s = &t->setup;
	const uint8_t to_intf = USB_RT_CLASS | USB_RT_INTERFACE;
	const uint8_t len[2] = {PROBE_BYTES, 0}, info = 0x03; /* GET, SET */

	if (g->config == 0 || s->index != VIDEO_STREAMING ||
	    (s->value != CS_PROBE && s->value != CS_COMMIT) ||
	    (s->request_type | USB_DIR_IN) != (to_intf | USB_DIR_IN) ||
	    (s->request_type ^ s->request) & USB_DIR_IN)
		return -EPIPE;
	switch (s->request) {
	case REQ_SET_CUR:
		if (s->length < PROBE_BYTES)
			return -EPIPE;
		gadget_ack(g, t);
		return 0;
	case REQ_GET_CUR:
	case REQ_GET_MIN:
	case REQ_GET_MAX:
	case REQ_GET_DEF:
		reply_probe(g, t);
		return 0;
	case REQ_GET_LEN:
		gadget_reply(g, t, len, sizeof(len));
		return 0;
	case REQ_GET_INFO:
		gadget_reply(g, t, &info, 1);
		return 0;
	default:
		return -EPIPE;
	}
}

static void start_anew(struct camera *c, enum usb_status status)
{
	iso_flush(&c->pipe, status);
	c->number = 0;
	c->sent = CAMERA_FRAME_BYTES;
	c->next_ns = 0;
}

static void camera_configured(struct gadget *g)
{
	start_anew(camera_of(g), USB_ERROR);
}

static void camera_halt(struct gadget *g, uint8_t ep, bool halted)
{
	(void)ep;
	if (halted)
		iso_flush(&camera_of(g)->pipe, USB_STALL);
}

static const struct gadget_ops gadget_ops = {
	.transfer = camera_transfer,
	.control = camera_control,
	.configured = camera_configured,
	.halt = camera_halt,
};

static void camera_cancel(struct usb_dev *d, struct usb_xfer *t)
{
	iso_cancel(&((struct camera *)d)->pipe, t);
}

static void camera_reset(struct usb_dev *d)
{
	gadget_reset((struct gadget *)d);
	start_anew((struct camera *)d, USB_CANCELLED);
	usb_dev_reset_done(d, true);
}

static void camera_ep_enable(struct usb_dev *d, const struct usb_ep_info *info)
{
	iso_enable(&((struct camera *)d)->pipe, info);
}

/* The next frame begins when it is asked for. */
static void camera_snap(struct usb_dev *d, struct snap *s)
{
	struct camera *c = (struct camera *)d;

	gadget_snap(&c->g, s);
	SNAP(s, c->number);
	SNAP_MAX(s, c->sent, CAMERA_FRAME_BYTES);
	snap_check(s, c->sent % 4 == 0);
	if (s->reading)
		c->next_ns = 0;
}

static void camera_free(struct usb_dev *d)
{
	pm_timer_cancel(d->pm, &((struct camera *)d)->pipe.timer);
	free(d);
}

static const struct usb_dev_ops dev_ops = {
	.name = "camera",
	.submit = gadget_submit,
	.cancel = camera_cancel,
	.reset = camera_reset,
	.ep_enable = camera_ep_enable,
	.snap = camera_snap,
	.free = camera_free,
};

int camera_open(enum usb_speed speed, struct usb_dev **ret_dev, char *err,
		size_t errlen)
{
	struct camera *c;

	if (speed != USB_SPEED_HIGH) {
		snprintf(err, errlen, "it cannot have this speed: use high");
		return -EINVAL;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		snprintf(err, errlen, "out of memory: free some");
		return -ENOMEM;
	}
	gadget_init(&c->g, &dev_ops, &gadget_ops, &camera_desc, speed);
	iso_init(&c->pipe, &c->g.dev, EP_IN, PACKET,
		 125000ull << (INTERVAL - 1), look);
	c->sent = CAMERA_FRAME_BYTES;
	c->g.string[GADGET_STR_VENDOR] = "vxhci";
	c->g.string[GADGET_STR_PRODUCT] = "vxhci camera";
	snprintf(c->g.dev.label, sizeof(c->g.dev.label), "camera");
	*ret_dev = &c->g.dev;
	return 0;
}
