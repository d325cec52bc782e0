#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# deps.sh build|check|demo|bench|fuzz|afl|deb|chroot… - installs the Debian packages that
# these purposes need and the machine does not have. Quick when all are there.
# deps.sh --update - fetches apt's package lists.
set -eu
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/lib.sh"

build='gcc libc6-dev make pkg-config libusb-1.0-0-dev libudev-dev libjansson-dev zlib1g-dev libpcap-dev'
guest='busybox-static cpio kmod xz-utils e2fsprogs debian-archive-keyring'
# what vxhci serve filters its system calls with
build="$build libseccomp-dev"

packages() {
	case $1 in
	build) echo "$build" ;;
	demo) echo "$build $guest" ;;
	check) echo "$build $guest clang clang-format libcmocka-dev umockdev tshark patch libunicorn-dev seabios mtools dosfstools" ;;
	bench) echo "$build $guest libcmocka-dev valgrind strace" ;;
	fuzz) echo "$build clang libclang-rt-dev llvm libcmocka-dev" ;;
	afl) echo "afl++" ;;
	deb) echo "dpkg-dev" ;;
	chroot) echo "mmdebstrap debian-archive-keyring" ;;
	*) die "$1: not a purpose: use build, check, demo, bench, fuzz, afl, deb or chroot" ;;
	esac
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo -- "$@"
	else
		die "needs root to run '$*': no sudo here; run it as root once"
	fi
}

apt_update() {
	say "deps: fetching apt's package lists"
	retry as_root apt-get -qq -o Acquire::Retries=3 update >&2
}

if [ "${1:-}" = --update ]; then
	apt_update
	exit
fi

missing=
seen=' '
for purpose in "${@:-build}"; do
	for p in $(packages "$purpose"); do
		case $seen in *" $p "*) continue ;; esac
		seen="$seen$p "
		dpkg-query -W -f '${db:Status-Status}\n' "$p" 2>/dev/null |
			grep -qx installed || missing="$missing $p"
	done
done
[ -n "$missing" ] || exit 0

say "deps: installing for ${*:-build}:$missing"
command -v apt-get >/dev/null ||
	die "no apt-get: this is not Debian; install the like of:$missing"
first=${missing# }
first=${first%% *}
case $(apt-cache policy "$first" 2>/dev/null) in
*'Candidate: (none)'* | '') apt_update ;;
esac
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y \
		-o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 \
		install --no-install-recommends $missing >"$log" 2>&1
}
# lists that are there may be too old to fetch from
install || { apt_update && retry install; } || {
	cat "$log" >&2
	die "cannot install:$missing"
}
say "deps: done"
