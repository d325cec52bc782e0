/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay_stats.h - a recording summed up.
 */
#ifndef VMM_REPLAY_STATS_H
#define VMM_REPLAY_STATS_H

#include <stdio.h>

#include "vmm/record_reader.h"

struct replay_stats {
	uint64_t kinds[XHCI_TAP_NKINDS];
	uint64_t trbs[64];   /* read, by type */
	uint64_t events[64]; /* written, by type */
	uint64_t codes[256]; /* of events, by completion code */
	uint64_t types[4];   /* transfers submitted, by enum usb_type */
	uint64_t statuses[USB_NSTATUS];
	uint64_t bytes; /* payload moved */
	uint64_t commands, doorbells;
	uint64_t begin_ns, end_ns;
};

/* Starts as zeroes; takes each record. */
void replay_stats_add(struct replay_stats *s, const struct xhci_tap_rec *rec);
void replay_stats_print(const struct replay_stats *s, FILE *to);

#endif
