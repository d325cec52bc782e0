/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hid_report.c - reports, as the descriptors in hid_desc.c have them, and as
 * HID 1.11 appendix B has them for the boot protocol. Pure.
 */
#include <string.h>

#include "devices/bytes.h"
#include "devices/hid_impl.h"

#define MODIFIER_FIRST 0xe0u /* eight usages that are bits of byte 0 */
#define KEYS_AT_ONCE 6u
#define ERROR_ROLL_OVER 0x01

/* Take what fits @max from *@way. */
static int take_way(int32_t *way, int max)
{
	int n = *way > max ? max : *way < -max ? -max : *way;

	*way -= n;
	return n;
}

/*
 * The same in both protocols, since there are hosts that read the layout of
 * the boot protocol without asking for it. More keys than fit: appendix C.
 */
uint8_t hid_report_keyboard(struct hid_state *s, bool boot, uint8_t *buf)
{
	unsigned n = 0;

	(void)boot;
	memset(buf, 0, 8);
	buf[0] = s->keys[MODIFIER_FIRST / 8];
	for (unsigned k = HID_KEY_FIRST; k < MODIFIER_FIRST; k++) {
		if (!(s->keys[k / 8] >> k % 8 & 1))
			continue;
		if (n == KEYS_AT_ONCE) {
			memset(buf + 2, ERROR_ROLL_OVER, KEYS_AT_ONCE);
			break;
		}
		buf[2 + n++] = (uint8_t)k;
	}
	return 8;
}

uint8_t hid_report_mouse(struct hid_state *s, bool boot, uint8_t *buf)
{
	buf[0] = s->buttons;
	if (boot) {
		buf[1] = (uint8_t)take_way(&s->dx, 127);
		buf[2] = (uint8_t)take_way(&s->dy, 127);
		s->up = s->right = 0; /* it has no wheel there */
		return 3;
	}
	put_le16(buf + 1, (uint16_t)take_way(&s->dx, HID_REL_MAX));
	put_le16(buf + 3, (uint16_t)take_way(&s->dy, HID_REL_MAX));
	buf[5] = (uint8_t)take_way(&s->up, HID_WHEEL_MAX);
	buf[6] = (uint8_t)take_way(&s->right, HID_WHEEL_MAX);
	return 7;
}

uint8_t hid_report_tablet(struct hid_state *s, bool boot, uint8_t *buf)
{
	(void)boot;
	buf[0] = s->buttons;
	put_le16(buf + 1, (uint16_t)s->x);
	put_le16(buf + 3, (uint16_t)s->y);
	buf[5] = (uint8_t)take_way(&s->up, HID_WHEEL_MAX);
	buf[6] = (uint8_t)take_way(&s->right, HID_WHEEL_MAX);
	return 7;
}
