#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# soak.sh [SECONDS [KERNEL]] - two guests on two controllers of one `vxhci serve`,
# for an hour or that long: disks by Bulk-Only Transport and UAS, written and
# compared, sound both ways, a keyboard and a tablet that are used. Meanwhile the
# server's memory and descriptors are looked at every ten seconds: once the guests
# are at work they are to stay as they are. Needs B, the build folder.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/guest.sh"

SECONDS_OF_WORK=${1:-3600}
KERNEL=${2:-newest} CPUS=1 MEM=384
TIMEOUT=$((SECONDS_OF_WORK * 2 + 600))
MODULES="xhci_pci xhci_pci_renesas usb_storage uas sd_mod snd_usb_audio usbhid
	hid_generic evdev crc32c_generic"
[ "$VXHCI_PEER" = vxhci ] || die "it is about vxhci's memory"

make -s -C "$TOP" B="${B:=build}" CC=gcc "$B/hostrig/static/pcm" \
	"$B/hostrig/static/evlog" >&2 || die "no pcm, no evlog"
case $B in /*) ;; *) B=$TOP/$B ;; esac
PROGRAMS="$B/hostrig/static/pcm $B/hostrig/static/evlog"

guest_work soak
SOAK=$WORK
server=
soak_cleanup() {
	kill $watcher $guests $server 2>/dev/null
	wait $server 2>/dev/null
	rm -rf "$SOAK"
}
watcher= guests=
trap soak_cleanup EXIT

slots=
for n in 1 2; do
	truncate -s 32M "$SOAK/bot.$n.img" "$SOAK/uas.$n.img"
	slots="$slots --socket $SOAK/vfu.$n -s 2$n,xhci,storage=$SOAK/bot.$n.img,speed=high,storage=$SOAK/uas.$n.img,speed=super,audio,speed=full,keyboard,tablet"
done
mkfifo "$SOAK/ready"
# shellcheck disable=SC2086
"$VXHCI" serve -v $slots --control "$SOAK/ctl" --ready-fd 3 3>"$SOAK/ready" \
	2>"$SOAK/vxhci.log" &
server=$!
[ -n "$(timeout 20 od -An -N1 -tx1 "$SOAK/ready")" ] ||
	{ cat "$SOAK/vxhci.log"; die "vxhci serve did not become ready"; }

# What the server holds: anonymous memory in KiB, open descriptors
holds() {
	echo "$(awk '/^RssAnon/ { print $2 }' "/proc/$server/status")" \
		"$(ls "/proc/$server/fd" | wc -l)"
}
# A word now and then, once a guest listens
type_to() {
	"$VXHCI" input --control "$SOAK/ctl" -s "2$1" key=a key=b \
		>/dev/null 2>&1
	"$VXHCI" input --control "$SOAK/ctl" -s "2$1" --port "$2" \
		abs=$((x % 32768)),5 abs=7,$((x % 32768)) >/dev/null 2>&1
}
watch() {
	x=0
	while [ -e "/proc/$server" ]; do
		for port in 4 5 6 7; do
			type_to 1 $port
			type_to 2 $port
			x=$((x + 1))
		done
		# when both have all their drivers
		[ ! -e "$SOAK/up.1" ] || [ ! -e "$SOAK/up.2" ] ||
			echo "$(date +%s) $(holds)" >>"$SOAK/held"
		sleep 10
	done
}

one_guest() { # N
	guest_work "soak$1"
	soak_n=$1
	host_up() { : >"$SOAK/up.$soak_n"; echo ok; }
	guest_line() { say "  guest $soak_n: $1"; }
	guest_boot "$TOP/tests/guest/soak.guest.sh" KERNEL="$KERNEL" N="$1" \
		T="$SECONDS_OF_WORK" ALLOW="$allow" -- \
		-device '{"driver":"vfio-user-pci","socket":{"type":"unix","path":"'"$SOAK/vfu.$1"'"}}'
}
allow=$(grep -v '^#' "$TOP/tests/guest/dmesg.allow" | paste -sd '|' -)
echo "soak: two guests of Debian kernel $KERNEL, $SECONDS_OF_WORK s"
bad=0
(trap - EXIT; one_guest 1) &
guests=$!
(trap - EXIT; one_guest 2) &
second=$!
first=$guests
guests="$first $second"
watch &
watcher=$!
wait $first || bad=1
wait $second || bad=1
guests=
kill $watcher 2>/dev/null
[ -e "/proc/$server" ] || { echo "FAILED soak: vxhci serve has ended"; bad=1; }

# From a third of the time on nothing grows by a MiB, nor by a descriptor. When
# the guests have ended there are fewer.
: >>"$SOAK/held"
if awk -v t="$SECONDS_OF_WORK" '
	NR == 1 { start = $1 }
	{ end = $1; mem[NR] = $2; fds[NR] = $3 }
	END {
		from = int(NR / 3) + 1
		for (i = from; i <= NR; i++) {
			if (i == from || mem[i] < lo) lo = mem[i]
			if (i == from || mem[i] > hi) hi = mem[i]
			if (i == from || fds[i] > fd) fd = fds[i]
		}
		printf "memory %d to %d KiB, at most %d descriptors (%d at %d s), %d samples in %d s\n",
			lo, hi, fd, fds[from], (end - start) / 3, NR, end - start
		exit !(NR >= 3 && mem[NR] - mem[from] <= 1024 && fd <= fds[from])
	}' "$SOAK/held" >"$SOAK/flat"; then
	echo "ok soak: memory and descriptors are flat: $(cat "$SOAK/flat")"
else
	echo "FAILED soak: memory and descriptors: $(cat "$SOAK/flat")"
	cat "$SOAK/held"
	bad=1
fi
if grep -E 'error|warn' "$SOAK/vxhci.log"; then
	echo "FAILED soak: vxhci serve complains"
	bad=1
else
	echo "ok soak: vxhci serve has nothing to say"
fi
rc=0
kill $server
wait $server || rc=$?
server=
[ $rc = 0 ] || { echo "FAILED soak: vxhci serve ended with status $rc"; bad=1; }
exit $bad
