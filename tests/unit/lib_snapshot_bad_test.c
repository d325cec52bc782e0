/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Snapshots that are none: what is none is refused and harms nothing; and what
 * comes of a guest whose VMM takes one after the other.
 */
#include "emu/snap.h"
#include "tests/unit/lib_snapshot.h"

/* Told why, and as good as new afterwards */
static void what_does_not_fit_is_refused(void **state)
{
	struct rig *g = rig_up("storage,speed=high", 1, bulk_only, 2);
	struct shot s, bad;
	struct reading r;
	char option[160], other[32];
	unsigned id;

	(void)state;
	s = shoot(g);
	assert_int_equal(restore(g, &s), -EBUSY);
	assert_int_equal(vxhci_attach(here(g), "tablet", NULL, option,
				      sizeof(option), &id),
			 -EBUSY);
	vxhci_resume(here(g));
	assert_int_equal(restore(g, &s), -EBUSY);
	free(s.buf);
	s = shoot(g);
	/* a controller that is not like it, another disk */
	snprintf(option, sizeof(option), "30,xhci,usb2=9,storage=%s", g->path);
	leave(g, option);
	assert_int_equal(restore(g, &s), -ENOTSUP);
	make_disk(other, DISK_BYTES / 2);
	snprintf(option, sizeof(option), "30,xhci,storage=%s,speed=high",
		 other);
	leave(g, option);
	assert_int_equal(restore(g, &s), -ENOTSUP);
	unlink(other);
	leave(g, g->option);
	bad = s;
	for (bad.len = 0; bad.len < s.len; bad.len += 1 + bad.len / 16)
		assert_int_equal(restore(g, &bad), -EINVAL);
	bad.len = s.len;
	for (size_t i = 0; i < s.len; i += 1 + i / 8) {
		s.buf[i] ^= 1;
		assert_int_equal(restore(g, &bad), -EINVAL);
		s.buf[i] ^= 1;
	}
	assert_int_equal(restore(g, &s), 0);
	free(s.buf);
	vxhci_resume(here(g));
	r = disk_reads(g, 77);
	disk_has_read(g, &r, 77);
	rig_down(g);
}

/* Bytes of a bad mind, with their sum put right: whatever is made of them */
static void hostile_bytes(void **state)
{
	static const uint8_t put[] = {0, 1, 0x7f, 0x80, 0xff};
	struct rig *g = rig_up("storage,speed=super", 1, bulk_only, 2);
	struct shot s = shoot(g), bad = s;
	unsigned taken = 0;

	(void)state;
	bad.buf = malloc(s.len);
	assert_non_null(bad.buf);
	leave(g, g->option);
	for (size_t i = 8; i < s.len - SNAP_TAIL; i += 3) {
		uint32_t sum;

		memcpy(bad.buf, s.buf, s.len);
		bad.buf[i] ^= put[i % sizeof(put)] | 1u;
		sum = snap_sum(bad.buf, s.len - SNAP_TAIL);
		memcpy(bad.buf + s.len - SNAP_TAIL, &sum, SNAP_TAIL);
		if (restore(g, &bad) != 0)
			continue;
		taken++;
		vxhci_resume(here(g));
		work(g, 2);
		gdrv_vx_fini(&g->e[g->now]);
		assert_int_equal(gdrv_vx_init(&g->e[g->now], &g->gm, g->option),
				 0);
	}
	assert_in_range(taken, 1, s.len);
	free(bad.buf);
	/* the guest may have met with anything: a new one, then */
	vxhci_reset(here(g));
	free(s.buf);
	g->d.nerr = 0;
	rig_down(g);
}

/* A device may not have done yet what it does: it goes on, or is stopped. */
static void one_that_cannot_wait(void **state)
{
	struct rig *g = rig_up("storage,speed=high", 1, bulk_only, 2);
	struct reading rd = disk_reads(g, 0);
	struct shot s;
	int r;

	(void)state;
	do {
		r = vxhci_snapshot(here(g), 0, &s.buf, &s.len);
		assert_true(r == 0 || r == -ETIMEDOUT);
		if (r == 0)
			free(s.buf);
		vxhci_resume(here(g));
	} while (r != 0);
	disk_has_read(g, &rd, 0);
	rig_down(g);
}

/* The VMM does nothing else: a command comes to its end all the same. */
static void back_to_back_they_let_a_disk_work(void **state)
{
	struct rig *g = rig_up("storage,speed=high", 1, bulk_only, 2);
	struct reading rd = disk_reads(g, 77);
	unsigned n;

	(void)state;
	for (n = 0; n < 2000 && gdrv_td(rd.in, rd.td[2])->state != TD_DONE;
	     n++) {
		struct shot s = shoot(g);

		free(s.buf);
		vxhci_resume(here(g));
		gdrv_poll(&g->d, 0, 64);
	}
	if (n == 2000)
		fail_msg("nothing came of %u snapshots", n);
	disk_has_read(g, &rd, 77);
	rig_down(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_does_not_fit_is_refused),
		cmocka_unit_test(hostile_bytes),
		cmocka_unit_test(one_that_cannot_wait),
		cmocka_unit_test(back_to_back_they_let_a_disk_work),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
