#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# host.sh [short | CASE…] - physical devices on a machine that has none. A guest
# (L1) plays the host: its USB devices are QEMU's and gadgets of its own kernel.
# `vxhci serve` runs in it, and a second QEMU whose guest (L2) has those devices
# through vxhci. The cases are case_NAME functions of tests/host/case-*.sh, which
# run in L1; without arguments all of them run.
#
# Environment: as guest.sh; VXHCI_PEER=qemu gives L2 QEMU's own qemu-xhci and
# usb-host instead. B: the build folder.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/guest.sh"

B=${B:-build}
KERNEL=${HOST_L1_KERNEL:-6.1} CPUS=${HOST_CPUS:-2} MEM=4096
L2_KERNEL=${HOST_L2_KERNEL:-6.1}
TIMEOUT=${HOST_TIMEOUT:-3600}
: "${VXHCI_ACCEL:=$(guest_accel)}"
[ "$VXHCI_ACCEL" != tcg ] || VXHCI_ACCEL=tcg,thread=multi,tb-size=1024
# what the host's kernel needs to share files, and to have devices
MODULES="virtio_pci 9p 9pnet_virtio xhci_pci xhci_pci_renesas usb_storage uas
	sd_mod usbhid hid_generic evdev usbtest usbmon dummy_hcd libcomposite
	usb_f_ss_lb vhci_hcd snd_usb_audio ftdi_sio cdc_ether rndis_host
	kvm_amd kvm_intel crc32c_generic crc32c_intel"
L2_MODULES="xhci_pci xhci_pci_renesas usb_storage uas sd_mod usbhid
	hid_generic evdev usbtest usbmon snd_usb_audio ftdi_sio cdc_ether
	rndis_host crc32c_generic crc32c_intel"
APPEND="mitigations=off ${HOST_L1_APPEND:-}"
# An emulated cpu counts as the machine's does: a clock that costs L1 nothing,
# where the others that it has cost a way out of the emulated cpu. How fast it
# counts is measured here, as a loaded L1 is bad at that.
tsc_append() {
	case $VXHCI_ACCEL in tcg*) ;; *) return ;; esac
	tsc_khz=$("$bin/static/tsckhz") &&
		echo "tsc=reliable clocksource=tsc tsc_early_khz=$tsc_khz"
}

guest_work host
SHARE=$WORK/share
mkdir -p "$SHARE"

host_cleanup() {
	for f in "$WORK"/*.pid; do
		[ -e "$f" ] && kill "$(cat "$f")" 2>/dev/null
	done
	guest_cleanup
}
trap host_cleanup EXIT

# What L2 boots: an uncompressed kernel, as unpacking one takes an emulated cpu
# of an emulated cpu half a minute, and busybox with the test programs.
share_l2() {
	l2_dir=$("$TOP/tests/rig/kernel.sh" "$L2_KERNEL") || return 1
	"$TOP/tests/host/vmlinux.sh" "$l2_dir/vmlinuz" "$SHARE/l2.kernel" ||
		return 1
	rm -rf "$WORK/l2"
	mkdir -p "$WORK/l2/test" "$WORK/l2/bin"
	cp "$TOP/tests/host/l2.sh" "$WORK/l2/test/run.sh"
	cp "$bin/static/"* "$WORK/l2/bin/"
	# shellcheck disable=SC2086
	l2_base=$("$TOP/tests/rig/initramfs.sh" "$l2_dir" $L2_MODULES) ||
		return 1
	cp "$l2_base" "$SHARE/l2.initrd"
	(cd "$WORK/l2" && find . | cpio --quiet -o -H newc --owner 0:0) \
		>>"$SHARE/l2.initrd"
}

# --- what L1 may ask of this machine

# Shows nothing, but QEMU must not wait for someone to read its monitor.

host_drain() {
	timeout "$TIMEOUT" cat <&6 >"$WORK/mon.log" 2>/dev/null &
	echo $! >"$WORK/drain.pid"
	echo ok
}
# monitor_answer COMMAND… - an order to the QEMU that L1 runs in, and what it
# says, up to its next prompt
monitor_answer() {
	answer_from=$(wc -c <"$WORK/mon.log")
	qemu_monitor "$@"
	answer_left=600
	until [ "$(wc -c <"$WORK/mon.log")" -gt "$answer_from" ] &&
		[ "$(tail -c 7 "$WORK/mon.log")" = "(qemu) " ]; do
		answer_left=$((answer_left - 1))
		[ $answer_left -gt 0 ] || break
		sleep 0.1
	done
	tail -c "+$((answer_from + 1))" "$WORK/mon.log"
}
host_monitor() {
	monitor_answer "$@" >/dev/null
	echo ok
}
# --- the devices: QEMU's own, in the ports of L1's controller hx. Ports 1 and 2
# are empty at first, 9 to 15 are free.

# disk NAME MIB - random content, so that what is compared differs from zeros
disk() { head -c "$2M" /dev/urandom >"$WORK/$1.img"; }
outer_devices() {
	disk bot 16 && truncate -s 160M "$WORK/bot.img" || return 1
	truncate -s 80M "$WORK/uas.img" && head -c 80M /dev/urandom \
		>>"$WORK/uas.img" || return 1
	head -c 64M /dev/urandom | dd of="$WORK/bot.img" conv=notrunc bs=1M \
		2>/dev/null
	for f in ser card qmp; do
		mkfifo "$WORK/$f.in" "$WORK/$f.out" || return 1
	done
	# what comes from the serial device goes back to it
	timeout "$TIMEOUT" cat <>"$WORK/ser.out" 1<>"$WORK/ser.in" &
	echo $! >"$WORK/ser.pid"
	timeout "$TIMEOUT" cat <>"$WORK/qmp.out" >"$WORK/qmp.log" &
	echo $! >"$WORK/qmp.pid"
	timeout "$TIMEOUT" cat <>"$WORK/card.out" >"$WORK/card.log" &
	echo $! >"$WORK/card.pid"
}
outer_args() {
	echo "-device qemu-xhci,id=hx,p2=15,p3=15"
	echo "-drive if=none,id=bot,format=raw,file=$WORK/bot.img"
	echo "-device usb-storage,bus=hx.0,port=3,drive=bot,id=bot"
	echo "-drive if=none,id=uas,format=raw,file=$WORK/uas.img"
	echo "-device usb-uas,bus=hx.0,port=4,id=uas"
	echo "-device scsi-hd,bus=uas.0,drive=uas"
	# QEMU's mixer has two channels; without it, eight come into the file as
	# they are, at the pace of two
	echo "-audiodev wav,id=snd2,path=$WORK/audio2.wav,out.frequency=48000"
	echo "-audiodev wav,id=snd8,path=$WORK/audio8.wav,out.mixing-engine=off,out.fixed-settings=off"
	echo "-device usb-audio,bus=hx.0,port=5,audiodev=snd2,buffer=$AUDIO,pcap=$WORK/audio2.pcap"
	echo "-device usb-audio,bus=hx.0,port=6,audiodev=snd8,multi=on,buffer=$AUDIO,pcap=$WORK/audio8.pcap"
	echo "-device usb-kbd,bus=hx.0,port=7 -device usb-tablet,bus=hx.0,port=8"
	echo "-chardev pipe,id=ser,path=$WORK/ser"
	echo "-device usb-serial,bus=hx.0,port=9,chardev=ser"
	echo "-netdev user,id=net -device usb-net,bus=hx.0,port=10,netdev=net"
	echo "-chardev pipe,id=card,path=$WORK/card"
	echo "-device usb-ccid,bus=hx.0,port=11,id=ccid"
	echo "-device ccid-card-passthru,bus=ccid.0,chardev=card"
	echo "-chardev pipe,id=qmp,path=$WORK/qmp -mon chardev=qmp,mode=control"
}
AUDIO=16777216 # bytes that usb-audio may be ahead of the wav file

# host_compare OFFSET-MIB MIB - whether both disks have the same there
host_compare() {
	cmp -s -i $(($1 << 20)) -n $(($2 << 20)) "$WORK/bot.img" \
		"$WORK/uas.img" && echo same || echo differs
}
# host_replug - the disk that `device_del bot` took away. Its drive goes some
# time after it, when all of QEMU's processors have been told.
host_replug() {
	replug_n=0
	until monitor_answer "drive_add 0 if=none,id=bot,format=raw,file=$WORK/bot.img" |
		grep -aq OK; do
		replug_n=$((replug_n + 1))
		[ $replug_n -lt 300 ] || { echo "its drive does not go"; return; }
		sleep 0.1
	done
	monitor_answer "device_add usb-storage,bus=hx.0,port=3,drive=bot,id=bot" \
		>/dev/null
	monitor_answer "info usb" | grep -aq "ID: bot" && echo ok ||
		echo "it is not in its port"
}
# host_played FILE CHANNELS SECONDS - whether what was played is there
host_played() {
	played=$("$bin/static/pcm" find "$WORK/$1" "$2" "$3" 2>&1) &&
		played="same $played"
	echo "$played" | paste -sd ';' -
}
# host_card - puts a card into the reader, with the answer to reset 3b 02 14 50
# (QEMU's vscard protocol: type, reader, length, each 32 bits big endian)
host_card() {
	{
		printf '\000\000\000\001\000\000\000\000\000\000\000\014'
		printf 'VSCD\000\000\000\002\000\000\000\000'
		printf '\000\000\000\003\000\000\000\000\000\000\000\001r'
		printf '\000\000\000\005\000\000\000\000\000\000\000\004'
		printf '\073\002\024\120'
	} >"$WORK/card.in"
	echo ok
}
qmp() { printf '%s\n' "$*" >"$WORK/qmp.in"; }
# host_keys N - N keys, a to z in turn, pressed and released; QEMU's devices
# keep 16 events until they are asked, and drop what comes then
host_keys() {
	qmp '{"execute":"qmp_capabilities"}'
	keys_n=0
	while [ $keys_n -lt "$1" ]; do
		for k in a b c d e f g h i j k l m n o p q r s t u v w x y z; do
			[ $keys_n -lt "$1" ] || break
			for down in true false; do
				qmp '{"execute":"input-send-event","arguments":{"events":[{"type":"key","data":{"down":'$down',"key":{"type":"qcode","data":"'$k'"}}}]}}'
				sleep 0.03
			done
			keys_n=$((keys_n + 1))
		done
	done
	echo ok
}
# host_moves N - the pointer goes to N places, each with another x
host_moves() {
	qmp '{"execute":"qmp_capabilities"}'
	moves_n=0
	while [ $moves_n -lt "$1" ]; do
		moves_n=$((moves_n + 1))
		qmp '{"execute":"input-send-event","arguments":{"events":[{"type":"abs","data":{"axis":"x","value":'$((moves_n * 32))'}}]}}'
		sleep 0.03
	done
	echo ok
}

bin=$TOP/$B/hostrig
case $B in /*) bin=$B/hostrig ;; esac
unset MAKEFLAGS MAKELEVEL
make -s -C "$TOP" B="$B" host-programs || exit 1
cp "$VXHCI" "$SHARE/vxhci" || exit 1
cp "$bin/"*/* "${bin%/hostrig}/linked/qemu.so" "$SHARE/" || exit 1
cp "$TOP"/tests/host/*.sh "$TOP/tests/rig/no-io-uring.pl" "$SHARE/"
share_l2 || exit 1
qemu=$("$TOP/tests/rig/qemu.sh") || exit 1
APPEND="$APPEND $(tsc_append)"

# Lines that are not verdicts: results worth reading begin with a word and ':'.
guest_line() { say "  $1"; }

outer_devices || die "cannot make the devices"
[ $# -gt 0 ] || set -- all
share() { # TAG PATH [,readonly=on]
	echo "-fsdev local,id=$1,path=$2,security_model=none${3:-}"
	echo "-device virtio-9p-pci,fsdev=$1,mount_tag=$1"
}
# shellcheck disable=SC2046
guest_boot "$TOP/tests/host/l1.sh" CASES="$*" QEMU="$qemu" CACHE="$CACHE" \
	SERVE_ARGS="${HOST_SERVE_ARGS:--v}" WALK_STEPS="${WALK_STEPS:-200}" WALK_SEED="${WALK_SEED:-1}" -- \
	$(share usr /usr ,readonly=on) \
	$(share cache "$CACHE" ,readonly=on) \
	$(share w "$SHARE") \
	$(outer_args); exit $?
