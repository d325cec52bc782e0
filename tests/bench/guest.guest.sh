# SPDX-License-Identifier: BSD-2-Clause
# guest.guest.sh - the guest's side of guest.sh.

irqs() {
	awk '/xhci/ { for (i = 2; i <= 9; i++) if ($i ~ /^[0-9]+$/) n += $i }
		END { print n + 0 }' /proc/interrupts
}
cs() { cut -d' ' -f1 /proc/uptime | tr -d .; } # hundredths of a second

move() { # NAME FROM TO KIB COUNT FLAG
	i0=$(irqs) t0=$(cs)
	dd if="$2" of="$3" bs="$4k" count="$5" "$6" 2>/dev/null || return 1
	t1=$(cs) i1=$(irqs)
	echo "$1 $4 KiB: $(($4 * $5 * 100 / 1024 / (t1 - t0 + 1))) MiB/s," \
		"$(((i1 - i0) * 100 / $5)) interrupts per 100 requests"
}
bench() {
	modprobe xhci_pci || return 1
	modprobe xhci_pci_renesas 2>/dev/null
	# bulk-only: one command at a time
	modprobe usb_storage delay_use=0 quirks=1d6b:0104:u &&
		modprobe sd_mod || return 1
	wait_for 20 test -b /dev/sda || return 1
	for kib in 4 64 512; do
		n=$((65536 / kib))
		[ $n -gt 1000 ] && n=1000
		move read /dev/sda /dev/null $kib $n iflag=direct || return 1
		move write /dev/zero /dev/sda $kib $n oflag=direct || return 1
	done
}
check "direct I/O" bench
