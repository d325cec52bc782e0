/* SPDX-License-Identifier: BSD-2-Clause */
/* pcap_writer.h - the thread that takes a capture's records to its file. */
#ifndef VMM_PCAP_WRITER_H
#define VMM_PCAP_WRITER_H

#include "vmm/pcap.h"

/* Records wait this long for others, or until 1/PCAP_BATCH of the buffer */
#define PCAP_BATCH_MS 100
#define PCAP_BATCH 8u

/* 0 or -errno. @p is complete but for its thread. */
int pcap_writer_start(struct vxhci_pcap *p);
/*
 * Write what there is, once more if it fails, and end the thread. Nobody may
 * use an interface of @p any more.
 */
void pcap_writer_stop(struct vxhci_pcap *p);

#endif
