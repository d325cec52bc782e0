/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * zero_impl.h - inside the device zero: its pipes, and what is at their end.
 */
#ifndef DEVICES_ZERO_IMPL_H
#define DEVICES_ZERO_IMPL_H

#include "devices/gadget.h"
#include "devices/pace.h"
#include "devices/xfer_queue.h"
#include "devices/zero.h"

#define ZERO_CONFIG_SOURCE_SINK 3u
#define ZERO_CONFIG_LOOPBACK 2u

/* String indices behind those of the device descriptor */
#define ZERO_STR_SOURCE_SINK 4
#define ZERO_STR_LOOPBACK 5

#define ZERO_CONTROL_BYTES 65535u /* all that wLength can say */
#define ZERO_LOOP_BYTES (128u << 10)
#define ZERO_LOOP_PACKETS 2048u
#define ZERO_PACKET_MAX 1024u /* no endpoint has more */

/* Endpoint number of each pair, the same in IN and OUT; and of the pipes */
enum zero_pair { ZERO_BULK, ZERO_ISOCH, ZERO_INTERRUPT, ZERO_NPAIRS };
#define ZERO_EP(pair) ((pair) + 1u)
#define ZERO_NPIPES (2 * ZERO_NPAIRS)

struct zero;

/*
 * Packets on their way from an OUT endpoint to the IN endpoint of the same
 * pair, zero-length ones too: a short packet ends a transfer at both ends.
 */
struct zero_loop {
	uint8_t *bytes;                  /* owned, ZERO_LOOP_BYTES, a ring */
	uint16_t len[ZERO_LOOP_PACKETS]; /* a ring */
	uint32_t byte_head, nbytes;
	uint32_t head, npackets;
};

/* One endpoint. */
struct zero_pipe {
	struct zero *z; /* borrowed: embedded in it */
	enum zero_pair pair;
	bool in;
	uint8_t ep; /* its address */
	uint16_t max_packet;

	struct xfer_queue q; /* held; dev_data: bytes moved so far */

	/* isochronous and interrupt: zero_pipe.c */
	struct pm_timer timer; /* set while something is held that can go */
	struct pace pace;
};

struct zero {
	struct gadget g; /* embedded, first */
	enum zero_pattern pattern;
	struct zero_pipe pipe[ZERO_NPIPES];
	struct zero_loop loop[ZERO_NPAIRS]; /* of each pair */
	uint8_t *control;                   /* owned, ZERO_CONTROL_BYTES */
};

static inline bool zero_is_loopback(const struct zero *z)
{
	return z->g.config == ZERO_CONFIG_LOOPBACK;
}

/* How a packet went. */
enum zero_step {
	ZERO_NAK,   /* it did not: no data, no room */
	ZERO_MORE,  /* the transfer goes on */
	ZERO_DONE,  /* that was its last packet */
	ZERO_BABBLE /* what came was more than is left of the transfer */
};

/* zero_desc.c */
extern const struct gadget_desc zero_desc;
uint16_t zero_max_packet(enum zero_pair pair, enum usb_speed speed);
/* bInterval of the pair's endpoints, in ns */
uint64_t zero_interval_ns(enum zero_pair pair, enum usb_speed speed);

/* zero_data.c: source and sink */
/* Fill payload bytes [off, off+len) of @t; @off is where a packet begins. */
void zero_source(const struct zero *z, struct usb_xfer *t, uint32_t off,
		 uint32_t len, uint16_t max_packet);
/*
 * Take a whole bulk OUT transfer and complete it. What is not the pattern
 * halts the endpoint, as of the next buffer of the gadget's 4096 bytes.
 */
void zero_sink(struct zero *z, struct zero_pipe *p, struct usb_xfer *t);

/* zero_loop.c */
int zero_loop_init(struct zero_loop *l); /* 0 or -ENOMEM */
void zero_loop_fini(struct zero_loop *l);
void zero_loop_reset(struct zero_loop *l);
/* Its packets to @s, or from it. */
void zero_loop_snap(struct zero_loop *l, struct snap *s);
/* Payload bytes [off, off+len) of @t as a packet; false: no room. */
bool zero_loop_put(struct zero_loop *l, const struct usb_xfer *t, uint32_t off,
		   uint32_t len);
/* The length of the next packet; false: there is none. */
bool zero_loop_peek(const struct zero_loop *l, uint32_t *ret_len);
/* Take the next packet; the first @len bytes of it go to @off of @t. */
void zero_loop_get(struct zero_loop *l, struct usb_xfer *t, uint32_t off,
		   uint32_t len);

/* zero_pipe.c */
void zero_pipe_init(struct zero *z, struct zero_pipe *p, enum zero_pair pair,
		    bool in);
/* A transfer for it; the endpoint exists and is not halted. */
void zero_pipe_submit(struct zero_pipe *p, struct usb_xfer *t);
void zero_pipe_cancel(struct zero_pipe *p, struct usb_xfer *t);
/* End all that it holds. */
void zero_pipe_flush(struct zero_pipe *p, enum usb_status status);
/* Data or room has come: go on. */
void zero_pipe_run(struct zero_pipe *p);
/* No service interval was before this. */
void zero_pipe_restart(struct zero_pipe *p);

/* zero.c: the pipe at the other end of a loop */
struct zero_pipe *zero_peer(struct zero_pipe *p);

#endif
