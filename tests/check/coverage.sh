#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# coverage.sh - `make coverage`: lines and branches of emu/ that its unit tests
# (tests/unit/emu_*_test.c) reach, a row a file, by gcov. Exit 1 below the gates.
# A branch is one direction of a conditional jump, as the compiler made it (-O0).
# Environment: B (the build folder, its subfolder coverage is used).
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}/coverage
LINES=95 BRANCHES=90 # percent

unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL
tests=$(for t in tests/unit/emu_*_test.c; do
	echo "$B/tests/$(basename "$t" .c)"
done)
# shellcheck disable=SC2086
make -s -j2 B="$B" SAN=cov CC=gcc OPT='-O0 -g' $tests
find "$B" -name '*.gcda' -exec rm -f {} +
for t in $tests; do
	"$t" >"$t.log" 2>&1 || {
		echo "FAILED  $t: $(tail -n 1 "$t.log")"
		exit 1
	}
done
rm -rf "$B/gcov"
mkdir -p "$B/gcov"
for f in emu/*.c; do
	gcov -n -b -o "$B/obj/emu" "$f" 2>/dev/null |
		awk -v f="$f" '
			/^File / { mine = $2 == "\047" f "\047" }
			mine && /^Lines executed:/ { split($0, a, /[:% ]+/); l = a[3]; nl = a[5] }
			mine && /^Taken at least once:/ { split($0, a, /[:% ]+/); b = a[5]; nb = a[7] }
			END { print f, l * nl / 100, nl + 0, b * nb / 100, nb + 0 }'
done | awk -v lines=$LINES -v branches=$BRANCHES '
	function row(name, l, nl, b, nb) {
		printf "%-20s %5d lines %6.1f %%   %5d branches %6.1f %%\n",
			name, nl, nl ? 100 * l / nl : 100, nb, nb ? 100 * b / nb : 100
	}
	{ row($1, $2, $3, $4, $5); l += $2; nl += $3; b += $4; nb += $5 }
	END {
		row("emu/", l, nl, b, nb)
		ok = 100 * l >= lines * nl && 100 * b >= branches * nb
		printf "%s  lines %d %%, branches %d %% at least\n",
			ok ? "ok     " : "FAILED ", lines, branches
		exit !ok
	}'
