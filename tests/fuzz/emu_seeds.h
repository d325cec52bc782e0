/* SPDX-License-Identifier: BSD-2-Clause */
/* emu_seeds.h - inputs of emu_fuzz to begin with */
#ifndef TESTS_FUZZ_EMU_SEEDS_H
#define TESTS_FUZZ_EMU_SEEDS_H

/* Written by hand: what chance is slow to come to, emu_seeds.c */
void emu_seeds(const char *dir);
/* Of these, emu_seeds_cmd.c and emu_seeds_state.c: */
void emu_command_seeds(const char *dir);
void emu_state_seeds(const char *dir);
/*
 * What guests' drivers did, emu_recorded.c: of fixtures/recordings/ and, where
 * it is set, of the folder that FUZZ_RECORDINGS names.
 */
void emu_recorded_seeds(const char *dir);

#endif
