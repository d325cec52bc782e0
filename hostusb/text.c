/* SPDX-License-Identifier: BSD-2-Clause */
/* text.c - text of devices made safe to show */
#include "hostusb/discover.h"

#include <stdio.h>
#include <string.h>

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\0';
}

/* Length of the UTF-8 character at @s and its code point; 0: it is none */
static size_t utf8_next(const unsigned char *s, size_t n, uint32_t *ret_code)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = s[0] < 0x80   ? 1
		     : s[0] < 0xc0 ? 0
		     : s[0] < 0xe0 ? 2
		     : s[0] < 0xf0 ? 3
		     : s[0] < 0xf8 ? 4
				   : 0;
	uint32_t code;

	if (!len || len > n)
		return 0;
	code = len == 1 ? s[0] : s[0] & (0x7fu >> len);
	for (size_t k = 1; k < len; k++) {
		if ((s[k] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (s[k] & 0x3fu);
	}
	if (code < least[len] || code > 0x10ffff ||
	    (code >= 0xd800 && code <= 0xdfff))
		return 0;
	*ret_code = code;
	return len;
}

/* Controls, and what turns, hides or joins the text around it */
static bool is_unsafe(uint32_t code)
{
	static const struct {
		uint32_t from, to;
	} bad[] = {
		{0x0000, 0x001f},   {0x007f, 0x009f},    {0x00ad, 0x00ad},
		{0x061c, 0x061c},   {0x180e, 0x180e},    {0x200b, 0x200f},
		{0x2028, 0x202e},   {0x2060, 0x206f},    {0xfdd0, 0xfdef},
		{0xfeff, 0xfeff},   {0xfff0, 0xffff},    {0xe0000, 0xe0fff},
		{0x1fffe, 0x1ffff}, {0xffffe, 0x10ffff},
	};

	for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
		if (code >= bad[k].from && code <= bad[k].to)
			return true;
	return false;
}

char *discover_text(char *dst, size_t len, const char *src, size_t n)
{
	size_t at = 0;

	while (n && is_blank(src[n - 1]))
		n--;
	while (n && is_blank(*src)) {
		src++;
		n--;
	}
	while (n) {
		uint32_t code = 0;
		size_t k = utf8_next((const unsigned char *)src, n, &code);
		char hex[5];

		if (k && !is_unsafe(code)) {
			if (at + k >= len)
				break;
			memcpy(dst + at, src, k);
			at += k;
		} else {
			/* byte by byte: of a character, too, that is unsafe */
			if (at + 4 >= len)
				break;
			snprintf(hex, sizeof(hex), "\\x%02x",
				 (unsigned char)*src);
			memcpy(dst + at, hex, 4);
			at += 4;
			k = 1;
		}
		src += k;
		n -= k;
	}
	dst[at] = '\0';
	return dst;
}
