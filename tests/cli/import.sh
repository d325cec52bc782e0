#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# import.sh - vxhci import: files of Xen's and libvirt's, on devices that
# umockdev plays; vxhci manage takes what it writes. Environment: VXHCI.
set -u
TOP=$(cd "$(dirname "$0")/../.." && pwd)
VXHCI=$(realpath "${VXHCI:-$TOP/build/vxhci}")
FIX=$TOP/fixtures/umockdev
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export LC_ALL=C.UTF-8 ASAN_OPTIONS=verify_asan_link_order=0
cd "$work" || exit 1
failed=0

result() { # NAME STATUS [OUTPUT]
	if [ "$2" = 0 ]; then
		echo "ok      import: $1"
	else
		echo "FAILED  import: $1"
		printf '        %s\n' "${3:-}"
		failed=1
	fi
}
# expect NAME CODE TEXT COMMAND…
expect() {
	name=$1 code=$2 text=$3
	shift 3
	out=$("$@" 2>&1)
	rc=$?
	[ $rc = "$code" ] && printf '%s\n' "$out" | grep -qF -- "$text"
	result "$name" $? "exit code $rc: $out"
}
mock() {
	umockdev-run -d "$FIX/root-hubs.umockdev" -d "$FIX/keyboard.umockdev" \
		-d "$FIX/disk.umockdev" -- "$@"
}

cat >web.cfg <<'END_CFG'
# a domain
name = "web"
memory = 512; vcpus=2
disk = [ 'phy:/dev/vg/web,xvda,w', ] # and more
usbctrl = [ 'type=devicemodel,version=3,ports=4',
            "version=2, ports=6" ]
usbdev=['hostbus=2,hostaddr=002,controller=0,port=2',
	'type=hostdev, hostbus=1, hostaddr=7, controller=1, port=3']
END_CFG
cat >games.xml <<'END_XML'
<?xml version='1.0'?>
<!-- <hostdev type='usb'> -->
<domain type="kvm">
  <name>games &amp; co</name>
  <devices>
    <controller type='usb' index='0' model='qemu-xhci' ports='15'/>
    <controller type='sata' index='0'/>
    <hostdev mode='subsystem' type='usb' managed='yes'>
      <source startupPolicy='optional' guestReset='off'>
        <vendor id='0x045e'/>
        <product id='0x028e'/>
      </source>
      <address type='usb' bus='0' port='4'/>
    </hostdev>
    <hostdev mode='subsystem' type='usb'>
      <source><address bus='1' port='2.3'/></source>
    </hostdev>
    <hostdev mode='subsystem' type='pci'>
      <source><address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source>
    </hostdev>
  </devices>
</domain>
END_XML
cat >wanted <<'END_JSON'
{
  "vms": {
    "web.0": {
      "control": "/run/vxhci/web.ctl",
      "slot": "30"
    },
    "web.1": {
      "control": "/run/vxhci/web.ctl",
      "slot": "31"
    },
    "games-&-co": {
      "control": "/run/vxhci/games-&-co.ctl"
    }
  },
  "rules": [
    {
      "name": "web, device 1",
      "match": {
        "bus": 2,
        "port": "1"
      },
      "give": "web.0",
      "priority": 1,
      "at": 6
    },
    {
      "name": "web, device 2",
      "match": {
        "bus": 1,
        "port": "1"
      },
      "give": "web.1",
      "priority": 1,
      "at": 3
    },
    {
      "name": "games-&-co, device 1",
      "match": {
        "id": "045e:028e"
      },
      "give": "games-&-co",
      "at": 4
    },
    {
      "name": "games-&-co, device 2",
      "match": {
        "bus": 1,
        "port": "2.3"
      },
      "give": "games-&-co",
      "priority": 1
    }
  ]
}
END_JSON
mock "$VXHCI" list --json >list.json
# where the recorded devices are now
addr() { tr -d ' \n' <list.json | sed 's/},{"bus"/}\n{"bus"/g' | sed -n "s/^\[*{\"bus\":$1,\"port\":\"$2\",\"address\":\([0-9]*\),.*/\1/p"; }
sed -i -e "s/hostaddr=002/hostaddr=00$(addr 2 1)/" -e "s/hostaddr=7/hostaddr=$(addr 1 1)/" web.cfg
mock "$VXHCI" import web.cfg games.xml >found 2>err
result "both, as rules" $? "$(cat err)"
diff -u wanted found
result "which are these" $?
grep -q 'games.xml: startupPolicy: as if optional' err
result "startupPolicy='mandatory' is said not to be" $?
expect "vxhci manage takes them" 0 'found: 3 VMs, 4 rules' \
	"$VXHCI" manage --config found --check
expect "as vxhci serve" 0 "vxhci serve --control '/run/vxhci/games-&-co.ctl' --socket '/run/vxhci/games-&-co.0.sock' -s 30,xhci,usb2=15,usb3=15,id=045e:028e,at=4,bus=1,port=2.3,reset=never" \
	"$VXHCI" import --serve games.xml
expect "from standard input" 0 '"control": "/run/vxhci/vm.ctl"' \
	sh -c "echo \"usbctrl=['ports=2']\" | '$VXHCI' import -"
expect "a device that is not there" 1 \
	'web.cfg:7: bus 2, address 99: no such device is here now' \
	sh -c "sed -i 's/hostaddr=00[0-9]*/hostaddr=99/' web.cfg; '$VXHCI' import web.cfg"

# bad NAME TEXT ERROR
bad() {
	printf '%s' "$2" >bad
	expect "$1" 2 "$3" "$VXHCI" import bad
}
bad "an unknown key" "
usbdev=['hostbos=1']" 'bad:2: usbdev: hostbos: unknown key'
bad "no address" "usbdev=['hostbus=1']" 'bad:1: usbdev: hostbus or hostaddr'
bad "a number" "usbdev=['hostbus=1,hostaddr=1x']" 'hostaddr=1x: not a number'
bad "a list without end" "usbdev=['hostbus=1,hostaddr=1'
" 'a list does not end'
bad "a string without end" "name='web
" 'bad:1: a string does not end'
bad "no assignment" "name" 'no KEY = VALUE'
bad "a tag without end" "<domain>
<name>a</name>" 'bad:2: <domain> does not end'
bad "a wrong end" "<domain></name>" '</name> ends nothing'
bad "an attribute without end" "<domain a='" "an attribute's value does not end"
bad "a comment without end" "<domain><!-- " 'no -->'
bad "a document type" "<!DOCTYPE a><domain/>" 'leave it out'
bad "a hostdev without device" "<hostdev type='usb'><source/></hostdev>" \
	'which device is not said'
bad "a policy" "<hostdev type='usb'><source startupPolicy='maybe'/></hostdev>" \
	"startupPolicy='maybe': not known"
bad "an id" "<hostdev type='usb'><source><vendor id='0x12345'/></source></hostdev>" \
	"id='0x12345': not a number"
expect "two VMs of a name" 2 'a second VM of this name' \
	"$VXHCI" import games.xml games.xml
expect "no file" 2 'none: No such file' "$VXHCI" import none
expect "nothing" 2 'no file is given' "$VXHCI" import
exit $failed
