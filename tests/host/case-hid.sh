# SPDX-License-Identifier: BSD-2-Clause
# case-hid.sh - keyboard and tablet; each event once and in order.

# input_of NAME - /dev/input/eventN, in L2
hid_up() {
	l2 'modprobe usbhid; modprobe hid_generic; modprobe evdev'
	l2_wait 40 'input_of "USB Keyboard" && input_of "USB Tablet"'
}
# What a to z are to the kernel (linux/input-event-codes.h)
KEY_CODES="30 48 46 32 18 33 34 35 23 36 37 38 50 49 24 25 16 19 31 20 22 47 17 45 21 44"
keys_in_order() {
	l2 'timeout 100 evlog $(input_of "USB Keyboard") 5 >/tmp/ev & sleep 1' || return 1
	host keys 500 >/dev/null
	l2 'wait; cat /tmp/ev' >/tmp/ev
	# shellcheck disable=SC2086
	awk -v codes="$KEY_CODES" 'BEGIN { split(codes, c, " ");
		for (i = 0; i < 500; i++) {
			print 1, c[i % 26 + 1], 1; print 1, c[i % 26 + 1], 0 } }' \
		>/tmp/ev.want
	hid_same
}
moves_in_order() {
	l2 'timeout 100 evlog $(input_of "USB Tablet") 5 >/tmp/ev & sleep 1' || return 1
	host moves 1000 >/dev/null
	l2 'wait; cat /tmp/ev' >/tmp/ev
	awk 'BEGIN { for (i = 1; i <= 1000; i++) print 3, 0, i * 32 }' >/tmp/ev.want
	hid_same
}
hid_same() {
	cmp /tmp/ev /tmp/ev.want && return
	echo "$(wc -l </tmp/ev) events of $(wc -l </tmp/ev.want)"
	diff /tmp/ev.want /tmp/ev | head -n 10
	return 1
}
case_hid() {
	session || return
	must "hid: keyboard and tablet in L2" hid_up || return
	check "hid: 500 keys, 1000 events in order" keys_in_order
	check "hid: 1000 places of the pointer in order" moves_in_order
}
