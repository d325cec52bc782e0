/* SPDX-License-Identifier: BSD-2-Clause */
/* cbw.h - a Command Block Wrapper, USB Mass Storage Bulk-Only §5.1. */
#ifndef TESTS_LIB_CBW_H
#define TESTS_LIB_CBW_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define CBW_LEN 31u
#define CSW_LEN 13u

/* To @p: the command @cdb, for which @len bytes go @in or out, as number @tag */
static inline void cbw_put(uint8_t *p, uint32_t tag, bool in, uint32_t len,
			   const uint8_t *cdb, unsigned cdb_len)
{
	memset(p, 0, CBW_LEN);
	memcpy(p, "USBC", 4);
	memcpy(p + 4, &tag, 4);
	memcpy(p + 8, &len, 4);
	p[12] = in ? 0x80 : 0;
	p[14] = (uint8_t)cdb_len;
	memcpy(p + 15, cdb, cdb_len);
}

#endif
