/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * emu_recorded.c - recordings of guests (docs/recording.md) as inputs of
 * emu_fuzz: what drivers wrote to registers and memory, what devices and hosts
 * did, in the order in which it was. Pages of guest memory that hold something
 * that the controller reads are moved to where the fuzzer's guest has memory,
 * and pointers to them with them.
 */
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "emu/hw.h"
#include "tests/fuzz/emu_seed.h"
#include "tests/fuzz/emu_seeds.h"
#include "tests/fuzz/fuzz.h"
#include "vmm/record_reader.h"

#define PAGE 4096ul
#define FIRST 0x1000u /* where structures go */
#define PAYLOAD 0x400000u
#define PAYLOAD_MASK 0xfffffu
#define MAX_PAGES ((PAYLOAD - FIRST) / PAGE)
#define MAX_HELD 512u
#define MAX_FILE (8u << 20)

struct conv {
	struct rec_reader r;
	struct seed s;
	uint64_t page[MAX_PAGES]; /* the guest's, where it went */
	uint64_t payload[256];    /* pages with no structure */
	unsigned npages, npayload;
	uint8_t shadow[PAYLOAD];
	unsigned usb2; /* ports of the seed's machine */
	uint64_t now;
	bool started;
	struct {
		uint32_t id;
		uint8_t port;
	} held[MAX_HELD];
	unsigned nheld;
};

/* What emu_fuzz's machine() has */
static const uint8_t ports[4][2] = {{4, 4}, {8, 8}, {1, 0}, {15, 15}};

static unsigned port_of(const struct conv *c, uint64_t port)
{
	unsigned had = c->r.start.cfg.usb2_ports;

	return (unsigned)(port <= had ? port : c->usb2 + port - had);
}

/* --- addresses --- */

static int find_page(const struct conv *c, uint64_t gpa)
{
	for (unsigned i = 0; i < c->npages; i++)
		if (c->page[i] == (gpa & ~(PAGE - 1)))
			return (int)i;
	return -1;
}

static void know_page(struct conv *c, uint64_t gpa)
{
	if (find_page(c, gpa) < 0 && c->npages < MAX_PAGES)
		c->page[c->npages++] = gpa & ~(PAGE - 1);
}

static void know_payload(struct conv *c, uint64_t gpa)
{
	for (unsigned i = 0; i < c->npayload; i++)
		if (c->payload[i] == gpa >> 16)
			return;
	if (c->npayload < 256)
		c->payload[c->npayload++] = gpa >> 16;
}

/* Where @v points to here; itself where it is no pointer that is known */
static uint64_t moved(const struct conv *c, uint64_t v)
{
	int i = v < PAGE ? -1 : find_page(c, v);

	if (i >= 0)
		return FIRST + (uint64_t)i * PAGE + v % PAGE;
	for (unsigned k = 0; v && k < c->npayload; k++)
		if (c->payload[k] == v >> 16)
			return PAYLOAD + (v & PAYLOAD_MASK);
	return v;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return v;
}

/* A structure as the guest here has it */
static void move_data(const struct conv *c, const struct xhci_tap_rec *rec,
		      uint8_t *buf)
{
	bool ctx = rec->kind == XHCI_TAP_CTX_READ ||
		   rec->kind == XHCI_TAP_CTX_WRITE;
	uint64_t v;

	memcpy(buf, rec->data, rec->len);
	if (rec->len == 20 && ctx) {
		v = moved(c, get64(buf + 8) & ~15ull) | (buf[8] & 15);
		memcpy(buf + 8, &v, 8);
	} else if (rec->len == 16 && ctx) {
		buf[6] = (uint8_t)port_of(c, buf[6]);
	} else if (rec->len == 8 || rec->len == 16) {
		v = moved(c, get64(buf) & ~15ull) | (buf[0] & 15);
		memcpy(buf, &v, 8);
	}
}

/* --- memory --- */

/* Let memory be so; what is so already costs nothing. */
static void put_mem(struct conv *c, uint64_t at, const uint8_t *p, size_t len,
		    bool say)
{
	size_t a = 0, b = len;

	if (at < FIRST || at + len > PAYLOAD)
		return;
	while (a < b && c->shadow[at + a] == p[a])
		a++;
	while (b > a && c->shadow[at + b - 1] == p[b - 1])
		b--;
	if (a == b)
		return;
	memcpy(c->shadow + at, p, len);
	if (say)
		s_mem(&c->s, (uint32_t)(at + a), p + a, b - a);
}

static void memory(struct conv *c, const struct xhci_tap_rec *rec)
{
	bool written = rec->kind == XHCI_TAP_TRB_WRITE ||
		       rec->kind == XHCI_TAP_CTX_WRITE ||
		       rec->kind == XHCI_TAP_MEM_WRITE;
	uint64_t at = moved(c, rec->arg[0]);
	uint8_t buf[XHCI_TAP_DATA];

	if (find_page(c, rec->arg[0]) < 0)
		return;
	move_data(c, rec, buf);
	if (rec->kind == XHCI_TAP_TRB_PEEK)
		at += 12;
	put_mem(c, at, buf, rec->len, !written);
}

/* --- calls --- */

static bool is_pointer(uint32_t off)
{
	uint32_t ir = (off - OFF_RT - RT_IR0) % IR_SIZE & ~4u;

	if ((off & ~4u) == OFF_OP + OP_CRCR ||
	    (off & ~4u) == OFF_OP + OP_DCBAAP)
		return true;
	return off >= OFF_RT + RT_IR0 && off < OFF_DB &&
	       (ir == IR_ERSTBA || ir == IR_ERDP);
}

/* A register that is half a pointer: all of them are below 4 GiB here. */
static uint32_t half_moved(const struct conv *c, uint32_t off, uint32_t v)
{
	if (off & 4)
		return 0;
	for (unsigned i = 0; i < c->npages; i++)
		if (((uint32_t)c->page[i] ^ v) < PAGE)
			return FIRST + i * (uint32_t)PAGE + v % (uint32_t)PAGE;
	return v;
}

static void register_write(struct conv *c, const struct xhci_tap_rec *rec)
{
	uint32_t off = (uint32_t)rec->arg[0];
	uint64_t v = rec->arg[2];
	struct seed *s = &c->s;

	if (off >= OFF_PORTS && off < OFF_PORTS + 16 * 31)
		off = OFF_PORTS + off % 16 +
		      16 * (port_of(c, (off - OFF_PORTS) / 16 + 1) - 1);
	if (is_pointer(off))
		v = half_moved(c, off, (uint32_t)v);
	if (rec->arg[1] == 4) {
		s_wr(s, off, (uint32_t)v);
		return;
	}
	s_op(s, OP_WRITE);
	s16(s, off);
	s8(s, rec->arg[1] == 8 ? 3 : rec->arg[1] == 2);
	s64(s, v);
}

static void transfer_done(struct conv *c, const struct xhci_tap_rec *rec)
{
	unsigned which = 0;

	for (unsigned i = 0; i < c->nheld; i++) {
		if (c->held[i].id != (uint32_t)rec->arg[0])
			continue;
		for (unsigned k = 0; k < i; k++)
			which += c->held[k].port == c->held[i].port;
		S(&c->s, OP_DONE, c->held[i].port - 1u, which,
		  (unsigned)rec->arg[1]);
		s32(&c->s,
		    (uint32_t)(rec->arg[1] || !rec->arg[4] ? rec->arg[2]
							   : rec->arg[4]));
		s8(&c->s, (unsigned)rec->arg[3]);
		memmove(c->held + i, c->held + i + 1,
			(c->nheld - i - 1) * sizeof(c->held[0]));
		c->nheld--;
		return;
	}
}

static void call(struct conv *c, const struct xhci_tap_rec *rec)
{
	struct seed *s = &c->s;
	unsigned port = port_of(c, rec->arg[0]) - 1;

	switch (rec->kind) {
	case XHCI_TAP_MMIO_WRITE:
		register_write(c, rec);
		break;
	case XHCI_TAP_RUN:
		s_op(s, OP_RUN);
		break;
	case XHCI_TAP_TIMER:
		S(s, OP_TIMER, 0);
		break;
	case XHCI_TAP_RESET:
		S(s, OP_HOST, HOST_RESET);
		break;
	case XHCI_TAP_BUS_MASTER:
		S(s, OP_HOST, HOST_NO_BUS_MASTER + !!rec->arg[0]);
		break;
	case XHCI_TAP_INTR_MODE:
		S(s, OP_HOST, HOST_NO_INTR + (unsigned)rec->arg[0] % 3);
		break;
	case XHCI_TAP_CONNECT:
		S(s, OP_PLUG, port, (unsigned)rec->arg[1]);
		break;
	case XHCI_TAP_DISCONNECT:
		S(s, OP_UNPLUG, port);
		break;
	case XHCI_TAP_RESET_DONE:
		S(s, OP_RESET_DONE, port, (unsigned)rec->arg[1]);
		break;
	case XHCI_TAP_WAKE:
		S(s, OP_PORT, port, PORT_WAKE, 0, 0, 0, 0);
		break;
	case XHCI_TAP_PORT_FAULT:
		S(s, OP_PORT, port, PORT_FAULT1 + (unsigned)rec->arg[1], 0, 0,
		  0, 0);
		break;
	case XHCI_TAP_NOTIFY:
		S(s, OP_PORT, port, PORT_NOTIFY1 + (unsigned)rec->arg[1]);
		s32(s, (uint32_t)rec->arg[2]);
		break;
	case XHCI_TAP_XFER_DONE:
		transfer_done(c, rec);
		break;
	default: /* register reads change nothing */
		break;
	}
}

static void clock_to(struct conv *c, uint64_t now)
{
	uint64_t passed = now - c->now;

	if (!c->started) {
		c->started = true;
		c->now = now;
		return;
	}
	if (now <= c->now)
		return;
	s_op(&c->s, OP_TIME);
	s32(&c->s, passed < UINT32_MAX ? (uint32_t)passed : UINT32_MAX);
	c->now = now;
}

/* What a call led to, which is before it in the seed: answers */
static void answer(struct conv *c, const struct xhci_tap_rec *rec)
{
	if (rec->kind >= XHCI_TAP_TRB_READ && rec->kind <= XHCI_TAP_MEM_WRITE)
		memory(c, rec);
	else if (rec->kind == XHCI_TAP_NOW)
		clock_to(c, rec->arg[0]);
	else if (rec->kind == XHCI_TAP_SUBMIT && !rec->arg[9] &&
		 c->nheld < MAX_HELD) {
		c->held[c->nheld].id = (uint32_t)rec->arg[0];
		c->held[c->nheld++].port = (uint8_t)port_of(c, rec->arg[1]);
	}
}

/* --- a recording --- */

static void know(struct conv *c, const struct xhci_tap_rec *rec)
{
	if (rec->kind >= XHCI_TAP_TRB_READ && rec->kind <= XHCI_TAP_MEM_WRITE &&
	    rec->len)
		know_page(c, rec->arg[0]);
	else if (rec->kind == XHCI_TAP_PAYLOAD && rec->arg[3])
		know_payload(c, rec->arg[0]);
}

static void shape(struct conv *c)
{
	const struct xhci_config *cfg = &c->r.start.cfg;
	unsigned n = cfg->usb2_ports == 4 && cfg->usb3_ports == 4 ? 0 : 1;

	if (cfg->usb2_ports > 8 || cfg->usb3_ports > 8)
		n = 3;
	c->usb2 = ports[n][0];
	n = SHAPE_IDLE | n << SHAPE_PORTS_SHIFT;
	if (cfg->ctx64)
		n |= SHAPE_CTX64;
	if (cfg->scratchpads)
		n |= SHAPE_SCRATCHPADS | (cfg->scratchpads & 31u) << 3;
	s16(&c->s, n);
}

/*
 * An operation comes behind the memory that it reads, which in a recording is
 * behind its call: so each call is written when the next one is come to.
 */
static void convert(struct conv *c)
{
	struct xhci_tap_rec rec, last = {.kind = XHCI_TAP_NKINDS};
	size_t whole;

	shape(c);
	whole = c->s.len;
	while (rec_reader_next(&c->r, &rec) == 1 && !c->s.full) {
		if (!rec_is_call(&rec)) {
			answer(c, &rec);
			continue;
		}
		if (last.kind != XHCI_TAP_NKINDS)
			call(c, &last);
		if (!c->s.full)
			whole = c->s.len;
		last = rec;
		last.data = NULL;
	}
	c->s.len = whole;
}

static bool start(struct conv *c, struct rec_file *f, uint16_t stream)
{
	rec_file_rewind(f);
	memset(&c->r, 0, sizeof(c->r));
	return rec_reader_start(&c->r, f, stream) == 0;
}

static void seed_of(const char *dir, const uint8_t *p, size_t len, unsigned *n)
{
	struct conv *c = calloc(1, sizeof(*c));
	struct xhci_tap_rec rec;
	struct rec_file f;

	if (!c)
		abort();
	if (rec_file_init(&f, p, len) == 0) {
		for (uint16_t stream = 0; start(c, &f, stream); stream++) {
			memset(c, 0, sizeof(*c));
			start(c, &f, stream);
			while (rec_reader_next(&c->r, &rec) == 1)
				know(c, &rec);
			start(c, &f, stream);
			convert(c);
			fuzz_seed(dir, "recorded", (*n)++, c->s.buf, c->s.len);
		}
	}
	rec_file_fini(&f);
	free(c);
}

static void folder_seeds(const char *dir, const char *folder, unsigned *n)
{
	static uint8_t p[MAX_FILE];
	DIR *d = opendir(folder);
	struct dirent *e;
	char path[PATH_MAX];

	while (d && (e = readdir(d))) {
		FILE *f;

		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (e->d_name[0] == '.')
			continue;
		if (e->d_type == DT_DIR) {
			folder_seeds(dir, path, n);
			continue;
		}
		f = fopen(path, "rb");
		if (f) {
			seed_of(dir, p, fread(p, 1, sizeof(p), f), n);
			fclose(f);
		}
	}
	if (d)
		closedir(d);
}

void emu_recorded_seeds(const char *dir)
{
	const char *more = getenv("FUZZ_RECORDINGS");
	unsigned n = 0;

	folder_seeds(dir, "fixtures/recordings", &n);
	if (n == 0) {
		fprintf(stderr, "fixtures/recordings: no recording there\n");
		exit(1);
	}
	if (more)
		folder_seeds(dir, more, &n);
}
