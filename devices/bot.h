/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bot.h - USB mass storage, the Bulk-Only Transport 1.0 ("BOT"): commands,
 * data and status over one bulk pipe in each direction.
 *
 * Transfers wait, in order for each pipe, until the device has data for them
 * or room for theirs, so that a guest may queue data and status ahead. All on
 * the controller's thread; what would block runs as a job on the worker, one
 * at a time.
 */
#ifndef DEVICES_BOT_H
#define DEVICES_BOT_H

#include "devices/gadget.h"
#include "devices/scsi.h"
#include "devices/xfer_queue.h"

#define BOT_CBW_LEN 31u
#define BOT_CSW_LEN 13u

/* bCSWStatus, BOT §5.2 */
#define BOT_PASSED 0u
#define BOT_FAILED 1u
#define BOT_PHASE_ERROR 2u

enum bot_state {
	BOT_COMMAND, /* the next OUT transfer is a CBW */
	BOT_DATA,    /* the host's data, in either direction */
	BOT_FINISH,  /* data done: the command's last job, if it has one */
	BOT_STATUS,  /* the next IN transfer takes the CSW */
	BOT_INVALID, /* after a CBW that is not valid: Reset Recovery, §6.6.1 */
};

struct bot {
	struct gadget *g;           /* borrowed: the device this is part of */
	struct scsi_target *target; /* borrowed, likewise */
	uint8_t ep_in, ep_out;
	enum bot_state state;
	struct xfer_queue in, out; /* transfers held */

	/* the command, from CBW to CSW */
	struct scsi_cmd cmd;
	struct scsi_lu *lu; /* borrowed: of the target, whose command it is */
	uint32_t tag;
	bool host_in;       /* direction of the host's data */
	bool phase_error;   /* §6.7: host and device do not agree */
	uint32_t host_left; /* bytes of the host's data to come */
	uint32_t dev_left;  /* of these, bytes the device still handles */
	uint32_t residue;   /* bytes of them that it did not */
	uint32_t cmd_done;  /* bytes that it did */

	/* the transfer being worked on; it is in no queue */
	struct usb_xfer *cur; /* NULL unless job_running, outside of a step */
	uint32_t cur_done;    /* bytes of it */
	bool cur_cancelled;

	struct image_job job;
	bool job_running;  /* the worker has it */
	bool job_stale;    /* and its command has been reset away */
	uint32_t try_left; /* bytes to try on this thread, this time */
	void (*idle)(struct bot *b); /* see bot_release() */
};

/* Set up @b; @g and @target are borrowed for its life. */
void bot_init(struct bot *b, struct gadget *g, struct scsi_target *target,
	      uint8_t ep_in, uint8_t ep_out);
/* A transfer for one of the two pipes, which is not halted. */
void bot_submit(struct bot *b, struct usb_xfer *t);
/*
 * End @t early. A transfer whose memory a job is using ends with that job: as
 * if nothing had happened when it is full by then, or USB_CANCELLED with what
 * was moved, and the command goes on behind that.
 */
void bot_cancel(struct bot *b, struct usb_xfer *t);
/*
 * bot_reset - Bulk-Only Mass Storage Reset, §3.1: ready for the next CBW. A
 * job that runs cannot be recalled: the next command waits for it, and for any
 * other that is stale (struct scsi_target). Halts stay.
 */
void bot_reset(struct bot *b);
/* The same, and every transfer held ends with @status. */
void bot_flush(struct bot *b, enum usb_status status);
/* The host set or cleared the halt of @ep. */
void bot_halt(struct bot *b, uint8_t ep, bool halted);
/* A command of @lu is under way, or a job. */
bool bot_is_busy(const struct bot *b, const struct scsi_lu *lu);
/*
 * bot_release - call @idle once no job runs any more, at once if none does.
 * The transport must hold no transfer.
 */
void bot_release(struct bot *b, void (*idle)(struct bot *b));

/* Its part of usb_dev_ops.snap: -EBUSY while a job runs. bot_snap.c */
void bot_snap(struct bot *b, struct snap *s);

/* bot_data.c: a step of the data phase; false where it has to wait. */
bool bot_step_data(struct bot *b);
/* A step of the phase that follows it. */
bool bot_step_finish(struct bot *b);
/* pm_work.done of the job. */
void bot_job_done(struct pm_work *w);
/* bot.c: do what can be done now. */
void bot_run(struct bot *b);
/* Halt @ep; the transfer that waits there first ends with the STALL. */
void bot_stall(struct bot *b, uint8_t ep);

#endif
