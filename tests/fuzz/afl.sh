#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# afl.sh [SECONDS] [NAME…] - the same fuzzers with AFL++, one after another, from
# what is stored or, where little is, from their seeds. A line for each: ok or
# FAILED, executions a second, inputs kept. Fails when AFL++ keeps a crash or a
# hang, or does not run.
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
export AFL_NO_AFFINITY=1 AFL_FAST_CAL=1
[ $# -gt 0 ] || set -- $(all_fuzzers)
# its compiler has a fuzzer-no-link of its own
make -s -j2 B="$rel/afl" SAN=afl CC=afl-clang-fast \
	$(printf "$rel/afl/fuzz/%s " "$@") >/dev/null 2>"$B/afl.log" ||
	die "it cannot be built: $B/afl.log"

# value FILE KEY
value() {
	sed -n "s/^$2 *: *//p" "$1" 2>/dev/null
}

bad=0
for name in "$@"; do
	dir=$B/afl/$name
	stats=$dir/out/default/fuzzer_stats
	rm -rf "$dir"
	mkdir -p "$dir/in"
	stored_is_corpus "$name" || seeds "$name" "$B/afl/fuzz/$name" "$dir/in"
	[ -z "$(stored "$name")" ] || cp "$(stored "$name")"/* "$dir/in"
	# a target without seeds
	[ -n "$(ls "$dir/in")" ] || echo 0 >"$dir/in/none"
	dict=
	[ ! -e "tests/fuzz/$name.dict" ] || dict="-x tests/fuzz/$name.dict"
	# shellcheck disable=SC2086
	afl-fuzz -V "$T" -t 25000 -m none -G "$(max_len "$name")" $dict \
		-i "$dir/in" -o "$dir/out" -- "$B/afl/fuzz/$name" \
		>"$dir/log" 2>&1 || {
		echo "FAILED  afl $name: see $dir/log"
		bad=1
		continue
	}
	found=$(find "$dir/out/default/crashes" "$dir/out/default/hangs" \
		-name 'id*' | wc -l)
	said="$(value "$stats" execs_per_sec) executions/s"
	said="$said, $(value "$stats" corpus_count) inputs"
	if [ "$found" = 0 ]; then
		echo "ok      afl $name: $said"
	else
		echo "FAILED  afl $name: $said, $found of them fail:" \
			"$dir/out/default"
		bad=1
	fi
done
exit $bad
