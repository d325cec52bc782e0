/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The SCSI disk: each command that guests send, right and wrong, and what it
 * means to do or answers (SPC-4, SBC-3).
 */
#include "devices_storage_fake.h"

#include "devices/scsi_cmds.h"

static const struct cut whole = {0, 0, false};

#define ILLEGAL(asc) (0x50000u | (asc))
#define NO_OP ILLEGAL(0x2000)
#define BAD_LBA ILLEGAL(0x2100)
#define BAD_CDB ILLEGAL(0x2400)
#define BAD_LEN ILLEGAL(0x1a00)
#define PROTECTED 0x72700u

/* What a command means to do; sense is key, ASC, ASCQ, 0 for GOOD. */
struct plan_row {
	uint8_t cdb[16];
	uint8_t cdb_len; /* 0: the size its group says */
	uint32_t sense;
	enum scsi_data data;
	uint64_t len, off;
	enum image_op then;
};

static void check_plan(struct scsi_lu *lu, const struct plan_row *r, size_t i)
{
	static const uint8_t sizes[8] = {6, 10, 10, 16, 16, 12, 16, 16};
	struct scsi_cmd c;
	uint32_t sense;

	memset(&c, 0xa5, sizeof(c));
	scsi_begin(lu, &c, r->cdb,
		   r->cdb_len ? r->cdb_len : sizes[r->cdb[0] >> 5]);
	sense = (uint32_t)c.sense.key << 16 | c.sense.asc;
	if (sense != r->sense || (c.status != 0) != (r->sense != 0))
		fail_msg("row %zu (%02x): sense %06x", i, r->cdb[0], sense);
	if (c.data != r->data || c.len != r->len)
		fail_msg("row %zu (%02x): data %d, %llu bytes", i, r->cdb[0],
			 c.data, (unsigned long long)c.len);
	if ((c.data == SCSI_DATA_READ || c.data == SCSI_DATA_WRITE) &&
	    c.off != r->off)
		fail_msg("row %zu: offset", i);
	if (c.then != r->then)
		fail_msg("row %zu (%02x): then %d", i, r->cdb[0], c.then);
}

#define IN SCSI_DATA_REPLY
#define RD SCSI_DATA_READ
#define WR SCSI_DATA_WRITE
#define PA SCSI_DATA_PARAM
#define CO SCSI_DATA_COMPARE

/* The disk has 4096 blocks: 0x1000. */
static const struct plan_row plans[] = {
	{.cdb = {0x00}},
	{.cdb = {0x00}, .cdb_len = 12}, /* longer is common */
	{.cdb = {0x00}, .cdb_len = 5, .sense = BAD_CDB},
	{.cdb = {0x28}, .cdb_len = 6, .sense = BAD_CDB},
	/* READ and WRITE */
	{{0x08, 0, 0, 2, 1}, 0, 0, RD, 512, 1024, 0},
	{{0x08, 0, 0, 0, 0}, 0, 0, RD, 256 * 512, 0, 0},
	{{0x08, 0x1f, 0xff, 0xff, 1}, .sense = BAD_LBA},
	{{0x0a, 0, 1, 0, 2}, 0, 0, WR, 1024, 256 * 512, 0},
	{{0x28, 0, 0, 0, 0x0f, 0xff, 0, 0, 1}, 0, 0, RD, 512, 4095 * 512, 0},
	{{0x28, 0, 0, 0, 0x0f, 0xff, 0, 0, 2}, .sense = BAD_LBA},
	{{0x28, 0, 0, 0, 0x10, 0, 0, 0, 0}, 0, 0, 0, 0, 0, 0},
	{{0x28, 0, 0, 0, 0x10, 1, 0, 0, 0}, .sense = BAD_LBA},
	{{0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0xff, 0xff}, .sense = BAD_LBA},
	{{0x28, 0x20, 0, 0, 0, 0, 0, 0, 1}, .sense = BAD_CDB}, /* RDPROTECT */
	{{0x28, 0x18, 0, 0, 0, 1, 0, 0, 1}, 0, 0, RD, 512, 512, 0},
	{{0x2a, 0, 0, 0, 0, 1, 0, 0, 1}, 0, 0, WR, 512, 512, 0},
	{{0x2a, 8, 0, 0, 0, 1, 0, 0, 1}, 0, 0, WR, 512, 512, IMAGE_SYNC},
	{{0x2a, 8, 0, 0, 0, 1, 0, 0, 0}, 0, 0, 0, 0, 0, 0},
	{{0x2a, 0, 0, 0, 0x10, 0, 0, 0, 1}, .sense = BAD_LBA},
	{{0xa8, 0, 0, 0, 0, 3, 0, 0, 0x0f, 0xfd},
	 0,
	 0,
	 RD,
	 4093 * 512,
	 1536,
	 0},
	{{0xa8, 0, 0, 0, 0, 3, 0xff, 0xff, 0xff, 0xff}, .sense = BAD_LBA},
	{{0xaa, 0, 0, 0, 0, 3, 0, 0, 0, 1}, 0, 0, WR, 512, 1536, 0},
	{{0x88, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 4},
	 0,
	 0,
	 RD,
	 2048,
	 4608,
	 0},
	{{0x88, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}, .sense = BAD_LBA},
	{{0x88, 0, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 2},
	 .sense = BAD_LBA},
	{{0x8a, 8, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 4},
	 0,
	 0,
	 WR,
	 2048,
	 4608,
	 IMAGE_SYNC},
	{{0x2e, 0, 0, 0, 0, 1, 0, 0, 1}, 0, 0, WR, 512, 512, IMAGE_SYNC},
	{{0xae, 2, 0, 0, 0, 1, 0, 0, 0, 1}, 0, 0, WR, 512, 512, IMAGE_SYNC},
	{{0x8e, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1},
	 0,
	 0,
	 WR,
	 512,
	 512,
	 IMAGE_SYNC},
	/* VERIFY */
	{{0x2f, 0, 0, 0, 0, 0, 0, 0x10, 0}, 0, 0, 0, 0, 0, 0},
	{{0x2f, 0, 0, 0, 0, 1, 0, 0x10, 0}, .sense = BAD_LBA},
	{{0x2f, 2, 0, 0, 0, 0, 0, 0, 2}, 0, 0, CO, 1024, 0, 0},
	{{0x2f, 4, 0, 0, 0, 0, 0, 0, 2}, .sense = BAD_CDB},
	{{0x2f, 6, 0, 0, 0, 0, 0, 0, 2}, .sense = BAD_CDB},
	{{0xaf, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 0, 0, 0, 0, 0, 0},
	{{0x8f, 2, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1}, 0, 0, CO, 512, 512, 0},
	/* flushes */
	{{0x35}, 0, 0, 0, 0, 0, IMAGE_SYNC},
	{{0x35, 2, 0, 0, 0, 8, 0, 0, 8}, 0, 0, 0, 0, 0, IMAGE_SYNC},
	{{0x35, 0, 0, 0, 0x10, 1}, .sense = BAD_LBA},
	{{0x91}, 0, 0, 0, 0, 0, IMAGE_SYNC},
	{{0x91, 0, 1}, .sense = BAD_LBA},
	{{0x1b, 0, 0, 0, 1}, 0, 0, 0, 0, 0, 0},
	{{0x1b, 0, 0, 0, 0}, 0, 0, 0, 0, 0, IMAGE_SYNC},
	{{0x1b, 0, 0, 0, 2}, 0, 0, 0, 0, 0, IMAGE_SYNC},
	/* what it says of itself */
	{{0x12, 0, 0, 0, 36}, 0, 0, IN, 36, 0, 0},
	{{0x12, 0, 0, 0, 5}, 0, 0, IN, 5, 0, 0},
	{{0x12, 0, 0, 1, 0}, 0, 0, IN, 36, 0, 0},
	{{0x12, 0, 0, 0, 0}, 0, 0, 0, 0, 0, 0},
	{{0x12, 0, 0x80, 0, 36}, .sense = BAD_CDB}, /* a page without EVPD */
	{{0x12, 2, 0, 0, 36}, .sense = BAD_CDB},
	{{0x12, 1, 0x00, 0, 255}, 0, 0, IN, 10, 0, 0},
	{{0x12, 1, 0x80, 0, 255}, 0, 0, IN, 20, 0, 0},
	{{0x12, 1, 0x83, 0, 255}, 0, 0, IN, 44, 0, 0},
	{{0x12, 1, 0xb0, 0, 255}, 0, 0, IN, 64, 0, 0},
	{{0x12, 1, 0xb1, 0, 255}, 0, 0, IN, 64, 0, 0},
	{{0x12, 1, 0xb2, 0, 255}, 0, 0, IN, 8, 0, 0},
	{{0x12, 1, 0x86, 0, 255}, .sense = BAD_CDB},
	{{0x03, 0, 0, 0, 18}, 0, 0, IN, 18, 0, 0},
	{{0x03, 0, 0, 0, 252}, 0, 0, IN, 18, 0, 0},
	{{0x03, 0, 0, 0, 4}, 0, 0, IN, 4, 0, 0},
	{{0x03, 1, 0, 0, 252}, 0, 0, IN, 8, 0, 0},
	{{0x25}, 0, 0, IN, 8, 0, 0},
	{{0x25, 0, 0, 0, 0, 1}, .sense = BAD_CDB},
	{{0x25, 0, 0, 0, 0, 1, 0, 0, 1}, 0, 0, IN, 8, 0, 0},
	{{0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32}, 0, 0, IN, 32, 0, 0},
	{{0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12}, 0, 0, IN, 12, 0, 0},
	{{0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 32}, .sense = BAD_CDB},
	{{0x9e, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32}, .sense = BAD_CDB},
	{{0x23, 0, 0, 0, 0, 0, 0, 0, 252}, 0, 0, IN, 12, 0, 0},
	{{0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16}, 0, 0, IN, 16, 0, 0},
	{{0xa0, 0, 1, 0, 0, 0, 0, 0, 0, 16}, 0, 0, IN, 8, 0, 0},
	{{0xa0, 0, 3, 0, 0, 0, 0, 0, 0, 16}, .sense = BAD_CDB},
	{{0x1d, 4}, 0, 0, 0, 0, 0, 0}, /* self-test */
	{{0x1d, 0x20}, .sense = BAD_CDB},
	{{0x1d, 0, 0, 0, 1}, .sense = BAD_CDB},
	{{0x1e, 0, 0, 0, 1}, 0, 0, 0, 0, 0, 0},
	/* mode pages */
	{{0x1a, 0, 0x3f, 0, 192}, 0, 0, IN, 60, 0, 0},
	{{0x1a, 0, 0x3f, 0xff, 192}, 0, 0, IN, 60, 0, 0},
	{{0x1a, 0, 0x08, 0, 192}, 0, 0, IN, 24, 0, 0},
	{{0x1a, 0, 0x08, 0, 4}, 0, 0, IN, 4, 0, 0},
	{{0x1a, 8, 0x1c, 0, 192}, 0, 0, IN, 16, 0, 0},
	{{0x1a, 0, 0x0a, 1, 192}, .sense = BAD_CDB},
	{{0x1a, 0, 0x05, 0, 192}, .sense = BAD_CDB},
	{{0x1a, 0, 0xc8, 0, 192}, .sense = ILLEGAL(0x3900)},
	{{0x5a, 0, 0x3f, 0, 0, 0, 0, 1, 0}, 0, 0, IN, 64, 0, 0},
	{{0x15, 0x10, 0, 0, 24}, 0, 0, PA, 24, 0, 0},
	{{0x15, 0x10, 0, 0, 0}, 0, 0, 0, 0, 0, 0},
	{{0x15, 0x11, 0, 0, 24}, .sense = BAD_CDB}, /* SP */
	{{0x15, 0x10, 0, 0, 3}, .sense = BAD_LEN},
	{{0x55, 0x10, 0, 0, 0, 0, 0, 0, 28}, 0, 0, PA, 28, 0, 0},
	{{0x55, 0x10, 0, 0, 0, 0, 0, 0xff, 0xff}, .sense = BAD_LEN},
	{{0x55, 0x10, 0, 0, 0, 0, 0, 0, 7}, .sense = BAD_LEN},
	/* space given back */
	{{0x42, 0, 0, 0, 0, 0, 0, 0, 24}, 0, 0, PA, 24, 0, 0},
	{{0x42, 0, 0, 0, 0, 0, 0, 4, 8}, 0, 0, PA, 1032, 0, 0},
	{{0x42, 0, 0, 0, 0, 0, 0, 4, 24}, .sense = BAD_LEN},
	{{0x42, 0, 0, 0, 0, 0, 0, 0, 7}, .sense = BAD_LEN},
	{{0x42, 0, 0, 0, 0, 0, 0, 0, 0}, 0, 0, 0, 0, 0, 0},
	{{0x42, 1, 0, 0, 0, 0, 0, 0, 24}, .sense = BAD_CDB},
	{{0x93, 8, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 8}, 0, 0, PA, 512, 0, 0},
	{{0x93, 9, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 8},
	 0,
	 0,
	 0,
	 0,
	 0,
	 IMAGE_DISCARD},
	{{0x93, 1, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 8},
	 0,
	 0,
	 0,
	 0,
	 0,
	 IMAGE_FILL},
	{{0x93, 8, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0}, .sense = BAD_CDB},
	{{0x93, 8, 0, 0, 0, 0, 0, 0, 0, 8, 0, 1, 0, 1}, .sense = BAD_CDB},
	{{0x93, 8, 0, 0, 0, 0, 0, 0, 0x0f, 0xff, 0, 0, 0, 2}, .sense = BAD_LBA},
	{{0x93, 0x18, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 8}, .sense = BAD_CDB},
	{{0x41, 8, 0, 0, 0, 8, 0, 0, 8}, 0, 0, PA, 512, 0, 0},
	{{0x41, 9, 0, 0, 0, 8, 0, 0, 8}, .sense = BAD_CDB},
	/* others that guests try */
	{{0x04}, .sense = NO_OP},
	{{0x43}, .sense = NO_OP}, /* READ TOC */
	{{0x46}, .sense = NO_OP},
	{{0x4a}, .sense = NO_OP},
	{{0x4d}, .sense = NO_OP},
	{{0x51}, .sense = NO_OP},
	{{0x5e}, .sense = NO_OP},
	{{0x7f}, .sense = NO_OP},
	{{0x85}, .sense = NO_OP},
	{{0xa1}, .sense = NO_OP},
	{{0xa3, 0xc}, .sense = NO_OP},
	{{0xff}, .sense = NO_OP},
};

static void each_command_means_what_it_should(void **state)
{
	struct disk k;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, true);
	k.s->target.lu[0].img.can_discard = true;
	for (size_t i = 0; i < sizeof(plans) / sizeof(plans[0]); i++)
		check_plan(&k.s->target.lu[0], &plans[i], i);
	disk_close(&k);
}

static void a_read_only_disk_refuses_to_change(void **state)
{
	static const struct plan_row rows[] = {
		{{0x0a, 0, 0, 0, 1}, .sense = PROTECTED},
		{{0x2a, 0, 0, 0, 0, 0, 0, 0, 1}, .sense = PROTECTED},
		{{0x2e, 0, 0, 0, 0, 0, 0, 0, 1}, .sense = PROTECTED},
		{{0xaa, 0, 0, 0, 0, 0, 0, 0, 0, 1}, .sense = PROTECTED},
		{{0xae}, .sense = PROTECTED},
		{{0x8a}, .sense = PROTECTED},
		{{0x8e}, .sense = PROTECTED},
		{{0x41}, .sense = PROTECTED},
		{{0x93}, .sense = PROTECTED},
		{{0x42, 0, 0, 0, 0, 0, 0, 0, 24}, .sense = PROTECTED},
		{{0x28, 0, 0, 0, 0, 0, 0, 0, 1}, 0, 0, RD, 512, 0, 0},
		{{0x35}, 0, 0, 0, 0, 0, 0}, /* nothing to flush */
		{{0x1b}, 0, 0, 0, 0, 0, 0},
	};
	static const uint8_t sense6[6] = {0x1a, 0, 0x08, 0, 24};
	uint8_t b[24];
	struct disk k;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, true, true);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_plan(&k.s->target.lu[0], &rows[i], i);
	disk_command(&k, sense6, 6, true, b, 24, whole);
	assert_int_equal(b[2] & 0x80, 0x80);
	disk_close(&k);
}

static void a_disk_that_cannot_punch_holes_says_so(void **state)
{
	static const struct plan_row rows[] = {
		{{0x42, 0, 0, 0, 0, 0, 0, 0, 24}, .sense = NO_OP},
		{{0x93, 9, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 8},
		 0,
		 0,
		 0,
		 0,
		 0,
		 IMAGE_FILL},
	};
	static const uint8_t cap[16] = {0x9e, 0x10, [13] = 32};
	static const uint8_t b2[6] = {0x12, 1, 0xb2, 0, 8};
	uint8_t b[32];
	struct disk k;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, true);
	k.s->target.lu[0].img.can_discard = false;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_plan(&k.s->target.lu[0], &rows[i], i);
	disk_command(&k, cap, 16, true, b, 32, whole);
	assert_int_equal(b[14], 0);
	disk_command(&k, b2, 6, true, b, 8, whole);
	assert_int_equal(b[5] | b[6], 0);
	disk_close(&k);
}

static void answers_are_right_byte_for_byte(void **state)
{
	static const uint8_t inquiry[6] = {0x12, 0, 0, 0, 36};
	static const uint8_t page80[6] = {0x12, 1, 0x80, 0, 20};
	static const uint8_t page83[6] = {0x12, 1, 0x83, 0, 44};
	static const uint8_t caching[6] = {0x1a, 0, 0x08, 0, 24};
	static const uint8_t changeable[6] = {0x1a, 0, 0x48, 0, 24};
	static const uint8_t cap10[10] = {0x25};
	static const uint8_t cap16[16] = {0x9e, 0x10, [13] = 32};
	static const uint8_t formats[10] = {0x23, [8] = 12};
	static const uint8_t luns[12] = {0xa0, [9] = 16};
	uint8_t b[64];
	struct disk k;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, true);
	disk_command(&k, inquiry, 6, true, b, 36, whole);
	assert_memory_equal(b, "\0\0\5\2\37\0\0\0vxhci   storage         0.1 ",
			    36);
	disk_command(&k, page80, 6, true, b, 20, whole);
	assert_memory_equal(b, "\0\200\0\20", 4);
	assert_memory_equal(b + 4, k.s->target.lu[0].serial, 16);
	disk_command(&k, page83, 6, true, b, 44, whole);
	assert_memory_equal(b + 4, "\2\1\0\30vxhci   ", 12);
	assert_memory_equal(b + 32, "\1\3\0\10", 4);
	assert_int_equal(b[36] >> 4, 3); /* NAA, locally assigned */
	disk_command(&k, caching, 6, true, b, 24, whole);
	assert_memory_equal(b, "\27\0\20\0\10\22\4\0", 8);
	disk_command(&k, changeable, 6, true, b, 24, whole);
	assert_memory_equal(b + 4, "\10\22\4\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	disk_command(&k, cap10, 10, true, b, 8, whole);
	assert_memory_equal(b, "\0\0\17\377\0\0\2\0", 8);
	disk_command(&k, cap16, 16, true, b, 32, whole);
	assert_memory_equal(b, "\0\0\0\0\0\0\17\377\0\0\2\0\0\0", 14);
	disk_command(&k, formats, 10, true, b, 12, whole);
	assert_memory_equal(b, "\0\0\0\10\0\0\20\0\2\0\2\0", 12);
	disk_command(&k, luns, 12, true, b, 16, whole);
	assert_memory_equal(b, "\0\0\0\10\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	disk_close(&k);
}

/* More blocks than 32 bits can count: ask with READ CAPACITY(16). */
static void a_huge_disk_is_told_in_64_bits(void **state)
{
	static const uint8_t cap10[10] = {0x25};
	static const uint8_t cap16[16] = {0x9e, 0x10, [13] = 32};
	static const struct plan_row row = {
		{0x88, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 1},
		0,
		0,
		RD,
		512,
		(UINT64_C(2) << 32 | 1) * 512,
		0};
	uint8_t b[32];
	struct disk k;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, true);
	k.s->target.lu[0].img.blocks = UINT64_C(3) << 32;
	disk_command(&k, cap10, 10, true, b, 8, whole);
	assert_int_equal(get_be32(b), UINT32_MAX);
	disk_command(&k, cap16, 16, true, b, 32, whole);
	assert_true(get_be64(b) == (UINT64_C(3) << 32) - 1);
	check_plan(&k.s->target.lu[0], &row, 0);
	disk_close(&k);
}

/* Any CDB at all: a plan that stays inside the disk, or an error. */
static void no_cdb_reaches_outside_of_the_disk(void **state)
{
	uint32_t seed = 7;
	struct disk k;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, true);
	for (unsigned i = 0; i < 300000; i++) {
		struct scsi_cmd c;
		uint8_t cdb[16];

		for (unsigned j = 0; j < 16; j++) {
			seed = seed * 1664525u + 1013904223u;
			cdb[j] = (uint8_t)(seed >> 24);
			if (j > 0 && (i & 1) && (seed & 0x10000))
				cdb[j] &= 0x0f;
			if (j > 1 && j < 8 && (i & 2))
				cdb[j] = 0;
		}
		scsi_begin(&k.s->target.lu[0], &c, cdb, seed % 16 + 1);
		if (c.status != 0) {
			assert_int_equal(c.len, 0);
			continue;
		}
		assert_int_equal(c.len == 0, c.data == SCSI_DATA_NONE);
		if (c.data == SCSI_DATA_REPLY || c.data == SCSI_DATA_PARAM)
			assert_true(c.len <= SCSI_BUF);
		else
			assert_true(c.off + c.len <= DISK_BLOCKS * 512);
		if (c.data == SCSI_DATA_PARAM) {
			for (unsigned j = 0; j < c.len; j++) {
				seed = seed * 1664525u + 1013904223u;
				c.buf[j] =
					seed >> 31 ? (uint8_t)(seed >> 20) : 0;
			}
			scsi_param(&k.s->target.lu[0], &c);
		}
		if (c.then != IMAGE_NONE) {
			struct image_job job;

			scsi_fill_job(&k.s->target.lu[0], &c, &job);
			for (unsigned j = 0; j < job.nranges; j++)
				assert_true(job.range[j].off +
						    job.range[j].len <=
					    DISK_BLOCKS * 512);
		}
	}
	disk_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_command_means_what_it_should),
		cmocka_unit_test(a_read_only_disk_refuses_to_change),
		cmocka_unit_test(a_disk_that_cannot_punch_holes_says_so),
		cmocka_unit_test(answers_are_right_byte_for_byte),
		cmocka_unit_test(a_huge_disk_is_told_in_64_bits),
		cmocka_unit_test(no_cdb_reaches_outside_of_the_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
