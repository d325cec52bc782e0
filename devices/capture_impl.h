/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * capture_impl.h - between capture.c, which has the file and the tables, and
 * the two that know what a record looks like.
 */
#ifndef DEVICES_CAPTURE_IMPL_H
#define DEVICES_CAPTURE_IMPL_H

#include "devices/capture.h"

#define CAPTURE_BUCKETS 4096u /* of transfers under way, by their id */

/* One record as the file has it. */
struct capture_record {
	const uint8_t *bytes; /* borrowed */
	uint32_t len;
	uint64_t at_ns; /* since the first */
};

struct capture_reader {
	struct capture *c;
	uint32_t cap_xfers, cap_packets, cap_bytes, cap_devs;
	uint32_t open[CAPTURE_BUCKETS]; /* newest of each bucket */
	uint32_t last_dev; /* the device of the record before, a guess */
	const char *why;   /* set with -EINVAL: what is wrong with a record */
};

/* Reads one record. 0, -EINVAL with r->why, -EFBIG, -ENOMEM */
typedef int capture_record_fn(struct capture_reader *r,
			      const struct capture_record *rec);
capture_record_fn capture_usbmon_48, capture_usbmon_64, capture_usbpcap;

/* A transfer of @bus and @addr begins, all other members zero or set by the
 * caller through *ret_x, which is good until the next. 0 or -errno */
int capture_begin(struct capture_reader *r, uint16_t bus, uint8_t addr,
		  uint64_t id, struct capture_xfer **ret_x);
/* The one under way with @id; NULL: there is none, it began earlier. */
struct capture_xfer *capture_find(struct capture_reader *r, uint64_t id);
/* It has ended. */
void capture_finish(struct capture_reader *r, struct capture_xfer *x,
		    const struct capture_record *rec);
/* Keep @len bytes; their place in *ret_data. 0 or -errno */
int capture_keep(struct capture_reader *r, const uint8_t *p, uint32_t len,
		 uint32_t *ret_data);
/* @n packets for @x, zeroed. 0 or -errno */
int capture_packets(struct capture_reader *r, struct capture_xfer *x,
		    uint32_t n);

#endif
