#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# uas.sh KERNEL - USB Attached SCSI in a Linux guest with two virtual cpus: a
# disk at super speed, with streams, and one at high speed, without; many
# commands at a time, errors amid them, drivers gone and back.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/guest.sh"

KERNEL=${1:-newest} CPUS=2 TIMEOUT=${TIMEOUT:-120}
guest_work uas

# Random below HALF on one disk and above it on the other, as in storage.sh
HALF=64 # MiB
big=$((HALF * 2))
head -c ${HALF}M /dev/urandom >"$WORK/super.img"
truncate -s $((big + 1))M "$WORK/super.img"
truncate -s ${HALF}M "$WORK/high.img"
head -c ${HALF}M /dev/urandom >>"$WORK/high.img"
truncate -s $((big + 2))M "$WORK/high.img"

host_compare() { # FILE FILE SKIP-MIB MIB
	cmp -s -i $(($3 << 20)) -n $(($4 << 20)) "$WORK/$1.img" \
		"$WORK/$2.img" && echo same || echo differs
}
# The image ends in the middle of the disk, and is whole again.
host_shrink() { truncate -s ${HALF}M "$WORK/super.img" && echo done; }
host_grow() { truncate -s $((big + 1))M "$WORK/super.img" && echo done; }

SLOTS="30,xhci,storage=$WORK/super.img,speed=super,storage=$WORK/high.img,speed=high"
allow=$(grep -v '^#' "$TOP/tests/guest/dmesg.allow" | paste -sd '|' -)
echo "guest: Debian kernel $KERNEL, controller $VXHCI_PEER"
guest_boot "$TOP/tests/guest/uas.guest.sh" HALF=$HALF KERNEL="$KERNEL" \
	ALLOW="$allow" || exit 1
