/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * devices_clock.h - the mapper's side of a built-in device that has timers: a
 * clock that the test moves. Included once by a test.
 */
#ifndef TESTS_DEVICES_CLOCK_H
#define TESTS_DEVICES_CLOCK_H

#include "devices_fake.h"

#define MS 1000000ull

static struct fake_clock {
	uint64_t now;
	struct pm_timer *set[8]; /* NULL: a free place */
	unsigned fired;
} timers;

uint64_t pm_now_ns(struct pmapper *pm)
{
	assert_non_null(pm);
	return timers.now;
}

void pm_timer_cancel(struct pmapper *pm, struct pm_timer *t)
{
	(void)pm;
	for (unsigned i = 0; i < 8; i++)
		if (timers.set[i] == t)
			timers.set[i] = NULL;
	t->set = false;
}

void pm_timer_set(struct pmapper *pm, struct pm_timer *t, uint64_t at_ns)
{
	unsigned i;

	pm_timer_cancel(pm, t);
	for (i = 0; timers.set[i]; i++)
		assert_true(i < 7);
	timers.set[i] = t;
	t->set = true;
	t->at_ns = at_ns;
}

static inline uint64_t clock_deadline(void)
{
	uint64_t at = UINT64_MAX;

	for (unsigned i = 0; i < 8; i++)
		if (timers.set[i] && timers.set[i]->at_ns < at)
			at = timers.set[i]->at_ns;
	return at;
}

/* Sleeps until @at and wakes once, however many timers went by. */
static inline void clock_late(uint64_t at)
{
	timers.now = at;
	for (unsigned i = 0; i < 8; i++) {
		struct pm_timer *t = timers.set[i];

		if (!t || t->at_ns > at)
			continue;
		pm_timer_cancel(NULL, t);
		timers.fired++;
		t->fire(t, at);
	}
}

/* Wakes at each deadline up to @at. */
static inline void clock_to(uint64_t at)
{
	while (clock_deadline() <= at)
		clock_late(clock_deadline());
	timers.now = at;
}

/* Nothing has happened yet. */
static inline void clock_init(void)
{
	memset(&fake, 0, sizeof(fake));
	memset(&timers, 0, sizeof(timers));
	timers.now = 1000 * MS;
}

/* What submit() was given ended like this. */
#define assert_ended(f, st, n)                        \
	do {                                          \
		assert_true((f)->done);               \
		assert_int_equal((f)->x.status, st);  \
		assert_int_equal((f)->x.actual, (n)); \
	} while (0)

/* An isochronous transfer of one packet for microframe @frame. */
struct iso {
	struct fake_xfer *f;
	struct usb_packet packet;
};

static inline void iso_submit(struct usb_dev *d, struct iso *i, uint8_t ep,
			      const void *data, uint32_t len, uint32_t frame)
{
	i->f = fake_xfer(ep, data, len, 0);
	i->f->x.type = USB_ISOCH;
	i->packet = (struct usb_packet){.length = len};
	i->f->x.packet = &i->packet;
	i->f->x.npackets = 1;
	i->f->x.frame = frame;
	fake_submit(d, i->f);
}

#endif
