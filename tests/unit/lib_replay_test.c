/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recordings run again: the same is found to be the same, each thing that a
 * controller does differently is found where it is, and no file is a crash.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/lib/gdrv_record.h"
#include "tests/lib/gdrv_rig.h"
#include "vmm/replay.h"
#include "tests/unit/sparse.h"

#define CHAIN 4u

static char dir[64];

struct blob {
	uint8_t *p; /* owned */
	size_t len;
};

static struct blob load(const char *name)
{
	struct blob b = {0};
	FILE *f = fopen(name, "r");
	long n;

	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	n = ftell(f);
	rewind(f);
	assert_true(n > 0);
	b.p = malloc((size_t)n);
	assert_non_null(b.p);
	b.len = fread(b.p, 1, (size_t)n, f);
	assert_int_equal(b.len, n);
	fclose(f);
	return b;
}

/* TDs of several shapes; stopped, halted, cut off by an unplug. */
static void session(struct rig *g)
{
	uint64_t buf = guestmem_alloc(&g->gm, 16 * GM_PAGE);
	struct stub_ep *in = stub_ep(&g->s, 0x81);
	struct gdrv_trb t[CHAIN];
	static const uint8_t get[8] = {0x80, 6, 0, 1, 0, 0, 18, 0};
	uint32_t n;

	gdrv_control(g->v, OS_LINUX, get, buf, &n);
	for (unsigned i = 0; i < CHAIN; i++)
		t[i] = (struct gdrv_trb){
			.type = TRB_NORMAL,
			.ptr = buf + 2 * i * GM_PAGE,
			.len = GM_PAGE,
			.flags = i + 1 < CHAIN ? TRB_CH | TRB_ISP : TRB_IOC};
	assert_int_equal(gdrv_post(g->v->ring[RIG_IN], t, CHAIN, NULL), 0);
	rig_ring(g, RIG_IN);
	in->rule =
		(struct stub_rule){.limit = true, .actual = 5000, .times = 1};
	assert_int_equal(gdrv_post(g->v->ring[RIG_IN], t, CHAIN, NULL), 0);
	rig_ring(g, RIG_IN);
	t[0] = (struct gdrv_trb){.type = TRB_NORMAL,
				 .ptr = 0x0807060504030201ull,
				 .len = 8,
				 .flags = TRB_IDT | TRB_IOC};
	assert_int_equal(gdrv_post(g->v->ring[RIG_OUT], t, 1, NULL), 0);
	rig_ring(g, RIG_OUT);
	in->rule = (struct stub_rule){.status = USB_STALL, .times = 1};
	rig_normal(g, RIG_IN, buf, GM_PAGE, TRB_IOC);
	rig_ring(g, RIG_IN);
	gdrv_reset_ep(g->v, RIG_IN, false);
	gdrv_set_dequeue(g->v, RIG_IN, 0);
	in->rule = (struct stub_rule){.hold = true};
	in->cancel_actual = 1024;
	rig_normal(g, RIG_IN, buf, GM_PAGE, TRB_IOC);
	rig_normal(g, RIG_IN, buf, GM_PAGE, TRB_IOC);
	rig_ring(g, RIG_IN);
	assert_int_equal(gdrv_stop_ep(g->v, RIG_IN), CC_SUCCESS);
	rig_ring(g, RIG_IN);
	xhci_port_disconnect(g->e.x, 1);
	gdrv_pump(&g->d);
	stub_release(&g->s, 0x81, 0);
	gdrv_pump(&g->d);
}

/* A recording of it, as a file's bytes. */
static struct blob recorded(bool interrupts)
{
	const struct rig_cfg cfg = {
		.opts = {.inte = interrupts, .imod = 160, .evt_trbs = 32}};
	char name[512];
	struct rig *g;
	struct blob b;

	gdrv_record_name(name, sizeof(name));
	g = rig_up(&cfg);
	session(g);
	rig_down(g);
	b = load(name);
	unlink(name);
	return b;
}

static void replay(const uint8_t *p, size_t len, struct replay_result *res)
{
	struct rec_file f;
	int rc = rec_file_init(&f, p, len);

	memset(res, 0, sizeof(*res));
	res->verdict = REPLAY_DAMAGED;
	if (rc == 0) {
		rc = replay_stream(&f, 0, res);
		assert_true(rc == 0 || rc == -ENOENT);
		if (rc == -ENOENT) /* nothing in it, or nothing yet */
			res->verdict = REPLAY_SAME;
	}
	rec_file_fini(&f);
}

static void the_same_is_the_same(void **state)
{
	struct replay_result res;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct blob b = recorded(i & 1);

		for (unsigned n = 0; n < 10; n++) {
			replay(b.p, b.len, &res);
			assert_int_equal(res.verdict, REPLAY_SAME);
			assert_true(res.marked);
			assert_int_equal(res.end, REC_ENDED);
			assert_true(res.records > 250);
		}
		free(b.p);
	}
}

/* The records of a file, and a file of records. */

struct records {
	struct rec_start start;
	struct xhci_tap_rec *rec; /* owned */
	uint8_t (*data)[XHCI_TAP_DATA];
	size_t n;
};

static void take_apart(const struct blob *b, struct records *r)
{
	struct xhci_tap_rec rec;
	struct rec_reader rd;
	struct rec_file f;

	r->rec = calloc(20000, sizeof(*r->rec));
	r->data = calloc(20000, sizeof(*r->data));
	r->n = 0;
	assert_non_null(r->rec);
	assert_non_null(r->data);
	assert_int_equal(rec_file_init(&f, b->p, b->len), 0);
	assert_int_equal(rec_reader_start(&rd, &f, 0), 0);
	r->start = rd.start;
	while (rec_reader_next(&rd, &rec) == 1) {
		assert_true(r->n < 20000);
		r->rec[r->n] = rec;
		memcpy(r->data[r->n], rec.data, rec.len);
		r->rec[r->n].data = r->data[r->n];
		r->n++;
	}
	assert_true(rd.marked);
	rec_file_fini(&f);
}

static void free_records(struct records *r)
{
	free(r->rec);
	free(r->data);
}

static void add_block(struct blob *b, enum rec_block_type type, uint32_t seq,
		      const uint8_t *raw, size_t len)
{
	struct rec_block blk = {
		.type = type, .seq = seq, .raw = raw, .len = (uint32_t)len};

	b->p = realloc(b->p, b->len + REC_BLOCK_FILE);
	assert_non_null(b->p);
	b->len += rec_block_pack(&blk, b->p + b->len);
}

/* The bytes of records as a file, with all its checksums. */
static struct blob file_of(const struct rec_start *start, const uint8_t *raw,
			   size_t len)
{
	struct blob b = {malloc(REC_FILE_HEADER), REC_FILE_HEADER};
	static const uint8_t ended[1] = {REC_ENDED};
	uint8_t head[256];

	assert_non_null(b.p);
	rec_file_header(b.p);
	add_block(&b, REC_START, 0, head, rec_start_pack(start, head));
	add_block(&b, REC_RECORDS, 1, raw, len);
	add_block(&b, REC_END, 2, ended, 1);
	return b;
}

static size_t encode_all(const struct records *r, uint8_t *raw)
{
	struct rec_codec *c = calloc(1, sizeof(*c));
	size_t len = 0;

	assert_non_null(c);
	for (size_t i = 0; i < r->n; i++) {
		assert_true(len + REC_MAX <= REC_BLOCK_RAW);
		len += rec_encode(c, &r->rec[i], raw + len);
	}
	free(c);
	return len;
}

/* Arguments that are the controller's doing, not what it was given. */
static bool is_output(enum xhci_tap_kind kind, unsigned arg)
{
	if (kind < XHCI_TAP_NCALLS || kind > XHCI_TAP_SUSPEND ||
	    kind == XHCI_TAP_NOW)
		return false;
	if (kind == XHCI_TAP_SUBMIT)
		return arg != 9;
	if (kind == XHCI_TAP_PAYLOAD)
		return arg != 3;
	return true;
}

static bool data_is_output(enum xhci_tap_kind kind)
{
	return kind == XHCI_TAP_TRB_WRITE || kind == XHCI_TAP_CTX_WRITE ||
	       kind == XHCI_TAP_MEM_WRITE || kind == XHCI_TAP_SUBMIT;
}

static void assert_found(const struct records *r, size_t i, const char *what)
{
	static uint8_t raw[REC_BLOCK_RAW];
	struct replay_result res;
	struct blob b = file_of(&r->start, raw, encode_all(r, raw));

	replay(b.p, b.len, &res);
	if (res.verdict != REPLAY_DIFFERS || res.records != i)
		fail_msg("record %zu, %s: %s changed, verdict %d at %llu", i,
			 rec_kind_name(r->rec[i].kind), what, res.verdict,
			 (unsigned long long)res.records);
	free(b.p);
}

/* One bit of one thing that the controller did, each in turn. */
static void every_difference_is_found_where_it_is(void **state)
{
	struct blob b = recorded(true);
	unsigned tried[XHCI_TAP_NKINDS] = {0};
	struct records r;

	(void)state;
	take_apart(&b, &r);
	for (size_t i = 0; i < r.n; i++) {
		struct xhci_tap_rec *rec = &r.rec[i];

		tried[rec->kind]++;
		for (unsigned a = 0; a < rec_nargs(rec->kind); a++) {
			uint64_t bit = 1ull << (i + a) % 8;

			if (!is_output(rec->kind, a))
				continue;
			if (rec_has_data(rec->kind) && a == 1)
				bit = 1; /* or it is more than can be */
			if (rec->kind == XHCI_TAP_PAYLOAD && a == 1)
				bit = 1u << 16; /* or less than there is */
			rec->arg[a] ^= bit;
			assert_found(&r, i, "an argument");
			rec->arg[a] ^= bit;
		}
		if (!data_is_output(rec->kind) || !rec->len)
			continue;
		r.data[i][i % rec->len] ^= (uint8_t)(1u << i % 8);
		assert_found(&r, i, "data");
		r.data[i][i % rec->len] ^= (uint8_t)(1u << i % 8);
	}
	for (unsigned k = XHCI_TAP_NCALLS; k <= XHCI_TAP_SUSPEND; k++)
		if (k != XHCI_TAP_MEM_WRITE && k != XHCI_TAP_INTR_PIN &&
		    k != XHCI_TAP_SUSPEND && k != XHCI_TAP_EP_DISABLE &&
		    !tried[k])
			fail_msg("no %s in it", rec_kind_name(k));
	free_records(&r);
	free(b.p);
}

/* A record that is missing, and one too many. */
static void more_and_less_is_found(void **state)
{
	struct blob b = recorded(true);
	struct xhci_tap_rec last;
	struct records r;
	size_t i = 0;

	(void)state;
	take_apart(&b, &r);
	while (r.rec[i].kind != XHCI_TAP_TRB_WRITE)
		i++;
	last = r.rec[i];
	memmove(&r.rec[i], &r.rec[i + 1], (r.n - i - 1) * sizeof(r.rec[0]));
	r.n--;
	assert_found(&r, i, "what was there");
	memmove(&r.rec[i + 1], &r.rec[i], (r.n - i) * sizeof(r.rec[0]));
	r.rec[i] = last;
	r.n++;
	while (!rec_is_call(&r.rec[i]))
		i++;
	memmove(&r.rec[i + 1], &r.rec[i], (r.n - i) * sizeof(r.rec[0]));
	r.rec[i] = (struct xhci_tap_rec){.kind = XHCI_TAP_KICK};
	r.n++;
	assert_found(&r, i, "what is there");
	free_records(&r);
	free(b.p);
}

static void cut_off_anywhere_is_the_same_up_to_there(void **state)
{
	struct blob b = recorded(true);
	struct replay_result res;
	uint64_t most = 0;

	(void)state;
	for (size_t len = 0; len < b.len; len += SPARSE(7)) {
		/* in memory of its own: nothing is read behind it */
		uint8_t *p = malloc(len ? len : 1);

		assert_non_null(p);
		memcpy(p, b.p, len);
		replay(p, len, &res);
		free(p);
		if (len < REC_FILE_HEADER) {
			assert_int_equal(res.verdict, REPLAY_DAMAGED);
			continue;
		}
		assert_int_equal(res.verdict, REPLAY_SAME);
		assert_false(res.marked);
		assert_true(res.records >= most);
		most = res.records;
	}
	assert_true(most > 250);
	free(b.p);
}

/* In the middle of a call too: records are not whole calls. */
static void records_may_end_anywhere(void **state)
{
	static uint8_t raw[REC_BLOCK_RAW];
	struct blob b = recorded(true), cut;
	struct replay_result res;
	struct records r;
	size_t all;

	(void)state;
	take_apart(&b, &r);
	all = r.n;
	for (r.n = 0; r.n < all; r.n++) {
		cut = file_of(&r.start, raw, encode_all(&r, raw));
		replay(cut.p, cut.len, &res);
		assert_int_equal(res.verdict, REPLAY_SAME);
		assert_int_equal(res.records, r.n);
		free(cut.p);
	}
	free_records(&r);
	free(b.p);
}

static void every_changed_bit_of_a_file_is_found(void **state)
{
	struct blob b = recorded(false);
	struct replay_result res;

	(void)state;
	for (size_t i = 0; i < b.len; i += SPARSE(7)) {
		b.p[i] ^= (uint8_t)(1u << i % 8);
		replay(b.p, b.len, &res);
		assert_true(res.verdict != REPLAY_DIFFERS);
		assert_false(res.verdict == REPLAY_SAME && res.marked);
		b.p[i] ^= (uint8_t)(1u << i % 8);
	}
	free(b.p);
}

static uint32_t next_random(uint32_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 17;
	*s ^= *s << 5;
	return *s;
}

/* Whole files with nonsense in them: any verdict, but one. */
static void nonsense_is_a_verdict(void **state)
{
	static uint8_t raw[REC_BLOCK_RAW], was[REC_BLOCK_RAW];
	struct blob b = recorded(true), bad;
	uint32_t seed = 0x12345678;
	unsigned verdicts[3] = {0};
	struct replay_result res;
	struct records r;
	size_t len;

	(void)state;
	take_apart(&b, &r);
	len = encode_all(&r, was);
	for (unsigned n = 0; n < 10000 / SPARSE(5); n++) {
		unsigned changes = 1 + next_random(&seed) % 4;

		memcpy(raw, was, len);
		for (unsigned i = 0; i < changes; i++)
			raw[next_random(&seed) % len] =
				(uint8_t)next_random(&seed);
		bad = file_of(&r.start, raw, len);
		replay(bad.p, bad.len, &res);
		verdicts[res.verdict]++;
		free(bad.p);
	}
	assert_true(verdicts[REPLAY_DIFFERS] > 100);
	assert_true(verdicts[REPLAY_DAMAGED] > 100);
	free_records(&r);
	free(b.p);
}

static int setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/vxhci-replay-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	return setenv("VXHCI_TEST_RECORD", dir, 1);
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_is_the_same),
		cmocka_unit_test(every_difference_is_found_where_it_is),
		cmocka_unit_test(more_and_less_is_found),
		cmocka_unit_test(cut_off_anywhere_is_the_same_up_to_there),
		cmocka_unit_test(records_may_end_anywhere),
		cmocka_unit_test(every_changed_bit_of_a_file_is_found),
		cmocka_unit_test(nonsense_is_a_verdict),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
