# SPDX-License-Identifier: BSD-2-Clause
# matrix.guest.sh - Linux's side of matrix.sh: SECTORS is the disk's size, AT and
# MIB what to copy on it, in MiB: as much from AT to behind it. IRQ is msix or msi
# where the controller has one vector, of that kind.

find_disk() { disk=$(disk_of_size "$SECTORS"); }
modprobe xhci_pci
modprobe xhci_pci_renesas 2>/dev/null
modprobe usb_storage delay_use=0
modprobe uas
modprobe sd_mod
modprobe usbhid
modprobe hid_generic
modprobe evdev
wait_for 60 find_disk || {
	fail "$K a disk"
	usb_tree
	end
}
only_xhci() {
	n=0
	for d in /sys/bus/pci/devices/*; do
		case $(cat "$d/class") in
		0x0c03*) n=$((n + 1)) ;;
		esac
	done
	[ $n = 1 ]
}
check "$K one USB controller" only_xhci
[ -z "$IOMMU" ] || check "$K behind an IOMMU" \
	[ -e "$(echo /sys/bus/pci/devices/*/usb1/../iommu_group)" ]
echo "$(basename "$(readlink "$(usb_of $disk)"/*:1.0/driver)")," \
	"$(cat "$(usb_of $disk)/speed") Mb/s"
copied() {
	dd if=/dev/"$disk" of=/dev/"$disk" bs=256k iflag=direct oflag=direct \
		skip=$((AT * 4)) seek=$(((AT + MIB) * 4)) count=$((MIB * 4)) \
		conv=fsync 2>/tmp/err || { cat /tmp/err; return 1; }
	[ "$(host copied)" = same ]
}
check "$K reads and writes the disk" copied

one_vector() {
	set -- /sys/bus/pci/devices/*/usb1/../msi_irqs/*
	[ $# = 1 ] || { echo "vectors: $#"; return 1; }
	cat "$1"
	grep "^ *${1##*/}:.*xhci" /proc/interrupts || cat /proc/interrupts
	[ "$(cat "$1")" = "$IRQ" ]
}
[ -z "$IRQ" ] || check "$K with one vector" one_vector

typed() {
	wait_for 60 keyboard || { echo "no keyboard"; return 1; }
	cat "$(keyboard)" >/tmp/events &
	reader=$!
	wait_for 60 reads_events $reader
	[ "$(host type)" = typed ] && wait_for 60 vxhci_typed
	typed_rc=$?
	kill $reader
	[ $typed_rc = 0 ] || pressed
	return $typed_rc
}
check "$K reads the keyboard" typed
check "$K no warning in the kernel log" quiet_log
