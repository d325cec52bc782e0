#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# ir.sh BENCH_EMU DIR - instructions a TD of every row, by callgrind: lines
# "NAME COUNT" on stdout. Only what the library executes is counted: from each
# entry into it (lib_enter_*) to its return.
set -eu
prog=$1 dir=$2
rm -rf "$dir"
mkdir -p "$dir"
valgrind --tool=callgrind --toggle-collect='lib_enter_*' \
	--callgrind-out-file="$dir/cg" "$prog" ir >"$dir/log" 2>&1 || {
	cat "$dir/log" >&2
	exit 1
}
for f in "$dir"/cg.*; do
	awk '/^desc: Trigger: Client Request:/ { name = $5; n = $6 }
		/^(totals|summary):/ { ir = $2 }
		END { if (name) printf "%s %.1f\n", name, ir / n }' "$f"
done
