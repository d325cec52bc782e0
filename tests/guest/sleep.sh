#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# sleep.sh KERNEL [SPEED] - a Linux guest sleeps, S3 too, with a disk on vxhci mounted: it
# is back and readable, and Linux has not seen it go.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/guest.sh"

KERNEL=${1:-newest} CPUS=1
# without a HPET time stands still after S3, now and then, with QEMU's own xHCI too
MACHINE=,hpet=on
guest_work sleep

mkdir "$WORK/files"
head -c 2M /dev/urandom >"$WORK/files/file"
truncate -s 16M "$WORK/disk.img"
mke2fs -q -t ext4 -d "$WORK/files" "$WORK/disk.img" || die "no mke2fs"

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

speed=${2:-super}
case $speed in super) DRIVER=uas ;; *) DRIVER=bot ;; esac
SLOTS="30,xhci,storage=$WORK/disk.img,speed=$speed"
allow=$(grep -v '^#' "$TOP/tests/guest/dmesg.allow" | paste -sd '|' -)
echo "guest: Debian kernel $KERNEL, sleep, $DRIVER"
guest_boot "$TOP/tests/guest/sleep.guest.sh" KERNEL="$KERNEL" \
	ALLOW="$allow" SECTORS=32768 DRIVER=$DRIVER || exit 1
e2fsck -fn "$WORK/disk.img" >/dev/null 2>&1 || {
	echo "FAILED linux $KERNEL: sleep: the file system is damaged"
	exit 1
}
