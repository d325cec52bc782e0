# SPDX-License-Identifier: BSD-2-Clause
# case-small.sh - usb-serial, usb-net, usb-ccid.

serial_echo() {
	l2 'modprobe ftdi_sio'
	l2_wait 30 '[ -c /dev/ttyUSB0 ]' || return 1
	l2 'stty -F /dev/ttyUSB0 raw -echo 115200
head -c 3000 /dev/urandom | od -An -tx1 | tr -d " \n" >/tmp/ser.out
(timeout 30 head -c 6000 /dev/ttyUSB0 >/tmp/ser.in) & sleep 1
cat /tmp/ser.out >/dev/ttyUSB0; wait; cmp /tmp/ser.out /tmp/ser.in &&
echo "6000 bytes back" || { wc -c /tmp/ser.in; false; }'
}
net_ping() {
	l2 'modprobe cdc_ether; modprobe rndis_host'
	l2_wait 30 'ls -d /sys/class/net/*/device' || return 1
	l2 'n=$(ls -d /sys/class/net/*/device | cut -d/ -f5 | head -n 1)
ip addr add 10.0.2.15/24 dev $n && ip link set $n up && sleep 1
ping -c 20 -i 0.2 -s 1400 10.0.2.2 | tail -n 3; ping -c 3 10.0.2.2 | grep -q " 0% packet loss"'
}
card_atr() {
	host card >/dev/null
	l2_wait 30 'usb_node 08e6:4433' || return 1
	l2 'ccid $(usb_node 08e6:4433)' >/tmp/atr
	cat /tmp/atr
	[ "$(cat /tmp/atr)" = "3b 02 14 50" ]
}
case_small() {
	session || return
	check "serial: what is written comes back" serial_echo
	check "net: pings are answered" net_ping
	check "ccid: the card's answer to reset" card_atr
}
