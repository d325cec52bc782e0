# SPDX-License-Identifier: BSD-2-Clause
# case-unplug.sh - devices that go in the middle of transfers, and come back.

serve_fds() { ls /proc/$SERVE/fd | wc -l; }
serve_rss() { awk '/^VmRSS/ { print $2 }' /proc/$SERVE/status; }

# One round with a gadget: bulk writes are queued, the device goes, L2 sees it
# go; it comes back and works.
unplug_zero() { # SPEED
	gadget_on dummy_udc.0 "$1"
	l2_wait 30 "$(zero_is "$1") && ls -d \$(usb_find 0525:a4a0)/*/driver" \
		>/dev/null || { echo "not seen"; return 1; }
	l2 'testusb $(usb_node 0525:a4a0) 100000 2048 1024 32 27 >/tmp/unplug &'
	usleep $((200000 + unplug_n % 5 * 90000))
	gadget_off
	l2_wait 30 '! usb_find 0525:a4a0' >/dev/null || { echo "not gone"; return 1; }
	l2 wait || { echo "the transfer is stuck"; return 1; }
}
# What L2 has read of its disk, in sectors
bot_read='awk "{ print \$3 }" /sys/block/$(disk_of bot)/stat'
# It goes while it is read, again and again until that fails.
unplug_disk() {
	unplug_from=$(l2 "$bot_read")
	l2 'd=/dev/$(disk_of bot); while dd if=$d of=/dev/null bs=64k iflag=direct
do :; done >/dev/null 2>&1 &'
	l2_wait 20 "[ \$($bot_read) -gt $((${unplug_from:-0} + 256)) ]" ||
		{ echo "nothing is read"; return 1; }
	usleep $((unplug_n % 5 * 90000))
	host monitor device_del bot >/dev/null
	l2_wait 30 '! disk_of bot' >/dev/null || { echo "not gone"; return 1; }
	l2 wait || { echo "the transfer is stuck"; return 1; }
	unplug_answer=$(host replug)
	[ "$unplug_answer" = ok ] ||
		{ echo "replug: $unplug_answer"; return 1; }
	l2_wait 60 'disk_of bot' >/dev/null || { echo "not back"; return 1; }
	l2 'dd if=/dev/$(disk_of bot) of=/dev/null bs=64k count=8 iflag=direct' ||
		return 1
}
unplugs() { # ROUNDS
	unplug_n=0
	while [ $unplug_n -lt "$1" ]; do
		unplug_n=$((unplug_n + 1))
		case $((unplug_n % 3)) in
		0) unplug_zero high ;;
		1) unplug_disk ;;
		2) unplug_zero super ;;
		esac >/tmp/unplug.out 2>&1 || {
			echo "round $unplug_n:"
			tail -n 5 /tmp/unplug.out
			tail -n 5 /tmp/vxhci.log
			return 1
		}
	done
	echo "$unplug_n unplugs and replugs"
}
case_unplug() {
	session || return
	must "unplug: a disk in L2" disks_up || return
	check "unplug: warming up" unplugs 3
	unplug_fds=$(serve_fds) unplug_rss=$(serve_rss) unplug_pid=$SERVE
	check "unplug: ${UNPLUGS:-50} times in the middle of transfers" \
		unplugs "${UNPLUGS:-50}"
	check "unplug: as many descriptors as before: $unplug_fds, $(serve_fds)" \
		[ "$(serve_fds)" -le $((unplug_fds + 1)) ]
	check "unplug: no more memory: $unplug_rss, $(serve_rss) KiB" \
		[ "$(serve_rss)" -le $((unplug_rss + 1024)) ]
	check "unplug: the same process" kill -0 "$unplug_pid"
}
