/* SPDX-License-Identifier: BSD-2-Clause */
/* Anything at any time, from seeds that do not change: emu_chaos.h. */
#include "tests/unit/emu_chaos.h"

#define STEPS 200000u

static void fuzz(uint64_t seed)
{
	struct fuzz z = {.f = fake_new(), .s = seed};
	const struct xhci_stats *st = xhci_stats(z.f->x);

	z.f->lenient = true;
	restart(&z);
	for (unsigned i = 0; i < STEPS; i++)
		step(&z);
	z.f->hole = 0;
	/* it was not all in vain */
	print_message(
		"seed %llx: %u restarts, %u deaths, %llu commands, "
		"%llu TDs, %llu events, %llu errors\n",
		(unsigned long long)seed, z.restarts, z.deaths,
		(unsigned long long)st->commands, (unsigned long long)st->tds,
		(unsigned long long)st->events, (unsigned long long)st->errors);
	assert_true(st->commands > 1000 && st->tds > 1000);
	assert_true(st->events > 1000 && st->errors > 100);
	fake_free(z.f);
}

static void anything_at_any_time(void **state)
{
	const char *seed = getenv("EMU_FUZZ_SEED");

	(void)state;
	if (seed)
		fuzz(strtoull(seed, NULL, 0));
	else
		for (uint64_t s = 1; s <= 2; s++)
			fuzz(s * 0x9e3779b97f4a7c15);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(anything_at_any_time),
	};

	return cmocka_run_group_tests_name("emu_fuzz", tests, NULL, NULL);
}
