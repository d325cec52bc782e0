#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh - `make bench`: installs what is missing, builds, and prints what a
# transfer costs. Exit 1 when a count breaks its gate. With VXHCI_BENCH_GATE=1
# also when instructions a TD have grown more than 5 % over baseline.txt;
# otherwise the difference is only shown, for compilers differ.
# VXHCI_BENCH_STORE=1 writes baseline.txt anew.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
base=tests/bench/baseline.txt
work=$B/bench-out
fail=0

tests/rig/deps.sh bench
make -s B="$B" "$B/vxhci" "$B/bench/bench_emu" "$B/bench/bench_vfu"
mkdir -p "$work"

echo "== A: in process, over a stub device"
"$B/bench/bench_emu" table || fail=1

echo "== A1: instructions a TD, inside the library"
tests/bench/ir.sh "$B/bench/bench_emu" "$work/cg" | sort -V >"$work/ir.txt"
[ -s "$work/ir.txt" ] || {
	echo "bench: callgrind gave no counts: look at $work/cg/log" >&2
	exit 1
}
if [ "${VXHCI_BENCH_STORE:-0}" = 1 ] || [ ! -e "$base" ]; then
	{
		echo "# instructions a TD inside the library (callgrind), by"
		echo "# $(cc --version | head -1)"
		cat "$work/ir.txt"
	} >"$base"
	echo "stored in $base"
fi
awk -v gate="${VXHCI_BENCH_GATE:-0}" '
	FNR == NR { if ($1 != "#") was[$1] = $2; next }
	{
		d = was[$1] > 0 ? 100 * ($2 / was[$1] - 1) : 0
		mark = d > 5 ? " <-- grown" : ""
		printf "%-28s %10.1f  %+6.1f %%%s\n", $1, $2, d, mark
		if (d > 5) grown++
	}
	END {
		if (grown) printf "%d rows over +5 %%\n", grown
		exit gate == 1 && grown > 0
	}' "$base" "$work/ir.txt" || fail=1

echo "== B: over vfio-user"
"$B/bench/bench_vfu" "$B/vxhci" || fail=1
exit $fail
