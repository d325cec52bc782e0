/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storage.c - the mass storage device: descriptors, class requests, and the
 * wires between the gadget, its two transports and the disk. At high and super
 * speed alternate setting 1 is USB Attached SCSI; 0 is the Bulk-Only Transport,
 * which every guest has.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "devices/storage_impl.h"
#include "emu/snap.h"

/*
 * The Linux Foundation's composite gadget: an id that stands for "some USB
 * function made by software" and that no quirk table of a guest lists.
 */
#define STORAGE_VENDOR 0x1d6bu
#define STORAGE_PRODUCT 0x0104u

/* BOT §3: class requests */
#define REQ_RESET 0xffu
#define REQ_GET_MAX_LUN 0xfeu

#define SELF_POWERED (USB_CONFIG_ONE | USB_CONFIG_SELF_POWERED)

/* Mass storage, SCSI transparent command set, Bulk-Only Transport */
#define BULK_ONLY(mps)                                           \
	USB_D_INTERFACE(0, 0, 2, 0x08, 0x06, 0x50, 0),           \
		USB_D_ENDPOINT(STORAGE_EP_IN, USB_BULK, mps, 0), \
		USB_D_ENDPOINT(STORAGE_EP_OUT, USB_BULK, mps, 0)
/* The same over UAS, a pipe, and what it is for (UAS-2 §5.3.3.2) */
#define UAS_INTERFACE USB_D_INTERFACE(0, 1, 4, 0x08, 0x06, 0x62, 0)
#define UAS_USAGE(id) 4, UAS_DT_PIPE_USAGE, (id), 0
#define UAS_PIPE_HIGH(ep, id) \
	USB_D_ENDPOINT(ep, USB_BULK, 512, 0), UAS_USAGE(id)
#define UAS_PIPE_SUPER(ep, id, burst, streams) \
	USB_D_ENDPOINT(ep, USB_BULK, 1024, 0), \
		USB_D_COMPANION(burst, streams, 0), UAS_USAGE(id)

static const uint8_t config_full[] = {
	USB_D_CONFIG(32, 1, 1, SELF_POWERED, 0),
	BULK_ONLY(64),
};
static const uint8_t config_high[] = {
	USB_D_CONFIG(85, 1, 1, SELF_POWERED, 0),
	BULK_ONLY(512),
	UAS_INTERFACE,
	UAS_PIPE_HIGH(STORAGE_EP_COMMAND, UAS_PIPE_COMMAND),
	UAS_PIPE_HIGH(STORAGE_EP_STATUS, UAS_PIPE_STATUS),
	UAS_PIPE_HIGH(STORAGE_EP_IN, UAS_PIPE_DATA_IN),
	UAS_PIPE_HIGH(STORAGE_EP_OUT, UAS_PIPE_DATA_OUT),
};
static const uint8_t config_super[] = {
	USB_D_CONFIG(121, 1, 1, SELF_POWERED, 0),
	USB_D_INTERFACE(0, 0, 2, 0x08, 0x06, 0x50, 0),
	USB_D_ENDPOINT(STORAGE_EP_IN, USB_BULK, 1024, 0),
	USB_D_COMPANION(15, 0, 0),
	USB_D_ENDPOINT(STORAGE_EP_OUT, USB_BULK, 1024, 0),
	USB_D_COMPANION(15, 0, 0),
	UAS_INTERFACE,
	UAS_PIPE_SUPER(STORAGE_EP_COMMAND, UAS_PIPE_COMMAND, 0, 0),
	UAS_PIPE_SUPER(STORAGE_EP_STATUS, UAS_PIPE_STATUS, 0, UAS_MAX_STREAMS),
	UAS_PIPE_SUPER(STORAGE_EP_IN, UAS_PIPE_DATA_IN, 15, UAS_MAX_STREAMS),
	UAS_PIPE_SUPER(STORAGE_EP_OUT, UAS_PIPE_DATA_OUT, 15, UAS_MAX_STREAMS),
};
_Static_assert(sizeof(config_full) == 32, "wTotalLength");
_Static_assert(sizeof(config_high) == 85, "wTotalLength");
_Static_assert(sizeof(config_super) == 121, "wTotalLength");

static const struct gadget_blob configs[1][USB_SPEED_SUPER + 1] = {{
	[USB_SPEED_FULL] = {config_full, sizeof(config_full)},
	[USB_SPEED_HIGH] = {config_high, sizeof(config_high)},
	[USB_SPEED_SUPER] = {config_super, sizeof(config_super)},
}};

static const struct gadget_desc storage_desc = {
	.vendor = STORAGE_VENDOR,
	.product = STORAGE_PRODUCT,
	.version = 0x0001,
	.nconfigs = 1,
	.configs = configs,
};

static struct storage *storage_of(struct gadget *g)
{
	return (struct storage *)g;
}

/* The transport of the alternate setting that is selected */
static bool uses_uas(const struct storage *s)
{
	return s->g.alt[0] == 1;
}

static void storage_transfer(struct gadget *g, struct usb_xfer *t)
{
	struct storage *s = storage_of(g);

	if (uses_uas(s))
		uas_submit(&s->uas, t);
	else
		bot_submit(&s->bot, t);
}

static int storage_control(struct gadget *g, struct usb_xfer *t)
{
	const struct usb_setup *s = &t->setup;
	uint8_t max_lun = (uint8_t)(storage_of(g)->target.nluns - 1);

	if (g->config == 0 || uses_uas(storage_of(g)) || s->value != 0 ||
	    s->index != 0)
		return -EPIPE;
	if (s->request_type == (USB_DIR_IN | USB_RT_CLASS | USB_RT_INTERFACE) &&
	    s->request == REQ_GET_MAX_LUN && s->length == 1) {
		gadget_reply(g, t, &max_lun, 1);
		return 0;
	}
	if (s->request_type == (USB_RT_CLASS | USB_RT_INTERFACE) &&
	    s->request == REQ_RESET && s->length == 0) {
		bot_reset(&storage_of(g)->bot);
		gadget_ack(g, t);
		return 0;
	}
	return -EPIPE;
}

static void flush(struct storage *s, enum usb_status status)
{
	bot_flush(&s->bot, status);
	uas_flush(&s->uas, status);
}

/*
 * The pipes are new: what was held for the old ones has no device behind it,
 * and no command is left for which sense data would be.
 */
static void storage_configured(struct gadget *g)
{
	struct storage *s = storage_of(g);

	flush(s, USB_ERROR);
	for (unsigned i = 0; i < s->target.nluns; i++)
		s->target.lu[i].sense = (struct scsi_sense){.key = SENSE_NONE};
}

static void storage_halt(struct gadget *g, uint8_t ep, bool halted)
{
	struct storage *s = storage_of(g);

	if (uses_uas(s))
		uas_halt(&s->uas, ep, halted);
	else
		bot_halt(&s->bot, ep, halted);
}

/* The last job of commands that are gone is over: others may begin. */
static void storage_settled(struct scsi_target *target)
{
	struct storage *s =
		(struct storage *)((char *)target -
				   offsetof(struct storage, target));

	if (uses_uas(s))
		uas_run(&s->uas);
	else
		bot_run(&s->bot);
}

static const struct gadget_ops gadget_ops = {
	.transfer = storage_transfer,
	.control = storage_control,
	.configured = storage_configured,
	.halt = storage_halt,
};

/* A job of the transport that was selected before may still have it. */
static void storage_cancel(struct usb_dev *d, struct usb_xfer *t)
{
	struct storage *s = (struct storage *)d;

	bot_cancel(&s->bot, t);
	uas_cancel(&s->uas, t);
}

/*
 * Answered at once also while a job runs: the first command after the reset
 * waits for it.
 */
static void storage_reset(struct usb_dev *d)
{
	struct storage *s = (struct storage *)d;

	for (unsigned i = 0; i < s->target.nluns && !s->warned; i++)
		if (s->target.lu[i].img.tail != 0)
			usb_dev_log(d, XHCI_LOG_WARN,
				    "the last %u bytes of the image are not a"
				    " whole block and are left out",
				    s->target.lu[i].img.tail);
	s->warned = true;
	gadget_reset(&s->g);
	flush(s, USB_CANCELLED);
	for (unsigned i = 0; i < s->target.nluns; i++)
		scsi_reset(&s->target.lu[i]);
	usb_dev_reset_done(d, true);
}

static void close_units(struct storage *s)
{
	while (s->target.nluns > 0)
		scsi_close(&s->target.lu[--s->target.nluns]);
}

static void storage_destroy(struct uas *u)
{
	struct storage *s = storage_of(u->g);

	close_units(s);
	free(s);
}

static void bot_idle(struct bot *b)
{
	uas_release(&storage_of(b->g)->uas, storage_destroy);
}

static void storage_free(struct usb_dev *d)
{
	bot_release(&((struct storage *)d)->bot, bot_idle);
}

/* Unit by unit what the guest did to it; the image is the same on both sides. */
static void storage_snap(struct usb_dev *d, struct snap *s)
{
	struct storage *st = (struct storage *)d;

	gadget_snap(&st->g, s);
	snap_same(s, st->target.nluns);
	for (unsigned i = 0; i < st->target.nluns; i++)
		scsi_snap_lu(&st->target.lu[i], s);
	bot_snap(&st->bot, s);
	uas_snap(&st->uas, s);
}

static const struct usb_dev_ops dev_ops = {
	.name = "storage",
	.submit = gadget_submit,
	.cancel = storage_cancel,
	.reset = storage_reset,
	.snap = storage_snap,
	.free = storage_free,
};

bool storage_is(const struct usb_dev *d)
{
	return d->ops == &dev_ops;
}

int storage_change(struct usb_dev *d, unsigned lun, const struct image *img,
		   bool force, struct image *ret_old)
{
	struct storage *s = (struct storage *)d;
	struct scsi_lu *lu = &s->target.lu[lun];

	if (lun >= s->target.nluns)
		return -ENXIO;
	if (!lu->removable)
		return -EINVAL;
	if (lu->prevented && lu->img.fd >= 0 && !force)
		return -EACCES;
	if (bot_is_busy(&s->bot, lu) || uas_is_busy(&s->uas, lu))
		return -EBUSY;
	scsi_change(lu, img, ret_old);
	return 0;
}

static int open_units(struct storage *s, const struct storage_lun *luns,
		      unsigned n, char *err, size_t errlen)
{
	for (unsigned i = 0; i < n; i++) {
		struct scsi_lu *lu = &s->target.lu[i];
		int rc = scsi_open(luns[i].path, luns[i].readonly, lu, err,
				   errlen);

		if (rc != 0)
			return rc;
		lu->target = &s->target;
		lu->removable = luns[i].removable;
		s->target.nluns++;
	}
	return 0;
}

int storage_open_luns(const struct storage_lun *luns, unsigned n,
		      enum usb_speed speed, struct usb_dev **ret_dev, char *err,
		      size_t errlen)
{
	static const uint8_t uas_eps[4] = {STORAGE_EP_COMMAND,
					   STORAGE_EP_STATUS, STORAGE_EP_IN,
					   STORAGE_EP_OUT};
	struct storage *s;
	int rc;

	if (speed != USB_SPEED_FULL && speed != USB_SPEED_HIGH &&
	    speed != USB_SPEED_SUPER) {
		snprintf(err, errlen,
			 "%s: a disk cannot have this speed:"
			 " use full, high or super",
			 luns[0].path);
		return -EINVAL;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		snprintf(err, errlen, "%s: out of memory: free some",
			 luns[0].path);
		return -ENOMEM;
	}
	rc = open_units(s, luns, n, err, errlen);
	if (rc != 0) {
		close_units(s);
		free(s);
		return rc;
	}
	gadget_init(&s->g, &dev_ops, &gadget_ops, &storage_desc, speed);
	s->g.string[GADGET_STR_VENDOR] = "vxhci";
	s->g.string[GADGET_STR_PRODUCT] = "vxhci storage";
	s->g.string[GADGET_STR_SERIAL] = s->target.lu[0].serial;
	snprintf(s->g.dev.label, sizeof(s->g.dev.label), "storage=%s",
		 luns[0].path);
	bot_init(&s->bot, &s->g, &s->target, STORAGE_EP_IN, STORAGE_EP_OUT);
	uas_init(&s->uas, &s->g, &s->target, uas_eps);
	s->target.settled = storage_settled;
	*ret_dev = &s->g.dev;
	return 0;
}

int storage_open(const char *path, bool readonly, enum usb_speed speed,
		 struct usb_dev **ret_dev, char *err, size_t errlen)
{
	const struct storage_lun lun = {.path = path, .readonly = readonly};

	return storage_open_luns(&lun, 1, speed, ret_dev, err, errlen);
}
