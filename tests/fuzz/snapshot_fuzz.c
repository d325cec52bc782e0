/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a VMM hands to vxhci_restore(), from wherever it has it: read into a
 * controller with built-in devices of each kind, which then works for a while
 * on guest memory that is the input, too. The sums are put right first, or
 * nothing would ever be read; the controller's own is the last but one.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "emu/snap.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/gdrv_vx.h"

#define RAM_GPA 0x100000u
#define RAM_LEN (1u << 20)
#define DISK_BYTES (64u << 10)
#define NOPTIONS 4u

static char disk[] = "/tmp/vxhci-fuzz-XXXXXX";

static void remove_disk(void)
{
	unlink(disk);
}

/* A controller with few ports has a short snapshot. */
static const char *option(unsigned n, char *buf, size_t len)
{
	static const char *const devices[NOPTIONS][2] = {
		{"keyboard", ""},
		{"zero,speed=high", ""},
		{"storage=", ",speed=high"},
		{"storage=", ",speed=super,removable"}};
	const char *const *dev = devices[n % NOPTIONS];

	snprintf(buf, len, "30,xhci,usb2=1,usb3=1,%s%s%s", dev[0],
		 n % NOPTIONS < 2 ? "" : disk, dev[1]);
	return buf;
}

static void make_disk(void)
{
	int fd = mkstemp(disk);

	if (fd < 0 || ftruncate(fd, DISK_BYTES) != 0)
		abort();
	close(fd);
	atexit(remove_disk);
}

static void msix(void *opaque, unsigned vector)
{
	(void)opaque;
	if (vector >= VXHCI_VECTORS)
		abort();
}

static void wake(void *opaque)
{
	(void)opaque;
}

static void leds(void *opaque, unsigned port, unsigned lit)
{
	(void)opaque;
	(void)port;
	(void)lit;
}

static const struct vxhci_ops ops = {.msix = msix, .wake = wake, .leds = leds};

static struct vxhci *make(unsigned n)
{
	struct vxhci *v;
	char opt[128], err[256];

	if (vxhci_create(option(n, opt, sizeof(opt)), &ops, NULL, err,
			 sizeof(err), &v) != 0) {
		fprintf(stderr, "%s\n", err);
		abort();
	}
	return v;
}

/*
 * The parts' sums: of the controller, whose part is the last and says its
 * length, which is where it can be found; and of all.
 */
static void put_sums(uint8_t *buf, size_t len, size_t controller)
{
	uint32_t sum;

	if (len < 2 * SNAP_TAIL)
		return;
	if (controller >= SNAP_TAIL && controller <= len - SNAP_TAIL) {
		uint8_t *at = buf + len - SNAP_TAIL - controller;

		sum = snap_sum(at, controller - SNAP_TAIL);
		memcpy(buf + len - 2 * SNAP_TAIL, &sum, SNAP_TAIL);
	}
	sum = snap_sum(buf, len - SNAP_TAIL);
	memcpy(buf + len - SNAP_TAIL, &sum, SNAP_TAIL);
}

static void work(struct vxhci *v)
{
	uint64_t timeout;

	vxhci_resume(v);
	vxhci_input_key(v, 0, 4, true);
	for (unsigned i = 0; i < 8; i++) {
		vxhci_dispatch(v, &timeout);
		for (uint32_t db = 0; db < 3; db++)
			vxhci_bar_write(v, 0x3000 + 4 * db, 4, 1 + i % 8);
	}
}

/* Two that are one: what was restored can be moved again, to the same bytes. */
static void again(struct vxhci *v, unsigned n)
{
	uint8_t *buf;
	size_t len;
	char err[256];

	if (vxhci_snapshot(v, 10000, &buf, &len) != 0)
		abort();
	vxhci_destroy(v);
	v = make(n);
	if (vxhci_restore(v, buf, len, err, sizeof(err)) != 0) {
		fprintf(stderr, "its own is refused: %s\n", err);
		abort();
	}
	free(buf);
	vxhci_destroy(v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static uint8_t *ram;
	struct fuzz_in in = {data, len};
	unsigned n = in_u8(&in);
	size_t controller = in_u16(&in), left;
	struct vxhci *v;
	uint8_t *buf;
	char err[256];

	if (ram == NULL) {
		make_disk();
		ram = aligned_alloc(4096, RAM_LEN);
	}
	left = in.left;
	buf = malloc(left + 1);
	if (ram == NULL || buf == NULL)
		abort();
	memcpy(buf, in.at, left);
	put_sums(buf, left, controller);
	for (size_t i = 0; i < RAM_LEN / 16; i++)
		memset(ram + 16 * i, left ? buf[i % left] : 0, 16);
	v = make(n);
	if (vxhci_mem_map(v, RAM_GPA, RAM_LEN, ram, true, NULL) != 0)
		abort();
	if (vxhci_restore(v, buf, left, err, sizeof(err)) == 0) {
		work(v);
		again(v, n);
	} else {
		vxhci_destroy(v);
	}
	free(buf);
	return 0;
}

/* How far a guest's driver has come */
enum {
	MOMENT_STARTED,
	MOMENT_OPENED,
	MOMENT_CONFIGURED,
	MOMENT_BUSY,   /* transfers under way, one of them stopped */
	MOMENT_HALTED, /* the controller, its state saved */
	MOMENT_ASLEEP, /* and its power gone */
	NMOMENTS
};

static void configure(struct gdrv_dev *v, unsigned n)
{
	const struct gdrv_epcfg ep[] = {
		{.dci = 3,
		 .type = n == 0 ? EPT_INTR_IN : EPT_BULK_IN,
		 .mps = n == 0 ? 8 : 512,
		 .max_esit = n == 0 ? 8 : 0,
		 .interval = 3,
		 .streams = n == 3 ? 3 : 0},
		{.dci = n == 1 ? 2 : 4, .type = EPT_BULK_OUT, .mps = 512}};
	uint8_t set[8] = {0, 9, n == 1 ? 3 : 1};

	gdrv_control(v, OS_LINUX, set, 0, NULL);
	gdrv_configure(v, ep, n == 0 ? 1 : 2);
}

static void busy(struct gdrv *d, struct gdrv_dev *v)
{
	for (unsigned dci = 2; dci < 5; dci++) {
		struct gdrv_trb t[2] = {{.ptr = RAM_GPA,
					 .len = 100,
					 .type = TRB_NORMAL,
					 .flags = TRB_CH},
					{.ptr = RAM_GPA,
					 .len = 5000,
					 .type = TRB_NORMAL,
					 .flags = TRB_IOC | TRB_ISP}};
		struct gdrv_ring *r = v->ring[dci];
		uint32_t td;

		if (v->streams[dci])
			r = &v->streams[dci]->ring[1];
		for (unsigned i = 0; r && i < 3; i++)
			gdrv_post(r, t, 2, &td);
		if (r)
			gdrv_doorbell(d, v->slot, dci, v->streams[dci] ? 1 : 0);
	}
	gdrv_stop_ep(v, 3);
}

/* A guest whose driver has its device, with something under way */
static void guest_seed(const char *dir, unsigned n, unsigned moment)
{
	struct gdrv *d = calloc(1, sizeof(*d));
	struct gdrv_dev *v;
	struct guestmem gm;
	struct gdrv_vx e;
	char opt[128];
	uint8_t *buf;
	size_t len;

	if (d == NULL)
		abort();
	guestmem_init(&gm);
	guestmem_add(&gm, RAM_GPA, RAM_LEN);
	if (gdrv_vx_init(&e, &gm, option(n, opt, sizeof(opt))) != 0 ||
	    gdrv_init(d, &gdrv_vx_bus, &e, &gm, NULL) != 0 ||
	    gdrv_start(d) != 0)
		abort();
	if (moment >= MOMENT_OPENED) {
		v = gdrv_open(d, gdrv_port_find(d, 0));
		if (v == NULL)
			abort();
		if (moment >= MOMENT_CONFIGURED)
			configure(v, n);
		if (moment >= MOMENT_BUSY)
			busy(d, v);
	}
	vxhci_input_key(e.v, 0, 4, true);
	vxhci_input_key(e.v, 0, 5, true);
	if (moment >= MOMENT_HALTED) {
		vxhci_bar_write(e.v, 0x40, 4, 0);
		gdrv_pump(d);
		vxhci_bar_write(e.v, 0x40, 4, 1u << 8); /* CSS */
		gdrv_pump(d);
	}
	if (moment == MOMENT_ASLEEP)
		vxhci_reset(e.v);
	if (vxhci_snapshot(e.v, 10000, &buf, &len) == 0) {
		/* where the controller's part begins: at its magic */
		uint64_t magic = 0x70616e7369636876ull;
		FILE *f = fuzz_seed_open(dir, "guest", n + NOPTIONS * moment);
		struct snap s = {0};
		const uint8_t *at;
		size_t part;

		snap_num(&s, &magic, UINT64_MAX);
		at = memmem(buf, len, s.buf, s.len);
		free(s.buf);
		if (at == NULL)
			abort();
		part = (size_t)(buf + len - at) - SNAP_TAIL;
		fputc((int)n, f);
		fputc((int)(part & 0xff), f);
		fputc((int)(part >> 8), f);
		fwrite(buf, 1, len, f);
		fclose(f);
		free(buf);
	}
	gdrv_vx_fini(&e);
	gdrv_fini(d);
	guestmem_fini(&gm);
	free(d);
}

void fuzz_seeds(const char *dir)
{
	make_disk();
	for (unsigned n = 0; n < NOPTIONS; n++)
		for (unsigned moment = 0; moment < NMOMENTS; moment++)
			guest_seed(dir, n, moment);
	remove_disk();
}
