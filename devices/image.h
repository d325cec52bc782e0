/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image.h - a raw disk image: a file or block device taken as 512-byte blocks,
 * and jobs on it that may run on the mapper's worker thread.
 *
 * Data goes straight between the file and the segments of a transfer, with no
 * copy by us. There is no mapping of the file, so that one which shrinks or
 * fails is an error number and not a signal.
 */
#ifndef DEVICES_IMAGE_H
#define DEVICES_IMAGE_H

#include <sys/uio.h>

#include "pmapper/pmapper.h"

#define IMAGE_BLOCK 512u            /* bytes */
#define IMAGE_IOVS 256u             /* segments a job can carry */
#define IMAGE_CHUNK (1024u * 1024u) /* bytes of one job on transfer memory */
#define IMAGE_RANGES 64u            /* ranges a discard job can carry */

struct image {
	int fd;          /* owned */
	uint64_t blocks; /* whole blocks, at least 1 */
	uint32_t tail;   /* bytes of the file after the last whole block */
	bool readonly;
	bool can_discard; /* holes can be punched */
	bool nowait_read; /* tries without blocking are worth making */
	bool nowait_write;
};

enum image_op {
	IMAGE_NONE,
	IMAGE_READ,    /* file to iov */
	IMAGE_WRITE,   /* iov to file */
	IMAGE_COMPARE, /* file against iov: -EILSEQ where they differ */
	IMAGE_SYNC,    /* what was written is on stable storage */
	IMAGE_DISCARD, /* range[] reads as zeroes, space given back */
	IMAGE_FILL,    /* block[] written over range[0] */
};

struct image_range {
	uint64_t off, len; /* bytes */
};

/*
 * struct image_job - one piece of work. Holds everything that run needs, so
 * that the worker never looks at the device. Reused for every command: nothing
 * is allocated.
 */
struct image_job {
	struct pm_work work; /* embedded; .done is the device's to set */
	enum image_op op;
	int fd; /* borrowed: the image outlives its jobs */

	uint64_t off; /* bytes; READ WRITE COMPARE */
	struct iovec iov[IMAGE_IOVS];
	unsigned niov;

	struct image_range range[IMAGE_RANGES];
	unsigned nranges;
	uint8_t block[IMAGE_BLOCK];
	bool sync; /* DISCARD, FILL: followed by a SYNC */

	/* the result */
	size_t done; /* bytes moved (COMPARE: that matched), also on failure */
	int error;   /* 0, or -errno; -ENODATA: the file ended before */
};

/*
 * image_open - open @path and lock it: exclusively, or shared when @readonly,
 * so that two controllers (or QEMU) cannot write one image. A size that is not
 * a multiple of 512 bytes is taken as QEMU users expect, without an error: the
 * whole blocks are the disk, and `tail` says what was left out. "/dev/fd/N" is
 * what descriptor N has open, which stays the caller's. Returns 0, or
 * -errno with "PATH: what is wrong: what to do" in @err.
 */
int image_open(const char *path, bool readonly, struct image *ret_img,
	       char *err, size_t errlen);
void image_close(struct image *img);

/* Prepare @job for @op at byte @off; no memory, no ranges yet. */
void image_job_init(struct image_job *job, const struct image *img,
		    enum image_op op, uint64_t off);
/*
 * image_job_map - let @job work on payload bytes [off, off+len) of @x, which
 * must not complete before the job is done. Returns the bytes taken: at most
 * IMAGE_CHUNK, less where there are too many segments. Where it is less than
 * @len it ends with a packet of the transfer: a transfer that is cancelled
 * there has not ended with a short packet.
 */
size_t image_job_map(struct image_job *job, const struct usb_xfer *x,
		     size_t off, size_t len);
/*
 * image_try - do what can be done of a READ or WRITE at once, from or to the
 * page cache, without blocking. Returns the bytes moved; 0 where it would
 * block, cannot be told, or failed: the job then finds out.
 */
size_t image_try(struct image *img, const struct image_job *job);
/* pm_work.run: do the whole job, blocking. */
void image_job_run(struct pm_work *w);

#endif
