/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay_desc.c - which device of a capture it is, what descriptors it has,
 * and the speed they are for, which no capture tells.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/bytes.h"
#include "devices/replay_impl.h"

#define CLASS_HUB 9u
#define GET_DESCRIPTOR_RT (USB_DIR_IN | USB_RT_DEVICE)

uint16_t replay_config_total(const uint8_t *p, uint32_t len)
{
	uint16_t total;

	if (len < 9 || p[0] < 9 || p[1] != USB_DT_CONFIG)
		return 0;
	total = get_le16(p + 2);
	return total >= 9 && total <= len ? total : 0;
}

static int add_config(struct replay_desc *d, const uint8_t *p, uint16_t len)
{
	uint8_t *copy;

	for (unsigned i = 0; i < d->nconfigs; i++)
		if (d->config[i][5] == p[5])
			return 0;
	if (d->nconfigs == REPLAY_MAX_CONFIGS)
		return 0;
	copy = malloc(len);
	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, p, len);
	d->config[d->nconfigs] = copy;
	d->config_len[d->nconfigs++] = len;
	return 0;
}

int replay_add_configs(struct replay_desc *d, const uint8_t *p, uint32_t len)
{
	uint16_t total;
	int rc = 0;

	while (rc == 0 && (total = replay_config_total(p, len)) != 0) {
		rc = add_config(d, p, total);
		p += total;
		len -= total;
	}
	return rc;
}

void replay_desc_free(struct replay_desc *d)
{
	for (unsigned i = 0; i < d->nconfigs; i++)
		free(d->config[i]);
	*d = (struct replay_desc){.nconfigs = 0};
}

/* The bytes that @x, a good answer to GET_DESCRIPTOR of @type, has */
static const uint8_t *descriptor_of(const struct capture *c,
				    const struct capture_xfer *x, uint8_t type)
{
	const struct usb_setup *s = &x->setup;

	if (!x->has_setup || s->request_type != GET_DESCRIPTOR_RT ||
	    s->request != USB_REQ_GET_DESCRIPTOR || s->value >> 8 != type ||
	    x->end != CAPTURE_ENDED || x->status != USB_OK)
		return NULL;
	return c->bytes + x->data;
}

/* All that the capture has of device @dev. 0 or -ENOMEM */
static int from_capture(const struct capture *c, uint32_t dev,
			struct replay_desc *d)
{
	const uint8_t *p;
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < c->nxfers; i++) {
		const struct capture_xfer *x = &c->xfers[i];

		if (x->dev != dev || x->type != USB_CONTROL)
			continue;
		p = descriptor_of(c, x, USB_DT_DEVICE);
		/* some are a byte or two short, and still tell who it is */
		if (p && x->have >= 12 && p[1] == USB_DT_DEVICE &&
		    (d->device[0] == 0 || x->have >= REPLAY_DEVICE_LEN)) {
			memset(d->device, 0, sizeof(d->device));
			memcpy(d->device, p,
			       x->have < REPLAY_DEVICE_LEN ? x->have
							   : REPLAY_DEVICE_LEN);
		}
		p = descriptor_of(c, x, USB_DT_CONFIG);
		if (p)
			rc = replay_add_configs(d, p, x->have);
	}
	return rc;
}

static bool is_whole(const struct replay_desc *d)
{
	return d->device[0] >= REPLAY_DEVICE_LEN && d->device[17] != 0 &&
	       d->nconfigs > 0;
}

static bool is_hub(const struct replay_desc *d)
{
	return d->device[0] != 0 && d->device[4] == CLASS_HUB;
}

/* --- a description beside it --- */

/* @path without what is behind the last dot of its name, in place */
static bool drop_extension(char *path)
{
	char *dot = strrchr(path, '.'), *slash = strrchr(path, '/');

	if (dot == NULL || (slash != NULL && dot < slash))
		return false;
	*dot = '\0';
	return true;
}

/* The name of the @n-th place to look at. False: there are no more. */
static bool description_path(const char *path, unsigned n, char *ret,
			     size_t size)
{
	char base[4096];
	char *slash;
	int len = snprintf(base, sizeof(base), "%s", path);

	if (len < 0 || (size_t)len >= sizeof(base))
		return false;
	if (n < 3) {
		for (unsigned i = 0; i < n; i++)
			if (!drop_extension(base))
				return description_path(path, 3, ret, size);
		len = snprintf(ret, size, "%s.umockdev", base);
	} else {
		slash = strrchr(base, '/');
		if (slash != NULL)
			slash[1] = '\0';
		len = snprintf(ret, size, "%sdevice", slash ? base : "");
	}
	return len > 0 && (size_t)len < size && n < 4;
}

static int from_description(const char *path, const struct capture_dev *cd,
			    struct replay_desc *d)
{
	const uint8_t *id = d->device[0] ? d->device + 8 : NULL;
	struct umockdev_dev u = {NULL, 0, USB_SPEED_NONE};
	char name[4200];
	int rc = -ENOENT;

	for (unsigned n = 0; rc != 0 && rc != -ENOMEM &&
			     description_path(path, n, name, sizeof(name));
	     n++)
		rc = umockdev_find(name, cd->bus, cd->addr, id, &u);
	if (rc < 0)
		return rc == -ENOMEM ? rc : 0; /* none: there need not be one */
	memcpy(d->device, u.bytes, REPLAY_DEVICE_LEN);
	rc = replay_add_configs(d, u.bytes + REPLAY_DEVICE_LEN,
				u.len - REPLAY_DEVICE_LEN);
	d->speed = u.speed;
	free(u.bytes);
	return rc;
}

/* --- its speed --- */

/* The largest packets, by type of endpoint, in all configurations */
static void packet_sizes(const struct replay_desc *d, uint16_t ret[4])
{
	for (unsigned i = 0; i < d->nconfigs; i++) {
		struct gadget_blob b = {d->config[i], d->config_len[i]};
		const uint8_t *p;
		size_t pos = 0;

		while ((p = gadget_next_desc(&b, &pos)) != NULL) {
			uint16_t mps;

			if (p[1] != USB_DT_ENDPOINT || p[0] < 7)
				continue;
			/* more than one packet a microframe: only at high */
			mps = get_le16(p + 4) & 0x1fff;
			if (mps > ret[p[3] & 3])
				ret[p[3] & 3] = mps;
		}
	}
}

/* USB 2.0 §5.5.3, §5.6.3, §5.7.3, §5.8.3; USB 3.2 §9.6.1 */
static enum usb_speed guess_speed(const struct replay_desc *d)
{
	uint16_t mps[4] = {0, 0, 0, 0};
	uint8_t mps0 = d->device[7];

	packet_sizes(d, mps);
	if (get_le16(d->device + 2) >= 0x0300 && mps0 == 9)
		return USB_SPEED_SUPER;
	if (mps[USB_BULK] > 64 || mps[USB_INTERRUPT] > 64 ||
	    mps[USB_ISOCH] > 1023)
		return USB_SPEED_HIGH;
	if (mps0 == 8 && mps[USB_BULK] == 0 && mps[USB_ISOCH] == 0 &&
	    mps[USB_INTERRUPT] <= 8)
		return USB_SPEED_LOW;
	return USB_SPEED_FULL;
}

/* --- which one --- */

static int describe(const struct replay *r, const char *path, uint32_t dev,
		    struct replay_desc *d)
{
	int rc;

	*d = (struct replay_desc){.nconfigs = 0};
	rc = from_capture(r->c, dev, d);
	if (rc == 0)
		rc = from_description(path, &r->c->devs[dev], d);
	if (rc < 0)
		replay_desc_free(d);
	return rc;
}

static bool has_more(const struct capture_dev *a, const struct capture_dev *b)
{
	return a->ndata != b->ndata ? a->ndata > b->ndata
				    : a->nxfers > b->nxfers;
}

/*
 * The one with descriptors that has most data; of those without, the one that
 * has most.
 */
static int choose(struct replay *r, const char *path, uint32_t *ret_dev)
{
	const struct capture *c = r->c;
	uint32_t best = CAPTURE_NONE;
	bool best_whole = false;

	for (uint32_t i = 0; i < c->ndevs; i++) {
		struct replay_desc d;
		bool whole, hub;
		int rc;

		if (c->devs[i].addr == 0)
			continue;
		rc = describe(r, path, i, &d);
		if (rc < 0)
			return rc;
		whole = is_whole(&d);
		hub = is_hub(&d);
		replay_desc_free(&d);
		if (hub || (best != CAPTURE_NONE && best_whole && !whole))
			continue;
		if (best == CAPTURE_NONE || (whole && !best_whole) ||
		    has_more(&c->devs[i], &c->devs[best])) {
			best = i;
			best_whole = whole;
		}
	}
	*ret_dev = best;
	return 0;
}

static int find_named(const struct replay *r, const struct replay_opt *o,
		      char *err, size_t errlen, uint32_t *ret_dev)
{
	const struct capture *c = r->c;
	int n;

	for (uint32_t i = 0; i < c->ndevs; i++) {
		if (c->devs[i].bus == o->bus && c->devs[i].addr == o->addr) {
			*ret_dev = i;
			return 0;
		}
	}
	n = snprintf(err, errlen,
		     "no device %u.%u in it: write dev= and one of", o->bus,
		     o->addr);
	for (uint32_t i = 0; i < c->ndevs && i < 16; i++)
		if (c->devs[i].addr != 0 && n > 0 && (size_t)n < errlen)
			n += snprintf(err + n, errlen - (size_t)n, " %u.%u",
				      c->devs[i].bus, c->devs[i].addr);
	return -ENODEV;
}

static int refuse(const struct replay *r, const struct replay_desc *d,
		  uint32_t dev, char *err, size_t errlen)
{
	const struct capture_dev *cd = &r->c->devs[dev];

	if (is_hub(d))
		snprintf(err, errlen,
			 "%u.%u is a hub: write dev= and a device behind it",
			 cd->bus, cd->addr);
	else
		snprintf(
			err, errlen,
			"it has no whole %s descriptor of %u.%u: put umockdev's"
			" description of that beside it, with the same name"
			" and .umockdev, or named device",
			d->nconfigs ? "device" : "configuration", cd->bus,
			cd->addr);
	return -EINVAL;
}

int replay_choose(struct replay *r, const struct replay_opt *o, char *err,
		  size_t errlen)
{
	uint32_t dev = CAPTURE_NONE;
	int rc;

	rc = o->addr != 0 ? find_named(r, o, err, errlen, &dev)
			  : choose(r, o->path, &dev);
	if (rc == 0 && dev == CAPTURE_NONE) {
		snprintf(err, errlen,
			 "no device in it but hubs: give another file");
		return -EINVAL;
	}
	if (rc == 0)
		rc = describe(r, o->path, dev, &r->desc);
	if (rc == -ENOMEM)
		snprintf(err, errlen, "out of memory: free some");
	if (rc < 0)
		return rc;
	if (!is_whole(&r->desc) || is_hub(&r->desc))
		return refuse(r, &r->desc, dev, err, errlen);
	r->capture_dev = (uint16_t)dev;
	if (o->speed != USB_SPEED_NONE)
		r->desc.speed = o->speed;
	else if (r->desc.speed == USB_SPEED_NONE)
		r->desc.speed = guess_speed(&r->desc);
	return 0;
}
