# SPDX-License-Identifier: BSD-2-Clause
# guest.sh - boots a Linux guest on a controller and follows it to its verdict.
# Sourced by host side scripts, which set $TOP first. To use it:
#
#   guest_work NAME           a work folder, $WORK, and cleaning up at exit
#   KERNEL=6.1 CPUS=2 …       the settings below
#   host_WORD() { … }         what the guest may ask of the host with `host`
#   guest_boot SCRIPT [VAR=VALUE…] [-- QEMU ARGUMENT…]
#
# SCRIPT runs in the guest with init.sh's functions and those variables. The
# guest's results go to stdout as `ok NAME` and `FAILED NAME: WHY` lines with the
# seconds since the result before; guest_boot fails if one failed, or the guest
# did not come to its end.
#
# Environment: VXHCI (the program), VXHCI_PEER=qemu (QEMU's own qemu-xhci
# instead, as a baseline), VXHCI_ACCEL=tcg|kvm, VXHCI_QEMU, VXHCI_KEEP=1 (keeps
# $WORK), VXHCI_VERBOSE=1 (shows all the guest prints).

. "$TOP/tests/rig/lib.sh"

VXHCI=${VXHCI:-$TOP/build/vxhci}
VXHCI_PEER=${VXHCI_PEER:-vxhci}

KERNEL=newest # 6.1, 6.12 or newest
ARCH=amd64    # or arm64
BOARD=q35     # or pc
MACHINE=      # more properties of QEMU's machine: ',kernel-irqchip=split'
FIRMWARE=     # files for QEMU's two flashes: the kernel is then booted from
              # the media that guest_media() makes, which is called before
CPUS=1
MEM=512       # MiB
TIMEOUT=480   # seconds for everything from start to power-off
RESETS=       # 1: the machine may be reset; otherwise that ends it
SLOTS=        # slot options, a controller each: '30,xhci,storage=a.img …'
VIA=          # 'PROGRAM ARGUMENT': PROGRAM ARGUMENT SOCKET SERVER is between
              # QEMU, which connects to SOCKET, and vxhci
LINKED=       # 1: the controllers are in QEMU (tests/linked/qemu/), which build
              # folder $B has; their pin is that of PCI device 4, 8, …; they
              # take orders from $WORK/linked.1, …
MODULES="xhci_pci xhci_pci_renesas usb_storage uas sd_mod ext4
	crc32c_generic crc32c_intel vfat nls_cp437
	nls_ascii nls_iso8859-1 usbhid hid_generic evdev usbtest usbmon"
PROGRAMS=     # files that go into the guest's /bin: static ones
TREE=         # a folder that is copied into the guest's root
APPEND=       # more kernel command line

guest_work() {
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/vxhci-$1.XXXXXX") || exit 1
	serve_pids= qemu_pid=
	trap guest_cleanup EXIT
	trap 'exit 1' HUP INT TERM
}

guest_cleanup() {
	for pid in $qemu_pid $serve_pids; do
		kill "$pid" 2>/dev/null || :
	done
	serve_stop
	[ -n "${VXHCI_KEEP:-}" ] && say "kept $WORK" || rm -rf "$WORK"
}

guest_accel() {
	case ${VXHCI_ACCEL:-} in
	?*) echo "$VXHCI_ACCEL" ;;
	*) if grep -qwE 'vmx|svm' /proc/cpuinfo && [ -w /dev/kvm ]; then
		echo kvm
	else
		echo tcg
	fi ;;
	esac
}

# On an emulated arm64 all that `max` has costs much time.
guest_cpu() {
	case $ARCH in arm64) echo cortex-a57 ;; *) echo max ;; esac
}

# serve_start N SLOT-OPTION - a `vxhci serve`, on $WORK/vxhci.N.sock.
serve_start() {
	[ -x "$VXHCI" ] || die "no $VXHCI: run make first"
	rm -f "$WORK/ready" "$WORK/vxhci.$1.sock"
	mkfifo "$WORK/ready"
	serve_sock=$WORK/vxhci.$1.sock
	[ -z "$VIA" ] || serve_sock=$WORK/vxhci.$1.server
	# shellcheck disable=SC2086
	"$VXHCI" serve --socket "$serve_sock" -s "$2" \
		${SERVE_ARGS:-} --ready-fd 3 3>"$WORK/ready" \
		>>"$WORK/vxhci.log" 2>&1 &
	serve_pids="$serve_pids $!"
	if [ -z "$(timeout 60 od -An -N1 -tx1 "$WORK/ready")" ]; then
		cat "$WORK/vxhci.log" >&2
		die "vxhci serve did not become ready"
	fi
	[ -n "$VIA" ] || return 0
	# shellcheck disable=SC2086
	$VIA "$WORK/vxhci.$1.sock" "$serve_sock" >>"$WORK/vxhci.log" 2>&1 &
	serve_pids="$serve_pids $!"
	until [ -S "$WORK/vxhci.$1.sock" ]; do
		kill -0 $! || die "$VIA: not there"
		sleep 0.1
	done
}

# serve_stop - ends them; their exit status must be 0.
serve_stop() {
	serve_rc=0
	for pid in $serve_pids; do
		kill "$pid" 2>/dev/null || :
		wait "$pid" || serve_rc=$?
	done
	serve_pids=
	[ $serve_rc = 0 ] || say "vxhci serve ended with status $serve_rc:" \
		"$(tail -n 20 "$WORK/vxhci.log" 2>/dev/null)"
	return $serve_rc
}

# peer_args N SLOT-OPTION - the same devices on QEMU's own controller.
peer_args() {
	peer_port3=0 peer_port2=4 peer_n=0 peer_file=
	echo "-device qemu-xhci,id=x$1,p2=8,p3=4"
	for peer_o in $(echo "$2,end" | tr , ' '); do
		case $peer_o in
		storage=* | end)
			if [ -n "$peer_file" ]; then
				if [ "$peer_speed" = super ]; then
					peer_port3=$((peer_port3 + 1))
					peer_port=$peer_port3
				else
					peer_port2=$((peer_port2 + 1))
					peer_port=$peer_port2
				fi
				peer_n=$((peer_n + 1))
				echo "-drive if=none,id=d$1.$peer_n,format=raw,file=$peer_file"
				echo "-device usb-storage,bus=x$1.0,port=$peer_port,drive=d$1.$peer_n"
			fi
			peer_file=${peer_o#storage=} peer_speed=super
			;;
		speed=*) peer_speed=${peer_o#speed=} ;;
		keyboard) echo "-device usb-kbd,usb_version=1,bus=x$1.0,port=8" ;;
		esac
	done
}

# linked_device N SLOT-OPTION - a controller in QEMU. Slots 4 and 8 share a line.
linked_device() {
	printf '{"driver":"vxhci","addr":"%x","option":"%s","control":"%s"}' \
		$((4 * $1)) "$2" "$WORK/linked.$1"
}

# guest_initramfs N SCRIPT [VAR=VALUE…] - $WORK/initrd: the cached one with the
# test's script behind it, which the kernel unpacks on top. N: how many of the
# arguments to look at.
guest_initramfs() {
	rm -rf "$WORK/overlay"
	mkdir -p "$WORK/overlay/test" "$WORK/overlay/bin"
	# shellcheck disable=SC2086
	[ -z "$PROGRAMS" ] || cp $PROGRAMS "$WORK/overlay/bin" || return 1
	[ -z "$TREE" ] || cp -R "$TREE/." "$WORK/overlay" || return 1
	init_left=$(($1 - 1))
	init_script=$2
	shift 2
	{
		echo "PEER=$VXHCI_PEER"
		for v; do
			[ $init_left -gt 0 ] || break
			init_left=$((init_left - 1))
			printf "%s='%s'\n" "${v%%=*}" "${v#*=}"
		done
		cat "$init_script"
	} >"$WORK/overlay/test/run.sh"
	# shellcheck disable=SC2086
	base=$("$TOP/tests/rig/initramfs.sh" "$kernel_dir" $MODULES) ||
		return 1
	cp "$base" "$WORK/initrd"
	(cd "$WORK/overlay" && find . | cpio --quiet -o -H newc --owner 0:0) \
		>>"$WORK/initrd"
}

# qemu_monitor COMMAND - an order to QEMU's monitor, such as system_reset.
qemu_monitor() {
	printf '%s\n' "$*" >"$WORK/mon.in"
}

guest_boot() {
	kernel_dir=$("$TOP/tests/rig/kernel.sh" "$KERNEL" "$ARCH") || return 1
	case $ARCH in
	amd64)
		qemu=$("$TOP/tests/rig/qemu.sh")
		machine=$BOARD,vmport=off,hpet=off console=ttyS0
		# a timer is late on a busy machine, which Linux panics of
		APPEND="no_timer_check $APPEND"
		accel=$(guest_accel)
		;;
	arm64)
		qemu=$("$TOP/tests/rig/qemu.sh" arm)
		machine=virt console=ttyAMA0 accel=tcg
		;;
	esac || return 1
	boot_n=0
	for arg; do
		[ "$arg" = -- ] && break
		boot_n=$((boot_n + 1))
	done
	guest_initramfs $boot_n "$@" || return 1
	[ $boot_n = $# ] || boot_n=$((boot_n + 1))
	shift $boot_n

	# its timer ticks, even if this machine is too busy for Linux to see it
	cmdline="console=$console quiet panic=-1 random.trust_cpu=on"
	cmdline="$cmdline no_timer_check $APPEND"
	if [ -n "$FIRMWARE" ]; then
		guest_media || return 1
		for f in $FIRMWARE; do
			set -- "$@" -drive "if=pflash,format=raw,file=$f"
		done
	else
		set -- "$@" -kernel "$kernel_dir/vmlinuz" \
			-initrd "$WORK/initrd" -append "$cmdline"
	fi
	slot_n=0 preload=
	for slot in $SLOTS; do
		slot_n=$((slot_n + 1))
		if [ "$VXHCI_PEER" = qemu ]; then
			# shellcheck disable=SC2046
			set -- "$@" $(peer_args $slot_n "$slot")
		elif [ -n "$LINKED" ]; then
			preload=$B/linked/qemu.so
			mkfifo "$WORK/linked.$slot_n"
			set -- "$@" -device "$(linked_device $slot_n "$slot")"
		else
			serve_start $slot_n "$slot"
			set -- "$@" -device '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"'"$WORK/vxhci.$slot_n.sock"'"}}'
		fi
	done
	rm -f "$WORK/in" "$WORK/out" "$WORK/mon.in" "$WORK/mon.out"
	mkfifo "$WORK/in" "$WORK/out" "$WORK/mon.in" "$WORK/mon.out"
	exec 4<>"$WORK/in" 5<>"$WORK/mon.in" 6<>"$WORK/mon.out"
	[ -n "$RESETS" ] || set -- -no-reboot "$@"
	LD_PRELOAD=$preload timeout "$TIMEOUT" "$TOP/tests/rig/no-io-uring.pl" "$qemu" \
		-nodefaults -no-user-config -display none \
		-machine "$machine,memory-backend=mem$MACHINE" \
		-accel "$accel" -cpu "$(guest_cpu)" -smp "$CPUS" -m "$MEM" \
		-object "memory-backend-memfd,id=mem,size=${MEM}M,share=on" \
		-serial "file:$WORK/console" \
		-chardev stdio,id=proto,signal=off -serial chardev:proto \
		-chardev "pipe,id=mon,path=$WORK/mon" -monitor chardev:mon \
		"$@" <"$WORK/in" >"$WORK/out" 2>"$WORK/qemu.err" &
	qemu_pid=$!
	boot_bad=0 boot_end=0 BOOTS=0
	guest_follow <"$WORK/out"
	qemu_rc=0
	wait $qemu_pid || qemu_rc=$?
	qemu_pid=
	exec 4>&- 5>&- 6>&-
	if [ $boot_end = 0 ]; then
		boot_bad=$((boot_bad + 1))
		why="the guest did not come to its end"
		[ $qemu_rc = 124 ] && why="$why in $TIMEOUT s"
		echo "FAILED guest $KERNEL: $why"
		sed 's/^/qemu: /' "$WORK/qemu.err" >&2
		tail -n 30 "$WORK/console" | sed 's/^/console: /' >&2
		[ "$VXHCI_PEER" = qemu ] ||
			tail -n 20 "$WORK/vxhci.log" | sed 's/^/vxhci: /' >&2
	elif [ -n "$serve_pids" ]; then
		serve_stop || {
			boot_bad=$((boot_bad + 1))
			echo "FAILED guest $KERNEL: vxhci serve ended with an error"
		}
	fi
	serve_stop || :
	[ $boot_bad = 0 ]
}

# result WORD TEXT - a result line with the time since the one before.
result() {
	result_now=$(now_ms)
	result_ms=$((result_now - result_last))
	result_last=$result_now
	printf '%s %s (%d.%d s)\n' "$1" "$2" $((result_ms / 1000)) \
		$((result_ms % 1000 / 100))
	[ "$1" != FAILED ] || boot_bad=$((boot_bad + 1))
}

guest_follow() {
	result_last=$(now_ms)
	while IFS= read -r line; do
		line=${line%"$CR"}
		[ -z "${VXHCI_VERBOSE:-}" ] || say "  | $line"
		case $line in
		'@ok '*) result ok "${line#@ok }" ;;
		'@FAIL '*) result FAILED "${line#@FAIL }" ;;
		'@skip '*) result skipped "${line#@skip }" ;;
		'@boot '*) BOOTS=$((BOOTS + 1)) RELEASE=${line#@boot } ;;
		'@end'*) boot_end=1 ;;
		'@host '*)
			host_line=${line#@host }
			host_word=${host_line%% *}
			host_args=${host_line#"$host_word"}
			# shellcheck disable=SC2086
			host_answer=$("host_$host_word" $host_args) ||
				host_answer="failed $host_answer"
			printf '%s\n' "$host_answer" >&4
			;;
		*) guest_line "$line" ;;
		esac
	done
}
CR=$(printf '\r')

# guest_line LINE - any other line of the guest; scripts may define their own.
guest_line() {
	case $1 in dmesg:*) say "  $1" ;; *) say "  guest: $1" ;; esac
}
