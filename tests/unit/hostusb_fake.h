/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostusb_fake.h - for the unit tests of physical devices, included once by
 * each, after pmapper_fake.h (the controller): a libusb with a host of a few
 * devices, that does what the test says, and the parts of hostusb/ that look
 * at the real host. Any call can be made to fail; transfers end when and how
 * the test wants. It fails the test when it is used as libusb may not be.
 */
#ifndef TESTS_HOSTUSB_FAKE_H
#define TESTS_HOSTUSB_FAKE_H

#include "hostusb/hostusb.h"
#include "tests/unit/hostusb_fake_device.h"
#include "tests/unit/hostusb_fake_parts.h"
#include "tests/unit/hostusb_fake_transfer.h"

/* A high speed device at bus 1, port @port, 1d6b:0100 + @port */
static inline struct libusb_device *fake_add(uint8_t port)
{
	struct libusb_device *d = &fake.dev[fake.ndevs];

	assert_in_range(fake.ndevs, 0, FAKE_DEVS - 1);
	fake.ndevs++;
	memset(d, 0, sizeof(*d));
	d->there = true;
	d->config = 1;
	d->drivers = 3;
	d->info = (struct usb_info){.bus = 1,
				    .addr = (uint8_t)(10 + fake.ndevs),
				    .path = {port},
				    .npath = 1,
				    .speed = USB_SPEED_HIGH,
				    .vid = 0x1d6b,
				    .pid = (uint16_t)(0x100 + port)};
	return d;
}

static inline void fake_event(struct libusb_device *d,
			      libusb_hotplug_event event)
{
	fake.event[fake.nevents].dev = d;
	fake.event[fake.nevents++].event = event;
}

/* It is pulled: as on Linux its transfers end, and the event comes. */
static inline void fake_unplug(struct libusb_device *d)
{
	fake_lock();
	d->there = false;
	for (unsigned i = 0; i < fake.nurbs; i++)
		if (fake.urb[i]->lt.dev_handle->dev == d)
			fake_end(fake.urb[i], LIBUSB_TRANSFER_NO_DEVICE, 0);
	fake_unlock(0);
	fake_event(d, LIBUSB_HOTPLUG_EVENT_DEVICE_LEFT);
}

static inline struct libusb_device *fake_plug_in(uint8_t port)
{
	struct libusb_device *d = fake_add(port);

	fake_event(d, LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED);
	return d;
}

/* struct hostusb_host_ops, counted in a rig of this test's */
static struct {
	int watched;
	atomic_uint wakes;
	char log[4096];
} host;

static inline void host_fd_watch(void *arg, int fd, short events)
{
	(void)arg;
	assert_int_equal(fd, 7);
	host.watched = events;
}

static inline void host_wake(void *arg)
{
	(void)arg;
	atomic_fetch_add(&host.wakes, 1);
}

static inline void host_log(void *arg, enum xhci_log level, const char *line)
{
	size_t n = strlen(host.log);

	(void)arg;
	(void)level;
	snprintf(host.log + n, sizeof(host.log) - n, "%s\n", line);
}

static const struct hostusb_host_ops host_ops = {
	.fd_watch = host_fd_watch,
	.wake = host_wake,
	.log = host_log,
};

struct fake_marker {
	struct pm_work work;
	bool done;
};

static inline void fake_marker_run(struct pm_work *w)
{
	(void)w;
}

static inline void fake_marker_done(struct pm_work *w)
{
	((struct fake_marker *)(void *)w)->done = true;
}

/*
 * Let everything happen that happens by itself: what is queued is delivered,
 * and the worker, which does its jobs in order, has come to the marker behind
 * them, as often as a job leads to the next.
 */
static inline void fake_settle(struct rig *rig, struct hostusb *h)
{
	struct timespec us50 = {0, 50000};

	for (unsigned i = 0; i < 4; i++) {
		struct fake_marker m = {.work = {.run = fake_marker_run,
						 .done = fake_marker_done}};

		hostusb_run(h, true);
		rig_run(rig);
		hostusb_run(h, true);
		assert_int_equal(pm_work_submit(rig->pm, &m.work), 0);
		while (!m.done) {
			rig_run(rig);
			nanosleep(&us50, NULL);
		}
		hostusb_run(h, true);
		rig_run(rig);
	}
}

static inline void fake_reset_host(void)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	memset(&fake, 0, sizeof(fake));
	fake.opener = -ENOTSUP;
	fake.lock = lock;
	memset(&host, 0, sizeof(host));
}

/* Nothing is left of what was ever taken */
static inline void fake_assert_clean(void)
{
	assert_int_equal(fake.handles, 0);
	assert_int_equal(fake.transfers, 0);
	assert_int_equal(fake.inits, 0);
	assert_int_equal(fake.claims, 0);
	assert_int_equal(fake.noted, 0);
	assert_int_equal(host.watched, 0);
	assert_false(fake.watcher);
	for (unsigned i = 0; i < fake.ndevs; i++) {
		assert_int_equal(fake.dev[i].refs, 0);
		assert_int_equal(fake.dev[i].opens, 0);
	}
}

#endif
