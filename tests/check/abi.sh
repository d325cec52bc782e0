#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# abi.sh [--update] - vmm/vxhci.h against tests/abi/libvxhci.abi, what VMMs that
# are built already rely on: each function as declared, each member's place and
# size, each constant. More may come; what is there stays as it is, until
# SOVERSION changes. Prints what does not. --update writes what is new, and all
# of it with a new SOVERSION.
# Environment: CC, HEADER, BASELINE.
set -u
cd "$(dirname "$0")/../.." || exit 2
CC=${CC:-gcc}
HEADER=${HEADER:-vmm/vxhci.h}
BASELINE=${BASELINE:-tests/abi/libvxhci.abi}
export LC_ALL=C
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

# One statement a line, without comments and what it includes
sed '/^#[[:space:]]*include/d' "$HEADER" | "$CC" -E -P -x c - |
	grep -v '^#' | tr '\n\t' '  ' | sed 's/  */ /g' | awk '{
	depth = 0; s = ""
	for (i = 1; i <= length($0); i++) {
		c = substr($0, i, 1)
		if (c == "{") depth++
		if (c == "}") depth--
		if (c == ";" && depth == 0) { print s; s = "" }
		else s = s c
	}
}' | sed 's/^ //; s/ $//' >"$work/statements"

# A program that prints where members are and what constants are
{
	printf '#include <stddef.h>\n#include <stdio.h>\n#include "%s"\n' \
		"$(realpath "$HEADER")"
	echo 'int main(void) {'
	sed -n 's/^#define \(VXHCI_[A-Z0-9_]*\) .*/\1/p' "$HEADER" |
		sed 's/.*/printf("constant & %lld\\n", (long long)(&));/'
	sed -n 's/^enum [a-z0-9_]* {\(.*\)}$/\1/p' "$work/statements" |
		tr ',' '\n' | sed -n 's/^ *\([A-Z0-9_]*\).*/\1/p' | grep . |
		sed 's/.*/printf("constant & %lld\\n", (long long)(&));/'
	awk '/^struct [a-z0-9_]+ {/ {
		name = $2
		body = $0
		sub(/^[^{]*{/, "", body)
		sub(/}$/, "", body)
		printf "printf(\"struct %s %%zu bytes\\n\", ", name
		printf "sizeof(struct %s));\n", name
		n = split(body, stmt, ";")
		for (i = 1; i <= n; i++) {
			m = stmt[i]
			if (m !~ /[a-z]/) continue
			if (match(m, /\(\*[a-z0-9_]+/)) {
				put(name, substr(m, RSTART + 2, RLENGTH - 2))
				continue
			}
			k = split(m, decl, ",")
			for (j = 1; j <= k; j++) {
				d = decl[j]
				sub(/\[.*/, "", d)
				sub(/ *$/, "", d)
				sub(/.*[ *]/, "", d)
				put(name, d)
			}
		}
	}
	function put(s, f) {
		if (f ~ /^reserved/) return
		printf "printf(\"member %s.%s at %%zu, %%zu bytes\\n\", ", s, f
		printf "offsetof(struct %s, %s), ", s, f
		printf "sizeof(((struct %s *)0)->%s));\n", s, f
	}' "$work/statements"
	echo 'return 0; }'
} >"$work/layout.c"
"$CC" -w -o "$work/layout" "$work/layout.c" || exit 1
{
	"$work/layout"
	grep 'vxhci_[a-z0-9_]*(' "$work/statements" | grep -v '^struct' |
		sed 's/^/function /'
} | sort >"$work/now"
so=$(sed -n 's/^SOVERSION := //p' Makefile)
grep -q '^function' "$work/now" || exit 1

# a new soname is a new beginning
if [ "${1:-}" = --update ]; then
	old=/dev/null
	[ "$(sed -n 's/^soname //p' "$BASELINE" 2>/dev/null)" != "$so" ] ||
		old=$BASELINE
	{
		echo "soname $so"
		{ grep -v '^soname' "$old"; cat "$work/now"; } | sort -u
	} >"$work/new"
	cp "$work/new" "$BASELINE"
	exit 0
fi
[ "$(sed -n 's/^soname //p' "$BASELINE")" = "$so" ] || {
	echo "soname is $so and $BASELINE is older: abi.sh --update"
	exit 1
}
grep -v '^soname' "$BASELINE" | sort >"$work/then"
comm -23 "$work/then" "$work/now" >"$work/gone"
[ -s "$work/gone" ] || exit 0
sed 's/^/not so any more: /' "$work/gone"
echo "VMMs rely on it: put new members in place of reserved ones, leave the rest,"
echo "or give the library a new SOVERSION"
exit 1
