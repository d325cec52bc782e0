#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# corpus.sh [NAME…] - writes fixtures/fuzz/NAME anew (default: those of
# fuzzers whose seeds are many): of the seeds, of what guests' drivers did in
# fixtures/recordings/ and in the unit tests lib_*, of what runs have found, and
# of what is stored, the fewest and shortest inputs that reach all of it.
# Inputs with a name of their own, which failed once, stay.
set -eu
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/lib.sh"
cd "$TOP"
B=${B:-build}
case $B in /*) ;; *) B=$TOP/$B ;; esac
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL
. tests/fuzz/common.sh
tests/rig/deps.sh check fuzz
[ $# -gt 0 ] || set -- emu_fuzz lib_fuzz snapshot_fuzz
make -s -j2 B="$rel/fuzz" SAN=fuzz CC="${CC:-clang}" OPT='-O2 -g' \
	$(printf "$rel/fuzz/fuzz/%s " "$@") >/dev/null

# what the test drivers do, each controller in a recording
FUZZ_RECORDINGS=$B/fuzz/recordings
export FUZZ_RECORDINGS
rm -rf "$FUZZ_RECORDINGS"
mkdir -p "$FUZZ_RECORDINGS"
tests=$(ls tests/unit/lib_*_test.c |
	grep -vE '/lib_(hammer|soak|bench_gates|snapshot[a-z_]*|sigbus|bhyve|trace)_test' |
	sed "s|tests/unit/\(.*\)\.c|$rel/tests/\1|")
# shellcheck disable=SC2086
make -s -j2 B="$rel" $tests >/dev/null
for t in $tests; do
	VXHCI_TEST_RECORD=$FUZZ_RECORDINGS timeout 300 "$t" >/dev/null 2>&1 ||
		say "corpus: ${t##*/} failed; what it recorded is used"
done

for name in "$@"; do
	dir=$B/fuzz/$name
	bin=$B/fuzz/fuzz/$name
	to=$TOP/fixtures/fuzz/$name
	mkdir -p "$dir/corpus" "$to"
	rm -rf "$dir/seeds" "$dir/merged"
	mkdir -p "$dir/merged"
	seeds "$name" "$bin" "$dir/seeds"
	"$bin" -merge=1 -use_counters=0 -max_len="$(max_len "$name")" \
		"$dir/merged" "$to" "$dir/seeds" "$dir/corpus" \
		>"$dir/merge.log" 2>&1 || die "$name: see $dir/merge.log"
	find "$to" -type f | grep -E '/[0-9a-f]{40}$' | xargs -r rm
	cp "$dir"/merged/* "$to"
	say "$name: $(find "$to" -type f | wc -l) inputs," \
		"$(cat "$to"/* | wc -c) bytes"
done
