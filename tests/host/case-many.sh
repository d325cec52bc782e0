# SPDX-License-Identifier: BSD-2-Clause
# case-many.sh - more than one: guests, devices, hubs; and later.

many_plug() {
	host monitor device_add "usb-hub,bus=hx.0,port=12,id=hub" >/dev/null
	for n in 1 2 3 4 5 6; do
		host monitor device_add \
			"usb-mouse,bus=hx.0,port=12.$n,id=m$n" >/dev/null
	done
	host monitor device_add "usb-hub,bus=hx.0,port=12.7,id=hub2" >/dev/null
	for n in 1 2; do
		host monitor device_add \
			"usb-wacom-tablet,bus=hx.0,port=12.7.$n,id=w$n" >/dev/null
	done
}
many_unplug() { host monitor device_del hub >/dev/null; }
mice='$(grep -l "QEMU USB Mouse\|Wacom PenPartner" /sys/bus/usb/devices/*/product | wc -l)'
case_many() {
	session || return
	many_plug
	check "many: eight devices behind two hubs" l2_wait 90 "[ $mice = 8 ]"
	l2 usb_tree
	many_unplug
	check "many: and all gone with the hub" l2_wait 40 "[ $mice = 0 ]"
	host monitor device_add usb-mouse,bus=hx.0,port=1,id=late >/dev/null
	check "many: plugged in where nothing was at start" \
		l2_wait 40 "[ $mice = 1 ]"
	host monitor device_del late >/dev/null
	session_end
	many_two
}
# Two guests, each with a controller of its own, of one vxhci.
many_two() {
	serve "30,xhci,bus=$HX3,port=3" "31,xhci,bus=$HX3,port=4" ||
		{ fail "many: two controllers"; return; }
	(
		L2D=/tmp/other L2_SOCKETS=/tmp/vx.2
		l2_start || exit 1
		l2 'modprobe uas; modprobe sd_mod'
		l2_wait 60 'disk_of uas' || exit 1
		l2 'dd if=/dev/$(disk_of uas) of=/dev/null bs=64k count=64 iflag=direct'
		other_rc=$?
		l2_stop
		exit $other_rc
	) >/tmp/other.log 2>&1 &
	other=$!
	L2_SOCKETS=/tmp/vx.1 l2_start && l2 'modprobe sd_mod; modprobe usb_storage delay_use=0'
	check "many: the first guest has its disk" l2_wait 60 'disk_of bot'
	check "many: and reads it" l2 'dd if=/dev/$(disk_of bot) of=/dev/null bs=64k count=64 iflag=direct'
	many_rc=0
	wait $other || { many_rc=1; cat /tmp/other.log; }
	check "many: the second guest reads the other" [ $many_rc = 0 ]
	check "many: neither has the other's" l2 '! disk_of uas'
	session_end
}
