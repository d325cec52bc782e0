/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay_explain.c - records as text, with the names of xHCI 1.2.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "emu/decode.h"
#include "emu/hw.h"
#include "vmm/replay.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Text that grows; what does not fit is left out. */
struct text {
	char *buf;
	size_t len, size;
};

static void add(struct text *t, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len += (size_t)n;
	if (t->len >= t->size)
		t->len = t->size - 1;
}

static const char *name_of(const char *const *names, size_t n, uint64_t i)
{
	return i < n && names[i] ? names[i] : "?";
}

static uint32_t dword(const struct xhci_tap_rec *rec, unsigned i)
{
	uint32_t v = 0;

	if (4 * i + 4 <= rec->len)
		memcpy(&v, (const uint8_t *)rec->data + 4 * i, 4);
	return v;
}

static uint64_t qword(const struct xhci_tap_rec *rec, unsigned i)
{
	return dword(rec, i) | (uint64_t)dword(rec, i + 1) << 32;
}

struct flag {
	uint32_t bit;
	const char *name;
};

static void add_flags(struct text *t, uint32_t v, const struct flag *f,
		      size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (v & f[i].bit)
			add(t, " %s", f[i].name);
}

/* "EP 1 IN", as a context index numbers them, §4.5.1 */
static void add_dci(struct text *t, unsigned dci)
{
	if (dci == 1)
		add(t, "EP 0");
	else
		add(t, "EP %u %s", dci / 2, dci & 1 ? "IN" : "OUT");
}

static void add_transfer_trb(struct text *t, const struct xhci_tap_rec *rec,
			     unsigned type)
{
	static const struct flag flags[] = {
		{TRB_ENT, "ENT"}, {TRB_ISP, "ISP"}, {TRB_CH, "CH"},
		{TRB_IOC, "IOC"}, {TRB_IDT, "IDT"}, {TRB_BEI, "BEI"},
	};
	uint32_t control = dword(rec, 3);
	const uint8_t *p = rec->data;

	if (type == TRB_SETUP) {
		add(t, ":");
		for (unsigned i = 0; i < 8; i++)
			add(t, " %02x", p[i]);
	} else if (type == TRB_LINK) {
		add(t, " to 0x%" PRIx64 "%s", qword(rec, 0),
		    control & TRB_TC ? " TC" : "");
		control &= TRB_CH | TRB_IOC;
	} else if (type == TRB_EVENT_DATA || (control & TRB_IDT)) {
		add(t, ": data 0x%" PRIx64, qword(rec, 0));
	} else if (type != TRB_STATUS && type != TRB_NOOP) {
		add(t, ": buffer 0x%" PRIx64, qword(rec, 0));
	}
	if (type == TRB_NORMAL || type == TRB_DATA || type == TRB_ISOCH)
		add(t, ", %u bytes", TRB_LEN(dword(rec, 2)));
	if (type == TRB_DATA || type == TRB_STATUS)
		add(t, control & TRB_DIR_IN ? " IN" : " OUT");
	if (type == TRB_ISOCH && !(control & TRB_SIA))
		add(t, ", frame %u", TRB_FRAME_ID(control));
	if (TRB_INTR(dword(rec, 2)))
		add(t, ", interrupter %u", TRB_INTR(dword(rec, 2)));
	add_flags(t, control, flags, COUNT(flags));
}

static void add_command_trb(struct text *t, const struct xhci_tap_rec *rec,
			    unsigned type)
{
	uint32_t control = dword(rec, 3);

	if (TRB_SLOT(control))
		add(t, ": slot %u", TRB_SLOT(control));
	if (type == TRB_RESET_EP || type == TRB_STOP_EP ||
	    type == TRB_SET_TR_DEQ) {
		add(t, " ");
		add_dci(t, TRB_EP(control));
	}
	if (type == TRB_ADDRESS_DEVICE || type == TRB_CONFIGURE_EP ||
	    type == TRB_EVALUATE_CTX)
		add(t, ", input context 0x%" PRIx64, qword(rec, 0));
	if (type == TRB_SET_TR_DEQ)
		add(t, ", to 0x%" PRIx64 " DCS %u, stream %u",
		    qword(rec, 0) & ~(uint64_t)0xf, dword(rec, 0) & 1,
		    dword(rec, 2) >> 16);
	if (type == TRB_ADDRESS_DEVICE && (control & TRB_BSR))
		add(t, " BSR");
	if (type == TRB_CONFIGURE_EP && (control & TRB_DC))
		add(t, " DC");
	if (type == TRB_RESET_EP && (control & TRB_TSP))
		add(t, " TSP");
	if (type == TRB_STOP_EP && (control & TRB_SP))
		add(t, " SP");
}

static void add_event_trb(struct text *t, const struct xhci_tap_rec *rec,
			  unsigned type)
{
	uint32_t status = dword(rec, 2), control = dword(rec, 3);

	add(t, ": %s", cc_name(status >> EV_CC_SHIFT));
	if (type == TRB_EV_PORT) {
		add(t, ", port %u", dword(rec, 0) >> 24);
	} else if (type == TRB_EV_TRANSFER) {
		add(t, ", slot %u ", TRB_SLOT(control));
		add_dci(t, TRB_EP(control));
		add(t, ", %s 0x%" PRIx64 ", %s %u",
		    control & EV_ED ? "event data" : "TRB", qword(rec, 0),
		    control & EV_ED ? "moved" : "residual",
		    status & EV_LEN_MAX);
	} else if (type == TRB_EV_COMMAND) {
		add(t, ", command 0x%" PRIx64 ", slot %u", qword(rec, 0),
		    TRB_SLOT(control));
	}
}

static void add_trb(struct text *t, const struct xhci_tap_rec *rec)
{
	unsigned type = TRB_TYPE(dword(rec, 3));

	add(t, "%s", trb_type_name(type));
	if (type <= TRB_NOOP)
		add_transfer_trb(t, rec, type);
	else if (type < TRB_EV_TRANSFER)
		add_command_trb(t, rec, type);
	else
		add_event_trb(t, rec, type);
	add(t, ", C=%u", dword(rec, 3) & TRB_C);
}

static void add_slot_ctx(struct text *t, const struct xhci_tap_rec *rec)
{
	static const char *const states[] = {"Disabled or Enabled", "Default",
					     "Addressed", "Configured"};

	add(t, "Slot Context: %s, address %u, port %u, speed %u, %u entries",
	    name_of(states, COUNT(states), dword(rec, 3) >> 27),
	    dword(rec, 3) & 0xff, SLOT_CTX_PORT(dword(rec, 1)),
	    dword(rec, 0) >> 20 & 0xf, SLOT_CTX_ENTRIES(dword(rec, 0)));
}

static void add_ep_ctx(struct text *t, const struct xhci_tap_rec *rec)
{
	static const char *const states[] = {"Disabled", "Running", "Halted",
					     "Stopped", "Error"};
	static const char *const types[] = {
		"none",    "Isoch OUT", "Bulk OUT", "Interrupt OUT",
		"Control", "Isoch IN",  "Bulk IN",  "Interrupt IN"};

	add(t,
	    "Endpoint Context: %s, %s, Max Packet Size %u, TR Dequeue "
	    "Pointer 0x%" PRIx64 " DCS=%u",
	    name_of(states, COUNT(states), EP_CTX_STATE(dword(rec, 0))),
	    types[EP_CTX_TYPE(dword(rec, 1))], EP_CTX_MPS(dword(rec, 1)),
	    qword(rec, 2) & ~(uint64_t)0xf, dword(rec, 2) & EP_CTX_DCS);
	if (EP_CTX_MAXPSTREAMS(dword(rec, 0)))
		add(t, ", streams");
}

/* A structure that its size tells; the rest as numbers. */
static void add_structure(struct text *t, const struct xhci_tap_rec *rec)
{
	bool ctx = rec->kind == XHCI_TAP_CTX_READ ||
		   rec->kind == XHCI_TAP_CTX_WRITE;

	if (ctx && rec->len == 20) {
		add_ep_ctx(t, rec);
	} else if (ctx && rec->len == 16) {
		add_slot_ctx(t, rec);
	} else if (!ctx && rec->len == 16) {
		add(t, "Event Ring Segment: 0x%" PRIx64 ", %u TRBs",
		    qword(rec, 0), dword(rec, 2) & 0xffff);
	} else if (!ctx && rec->len == 8) {
		add(t, "Device Context Base Address: 0x%" PRIx64,
		    qword(rec, 0));
	} else {
		for (unsigned i = 0; i < rec->len / 4; i++)
			add(t, " %08x", dword(rec, i));
	}
}

static void add_memory(struct text *t, const struct xhci_tap_rec *rec)
{
	static const char *const verbs[] = {
		[XHCI_TAP_TRB_READ] = "reads TRB",
		[XHCI_TAP_TRB_PEEK] = "looks at TRB",
		[XHCI_TAP_TRB_WRITE] = "writes event",
		[XHCI_TAP_CTX_READ] = "reads context",
		[XHCI_TAP_CTX_WRITE] = "writes context",
		[XHCI_TAP_MEM_READ] = "reads",
		[XHCI_TAP_MEM_WRITE] = "writes",
	};

	add(t, "%s 0x%" PRIx64 ": ", verbs[rec->kind], rec->arg[0]);
	if (rec->kind == XHCI_TAP_TRB_PEEK)
		add(t, "not the controller's, C=%u", dword(rec, 0) & TRB_C);
	else if (rec->len < rec->arg[1])
		add(t, "%" PRIu64 " bytes, of which only %u are there",
		    rec->arg[1], rec->len);
	else if (rec->kind == XHCI_TAP_TRB_READ ||
		 rec->kind == XHCI_TAP_TRB_WRITE)
		add_trb(t, rec);
	else
		add_structure(t, rec);
}

static void add_register(struct text *t, uint32_t off, uint64_t v)
{
	static const struct flag usbcmd[] = {
		{CMD_RS, "R/S"},    {CMD_HCRST, "HCRST"}, {CMD_INTE, "INTE"},
		{CMD_HSEE, "HSEE"}, {CMD_CSS, "CSS"},     {CMD_CRS, "CRS"},
		{CMD_EWE, "EWE"},
	};
	static const struct flag portsc[] = {
		{PORTSC_CCS, "CCS"}, {PORTSC_PED, "PED"}, {PORTSC_PR, "PR"},
		{PORTSC_PP, "PP"},   {PORTSC_LWS, "LWS"}, {PORTSC_CSC, "CSC"},
		{PORTSC_PEC, "PEC"}, {PORTSC_WRC, "WRC"}, {PORTSC_PRC, "PRC"},
		{PORTSC_PLC, "PLC"}, {PORTSC_CEC, "CEC"}, {PORTSC_WPR, "WPR"},
	};
	uint32_t bits = (uint32_t)v;

	if (off == OFF_OP + OP_USBCMD) {
		add_flags(t, bits, usbcmd, COUNT(usbcmd));
	} else if (off >= OFF_PORTS && off < OFF_XECP && off % 16 == 0) {
		add_flags(t, bits, portsc, COUNT(portsc));
		add(t, " PLS=%u", PORTSC_PLS(bits));
	} else if (off == OFF_DB) {
		add(t, " (command ring)");
	} else if (off > OFF_DB && (bits & 0xff) < 32) {
		add(t, " (");
		add_dci(t, bits & 0xff);
		if (bits >> 16)
			add(t, ", stream %u", bits >> 16);
		add(t, ")");
	}
}

static const char *const speeds[] = {
	"none",  "full",       "low",        "high",
	"super", "super plus", "super by 2", "super plus by 2"};
static const char *const faults[] = {
	[XHCI_FAULT_LINK] = "the link fails",
	[XHCI_FAULT_TRAINING] = "the link does not train",
	[XHCI_FAULT_CONFIG] = "the link cannot be configured",
	[XHCI_FAULT_OVER_CURRENT] = "over-current",
	[XHCI_FAULT_NO_OVER_CURRENT] = "over-current is over"};
static const char *const types[] = {"control", "isochronous", "bulk",
				    "interrupt"};

static void add_submit(struct text *t, const struct xhci_tap_rec *rec)
{
	const uint64_t *a = rec->arg;

	add(t,
	    "submits transfer %" PRIu64 ": port %" PRIu64 ", EP %u %s %s, "
	    "%" PRIu64 " bytes",
	    a[0], a[1], (unsigned)a[2] & 15, name_of(types, COUNT(types), a[3]),
	    a[5] ? "IN" : "OUT", a[6]);
	if (a[4])
		add(t, ", stream %" PRIu64, a[4]);
	if (a[3] == USB_CONTROL)
		add(t, ", setup %02x %02x %04x %04x %04x",
		    (unsigned)a[7] & 0xff, (unsigned)(a[7] >> 8) & 0xff,
		    (unsigned)(a[7] >> 16) & 0xffff,
		    (unsigned)(a[7] >> 32) & 0xffff, (unsigned)(a[7] >> 48));
	if (a[3] == USB_ISOCH)
		add(t, ", microframe %" PRIu64, a[8]);
	if (a[9])
		add(t, ": refused (%" PRId64 ")", (int64_t)a[9]);
}

static void add_done(struct text *t, const struct xhci_tap_rec *rec)
{
	static const char *const status[] = {
		"OK",           "STALL",     "transaction error",
		"babble",       "cancelled", "device gone",
		"no resources", "missed",    "overrun",
	};

	add(t, "transfer %" PRIu64 " ends: %s, %" PRIu64 " bytes", rec->arg[0],
	    name_of(status, COUNT(status), rec->arg[1]), rec->arg[2]);
	if (rec->arg[3] || rec->arg[4])
		add(t, "; its packet: %s, %" PRIu64 " bytes",
		    name_of(status, COUNT(status), rec->arg[3]), rec->arg[4]);
}

static void add_call(struct text *t, const struct xhci_tap_rec *rec)
{
	static const char *const modes[] = {"none", "messages", "pin"};
	const uint64_t *a = rec->arg;
	char reg[48];

	switch (rec->kind) {
	case XHCI_TAP_MMIO_READ:
		reg_name((uint32_t)a[0], reg, sizeof(reg));
		add(t, "guest reads %s (%" PRIu64 " bytes)", reg, a[1]);
		break;
	case XHCI_TAP_MMIO_WRITE:
		reg_name((uint32_t)a[0], reg, sizeof(reg));
		add(t, "guest writes %s = 0x%" PRIx64, reg, a[2]);
		add_register(t, (uint32_t)a[0], a[2]);
		break;
	case XHCI_TAP_RUN:
		add(t, "work");
		break;
	case XHCI_TAP_TIMER:
		add(t, "timer");
		break;
	case XHCI_TAP_RESET:
		add(t, "reset from outside");
		break;
	case XHCI_TAP_BUS_MASTER:
		add(t, "bus mastering %s", a[0] ? "on" : "off");
		break;
	case XHCI_TAP_INTR_MODE:
		add(t, "interrupts: %s", name_of(modes, COUNT(modes), a[0]));
		break;
	case XHCI_TAP_CONNECT:
		add(t, "port %" PRIu64 ": a device comes, %s speed", a[0],
		    name_of(speeds, COUNT(speeds), a[1]));
		break;
	case XHCI_TAP_DISCONNECT:
		add(t, "port %" PRIu64 ": the device goes", a[0]);
		break;
	case XHCI_TAP_RESET_DONE:
		add(t, "port %" PRIu64 ": reset is %s", a[0],
		    a[1] ? "done" : "failed");
		break;
	case XHCI_TAP_WAKE:
		add(t, "port %" PRIu64 ": the device wakes", a[0]);
		break;
	case XHCI_TAP_NOTIFY:
		add(t,
		    "port %" PRIu64 ": the device sends notification %" PRIu64,
		    a[0], a[1]);
		break;
	case XHCI_TAP_PORT_FAULT:
		add(t, "port %" PRIu64 ": %s", a[0],
		    name_of(faults, COUNT(faults), a[1]));
		break;
	default:
		add_done(t, rec);
	}
}

static void add_effect(struct text *t, const struct xhci_tap_rec *rec)
{
	const uint64_t *a = rec->arg;

	switch (rec->kind) {
	case XHCI_TAP_RETURN:
		add(t, "gives 0x%" PRIx64, a[0]);
		break;
	case XHCI_TAP_PAYLOAD:
		add(t, "payload %s 0x%" PRIx64 ": %" PRIu64 " bytes",
		    a[2] ? "to" : "from", a[0], a[1]);
		if (a[3] != a[1])
			add(t, ", %" PRIu64 " of them in one piece", a[3]);
		break;
	case XHCI_TAP_NOW:
		add(t, "reads the clock: %" PRIu64 " ns", a[0]);
		break;
	case XHCI_TAP_TIMER_SET:
		if (a[0] == UINT64_MAX)
			add(t, "needs no timer");
		else
			add(t, "sets the timer to %" PRIu64 " ns", a[0]);
		break;
	case XHCI_TAP_KICK:
		add(t, "has work");
		break;
	case XHCI_TAP_INTR_MSG:
		add(t, "interrupter %" PRIu64 " sends its message", a[0]);
		break;
	case XHCI_TAP_INTR_PIN:
		add(t, "interrupt pin %s", a[0] ? "high" : "low");
		break;
	case XHCI_TAP_SUBMIT:
		add_submit(t, rec);
		break;
	case XHCI_TAP_CANCEL:
		add(t, "cancels transfer %" PRIu64, a[0]);
		break;
	case XHCI_TAP_PORT_RESET:
		add(t, "port %" PRIu64 ": %sreset", a[0], a[1] ? "warm " : "");
		break;
	case XHCI_TAP_EP_ENABLE:
		add(t, "port %" PRIu64 ": EP %u %s, %s, packets of %" PRIu64,
		    a[0], (unsigned)a[1] & 15, a[1] & USB_DIR_IN ? "IN" : "OUT",
		    name_of(types, COUNT(types), a[2]), a[6]);
		break;
	case XHCI_TAP_EP_DISABLE:
		add(t, "port %" PRIu64 ": EP %u %s goes", a[0],
		    (unsigned)a[1] & 15, a[1] & USB_DIR_IN ? "IN" : "OUT");
		break;
	case XHCI_TAP_SUSPEND:
		add(t, "port %" PRIu64 ": %s", a[0],
		    a[1] ? "suspended" : "awake");
		break;
	default:
		add_memory(t, rec);
	}
}

char *replay_text(const struct xhci_tap_rec *rec, char *buf, size_t len)
{
	struct text t = {buf, 0, len};

	buf[0] = '\0';
	if (rec_is_call(rec))
		add_call(&t, rec);
	else
		add_effect(&t, rec);
	return buf;
}
