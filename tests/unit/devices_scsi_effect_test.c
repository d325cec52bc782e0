/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SCSI disk: what commands do to the image and to the disk's own state,
 * seen through the transport (SPC-4, SBC-3).
 */
#include "devices_storage_fake.h"

#include "devices/scsi_cmds.h"

static const struct cut whole = {0, 0, false};

#define ILLEGAL(asc) (0x50000u | (asc))
#define NO_OP ILLEGAL(0x2000)
#define BAD_LBA ILLEGAL(0x2100)
#define BAD_LEN ILLEGAL(0x1a00)

static void sense_is_kept_until_the_next_command(void **state)
{
	static const uint8_t bad[6] = {0x04};
	static const uint8_t tur[6] = {0x00};
	static const uint8_t desc[6] = {0x03, 1, 0, 0, 20};
	uint8_t cdb[10], b[512];
	struct disk k;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, true);
	/* no unit attention: the first look finds a disk that is ready */
	assert_int_equal(disk_command(&k, tur, 6, false, NULL, 0, whole).status,
			 0);
	assert_int_equal(disk_command(&k, bad, 6, false, NULL, 0, whole).status,
			 1);
	assert_int_equal(disk_sense(&k), NO_OP);
	assert_int_equal(disk_sense(&k), 0); /* told once */
	disk_command(&k, bad, 6, false, NULL, 0, whole);
	disk_command(&k, tur, 6, false, NULL, 0, whole);
	assert_int_equal(disk_sense(&k), 0);
	/* descriptor format, with the block that does not exist */
	cdb_rw10(cdb, 0x28, 5000, 1);
	disk_command(&k, cdb, 10, true, b, 512, whole);
	disk_command(&k, desc, 6, true, b, 20, whole);
	assert_memory_equal(b, "\x72\x05\x21\x00\0\0\0\x0c\0\x0a\x80\0", 12);
	assert_true(get_be64(b + 12) == 5000);
	/* fixed format has it too */
	disk_command(&k, cdb, 10, true, b, 512, whole);
	cdb_rw10(cdb, 0x03, 0, 0);
	cdb[4] = 18;
	disk_command(&k, cdb, 6, true, b, 18, whole);
	assert_int_equal(b[0], 0xf0);
	assert_int_equal(get_be32(b + 3), 5000);
	disk_command(&k, bad, 6, false, NULL, 0, whole);
	disk_configure(&k); /* a reset forgets it */
	assert_int_equal(disk_sense(&k), 0);
	disk_close(&k);
}

static void mode_select_changes_the_write_cache_and_nothing_else(void **state)
{
	static const struct {
		uint8_t len, list[28];
		uint32_t sense;
		bool wce;
	} rows[] = {
		{24, {0, 0, 0, 0, 0x08, 18, 0}, 0, false},
		{24, {0, 0, 0, 0, 0x88, 18, 4}, 0, true}, /* PS is ignored */
		{24,
		 {0, 0, 0, 0, 0x08, 18, 5},
		 ILLEGAL(0x2600),
		 true}, /* RCD */
		{24, {0, 0, 0, 0, 0x08, 17, 0}, ILLEGAL(0x2600), true},
		{20, {0, 0, 0, 0, 0x08, 18, 0}, ILLEGAL(0x2600), true},
		{5, {0, 0, 0, 0, 0x08}, ILLEGAL(0x2600), true},
		{16, {0, 0, 0, 0, 0x05, 10}, ILLEGAL(0x2600), true},
		{16, {0, 0, 0, 0, 0x0a, 10, 2, 0x10}, 0, true},
		{16, {0, 0, 0, 0, 0x0a, 10, 0, 0x10}, ILLEGAL(0x2600), true},
		{4, {0}, 0, true},
		{4, {0, 0, 0, 8}, BAD_LEN, true},
		{12, {0, 0, 0, 8, 0, 0, 0x10, 0, 0, 0, 2, 0}, 0, true},
	};
	uint8_t cdb[10] = {0x15, 0x10}, b[512] = {0};
	struct disk k;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, true);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct csw c;

		cdb[4] = rows[i].len;
		memcpy(b, rows[i].list, sizeof(rows[i].list));
		c = disk_command(&k, cdb, 6, false, b, rows[i].len,
				 (struct cut){5, 2, false});
		assert_int_equal(c.status, rows[i].sense != 0);
		assert_int_equal(disk_sense(&k), rows[i].sense);
		assert_int_equal(k.s->target.lu[0].wce, rows[i].wce);
	}
	/* with the cache off every write is flushed, by the worker */
	k.s->target.lu[0].wce = false;
	fake.jobs = 0;
	cdb_rw10(cdb, 0x2a, 0, 1);
	disk_command(&k, cdb, 10, false, b, 512, whole);
	assert_true(fake.jobs >= 1);
	assert_int_equal(k.s->bot.job.op, IMAGE_SYNC);
	memset(cdb, 0, sizeof(cdb));
	cdb[0] = 0x41; /* and so is WRITE SAME */
	cdb[8] = 1;
	memset(b, 1, sizeof(b));
	disk_command(&k, cdb, 10, false, b, 512, whole);
	assert_int_equal(k.s->bot.job.op, IMAGE_FILL);
	assert_true(k.s->bot.job.sync);
	disk_close(&k);
}

/* [from, to) of the image are zero, the blocks around them as they were */
static void check_zeroed(struct disk *k, unsigned from, unsigned to)
{
	static const uint8_t zeroes[512];
	uint8_t b[512];

	for (unsigned i = from - 1; i <= to; i++) {
		assert_int_equal(pread(k->fd, b, 512, i * 512), 512);
		if (i < from || i == to)
			assert_int_equal(b[0], disk_byte(i * 512));
		else
			assert_memory_equal(b, zeroes, 512);
	}
}

static void unmap_gives_back_what_its_list_says(void **state)
{
	static const struct {
		uint64_t lba[2];
		uint32_t count[2];
		uint16_t bytes; /* UNMAP BLOCK DESCRIPTOR DATA LENGTH */
		uint32_t sense;
	} rows[] = {
		{{8, 100}, {8, 4}, 32, 0},
		{{8, 4090}, {8, 7}, 32, BAD_LBA},
		{{8, UINT64_MAX}, {8, 2}, 32, BAD_LBA},
		{{8, 4096}, {8, 0}, 32, 0},
		{{8, 5000}, {8, 9}, 16, 0}, /* the list ends before it */
		{{8, 100}, {8, 4}, 0xffff, 0},
	};
	uint8_t cdb[10] = {0x42, [8] = 40};
	struct disk k;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t b[40] = {0};
		struct csw c;

		disk_open(&k, DISK_BLOCKS * 512, false, true);
		k.s->target.lu[0].img.can_discard = true;
		put_be16(b + 2, rows[i].bytes);
		for (unsigned j = 0; j < 2; j++) {
			put_be64(b + 8 + 16 * j, rows[i].lba[j]);
			put_be32(b + 16 + 16 * j, rows[i].count[j]);
		}
		c = disk_command(&k, cdb, 10, false, b, 40,
				 (struct cut){11, 3, false});
		assert_int_equal(c.status, rows[i].sense != 0);
		assert_int_equal(disk_sense(&k), rows[i].sense);
		if (rows[i].sense == 0) {
			check_zeroed(&k, 8, 16);
			assert_int_equal(fake.jobs, 1);
		} else {
			check_zeroed(&k, 8, 8); /* all or nothing */
			assert_int_equal(fake.jobs, 0);
		}
		disk_close(&k);
	}
}

static void unmap_of_too_much_is_refused(void **state)
{
	uint8_t cdb[10] = {0x42, [8] = 24}, b[24] = {0, 22, 0, 16};
	struct disk k;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, true);
	k.s->target.lu[0].img.blocks = UINT64_C(1) << 40;
	k.s->target.lu[0].img.can_discard = true;
	put_be32(b + 16, SCSI_UNMAP_MAX_BLOCKS + 1);
	disk_command(&k, cdb, 10, false, b, 24, whole);
	assert_int_equal(disk_sense(&k), ILLEGAL(0x2600));
	disk_close(&k);
}

static void write_same_fills_its_blocks(void **state)
{
	static const struct {
		bool unmap, zero, discard_works;
	} rows[] = {
		{true, true, true},  {true, true, false},   {true, false, true},
		{false, true, true}, {false, false, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t cdb[16] = {0x93, [9] = 8, [12] = 1, [13] = 2};
		uint8_t b[512], now[512];
		struct disk k;
		struct csw c;

		disk_open(&k, DISK_BLOCKS * 512, false, true);
		k.s->target.lu[0].img.can_discard &= rows[i].discard_works;
		cdb[1] = rows[i].unmap ? 8 : 0;
		memset(b, 0, sizeof(b));
		if (!rows[i].zero)
			b[511] = 0x77;
		c = disk_command(&k, cdb, 16, false, b, 512, whole);
		assert_int_equal(c.status, 0);
		if (rows[i].zero)
			check_zeroed(&k, 8, 8 + 258);
		for (unsigned j = 8; j < 8 + 258; j++) {
			assert_int_equal(pread(k.fd, now, 512, j * 512), 512);
			assert_memory_equal(now, b, 512);
		}
		assert_int_equal(pread(k.fd, now, 512, 266 * 512), 512);
		assert_int_equal(now[1], disk_byte(266 * 512 + 1));
		disk_close(&k);
	}
}

static void verify_compares_byte_for_byte(void **state)
{
	uint8_t cdb[10], *b = malloc(64 * 512);
	struct disk k;
	struct csw c;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, true);
	for (size_t i = 0; i < 64 * 512; i++)
		b[i] = disk_byte(16 * 512 + i);
	cdb_rw10(cdb, 0x2f, 16, 64);
	cdb[1] = 2;
	c = disk_command(&k, cdb, 10, false, b, 64 * 512,
			 (struct cut){9000, 4097, false});
	assert_int_equal(c.status, 0);
	assert_int_equal(c.residue, 0);
	b[40 * 512 + 3] ^= 1;
	c = disk_command(&k, cdb, 10, false, b, 64 * 512,
			 (struct cut){9000, 4097, false});
	assert_int_equal(c.status, 1);
	assert_int_equal(disk_sense(&k), 0xe1d00);
	free(b);
	disk_close(&k);
}

static void errors_of_the_image_become_sense(void **state)
{
	static const struct {
		enum image_op op;
		int error;
		uint32_t sense;
	} rows[] = {
		{IMAGE_READ, -EIO, 0x31100},
		{IMAGE_READ, -ENODATA, 0x31100},
		{IMAGE_COMPARE, -EIO, 0x31100},
		{IMAGE_COMPARE, -EILSEQ, 0xe1d00},
		{IMAGE_WRITE, -EIO, 0x30c00},
		{IMAGE_WRITE, -ENOSPC, 0x72707},
		{IMAGE_WRITE, -EDQUOT, 0x72707},
		{IMAGE_WRITE, -EFBIG, 0x72707},
		{IMAGE_SYNC, -EIO, 0x30c00},
		{IMAGE_DISCARD, -EIO, 0x30c00},
		{IMAGE_READ, -EAGAIN, 0xb0000},
		{IMAGE_SYNC, -ENOMEM, 0xb0000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scsi_cmd c = {
			.len = 512, .data = SCSI_DATA_READ, .then = IMAGE_SYNC};

		scsi_io_failed(&c, rows[i].op, rows[i].error, 77 * 512 + 5);
		assert_int_equal((uint32_t)c.sense.key << 16 | c.sense.asc,
				 rows[i].sense);
		assert_int_equal(c.status, 2);
		assert_int_equal(c.then, IMAGE_NONE);
		assert_int_equal(c.len, 0);
		if (c.sense.info_valid)
			assert_true(c.sense.info == 77);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sense_is_kept_until_the_next_command),
		cmocka_unit_test(
			mode_select_changes_the_write_cache_and_nothing_else),
		cmocka_unit_test(unmap_gives_back_what_its_list_says),
		cmocka_unit_test(unmap_of_too_much_is_refused),
		cmocka_unit_test(write_same_fills_its_blocks),
		cmocka_unit_test(verify_compares_byte_for_byte),
		cmocka_unit_test(errors_of_the_image_become_sense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
