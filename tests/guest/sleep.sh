#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# sleep.sh KERNEL [SPEED] - a Linux guest sleeps, S3 and S4 too, with a disk on vxhci
# mounted: it is back and readable, and Linux has not seen it go. So does its
# keyboard, alone, until somebody types.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/guest.sh"

KERNEL=${1:-newest} CPUS=1 TIMEOUT=900
# without a HPET time stands still after S3, now and then, with QEMU's own xHCI too
MACHINE=,hpet=on
[ "$VXHCI_PEER" = vxhci ] || die "the keyboard is vxhci's"
guest_work sleep

mkdir "$WORK/files"
head -c 2M /dev/urandom >"$WORK/files/file"
truncate -s 16M "$WORK/disk.img"
mke2fs -q -t ext4 -d "$WORK/files" "$WORK/disk.img" || die "no mke2fs"
# where S4 keeps what was in memory
truncate -s 768M "$WORK/swap.img"

# Wakes the machine, again and again until it says that it is awake: what comes
# before it sleeps does nothing.
host_wakeup() {
	: >"$WORK/asleep"
	while [ -e "$WORK/asleep" ]; do
		sleep 1
		qemu_monitor system_wakeup
	done >/dev/null 2>&1 4>&- &
	echo soon
}
host_awake() { rm -f "$WORK/asleep"; }
# After S4 this machine does not turn itself off for QEMU to see, though Linux says
# that it is.
host_off() {
	until grep -q 'Power down' "$WORK/console"; do
		[ -d "$WORK" ] || return 0
		sleep 1
	done
	# it may have ended after all: nobody to read this
	timeout 10 sh -c 'echo quit >"$1"' - "$WORK/mon.in"
}
host_poweroff() {
	host_off >/dev/null 2>&1 4>&- &
	echo soon
}
host_type() {
	"$VXHCI" input --control "$WORK/ctl" key=v key=x key=h key=c key=i \
		key=enter 2>&1 && echo typed
}

speed=${2:-super}
case $speed in super) DRIVER=uas ;; *) DRIVER=bot ;; esac
SERVE_ARGS="--control $WORK/ctl"
SLOTS="30,xhci,storage=$WORK/disk.img,speed=$speed,keyboard"
SLOTS="$SLOTS,storage=$WORK/swap.img,speed=$speed"
allow=$(grep -v '^#' "$TOP/tests/guest/dmesg.allow" | paste -sd '|' -)
echo "guest: Debian kernel $KERNEL, sleep, $DRIVER"
# The first boot ends in S4, the second one goes on from there.
for boot in 1 2; do
	guest_boot "$TOP/tests/guest/sleep.guest.sh" KERNEL="$KERNEL" \
		ALLOW="$allow" SECTORS=32768 SWAP=1572864 DRIVER=$DRIVER \
		BOOT=$boot || exit 1
done
e2fsck -fn "$WORK/disk.img" >/dev/null 2>&1 || {
	echo "FAILED linux $KERNEL: sleep: the file system is damaged"
	exit 1
}
