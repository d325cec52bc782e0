/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scsi_mode.c - mode pages, SPC-4 §7.5 and SBC-3 §6.4. The one thing a guest
 * can change is the write cache (WCE); with it off each write is followed by a
 * flush.
 */
#include <string.h>

#include "devices/bytes.h"
#include "devices/scsi_cmds.h"

#define PAGE_CACHING 0x08u
#define PAGE_ALL 0x3fu
#define WCE_BIT 0x04u
#define WP_BIT 0x80u
#define DPOFUA_BIT 0x10u

/* The current values; WCE is put in where a page is used. Ascending order. */
static const struct mode_page {
	uint8_t len; /* all of it, header included */
	uint8_t bytes[20];
} pages[] = {
	{12, {0x01, 10, 0xc0}},       /* AWRE ARRE: errors are ours */
	{20, {PAGE_CACHING, 18}},     /* nothing but WCE */
	{12, {0x0a, 10, 0x02, 0x10}}, /* control: GLTSD, reordering */
	{12, {0x1c, 10, 0x08}},       /* exceptions: DEXCPT, none told */
};
#define NPAGES (sizeof(pages) / sizeof(pages[0]))

enum page_control { PC_CURRENT, PC_CHANGEABLE, PC_DEFAULT, PC_SAVED };

static size_t put_page(const struct scsi_lu *lu, const struct mode_page *p,
		       enum page_control pc, uint8_t *b)
{
	memset(b, 0, p->len);
	memcpy(b, p->bytes, pc == PC_CHANGEABLE ? 2 : p->len);
	if (p->bytes[0] == PAGE_CACHING && (pc != PC_CURRENT || lu->wce))
		b[2] |= WCE_BIT;
	return p->len;
}

/* No block descriptors: SPC-4 leaves that to the device. */
void scsi_mode_sense(struct scsi_lu *lu, struct scsi_cmd *c)
{
	bool ten = c->cdb[0] == OP_MODE_SENSE_10;
	size_t head = ten ? 8 : 4, len = head;
	enum page_control pc = (enum page_control)(c->cdb[2] >> 6);
	uint8_t want = c->cdb[2] & 0x3f, sub = c->cdb[3], *b = c->buf;
	uint8_t special = DPOFUA_BIT | (lu->img.readonly ? WP_BIT : 0);

	if (pc == PC_SAVED) {
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_SAVING_NOT_SUPPORTED);
		return;
	}
	memset(b, 0, head);
	if (sub == 0 || (sub == 0xff && want == PAGE_ALL)) {
		for (size_t i = 0; i < NPAGES; i++) {
			if (want == PAGE_ALL || want == pages[i].bytes[0])
				len += put_page(lu, &pages[i], pc, b + len);
		}
	}
	if (len == head) {
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD_CDB);
		return;
	}
	if (ten) {
		put_be16(b, (uint16_t)(len - 2));
		b[3] = special;
	} else {
		b[0] = (uint8_t)(len - 1);
		b[2] = special;
	}
	scsi_reply(c, len, ten ? get_be16(c->cdb + 7) : c->cdb[4]);
}

void scsi_mode_select(struct scsi_lu *lu, struct scsi_cmd *c)
{
	bool ten = c->cdb[0] == OP_MODE_SELECT_10;
	size_t len = ten ? get_be16(c->cdb + 7) : c->cdb[4];

	(void)lu;
	if (c->cdb[1] & 1) /* SP: there is nowhere to save pages */
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD_CDB);
	else if (len > SCSI_BUF || (len != 0 && len < (ten ? 8u : 4u)))
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_PARAM_LIST_LENGTH);
	else if (len != 0) {
		c->data = SCSI_DATA_PARAM;
		c->len = len;
	}
}

/*
 * Check one page of the list against what there is: only bits that are
 * changeable may differ. Returns its length, or 0 where it is wrong.
 */
static size_t check_page(const struct scsi_lu *lu, const uint8_t *b,
			 size_t left, bool *wce)
{
	uint8_t now[20];

	for (size_t i = 0; i < NPAGES && left >= 2; i++) {
		size_t len = pages[i].len;

		if (pages[i].bytes[0] != (b[0] & 0x7f))
			continue;
		if (left < len || b[1] != len - 2)
			return 0;
		put_page(lu, &pages[i], PC_CURRENT, now);
		if (pages[i].bytes[0] == PAGE_CACHING) {
			*wce = b[2] & WCE_BIT;
			now[2] = (uint8_t)((now[2] & ~WCE_BIT) |
					   (b[2] & WCE_BIT));
		}
		return memcmp(b + 2, now + 2, len - 2) == 0 ? len : 0;
	}
	return 0;
}

/* All pages are checked before any is taken, SPC-4 §6.11. */
void scsi_mode_param(struct scsi_lu *lu, struct scsi_cmd *c)
{
	bool ten = c->cdb[0] == OP_MODE_SELECT_10, wce = lu->wce;
	const uint8_t *b = c->buf;
	size_t total = (size_t)c->len;
	size_t pos = ten ? 8u + get_be16(b + 6) : 4u + b[3];

	if (pos > total) {
		scsi_fail(c, SENSE_ILLEGAL_REQUEST, ASC_PARAM_LIST_LENGTH);
		return;
	}
	while (pos < total) {
		size_t n = check_page(lu, b + pos, total - pos, &wce);

		if (n == 0) {
			scsi_fail(c, SENSE_ILLEGAL_REQUEST,
				  ASC_INVALID_FIELD_PARAM);
			return;
		}
		pos += n;
	}
	if (lu->wce && !wce && !lu->img.readonly)
		c->then = IMAGE_SYNC; /* what the cache holds goes out */
	lu->wce = wce;
}
