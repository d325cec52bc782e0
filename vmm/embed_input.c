/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embed_input.c - input for built-in keyboards, mice and tablets.
 */
#include "vmm/embed.h"

#include <errno.h>

#include "devices/hid.h"

_Static_assert(VXHCI_ABS_MAX == HID_ABS_MAX && VXHCI_REL_MAX == HID_REL_MAX &&
		       VXHCI_WHEEL_MAX == HID_WHEEL_MAX &&
		       VXHCI_BUTTON_EXTRA + 1 == HID_BUTTONS,
	       "ranges are passed on as they are");

#define KIND(k) (1u << HID_##k)

/*
 * The device in @port or, with 0, in the first port that has one of @kinds.
 * NULL: there is none, and *ret_err is why.
 */
static struct usb_dev *find_hid(struct vxhci *v, unsigned port, unsigned kinds,
				int *ret_err)
{
	unsigned from = port != 0 ? port : 1;
	unsigned to = port != 0 ? port : xhci_nports(v->x);

	*ret_err = -ENODEV;
	for (unsigned i = from; i <= to; i++) {
		struct usb_dev *d = pmapper_device(v->pm, i);
		enum hid_kind kind;

		if (d == NULL || !hid_is(d, &kind))
			continue;
		if (kinds & (1u << kind))
			return d;
		if (port != 0)
			*ret_err = -EINVAL;
	}
	return NULL;
}

int vxhci_input_key(struct vxhci *v, unsigned port, unsigned usage, bool down)
{
	struct usb_dev *d;
	int r;

	embed_enter(v);
	d = find_hid(v, port, KIND(KEYBOARD), &r);
	if (d != NULL)
		r = hid_key(d, usage, down);
	embed_leave(v);
	return r;
}

int vxhci_input_button(struct vxhci *v, unsigned port, enum vxhci_button button,
		       bool down)
{
	struct usb_dev *d;
	int r;

	embed_enter(v);
	d = find_hid(v, port, KIND(MOUSE) | KIND(TABLET), &r);
	if (d != NULL)
		r = hid_button(d, button, down);
	embed_leave(v);
	return r;
}

int vxhci_input_abs(struct vxhci *v, unsigned port, int x, int y)
{
	struct usb_dev *d;
	int r;

	embed_enter(v);
	d = find_hid(v, port, KIND(TABLET), &r);
	if (d != NULL)
		r = hid_move_abs(d, x, y);
	embed_leave(v);
	return r;
}

int vxhci_input_rel(struct vxhci *v, unsigned port, int dx, int dy)
{
	struct usb_dev *d;
	int r;

	embed_enter(v);
	d = find_hid(v, port, KIND(MOUSE), &r);
	if (d != NULL)
		r = hid_move_rel(d, dx, dy);
	embed_leave(v);
	return r;
}

int vxhci_input_wheel(struct vxhci *v, unsigned port, int up, int right)
{
	struct usb_dev *d;
	int r;

	embed_enter(v);
	d = find_hid(v, port, KIND(MOUSE) | KIND(TABLET), &r);
	if (d != NULL)
		r = hid_wheel(d, up, right);
	embed_leave(v);
	return r;
}

static void leds_changed(void *opaque, struct usb_dev *d, uint8_t leds)
{
	struct vxhci *v = opaque;

	for (unsigned i = 1; i <= xhci_nports(v->x); i++)
		if (pmapper_device(v->pm, i) == d && v->ops.leds != NULL)
			v->ops.leds(v->opaque, i, leds);
}

void embed_input_open(struct vxhci *v, struct usb_dev *d)
{
	hid_on_leds(d, leds_changed, v);
}
