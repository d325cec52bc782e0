# SPDX-License-Identifier: BSD-2-Clause
# matrix.guest.sh - Linux's side of matrix.sh: SECTORS is the disk's size, AT and
# MIB what to copy on it, in MiB: as much from AT to behind it.

find_disk() { disk=$(disk_of_size "$SECTORS"); }
modprobe xhci_pci
modprobe xhci_pci_renesas 2>/dev/null
modprobe usb_storage delay_use=0
modprobe uas
modprobe sd_mod
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
check "$K no warning in the kernel log" quiet_log
