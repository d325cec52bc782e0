/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How operating systems set a controller up, find out what is plugged in, and
 * build isochronous TDs; docs/drivers.md says what is known of each.
 */
#include <errno.h>

#include "tests/lib/gdrv.h"

/* What a driver does about a device before it has its address. */
struct way {
	bool twice;  /* BSR=1 and a look at the descriptor come first */
	bool reset;  /* ... and then the port is reset once more */
	uint8_t len; /* bytes of the descriptor asked for */
	struct gdrv_opts opts;
};

static const struct way ways[OS_COUNT] = {
	[OS_LINUX] = {true,
		      true,
		      64,
		      {.inte = true, .evt_segs = 2, .imod = 160}},
	[OS_EDK2] = {false, false, 8, {.cmd_trbs = 256, .evt_trbs = 512}},
	[OS_FREEBSD] = {false,
			false,
			8,
			{.inte = true,
			 .cmd_trbs = 17,
			 .evt_trbs = 208,
			 .max_slots = 64,
			 .twice = true}},
	[OS_WINDOWS] =
		{true,
		 true,
		 64,
		 {.inte = true, .write64 = true, .evt_segs = 2, .imod = 200}},
	[OS_MACOS] = {true,
		      false,
		      8,
		      {.inte = true,
		       .nintrs = 3,
		       .xfer_intr = 1,
		       .isoch_intr = 2,
		       .imod = 160}},
	[OS_UBOOT] = {false, false, 64, {.evt_trbs = 64}},
	[OS_SEABIOS] = {false,
			false,
			8,
			{.cmd_trbs = 16, .evt_trbs = 16, .keep_ehb = true}},
};

void gdrv_os_opts(enum gdrv_os os, struct gdrv_opts *ret)
{
	*ret = ways[os].opts;
}

/* The first @len bytes of the device descriptor; bMaxPacketSize0, or 0 */
static unsigned look(struct gdrv_dev *v, enum gdrv_os os, uint8_t len)
{
	const uint8_t setup[8] = {0x80, 6, 0, 1, 0, 0, len, 0};
	uint64_t gpa = guestmem_alloc(v->d->gm, GM_PAGE);
	const uint8_t *p = guestmem_ptr(v->d->gm, gpa, GM_PAGE);
	unsigned mps = 0;
	uint32_t n = 0;
	int cc = gdrv_control(v, os, setup, gpa, &n);

	if ((cc == CC_SUCCESS || cc == CC_SHORT_PACKET) && n >= 8 && p[1] == 1)
		mps = p[7];
	else
		gdrv_fail(v->d, "port %u: device descriptor: %d, %u bytes",
			  v->port, cc, n);
	guestmem_free(v->d->gm, gpa, GM_PAGE);
	return v->speed >= 4 && mps ? 512 : mps;
}

struct gdrv_dev *gdrv_os_open(struct gdrv *d, enum gdrv_os os, unsigned port)
{
	struct gdrv_dev *v = gdrv_dev_enable(d, port);
	const struct way *w = &ways[os];
	unsigned mps;
	int cc;

	if (!v)
		return NULL;
	if (w->twice) {
		cc = gdrv_address(v, true);
		if (cc == CC_SUCCESS && gdrv_slot_state(v) != SLOT_DEFAULT)
			gdrv_fail(d, "slot %u is not in Default", v->slot);
		if (cc != CC_SUCCESS || !look(v, os, w->len))
			goto fail;
		if (w->reset &&
		    gdrv_port_reset(d, port, false) != (int)v->speed)
			gdrv_fail(d, "port %u: another speed", port);
	}
	cc = gdrv_address(v, false);
	if (cc != CC_SUCCESS)
		goto fail;
	mps = look(v, os, 8);
	if (mps && mps != v->mps0 &&
	    gdrv_evaluate(v, (uint16_t)mps) != CC_SUCCESS)
		gdrv_fail(d, "port %u: Evaluate Context", port);
	return v;
fail:
	gdrv_fail(d, "port %u: Address Device: %d", port, cc);
	gdrv_disable_slot(d, v->slot);
	return NULL;
}

/* One packet: an Isoch TRB, or with a second half of it in a Normal TRB */
static unsigned isoch_data(struct gdrv_trb *t, const struct gdrv_isoch *q,
			   unsigned i, uint32_t flags, bool chain)
{
	uint32_t first = q->split ? q->len / 2 : q->len;
	uint64_t gpa = q->gpa + (uint64_t)i * q->len;

	t[0] = (struct gdrv_trb){.type = TRB_ISOCH,
				 .ptr = gpa,
				 .len = first,
				 .flags = flags |
					  (q->split || chain ? TRB_CH : 0)};
	if (!q->split)
		return 1;
	t[1] = (struct gdrv_trb){.type = TRB_NORMAL,
				 .ptr = gpa + first,
				 .len = q->len - first,
				 .flags = chain ? TRB_CH : 0};
	return 2;
}

int gdrv_os_isoch(struct gdrv_ring *r, enum gdrv_os os,
		  const struct gdrv_isoch *q, uint32_t *ret_td)
{
	uint32_t mf = gdrv_r32(r->d, r->d->rt + RT_MFINDEX);
	bool in = r->ep_type == EPT_ISOCH_IN;

	for (unsigned i = 0; i < q->n; i++) {
		uint32_t frame = (mf >> 3) + 4 + ((i << q->interval) >> 3);
		uint32_t bei = i + 1 < q->n ? TRB_BEI : 0;
		uint32_t when = (frame & 0x7ff) << 20;
		bool ed = os == OS_WINDOWS || os == OS_MACOS;
		struct gdrv_trb t[4];
		unsigned n;
		int rc;

		if (os == OS_LINUX || os == OS_WINDOWS)
			when = TRB_SIA;
		n = isoch_data(t, q, i, when, ed);
		if (ed)
			t[n++] = (struct gdrv_trb){
				.type = TRB_EVENT_DATA,
				.ptr = os == OS_MACOS
					       ? GDRV_SELF
					       : 0xffff900000000000ull + i,
				.flags = TRB_IOC | bei};
		else if (os == OS_FREEBSD)
			t[n++] = (struct gdrv_trb){.type = TRB_LINK,
						   .flags = TRB_IOC};
		else
			t[n - 1].flags |= TRB_IOC | bei | (in ? TRB_ISP : 0);
		rc = gdrv_post(r, t, n, &ret_td[i]);
		if (rc)
			return rc;
	}
	return 0;
}
