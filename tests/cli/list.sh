#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# list.sh - `vxhci list` on devices that umockdev plays, on a machine with no
# USB at all. Prints a line a result, `ok` or `FAILED`.
# Environment: VXHCI (the program). list.sh --update writes the expected files.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
VXHCI=${VXHCI:-$TOP/build/vxhci}
FIX=$TOP/fixtures/umockdev
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# no service manager's folder, no locale, no sanitizer that wants to be first
unset RUNTIME_DIRECTORY XDG_RUNTIME_DIR
export LC_ALL=C.UTF-8 ASAN_OPTIONS=verify_asan_link_order=0
bad=0

result() { # NAME STATUS
	if [ "$2" = 0 ]; then
		echo "ok      list: $1"
	else
		echo "FAILED  list: $1"
		bad=1
	fi
}

# mock 'DEVICES' COMMAND… - where these devices are plugged in
mock() {
	mock_args=
	for d in $1; do mock_args="$mock_args -d $d"; done
	shift
	# shellcheck disable=SC2086
	umockdev-run $mock_args -- "$@"
}
# files NAME… - the fixtures of these names, below the root hubs
files() {
	echo "$FIX/root-hubs.umockdev"
	for f in "$@"; do echo "$FIX/$f.umockdev"; done
}
# same NAME WANTED FOUND
same() {
	diff -u "$2" "$3"
	result "$1" $?
}
# says NAME FILE TEXT… - every text is in the file
says() {
	says_name=$1 says_file=$2 says_bad=0
	shift 2
	for text in "$@"; do
		grep -qF -e "$text" "$says_file" && continue
		echo "not in the output: $text"
		says_bad=1
	done
	[ $says_bad = 0 ] || cat "$says_file"
	result "$says_name" $says_bad
}

all=$(files keyboard camera fingerprint hub disk)
if [ "${1:-}" = --update ]; then
	mock "$all" "$VXHCI" list --json >"$FIX/list.json"
	mock "$all" "$VXHCI" list >"$FIX/list.txt"
	exit
fi

mock "$all" "$VXHCI" list --json >"$work/json" 2>"$work/err"
result "ends with 0" $?
same "recorded devices as they were, JSON" "$FIX/list.json" "$work/json"
mock "$all" "$VXHCI" list >"$work/txt" 2>>"$work/err"
same "recorded devices as they were, table" "$FIX/list.txt" "$work/txt"
[ ! -s "$work/err" ]
result "nothing on standard error" $?
! LC_ALL=C grep -q "$(printf '[\001-\011\013-\037\177]')" \
	"$work/txt" "$work/json"
result "no control character of a device gets out" $?

# a machine with no USB
umockdev-run -- "$VXHCI" list --json >"$work/json" 2>"$work/err" &&
	[ "$(cat "$work/json")" = '[]' ] && [ ! -s "$work/err" ]
result "no USB: an empty array" $?
umockdev-run -- "$VXHCI" list >"$work/txt" 2>"$work/err" &&
	[ ! -s "$work/txt" ]
result "no USB: nothing to list is no failure" $?
says "no USB: said on standard error" "$work/err" "no USB devices"

# devices that cannot be passed
sed 's|\(L: driver=.*/\)usbhid|\1usbfs|' "$FIX/keyboard.umockdev" \
	>"$work/claimed.umockdev"
mock "$FIX/root-hubs.umockdev $work/claimed.umockdev" "$VXHCI" list --json \
	>"$work/json"
says "claimed by another program" "$work/json" '"state": "in-use"' \
	'"owner": "another program"'

# may MODE COMMAND… - the node of the camera has these rights, and we no others.
# The fake /dev is in a folder of root's; so is, perhaps, the program.
cat >"$work/may" <<'END'
[ "$(id -u)" = 0 ] && chmod -R go+rwX "$UMOCKDEV_DIR"
chmod "$1" "$UMOCKDEV_DIR/dev/bus/usb/001/009"
shift
[ "$(id -u)" = 0 ] || exec "$@"
exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
END
cp "$VXHCI" "$work/vxhci"
chmod 755 "$work" "$work/vxhci"
may() { mock "$(files camera)" sh "$work/may" "$@"; }

may 000 "$work/vxhci" list --json >"$work/json"
says "no permission: the reason and a way out" "$work/json" \
	'"state": "denied"' "no permission to open /dev/bus/usb/001/009" \
	"run as root" 'ATTR{idVendor}==\"04a9\"' "Canon Digital Camera"
may 000 "$work/vxhci" list >"$work/txt"
[ "$(sed -n 3p "$work/txt" | cut -c1-19)" = '     no permission ' ]
result "no permission: a line of its own in the table" $?

# descriptors that lie
mock "$(files hostile)" "$VXHCI" list --json >"$work/json"
result "hostile descriptors: no crash" $?
says "hostile descriptors: listed as far as they go" "$work/json" \
	'"product": "Device 1"' '"product": "Device 5"' \
	'"product": "Device 6"' '"product": "Device 7"' '"number": 5'

# usage
"$VXHCI" list --jsno 2>"$work/err"
[ $? = 2 ]
result "a wrong option ends with 2" $?
says "a wrong option: a suggestion" "$work/err" "did you mean --json?"
if [ -w /dev/full ]; then
	mock "$all" "$VXHCI" list --json >/dev/full 2>"$work/err"
	[ $? = 1 ]
	result "a full disk ends with 1" $?
fi
exit $bad
