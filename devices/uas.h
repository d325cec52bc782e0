/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uas.h - USB Attached SCSI (UAS-2, UAS-3 in the words of T10): many commands
 * at a time, over a command, a status and two data pipes.
 *
 * At super speed the status and data pipes have streams, and the stream of a
 * transfer is the tag of its command: a host queues status and data ahead, in
 * any order with the command itself. At high speed there are none: one command
 * at a time in each direction is told by a READ READY or WRITE READY IU that
 * the data pipe is its own.
 *
 * What a host gives is held until it is needed. All on the controller's
 * thread; what would block runs as a job on the worker, one a command.
 */
#ifndef DEVICES_UAS_H
#define DEVICES_UAS_H

#include "devices/gadget.h"
#include "devices/scsi.h"
#include "devices/xfer_queue.h"

#define UAS_MAX_STREAMS 4u /* of the endpoint companion: 2^4 streams */
#define UAS_STREAMS (1u << UAS_MAX_STREAMS)
#define UAS_COMMANDS 32u /* at a time; the next one is TASK SET FULL */
#define UAS_TASKS 36u    /* these, what answers, what still runs aborted */

/* bPipeID of the pipe usage descriptor, 24h */
#define UAS_DT_PIPE_USAGE 0x24u
#define UAS_PIPE_COMMAND 1u
#define UAS_PIPE_STATUS 2u
#define UAS_PIPE_DATA_IN 3u
#define UAS_PIPE_DATA_OUT 4u

/* Information units (IU): the identifier is the first byte */
#define UAS_IU_COMMAND 0x01u
#define UAS_IU_SENSE 0x03u
#define UAS_IU_RESPONSE 0x04u
#define UAS_IU_TASK 0x05u
#define UAS_IU_READ_READY 0x06u
#define UAS_IU_WRITE_READY 0x07u
#define UAS_COMMAND_LEN 32u /* without additional CDB bytes */
#define UAS_TASK_LEN 16u
#define UAS_READY_LEN 4u
#define UAS_RESPONSE_LEN 8u
#define UAS_SENSE_LEN 16u /* without sense data */

/* Task attributes of a COMMAND IU, SAM-5 §8.9 */
#define UAS_SIMPLE 0u
#define UAS_HEAD_OF_QUEUE 1u
#define UAS_ORDERED 2u

/* Task management functions, SAM-5 §7 */
#define UAS_ABORT_TASK 0x01u
#define UAS_ABORT_TASK_SET 0x02u
#define UAS_CLEAR_TASK_SET 0x04u
#define UAS_LOGICAL_UNIT_RESET 0x08u
#define UAS_I_T_NEXUS_RESET 0x10u
#define UAS_CLEAR_ACA 0x40u
#define UAS_QUERY_TASK 0x80u
#define UAS_QUERY_TASK_SET 0x81u
#define UAS_QUERY_ASYNC_EVENT 0x82u

/* RESPONSE CODE of a RESPONSE IU */
#define UAS_RC_COMPLETE 0x00u
#define UAS_RC_INVALID_IU 0x02u
#define UAS_RC_NOT_SUPPORTED 0x04u
#define UAS_RC_SUCCEEDED 0x08u
#define UAS_RC_INCORRECT_LUN 0x09u
#define UAS_RC_OVERLAPPED_TAG 0x0au

struct uas;

enum uas_state {
	UAS_FREE,
	UAS_WAITING, /* a command that has not begun */
	UAS_READY,   /* no streams: to have the data pipe, and to say so */
	UAS_DATA,
	UAS_FINISH,  /* data done: the command's last job, if it has one */
	UAS_ANSWER,  /* the next status transfer takes its last IU */
	UAS_ABORTED, /* its job still runs; nobody hears of it any more */
};

/* A command, or what has to be said of something else that came in. */
struct uas_task {
	struct uas *u;      /* borrowed: what this is a part of */
	struct scsi_lu *lu; /* borrowed: of the target, whose command it is */
	enum uas_state state;
	bool is_command;
	uint16_t tag;
	uint8_t attribute; /* UAS_SIMPLE ... */
	uint64_t age;      /* counts up with each IU taken */

	/* the answer, where it is a RESPONSE IU */
	bool is_response;
	uint8_t response; /* UAS_RC_... */
	bool settled;     /* to be given when no aborted job runs any more */

	uint8_t cdb[SCSI_CDB_MAX];
	struct scsi_cmd cmd;
	bool in;       /* direction of its data, if there was any */
	uint64_t done; /* bytes of cmd.len moved */

	/* the transfer being worked on; it is in no queue */
	struct usb_xfer *cur; /* NULL unless job_running, outside of a step */
	uint32_t cur_done;    /* bytes of it */
	bool cur_cancelled;
	enum usb_status cur_end; /* how it ends when UAS_ABORTED */

	struct image_job job;
	bool job_running; /* the worker has it */
};

struct uas {
	struct gadget *g;           /* borrowed: the device this is part of */
	struct scsi_target *target; /* borrowed, likewise */
	uint8_t ep_command, ep_status, ep_in, ep_out;
	bool streams;

	/* transfers held; index: stream, or 0 where there are none */
	struct xfer_queue command;
	struct xfer_queue status[UAS_STREAMS + 1];
	struct xfer_queue in[UAS_STREAMS + 1];
	struct xfer_queue out[UAS_STREAMS + 1];

	struct uas_task task[UAS_TASKS];
	uint64_t used; /* bit: index of a task that is not UAS_FREE */
	uint64_t next_age;
	/* no streams: whose the pipe is, OUT and IN; NULL: nobody's */
	struct uas_task *owner[2];
	unsigned jobs;     /* with the worker */
	uint32_t try_left; /* bytes to try on this thread, this time */
	void (*idle)(struct uas *u); /* see uas_release() */
};

/*
 * uas_init - set up @u; @g and @target are borrowed for its life. At super speed
 * and above with streams. @ep: the pipes, by bPipeID - 1.
 */
void uas_init(struct uas *u, struct gadget *g, struct scsi_target *target,
	      const uint8_t ep[4]);
/* A transfer for one of the four pipes, which is not halted. */
void uas_submit(struct uas *u, struct usb_xfer *x);
/*
 * End @x early. One whose memory a job is using ends with that job: as if
 * nothing had happened when it is full by then, or USB_CANCELLED with what was
 * moved, and the command goes on behind that.
 */
void uas_cancel(struct uas *u, struct usb_xfer *x);
/*
 * uas_flush - drop all state: commands are aborted, every transfer held ends
 * with @status, one that a job uses with that job.
 */
void uas_flush(struct uas *u, enum usb_status status);
/* The host set or cleared the halt of @ep. */
void uas_halt(struct uas *u, uint8_t ep, bool halted);
/* A command of @lu is under way, or a job. */
bool uas_is_busy(struct uas *u, const struct scsi_lu *lu);
/*
 * uas_release - call @idle once no job runs any more, at once if none does.
 * The transport must hold no transfer.
 */
void uas_release(struct uas *u, void (*idle)(struct uas *u));
/* Its part of usb_dev_ops.snap: -EBUSY while a job runs. uas_snap.c */
void uas_snap(struct uas *u, struct snap *s);
/* uas.c: do what can be done now. */
void uas_run(struct uas *u);
/*
 * uas_next_task - a loop over the tasks that are not free: the first from index
 * *i on, or NULL; *i moves on. Tasks may be freed meanwhile.
 */
struct uas_task *uas_next_task(struct uas *u, unsigned *i);

/* uas_iu.c: take the next IU from the command pipe; false: none, or no room. */
bool uas_step_command(struct uas *u);
/* Give the host @t's last IU; false where it has to wait. */
bool uas_step_answer(struct uas *u, struct uas_task *t);
/* Tell the host that the data pipe is for @t; false where it has to wait. */
bool uas_send_ready(struct uas *u, struct uas_task *t);

/* uas_task.c: begin a command that waits; false: it is not its turn. */
bool uas_step_waiting(struct uas *u, struct uas_task *t);
/* Without streams: get hold of the data pipe. */
bool uas_step_ready(struct uas *u, struct uas_task *t);
/* The task that has @tag and has not been aborted, or NULL. */
struct uas_task *uas_find(struct uas *u, uint16_t tag);
/* How many commands of @lu, NULL: of all, there are and are not aborted. */
unsigned uas_count(struct uas *u, const struct scsi_lu *lu);
/* No answer for @t, and no more work. Its transfers end, with @status. */
void uas_abort(struct uas *u, struct uas_task *t, enum usb_status status);
/* All commands of @lu, or with NULL all there are. */
void uas_abort_all(struct uas *u, const struct scsi_lu *lu);
/*
 * Carry out task management function @iu (16 bytes) on @lu; returns UAS_RC_...
 */
uint8_t uas_manage(struct uas *u, struct scsi_lu *lu, const uint8_t *iu);
/* @t is over. */
void uas_free(struct uas *u, struct uas_task *t);

/* uas_data.c: a step of the data phase; false where it has to wait. */
bool uas_step_data(struct uas *u, struct uas_task *t);
/* A step of the phase that follows it. */
bool uas_step_finish(struct uas *u, struct uas_task *t);
/*
 * uas_end_data - the data phase of @t is over, however it ended. What the host
 * still holds out for it ends as well: no bytes in, everything taken out.
 */
void uas_end_data(struct uas *u, struct uas_task *t);
/* pm_work.done of a task's job. */
void uas_job_done(struct pm_work *w);

#endif
