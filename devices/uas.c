/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * uas.c - USB Attached SCSI: the transfers a host gives, held by pipe and
 * stream, and the turn each task gets.
 */
#include <string.h>

#include "devices/uas.h"

#define TRY_BYTES \
	IMAGE_CHUNK /* moved on this thread before it sees to others */

_Static_assert(UAS_TASKS > UAS_COMMANDS && UAS_TASKS <= 64, "bits of used");

void uas_init(struct uas *u, struct gadget *g, struct scsi_target *target,
	      const uint8_t ep[4])
{
	memset(u, 0, sizeof(*u));
	u->g = g;
	u->target = target;
	u->ep_command = ep[UAS_PIPE_COMMAND - 1];
	u->ep_status = ep[UAS_PIPE_STATUS - 1];
	u->ep_in = ep[UAS_PIPE_DATA_IN - 1];
	u->ep_out = ep[UAS_PIPE_DATA_OUT - 1];
	u->streams = g->dev.speed >= USB_SPEED_SUPER;
	for (unsigned i = 0; i < UAS_TASKS; i++) {
		u->task[i].u = u;
		u->task[i].job.work.done = uas_job_done;
	}
}

struct uas_task *uas_next_task(struct uas *u, unsigned *i)
{
	uint64_t left = *i < UAS_TASKS ? u->used >> *i : 0;

	if (left == 0)
		return NULL;
	*i += (unsigned)__builtin_ctzll(left) + 1;
	return &u->task[*i - 1];
}

/* The queues of the pipe @ep, and how many they are */
static struct xfer_queue *queues_of(struct uas *u, uint8_t ep, unsigned *ret_n)
{
	*ret_n = u->streams ? UAS_STREAMS + 1 : 1;
	if (ep == u->ep_status)
		return u->status;
	if (ep == u->ep_in)
		return u->in;
	if (ep == u->ep_out)
		return u->out;
	*ret_n = 1;
	return &u->command;
}

static struct xfer_queue *queue_of(struct uas *u, const struct usb_xfer *x)
{
	unsigned n;
	struct xfer_queue *q = queues_of(u, x->ep, &n);

	return x->stream < n ? &q[x->stream] : NULL;
}

static bool task_step(struct uas *u, struct uas_task *t)
{
	switch (t->state) {
	case UAS_WAITING:
		return uas_step_waiting(u, t);
	case UAS_READY:
		return uas_step_ready(u, t);
	case UAS_DATA:
		return !t->job_running && uas_step_data(u, t);
	case UAS_FINISH:
		return !t->job_running && uas_step_finish(u, t);
	case UAS_ANSWER:
		return uas_step_answer(u, t);
	case UAS_FREE:
	case UAS_ABORTED:
		break;
	}
	return false;
}

/* Ends: each step takes a held transfer or moves a task on. */
void uas_run(struct uas *u)
{
	bool more = true;

	u->try_left = TRY_BYTES;
	while (more) {
		struct uas_task *t;
		unsigned i = 0;

		more = uas_step_command(u);
		while ((t = uas_next_task(u, &i)) != NULL) {
			while (task_step(u, t))
				more = true;
		}
	}
}

/*
 * Stream 0 where there are streams, and one that the companion does not offer,
 * is a transfer that this device never moves: nobody answers.
 */
void uas_submit(struct uas *u, struct usb_xfer *x)
{
	struct xfer_queue *q = queue_of(u, x);
	bool streams = u->streams && x->ep != u->ep_command;

	if (!q || streams != (x->stream != 0)) {
		usb_dev_complete(&u->g->dev, x, USB_ERROR, 0);
		return;
	}
	xfer_queue_add(q, x);
	uas_run(u);
}

void uas_cancel(struct uas *u, struct usb_xfer *x)
{
	struct xfer_queue *q = queue_of(u, x);
	struct uas_task *t;
	unsigned i = 0;

	while ((t = uas_next_task(u, &i)) != NULL) {
		if (t->cur == x) {
			t->cur_cancelled = true;
			return;
		}
	}
	if (q && xfer_queue_remove(q, x))
		usb_dev_complete(&u->g->dev, x, USB_CANCELLED, 0);
}

/* Transfers first: what is left of a command then ends none as if well. */
void uas_flush(struct uas *u, enum usb_status status)
{
	const uint8_t eps[] = {u->ep_command, u->ep_status, u->ep_in,
			       u->ep_out};
	struct uas_task *t;
	struct usb_xfer *x;
	unsigned n, i = 0;

	for (unsigned e = 0; e < sizeof(eps); e++) {
		struct xfer_queue *q = queues_of(u, eps[e], &n);

		while (n-- > 0) {
			while ((x = xfer_queue_take(&q[n])) != NULL)
				usb_dev_complete(&u->g->dev, x, status, 0);
		}
	}
	while ((t = uas_next_task(u, &i)) != NULL)
		uas_abort(u, t, status);
}

/* The first transfer that waits on a pipe which halts ends with the STALL. */
void uas_halt(struct uas *u, uint8_t ep, bool halted)
{
	unsigned n;
	struct xfer_queue *q = queues_of(u, ep, &n);
	struct usb_xfer *x = NULL;

	if (!halted) {
		uas_run(u);
		return;
	}
	for (unsigned i = 0; i < n && !x; i++)
		x = xfer_queue_take(&q[i]);
	if (x)
		usb_dev_complete(&u->g->dev, x, USB_STALL, 0);
}

bool uas_is_busy(struct uas *u, const struct scsi_lu *lu)
{
	struct uas_task *t;
	unsigned i = 0;

	while ((t = uas_next_task(u, &i)) != NULL) {
		bool begun = t->is_command && t->state != UAS_WAITING &&
			     t->state != UAS_ANSWER;

		if (t->lu == lu && (begun || t->job_running))
			return true;
	}
	return false;
}

void uas_release(struct uas *u, void (*idle)(struct uas *u))
{
	if (u->jobs != 0)
		u->idle = idle;
	else
		idle(u);
}
