# SPDX-License-Identifier: BSD-2-Clause
# case-usbip.sh - isochronous and interrupt endpoints in both directions, on a
# device that a program of the tests plays for L1's kernel.

USBIP_CASES="15 16 22 23 25 26"
USBIP=
# usbip_on PORT full|high|super - of the bus with that speed, counted from 0
usbip_on() {
	usbip_dev "$2" "$1" >>/tmp/usbip.log 2>&1 &
	USBIP=$!
}
usbip_off() {
	kill $USBIP 2>/dev/null
	wait $USBIP 2>/dev/null
	l1_wait 10 sh -c '! grep -q 0525 /sys/bus/usb/devices/*/idVendor'
}
usbip_seen() { # SPEED
	l2_wait 40 "$(zero_is "$1") && ls -d \$(usb_find 0525:a4a0)/*/driver" \
		>/dev/null
}
usbip_tests() { # TO
	L2_SECONDS=300 l2 "testusb \$(usb_node 0525:a4a0) 20 6144 0 32 $USBIP_CASES" \
		>"/tmp/usbip.$1"
}
usbip_qemu() { # SPEED
	usbip_on 1 "$1"
	l1_wait 20 l1_node 0525:a4a0 || { cat /tmp/usbip.log; return 1; }
	usbip_bus=$V2
	[ "$1" = super ] && usbip_bus=$V3
	l2_monitor "device_add usb-host,bus=qx.0,id=qi,hostbus=$usbip_bus,hostport=2"
	usbip_rc=0
	usbip_seen "$1" && usbip_tests qemu || usbip_rc=1
	l2_monitor device_del qi
	usbip_off
	l2_wait 20 '! usb_find 0525:a4a0' >/dev/null
	return $usbip_rc
}
usbip_frames() { # in|out
	L2_SECONDS=100 l2 "isoc \$(usb_node 0525:a4a0) $1 ${USBIP_PACKETS:-4000}"
}
usbip_vxhci() { # SPEED
	usbip_on 0 "$1"
	must "usbip $1: in L2" usbip_seen "$1" || { usbip_off; return; }
	check "usbip $1: usbtest $USBIP_CASES" usbip_tests vxhci
	check "usbip $1: what comes in is right, frame by frame" usbip_frames in
	check "usbip $1: what goes out is right, frame by frame" usbip_frames out
	usbip_off
	l2_wait 20 '! usb_find 0525:a4a0' >/dev/null
}
usbip_speed() {
	: >/tmp/usbip.qemu >/tmp/usbip.vxhci
	# QEMU's comes last: L2 may not get over it
	case $2 in
	vxhci) usbip_vxhci "$1" ;;
	qemu) usbip_qemu "$1" || echo "usbip $1: QEMU's usb-host fails" ;;
	esac
	echo "usbip $1, $2:"
	zero_table /tmp/usbip
}
case_usbip() {
	session qx || return
	for p in vxhci ${L2_HAS_QX:+qemu}; do
		for s in ${USBIP_SPEEDS:-full high super}; do
			usbip_speed "$s" $p
		done
	done
}
