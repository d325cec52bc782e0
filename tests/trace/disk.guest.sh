# SPDX-License-Identifier: BSD-2-Clause
# disk.guest.sh - what a guest does while it is recorded: finds its disk, reads
# and writes it, lets it sleep and wakes it (uas cannot), reads what is typed and
# plays and records sound (ALL), and lets the driver go.

K="linux $KERNEL:"
find_disk() { disk=$(disk_of_size $((MIB * 2048))); }
drivers_in() {
	modprobe xhci_pci &&
		{ modprobe xhci_pci_renesas 2>/dev/null || :; } &&
		case $DRIVER in
		bot) modprobe usb_storage delay_use=0 quirks=1d6b:0104:u ;;
		uas) modprobe usb_storage delay_use=0 && modprobe uas ;;
		esac && modprobe sd_mod
}
driver_is() { [ -e /sys/bus/usb/drivers/$1/*-*:1.0 ]; }
driver_right() {
	case $DRIVER in bot) driver_is usb-storage ;; uas) driver_is uas ;; esac
}
read_write() {
	dd if=/dev/"$disk" of=/dev/null bs=64k count=32 iflag=direct 2>/dev/null &&
		dd if=/dev/zero of=/dev/"$disk" bs=64k count=16 seek=16 \
			oflag=direct conv=fsync 2>/dev/null &&
		dd if=/dev/"$disk" of=/dev/null bs=4k count=64 skip=9 \
			iflag=direct 2>/dev/null
}
asleep() { [ "$(cat "$(usb_of "$disk")/power/runtime_status")" = suspended ]; }
sleep_and_wake() {
	for p in "/sys/block/$disk/device/power" "$(usb_of "$disk")/power"; do
		echo 200 >"$p/autosuspend_delay_ms" 2>/dev/null
		echo auto >"$p/control" || return 1
	done
	wait_for 10 asleep || return 1
	dd if=/dev/"$disk" of=/dev/null bs=64k count=4 skip=3 iflag=direct \
		2>/dev/null
}
more_drivers_in() {
	modprobe usbhid && modprobe hid_generic && modprobe evdev &&
		modprobe snd_usb_audio
}
keyboard() {
	for e in /sys/class/input/event*; do
		[ "$(cat "$e/device/name")" != "vxhci vxhci keyboard" ] ||
			echo "/dev/input/${e##*/}"
	done | grep event
}
reads_events() { ls -l "/proc/$1/fd" | grep -q input/event; }
# for 50 ms after it is opened Linux drops what is typed
typed() {
	evlog "$(keyboard)" 3 >/tmp/seen &
	logger=$!
	wait_for 10 reads_events $logger
	sleep 1
	said=$(host type)
	wait $logger
	[ "$said" = done ] && [ "$(wc -l </tmp/seen)" = 16 ] || {
		echo "$said"
		cat /tmp/seen
		return 1
	}
}
sound_is_there() { [ -e /dev/snd/pcmC0D0c ] && [ -e /dev/snd/pcmC0D0p ]; }
sound() {
	pcm record /dev/snd/pcmC0D0c 2 1 >/tmp/recorded &
	recorder=$!
	pcm count /dev/snd/pcmC0D0p 2 1
	wait $recorder
}
drivers_out() {
	modprobe -r xhci_pci_renesas 2>/dev/null
	modprobe -r xhci_pci 2>/dev/null
	! grep -q '^xhci_pci ' /proc/modules
}

check "$K drivers load" drivers_in
check "$K a disk" wait_for 20 find_disk
check "$K driven by $DRIVER" driver_right
check "$K read and written" read_write
[ "$DRIVER" = uas ] || check "$K asleep and awake" sleep_and_wake
if [ -n "$ALL" ]; then
	check "$K more drivers" more_drivers_in
	check "$K a keyboard" wait_for 20 keyboard
	check "$K read what was typed" typed
	check "$K sound" wait_for 20 sound_is_there
	check "$K played and recorded" sound
	modprobe -r snd_usb_audio
fi
check "$K driver gone" drivers_out
end
