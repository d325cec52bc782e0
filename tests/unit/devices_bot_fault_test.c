/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bulk-Only Transport over images that fail, without a worker, and with a host
 * that sends garbage.
 */
#include "devices_storage_fake.h"

#include <fcntl.h>

static const struct cut whole = {0, 0, false};

/* The image behind the disk, @fd, is another file from now on. */
static void replace_image(struct disk *k, const char *path, int flags)
{
	int fd = open(path, flags);

	assert_true(fd >= 0);
	assert_int_equal(dup2(fd, k->s->target.lu[0].img.fd),
			 k->s->target.lu[0].img.fd);
	close(fd);
}

static void images_that_fail(void **state)
{
	static const struct {
		const char
			*path; /* NULL: cut the image to a block and a half */
		int flags;
		uint8_t op, flag;
		uint32_t sense, residue;
	} rows[] = {
		{"/dev/full", O_RDWR, 0x2a, 0, 0x72707, 4096},
		{"/tmp", O_RDONLY, 0x28, 0, 0x31100, 4096},
		{"/tmp", O_RDONLY, 0x2a, 0, 0x30c00, 4096},
		{"/tmp", O_RDONLY, 0x2f, 2, 0x31100, 4096},
		{"/dev/null", O_RDWR, 0x2a, 8, 0x30c00, 0},    /* flush fails */
		{"/dev/null", O_RDWR, 0x28, 0, 0x31100, 4096}, /* empty */
		{NULL, 0, 0x28, 0, 0x31100, 4096 - 768},
		{NULL, 0, 0x2f, 2, 0x31100, 4096 - 768},
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		bool in = rows[i / 2].op == 0x28;
		uint8_t cdb[10], b[4096];
		struct disk k;
		struct csw c;

		disk_open(&k, DISK_BLOCKS * 512, false, i & 1);
		for (size_t j = 0; j < sizeof(b); j++)
			b[j] = disk_byte(j);
		if (rows[i / 2].path)
			replace_image(&k, rows[i / 2].path, rows[i / 2].flags);
		else
			assert_int_equal(ftruncate(k.fd, 768), 0);
		cdb_rw10(cdb, rows[i / 2].op, 0, 8);
		cdb[1] = rows[i / 2].flag;
		c = disk_command(&k, cdb, 10, in, b, 4096,
				 (struct cut){600, 100, false});
		assert_int_equal(c.status, 1);
		assert_int_equal(c.residue, rows[i / 2].residue);
		assert_int_equal(disk_sense(&k), rows[i / 2].sense);
		if (in && !rows[i / 2].path) {
			assert_int_equal(b[767], disk_byte(767));
			assert_int_equal(b[768], 0);
		}
		disk_close(&k);
	}
}

/* No thread to be had: the guest is asked to try again. */
static void no_worker_is_an_aborted_command(void **state)
{
	static const uint8_t sync[10] = {0x35};
	uint8_t cdb[10], b[512];
	struct disk k;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, false);
	fake.refuse_work = true;
	cdb_rw10(cdb, 0x28, 0, 1);
	assert_int_equal(disk_command(&k, cdb, 10, true, b, 512, whole).status,
			 1);
	assert_int_equal(disk_sense(&k), 0xb0000);
	assert_int_equal(disk_command(&k, sync, 10, false, b, 0, whole).status,
			 1);
	assert_int_equal(disk_sense(&k), 0xb0000);
	fake.refuse_work = false;
	check_works(&k);
	disk_close(&k);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

/* A transfer of a host that has lost its mind; mostly CBWs. */
static struct fake_xfer *random_xfer(uint32_t *seed)
{
	uint8_t b[64] = {'U', 'S', 'B', 'C'};
	uint32_t r = next_random(seed);

	if (r % 3 == 0)
		return fake_xfer(STORAGE_EP_IN, NULL, (r >> 4) % 2048,
				 (r >> 15) % 100);
	for (unsigned i = r % 5 ? 4 : 0; i < sizeof(b); i++)
		b[i] = (uint8_t)next_random(seed);
	if (r % 7) {
		put_le32(b + 8, (r >> 5) % 5000);
		b[12] &= 0x80;
		b[13] = 0;
		b[14] = (uint8_t)(r % 16 + 1);
		b[17] = b[18] = 0;
	}
	return fake_xfer(STORAGE_EP_OUT, b, r % 11 ? 31 : r % 64, 0);
}

static void garbage_never_breaks_the_disk(void **state)
{
	enum { HELD = 8 };
	struct fake_xfer *t[HELD] = {NULL};
	uint32_t seed = 42;
	struct disk k;

	(void)state;
	disk_open(&k, DISK_BLOCKS * 512, false, true);
	for (unsigned i = 0; i < 100000; i++) {
		unsigned slot = next_random(&seed) % HELD;
		uint32_t r = next_random(&seed);

		if (t[slot] && !t[slot]->done && r % 2)
			k.dev->ops->cancel(k.dev, &t[slot]->x);
		if (t[slot] && t[slot]->done) {
			fake_xfer_free(t[slot]);
			t[slot] = NULL;
		}
		if (!t[slot]) {
			t[slot] = random_xfer(&seed);
			fake_submit(k.dev, t[slot]);
		}
		if (r % 3 == 0)
			fake_work();
		if (r % 17 == 0)
			recover(&k);
		if (r % 1009 == 0)
			disk_configure(&k);
	}
	for (unsigned i = 0; i < HELD; i++) {
		if (t[i] && !t[i]->done)
			k.dev->ops->cancel(k.dev, &t[i]->x);
		fake_work();
		if (t[i])
			fake_xfer_free(t[i]);
	}
	disk_configure(&k);
	check_works(&k);
	disk_close(&k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(images_that_fail),
		cmocka_unit_test(no_worker_is_an_aborted_command),
		cmocka_unit_test(garbage_never_breaks_the_disk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
