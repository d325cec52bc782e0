#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# record.sh all|NAME… - makes recordings of fixtures/recordings anew, all or those
# named (seabios, linux-6.1-bot, …). Each is replayed before it is put in place.
# record.sh linux KERNEL bot|uas FILE - any other: Linux KERNEL (6.1, 6.12, newest)
# with a disk, driven by usb-storage or by uas, at super, high or full speed (SPEED);
# with ALL=1 a keyboard, on which is typed, and a headset, at which is played, too.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/guest.sh"

NAMES='linux-6.1-bot linux-newest-uas edk2 seabios u-boot ipxe'
DIR=$TOP/fixtures/recordings

# one NAME TO - a recording of that name in the folder TO
one() {
	case $1 in
	linux-6.1-bot) ALL=1 SPEED=high "$0" linux 6.1 bot "$2/$1.vxrec" ;;
	linux-newest-uas) ALL=1 "$0" linux newest uas "$2/$1.vxrec" ;;
	edk2)
		KEYBOARD=1 MATRIX_RECORD=$2 "$TOP/tests/guest/matrix.sh" ovmf &&
			mv "$2/ovmf.vxrec" "$2/edk2.vxrec"
		;;
	seabios | u-boot | ipxe)
		KEYBOARD=1 MATRIX_RECORD=$2 "$TOP/tests/guest/matrix.sh" "$1"
		;;
	*) die "$1: not a recording that is made here: use one of $NAMES" ;;
	esac
}

if [ "${1:-}" != linux ]; then
	[ $# -gt 0 ] || die "usage: record.sh all|NAME…"
	[ "$1" != all ] || set -- $NAMES
	to=$(mktemp -d "${TMPDIR:-/tmp}/vxhci-record.XXXXXX") || exit 1
	trap 'rm -rf "$to"' EXIT
	bad=0
	for name; do
		if one "$name" "$to" && "$VXHCI" replay "$to/$name.vxrec"; then
			cat "$to/$name.vxrec" >"$DIR/$name.vxrec"
		else
			say "FAILED $name"
			bad=1
		fi
	done
	"$TOP/tests/trace/sums.sh" --update
	exit $bad
fi

[ $# = 4 ] || die "usage: record.sh linux KERNEL bot|uas FILE"
KERNEL=$2 DRIVER=$3 OUT=$4 TIMEOUT=${TIMEOUT:-100}
MIB=16
guest_work record
truncate -s ${MIB}M "$WORK/disk.img"
SLOTS="30,xhci,storage=$WORK/disk.img,speed=${SPEED:-super}"
SERVE_ARGS="--record $OUT --control $WORK/ctl"
if [ -n "${ALL:-}" ]; then
	SLOTS="$SLOTS,keyboard,at=3,audio,speed=high,at=4"
	MODULES="$MODULES snd_usb_audio"
	make -s -C "$TOP" B="${B:=build}" "$B/hostrig/static/evlog" \
		"$B/hostrig/static/pcm" >&2 || exit 1
	case $B in /*) ;; *) B=$TOP/$B ;; esac
	PROGRAMS="$B/hostrig/static/evlog $B/hostrig/static/pcm"
fi
host_type() {
	printf 'key=%s\n' v x h c i leftshift f12 enter |
		"$VXHCI" input --control "$WORK/ctl" --port 3 - 2>&1 && echo done
}
guest_boot "$TOP/tests/trace/disk.guest.sh" MIB=$MIB KERNEL="$KERNEL" \
	DRIVER="$DRIVER" ALL="${ALL:-}" || exit 1
"$VXHCI" replay "$OUT"
