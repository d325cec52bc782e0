# SPDX-License-Identifier: BSD-2-Clause
# case-zero.sh - gadget zero and the kernel's usbtest driver, on each side:
# without a controller between (in L1), through QEMU's usb-host, through vxhci in
# QEMU's process, and through `vxhci serve`.

ZERO_CASES="0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 17 18 19 20 21 24 27 28 29"
ZERO_N=20
ZERO_SIZES="2048 1024" # whole packets at every speed
ZERO_SPEEDS="full high super"
# QEMU's usb-host and the linked vxhci in turn; the shortest time of each case is
# the one that this machine's other work disturbed least
ZERO_ROUNDS=3

mbps_of() { case $1 in full) echo 12 ;; high) echo 480 ;; super) echo 5000 ;; esac; }
zero_is() { # SPEED - in L2
	echo "[ \"\$(cat \$(usb_find 0525:a4a0)/speed)\" = $(mbps_of "$1") ]"
}
# zero_count FILE - `N of M in S s`
zero_count() {
	awk '$2 == "ok" { n++ } /^[0-9]/ && $2 != "none" { m++ }
		$1 == "total" { t = $2 } END { print n + 0, "of", m + 0, "in", t + 0, "s" }' "$1"
}
# The same in L1 itself; its driver must be gone before others want the device.
zero_bare() { # SPEED
	modprobe usbtest
	gadget_on dummy_udc.1 "$1"
	l1_wait 10 l1_bound usbtest || return 1
	testusb "$(l1_node 0525:a4a0)" $ZERO_N $ZERO_SIZES 32 $ZERO_CASES \
		>/tmp/zero.bare
	gadget_off
	l1_wait 10 sh -c '! ls -d /sys/bus/usb/drivers/usbtest/*:*'
	rmmod usbtest # modprobe -r fails: usbcore stays
}
zero_qemu() { # SPEED
	gadget_on dummy_udc.1 "$1"
	l1_wait 10 l1_node 0525:a4a0 || return 1
	zero_bus=$E2
	[ "$1" = super ] && zero_bus=$E3
	l2_monitor "device_add usb-host,bus=qx.0,id=qh,hostbus=$zero_bus,hostport=1"
	l2_wait 40 "$(zero_is "$1")" || return 1
	# the driver waits for the alternate settings
	l2_wait 20 'ls $(usb_find 0525:a4a0)/*/driver | grep -q .' >/dev/null
	L2_SECONDS=300 l2 "testusb \$(usb_node 0525:a4a0) $ZERO_N $ZERO_SIZES 32 $(
		echo "$ZERO_CASES" | sed 's/ 24//')" >/tmp/zero.qemu
	l2_monitor device_del qh
	gadget_off
	l2_wait 20 '! usb_find 0525:a4a0' >/dev/null
}
zero_vxhci() { # SPEED [linked]
	zero_udc=0
	[ -z "${2:-}" ] || zero_udc=2
	gadget_on dummy_udc.$zero_udc "$1"
	l2_wait 40 "$(zero_is "$1")" || return 1
	l2_wait 20 'ls $(usb_find 0525:a4a0)/*/driver | grep -q .' >/dev/null
	L2_SECONDS=300 l2 "testusb \$(usb_node 0525:a4a0) $ZERO_N $ZERO_SIZES 32 $ZERO_CASES" \
		>"/tmp/zero.${2:-vxhci}"
	gadget_off
	l2_wait 20 '! usb_find 0525:a4a0' >/dev/null
}
# every case that passes in L1 passes through vxhci
zero_all_of_bare() { # vxhci|linked
	sed -n 's/^\([0-9]*\) ok.*/\1/p' /tmp/zero.bare >/tmp/zero.want
	zero_bad=$(while read -r c; do
		grep -q "^$c ok" "/tmp/zero.$1" ||
			grep "^$c " "/tmp/zero.$1" || echo "$c not run"
	done </tmp/zero.want)
	[ -s /tmp/zero.want ] && [ -z "$zero_bad" ] || {
		echo "$zero_bad"
		return 1
	}
}
total_of() { # FILE - without case 24, in ms
	awk '$2 == "ok" && $1 != 24 { t += $3 } END { printf "%d\n", t * 1000 }' "$1"
}
# shortest FILE - the same, of each case the shortest time, as usbtest's output
shortest() {
	awk '$2 == "ok" && (!($1 in t) || $3 < t[$1]) { t[$1] = $3 }
		END { for (c in t) print c, "ok", t[c] }' "$1"
}
# N, MS ms - what `l2 retries` said. Each unlink of a URB that is just completing is
# one, and while L2's cpu waits for L1's there is a burst; a flood goes on.
no_flood() { # RETRIES
	retries_ms=${1#*, }
	[ "${1%%,*}" -le $((25 * ZERO_N)) ] || [ "${retries_ms% ms}" -le 100 ]
}
# zero_table PREFIX - case by case, of the files PREFIX.bare, .qemu, .linked and
# .vxhci
zero_table() {
	(cd /tmp && awk '{ f = FILENAME; sub(/.*[.]/, "", f)
		r[f, $1] = $2 == "ok" ? $3 : $2 " " $3; k[$1] }
		END { for (i = 0; i < 30; i++) if (i in k)
		printf "  usbtest %2d  L1 %-9s QEMU %-9s linked %-9s serve %s\n",
		i, r["bare", i], r["qemu", i], r["linked", i],
		r["vxhci", i] }' "$1".*)
}
zero_round() { # SPEED
	check "zero $1: through QEMU's usb-host" zero_qemu "$1"
	retries_qemu=$(l2 retries)
	check "zero $1: through vxhci, linked" zero_vxhci "$1" linked
	retries_linked=$(l2 retries)
	check "zero $1: all that pass in L1 pass through vxhci, linked" \
		zero_all_of_bare linked
	check "zero $1: no flood of unlink retries, linked" \
		no_flood "$retries_linked"
	for p in qemu linked; do cat /tmp/zero.$p >>/tmp/zero-all.$p; done
}
zero_speed() {
	: >/tmp/zero.bare >/tmp/zero.qemu >/tmp/zero.linked >/tmp/zero.vxhci
	retries_qemu= retries_linked=
	: >/tmp/zero-all.qemu >/tmp/zero-all.linked
	[ "$L2_HAS_QX" = 1 ] && {
		check "zero $1: in L1" zero_bare "$1"
		for r in $(seq $ZERO_ROUNDS); do zero_round "$1"; done
	}
	check "zero $1: through vxhci serve" zero_vxhci "$1"
	retries_vxhci=$(l2 retries)
	for p in bare qemu linked vxhci; do
		echo "zero $1, $p: $(zero_count /tmp/zero.$p)"
	done
	[ "$L2_HAS_QX" = 1 ] && for p in qemu linked; do
		shortest /tmp/zero-all.$p >/tmp/zero.$p
	done
	zero_table /tmp/zero
	[ "$L2_HAS_QX" = 1 ] && {
		check "zero $1: all that pass in L1 pass through vxhci serve" \
			zero_all_of_bare vxhci
		echo "zero $1: the 23, $ZERO_ROUNDS times: linked $(total_of /tmp/zero-all.linked) ms, QEMU $(total_of /tmp/zero-all.qemu) ms"
		total_qemu=$(total_of /tmp/zero.qemu)
		total_linked=$(total_of /tmp/zero.linked)
		# serve has a message for each access of a register, and in L1
		# the switches between processes take most of the time
		echo "zero $1: once through serve: $(total_of /tmp/zero.vxhci) ms"
		check "zero $1: the 23 take no longer than QEMU's: $total_linked and $total_qemu ms" \
			[ "$total_linked" -le "$total_qemu" ]
	}
	echo "unlink retries: QEMU ${retries_qemu:-?}, linked ${retries_linked:-?}, serve $retries_vxhci"
	check "zero $1: no flood of unlink retries" no_flood "$retries_vxhci"
}
case_zero() {
	session qx || return
	for s in $ZERO_SPEEDS; do zero_speed $s; done
}
