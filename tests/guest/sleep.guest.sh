# SPDX-License-Identifier: BSD-2-Clause
# sleep.guest.sh - the guest's side of sleep.sh.

K="linux $KERNEL: sleep:"
find_disk() { disk=$(disk_of_size "$SECTORS"); }
modprobe xhci_pci
modprobe xhci_pci_renesas 2>/dev/null
modprobe usb_storage delay_use=0
[ "$DRIVER" = bot ] || modprobe uas
modprobe sd_mod
modprobe ext4
wait_for 20 find_disk || {
	fail "$K a disk"
	usb_tree
	end
}
u=$(usb_of "$disk")
before=$(cat "$u/devnum")
check "$K the disk's file system is mounted" mount -t ext4 /dev/"$disk" /mnt
sum=$(sha256sum </mnt/file)

woken() { # the rest of a sleep: it was one, and nothing else
	[ "$(sha256sum </mnt/file)" = "$sum" ] ||
		{ echo "the file reads otherwise"; return 1; }
	echo 3 >/proc/sys/vm/drop_caches
	[ "$(sha256sum </mnt/file)" = "$sum" ] ||
		{ echo "the file reads otherwise from the disk"; return 1; }
	echo "after $1" >"/mnt/$1" && sync -f /mnt && [ -s "/mnt/$1" ] ||
		{ echo "it cannot be written"; return 1; }
	[ "$(cat "$u/devnum")" = "$before" ] || {
		echo "the disk is device $(cat "$u/devnum"), not $before"
		return 1
	}
	! dmesg | grep -iE 'USB disconnect|device not accepting|I/O error'
}
slept() { dmesg | grep -c 'Waking up from system sleep state S3'; }
real_sleep() { # S3: firmware takes part, and the host wakes the machine
	n=$(slept)
	[ "$(host wakeup)" = soon ] || return 1
	echo deep >/sys/power/mem_sleep || { echo "no S3"; return 1; }
	echo mem >/sys/power/state || return 1
	host awake >/dev/null
	[ "$(slept)" = $((n + 1)) ] || { echo "it did not sleep"; return 1; }
	woken "s3-$n"
}
idle_sleep() { # the kernel's own test: devices sleep, a second later they wake
	echo 1 >/sys/module/suspend/parameters/pm_test_delay
	echo devices >/sys/power/pm_test
	echo freeze >/sys/power/state || return 1
	echo none >/sys/power/pm_test
	woken devices
}

check "$K devices asleep and back" idle_sleep
check "$K S3 and back, the disk mounted" real_sleep
check "$K S3 again" real_sleep
check "$K unmounted" umount /mnt
check "$K no other warning in the kernel log" quiet_log \
	'xHC error in resume, USBSTS|invalid context state for evaluate context'
