/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/bhyve/fake.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "debug.h"
#include "machine/vmm_snapshot.h"
#include "vmm/vxhci.h"
#include "vmmapi.h"

#define CAPABILITIES 0x34
#define FIRST_CAP 0x40
#define MSIX_ENABLE 0x8000u
#define MSIX_FUNCTION_MASK 0x4000u

static struct vmctx *now; /* whose console it is */

/* What vmm/bhyve/ calls */

static struct vmctx *ctx_of(struct pci_devinst *pi)
{
	return pi->pi_vmctx;
}

const char *get_config_value_node(const nvlist_t *parent, const char *name)
{
	if (strcmp(name, "options") != 0 || !parent->options[0])
		return NULL;
	return parent->options;
}

void set_config_value_node(nvlist_t *parent, const char *name,
			   const char *value)
{
	if (strcmp(name, "options") == 0)
		snprintf(parent->options, sizeof(parent->options), "%s", value);
}

void bhyve_eprintln(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(now->line, sizeof(now->line), fmt, ap);
	va_end(ap);
}

size_t vm_get_lowmem_size(struct vmctx *ctx)
{
	(void)ctx;
	return FAKE_LOWMEM;
}

size_t vm_get_highmem_size(struct vmctx *ctx)
{
	(void)ctx;
	return FAKE_HIGHMEM;
}

void *paddr_guest2host(struct vmctx *ctx, uintptr_t addr, size_t len)
{
	struct guest_region *r = guestmem_find(&ctx->gm, addr);

	if (!r || addr - r->gpa > r->len || len > r->len - (addr - r->gpa))
		return NULL;
	return r->base + (addr - r->gpa);
}

int pci_emul_alloc_bar(struct pci_devinst *pdi, int idx, enum pcibar_type type,
		       uint64_t size)
{
	struct vmctx *ctx = ctx_of(pdi);

	if (idx == ctx->fail_bar)
		return -1;
	ctx->bar[idx].type = type;
	ctx->bar[idx].size = size;
	if (type == PCIBAR_MEM64)
		ctx->bar[idx + 1].type = PCIBAR_MEMHI64;
	return 0;
}

/* The table, and behind it the pending bits, in BAR @barnum */
int pci_emul_add_msixcap(struct pci_devinst *pi, int msgnum, int barnum)
{
	struct vmctx *ctx = ctx_of(pi);
	unsigned char *cap = pi->pi_cfgdata + FIRST_CAP;

	for (int i = 0; i < msgnum; i++)
		ctx->table[i].vector_control = 1;
	ctx->nvectors = msgnum;
	pi->pi_msix.table = ctx->table;
	pi->pi_msix.table_bar = barnum;
	cap[0] = 0x11;
	cap[2] = (unsigned char)(msgnum - 1);
	cap[4] = (unsigned char)barnum;
	pi->pi_cfgdata[CAPABILITIES] = FIRST_CAP;
	return pci_emul_alloc_bar(pi, barnum, PCIBAR_MEM32, 8192);
}

int pci_emul_msix_twrite(struct pci_devinst *pi, uint64_t offset, int size,
			 uint64_t value)
{
	if (offset + (unsigned)size > sizeof(ctx_of(pi)->table))
		return -1;
	memcpy((char *)pi->pi_msix.table + offset, &value, (size_t)size);
	return 0;
}

uint64_t pci_emul_msix_tread(struct pci_devinst *pi, uint64_t offset, int size)
{
	uint64_t value = 0;

	if (offset + (unsigned)size > sizeof(ctx_of(pi)->table))
		return UINT64_MAX;
	memcpy(&value, (char *)pi->pi_msix.table + offset, (size_t)size);
	return value;
}

/* What is masked is dropped, as bhyve does. */
void pci_generate_msix(struct pci_devinst *pi, int msgnum)
{
	if (!pi->pi_msix.enabled || pi->pi_msix.function_mask ||
	    (pi->pi_msix.table[msgnum].vector_control & 1))
		return;
	ctx_of(pi)->sent[msgnum]++;
}

struct bhyvegc_image *console_get_image(void)
{
	return now->image.width ? &now->image : NULL;
}

void console_ptr_register(ptr_event_func_t event_cb, void *arg, int pri)
{
	now->pointer = event_cb;
	now->pointer_arg = arg;
	now->pointer_priority = pri;
}

int vm_snapshot_buf(void *data, size_t data_size, struct vm_snapshot_meta *meta)
{
	struct vm_snapshot_buffer *b = &meta->buffer;

	if (b->buf_rem < data_size)
		return E2BIG;
	if (meta->op == VM_SNAPSHOT_SAVE)
		memcpy(b->buf, data, data_size);
	else
		memcpy(data, b->buf, data_size);
	b->buf += data_size;
	b->buf_rem -= data_size;
	return 0;
}

/* The machine */

void fake_new(struct vmctx *ctx)
{
	memset(ctx, 0, sizeof(*ctx));
	guestmem_init(&ctx->gm);
	guestmem_add(&ctx->gm, 0, FAKE_LOWMEM);
	guestmem_add(&ctx->gm, FAKE_HIGHMEM_GPA, FAKE_HIGHMEM);
	guestmem_alloc(&ctx->gm, GM_PAGE); /* address 0 is for nobody */
	ctx->pi.pi_vmctx = ctx;
	ctx->pi.pi_slot = 30;
	ctx->fail_bar = -1;
	now = ctx;
}

int fake_init(struct vmctx *ctx, const char *options)
{
	int r = bhyve_devemu->pe_legacy_config(&ctx->nvl, options);

	return r ? r : bhyve_devemu->pe_init(&ctx->pi, &ctx->nvl);
}

/* bhyve frees no device: its process ends. */
void fake_end(struct vmctx *ctx)
{
	struct pci_devinst *pi = &ctx->pi;
	struct vxhci **v = pi->pi_arg;

	if (v == NULL)
		return;
	vxhci_destroy(*v);
	free(pi->pi_arg);
	pi->pi_arg = NULL;
}

static int snapshot(struct vmctx *ctx, struct fake_state *s, size_t size,
		    enum vm_snapshot_op op)
{
	struct vm_snapshot_meta meta = {
		.dev_data = &ctx->pi,
		.dev_name = "xhci",
		.buffer = {s->buf, size, s->buf, size},
		.op = op,
	};
	int r = bhyve_devemu->pe_snapshot(&meta);

	s->len = op == VM_SNAPSHOT_SAVE ? size - meta.buffer.buf_rem : s->len;
	return r;
}

int fake_suspend(struct vmctx *ctx, struct fake_state *ret)
{
	struct pci_devinst *pi = &ctx->pi;
	int r = bhyve_devemu->pe_pause(pi);

	if (r == 0) {
		memcpy(ret->cfgdata, pi->pi_cfgdata, sizeof(ret->cfgdata));
		memcpy(ret->table, ctx->table, sizeof(ret->table));
		ret->enabled = pi->pi_msix.enabled;
		ret->function_mask = pi->pi_msix.function_mask;
		r = snapshot(ctx, ret, sizeof(ret->buf), VM_SNAPSHOT_SAVE);
	}
	if (r == 0)
		fake_end(ctx);
	else
		bhyve_devemu->pe_resume(pi);
	return r;
}

int fake_restart(struct vmctx *ctx, const char *options,
		 struct fake_state *state)
{
	struct pci_devinst *pi = &ctx->pi;
	int r;

	memset(pi->pi_cfgdata, 0, sizeof(pi->pi_cfgdata));
	memset(ctx->table, 0, sizeof(ctx->table));
	memset(&pi->pi_msix, 0, sizeof(pi->pi_msix));
	if (fake_init(ctx, options) != 0)
		return EINVAL;
	r = bhyve_devemu->pe_pause(pi);
	if (r != 0)
		return r;
	memcpy(pi->pi_cfgdata, state->cfgdata, sizeof(state->cfgdata));
	memcpy(ctx->table, state->table, sizeof(state->table));
	pi->pi_msix.enabled = state->enabled;
	pi->pi_msix.function_mask = state->function_mask;
	r = snapshot(ctx, state, state->len, VM_SNAPSHOT_RESTORE);
	return r != 0 ? r : bhyve_devemu->pe_resume(pi);
}

void fake_free(struct vmctx *ctx)
{
	fake_end(ctx);
	guestmem_fini(&ctx->gm);
	now = NULL;
}

/* First the device model, then bhyve itself where that returned 1 */
void fake_cfgwrite(struct vmctx *ctx, int offset, int bytes, uint32_t val)
{
	int cap = (int)fake_msix_cap(ctx);

	if (!bhyve_devemu->pe_cfgwrite(&ctx->pi, offset, bytes, val))
		return;
	memcpy(ctx->pi.pi_cfgdata + offset, &val, (size_t)bytes);
	if (offset == cap + 2 && bytes == 2) {
		ctx->pi.pi_msix.enabled = (val & MSIX_ENABLE) != 0;
		ctx->pi.pi_msix.function_mask = (val & MSIX_FUNCTION_MASK) != 0;
	}
}

uint32_t fake_msix_cap(struct vmctx *ctx)
{
	return ctx->pi.pi_cfgdata[CAPABILITIES];
}

void fake_msix(struct vmctx *ctx, bool enable, bool function_mask)
{
	fake_cfgwrite(ctx, (int)fake_msix_cap(ctx) + 2, 2,
		      (enable ? MSIX_ENABLE : 0) |
			      (function_mask ? MSIX_FUNCTION_MASK : 0));
}

void fake_route(struct vmctx *ctx, unsigned vector, bool masked)
{
	const uint32_t entry[4] = {0xfee00000, 0, 0x40 + vector, masked};

	for (unsigned i = 0; i < 4; i++)
		bhyve_devemu->pe_barwrite(&ctx->pi, ctx->pi.pi_msix.table_bar,
					  16 * vector + 4 * i, 4, entry[i]);
}

/* A guest's driver */

static uint64_t bus_read(void *p, uint32_t off, unsigned size)
{
	struct vmctx *ctx = p;

	return bhyve_devemu->pe_barread(&ctx->pi, 0, off, (int)size);
}

static void bus_write(void *p, uint32_t off, unsigned size, uint64_t v)
{
	struct vmctx *ctx = p;

	bhyve_devemu->pe_barwrite(&ctx->pi, 0, off, (int)size, v);
}

/* The controller has a thread: it works by itself. */
static void bus_run(void *p)
{
	(void)p;
}

static void bus_advance(void *p, uint64_t ns)
{
	const struct timespec moment = {
		.tv_nsec = (long)(ns < 200000 ? ns : 200000)};

	(void)p;
	nanosleep(&moment, NULL);
}

static uint64_t bus_now(void *p)
{
	struct timespec t;

	(void)p;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t bus_intrs(void *p, unsigned vector)
{
	struct vmctx *ctx = p;

	return ctx->sent[vector];
}

const struct gdrv_bus fake_bus = {
	.read = bus_read,
	.write = bus_write,
	.run = bus_run,
	.now_ns = bus_now,
	.advance = bus_advance,
	.intrs = bus_intrs,
};
