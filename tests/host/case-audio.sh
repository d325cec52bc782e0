# SPDX-License-Identifier: BSD-2-Clause
# case-audio.sh - isochronous OUT: what L2 plays is what QEMU's usb-audio got.

# card_of CHANNELS - N of the sound card that can play as many, in L2
audio_card='card_of() { for c in /proc/asound/card[0-9]*/stream0; do
grep -q "Channels: $1\$" $c && { [ $1 = 8 ] || ! grep -q "Channels: 8\$" $c; } &&
echo $c | tr -dc 0-9 | cut -c1 && return 0; done; return 1; }'
audio_up() {
	l2 'modprobe snd_usb_audio'
	l2 "$audio_card"
	l2_wait 60 'card_of 2 && card_of 8' || {
		l2 'cat /proc/asound/cards /proc/asound/card*/stream0'
		return 1
	}
}
audio_play() { # CHANNELS
	# the file gets what came in eight channels at the pace of two
	audio_hold=2
	[ "$1" = 2 ] || audio_hold=45
	L2_SECONDS=200 l2 "pcm play /dev/snd/pcmC\$(card_of $1)D0p $1 10 $audio_hold"
}
audio_same() { # FILE CHANNELS
	audio_answer=$(host played "$1" "$2" 10)
	echo "$audio_answer"
	case $audio_answer in 'same '*) ;; *) return 1 ;; esac
}
case_audio() {
	session || return
	must "audio: two sound cards in L2" audio_up || return
	for n in 2 8; do
		# the wav file has what comes out of the device's mixer
		check "audio: volumes of $n channels" \
			l2 "pcm loud /dev/snd/controlC\$(card_of $n)"
		check "audio: 10 s in $n channels played, no XRUN" audio_play $n
		check "audio: $n channels: every sample came to the device, in order" \
			audio_same audio$n.pcap $n
		check "audio: $n channels: the wav file has every sample in order" \
			audio_same audio$n.wav $n
	done
}
