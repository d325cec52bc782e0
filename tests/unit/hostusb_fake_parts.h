/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostusb_fake_parts.h - part of hostusb_fake.h: discover.h, owner.h and
 * watcher.h without a host.
 */
#ifndef TESTS_HOSTUSB_FAKE_PARTS_H
#define TESTS_HOSTUSB_FAKE_PARTS_H

#include <unistd.h>

#include "hostusb/discover.h"
#include "hostusb/owner.h"
#include "hostusb/watcher.h"
#include "tests/unit/hostusb_fake_host.h"

int discover_info(struct libusb_device *dev, struct usb_info *ret)
{
	int r;

	fake_lock();
	r = fake_fails() ? -EIO : 0;
	if (r == 0)
		*ret = dev->info;
	return fake_unlock(r);
}

struct owner_claim {
	int unused;
};

int owner_claim(const struct usb_info *i, const char *owner, char *who,
		size_t wholen, struct owner_claim **ret)
{
	static struct owner_claim claim;

	(void)i;
	assert_memory_equal(owner, FAKE_OWNER, strlen(FAKE_OWNER));
	if (fake.other_owner) {
		snprintf(who, wholen, "%s", fake.other_owner);
		return -EBUSY;
	}
	fake.claims++;
	*ret = &claim;
	return 0;
}

void owner_release(struct owner_claim *c)
{
	if (c)
		fake.claims--;
}

int watcher_start(struct watcher **ret)
{
	fake.watcher = true;
	*ret = NULL;
	return 0;
}

int watcher_start_opener(const struct watcher_policy *p, struct watcher **ret)
{
	(void)p;
	return watcher_start(ret);
}

int watcher_open(struct watcher *w, const struct usb_info *i)
{
	int r;

	(void)w;
	fake_lock();
	r = fake.opener ? fake.opener : fake_fails() ? -EIO : 0;
	for (unsigned n = 0; r == 0 && n < fake.ndevs; n++)
		if (fake.dev[n].info.addr == i->addr)
			fake.node = &fake.dev[n];
	return fake_unlock(r ? r : dup(STDERR_FILENO));
}

void watcher_stop(struct watcher *w)
{
	(void)w;
	fake.watcher = false;
}

void watcher_note(struct watcher *w, const struct usb_info *i, uint32_t mask)
{
	(void)w;
	(void)i;
	fake_lock();
	fake.noted |= mask;
	fake_unlock(0);
}

void watcher_note_config(struct watcher *w, const struct usb_info *i,
			 uint8_t config)
{
	(void)w;
	(void)i;
	(void)config;
}

void watcher_forget(struct watcher *w, const struct usb_info *i)
{
	(void)w;
	(void)i;
	fake_lock();
	fake.noted = 0;
	fake.forgets++;
	fake_unlock(0);
}

#endif
