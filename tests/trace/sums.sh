#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# sums.sh [--update] [FOLDER] - every file of fixtures/ (or of FOLDER, which is
# like it) is the one of SHA256SUMS, to the bit, and none is missing there. What
# makes fixtures anew writes the list anew: --update.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
update=
[ "${1:-}" != --update ] || { update=1; shift; }
cd "${1:-$TOP/fixtures}" || exit 1
export LC_ALL=C

# but its own list, what is read by people only, and inputs of fuzzers
files() {
	find . -type f ! -name 'SHA256SUMS*' ! -name README.md ! -path './fuzz/*' |
		sed 's,^\./,,' | sort
}

if [ -n "$update" ]; then
	files | xargs sha256sum >SHA256SUMS.new && mv SHA256SUMS.new SHA256SUMS
	exit
fi
bad=0
said=$(sha256sum --strict --quiet -c SHA256SUMS 2>&1) || {
	bad=1
	echo "FAILED  fixtures: not as fixtures/SHA256SUMS says:"
	echo "$said" | head -n 8
}
more=$(files | while read -r f; do
	grep -q "^[0-9a-f]\{64\}  $f\$" SHA256SUMS 2>/dev/null || echo "$f"
done)
[ -z "$more" ] || {
	bad=1
	echo "FAILED  fixtures: not in fixtures/SHA256SUMS; if they belong" \
		"there, tests/trace/sums.sh --update:"
	echo "$more" | head -n 8
}
[ $bad = 1 ] || echo "ok      fixtures: $(grep -c . SHA256SUMS) files, to the bit"
exit $bad
