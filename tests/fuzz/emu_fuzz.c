/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The controller: an input is a machine's shape and then what its guest, its
 * devices and its host do, one operation after another (emu_ops.h).
 *
 * Guest memory changes behind the controller's back: what it has just read is
 * sometimes something else before its next look. And no byte of a context or
 * table is read twice in one operation, no TRB twice in its place.
 */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define MEM_SIZE (6u << 20)
#define FAKE_MEM

/* The same memory for each input; what was touched is zeroes again. */
static uint8_t *fake_mem_new(void)
{
	static uint8_t *mem;

	if (mem)
		madvise(mem, MEM_SIZE, MADV_DONTNEED);
	else
		mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return mem == MAP_FAILED ? NULL : mem;
}

static void fake_mem_free(uint8_t *mem)
{
	(void)mem;
}

#include "emu/tap.h"
#include "tests/fuzz/emu_play.h"
#include "tests/fuzz/emu_seeds.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/wrap_alloc.h"

#define MAX_READS 512u

/* What a structure is; two of them may lie in one place. */
enum role { A_CONTEXT, A_SECOND_STREAM, A_DCBAA_ENTRY, A_SEGMENT };

/* What was read since the operation under way began */
static struct reads {
	struct fuzz *z;
	unsigned n;
	struct {
		uint64_t gpa;
		uint32_t len;
		enum role role;
	} of[MAX_READS];
	uint64_t second;    /* an array that the context read last names */
	uint64_t trb, link; /* the TRB read last, and where it links to */
	uint64_t s;         /* seed of changes; 0: memory keeps still */
} reads;

static void read_twice(uint64_t gpa)
{
	fprintf(stderr, "guest memory at %llx is read twice\n",
		(unsigned long long)gpa);
	abort();
}

static void reads_forget(struct reads *r)
{
	r->n = 0;
	r->trb = UINT64_MAX;
	r->second = UINT64_MAX;
}

static bool is_segment(const struct xhci_tap_rec *rec)
{
	return rec->kind == XHCI_TAP_MEM_READ && rec->arg[1] == 16;
}

/* Interrupters whose table is there: they may share it. */
static unsigned sharers(const struct xhci *x, uint64_t gpa)
{
	unsigned n = 0;

	for (unsigned i = 0; i < XHCI_NINTRS; i++)
		n += gpa - x->intr[i].erstba < 16 * ERST_MAX;
	return n;
}

static enum role role_of(struct reads *r, const struct xhci_tap_rec *rec)
{
	if (rec->kind == XHCI_TAP_MEM_READ)
		return is_segment(rec) ? A_SEGMENT : A_DCBAA_ENTRY;
	if (rec->arg[1] == 8 && rec->arg[0] - r->second < 256 * 16)
		return A_SECOND_STREAM;
	return A_CONTEXT;
}

/* A context, a table: each of its bytes once an operation */
static void reads_add(struct reads *r, const struct xhci_tap_rec *rec)
{
	uint64_t gpa = rec->arg[0], dw;
	enum role role = role_of(r, rec);

	if (is_segment(rec) && sharers(r->z->f->x, gpa) > 1)
		return;
	for (unsigned i = 0; i < r->n; i++)
		if (r->of[i].role == role &&
		    gpa < r->of[i].gpa + r->of[i].len &&
		    r->of[i].gpa < gpa + rec->len)
			read_twice(gpa);
	if (r->n < MAX_READS) {
		r->of[r->n].gpa = gpa;
		r->of[r->n].role = role;
		r->of[r->n++].len = rec->len;
	}
	r->second = UINT64_MAX;
	if (role == A_CONTEXT && rec->len == 8) {
		memcpy(&dw, rec->data, 8);
		if ((dw >> 1 & 7) > 1)
			r->second = dw & ~15ull;
	}
}

/* A TRB again only where a Link led back to it */
static void reads_trb(struct reads *r, const struct xhci_tap_rec *rec)
{
	struct xhci_trb trb;

	if (r->trb == rec->arg[0] && r->link != rec->arg[0])
		read_twice(rec->arg[0]);
	reads_forget(r);
	if (rec->len < TRB_SIZE)
		return;
	memcpy(&trb, rec->data, sizeof(trb));
	r->trb = rec->arg[0];
	r->link = TRB_TYPE(trb.control) == TRB_LINK ? trb.param & ~15ull : 1;
}

/* The guest writes where the controller has just read. */
static void change(struct reads *r, uint64_t gpa, uint64_t len)
{
	uint64_t at;

	if (!r->s)
		return;
	r->s ^= r->s << 13;
	r->s ^= r->s >> 7;
	r->s ^= r->s << 17;
	if (r->s >> 60 || !len)
		return;
	at = gpa + (r->s >> 8) % len;
	if (at >= MEM_LOW && at < MEM_SIZE)
		r->z->f->mem[at] ^= (uint8_t)(1u << (r->s >> 40 & 7));
}

static void on_rec(void *arg, const struct xhci_tap_rec *rec)
{
	struct reads *r = arg;

	switch (rec->kind) {
	case XHCI_TAP_TRB_READ:
		reads_trb(r, rec);
		change(r, rec->arg[0], TRB_SIZE);
		break;
	case XHCI_TAP_CTX_READ:
	case XHCI_TAP_MEM_READ:
		reads_add(r, rec);
		change(r, rec->arg[0], rec->len);
		break;
	case XHCI_TAP_TRB_PEEK:
		change(r, rec->arg[0] + 12, 4);
		break;
	case XHCI_TAP_TRB_WRITE:
		reads_forget(r);
		break;
	default:
		if (rec->kind < XHCI_TAP_NCALLS)
			reads_forget(r);
	}
}

/* Linked in the place of td_gather(): each TD is an operation. */
enum td_gather __real_td_gather(struct xhci *x, struct xhci_epq *q,
				struct xhci_td *td, int *work);
enum td_gather __wrap_td_gather(struct xhci *x, struct xhci_epq *q,
				struct xhci_td *td, int *work);
enum td_gather __wrap_td_gather(struct xhci *x, struct xhci_epq *q,
				struct xhci_td *td, int *work)
{
	reads_forget(&reads);
	return __real_td_gather(x, q, td, work);
}

static const struct xhci_tap_ops tap_ops = {on_rec};

/* Linked in the place of what they are called: OP_NO_MEMORY */
static bool wrap_alloc_fails(void)
{
	return host.no_memory && --host.no_memory == 0;
}

/* The machine: its shape is the first bytes of the input. */
static void machine(struct fuzz *z, struct reads *r)
{
	static const struct {
		uint8_t usb2, usb3;
	} ports[] = {{4, 4}, {8, 8}, {1, 0}, {15, 15}};
	uint32_t shape = draw(z, 2), n = shape >> SHAPE_PORTS_SHIFT & 3;
	const struct xhci_config cfg = {
		.usb2_ports = ports[n].usb2,
		.usb3_ports = ports[n].usb3,
		.ctx64 = shape & SHAPE_CTX64,
		.scratchpads = shape & SHAPE_SCRATCHPADS ? shape >> 3 & 31 : 0,
	};

	host = (struct host){0};
	z->f = fake_new_cfg(&cfg);
	z->f->lenient = true;
	z->f->on_get = on_get;
	reads_forget(r);
	r->z = z;
	r->s = shape & SHAPE_CHANGES ? 0x9e3779b97f4a7c15u * (shape + 1) : 0;
	if (!(shape & SHAPE_NO_TAP)) { /* there are other ways in the code */
		host.tap = &tap_ops;
		host.tap_arg = r;
		assert_int_equal(xhci_set_tap(z->f->x, &tap_ops, r), 0);
	}
	if (!(shape & SHAPE_IDLE))
		restart(z);
}

/* A port's link as software moves it: states, resets, changes, wakes */
static void port_link(struct fuzz *z)
{
	unsigned p = 1 + below(z, NPORTS);
	uint32_t v = PORTSC_PP;

	switch (below(z, 6)) {
	case 0:
	case 1:
		v |= PORTSC_LWS | below(z, 16) << PORTSC_PLS_SHIFT;
		break;
	case 2:
		v |= one_in(z, 2) ? PORTSC_WPR : PORTSC_PR;
		break;
	case 3:
		v |= PORTSC_CHANGES | (rnd(z) & PORTSC_WAKES);
		break;
	case 4:
		v = rnd(z) & (PORTSC_PP | PORTSC_PED | PORTSC_CHANGES);
		break;
	default:
		wr(z->f, REG_PORTPMSC(p) + 4 * below(z, 3), rnd(z));
		return;
	}
	wr(z->f, REG_PORTSC(p), v);
}

/* §4.23.2: halted, saved, and restored, in this order or not */
static void save(struct fuzz *z)
{
	struct fake *f = z->f;

	if (!one_in(z, 4))
		wr(f, REG_CMD, 0);
	for (unsigned p = 1; p <= XHCI_MAX_PORTS; p++)
		dev_end_all(&f->dev[p], USB_CANCELLED);
	work(z);
	wr(f, REG_CMD, one_in(z, 3) ? CMD_CRS : CMD_CSS);
	if (one_in(z, 3))
		wr(f, REG_CMD, CMD_HCRST);
	if (one_in(z, 2))
		wr(f, REG_CMD, CMD_CRS);
	wr(f, REG_CMD, one_in(z, 2) ? CMD_ON : CMD_ON | CMD_EWE | CMD_EU3S);
}

/* A guest that stands still, and is looked at */
static void still(struct fuzz *z)
{
	struct fake *f = z->f;
	uint8_t *buf = NULL;
	size_t len;

	xhci_pause(f->x, one_in(z, 2));
	work(z);
	for (unsigned p = 1; p <= XHCI_MAX_PORTS; p++)
		dev_end_all(&f->dev[p], USB_CANCELLED);
	work(z);
	if (xhci_in_flight(f->x) == 0 && xhci_snapshot(f->x, &buf, &len) == 0)
		free(buf);
	xhci_resume(f->x);
}

/* Commands that few drivers give */
static void rare_command(struct fuzz *z)
{
	static const uint8_t types[] = {TRB_FORCE_EVENT,  TRB_NEGOTIATE_BW,
					TRB_SET_LATENCY,  TRB_GET_PORT_BW,
					TRB_FORCE_HEADER, TRB_NOOP_CMD,
					TRB_GET_EXT_PROP, TRB_SET_EXT_PROP};
	uint32_t speed = below(z, 6) << 16;

	cmd_post(z->f, one_in(z, 3) ? address_of(z) & ~15ull : G_ICTX, rnd(z),
		 TRB_TYPE_BITS(types[below(z, sizeof(types))]) |
			 SLOT(below(z, 10)) | speed);
}

/* What chaos seldom comes to */
static void extra(struct fuzz *z)
{
	struct fake *f = z->f;

	switch (below(z, 10)) {
	case 0 ... 2:
		port_link(z);
		break;
	case 3:
		save(z);
		break;
	case 4:
		xhci_port_fault(f->x, 1 + below(z, NPORTS),
				(enum xhci_port_fault)below(z, 5));
		break;
	case 5:
		if (one_in(z, 2))
			wr(f, OFF_OP + OP_DNCTRL, rnd(z) & 0xffff);
		xhci_port_notify(f->x, 1 + below(z, NPORTS), below(z, 17),
				 rnd(z));
		break;
	case 6 ... 7:
		rare_command(z);
		break;
	case 8:
		still(z);
		break;
	default:
		if (one_in(z, 8))
			xhci_mem_lost(f->x);
		else
			xhci_mmio_write(f->x,
					REG_IR(below(z, 4), 0) +
						(below(z, 32) & ~3u),
					4, rnd(z));
	}
}

/* Of the controller, for one input: each may be thousands of TRBs. */
#define MAX_TURNS 1000u

static void play(struct fuzz *z, unsigned steps)
{
	machine(z, &reads);
	while (steps-- && (!z->in || z->left) && host.turns < MAX_TURNS) {
		unsigned op = below(z, 256);

		if (op < OP_EXTRA)
			step(z);
		else if (op < OP_FIRST)
			extra(z);
		else if (OP_FIRST + op % 32 == OP_CHANGES)
			reads.s = below(z, 256) * 0x9e3779b97f4a7c15u;
		else
			operation(z, OP_FIRST + op % 32);
	}
	host = (struct host){0};
	z->f->hole = z->f->read_only = 0;
	z->f->page = 0;
	fake_free(z->f);
}

/* Every number has a name, or one that says that it has none. */
static void name_all(unsigned n, uint32_t off)
{
	char buf[32];

	if (!cc_name(n) || !trb_type_name(n) ||
	    !reg_name(off + n % 64, buf, sizeof(buf)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct fuzz z = {.s = 1, .in = data, .left = len};

	if (!len)
		return 0;
	name_all(data[0], len > 1 ? data[1] * 64u : 0);
	play(&z, UINT32_MAX);
	return 0;
}

/* Seeds: what random choices were, so that a fuzzer can go on from there */
void fuzz_seeds(const char *dir)
{
	for (unsigned n = 1; n <= 64; n++) {
		struct fuzz z = {.s = n * 0x9e3779b97f4a7c15u};

		z.log = fuzz_seed_open(dir, "chaos", n);
		play(&z, 10 + 5 * n);
		fclose(z.log);
	}
	emu_seeds(dir);
}
