/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uas_snap.c - USB Attached SCSI whose guest moves: the commands that wait, and
 * where those are that have begun. Transfers the host still holds out come
 * again there.
 */
#include "devices/uas.h"
#include "emu/snap.h"

#include <errno.h>

/* scsi_begin() has not seen it, or there is no answer of its own */
static bool has_command(const struct uas_task *t)
{
	return t->is_command && t->state != UAS_WAITING;
}

static void snap_command(struct uas *u, struct snap *s, struct uas_task *t)
{
	uint8_t lun = 0;

	if (!s->reading)
		lun = (uint8_t)(t->lu - u->target->lu);
	SNAP_MAX(s, lun, u->target->nluns - 1);
	if (s->err)
		return;
	t->lu = &u->target->lu[lun];
	snap_bytes(s, t->cdb, sizeof(t->cdb));
	SNAP_MAX(s, t->attribute, UAS_ORDERED);
	if (!has_command(t))
		return;
	SNAP_BOOL(s, t->in);
	SNAP(s, t->done);
	scsi_snap_cmd(t->lu, &t->cmd, s);
	/* a failure in the middle left data that is not moved any more */
	snap_check(s, t->state != UAS_DATA || t->done <= t->cmd.len);
	snap_check(s, t->cmd.len == 0 || scsi_is_in(&t->cmd) == t->in);
}

static void snap_task(struct uas *u, struct snap *s, struct uas_task *t)
{
	uint8_t *sense = &t->cmd.sense.key;

	SNAP_MAX(s, t->state, UAS_ANSWER);
	if (t->state == UAS_FREE || s->err)
		return;
	SNAP(s, t->tag);
	snap_check(s, t->tag != 0 && (!u->streams || t->tag <= UAS_STREAMS));
	SNAP(s, t->age);
	SNAP_BOOL(s, t->is_command);
	SNAP_BOOL(s, t->is_response);
	SNAP(s, t->response);
	SNAP_BOOL(s, t->settled);
	snap_check(s, t->is_command || t->state == UAS_ANSWER);
	snap_check(s, t->state != UAS_READY || !u->streams);
	if (t->is_command && !s->err) {
		snap_command(u, s, t);
		return;
	}
	/* an answer: its status, and why */
	SNAP(s, t->cmd.status);
	SNAP_MAX(s, *sense, 15);
	SNAP(s, t->cmd.sense.asc);
	if (s->reading) {
		t->cmd.sense.info_valid = t->in = false;
		t->cmd.len = t->done = 0;
	}
}

/* Whose a data pipe is where there are no streams */
static void snap_owner(struct uas *u, struct snap *s, bool in)
{
	struct uas_task *t = u->owner[in];
	uint8_t i = t ? (uint8_t)(t - u->task + 1) : 0;

	SNAP_MAX(s, i, u->streams ? 0 : UAS_TASKS);
	if (!s->reading || s->err)
		return;
	t = i != 0 ? &u->task[i - 1] : NULL;
	snap_check(s, !t || (has_command(t) && t->in == in &&
			     t->state != UAS_FREE));
	u->owner[in] = s->err ? NULL : t;
}

void uas_snap(struct uas *u, struct snap *s)
{
	unsigned ncommands = 0;

	if (u->jobs != 0) {
		s->err = s->err ? s->err : -EBUSY;
		return;
	}
	SNAP(s, u->next_age);
	if (s->reading)
		u->used = 0;
	for (unsigned i = 0; i < UAS_TASKS && !s->err; i++) {
		struct uas_task *t = &u->task[i];

		snap_task(u, s, t);
		snap_check(s, t->state == UAS_FREE || t->age < u->next_age);
		if (s->reading && t->state != UAS_FREE)
			u->used |= UINT64_C(1) << i;
		ncommands += t->state != UAS_FREE && t->is_command;
	}
	snap_check(s, ncommands <= UAS_COMMANDS);
	snap_owner(u, s, false);
	snap_owner(u, s, true);
	/* what waits for the pipe, or has it */
	for (unsigned i = 0; i < UAS_TASKS && !u->streams; i++)
		snap_check(s, u->task[i].state != UAS_DATA ||
				      u->owner[u->task[i].in] == &u->task[i]);
	if (s->reading && s->err)
		u->used = 0;
}
