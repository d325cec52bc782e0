/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * hostusb_rig.h - for the unit tests of a physical device's transfers, after
 * hostusb_fake.h: one device in port 1, and transfers of it.
 */
#ifndef TESTS_HOSTUSB_RIG_H
#define TESTS_HOSTUSB_RIG_H

#define DONE LIBUSB_TRANSFER_COMPLETED

struct dev_rig {
	struct rig *rig;
	struct hostusb *h;
	struct libusb_device *dev;
	uint8_t mem[65536]; /* payload of transfer i at i * 512 */
	struct usb_seg seg[FAKE_XFERS][3];
	struct usb_packet packet[FAKE_XFERS];
	enum hostusb_reset reset;
	bool unconfigured; /* as it is found */
};

static inline void dev_rig_start(struct dev_rig *t)
{
	struct hostusb_rule rule = {.name = "bus=1,port=2",
				    .match = {.kind = MATCH_PATH,
					      .bus = 1,
					      .path = {2},
					      .npath = 1},
				    .reset = t->reset};
	char err[128];

	t->dev = fake_add(2);
	if (t->unconfigured) {
		t->dev->config = 0;
		t->dev->drivers = 0;
	}
	assert_int_equal(hostusb_create(t->rig->pm, &host_ops, t, "the tests",
					err, sizeof(err), &t->h),
			 0);
	assert_int_equal(hostusb_add_rule(t->h, &rule, err, sizeof(err)), 0);
	fake_settle(t->rig, t->h);
	assert_non_null(t->rig->x.port[1].ops);
	t->rig->x.told[0] = 0;
	host.log[0] = 0;
}

static inline void dev_rig_stop(struct dev_rig *t)
{
	if (!t->h)
		return;
	hostusb_stop(t->h);
	pmapper_detach_all(t->rig->pm);
	fake_settle(t->rig, t->h);
	hostusb_destroy(t->h);
	t->h = NULL;
	for (unsigned i = 0; i < FAKE_XFERS; i++)
		assert_false(t->rig->in_flight[i]);
	fake_assert_clean();
}

static inline int dev_rig_setup(void **state)
{
	struct dev_rig *t = calloc(1, sizeof(*t));

	assert_non_null(t);
	fake_reset_host();
	rig_setup((void **)&t->rig);
	dev_rig_start(t);
	*state = t;
	return 0;
}

static inline int dev_rig_teardown(void **state)
{
	struct dev_rig *t = *state;

	dev_rig_stop(t);
	rig_teardown((void **)&t->rig);
	free(t);
	return 0;
}

static inline void dev_settle(struct dev_rig *t)
{
	fake_settle(t->rig, t->h);
}

/* Only what is there already: events, then completions. */
static inline void dev_run(struct dev_rig *t)
{
	hostusb_run(t->h, true);
	rig_run(t->rig);
}

/* Transfer @i, @len bytes of t->mem, in one run or in two. */
static inline struct usb_xfer *dev_xfer(struct dev_rig *t, unsigned i,
					uint8_t ep, enum usb_type type,
					uint32_t len, bool split)
{
	struct usb_xfer *x = &t->rig->t[i];
	uint8_t *base = t->mem + (size_t)(i * 512u) % sizeof(t->mem);

	memset(x, 0, sizeof(*x));
	x->ep = ep;
	x->type = (uint8_t)type;
	x->in = ep & USB_DIR_IN;
	x->length = len;
	x->seg = t->seg[i];
	x->seg[0] = (struct usb_seg){.base = base, .len = len};
	x->nseg = len ? 1 : 0;
	if (split) {
		x->seg[0].len = len / 3;
		x->seg[1] = (struct usb_seg){.base = base + len / 3 + 16,
					     .len = len - len / 3};
		x->nseg = 2;
	}
	return x;
}

static inline struct usb_xfer *dev_bulk(struct dev_rig *t, unsigned i,
					uint8_t ep)
{
	return dev_xfer(t, i, ep, USB_BULK, 512, false);
}

static inline struct usb_xfer *dev_request(struct dev_rig *t, unsigned i,
					   uint8_t type, uint8_t request,
					   uint16_t value, uint16_t index,
					   uint16_t len)
{
	struct usb_xfer *x = dev_xfer(t, i, 0, USB_CONTROL, len, false);

	x->in = type & USB_DIR_IN;
	x->setup = (struct usb_setup){type, request, value, index, len};
	return x;
}

static inline void dev_submit_ok(struct dev_rig *t, struct usb_xfer *x)
{
	int r = rig_submit(t->rig, 1, x);

	if (fake.fail_at || fake.leave_at)
		assert_true(r == 0 || r == -ENODEV);
	else
		assert_int_equal(r, 0);
}

static inline bool dev_is_done(const struct dev_rig *t,
			       const struct usb_xfer *x)
{
	return !t->rig->in_flight[x - t->rig->t];
}

#define assert_done(t, x, st, n)                              \
	do {                                                  \
		assert_true(dev_is_done((t), (x)));           \
		assert_int_equal((x)->status, (st));          \
		assert_int_equal((x)->actual, (uint32_t)(n)); \
	} while (0)

/* End the @i-th transfer that libusb has */
static inline void dev_end(struct dev_rig *t, unsigned i,
			   enum libusb_transfer_status status, int actual)
{
	assert_in_range(i, 0, fake.nurbs - 1);
	fake_end(fake.urb[i], status, actual);
	dev_run(t);
}

#endif
