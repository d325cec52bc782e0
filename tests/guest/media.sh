#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# media.sh KERNEL - Linux's class drivers on what is isochronous: the headset as
# USB Audio 1.0 and 2.0, and the camera. Each frame of sound and picture has a
# number, and none is missing. Debian's own programs play, record, capture, and
# verify a disk by UAS. Needs B, the build folder, where the programs are built
# that check what those have in their files.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/guest.sh"

KERNEL=${1:-newest} CPUS=2
MODULES="xhci_pci xhci_pci_renesas snd_usb_audio uvcvideo usb_storage uas sd_mod"
[ "$VXHCI_PEER" = vxhci ] || die "there are no such devices but vxhci's"
guest_work media

make -s -C "$TOP" B="${B:=build}" CC=gcc "$B/hostrig/static/pcm" \
	"$B/hostrig/static/counted" >&2 || die "no pcm, no counted"
case $B in /*) ;; *) B=$TOP/$B ;; esac
PROGRAMS="$B/hostrig/static/pcm $B/hostrig/static/counted"
TREE=$("$TOP/tests/rig/programs.sh") || die "no aplay, v4l2-ctl, fio"
truncate -s 64M "$WORK/disk.img"

# What the loudspeakers of this run heard, the last first
host_played() {
	sleep 1
	sed -n 's/.*audio: played //p' "$WORK/vxhci.log" | tail -n 1
}

SERVE_ARGS="-v ${MEDIA_RECORD:+--record $MEDIA_RECORD}"
SLOTS="30,xhci,audio,speed=full,audio,speed=high,camera,storage=$WORK/disk.img,speed=super"
allow=$(grep -v '^#' "$TOP/tests/guest/dmesg.allow" | paste -sd '|' -)
echo "guest: Debian kernel $KERNEL, sound and pictures, Debian's programs"
guest_boot "$TOP/tests/guest/media.guest.sh" KERNEL="$KERNEL" \
	ALLOW="$allow" SECONDS_OF_SOUND="${SOUND:-10}" || exit 1
