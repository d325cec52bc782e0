#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# portable.sh - compiles all layers and the library (not the program) as if this
# were not Linux: __linux__ is not defined, headers that only Linux has are an
# error and so are their constants, and no function may be used that FreeBSD 14
# does not have. Says what is, with its file.
# Environment: CC, B.
set -u
cd "$(dirname "$0")/../.." || exit 2
CC=${CC:-gcc}
export LC_ALL=C
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
bad=0

# headers of Linux alone
for h in sys/eventfd sys/epoll sys/signalfd sys/inotify sys/prctl sys/vfs \
	sys/sysmacros sys/sendfile sys/statfs sys/fanotify sys/timerfd \
	libudev mntent sys/fsuid sys/capability; do
	mkdir -p "$work/include/$(dirname $h)"
	echo "#error <$h.h> is Linux's" >"$work/include/$h.h"
done
mkdir -p "$work/include/linux" "$work/include/asm"
for h in linux/fs linux/usbdevice_fs linux/memfd linux/falloc linux/ioctl \
	linux/limits linux/version linux/types asm/ioctl asm/types; do
	# glibc's headers include these, deep down
	printf '#if __INCLUDE_LEVEL__ <= 2\n#error <%s.h> is for Linux\n' $h \
		>"$work/include/$h.h"
	printf '#else\n#include_next <%s.h>\n#endif\n' $h \
		>>"$work/include/$h.h"
done
# and constants, of headers that others have too
without() { # HEADER NAME…
	header=$1
	shift
	mkdir -p "$work/include/$(dirname "$header")"
	{
		printf '#pragma GCC system_header\n#include_next <%s>\n' "$header"
		printf '#undef %s\n' "$@"
	} >"$work/include/$header"
}
without fcntl.h FALLOC_FL_PUNCH_HOLE FALLOC_FL_KEEP_SIZE O_TMPFILE F_OFD_SETLK \
	F_ADD_SEALS F_SETPIPE_SZ O_LARGEFILE
without sys/uio.h RWF_NOWAIT RWF_DSYNC RWF_HIPRI RWF_SYNC
without sys/mman.h MAP_POPULATE MAP_LOCKED MREMAP_MAYMOVE MADV_DONTFORK
# functions that only Linux has
nowhere='epoll_|inotify_|signalfd|timerfd_|memfd_create|fallocate(64)?$|prctl$
syscall$|preadv2|preadv64v2|pwritev2|pwritev64v2|sync_file_range|splice|tee$
sendfile|mremap|unshare|setns|gnu_dev_|__sched_cpu|sched_getaffinity|gettid
name_to_handle|open_by_handle|getrandom$|eventfd|secure_getenv|udev_|get_nprocs
readahead|canonicalize_file_name|get_current_dir_name'
nowhere=$(echo "$nowhere" | tr '\n' '|' | sed 's/|$//')

flags="-std=c17 -O1 -I. -isystem $work/include -D_GNU_SOURCE -U__linux__
	-U__linux -Ulinux -U__gnu_linux__ -DVXHCI_VERSION=\"0\"
	$(pkg-config --cflags libusb-1.0)"
n=0
for src in emu/*.c pmapper/*.c hostusb/*.c devices/*.c vmm/*.c; do
	case $src in
	vmm/main.c | vmm/cmd_*.c | vmm/vfu_*.c | vmm/serve*.c) continue ;;
	vmm/control*.c | vmm/manage*.c) continue ;;
	esac
	# shellcheck disable=SC2086
	"$CC" $flags -Wall -Wextra -Werror -c -o "$work/o" "$src" || {
		bad=1
		continue
	}
	n=$((n + 1))
	for f in $(nm -u "$work/o" | awk '{ print $2 }' |
		grep -E "^($nowhere)"); do
		echo "$src: $f() is Linux's"
		bad=1
	done
done
[ $n -gt 50 ] || bad=1
exit $bad
