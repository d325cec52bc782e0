/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * guestmem.h - guest memory for tests: regions at chosen guest physical
 * addresses, backed by memory that can be passed to another process, with a
 * page allocator. Not for several threads.
 *
 * A test that asks for what does not exist has a bug of its own: these
 * functions then end the program with a line on stderr.
 */
#ifndef TESTS_LIB_GUESTMEM_H
#define TESTS_LIB_GUESTMEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GM_PAGE 4096u
#define GM_MAX_REGIONS 16u

struct guest_region {
	uint64_t gpa;
	size_t len;    /* bytes, a multiple of GM_PAGE */
	uint8_t *base; /* owned */
	int fd;        /* owned; sealed against shrinking where possible */
	bool writable; /* for the controller; the test always may write */
	uint8_t *used; /* owned; one byte a page, nonzero when allocated */
	size_t hint;   /* page to start the search at */
};

struct guestmem {
	struct guest_region region[GM_MAX_REGIONS];
	unsigned nregions;
};

void guestmem_init(struct guestmem *gm);
void guestmem_fini(struct guestmem *gm);
/* Add a region of zeroed memory. Returns its index. */
unsigned guestmem_add(struct guestmem *gm, uint64_t gpa, size_t len);

/*
 * guestmem_alloc - @len bytes, zeroed, contiguous in guest memory, starting at
 * a page, from the first region that has room. guestmem_alloc_in() takes them
 * from region @r. Freed with guestmem_free() and the same @len.
 */
uint64_t guestmem_alloc(struct guestmem *gm, size_t len);
uint64_t guestmem_alloc_in(struct guestmem *gm, unsigned r, size_t len);
void guestmem_free(struct guestmem *gm, uint64_t gpa, size_t len);

/* The region that holds @gpa, or NULL. */
struct guest_region *guestmem_find(struct guestmem *gm, uint64_t gpa);
/* Where @len bytes at @gpa lie in this process; all in one region. */
void *guestmem_ptr(struct guestmem *gm, uint64_t gpa, size_t len);
void guestmem_read(struct guestmem *gm, uint64_t gpa, void *buf, size_t len);
void guestmem_write(struct guestmem *gm, uint64_t gpa, const void *buf,
		    size_t len);
void guestmem_set(struct guestmem *gm, uint64_t gpa, int byte, size_t len);
/* Little endian, aligned; the 32-bit forms are atomic (acquire, release). */
uint32_t guestmem_r32(struct guestmem *gm, uint64_t gpa);
uint64_t guestmem_r64(struct guestmem *gm, uint64_t gpa);
void guestmem_w32(struct guestmem *gm, uint64_t gpa, uint32_t v);
void guestmem_w64(struct guestmem *gm, uint64_t gpa, uint64_t v);

/* CRC-32 (IEEE 802.3) of @len bytes, continued from @crc (0 at the start). */
uint32_t crc32_add(uint32_t crc, const void *buf, size_t len);

#endif
