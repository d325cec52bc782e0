#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# replay.sh BUILD [quick] - the trace suite: the fixtures are what they were
# (sums.sh), recordings run again, those of fixtures/recordings ten times each,
# and captures both ways, those of fixtures/captures (BUILD/tests/lib_trace_test).
# But for `quick`, recordings of every test that drives a controller as well, made
# now (BUILD/tests/lib_*_test). With $VXHCI_RECORDINGS, a folder with captures of
# devices, or one named captures in a folder beside this one, those are run both
# ways too (BUILD/tests/lib_trace_test). Prints `ok` and `FAILED` lines.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
BUILD=$1 KIND=${2:-full}
. "$TOP/tests/rig/lib.sh"
VXHCI=${VXHCI:-$BUILD/vxhci}
TIMES=10 # each fixture
work=$(mktemp -d "${TMPDIR:-/tmp}/vxhci-trace.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
bad=0

verdict() { # STATUS NAME: what the replay said is in $work/out
	if [ "$1" = 0 ]; then
		echo "ok      $2"
	else
		bad=1
		echo "FAILED  $2 (status $1)"
		grep -v 'no difference' "$work/out" | head -n 8
	fi
}

# others' captures: what cannot be a device says why
captures() {
	dir=${VXHCI_RECORDINGS:-}
	for d in "$TOP"/../*/captures; do
		[ -n "$dir" ] || [ ! -d "$d" ] || dir=$d
	done
	[ -n "$dir" ] || return
	find "$dir" \( -name '*.pcap' -o -name '*.pcapng' -o -name '*.pcap.gz' \
		-o -name '*.pcapng.gz' \) -print | sort >"$work/list"
	while read -r f; do
		name="capture ${f#"$dir"/}"
		timeout 60 "$BUILD/tests/lib_trace_test" "$f" >"$work/out" 2>&1
		rc=$?
		case $(head -n 1 "$work/out") in
		ok*) ran=$((ran + 1)) ;;
		refused*) name="$name is refused:$(sed 's/.*: it/ it/' "$work/out")" ;;
		esac
		verdict $rc "$name"
	done <"$work/list"
	echo "        $ran of $(wc -l <"$work/list") captures run both ways"
	# those with a description, through libusb, as umockdev plays them
	case $BUILD in */asan) return ;; esac
	VXHCI_RECORDINGS=$dir timeout 200 "$BUILD/tests/hostusb_recorded_test" \
		>"$work/out" 2>&1
	verdict $? "captures through libusb: $(tail -n 1 "$work/out"), $(grep -c \
		'\.ioctl$' "$work/out") of them ioctl's"
}

"$TOP/tests/trace/sums.sh" || bad=1
timeout 100 "$BUILD/tests/lib_trace_test" "$TOP"/fixtures/captures/*.pcap* \
	>"$work/out" 2>&1
verdict $? "captures, $(grep -c '^ok ' "$work/out"), both ways"

for f in "$TOP"/fixtures/recordings/*.vxrec; do
	[ -e "$f" ] || continue
	set --
	n=0
	while [ $n -lt $TIMES ]; do
		set -- "$@" "$f"
		n=$((n + 1))
	done
	began=$(now_ms)
	timeout 60 "$VXHCI" replay "$@" >"$work/out" 2>&1
	verdict $? "recording $(basename "$f" .vxrec), $TIMES times, in $((\
		$(now_ms) - began)) ms"
	# what was recorded has its end; a fixture that was cut off tells less
	! grep -q 'cut off\|ends there' "$work/out" ||
		verdict "cut off" "recording $(basename "$f" .vxrec) is whole"
done

[ "$KIND" != quick ] || exit $bad
captures
for t in "$BUILD"/tests/lib_*_test; do
	name=$(basename "$t")
	# this one records and replays by itself; these count allocations, move
	# guests, and take their memory away behind the controller's back, which
	# a recording cannot follow
	case $name in
	lib_replay_test | lib_bench_gates_test | lib_snapshot*_test | lib_sigbus_test)
		continue
		;;
	esac
	mkdir "$work/$name"
	VXHCI_TEST_RECORD=$work/$name timeout 120 "$t" >"$work/out" 2>&1 || {
		verdict $? "$name while it is recorded"
		continue
	}
	set -- "$work/$name"/*.vxrec
	[ -e "$1" ] || continue
	timeout 60 "$VXHCI" replay "$@" >"$work/out" 2>&1
	verdict $? "$name: $# controllers run again"
	rm -rf "${work:?}/$name"
done
exit $bad
