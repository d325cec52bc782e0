# SPDX-License-Identifier: BSD-2-Clause
# usbtest.guest.sh - the guest's side of usbtest.sh. With FULL set it runs long.
#
# The driver chooses one alternate setting when it is bound: with alt=1 bulk and
# isochronous endpoints, with alt=2 interrupt endpoints. Its sizes: whole
# packets where data is read, so that it is what a real device sends.

K="linux $KERNEL:"
PARAM=/sys/module/usbtest/parameters
N=20 SG=32 # iterations, and how many URBs or list entries each has

mbps() { case $1 in full) echo 12 ;; high) echo 480 ;; super) echo 5000 ;; super+) echo 10000 ;; esac; }
# zero_at SPEED - the folder in sysfs of the zero with that speed
zero_at() {
	for d in /sys/bus/usb/devices/*; do
		[ "$(cat "$d/idVendor" 2>/dev/null)" = 0525 ] &&
			[ "$(cat "$d/speed")" = "$(mbps "$1")" ] &&
			echo "$d" && return 0
	done
	return 1
}
SPEEDS="${PLUS:+super+ }super high full"
all_there() {
	for s in $SPEEDS; do
		zero_at "$s" || return 1
	done
}
node_of() { # SPEED
	z=$(zero_at "$1") &&
		printf '/dev/bus/usb/%03d/%03d\n' "$(cat "$z/busnum")" \
			"$(cat "$z/devnum")"
}
drv=/sys/bus/usb/drivers/usbtest
# bind ALT - the driver anew on all devices, with that alternate setting
bind() {
	echo "$1" >$PARAM/alt
	for s in $SPEEDS; do
		i=$(basename "$(zero_at "$s")"):3.0
		[ ! -e "$drv/$i" ] || echo "$i" >$drv/unbind
		echo "$i" >$drv/bind || return 1
	done
}
# configure N - all devices, and the driver with them
configure() {
	for s in $SPEEDS; do
		z=$(zero_at "$s")
		echo "$1" >"$z/bConfigurationValue" &&
			wait_for 5 [ -e "$drv/$(basename "$z"):$1.0" ] ||
			return 1
	done
}
# cases SPEED N LENGTH VARY CASE… - fills /tmp/cases with testusb's lines, and
# /tmp/failed with what did not pass.
cases() {
	cases_of=$1 cases_n=$2 cases_length=$3 cases_vary=$4
	shift 4
	testusb "$(node_of "$cases_of")" "$cases_n" "$cases_length" \
		"$cases_vary" $SG "$@" >/tmp/now
	cat /tmp/now >>/tmp/cases
	for c; do
		grep -q "^$c ok " /tmp/now || grep "^$c " /tmp/now ||
			echo "$c not run"
	done >>/tmp/failed
}
# unlink_retries SINCE - how many there were, and the ms that the driver spun
unlink_retries() {
	dmesg | awk -v since="$1" '/unlink retry/ { sub(/^[[] */, ""); t = $1 + 0
		if (t < since) next
		if (t - last < 0.001) spun += t - last
		last = t; n++ }
		END { printf "%d %d\n", n, spun * 1000 }'
}
now() { cut -d' ' -f1 /proc/uptime; }
# What the driver says at level error and is no fault: that it found a URB done
# which it was about to unlink ("retry", again and again while the cpu that would
# complete it waits for its host); and at 10 Gb/s, where it takes the exponent in
# bMaxPacketSize0 for a size, that 9 bytes of the device descriptor, of which there
# are 18, are not a short read (control queue, subtest 14).
quiet() {
	plus=$([ -z "$PLUS" ] || zero_at super+)
	warnings | grep -iE 'xhci|usb' | grep -vE "$ALLOW" |
		grep -vE 'unlink retry|module verification' |
		grep -vE "usbtest ${plus##*/}:3.0: subtest 14 error, status 0" \
			>/tmp/said
	[ ! -s /tmp/said ] || {
		head -n 20 /tmp/said
		return 1
	}
}
# report NAME - all of /tmp/cases passed, with the time that they took
report() {
	total=$(awk '$2 == "ok" { n++ } $1 == "total" { t += $2 }
		END { printf "%d runs in %.1f s", n, t }' /tmp/cases)
	# shellcheck disable=SC2046
	set -- "$1" $(unlink_retries "$retries_since")
	if [ -s /tmp/failed ]; then
		fail "$K $1: $total, but: $(paste -sd , /tmp/failed)"
	elif [ ! -s /tmp/cases ]; then
		fail "$K $1: nothing was run"
	elif ! quiet; then
		fail "$K $1: $total, but the kernel warns"
	else
		ok "$K $1: $total, $2 unlink retries in $3 ms"
	fi
	awk '$2 == "ok" { printf "%s:%s ", $1, $3 } END { print "" }' /tmp/cases
	: >/tmp/failed
	: >/tmp/cases
	retries_since=$(now)
}

bulk() { # SPEED
	cases "$1" $N 2048 1024 0 1 2 3 4 5 6 7 8 17 18 19 20 13 29
	cases "$1" $N 4096 421 3 4 7 8      # odd sizes
	cases "$1" $N 65536 4096 1 2 5 6 27 28
	cases "$1" $N 2048 1024 11 12 24    # taking URBs back
	cases "$1" $N 65536 1024 11 12 24
	cases "$1" $N 1024 421 9 10 14 21   # control
	cases "$1" $N 65535 16383 14 21
}
iso() { # SPEED
	iso_n=$N iso_length=2048
	[ -n "$FULL" ] || [ "$1" != high ] || iso_length=1024
	[ "$1" != full ] || iso_length=1023
	[ -n "$FULL" ] || [ "$1" != full ] || iso_n=3 # 8 ms a packet
	[ -z "$FULL" ] || iso_n=40
	cases "$1" $iso_n $iso_length 0 15 16 22 23
}
# Loopback: what is read has nothing to come, and what is written soon no room,
# so that URBs are taken back while the device holds them, some in the middle.
loopback() { # SPEED
	cases "$1" $N 2048 0 11
	cases "$1" $N 50000 0 11 12
	cases "$1" $N 65536 0 12
	cases "$1" 1 1024 0 24
}
# 10 Gb/s is super speed to a device like this: once each
plus() {
	cases super+ 5 2048 1024 0 1 2 3 4 5 6 7 8 17 18 19 20 13 29
	cases super+ 5 65536 4096 1 2 5 6 27 28
	cases super+ 5 2048 1024 11 12 24
	cases super+ 5 1024 421 9 10 14 21
	cases super+ 5 2048 0 15 16 22 23
}
interrupt() { # SPEED
	interrupt_length=1024
	[ "$1" != full ] || interrupt_length=256
	cases "$1" $N $interrupt_length 0 25 26
}
# What usbtest sends is checked by the device, what it gets by usbtest: with
# another pattern than the device's both must fail.
patterns() {
	echo 1 >$PARAM/pattern
	for c in 1 2; do
		testusb "$(node_of super)" $N 2048 0 $SG $c >/tmp/now &&
			cat /tmp/now && return 1
	done
	echo 0 >$PARAM/pattern
	warnings >/dev/null
	testusb "$(node_of super)" $N 2048 0 $SG 1 2 >/tmp/now || {
		cat /tmp/now
		return 1
	}
}

[ -z "$FULL" ] || N=200
: >/tmp/failed
: >/tmp/cases
modprobe xhci_pci
modprobe xhci_pci_renesas 2>/dev/null
modprobe usbtest alt=1
wait_for 20 all_there || {
	fail "$K a device of each speed found"
	usb_tree
	end
}
retries_since=$(now)
usb_tree
ok "$K a device of each speed found"
check "$K no warning in the kernel log" quiet

check "$K bulk and isochronous endpoints bound" bind 1
[ -z "$PLUS" ] || {
	plus
	report "usbtest at super+ speed, shortly"
}
for s in super high full; do
	bulk $s
	report "usbtest at $s speed"
	iso $s
	report "usbtest at $s speed, isochronous"
done
check "$K data that is not the pattern is noticed" patterns
check "$K interrupt endpoints bound" bind 2
for s in $SPEEDS; do
	interrupt "$s"
	report "usbtest at $s speed, interrupt"
done
echo 0 >$PARAM/alt
check "$K loopback configured" configure 2
for s in $SPEEDS; do
	loopback "$s"
	report "usbtest at $s speed, on loopback"
done
idle=$(host idle)
[ "$idle" = 0 ] && ok "$K idle for 3 s: vxhci wakes 0 times" ||
	fail "$K idle for 3 s: vxhci wakes 0 times, but: $idle"
