#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# coverage.sh [SECONDS] - what the fuzzers reach: with SECONDS each fuzzes first
# for that long (run.sh). Then the inputs that there are, seeds, stored and
# found, run once more in a build that counts. For each fuzzer: executions a
# second, inputs, and how many branches of emu/ they reach; for all together
# lines and branches a folder, and a file of emu/. Fails below GATE percent of
# the branches of emu/.
set -eu
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/lib.sh"
cd "$TOP"
GATE=${GATE:-85}
T=${1:-0}
B=${B:-build}
# a target may go to another folder
case $B in /*) ;; *) B=$TOP/$B ;; esac
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL
. tests/fuzz/common.sh
tests/rig/deps.sh fuzz
[ "$T" = 0 ] || B=$B tests/fuzz/run.sh "$T"
make -s -j2 B="$rel/fuzzcov" SAN=fuzzcov CC="${CC:-clang}" fuzz-build >/dev/null
prof=$B/fuzzcov/prof
rm -rf "$prof"
mkdir -p "$prof"

# branches FILE PROGRAM…: of emu/ that are reached, by the counts in FILE
branches() {
	counts=$1
	shift
	llvm-cov report -show-branch-summary -instr-profile="$counts" "$@" \
		emu 2>/dev/null | awk '$1 == "TOTAL" { print $11 - $12 }'
}

objects=
for name in $(all_fuzzers); do
	bin=$B/fuzzcov/fuzz/$name
	dir=$B/fuzz/$name
	mkdir -p "$dir/corpus"
	seeds "$name" "$bin" "$dir/seeds"
	# shellcheck disable=SC2046
	LLVM_PROFILE_FILE=$prof/$name.raw "$bin" -runs=0 \
		-max_len="$(max_len "$name")" "$dir/corpus" \
		$(stored "$name") "$dir/seeds" >"$prof/$name.log" 2>&1 ||
		die "$name: fails on what it has: $prof/$name.log"
	llvm-profdata merge -o "$prof/$name" "$prof/$name.raw"
	execs=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$dir/log" \
		2>/dev/null || true)
	inputs=$(sed -n 's/^#\([0-9]*\).*DONE.*/\1/p' "$prof/$name.log")
	printf '%-22s %6s executions/s %6s inputs %5s branches of emu/\n' \
		"$name" "${execs:--}" "$inputs" "$(branches "$prof/$name" "$bin")"
	objects="$objects ${objects:+-object} $bin"
done
llvm-profdata merge -o "$prof/all" "$prof"/*.raw
# shellcheck disable=SC2086
llvm-cov report -show-branch-summary -instr-profile="$prof/all" $objects \
	emu pmapper hostusb devices vmm >"$prof/report" 2>"$prof/report.log"
awk -v gate="$GATE" '
	/^(emu|pmapper|hostusb|devices|vmm)\// {
		# FILE regions missed cover functions missed executed
		# lines missed cover branches missed cover
		file = $1; lines = $8; l_miss = $9
		branches = $11; b_miss = $12
		folder = file; sub("/.*", "", folder)
		L[folder] += lines; LM[folder] += l_miss
		R[folder] += branches; RM[folder] += b_miss
		if (folder == "emu" && branches)
			printf "  %-24s branches %5.1f %%\n", file,
				100 * (branches - b_miss) / branches
	}
	END {
		n = split("emu pmapper hostusb devices vmm", f, " ")
		for (i = 1; i <= n; i++)
			printf "%s: lines %.1f %%, branches %.1f %%\n", f[i],
				100 * (L[f[i]] - LM[f[i]]) / (L[f[i]] + !L[f[i]]),
				100 * (R[f[i]] - RM[f[i]]) / (R[f[i]] + !R[f[i]])
		exit !R["emu"] || 100 * (R["emu"] - RM["emu"]) < gate * R["emu"]
	}' "$prof/report" || die "below $GATE % of the branches of emu/"
