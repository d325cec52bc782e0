#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh [SECONDS] [NAME…] - each fuzzer for that long, as many at a time as
# there are processors, from the seeds it makes of fixtures/ and from what
# earlier runs found. A line for each: ok or FAILED, executions a second,
# inputs kept, edges reached. An input that fails is kept in $B/fuzz/failed.
# Environment: B, CC (clang); FUZZ_JOBS.
set -eu
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/lib.sh"
cd "$TOP"
T=${1:-60}
[ $# = 0 ] || shift
B=${B:-build}
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL
tests/rig/deps.sh fuzz
make -s -j2 B="$B/fuzz" SAN=fuzz CC="${CC:-clang}" fuzz-build >/dev/null

one() {
	name=$1 dir=$B/fuzz/$1
	bin=$B/fuzz/fuzz/$name
	mkdir -p "$dir/corpus" "$dir/seeds" "$dir/failed"
	FUZZ_SEEDS=$dir/seeds "$bin" >/dev/null 2>&1 || true
	stored=fixtures/fuzz/$name
	[ -d "$stored" ] || stored=
	# one input takes no longer than 25 s, whatever else this machine does
	status=0
	# shellcheck disable=SC2086
	"$bin" -max_total_time="$T" -timeout=25 -rss_limit_mb=2048 \
		-max_len=1500 -print_final_stats=1 -verbosity=1 \
		-artifact_prefix="$dir/failed/" "$dir/corpus" $stored \
		"$dir/seeds" >"$dir/log" 2>&1 || status=$?
	execs=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$dir/log")
	kept=$(find "$dir/corpus" -type f | wc -l)
	edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$dir/log" | tail -n 1)
	said="$name: ${execs:-0} executions/s, $kept inputs, ${edges:-0} edges"
	if [ "$status" = 0 ]; then
		echo "ok      fuzz $said"
	else
		echo "FAILED  fuzz $said: status $status, $dir/log," \
			"the input is in $dir/failed"
		grep -E 'SUMMARY|runtime error|^[a-z].*twice' "$dir/log" |
			sed 's/^/        /'
		return 1
	fi
}

if [ "${FUZZ_ONE:-}" ]; then
	one "$FUZZ_ONE"
	exit
fi
[ $# -gt 0 ] || set -- $(ls tests/fuzz/*_fuzz.c | sed 's|.*/||;s|\.c$||')
export B
printf '%s\n' "$@" | xargs -P "${FUZZ_JOBS:-$(nproc)}" -I{} \
	env FUZZ_ONE={} tests/fuzz/run.sh "$T"
