/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostusb_fake_device.h - part of hostusb_fake.h: libusb's lists, descriptors and
 * handles.
 */
#ifndef TESTS_HOSTUSB_FAKE_DEVICE_H
#define TESTS_HOSTUSB_FAKE_DEVICE_H

#include "tests/unit/hostusb_fake_host.h"

/* Lists and descriptors */

int libusb_init(libusb_context **ctx)
{
	int r;

	fake_lock();
	r = fake_fails();
	if (r == 0) {
		fake.inits++;
		*ctx = &fake.ctx;
	}
	return fake_unlock(r);
}

void libusb_exit(libusb_context *ctx)
{
	assert_ptr_equal(ctx, &fake.ctx);
	fake.inits--;
}

const char *libusb_strerror(int r)
{
	(void)r;
	return "fake error";
}

int libusb_has_capability(uint32_t cap)
{
	return cap == LIBUSB_CAP_HAS_HOTPLUG ||
	       cap == LIBUSB_CAP_HAS_CAPABILITY;
}

libusb_device *libusb_ref_device(libusb_device *dev)
{
	fake_lock();
	dev->refs++;
	fake_unlock(0);
	return dev;
}

void libusb_unref_device(libusb_device *dev)
{
	fake_lock();
	assert_true(dev->refs > 0);
	dev->refs--;
	fake_unlock(0);
}

ssize_t libusb_get_device_list(libusb_context *ctx, libusb_device ***list)
{
	(void)ctx;
	(void)list;
	return 0;
}

void libusb_free_device_list(libusb_device **list, int unref)
{
	(void)list;
	(void)unref;
}

/*
 * Configuration 1 has interface 0 with endpoints 01, 81 (bulk), 02, 82
 * (interrupt), 03, 83 (isochronous, in setting 1 only) and interface 1 with
 * 04, 84 (bulk); configuration 2 has interface 0 with 81 (bulk).
 */
#define FAKE_EP(a, t, m)                                                     \
	{                                                                    \
		.bLength = 7, .bDescriptorType = 5, .bEndpointAddress = (a), \
		.bmAttributes = (t), .wMaxPacketSize = (m), .bInterval = 1   \
	}
static const struct libusb_endpoint_descriptor fake_eps0[] = {
	FAKE_EP(0x01, 2, 512), FAKE_EP(0x81, 2, 512),
	FAKE_EP(0x02, 3, 64),  FAKE_EP(0x82, 3, 64),
	FAKE_EP(0x03, 1, 192), FAKE_EP(0x83, 1, 0x1000 | 1024),
};
static const struct libusb_endpoint_descriptor fake_eps1[] = {
	FAKE_EP(0x04, 2, 512),
	FAKE_EP(0x84, 2, 512),
};
static const struct libusb_interface_descriptor fake_alts0[] = {
	{.bInterfaceNumber = 0, .bNumEndpoints = 4, .endpoint = fake_eps0},
	{.bInterfaceNumber = 0,
	 .bAlternateSetting = 1,
	 .bNumEndpoints = 6,
	 .endpoint = fake_eps0},
};
static const struct libusb_interface_descriptor fake_alts1[] = {
	{.bInterfaceNumber = 1, .bNumEndpoints = 2, .endpoint = fake_eps1},
};
static const struct libusb_interface_descriptor fake_alts2[] = {
	{.bInterfaceNumber = 0, .bNumEndpoints = 1, .endpoint = &fake_eps0[1]},
};
static const struct libusb_interface fake_ifaces1[] = {
	{.altsetting = fake_alts0, .num_altsetting = 2},
	{.altsetting = fake_alts1, .num_altsetting = 1},
};
static const struct libusb_interface fake_ifaces2[] = {
	{.altsetting = fake_alts2, .num_altsetting = 1},
};

int libusb_get_active_config_descriptor(libusb_device *dev,
					struct libusb_config_descriptor **ret)
{
	struct libusb_config_descriptor *d;
	int r;

	fake_lock();
	r = fake_fails();
	if (r == 0 && dev->late && --dev->late == 0) {
		dev->config = 1;
		dev->drivers = 3;
	}
	if (r == 0 && dev->config == 0)
		r = LIBUSB_ERROR_NOT_FOUND;
	if (r != 0)
		return fake_unlock(r);
	d = calloc(1, sizeof(*d));
	assert_non_null(d);
	d->bConfigurationValue = dev->config;
	d->bNumInterfaces = dev->config == 1 ? 2 : 1;
	d->interface = dev->config == 1 ? fake_ifaces1 : fake_ifaces2;
	*ret = d;
	return fake_unlock(0);
}

void libusb_free_config_descriptor(struct libusb_config_descriptor *d)
{
	free(d);
}

int libusb_get_ss_endpoint_companion_descriptor(
	libusb_context *ctx, const struct libusb_endpoint_descriptor *ep,
	struct libusb_ss_endpoint_companion_descriptor **ret)
{
	(void)ctx;
	(void)ep;
	(void)ret;
	return LIBUSB_ERROR_NOT_FOUND;
}

void libusb_free_ss_endpoint_companion_descriptor(
	struct libusb_ss_endpoint_companion_descriptor *c)
{
	(void)c;
}

/* Handles: what blocks in libusb must not be called on the loop's thread */

static inline int fake_open(libusb_device *dev, libusb_device_handle **ret)
{
	libusb_device_handle *h;
	int r;

	fake_lock();
	r = fake_fails();
	if (r == 0 && !dev->there)
		r = LIBUSB_ERROR_NO_DEVICE;
	if (r != 0)
		return fake_unlock(r);
	h = calloc(1, sizeof(*h));
	assert_non_null(h);
	h->dev = dev;
	dev->refs++;
	dev->opens++;
	fake.handles++;
	*ret = h;
	return fake_unlock(0);
}

int libusb_open(libusb_device *dev, libusb_device_handle **ret)
{
	return fake_open(dev, ret);
}

int libusb_wrap_sys_device(libusb_context *ctx, intptr_t fd,
			   libusb_device_handle **ret)
{
	(void)ctx;
	(void)fd;
	return fake_open(fake.node ? fake.node : &fake.dev[0], ret);
}

libusb_device *libusb_get_device(libusb_device_handle *h)
{
	return h->dev;
}

void libusb_close(libusb_device_handle *h)
{
	fake_lock();
	h->dev->claimed = 0;
	h->dev->refs--;
	h->dev->opens--;
	fake.handles--;
	for (unsigned i = 0; i < fake.nurbs;) {
		struct fake_urb *u = fake.urb[i];

		if (u->lt.dev_handle != h) {
			i++;
			continue;
		}
		assert_true(fake.may_lose); /* its callback never comes */
		u->submitted = false;
		fake.urb[i] = fake.urb[--fake.nurbs];
	}
	fake_unlock(0);
	free(h);
}

/* For the calls that follow: 0, or why not. Takes the lock. */
static inline int fake_call(libusb_device_handle *h)
{
	int r;

	fake_lock();
	r = fake_fails();
	return r == 0 && !h->dev->there ? LIBUSB_ERROR_NO_DEVICE : r;
}

int libusb_kernel_driver_active(libusb_device_handle *h, int n)
{
	int r = fake_call(h);

	if (r == 0)
		r = (h->dev->drivers >> n) & 1;
	return fake_unlock(r);
}

int libusb_detach_kernel_driver(libusb_device_handle *h, int n)
{
	int r = fake_call(h);

	if (r == 0) {
		assert_true(fake.noted & 1u << n); /* before, not after */
		h->dev->drivers &= ~(1u << n);
	}
	return fake_unlock(r);
}

int libusb_attach_kernel_driver(libusb_device_handle *h, int n)
{
	int r = fake_call(h);

	if (r == 0 && (h->dev->claimed & 1u << n))
		r = LIBUSB_ERROR_BUSY;
	if (r == 0)
		h->dev->drivers |= 1u << n;
	return fake_unlock(r);
}

int libusb_claim_interface(libusb_device_handle *h, int n)
{
	int r = fake_call(h);

	if (r == 0 && (h->dev->racing & 1u << n)) {
		h->dev->racing &= ~(1u << n);
		h->dev->drivers |= 1u << n;
	}
	if (r == 0 && ((h->dev->drivers | h->dev->other) & 1u << n))
		r = LIBUSB_ERROR_BUSY;
	if (r == 0)
		h->dev->claimed |= 1u << n;
	return fake_unlock(r);
}

int libusb_release_interface(libusb_device_handle *h, int n)
{
	int r = fake_call(h);

	assert_true(h->dev->claimed & 1u << n);
	h->dev->claimed &= ~(1u << n);
	h->dev->alt[n] = 0;
	return fake_unlock(r);
}

/* As Linux: claims and drivers forbid it, drivers bind by themselves */
int libusb_set_configuration(libusb_device_handle *h, int value)
{
	int r = fake_call(h);

	if (r == 0)
		r = fake.config_error;
	if (r == 0 && (h->dev->claimed | h->dev->drivers))
		r = LIBUSB_ERROR_BUSY;
	if (r == 0 && (value == 0 || value > 2))
		r = LIBUSB_ERROR_NOT_FOUND;
	if (r == 0) {
		if (h->dev->config != (value < 0 ? 0 : value))
			h->dev->drivers = value == 1 ? 3 : value == 2 ? 1 : 0;
		h->dev->config = (uint8_t)(value < 0 ? 0 : value);
		h->dev->set_configs++;
		memset(h->dev->alt, 0, sizeof(h->dev->alt));
	}
	return fake_unlock(r);
}

int libusb_set_interface_alt_setting(libusb_device_handle *h, int n, int alt)
{
	int r = fake_call(h);

	if (r == 0 && !(h->dev->claimed & 1u << n))
		r = LIBUSB_ERROR_NOT_FOUND;
	if (r == 0 && alt > (n == 0))
		r = LIBUSB_ERROR_NOT_FOUND;
	if (r == 0)
		h->dev->alt[n] = (uint8_t)alt;
	return fake_unlock(r);
}

int libusb_clear_halt(libusb_device_handle *h, unsigned char ep)
{
	int r = fake_call(h);

	if (r == 0) {
		h->dev->clear_halts++;
		h->dev->last_ep = ep;
	}
	return fake_unlock(r);
}

int libusb_reset_device(libusb_device_handle *h)
{
	int r = fake_call(h);

	if (r == 0)
		r = fake.reset_error;
	if (r == LIBUSB_ERROR_NOT_FOUND)
		h->dev->there = false;
	if (r == 0) {
		h->dev->resets++;
		memset(h->dev->alt, 0, sizeof(h->dev->alt));
	}
	return fake_unlock(r);
}

int libusb_alloc_streams(libusb_device_handle *h, uint32_t n,
			 unsigned char *eps, int neps)
{
	int r = fake_call(h);

	(void)eps;
	assert_int_equal(neps, 1);
	if (r == 0 && h->dev->max_streams == 0)
		r = LIBUSB_ERROR_NOT_SUPPORTED;
	if (r == 0)
		r = (int)(n < h->dev->max_streams ? n : h->dev->max_streams);
	fake.streams_made += r > 0;
	return fake_unlock(r);
}

int libusb_free_streams(libusb_device_handle *h, unsigned char *eps, int neps)
{
	int r = fake_call(h);

	(void)eps;
	assert_int_equal(neps, 1);
	fake.streams_freed += r == 0;
	return fake_unlock(r);
}

#endif
