/* SPDX-License-Identifier: BSD-2-Clause */
#include "pmapper/tap.h"

#include <errno.h>
#include <string.h>

#include "pmapper/mapper.h"

/* Linux's numbers, which are in the format whatever system this is */
enum {
	LINUX_ENOENT = 2,
	LINUX_EIO = 5,
	LINUX_ENOMEM = 12,
	LINUX_EXDEV = 18,
	LINUX_ENODEV = 19,
	LINUX_EINVAL = 22,
	LINUX_EPIPE = 32,
	LINUX_ENOSR = 63,
	LINUX_ECOMM = 70,
	LINUX_EPROTO = 71,
	LINUX_EOVERFLOW = 75,
	LINUX_EINPROGRESS = 115,
};

/* Offsets in the header, Linux's Documentation/usb/usbmon.rst */
enum {
	H_ID = 0,
	H_EVENT = 8,
	H_XFER_TYPE = 9,
	H_ENDPOINT = 10,
	H_DEVICE = 11,
	H_BUS = 12,
	H_FLAG_SETUP = 14,
	H_FLAG_DATA = 15,
	H_SECONDS = 16,
	H_MICROSECONDS = 24,
	H_STATUS = 28,
	H_LENGTH = 32,
	H_CAPTURED = 36,
	H_SETUP = 40,
	H_ERROR_COUNT = 40,
	H_NPACKETS = 44,
	H_INTERVAL = 48,
	H_START_FRAME = 52,
	H_XFER_FLAGS = 56,
	H_NDESC = 60,
};

#define FLAG_NONE '-'     /* no setup packet */
#define FLAG_IN '<'       /* no data: it comes with the completion */
#define FLAG_OUT '>'      /* no data: it came with the submission */
#define FLAG_ERROR 'E'    /* no data: nothing was done */
#define URB_DIR_IN 0x200u /* in the transfer flags */

/* What a record is made from */
struct event {
	char type;  /* 'S', 'C' or 'E' */
	int status; /* Linux's errno, negative */
	bool gone;  /* the device is out of its port */
	const struct usb_xfer *t;
	uint32_t moved;   /* bytes, for H_LENGTH */
	uint32_t payload; /* bytes in the record, before it is cut */
};

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, (uint16_t)v);
	put16(p + 2, (uint16_t)(v >> 16));
}

static void put64(uint8_t *p, uint64_t v)
{
	put32(p, (uint32_t)v);
	put32(p + 4, (uint32_t)(v >> 32));
}

static uint32_t min32(uint64_t a, uint32_t b)
{
	return a < b ? (uint32_t)a : b;
}

/* The numbers of usbmon, which are not those of a descriptor */
static uint8_t xfer_type(const struct usb_xfer *t)
{
	static const uint8_t types[] = {[USB_ISOCH] = 0,
					[USB_INTERRUPT] = 1,
					[USB_CONTROL] = 2,
					[USB_BULK] = 3};

	return types[t->type & 3u];
}

static int status_errno(enum usb_status status, bool in, bool gone)
{
	switch (status) {
	case USB_OK:
		return 0;
	case USB_STALL:
		return -LINUX_EPIPE;
	case USB_BABBLE:
		return -LINUX_EOVERFLOW;
	case USB_CANCELLED:
		return gone ? -LINUX_ENODEV : -LINUX_ENOENT;
	case USB_NODEV:
		return -LINUX_ENODEV;
	case USB_NOMEM:
		return -LINUX_ENOMEM;
	case USB_MISSED:
		return -LINUX_EXDEV;
	case USB_OVERRUN:
		return in ? -LINUX_ECOMM : -LINUX_ENOSR;
	case USB_ERROR:
	case USB_NSTATUS:
		break;
	}
	return -LINUX_EPROTO;
}

/* Of this system's errno those that a device refuses with */
static int refusal_errno(int err)
{
	switch (err < 0 ? -err : err) {
	case ENODEV:
		return -LINUX_ENODEV;
	case ENOMEM:
	case ENOBUFS:
		return -LINUX_ENOMEM;
	case EINVAL:
		return -LINUX_EINVAL;
	case EPIPE:
		return -LINUX_EPIPE;
	case EIO:
		return -LINUX_EIO;
	default:
		return -LINUX_EPROTO;
	}
}

static uint32_t ndesc(const struct event *e)
{
	return e->t->type == USB_ISOCH && e->type != 'E' ? e->t->npackets : 0;
}

/* Bytes of an isochronous packet that the record speaks of */
static uint32_t packet_bytes(const struct event *e, uint32_t i)
{
	const struct usb_packet *p = &e->t->packet[i];

	return e->type == 'S' ? p->length : p->actual;
}

static void measure(struct event *e)
{
	const struct usb_xfer *t = e->t;
	uint64_t sum = 0;

	if (e->type == 'E')
		return;
	if (t->type == USB_ISOCH) {
		for (uint32_t i = 0; i < t->npackets; i++)
			sum += packet_bytes(e, i);
		e->moved = min32(sum, t->length);
	} else {
		e->moved = e->type == 'S' ? t->length : t->actual;
	}
	if (t->in == (e->type == 'C'))
		e->payload = e->moved;
}

/* A zero length transfer has its data, none, as usbmon sees it */
static uint8_t flag_data(const struct event *e)
{
	if (e->type == 'E')
		return FLAG_ERROR;
	if (e->payload)
		return 0;
	if (e->t->in)
		return e->type == 'S' ? FLAG_IN : 0;
	return e->type == 'C' ? FLAG_OUT : 0;
}

static void put_setup(uint8_t *h, const struct usb_setup *s)
{
	h[H_SETUP] = s->request_type;
	h[H_SETUP + 1] = s->request;
	put16(h + H_SETUP + 2, s->value);
	put16(h + H_SETUP + 4, s->index);
	put16(h + H_SETUP + 6, s->length);
}

static uint32_t errors(const struct event *e)
{
	uint32_t n = 0;

	if (e->type == 'C')
		for (uint32_t i = 0; i < ndesc(e); i++)
			n += e->t->packet[i].status != USB_OK;
	return n;
}

static void put_header(uint8_t *h, const struct event *e, uint32_t captured)
{
	const struct usb_xfer *t = e->t;

	put64(h + H_ID, (uintptr_t)t);
	h[H_EVENT] = (uint8_t)e->type;
	h[H_XFER_TYPE] = xfer_type(t);
	h[H_ENDPOINT] = (uint8_t)((t->ep & 0xfu) | (t->in ? USB_DIR_IN : 0));
	h[H_FLAG_SETUP] = FLAG_NONE;
	h[H_FLAG_DATA] = flag_data(e);
	put32(h + H_STATUS, (uint32_t)e->status);
	put32(h + H_LENGTH, e->moved);
	put32(h + H_CAPTURED, captured);
	if (t->type == USB_CONTROL && e->type == 'S') {
		h[H_FLAG_SETUP] = 0;
		put_setup(h, &t->setup);
	}
	if (t->type == USB_ISOCH) {
		put32(h + H_ERROR_COUNT, errors(e));
		put32(h + H_NPACKETS, ndesc(e));
		put32(h + H_START_FRAME, t->frame);
	} else if (t->type == USB_BULK) {
		put32(h + H_START_FRAME, t->stream);
	}
	put32(h + H_XFER_FLAGS, t->in ? URB_DIR_IN : 0);
	put32(h + H_NDESC, ndesc(e));
}

/* One packet's descriptor; its bytes are at @offset of the payload. */
static void put_desc(uint8_t *p, const struct event *e, uint32_t i,
		     uint32_t offset)
{
	int status = -LINUX_EXDEV;

	if (e->type == 'C')
		status =
			status_errno(e->t->packet[i].status, e->t->in, e->gone);
	memset(p, 0, TAP_DESCRIPTOR);
	put32(p, (uint32_t)status);
	put32(p + 4, offset);
	put32(p + 8, packet_bytes(e, i));
}

/* Bytes that are not there (they should) read as zeroes. */
static void put_bytes(uint8_t *p, const struct usb_xfer *t, uint32_t off,
		      uint32_t len)
{
	size_t n = usb_xfer_gather(t, off, p, len);

	memset(p + n, 0, len - n);
}

/*
 * Descriptors and payload, @len bytes of them. A packet's place in the
 * transfer is behind the whole lengths of those before it; in the record, for
 * IN, behind what they have.
 */
static void put_isoch(uint8_t *p, uint32_t len, const struct event *e)
{
	uint32_t n = ndesc(e), at = 0, offset = 0;
	uint8_t *data = p + (size_t)n * TAP_DESCRIPTOR, *end = p + len;
	bool packed = e->type == 'C' && e->t->in;

	for (uint32_t i = 0; i < n; i++) {
		uint8_t desc[TAP_DESCRIPTOR];
		uint32_t bytes = packet_bytes(e, i);

		put_desc(desc, e, i, packed ? offset : at);
		if (p < end) {
			size_t room = (size_t)(end - p);

			memcpy(p, desc,
			       room < sizeof(desc) ? room : sizeof(desc));
			p += room < sizeof(desc) ? room : sizeof(desc);
		}
		if (e->payload && len > n * TAP_DESCRIPTOR + offset)
			put_bytes(
				data + offset, e->t, at,
				min32(bytes, (uint32_t)(end - data) - offset));
		at += e->t->packet[i].length;
		offset += bytes;
	}
}

static void record(const struct tap *tap, unsigned port, struct event *e)
{
	uint64_t now = tap->ops->now_ns(tap->sink), full;
	uint32_t len;
	uint8_t *r;

	measure(e);
	full = TAP_HEADER + (uint64_t)ndesc(e) * TAP_DESCRIPTOR + e->payload;
	len = min32(full, tap->snap);
	r = tap->ops->begin(tap->sink, now, len, min32(full, UINT32_MAX));
	if (r == NULL)
		return;
	memset(r, 0, TAP_HEADER);
	r[H_DEVICE] = (uint8_t)port;
	put16(r + H_BUS, tap->bus);
	put64(r + H_SECONDS, now / 1000000000u);
	put32(r + H_MICROSECONDS, (uint32_t)(now % 1000000000u / 1000u));
	put_header(r, e, len - TAP_HEADER);
	if (ndesc(e))
		put_isoch(r + TAP_HEADER, len - TAP_HEADER, e);
	else if (e->payload)
		put_bytes(r + TAP_HEADER, e->t, 0, len - TAP_HEADER);
	tap->ops->end(tap->sink, r);
}

static void tap_submit(void *tap, unsigned port, const struct usb_dev *d,
		       const struct usb_xfer *t)
{
	struct event e = {'S', -LINUX_EINPROGRESS, .t = t};

	(void)d;
	record(tap, port, &e);
}

/* What was cancelled because its device left says so. */
static void tap_complete(void *tap, unsigned port, const struct usb_dev *d,
			 const struct usb_xfer *t)
{
	struct event e = {'C', .t = t};

	e.gone = d->pd == NULL || d->pd->gone || !d->pd->in_port;
	e.status = status_errno(t->status, t->in, e.gone);
	record(tap, port, &e);
}

static void tap_refuse(void *tap, unsigned port, const struct usb_dev *d,
		       const struct usb_xfer *t, int err)
{
	struct event e = {'E', refusal_errno(err), .t = t};

	(void)d;
	record(tap, port, &e);
}

const struct pm_tap_ops tap_ops = {
	.submit = tap_submit,
	.complete = tap_complete,
	.refuse = tap_refuse,
};
