#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# hazards.sh [LOGS] - every test that docs/hazards.md names is there, and every
# row names one. With the folder of a run's logs (build/check) the list is
# printed, each test with what came of it in each variant that was run, and one
# that did not pass is a failure.
set -eu
cd "$(dirname "$0")/../.."
list=docs/hazards.md
logs=${1:-}
bad=0 named=0
fail() {
	echo "FAILED  $list: $*"
	bad=1
}

# what came of a test: the variants it passed in, or what else there is to say
result() {
	result_ok='' result_bad=''
	case $1 in
	tests/fuzz/*)
		result_of=$(basename "$1" .c)
		if grep -qs "^ok .*$result_of" "$logs"/*.log; then
			result_ok=' fuzz'
		elif grep -qs "^FAILED .*$result_of" "$logs"/*.log; then
			result_bad=' fuzz'
		fi
		;;
	*)
		for log in "$logs"/unit_*_"${1%%:*}"_test.log; do
			[ -e "$log" ] || continue
			variant=${log##*/unit_}
			variant=${variant%%_*}
			if grep -qE "OK *\] ${1#*:}\$" "$log"; then
				result_ok="$result_ok $variant"
			elif grep -qE "SKIPPED *\] ${1#*:}\$" "$log"; then
				result_ok="$result_ok $variant(skipped)"
			else
				result_bad="$result_bad $variant"
			fi
		done
		;;
	esac
	if [ -n "$result_bad" ]; then
		echo "FAILED in$result_bad"
	elif [ -n "$result_ok" ]; then
		echo "passed:$result_ok"
	else
		echo 'not run'
	fi
}

rows=$(grep -cE '^\| (T|PT|DT)-[0-9]+ \|' "$list")
[ "$rows" = 54 ] || fail "$rows rows of the catalogue, not 54"
refs_of() {
	echo "$1" | grep -oE '`[a-z/_]+(:[a-z0-9_]+|_fuzz\.c)`' | tr -d '`'
}

while IFS= read -r row; do
	refs=$(refs_of "$row") || refs=
	[ -n "$refs" ] || fail "no test: $row"
	[ -z "$logs" ] || echo "$row" |
		sed -E 's/^\| ([^|]*) \| (.*) \| [^|]* \|$/\1: \2/; s/ \| /: /g'
	for ref in $refs; do
		named=$((named + 1))
		case $ref in
		tests/*)
			[ -e "$ref" ] || fail "$ref is not there"
			;;
		*)
			# a function, and one that the file runs
			src=tests/unit/${ref%%:*}_test.c
			[ -e "$src" ] && [ "$(grep -c "\b${ref#*:}\b" "$src")" -ge 2 ] ||
				fail "$ref is not there"
			;;
		esac
		[ -n "$logs" ] || continue
		what=$(result "$ref")
		printf '    %s  %s\n' "$ref" "$what"
		case $what in FAILED*) fail "$ref $what" ;; esac
	done
done <<ROWS
$(grep -E '^\| (T|PT|DT|CVE|FreeBSD|ACRN)-' "$list")
ROWS
[ "$named" -ge 100 ] || fail "only $named tests are named"
echo "$rows hazards, $(grep -cE '^\| (CVE|FreeBSD|ACRN)-' "$list") published faults, $named tests"
exit $bad
