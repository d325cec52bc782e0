# SPDX-License-Identifier: BSD-2-Clause
# soak.guest.sh - a guest of soak.sh: N is its number, T the seconds to work.

K="linux $KERNEL, guest $N:"

# disk_at MBPS - the disk on a device of that speed
disk_at() {
	for d in /sys/block/sd*; do
		u=$(usb_of "${d##*/}") || continue
		[ "$(cat "$u/speed")" = "$1" ] && echo "${d##*/}" && return 0
	done
	return 1
}
event_of() {
	for e in /sys/class/input/event*; do
		[ "$(cat "$e/device/name")" = "$1" ] &&
			echo "/dev/input/${e##*/}" && return 0
	done
	return 1
}
all_there() {
	disk_at 480 && disk_at 5000 && [ -e /dev/snd/pcmC0D0c ] &&
		event_of "vxhci vxhci tablet" && event_of "vxhci vxhci keyboard"
}
now() { cut -d. -f1 /proc/uptime; }

# A round: 4 MiB of other content to each disk at a place of its own, and back
round() {
	head -c 4194304 /dev/urandom >/tmp/data
	sum=$(sha256sum </tmp/data)
	for d in $bot $uas; do
		dd if=/tmp/data of=/dev/$d bs=256k seek=$((n % 7 * 16)) \
			oflag=direct 2>/dev/null || return 1
	done
	for d in $bot $uas; do
		back=$(dd if=/dev/$d bs=64k skip=$((n % 7 * 64)) count=64 \
			iflag=direct 2>/dev/null | sha256sum)
		[ "$back" = "$sum" ] || { echo "$d: other data"; return 1; }
	done
}
# Sound both ways, again and again. Under load a guest may be too late for it.
sound() {
	while :; do
		pcm record /dev/snd/pcmC0D0c 2 5 >/tmp/rec.out 2>&1 &
		rec=$!
		pcm count /dev/snd/pcmC0D0p 2 5 >/tmp/play.out 2>&1 &&
			echo >>/tmp/played || echo >>/tmp/late
		wait $rec && echo >>/tmp/recorded || echo >>/tmp/late
	done
}
count() { [ -e "$1" ] && wc -l <"$1" || echo 0; }

modprobe xhci_pci
modprobe xhci_pci_renesas 2>/dev/null
for m in sd_mod uas snd_usb_audio usbhid hid_generic evdev; do
	modprobe $m
done
modprobe usb_storage delay_use=0
wait_for 300 all_there || {
	fail "$K disks, sound, keyboard and tablet"
	usb_tree
	end
}
ok "$K disks, sound, keyboard and tablet"
bot=$(disk_at 480) uas=$(disk_at 5000)
evlog "$(event_of "vxhci vxhci keyboard")" $((T + 5)) >/tmp/keys &
evlog "$(event_of "vxhci vxhci tablet")" $((T + 5)) >/tmp/moves &
sound &
host up >/dev/null
end_at=$(($(now) + T)) n=0 rounds_bad=0
while [ "$(now)" -lt $end_at ]; do
	round || { rounds_bad=$((rounds_bad + 1)); [ $rounds_bad -lt 5 ] || break; }
	n=$((n + 1))
	[ $((n % 50)) != 0 ] || echo "$n rounds"
done
echo "$n rounds of 8 MiB both ways; 5 s of sound: $(count /tmp/played) played" \
	"and $(count /tmp/recorded) recorded without a gap, $(count /tmp/late)" \
	"late; $(count /tmp/keys) events of the keyboard, $(count /tmp/moves) of" \
	"the tablet"
check "$K what was written is read" [ $rounds_bad = 0 -a $n -gt 0 ]
check "$K sound is played" [ -s /tmp/played ]
check "$K and recorded" [ -s /tmp/recorded ]
check "$K no warning in the kernel log" quiet_log 'cannot|underrun|retry'
