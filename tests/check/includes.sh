#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# includes.sh [TREE] - fails when an include points up:
#   vmm -> hostusb, devices -> pmapper -> emu -> libc
# and when a layer includes what it is not to know of. Prints FILE:LINE: why.
set -u
cd "${1:-$(dirname "$0")/../..}" || exit 2
bad=0

complain() {
	echo "$1: $2"
	bad=1
}

# layer FOLDER 'FOLDERS IT MAY INCLUDE' 'SYSTEM HEADERS IT MAY NOT'
layer() {
	[ -d "$1" ] || return 0
	found=$(find "$1" -path vmm/bhyve -prune -o -name '*.[ch]' -print |
		sort)
	[ -n "$found" ] || return 0
	# shellcheck disable=SC2086
	grep -Hn '^[[:space:]]*#[[:space:]]*include' $found >"$list" || return 0
	while IFS=: read -r file line text; do
		case $text in
		*\"*)
			name=${text#*\"}
			name=${name%%\"*}
			case " $2 " in
			*" ${name%%/*} "*) ;;
			*) complain "$file:$line" \
				"\"$name\": $1/ may include of: $2" ;;
			esac
			;;
		*'<'*)
			name=${text#*<}
			name=${name%%>*}
			for no in $3; do
				# shellcheck disable=SC2254
				case $name in $no)
					complain "$file:$line" \
						"<$name> is not for $1/"
					;;
				esac
			done
			;;
		*) complain "$file:$line" "an include of neither kind" ;;
		esac
	done <"$list"
}

list=$(mktemp) || exit 2
trap 'rm -f "$list"' EXIT
usb='libusb.h libusb*/*'
net='sys/socket.h sys/un.h netinet/* jansson.h'
# patterns, not files
set -f
layer emu 'emu' "$usb $net pthread.h threads.h fcntl.h dirent.h poll.h stdio_ext.h"
layer pmapper 'pmapper emu' "$usb $net"
# between its own processes: hostusb/packet.h
layer hostusb 'hostusb pmapper emu' "sys/un.h netinet/* jansson.h"
layer devices 'devices pmapper emu' "$usb $net"
layer vmm 'vmm hostusb devices pmapper emu' "$usb"
# a file of bhyve's: the library's public header, and bhyve's own
found=$(find vmm/bhyve -name '*.[ch]' 2>/dev/null)
for file in $found; do
	while IFS=: read -r line text; do
		case $text in
		*'"bhyvegc.h"' | *'"config.h"' | *'"console.h"') ;;
		*'"debug.h"' | *'"pci_emul.h"') ;;
		*\"*) complain "$file:$line" "only bhyve's headers and <vxhci.h>" ;;
		esac
	done <<-END
		$(grep -n '^[[:space:]]*#[[:space:]]*include' "$file")
	END
done
exit $bad
