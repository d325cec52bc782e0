/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * core.h - the controller's insides, for emu/ alone. Each state has one file
 * that writes it; the prototypes below are grouped by that file.
 */
#ifndef EMU_CORE_H
#define EMU_CORE_H

#include "emu/account.h"
#include "emu/decode.h"
#include "emu/hw.h"
#include "emu/tap.h"
#include "emu/td.h"
#include "emu/xhci.h"

#define LINK_LIMIT 32u /* Link TRBs in a row before a ring is called a loop */
#define TD_MAX_TRBS 4096u        /* TRBs of one TD */
#define TD_MAX_SPANS 8192u       /* pieces of guest memory of one TD */
#define EPQ_MAX_TDS 128u         /* TDs in flight a transfer ring */
#define EPQ_MAX_ISOCH 512u       /* the same, isochronous */
#define EPQ_MAX_BYTES (8u << 20) /* bytes in flight a transfer ring */
#define MAX_TDS 4096u            /* TDs in flight a controller */
#define MAX_BYTES (64u << 20)    /* bytes in flight a controller */
#define MAX_ELEMS (512u << 10)   /* TRB records held by TDs, a controller */
#define RUN_TRBS 1024            /* TRBs read in one slice of xhci_run() */
#define RUN_CMDS 16u             /* commands in one slice */
#define RUN_CANCELS 128u         /* transfers asked for back in one slice */
#define STARVED_NS 10000000u     /* until memory is asked for once more */
#define NDCI 32u
#define NOTE_TYPES 16u /* of device notifications */
/* what is rare, and out of the way of what is done for each TD */
#define COLD __attribute__((cold, noinline))

struct xhci_slot {
	struct xhci *x;           /* borrowed */
	uint8_t id;               /* 1..XHCI_MAX_SLOTS */
	uint8_t state;            /* enum slot_state; written by slot.c */
	uint8_t port;             /* root hub port, 0 while not addressed */
	uint32_t plug;            /* which of the devices in that port */
	uint32_t ctx[4];          /* the output slot context, but its state */
	uint64_t octx;            /* gpa of the output device context */
	struct xhci_ep *ep[NDCI]; /* owned; by DCI, NULL: disabled */
	/* notify.c: events that are due */
	bool bw_asked;
	uint16_t notes; /* a bit a type */
	uint64_t note[NOTE_TYPES];
};

/* §4.15, §4.19: where a root hub port is */
enum port_state {
	PORT_OFF, /* PP=0 */
	PORT_DISCONNECTED,
	PORT_DISABLED,   /* USB 2: connected, not enabled. USB 3: SS.Disabled */
	PORT_INACTIVE,   /* USB 3: the link failed */
	PORT_COMPLIANCE, /* USB 3: the link did not train */
	PORT_TEST,       /* USB 2: a test mode, until HCRST */
	PORT_RESET,
	PORT_U0, /* enabled */
	PORT_U3,
	PORT_RESUME,
	PORT_U2, /* USB 2: L1 */
	PORT_NSTATES
};

enum port_event {
	PE_CONNECT,
	PE_DISCONNECT,
	PE_RESET,
	PE_WARM_RESET,
	PE_RESET_DONE,
	PE_RESET_FAILED,
	PE_DISABLE, /* PED=1 written */
	PE_POWER_OFF,
	PE_POWER_ON,
	PE_LINK_U0,
	PE_LINK_U2,
	PE_LINK_U3,
	PE_LINK_RESUME,
	PE_LINK_DISABLED,
	PE_LINK_RXDETECT,
	PE_WAKE,
	PE_LINK_ERROR,
	PE_TRAIN_ERROR,
	PE_CONFIG_ERROR,
	PE_TEST,
	PORT_NEVENTS
};

/* What a port does with an event; zeroes: it does not care. */
struct port_rule {
	bool go;
	uint8_t next; /* enum port_state */
	uint32_t changes;
};

struct xhci_port {
	uint8_t id; /* 1.. */
	bool usb3;
	uint8_t state;    /* enum port_state; written by port.c */
	uint8_t speed;    /* enum usb_speed of what is plugged in */
	bool warm;        /* the reset under way is a warm one */
	bool fwake;       /* the device woke the link, and says so in U0 */
	bool oca;         /* too much current is drawn */
	uint16_t lec;     /* link errors, PORTLI */
	uint32_t plug;    /* devices plugged in so far */
	uint32_t changes; /* PORTSC change bits set */
	uint32_t wakes;
	uint32_t pic;
	uint32_t portpmsc, porthlpmc;
	const struct usb_port_ops *ops; /* borrowed; NULL: nothing plugged in */
	void *dev;                      /* borrowed */
};

#define ERST_MAX (1u << ERST_MAX_LOG2)

struct xhci_intr {
	uint32_t iman, imod, erstsz;
	uint64_t erstba, erdp;
	bool loaded;  /* seg[] holds the segment table */
	bool full;    /* Event Ring Full was reported, nothing fits */
	bool held;    /* something found no room since ERDP moved */
	bool pending; /* an event that wants an interrupt was written */
	bool pcs;
	uint8_t nseg, cur;
	uint32_t idx;          /* where in seg[cur] the next event goes */
	uint32_t room;         /* so many events fit for sure: room_ahead() */
	uint64_t next_ns;      /* no interrupt before, IMOD */
	struct xhci_epq *wait; /* rings whose next event finds no room */
	struct {
		uint64_t base;
		uint32_t size;
	} seg[ERST_MAX];
};

/* The command that waits for transfers to come back. */
struct xhci_cmd {
	struct xhci_ring ring;
	bool running;     /* CRCR.CRR */
	bool stop, abort; /* CRCR.CS or CA seen; CA seen */
	bool busy;        /* trb has begun and not ended */
	bool aborted;     /* its end is not reported */
	bool doorbell;
	uint64_t gpa;
	struct xhci_trb trb;
	uint32_t wait_mask;     /* endpoints (by DCI) that must come to rest */
	uint64_t cancel_at;     /* no longer wait for a request's end then */
	struct xhci_slot *slot; /* the command's, borrowed */
	/* the input of Configure Endpoint and Address Device, read once */
	uint32_t add, drop;
	uint32_t in_slot[4];
	uint32_t in_ep[NDCI][5];
	/* a completion that found the event ring full */
	bool held;
	uint8_t held_cc, held_slot;
	uint64_t held_gpa;
};

/* account.h: since the controller was created */
struct xhci_account {
	uint64_t taken, returned; /* transfers, by and from devices */
	uint64_t bytes_taken, bytes_returned;
	int64_t holds; /* on guest memory */
};

struct xhci {
	struct xhci_config cfg;
	const struct xhci_host_ops *ops;
	void *host;

	uint32_t usbcmd, usbsts, dnctrl, config; /* xhci.c, regs.c */
	uint64_t dcbaap;
	uint32_t legsup;
	uint16_t belt;     /* §4.6.14, as software set it */
	bool resetting;    /* waits for transfers in flight */
	bool light;        /* and leaves the ports alone */
	bool quietly;      /* and tells no device of it: save.c */
	bool paused;       /* xhci_pause() */
	bool save_due;     /* CSS waits for transfers in flight */
	bool saved_lost;   /* there was a reset since: it is only in `saved` */
	bool saved_untold; /* the devices know of nothing of it */
	uint8_t *saved;    /* owned; NULL: nothing was saved */
	size_t saved_len;
	bool bus_master;
	bool kicked;       /* the host knows that there is work */
	bool again;        /* there is more since xhci_run() began */
	unsigned cancels;  /* that this slice may still have */
	bool cancelling;   /* there are endpoints with more of them */
	uint8_t intr_mode; /* enum xhci_intr_mode */
	bool pin;
	uint64_t run_ns;       /* MFINDEX counts from here */
	uint64_t wrap_uf;      /* the next MFINDEX wrap to be told of */
	uint64_t mfindex_base; /* microframes counted before run_ns */
	uint64_t timer_at;

	struct xhci_cmd cmd;
	struct xhci_intr intr[XHCI_NINTRS];
	struct xhci_port port[XHCI_MAX_PORTS]; /* index: id - 1 */
	struct xhci_slot slot[XHCI_MAX_SLOTS]; /* index: id - 1 */
	uint32_t port_events; /* bit port - 1: event to be posted */
	unsigned nports;

	struct xhci_epq *ready_head, *ready_tail;
	struct xhci_ep *iso_list;
	uint32_t nstreams;       /* stream rings in use */
	struct xhci_td *td_free; /* pool */
	uint32_t nflight, ntds, nelems;
	uint64_t bytes_flight; /* lent to devices */
	bool notify;           /* there are events due, notify.c */
	bool wrap_due;         /* one of them: MFINDEX Wrap */
	bool starved;          /* a ring waits for a TD of the pool */
	uint64_t starved_at;   /* and is served again then, if not before */
	struct xhci_tap *tap;  /* owned; NULL: nobody listens */
	struct xhci_stats stats;
	ACCOUNT_DO(struct xhci_account account;)
};

/* account.c; only where ACCOUNT_ON */
void account_ring(const struct xhci_epq *q);
void account_end(const struct xhci *x); /* all slots are disabled */

/* mem.c: guest memory, each structure read once into a private copy */
int mem_read(struct xhci *x, uint64_t gpa, void *buf, size_t len);
int mem_write(struct xhci *x, uint64_t gpa, const void *buf, size_t len);
/* 1: it is the ring's (cycle bit @c) and *ret is it; 0: not; -EFAULT */
int mem_read_trb(struct xhci *x, uint64_t gpa, bool c, struct xhci_trb *ret);
int mem_write_trb(struct xhci *x, uint64_t gpa, const struct xhci_trb *trb);
int mem_read_ctx(struct xhci *x, uint64_t gpa, uint32_t *dw, unsigned ndw);
int mem_write_ctx(struct xhci *x, uint64_t gpa, const uint32_t *dw,
		  unsigned ndw);

/* xhci.c */
void xhci_kick(struct xhci *x);
void xhci_log(struct xhci *x, enum xhci_log level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* §4.24.1: stop for good, until a reset. */
COLD void xhci_fail_hce(struct xhci *x, const char *why);
COLD void xhci_fail_hse(struct xhci *x, const char *why);
static inline bool xhci_running(const struct xhci *x)
{
	return !(x->usbsts & STS_HCH);
}
void usbcmd_write(struct xhci *x, uint32_t v);
void usbsts_write(struct xhci *x, uint32_t v);
void mfindex_tell_wrap(struct xhci *x);
/* Microframes since reset while running, not wrapped. */
uint64_t mfindex_now(struct xhci *x);
/* A transfer came back; ends a reset that waited for the last. */
void xhci_reset_step(struct xhci *x);
void timer_update(struct xhci *x);

/*
 * ring.c: the TRB at r, and r moved behind it (over Links one at a time);
 * *ret_gpa is where it is, was to be, or is not to be had.
 */
enum ring_result { RING_TRB, RING_EMPTY, RING_FAULT };
enum ring_result ring_next(struct xhci *x, struct xhci_ring *r,
			   struct xhci_trb *ret_trb, uint64_t *ret_gpa);

/* td_gather.c, td_retire.c */
enum td_gather { TD_GATHERED, TD_NOTHING, TD_NO_MEMORY };
enum td_gather td_gather(struct xhci *x, struct xhci_epq *q, struct xhci_td *td,
			 int *work);
void td_walk_start(struct xhci_td *td);
/* The next event of a finished TD; false: there is none. Pure. */
bool td_retire(const struct xhci_td *td, struct td_walk *w,
	       struct td_event *ret);
/* The element in which the transfer ended, and the bytes of it moved. */
uint32_t td_position(const struct xhci_td *td, uint32_t *ret_off);
enum cc td_status_cc(enum usb_status st);

/* td_pool.c */
/* In it is still what it was: td_begin() is for the one that is used. */
struct xhci_td *td_get(struct xhci *x);
void td_begin(struct xhci_td *td, struct xhci_epq *q);
void td_put(struct xhci *x, struct xhci_td *td);
/* One more, not filled in; NULL: no memory, or the limit is reached. */
struct td_elem *td_add_elem(struct xhci *x, struct xhci_td *td);
struct usb_seg *td_add_seg(struct xhci *x, struct xhci_td *td);
void td_drop_holds(struct xhci *x, struct xhci_td *td);
void td_pool_free(struct xhci *x);

/* endpoint.c */
enum ep_event { EPE_DOORBELL, EPE_STOP, EPE_RESET, EPE_SET_DEQ, EP_NEVENTS };
struct ep_rule {
	bool ok; /* false: Context State Error, or the doorbell is ignored */
	uint8_t next; /* enum ep_state */
};
extern const struct ep_rule ep_rules[EP_NSTATES][EP_NEVENTS];
/* Decode an endpoint context, §6.2.3; CC_SUCCESS or what is wrong with it */
enum cc ep_info_decode(unsigned dci, const uint32_t ctx[5],
		       struct usb_ep_info *ret);
/* NULL: no memory. Running, nothing in flight. */
struct xhci_ep *ep_create(struct xhci_slot *s, unsigned dci,
			  const uint32_t ctx[5], const struct usb_ep_info *i);
void ep_destroy(struct xhci_ep *ep); /* quiet, or its TDs are freed */
void ep_doorbell(struct xhci_ep *ep, unsigned stream);
void ep_drain(struct xhci_ep *ep, enum ep_drain why);
/* A slice begins: transfers that could not be asked for in the one before */
void ep_cancel_more(struct xhci *x);
/* Fetch no more, and wait for what the device has to end by itself. */
void ep_hold(struct xhci_ep *ep);
/* If the last transfer is back: whoever waited for that goes on. */
void ep_drain_check(struct xhci_ep *ep);
/* The endpoint is quiet, and may fetch again. */
void ep_drain_end(struct xhci_ep *ep);
bool ep_quiet(const struct xhci_ep *ep);
void ep_ready(struct xhci_epq *q);
void ep_set_state(struct xhci_ep *ep, enum ep_state st);
void ep_write_ctx(struct xhci_ep *ep);
void ep_set_deq(struct xhci_epq *q, uint64_t deq_dcs);
void ep_reset(struct xhci_ep *ep, bool tsp);
void ep_resume_all(struct xhci *x); /* rings that have work get their turn */
/* The rings of an endpoint: its one, or those of its streams in use */
#define EP_FOR_EACH_Q(ep, q) \
	for ((q) = (ep)->stream ? (ep)->q.sib : &(ep)->q; (q); (q) = (q)->sib)

/* transfer.c */
/* Work on one ring; returns true when it wants another turn. */
bool epq_service(struct xhci_epq *q, int *budget);
void epq_append(struct xhci_epq *q, struct xhci_td *td);
/* Forget the TDs that the device does not have. */
void epq_drop_done(struct xhci_epq *q);
void td_submit(struct xhci_epq *q, struct xhci_td *td);
/* Stopped Transfer Event, §4.6.9; false: no room in the event ring */
bool ep_post_stopped(struct xhci_ep *ep);
/* A Transfer Event that belongs to no TD; false: no room */
bool ep_post_event(struct xhci_ep *ep, const struct td_event *ev);

/* isoch.c */
void isoch_add(struct xhci_ep *ep);
void isoch_remove(struct xhci_ep *ep);
/* What an endpoint may move in a service interval, by its context */
uint32_t isoch_payload(const struct xhci_ep *ep);
/*
 * When is this TD to go? Sets td->state, and td->cc where it cannot go. An underrun
 * or overrun before it is told of first; false: that was the controller's end (HCE),
 * and the TD stays on its ring.
 */
bool isoch_schedule(struct xhci_ep *ep, struct xhci_td *td);
void isoch_idle(struct xhci_ep *ep); /* the ring has run empty */
/* The ring was taken back; @asked: software did, and knows of it */
void isoch_stop(struct xhci_ep *ep, bool asked);
/* Tell of the rings that ran dry; false: there is no room for all of them */
bool isoch_tell(struct xhci *x);
uint64_t isoch_deadline(const struct xhci *x);
void isoch_timer(struct xhci *x, uint64_t now_ns);

/* stream.c */
/* The ring of a stream, looked up when first used; NULL and why not. */
struct xhci_epq *stream_queue(struct xhci_ep *ep, unsigned id, enum cc *ret_cc);
int stream_init(struct xhci_ep *ep);
void stream_free(struct xhci_ep *ep);
/* Dequeue pointers back to the stream contexts, §4.12 */
void stream_write_ctx(struct xhci_ep *ep);

/* A ring for a stream whose context is known; NULL: no memory */
struct xhci_epq *stream_add(struct xhci_ep *ep, unsigned id);

/* snapshot.c: devices hear of their endpoints. */
void slots_tell(struct xhci *x);

/* save.c */
void state_save(struct xhci *x);
void state_save_step(struct xhci *x);
void state_restore(struct xhci *x);
void state_forget(struct xhci *x);

/* slot.c */
/* §6.2.2: events of the slot that no TRB has go there */
static inline uint16_t slot_intr(const struct xhci_slot *s)
{
	return (uint16_t)SLOT_CTX_INTR(s->ctx[2]);
}
/* The device is told of an endpoint. */
void slot_tell_ep(struct xhci *x, const struct xhci_port *p,
		  const struct usb_ep_info *info);
struct xhci_slot *slot_get(struct xhci *x, unsigned id); /* NULL: not enabled */
enum cc slot_enable(struct xhci *x, unsigned *ret_id);
void slot_disable(struct xhci_slot *s);
enum cc slot_address_check(struct xhci_slot *s, uint64_t ictx, bool bsr);
enum cc slot_address(struct xhci_slot *s, bool bsr);
enum cc slot_evaluate(struct xhci_slot *s, uint64_t ictx);
/* Read and check the input of Configure Endpoint into x->cmd */
enum cc slot_configure_check(struct xhci_slot *s, uint64_t ictx, bool dc);
enum cc slot_configure(struct xhci_slot *s, bool dc);
void slot_reset_device(struct xhci_slot *s);
void slot_set_state(struct xhci_slot *s, enum slot_state st);
bool slot_quiet(const struct xhci_slot *s, uint32_t dci_mask);
void slot_drain(struct xhci_slot *s, uint32_t dci_mask, enum ep_drain why);
uint64_t slot_ep_ctx_gpa(const struct xhci_slot *s, unsigned dci);
/* The port of the slot's device; NULL: none, or another device is in it */
static inline struct xhci_port *slot_port(const struct xhci_slot *s)
{
	struct xhci_port *p;

	if (!s->port)
		return NULL;
	p = &s->x->port[s->port - 1];
	return p->plug == s->plug ? p : NULL;
}

/* command.c */
/* Is the command under way one that may wait with nothing in flight? */
bool command_can_wait(const struct xhci *x);
unsigned command_slot_id(const struct xhci *x);
bool command_slot(struct xhci *x); /* to x->cmd.slot; false: not enabled */
void command_doorbell(struct xhci *x);
void command_crcr_write(struct xhci *x, bool high, uint32_t v);
uint32_t command_crcr_read(const struct xhci *x);
/* Run commands; true when there are more for the next slice. */
bool command_run(struct xhci *x);
void command_timer(struct xhci *x, uint64_t now_ns);
void command_halt(struct xhci *x);
void command_reset(struct xhci *x);

/* command_bus.c; each is a command's begin */
unsigned command_negotiate(struct xhci *x);
unsigned command_latency(struct xhci *x);
unsigned command_port_bandwidth(struct xhci *x);
unsigned command_force_header(struct xhci *x);

/* port_rules.c, port.c */
extern const struct port_rule port_rules[2][PORT_NSTATES][PORT_NEVENTS];
void port_init(struct xhci *x);
void port_reset_all(struct xhci *x);
/* After a restore: there was a device, and one that takes its place. */
void port_restored(struct xhci *x, struct xhci_port *p, bool had, bool same);
uint32_t portsc_read(const struct xhci_port *p);
void portsc_write(struct xhci *x, struct xhci_port *p, uint32_t v);
void portpmsc_write(struct xhci *x, struct xhci_port *p, uint32_t v);
uint32_t portli_read(const struct xhci_port *p);
void port_flush_events(struct xhci *x);
/* There is a transfer: a link in L1 is woken for it. */
void port_l1_exit(struct xhci *x, struct xhci_port *p);
/* The device of a port is reset; there is one */
void port_device_reset(struct xhci *x, struct xhci_port *p, bool warm);
static inline bool port_enabled(const struct xhci_port *p)
{
	return p->state == PORT_U0 && p->ops;
}

/* notify.c */
void notify_device(struct xhci_port *p, struct xhci *x, unsigned type,
		   uint64_t value);
void notify_ask_bandwidth(struct xhci_slot *s);
void notify_flush(struct xhci *x);

/* bandwidth.c; endpoints of x->cmd are in place of those that a slot has */
unsigned bw_limit(
	unsigned speed); /* percent that periodic endpoints may have */
bool bw_slot_is_periodic(const struct xhci_slot *s);
bool bw_fits(const struct xhci_slot *s, uint32_t drop, uint32_t add);
unsigned bw_available(const struct xhci *x, unsigned port, unsigned speed);
bool bw_latency_fits(const struct xhci_slot *s, uint32_t mel_us, uint32_t drop,
		     uint32_t add);

/* intr.c */
/* §4.17: with the pin there is one interrupter */
static inline unsigned intr_target(const struct xhci *x, unsigned n)
{
	return x->intr_mode == XHCI_INTR_PIN ? 0 : n;
}
bool intr_has_room(struct xhci *x, unsigned n);
/* Write an event; false: the ring is full, try again when it has room. */
bool intr_post(struct xhci *x, unsigned n, struct xhci_trb *ev, bool bei);
/* @q has its turn again when there is room in the ring of @n. */
void intr_wait(struct xhci *x, unsigned n, struct xhci_epq *q);
uint32_t intr_reg_read(struct xhci *x, unsigned n, uint32_t off);
void intr_reg_write(struct xhci *x, unsigned n, uint32_t off, uint32_t v);
void intr_reset(struct xhci *x);
void intr_update_all(struct xhci *x); /* INTE or the mode changed */
uint64_t intr_next_deadline(const struct xhci *x);

/* regs.c */
uint32_t regs_read32(struct xhci *x, uint32_t off);
void regs_write32(struct xhci *x, uint32_t off, uint32_t v);

/* tap.c; x->tap is not NULL */
COLD void tap_args(struct xhci *x, enum xhci_tap_kind kind, uint64_t a0,
		   uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4);
COLD void tap_mem(struct xhci *x, enum xhci_tap_kind kind, uint64_t gpa,
		  const void *buf, size_t len, size_t done);
COLD void tap_submit(struct xhci *x, struct xhci_td *td, unsigned port,
		     int result);
COLD void tap_ep_enable(struct xhci *x, unsigned port,
			const struct usb_ep_info *i);
COLD void tap_xfer_done(struct xhci *x, const struct xhci_td *td);
void tap_remove(struct xhci *x); /* or it is NULL: nothing to do */
/* Is there one? What hangs on it is out of the way of what does not. */
#define TAPPED(x) __builtin_expect((x)->tap != NULL, 0)
/* Tell a kind that has up to five arguments. */
#define TAP(x, ...)                                                          \
	do {                                                                 \
		if (TAPPED(x))                                               \
			tap_args((x), TAP_FIVE(__VA_ARGS__, 0, 0, 0, 0, 0)); \
	} while (0)
#define TAP_FIVE(kind, a0, a1, a2, a3, a4, ...)                 \
	(kind), (uint64_t)(a0), (uint64_t)(a1), (uint64_t)(a2), \
		(uint64_t)(a3), (uint64_t)(a4)

#endif
