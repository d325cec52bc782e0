/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * replay.c - a fuzz target without a fuzzer: runs the inputs that are given,
 * files or folders of them, once each. What was found stays found.
 */
#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);

static unsigned ran;

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *buf = malloc(1u << 20);
	size_t n;

	if (!f || !buf) {
		perror(path);
		if (f)
			fclose(f);
		free(buf);
		return 1;
	}
	n = fread(buf, 1, 1u << 20, f);
	fclose(f);
	/* exactly as long as it is: to read behind its end is a fault */
	buf = realloc(buf, n ? n : 1);
	fprintf(stderr, "%s: %zu bytes\n", path, n);
	LLVMFuzzerTestOneInput(buf, n);
	free(buf);
	ran++;
	return 0;
}

static int run(const char *path)
{
	char real[PATH_MAX], file[PATH_MAX + 256];
	DIR *d = realpath(path, real) ? opendir(real) : NULL;
	struct dirent *e;
	int bad = 0;

	if (!d)
		return run_file(path);
	while ((e = readdir(d)))
		if (e->d_name[0] != '.') {
			snprintf(file, sizeof(file), "%s/%s", real, e->d_name);
			bad |= run_file(file);
		}
	closedir(d);
	return bad;
}

int main(int argc, char **argv)
{
	char cwd[PATH_MAX], path[2 * PATH_MAX];
	int bad = 0;

	LLVMFuzzerInitialize(&argc, &argv);
	if (!getcwd(cwd, sizeof(cwd)))
		return 1;
	for (int i = 1; i < argc; i++) {
		/* a target may have gone to another folder */
		snprintf(path, sizeof(path), "%s%s%s",
			 argv[i][0] == '/' ? "" : cwd,
			 argv[i][0] == '/' ? "" : "/", argv[i]);
		bad |= run(path);
	}
	printf("%u inputs\n", ran);
	return bad || ran == 0;
}
