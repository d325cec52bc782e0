/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/bench/load.h"

#define K 1024u
#define ISO_OUT 6u /* endpoints 3, which the rig has not */
#define ISO_IN 7u

#define ROWS(kind, buf, bytes)                        \
	{kind, buf, bytes, 1}, {kind, buf, bytes, 8}, \
	{                                             \
		kind, buf, bytes, 64                  \
	}
#define SIZES(kind)                                                           \
	ROWS(kind, BUF_ONE, 512), ROWS(kind, BUF_ONE, 4 * K),                 \
		ROWS(kind, BUF_ONE, 16 * K), ROWS(kind, BUF_ONE, 64 * K),     \
		ROWS(kind, BUF_PAGES, 16 * K), ROWS(kind, BUF_PAGES, 64 * K), \
		ROWS(kind, BUF_PAGES, K *K), ROWS(kind, BUF_64K, K *K)

static const uint8_t dci_of[] = {
	[LOAD_BULK_IN] = RIG_IN,   [LOAD_BULK_OUT] = RIG_OUT,
	[LOAD_CONTROL_IN] = 1,     [LOAD_INTR_IN] = RIG_INT_IN,
	[LOAD_ISO_IN] = ISO_IN,    [LOAD_ISO_OUT] = ISO_OUT,
	[LOAD_STREAM_IN] = RIG_IN, [LOAD_DOORBELL] = RIG_IN,
};

const struct load_row *load_rows(unsigned *ret_n)
{
	static const struct load_row rows[] = {
		SIZES(LOAD_BULK_IN),
		SIZES(LOAD_BULK_OUT),
		ROWS(LOAD_BULK_OUT, BUF_IDT, 8),
		ROWS(LOAD_CONTROL_IN, BUF_ONE, 18),
		ROWS(LOAD_INTR_IN, BUF_ONE, 8),
		ROWS(LOAD_ISO_IN, BUF_ONE, K),
		ROWS(LOAD_ISO_OUT, BUF_ONE, 192),
		ROWS(LOAD_STREAM_IN, BUF_ONE, 4 * K),
		ROWS(LOAD_STREAM_IN, BUF_ONE, 64 * K),
		{LOAD_DOORBELL, BUF_ONE, 0, 1},
		{LOAD_DOORBELL, BUF_ONE, 0, 64},
	};

	*ret_n = sizeof(rows) / sizeof(rows[0]);
	return rows;
}

void load_name(const struct load_row *row, char *buf, size_t len)
{
	static const char *const kinds[] = {
		"bulk-in", "bulk-out", "control-in", "intr-in",
		"iso-in",  "iso-out",  "stream-in",  "doorbell"};
	static const char *const bufs[] = {"one", "pages", "64k", "idt"};

	if (row->kind == LOAD_DOORBELL)
		snprintf(buf, len, "doorbell/idle/%uslots", row->depth);
	else
		snprintf(buf, len, "%s/%u/qd%u/%s", kinds[row->kind],
			 row->bytes, row->depth, bufs[row->buf]);
}

unsigned load_count(const struct load_row *row)
{
	unsigned n = row->bytes >= 64 * K ? 200 : 2000;

	return n < 4 * row->depth ? 4 * row->depth : n;
}

static void add_trb(struct load *l, unsigned type, uint64_t ptr, uint32_t len,
		    uint32_t flags)
{
	l->trb[l->ntrbs++] = (struct gdrv_trb){
		.type = (uint8_t)type, .ptr = ptr, .len = len, .flags = flags};
}

static bool is_out(const struct load *l)
{
	return l->row.kind == LOAD_BULK_OUT || l->row.kind == LOAD_ISO_OUT;
}

static void build_control(struct load *l)
{
	/* GET_DESCRIPTOR(device), 18 bytes */
	add_trb(l, TRB_SETUP, 0x0012000001000680ull, 8, TRB_IDT | TRB_TRT_IN);
	add_trb(l, TRB_DATA, l->buf, 18, TRB_DIR_IN | TRB_ISP);
	add_trb(l, TRB_STATUS, 0, 0, TRB_IOC);
}

static void build_td(struct load *l)
{
	const struct load_row *w = &l->row;
	uint32_t unit = w->buf == BUF_PAGES ? 4 * K : 64 * K;
	uint32_t flags = is_out(l) ? 0 : TRB_ISP;

	if (w->kind == LOAD_CONTROL_IN) {
		build_control(l);
		return;
	}
	if (l->esit_ns) {
		add_trb(l, TRB_ISOCH, l->buf, w->bytes,
			flags | TRB_IOC | TRB_SIA);
		return;
	}
	if (w->buf == BUF_IDT) {
		add_trb(l, TRB_NORMAL, 0x0706050403020100ull, w->bytes,
			TRB_IDT | TRB_IOC);
		return;
	}
	for (uint32_t off = 0; off < w->bytes; off += unit) {
		uint32_t n = w->bytes - off < unit ? w->bytes - off : unit;
		/* backwards, so that no two pages touch in order */
		uint64_t at = w->buf == BUF_PAGES ? w->bytes - off - unit : off;

		add_trb(l, TRB_NORMAL, l->buf + at, n, flags | TRB_CH);
	}
	l->trb[l->ntrbs - 1].flags ^= TRB_CH | TRB_IOC;
}

static void enable_slots(struct load *l)
{
	unsigned slot;

	for (unsigned i = 1; i < l->row.depth; i++)
		gdrv_enable_slot(&l->g->d, 0, &slot);
}

/* What the rig does not have: an isochronous endpoint, or one with streams. */
static void add_endpoint(struct load *l)
{
	struct gdrv_epcfg ep = {.dci = dci_of[l->row.kind]};
	bool streams = l->row.kind == LOAD_STREAM_IN;
	int cc;

	if (streams) {
		ep.type = EPT_BULK_IN;
		ep.mps = 1024;
		ep.max_burst = 15;
		ep.streams = 3;
	} else {
		ep.type = is_out(l) ? EPT_ISOCH_OUT : EPT_ISOCH_IN;
		ep.mps = (uint16_t)l->row.bytes;
		ep.max_esit = l->row.bytes;
		ep.interval = is_out(l) ? 3 : 0;
		l->esit_ns = 125000ull << ep.interval;
	}
	cc = streams ? gdrv_replace(l->g->v, &ep, 1)
		     : gdrv_configure(l->g->v, &ep, 1);
	if (cc != CC_SUCCESS) {
		fprintf(stderr, "bench: Configure Endpoint: %d\n", cc);
		exit(1);
	}
}

static void find_rings(struct load *l)
{
	unsigned dci = dci_of[l->row.kind];

	l->nrings = 1;
	l->ring[0] = l->g->v->ring[dci];
	if (l->row.kind != LOAD_STREAM_IN)
		return;
	l->nrings = LOAD_RINGS;
	for (unsigned i = 0; i < LOAD_RINGS; i++)
		l->ring[i] = &l->g->v->streams[dci]->ring[i + 1];
}

void load_up(struct load *l, const struct load_row *row)
{
	struct rig_cfg cfg = {
		.opts = {.inte = true, .evt_segs = 2, .evt_trbs = 1024},
		.nsegs = 5,
		.ntrbs = {4096, 4096, 4096, 4096, 4096},
	};

	memset(l, 0, sizeof(*l));
	l->row = *row;
	if (row->kind == LOAD_STREAM_IN)
		cfg.port = 5; /* super speed */
	l->g = rig_up(&cfg);
	if (row->kind == LOAD_ISO_IN || row->kind == LOAD_ISO_OUT ||
	    row->kind == LOAD_STREAM_IN)
		add_endpoint(l);
	find_rings(l);
	l->buf = guestmem_alloc_in(&l->g->gm, 1, 2 * K * K);
	l->buf = (l->buf + 64 * K - 1) & ~(uint64_t)(64 * K - 1);
	l->trb = calloc(300, sizeof(*l->trb));
	l->bounce = calloc(1, K * K);
	if (!l->trb || !l->bounce)
		abort();
	if (row->kind == LOAD_DOORBELL)
		enable_slots(l);
	else
		build_td(l);
}

unsigned load_down(struct load *l)
{
	unsigned wrong = rig_down(l->g);

	free(l->trb);
	free(l->bounce);
	return wrong;
}

static bool post_one(struct load *l)
{
	struct gdrv_ring *r = l->ring[l->next];

	if (!l->todo || gdrv_post(r, l->trb, l->ntrbs, NULL))
		return false;
	l->todo--;
	l->outstanding++;
	l->next = (l->next + 1) % l->nrings;
	if (l->nrings > 1) /* each has a doorbell of its own */
		gdrv_doorbell(&l->g->d, l->g->v->slot, r->dci,
			      (unsigned)(r - l->ring[0]) + 1);
	return true;
}

static void on_done(void *arg, struct gdrv_ring *r, struct gdrv_td *td)
{
	struct load *l = arg;

	(void)r;
	(void)td;
	l->outstanding--;
}

static struct stub_ep *device_ep(struct load *l)
{
	unsigned dci = dci_of[l->row.kind];

	return stub_ep(&l->g->s,
		       (uint8_t)(dci / 2 | (dci > 1 && dci & 1 ? 0x80 : 0)));
}

/* Keep `depth` TDs on the rings until @n are done. */
static void drive(struct load *l, unsigned n)
{
	struct gdrv *d = &l->g->d;

	l->todo = n;
	if (l->row.kind == LOAD_DOORBELL) {
		while (l->todo--) {
			gdrv_doorbell(d, l->g->v->slot, RIG_IN, 0);
			d->bus->run(d->bus_p);
		}
		return;
	}
	for (unsigned i = 0; i < l->nrings; i++) {
		l->ring[i]->on_done = on_done;
		l->ring[i]->arg = l;
	}
	while (l->todo || l->outstanding) {
		unsigned had = l->outstanding;

		while (l->outstanding < l->row.depth && post_one(l))
			;
		if (l->outstanding != had && l->nrings == 1)
			gdrv_doorbell(d, l->g->v->slot, l->ring[0]->dci, 0);
		d->bus->run(d->bus_p);
		if (gdrv_poll(d, 0, 4096) || l->outstanding != had)
			continue;
		if (d->nerr)
			return;
		if (l->esit_ns)
			d->bus->advance(d->bus_p, l->esit_ns);
	}
	for (unsigned i = 0; i < l->nrings; i++)
		l->ring[i]->on_done = NULL;
}

static uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void snapshot(struct load *l, struct load_cost *c)
{
	const struct xhci_stats *s = xhci_stats(l->g->e.x);

	*c = (struct load_cost){
		.bytes = device_ep(l)->bytes,
		.trb_reads = s->trb_reads,
		.trb_peeks = s->trb_peeks,
		.ctx_reads = s->ctx_reads,
		.ctx_writes = s->ctx_writes,
		.events = s->events,
		.interrupts = l->g->e.msgs[0],
		.copied = usb_copied_bytes(),
		.mem_gets = l->g->e.mem_gets,
		.allocs = alloc_count(),
		.cpu_ns = cpu_ns(),
	};
	for (unsigned i = 0; i < l->nrings; i++) {
		c->tds += l->ring[i]->tds_done;
		c->trbs += l->ring[i]->next_seq;
	}
}

void load_run(struct load *l, unsigned n, bool bounce, struct load_cost *ret)
{
	struct load_cost a, b;
	struct stub_rule *rule = &device_ep(l)->rule;

	rule->no_data = true;
	rule->bounce = bounce ? l->bounce : NULL;
	snapshot(l, &a);
	drive(l, n);
	snapshot(l, &b);
	*ret = (struct load_cost){
		.tds = b.tds - a.tds,
		.bytes = b.bytes - a.bytes,
		.trbs = b.trbs - a.trbs,
		.trb_reads = b.trb_reads - a.trb_reads,
		.trb_peeks = b.trb_peeks - a.trb_peeks,
		.ctx_reads = b.ctx_reads - a.ctx_reads,
		.ctx_writes = b.ctx_writes - a.ctx_writes,
		.events = b.events - a.events,
		.interrupts = b.interrupts - a.interrupts,
		.copied = b.copied - a.copied,
		.mem_gets = b.mem_gets - a.mem_gets,
		.allocs = b.allocs - a.allocs,
		.cpu_ns = b.cpu_ns - a.cpu_ns,
	};
	if (l->row.kind == LOAD_DOORBELL)
		ret->tds = n;
}

bool load_gates(const struct load_row *row, const struct load_cost *c,
		bool bounce, char *why, size_t len)
{
	uint64_t copies = bounce ? c->bytes : 0;
	bool ok = true;

	if (row->kind == LOAD_DOORBELL)
		copies = 0;
	if (c->allocs) {
		snprintf(why, len, "%llu allocations",
			 (unsigned long long)c->allocs);
		ok = false;
	} else if (c->trb_reads != c->trbs) {
		snprintf(why, len, "%llu TRB reads of %llu TRBs",
			 (unsigned long long)c->trb_reads,
			 (unsigned long long)c->trbs);
		ok = false;
	} else if (c->ctx_reads) {
		snprintf(why, len, "%llu context reads",
			 (unsigned long long)c->ctx_reads);
		ok = false;
	} else if (c->copied > copies) {
		snprintf(why, len, "%llu bytes copied of %llu",
			 (unsigned long long)c->copied,
			 (unsigned long long)copies);
		ok = false;
	} else if (row->kind != LOAD_DOORBELL && c->events != c->tds) {
		snprintf(why, len, "%llu events for %llu TDs",
			 (unsigned long long)c->events,
			 (unsigned long long)c->tds);
		ok = false;
	}
	return ok;
}

/* Every buffer byte of 16 TDs, as the device's own pattern and checksum. */
bool load_verify(struct load *l)
{
	struct stub_ep *e = device_ep(l);
	bool ok = true;

	if (l->row.kind == LOAD_DOORBELL || l->row.buf == BUF_IDT)
		return true;
	e->rule.no_data = false;
	e->rule.bounce = NULL;
	for (unsigned n = 0; n < 4 && ok; n++) {
		uint64_t at = e->next_byte;
		uint32_t crc = e->crc;

		if (is_out(l))
			for (unsigned i = 0; i < l->ntrbs; i++) {
				const struct gdrv_trb *t = &l->trb[i];

				rig_fill(l->g, t->ptr, t->len, n * 77 + i);
				crc = crc32_add(
					crc,
					guestmem_ptr(&l->g->gm, t->ptr, t->len),
					t->len);
			}
		drive(l, 1);
		for (unsigned i = 0; i < l->ntrbs; i++) {
			const struct gdrv_trb *t = &l->trb[i];

			if (is_out(l) || t->type == TRB_SETUP ||
			    t->type == TRB_STATUS)
				continue;
			ok = ok && rig_pattern(l->g, t->ptr, t->len, at);
			at += t->len;
		}
		if (is_out(l))
			ok = e->crc == crc;
	}
	return ok;
}
