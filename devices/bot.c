/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bot.c - Bulk-Only Transport: held transfers, CBW, CSW, halts and resets.
 *
 * Where host and device do not mean the same data (§6.7), the device moves all
 * that the host asked for: it pads what it returns with zeroes, discards what
 * it has no use for, and tells the truth in the residue. The specification
 * leaves the choice between that and a STALL. A stall after each short INQUIRY
 * costs the guest two more transfers and firmware that never clears a halt
 * (SeaBIOS) the disk; a short packet is an error to the same firmware, and
 * where the guest has queued the rest of its data phase ahead, the status
 * would land in it. So the pipes halt only for a CBW that is not valid.
 */
#include <string.h>

#include "devices/bot.h"
#include "devices/bytes.h"

#define CBW_SIGNATURE 0x43425355u
#define CSW_SIGNATURE 0x53425355u
#define TRY_BYTES \
	IMAGE_CHUNK /* moved on this thread before it sees to others */

void bot_init(struct bot *b, struct gadget *g, struct scsi_target *target,
	      uint8_t ep_in, uint8_t ep_out)
{
	memset(b, 0, sizeof(*b));
	b->g = g;
	b->target = target;
	b->lu = &target->lu[0];
	b->ep_in = ep_in;
	b->ep_out = ep_out;
	b->state = BOT_COMMAND;
	b->job.work.done = bot_job_done;
}

static struct xfer_queue *queue_of(struct bot *b, uint8_t ep)
{
	return ep == b->ep_in ? &b->in : &b->out;
}

static void complete(struct bot *b, struct usb_xfer *t, enum usb_status status,
		     uint32_t actual)
{
	usb_dev_complete(&b->g->dev, t, status, actual);
}

void bot_stall(struct bot *b, uint8_t ep)
{
	struct usb_xfer *t = xfer_queue_take(queue_of(b, ep));

	gadget_halt(b->g, ep);
	if (t)
		complete(b, t, USB_STALL, 0);
}

/*
 * BOT §6.7, the thirteen cases: H what the host means to move, D the device;
 * n none, i in, o out.
 */
enum bot_case {
	HN_DN = 1,
	HN_DI,
	HN_DO,
	HI_DN,
	HI_DI_LESS, /* the device has less than the host asked for */
	HI_DI,
	HI_DI_MORE,
	HI_DO,
	HO_DN,
	HO_DI,
	HO_DO_LESS,
	HO_DO,
	HO_DO_MORE,
};

static const struct bot_rule {
	bool run;         /* carry the command out */
	bool phase_error; /* status 02h: Reset Recovery follows */
} bot_rules[] = {
	[HN_DN] = {true, false},      [HN_DI] = {false, true},
	[HN_DO] = {false, true},      [HI_DN] = {true, false},
	[HI_DI_LESS] = {true, false}, [HI_DI] = {true, false},
	[HI_DI_MORE] = {true, true},  [HI_DO] = {false, true},
	[HO_DN] = {true, false},      [HO_DI] = {false, true},
	[HO_DO_LESS] = {true, false}, [HO_DO] = {true, false},
	[HO_DO_MORE] = {false, true},
};

static enum bot_case find_case(uint32_t host, bool host_in, uint64_t dev,
			       bool dev_in)
{
	if (host == 0)
		return dev == 0 ? HN_DN : dev_in ? HN_DI : HN_DO;
	if (dev == 0)
		return host_in ? HI_DN : HO_DN;
	if (host_in != dev_in)
		return host_in ? HI_DO : HO_DI;
	if (host > dev)
		return host_in ? HI_DI_LESS : HO_DO_LESS;
	if (host < dev)
		return host_in ? HI_DI_MORE : HO_DO_MORE;
	return host_in ? HI_DI : HO_DO;
}

/* Valid and meaningful, BOT §6.2 */
static bool cbw_ok(const struct bot *b, const uint8_t *cbw)
{
	return get_le32(cbw) == CBW_SIGNATURE && (cbw[12] & 0x7f) == 0 &&
	       cbw[13] < b->target->nluns && cbw[14] >= 1 &&
	       cbw[14] <= SCSI_CDB_MAX;
}

static void begin_command(struct bot *b, const uint8_t *cbw)
{
	uint32_t host = get_le32(cbw + 8);
	const struct bot_rule *rule;

	b->tag = get_le32(cbw + 4);
	b->host_in = (cbw[12] & 0x80) != 0;
	b->lu = &b->target->lu[cbw[13]];
	scsi_begin(b->lu, &b->cmd, cbw + 15, cbw[14]);
	rule = &bot_rules[find_case(host, b->host_in, b->cmd.len,
				    scsi_is_in(&b->cmd))];
	b->phase_error = rule->phase_error;
	if (!rule->run) {
		b->cmd.data = SCSI_DATA_NONE;
		b->cmd.len = 0;
		b->cmd.then = IMAGE_NONE;
	}
	b->host_left = b->residue = host;
	b->dev_left = b->cmd.len < host ? (uint32_t)b->cmd.len : host;
	b->cmd_done = 0;
	b->state = BOT_DATA;
}

static bool step_command(struct bot *b)
{
	uint8_t cbw[BOT_CBW_LEN] = {0};
	struct usb_xfer *t;
	bool ok;

	if (b->target->stale != 0 || gadget_halted(b->g, b->ep_out))
		return false;
	t = xfer_queue_take(&b->out);
	if (!t)
		return false;
	ok = t->length == BOT_CBW_LEN &&
	     usb_xfer_gather(t, 0, cbw, sizeof(cbw)) == sizeof(cbw) &&
	     cbw_ok(b, cbw);
	complete(b, t, USB_OK, t->length);
	if (ok) {
		begin_command(b, cbw);
		return true;
	}
	usb_dev_log(&b->g->dev, XHCI_LOG_DEBUG, "command block not valid");
	b->state = BOT_INVALID;
	bot_stall(b, b->ep_in);
	bot_stall(b, b->ep_out);
	return false;
}

/*
 * A transfer that has no room for the CSW is babble, as it would be on a bus;
 * the CSW then waits for the next one.
 */
static bool step_status(struct bot *b)
{
	uint8_t csw[BOT_CSW_LEN];
	struct usb_xfer *t;

	if (gadget_halted(b->g, b->ep_in))
		return false;
	t = xfer_queue_take(&b->in);
	if (!t)
		return false;
	if (t->length < BOT_CSW_LEN) {
		complete(b, t, USB_BABBLE, 0);
		return true;
	}
	put_le32(csw, CSW_SIGNATURE);
	put_le32(csw + 4, b->tag);
	put_le32(csw + 8, b->residue);
	csw[12] = b->phase_error               ? BOT_PHASE_ERROR
		  : b->cmd.status != SCSI_GOOD ? BOT_FAILED
					       : BOT_PASSED;
	usb_xfer_scatter(t, 0, csw, sizeof(csw));
	complete(b, t, USB_OK, BOT_CSW_LEN);
	scsi_end(b->lu, &b->cmd);
	b->state = BOT_COMMAND;
	return true;
}

static bool bot_step(struct bot *b)
{
	switch (b->state) {
	case BOT_COMMAND:
		return step_command(b);
	case BOT_DATA:
		return bot_step_data(b);
	case BOT_FINISH:
		return bot_step_finish(b);
	case BOT_STATUS:
		return step_status(b);
	case BOT_INVALID:
		break;
	}
	return false;
}

/* Ends: each step takes a held transfer or moves on to the next phase. */
void bot_run(struct bot *b)
{
	b->try_left = TRY_BYTES;
	while (!b->job_running && bot_step(b))
		;
}

void bot_submit(struct bot *b, struct usb_xfer *t)
{
	xfer_queue_add(queue_of(b, t->ep), t);
	bot_run(b);
}

void bot_cancel(struct bot *b, struct usb_xfer *t)
{
	if (t == b->cur)
		b->cur_cancelled = true;
	else if (xfer_queue_remove(queue_of(b, t->ep), t))
		complete(b, t, USB_CANCELLED, 0);
}

void bot_reset(struct bot *b)
{
	if (b->job_running && !b->job_stale) {
		b->job_stale = true;
		b->target->stale++;
	}
	b->state = BOT_COMMAND;
	bot_run(b);
}

void bot_flush(struct bot *b, enum usb_status status)
{
	struct usb_xfer *t;

	while ((t = xfer_queue_take(&b->in)) != NULL)
		complete(b, t, status, 0);
	while ((t = xfer_queue_take(&b->out)) != NULL)
		complete(b, t, status, 0);
	bot_reset(b);
}

/* §6.6.1: after a bad CBW both pipes halt again until the reset has come. */
void bot_halt(struct bot *b, uint8_t ep, bool halted)
{
	if (halted || b->state == BOT_INVALID)
		bot_stall(b, ep);
	else
		bot_run(b);
}

bool bot_is_busy(const struct bot *b, const struct scsi_lu *lu)
{
	bool command = b->state != BOT_COMMAND && b->state != BOT_INVALID;

	return b->lu == lu && (command || b->job_running);
}

void bot_release(struct bot *b, void (*idle)(struct bot *b))
{
	if (b->job_running)
		b->idle = idle;
	else
		idle(b);
}
