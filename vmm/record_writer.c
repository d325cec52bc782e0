/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record_writer.c - the thread that writes a recording: whole blocks, one
 * after the other. Where that fails the file is cut after the last whole one,
 * and the marks of its end take that one's place if there is no other.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pmapper/pmapper.h"
#include "vmm/record.h"

static void say(struct vxhci_record *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void say(struct vxhci_record *r, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (!r->log)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	r->log(r->opaque, VXHCI_LOG_WARN, line);
}

static int write_at_end(struct vxhci_record *r, const uint8_t *p, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(r->fd, p + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += (size_t)n;
	}
	r->last_block = r->good;
	r->good += len;
	return 0;
}

/* What is not whole goes; on a device that cannot be cut nobody reads it. */
static void cut_file(struct vxhci_record *r, uint64_t len)
{
	if (ftruncate(r->fd, (off_t)len) == 0)
		lseek(r->fd, (off_t)len, SEEK_SET);
	r->good = len;
}

static int begin_file(struct vxhci_record *r)
{
	uint8_t head[REC_FILE_HEADER];

	if (r->begun)
		return 0;
	r->begun = true;
	cut_file(r, 0);
	rec_file_header(head);
	return write_at_end(r, head, sizeof(head));
}

static int write_block(struct vxhci_record *r, const struct record_item *it)
{
	struct record_stream *s = it->s;
	uint8_t small[256];
	struct rec_block b = {.type = it->type,
			      .stream = s->id,
			      .seq = s->seq,
			      .raw = it->raw,
			      .len = it->len};
	int err = begin_file(r);

	if (it->type == REC_START)
		b.len = (uint32_t)rec_start_pack(&s->start, small);
	if (it->type == REC_END) {
		small[0] = (uint8_t)s->why; /* set before it was queued */
		b.len = 1;
	}
	if (it->type != REC_RECORDS)
		b.raw = small;
	if (err == 0)
		err = write_at_end(r, r->out, rec_block_pack(&b, r->out));
	if (err == 0 && it->type != REC_END) {
		s->seq++;
		r->last_of = s;
	}
	return err;
}

/* Every stream that is in the file is marked as ended there. */
static int write_marks(struct vxhci_record *r, struct record_stream *s)
{
	int err = 0;

	for (; s && !err; s = s->next)
		if (s->seq)
			err = write_block(r, &s->last);
	return err;
}

/*
 * Nothing more of any stream. The marks are small; if there is no room even
 * for them, the last block goes, so that there is.
 */
static void give_up(struct vxhci_record *r, int why)
{
	uint64_t last = r->last_block;
	struct record_stream *last_of = r->last_of, *streams;

	pthread_mutex_lock(&r->lock);
	r->failed = true;
	streams = r->streams;
	for (struct record_stream *s = streams; s; s = s->next) {
		s->ended = true;
		s->why = REC_UNWRITTEN;
	}
	pthread_mutex_unlock(&r->lock);
	cut_file(r, r->good);
	if (write_marks(r, streams) < 0 && last_of) {
		cut_file(r, last);
		last_of->seq--;
		if (write_marks(r, streams) < 0)
			cut_file(r, r->good);
	}
	say(r, "%s: %s: the recording ends here", r->file, strerror(-why));
}

/* Lock held. Blocks that are being filled are written as far as they are. */
static void flush_streams(struct vxhci_record *r)
{
	r->dirty = false;
	for (struct record_stream *s = r->streams; s; s = s->next) {
		if (!s->live || !s->cur)
			continue;
		record_queue(r, s->cur);
		s->cur = NULL;
	}
}

/* Lock held: sleep until there is something to write. */
static void wait_for_blocks(struct vxhci_record *r)
{
	struct timespec ts;

	while (!r->head && !r->quit && !r->dirty)
		pthread_cond_wait(&r->more, &r->lock);
	if (r->head || r->quit)
		return;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_sec += RECORD_FLUSH_MS / 1000;
	while (!r->head && !r->quit)
		if (pthread_cond_timedwait(&r->more, &r->lock, &ts) != 0)
			break;
	if (!r->head)
		flush_streams(r);
}

/* Lock held: take the first block. */
static struct record_item *pop(struct vxhci_record *r)
{
	struct record_item *it = r->head;

	if (it) {
		r->head = it->next;
		if (!r->head)
			r->tail = NULL;
	}
	return it;
}

/* Lock held: it was written, or will not be. */
static void release(struct vxhci_record *r, struct record_item *it)
{
	if (it->type != REC_RECORDS)
		return;
	r->queued -= REC_BLOCK_RAW;
	it->next = r->spare;
	r->spare = it;
}

static void write_one(struct vxhci_record *r, const struct record_item *it)
{
	int err = write_block(r, it);

	if (err < 0)
		give_up(r, err);
	else if (it->type == REC_END && it->s->why == REC_OVERFLOW)
		say(r,
		    "%s: controller %s does more than can be written: its "
		    "recording ends here",
		    r->file, it->s->start.slot);
}

static void *writer(void *arg)
{
	struct vxhci_record *r = arg;
	struct record_item *it;

	pthread_mutex_lock(&r->lock);
	for (;;) {
		wait_for_blocks(r);
		if (r->quit)
			flush_streams(r);
		it = pop(r);
		if (!it && r->quit)
			break;
		if (!it)
			continue;
		if (!r->failed) {
			pthread_mutex_unlock(&r->lock);
			write_one(r, it);
			pthread_mutex_lock(&r->lock);
		}
		release(r, it);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

/* Signals are the program's; SIGXFSZ is to be an error of the write. */
int record_writer_start(struct vxhci_record *r)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	sigdelset(&all, PM_THREAD_SIGNAL);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&r->thread, NULL, writer, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

void record_writer_stop(struct vxhci_record *r)
{
	pthread_mutex_lock(&r->lock);
	r->quit = true;
	pthread_cond_signal(&r->more);
	pthread_mutex_unlock(&r->lock);
	pthread_join(r->thread, NULL);
}
