# SPDX-License-Identifier: BSD-2-Clause
# serial.sh - boots firmware on a controller and talks to it over its serial
# port. Sourced after guest.sh, whose settings SLOTS, MEM and TIMEOUT hold.
#
#   serial_boot x86|arm [QEMU ARGUMENT…]   vxhci and QEMU are started
#   serial_expect SECONDS PATTERN          waits for it; fails if it does not come
#   serial_type TEXT                       a line for it
#   serial_text                            all it said, without control characters
#   serial_end                             ends both; fails if vxhci failed

serial_boot() {
	serial_arch=$1
	shift
	qemu=$("$TOP/tests/rig/qemu.sh" "$serial_arch") || return 1
	case $serial_arch in
	x86) machine=q35,vmport=off,hpet=off,graphics=off accel=$(guest_accel) cpu=max ;;
	arm) machine=virt accel=tcg cpu=cortex-a57 ;;
	esac
	slot_n=0
	for slot in $SLOTS; do
		slot_n=$((slot_n + 1))
		serve_start $slot_n "$slot"
		set -- "$@" -device '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"'"$WORK/vxhci.$slot_n.sock"'"}}'
	done
	rm -f "$WORK/in" "$WORK/serial"
	mkfifo "$WORK/in"
	exec 4<>"$WORK/in"
	result_last=$(now_ms) boot_bad=0
	timeout "$TIMEOUT" "$TOP/tests/rig/no-io-uring.pl" "$qemu" \
		-nodefaults -no-user-config -display none \
		-machine "$machine,memory-backend=mem$MACHINE" \
		-accel "$accel" -cpu $cpu -m "$MEM" \
		-object "memory-backend-memfd,id=mem,size=${MEM}M,share=on" \
		-chardev stdio,id=serial,signal=off -serial chardev:serial \
		"$@" <"$WORK/in" >"$WORK/serial" 2>"$WORK/qemu.err" &
	qemu_pid=$!
}

serial_text() {
	tr -d '\r' <"$WORK/serial" | sed 's/\x1b\[[0-9;=?]*[a-zA-Z]//g'
}

serial_expect() {
	expect_end=$(($(now_ms) + $1 * 1000))
	until serial_text | grep -qE "$2"; do
		[ "$(now_ms)" -lt $expect_end ] &&
			kill -0 "$qemu_pid" 2>/dev/null || {
			say "no '$2' on the serial port:"
			serial_text | tail -n 15 | sed 's/^/serial: /' >&2
			sed 's/^/qemu: /' "$WORK/qemu.err" >&2
			tail -n 5 "$WORK/vxhci.log" | sed 's/^/vxhci: /' >&2
			return 1
		}
		sleep 0.2
	done
}

serial_type() {
	printf '%s\r' "$*" >&4
}

serial_end() {
	kill "$qemu_pid" 2>/dev/null || :
	wait "$qemu_pid" 2>/dev/null
	qemu_pid=
	exec 4>&-
	serve_stop
}
