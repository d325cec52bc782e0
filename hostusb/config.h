/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * config.h - what the active configuration of a device says of its interfaces
 * and endpoints. Data only: made from libusb's descriptors, which come from
 * the device and are not trusted.
 */
#ifndef HOSTUSB_CONFIG_H
#define HOSTUSB_CONFIG_H

#include "emu/usb.h"

struct libusb_context;
struct libusb_config_descriptor;

#define CONFIG_MAX_IFACES 32u /* bInterfaceNumber 0..31, as libusb claims */
#define CONFIG_MAX_EPS 2048u  /* endpoint descriptors in all, more are cut */

/* One endpoint of one alternate setting, USB 2.0 §9.6.6, USB 3.2 §9.6.7 */
struct config_ep {
	uint8_t ep;            /* bEndpointAddress */
	uint8_t type;          /* enum usb_type */
	uint8_t iface;         /* bInterfaceNumber */
	uint8_t alt;           /* bAlternateSetting */
	uint8_t interval;      /* bInterval as it is */
	uint16_t max_packet;   /* bytes of one packet */
	uint32_t max_interval; /* bytes a service interval, periodic only */
};

struct config {
	uint8_t value;    /* bConfigurationValue */
	uint32_t ifaces;  /* bit n: there is an interface n */
	unsigned skipped; /* interfaces with a number that cannot be claimed */
	unsigned neps;
	struct config_ep ep[];
};

/*
 * config_create - from the descriptor @d. @ctx is libusb's. Owned by the
 * caller, free() it. Returns 0 or -ENOMEM.
 */
int config_create(struct libusb_context *ctx,
		  const struct libusb_config_descriptor *d,
		  struct config **ret);

/*
 * config_find - endpoint address @ep of the interfaces' alternate settings
 * @alt[0..CONFIG_MAX_IFACES), or NULL. @c may be NULL. Of duplicates the
 * first counts.
 */
const struct config_ep *config_find(const struct config *c, const uint8_t *alt,
				    uint8_t ep);

#endif
