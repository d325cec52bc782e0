/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.h - a recording run again: a new controller is called as the recorded
 * one was, gets the answers that one got, and must do what that one did.
 */
#ifndef VMM_REPLAY_H
#define VMM_REPLAY_H

#include "vmm/record_reader.h"

enum replay_verdict {
	REPLAY_SAME,    /* all of it, up to where it ends */
	REPLAY_DIFFERS, /* the controller does something else */
	REPLAY_DAMAGED, /* nothing else up to where the file is damaged */
};

/* A record with data of its own; .there false: none. */
struct replay_rec {
	bool there;
	struct xhci_tap_rec rec;
	uint8_t data[XHCI_TAP_DATA];
};

struct replay_result {
	enum replay_verdict verdict;
	struct rec_start start;
	uint64_t records; /* that were the same */
	uint64_t calls;
	uint64_t begin_ns, now_ns; /* the controller's clock */
	bool marked;               /* see struct rec_reader */
	enum rec_end end;
	const char *why; /* REPLAY_DAMAGED: what is wrong */
	/* REPLAY_DIFFERS: in this call, at this record, which is .records */
	struct replay_rec call, expected, got;
	bool unanswered; /* it asked for memory, a device or the time, and the
			  * recording has no answer here */
};

/*
 * replay_stream - run stream @stream of @f. 0 and *ret; -ENOENT: there is no
 * such stream; -ENOMEM.
 */
int replay_stream(struct rec_file *f, uint16_t stream,
		  struct replay_result *ret);

/*
 * replay_text - what a record says, in the specification's words. Written to
 * @buf, which is returned.
 */
char *replay_text(const struct xhci_tap_rec *rec, char *buf, size_t len);

#endif
