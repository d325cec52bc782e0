/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capture SPEED FILE - a guest's driver uses the device zero in every way that
 * it can be used in, and vxhci captures it: the captures zero-*.pcapng of
 * fixtures/captures/, which tests/trace/capture.sh makes.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/bytes.h"
#include "devices/gadget.h"
#include "tests/lib/gdrv_vx.h"
#include "vmm/embed.h"

#define TRB_SIA (1u << 31)
#define PAGE 4096u
#define ISO_TDS 12u
#define ISO_MAX 200u  /* bytes a service interval */
#define CC_OVERRUN 31 /* Isoch Buffer Overrun */
#define FAULTS 6u     /* kinds of them, see fault[] */

/* DCIs of the pairs of endpoints: bulk, isochronous, interrupt */
enum { BULK = 2, ISO = 4, INTR = 6, IN = 1 };
enum { SOURCE_SINK = 3, LOOPBACK = 2 }; /* configurations */

static struct guestmem gm;
static struct gdrv_vx e;
static struct gdrv d;
static struct gdrv_dev *v;
static uint64_t page;
static enum usb_speed speed;

/* What goes wrong on the way, to the transfers of one endpoint */
static struct {
	uint8_t ep;      /* 0: none */
	unsigned n;      /* transfers that have ended there */
	uint32_t actual; /* bytes that come through all the same */
} faulty;
static const struct fault {
	enum usb_status status;
	int cc;
} fault[FAULTS] = {
	{USB_OK, CC_SUCCESS},      {USB_ERROR, CC_TRANSACTION},
	{USB_BABBLE, CC_BABBLE},   {USB_MISSED, CC_MISSED_SERVICE},
	{USB_OVERRUN, CC_OVERRUN}, {USB_OK, CC_SUCCESS},
};

void __real_usb_dev_complete(struct usb_dev *dev, struct usb_xfer *t,
			     enum usb_status status, uint32_t actual);
void __wrap_usb_dev_complete(struct usb_dev *dev, struct usb_xfer *t,
			     enum usb_status status, uint32_t actual);

/* The bus between zero and its port: nothing else of zero's goes wrong. */
void __wrap_usb_dev_complete(struct usb_dev *dev, struct usb_xfer *t,
			     enum usb_status status, uint32_t actual)
{
	const struct fault *f = &fault[faulty.n % FAULTS];

	if (!faulty.ep || t->ep != faulty.ep || status != USB_OK) {
		__real_usb_dev_complete(dev, t, status, actual);
		return;
	}
	faulty.n++;
	if (f->status != USB_OK) {
		bool none = f->status == USB_MISSED;

		actual = none ? 0 : faulty.actual;
		if (t->npackets) {
			t->packet[0].status = f->status;
			t->packet[0].actual = actual;
		} else {
			status = f->status;
		}
	}
	__real_usb_dev_complete(dev, t, status, actual);
}

static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "capture: %s (%s)\n", what, d.err);
	exit(1);
}

/* A request, which must end so; a short answer is a good one. */
static void control(int cc, uint8_t rt, uint8_t req, uint16_t value,
		    uint16_t index, uint16_t len)
{
	const uint8_t s[8] = {rt,
			      req,
			      (uint8_t)value,
			      (uint8_t)(value >> 8),
			      (uint8_t)index,
			      (uint8_t)(index >> 8),
			      (uint8_t)len,
			      (uint8_t)(len >> 8)};
	int got = gdrv_control(v, OS_LINUX, s, page, NULL);

	if (got == CC_SHORT_PACKET)
		got = CC_SUCCESS;
	if (got != cc)
		fprintf(stderr, "capture: request %02x: code %d, not %d\n", req,
			got, cc);
	must(got == cc, "a request");
	if (cc != CC_STALL)
		return;
	must(gdrv_reset_ep(v, 1, false) == CC_SUCCESS, "Reset Endpoint");
	must(gdrv_set_dequeue(v, 1, 0) == CC_SUCCESS, "Set TR Dequeue");
	v->ring[1]->state = RING_RUNNING;
}

static void descriptors(void)
{
	uint16_t total;

	control(CC_SUCCESS, 0x80, 6, 0x0100, 0, 8);
	control(CC_SUCCESS, 0x80, 6, 0x0100, 0, 18);
	control(CC_SUCCESS, 0x80, 6, 0x0200, 0, 9);
	total = get_le16(guestmem_ptr(&gm, page + 2, 2));
	control(CC_SUCCESS, 0x80, 6, 0x0200, 0, total);
	control(CC_SUCCESS, 0x80, 6, 0x0201, 0, 9);
	total = get_le16(guestmem_ptr(&gm, page + 2, 2));
	control(CC_SUCCESS, 0x80, 6, 0x0201, 0, total);
	for (uint16_t i = 0; i <= 3; i++)
		control(CC_SUCCESS, 0x80, 6, 0x0300 | i, i ? 0x0409 : 0, 255);
	if (speed == USB_SPEED_SUPER)
		control(CC_SUCCESS, 0x80, 6, 0x0f00, 0, 255);
	control(CC_STALL, 0x80, 6, 0x2900, 0, 64); /* it is no hub */
}

static void configure(unsigned dci, uint8_t type, uint16_t mps,
		      uint8_t interval)
{
	struct gdrv_epcfg ep[2];

	for (unsigned in = 0; in < 2; in++)
		ep[in] = (struct gdrv_epcfg){
			.dci = (uint8_t)(dci + in),
			.type = (uint8_t)(type + 4 * in),
			.mps = mps,
			.interval = interval,
			.max_esit = type == EPT_BULK_OUT ? 0 : mps,
		};
	must(gdrv_configure(v, ep, 2) == CC_SUCCESS, "Configure Endpoint");
}

static uint32_t post(unsigned dci, uint64_t gpa, uint32_t len)
{
	struct gdrv_trb t = {
		.type = dci / 2 == ISO / 2 ? TRB_ISOCH : TRB_NORMAL,
		.ptr = gpa,
		.len = len,
		.flags = TRB_IOC | (dci & 1 ? TRB_ISP : 0) |
			 (dci / 2 == ISO / 2 ? TRB_SIA : 0),
	};
	uint32_t td;

	must(gdrv_post(v->ring[dci], &t, 1, &td) == 0, "a full ring");
	return td;
}

static void end(unsigned dci, uint32_t td, int cc)
{
	must(gdrv_wait(&d, v->ring[dci], td, 2000) == 0, "no end");
	must(gdrv_td(v->ring[dci], td)->cc == cc, "another code");
}

static void ring(unsigned dci)
{
	gdrv_doorbell(&d, v->slot, dci, 0);
	gdrv_pump(&d);
}

static void transfer(unsigned dci, uint32_t len, int cc)
{
	uint32_t td = post(dci, page, len);

	ring(dci);
	end(dci, td, cc);
}

static uint16_t bulk_mps(void)
{
	return speed == USB_SPEED_SUPER  ? 1024
	       : speed == USB_SPEED_HIGH ? 512
					 : 64;
}

static void recover(unsigned dci)
{
	must(gdrv_reset_ep(v, dci, false) == CC_SUCCESS, "a reset");
	must(gdrv_set_dequeue(v, dci, 0) == CC_SUCCESS, "a dequeue");
	v->ring[dci]->state = RING_RUNNING;
}

/* No answer, at the second transfer; and on with it. */
static void no_answer(unsigned dci, uint32_t len, uint32_t actual)
{
	faulty.ep = (uint8_t)(dci / 2 | (dci & 1 ? USB_DIR_IN : 0));
	faulty.n = 0;
	faulty.actual = actual;
	transfer(dci, len, CC_SUCCESS);
	transfer(dci, len, CC_TRANSACTION);
	faulty.ep = 0;
	recover(dci);
	transfer(dci, len, CC_SUCCESS);
}

/* Whole and odd lengths, none; a halt, which is cleared. */
static void bulk(void)
{
	static const uint32_t lens[] = {512, 1, 2048, 0, 1000};

	control(CC_SUCCESS, 0, 9, SOURCE_SINK, 0, 0);
	configure(BULK, EPT_BULK_OUT, bulk_mps(), 0);
	for (unsigned i = 0; i < 5; i++) {
		guestmem_set(&gm, page, 0, PAGE); /* the pattern it takes */
		transfer(BULK, lens[i], CC_SUCCESS);
		transfer(BULK + IN, lens[i], CC_SUCCESS);
	}
	control(CC_SUCCESS, 0x02, 3, 0, 0x81, 0);
	transfer(BULK + IN, 512, CC_STALL);
	recover(BULK + IN);
	control(CC_SUCCESS, 0x02, 1, 0, 0x81, 0);
	transfer(BULK + IN, 512, CC_SUCCESS);
	for (uint32_t i = 0; i < 256; i++)
		*(uint8_t *)guestmem_ptr(&gm, page + i, 1) = (uint8_t)(3 * i);
	control(CC_SUCCESS, 0x40, 0x5b, 0, 0, 200);
	guestmem_set(&gm, page, 0, PAGE);
	control(CC_SUCCESS, 0xc0, 0x5c, 0, 0, 200);
	no_answer(BULK + IN, 3 * bulk_mps(), bulk_mps());
	guestmem_set(&gm, page, 0, PAGE);
	no_answer(BULK, 2 * bulk_mps(), bulk_mps());
}

static void drop_isoch(void)
{
	must(gdrv_drop_ep(v, ISO) == CC_SUCCESS, "Drop");
	must(gdrv_drop_ep(v, ISO + IN) == CC_SUCCESS, "Drop");
}

static void isoch(void)
{
	uint32_t out[ISO_TDS], in[ISO_TDS];

	control(CC_SUCCESS, 1, 11, 1, 0, 0);
	configure(ISO, EPT_ISOCH_OUT, ISO_MAX, 3);
	guestmem_set(&gm, page, 0, PAGE);
	for (uint32_t i = 0; i < ISO_TDS; i++) {
		out[i] = post(ISO, page, 200 - 8 * i);
		in[i] = post(ISO + IN, page, 100 + 4 * i);
	}
	ring(ISO);
	ring(ISO + IN);
	for (uint32_t i = 0; i < ISO_TDS; i++) {
		end(ISO, out[i], CC_SUCCESS);
		end(ISO + IN, in[i], CC_SUCCESS);
	}
}

/* Packets that come damaged, too long, too late, or not at all */
static void isoch_errors(bool in)
{
	unsigned dci = in ? ISO + IN : ISO;
	uint32_t td[2 * FAULTS];

	faulty.ep = (uint8_t)(dci / 2 | (in ? USB_DIR_IN : 0));
	faulty.n = 0;
	faulty.actual = in ? 24 : 0;
	for (uint32_t i = 0; i < 2 * FAULTS; i++)
		td[i] = post(dci, page, i < FAULTS ? ISO_MAX : 96 + 4 * i);
	ring(dci);
	for (uint32_t i = 0; i < 2 * FAULTS; i++) {
		int cc = fault[i % FAULTS].cc;

		/* §6.4.5: it has less room than may come */
		if (in && i >= FAULTS && cc == CC_BABBLE)
			cc = CC_OVERRUN;
		end(dci, td[i], cc);
	}
	faulty.ep = 0;
}

static void interrupts(void)
{
	control(CC_SUCCESS, 1, 11, 2, 0, 0);
	configure(INTR, EPT_INTR_OUT, 64, 3);
	guestmem_set(&gm, page, 0, PAGE);
	for (uint32_t i = 0; i < 4; i++) {
		transfer(INTR, 64 - i, CC_SUCCESS);
		transfer(INTR + IN, 64, CC_SUCCESS);
	}
	no_answer(INTR + IN, 64, 0);
}

/* What goes in comes out: short packets; some wait in vain. */
static void loopback(void)
{
	uint32_t td[3];

	must(gdrv_deconfigure(v) == CC_SUCCESS, "Deconfigure");
	control(CC_SUCCESS, 0, 9, LOOPBACK, 0, 0);
	configure(BULK, EPT_BULK_OUT, bulk_mps(), 0);
	for (uint32_t i = 0; i < 256; i++)
		*(uint8_t *)guestmem_ptr(&gm, page + i, 1) =
			(uint8_t)(i ^ 0x5a);
	td[0] = post(BULK + IN, page + 2048, 512);
	ring(BULK + IN);
	transfer(BULK, 40, CC_SUCCESS);
	end(BULK + IN, td[0], CC_SHORT_PACKET);
	for (unsigned i = 0; i < 3; i++)
		td[i] = post(BULK + IN, page + 2048, 512);
	ring(BULK + IN);
	must(gdrv_stop_ep(v, BULK + IN) == CC_SUCCESS, "Stop Endpoint");
	must(gdrv_set_dequeue(v, BULK + IN, 0) == CC_SUCCESS, "a dequeue");
	v->ring[BULK + IN]->state = RING_RUNNING;
	td[0] = post(BULK + IN, page + 2048, 512);
	ring(BULK + IN);
	transfer(BULK, 17, CC_SUCCESS);
	end(BULK + IN, td[0], CC_SHORT_PACKET);
	transfer(BULK, 40, CC_SUCCESS);
	transfer(BULK + IN, 24, CC_BABBLE); /* more than is asked for */
	recover(BULK + IN);
}

/* What comes back is less than there is room for, more, or nothing. */
static void isoch_loopback(void)
{
	static const uint32_t room[] = {100, 40, 60, 59, 0, 80};
	static const int cc[] = {CC_SHORT_PACKET, CC_OVERRUN, CC_SUCCESS,
				 CC_OVERRUN,      CC_OVERRUN, CC_SHORT_PACKET};
	uint32_t out[5], in[6];

	control(CC_SUCCESS, 1, 11, 1, 0, 0);
	configure(ISO, EPT_ISOCH_OUT, ISO_MAX, 3);
	for (unsigned i = 0; i < 5; i++)
		out[i] = post(ISO, page, 60);
	ring(ISO);
	for (unsigned i = 0; i < 5; i++)
		end(ISO, out[i], CC_SUCCESS);
	for (unsigned i = 0; i < 6; i++)
		in[i] = post(ISO + IN, page + 2048, room[i]);
	ring(ISO + IN);
	for (unsigned i = 0; i < 6; i++)
		end(ISO + IN, in[i], cc[i]);
	drop_isoch();
	control(CC_SUCCESS, 1, 11, 0, 0, 0);
}

/* Gone while it has transfers */
static void unplug(void)
{
	post(BULK + IN, page + 2048, 512);
	post(BULK + IN, page + 2048, 512);
	ring(BULK + IN);
	pthread_mutex_lock(&e.v->lock);
	pmapper_detach(e.v->pm, v->port);
	pthread_mutex_unlock(&e.v->lock);
	gdrv_pump(&d);
	must(!(gdrv_portsc(&d, v->port) & 1), "still there");
}

int main(int argc, char **argv)
{
	static const char *const names[] = {
		[USB_SPEED_FULL] = "full",
		[USB_SPEED_LOW] = "",
		[USB_SPEED_HIGH] = "high",
		[USB_SPEED_SUPER] = "super",
	};
	struct vxhci_pcap *p = NULL;
	char option[64], err[256] = "usage: capture full|high|super FILE";

	for (speed = USB_SPEED_SUPER; speed && argc == 3; speed--)
		if (!strcmp(argv[1], names[speed]))
			break;
	if (argc != 3 || speed == USB_SPEED_NONE ||
	    vxhci_pcap_open(argv[2], NULL, NULL, err, sizeof(err), &p) < 0) {
		fprintf(stderr, "capture: %s\n", err);
		return 2;
	}
	snprintf(option, sizeof(option), "30,xhci,zero,speed=%s", argv[1]);
	guestmem_init(&gm);
	guestmem_add(&gm, 0x100000, 8u << 20);
	must(gdrv_vx_init(&e, &gm, option) == 0, "no controller");
	must(vxhci_pcap_add(p, e.v) == 0, "no capture");
	must(gdrv_init(&d, &gdrv_vx_bus, &e, &gm, NULL) == 0, "no driver");
	must(gdrv_start(&d) == 0, "no start");
	v = gdrv_open(&d, gdrv_port_find(&d, 0));
	must(v != NULL, "no device");
	page = guestmem_alloc(&gm, PAGE);
	descriptors();
	bulk();
	isoch();
	isoch_errors(false);
	isoch_errors(true);
	drop_isoch();
	interrupts();
	loopback();
	isoch_loopback();
	unplug();
	must(gdrv_ok(&d), "the controller did wrong");
	gdrv_vx_fini(&e);
	gdrv_fini(&d);
	guestmem_fini(&gm);
	vxhci_pcap_close(p);
	return 0;
}
