/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Files that are full, gone or not read: captures go on, and controllers'
 * threads do not notice.
 */
#include "tests/unit/vmm_pcap_rig.h"

/* Reads a pipe into a file until told that this is all. */
struct copier {
	int from;
	FILE *to;
	atomic_bool all;
};

static void *copy_all(void *arg)
{
	struct copier *c = arg;
	uint8_t buf[4096];

	for (;;) {
		bool all = atomic_load(&c->all);
		ssize_t n = read(c->from, buf, sizeof(buf));

		if (n > 0)
			fwrite(buf, 1, (size_t)n, c->to);
		else if (all)
			return NULL;
		else
			nap_ms(1);
	}
}

static void copy_some(struct copier *c, size_t len)
{
	uint8_t buf[4096];

	while (len) {
		ssize_t n = read(c->from, buf,
				 len < sizeof(buf) ? len : sizeof(buf));

		if (n > 0) {
			fwrite(buf, 1, (size_t)n, c->to);
			len -= (size_t)n;
		} else {
			nap_ms(1);
		}
	}
}

/* Until pipe and ring are full, and a few records more */
static uint32_t fill(struct pcap_if *f, uint32_t n, uint32_t *lost)
{
	for (unsigned i = 0; i < 5; i++) {
		while (put(f, n++, 1000))
			;
		++*lost;
		nap_ms(50);
	}
	return n;
}

/*
 * A pipe that is read late takes no time from who puts records. When the ring
 * has had room again, and is full again, both gaps have their numbers.
 */
static void a_full_ring_loses_records_and_says_so(void **state)
{
	struct copier c = {.all = false};
	struct vxhci_pcap *p;
	struct pcap_if *one;
	uint32_t n = 0, lost = 0;
	char text[80];
	pthread_t t;
	struct pf f;

	assert_int_equal(mkfifo("a", 0600), 0);
	c.from = open("a", O_RDWR | O_NONBLOCK);
	c.to = fopen("a.1", "wb");
	assert_true(c.from >= 0 && c.to);
	p = start(*state, "a", 0, 1, 64 * KIB);
	one = add(p, "30");
	n = fill(one, n, &lost);
	copy_some(&c, 40 * KIB);
	n = fill(one, n, &lost);
	copy_some(&c, 8 * KIB);
	for (; !put(one, n++, 1000); lost++)
		nap_ms(1);
	assert_int_equal(pthread_create(&t, NULL, copy_all, &c), 0);
	vxhci_pcap_close(p);
	atomic_store(&c.all, true);
	pthread_join(t, NULL);
	fclose(c.to);
	close(c.from);
	assert_int_equal(read_file("a.1", 0, &f), n);
	assert_in_range(f.lost, 1, lost - 1); /* there was one before it */
	snprintf(text, sizeof(text), "%u records before this one were lost",
		 (unsigned)f.lost);
	assert_string_equal(f.comment, text);
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

/* FILE is FILE.1 already when the new one cannot be opened. */
static void a_file_that_cannot_be_opened_is_tried_again(void **state)
{
	struct log *log = *state;
	struct vxhci_pcap *p = start(log, "a", MIB, 3, 4 * MIB);
	struct pcap_if *one = add(p, "30");
	struct rlimit l, none;
	struct pf f;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &l), 0);
	none = (struct rlimit){3, l.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	for (uint32_t n = 0; n < 1500; n++)
		assert_true(put(one, n, 1000));
	assert_true(wait_for(&log->failed));
	nap_ms(1500); /* once more in vain */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &l), 0);
	assert_true(wait_for(&log->again));
	vxhci_pcap_close(p);
	assert_int_equal(read_file("a", read_file("a.1", 0, &f), &f), 1500);
	assert_int_equal(access("a.2", F_OK), -1);
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

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_full_ring_loses_records_and_says_so),
		T(a_pipe_nobody_reads_is_given_up),
		T(a_full_disk_is_said_once_and_stops_nobody),
		T(a_disk_that_was_full_is_written_again),
		T(a_disk_full_at_the_end_leaves_whole_blocks),
		T(a_rotation_that_fails_is_tried_again),
		T(a_file_that_cannot_be_opened_is_tried_again),
		T(files_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
