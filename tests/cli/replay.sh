#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# replay.sh - `vxhci replay` on a recording that is whole, changed and cut off:
# what it says and its exit status. Environment: VXHCI, the program.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
VXHCI=${VXHCI:-$TOP/build/vxhci}
whole=$TOP/fixtures/recordings/linux-6.1-bot.vxrec
work=$(mktemp -d "${TMPDIR:-/tmp}/vxhci-replay.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
bad=0

# says STATUS PATTERN LINES NAME ARGUMENT… - of all output, in a second
says() {
	status=$1 pattern=$2 lines=$3 name=$4
	shift 4
	timeout 10 "$VXHCI" replay "$@" >"$work/out" 2>&1
	rc=$?
	if [ $rc != "$status" ]; then
		why="status $rc, not $status"
	elif ! grep -qe "$pattern" "$work/out"; then
		why="no line like '$pattern'"
	elif [ "$lines" != - ] && [ "$(wc -l <"$work/out")" != "$lines" ]; then
		why="$(wc -l <"$work/out") lines, not $lines"
	else
		echo "ok      replay: $name"
		return
	fi
	bad=1
	echo "FAILED  replay: $name: $why"
	head -n 5 "$work/out"
}

size=$(wc -c <"$whole")
head -c $((size / 2)) "$whole" >"$work/half"
head -c $((size - 1)) "$whole" >"$work/most"
head -c 16 "$whole" >"$work/header"
: >"$work/empty"
{ # another byte in the middle
	head -c $((size / 2)) "$whole"
	tail -c +$((size / 2 + 1)) "$whole" | head -c 1 | tr '\000-\377' '\001-\377\000'
	tail -c +$((size / 2 + 2)) "$whole"
} >"$work/changed"
{ cat "$whole"; tail -c 100 "$whole" | head -c 60; } >"$work/longer"

says 0 'controller 30: no difference in [0-9]* records' 1 "a recording" "$whole"
says 0 'no difference' 2 "two of them" "$whole" "$whole"
says 0 'no difference.*cut off' 1 "half of one" "$work/half"
says 0 'no difference.*cut off' 1 "all but a byte" "$work/most"
says 0 'empty' 1 "nothing but the header" "$work/header"
says 2 'no recording' 1 "an empty file" "$work/empty"
says 1 'damaged: a block is damaged' 1 "a changed byte" "$work/changed"
says 1 'damaged at byte' 2 "more behind the end" "$work/longer"
says 2 'missing' 2 "a file that is missing, and one that is there" \
	"$work/missing" "$whole"
says 0 'no difference' 1 "from a pipe" /dev/stdin <"$whole"
says 0 'Command Completion Event: Success' - "--explain" --explain "$whole"
for text in 'guest writes USBCMD = .* R/S' 'guest writes Doorbell 1' \
	'Enable Slot Command' 'Transfer Event: Short Packet' \
	'PORTSC 1 .*CCS' 'port 1: a device comes, high speed' \
	'Endpoint Context: Running, Bulk IN' 'setup 80 06 0100 0000 0012'; do
	grep -q "$text" "$work/out" || {
		bad=1
		echo "FAILED  replay: --explain has no '$text'"
	}
done
says 0 'transfers$' - "--stats" --stats "$whole"
says 1 'damaged' - "--explain of a changed file" --explain "$work/changed"
exit $bad
