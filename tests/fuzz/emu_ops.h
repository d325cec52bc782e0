/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emu_ops.h - what an input of emu_fuzz is: two bytes for the machine's shape,
 * and then operations, each a byte and its arguments. Bytes below OP_FIRST are
 * anything at any time (tests/unit/emu_chaos.h), which takes what it needs.
 *
 * Numbers are little endian. A port is 1 + n % 30, a slot 1 + n % SLOTS, where
 * `n` is what the input says.
 */
#ifndef TESTS_FUZZ_EMU_OPS_H
#define TESTS_FUZZ_EMU_OPS_H

/* the shape, 16 bits; see machine() */
enum {
	SHAPE_CTX64 = 1,
	SHAPE_SCRATCHPADS = 2, /* as many as bits 3..7 say */
	SHAPE_CHANGES = 4,     /* memory is something else when read again */
	SHAPE_NO_TAP = 0x100,
	SHAPE_PORTS_SHIFT = 9, /* which of ports[] */
	SHAPE_IDLE = 0x800,    /* not started: the input does it */
};

enum emu_op {
	OP_EXTRA = 0x60, /* from here on what chaos seldom comes to */
	OP_FIRST = 0x80,
	/* exactly so: what recordings are made of */
	OP_WRITE32 = OP_FIRST, /* offset 16, value 32 */
	OP_WRITE,              /* offset 16, log2 of the size 8, value 64 */
	OP_READ,               /* offset 16, log2 of the size 8 */
	OP_MEM,                /* address 32, how many 8, the bytes */
	OP_RUN,
	OP_TIME,   /* nanoseconds 32 that pass */
	OP_TIMER,  /* how 8: bit 0: at the time that was asked for */
	OP_DONE,   /* port, which 8, status 8, actual 32, packet's status 8 */
	OP_PLUG,   /* port, speed 8 */
	OP_UNPLUG, /* port */
	OP_RESET_DONE, /* port, well 8 */
	OP_PORT,       /* port, what 8, value 32 */
	/* a driver's: addresses and cycle bits are right */
	OP_CMD_RAW, /* parameter 64, status 32, control 32 */
	OP_EVENTS,  /* interrupter 8: reads them all */
	OP_TRB,     /* slot, dci 8, stream 16, parameter 64, status, control */
	OP_ICTX,    /* index 8, dword 8, value 32: in the input context */
	OP_UP,      /* slot, port, what endpoints 8, details 16 */
	OP_TD,      /* slot, dci 8, stream 8, shape 16, length 16, wrong 8 */
	OP_CMD,     /* type 8, slot, dci 8, how 8 */
	OP_DOORBELL,
	OP_EV_RING,   /* interrupter 8, segments 8, TRBs 8 of each */
	OP_START,     /* reset and start anew */
	OP_FLUSH,     /* port, status 8: all that it has ends so */
	OP_CANCELLED, /* port, actual 16: what was asked back */
	/* the host's */
	OP_HOST,   /* what 8 */
	OP_SHAPE,  /* page that is not there 16, pieces 8, read-only page 16 */
	OP_REFUSE, /* port, on 8 */
	OP_SNAPSHOT,  /* how 8, cut 16, changes 8, of each: where 16, xor 8 */
	OP_NO_MEMORY, /* the n-th allocation from here on: 8 */
	OP_MEM_FAULT, /* the n-th access to guest memory: 8; what 8 */
	OP_CHANGES, /* guest memory changes behind reads from now on: seed 8 */
	OP_STEADY,  /* turns 8 of work with all that devices have ending well */
	OP_END
};

/* OP_UP: endpoints */
enum {
	UP_BULK = 1,        /* 2 out, 3 in */
	UP_INTR = 2,        /* 4 out, 5 in */
	UP_ISOCH = 4,       /* 6 out, 7 in */
	UP_STREAMS = 8,     /* 8 out, 9 in: linear */
	UP_ARRAYS = 16,     /* 10 out, 11 in: primary and secondary */
	UP_CONTROL = 32,    /* 13 */
	UP_BSR = 64,        /* Default first */
	UP_ADDRESSED = 128, /* no further */
};

/* OP_TD: shape */
enum {
	TD_TRBS = 3, /* data TRBs but one */
	TD_IDT = 4,
	TD_EVENT_DATA = 8,
	TD_ISP = 16,
	TD_IOC = 32,
	TD_BEI = 64,
	TD_LINK = 128, /* in the middle */
	TD_INTR_SHIFT = 8,
	TD_FRAME = 0x800,  /* isochronous: a Frame ID. Control: no data */
	TD_LATE = 0x1000,  /* a frame that was. Control: out */
	TD_NOOP = 0x2000,  /* no data: No Op, Event Data alone */
	TD_OPEN = 0x4000,  /* without its end */
	TD_QUIET = 0x8000, /* no doorbell */
};

/* OP_PORT: what. Then the faults of enum xhci_port_fault, and notifications */
enum { PORT_WAKE, PORT_FAULT1, PORT_NOTIFY1 = 6 };

/* OP_HOST */
enum {
	HOST_NO_BUS_MASTER,
	HOST_BUS_MASTER,
	HOST_NO_INTR,
	HOST_MSG,
	HOST_PIN,
	HOST_RESET,
	HOST_MEM_LOST,
	HOST_PAUSE,
	HOST_PAUSE_REQUESTS,
	HOST_RESUME,
	HOST_NWHATS
};

/* OP_SNAPSHOT: how */
enum {
	SNAP_REQUESTS = 1,
	SNAP_NEW_DEVICES = 2,
	SNAP_UNPLUGGED = 4,
	SNAP_BUSY = 8
};

#endif
