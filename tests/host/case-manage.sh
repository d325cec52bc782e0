# SPDX-License-Identifier: BSD-2-Clause
# case-manage.sh - vxhci manage: who has which of L1's devices, by its rules. The
# VMs are two `vxhci serve` of a user with no right to /dev/bus/usb; the first
# has no guest, or L2.

vm_serve() { # NAME
	mkdir -p /tmp/vm.$1 && chown "${VM_USER:-65534}" /tmp/vm.$1 || return 1
	rm -f /tmp/vm.$1/ready
	mkfifo /tmp/vm.$1/ready
	# what L1 has of the machine around may not be nobody's to read
	[ -e /tmp/vxhci ] || cp /w/vxhci /tmp/vxhci || return 1
	/usr/bin/setpriv --reuid "${VM_USER:-65534}" \
		--regid "${VM_USER:-65534}" --clear-groups \
		/tmp/vxhci serve -v --control /tmp/vm.$1/ctl --socket /tmp/vm.$1/vfu \
		-s 30,xhci,usb2=15,usb3=15 --ready-fd 3 3>/tmp/vm.$1/ready \
		>>/tmp/vxhci.log 2>&1 &
	echo $! >/tmp/vm.$1/pid
	[ -n "$(timeout $((60 * PATIENCE)) od -An -N1 -tx1 /tmp/vm.$1/ready)" ]
}
vm_kill() { # NAME SIGNAL
	kill "-$2" "$(cat /tmp/vm.$1/pid)"
	wait "$(cat /tmp/vm.$1/pid)" 2>/dev/null
	true
}
manage_start() {
	rm -f /tmp/manage.ready
	mkfifo /tmp/manage.ready
	vxhci manage --config /tmp/manage.json -v --ready-fd 3 \
		3>/tmp/manage.ready >>/tmp/vxhci.log 2>&1 &
	MANAGE=$!
	[ -n "$(timeout $((60 * PATIENCE)) od -An -N1 -tx1 /tmp/manage.ready)" ]
}
manage_end() { # SIGNAL
	kill "-$1" $MANAGE
	wait $MANAGE 2>/dev/null
	true
}
# vm_has NAME BUS PORT - that VM has it in a port, by a rule
vm_has() {
	vxhci status --control /tmp/vm.$1/ctl |
		grep -q "attached *bus=$2,port=$3 .*manage: "
}
vm_has_not() { ! vm_has "$@"; }
# host_has BUS PORT DRIVER - L1's own driver is bound to it
host_has() {
	for d in /sys/bus/usb/devices/"$1-$2":*; do
		case $(readlink -f "$d/driver") in */"$3") return 0 ;; esac
	done
	return 1
}
listed() { # STATE RULE - how vxhci list shows a device
	vxhci list --json | tr -d '\n' | grep -q "\"state\": *\"$1\"[^}]*$2"
}
case_manage() {
	session_end
	chmod 700 /dev/bus/usb
	cat >/tmp/manage.json <<-END
	{"vms": {"a": {"control": "/tmp/vm.a/ctl"},
		"b": {"control": "/tmp/vm.b/ctl"}},
	"rules": [
		{"name": "bot", "match": {"bus": $HX2, "port": "3"}, "give": ["a", "b"]},
		{"name": "bot3", "match": {"bus": $HX3, "port": "3"}, "give": ["a", "b"]},
		{"name": "keys", "match": {"bus": $HX2, "port": "7"}, "give": "b", "at": 4},
		{"name": "serial", "priority": 3, "match": {"driver": "ftdi_sio"}, "leave": true},
		{"name": "audio", "priority": -1, "match": {"class": "audio"}, "give": "b"},
		{"name": "no pointer", "priority": 5, "match": {"bus": $HX2, "port": "8"}, "deny": true},
		{"name": "pointer", "match": {"bus": $HX2, "port": "8"}, "give": "a"}
	]}
	END
	bot_bus=$HX3
	[ -e "/sys/bus/usb/devices/$HX3-3" ] || bot_bus=$HX2
	mkdir -p /tmp/vm.a /tmp/vm.b # where their sockets will be
	must "manage: the rules are right" \
		vxhci manage --config /tmp/manage.json --check || return
	chmod 1777 /tmp
	must "manage: VM a, as nobody" vm_serve a || { cat /tmp/vxhci.log; return; }
	check "manage: VM b, as nobody" vm_serve b
	must "manage: starts" manage_start || return
	check "manage: the disk is a's" wait_for 10 vm_has a $bot_bus 3
	check "manage: the keyboard is b's" wait_for 20 vm_has b $HX2 7
	check "manage: both audio devices are b's" \
		wait_for 20 sh -c "[ \"\$(vxhci status --control /tmp/vm.b/ctl |
			grep -c 'attached .*manage: audio')\" = 2 ]"
	check "manage: the pointer stays, denied" host_has $HX2 8 usbhid
	check "manage: list says by which rule" listed in-use 'rule keys'
	check "manage: --explain" sh -c "vxhci manage --config /tmp/manage.json \
		--explain bus=$HX2,port=8 | grep -q 'by rule: no pointer'"
	manage_end KILL
	check "manage: killed, VMs keep theirs" vm_has a $bot_bus 3
	must "manage: starts again" manage_start || return
	check "manage: and finds them there" wait_for 20 listed in-use \
		'rule keys'
	check "manage: untouched" vm_has a $bot_bus 3
	vm_kill a KILL
	check "manage: a is killed, b gets the disk" wait_for 30 vm_has b $bot_bus 3
	vm_kill b KILL
	check "manage: b too: usb-storage has it" \
		wait_for 30 host_has $bot_bus 3 usb-storage
	check "manage: and usbhid the keyboard" \
		wait_for 30 host_has $HX2 7 usbhid
	check "manage: VM a again" vm_serve a
	check "manage: the disk is a's again" wait_for 30 vm_has a $bot_bus 3
	host monitor device_del bot >/dev/null
	check "manage: unplugged" wait_for 30 vm_has_not a $bot_bus 3
	host replug >/dev/null
	check "manage: plugged in again, it comes back" \
		wait_for 30 vm_has a $bot_bus 3
	vxhci detach --control /tmp/vm.a/ctl "bus=$bot_bus,port=3" || true
	check "manage: let go, the host has it" \
		wait_for 30 host_has $bot_bus 3 usb-storage
	check "manage: VM b again" vm_serve b
	check "manage: which gets what a let go" wait_for 30 vm_has b $bot_bus 3
	sed -i 's/"give": \["a", "b"\]/"leave": true/' /tmp/manage.json
	kill -HUP $MANAGE
	check "manage: other rules take it back" \
		wait_for 30 host_has $bot_bus 3 usb-storage
	check "manage: and leave the keyboard alone" vm_has b $HX2 7
	echo '{"vms": {}, "rulez": []}' >/tmp/manage.json
	kill -HUP $MANAGE
	sleep 1
	check "manage: bad rules change nothing" vm_has b $HX2 7
	vm_kill a TERM
	vm_kill b TERM
	check "manage: at the end usbhid has the keyboard" \
		wait_for 30 host_has $HX2 7 usbhid
	manage_end TERM
	chmod 755 /dev/bus/usb
}
