/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A guest that moves through the library: in another controller it goes on
 * where it was, whatever its devices were doing.
 */
#include "tests/unit/lib_snapshot.h"

static void check_file(const char *path, uint32_t at, int add)
{
	uint8_t *buf = malloc(LEN);
	FILE *f = fopen(path, "rb");

	assert_true(f && buf && fseek(f, (long)at, SEEK_SET) == 0);
	assert_int_equal(fread(buf, 1, LEN, f), LEN);
	for (uint32_t i = 0; i < LEN; i++)
		assert_int_equal(buf[i], (uint8_t)(pattern(at + i) + add));
	fclose(f);
	free(buf);
}

/*
 * Bulk-Only: command, data in two transfers and status are queued; it moves
 * after @rounds, twice, and once in between it only stops.
 */
static void disk_moves(bool write, unsigned rounds)
{
	struct rig *g = rig_up("storage,speed=high", 1, bulk_only, 2);
	struct gdrv_ring *in = g->v->ring[DISK_IN];
	struct gdrv_ring *out = g->v->ring[DISK_OUT];
	uint8_t cdb[10] = {0};
	uint8_t *p = guestmem_ptr(&g->gm, g->data, LEN);
	uint32_t td[4];
	struct shot s;

	rw10(cdb, write, 77);
	cbw_put(guestmem_ptr(&g->gm, g->page, CBW_LEN), TAG, !write, LEN, cdb,
		10);
	for (uint32_t i = 0; i < LEN && write; i++)
		p[i] = (uint8_t)(pattern(77 * 512 + i) + 1);
	td[0] = post(g, out, false, g->page, CBW_LEN);
	td[1] = post(g, write ? out : in, !write, g->data, 40 * 512);
	td[2] = post(g, write ? out : in, !write, g->data + 40 * 512,
		     LEN - 40 * 512);
	td[3] = post(g, in, true, g->page + 64, CSW_LEN);
	gdrv_doorbell(&g->d, g->v->slot, DISK_IN, 0);
	work(g, rounds / 4);
	gdrv_doorbell(&g->d, g->v->slot, DISK_OUT, 0);
	work(g, rounds);
	move(g);
	work(g, rounds % 3);
	s = shoot(g);
	free(s.buf);
	vxhci_resume(here(g));
	work(g, rounds % 2);
	move(g);
	ended(g, out, td[0], CBW_LEN);
	ended(g, write ? out : in, td[1], 40 * 512);
	ended(g, write ? out : in, td[2], LEN - 40 * 512);
	ended(g, in, td[3], CSW_LEN);
	assert_memory_equal(guestmem_ptr(&g->gm, g->page + 64, CSW_LEN),
			    "USBS\1\2\3\4\0\0\0\0\0", 13);
	for (uint32_t i = 0; i < LEN && !write; i++)
		assert_int_equal(p[i], pattern(77 * 512 + i));
	check_file(g->path, 77 * 512, write);
	rig_down(g);
}

static void a_disk_moves_in_the_middle_of_a_command(void **state)
{
	(void)state;
	for (unsigned rounds = 0; rounds < 8; rounds++) {
		disk_moves(false, rounds);
		disk_moves(true, rounds);
	}
}

/* UAS: sixteen commands at once, with streams. */
static void uas_moves(unsigned rounds)
{
	static const struct gdrv_epcfg uas[] = {
		{.dci = DISK_COMMAND, .type = EPT_BULK_OUT, .mps = 1024},
		{.dci = DISK_STATUS,
		 .type = EPT_BULK_IN,
		 .mps = 1024,
		 .streams = 4},
		{.dci = DISK_IN,
		 .type = EPT_BULK_IN,
		 .mps = 1024,
		 .streams = 4},
		{.dci = DISK_OUT,
		 .type = EPT_BULK_OUT,
		 .mps = 1024,
		 .streams = 4},
	};
	struct rig *g = rig_up("storage,speed=super", 1, uas, 4);
	struct gdrv_ring *st, *in, *cmd = g->v->ring[DISK_COMMAND];
	uint32_t status[TAGS + 1], data[TAGS + 1], command[TAGS + 1];
	const uint8_t *p = guestmem_ptr(&g->gm, g->data, TAGS * LEN);

	request(g, 1, 11, 1);
	for (unsigned tag = 1; tag <= TAGS; tag++) {
		uint8_t iu[32] = {1, 0, 0, (uint8_t)tag};
		uint64_t at = g->page + 64 * tag;

		rw10(iu + 16, false, (tag - 1) * (LEN / 512));
		guestmem_write(&g->gm, at, iu, sizeof(iu));
		st = &g->v->streams[DISK_STATUS]->ring[tag];
		in = &g->v->streams[DISK_IN]->ring[tag];
		status[tag] = post(g, st, true, at + 2048, 34);
		data[tag] = post(g, in, true, g->data + (tag - 1) * LEN, LEN);
		gdrv_doorbell(&g->d, g->v->slot, DISK_STATUS, tag);
		gdrv_doorbell(&g->d, g->v->slot, DISK_IN, tag);
		command[tag] = post(g, cmd, false, at, 32);
		gdrv_doorbell(&g->d, g->v->slot, DISK_COMMAND, 0);
		if (tag % 4 == 0)
			work(g, rounds / 2);
	}
	work(g, rounds);
	move(g);
	work(g, rounds / 2);
	move(g);
	for (unsigned tag = 1; tag <= TAGS; tag++) {
		ended(g, cmd, command[tag], 32);
		ended(g, &g->v->streams[DISK_IN]->ring[tag], data[tag], LEN);
		ended(g, &g->v->streams[DISK_STATUS]->ring[tag], status[tag],
		      16);
	}
	for (uint32_t i = 0; i < TAGS * LEN; i++)
		assert_int_equal(p[i], pattern(i));
	rig_down(g);
}

static void sixteen_commands_move(void **state)
{
	(void)state;
	for (unsigned rounds = 0; rounds < 6; rounds++)
		uas_moves(rounds);
}

/* What was typed and not yet read is read behind the move, in order. */
static void keys_move(void **state)
{
	static const struct gdrv_epcfg keys = {.dci = KEYS_IN,
					       .type = EPT_INTR_IN,
					       .mps = 8,
					       .max_esit = 8,
					       .interval = 3};
	struct rig *g = rig_up("keyboard", 1, &keys, 1);
	const uint8_t *p = guestmem_ptr(&g->gm, g->page, 8);
	struct gdrv_ring *r = g->v->ring[KEYS_IN];

	(void)state;
	request(g, 0x21, 10, 0);
	for (unsigned i = 0; i < 40; i++) {
		uint32_t td = post(g, r, true, g->page, 8);

		gdrv_doorbell(&g->d, g->v->slot, KEYS_IN, 0);
		if (i % 4 == 0) { /* four at a time, some before it moves */
			for (unsigned k = i; k < i + 4; k += 2) {
				vxhci_input_key(here(g), 0, 4 + k / 2, true);
				vxhci_input_key(here(g), 0, 4 + k / 2, false);
			}
		}
		if (i % 5 == 0)
			move(g);
		ended(g, r, td, 8);
		assert_int_equal(p[2], i % 2 ? 0 : 4 + i / 2);
	}
	rig_down(g);
}

static const struct gdrv_epcfg zero_eps[] = {
	{.dci = ZERO_OUT, .type = EPT_BULK_OUT, .mps = 512},
	{.dci = ZERO_IN, .type = EPT_BULK_IN, .mps = 512},
};

/* Loopback: what the device has taken in comes out behind the move. */
static void loopback_moves(void **state)
{
	struct rig *g = rig_up("zero,speed=high", 2, zero_eps, 2);
	uint8_t *p = guestmem_ptr(&g->gm, g->data, 2 * LEN);
	struct gdrv_ring *in = g->v->ring[ZERO_IN];
	uint32_t td[4];

	(void)state;
	for (uint32_t i = 0; i < LEN; i++)
		p[i] = pattern(i);
	for (unsigned i = 0; i < 4; i++)
		td[i] = post(g, g->v->ring[ZERO_OUT], false,
			     g->data + i * (LEN / 4), LEN / 4);
	gdrv_doorbell(&g->d, g->v->slot, ZERO_OUT, 0);
	for (unsigned i = 0; i < 4; i++)
		ended(g, g->v->ring[ZERO_OUT], td[i], LEN / 4);
	for (unsigned i = 0; i < 4; i++) {
		move(g);
		td[i] = post(g, in, true, g->data + LEN + i * (LEN / 4),
			     LEN / 4);
		gdrv_doorbell(&g->d, g->v->slot, ZERO_IN, 0);
		ended(g, in, td[i], LEN / 4);
	}
	assert_memory_equal(p, p + LEN, LEN);
	rig_down(g);
}

static uint32_t changes(struct rig *g, unsigned port)
{
	return gdrv_portsc(&g->d, port) & (1u << 17 | 1u);
}

/* A device that is not there is unplugged; another one is plugged in. */
static void what_is_not_there_is_unplugged(void **state)
{
	struct rig *g = rig_up("zero,speed=high,keyboard", 3, zero_eps, 2);
	struct shot s = shoot(g);

	(void)state;
	leave(g, "30,xhci,keyboard,at=2");
	assert_int_equal(restore(g, &s), 0);
	assert_int_equal(changes(g, 1), 1u << 17);
	assert_int_equal(changes(g, 2) & 1, 1);
	leave(g, "30,xhci,keyboard,at=1,zero,speed=high,at=2");
	assert_int_equal(restore(g, &s), 0);
	assert_int_equal(changes(g, 1), 1u << 17 | 1);
	assert_int_equal(changes(g, 2), 1u << 17 | 1);
	leave(g, g->option);
	assert_int_equal(restore(g, &s), 0);
	assert_int_equal(changes(g, 1), 1);
	free(s.buf);
	vxhci_resume(here(g));
	rig_down(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_moves_in_the_middle_of_a_command),
		cmocka_unit_test(sixteen_commands_move),
		cmocka_unit_test(keys_move),
		cmocka_unit_test(loopback_moves),
		cmocka_unit_test(what_is_not_there_is_unplugged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
