# SPDX-License-Identifier: BSD-2-Clause
# case-end.sh - however vxhci ends, L1's own drivers have the devices again.

# the disk of driver usb-storage in L1, and that it reads
own_disk() {
	for d in /sys/block/sd*; do
		case $(readlink -f "$d/device/../../../driver") in
		*/usb-storage) ;;
		*) continue ;;
		esac
		dd if="/dev/${d##*/}" of=/dev/null bs=64k count=4 2>/dev/null &&
			return 0
	done
	return 1
}
own_drivers() {
	l1_wait 20 own_disk || { echo "no disk of usb-storage"; return 1; }
	l1_wait 10 l1_bound uas || { echo "uas is not bound"; return 1; }
	l1_wait 10 l1_bound usbhid || { echo "usbhid is not bound"; return 1; }
}
taken() {
	l1_wait 20 sh -c '! ls -d /sys/bus/usb/drivers/usb-storage/*:* &&
		! ls -d /sys/bus/usb/drivers/usbhid/*:*'
}
end_by() { # SIGNAL
	serve "$(slot_all)" || return 1
	# the devices are opened at start, with no guest there yet
	taken || { echo "they were not taken"; return 1; }
	serve_end "$1"
	end_rc=$?
	[ "$1" = KILL ] || [ $end_rc = 0 ] || {
		echo "ended with status $end_rc"
		return 1
	}
	own_drivers
}
case_end() {
	session_end
	check "end: L1's drivers before" own_drivers
	check "end: SIGTERM: L1's drivers are back" end_by TERM
	check "end: SIGKILL: L1's drivers are back" end_by KILL
	# and once more with a guest that is using them
	session || return
	check "end: L2 uses the disks" disks_up
	l2 'dd if=/dev/$(disk_of bot) of=/dev/null bs=64k iflag=direct 2>/dev/null &'
	serve_end KILL
	check "end: SIGKILL in the middle of a transfer: L1's drivers are back" \
		own_drivers
	session_end
	if session && disks_up >/dev/null; then
		l2 'dd if=/dev/$(disk_of bot) of=/dev/null bs=64k iflag=direct 2>/dev/null &'
		end_rc=0
		serve_end TERM || end_rc=$?
		check "end: SIGTERM in the middle of a transfer: status 0" \
			[ $end_rc = 0 ]
		check "end: and L1's drivers are back" own_drivers
	fi
	session_end
}
