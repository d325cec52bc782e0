# SPDX-License-Identifier: BSD-2-Clause
# case-speed.sh - bulk throughput from a guest beside QEMU's usb-host, and the
# system calls that a TD takes. A bare libusb loop is shown, too; without a guest's
# emulated cpu between, case-engine.sh compares with it.

SPEED_LEN=16384 SPEED_FLIGHT=8 SPEED_N=64 # 8 MiB
SPEED_ROUNDS=3 # their times are added
SPEED_URBS=$((SPEED_FLIGHT * SPEED_N))
speed_kb() { awk -v s="$1" -v n=$((SPEED_LEN * SPEED_URBS * SPEED_ROUNDS)) \
	'BEGIN { printf "%d\n", (s > 0 ? n / s / 1000 : 0) }'; }
# speed_sum COMMAND… - of the seconds that it prints, time and again
speed_sum() {
	for r in $(seq $SPEED_ROUNDS); do "$@"; done |
		awk '{ s += $1; n++ } END { printf "%.3f\n", n == '$SPEED_ROUNDS' ? s : 0 }'
}
speed_l2() { # CASE
	L2_SECONDS=200 l2 "testusb \$(usb_node 0525:a4a0) $SPEED_N $SPEED_LEN 0 $SPEED_FLIGHT $1" |
		sed -n "s/^$1 ok //p"
}
# speed_calls PID CASE - system calls while that many TDs are done
speed_calls() {
	[ -x /usr/bin/strace ] || { echo '?'; return; }
	/usr/bin/strace -f -c -p "$1" -o /tmp/strace.out >/dev/null 2>&1 &
	speed_pid=$!
	sleep 3
	speed_l2 "$2" >/dev/null
	kill -INT $speed_pid
	wait $speed_pid 2>/dev/null
	cp /tmp/strace.out "/tmp/strace.$1"
	awk -v n=$SPEED_URBS '$NF == "total" {
		printf "%.1f\n", ($4 + 0 > 0 ? $4 : $3) / n }' /tmp/strace.out
}
speed_bare() {
	for d in out in; do
		speed_sum usbloop "$E3" $d $SPEED_LEN $SPEED_FLIGHT $SPEED_URBS
	done | paste -sd ' ' -
}
speed_print() { # NAME OUT IN CALLS
	echo "$1: bulk super speed, $SPEED_LEN bytes, $SPEED_FLIGHT queued:" \
		"out $(speed_kb "$2") kB/s, in $(speed_kb "$3") kB/s," \
		"${4:-?} system calls a TD"
}
# speed_in NAME PID - through a controller, when the device is in its port:
# seconds out and in are left in speed_out, speed_in, system calls are PID's
speed_in() {
	l2_wait 40 "$(zero_is super) && ls -d \$(usb_find 0525:a4a0)/*/driver" \
		>/dev/null
	speed_out=$(speed_sum speed_l2 27) speed_in=$(speed_sum speed_l2 28)
	speed_print "$1" "$speed_out" "$speed_in" "$(speed_calls "$2" 28)"
	head -n 12 "/tmp/strace.$2"
}
case_speed() {
	session qx || return
	gadget_on dummy_udc.1 super
	l1_wait 20 l1_node 0525:a4a0
	# shellcheck disable=SC2046
	set -- $(speed_bare)
	bare_out=${1:-0} bare_in=${2:-0}
	speed_print libusb $bare_out $bare_in
	l2_monitor "device_add usb-host,bus=qx.0,id=qh,hostbus=$E3,hostport=1"
	speed_in QEMU $L2
	qemu_out=$speed_out qemu_in=$speed_in
	l2_monitor device_del qh
	gadget_off
	l2_wait 20 '! usb_find 0525:a4a0' >/dev/null
	# serve has a message for each access of a register; what the controller
	# costs is what it costs where QEMU's is
	for peer in 0:serve:$SERVE 2:linked:$L2; do
		gadget_on dummy_udc.${peer%%:*} super
		peer=${peer#*:}
		speed_in "vxhci, ${peer%:*}" "${peer#*:}"
		gadget_off
		l2_wait 20 '! usb_find 0525:a4a0' >/dev/null
	done
	check "speed: out: no slower than QEMU" speed_of "$speed_out" $qemu_out 100
	check "speed: in: no slower than QEMU" speed_of "$speed_in" $qemu_in 100
}
# speed_of SECONDS OTHER'S-SECONDS PERCENT
speed_of() {
	awk -v a="$1" -v b="$2" -v p="$3" 'BEGIN { r = a > 0 ? b * 100 / a : 0
		printf "%d percent\n", r; exit !(r >= p) }'
}
