# SPDX-License-Identifier: BSD-2-Clause
# media.guest.sh - the guest's side of media.sh.

# of the programs that programs.sh brings
export LD_LIBRARY_PATH=/lib64
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

# The same with aplay and arecord. Their buffer is of seconds: this machine may be
# busy for a while.
debians_sound() {
	c=$(card_at 480) a="-f S16_LE -c 2 -r 48000 -t raw"
	a="$a --buffer-time=4000000 --period-time=100000"
	counted make $((S * 48000)) >/tmp/play
	arecord -D "hw:$c,0" $a -d "$S" /tmp/heard >/tmp/arecord 2>&1 &
	recorder=$!
	aplay -D "hw:$c,0" $a /tmp/play || sound_bad=1
	wait $recorder || sound_bad=1
	cat /tmp/arecord
	counted sound /tmp/heard $((S * 48000)) || sound_bad=1
	played=$(host played)
	echo "heard by the device: $played"
	[ -z "$sound_bad" ] &&
		[ "$played" = "$((S * 48000)) frames, 0 gaps, 0 pauses" ]
}
pictures() {
	v4l2-ctl -d /dev/video0 --stream-mmap=32 --stream-count=300 \
		--stream-to=/tmp/frames >/tmp/v4l2 2>&1 || {
		tail -n 5 /tmp/v4l2
		return 1
	}
	counted pictures /tmp/frames 300 $((160 * 120 * 2))
}
verified() {
	d=$(disk_of_size $((64 * 2048))) &&
		driver=$(readlink "$(usb_of "$d")"/*:1.0/driver) || return 1
	[ "${driver##*/}" = uas ] || { echo "driven by $driver"; return 1; }
	cd /tmp || return 1
	fio --name=uas --filename="/dev/$d" --thread --ioengine=libaio \
		--iodepth=16 --direct=1 --rw=randwrite --bsrange=4k-128k \
		--size=32M --verify=crc32c --verify_fatal=1 \
		--verify_state_save=0 >/tmp/fio 2>&1
	fio_rc=$?
	grep -vi 'no version information' /tmp/fio | grep -E 'err=|IO depths|READ:|WRITE:|verify:'
	# more than 8 at a time, nearly always
	[ $fio_rc = 0 ] && grep -qE 'err= 0' /tmp/fio &&
		grep -qE 'IO depths.* 16=[5-9][0-9]' /tmp/fio
}

modprobe xhci_pci
modprobe xhci_pci_renesas 2>/dev/null
modprobe snd_usb_audio
modprobe uvcvideo
modprobe usb_storage delay_use=0
modprobe uas
modprobe sd_mod
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
check "$K audio 2.0 at high speed, $S s of aplay and arecord, no gap" \
	debians_sound
check "$K 300 frames with v4l2-ctl, none missing" pictures
check "$K fio verifies a disk by UAS, 16 at a time" verified
check "$K no warning in the kernel log" quiet_log
