/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * record.h - inside a recording: controllers' threads encode what their taps
 * tell into blocks, and a thread writes them. Nobody waits for the file: when
 * too much waits to be written, or it cannot be, the recording ends, with a
 * mark in the file that says why.
 */
#ifndef VMM_RECORD_H
#define VMM_RECORD_H

#include <pthread.h>

#include "vmm/record_block.h"
#include "vmm/record_codec.h"
#include "vmm/vxhci.h"

#define RECORD_QUEUE (16u << 20) /* bytes of blocks waiting, at most */
#define RECORD_FLUSH_MS 1000 /* what is recorded is in the file after that */

/* A block on its way, in the order of the file. */
struct record_item {
	struct record_item *next;
	struct record_stream *s; /* borrowed */
	enum rec_block_type type;
	uint32_t len;
	uint8_t *raw; /* type REC_RECORDS: owned, REC_BLOCK_RAW bytes */
};

/* A controller's. Lives as long as the recording. */
struct record_stream {
	struct vxhci_record *r; /* borrowed */
	struct record_stream *next;
	struct rec_start start;
	uint16_t id;
	uint32_t seq;             /* the writer's: of its next block */
	struct rec_codec codec;   /* from here on under r->lock */
	struct record_item *cur;  /* owned; being filled; NULL: none yet */
	struct record_item first; /* embedded: REC_START */
	struct record_item last;  /* embedded: REC_END */
	enum rec_end why;
	bool live;  /* the file knows it */
	bool ended; /* takes no more records */
};

struct vxhci_record {
	char *file;          /* owned */
	int fd;              /* the writer's */
	uint64_t good;       /* the writer's: bytes of whole blocks */
	uint64_t last_block; /* the writer's: where the last one begins */
	uint8_t *out;        /* owned, the writer's: a block for the file */
	struct record_stream *last_of; /* the writer's: whose that is */
	bool begun; /* the writer's: what was in the file is gone */
	void (*log)(void *opaque, enum vxhci_log level, const char *line);
	void *opaque;
	uint32_t limit; /* RECORD_QUEUE */

	pthread_mutex_t lock; /* a leaf: held for a record, never for a write */
	pthread_cond_t more;
	pthread_t thread;
	bool quit;
	bool dirty;  /* a block is being filled, and the writer knows */
	bool failed; /* nothing is written any more */
	struct record_stream *streams;
	uint16_t nstreams;
	struct record_item *head, *tail; /* to be written */
	struct record_item *spare;       /* to be filled again */
	uint32_t queued;                 /* bytes of blocks, spare ones not */
};

/*
 * record_stream_add - record all that @x, a new controller, does: a tap is
 * set. It comes into the file with record_stream_live(). 0 or -errno.
 */
int record_stream_add(struct vxhci_record *r, struct xhci *x,
		      const struct xhci_config *cfg, const char *slot,
		      struct record_stream **ret_s);
void record_stream_live(struct record_stream *s);
/* The controller is gone. One that was not live leaves no trace. */
void record_stream_end(struct record_stream *s);

/* record_writer.c */
int record_writer_start(struct vxhci_record *r);
/* All that waits is written, or can not be. */
void record_writer_stop(struct vxhci_record *r);
/* Lock held: hand a block to the writer. */
void record_queue(struct vxhci_record *r, struct record_item *it);
/* Lock held: a stream takes no more; the mark follows what it has. */
void record_end(struct record_stream *s, enum rec_end why);

#endif
