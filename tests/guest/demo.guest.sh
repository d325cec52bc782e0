# SPDX-License-Identifier: BSD-2-Clause
# demo.guest.sh - the guest's side of demo.sh: SIZE (MiB) and SUM are the host's.

hundredths() { cut -d' ' -f1 /proc/uptime | tr -d .; }
# timed MIB COMMAND… - runs it and says how fast that was
timed() {
	timed_mib=$1
	shift
	timed_t0=$(hundredths)
	"$@" || return 1
	timed_t=$(($(hundredths) - timed_t0))
	echo "$timed_mib MiB in $((timed_t * 10)) ms:" \
		"$((timed_mib * 10486 / (timed_t * 100 + 1))) MB/s"
}
disk() { disk_of_size $((SIZE * 2048)); }

modprobe xhci_pci
modprobe xhci_pci_renesas 2>/dev/null
modprobe usb_storage delay_use=0
modprobe uas
modprobe sd_mod
modprobe ext4
if ! wait_for 60 disk; then
	fail "the disk is found"
	usb_tree
	end
fi
d=$(disk)
ok "a USB disk is found: /dev/$d"
usb_tree
echo "/dev/$d: $(cat /sys/block/$d/size) sectors of 512 bytes," \
	"$(cat /sys/block/$d/device/vendor) $(cat /sys/block/$d/device/model)"

if ! mount -t ext4 /dev/$d /mnt; then
	fail "the disk's file system is mounted"
	end
fi
ok "the disk's file system is mounted"
ls -l /mnt | grep -v lost+found
got=$(sha256sum </mnt/from-host.bin | cut -d' ' -f1)
echo "from-host.bin sha256 $got"
check "the host's file reads with the host's checksum" [ "$got" = "$SUM" ]

echo 3 >/proc/sys/vm/drop_caches
read_it() { dd if=/mnt/from-host.bin of=/dev/null bs=1M 2>/dev/null; }
echo "read:  $(timed 16 read_it)"
dd if=/dev/urandom of=/tmp/new bs=1M count=16 2>/dev/null
echo "sum $(sha256sum </tmp/new | cut -d' ' -f1)"
write() { dd if=/tmp/new of=/mnt/from-guest.bin bs=1M conv=fsync 2>/dev/null; }
echo "write: $(timed 16 write)"
check "a file is written" [ -s /mnt/from-guest.bin ]
check "unmounted" umount /mnt
