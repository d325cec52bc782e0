#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# includes_test.sh - that includes.sh finds what it is for.
set -u
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d) || exit 2
trap 'rm -rf "$dir"' EXIT
rc=0

try() { # EXPECTED-STATUS FILE INCLUDE
	rm -rf "${dir:?}"/*
	mkdir -p "$dir/${2%/*}"
	echo "#include $3" >"$dir/$2"
	sh "$here/includes.sh" "$dir" >/dev/null
	[ $? = "$1" ] || {
		echo "$2 with $3: expected status $1"
		rc=1
	}
}
try 0 emu/a.c '"emu/usb.h"'
try 0 emu/a.c '<string.h>'
try 1 emu/a.c '"pmapper/pmapper.h"'
try 1 emu/a.c '"vmm/vxhci.h"'
try 1 emu/a.c '<pthread.h>'
try 1 emu/a.c '"usb.h"'
try 0 pmapper/a.h '"emu/usb.h"'
try 1 pmapper/a.h '"devices/storage.h"'
try 1 pmapper/a.h '<libusb.h>'
try 0 devices/a.c '"pmapper/pmapper.h"'
try 1 devices/a.c '"hostusb/hostusb.h"'
try 1 devices/a.c '<libusb-1.0/libusb.h>'
try 0 hostusb/a.c '<libusb.h>'
try 1 hostusb/a.c '"devices/storage.h"'
try 0 vmm/a.c '"hostusb/hostusb.h"'
try 1 vmm/a.c '<libusb.h>'
exit $rc
