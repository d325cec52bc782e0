# SPDX-License-Identifier: BSD-2-Clause
# pin.guest.sh - the guest's side of pin.sh: disks of 2 and 4 times MIB, on two
# controllers whose interrupt is CHIP's.

find_disks() {
	disk1=$(disk_of_size $((MIB * 4096))) &&
		disk2=$(disk_of_size $((MIB * 8192)))
}
modprobe xhci_pci
modprobe xhci_pci_renesas 2>/dev/null
modprobe usb_storage delay_use=0
modprobe uas
modprobe sd_mod
modprobe usbhid
modprobe hid_generic
modprobe evdev
wait_for 60 find_disks || {
	fail "$K disks"
	usb_tree
	cat /proc/interrupts
	end
}

# 16:  1234  0  IO-APIC  16-fasteoi  xhci-hcd:usb1, xhci-hcd:usb3
line() { grep xhci /proc/interrupts; }
irq() { line | sed 's/^ *//; s/:.*//'; }
count() { # of all CPUs
	line | awk '{ for (i = 2; $i ~ /^[0-9]+$/; i++) n += $i; print n }'
}
one_line() {
	line
	[ "$(line | wc -l)" = 1 ] || { echo "it is not one"; return 1; }
	line | grep -q " $CHIP .*xhci.*, *xhci" || { echo "not so"; return 1; }
	case $CHIP in
	IO-APIC) line | grep -q fasteoi || { echo "no level"; return 1; } ;;
	esac
	set -- /sys/bus/pci/devices/*/usb*/../msi_irqs
	[ ! -e "$1" ] || { echo "messages too"; return 1; }
}
check "$K two controllers at one line, without messages" one_line

copy() { # DISK MIB
	dd if="/dev/$1" of="/dev/$1" bs=64k iflag=direct oflag=direct \
		seek=$(($2 * 16)) count=$(($2 * 16)) conv=fsync 2>"/tmp/err.$1"
}
copied() {
	copy "$disk1" "$MIB" &
	copier=$!
	copy "$disk2" $((2 * MIB)) && wait $copier || {
		cat /tmp/err.*
		return 1
	}
	[ "$(host copied)" = same ]
}

# still [UP DOWN LEVEL UP DOWN LEVEL] - both pins are down, and it is now known what
# has been counted until then: $up, by the pins, and $interrupts, by Linux.
still() {
	for n in 1 2 3 4 5 6 7 8 9; do
		interrupts=$(count)
		# shellcheck disable=SC2046
		set -- $(host pins)
		up=$(($1 + $4))
		[ "$1 $3 $4 $6" = "$2 0 $5 0" ] &&
			[ "$interrupts" = "$(count)" ] && return
		sleep 1
	done
	echo "pins: $*; interrupts: $interrupts, $(count)"
	return 1
}
unhandled() { awk '$1 == "unhandled" { print $2 }' "/proc/irq/$(irq)/spurious"; }

counted() {
	still || return 1
	up0=$up interrupts0=$interrupts none0=$(unhandled)
	copied || { echo "the disks"; return 1; }
	still || return 1
	up=$((up - up0)) interrupts=$((interrupts - interrupts0))
	none=$(($(unhandled) - none0))
	echo "up $up times, $interrupts interrupts, $none not for us"
	# A pin that goes up while the other is, is one interrupt for both; one
	# that is up again before it is acknowledged is one for two.
	[ $up -gt 200 ] && [ $interrupts -gt 100 ] &&
		[ $interrupts -le $((up + up / 8)) ] && [ $none -le $((up / 8)) ]
}
check "$K disks are copied, with an interrupt when a pin goes up" counted

typed() {
	wait_for 60 keyboard || { echo "no keyboard"; return 1; }
	cat "$(keyboard)" >/tmp/events &
	reader=$!
	wait_for 60 reads_events $reader
	still || return 1
	before=$interrupts
	[ "$(host type)" = typed ] && wait_for 60 vxhci_typed
	typed_rc=$?
	kill $reader
	[ $typed_rc = 0 ] || pressed
	still || return 1
	echo "$((interrupts - before)) interrupts"
	# six keys, down and up
	[ $typed_rc = 0 ] && [ $((interrupts - before)) -ge 6 ]
}
check "$K reads the keyboard" typed
believed() { ! dmesg | grep -iE 'nobody cared|disabling IRQ|irqpoll'; }
check "$K Linux believes in the line" believed
check "$K no other warning in the kernel log" quiet_log
