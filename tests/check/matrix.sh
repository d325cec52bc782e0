#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# matrix.sh - README.md's table of guests has the rows that tests/guest/matrix.sh
# has, and docs/testing.md speaks of each.
set -eu
cd "$(dirname "$0")/../.."
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tests/guest/matrix.sh --list | sort >"$tmp/there"
sed -n '/^## Guests/,/^## /s/^| `\([^`]*\)` |.*/\1/p' README.md | sort >"$tmp/said"
[ -s "$tmp/there" ]
diff "$tmp/there" "$tmp/said" >"$tmp/diff" || {
	sed -n 's/^< /README.md: no row /p; s/^> /README.md: there is no row /p' \
		"$tmp/diff"
	exit 1
}
while read -r row; do
	grep -q "^| .*\`$row\`" docs/testing.md || {
		echo "docs/testing.md: nothing of $row"
		exit 1
	}
done <"$tmp/there"
echo "$(wc -l <"$tmp/there") rows"
