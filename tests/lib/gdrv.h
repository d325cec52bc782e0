/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gdrv.h - a guest's xHCI driver for tests: complete enough to bring up the
 * controller and devices and to move data as the drivers of several operating
 * systems do, and strict about every event it is given.
 *
 * It runs over an access layer with no VM: gdrv_emu.h drives emu/xhci.h with a
 * virtual clock, gdrv_vx.h drives vmm/vxhci.h. One thread.
 *
 * What the controller does wrong is counted in gdrv.nerr and said on stderr;
 * gdrv_ok() is for a test's end. Functions that issue a command return its
 * completion code (positive), or -ETIMEDOUT when no event answered it.
 */
#ifndef TESTS_LIB_GDRV_H
#define TESTS_LIB_GDRV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/lib/gdrv_hw.h"
#include "tests/lib/guestmem.h"

#define GDRV_SEGS 8u
#define GDRV_TDS 1024u     /* TDs remembered a ring */
#define GDRV_EVENTS 16384u /* events remembered */
#define GDRV_INTRS 8u
#define GDRV_PORTS 30u

struct gdrv;

/* The access layer: what the driver needs of the machine it runs on. */
struct gdrv_bus {
	uint64_t (*read)(void *p, uint32_t off, unsigned size);
	void (*write)(void *p, uint32_t off, unsigned size, uint64_t v);
	/* Let the controller and its devices work until they have nothing to
	 * do at this time. */
	void (*run)(void *p);
	uint64_t (*now_ns)(void *p);
	/* Let up to @ns pass (in real time: or until something happens). */
	void (*advance)(void *p, uint64_t ns);
	/* Interrupts sent on @vector so far. */
	uint64_t (*intrs)(void *p, unsigned vector);
};

/* How the driver sets the controller up; zeroes mean the defaults. */
struct gdrv_opts {
	unsigned cmd_trbs;   /* command ring with its Link; 64 */
	unsigned evt_segs;   /* segments of each event ring; 1 */
	unsigned evt_trbs;   /* TRBs of each segment; 256 */
	unsigned nintrs;     /* interrupters set up; 1 */
	unsigned max_slots;  /* 0: all there are */
	bool inte;           /* enable interrupts */
	bool high_first;     /* 64-bit registers: the high half first */
	bool write64;        /* 64-bit registers: one access */
	bool erstba_last;    /* ERDP before ERSTBA */
	bool keep_ehb;       /* never clear EHB, as SeaBIOS */
	uint16_t imod;       /* IMODI, units of 250 ns */
	uint32_t link_flags; /* TRB_IOC: FreeBSD's Links */
	uint8_t xfer_intr;   /* interrupter of transfers; 0 */
	uint8_t isoch_intr;  /* the same, isochronous */
	bool twice;          /* DCBAAP is written twice, as FreeBSD does */
	bool one_ring;       /* the pin: interrupter 0 has all events, §4.17 */
	unsigned scratch_seen; /* set by gdrv_start(): buffers asked for */
};

#define GDRV_SELF UINT64_MAX /* a TRB whose parameter is its own address */

/* A TRB to post. TRB_LINK ends the segment there, with the flags given. */
struct gdrv_trb {
	uint64_t ptr;   /* buffer, or parameter, or GDRV_SELF */
	uint32_t len;   /* bytes 0..17 of the status dword */
	uint8_t type;   /* enum trb_type */
	uint8_t tdsize; /* packets that follow in the TD */
	uint16_t intr;  /* interrupter target; 0: the ring's */
	uint32_t flags; /* TRB_ISP, TRB_CH, TRB_IOC, ..., without the cycle */
};

/* What is known of a TRB on a ring, in an array beside it. */
struct gdrv_post {
	uint64_t seq; /* 0: never posted */
	uint64_t ptr;
	uint32_t len;
	uint32_t ctl;    /* as written, with the cycle bit */
	uint32_t before; /* data bytes of its TD before it */
	uint32_t td;     /* TD id */
	uint32_t chain;  /* a new number after each TRB without CH */
	uint16_t intr;
	bool live;    /* posted, not yet the driver's again */
	bool evented; /* an event named it */
};

enum gdrv_td_state {
	TD_OPEN,
	TD_SHORT, /* short packet seen, the event of its last TRB not yet */
	TD_DONE,
	TD_ERROR,
	TD_DROPPED, /* passed over by Set TR Dequeue Pointer or a reset */
};

/* A transfer: what was posted by one gdrv_post(). */
struct gdrv_td {
	uint32_t id;
	uint64_t first, last; /* sequence numbers */
	uint32_t bytes;       /* of its data TRBs */
	enum gdrv_td_state state;
	uint8_t cc;      /* of the event that decided */
	uint32_t actual; /* bytes moved */
	uint32_t short_chain;
	uint32_t ed_bytes;
	unsigned events;
	bool has_ed;
};

enum gdrv_ring_state { RING_NONE, RING_RUNNING, RING_STOPPED, RING_HALTED };

struct gdrv_seg {
	uint64_t gpa;
	unsigned ntrbs;         /* with the Link */
	struct gdrv_post *post; /* owned; ntrbs of them */
};

struct gdrv_ring {
	struct gdrv *d; /* borrowed */
	enum gdrv_ring_state state;
	uint8_t slot, dci; /* 0, 0: the command ring */
	uint8_t ep_type;   /* EPT_* */
	uint16_t mps;
	uint16_t intr; /* interrupter target of its TRBs */
	unsigned nsegs;
	struct gdrv_seg seg[GDRV_SEGS];
	unsigned total;  /* TRBs in all */
	unsigned es, ei; /* enqueue: segment, index */
	bool cycle;
	unsigned ds, di;      /* first TRB not the driver's again */
	uint64_t next_seq;    /* of the next TRB posted */
	uint64_t done_seq;    /* every TRB below it is the driver's again */
	uint64_t high_seq;    /* above the highest an event named */
	uint32_t chain;       /* see gdrv_post */
	uint32_t link_flags;  /* of Links put in at the end of segments */
	bool stopping;        /* a Stop Endpoint command is under way */
	uint64_t stopped_seq; /* TRB named by the last Stopped event, or 0 */
	uint8_t stopped_cc;
	uint32_t stopped_len;
	uint32_t td_next;  /* id of the next TD */
	uint64_t tds_done; /* TDs that ended, any way */
	struct gdrv_td td[GDRV_TDS];
	/* A TD ended; may post another. May be NULL. */
	void (*on_done)(void *arg, struct gdrv_ring *r, struct gdrv_td *td);
	void *arg;
};

struct gdrv_event {
	uint64_t ptr;
	uint64_t time_ns;
	uint32_t len; /* residual, EDTLA, or command completion parameter */
	uint32_t td;  /* id of the TD, UINT32_MAX: none */
	uint8_t type;
	uint8_t cc;
	uint8_t slot;
	uint8_t dci;
	uint8_t intr;
	bool ed;
};

struct gdrv_evring {
	unsigned nsegs, ntrbs;
	uint64_t seg[GDRV_SEGS];
	uint64_t erst;
	unsigned ds, di;
	bool cycle;
	uint64_t count; /* events taken */
};

struct gdrv_port {
	bool usb3;
	uint8_t major;
	uint8_t slot_type;
	bool present; /* in a Supported Protocol capability */
};

/* The streams of an endpoint, in a linear array, xHCI 1.2 §4.12.2. */
struct gdrv_streams {
	unsigned n;             /* contexts; stream ids are 1..n-1 */
	uint64_t array;         /* gpa, owned */
	struct gdrv_ring *ring; /* owned, n of them */
};

struct gdrv_dev {
	struct gdrv *d;
	uint8_t slot, port, speed;
	uint16_t mps0;
	uint64_t out_ctx, in_ctx; /* gpa, owned */
	struct gdrv_ring *ring[32];
	struct gdrv_streams *streams[32]; /* NULL: it has none */
};

struct gdrv {
	const struct gdrv_bus *bus; /* borrowed */
	void *bus_p;
	struct guestmem *gm; /* borrowed */
	struct gdrv_opts opts;

	/* found in the capabilities */
	uint32_t op, rt, db;
	unsigned ctx_size, max_slots, max_intrs, max_ports, erst_max;
	unsigned nscratch;
	struct gdrv_port port[GDRV_PORTS + 1];

	/* owned guest memory */
	uint64_t dcbaa, scratch_array, scratch[32];
	struct gdrv_ring cmd;
	struct gdrv_evring evr[GDRV_INTRS];
	struct gdrv_dev *dev[256];

	struct gdrv_event ev[GDRV_EVENTS]; /* by number modulo GDRV_EVENTS */
	uint64_t nev;
	uint64_t port_events;
	struct gdrv_event cmd_ev; /* of the last command that completed */
	bool hold_events;         /* gdrv_pump() leaves the event rings alone */
	unsigned nerr;
	char err[256]; /* the first one */
};

/* --- gdrv.c: the controller ------------------------------------------- */

/*
 * gdrv_init - parse the capabilities, allocate the rings. @bus, @bus_p and @gm
 * are borrowed until gdrv_fini(). Returns 0 or -ENODEV.
 */
int gdrv_init(struct gdrv *d, const struct gdrv_bus *bus, void *bus_p,
	      struct guestmem *gm, const struct gdrv_opts *opts);
void gdrv_fini(struct gdrv *d);
/* Halt, reset, program everything, run. 0 or -ETIMEDOUT. Also after HCRST. */
int gdrv_start(struct gdrv *d);
int gdrv_halt(struct gdrv *d);
/* HCRST, until CNR clears; forgets all devices. */
int gdrv_hcrst(struct gdrv *d);
void gdrv_program(struct gdrv *d);

uint32_t gdrv_r32(struct gdrv *d, uint32_t off);
void gdrv_w32(struct gdrv *d, uint32_t off, uint32_t v);
uint64_t gdrv_r64(struct gdrv *d, uint32_t off);
void gdrv_w64(struct gdrv *d, uint32_t off, uint64_t v);
void gdrv_doorbell(struct gdrv *d, unsigned slot, unsigned dci,
		   unsigned stream);
uint64_t gdrv_now(struct gdrv *d);
uint64_t gdrv_intrs(struct gdrv *d, unsigned vector);
/* Wait until register @off & @mask == @want; 0 or -ETIMEDOUT. */
int gdrv_wait_reg(struct gdrv *d, uint32_t off, uint32_t mask, uint32_t want,
		  unsigned ms);
uint32_t gdrv_portsc(struct gdrv *d, unsigned port);
/* Reset @port (@warm: WPR); clears the change bits. Speed ID or -errno. */
int gdrv_port_reset(struct gdrv *d, unsigned port, bool warm);
/* The first port with something connected and no slot, or 0. */
unsigned gdrv_port_find(struct gdrv *d, unsigned after);

void gdrv_fail(struct gdrv *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* True when nothing was wrong so far. */
bool gdrv_ok(const struct gdrv *d);

/* --- gdrv_ring.c ------------------------------------------------------- */

/* A ring of @nsegs segments of ntrbs[i] TRBs each, the Link included. */
void gdrv_ring_init(struct gdrv *d, struct gdrv_ring *r, unsigned nsegs,
		    const unsigned *ntrbs);
void gdrv_ring_fini(struct gdrv_ring *r);
/* Empty it and begin at the first TRB with cycle state 1. */
void gdrv_ring_rewind(struct gdrv_ring *r);
/*
 * gdrv_post - put @n TRBs on the ring as one transfer; the first one's cycle
 * bit is written last. Returns 0, or -ENOSPC when there is no room.
 */
int gdrv_post(struct gdrv_ring *r, const struct gdrv_trb *t, unsigned n,
	      uint32_t *ret_td);
struct gdrv_td *gdrv_td(struct gdrv_ring *r, uint32_t id);
bool gdrv_td_ended(const struct gdrv_td *td);
/* The TRB at ring address @gpa; NULL when that is not on this ring. */
struct gdrv_post *gdrv_ring_at(struct gdrv_ring *r, uint64_t gpa);
/* Address of the TRB with sequence number @seq (posted, still there). */
uint64_t gdrv_ring_gpa(struct gdrv_ring *r, uint64_t seq);
uint64_t gdrv_ring_enqueue(const struct gdrv_ring *r);
/* Number of TRBs, Links included, that the controller has. */
unsigned gdrv_ring_pending(const struct gdrv_ring *r);
/* Give up all below @seq: Set TR Dequeue Pointer, a reset. */
void gdrv_ring_drop(struct gdrv_ring *r, uint64_t seq);
/* Everything up to @seq was passed by the controller; @intr named @seq. */
void gdrv_ring_pass(struct gdrv_ring *r, uint64_t seq, unsigned intr);

/* --- gdrv_event.c ------------------------------------------------------ */

/* Take up to @max events of interrupter @intr; returns how many. */
unsigned gdrv_poll(struct gdrv *d, unsigned intr, unsigned max);
/* Run the controller and take events until nothing happens. */
void gdrv_pump(struct gdrv *d);
/* The same, letting time pass, until @td has ended. 0 or -ETIMEDOUT. */
int gdrv_wait(struct gdrv *d, struct gdrv_ring *r, uint32_t td, unsigned ms);
/* Event number @n (0 is the first of all). */
const struct gdrv_event *gdrv_event(const struct gdrv *d, uint64_t n);
/* Write ERDP of @intr to where the driver is. */
void gdrv_erdp(struct gdrv *d, unsigned intr);

/* --- gdrv_cmd.c: commands, contexts, devices --------------------------- */

/* What goes into an endpoint context. */
struct gdrv_epcfg {
	uint8_t dci;
	uint8_t type; /* EPT_* */
	uint16_t mps;
	uint8_t interval, max_burst, mult;
	uint32_t max_esit;
	uint8_t streams; /* MaxPStreams; 0: none, 3: ids 1 to 15 */
	unsigned nsegs;  /* transfer ring; 0: one segment of 256 */
	unsigned ntrbs[GDRV_SEGS];
};

/* Put a command on the ring, doorbell, wait. */
int gdrv_cmd_raw(struct gdrv *d, uint64_t param, uint32_t status, uint32_t ctl);
int gdrv_cmd_post(struct gdrv *d, uint64_t param, uint32_t status, uint32_t ctl,
		  uint32_t *ret_td);
int gdrv_cmd_wait(struct gdrv *d, uint32_t td);
int gdrv_enable_slot(struct gdrv *d, unsigned slot_type, unsigned *ret_slot);
int gdrv_disable_slot(struct gdrv *d, unsigned slot);
/* Memory and context for a slot just enabled. */
struct gdrv_dev *gdrv_dev_new(struct gdrv *d, unsigned slot, unsigned port,
			      unsigned speed);
void gdrv_dev_free(struct gdrv_dev *v);
int gdrv_address(struct gdrv_dev *v, bool bsr);
int gdrv_evaluate(struct gdrv_dev *v, uint16_t mps0);
/* The ring that @gpa is on: the endpoint's, or that of one of its streams */
struct gdrv_ring *gdrv_dev_ring(struct gdrv_dev *v, unsigned dci, uint64_t gpa);
/* Add (and configure) endpoints, with new rings for them. */
int gdrv_configure(struct gdrv_dev *v, const struct gdrv_epcfg *ep, unsigned n);
/* The same endpoints dropped and added by one command. */
int gdrv_replace(struct gdrv_dev *v, const struct gdrv_epcfg *ep, unsigned n);
int gdrv_deconfigure(struct gdrv_dev *v);
int gdrv_drop_ep(struct gdrv_dev *v, unsigned dci);
int gdrv_stop_ep(struct gdrv_dev *v, unsigned dci);
int gdrv_reset_ep(struct gdrv_dev *v, unsigned dci, bool tsp);
/* Set TR Dequeue Pointer to TRB @seq (0: the enqueue position). */
int gdrv_set_dequeue(struct gdrv_dev *v, unsigned dci, uint64_t seq);
/* The same for one of its streams. */
int gdrv_stream_dequeue(struct gdrv_dev *v, unsigned dci, unsigned stream,
			uint64_t seq);
int gdrv_reset_device(struct gdrv_dev *v);
/* Dword @n of context @index in the input context, or the output one. */
void gdrv_in_w32(struct gdrv_dev *v, unsigned index, unsigned n, uint32_t w);
uint32_t gdrv_out_r32(struct gdrv_dev *v, unsigned index, unsigned n);
void gdrv_in_clear(struct gdrv_dev *v);
void gdrv_in_flags(struct gdrv_dev *v, uint32_t drop, uint32_t add);
void gdrv_in_slot(struct gdrv_dev *v, unsigned entries);
void gdrv_in_ep(struct gdrv_dev *v, const struct gdrv_epcfg *c, uint64_t ring,
		bool dcs);
unsigned gdrv_ep_state(struct gdrv_dev *v, unsigned dci);
unsigned gdrv_slot_state(struct gdrv_dev *v);
/* TR Dequeue Pointer of the output context, without and with its DCS. */
uint64_t gdrv_ep_dequeue(struct gdrv_dev *v, unsigned dci, bool *ret_dcs);
/* Port reset, Enable Slot. The device, or NULL with the reason in d->err. */
struct gdrv_dev *gdrv_dev_enable(struct gdrv *d, unsigned port);
/*
 * gdrv_open - port reset, Enable Slot, Address Device. The device, or NULL
 * with the reason in d->err.
 */
struct gdrv_dev *gdrv_open(struct gdrv *d, unsigned port);

/* --- gdrv_os.c: transfers as operating systems build them --------------- */

enum gdrv_os {
	OS_LINUX,
	OS_EDK2,
	OS_FREEBSD,
	OS_WINDOWS,
	OS_MACOS,
	OS_UBOOT,
	OS_SEABIOS,
	OS_COUNT
};
const char *gdrv_os_name(enum gdrv_os os);

/* A piece of a buffer, contiguous in guest memory. */
struct gdrv_sg {
	uint64_t gpa;
	uint32_t len;
};

/*
 * gdrv_os_bulk - post the TDs of a bulk or interrupt transfer. Returns the
 * number of TDs (at most @max, ids in ret_td), or -ENOSPC, -E2BIG.
 */
int gdrv_os_bulk(struct gdrv_ring *r, enum gdrv_os os, bool in,
		 const struct gdrv_sg *sg, unsigned nsg, uint32_t *ret_td,
		 unsigned max);
/*
 * gdrv_bulk - the whole transfer: post, doorbell, wait. The completion code
 * that decided, or -errno; the bytes moved in *ret_actual.
 */
int gdrv_bulk(struct gdrv_dev *v, unsigned dci, enum gdrv_os os,
	      const struct gdrv_sg *sg, unsigned nsg, uint32_t *ret_actual);
/*
 * gdrv_control - a control transfer on EP0; @setup is 8 bytes as on the wire,
 * @gpa the buffer. As gdrv_bulk().
 */
int gdrv_control(struct gdrv_dev *v, enum gdrv_os os, const uint8_t *setup,
		 uint64_t gpa, uint32_t *ret_actual);
int gdrv_control_post(struct gdrv_ring *r, enum gdrv_os os,
		      const uint8_t *setup, uint64_t gpa, uint32_t *ret_td);

/* --- gdrv_bring.c: controllers and devices as operating systems set them up */

/* How that driver sets a controller up, for gdrv_init(). */
void gdrv_os_opts(enum gdrv_os os, struct gdrv_opts *ret);
/*
 * gdrv_os_open - as gdrv_open(), in the steps of that driver, for devices that
 * have a device descriptor; bMaxPacketSize0 of it is put right.
 */
struct gdrv_dev *gdrv_os_open(struct gdrv *d, enum gdrv_os os, unsigned port);

/* Packets, one behind the other in memory. */
struct gdrv_isoch {
	uint64_t gpa;
	uint32_t len;      /* bytes of each */
	unsigned n;        /* of them */
	unsigned interval; /* of the endpoint: 125 us << interval */
	bool split;        /* each in two TRBs */
};
/* Post a TD a packet; ids in ret_td[n]. 0 or -ENOSPC. */
int gdrv_os_isoch(struct gdrv_ring *r, enum gdrv_os os,
		  const struct gdrv_isoch *q, uint32_t *ret_td);

#endif
