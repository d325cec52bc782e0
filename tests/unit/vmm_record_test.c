/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records as bytes and back, and the file they go to: as much as fits into
 * memory and on the disk, and a mark that says why there is no more.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "vmm/record.h"
#include "vmm/record_reader.h"

static uint64_t next_random(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

/* Small, large, and the ends of what there is */
static uint64_t some_number(uint64_t *seed)
{
	static const uint64_t ends[] = {0,
					1,
					0x7f,
					0x80,
					UINT32_MAX,
					(uint64_t)INT64_MAX,
					(uint64_t)INT64_MIN,
					UINT64_MAX};
	uint64_t r = next_random(seed);

	if (r % 4 == 0)
		return ends[r / 4 % 8];
	return next_random(seed) >> (r / 64 % 64);
}

static bool is_memory(enum xhci_tap_kind kind)
{
	return rec_has_data(kind) && kind != XHCI_TAP_SUBMIT;
}

static void some_record(uint64_t *seed, struct xhci_tap_rec *rec, uint8_t *data)
{
	*rec = (struct xhci_tap_rec){
		.kind = next_random(seed) % XHCI_TAP_NKINDS, .data = data};
	for (unsigned i = 0; i < rec_nargs(rec->kind); i++)
		rec->arg[i] = some_number(seed);
	if (rec->kind == XHCI_TAP_PAYLOAD)
		rec->arg[3] %= rec->arg[1] + (rec->arg[1] < UINT64_MAX);
	if (!rec_has_data(rec->kind))
		return;
	rec->len = (uint32_t)(next_random(seed) % (XHCI_TAP_DATA + 1));
	if (is_memory(rec->kind))
		rec->arg[1] = next_random(seed) & 1 ? XHCI_TAP_DATA : rec->len;
	for (uint32_t i = 0; i < rec->len; i++)
		data[i] = (uint8_t)next_random(seed);
}

/* Every kind, with any arguments, in any order */
static void what_is_written_is_read(void **state)
{
	static struct rec_codec to, from;
	uint8_t buf[REC_MAX], data[XHCI_TAP_DATA], back[XHCI_TAP_DATA];
	struct xhci_tap_rec a, b;
	uint64_t seed = 88172645463325252ull;

	(void)state;
	for (unsigned n = 0; n < 200000; n++) {
		size_t len;

		some_record(&seed, &a, data);
		len = rec_encode(&to, &a, buf);
		assert_in_range(len, 1, REC_MAX);
		assert_int_equal(rec_decode(&from, buf, len, &b, back), len);
		assert_int_equal(a.kind, b.kind);
		assert_memory_equal(a.arg, b.arg, sizeof(a.arg));
		assert_int_equal(a.len, b.len);
		assert_memory_equal(data, back, a.len);
	}
}

/* A record that is cut off is none, whatever is cut off. */
static void half_a_record_is_none(void **state)
{
	struct rec_codec to = {0}, from, before;
	uint8_t buf[REC_MAX], data[XHCI_TAP_DATA], back[XHCI_TAP_DATA];
	uint64_t seed = 1234567;
	struct xhci_tap_rec a;

	(void)state;
	for (unsigned n = 0; n < 2000; n++) {
		size_t len;

		before = to;
		some_record(&seed, &a, data);
		len = rec_encode(&to, &a, buf);
		for (size_t i = 0; i < len; i++) {
			uint8_t *p = malloc(i ? i : 1);

			assert_non_null(p);
			memcpy(p, buf, i);
			from = before;
			assert_int_equal(rec_decode(&from, p, i, &a, back), 0);
			free(p);
		}
	}
}

static void expected_things_are_small(void **state)
{
	static struct rec_codec c;
	uint8_t trb[16] = {0, 0x10, 0, 0, 0, 0, 0, 0, 0, 2}, buf[REC_MAX];
	struct xhci_tap_rec r = {.kind = XHCI_TAP_TRB_READ,
				 .arg = {0x123456780, 16},
				 .data = trb,
				 .len = 16};

	(void)state;
	rec_encode(&c, &r, buf);
	r.arg[0] += 16;
	assert_int_equal(rec_encode(&c, &r, buf), 4 + 16);
	r = (struct xhci_tap_rec){.kind = XHCI_TAP_PAYLOAD,
				  .arg = {0x1000, 512, 0, 512}};
	assert_int_equal(rec_encode(&c, &r, buf), 5);
}

/* The file. */

struct out {
	char path[64];
	char line[512]; /* logged last */
	unsigned lines;
	struct vxhci_record *r;
	struct xhci *x;
	struct record_stream *s;
};

static int no_mem(void *host, uint64_t gpa, size_t len, bool write,
		  struct xhci_span *ret)
{
	(void)host;
	(void)gpa;
	(void)len;
	(void)write;
	(void)ret;
	return -EFAULT;
}

static uint64_t no_time(void *host)
{
	(void)host;
	return 0;
}

static void no_timer(void *host, uint64_t at_ns)
{
	(void)host;
	(void)at_ns;
}

static void no_kick(void *host)
{
	(void)host;
}

static const struct xhci_host_ops host_ops = {.mem_get = no_mem,
					      .now_ns = no_time,
					      .timer_set = no_timer,
					      .kick = no_kick};
static const struct xhci_config config = {.usb2_ports = 1, .usb3_ports = 2};

static void keep_line(void *opaque, enum vxhci_log level, const char *line)
{
	struct out *o = opaque;

	(void)level;
	snprintf(o->line, sizeof(o->line), "%s", line);
	o->lines++;
}

static void out_open(struct out *o)
{
	char err[256];
	int fd;

	memset(o, 0, sizeof(*o));
	strcpy(o->path, "/tmp/vxhci-record-XXXXXX");
	fd = mkstemp(o->path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "what was there", 14), 14);
	close(fd);
	assert_int_equal(vxhci_record_open(o->path, keep_line, o, err,
					   sizeof(err), &o->r),
			 0);
	assert_int_equal(xhci_create(&config, &host_ops, o, &o->x), 0);
	assert_int_equal(record_stream_add(o->r, o->x, &config, "3:1", &o->s),
			 0);
}

/* What a guest does that looks at a register again and again */
static void out_work(struct out *o, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		xhci_mmio_read(o->x, 8 * (i * 7919 % 2048), 4);
}

static void out_close(struct out *o)
{
	xhci_destroy(o->x);
	record_stream_end(o->s);
	vxhci_record_close(o->r);
}

static uint64_t file_size(const struct out *o)
{
	struct stat st;

	assert_int_equal(stat(o->path, &st), 0);
	return (uint64_t)st.st_size;
}

/* Reads it all, then removes it: the number of records */
static uint64_t out_read(struct out *o, struct rec_reader *rd)
{
	static uint8_t all[8 << 20];
	struct xhci_tap_rec rec;
	struct rec_file f;
	FILE *in = fopen(o->path, "r");
	int rc;

	assert_non_null(in);
	assert_int_equal(rec_file_init(&f, all, fread(all, 1, sizeof(all), in)),
			 0);
	fclose(in);
	assert_int_equal(rec_reader_start(rd, &f, 0), 0);
	do {
		rc = rec_reader_next(rd, &rec);
	} while (rc == 1);
	assert_int_equal(rc, 0);
	rec_file_fini(&f);
	unlink(o->path);
	return rd->n;
}

static void a_recording_is_whole(void **state)
{
	struct rec_reader rd;
	struct out o;

	(void)state;
	out_open(&o);
	record_stream_live(o.s);
	out_work(&o, 300000); /* blocks */
	out_close(&o);
	assert_int_equal(out_read(&o, &rd), 600000);
	assert_true(rd.marked);
	assert_int_equal(rd.end, REC_ENDED);
	assert_string_equal(rd.start.slot, "3:1");
	assert_int_equal(rd.start.cfg.usb3_ports, 2);
	assert_int_equal(o.lines, 0);
}

/* Blocks of two controllers, mixed; the one ends before the other. */
static void controllers_share_a_file(void **state)
{
	struct record_stream *s2;
	struct rec_reader rd;
	struct rec_file f;
	struct xhci_tap_rec rec;
	static uint8_t all[8 << 20];
	struct xhci *x2;
	struct out o;
	FILE *in;

	(void)state;
	out_open(&o);
	assert_int_equal(xhci_create(&config, &host_ops, &o, &x2), 0);
	assert_int_equal(record_stream_add(o.r, x2, &config, "4", &s2), 0);
	record_stream_live(o.s);
	record_stream_live(s2);
	for (unsigned i = 0; i < 300; i++) {
		out_work(&o, 1000);
		for (unsigned n = 0; n < 500; n++)
			xhci_mmio_read(x2, 4 * (n * i % 1000), 4);
	}
	xhci_destroy(x2);
	record_stream_end(s2);
	out_work(&o, 10);
	out_close(&o);
	in = fopen(o.path, "r");
	assert_non_null(in);
	assert_int_equal(rec_file_init(&f, all, fread(all, 1, sizeof(all), in)),
			 0);
	fclose(in);
	assert_int_equal(rec_reader_start(&rd, &f, 1), 0);
	assert_string_equal(rd.start.slot, "4");
	while (rec_reader_next(&rd, &rec) == 1)
		;
	assert_true(rd.marked);
	assert_int_equal(rd.n, 300 * 500 * 2);
	assert_int_equal(rec_reader_start(&rd, &f, 2), -ENOENT);
	rec_file_fini(&f);
	assert_int_equal(out_read(&o, &rd), 600020);
	assert_true(rd.marked);
}

/* What was there stays, until a controller is in the recording. */
static void nothing_is_emptied_for_nothing(void **state)
{
	struct out o;

	(void)state;
	out_open(&o);
	out_work(&o, 10);
	out_close(&o);
	assert_int_equal(file_size(&o), 14);
	unlink(o.path);
}

static void it_is_in_the_file_after_a_second(void **state)
{
	struct rec_reader rd;
	struct out o;

	(void)state;
	out_open(&o);
	record_stream_live(o.s);
	out_work(&o, 10);
	usleep(RECORD_FLUSH_MS * 1000 + 300000);
	assert_true(file_size(&o) > REC_FILE_HEADER + 2 * REC_BLOCK_HEADER);
	assert_int_equal(out_read(&o, &rd), 20);
	assert_false(rd.marked);
	out_close(&o);
}

static void too_much_ends_with_a_mark(void **state)
{
	struct rec_reader rd;
	struct out o;

	(void)state;
	out_open(&o);
	o.r->limit = REC_BLOCK_RAW; /* the second block is too much */
	record_stream_live(o.s);
	while (!o.s->ended)
		out_work(&o, 1000);
	out_close(&o);
	assert_in_range(out_read(&o, &rd), 1000, 1000000);
	assert_true(rd.marked);
	assert_int_equal(rd.end, REC_OVERFLOW);
	assert_int_equal(o.lines, 1);
	assert_non_null(strstr(o.line, "controller 3:1"));
}

/* A file of at most @most bytes: the mark is in it, and one line is said. */
static uint64_t on_a_full_disk(uint64_t most, uint64_t *ret_size)
{
	struct rlimit was, small;
	struct rec_reader rd;
	struct out o;
	uint64_t n;

	getrlimit(RLIMIT_FSIZE, &was);
	small = was;
	small.rlim_cur = most;
	out_open(&o);
	setrlimit(RLIMIT_FSIZE, &small);
	record_stream_live(o.s);
	out_work(&o, 300000);
	out_close(&o);
	setrlimit(RLIMIT_FSIZE, &was);
	*ret_size = file_size(&o);
	n = out_read(&o, &rd);
	assert_true(rd.marked);
	if (rd.end == REC_ENDED) {
		assert_int_equal(o.lines, 0);
		return n;
	}
	assert_int_equal(rd.end, REC_UNWRITTEN);
	assert_int_equal(o.lines, 1);
	assert_non_null(strstr(o.line, "File too large"));
	return n;
}

static void a_full_disk_ends_it_with_a_mark(void **state)
{
	uint64_t whole, size, n, most;

	(void)state;
	assert_int_equal(on_a_full_disk(RLIM_INFINITY, &whole), 600000);
	/* in the middle of a block */
	n = on_a_full_disk(whole / 2, &size);
	assert_in_range(size, 1, whole / 2);
	assert_in_range(n, 1, 600000 - 1);
	/* no room for the mark: it takes the place of the last block */
	n = on_a_full_disk(whole - 1, &size);
	assert_in_range(size, 1, whole - 1);
	assert_in_range(n, 1, 600000 - 1);
	/* no room for any records */
	most = REC_FILE_HEADER + 3 * REC_BLOCK_HEADER;
	assert_int_equal(on_a_full_disk(most + 30, &size), 0);
}

static void devices_that_are_full_are_survived(void **state)
{
	struct vxhci_record *r;
	struct out o = {0};
	char err[256];

	(void)state;
	assert_int_equal(vxhci_record_open("/dev/full", keep_line, &o, err,
					   sizeof(err), &r),
			 0);
	assert_int_equal(xhci_create(&config, &host_ops, &o, &o.x), 0);
	assert_int_equal(record_stream_add(r, o.x, &config, "30", &o.s), 0);
	record_stream_live(o.s);
	out_work(&o, 300000);
	xhci_destroy(o.x);
	record_stream_end(o.s);
	vxhci_record_close(r);
	assert_int_equal(o.lines, 1);
	assert_non_null(strstr(o.line, "No space left"));
}

static void files_that_cannot_be_are_refused(void **state)
{
	static const struct {
		const char *file, *line;
		int err;
	} rows[] = {
		{"", "'': No such file", -ENOENT},
		{"/nonexistent/f", "/nonexistent/f: No such file", -ENOENT},
		{"/tmp", "/tmp: Is a directory", -EISDIR},
	};
	struct vxhci_record *r = NULL;
	char err[256];

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(vxhci_record_open(rows[i].file, NULL, NULL,
						   err, sizeof(err), &r),
				 rows[i].err);
		assert_memory_equal(err, rows[i].line, strlen(rows[i].line));
		assert_null(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read),
		cmocka_unit_test(half_a_record_is_none),
		cmocka_unit_test(expected_things_are_small),
		cmocka_unit_test(a_recording_is_whole),
		cmocka_unit_test(controllers_share_a_file),
		cmocka_unit_test(nothing_is_emptied_for_nothing),
		cmocka_unit_test(it_is_in_the_file_after_a_second),
		cmocka_unit_test(too_much_ends_with_a_mark),
		cmocka_unit_test(a_full_disk_ends_it_with_a_mark),
		cmocka_unit_test(devices_that_are_full_are_survived),
		cmocka_unit_test(files_that_cannot_be_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
