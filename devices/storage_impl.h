/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * storage_impl.h - what the mass storage device is made of. For storage.c and
 * for tests, which look inside; everybody else has storage.h.
 */
#ifndef DEVICES_STORAGE_IMPL_H
#define DEVICES_STORAGE_IMPL_H

#include "devices/bot.h"
#include "devices/storage.h"
#include "devices/uas.h"

#define STORAGE_EP_IN 0x81u
#define STORAGE_EP_OUT 0x02u
#define STORAGE_EP_STATUS 0x83u
#define STORAGE_EP_COMMAND 0x04u

struct storage {
	struct gadget g; /* embedded, first */
	struct bot bot;  /* alternate setting 0 */
	struct uas uas;  /* alternate setting 1 */
	struct scsi_target target;
	bool warned; /* of the image's tail */
};

#endif
