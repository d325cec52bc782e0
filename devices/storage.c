/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storage.c - the mass storage device: descriptors, class requests, and the
 * wires between the gadget, the Bulk-Only Transport and the disk.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "devices/storage_impl.h"

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
#define CONFIG_USB2(mps)                                         \
	USB_D_CONFIG(32, 1, 1, SELF_POWERED, 0),                 \
		USB_D_INTERFACE(0, 0, 2, 0x08, 0x06, 0x50, 0),   \
		USB_D_ENDPOINT(STORAGE_EP_IN, USB_BULK, mps, 0), \
		USB_D_ENDPOINT(STORAGE_EP_OUT, USB_BULK, mps, 0)

static const uint8_t config_full[] = {CONFIG_USB2(64)};
static const uint8_t config_high[] = {CONFIG_USB2(512)};
static const uint8_t config_super[] = {
	USB_D_CONFIG(44, 1, 1, SELF_POWERED, 0),
	USB_D_INTERFACE(0, 0, 2, 0x08, 0x06, 0x50, 0),
	USB_D_ENDPOINT(STORAGE_EP_IN, USB_BULK, 1024, 0),
	USB_D_COMPANION(15, 0, 0),
	USB_D_ENDPOINT(STORAGE_EP_OUT, USB_BULK, 1024, 0),
	USB_D_COMPANION(15, 0, 0),
};
_Static_assert(sizeof(config_full) == 32, "wTotalLength");
_Static_assert(sizeof(config_super) == 44, "wTotalLength");

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

static void storage_transfer(struct gadget *g, struct usb_xfer *t)
{
	bot_submit(&storage_of(g)->bot, t);
}

static int storage_control(struct gadget *g, struct usb_xfer *t)
{
	const struct usb_setup *s = &t->setup;
	uint8_t max_lun = 0;

	if (g->config == 0 || s->value != 0 || s->index != 0)
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

/* The pipes are new: what was held for the old ones has no device behind it. */
static void storage_configured(struct gadget *g)
{
	bot_flush(&storage_of(g)->bot, USB_ERROR);
}

static void storage_halt(struct gadget *g, uint8_t ep, bool halted)
{
	bot_halt(&storage_of(g)->bot, ep, halted);
}

static const struct gadget_ops gadget_ops = {
	.transfer = storage_transfer,
	.control = storage_control,
	.configured = storage_configured,
	.halt = storage_halt,
};

static void storage_cancel(struct usb_dev *d, struct usb_xfer *t)
{
	bot_cancel(&((struct storage *)d)->bot, t);
}

/*
 * Answered at once also while a job runs: the first command after the reset
 * waits for it.
 */
static void storage_reset(struct usb_dev *d)
{
	struct storage *s = (struct storage *)d;

	if (s->lu.img.tail != 0 && !s->warned)
		usb_dev_log(d, XHCI_LOG_WARN,
			    "the last %u bytes of the image are not a whole"
			    " block and are left out",
			    s->lu.img.tail);
	s->warned = true;
	gadget_reset(&s->g);
	bot_flush(&s->bot, USB_CANCELLED);
	scsi_reset(&s->lu);
	usb_dev_reset_done(d, true);
}

static void storage_destroy(struct bot *b)
{
	struct storage *s = (struct storage *)b->g;

	scsi_close(&s->lu);
	free(s);
}

static void storage_free(struct usb_dev *d)
{
	bot_release(&((struct storage *)d)->bot, storage_destroy);
}

static const struct usb_dev_ops dev_ops = {
	.name = "storage",
	.submit = gadget_submit,
	.cancel = storage_cancel,
	.reset = storage_reset,
	.free = storage_free,
};

int storage_open(const char *path, bool readonly, enum usb_speed speed,
		 struct usb_dev **ret_dev, char *err, size_t errlen)
{
	struct storage *s;
	int rc;

	if (speed != USB_SPEED_FULL && speed != USB_SPEED_HIGH &&
	    speed != USB_SPEED_SUPER) {
		snprintf(err, errlen,
			 "%s: a disk cannot have this speed:"
			 " use full, high or super",
			 path);
		return -EINVAL;
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		snprintf(err, errlen, "%s: out of memory: free some", path);
		return -ENOMEM;
	}
	rc = scsi_open(path, readonly, &s->lu, err, errlen);
	if (rc != 0) {
		free(s);
		return rc;
	}
	gadget_init(&s->g, &dev_ops, &gadget_ops, &storage_desc, speed);
	s->g.string[GADGET_STR_VENDOR] = "vxhci";
	s->g.string[GADGET_STR_PRODUCT] = "vxhci storage";
	s->g.string[GADGET_STR_SERIAL] = s->lu.serial;
	snprintf(s->g.dev.label, sizeof(s->g.dev.label), "storage=%s", path);
	bot_init(&s->bot, &s->g, &s->lu, STORAGE_EP_IN, STORAGE_EP_OUT);
	*ret_dev = &s->g.dev;
	return 0;
}
