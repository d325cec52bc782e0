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
sed "s,/run/b,$work/none/b," good >unreachable
expect 'a socket that nobody can make' 2 \
	"unreachable:1:44: control: $work/none: No such file or directory: make that folder" \
	"$VXHCI" manage --config unreachable --check
sed "s,/run/b,$work/good," good >unreachable
expect 'a socket that is none' 2 \
	"unreachable:1:44: control: $work/good: not a socket" \
	"$VXHCI" manage --config unreachable
sed "s,/run/b,/run/a," good >twice
expect 'two VMs with one socket' 2 'twice:1:38: b: the same controller as a' \
	"$VXHCI" manage --config twice --check
# 10,000 rules, and a mistake in the last, or two owners
rules() { # THE LAST
	echo '{"vms": {"a": {"control": "/run/a"}, "b": {"control": "/run/b"}},'
	echo '"rules": ['
	awk 'BEGIN { for (i = 0; i < 9999; i++)
		printf "{\"match\": {\"id\": \"%04x:0001\"}, \"give\": \"a\"},\n", i }'
	printf ' %s]}\n' "$1"
}
rules '{"match": {"id": "ffff:0001"}, "give": "b"}' >many
expect '10,000 rules' 0 'many: 2 VMs, 10000 rules' \
	"$VXHCI" manage --config many --check
rules '{"match": {"id": "00ff:0001"}, "give": "b"}' >many
expect '10,000 rules, two owners' 2 \
	'many:10002:2: rule 10000: one device may match this and rule 256, which' \
	"$VXHCI" manage --config many --check
rules '{"match": {"id": 5}, "give": "b"}' >many
expect '10,000 rules, a wrong type' 2 'many:10002:13: id: not a string' \
	"$VXHCI" manage --config many
explain_json() {
	umockdev-run -d "$FIX/root-hubs.umockdev" -d "$FIX/disk.umockdev" -- \
		"$VXHCI" manage --config good --json --explain "$1" | tr -d ' \n'
}
expect 'explain, JSON' 0 '[{"name":"2-1","id":"0781:5588","action":"give","vms":["a","b"],"rule":"disks","why":null,"other-rules":["all"]}]' \
	explain_json id=0781:5588
cat >model.json <<'END'
{"ioMemberList": [{"ztype": "IO_TYPE_USB_DEVICE", "phylabel": "stick",
	"assigngrp": "front", "phyaddrs": {"usbaddr": "2:1"}}]}
END
sed 's/^ "rules.*/ "manifest": {"file": "model.json", "assign": {"front": "b"}},&/' \
	good >eve
expect 'a manifest of EVE' 0 'eve: 2 VMs, 4 rules' \
	"$VXHCI" manage --config eve --check
eve() {
	umockdev-run -d "$FIX/root-hubs.umockdev" -d "$FIX/disk.umockdev" -- \
		"$VXHCI" manage --config eve --explain id=0781:5588
}
expect 'whose rule counts' 0 'by rule: stick' eve
expect 'a disk goes to a, else to b' 0 'SanDisk' explain bus=2,port=1
expect 'and to whom' 0 ': give to a, else to b' explain id=0781:5588
expect 'what else it matches' 0 'matches too: all (priority 0, give)' \
	explain id=0781:5588
expect 'a keyboard is denied' 0 'by rule: typing' explain bus=1,port=1
expect 'a hub is never given' 0 'a hub is never given' explain bus=1,port=4
exit $failed
