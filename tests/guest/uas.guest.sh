# SPDX-License-Identifier: BSD-2-Clause
# uas.guest.sh - the guest's side of uas.sh. HALF is in MiB.

K="linux $KERNEL: uas:"
MIB=2048 # sectors
JOBS=16

find_disks() {
	super=$(disk_of_size $(((HALF * 2 + 1) * MIB))) &&
		high=$(disk_of_size $(((HALF * 2 + 2) * MIB)))
}
drivers_in() {
	modprobe xhci_pci &&
		{ modprobe xhci_pci_renesas 2>/dev/null || :; } &&
		modprobe usb_storage delay_use=0 && modprobe uas && modprobe sd_mod
}
drivers_out() {
	modprobe -r uas
	modprobe -r usb_storage 2>/dev/null
	modprobe -r xhci_pci_renesas 2>/dev/null
	modprobe -r xhci_pci 2>/dev/null
	! grep -qE '^(uas|usb_storage|xhci_pci) ' /proc/modules
}
back() {
	wait_for 15 find_disks || { echo "disks missing"; return 1; }
	for d in $super $high; do
		dd if=/dev/$d of=/dev/null bs=64k count=16 iflag=direct \
			2>/dev/null || { echo "$d: no read"; return 1; }
	done
}
# How a disk is driven: driver, alternate setting, commands at a time. Of its
# 16 streams, and of 32 tags where there are none, Linux leaves 2 alone.
driven() {
	u=$(usb_of "$1")
	for i in "$u"/*:1.0; do :; done
	h=$(readlink -f "/sys/block/$1/device/../..")
	echo "$(cat "$u/speed")" \
		"$(basename "$(readlink "$i/driver")")" \
		"$(cat "$i/bAlternateSetting")" \
		"$(cat "$h"/scsi_host/*/can_queue)"
}
driven_as() { # DISK WHAT
	[ "$(driven $1)" = "$2" ] || { echo "$1: $(driven $1), not $2"; return 1; }
}
both_driven() {
	driven_as $super "5000 uas  1 14" && driven_as $high "480 uas  1 30"
}

# most_writes DISK - the most that it has at a time, over the next 0.2 s
most_writes() {
	most_n=0
	for look in $(seq 1 40); do
		usleep 5000
		read -r most_r most_w <"/sys/block/$1/inflight"
		[ "$most_w" -le $most_n ] || most_n=$most_w
	done
	echo $most_n
}
# by_jobs KIB-REQUEST FROM TO SKIP-MIB MIB FLAG… - a dd each; $by_pids are they.
by_jobs() {
	by_kib=$1 by_from=$2 by_to=$3
	by_n=$(($5 * 1024 / $1 / JOBS)) by_at=$(($4 * 1024 / $1)) by_pids=
	shift 5
	for j in $(seq 1 $JOBS); do
		dd if="$by_from" of="$by_to" bs="${by_kib}k" skip=$by_at \
			seek=$by_at count=$by_n "$@" 2>>/tmp/dd.err &
		by_pids="$by_pids $!"
		by_at=$((by_at + by_n))
	done
}
by_end() {
	for j in $by_pids; do
		wait "$j" || { cat /tmp/dd.err; return 1; }
	done
}
copied() { # NAME NAME FROM TO SKIP-MIB
	by_jobs 256 "/dev/$3" "/dev/$4" "$5" $HALF iflag=direct oflag=direct
	by_end && [ "$(host compare "$1" "$2" "$5" $HALF)" = same ]
}
# How many at a time depends on how busy the machine is.
many_at_a_time() { # DISK AT-LEAST
	by_jobs 128 /dev/zero "/dev/$1" $HALF $HALF oflag=direct
	many=$(most_writes "$1")
	by_end || return 1
	echo "$1: up to $many commands at a time"
	[ "$many" -ge "$2" ]
}

read_all() { # DISK - the lower half, by 8 processes, compared
	read_pids=
	for j in 0 1 2 3 4 5 6 7; do
		dd if="/dev/$1" bs=128k skip=$((j * 64)) count=64 \
			iflag=direct 2>/dev/null | sha256sum >"/tmp/sum.$j" &
		read_pids="$read_pids $!"
	done
	# shellcheck disable=SC2086
	wait $read_pids
	cat /tmp/sum.?
}
# Commands that fail do not disturb those that do not.
errors_amid() {
	want=$(read_all $super)
	[ "$(host shrink)" = done ] || return 1
	for j in 0 1 2 3; do
		dd if=/dev/$super of=/dev/null bs=64k count=1 iflag=direct \
			skip=$(((HALF + 8) * 16 + j)) 2>/dev/null &&
			echo read >/tmp/bad_read &
	done
	got=$(read_all $super)
	wait
	[ "$(host grow)" = done ] || return 1
	[ ! -e /tmp/bad_read ] || { echo "what is not there was read"; return 1; }
	[ "$want" = "$got" ] || { echo "other data"; return 1; }
}

busy() { # reads of both disks that last
	busy_pids=
	for d in $super $high; do
		for j in 0 1 2 3 4 5; do
			while dd if=/dev/$d of=/dev/null bs=128k iflag=direct \
				skip=$((j * 16)) count=64 2>/dev/null; do :; done &
			busy_pids="$busy_pids $!"
		done
	done
	usleep 300000
}
idle() {
	# shellcheck disable=SC2086
	kill $busy_pids 2>/dev/null
	# shellcheck disable=SC2086
	wait $busy_pids 2>/dev/null
}
# Driver or configuration taken away amid commands, and given back
unbind_amid() {
	busy
	for d in $super $high; do
		for i in "$(usb_of $d)"/*:1.0; do :; done
		echo "${i##*/}" >/sys/bus/usb/drivers/uas/unbind
		echo "${i##*/}" >/sys/bus/usb/drivers/uas/bind
	done
	idle
	back && both_driven
}
unconfigure_amid() {
	busy
	for d in $super $high; do
		u=$(usb_of $d)
		echo 0 >"$u/authorized" || return 1
		echo 1 >"$u/authorized" || return 1
	done
	idle
	back && both_driven
}
# The other transport, on the same disks
bulk_only_and_back() {
	rmmod uas || return 1 # and not usb_storage, which it needs
	q=/sys/module/usb_storage/parameters/quirks
	old=$(cat $q)
	echo 1d6b:0104:u >$q
	for i in /sys/bus/usb/devices/*:1.0; do
		[ "$(cat "$i/bInterfaceClass")" = 08 ] || continue
		echo "${i##*/}" >/sys/bus/usb/drivers/usb-storage/bind ||
			return 1
	done
	back && driven_as $super "5000 usb-storage  0 1" &&
		driven_as $high "480 usb-storage  0 1" || return 1
	echo "$old" >$q
	for i in /sys/bus/usb/drivers/usb-storage/*:1.0; do
		echo "${i##*/}" >/sys/bus/usb/drivers/usb-storage/unbind
	done
	modprobe uas
	back && both_driven
}
system_sleep() {
	[ -e /sys/power/pm_test ] || { echo "no pm_test here"; return 1; }
	echo 1 >/sys/module/suspend/parameters/pm_test_delay
	echo devices >/sys/power/pm_test
	echo freeze >/sys/power/state || return 1
	echo none >/sys/power/pm_test
	back && both_driven
}
rebind() {
	for round in 1 2; do
		drivers_out || { echo "round $round: still loaded"; return 1; }
		drivers_in || { echo "round $round: does not load"; return 1; }
		back || { echo "round $round"; return 1; }
	done
	both_driven
}

# What Linux says of the commands of a disk that is taken away
TAKEN_AWAY='offline device|device offline|Synchronize Cache|I/O error, dev sd'
TAKEN_AWAY="$TAKEN_AWAY|Buffer I/O|callbacks suppressed|uas_zap_pending|submit err -2|cmplt err -108|CDB: Read|DID_NO_CONNECT"

drivers_in || fail "$K drivers load"
if ! wait_for 20 find_disks; then
	fail "$K two disks found"
	usb_tree
	end
fi
usb_tree
check "$K 16 streams at super speed, none at high speed" both_driven
check "$K commands at a time at super speed" many_at_a_time $super 2
check "$K $HALF MiB read at super, written at high speed by $JOBS processes" \
	copied super high $super $high 0
check "$K $HALF MiB read at high, written at super speed by $JOBS processes" \
	copied super high $high $super $HALF
check "$K no warning in the kernel log" quiet_log
check "$K errors amid other commands" errors_amid
check "$K no other warning in the kernel log" quiet_log \
	"(critical medium|I/O) error.* dev $super,|\[$super\] tag"
check "$K driver taken away amid commands" unbind_amid
check "$K configuration taken away amid commands" unconfigure_amid
check "$K no other warning in the kernel log" quiet_log \
	"$TAKEN_AWAY"
check "$K bulk-only, and back" bulk_only_and_back
check "$K system sleep and back" system_sleep
check "$K no other warning in the kernel log" quiet_log \
	'xHC error in resume, USBSTS|invalid context state for evaluate context'
check "$K modules removed and back twice" rebind
check "$K no warning in the kernel log after that" quiet_log
