/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcap_file.h - a pcapng file that is replaced by a new one when it is full.
 *
 * One thread uses it, and may block in it. What fails can be tried again with
 * the same bytes: nothing is written twice, and no block is left in the middle
 * of another.
 */
#ifndef VMM_PCAP_FILE_H
#define VMM_PCAP_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/pcap_opt.h"

struct pcap_file {
	const struct pcap_opt *opt; /* borrowed */
	int fd;                     /* -1: none is open */
	bool regular;               /* not a pipe or a terminal */
	bool moved;                 /* FILE is FILE.1 by now, to be opened */
	uint64_t size;              /* bytes of it written */
	size_t partial;             /* and of a block that is not complete */
	uint64_t packets;           /* in this one */

	/* blocks for the start of the file that are not written yet */
	uint8_t *head; /* owned */
	size_t head_len, head_done;
	/* all such blocks, for the next file */
	uint8_t *all; /* owned */
	size_t all_len;
};

/*
 * pcap_file_open - create FILE, or empty it; nobody else may read it. 0 or
 * -errno (-ESPIPE: not a file, and size= was given).
 */
int pcap_file_open(struct pcap_file *f, const struct pcap_opt *opt);
/* A block that each file begins with. 0 or -ENOMEM. */
int pcap_file_add_head(struct pcap_file *f, const uint8_t *block, size_t len);
/*
 * pcap_file_put - write the @len bytes of whole blocks at @p, in one or more
 * files. *ret_done is set in any case: the bytes, whole blocks, that need not
 * be given again; the rest is to be given again from there. 0 or -errno;
 * -EAGAIN: a pipe that is not read, for a while.
 */
int pcap_file_put(struct pcap_file *f, const uint8_t *p, size_t len,
		  size_t *ret_done);
/* Close it; a block that is not complete is cut off. */
void pcap_file_close(struct pcap_file *f);

#endif
