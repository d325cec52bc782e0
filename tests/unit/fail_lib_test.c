/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Each call of the system fails once while a guest works: the library from
 * vxhci_create() to vxhci_destroy(), with a disk, input, hot-plug, a capture
 * and a recording. Whatever fails, it is told or got over, nothing is left
 * behind, and the guest can go on.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/lib/fail.h"
#include "tests/lib/gdrv_vx.h"
#include "tests/unit/descriptors.h"

#define OUT 2u
#define IN 3u

struct scene {
	char dir[32], disk[64], pcap[64], record[64];
	char slot[160];
	bool capture, warming;
	unsigned made; /* scenes whose controller was there */
};

static void setup(struct scene *s)
{
	FILE *f;

	memset(s, 0, sizeof(*s));
	strcpy(s->dir, "/tmp/fail_lib.XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->disk, sizeof(s->disk), "%s/disk", s->dir);
	snprintf(s->pcap, sizeof(s->pcap), "%s/pcap", s->dir);
	snprintf(s->record, sizeof(s->record), "%s/record", s->dir);
	f = fopen(s->disk, "w");
	assert_non_null(f);
	assert_int_equal(ftruncate(fileno(f), 1 << 20), 0);
	fclose(f);
	snprintf(s->slot, sizeof(s->slot),
		 "30,xhci,zero,speed=high,at=1,storage=%s,at=2,keyboard,at=3",
		 s->disk);
}

static void teardown(struct scene *s)
{
	unlink(s->disk);
	unlink(s->pcap);
	unlink(s->record);
	assert_int_equal(rmdir(s->dir), 0);
}

/* A guest that is patient, but takes no for an answer */
static bool guest_uses_zero(struct gdrv *d, struct guestmem *gm)
{
	static const uint8_t set_config[8] = {0, 9, 3};
	static const struct gdrv_epcfg ep[2] = {
		{.dci = OUT, .type = EPT_BULK_OUT, .mps = 512},
		{.dci = IN, .type = EPT_BULK_IN, .mps = 512}};
	struct gdrv_dev *v = gdrv_open(d, 1);
	struct gdrv_sg sg = {.len = 8192};
	bool ok;

	if (!v)
		return false;
	sg.gpa = guestmem_alloc(gm, sg.len);
	ok = gdrv_control(v, OS_LINUX, set_config, 0, NULL) == CC_SUCCESS &&
	     gdrv_configure(v, ep, 2) == CC_SUCCESS &&
	     gdrv_bulk(v, IN, OS_LINUX, &sg, 1, NULL) == CC_SUCCESS &&
	     gdrv_bulk(v, OUT, OS_LINUX, &sg, 1, NULL) == CC_SUCCESS;
	guestmem_free(gm, sg.gpa, sg.len);
	return ok;
}

/* Reads a block, as the Bulk-Only Transport has it; the answer does not count */
static void guest_reads_disk(struct gdrv *d, struct guestmem *gm)
{
	static const uint8_t set_config[8] = {0, 9, 1};
	static const struct gdrv_epcfg ep[2] = {
		{.dci = 2, .type = EPT_BULK_OUT, .mps = 512},
		{.dci = 3, .type = EPT_BULK_IN, .mps = 512}};
	static const uint8_t cbw[31] = {
		'U', 'S', 'B', 'C',  1, 0,  0,    0,        0,
		2,   0,   0,   0x80, 0, 10, 0x28, [22] = 0, [23] = 1};
	struct gdrv_dev *v = gdrv_open(d, 2);
	uint64_t page = guestmem_alloc(gm, 4096);
	struct gdrv_sg out = {page, 31}, in = {page + 512, 512},
		       csw = {page + 2048, 13};

	guestmem_write(gm, page, cbw, sizeof(cbw));
	if (v && gdrv_control(v, OS_LINUX, set_config, 0, NULL) == CC_SUCCESS &&
	    gdrv_configure(v, ep, 2) == CC_SUCCESS &&
	    gdrv_bulk(v, 2, OS_LINUX, &out, 1, NULL) == CC_SUCCESS &&
	    gdrv_bulk(v, 3, OS_LINUX, &in, 1, NULL) == CC_SUCCESS)
		gdrv_bulk(v, 3, OS_LINUX, &csw, 1, NULL);
	guestmem_free(gm, page, 4096);
}

static void vmm_plugs(struct vxhci *v)
{
	char err[256];
	unsigned id;
	uint64_t timeout;

	if (vxhci_attach(v, "tablet", "the test", err, sizeof(err), &id) == 0) {
		vxhci_dispatch(v, &timeout);
		snprintf(err, sizeof(err), "#%u", id);
		vxhci_detach(v, err, err, sizeof(err));
	}
	vxhci_dispatch(v, &timeout);
}

static void one_life(void *arg)
{
	struct scene *s = arg;
	struct vxhci_pcap *pcap = NULL;
	unsigned before = descriptors();
	long live = fail_live();
	struct guestmem gm;
	struct gdrv_vx e;
	struct gdrv d = {0};
	char err[256] = "";
	int r;

	guestmem_init(&gm);
	guestmem_add(&gm, 0x100000, 4u << 20);
	if (s->capture &&
	    vxhci_pcap_open(s->pcap, NULL, NULL, err, sizeof(err), &pcap) != 0)
		assert_int_not_equal(err[0], 0);
	r = gdrv_vx_init(&e, &gm, s->slot);
	if (!e.v) { /* and why is said */
		assert_true(r < 0);
		assert_int_not_equal(e.err[0], 0);
	} else {
		s->made++;
		if (pcap)
			vxhci_pcap_add(pcap, e.v);
		if (gdrv_init(&d, &gdrv_vx_bus, &e, &gm, NULL) == 0) {
			if (gdrv_start(&d) == 0) {
				guest_uses_zero(&d, &gm);
				if (!s->capture)
					guest_reads_disk(&d, &gm);
			}
			vmm_plugs(e.v);
			/* whatever that was: after a reset it works */
			fail_stop();
			d.nerr = 0;
			if (r == 0) {
				assert_int_equal(gdrv_hcrst(&d), 0);
				assert_int_equal(gdrv_start(&d), 0);
				if (!guest_uses_zero(&d, &gm))
					fail_msg("%s failed: the guest cannot "
						 "go on: %s",
						 fail_happened(), d.err);
			}
		}
	}
	gdrv_vx_fini(&e);
	gdrv_fini(&d);
	vxhci_pcap_close(pcap);
	guestmem_fini(&gm);
	if (descriptors() != before || (!s->warming && fail_live() != live))
		fail_msg("%s failed: %u descriptors, %ld allocations are left",
			 fail_happened() ? fail_happened() : "nothing",
			 descriptors() - before, fail_live() - live);
}

static void each_call_fails_once(void **state)
{
	struct scene s;
	unsigned n;

	(void)state;
	setup(&s);
	fail_arm(0);
	s.warming = true;
	one_life(&s); /* what is made once, and for ever */
	s.warming = false;
	s.made = 0;
	n = fail_each(one_life, &s);
	printf("%u calls failed, %u controllers were there\n", n, s.made);
	assert_true(n > 30 && s.made > 10);
	teardown(&s);
}

static void each_call_of_a_capture_fails_once(void **state)
{
	struct scene s;
	unsigned n;

	(void)state;
	setup(&s);
	s.capture = true;
	strcpy(s.slot, "30,xhci,zero,speed=high,at=1");
	n = fail_each(one_life, &s);
	printf("%u calls failed, %u controllers were there\n", n, s.made);
	assert_true(n > 30 && s.made > 10);
	teardown(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_call_fails_once),
		cmocka_unit_test(each_call_of_a_capture_fails_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
