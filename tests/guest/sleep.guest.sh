# SPDX-License-Identifier: BSD-2-Clause
# sleep.guest.sh - the guest's side of sleep.sh. BOOT is 1 or 2: that ends in S4, and
# this goes on from what it left on the disk of SWAP sectors.

K="linux $KERNEL: sleep:"
find_disks() {
	disk=$(disk_of_size "$SECTORS") && swap=$(disk_of_size "$SWAP")
}
modprobe xhci_pci
modprobe xhci_pci_renesas 2>/dev/null
modprobe usb_storage delay_use=0
[ "$DRIVER" = bot ] || modprobe uas
modprobe sd_mod
modprobe ext4
modprobe usbhid
modprobe hid_generic
modprobe evdev
wait_for 60 find_disks || {
	fail "$K a disk"
	usb_tree
	end
}
if [ "$BOOT" = 2 ]; then # does not come back from this
	cat "/sys/block/$swap/dev" >/sys/power/resume
	fail "$K S4: nothing to go on from"
	end
fi
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
slept=0
real_sleep() { # S3: firmware takes part, and the host wakes the machine
	[ "$(host wakeup)" = soon ] || return 1
	echo deep >/sys/power/mem_sleep || { echo "no S3"; return 1; }
	echo mem >/sys/power/state || return 1
	slept=$((slept + 1))
	[ "$(host awake)" = $slept ] || { echo "it did not sleep"; return 1; }
	woken "s3-$slept"
}
idle_sleep() { # the kernel's own test: devices sleep, a second later they wake
	echo 1 >/sys/module/suspend/parameters/pm_test_delay
	echo devices >/sys/power/pm_test
	echo freeze >/sys/power/state || return 1
	echo none >/sys/power/pm_test
	woken devices
}
# S4: what is in memory goes to a disk of vxhci's, and the machine off. The next
# boot reads it back, and the kernel finds another controller, that was reset.
hibernate() {
	mkswap "/dev/$swap" >/dev/null && swapon "/dev/$swap" || return 1
	cat "/sys/block/$swap/dev" >/sys/power/resume 2>/dev/null
	echo 0 >/sys/power/image_size
	echo shutdown >/sys/power/disk || return 1
	echo "@end"
	echo disk >/sys/power/state || return 1
	woken s4
}

keyboard() { # its event device
	for e in /sys/class/input/event*; do
		grep -qE 'vxhci keyboard|QEMU USB Keyboard' "$e/device/name" || continue
		k=$(readlink -f "$e/device")
		while [ ! -e "$k/idVendor" ]; do k=${k%/*}; done
		node=/dev/input/${e##*/}
		return 0
	done
	return 1
}
is() { [ "$(cat "$k/power/runtime_status")" = "$1" ]; }
enough() { [ "$(pressed)" = "$1" ]; }
# The keyboard sleeps as nobody types, and wakes the guest with the first key: none
# is lost.
key_wakes() {
	all=
	wait_for 60 keyboard || { echo "no keyboard"; return 1; }
	cat "$node" >/tmp/events &
	reader=$!
	wait_for 60 reads_events $reader
	key_rc=0
	for n in 1 2 3; do
		all="${all}47 45 35 46 23 28 "
		wait_for 60 is suspended || {
			echo "it does not sleep: $(cat "$k/power/runtime_status")"
			key_rc=1
			break
		}
		said=$(host type)
		[ "$said" = typed ] && wait_for 60 enough "$all" && continue
		echo "$said: $(pressed)"
		key_rc=1
		break
	done
	kill $reader
	[ "$(cat "$k/devnum")" = "$(cat /tmp/keyboard)" ] || {
		echo "the keyboard is another device"
		return 1
	}
	return $key_rc
}
autosuspend() {
	wait_for 60 keyboard || { echo "no keyboard"; return 1; }
	cat "$k/devnum" >/tmp/keyboard
	echo 100 >"$k/power/autosuspend_delay_ms" &&
		echo enabled >"$k/power/wakeup" &&
		echo auto >"$k/power/control"
}

check "$K the keyboard may sleep" autosuspend
check "$K it wakes when somebody types" key_wakes
check "$K devices asleep and back" idle_sleep
check "$K S3 and back, the disk mounted" real_sleep
check "$K S3 again" real_sleep
check "$K the keyboard still wakes" key_wakes
check "$K S4 and back, the disk mounted" hibernate
check "$K the keyboard wakes after that" key_wakes
check "$K unmounted" umount /mnt
# Linux's own, of a full speed device after S4: it enables a slot and evaluates EP0's
# context before it addresses the device, on qemu-xhci too, which does not look at the
# slot's state. A Context State Error by xHCI 1.2 §4.6.7; it goes on well.
check "$K no other warning in the kernel log" quiet_log \
	'invalid context state for evaluate context'
