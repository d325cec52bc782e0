# SPDX-License-Identifier: BSD-2-Clause
# media.guest.sh - the guest's side of media.sh.

K="linux $KERNEL:"
S=$SECONDS_OF_SOUND

# card_at MBPS - the number of the sound card on a device of that speed
card_at() {
	for c in /sys/class/sound/card*; do
		d=$(readlink -f "$c/device")
		[ "$(cat "$d/../speed" 2>/dev/null)" = "$1" ] &&
			echo "${c##*card}" && return 0
	done
	return 1
}
all_there() {
	card_at 12 && card_at 480 && [ -e /dev/video0 ] &&
		[ -e /dev/snd/pcmC1D0c ]
}
# sound MBPS - plays and records at the same time
sound() {
	c=$(card_at "$1")
	pcm record "/dev/snd/pcmC${c}D0c" 2 "$S" >/tmp/recorded &
	recorder=$!
	pcm count "/dev/snd/pcmC${c}D0p" 2 "$S" || sound_bad=1
	wait $recorder || sound_bad=1
	cat /tmp/recorded
	played=$(host played)
	echo "heard by the device: $played"
	[ -z "$sound_bad" ] &&
		[ "$played" = "$((S * 48000)) frames, 0 gaps, 0 pauses" ]
}

modprobe xhci_pci
modprobe xhci_pci_renesas 2>/dev/null
modprobe snd_usb_audio
modprobe uvcvideo
wait_for 20 all_there || {
	fail "$K two sound cards and a camera"
	usb_tree
	ls /dev/snd /dev/video* /sys/class/sound
	dmesg | tail -n 30
	end
}
usb_tree
ok "$K two sound cards and a camera"
sound_bad=
check "$K audio 1.0 at full speed, $S s both ways, no gap" sound 12
sound_bad=
check "$K audio 2.0 at high speed, $S s both ways, no gap" sound 480
check "$K 300 frames of video, none missing" v4l /dev/video0 300
check "$K no warning in the kernel log" quiet_log
