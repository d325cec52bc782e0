#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh [quick] - `make check` and `make check-quick`. Installs what is missing,
# runs every step, says ok or FAILED for each with its seconds, and ends with
# `N passed, N failed`. The logs stay in $B/check.
# Environment: B (the build folder), CC, CHECK_KERNELS (of the guest tests),
# CHECK_FUZZ (seconds of all fuzzers together).
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/lib.sh"
cd "$TOP" || exit 1

kind=${1:-full}
B=${B:-build}
LOGS=$B/check
KERNELS=${CHECK_KERNELS:-6.1 newest}
mkdir -p "$LOGS"
rm -f "$LOGS"/*.log
passed=0 failed=0 failures= twice=
# steps call make: nothing of an outer make's flags
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL CC
started=$(now_ms)

heading() { printf '\n-- %s\n' "$*"; }
seconds() { echo "$(($1 / 1000)).$(($1 % 1000 / 100)) s"; }

pass() {
	passed=$((passed + 1))
	printf 'ok      %s\n' "$*"
}
miss() {
	failed=$((failed + 1))
	failures="$failures
        $*"
	printf 'FAILED  %s\n' "$*"
}

# step NAME COMMAND… - one result; the log is shown when it fails.
step() {
	step_name=$1
	step_log=$LOGS/$(echo "$1" | tr ' /' '__').log
	shift
	step_t0=$(now_ms)
	if "$@" >"$step_log" 2>&1; then
		pass "$step_name ($(seconds $(($(now_ms) - step_t0))))"
	else
		miss "$step_name (status $?, $step_log)"
		tail -n 40 "$step_log" | sed 's/^/        /'
		return 1
	fi
}

# build VARIANT TARGET… with the variant's folder and flags
build() {
	build_to=$1
	shift
	case $build_to in
	gcc) make -s -k -j2 B="$B" CC=gcc "$@" ;;
	# clang's also finds addresses past an array that nothing is read at,
	# and so all is built with clang, too
	asan) make -s -k -j2 B="$B/asan" SAN=asan CC=clang "$@" ;;
	tsan) make -s -k -j2 B="$B/tsan" SAN=tsan CC=gcc "$@" ;;
	esac
}

# units VARIANT FOLDER [COMMAND…] - runs the unit tests, each a result: those of
# $unit_src, or all.
unit_src=
units() {
	results "units $1" env LOGS="$LOGS" UNIT_SRC="$unit_src" \
		tests/check/units.sh "$@"
}

# commands VARIANT FOLDER - runs the tests of the program's commands.
commands() {
	for src in tests/cli/*.sh; do
		results "commands $1 $(basename "$src" .sh)" \
			env VXHCI="$(realpath "$2")/vxhci" "$src"
	done
}

# linked FOLDER [COMMAND…] - a VMM with the library linked in runs a firmware.
linked() {
	linked_in=$1
	shift
	results "linked $linked_in" timeout 300 "$@" "$linked_in/linked/seabios" \
		"${SEABIOS:-/usr/share/seabios/bios-256k.bin}" \
		"$linked_in/linked/boot.bin"
}

# run_results NAME COMMAND… - a command that prints its own `ok` and `FAILED`
# lines; they are shown as they come, with what is indented below a FAILED one.
# Sets n_ok, n_bad and results_status.
run_results() {
	results_name=$1
	results_log=$LOGS/$(echo "$1" | tr ' /' '__').log
	shift
	{
		"$@" 2>&1
		echo "status $?"
	} | tee "$results_log" | awk '
		/^(ok|FAILED|skipped) / { print; fflush(); bad = /^FAILED/; next }
		bad && /^ / { print; fflush(); next }
		{ bad = 0 }'
	n_ok=$(grep -c '^ok ' "$results_log")
	n_bad=$(grep -c '^FAILED ' "$results_log")
	results_status=$(tail -n 1 "$results_log")
	[ "$results_status" = 'status 0' ] ||
		grep -v 'dmesg: ' "$results_log" | tail -n 30 | sed 's/^/        /'
}

# the FAILED lines of the last run, or what else was wrong with it
what_failed() {
	if [ "$n_bad" != 0 ]; then
		grep '^FAILED ' "$results_log" | sed 's/^FAILED/        /'
	elif [ "$n_ok" = 0 ]; then
		echo "         $results_name: it tested nothing, $results_log"
	elif [ "$results_status" != 'status 0' ]; then
		echo "         $results_name ($results_status, $results_log)"
	fi
}

# results NAME COMMAND… - runs it and counts its results.
results() {
	run_results "$@"
	count_results
}
count_results() {
	passed=$((passed + n_ok))
	bad=$(what_failed)
	[ "$bad" ] || return 0
	[ "$n_bad" != 0 ] || printf 'FAILED  %s\n' "${bad#         }"
	failed=$((failed + $(echo "$bad" | grep -c .)))
	failures="$failures
$bad"
}

# rig NAME COMMAND… - the same for a machine in a machine, whose clocks are those
# of this one: what fails is run once more from its start, and that it did is
# said in the summary.
rig() {
	run_results "$@"
	bad=$(what_failed)
	if [ "$bad" ]; then
		echo "again   $results_name"
		mv "$results_log" "${results_log%.log}.first.log"
		twice="$twice
$bad"
		run_results "$@"
	fi
	count_results
}

heading dependencies
step "packages" tests/rig/deps.sh check ||
	{ printf '\n%d passed, %d failed\n' $passed $failed; exit 1; }

heading "build and style"
step "build with gcc" build gcc all unit-build linked-programs
step "format" tests/check/format.sh
step "includes point one way" tests/check/includes.sh
step "the include check finds what it is for" tests/check/includes_test.sh
step "what VMMs rely on is still so" tests/check/abi.sh
step "the check of that finds what it is for" tests/check/abi_test.sh
step "the tests that docs/hazards.md names" tests/check/hazards.sh
step "the numbers of docs/limits.md" tests/check/limits.sh
step "the guests that README.md names" tests/check/matrix.sh
step "the tests that docs/xhci-coverage.md and drivers.md name" tests/check/doc_tests.sh
[ "$kind" = quick ] || step "nothing of Linux alone" tests/check/portable.sh

heading "unit tests"
units gcc "$B"
commands gcc "$B"
results "traces" tests/trace/replay.sh "$B" $kind
linked "$B"
heading "installation"
results "install" env B="$B" CC=gcc tests/check/install_test.sh
if [ "$kind" != quick ]; then
	heading "unit tests with sanitizers"
	step "build with clang, ASan and UBSan" build asan all unit-build \
		linked-programs fuzz-replay
	units asan "$B/asan"
	for dir in fixtures/fuzz/*/; do
		t=$(basename "$dir")
		step "inputs asan $t" timeout 120 "$B/asan/fuzzreplay/$t" "$dir"
	done
	commands asan "$B/asan"
	# the recordings; what the unit tests do was just run with it
	results "traces asan" tests/trace/replay.sh "$B/asan" quick
	linked "$B/asan"
	# the controller, the built-in devices and what counts have no threads;
	# where a call fails once, threads do what they do in vfu_race_test
	unit_src=$(ls tests/unit/*_test.c | grep -vE \
		'/(emu_|devices_|fail_(vfu|control|manage|record)_|vmm_dma|lib_bench_)' |
		paste -sd ' ' -)
	step "build with TSan" build tsan UNIT_SRC="$unit_src" unit-build \
		linked-programs
	# TSan cannot live with every layout of memory
	fixed="setarch $(uname -m) -R"
	$fixed true 2>/dev/null || fixed=
	# shellcheck disable=SC2086
	units tsan "$B/tsan" $fixed
	# shellcheck disable=SC2086
	linked "$B/tsan" $fixed

	heading "fuzzers"
	results "fuzz" env B="$B" FUZZ_TOTAL="${CHECK_FUZZ:-30}" tests/fuzz/run.sh

	heading "guests"
	export VXHCI="$TOP/$B/vxhci"
	case $B in /*) VXHCI=$B/vxhci ;; esac
	step "QEMU" tests/rig/qemu.sh
	# shellcheck disable=SC2016
	step "without io_uring" tests/rig/no-io-uring.pl perl -MPOSIX=ENOSYS -e \
		'exit !(syscall(425, 1, 0) == -1 && $! == ENOSYS)'
	# a disk on each kernel; the rest on the newest
	for k in $KERNELS; do
		step "kernel $k" tests/rig/kernel.sh "$k" || continue
		rig "guest $k" env STORAGE_MIB=96 tests/guest/storage.sh "$k"
	done
	k=${KERNELS##* }
	rig "guest $k uas" tests/guest/uas.sh "$k"
	rig "usbtest $k" env B="$B" tests/guest/usbtest.sh "$k"
	rig "input" env B="$B" tests/guest/input.sh "$k"
	rig "media" env B="$B" tests/guest/media.sh "$k"
	rig "guest matrix" tests/guest/matrix.sh short
	rig "demo" env B="$B" tests/guest/demo.sh
	rig "host" env B="$B" tests/host/host.sh short
fi

[ "$kind" = quick ] || step "hazards" tests/check/hazards.sh "$LOGS"

heading "summary, after $(seconds $(($(now_ms) - started)))"
[ -z "$twice" ] || printf 'failed at first, run again:%s\n' "$twice"
[ -z "$failures" ] || printf 'FAILED:%s\n' "$failures"
printf '%d passed, %d failed\n' $passed $failed
[ $failed = 0 ]
