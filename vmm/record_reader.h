/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_reader.h - one controller's records out of a recording, in order.
 */
#ifndef VMM_RECORD_READER_H
#define VMM_RECORD_READER_H

#include "vmm/record_block.h"
#include "vmm/record_codec.h"

struct rec_reader {
	struct rec_file *f; /* borrowed */
	uint16_t stream;
	struct rec_start start;
	uint64_t n;     /* records read */
	uint64_t bytes; /* of them, as they are in blocks */
	bool marked;    /* the end has a mark, which says: */
	enum rec_end end;
	const char *why; /* what is damaged; NULL: nothing */
	/* inside */
	struct rec_codec codec;
	struct rec_block blk;
	uint32_t off; /* in blk */
	uint32_t seq; /* of the next block */
	uint8_t data[XHCI_TAP_DATA];
};

/*
 * rec_reader_start - read stream @stream of @f, which is read by nobody else
 * meanwhile. 0; -ENOENT: there is none; -EBADMSG: its start is damaged
 * (r->why), or all is.
 */
int rec_reader_start(struct rec_reader *r, struct rec_file *f, uint16_t stream);
/*
 * rec_reader_next - 1 and a record, with data that is valid until the next
 * call; 0 at the end: with a mark, or without: it was cut off there. -EBADMSG
 * where the file is damaged.
 */
int rec_reader_next(struct rec_reader *r, struct xhci_tap_rec *ret);

#endif
