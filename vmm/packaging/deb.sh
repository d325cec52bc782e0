#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# deb.sh - Debian packages of what is built: vxhci, libvxhci0 and libvxhci-dev,
# in $B/deb. Called by `make deb`.
# Environment: B (the build folder), VERSION, SOVERSION, CC.
set -eu
TOP=$(cd "$(dirname "$0")/../.." && pwd)
cd "$TOP"
export LC_ALL=C
unset MAKEFLAGS MFLAGS MAKEOVERRIDES MAKELEVEL
pkg=vmm/packaging
arch=$(dpkg --print-architecture)
multi=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
work=$B/deb
version=$VERSION-1
lib=libvxhci$SOVERSION
who='vxhci developers <vxhci@localhost>'
rm -rf "$work"
mkdir -p "$work/all" "$work/debian"
umask 022

make -s B="$B" install DESTDIR="$(realpath "$work")/all" PREFIX=/usr \
	LIBDIR="/usr/lib/$multi"
root() { echo "$work/$1"; }
# take PACKAGE PATH… - these of what was installed go into that package
take() {
	take_to=$(root "$1")
	shift
	for f; do
		mkdir -p "$take_to$(dirname "$f")"
		mv "$work/all$f" "$take_to$f"
	done
}
take libvxhci-dev /usr/include "/usr/lib/$multi/libvxhci.a" \
	"/usr/lib/$multi/libvxhci.so" "/usr/lib/$multi/pkgconfig"
take "$lib" "/usr/lib/$multi"
gzip -9n "$work/all/usr/share/man/man8/vxhci.8"
mv "$work/all" "$(root vxhci)"
install -D -m 644 $pkg/manage.json "$(root vxhci)/etc/vxhci/manage.json"
strip --strip-unneeded "$(root vxhci)/usr/bin/vxhci" \
	"$(root "$lib")/usr/lib/$multi"/*.so.*.*
strip --strip-debug "$(root libvxhci-dev)/usr/lib/$multi/libvxhci.a"
install -d "$(root vxhci)/usr/share/doc/vxhci"
install -m 644 README.md docs/control.md docs/control.schema.json \
	docs/manage.md docs/SECURITY.md "$(root vxhci)/usr/share/doc/vxhci"
install -d "$(root libvxhci-dev)/usr/share/doc/libvxhci-dev"
install -m 644 docs/embedding.md docs/embed-example.c \
	"$(root libvxhci-dev)/usr/share/doc/libvxhci-dev"

# needs PACKAGE FILE… - the packages whose libraries these use
: >"$work/debian/control"
needs() {
	needs_of=$1
	shift
	(cd "$work" && dpkg-shlibdeps -O --ignore-missing-info \
		-l"$lib/usr/lib/$multi" "$@" 2>/dev/null) |
		sed 's/^shlibs:Depends=//'
}
# package NAME SECTION DEPENDS SUMMARY TEXT
package() {
	p=$(root "$1")
	doc=$p/usr/share/doc/$1
	install -d "$p/DEBIAN" "$doc"
	install -m 644 LICENSE "$doc/copyright"
	printf '%s (%s) unstable; urgency=low\n\n  * Built from its source.\n\n -- %s  %s\n' \
		vxhci "$version" "$who" "$(date -u -R -d "@${SOURCE_DATE_EPOCH:-0}")" |
		gzip -9n >"$doc/changelog.Debian.gz"
	{
		echo "Package: $1"
		echo "Source: vxhci"
		echo "Version: $version"
		echo "Architecture: $arch"
		echo "Maintainer: $who"
		echo "Installed-Size: $(du -sk --apparent-size "$p" | cut -f1)"
		[ -z "$3" ] || echo "Depends: $3"
		echo "Section: $2"
		echo "Priority: optional"
		[ "$1" = vxhci ] || echo "Multi-Arch: same"
		echo "Description: $4"
		echo "$5" | sed 's/^/ /'
	} >"$p/DEBIAN/control"
	(cd "$p" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' |
		sort -z | xargs -0 md5sum) >"$p/DEBIAN/md5sums"
	dpkg-deb --root-owner-group --build "$p" "$work/$1_${version}_$arch.deb"
}

install -d "$(root vxhci)/DEBIAN" "$(root "$lib")/DEBIAN"
echo /etc/vxhci/manage.json >"$(root vxhci)/DEBIAN/conffiles"
for s in postinst prerm postrm; do
	install -m 755 $pkg/debian.$s "$(root vxhci)/DEBIAN/$s"
done
echo "libvxhci $SOVERSION $lib (>= $VERSION)" >"$(root "$lib")/DEBIAN/shlibs"
echo 'activate-noawait ldconfig' >"$(root "$lib")/DEBIAN/triggers"
package vxhci admin "$(needs vxhci vxhci/usr/bin/vxhci), passwd" \
	'USB for virtual machines: an emulated xHCI controller' \
	'A controller in userspace, with physical and built-in USB devices in its
ports, for QEMU, Cloud Hypervisor and other VMMs with vfio-user.'
package "$lib" libs "$(needs "$lib" "$lib/usr/lib/$multi/libvxhci.so.$VERSION")" \
	'emulated xHCI controller for virtual machine monitors' \
	'The controller of vxhci as a library that a VMM links.'
package libvxhci-dev libdevel "$lib (= $version), libusb-1.0-0-dev" \
	'emulated xHCI controller for virtual machine monitors, development' \
	'Header, static library and pkg-config file of libvxhci.'
for d in vxhci "$lib" libvxhci-dev; do rm -rf "$(root "$d")"; done
rm -rf "$work/debian"
