# SPDX-License-Identifier: BSD-2-Clause
# storage.guest.sh - the guest's side of storage.sh. HALF and FULL are MiB.

K="linux $KERNEL:"
MIB=2048 # sectors

find_disks() {
	super=$(disk_of_size $(((HALF * 2 + 1) * MIB))) &&
		high=$(disk_of_size $(((HALF * 2 + 2) * MIB))) &&
		full=$(disk_of_size $((FULL * 2 * MIB)))
}
# Bulk-only at all speeds (quirk u): uas.sh is for the other transport.
drivers_in() {
	modprobe xhci_pci &&
		{ modprobe xhci_pci_renesas 2>/dev/null || :; } &&
		modprobe usb_storage delay_use=0 quirks=1d6b:0104:u &&
		modprobe uas && modprobe sd_mod
}
drivers_out() {
	modprobe -r xhci_pci_renesas 2>/dev/null
	modprobe -r xhci_pci 2>/dev/null
	! grep -q '^xhci_pci ' /proc/modules
}
# copy FROM TO SKIP-MIB MIB - around the page cache; prints MB/s
copy() {
	copy_t0=$(cut -d' ' -f1 /proc/uptime | tr -d .)
	dd if="/dev/$1" of="/dev/$2" bs=1M skip="$3" seek="$3" count="$4" \
		iflag=direct oflag=direct conv=fsync 2>/tmp/dd.err || {
		cat /tmp/dd.err
		return 1
	}
	copy_t1=$(cut -d' ' -f1 /proc/uptime | tr -d .)
	echo "$1 to $2: $4 MiB," \
		"$(($4 * 105 / (copy_t1 - copy_t0 + 1))) MB/s each way"
}
same() { [ "$(host compare "$@")" = same ]; }
speed_is() {
	[ "$(cat "$(usb_of "$1")/speed")" = "$2" ] || {
		echo "$1 has speed $(cat "$(usb_of "$1")/speed"), not $2"
		return 1
	}
}
speeds() {
	speed_is "$super" 5000 && speed_is "$high" 480 || return 1
	[ "$PEER" = qemu ] || speed_is "$full" 12
}
dd_same_in_guest() { # after a reset: what was equal still is
	echo 3 >/proc/sys/vm/drop_caches
	cmp -n $((16 << 20)) "/dev/$super" "/dev/$high"
}

all_suspended() {
	for d in $super $high $full; do
		[ "$(cat "$(usb_of "$d")/power/runtime_status")" = suspended ] ||
			return 1
	done
}
suspend_and_use() {
	for d in $super $high $full; do
		u=$(usb_of "$d")
		for p in "/sys/block/$d/device/power" "$u/power"; do
			echo 500 >"$p/autosuspend_delay_ms" 2>/dev/null
			echo auto >"$p/control" || return 1
		done
	done
	wait_for 10 all_suspended || {
		for d in $super $high $full; do
			u=$(usb_of "$d")
			echo "$d: $(cat "$u/power/runtime_status")," \
				"disk $(cat /sys/block/$d/device/power/runtime_status)"
		done
		return 1
	}
	sleep 2
	all_suspended || { echo "did not stay suspended"; return 1; }
	for d in $super $high $full; do
		timeout 20 dd if=/dev/$d of=/dev/null bs=64k count=16 \
			iflag=direct 2>/dev/null || { echo "$d: no read"; return 1; }
	done
}
# All devices through system sleep and back (the kernel's own test of it: no
# firmware takes part): the controller saves and restores its state.
system_sleep() {
	[ -e /sys/power/pm_test ] || { echo "no pm_test here"; return 1; }
	echo 1 >/sys/module/suspend/parameters/pm_test_delay
	echo devices >/sys/power/pm_test
	echo freeze >/sys/power/state || return 1
	echo none >/sys/power/pm_test
	for d in $super $high $full; do
		timeout 20 dd if=/dev/$d of=/dev/null bs=64k count=16 skip=64 \
			iflag=direct 2>/dev/null || { echo "$d: no read"; return 1; }
	done
}
# S3: firmware takes part, and the machine resets all its devices on the way
# back. A file system is mounted all the while.
device_of() { cat "$(usb_of "$1")/devnum"; }
suspend_to_ram() {
	grep -q deep /sys/power/mem_sleep || { echo "no S3 here"; return 1; }
	echo deep >/sys/power/mem_sleep
	modprobe ext4 && mke2fs /dev/$full >/dev/null 2>&1 &&
		mkdir -p /tmp/m && mount -t ext4 /dev/$full /tmp/m || {
		echo "no file system"
		return 1
	}
	echo before >/tmp/m/file
	dd if=/dev/urandom of=/tmp/m/data bs=64k count=16 2>/dev/null
	sum=$(md5sum </tmp/m/data)
	before="$(device_of $super) $(device_of $high) $(device_of $full)"
	echo 0 >/sys/class/rtc/rtc0/wakealarm
	echo +4 >/sys/class/rtc/rtc0/wakealarm
	echo mem >/sys/power/state || return 1
	echo 3 >/proc/sys/vm/drop_caches
	[ "$sum" = "$(md5sum </tmp/m/data)" ] && echo after >>/tmp/m/file &&
		umount /tmp/m || { echo "the file system is not as it was"; return 1; }
	after="$(device_of $super) $(device_of $high) $(device_of $full)"
	[ "$before" = "$after" ] || { echo "devices $before are now $after"; return 1; }
	for d in $super $high $full; do
		timeout 20 dd if=/dev/$d of=/dev/null bs=64k count=16 skip=64 \
			iflag=direct 2>/dev/null || { echo "$d: no read"; return 1; }
	done
}
stay_awake() {
	for d in $super $high $full; do
		echo on >"$(usb_of "$d")/power/control"
	done
}
rebind() {
	for round in 1 2 3 4 5; do
		drivers_out || { echo "round $round: still loaded"; return 1; }
		drivers_in || { echo "round $round: does not load"; return 1; }
		wait_for 15 find_disks || {
			echo "round $round: disks missing"
			return 1
		}
		dd if=/dev/$super of=/dev/null bs=1M count=4 iflag=direct \
			2>/dev/null || { echo "round $round: no read"; return 1; }
	done
}

phase=$(host phase)
drivers_in || fail "$K drivers load"
if ! wait_for 20 find_disks; then
	fail "$K three disks found"
	usb_tree
	end
fi
if [ "$phase" = second ]; then
	ok "$K back after a reset in the middle of a transfer"
	check "$K reads correctly after the reset" dd_same_in_guest
	check "$K no warning in the kernel log after the reset" quiet_log
	end
fi
ok "$K three disks found"
check "$K speeds as asked for" speeds
usb_tree

copy $super $high 0 $HALF || fail "$K copy"
check "$K $HALF MiB read at super, written at high speed" \
	same super high 0 $HALF
copy $high $super $HALF $HALF || fail "$K copy"
check "$K $HALF MiB read at high, written at super speed" \
	same super high $HALF $HALF
copy $full $super 0 $FULL || fail "$K copy"
check "$K $FULL MiB read at full speed" same full super 0 $FULL
copy $super $full $FULL $FULL || fail "$K copy"
check "$K $FULL MiB written at full speed" same full super $FULL $FULL
# make the first halves equal again for the check after the reset
copy $full $high 0 $FULL || fail "$K copy"

two_disks() {
	dd if=/dev/$super of=/tmp/a bs=1M count=16 skip=$HALF iflag=direct \
		2>/dev/null &
	a=$!
	dd if=/dev/$high of=/tmp/b bs=1M count=16 skip=$HALF iflag=direct \
		2>/dev/null || return 1
	wait $a && cmp /tmp/a /tmp/b
	two_rc=$?
	rm -f /tmp/a /tmp/b
	return $two_rc
}
check "$K two disks at once" two_disks
check "$K no warning in the kernel log" quiet_log

idle=$(host idle)
case $idle in
skip) skip "$K idle: only with vxhci" ;;
0) ok "$K idle for 10 s: vxhci wakes 0 times" ;;
*) fail "$K idle for 10 s: vxhci wakes 0 times, but: $idle" ;;
esac

check "$K suspended when idle, and used again" suspend_and_use
stay_awake
check "$K no warning in the kernel log after suspends" quiet_log
check "$K system sleep and back, and used again" system_sleep
check "$K no warning in the kernel log after that" quiet_log
check "$K suspended to memory with a disk mounted, and used again" suspend_to_ram
check "$K no warning in the kernel log after that" quiet_log
check "$K driver removed and back five times" rebind
check "$K no warning in the kernel log after that" quiet_log

dd if=/dev/$high of=/dev/$super bs=1M seek=$HALF count=$HALF skip=$HALF \
	iflag=direct oflag=direct 2>/dev/null &
host reset
fail "$K reset: the machine went on"
