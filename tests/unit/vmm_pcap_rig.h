/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * vmm_pcap_rig.h - for the tests of captures, included once by each: a folder,
 * what the log said, records with numbers, and files of them.
 */
#ifndef TESTS_UNIT_VMM_PCAP_RIG_H
#define TESTS_UNIT_VMM_PCAP_RIG_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/vmm_pcap_file.h"
#include "vmm/pcap.h"

#define KIB 1024u
#define MIB 1048576u

static char dir[64];

struct log {
	atomic_uint lines;
	atomic_bool failed, again; /* what was said so far */
	char last[256];
};

static void log_line(void *opaque, enum vxhci_log level, const char *line)
{
	struct log *g = opaque;

	snprintf(g->last, sizeof(g->last), "%s", line);
	if (strstr(line, "until it can be written"))
		atomic_store(&g->failed, true);
	if (strstr(line, "is written again"))
		atomic_store(&g->again, true);
	/* nothing is said at another level */
	atomic_fetch_add(&g->lines, level == VXHCI_LOG_WARN ? 1 : 100);
}

static int setup(void **state)
{
	static struct log log;

	memset(&log, 0, sizeof(log));
	strcpy(dir, "/tmp/vmm_pcap.XXXXXX");
	assert_non_null(mkdtemp(dir));
	assert_int_equal(chdir(dir), 0);
	*state = &log;
	return 0;
}

/* What the test left is removed, and nothing else may be there. */
static int teardown(void **state)
{
	static const char *const names[] = {"a", "a.1", "a.2", "a.3"};

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		unlink(names[i]);
	assert_int_equal(chdir("/"), 0);
	return rmdir(dir);
}

static inline struct vxhci_pcap *start(struct log *log, const char *file,
				       uint64_t size, unsigned files,
				       size_t buffer)
{
	struct pcap_opt opt = {strdup(file), size, files, 65536, buffer};
	struct vxhci_pcap *p;

	assert_int_equal(pcap_start(&opt, log_line, log, &p), 0);
	return p;
}

static struct pcap_if *add(struct vxhci_pcap *p, const char *slot)
{
	struct pcap_if *f = NULL;

	assert_int_equal(pcap_add(p, slot, "none", &f), 0);
	return f;
}

/* A record of @len bytes that says which it is. */
static bool put(struct pcap_if *f, uint32_t n, uint32_t len)
{
	uint8_t *b = pcap_sink_ops.begin(f, n, len, len);

	if (b == NULL)
		return false;
	memset(b, (uint8_t)n, len);
	memcpy(b, &n, sizeof(n));
	pcap_sink_ops.end(f, b);
	return true;
}

static void nap_ms(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

static inline void wait_until_written(struct vxhci_pcap *p)
{
	size_t used;

	do {
		nap_ms(5);
		pthread_mutex_lock(&p->lock);
		used = pcap_ring_used(&p->ring);
		pthread_mutex_unlock(&p->lock);
	} while (used);
}

static inline bool wait_for(atomic_bool *b)
{
	for (unsigned i = 0; i < 500 && !atomic_load(b); i++)
		nap_ms(10);
	return atomic_load(b);
}

/*
 * Read @path: packets of interface 0 with the numbers from @from on, but for
 * those that it says were lost. Returns the number after the last.
 */
static inline uint32_t read_file(const char *path, uint32_t from, struct pf *f)
{
	pf_open(f, path);
	while (pf_next(f)) {
		uint32_t n;

		if (f->type != 6)
			continue;
		memcpy(&n, f->packet, sizeof(n));
		from += (uint32_t)f->lost;
		assert_int_equal(n, from);
		assert_int_equal(f->ts, n);
		assert_int_equal(f->packet[f->caplen - 1], (uint8_t)n);
		from++;
	}
	assert_int_equal(f->sections, 1);
	pf_close(f);
	return from;
}

#endif
