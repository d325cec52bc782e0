/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The counts that `make bench` is strict about, in short: no allocation a
 * transfer, each TRB read once, no context read, one copy at most.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "tests/bench/load.h"

static void counts_of_a_transfer(void **state)
{
	unsigned n, wrong = 0;
	const struct load_row *rows = load_rows(&n);

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		struct load_cost c;
		struct load l;
		char name[64], why[96];

		load_up(&l, &rows[i]);
		load_name(&rows[i], name, sizeof(name));
		for (unsigned bounce = 0; bounce < 2; bounce++) {
			unsigned count = 3 * rows[i].depth;

			if (count < LOAD_RINGS) /* each stream once */
				count = LOAD_RINGS;
			load_run(&l, count, bounce, &c); /* to the pools */
			load_run(&l, count, bounce, &c);
			if (c.tds == count &&
			    load_gates(&rows[i], &c, bounce, why, sizeof(why)))
				continue;
			fprintf(stderr, "%s: %s\n", name,
				c.tds == count ? why : "not all TDs done");
			wrong++;
		}
		if (!load_verify(&l)) {
			fprintf(stderr, "%s: wrong data\n", name);
			wrong++;
		}
		wrong += load_down(&l);
	}
	assert_int_equal(wrong, 0);
}

/* The counter itself: a gate that sees nothing would always hold. */
static void allocations_are_seen(void **state)
{
	uint64_t before = alloc_count();
	struct load l;
	static const struct load_row row = {LOAD_BULK_IN, BUF_ONE, 512, 1};

	(void)state;
	load_up(&l, &row);
	assert_true(alloc_count() > before);
	assert_int_equal(load_down(&l), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_of_a_transfer),
		cmocka_unit_test(allocations_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
