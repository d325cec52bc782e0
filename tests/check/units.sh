#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# units.sh VARIANT FOLDER [COMMAND…] - runs the unit tests built in FOLDER, as
# many at a time as there are processors, by COMMAND if there is one. A line for
# each: `ok` or `FAILED`, with the end of its output when it failed.
# Environment: LOGS (a folder), UNIT_LIMIT (seconds of one), UNIT_JOBS; UNIT_SRC
# (which: their sources).
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/lib.sh"
cd "$TOP" || exit 1

# one NAME VARIANT FOLDER [COMMAND…]; what it says comes out in one piece
one() {
	t=$1 variant=$2 dir=$3
	shift 3
	log=$LOGS/unit_${variant}_$t.log
	t0=$(now_ms)
	timeout -k 5 "${UNIT_LIMIT:-300}" "$@" "$dir/tests/$t" >"$log" 2>&1
	status=$?
	took=$(($(now_ms) - t0))
	took="$((took / 1000)).$((took % 1000 / 100)) s"
	if [ $status = 0 ]; then
		echo "ok      unit $variant $t ($took)"
		return 0
	fi
	printf '%s\n%s\n' "FAILED  unit $variant $t (status $status, $took, $log)" \
		"$(grep -vE '^\[( +OK +| RUN +)\]' "$log" | tail -n 40 |
			sed 's/^/        /')"
	return 1
}

if [ "${UNIT_ONE:-}" ]; then
	one "$UNIT_ONE" "$@"
	exit
fi
LOGS=${LOGS:-$(mktemp -d)}
export LOGS
# the slow ones first, so that none is left alone at the end
# shellcheck disable=SC2086
ls ${UNIT_SRC:-tests/unit/*_test.c} | sed 's|.*/||;s|\.c$||' |
	sort -t_ -k1,1r | xargs -P "${UNIT_JOBS:-$(nproc)}" -I{} \
	env UNIT_ONE={} "$0" "$@"
