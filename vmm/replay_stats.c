/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/replay_stats.h"

#include <inttypes.h>
#include <string.h>

#include "emu/decode.h"
#include "emu/hw.h"

/* The TRB's dwords 2 and 3, 0 where there was none */
static void trb_words(const struct xhci_tap_rec *rec, uint32_t dw[2])
{
	dw[0] = dw[1] = 0;
	if (rec->len == 16)
		memcpy(dw, (const uint8_t *)rec->data + 8, 8);
}

void replay_stats_add(struct replay_stats *s, const struct xhci_tap_rec *rec)
{
	uint32_t dw[2];

	s->kinds[rec->kind]++;
	switch (rec->kind) {
	case XHCI_TAP_TRB_READ:
		trb_words(rec, dw);
		s->trbs[TRB_TYPE(dw[1])]++;
		s->commands += TRB_TYPE(dw[1]) >= TRB_ENABLE_SLOT;
		break;
	case XHCI_TAP_TRB_WRITE:
		trb_words(rec, dw);
		s->events[TRB_TYPE(dw[1])]++;
		s->codes[dw[0] >> EV_CC_SHIFT]++;
		break;
	case XHCI_TAP_MMIO_WRITE:
		s->doorbells += rec->arg[0] >= OFF_DB;
		break;
	case XHCI_TAP_SUBMIT:
		s->types[rec->arg[3] & 3]++;
		break;
	case XHCI_TAP_XFER_DONE:
		if (rec->arg[1] < USB_NSTATUS)
			s->statuses[rec->arg[1]]++;
		s->bytes += rec->arg[2];
		break;
	case XHCI_TAP_NOW:
		if (!s->begin_ns)
			s->begin_ns = rec->arg[0];
		s->end_ns = rec->arg[0];
		break;
	default:
		break;
	}
}

static void count(FILE *to, uint64_t n, const char *of, const char *name)
{
	if (n)
		fprintf(to, "  %10" PRIu64 "  %s%s\n", n, of, name);
}

void replay_stats_print(const struct replay_stats *s, FILE *to)
{
	static const char *const types[] = {"control", "isochronous", "bulk",
					    "interrupt"};
	static const char *const statuses[USB_NSTATUS] = {
		"OK",           "STALL",     "transaction error",
		"babble",       "cancelled", "device gone",
		"no resources", "missed",    "overrun"};

	count(to, s->kinds[XHCI_TAP_MMIO_READ], "", "register reads");
	count(to, s->kinds[XHCI_TAP_MMIO_WRITE], "", "register writes");
	count(to, s->doorbells, "  doorbells", "");
	count(to, s->kinds[XHCI_TAP_TRB_PEEK], "", "looks at a TRB too early");
	count(to, s->kinds[XHCI_TAP_TRB_READ], "", "TRBs read");
	for (unsigned i = 0; i < 64; i++)
		count(to, s->trbs[i], "  ", trb_type_name(i));
	count(to, s->kinds[XHCI_TAP_TRB_WRITE], "", "events written");
	for (unsigned i = 0; i < 64; i++)
		count(to, s->events[i], "  ", trb_type_name(i));
	for (unsigned i = 0; i < 256; i++)
		count(to, s->codes[i], "  with ", cc_name(i));
	count(to, s->kinds[XHCI_TAP_CTX_READ], "", "contexts read");
	count(to, s->kinds[XHCI_TAP_CTX_WRITE], "", "contexts written");
	count(to, s->kinds[XHCI_TAP_SUBMIT], "", "transfers");
	for (unsigned i = 0; i < 4; i++)
		count(to, s->types[i], "  ", types[i]);
	for (unsigned i = 0; i < USB_NSTATUS; i++)
		count(to, s->statuses[i], "  ended: ", statuses[i]);
	count(to, s->bytes, "", "bytes moved");
	count(to, s->kinds[XHCI_TAP_CANCEL], "", "transfers cancelled");
	count(to, s->kinds[XHCI_TAP_PORT_RESET], "", "port resets");
	count(to, s->kinds[XHCI_TAP_INTR_MSG], "", "interrupts");
	count(to, s->kinds[XHCI_TAP_RUN], "", "turns of work");
}
