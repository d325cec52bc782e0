/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * audio_desc.c - the headset as USB Audio Device Class 1.0 §4 and 2.0 §4
 * describe one: two terminals each way, and in 2.0 a clock, which is the bus's.
 */
#include "devices/audio_impl.h"

#define CS_INTERFACE 0x24
#define CS_ENDPOINT 0x25
#define AUDIO 1 /* class */
enum { SUB_CONTROL = 1, SUB_STREAMING = 2 };
#define CLASS_2 0x20 /* protocol, 2.0 */

/* Terminal types */
#define T_USB 0x0101
#define T_MICROPHONE 0x0201
#define T_HEADPHONES 0x0302

#define LE32(v) USB_D_LE16((v)&0xffffu), USB_D_LE16((v) >> 16)
#define LE24(v) USB_D_LE16((v)&0xffffu), (uint8_t)((v) >> 16)
#define STEREO 0x0003 /* left front, right front */
#define SYNCHRONOUS (USB_ISOCH | 0x0c)
#define POWER 50 /* 100 mA */

/* 1.0: table 4-2, 4-3, 4-4; A.5 */
#define CONTROL_1_LEN (10 + 2 * 12 + 2 * 9)
#define IN_TERM_1(id, type)                                                    \
	12, CS_INTERFACE, 2, (id), USB_D_LE16(type), 0, 2, USB_D_LE16(STEREO), \
		0, 0
#define OUT_TERM_1(id, type, from) \
	9, CS_INTERFACE, 3, (id), USB_D_LE16(type), 0, (from), 0
/* alternate settings 0, nothing, and 1, one endpoint */
#define STREAM_1(intf, term, ep)                                              \
	USB_D_INTERFACE(intf, 0, 0, AUDIO, SUB_STREAMING, 0, 0),              \
		USB_D_INTERFACE(intf, 1, 1, AUDIO, SUB_STREAMING, 0, 0), 7,   \
		CS_INTERFACE, 1, (term), 1, USB_D_LE16(1), /* PCM */          \
		11, CS_INTERFACE, 2, 1, 2, 2, 16, 1, LE24(AUDIO_RATE), 9,     \
		USB_DT_ENDPOINT, (ep), SYNCHRONOUS, USB_D_LE16(AUDIO_PACKET), \
		1, 0, 0, 7, CS_ENDPOINT, 1, 0, 0, USB_D_LE16(0)
#define STREAM_1_LEN (9 + 9 + 7 + 11 + 9 + 7)
#define LEN_1 (9 + 9 + CONTROL_1_LEN + 2 * STREAM_1_LEN)

static const uint8_t config_1[] = {
	USB_D_CONFIG(LEN_1, 3, 1, USB_CONFIG_ONE, POWER),
	USB_D_INTERFACE(AUDIO_CONTROL, 0, 0, AUDIO, SUB_CONTROL, 0, 0),
	10,
	CS_INTERFACE,
	1,
	USB_D_LE16(0x0100),
	USB_D_LE16(CONTROL_1_LEN),
	2,
	AUDIO_SPEAKER,
	AUDIO_MICROPHONE,
	IN_TERM_1(AUDIO_ID_USB_IN, T_USB),
	OUT_TERM_1(AUDIO_ID_SPEAKER, T_HEADPHONES, AUDIO_ID_USB_IN),
	IN_TERM_1(AUDIO_ID_MICROPHONE, T_MICROPHONE),
	OUT_TERM_1(AUDIO_ID_USB_OUT, T_USB, AUDIO_ID_MICROPHONE),
	STREAM_1(AUDIO_SPEAKER, AUDIO_ID_USB_IN, AUDIO_EP_OUT),
	STREAM_1(AUDIO_MICROPHONE, AUDIO_ID_USB_OUT, AUDIO_EP_IN),
};
_Static_assert(sizeof(config_1) == LEN_1, "wTotalLength");

/* 2.0: tables 4-5, 4-6, 4-9, 4-10, 4-27, 4-34; Formats 2.0 table 2-2 */
#define CONTROL_2_LEN (9 + 8 + 2 * 17 + 2 * 12)
#define IN_TERM_2(id, type)                                                \
	17, CS_INTERFACE, 2, (id), USB_D_LE16(type), 0, AUDIO_ID_CLOCK, 2, \
		LE32(STEREO), 0, USB_D_LE16(0), 0
#define OUT_TERM_2(id, type, from)                              \
	12, CS_INTERFACE, 3, (id), USB_D_LE16(type), 0, (from), \
		AUDIO_ID_CLOCK, USB_D_LE16(0), 0
#define STREAM_2(intf, term, ep)                                               \
	USB_D_INTERFACE(intf, 0, 0, AUDIO, SUB_STREAMING, CLASS_2, 0),         \
		USB_D_INTERFACE(intf, 1, 1, AUDIO, SUB_STREAMING, CLASS_2, 0), \
		16, CS_INTERFACE, 1, (term), 0, 1, LE32(1), /* PCM */          \
		2, LE32(STEREO), 0, 6, CS_INTERFACE, 2, 1, 2, 16,              \
		USB_D_ENDPOINT(ep, SYNCHRONOUS, AUDIO_PACKET, 4), 8,           \
		CS_ENDPOINT, 1, 0, 0, 0, USB_D_LE16(0)
#define STREAM_2_LEN (9 + 9 + 16 + 6 + 7 + 8)
#define LEN_2 (9 + 8 + 9 + CONTROL_2_LEN + 2 * STREAM_2_LEN)

static const uint8_t config_2[] = {
	USB_D_CONFIG(LEN_2, 3, 1, USB_CONFIG_ONE, POWER),
	/* these interfaces are one function */
	8,
	11,
	AUDIO_CONTROL,
	3,
	AUDIO,
	0,
	CLASS_2,
	0,
	USB_D_INTERFACE(AUDIO_CONTROL, 0, 0, AUDIO, SUB_CONTROL, CLASS_2, 0),
	9,
	CS_INTERFACE,
	1,
	USB_D_LE16(0x0200),
	4 /* headset */,
	USB_D_LE16(CONTROL_2_LEN),
	0,
	/* a fixed clock in step with SOF, whose rate can be read */
	8,
	CS_INTERFACE,
	10,
	AUDIO_ID_CLOCK,
	0x05,
	0x01,
	0,
	0,
	IN_TERM_2(AUDIO_ID_USB_IN, T_USB),
	OUT_TERM_2(AUDIO_ID_SPEAKER, T_HEADPHONES, AUDIO_ID_USB_IN),
	IN_TERM_2(AUDIO_ID_MICROPHONE, T_MICROPHONE),
	OUT_TERM_2(AUDIO_ID_USB_OUT, T_USB, AUDIO_ID_MICROPHONE),
	STREAM_2(AUDIO_SPEAKER, AUDIO_ID_USB_IN, AUDIO_EP_OUT),
	STREAM_2(AUDIO_MICROPHONE, AUDIO_ID_USB_OUT, AUDIO_EP_IN),
};
_Static_assert(sizeof(config_2) == LEN_2, "wTotalLength");

static const struct gadget_blob configs_1[1][USB_SPEED_SUPER + 1] = {
	{[USB_SPEED_FULL] = {config_1, sizeof(config_1)}}};
static const struct gadget_blob configs_2[1][USB_SPEED_SUPER + 1] = {
	{[USB_SPEED_HIGH] = {config_2, sizeof(config_2)}}};

const struct gadget_desc audio_desc_1 = {
	.vendor = 0x1d6b,
	.product = 0x0104,
	.version = 0x0201,
	.nconfigs = 1,
	.configs = configs_1,
};
/* Interface Association Descriptors: the ECN's device class */
const struct gadget_desc audio_desc_2 = {
	.vendor = 0x1d6b,
	.product = 0x0104,
	.version = 0x0202,
	.dev_class = 0xef,
	.dev_subclass = 2,
	.dev_protocol = 1,
	.nconfigs = 1,
	.configs = configs_2,
};
