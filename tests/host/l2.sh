# SPDX-License-Identifier: BSD-2-Clause
# l2.sh - in L2: runs the lines that L1 sends, each with its output (lines
# beginning with ':') and its exit status.

modprobe xhci_pci
modprobe xhci_pci_renesas 2>/dev/null
modprobe usbtest

# usb_find VENDOR:PRODUCT - its folder in sysfs; without another process, each of
# which takes its time here
usb_find() {
	for find_dev in /sys/bus/usb/devices/*; do
		read -r find_vendor 2>/dev/null <"$find_dev/idVendor" &&
			read -r find_product 2>/dev/null <"$find_dev/idProduct" &&
			[ "$find_vendor:$find_product" = "$1" ] || continue
		echo "$find_dev"
		return 0
	done
	return 1
}
# usb_node VENDOR:PRODUCT - its file in /dev
usb_node() {
	node_dir=$(usb_find "$1") || return 1
	printf '/dev/bus/usb/%03d/%03d\n' "$(cat "$node_dir/busnum")" \
		"$(cat "$node_dir/devnum")"
}

# disk_of bot|uas - by their drivers
disk_of() {
	case $1 in bot) disk_drv=usb-storage ;; *) disk_drv=uas ;; esac
	for disk_sd in /sys/block/sd*; do
		disk_if=$(readlink -f "$disk_sd/device/../../..")
		[ "$(basename "$(readlink "$disk_if/driver")")" = "$disk_drv" ] ||
			continue
		[ "$(cat "$disk_sd/size")" -gt 0 ] || continue
		echo "${disk_sd##*/}"
		return 0
	done
	return 1
}
# input_of WORDS - the /dev/input/eventN whose name has them
input_of() {
	for input_d in /sys/class/input/event*; do
		grep -q "$1" "$input_d/device/name" 2>/dev/null || continue
		echo "/dev/input/${input_d##*/}"
		return 0
	done
	return 1
}
now() { cut -d. -f1 /proc/uptime; }
# retries - how many there were since it was asked, and the ms for which the driver
# spun
retries() {
	dmesg -c | awk '/unlink retry/ { sub(/^[[] */, ""); t = $1 + 0
		if (t - last < 0.001) spun += t - last
		last = t; n++ } END { printf "%d, %d ms\n", n, spun * 1000 }'
}

echo "@ready $(cut -d' ' -f1 /proc/uptime)"
while IFS= read -r l2_cmd; do
	case $l2_cmd in end) break ;; esac
	command eval "$(printf '%s' "$l2_cmd" | tr '\037' '\n')" </dev/null >/tmp/cmd.out 2>&1
	l2_rc=$?
	sed 's/^/:/' /tmp/cmd.out
	echo "@rc $l2_rc"
done
