/* SPDX-License-Identifier: BSD-2-Clause */
#include "devices/pace.h"

#define UF_NS 125000u
/* The controller hands over a transfer at most so long before its time. */
#define LEAD_NS 1000000u

uint64_t pace_next(const struct pace *p, uint64_t now_ns)
{
	uint64_t at = p->slot_ns + p->interval_ns;

	if (!p->served)
		return now_ns + p->interval_ns;
	if (at < now_ns)
		at += (now_ns - at + p->interval_ns - 1) / p->interval_ns *
		      p->interval_ns;
	return at;
}

uint64_t pace_plan(struct pace *p, uint32_t frame, uint64_t now_ns, bool held)
{
	int32_t frames = (int32_t)(frame - p->frame);
	uint64_t gap = frames > 0 ? (uint64_t)frames * UF_NS : 0;
	uint64_t at =
		p->slot_ns + (gap > p->interval_ns ? gap : p->interval_ns);

	if (!held &&
	    (!p->served || gap == 0 || at > now_ns + p->interval_ns + LEAD_NS))
		at = now_ns + LEAD_NS;
	else if (!held && at < now_ns)
		at = pace_next(p, now_ns);
	p->slot_ns = at;
	p->frame = frame;
	p->served = true;
	return at;
}
