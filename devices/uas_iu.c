/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uas_iu.c - USB Attached SCSI: information units, as they come and as they
 * go, UAS-2 §6.2.
 *
 * An IU that is wrong is answered with a RESPONSE IU. Where there is no tag to
 * answer to, the command pipe halts: better seen than waited for.
 */
#include <string.h>

#include "devices/bytes.h"
#include "devices/uas.h"

#define IU_MAX (UAS_COMMAND_LEN + 252u) /* with all additional CDB bytes */
#define ATTRIBUTE_MASK 0x07u
#define ADDITIONAL_CDB_MASK 0xfcu /* dwords << 2: bytes */
#define LAST_TAG 0xfffeu

static struct uas_task *new_task(struct uas *u)
{
	for (unsigned i = 0; i < UAS_TASKS; i++) {
		if (u->task[i].state == UAS_FREE)
			return &u->task[i];
	}
	return NULL;
}

static void answer_response(struct uas_task *t, uint8_t code)
{
	t->state = UAS_ANSWER;
	t->is_response = true;
	t->response = code;
}

static void answer_sense(struct uas_task *t, uint8_t status)
{
	t->state = UAS_ANSWER;
	t->is_response = false;
	t->cmd.status = status;
}

/*
 * SAM-5 §5.11 for the tag of a command or a function that is not over: all
 * commands are aborted, and only the one that did it is answered.
 */
static void overlapped(struct uas *u, struct uas_task *t, struct uas_task *old,
		       uint8_t id)
{
	uas_abort_all(u, NULL);
	if (old->state != UAS_FREE && old->state != UAS_ABORTED)
		uas_abort(u, old, USB_OK);
	t->settled = true;
	if (id == UAS_IU_COMMAND) {
		scsi_fail(&t->cmd, SENSE_ABORTED_COMMAND,
			  ASC_OVERLAPPED_COMMANDS);
		answer_sense(t, SCSI_CHECK_CONDITION);
	} else {
		answer_response(t, UAS_RC_OVERLAPPED_TAG);
	}
}

/* SAM-5 §4.7: a single level of peripheral device addressing; or NULL */
static struct scsi_lu *find_lu(struct uas *u, const uint8_t *lun)
{
	static const uint8_t zero[8];

	if (lun[0] != 0 || lun[1] >= u->target->nluns ||
	    memcmp(lun + 2, zero, 6) != 0)
		return NULL;
	return &u->target->lu[lun[1]];
}

static void take_command(struct uas *u, struct uas_task *t, const uint8_t *iu,
			 size_t len)
{
	struct scsi_lu *lu = find_lu(u, iu + 8);

	t->attribute = iu[4] & ATTRIBUTE_MASK;
	if (len != UAS_COMMAND_LEN + (iu[6] & ADDITIONAL_CDB_MASK) ||
	    t->attribute > UAS_ORDERED) {
		answer_response(t, UAS_RC_INVALID_IU);
	} else if (!lu) {
		answer_response(t, UAS_RC_INCORRECT_LUN);
	} else if (uas_count(u, NULL) >= UAS_COMMANDS) {
		answer_sense(t, SCSI_TASK_SET_FULL);
	} else {
		memcpy(t->cdb, iu + 16, SCSI_CDB_MAX);
		t->is_command = true;
		t->lu = lu;
		t->state = UAS_WAITING;
	}
}

/* An I_T nexus has no logical unit: the field is not looked at. */
static void take_task(struct uas *u, struct uas_task *t, const uint8_t *iu,
		      size_t len)
{
	struct scsi_lu *lu = find_lu(u, iu + 8);

	if (len != UAS_TASK_LEN)
		answer_response(t, UAS_RC_INVALID_IU);
	else if (iu[4] != UAS_I_T_NEXUS_RESET && !lu)
		answer_response(t, UAS_RC_INCORRECT_LUN);
	else
		answer_response(t, uas_manage(u, lu, iu));
	t->settled = true;
}

static void take_iu(struct uas *u, struct uas_task *t, const uint8_t *iu,
		    size_t len)
{
	struct uas_task *old = uas_find(u, get_be16(iu + 2));

	t->tag = get_be16(iu + 2);
	t->age = u->next_age++;
	t->is_command = t->settled = t->in = false;
	t->done = 0;
	t->cmd.status = SCSI_GOOD;
	if (old)
		overlapped(u, t, old, iu[0]);
	else if (iu[0] == UAS_IU_COMMAND && len >= UAS_COMMAND_LEN)
		take_command(u, t, iu, len);
	else if (iu[0] == UAS_IU_TASK)
		take_task(u, t, iu, len);
	else
		answer_response(t, UAS_RC_INVALID_IU);
	u->used |= UINT64_C(1) << (t - u->task);
}

/* With streams an answer goes where the tag says; 0 and FFFFh are reserved. */
static bool tag_ok(const struct uas *u, uint16_t tag)
{
	return tag != 0 && tag <= (u->streams ? UAS_STREAMS : LAST_TAG);
}

bool uas_step_command(struct uas *u)
{
	uint8_t iu[IU_MAX] = {0};
	struct uas_task *t = new_task(u);
	struct usb_xfer *x;
	size_t len;

	if (!t || gadget_halted(u->g, u->ep_command))
		return false;
	x = xfer_queue_take(&u->command);
	if (!x)
		return false;
	len = usb_xfer_gather(x, 0, iu, sizeof(iu));
	if (x->length < 4 || len < 4 || !tag_ok(u, get_be16(iu + 2))) {
		usb_dev_log(&u->g->dev, XHCI_LOG_DEBUG, "IU without a tag");
		gadget_halt(u->g, u->ep_command);
		usb_dev_complete(&u->g->dev, x, USB_STALL, 0);
		return false;
	}
	len = x->length;
	usb_dev_complete(&u->g->dev, x, USB_OK, x->length);
	take_iu(u, t, iu, len);
	return true;
}

/*
 * An IU into the next status transfer for @t. One that has no room for it is
 * babble, as it would be on a bus; the IU then waits for the next.
 */
static bool send_iu(struct uas *u, struct uas_task *t, const uint8_t *iu,
		    uint32_t len)
{
	struct xfer_queue *q = &u->status[u->streams ? t->tag : 0];
	struct usb_xfer *x;

	if (gadget_halted(u->g, u->ep_status))
		return false;
	while ((x = xfer_queue_take(q)) != NULL) {
		if (x->length >= len) {
			usb_xfer_scatter(x, 0, iu, len);
			usb_dev_complete(&u->g->dev, x, USB_OK, len);
			return true;
		}
		usb_dev_complete(&u->g->dev, x, USB_BABBLE, 0);
	}
	return false;
}

bool uas_send_ready(struct uas *u, struct uas_task *t)
{
	uint8_t iu[UAS_READY_LEN] = {t->in ? UAS_IU_READ_READY
					   : UAS_IU_WRITE_READY};

	put_be16(iu + 2, t->tag);
	return send_iu(u, t, iu, sizeof(iu));
}

static uint32_t build_answer(const struct uas_task *t, uint8_t *iu)
{
	put_be16(iu + 2, t->tag);
	if (t->is_response) {
		iu[0] = UAS_IU_RESPONSE;
		iu[7] = t->response;
		return UAS_RESPONSE_LEN;
	}
	iu[0] = UAS_IU_SENSE;
	iu[6] = t->cmd.status;
	if (t->cmd.status != SCSI_CHECK_CONDITION)
		return UAS_SENSE_LEN;
	put_be16(iu + 14, SCSI_SENSE_LEN);
	scsi_put_sense(&t->cmd.sense, iu + UAS_SENSE_LEN);
	return UAS_SENSE_LEN + SCSI_SENSE_LEN;
}

/* Sense data goes with the status: there is none left for REQUEST SENSE. */
bool uas_step_answer(struct uas *u, struct uas_task *t)
{
	uint8_t iu[UAS_SENSE_LEN + SCSI_SENSE_LEN] = {0};

	uas_end_data(u, t);
	if (t->settled && u->target->stale != 0)
		return false;
	if (!send_iu(u, t, iu, build_answer(t, iu)))
		return false;
	uas_free(u, t);
	return true;
}
