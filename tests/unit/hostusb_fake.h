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

#include <libusb.h>
#include <pthread.h>
#include <unistd.h>

#include "hostusb/discover.h"
#include "hostusb/hostusb.h"
#include "hostusb/owner.h"
#include "hostusb/watcher.h"

#define FAKE_DEVS 12u
#define FAKE_URBS 1024u
#ifndef FAKE_OWNER
#define FAKE_OWNER "the tests"
#endif

struct libusb_device {
	int refs;
	bool there, announced;
	struct usb_info info;
	uint8_t config;  /* active */
	unsigned late;   /* looks at it until the host sets configuration 1 */
	uint32_t racing; /* interfaces that get a driver at the first claim */
	uint32_t ifaces;
	uint32_t drivers; /* interfaces with a kernel driver */
	uint32_t claimed;
	uint32_t other; /* interfaces another program has claimed */
	uint8_t alt[32];
	unsigned opens, resets, set_configs, clear_halts;
	uint8_t last_ep;
	unsigned max_streams;
};

struct libusb_device_handle {
	struct libusb_device *dev;
};

struct fake_urb {
	struct fake_urb *next;
	bool submitted, ended, cancelled;
	enum libusb_transfer_status status;
	int actual;
	uint32_t stream;
	struct libusb_transfer lt;
};

struct libusb_context {
	int unused;
};

/* The one host there is. Under the lock, but for what is said below. */
static struct fake_host {
	pthread_mutex_t lock;
	struct libusb_context ctx;
	struct libusb_device dev[FAKE_DEVS];
	unsigned ndevs;
	unsigned handles, transfers, inits; /* that there are */
	libusb_hotplug_callback_fn hotplug;
	void *hotplug_arg;
	libusb_pollfd_added_cb fd_added;
	libusb_pollfd_removed_cb fd_removed;
	void *fd_arg;

	/* call number @fail_at of those that can fail does, with @fail_with */
	unsigned calls, fail_at;
	int fail_with;
	unsigned leave_at; /* at that one device 0 is pulled */
	/* the next submissions fail with it */
	int submit_error;
	unsigned submit_errors;
	int reset_error, config_error;
	unsigned streams_made, streams_freed;
	uint32_t stream[FAKE_URBS]; /* of urb[], as they were submitted */
	bool may_lose;       /* a handle is closed with transfers in flight */
	bool hold_cancelled; /* the test ends what was cancelled */

	/* submitted and not ended, in order; loop's thread */
	struct fake_urb *urb[FAKE_URBS];
	unsigned nurbs;
	unsigned submits;
	/* ended, to be delivered by the next handling of events */
	struct fake_urb *done[FAKE_URBS];
	unsigned ndone;
	struct {
		struct libusb_device *dev;
		libusb_hotplug_event event;
	} event[32];
	unsigned nevents;

	/* owner.h and watcher.h */
	unsigned claims;
	const char *other_owner;
	uint32_t noted;
	unsigned forgets;
	bool watcher;
	int opener; /* watcher_open(): 0 opens, else its error or -ENOTSUP */
	struct libusb_device *node; /* what it opened last, or NULL */
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER};

static inline void fake_lock(void)
{
	pthread_mutex_lock(&fake.lock);
}

static inline int fake_unlock(int r)
{
	pthread_mutex_unlock(&fake.lock);
	return r;
}

/* An error this call is to return, or 0. Under the lock. */
static inline int fake_fails(void)
{
	if (++fake.calls == fake.leave_at)
		fake.dev[0].there = false;
	return fake.calls == fake.fail_at ? fake.fail_with : 0;
}

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

/* discover.h, owner.h and watcher.h without a host */

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

/* The test's side */

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
