#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# storage.sh KERNEL - a Linux guest with two virtual cpus and three disks on one
# controller, at super, high and full speed: data both ways, suspend, driver
# gone and back, a reset in the middle of a transfer, an idle controller.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/guest.sh"

KERNEL=${1:-newest} CPUS=2 RESETS=1 TIMEOUT=${TIMEOUT:-220}
# without a HPET time stands still after S3, now and then
MACHINE=,hpet=on
guest_work storage

# Random below HALF on one disk and above it on the other; the guest copies
# each half to where there is none. The sizes tell the guest which is which.
HALF=${STORAGE_MIB:-256} # MiB
FULL=8
big=$((HALF * 2))
head -c ${HALF}M /dev/urandom >"$WORK/super.img"
truncate -s $((big + 1))M "$WORK/super.img"
truncate -s ${HALF}M "$WORK/high.img"
head -c ${HALF}M /dev/urandom >>"$WORK/high.img"
truncate -s $((big + 2))M "$WORK/high.img"
head -c ${FULL}M /dev/urandom >"$WORK/full.img"
truncate -s $((FULL * 2))M "$WORK/full.img"

same() { # FILE FILE SKIP-MIB MIB
	cmp -s -i $(($3 << 20)) -n $(($4 << 20)) "$WORK/$1.img" "$WORK/$2.img" &&
		echo same || echo differs
}
host_compare() { same "$@"; }

# `second` when the guest was here before: it is reset on purpose.
host_phase() {
	[ "$BOOTS" = 1 ] && echo first || echo second
}

# A reset while the guest's transfer runs; there is no answer to it.
host_reset() {
	sleep 1
	qemu_monitor system_reset
}

wakeups() {
	cat /proc/"${serve_pids# }"/task/*/status |
		awk '/ctxt_switches/ { n += $2 } END { print n }'
}
# What wakes the server while the guest does nothing, in 10 s.
host_idle() {
	[ "$VXHCI_PEER" = vxhci ] || { echo skip; return; }
	sleep 1
	before=$(wakeups)
	sleep 10
	after=$(wakeups)
	# one that is dead does not wake either
	grep -q '^State:.[RS]' /proc/"${serve_pids# }"/status || after=dead
	[ "$after" = dead ] && echo dead || echo $((after - before))
}

SLOTS="30,xhci,storage=$WORK/super.img,speed=super,storage=$WORK/high.img,speed=high,storage=$WORK/full.img,speed=full"
allow=$(grep -v '^#' "$TOP/tests/guest/dmesg.allow" | paste -sd '|' -)
echo "guest: Debian kernel $KERNEL, controller $VXHCI_PEER"
guest_boot "$TOP/tests/guest/storage.guest.sh" HALF=$HALF FULL=$FULL \
	KERNEL="$KERNEL" ALLOW="$allow" || exit 1
