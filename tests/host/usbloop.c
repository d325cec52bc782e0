/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * usbloop.c - the bare loop that vxhci is measured by: bulk transfers to or from
 * gadget zero through libusb, several in flight.
 *
 *   usbloop BUS in|out LENGTH IN-FLIGHT COUNT - prints seconds
 */
#include <libusb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct loop {
	unsigned left, pending;
	bool failed;
};

static void LIBUSB_CALL done(struct libusb_transfer *t)
{
	struct loop *l = t->user_data;

	l->pending--;
	if (t->status != LIBUSB_TRANSFER_COMPLETED)
		l->failed = true;
	if (l->failed || !l->left)
		return;
	l->left--;
	if (libusb_submit_transfer(t))
		l->failed = true;
	else
		l->pending++;
}

static libusb_device_handle *open_on(libusb_context *ctx, int bus)
{
	struct libusb_device_descriptor d;
	libusb_device_handle *h = NULL;
	libusb_device **list;
	ssize_t n = libusb_get_device_list(ctx, &list);

	for (ssize_t i = 0; i < n && !h; i++) {
		if (libusb_get_bus_number(list[i]) != bus ||
		    libusb_get_device_descriptor(list[i], &d) ||
		    d.idVendor != 0x0525)
			continue;
		if (libusb_open(list[i], &h))
			h = NULL;
	}
	if (n >= 0)
		libusb_free_device_list(list, 1);
	return h;
}

/* The first bulk endpoint of interface 0 in direction @dir; 0: none */
static unsigned char endpoint(libusb_device_handle *h, unsigned char dir)
{
	struct libusb_config_descriptor *c;
	unsigned char ep = 0;

	if (libusb_get_active_config_descriptor(libusb_get_device(h), &c))
		return 0;
	for (int i = 0; i < c->interface->altsetting->bNumEndpoints; i++) {
		const struct libusb_endpoint_descriptor *e =
			&c->interface->altsetting->endpoint[i];

		if ((e->bmAttributes & 3) == 2 &&
		    (e->bEndpointAddress & 0x80) == dir && !ep)
			ep = e->bEndpointAddress;
	}
	libusb_free_config_descriptor(c);
	return ep;
}

static double seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct loop l = {0};
	libusb_context *ctx;
	libusb_device_handle *h;
	unsigned char ep;
	double t0;
	int length;

	if (argc != 6 || libusb_init(&ctx))
		return 2;
	h = open_on(ctx, atoi(argv[1]));
	if (!h || libusb_claim_interface(h, 0)) {
		fprintf(stderr, "usbloop: no device to be had\n");
		return 2;
	}
	length = atoi(argv[3]);
	l.left = (unsigned)atoi(argv[5]);
	ep = endpoint(h, argv[2][0] == 'i' ? 0x80 : 0);
	t0 = seconds();
	for (int i = atoi(argv[4]); i > 0 && l.left; i--, l.left--) {
		struct libusb_transfer *t = libusb_alloc_transfer(0);
		unsigned char *buf = calloc(1, (size_t)length);

		libusb_fill_bulk_transfer(t, h, ep, buf, length, done, &l, 0);
		if (libusb_submit_transfer(t))
			return 1;
		l.pending++;
	}
	while (l.pending)
		libusb_handle_events(ctx);
	printf("%.3f\n", seconds() - t0);
	return l.failed;
}
