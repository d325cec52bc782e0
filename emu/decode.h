/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * decode.h - the specification's names for what it numbers, for whoever shows
 * them. Never NULL.
 */
#ifndef EMU_DECODE_H
#define EMU_DECODE_H

#include <stddef.h>
#include <stdint.h>

/* §6.4.5 */
const char *cc_name(unsigned cc);
/* §6.4.6 */
const char *trb_type_name(unsigned type);
/*
 * reg_name - of the register at @off of the register space, "PORTSC 3", or
 * with what lies in the register where @off is not its start. Written to @buf,
 * which is returned.
 */
const char *reg_name(uint32_t off, char *buf, size_t len);

#endif
