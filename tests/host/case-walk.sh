# SPDX-License-Identifier: BSD-2-Clause
# case-walk.sh - vxhci manage through random steps: devices are plugged in and
# out, given back, asked for by somebody else; VMs stop, are killed and start;
# the manager is killed and starts. After each step everything is where a model
# of the rules says, or comes there soon.
# WALK_SEED, WALK_STEPS: another walk.

# NAME BUS PORT ORDER HOW - who may have it in order ("ab": a, else b), and how
# it is plugged in: the arguments of device_add, or - for one that stays
walk_devices() {
	cat <<-END
	disk $walk_disk 3 ab replug
	audio2 $HX2 5 a -
	audio8 $HX2 6 b -
	keys $HX2 7 b -
	tablet $HX2 8 ba -
	serial $HX2 9 - -
	net $HX2 10 - -
	card $HX2 11 ab -
	hub $HX2 12 - usb-hub
	mouse1 $HX2 13 a usb-mouse
	mouse2 $HX2 14 ba usb-mouse
	END
}
# the model: m_NAME_there (1, 0), m_NAME_has (a, b, c, host), m_NAME_go (those who
# let it go); up_VM
m() { eval "echo \"\$m_$1_$2\""; }
m_set() { eval "m_$1_$2=\$3"; }
walk_settle_model() {
	while read -r d _ _ order _; do
		[ "$(m $d there)" = 1 ] && [ "$(m $d has)" = host ] || continue
		case $order in -) continue ;; esac
		for v in $(echo "$order" | sed 's/./& /g'); do
			eval "[ \"\$up_$v\" = 1 ]" || continue
			case $(m $d go) in *$v*) continue ;; esac
			m_set $d has $v
			break
		done
	done </tmp/walk.devices
}
# what the model says, a line a device
walk_wanted() {
	while read -r d _ _ _ _; do
		if [ "$(m $d there)" = 1 ]; then
			echo "$d $(m $d has)"
		else
			echo "$d gone"
		fi
	done </tmp/walk.devices
}
# what is so: the VMs that have it, each; or host, if a driver of its is bound
walk_found() {
	for v in a b c; do
		eval "[ \"\$up_$v\" = 1 ]" || { : >/tmp/walk.$v; continue; }
		vxhci status --control /tmp/vm.$v/ctl >/tmp/walk.$v 2>/dev/null
	done
	while read -r d bus port _ _; do
		has=
		for v in a b c; do
			grep -q "attached *bus=$bus,port=$port[ ,]" /tmp/walk.$v &&
				has="$has$v"
		done
		dir=/sys/bus/usb/devices/$bus-$port
		if [ -n "$has" ]; then
			echo "$d $has"
		elif [ ! -e "$dir" ]; then
			echo "$d gone"
		else
			drv=
			for i in "$dir/$bus-$port":*; do
				drv="$drv $(readlink "$i/driver")"
			done
			case $d$drv in
			*usbfs*) echo "$d usbfs" ;;
			card*) echo "$d host" ;; # Linux has no driver for it
			*/*) echo "$d host" ;;
			*) echo "$d nobody" ;;
			esac
		fi
	done </tmp/walk.devices
}
walk_same() {
	walk_settle_model
	walk_wanted >/tmp/walk.wanted
	walk_until=$(($(now) + 90))
	while :; do
		walk_found >/tmp/walk.found
		cmp -s /tmp/walk.wanted /tmp/walk.found && return 0
		[ "$(now)" -lt $walk_until ] || break
		usleep 200000
	done
	diff /tmp/walk.wanted /tmp/walk.found
	tail -n 15 /tmp/vxhci.log
	return 1
}
walk_rand() { # N
	walk_seed=$(((walk_seed * 1103515245 + 12345) & 0x7fffffff))
	walk_r=$(((walk_seed >> 12) % $1))
}
walk_pick() {
	walk_rand "$(wc -l </tmp/walk.devices)"
	set -- $(sed -n "$((walk_r + 1))p" /tmp/walk.devices)
	d=$1 bus=$2 port=$3 how=$5
}
walk_plug() {
	until walk_pick && [ "$how" != - ]; do :; done
	walk_what="unplug $d"
	if [ "$(m $d there)" = 1 ]; then
		case $d in disk) id=bot ;; *) id=$d ;; esac
		host monitor "device_del $id" >/dev/null
		m_set $d there 0
		return
	fi
	walk_what="plug $d"
	case $how in
	replug) host replug >/dev/null ;;
	*) host monitor "device_add $how,bus=hx.0,port=$port,id=$d" >/dev/null ;;
	esac
	m_set $d there 1
	m_set $d has host
	m_set $d go ''
}
# Somebody has it taken out of a VM, and so does the program c its own.
walk_detach() {
	walk_pick
	v=$(m $d has)
	walk_what="detach $d of $v"
	case $(m $d there)$v in 1[abc]) ;; *) return ;; esac
	vxhci detach --control /tmp/vm.$v/ctl "bus=$bus,port=$port" || return 1
	m_set $d has host
	[ $v = c ] || m_set $d go "$(m $d go)$v"
}
# c, which no rule names, wants it: it gets what nobody has and no VM is to have,
# and no more. The manager would not take what is another's, so only that is
# tried here that it leaves, and what a VM has.
walk_attach() {
	walk_pick
	v=$(m $d has)
	walk_what="attach $d to c"
	[ "$(m $d there)$up_c" = 11 ] && [ $v != c ] || return 0
	if [ $d = serial ]; then
		vxhci attach --control /tmp/vm.c/ctl "bus=$bus,port=$port" ||
			return 1
		m_set $d has c
	elif [ $v != host ]; then
		! vxhci attach --control /tmp/vm.c/ctl "bus=$bus,port=$port" \
			>/dev/null 2>&1 || { echo "c got what $v has"; return 1; }
		# should it still wait for it
		vxhci detach --control /tmp/vm.c/ctl "bus=$bus,port=$port" \
			2>/dev/null || true
	fi
}
walk_vm() { # NAME SIGNAL
	eval "on=\$up_$1"
	if [ "$on" = 0 ]; then
		walk_what="start $1"
		case $1 in c) VM_USER=0 ;; *) VM_USER=65534 ;; esac
		vm_serve $1 || return 1
		eval "up_$1=1"
		return
	fi
	walk_what="$2 $1"
	vm_kill $1 $2
	eval "up_$1=0"
	while read -r d _; do
		[ "$(m $d has)" != $1 ] || m_set $d has host
		m_set $d go "$(m $d go | tr -d $1)"
	done </tmp/walk.devices
}
walk_manager() {
	walk_rand 2
	case $walk_r in 0) sig=KILL ;; 1) sig=TERM ;; esac
	walk_what="$sig the manager"
	manage_end $sig
	manage_start || return 1
	# what was let go is not remembered
	while read -r d _; do m_set $d go ''; done </tmp/walk.devices
}
walk_step() {
	walk_rand 10
	case $walk_r in
	0 | 1 | 2) walk_plug ;;
	3 | 4) walk_detach ;;
	5) walk_attach ;;
	6 | 7 | 8)
		walk_rand 3
		v=$(echo abc | cut -c$((walk_r + 1)))
		walk_rand 2
		case $walk_r in 0) walk_vm $v KILL ;; 1) walk_vm $v TERM ;; esac ;;
	9) walk_manager ;;
	esac
}
walk() { # STEPS
	walk_n=0
	while [ $walk_n -lt "$1" ]; do
		walk_n=$((walk_n + 1))
		walk_step >/tmp/walk.out 2>&1 && walk_same >>/tmp/walk.out 2>&1 || {
			echo "step $walk_n, $walk_what:"
			cat /tmp/walk.out
			return 1
		}
		echo "$walk_n: $walk_what" >>/tmp/vxhci.log
		[ $((walk_n % 20)) != 0 ] || echo "$walk_n steps" >&2
	done
	echo "$walk_n steps, seed ${WALK_SEED:-1}"
}
case_walk() {
	session_end
	gadget_off
	chmod 700 /dev/bus/usb
	chmod 1777 /tmp
	walk_disk=$HX3
	[ -e "/sys/bus/usb/devices/$HX3-3" ] || walk_disk=$HX2
	walk_devices >/tmp/walk.devices
	cat >/tmp/manage.json <<-END
	{"vms": {"a": {"control": "/tmp/vm.a/ctl"},
		"b": {"control": "/tmp/vm.b/ctl", "user": "65534"}},
	"rules": [
		{"name": "disk", "match": {"bus": $walk_disk, "port": "3"}, "give": ["a", "b"]},
		{"name": "sound", "match": {"bus": $HX2, "port": "5"}, "give": "a"},
		{"name": "surround", "match": {"bus": $HX2, "port": "6"}, "give": "b"},
		{"name": "keys", "match": {"bus": $HX2, "port": "7"}, "give": "b"},
		{"name": "tablet", "match": {"bus": $HX2, "port": "8"}, "give": ["b", "a"]},
		{"name": "no network", "priority": 9, "match": {"class": "communications"}, "deny": true},
		{"name": "card", "priority": -1, "match": {"class": "smartcard"}, "give": ["a", "b"]},
		{"name": "hub", "match": {"bus": $HX2, "port": "12"}, "give": "a"},
		{"name": "one", "match": {"bus": $HX2, "port": "13"}, "give": "a"},
		{"name": "the other", "match": {"bus": $HX2, "port": "14"}, "give": ["b", "a"]}
	]}
	END
	modprobe ftdi_sio
	modprobe rndis_host 2>/dev/null
	modprobe cdc_ether
	modprobe snd_usb_audio
	walk_seed=${WALK_SEED:-1}
	up_a=0 up_b=0 up_c=0
	while read -r d _ _ _ how; do
		m_set $d there 0
		m_set $d has host
		m_set $d go ''
		case $how in - | replug) m_set $d there 1 ;; esac
	done </tmp/walk.devices
	for d in hub mouse1 mouse2; do
		set -- $(grep "^$d " /tmp/walk.devices)
		host monitor "device_add $5,bus=hx.0,port=$3,id=$d" >/dev/null
		m_set $d there 1
	done
	must "walk: the manager starts" manage_start || return
	check "walk: all is the host's" walk_same
	for v in a b c; do
		walk_vm $v TERM
		must "walk: VM $v is there, each goes where the rules say" \
			walk_same || return
	done
	check "walk: ${WALK_STEPS:-200} random steps, and the model is right" \
		walk "${WALK_STEPS:-200}"
	for v in a b c; do
		eval "[ \$up_$v = 0 ]" || walk_vm $v TERM
	done
	check "walk: at the end all is the host's, with its drivers" walk_same
	manage_end TERM
	for d in hub mouse1 mouse2; do
		[ "$(m $d there)" = 0 ] || host monitor "device_del $d" >/dev/null
	done
	[ "$(m disk there)" = 1 ] || host replug >/dev/null
	chmod 755 /dev/bus/usb
}
