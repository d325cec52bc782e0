#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# doc_tests.sh - docs/xhci-coverage.md and docs/drivers.md name what is there:
# every test, file and function, and each section of chapters 4 to 7 is either
# in the table or named as left out. A row that says done names a test.
set -eu
cd "$(dirname "$0")/../.."
list=docs/xhci-coverage.md
bad=0 named=0

fail() {
	echo "FAILED  $*"
	bad=1
}

# there NAME - a unit test `NAME` or `NAME:FUNCTION`, or a path below tests/
there() {
	case $1 in
	tests/*) [ -e "$1" ] && return ;;
	*:*)
		# a function, and one that the file runs
		src=tests/unit/${1%%:*}_test.c
		[ -e "$src" ] && [ "$(grep -c "\b${1#*:}\b" "$src")" -ge 2 ] && return
		;;
	*) [ -e "tests/unit/$1_test.c" ] && return ;;
	esac
	return 1
}

# last column of rows: `tests`
tests_of() {
	sed -nE 's/^\|.*\| *([^|]*[^| ]) *\|$/\1/p' "$1" |
		grep -oE '`(tests/[a-z_./]+|(emu|lib|vmm|vfu|pmapper|devices|hostusb)_[a-z0-9_:]+)`' |
		tr -d '`' | sort -u
}

for doc in $list docs/drivers.md; do
	for t in $(tests_of "$doc"); do
		named=$((named + 1))
		there "$t" || fail "$doc: $t is not there"
	done
done
[ "$named" -ge 120 ] || fail "only $named tests are named"

# files: the column before
for f in $(sed -nE 's/^\| [4-7]\.[^|]*\|[^|]*\|[^|]*\|([^|]*)\|.*/\1/p' $list |
	grep -oE '`[^`]+`' | tr -d '`' | sort -u); do
	[ -e "emu/$f" ] || [ -e "$f" ] || fail "$list: $f is not there"
done

# rows: | § | what | state | file | test |
awk -F'|' '/^\| [4-7]\./ {
	rows++
	if (NF != 7) { print "FAILED  columns: " $0; bad = 1 }
	if ($4 !~ /^ (done|partly|no|see)/) { print "FAILED  no state: " $0; bad = 1 }
	if ($4 ~ /^ (done|partly)/ && $6 !~ /`/) { print "FAILED  no test: " $0; bad = 1 }
}
END { print rows " sections"; exit bad || rows < 90 }' $list || bad=1

# sections of the specification, to the second level
sections() {
	for c in 4:24 5:6 6:6 7:7; do
		n=1
		while [ $n -le "${c#*:}" ]; do
			echo "${c%:*}.$n"
			n=$((n + 1))
		done
	done
}
left_out=$(sed -n '/^Left out/,/^$/p' $list)
for s in $(sections); do
	re=$(echo "$s" | sed 's/\./\\./')
	grep -qE "^\| ([^|]* )?${re}[., ]" $list ||
		echo "$left_out" | grep -qE "(^| )${re}[.,]" ||
		fail "$list: nothing of §$s"
done
echo "$named tests"
exit $bad
