#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh [SECONDS] [NAME…] - each fuzzer for that long, as many at a time as
# there are processors, from what is stored in fixtures/fuzz, where that was
# made of its seeds (corpus.sh), or else from the seeds that it makes of
# fixtures/, and from what earlier runs found. A line for each: ok or FAILED,
# executions a second, inputs kept, edges reached. An input that fails is kept
# in $B/fuzz/NAME/failed.
# Environment: B, CC (clang); FUZZ_JOBS; FUZZ_TOTAL: seconds for all together,
# in which they have equal parts, without what earlier runs found.
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
[ "${FUZZ_ONE:-}" ] || tests/rig/deps.sh fuzz
# for a short run it is quicker to build less well
opt='-O2 -g'
[ -z "${FUZZ_TOTAL:-}" ] || opt='-O1 -g1'
[ "${FUZZ_ONE:-}" ] || make -s -j2 B="$rel/fuzz" SAN=fuzz CC="${CC:-clang}" \
	OPT="$opt" fuzz-build >/dev/null

one() {
	name=$1 dir=$B/fuzz/$1
	bin=$B/fuzz/fuzz/$name
	corpus=$dir/corpus seeds=$dir/seeds
	if stored_is_corpus "$name"; then
		seeds= # what they reach, it reaches, with fewer
	else
		seeds "$name" "$bin" "$seeds"
	fi
	if [ -n "${FUZZ_TOTAL:-}" ]; then
		# not what long runs left
		corpus=$dir/short
		rm -rf "$corpus"
	fi
	mkdir -p "$corpus" "$dir/failed"
	# words and numbers that are in the descriptions of formats
	dict=
	[ ! -e "tests/fuzz/$name.dict" ] || dict=-dict=tests/fuzz/$name.dict
	# one input takes no longer than 25 s, whatever else this machine does,
	# or longer where fuzzers share processors
	limit=$((25 * ((FUZZ_JOBS + $(nproc) - 1) / $(nproc))))
	status=0
	# shellcheck disable=SC2046,SC2086
	"$bin" -max_total_time="$T" -timeout=$limit -rss_limit_mb=2048 \
		-max_len="$(max_len "$name")" -print_final_stats=1 \
		-verbosity=1 $dict -artifact_prefix="$dir/failed/" \
		"$corpus" $(stored "$name") $seeds >"$dir/log" 2>&1 || status=$?
	execs=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$dir/log")
	kept=$(find "$corpus" -type f | wc -l)
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
[ $# -gt 0 ] || set -- $(all_fuzzers)
FUZZ_JOBS=${FUZZ_JOBS:-$(nproc)}
if [ "${FUZZ_TOTAL:-}" ]; then
	T=$((FUZZ_TOTAL * FUZZ_JOBS / $#))
	[ $T -gt 3 ] || T=3
fi
export B FUZZ_JOBS
printf '%s\n' "$@" | xargs -P "$FUZZ_JOBS" -I{} \
	env FUZZ_ONE={} tests/fuzz/run.sh "$T"
