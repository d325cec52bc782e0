/* SPDX-License-Identifier: BSD-2-Clause */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/lib/guestmem.h"

static _Noreturn void die(const char *what, uint64_t gpa)
{
	fprintf(stderr, "guestmem: %s (0x%llx)\n", what,
		(unsigned long long)gpa);
	exit(99);
}

void guestmem_init(struct guestmem *gm)
{
	memset(gm, 0, sizeof(*gm));
}

void guestmem_fini(struct guestmem *gm)
{
	for (unsigned i = 0; i < gm->nregions; i++) {
		struct guest_region *r = &gm->region[i];

		munmap(r->base, r->len);
		close(r->fd);
		free(r->used);
	}
	gm->nregions = 0;
}

unsigned guestmem_add(struct guestmem *gm, uint64_t gpa, size_t len)
{
	struct guest_region *r = &gm->region[gm->nregions];

	if (gm->nregions == GM_MAX_REGIONS || gpa % GM_PAGE || len % GM_PAGE)
		die("bad region", gpa);
	r->fd = memfd_create("guestmem", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (r->fd < 0 || ftruncate(r->fd, (off_t)len))
		die("no memory", gpa);
	fcntl(r->fd, F_ADD_SEALS, F_SEAL_SHRINK);
	r->base = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	r->used = calloc(len / GM_PAGE, 1);
	if (r->base == MAP_FAILED || !r->used)
		die("no memory", gpa);
	r->gpa = gpa;
	r->len = len;
	r->writable = true;
	r->hint = 0;
	return gm->nregions++;
}

static bool region_take(struct guest_region *r, size_t n, size_t *ret_page)
{
	size_t npages = r->len / GM_PAGE;

	for (unsigned pass = 0; pass < 2; pass++) {
		size_t run = 0;

		for (size_t p = pass ? 0 : r->hint; p < npages; p++) {
			run = r->used[p] ? 0 : run + 1;
			if (run < n)
				continue;
			*ret_page = p + 1 - n;
			memset(r->used + *ret_page, 1, n);
			r->hint = p + 1;
			return true;
		}
	}
	return false;
}

uint64_t guestmem_alloc_in(struct guestmem *gm, unsigned i, size_t len)
{
	struct guest_region *r = &gm->region[i];
	size_t n = (len + GM_PAGE - 1) / GM_PAGE, page;

	if (i >= gm->nregions || !n || !region_take(r, n, &page))
		die("no room in region", i);
	memset(r->base + page * GM_PAGE, 0, n * GM_PAGE);
	return r->gpa + page * GM_PAGE;
}

uint64_t guestmem_alloc(struct guestmem *gm, size_t len)
{
	size_t n = (len + GM_PAGE - 1) / GM_PAGE, page;

	for (unsigned i = 0; n && i < gm->nregions; i++) {
		struct guest_region *r = &gm->region[i];

		if (!region_take(r, n, &page))
			continue;
		memset(r->base + page * GM_PAGE, 0, n * GM_PAGE);
		return r->gpa + page * GM_PAGE;
	}
	die("no room for bytes", len);
}

void guestmem_free(struct guestmem *gm, uint64_t gpa, size_t len)
{
	struct guest_region *r = guestmem_find(gm, gpa);
	size_t n = (len + GM_PAGE - 1) / GM_PAGE, page;

	if (!r || gpa % GM_PAGE)
		die("free of what was not allocated", gpa);
	page = (size_t)(gpa - r->gpa) / GM_PAGE;
	for (size_t p = page; p < page + n; p++) {
		if (p >= r->len / GM_PAGE || !r->used[p])
			die("free of what was not allocated", gpa);
		r->used[p] = 0;
	}
	if (page < r->hint)
		r->hint = page;
}

struct guest_region *guestmem_find(struct guestmem *gm, uint64_t gpa)
{
	for (unsigned i = 0; i < gm->nregions; i++) {
		struct guest_region *r = &gm->region[i];

		if (gpa >= r->gpa && gpa - r->gpa < r->len)
			return r;
	}
	return NULL;
}

void *guestmem_ptr(struct guestmem *gm, uint64_t gpa, size_t len)
{
	struct guest_region *r = guestmem_find(gm, gpa);

	if (!r || len > r->len - (size_t)(gpa - r->gpa))
		die("no guest memory", gpa);
	return r->base + (gpa - r->gpa);
}

void guestmem_read(struct guestmem *gm, uint64_t gpa, void *buf, size_t len)
{
	memcpy(buf, guestmem_ptr(gm, gpa, len), len);
}

void guestmem_write(struct guestmem *gm, uint64_t gpa, const void *buf,
		    size_t len)
{
	memcpy(guestmem_ptr(gm, gpa, len), buf, len);
}

void guestmem_set(struct guestmem *gm, uint64_t gpa, int byte, size_t len)
{
	memset(guestmem_ptr(gm, gpa, len), byte, len);
}

uint32_t guestmem_r32(struct guestmem *gm, uint64_t gpa)
{
	return __atomic_load_n((uint32_t *)guestmem_ptr(gm, gpa, 4),
			       __ATOMIC_ACQUIRE);
}

uint64_t guestmem_r64(struct guestmem *gm, uint64_t gpa)
{
	return guestmem_r32(gm, gpa) | (uint64_t)guestmem_r32(gm, gpa + 4)
					       << 32;
}

void guestmem_w32(struct guestmem *gm, uint64_t gpa, uint32_t v)
{
	__atomic_store_n((uint32_t *)guestmem_ptr(gm, gpa, 4), v,
			 __ATOMIC_RELEASE);
}

void guestmem_w64(struct guestmem *gm, uint64_t gpa, uint64_t v)
{
	guestmem_w32(gm, gpa, (uint32_t)v);
	guestmem_w32(gm, gpa + 4, (uint32_t)(v >> 32));
}

uint32_t crc32_add(uint32_t crc, const void *buf, size_t len)
{
	const uint8_t *p = buf;

	crc = ~crc;
	while (len--) {
		crc ^= *p++;
		for (unsigned k = 0; k < 8; k++)
			crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1)));
	}
	return ~crc;
}
