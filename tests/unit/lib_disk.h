/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * lib_disk.h - a disk from a slot option, enumerated, read and written through
 * Bulk-Only Transport by the driver of an operating system. Included once by
 * each test.
 */
#ifndef TESTS_LIB_DISK_H
#define TESTS_LIB_DISK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "tests/lib/cbw.h"
#include "tests/lib/gdrv_vx.h"
#include "tests/lib/stub.h"

#define MAYBE __attribute__((unused)) static
#define DISK_BYTES (8u << 20)
#define SECTOR 512u

struct disk {
	char path[64];
	struct guestmem gm;
	struct gdrv_vx e;
	struct gdrv d;
	struct gdrv_dev *v;
	uint64_t page;   /* gpa of a page for control transfers, CBW, CSW */
	uint8_t in, out; /* dci */
	uint8_t config;
	uint32_t tag;
	enum gdrv_os os;
};

/* A disk whose byte n is the pattern's byte n. */
MAYBE void make_image(struct disk *k)
{
	uint8_t buf[4096];
	int fd;

	strcpy(k->path, "/tmp/vxhci-disk-XXXXXX");
	fd = mkstemp(k->path);
	assert_true(fd >= 0);
	for (uint32_t off = 0; off < DISK_BYTES; off += sizeof(buf)) {
		for (uint32_t i = 0; i < sizeof(buf); i++)
			buf[i] = stub_byte(off + i);
		assert_int_equal(write(fd, buf, sizeof(buf)), sizeof(buf));
	}
	close(fd);
}

MAYBE int control(struct disk *k, uint8_t rt, uint8_t req, uint16_t value,
		  uint16_t len, uint32_t *ret_n)
{
	const uint8_t setup[8] = {
		rt, req, (uint8_t)value, (uint8_t)(value >> 8),
		0,  0,   (uint8_t)len,   (uint8_t)(len >> 8)};

	return gdrv_control(k->v, k->os, setup, k->page, ret_n);
}

/* The bulk endpoints of the Bulk-Only interface in alternate setting 0. */
MAYBE void read_config(struct disk *k, struct gdrv_epcfg ep[2])
{
	const uint8_t *p = guestmem_ptr(&k->gm, k->page, GM_PAGE);
	uint32_t n = 0;
	bool ours = false;
	unsigned found = 0;

	assert_int_equal(control(k, 0x80, 6, 0x0200, 9, &n), CC_SUCCESS);
	assert_int_equal(n, 9);
	n = p[2] | (uint32_t)p[3] << 8;
	assert_in_range(n, 32, 512);
	assert_int_equal(control(k, 0x80, 6, 0x0200, (uint16_t)n, NULL),
			 CC_SUCCESS);
	k->config = p[5];
	for (uint32_t i = 0; i + 1 < n && p[i]; i += p[i]) {
		bool in = p[i + 2] & 0x80;

		if (p[i + 1] == 4)
			ours = p[i + 3] == 0 && p[i + 5] == 8 &&
			       p[i + 7] == 0x50;
		if (p[i + 1] != 5 || !ours || (p[i + 3] & 3) != 2 || found == 2)
			continue;
		ep[found] = (struct gdrv_epcfg){
			.dci = (uint8_t)((p[i + 2] & 15) * 2 + in),
			.type = in ? EPT_BULK_IN : EPT_BULK_OUT,
			.mps = (uint16_t)(p[i + 4] | p[i + 5] << 8),
			.nsegs = 4,
			.ntrbs = {20, 20, 20, 20},
		};
		*(in ? &k->in : &k->out) = ep[found++].dci;
	}
	assert_int_equal(found, 2);
}

/* @opts: NULL: as that driver has them */
MAYBE struct disk *disk_up(const char *more, enum gdrv_os os,
			   const struct gdrv_opts *opts)
{
	struct gdrv_opts own;
	struct disk *k = calloc(1, sizeof(*k));
	const uint8_t *p;
	struct gdrv_epcfg ep[2];
	char option[160];
	unsigned port;
	uint32_t n;

	assert_non_null(k);
	k->os = os;
	gdrv_os_opts(os, &own);
	make_image(k);
	snprintf(option, sizeof(option), "30,xhci,storage=%s%s", k->path, more);
	guestmem_init(&k->gm);
	guestmem_add(&k->gm, 0x100000, 8u << 20);
	guestmem_add(&k->gm, 0x180000000ull, 8u << 20);
	assert_int_equal(gdrv_vx_init(&k->e, &k->gm, option), 0);
	assert_int_equal(gdrv_init(&k->d, &gdrv_vx_bus, &k->e, &k->gm,
				   opts ? opts : &own),
			 0);
	assert_int_equal(gdrv_start(&k->d), 0);
	port = gdrv_port_find(&k->d, 0);
	assert_int_not_equal(port, 0);
	k->v = gdrv_os_open(&k->d, os, port);
	assert_non_null(k->v);
	k->page = guestmem_alloc(&k->gm, GM_PAGE);
	p = guestmem_ptr(&k->gm, k->page, GM_PAGE);
	assert_int_equal(control(k, 0x80, 6, 0x0100, 18, &n), CC_SUCCESS);
	assert_int_equal(n, 18);
	assert_int_equal(p[0], 18);
	assert_int_equal(p[1], 1);
	assert_int_equal(p[17], 1);
	read_config(k, ep);
	assert_int_equal(gdrv_configure(k->v, ep, 2), CC_SUCCESS);
	assert_int_equal(control(k, 0, 9, k->config, 0, NULL), CC_SUCCESS);
	return k;
}

MAYBE void disk_down(struct disk *k)
{
	assert_true(gdrv_ok(&k->d));
	gdrv_vx_fini(&k->e);
	assert_int_equal(k->e.released, k->gm.nregions);
	gdrv_fini(&k->d);
	guestmem_fini(&k->gm);
	unlink(k->path);
	free(k);
}

/* One command by Bulk-Only Transport; the CSW's status, or 255. */
MAYBE unsigned scsi(struct disk *k, const uint8_t *cdb, unsigned cdb_len,
		    bool in, const struct gdrv_sg *sg, unsigned nsg)
{
	uint8_t *p = guestmem_ptr(&k->gm, k->page, GM_PAGE);
	struct gdrv_sg cbw = {k->page, CBW_LEN}, csw = {k->page, CSW_LEN};
	uint32_t len = 0, n = 0;
	int cc;

	for (unsigned i = 0; i < nsg; i++)
		len += sg[i].len;
	cbw_put(p, ++k->tag, in, len, cdb, cdb_len);
	cc = gdrv_bulk(k->v, k->out, k->os, &cbw, 1, &n);
	if (cc != CC_SUCCESS || n != CBW_LEN)
		return 255;
	if (len) {
		cc = gdrv_bulk(k->v, in ? k->in : k->out, k->os, sg, nsg, &n);
		if (cc != CC_SUCCESS && cc != CC_SHORT_PACKET)
			return 255;
	}
	cc = gdrv_bulk(k->v, k->in, k->os, &csw, 1, &n);
	if (cc != CC_SUCCESS || n != CSW_LEN || memcmp(p, "USBS", 4) ||
	    memcmp(p + 4, &k->tag, 4))
		return 255;
	return p[12];
}

MAYBE unsigned rw10(struct disk *k, bool write, uint32_t lba,
		    const struct gdrv_sg *sg, unsigned nsg)
{
	uint32_t n = 0;
	uint8_t cdb[10] = {write ? 0x2a : 0x28};

	for (unsigned i = 0; i < nsg; i++)
		n += sg[i].len;
	for (unsigned i = 0; i < 4; i++)
		cdb[2 + i] = (uint8_t)(lba >> (24 - 8 * i));
	cdb[7] = (uint8_t)(n / SECTOR >> 8);
	cdb[8] = (uint8_t)(n / SECTOR);
	return scsi(k, cdb, 10, !write, sg, nsg);
}

MAYBE bool holds(struct disk *k, const struct gdrv_sg *sg, unsigned nsg,
		 uint64_t at)
{
	for (unsigned s = 0; s < nsg; s++) {
		const uint8_t *p = guestmem_ptr(&k->gm, sg[s].gpa, sg[s].len);

		for (uint32_t i = 0; i < sg[s].len; i++)
			if (p[i] != stub_byte(at++))
				return false;
	}
	return true;
}

/* Unit ready (a sense or two first), size, and reads of several sizes. */
MAYBE void read_disk(struct disk *k)
{
	static const uint32_t sizes[] = {512, 4096, 65536, 131072};
	static const uint8_t ready[6], capacity[10] = {0x25};
	uint64_t buf = guestmem_alloc_in(&k->gm, 1, 131072);
	struct gdrv_sg sg = {buf, 8};
	const uint8_t *p = guestmem_ptr(&k->gm, buf, 8);
	unsigned tries = 0;

	while (scsi(k, ready, 6, false, NULL, 0) == 1 && tries++ < 3) {
		static const uint8_t sense[6] = {3, 0, 0, 0, 18};
		struct gdrv_sg s = {buf, 18};

		assert_int_equal(scsi(k, sense, 6, true, &s, 1), 0);
	}
	assert_int_equal(scsi(k, capacity, 10, true, &sg, 1), 0);
	assert_int_equal(p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3],
			 DISK_BYTES / SECTOR - 1);
	assert_int_equal(p[6] << 8 | p[7], SECTOR);
	for (unsigned i = 0; i < 4; i++) {
		uint32_t lba = 100 + 300 * i;

		sg.len = sizes[i];
		guestmem_set(&k->gm, buf, 0, sizes[i]);
		assert_int_equal(rw10(k, false, lba, &sg, 1), 0);
		assert_true(holds(k, &sg, 1, (uint64_t)lba * SECTOR));
	}
}

MAYBE void write_disk(struct disk *k)
{
	uint64_t buf = guestmem_alloc(&k->gm, 32 * GM_PAGE);
	struct gdrv_sg sg[16], back = {buf, 0};
	uint8_t *p = guestmem_ptr(&k->gm, buf, 32 * GM_PAGE);
	uint32_t total = 0;
	FILE *f;

	for (unsigned i = 0; i < 16; i++) {
		sg[i] = (struct gdrv_sg){buf + 2 * i * GM_PAGE, GM_PAGE};
		total += GM_PAGE;
	}
	for (uint32_t i = 0; i < 32 * GM_PAGE; i++)
		p[i] = (uint8_t)(i >> 12 ^ i);
	assert_int_equal(rw10(k, true, 2048, sg, 16), 0);
	f = fopen(k->path, "r");
	assert_non_null(f);
	fseek(f, 2048 * SECTOR, SEEK_SET);
	for (unsigned i = 0; i < 16; i++) {
		uint8_t file[GM_PAGE];

		assert_int_equal(fread(file, 1, GM_PAGE, f), GM_PAGE);
		assert_memory_equal(file, p + 2 * i * GM_PAGE, GM_PAGE);
	}
	fclose(f);
	back.len = total;
	memset(p, 0, total);
	assert_int_equal(rw10(k, false, 2048, &back, 1), 0);
	for (uint32_t i = 0; i < total; i++)
		assert_int_equal(p[i], (uint8_t)((i >> 12) * 2 ^ i));
}

#endif
