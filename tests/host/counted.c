/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * counted.c - files of what the headset and the camera count in, for programs
 * that play, record and capture them.
 *
 *   counted make FRAMES - sound to stdout: 32-bit numbers, 1, 2, ...
 *   counted sound FILE FRAMES - that many, each the next; exit status 1 if not
 *   counted pictures FILE FRAMES BYTES - that many of that size, whole, whose
 *                                        numbers have no gap
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEIGHBOURS 3u

static int make(uint32_t frames)
{
	for (uint32_t n = 1; n <= frames; n++)
		if (fwrite(&n, sizeof(n), 1, stdout) != 1)
			return 2;
	return fflush(stdout) != 0;
}

static int sound(FILE *f, uint32_t frames)
{
	uint32_t n, first = 0, last = 0, count = 0, gaps = 0;

	for (; fread(&n, sizeof(n), 1, f) == 1; count++) {
		if (count > 0 && n != last + 1 && gaps++ < 5)
			printf("frame %u: %u follows %u\n", count, n, last);
		first = count == 0 ? n : first;
		last = n;
	}
	printf("%u frames, %u to %u, %u gaps\n", count, first, last, gaps);
	return count != frames || first == 0 || gaps != 0;
}

static int is_whole(const uint32_t *w, uint32_t bytes)
{
	for (uint32_t i = 0; i < bytes / 4; i++)
		if (w[i] != (w[0] | i))
			return 0;
	return (w[0] & 0xffff) == 0;
}

/*
 * Each is there, once. uvcvideo completes them from work on several processors:
 * neighbours may have changed places.
 */
static int pictures(FILE *f, uint32_t frames, uint32_t bytes)
{
	static uint8_t seen[1u << 16];
	uint32_t *w = malloc(bytes), count = 0, bad = 0, late = 0;
	uint32_t first = UINT32_MAX, last = 0;

	for (; w && fread(w, bytes, 1, f) == 1; count++) {
		uint32_t number = w[0] >> 16;

		late += count > 0 && number < last;
		if ((!is_whole(w, bytes) || seen[number]++ ||
		     (count > 0 && number + NEIGHBOURS < last)) &&
		    bad++ < 5)
			printf("picture %u: number %u, %u was before it\n",
			       count, number, last);
		first = number < first ? number : first;
		last = number > last ? number : last;
	}
	free(w);
	printf("%u pictures, %u to %u, %u bad, %u late\n", count, first, last,
	       bad, late);
	return count != frames || last - first + 1 != frames || bad != 0;
}

int main(int argc, char **argv)
{
	uint32_t n = argc > 2 ? (uint32_t)atoi(argv[argc > 3 ? 3 : 2]) : 0;
	FILE *f = argc > 3 ? fopen(argv[2], "rb") : NULL;

	if (argc == 3 && !strcmp(argv[1], "make"))
		return make(n);
	if (f && argc == 4 && !strcmp(argv[1], "sound"))
		return sound(f, n);
	if (f && argc == 5 && !strcmp(argv[1], "pictures"))
		return pictures(f, n, (uint32_t)atoi(argv[4]));
	fprintf(stderr, "usage: counted make|sound|pictures [FILE] FRAMES "
			"[BYTES]\n");
	return 2;
}
