/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A driver that does as FreeBSD's does, docs/drivers.md: Links with CH and IOC
 * inside TDs and one behind each, an event for each stage of a request, the
 * same endpoint dropped and added by one command, little time for commands.
 */
#include "tests/lib/gdrv_rig.h"
#include "tests/unit/lib_disk.h"

#define MS 1000000ull
#define COMMAND_MS 100u /* it waits no longer for one */
#define ISO_OUT 6u
#define ISO_IN 7u

static struct rig *bsd_up(struct rig_cfg cfg)
{
	gdrv_os_opts(OS_FREEBSD, &cfg.opts);
	cfg.nsegs = 8;
	for (unsigned i = 0; i < 8; i++)
		cfg.ntrbs[i] = 20;
	return rig_up(&cfg);
}

static void a_disk_by_links(void **state)
{
	static const char *const more[] = {"", ",speed=high", ",speed=full"};

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct disk *k = disk_up(more[i], OS_FREEBSD, NULL);

		read_disk(k);
		write_disk(k);
		disk_down(k);
	}
}

/* Contexts of both sizes, as many scratchpad buffers as it can do with */
static void contexts_and_scratchpads(void **state)
{
	static const struct xhci_config cfg[] = {{4, 4, false, 0},
						 {4, 4, true, 0},
						 {4, 4, false, 31},
						 {4, 4, true, 31}};

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		for (unsigned port = 1; port <= 5; port += 4) {
			struct rig *g = bsd_up(
				(struct rig_cfg){.xhci = cfg[i], .port = port});
			struct gdrv_sg sg = {guestmem_alloc(&g->gm, 10000),
					     10000};
			uint32_t n = 0;

			assert_int_equal(g->d.ctx_size, cfg[i].ctx64 ? 64 : 32);
			assert_int_equal(g->d.nscratch, cfg[i].scratchpads);
			assert_int_equal(
				gdrv_bulk(g->v, RIG_IN, OS_FREEBSD, &sg, 1, &n),
				CC_SUCCESS);
			assert_int_equal(n, 10000);
			assert_int_equal(rig_down(g), 0);
		}
}

static void each_stage_has_its_event(void **state)
{
	static const uint8_t setup[8] = {0xc0, 1, 2, 3, 4, 5, 200, 0};
	struct rig *g = bsd_up((struct rig_cfg){0});
	uint64_t buf = guestmem_alloc(&g->gm, GM_PAGE);
	struct gdrv_ring *r = g->v->ring[1];
	uint32_t td;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		stub_ep(&g->s, 0)->rule =
			(struct stub_rule){.limit = i == 1, .actual = 18};
		assert_int_equal(
			gdrv_control_post(r, OS_FREEBSD, setup, buf, &td), 0);
		gdrv_doorbell(&g->d, g->v->slot, 1, 0);
		assert_int_equal(gdrv_wait(&g->d, r, td, 100), 0);
		assert_int_equal(gdrv_td(r, td)->events, 3);
		assert_int_equal(gdrv_td(r, td)->actual, i ? 18 : 200);
	}
	assert_int_equal(rig_down(g), 0);
}

/*
 * A request and a bulk transfer that the device does not end: what takes them
 * back is answered while the driver still waits for it.
 */
static void commands_are_in_time(void **state)
{
	static const uint8_t setup[8] = {0x40, 1, 2, 3, 4, 5, 0, 0};
	struct rig *g = bsd_up((struct rig_cfg){0});
	struct gdrv_sg sg = {guestmem_alloc(&g->gm, 8192), 8192};
	uint64_t t0;
	uint32_t td;

	(void)state;
	stub_ep(&g->s, 0)->rule.hold = true;
	stub_ep(&g->s, 0x81)->rule.hold = true;
	assert_int_equal(
		gdrv_control_post(g->v->ring[1], OS_FREEBSD, setup, 0, &td), 0);
	gdrv_doorbell(&g->d, g->v->slot, 1, 0);
	assert_int_equal(gdrv_os_bulk(g->v->ring[RIG_IN], OS_FREEBSD, true, &sg,
				      1, &td, 1),
			 1);
	gdrv_doorbell(&g->d, g->v->slot, RIG_IN, 0);
	gdrv_pump(&g->d);
	t0 = gdrv_now(&g->d);
	assert_int_equal(gdrv_stop_ep(g->v, RIG_IN), CC_SUCCESS);
	assert_true(gdrv_now(&g->d) - t0 < COMMAND_MS * MS);
	t0 = gdrv_now(&g->d);
	assert_int_equal(gdrv_stop_ep(g->v, 1), CC_SUCCESS);
	assert_true(gdrv_now(&g->d) - t0 < COMMAND_MS * MS);
	t0 = gdrv_now(&g->d);
	assert_int_equal(gdrv_disable_slot(&g->d, g->v->slot), CC_SUCCESS);
	assert_true(gdrv_now(&g->d) - t0 < COMMAND_MS * MS);
	assert_int_equal(rig_down(g), 0);
}

/* A stall, and the endpoint as new: dropped and added by one command */
static void an_endpoint_is_replaced_after_a_stall(void **state)
{
	static const struct gdrv_epcfg ep = {
		.dci = RIG_IN,
		.type = EPT_BULK_IN,
		.mps = 512,
		.nsegs = 8,
		.ntrbs = {20, 20, 20, 20, 20, 20, 20, 20}};
	struct rig *g = bsd_up((struct rig_cfg){0});
	struct gdrv_sg sg = {guestmem_alloc(&g->gm, 100000), 100000};
	struct stub_ep *in = stub_ep(&g->s, 0x81);
	uint32_t n = 0;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		uint64_t at;

		in->rule = (struct stub_rule){.status = USB_STALL,
					      .limit = true,
					      .actual = 512 * i,
					      .times = 1};
		assert_int_equal(
			gdrv_bulk(g->v, RIG_IN, OS_FREEBSD, &sg, 1, &n),
			CC_STALL);
		assert_int_equal(n, 512 * i);
		assert_int_equal(gdrv_ep_state(g->v, RIG_IN), EP_HALTED);
		assert_int_equal(gdrv_reset_ep(g->v, RIG_IN, false),
				 CC_SUCCESS);
		assert_int_equal(gdrv_replace(g->v, &ep, 1), CC_SUCCESS);
		assert_int_equal(gdrv_ep_state(g->v, RIG_IN), EP_RUNNING);
		assert_true(in->enabled);
		at = in->next_byte;
		assert_int_equal(
			gdrv_bulk(g->v, RIG_IN, OS_FREEBSD, &sg, 1, &n),
			CC_SUCCESS);
		assert_true(rig_pattern(g, sg.gpa, sg.len, at));
	}
	assert_int_equal(rig_down(g), 0);
}

/* A segment of the ring each, one is left */
#define N 7u

/* Frame IDs for each, a Link with IOC behind each; the next ones follow on */
static void isochronous_by_frame_id(void **state)
{
	static const struct gdrv_epcfg ep = {.dci = ISO_OUT,
					     .type = EPT_ISOCH_OUT,
					     .mps = 1024,
					     .max_esit = 1024,
					     .interval = 3,
					     .nsegs = 8,
					     .ntrbs = {8, 8, 8, 8, 8, 8, 8, 8}};
	struct rig *g = bsd_up((struct rig_cfg){0});
	struct gdrv_isoch q = {.len = 1000, .n = N, .interval = 3};
	struct stub_ep *out = stub_ep(&g->s, 3);
	uint32_t td[N];

	(void)state;
	assert_int_equal(gdrv_configure(g->v, &ep, 1), CC_SUCCESS);
	q.gpa = guestmem_alloc(&g->gm, N * 1000);
	for (unsigned round = 0; round < 3; round++) {
		uint64_t t0 = gdrv_now(&g->d);

		assert_int_equal(
			gdrv_os_isoch(g->v->ring[ISO_OUT], OS_FREEBSD, &q, td),
			0);
		gdrv_doorbell(&g->d, g->v->slot, ISO_OUT, 0);
		gdrv_pump(&g->d);
		/* none before its frame is near */
		assert_int_equal(out->completed, N * round);
		for (unsigned i = 0; i < N; i++) {
			assert_int_equal(gdrv_wait(&g->d, g->v->ring[ISO_OUT],
						   td[i], 100),
					 0);
			assert_int_equal(
				gdrv_td(g->v->ring[ISO_OUT], td[i])->cc,
				CC_SUCCESS);
		}
		assert_true(gdrv_now(&g->d) - t0 >= 2 * MS);
		assert_int_equal(out->completed, N * (round + 1));
		gdrv_emu_bus.advance(&g->e, 50 * MS); /* until it is dry */
		gdrv_pump(&g->d);
	}
	assert_int_equal(rig_down(g), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_by_links),
		cmocka_unit_test(contexts_and_scratchpads),
		cmocka_unit_test(each_stage_has_its_event),
		cmocka_unit_test(commands_are_in_time),
		cmocka_unit_test(an_endpoint_is_replaced_after_a_stall),
		cmocka_unit_test(isochronous_by_frame_id),
	};

	return cmocka_run_group_tests_name("lib_freebsd", tests, NULL, NULL);
}
