# SPDX-License-Identifier: BSD-2-Clause
# capture.guest.sh - what a guest does while its disk is captured: very little.

K="linux $KERNEL:"
find_disk() { disk=$(disk_of_size 2048); }
drivers_in() {
	modprobe xhci_pci &&
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
	dd if=/dev/"$disk" of=/dev/null bs=2k count=6 skip=70 iflag=direct \
		2>/dev/null &&
		printf '%02048d' 7 |
		dd of=/dev/"$disk" bs=2k seek=81 oflag=direct conv=fsync \
			2>/dev/null
}
# 10 reads at a time: streams
read_many() {
	for i in 0 1 2 3 4 5 6 7 8 9; do
		dd if=/dev/"$disk" of=/dev/null bs=1k count=1 \
			skip=$((100 + 9 * i)) iflag=direct 2>/dev/null &
	done
	wait
}

check "$K drivers load" drivers_in
check "$K a disk" wait_for 20 find_disk
check "$K driven by $DRIVER" driver_right
check "$K read and written" read_write
check "$K read by many at once" read_many
end
