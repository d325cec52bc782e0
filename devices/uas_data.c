/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uas_data.c - USB Attached SCSI: the data of a command, over as many transfers
 * of whatever size the host cuts it into, and the job before the status.
 *
 * A host does not say how much it means to move. The device moves what the
 * command has; a transfer that has room for more ends short when it is read
 * into, and is taken whole when it is written from.
 */
#include <errno.h>

#include "devices/uas.h"

static struct xfer_queue *data_queue(struct uas *u, const struct uas_task *t,
				     bool in)
{
	return &(in ? u->in : u->out)[u->streams ? t->tag : 0];
}

/* The data of @x has an end before that of the transfer. */
static void end_xfer(struct uas *u, struct usb_xfer *x, uint32_t moved)
{
	usb_dev_complete(&u->g->dev, x, USB_OK, x->in ? moved : x->length);
}

static void drain(struct uas *u, struct uas_task *t, bool in)
{
	struct xfer_queue *q = data_queue(u, t, in);
	struct usb_xfer *x;

	if (gadget_halted(u->g, in ? u->ep_in : u->ep_out))
		return;
	while ((x = xfer_queue_take(q)) != NULL)
		end_xfer(u, x, 0);
}

void uas_end_data(struct uas *u, struct uas_task *t)
{
	if (u->streams) {
		drain(u, t, true);
		drain(u, t, false);
	} else if (u->owner[t->in] == t) {
		drain(u, t, t->in);
		u->owner[t->in] = NULL;
	}
}

/* The transfer at work ends. */
static void end_cur(struct uas *u, struct uas_task *t, enum usb_status status)
{
	struct usb_xfer *x = t->cur;

	t->cur = NULL;
	if (status == USB_OK)
		end_xfer(u, x, t->cur_done);
	else
		usb_dev_complete(&u->g->dev, x, status, t->cur_done);
}

static void account(struct uas_task *t, size_t n)
{
	t->cur_done += (uint32_t)n;
	t->done += n;
}

/* The rest of the data will not be moved. */
static void data_failed(struct uas_task *t, enum image_op op, int error)
{
	scsi_io_failed(&t->cmd, op, error, t->cmd.off + t->done);
	t->done = t->cmd.len;
}

static enum image_op data_op(const struct uas_task *t)
{
	switch (t->cmd.data) {
	case SCSI_DATA_READ:
		return IMAGE_READ;
	case SCSI_DATA_WRITE:
		return IMAGE_WRITE;
	default:
		return IMAGE_COMPARE;
	}
}

/* Hand the job to the worker; it may be done when this returns. */
static bool start_job(struct uas *u, struct uas_task *t)
{
	if (!u->g->dev.pm)
		return false; /* out of its port: nobody waits for it */
	t->job_running = true;
	u->jobs++;
	if (pm_work_submit(u->g->dev.pm, &t->job.work) == 0)
		return true;
	t->job_running = false;
	u->jobs--;
	return false;
}

/* Up to @n bytes between the image and the transfer at work. */
static void move_blocks(struct uas *u, struct uas_task *t, size_t n)
{
	enum image_op op = data_op(t);
	size_t moved = 0;

	image_job_init(&t->job, &t->lu->img, op, t->cmd.off + t->done);
	n = image_job_map(&t->job, t->cur, t->cur_done, n);
	if (n == 0) { /* the segments do not add up to the length */
		data_failed(t, op, -EIO);
		return;
	}
	if (n <= u->try_left)
		moved = image_try(&t->lu->img, &t->job);
	u->try_left -= (uint32_t)moved;
	account(t, moved);
	if (moved == n)
		return;
	if (moved > 0) { /* the worker does the rest */
		u->try_left = 0;
		return;
	}
	if (!start_job(u, t))
		data_failed(t, op, -EAGAIN);
}

static void move_data(struct uas *u, struct uas_task *t, uint32_t n)
{
	switch (t->cmd.data) {
	case SCSI_DATA_REPLY:
		usb_xfer_scatter(t->cur, t->cur_done, t->cmd.buf + t->done, n);
		account(t, n);
		break;
	case SCSI_DATA_PARAM:
		usb_xfer_gather(t->cur, t->cur_done, t->cmd.buf + t->done, n);
		account(t, n);
		break;
	default:
		move_blocks(u, t, n);
		break;
	}
}

static bool take_cur(struct uas *u, struct uas_task *t)
{
	if (gadget_halted(u->g, t->in ? u->ep_in : u->ep_out))
		return false;
	t->cur = xfer_queue_take(data_queue(u, t, t->in));
	t->cur_done = 0;
	t->cur_cancelled = false;
	return t->cur != NULL;
}

bool uas_step_data(struct uas *u, struct uas_task *t)
{
	uint64_t left = t->cmd.len - t->done;
	uint32_t room;

	if (!t->cur) {
		if (left > 0)
			return take_cur(u, t);
		if (t->cmd.data == SCSI_DATA_PARAM)
			scsi_param(t->lu, &t->cmd);
		uas_end_data(u, t);
		t->state = UAS_FINISH;
		return true;
	}
	room = t->cur->length - t->cur_done;
	if (room > left)
		room = (uint32_t)left;
	if (room == 0)
		end_cur(u, t, USB_OK);
	else
		move_data(u, t, room);
	return true;
}

bool uas_step_finish(struct uas *u, struct uas_task *t)
{
	enum image_op op = t->cmd.then;

	if (op == IMAGE_NONE || t->cmd.status != SCSI_GOOD) {
		t->state = UAS_ANSWER;
		return true;
	}
	scsi_fill_job(t->lu, &t->cmd, &t->job);
	t->cmd.then = IMAGE_NONE;
	if (!start_job(u, t))
		scsi_io_failed(&t->cmd, op, -EAGAIN, 0);
	return true;
}

/* Nobody waits for the command any more, only for the memory it used. */
static void end_aborted(struct uas *u, struct uas_task *t)
{
	if (t->cur) {
		t->cur_done += (uint32_t)t->job.done;
		end_cur(u, t, t->cur_cancelled ? USB_CANCELLED : t->cur_end);
	}
	uas_free(u, t);
	scsi_job_settled(u->target);
}

static void end_moved(struct uas *u, struct uas_task *t)
{
	account(t, t->job.done);
	if (t->job.error != 0)
		data_failed(t, t->job.op, t->job.error);
	if (t->cur_cancelled && t->cur_done < t->cur->length &&
	    t->done < t->cmd.len)
		end_cur(u, t, USB_CANCELLED);
}

void uas_job_done(struct pm_work *w)
{
	struct uas_task *t =
		(struct uas_task *)((char *)w - offsetof(struct uas_task, job));
	struct uas *u = t->u;

	t->job_running = false;
	u->jobs--;
	if (u->idle) {
		if (u->jobs == 0)
			u->idle(u);
		return;
	}
	if (t->state == UAS_ABORTED)
		end_aborted(u, t);
	else if (t->cur)
		end_moved(u, t);
	else if (t->job.error != 0)
		scsi_io_failed(&t->cmd, t->job.op, t->job.error, 0);
	uas_run(u);
}
