/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * fuzz.h - what a fuzz target (tests/fuzz/NAME_fuzz.c) is made of. Each is
 * linked with fuzz.c and a fuzzing engine: libFuzzer, or AFL++ with the same
 * entry point.
 */
#ifndef TESTS_FUZZ_H
#define TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* The target's: one input. Whatever is wrong ends the process: abort(). */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/*
 * The target's, and may be missing: write inputs to begin with to the folder
 * @dir. The program is run with FUZZ_SEEDS=DIR for that (tests/fuzz/run.sh).
 */
void fuzz_seeds(const char *dir);

/* fuzz.c: a new file DIR/NAME-N for a seed, or the end of the process */
FILE *fuzz_seed_open(const char *dir, const char *name, unsigned n);
void fuzz_seed(const char *dir, const char *name, unsigned n, const void *buf,
	       size_t len);
/*
 * Each file of the project's folder @folder (found from where the program was
 * started: the top) as a seed; its first @max bytes.
 */
void fuzz_seed_files(const char *dir, const char *folder, const char *ends,
		     size_t max);

/* Bytes like dice for a seed; *state goes on with each. */
void fuzz_noise(uint8_t *buf, size_t len, uint32_t *state);

/* An input, eaten from the front; zeroes when there is no more. */
struct fuzz_in {
	const uint8_t *at;
	size_t left;
};
uint8_t in_u8(struct fuzz_in *in);
uint16_t in_u16(struct fuzz_in *in);
uint32_t in_u32(struct fuzz_in *in);
/* At most @max bytes of it; the number is what it says itself. */
const uint8_t *in_bytes(struct fuzz_in *in, size_t max, size_t *ret_len);

#endif
