# SPDX-License-Identifier: BSD-2-Clause
# case-short.sh - the form for every day: a bit of each, in one boot.

case_short() {
	ZERO_CASES="0 1 2 5 6 9 10 11 13 14 24 27 28"
	ZERO_N=8
	session || return
	zero_speed high
	check "short: disks in L2" disks_up
	check "short: 8 MiB from usb-storage to usb-uas" copy bot uas 0 8
	check "short: no bus reset, no error" disks_quiet
	unplug_n=0
	check "short: unplugged and replugged in the middle of a transfer" \
		unplug_disk
	l2_stop
	serve_rc=0
	serve_end TERM || serve_rc=$?
	check "short: SIGTERM: vxhci ends with status 0" [ $serve_rc = 0 ]
	check "short: SIGTERM: L1's drivers are back" own_drivers
}
