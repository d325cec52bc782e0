/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * save.c - Save and Restore State, xHCI 1.2 §4.23.2: what software does not
 * write back by itself outlives a reset from outside, as in S3, where the
 * controller has no power: slots, endpoints, where rings are read and written.
 * Ports have power all the while. HCRST ends it.
 */
#include "emu/snap.h"

#include <stdlib.h>
#include <string.h>

#include "emu/core.h"

static void snap_saved_state(struct snap *s, struct xhci *x, bool slots)
{
	for (unsigned i = 0; i < XHCI_NINTRS && !s->err; i++)
		snap_event_ring(s, &x->intr[i]);
	if (slots)
		snap_slots(s, x);
}

static void saved_free(struct xhci *x)
{
	free(x->saved);
	x->saved = NULL;
	x->saved_len = 0;
	x->saved_lost = x->saved_untold = false;
}

/* Nothing is in flight; no memory: nothing is saved, and CRS will say so */
static void save_now(struct xhci *x)
{
	struct snap s = {0};

	x->save_due = false;
	x->usbsts &= ~STS_SSS;
	saved_free(x);
	snap_saved_state(&s, x, true);
	if (s.err) {
		free(s.buf);
		x->usbsts |= STS_SRE;
		return;
	}
	x->saved = s.buf;
	x->saved_len = s.len;
}

void state_save(struct xhci *x)
{
	if (xhci_running(x))
		return;
	x->save_due = true;
	x->usbsts |= STS_SSS;
	state_save_step(x);
}

void state_save_step(struct xhci *x)
{
	if (x->save_due && x->nflight == 0)
		save_now(x);
}

/* The slots as they were; false: they cannot be had */
static bool restore(struct xhci *x, bool slots)
{
	struct snap s = {.buf = x->saved, .len = x->saved_len, .reading = true};

	snap_saved_state(&s, x, slots);
	for (unsigned i = 0; slots && i < XHCI_MAX_SLOTS; i++)
		for (unsigned d = 1; d < NDCI; d++)
			if (x->slot[i].ep[d])
				ep_drain_check(x->slot[i].ep[d]);
	return !s.err;
}

void state_restore(struct xhci *x)
{
	bool lost = x->saved_lost;

	if (xhci_running(x))
		return;
	if (!x->saved || !restore(x, lost))
		x->usbsts |= STS_SRE;
	else if (lost && x->saved_untold)
		slots_tell(x);
	saved_free(x);
}

/* Software begins anew: devices hear that their endpoints are gone. */
void state_forget(struct xhci *x)
{
	struct xhci_intr intr[XHCI_NINTRS];

	x->save_due = false;
	if (x->saved_lost && !x->saved_untold) {
		memcpy(intr, x->intr, sizeof(intr));
		restore(x, true);
		memcpy(x->intr, intr, sizeof(intr));
		for (unsigned i = 0; i < XHCI_MAX_SLOTS; i++)
			if (x->slot[i].state != SLOT_DISABLED)
				slot_disable(&x->slot[i]);
	}
	saved_free(x);
}
