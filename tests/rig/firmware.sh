#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# firmware.sh - prints a folder with Debian's firmware for QEMU: EDK2 and its
# shell, and U-Boot, for amd64 and arm64, from trixie; and iPXE from forky, whose
# iPXE is the first of Debian's with a driver for xHCI. Fetched once into the cache;
# nothing is installed.
set -eu
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/lib.sh"
. "$TOP/tests/rig/apt.sh"

fetch() { # TO
	say "firmware: fetching EDK2, U-Boot and iPXE (about 50 MB)"
	APT_TAR="--exclude=*/share/doc --exclude=*/share/lintian"
	apt_open "$1/apt" trixie
	apt_unpack "$1/apt" "$1" ovmf qemu-efi-aarch64 efi-shell-x64 \
		efi-shell-aa64 u-boot-qemu || return 1
	rm -rf "$1/apt"
	apt_open "$1/apt" forky
	apt_unpack "$1/apt" "$1" ipxe || return 1
	for f in "$1"/usr/lib/u-boot/*; do
		case $f in */qemu_arm64) ;; *) rm -rf "$f" ;; esac
	done
	rm -f "$1"/usr/lib/ipxe/*.iso "$1"/usr/lib/ipxe/ipxe-[lr]*.efi
	rm -rf "$1/apt"
}

cached firmware fetch || die "cannot get the firmware"
