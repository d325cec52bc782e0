/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * embed_match.c - what a device of a slot option asks of the host's devices.
 * Pure: linked where there is no controller, too.
 */
#include "vmm/embed.h"

#include <stdio.h>
#include <string.h>

void embed_match(const struct slot_dev *d, struct usb_match *m)
{
	m->bus = d->bus;
	switch (d->kind) {
	case SLOT_ADDR:
		m->kind = MATCH_ADDR;
		m->addr = d->devaddr;
		break;
	case SLOT_PATH:
		m->kind = d->below ? MATCH_BELOW : MATCH_PATH;
		m->npath = d->path_len;
		memcpy(m->path, d->path, sizeof(m->path));
		break;
	default:
		m->kind = MATCH_ID;
		m->vid = d->vendor;
		m->pid = d->product;
		if (d->serial != NULL)
			snprintf(m->serial, sizeof(m->serial), "%s", d->serial);
	}
}
