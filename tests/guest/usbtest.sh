#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usbtest.sh KERNEL - Linux's usbtest driver on the built-in device zero, at
# full, high, super and (newest kernel, shortly) super-plus speed in one boot: each of its cases
# that such a device is for. CHECK_FULL=1 runs them longer. Needs B, the build
# folder, where the program that runs in the guest is built.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/guest.sh"

KERNEL=${1:-newest} CPUS=2 MODULES="xhci_pci xhci_pci_renesas usbtest"
FULL=${CHECK_FULL:-}
[ -z "$FULL" ] || TIMEOUT=900
[ "$VXHCI_PEER" = vxhci ] || die "there is no such device but vxhci's"
guest_work usbtest

make -s -C "$TOP" B="${B:=build}" CC=gcc "$B/hostrig/static/testusb" >&2 ||
	die "no testusb"
case $B in /*) ;; *) B=$TOP/$B ;; esac
PROGRAMS=$B/hostrig/static/testusb

wakeups() {
	cat /proc/"${serve_pids# }"/task/*/status |
		awk '/ctxt_switches/ { n += $2 } END { print n }'
}
# What wakes the server in 3 s while nothing is held by the devices. A guest that
# is slow has things to do a while longer.
host_idle() {
	for tries in 1 2 3 4 5 6 7 8; do
		before=$(wakeups)
		sleep 3
		after=$(wakeups)
		[ "$after" != "$before" ] || break
	done
	# one that is dead does not wake either
	grep -q '^State:.[RS]' /proc/"${serve_pids# }"/status || after=dead
	[ "$after" = dead ] && echo dead || echo $((after - before))
}

plus=
[ "$KERNEL" != newest ] || plus="zero,speed=super+,"
SLOTS="30,xhci,${plus}zero,speed=super,zero,speed=high,zero,speed=full"
allow=$(grep -v '^#' "$TOP/tests/guest/dmesg.allow" | paste -sd '|' -)
echo "guest: Debian kernel $KERNEL, usbtest"
guest_boot "$TOP/tests/guest/usbtest.guest.sh" KERNEL="$KERNEL" FULL="$FULL" \
	ALLOW="$allow" PLUS="$plus" || exit 1
