#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# capture.sh [zero|bot|uas]… - makes the captures of fixtures/captures again, all
# or those named: the device zero at three speeds, driven by tests/trace/capture.c,
# and the device storage, driven by Linux 6.1 with usb-storage at full and high
# speed and with uas at super speed.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
B=${B:-$TOP/build}
OUT=$TOP/fixtures/captures

zero() {
	make -s -C "$TOP" B="$B" "$B/trace/capture" || exit 1
	for speed in full high super; do
		rm -f "$OUT/zero-$speed.pcapng"
		"$B/trace/capture" $speed "$OUT/zero-$speed.pcapng" || exit 1
		chmod 644 "$OUT/zero-$speed.pcapng"
	done
}

# storage SPEED DRIVER FILE - in a shell of its own: the guest's work folder
storage() (
	. "$TOP/tests/rig/guest.sh"
	TIMEOUT=${TIMEOUT:-240}
	guest_work capture
	truncate -s 1M "$WORK/disk.img"
	rm -f "$3"
	SLOTS="30,xhci,storage=$WORK/disk.img,speed=$1"
	SERVE_ARGS="--pcap $3"
	guest_boot "$TOP/tests/trace/capture.guest.sh" KERNEL=6.1 DRIVER="$2" &&
		gzip -9nf "$3" && chmod 644 "$3.gz"
)

bot() {
	storage full bot "$OUT/storage-full-bot.pcapng" &&
		storage high bot "$OUT/storage-high-bot.pcapng"
}
uas() { storage super uas "$OUT/storage-super-uas.pcapng"; }

mkdir -p "$OUT"
[ $# -gt 0 ] || set -- zero bot uas
for what; do
	case $what in
	zero | bot | uas) $what || exit 1 ;;
	*)
		echo "capture.sh: $what: not one of them: write zero, bot or uas" >&2
		exit 2
		;;
	esac
done
"$TOP/tests/trace/sums.sh" --update
