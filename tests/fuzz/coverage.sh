#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# coverage.sh [SECONDS] - what the fuzzers reach: the inputs that tests/fuzz/
# run.sh has kept, run once more in a build that counts. With SECONDS it fuzzes
# first. Lines and branches a folder, and a file for emu/.
set -eu
TOP=$(cd "$(dirname "$0")/../.." && pwd)
cd "$TOP"
T=${1:-0}
B=${B:-build}
# a target may go to another folder
case $B in /*) ;; *) B=$TOP/$B ;; esac
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL
[ "$T" = 0 ] || tests/fuzz/run.sh "$T"
make -s -j2 B="$B/fuzzcov" SAN=fuzzcov CC="${CC:-clang}" fuzz-build >/dev/null
prof=$B/fuzzcov/prof
rm -rf "$prof"
mkdir -p "$prof"
objects=
for src in tests/fuzz/*_fuzz.c; do
	name=$(basename "$src" .c)
	stored=$TOP/fixtures/fuzz/$name
	[ -d "$stored" ] || stored=
	# shellcheck disable=SC2086
	LLVM_PROFILE_FILE=$prof/$name.profraw "$B/fuzzcov/fuzz/$name" -runs=0 \
		-max_len=4096 "$B/fuzz/$name/corpus" $stored \
		"$B/fuzz/$name/seeds" >"$prof/$name.log" 2>&1
	objects="$objects ${objects:+-object} $B/fuzzcov/fuzz/$name"
done
llvm-profdata merge -o "$prof/all" "$prof"/*.profraw
# shellcheck disable=SC2086
llvm-cov report -show-branch-summary -instr-profile="$prof/all" $objects \
	emu pmapper hostusb devices vmm >"$prof/report"
awk '
	/^(emu|pmapper|hostusb|devices|vmm)\// || /^[a-z_]+\.c/ {
		# FILE regions missed cover functions missed executed
		# lines missed cover branches missed cover
		file = $1; lines = $8; l_miss = $9
		branches = $11; b_miss = $12
		if (index(file, "/") == 0) next
		folder = file; sub("/.*", "", folder)
		L[folder] += lines; LM[folder] += l_miss
		R[folder] += branches; RM[folder] += b_miss
		if (folder == "emu" && branches)
			printf "  %-24s branches %5.1f %%\n", file,
				100 * (branches - b_miss) / branches
	}
	END {
		for (f in L)
			printf "%s: lines %.1f %%, branches %.1f %%\n", f,
				100 * (L[f] - LM[f]) / L[f],
				R[f] ? 100 * (R[f] - RM[f]) / R[f] : 0
	}' "$prof/report"
