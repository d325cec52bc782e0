/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_block.h - a recording as a file: blocks, each with its length and
 * checksum, of one stream a controller. docs/recording.md has the layout.
 */
#ifndef VMM_RECORD_BLOCK_H
#define VMM_RECORD_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/xhci.h"

#define REC_FILE_HEADER 16u
#define REC_VERSION 2u
#define REC_BLOCK_HEADER 32u
#define REC_BLOCK_RAW (256u << 10) /* bytes of records in a block, at most */
/* Room for any block as it is in the file */
#define REC_BLOCK_FILE (REC_BLOCK_HEADER + REC_BLOCK_RAW + 1024u)
#define REC_TEXT 64u

enum rec_block_type { REC_START = 1, REC_RECORDS = 2, REC_END = 3 };

struct rec_block {
	enum rec_block_type type;
	uint16_t stream; /* which controller */
	uint32_t seq;    /* number of the block in its stream */
	const uint8_t *raw;
	uint32_t len;
};

/* What a REC_START block has. */
struct rec_start {
	struct xhci_config cfg;
	uint64_t at_ns;         /* wall clock, since 1970 */
	char slot[REC_TEXT];    /* of the controller, "30" */
	char program[REC_TEXT]; /* that recorded it */
};

/* Why a stream ends. What is in it is whole up to there. */
enum rec_end {
	REC_ENDED = 0,    /* the controller is gone */
	REC_OVERFLOW = 1, /* records came faster than they could be written */
	REC_UNWRITTEN = 2 /* the file could not be written */
};

void rec_file_header(uint8_t buf[REC_FILE_HEADER]);
/* Into @buf, of REC_BLOCK_FILE bytes. Returns the length in the file. */
size_t rec_block_pack(const struct rec_block *b, uint8_t *buf);
/* Into @buf, of 256 bytes. Returns the length. */
size_t rec_start_pack(const struct rec_start *s, uint8_t *buf);
/* 0 or -EINVAL */
int rec_start_unpack(const uint8_t *buf, size_t len, struct rec_start *ret);

/* A recording in memory, being read. */
struct rec_file {
	const uint8_t *data; /* borrowed */
	size_t len, off;
	uint8_t *raw; /* owned; of the block read last */
};

/*
 * rec_file_init - -EINVAL: this is no recording; -EPROTONOSUPPORT: of another
 * version; -ENOMEM. rec_file_fini() is allowed after any of them.
 */
int rec_file_init(struct rec_file *f, const void *data, size_t len);
void rec_file_fini(struct rec_file *f);
void rec_file_rewind(struct rec_file *f);
/*
 * rec_file_next - 1 and the next block, whose bytes are valid until the next
 * call; 0 at the end; -ENODATA: cut off, all before it is whole; -EBADMSG: the
 * block at f->off is damaged.
 */
int rec_file_next(struct rec_file *f, struct rec_block *ret);

#endif
