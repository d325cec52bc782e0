# SPDX-License-Identifier: BSD-2-Clause
# l1-lib.sh - what the cases use, in L1.

G=/sys/kernel/config/usb_gadget/zero

# What a condition is waited for is that many times as long as it takes here on
# two idle processors: only a failure takes all of it.
PATIENCE=${PATIENCE:-5}

# --- devices

# Buses by name: HX2 HX3 (of QEMU's controller, USB 2 and USB 3), V2 V3 (of
# vhci_hcd), D2 D3, E2 E3 and F2 F3 (of three dummy_hcd, on which a gadget may
# be put). D2, D3 and the first ports of V2, V3 are for vxhci, F2 and F3 for one
# that is linked into QEMU, the others for QEMU.
bus_of() { # DEVICE SPEED - the bus with that speed below it
	for bus_d in /sys/bus/usb/devices/usb*; do
		case $(readlink -f "$bus_d") in *"$1"*) ;; *) continue ;; esac
		[ "$(cat "$bus_d/speed")" = "$2" ] || continue
		cat "$bus_d/busnum"
		return 0
	done
	return 1
}
l1_devices() {
	modprobe xhci_pci && modprobe usbmon
	modprobe xhci_pci_renesas 2>/dev/null
	modprobe dummy_hcd is_super_speed=Y num=3 && modprobe libcomposite ||
		return 1
	modprobe usb_f_ss_lb && modprobe vhci_hcd || return 1
	for m in sd_mod uas usbhid hid_generic evdev; do modprobe $m; done
	modprobe usb_storage delay_use=0
	mount -t configfs none /sys/kernel/config 2>/dev/null
	mkdir -p /run/udev
	setsid uevents </dev/null >/tmp/uevents.log 2>&1 &
	HX2=$(bus_of /pci 480) HX3=$(bus_of /pci 5000)
	D2=$(bus_of dummy_hcd.0 480) D3=$(bus_of dummy_hcd.0 5000)
	V2=$(bus_of vhci_hcd.0 480) V3=$(bus_of vhci_hcd.0 5000)
	E2=$(bus_of dummy_hcd.1 480) E3=$(bus_of dummy_hcd.1 5000)
	F2=$(bus_of dummy_hcd.2 480) F3=$(bus_of dummy_hcd.2 5000)
	[ -n "$HX2$HX3" ] && [ -n "$D3" ] && [ -n "$E3" ] && [ -n "$F3" ] &&
		gadget_make
}
# The Linux gadget zero, as g_zero makes it.
gadget_make() {
	mkdir $G || return 1
	echo 0x0525 >$G/idVendor
	echo 0xa4a0 >$G/idProduct
	mkdir $G/strings/0x409
	echo vxhci-zero >$G/strings/0x409/serialnumber
	echo Linux >$G/strings/0x409/manufacturer
	echo "Gadget Zero" >$G/strings/0x409/product
	mkdir $G/configs/z.3 $G/configs/z.2
	mkdir $G/functions/SourceSink.0 $G/functions/Loopback.0
	ln -s $G/functions/SourceSink.0 $G/configs/z.3
	ln -s $G/functions/Loopback.0 $G/configs/z.2
}
# gadget_on UDC full|high|super - plugs it in
gadget_on() {
	echo "$2-speed" >$G/max_speed && echo "$1" >$G/UDC
}
gadget_off() {
	[ -z "$(cat $G/UDC)" ] || echo '' >$G/UDC
}

# --- vxhci

SERVE=
# serve SLOT-OPTION… - starts it in the background; ready when this returns
serve() {
	rm -f /tmp/ready
	mkfifo /tmp/ready
	serve_args=
	serve_n=0
	for s; do
		serve_n=$((serve_n + 1))
		rm -f /tmp/vx.$serve_n
		serve_args="$serve_args --socket /tmp/vx.$serve_n -s $s"
	done
	# shellcheck disable=SC2086
	${SERVE_UNDER:-} vxhci serve $serve_args ${SERVE_ARGS:--v} --ready-fd 3 \
		3>/tmp/ready >>/tmp/vxhci.log 2>&1 &
	SERVE=$!
	[ -n "$(timeout $((60 * PATIENCE)) od -An -N1 -tx1 /tmp/ready)" ] || {
		cat /tmp/vxhci.log
		return 1
	}
}
# serve_end SIGNAL - and its exit status
serve_end() {
	kill "-$1" $SERVE
	wait $SERVE
	serve_rc=$?
	SERVE=
	return $serve_rc
}

# --- L2

L2=
L2D=/tmp/l2
# The emulated cpu of L1 has AMD's virtualisation, with which L2's code is
# translated once and not twice: 50 times as fast.
l2_accel() {
	modprobe kvm_amd 2>/dev/null || modprobe kvm_intel 2>/dev/null
	case ${L2_ACCEL:-} in
	'') [ -c /dev/kvm ] && echo kvm || echo tcg,thread=multi,tb-size=256 ;;
	*) echo "$L2_ACCEL" ;;
	esac
}
# l2_start [QEMU ARGUMENT…] - boots L2, with vxhci's controllers as there are
# sockets; ready for l2 when this returns.
l2_start() {
	rm -f $L2D.*
	mkfifo $L2D.in $L2D.out $L2D.mon.in $L2D.mon.out
	exec 7<>$L2D.out 8<>$L2D.in 9<>$L2D.mon.in
	cat $L2D.mon.out >$L2D.mon.log &
	for s in ${L2_SOCKETS:-/tmp/vx.*}; do
		[ -S "$s" ] || continue
		set -- "$@" -device '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"'"$s"'"}}'
	done
	l2_t0=$(now)
	l2_accel=$(l2_accel)
	case $l2_accel in kvm) l2_cpu=host ;; *) l2_cpu=qemu64 ;; esac
	l2_preload=
	case $* in *'"driver":"vxhci"'*) l2_preload=/w/qemu.so ;; esac
	LD_PRELOAD=$l2_preload /w/no-io-uring.pl "$QEMU" -nodefaults -no-user-config -display none -no-reboot \
		-machine q35,memory-backend=mem,vmport=off,hpet=off \
		-accel "$l2_accel" -cpu $l2_cpu \
		-smp 1 -m 512 \
		-object memory-backend-memfd,id=mem,size=512M,share=on \
		-kernel /w/l2.kernel -initrd /w/l2.initrd \
		-append "console=ttyS0 quiet panic=-1 random.trust_cpu=on mitigations=off nokaslr no_timer_check cryptomgr.notests ${L2_APPEND:-}" \
		-serial file:$L2D.console \
		-chardev stdio,id=proto,signal=off -serial chardev:proto \
		-chardev pipe,id=mon,path=$L2D.mon -monitor chardev:mon \
		"$@" <$L2D.in >$L2D.out 2>$L2D.err &
	L2=$!
	while IFS= read -t $((${L2_BOOT:-240} * PATIENCE)) -r l2_line <&7; do
		case $l2_line in '@ready '*)
			echo "L2: up after $(($(now) - l2_t0)) s, $l2_accel"
			return 0 ;;
		esac
	done
	echo "L2: did not boot"
	tail -n 20 $L2D.err $L2D.console
	l2_stop
	return 1
}
now() { cut -d. -f1 /proc/uptime; }
# l2 COMMAND… - runs that in L2's shell: its output and its exit status, or
# 99 when there is no answer for L2_SECONDS, patiently
l2() {
	[ -n "$L2" ] && [ ! -e $L2D.dead ] || { echo "no L2"; return 98; }
	# a line of the protocol, however many lines the command has
	{ printf '%s' "$*" | tr '\n' '\037'; echo; } >&8
	while IFS= read -t $((${L2_SECONDS:-60} * PATIENCE)) -r l2_line <&7; do
		case $l2_line in
		:*) echo "${l2_line#:}" ;;
		'@rc '*) return "${l2_line#@rc }" ;;
		esac
	done
	: >$L2D.dead # it may answer later, to another question
	echo "no answer of L2 to: $*"
	tail -n 5 $L2D.console
	return 99
}
l2_monitor() { printf '%s\n' "$*" >&9; }
l2_stop() {
	[ -n "$L2" ] || return 0
	kill -9 $L2 2>/dev/null
	wait $L2 2>/dev/null
	L2=
	exec 7<&- 8>&- 9>&-
}
# l2_wait SECONDS COMMAND… - until that succeeds in L2, patiently
l2_wait() {
	l2_until=$(($(now) + $1 * PATIENCE))
	shift
	until l2 "$*" >$L2D.wait; do
		[ "$(now)" -lt $l2_until ] && [ ! -e $L2D.dead ] || { cat $L2D.wait; return 1; }
		usleep 200000
	done
	cat $L2D.wait
}

# l1_wait SECONDS COMMAND… - until that succeeds here, patiently
l1_wait() {
	l1_seconds=$(($1 * PATIENCE))
	shift
	wait_for $l1_seconds "$@"
}

# l1_find VENDOR:PRODUCT, l1_node - as usb_find and usb_node, in L1
l1_find() {
	for find_dev in /sys/bus/usb/devices/*; do
		[ "$(cat "$find_dev/idVendor" 2>/dev/null):$(
		cat "$find_dev/idProduct" 2>/dev/null)" = "$1" ] || continue
		echo "$find_dev"
		return 0
	done
	return 1
}
l1_node() {
	node_dir=$(l1_find "$1") || return 1
	printf '/dev/bus/usb/%03d/%03d\n' "$(cat "$node_dir/busnum")" \
		"$(cat "$node_dir/devnum")"
}
# l1_bound DRIVER - whether an interface in L1 has it
l1_bound() {
	ls -d /sys/bus/usb/drivers/"$1"/*:* >/dev/null 2>&1
}

# must NAME COMMAND… - as check; fails when the command does, for what cannot go
# on without it
must() {
	must_name=$1
	shift
	if "$@"; then
		ok "$must_name"
	else
		fail "$must_name: $*"
		return 1
	fi
}

# --- a session: vxhci with all there is, and an L2 that is alive. Most cases
# share it. `session qx`: L2 has QEMU's own controller, too, and in the same
# process vxhci's, linked.

slot_all() {
	slot_opts="30,xhci,usb2=15,usb3=15,bus=$D2,port=1,bus=$D3,port=1"
	slot_opts="$slot_opts,bus=$V2,port=1,bus=$V3,port=1,bus=$HX2,port=12.*"
	for n in 1 2 3 4 5 6 7 8 9 10 11; do
		slot_opts="$slot_opts,bus=$HX2,port=$n,bus=$HX3,port=$n"
	done
	echo "$slot_opts"
}
L2_HAS_QX=
session() {
	if [ -n "$L2" ] && [ "$L2_HAS_QX${1:-}" != qx ] &&
		L2_SECONDS=10 l2 true >/dev/null &&
		{ [ "$PEER" = qemu ] || kill -0 $SERVE; }; then
		return 0
	fi
	session_end
	if [ "$PEER" = qemu ]; then
		peer_start
		return
	fi
	if ! serve "$(slot_all)"; then
		fail "vxhci serve starts"
		return 1
	fi
	L2_HAS_QX=
	if [ "${1:-}" = qx ]; then
		set -- -device qemu-xhci,id=qx \
			-device '{"driver":"vxhci","msix":"on","option":"31,xhci,bus='$F2',port=1,bus='$F3',port=1"}'
		L2_HAS_QX=1
	else
		set --
	fi
	l2_start "$@" || {
		fail "L2 boots"
		return 1
	}
}
# The same with QEMU's own controller, for what a case says of itself there.
peer_start() {
	set -- -device qemu-xhci,id=qx,p2=15,p3=15
	for n in 3 4 5 6 7 8 9 10 11; do
		peer_bus=$HX2
		[ $n -gt 4 ] || peer_bus=$HX3
		set -- "$@" -device \
			usb-host,bus=qx.0,hostbus="$peer_bus",hostport=$n
	done
	for b in $D2 $D3 $V2 $V3; do
		set -- "$@" -device usb-host,bus=qx.0,hostbus="$b",hostport=1
	done
	l2_start "$@" || {
		fail "L2 boots"
		return 1
	}
}
session_end() {
	l2_stop
	[ -z "$SERVE" ] || serve_end TERM || fail "vxhci serve ended with $?"
	rm -f /tmp/vx.*
}
