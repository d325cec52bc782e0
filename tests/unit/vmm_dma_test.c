/* SPDX-License-Identifier: BSD-2-Clause */
/* Guest memory ranges: found, refused, and alive while held. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/dma.h"

#define PAGE 4096u

static uint8_t memory[DMA_MAX_RANGES + PAGE];

/* What released() was called with. */
struct host {
	unsigned count;
	void *last;
};

static void on_released(void *host, void *cookie)
{
	struct host *h = host;

	h->count++;
	h->last = cookie;
}

static void map_refuses_what_is_no_range(void **state)
{
	static const struct {
		uint64_t gpa, len;
		int ret;
	} rows[] = {
		{0, 0, -EINVAL},
		{1, PAGE, -EINVAL},
		{PAGE, PAGE - 1, -EINVAL},
		{0, UINT64_MAX, -EINVAL},
		{PAGE, -(uint64_t)PAGE, -EINVAL}, /* larger than a process */
		{-(uint64_t)PAGE, 2 * PAGE, -EINVAL}, /* wraps by a page */
		{0x10000, PAGE, -EEXIST},             /* first page of it */
		{0x12000, PAGE, -EEXIST},             /* last page of it */
		{0xf000, 2 * PAGE, -EEXIST},
		{0x12000, 2 * PAGE, -EEXIST},
		{0xf000, 8 * PAGE, -EEXIST}, /* around it */
		{0x10000, 3 * PAGE, -EEXIST},
		{0xf000, PAGE, 0}, /* touching is not overlapping */
		{0x13000, PAGE, 0},
		{-(uint64_t)PAGE, PAGE, 0}, /* the last page there is */
		{-(uint64_t)PAGE, PAGE, -EEXIST},
	};
	struct host h = {0};
	struct dma m;

	(void)state;
	dma_init(&m, on_released, &h);
	assert_int_equal(dma_map(&m, 0x10000, 3 * PAGE, memory, true, NULL), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r = dma_map(&m, rows[i].gpa, rows[i].len, memory, true,
				NULL);

		if (r != rows[i].ret)
			fail_msg("row %zu: %d", i, r);
	}
	assert_int_equal(dma_map(&m, 0x80000, PAGE, NULL, true, NULL), -EINVAL);
	assert_int_equal(dma_map(&m, 0x80000, PAGE, (void *)(UINTPTR_MAX - 100),
				 true, NULL),
			 -EINVAL);
	dma_fini(&m);
	assert_int_equal(h.count, 4);
}

static void get_ends_where_the_range_ends(void **state)
{
	struct xhci_span s = {0};
	struct dma m;

	(void)state;
	dma_init(&m, NULL, NULL);
	assert_int_equal(dma_get(&m, 0, 1, false, &s), -EFAULT);
	dma_map(&m, 0x2000, 2 * PAGE, memory, true, NULL);
	dma_map(&m, 0x4000, PAGE, memory + 4 * PAGE, true, NULL);
	for (int i = 0; i < 2; i++) { /* searched for, then the recent one */
		assert_int_equal(dma_get(&m, 0x2010, 16, true, &s), 0);
		assert_ptr_equal(s.base, memory + 0x10);
		assert_int_equal(s.len, 16);
		assert_int_equal(dma_get(&m, 0x3ffc, 16, true, &s), 0);
		assert_ptr_equal(s.base, memory + 2 * PAGE - 4);
		assert_int_equal(s.len, 4);
	}
	assert_int_equal(dma_get(&m, 0x4000, SIZE_MAX, false, &s), 0);
	assert_ptr_equal(s.base, memory + 4 * PAGE);
	assert_int_equal(s.len, PAGE);
	assert_int_equal(dma_get(&m, 0x1fff, 1, false, &s), -EFAULT);
	assert_int_equal(dma_get(&m, 0x5000, 1, false, &s), -EFAULT);
	assert_int_equal(dma_get(&m, UINT64_MAX, 1, false, &s), -EFAULT);
	assert_int_equal(dma_get(&m, 0x2000, 0, false, &s), -EFAULT);
	dma_fini(&m);
}

static void the_last_byte_of_the_address_space(void **state)
{
	struct xhci_span s = {0};
	struct dma m;

	(void)state;
	dma_init(&m, NULL, NULL);
	dma_map(&m, -(uint64_t)PAGE, PAGE, memory, true, NULL);
	assert_int_equal(dma_get(&m, UINT64_MAX - 3, 16, true, &s), 0);
	assert_ptr_equal(s.base, memory + PAGE - 4);
	assert_int_equal(s.len, 4);
	assert_int_equal(dma_get(&m, 0, 1, false, &s), -EFAULT);
	dma_fini(&m);
}

static void read_only_memory_is_not_written(void **state)
{
	struct xhci_span s = {0};
	struct dma m;

	(void)state;
	dma_init(&m, NULL, NULL);
	dma_map(&m, 0, PAGE, memory, false, NULL);
	assert_int_equal(dma_get(&m, 0, 1, false, &s), 0);
	assert_int_equal(dma_get(&m, 0, 1, true, &s), -EFAULT);
	dma_fini(&m);
}

static void unmap_takes_what_was_mapped(void **state)
{
	struct host h = {0};
	struct xhci_span s = {0};
	struct dma m;
	int a;

	(void)state;
	dma_init(&m, on_released, &h);
	assert_int_equal(dma_unmap(&m, 0, PAGE), -ENOENT);
	dma_map(&m, 0x2000, 2 * PAGE, memory, true, &a);
	assert_int_equal(dma_get(&m, 0x2000, 1, true, &s), 0);
	assert_int_equal(dma_unmap(&m, 0x2000, PAGE), -ENOENT);
	assert_int_equal(dma_unmap(&m, 0x3000, PAGE), -ENOENT);
	assert_int_equal(dma_unmap(&m, 0x1000, 2 * PAGE), -ENOENT);
	assert_int_equal(h.count, 0);
	assert_int_equal(dma_unmap(&m, 0x2000, 2 * PAGE), 0);
	assert_int_equal(h.count, 1);
	assert_ptr_equal(h.last, &a);
	/* not found, although it was the recent one */
	assert_int_equal(dma_get(&m, 0x2000, 1, true, &s), -EFAULT);
	assert_int_equal(dma_unmap(&m, 0x2000, 2 * PAGE), -ENOENT);
	dma_fini(&m);
	assert_int_equal(h.count, 1);
}

static void held_memory_outlives_its_unmapping(void **state)
{
	struct xhci_span s = {0}, t = {0};
	struct host h = {0};
	struct dma m;
	int a, b;

	(void)state;
	dma_init(&m, on_released, &h);
	dma_map(&m, 0, PAGE, memory, true, &a);
	assert_int_equal(dma_get(&m, 0, 16, true, &s), 0);
	dma_hold(s.hold);
	dma_hold(s.hold);
	assert_int_equal(dma_unmap(&m, 0, PAGE), 0);
	assert_int_equal(dma_get(&m, 0, 16, true, &t), -EFAULT);
	assert_int_equal(h.count, 0);
	/* the same place can be mapped anew meanwhile */
	assert_int_equal(dma_map(&m, 0, PAGE, memory + PAGE, true, &b), 0);
	assert_int_equal(dma_get(&m, 0, 16, true, &t), 0);
	assert_ptr_equal(t.base, memory + PAGE);
	dma_hold(t.hold);
	dma_drop(&m, t.hold); /* mapped: nothing is released */
	dma_drop(&m, s.hold);
	assert_int_equal(h.count, 0);
	dma_drop(&m, s.hold);
	assert_int_equal(h.count, 1);
	assert_ptr_equal(h.last, &a);
	dma_fini(&m);
	assert_int_equal(h.count, 2);
	assert_ptr_equal(h.last, &b);
}

/* Holds on several dying ranges are dropped in another order. */
static void dying_ranges_go_in_any_order(void **state)
{
	static const unsigned order[4] = {2, 0, 3, 1};
	struct xhci_span s[4] = {0};
	struct host h = {0};
	int cookie[4];
	struct dma m;

	(void)state;
	dma_init(&m, on_released, &h);
	for (unsigned i = 0; i < 4; i++) {
		dma_map(&m, i * PAGE, PAGE, memory + i * PAGE, true,
			&cookie[i]);
		assert_int_equal(dma_get(&m, i * PAGE, 1, true, &s[i]), 0);
		dma_hold(s[i].hold);
	}
	dma_unmap_all(&m);
	assert_int_equal(h.count, 0);
	for (unsigned i = 0; i < 4; i++) {
		dma_drop(&m, s[order[i]].hold);
		assert_int_equal(h.count, i + 1);
		assert_ptr_equal(h.last, &cookie[order[i]]);
	}
	dma_fini(&m);
}

static void fini_releases_what_is_held(void **state)
{
	struct host h = {0};
	struct xhci_span s = {0};
	struct dma m;

	(void)state;
	dma_init(&m, on_released, &h);
	dma_map(&m, 0, PAGE, memory, true, NULL);
	dma_map(&m, PAGE, PAGE, memory, true, NULL);
	assert_int_equal(dma_get(&m, 0, 1, true, &s), 0);
	dma_hold(s.hold);
	dma_unmap(&m, 0, PAGE);
	dma_fini(&m);
	assert_int_equal(h.count, 2);
}

static void no_more_than_65535_ranges(void **state)
{
	struct host h = {0};
	struct xhci_span s = {0};
	struct dma m;

	(void)state;
	dma_init(&m, on_released, &h);
	/* every other page, the upper half first: gaps stay gaps */
	for (unsigned i = 0; i < DMA_MAX_RANGES; i++) {
		uint64_t n = (i + DMA_MAX_RANGES / 2) % DMA_MAX_RANGES;

		assert_int_equal(
			dma_map(&m, n * 2 * PAGE, PAGE, memory + n, true, NULL),
			0);
	}
	assert_int_equal(dma_map(&m, 1ull << 40, PAGE, memory, true, NULL),
			 -ENOSPC);
	for (uint64_t n = 0; n < DMA_MAX_RANGES; n += 997) {
		assert_int_equal(dma_get(&m, n * 2 * PAGE + 5, PAGE, true, &s),
				 0);
		assert_ptr_equal(s.base, memory + n + 5);
		assert_int_equal(dma_get(&m, (n * 2 + 1) * PAGE, 1, true, &s),
				 -EFAULT);
	}
	assert_int_equal(dma_unmap(&m, 0, PAGE), 0);
	assert_int_equal(dma_map(&m, 1ull << 40, PAGE, memory, true, NULL), 0);
	dma_fini(&m);
	assert_int_equal(h.count, DMA_MAX_RANGES + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(map_refuses_what_is_no_range),
		cmocka_unit_test(get_ends_where_the_range_ends),
		cmocka_unit_test(the_last_byte_of_the_address_space),
		cmocka_unit_test(read_only_memory_is_not_written),
		cmocka_unit_test(unmap_takes_what_was_mapped),
		cmocka_unit_test(held_memory_outlives_its_unmapping),
		cmocka_unit_test(dying_ranges_go_in_any_order),
		cmocka_unit_test(fini_releases_what_is_held),
		cmocka_unit_test(no_more_than_65535_ranges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
