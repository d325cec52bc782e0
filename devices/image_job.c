/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * image_job.c - jobs on a raw disk image: tries that do not block on the
 * controller's thread, everything else on the worker.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "devices/image.h"

#define COMPARE_BYTES 4096u
#define PACKET 1024u     /* bytes: a multiple of all bulk packet sizes */
#define FILL_BLOCKS 128u /* blocks written by one call of a fill */

void image_job_init(struct image_job *job, const struct image *img,
		    enum image_op op, uint64_t off)
{
	job->work.run = image_job_run;
	job->op = op;
	job->fd = img->fd;
	job->off = off;
	job->niov = 0;
	job->nranges = 0;
	job->sync = false;
	job->done = 0;
	job->error = 0;
}

/* Give up what lies behind the last whole packet of the transfer. */
static size_t end_on_packet(struct image_job *job, size_t start, size_t done)
{
	size_t cut = (start + done) % PACKET;

	if (cut >= done)
		return done; /* segments of a few bytes: as it comes */
	done -= cut;
	while (cut > 0) {
		struct iovec *v = &job->iov[job->niov - 1];
		size_t n = cut < v->iov_len ? cut : v->iov_len;

		v->iov_len -= n;
		cut -= n;
		if (v->iov_len == 0)
			job->niov--;
	}
	return done;
}

size_t image_job_map(struct image_job *job, const struct usb_xfer *x,
		     size_t off, size_t len)
{
	size_t end = off + len, start = off, done = 0;

	if (len > IMAGE_CHUNK)
		len = IMAGE_CHUNK;
	for (uint32_t i = 0; i < x->nseg && done < len; i++) {
		const struct usb_seg *s = &x->seg[i];
		size_t n;

		if (off >= s->len) {
			off -= s->len;
			continue;
		}
		if (job->niov == IMAGE_IOVS)
			break;
		n = s->len - off < len - done ? s->len - off : len - done;
		job->iov[job->niov++] =
			(struct iovec){.iov_base = s->base + off, .iov_len = n};
		done += n;
		off = 0;
	}
	return start + done == end ? done : end_on_packet(job, start, done);
}

/*
 * RWF_NOWAIT answers EAGAIN where the page cache does not have the data, where
 * a lock is taken, or where a writer would be throttled, and EOPNOTSUPP where
 * the file system cannot tell: then it is not asked again. Writes that cannot
 * be tried so go to the worker, always: into new parts of a file on ext4, which
 * has no RWF_NOWAIT for writes, 64 KiB took 14 us and 1 MiB 1.5 ms, and nothing
 * bounds it once the kernel throttles writers.
 */
size_t image_try(struct image *img, const struct image_job *job)
{
#ifdef RWF_NOWAIT
	bool *worth =
		job->op == IMAGE_READ ? &img->nowait_read : &img->nowait_write;
	ssize_t n;

	if (!*worth || (job->op != IMAGE_READ && job->op != IMAGE_WRITE))
		return 0;
	if (job->op == IMAGE_READ)
		n = preadv2(job->fd, job->iov, (int)job->niov, (off_t)job->off,
			    RWF_NOWAIT);
	else
		n = pwritev2(job->fd, job->iov, (int)job->niov, (off_t)job->off,
			     RWF_NOWAIT);
	if (n < 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
		*worth = false;
	return n > 0 ? (size_t)n : 0;
#else
	(void)img;
	(void)job;
	return 0;
#endif
}

/* Drop the first @n bytes of the job's memory. */
static void advance(struct image_job *job, unsigned *first, size_t n)
{
	job->done += n;
	while (n > 0 && *first < job->niov) {
		struct iovec *v = &job->iov[*first];
		size_t k = n < v->iov_len ? n : v->iov_len;

		v->iov_base = (uint8_t *)v->iov_base + k;
		v->iov_len -= k;
		n -= k;
		if (v->iov_len == 0)
			(*first)++;
	}
}

static void run_rw(struct image_job *job)
{
	unsigned first = 0;

	while (first < job->niov) {
		off_t off = (off_t)(job->off + job->done);
		int left = (int)(job->niov - first);
		ssize_t n;

		if (job->op == IMAGE_READ)
			n = preadv(job->fd, job->iov + first, left, off);
		else
			n = pwritev(job->fd, job->iov + first, left, off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			job->error = n < 0 ? -errno : -ENODATA;
			return;
		}
		advance(job, &first, (size_t)n);
	}
}

static void run_compare(struct image_job *job)
{
	uint8_t buf[COMPARE_BYTES];
	unsigned first = 0;

	while (first < job->niov) {
		const struct iovec *v = &job->iov[first];
		size_t len =
			v->iov_len < sizeof(buf) ? v->iov_len : sizeof(buf);
		off_t off = (off_t)(job->off + job->done);
		ssize_t n = pread(job->fd, buf, len, off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			job->error = n < 0 ? -errno : -ENODATA;
			return;
		}
		if (memcmp(buf, v->iov_base, (size_t)n) != 0) {
			job->error = -EILSEQ;
			return;
		}
		advance(job, &first, (size_t)n);
	}
}

/* Write @block over the range, or zeroes where it is NULL. */
static int fill_range(int fd, const struct image_range *r, const uint8_t *block)
{
	static const uint8_t zeroes[IMAGE_BLOCK];
	struct iovec iov[FILL_BLOCKS];
	uint64_t done = 0;

	while (done < r->len) {
		size_t in_block = (size_t)(done % IMAGE_BLOCK);
		unsigned n = 0;
		uint64_t len = 0;
		ssize_t rc;

		while (n < FILL_BLOCKS && done + len < r->len) {
			iov[n].iov_base =
				(uint8_t *)(uintptr_t)(block ? block : zeroes) +
				in_block;
			iov[n].iov_len = IMAGE_BLOCK - in_block;
			len += iov[n++].iov_len;
			in_block = 0;
		}
		rc = pwritev(fd, iov, (int)n, (off_t)(r->off + done));
		if (rc < 0 && errno == EINTR)
			continue;
		if (rc <= 0)
			return rc < 0 ? -errno : -EIO;
		done += (uint64_t)rc;
	}
	return 0;
}

/* Zeroes are promised (LBPRZ): written where no hole can be punched. */
static int discard_range(int fd, const struct image_range *r)
{
#ifdef FALLOC_FL_PUNCH_HOLE
	int rc;

	do {
		rc = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       (off_t)r->off, (off_t)r->len);
	} while (rc != 0 && errno == EINTR);
	if (rc == 0)
		return 0;
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
#endif
	return fill_range(fd, r, NULL);
}

static void run_ranges(struct image_job *job)
{
	for (unsigned i = 0; i < job->nranges && job->error == 0; i++) {
		const struct image_range *r = &job->range[i];

		if (r->len == 0)
			continue;
		if (job->op == IMAGE_FILL)
			job->error = fill_range(job->fd, r, job->block);
		else
			job->error = discard_range(job->fd, r);
	}
}

static void run_sync(struct image_job *job)
{
	if (fdatasync(job->fd) != 0)
		job->error = -errno;
}

void image_job_run(struct pm_work *w)
{
	struct image_job *job = (struct image_job *)w;

	switch (job->op) {
	case IMAGE_READ:
	case IMAGE_WRITE:
		run_rw(job);
		break;
	case IMAGE_COMPARE:
		run_compare(job);
		break;
	case IMAGE_SYNC:
		run_sync(job);
		break;
	case IMAGE_DISCARD:
	case IMAGE_FILL:
		run_ranges(job);
		if (job->sync && job->error == 0)
			run_sync(job);
		break;
	case IMAGE_NONE:
		break;
	}
}
