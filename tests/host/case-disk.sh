# SPDX-License-Identifier: BSD-2-Clause
# case-disk.sh - usb-storage and usb-uas; `bot` and `uas` are their names in L2.

BOT_SECTORS=$((160 * 2048))
disk_names='bot=$(disk_of_bot); uas=$(disk_of_uas); '
disks_up() {
	l2 'modprobe sd_mod; modprobe uas; modprobe usb_storage delay_use=0'
	l2_wait 60 "disk_of bot >/dev/null && disk_of uas >/dev/null"
}
# no bus reset, no I/O error
disks_quiet() {
	l2 'dmesg | grep -E "reset .*(speed|USB)|I/O error|uas_eh|timed out"' >/tmp/bad
	[ ! -s /tmp/bad ] || { cat /tmp/bad; return 1; }
}
copy() { # FROM TO SKIP-MIB MIB
	L2_SECONDS=400 l2 "t=\$(now); dd if=/dev/\$(disk_of $1) of=/dev/\$(disk_of $2) bs=1M \
skip=$3 seek=$3 count=$4 iflag=direct oflag=direct conv=fsync 2>/tmp/dd || cat /tmp/dd; \
echo \"$1 to $2: $4 MiB in \$((\$(now) - t)) s\"" >/tmp/copy || return 1
	cat /tmp/copy
	[ "$(host compare "$3" "$4")" = same ] || { echo "they differ"; return 1; }
}
streams_used() {
	mount -t debugfs none /sys/kernel/debug 2>/dev/null
	for f in /sys/kernel/debug/usb/xhci/*/devices/*/ep*/stream_context_array; do
		[ -e "$f" ] || continue
		echo "streams of the host's controller: $f: $(grep -c . "$f")"
		return 0
	done
	grep -i stream /tmp/vxhci.log | tail -n 3
	return 1
}
sense() { # bot|uas
	for n in 1 2 3 4; do
		l2 "scsierr /dev/\$(disk_of $1)" || return 1
		l2 "dd if=/dev/\$(disk_of $1) of=/dev/null bs=64k count=4 iflag=direct 2>/dev/null" ||
			return 1
	done
}
case_disk() {
	session || return
	must "disk: both in L2" disks_up || return
	l2 usb_tree
	check "disk: usb-uas: streams" streams_used
	check "disk: 64 MiB read from usb-storage, written to usb-uas" \
		copy bot uas 0 64
	check "disk: 64 MiB read from usb-uas, written to usb-storage" \
		copy uas bot 80 64
	check "disk: usb-storage: error with sense, then it reads" sense bot
	check "disk: usb-uas: error with sense, then it reads" sense uas
	check "disk: no bus reset, no error" disks_quiet
}
