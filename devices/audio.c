/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audio.c - the headset: what it plays, what it hears, and its clock.
 */
#include "devices/audio.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "devices/audio_impl.h"
#include "devices/bytes.h"
#include "emu/snap.h"

/* 2.0 §5.2.1, A.14, A.17.1: requests to the clock */
#define REQ_CUR 0x01u
#define REQ_RANGE 0x02u
#define CS_SAM_FREQ 0x0100u /* the high byte of wValue */

struct audio {
	struct gadget g; /* embedded, first */
	struct iso_pipe speaker, microphone;
	uint32_t heard; /* the microphone's last frame */
	uint32_t last;  /* the loudspeaker's; 0: none yet */
	bool silent;    /* it is in a pause */
	struct audio_played played;
};

static struct audio *audio_of(struct gadget *g)
{
	return (struct audio *)g;
}

/* Silence before the first frame and behind the last is neither. */
static void play_frame(struct audio *a, uint32_t n)
{
	struct audio_played *p = &a->played;

	if (n == 0) {
		a->silent = a->last != 0;
		return;
	}
	p->frames++;
	p->pauses += a->silent;
	p->gaps += a->last != 0 && n != a->last + 1;
	a->silent = false;
	a->last = n;
}

static uint32_t play(struct iso_pipe *pipe, struct usb_xfer *t, uint32_t off,
		     uint32_t room, uint64_t at_ns)
{
	struct audio *a = (struct audio *)pipe->d;
	uint8_t buf[AUDIO_PACKET];
	uint32_t n = (uint32_t)usb_xfer_gather(t, off, buf, room);

	(void)at_ns;
	for (uint32_t i = 0; i + AUDIO_FRAME_BYTES <= n; i += AUDIO_FRAME_BYTES)
		play_frame(a, get_le32(buf + i));
	return n;
}

static uint32_t hear(struct iso_pipe *pipe, struct usb_xfer *t, uint32_t off,
		     uint32_t room, uint64_t at_ns)
{
	struct audio *a = (struct audio *)pipe->d;
	uint8_t buf[AUDIO_PACKET];
	uint32_t n = room - room % AUDIO_FRAME_BYTES;

	(void)at_ns;
	for (uint32_t i = 0; i < n; i += AUDIO_FRAME_BYTES)
		put_le32(buf + i, ++a->heard);
	return (uint32_t)usb_xfer_scatter(t, off, buf, n);
}

static struct iso_pipe *pipe_of(struct audio *a, uint8_t ep)
{
	return ep == AUDIO_EP_OUT ? &a->speaker : &a->microphone;
}

static void audio_transfer(struct gadget *g, struct usb_xfer *t)
{
	iso_submit(pipe_of(audio_of(g), t->ep), t);
}

/* The clock of class 2.0: it has one rate, and that is not to be changed. */
static int audio_control(struct gadget *g, struct usb_xfer *t)
{
	const struct usb_setup *s = &t->setup;
	uint8_t d[14] = {0};

	if (g->desc != &audio_desc_2 || g->config == 0 ||
	    s->request_type != (USB_DIR_IN | USB_RT_CLASS | USB_RT_INTERFACE) ||
	    s->index != (AUDIO_ID_CLOCK << 8 | AUDIO_CONTROL) ||
	    s->value != CS_SAM_FREQ)
		return -EPIPE;
	if (s->request == REQ_CUR) {
		put_le32(d, AUDIO_RATE);
		gadget_reply(g, t, d, 4);
		return 0;
	}
	if (s->request != REQ_RANGE)
		return -EPIPE;
	put_le16(d, 1); /* one range: lowest, highest, step */
	put_le32(d + 2, AUDIO_RATE);
	put_le32(d + 6, AUDIO_RATE);
	gadget_reply(g, t, d, sizeof(d));
	return 0;
}

/* Both start anew; what was played is told of. */
static void start_anew(struct audio *a, enum usb_status status)
{
	const struct audio_played *p = &a->played;

	if (p->frames != 0 && !gadget_has_ep(&a->g, AUDIO_EP_OUT)) {
		usb_dev_log(&a->g.dev, XHCI_LOG_INFO,
			    "played %" PRIu64 " frames, %" PRIu64
			    " gaps, %" PRIu64 " pauses",
			    p->frames, p->gaps, p->pauses);
		a->played = (struct audio_played){0};
		a->last = 0;
		a->silent = false;
	}
	if (!gadget_has_ep(&a->g, AUDIO_EP_OUT))
		iso_flush(&a->speaker, status);
	if (!gadget_has_ep(&a->g, AUDIO_EP_IN)) {
		iso_flush(&a->microphone, status);
		a->heard = 0;
	}
}

static void audio_configured(struct gadget *g)
{
	start_anew(audio_of(g), USB_ERROR);
}

static void audio_halt(struct gadget *g, uint8_t ep, bool halted)
{
	if (halted)
		iso_flush(pipe_of(audio_of(g), ep), USB_STALL);
}

static const struct gadget_ops gadget_ops = {
	.transfer = audio_transfer,
	.control = audio_control,
	.configured = audio_configured,
	.halt = audio_halt,
};

static void audio_cancel(struct usb_dev *d, struct usb_xfer *t)
{
	iso_cancel(pipe_of((struct audio *)d, t->ep), t);
}

static void audio_reset(struct usb_dev *d)
{
	gadget_reset((struct gadget *)d);
	start_anew((struct audio *)d, USB_CANCELLED);
	usb_dev_reset_done(d, true);
}

static void audio_ep_enable(struct usb_dev *d, const struct usb_ep_info *info)
{
	iso_enable(pipe_of((struct audio *)d, info->ep), info);
}

static void audio_snap(struct usb_dev *d, struct snap *s)
{
	struct audio *a = (struct audio *)d;

	gadget_snap(&a->g, s);
	SNAP(s, a->heard);
	SNAP(s, a->last);
	SNAP_BOOL(s, a->silent);
	SNAP(s, a->played.frames);
	SNAP(s, a->played.gaps);
	SNAP(s, a->played.pauses);
}

static void audio_free(struct usb_dev *d)
{
	struct audio *a = (struct audio *)d;

	pm_timer_cancel(d->pm, &a->speaker.timer);
	pm_timer_cancel(d->pm, &a->microphone.timer);
	free(a);
}

static const struct usb_dev_ops dev_ops = {
	.name = "audio",
	.submit = gadget_submit,
	.cancel = audio_cancel,
	.reset = audio_reset,
	.ep_enable = audio_ep_enable,
	.snap = audio_snap,
	.free = audio_free,
};

const struct audio_played *audio_played(const struct usb_dev *d)
{
	return &((const struct audio *)d)->played;
}

int audio_open(enum usb_speed speed, struct usb_dev **ret_dev, char *err,
	       size_t errlen)
{
	const uint64_t ms = 1000000;
	struct audio *a;

	if (speed != USB_SPEED_FULL && speed != USB_SPEED_HIGH) {
		snprintf(err, errlen,
			 "it cannot have this speed: use full or high");
		return -EINVAL;
	}
	a = calloc(1, sizeof(*a));
	if (!a) {
		snprintf(err, errlen, "out of memory: free some");
		return -ENOMEM;
	}
	gadget_init(&a->g, &dev_ops, &gadget_ops,
		    speed == USB_SPEED_FULL ? &audio_desc_1 : &audio_desc_2,
		    speed);
	iso_init(&a->speaker, &a->g.dev, AUDIO_EP_OUT, AUDIO_PACKET, ms, play);
	iso_init(&a->microphone, &a->g.dev, AUDIO_EP_IN, AUDIO_PACKET, ms,
		 hear);
	a->g.string[GADGET_STR_VENDOR] = "vxhci";
	a->g.string[GADGET_STR_PRODUCT] = "vxhci headset";
	snprintf(a->g.dev.label, sizeof(a->g.dev.label), "audio");
	*ret_dev = &a->g.dev;
	return 0;
}
