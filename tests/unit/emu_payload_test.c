/* SPDX-License-Identifier: BSD-2-Clause */
/* The payload of a transfer in pieces: gather, scatter, fill, flat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "emu/usb.h"

#define TOTAL 60u

/* The same bytes in different pieces, with a guard between them */
static const struct {
	unsigned n;
	size_t len[6];
} splits[] = {
	{1, {60}},
	{2, {1, 59}},
	{3, {20, 20, 20}},
	{6, {1, 2, 3, 4, 49, 1}},
};

struct pieces {
	uint8_t mem[2 * TOTAL + 16];
	struct usb_seg seg[6];
	struct usb_xfer x;
};

static void cut(struct pieces *p, unsigned row)
{
	uint8_t *at = p->mem;

	memset(p, 0, sizeof(*p));
	memset(p->mem, 0xee, sizeof(p->mem));
	p->x.seg = p->seg;
	p->x.nseg = splits[row].n;
	p->x.length = TOTAL;
	for (unsigned i = 0; i < splits[row].n; i++) {
		p->seg[i] = (struct usb_seg){.base = ++at,
					     .len = splits[row].len[i]};
		at += p->seg[i].len;
	}
}

static void what_is_scattered_is_gathered(void **state)
{
	uint8_t in[TOTAL + 8], out[TOTAL + 8];
	struct pieces p;

	(void)state;
	for (unsigned i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i + 1);
	for (unsigned row = 0; row < 4; row++)
		for (size_t off = 0; off <= TOTAL + 1; off++)
			for (size_t len = 0; len <= TOTAL + 2; len += 3) {
				size_t room = off < TOTAL ? TOTAL - off : 0;
				size_t want = len < room ? len : room;
				uint64_t before = usb_copied_bytes();

				cut(&p, row);
				assert_int_equal(
					usb_xfer_scatter(&p.x, off, in, len),
					want);
				memset(out, 0, sizeof(out));
				assert_int_equal(
					usb_xfer_gather(&p.x, off, out, len),
					want);
				assert_memory_equal(in, out, want);
				assert_int_equal(out[want], 0);
				assert_int_equal(usb_copied_bytes() - before,
						 2 * want);
			}
}

/* Bytes outside [off, off+len) and between the pieces stay as they were */
static void nothing_else_is_written(void **state)
{
	uint8_t all[TOTAL];
	struct pieces p;

	(void)state;
	for (unsigned row = 0; row < 4; row++) {
		cut(&p, row);
		assert_int_equal(usb_xfer_fill(&p.x, 7, 0x11, 40), 40);
		for (unsigned i = 0; i < p.x.nseg; i++)
			assert_int_equal(p.seg[i].base[-1], 0xee);
		usb_xfer_gather(&p.x, 0, all, TOTAL);
		for (unsigned i = 0; i < TOTAL; i++)
			assert_int_equal(all[i],
					 i >= 7 && i < 47 ? 0x11 : 0xee);
	}
}

static void flat_where_it_is_in_one_piece(void **state)
{
	struct pieces p;

	(void)state;
	cut(&p, 0);
	assert_ptr_equal(usb_xfer_flat(&p.x), p.seg[0].base);
	cut(&p, 1);
	assert_null(usb_xfer_flat(&p.x));
	p.x.nseg = 0;
	assert_non_null(usb_xfer_flat(&p.x));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_scattered_is_gathered),
		cmocka_unit_test(nothing_else_is_written),
		cmocka_unit_test(flat_where_it_is_in_one_piece),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
