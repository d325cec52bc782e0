#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# record.sh linux KERNEL bot|uas FILE - makes a recording of fixtures/recordings:
# Linux KERNEL (6.1, 6.12, newest) with a disk, driven by usb-storage or by uas, at
# super, high or full speed (SPEED).
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/guest.sh"

[ $# = 4 ] && [ "$1" = linux ] ||
	die "usage: record.sh linux KERNEL bot|uas FILE"
KERNEL=$2 DRIVER=$3 OUT=$4 TIMEOUT=${TIMEOUT:-100}
MIB=16
guest_work record
truncate -s ${MIB}M "$WORK/disk.img"
SLOTS="30,xhci,storage=$WORK/disk.img,speed=${SPEED:-super}"
SERVE_ARGS="--record $OUT"
guest_boot "$TOP/tests/trace/disk.guest.sh" MIB=$MIB KERNEL="$KERNEL" \
	DRIVER="$DRIVER" || exit 1
"$VXHCI" replay "$OUT"
