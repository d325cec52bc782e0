/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hid.c - the keyboard, the mouse and the tablet: what the program does with
 * them, wakeup, and the wires between the gadget and the rest.
 */
#include "devices/hid.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "devices/hid_impl.h"
#include "emu/snap.h"

/* Who has not asked for so long is not slow, but away. */
#define AWAY_NS 30000000000ull

static bool is_away(const struct hid *h)
{
	if (h->g.config == 0 || h->g.dev.pm == NULL)
		return true;
	if (h->suspended)
		return !gadget_may_wake(&h->g);
	return !h->q.head && pm_now_ns(h->g.dev.pm) - h->polled_ns > AWAY_NS;
}

/* What was done long before it asked is not for it. */
void hid_note_poll(struct hid *h)
{
	if (is_away(h))
		hid_queue_collapse(h);
	h->polled_ns = pm_now_ns(h->g.dev.pm);
}

/* The guest knows nothing of what is held down, and has said nothing yet. */
static void start_anew(struct hid *h, enum usb_status status)
{
	hid_flush(h, status);
	hid_queue_collapse(h);
	h->sent = false;
	h->boot = false;
	h->idle = h->type->idle;
	h->sent_ns = h->polled_ns = pm_now_ns(h->g.dev.pm);
}

static void hid_transfer(struct gadget *g, struct usb_xfer *t)
{
	struct hid *h = hid_of(g);

	hid_note_poll(h);
	xfer_queue_add(&h->q, t);
	hid_run(h);
}

static void hid_configured(struct gadget *g)
{
	start_anew(hid_of(g), USB_ERROR);
}

static void hid_halt(struct gadget *g, uint8_t ep, bool halted)
{
	(void)ep;
	if (halted)
		hid_flush(hid_of(g), USB_STALL);
}

static const struct gadget_ops gadget_ops = {
	.transfer = hid_transfer,
	.control = hid_control,
	.configured = hid_configured,
	.halt = hid_halt,
};

static void hid_cancel(struct usb_dev *d, struct usb_xfer *t)
{
	struct hid *h = (struct hid *)d;

	if (!xfer_queue_remove(&h->q, t))
		return;
	usb_dev_complete(d, t, USB_CANCELLED, 0);
	hid_run(h);
}

/* Lights are off after a reset, and the program is told. */
static void hid_reset(struct usb_dev *d)
{
	struct hid *h = (struct hid *)d;
	bool lit = h->leds != 0;

	gadget_reset(&h->g);
	start_anew(h, USB_CANCELLED);
	h->suspended = false;
	h->leds = 0;
	if (lit && h->on_leds)
		h->on_leds(h->leds_opaque, d, 0);
	usb_dev_reset_done(d, true);
}

/* The guest's schedule is what paces the endpoint. */
static void hid_ep_enable(struct usb_dev *d, const struct usb_ep_info *info)
{
	struct hid *h = (struct hid *)d;

	if (info->ep == HID_EP && info->interval <= 15)
		h->interval_ns = 125000ull << info->interval;
}

static void hid_suspend(struct usb_dev *d, bool suspended)
{
	struct hid *h = (struct hid *)d;

	h->suspended = suspended;
	h->polled_ns = pm_now_ns(d->pm);
	hid_run(h);
}

/* A distance that reports have not told yet: of all that fits the queue */
#define WAYS_MAX (HID_QUEUE * (int64_t)HID_REL_MAX)

static void snap_event(struct hid *h, struct snap *s, struct hid_event *ev)
{
	bool pair;

	SNAP_MAX(s, ev->what, HID_EV_WHEEL);
	SNAP(s, ev->code);
	SNAP_BOOL(s, ev->down);
	SNAP_SIGNED(s, ev->x, HID_ABS_MAX);
	SNAP_SIGNED(s, ev->y, HID_ABS_MAX);
	pair = ev->what == HID_EV_MOVE || ev->what == HID_EV_WHEEL;
	snap_check(s, pair || (ev->what == HID_EV_KEY) == h->type->keys);
	snap_check(s, !pair || !h->type->keys);
	snap_check(s, ev->what != HID_EV_BUTTON || ev->code < HID_BUTTONS);
	snap_check(s, ev->what != HID_EV_MOVE || !h->type->abs ||
			      (ev->x >= 0 && ev->y >= 0));
}

static void snap_state(struct snap *s, struct hid_state *now)
{
	snap_bytes(s, now->keys, sizeof(now->keys));
	SNAP_MAX(s, now->buttons, (1u << HID_BUTTONS) - 1);
	SNAP_MAX(s, now->x, HID_ABS_MAX);
	SNAP_MAX(s, now->y, HID_ABS_MAX);
	SNAP_SIGNED(s, now->dx, WAYS_MAX);
	SNAP_SIGNED(s, now->dy, WAYS_MAX);
	SNAP_SIGNED(s, now->up, WAYS_MAX);
	SNAP_SIGNED(s, now->right, WAYS_MAX);
}

static void snap_since(struct snap *s, uint64_t *at_ns, uint64_t now_ns)
{
	uint64_t since = now_ns > *at_ns ? now_ns - *at_ns : 0;

	if (since > 2 * AWAY_NS)
		since = 2 * AWAY_NS;
	snap_num(s, &since, 2 * AWAY_NS);
	if (s->reading)
		*at_ns = now_ns > since ? now_ns - since : 0;
}

/* What was typed and not yet told is typed where the guest is then. */
static void hid_snap(struct usb_dev *d, struct snap *s)
{
	struct hid *h = (struct hid *)d;
	uint64_t now = pm_now_ns(d->pm);
	uint8_t leds = h->leds;

	gadget_snap(&h->g, s);
	SNAP_MAX(s, h->nevents, HID_QUEUE);
	if (s->reading)
		h->head = 0;
	for (uint32_t i = 0; i < h->nevents && !s->err; i++)
		snap_event(h, s, &h->event[(h->head + i) % HID_QUEUE]);
	snap_state(s, &h->now);
	snap_bytes(s, h->want_keys, sizeof(h->want_keys));
	SNAP_MAX(s, h->want_buttons, (1u << HID_BUTTONS) - 1);
	snap_since(s, &h->sent_ns, now);
	snap_since(s, &h->polled_ns, now);
	snap_bytes(s, h->last, sizeof(h->last));
	SNAP_MAX(s, h->last_len, HID_REPORT_MAX);
	SNAP_BOOL(s, h->sent);
	SNAP_BOOL(s, h->boot);
	SNAP(s, h->idle);
	SNAP_BOOL(s, h->suspended);
	SNAP(s, h->leds);
	snap_check(s, !h->boot || h->type->boot);
	if (leds != h->leds && h->on_leds)
		h->on_leds(h->leds_opaque, d, h->leds);
}

static void hid_free(struct usb_dev *d)
{
	pm_timer_cancel(d->pm, &((struct hid *)d)->timer);
	free(d);
}

static void hid_fire(struct pm_timer *timer, uint64_t now_ns)
{
	(void)now_ns;
	hid_run((struct hid *)((char *)timer - offsetof(struct hid, timer)));
}

static const struct usb_dev_ops dev_ops = {
	.name = "hid",
	.submit = gadget_submit,
	.cancel = hid_cancel,
	.reset = hid_reset,
	.ep_enable = hid_ep_enable,
	.suspend = hid_suspend,
	.snap = hid_snap,
	.free = hid_free,
};

static int add_event(struct hid *h, const struct hid_event *ev)
{
	bool away = is_away(h);
	int r = hid_queue_add(h, ev, !away);

	if (away || r < 0)
		return away ? -ENOTCONN : r;
	if (h->suspended)
		usb_dev_wake(&h->g.dev);
	else
		hid_run(h);
	return 0;
}

int hid_key(struct usb_dev *d, unsigned usage, bool down)
{
	struct hid *h = (struct hid *)d;
	struct hid_event ev = {
		.what = HID_EV_KEY, .code = (uint8_t)usage, .down = down};

	if (!h->type->keys || usage < HID_KEY_FIRST || usage > HID_KEY_LAST)
		return -EINVAL;
	return add_event(h, &ev);
}

int hid_button(struct usb_dev *d, unsigned button, bool down)
{
	struct hid *h = (struct hid *)d;
	struct hid_event ev = {
		.what = HID_EV_BUTTON, .code = (uint8_t)button, .down = down};

	if (h->type->keys || button >= HID_BUTTONS)
		return -EINVAL;
	return add_event(h, &ev);
}

static int add_pair(struct hid *h, enum hid_what what, int x, int y)
{
	struct hid_event ev = {
		.what = (uint8_t)what, .x = (int16_t)x, .y = (int16_t)y};

	return add_event(h, &ev);
}

static bool is_within(int a, int b, int min, int max)
{
	return a >= min && a <= max && b >= min && b <= max;
}

int hid_move_abs(struct usb_dev *d, int x, int y)
{
	struct hid *h = (struct hid *)d;

	if (!h->type->abs || !is_within(x, y, 0, HID_ABS_MAX))
		return -EINVAL;
	return add_pair(h, HID_EV_MOVE, x, y);
}

int hid_move_rel(struct usb_dev *d, int dx, int dy)
{
	struct hid *h = (struct hid *)d;

	if (h->type->keys || h->type->abs ||
	    !is_within(dx, dy, -HID_REL_MAX, HID_REL_MAX))
		return -EINVAL;
	return dx || dy ? add_pair(h, HID_EV_MOVE, dx, dy) : 0;
}

int hid_wheel(struct usb_dev *d, int up, int right)
{
	struct hid *h = (struct hid *)d;

	if (h->type->keys ||
	    !is_within(up, right, -HID_WHEEL_MAX, HID_WHEEL_MAX))
		return -EINVAL;
	return up || right ? add_pair(h, HID_EV_WHEEL, right, up) : 0;
}

bool hid_is(const struct usb_dev *d, enum hid_kind *ret_kind)
{
	if (d->ops != &dev_ops)
		return false;
	*ret_kind = ((const struct hid *)d)->kind;
	return true;
}

void hid_on_leds(struct usb_dev *d, hid_leds_fn *changed, void *opaque)
{
	struct hid *h = (struct hid *)d;

	h->on_leds = changed;
	h->leds_opaque = opaque;
}

uint8_t hid_leds(const struct usb_dev *d)
{
	return ((const struct hid *)d)->leds;
}

int hid_open(enum hid_kind kind, enum usb_speed speed, struct usb_dev **ret_dev,
	     char *err, size_t errlen)
{
	const struct hid_type *type = &hid_types[kind];
	struct hid *h;

	if (speed == USB_SPEED_NONE || speed > USB_SPEED_SUPER) {
		snprintf(err, errlen,
			 "it cannot have this speed: "
			 "use low, full, high or super");
		return -EINVAL;
	}
	h = calloc(1, sizeof(*h));
	if (!h) {
		snprintf(err, errlen, "out of memory: free some");
		return -ENOMEM;
	}
	gadget_init(&h->g, &dev_ops, &gadget_ops, type->desc, speed);
	h->type = type;
	h->kind = kind;
	h->idle = type->idle;
	h->interval_ns = hid_interval_ns(speed);
	h->timer.fire = hid_fire;
	h->g.string[GADGET_STR_VENDOR] = "vxhci";
	h->g.string[GADGET_STR_PRODUCT] = type->product;
	snprintf(h->g.dev.label, sizeof(h->g.dev.label), "%s", type->name);
	*ret_dev = &h->g.dev;
	return 0;
}
