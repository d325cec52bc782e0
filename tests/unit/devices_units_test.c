/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several logical units in a disk, and media that come and go, over both
 * transports.
 */
#include "devices_uas_fake.h"

#define UNITS 3u
#define NOT_PRESENT 0x023a00u
#define CHANGED 0x062800u
#define PREVENTED 0x055302u

struct units {
	struct disk k; /* first: what the fakes take */
	char path[UNITS + 1][64];
};

static void make_path(char *path, uint64_t blocks, uint8_t first)
{
	uint8_t b[512];
	int fd;

	strcpy(path, "/tmp/vxhci-unit-XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	memset(b, first, sizeof(b));
	for (uint64_t i = 0; i < blocks; i++)
		assert_int_equal(write(fd, b, 512), 512);
	close(fd);
}

/* Unit i has 8 + i blocks of bytes i + 1; 1 is read only, 2 removable. */
static void units_open(struct units *u, enum usb_speed speed)
{
	struct storage_lun luns[UNITS];
	char err[256] = "";

	memset(&fake, 0, sizeof(fake));
	fake.many = true;
	disk_lun = 0;
	for (unsigned i = 0; i <= UNITS; i++)
		make_path(u->path[i], 8 + i, (uint8_t)(i + 1));
	for (unsigned i = 0; i < UNITS; i++)
		luns[i] = (struct storage_lun){u->path[i], i == 1, i == 2};
	if (storage_open_luns(luns, UNITS, speed, &u->k.dev, err,
			      sizeof(err)) != 0)
		fail_msg("%s", err);
	u->k.s = (struct storage *)u->k.dev;
	u->k.dev->pm = (struct pmapper *)&fake; /* never looked into */
	disk_configure(&u->k);
}

static void units_close(struct units *u)
{
	u->k.dev->ops->free(u->k.dev);
	fake_work();
	for (unsigned i = 0; i <= UNITS; i++)
		unlink(u->path[i]);
	disk_lun = 0;
}

static uint8_t bot(struct units *u, unsigned lun, const uint8_t *cdb,
		   size_t cdb_len, bool in, void *data, uint32_t len)
{
	disk_lun = (uint8_t)lun;
	return disk_command(&u->k, cdb, cdb_len, in, data, len,
			    (struct cut){0, 0, 0})
		.status;
}

static uint32_t sense_of(struct units *u, unsigned lun)
{
	disk_lun = (uint8_t)lun;
	return disk_sense(&u->k);
}

static uint8_t ready(struct units *u, unsigned lun)
{
	return bot(u, lun, (const uint8_t[6]){0}, 6, false, NULL, 0);
}

static void each_unit_is_its_own(void **state)
{
	static const uint8_t inquiry[6] = {0x12, 0, 0, 0, 36},
			     capacity[10] = {0x25},
			     report[12] = {0xa0, [9] = 64};
	struct units u;
	uint8_t b[512], cdb[10], max = 0;

	(void)state;
	units_open(&u, USB_SPEED_HIGH);
	assert_int_equal(fake_control(u.k.dev, 0xa1, 0xfe, 0, 0, &max, 1), 1);
	assert_int_equal(max, UNITS - 1);
	assert_int_equal(bot(&u, 1, report, 12, true, b, 32), 0);
	assert_int_equal(get_be32(b), 8 * UNITS);
	for (unsigned i = 0; i < UNITS; i++) {
		assert_int_equal(b[8 + 8 * i + 1], i);
	}
	for (unsigned i = 0; i < UNITS; i++) {
		assert_int_equal(bot(&u, i, capacity, 10, true, b, 8), 0);
		assert_int_equal(get_be32(b), 8 + i - 1);
		assert_int_equal(bot(&u, i, inquiry, 6, true, b, 36), 0);
		assert_int_equal(b[1], i == 2 ? 0x80 : 0);
		cdb_rw10(cdb, 0x28, 0, 1);
		assert_int_equal(bot(&u, i, cdb, 10, true, b, 512), 0);
		assert_int_equal(b[0], i + 1);
		cdb_rw10(cdb, 0x2a, 0, 1);
		b[0] = 0x77;
		assert_int_equal(bot(&u, i, cdb, 10, false, b, 512), i == 1);
	}
	/* sense data is the unit's */
	assert_int_equal(sense_of(&u, 0), 0);
	assert_int_equal(sense_of(&u, 2), 0);
	assert_int_equal(sense_of(&u, 1), 0x072700);
	units_close(&u);
}

/* BOT §6.2.1: a unit that is not there makes the CBW meaningless. */
static void there_are_no_other_units(void **state)
{
	struct units u;
	struct fake_xfer *f;

	(void)state;
	units_open(&u, USB_SPEED_HIGH);
	disk_lun = UNITS;
	f = cbw_xfer(1, 0, false, (const uint8_t[6]){0}, 6);
	fake_submit(u.k.dev, f);
	assert_true(f->done);
	fake_xfer_free(f);
	assert_int_equal(halt_status(&u.k, STORAGE_EP_IN), 1);
	recover(&u.k);
	assert_int_equal(ready(&u, UNITS - 1), 0);
	uas_select(&u.k, 1);
	disk_lun = UNITS;
	{
		struct fake_xfer *st = start_status(&u.k, 1);

		fake_xfer_free(
			start_command(&u.k, 1, (const uint8_t[6]){0}, 6));
		expect_response(st, 1, UAS_RC_INCORRECT_LUN);
	}
	units_close(&u);
}

static void a_change_is_told_once(void **state)
{
	static const uint8_t capacity[10] = {0x25};
	struct image img, old;
	struct units u;
	char err[128];
	uint8_t b[8];

	(void)state;
	units_open(&u, USB_SPEED_HIGH);
	assert_int_equal(storage_change(u.k.dev, UNITS, NULL, false, &old),
			 -ENXIO);
	assert_int_equal(storage_change(u.k.dev, 0, NULL, false, &old),
			 -EINVAL);
	assert_int_equal(storage_change(u.k.dev, 2, NULL, false, &old), 0);
	assert_true(old.fd >= 0);
	image_close(&old);
	assert_int_equal(ready(&u, 2), 1);
	assert_int_equal(sense_of(&u, 2), NOT_PRESENT);
	assert_int_equal(bot(&u, 2, capacity, 10, true, b, 8), 1);
	assert_int_equal(sense_of(&u, 2), NOT_PRESENT);
	assert_int_equal(ready(&u, 0), 0);
	assert_int_equal(image_open(u.path[3], false, &img, err, sizeof(err)),
			 0);
	assert_int_equal(storage_change(u.k.dev, 2, &img, false, &old), 0);
	assert_int_equal(old.fd, -1);
	assert_int_equal(bot(&u, 2, capacity, 10, true, b, 8), 1);
	assert_int_equal(sense_of(&u, 2), CHANGED);
	assert_int_equal(bot(&u, 2, capacity, 10, true, b, 8), 0);
	assert_int_equal(get_be32(b), 8 + 3 - 1);
	units_close(&u);
}

/* SAM-5 §5.14: INQUIRY leaves it, REQUEST SENSE takes it */
static void request_sense_takes_the_attention(void **state)
{
	static const uint8_t inquiry[6] = {0x12, 0, 0, 0, 36};
	struct image img, old;
	struct units u;
	char err[128];
	uint8_t b[36];

	(void)state;
	units_open(&u, USB_SPEED_HIGH);
	assert_int_equal(image_open(u.path[3], true, &img, err, sizeof(err)),
			 0);
	assert_int_equal(storage_change(u.k.dev, 2, &img, false, &old), 0);
	image_close(&old);
	assert_int_equal(bot(&u, 2, inquiry, 6, true, b, 36), 0);
	assert_int_equal(sense_of(&u, 2), CHANGED);
	assert_int_equal(ready(&u, 2), 0);
	units_close(&u);
}

static void the_guest_locks_and_ejects(void **state)
{
	static const uint8_t lock[6] = {0x1e, 0, 0, 0, 1}, unlock[6] = {0x1e},
			     eject[6] = {0x1b, 0, 0, 0, 2},
			     load[6] = {0x1b, 0, 0, 0, 3};
	struct image old;
	struct units u;

	(void)state;
	units_open(&u, USB_SPEED_HIGH);
	assert_int_equal(bot(&u, 2, lock, 6, false, NULL, 0), 0);
	assert_int_equal(bot(&u, 2, eject, 6, false, NULL, 0), 1);
	assert_int_equal(sense_of(&u, 2), PREVENTED);
	assert_int_equal(storage_change(u.k.dev, 2, NULL, false, &old),
			 -EACCES);
	assert_int_equal(bot(&u, 2, unlock, 6, false, NULL, 0), 0);
	assert_int_equal(bot(&u, 2, eject, 6, false, NULL, 0), 0);
	assert_int_equal(ready(&u, 2), 1);
	assert_int_equal(sense_of(&u, 2), NOT_PRESENT);
	assert_int_equal(bot(&u, 2, load, 6, false, NULL, 0), 0);
	assert_int_equal(ready(&u, 2), 1);
	assert_int_equal(sense_of(&u, 2), CHANGED);
	assert_int_equal(ready(&u, 2), 0);
	/* one that is not removable stays */
	assert_int_equal(bot(&u, 0, lock, 6, false, NULL, 0), 0);
	assert_int_equal(bot(&u, 0, eject, 6, false, NULL, 0), 0);
	assert_int_equal(ready(&u, 0), 0);
	assert_int_equal(bot(&u, 2, lock, 6, false, NULL, 0), 0);
	assert_int_equal(storage_change(u.k.dev, 2, NULL, true, &old), 0);
	image_close(&old);
	assert_int_equal(ready(&u, 2), 1);
	units_close(&u);
}

/* Neither a command that moves data nor a job has its medium taken away. */
static void a_busy_unit_keeps_its_medium(void **state)
{
	struct fake_xfer *cmd, *data, *st;
	struct image old;
	struct units u;
	uint8_t cdb[10];

	(void)state;
	units_open(&u, USB_SPEED_HIGH);
	cdb_rw10(cdb, 0x28, 0, 1);
	disk_lun = 2;
	cmd = cbw_xfer(1, 512, true, cdb, 10);
	fake_submit(u.k.dev, cmd);
	assert_int_equal(storage_change(u.k.dev, 2, NULL, false, &old), -EBUSY);
	data = start(&u.k, STORAGE_EP_IN, NULL, 512);
	fake_work();
	assert_true(data->done);
	st = start(&u.k, STORAGE_EP_IN, NULL, 13);
	assert_true(st->done);
	fake_xfer_free(cmd);
	fake_xfer_free(data);
	fake_xfer_free(st);
	uas_select(&u.k, 1);
	fake_xfer_free(start_command(&u.k, 5, cdb, 10));
	assert_int_equal(storage_change(u.k.dev, 2, NULL, false, &old), -EBUSY);
	u.k.dev->ops->reset(u.k.dev);
	assert_int_equal(storage_change(u.k.dev, 2, NULL, false, &old), 0);
	image_close(&old);
	units_close(&u);
}

/* With UAS: a reset of a unit leaves the commands of another alone. */
static void functions_are_of_one_unit(void **state)
{
	struct fake_xfer *st1, *st2, *st3;
	uint8_t cdb[10];
	struct units u;

	(void)state;
	units_open(&u, USB_SPEED_SUPER);
	uas_select(&u.k, 1);
	cdb_rw10(cdb, 0x28, 0, 1);
	st1 = start_status(&u.k, 1);
	st2 = start_status(&u.k, 2);
	disk_lun = 0;
	fake_xfer_free(start_command(&u.k, 1, cdb, 10));
	disk_lun = 2;
	fake_xfer_free(start_command(&u.k, 2, cdb, 10));
	st3 = start_status(&u.k, 3);
	fake_xfer_free(start_task(&u.k, 3, UAS_LOGICAL_UNIT_RESET, 0));
	expect_response(st3, 3, UAS_RC_COMPLETE);
	st3 = start_status(&u.k, 3);
	fake_xfer_free(start_task(&u.k, 3, UAS_QUERY_TASK_SET, 0));
	expect_response(st3, 3, UAS_RC_COMPLETE);
	st3 = start_status(&u.k, 3);
	disk_lun = 0;
	fake_xfer_free(start_task(&u.k, 3, UAS_QUERY_TASK_SET, 0));
	expect_response(st3, 3, UAS_RC_SUCCEEDED);
	assert_false(st1->done);
	take_back(&u.k, st1);
	take_back(&u.k, st2);
	units_close(&u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_unit_is_its_own),
		cmocka_unit_test(there_are_no_other_units),
		cmocka_unit_test(a_change_is_told_once),
		cmocka_unit_test(request_sense_takes_the_attention),
		cmocka_unit_test(the_guest_locks_and_ejects),
		cmocka_unit_test(a_busy_unit_keeps_its_medium),
		cmocka_unit_test(functions_are_of_one_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
