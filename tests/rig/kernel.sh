#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# kernel.sh 6.1|6.12|newest [arm64] - prints a folder with that Debian kernel:
# vmlinuz, version (a file), lib/modules/VERSION, and for another architecture
# than the machine's a busybox. Fetched once into the cache.
set -eu
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/lib.sh"
. "$TOP/tests/rig/apt.sh"

class=${1:-newest} arch=${2:-amd64}
case $class in
6.1) suite=bookworm ;;
6.12) suite=trixie ;;
newest) suite=trixie-backports ;;
*) die "$class: not a kernel the tests use: 6.1, 6.12 or newest" ;;
esac

# The image package is one (6.x) or split in several by name (7.x on).
needs() { # ROOT PACKAGE
	apt_in "$1" apt-cache show --no-all-versions "$2" |
		sed -n 's/^\(Pre-\)\{0,1\}Depends: //p' | tr ',|' '\n\n' |
		sed 's/^ *//; s/ .*//' |
		grep -E '^linux-(image|binary|modules|base)-[0-9]' || :
}

fetch() { # TO
	say "kernel: fetching Debian's kernel ($class, 70 to 180 MB) from $suite"
	APT_ARCH=$arch
	apt_open "$1/apt" "$suite"
	want= next=linux-image-$arch
	while [ -n "$next" ]; do
		found=
		for p in $next; do
			for q in $(needs "$1/apt" "$p"); do
				case " $want $found " in
				*" $q "*) ;;
				*) found="$found $q" ;;
				esac
			done
		done
		want="$want$found" next=$found
	done
	[ -n "$want" ] || die "no kernel in $suite"
	mkdir "$1/root"
	# what no test has a device for
	APT_TAR="--exclude=*/drivers/gpu --exclude=*/drivers/net/wireless
		--exclude=*/drivers/net/ethernet --exclude=*/drivers/infiniband
		--exclude=*/usr/share/doc"
	[ "$arch" = amd64 ] || more=busybox-static
	apt_unpack "$1/apt" "$1/root" $want ${more:-}
	for dir in "$1"/root/usr/lib/modules/* "$1"/root/lib/modules/*; do
		[ -d "$dir/kernel" ] || continue
		version=${dir##*/}
		mkdir -p "$1/lib/modules"
		mv "$dir" "$1/lib/modules/$version"
		echo "$version" >"$1/version"
		for image in "$1/lib/modules/$version/vmlinuz" \
			"$1/root/usr/lib/modules/$version/vmlinuz" \
			"$1/root/boot/vmlinuz-$version"; do
			[ -f "$image" ] && mv "$image" "$1/vmlinuz" && break
		done
		break
	done
	[ -f "$1/vmlinuz" ] && [ -f "$1/version" ] ||
		die "no kernel image in$want"
	for busybox in "$1"/root/bin/busybox "$1"/root/usr/bin/busybox; do
		[ ! -f "$busybox" ] || mv "$busybox" "$1/busybox"
	done
	rm -rf "$1/root" "$1/apt"
	depmod -b "$1" "$(cat "$1/version")"
}

case $arch in
amd64) cached "kernel-$class" fetch ;;
arm64) cached "kernel-$class-$arch" fetch ;;
*) die "$arch: not an architecture the tests use: amd64 or arm64" ;;
esac || die "cannot get the kernel $class"
