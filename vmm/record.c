/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.c - the controllers' side of a recording, and its start and end.
 */
#include "vmm/record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Lock held: a block to be filled, or NULL: there are too many. */
static struct record_item *item_get(struct vxhci_record *r)
{
	struct record_item *it = r->spare;

	if (r->queued + REC_BLOCK_RAW > r->limit)
		return NULL;
	if (it) {
		r->spare = it->next;
	} else {
		it = calloc(1, sizeof(*it));
		if (!it)
			return NULL;
		it->raw = malloc(REC_BLOCK_RAW);
		if (!it->raw) {
			free(it);
			return NULL;
		}
	}
	r->queued += REC_BLOCK_RAW;
	it->type = REC_RECORDS;
	it->len = 0;
	it->next = NULL;
	return it;
}

static void item_free(struct record_item *it)
{
	free(it->raw);
	free(it);
}

void record_queue(struct vxhci_record *r, struct record_item *it)
{
	it->next = NULL;
	if (r->tail)
		r->tail->next = it;
	else
		r->head = it;
	r->tail = it;
	pthread_cond_signal(&r->more);
}

void record_end(struct record_stream *s, enum rec_end why)
{
	if (s->ended)
		return;
	s->ended = true;
	s->why = why;
	if (!s->live)
		return;
	if (s->cur)
		record_queue(s->r, s->cur);
	s->cur = NULL;
	record_queue(s->r, &s->last);
}

/* Lock held: room for one more record, or the stream has ended. */
static bool make_room(struct record_stream *s)
{
	struct vxhci_record *r = s->r;

	if (s->cur && REC_BLOCK_RAW - s->cur->len < REC_MAX) {
		if (!s->live) {
			record_end(s, REC_OVERFLOW);
			return false;
		}
		record_queue(r, s->cur);
		s->cur = NULL;
	}
	if (s->cur)
		return true;
	s->cur = item_get(r);
	if (!s->cur) {
		record_end(s, REC_OVERFLOW);
		return false;
	}
	s->cur->s = s;
	if (!r->dirty && s->live) {
		r->dirty = true;
		pthread_cond_signal(&r->more);
	}
	return true;
}

static void stream_rec(void *tap, const struct xhci_tap_rec *rec)
{
	struct record_stream *s = tap;

	pthread_mutex_lock(&s->r->lock);
	if (!s->ended && make_room(s))
		s->cur->len += (uint32_t)rec_encode(&s->codec, rec,
						    s->cur->raw + s->cur->len);
	pthread_mutex_unlock(&s->r->lock);
}

static const struct xhci_tap_ops stream_ops = {.rec = stream_rec};

static void fill_start(struct rec_start *s, const struct xhci_config *cfg,
		       const char *slot)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	s->cfg = *cfg;
	s->at_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	snprintf(s->slot, sizeof(s->slot), "%s", slot);
	snprintf(s->program, sizeof(s->program), "vxhci %s", VXHCI_VERSION);
}

int record_stream_add(struct vxhci_record *r, struct xhci *x,
		      const struct xhci_config *cfg, const char *slot,
		      struct record_stream **ret_s)
{
	struct record_stream *s = calloc(1, sizeof(*s));
	int err;

	if (!s)
		return -ENOMEM;
	s->r = r;
	s->first = (struct record_item){.s = s, .type = REC_START};
	s->last = (struct record_item){.s = s, .type = REC_END};
	fill_start(&s->start, cfg, slot);
	err = xhci_set_tap(x, &stream_ops, s);
	if (err) {
		free(s);
		return err;
	}
	pthread_mutex_lock(&r->lock);
	s->next = r->streams;
	r->streams = s;
	s->ended = r->failed;
	pthread_mutex_unlock(&r->lock);
	*ret_s = s;
	return 0;
}

void record_stream_live(struct record_stream *s)
{
	struct vxhci_record *r = s->r;

	pthread_mutex_lock(&r->lock);
	s->id = r->nstreams++;
	s->live = true;
	record_queue(r, &s->first);
	r->dirty = true;
	if (s->ended) /* already: it was too much */
		record_queue(r, &s->last);
	pthread_mutex_unlock(&r->lock);
}

void record_stream_end(struct record_stream *s)
{
	pthread_mutex_lock(&s->r->lock);
	record_end(s, REC_ENDED);
	pthread_mutex_unlock(&s->r->lock);
}

/* Anything that can be written from its start on; a reader needs no more. */
static int open_file(const char *file, int *ret_fd)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode) &&
	    !S_ISCHR(st.st_mode)) {
		close(fd);
		return -ESPIPE;
	}
	*ret_fd = fd;
	return 0;
}

static int init_locks(struct vxhci_record *r)
{
	pthread_condattr_t attr;
	int err = pthread_condattr_init(&attr);

	if (err)
		return -err;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	err = pthread_cond_init(&r->more, &attr);
	pthread_condattr_destroy(&attr);
	if (err)
		return -err;
	err = pthread_mutex_init(&r->lock, NULL);
	if (err)
		pthread_cond_destroy(&r->more);
	return -err;
}

static void record_free(struct vxhci_record *r)
{
	struct record_item *it, *next;
	struct record_stream *s, *after;

	for (it = r->spare; it; it = next) {
		next = it->next;
		item_free(it);
	}
	for (s = r->streams; s; s = after) {
		after = s->next;
		if (s->cur)
			item_free(s->cur);
		free(s);
	}
	free(r->out);
	free(r->file);
	free(r);
}

static int record_open(struct vxhci_record *r, const char *file)
{
	int err;

	r->limit = RECORD_QUEUE;
	r->file = strdup(file);
	r->out = malloc(REC_BLOCK_FILE);
	if (!r->file || !r->out)
		return -ENOMEM;
	err = open_file(file, &r->fd);
	if (err)
		return err;
	err = init_locks(r);
	if (err)
		goto close_fd;
	err = record_writer_start(r);
	if (err)
		goto free_locks;
	return 0;
free_locks:
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->more);
close_fd:
	close(r->fd);
	return err;
}

int vxhci_record_open(const char *file,
		      void (*log)(void *opaque, enum vxhci_log level,
				  const char *line),
		      void *opaque, char *errbuf, size_t errlen,
		      struct vxhci_record **ret_r)
{
	struct vxhci_record *r = calloc(1, sizeof(*r));
	int err = -ENOMEM;

	if (r) {
		r->log = log;
		r->opaque = opaque;
		err = record_open(r, file);
	}
	if (err == 0) {
		*ret_r = r;
		return 0;
	}
	if (r)
		record_free(r);
	if (err == -ESPIPE)
		snprintf(errbuf, errlen, "%s: no regular file: name one", file);
	else if (err == -ENOMEM || err == -EAGAIN)
		snprintf(errbuf, errlen,
			 "%s: %s: free some resources and try again", file,
			 strerror(-err));
	else
		snprintf(errbuf, errlen,
			 "%s: %s: name a file that can be "
			 "written",
			 file[0] ? file : "''", strerror(-err));
	return err;
}

void vxhci_record_close(struct vxhci_record *r)
{
	if (!r)
		return;
	record_writer_stop(r);
	close(r->fd);
	pthread_mutex_destroy(&r->lock);
	pthread_cond_destroy(&r->more);
	record_free(r);
}
