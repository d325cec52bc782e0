#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# manage.sh - vxhci manage: its file is checked, and --explain says what would
# become of devices that umockdev plays. Environment: VXHCI.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
VXHCI=$(realpath "${VXHCI:-$TOP/build/vxhci}")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export LC_ALL=C.UTF-8 ASAN_OPTIONS=verify_asan_link_order=0
cd "$work" || exit 1
failed=0

# expect NAME CODE TEXT COMMAND… - the exit code, and TEXT in what it writes
expect() {
	name=$1 code=$2 text=$3
	shift 3
	out=$("$@" 2>&1)
	rc=$?
	if [ $rc = "$code" ] && printf '%s\n' "$out" | grep -qF -- "$text"; then
		echo "ok      $name"
	else
		echo "FAILED  $name"
		printf '        exit code %s: %s\n' $rc "$out"
		failed=1
	fi
}
explain() {
	umockdev-run -d "$FIX/root-hubs.umockdev" -d "$FIX/keyboard.umockdev" \
		-d "$FIX/hub.umockdev" -d "$FIX/disk.umockdev" -- \
		"$VXHCI" manage --config good --explain "$1"
}
FIX=$TOP/fixtures/umockdev

cat >good <<'END'
{"vms": {"a": {"control": "/run/a"}, "b": {"control": "/run/b"}},
 "rules": [
	{"name": "disks", "priority": 2, "match": {"class": "storage"}, "give": ["a", "b"]},
	{"name": "typing", "priority": 1, "match": {"class": "hid"}, "deny": true},
	{"name": "all", "match": {}, "give": "b"}
]}
END
sed 's/"deny"/"denied"/' good >bad
expect 'the rules are right' 0 'good: 2 VMs, 3 rules' \
	"$VXHCI" manage --config good --check
expect 'a mistake has line and column' 2 \
	'bad:4:63: denied: unknown key: see docs/manage.md' \
	"$VXHCI" manage --config bad --check
expect 'a mistake ends the daemon' 2 'bad:4:63: denied' \
	"$VXHCI" manage --config bad
expect 'no file' 2 'none: cannot be read: No such file or directory' \
	"$VXHCI" manage --config none
expect 'no rules' 2 'no rules are given' "$VXHCI" manage
expect 'explain nonsense' 2 '--explain nonsense: unknown option' \
	"$VXHCI" manage --config good --explain nonsense
expect 'explain a built-in device' 2 'not a device of the host' \
	"$VXHCI" manage --config good --explain zero
expect 'explain what is not there' 1 'no such device is there' \
	"$VXHCI" manage --config good --explain id=dead:beef
expect 'a disk goes to a, else to b' 0 'SanDisk' explain bus=2,port=1
expect 'and to whom' 0 ': give to a, else to b' explain id=0781:5588
expect 'what else it matches' 0 'matches too: all (priority 0, give)' \
	explain id=0781:5588
expect 'a keyboard is denied' 0 'by rule: typing' explain bus=1,port=1
expect 'a hub is never given' 0 'a hub is never given' explain bus=1,port=4
exit $failed
