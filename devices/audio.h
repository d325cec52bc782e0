/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audio.h - the built-in test headset: USB Audio Class 1.0 at full speed, 2.0
 * at high speed; 48 kHz, two channels, 16 bits, in both directions.
 *
 * A frame is a number: the left sample has its low 16 bits, the right one the
 * high ones. The microphone counts from 1 each time it is started, a frame for
 * each that is sent, so that what is missing in a recording was lost on its
 * way. What is played to it is checked to count in the same way; when it ends
 * a line is logged of what there was.
 */
#ifndef DEVICES_AUDIO_H
#define DEVICES_AUDIO_H

#include "pmapper/pmapper.h"

#define AUDIO_RATE 48000u
#define AUDIO_FRAME_BYTES 4u

/* What was played since the loudspeaker was started. */
struct audio_played {
	uint64_t frames; /* that count */
	uint64_t gaps;   /* frames that are not the next number */
	uint64_t pauses; /* runs of silence between frames that count */
};

/*
 * audio_open - a headset at @speed (USB_SPEED_FULL or _HIGH), ready for
 * pmapper_attach(). Returns 0 and the device, owned by the caller until it is
 * attached and freed through dev->ops->free(); -EINVAL (the speed) or -ENOMEM
 * and in @err one line "what is wrong: what to do".
 */
int audio_open(enum usb_speed speed, struct usb_dev **ret_dev, char *err,
	       size_t errlen);
/* Of this loudspeaker, now. */
const struct audio_played *audio_played(const struct usb_dev *d);

#endif
