/* SPDX-License-Identifier: BSD-2-Clause */
#include "vmm/pcap_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/pcap_block.h"
#include "vmm/pcap_ring.h"

#define PIPE_WAIT_MS 500

static int open_file(struct pcap_file *f)
{
	struct stat st;
	int fd;

	/* what was on the guest's disks and keyboards is in it */
	if (strcmp(f->opt->file, "-") == 0)
		fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	else
		fd = open(f->opt->file,
			  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY,
			  0600);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		st.st_mode = 0;
	f->regular = S_ISREG(st.st_mode);
	f->fd = fd;
	f->moved = false;
	f->size = f->packets = 0;
	return 0;
}

int pcap_file_open(struct pcap_file *f, const struct pcap_opt *opt)
{
	int r;

	*f = (struct pcap_file){.opt = opt, .fd = -1};
	r = open_file(f);
	if (r == 0 && opt->size &&
	    (!f->regular || strcmp(opt->file, "-") == 0)) {
		close(f->fd);
		r = -ESPIPE;
	}
	return r;
}

static int append(uint8_t **buf, size_t *buf_len, const uint8_t *p, size_t len)
{
	uint8_t *more = realloc(*buf, *buf_len + len);

	if (more == NULL)
		return -ENOMEM;
	memcpy(more + *buf_len, p, len);
	*buf = more;
	*buf_len += len;
	return 0;
}

int pcap_file_add_head(struct pcap_file *f, const uint8_t *block, size_t len)
{
	int r = append(&f->all, &f->all_len, block, len);

	if (r == 0) {
		r = append(&f->head, &f->head_len, block, len);
		if (r < 0)
			f->all_len -= len;
	}
	return r;
}

/*
 * A pipe takes PIPE_BUF bytes at once when it says that it takes any. Waits
 * no longer than that, so that whoever asks us to end is heard.
 */
static ssize_t write_some(const struct pcap_file *f, const uint8_t *p,
			  size_t len)
{
	struct pollfd pfd = {.fd = f->fd, .events = POLLOUT};
	ssize_t n;

	if (!f->regular) {
		if (poll(&pfd, 1, PIPE_WAIT_MS) == 0)
			return -EAGAIN;
		len = len < PIPE_BUF ? len : PIPE_BUF;
	}
	n = write(f->fd, p, len);
	if (n < 0)
		return -errno;
	return n ? n : -ENOSPC;
}

/* From byte *done on. 0 when all is written, or -errno. */
static int write_from(struct pcap_file *f, const uint8_t *p, size_t len,
		      size_t *done)
{
	while (*done < len) {
		ssize_t n = write_some(f, p + *done, len - *done);

		if (n == -EINTR)
			continue;
		if (n < 0)
			return (int)n;
		*done += (size_t)n;
		f->size += (uint64_t)n;
	}
	return 0;
}

static int write_head(struct pcap_file *f)
{
	int r = write_from(f, f->head, f->head_len, &f->head_done);

	if (r == 0)
		f->head_len = f->head_done = 0;
	return r;
}

/* FILE.N; FILE itself for 0. Returned: whether it fits. */
static bool name_of(const struct pcap_file *f, unsigned n, char *name,
		    size_t size)
{
	int len = n ? snprintf(name, size, "%s.%u", f->opt->file, n)
		    : snprintf(name, size, "%s", f->opt->file);

	return len > 0 && (size_t)len < size;
}

/* FILE becomes FILE.1, that FILE.2, and so on; the last one is replaced. */
static int move_files(struct pcap_file *f)
{
	char from[PATH_MAX], to[PATH_MAX];

	for (unsigned n = f->opt->files - 1; n > 0; n--) {
		if (!name_of(f, n - 1, from, sizeof(from)) ||
		    !name_of(f, n, to, sizeof(to)))
			return -ENAMETOOLONG;
		if (rename(from, to) < 0 && errno != ENOENT)
			return -errno;
	}
	return 0;
}

/* Close this file and open the next; done in steps that can be repeated. */
static int rotate(struct pcap_file *f)
{
	int r = 0;

	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
	if (!f->moved)
		r = move_files(f);
	if (r < 0)
		return r;
	f->moved = true;
	f->head_len = f->head_done = 0;
	r = append(&f->head, &f->head_len, f->all, f->all_len);
	return r < 0 ? r : open_file(f);
}

/* Blocks at @p that fit in this file: one at least, in a new file. */
static size_t blocks_that_fit(const struct pcap_file *f, const uint8_t *p,
			      size_t len)
{
	uint64_t size = f->size + f->head_len - f->head_done;
	size_t n = 0;

	if (!f->opt->size)
		return len;
	while (n < len) {
		uint32_t block = pcap_block_len(p + n);

		if (pcap_get32(p + n) == PCAP_EPB && (f->packets || n) &&
		    size + n + block > f->opt->size)
			break;
		n += block;
	}
	return n;
}

/* What of @p is in the file in whole blocks; the rest is f->partial. */
static size_t whole_blocks(struct pcap_file *f, const uint8_t *p, size_t done)
{
	size_t n = 0;

	while (n < done && n + pcap_block_len(p + n) <= done) {
		n += pcap_block_len(p + n);
		f->packets++;
	}
	f->partial = done - n;
	return n;
}

/* Blocks of one file, of which f->partial bytes are in it already */
static int put_run(struct pcap_file *f, const uint8_t *p, size_t len,
		   size_t *done)
{
	size_t n = f->partial;
	int r = write_from(f, p, len, &n);

	*done += whole_blocks(f, p, n);
	return r;
}

int pcap_file_put(struct pcap_file *f, const uint8_t *p, size_t len,
		  size_t *ret_done)
{
	size_t done = 0, fit;
	int r = 0;

	if (f->partial && len)
		r = put_run(f, p, pcap_block_len(p), &done);
	while (r == 0) {
		if (f->fd < 0)
			r = rotate(f);
		if (r == 0)
			r = write_head(f);
		if (r < 0 || done == len)
			break;
		fit = blocks_that_fit(f, p + done, len - done);
		if (fit)
			r = put_run(f, p + done, fit, &done);
		else
			r = rotate(f);
	}
	*ret_done = done;
	return r;
}

/* Readers take a file that ends in the middle of a block as damaged. */
void pcap_file_close(struct pcap_file *f)
{
	if (f->fd >= 0) {
		if (f->regular && (f->partial || f->head_done) &&
		    ftruncate(f->fd,
			      (off_t)(f->size - f->partial - f->head_done)) < 0)
			f->partial = 0; /* as a crash would leave it */
		close(f->fd);
	}
	f->fd = -1;
	free(f->head);
	free(f->all);
	f->head = f->all = NULL;
}
