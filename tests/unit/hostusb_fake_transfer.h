/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostusb_fake_transfer.h - part of hostusb_fake.h: libusb's transfers, and what
 * it tells: their ends, hot-plug, descriptors of files.
 */
#ifndef TESTS_HOSTUSB_FAKE_TRANSFER_H
#define TESTS_HOSTUSB_FAKE_TRANSFER_H

#include "tests/unit/hostusb_fake_host.h"

/* Transfers */

static inline struct fake_urb *fake_urb_of(struct libusb_transfer *lt)
{
	return (struct fake_urb *)(void *)((char *)lt -
					   offsetof(struct fake_urb, lt));
}

struct libusb_transfer *libusb_alloc_transfer(int packets)
{
	size_t size =
		sizeof(struct fake_urb) +
		(size_t)packets * sizeof(struct libusb_iso_packet_descriptor);
	struct fake_urb *u;

	fake_lock();
	if (fake_fails() != 0) {
		fake_unlock(0);
		return NULL;
	}
	u = calloc(1, size);
	assert_non_null(u);
	fake.transfers++;
	fake_unlock(0);
	return &u->lt;
}

void libusb_free_transfer(struct libusb_transfer *lt)
{
	if (!lt)
		return;
	assert_false(fake_urb_of(lt)->submitted);
	fake_lock();
	fake.transfers--;
	fake_unlock(0);
	free(fake_urb_of(lt));
}

void libusb_transfer_set_stream_id(struct libusb_transfer *lt, uint32_t id)
{
	fake_urb_of(lt)->stream = id;
}

int libusb_submit_transfer(struct libusb_transfer *lt)
{
	struct fake_urb *u = fake_urb_of(lt);
	int r = fake_call(lt->dev_handle);

	assert_false(u->submitted);
	assert_int_equal(lt->timeout, 0); /* the guest's business */
	if (r == 0 && lt->type == LIBUSB_TRANSFER_TYPE_CONTROL &&
	    lt->length - 8 > 4096)
		r = LIBUSB_ERROR_INVALID_PARAM;
	if (r == 0 && fake.submit_errors) {
		fake.submit_errors--;
		r = fake.submit_error;
	}
	if (r != 0)
		return fake_unlock(r);
	assert_in_range(fake.nurbs, 0, FAKE_URBS - 1);
	u->submitted = true;
	u->ended = false;
	u->cancelled = false;
	fake.stream[fake.nurbs] = u->stream;
	fake.urb[fake.nurbs++] = u;
	fake.submits++;
	return fake_unlock(0);
}

/* Bytes moved by a cancelled transfer; and of anything, as libusb reports */
static inline void fake_end(struct fake_urb *u,
			    enum libusb_transfer_status status, int actual)
{
	assert_true(u->submitted);
	if (u->ended)
		return;
	u->ended = true;
	u->status = status;
	u->actual = actual;
	assert_in_range(fake.ndone, 0, FAKE_URBS - 1);
	fake.done[fake.ndone++] = u;
}

int libusb_cancel_transfer(struct libusb_transfer *lt)
{
	struct fake_urb *u = fake_urb_of(lt);

	fake_lock();
	assert_true(u->submitted);
	if (u->ended || u->cancelled)
		return fake_unlock(LIBUSB_ERROR_NOT_FOUND);
	u->cancelled = true;
	if (!fake.hold_cancelled)
		fake_end(u, LIBUSB_TRANSFER_CANCELLED, 0);
	return fake_unlock(0);
}

static inline void fake_deliver(struct fake_urb *u)
{
	unsigned i;

	for (i = 0; i < fake.nurbs && fake.urb[i] != u; i++)
		;
	assert_in_range(i, 0, fake.nurbs - 1);
	memmove(&fake.urb[i], &fake.urb[i + 1],
		(fake.nurbs - i - 1) * sizeof(fake.urb[0]));
	fake.nurbs--;
	u->submitted = false;
	u->lt.status = u->status;
	u->lt.actual_length = u->actual;
	u->lt.callback(&u->lt);
}

int libusb_handle_events_timeout_completed(libusb_context *ctx,
					   struct timeval *tv, int *completed)
{
	int r;

	(void)ctx;
	assert_null(completed);
	assert_int_equal(tv->tv_sec + tv->tv_usec, 0); /* never wait */
	fake_lock();
	r = fake_fails();
	fake_unlock(0);
	if (r != 0)
		return r;
	for (unsigned i = 0; fake.hotplug && i < fake.nevents; i++)
		fake.hotplug(ctx, fake.event[i].dev, fake.event[i].event,
			     fake.hotplug_arg);
	fake.nevents = 0;
	while (fake.ndone) {
		struct fake_urb *u = fake.done[0];

		fake.ndone--;
		memmove(&fake.done[0], &fake.done[1],
			fake.ndone * sizeof(fake.done[0]));
		fake_deliver(u);
	}
	return 0;
}

/* Descriptors of files and hot-plug */

static const struct libusb_pollfd fake_pollfd = {.fd = 7, .events = 1};

const struct libusb_pollfd **libusb_get_pollfds(libusb_context *ctx)
{
	const struct libusb_pollfd **list;
	int r;

	(void)ctx;
	fake_lock();
	r = fake_fails();
	fake_unlock(0);
	if (r != 0)
		return NULL;
	list = calloc(2, sizeof(*list));
	assert_non_null(list);
	list[0] = &fake_pollfd;
	return list;
}

void libusb_free_pollfds(const struct libusb_pollfd **list)
{
	free(list);
}

void libusb_set_pollfd_notifiers(libusb_context *ctx,
				 libusb_pollfd_added_cb added,
				 libusb_pollfd_removed_cb removed, void *arg)
{
	(void)ctx;
	fake.fd_added = added;
	fake.fd_removed = removed;
	fake.fd_arg = arg;
}

int libusb_pollfds_handle_timeouts(libusb_context *ctx)
{
	(void)ctx;
	return 1;
}

int libusb_get_next_timeout(libusb_context *ctx, struct timeval *tv)
{
	(void)ctx;
	(void)tv;
	return 0;
}

int libusb_hotplug_register_callback(libusb_context *ctx, int events, int flags,
				     int vid, int pid, int cls,
				     libusb_hotplug_callback_fn fn, void *arg,
				     libusb_hotplug_callback_handle *ret)
{
	int r;

	(void)events;
	(void)vid;
	(void)pid;
	(void)cls;
	fake_lock();
	r = fake_fails();
	fake_unlock(0);
	if (r != 0)
		return r;
	assert_int_equal(flags, LIBUSB_HOTPLUG_ENUMERATE);
	fake.hotplug = fn;
	fake.hotplug_arg = arg;
	*ret = 1;
	for (unsigned i = 0; i < fake.ndevs; i++)
		if (fake.dev[i].there)
			fn(ctx, &fake.dev[i],
			   LIBUSB_HOTPLUG_EVENT_DEVICE_ARRIVED, arg);
	return 0;
}

void libusb_hotplug_deregister_callback(libusb_context *ctx,
					libusb_hotplug_callback_handle handle)
{
	(void)ctx;
	assert_int_equal(handle, 1);
	fake.hotplug = NULL;
}

#endif
