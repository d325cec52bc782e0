#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# deb_test.sh - the packages of `make deb` in a chroot of their own: they are
# installed, run, installed again, removed and purged, and nothing stays. The
# chroot is made of Debian by mmdebstrap from the mirror that this machine's apt
# uses, and goes away at the end. Needs root, or what unshare(1) needs.
# Prints a line a result, `ok` or `FAILED`. Environment: B (the build folder).
# deb_test.sh --in ROOT - inside, called by mmdebstrap with the chroot at ROOT.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
. "$TOP/tests/rig/lib.sh"
. "$TOP/tests/rig/apt.sh"
B=${B:-$TOP/build}
case $B in /*) ;; *) B=$TOP/$B ;; esac

bad=0
result() { # NAME STATUS
	if [ "$2" = 0 ]; then
		echo "ok      deb: $1"
	else
		echo "FAILED  deb: $1"
		bad=1
	fi
}
in_root() { chroot "$root" env LC_ALL=C DEBIAN_FRONTEND=noninteractive "$@"; }
# all there is, but for what dpkg and apt note for themselves
files() {
	(cd "$root" && find . -xdev \( -path ./proc -o -path ./sys -o \
		-path ./dev -o -path ./tmp -o -path ./root -o \
		-path ./var/lib/dpkg -o -path ./var/lib/apt -o \
		-path ./var/log -o -path ./var/cache -o -path ./run/lock \) \
		-prune -o -print | grep -vE '^\./etc/(passwd|group|shadow|gshadow|subuid|subgid)-$|/etc/ld.so.cache$|/etc/\.pwd\.lock$|^\./run(/systemd.*)?$' | sort)
}
users() { sort "$root/etc/passwd" "$root/etc/group"; }

inside() {
	root=$1
	cp "$B"/deb/*.deb "$root/tmp/" || return 1
	# what they need comes first, so that what stays is theirs
	# shellcheck disable=SC2046
	in_root apt-get -qq -y --no-install-recommends install \
		$(for d in "$B"/deb/*.deb; do dpkg-deb -f "$d" Depends; done |
			tr ',' '\n' | sed 's/[(|].*//; s/^ *//' | tr -d ' ' |
			grep -v '^libvxhci' | sort -u) >/dev/null
	result "what they depend on can be had" $?
	files >"$work/before"
	users >"$work/users"
	in_root sh -c 'dpkg -i /tmp/*.deb' >"$work/dpkg.log" 2>&1
	result "they are installed" $?
	! in_root dpkg --audit | grep .
	result "wholly" $?
	! in_root dpkg --verify vxhci libvxhci0 libvxhci-dev | grep .
	result "unchanged" $?
	[ "$(in_root vxhci --version)" = "vxhci $(dpkg-deb -f "$(echo "$B"/deb/vxhci_*.deb)" Version | sed 's/-.*//')" ]
	result "the program runs and says its version" $?
	in_root vxhci manage --config /etc/vxhci/manage.json --check
	result "the configuration that comes with it is right" $?
	in_root id vxhci >/dev/null
	result "the user of the service is there" $?
	# shellcheck disable=SC2016
	in_root /bin/sh -c '
		cd /run/vxhci && mkfifo ready || exit 1
		setpriv --reuid vxhci --regid vxhci --clear-groups vxhci serve \
			--control web.ctl --socket web.sock -s 30,xhci,zero \
			--ready-fd 3 3<>ready & pid=$!
		read -r _ <ready
		vxhci status --control web.ctl | grep -q "attached *zero"; rc=$?
		kill $pid; wait $pid && rm ready && exit $rc'
	result "as that user it serves" $?
	# the chroot has no units but ours
	for u in vxhci-manage.service vxhci@web.service vxhci@web.socket; do
		command -v systemd-analyze >/dev/null || {
			echo "skipped deb: systemd reads $u: no systemd-analyze"
			continue
		}
		systemd-analyze --root="$root" --man=no verify "$u" \
			>"$work/unit" 2>&1
		! grep -F "${u%%[.@]*}" "$work/unit" |
			grep -v ' not found\.$'
		result "systemd reads $u" $?
	done
	in_root sh -c 'dpkg -i /tmp/vxhci_*.deb' >/dev/null 2>&1
	result "once more over itself" $?
	echo '# changed' >>"$root/etc/vxhci/manage.json"
	in_root dpkg -r vxhci libvxhci-dev libvxhci0 >/dev/null 2>&1
	result "removed" $?
	grep -q changed "$root/etc/vxhci/manage.json"
	result "its configuration stays until then" $?
	in_root dpkg -P vxhci libvxhci-dev libvxhci0 >/dev/null 2>&1
	result "purged" $?
	files | diff "$work/before" -
	result "not a file is left or lost" $?
	users | diff "$work/users" -
	result "nor a user" $?
	exit $bad
}

if [ "${1:-}" = --in ]; then
	work=$(mktemp -d) || exit 1
	trap 'rm -rf "$work"' EXIT
	inside "$2"
fi

[ -n "$(apt_mirror)" ] || "$TOP/tests/rig/deps.sh" --update
mirror=$(apt_mirror)
[ -n "$mirror" ] || die "this machine's apt has no Debian mirror"
suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-stable}")
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
{
	apt-config dump | grep -iE '^Acquire::(https?|proxy|force)'
	echo 'Acquire::Check-Valid-Until "false";'
	echo 'Acquire::Retries "3";'
} >"$tmp/apt.conf"
export B
mmdebstrap --quiet --variant=apt --format=null --aptopt="$tmp/apt.conf" \
	--customize-hook="\"$TOP/tests/check/deb_test.sh\" --in \"\$1\" >\"$tmp/out\"" \
	"$suite" /dev/null "deb [signed-by=$KEYRING] $mirror $suite main" \
	>"$tmp/log" 2>&1
rc=$?
cat "$tmp/out" 2>/dev/null
[ $rc = 0 ] || { tail -n 20 "$tmp/log"; exit 1; }
