/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hid_send.c - which report is next, and when it goes.
 *
 * A report goes no sooner than a service interval after the one before, as a
 * device's would: a guest that is slow has it later, and moves that wait
 * meanwhile become one.
 */
#include <string.h>

#include "devices/hid_impl.h"

#define IDLE_UNIT_NS 4000000ull

static bool has_ways(const struct hid *h)
{
	const struct hid_state *s = &h->now;

	return s->dx || s->dy || s->up || s->right;
}

/* The report that says how things are, with no way in it */
static uint8_t still_report(const struct hid *h, uint8_t *buf)
{
	struct hid_state s = h->now;

	s.dx = s.dy = s.up = s.right = 0;
	return h->type->report(&s, h->boot, buf);
}

/* How things are is not what the guest was told last. */
static bool is_new(const struct hid *h, const uint8_t *still, uint8_t len)
{
	static const uint8_t none[HID_REPORT_MAX];

	if (!h->sent)
		return memcmp(still, none, len) != 0;
	return len != h->last_len || memcmp(still, h->last, len) != 0;
}

uint8_t hid_next_report(struct hid *h, uint8_t *buf, bool *ret_new)
{
	uint8_t still[HID_REPORT_MAX], len;

	*ret_new = true;
	do {
		len = still_report(h, still);
		h->type->report(&h->now, h->boot, buf);
		if (memcmp(buf, still, len) != 0 || is_new(h, still, len))
			return len;
	} while (hid_queue_apply(h));
	*ret_new = false;
	return len;
}

void hid_note_sent(struct hid *h)
{
	h->last_len = still_report(h, h->last);
	h->sent = true;
	h->sent_ns = pm_now_ns(h->g.dev.pm);
}

/* A report is a packet: a buffer that it does not fit into is overrun. */
static void send_report(struct hid *h, const uint8_t *report, uint8_t len)
{
	struct usb_xfer *t = xfer_queue_take(&h->q);
	uint32_t n = len < t->length ? len : t->length;

	hid_note_sent(h);
	h->polled_ns = h->sent_ns;
	usb_xfer_scatter(t, 0, report, n);
	usb_dev_complete(&h->g.dev, t, n < len ? USB_BABBLE : USB_OK, n);
}

/* Whether there may be something to tell, with nothing changed by asking */
static bool is_fresh(const struct hid *h)
{
	uint8_t still[HID_REPORT_MAX], len = still_report(h, still);

	return h->nevents > 0 || has_ways(h) || is_new(h, still, len);
}

void hid_run(struct hid *h)
{
	struct pmapper *pm = h->g.dev.pm;
	uint8_t report[HID_REPORT_MAX], len;
	bool is_news;

	while (h->q.head && !h->suspended) {
		bool fresh = is_fresh(h);
		uint64_t wait = fresh ? 0 : h->idle * IDLE_UNIT_NS;
		uint64_t due = h->sent_ns;

		if (!fresh && h->idle == 0)
			break;
		due += wait > h->interval_ns ? wait : h->interval_ns;
		if (due > pm_now_ns(pm)) {
			pm_timer_set(pm, &h->timer, due);
			return;
		}
		len = hid_next_report(h, report, &is_news);
		if (is_news || !fresh)
			send_report(h, report, len);
	}
	pm_timer_cancel(pm, &h->timer);
}

void hid_flush(struct hid *h, enum usb_status status)
{
	struct usb_xfer *t;

	while ((t = xfer_queue_take(&h->q)))
		usb_dev_complete(&h->g.dev, t, status, 0);
	pm_timer_cancel(h->g.dev.pm, &h->timer);
}
