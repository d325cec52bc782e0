/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * scsi_snap.c - a disk whose guest moves: the state of a unit and of a command
 * under way. Offsets and lengths are checked as scsi_begin() and scsi_param()
 * have them, for nobody looks at them again.
 */
#include "devices/bytes.h"
#include "devices/scsi_cmds.h"
#include "emu/snap.h"

#include <stdio.h>

static void snap_sense(struct snap *s, struct scsi_sense *sense)
{
	SNAP_MAX(s, sense->key, 15);
	SNAP(s, sense->asc);
	SNAP_BOOL(s, sense->info_valid);
	SNAP(s, sense->info);
}

void scsi_snap_lu(struct scsi_lu *lu, struct snap *s)
{
	bool medium = lu->img.fd >= 0;

	snap_same(s, lu->removable);
	snap_same(s, medium);
	if (medium) {
		snap_same(s, lu->img.blocks);
		snap_same(s, lu->img.readonly);
		snap_same(s, lu->img.can_discard);
	}
	SNAP_BOOL(s, lu->ejected);
	SNAP_BOOL(s, lu->prevented);
	snap_check(s, lu->removable || (!lu->ejected && !lu->prevented));
	SNAP(s, lu->attention);
	SNAP(s, lu->id); /* wherever the file is now */
	SNAP_BOOL(s, lu->wce);
	snap_sense(s, &lu->sense);
	if (s->reading)
		snprintf(lu->serial, sizeof(lu->serial), "%016llX",
			 (unsigned long long)lu->id);
}

static bool range_ok(const struct scsi_lu *lu, uint64_t off, uint64_t len)
{
	uint64_t size = lu->img.fd >= 0 ? lu->img.blocks * IMAGE_BLOCK : 0;

	return off <= size && len <= size - off;
}

static bool ranges_ok(const struct scsi_lu *lu, const struct scsi_cmd *c)
{
	for (size_t i = 0; i < c->then_len; i++) {
		const uint8_t *d = c->buf + 8 + 16 * i;
		uint64_t lba = get_be64(d);

		if (lba > lu->img.blocks ||
		    !range_ok(lu, lba * IMAGE_BLOCK,
			      (uint64_t)get_be32(d + 8) * IMAGE_BLOCK))
			return false;
	}
	return true;
}

static bool data_ok(const struct scsi_lu *lu, const struct scsi_cmd *c)
{
	switch (c->data) {
	case SCSI_DATA_NONE:
		return c->len == 0;
	case SCSI_DATA_REPLY:
		return c->len > 0 && c->len <= SCSI_BUF;
	case SCSI_DATA_PARAM:
		return c->len >= (c->cdb[0] == OP_UNMAP ? 8 : 1) &&
		       c->len <= SCSI_BUF;
	default:
		return c->len > 0 && range_ok(lu, c->off, c->len);
	}
}

/* The job behind the data, or behind the list that is still to come */
static bool then_ok(const struct scsi_lu *lu, const struct scsi_cmd *c)
{
	if (c->then > IMAGE_FILL ||
	    (c->then != IMAGE_NONE && c->then < IMAGE_SYNC))
		return false;
	if (c->then != IMAGE_NONE && (lu->img.fd < 0 || lu->img.readonly))
		return false;
	if (c->cdb[0] == OP_UNMAP)
		return c->then != IMAGE_FILL && c->then_len <= IMAGE_RANGES &&
		       (c->then != IMAGE_DISCARD || ranges_ok(lu, c));
	return range_ok(lu, c->then_off, c->then_len);
}

void scsi_snap_cmd(const struct scsi_lu *lu, struct scsi_cmd *c, struct snap *s)
{
	snap_bytes(s, c->cdb, sizeof(c->cdb));
	SNAP_MAX(s, c->data, SCSI_DATA_COMPARE);
	SNAP(s, c->len);
	SNAP(s, c->off);
	SNAP_MAX(s, c->then, IMAGE_FILL);
	SNAP(s, c->then_off);
	SNAP(s, c->then_len);
	SNAP(s, c->status);
	snap_sense(s, &c->sense);
	snap_bytes(s, c->buf, sizeof(c->buf));
	snap_check(s, data_ok(lu, c) && then_ok(lu, c));
	snap_check(s, c->data != SCSI_DATA_WRITE || !lu->img.readonly);
}
