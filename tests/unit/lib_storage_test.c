/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The library as a VMM links it: a disk from a slot option, enumerated, read
 * and written through Bulk-Only Transport by the drivers of several operating
 * systems.
 */
#include "tests/unit/lib_disk.h"

static void every_os_uses_the_disk(void **state)
{
	static const char *const more[] = {"", ",speed=high", ",speed=full"};

	(void)state;
	for (unsigned os = 0; os < OS_COUNT; os++)
		for (unsigned i = 0; i < 3; i++) {
			struct disk *k = disk_up(more[i], os, NULL);

			read_disk(k);
			write_disk(k);
			disk_down(k);
		}
}

/* SeaBIOS: rings of 16, polling, EHB never cleared. */
static void small_rings_and_polling(void **state)
{
	const struct gdrv_opts opts = {
		.cmd_trbs = 16, .evt_trbs = 16, .keep_ehb = true};
	struct disk *k = disk_up("", OS_SEABIOS, &opts);

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		read_disk(k);
	disk_down(k);
}

/* Interrupts come as MSI-X messages on the interrupter's vector. */
static void interrupts_are_messages(void **state)
{
	const struct gdrv_opts opts = {.inte = true, .evt_segs = 2};
	struct disk *k = disk_up("", OS_LINUX, &opts);
	uint64_t before = k->e.msgs[0];

	(void)state;
	read_disk(k);
	assert_true(k->e.msgs[0] > before);
	disk_down(k);
}

/* HCRST and again from the start, as a guest that boots another kernel. */
static void disk_survives_controller_resets(void **state)
{
	struct disk *k = disk_up("", OS_UBOOT, NULL);

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct gdrv_epcfg ep[2];

		k->os = i % OS_COUNT;
		assert_int_equal(gdrv_start(&k->d), 0);
		k->v = gdrv_os_open(&k->d, k->os, gdrv_port_find(&k->d, 0));
		assert_non_null(k->v);
		read_config(k, ep);
		assert_int_equal(gdrv_configure(k->v, ep, 2), CC_SUCCESS);
		assert_int_equal(control(k, 0, 9, k->config, 0, NULL), 1);
		read_disk(k);
	}
	disk_down(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_os_uses_the_disk),
		cmocka_unit_test(small_rings_and_polling),
		cmocka_unit_test(interrupts_are_messages),
		cmocka_unit_test(disk_survives_controller_resets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
