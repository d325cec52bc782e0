#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# programs.sh - prints a folder with programs of Debian's for a guest, and all
# that they need, as it is to lie in the guest's root: aplay, arecord, v4l2-ctl and
# fio. Fetched once into the cache.
set -eu
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/lib.sh"
. "$TOP/tests/rig/apt.sh"

PACKAGES="alsa-utils libasound2 libasound2-data v4l-utils libv4l-0
	libv4lconvert0 libjpeg62-turbo fio libaio1 libnuma1 zlib1g libudev1
	libstdc++6 libgcc-s1 libc6"

needed() { # FILE
	readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}

# take LIBRARY - it, and what it needs, into $to/lib64, which LD_LIBRARY_PATH has to name
take() {
	[ ! -e "$to/lib64/$1" ] || return 0
	take_from=$(find "$from" -name "$1" | head -n 1)
	if [ -z "$take_from" ]; then
		absent="$absent $1"
		return 0
	fi
	cp -L "$take_from" "$to/lib64/$1"
	for take_next in $(needed "$to/lib64/$1"); do
		take "$take_next"
	done
}

# fio is linked with libraries of storage that nobody here has. It is given such
# as have its functions' names, and never called.
stand_ins() {
	nm -D --undefined-only "$to/bin/fio" |
		sed -n 's/.* U \([a-z_0-9]*\).*/\1/p' |
		grep -E '^(glfs|ibv|nbd|pmem|pmemblk|rados|rbd|rdma)_' |
		sed 's/.*/void &(void);void &(void){}/' >"$1/names.c"
	# in one of their own: the loader looks for versions in those it knows
	cc -shared -fPIC -Wl,-soname,libstandins.so \
		-o "$to/lib64/libstandins.so" "$1/names.c" || return 1
	for lib in $absent; do
		echo | cc -shared -x c - -Wl,-soname,"$lib" \
			-Wl,--no-as-needed -o "$to/lib64/$lib" \
			-L"$to/lib64" -lstandins || return 1
	done
}

fetch() { # TO
	say "programs: fetching alsa-utils, v4l-utils and fio (10 MB)"
	apt_open "$1/apt" bookworm
	mkdir -p "$1/from" "$1/root/bin" "$1/root/lib64" "$1/root/usr/share"
	APT_TAR="--exclude=*/usr/share/doc --exclude=*/usr/share/man
		--exclude=*/usr/share/locale --exclude=*/gconv"
	# shellcheck disable=SC2086
	apt_unpack "$1/apt" "$1/from" $PACKAGES
	from=$1/from to=$1/root absent=
	for p in aplay v4l2-ctl fio; do
		cp "$from/usr/bin/$p" "$to/bin/"
		for lib in ld-linux-x86-64.so.2 $(needed "$to/bin/$p"); do
			take "$lib"
		done
	done
	ln -s aplay "$to/bin/arecord"
	cp -r "$from/usr/share/alsa" "$to/usr/share/"
	stand_ins "$1"
	rm -rf "$1/from" "$1/apt" "$1/names.c"
}

echo "$(cached "programs-$(cksum <"$0" | tr -d ' ')" fetch)/root"
