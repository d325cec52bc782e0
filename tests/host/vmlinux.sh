#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# vmlinux.sh VMLINUZ TO - the kernel inside a bzImage, uncompressed, for QEMU to
# start by its PVH entry (linux/Documentation/x86/boot.rst: setup_sects,
# payload_offset, payload_length; the payload ends with its size, 4 bytes).
set -eu
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/lib.sh"

number() { # OFFSET BYTES
	od -An "-tu$2" -j "$1" -N "$2" "$image" | tr -d ' '
}
image=$1
at=$((($(number 497 1) + 1) * 512 + $(number 584 4)))
length=$(($(number 588 4) - 4))
payload() { tail -c +$((at + 1)) "$image" | head -c $length; }

case $(payload | head -c 4 | od -An -tx1 | tr -d ' ') in
fd377a58) payload | xz -dc --single-stream >"$2" ;;
28b52ffd) payload | zstd -qdc >"$2" ;;
*) cp "$image" "$2" ;; # it takes longer, and works
esac
