/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capture.h - a capture of USB traffic, read whole: pcap or pcapng, plain or
 * gzip, of Linux's usbmon (link types 189 and 220) or of USBPcap (249).
 *
 * A file is data of a stranger: whatever is in it is a capture or an error in
 * words, and what it may cost is limited by the numbers below.
 */
#ifndef DEVICES_CAPTURE_H
#define DEVICES_CAPTURE_H

#include <stdio.h>

#include "emu/usb.h"

#define CAPTURE_MAX_BYTES (256u << 20) /* of the file, unpacked */
#define CAPTURE_MAX_XFERS (1u << 20)
#define CAPTURE_MAX_PACKETS (4u << 20) /* isochronous, in all */
#define CAPTURE_MAX_DEVS 256u

/* A length that the capture does not tell */
#define CAPTURE_UNKNOWN UINT32_MAX
#define CAPTURE_NONE UINT32_MAX /* an index of nothing */

/* How a transfer of the capture came to its end. */
enum capture_end {
	CAPTURE_OPEN,      /* it did not: the capture ends before */
	CAPTURE_ENDED,     /* the device ended it */
	CAPTURE_CANCELLED, /* the host did */
	CAPTURE_GONE,      /* the device was unplugged */
};

/* A packet of an isochronous transfer. */
struct capture_packet {
	uint32_t length; /* asked for; CAPTURE_UNKNOWN */
	uint32_t actual; /* moved */
	uint32_t data;   /* its bytes, in capture.bytes */
	uint32_t have;   /* how many of them were kept */
	uint8_t status;  /* enum usb_status; USB_CANCELLED: not done */
};

/* A transfer, in the order they began. */
struct capture_xfer {
	uint64_t begin_ns, end_ns; /* since the first record */
	uint32_t begin_no, end_no; /* records, from 1; 0: there is none */
	uint32_t length;           /* asked for; CAPTURE_UNKNOWN */
	uint32_t actual;           /* moved */
	uint32_t data;             /* payload, in capture.bytes */
	uint32_t have;             /* bytes of it that were kept */
	uint32_t packet, npackets; /* isochronous: in capture.packets */
	uint16_t stream;           /* id, 0: none */
	uint16_t dev;              /* in capture.dev */
	struct usb_setup setup;    /* control */
	uint8_t ep;                /* with direction; 0 for control */
	uint8_t type;              /* enum usb_type */
	uint8_t end;               /* enum capture_end */
	uint8_t status;            /* enum usb_status, of CAPTURE_ENDED */
	bool in;                   /* data moves to the host */
	bool has_setup;            /* control: else only its end is there */
	uint32_t next_open;        /* while it is read */
	uint64_t id;
};

/* A device of the capture: a bus and an address. */
struct capture_dev {
	uint16_t bus;
	uint8_t addr;
	uint32_t nxfers; /* all */
	uint32_t ndata;  /* on endpoints other than 0 */
};

struct capture {
	struct capture_xfer *xfers; /* owned, as are the next three */
	struct capture_packet *packets;
	uint8_t *bytes;
	struct capture_dev *devs;
	uint32_t nxfers, npackets, nbytes, ndevs;
	uint32_t records;
	uint32_t cut; /* transfers of whose bytes not all were kept */
};

/*
 * capture_open - read the capture @path. 0, or -errno and in @err "what is
 * wrong: what to do". Freed with capture_free().
 */
int capture_open(const char *path, struct capture **ret_cap, char *err,
		 size_t errlen);
/* The same from a stream, which is closed. */
int capture_read(FILE *f, struct capture **ret_cap, char *err, size_t errlen);
void capture_free(struct capture *c);

#endif
