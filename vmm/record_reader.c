/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/record_reader.h"

#include <errno.h>
#include <string.h>

static int damaged(struct rec_reader *r, const char *why)
{
	r->why = why;
	r->blk.len = r->off = 0;
	return -EBADMSG;
}

/* The next block of the stream: 1, 0 or -EBADMSG */
static int next_block(struct rec_reader *r)
{
	int rc;

	do {
		rc = rec_file_next(r->f, &r->blk);
	} while (rc == 1 && r->blk.stream != r->stream);
	if (rc == -EBADMSG)
		return damaged(r, "a block is damaged");
	if (rc != 1)
		return 0;
	if (r->blk.seq != r->seq)
		return damaged(r, "a block is missing");
	r->seq++;
	r->off = 0;
	return 1;
}

int rec_reader_start(struct rec_reader *r, struct rec_file *f, uint16_t stream)
{
	int rc;

	memset(r, 0, sizeof(*r));
	r->f = f;
	r->stream = stream;
	rec_file_rewind(f);
	rc = next_block(r);
	if (rc != 1) /* in a damaged file the first one counts as there */
		return rc < 0 && stream == 0 ? rc : -ENOENT;
	if (r->blk.type != REC_START ||
	    rec_start_unpack(r->blk.raw, r->blk.len, &r->start) < 0)
		return damaged(r, "its first block is none");
	r->blk.len = 0;
	return 0;
}

/* At the end of a block: 1 there are more records, 0 or -EBADMSG */
static int more_records(struct rec_reader *r)
{
	int rc;

	if (r->marked || r->why)
		return r->why ? -EBADMSG : 0;
	while (r->off == r->blk.len) {
		rc = next_block(r);
		if (rc != 1)
			return rc;
		if (r->blk.type == REC_RECORDS)
			continue;
		if (r->blk.type != REC_END || r->blk.len < 1)
			return damaged(r, "a block is of no known type");
		r->marked = true;
		r->end = r->blk.raw[0];
		return 0;
	}
	return 1;
}

int rec_reader_next(struct rec_reader *r, struct xhci_tap_rec *ret)
{
	int rc = more_records(r);
	size_t n;

	if (rc != 1)
		return rc;
	n = rec_decode(&r->codec, r->blk.raw + r->off, r->blk.len - r->off, ret,
		       r->data);
	if (n == 0)
		return damaged(r, "a record is none");
	r->off += (uint32_t)n;
	r->bytes += n;
	r->n++;
	return 1;
}
