#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# record.sh linux KERNEL FILE - makes a recording of fixtures/recordings: Linux
# KERNEL (6.1, 6.12, newest) with a disk at super, high or full speed (SPEED).
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/guest.sh"

[ $# = 3 ] && [ "$1" = linux ] || die "usage: record.sh linux KERNEL FILE"
KERNEL=$2 OUT=$3 TIMEOUT=${TIMEOUT:-100}
MIB=16
guest_work record
truncate -s ${MIB}M "$WORK/disk.img"
SLOTS="30,xhci,storage=$WORK/disk.img,speed=${SPEED:-super}"
SERVE_ARGS="--record $OUT"
guest_boot "$TOP/tests/trace/disk.guest.sh" MIB=$MIB KERNEL="$KERNEL" || exit 1
"$VXHCI" replay "$OUT"
