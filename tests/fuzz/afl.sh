#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# afl.sh [SECONDS] [NAME…] - the same fuzzers with AFL++, one after another, from
# what libFuzzer has found. Fails when AFL++ keeps a crash or a hang.
set -eu
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/lib.sh"
cd "$TOP"
T=${1:-60}
[ $# = 0 ] || shift
B=${B:-build}
# a target may go to another folder
case $B in /*) ;; *) B=$TOP/$B ;; esac
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL
. tests/fuzz/common.sh
tests/rig/deps.sh fuzz afl
export AFL_SKIP_CPUFREQ=1 AFL_NO_UI=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1
# its compiler has a fuzzer-no-link of its own
make -s -j2 B="$rel/afl" SAN=afl CC=afl-clang-fast fuzz-build >/dev/null
[ $# -gt 0 ] || set -- $(ls tests/fuzz/*_fuzz.c | sed 's|.*/||;s|\.c$||')
bad=0
for name in "$@"; do
	dir=$B/afl/$name
	mkdir -p "$dir/seeds"
	FUZZ_SEEDS=$dir/seeds "$B/afl/fuzz/$name" >/dev/null 2>&1 || true
	afl-fuzz -V "$T" -t 5000 -m none -i "$dir/seeds" -o "$dir/out" \
		-- "$B/afl/fuzz/$name" >"$dir/log" 2>&1 || {
		echo "FAILED  afl $name: see $dir/log"
		bad=1
		continue
	}
	found=$(find "$dir/out/default/crashes" "$dir/out/default/hangs" \
		-name 'id*' | wc -l)
	speed=$(sed -n 's/^execs_per_sec *: *//p' "$dir/out/default/fuzzer_stats")
	if [ "$found" = 0 ]; then
		echo "ok      afl $name: $speed executions/s"
	else
		echo "FAILED  afl $name: $found inputs in $dir/out/default"
		bad=1
	fi
done
exit $bad
