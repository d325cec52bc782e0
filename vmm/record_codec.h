/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_codec.h - what a tap tells (emu/tap.h) as bytes and back: the records
 * of docs/recording.md. Both ends keep the same state, from which most
 * addresses, times and numbers are a byte.
 */
#ifndef VMM_RECORD_CODEC_H
#define VMM_RECORD_CODEC_H

#include "emu/tap.h"

#define REC_MAX 256u /* bytes of a record, at most */
#define REC_ADDRS 16u
#define REC_REGS 256u

/* Starts as zeroes, at both ends. */
struct rec_codec {
	uint64_t prev[XHCI_TAP_NKINDS][XHCI_TAP_ARGS];
	uint64_t reg[REC_REGS];   /* written last, by offset */
	uint64_t addr[REC_ADDRS]; /* where accesses may go on; latest first */
	uint64_t time;
	uint64_t payload;     /* where more of it is expected */
	uint64_t payload_len; /* how much */
};

/* Is it a call of the controller, or what a call led to? */
static inline bool rec_is_call(const struct xhci_tap_rec *rec)
{
	return rec->kind < XHCI_TAP_NCALLS ||
	       rec->kind == XHCI_TAP_PORT_FAULT || rec->kind == XHCI_TAP_NOTIFY;
}

/* "MMIO_READ" */
const char *rec_kind_name(enum xhci_tap_kind kind);
/* Arguments that a kind has. */
unsigned rec_nargs(enum xhci_tap_kind kind);
/* Does a kind have data? */
bool rec_has_data(enum xhci_tap_kind kind);

/* Writes @rec, which is one that a tap was told; returns its length. */
size_t rec_encode(struct rec_codec *c, const struct xhci_tap_rec *rec,
		  uint8_t buf[REC_MAX]);
/*
 * rec_decode - the record at @buf, of which there are @len bytes. Its data, if
 * any, is put into @data. Returns its length, or 0: this is none. Then the
 * state is undefined.
 */
size_t rec_decode(struct rec_codec *c, const uint8_t *buf, size_t len,
		  struct xhci_tap_rec *ret, uint8_t data[XHCI_TAP_DATA]);

#endif
