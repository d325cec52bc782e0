#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# sleep.sh KERNEL [SPEED] - a Linux guest sleeps, S3 and S4 too, with a disk on vxhci
# mounted: it is back and readable, and Linux has not seen it go. So does its
# keyboard, alone, until somebody types.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/guest.sh"

# On a q35 SeaBIOS does not put the ports of ACPI's power management back after S3:
# the next sleep is none, and the machine cannot turn itself off.
KERNEL=${1:-newest} CPUS=1 TIMEOUT=900 BOARD=pc
# without a HPET time stands still after S3, now and then, with QEMU's own xHCI too
MACHINE=,hpet=on
guest_work sleep

mkdir "$WORK/files"
head -c 2M /dev/urandom >"$WORK/files/file"
truncate -s 16M "$WORK/disk.img"
mke2fs -q -t ext4 -d "$WORK/files" "$WORK/disk.img" || die "no mke2fs"
# where S4 keeps what was in memory
truncate -s 768M "$WORK/swap.img"

# Wakes the machine whenever it sleeps, until it says that it is awake, and how often
# that was.
host_wakeup() {
	: >"$WORK/asleep"
	{
		while [ -e "$WORK/asleep" ]; do
			sleep 0.3
			suspended || continue
			echo >>"$WORK/woken"
			qemu_monitor system_wakeup
		done
	} >/dev/null 2>&1 4>&- &
	echo soon
}
suspended() {
	qemu_monitor info status
	timeout 60 sed -un '/VM status/{p;q}' <&6 | grep -q suspended
}
host_awake() {
	rm -f "$WORK/asleep"
	wc -l <"$WORK/woken"
}
host_type() {
	[ "$VXHCI_PEER" = vxhci ] || {
		for key in v x h c i ret; do
			qemu_monitor "sendkey $key"
		done
		echo typed
		return
	}
	"$VXHCI" input --control "$WORK/ctl" key=v key=x key=h key=c key=i \
		key=enter 2>&1 && echo typed
}

speed=${2:-super}
case $speed in full) DRIVER=bot ;; *) DRIVER=uas ;; esac
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
