/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
#pragma weak fuzz_seeds

/* Before the first input */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	const char *dir = getenv("FUZZ_SEEDS");

	(void)argc;
	(void)argv;
	/* the fakes' checks are cmocka's, which has no test to end here */
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	if (!dir)
		return 0;
	if (fuzz_seeds)
		fuzz_seeds(dir);
	_Exit(0);
}

FILE *fuzz_seed_open(const char *dir, const char *name, unsigned n)
{
	char path[PATH_MAX];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s-%u", dir, name, n);
	f = fopen(path, "wb");
	if (!f) {
		perror(path);
		exit(1);
	}
	return f;
}

void fuzz_seed(const char *dir, const char *name, unsigned n, const void *buf,
	       size_t len)
{
	FILE *f = fuzz_seed_open(dir, name, n);

	fwrite(buf, 1, len, f);
	fclose(f);
}

void fuzz_noise(uint8_t *buf, size_t len, uint32_t *state)
{
	for (size_t i = 0; i < len; i++) {
		*state = *state * 1103515245 + 12345;
		buf[i] = (uint8_t)(*state >> 16);
	}
}

static void seed_file(const char *dir, const char *path, unsigned n, size_t max)
{
	FILE *f = fopen(path, "rb");
	char *buf = malloc(max);

	if (f && buf)
		fuzz_seed(dir, "file", n, buf, fread(buf, 1, max, f));
	if (f)
		fclose(f);
	free(buf);
}

static unsigned seed_folder(const char *dir, const char *folder,
			    const char *ends, size_t max, unsigned n)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	char path[PATH_MAX];

	while (d && (e = readdir(d))) {
		size_t len = strlen(e->d_name), tail = strlen(ends);

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		if (e->d_type == DT_DIR)
			n = seed_folder(dir, path, ends, max, n);
		else if (len >= tail && !strcmp(e->d_name + len - tail, ends))
			seed_file(dir, path, n++, max);
	}
	if (d)
		closedir(d);
	return n;
}

void fuzz_seed_files(const char *dir, const char *folder, const char *ends,
		     size_t max)
{
	if (seed_folder(dir, folder, ends, max, 0) == 0) {
		fprintf(stderr, "%s: no file *%s there\n", folder, ends);
		exit(1);
	}
}

uint8_t in_u8(struct fuzz_in *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->at++;
}

uint16_t in_u16(struct fuzz_in *in)
{
	uint8_t lo = in_u8(in);

	return (uint16_t)(lo | in_u8(in) << 8);
}

uint32_t in_u32(struct fuzz_in *in)
{
	uint32_t lo = in_u16(in);

	return lo | (uint32_t)in_u16(in) << 16;
}

const uint8_t *in_bytes(struct fuzz_in *in, size_t max, size_t *ret_len)
{
	size_t n = in_u16(in);
	const uint8_t *at;

	n = n % (max + 1);
	if (n > in->left)
		n = in->left;
	at = in->at;
	in->at += n;
	in->left -= n;
	*ret_len = n;
	return at;
}
