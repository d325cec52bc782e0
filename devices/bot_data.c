/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bot_data.c - Bulk-Only Transport: the data of a command, over as many
 * transfers of whatever size the host cuts it into, and the job before the
 * status.
 */
#include <errno.h>

#include "devices/bot.h"

/* The transfer at work ends. */
static void end_cur(struct bot *b, enum usb_status status)
{
	struct usb_xfer *t = b->cur;

	b->cur = NULL;
	b->cur_cancelled = false;
	usb_dev_complete(&b->g->dev, t, status, b->cur_done);
}

/* @n bytes of the command's own data have moved. */
static void account(struct bot *b, size_t n)
{
	uint32_t k = (uint32_t)n;

	b->cur_done += k;
	b->cmd_done += k;
	b->host_left -= k;
	b->dev_left -= k;
	b->residue -= k;
}

/* The command's data failed: the rest is padding. */
static void data_failed(struct bot *b, enum image_op op, int error)
{
	scsi_io_failed(&b->cmd, op, error, b->cmd.off + b->cmd_done);
	b->dev_left = 0;
}

static enum image_op data_op(const struct bot *b)
{
	switch (b->cmd.data) {
	case SCSI_DATA_READ:
		return IMAGE_READ;
	case SCSI_DATA_WRITE:
		return IMAGE_WRITE;
	default:
		return IMAGE_COMPARE;
	}
}

/*
 * Hand the job to the worker. bot_job_done() may have been called when this
 * returns: nothing of the command may be looked at after it.
 */
static bool start_job(struct bot *b)
{
	if (!b->g->dev.pm)
		return false; /* out of its port: nobody waits for it */
	b->job_running = true;
	if (pm_work_submit(b->g->dev.pm, &b->job.work) == 0)
		return true;
	b->job_running = false;
	return false;
}

/* Up to @n bytes between the image and the transfer at work. */
static void move_blocks(struct bot *b, size_t n)
{
	struct image_job *job = &b->job;
	enum image_op op = data_op(b);
	size_t moved = 0;

	image_job_init(job, &b->lu->img, op, b->cmd.off + b->cmd_done);
	n = image_job_map(job, b->cur, b->cur_done, n);
	if (n == 0) { /* the segments do not add up to the length */
		data_failed(b, op, -EIO);
		return;
	}
	if (n <= b->try_left)
		moved = image_try(&b->lu->img, job);
	b->try_left -= (uint32_t)moved;
	account(b, moved);
	if (moved == n)
		return;
	if (moved > 0) { /* the worker does the rest */
		b->try_left = 0;
		return;
	}
	if (!start_job(b))
		data_failed(b, op, -EAGAIN);
}

/* What the device has nothing for: zeroes in, nowhere out. */
static void pad(struct bot *b, uint32_t n)
{
	if (b->host_in)
		usb_xfer_fill(b->cur, b->cur_done, 0, n);
	b->cur_done += n;
	b->host_left -= n;
}

static void move_data(struct bot *b, uint32_t n)
{
	switch (b->cmd.data) {
	case SCSI_DATA_REPLY:
		usb_xfer_scatter(b->cur, b->cur_done, b->cmd.buf + b->cmd_done,
				 n);
		account(b, n);
		break;
	case SCSI_DATA_PARAM:
		usb_xfer_gather(b->cur, b->cur_done, b->cmd.buf + b->cmd_done,
				n);
		account(b, n);
		break;
	default:
		move_blocks(b, n);
		break;
	}
}

/* The host's data has all moved: what was a parameter list is complete. */
static void end_data(struct bot *b)
{
	b->state = BOT_FINISH;
	if (b->cmd.data == SCSI_DATA_PARAM && b->cmd_done == b->cmd.len)
		scsi_param(b->lu, &b->cmd);
}

/*
 * The transfer at work is full, or the host's data ends in it. An OUT transfer
 * that goes on behind that end is a host that lost count: STALL.
 */
static void end_transfer(struct bot *b)
{
	bool excess = !b->host_in && b->cur_done < b->cur->length;

	end_cur(b, excess ? USB_STALL : USB_OK);
	if (excess)
		gadget_halt(b->g, b->ep_out);
}

bool bot_step_data(struct bot *b)
{
	uint32_t left, n;

	if (!b->cur) {
		if (b->host_left == 0) {
			end_data(b);
			return true;
		}
		if (gadget_halted(b->g, b->host_in ? b->ep_in : b->ep_out))
			return false;
		b->cur = xfer_queue_take(b->host_in ? &b->in : &b->out);
		b->cur_done = 0;
		b->cur_cancelled = false;
		if (!b->cur)
			return false;
	}
	left = b->cur->length - b->cur_done;
	if (left > b->host_left)
		left = b->host_left;
	n = left < b->dev_left ? left : b->dev_left;
	if (left == 0)
		end_transfer(b);
	else if (n > 0)
		move_data(b, n);
	else
		pad(b, left);
	return true;
}

bool bot_step_finish(struct bot *b)
{
	enum image_op op = b->cmd.then;

	b->state = BOT_STATUS;
	if (op == IMAGE_NONE || b->cmd.status != SCSI_GOOD)
		return true;
	scsi_fill_job(b->lu, &b->cmd, &b->job);
	b->state = BOT_FINISH;
	b->cmd.then = IMAGE_NONE;
	if (!start_job(b))
		scsi_io_failed(&b->cmd, op, -EAGAIN, 0);
	return true;
}

/* The job belongs to a command that was reset away. */
static void end_stale(struct bot *b)
{
	b->job_stale = false;
	if (b->cur) {
		b->cur_done += (uint32_t)b->job.done;
		end_cur(b, USB_CANCELLED);
	}
	scsi_job_settled(b->target);
}

void bot_job_done(struct pm_work *w)
{
	struct bot *b = (struct bot *)((char *)w - offsetof(struct bot, job));

	b->job_running = false;
	if (b->idle) {
		b->idle(b);
		return;
	}
	if (b->job_stale) {
		end_stale(b);
	} else if (b->cur) {
		account(b, b->job.done);
		if (b->job.error != 0)
			data_failed(b, b->job.op, b->job.error);
		if (b->cur_cancelled && b->cur_done < b->cur->length &&
		    b->host_left > 0)
			end_cur(b, USB_CANCELLED);
	} else if (b->job.error != 0) {
		scsi_io_failed(&b->cmd, b->job.op, b->job.error, 0);
	}
	bot_run(b);
}
