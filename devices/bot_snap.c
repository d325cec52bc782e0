/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bot_snap.c - Bulk-Only Transport whose guest moves: where the command is.
 * Transfers the host still holds out come again there.
 */
#include "devices/bot.h"
#include "emu/snap.h"

#include <errno.h>

void bot_snap(struct bot *b, struct snap *s)
{
	uint8_t lun = (uint8_t)(b->lu - b->target->lu);

	if (b->job_running || b->cur) {
		s->err = s->err ? s->err : -EBUSY;
		return;
	}
	SNAP_MAX(s, b->state, BOT_INVALID);
	SNAP_MAX(s, lun, b->target->nluns - 1);
	SNAP(s, b->tag);
	SNAP_BOOL(s, b->host_in);
	SNAP_BOOL(s, b->phase_error);
	SNAP(s, b->host_left);
	SNAP_MAX(s, b->dev_left, b->host_left);
	SNAP(s, b->residue);
	SNAP(s, b->cmd_done);
	if (s->reading && !s->err)
		b->lu = &b->target->lu[lun];
	if (b->state == BOT_COMMAND || b->state == BOT_INVALID || s->err)
		return;
	scsi_snap_cmd(b->lu, &b->cmd, s);
	/* of a command that failed in the middle nothing is left */
	snap_check(s, b->dev_left == 0 ||
			      (b->cmd_done <= b->cmd.len &&
			       b->dev_left <= b->cmd.len - b->cmd_done));
	snap_check(s, b->dev_left == 0 || scsi_is_in(&b->cmd) == b->host_in);
	snap_check(s, b->state == BOT_DATA || b->host_left == 0);
}
