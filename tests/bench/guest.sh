#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# guest.sh - a guest's direct reads and writes of a disk, through vxhci and
# through QEMU's own controller, in turn. Prints MB/s, interrupts a command and
# the cpu seconds of all processes. ROUNDS=2 by default.

TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/guest.sh"

guest_work bench
KERNEL=${KERNEL:-6.1} CPUS=1
truncate -s 256M "$WORK/a.img"
SPEED=${SPEED:-super}
SLOTS="30,xhci,storage=$WORK/a.img,speed=$SPEED"
ROUNDS=${ROUNDS:-2}

cpu() { # user and system seconds of the children so far
	times | sed -n 2p
}

round=0
while [ $round -lt "$ROUNDS" ]; do
	round=$((round + 1))
	for VXHCI_PEER in vxhci qemu; do
		echo "== $VXHCI_PEER, round $round"
		guest_boot "$TOP/tests/bench/guest.guest.sh" || exit 1
		serve_stop
		cpu
	done
done
