#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# hazards.sh - every test that docs/hazards.md names is there; the rows that
# name none are printed.
set -eu
cd "$(dirname "$0")/../.."
list=docs/hazards.md
bad=0 named=0
rows=$(grep -cE '^\| (T|PT|DT)-[0-9]+ \|' "$list")
[ "$rows" = 54 ] || {
	echo "FAILED  $list: $rows rows of the catalogue, not 54"
	bad=1
}
for ref in $(grep -E '^\| [A-Z]' "$list" | grep -oE '`[a-z/_]+(:[a-z0-9_]+|_fuzz\.c)`' |
	tr -d '`' | sort -u); do
	named=$((named + 1))
	case $ref in
	tests/*) [ -e "$ref" ] && continue ;;
	*)
		src=tests/unit/${ref%%:*}_test.c
		name=${ref#*:}
		# a function, and one that the file runs
		if [ -e "$src" ] && [ "$(grep -c "\b$name\b" "$src")" -ge 2 ]; then
			continue
		fi
		;;
	esac
	echo "FAILED  $list: $ref is not there"
	bad=1
done
[ "$named" -ge 50 ] || {
	echo "FAILED  $list: only $named tests are named"
	bad=1
}
grep -E '^\| [A-Z].*\| none \|$' "$list" |
	sed -E 's/^\| ([A-Z0-9-]+) \| ([^|]*) .*/no test yet: \1, \2/'
echo "$rows hazards, $named tests"
exit $bad
