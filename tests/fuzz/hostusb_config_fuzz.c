/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Descriptors of a device that lies: whatever libusb makes of them, numbers
 * out of every range included, becomes a table that can be used; and names
 * become text that can be shown.
 */
#include <libusb.h>
#include <stdlib.h>
#include <string.h>

#include "hostusb/config.h"
#include "hostusb/discover.h"
#include "tests/fuzz/fuzz.h"

#define MAX_IFACES 40u
#define MAX_ALTS 6u
#define MAX_EPS 20u

static void need(int cond, const char *what)
{
	if (cond)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static void make_ep(struct fuzz_in *in, struct libusb_endpoint_descriptor *e)
{
	size_t len;

	e->bLength = in_u8(in);
	e->bEndpointAddress = in_u8(in);
	e->bmAttributes = in_u8(in);
	e->wMaxPacketSize = in_u16(in);
	e->bInterval = in_u8(in);
	if (e->bLength & 1)
		return;
	e->extra = in_bytes(in, 24, &len);
	e->extra_length = (int)len;
}

static void make_alt(struct fuzz_in *in, struct libusb_interface_descriptor *a,
		     struct libusb_endpoint_descriptor *eps)
{
	unsigned n = in_u8(in) % (MAX_EPS + 1);

	a->bInterfaceNumber = in_u8(in);
	a->bAlternateSetting = in_u8(in);
	a->bInterfaceClass = in_u8(in);
	a->bNumEndpoints = (uint8_t)n;
	a->endpoint = n ? eps : NULL;
	for (unsigned i = 0; i < n; i++)
		make_ep(in, &eps[i]);
}

static void check_table(const struct config *c)
{
	uint8_t alt[CONFIG_MAX_IFACES];

	for (unsigned i = 0; i < c->neps; i++) {
		const struct config_ep *e = &c->ep[i];

		need(e->type <= USB_INTERRUPT, "type of an endpoint");
		need(e->iface < CONFIG_MAX_IFACES, "interface's number");
		need(c->ifaces >> e->iface & 1, "interface that is not there");
		need(e->ep & 15, "endpoint 0 in a table");
		need(!(e->ep & 0x70), "reserved bits of an address");
		need(e->max_packet <= 1024, "size of a packet");
		need(e->max_interval <= 16u * 4 * 1024, "service interval");
	}
	for (unsigned s = 0; s < 3; s++) {
		memset(alt, (int)s, sizeof(alt));
		for (unsigned ep = 0; ep < 256; ep++)
			config_find(c, alt, (uint8_t)ep);
	}
}

static void check_text(const uint8_t *data, size_t len)
{
	char text[32];

	discover_text(text, sizeof(text), (const char *)data, len);
	need(strnlen(text, sizeof(text)) < sizeof(text), "text with no end");
	for (const char *c = text; *c; c++)
		need((unsigned char)*c >= ' ' && *c != 0x7f, "control byte");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct libusb_interface iface[MAX_IFACES];
	static struct libusb_interface_descriptor alts[MAX_IFACES][MAX_ALTS];
	static struct libusb_endpoint_descriptor eps[MAX_IFACES][MAX_ALTS]
						    [MAX_EPS];
	static libusb_context *ctx;
	struct libusb_config_descriptor d = {.interface = iface};
	struct fuzz_in in = {data, len};
	struct config *c;

	if (!ctx) {
		libusb_set_option(NULL, LIBUSB_OPTION_NO_DEVICE_DISCOVERY);
		need(libusb_init(&ctx) == 0, "libusb");
		libusb_set_option(ctx, LIBUSB_OPTION_LOG_LEVEL, 0);
	}
	check_text(data, len);
	memset(alts, 0, sizeof(alts));
	memset(eps, 0, sizeof(eps));
	d.bConfigurationValue = in_u8(&in);
	d.bNumInterfaces = in_u8(&in) % (MAX_IFACES + 1);
	for (unsigned i = 0; i < d.bNumInterfaces; i++) {
		iface[i].num_altsetting = in_u8(&in) % (MAX_ALTS + 1);
		iface[i].altsetting = iface[i].num_altsetting ? alts[i] : NULL;
		for (int a = 0; a < iface[i].num_altsetting; a++)
			make_alt(&in, &alts[i][a], eps[i][a]);
	}
	if (config_create(ctx, &d, &c) == 0) {
		check_table(c);
		free(c);
	}
	return 0;
}

void fuzz_seeds(const char *dir)
{
	static const uint8_t one[] = {
		1, 2,             /* two interfaces */
		1, 0,    0, 8, 2, /* bulk */
		7, 1,    2, 0, 2,    0, 7, 0x81, 2,
		0, 2,    0, 2, 1,    0, 1, 0, /* none, and */
		1, 1,    1, 1,                /* isochronous with */
		8, 3,    1, 0, 0x14, 1, 6, 0, /* a companion */
		6, 0x30, 3, 2, 0,    12};

	fuzz_seed(dir, "two", 0, one, sizeof(one));
	fuzz_seed_files(dir, "fixtures/umockdev", "", 4096);
}
