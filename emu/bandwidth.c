/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bandwidth.c - what periodic endpoints take of a bus, and whether they fit:
 * xHCI 1.2 §4.16, with the bus times of USB 2.0 §5.11.3 and what USB 2.0
 * §5.6.4, §5.7.4 and USB 3.2 §8.12.6 leave for them. Pure.
 *
 * Each root hub port counts as a bus of its own: two devices may well hang on
 * two controllers of the host.
 */
#include "emu/core.h"

#define SLOTS 64u /* microframes, or frames, that the account looks at */

/* In thousandths of ns: so long a service interval, so much of it in percent */
struct bus {
	uint64_t unit_ps; /* a microframe, or at low and full speed a frame */
	uint8_t limit;    /* percent */
	uint8_t shift;    /* an interval of 125 us << shift is one unit */
	bool duplex;      /* each direction has all of it */
};

static struct bus bus_of(unsigned speed)
{
	if (speed == USB_SPEED_FULL || speed == USB_SPEED_LOW)
		return (struct bus){1000000000, 90, 3, false};
	if (speed == USB_SPEED_HIGH)
		return (struct bus){125000000, 80, 0, false};
	return (struct bus){125000000, 90, 0, true};
}

unsigned bw_limit(unsigned speed)
{
	return bus_of(speed).limit;
}

static bool is_periodic(const struct usb_ep_info *i)
{
	return i->type == USB_ISOCH || i->type == USB_INTERRUPT;
}

/* Bits of @bytes with the most that bit stuffing adds, and a turnaround */
static uint64_t bits(uint64_t bytes)
{
	return 3 + bytes * 8 * 7 / 6;
}

static uint64_t super_ps(const struct usb_ep_info *i, unsigned speed,
			 uint64_t bytes)
{
	/* a byte, 8b/10b or 128b/132b: and so much around a packet */
	static const uint32_t byte_ps[] = {
		[USB_SPEED_SUPER] = 2000,
		[USB_SPEED_SUPER_PLUS] = 825,
		[USB_SPEED_SUPER_BY2] = 1000,
		[USB_SPEED_SUPER_PLUS_BY2] = 413,
	};
	uint64_t packets = bytes / i->max_packet + 1;

	return (bytes + packets * 32) * byte_ps[speed];
}

/* Bus time of one service interval */
static uint64_t ep_ps(const struct usb_ep_info *i, unsigned speed)
{
	bool in = i->ep & USB_DIR_IN, iso = i->type == USB_ISOCH;
	uint64_t n = i->max_burst + 1u, one = i->max_packet, bytes;

	if (speed < USB_SPEED_SUPER) {
		if (speed == USB_SPEED_HIGH)
			return n * ((iso ? 38u : 55u) * 8 * 2083 +
				    2083 * bits(one));
		if (speed == USB_SPEED_FULL && iso)
			return (in ? 7268000u : 6265000u) + 83540 * bits(one);
		if (speed == USB_SPEED_FULL)
			return 9107000 + 83540 * bits(one);
		return (in ? 64060000u : 64107000u) +
		       (in ? 676670u : 667000u) * bits(one);
	}
	bytes = n * one * (i->mult + 1u);
	if (i->max_esit && i->max_esit < bytes)
		bytes = i->max_esit;
	return super_ps(i, speed, bytes);
}

/* Where in the schedule it does least harm; what is fullest then, in ps */
static uint64_t place(uint64_t load[SLOTS], unsigned period, uint64_t ps)
{
	uint64_t best = UINT64_MAX;
	unsigned at = 0;

	for (unsigned o = 0; o < period; o++) {
		uint64_t most = 0;

		for (unsigned k = o; k < SLOTS; k += period)
			most = load[k] > most ? load[k] : most;
		if (most < best) {
			best = most;
			at = o;
		}
	}
	for (unsigned k = at; k < SLOTS; k += period)
		load[k] += ps;
	return best + ps;
}

/* The fullest unit, in percent rounded up, with these endpoints */
static uint64_t used(const struct usb_ep_info *info, unsigned n, unsigned speed)
{
	uint64_t load[2][SLOTS] = {{0}}, most = 0;
	const struct bus b = bus_of(speed);

	/* the most frequent ones first: the others find their places between */
	for (unsigned e = 0; e <= 15; e++)
		for (unsigned i = 0; i < n; i++) {
			unsigned dir = b.duplex && info[i].ep & USB_DIR_IN;
			unsigned exp = e > b.shift ? e - b.shift : 0;
			uint64_t ps;

			if (info[i].interval != e)
				continue;
			ps = place(load[dir], exp < 6 ? 1u << exp : SLOTS,
				   ep_ps(&info[i], speed));
			most = ps > most ? ps : most;
		}
	return (most * 100 + b.unit_ps - 1) / b.unit_ps;
}

static unsigned slot_speed(const struct xhci_slot *s)
{
	unsigned speed = s->ctx[0] >> 20 & 0xf;

	return speed <= USB_SPEED_MAX ? speed : USB_SPEED_HIGH;
}

bool bw_slot_is_periodic(const struct xhci_slot *s)
{
	for (unsigned d = 2; d < NDCI; d++)
		if (s->ep[d] && is_periodic(&s->ep[d]->info))
			return true;
	return false;
}

/* Percent of its bus that a slot's periodic endpoints take */
static uint64_t slot_used(const struct xhci_slot *s, uint32_t drop,
			  uint32_t add)
{
	struct usb_ep_info info[NDCI];
	unsigned n = 0;

	for (unsigned d = 2; d < NDCI; d++) {
		if (add & 1u << d) {
			if (ep_info_decode(d, s->x->cmd.in_ep[d], &info[n]) !=
			    CC_SUCCESS)
				continue;
		} else if (s->ep[d] && !(drop & 1u << d)) {
			info[n] = s->ep[d]->info;
		} else {
			continue;
		}
		n += is_periodic(&info[n]);
	}
	return n ? used(info, n, slot_speed(s)) : 0;
}

bool bw_fits(const struct xhci_slot *s, uint32_t drop, uint32_t add)
{
	return slot_used(s, drop, add) <= bw_limit(slot_speed(s));
}

unsigned bw_available(const struct xhci *x, unsigned port, unsigned speed)
{
	unsigned limit = bw_limit(speed);

	for (unsigned i = 0; i < XHCI_MAX_SLOTS; i++) {
		const struct xhci_slot *s = &x->slot[i];
		uint64_t n;

		if (s->state == SLOT_DISABLED || s->port != port ||
		    slot_speed(s) != speed)
			continue;
		n = slot_used(s, 0, 0);
		return n < limit ? limit - (unsigned)n : 0;
	}
	return limit;
}

/* §4.23.5.2: the link must be back before a service interval is over */
bool bw_latency_fits(const struct xhci_slot *s, uint32_t mel_us, uint32_t drop,
		     uint32_t add)
{
	struct usb_ep_info info;

	if (slot_speed(s) < USB_SPEED_SUPER)
		return true;
	for (unsigned d = 2; d < NDCI; d++) {
		if (add & 1u << d) {
			if (ep_info_decode(d, s->x->cmd.in_ep[d], &info) !=
			    CC_SUCCESS)
				continue;
		} else if (s->ep[d] && !(drop & 1u << d)) {
			info = s->ep[d]->info;
		} else {
			continue;
		}
		if (is_periodic(&info) && mel_us > 125u << info.interval)
			return false;
	}
	return true;
}
