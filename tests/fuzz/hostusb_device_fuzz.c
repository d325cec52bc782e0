/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A physical device and the host under it, behind a port: transfers that end
 * in every way, with more bytes than were asked for, calls of libusb that
 * fail, requests that change the device's state, and the device leaving at any
 * moment. Each transfer ends once; nothing of libusb's is left.
 */
#include "tests/unit/pmapper_fake.h"

#include "tests/unit/hostusb_fake.h"

#include "tests/fuzz/fuzz.h"
#include "hostusb/attach.h"
#include "tests/unit/hostusb_rig.h"

#define NXFERS 64u

static const uint8_t eps[] = {0x01, 0x81, 0x02, 0x82, 0x03,
			      0x83, 0x04, 0x84, 0x05, 0x00};
static const enum usb_type types[] = {
	USB_BULK,  USB_BULK, USB_INTERRUPT, USB_INTERRUPT, USB_ISOCH,
	USB_ISOCH, USB_BULK, USB_BULK,      USB_BULK,      USB_CONTROL};

static struct usb_xfer *free_xfer(struct dev_rig *t, unsigned *ret_i)
{
	for (unsigned i = 0; i < NXFERS; i++)
		if (!t->rig->in_flight[i]) {
			*ret_i = i;
			return &t->rig->t[i];
		}
	return NULL;
}

static void submit(struct dev_rig *t, struct fuzz_in *in)
{
	unsigned i, e = in_u8(in) % sizeof(eps);
	uint16_t len = in_u16(in) % 1024;
	struct usb_xfer *x = free_xfer(t, &i);

	if (!x || !t->rig->x.port[1].ops)
		return;
	if (types[e] == USB_CONTROL) {
		uint8_t type = in_u8(in), request = in_u8(in) & 15;
		uint16_t value = in_u8(in), index = in_u8(in);

		dev_request(t, i, type, request, value & 0x83, index & 0x87,
			    len & 255);
	} else {
		dev_xfer(t, i, eps[e], types[e], len, in_u8(in) & 1);
	}
	if (types[e] == USB_ISOCH) {
		t->packet[i] = (struct usb_packet){.length = len};
		x->packet = &t->packet[i];
		x->npackets = 1;
	}
	rig_submit(t->rig, 1, x);
}

static void end(struct fuzz_in *in)
{
	uint8_t st = in_u8(in);
	int actual = (int16_t)in_u16(in);
	struct fake_urb *u;

	if (!fake.nurbs)
		return;
	u = fake.urb[in_u8(in) % fake.nurbs];
	for (int i = 0; i < u->lt.num_iso_packets; i++) {
		u->lt.iso_packet_desc[i].status =
			(enum libusb_transfer_status)(in_u8(in) % 8);
		u->lt.iso_packet_desc[i].actual_length = in_u16(in);
	}
	if (!(st & 0x80)) /* mostly what can be */
		actual = u->lt.length ? (actual & 0x7fff) % u->lt.length : 0;
	fake_lock();
	fake_end(u, (enum libusb_transfer_status)(st % 8), actual);
	fake_unlock(0);
}

static void host_fault(struct fuzz_in *in)
{
	static const int errors[] = {
		LIBUSB_ERROR_IO,       LIBUSB_ERROR_NO_DEVICE,
		LIBUSB_ERROR_NO_MEM,   LIBUSB_ERROR_BUSY,
		LIBUSB_ERROR_OTHER,    LIBUSB_ERROR_NOT_FOUND,
		LIBUSB_ERROR_OVERFLOW, LIBUSB_ERROR_ACCESS};
	uint8_t k = in_u8(in);

	fake_lock();
	fake.fail_with = errors[k & 7];
	fake.fail_at = fake.calls + 1 + (k >> 3);
	fake_unlock(0);
}

static void reset_port(struct dev_rig *t)
{
	const struct fake_port *p = &t->rig->x.port[1];

	if (!p->ops)
		return;
	t->rig->x.depth++;
	p->ops->reset(p->dev, false);
	t->rig->x.depth--;
}

static void cancel(struct dev_rig *t, struct fuzz_in *in)
{
	unsigned i = in_u8(in) % NXFERS;

	if (t->rig->in_flight[i] && t->rig->x.port[1].ops &&
	    !t->rig->t[i].dev_data)
		rig_cancel(t->rig, 1, &t->rig->t[i]);
}

static void step(struct dev_rig *t, struct fuzz_in *in)
{
	uint8_t op = in_u8(in);

	t->rig->x.told[0] = 0;
	host.log[0] = 0;
	switch (op & 15) {
	case 0 ... 5:
		submit(t, in);
		break;
	case 6 ... 9:
		end(in);
		break;
	case 10:
		host_fault(in);
		break;
	case 11:
		cancel(t, in);
		break;
	case 12:
		if (op >> 4 == 0 && fake.ndevs < FAKE_DEVS - 1) {
			if (t->dev->there)
				fake_unplug(t->dev);
			else
				t->dev = fake_plug_in(2);
		} else if (op >> 4 < 4) {
			reset_port(t);
		}
		break;
	case 13:
		dev_settle(t);
		break;
	default:
		dev_run(t);
	}
}

static void finish(struct dev_rig *t)
{
	fake.fail_at = fake.leave_at = 0;
	fake.may_lose = true;
	fake.hold_cancelled = false;
	dev_settle(t);
	hostusb_stop(t->h);
	pmapper_detach_all(t->rig->pm);
	dev_settle(t);
	dev_settle(t);
	hostusb_destroy(t->h);
	for (unsigned i = 0; i < FAKE_XFERS; i++)
		assert_false(t->rig->in_flight[i]);
	fake_assert_clean();
	rig_teardown((void **)&t->rig);
	free(t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz_in in = {data, len};
	void *state = NULL;
	struct dev_rig *t;

	dev_rig_setup(&state);
	t = state;
	t->dev->max_streams = 4;
	while (in.left)
		step(t, &in);
	finish(t);
	return 0;
}

void fuzz_seeds(const char *dir)
{
	uint8_t buf[200];
	uint32_t s = 7;

	for (unsigned n = 0; n < 30; n++) {
		fuzz_noise(buf, sizeof(buf), &s);
		fuzz_seed(dir, "random", n, buf, sizeof(buf));
	}
}
