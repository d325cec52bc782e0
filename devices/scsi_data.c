/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scsi_data.c - what the disk says of itself: INQUIRY and its pages, sense
 * data, capacities. SPC-4 and SBC-3 section numbers.
 */
#include <string.h>

#include "devices/bytes.h"
#include "devices/scsi_cmds.h"

#define VENDOR "vxhci   "          /* 8 characters */
#define PRODUCT "storage         " /* 16 */
#define REVISION "0.1 "            /* 4 */
#define SERIAL_LEN 16u

/* SPC-4 §6.4.2. Not removable, as QEMU's, unless it was asked for. */
static void inquiry_standard(const struct scsi_lu *lu, struct scsi_cmd *c,
			     size_t alloc)
{
	uint8_t *b = c->buf;

	memset(b, 0, 36);
	b[1] = lu->removable ? 0x80 : 0;
	b[2] = 5; /* SPC-3, what guests see in QEMU's disks */
	b[3] = 2; /* response data format */
	b[4] = 36 - 5;
	memcpy(b + 8, VENDOR PRODUCT REVISION, 28);
	scsi_reply(c, 36, alloc);
}

/* §7.8.6: a T10 vendor id designator, and a locally assigned NAA one */
static size_t vpd_designators(const struct scsi_lu *lu, uint8_t *b)
{
	b[0] = 2; /* ASCII */
	b[1] = 1; /* T10 vendor id, of the logical unit */
	b[3] = 8 + SERIAL_LEN;
	memcpy(b + 4, VENDOR, 8);
	memcpy(b + 12, lu->serial, SERIAL_LEN);
	b += 12 + SERIAL_LEN;
	b[0] = 1; /* binary */
	b[1] = 3; /* NAA */
	b[3] = 8;
	put_be64(b + 4, UINT64_C(3) << 60 | (lu->id & (UINT64_MAX >> 4)));
	return 12 + SERIAL_LEN + 12;
}

/* SBC-3 §6.5.3 block limits */
static size_t vpd_block_limits(const struct scsi_lu *lu, uint8_t *b)
{
	b[0] = 1; /* WSNZ: a WRITE SAME says how much */
	if (lu->img.can_discard) {
		put_be32(b + 16, SCSI_UNMAP_MAX_BLOCKS);
		put_be32(b + 20, IMAGE_RANGES);
		put_be32(b + 24, 4096 / IMAGE_BLOCK); /* granularity */
	}
	put_be64(b + 32, SCSI_SAME_MAX_BLOCKS);
	return 60;
}

/* The page's data after its 4-byte header; 0: there is no such page. */
static size_t vpd_page(const struct scsi_lu *lu, uint8_t page, uint8_t *b)
{
	static const uint8_t pages[] = {0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2};

	switch (page) {
	case 0x00:
		memcpy(b, pages, sizeof(pages));
		return sizeof(pages);
	case 0x80:
		memcpy(b, lu->serial, SERIAL_LEN);
		return SERIAL_LEN;
	case 0x83:
		return vpd_designators(lu, b);
	case 0xb0:
		return vpd_block_limits(lu, b);
	case 0xb1: /* SBC-3 §6.5.2: not rotating */
		b[1] = 1;
		return 60;
	case 0xb2: /* §6.5.4: LBPU LBPWS LBPWS10 LBPRZ, thin */
		if (lu->img.can_discard) {
			b[1] = 0xe4;
			b[2] = 2;
		}
		return 4;
	default:
		return 0;
	}
}

static void inquiry_vpd(struct scsi_lu *lu, struct scsi_cmd *c, size_t alloc)
{
	size_t len;

	memset(c->buf, 0, 4 + 64);
	len = vpd_page(lu, c->cdb[2], c->buf + 4);
	if (len == 0) {
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD_CDB);
		return;
	}
	c->buf[1] = c->cdb[2];
	put_be16(c->buf + 2, (uint16_t)len);
	scsi_reply(c, 4 + len, alloc);
}

void scsi_inquiry(struct scsi_lu *lu, struct scsi_cmd *c)
{
	size_t alloc = get_be16(c->cdb + 3);
	bool evpd = c->cdb[1] & 1;

	if ((c->cdb[1] & 0x02) || (!evpd && c->cdb[2] != 0))
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD_CDB);
	else if (evpd)
		inquiry_vpd(lu, c, alloc);
	else
		inquiry_standard(lu, c, alloc);
}

/* SPC-4 §4.5.3: fixed format; an address that does not fit is not valid */
size_t scsi_put_sense(const struct scsi_sense *s, uint8_t *b)
{
	bool fits = s->info_valid && s->info <= UINT32_MAX;

	memset(b, 0, SCSI_SENSE_LEN);
	b[0] = fits ? 0xf0 : 0x70;
	b[2] = s->key;
	if (fits)
		put_be32(b + 3, (uint32_t)s->info);
	b[7] = SCSI_SENSE_LEN - 8;
	put_be16(b + 12, s->asc);
	return SCSI_SENSE_LEN;
}

/* §4.5.2: descriptor format, with an information descriptor if there is one */
static size_t sense_descriptor(const struct scsi_sense *s, uint8_t *b)
{
	memset(b, 0, 20);
	b[0] = 0x72;
	b[1] = s->key;
	put_be16(b + 2, s->asc);
	if (!s->info_valid)
		return 8;
	b[7] = 12;
	b[9] = 0x0a;
	b[10] = 0x80;
	put_be64(b + 12, s->info);
	return 20;
}

void scsi_request_sense(struct scsi_lu *lu, struct scsi_cmd *c)
{
	size_t len = (c->cdb[1] & 1) ? sense_descriptor(&lu->sense, c->buf)
				     : scsi_put_sense(&lu->sense, c->buf);

	scsi_reply(c, len, c->cdb[4]);
}

void scsi_read_capacity_10(struct scsi_lu *lu, struct scsi_cmd *c)
{
	uint64_t last = lu->img.blocks - 1;

	if (!(c->cdb[8] & 1) && get_be32(c->cdb + 2) != 0) {
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD_CDB);
		return;
	}
	put_be32(c->buf, last < UINT32_MAX ? (uint32_t)last : UINT32_MAX);
	put_be32(c->buf + 4, IMAGE_BLOCK);
	scsi_reply(c, 8, 8);
}

/* SERVICE ACTION IN(16): only READ CAPACITY(16), SBC-3 §5.16 */
void scsi_service_action_in(struct scsi_lu *lu, struct scsi_cmd *c)
{
	if ((c->cdb[1] & 0x1f) != 0x10 ||
	    (!(c->cdb[14] & 1) && get_be64(c->cdb + 2) != 0)) {
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD_CDB);
		return;
	}
	memset(c->buf, 0, 32);
	put_be64(c->buf, lu->img.blocks - 1);
	put_be32(c->buf + 8, IMAGE_BLOCK);
	if (lu->img.can_discard)
		c->buf[14] = 0xc0; /* LBPME LBPRZ */
	scsi_reply(c, 32, get_be32(c->cdb + 10));
}

/* MMC-6 §6.23: one descriptor, formatted media */
void scsi_read_format_capacities(struct scsi_lu *lu, struct scsi_cmd *c)
{
	uint64_t n = lu->img.blocks;

	memset(c->buf, 0, 12);
	c->buf[3] = 8;
	put_be32(c->buf + 4, n < UINT32_MAX ? (uint32_t)n : UINT32_MAX);
	put_be32(c->buf + 8, IMAGE_BLOCK);
	c->buf[8] = 2;
	scsi_reply(c, 12, get_be16(c->cdb + 7));
}

/* SPC-4 §6.33; there are no well known units (SELECT REPORT 01h). */
void scsi_report_luns(struct scsi_lu *lu, struct scsi_cmd *c)
{
	size_t n = c->cdb[2] == 1 ? 0 : lu->target->nluns;

	if (c->cdb[2] > 2) {
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD_CDB);
		return;
	}
	memset(c->buf, 0, 8 + 8 * n);
	put_be32(c->buf, (uint32_t)(8 * n));
	for (size_t i = 0; i < n; i++)
		c->buf[8 + 8 * i + 1] = (uint8_t)i;
	scsi_reply(c, 8 + 8 * n, get_be32(c->cdb + 6));
}
