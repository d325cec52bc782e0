#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# limits.sh - the numbers of docs/limits.md are those of the code: each row
# names a constant and the header it is in, which the compiler evaluates.
set -eu
cd "$(dirname "$0")/../.."
list=${1:-docs/limits.md}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rows() {
	sed -nE 's/^\| `([A-Z_]+)` \| `([a-z_/.]+)` \| ([0-9]+) \|.*/\1 \2 \3/p' "$list"
}
{
	echo '#include <stdio.h>'
	rows | awk '{ print "#include \"" $2 "\"" }' | sort -u
	echo 'int main(void) {'
	rows | awk '{ printf "printf(\"%s %s %%llu\\n\", (unsigned long long)(%s));\n", $1, $2, $1 }'
	echo 'return 0; }'
} >"$work/limits.c"
# only constants are asked for: nothing has to be linked
# shellcheck disable=SC2046
"${CC:-gcc}" -std=c17 -I. -D_GNU_SOURCE -w $(pkg-config --cflags libusb-1.0 jansson) \
	-o "$work/limits" "$work/limits.c"
"$work/limits" >"$work/code"
rows >"$work/said"
n=$(wc -l <"$work/said")
[ "$n" -ge 20 ] || {
	echo "FAILED  $list: only $n limits"
	exit 1
}
if ! diff "$work/said" "$work/code"; then
	echo "FAILED  $list says (<) what the code (>) does not"
	exit 1
fi
# and each that the code calls a limit of a controller is in it
for name in $(sed -nE 's/^#define ((EPQ_|TD_)?MAX_[A-Z]+|(RUN|LINK)_[A-Z]+) .*/\1/p' emu/core.h); do
	grep -q "^| \`$name\` " "$list" || {
		echo "FAILED  $list: $name of emu/core.h is not there"
		exit 1
	}
done
echo "$n limits"
