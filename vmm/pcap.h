/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcap.h - inside the capture of USB traffic: controllers put records in a
 * ring in memory, a thread takes them from there to the file. The functions
 * for the VMM are in vxhci.h.
 *
 * Locks: `lock` is a leaf, held for a few instructions by the controllers'
 * threads and by the writer, never while anything is written. A record is
 * filled in outside of it.
 */
#ifndef VMM_PCAP_H
#define VMM_PCAP_H

#include <pthread.h>

#include "pmapper/tap.h"
#include "vmm/pcap_file.h"
#include "vmm/pcap_opt.h"
#include "vmm/pcap_ring.h"
#include "vmm/vxhci.h"

#define PCAP_MAX_IFS 256u

/* One controller, in the file an interface. */
struct pcap_if {
	struct vxhci_pcap *p; /* borrowed */
	uint32_t id;          /* 0.. */
	/* under the lock */
	uint64_t received, lost; /* records, of which some were lost */
	uint64_t lost_now;       /* since the last that was not */
};

struct vxhci_pcap {
	struct pcap_opt opt; /* owned */
	void (*log)(void *opaque, enum vxhci_log level, const char *line);
	void *opaque; /* borrowed */
	pthread_t thread;

	pthread_mutex_t lock;
	pthread_cond_t more; /* the writer waits for it */
	struct pcap_ring ring;
	struct pcap_if *ifs[PCAP_MAX_IFS]; /* owned */
	uint8_t *idbs[PCAP_MAX_IFS];       /* owned: blocks that say so */
	unsigned nifs;
	bool idle;  /* the writer is to be told of the first record */
	bool waits; /* it gathers some: to be told when there are many */
	bool quit;  /* write what there is, and end */

	/* the writer's */
	struct pcap_file file;
	unsigned ifs_known; /* to `file` */
	bool failing;       /* and the log says so */
};

/*
 * pcap_add - an interface for a controller; @comment is about it. 0 or
 * -errno. It stays until the capture is closed. For tests, and
 * vxhci_pcap_add().
 */
int pcap_add(struct vxhci_pcap *p, const char *slot, const char *comment,
	     struct pcap_if **ret_if);
/* For a tap whose sink is a struct pcap_if. */
extern const struct tap_sink_ops pcap_sink_ops;
/* The same as vxhci_pcap_open() with an option that is read. Owned on success */
int pcap_start(const struct pcap_opt *opt,
	       void (*log)(void *opaque, enum vxhci_log level,
			   const char *line),
	       void *opaque, struct vxhci_pcap **ret_p);

#endif
