#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# install_test.sh - what `make install` gives: the files, the names that the
# libraries export, and that docs/embed-example.c builds against them through
# pkg-config and runs. Prints a line a result, `ok` or `FAILED`.
# Environment: B (the build folder), CC, CXX.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
cd "$TOP" || exit 1
B=${B:-build}
CC=${CC:-gcc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL
export LC_ALL=C
bad=0

result() { # NAME STATUS
	if [ "$2" = 0 ]; then
		echo "ok      install: $1"
	else
		echo "FAILED  install: $1"
		bad=1
	fi
}
make_to() { # TARGET ROOT
	make -s B="$B" CC="$CC" "$1" DESTDIR="$2" PREFIX=/opt/vx \
		LIBDIR=/opt/vx/lib/multi
}
# names FILE NM-OPTION… - what it defines for others, but for the version node
names() { nm --defined-only "$@" | awk 'NF == 3 && $2 != "A" { print $3 }' |
	sed 's/@.*//' | sort -u; }

root=$work/root
lib=$root/opt/vx/lib/multi
make_to install "$root"
installed=$?
result "into DESTDIR" $installed
[ $installed = 0 ] || exit 1
version=$("$root/opt/vx/bin/vxhci" --version | sed 's/.* //')
[ -n "$version" ]
result "the program runs and says its version" $?
sort >"$work/wanted" <<END
./opt/vx/bin/vxhci
./opt/vx/include/vxhci.h
./opt/vx/lib/multi/libvxhci.a
./opt/vx/lib/multi/libvxhci.so
./opt/vx/lib/multi/libvxhci.so.$version
./opt/vx/lib/multi/libvxhci.so.${version%%.*}
./opt/vx/lib/multi/pkgconfig/vxhci.pc
./opt/vx/lib/systemd/system/vxhci-manage.service
./opt/vx/lib/systemd/system/vxhci@.service
./opt/vx/lib/systemd/system/vxhci@.socket
./opt/vx/lib/sysusers.d/vxhci.conf
./opt/vx/lib/tmpfiles.d/vxhci.conf
./opt/vx/share/bash-completion/completions/vxhci
./opt/vx/share/man/man8/vxhci.8
END
(cd "$root" && find . ! -type d | sort) >"$work/found"
diff -u "$work/wanted" "$work/found"
result "these files and no others" $?
[ "$(cd "$lib" && readlink libvxhci.so "libvxhci.so.${version%%.*}")" = \
	"libvxhci.so.${version%%.*}
libvxhci.so.$version" ]
result "the links lead to the library" $?
readelf -d "$lib/libvxhci.so" |
	grep -q "SONAME.*\[libvxhci.so.${version%%.*}\]"
result "soname" $?

# every function of the header, and nothing else
sed -n '/^ \*\|^\t* \*/!p' vmm/vxhci.h | sed 's|/\*.*\*/||' |
	grep -o '\<vxhci_[a-z0-9_]*(' | tr -d '(' | sort -u >"$work/declared"
names "$lib/libvxhci.so" -D >"$work/exported"
diff -u "$work/declared" "$work/exported"
result "the shared library exports what the header declares" $?
names "$lib/libvxhci.a" -g >"$work/exported"
diff -u "$work/declared" "$work/exported"
result "the static library too" $?

# several controllers in a process: nothing that they would share, but counts
# that each thread has of its own, and what a signal handler has to find
# (vmm/dma_guard.c)
objdump -t "$lib/libvxhci.a" | grep -E '[[:space:]]O?[[:space:]]*\.(data|bss|tdata|tbss)' |
	grep -vE '\.data\.rel\.ro|[[:space:]]d[[:space:]]|copied_bytes|mem_fault_count|guard_(lock|free|chunks|page)$' >"$work/mutable"
cat "$work/mutable"
[ ! -s "$work/mutable" ]
result "the library has no variables of its own" $?

# a VMM's build
export PKG_CONFIG_PATH="$lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root"
[ "$(pkg-config --modversion vxhci)" = "$version" ]
result "pkg-config: version $version" $?
strict='-std=c17 -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes
	-Wmissing-prototypes -Werror'
# the system's own libraries are not below DESTDIR
flags=$(pkg-config --cflags --libs vxhci)
static=$(pkg-config --static --cflags --libs vxhci |
	sed 's/-lvxhci/-l:libvxhci.a/')
# shellcheck disable=SC2086
"$CC" $strict docs/embed-example.c $flags -o "$work/shared"
result "the example, with the shared library" $?
LD_LIBRARY_PATH=$lib timeout 30 "$work/shared" >"$work/out" &&
	grep -q '^port .*connected$' "$work/out"
result "it finds its disk" $?
LD_LIBRARY_PATH=$lib timeout 30 "$work/shared" thread >"$work/out" &&
	grep -q '^2 devices$' "$work/out" &&
	grep -q '^goes on after [0-9]* bytes$' "$work/out"
result "and with the library's thread" $?
# shellcheck disable=SC2086
"$CC" $strict docs/embed-example.c $static -o "$work/static" &&
	! readelf -d "$work/static" | grep -q libvxhci
result "the example, with the static library" $?
timeout 30 "$work/static" >"$work/out" &&
	grep -q '^port .*connected$' "$work/out"
result "it finds its disk, statically" $?

# the header by itself
header="$root/opt/vx/include/vxhci.h"
"$CC" -std=c99 -pedantic -Wall -Wextra -Werror -fsyntax-only -x c "$header"
result "the header as C99" $?
CXX=${CXX:-$(command -v g++ || command -v clang++)}
if [ -n "$CXX" ]; then
	printf '#include <vxhci.h>\nint main() { vxhci_destroy(nullptr); }\n' \
		>"$work/cxx.cc"
	# shellcheck disable=SC2086
	"$CXX" -std=c++11 -pedantic -Wall -Wextra -Werror "$work/cxx.cc" \
		$flags -o "$work/cxx" && LD_LIBRARY_PATH=$lib "$work/cxx"
	result "the header as C++11, linked" $?
else
	echo "skipped install: the header as C++: no compiler for it"
fi

# the manual page of embedding shows the example's code and no other
awk '/^```c$/ { on = 1; next } /^```$/ { on = 0 } on' docs/embedding.md |
	sed 's/^[[:space:]]*//; /^$/d; /^…$/d' | sort -u >"$work/shown"
sed 's/^[[:space:]]*//' docs/embed-example.c | sort -u >"$work/lines"
comm -23 "$work/shown" "$work/lines" >"$work/stray"
cat "$work/stray"
[ -s "$work/shown" ] && [ ! -s "$work/stray" ]
result "docs/embedding.md shows code of the example, and only that" $?

make_to uninstall "$root" && [ -z "$(find "$root" ! -type d)" ]
result "uninstall leaves nothing" $?
exit $bad
