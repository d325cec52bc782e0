/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uas_task.c - USB Attached SCSI: which command begins when, and the task
 * management functions that end it early; SAM-5 §7, §8.
 */
#include "devices/bytes.h"
#include "devices/uas.h"

struct uas_task *uas_find(struct uas *u, uint16_t tag)
{
	struct uas_task *t;
	unsigned i = 0;

	while ((t = uas_next_task(u, &i)) != NULL) {
		if (t->tag == tag && t->state != UAS_ABORTED)
			return t;
	}
	return NULL;
}

unsigned uas_count(struct uas *u, const struct scsi_lu *lu)
{
	struct uas_task *t;
	unsigned i = 0, n = 0;

	while ((t = uas_next_task(u, &i)) != NULL)
		n += t->is_command && t->state != UAS_ABORTED &&
		     (!lu || t->lu == lu);
	return n;
}

void uas_free(struct uas *u, struct uas_task *t)
{
	t->state = UAS_FREE;
	u->used &= ~(UINT64_C(1) << (t - u->task));
}

void uas_abort(struct uas *u, struct uas_task *t, enum usb_status status)
{
	if (t->state == UAS_ABORTED)
		return;
	uas_end_data(u, t);
	if (!t->job_running) {
		uas_free(u, t);
		return;
	}
	t->state = UAS_ABORTED;
	t->cur_end = status;
	u->target->stale++;
}

void uas_abort_all(struct uas *u, const struct scsi_lu *lu)
{
	struct uas_task *t;
	unsigned i = 0;

	while ((t = uas_next_task(u, &i)) != NULL) {
		if (t->is_command && (!lu || t->lu == lu))
			uas_abort(u, t, USB_OK);
	}
}

static uint8_t abort_task(struct uas *u, uint16_t tag)
{
	struct uas_task *t = uas_find(u, tag);

	if (t && t->is_command)
		uas_abort(u, t, USB_OK);
	return UAS_RC_COMPLETE;
}

/* A unit attention is told with the next command, and not by QUERY ASYNCHRONOUS
 * EVENT. */
uint8_t uas_manage(struct uas *u, struct scsi_lu *lu, const uint8_t *iu)
{
	uint16_t tag = get_be16(iu + 6);
	struct uas_task *t;

	switch (iu[4]) {
	case UAS_ABORT_TASK:
		return abort_task(u, tag);
	case UAS_ABORT_TASK_SET:
	case UAS_CLEAR_TASK_SET:
		uas_abort_all(u, lu);
		return UAS_RC_COMPLETE;
	case UAS_LOGICAL_UNIT_RESET:
		uas_abort_all(u, lu);
		scsi_reset(lu);
		return UAS_RC_COMPLETE;
	case UAS_I_T_NEXUS_RESET:
		uas_abort_all(u, NULL);
		for (unsigned i = 0; i < u->target->nluns; i++)
			scsi_reset(&u->target->lu[i]);
		return UAS_RC_COMPLETE;
	case UAS_QUERY_TASK:
		t = uas_find(u, tag);
		return t && t->is_command ? UAS_RC_SUCCEEDED : UAS_RC_COMPLETE;
	case UAS_QUERY_TASK_SET:
		return uas_count(u, lu) != 0 ? UAS_RC_SUCCEEDED
					     : UAS_RC_COMPLETE;
	case UAS_QUERY_ASYNC_EVENT:
		return UAS_RC_COMPLETE;
	case UAS_CLEAR_ACA: /* NACA is not supported */
	default:
		return UAS_RC_NOT_SUPPORTED;
	}
}

/*
 * SAM-5 §8.9: an ORDERED command begins when all older ones are done, and the
 * younger ones begin after it; HEAD OF QUEUE waits for nobody.
 */
static bool has_turn(struct uas *u, const struct uas_task *t)
{
	struct uas_task *o;
	unsigned i = 0;

	if (t->attribute == UAS_HEAD_OF_QUEUE)
		return true;
	while ((o = uas_next_task(u, &i)) != NULL) {
		if (!o->is_command || o->lu != t->lu || o->age >= t->age ||
		    o->state == UAS_ANSWER || o->state == UAS_ABORTED)
			continue;
		if (t->attribute == UAS_ORDERED || o->attribute == UAS_ORDERED)
			return false;
	}
	return true;
}

bool uas_step_waiting(struct uas *u, struct uas_task *t)
{
	if (u->target->stale != 0 || !has_turn(u, t))
		return false;
	scsi_begin(t->lu, &t->cmd, t->cdb, SCSI_CDB_MAX);
	t->is_response = false;
	t->in = scsi_is_in(&t->cmd);
	if (t->cmd.len == 0)
		t->state = UAS_FINISH;
	else
		t->state = u->streams ? UAS_DATA : UAS_READY;
	return true;
}

/* The pipe goes to the command that waits longest. */
static bool is_next(struct uas *u, const struct uas_task *t)
{
	struct uas_task *o;
	unsigned i = 0;

	while ((o = uas_next_task(u, &i)) != NULL) {
		if (o->state == UAS_READY && o->in == t->in && o->age < t->age)
			return false;
	}
	return true;
}

bool uas_step_ready(struct uas *u, struct uas_task *t)
{
	if (!u->owner[t->in] && is_next(u, t))
		u->owner[t->in] = t;
	if (u->owner[t->in] != t || !uas_send_ready(u, t))
		return false;
	t->state = UAS_DATA;
	return true;
}
