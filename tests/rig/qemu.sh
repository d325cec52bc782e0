#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# qemu.sh [x86|arm] - prints the path of a QEMU (qemu-system-x86_64 or
# -aarch64) that has vfio-user-pci: $VXHCI_QEMU, else the machine's own when it
# is 10.1 or newer, else Debian's from trixie-backports, which is fetched once
# and runs from its folder in the cache.
set -eu
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/lib.sh"
. "$TOP/tests/rig/apt.sh"

arch=${1:-x86}
case $arch in
x86) prog=qemu-system-x86_64 ;;
arm) prog=qemu-system-aarch64 ;;
*) die "$arch: not a QEMU the tests use: x86 or arm" ;;
esac

has_vfio_user() {
	"$1" -device vfio-user-pci,help </dev/null >/dev/null 2>&1
}

fetch() { # TO
	say "qemu: fetching $prog (about 40 MB) from trixie-backports"
	apt_open "$1/apt" trixie trixie-backports
	apt_unpack_deps "$1/apt" "$1" "qemu-system-$arch" base-files libc-bin
	rm -rf "$1/apt" "$1/usr/share/doc" "$1/usr/share/locale"
	cat >"$1/$prog" <<-EOF
	#!/bin/sh
	# runs this folder's QEMU with this folder's C library
	d=\$(cd "\$(dirname "\$0")" && pwd)
	l=\$d/usr/lib/x86_64-linux-gnu
	export QEMU_MODULE_DIR="\$l/qemu"
	exec "\$d/usr/lib64/ld-linux-x86-64.so.2" \\
		--library-path "\$l:\$l/pulseaudio:\$l/samba:\$l/ceph" \\
		"\$d/usr/bin/$prog" -L "\$d/usr/share/qemu" \\
		-L "\$d/usr/share/seabios" -L "\$d/usr/lib/ipxe/qemu" "\$@"
	EOF
	chmod +x "$1/$prog"
	has_vfio_user "$1/$prog" || die "$prog as fetched has no vfio-user-pci"
}

if [ -n "${VXHCI_QEMU:-}" ] && [ "$arch" = x86 ]; then
	has_vfio_user "$VXHCI_QEMU" || die "$VXHCI_QEMU: no vfio-user-pci"
	echo "$VXHCI_QEMU"
elif own=$(command -v $prog) && has_vfio_user "$own"; then
	echo "$own"
else
	dir=$(cached "qemu-$arch" fetch) || die "cannot get QEMU"
	echo "$dir/$prog"
fi
