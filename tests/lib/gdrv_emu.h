/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * gdrv_emu.h - the access layer over emu/xhci.h, with no PCI and no threads: a
 * virtual clock that moves only when asked to, memory accesses counted.
 */
#ifndef TESTS_LIB_GDRV_EMU_H
#define TESTS_LIB_GDRV_EMU_H

#include "emu/xhci.h"
#include "tests/lib/gdrv.h"

#define GDRV_EMU_POLLS 32u

struct vxhci_record;
struct record_stream;

struct gdrv_emu {
	struct xhci *x;      /* owned */
	struct guestmem *gm; /* borrowed */
	uint64_t now;        /* virtual nanoseconds */
	uint64_t timer_at;   /* UINT64_MAX: not set */
	bool kicked;
	uint64_t msgs[XHCI_NINTRS];
	bool pin;
	uint64_t pin_rises;
	uint64_t mem_gets;
	int64_t holds;               /* mem_hold() less mem_drop() */
	struct vxhci_record *record; /* owned; NULL: it is not recorded */
	struct record_stream *stream;
	bool quiet; /* do not print what the controller logs */
	/* Devices: each is polled by run(); true: it did something. */
	struct {
		bool (*poll)(void *p);
		void *p;
	} dev[GDRV_EMU_POLLS];
	unsigned ndevs;
};

extern const struct gdrv_bus gdrv_emu_bus;

/* A controller over @gm, in message mode, bus master on. 0 or -errno. */
int gdrv_emu_init(struct gdrv_emu *e, struct guestmem *gm,
		  const struct xhci_config *cfg);
/* Reset, let the devices finish, destroy. */
void gdrv_emu_fini(struct gdrv_emu *e);
void gdrv_emu_poll(struct gdrv_emu *e, bool (*poll)(void *p), void *p);

/*
 * The library's side of every call, in functions of their own so that a
 * profiler can be told to count there and nowhere else.
 */
void lib_enter_write(struct xhci *x, uint32_t off, unsigned size, uint64_t v);
uint64_t lib_enter_read(struct xhci *x, uint32_t off, unsigned size);
bool lib_enter_run(struct xhci *x);
void lib_enter_timer(struct xhci *x);
void lib_enter_done(struct xhci *x, struct usb_xfer *t);

#endif
