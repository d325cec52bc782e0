/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audio_impl.h - inside the headset.
 */
#ifndef DEVICES_AUDIO_IMPL_H
#define DEVICES_AUDIO_IMPL_H

#include "devices/audio.h"
#include "devices/gadget.h"
#include "devices/iso.h"

/* Interfaces */
enum { AUDIO_CONTROL, AUDIO_SPEAKER, AUDIO_MICROPHONE };
#define AUDIO_EP_OUT 0x01u
#define AUDIO_EP_IN 0x82u

/* Units of the function, as its descriptors have them */
enum {
	AUDIO_ID_USB_IN = 1, /* from the host */
	AUDIO_ID_SPEAKER,
	AUDIO_ID_MICROPHONE,
	AUDIO_ID_USB_OUT, /* to the host */
	AUDIO_ID_CLOCK    /* class 2.0 */
};

/* A packet is what is there each millisecond, in step with the frames. */
#define AUDIO_PACKET_FRAMES (AUDIO_RATE / 1000)
#define AUDIO_PACKET (AUDIO_PACKET_FRAMES * AUDIO_FRAME_BYTES)

extern const struct gadget_desc audio_desc_1, audio_desc_2;

#endif
