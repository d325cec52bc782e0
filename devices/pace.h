/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pace.h - the service intervals of a periodic endpoint, as a device keeps
 * them. Pure.
 */
#ifndef DEVICES_PACE_H
#define DEVICES_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct pace {
	uint64_t interval_ns;
	bool served;      /* slot_ns and frame are of something */
	uint64_t slot_ns; /* the service interval used last, or planned last */
	uint32_t frame; /* isochronous: the microframe the guest knows it by */
};

/* The first service interval from @now_ns on that was not used */
uint64_t pace_next(const struct pace *p, uint64_t now_ns);
/*
 * pace_plan - when an isochronous transfer for @frame is to be done: as far
 * behind the one before as the guest's frames say. With none @held before it
 * there is a new beginning, unless that comes to the same.
 */
uint64_t pace_plan(struct pace *p, uint32_t frame, uint64_t now_ns, bool held);

#endif
