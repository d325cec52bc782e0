#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# run.sh [NAME…] - `make check-mutants`: do the tests notice a fault? Each
# tests/mutants/NAME.patch is applied to a copy of the tree, which is built, and
# its tests are run until one fails; then the trace suite, alone. README.md says
# what is in a patch. Prints which test caught it, and whether the traces do. A
# fault that none catches, one that the traces do not and should, a patch that does
# not apply and one that does not compile are failures.
# Environment: B (the build folder; the copy is B/mutants), CC.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/lib.sh"
cd "$TOP" || exit 1

B=${B:-build}
case $B in /*) ;; *) B=$TOP/$B ;; esac
copy=$B/mutants
log=$copy/build/log
limit=60 # seconds a test has: a fault may make it hang
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL
caught=0 traced=0 bad=0

# What differs from the tree becomes as there, and newer than what was made of
# it; what the tree has not goes.
copy_refresh() {
	mkdir -p "$copy/build" || return 1
	git ls-files -z --cached --others --exclude-standard |
		tr '\0' '\n' | sort >"$copy/build/files"
	(cd "$copy" && find . -path ./build -prune -o -type f -print) |
		sed 's,^\./,,' | sort | comm -23 - "$copy/build/files" |
		while IFS= read -r f; do rm -f "$copy/$f"; done
	while IFS= read -r f; do
		[ -f "$f" ] || continue
		cmp -s "$f" "$copy/$f" && continue
		mkdir -p "$copy/$(dirname "$f")"
		cp "$f" "$copy/$f" || return 1
		chmod --reference="$f" "$copy/$f"
	done <"$copy/build/files"
}

mk() {
	make -s -j2 -C "$copy" B=build OPT='-O1 -g' "$@" >"$log" 2>&1
}

# run_test NAME - a unit test, or `replay`: the trace suite
run_test() (
	cd "$copy" || exit 1
	ulimit -v 8000000
	case $1 in
	replay) timeout $limit tests/trace/replay.sh build quick ;;
	*) timeout $limit "build/tests/$1" ;;
	esac >"$log" 2>&1
)

# first_failing TEST… - prints the first that fails
first_failing() {
	for t; do
		run_test "$t" && continue
		rc=$?
		echo "$t"
		[ $rc != 124 ] || echo "(it hung)"
		return 0
	done
	return 1
}

all_tests() {
	for t in "$TOP"/tests/unit/*_test.c; do basename "$t" .c; done
	echo replay
}

field() { sed -n "/^--- /q; s/^$2: *//p" "$1"; }

# flip FILE PERCENT - changes a bit of the byte at that part of the file
flip() {
	flip_at=$(($(wc -c <"$1") * $2 / 100))
	flip_old=$(od -An -tu1 -j $flip_at -N1 "$1" | tr -d ' ')
	# shellcheck disable=SC2059
	printf "\\$(printf %03o $((flip_old ^ 16)))" |
		dd of="$1" bs=1 seek=$flip_at conv=notrunc 2>/dev/null
}

# plant PATCH - the fault into the copy; $touched: the files it is in
plant() {
	touched=$(sed -n 's,^+++ b/,,p' "$1")
	if [ -n "$touched" ]; then
		patch -d "$copy" -p1 -s -t -N -F1 --no-backup-if-mismatch \
			-r - <"$1" >"$log" 2>&1
		return
	fi
	flip_of=$(field "$1" Flip)
	# shellcheck disable=SC2086
	set -- $flip_of
	[ $# = 2 ] && [ -f "$copy/$1" ] || {
		echo "neither a diff nor 'Flip: FILE PERCENT'" >"$log"
		return 1
	}
	touched=$1
	flip "$copy/$1" "$2"
}

heal() {
	for f in $touched; do
		cp "$TOP/$f" "$copy/$f"
	done
}

# traces PATCH - the trace suite by itself, after a test noticed the fault:
# whether it does, and is to (`Traces: yes`)
traces() {
	if run_test replay; then
		by="$by; the traces do not notice"
		[ "$(field "$1" Traces)" != yes ]
		return
	fi
	traced=$((traced + 1))
	by="$by; the traces notice: $(sed -n 's/^FAILED *//p' "$log" |
		head -n 1 | cut -c1-60)"
}

verdict() { # WORD TEXT
	printf '%s %s: %s (%d s)\n' "$1" "$name" "$2" \
		$((($(now_ms) - name_t0) / 1000))
	[ "$1" = ok ] && caught=$((caught + 1)) && return
	bad=$((bad + 1))
	tail -n 15 "$log" | sed 's/^/        /'
}

one() { # PATCH
	name=$(basename "$1" .patch)
	name_t0=$(now_ms)
	what=$(head -n 1 "$1")
	if ! plant "$1"; then
		verdict FAILED "the patch does not apply"
		return
	fi
	likely=$(field "$1" Tests)
	targets="all build/tests/lib_trace_test"
	for t in $likely; do
		[ "$t" = replay ] || targets="$targets build/tests/$t"
	done
	# shellcheck disable=SC2086
	if ! mk $targets; then
		verdict FAILED "it does not compile"
	elif by=$(first_failing $likely) ||
		{ mk all unit-build && by=$(first_failing $(all_tests)); }; then
		by=$(echo $by)
		if traces "$1"; then
			verdict ok "$what: caught by $by"
		else
			verdict FAILED "$what: caught by $by, and are to"
		fi
	else
		: >"$log"
		verdict FAILED "$what: no test notices"
	fi
}

# wanted NAME… - the patches with these names, or all
wanted() {
	for patch in "$TOP"/tests/mutants/*.patch; do
		case " $* " in
		'  ' | *" $(basename "$patch" .patch) "*) echo "$patch" ;;
		esac
	done
}

# of some faults only the tests that are to notice are run without any
patches=$(wanted "$@")
tests=$(all_tests)
[ $# = 0 ] || tests=$(for p in $patches; do field "$p" Tests; done |
	tr ' ' '\n' | sort -u)
targets="all build/tests/lib_trace_test"
for t in $tests; do
	[ "$t" = replay ] || targets="$targets build/tests/$t"
done
copy_refresh || die "cannot copy the tree to $copy"
# shellcheck disable=SC2086
mk $targets || {
	tail -n 20 "$log" >&2
	die "the tree does not build"
}
if by=$(first_failing $tests replay); then
	tail -n 20 "$log" >&2
	die "$by fails without any fault planted"
fi
touched=
trap heal EXIT
trap 'exit 1' HUP INT TERM
for patch in $patches; do
	one "$patch"
	heal
	touched=
done
printf '%d faults caught, %d of them by the traces alone, %d not\n' $caught \
	$traced $bad
[ $bad = 0 ] && [ $caught -gt 0 ]
