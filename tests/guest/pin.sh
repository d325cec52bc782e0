#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# pin.sh [KERNEL] [pic] - Linux's driver with the interrupt pin: two controllers
# linked into QEMU (tests/linked/qemu/), whose pins are one line of the I/O APIC,
# or of the 8259. Both disks are read and written at a time, and the keyboard; how
# often Linux was interrupted is compared with how often the pins went up. B: the
# build folder.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/guest.sh"

KERNEL=${1:-newest} LINKED=1 MIB=8
[ "$VXHCI_PEER" = vxhci ] || die "the pin is vxhci's"
case ${B:=build} in /*) ;; *) B=$TOP/$B ;; esac
unset MAKEFLAGS MAKELEVEL
make -s -C "$TOP" B="$B" CC=gcc "$B/linked/qemu.so" >&2 || exit 1
guest_work pin

head -c $((2 * MIB))M /dev/urandom >"$WORK/1.img"
head -c $((4 * MIB))M /dev/urandom >"$WORK/2.img"
SLOTS="30,xhci,storage=$WORK/1.img,speed=super,keyboard
	31,xhci,storage=$WORK/2.img,speed=high"
APPEND=pci=nomsi
chip=IO-APIC
[ "${2:-}" != pic ] || chip=XT-PIC APPEND="$APPEND noapic"

# host_pins - times up, times down, and the level, of each controller
host_pins() {
	for n in 1 2; do
		rm -f "$WORK/pin.$n"
		echo "pin $WORK/pin.$n" >"$WORK/linked.$n"
		until [ -e "$WORK/pin.$n" ]; do
			kill -0 "$qemu_pid" || return 1
			sleep 0.05
		done
		printf '%s ' "$(cat "$WORK/pin.$n")"
	done
}
host_type() {
	printf 'key %s\n' v x h c i enter >"$WORK/linked.1" && echo typed
}
# the first half of each disk is copied to the second
host_copied() {
	for n in 1 2; do
		half=$(($(wc -c <"$WORK/$n.img") / 2))
		cmp -s -i 0:$half -n $half "$WORK/$n.img" "$WORK/$n.img" || {
			echo "disk $n differs"
			return
		}
	done
	echo same
}

allow=$(grep -v '^#' "$TOP/tests/guest/dmesg.allow" | paste -sd '|' -)
echo "guest: Debian kernel $KERNEL, pin, $chip"
guest_boot "$TOP/tests/guest/pin.guest.sh" K="linux $KERNEL, pin, $chip:" \
	ALLOW="$allow" MIB=$MIB CHIP=$chip
