/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The two transports of a disk: descriptors, and what alternate settings do.
 */
#include "devices_uas_fake.h"

/* Descriptors as a driver looks for them: setting 1, and each pipe's usage. */
static void descriptors_name_the_four_pipes(void **state)
{
	static const uint8_t pipe_ep[5] = {0, STORAGE_EP_COMMAND,
					   STORAGE_EP_STATUS, STORAGE_EP_IN,
					   STORAGE_EP_OUT};
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint8_t c[256], ep = 0, alt = 0xff;
		unsigned pipes = 0, streams = 0;
		struct disk k;
		int n;

		disk_open_at(&k, uas_speeds[i], 4096, false, true);
		n = fake_control(k.dev, 0x80, 6, 0x200, 0, c, sizeof(c));
		for (const uint8_t *d = c; d < c + n; d += d[0]) {
			if (d[1] == 4) {
				alt = d[3];
				assert_memory_equal(d + 4,
						    alt ? "\4\x8\x6\x62"
							: "\2\x8\x6\x50",
						    4);
			}
			if (d[1] == 5)
				ep = d[2];
			if (alt == 1 && d[1] == 0x30 && (d[3] & 0x1f) == 4)
				streams |= 1u << (ep & 15);
			if (alt == 1 && d[1] == 0x24) {
				assert_in_range(d[2], 1, 4);
				assert_int_equal(pipe_ep[d[2]], ep);
				pipes |= 1u << d[2];
			}
		}
		assert_int_equal(pipes, 0x1e);
		assert_int_equal(streams,
				 i == 1 ? 1u << 1 | 1u << 2 | 1u << 3 : 0);
		disk_close(&k);
	}
}

/* Setting 1 is UAS and 0 is bulk-only, however often they are switched. */
static void settings_select_the_transport(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct disk k;
		uint8_t b[1] = {9};

		disk_open_at(&k, uas_speeds[i], DISK_BLOCKS * 512, false, true);
		for (unsigned round = 0; round < 3; round++) {
			check_works(&k);
			assert_int_equal(
				fake_control(k.dev, 0xa1, 0xfe, 0, 0, b, 1), 1);
			expect(uas_start(&k, STORAGE_EP_STATUS, 1, NULL, 64),
			       USB_ERROR, 0);
			uas_select(&k, 1);
			fake_control(k.dev, 0x81, USB_REQ_GET_INTERFACE, 0, 0,
				     b, 1);
			assert_int_equal(b[0], 1);
			uas_check_works(&k);
			assert_int_equal(
				fake_control(k.dev, 0xa1, 0xfe, 0, 0, b, 1),
				-EPIPE);
			assert_int_equal(mass_storage_reset(&k), -EPIPE);
			uas_select(&k, 0);
		}
		disk_close(&k);
	}
}

/* Sense data that nobody fetched is not for the other transport. */
static void sense_data_stays_with_its_transport(void **state)
{
	uint8_t cdb[16] = {0xff}, b[18];
	struct disk k;

	(void)state;
	disk_open_at(&k, USB_SPEED_SUPER, DISK_BLOCKS * 512, false, true);
	assert_int_equal(
		disk_command(&k, cdb, 6, false, b, 0, (struct cut){0}).status,
		1);
	uas_select(&k, 1);
	cdb[0] = 0x03;
	cdb[4] = sizeof(b);
	assert_int_equal(uas_command(&k, 1, cdb, true, b, sizeof(b), -1), 0);
	assert_int_equal(b[2], 0);
	assert_int_equal(get_be16(b + 12), 0);
	disk_close(&k);
}

static void full_speed_is_bulk_only(void **state)
{
	struct disk k;

	(void)state;
	disk_open_at(&k, USB_SPEED_FULL, DISK_BLOCKS * 512, false, true);
	assert_int_equal(
		fake_control(k.dev, 1, USB_REQ_SET_INTERFACE, 1, 0, NULL, 0),
		-EPIPE);
	check_works(&k);
	disk_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(descriptors_name_the_four_pipes),
		cmocka_unit_test(settings_select_the_transport),
		cmocka_unit_test(sense_data_stays_with_its_transport),
		cmocka_unit_test(full_speed_is_bulk_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
