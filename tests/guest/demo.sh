#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# demo.sh - `make demo`: a Linux guest uses a USB disk that vxhci emulates, and
# both sides check what the other wrote. Exit status 0, or 1 with the reason.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/guest.sh"

KERNEL=${VXHCI_DEMO_KERNEL:-6.1}
SIZE=64 # MiB, the disk

step() { printf '\n== %s\n' "$*"; }
fail() {
	printf '\nDemo FAILED: %s\n' "$*"
	exit 1
}

demo_t0=$(now_ms)
step "What this does"
cat <<EOF
vxhci serves an xHCI USB controller over a Unix socket, with a USB disk in
one of its ports. QEMU runs a Debian kernel (Linux $KERNEL) that knows nothing
of this: it finds a controller on its PCI bus and a disk behind it.
EOF

step "Tools (packages, QEMU with vfio-user-pci, a Debian kernel)"
"$TOP/tests/rig/deps.sh" demo || fail "packages are missing, see above"
qemu=$("$TOP/tests/rig/qemu.sh") || fail "no QEMU, see above"
kernel=$("$TOP/tests/rig/kernel.sh" "$KERNEL") || fail "no kernel, see above"
"$qemu" --version | head -n 1
echo "Linux $(cat "$kernel/version")"

if [ "$VXHCI_PEER" = vxhci ]; then
	step "Building vxhci"
	unset MAKEFLAGS MAKELEVEL
	make -s -j"$(nproc)" -C "$TOP" ${B:+"B=$B"} all || fail "vxhci does not build"
	echo "$VXHCI"
fi

step "A disk: $SIZE MiB, ext4, with a file of random content from this host"
guest_work demo
mkdir "$WORK/files"
head -c 16M /dev/urandom >"$WORK/files/from-host.bin"
host_sum=$(sha256sum <"$WORK/files/from-host.bin" | cut -d' ' -f1)
truncate -s ${SIZE}M "$WORK/disk.img"
mke2fs -q -t ext4 -L VXHCI -d "$WORK/files" "$WORK/disk.img" ||
	fail "mke2fs cannot make the disk"
echo "from-host.bin  16 MiB  sha256 $host_sum"

step "Booting the guest"
SLOTS="30,xhci,storage=$WORK/disk.img,speed=super"
if [ "$VXHCI_PEER" = vxhci ]; then
	echo "vxhci serve --socket $WORK/vxhci.1.sock -s $SLOTS"
	echo "qemu … -device '{\"driver\":\"vfio-user-pci\",\"socket\":{\"type\":\"unix\",\"path\":\"$WORK/vxhci.1.sock\"}}'"
fi
guest_line() {
	case $1 in
	'sum '*) echo "${1#sum }" >"$WORK/guest_sum" ;;
	dmesg:*) echo "  $1" ;;
	*) echo "  guest: $1" ;;
	esac
}
guest_boot "$TOP/tests/guest/demo.guest.sh" SIZE=$SIZE SUM="$host_sum" ||
	fail "the guest reported the above"

step "Reading back on the host what the guest wrote"
debugfs -R "dump /from-guest.bin $WORK/from-guest.bin" "$WORK/disk.img" \
	2>/dev/null
got=$(sha256sum 2>/dev/null <"$WORK/from-guest.bin" | cut -d' ' -f1)
want=$(cat "$WORK/guest_sum" 2>/dev/null)
echo "the guest wrote sha256 $want"
echo "the image holds sha256 ${got:-nothing}"
[ -n "$want" ] && [ "$got" = "$want" ] ||
	fail "the image does not hold what the guest wrote"
e2fsck -fn "$WORK/disk.img" >/dev/null 2>&1 ||
	fail "the file system in the image is damaged"
echo "the file system is clean"

printf '\nDemo passed in %d s.\n' $((($(now_ms) - demo_t0) / 1000))
