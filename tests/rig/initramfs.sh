#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# initramfs.sh KERNEL-FOLDER [MODULE…] - prints the path of an initramfs for the
# kernel that kernel.sh gave: busybox, init.sh as /init, and the modules named
# with what they depend on. Made once for the same content.
set -eu
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/lib.sh"

kernel=$1
shift
version=$(cat "$kernel/version")
init=$TOP/tests/rig/init.sh
own=$(command -v busybox) || die "no busybox: tests/rig/deps.sh demo"
busybox=$own
[ ! -f "$kernel/busybox" ] || busybox=$kernel/busybox

# Where a module is built in, or not of this kernel, there is nothing to copy.
module_files() {
	for m; do
		modprobe -S "$version" -d "$kernel" --show-depends "$m" \
			2>/dev/null || :
	done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | sort -u
}

make_tree() { # TO MODULE…
	to=$1/root
	shift
	mkdir -p "$to/bin" "$to/dev" "$to/proc" "$to/sys" "$to/tmp" \
		"$to/mnt" "$to/lib/modules/$version"
	ln -s bin "$to/sbin" # where the kernel looks for modprobe
	cp "$busybox" "$to/bin/busybox"
	cp "$init" "$to/init"
	chmod 755 "$to/init"
	for applet in $("$own" --list); do
		[ "$applet" = busybox ] || ln -sf busybox "$to/bin/$applet"
	done
	for f in $(module_files "$@"); do
		name=${f##*/}
		case $name in
		*.xz) xz -dc "$f" >"$to/lib/modules/$version/${name%.xz}" ;;
		*.zst) zstd -qdc "$f" >"$to/lib/modules/$version/${name%.zst}" ;;
		*) cp "$f" "$to/lib/modules/$version/" ;;
		esac
	done
	cp "$kernel/lib/modules/$version/modules.order" \
		"$kernel/lib/modules/$version/modules.builtin" \
		"$kernel/lib/modules/$version/modules.builtin.modinfo" \
		"$to/lib/modules/$version/" 2>/dev/null || :
	depmod -b "$to" "$version"
	(cd "$to" && find . | cpio --quiet -o -H newc --owner 0:0) \
		>"$to/../initramfs.cpio"
	rm -rf "$to"
}

hash=$({
	cat "$0" "$init" "$kernel/version"
	cksum "$busybox" "$kernel/vmlinuz"
	echo "$@"
} | sha256sum | cut -c1-16)
echo "$(cached "initramfs-$version-$hash" make_tree "$@")/initramfs.cpio"
