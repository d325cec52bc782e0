#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# record.sh all|NAME… - makes recordings of fixtures/recordings anew, all or those
# named (seabios, linux-6.1-bot, …). Each is replayed before it is put in place.
# record.sh linux KERNEL bot|uas FILE - any other: Linux KERNEL (6.1, 6.12, newest)
# with a disk, driven by usb-storage or by uas, at super, high or full speed (SPEED).
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/guest.sh"

ALL='linux-6.1-bot linux-newest-uas edk2 seabios u-boot ipxe'
DIR=$TOP/fixtures/recordings

# one NAME TO - a recording of that name in the folder TO
one() {
	case $1 in
	linux-6.1-bot) SPEED=high "$0" linux 6.1 bot "$2/$1.vxrec" ;;
	linux-newest-uas) "$0" linux newest uas "$2/$1.vxrec" ;;
	linux-newest-audio)
		B=${B:-build} SOUND=1 MEDIA_RECORD=$2/$1.vxrec \
			"$TOP/tests/guest/media.sh" newest
		;;
	edk2)
		KEYBOARD=1 MATRIX_RECORD=$2 "$TOP/tests/guest/matrix.sh" ovmf &&
			mv "$2/ovmf.vxrec" "$2/edk2.vxrec"
		;;
	seabios | u-boot | ipxe)
		KEYBOARD=1 MATRIX_RECORD=$2 "$TOP/tests/guest/matrix.sh" "$1"
		;;
	*) die "$1: not a recording that is made here: use one of $ALL" ;;
	esac
}

if [ "${1:-}" != linux ]; then
	[ $# -gt 0 ] || die "usage: record.sh all|NAME…"
	[ "$1" != all ] || set -- $ALL
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
	exit $bad
fi

[ $# = 4 ] || die "usage: record.sh linux KERNEL bot|uas FILE"
KERNEL=$2 DRIVER=$3 OUT=$4 TIMEOUT=${TIMEOUT:-100}
MIB=16
guest_work record
truncate -s ${MIB}M "$WORK/disk.img"
SLOTS="30,xhci,storage=$WORK/disk.img,speed=${SPEED:-super}"
SERVE_ARGS="--record $OUT"
guest_boot "$TOP/tests/trace/disk.guest.sh" MIB=$MIB KERNEL="$KERNEL" \
	DRIVER="$DRIVER" || exit 1
"$VXHCI" replay "$OUT"
