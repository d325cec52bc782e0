/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capture_usbpcap.c - a record of USBPcap on Windows (link type 249), as its
 * USBPCAP_BUFFER_PACKET_HEADER says: little endian, packed, two records an IRP
 * but for control transfers, which have one for each stage. How many bytes an
 * IN transfer asked for is not in it.
 */
#include <errno.h>
#include <string.h>

#include "devices/bytes.h"
#include "devices/capture_impl.h"

#define HEADER 27u
#define ISO_HEADER 12u /* behind it: start frame, packets, errors */
#define ISO_PACKET 12u
#define INFO_FROM_DEVICE 1u
#define FUNCTION_SELECT_INTERFACE 1u

/* Transfer types of its own, and stages of a control transfer */
enum { T_ISOCH, T_INTERRUPT, T_CONTROL, T_BULK, T_OTHER };
enum { STAGE_SETUP, STAGE_DATA, STAGE_STATUS, STAGE_COMPLETE };

/* USBD_STATUS of usb.h, those that we tell apart */
#define USBD_SUCCESS 0x00000000u
#define USBD_BABBLE 0xc0000008u   /* DATA_OVERRUN */
#define USBD_UNDERRUN 0xc0000009u /* short, and that was to be told */
#define USBD_BUFFER_OVERRUN 0xc000000cu
#define USBD_STALL 0xc0000004u  /* STALL_PID */
#define USBD_HALTED 0xc0000030u /* ENDPOINT_HALTED */
#define USBD_NOT_ACCESSED 0xc000000fu
#define USBD_ISO_LATE 0xc0020000u /* ISO_NOT_ACCESSED_LATE */
#define USBD_GONE 0xc0007000u     /* DEVICE_GONE */
#define USBD_CANCELED 0xc0010000u

struct irp {
	uint64_t id;
	uint32_t status;
	uint16_t function, bus, addr;
	uint8_t info, ep, type, stage;
	const uint8_t *packets; /* of npackets; isochronous */
	uint32_t npackets;
	const uint8_t *payload;
	uint32_t length, kept; /* bytes there were, and are in the record */
};

static int fail(struct capture_reader *r, const char *why)
{
	r->why = why;
	return -EINVAL;
}

static int decode(struct capture_reader *r, const struct capture_record *rec,
		  struct irp *u)
{
	const uint8_t *p = rec->bytes;
	uint32_t header;

	if (rec->len < HEADER)
		return fail(r, "shorter than its header");
	memset(u, 0, sizeof(*u));
	header = get_le16(p);
	u->id = get_le32(p + 2) | (uint64_t)get_le32(p + 6) << 32;
	u->status = get_le32(p + 10);
	u->function = get_le16(p + 14);
	u->info = p[16];
	u->bus = get_le16(p + 17);
	u->addr = get_le16(p + 19);
	u->ep = p[21] & (USB_DIR_IN | 0x0fu);
	u->type = p[22] < T_OTHER ? p[22] : T_OTHER;
	u->length = get_le32(p + 23);
	if (header < HEADER || header > rec->len)
		return fail(r, "a header of a length that cannot be");
	if (u->type == T_CONTROL && header == HEADER)
		return fail(r, "a control transfer without its stage");
	if (u->type == T_CONTROL)
		u->stage = p[HEADER];
	if (u->type == T_ISOCH && header >= HEADER + ISO_HEADER) {
		u->npackets = get_le32(p + HEADER + 4);
		if (u->npackets > (header - HEADER - ISO_HEADER) / ISO_PACKET)
			return fail(r, "more packets than it has room for");
		u->packets = p + HEADER + ISO_HEADER;
	}
	u->payload = p + header;
	u->kept = rec->len - header;
	if (u->kept > u->length)
		u->kept = u->length;
	return 0;
}

static enum usb_status status_of(uint32_t status)
{
	switch (status) {
	case USBD_SUCCESS:
	case USBD_UNDERRUN:
		return USB_OK;
	case USBD_STALL:
	case USBD_HALTED:
		return USB_STALL;
	case USBD_BABBLE:
		return USB_BABBLE;
	case USBD_BUFFER_OVERRUN:
		return USB_OVERRUN;
	case USBD_NOT_ACCESSED:
	case USBD_ISO_LATE:
		return USB_MISSED;
	default:
		return USB_ERROR;
	}
}

static enum capture_end end_of(uint32_t status)
{
	if (status == USBD_CANCELED)
		return CAPTURE_CANCELLED;
	return status == USBD_GONE ? CAPTURE_GONE : CAPTURE_ENDED;
}

static int begin(struct capture_reader *r, const struct capture_record *rec,
		 const struct irp *u, struct capture_xfer **ret_x)
{
	static const uint8_t types[] = {USB_ISOCH, USB_INTERRUPT, USB_CONTROL,
					USB_BULK};
	struct capture_xfer *x;
	int rc = capture_begin(r, u->bus, (uint8_t)u->addr, u->id, &x);

	if (rc < 0)
		return rc;
	x->type = types[u->type];
	x->ep = x->type == USB_CONTROL ? 0 : u->ep;
	x->in = (u->ep & USB_DIR_IN) != 0;
	x->begin_ns = rec->at_ns;
	x->begin_no = r->c->records;
	x->length = CAPTURE_UNKNOWN;
	*ret_x = x;
	return 0;
}

static int keep(struct capture_reader *r, struct capture_xfer *x,
		const uint8_t *p, uint32_t len)
{
	x->have = len;
	return capture_keep(r, p, len, &x->data);
}

/* The setup packet, and in newer files the bytes of an OUT behind it */
static int setup_stage(struct capture_reader *r,
		       const struct capture_record *rec, const struct irp *u)
{
	const uint8_t *p = u->payload;
	struct capture_xfer *x;
	int rc;

	if (u->kept < 8)
		return fail(r, "a setup packet that is not whole");
	rc = begin(r, rec, u, &x);
	if (rc < 0)
		return rc;
	x->setup = (struct usb_setup){p[0], p[1], get_le16(p + 2),
				      get_le16(p + 4), get_le16(p + 6)};
	/* made up by the driver, with the wrong recipient (USB 2.0 §9.4.10) */
	if (u->function == FUNCTION_SELECT_INTERFACE &&
	    x->setup.request_type == USB_RT_DEVICE &&
	    x->setup.request == USB_REQ_SET_INTERFACE)
		x->setup.request_type = USB_RT_INTERFACE;
	x->has_setup = true;
	x->length = x->setup.length;
	x->in = (p[0] & USB_DIR_IN) != 0 && x->length > 0;
	return x->in ? 0 : keep(r, x, p + 8, u->kept - 8);
}

static int control(struct capture_reader *r, const struct capture_record *rec,
		   const struct irp *u)
{
	struct capture_xfer *x = capture_find(r, u->id);
	int rc = 0;

	if (u->stage == STAGE_SETUP)
		return setup_stage(r, rec, u);
	if (u->stage > STAGE_COMPLETE)
		return fail(r, "a stage that is not known");
	if (x == NULL || x->type != USB_CONTROL) /* it began earlier */
		return 0;
	if (u->stage == STAGE_DATA || (x->in && u->length > 0)) {
		x->actual = u->length < x->length ? u->length : x->length;
		rc = keep(r, x, u->payload,
			  u->kept < x->actual ? u->kept : x->actual);
	}
	if (u->stage == STAGE_DATA)
		return rc;
	x->end = (uint8_t)end_of(u->status);
	x->status = (uint8_t)status_of(u->status);
	if (!x->in && x->status == USB_OK)
		x->actual = x->length;
	capture_finish(r, x, rec);
	return rc;
}

static int isoch_packets(struct capture_reader *r, struct capture_xfer *x,
			 const struct irp *u)
{
	int rc = x->npackets ? 0 : capture_packets(r, x, u->npackets);

	for (uint32_t i = 0; rc == 0 && i < u->npackets && i < x->npackets;
	     i++) {
		const uint8_t *d = u->packets + i * ISO_PACKET;
		struct capture_packet *p = &r->c->packets[x->packet + i];
		uint32_t off = get_le32(d), len = get_le32(d + 4);

		/* OUT: the lengths are in what goes out, offsets in both */
		if (x->in || x->end == CAPTURE_OPEN)
			p->actual = len < u->length ? len : u->length;
		if (p->actual > p->length)
			p->length = p->actual;
		p->status = (uint8_t)status_of(get_le32(d + 8));
		if (x->end != CAPTURE_ENDED && x->end != CAPTURE_OPEN &&
		    p->status != USB_OK)
			p->status = USB_CANCELLED;
		if (off >= u->kept)
			continue;
		p->data = x->data + off;
		p->have = p->actual < u->kept - off ? p->actual : u->kept - off;
	}
	return rc;
}

/*
 * Windows' mass storage driver uses the IRP of a command again for what follows
 * it, where USBPcap sees neither the end of the one nor the begin of the other.
 */
static void end_first_half(struct capture_reader *r, struct capture_xfer *x,
			   const struct capture_record *rec)
{
	x->end = CAPTURE_ENDED;
	x->status = USB_OK;
	x->actual = x->in ? 0 : x->length;
	capture_finish(r, x, rec);
}

static int other(struct capture_reader *r, const struct capture_record *rec,
		 const struct irp *u)
{
	struct capture_xfer *x = capture_find(r, u->id);
	bool done = (u->info & INFO_FROM_DEVICE) != 0;
	int rc = 0;

	if (x != NULL && x->type != USB_CONTROL && (!done || x->ep != u->ep)) {
		end_first_half(r, x, rec);
		x = NULL;
	}
	/* an end alone: it had begun just before */
	if (!done || x == NULL || x->type == USB_CONTROL)
		rc = begin(r, rec, u, &x);
	if (rc == 0 && x->in == done) {
		rc = keep(r, x, u->payload, u->kept);
		if (!done)
			x->length = u->length;
	}
	if (rc == 0 && done) {
		x->end = (uint8_t)end_of(u->status);
		x->status = (uint8_t)status_of(u->status);
		x->actual = u->length;
		if (!x->in)
			x->actual = x->end == CAPTURE_ENDED &&
						    x->status == USB_OK &&
						    x->begin_no
					    ? x->length
					    : 0;
	}
	if (rc == 0 && x->type == USB_ISOCH)
		rc = isoch_packets(r, x, u);
	if (rc == 0 && done)
		capture_finish(r, x, rec);
	return rc;
}

int capture_usbpcap(struct capture_reader *r, const struct capture_record *rec)
{
	struct irp u;
	int rc = decode(r, rec, &u);

	if (rc < 0)
		return rc;
	if (u.type == T_OTHER || u.addr > 127)
		return 0; /* the driver's own business */
	return u.type == T_CONTROL ? control(r, rec, &u) : other(r, rec, &u);
}
