#!/bin/busybox sh
# SPDX-License-Identifier: BSD-2-Clause
# init.sh - /init of the test guests. The kernel's console is the first serial
# port, a log; all this prints goes to the second one, which the host's guest.sh
# reads line by line:
#   @boot · @ok NAME · @FAIL NAME: WHY · @skip NAME: WHY · @host WORD [ARG…] · @end
# and answers to `host` come back on. Runs /test/run.sh (the test), then powers
# the machine off.

/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
export PATH=/bin
mountpoint -q /dev || mount -t devtmpfs dev /dev
tty=/dev/ttyS1
[ ! -e /dev/ttyAMA1 ] || tty=/dev/ttyAMA1
exec <$tty >$tty 2>&1
stty raw -echo <$tty

ok() { echo "@ok $*"; }
skip() { echo "@skip $*"; }
fail() {
	echo "@FAIL $*"
	# the kernel's side of it, what was not shown before
	dmesg >/tmp/dmesg
	[ -e /tmp/dmesg.shown ] || echo 0 >/tmp/dmesg.shown
	tail -n +$(($(cat /tmp/dmesg.shown) + 1)) /tmp/dmesg |
		tail -n 40 | sed 's/^/dmesg: /'
	wc -l </tmp/dmesg >/tmp/dmesg.shown
}
# end - powers off; without it having been called the host sees a failure.
end() {
	echo "@end"
	sync
	poweroff -f
	sleep 60
}
# host WORD [ARG…] - the host's function host_WORD; prints what that printed.
host() {
	echo "@host $*" >$tty
	read -r host_reply <$tty
	echo "$host_reply"
}
# check NAME COMMAND… - ok if the command succeeds. Its output is shown.
check() {
	check_name=$1
	shift
	if "$@"; then ok "$check_name"; else fail "$check_name: $*"; fi
}
# wait_for SECONDS COMMAND… - until the command succeeds.
wait_for() {
	wait_left=$(($1 * 20))
	shift
	until "$@" >/dev/null 2>&1; do
		wait_left=$((wait_left - 1))
		[ $wait_left -gt 0 ] || return 1
		usleep 50000
	done
}
# usb_of NODE - the USB device's folder in sysfs of a disk such as sda.
usb_of() {
	usb_dir=$(readlink -f "/sys/block/$1/device") || return 1
	while [ ${#usb_dir} -gt 5 ]; do
		[ -e "$usb_dir/idVendor" ] && echo "$usb_dir" && return 0
		usb_dir=${usb_dir%/*}
	done
	return 1
}
# disk_of_size SECTORS - prints the name of the disk with that many.
disk_of_size() {
	for disk in /sys/block/sd*; do
		[ "$(cat "$disk/size" 2>/dev/null)" = "$1" ] || continue
		echo "${disk##*/}"
		return 0
	done
	return 1
}
# keyboard - the event device of the built-in one.
keyboard() {
	for e in /sys/class/input/event*; do
		grep -q 'vxhci keyboard' "$e/device/name" || continue
		echo "/dev/input/${e##*/}"
		return 0
	done
	return 1
}
# reads_events PID - whether it has an event device open.
reads_events() { ls -l "/proc/$1/fd" | grep -q input/event; }
# pressed - the keys in /tmp/events, by number: struct input_event, 24 bytes.
pressed() {
	od -An -v -w24 -tu2 /tmp/events |
		awk '$9 == 1 && $11 == 1 { printf "%s ", $10 }'
}
# vxhci_typed - whether these are "vxhci" and Enter.
vxhci_typed() { [ "$(pressed)" = "47 45 35 46 23 28 " ]; }
# warnings - kernel messages of warning level and worse since the last call.
warnings() {
	dmesg -r | grep '^<[0-4]>' >/tmp/warn.now || :
	: >>/tmp/warn.before
	tail -n +$(($(wc -l </tmp/warn.before) + 1)) /tmp/warn.now
	cp /tmp/warn.now /tmp/warn.before
}
# quiet_log [PATTERN] - no warning that speaks of USB or disks since the last call
# of warnings, but for those that $ALLOW or PATTERN matches. Shows what there is.
quiet_log() {
	warnings | grep -iE 'xhci|usb|uas|scsi|sd |sd[a-z]|hub|I/O error|blk' |
		grep -vE "${ALLOW:-^$}" | grep -vE "${1:-^$}" >/tmp/bad
	[ ! -s /tmp/bad ] || {
		cat /tmp/bad
		return 1
	}
}
# usb_tree - what the guest sees on its USB buses, after `lsusb -t`.
usb_tree() {
	for tree_dev in /sys/bus/usb/devices/*; do
		[ -e "$tree_dev/idVendor" ] || continue
		tree_name=${tree_dev##*/}
		case $tree_name in
		usb*) tree_pad='' tree_key= ;;
		*) tree_pad='    |__ ' tree_key=${tree_name#*-} ;;
		esac
		tree_drv=
		for tree_if in "$tree_dev":* "$tree_dev"/*:*; do
			[ -e "$tree_if/driver" ] || continue
			tree_drv=$(basename "$(readlink "$tree_if/driver")")
			break
		done
		echo "$(cat "$tree_dev/busnum").$tree_key" \
			"$tree_pad$tree_name $(cat "$tree_dev/idVendor"):$(
			cat "$tree_dev/idProduct") $(
			cat "$tree_dev/manufacturer" 2>/dev/null) $(
			cat "$tree_dev/product" 2>/dev/null), driver $tree_drv, $(
			cat "$tree_dev/speed")M"
	done | sort | cut -d' ' -f2-
}

echo "@boot $(uname -r)"
. /test/run.sh
end
