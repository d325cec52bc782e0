/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mass storage device over Bulk-Only Transport 1.0: the thirteen cases,
 * data cut up as guests do it, transfers queued ahead, cancels, halts, resets.
 */
#include "devices_storage_fake.h"

static void check_pattern(const uint8_t *p, uint64_t off, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (p[i] != disk_byte(off + i))
			fail_msg("byte %zu of image offset %llu", i,
				 (unsigned long long)off);
	}
}

/* BOT §6.7: what the host says, what the command means, how it ends */
static const struct bot_case_row {
	unsigned number;
	uint8_t op; /* 0x28 READ(10), 0x2a WRITE(10), 0x00 TEST UNIT READY */
	uint16_t blocks;
	bool host_in;
	uint32_t host_len;
	uint8_t status;
	uint32_t residue; /* looked at unless status is 2 */
	uint32_t real_in; /* bytes that come from the disk */
	bool written;     /* block 8 on changed */
} cases[] = {
	{1, 0x00, 0, false, 0, 0, 0, 0, false},
	{2, 0x28, 1, true, 0, 2, 0, 0, false},
	{3, 0x2a, 1, false, 0, 2, 0, 0, false},
	{4, 0x00, 0, true, 600, 0, 600, 0, false},
	{5, 0x28, 2, true, 4096, 0, 3072, 1024, false},
	{6, 0x28, 2, true, 1024, 0, 0, 1024, false},
	{7, 0x28, 4, true, 1024, 2, 0, 1024, false},
	{8, 0x2a, 2, true, 1024, 2, 0, 0, false},
	{9, 0x00, 0, false, 700, 0, 700, 0, false},
	{10, 0x28, 2, false, 1024, 2, 0, 0, false},
	{11, 0x2a, 2, false, 4096, 0, 3072, 0, true},
	{12, 0x2a, 2, false, 1024, 0, 0, 0, true},
	{13, 0x2a, 4, false, 1024, 2, 0, 0, false},
};

static void run_case(const struct bot_case_row *r, bool inline_io,
		     struct cut cut)
{
	static const uint8_t zeroes[4096];
	uint8_t cdb[10], buf[4096], now[2048];
	struct disk k;
	struct csw c;

	disk_open(&k, DISK_BLOCKS * 512, false, inline_io);
	cdb_rw10(cdb, r->op, r->op ? 8 : 0, r->blocks);
	memset(buf, 0x5a, sizeof(buf));
	c = disk_command(&k, cdb, 10, r->host_in, buf, r->host_len, cut);
	assert_int_equal(c.status, r->status);
	if (c.status != 2)
		assert_int_equal(c.residue, r->residue);
	if (r->host_in) {
		check_pattern(buf, 8 * 512, r->real_in);
		assert_memory_equal(buf + r->real_in, zeroes,
				    r->host_len - r->real_in);
	}
	assert_int_equal(pread(k.fd, now, 2048, 8 * 512), 2048);
	if (r->written)
		assert_memory_equal(now, buf, 1024);
	check_pattern(now + (r->written ? 1024 : 0),
		      8 * 512 + (r->written ? 1024 : 0),
		      r->written ? 1024 : 2048);
	/* the pipes are as they were: the next command works */
	assert_int_equal(disk_sense(&k), 0);
	disk_close(&k);
}

static void thirteen_cases_of_host_and_device(void **state)
{
	static const struct cut cuts[] = {
		{0, 0, false},   {0, 0, true},    {512, 0, false},
		{100, 7, false}, {333, 64, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t j = 0; j < sizeof(cuts) / sizeof(cuts[0]); j++) {
			run_case(&cases[i], true, cuts[j]);
			run_case(&cases[i], false, cuts[j]);
		}
	}
}

/* Sizes and cuts of one data phase, as guests make them. */
static void data_moves_whole_however_it_is_cut(void **state)
{
	static const struct {
		uint16_t blocks;
		struct cut cut;
	} rows[] = {
		{1, {0, 0, true}},           {128, {0, 4096, false}},
		{256, {65536, 4096, false}}, /* EDK2 */
		{256, {65536, 4096, true}},  {240, {16384, 512, true}},
		{4, {1, 0, false}},          {7, {511, 13, true}},
		{4000, {0, 1024, false}}, /* more than IMAGE_IOVS, a chunk */
		{4000, {0, 0, true}},        {4000, {300000, 4096, true}},
	};
	uint8_t *buf = malloc(4000 * 512), cdb[10];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int io = 0; io < 2; io++) {
			uint32_t len = rows[i].blocks * 512u;
			struct disk k;
			struct csw c;

			disk_open(&k, DISK_BLOCKS * 512, false, io);
			cdb_rw10(cdb, 0x28, 5, rows[i].blocks);
			c = disk_command(&k, cdb, 10, true, buf, len,
					 rows[i].cut);
			assert_int_equal(c.status, 0);
			assert_int_equal(c.residue, 0);
			check_pattern(buf, 5 * 512, len);

			cdb_rw10(cdb, 0x2a, 0, rows[i].blocks);
			c = disk_command(&k, cdb, 10, false, buf, len,
					 rows[i].cut);
			assert_int_equal(c.status, 0);
			assert_int_equal(c.residue, 0);
			memset(buf, 0, len);
			assert_int_equal(pread(k.fd, buf, len, 0), len);
			check_pattern(buf, 5 * 512, len);
			disk_close(&k);
		}
	}
	free(buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thirteen_cases_of_host_and_device),
		cmocka_unit_test(data_moves_whole_however_it_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
