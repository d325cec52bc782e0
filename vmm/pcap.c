/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * pcap.c - the controllers' side of a capture, and its start and end.
 */
#include "vmm/pcap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vmm/embed.h"
#include "vmm/pcap_block.h"
#include "vmm/pcap_writer.h"

static uint64_t sink_now_ns(void *sink)
{
	struct timespec ts;

	(void)sink;
	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Lock held: room for a block, or NULL and it is counted. */
static uint8_t *reserve(struct pcap_if *f, struct pcap_epb *e)
{
	struct vxhci_pcap *p = f->p;
	uint8_t *block;

	e->lost = f->lost_now;
	block = pcap_ring_reserve(&p->ring, pcap_epb_len(e));
	f->received++;
	if (block == NULL) {
		f->lost++;
		f->lost_now++;
	} else {
		f->lost_now = 0;
	}
	if (p->idle || (p->waits && pcap_ring_used(&p->ring) >=
					    p->opt.buffer / PCAP_BATCH)) {
		p->idle = p->waits = false;
		pthread_cond_signal(&p->more);
	}
	return block;
}

static uint8_t *sink_begin(void *sink, uint64_t at_ns, uint32_t len,
			   uint32_t full)
{
	struct pcap_if *f = sink;
	struct pcap_epb e = {f->id, at_ns, len, full, 0};
	uint8_t *block;

	pthread_mutex_lock(&f->p->lock);
	block = reserve(f, &e);
	pthread_mutex_unlock(&f->p->lock);
	if (block == NULL)
		return NULL;
	pcap_epb(block, &e);
	return block + PCAP_EPB_HEADER;
}

static void sink_end(void *sink, uint8_t *rec)
{
	(void)sink;
	pcap_ring_commit(rec - PCAP_EPB_HEADER, PCAP_EPB);
}

const struct tap_sink_ops pcap_sink_ops = {
	.now_ns = sink_now_ns,
	.begin = sink_begin,
	.end = sink_end,
};

int pcap_add(struct vxhci_pcap *p, const char *slot, const char *comment,
	     struct pcap_if **ret_if)
{
	uint8_t *idb = malloc(PCAP_BLOCK_MAX);
	struct pcap_if *f = calloc(1, sizeof(*f));
	char name[64], description[128];
	int r = idb && f ? 0 : -ENOMEM;

	pthread_mutex_lock(&p->lock);
	if (r == 0 && p->nifs == PCAP_MAX_IFS)
		r = -ENOSPC;
	if (r == 0) {
		snprintf(name, sizeof(name), "xhci-%s", slot);
		snprintf(description, sizeof(description),
			 "USB controller in slot %s, bus %u", slot,
			 p->nifs + 1);
		pcap_idb(idb, p->opt.snap, name, description, comment);
		*f = (struct pcap_if){.p = p, .id = p->nifs};
		p->idbs[p->nifs] = idb;
		p->ifs[p->nifs++] = f;
		p->idle = p->waits = false;
		pthread_cond_signal(&p->more);
	}
	pthread_mutex_unlock(&p->lock);
	if (r < 0) {
		free(idb);
		free(f);
		return r;
	}
	*ret_if = f;
	return 0;
}

/* The ports, and what was put into them at start */
static void describe(const struct vxhci *v, char *text, size_t size)
{
	int n = snprintf(text, size, "ports 1-%u are USB 2", v->opt.usb2);

	if (v->opt.usb3 && n > 0 && (size_t)n < size)
		n += snprintf(text + n, size - (size_t)n, ", %u-%u are USB 3",
			      v->opt.usb2 + 1u,
			      (unsigned)v->opt.usb2 + v->opt.usb3);
	for (unsigned i = 0; i < v->opt.ndevs; i++) {
		char name[96];

		slot_dev_name(&v->opt.dev[i], name, sizeof(name));
		if (n > 0 && (size_t)n < size)
			n += snprintf(text + n, size - (size_t)n, "%s%s",
				      i ? ", " : "; ", name);
	}
}

int vxhci_pcap_add(struct vxhci_pcap *p, struct vxhci *v)
{
	char text[PCAP_TEXT_MAX];
	struct pcap_if *f;
	int r = -EBUSY;

	pthread_mutex_lock(&v->lock);
	if (v->tap.ops == NULL) {
		describe(v, text, sizeof(text));
		r = pcap_add(p, v->opt.slot, text, &f);
	}
	if (r == 0) {
		v->tap = (struct tap){.ops = &pcap_sink_ops,
				      .sink = f,
				      .bus = (uint16_t)(f->id + 1),
				      .snap = p->opt.snap};
		pmapper_set_tap(v->pm, &tap_ops, &v->tap);
	}
	pthread_mutex_unlock(&v->lock);
	return r;
}

static int init_locks(struct vxhci_pcap *p)
{
	pthread_condattr_t attr;
	int r = pthread_condattr_init(&attr);

	if (r != 0)
		return -r;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	r = pthread_cond_init(&p->more, &attr);
	pthread_condattr_destroy(&attr);
	if (r != 0)
		return -r;
	r = pthread_mutex_init(&p->lock, NULL);
	if (r != 0)
		pthread_cond_destroy(&p->more);
	return -r;
}

int pcap_start(const struct pcap_opt *opt,
	       void (*log)(void *opaque, enum vxhci_log level,
			   const char *line),
	       void *opaque, struct vxhci_pcap **ret_p)
{
	struct vxhci_pcap *p = calloc(1, sizeof(*p));
	uint8_t shb[PCAP_BLOCK_MAX];
	int r;

	if (p == NULL)
		return -ENOMEM;
	p->opt = *opt;
	p->log = log;
	p->opaque = opaque;
	r = pcap_ring_init(&p->ring, opt->buffer);
	if (r < 0)
		goto free_p;
	r = init_locks(p);
	if (r < 0)
		goto free_ring;
	r = pcap_file_open(&p->file, &p->opt);
	if (r < 0)
		goto free_locks;
	r = pcap_file_add_head(&p->file, shb,
			       pcap_shb(shb, "vxhci " VXHCI_VERSION));
	if (r == 0)
		r = pcap_writer_start(p);
	if (r < 0)
		goto close_file;
	*ret_p = p;
	return 0;
close_file:
	pcap_file_close(&p->file);
free_locks:
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->more);
free_ring:
	pcap_ring_fini(&p->ring);
free_p:
	free(p);
	return r;
}

static void open_error(const char *file, int r, char *err, size_t errlen)
{
	const char *why = strerror(-r);

	if (r == -ESPIPE)
		snprintf(err, errlen,
			 "%s: no regular file: leave size= out, or name one",
			 file);
	else if (r == -ENOMEM || r == -EAGAIN)
		snprintf(err, errlen,
			 "%s: %s: free some resources, or give "
			 "a smaller buffer=",
			 file, why);
	else
		snprintf(err, errlen, "%s: %s: name a file that can be written",
			 file, why);
}

int vxhci_pcap_open(const char *option,
		    void (*log)(void *opaque, enum vxhci_log level,
				const char *line),
		    void *opaque, char *errbuf, size_t errlen,
		    struct vxhci_pcap **ret_p)
{
	struct pcap_opt opt;
	int r = pcap_opt_parse(option, errbuf, errlen, &opt);

	if (r < 0)
		return r;
	r = pcap_start(&opt, log, opaque, ret_p);
	if (r < 0) {
		open_error(opt.file, r, errbuf, errlen);
		pcap_opt_free(&opt);
	}
	return r;
}

void vxhci_pcap_close(struct vxhci_pcap *p)
{
	if (p == NULL)
		return;
	pcap_writer_stop(p);
	pcap_file_close(&p->file);
	for (unsigned i = 0; i < p->nifs; i++) {
		free(p->ifs[i]);
		free(p->idbs[i]);
	}
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->more);
	pcap_ring_fini(&p->ring);
	pcap_opt_free(&p->opt);
	free(p);
}
