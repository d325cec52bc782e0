#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# control.sh - vxhci attach, detach, status and monitor on a `vxhci serve` with
# built-in devices: what they write, and their exit codes. Environment: VXHCI.
set -u
VXHCI=$(realpath "${VXHCI:-build/vxhci}")
work=$(mktemp -d) || exit 1
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$work"' EXIT
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

truncate -s 1M disk.img
mkfifo ready
"$VXHCI" serve --socket a.sock -s 30,xhci --socket b.sock -s 31,xhci,usb3=0 \
	--control ctl.sock --ready-fd 3 3>ready 2>serve.log &
server=$!
read -r _ <ready
export VXHCI_CONTROL=ctl.sock

expect 'the control socket is for its owner' 0 600 stat -c %a ctl.sock
"$VXHCI" monitor >events &
monitor=$!
# the monitor is there once something it saw is written
n=0
while [ ! -s events ] && [ $n -lt 100 ]; do
	"$VXHCI" attach -s 31 zero,at=8 >/dev/null
	"$VXHCI" detach -s 31 8
	n=$((n + 1))
	sleep 0.1
done
expect 'attach to a port' 0 'storage=disk.img: in port 2' \
	"$VXHCI" attach -s 30 storage=disk.img,at=2
expect 'attach --json' 0 '"state":"attached","reason":null,"port":9' \
	"$VXHCI" attach -s 30 --json --rule why zero
expect 'attach what is not there' 0 'attached when it appears' \
	"$VXHCI" attach -s 30 bus=99,port=1
expect 'several controllers' 2 'slot: there are several controllers' \
	"$VXHCI" attach zero
expect 'attach to a taken port' 1 'port 2 is kept for storage=disk.img' \
	"$VXHCI" attach -s 30 zero,at=2
expect 'attach a used image' 1 'is in use by another process' \
	"$VXHCI" attach -s 31 storage=disk.img
expect 'attach nonsense' 2 'nonsense: unknown option' \
	"$VXHCI" attach -s 30 nonsense
expect 'attach without a device' 2 'the device is missing' "$VXHCI" attach
expect 'status' 0 '2    #1   attached   storage=disk.img             high   attach' \
	"$VXHCI" status
expect 'status has the rule' 0 'super  why' "$VXHCI" status -s 30
expect 'status --json' 0 '"protocol": "usb3"' "$VXHCI" status --json
expect 'status of no controller' 1 '99: no such controller' \
	"$VXHCI" status -s 99
expect 'detach a port' 0 '' "$VXHCI" detach -s 30 2
expect 'detach it again' 1 '2: no such device in controller 30' \
	"$VXHCI" detach -s 30 2
expect 'detach an id' 0 '"devices":1' "$VXHCI" detach -s 30 --json '#2'
expect 'detach what was not there' 0 '' "$VXHCI" detach -s 30 bus=99,port=1
expect 'the image is free again' 0 'in port 1' \
	"$VXHCI" attach -s 31 storage=disk.img
mkdir far
truncate -s 1M far/other.img
(cd far && "$VXHCI" attach --control ../ctl.sock -s 30 \
	storage=other.img,at=5) >out 2>&1
expect 'the client opens the image' 0 'storage=other.img: in port 5' cat out
expect 'and lets go of it' 0 '' "$VXHCI" detach -s 30 5
expect 'input without a device' 1 'event 0: no such device is there' \
	"$VXHCI" input -s 30 key=a
"$VXHCI" attach -s 30 keyboard,at=3 >/dev/null
"$VXHCI" attach -s 30 tablet,at=4 >/dev/null
expect 'input without a driver' 1 'the guest does not use the device' \
	"$VXHCI" input -s 30 key=leftctrl+c
expect 'input of a pointer' 1 'the guest does not use the device' \
	"$VXHCI" input -s 30 --port 4 abs=1,2 button=left wheel=-1 wheel=1,1
expect 'input out of range' 2 'event 1: is none that the device knows' \
	"$VXHCI" input -s 30 abs=1,2 abs=1,40000
expect 'input to another kind' 2 'event 0: is none that the device knows' \
	"$VXHCI" input -s 30 --port 3 abs=1,2
expect 'input of no key' 2 'nokey: no such key' "$VXHCI" input -s 30 key=a+nokey
expect 'input of nonsense' 2 'jump: no such event' "$VXHCI" input -s 30 jump
expect 'input of nothing' 2 'no event is given' "$VXHCI" input -s 30
# the medium of a disk, and controllers
truncate -s 1M cd.img
"$VXHCI" attach -s 30 storage=cd.img,removable,at=5 >/dev/null
expect 'media: out' 0 '{}' "$VXHCI" media -s 30 --port 5 --eject --json
expect 'media: another in, of this folder' 0 '' \
	"$VXHCI" media -s 30 --port 5 --readonly cd.img
expect 'media: a file that is not there' 1 'none.img' \
	"$VXHCI" media -s 30 --port 5 none.img
expect 'media: of no disk' 1 '' "$VXHCI" media -s 30 --port 8 cd.img
expect 'media: no port' 2 'media: --port N is missing' \
	"$VXHCI" media -s 30 cd.img
expect 'media: port x' 2 '--port x: not a number' \
	"$VXHCI" media -s 30 --port x cd.img
expect 'media: no file' 2 'the file is missing' "$VXHCI" media -s 30 --port 5
expect 'controller-add' 0 '{"slot":"7"}' \
	"$VXHCI" controller-add --socket c.sock -s 7,xhci,zero,usb2=3 --json
expect 'controller-add: it is there' 0 '7: 3 USB 2 and 8 USB 3 ports' \
	"$VXHCI" status -s 7
expect 'controller-add: with its socket' 0 '' test -S c.sock
expect 'controller-add: the slot is taken' 1 '"class":"Exists"' \
	"$VXHCI" controller-add --socket d.sock -s 7,xhci --json
expect 'controller-add: the socket is taken' 1 'c.sock' \
	"$VXHCI" controller-add --socket c.sock -s 8,xhci
expect 'controller-add: nonsense' 2 'yhci' \
	"$VXHCI" controller-add --socket d.sock -s 8,yhci
expect 'controller-add: no socket' 2 '--socket PATH is missing' \
	"$VXHCI" controller-add -s 8,xhci
expect 'controller-remove' 0 '' "$VXHCI" controller-remove -s 7
expect 'controller-remove: it is gone' 1 '"class":"NotFound"' \
	"$VXHCI" controller-remove -s 7 --json
expect 'controller-remove: its socket too' 0 '' test ! -e c.sock
expect 'controller-remove: which' 2 '-s SLOT is missing' \
	"$VXHCI" controller-remove

expect 'an error as JSON' 1 '{"error":{"class":"NotFound","desc":"2: no' \
	"$VXHCI" detach -s 30 --json 2
expect 'an error as JSON, without a socket' 1 '{"error":{"class":"NotFound"' \
	"$VXHCI" status --json --control none.sock
expect 'no socket' 2 'no control socket is named' \
	env -u VXHCI_CONTROL "$VXHCI" status
expect 'nobody there' 1 'nobody answers there' \
	"$VXHCI" status --control none.sock
kill "$server"
wait "$server"
expect 'serve ended well' 0 '' test $? = 0
server=
wait "$monitor"
expect 'monitor ends with it' 0 '' test $? = 0
expect 'monitor told of attaching' 0 'DEVICE_ATTACHED 30 #1 storage=disk.img port 2' \
	cat events
expect 'monitor told of detaching' 0 'DEVICE_DETACHED 30 #1 storage=disk.img port 2' \
	cat events
expect 'serve said nothing' 0 '' test ! -s serve.log
expect 'the socket is removed' 0 '' test ! -e ctl.sock
exit $failed
