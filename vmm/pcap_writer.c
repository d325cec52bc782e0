/* SPDX-License-Identifier: BSD-2-Clause */
#include "pmapper/pmapper.h"
#include "vmm/pcap_writer.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vmm/pcap_block.h"

#define UNFINISHED_MS 5  /* somebody is filling in the next block */
#define RETRY_MS 1000    /* the disk is full, or whatever it is */
#define PIPE_PATIENCE 4u /* times -EAGAIN until nobody reads, at the end */

static void say(struct vxhci_pcap *p, enum vxhci_log level, const char *fmt,
		...) __attribute__((format(printf, 3, 4)));

static void say(struct vxhci_pcap *p, enum vxhci_log level, const char *fmt,
		...)
{
	char line[512];
	va_list ap;

	if (p->log == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	p->log(p->opaque, level, line);
}

/* Lock held. */
static void wait_ms(struct vxhci_pcap *p, long ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_nsec += ms % 1000 * 1000000;
	ts.tv_sec += ms / 1000 + ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&p->more, &p->lock, &ts);
}

/*
 * Lock held. Asleep until something comes, then until there is enough of it to
 * be worth a write.
 */
static void wait_for_records(struct vxhci_pcap *p)
{
	while (!p->quit && p->ifs_known == p->nifs &&
	       pcap_ring_used(&p->ring) == 0) {
		p->idle = true;
		pthread_cond_wait(&p->more, &p->lock);
	}
	p->idle = false;
	if (!p->quit && pcap_ring_used(&p->ring) < p->opt.buffer / PCAP_BATCH) {
		p->waits = true;
		wait_ms(p, PCAP_BATCH_MS);
	}
	p->waits = false;
}

/* Tell the file of interfaces that came; they are there before records. */
static int know_interfaces(struct vxhci_pcap *p, unsigned nifs)
{
	int r = 0;

	while (r == 0 && p->ifs_known < nifs) {
		const uint8_t *idb = p->idbs[p->ifs_known];

		r = pcap_file_add_head(&p->file, idb, pcap_block_len(idb));
		if (r == 0)
			p->ifs_known++;
	}
	return r;
}

/* Failing, and not any more, each said once */
static void tell_result(struct vxhci_pcap *p, int r)
{
	if (r == -EAGAIN || (r < 0) == p->failing)
		return;
	p->failing = r < 0;
	if (r < 0)
		say(p, VXHCI_LOG_WARN,
		    "%s: %s: records that do not fit in memory are lost until "
		    "it can be written",
		    p->opt.file, strerror(-r));
	else
		say(p, VXHCI_LOG_WARN, "%s: is written again", p->opt.file);
}

/* Write some. 0, or -errno and it is to be tried again; *ret_all: no more. */
static int write_batch(struct vxhci_pcap *p, bool *ret_all)
{
	size_t len, n, done = 0;
	const uint8_t *b;
	unsigned nifs;
	int r;

	pthread_mutex_lock(&p->lock);
	b = pcap_ring_peek(&p->ring, &len);
	nifs = p->nifs;
	pthread_mutex_unlock(&p->lock);
	n = pcap_ring_finished(b, len);
	r = know_interfaces(p, nifs);
	if (r == 0)
		r = pcap_file_put(&p->file, b, n, &done);
	pthread_mutex_lock(&p->lock);
	pcap_ring_consume(&p->ring, done);
	*ret_all = pcap_ring_used(&p->ring) == 0;
	if (r == 0 && done == 0 && len > 0)
		wait_ms(p, UNFINISHED_MS);
	pthread_mutex_unlock(&p->lock);
	return r;
}

/* At the end: how many came and how many were lost */
static void write_statistics(struct vxhci_pcap *p, uint64_t lost)
{
	uint64_t now = pcap_sink_ops.now_ns(NULL);
	uint8_t isb[PCAP_BLOCK_MAX];
	size_t done;
	int r = 0;

	for (unsigned i = 0; r == 0 && i < p->ifs_known; i++) {
		struct pcap_if *f = p->ifs[i];
		size_t len = pcap_isb(isb, i, now, f->received, f->lost);

		r = pcap_file_put(&p->file, isb, len, &done);
	}
	if (lost)
		say(p, VXHCI_LOG_WARN,
		    "%s: %" PRIu64 " records were lost in all", p->opt.file,
		    lost);
}

/* What is in the ring now will not be written. */
static void count_the_rest(struct vxhci_pcap *p)
{
	const uint8_t *b;
	size_t len;

	while (b = pcap_ring_peek(&p->ring, &len), len > 0) {
		for (size_t n = 0; n < len; n += pcap_block_len(b + n))
			p->ifs[pcap_get32(b + n + 8)]->lost++;
		pcap_ring_consume(&p->ring, len);
	}
}

static void write_end(struct vxhci_pcap *p, int r)
{
	uint64_t lost = 0;

	if (r < 0)
		count_the_rest(p);
	for (unsigned i = 0; i < p->nifs; i++)
		lost += p->ifs[i]->lost;
	if (r == 0)
		write_statistics(p, lost);
	else
		say(p, VXHCI_LOG_WARN,
		    "%s: %s: %" PRIu64 " records were lost in all", p->opt.file,
		    strerror(-r), lost);
}

static void *writer(void *arg)
{
	struct vxhci_pcap *p = arg;
	unsigned stalls = 0;
	bool all = false, quit = false;
	int r = 0;

	while (!(quit && all)) {
		pthread_mutex_lock(&p->lock);
		if (r == 0)
			wait_for_records(p);
		else if (r != -EAGAIN && !p->quit)
			wait_ms(p, RETRY_MS);
		quit = p->quit;
		pthread_mutex_unlock(&p->lock);
		r = write_batch(p, &all);
		tell_result(p, r);
		stalls = quit && r == -EAGAIN ? stalls + 1 : 0;
		if (quit && r < 0 && (r != -EAGAIN || stalls >= PIPE_PATIENCE))
			break;
	}
	write_end(p, r);
	return NULL;
}

/*
 * Signals are the program's; and what a write may raise, SIGPIPE or SIGXFSZ,
 * is to be an error of the write.
 */
int pcap_writer_start(struct vxhci_pcap *p)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	sigdelset(&all, PM_THREAD_SIGNAL);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGSEGV);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&p->thread, NULL, writer, p);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

void pcap_writer_stop(struct vxhci_pcap *p)
{
	pthread_mutex_lock(&p->lock);
	p->quit = true;
	pthread_cond_signal(&p->more);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
}
