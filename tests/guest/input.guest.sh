# SPDX-License-Identifier: BSD-2-Clause
# input.guest.sh - the guest's side of input.sh.

K="linux $KERNEL:"

# event_of NAME - the event device of the input device with that name
event_of() {
	for e in /sys/class/input/event*; do
		[ "$(cat "$e/device/name")" = "$1" ] &&
			echo "/dev/input/${e##*/}" && return 0
	done
	return 1
}
all_there() {
	event_of "vxhci vxhci keyboard" && event_of "vxhci vxhci tablet" &&
		event_of "vxhci vxhci mouse"
}
# typed WHAT NAME - what the host does reaches evdev whole and in order. For 50 ms
# after a device is opened Linux drops what comes from it.
typed() {
	evlog "$(event_of "$2")" 3 >/tmp/seen.$1 &
	logger=$!
	wait_for 10 reads_events $logger
	sleep 1
	said=$(host type "$1")
	wait $logger
	[ "$said" = done ] || { echo "$said"; return 1; }
	echo "$(wc -l </tmp/seen.$1) events"
	[ "$(sha256sum </tmp/seen.$1 | cut -c1-64)" = "$(host expect "$1")" ] ||
		{ head -n 20 /tmp/seen.$1; return 1; }
}

modprobe xhci_pci
modprobe xhci_pci_renesas 2>/dev/null
modprobe usbhid
modprobe hid_generic
modprobe evdev
wait_for 20 all_there || {
	fail "$K keyboard, tablet and mouse"
	usb_tree
	cat /sys/class/input/event*/device/name
	end
}
usb_tree
ok "$K keyboard, tablet and mouse"
check "$K 1000 events of the keyboard, in order" \
	typed keys "vxhci vxhci keyboard"
check "$K 1000 moves and steps of the tablet, in order" \
	typed tablet "vxhci vxhci tablet"
check "$K 150 moves and clicks of the mouse, in order" \
	typed mouse "vxhci vxhci mouse"
check "$K no warning in the kernel log" quiet_log
