/* SPDX-License-Identifier: BSD-2-Clause */
/* lib_seeds.h - inputs of lib_fuzz to begin with, lib_seeds.c */
#ifndef TESTS_FUZZ_LIB_SEEDS_H
#define TESTS_FUZZ_LIB_SEEDS_H

/* From fixtures/, to the folder @dir; there are @kinds kinds of devices. */
void lib_traffic_seeds(const char *dir, unsigned kinds);

#endif
