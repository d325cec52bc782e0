#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# input.sh KERNEL - keyboard, mouse and tablet in a Linux guest, driven by `vxhci
# input`: each event reaches evdev once and in order. Needs B, the build folder,
# where the program that runs in the guest is built.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/guest.sh"

KERNEL=${1:-newest} CPUS=1
MODULES="xhci_pci xhci_pci_renesas usbhid hid_generic evdev"
[ "$VXHCI_PEER" = vxhci ] || die "there are no such devices but vxhci's"
guest_work input

make -s -C "$TOP" B="${B:=build}" CC=gcc "$B/hostrig/static/evlog" >&2 ||
	die "no evlog"
case $B in /*) ;; *) B=$TOP/$B ;; esac
PROGRAMS=$B/hostrig/static/evlog
N=500 # presses, and places with a step of the wheel each
M=50  # ways of the mouse with a click each; it is slow, at low speed

# What to do, and what evdev says to that: TYPE CODE VALUE
words() {
	case $1 in
	keys) awk -v n=$N 'BEGIN { split("a b c leftshift enter f12", k)
		for (i = 0; i < n; i++) print "key=" k[i % 6 + 1] }' ;;
	tablet) awk -v n=$N 'BEGIN { for (i = 1; i <= n; i++)
		printf "abs=%d,%d wheel=%d\n", i * 3, i * 5, i % 2 ? 1 : -1 }' ;;
	mouse) awk -v n=$M 'BEGIN { for (i = 1; i <= n; i++)
		printf "rel=%d,%d button=%s\n", i, -i,
			i % 2 ? "left" : "right" }' ;;
	esac
}
expected() {
	case $1 in
	keys) awk -v n=$N 'BEGIN { split("30 48 46 42 28 88", k)
		for (i = 0; i < n; i++) { c = k[i % 6 + 1]
			print 1, c, 1; print 1, c, 0 } }' ;;
	tablet) awk -v n=$N 'BEGIN { for (i = 1; i <= n; i++) {
		print 3, 0, i * 3; print 3, 1, i * 5
		w = i % 2 ? 1 : -1; print 2, 8, w; print 2, 11, w * 120 } }' ;;
	mouse) awk -v n=$M 'BEGIN { for (i = 1; i <= n; i++) {
		print 2, 0, i; print 2, 1, -i
		c = i % 2 ? 272 : 273; print 1, c, 1; print 1, c, 0 } }' ;;
	esac
}
host_type() { # WHAT
	port=0
	[ "$1" != mouse ] || port=3
	[ "$1" != tablet ] || port=2
	words "$1" | "$VXHCI" input --control "$WORK/ctl" --port $port - 2>&1 &&
		echo done
}
host_expect() { expected "$1" | sha256sum | cut -c1-64; }

SERVE_ARGS="--control $WORK/ctl"
SLOTS="30,xhci,keyboard,tablet,mouse,speed=low"
allow=$(grep -v '^#' "$TOP/tests/guest/dmesg.allow" | paste -sd '|' -)
echo "guest: Debian kernel $KERNEL, keyboard, tablet, mouse"
guest_boot "$TOP/tests/guest/input.guest.sh" KERNEL="$KERNEL" \
	ALLOW="$allow" || exit 1
