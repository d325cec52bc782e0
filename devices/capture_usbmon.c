/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capture_usbmon.c - a record of Linux's usbmon, Documentation/usb/usbmon.rst:
 * 48 bytes of header (link type 189) or 64 (220), the descriptors of
 * isochronous packets, the payload. libpcap has put it in this machine's byte
 * order. Our own captures are the same but for what pmapper/tap.h says.
 */
#include <errno.h>
#include <string.h>

#include "devices/capture_impl.h"

#define HEADER_48 48u
#define HEADER_64 64u
#define DESCRIPTOR 16u

/* Linux's numbers, whatever system this is */
enum {
	LINUX_ENOENT = 2,
	LINUX_ENOMEM = 12,
	LINUX_EXDEV = 18,
	LINUX_ENODEV = 19,
	LINUX_EPIPE = 32,
	LINUX_ENOSR = 63,
	LINUX_ECOMM = 70,
	LINUX_EOVERFLOW = 75,
	LINUX_ECONNRESET = 104,
	LINUX_ESHUTDOWN = 108,
	LINUX_EINPROGRESS = 115,
	LINUX_EREMOTEIO = 121,
};

/* A header, decoded */
struct urb {
	uint64_t id;
	char event;
	uint8_t type, ep, addr;
	uint16_t bus;
	bool has_setup;
	int32_t status;
	uint32_t length, kept;
	const uint8_t *setup;
	uint32_t ndesc;
	uint32_t start_frame;
	const uint8_t *descs;   /* ndesc of them */
	const uint8_t *payload; /* kept bytes */
};

static uint16_t host16(const uint8_t *p)
{
	uint16_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static uint32_t host32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/* Isochronous descriptors first, then the payload, as far as it was kept. */
static void decode_data(const struct capture_record *rec, uint32_t header,
			struct urb *u)
{
	uint32_t have = rec->len - header, descs = 0;

	if (u->kept > have)
		u->kept = have;
	u->descs = rec->bytes + header;
	if (u->type == USB_ISOCH) {
		u->ndesc = host32(rec->bytes + 44);
		if (header == HEADER_64)
			u->ndesc = host32(rec->bytes + 60);
		if (u->ndesc > u->kept / DESCRIPTOR)
			u->ndesc = u->kept / DESCRIPTOR;
		descs = u->ndesc * DESCRIPTOR;
	}
	u->payload = u->descs + descs;
	u->kept -= descs;
}

static int decode(struct capture_reader *r, const struct capture_record *rec,
		  uint32_t header, struct urb *u)
{
	static const uint8_t types[] = {USB_ISOCH, USB_INTERRUPT, USB_CONTROL,
					USB_BULK};
	const uint8_t *p = rec->bytes;

	if (rec->len < header) {
		r->why = "shorter than its header";
		return -EINVAL;
	}
	memset(u, 0, sizeof(*u));
	memcpy(&u->id, p, sizeof(u->id));
	u->event = (char)p[8];
	if (p[9] >= sizeof(types) ||
	    (u->event != 'S' && u->event != 'C' && u->event != 'E')) {
		r->why = "no event of a transfer";
		return -EINVAL;
	}
	u->type = types[p[9]];
	u->ep = p[10] & (USB_DIR_IN | 0x0fu);
	u->addr = p[11];
	u->bus = host16(p + 12);
	u->has_setup = p[14] == 0;
	u->status = (int32_t)host32(p + 28);
	u->length = host32(p + 32);
	u->kept = host32(p + 36);
	u->setup = p + 40;
	if (header == HEADER_64)
		u->start_frame = host32(p + 52);
	decode_data(rec, header, u);
	return 0;
}

static enum usb_status status_of(int32_t status)
{
	switch (status) {
	case 0:
	case -LINUX_EREMOTEIO: /* short, and that was to be told */
		return USB_OK;
	case -LINUX_EPIPE:
		return USB_STALL;
	case -LINUX_EOVERFLOW:
		return USB_BABBLE;
	case -LINUX_ENOMEM:
		return USB_NOMEM;
	case -LINUX_EXDEV:
		return USB_MISSED;
	case -LINUX_ECOMM:
	case -LINUX_ENOSR:
		return USB_OVERRUN;
	default:
		return USB_ERROR;
	}
}

static enum capture_end end_of(int32_t status)
{
	switch (status) {
	case -LINUX_ENOENT:
	case -LINUX_ECONNRESET:
		return CAPTURE_CANCELLED;
	case -LINUX_ENODEV:
	case -LINUX_ESHUTDOWN:
		return CAPTURE_GONE;
	default:
		return CAPTURE_ENDED;
	}
}

/* With its submission, or with its end if there is nothing else of it */
static int begin(struct capture_reader *r, const struct urb *u,
		 struct capture_xfer **ret_x)
{
	struct capture_xfer *x;
	int rc = capture_begin(r, u->bus, u->addr, u->id, &x);

	if (rc < 0)
		return rc;
	x->type = u->type;
	x->ep = u->type == USB_CONTROL ? 0 : u->ep;
	x->in = (u->ep & USB_DIR_IN) != 0;
	x->length = CAPTURE_UNKNOWN;
	if (u->type == USB_BULK && u->start_frame <= UINT16_MAX)
		x->stream = (uint16_t)u->start_frame;
	*ret_x = x;
	return 0;
}

/* The buffer that a driver gives may be larger than what it asks for. */
static void take_setup(struct capture_xfer *x, const uint8_t *p)
{
	x->setup = (struct usb_setup){
		.request_type = p[0],
		.request = p[1],
		.value = (uint16_t)(p[2] | p[3] << 8),
		.index = (uint16_t)(p[4] | p[5] << 8),
		.length = (uint16_t)(p[6] | p[7] << 8),
	};
	x->has_setup = true;
	x->length = x->setup.length;
	x->in = (p[0] & USB_DIR_IN) != 0 && x->setup.length > 0;
}

/*
 * The packets as they were asked for. Their places in the payload are told by
 * their offsets.
 */
static int begin_packets(struct capture_reader *r, struct capture_xfer *x,
			 const struct urb *u)
{
	int rc = capture_packets(r, x, u->ndesc);

	for (uint32_t i = 0; rc == 0 && i < u->ndesc; i++) {
		const uint8_t *d = u->descs + i * DESCRIPTOR;
		struct capture_packet *p = &r->c->packets[x->packet + i];
		uint32_t off = host32(d + 4);

		p->length = host32(d + 8);
		p->status = USB_CANCELLED;
		if (x->in || off >= u->kept)
			continue;
		p->data = x->data + off;
		p->have = p->length < u->kept - off ? p->length : u->kept - off;
	}
	return rc;
}

static int submission(struct capture_reader *r,
		      const struct capture_record *rec, const struct urb *u)
{
	struct capture_xfer *x;
	int rc = begin(r, u, &x);

	if (rc < 0)
		return rc;
	x->begin_ns = rec->at_ns;
	x->begin_no = r->c->records;
	x->length = u->length;
	if (u->type == USB_CONTROL && u->has_setup)
		take_setup(x, u->setup);
	if (!x->in) {
		x->have = u->kept;
		rc = capture_keep(r, u->payload, u->kept, &x->data);
	}
	if (rc == 0 && u->type == USB_ISOCH)
		rc = begin_packets(r, x, u);
	return rc;
}

static void end_packet(struct capture_xfer *x, struct capture_packet *p,
		       const struct urb *u, const uint8_t *d)
{
	int32_t status = (int32_t)host32(d);
	uint32_t off = host32(d + 4);

	p->actual = host32(d + 8);
	if (p->actual > p->length)
		p->length = p->actual;
	p->status = (uint8_t)status_of(status);
	if (x->end != CAPTURE_ENDED && status != 0)
		p->status = USB_CANCELLED; /* it was still to be done */
	if (status == -LINUX_EINPROGRESS)
		p->status = USB_CANCELLED;
	if (!x->in || off >= u->kept)
		return;
	p->data = x->data + off;
	p->have = p->actual < u->kept - off ? p->actual : u->kept - off;
}

static int end_packets(struct capture_reader *r, struct capture_xfer *x,
		       const struct urb *u)
{
	int rc = 0;

	if (x->begin_no == 0)
		rc = capture_packets(r, x, u->ndesc);
	for (uint32_t i = 0; rc == 0 && i < u->ndesc && i < x->npackets; i++)
		end_packet(x, &r->c->packets[x->packet + i], u,
			   u->descs + i * DESCRIPTOR);
	return rc;
}

static int completion(struct capture_reader *r,
		      const struct capture_record *rec, const struct urb *u)
{
	struct capture_xfer *x = capture_find(r, u->id);
	int rc = 0;

	if (x != NULL &&
	    (x->type != u->type || r->c->devs[x->dev].bus != u->bus))
		x = NULL; /* an id that is used again: that one's end is lost */
	if (x == NULL)
		rc = begin(r, u, &x);
	if (rc < 0)
		return rc;
	x->end = (uint8_t)end_of(u->status);
	x->status = (uint8_t)status_of(u->status);
	x->actual = u->event == 'E' ? 0 : u->length;
	if (x->begin_no != 0 && x->actual > x->length)
		x->actual = x->length;
	if (x->in) {
		x->have = u->kept < x->actual || u->type == USB_ISOCH
				  ? u->kept
				  : x->actual;
		rc = capture_keep(r, u->payload, x->have, &x->data);
	}
	if (rc == 0 && u->type == USB_ISOCH)
		rc = end_packets(r, x, u);
	capture_finish(r, x, rec);
	return rc;
}

static int record(struct capture_reader *r, const struct capture_record *rec,
		  uint32_t header)
{
	struct urb u;
	int rc = decode(r, rec, header, &u);

	if (rc < 0)
		return rc;
	return u.event == 'S' ? submission(r, rec, &u) : completion(r, rec, &u);
}

int capture_usbmon_48(struct capture_reader *r,
		      const struct capture_record *rec)
{
	return record(r, rec, HEADER_48);
}

int capture_usbmon_64(struct capture_reader *r,
		      const struct capture_record *rec)
{
	return record(r, rec, HEADER_64);
}
