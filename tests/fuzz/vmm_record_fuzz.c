/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recordings of a guest as `vxhci replay` reads them: run again, --explain and
 * --stats. The input is a file; or records, which get their blocks and checksums
 * here, or nothing of them would ever be looked at. Any is a verdict, and the
 * same one each time.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "vmm/replay.h"
#include "vmm/replay_stats.h"

#define MAX_INPUT 8192u /* run.sh: -max_len */

enum { HOW_FILE = 1, HOW_TWO_BLOCKS = 2, HOW_NO_END = 4 };

static void need(int cond, const char *what)
{
	if (cond)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

struct file {
	uint8_t *p; /* owned by file_of()'s caller */
	size_t n;
};

static void add_block(struct file *f, enum rec_block_type type, uint32_t seq,
		      const void *raw, size_t len)
{
	struct rec_block b = {
		.type = type, .seq = seq, .raw = raw, .len = (uint32_t)len};

	f->n += rec_block_pack(&b, f->p + f->n);
}

/* Four bytes of what the controller is, and records */
static void pack(struct file *f, struct fuzz_in *in, unsigned how)
{
	struct rec_start s = {.slot = "30", .program = "fuzzer"};
	uint8_t head[256], ended = REC_ENDED;
	size_t half = how & HOW_TWO_BLOCKS ? in->left / 2 : 0;
	uint32_t seq = 0;

	s.cfg.usb2_ports = in_u8(in);
	s.cfg.usb3_ports = in_u8(in);
	s.cfg.ctx64 = in_u8(in) & 1;
	s.cfg.scratchpads = in_u8(in);
	if (half > in->left)
		half = 0;
	rec_file_header(f->p);
	f->n = REC_FILE_HEADER;
	add_block(f, REC_START, seq++, head, rec_start_pack(&s, head));
	if (half)
		add_block(f, REC_RECORDS, seq++, in->at, half);
	add_block(f, REC_RECORDS, seq++, in->at + half, in->left - half);
	if (!(how & HOW_NO_END))
		add_block(f, REC_END, seq, &ended, 1);
}

static struct file file_of(const uint8_t *data, size_t len)
{
	static uint8_t room[3 * REC_BLOCK_FILE];
	struct fuzz_in in = {data, len};
	uint8_t how = in_u8(&in);
	struct file f = {room, 0};

	if (how & HOW_FILE) {
		memcpy(room, in.at, in.left);
		f.n = in.left;
	} else {
		pack(&f, &in, how);
	}
	/* of its own size, so that what is read behind it is seen */
	f.p = malloc(f.n ? f.n : 1);
	need(f.p != NULL, "no memory");
	memcpy(f.p, room, f.n);
	return f;
}

static void run(struct rec_file *f, struct replay_result *res)
{
	int rc = replay_stream(f, 0, res);
	char text[512];

	need(rc == 0 || rc == -ENOENT || rc == -ENOMEM, "replay_stream()");
	if (rc != 0) {
		res->verdict = REPLAY_SAME;
		return;
	}
	need(res->verdict != REPLAY_DAMAGED || res->why, "damaged, and why?");
	need(res->verdict != REPLAY_DIFFERS || res->call.there, "where?");
	if (res->expected.there)
		replay_text(&res->expected.rec, text, sizeof(text));
	if (res->got.there)
		replay_text(&res->got.rec, text, sizeof(text));
}

/* --explain and --stats */
static void show(struct rec_file *f)
{
	struct rec_reader *r = calloc(1, sizeof(*r));
	struct replay_stats s = {0};
	struct xhci_tap_rec rec;
	char text[512], little[8], *sums = NULL;
	size_t len = 0;
	FILE *to = open_memstream(&sums, &len);
	int rc;

	need(r && to, "no memory");
	rc = rec_reader_start(r, f, 0);
	while (rc >= 0 && (rc = rec_reader_next(r, &rec)) == 1) {
		replay_stats_add(&s, &rec);
		memset(text, 'x', sizeof(text));
		need(replay_text(&rec, text, sizeof(text)) == text, "no text");
		need(strnlen(text, sizeof(text)) < sizeof(text), "no end");
		need(!strchr(text, '\n'), "two lines");
		replay_text(&rec, little, sizeof(little));
	}
	need(rc != -EBADMSG || r->why, "damaged, and why?");
	replay_stats_print(&s, to);
	fclose(to);
	free(sums);
	free(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct file file = file_of(data, len);
	static struct replay_result one, two;
	struct rec_file f;
	int rc = rec_file_init(&f, file.p, file.n);

	if (rc == 0) {
		run(&f, &one);
		run(&f, &two);
		need(one.verdict == two.verdict && one.records == two.records &&
			     one.calls == two.calls,
		     "another verdict the second time");
		show(&f);
	} else {
		need(rc == -EINVAL || rc == -EPROTONOSUPPORT, "rec_file_init");
	}
	rec_file_fini(&f);
	free(file.p);
	return 0;
}

/* --- seeds: what recordings begin with, and some of what comes later --- */

/* The records [from, n) are in the place of those that fit behind the first */
static void seed_from(const char *dir, unsigned n, const uint8_t *p, size_t len)
{
	static uint8_t out[MAX_INPUT];
	struct rec_reader *r = calloc(1, sizeof(*r));
	struct rec_codec *c = calloc(1, sizeof(*c));
	struct xhci_tap_rec rec;
	struct rec_file f;
	size_t at = 5;

	need(r && c && rec_file_init(&f, p, len) == 0 &&
		     rec_reader_start(r, &f, 0) == 0,
	     "a fixture that is none");
	out[0] = (uint8_t)(n & 6);
	out[1] = r->start.cfg.usb2_ports;
	out[2] = r->start.cfg.usb3_ports;
	out[3] = r->start.cfg.ctx64;
	out[4] = r->start.cfg.scratchpads;
	while (at + REC_MAX <= sizeof(out) && rec_reader_next(r, &rec) == 1) {
		/* reads of registers are most of it, and tell little */
		if (n & 1 && rec.kind == XHCI_TAP_NOW)
			continue;
		at += rec_encode(c, &rec, out + at);
	}
	fuzz_seed(dir, "records", n, out, at);
	rec_file_fini(&f);
	free(c);
	free(r);
}

void fuzz_seeds(const char *dir)
{
	static const char *const names[] = {
		"seabios", "ipxe",          "u-boot",
		"edk2",    "linux-6.1-bot", "linux-newest-uas"};
	static uint8_t p[1 << 20];

	for (unsigned i = 0; i < 6; i++) {
		char path[96];
		size_t len;
		FILE *f;

		snprintf(path, sizeof(path), "fixtures/recordings/%s.vxrec",
			 names[i]);
		f = fopen(path, "rb");
		need(f != NULL, path);
		len = fread(p + 1, 1, sizeof(p) - 1, f);
		fclose(f);
		seed_from(dir, 2 * i, p + 1, len);
		seed_from(dir, 2 * i + 1, p + 1, len);
		p[0] = HOW_FILE;
		fuzz_seed(dir, "file", i, p,
			  1 + (len < MAX_INPUT - 1 ? len : MAX_INPUT - 1));
	}
}
