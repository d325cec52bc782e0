/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emu_bulk.h - eight bulk TDs on the ring of slot 1's endpoint and a device
 * that sends or expects one endless pattern: whether every byte moved exactly
 * once. Included once by the tests that take transfers back.
 */
#ifndef TESTS_EMU_BULK_H
#define TESTS_EMU_BULK_H

#include "tests/unit/emu_drv.h"

#define NTDS 8u
#define TRBS 4u
#define TRB_BYTES 1024u
#define TD_BYTES (TRBS * TRB_BYTES)
#define ALL_BYTES (NTDS * TD_BYTES)

/* Where the device is in the endless pattern that it sends or expects. */
struct stream {
	struct fake *f;
	unsigned dci;
	bool in;
	uint64_t buf;  /* guest memory, ALL_BYTES */
	uint32_t at;   /* bytes moved by the device */
	uint64_t next; /* ring: where the next TRB goes */
	uint64_t td[NTDS][TRBS];
};

MAYBE uint8_t pattern(uint32_t at)
{
	return (uint8_t)(at * 31 + at / 256 * 7 + 3);
}

/* @seg TRBs to a segment, a Link behind each (0: no Links). */
MAYBE void stream_post(struct stream *s, unsigned seg)
{
	uint64_t at = G_RING(s->dci);
	unsigned n = 0;

	s->buf = galloc(s->f, ALL_BYTES);
	for (uint32_t i = 0; i < ALL_BYTES; i++)
		s->f->mem[s->buf + i] = s->in ? 0 : pattern(i);
	for (unsigned t = 0; t < NTDS; t++)
		for (unsigned k = 0; k < TRBS; k++) {
			bool last = k == TRBS - 1;

			if (seg && n++ == seg) {
				put(s->f, at, at + 0x100, 0,
				    T(LINK) | TRB_C | (k ? TRB_CH : 0));
				at += 0x100;
				n = 1;
			}
			s->td[t][k] = at;
			at = put(s->f, at,
				 s->buf + t * TD_BYTES + k * TRB_BYTES,
				 TRB_BYTES,
				 T(NORMAL) | TRB_C | (last ? TRB_IOC : TRB_CH));
		}
	s->next = at;
}

/* The device moves @n bytes of held[0] or of all of it, and ends it. */
MAYBE void stream_move(struct stream *s, struct usb_xfer *t, uint32_t n)
{
	uint8_t b[ALL_BYTES];

	assert_true(n <= t->length);
	if (s->in) {
		for (uint32_t i = 0; i < n; i++)
			b[i] = pattern(s->at + i);
		assert_int_equal(usb_xfer_scatter(t, 0, b, n), n);
	} else {
		assert_int_equal(usb_xfer_gather(t, 0, b, n), n);
		for (uint32_t i = 0; i < n; i++)
			assert_int_equal(b[i], pattern(s->at + i));
	}
	s->at += n;
}

MAYBE void stream_end(struct stream *s, unsigned n)
{
	struct fake_dev *d = &s->f->dev[1];

	while (n-- && d->nheld) {
		uint32_t len = d->held[0]->length;

		stream_move(s, d->held[0], len);
		dev_end(d, 0, USB_OK, len);
	}
}

/*
 * What a device does when its transfers are taken back: @part bytes of the
 * oldest have moved, of the others none. Answers youngest first.
 */
MAYBE void stream_cancelled(struct stream *s, uint32_t part)
{
	struct fake_dev *d = &s->f->dev[1];

	for (unsigned i = d->nheld; i-- > 0;) {
		assert_true(d->cancelled[i]);
		if (i == 0)
			stream_move(s, d->held[0], part);
		dev_end(d, i, USB_CANCELLED, i ? 0 : part);
	}
}

MAYBE void stream_check(struct stream *s)
{
	assert_int_equal(s->at, ALL_BYTES);
	for (uint32_t i = 0; s->in && i < ALL_BYTES; i++)
		assert_int_equal(s->f->mem[s->buf + i], pattern(i));
}

/* Each TD's IOC event came once, in order, saying Success. */
MAYBE void stream_check_events(struct stream *s)
{
	unsigned n = 0;
	struct xhci_trb *e;

	for (unsigned i = 0; (e = xfer_event(s->f, i)); i++) {
		if (EV_CC(e) != CC_SUCCESS)
			continue;
		assert_true(n < NTDS);
		assert_event(e, s->td[n++][TRBS - 1], CC_SUCCESS, 0);
	}
	assert_int_equal(n, NTDS);
}

#endif
