/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A capture from records to files: order, loss, rotation, and disks that are
 * full, gone or slow, none of which the controllers' threads may notice.
 */
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

	assert_int_equal(level, VXHCI_LOG_WARN);
	snprintf(g->last, sizeof(g->last), "%s", line);
	if (strstr(line, "until it can be written"))
		atomic_store(&g->failed, true);
	if (strstr(line, "is written again"))
		atomic_store(&g->again, true);
	atomic_fetch_add(&g->lines, 1);
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

static struct vxhci_pcap *start(struct log *log, const char *file,
				uint64_t size, unsigned files, size_t buffer)
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

static bool wait_for(atomic_bool *b)
{
	for (unsigned i = 0; i < 500 && !atomic_load(b); i++)
		nap_ms(10);
	return atomic_load(b);
}

/*
 * Read @path: packets of interface 0 with the numbers from @from on, but for
 * those that it says were lost. Returns the number after the last.
 */
static uint32_t read_file(const char *path, uint32_t from, struct pf *f)
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

static void everything_buffered_is_written_at_the_end(void **state)
{
	struct vxhci_pcap *p = start(*state, "a", 0, 1, MIB);
	struct pcap_if *one = add(p, "30"), *two = add(p, "31:1");
	struct stat st;
	struct pf f;

	for (uint32_t i = 0; i < 100; i++)
		assert_true(put(one, i, 64 + i));
	assert_true(put(two, 0, 64));
	vxhci_pcap_close(p);
	assert_int_equal(stat("a", &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	pf_open(&f, "a");
	while (pf_next(&f))
		;
	assert_int_equal(f.interfaces, 2);
	assert_int_equal(f.packets, 101);
	assert_int_equal(f.interface, 1);
	assert_int_equal(f.statistics, 2);
	assert_int_equal(f.received[0], 100);
	assert_int_equal(f.received[1], 1);
	assert_int_equal(f.dropped[0], 0);
	pf_close(&f);
	assert_int_equal(((struct log *)*state)->lines, 0);
}

/* Whoever looks at the file while it is written need not wait for long. */
static void records_are_written_soon(void **state)
{
	struct vxhci_pcap *p = start(*state, "a", 0, 1, MIB);
	struct pcap_if *one = add(p, "30");
	struct stat st;
	off_t before = 0;

	for (uint32_t i = 0; i < 3; i++) {
		assert_true(put(one, i, 64));
		for (unsigned k = 0; k < 500; k++) {
			assert_int_equal(stat("a", &st), 0);
			if (st.st_size > before)
				break;
			nap_ms(10);
		}
		assert_true(st.st_size > before);
		before = st.st_size;
		nap_ms(150); /* it sleeps again */
	}
	vxhci_pcap_close(p);
}

#define THREADS 3u
#define EACH 20000u

static void *producer(void *arg)
{
	struct pcap_if *f = arg;
	uintptr_t refused = 0;

	for (uint32_t i = 0; i < EACH; i++)
		refused += !put(f, i, 64 + i * 7 % 2000);
	return (void *)refused;
}

/* What is not in the file is counted, where it would have been. */
static void threads_share_a_file(void **state)
{
	struct vxhci_pcap *p = start(*state, "a", 0, 1, 256 * KIB);
	uint32_t next[THREADS] = {0};
	uint64_t refused[THREADS];
	struct pcap_if *ifs[THREADS];
	pthread_t t[THREADS];
	struct pf f;

	for (unsigned i = 0; i < THREADS; i++) {
		ifs[i] = add(p, "x");
		assert_int_equal(pthread_create(&t[i], NULL, producer, ifs[i]),
				 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		void *r;

		pthread_join(t[i], &r);
		refused[i] = (uintptr_t)r;
	}
	vxhci_pcap_close(p);
	pf_open(&f, "a");
	while (pf_next(&f)) {
		uint32_t n;

		if (f.type != 6)
			continue;
		memcpy(&n, f.packet, sizeof(n));
		next[f.interface] += (uint32_t)f.lost;
		assert_int_equal(n, next[f.interface]++);
		assert_int_equal(f.caplen, 64 + n * 7 % 2000);
		assert_int_equal(f.packet[4], (uint8_t)n);
		assert_int_equal(f.packet[f.caplen - 1], (uint8_t)n);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(f.received[i], EACH);
		assert_int_equal(f.dropped[i], refused[i]);
	}
	pf_close(&f);
}

/* A pipe that nobody reads takes no time from who puts records. */
static void a_full_ring_loses_records_and_says_so(void **state)
{
	struct vxhci_pcap *p;
	struct pcap_if *one;
	uint32_t n = 0, lost = 0;
	uint8_t buf[4096];
	struct pf f;
	FILE *copy;
	ssize_t got;
	int fd;

	assert_int_equal(mkfifo("a", 0600), 0);
	fd = open("a", O_RDWR | O_NONBLOCK);
	assert_true(fd >= 0);
	p = start(*state, "a", 0, 1, 64 * KIB);
	one = add(p, "30");
	while (n < 100 || lost < 10)
		lost += !put(one, n++, 1000);
	/* then it is read, until there is room again */
	copy = fopen("a.1", "wb");
	assert_non_null(copy);
	for (unsigned i = 0; i < 1000; i++) {
		got = read(fd, buf, sizeof(buf));
		if (got > 0)
			fwrite(buf, 1, (size_t)got, copy);
		else
			nap_ms(1);
	}
	assert_true(put(one, n++, 1000));
	vxhci_pcap_close(p);
	while ((got = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)got, copy);
	fclose(copy);
	close(fd);
	assert_int_equal(read_file("a.1", 0, &f), n);
	assert_int_equal(f.lost, lost);
	snprintf((char *)buf, sizeof(buf),
		 "%u records before this one were lost", lost);
	assert_string_equal(f.comment, buf);
	assert_int_equal(f.dropped[0], lost);
	assert_int_equal(f.received[0], n);
	assert_non_null(strstr(((struct log *)*state)->last, "lost in all"));
}

/* Nobody reads it, not even at the end: that does not last for ever. */
static void a_pipe_nobody_reads_is_given_up(void **state)
{
	struct log *log = *state;
	struct vxhci_pcap *p;
	struct pcap_if *one;
	struct timespec from, to;
	int fd;

	assert_int_equal(mkfifo("a", 0600), 0);
	fd = open("a", O_RDWR | O_NONBLOCK);
	assert_true(fd >= 0);
	p = start(log, "a", 0, 1, 512 * KIB);
	one = add(p, "30");
	for (uint32_t i = 0; i < 200; i++)
		put(one, i, 1000);
	clock_gettime(CLOCK_MONOTONIC, &from);
	vxhci_pcap_close(p);
	clock_gettime(CLOCK_MONOTONIC, &to);
	close(fd);
	assert_in_range(to.tv_sec - from.tv_sec, 0, 10);
	assert_non_null(strstr(log->last, "lost in all"));
}

static void a_full_disk_is_said_once_and_stops_nobody(void **state)
{
	struct log *log = *state;
	struct vxhci_pcap *p = start(log, "/dev/full", 0, 1, 64 * KIB);
	struct pcap_if *one = add(p, "30");
	uint32_t lost = 0;

	assert_true(wait_for(&log->failed));
	for (uint32_t i = 0; i < 1000; i++)
		lost += !put(one, i, 1000);
	assert_in_range(lost, 1000 - 64, 999);
	assert_non_null(strstr(log->last, "/dev/full: No space left"));
	assert_int_equal(log->lines, 1);
	vxhci_pcap_close(p);
	assert_int_equal(log->lines, 2);
	assert_non_null(strstr(log->last, "1000 records were lost in all"));
}

static void set_file_limit(rlim_t bytes)
{
	struct rlimit l = {bytes, RLIM_INFINITY};

	assert_int_equal(setrlimit(RLIMIT_FSIZE, &l), 0);
}

/* Nothing is lost, twice or cut when there is room before the ring is full. */
static void a_disk_that_was_full_is_written_again(void **state)
{
	struct log *log = *state;
	struct vxhci_pcap *p;
	struct pcap_if *one;
	struct pf f;

	set_file_limit(100 * KIB + 2); /* in the middle of a record */
	p = start(log, "a", 0, 1, 512 * KIB);
	one = add(p, "30");
	for (uint32_t i = 0; i < 300; i++)
		assert_true(put(one, i, 1000));
	assert_true(wait_for(&log->failed));
	set_file_limit(RLIM_INFINITY);
	assert_true(wait_for(&log->again));
	for (uint32_t i = 300; i < 400; i++)
		assert_true(put(one, i, 1000));
	vxhci_pcap_close(p);
	assert_int_equal(read_file("a", 0, &f), 400);
	assert_int_equal(f.dropped[0], 0);
	assert_int_equal(log->lines, 2);
}

static void a_disk_full_at_the_end_leaves_whole_blocks(void **state)
{
	/* in the first blocks, in a record, in one without room for a byte */
	static const rlim_t limits[] = {20, 200, 50 * KIB + 2, 60 * KIB};

	for (unsigned i = 0; i < 4; i++) {
		struct log *log = *state;
		struct vxhci_pcap *p;
		struct pcap_if *one;
		struct pf f;

		memset(log, 0, sizeof(*log));
		set_file_limit(limits[i]);
		p = start(log, "a", 0, 1, 512 * KIB);
		one = add(p, "30");
		for (uint32_t n = 0; n < 200; n++)
			assert_true(put(one, n, 1000));
		vxhci_pcap_close(p);
		set_file_limit(RLIM_INFINITY);
		pf_open(&f, "a");
		while (pf_next(&f))
			;
		assert_true(f.len <= limits[i]);
		assert_true(f.len + 1032 > limits[i]);
		pf_close(&f);
		assert_non_null(strstr(log->last, "lost in all"));
	}
}

static void wait_until_written(struct vxhci_pcap *p)
{
	size_t used;

	do {
		nap_ms(5);
		pthread_mutex_lock(&p->lock);
		used = pcap_ring_used(&p->ring);
		pthread_mutex_unlock(&p->lock);
	} while (used);
}

static void files_are_rotated_by_size(void **state)
{
	static const char *const names[] = {"a.2", "a.1", "a"};
	struct vxhci_pcap *p = start(*state, "a", MIB, 3, MIB);
	struct pcap_if *one = add(p, "30");
	uint32_t n = 0, first = 0;
	struct stat st;
	struct pf f;

	for (unsigned i = 0; i < 10; i++) {
		for (unsigned k = 0; k < 500; k++)
			assert_true(put(one, n++, 1000 + k));
		wait_until_written(p);
	}
	vxhci_pcap_close(p);
	pf_open(&f, "a.2");
	while (pf_next(&f) && f.type != 6)
		;
	memcpy(&first, f.packet, sizeof(first));
	pf_close(&f);
	assert_true(first > 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(stat(names[i], &st), 0);
		assert_in_range(st.st_size, 1, MIB + 64);
		if (i < 2) /* no room for another */
			assert_in_range(st.st_size, MIB - 1600, MIB);
		first = read_file(names[i], first, &f);
		assert_int_equal(f.interfaces, 1);
	}
	assert_int_equal(first, n);
	assert_int_equal(f.statistics, 1);
	assert_int_equal(access("a.3", F_OK), -1);
}

static void one_file_begins_anew(void **state)
{
	struct vxhci_pcap *p = start(*state, "a", MIB, 1, 4 * MIB);
	struct pcap_if *one = add(p, "30");
	struct stat st;

	for (uint32_t n = 0; n < 3000; n++)
		assert_true(put(one, n, 1000));
	vxhci_pcap_close(p);
	assert_int_equal(stat("a", &st), 0);
	assert_in_range(st.st_size, 1000, MIB + 64);
	assert_int_equal(access("a.1", F_OK), -1);
}

/* There is no growth beyond the size if the next file cannot be made. */
static void a_rotation_that_fails_is_tried_again(void **state)
{
	struct log *log = *state;
	struct vxhci_pcap *p = start(log, "a", MIB, 2, 4 * MIB);
	struct pcap_if *one = add(p, "30");
	struct stat st;
	struct pf f;

	assert_int_equal(mkdir("a.1", 0700), 0);
	for (uint32_t n = 0; n < 1500; n++)
		assert_true(put(one, n, 1000));
	assert_true(wait_for(&log->failed));
	assert_int_equal(stat("a", &st), 0);
	assert_in_range(st.st_size, 1, MIB);
	assert_int_equal(rmdir("a.1"), 0);
	assert_true(wait_for(&log->again));
	vxhci_pcap_close(p);
	assert_int_equal(read_file("a", read_file("a.1", 0, &f), &f), 1500);
}

static void files_that_cannot_be_are_refused(void **state)
{
	static const struct {
		const char *option, *line;
		int r;
	} rows[] = {
		{"no/a", "no/a: No such file or directory: name a file that",
		 -ENOENT},
		{"/tmp", "/tmp: Is a directory: name", -EISDIR},
		{"/dev/null,size=1",
		 "/dev/null: no regular file: leave size=", -ESPIPE},
		{"-,size=1", "-: no regular file: leave size=", -ESPIPE},
		{"a,wrong", "wrong: unknown option", -EINVAL},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct vxhci_pcap *p = NULL;
		char err[256] = "";

		assert_int_equal(vxhci_pcap_open(rows[i].option, log_line,
						 *state, err, sizeof(err), &p),
				 rows[i].r);
		if (strncmp(err, rows[i].line, strlen(rows[i].line)))
			fail_msg("%s: %s", rows[i].option, err);
		assert_null(p);
	}
}

static void too_many_interfaces_are_refused(void **state)
{
	struct vxhci_pcap *p = start(*state, "a", 0, 1, MIB);
	struct pcap_if *f;

	for (unsigned i = 0; i < PCAP_MAX_IFS; i++)
		add(p, "30");
	assert_int_equal(pcap_add(p, "30", "", &f), -ENOSPC);
	vxhci_pcap_close(p);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(everything_buffered_is_written_at_the_end),
		T(records_are_written_soon),
		T(threads_share_a_file),
		T(a_full_ring_loses_records_and_says_so),
		T(a_pipe_nobody_reads_is_given_up),
		T(a_full_disk_is_said_once_and_stops_nobody),
		T(a_disk_that_was_full_is_written_again),
		T(a_disk_full_at_the_end_leaves_whole_blocks),
		T(files_are_rotated_by_size),
		T(one_file_begins_anew),
		T(a_rotation_that_fails_is_tried_again),
		T(files_that_cannot_be_are_refused),
		T(too_many_interfaces_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
