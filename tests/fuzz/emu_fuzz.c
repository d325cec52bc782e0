/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The controller: an input is a machine's shape and then what its guest, its
 * devices and its host do, one choice after another (tests/unit/emu_chaos.h).
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

#include "tests/unit/emu_chaos.h"

#include "emu/tap.h"
#include "tests/fuzz/fuzz.h"

#define MAX_READS 512u

/* What was read since the operation under way began */
static struct reads {
	struct fuzz *z;
	unsigned n;
	struct {
		uint64_t gpa;
		uint32_t len;
	} of[MAX_READS];
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
}

/* A context, a table: each of its bytes once an operation */
static void reads_add(struct reads *r, uint64_t gpa, uint32_t len)
{
	for (unsigned i = 0; i < r->n; i++)
		if (gpa < r->of[i].gpa + r->of[i].len &&
		    r->of[i].gpa < gpa + len)
			read_twice(gpa);
	if (r->n < MAX_READS) {
		r->of[r->n].gpa = gpa;
		r->of[r->n++].len = len;
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
		reads_add(r, rec->arg[0], rec->len);
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
				struct xhci_td *td, unsigned *trbs);
enum td_gather __wrap_td_gather(struct xhci *x, struct xhci_epq *q,
				struct xhci_td *td, unsigned *trbs);
enum td_gather __wrap_td_gather(struct xhci *x, struct xhci_epq *q,
				struct xhci_td *td, unsigned *trbs)
{
	reads_forget(&reads);
	return __real_td_gather(x, q, td, trbs);
}

static const struct xhci_tap_ops tap_ops = {on_rec};

/* The machine: its shape is the first bytes of the input. */
static void machine(struct fuzz *z, struct reads *r)
{
	uint32_t shape = draw(z, 2);
	const struct xhci_config cfg = {
		.usb2_ports = 4,
		.usb3_ports = 4,
		.ctx64 = shape & 1,
		.scratchpads = shape & 2 ? shape >> 3 & 31 : 0,
	};

	z->f = fake_new_cfg(&cfg);
	z->f->lenient = true;
	reads_forget(r);
	r->z = z;
	r->s = shape & 4 ? 0x9e3779b97f4a7c15u * (shape + 1) : 0;
	if (!(shape >> 8 & 1)) /* now and then, none: other ways in the code */
		assert_int_equal(xhci_set_tap(z->f->x, &tap_ops, r), 0);
}

static void play(struct fuzz *z, unsigned steps)
{
	machine(z, &reads);
	restart(z);
	while (steps-- && (!z->in || z->left))
		step(z);
	z->f->hole = 0;
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
		play(&z, 40 + 10 * n);
		fclose(z.log);
	}
}
