/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emu_isoch.h - a slot with an isochronous endpoint in each direction.
 */
#ifndef EMU_ISOCH_H
#define EMU_ISOCH_H

#include "tests/unit/emu_drv.h"

#define ISO_OUT 6u
#define ISO_IN 7u
#define UF 125000u /* nanoseconds */
#define MS 1000000u
#define SLOW (900 * MS) /* software may be that slow */
#define DRY (1100 * MS) /* a ring that ran dry is told of by then */
#define BUF 0x400000u

/*
 * An interval of 1 << @interval microframes on both endpoints, 1024 bytes a
 * packet, @packets packets an interval; what @esit says is beside that.
 */
MAYBE struct fake *iso_ready_with(unsigned interval, unsigned packets,
				  uint32_t esit)
{
	/* high speed has no place for more */
	bool more = packets > 1 || esit > 1024;
	struct fake *f = more ? fake_new() : fake_ready(1);

	if (more) {
		start(f);
		fake_plug(f, 5, USB_SPEED_SUPER_PLUS_BY2);
		assert_int_equal(slot_new(f), 1);
		assert_int_equal(address(f, 1, 5, false), CC_SUCCESS);
	}
	ictx_clear(f, 0, 1u | 1u << ISO_OUT | 1u << ISO_IN);
	put32(f, ictx(f, 1, 0), ISO_IN << 27);
	ictx_ep(f, ISO_OUT, EPT_ISOCH_OUT, 1024, G_RING(ISO_OUT));
	ictx_ep(f, ISO_IN, EPT_ISOCH_IN, 1024, G_RING(ISO_IN));
	for (unsigned dci = ISO_OUT; dci <= ISO_IN; dci++) {
		put32(f, ictx(f, dci + 1, 0),
		      interval << 16 | (esit >> 16) << 24);
		put32(f, ictx(f, dci + 1, 1),
		      (uint32_t)(dci == ISO_IN ? EPT_ISOCH_IN : EPT_ISOCH_OUT)
				      << 3 |
			      (packets - 1) << 8 | 1024u << 16);
		put32(f, ictx(f, dci + 1, 4), (esit & 0xffff) << 16);
	}
	assert_int_equal(cmd(f, G_ICTX, 0, T(CONFIGURE_EP) | SLOT(1)),
			 CC_SUCCESS);
	ev_forget(f);
	return f;
}

MAYBE struct fake *iso_ready(unsigned interval)
{
	return iso_ready_with(interval, 1, 1024);
}

MAYBE uint64_t iso_td(struct fake *f, unsigned dci, unsigned n, uint32_t len,
		      uint32_t when)
{
	uint64_t at = G_RING(dci) + n * TRB_SIZE;

	put(f, at, BUF + n * 1024, len,
	    T(ISOCH) | TRB_C | TRB_IOC | TRB_ISP | when);
	return at;
}

MAYBE uint32_t frame_id(struct fake *f, unsigned ahead)
{
	return (((rd(f, OFF_RT) >> 3) + ahead) & 0x7ff) << 20;
}

/* The device ends its oldest transfer as a host does: by its packet */
MAYBE void packet_end(struct fake *f, enum usb_status st, uint32_t actual)
{
	struct fake_dev *d = &f->dev[f->x->slot[0].port];
	struct usb_xfer *t = d->held[0];

	assert_int_equal(t->npackets, 1);
	assert_int_equal(t->packet[0].length, t->length);
	t->packet[0].status = st;
	t->packet[0].actual = actual;
	dev_end(d, 0, USB_OK, 0);
	run(f);
}

#endif
