# SPDX-License-Identifier: BSD-2-Clause
# l1.sh - in L1, the guest that plays the host: its devices, vxhci, and L2.
# CASES, QEMU, CACHE, PEER and SERVE_ARGS are the outer machine's. `host monitor …` is an
# order to the QEMU around L1, which is how devices come and go.

nine() { # TAG PATH
	mkdir -p "$2"
	mount -t 9p -o "trans=virtio,version=9p2000.L,cache=${3:-loose},msize=262144" \
		"$1" "$2"
}
l1_mount() {
	modprobe virtio_pci && modprobe 9pnet_virtio && modprobe 9p || return 1
	nine usr /usr && nine cache "$CACHE" && nine w /w mmap || return 1
	ln -s /usr/lib/x86_64-linux-gnu /lib/x86_64-linux-gnu
	ln -s /usr/lib64 /lib64
	mkdir -p /run /var/tmp /dev/shm /etc
	mount -t tmpfs tmpfs /run
	mount -t tmpfs tmpfs /dev/shm
	mount -t tmpfs tmpfs /tmp
	: >/tmp/dmesg.shown
	echo 0 >/tmp/dmesg.shown
	export PATH=/w:/bin:/usr/bin:/usr/sbin
	ip link set lo up
}
check "L1: files of the machine around" l1_mount
. /w/l1-lib.sh
for f in /w/case-*.sh; do . "$f"; done
check "L1: USB devices and gadgets" l1_devices
host drain >/dev/null

case $CASES in
all) CASES=$(sed -n 's/^case_\([a-z0-9_]*\)().*/\1/p' /w/case-*.sh |
	grep -v '^short') ;;
esac
for c in $CASES; do
	if type "case_$c" >/dev/null 2>&1; then
		echo "case $c"
		"case_$c"
		cp /tmp/vxhci.log /tmp/l2.console /tmp/*.pcapng /w/ 2>/dev/null
	else
		fail "$c: no such case"
	fi
done
session_end
