# SPDX-License-Identifier: BSD-2-Clause
# case-managed.sh - L2 uses devices that vxhci manage gave its `vxhci serve`,
# which is nobody's and may not open /dev/bus/usb.

# l2_said TEXT… - in what L2's kernel said since the last look
l2_said() {
	l2 'dmesg -c' >/tmp/l2.said || return 1
	for t; do
		grep -q "$t" /tmp/l2.said || { cat /tmp/l2.said; return 1; }
	done
}
as_nobody() {
	/usr/bin/setpriv --reuid 65534 --regid 65534 --clear-groups \
		/bin/busybox "$@"
}
nobody_may_not() {
	as_nobody ls / >/dev/null && ! as_nobody ls /dev/bus/usb &&
		grep -q '^Uid:.65534.65534.65534.65534' \
			"/proc/$(cat /tmp/vm.a/pid)/status"
}
managed_reads() {
	l2 'dd if=/dev/$(disk_of bot) of=/dev/null bs=64k iflag=direct 2>/dev/null &'
	usleep 500000
}
managed_writes() {
	L2_SECONDS=300 l2 'dd if=/dev/urandom of=/tmp/w bs=64k count=64 2>/dev/null &&
dd if=/tmp/w of=/dev/$(disk_of bot) bs=64k seek=400 oflag=direct conv=fsync 2>/dev/null &&
md5sum </tmp/w' >/tmp/l2.sum || { cat /tmp/l2.sum; return 1; }
}
# L1's own driver has it again, with what L2 wrote
managed_wrote() {
	for sd in /sys/block/sd*; do
		case $(readlink -f "$sd") in */$managed_bus-3/*) ;; *) continue ;; esac
		dd if=/dev/${sd##*/} bs=64k skip=400 count=64 iflag=direct \
			2>/dev/null | md5sum >/tmp/l1.sum
	done
	cmp /tmp/l1.sum /tmp/l2.sum
}
case_managed() {
	session_end
	chmod 700 /dev/bus/usb
	chmod 1777 /tmp
	managed_bus=$HX3
	[ -e "/sys/bus/usb/devices/$HX3-3" ] || managed_bus=$HX2
	cat >/tmp/manage.json <<-END
	{"vms": {"a": {"control": "/tmp/vm.a/ctl", "user": "65534"}},
	"rules": [
		{"name": "disk", "match": {"bus": $managed_bus, "port": "3"}, "give": "a"},
		{"name": "zero", "match": {"id": "0525:a4a0"}, "give": "a"},
		{"name": "keys", "match": {"bus": $HX2, "port": "7"}, "give": "a"}
	]}
	END
	host monitor device_del bot >/dev/null
	gadget_off
	must "managed: a VM, as nobody" vm_serve a || return
	must "managed: the manager starts" manage_start || return
	check "managed: serve may not open a device node" nobody_may_not
	L2_SOCKETS=/tmp/vm.a/vfu l2_start ||
		{ fail "managed: L2 starts without its disk"; return; }
	ok "managed: L2 starts without its disk"
	l2 'modprobe sd_mod; modprobe usb_storage delay_use=0; modprobe usbhid; modprobe hid_generic; dmesg -c >/dev/null'
	gadget_on dummy_udc.0 high
	host replug >/dev/null
	check "managed: the disk comes" l2_wait 90 'disk_of bot'
	check "managed: L2's kernel says so" l2_said 'new .*USB device'
	check "managed: L2 writes to it" managed_writes
	check "managed: a test device, too" l2_wait 60 \
		'ls -d $(usb_find 0525:a4a0)/*/driver >/dev/null'
	check "managed: usbtest's control and bulk cases" \
		l2 'testusb $(usb_node 0525:a4a0) 50 2048 512 8 0 1 2 9 10'
	check "managed: status has the rule and the state" sh -c \
		"vxhci status --control /tmp/vm.a/ctl | grep -q 'attached *bus=$managed_bus,port=3 .*manage: disk'"
	check "managed: list has owner and rule" listed in-use 'VM a, rule disk'
	l2 'dmesg -c >/dev/null'
	managed_reads
	host monitor device_del bot >/dev/null
	check "managed: unplugged while L2 reads" l2_wait 60 '! disk_of bot'
	check "managed: the read has ended" l2 wait
	check "managed: L2's kernel says that it went" l2_said 'USB disconnect'
	host replug >/dev/null
	check "managed: back in its port" l2_wait 90 'disk_of bot'
	check "managed: L2's kernel says that it came" l2_said 'new .*USB device'
	managed_reads
	check "managed: taken back while L2 reads" \
		vxhci detach --control /tmp/vm.a/ctl "bus=$managed_bus,port=3"
	check "managed: it is gone in L2" l2_wait 60 '! disk_of bot'
	check "managed: the read has ended" l2 wait
	check "managed: L2's kernel says that it went" l2_said 'USB disconnect'
	check "managed: L1's driver has it" \
		wait_for 30 host_has $managed_bus 3 usb-storage
	check "managed: with what L2 wrote" wait_for 30 managed_wrote
	l2 'dmesg -c >/dev/null'
	manage_end KILL
	must "managed: the manager, killed, starts again" manage_start || return
	check "managed: the disk comes again" l2_wait 90 'disk_of bot'
	check "managed: L2's kernel says that it came" l2_said 'new .*USB device'
	check "managed: nothing else was away" \
		sh -c "! grep 'USB disconnect' /tmp/l2.said"
	vm_kill a KILL
	l2_stop
	check "managed: serve is killed, L1's driver has the disk" \
		wait_for 30 host_has $managed_bus 3 usb-storage
	check "managed: and the keyboard" wait_for 30 host_has $HX2 7 usbhid
	manage_end TERM
	gadget_off
	chmod 755 /dev/bus/usb
}
