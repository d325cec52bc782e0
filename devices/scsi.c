/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scsi.c - the SCSI disk: the table of commands, and those that move blocks.
 *
 * There is a unit attention when the medium has changed, and none after a reset:
 * firmware that asks TEST UNIT READY once takes it for a disk that is not there.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/bytes.h"
#include "devices/scsi_cmds.h"

#define PROTECT_MASK 0xe0u /* RDPROTECT and friends: no protection here */
#define FUA_BIT 0x08u
#define BYTCHK_MASK 0x06u
#define START_BIT 0x01u
#define LOEJ_BIT 0x02u
#define PREVENT_BIT 0x01u

void scsi_fail(struct scsi_cmd *c, uint8_t key, uint16_t asc)
{
	c->status = SCSI_CHECK_CONDITION;
	c->sense = (struct scsi_sense){.key = key, .asc = asc};
	c->data = SCSI_DATA_NONE;
	c->len = 0;
	c->then = IMAGE_NONE;
}

void scsi_reply(struct scsi_cmd *c, size_t len, size_t alloc)
{
	c->len = len < alloc ? len : alloc;
	c->data = c->len ? SCSI_DATA_REPLY : SCSI_DATA_NONE;
}

bool scsi_check_range(const struct scsi_lu *lu, struct scsi_cmd *c,
		      uint64_t lba, uint64_t count)
{
	if (lba <= lu->img.blocks && count <= lu->img.blocks - lba)
		return true;
	scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE);
	c->sense.info_valid = true;
	c->sense.info = lba > lu->img.blocks ? lba : lu->img.blocks;
	return false;
}

/* Address and number of blocks by CDB size, which the opcode's group gives. */
static void get_range(const uint8_t *cdb, uint64_t *lba, uint64_t *count)
{
	switch (cdb[0] >> 5) {
	case 0:
		*lba = get_be32(cdb) & 0x1fffff;
		*count = cdb[4] ? cdb[4] : 256;
		break;
	case 4:
		*lba = get_be64(cdb + 2);
		*count = get_be32(cdb + 10);
		break;
	case 5:
		*lba = get_be32(cdb + 2);
		*count = get_be32(cdb + 6);
		break;
	default:
		*lba = get_be32(cdb + 2);
		*count = get_be16(cdb + 7);
		break;
	}
}

static bool begin_blocks(struct scsi_lu *lu, struct scsi_cmd *c,
			 enum scsi_data data)
{
	uint64_t lba, count;

	if (c->cdb[0] >> 5 != 0 && (c->cdb[1] & PROTECT_MASK)) {
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD_CDB);
		return false;
	}
	get_range(c->cdb, &lba, &count);
	if (!scsi_check_range(lu, c, lba, count))
		return false;
	c->off = lba * IMAGE_BLOCK;
	c->len = count * IMAGE_BLOCK;
	c->data = c->len ? data : SCSI_DATA_NONE;
	return true;
}

/* FUA of a read asks for what is on the medium: the cache is the medium's. */
static void begin_read(struct scsi_lu *lu, struct scsi_cmd *c)
{
	begin_blocks(lu, c, SCSI_DATA_READ);
}

static void begin_write(struct scsi_lu *lu, struct scsi_cmd *c)
{
	bool fua = c->cdb[0] >> 5 != 0 && (c->cdb[1] & FUA_BIT);

	if (begin_blocks(lu, c, SCSI_DATA_WRITE) && c->len && (fua || !lu->wce))
		c->then = IMAGE_SYNC;
}

/* What is verified after the write is that it is on stable storage. */
static void begin_write_verify(struct scsi_lu *lu, struct scsi_cmd *c)
{
	if (begin_blocks(lu, c, SCSI_DATA_WRITE) && c->len)
		c->then = IMAGE_SYNC;
}

/* BYTCHK 00b: blocks exist, which is all there is to verify; 01b: compare. */
static void begin_verify(struct scsi_lu *lu, struct scsi_cmd *c)
{
	unsigned bytchk = (c->cdb[1] & BYTCHK_MASK) >> 1;

	if (bytchk > 1) {
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD_CDB);
		return;
	}
	if (!begin_blocks(lu, c, SCSI_DATA_COMPARE) || bytchk == 1)
		return;
	c->data = SCSI_DATA_NONE;
	c->len = 0;
}

static void begin_sync(struct scsi_lu *lu, struct scsi_cmd *c)
{
	uint64_t lba, count;

	get_range(c->cdb, &lba, &count);
	if (scsi_check_range(lu, c, lba, count) && !lu->img.readonly)
		c->then = IMAGE_SYNC;
}

/* LOEJ: the medium goes out, or in again if it is still in the slot. */
static void eject(struct scsi_lu *lu, struct scsi_cmd *c, bool load)
{
	if (!load && lu->prevented) {
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED);
		return;
	}
	if (load && lu->ejected)
		lu->attention = ASC_MEDIUM_CHANGED;
	lu->ejected = !load;
}

/*
 * The disk cannot be stopped: it stays ready, so that a guest which starts
 * again without a reset finds it. Stopping does flush (SBC-3 §5.24).
 */
static void begin_start_stop(struct scsi_lu *lu, struct scsi_cmd *c)
{
	bool start = c->cdb[4] & START_BIT;

	if (!start && !lu->img.readonly && lu->img.fd >= 0)
		c->then = IMAGE_SYNC;
	if (lu->removable && (c->cdb[4] & LOEJ_BIT))
		eject(lu, c, start);
}

/* PREVENT ALLOW MEDIUM REMOVAL, SPC-4 §6.18 */
static void begin_prevent(struct scsi_lu *lu, struct scsi_cmd *c)
{
	lu->prevented = lu->removable && (c->cdb[4] & PREVENT_BIT);
}

static void begin_nothing(struct scsi_lu *lu, struct scsi_cmd *c)
{
	(void)lu;
	(void)c;
}

/* SPC-4 §6.42: the default self-test is the only one there is. */
static void begin_send_diagnostic(struct scsi_lu *lu, struct scsi_cmd *c)
{
	(void)lu;
	if ((c->cdb[1] & 0xe0) || get_be16(c->cdb + 3) != 0)
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD_CDB);
}

/* A row a command; the size of a CDB follows from the operation code. */
static const struct scsi_rule {
	uint8_t op;
	bool writes; /* refused where the image is read-only */
	void (*begin)(struct scsi_lu *lu, struct scsi_cmd *c);
} rules[] = {
	{0x00, false, begin_nothing}, /* TEST UNIT READY */
	{OP_REQUEST_SENSE, false, scsi_request_sense},
	{0x08, false, begin_read}, /* READ(6) */
	{0x0a, true, begin_write}, /* WRITE(6) */
	{OP_INQUIRY, false, scsi_inquiry},
	{OP_MODE_SELECT_6, false, scsi_mode_select},
	{OP_MODE_SENSE_6, false, scsi_mode_sense},
	{OP_START_STOP, false, begin_start_stop},
	{0x1d, false, begin_send_diagnostic},
	{OP_PREVENT, false, begin_prevent},
	{0x23, false, scsi_read_format_capacities},
	{0x25, false, scsi_read_capacity_10},
	{0x28, false, begin_read},        /* READ(10) */
	{0x2a, true, begin_write},        /* WRITE(10) */
	{0x2e, true, begin_write_verify}, /* WRITE AND VERIFY(10) */
	{0x2f, false, begin_verify},      /* VERIFY(10) */
	{0x35, false, begin_sync},        /* SYNCHRONIZE CACHE(10) */
	{OP_WRITE_SAME_10, true, scsi_write_same},
	{OP_UNMAP, true, scsi_unmap},
	{OP_MODE_SELECT_10, false, scsi_mode_select},
	{OP_MODE_SENSE_10, false, scsi_mode_sense},
	{0x88, false, begin_read},        /* READ(16) */
	{0x8a, true, begin_write},        /* WRITE(16) */
	{0x8e, true, begin_write_verify}, /* WRITE AND VERIFY(16) */
	{0x8f, false, begin_verify},      /* VERIFY(16) */
	{0x91, false, begin_sync},        /* SYNCHRONIZE CACHE(16) */
	{OP_WRITE_SAME_16, true, scsi_write_same},
	{0x9e, false, scsi_service_action_in},
	{OP_REPORT_LUNS, false, scsi_report_luns},
	{0xa8, false, begin_read},        /* READ(12) */
	{0xaa, true, begin_write},        /* WRITE(12) */
	{0xae, true, begin_write_verify}, /* WRITE AND VERIFY(12) */
	{0xaf, false, begin_verify},      /* VERIFY(12) */
};

static const struct scsi_rule *find_rule(uint8_t op)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		if (rules[i].op == op)
			return &rules[i];
	}
	return NULL;
}

/* Commands that are about the unit, not the medium */
static bool needs_medium(uint8_t op)
{
	static const uint8_t others[] = {
		OP_REQUEST_SENSE,  OP_INQUIRY,       OP_MODE_SELECT_6,
		OP_MODE_SENSE_6,   OP_START_STOP,    OP_PREVENT,
		OP_MODE_SELECT_10, OP_MODE_SENSE_10, OP_REPORT_LUNS};

	return memchr(others, op, sizeof(others)) == NULL;
}

/*
 * SAM-5 §5.14: a unit attention is told once, with the first command that is
 * not to find out who is there. False: @c has failed with it.
 */
static bool tell_attention(struct scsi_lu *lu, struct scsi_cmd *c, uint8_t op)
{
	uint16_t asc = lu->attention;

	if (asc == 0 || op == OP_INQUIRY || op == OP_REPORT_LUNS)
		return true;
	lu->attention = 0;
	if (op == OP_REQUEST_SENSE) {
		lu->sense = (struct scsi_sense){.key = SENSE_UNIT_ATTENTION,
						.asc = asc};
		return true;
	}
	scsi_fail(c, SENSE_UNIT_ATTENTION, asc);
	return false;
}

/*
 * @len may be more than the command has: hosts that always say 10, 12 or 16
 * are common. Less is an error.
 */
void scsi_begin(struct scsi_lu *lu, struct scsi_cmd *c, const uint8_t *cdb,
		size_t len)
{
	static const uint8_t sizes[8] = {6, 10, 10, 16, 16, 12, 16, 16};
	const struct scsi_rule *rule = find_rule(cdb[0]);

	memset(c->cdb, 0, sizeof(c->cdb));
	memcpy(c->cdb, cdb, len < SCSI_CDB_MAX ? len : SCSI_CDB_MAX);
	c->status = SCSI_GOOD;
	c->sense = (struct scsi_sense){.key = SENSE_NONE};
	c->data = SCSI_DATA_NONE;
	c->len = c->off = 0;
	c->then = IMAGE_NONE;
	c->then_off = c->then_len = 0;
	if (!rule)
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_INVALID_OPCODE);
	else if (len < sizes[cdb[0] >> 5])
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD_CDB);
	else if (!tell_attention(lu, c, cdb[0]))
		return;
	else if (needs_medium(cdb[0]) && !scsi_has_medium(lu))
		scsi_fail(c, SENSE_NOT_READY, ASC_NO_MEDIUM);
	else if (rule->writes && lu->img.readonly)
		scsi_fail(c, SENSE_DATA_PROTECT, ASC_WRITE_PROTECTED);
	else
		rule->begin(lu, c);
}

void scsi_param(struct scsi_lu *lu, struct scsi_cmd *c)
{
	switch (c->cdb[0]) {
	case OP_MODE_SELECT_6:
	case OP_MODE_SELECT_10:
		scsi_mode_param(lu, c);
		break;
	case OP_UNMAP:
		scsi_unmap_param(lu, c);
		break;
	default:
		scsi_write_same_param(lu, c);
		break;
	}
}

void scsi_io_failed(struct scsi_cmd *c, enum image_op op, int error,
		    uint64_t off)
{
	bool reads = op == IMAGE_READ || op == IMAGE_COMPARE;

	if (error == -EILSEQ)
		scsi_fail(c, SENSE_MISCOMPARE, ASC_MISCOMPARE);
	else if (error == -EAGAIN || error == -ENOMEM)
		scsi_fail(c, SENSE_ABORTED_COMMAND, 0);
	else if (error == -ENOSPC || error == -EDQUOT || error == -EFBIG)
		scsi_fail(c, SENSE_DATA_PROTECT, ASC_SPACE_ALLOC_FAILED);
	else
		scsi_fail(c, SENSE_MEDIUM_ERROR,
			  reads ? ASC_UNRECOVERED_READ : ASC_WRITE_ERROR);
	if (reads || op == IMAGE_WRITE) {
		c->sense.info_valid = true;
		c->sense.info = off / IMAGE_BLOCK;
	}
}

/* REQUEST SENSE leaves no sense behind it: its own is empty. */
void scsi_end(struct scsi_lu *lu, const struct scsi_cmd *c)
{
	lu->sense = c->sense;
}

/* FNV-1a over the full path: only a name, nothing depends on its quality. */
static uint64_t hash_path(const char *path)
{
	char full[PATH_MAX];
	const char *p = realpath(path, full) ? full : path;
	uint64_t h = 0xcbf29ce484222325u;

	while (*p)
		h = (h ^ (uint8_t)*p++) * 0x100000001b3u;
	return h;
}

int scsi_open(const char *path, bool readonly, struct scsi_lu *ret_lu,
	      char *err, size_t errlen)
{
	struct scsi_lu lu = {.wce = true};
	int rc = image_open(path, readonly, &lu.img, err, errlen);

	if (rc != 0)
		return rc;
	lu.id = hash_path(path);
	snprintf(lu.serial, sizeof(lu.serial), "%016llX",
		 (unsigned long long)lu.id);
	*ret_lu = lu;
	return 0;
}

void scsi_close(struct scsi_lu *lu)
{
	if (lu->img.fd >= 0)
		image_close(&lu->img);
}

bool scsi_has_medium(const struct scsi_lu *lu)
{
	return lu->img.fd >= 0 && !lu->ejected;
}

void scsi_change(struct scsi_lu *lu, const struct image *img,
		 struct image *ret_old)
{
	*ret_old = lu->img;
	lu->img = img ? *img : (struct image){.fd = -1};
	lu->ejected = lu->prevented = false;
	lu->attention = img ? ASC_MEDIUM_CHANGED : 0;
}

void scsi_reset(struct scsi_lu *lu)
{
	lu->sense = (struct scsi_sense){.key = SENSE_NONE};
	lu->wce = true;
	lu->prevented = false;
}

void scsi_job_settled(struct scsi_target *target)
{
	target->stale--;
	if (target->stale == 0 && target->settled)
		target->settled(target);
}
