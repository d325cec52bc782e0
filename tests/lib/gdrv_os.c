/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Transfers as the drivers of several operating systems build them; what each
 * does is told where it is built.
 */
#include <errno.h>
#include <string.h>

#include "tests/lib/gdrv.h"

#define OS_TRBS 640u
#define FREEBSD_TRBS 16u /* data TRBs between two Links */

const char *gdrv_os_name(enum gdrv_os os)
{
	static const char *const names[OS_COUNT] = {
		[OS_LINUX] = "linux",     [OS_EDK2] = "edk2",
		[OS_FREEBSD] = "freebsd", [OS_WINDOWS] = "windows",
		[OS_MACOS] = "macos",     [OS_UBOOT] = "u-boot",
		[OS_SEABIOS] = "seabios",
	};

	return os < OS_COUNT ? names[os] : "?";
}

/* The TRBs of one transfer while it is being built. */
struct build {
	struct gdrv_trb t[OS_TRBS];
	unsigned n;
	uint32_t total, done; /* bytes of the TD, bytes before this TRB */
	uint16_t mps;
};

static struct gdrv_trb *build_add(struct build *b, unsigned type, uint64_t ptr,
				  uint32_t len, uint32_t flags)
{
	struct gdrv_trb *t = &b->t[b->n];

	if (b->n == OS_TRBS)
		return NULL;
	b->n++;
	*t = (struct gdrv_trb){
		.type = (uint8_t)type, .ptr = ptr, .len = len, .flags = flags};
	return t;
}

/* TD Size: packets that follow this TRB, at most 31, §4.11.2.4. */
static uint8_t td_size(const struct build *b, uint32_t after)
{
	uint32_t left = b->total - after, mps = b->mps ? b->mps : 512;
	uint32_t packets = (left + mps - 1) / mps;

	return (uint8_t)(packets > 31 ? 31 : packets);
}

/* A Normal TRB must not cross a 64 KiB boundary, §6.4.1. */
static uint32_t piece(const struct gdrv_sg *sg, uint32_t off, uint32_t unit)
{
	uint64_t gpa = sg->gpa + off;
	uint32_t room = unit - (uint32_t)(gpa % unit), left = sg->len - off;

	return left < room ? left : room;
}

/* All data as chained Normal TRBs with @flags; the last one unchained. */
static int build_chain(struct build *b, enum gdrv_os os, uint32_t flags,
		       const struct gdrv_sg *sg, unsigned nsg)
{
	uint32_t unit = os == OS_FREEBSD ? 4096 : 65536;
	unsigned since = 0;

	for (unsigned i = 0; i < nsg; i++) {
		uint32_t off = 0;

		do {
			uint32_t len = piece(&sg[i], off, unit);
			struct gdrv_trb *t;

			if (os == OS_FREEBSD && since == FREEBSD_TRBS) {
				build_add(b, TRB_LINK, 0, 0, TRB_CH | TRB_IOC);
				since = 0;
			}
			t = build_add(b, TRB_NORMAL, sg[i].gpa + off, len,
				      flags | TRB_CH);
			if (!t)
				return -E2BIG;
			since++;
			off += len;
			b->done += len;
			t->tdsize = td_size(b, b->done);
		} while (off < sg[i].len);
	}
	b->t[b->n - 1].flags &= ~TRB_CH;
	return 0;
}

/* EDK2: each piece of 64 KiB is a TD of its own, IOC and ISP on each. */
static int post_edk2(struct gdrv_ring *r, bool in, const struct gdrv_sg *sg,
		     unsigned nsg, uint32_t *ret_td, unsigned max)
{
	unsigned n = 0;

	for (unsigned i = 0; i < nsg; i++) {
		for (uint32_t off = 0; off < sg[i].len || !off;) {
			struct gdrv_trb t = {
				.type = TRB_NORMAL,
				.ptr = sg[i].gpa + off,
				.len = piece(&sg[i], off, 65536),
				.flags = TRB_IOC | (in ? TRB_ISP : 0),
			};
			int rc;

			if (n == max)
				return -E2BIG;
			rc = gdrv_post(r, &t, 1, &ret_td[n]);
			if (rc)
				return rc;
			n++;
			off += t.len;
			if (!t.len)
				break;
		}
	}
	return (int)n;
}

/*
 * macOS: fragments of so many bytes, each a TD with an Event Data TRB that
 * names itself; pages are TRBs.
 */
#define MACOS_FRAGMENT 65536u

static int post_macos(struct gdrv_ring *r, const struct gdrv_sg *sg,
		      unsigned nsg, uint32_t *ret_td, unsigned max)
{
	struct build b = {.mps = r->mps};
	uint32_t off = 0;
	unsigned n = 0, s = 0;
	int rc;

	do {
		uint32_t take = 0, len;

		b.n = 0;
		do {
			len = s < nsg ? piece(&sg[s], off, GM_PAGE) : 0;
			if (!build_add(&b, TRB_NORMAL, sg[s].gpa + off, len,
				       TRB_CH))
				return -E2BIG;
			take += len;
			off += len;
			if (off == sg[s].len) {
				off = 0;
				s++;
			}
		} while (s < nsg && take < MACOS_FRAGMENT);
		build_add(&b, TRB_EVENT_DATA, GDRV_SELF, 0, TRB_IOC);
		if (n == max)
			return -E2BIG;
		rc = gdrv_post(r, b.t, b.n, &ret_td[n++]);
		if (rc)
			return rc;
	} while (s < nsg);
	return (int)n;
}

int gdrv_os_bulk(struct gdrv_ring *r, enum gdrv_os os, bool in,
		 const struct gdrv_sg *sg, unsigned nsg, uint32_t *ret_td,
		 unsigned max)
{
	struct build b = {.mps = r->mps};
	uint32_t flags = in ? TRB_ISP : 0;
	int rc;

	for (unsigned i = 0; i < nsg; i++)
		b.total += sg[i].len;
	if (!max)
		return -E2BIG;
	if (os == OS_EDK2)
		return post_edk2(r, in, sg, nsg, ret_td, max);
	if (os == OS_MACOS)
		return post_macos(r, sg, nsg, ret_td, max);
	if (os == OS_WINDOWS || os == OS_SEABIOS)
		flags = 0;
	rc = build_chain(&b, os, flags, sg, nsg);
	if (rc)
		return rc;
	switch (os) {
	case OS_WINDOWS: /* Event Data at the end has the only IOC */
		b.t[b.n - 1].flags |= TRB_CH;
		build_add(&b, TRB_EVENT_DATA,
			  0xffff800000000000ull | (uint64_t)r->td_next << 4, 0,
			  TRB_IOC);
		break;
	case OS_FREEBSD: /* the Link after a TD has the IOC */
		build_add(&b, TRB_LINK, 0, 0, TRB_IOC);
		break;
	default: /* Linux, U-Boot, SeaBIOS: IOC on the last TRB */
		b.t[b.n - 1].flags |= TRB_IOC;
	}
	rc = gdrv_post(r, b.t, b.n, &ret_td[0]);
	return rc ? rc : 1;
}

int gdrv_bulk(struct gdrv_dev *v, unsigned dci, enum gdrv_os os,
	      const struct gdrv_sg *sg, unsigned nsg, uint32_t *ret_actual)
{
	struct gdrv_ring *r = v->ring[dci];
	uint32_t id[64], actual = 0;
	int n = gdrv_os_bulk(r, os, dci & 1, sg, nsg, id, 64), cc = 0;

	if (n < 0)
		return n;
	gdrv_doorbell(v->d, v->slot, dci, 0);
	for (int i = 0; i < n; i++) {
		int rc = gdrv_wait(v->d, r, id[i], 5000);
		struct gdrv_td *td = gdrv_td(r, id[i]);

		if (rc)
			return rc;
		actual += td->actual;
		cc = td->cc;
		if (td->state == TD_ERROR)
			break;
	}
	if (ret_actual)
		*ret_actual = actual;
	return cc;
}

/* Flags of each stage, by operating system. */
struct stage_flags {
	uint32_t setup, data, data_in, status;
	bool event_data;
};

static const struct stage_flags stages[OS_COUNT] = {
	[OS_LINUX] = {0, 0, TRB_ISP, TRB_IOC, false},
	/* EDK2 waits for an event of the first and of the last TRB */
	[OS_EDK2] = {TRB_IOC, TRB_IOC, TRB_ISP, TRB_IOC, false},
	/* FreeBSD takes an event for each stage */
	[OS_FREEBSD] = {TRB_IOC, TRB_IOC, TRB_ISP, TRB_IOC, false},
	[OS_WINDOWS] = {0, TRB_CH, 0, TRB_CH, true},
	[OS_MACOS] = {0, TRB_CH, 0, TRB_CH, true},
	[OS_UBOOT] = {0, 0, TRB_ISP, TRB_IOC, false},
	[OS_SEABIOS] = {0, 0, 0, TRB_IOC, false},
};

int gdrv_control_post(struct gdrv_ring *r, enum gdrv_os os,
		      const uint8_t *setup, uint64_t gpa, uint32_t *ret_td)
{
	const struct stage_flags *f = &stages[os];
	struct gdrv_trb t[5];
	uint16_t len = (uint16_t)(setup[6] | setup[7] << 8);
	bool in = setup[0] & 0x80;
	uint64_t param = 0,
		 cookie = 0xffff800000000000ull | (uint64_t)r->td_next << 8,
		 cookie2 = cookie | 0x80;
	uint32_t trt = !len ? TRB_TRT_NONE : in ? TRB_TRT_IN : TRB_TRT_OUT;
	unsigned n = 0;

	if (os == OS_MACOS)
		cookie = cookie2 = GDRV_SELF;
	for (unsigned i = 8; i--;)
		param = param << 8 | setup[i];
	t[n++] = (struct gdrv_trb){.type = TRB_SETUP,
				   .ptr = param,
				   .len = 8,
				   .flags = TRB_IDT | trt | f->setup};
	if (len)
		t[n++] = (struct gdrv_trb){
			.type = TRB_DATA,
			.ptr = gpa,
			.len = len,
			.flags = f->data | (in ? TRB_DIR_IN | f->data_in : 0)};
	if (len && f->event_data)
		t[n++] = (struct gdrv_trb){.type = TRB_EVENT_DATA,
					   .ptr = cookie,
					   .flags = TRB_IOC};
	t[n++] = (struct gdrv_trb){.type = TRB_STATUS,
				   .flags = f->status |
					    (in && len ? 0 : TRB_DIR_IN)};
	if (f->event_data)
		t[n++] = (struct gdrv_trb){.type = TRB_EVENT_DATA,
					   .ptr = cookie2,
					   .flags = TRB_IOC};
	return gdrv_post(r, t, n, ret_td);
}

int gdrv_control(struct gdrv_dev *v, enum gdrv_os os, const uint8_t *setup,
		 uint64_t gpa, uint32_t *ret_actual)
{
	struct gdrv_ring *r = v->ring[1];
	struct gdrv_td *td;
	uint32_t id;
	int rc = gdrv_control_post(r, os, setup, gpa, &id);

	if (rc)
		return rc;
	gdrv_doorbell(v->d, v->slot, 1, 0);
	rc = gdrv_wait(v->d, r, id, 5000);
	if (rc)
		return rc;
	td = gdrv_td(r, id);
	if (ret_actual)
		*ret_actual = td->actual;
	return td->cc;
}
