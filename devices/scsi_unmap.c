/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scsi_unmap.c - UNMAP and WRITE SAME, SBC-3 §5.28, §5.41, §5.43. Unmapped
 * blocks read as zeroes (LBPRZ).
 */
#include <string.h>

#include "devices/bytes.h"
#include "devices/scsi_cmds.h"

#define ANCHOR_BIT 0x10u /* of WRITE SAME */
#define UNMAP_BIT 0x08u
#define LBDATA_BITS 0x06u
#define NDOB_BIT 0x01u /* WRITE SAME(16) only: no data, zeroes */

void scsi_unmap(struct scsi_lu *lu, struct scsi_cmd *c)
{
	size_t len = get_be16(c->cdb + 7);

	if (!lu->img.can_discard)
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_INVALID_OPCODE);
	else if (c->cdb[1] & 1) /* ANCHOR */
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD_CDB);
	else if (len > SCSI_BUF || (len != 0 && len < 8))
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_PARAM_LIST_LENGTH);
	else if (len != 0) {
		c->data = SCSI_DATA_PARAM;
		c->len = len;
	}
}

/* then_len counts descriptors; they stay in buf until scsi_fill_job(). */
void scsi_unmap_param(struct scsi_lu *lu, struct scsi_cmd *c)
{
	size_t bytes = get_be16(c->buf + 2), n;
	uint64_t total = 0;

	if (bytes > c->len - 8)
		bytes = (size_t)c->len - 8;
	n = bytes / 16;
	for (size_t i = 0; i < n; i++) {
		const uint8_t *d = c->buf + 8 + 16 * i;

		if (!scsi_check_range(lu, c, get_be64(d), get_be32(d + 8)))
			return;
		total += get_be32(d + 8);
	}
	if (total > SCSI_UNMAP_MAX_BLOCKS) {
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD_PARAM);
		return;
	}
	if (total != 0)
		c->then = IMAGE_DISCARD;
	c->then_len = n;
}

void scsi_write_same(struct scsi_lu *lu, struct scsi_cmd *c)
{
	bool ten = c->cdb[0] == OP_WRITE_SAME_10;
	uint64_t lba = ten ? get_be32(c->cdb + 2) : get_be64(c->cdb + 2);
	uint64_t count = ten ? get_be16(c->cdb + 7) : get_be32(c->cdb + 10);
	uint8_t bad = 0xe0 | ANCHOR_BIT | LBDATA_BITS;

	if (ten)
		bad |= NDOB_BIT;
	if ((c->cdb[1] & bad) || count == 0 || count > SCSI_SAME_MAX_BLOCKS) {
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD_CDB);
		return;
	}
	if (!scsi_check_range(lu, c, lba, count))
		return;
	c->then_off = lba * IMAGE_BLOCK;
	c->then_len = count * IMAGE_BLOCK;
	if (c->cdb[1] & NDOB_BIT) {
		memset(c->buf, 0, IMAGE_BLOCK);
		scsi_write_same_param(lu, c);
		return;
	}
	c->data = SCSI_DATA_PARAM;
	c->len = IMAGE_BLOCK;
}

/* Only zeroes can be unmapped: other data is written, whatever UNMAP says. */
void scsi_write_same_param(struct scsi_lu *lu, struct scsi_cmd *c)
{
	bool zero = true;

	for (size_t i = 0; i < IMAGE_BLOCK && zero; i++)
		zero = c->buf[i] == 0;
	c->then = zero && (c->cdb[1] & UNMAP_BIT) && lu->img.can_discard
			  ? IMAGE_DISCARD
			  : IMAGE_FILL;
}

void scsi_fill_job(const struct scsi_lu *lu, const struct scsi_cmd *c,
		   struct image_job *job)
{
	image_job_init(job, &lu->img, c->then, 0);
	if (c->then == IMAGE_SYNC)
		return;
	job->sync = !lu->wce;
	if (c->cdb[0] != OP_UNMAP) {
		job->range[job->nranges++] = (struct image_range){
			.off = c->then_off, .len = c->then_len};
		memcpy(job->block, c->buf, IMAGE_BLOCK);
		return;
	}
	for (size_t i = 0; i < c->then_len && i < IMAGE_RANGES; i++) {
		const uint8_t *d = c->buf + 8 + 16 * i;

		job->range[job->nranges++] = (struct image_range){
			.off = get_be64(d) * IMAGE_BLOCK,
			.len = (uint64_t)get_be32(d + 8) * IMAGE_BLOCK};
	}
}
